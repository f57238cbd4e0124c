//! Sets of calls of one number, as conditions on arguments.
//!
//! ```text
//! reg0 is not 16, or reg2 is not 9   →   socket(family != AF_NETLINK || protocol != NETLINK_AUDIT)
//! reg0 is not 38, by all 64 bits     →   socket(reg0 != AF_ALG)
//! ```
//!
//! A set is taken apart argument by argument: the values of the first that lead to the same rest belong together, and
//! each part becomes a pattern. Parts may overlap where that makes them shorter.

use rustc_hash::FxHashMap;

use super::names::{Names, number};
use super::word::Word;
use crate::diagram::{Leaf, Node, Place, Store};
use crate::resolve::width;
use crate::spec::{Arch, register};
use crate::tables::{self, Known};

/// Parts of one argument before the set is written cube by cube.
const MOST_PARTS: usize = 12;
/// Patterns for one set before giving up.
const MOST_PATTERNS: usize = 2_048;

/// The call whose arguments are spoken of.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// What it is called.
    pub name: &'a str,
    /// On which ABI.
    pub arch: Arch,
    /// Arguments that go by their register.
    pub raw: [bool; 6],
}

impl At<'_> {
    fn param(&self, arg: u8) -> Option<(&'static str, &'static tables::Param)> {
        let call = tables::syscall(self.name)?;
        Some((call.name(), register::param(call, self.arch, arg)?))
    }

    /// The parameter, where the argument goes by it.
    fn named(&self, arg: u8) -> Option<&'static str> {
        self.param(arg).map(|(_, param)| param.name).filter(|_| !self.raw[usize::from(arg)])
    }

    /// How many bits the kernel looks at, where the argument can be named.
    fn width(&self, arg: u8) -> Option<u8> {
        let (_, param) = self.param(arg)?;
        // `prctl` calls its second parameter `arg2`: older releases take that for the third register.
        (!register::is_old_name(param.name)).then(|| param.bits.min(self.arch.bits()))
    }

    fn word(&self, arg: u8, known: &Known) -> Word {
        let named = self.width(arg).filter(|_| !self.raw[usize::from(arg)]);
        let param = self.param(arg);
        let of = param.map(|(call, param)| (call, param.name));
        let (label, bits, signed) = match (named, param) {
            (Some(bits), Some((_, param))) => (param.name.to_owned(), bits, param.signed),
            _ => (register::name(arg), self.arch.bits(), false),
        };
        // A register is compared as 64 bits everywhere: what a 32-bit ABI has no room for is zero.
        let compared = if named.is_some() { bits } else { 64 };
        Word { label, arg, bits, signed, names: Names { of, arch: self.arch, bits: compared, known: known.clone() } }
    }
}

/// Named arguments for which `set` asks about bits that the kernel does not look at.
pub fn unnameable(store: &mut Store, name: &str, arch: Arch, set: Node) -> [bool; 6] {
    let at = At { name, arch, raw: [false; 6] };
    let mut raw = tables::syscall(name).map_or([false; 6], |call| width::unnameable(store, call, arch, set));
    for node in store.reachable(set) {
        if let Some((var, ..)) = store.split(node)
            && let Place::Arg { arg, bit } = var.place()
        {
            raw[usize::from(arg)] |= at.width(arg).is_some_and(|bits| bit >= bits);
        }
    }
    raw
}

/// The set without what the kernel does not look at: what a filter would let through that compares parameters.
pub fn narrowed(store: &mut Store, name: &str, arch: Arch, node: Node) -> Node {
    let at = At { name, arch, raw: [false; 6] };
    store.assume(node, &|place| match place {
        Place::Arg { arg, bit } => at.width(arg).is_some_and(|bits| bit >= bits).then_some(false),
        _ => None,
    })
}

/// Conditions for a set: any of the lists, all of each. One empty list is the set of all calls. `None` where the set
/// needs too many.
pub fn patterns(store: &mut Store, at: At<'_>, set: Node) -> Option<Vec<Vec<String>>> {
    if let Some(rows) = rows(store, at, set, &mut Known::default()) {
        let mut kept = needed(store, set, rows);
        if let [only] = kept.as_mut_slice() {
            return Some(vec![std::mem::take(&mut only.0)]);
        }
        // One condition each: one pattern that joins them.
        if kept.len() <= 4 && kept.iter().all(|(tests, _)| tests.len() == 1) {
            let tests: Vec<String> = kept.into_iter().flat_map(|(tests, _)| tests).collect();
            return Some(vec![vec![tests.join(" || ")]]);
        }
        return Some(kept.into_iter().map(|(tests, _)| tests).collect());
    }
    cubes(store, at, set)
}

/// Takes away the rows that the others cover.
fn needed(store: &mut Store, set: Node, mut rows: Vec<(Vec<String>, Node)>) -> Vec<(Vec<String>, Node)> {
    let mut index = 0;
    while index < rows.len() && rows.len() > 1 {
        let mut others = Node::FALSE;
        for (_, node) in rows.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, row)| row) {
            others = store.or(others, *node);
        }
        if store.minus(set, others) == Node::FALSE {
            rows.remove(index);
        } else {
            index += 1;
        }
    }
    rows
}

