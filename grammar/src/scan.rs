//! The look ahead of the grammar: comments, unclosed strings, and how deep the text nests.
//!
//! ```text
//! allow { a /* x        one chunk 0..15; error: this comment is not closed
//!
//! allow { a             chunk 0..14: nothing of a list can start `deny {`, so the list is open, and
//! deny { b }            what follows is parsed as a chunk of its own
//! ```
//!
//! Pest recurses once a bracket, so the depth is bounded here, before it starts.
//!
//! INVARIANT: within one chunk no point is under more than [`MAX_NESTING`] brackets and prefix operators
//! as the grammar can see them: a bracket is taken from the count only where the grammar leaves it too.

use crate::ast::{Comment, CommentKind, Span};
use crate::parse::{MAX_NESTING, SyntaxError, SyntaxErrorKind};
use crate::words;

/// A part of the text that is parsed on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// What follows was cut out as too deep: what is wrong at the end follows from that.
    pub cut: bool,
}

/// What the scan found.
#[derive(Debug, Default)]
pub struct Scan {
    /// Every comment.
    pub comments: Vec<Comment>,
    /// What the grammar is to parse.
    pub chunks: Vec<Chunk>,
    /// Unclosed comments and strings; too deep nesting.
    pub errors: Vec<SyntaxError>,
}

/// What a `{` or `(` belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Statements.
    When,
    /// Claims.
    Assert,
    /// Patterns, flags, a set.
    List,
    /// What a misspelt word opened: it may hold anything.
    Unknown,
    /// `(`
    Round,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    at: usize,
    kind: Kind,
    /// The depth around it.
    depth: usize,
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    found: Scan,
    open: Vec<Open>,
    depth: usize,
    /// Prefix operators directly before this point, and where they begin.
    run: usize,
    run_start: usize,
    /// What the statement that is being read began with.
    head: Option<Kind>,
    chunk_start: usize,
    /// Too deep since here: the start of what is cut out.
    cut: Option<usize>,
}

/// Looks through `text` from `start` (behind a byte order mark).
pub fn scan(text: &str, start: usize) -> Scan {
    let mut scanner = Scanner {
        text,
        bytes: text.as_bytes(),
        found: Scan::default(),
        open: Vec::new(),
        depth: 0,
        run: 0,
        run_start: 0,
        head: None,
        chunk_start: start,
        cut: None,
    };
    scanner.run(start);
    scanner.found
}

