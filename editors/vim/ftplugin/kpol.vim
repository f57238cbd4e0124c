" kpol, a policy language for Linux syscall filters.
if exists('b:did_ftplugin')
  finish
endif
let b:did_ftplugin = 1

setlocal comments=:///,://!,://,sr:/*,mb:*,ex:*/
setlocal commentstring=//\ %s
" A new line in a comment goes on with it.
setlocal formatoptions-=t formatoptions+=croql
" The style of `kpolc fmt`.
setlocal expandtab shiftwidth=4 softtabstop=4
" `gf` on an include, `K` and `*` on a group.
setlocal suffixesadd=.kpol
setlocal include=^\\s*\\%(include\\\|within\\)\\s\\+\"
setlocal define=^\\s*\\%(group\\\|const\\\|syscall\\)\\>
setlocal iskeyword=@,48-57,_,@-@,-

let b:undo_ftplugin = 'setlocal comments< commentstring< formatoptions< expandtab< shiftwidth< softtabstop<'
  \ . ' suffixesadd< include< define< iskeyword<'
