//! What the values of one word of an argument lead to.
//!
//! All of a diagram above the next word is a function from the word to *exits*: nodes that no longer ask about it.
//!
//! ```text
//! word == 5 || word & 3 == 0 ? allow : next         exits: allow, next
//! ```

use rustc_hash::{FxHashMap, FxHashSet};

use super::dispatch::{Span, merge};
use super::weights::Weight;
use crate::diagram::{Node, Place, Store, Var};
use crate::spec::Action;

/// The word of an argument that a node asks first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word {
    /// Index.
    pub arg: u8,
    /// Whether it is bits 63 … 32.
    pub high: bool,
}

pub(super) fn word_of(store: &Store, node: Node) -> Option<Word> {
    match store.split(node)?.0.place() {
        Place::Arg { arg, bit } => Some(Word { arg, high: bit >= 32 }),
        _ => None,
    }
}

/// The bit within the word that a node asks, and its branches; `None` if it does not ask about the word.
fn split_in(store: &Store, node: Node, word: Word) -> Option<(u32, Node, Node)> {
    let (var, lo, hi) = store.split(node)?;
    match var.place() {
        Place::Arg { arg, bit } if arg == word.arg && (bit >= 32) == word.high => Some((u32::from(bit) % 32, lo, hi)),
        _ => None,
    }
}

/// All bits of the word that the node asks about.
pub(super) fn support(store: &Store, node: Node, word: Word) -> u32 {
    let mut seen = FxHashSet::default();
    let mut stack = vec![node];
    let mut support = 0;
    while let Some(node) = stack.pop() {
        if let Some((bit, lo, hi)) = split_in(store, node, word)
            && seen.insert(node)
        {
            support |= 1 << bit;
            stack.extend([lo, hi]);
        }
    }
    support
}

/// From `node` on, as long as all but one value of each bit lead to one node: (bits, values, where the values lead,
/// where all others lead).
pub(super) fn spine(store: &Store, node: Node, word: Word, follow_one: bool) -> (u32, u32, Node, Node) {
    let Some((bit, lo, hi)) = split_in(store, node, word) else { return (0, 0, node, node) };
    let (mut here, out) = if follow_one { (hi, lo) } else { (lo, hi) };
    let mut mask = 1 << bit;
    let mut value = if follow_one { mask } else { 0 };
    while let Some((bit, lo, hi)) = split_in(store, here, word) {
        if hi == out {
            here = lo;
        } else if lo == out {
            value |= 1 << bit;
            here = hi;
        } else {
            break;
        }
        mask |= 1 << bit;
    }
    (mask, value, here, out)
}

/// The bits, and their values, that all values of the word have in common which do not lead to `out`; `None` if there are
/// no such values.
pub(super) fn in_common(store: &Store, node: Node, word: Word, out: Node) -> Option<(u32, u32)> {
    let of_exit = |exit| (exit != out).then_some((0, 0));
    let common =
        |bit: u32, lo: Option<(u32, u32)>, hi: Option<(u32, u32)>| match (lo, hi.map(|(m, v)| (m, v | 1 << bit))) {
            (None, None) => None,
            (Some((mask, value)), None) | (None, Some((mask, value))) => Some((mask | 1 << bit, value)),
            (Some((a, one)), Some((b, two))) => {
                let mask = a & b & !(one ^ two);
                Some((mask, one & mask))
            }
        };
    upwards(store, node, word, of_exit, common).get(&node).copied().flatten()
}

/// Something of each node of the word, from the exits up: of an exit, and of a bit and its two branches.
fn upwards<T: Copy>(
    store: &Store,
    node: Node,
    word: Word,
    of_exit: impl Fn(Node) -> Option<T>,
    of_bit: impl Fn(u32, Option<T>, Option<T>) -> Option<T>,
) -> FxHashMap<Node, Option<T>> {
    let mut known = FxHashMap::default();
    // (node, whether its branches are known)
    let mut stack = vec![(node, false)];
    while let Some((node, done)) = stack.pop() {
        if known.contains_key(&node) {
            continue;
        }
        let Some((bit, lo, hi)) = split_in(store, node, word) else {
            known.insert(node, of_exit(node));
            continue;
        };
        if done {
            let of = |branch| known.get(&branch).copied().flatten();
            let found = of_bit(bit, of(lo), of(hi));
            known.insert(node, found);
        } else {
            stack.extend([(node, true), (lo, false), (hi, false)]);
        }
    }
    known
}

/// The function where some bits of the word have certain values.
pub(super) fn assume(store: &mut Store, node: Node, word: Word, bits: (u32, u32)) -> Node {
    assume_below(store, node, word, bits, &mut FxHashMap::default())
}

