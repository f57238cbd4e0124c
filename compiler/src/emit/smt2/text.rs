//! Terms and definitions, on lines that can be read.

use super::Trouble;
use crate::diagnostic::render::clean_line;

/// The longest text, in bytes. The largest example has a hundredth of it.
pub const LONGEST: usize = 64 << 20;
/// Terms without a note share a line up to here.
const WIDTH: usize = 100;

/// A term of a disjunction, and what is said behind it.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub term: String,
    pub note: Option<String>,
}

/// Terms without notes.
pub(super) fn plain(terms: impl IntoIterator<Item = String>) -> Vec<Line> {
    terms.into_iter().map(|term| Line { term, note: None }).collect()
}

/// A disjunction.
pub(super) fn any(terms: Vec<String>) -> String {
    joined("or", "false", terms)
}

/// A conjunction.
pub(super) fn all(terms: Vec<String>) -> String {
    joined("and", "true", terms)
}

fn joined(operator: &str, of_none: &str, mut terms: Vec<String>) -> String {
    terms.retain(|term| term != of_none);
    match terms.as_slice() {
        [] => of_none.to_owned(),
        [one] => one.clone(),
        _ => format!("({operator} {})", terms.join(" ")),
    }
}

/// A negation.
pub(super) fn not(term: &str) -> String {
    match term {
        "true" => "false".to_owned(),
        "false" => "true".to_owned(),
        _ => format!("(not {term})"),
    }
}

/// A constant of 32 bits.
pub(super) fn word(value: u32) -> String {
    format!("#x{value:08x}")
}

/// A text that grows within its bound.
#[derive(Debug, Default)]
pub(super) struct Text(String);

impl Text {
    pub fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    pub fn comment(&mut self, line: &str) {
        self.line(format!("; {line}").trim_end());
    }

    pub fn heading(&mut self, title: &str, comments: &[&str]) -> Result<(), Trouble> {
        self.line(&format!("\n; ---- {title}"));
        comments.iter().for_each(|line| self.comment(line));
        self.bounded()
    }

    pub fn push_text(&mut self, other: &Self) -> Result<(), Trouble> {
        self.0.push_str(&other.0);
        self.bounded()
    }

    /// Defines a Boolean: all of the guards, and one of the lines.
    pub fn define(&mut self, name: &str, guards: &[String], lines: &[Line]) -> Result<(), Trouble> {
        self.0.push_str(&format!("(define-fun {name} () Bool"));
        let mut close = 1;
        if !guards.is_empty() && !lines.is_empty() {
            self.0.push_str(&format!(" (and {}", guards.join(" ")));
            close += 1;
        }
        let length: usize = lines.iter().map(|line| line.term.len() + 1).sum();
        let short = length <= WIDTH && lines.iter().all(|line| line.note.is_none());
        let noted = |line: &Line| line.note.as_ref().map(|note| format!(" ; {}", clean_line(note)));
        match lines {
            [] => self.0.push_str(" false"),
            [one] => match noted(one) {
                Some(note) => self.0.push_str(&format!("\n  {}{note}\n", one.term)),
                None => self.0.push_str(&format!(" {}", one.term)),
            },
            _ => {
                self.0.push_str(" (or");
                close += 1;
                let mut column = if short { 0 } else { WIDTH };
                for line in lines {
                    let note = noted(line);
                    if note.is_some() || column + line.term.len() > WIDTH {
                        self.0.push_str("\n ");
                        column = 1;
                    }
                    self.0.push_str(&format!(" {}{}", line.term, note.as_deref().unwrap_or_default()));
                    column = if note.is_some() { WIDTH } else { column + 1 + line.term.len() };
                }
                if lines.last().is_some_and(|last| last.note.is_some()) {
                    self.0.push('\n');
                }
            }
        }
        self.line(&")".repeat(close));
        self.bounded()
    }

    pub fn finish(self) -> String {
        self.0
    }

    fn bounded(&self) -> Result<(), Trouble> {
        if self.0.len() > LONGEST { Err(Trouble::TooLong) } else { Ok(()) }
    }
}
