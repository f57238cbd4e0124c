//! Argument tests: from a node over bits to compares of whole words.
//!
//! ```text
//! socket(type & 0xf == 1): a chain of four bit tests of arg1     →     ld [24]; and #0xf; jeq #1
//! clone(flags & (NEWUSER | NEWNS) == 0): two bit tests           →     ld [16]; jset #0x10020000
//! ioctl(cmd in 0x5401..=0x5410): some forty nodes                →     ld [24]; jge #0x5411; jge #0x5401
//! ```
//!
//! The node's top variable says which 32-bit word is asked first. All of the diagram above the next word is a
//! function from that word to *exits*: nodes that no longer ask about it. Four ways to compute it are compared:
//!
//! - **Intervals**: the word's values fall into few intervals with one exit each. Then it is [`dispatch`], as
//!   for numbers.
//! - **Masked intervals**: the same after an `AND` with the bits that the diagram asks about at all.
//! - **Intervals within a mask**: all values that do not lead to one certain exit have some bits in common. Those are
//!   asked first; behind, values without them are nobody's, so that what lies between them tells no intervals apart.
//! - **A spine**: from the top, bit after bit leads to one and the same node unless it has one value. That is one
//!   masked equality (`jset` where the value is 0), whose two ways are planned in the same manner.
//!
//! The spine always applies (it may be one bit long), so everything can be written; a node is planned once, so
//! equal tails are one piece of program.

use rustc_hash::FxHashMap;

use super::aim::Measure;
use super::block::{BlockId, Blocks, Compare, Subject};
use super::dispatch::{self, Tree};
use super::values::{self, Word, exits, in_common, intervals, set_of, spine, support, word_of};
use crate::diagram::{Function, Leaf, Node, Place, Store};
use crate::spec::Arch;

/// More intervals than this in one word are not looked at as such.
const INTERVALS: usize = 64;

/// From so many tests on, masks are looked for that lead to an exit whole, or outside of which all is one exit.
const DEAR: f64 = 2.5;

/// Looks for such masks in one program.
const LOOKS: u32 = 1_000;

/// Not in functions of a word of more nodes.
const SMALL: usize = 200;

/// With more exits, none is tried as the one that values outside of a mask lead to.
const OUTSIDE: usize = 4;

/// How argument nodes of one kind of ABI are compiled.
#[derive(Debug)]
pub(super) struct Tests {
    big_endian: bool,
    /// The argument at each place of the order of variables.
    pub places: [u8; 6],
    /// Where a set leads whom it holds, and all others; a function has its answers.
    pub ends: Option<(BlockId, BlockId)>,
    /// So many functions may still be looked at for masks. Each mask that is found leaves a function that may have others.
    looks: u32,
    /// What is made as little as possible.
    measure: Measure,
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
    /// `word & mask == value` leads to the intervals of the whole word, anything else to `out`.
    Within { mask: u32, value: u32, out: Node, tree: Tree, exits: Vec<Node> },
    /// `word & mask == value` leads to `end`, anything else to `out`.
    Spine { mask: u32, value: u32, end: Node, out: Node },
}

