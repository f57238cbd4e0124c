//! Argument tests: from a node over bits to compares of whole words.
//!
//! ```text
//! socket(type & 0xf == 1): a chain of four bit tests of arg1     →     ld [24]; and #0xf; jeq #1
//! clone(flags & (NEWUSER | NEWNS) == 0): two bit tests           →     ld [16]; jset #0x10020000
//! ioctl(cmd in 0x5401..=0x5410): some forty nodes                →     ld [24]; jge #0x5411; jge #0x5401
//! ```
//!
//! The node's top variable says which 32-bit word is asked first. All of the diagram above the next word is a
//! function from that word to *exits*: nodes that no longer ask about it. Three ways to compute it are compared:
//!
//! - **Intervals**: the word's values fall into few intervals with one exit each. Then it is [`dispatch`], as
//!   for numbers.
//! - **Masked intervals**: the same after an `AND` with the bits that the diagram asks about at all.
//! - **A spine**: from the top, bit after bit leads to one and the same node unless it has one value. That is one
//!   masked equality (`jset` where the value is 0), whose two ways are planned in the same manner.
//!
//! The spine always applies (it may be one bit long), so everything can be written; a node is planned once, so
//! equal tails are one piece of program.

use rustc_hash::FxHashMap;

use super::aim::Goal;
use super::block::{BlockId, Blocks, Compare, Subject};
use super::dispatch::{self, Span, Tree, merge};
use crate::diagram::{Function, Node, Place, Store, Var};
use crate::spec::{Action, Arch};

/// More intervals than this in one word are not looked at as such.
const INTERVALS: usize = 64;

/// How argument nodes of one kind of ABI are compiled.
#[derive(Debug)]
pub(super) struct Tests {
    big_endian: bool,
    /// Of a test in the program, as a part of an executed one.
    price: f64,
    blocks: FxHashMap<(Node, Option<Tail>), BlockId>,
    /// Plans that no block has been made of yet.
    plans: FxHashMap<Node, How>,
    costs: FxHashMap<Node, Cost>,
}

/// What is still to be asked of the high word of an argument whose low word came first: where `holds` does not, the
/// answer is `other`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Tail {
    arg: u8,
    holds: Node,
    other: Node,
}

/// The word of an argument that a node asks first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word {
    arg: u8,
    /// Whether it is bits 63 … 32.
    high: bool,
}

#[derive(Debug)]
struct Plan {
    /// Instructions, and the most of them on one path.
    cost: f64,
    how: How,
}

#[derive(Debug)]
enum How {
    /// Compare the word under `mask`; exit `exits[class]`.
    Intervals { mask: u32, tree: Tree, exits: Vec<Node> },
    /// `word & mask == value` leads to `end`, anything else to `out`.
    Spine { mask: u32, value: u32, end: Node, out: Node },
}

impl Tests {
    /// For ABIs whose arguments lie in that order.
    pub fn new(big_endian: bool, goal: Goal) -> Self {
        Self {
            big_endian,
            price: goal.price_of_arguments(),
            blocks: FxHashMap::default(),
            plans: FxHashMap::default(),
            costs: FxHashMap::default(),
        }
    }

    /// The function without the bits that a 32-bit ABI has no registers for.
    pub fn narrow(store: &mut Store, arch: Arch, node: Node) -> Node {
        if arch.bits() == 64 {
            return node;
        }
        store.assume(node, &|place| match place {
            Place::Arg { bit, .. } if bit >= 32 => Some(false),
            _ => None,
        })
    }

    /// The block that computes `node`, which asks about arguments only. Recursion is at most as deep as there are
    /// argument bits, each twice: each step leads to a node with a later variable, or from a low word to its high one.
    pub fn block(&mut self, store: &mut Store, blocks: &mut Blocks, node: Node) -> BlockId {
        self.block_with(store, blocks, node, None)
    }

