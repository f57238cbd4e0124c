[(rule) (when) (assert) (syscall)] @function.around
(rule body: (patterns) @function.inside)
(when body: (block) @function.inside)
(assert body: (claims) @function.inside)

(group) @class.around
(group body: (patterns) @class.inside)

(conditions (_) @parameter.inside)
(set (_) @entry.inside)
(patterns (_) @entry.inside)

[(line_comment) (block_comment) (doc_comment) (file_comment)] @comment.inside
[(line_comment) (doc_comment) (file_comment)]+ @comment.around
