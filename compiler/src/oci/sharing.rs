//! Programs of libseccomp that do not do what the rules say.
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
//! on more than is looked at here, so that some profiles are named that come out right.
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

use std::collections::BTreeMap;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::profile::{Arg, Op};
use super::runtime::{self, Calls};
use crate::diagram::Node;
use crate::spec::{Action, Arch};

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
}

/// Part of an argument in `struct seccomp_data`, with what is asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// A rule: all its tests, and what it does.
type Path = (Vec<Test>, Action);

/// In which state the accumulator must be there.
#[derive(Debug, PartialEq, Eq, Clone)]
struct Need {
    word: (u8, bool),
    /// Sorted.
    masks: Rc<[u32]>,
    /// Whether it is reached from tests of other words too; `None` if that is not certain.
    from_afar: Option<bool>,
}

/// The tests of a call that may not load their word.
type Looks = Vec<(Look, Need)>;

/// The first two calls whose tests may wrongly become one.
pub fn shared(calls: &BTreeMap<Arch, Calls<'_>>) -> Option<Fault> {
    let mut seen: BTreeMap<Look, Vec<(Arch, &str, Need)>> = BTreeMap::new();
    // Mostly the ABIs have the same rules.
    let mut known: FxHashMap<(Vec<Path>, bool), Looks> = FxHashMap::default();
    for (&arch, calls) in calls {
        for (_, name, rules) in calls.iter().filter(|(.., rules)| rules.iter().any(|rule| !rule.args.is_empty())) {
            let paths: Vec<Path> = rules.iter().map(|rule| (tests(arch, &rule.args), rule.action)).collect();
            let open = rules.iter().any(|rule| rule.when != Node::TRUE);
            let looks = known.entry((paths, open)).or_insert_with_key(|(paths, open)| {
                let mut looks = Looks::new();
                looks_of(tree(paths), *open, &mut looks);
                looks
            });
            for (look, need) in looks {
                if !seen.contains_key(look) {
                    seen.insert(look.clone(), Vec::new());
                }
                let Some(places) = seen.get_mut(look) else { continue };
                if let Some((other_arch, other, _)) = places.iter().find(|(.., other)| !agree(need, other)) {
                    return Some(Fault::Shared {
                        name: name.to_owned(),
                        arch,
                        other: (*other).to_owned(),
                        other_arch: *other_arch,
                    });
                }
                if !places.iter().any(|(.., other)| other == need) {
                    places.push((arch, name, need.clone()));
                }
            }
        }
    }
    None
}

/// The ABIs on which the number may never be loaded. `numberless` has a name for each ABI that lacks one.
pub fn unloaded(calls: &BTreeMap<Arch, Calls<'_>>, numberless: &BTreeMap<Arch, &str>, with_x32: bool) -> Vec<Fault> {
    let settled = |arch| {
        let rules = calls.get(&arch).map_or(&[][..], Calls::rules);
        rules.is_empty() || rules.iter().any(|rule| rule.args.is_empty() && rule.when == Node::TRUE)
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
fn tree(paths: &[Path]) -> Vec<(Test, Then)> {
    let mut below: BTreeMap<Test, Vec<Path>> = BTreeMap::new();
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
        level.sort_by_key(|&(test, _)| test);
    }
    level
}

/// The tests of a tree that may not load their word. `level` is sorted, so that tests of one word are neighbours, their values
/// in order.
fn looks_of(level: Vec<(Test, Then)>, open: bool, looks: &mut Looks) {
    let asks = |(_, then): &(Test, Then)| matches!(then, Then::Ask(_));
    for group in level.chunk_by(|(one, _), (other, _)| one.word == other.word) {
        let mut masks: Vec<u32> = group.iter().map(|(test, _)| test.mask).collect();
        masks.sort_unstable();
        masks.dedup();
        let masks: Rc<[u32]> = masks.into();
        for (at, (test, then)) in group.iter().enumerate() {
            let first = group.partition_point(|(other, _)| other.value < test.value);
            let end = group.partition_point(|(other, _)| other.value <= test.value);
            // The last one is the only one of its value.
            if at + 1 == group.len() && first == at {
                continue;
            }
            let (less, greater) = (&group[..first], &group[end..]);
            // Greater values are asked first; what follows the last of them comes here if it does not hold.
            let last = greater.first().map(|(next, _)| next.value);
            let before = greater.iter().take_while(|(next, _)| Some(next.value) == last).any(asks);
            let alike = group[first..end].iter().enumerate().any(|(other, one)| first + other != at && asks(one));
            let behind = less.iter().map(|(beside, then)| (beside.value, then.clone())).collect();
            let look = (test.value, test.order, then.clone(), behind);
            // Entries that are not always there may be missing.
            let unsure = open && greater.iter().any(asks);
            let from_afar = if (alike && !before) || unsure { None } else { Some(before) };
            looks.push((look, Need { word: test.word, masks: Rc::clone(&masks), from_afar }));
        }
    }
    for (_, then) in level {
        if let Then::Ask(next) = then {
            looks_of(next, open, looks);
        }
    }
}