impl Scanner<'_> {
    fn run(&mut self, start: usize) {
        let mut at = start;
        while let Some(&byte) = self.bytes.get(at) {
            let prefix = matches!(byte, b'!' | b'~' | b'-');
            let next = match byte {
                b' ' | b'\t' | b'\r' | b'\n' => at + 1,
                b'/' if self.bytes.get(at + 1) == Some(&b'/') => self.line_comment(at),
                b'/' if self.bytes.get(at + 1) == Some(&b'*') => self.block_comment(at),
                b'"' => self.string(at),
                b'{' | b'(' => self.opening(at, byte),
                b'}' | b')' => self.closing(at, byte),
                b'!' | b'~' | b'-' => self.prefix(at),
                // A group's name whole: `@default except { … }` holds no statement `default except`.
                b'@' => {
                    let name = self.bytes[at + 1..].iter().take_while(|&&byte| is_word(byte) || byte == b'-');
                    at + 1 + name.count()
                }
                _ if is_word(byte) => self.word(at),
                _ => at + 1,
            };
            let blank = matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
                || (byte == b'/' && matches!(self.bytes.get(at + 1), Some(b'/' | b'*')));
            if !prefix && !blank {
                self.run = 0;
                // Too many prefix operators outside of any bracket: the cut ends with what they stand before.
                if self.open.is_empty() && byte != b'}' && byte != b')' && self.cut.is_some() {
                    self.end_cut(next);
                }
            }
            at = next;
        }
        match self.cut {
            Some(cut) => self.push_chunk(cut, true),
            None => self.push_chunk(self.bytes.len(), false),
        }
    }

    fn push_chunk(&mut self, end: usize, cut: bool) {
        self.found.chunks.push(Chunk { start: self.chunk_start.min(end), end, cut });
    }

    fn end_cut(&mut self, next: usize) {
        if let Some(cut) = self.cut.take() {
            self.push_chunk(cut, true);
            self.chunk_start = next;
        }
    }

    fn error(&mut self, kind: SyntaxErrorKind, span: Span, message: &str, help: Option<&str>) {
        self.found.errors.push(SyntaxError {
            kind,
            span,
            message: message.to_owned(),
            related: None,
            help: help.map(str::to_owned),
            fix: None,
        });
    }

    fn line_comment(&mut self, at: usize) -> usize {
        let end =
            self.bytes[at..].iter().position(|&byte| byte == b'\n').map_or(self.bytes.len(), |length| at + length);
        let text = self.text[at..end].trim_end_matches('\r');
        let kind = if text.starts_with("//!") {
            CommentKind::FileDoc
        } else if text.starts_with("///") && !text.starts_with("////") {
            CommentKind::Doc
        } else {
            CommentKind::Line
        };
        self.found.comments.push(Comment { span: Span::new(at, at + text.len()), kind });
        end
    }

    fn block_comment(&mut self, at: usize) -> usize {
        let end = match self.text[at + 2..].find("*/") {
            Some(length) => at + 2 + length + 2,
            None => {
                let help = Some("close it with `*/`");
                self.error(SyntaxErrorKind::Unclosed, Span::new(at, at + 2), "this comment is not closed", help);
                self.bytes.len()
            }
        };
        self.found.comments.push(Comment { span: Span::new(at, end), kind: CommentKind::Block });
        end
    }

    fn string(&mut self, at: usize) -> usize {
        let mut end = at + 1;
        loop {
            match self.bytes.get(end) {
                Some(b'"') => return end + 1,
                Some(b'\\') if !matches!(self.bytes.get(end + 1), None | Some(b'\n' | b'\r')) => {
                    // The escaped character may be longer than a byte.
                    end += 1 + self.text[end + 1..].chars().next().map_or(0, char::len_utf8);
                }
                None | Some(b'\n' | b'\r') => {
                    let end = at + self.text[at..end].trim_end().len();
                    let help = Some("a text ends on the line where it begins: close it with `\"`");
                    self.error(SyntaxErrorKind::Unclosed, Span::new(at, end), "this text is not closed", help);
                    return end;
                }
                Some(_) => end += 1,
            }
        }
    }

    fn too_deep(&mut self, at: usize) {
        if self.cut.is_some() {
            return;
        }
        let root = self.open.first().map_or(if self.run > 0 { self.run_start } else { at }, |open| open.at);
        self.cut = Some(root);
        let message = format!("nested too deep: more than {MAX_NESTING} levels");
        self.error(SyntaxErrorKind::TooDeep, Span::new(at, at + 1), &message, None);
    }

    fn opening(&mut self, at: usize, byte: u8) -> usize {
        let kind = match byte {
            b'(' => Kind::Round,
            _ if self.at_statement() => self.head.take().unwrap_or(Kind::Unknown),
            _ => Kind::List,
        };
        let outer = self.depth;
        self.depth += self.run + 1;
        if self.depth > MAX_NESTING {
            self.too_deep(at);
        }
        self.open.push(Open { at, kind, depth: outer });
        at + 1
    }

    fn closing(&mut self, at: usize, byte: u8) -> usize {
        if byte == b')' {
            // A `)` that closes no `(` directly is junk of an element; a set before it is left by the
            // grammar, which only makes the count here too high.
            if self.open.last().is_some_and(|open| open.kind == Kind::Round) {
                self.pop();
            }
        } else {
            while self.open.last().is_some_and(|open| open.kind == Kind::Round) {
                self.pop();
            }
            self.pop();
        }
        if self.open.is_empty() {
            self.end_cut(at + 1);
        }
        at + 1
    }

    fn pop(&mut self) {
        if let Some(open) = self.open.pop() {
            self.depth = open.depth;
        }
    }

    fn prefix(&mut self, at: usize) -> usize {
        if self.run == 0 {
            self.run_start = at;
        }
        self.run += 1;
        // A minus between two operands is one operator, not a level.
        if self.depth + self.run > MAX_NESTING + 1 {
            self.too_deep(at);
        }
        at + 1
    }

    /// Whether a statement may start here.
    fn at_statement(&self) -> bool {
        self.open.last().is_none_or(|open| open.kind == Kind::When)
    }

    fn word(&mut self, at: usize) -> usize {
        let end = at + self.bytes[at..].iter().take_while(|&&byte| is_word(byte)).count();
        let Some(start) = self.statement_start(at, end) else { return end };
        if self.at_statement() {
            // `when arch x86 {`: the condition looks like a statement.
            let condition = self.head == Some(Kind::When) && &self.text[at..end] == "arch";
            if !condition {
                self.head = self.opens_brace(at, end).then_some(start);
            }
        } else if self.cut.is_none() {
            self.leave_open_list(at, start, end);
        }
        end
    }

    /// A statement starts where a list is still open.
    fn leave_open_list(&mut self, at: usize, start: Kind, end: usize) {
        // Inside `when` the grammar leaves the list by itself. A claim looks like a rule.
        let claim = words::ACTIONS.contains(&&self.text[at..end]);
        let stays = |open: &Open| match open.kind {
            Kind::When | Kind::Unknown => true,
            Kind::Assert => claim,
            Kind::List | Kind::Round => false,
        };
        if !self.open.iter().any(stays) {
            self.push_chunk(at, false);
            self.chunk_start = at;
            self.open.clear();
            self.depth = 0;
            self.head = self.opens_brace(at, end).then_some(start);
        }
    }

    /// Whether the statement that begins with this word is one with braces.
    fn opens_brace(&self, at: usize, end: usize) -> bool {
        match &self.text[at..end] {
            "include" | "within" | "waive" | "default" | "arch" | "syscall" | "listener" | "override" => false,
            "const" => {
                let name = self.skip_blank(end);
                let behind = name + self.bytes[name..].iter().take_while(|&&byte| is_word(byte)).count();
                self.bytes.get(self.skip_blank(self.skip_blank(behind) + 1)) == Some(&b'{')
            }
            _ => true,
        }
    }

    /// Whether the word at `at..end` can only begin a statement; the same as `statement_start` of the
    /// grammar. What the `{` of that statement will hold.
    fn statement_start(&self, at: usize, end: usize) -> Option<Kind> {
        let word = &self.text[at..end];
        if !words::KEYWORDS.contains(&word) && !words::ACTIONS.contains(&word) {
            return None;
        }
        let next = self.skip_blank(end);
        let byte = self.bytes.get(next).copied();
        let name = next > end && byte.is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        let name_end = next + self.bytes[next.min(self.bytes.len())..].iter().take_while(|&&b| is_word(b)).count();
        let starts = match word {
            "include" | "within" => matches!(byte, Some(b'"' | b'<')),
            "assert" | "waive" | "listener" => byte == Some(b'"'),
            "default" | "arch" | "syscall" | "override" => name,
            "const" => name && self.bytes.get(self.skip_blank(name_end)) == Some(&b'='),
            "group" => byte == Some(b'@'),
            "when" => name && matches!(&self.text[next..name_end], "arch" | "cap" | "kernel" | "not"),
            "flags" => byte == Some(b'{'),
            _ => byte == Some(b'{') || (byte == Some(b'(') && self.argument_and_brace(next)),
        };
        starts.then_some(match word {
            "when" => Kind::When,
            "assert" => Kind::Assert,
            _ => Kind::List,
        })
    }

    /// `(…) {` at `at`, on one line and without brackets inside, but for those in comments.
    fn argument_and_brace(&self, at: usize) -> bool {
        let mut stop = at + 1;
        loop {
            match self.bytes.get(stop) {
                Some(b')') => return self.bytes.get(self.skip_blank(stop + 1)) == Some(&b'{'),
                None | Some(b'(' | b'{' | b'}' | b'\n' | b'\r') => return false,
                Some(b'/') => match self.bytes.get(stop + 1) {
                    Some(b'/') => return false,
                    Some(b'*') => {
                        let inside = self.text[stop + 2..].find("*/");
                        stop = inside.map_or(self.bytes.len(), |length| stop + length + 4);
                    }
                    _ => stop += 1,
                },
                Some(_) => stop += 1,
            }
        }
    }

    fn skip_blank(&self, at: usize) -> usize {
        skip_blank(self.text, at)
    }
}

