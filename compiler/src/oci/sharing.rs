//! Rules of which libseccomp may make a program that does something else: a cheap suspicion, before the program is
//! made and read ([`super::trial`]).
//!
//! ```text
//! mmap on x86_64                                   mmap on x86 (no bit 63 in a register)
//! load arg1 & 1
//! == 1 → load arg2's upper half, bit 31 → allow    load arg1 & 1
//!        else ↓                                    == 1 → allow
//! == 0 → allow                                     == 0 → allow
//! ```
//!
//! A test of the word that the test before it has loaded loads nothing. Of two such tests that look alike libseccomp
//! makes one, for all calls and ABIs (`_hsh_add`, `src/gen_bpf.c`); and it loads the word again only if the first jump
//! to it that it comes across is from a test of another word (`_gen_bpf_build_bpf`). Above the last line is reached
//! on x86 with arg1 loaded and on x86_64 also with arg2 loaded; the one test for both is then asked of arg2,
//! and `mmap` with arg1 == 1 and arg2 == 0 is allowed. So 2.5.4, 2.6.0 and 2.6.1.
//!
//! [`shared()`] finds the calls that can meet so. It is cautious: whether libseccomp does make one test of two hangs
//! on more than is looked at here, so that most profiles that are named come out right. It has to see every one that
//! does not: a test makes the program of random profiles that are not named here (`compiler/tests/libseccomp.rs`).
//!
//! The second fault is simpler ([`unloaded()`]): a rule on a name that an ABI lacks (`open` on aarch64, `accept` on
//! x86) is kept there under a number that is no call's, sorted with the others, and left out of the program. The
//! call that is tested first loads the number; if it is one of those, nobody does, and all calls of the ABI get the
//! default:
//!
//! ```text
//! aarch64, default allow:   socketcall → errno                 sorted first: no conditions, but no number
//!                           socket (arg0 == 38) → errno        never reached: `socket(38, …)` is allowed
//! ```
//!
//! Calls with the fewest conditions come first, real ones before others, so that one real call claimed without
//! conditions is enough to be safe. x86_64 without x32 loads the number on its own.

use std::collections::{BTreeMap, BTreeSet};

use super::profile::{Arg, Op};
use super::runtime::{self, Rule};
use crate::diagram::Node;
use crate::spec::{Action, Arch, Call, Nr};

/// Why a program would not do what the rules say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Two calls whose tests may become one.
    Shared {
        /// One of them.
        name: String,
        /// Its ABI.
        arch: Arch,
        /// The other; it may be the same call on another ABI.
        other: String,
        /// Its ABI.
        other_arch: Arch,
    },
    /// An ABI on which the number may never be loaded.
    Unloaded {
        /// The ABI.
        arch: Arch,
        /// A call without a number there.
        name: String,
    },
    /// A call that the program, made and read, answers otherwise than the rules.
    Wrong {
        /// Its name.
        name: String,
        /// The call.
        call: Call,
        /// What the rules say.
        said: Option<Action>,
        /// What the program does.
        done: Option<Action>,
    },
}

/// Part of an argument in `struct seccomp_data`, with what is asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Test {
    /// The argument, and whether it is the upper half.
    word: (u8, bool),
    value: u32,
    mask: u32,
    /// `None` for equality.
    order: Option<Op>,
}

/// What follows a test that holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Then {
    Act(Action),
    Ask(Vec<(Test, Then)>),
}

/// A test that may not load its word, as far as its instructions go: the value, what follows if it holds, and the tests
/// of the same word that follow if it does not.
type Look = (u32, Option<Op>, Then, Vec<(u32, Then)>);

/// In which state the accumulator must be there.
#[derive(Debug, PartialEq, Eq, Clone)]
struct Need {
    word: (u8, bool),
    masks: BTreeSet<u32>,
    /// Whether it is reached from tests of other words too; `None` if that is not certain.
    from_afar: Option<bool>,
}

/// The first two calls whose tests may wrongly become one.
pub fn shared(calls: &BTreeMap<Arch, BTreeMap<Nr, (&str, Vec<Rule>)>>) -> Option<Fault> {
    let mut seen: BTreeMap<Look, Vec<(Arch, &str, Need)>> = BTreeMap::new();
    for (&arch, calls) in calls {
        for (name, rules) in calls.values() {
            let paths: Vec<(Vec<Test>, Action)> =
                rules.iter().map(|rule| (tests(arch, &rule.args), rule.action)).collect();
            let open = rules.iter().any(|rule| rule.when != Node::TRUE);
            let mut looks = Vec::new();
            looks_of(&tree(&paths), open, &mut looks);
            for (look, need) in looks {
                let places = seen.entry(look).or_default();
                if let Some((other_arch, other, _)) = places.iter().find(|(.., other)| !agree(&need, other)) {
                    return Some(Fault::Shared {
                        name: (*name).to_owned(),
                        arch,
                        other: (*other).to_owned(),
                        other_arch: *other_arch,
                    });
                }
                if !places.iter().any(|(.., other)| *other == need) {
                    places.push((arch, name, need));
                }
            }
        }
    }
    None
}

