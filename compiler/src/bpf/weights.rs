//! How often calls are expected: what makes a tree of compares cheap where it matters.
//!
//! ```text
//! read 20, write 16, futex 18 …      most of all weight
//! every number of the first 600      the rest, evenly
//! ```
//!
//! The even part keeps the tree from growing deep where nothing was measured: a program that lives on
//! calls that nobody measured is slower by a few compares, not by dozens.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Range};

use crate::spec::arch::X32_BIT;
use crate::spec::{Arch, Nr};
use crate::tables;

/// Relative frequencies of calls.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// `None`: what is built in.
    given: Option<Vec<(Called, Frequent)>>,
}

/// A call in a list of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Called {
    /// By its name, on every ABI that has it.
    Name(&'static str),
    /// By its number on one ABI.
    Number(Arch, Nr),
}

/// How often a call is made, and with which arguments.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frequent {
    /// More than 0, and of any unit.
    pub weight: f64,
    /// The arguments.
    pub args: [u64; 6],
}

/// Relative frequency of calls in a mix of servers and shells; what is not here is rare. Round numbers, to tell calls of
/// every moment from those of every start; they are no measurement of one machine. The few arguments are those that
/// filters look at.
#[rustfmt::skip]
const MEASURED: &[(&str, f64, &[u64])] = &[
    ("read", 20.0, &[]), ("futex", 18.0, &[]), ("write", 16.0, &[]), ("epoll_wait", 10.0, &[]),
    ("recvfrom", 6.0, &[]), ("clock_gettime", 5.0, &[]), ("close", 5.0, &[]), ("openat", 5.0, &[]),
    ("recvmsg", 5.0, &[]), ("sendto", 5.0, &[]), ("epoll_pwait", 4.0, &[]), ("fstat", 4.0, &[]),
    ("newfstatat", 4.0, &[]), ("sendmsg", 4.0, &[]), ("lseek", 3.0, &[]), ("poll", 3.0, &[]), ("pread64", 3.0, &[]),
    ("rt_sigprocmask", 3.0, &[]), ("writev", 3.0, &[]), ("brk", 2.0, &[]), ("epoll_ctl", 2.0, &[]),
    ("fcntl", 2.0, &[]), ("ioctl", 2.0, &[]), ("mmap", 2.0, &[]), ("mprotect", 2.0, &[]), ("munmap", 2.0, &[]),
    ("pwrite64", 2.0, &[]), ("socket", 1.0, &[1, 1]), ("socket", 1.0, &[2, 1, 6]), ("accept4", 1.0, &[]),
    ("clock_nanosleep", 1.0, &[]), ("connect", 1.0, &[]), ("getpid", 1.0, &[]), ("getrandom", 1.0, &[]),
    ("gettid", 1.0, &[]), ("madvise", 1.0, &[]), ("nanosleep", 1.0, &[]), ("ppoll", 1.0, &[]), ("readv", 1.0, &[]),
    ("rt_sigaction", 1.0, &[]), ("sched_yield", 1.0, &[]), ("statx", 1.0, &[]), ("getdents64", 0.5, &[]),
    ("access", 0.3, &[]), ("readlink", 0.3, &[]), ("bind", 0.2, &[]), ("clone", 0.2, &[0x3d_0f00]),
    ("clone3", 0.2, &[]), ("listen", 0.2, &[]), ("unlink", 0.2, &[]), ("execve", 0.1, &[]), ("exit_group", 0.1, &[]),
    ("prctl", 0.1, &[15]), ("prlimit64", 0.1, &[]), ("rename", 0.1, &[]), ("rseq", 0.1, &[]), ("wait4", 0.1, &[]),
    ("personality", 0.01, &[0xffff_ffff]),
];

/// How many numbers of an ABI share what is not measured.
pub(super) const SPREAD: u32 = 600;
/// What each of them has if all are alike.
const EVEN: f64 = 1.0 / SPREAD as f64;
/// What an interval weighs at least, so that no part of a tree grows without bound.
const FLOOR: f64 = 1e-5;

impl Default for Weights {
    /// Those that are built in.
    fn default() -> Self {
        Self { given: None }
    }
}

/// What is wrong with a list of weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightsError {
    /// Which bytes of it.
    pub bytes: Range<usize>,
    /// In what way.
    pub kind: WeightsErrorKind,
}

/// See [`WeightsError`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WeightsErrorKind {
    /// No call has this name.
    UnknownCall(String),
    /// This is no weight: a number above 0, or 0.
    NotAWeight(String),
    /// A line that ends behind the call.
    NoWeight(String),
    /// This is no argument.
    NotAnArgument(String),
    /// More than six arguments.
    TooManyArguments,
    /// No weight at all, or 0 only.
    Nothing,
}

impl fmt::Display for WeightsErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownCall(name) => write!(f, "no call `{name}` on any architecture"),
            Self::NotAWeight(text) => write!(f, "`{text}` is no weight"),
            Self::NoWeight(call) => write!(f, "`{call}` has no weight"),
            Self::NotAnArgument(text) => write!(f, "`{text}` is no argument"),
            Self::TooManyArguments => f.write_str("a call has at most six arguments"),
            Self::Nothing => f.write_str("there is no weight above 0"),
        }
    }
}

