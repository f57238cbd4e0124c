//! Offset ↔ line and column. Nobody else knows encodings.
//!
//! ```text
//! "a🦀b\r\nc"    offset 5 (`b`) is line 0, column 5 in UTF-8, 3 in UTF-16, 2 in UTF-32
//!                offset 8 (`c`) is line 1, column 0; the `\r\n` belongs to no column
//! ```
//!
//! Lines and columns count from 0, as editors' protocols do; a person is shown both plus 1.
//! Whatever is asked, the answer lies inside the text and between characters.

/// In what a column is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// 16-bit units: what most editors speak.
    Utf16,
    /// Characters (Unicode scalar values).
    Utf32,
}

/// A place in a text, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column, in the units of an [`Encoding`].
    pub column: u32,
}

/// Where the lines of one text begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines {
    /// The first byte of each line; never empty.
    starts: Vec<u32>,
    /// Characters of more than one byte.
    wide: Vec<Wide>,
}

/// A character of more than one byte, and how many bytes more than units there are in the text up to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wide {
    at: u32,
    over_utf16: u32,
    over_utf32: u32,
}

impl Lines {
    /// Looks through a text once. A line ends with `\n`, `\r\n`, or a lone `\r`.
    pub fn new(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut starts = vec![0];
        let mut wide = Vec::new();
        let (mut over_utf16, mut over_utf32) = (0, 0);
        for (at, &byte) in bytes.iter().enumerate() {
            // The first byte of a character says how many it has (RFC 3629); four are two units of UTF-16.
            let over = match byte {
                0xf0.. => Some((2, 3)),
                0xe0.. => Some((2, 2)),
                0xc0.. => Some((1, 1)),
                _ => None,
            };
            if let Some((utf16, utf32)) = over {
                (over_utf16, over_utf32) = (over_utf16 + utf16, over_utf32 + utf32);
                wide.push(Wide { at: u32::try_from(at).unwrap_or(u32::MAX), over_utf16, over_utf32 });
            }
            if byte == b'\n' || (byte == b'\r' && bytes.get(at + 1) != Some(&b'\n')) {
                starts.push(u32::try_from(at + 1).unwrap_or(u32::MAX));
            }
        }
        Self { starts, wide }
    }

    /// How many bytes more than units there are before an offset: in UTF-16, in UTF-32.
    fn over(&self, offset: u32) -> (u32, u32) {
        let before = self.wide.partition_point(|wide| wide.at < offset);
        before.checked_sub(1).map_or((0, 0), |last| (self.wide[last].over_utf16, self.wide[last].over_utf32))
    }

    /// How many lines there are; an empty text has one.
    pub fn count(&self) -> usize {
        self.starts.len()
    }

    /// The text of a line without its end; empty behind the last one.
    pub fn line<'t>(&self, text: &'t str, line: u32) -> &'t str {
        let Some(&start) = self.starts.get(line as usize) else { return "" };
        let end = self.starts.get(line as usize + 1).map_or(text.len(), |&next| next as usize);
        text.get(start as usize..end).unwrap_or("").trim_end_matches(['\n', '\r'])
    }

    /// Where `offset` stands. Inside a character, or in a line's end, it is where that begins.
    pub fn position(&self, text: &str, offset: u32, encoding: Encoding) -> Position {
        let line = self.starts.partition_point(|&start| start <= offset).saturating_sub(1);
        let start = self.starts[line];
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let content = self.line(text, line);
        let mut inside = ((offset - start) as usize).min(content.len());
        while !content.is_char_boundary(inside) {
            inside -= 1;
        }
        let bytes = u32::try_from(inside).unwrap_or(u32::MAX);
        // Not counted one by one: all words of a file may stand on one line.
        let ((from_utf16, from_utf32), (to_utf16, to_utf32)) = (self.over(start), self.over(start + bytes));
        let column = match encoding {
            Encoding::Utf8 => bytes,
            Encoding::Utf16 => bytes - (to_utf16 - from_utf16),
            Encoding::Utf32 => bytes - (to_utf32 - from_utf32),
        };
        Position { line, column }
    }

    /// The offset of a place. A column behind the line's end is its end, a line behind the last is the
    /// text's end, and the middle of a character is its start.
    pub fn offset(&self, text: &str, position: Position, encoding: Encoding) -> u32 {
        let Some(&start) = self.starts.get(position.line as usize) else {
            return u32::try_from(text.len()).unwrap_or(u32::MAX);
        };
        let content = self.line(text, position.line);
        let mut left = position.column as usize;
        let mut inside = 0;
        for next in content.chars() {
            let width = match encoding {
                Encoding::Utf8 => next.len_utf8(),
                Encoding::Utf16 => next.len_utf16(),
                Encoding::Utf32 => 1,
            };
            if left < width {
                break;
            }
            left -= width;
            inside += next.len_utf8();
        }
        start + u32::try_from(inside).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use super::{Encoding, Lines, Position};

    #[test]
    fn counts_in_each_encoding() {
        let text = "a🦀b\r\nc\rd\n";
        let lines = Lines::new(text);
        assert_eq!(lines.count(), 4);
        for (encoding, column) in [(Encoding::Utf8, 5), (Encoding::Utf16, 3), (Encoding::Utf32, 2)] {
            assert_eq!(lines.position(text, 5, encoding), Position { line: 0, column });
            assert_eq!(lines.offset(text, Position { line: 0, column }, encoding), 5);
        }
        assert_eq!(lines.position(text, 8, Encoding::Utf16), Position { line: 1, column: 0 });
        assert_eq!(lines.line(text, 0), "a🦀b");
        assert_eq!(lines.line(text, 2), "d");
    }

    #[test]
    fn answers_stay_inside() {
        let text = "🦀\r\nx";
        let lines = Lines::new(text);
        assert_eq!(lines.position(text, 2, Encoding::Utf8), Position { line: 0, column: 0 }, "inside a character");
        assert_eq!(lines.position(text, 5, Encoding::Utf8), Position { line: 0, column: 4 }, "inside the line's end");
        assert_eq!(lines.position(text, 99, Encoding::Utf8), Position { line: 1, column: 1 });
        assert_eq!(lines.offset(text, Position { line: 0, column: 1 }, Encoding::Utf16), 0, "half a pair");
        assert_eq!(lines.offset(text, Position { line: 0, column: 99 }, Encoding::Utf16), 4);
        assert_eq!(lines.offset(text, Position { line: 9, column: 9 }, Encoding::Utf16), 7);
        assert_eq!(Lines::new("").position("", 0, Encoding::Utf8), Position::default());
    }

    #[test]
    fn every_boundary_comes_back() {
        let text = "//! ä€🦀\r\nallow { read }\n\n\rx";
        let lines = Lines::new(text);
        for (offset, next) in text.char_indices() {
            if next == '\n' || next == '\r' {
                continue;
            }
            let offset = u32::try_from(offset).unwrap();
            for encoding in [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32] {
                assert_eq!(lines.offset(text, lines.position(text, offset, encoding), encoding), offset);
            }
        }
    }
}
