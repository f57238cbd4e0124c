//! One file a request: a text, an offset, what is known of all files → plain values over byte offsets. Nothing here
//! knows a protocol.

pub mod actions;
pub mod calls;
pub mod completion;
pub mod context;
pub mod definition;
pub mod folding;
pub mod format;
pub mod hints;
pub mod hover;
pub mod lenses;
pub mod links;
pub mod moves;
pub mod names;
mod near;
mod project_file;
pub mod references;
pub mod rename;
pub mod search;
pub mod selection;
pub mod signature;
pub mod symbols;
pub mod tokens;
pub mod verdict;

pub use kpol_compiler::answer::about::groups;
