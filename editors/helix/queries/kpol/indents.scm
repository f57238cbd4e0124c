[
  (patterns)
  (conditions)
  (block)
  (claims)
  (parameters)
  (parenthesized)
  (set)
  (flags)
] @indent

["}" ")"] @outdent