    fn block_with(&mut self, store: &mut Store, blocks: &mut Blocks, node: Node, tail: Option<Tail>) -> BlockId {
        // Behind the low word, what is left of the high one is asked.
        if let Some(tail) = tail
            && word_of(store, node) != Some(Word { arg: tail.arg, high: false })
        {
            let both = store.ite(tail.holds, node, tail.other);
            return self.block_with(store, blocks, both, None);
        }
        if let Some(action) = node.as_action() {
            return blocks.answer(action);
        }
        if let Some(&known) = self.blocks.get(&(node, tail)) {
            return known;
        }
        let Some(word) = word_of(store, node) else {
            // A set or an environment: the caller has turned those away.
            debug_assert!(false, "not a function of arguments");
            return blocks.answer(Function::FOREIGN);
        };
        let block = match low_first(store, node, word) {
            Some((low, tail)) => self.block_with(store, blocks, low, Some(tail)),
            None => self.tests(store, blocks, node, word, tail),
        };
        self.blocks.insert((node, tail), block);
        block
    }

    /// The tests of one word, and all that follows.
    fn tests(&mut self, store: &mut Store, blocks: &mut Blocks, node: Node, word: Word, tail: Option<Tail>) -> BlockId {
        self.plan(store, node, f64::INFINITY);
        let offset = self.offset(word);
        let subject = |mask| Subject { offset, mask };
        match self.plans.remove(&node) {
            Some(How::Intervals { mask, tree, exits }) => {
                let subject = subject(mask);
                let targets: Vec<BlockId> =
                    exits.iter().map(|&exit| self.block_with(store, blocks, exit, tail)).collect();
                let block = tree.blocks(blocks, subject, &targets);
                // The same word may be asked with another tail.
                self.plans.insert(node, How::Intervals { mask: subject.mask, tree, exits });
                block
            }
            Some(How::Spine { mask, value, end, out }) => {
                self.plans.insert(node, How::Spine { mask, value, end, out });
                let (whole, masked) = (subject(u32::MAX), subject(mask));
                let end = self.block_with(store, blocks, end, tail);
                let out = self.block_with(store, blocks, out, tail);
                if value == 0 {
                    blocks.test(whole, Compare::Any, mask, out, end)
                } else if mask.is_power_of_two() {
                    blocks.test(whole, Compare::Any, mask, end, out)
                } else {
                    blocks.test(masked, Compare::Equal, value, end, out)
                }
            }
            None => blocks.answer(Function::FOREIGN),
        }
    }

    fn offset(&self, word: Word) -> u32 {
        16 + 8 * u32::from(word.arg) + if word.high == self.big_endian { 0 } else { 4 }
    }

    /// The cost of a node as far as its own word goes, if that is below `limit`; makes the plan if there is none. With
    /// a `limit` no way is followed that is dearer already.
    fn plan(&mut self, store: &Store, node: Node, limit: f64) -> Option<f64> {
        let Some(word) = word_of(store, node) else { return Some(0.0) };
        match self.costs.get(&node) {
            Some(&Cost::Known(cost)) => return (cost < limit).then_some(cost),
            Some(&Cost::AtLeast(least)) if least >= limit => return None,
            _ => {}
        }
        let one = 1.0 + self.price;
        if limit <= one {
            return None;
        }
        let mut best: Option<Plan> = None;
        let under = |best: &Option<Plan>| best.as_ref().map_or(limit, |plan| plan.cost.min(limit));
        let support = support(store, node, word);
        // At least every second interval has a test, and each its price.
        let most = INTERVALS.min((2.0 * limit / self.price) as usize).saturating_add(1);
        for mask in [u32::MAX, support] {
            // Nothing is better than one test of the whole word, and there may be no other mask.
            if best.as_ref().is_some_and(|plan| plan.cost <= one || support == u32::MAX) {
                break;
            }
            if let Some((spans, exits)) = intervals(store, node, word, mask, most) {
                let instructions = if mask == u32::MAX { 0.0 } else { one };
                let tree = dispatch::plan(&spans, self.price);
                let cost = instructions + tree.cost;
                if best.as_ref().is_none_or(|plan| cost < plan.cost) {
                    best = Some(Plan { cost, how: How::Intervals { mask, tree, exits } });
                }
            }
        }
        for follow_one in [false, true] {
            let (mask, value, end, out) = spine(store, node, word, follow_one);
            let clobbers = value != 0 && !mask.is_power_of_two() && mask != u32::MAX;
            let mut cost = one + if clobbers { one } else { 0.0 };
            let mut within = true;
            for next in [end, out] {
                if word_of(store, next) == Some(word) {
                    // Half of the calls go each way; the word has to be loaded again after an AND.
                    cost += if clobbers { one } else { 0.0 };
                    match self.plan(store, next, under(&best) - cost) {
                        Some(more) => cost += more,
                        None => {
                            within = false;
                            break;
                        }
                    }
                }
            }
            if within && cost < under(&best) {
                best = Some(Plan { cost, how: How::Spine { mask, value, end, out } });
            }
        }
        match best.filter(|best| best.cost < limit) {
            Some(best) => {
                self.costs.insert(node, Cost::Known(best.cost));
                self.plans.insert(node, best.how);
                Some(best.cost)
            }
            None => {
                self.costs.insert(node, Cost::AtLeast(limit));
                None
            }
        }
    }
}

