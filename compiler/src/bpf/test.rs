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

use super::block::{BlockId, Blocks, Compare, Subject};
use super::dispatch::{self, Span, Tree, merge};
use crate::diagram::{Node, Place, Store};
use crate::spec::Arch;

/// More intervals than this in one word are not looked at as such.
const INTERVALS: usize = 64;

/// How argument nodes of one kind of ABI are compiled.
#[derive(Debug)]
pub(super) struct Tests {
    big_endian: bool,
    blocks: FxHashMap<Node, BlockId>,
    /// Plans that no block has been made of yet.
    plans: FxHashMap<Node, How>,
    costs: FxHashMap<Node, Cost>,
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
    pub fn new(big_endian: bool) -> Self {
        Self { big_endian, blocks: FxHashMap::default(), plans: FxHashMap::default(), costs: FxHashMap::default() }
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
    /// argument bits: each step leads to a node with a later variable.
    pub fn block(&mut self, store: &Store, blocks: &mut Blocks, node: Node) -> BlockId {
        if let Some(action) = node.as_action() {
            return blocks.answer(action);
        }
        if let Some(&known) = self.blocks.get(&node) {
            return known;
        }
        let Some(word) = word_of(store, node) else {
            // A set or an environment: the caller has turned those away.
            debug_assert!(false, "not a function of arguments");
            return blocks.answer(crate::diagram::Function::FOREIGN);
        };
        self.plan(store, node, f64::INFINITY);
        let offset = self.offset(word);
        let subject = |mask| Subject { offset, mask };
        let block = match self.plans.remove(&node) {
            Some(How::Intervals { mask, tree, exits }) => {
                let subject = subject(mask);
                let targets: Vec<BlockId> = exits.iter().map(|&exit| self.block(store, blocks, exit)).collect();
                tree.blocks(blocks, subject, &targets)
            }
            Some(How::Spine { mask, value, end, out }) => {
                let (whole, masked) = (subject(u32::MAX), subject(mask));
                let end = self.block(store, blocks, end);
                let out = self.block(store, blocks, out);
                if value == 0 {
                    blocks.test(whole, Compare::Any, mask, out, end)
                } else if mask.is_power_of_two() {
                    blocks.test(whole, Compare::Any, mask, end, out)
                } else {
                    blocks.test(masked, Compare::Equal, value, end, out)
                }
            }
            None => blocks.answer(crate::diagram::Function::FOREIGN),
        };
        self.blocks.insert(node, block);
        block
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
        // One test and its price.
        if limit <= 2.0 {
            return None;
        }
        let mut best: Option<Plan> = None;
        let under = |best: &Option<Plan>| best.as_ref().map_or(limit, |plan| plan.cost.min(limit));
        let support = support(store, node, word);
        // At least every second interval has a test, and each its price.
        let most = if limit.is_finite() { INTERVALS.min(2 * limit as usize + 1) } else { INTERVALS };
        for mask in [u32::MAX, support] {
            // Nothing is better than one test of the whole word, and there may be no other mask.
            if best.as_ref().is_some_and(|plan| plan.cost <= 2.0 || support == u32::MAX) {
                break;
            }
            if let Some((spans, exits)) = intervals(store, node, word, mask, most) {
                let instructions = if mask == u32::MAX { 0.0 } else { 1.0 };
                let tree = dispatch::plan(&spans, 1.0);
                let cost = instructions + tree.cost;
                if best.as_ref().is_none_or(|plan| cost < plan.cost) {
                    best = Some(Plan { cost, how: How::Intervals { mask, tree, exits } });
                }
            }
        }
        for follow_one in [false, true] {
            let (mask, value, end, out) = spine(store, node, word, follow_one);
            let clobbers = value != 0 && !mask.is_power_of_two() && mask != u32::MAX;
            let mut cost = 2.0 + if clobbers { 1.0 } else { 0.0 };
            let mut within = true;
            for next in [end, out] {
                if word_of(store, next) == Some(word) {
                    // Half of the calls go each way; the word has to be loaded again after an AND.
                    cost += if clobbers { 1.0 } else { 0.0 };
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
        weight: 1.0,
    });
    Some((merge(spans), exits))
}
