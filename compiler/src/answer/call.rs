//! What a person wrote, or the kernel logged, as a question about calls.
//!
//! ```text
//! socket(AF_ALG, _, protocol = 0)              →  socket, with family == AF_ALG, protocol == 0
//! type=1326 … arch=c000003e syscall=41 …       →  number 41 on x86_64
//! ```
//!
//! A question becomes a pattern of the language, so that names, widths and signs mean what they mean in a policy.

use crate::spec::{Action, Arch, Nr, register};
use crate::tables;

/// Which call is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// By name.
    Name(String),
    /// By number.
    Number(u32),
}

/// What is said of an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Given {
    /// The value of the argument at that place.
    At(u8, String),
    /// A condition of the language.
    Test(String),
}

/// A question about a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Which call.
    pub subject: Subject,
    /// The ABI, where a record says it.
    pub arch: Option<Arch>,
    /// What a record says that a filter answered.
    pub recorded: Option<Action>,
    given: Vec<Given>,
}

/// Reads a call, or a line of the audit log.
///
/// # Errors
/// What is wrong with it, in a line.
pub fn parse(text: &str) -> Result<Question, String> {
    let text = text.trim();
    if text.len() > 65_536 {
        return Err("a call has at most 65,536 characters".to_owned());
    }
    if field(text, "syscall").is_some() {
        return record(text);
    }
    let (name, rest) = text.split_once('(').map_or((text, None), |(name, rest)| (name.trim(), Some(rest)));
    let subject = match number(name) {
        Some(number) => Subject::Number(u32::try_from(number).map_err(|_| format!("{name} is no syscall's number"))?),
        None if is_name(name) => Subject::Name(name.to_owned()),
        None if field(text, "type").is_some() => {
            return Err("this record does not say which call it was: there is no `syscall=…` in it".to_owned());
        }
        None => return Err(format!("`{text}` is not a call: write `socket(AF_ALG, _, 0)`, or paste an audit record")),
    };
    let mut given = Vec::new();
    if let Some(rest) = rest {
        let inner = rest.trim_end().strip_suffix(')').ok_or_else(|| format!("`{text}` lacks its closing `)`"))?;
        for (place, part) in split(inner).into_iter().enumerate() {
            let place = u8::try_from(place).unwrap_or(u8::MAX);
            let part = part.trim();
            if matches!(part, "" | "_" | "…" | "...") {
                continue;
            }
            given.push(match assignment(part) {
                Some(test) => Given::Test(test),
                None if place < 6 => Given::At(place, part.to_owned()),
                None => return Err("a call has at most six arguments".to_owned()),
            });
        }
    }
    Ok(Question { subject, arch: None, recorded: None, given })
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// At the commas that stand in no brackets.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0i32, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' | '{' => depth += 1,
            ')' | '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// The condition that `name = value` or a comparison is; `None` for a bare value.
fn assignment(part: &str) -> Option<String> {
    if part.contains(" in ") || ["==", "!=", "<=", ">="].iter().any(|op| part.contains(op)) {
        return Some(part.to_owned());
    }
    if let Some((name, value)) = part.split_once('=') {
        return Some(format!("{} == {}", name.trim(), value.trim()));
    }
    // `<<` and `>>` are values.
    let shifts = part.replace("<<", "").replace(">>", "");
    shifts.contains(['<', '>']).then(|| part.to_owned())
}

/// The value of `key=value` in a record.
fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.split([' ', ',', '\t', '\u{1d}', '\n'])
        .filter_map(|word| word.split_once('='))
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value.trim_matches('"'))
}