/// Recursion is at most 32 deep.
fn assume_below(
    store: &mut Store,
    node: Node,
    word: Word,
    (mask, value): (u32, u32),
    known: &mut FxHashMap<Node, Node>,
) -> Node {
    let Some((bit, lo, hi)) = split_in(store, node, word) else { return node };
    if let Some(&known) = known.get(&node) {
        return known;
    }
    let mut below = |store: &mut Store, node| assume_below(store, node, word, (mask, value), known);
    let assumed = if mask >> bit & 1 == 1 {
        below(store, if value >> bit & 1 == 1 { hi } else { lo })
    } else {
        let (lo, hi) = (below(store, lo), below(store, hi));
        choice(store, word, bit, lo, hi)
    };
    known.insert(node, assumed);
    assumed
}

/// `lo` or `hi`, by a bit of the word.
fn choice(store: &mut Store, word: Word, bit: u32, lo: Node, hi: Node) -> Node {
    let var = store.var(Var::arg(word.arg, bit as u8 + if word.high { 32 } else { 0 }));
    store.ite(var, hi, lo)
}

/// The values of `word & mask` as intervals of one exit each, and the exits; `None` if there are more than `most`. The node
/// asks about no bit outside of `mask`. Only values with `fixed` (some bits, and what they are) count, and the node asks about
/// none of those bits.
pub(super) fn intervals(
    store: &Store,
    node: Node,
    word: Word,
    mask: u32,
    fixed: (u32, u32),
    most: usize,
) -> Option<(Vec<Span>, Vec<Node>)> {
    let bits: Vec<u32> = (0..32).rev().filter(|bit| mask >> bit & 1 == 1).collect();
    let mut starts: Vec<(u32, Node)> = Vec::new();
    // (node, index of the next bit, value so far), the smallest value on top.
    let mut stack = vec![(node, 0, 0u32)];
    while let Some((node, index, value)) = stack.pop() {
        match split_in(store, node, word) {
            None => {
                if starts.last().is_none_or(|&(_, last)| last != node) {
                    starts.push((value, node));
                    if starts.len() > most {
                        return None;
                    }
                }
            }
            Some((bit, lo, hi)) => {
                let next = *bits.get(index)?;
                let (lo, hi) = if next == bit { (lo, hi) } else { (node, node) };
                let free = fixed.0 >> next & 1 == 0;
                if free || fixed.1 >> next & 1 == 1 {
                    stack.push((hi, index + 1, value | 1 << next));
                }
                if free || fixed.1 >> next & 1 == 0 {
                    stack.push((lo, index + 1, value));
                }
            }
        }
    }
    if let Some(first) = starts.first_mut() {
        first.0 = 0;
    }
    let mut exits: Vec<Node> = starts.iter().map(|&(_, exit)| exit).collect();
    exits.sort_unstable();
    exits.dedup();
    // The last value of an interval is the one before the next begins, among those that fit the mask.
    let ends = starts.iter().skip(1).map(|&(next, _)| next.wrapping_sub(1) & mask).chain([mask]);
    let spans = starts.iter().zip(ends).map(|(&(lo, exit), hi)| Span {
        lo,
        hi,
        class: exits.partition_point(|&known| known < exit),
        // A value that a policy names is one that is used.
        weight: Weight::both(passes(exit) * (likely(lo, hi, word) + if lo == hi { 0.3 } else { 0.0 })),
    });
    Some((merge(spans), exits))
}

/// A policy is made for calls that pass; those that fail are few, or there are few programs.
fn passes(exit: Node) -> f64 {
    match exit.as_action() {
        Some(Action::Errno(_) | Action::KillThread | Action::KillProcess | Action::Trap(_)) => 0.1,
        _ => 1.0,
    }
}

/// How often a word of an argument is in `lo..=hi`. Descriptors, flags, families and commands are small numbers more often
/// than large ones, and the high word of nearly all arguments is 0.
fn likely(lo: u32, hi: u32, word: Word) -> f64 {
    // Numbers of n bits are less likely the more bits there are.
    let mut sum = 0.0;
    let mut first = 0u32;
    for bits in 0..=32u32 {
        let last = if bits == 0 { 0 } else { first + (first - 1) };
        if lo <= last && hi >= first {
            let part = f64::from(hi.min(last) - lo.max(first)) + 1.0;
            let all = f64::from(last - first) + 1.0;
            sum += part / all / f64::from(bits + 1);
        }
        first = last.wrapping_add(1);
    }
    if word.high { sum * 0.01 + if lo == 0 { 10.0 } else { 0.0 } } else { sum }
}

