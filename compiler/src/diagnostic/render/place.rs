//! Byte offsets of a run's files as lines and columns.
//!
//! ```text
//! "ä = 1\nb"  offset 7  →  line 2, column 1
//! ```
//!
//! Lines end with `\n` or `\r\n`. Offsets past the end, or inside a character, are moved back to the nearest place
//! that exists: a wrong span makes an odd picture, never a panic. Indexes are made once a file and run.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::diagnostic::{FileId, Span};
use crate::source::{SourceFile, Sources};

/// Where each line of a text begins.
pub(super) struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    fn new(text: &str) -> Self {
        let behind_newlines = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(at, _)| at + 1);
        Self { starts: std::iter::once(0).chain(behind_newlines).collect() }
    }

    /// The line, from 0, that holds an offset.
    pub(super) fn line_of(&self, offset: usize) -> usize {
        self.starts.partition_point(|&start| start <= offset).saturating_sub(1)
    }

    /// How many lines there are; an empty text has one.
    pub(super) fn count(&self) -> usize {
        self.starts.len()
    }

    /// The bytes of a line without its end.
    pub(super) fn bytes_of(&self, line: usize, text: &str) -> std::ops::Range<usize> {
        let start = self.starts.get(line).copied().unwrap_or(text.len());
        let end = self.starts.get(line + 1).map_or(text.len(), |next| next - 1);
        let end = if text[start..end].ends_with('\r') { end - 1 } else { end };
        start..end
    }
}

/// A place as a person or an editor says it, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// In what columns are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Bytes of UTF-8: what editors and compilers that count bytes understand.
    Utf8,
    /// Unicode code points: what SARIF calls `unicodeCodePoints`.
    CodePoint,
}

/// The files of one run with their line indexes.
pub(super) struct Places<'a> {
    sources: &'a Sources,
    lines: RefCell<BTreeMap<FileId, Rc<Lines>>>,
    /// File, start of the line, bytes and characters of the count before.
    counted: Cell<(Option<FileId>, usize, usize, usize)>,
}

impl<'a> Places<'a> {
    pub(super) fn new(sources: &'a Sources) -> Self {
        Self { sources, lines: RefCell::default(), counted: Cell::default() }
    }

    pub(super) fn file(&self, file: FileId) -> &'a SourceFile {
        self.sources.get(file)
    }

    pub(super) fn lines(&self, file: FileId) -> Rc<Lines> {
        let mut lines = self.lines.borrow_mut();
        Rc::clone(lines.entry(file).or_insert_with(|| Rc::new(Lines::new(&self.file(file).text))))
    }

    /// The bytes of a span, as they exist in the text.
    pub(super) fn bytes(&self, span: Span) -> std::ops::Range<usize> {
        let text = &self.file(span.file).text;
        let floor = |offset: u32| {
            let mut offset = (offset as usize).min(text.len());
            while !text.is_char_boundary(offset) {
                offset -= 1;
            }
            offset
        };
        let start = floor(span.bytes.start);
        start..floor(span.bytes.end).max(start)
    }

    /// Line and column of an offset that [`Places::bytes`] gave.
    pub(super) fn position(&self, file: FileId, offset: usize, unit: Unit) -> Position {
        let text = &self.file(file).text;
        let lines = self.lines(file);
        let line = lines.line_of(offset);
        let before = &text[lines.starts[line]..offset];
        let column = match unit {
            Unit::Utf8 => before.len(),
            Unit::CodePoint => self.characters(file, lines.starts[line], before),
        };
        Position { line: line + 1, column: column + 1 }
    }

    /// How many characters `before` has, which begins at `start`. Findings come in the order of the text: counting goes
    /// on from the last one, so that a thousand in one long line are counted once.
    fn characters(&self, file: FileId, start: usize, before: &str) -> usize {
        let (known_file, known_start, bytes, characters) = self.counted.get();
        let (bytes, characters) = match before.get(bytes..) {
            Some(_) if (known_file, known_start) == (Some(file), start) => (bytes, characters),
            _ => (0, 0),
        };
        let count = characters + before[bytes..].chars().count();
        self.counted.set((Some(file), start, before.len(), count));
        count
    }

    /// First and last place of a span; the last is behind its last character.
    pub(super) fn ends(&self, span: Span, unit: Unit) -> (Position, Position) {
        let bytes = self.bytes(span);
        (self.position(span.file, bytes.start, unit), self.position(span.file, bytes.end, unit))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, span};
    use super::*;

    fn at(text: &str, offset: u32, unit: Unit) -> (usize, usize) {
        let case = Case::new(&[("a", text)]);
        let places = Places::new(&case.sources);
        let (start, _) = places.ends(span(0, offset, offset), unit);
        (start.line, start.column)
    }

    #[test]
    fn lines_and_columns_count_from_one() {
        assert_eq!(at("ab\ncd", 0, Unit::Utf8), (1, 1));
        assert_eq!(at("ab\ncd", 2, Unit::Utf8), (1, 3));
        assert_eq!(at("ab\ncd", 3, Unit::Utf8), (2, 1));
        assert_eq!(at("ab\r\ncd", 5, Unit::Utf8), (2, 2));
        assert_eq!(at("ä日b", 5, Unit::Utf8), (1, 6));
        assert_eq!(at("ä日b", 5, Unit::CodePoint), (1, 3));
        let case = Case::new(&[("a", "ä日b\nö"), ("b", "ö日b")]);
        let places = Places::new(&case.sources);
        let column = |file, offset| places.ends(span(file, offset, offset), Unit::CodePoint).0.column;
        let columns = [(0, 2), (0, 5), (0, 2), (1, 5), (0, 6), (0, 9)].map(|(file, offset)| column(file, offset));
        assert_eq!(columns, [2, 3, 2, 3, 4, 2], "whatever was asked before");
        assert_eq!(at("", 0, Unit::Utf8), (1, 1));
        assert_eq!(at("a\n", 2, Unit::Utf8), (2, 1));
    }

    #[test]
    fn a_wrong_offset_moves_to_a_place_that_exists() {
        assert_eq!(at("ä", 1, Unit::Utf8), (1, 1));
        assert_eq!(at("ab", 99, Unit::Utf8), (1, 3));
    }
}
