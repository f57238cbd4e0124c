//! What a person wrote as a question about calls.
//!
//! ```text
//! socket(AF_ALG, _, protocol = 0)   →   allow { socket(family == AF_ALG, protocol == 0) }
//! ```
//!
//! A question becomes a pattern of the language, so that names, widths and signs mean what they mean in a policy. What the
//! kernel or strace wrote becomes one too ([`record`](super::record), [`trace`](super::trace)).
//!
//! INVARIANT: a message about a question shows its text, never that of the pattern ([`Pattern::in_question`]).

use std::ops::Range;

use super::record::Recorded;
use crate::spec::{Arch, Nr, register};
use crate::tables::{self, Syscall};

/// More bytes than any call has.
const MOST_BYTES: usize = 65_536;

/// Which call is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// By name.
    Name(String),
    /// By number.
    Number(u32),
}

/// Which argument something is said of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    /// The one at that place; the text is its value.
    At(u8),
    /// The register of that number; the text is its value.
    Register(u8),
    /// The parameter of that name, which may begin there in the question; the text is its value.
    Named(String, Option<usize>),
    /// Whatever the text says: a condition of the language.
    Condition,
}

/// What is said of an argument.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Given {
    /// Of which.
    pub whose: Whose,
    /// What: a value, or a condition.
    pub text: String,
    /// Where the text begins in the question, if a person wrote it.
    pub at: Option<usize>,
}

/// A question about a call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    /// Which call.
    pub subject: Subject,
    /// The ABI, where a record says it.
    pub arch: Option<Arch>,
    /// What a record says that a filter answered.
    pub recorded: Option<Recorded>,
    /// What is known of the arguments.
    pub given: Vec<Given>,
}

/// Reads a call that a person wrote.
///
/// # Errors
/// What is wrong with it, in a line.
pub fn parse(text: &str) -> Result<Question, String> {
    if text.len() > MOST_BYTES {
        return Err("a call has at most 65,536 characters".to_owned());
    }
    let shown = text.trim();
    let (name, rest) = match text.find('(') {
        Some(open) => (text[..open].trim(), Some(open + 1)),
        None => (shown, None),
    };
    let subject = match number(name) {
        Some(number) => Subject::Number(u32::try_from(number).map_err(|_| format!("{name} is no syscall's number"))?),
        None if is_name(name) => Subject::Name(name.to_owned()),
        None => return Err(format!("`{shown}` is not a call: write `socket(AF_ALG, _, 0)`, or paste an audit record")),
    };
    let mut given = Vec::new();
    if let Some(start) = rest {
        let end = text.trim_end().strip_suffix(')').ok_or_else(|| format!("`{shown}` lacks its closing `)`"))?.len();
        let inner = text.get(start..end).ok_or_else(|| format!("`{shown}` lacks its closing `)`"))?;
        for (place, range) in split(inner)?.into_iter().enumerate() {
            let part = &inner[range.clone()];
            let at = start + range.start + (part.len() - part.trim_start().len());
            let part = part.trim();
            if matches!(part, "" | "_" | "…" | "...") {
                continue;
            }
            let mut one = assignment(part).unwrap_or_else(|| (Whose::At(u8::try_from(place).unwrap_or(u8::MAX)), part));
            if matches!((&one.0, one.1), (Whose::Named(..), "_" | "…" | "...")) {
                continue;
            }
            if let Whose::Named(_, name_at) = &mut one.0 {
                *name_at = Some(at);
            }
            if matches!(one.0, Whose::At(place) if place > 5) {
                return Err("a call has at most six arguments".to_owned());
            }
            let inside = one.1.as_ptr() as usize - part.as_ptr() as usize;
            given.push(Given { whose: one.0, text: one.1.to_owned(), at: Some(at + inside) });
        }
    }
    Ok(Question { subject, arch: None, recorded: None, given })
}

