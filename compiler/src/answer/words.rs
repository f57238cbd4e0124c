//! A set of calls as a person would write it.
//!
//! ```text
//! reg0's 45 nodes      →   family not in {AF_ALG, AF_VSOCK}
//! bits 17 and 28 zero  →   clone_flags & (CLONE_NEWNS | CLONE_NEWUSER) == 0
//! bit cap 21           →   when cap CAP_SYS_ADMIN
//! ```
//!
//! What one argument's value decides is a partition of its values, each part with the same rest of the function. A
//! part is written in the shortest of three ways: as ranges of numbers, as values under a mask, or as what is not in
//! the two. What none of them can say is written bit by bit.
//!
//! INVARIANT: cases cover the set, and nothing beside it, unless [`Cases::complete`] is false: then some are left out.

mod flags;

use std::collections::BTreeMap;

use crate::diagram::{Node, Place, Store};
use crate::resolve::width;
use crate::spec::{Arch, KernelVersion, register};
use crate::tables::{self, Known, Param, Syscall};

/// More pieces than this are no help to a reader.
const PIECES: usize = 48;
/// Ranges so short are written as their values, if those have names.
const SPELLED: i128 = 4;

/// One way to be in the set: all of this holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Case {
    /// Conditions of a `when`: `cap CAP_X`, `not kernel >= 4.8`.
    pub when: Vec<String>,
    /// Conditions on arguments, in the language.
    pub tests: Vec<String>,
}

/// All ways to be in a set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cases {
    /// Any of these.
    pub cases: Vec<Case>,
    /// Whether these are all.
    pub complete: bool,
}

impl Case {
    /// `socket(family == AF_ALG)`, with `when …` behind it.
    pub fn pattern(&self, name: &str) -> String {
        let mut text = name.to_owned();
        if !self.tests.is_empty() {
            text.push_str(&format!("({})", self.tests.join(", ")));
        }
        if !self.when.is_empty() {
            text.push_str(&format!(" when {}", self.when.join(" && ")));
        }
        text
    }

    /// The same without a call's name: `family == AF_ALG when cap CAP_X`.
    pub fn condition(&self) -> String {
        let tests = self.tests.join(" && ");
        match (self.when.is_empty(), tests.is_empty()) {
            (true, _) => tests,
            (false, true) => self.when.join(" && "),
            (false, false) => format!("{tests} when {}", self.when.join(" && ")),
        }
    }
}

impl Cases {
    /// Whether it is the set of all calls.
    pub fn is_everything(&self) -> bool {
        self.cases.iter().any(|case| case.when.is_empty() && case.tests.is_empty())
    }

    /// Whether it hangs on arguments, not on the environment alone.
    pub fn asks_arguments(&self) -> bool {
        !self.complete || self.cases.iter().any(|case| !case.tests.is_empty())
    }
}

/// The set in words; `name` is the call's, if it has one.
pub fn cases(store: &mut Store, arch: Arch, name: Option<&str>, set: Node) -> Cases {
    cases_given(store, arch, name, set, Known::default(), Node::TRUE)
}

/// The same where something is known of arguments that the set does not ask about: it is spoken of among the calls of
/// `context`.
pub fn cases_given(store: &mut Store, arch: Arch, name: Option<&str>, set: Node, known: Known, context: Node) -> Cases {
    let here = store.and(set, context);
    let raw = raw(store, arch, name, here);
    let mut writer = Writer { store, arch, name, known, raw, cases: Vec::new(), complete: true };
    writer.node(set, &mut Case::default());
    let Writer { mut cases, complete, .. } = writer;
    cases.sort_by_key(|case| (case.when.len(), case.tests.len()));
    Cases { cases, complete }
}

/// The first question of a function, and where each answer leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is asked about: `family`, `cap CAP_SYS_ADMIN`, `kernel`.
    pub subject: String,
    /// Each answer with what is left of the function; disjoint.
    pub ways: Vec<(String, Node)>,
    /// Whether these are all.
    pub complete: bool,
}

