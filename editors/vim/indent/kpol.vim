" One level more for each bracket that is open, as `kpolc fmt` indents.
if exists('b:did_indent')
  finish
endif
let b:did_indent = 1

setlocal indentexpr=KpolIndent(v:lnum)
setlocal indentkeys=0},0),!^F,o,O
let b:undo_indent = 'setlocal indentexpr< indentkeys<'

if exists('*KpolIndent')
  finish
endif

" Brackets that a line opens, less those that it closes; not those in texts and comments.
function s:Opened(line) abort
  let line = substitute(a:line, '"\%(\\.\|[^"\\]\)*"\|//.*\|/\*.\{-}\*/', '', 'g')
  return count(line, '{') + count(line, '(') - count(line, '}') - count(line, ')')
endfunction

function KpolIndent(lnum) abort
  let above = prevnonblank(a:lnum - 1)
  if above == 0
    return 0
  endif
  let opened = s:Opened(getline(above))
  " A line that begins by closing was drawn out already.
  let led = len(substitute(matchstr(getline(above), '^\s*\zs[})]\+'), '\s', '', 'g'))
  let closes = len(matchstr(getline(a:lnum), '^\s*\zs[})]\+'))
  return max([0, indent(above) + (opened + led - closes) * shiftwidth()])
endfunction
