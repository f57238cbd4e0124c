((doc_comment)* @doc
  .
  (group name: (group_name) @name) @definition.module
  (#strip! @doc "^///\\s*")
  (#select-adjacent! @doc @definition.module))

((doc_comment)* @doc
  .
  (const name: (identifier) @name) @definition.constant
  (#strip! @doc "^///\\s*")
  (#select-adjacent! @doc @definition.constant))

((doc_comment)* @doc
  .
  (syscall name: (call_name) @name) @definition.function
  (#strip! @doc "^///\\s*")
  (#select-adjacent! @doc @definition.function))

(patterns (group_name) @name) @reference.module
(except (group_name) @name) @reference.module
(call name: (call_name) @name) @reference.call
