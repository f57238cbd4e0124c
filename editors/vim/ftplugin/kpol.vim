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

" The whole buffer in style; what has mistakes stays, and they are shown.
function! s:Format() abort
  let text = getline(1, '$')
  let styled = systemlist('kpolc fmt --format concise - 2>' . shellescape(s:trouble), text)
  if v:shell_error
    echohl ErrorMsg
    for line in readfile(s:trouble)
      echomsg line
    endfor
    echohl None
  elseif styled !=# text
    let view = winsaveview()
    call setline(1, styled)
    call deletebufline('', len(styled) + 1, '$')
    call winrestview(view)
  endif
  call delete(s:trouble)
endfunction
let s:trouble = tempname()
command! -buffer KpolFormat call s:Format()

let b:undo_ftplugin = 'setlocal comments< commentstring< formatoptions< expandtab< shiftwidth< softtabstop<'
  \ . ' suffixesadd< include< define< iskeyword< | delcommand -buffer KpolFormat'
