//! What holds for every text: parsing never panics, places are sound, formatting changes nothing but blanks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use kpol_grammar::tree::{NodeId, Tree};
use kpol_grammar::{MAX_NESTING, Parsed, format, parse, parse_tree, same_meaning};
use proptest::prelude::*;

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

/// A sound program, by choices that a list of numbers makes.
struct Program {
    choices: std::vec::IntoIter<u16>,
    tokens: Vec<String>,
    depth: usize,
}

impl Program {
    fn pick(&mut self, below: usize) -> usize {
        self.choices.next().map_or(0, usize::from) % below
    }

    fn put(&mut self, token: &str) {
        self.tokens.push(token.to_owned());
    }

    fn word(&mut self, words: &[&str]) {
        let index = self.pick(words.len());
        self.put(words[index]);
    }

    fn list(&mut self, most: usize, mut element: impl FnMut(&mut Self)) {
        let count = self.pick(most + 1);
        for index in 0..count {
            element(self);
            if index + 1 < count || self.pick(2) == 0 {
                self.put(",");
            }
        }
    }

    fn patterns(&mut self) {
        self.put("{");
        self.depth += 1;
        self.list(9, Self::pattern);
        self.depth -= 1;
        self.put("}");
    }

    fn pattern(&mut self) {
        match self.pick(6) {
            0 => self.word(&["@file-system", "@io", "@a_1"]),
            1 => {
                self.word(&["socket", "ioctl", "kill"]);
                self.put("(");
                self.list(4, Self::expr);
                self.put(")");
            }
            _ => self.word(&["read", "write", "when", "kill", "process_vm_writev", "epoll_wait", "rt_sigprocmask"]),
        }
        if self.depth < 4 && self.pick(8) == 7 {
            self.put("except");
            self.patterns();
        }
    }

    fn expr(&mut self) {
        self.depth += 1;
        let operands = if self.depth > 5 { 1 } else { 1 + self.pick(4) };
        let mut compared = false;
        for index in 0..operands {
            if index > 0 {
                match self.pick(6) {
                    0 if !compared => {
                        self.word(&["==", "!=", "<", "<=", ">", ">="]);
                        compared = true;
                    }
                    1 if !compared => {
                        if self.pick(2) == 0 {
                            self.put("not");
                        }
                        self.put("in");
                        compared = true;
                    }
                    2 | 3 => {
                        self.word(&["&&", "||"]);
                        compared = false;
                    }
                    _ => self.word(&["|", "&", "^", "<<", ">>", "+", "-"]),
                }
            }
            self.operand();
        }
        self.depth -= 1;
    }

    fn operand(&mut self) {
        if self.pick(6) == 5 {
            self.word(&["~", "-"]);
        }
        match self.pick(7) {
            0 if self.depth < 5 => {
                self.put("(");
                self.expr();
                self.put(")");
            }
            1 if self.depth < 5 => {
                self.put("{");
                self.list(5, |program| {
                    program.expr();
                    if program.pick(4) == 3 {
                        program.put("..");
                        program.expr();
                    }
                });
                self.put("}");
            }
            2 | 3 => self.word(&["1", "0x5401", "0o17", "0b1_0", "18446744073709551615"]),
            _ => self.word(&["fd", "family", "AF_UNIX", "CLONE_NEWUSER", "SOCK_TYPE_MASK", "PR_SET_NAME"]),
        }
    }

    fn action(&mut self) {
        self.word(&["allow", "deny", "kill", "kill_thread", "log", "trap", "trace", "notify"]);
        if self.pick(3) == 2 {
            self.put("(");
            self.expr();
            self.put(")");
        }
    }

    fn archs(&mut self) {
        self.word(&["x86_64", "aarch64"]);
        for _ in 0..self.pick(3) {
            self.put(",");
            self.word(&["arm", "riscv64"]);
        }
    }

    fn rule(&mut self) {
        self.action();
        self.patterns();
    }