impl Tests {
    /// For ABIs whose arguments lie in that order.
    pub fn new(big_endian: bool, measure: Measure) -> Self {
        Self {
            big_endian,
            places: [0, 1, 2, 3, 4, 5],
            ends: None,
            looks: LOOKS,
            measure,
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
        match (node.as_leaf(), self.ends) {
            (Some(Leaf::Act(action)), _) => return blocks.answer(action),
            (Some(Leaf::True), Some((holds, _))) => return holds,
            (Some(Leaf::False), Some((_, other))) => return other,
            _ => {}
        }
        if let Some(&known) = self.blocks.get(&(node, tail)) {
            return known;
        }
        let Some(word) = word_of(store, node) else {
            // An environment: the caller has turned those away.
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
            Some(How::Within { mask, value, out, tree, exits }) => {
                let whole = subject(u32::MAX);
                let targets: Vec<BlockId> =
                    exits.iter().map(|&exit| self.block_with(store, blocks, exit, tail)).collect();
                let within = tree.blocks(blocks, whole, &targets);
                let outside = self.block_with(store, blocks, out, tail);
                self.plans.insert(node, How::Within { mask, value, out, tree, exits });
                masked(blocks, whole, (mask, value), within, outside)
            }
            Some(How::Spine { mask, value, end, out }) => {
                self.plans.insert(node, How::Spine { mask, value, end, out });
                let end = self.block_with(store, blocks, end, tail);
                let out = self.block_with(store, blocks, out, tail);
                masked(blocks, subject(u32::MAX), (mask, value), end, out)
            }
            None => blocks.answer(Function::FOREIGN),
        }
    }

    fn offset(&self, word: Word) -> u32 {
        16 + 8 * u32::from(self.places[usize::from(word.arg)]) + if word.high == self.big_endian { 0 } else { 4 }
    }

    /// The cost of a node as far as its own word goes, if that is below `limit`; makes the plan if there is none. With
    /// a `limit` no way is followed that is dearer already.
    fn plan(&mut self, store: &mut Store, node: Node, limit: f64) -> Option<f64> {
        let Some(word) = word_of(store, node) else { return Some(0.0) };
        match self.costs.get(&node) {
            Some(&Cost::Known(cost)) => return (cost < limit).then_some(cost),
            Some(&Cost::AtLeast(least)) if least >= limit => return None,
            _ => {}
        }
        let one = 1.0 + self.measure.price;
        if limit <= one {
            return None;
        }
        let mut best: Option<Plan> = None;
        let under = |best: &Option<Plan>| best.as_ref().map_or(limit, |plan| plan.cost.min(limit));
        let support = support(store, node, word);
        // At least every second interval has a test, and each its price.
        let most = INTERVALS.min((2.0 * limit / self.measure.price) as usize).saturating_add(1);
        for mask in [u32::MAX, support] {
            // Nothing is better than one test of the whole word, and there may be no other mask.
            if best.as_ref().is_some_and(|plan| plan.cost <= one || support == u32::MAX) {
                break;
            }
            if let Some((spans, exits)) = intervals(store, node, word, mask, (0, 0), most) {
                let instructions = if mask == u32::MAX { 0.0 } else { one };
                let tree = dispatch::plan(&spans, self.measure);
                let cost = instructions + tree.cost;
                if best.as_ref().is_none_or(|plan| cost < plan.cost) {
                    best = Some(Plan { cost, how: How::Intervals { mask, tree, exits } });
                }
            }
        }
        let dear = best.as_ref().is_none_or(|plan| plan.cost > DEAR * one);
        let dear = dear && self.looks > 0;
        let size = if dear { values::size(store, node, word, SMALL) } else { None };
        self.looks -= u32::from(size.is_some());
        let outs = size.and_then(|_| exits(store, node, word, OUTSIDE)).unwrap_or_default();
        for &out in &outs {
            let Some((mask, value)) = in_common(store, node, word, out).filter(|&(mask, _)| mask != 0) else {
                continue;
            };
            let test = one + if clobbers(mask, value) { 2.0 * one } else { 0.0 };
            if test >= under(&best) {
                continue;
            }
            let within = values::assume(store, node, word, (mask, value));
            if let Some((spans, exits)) = intervals(store, within, word, u32::MAX, (mask, value), most) {
                let tree = dispatch::plan(&spans, self.measure);
                let cost = test + tree.cost;
                if cost < under(&best) {
                    best = Some(Plan { cost, how: How::Within { mask, value, out, tree, exits } });
                }
            }
        }
        let spines = [false, true].map(|follow_one| spine(store, node, word, follow_one));
        let peeled = size.map(|size| peeled(store, node, word, &outs, size)).unwrap_or_default();
        for (mask, value, end, out) in spines.into_iter().chain(peeled) {
            let clobbers = clobbers(mask, value);
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

/// For each exit, the test whether a value is one of many that lead there, and what is left for all others.
fn peeled(store: &mut Store, node: Node, word: Word, exits: &[Node], size: usize) -> Vec<(u32, u32, Node, Node)> {
    let mut peeled = Vec::new();
    for &exit in exits {
        let Some((mask, value)) = values::implicant(store, node, word, exit) else { continue };
        let rest = values::without(store, node, word, (mask, value));
        // So that there is an end to it.
        if values::size(store, rest, word, SMALL).is_some_and(|left| left < size) {
            peeled.push((mask, value, exit, rest));
        }
    }
    peeled
}

/// Whether the accumulator holds something else after the test of some bits.
fn clobbers(mask: u32, value: u32) -> bool {
    value != 0 && !mask.is_power_of_two() && mask != u32::MAX
}

/// The block that asks whether some bits of a word have a value.
fn masked(blocks: &mut Blocks, whole: Subject, (mask, value): (u32, u32), yes: BlockId, no: BlockId) -> BlockId {
    if value == 0 {
        blocks.test(whole, Compare::Any, mask, no, yes)
    } else if mask.is_power_of_two() {
        blocks.test(whole, Compare::Any, mask, yes, no)
    } else {
        blocks.test(Subject { mask, ..whole }, Compare::Equal, value, yes, no)
    }
}

/// What is known of a node's cost.
#[derive(Debug, Clone, Copy)]
enum Cost {
    Known(f64),
    AtLeast(f64),
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
    let leads = exits(store, node, word, 2)?;
    let &[a, b] = leads.as_slice() else { return None };
    let (low, other) = match (asks_low(store, a), asks_low(store, b)) {
        (true, false) => (a, b),
        (false, true) => (b, a),
        _ => return None,
    };
    let ends = exits(store, low, low_word, 2)?;
    if ends.iter().filter(|&&end| end != other).count() > 1 {
        return None;
    }
    let holds = set_of(store, node, word, low, &mut FxHashMap::default());
    Some((low, Tail { arg: word.arg, holds, other }))
}
