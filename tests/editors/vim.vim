" What a user does in Vim with ALE, in one go: `vim -S vim.vim web.kpol`. What was seen is written as JSON to $KPOL_SEEN.
let s:seen = {}
let g:ale_lint_delay = 0
let g:ale_hover_to_preview = 1
let g:ale_set_quickfix = 0

function! s:Wait(what, condition) abort
  for s:turn in range(3000)
    if eval(a:condition)
      return
    endif
    sleep 20m
  endfor
  throw 'waited in vain for ' . a:what
endfunction

function! s:At(text) abort
  call cursor(1, 1)
  if search('\C\V' . a:text, 'cW') == 0
    throw 'no ' . a:text
  endif
endfunction

function! s:Group(text) abort
  call s:At(a:text)
  return synIDattr(synIDtrans(synID(line('.'), col('.'), 1)), 'name')
endfunction

function! Preview() abort
  for window in range(1, winnr('$'))
    if getwinvar(window, '&previewwindow')
      return join(getbufline(winbufnr(window), 1, '$'), "\n")
    endif
  endfor
  return ''
endfunction

function! s:Run() abort
  let s:seen.filetype = &filetype
  syntax sync fromstart
  let words = ['default', 'deny', 'EPERM', 'include', '"lib', '@default', 'socket', 'family']
  let s:seen.groups = map(words, 's:Group(v:val)')

  let g:web = bufnr('')
  call s:Wait('findings', '!empty(ale#engine#GetLoclist(g:web))')
  let s:seen.diagnostics = copy(ale#engine#GetLoclist(g:web))

  call s:At('socket')
  ALEHover
  call s:Wait('the hover', '!empty(Preview())')
  let s:seen.hover = Preview()
  pclose

  " Typed, not saved: the server sees it.
  call s:At('family')
  set completeopt=menuone
  setlocal omnifunc=ale#completion#OmniFunc
  autocmd CompleteChanged * let s:seen.completion = map(complete_info(['items']).items, 'v:val.word')
  call feedkeys("cwfam\<C-x>\<C-o>", 'x')
  undo

  compiler kpolc
  silent make!
  let s:seen.quickfix = getqflist()

  " A menu and a prompt, answered as they come.
  call s:At('lisen')
  ALECodeAction
  call feedkeys("1\<CR>", 't')
  call s:Wait('the fix', 'search("\\<listen\\>", "nw") != 0')
  let s:seen.fixed = getline(1, '$')

  " ALE writes the files that it changes in, so this one must be written.
  update
  call s:At('@worker')
  call feedkeys(":ALERename\<CR>\<C-u>@helper\<CR>", 'xt')
  call s:Wait('the new name', 'readfile("web.kpol")[3] =~# "@helper" && readfile("lib.kpol")[1] =~# "@helper"')
  let s:seen.renamed = getline(1, '$')
  let s:seen.back = expand('%:t')

  KpolFormat
  let s:seen.formatted = getline(1, '$')
  let before = getline(1, '$')
  call setline(1, 'default {')
  let s:seen.refused = execute('KpolFormat')
  call setline(1, before)
  if getline(1, '$') !=# before
    throw 'a text with mistakes was changed'
  endif

  " Brought into style when it is written, as the page says.
  autocmd BufWritePre *.kpol KpolFormat
  call setline(1, 'default   deny(EPERM)')
  update
  let s:seen.written = readfile('web.kpol')[0]

  call s:At('@helper')
  ALEFindReferences
  call s:Wait('the uses', '!empty(Preview())')
  let s:seen.uses = Preview()
  pclose

  call s:At('@helper')
  ALEGoToDefinition
  call s:Wait('the definition', 'expand("%:t") ==# "lib.kpol"')
  let s:seen.definition = getline('.')

  edit web.kpol
  call s:At('lib.kpol')
  normal! gf
  let s:seen.included = expand('%:t')

  let s:last = line('$')
  execute "normal! Goallow {\<CR>read,\<CR>write(\<CR>fd == 1,\<CR>),\<CR>}"
  let s:seen.indent = getline(s:last + 1, '$')
endfunction

try
  call s:Run()
catch
  let s:seen.trouble = v:exception . ' at ' . v:throwpoint
endtry
call writefile([json_encode(s:seen)], $KPOL_SEEN)
qall!
