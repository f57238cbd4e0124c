//! What must hold for every text, however broken: the targets of the fuzzer, and how it makes its texts.
//!
//! ```text
//! corpus (cases, examples, the library) ─→ mutate: cut, join, swap, other words ─→ parser, front_end
//! ```
//!
//! | target | what holds |
//! |---|---|
//! | [`parser`] | no panic, spans inside the text, formatting is idempotent and keeps the meaning |
//! | [`front_end`] | no panic, places inside the text, every finding has words, an error leaves no product, every product is proven |
//!
//! The mutations are made of a seed alone, so that a number is all that is needed to see a failure again. They know
//! nothing of the grammar but its words: what breaks parsers is nearly right. `fuzz/` gives the same targets to libFuzzer.

use std::path::Path;

use kpol_compiler::driver::{Format, Options, build, check};
use kpol_compiler::source::Memory;

use crate::case::{laws, proven};

/// The parser and the formatter.
///
/// # Panics
/// Where something does not hold.
pub fn parser(text: &str) {
    let parsed = kpol_grammar::parse_tree(text);
    for id in parsed.tree.tokens() {
        assert!(text.get(parsed.tree.span(id).range()).is_some(), "a token outside of the text");
    }
    let (file, errors) = kpol_grammar::parse(text);
    for error in &errors {
        assert!(text.get(error.span.range()).is_some(), "outside of the text: {error:?}");
        assert!(!error.message.is_empty() && !error.message.contains('\n'), "{error:?}");
        if let Some((_, span, _)) = &error.fix {
            assert!(text.get(span.range()).is_some(), "a fix outside of the text: {error:?}");
        }
    }
    match kpol_grammar::format(text) {
        None => assert!(!errors.is_empty(), "no errors, and not formatted"),
        Some(formatted) => {
            assert!(errors.is_empty(), "formatted in spite of {errors:?}");
            assert_eq!(kpol_grammar::format(&formatted).as_ref(), Some(&formatted), "formatting twice is not once");
            let (again, _) = kpol_grammar::parse(&formatted);
            assert!(kpol_grammar::same_meaning(&file, &again), "formatting changes the meaning");
        }
    }
}

/// Everything from the text to its products.
///
/// # Panics
/// Where something does not hold.
pub fn front_end(text: &str) {
    let memory = Memory::from([("main.kpol", text)]);
    let main = Path::new("main.kpol");
    let formats = [Format::Json, Format::Bpf];
    let checked = check(&memory, main, &Options::default(), &formats);
    for diagnostic in &checked.diagnostics {
        laws(&checked.sources, diagnostic);
        assert_ne!(diagnostic.code.as_str(), "E099", "{diagnostic:?}");
    }
    // Capabilities and kernel settled, so that nothing stands in the way of BPF.
    let settled =
        Options { caps: Some(Default::default()), kernel: Some("6.1".parse().unwrap()), ..Options::default() };
    for format in formats {
        let (checked, products) = build(&memory, main, &settled, &[format]);
        checked.diagnostics.iter().for_each(|diagnostic| laws(&checked.sources, diagnostic));
        assert!(checked.diagnostics.iter().all(|found| found.code.as_str() != "E099"), "{:?}", checked.diagnostics);
        assert_eq!(products.is_empty(), checked.has_errors(), "a product if and only if there is no error");
        products.iter().for_each(|product| proven(&checked, product));
    }
}

/// A small generator of numbers (xorshift64*, Vigna 2016): the same seed gives the same text everywhere.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// One that begins at `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end.max(1)
    }
}

/// Pieces that are put in anywhere.
const PIECES: &[&str] = &[
    "{",
    "}",
    "(",
    ")",
    ",",
    "@",
    "\"",
    "<",
    ">",
    "=",
    "==",
    "!=",
    "<=",
    "..",
    "&",
    "&&",
    "|",
    "||",
    "!",
    "~",
    "-",
    "<<",
    "//",
    "///",
    "/*",
    "*/",
    "\n",
    "\r\n",
    "\t",
    " ",
    "\u{feff}",
    "é",
    "🦀",
    "\u{1b}",
    "0",
    "1",
    "-1",
    "0xffffffff",
    "0xffff_ffff_ffff_ffff",
    "18446744073709551616",
    "0x",
    "default deny\n",
    "allow ",
    "deny(ENOSYS) ",
    "kill ",
    "notify ",
    "trap(3) ",
    "override ",
    "except { read }",
    "when arch aarch64 { ",
    "when cap CAP_SYS_ADMIN { ",
    "when not ",
    "when kernel >= 5.11 { ",
    "assert \"x\" { not allow { ",
    "arch x86_64, x86, x32\n",
    "arch mips64, s390x\n",
    "const A = {1, 2..4}\n",
    "const B = A\n",
    "group @g { @g }\n",
    "group @h { @mount }\n",
    "syscall frob = 4700 on x86_64\n",
    "socket(family == AF_ALG)",
    "ioctl(cmd in {TCGETS, 3..9})",
    "clone(flags & 1 == 0)",
    "lseek(offset < -5)",
    "@known",
    "arg0",
    "arg5 & 0xff",
    "fd",
    "AF_UNIX",
    "O_CLOEXEC",
    "flags { log }",
    "listener \"/run/x\"\n",
    "within \"main.kpol\"\n",
    "include \"main.kpol\"\n",
    "include <profiles/guardrails>\n",
    "in {",
    "not in {",
];

/// A text made of the corpus.
pub fn mutate(corpus: &[String], random: &mut Random) -> String {
    let mut text = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(6) {
        let (from, to) = range(&text, random);
        match random.below(8) {
            0 => text.replace_range(from..to, ""),
            1 => text.truncate(from),
            2 => text.insert_str(from, PIECES[random.below(PIECES.len())]),
            3 => text.replace_range(from..to, PIECES[random.below(PIECES.len())]),
            4 => {
                let piece = text[from..to].to_owned();
                text.insert_str(to, &piece);
            }
            5 => {
                let other = &corpus[random.below(corpus.len())];
                let (begin, end) = range(other, random);
                text.insert_str(from, &other[begin..end]);
            }
            6 => swap_words(&mut text, random),
            _ => {
                let other = &corpus[random.below(corpus.len())];
                text.push('\n');
                text.push_str(other);
            }
        }
        if text.len() > 20_000 {
            let end = boundary(&text, 20_000);
            text.truncate(end);
        }
    }
    text
}

/// Two places between characters, mostly near to each other.
fn range(text: &str, random: &mut Random) -> (usize, usize) {
    let from = boundary(text, random.below(text.len() + 1));
    let length = if random.below(4) == 0 { random.below(400) } else { random.below(12) };
    (from, boundary(text, (from + length).min(text.len())))
}

fn boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn swap_words(text: &mut String, random: &mut Random) {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let words: Vec<&str> = text.split(|letter| !is_word(letter)).filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        return;
    }
    let (one, other) = (words[random.below(words.len())].to_owned(), words[random.below(words.len())].to_owned());
    *text = text.replacen(&one, &other, 1 + random.below(3));
}
