//! Text of the kpol language: the grammar, the syntax tree, the formatter. Nothing here knows what a
//! syscall or a constant is.
//!
//! ```
//! use kpol_grammar::ast::StatementKind;
//!
//! let (file, errors) = kpol_grammar::parse("default deny  allow { read, socket(family = AF_UNIX), write }");
//!
//! // The mistake costs one element; what stands beside it stays.
//! assert_eq!(errors.len(), 1);
//! assert_eq!(errors[0].message, "expected `==`, found `=`");
//! let StatementKind::Rule { patterns, .. } = &file.statements[1].kind else { unreachable!() };
//! assert_eq!(patterns.len(), 2);
//!
//! assert_eq!(kpol_grammar::format("allow{read,write,}").as_deref(), Some("allow { read, write }\n"));
//! assert_eq!(kpol_grammar::did_you_mean("opnat", ["open", "openat"]), Some("openat"));
//! ```

pub mod ast;
mod build;
mod diagnose;
mod expr;
mod format;
pub mod lines;
mod meaning;
mod near;
pub mod parse;
mod scan;
mod slips;
mod syntax;
pub mod tree;
pub mod words;

pub use format::format;
pub use meaning::same_meaning;
pub use near::{Offer, did_you_mean, nearest};
pub use parse::{MAX_NESTING, Parsed, SyntaxError, SyntaxErrorKind, parse, parse_tree};
