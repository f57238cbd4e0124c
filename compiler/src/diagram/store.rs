//! The store: every node once, and the operations that make new ones.
//!
//! ```text
//! ite(f, g, h) = "g where f holds, h elsewhere"      f and g = ite(f, g, FALSE)      not f = ite(f, FALSE, TRUE)
//! ```
//!
//! Recursion is as deep as there are variables (464), whatever the input.

use std::collections::hash_map::Entry;

use rustc_hash::FxHashMap;

use super::compare::{Comparison, Operand};
use super::node::{Leaf, Node, Place, Var};
use super::union::Cover;
use crate::spec::{Action, Environment, KernelVersion};

/// An inner node: ask `var`, go to `lo` on 0, to `hi` on 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Inner {
    var: Var,
    lo: Node,
    hi: Node,
}

/// Binary operations on leaves that [`Store::apply`] lifts to functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Op {
    /// The first where it is claimed, else the second.
    Over,
    /// `True` where the first is less strict than the second.
    Wider,
    /// `True` where they are not the same.
    Differ,
}

/// All nodes of one run.
#[derive(Debug, Clone)]
pub struct Store {
    nodes: Vec<Inner>,
    unique: FxHashMap<Inner, Node>,
    ites: FxHashMap<(Node, Node, Node), Node>,
    applied: FxHashMap<(Op, Node, Node), Node>,
    /// Policies compare with the same values again and again, on each ABI and in each proof.
    pub(super) compared: FxHashMap<(Operand, Comparison, u64), Node>,
    /// ABIs have most of their lists of sets in common, and a text those of its version before.
    pub(super) covers: FxHashMap<Box<[Node]>, Cover>,
    /// How many members those lists have together.
    pub(super) covered: usize,
    limit: usize,
    /// Results that were worked out.
    worked: usize,
    overflowed: bool,
}

impl Default for Store {
    fn default() -> Self {
        Self::with_limit(Self::DEFAULT_LIMIT)
    }
}

impl Store {
    /// Enough for every policy that a person writes a hundred times over.
    pub const DEFAULT_LIMIT: usize = 2_000_000;

    /// Nodes that every text may have.
    const NODES: usize = 300_000;

    /// And more for each byte: a comparison takes 64 nodes for each word length and sign, and is no shorter than ten bytes.
    const NODES_A_BYTE: usize = 16;

    /// How many results of operations are worked out for each node that may be made. Two large sets that have nothing in
    /// common take as many steps as the product of their sizes, and make no node at all.
    const WORK: usize = 8;

    /// Results that are remembered; past that they are forgotten, and worked out again where they are needed.
    const REMEMBERED: usize = 3_500_000;

    /// An empty store that makes at most `limit` nodes.
    pub fn with_limit(limit: usize) -> Self {
        Self {
            nodes: Vec::new(),
            unique: FxHashMap::default(),
            ites: FxHashMap::default(),
            applied: FxHashMap::default(),
            compared: FxHashMap::default(),
            covers: FxHashMap::default(),
            covered: 0,
            limit,
            worked: 0,
            overflowed: false,
        }
    }

    /// Bounds what is made from here on by the length of an input: a short text shall not cost as much as a long one. Of the nodes
    /// that are there, all but `own` come from something else.
    pub fn bound_by(&mut self, bytes: usize, own: usize) {
        let others = self.nodes.len().saturating_sub(own);
        self.limit =
            bytes.saturating_mul(Self::NODES_A_BYTE).saturating_add(Self::NODES + others).min(Self::DEFAULT_LIMIT);
        if others > 0 {
            self.worked = 0;
        }
    }

    /// Makes room for one more input beside what is there.
    pub fn make_room(&mut self, bytes: usize) {
        let room = bytes.saturating_mul(Self::NODES_A_BYTE).saturating_add(Self::NODES);
        self.limit = self.limit.saturating_add(room).min(Self::DEFAULT_LIMIT);
    }

    /// How many nodes it makes at the most.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Whether the limit was passed: then results mean nothing.
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// How many inner nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Variable and branches (on 0, on 1) of an inner node; `None` for a leaf.
    pub fn split(&self, node: Node) -> Option<(Var, Node, Node)> {
        if node.is_leaf() {
            return None;
        }
        let Inner { var, lo, hi } = self.nodes[node.0 as usize];
        Some((var, lo, hi))
    }

