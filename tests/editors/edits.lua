-- Many small edits in Neovim, with letters of every width, in each encoding of positions: the server must hold the text that
-- Neovim holds. `nvim --headless web.kpol -c 'luafile edits.lua'`; what was seen is written as
-- JSON to $KPOL_SEEN. KPOL_SEED gives other edits.
local seen = { rounds = 0 }
local state = tonumber(vim.env.KPOL_SEED or "1")

-- The generator of Park and Miller: the same numbers everywhere.
local function below(most)
  state = state * 48271 % 2147483647
  return state % most
end

local PIECES = { "a", "é", "🦀", "\n", "", "{ read }", "@g", "//", "/*", "*/", '"', "allow ", "\n\n", "e\u{301}", "\t", "0x1f, " }

local function edit()
  local last = vim.api.nvim_buf_line_count(0) - 1
  local from = below(last + 1)
  local to = math.min(last, from + (below(4) == 0 and below(3) or 0))
  -- Columns of letters, then of bytes.
  local function column(line)
    local text = vim.api.nvim_buf_get_lines(0, line, line + 1, true)[1]
    return vim.fn.byteidx(text, below(vim.fn.strchars(text, 1) + 1))
  end
  local a, b = column(from), column(to)
  if from == to and b < a then
    a, b = b, a
  end
  if a < 0 or b < 0 then
    return
  end
  vim.api.nvim_buf_set_text(0, from, a, to, b, vim.split(PIECES[below(#PIECES) + 1], "\n", { plain = true }))
end

local function answers(client)
  local document = { textDocument = vim.lsp.util.make_text_document_params(0) }
  local all = {}
  for _, method in ipairs({ "textDocument/semanticTokens/full", "textDocument/documentSymbol", "textDocument/foldingRange" }) do
    local answer = client:request_sync(method, document, 60000, vim.api.nvim_get_current_buf())
    assert(answer and not answer.err, method .. vim.inspect(answer))
    local result = answer.result
    if type(result) == "table" then
      result.resultId = nil
    end
    all[method] = result
  end
  return all
end

local function run()
  local original = vim.api.nvim_buf_get_lines(0, 0, -1, true)
  for _, encoding in ipairs({ "utf-8", "utf-16", "utf-32" }) do
    vim.api.nvim_buf_set_lines(0, 0, -1, true, original)
    local capabilities = vim.lsp.protocol.make_client_capabilities()
    capabilities.general.positionEncodings = { encoding }
    local id = assert(vim.lsp.start({ name = encoding, cmd = { "kpol-lsp" }, capabilities = capabilities }))
    local client = assert(vim.lsp.get_client_by_id(id))
    assert(vim.wait(60000, function() return client.initialized end, 10))
    assert(client.offset_encoding == encoding, client.offset_encoding)
    for round = 1, 25 do
      for _ = 1, 12 do
        edit()
        -- Several edits to one message, and one to each.
        if below(3) == 0 then
          answers(client)
        end
      end
      local followed = answers(client)
      -- Closed and opened: now it has the text whole.
      vim.lsp.buf_detach_client(0, id)
      vim.lsp.buf_attach_client(0, id)
      local opened = answers(client)
      if not vim.deep_equal(followed, opened) then
        error(encoding .. ", round " .. round .. ", text " .. vim.inspect({ vim.api.nvim_buf_get_lines(0, 0, -1, true), followed, opened }))
      end
      seen.rounds = seen.rounds + 1
      if vim.api.nvim_buf_line_count(0) > 60 then
        vim.api.nvim_buf_set_lines(0, 30, -1, true, {})
      end
    end
    client:stop(true)
  end
end

local sound, trouble = xpcall(run, debug.traceback)
seen.trouble = not sound and trouble or nil
vim.fn.writefile({ vim.json.encode(seen) }, vim.env.KPOL_SEEN)
vim.cmd("qall!")