/// What a function asks about first, a whole argument at a time; `None` for one that asks nothing.
pub fn step(store: &mut Store, arch: Arch, name: Option<&str>, node: Node) -> Option<Step> {
    let (var, lo, hi) = store.split(node)?;
    let (known, raw) = (Known::default(), raw(store, arch, name, node));
    let mut writer = Writer { store, arch, name, known, raw, cases: Vec::new(), complete: true };
    let (subject, ways) = match var.place() {
        Place::Cap(number) => {
            let name = tables::capability_name(number).map_or_else(|| format!("{number}"), str::to_owned);
            (format!("cap {name}"), vec![("held".to_owned(), hi), ("not held".to_owned(), lo)])
        }
        Place::Kernel(_) => {
            let parts = writer.releases(node)?;
            let ways = parts
                .into_iter()
                .map(|(tests, rest)| (tests.join(", ").replace("not kernel >=", "<").replace("kernel ", ""), rest));
            ("kernel".to_owned(), ways.collect())
        }
        Place::Arg { arg, .. } => {
            let (word, ways) = writer.ways(arg, node);
            let mut subject = word.label;
            // `type & SOCK_TYPE_MASK == …` everywhere is a question about `type & SOCK_TYPE_MASK`.
            let masked = |test: &Option<String>| {
                let rest = test.as_ref()?.strip_prefix(&format!("{subject} & "))?;
                let end = if rest.starts_with('(') { rest.find(')')? + 1 } else { rest.find(' ')? };
                Some(rest[..end].to_owned())
            };
            let masks: Vec<Option<String>> = ways.iter().map(|way| masked(&way.test)).collect();
            if let Some(Some(mask)) = masks.first()
                && masks.iter().all(|other| other.as_ref() == Some(mask))
            {
                subject = format!("{subject} & {mask}");
            }
            let bare = |test: String| test.strip_prefix(&format!("{subject} ")).map_or(test.clone(), str::to_owned);
            let ways = ways.into_iter().map(|way| (way.test.map_or("any".to_owned(), bare), way.rest)).collect();
            (subject, ways)
        }
    };
    Some(Step { subject, ways, complete: writer.complete })
}

/// A value of a parameter as a person would write it.
pub fn value(call: Syscall, param: &'static Param, arch: Arch, value: u64) -> String {
    Word::of(call, param, arch).value(i128::from(value))
}

/// The same beside `<` and its like, where only the number counts.
pub fn bound(call: Syscall, param: &'static Param, arch: Arch, value: u64) -> String {
    Word::of(call, param, arch).bound(i128::from(value))
}

/// The same of flags: each bit by its name.
pub fn flags(call: Syscall, param: &'static Param, arch: Arch, value: u64) -> String {
    Word::of(call, param, arch).flags(value)
}

struct Writer<'a> {
    /// Arguments that go by their register.
    raw: [bool; 6],
    store: &'a mut Store,
    arch: Arch,
    name: Option<&'a str>,
    /// Of the arguments before the one that is written.
    known: Known,
    cases: Vec<Case>,
    complete: bool,
}

/// How the values of an argument are written.
struct Word {
    arg: u8,
    bits: u8,
    signed: bool,
    /// The register itself, whatever the kernel takes of it.
    raw: bool,
    label: String,
    param: Option<(Syscall, &'static Param)>,
    arch: Arch,
    known: Known,
}

/// Some values of an argument.
struct Way {
    /// That it is one of them; none where it may be any.
    test: Option<String>,
    /// What is left of the function then.
    rest: Node,
    /// The values, if they are few.
    values: Vec<i128>,
}

/// So many values of a list are written as they are, also where a mask would be shorter.
const LISTED: usize = 4;
/// Values that are noted: those of more say nothing about another argument.
const NOTED: i128 = 16;

impl<'a> Writer<'a> {
    /// Recursion is at most as deep as there are capabilities and arguments.
    fn node(&mut self, set: Node, case: &mut Case) {
        if set == Node::FALSE {
            return;
        }
        if self.cases.len() >= PIECES {
            self.complete = false;
            return;
        }
        let Some((var, lo, hi)) = self.store.split(set) else {
            self.cases.push(case.clone());
            return;
        };
        match var.place() {
            Place::Cap(number) => self.capability(number, lo, hi, case),
            Place::Kernel(_) => self.kernel(set, case),
            Place::Arg { arg, .. } => self.argument(arg, set, case),
        }
    }

    /// What holds either way needs no word about the capability.
    fn capability(&mut self, number: u8, without: Node, with: Node, case: &mut Case) {
        let name = tables::capability_name(number).map_or_else(|| format!("{number}"), str::to_owned);
        let both = self.store.and(without, with);
        self.node(both, case);
        for (branch, word) in [(with, format!("cap {name}")), (without, format!("not cap {name}"))] {
            let rest = if branch == Node::TRUE && both != Node::TRUE { branch } else { self.store.minus(branch, both) };
            if rest != Node::FALSE {
                case.when.push(word);
                self.node(rest, case);
                case.when.pop();
            }
        }
    }

