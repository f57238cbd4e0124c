//! Where a cursor stands in a text that need not be whole: which brackets are open around it, and what is before it.
//!
//! ```text
//! allow { socket(family == AF_|          in a condition of `socket`, compared with `family`, the word `AF_` begun
//! when arch x86_64 { de|                 where a statement begins
//! ```
//!
//! A tree of a broken text ends at the break, and that is where a person is typing. So this looks at words and brackets
//! alone, from the beginning of the text to the cursor; comments and strings are passed over.

use kpol_grammar::ast::Span;
use kpol_grammar::words;

/// What may stand at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A statement begins.
    Statement,
    /// A call or a group.
    Pattern,
    /// An argument of a call, or a value.
    Condition {
        /// The call.
        call: String,
        /// The name that a comparison tests, if one is begun.
        tested: Option<String>,
    },
    /// A value of a `const` or a declaration.
    Value,
    /// Behind `default`, `override`, and in an `assert`.
    Action {
        /// `not` may stand there too.
        claim: bool,
    },
    /// In the parentheses of `deny`, `trap`, `trace`.
    Errno,
    /// An ABI.
    Arch,
    /// Behind `when` or `&&`.
    Guard,
    /// `CAP_…`
    Capability,
    /// A kernel's release.
    Kernel,
    /// In `flags { }`.
    Flag,
    /// In the string behind `waive`.
    Title,
    /// In a string of `include` or `within`, or where one begins.
    Path {
        /// `<…>`
        library: bool,
        /// Whether the quote is there.
        quoted: bool,
        /// Of `within`.
        within: bool,
    },
    /// A type of a declared parameter.
    Type,
    /// Nothing that could be known.
    Nothing,
}

/// Where a cursor stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// What may stand there.
    pub place: Place,
    /// The word that is begun and goes on behind the cursor.
    pub word: Span,
    /// The part of it that is before the cursor.
    pub begun: String,
    /// How many commas are between the open parenthesis and the cursor.
    pub argument: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Token<'a> {
    text: &'a str,
    start: usize,
}

impl Token<'_> {
    fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '@')
    }
}

