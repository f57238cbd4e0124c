[
  (patterns)
  (conditions)
  (block)
  (claims)
  (parameters)
  (parenthesized)
  (set)
  (flags)
] @indent.begin

["}" ")"] @indent.branch @indent.end

[(line_comment) (doc_comment) (file_comment) (block_comment) (string)] @indent.ignore