/// The first byte at or behind `at` that is neither blank nor in a comment.
pub fn skip_blank(text: &str, mut at: usize) -> usize {
    let bytes = text.as_bytes();
    loop {
        match bytes.get(at) {
            Some(b' ' | b'\t' | b'\r' | b'\n') => at += 1,
            Some(b'/') if bytes.get(at + 1) == Some(&b'/') => {
                at = bytes[at..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |length| at + length);
            }
            Some(b'/') if bytes.get(at + 1) == Some(&b'*') => {
                at = text[at + 2..].find("*/").map_or(bytes.len(), |length| at + length + 4);
            }
            _ => return at,
        }
    }
}

/// A byte of a name or number.
pub fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use crate::parse::parse;

    #[test]
    fn what_a_comment_says_begins_no_statement() {
        for text in [
            "allow { kill( // ) {\n pid == 0) }",
            "allow { kill ( /* ) { */ pid == 0), read }",
            "allow { trap(n /* a */ == 1 // ) {\n), kill /* ( */ (pid == 0) /* { */ }",
        ] {
            let errors = parse(text).1;
            assert!(errors.is_empty(), "{text}: {errors:?}");
        }
        let errors = parse("allow { read\ndeny(/* why ) */ EPERM) { write }").1;
        assert_eq!(errors.len(), 1, "{errors:?}");
    }

    #[test]
    fn a_group_that_is_named_like_a_statement_is_a_group() {
        for text in ["allow { @default except { futex }, read }", "group @mine { @arch, @my-default except { read } }"]
        {
            let errors = parse(text).1;
            assert!(errors.is_empty(), "{text}: {errors:?}");
        }
    }
}