    fn kernel(&mut self, set: Node, case: &mut Case) {
        let Some(parts) = self.releases(set) else {
            self.complete = false;
            return;
        };
        for (tests, rest) in parts {
            let before = case.when.len();
            case.when.extend(tests);
            self.node(rest, case);
            case.when.truncate(before);
        }
    }

    /// Ranges of releases as conditions, with what is left of the function in each; `None` if they are too many.
    fn releases(&self, set: Node) -> Option<Vec<(Vec<String>, Node)>> {
        let bit_of = |place| match place {
            Place::Kernel(bit) => Some(bit),
            _ => None,
        };
        let all: Vec<u8> = (0..16).rev().collect();
        let parts = partition(self.store, set, &all, false, &bit_of)?;
        let version = |number: i128| KernelVersion { major: (number >> 8) as u8, minor: (number & 0xff) as u8 };
        let parts = parts.into_iter().map(|(from, to, rest)| {
            let mut tests = Vec::new();
            if from > 0 {
                tests.push(format!("kernel >= {}", version(from)));
            }
            if to < 0xffff {
                tests.push(format!("not kernel >= {}", version(to + 1)));
            }
            (tests, rest)
        });
        Some(parts.collect())
    }

    fn argument(&mut self, arg: u8, set: Node, case: &mut Case) {
        let before = self.complete;
        let (word, ways) = self.ways(arg, set);
        if let Some(by_flag) = self.by_flag(arg, set, &word, &ways, before != self.complete) {
            self.complete = before;
            for (tests, rest) in by_flag {
                let before = case.tests.len();
                case.tests.extend(tests);
                self.node(rest, case);
                case.tests.truncate(before);
            }
            return;
        }
        for Way { test, rest, values } in ways {
            let before = case.tests.len();
            case.tests.extend(test);
            let noted = word.param.filter(|_| !word.raw && !values.is_empty());
            if let Some((_, param)) = noted {
                self.known.push(param.name, values);
            }
            self.node(rest, case);
            if noted.is_some() {
                self.known.pop();
            }
            case.tests.truncate(before);
        }
    }

    /// What an argument's values lead to: each test with what is left of the function where it holds, and how the
    /// argument is called in them.
    fn ways(&mut self, arg: u8, set: Node) -> (Word, Vec<Way>) {
        let asked = asked(self.store, arg, set);
        let word = self.word(arg, asked);
        let bit_of = |place| match place {
            Place::Arg { arg: of, bit } if of == arg => Some(bit),
            _ => None,
        };
        let all: Vec<u8> = (0..word.bits).rev().collect();
        let some: Vec<u8> = all.iter().copied().filter(|bit| asked >> bit & 1 == 1).collect();
        let ranges = partition(self.store, set, &all, word.signed, &bit_of);
        let masked = if some.len() < all.len() { partition(self.store, set, &some, false, &bit_of) } else { None };
        let mut exits: Vec<Node> = Vec::new();
        for part in ranges.iter().chain(&masked).flatten() {
            if part.2 != Node::FALSE && !exits.contains(&part.2) {
                exits.push(part.2);
            }
        }
        if ranges.is_none() && masked.is_none() {
            let ways = if asked >> 32 != 0 && asked & 0xffff_ffff != 0 {
                self.halves(arg, set)
            } else {
                self.bits(&word, set)
            };
            return (word, ways);
        }
        let mut ways = Vec::with_capacity(exits.len());
        for exit in exits {
            let plain = ranges.as_ref().map(|parts| word.ranges(parts, exit));
            let under = masked.as_ref().and_then(|parts| word.masked(parts, exit, &some, asked));
            let best = match (plain, under) {
                (Some(plain), Some(under)) if under.0 < plain.0 && !(word.is_list() && plain.0 <= LISTED) => under.1,
                (Some(plain), _) => plain.1,
                (None, Some(under)) => under.1,
                (None, None) => {
                    self.complete = false;
                    continue;
                }
            };
            let leading = ranges.iter().flatten().filter(|part| part.2 == exit);
            let count: i128 = leading.clone().map(|(from, to, _)| to - from + 1).sum();
            let values =
                if count <= NOTED { leading.flat_map(|&(from, to, _)| from..=to).collect() } else { Vec::new() };
            ways.push(Way { test: Some(best), rest: exit, values });
        }
        (word, ways)
    }

