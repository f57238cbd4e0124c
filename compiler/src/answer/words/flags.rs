//! Sets over a word of flags, said flag by flag.
//!
//! ```text
//! CLONE_THREAD set, and any of seven others      clone_flags & CLONE_THREAD != 0, clone_flags & (CLONE_NEWNS | …) != 0
//!     as values under a mask: 127 of 256             as paths of the diagram: seven masks of up to nine flags
//! ```
//!
//! A set is taken apart into factors: bits that must be set, bits that must be clear, and groups of which any must be. Bits of a
//! group are those that the set does not tell from each other. Where that leaves a rest, the rest's opposite may have such factors,
//! and then the rest is one of their opposites; else it is divided by a bit.
//!
//! INVARIANT: the products together are the set, and nothing beside it.

use rustc_hash::FxHashMap;

use super::{PIECES, Way, Word, Writer};
use crate::diagram::{Comparison, Node, Operand, Place, Store};
use crate::tables;

/// More bits than this nobody names in one condition.
const MOST_BITS: u32 = 24;
/// More products than this are no help to a reader.
const MOST: usize = 8;
/// How often a set is divided.
const DEPTH: usize = 3;

/// All of this holds of the word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Product {
    /// Bits that are set.
    set: u64,
    /// Bits that are clear.
    clear: u64,
    /// Of each of these, any bit is set.
    any: Vec<u64>,
    /// Of each of these, any bit is clear.
    not_all: Vec<u64>,
}

/// The values of an argument that lead to `exit`, as products; `None` where they are too many.
fn products(store: &mut Store, arg: u8, set: Node, exit: Node) -> Option<Vec<Product>> {
    let mut word = Bits { store, arg };
    let values = word.leading(set, exit, &mut FxHashMap::default());
    if word.support(values).count_ones() > MOST_BITS {
        return None;
    }
    let products = word.divide(values, DEPTH)?;
    (products.len() <= MOST).then_some(products)
}

impl Writer<'_> {
    /// The same flag by flag, where that is shorter, or where `ways` are not all.
    pub(super) fn by_flag(
        &mut self,
        arg: u8,
        set: Node,
        word: &Word,
        ways: &[Way],
        incomplete: bool,
    ) -> Option<Vec<(Vec<String>, Node)>> {
        if word.raw || word.is_list() {
            return None;
        }
        let mut exits: Vec<Node> = Vec::new();
        for node in self.store.reachable(set) {
            let Some((var, lo, hi)) = self.store.split(node) else { continue };
            if matches!(var.place(), Place::Arg { arg: of, .. } if of == arg) {
                let is_own = |store: &Store, node: Node| {
                    store
                        .split(node)
                        .is_some_and(|(var, ..)| matches!(var.place(), Place::Arg { arg: of, .. } if of == arg))
                };
                for next in [lo, hi] {
                    if next != Node::FALSE && !is_own(self.store, next) && !exits.contains(&next) {
                        exits.push(next);
                    }
                }
            }
        }
        if exits.len() > PIECES {
            return None;
        }
        let mut all = Vec::new();
        for exit in exits {
            for product in products(self.store, arg, set, exit)? {
                all.push((word.product(&product)?, exit));
            }
        }
        let length = |tests: &[String]| tests.iter().map(String::len).sum::<usize>();
        let now: usize = ways.iter().map(|way| way.test.as_ref().map_or(0, String::len)).sum();
        let then: usize = all.iter().map(|(tests, _)| length(tests)).sum();
        // A mask that has no name is no help, however short it is.
        let bare = |test: &str| test.contains("0x");
        let named = !all.iter().flat_map(|(tests, _)| tests).any(|test| bare(test));
        let unnamed = ways.iter().filter_map(|way| way.test.as_deref()).any(bare);
        (incomplete || then < now || named && unnamed).then_some(all)
    }
}

