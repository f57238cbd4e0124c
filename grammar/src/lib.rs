//! Text of the kpol language.

pub mod ast;
mod build;
mod diagnose;
mod expr;
mod near;
pub mod parse;
mod scan;
mod syntax;
pub mod tree;
pub mod words;

pub use near::did_you_mean;