impl Weights {
    /// These frequencies; negative and unreal ones count as 0.
    pub fn new(frequencies: impl IntoIterator<Item = ((Arch, Nr), f64)>) -> Self {
        let sound = frequencies.into_iter().filter(|(_, weight)| weight.is_finite() && *weight > 0.0);
        let entry = |((arch, nr), weight)| (Called::Number(arch, nr), Frequent { weight, args: [0; 6] });
        Self { given: Some(sound.map(entry).collect()) }
    }

    /// Reads lines of a call, a weight and up to six arguments. A call is a name, or a number of x86_64 that stands for
    /// the call which has it there. `#` begins a comment.
    pub fn parse(text: &str) -> Result<Self, Vec<WeightsError>> {
        let (mut given, mut errors) = (Vec::new(), Vec::new());
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            match parse_line(line) {
                Ok(entry) => given.extend(entry),
                Err((bytes, kind)) => {
                    errors.push(WeightsError { bytes: start + bytes.start..start + bytes.end, kind });
                }
            }
            start += line.len();
        }
        if errors.is_empty() && !given.iter().any(|(_, frequent): &(_, Frequent)| frequent.weight > 0.0) {
            errors.push(WeightsError { bytes: 0..0, kind: WeightsErrorKind::Nothing });
        }
        if errors.is_empty() { Ok(Self { given: Some(given) }) } else { Err(errors) }
    }

    /// The calls of an ABI that are expected.
    pub fn calls(&self, arch: Arch) -> Vec<(Nr, Frequent)> {
        let nr = |called| match called {
            Called::Name(name) => tables::syscall(name)?.nr(arch),
            Called::Number(of, nr) => (of == arch).then_some(nr),
        };
        match &self.given {
            Some(given) => given.iter().filter_map(|&(called, frequent)| Some((nr(called)?, frequent))).collect(),
            None => MEASURED
                .iter()
                .filter_map(|&(name, weight, args)| {
                    let all = std::array::from_fn(|index| args.get(index).copied().unwrap_or(0));
                    Some((nr(Called::Name(name))?, Frequent { weight, args: all }))
                })
                .collect(),
        }
    }

    /// The part of all calls that each number has.
    pub(super) fn on(&self, arch: Arch) -> Frequencies {
        Frequencies::new(first_number(arch), &self.calls(arch))
    }
}

type Mistake = (Range<usize>, WeightsErrorKind);

/// The entry of a line, if there is one.
fn parse_line(line: &str) -> Result<Option<(Called, Frequent)>, Mistake> {
    let line = line.split('#').next().unwrap_or_default();
    let mut words = words(line);
    let Some((at, call)) = words.next() else { return Ok(None) };
    let unknown = || (at.clone(), WeightsErrorKind::UnknownCall(call.to_owned()));
    let called = match number(call) {
        Some(nr) => {
            let nr = Nr(u32::try_from(nr).map_err(|_| unknown())?);
            tables::syscall_at(Arch::X86_64, nr)
                .map_or(Called::Number(Arch::X86_64, nr), |call| Called::Name(call.name()))
        }
        None => Called::Name(tables::syscall(call).ok_or_else(unknown)?.name()),
    };
    let (at, text) = words.next().ok_or_else(|| (at.clone(), WeightsErrorKind::NoWeight(call.to_owned())))?;
    let weight: Option<f64> = text.parse().ok();
    let weight = weight
        .filter(|weight| weight.is_finite() && *weight >= 0.0)
        .ok_or_else(|| (at, WeightsErrorKind::NotAWeight(text.to_owned())))?;
    let mut args = [0; 6];
    let mut places = args.iter_mut();
    for (at, text) in words {
        let place = places.next().ok_or((at.clone(), WeightsErrorKind::TooManyArguments))?;
        *place = number(text).ok_or_else(|| (at, WeightsErrorKind::NotAnArgument(text.to_owned())))?;
    }
    Ok(Some((called, Frequent { weight, args })))
}

fn words(line: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    line.split(char::is_whitespace)
        .scan(0, |next, word| {
            let start = *next;
            // The character that ended the word is one of white space; its length is that of what lies between.
            *next = start + word.len() + line[start + word.len()..].chars().next().map_or(0, char::len_utf8);
            Some((start..start + word.len(), word))
        })
        .filter(|(_, word)| !word.is_empty())
}

/// Decimal, or hexadecimal behind `0x`.
fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) if !digits.starts_with('+') => u64::from_str_radix(digits, 16).ok(),
        Some(_) => None,
        None => text.parse().ok().filter(|_| !text.starts_with('+')),
    }
}

/// A part of all calls, counted in two ways.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Weight {
    /// Of those that are expected.
    pub expected: f64,
    /// If all numbers were as frequent.
    pub even: f64,
}

impl Weight {
    /// The same in both ways.
    pub fn both(weight: f64) -> Self {
        Self { expected: weight, even: weight }
    }