/// The ABIs on which the number may never be loaded. `numberless` has a name for each ABI that lacks one.
pub fn unloaded(
    calls: &BTreeMap<Arch, BTreeMap<Nr, (&str, Vec<Rule>)>>,
    numberless: &BTreeMap<Arch, &str>,
    with_x32: bool,
) -> Vec<Fault> {
    let settled = |arch| {
        let rules = || calls.get(&arch).into_iter().flat_map(BTreeMap::values).flat_map(|(_, rules)| rules);
        rules().next().is_none() || rules().any(|rule| rule.args.is_empty() && rule.when == Node::TRUE)
    };
    numberless
        .iter()
        .filter(|&(&arch, _)| (arch != Arch::X86_64 || with_x32) && !settled(arch))
        .map(|(&arch, &name)| Fault::Unloaded { arch, name: name.to_owned() })
        .collect()
}

/// Whether one test would do for both. Where neither is reached from afar, it asks for whatever is loaded, and that is
/// right for each.
fn agree(one: &Need, other: &Need) -> bool {
    match (one.from_afar, other.from_afar) {
        (Some(false), Some(false)) => true,
        (Some(true), Some(true)) => one.word == other.word && one.masks == other.masks,
        _ => false,
    }
}

/// The tests of a rule, in libseccomp's order. How many there are is what a rule costs.
pub fn tests_of(arch: Arch, args: &[Arg]) -> usize {
    tests(arch, args).len()
}

fn tests(arch: Arch, args: &[Arg]) -> Vec<Test> {
    let mut args = args.to_vec();
    args.sort_by_key(|arg| arg.index);
    let mut tests = Vec::new();
    for arg in args {
        let (mask, value, order) = match arg.op {
            Op::MaskedEq => (arg.value, arg.value_two.0.unwrap_or(0) & arg.value, None),
            Op::Eq => (u64::MAX, arg.value, None),
            op => (u64::MAX, arg.value, Some(op)),
        };
        let half = |upper: bool, order| {
            let shift = if upper { 32 } else { 0 };
            Test { word: (arg.index, upper), value: (value >> shift) as u32, mask: (mask >> shift) as u32, order }
        };
        if runtime::compared_bits(arch) == 64 && (mask >> 32 != 0 || mask != 0 && order.is_some()) {
            tests.push(half(true, None));
        }
        if mask as u32 != 0 {
            tests.push(half(false, order));
        }
    }
    tests
}

/// The rules as libseccomp lays them out: equal beginnings once.
fn tree(paths: &[(Vec<Test>, Action)]) -> Vec<(Test, Then)> {
    let mut below: BTreeMap<Test, Vec<(Vec<Test>, Action)>> = BTreeMap::new();
    for (tests, action) in paths {
        if let [first, rest @ ..] = &tests[..] {
            below.entry(*first).or_default().push((rest.to_vec(), *action));
        }
    }
    let mut level: Vec<(Test, Then)> = below
        .into_iter()
        .map(|(test, rest)| {
            // A rule that ends here beats those that go on.
            let ended = rest.iter().find(|(tests, _)| tests.is_empty());
            (test, ended.map_or_else(|| Then::Ask(tree(&rest)), |&(_, action)| Then::Act(action)))
        })
        .collect();
    // An upper half is asked twice where order is asked of the lower: whether it is greater, whether it is equal.
    let ordered = level.iter().find_map(|(test, then)| match then {
        Then::Ask(next) if test.word.1 => {
            next.iter().find(|(low, _)| low.word.0 == test.word.0).and_then(|(low, _)| low.order).map(|op| (*test, op))
        }
        _ => None,
    });
    if let Some((test, op)) = ordered {
        level.push((Test { value: u32::MAX, order: Some(op), ..test }, Then::Ask(Vec::new())));
    }
    level
}

/// The tests of a tree that may not load their word.
fn looks_of(level: &[(Test, Then)], open: bool, looks: &mut Vec<(Look, Need)>) {
    let asks = |then: &Then| matches!(then, Then::Ask(_));
    for (at, (test, then)) in level.iter().enumerate() {
        if let Then::Ask(next) = then {
            looks_of(next, open, looks);
        }
        let beside =
            || level.iter().enumerate().filter(|&(other, (beside, _))| other != at && beside.word == test.word);
        // Greater values are asked first; what follows the last of them comes here if it does not hold.
        let last = beside().map(|(_, (beside, _))| beside.value).filter(|&value| value > test.value).min();
        let before = beside().filter(|(_, (beside, _))| Some(beside.value) == last).any(|(_, (_, then))| asks(then));
        let alike = beside().filter(|(_, (beside, _))| beside.value == test.value).any(|(_, (_, then))| asks(then));
        if !beside().any(|(_, (beside, _))| beside.value >= test.value) {
            continue;
        }
        let masks = beside().map(|(_, (beside, _))| beside.mask).chain([test.mask]).collect();
        let behind = beside()
            .filter(|(_, (beside, _))| beside.value < test.value)
            .map(|(_, (beside, then))| (beside.value, then.clone()));
        let look = (test.value, test.order, then.clone(), behind.collect());
        // Entries that are not always there may be missing.
        let greater = || beside().filter(|(_, (beside, _))| beside.value > test.value);
        let unsure = open && greater().any(|(_, (_, then))| asks(then));
        let from_afar = if (alike && !before) || unsure { None } else { Some(before) };
        looks.push((look, Need { word: test.word, masks, from_afar }));
    }
}
