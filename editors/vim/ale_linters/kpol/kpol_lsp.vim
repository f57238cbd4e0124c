" Findings, completion, hover, rename and code actions by ALE: it finds this file by itself.
call ale#Set('kpol_lsp_executable', 'kpol-lsp')
call ale#Set('kpol_lsp_init_options', {})

function! ale_linters#kpol#kpol_lsp#Root(buffer) abort
  let l:project = ale#path#FindNearestFile(a:buffer, 'kpol.toml')
  if !empty(l:project)
    return fnamemodify(l:project, ':h')
  endif
  let l:git = ale#path#FindNearestDirectory(a:buffer, '.git')
  return empty(l:git) ? expand('#' . a:buffer . ':p:h') : fnamemodify(l:git, ':h:h')
endfunction

call ale#linter#Define('kpol', {
\ 'name': 'kpol_lsp',
\ 'lsp': 'stdio',
\ 'language': 'kpol',
\ 'executable': {buffer -> ale#Var(buffer, 'kpol_lsp_executable')},
\ 'command': '%e',
\ 'project_root': function('ale_linters#kpol#kpol_lsp#Root'),
\ 'initialization_options': {buffer -> ale#Var(buffer, 'kpol_lsp_init_options')},
\ })
