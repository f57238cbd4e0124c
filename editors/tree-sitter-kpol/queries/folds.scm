[
  (patterns)
  (conditions)
  (block)
  (claims)
  (parameters)
  (set)
  (flags)
  (block_comment)
] @fold