    /// The node that asks `var`. Both branches may ask only about later variables.
    pub(super) fn make(&mut self, var: Var, lo: Node, hi: Node) -> Node {
        if lo == hi {
            return lo;
        }
        debug_assert!(self.top(lo).is_none_or(|below| below > var) && self.top(hi).is_none_or(|below| below > var));
        let inner = Inner { var, lo, hi };
        match self.unique.entry(inner) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(_) if self.nodes.len() >= self.limit => {
                self.overflowed = true;
                Node::FALSE
            }
            Entry::Vacant(place) => {
                let node = Node(self.nodes.len() as u32);
                self.nodes.push(inner);
                *place.insert(node)
            }
        }
    }

    fn top(&self, node: Node) -> Option<Var> {
        self.split(node).map(|(var, ..)| var)
    }

    /// Branches of `node` at `var`, which is at or above its own variable.
    fn branches(&self, node: Node, var: Var) -> (Node, Node) {
        match self.split(node) {
            Some((own, lo, hi)) if own == var => (lo, hi),
            _ => (node, node),
        }
    }

    /// The set where a bit is 1.
    pub fn var(&mut self, var: Var) -> Node {
        self.make(var, Node::FALSE, Node::TRUE)
    }

    /// `then` where `condition` (a set) holds, `other` elsewhere.
    pub fn ite(&mut self, condition: Node, then: Node, other: Node) -> Node {
        if condition == Node::TRUE || then == other {
            return then;
        }
        // Where the condition holds it is true, and elsewhere false.
        let then = if then == condition { Node::TRUE } else { then };
        let other = if other == condition { Node::FALSE } else { other };
        if condition == Node::FALSE {
            return other;
        }
        if then == Node::TRUE && other == Node::FALSE {
            return condition;
        }
        if self.overflowed {
            return Node::FALSE;
        }
        let key = (condition, then, other);
        if let Some(&known) = self.ites.get(&key) {
            return known;
        }
        self.work_on();
        let tops = [self.top(condition), self.top(then), self.top(other)];
        let Some(var) = tops.into_iter().flatten().min() else {
            // A condition that is an action is our own mistake: a set ends in true or false only.
            debug_assert!(false, "condition is not a set");
            return other;
        };
        let (condition_lo, condition_hi) = self.branches(condition, var);
        let (then_lo, then_hi) = self.branches(then, var);
        let (other_lo, other_hi) = self.branches(other, var);
        let lo = self.ite(condition_lo, then_lo, other_lo);
        let hi = self.ite(condition_hi, then_hi, other_hi);
        let node = self.make(var, lo, hi);
        if self.ites.len() >= Self::REMEMBERED {
            self.ites.clear();
        }
        self.ites.insert(key, node);
        node
    }

    /// One more result to be worked out.
    fn work_on(&mut self) {
        self.worked += 1;
        self.overflowed |= self.worked > self.limit.saturating_mul(Self::WORK);
    }

    /// Intersection of two sets.
    pub fn and(&mut self, a: Node, b: Node) -> Node {
        // One order for both spellings doubles the use of the cache.
        if a <= b { self.ite(a, b, Node::FALSE) } else { self.ite(b, a, Node::FALSE) }
    }

    /// Union of two sets.
    pub fn or(&mut self, a: Node, b: Node) -> Node {
        if a <= b { self.ite(a, Node::TRUE, b) } else { self.ite(b, Node::TRUE, a) }
    }

    /// All but the set.
    pub fn not(&mut self, a: Node) -> Node {
        self.ite(a, Node::FALSE, Node::TRUE)
    }

    /// The first set without the second.
    pub fn minus(&mut self, a: Node, b: Node) -> Node {
        self.ite(b, Node::FALSE, a)
    }

    fn apply(&mut self, op: Op, a: Node, b: Node) -> Node {
        let at_leaves = match (op, a.as_leaf(), b.as_leaf()) {
            (Op::Over, Some(Leaf::False), _) => Some(b),
            (Op::Over, Some(_), _) => Some(a),
            (Op::Over | Op::Wider | Op::Differ, ..) if a == b => Some(if op == Op::Over { a } else { Node::FALSE }),
            (Op::Wider, Some(left), Some(right)) => Some(if is_wider(left, right) { Node::TRUE } else { Node::FALSE }),
            (Op::Differ, Some(left), Some(right)) => Some(if left == right { Node::FALSE } else { Node::TRUE }),
            _ => None,
        };
        if let Some(node) = at_leaves {
            return node;
        }
        if self.overflowed {
            return Node::FALSE;
        }
        let key = (op, a, b);
        if let Some(&known) = self.applied.get(&key) {
            return known;
        }
        self.work_on();
        let Some(var) = self.top(a).into_iter().chain(self.top(b)).min() else { return Node::FALSE };
        let (a_lo, a_hi) = self.branches(a, var);
        let (b_lo, b_hi) = self.branches(b, var);
        let lo = self.apply(op, a_lo, b_lo);
        let hi = self.apply(op, a_hi, b_hi);
        let node = self.make(var, lo, hi);
        if self.applied.len() >= Self::REMEMBERED {
            self.applied.clear();
        }
        self.applied.insert(key, node);
        node
    }

    /// `first` where it claims a call, `second` elsewhere.
    pub fn over(&mut self, first: Node, second: Node) -> Node {
        self.apply(Op::Over, first, second)
    }

    /// The set of calls where `a`'s action is less strict than `b`'s (the kernel's order, see [`Action`]).
    pub fn wider(&mut self, a: Node, b: Node) -> Node {
        self.apply(Op::Wider, a, b)
    }

    /// The set of calls where two functions are not the same.
    pub fn differ(&mut self, a: Node, b: Node) -> Node {
        self.apply(Op::Differ, a, b)
    }

    /// The function with every leaf replaced.
    pub fn map(&mut self, node: Node, change: &dyn Fn(Leaf) -> Leaf) -> Node {
        let mut done = FxHashMap::default();
        self.map_below(node, change, &mut done)
    }

    fn map_below(&mut self, node: Node, change: &dyn Fn(Leaf) -> Leaf, done: &mut FxHashMap<Node, Node>) -> Node {
        let Some((var, lo, hi)) = self.split(node) else {
            return node.as_leaf().map_or(node, |leaf| Node::leaf(change(leaf)));
        };
        if let Some(&known) = done.get(&node) {
            return known;
        }
        self.work_on();
        if self.overflowed {
            return Node::FALSE;
        }
        let lo = self.map_below(lo, change, done);
        let hi = self.map_below(hi, change, done);
        let mapped = self.make(var, lo, hi);
        done.insert(node, mapped);
        mapped
    }

    /// The set of calls that get one of the actions for which `wanted` holds.
    pub fn where_action(&mut self, node: Node, wanted: &dyn Fn(Action) -> bool) -> Node {
        self.map(node, &|leaf| match leaf {
            Leaf::Act(action) if wanted(action) => Leaf::True,
            _ => Leaf::False,
        })
    }

    /// The function under what is known of the environment: `known` answers a variable or leaves it open.
    pub fn assume(&mut self, node: Node, known: &dyn Fn(Place) -> Option<bool>) -> Node {
        let mut done = FxHashMap::default();
        self.assume_below(node, known, &mut done)
    }

    fn assume_below(
        &mut self,
        node: Node,
        known: &dyn Fn(Place) -> Option<bool>,
        done: &mut FxHashMap<Node, Node>,
    ) -> Node {
        let Some((var, lo, hi)) = self.split(node) else { return node };
        if let Some(&known) = done.get(&node) {
            return known;
        }
        let result = match known(var.place()) {
            Some(true) => self.assume_below(hi, known, done),
            Some(false) => self.assume_below(lo, known, done),
            None => {
                let lo = self.assume_below(lo, known, done);
                let hi = self.assume_below(hi, known, done);
                self.make(var, lo, hi)
            }
        };
        done.insert(node, result);
        result
    }

    /// The function with the capabilities, the kernel, or both, settled.
    pub fn in_environment(
        &mut self,
        node: Node,
        caps: Option<&std::collections::BTreeSet<u8>>,
        kernel: Option<KernelVersion>,
    ) -> Node {
        self.assume(node, &|place| match place {
            Place::Cap(number) => caps.map(|held| held.contains(&number)),
            Place::Kernel(bit) => kernel.map(|version| kernel_bits(version) >> bit & 1 == 1),
            Place::Arg { .. } => None,
        })
    }

    /// The value for one call in one environment.
    pub fn at(&self, node: Node, environment: &Environment, args: &[u64; 6]) -> Leaf {
        let mut here = node;
        loop {
            let Some((var, lo, hi)) = self.split(here) else { return here.as_leaf().unwrap_or(Leaf::False) };
            let bit = match var.place() {
                Place::Cap(number) => environment.caps.contains(&number),
                Place::Kernel(bit) => kernel_bits(environment.kernel) >> bit & 1 == 1,
                Place::Arg { arg, bit } => args[usize::from(arg)] >> bit & 1 == 1,
            };
            here = if bit { hi } else { lo };
        }
    }

    /// The environments in which a set has a member, whatever its arguments.
    pub fn for_some_arguments(&mut self, set: Node) -> Node {
        let mut done = FxHashMap::default();
        self.for_some_below(set, &mut done)
    }

    fn for_some_below(&mut self, set: Node, done: &mut FxHashMap<Node, Node>) -> Node {
        let Some((var, lo, hi)) = self.split(set) else { return set };
        if !var.is_environment() {
            // In a reduced diagram an inner node of a set is never empty.
            return Node::TRUE;
        }
        if let Some(&known) = done.get(&set) {
            return known;
        }
        let lo = self.for_some_below(lo, done);
        let hi = self.for_some_below(hi, done);
        let node = self.make(var, lo, hi);
        done.insert(set, node);
        node
    }

    /// What is in a set for some values of the variables that `free` names.
    pub fn for_some(&mut self, set: Node, free: &dyn Fn(Place) -> bool) -> Node {
        let mut done = FxHashMap::default();
        self.for_some_of(set, free, &mut done)
    }

    /// Recursion is bounded by the number of variables.
    fn for_some_of(&mut self, set: Node, free: &dyn Fn(Place) -> bool, done: &mut FxHashMap<Node, Node>) -> Node {
        let Some((var, lo, hi)) = self.split(set) else { return set };
        if let Some(&known) = done.get(&set) {
            return known;
        }
        let lo = self.for_some_of(lo, free, done);
        let hi = self.for_some_of(hi, free, done);
        let node = if free(var.place()) { self.or(lo, hi) } else { self.make(var, lo, hi) };
        done.insert(set, node);
        node
    }

    /// The calls with this bit of an argument set.
    pub fn bit(&mut self, arg: u8, bit: u8) -> Node {
        self.var(Var::arg(arg, bit))
    }

    /// Every node that `root` reaches, itself too, leaves too, each once, in no special order.
    pub fn reachable(&self, root: Node) -> Vec<Node> {
        let mut seen = rustc_hash::FxHashSet::default();
        let mut stack = vec![root];
        let mut all = Vec::new();
        while let Some(node) = stack.pop() {
            if !seen.insert(node) {
                continue;
            }
            all.push(node);
            if let Some((_, lo, hi)) = self.split(node) {
                stack.extend([hi, lo]);
            }
        }
        all
    }

    /// Every value that the function takes, sorted.
    pub fn leaves(&self, root: Node) -> Vec<Leaf> {
        let mut leaves: Vec<Leaf> = self.reachable(root).into_iter().filter_map(Node::as_leaf).collect();
        leaves.sort_unstable();
        leaves
    }

    /// Whether the function asks about capabilities or the kernel.
    pub fn asks_environment(&self, root: Node) -> bool {
        // Environment variables are above all others: only a path from the root meets them first.
        self.top(root).is_some_and(Var::is_environment)
    }
}