    fn statement(&mut self) {
        match self.pick(16) {
            0 => {
                self.put("include");
                self.word(&["\"a//b.kpol\"", "<profiles/base>", "\"\""]);
            }
            1 => {
                if self.pick(2) == 1 {
                    self.put("override");
                }
                self.put("default");
                self.action();
            }
            2 => {
                self.put("arch");
                self.archs();
            }
            3 => {
                self.put("const");
                self.word(&["A", "WEB_FAMILIES"]);
                self.put("=");
                self.expr();
            }
            4 | 5 => {
                self.put("group");
                self.word(&["@worker", "@x-1"]);
                self.patterns();
            }
            6 if self.depth < 4 => {
                self.put("when");
                for index in 0..=self.pick(2) {
                    if index > 0 {
                        self.put("&&");
                    }
                    if self.pick(3) == 2 {
                        self.put("not");
                    }
                    match self.pick(3) {
                        0 => {
                            self.put("arch");
                            self.archs();
                        }
                        1 => {
                            self.put("cap");
                            self.put("CAP_SYS_ADMIN");
                        }
                        _ => {
                            self.put("kernel");
                            self.put(">=");
                            self.word(&["5.11", "6"]);
                        }
                    }
                }
                self.put("{");
                self.depth += 1;
                for _ in 0..self.pick(4) {
                    self.statement();
                }
                self.depth -= 1;
                self.put("}");
            }
            7 => {
                self.put("assert");
                self.word(&["\"AF_ALG stays shut\"", "\"\\\"quoted\\\" /* no comment */\""]);
                self.put("{");
                for _ in 0..self.pick(4) {
                    if self.pick(2) == 1 {
                        self.put("not");
                    }
                    self.rule();
                    if self.pick(2) == 1 {
                        self.put(",");
                    }
                }
                self.put("}");
            }
            8 => {
                self.put("within");
                self.put("\"org/base.kpol\"");
            }
            9 => {
                self.put("syscall");
                self.put("listns");
                if self.pick(2) == 1 {
                    self.put("(");
                    self.list(3, |program| {
                        program.word(&["fd", "path"]);
                        program.put(":");
                        for word in [&["int"][..], &["const", "char", "*"], &["unsigned", "long"], &["void", "*", "*"]]
                            [program.pick(4)]
                        {
                            program.put(word);
                        }
                    });
                    self.put(")");
                }
                self.put("=");
                self.put("470");
                self.put("on");
                self.archs();
            }
            10 => {
                self.put("flags");
                self.put("{");
                self.list(3, |program| program.word(&["log", "tsync", "spec_allow"]));
                self.put("}");
            }
            11 => {
                self.put("listener");
                self.put("\"/run/x.sock\"");
                if self.pick(2) == 1 {
                    self.put("\"meta\"");
                }
            }
            _ => {
                if self.pick(4) == 3 {
                    self.put("override");
                }
                self.rule();
            }
        }
    }
}

const GAPS: &[&str] = &[
    " ",
    " ",
    " ",
    " ",
    " ",
    "  ",
    "\n",
    "\n",
    "\n\n",
    "\n\n\n\n",
    "\t",
    "\r\n",
    " // end of line\n",
    "\n// own line\n",
    "\n\n    // after a blank\n\n",
    " /* inline */ ",
    "/**/",
    "\n/* own */ ",
    "\n/* own */\n",
    " /* two\n   lines */ ",
    "\n/// doc\n",
    "\n//! file\n",
    " /// odd\r\n",
    " // trailing blanks  \n",
    "// a\n// b\n",
];

/// Sound programs with blanks and comments of every kind between any two tokens.
fn program(gaps: &'static [&'static str]) -> impl Strategy<Value = String> {
    let choices = prop::collection::vec(any::<u16>(), 0..300);
    let blanks = prop::collection::vec(prop_oneof![3 => Just(" "), 1 => prop::sample::select(gaps)], 1..200);
    (choices, blanks).prop_map(|(choices, blanks)| {
        let mut program = Program { choices: choices.into_iter(), tokens: Vec::new(), depth: 0 };
        for _ in 0..1 + program.pick(6) {
            program.statement();
        }
        let mut text = String::new();
        for (index, token) in program.tokens.iter().enumerate() {
            text.push_str(token);
            text.push_str(blanks[index % blanks.len()]);
        }
        text
    })
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
