//! Workflow commands: annotations on the lines of a pull request.
//!
//! ```text
//! ::error file=web.kpol,line=2,endLine=2,col=15,endColumn=19,title=E031 unknown parameter::`socket` has no …
//! ```
//!
//! Escaping is that of the runner (`actions/toolkit`, `packages/core/src/command.ts`): `%`, CR and LF everywhere, `:` and
//! `,` in properties too. Columns are given where the place is on one line (the service takes them nowhere
//! else); `endColumn` is the last character's. The service shows ten errors and ten warnings of a step, so the log has all
//! of them in the same lines.

use super::place::{Places, Unit};
use super::{clean, severity_word};
use crate::diagnostic::{Diagnostic, Label};
use crate::source::Sources;

/// All findings, each in a line that ends with a newline.
pub fn render(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let places = Places::new(sources);
    diagnostics.iter().map(|diagnostic| command(diagnostic, &places)).collect()
}

fn command(diagnostic: &Diagnostic, places: &Places<'_>) -> String {
    let mut properties = Vec::new();
    let mut text = clean::line(&diagnostic.message);
    if let Some(label) = &diagnostic.primary {
        match on_disk(&places.file(label.span.file).name) {
            Some(name) => properties = place_properties(&clean::name(name), label, places),
            // A file of the library is not in the repository: say where in words.
            None => text = format!("{}: {text}", said(label, places)),
        }
        if !label.text.is_empty() {
            text.push_str(&format!("\n{}", clean::line(&label.text)));
        }
    }
    properties.push(("title", format!("{} {}", diagnostic.code.as_str(), diagnostic.code.title())));

    for label in &diagnostic.related {
        let line = format!("\n{}: {}", said(label, places), clean::line(&label.text));
        text.push_str(line.trim_end_matches(": "));
    }
    for note in &diagnostic.notes {
        text.push_str(&format!("\nnote: {}", clean::block(note)));
    }
    if let Some(help) = &diagnostic.help {
        text.push_str(&format!("\nhelp: {}", clean::block(help)));
    }
    if let Some(fix) = &diagnostic.fix {
        text.push_str(&format!("\nfix: {}", clean::line(&fix.title)));
    }

    let properties: Vec<_> =
        properties.iter().map(|(key, value)| format!("{key}={}", escape_property(value))).collect();
    format!("::{} {}::{}\n", severity_word(diagnostic.severity), properties.join(","), escape_data(&text))
}

fn place_properties(name: &str, label: &Label, places: &Places<'_>) -> Vec<(&'static str, String)> {
    let (start, end) = places.ends(label.span, Unit::Utf8);
    let mut properties = vec![
        ("file", name.strip_prefix("./").unwrap_or(name).to_owned()),
        ("line", start.line.to_string()),
        ("endLine", end.line.to_string()),
    ];
    if start.line == end.line {
        properties.push(("col", start.column.to_string()));
        properties.push(("endColumn", (end.column - 1).max(start.column).to_string()));
    }
    properties
}

/// The name, unless it is one of the library.
fn on_disk(name: &str) -> Option<&str> {
    (!name.starts_with('<')).then_some(name)
}

fn said(label: &Label, places: &Places<'_>) -> String {
    let (start, _) = places.ends(label.span, Unit::Utf8);
    format!("{}:{}:{}", clean::name(&places.file(label.span.file).name), start.line, start.column)
}

fn escape_data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, span};
    use super::*;
    use crate::diagnostic::Code;

    #[test]
    fn a_finding_is_a_command_with_everything_in_it() {
        let case = Case::new(&[("./a,b:100%.kpol", "default allow\ndeny { socket(famly == 1) }\n")]);
        let finding = case
            .at(0, "famly", Code::E031, "100% wrong: `famly`")
            .label("no such parameter")
            .related(case.find(0, "socket"), "of this call")
            .note("a fact")
            .help("did you mean `family`?");
        assert_eq!(
            render(&[finding], &case.sources),
            "::error file=a%2Cb%3A100%25.kpol,line=2,endLine=2,col=15,endColumn=19,title=E031 unknown parameter\
             ::100%25 wrong: `famly`%0Ano such parameter%0A./a,b:100%25.kpol:2:8: of this call%0Anote: a fact\
             %0Ahelp: did you mean `family`?\n"
        );
    }

    #[test]
    fn columns_only_where_the_place_is_on_one_line() {
        let case = Case::new(&[("a.kpol", "allow {\nread\n}"), ("<profiles/base>", "x")]);
        let long = case.at(0, "allow {\nread\n}", Code::W012, "m");
        assert_eq!(render(&[long], &case.sources), "::warning file=a.kpol,line=1,endLine=3,title=W012 dead rule::m\n");
        let empty = Diagnostic::new(Code::E001, span(0, 14, 14), "m");
        assert_eq!(
            render(&[empty], &case.sources),
            "::error file=a.kpol,line=3,endLine=3,col=2,endColumn=2,title=E001 syntax error::m\n"
        );
        let library = case.at(1, "x", Code::W012, "m");
        assert_eq!(render(&[library], &case.sources), "::warning title=W012 dead rule::<profiles/base>:1:1: m\n");
        let nowhere = Diagnostic::without_place(Code::E070, "m");
        assert_eq!(render(&[nowhere], &case.sources), "::error title=E070 cannot write::m\n");
    }
}
