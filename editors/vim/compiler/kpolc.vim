" `:compiler kpolc` and `:make` check the file; findings are in the quickfix list.
if exists('current_compiler')
  finish
endif
let current_compiler = 'kpolc'

CompilerSet makeprg=kpolc\ check\ --format\ concise\ %:S
CompilerSet errorformat=%f:%l:%c:\ %trror[%.%#]:\ %m,%f:%l:%c:\ %tarning[%.%#]:\ %m,%-G%.%#
