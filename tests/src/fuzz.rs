//! What must hold for every input, however broken: the targets of the fuzzer, and how it makes its inputs.
//!
//! ```text
//! corpus (cases, examples, the library) ─→ mutate: cut, join, swap, other words ─→ parser, front_end
//! calls, profiles, filters              ─→ mutate, or bytes changed             ─→ call, json, bpf
//! numbers                               ─→ edits of a small project             ─→ edits
//! definitions that use each other       ─→ as often as a number says            ─→ cost
//! ```
//!
//! | target | what holds |
//! |---|---|
//! | [`parser`] | no panic, spans inside the text, formatting is idempotent and keeps the meaning |
//! | [`front_end`] | no panic, places inside the text, every finding has words, an error leaves no product, every product is proven |
//! | [`edits`] | a check that goes on from the one before says what a check from scratch says |
//! | [`cost`] | a check allocates no more than the length of the text allows |
//! | [`call`] | what `kpolc why` is asked: no panic, and a set of calls in words is the same set |
//! | [`json`] | no panic; what the strict reader takes the lenient one takes; an import is in style and means the profile |
//! | [`bpf`] | no panic; bytes come back; run on symbols is run on numbers; an import is in style and means the filter |
//!
//! The mutations are made of a seed alone, so that a number is all that is needed to see a failure again. They know
//! nothing of the grammar but its words: what breaks parsers is nearly right. `fuzz/` gives the same targets to libFuzzer.

mod corpus;
pub mod cost;
mod edits;
mod targets;

pub use corpus::{calls, policies, products};
pub use edits::edits;
pub use targets::{bpf, call, front_end, json, parser};

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
    "arg2 == 1",
    "reg0",
    "reg5 & 0xff",
    "arg5 & 0xff",
    "fd",
    "AF_UNIX",
    "O_CLOEXEC",
    "flags { log }",
    "listener \"/run/x\"\n",
    "within \"main.kpol\"\n",
    "include \"main.kpol\"\n",
    "include <guard/default>\n",
    "in {",
    "not in {",
];

/// Pieces of JSON profiles.
const JSON_PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "null",
    "true",
    "0",
    "-1",
    "1e3",
    "4294967296",
    "18446744073709551615",
    "18446744073709551616",
    "\\u0000",
    "// x\n",
    "/* x */",
    "\u{feff}",
    "\"names\": [\"read\"],",
    "\"name\": \"read\",",
    "\"action\": \"SCMP_ACT_ERRNO\",",
    "\"action\": \"SCMP_ACT_KILL\",",
    "\"errnoRet\": 38,",
    "\"errno\": \"ENOSYS\",",
    "\"args\": [{\"index\": 0, \"value\": 38, \"op\": \"SCMP_CMP_NE\"}],",
    "\"args\": [{\"index\": 1, \"value\": 7, \"valueTwo\": 2, \"op\": \"SCMP_CMP_MASKED_EQ\"}],",
    "\"includes\": {\"caps\": [\"CAP_SYS_ADMIN\"]},",
    "\"excludes\": {\"arches\": [\"s390x\"]},",
    "\"minKernel\": \"4.8\",",
    "\"architectures\": [\"SCMP_ARCH_X86\", \"SCMP_ARCH_AARCH64\"],",
    "\"socketcall\"",
    "\"ipc\"",
    "\"socket\"",
    "\"read\"",
    "\"SCMP_CMP_GE\"",
    "\"SCMP_CMP_LT\"",
    "\"SCMP_ACT_ALLOW\"",
    "\"SCMP_ACT_NOTIFY\"",
    "\"SCMP_FILTER_FLAG_LOG\"",
];

/// A text made of the corpus.
pub fn mutate(corpus: &[String], random: &mut Random) -> String {
    mutate_by(corpus, PIECES, random)
}

/// A JSON profile, or nearly one.
pub fn mutate_json(corpus: &[String], random: &mut Random) -> String {
    mutate_by(corpus, JSON_PIECES, random)
}

/// A filter, or nearly one: whole instructions and parts of them change.
pub fn mutate_bpf(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    // Those that the kernel takes, and one that it does not.
    const CODES: &[u8] = &[
        0x06, 0x05, 0x15, 0x25, 0x35, 0x45, 0x20, 0x54, 0x44, 0x74, 0x64, 0x04, 0x14, 0x84, 0x00, 0x07, 0x87, 0x02,
        0x60, 0x61, 0x03, 0x1d, 0x5c, 0x16, 0x80, 0x30,
    ];
    const WORDS: &[u32] =
        &[0, 4, 8, 12, 16, 20, 24, 60, 64, 1, 2, 41, 0x4000_0000, 0xc000_003e, 0x4000_0003, 0x7fff_0000];
    let mut program = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(8) {
        if program.len() < 8 {
            break;
        }
        let at = random.below(program.len() / 8) * 8;
        match random.below(8) {
            0 => program[at] = CODES[random.below(CODES.len())],
            1 => program[at + 2] = random.below(8) as u8,
            2 => program[at + 3] = random.below(8) as u8,
            3 => program[at + 4..at + 8].copy_from_slice(&WORDS[random.below(WORDS.len())].to_le_bytes()),
            4 => drop(program.drain(at..at + 8)),
            5 => {
                let copy = program[at..at + 8].to_vec();
                let to = random.below(program.len() / 8) * 8;
                program.splice(to..to, copy);
            }
            6 => program.truncate(at + random.below(9)),
            _ => {
                let byte = random.below(program.len());
                program[byte] ^= 1 << random.below(8);
            }
        }
    }
    program
}

fn mutate_by(corpus: &[String], pieces: &[&str], random: &mut Random) -> String {
    let mut text = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(6) {
        let (from, to) = range(&text, random);
        match random.below(8) {
            0 => text.replace_range(from..to, ""),
            1 => text.truncate(from),
            2 => text.insert_str(from, pieces[random.below(pieces.len())]),
            3 => text.replace_range(from..to, pieces[random.below(pieces.len())]),
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
