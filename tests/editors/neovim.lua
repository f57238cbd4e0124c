-- What a user does in Neovim, in one go: `nvim --headless web.kpol -c 'luafile neovim.lua'`. What was seen is written as JSON
-- to $KPOL_SEEN.
local seen = {}

local function wait(what, condition)
  local function drawn()
    -- Without a terminal nothing is drawn, and colours are made when they are drawn.
    vim.cmd.redraw()
    return condition()
  end
  assert(vim.wait(15000, drawn, 20), "waited in vain for " .. what)
end

local function lines()
  return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\n")
end

-- Puts the cursor on the first character of a text.
local function at(text, offset)
  local found = vim.fn.searchpos("\\V" .. text, "cw")
  assert(found[1] > 0, "no " .. text)
  vim.api.nvim_win_set_cursor(0, { found[1], found[2] - 1 + (offset or 0) })
end

-- The keys of 0.11 and later; what they stand for before.
local function press(keys, otherwise)
  if vim.fn.has("nvim-0.11") == 1 or otherwise == nil then
    vim.api.nvim_feedkeys(vim.keycode(keys), "mx", false)
  else
    otherwise()
  end
end

local function ask(method, extra)
  local client = vim.lsp.get_clients({ bufnr = 0 })[1]
  local params = vim.tbl_extend("force", vim.lsp.util.make_position_params(0, client.offset_encoding), extra or {})
  local answer = client.request_sync and vim.fn.has("nvim-0.11") == 1 and client:request_sync(method, params, 60000, vim.api.nvim_get_current_buf())
    or client.request_sync(method, params, 60000, vim.api.nvim_get_current_buf())
  assert(answer and not answer.err, vim.inspect(answer))
  return answer.result
end

local function run()
  local buffer = vim.api.nvim_get_current_buf()
  seen.filetype = vim.bo.filetype
  seen.treesitter = vim.treesitter.highlighter.active[buffer] ~= nil
  wait("the server", function()
    return #vim.lsp.get_clients({ bufnr = 0 }) == 1
  end)
  local root = vim.lsp.get_clients({ bufnr = 0 })[1].config.root_dir
  seen.root = root and vim.fs.basename(root)

  wait("findings", function()
    return #vim.diagnostic.get(0) > 0
  end)
  seen.diagnostics = vim.tbl_map(function(found)
    return { line = found.lnum, column = found.col, code = found.code, message = found.message }
  end, vim.diagnostic.get(0))

  -- Colours: what the tree says of some words, and that the server's arrive too.
  at("AF_UNIX")
  vim.treesitter.get_parser(0):parse()
  seen.captures = vim.treesitter.get_captures_at_cursor(0)
  wait("the server's colours", function()
    local here = vim.inspect_pos(0, nil, nil, { syntax = false, treesitter = false, extmarks = false })
    seen.semantic = here.semantic_tokens[1] and here.semantic_tokens[1].opts.hl_group
    return seen.semantic ~= nil
  end)

  at("socket")
  press("K", vim.lsp.buf.hover)
  wait("the hover", function()
    for _, window in ipairs(vim.api.nvim_list_wins()) do
      if vim.api.nvim_win_get_config(window).relative ~= "" then
        seen.hover = table.concat(vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(window), 0, -1, false), "\n")
        vim.api.nvim_win_close(window, true)
        return true
      end
    end
  end)

  -- Typed, not saved: the server sees it.
  seen.omnifunc = vim.bo.omnifunc
  at("family == AF_UNIX")
  vim.cmd.normal({ args = { "cw" .. "fam" }, bang = true })
  local items = ask("textDocument/completion", { context = { triggerKind = 1 } })
  seen.completion = vim.tbl_map(function(item)
    return item.label
  end, items.items or items)
  vim.cmd.undo()

  -- The fix that comes with the finding.
  at("lisen")
  vim.ui.select = function(items, _, chosen)
    for index, item in ipairs(items) do
      if item.action.isPreferred then
        return chosen(item, index)
      end
    end
  end
  press("gra", vim.lsp.buf.code_action)
  wait("the fix", function()
    return not lines():find("lisen")
  end)
  wait("no more findings", function()
    return #vim.diagnostic.get(0) == 0
  end)
  seen.fixed = lines()

  at("@worker")
  vim.ui.input = function(_, entered)
    entered("@helper")
  end
  press("grn", vim.lsp.buf.rename)
  wait("the new name", function()
    return lines():find("@helper") ~= nil
  end)
  seen.renamed = lines()

  press("gggqG")
  seen.formatted = lines()
  -- As the page has it.
  vim.api.nvim_create_autocmd("BufWritePre", { pattern = "*.kpol", callback = function() vim.lsp.buf.format() end })
  vim.api.nvim_buf_set_lines(0, 0, 1, true, { "default   deny(EPERM)" })
  vim.cmd("wall")
  seen.written = vim.fn.readfile("web.kpol")[1]

  at("@helper")
  press("grr", vim.lsp.buf.references)
  wait("the uses", function()
    return #vim.fn.getqflist() > 0
  end)
  seen.uses = vim.tbl_map(function(item)
    return vim.fs.basename(vim.api.nvim_buf_get_name(item.bufnr)) .. ":" .. item.lnum
  end, vim.fn.getqflist())
  vim.cmd("cclose")
  press("gO", vim.lsp.buf.document_symbol)
  local function symbols()
    local here = vim.fn.getloclist(0)
    return #here > 0 and here or vim.fn.getqflist()
  end
  wait("the outline", function()
    return symbols()[1].text:find("default") ~= nil
  end)
  seen.outline = vim.tbl_map(function(item)
    return item.text
  end, symbols())
  vim.cmd("lclose | cclose")

  vim.cmd("set foldmethod=expr foldexpr=v:lua.vim.treesitter.foldexpr()")
  vim.cmd("checkhealth vim.lsp")
  seen.health = lines()
  vim.cmd("bdelete")

  at("@helper")
  press("<C-]>")
  wait("the definition", function()
    return vim.fs.basename(vim.api.nvim_buf_get_name(0)) == "lib.kpol"
  end)
  seen.definition = vim.api.nvim_get_current_line()

  vim.lsp.inlay_hint.enable()
  wait("hints", function()
    return #vim.lsp.inlay_hint.get({ bufnr = 0 }) > 0
  end)
  local newer = vim.fn.has("nvim-0.12") == 1
  if newer then
    vim.lsp.codelens.enable()
  else
    vim.lsp.codelens.refresh()
  end
  wait("lenses", function()
    return #vim.lsp.codelens.get(newer and { bufnr = 0 } or 0) > 0
  end)
  seen.indent = (function()
    vim.cmd.normal({ args = { "Goallow {\nread\n}" }, bang = true })
    return vim.api.nvim_buf_get_lines(0, -4, -1, false)
  end)()
end

local sound, trouble = xpcall(run, debug.traceback)
seen.trouble = not sound and trouble or nil
vim.fn.writefile({ vim.json.encode(seen) }, vim.env.KPOL_SEEN)
vim.cmd("qall!")
