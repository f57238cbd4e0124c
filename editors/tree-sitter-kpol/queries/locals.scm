; A file is one scope: order has no meaning, and nothing is hidden inside braces.
(source_file) @local.scope

(group name: (group_name) @local.definition)
(const name: (identifier) @local.definition)
(syscall name: (call_name) @local.definition)

(patterns (group_name) @local.reference)
(except (group_name) @local.reference)
(call name: (call_name) @local.reference)
((identifier) @local.reference
  (#match? @local.reference "^[A-Z]"))
