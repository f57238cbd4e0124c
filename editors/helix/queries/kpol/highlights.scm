; The same as those of tree-sitter-kpol, by the names that Helix's themes have.

(line_comment) @comment.line
(block_comment) @comment.block
[(doc_comment) (file_comment)] @comment.line.documentation

["include" "within"] @keyword.control.import
["default" "override" "arch" "const" "group" "assert" "waive" "from" "because" "syscall" "flags" "listener" "on"] @keyword
["when" "cap" "kernel"] @keyword.control.conditional
["not" "in" "except"] @keyword.operator

; What the filter returns, or whether the call runs then.
[(action_name) (outcome)] @keyword.control.return

(string) @string
[(path) (library_path)] @string.special.path
[(number) (version)] @constant.numeric

; In a condition, small letters name an argument of the call, capitals a constant of the kernel or one's own.
((identifier) @constant
  (#match? @constant "^[A-Z]"))
((identifier) @variable.parameter
  (#not-match? @variable.parameter "^[A-Z]"))

(call_name) @function
(group_name) @namespace
(parameter_name) @variable.parameter
(type_word) @type
(architecture) @type
(capability) @constant
(flag) @variable.other.member

["==" "!=" "<" "<=" ">" ">=" "&&" "||" "!" "&" "|" "^" "~" "<<" ">>" "+" "-" "=" ".." "*"] @operator
["," ":"] @punctuation.delimiter
["{" "}" "(" ")"] @punctuation.bracket