/// Whether it is a word of letters, digits and `_`.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A number as people write it.
pub(super) fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// At the commas that stand in no brackets and no quotes. What would end the pattern around it is refused here, so that an
/// answer is never about less than the question.
fn split(text: &str) -> Result<Vec<Range<usize>>, String> {
    let (mut parts, mut open, mut start, mut quoted) = (Vec::new(), Vec::new(), 0, None);
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        if let Some(from) = quoted {
            if c == '"' && before != '\\' {
                quoted = None;
            } else if at - from > MOST_BYTES {
                break;
            }
            before = if before == '\\' { ' ' } else { c };
            continue;
        }
        match c {
            '"' => quoted = Some(at),
            '(' => open.push(')'),
            '{' => open.push('}'),
            '[' => open.push(']'),
            ')' | '}' | ']' if open.pop() != Some(c) => return Err(format!("this `{c}` closes nothing: `{text}`")),
            ',' if open.is_empty() => {
                parts.push(start..at);
                start = at + 1;
            }
            '/' | '*' if before == '/' => return Err(format!("a call has no comments: `{text}`")),
            _ => {}
        }
        before = c;
    }
    if let Some(close) = open.pop() {
        return Err(format!("a `{close}` is missing: `{text}`"));
    }
    if quoted.is_some() {
        return Err(format!("a `\"` is missing: `{text}`"));
    }
    parts.push(start..text.len());
    Ok(parts)
}

/// What `name = value` or a comparison says; `None` for a bare value.
fn assignment(part: &str) -> Option<(Whose, &str)> {
    if part.starts_with('"') {
        return None;
    }
    if part.contains(" in ") || ["==", "!=", "<=", ">="].iter().any(|op| part.contains(op)) {
        return Some((Whose::Condition, part));
    }
    if let Some((name, value)) = part.split_once('=') {
        let name = name.trim();
        return Some(match is_name(name) {
            true => (Whose::Named(name.to_owned(), None), value.trim()),
            false => (Whose::Condition, part),
        });
    }
    // `<<` and `>>` are values.
    let shifts = part.replace("<<", "").replace(">>", "");
    shifts.contains(['<', '>']).then_some((Whose::Condition, part))
}

/// A question on one ABI, in the language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// The number that is asked about.
    pub nr: Nr,
    /// A policy that allows just these calls.
    pub policy: String,
    /// Whether these are all calls of the number. Then nothing need be compiled: some numbers are too large to be declared.
    pub all: bool,
    /// Pieces of the policy that stand in the question as they are, and where.
    pieces: Vec<(Range<usize>, usize)>,
}

impl Pattern {
    /// The name in the policy of a number that has none.
    pub const UNNAMED: &str = "asked_about";

    /// Where a place of the policy is in the question: exactly, or at least in which argument.
    pub fn in_question(&self, place: Range<usize>) -> Option<Range<usize>> {
        let exact = self.pieces.iter().find(|(piece, _)| piece.start <= place.start && place.end <= piece.end);
        if let Some((piece, at)) = exact {
            return Some(at + place.start - piece.start..at + place.end - piece.start);
        }
        // A name that was put in stands in front of the value that it is for.
        let next = self.pieces.iter().find(|(piece, _)| place.start < piece.end)?;
        Some(next.1..next.1 + next.0.len())
    }
}

impl Question {
    /// A question about all calls of a name or number.
    pub fn about(subject: Subject) -> Self {
        Self { subject, arch: None, recorded: None, given: Vec::new() }
    }

    /// The number on an ABI, with the call of the tables that has it there; `None` where the ABI has none. `declared` looks up
    /// what the tables lack.
    pub fn number(&self, arch: Arch, declared: &dyn Fn(&str) -> Option<Nr>) -> Option<(Nr, Option<Syscall>)> {
        let known = match &self.subject {
            Subject::Name(name) => tables::syscall(name).filter(|call| call.nr(arch).is_some()),
            Subject::Number(number) => tables::syscall_at(arch, Nr(*number)),
        };
        let nr = match (&self.subject, known) {
            (_, Some(call)) => call.nr(arch)?,
            (Subject::Name(name), None) => declared(name)?,
            (Subject::Number(number), None) => Nr(*number),
        };
        arch.owns(nr).then_some((nr, known))
    }

