//! The grammar of `kpol.pest` as pest compiles it. Only [`Rule`] is seen from outside.
#![allow(missing_docs, reason = "the rules are described in kpol.pest and named in words.rs")]

/// The generated parser.
#[derive(pest_derive::Parser)]
#[grammar = "kpol.pest"]
pub struct KpolParser;