impl Word {
    /// A product in the language; `None` if it takes a field of several bits apart.
    fn product(&self, product: &Product) -> Option<Vec<String>> {
        let (mut set, mut clear) = (product.set, product.clear);
        let told = set | clear;
        let groups = product.any.iter().chain(&product.not_all).fold(0, |all, group| all | group);
        let label = &self.label;
        let mut tests = Vec::new();
        for field in self.fields() {
            if groups & field != 0 {
                return None;
            }
            if told & field == field {
                tests.push(format!("{label} & {} == {}", self.flags(field), self.flags(set & field)));
                (set, clear) = (set & !field, clear & !field);
            } else if told & field != 0 {
                return None;
            }
        }
        match set.count_ones() {
            0 => {}
            1 => tests.push(format!("{label} & {} != 0", self.flags(set))),
            _ => tests.push(format!("{label} & {} == {}", self.flags(set), self.flags(set))),
        }
        if clear != 0 {
            tests.push(format!("{label} & {} == 0", self.flags(clear)));
        }
        tests.extend(product.any.iter().map(|group| format!("{label} & {} != 0", self.flags(*group))));
        let not_all = product.not_all.iter();
        tests.extend(not_all.map(|group| format!("{label} & {} != {}", self.flags(*group), self.flags(*group))));
        Some(tests)
    }

    /// Masks of several bits that are one value, such as O_ACCMODE.
    fn fields(&self) -> Vec<u64> {
        let Some((call, param)) = self.param else { return Vec::new() };
        let names = tables::constants_given(call, param.name, &self.known, self.arch);
        let masks = names.filter(|name| name.contains("MASK") || *name == "O_ACCMODE" || *name == "CSIGNAL");
        let mut fields: Vec<u64> = masks
            .filter_map(|name| u64::try_from(tables::constant(name, self.arch)?).ok())
            .filter(|mask| mask.count_ones() > 1)
            .collect();
        fields.sort_unstable();
        fields.dedup();
        fields
    }
}

struct Bits<'a> {
    store: &'a mut Store,
    arg: u8,
}