/// The nodes that `node` leads to behind a word; `None` if there are more than `most`.
pub(super) fn exits(store: &Store, node: Node, word: Word, most: usize) -> Option<Vec<Node>> {
    let mut seen = FxHashSet::default();
    let mut exits = Vec::new();
    let mut stack = vec![node];
    while let Some(node) = stack.pop() {
        if !seen.insert(node) {
            continue;
        }
        match split_in(store, node, word) {
            Some((_, lo, hi)) => stack.extend([lo, hi]),
            None => exits.push(node),
        }
        if exits.len() > most {
            return None;
        }
    }
    Some(exits)
}

/// The values of a word that lead from `node` to `exit`, as a set. Recursion is at most 32 deep.
pub(super) fn set_of(store: &mut Store, node: Node, word: Word, exit: Node, known: &mut FxHashMap<Node, Node>) -> Node {
    let Some((bit, lo, hi)) = split_in(store, node, word) else {
        return if node == exit { Node::TRUE } else { Node::FALSE };
    };
    if let Some(&set) = known.get(&node) {
        return set;
    }
    let lo = set_of(store, lo, word, exit, known);
    let hi = set_of(store, hi, word, exit, known);
    let set = choice(store, word, bit, lo, hi);
    known.insert(node, set);
    set
}

/// The largest set of values of the form `word & mask == value` that leads to `exit` whole, or nearly that; `None` if
/// there is no such value.
pub(super) fn implicant(store: &Store, node: Node, word: Word, exit: Node) -> Option<(u32, u32)> {
    // Of each node, how many bits the shortest way to the exit fixes, and its first step.
    let of_exit = |node| (node == exit).then_some((0, false));
    let nearer = |_, lo: Option<(u32, bool)>, hi: Option<(u32, bool)>| match (lo, hi) {
        (None, None) => None,
        (Some((lo, _)), Some((hi, _))) if hi < lo => Some((hi + 1, true)),
        (Some((lo, _)), _) => Some((lo + 1, false)),
        (None, Some((hi, _))) => Some((hi + 1, true)),
    };
    let known = upwards(store, node, word, of_exit, nearer);
    let (mut mask, mut value, mut here) = (0u32, 0u32, node);
    while let Some((bit, lo, hi)) = split_in(store, here, word) {
        let (_, one) = known.get(&here).copied().flatten()?;
        mask |= 1 << bit;
        value |= u32::from(one) << bit;
        here = if one { hi } else { lo };
    }
    // What the way fixes and nothing hangs on.
    for bit in (0..32).rev().map(|bit| 1u32 << bit) {
        if here == exit && mask & bit != 0 && leads_to(store, node, word, (mask & !bit, value & !bit), exit) {
            mask &= !bit;
            value &= !bit;
        }
    }
    (here == exit).then_some((mask, value))
}

/// Whether all values with those bits lead to `exit`.
fn leads_to(store: &Store, node: Node, word: Word, (mask, value): (u32, u32), exit: Node) -> bool {
    let mut seen = FxHashSet::default();
    let mut stack = vec![node];
    while let Some(node) = stack.pop() {
        if !seen.insert(node) {
            continue;
        }
        match split_in(store, node, word) {
            None if node != exit => return false,
            None => {}
            Some((bit, lo, hi)) if mask >> bit & 1 == 1 => stack.push(if value >> bit & 1 == 1 { hi } else { lo }),
            Some((_, lo, hi)) => stack.extend([lo, hi]),
        }
    }
    true
}

/// A function that is the same for all values *without* those bits, and mostly a smaller one (Coudert and Madre,
/// *Verification of sequential machines based on symbolic execution*, 1989: `restrict`).
pub(super) fn without(store: &mut Store, node: Node, word: Word, (mask, value): (u32, u32)) -> Node {
    let bits: Vec<(u32, bool)> =
        (0..32).rev().filter(|bit| mask >> bit & 1 == 1).map(|bit| (bit, value >> bit & 1 == 1)).collect();
    without_below(store, node, word, &bits, &mut FxHashMap::default()).unwrap_or(node)
}

