//! Files and findings for the tests of the renderers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use kpol_grammar::ast;

use crate::diagnostic::{Code, Diagnostic, FileId, Span};
use crate::source::{SourceFile, Sources};

pub(super) struct Case {
    pub(super) sources: Sources,
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl Case {
    pub(super) fn new(files: &[(&str, &str)]) -> Self {
        let mut sources = Sources::default();
        for (name, text) in files {
            sources.add(SourceFile { name: (*name).into(), path: (*name).into(), text: (*text).into() });
        }
        Self { sources, diagnostics: Vec::new() }
    }

    /// The first place of `needle` in a file.
    pub(super) fn find(&self, file: u32, needle: &str) -> Span {
        let start = self.sources.get(FileId(file)).text.find(needle).expect("the text has it");
        Span { file: FileId(file), bytes: ast::Span::new(start, start + needle.len()) }
    }

    pub(super) fn at(&self, file: u32, needle: &str, code: Code, message: &str) -> Diagnostic {
        Diagnostic::new(code, self.find(file, needle), message)
    }
}

pub(super) fn span(file: u32, start: u32, end: u32) -> Span {
    Span { file: FileId(file), bytes: ast::Span { start, end } }
}