/// What is known of a node's cost.
#[derive(Debug, Clone, Copy)]
enum Cost {
    Known(f64),
    AtLeast(f64),
}

fn word_of(store: &Store, node: Node) -> Option<Word> {
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
fn support(store: &Store, node: Node, word: Word) -> u32 {
    let mut seen = rustc_hash::FxHashSet::default();
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
fn spine(store: &Store, node: Node, word: Word, follow_one: bool) -> (u32, u32, Node, Node) {
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

/// The values of `word & mask` as intervals of one exit each, and the exits; `None` if there are more than `most`. The node
/// asks about no bit outside of `mask`.
fn intervals(store: &Store, node: Node, word: Word, mask: u32, most: usize) -> Option<(Vec<Span>, Vec<Node>)> {
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
                stack.push((hi, index + 1, value | 1 << next));
                stack.push((lo, index + 1, value));
            }
        }
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
        weight: passes(exit) * (likely(lo, hi, word) + if lo == hi { 0.3 } else { 0.0 }),
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

/// A node that asks the high word of an argument first where the low one would do: the node over the low word, and what
/// is left to be asked behind it.
///
/// ```text
/// arg0 == 38, all 64 bits      ld [20]; jeq #0, .., no; ld [16]; jeq #38, yes, no
///                         →    ld [16]; jeq #38, .., no; ld [20]; jeq #0, yes, no
/// ```
///
/// Most calls are through after one word instead of two. It applies where the high word has two exits, one of which
/// asks the low word; where more than one exit of that needs the high word again, the program would be longer.
fn low_first(store: &mut Store, node: Node, word: Word) -> Option<(Node, Tail)> {
    if !word.high {
        return None;
    }
    let low_word = Word { high: false, ..word };
    let asks_low = |store: &Store, node: Node| word_of(store, node) == Some(low_word);
    let exits = exits(store, node, word, 2)?;
    let &[a, b] = exits.as_slice() else { return None };
    let (low, other) = match (asks_low(store, a), asks_low(store, b)) {
        (true, false) => (a, b),
        (false, true) => (b, a),
        _ => return None,
    };
    let ends = self::exits(store, low, low_word, 2)?;
    if ends.iter().filter(|&&end| end != other).count() > 1 {
        return None;
    }
    let holds = set_of(store, node, word, low, &mut FxHashMap::default());
    Some((low, Tail { arg: word.arg, holds, other }))
}

/// The nodes that `node` leads to behind a word; `None` if there are more than `most`.
fn exits(store: &Store, node: Node, word: Word, most: usize) -> Option<Vec<Node>> {
    let mut seen = rustc_hash::FxHashSet::default();
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
fn set_of(store: &mut Store, node: Node, word: Word, exit: Node, known: &mut FxHashMap<Node, Node>) -> Node {
    let Some((bit, lo, hi)) = split_in(store, node, word) else {
        return if node == exit { Node::TRUE } else { Node::FALSE };
    };
    if let Some(&set) = known.get(&node) {
        return set;
    }
    let lo = set_of(store, lo, word, exit, known);
    let hi = set_of(store, hi, word, exit, known);
    let var = store.var(Var::arg(word.arg, bit as u8 + if word.high { 32 } else { 0 }));
    let set = store.ite(var, hi, lo);
    known.insert(node, set);
    set
}