/// Rows with the sets that they stand for.
fn rows(store: &mut Store, at: At<'_>, set: Node, known: &mut Known) -> Option<Vec<(Vec<String>, Node)>> {
    if set == Node::TRUE {
        return Some(vec![(Vec::new(), Node::TRUE)]);
    }
    let Some((var, ..)) = store.split(set) else { return Some(Vec::new()) };
    let Place::Arg { arg, .. } = var.place() else { return None };
    let parts = rest_after(store, arg, set)?;
    let word = at.word(arg, known);
    let mut all = Vec::new();
    for &rest in &parts {
        if rest == Node::FALSE {
            continue;
        }
        let own = leading_to(store, arg, set, &|node| node == rest);
        // Values that lead to more than this rest lead to this rest, too.
        let within: Vec<Node> =
            parts.iter().copied().filter(|&other| store.minus(rest, other) == Node::FALSE).collect();
        let wide = leading_to(store, arg, set, &|node| within.contains(&node));
        let test = if wide == Node::TRUE {
            None
        } else {
            let narrow = word.expression(store, own)?;
            let wider = word.expression(store, wide)?;
            Some(if wider.len() <= narrow.len() { (wider, wide) } else { (narrow, own) })
        };
        // What the argument is says what the others mean, also where the row does not say it.
        let noted = at.named(arg).map(|param| (param, word.few(store, own))).filter(|(_, values)| !values.is_empty());
        let is_noted = noted.is_some();
        if let Some((param, values)) = noted {
            known.push(param, values);
        }
        let below = rows(store, at, rest, known);
        if is_noted {
            known.pop();
        }
        for (mut tests, node) in below? {
            match &test {
                Some((test, values)) => {
                    // A condition that joins by `||` stands in parentheses beside others: the comma does it.
                    tests.insert(0, test.clone());
                    let node = store.and(*values, node);
                    all.push((tests, node));
                }
                None => all.push((tests, node)),
            }
        }
        if all.len() > MOST_PATTERNS {
            return None;
        }
    }
    Some(all)
}

/// What the function is after an argument is known: each possible rest once, in the order of values.
fn rest_after(store: &Store, arg: u8, set: Node) -> Option<Vec<Node>> {
    let mut rests = Vec::new();
    let mut seen = rustc_hash::FxHashSet::default();
    let mut stack = vec![set];
    while let Some(node) = stack.pop() {
        if !seen.insert(node) {
            continue;
        }
        match store.split(node) {
            Some((var, lo, hi)) if matches!(var.place(), Place::Arg { arg: of, .. } if of == arg) => {
                stack.extend([hi, lo]);
            }
            _ => rests.push(node),
        }
        if rests.len() > MOST_PARTS {
            return None;
        }
    }
    Some(rests)
}

/// The values of an argument that lead to a rest that is wanted.
fn leading_to(store: &mut Store, arg: u8, set: Node, wanted: &dyn Fn(Node) -> bool) -> Node {
    let mut done = FxHashMap::default();
    leading_below(store, arg, set, wanted, &mut done)
}

fn leading_below(
    store: &mut Store,
    arg: u8,
    node: Node,
    wanted: &dyn Fn(Node) -> bool,
    done: &mut FxHashMap<Node, Node>,
) -> Node {
    let (var, lo, hi) = match store.split(node) {
        Some((var, lo, hi)) if matches!(var.place(), Place::Arg { arg: of, .. } if of == arg) => (var, lo, hi),
        _ => return if wanted(node) { Node::TRUE } else { Node::FALSE },
    };
    if let Some(&known) = done.get(&node) {
        return known;
    }
    let lo = leading_below(store, arg, lo, wanted, done);
    let hi = leading_below(store, arg, hi, wanted, done);
    let bit = store.var(var);
    let made = store.ite(bit, hi, lo);
    done.insert(node, made);
    made
}

/// Path by path, of the set or of its complement.
fn cubes(store: &mut Store, at: At<'_>, set: Node) -> Option<Vec<Vec<String>>> {
    let mut rows = Vec::new();
    let complete = store.paths(set, &|leaf| leaf == Leaf::True, &mut |cube, _| {
        let mut tests = Vec::new();
        for (arg, bits) in (0u8..).zip(cube.args) {
            if bits.mask == 0 {
                continue;
            }
            let word = at.word(arg, &Known::default());
            let all = u64::MAX >> (64 - u32::from(word.bits));
            let value = number(i128::from(bits.value));
            tests.push(if bits.mask == all {
                format!("{} & {} == {value}", word.label, number(i128::from(all)))
            } else {
                format!("{} & {} == {value}", word.label, number(i128::from(bits.mask)))
            });
        }
        rows.push(tests);
        rows.len() <= MOST_PATTERNS
    });
    complete.then_some(rows)
}
