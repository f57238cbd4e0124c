//! Findings for a person at a terminal, drawn by miette.
//!
//! ```text
//!   × error[E031]: `socket` has no parameter `famly`
//!    ╭─[web.kpol:2:15]
//!  1 │ default allow
//!  2 │ deny { socket(famly == AF_UNIX) }
//!    ·               ──┬──
//!    ·                 ╰── not a parameter
//!    ╰────
//!   help: did you mean `family`?
//!    fix: replace `famly` by `family`
//! ```
//!
//! miette draws the head and the snippets (all of them, of all files: see `excerpt`); help, facts
//! and the fix stand below. A fix whose title does not already say the new text is drawn as a small diff.

use std::fmt;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode, ThemeCharacters, ThemeStyles};

use super::excerpt::{Board, char_columns};
use super::few::{few, words};
use super::place::Places;
use super::{clean, severity_word};
use crate::diagnostic::{Diagnostic, Edit, FileId, Fix, Label, Severity};
use crate::source::Sources;

/// Related places beyond this many are counted, not drawn.
const MAX_RELATED: usize = 8;
/// A diff of more lines is not drawn; the title has to do.
const MAX_DIFF: usize = 12;

/// What the terminal can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Paint with ANSI colours.
    pub color: bool,
    /// Draw with Unicode's line characters instead of ASCII.
    pub unicode: bool,
    /// Columns.
    pub width: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self { color: false, unicode: true, width: 100 }
    }
}

/// The findings, with an empty line between each two, and how many there are that are not drawn.
pub fn render(diagnostics: &[Diagnostic], sources: &Sources, style: Style) -> String {
    let places = Places::new(sources);
    let style = Style { width: style.width.clamp(40, 200), ..style };
    let mut out = String::new();
    let (shown, more) = few(diagnostics);
    for diagnostic in shown {
        if !out.is_empty() {
            out.push('\n');
        }
        draw(&mut out, diagnostic, &places, style);
    }
    for (index, more) in more.into_iter().enumerate() {
        if index == 0 {
            out.push('\n');
        }
        out.push_str(&format!("{}\n", words(more)));
    }
    out
}

/// Places without a finding: a line of words, and the places drawn below it.
pub fn point_out(message: &str, primary: &Label, related: &[Label], sources: &Sources, style: Style) -> String {
    let places = Places::new(sources);
    let style = Style { width: style.width.clamp(40, 200), ..style };
    let room = style.width.saturating_sub(12);
    let board = Board::new(Some(primary), related.iter().take(MAX_RELATED), &places, room);
    let message = clean::line(message).to_string();
    drawing(message, miette::Severity::Advice, board, style)
}

fn draw(out: &mut String, diagnostic: &Diagnostic, places: &Places<'_>, style: Style) {
    // Room for line numbers and the frame.
    let room = style.width.saturating_sub(12);
    let related = diagnostic.related.iter().take(MAX_RELATED);
    let board = Board::new(diagnostic.primary.as_ref(), related, places, room);
    let paint = Paint { style };

    let word = format!("{}[{}]", severity_word(diagnostic.severity), diagnostic.code.as_str());
    let message = format!("{}: {}", paint.severity(&word, diagnostic.severity), clean::line(&diagnostic.message));
    let severity =
        if diagnostic.severity == Severity::Error { miette::Severity::Error } else { miette::Severity::Warning };
    out.push_str(&drawing(message, severity, board, style));

    for note in &diagnostic.notes {
        footer(out, "note", &clean::block(note), paint);
    }
    let hidden = diagnostic.related.len().saturating_sub(MAX_RELATED);
    if hidden > 0 {
        footer(out, "note", &format!("and {hidden} more places"), paint);
    }
    let title = diagnostic.fix.as_ref().map(|fix| clean::line(&fix.title));
    if let Some(help) = &diagnostic.help {
        let help = clean::block(help);
        if title.as_deref() != Some(help.as_str()) {
            footer(out, "help", &help, paint);
        }
    }
    if let (Some(fix), Some(title)) = (&diagnostic.fix, title) {
        footer(out, "fix", &title, paint);
        for line in diff(fix, places, room) {
            out.push_str(&format!("        {}\n", paint.diff_line(&line)));
        }
    }
}

