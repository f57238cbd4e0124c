//! W030: a file that takes effect nowhere.
//!
//! ```text
//! lib.kpol      no `default`, so it is there to be included; no file around it does
//! empty.kpol    nothing at all
//! ```
//!
//! Who includes a file is seen by whoever looks at many files; see [`Options::included`](crate::driver::Options::included).

use kpol_grammar::ast;

use super::Context;
use crate::diagnostic::{Code, Diagnostic, Span};

/// Called where the file has no `default`.
pub(super) fn lint(context: &mut Context<'_>) {
    let Some(file) = context.graph.files.first() else { return };
    // A silencer stands above the first statement.
    let start = file.tree.statements.first().map_or(0, |first| first.span.start);
    let start = Span { file: file.id, bytes: ast::Span { start, end: start } };
    let diagnostic = if file.tree.statements.is_empty() {
        Diagnostic::new(Code::W030, start, "this file says nothing")
            .help("a profile begins with its default, such as `default deny(EPERM)`")
    } else if context.options.included == Some(false) {
        Diagnostic::new(Code::W030, start, "nothing includes this file, and without a `default` it cannot be built")
            .help("include it in a profile, give it a `default`, or remove it")
    } else {
        return;
    };
    context.sink.push(diagnostic);
}
