//! Findings, drawn under the line that they are about.
//!
//! ```text
//! allow { socket(famly == AF_UNIX) }
//!                ^^^^^ E031 `socket` has no parameter `famly`
//!   help: did you mean `family`?
//!   fix: replace `famly` by `family`
//! ```
//!
//! Everything that a user is told is drawn: the place, the words at it, the other places, notes, help and the title of the
//! fix. Lines of other files carry their name; a place in a file of kpolc's own is only named, since its text is not
//! the case's to hold down.

use std::fmt::Write as _;

use kpol_compiler::diagnostic::{Diagnostic, Label, Span};
use kpol_compiler::source::Sources;

/// All findings; `clean` if there are none.
pub fn draw(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    if diagnostics.is_empty() {
        return "clean\n".to_owned();
    }
    let mut out = String::new();
    let mut before = None;
    for diagnostic in diagnostics {
        let what = format!("{} {}", diagnostic.code.as_str(), diagnostic.message);
        match &diagnostic.primary {
            Some(label) => {
                // Findings on one line share it, if nothing is drawn between them that would hide which one it is.
                let line = line_of(sources, label.span);
                let repeat = before != Some(line) || !diagnostic.related.is_empty();
                let text = if label.text.is_empty() { what } else { format!("{what}\n{}", label.text) };
                mark(&mut out, sources, &Label { span: label.span, text }, "", repeat);
                before = diagnostic.related.is_empty().then_some(line);
            }
            None => {
                writeln!(out, "{what}").unwrap();
                before = None;
            }
        }
        for label in &diagnostic.related {
            mark(&mut out, sources, label, "  ", true);
        }
        for note in &diagnostic.notes {
            writeln!(out, "  note: {note}").unwrap();
        }
        if let Some(help) = &diagnostic.help {
            writeln!(out, "  help: {help}").unwrap();
        }
        if let Some(fix) = &diagnostic.fix {
            writeln!(out, "  fix: {}", fix.title).unwrap();
        }
    }
    out
}

fn line_of(sources: &Sources, span: Span) -> (Span, usize) {
    let text = &sources.get(span.file).text;
    let start = text[..span.bytes.start as usize].rfind('\n').map_or(0, |newline| newline + 1);
    (Span { bytes: Default::default(), ..span }, start)
}

/// The line of a place with carets under it; every line of the words begins behind them.
fn mark(out: &mut String, sources: &Sources, label: &Label, indent: &str, repeat: bool) {
    let file = sources.get(label.span.file);
    if file.name.starts_with('<') {
        writeln!(out, "{indent}{}: {}", file.name, label.text).unwrap();
        return;
    }
    let (_, start) = line_of(sources, label.span);
    let line = file.text[start..].lines().next().unwrap_or("");
    if repeat {
        let own = sources.iter().filter(|(_, file)| !file.name.starts_with('<')).count();
        if own > 1 {
            let number = file.text[..start].matches('\n').count() + 1;
            writeln!(out, "{indent}{}:{number}", file.name).unwrap();
        }
        writeln!(out, "{indent}{line}").unwrap();
    }
    let range = label.span.bytes.range();
    let column = file.text[start..range.start].chars().count();
    let width = file.text[range].lines().next().unwrap_or("").chars().count().max(1);
    for (index, words) in label.text.split('\n').enumerate() {
        let marks = if index == 0 { "^".repeat(width) } else { " ".repeat(width) };
        let drawn = format!("{indent}{}{marks} {words}", " ".repeat(column));
        writeln!(out, "{}", drawn.trim_end()).unwrap();
    }
}