/// The same; `None` where no value counts. Recursion is at most 32 deep.
fn without_below(
    store: &mut Store,
    node: Node,
    word: Word,
    bits: &[(u32, bool)],
    known: &mut FxHashMap<(Node, usize), Option<Node>>,
) -> Option<Node> {
    let (&(fixed, one), below) = bits.split_first()?;
    // A node that does not ask the bit is the same for values that have it and for those that do not.
    let Some((bit, lo, hi)) = split_in(store, node, word).filter(|&(bit, ..)| bit >= fixed) else { return Some(node) };
    if let Some(&known) = known.get(&(node, bits.len())) {
        return known;
    }
    let (lo, hi) = match (bit == fixed, one) {
        (false, _) => (without_below(store, lo, word, bits, known), without_below(store, hi, word, bits, known)),
        (true, false) => (without_below(store, lo, word, below, known), Some(hi)),
        (true, true) => (Some(lo), without_below(store, hi, word, below, known)),
    };
    let left = match (lo, hi) {
        (Some(lo), Some(hi)) => Some(choice(store, word, bit, lo, hi)),
        (one, other) => one.or(other),
    };
    known.insert((node, bits.len()), left);
    left
}

/// How many nodes ask about the word; `None` if more than `most`.
pub(super) fn size(store: &Store, node: Node, word: Word, most: usize) -> Option<usize> {
    let mut seen = FxHashSet::default();
    let mut stack = vec![node];
    while let Some(node) = stack.pop() {
        if let Some((_, lo, hi)) = split_in(store, node, word)
            && seen.insert(node)
        {
            if seen.len() > most {
                return None;
            }
            stack.extend([lo, hi]);
        }
    }
    Some(seen.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::diagram::{Comparison, Leaf, Operand};
    use crate::spec::Environment;

    const LOW: Word = Word { arg: 0, high: false };
    const ALLOW: Node = Node::TRUE;

    /// Sets of bytes: masks and ranges, and what they have in common or together.
    fn function(store: &mut Store, parts: &[(bool, bool, u8, u8)]) -> Node {
        let low = |mask: u8| Operand { arg: 0, bits: 8, mask: u64::from(mask), signed: false };
        parts.iter().fold(Node::FALSE, |all, &(and, masked, one, two)| {
            let part = if masked {
                store.compare(low(one), Comparison::Eq, u64::from(one & two))
            } else {
                let mut up_to = |last: u8| store.compare(low(u8::MAX), Comparison::Le, u64::from(last));
                let before = one.min(two).checked_sub(1).map_or(Node::FALSE, &mut up_to);
                let to = up_to(one.max(two));
                store.minus(to, before)
            };
            if and { store.and(all, part) } else { store.or(all, part) }
        })
    }

    fn holds(store: &Store, node: Node, value: u8) -> bool {
        store.at(node, &Environment::default(), &[u64::from(value), 0, 0, 0, 0, 0]) == Leaf::True
    }

    proptest! {
        #[test]
        fn masks_are_what_they_say(parts in prop::collection::vec(any::<(bool, bool, u8, u8)>(), 1..5)) {
            let mut store = Store::default();
            let node = function(&mut store, &parts);
            for exit in [ALLOW, Node::FALSE] {
                let leads = |value: u8| holds(&store, node, value) == (exit == ALLOW);
                let inside = |(mask, value): (u32, u32), byte: u8| u32::from(byte) & mask == value;
                let common = in_common(&store, node, LOW, exit);
                prop_assert_eq!(common.is_none(), (0..=255).all(leads));
                if let Some(bits) = common {
                    prop_assert!((0..=255).all(|byte| leads(byte) || inside(bits, byte)));
                }
                let found = implicant(&store, node, LOW, exit);
                prop_assert_eq!(found.is_none(), !(0..=255).any(leads));
                let Some(bits) = found else { continue };
                prop_assert!((0..=255).all(|byte| leads(byte) || !inside(bits, byte)));
                let rest = without(&mut store, node, LOW, bits);
                let alike = |byte| holds(&store, rest, byte) == holds(&store, node, byte);
                prop_assert!((0..=255).all(|byte| inside(bits, byte) || alike(byte)));
            }
        }

        #[test]
        fn intervals_within_a_mask_have_its_values(parts in prop::collection::vec(any::<(bool, bool, u8, u8)>(), 1..5)) {
            let mut store = Store::default();
            let node = function(&mut store, &parts);
            let Some(bits) = in_common(&store, node, LOW, Node::FALSE) else { return Ok(()) };
            let within = assume(&mut store, node, LOW, bits);
            let (spans, exits) = intervals(&store, within, LOW, 0xff, bits, 300).unwrap_or_default();
            for byte in (0..=255u8).filter(|&byte| u32::from(byte) & bits.0 == bits.1) {
                let span = spans.iter().find(|span| (span.lo..=span.hi).contains(&u32::from(byte)));
                prop_assert_eq!(span.map(|span| exits[span.class] == ALLOW), Some(holds(&store, node, byte)));
            }
        }
    }
}
