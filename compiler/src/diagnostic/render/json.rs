//! One JSON object, for programs.
//!
//! ```text
//! {
//!   "version": 1,
//!   "diagnostics": [
//!     { "code": "E031", "title": "unknown parameter", "severity": "error",
//!       "message": "`socket` has no parameter `famly`",
//!       "place": { "file": "web.kpol", "start": { "offset": 28, "line": 2, "column": 15 }, "end": {…}, "label": "…" },
//!       "related": [ … places … ], "notes": [ … ], "help": "did you mean `family`?",
//!       "fix": { "title": "…", "safe": false, "edits": [ { "file": …, "start": …, "end": …, "text": "family" } ] } }
//!   ],
//!   "summary": { "errors": 1, "warnings": 0, "files": 1 }
//! }
//! ```
//!
//! Offsets are bytes of UTF-8 from 0. Lines and columns count from 1, columns in bytes of UTF-8; `end` is behind the
//! last byte. `place` is null where no file is at fault; `help` and `fix` are null where there is none.
//! Fields may be added under the same `version`; none is taken away or changes its meaning.

use serde::Serialize;

use super::place::{Places, Unit};
use super::{Counts, severity_word};
use crate::diagnostic::{Diagnostic, Label, Safety, Span};
use crate::source::Sources;

#[derive(Serialize)]
struct Report<'a> {
    version: u32,
    diagnostics: Vec<Finding<'a>>,
    summary: Summary,
}

#[derive(Serialize)]
struct Summary {
    errors: usize,
    warnings: usize,
    files: usize,
}

#[derive(Serialize)]
struct Finding<'a> {
    code: &'static str,
    title: &'static str,
    severity: &'static str,
    message: &'a str,
    place: Option<Place<'a>>,
    related: Vec<Place<'a>>,
    notes: &'a [String],
    help: Option<&'a str>,
    fix: Option<Fix<'a>>,
}

#[derive(Serialize)]
struct Place<'a> {
    #[serde(flatten)]
    range: Range<'a>,
    label: &'a str,
}

#[derive(Serialize)]
struct Range<'a> {
    file: &'a str,
    start: Point,
    end: Point,
}

#[derive(Serialize)]
struct Point {
    offset: usize,
    line: usize,
    column: usize,
}

#[derive(Serialize)]
struct Fix<'a> {
    title: &'a str,
    safe: bool,
    edits: Vec<Edit<'a>>,
}

#[derive(Serialize)]
struct Edit<'a> {
    #[serde(flatten)]
    range: Range<'a>,
    text: &'a str,
}

/// All findings as one object, indented, with a newline behind it.
pub fn render(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let places = Places::new(sources);
    let counts = Counts::of(diagnostics);
    let report = Report {
        version: 1,
        diagnostics: diagnostics.iter().map(|diagnostic| finding(diagnostic, &places)).collect(),
        summary: Summary { errors: counts.errors, warnings: counts.warnings, files: counts.files },
    };
    // Only maps with keys that are not strings, or a failing writer, could make this an error.
    serde_json::to_string_pretty(&report).unwrap_or_default() + "\n"
}

fn finding<'a>(diagnostic: &'a Diagnostic, places: &Places<'a>) -> Finding<'a> {
    let place = |label: &'a Label| Place { range: range(label.span, places), label: &label.text };
    Finding {
        code: diagnostic.code.as_str(),
        title: diagnostic.code.title(),
        severity: severity_word(diagnostic.severity),
        message: &diagnostic.message,
        place: diagnostic.primary.as_ref().map(place),
        related: diagnostic.related.iter().map(place).collect(),
        notes: &diagnostic.notes,
        help: diagnostic.help.as_deref(),
        fix: diagnostic.fix.as_ref().map(|fix| Fix {
            title: &fix.title,
            safe: fix.safety == Safety::Safe,
            edits: fix.edits.iter().map(|edit| Edit { range: range(edit.span, places), text: &edit.text }).collect(),
        }),
    }
}

fn range<'a>(span: Span, places: &Places<'a>) -> Range<'a> {
    let bytes = places.bytes(span);
    let (start, end) = places.ends(span, Unit::Utf8);
    Range {
        file: &places.file(span.file).name,
        start: Point { offset: bytes.start, line: start.line, column: start.column },
        end: Point { offset: bytes.end, line: end.line, column: end.column },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::{Value, json};

    use super::super::testing::Case;
    use super::*;
    use crate::diagnostic::Code;

    fn value(diagnostics: &[Diagnostic], sources: &Sources) -> Value {
        serde_json::from_str(&render(diagnostics, sources)).unwrap()
    }

    #[test]
    fn a_finding_has_everything() {
        let case = Case::new(&[("web.kpol", "default allow // ä\ndeny { socket(famly == 1) }\n")]);
        let famly = case.find(0, "famly");
        let finding = case
            .at(0, "famly", Code::E031, "`socket` has no parameter `famly`")
            .label("not a parameter")
            .related(case.find(0, "socket"), "of this call")
            .note("a \x1b fact")
            .help("did you mean `family`?")
            .fix("replace `famly` by `family`", famly, "family");
        let place = |offset: usize, column: usize, len: usize| {
            (
                json!({ "offset": offset, "line": 2, "column": column }),
                json!({ "offset": offset + len, "line": 2, "column": column + len }),
            )
        };
        let ((start, end), (call, behind)) = (place(34, 15, 5), place(27, 8, 6));
        assert_eq!(
            value(&[finding], &case.sources),
            json!({
                "version": 1,
                "diagnostics": [{
                    "code": "E031", "title": "unknown parameter", "severity": "error",
                    "message": "`socket` has no parameter `famly`",
                    "place": { "file": "web.kpol", "start": start, "end": end, "label": "not a parameter" },
                    "related": [{ "file": "web.kpol", "start": call, "end": behind, "label": "of this call" }],
                    "notes": ["a \u{1b} fact"],
                    "help": "did you mean `family`?",
                    "fix": {
                        "title": "replace `famly` by `family`",
                        "safe": false,
                        "edits": [{ "file": "web.kpol", "start": start, "end": end, "text": "family" }],
                    },
                }],
                "summary": { "errors": 1, "warnings": 0, "files": 1 },
            })
        );
    }

    #[test]
    fn nothing_found_is_a_report_too() {
        let case = Case::new(&[]);
        assert_eq!(
            value(&[], &case.sources),
            json!({ "version": 1, "diagnostics": [], "summary": { "errors": 0, "warnings": 0, "files": 0 } })
        );
        let nowhere = value(&[Diagnostic::without_place(Code::E070, "m")], &case.sources);
        assert_eq!(nowhere["diagnostics"][0]["place"], Value::Null);
    }

    #[test]
    fn no_raw_control_character_is_in_the_text() {
        let case = Case::new(&[("a\x1b[2J.kpol", "x")]);
        let text = render(&[case.at(0, "x", Code::E001, "m\x07")], &case.sources);
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    }
}
