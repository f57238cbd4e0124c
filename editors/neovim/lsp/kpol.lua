-- How the language server is started. To change it, say so in your own configuration:
--
--     vim.lsp.config("kpol", { settings = { kpol = { kernel = "6.1" } } })
return {
  cmd = { "kpol-lsp" },
  filetypes = { "kpol" },
  root_markers = { "kpol.toml", ".git" },
}