    /// The call on an ABI; `None` where the ABI has none of that name.
    ///
    /// # Errors
    /// An argument that the call does not have.
    pub fn on(&self, arch: Arch, declared: &dyn Fn(&str) -> Option<Nr>) -> Result<Option<Pattern>, String> {
        let Some((nr, known)) = self.number(arch, declared) else { return Ok(None) };
        let (declaration, name) = match known {
            Some(call) => (String::new(), call.name()),
            None => (format!("syscall {} = {:#x} on {arch}\n", Pattern::UNNAMED, nr.0), Pattern::UNNAMED),
        };
        let mut policy = format!("arch {arch}\ndefault kill\n{declaration}allow {{ {name}(");
        let (mut pieces, mut all) = (Vec::new(), true);
        // Where strace shows more arguments than the kernel has, it shows what is in a structure.
        let params = known.and_then(|call| call.params(arch)).map_or(6, <[_]>::len);
        let decoded = |given: &Given| {
            given.at.is_none() && matches!(given.whose, Whose::At(place) if usize::from(place) >= params)
        };
        let decoded = self.given.iter().any(decoded);
        for given in self.given.iter().filter(|given| !decoded || given.at.is_some()) {
            let Some(left) = given.left_side(known, arch, matches!(self.subject, Subject::Number(_)))? else {
                continue;
            };
            policy.push_str(if all { "" } else { ", " });
            if let Whose::Named(name, Some(at)) = &given.whose {
                pieces.push((policy.len()..policy.len() + name.len(), *at));
            }
            policy.push_str(&left);
            all = false;
            let start = policy.len();
            // A line's end would end the pattern's line, and nothing else.
            policy.extend(given.text.chars().map(|c| if c.is_whitespace() && c.len_utf8() == 1 { ' ' } else { c }));
            pieces.extend(given.at.map(|at| (start..policy.len(), at)));
        }
        policy.push_str(") }\n");
        Ok(Some(Pattern { nr, policy, all, pieces }))
    }

    /// The nearest name, where no ABI has the one that was asked about.
    pub fn near(&self) -> Option<&'static str> {
        match &self.subject {
            Subject::Name(name) => kpol_grammar::did_you_mean(name, Syscall::all().map(Syscall::name)),
            Subject::Number(_) => None,
        }
    }
}

impl Given {
    /// What stands before the text in a condition; `None` where nothing is known: text and structures, which no filter sees.
    /// Who asks by number speaks of registers, of which there are six whatever the call takes.
    fn left_side(&self, call: Option<Syscall>, arch: Arch, by_number: bool) -> Result<Option<String>, String> {
        let place = match &self.whose {
            Whose::Condition => return Ok(Some(String::new())),
            Whose::Register(place) => return Ok(Some(format!("{} == ", register::name(*place)))),
            Whose::Named(name, _) => {
                return Ok((self.at.is_some() || self.has_value(arch)).then(|| format!("{name} == ")));
            }
            Whose::At(place) => *place,
        };
        // What was traced is about the kernel's own parameters, and is left out where it cannot be said of them.
        if self.at.is_none() {
            let unnamed = call.is_some_and(|call| usize::from(place) >= call.nameable(arch));
            if unnamed || !self.has_value(arch) {
                return Ok(None);
            }
        }
        let params = call.and_then(|call| Some((call, call.params(arch)?)));
        if let Some((call, params)) = params {
            // What takes two registers makes room for one more.
            let registers = if call.nameable(arch) < params.len() { 6 } else { params.len() };
            if usize::from(place) >= registers && !by_number {
                return Err(too_many(call, params, &self.text));
            }
        }
        let param = call.and_then(|call| register::param(call, arch, place));
        if param.is_some_and(|param| param.pointer) && self.text.starts_with(['"', '{', '[', '&']) {
            return Ok(None);
        }
        // More than the parameter holds is said of the register.
        let fits = |param: &&tables::Param| {
            let bits = param.bits.min(arch.bits());
            number(&self.text).is_none_or(|value| bits == 64 || value >> bits == 0)
        };
        let name = param.filter(fits).map_or_else(|| register::name(place), |param| param.name.to_owned());
        Ok(Some(format!("{name} == ")))
    }

    /// Whether the ABI has all constants of what was traced.
    fn has_value(&self, arch: Arch) -> bool {
        let known = |word: &str| !word.starts_with(char::is_alphabetic) || tables::constant(word, arch).is_some();
        self.text.split(" | ").all(known)
    }

    /// Which register it is about, where that can be told.
    pub fn register(&self, call: Option<Syscall>, arch: Arch) -> Option<u8> {
        match &self.whose {
            Whose::At(place) | Whose::Register(place) => Some(*place),
            Whose::Condition => None,
            Whose::Named(name, _) => {
                let call = call?;
                let name = call.alias(name).unwrap_or(name);
                let place = call.params(arch)?.iter().position(|param| param.name == name)?;
                u8::try_from(place).ok().filter(|place| register::param(call, arch, *place).is_some())
            }
        }
    }
}