    /// The upper half of a register as ranges, the lower as what it is then: many filters compare 64 bits of what the
    /// kernel takes as 32.
    fn halves(&mut self, arg: u8, set: Node) -> Vec<Way> {
        // A node that asks about the lower half is where the upper one ends.
        let bit_of = |place| match place {
            Place::Arg { arg: of, bit } if of == arg && bit >= 32 => Some(bit),
            _ => None,
        };
        let upper: Vec<u8> = (32..64).rev().collect();
        let Some(parts) = partition(self.store, set, &upper, false, &bit_of) else {
            let word = self.word(arg, u64::MAX);
            return self.bits(&word, set);
        };
        let parts = parts.into_iter().map(|(from, to, rest)| {
            let (low, high) = (from << 32, (to << 32) + 0xffff_ffff);
            let register = register::name(arg);
            let test = match (low == 0, high == u64::MAX.into()) {
                (true, true) => None,
                (true, false) => Some(format!("{register} <= {}", number(high))),
                (false, true) => Some(format!("{register} >= {}", number(low))),
                (false, false) => Some(format!("{register} in {{{}..{}}}", number(low), number(high))),
            };
            Way { test, rest, values: Vec::new() }
        });
        parts.collect()
    }

    /// Path by path: what is neither few ranges nor few values under a mask.
    fn bits(&mut self, word: &Word, set: Node) -> Vec<Way> {
        let mut found: Vec<(u64, u64, Node)> = Vec::new();
        let mut stack = vec![(set, 0u64, 0u64)];
        while let Some((node, mask, value)) = stack.pop() {
            if node == Node::FALSE {
                continue;
            }
            if found.len() >= PIECES {
                self.complete = false;
                break;
            }
            match self.store.split(node) {
                Some((var, lo, hi)) if matches!(var.place(), Place::Arg { arg, .. } if arg == word.arg) => {
                    let Place::Arg { bit, .. } = var.place() else { continue };
                    stack.push((hi, mask | 1 << bit, value | 1 << bit));
                    stack.push((lo, mask | 1 << bit, value));
                }
                _ => found.push((mask, value, node)),
            }
        }
        let ways = found.into_iter().map(|(mask, value, rest)| {
            let test = if mask.count_ones() == u32::from(word.bits) {
                format!("{} == {}", word.label, word.value(value.into()))
            } else {
                format!("{} & {} == {}", word.label, word.flags(mask), word.flags(value))
            };
            Way { test: Some(test), rest, values: Vec::new() }
        });
        ways.collect()
    }

    /// The parameter, where the policy looks at no more of the register than the kernel does; else the register.
    fn word(&self, arg: u8, asked: u64) -> Word {
        let arch = self.arch;
        let call = self.name.and_then(tables::syscall);
        let param = call.and_then(|call| Some((call, register::param(call, arch, arg)?)));
        if let Some((call, param)) = param {
            let word = Word { arg, known: self.known.clone(), ..Word::of(call, param, arch) };
            if !self.raw[usize::from(arg)] && (word.bits == 64 || asked >> word.bits == 0) {
                return word;
            }
        }
        let (label, known) = (register::name(arg), self.known.clone());
        Word { arg, bits: arch.bits(), signed: false, raw: true, label, param, arch, known }
    }
}

/// Arguments that go by their register, since their names would say less.
fn raw(store: &mut Store, arch: Arch, name: Option<&str>, set: Node) -> [bool; 6] {
    name.and_then(tables::syscall).map_or([false; 6], |call| width::unnameable(store, call, arch, set))
}

/// Bits of an argument that the set asks about.
fn asked(store: &Store, arg: u8, set: Node) -> u64 {
    store
        .reachable(set)
        .into_iter()
        .filter_map(|node| match store.split(node)?.0.place() {
            Place::Arg { arg: of, bit } if of == arg => Some(1 << bit),
            _ => None,
        })
        .fold(0, |all, bit: u64| all | bit)
}

/// Numbers made of `bits` (most significant first) as intervals with what is left of the function in each; `None` if
/// there are too many. `bit_of` knows these bits and no others: then a node that it knows changes somewhere below, so
/// that the bound on what is found bounds the walk too.
fn partition(
    store: &Store,
    set: Node,
    bits: &[u8],
    signed: bool,
    bit_of: &dyn Fn(Place) -> Option<u8>,
) -> Option<Vec<(i128, i128, Node)>> {
    let mut starts: Vec<(i128, Node)> = Vec::new();
    // Depth first, smallest numbers first: the stack holds at most one branch for each bit.
    let mut stack = vec![(set, 0usize, 0i128)];
    while let Some((node, depth, base)) = stack.pop() {
        let own = store.split(node).and_then(|(var, lo, hi)| Some((bit_of(var.place())?, lo, hi)));
        let (Some((bit, lo, hi)), Some(&next)) = (own, bits.get(depth)) else {
            if starts.last().is_none_or(|&(_, last)| last != node) {
                starts.push((base, node));
                if starts.len() > PIECES {
                    return None;
                }
            }
            continue;
        };
        let (zero, one) = if bit == next { (lo, hi) } else { (node, node) };
        let weight = 1i128 << (bits.len() - depth - 1);
        if signed && depth == 0 {
            stack.push((zero, 1, base));
            stack.push((one, 1, base - weight));
        } else {
            stack.push((one, depth + 1, base + weight));
            stack.push((zero, depth + 1, base));
        }
    }
    let last = if signed { (1i128 << (bits.len() - 1)) - 1 } else { (1i128 << bits.len()) - 1 };
    let first = if signed { -(1i128 << (bits.len() - 1)) } else { 0 };
    let mut parts = Vec::with_capacity(starts.len());
    for (index, &(start, node)) in starts.iter().enumerate() {
        let start = if index == 0 { first } else { start };
        let end = starts.get(index + 1).map_or(last, |&(next, _)| next - 1);
        parts.push((start, end, node));
    }
    Some(parts)
}

impl Word {
    /// A parameter, as wide as the kernel takes it.
    fn of(call: Syscall, param: &'static Param, arch: Arch) -> Self {
        let (bits, label) = (param.bits.min(arch.bits()), param.name.to_owned());
        let (signed, param, known) = (param.signed, Some((call, param)), Known::default());
        Self { arg: 0, bits, signed, raw: false, label, param, arch, known }
    }

