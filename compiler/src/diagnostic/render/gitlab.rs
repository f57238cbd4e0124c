//! A Code Quality report of GitLab: findings in the widget and in the changes of a merge request.
//!
//! ```text
//! [ { "description": "`socket` has no parameter `famly`; did you mean `family`?", "check_name": "E031", "fingerprint": "9c1f…",
//!     "severity": "major", "location": { "path": "web.kpol", "lines": { "begin": 2, "end": 2 } } } ]
//! ```
//!
//! GitLab (its documentation of the report format) wants exactly one array, paths relative to the repository and without `./`, and
//! a fingerprint by which it tells new findings from old ones. It is made of code, file, message and which of several alike this
//! is, and not of the line: what only moved is not new.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::clean;
use super::place::{Places, Unit};
use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::source::Sources;

/// The path of a finding that is in no file: the report has no place for those.
const NOWHERE: &str = ".";

/// All findings as one array, indented, with a newline behind it.
pub fn render(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let places = Places::new(sources);
    let mut alike = HashMap::new();
    let report: Vec<Value> = diagnostics.iter().map(|finding| issue(finding, &places, &mut alike)).collect();
    // Only a failing writer could make this an error.
    serde_json::to_string_pretty(&report).unwrap_or_default() + "\n"
}

fn issue(finding: &Diagnostic, places: &Places<'_>, alike: &mut HashMap<String, usize>) -> Value {
    let mut description = clean::line(&finding.message);
    let (mut path, mut begin, mut end) = (NOWHERE.to_owned(), 1, 1);
    if let Some(label) = &finding.primary {
        match in_repository(label, places) {
            Some(name) => {
                let (first, last) = places.ends(label.span, Unit::Utf8);
                (path, begin, end) = (name, first.line, last.line);
            }
            None => description = format!("{}: {description}", clean::name(&places.file(label.span.file).name)),
        }
    }
    let code = finding.code.as_str();
    let subject = format!("{code}\n{path}\n{}", finding.message);
    if let Some(help) = &finding.help {
        description.push_str(&format!("; {}", clean::line(help)));
    }
    let before = alike.entry(subject.clone()).or_default();
    let fingerprint = format!("{:016x}", fnv(format!("{subject}\n{before}").as_bytes()));
    *before += 1;
    let severity = match finding.severity {
        Severity::Error => "major",
        Severity::Warning => "minor",
    };
    json!({
        "description": description, "check_name": code, "fingerprint": fingerprint, "severity": severity,
        "location": { "path": path, "lines": { "begin": begin, "end": end } },
    })
}

/// The name as the repository has it; none of a file of the library.
fn in_repository(label: &Label, places: &Places<'_>) -> Option<String> {
    let mut name = places.file(label.span.file).name.as_str();
    while let Some(rest) = name.strip_prefix("./") {
        name = rest;
    }
    (!name.starts_with('<')).then(|| clean::name(name))
}

/// FNV-1a of 64 bits. The hashers of the library at hand may give other numbers in their next release, and then all would be new.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::super::testing::Case;
    use super::*;
    use crate::diagnostic::Code;

    fn report(findings: &[Diagnostic], sources: &Sources) -> Vec<Value> {
        serde_json::from_str(&render(findings, sources)).unwrap()
    }

    #[test]
    fn a_finding_has_what_the_widget_shows() {
        let case =
            Case::new(&[("./my web.kpol", "default allow\ndeny { socket(famly == 1) }\n"), ("<profiles/base>", "x")]);
        let finding =
            case.at(0, "famly", Code::E031, "`socket` has no parameter `famly`").help("did you mean `family`?");
        let library = case.at(1, "x", Code::W012, "m");
        let nowhere = Diagnostic::without_place(Code::E070, "no room");
        let report = report(&[finding, library, nowhere], &case.sources);
        assert_eq!(report[0]["description"], "`socket` has no parameter `famly`; did you mean `family`?");
        assert_eq!(report[0]["check_name"], "E031");
        assert_eq!(report[0]["severity"], "major");
        assert_eq!(report[0]["location"], json!({ "path": "my web.kpol", "lines": { "begin": 2, "end": 2 } }));
        assert_eq!(
            (&report[1]["severity"], &report[1]["description"]),
            (&json!("minor"), &json!("<profiles/base>: m"))
        );
        assert_eq!(report[2]["location"]["path"], NOWHERE);
    }

    /// The report of the target branch is compared with that of the change, by nothing but the fingerprints.
    #[test]
    fn a_fingerprint_stays_when_lines_move_and_no_two_are_alike() {
        let prints = |text: &str| -> Vec<Value> {
            let case = Case::new(&[("a.kpol", text)]);
            let finding = case.at(0, "x", Code::W012, "m");
            let other = case.at(0, "x", Code::W013, "m");
            let report = report(&[finding.clone(), finding, other], &case.sources);
            report.iter().map(|issue| issue["fingerprint"].clone()).collect()
        };
        let before = prints("x");
        assert_eq!(before, prints("\n\n  x"));
        assert!(before[0] != before[1] && before[0] != before[2] && before[1] != before[2], "{before:?}");
    }

    #[test]
    fn the_hash_is_the_one_that_is_published() {
        assert_eq!(fnv(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn no_findings_is_an_empty_report() {
        assert_eq!(render(&[], &Case::new(&[]).sources), "[]\n");
    }
}
