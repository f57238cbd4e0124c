//! One line a finding, for `grep`, for scripts, and for editors that jump to `file:line:column`.
//!
//! ```text
//! web.kpol:2:15: error[E031]: `socket` has no parameter `famly`
//! ```
//!
//! Other places that have a part in it stand behind: `…; main.kpol:2:9: included here`. Lines and columns count from 1, columns in bytes of UTF-8. A finding without a place begins with `kpolc:`, and so does
//! the count of those that are too many of one code (see `few`).

use super::few::{few, words};
use super::place::{Places, Unit};
use super::{clean, severity_word};
use crate::diagnostic::Diagnostic;
use crate::source::Sources;

/// Other places that a line names.
const MAX_RELATED: usize = 3;

/// The findings, each in a line that ends with a newline.
pub fn render(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let places = Places::new(sources);
    let mut out = String::new();
    let (shown, more) = few(diagnostics);
    for diagnostic in shown {
        match &diagnostic.primary {
            Some(label) => {
                let (start, _) = places.ends(label.span, Unit::Utf8);
                let name = clean::name(&places.file(label.span.file).name);
                out.push_str(&format!("{name}:{}:{}: ", start.line, start.column));
            }
            None => out.push_str("kpolc: "),
        }
        let word = severity_word(diagnostic.severity);
        out.push_str(&format!("{word}[{}]: {}", diagnostic.code.as_str(), clean::line(&diagnostic.message)));
        for label in diagnostic.related.iter().take(MAX_RELATED) {
            let (start, _) = places.ends(label.span, Unit::Utf8);
            let name = clean::name(&places.file(label.span.file).name);
            out.push_str(&format!("; {name}:{}:{}: {}", start.line, start.column, clean::line(&label.text)));
        }
        out.push('\n');
    }
    for more in more {
        out.push_str(&format!("kpolc: {}\n", words(more)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;
    use crate::diagnostic::Code;

    #[test]
    fn each_finding_is_one_line() {
        let case = Case::new(&[("web.kpol", "default allow\ndeny { socket(famly == AF_UNIX) }\n")]);
        let mut warning = case.at(0, "deny", Code::W012, "two\nlines \x1b[31m");
        warning.help = Some("not shown".into());
        let text = render(
            &[
                case.at(0, "famly", Code::E031, "`socket` has no parameter `famly`"),
                warning,
                Diagnostic::without_place(Code::E070, "cannot write `out`"),
            ],
            &case.sources,
        );
        assert_eq!(
            text,
            "web.kpol:2:15: error[E031]: `socket` has no parameter `famly`\n\
             web.kpol:2:1: warning[W012]: two lines \\x1b[31m\n\
             kpolc: error[E070]: cannot write `out`\n"
        );
    }

    #[test]
    fn a_file_name_cannot_forge_a_line() {
        let case = Case::new(&[("a\nb.kpol", "x")]);
        assert_eq!(render(&[case.at(0, "x", Code::E001, "m")], &case.sources), "a\\x0ab.kpol:1:1: error[E001]: m\n");
    }
}
