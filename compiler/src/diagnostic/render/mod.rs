//! Diagnostics as text: one value, six readers.
//!
//! ```text
//! terminal   a person           × error[E031]: `socket` has no parameter `famly`   and the line, underlined
//! concise    grep, an editor    web.kpol:2:15: error[E031]: `socket` has no parameter `famly`
//! github     a pull request     ::error file=web.kpol,line=2,col=15,…::`socket` has no parameter `famly`
//! gitlab     a merge request   [{"check_name":"E031","fingerprint":"9c1f…","location":{"path":"web.kpol",…},…}]
//! json       a program          {"code":"E031","severity":"error",…}
//! sarif      a code scanner     SARIF 2.1.0
//! ```
//!
//! All are pure: text in, text out. Whoever calls says how wide the terminal is and whether it has colours.
//!
//! INVARIANT: what a file or a file's name contains never reaches a terminal or a log raw; control
//! characters are shown by their number (`clean`). JSON and SARIF carry them escaped, as JSON does.

mod clean;
pub mod concise;
mod excerpt;
mod few;
pub mod github;
pub mod gitlab;
pub mod json;
mod place;
pub mod sarif;
pub mod terminal;
#[cfg(test)]
mod testing;

use std::collections::BTreeSet;

pub use clean::{line as clean_line, word as clean_word};

use super::{Diagnostic, Severity};

/// The word for a severity in every output.
fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// How many findings there are of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Findings that fail a check.
    pub errors: usize,
    /// Findings that do not.
    pub warnings: usize,
    /// Files with at least one finding; a finding without a place counts for none.
    pub files: usize,
}

impl Counts {
    /// Counts the findings of one run.
    pub fn of(diagnostics: &[Diagnostic]) -> Self {
        let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
        let files: BTreeSet<_> =
            diagnostics.iter().filter_map(|diagnostic| Some(diagnostic.primary.as_ref()?.span.file)).collect();
        Self { errors, warnings: diagnostics.len() - errors, files: files.len() }
    }

    /// The counts of two runs over different files.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            errors: self.errors + other.errors,
            warnings: self.warnings + other.warnings,
            files: self.files + other.files,
        }
    }

    /// `2 errors and 1 warning in 3 files`; nothing where there is nothing to say.
    pub fn line(self) -> Option<String> {
        let many = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        let findings = match (self.errors, self.warnings) {
            (0, 0) => return None,
            (errors, 0) => many(errors, "error"),
            (0, warnings) => many(warnings, "warning"),
            (errors, warnings) => format!("{} and {}", many(errors, "error"), many(warnings, "warning")),
        };
        Some(if self.files > 1 { format!("{findings} in {}", many(self.files, "file")) } else { findings })
    }
}

/// The last line of a run: `2 errors and 1 warning in 3 files`, or nothing.
pub fn summary(diagnostics: &[Diagnostic]) -> Option<String> {
    Counts::of(diagnostics).line()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::testing::{Case, span};
    use super::*;
    use crate::diagnostic::Code;

    #[test]
    fn the_summary_counts_in_plain_english() {
        let mut case = Case::new(&[("a.kpol", "ab"), ("b.kpol", "ab")]);
        assert_eq!(summary(&case.diagnostics), None);
        let error = case.at(0, "a", Code::E031, "x");
        let warning = case.at(1, "a", Code::W012, "x");
        assert_eq!(summary(std::slice::from_ref(&error)).as_deref(), Some("1 error"));
        assert_eq!(summary(&[warning.clone(), warning.clone()]).as_deref(), Some("2 warnings"));
        assert_eq!(
            summary(&[error.clone(), error.clone(), warning.clone()]).as_deref(),
            Some("2 errors and 1 warning in 2 files")
        );
        let placeless = Diagnostic::without_place(Code::E070, "x");
        assert_eq!(summary(&[placeless]).as_deref(), Some("1 error"));
        case.diagnostics = vec![error];
        let twice = Counts::of(&case.diagnostics).plus(Counts::of(&[warning]));
        assert_eq!(twice, Counts { errors: 1, warnings: 1, files: 2 });
    }

    /// Text with everything in it that has ever confused a renderer.
    fn text() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "a",
            " ",
            "\t",
            "\n",
            "\r\n",
            "\r",
            "\x1b[31m",
            "\0",
            "ä",
            "日本",
            "\u{202e}",
            "\u{301}",
            "\u{feff}",
            "👩‍👩‍👧",
            "a long run of words that is cut in narrow terminals, once it has come this far and then a bit further ",
        ]);
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        /// Whatever the text, and however wrong the places: no panic, nothing raw, and each finding is told.
        #[test]
        fn every_renderer_copes_with_every_place(
            a in text(), b in text(), name in text(), message in text(),
            places in prop::collection::vec((0u32..2, 0u32..300, 0u32..300), 1..6),
            width in 0usize..120, color: bool, unicode: bool,
        ) {
            let case = Case::new(&[(&format!("a{name}"), &a), ("b", &b)]);
            let place = |&(file, start, end): &(u32, u32, u32)| span(file, start, end);
            let mut finding = Diagnostic::new(Code::E040, place(&places[0]), &message).label(&message);
            for at in &places[1..] {
                finding = finding.related(place(at), &message);
            }
            let at = place(&places[0]);
            finding = finding.fix(&message, at, &name).help(&message).note(&message);
            let findings = [finding.clone(), finding];

            let style = terminal::Style { color, unicode, width };
            let drawn = terminal::render(&findings, &case.sources, style);
            prop_assert_eq!(drawn.matches("error[E040]").count(), 2, "{}", drawn);
            prop_assert!(!drawn.contains("Failed to read"), "{}", drawn);
            prop_assert!(color || drawn.chars().all(|c| c == '\n' || !clean::is_hidden(c)), "{:?}", drawn);
            for out in [concise::render(&findings, &case.sources), github::render(&findings, &case.sources)] {
                prop_assert_eq!(out.lines().count(), 2, "{}", out);
                prop_assert!(out.chars().all(|c| c == '\n' || !clean::is_hidden(c)), "{:?}", out);
            }
            for out in [json::render(&findings, &case.sources), sarif::render(&findings, &case.sources), gitlab::render(&findings, &case.sources)] {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok());
            }
        }
    }
}
