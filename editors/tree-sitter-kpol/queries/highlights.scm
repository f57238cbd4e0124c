; No two patterns take one node: which of them would win differs from editor to editor.

[(line_comment) (block_comment)] @comment
[(doc_comment) (file_comment)] @comment.documentation

["include" "within"] @keyword.import
["default" "override" "arch" "const" "group" "assert" "waive" "from" "because" "syscall" "flags" "listener" "on"] @keyword
["when" "cap" "kernel"] @keyword.conditional
["not" "in" "except"] @keyword.operator

; What the filter returns, or whether the call runs then.
[(action_name) (outcome)] @keyword.return

(string) @string
[(path) (library_path)] @string.special.path
[(number) (version)] @number

; In a condition, small letters name an argument of the call, capitals a constant of the kernel or one's own.
((identifier) @constant
  (#match? @constant "^[A-Z]"))
((identifier) @variable.parameter
  (#not-match? @variable.parameter "^[A-Z]"))

(call_name) @function
(group_name) @module
(parameter_name) @variable.parameter
(type_word) @type
(architecture) @type
(capability) @constant
(flag) @property

["==" "!=" "<" "<=" ">" ">=" "&&" "||" "!" "&" "|" "^" "~" "<<" ">>" "+" "-" "=" ".." "*"] @operator
["," ":"] @punctuation.delimiter
["{" "}" "(" ")"] @punctuation.bracket