/// Whether the first lets more through. What an action carries (which errno) makes it neither stricter nor wider.
fn is_wider(left: Leaf, right: Leaf) -> bool {
    match (left, right) {
        (Leaf::Act(left), Leaf::Act(right)) => left.precedence() > right.precedence(),
        _ => left > right,
    }
}

/// Version as the sixteen bits of [`Place::Kernel`].
pub(super) fn kernel_bits(version: KernelVersion) -> u16 {
    u16::from(version.major) << 8 | u16::from(version.minor)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use super::*;
    use crate::diagram::{Comparison, Operand};

    /// Sets that have nothing in common: no node is made of them, and still there is an end.
    #[test]
    fn work_is_bounded_where_no_node_is_made() {
        let mut store = Store::with_limit(100_000);
        let operand = |arg| Operand { arg, bits: 64, mask: u64::MAX, signed: false };
        let mut sets = [Node::FALSE, Node::FALSE];
        let mut word = 1u64;
        for turn in 0..120 {
            word = word.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            let one = store.compare(operand(0), Comparison::Eq, word << 1 | turn & 1);
            let other = store.compare(operand(1), Comparison::Le, word);
            let both = store.and(one, other);
            sets[(turn & 1) as usize] = store.or(sets[(turn & 1) as usize], both);
        }
        assert!(!store.overflowed());
        let (nodes, worked) = (store.len(), store.worked);
        let mut turns = 0;
        while !store.overflowed() && turns < 1_000_000 {
            assert_eq!(store.and(sets[0], sets[1]), Node::FALSE);
            store.ites.clear();
            turns += 1;
        }
        assert!(store.overflowed() && store.worked > worked);
        assert!(store.len() <= nodes + 1, "no node is needed for it");
    }
}
