//! Answers: questions about filters, asked of their functions.

pub mod import;