    /// The values that lead to `exit`, as ranges; with how many pieces it takes.
    fn ranges(&self, parts: &[(i128, i128, Node)], exit: Node) -> (usize, String) {
        let merge = |wanted: bool| {
            let mut merged: Vec<(i128, i128)> = Vec::new();
            for &(from, to, _) in parts.iter().filter(|part| (part.2 == exit) == wanted) {
                match merged.last_mut() {
                    Some(last) if last.1 + 1 == from => last.1 = to,
                    _ => merged.push((from, to)),
                }
            }
            merged
        };
        let (inside, outside) = (merge(true), merge(false));
        let (first, last) = (parts.first().map_or(0, |part| part.0), parts.last().map_or(0, |part| part.1));
        let label = &self.label;
        if let [(from, to)] = *inside.as_slice()
            && from != to
        {
            if from == first && to != last && outside.iter().any(|&(from, to)| from != to) {
                // Nobody says `fd <= -1`.
                let test = if to == -1 { format!("{label} < 0") } else { format!("{label} <= {}", self.bound(to)) };
                return (1, test);
            }
            if to == last && from != first && outside.iter().any(|&(from, to)| from != to) {
                return (1, format!("{label} >= {}", self.bound(from)));
            }
        }
        let cost = |pieces: &[(i128, i128)]| pieces.len();
        if cost(&outside) < cost(&inside)
            || cost(&outside) == cost(&inside) && self.count(&outside) < self.count(&inside)
        {
            (cost(&outside), self.test(label, &outside, true))
        } else {
            (cost(&inside), self.test(label, &inside, false))
        }
    }

    fn count(&self, pieces: &[(i128, i128)]) -> i128 {
        pieces.iter().map(|(from, to)| to - from + 1).sum()
    }

    fn test(&self, label: &str, pieces: &[(i128, i128)], negated: bool) -> String {
        match pieces {
            [(from, to)] if from == to => {
                format!("{label} {} {}", if negated { "!=" } else { "==" }, self.value(*from))
            }
            _ => {
                let items: Vec<String> = pieces.iter().flat_map(|&(from, to)| self.range(from, to)).collect();
                format!("{label} {}in {{{}}}", if negated { "not " } else { "" }, items.join(", "))
            }
        }
    }

    fn range(&self, from: i128, to: i128) -> Vec<String> {
        if to - from < SPELLED {
            let names: Vec<Option<&str>> = (from..=to).map(|value| self.constant(value)).collect();
            if from == to || names.iter().all(Option::is_some) {
                return (from..=to).map(|value| self.value(value)).collect();
            }
        }
        vec![format!("{}..{}", number(from), number(to))]
    }

