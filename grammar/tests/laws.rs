//! What holds for every text: parsing never panics, places are sound, formatting changes nothing but blanks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use kpol_grammar::tree::{NodeId, Tree};
use kpol_grammar::{MAX_NESTING, Parsed, format, parse, parse_tree, same_meaning};
use proptest::prelude::*;

mod program;

use program::{GAPS, program};

/// Words that the grammar knows, and some that it does not.
const SOUP: &[&str] = &[
    "allow",
    "deny",
    "kill",
    "log",
    "{",
    "}",
    "(",
    ")",
    ",",
    ";",
    "=",
    "==",
    "!=",
    "&&",
    "||",
    "!",
    "~",
    "-",
    "+",
    "<",
    ">",
    "<=",
    ">=",
    "<<",
    "&",
    "|",
    "^",
    "@a",
    "@",
    "@io-1",
    "read",
    "x",
    "when",
    "arch",
    "x86",
    "cap",
    "kernel",
    "5.11",
    "include",
    "\"a/b\"",
    "\"",
    "<a/b>",
    "/*",
    "*/",
    "/* c */",
    "// c\n",
    "/// d\n",
    "//! f\n",
    "\n",
    "\r\n",
    "\r",
    "1",
    "0x5",
    "0xg",
    "9999999999999999999999",
    "in",
    "not",
    "except",
    "default",
    "override",
    "const",
    "group",
    "flags",
    "listener",
    "syscall",
    "on",
    "assert",
    "within",
    ":",
    "*",
    "..",
    "\u{feff}",
    "é",
    "🦀",
    "\0",
    "'",
    "\\",
    "alow",
    "grop",
    "[",
    "#",
    "and",
];

fn soup() -> impl Strategy<Value = String> {
    let gap = prop_oneof![4 => Just(" "), 1 => Just(""), 1 => Just("\n"), 1 => Just("\n    ")];
    prop::collection::vec((prop::sample::select(SOUP), gap), 0..80)
        .prop_map(|words| words.iter().flat_map(|(word, gap)| [*word, *gap]).collect())
}

fn check_node(tree: &Tree, id: NodeId, text: &str) {
    let span = tree.span(id);
    assert!(span.start <= span.end && span.end as usize <= text.len(), "{span:?}");
    assert!(text.is_char_boundary(span.start as usize) && text.is_char_boundary(span.end as usize));
    let mut from = span.start;
    for child in tree.children(id) {
        let inner = tree.span(child);
        if inner.start < inner.end {
            assert!(from <= inner.start && inner.end <= span.end, "{:?} in {:?}", tree.node(child), tree.node(id));
            from = inner.end;
        }
        check_node(tree, child, text);
    }
}

fn check(text: &str) -> Parsed {
    let parsed = parse_tree(text);
    check_node(&parsed.tree, parsed.tree.root(), text);
    let mut last = 0;
    for error in &parsed.errors {
        assert!(error.span.start >= last, "errors in the order of the text");
        last = error.span.start;
        let related = error.related.iter().map(|(span, _)| *span);
        let fixed = error.fix.iter().map(|(_, span, _)| *span);
        for span in [error.span].into_iter().chain(related).chain(fixed) {
            assert!(text.get(span.range()).is_some(), "{error:?}");
        }
        assert!(!error.message.is_empty() && error.message.len() < 400, "{}", error.message);
    }
    let mut last = 0;
    for statement in &parsed.file.statements {
        assert!(statement.span.start >= last && text.get(statement.span.range()).is_some());
        last = statement.span.end;
    }
    // Whatever is not blank is a token, a comment or part of a broken fragment.
    if parsed.errors.is_empty() {
        let mut covered = vec![false; text.len()];
        let comments = parsed.file.comments.iter().map(|comment| comment.span);
        for span in parsed.tree.tokens().map(|id| parsed.tree.span(id)).chain(comments) {
            covered[span.range()].fill(true);
        }
        for (at, letter) in text.char_indices() {
            assert!(covered[at] || letter.is_whitespace() || letter == '\u{feff}', "`{letter}` at {at} is lost");
        }
    }
    parsed
}

fn comments(text: &str) -> Vec<String> {
    let (file, _) = parse(text);
    let texts = file.comments.iter().map(|comment| &text[comment.span.range()]);
    texts.map(|text| text.trim_end().replace("\r\n", "\n")).collect()
}