/// The head and the snippets, as miette draws them.
fn drawing(message: String, severity: miette::Severity, board: Board, style: Style) -> String {
    let room = style.width.saturating_sub(12);
    let styles = if style.color { ThemeStyles::ansi() } else { ThemeStyles::none() };
    let first = match severity {
        miette::Severity::Error => styles.error,
        miette::Severity::Warning => styles.warning,
        miette::Severity::Advice => styles.advice,
    };
    let highlights = board.drawn.iter().map(|drawn| if drawn.primary { first } else { styles.help }).collect();
    let characters = if style.unicode { ThemeCharacters::unicode() } else { ThemeCharacters::ascii() };
    let theme = GraphicalTheme { characters, styles: ThemeStyles { highlights, ..styles } };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(style.width)
        .with_urls(false)
        .without_cause_chain()
        .without_syntax_highlighting();
    let labels = board.labels(|text, column| wrap(text, room.saturating_sub(column + 4).max(28)).join("\n"));
    let head = Head { message, severity, labels: (!labels.is_empty()).then_some(labels), board };
    // Writing to a String fails only if miette cannot read the board; then the head still stands.
    let mut drawing = String::new();
    let _ = handler.render_report(&mut drawing, &head);
    drawing.lines().map(|line| format!("{}\n", line.trim_end_matches(' '))).collect()
}