    /// The same by the values that `bits` can take. `None` where that takes too many.
    fn masked(&self, parts: &[(i128, i128, Node)], exit: Node, bits: &[u8], mask: u64) -> Option<(usize, String)> {
        let spread = |number: i128| {
            let places = bits.iter().rev().enumerate();
            places.fold(0u64, |value, (index, bit)| value | ((number as u64 >> index & 1) << bit))
        };
        let count = |wanted: bool| self.count(&pairs(parts, exit, wanted));
        let negated = count(false) < count(true);
        // Of the lowest bits a range of numbers is a range of values.
        let lowest = bits.iter().rev().enumerate().all(|(index, bit)| index == usize::from(*bit));
        let values: Vec<String> = if count(!negated) <= PIECES as i128 {
            let numbers = pairs(parts, exit, !negated).into_iter().flat_map(|(from, to)| from..=to);
            numbers.map(|number| self.flags(spread(number))).collect()
        } else if lowest {
            pairs(parts, exit, !negated).into_iter().flat_map(|(from, to)| self.range(from, to)).collect()
        } else {
            return None;
        };
        let label = format!("{} & {}", self.label, self.flags(mask));
        let text = match values.as_slice() {
            // Of one bit, `!= 0` is how people say that it is set.
            [value] if bits.len() == 1 => {
                format!("{label} {} 0", if negated == (value == "0") { "!=" } else { "==" })
            }
            // A range is a set, also where it is the only one.
            [value] if !value.contains("..") => format!("{label} {} {value}", if negated { "!=" } else { "==" }),
            _ => format!("{label} {}in {{{}}}", if negated { "not " } else { "" }, values.join(", ")),
        };
        Some((values.len(), text))
    }

    /// Whether the values are a list, in which bits mean nothing: 2 and 10 are two families, not `& ~8 == 2`.
    fn is_list(&self) -> bool {
        self.param.is_some_and(|(call, param)| !tables::is_flags(call, param.name))
    }

    fn constant(&self, value: i128) -> Option<&'static str> {
        let (call, param) = self.param?;
        let low = u64::MAX >> (64 - u32::from(self.bits));
        if self.bits == 64 && value > 0xffff_ffff {
            return None;
        }
        let bits = u32::from(self.bits);
        let name = tables::constant_name(call, param.name, value as u64 & low, bits, self.arch, &self.known);
        // A register is compared as 64 bits everywhere: `AT_FDCWD` is not what a 32-bit ABI has in one.
        name.filter(|name| !self.raw || tables::constant(name, self.arch) == Some(value))
    }

    /// The end of a range: by name only if the name is just that number, not one that has the same bits.
    fn bound(&self, value: i128) -> String {
        let exact = |name: &&str| tables::constant(name, self.arch) == Some(value);
        self.constant(value).filter(exact).map_or_else(|| number(value), str::to_owned)
    }

    fn value(&self, value: i128) -> String {
        self.constant(value).map_or_else(|| number(value), str::to_owned)
    }

    /// A value whose bits may each have a name.
    fn flags(&self, value: u64) -> String {
        // Of a list of values no bit has a name: 1 is no SIGHUP in `sig & 1`.
        if value == 0 || self.is_list() {
            return number(i128::from(value));
        }
        if let Some(name) = self.constant(i128::from(value)) {
            return name.to_owned();
        }
        let mut names: BTreeMap<u64, &'static str> = BTreeMap::new();
        if let Some((call, param)) = self.param {
            for name in tables::constants_given(call, param.name, &self.known, self.arch) {
                let bit = tables::constant(name, self.arch).map_or(0, |known| known as u64);
                if bit.is_power_of_two() && value & bit != 0 {
                    names.entry(bit).or_insert(name);
                }
            }
        }
        let rest = value & !names.keys().fold(0, |all, bit| all | bit);
        // One name for a bit among many unknown ones misleads more than it tells.
        if names.is_empty() || rest != 0 {
            return number(i128::from(value));
        }
        let text = names.values().copied().collect::<Vec<_>>().join(" | ");
        if names.len() > 1 { format!("({text})") } else { text }
    }
}

fn pairs(parts: &[(i128, i128, Node)], exit: Node, wanted: bool) -> Vec<(i128, i128)> {
    parts.iter().filter(|part| (part.2 == exit) == wanted).map(|part| (part.0, part.1)).collect()
}

/// A number as it is written here.
pub fn number(value: i128) -> String {
    if value > 0xff { format!("{value:#x}") } else { value.to_string() }
}
