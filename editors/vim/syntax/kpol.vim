" kpol, a policy language for Linux syscall filters.
if exists('b:current_syntax')
  finish
endif

" Words are reserved nowhere: `allow { kill }` names a call. So a word is coloured by what stands before it.
syntax case match
syntax iskeyword @,48-57,_

syntax match   kpolComment       "//.*$" contains=kpolTodo,@Spell
syntax match   kpolDocComment    "//[/!].*$" contains=kpolTodo,@Spell
syntax match   kpolComment       "////.*$" contains=kpolTodo,@Spell
syntax match   kpolSilencer      "//\s*kpol:\s*allow(.*$"
syntax region  kpolComment       start="/\*" end="\*/" contains=kpolTodo,@Spell
syntax keyword kpolTodo          contained TODO FIXME XXX
syntax cluster kpolComments      contains=kpolComment,kpolDocComment,kpolSilencer

syntax match   kpolString        "\"\%(\\.\|[^\"\\]\)*\""
syntax match   kpolNumber        "\<\d\w*\>"
syntax match   kpolNumber        "\<\d\+\.\d[0-9.]*\>"
syntax match   kpolConstant      "\<[A-Z][A-Z0-9_]*\>"
syntax match   kpolOperator      "==\|!=\|<=\|>=\|<<\|>>\|&&\|||\|\.\.\|[-<>&|^~!+=*]"
syntax match   kpolGroup         "@[A-Za-z][-A-Za-z0-9_]*"
syntax cluster kpolValues        contains=kpolNumber,kpolConstant,kpolOperator

" Statements.
syntax keyword kpolStatement     override arch const assert listener on
syntax keyword kpolConditional   when cap kernel
syntax keyword kpolWordOperator  not in
syntax keyword kpolStatement     waive because
syntax keyword kpolInclude       from nextgroup=kpolPath skipwhite
syntax keyword kpolInclude       include within nextgroup=kpolPath skipwhite
syntax match   kpolPath          contained "<[^<>{}()\"]*>"
syntax keyword kpolStatement     default nextgroup=kpolActionWord skipwhite skipempty
syntax match   kpolActionWord    contained "\<\%(allow\|log\|deny\|kill\|kill_thread\|trap\|trace\|notify\)\>"
syntax keyword kpolStatement     flags nextgroup=kpolFlags skipwhite skipempty
syntax region  kpolFlags         contained matchgroup=kpolBrace start="{" end="}" contains=@kpolComments
syntax keyword kpolStatement     syscall nextgroup=kpolNewCall skipwhite
syntax match   kpolNewCall       contained "\<\h\w*\>" nextgroup=kpolParameters skipwhite
syntax region  kpolParameters    contained matchgroup=kpolBrace start="(" end=")"
  \ contains=kpolParameter,kpolType,kpolOperator,@kpolComments
syntax match   kpolParameter     contained "\<[a-z_]\w*\>"
syntax match   kpolType          contained "\<\h\w*\>\%(\s*:\)\@!"
syntax keyword kpolArch          x86_64 x86 x32 aarch64 arm riscv64 loongarch64 m68k parisc parisc64 ppc ppc64 ppc64le
syntax keyword kpolArch          s390 s390x sh mips mips64 mips64n32 mipsel mipsel64 mipsel64n32

" Lists of calls: behind an action and its argument, behind a group's name, behind `except`.
syntax match   kpolRule
  \ "\<\%(allow\|log\|deny\|kill\|kill_thread\|trap\|trace\|notify\)\>\s*\%(([^(){}]*)\s*\)\?\ze{"
  \ contains=kpolAction,kpolConstant,kpolNumber,kpolComment nextgroup=kpolCalls
syntax keyword kpolAction        contained allow log deny kill kill_thread trap trace notify refused runs
syntax match   kpolRule          "\<\%(refused\|runs\)\>\s*\ze{" contains=kpolAction nextgroup=kpolCalls
syntax keyword kpolStatement     group nextgroup=kpolNewGroup skipwhite
syntax match   kpolNewGroup      contained "@[A-Za-z][-A-Za-z0-9_]*" nextgroup=kpolCalls skipwhite skipempty
syntax region  kpolCalls         contained matchgroup=kpolBrace start="{" end="}"
  \ contains=kpolCall,kpolGroup,kpolExcept,kpolConditions,@kpolComments
syntax match   kpolCall          contained "\<\h\w*\>" nextgroup=kpolConditions skipwhite
syntax match   kpolExcept        contained "\<except\>\%(\_s*{\)\@=" nextgroup=kpolCalls skipwhite skipempty

" Conditions.
syntax region  kpolConditions    contained matchgroup=kpolBrace start="(" end=")"
  \ contains=kpolParameter,kpolWordOperator,kpolRound,kpolSet,@kpolValues,@kpolComments
syntax region  kpolRound         contained transparent start="(" end=")"
syntax region  kpolSet           contained transparent start="{" end="}"

syntax sync minlines=200

highlight default link kpolComment      Comment
highlight default link kpolDocComment   SpecialComment
highlight default link kpolSilencer     PreProc
highlight default link kpolTodo         Todo
highlight default link kpolString       String
highlight default link kpolNumber       Number
highlight default link kpolConstant     Constant
highlight default link kpolOperator     Operator
highlight default link kpolGroup        Identifier
highlight default link kpolNewGroup     Identifier
highlight default link kpolStatement    Statement
highlight default link kpolConditional  Conditional
highlight default link kpolWordOperator Operator
highlight default link kpolInclude      Include
highlight default link kpolPath         String
highlight default link kpolActionWord   Macro
highlight default link kpolAction       Macro
highlight default link kpolNewCall      Function
highlight default link kpolCall         Function
highlight default link kpolParameter    Special
highlight default link kpolType         Type
highlight default link kpolArch         Type
highlight default link kpolExcept       Operator
highlight default link kpolBrace        Delimiter

let b:current_syntax = 'kpol'