    /// A mix of both, `trust` of it as expected.
    pub fn mix(self, trust: f64) -> f64 {
        trust * self.expected + (1.0 - trust) * self.even
    }

    /// `of` on both.
    pub fn map2(self, other: Self, of: impl Fn(f64, f64) -> f64) -> Self {
        Self { expected: of(self.expected, other.expected), even: of(self.even, other.even) }
    }
}

impl Add for Weight {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.map2(other, f64::add)
    }
}

impl Sum for Weight {
    fn sum<I: Iterator<Item = Self>>(weights: I) -> Self {
        weights.fold(Self::default(), Self::add)
    }
}

/// The part of all calls of one ABI that each number has.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Frequencies {
    /// The first number, and its and the next ones' parts of what is expected.
    base: u32,
    near: Vec<f64>,
    /// Measured numbers that are not among them.
    far: Vec<(u32, f64)>,
}

impl Frequencies {
    fn new(base: u32, calls: &[(Nr, Frequent)]) -> Self {
        let total: f64 = calls.iter().map(|(_, frequent)| frequent.weight).sum();
        // Who expects nothing expects all alike.
        let mut near = vec![if total > 0.0 { 0.0 } else { EVEN }; SPREAD as usize];
        let mut far = Vec::new();
        for &(Nr(nr), frequent) in calls.iter().filter(|(_, frequent)| frequent.weight > 0.0) {
            let part = frequent.weight / total;
            match nr.checked_sub(base).and_then(|index| near.get_mut(index as usize)) {
                Some(near) => *near += part,
                None => far.push((nr, part)),
            }
        }
        Self { base, near, far }
    }

    /// The part of the calls that has numbers `lo..=hi`; over all numbers the sum is about 1.
    pub fn of(&self, lo: u32, hi: u32) -> Weight {
        let far: f64 = self.far.iter().filter(|(nr, _)| (lo..=hi).contains(nr)).map(|(_, part)| part).sum();
        let sum = self.among(lo, hi, |_| true) + Weight { expected: far, even: 0.0 };
        sum.map2(Weight::both(FLOOR), f64::max)
    }

    /// The same for those of the first [`SPREAD`] numbers that `holds` is true of.
    pub fn among(&self, lo: u32, hi: u32, holds: impl Fn(u32) -> bool) -> Weight {
        let index = |nr: u32| nr.saturating_sub(self.base).min(SPREAD) as usize;
        let (from, behind) = (index(lo), index(hi.saturating_add(1)));
        let numbers = (self.base + from as u32..).zip(self.near.get(from..behind).unwrap_or_default());
        let own = |(_, &expected): (u32, &f64)| Weight { expected, even: EVEN };
        numbers.filter(|&(nr, _)| holds(nr)).map(own).sum()
    }
}

/// Where the numbers of an ABI begin (`arch/mips/include/uapi/asm/unistd.h` and x32's bit).
pub(super) fn first_number(arch: Arch) -> u32 {
    match arch {
        Arch::X32 => X32_BIT,
        Arch::Mips | Arch::Mipsel => 4000,
        Arch::Mips64 | Arch::Mipsel64 => 5000,
        Arch::Mips64n32 | Arch::Mipsel64n32 => 6000,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn names_and_numbers_of_x86_64_are_calls_everywhere() {
        let weights = Weights::parse("# calls\nread 2\n56\t1.5 0x3d0f00 7 # clone\n\n4095 1\n").unwrap();
        let of =
            |arch| weights.calls(arch).into_iter().map(|(nr, frequent)| (nr.0, frequent.weight)).collect::<Vec<_>>();
        assert_eq!(of(Arch::X86_64), [(0, 2.0), (56, 1.5), (4095, 1.0)]);
        assert_eq!(of(Arch::Aarch64), [(63, 2.0), (220, 1.5)]);
        assert_eq!(weights.calls(Arch::X86_64)[1].1.args, [0x3d_0f00, 7, 0, 0, 0, 0]);
    }

    #[test]
    fn mistakes_are_found_where_they_are() {
        let text = "read 1\n raed 1\nwrite\nopen x\nclose -1\nlseek 1 2 x\nmmap 1 1 2 3 4 5 6 7\nstat inf";
        let found: Vec<(&str, String)> = Weights::parse(text)
            .unwrap_err()
            .into_iter()
            .map(|error| (&text[error.bytes], error.kind.to_string()))
            .collect();
        let expected = [
            ("raed", "no call `raed` on any architecture"),
            ("write", "`write` has no weight"),
            ("x", "`x` is no weight"),
            ("-1", "`-1` is no weight"),
            ("x", "`x` is no argument"),
            ("7", "a call has at most six arguments"),
            ("inf", "`inf` is no weight"),
        ];
        assert_eq!(found, expected.map(|(place, message)| (place, message.to_owned())));
        assert_eq!(Weights::parse("# nothing\nread 0\n").unwrap_err()[0].kind, WeightsErrorKind::Nothing);
    }

    #[test]
    fn what_is_built_in_are_calls() {
        for (name, weight, args) in MEASURED {
            assert!(tables::syscall(name).is_some() && *weight > 0.0 && args.len() <= 6, "{name}");
        }
    }
}
