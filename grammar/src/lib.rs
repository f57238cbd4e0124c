//! Text of the kpol language.

pub mod ast;
pub mod parse;
