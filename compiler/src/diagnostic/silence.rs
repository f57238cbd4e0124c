//! Silencing comments.
//!
//! ```text
//! open,                     // kpol: allow(W010) this image is x86_64 only
//!
//! // kpol: allow(W004, W003) read from Docker's profile, which compares the register
//! personality(reg0 == 8)
//! ```
//!
//! One stands on the line that it is about, or alone on a line above it. One that silences nothing is itself a
//! warning, so that none outlives its reason.

use kpol_grammar::ast::{self, CommentKind};
use kpol_grammar::did_you_mean;

use super::{Code, Diagnostic, FileId, Severity, Span};
use crate::source::graph::with_near;

/// One code of one comment.
struct Silencer {
    code: Code,
    /// Place of the code's name.
    span: Span,
    /// Bytes of the line that it speaks of.
    line: std::ops::Range<usize>,
    used: bool,
}

/// Takes the warnings away that comments of `file` silence, and adds those about the comments themselves.
pub fn silence(file: FileId, text: &str, comments: &[ast::Comment], diagnostics: &mut Vec<Diagnostic>) {
    let mut silencers = Vec::new();
    for comment in comments.iter().filter(|comment| comment.kind == CommentKind::Line) {
        read(file, text, comment.span, &mut silencers, diagnostics);
    }
    if silencers.is_empty() {
        return;
    }
    diagnostics.retain(|diagnostic| {
        let Some(primary) = &diagnostic.primary else { return true };
        if diagnostic.severity != Severity::Warning || primary.span.file != file {
            return true;
        }
        let start = primary.span.bytes.start as usize;
        let mut keep = true;
        for silencer in &mut silencers {
            if silencer.code == diagnostic.code && silencer.line.contains(&start) {
                silencer.used = true;
                keep = false;
            }
        }
        keep
    });
    for silencer in silencers.iter().filter(|silencer| !silencer.used) {
        diagnostics.push(
            Diagnostic::new(
                Code::W002,
                silencer.span,
                format!("there is no {} here to silence", silencer.code.as_str()),
            )
            .help("remove it"),
        );
    }
}

fn read(file: FileId, text: &str, span: ast::Span, silencers: &mut Vec<Silencer>, diagnostics: &mut Vec<Diagnostic>) {
    let comment = &text[span.range()];
    let Some(rest) = comment.strip_prefix("//").map(str::trim_start).and_then(|rest| rest.strip_prefix("kpol:")) else {
        return;
    };
    let Some(list) = rest.trim_start().strip_prefix("allow(").and_then(|rest| rest.split_once(')')) else { return };
    let line = line_meant(text, span);
    // Where the list begins in the file: pointers into one string.
    let mut offset = span.start as usize + (list.0.as_ptr() as usize - comment.as_ptr() as usize);
    for part in list.0.split(',') {
        let word = part.trim();
        let start = offset + (part.len() - part.trim_start().len());
        let place = Span { file, bytes: ast::Span::new(start, start + word.len()) };
        offset += part.len() + 1;
        match Code::from_name(word).filter(|code| code.severity() == Severity::Warning) {
            Some(code) => silencers.push(Silencer { code, span: place, line: line.clone(), used: false }),
            None => {
                let warnings =
                    Code::ALL.iter().filter(|code| code.severity() == Severity::Warning).map(|code| code.as_str());
                let is_error = Code::from_name(word).is_some();
                let near = if is_error { None } else { did_you_mean(word, warnings) };
                let (what, otherwise) = if is_error {
                    (format!("`{word}` is an error, which nothing silences"), "mend it")
                } else {
                    (format!("no warning `{word}`"), "`kpolc explain` lists them")
                };
                let diagnostic = Diagnostic::new(Code::W018, place, what);
                diagnostics.push(with_near(diagnostic, place, near, str::to_owned, otherwise));
            }
        }
    }
}

/// The line of the comment, or, if it stands alone, the next one that holds more than comments.
fn line_meant(text: &str, span: ast::Span) -> std::ops::Range<usize> {
    let start = span.start as usize;
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = |from: usize| text[from..].find('\n').map_or(text.len(), |at| from + at);
    if !text[line_start..start].trim().is_empty() {
        return line_start..line_end(start);
    }
    let mut next = line_end(start);
    while next < text.len() {
        let begin = next + 1;
        let end = line_end(begin.min(text.len()));
        let line = text[begin.min(end)..end].trim();
        if !line.is_empty() && !line.starts_with("//") {
            return begin..end;
        }
        next = end;
    }
    next..next
}
