//! A bound for readers who are people: of a thousand findings of one kind the first fifty tell the story.
//!
//! ```text
//! 1,000 times W003, once E031     fifty of W003, and E031; "950 more of W003"
//! ```
//!
//! What programs read (JSON, SARIF, annotations) has every finding, and so has the count in the last line of a run.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic};

/// Findings of one code beyond this many are counted, not shown.
pub(super) const MOST_OF_A_CODE: usize = 50;

/// The findings to show, and how many more there are of which code.
pub(super) fn few(diagnostics: &[Diagnostic]) -> (Vec<&Diagnostic>, Vec<(Code, usize)>) {
    let mut counts: BTreeMap<Code, usize> = BTreeMap::new();
    let shown = diagnostics.iter().filter(|diagnostic| {
        let count = counts.entry(diagnostic.code).or_default();
        *count += 1;
        *count <= MOST_OF_A_CODE
    });
    let shown = shown.collect();
    let more = counts.into_iter().filter_map(|(code, count)| Some((code, count.checked_sub(MOST_OF_A_CODE)?)));
    (shown, more.filter(|&(_, more)| more > 0).collect())
}

/// `and 950 more of W003 (pointer compared)`
pub(super) fn words((code, more): (Code, usize)) -> String {
    format!("and {more} more of {} ({}); `--format json` has them all", code.as_str(), code.title())
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::super::{concise, json, summary, terminal};
    use crate::diagnostic::Code;

    #[test]
    fn of_a_thousand_findings_people_see_fifty_and_programs_all() {
        let case = Case::new(&[("a.kpol", "allow { read }\n")]);
        let mut findings = vec![case.at(0, "read", Code::W003, "a pointer"); 1000];
        findings.push(case.at(0, "allow", Code::E031, "a mistake"));
        findings.extend(vec![case.at(0, "read", Code::W005, "always"); 50]);

        let drawn = terminal::render(&findings, &case.sources, terminal::Style::default());
        assert_eq!(drawn.matches("warning[W003]").count(), 50);
        assert!(drawn.contains("error[E031]"), "what is rare is not lost behind what is not");
        assert!(
            drawn.ends_with("\nand 950 more of W003 (pointer compared); `--format json` has them all\n"),
            "{drawn}"
        );
        let lines = concise::render(&findings, &case.sources);
        assert_eq!(lines.lines().count(), 50 + 1 + 50 + 1);
        assert!(lines.ends_with("\nkpolc: and 950 more of W003 (pointer compared); `--format json` has them all\n"));
        assert_eq!(json::render(&findings, &case.sources).matches("W003").count(), 1000);
        assert_eq!(summary(&findings).as_deref(), Some("1 error and 1050 warnings"));
    }
}