fn too_many(call: Syscall, params: &[tables::Param], text: &str) -> String {
    const COUNTS: [&str; 7] = ["no", "one", "two", "three", "four", "five", "six"];
    let names: Vec<&str> = params.iter().map(|param| param.name).collect();
    let count = COUNTS.get(names.len()).copied().unwrap_or("six");
    let plural = if names.len() == 1 { "" } else { "s" };
    let list = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    format!("`{}` has {count} argument{plural}{list}: there is none for `{text}`", call.name())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn policy(question: &str, arch: Arch) -> Result<String, String> {
        let pattern = parse(question)?.on(arch, &|_| None)?.unwrap();
        Ok(pattern.policy.lines().last().unwrap().to_owned())
    }

    #[test]
    fn a_call_is_a_pattern_of_the_language() {
        for (question, pattern) in [
            ("socket(AF_ALG, _, protocol = 0)", "socket(family == AF_ALG, protocol == 0)"),
            ("socket( 1 , type & 0xf == 1)", "socket(family == 1, type & 0xf == 1)"),
            ("socket(0x100000028)", "socket(reg0 == 0x100000028)"),
            ("openat(_, \"/etc/x,y)\", O_RDWR | O_CREAT)", "openat(flags == O_RDWR | O_CREAT)"),
            ("execve(\"/bin/sh\", [\"sh\"], &env)", "execve()"),
            ("read", "read()"),
            ("socket(1,\n 2)", "socket(family == 1, type == 2)"),
        ] {
            assert_eq!(policy(question, Arch::X86_64).unwrap(), format!("allow {{ {pattern} }}"), "{question}");
        }
        // Only the registers of a 32-bit ABI have room for what takes two.
        assert_eq!(
            policy("pread64(1, 2, 3, 4, 5)", Arch::X86).unwrap(),
            "allow { pread64(fd == 1, buf == 2, count == 3, reg3 == 4, reg4 == 5) }"
        );
        assert!(policy("pread64(1, 2, 3, 4, 5)", Arch::X86_64).is_err());
        // By number it is about registers, and no call takes more than it has.
        assert_eq!(
            policy("39(0, 0, 0, 0, 0, 7)", Arch::X86_64).unwrap(),
            "allow { getpid(reg0 == 0, reg1 == 0, reg2 == 0, reg3 == 0, reg4 == 0, reg5 == 7) }"
        );
    }

    #[test]
    fn what_is_no_call_is_said_to_be_none() {
        for (question, word) in [
            ("", "is not a call"),
            ("(", "is not a call"),
            ("a b", "is not a call"),
            ("socket(", "closing"),
            ("socket)(", "is not a call"),
            ("read(", "closing"),
            ("socket(1,2,3,4)", "`socket` has three arguments (family, type, protocol): there is none for `4`"),
            ("getpid(1)", "`getpid` has no arguments: there is none for `1`"),
            ("mmap(1,2,3,4,5,6,7)", "six"),
            ("socket(1) } allow { read(0)", "closes nothing"),
            ("socket(1 } allow { read(0)", "closes nothing"),
            ("socket(1 // x)", "no comments"),
            ("socket(1 /* x)", "no comments"),
            ("socket((1)", "is missing"),
            ("socket(\"1)", "is missing"),
            ("99999999999", "is no syscall's number"),
            ("\u{0}", "is not a call"),
        ] {
            let said = policy(question, Arch::X86_64).unwrap_err();
            assert!(said.contains(word), "{question}: {said}");
        }
    }

    #[test]
    fn places_of_the_pattern_are_places_of_the_question() {
        let question = "socket( AF_NOPE, famly = 3)";
        let pattern = parse(question).unwrap().on(Arch::X86_64, &|_| None).unwrap().unwrap();
        for (word, there) in [("AF_NOPE", "AF_NOPE"), ("family", "AF_NOPE"), ("famly", "famly"), ("3", "3")] {
            let at = pattern.policy.find(word).unwrap();
            let place = pattern.in_question(at..at + word.len()).unwrap();
            assert_eq!(&question[place], there, "{word}");
        }
        let end = pattern.policy.len();
        assert_eq!(pattern.in_question(end..end), None);
    }
}
