//! The tree-sitter grammar of kpol.
//!
//! ```
//! let mut parser = tree_sitter::Parser::new();
//! parser.set_language(&tree_sitter_kpol::LANGUAGE.into()).unwrap();
//! let tree = parser.parse("default deny  allow { read, write(fd == 1) }", None).unwrap();
//! assert!(!tree.root_node().has_error());
//! ```

use tree_sitter_language::LanguageFn;

unsafe extern "C" {
    fn tree_sitter_kpol() -> *const ();
}

/// The language, for `tree_sitter::Parser::set_language`.
// SAFETY: the function is that of the generated `src/parser.c`, which gives a `TSLanguage`.
pub const LANGUAGE: LanguageFn = unsafe { LanguageFn::from_raw(tree_sitter_kpol) };

/// Colours.
pub const HIGHLIGHTS_QUERY: &str = include_str!("../../queries/highlights.scm");
/// What can be folded.
pub const FOLDS_QUERY: &str = include_str!("../../queries/folds.scm");
/// How lines are indented.
pub const INDENTS_QUERY: &str = include_str!("../../queries/indents.scm");
/// Where groups, constants and syscalls are defined and used.
pub const LOCALS_QUERY: &str = include_str!("../../queries/locals.scm");
/// The same for an index over files.
pub const TAGS_QUERY: &str = include_str!("../../queries/tags.scm");