/// `  help: text`, further lines under the first.
fn footer(out: &mut String, word: &str, text: &str, paint: Paint) {
    let head = paint.footer(&format!("{word:>6}:"));
    for (index, line) in wrap(text, paint.style.width.saturating_sub(9)).iter().enumerate() {
        let line = if index == 0 { format!("{head} {line}") } else { format!("        {line}") };
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

/// The lines that change, before and after, or nothing where the title says it all.
fn diff(fix: &Fix, places: &Places<'_>, room: usize) -> Vec<String> {
    let [first, rest @ ..] = fix.edits.as_slice() else { return Vec::new() };
    let said = rest.is_empty() && !first.text.is_empty() && fix.title.contains(&first.text);
    let removes_word = rest.is_empty() && first.text.is_empty() && {
        let old = &places.file(first.span.file).text[places.bytes(first.span)];
        fix.title.contains(old.trim())
    };
    if said || removes_word {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let mut edits: Vec<&Edit> = fix.edits.iter().collect();
    edits.sort_by_key(|edit| (edit.span.file, edit.span.bytes));
    // Edits that touch the same lines are one change.
    let mut groups: Vec<(FileId, usize, usize, Vec<&Edit>)> = Vec::new();
    for edit in edits {
        let bytes = places.bytes(edit.span);
        let index = places.lines(edit.span.file);
        let (first, last) = (index.line_of(bytes.start), index.line_of(bytes.end));
        match groups.last_mut() {
            Some((file, _, until, group)) if *file == edit.span.file && first <= *until => {
                *until = last.max(*until);
                group.push(edit);
            }
            _ => groups.push((edit.span.file, first, last, vec![edit])),
        }
    }
    for (file, first, last, edits) in groups {
        let text = &places.file(file).text;
        let index = places.lines(file);
        let (begin, end) = (index.bytes_of(first, text).start, index.bytes_of(last, text).end);
        let mut new = String::new();
        let mut at = begin;
        for edit in edits {
            let bytes = places.bytes(edit.span);
            // Overlapping edits are a mistake of whoever made them; the second is not drawn.
            if bytes.start >= at {
                new.push_str(&text[at..bytes.start]);
                new.push_str(&edit.text);
                at = bytes.end;
            }
        }
        new.push_str(text.get(at..end).unwrap_or_default());
        let (mut old, mut new): (Vec<&str>, Vec<&str>) = (text[begin..end].lines().collect(), new.lines().collect());
        if old.len() == new.len() {
            (old, new) = old.into_iter().zip(new).filter(|(old, new)| old != new).unzip();
        } else {
            let alike = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
            (old, new) = (old.split_off(alike), new.split_off(alike));
            let alike = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
            old.truncate(old.len() - alike);
            new.truncate(new.len() - alike);
        }
        lines.extend(old.into_iter().map(|line| format!("- {}", clean::block(line))));
        lines.extend(new.into_iter().map(|line| format!("+ {}", clean::block(line))));
    }
    let readable = lines.len() <= MAX_DIFF && lines.iter().all(|line| line.chars().count() <= room);
    if readable { lines } else { Vec::new() }
}

/// Words into lines of at most `width` columns; lines of the text stay lines.
pub(in crate::diagnostic) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(20);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let indent: String = paragraph.chars().take_while(|c| *c == ' ').collect();
        let mut line = indent.clone();
        let mut used = indent.len();
        for word in paragraph.split_whitespace() {
            let columns: usize = word.chars().map(|c| char_columns(c, 0)).sum();
            let begun = line.len() > indent.len();
            if begun && used + 1 + columns > width {
                lines.push(std::mem::replace(&mut line, indent.clone()));
                used = indent.len();
            } else if begun {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += columns;
        }
        lines.push(line);
    }
    lines
}

/// Colours of what stands around miette's drawing; the same as its own.
#[derive(Debug, Clone, Copy)]
struct Paint {
    style: Style,
}

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.style.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn severity(self, text: &str, severity: Severity) -> String {
        self.with(if severity == Severity::Error { "1;31" } else { "1;33" }, text)
    }

    fn footer(self, text: &str) -> String {
        self.with("36", text)
    }

    fn diff_line(self, text: &str) -> String {
        self.with(if text.starts_with('-') { "31" } else { "32" }, text)
    }
}

/// What miette draws.
struct Head {
    message: String,
    severity: miette::Severity,
    labels: Option<Vec<LabeledSpan>>,
    board: Board,
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Head {}

impl miette::Diagnostic for Head {
    fn severity(&self) -> Option<miette::Severity> {
        Some(self.severity)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.labels.is_some().then_some(&self.board as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.clone()?.into_iter()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, span};
    use super::*;
    use crate::diagnostic::Code;

    const PLAIN: Style = Style { color: false, unicode: true, width: 80 };

    fn drawn(case: &Case, diagnostic: Diagnostic) -> String {
        render(&[diagnostic], &case.sources, PLAIN)
    }

    fn web() -> Case {
        Case::new(&[
            ("web.kpol", "default allow\ninclude \"base.kpol\"\n\n\n\ndeny { socket(famly == 1, type == 3) }\n"),
            ("base.kpol", "group @x { ptrace }\r\n\tallow { @x }\r\n"),
        ])
    }

    #[test]
    fn a_finding_with_help_and_fix() {
        let case = web();
        let famly = case.find(0, "famly");
        let finding = case
            .at(0, "famly", Code::E031, "`socket` has no parameter `famly`")
            .label("not a parameter")
            .help("did you mean `family`?")
            .fix("replace `famly` by `family`", famly, "family");
        assert_eq!(
            drawn(&case, finding),
            "  × error[E031]: `socket` has no parameter `famly`
   ╭─[web.kpol:6:15]
 6 │ deny { socket(famly == 1, type == 3) }
   ·               ──┬──
   ·                 ╰── not a parameter
   ╰────
  help: did you mean `family`?
   fix: replace `famly` by `family`
"
        );
    }

    #[test]
    fn places_in_two_files_are_both_drawn() {
        let case = web();
        let finding = case
            .at(0, "deny", Code::E040, "two answers")
            .label("`deny` here")
            .related(case.find(1, "allow { @x }"), "`allow` here")
            .related(case.find(1, "ptrace"), "through this group")
            .related(case.find(0, "include \"base.kpol\""), "included here")
            .note("both claim `ptrace()`");
        assert_eq!(
            drawn(&case, finding),
            "  × error[E040]: two answers
   ╭─[web.kpol:6:1]
 6 │ deny { socket(famly == 1, type == 3) }
   · ──┬─
   ·   ╰── `deny` here
   ╰────
   ╭─[base.kpol:1:12]
 1 │ group @x { ptrace }
   ·            ───┬──
   ·               ╰── through this group
 2 │     allow { @x }
   ·     ──────┬─────
   ·           ╰── `allow` here
   ╰────
   ╭─[web.kpol:2:1]
 1 │ default allow
 2 │ include \"base.kpol\"
   · ─────────┬─────────
   ·          ╰── included here
   ╰────
  note: both claim `ptrace()`
"
        );
    }

    #[test]
    fn places_inside_each_other_get_a_snippet_each() {
        let case = web();
        let finding = case
            .at(0, "socket(famly == 1, type == 3)", Code::E031, "m")
            .label("outer")
            .related(case.find(0, "famly"), "inner")
            .related(case.find(0, "type"), "beside it");
        assert_eq!(
            drawn(&case, finding),
            "  × error[E031]: m
   ╭─[web.kpol:6:8]
 6 │ deny { socket(famly == 1, type == 3) }
   ·        ──────────────┬──────────────
   ·                      ╰── outer
   ╰────
   ╭─[web.kpol:6:15]
 6 │ deny { socket(famly == 1, type == 3) }
   ·               ──┬──       ──┬─
   ·                 │           ╰── beside it
   ·                 ╰── inner
   ╰────
"
        );
    }

    #[test]
    fn several_lines_and_the_end_of_the_file() {
        let case = Case::new(&[("a.kpol", "allow {\n    read,\n}"), ("empty.kpol", "")]);
        assert_eq!(
            drawn(&case, case.at(0, "allow {\n    read,\n}", Code::W012, "m").label("dead")),
            "  ⚠ warning[W012]: m
   ╭─[a.kpol:1:1]
 1 │ ╭─▶ allow {
 2 │ │       read,
 3 │ ├─▶ }
   · ╰──── dead
   ╰────
"
        );
        assert_eq!(
            drawn(&case, Diagnostic::new(Code::E020, span(0, 19, 19), "m").label("end")),
            "  × error[E020]: m
   ╭─[a.kpol:3:2]
 2 │     read,
 3 │ }
   ·  ▲
   ·  ╰── end
   ╰────
"
        );
        assert_eq!(
            drawn(&case, Diagnostic::new(Code::E020, span(1, 0, 0), "m")),
            "  × error[E020]: m\n   ╭─[empty.kpol:1:1]\n 1 │\n   · ▲\n   ╰────\n"
        );
    }

    #[test]
    fn a_place_of_hundreds_of_lines_is_shown_by_its_first() {
        let text = format!("allow {{\n{}}}\n", "    read,\n".repeat(300));
        let case = Case::new(&[("big.kpol", &text)]);
        assert_eq!(
            drawn(&case, case.at(0, &text, Code::W012, "m").label("dead")),
            "  ⚠ warning[W012]: m
   ╭─[big.kpol:1:1]
 1 │ allow {
   · ───┬───
   ·    ╰── dead (until line 302)
 2 │     read,
   ╰────
"
        );
    }

    #[test]
    fn a_line_of_a_megabyte_is_cut() {
        let text = format!("{}famly{}", "x".repeat(1 << 19), "y".repeat(1 << 19));
        let case = Case::new(&[("long.kpol", &text)]);
        let out = drawn(&case, case.at(0, "famly", Code::E031, "m").label("here"));
        assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
        assert!(out.contains("xxxfamlyyyy"), "{out}");
        assert!(out.contains("[long.kpol:1:524289]"), "{out}");
    }

    #[test]
    fn nothing_of_a_file_reaches_the_terminal_raw() {
        let case = Case::new(&[("evil\x1b[31m\n.kpol", "a \x1b[2J\x07 b\u{202e}\u{9b}0m c\n")]);
        let finding = case
            .at(0, "b", Code::E001, "bad \x1b[31m")
            .label("\x1b]0;title\x07")
            .help("\x1b")
            .note("\r")
            .fix("\x1b", case.find(0, "a"), "\x1bb\n");
        for color in [false, true] {
            let out = render(std::slice::from_ref(&finding), &case.sources, Style { color, ..PLAIN });
            let mut rest = out.as_str();
            while let Some(at) = rest.find('\x1b') {
                assert!(color, "{out:?}");
                let end = rest[at..].find('m').map_or(rest.len(), |end| at + end);
                assert!(rest[at + 2..end].chars().all(|c| c.is_ascii_digit() || c == ';'), "{out:?}");
                rest = &rest[end..];
            }
            assert!(out.chars().all(|c| matches!(c, '\n' | '\x1b') || !clean::is_hidden(c)), "{out:?}");
            assert!(out.contains("a \\x1b[2J\\x07 b\\u{202e}\\u{9b}0m c"), "{out}");
        }
    }

    #[test]
    fn ascii_where_the_terminal_has_no_more() {
        let case = web();
        let out = render(
            &[case.at(0, "famly", Code::E031, "m").label("here")],
            &case.sources,
            Style { unicode: false, ..PLAIN },
        );
        assert!(out.is_ascii(), "{out}");
        assert!(out.contains("^^|^^"), "{out}");
    }

    #[test]
    fn a_fix_that_its_title_does_not_say_is_drawn() {
        let case = web();
        let mut at = case.find(0, "deny");
        at.bytes.end = at.bytes.start;
        let out = drawn(&case, case.at(0, "deny", Code::E040, "m").fix("let this rule win", at, "override "));
        assert!(
            out.ends_with(
                "   fix: let this rule win
        - deny { socket(famly == 1, type == 3) }
        + override deny { socket(famly == 1, type == 3) }
"
            ),
            "{out}"
        );
    }

    #[test]
    fn long_words_and_many_findings() {
        let case = web();
        let finding =
            || case.at(0, "famly", Code::E031, &format!("no `{}`", "x".repeat(1 << 12))).label("y ".repeat(99));
        let findings: Vec<_> = (0..1000).map(|_| finding()).collect();
        let out = render(&findings, &case.sources, PLAIN);
        assert!(out.lines().all(|line| line.chars().count() <= 80));
        assert_eq!(out.matches("error[E031]").count(), 50);
        assert!(out.contains("950 more"), "{out}");
    }

    #[test]
    fn a_finding_without_a_place() {
        let case = web();
        let finding = Diagnostic::without_place(Code::E070, "cannot write `x`").note("No space left on device");
        assert_eq!(drawn(&case, finding), "  × error[E070]: cannot write `x`\n  note: No space left on device\n");
    }

    #[test]
    fn wrapping_keeps_lines_and_their_indent() {
        assert_eq!(wrap("one two three four five six", 20), ["one two three four", "five six"]);
        assert_eq!(wrap("a\n  b c d e f g h i j k l m n", 20), ["a", "  b c d e f g h i j", "  k l m n"]);
        assert_eq!(wrap("", 20), [""]);
    }
}
