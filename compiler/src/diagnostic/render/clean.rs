//! Text of files and names, made fit for a terminal or a log.
//!
//! ```text
//! "a\x1b[2Jb"   →  a\x1b[2Jb       (a backslash, an x, …: seven characters that do nothing)
//! "user\u{202e}txt"  →  user\u{202e}txt
//! ```
//!
//! Escape sequences could recolour, retitle or clear the reader's terminal, and marks that turn the
//! direction of writing make a line read as what it is not (CVE-2021-42574).

use std::borrow::Cow;
use std::fmt::Write;

/// Messages longer than this are cut in the middle: a name of 1 MB helps nobody. In characters.
const LONGEST: usize = 1200;

/// Whether a character is shown by its number. Tabs and newlines are the caller's.
pub(super) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Marks of direction, joiners, invisible operators, the byte order mark, annotations, tags.
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Adds the visible form of a hidden character.
pub(super) fn push_hidden(out: &mut String, c: char) {
    // Writing to a String cannot fail.
    let _ = if u32::from(c) < 0x80 {
        write!(out, "\\x{:02x}", u32::from(c))
    } else {
        write!(out, "\\u{{{:x}}}", u32::from(c))
    };
}

/// One line: hidden characters shown, newlines and tabs made spaces, an excess cut out of the middle.
pub fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(LONGEST * 4));
    for c in shorten(text).chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            c if is_hidden(c) => push_hidden(&mut out, c),
            c => out.push(c),
        }
    }
    out
}

/// Several lines: as [`line`], but newlines stay (of any kind) and tabs become four spaces.
pub(super) fn block(text: &str) -> String {
    shorten(text).lines().map(|text| line(&text.replace('\t', "    "))).collect::<Vec<_>>().join("\n")
}

/// A file's name; a newline in it is shown too, so that nobody forges a second line.
pub(super) fn name(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in shorten(text).chars() {
        if is_hidden(c) { push_hidden(&mut out, c) } else { out.push(c) }
    }
    out
}

/// The text, or its beginning and its end.
fn shorten(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST {
        return Cow::Borrowed(text);
    }
    let half = LONGEST / 2;
    let (Some((head, _)), Some((tail, _))) = (text.char_indices().nth(half), text.char_indices().rev().nth(half))
    else {
        return Cow::Borrowed(text);
    };
    if head >= tail {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{} … {}", &text[..head], &text[tail..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_a_terminal_gets_through() {
        assert_eq!(line("a\x1b[2Jb\x07\u{9b}c"), "a\\x1b[2Jb\\x07\\u{9b}c");
        assert_eq!(line("user\u{202e}txt"), "user\\u{202e}txt");
        assert_eq!(line("two\nlines\tand a tab"), "two lines and a tab");
        assert_eq!(block("two\r\nlines\x1b"), "two\nlines\\x1b");
        assert_eq!(name("a\nb.kpol"), "a\\x0ab.kpol");
        assert_eq!(line("größe 日本"), "größe 日本");
    }

    #[test]
    fn a_name_of_a_megabyte_is_cut_in_the_middle() {
        let cut = line(&format!("no syscall `{}`", "ö".repeat(1 << 20)));
        assert!(cut.starts_with("no syscall `öö") && cut.ends_with("öö`") && cut.contains(" … "));
        assert!(cut.chars().count() < LONGEST + 10);
    }
}
