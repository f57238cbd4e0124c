//! One file a request: a text, an offset, what is known of all files → plain values over byte offsets. Nothing here
//! knows a protocol.

pub mod completion;
pub mod context;
pub mod definition;
pub mod folding;
pub mod format;
pub mod groups;
pub mod hover;
pub mod links;
pub mod names;
pub mod references;
pub mod rename;
pub mod signature;
pub mod symbols;
pub mod verdict;