/// `type=1326 audit(…): … arch=c000003e syscall=41 … code=0x50000`, raw or as `ausearch -i` shows it.
fn record(text: &str) -> Result<Question, String> {
    let syscall = field(text, "syscall").unwrap_or_default();
    let subject = match number(syscall) {
        Some(number) => Subject::Number(u32::try_from(number).map_err(|_| format!("syscall={syscall} is no number"))?),
        None if is_name(syscall) => Subject::Name(syscall.to_owned()),
        None => return Err(format!("syscall={syscall} is neither a number nor a name")),
    };
    let number = match subject {
        Subject::Number(number) => Some(number),
        Subject::Name(_) => None,
    };
    let arch = match field(text, "arch") {
        None => None,
        Some(word) => Some(record_arch(word, number).ok_or_else(|| format!("no ABI is known as arch={word}"))?),
    };
    let hex = |value: &str| u64::from_str_radix(value.trim_start_matches("0x"), 16).ok();
    // Only these are registers as they were; `ausearch -i` writes some of them in words that are not the kernel's.
    let given = (0..6)
        .filter_map(|place| Some((place, field(text, &format!("a{place}")).and_then(hex)?)))
        .map(|(place, value)| Given::Test(format!("reg{place} == {value:#x}")))
        .collect();
    let recorded = field(text, "code").and_then(hex).and_then(|code| u32::try_from(code).ok()).map(Action::from_ret);
    Ok(Question { subject, arch, recorded, given })
}

fn record_arch(word: &str, number: Option<u32>) -> Option<Arch> {
    let token = u32::from_str_radix(word.trim_start_matches("0x"), 16).ok();
    let named = match word {
        "i386" | "i486" | "i586" | "i686" => Some(Arch::X86),
        "armeb" => Some(Arch::Arm),
        _ => Arch::from_name(word),
    };
    let owns = |arch: &Arch| number.is_none_or(|number| arch.owns(Nr(number)));
    // x32 has the token of x86_64: the number tells them apart.
    let found = named.or_else(|| Arch::all().find(|arch| Some(arch.audit_token()) == token))?;
    Arch::all().filter(|arch| arch.audit_token() == found.audit_token()).find(owns)
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
}

impl Question {
    /// The call on an ABI; `None` where the ABI has none of that name. `declared` looks up what the tables lack.
    pub fn on(&self, arch: Arch, declared: &dyn Fn(&str) -> Option<Nr>) -> Option<Pattern> {
        let known = match &self.subject {
            Subject::Name(name) => tables::syscall(name).filter(|call| call.nr(arch).is_some()),
            Subject::Number(number) => tables::syscall_at(arch, Nr(*number)),
        };
        let nr = match (&self.subject, known) {
            (_, Some(call)) => call.nr(arch)?,
            (Subject::Name(name), None) => declared(name)?,
            (Subject::Number(number), None) => Nr(*number),
        };
        if !arch.owns(nr) {
            return None;
        }
        let tests: Vec<String> = self
            .given
            .iter()
            .map(|given| match given {
                Given::Test(test) => test.clone(),
                Given::At(place, value) => {
                    let param = known.and_then(|call| register::param(call, arch, *place));
                    // More than the parameter holds is said of the register.
                    let fits = |param: &&tables::Param| {
                        let bits = param.bits.min(arch.bits());
                        number(value).is_none_or(|value| bits == 64 || value >> bits == 0)
                    };
                    let name = param.filter(fits).map_or_else(|| register::name(*place), |param| param.name.to_owned());
                    format!("{name} == {value}")
                }
            })
            .collect();
        let (declaration, name) = match known {
            Some(call) => (String::new(), call.name().to_owned()),
            None => (format!("syscall asked_about = {:#x} on {arch}\n", nr.0), "asked_about".to_owned()),
        };
        let tests = tests.join(", ");
        let policy = format!("arch {arch}\ndefault kill\n{declaration}allow {{ {name}({tests}) }}\n");
        Some(Pattern { nr, policy, all: tests.is_empty() })
    }

    /// The nearest name, where no ABI has the one that was asked about.
    pub fn near(&self) -> Option<&'static str> {
        match &self.subject {
            Subject::Name(name) => kpol_grammar::did_you_mean(name, tables::Syscall::all().map(tables::Syscall::name)),
            Subject::Number(_) => None,
        }
    }
}
