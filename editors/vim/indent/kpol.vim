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

" A line without texts, comments and blanks around it.
function s:Code(lnum) abort
  return trim(substitute(getline(a:lnum), '"\%(\\.\|[^"\\]\)*"\|//.*\|/\*.\{-}\*/', '', 'g'))
endfunction

" Brackets that a line opens, less those that it closes.
function s:Opened(code) abort
  return count(a:code, '{') + count(a:code, '(') - count(a:code, '}') - count(a:code, ')')
endfunction

" Whether a line goes on with the expression above: it begins with an operator, behind an operand.
function s:Continues(lnum) abort
  let above = prevnonblank(a:lnum - 1)
  return above > 0 && s:Code(a:lnum) =~# '^\%([|&^+<>=-]\|!=\|in\>\|not\s\+in\>\)' && s:Code(above) =~# '[^,{(]$'
endfunction

function KpolIndent(lnum) abort
  let above = prevnonblank(a:lnum - 1)
  if above == 0
    return 0
  endif
  let code = s:Code(above)
  " A line that begins by closing was drawn out already.
  let led = len(matchstr(code, '^[})]\+'))
  let closes = len(matchstr(s:Code(a:lnum), '^[})]\+'))
  let levels = s:Opened(code) + led - closes + s:Continues(a:lnum) - s:Continues(above)
  return max([0, indent(above) + levels * shiftwidth()])
endfunction