/// Formats a sound text and checks all that formatting promises.
fn check_format(text: &str) {
    let before = check(text);
    assert_eq!(before.errors, [], "{text}");
    let once = format(text).unwrap();
    let (after, errors) = parse(&once);
    assert_eq!(errors, [], "formatted:\n{once}");
    assert!(same_meaning(&before.file, &after), "meaning changed:\n{once}");
    assert_eq!(comments(text), comments(&once), "comments of:\n{once}");
    let twice = format(&once).unwrap();
    let change = once.lines().zip(twice.lines()).find(|(a, b)| a != b);
    assert!(once == twice, "not idempotent: {change:#?}\n{once}\n---- then\n{twice}");
    assert!(!once.contains('\r') && (once.is_empty() || once.ends_with('\n')) && !once.ends_with("\n\n"));
    assert!(!once.contains("\n\n\n"), "more than one blank line:\n{once}");
    for line in once.lines() {
        assert!(!line.ends_with(' '), "blanks at the end of `{line}`");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_parsed(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn any_bytes_are_parsed(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_words_are_parsed(text in soup()) {
        check(&text);
    }

    #[test]
    fn a_cut_program_is_parsed(text in program(GAPS), at in any::<prop::sample::Index>()) {
        let at = at.index(text.len() + 1);
        if text.is_char_boundary(at) {
            check(&text[..at]);
            check(&text[at..]);
        }
    }

    #[test]
    fn formatting_keeps_everything(text in program(GAPS)) {
        check_format(&text);
    }

    #[test]
    fn formatting_without_comments(text in program(&[" ", "\n", "\n\n\n", "\r\n"])) {
        check_format(&text);
    }

    #[test]
    fn every_mistake_is_one_error(count in 1usize..12, kinds in prop::collection::vec(0usize..MISTAKES.len(), 12)) {
        let mut text = String::from("default deny\n");
        for &kind in &kinds[..count] {
            text.push_str(MISTAKES[kind]);
            text.push_str("\nallow { read, write }\n");
        }
        let parsed = check(&text);
        prop_assert_eq!(parsed.errors.len(), count, "{}\n{:#?}", text, parsed.errors);
    }
}

/// One mistake each; what stands around stays whole.
const MISTAKES: &[&str] = &[
    "alow { read }",
    "grop @x { a, b }",
    "allow read, write",
    "allow { a b }",
    "allow { a; b }",
    "allow { a(x = 1) }",
    "allow { a(x == ) }",
    "allow { a(x < 1 < 2) }",
    "allow { a(!x == 1) }",
    "allow { a(x and y) }",
    "allow { 'a' }",
    "allow { \"a\" }",
    "allow { epoll-wait }",
    "allow { a, , b }",
    "allow {\n    a,\n    b\n",
    "allow { a(x == 1 }",
    "group { a }",
    "group @1 { a }",
    "const X == 1",
    "const 1X = 1",
    "const X = 0xfg",
    "const X = 0x1_0000_0000_0000_0000",
    "const X = { 1 2 }",
    "arch x86_64 aarch64",
    "default deny EPERM",
    "include foo",
    "include \"foo",
    "when kernel < 5.11 { allow { a } }",
    "when arch x86 { allow { a(b = 1) } }",
    "when { allow { a } }",
    "wehn cap X { allow { mount }\n deny { read } }",
    "assert { deny { a } }",
    "assert \"x\" { deny a }",
    "within foo",
    "syscall foo = 3",
    "syscall foo(a int) = 3 on x86",
    "flags log",
    "flags { log tsync }",
    "listener /run/x",
    "override group @x { a }",
    "}",
    ";",
    "allow { a } }",
    "allow { read write(fd == 1) }",
];

/// Pest recurses without a guard of its own: what the scan lets through fits into the small stacks of threads.
#[test]
fn the_deepest_text_fits_in_a_small_stack() {
    let deep = |open: &str, close: &str, levels: usize| [open.repeat(levels), close.repeat(levels)].concat();
    let mut texts = Vec::new();
    for levels in [MAX_NESTING - 2, MAX_NESTING, MAX_NESTING + 1, 10 * MAX_NESTING] {
        texts.push(format!("allow {}", deep("{ @a except ", "}", levels)));
        texts.push(deep("when cap CAP_CHOWN { ", "}", levels));
        for (open, close) in [("(", ")"), ("{ 1, ", "}"), ("!", ""), ("~(", ")"), ("a in { ", "}"), ("[{(", ")}]")] {
            texts.push(format!("allow {{ read(fd == {}) }}", deep(open, close, levels)));
            texts.push(format!("grop @x {{ {} }}", deep(open, close, levels)));
        }
    }
    let small = std::thread::Builder::new().stack_size(512 << 10);
    let tokens = small.spawn(move || texts.iter().map(|text| parse_tree(text).tree.tokens().count()).sum::<usize>());
    assert!(tokens.unwrap().join().unwrap() > 0);
}
