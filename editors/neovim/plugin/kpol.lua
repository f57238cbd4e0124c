-- kpol: the language server, and colours by tree-sitter where its parser is installed.
if vim.g.loaded_kpol then
  return
end
vim.g.loaded_kpol = true

vim.filetype.add({ extension = { kpol = "kpol" } })

-- Neovim 0.11 and later start servers by themselves.
local by_itself = vim.lsp.config ~= nil and vim.lsp.enable ~= nil

local function start(buffer)
  local found = vim.api.nvim_get_runtime_file("lsp/kpol.lua", false)[1]
  local config = vim.tbl_deep_extend("force", dofile(found), vim.g.kpol_lsp or {})
  local marker = vim.fs.find(config.root_markers, { upward = true, path = vim.fs.dirname(vim.api.nvim_buf_get_name(buffer)) })
  vim.lsp.start({
    name = "kpol",
    cmd = config.cmd,
    settings = config.settings,
    init_options = config.settings,
    root_dir = marker[1] and vim.fs.dirname(marker[1]) or nil,
  }, { bufnr = buffer })
end

local told = false

vim.api.nvim_create_autocmd("FileType", {
  group = vim.api.nvim_create_augroup("kpol", {}),
  pattern = "kpol",
  callback = function(event)
    -- Without a parser the colours of syntax/kpol.vim stay.
    pcall(vim.treesitter.start, event.buf, "kpol")
    local command = by_itself and vim.lsp.config.kpol.cmd or (vim.g.kpol_lsp or {}).cmd or { "kpol-lsp" }
    if type(command) == "table" and vim.fn.executable(command[1]) == 0 then
      if not told then
        told = true
        vim.notify("kpol: no `" .. command[1] .. "` on the PATH; install it, or set `cmd`", vim.log.levels.WARN)
      end
    elseif not by_itself then
      start(event.buf)
    end
  end,
})

if by_itself then
  vim.lsp.enable("kpol")
end
