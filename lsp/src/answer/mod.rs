//! One file a request: a text, an offset, what is known of all files → plain values over byte offsets. Nothing here
//! knows a protocol.

pub mod folding;
pub mod format;
pub mod symbols;
