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

use std::collections::BTreeMap;

use kpol_grammar::ast::{self, CommentKind};
use kpol_grammar::did_you_mean;

use super::{Code, Diagnostic, FileId, Severity, Span};
use crate::source::graph::with_near;

/// One code of one comment.
struct Silencer {
    code: Code,
    /// Place of the code's name.
    span: Span,
    /// Where the line begins that it speaks of; `None` where there is none.
    line: Option<usize>,
}

/// Takes the warnings away that comments of `file` silence, and adds those about the comments themselves.
pub fn silence(file: FileId, text: &str, comments: &[ast::Comment], diagnostics: &mut Vec<Diagnostic>) {
    let mut silencers = Vec::new();
    let lines = lines_meant(text, comments);
    for (comment, line) in comments.iter().zip(lines).filter(|(comment, _)| comment.kind == CommentKind::Line) {
        read(file, text, comment.span, line, &mut silencers, diagnostics);
    }
    if silencers.is_empty() {
        return;
    }
    let mut used: BTreeMap<(usize, Code), bool> =
        silencers.iter().filter_map(|silencer| Some(((silencer.line?, silencer.code), false))).collect();
    let starts = line_starts(text);
    diagnostics.retain(|diagnostic| {
        let Some(primary) = &diagnostic.primary else { return true };
        if diagnostic.severity != Severity::Warning || primary.span.file != file {
            return true;
        }
        let line = starts.partition_point(|&start| start <= primary.span.bytes.start as usize).saturating_sub(1);
        match used.get_mut(&(starts[line], diagnostic.code)) {
            Some(used) => {
                *used = true;
                false
            }
            None => true,
        }
    });
    let idle = |silencer: &&Silencer| silencer.line.is_none_or(|line| !used[&(line, silencer.code)]);
    for silencer in silencers.iter().filter(idle) {
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

fn line_starts(text: &str) -> Vec<usize> {
    let behind_newlines = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(behind_newlines).collect()
}

fn read(
    file: FileId,
    text: &str,
    span: ast::Span,
    line: Option<usize>,
    silencers: &mut Vec<Silencer>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let comment = &text[span.range()];
    let Some(rest) = comment.strip_prefix("//").map(str::trim_start).and_then(|rest| rest.strip_prefix("kpol:")) else {
        return;
    };
    let Some(list) = rest.trim_start().strip_prefix("allow(").and_then(|rest| rest.split_once(')')) else { return };
    // Where the list begins in the file: pointers into one string.
    let mut offset = span.start as usize + (list.0.as_ptr() as usize - comment.as_ptr() as usize);
    for part in list.0.split(',') {
        let word = part.trim();
        let start = offset + (part.len() - part.trim_start().len());
        let place = Span { file, bytes: ast::Span::new(start, start + word.len()) };
        offset += part.len() + 1;
        match Code::from_name(word).filter(|code| code.severity() == Severity::Warning) {
            Some(code) => silencers.push(Silencer { code, span: place, line }),
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

/// For each comment where the line begins that it speaks of: its own, or, if it stands alone, the next one that holds more than
/// comments.
fn lines_meant(text: &str, comments: &[ast::Comment]) -> Vec<Option<usize>> {
    let starts = line_starts(text);
    let line = |index: usize| {
        let end = starts.get(index + 1).map_or(text.len(), |next| next - 1);
        &text[starts[index]..end.max(starts[index])]
    };
    // Of each line where the next one is that holds more than comments: from the last line upwards, so that each is looked at once.
    let mut next = vec![None; starts.len()];
    for index in (1..starts.len()).rev() {
        let words = line(index).trim();
        next[index - 1] = if words.is_empty() || words.starts_with("//") { next[index] } else { Some(starts[index]) };
    }
    comments
        .iter()
        .map(|comment| {
            let at = comment.span.start as usize;
            let index = starts.partition_point(|&start| start <= at).saturating_sub(1);
            if text[starts[index]..at].trim().is_empty() { next[index] } else { Some(starts[index]) }
        })
        .collect()
}