impl Bits<'_> {
    /// The bit that a node asks about, if it is one of the word's.
    fn bit(&self, node: Node) -> Option<(u8, Node, Node)> {
        let (var, lo, hi) = self.store.split(node)?;
        match var.place() {
            Place::Arg { arg, bit } if arg == self.arg => Some((bit, lo, hi)),
            _ => None,
        }
    }

    /// The set of values that lead to a node. Recursion is at most as deep as the word has bits.
    fn leading(&mut self, node: Node, exit: Node, known: &mut FxHashMap<Node, Node>) -> Node {
        let Some((bit, lo, hi)) = self.bit(node) else {
            return if node == exit { Node::TRUE } else { Node::FALSE };
        };
        if let Some(&known) = known.get(&node) {
            return known;
        }
        let (lo, hi) = (self.leading(lo, exit, known), self.leading(hi, exit, known));
        let clear = self.none_of(1 << bit);
        let (low, high) = (self.store.and(clear, lo), self.store.minus(hi, clear));
        let all = self.store.or(low, high);
        known.insert(node, all);
        all
    }

    fn none_of(&mut self, mask: u64) -> Node {
        self.store.compare(Operand { arg: self.arg, bits: 64, mask, signed: false }, Comparison::Eq, 0)
    }

    fn all_of(&mut self, mask: u64) -> Node {
        self.store.compare(Operand { arg: self.arg, bits: 64, mask, signed: false }, Comparison::Eq, mask)
    }

    fn support(&self, node: Node) -> u64 {
        let bits = self.store.reachable(node).into_iter().filter_map(|node| self.bit(node));
        bits.fold(0, |all, (bit, ..)| all | 1 << bit)
    }

    /// What is left where the bits of a mask have the bits of a value.
    fn given(&mut self, node: Node, mask: u64, value: u64) -> Node {
        let arg = self.arg;
        self.store.assume(node, &|place| match place {
            Place::Arg { arg: of, bit } if of == arg && mask >> bit & 1 == 1 => Some(value >> bit & 1 == 1),
            _ => None,
        })
    }

    /// All factors that there are, and the rest.
    fn factors(&mut self, mut set: Node) -> (Product, Node) {
        let mut product = Product::default();
        loop {
            let before = set;
            for bit in ones(self.support(set)) {
                let (lo, hi) = (self.given(set, bit, 0), self.given(set, bit, bit));
                if lo == Node::FALSE {
                    (product.set, set) = (product.set | bit, hi);
                } else if hi == Node::FALSE {
                    (product.clear, set) = (product.clear | bit, lo);
                }
            }
            for group in self.alike(set) {
                let (none, all) = (self.none_of(group), self.all_of(group));
                // Of the rest without the group: if any of it, or not all of it, is a factor, it is this.
                let (with, without) = (self.given(set, group, group), self.given(set, group, 0));
                if self.store.minus(with, none) == set {
                    product.any.push(group);
                    set = with;
                } else if self.store.minus(without, all) == set {
                    product.not_all.push(group);
                    set = without;
                }
            }
            if set == before {
                return (product, set);
            }
        }
    }

    /// Groups of two bits and more that the set does not tell from each other.
    fn alike(&mut self, set: Node) -> Vec<u64> {
        let mut groups: Vec<u64> = Vec::new();
        for bit in ones(self.support(set)) {
            let like = groups.iter().position(|group| {
                let first = 1u64 << group.trailing_zeros();
                let pair = first | bit;
                self.given(set, pair, first) == self.given(set, pair, bit)
            });
            match like {
                Some(index) => groups[index] |= bit,
                None => groups.push(bit),
            }
        }
        groups.retain(|group| group.count_ones() > 1);
        groups
    }

    /// Recursion is as deep as `depth`.
    fn divide(&mut self, set: Node, depth: usize) -> Option<Vec<Product>> {
        if set == Node::FALSE {
            return Some(Vec::new());
        }
        let (common, rest) = self.factors(set);
        if rest == Node::TRUE {
            return Some(vec![common]);
        }
        let parts = match self.opposites(rest) {
            Some(parts) => parts,
            None => self.halves(rest, depth.checked_sub(1)?)?,
        };
        Some(parts.into_iter().map(|part| joined(&common, part)).collect())
    }

    /// One of these, where the opposite of the set is all of their opposites.
    fn opposites(&mut self, set: Node) -> Option<Vec<Product>> {
        let opposite = self.store.not(set);
        let (factors, rest) = self.factors(opposite);
        if rest != Node::TRUE {
            return None;
        }
        let mut parts = Vec::new();
        for (mask, clear) in [(factors.set, true), (factors.clear, false)] {
            match (mask.count_ones(), clear) {
                (0, _) => {}
                (1, true) => parts.push(Product { clear: mask, ..Product::default() }),
                (1, false) => parts.push(Product { set: mask, ..Product::default() }),
                (_, true) => parts.push(Product { not_all: vec![mask], ..Product::default() }),
                (_, false) => parts.push(Product { any: vec![mask], ..Product::default() }),
            }
        }
        parts.extend(factors.any.into_iter().map(|clear| Product { clear, ..Product::default() }));
        parts.extend(factors.not_all.into_iter().map(|set| Product { set, ..Product::default() }));
        Some(parts)
    }

    /// By the bit that leaves least to say.
    fn halves(&mut self, set: Node, depth: usize) -> Option<Vec<Product>> {
        let size = |word: &mut Self, bit: u64| {
            let (lo, hi) = (word.given(set, bit, 0), word.given(set, bit, bit));
            word.store.reachable(lo).len() + word.store.reachable(hi).len()
        };
        let bit = ones(self.support(set)).into_iter().min_by_key(|bit| size(self, *bit))?;
        let (lo, hi) = (self.given(set, bit, 0), self.given(set, bit, bit));
        let mut parts = Vec::new();
        for (half, other, is_set) in [(hi, lo, true), (lo, hi, false)] {
            for part in self.divide(half, depth)? {
                let values = self.values(&part);
                // What holds either way needs no word about the bit.
                let of_bit = match (self.store.minus(values, other) == Node::FALSE, is_set) {
                    (true, _) => Product::default(),
                    (false, true) => Product { set: bit, ..Product::default() },
                    (false, false) => Product { clear: bit, ..Product::default() },
                };
                let part = joined(&of_bit, part);
                if !parts.contains(&part) {
                    parts.push(part);
                }
            }
        }
        (parts.len() <= MOST).then_some(parts)
    }

    fn values(&mut self, product: &Product) -> Node {
        let (set, clear) = (self.all_of(product.set), self.none_of(product.clear));
        let mut values = self.store.and(set, clear);
        for group in &product.any {
            let none = self.none_of(*group);
            values = self.store.minus(values, none);
        }
        for group in &product.not_all {
            let all = self.all_of(*group);
            values = self.store.minus(values, all);
        }
        values
    }
}

/// Each bit of a mask.
fn ones(mask: u64) -> Vec<u64> {
    (0..64).map(|bit| 1 << bit).filter(|bit| mask & bit != 0).collect()
}

fn joined(one: &Product, other: Product) -> Product {
    let mut product = one.clone();
    product.set |= other.set;
    product.clear |= other.clear;
    product.any.extend(other.any);
    product.not_all.extend(other.not_all);
    product
}