/// An open bracket.
#[derive(Debug, Clone)]
struct Frame {
    kind: FrameKind,
    /// Index of the first token inside.
    inside: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum FrameKind {
    Patterns,
    Body,
    Claims,
    Flags,
    Arguments(String),
    ActionArgument,
    Params,
    /// Parentheses or a set within an expression.
    Inner,
}

/// Where `offset` is.
pub fn of(text: &str, offset: u32) -> Context {
    let offset = floor(text, offset as usize);
    let (tokens, open) = tokens(text, offset);
    let word_char = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let group_char = |c: char| word_char(c) || c == '-' || c == '@';
    // A group's name has dashes: it begins at the `@`.
    let mut start = text[..offset]
        .rfind(|c| !group_char(c))
        .map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    let is_group = text[start..].starts_with('@');
    if !is_group {
        start = text[..offset]
            .rfind(|c| !word_char(c))
            .map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    }
    let rest = text[offset..].find(|c| !if is_group { group_char(c) } else { word_char(c) });
    let word = Span::new(start, rest.map_or(text.len(), |at| offset + at));
    let begun = text[start..offset].to_owned();
    // What is begun is no part of what is before.
    let before: Vec<Token<'_>> = tokens.iter().copied().filter(|token| token.start < start).collect();
    if let Some(open) = open {
        return in_string(text, offset, open, &before);
    }
    let (frames, _) = frames(&before);
    let inside = frames.last().map_or(0, |frame| frame.inside);
    let tail = before.get(inside..).unwrap_or_default();
    let argument = tail.iter().filter(|token| token.text == ",").count();
    let place = match frames.last().map(|frame| &frame.kind) {
        None | Some(FrameKind::Body) => statement(tail),
        Some(FrameKind::Patterns) => pattern(tail),
        Some(FrameKind::Claims) => Place::Action { claim: tail.last().is_none_or(|token| token.text != "not") },
        Some(FrameKind::Flags) => Place::Flag,
        Some(FrameKind::ActionArgument) => Place::Errno,
        Some(FrameKind::Params) => match tail.iter().rev().find(|token| matches!(token.text, ":" | ",")) {
            Some(token) if token.text == ":" => Place::Type,
            _ => Place::Nothing,
        },
        Some(FrameKind::Arguments(_) | FrameKind::Inner) => expression(&before, &frames),
    };
    let argument = match frames.iter().rev().find(|frame| frame.kind != FrameKind::Inner) {
        Some(Frame { kind: FrameKind::Arguments(_), inside })
            if *inside != frames.last().map_or(0, |frame| frame.inside) =>
        {
            commas(&before[*inside..])
        }
        _ => argument,
    };
    Context { place, word, begun, argument }
}

/// The call whose parentheses are open around the cursor, and where its name is.
pub fn call_around(text: &str, offset: u32) -> Option<(String, usize)> {
    let offset = floor(text, offset as usize);
    let (tokens, open) = tokens(text, offset);
    if open.is_some() {
        return None;
    }
    let (frames, _) = frames(&tokens);
    let frame = frames.iter().rev().find(|frame| frame.kind != FrameKind::Inner)?;
    let FrameKind::Arguments(call) = &frame.kind else { return None };
    Some((call.clone(), commas(tokens.get(frame.inside..)?)))
}

/// Commas that stand in no further bracket.
fn commas(tokens: &[Token<'_>]) -> usize {
    let mut depth = 0i32;
    let mut count = 0;
    for token in tokens {
        match token.text {
            "(" | "{" => depth += 1,
            ")" | "}" => depth -= 1,
            "," if depth == 0 => count += 1,
            _ => {}
        }
    }
    count
}

pub(super) fn floor(text: &str, mut offset: usize) -> usize {
    offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// What is open at the cursor and can hold no token.
#[derive(Debug, Clone, Copy)]
enum Open {
    Comment,
    Text { start: usize, library: bool },
}

/// Words and marks up to `end`; a token that reaches beyond is cut there.
fn tokens(text: &str, end: usize) -> (Vec<Token<'_>>, Option<Open>) {
    let mut tokens: Vec<Token<'_>> = Vec::new();
    let mut at = 0;
    let text = &text[..end];
    while at < end {
        let rest = &text[at..];
        let Some(first) = rest.chars().next() else { break };
        let length = if rest.starts_with("//") {
            match rest.find('\n') {
                Some(length) => length,
                None => return (tokens, Some(Open::Comment)),
            }
        } else if rest.starts_with("/*") {
            match rest.find("*/") {
                Some(length) => length + 2,
                None => return (tokens, Some(Open::Comment)),
            }
        } else if first == '"' || first == '<' && follows_path(&tokens) {
            let close = if first == '"' { '"' } else { '>' };
            match rest[1..].find([close, '\n']) {
                Some(length) => {
                    tokens.push(Token { text: &rest[..length + 2], start: at });
                    length + 2
                }
                None => return (tokens, Some(Open::Text { start: at, library: first == '<' })),
            }
        } else if first.is_ascii_alphanumeric() || first == '_' || first == '@' {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || first == '@' && (c == '-' || c == '@');
            let length = rest.find(|c| !word(c)).unwrap_or(rest.len());
            tokens.push(Token { text: &rest[..length], start: at });
            length
        } else if first.is_whitespace() {
            first.len_utf8()
        } else {
            let two = ["==", "!=", "<=", ">=", "&&", "||", "..", "<<", ">>"].iter().find(|two| rest.starts_with(**two));
            let length = two.map_or(first.len_utf8(), |two| two.len());
            tokens.push(Token { text: &rest[..length], start: at });
            length
        };
        at += length;
    }
    (tokens, None)
}

fn follows_path(tokens: &[Token<'_>]) -> bool {
    tokens.last().is_some_and(|token| matches!(token.text, "include" | "within" | "from"))
}

fn in_string(text: &str, offset: usize, open: Open, before: &[Token<'_>]) -> Context {
    let nothing = Span::new(offset, offset);
    let Open::Text { start, library } = open else {
        return Context { place: Place::Nothing, word: nothing, begun: String::new(), argument: 0 };
    };
    let word = before.iter().rev().find(|token| token.start < start).map(|token| token.text);
    let place = match word {
        Some("include") => Place::Path { library, quoted: true, within: false },
        Some("from") => Place::Path { library, quoted: true, within: false },
        Some("waive") => Place::Title,
        Some("within") => Place::Path { library, quoted: true, within: true },
        _ => Place::Nothing,
    };
    let line = text[offset..].find('\n').map_or(text.len(), |at| offset + at);
    let end = text[offset..line].find(if library { '>' } else { '"' }).map_or(offset, |at| offset + at);
    Context { place, word: Span::new(start + 1, end), begun: text[start + 1..offset].to_owned(), argument: 0 }
}

/// The brackets that are open behind the tokens.
fn frames(tokens: &[Token<'_>]) -> (Vec<Frame>, usize) {
    let mut frames: Vec<Frame> = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let inside = index + 1;
        match token.text {
            "{" => {
                let kind = brace(&tokens[..index], &frames);
                frames.push(Frame { kind, inside });
            }
            "(" => {
                let kind = parenthesis(&tokens[..index], &frames);
                frames.push(Frame { kind, inside });
            }
            "}" => {
                // An unclosed parenthesis ends with the braces around it.
                while frames.pop().is_some_and(|frame| {
                    matches!(frame.kind, FrameKind::Arguments(_) | FrameKind::ActionArgument | FrameKind::Params)
                }) {}
                restart(&mut frames, inside);
            }
            ")" if frames.last().is_some_and(|frame| in_parentheses(&frame.kind)) => drop(frames.pop()),
            _ => {}
        }
    }
    let outer = tokens.iter().rposition(|token| token.text == "}").map_or(0, |at| at + 1);
    if frames.is_empty() {
        frames.push(Frame { kind: FrameKind::Body, inside: outer });
    }
    (frames, outer)
}

fn in_parentheses(kind: &FrameKind) -> bool {
    !matches!(kind, FrameKind::Patterns | FrameKind::Body | FrameKind::Claims | FrameKind::Flags)
}

/// Behind a closed block a new statement begins, or a new element.
fn restart(frames: &mut [Frame], inside: usize) {
    if let Some(frame) = frames.last_mut()
        && matches!(frame.kind, FrameKind::Body | FrameKind::Claims)
    {
        frame.inside = inside;
    }
}

fn brace(before: &[Token<'_>], frames: &[Frame]) -> FrameKind {
    let last = before.last().map(|token| token.text);
    match frames.last().map(|frame| &frame.kind) {
        Some(FrameKind::Arguments(_) | FrameKind::Inner) => FrameKind::Inner,
        Some(FrameKind::Patterns | FrameKind::Claims) => FrameKind::Patterns,
        _ => {
            // The word that this statement begins with: look back over what can stand between.
            for token in before.iter().rev() {
                match token.text {
                    "when" => return FrameKind::Body,
                    "assert" => return FrameKind::Claims,
                    "flags" => return FrameKind::Flags,
                    "group" | "except" => return FrameKind::Patterns,
                    "const" | "=" => return FrameKind::Inner,
                    "}" => break,
                    word if words::ACTIONS.contains(&word) => return FrameKind::Patterns,
                    _ => {}
                }
            }
            if last == Some("=") { FrameKind::Inner } else { FrameKind::Patterns }
        }
    }
}

fn parenthesis(before: &[Token<'_>], frames: &[Frame]) -> FrameKind {
    let Some(last) = before.last().filter(|token| token.is_word()) else { return FrameKind::Inner };
    let before_that = before.len().checked_sub(2).and_then(|at| before.get(at)).map(|token| token.text);
    match frames.last().map(|frame| &frame.kind) {
        Some(FrameKind::Patterns) => FrameKind::Arguments(last.text.to_owned()),
        Some(FrameKind::Arguments(_) | FrameKind::Inner) => FrameKind::Inner,
        _ if before_that == Some("syscall") => FrameKind::Params,
        _ if words::ACTIONS.contains(&last.text) => FrameKind::ActionArgument,
        _ => FrameKind::Inner,
    }
}

/// Between statements, or within one that has no bracket.
fn statement(tail: &[Token<'_>]) -> Place {
    let last = tail.last().map(|token| token.text);
    // The word that the last statement begins with, and what is behind it.
    let starts = |token: &Token<'_>| words::KEYWORDS.contains(&token.text) || words::ACTIONS.contains(&token.text);
    let guard_arch = tail.iter().rposition(|token| token.text == "when");
    let at = match guard_arch {
        Some(at) if !tail[at..].iter().any(|token| token.text == "{") => Some(at),
        _ => tail.iter().rposition(starts),
    };
    let Some(at) = at else { return Place::Statement };
    let behind = &tail[at + 1..];
    match tail[at].text {
        "waive" if last == Some("from") => Place::Path { library: false, quoted: false, within: false },
        "waive" if !behind.iter().any(|token| token.text == "because") => Place::Nothing,
        "include" | "within" if behind.is_empty() => {
            Place::Path { library: false, quoted: false, within: tail[at].text == "within" }
        }
        "default" if behind.is_empty() => Place::Action { claim: false },
        "override" if behind.is_empty() => Place::Action { claim: false },
        "arch" if behind.is_empty() || last == Some(",") => Place::Arch,
        "const" => match behind.iter().position(|token| token.text == "=") {
            Some(at) if behind.len() == at + 1 || behind.last().is_some_and(|token| !token.is_word()) => Place::Value,
            Some(_) => Place::Statement,
            None => Place::Nothing,
        },
        "group" | "syscall" | "listener" | "assert" if behind.is_empty() => Place::Nothing,
        "syscall" if behind.iter().any(|token| token.text == "on") && matches!(last, Some("on" | ",")) => Place::Arch,
        "when" => guard(behind),
        _ => Place::Statement,
    }
}

fn guard(behind: &[Token<'_>]) -> Place {
    let part = behind.iter().rposition(|token| token.text == "&&").map_or(behind, |at| &behind[at + 1..]);
    let part = part
        .strip_prefix(&[Token { text: "not", start: part.first().map_or(0, |token| token.start) }][..])
        .unwrap_or(part);
    match part.first().map(|token| token.text) {
        None => Place::Guard,
        Some("arch") if part.len() == 1 || part.last().is_some_and(|token| token.text == ",") => Place::Arch,
        Some("cap") if part.len() == 1 => Place::Capability,
        Some("kernel") => Place::Kernel,
        _ => Place::Nothing,
    }
}

fn pattern(tail: &[Token<'_>]) -> Place {
    match tail.last().map(|token| token.text) {
        None | Some(",") => Place::Pattern,
        _ => Place::Nothing,
    }
}

/// In the parentheses of a call, or in a value.
fn expression(before: &[Token<'_>], frames: &[Frame]) -> Place {
    let call = frames.iter().rev().find(|frame| frame.kind != FrameKind::Inner);
    let Some(Frame { kind: FrameKind::Arguments(call), inside }) = call else { return Place::Value };
    // The condition that the cursor is in: back to what separates conditions, outside of further brackets.
    let tail = before.get(*inside..).unwrap_or_default();
    let mut depth = 0i32;
    let mut start = 0;
    for (index, token) in tail.iter().enumerate() {
        match token.text {
            "(" | "{" => depth += 1,
            ")" | "}" => depth -= 1,
            "," if depth == 0 => start = index + 1,
            "&&" | "||" => start = index + 1,
            _ => {}
        }
    }
    let condition = &tail[start..];
    let operator = condition.iter().any(|token| {
        matches!(token.text, "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "&" | "|" | "^" | "<<" | ">>" | "+" | "-")
    });
    let tested = condition.iter().find(|token| token.is_word() && !matches!(token.text, "not" | "in"));
    let tested = tested.filter(|_| operator).map(|token| token.text.to_owned());
    Place::Condition { call: call.clone(), tested }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use super::*;

    fn place(text: &str) -> Place {
        let at = text.find('|').unwrap();
        of(&text.replacen('|', "", 1), at as u32).place
    }

    fn condition(call: &str, tested: Option<&str>) -> Place {
        Place::Condition { call: call.to_owned(), tested: tested.map(str::to_owned) }
    }

    #[test]
    fn statements_and_what_follows_their_word() {
        for text in
            ["|", "default deny\n|", "allow { read }\nde|", "when arch x86 { al|", "const A = 3 a|", "include \"a\" |"]
        {
            assert_eq!(place(text), Place::Statement, "{text}");
        }
        assert_eq!(place("default |"), Place::Action { claim: false });
        assert_eq!(place("default d|"), Place::Action { claim: false });
        assert_eq!(place("override |"), Place::Action { claim: false });
        assert_eq!(place("arch x86_64, |"), Place::Arch);
        assert_eq!(place("arch |"), Place::Arch);
        assert_eq!(place("when |"), Place::Guard);
        assert_eq!(place("when arch x86 && not c|"), Place::Guard);
        assert_eq!(place("when cap CAP_|"), Place::Capability);
        assert_eq!(place("when not arch |"), Place::Arch);
        assert_eq!(place("const A = AF_|"), Place::Value);
        assert_eq!(place("const A = { AF_|"), Place::Value);
        assert_eq!(place("flags { |"), Place::Flag);
        assert_eq!(place("syscall x = 3 on |"), Place::Arch);
        assert_eq!(place("syscall x(fd: |"), Place::Type);
    }

    #[test]
    fn lists_and_conditions() {
        for text in [
            "allow { |",
            "allow { read, |",
            "group @x { re|",
            "allow { @x except { |",
            "assert \"t\" { deny { |",
            "deny(EPERM) { read, w|",
        ] {
            assert_eq!(place(text), Place::Pattern, "{text}");
        }
        assert_eq!(place("assert \"t\" { |"), Place::Action { claim: true });
        assert_eq!(place("assert \"t\" { deny { a } no|"), Place::Action { claim: true });
        assert_eq!(place("assert \"t\" { not |"), Place::Action { claim: false });
        assert_eq!(place("deny(|"), Place::Errno);
        assert_eq!(place("allow { socket(|"), condition("socket", None));
        assert_eq!(place("allow { socket(family == AF_|, type"), condition("socket", Some("family")));
        assert_eq!(place("allow { socket(family in { AF_UNIX, |"), condition("socket", Some("family")));
        assert_eq!(place("allow { socket(family == AF_UNIX, |"), condition("socket", None));
        assert_eq!(place("allow { clone(clone_flags & (CLONE_|"), condition("clone", Some("clone_flags")));
        assert_eq!(place("allow { socket(family == AF_UNIX && t|"), condition("socket", None));
        assert_eq!(place("allow { kill(|"), condition("kill", None));
    }

    #[test]
    fn paths_comments_and_broken_text() {
        assert_eq!(place("include |"), Place::Path { library: false, quoted: false, within: false });
        assert_eq!(place("include \"org/|"), Place::Path { library: false, quoted: true, within: false });
        assert_eq!(place("include <pro|>"), Place::Path { library: true, quoted: true, within: false });
        assert_eq!(place("within \"|\""), Place::Path { library: false, quoted: true, within: true });
        assert_eq!(place("// allow { |"), Place::Nothing);
        assert_eq!(place("/* x | */ default"), Place::Nothing);
        assert_eq!(
            place("allow { socket(family == }\nallow { |"),
            Place::Pattern,
            "an open parenthesis ends with its braces"
        );
        assert_eq!(place("grop @x {} }} ) allow { |"), Place::Pattern);
    }

    #[test]
    fn the_whole_word_is_replaced() {
        let context = of("allow { @basic-io }", 12);
        assert_eq!((context.word, context.begun.as_str()), (Span::new(8, 17), "@bas"));
        let context = of("allow { so🦀 }", 10);
        assert_eq!((context.word, context.begun.as_str()), (Span::new(8, 10), "so"));
        assert_eq!(call_around("allow { socket(a == 1, (b, c", 27), Some(("socket".to_owned(), 1)));
        assert_eq!(call_around("allow { socket(a) }", 19), None);
    }
}
