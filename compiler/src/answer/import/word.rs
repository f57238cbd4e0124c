//! A set of values of one argument, as the expression that a person would write.
//!
//! ```text
//! {0..37, 39, 41..}        of a 32-bit `family`   →   family not in {AF_ALG, AF_VSOCK}
//! {bits 1 and 0 are 0}     of `flags`             →   flags & 3 == 0
//! ```
//!
//! The same set is written in several ways — as values, as what is left out, as values under a mask — and the shortest
//! is taken. What has no short form is written cube by cube.

use std::collections::BTreeSet;

use super::names::{Names, number};
use crate::diagram::{Leaf, Node, Place, Store};

/// Values, ranges or cubes in one expression before another form, or none, is taken.
const MOST_PARTS: usize = 64;
/// Steps of one enumeration.
const MOST_STEPS: usize = 8_192;

/// The word that is compared.
#[derive(Debug, Clone)]
pub struct Word {
    /// `family`, or `reg0`.
    pub label: String,
    /// Which register.
    pub arg: u8,
    /// How many low bits of it.
    pub bits: u8,
    /// Two's complement.
    pub signed: bool,
    /// What its values are called.
    pub names: Names,
}

/// A range of values, as numbers; both ends belong to it.
type Range = (i128, i128);

impl Word {
    /// The expression for a set that asks about this word only, and is neither empty nor everything.
    pub fn expression(&self, store: &mut Store, set: Node) -> Option<String> {
        let inverse = store.not(set);
        // What is left out is harder to read than what is meant: it must be shorter by more than a word like `not`.
        let mut forms: Vec<(usize, String)> = Vec::new();
        let mut add = |inverse: bool, text: String| forms.push((cost(&text) + if inverse { 4 } else { 0 }, text));
        let (inside, outside) = (self.ranges(store, set), self.ranges(store, inverse));
        if let Some(ranges) = &inside {
            add(false, self.ranged(ranges, false));
        }
        if let Some(ranges) = &outside {
            add(true, self.ranged(ranges, true));
        }
        let mask = self.asked(store, set);
        if mask != self.all() {
            if let Some(values) = self.values(store, set, mask) {
                add(false, self.masked(mask, &values, false));
            }
            if let Some(values) = self.values(store, inverse, mask) {
                add(true, self.masked(mask, &values, true));
            }
        }
        let shortest = forms.into_iter().min_by_key(|(cost, _)| *cost).map(|(_, text)| text);
        // A long list of ranges is mostly a few bits in disguise.
        if shortest.as_ref().is_none_or(|text| text.len() > 400) {
            let cubes = self.cubes(store, set);
            let others = self.cubes(store, inverse).map(|text| format!("!({text})"));
            return shortest.into_iter().chain(cubes).chain(others).min_by_key(String::len);
        }
        shortest
    }

    fn all(&self) -> u64 {
        u64::MAX >> (64 - u32::from(self.bits))
    }

    /// Bits that the set asks about.
    fn asked(&self, store: &Store, set: Node) -> u64 {
        let mut mask = 0;
        for node in store.reachable(set) {
            if let Some((var, ..)) = store.split(node)
                && let Place::Arg { bit, .. } = var.place()
            {
                mask |= 1 << bit;
            }
        }
        mask
    }

    /// Maximal ranges of the set, in the order of the numbers.
    fn ranges(&self, store: &Store, set: Node) -> Option<Vec<Range>> {
        let mut found: Vec<(u64, u64)> = Vec::new();
        let mut steps = 0;
        // Depth first, zero branch first: values come in order.
        let mut stack = vec![(set, self.bits, 0u64)];
        while let Some((node, bits, prefix)) = stack.pop() {
            steps += 1;
            if steps > MOST_STEPS || found.len() > MOST_PARTS {
                return None;
            }
            match node.as_leaf() {
                Some(Leaf::False) => continue,
                Some(_) => {
                    let last = prefix | low(bits);
                    match found.last_mut() {
                        Some(before) if before.1.checked_add(1) == Some(prefix) => before.1 = last,
                        _ => found.push((prefix, last)),
                    }
                    continue;
                }
                None => {}
            }
            let bit = bits.checked_sub(1)?;
            let (lo, hi) = match store.split(node) {
                Some((var, lo, hi)) if var.place() == (Place::Arg { arg: self.arg, bit }) => (lo, hi),
                _ => (node, node),
            };
            stack.push((hi, bit, prefix | 1 << bit));
            stack.push((lo, bit, prefix));
        }
        Some(self.as_numbers(&found))
    }

    /// The values, if they are few.
    pub fn few(&self, store: &Store, set: Node) -> Vec<i128> {
        const MOST: i128 = 16;
        let ranges = self.ranges(store, set).unwrap_or_default();
        let count: i128 = ranges.iter().map(|(low, high)| high - low + 1).sum();
        if count > MOST { Vec::new() } else { ranges.into_iter().flat_map(|(low, high)| low..=high).collect() }
    }

    fn as_numbers(&self, ranges: &[(u64, u64)]) -> Vec<Range> {
        if !self.signed {
            return ranges.iter().map(|&(low, high)| (i128::from(low), i128::from(high))).collect();
        }
        let half = 1i128 << (self.bits - 1);
        let mut numbers: Vec<Range> = Vec::new();
        for &(low, high) in ranges {
            let (low, high) = (i128::from(low), i128::from(high));
            if high >= half {
                numbers.push((low.max(half) - 2 * half, high - 2 * half));
            }
            if low < half {
                numbers.push((low, high.min(half - 1)));
            }
        }
        numbers.sort_unstable();
        let mut merged: Vec<Range> = Vec::new();
        for (low, high) in numbers {
            match merged.last_mut() {
                Some(before) if before.1 + 1 == low => before.1 = high,
                _ => merged.push((low, high)),
            }
        }
        merged
    }

    fn limits(&self) -> Range {
        if self.signed {
            (-(1i128 << (self.bits - 1)), (1i128 << (self.bits - 1)) - 1)
        } else {
            (0, i128::from(self.all()))
        }
    }

    /// `inverse`: the ranges are what is left out.
    fn ranged(&self, ranges: &[Range], inverse: bool) -> String {
        let (label, (least, greatest)) = (&self.label, self.limits());
        let op = |plain: &'static str, inverted: &'static str| if inverse { inverted } else { plain };
        let value = |value: i128| self.names.value(value);
        let bound = |value: i128| self.names.bound(value);
        match *ranges {
            [(low, high)] if low == high => format!("{label} {} {}", op("==", "!="), value(low)),
            [(low, high)] if low == least => {
                // The bound that has a name; else the smaller one.
                if !self.names.has(high) && self.names.has(high + 1) {
                    format!("{label} {} {}", op("<", ">="), bound(high + 1))
                } else if high == -1 {
                    format!("{label} {} 0", op("<", ">="))
                } else {
                    format!("{label} {} {}", op("<=", ">"), bound(high))
                }
            }
            [(low, high)] if high == greatest => {
                if self.names.has(low - 1) && !self.names.has(low) {
                    format!("{label} {} {}", op(">", "<="), bound(low - 1))
                } else {
                    format!("{label} {} {}", op(">=", "<"), bound(low))
                }
            }
            _ => {
                let items: Vec<String> = ranges.iter().flat_map(|&range| self.items(range)).collect();
                format!("{label} {} {{{}}}", op("in", "not in"), items.join(", "))
            }
        }
    }

    /// A range in a set; a short one of values that all have names is written out.
    fn items(&self, (low, high): Range) -> Vec<String> {
        if high - low < 8 && (high - low < 2 || (low..=high).all(|value| self.names.has(value))) {
            return (low..=high).map(|value| self.names.value(value)).collect();
        }
        vec![format!("{}..{}", self.names.bound(low), self.names.bound(high))]
    }

    /// What the bits of the mask may be.
    fn values(&self, store: &Store, set: Node, mask: u64) -> Option<Vec<u64>> {
        let mut found = BTreeSet::new();
        let mut steps = 0;
        let mut stack = vec![(set, mask, 0u64)];
        while let Some((node, open, prefix)) = stack.pop() {
            steps += 1;
            if steps > MOST_STEPS || found.len() > MOST_PARTS {
                return None;
            }
            if node == Node::FALSE {
                continue;
            }
            if open == 0 {
                found.insert(prefix);
                continue;
            }
            let bit = (63 - open.leading_zeros()) as u8;
            let (lo, hi) = match store.split(node) {
                Some((var, lo, hi)) if var.place() == (Place::Arg { arg: self.arg, bit }) => (lo, hi),
                _ => (node, node),
            };
            let open = open & !(1 << bit);
            stack.push((hi, open, prefix | 1 << bit));
            stack.push((lo, open, prefix));
        }
        Some(found.into_iter().collect())
    }

    fn masked(&self, mask: u64, values: &[u64], inverse: bool) -> String {
        let tested = format!("{} & {}", self.label, self.names.mask(mask));
        let value = |&value: &u64| if value == 0 { "0".to_owned() } else { self.names.bits(value) };
        match values {
            [one] => format!("{tested} {} {}", if inverse { "!=" } else { "==" }, value(one)),
            _ => {
                let items: Vec<String> = values.iter().map(value).collect();
                format!("{tested} {} {{{}}}", if inverse { "not in" } else { "in" }, items.join(", "))
            }
        }
    }

    /// Path by path.
    fn cubes(&self, store: &Store, set: Node) -> Option<String> {
        let mut cubes: std::collections::BTreeMap<u64, Vec<u64>> = std::collections::BTreeMap::new();
        let mut count = 0;
        let arg = usize::from(self.arg);
        let complete = store.paths(set, &|leaf| leaf == Leaf::True, &mut |cube, _| {
            cubes.entry(cube.args[arg].mask).or_default().push(cube.args[arg].value);
            count += 1;
            count <= 16 * MOST_PARTS
        });
        let parts: Vec<String> = cubes
            .iter()
            .map(|(&mask, values)| {
                let values: Vec<String> = values.iter().map(|&value| number(i128::from(value))).collect();
                if mask == self.all() {
                    format!("{} in {{{}}}", self.label, values.join(", "))
                } else if let [value] = values.as_slice() {
                    format!("{} & {} == {value}", self.label, number(i128::from(mask)))
                } else {
                    format!("{} & {} in {{{}}}", self.label, number(i128::from(mask)), values.join(", "))
                }
            })
            .collect();
        complete.then(|| parts.join(" || "))
    }
}

/// How hard it is to read: its length, where flags that are joined are one value, and a range between numbers without names
/// is more than it looks.
fn cost(text: &str) -> usize {
    let part = |part: &str| {
        if part.contains(" | ") { part.len().min(24) } else { part.len() + if part.contains("..") { 12 } else { 0 } }
    };
    text.split([',', '{']).map(|piece| part(piece) + 1).sum()
}

fn low(bits: u8) -> u64 {
    if bits == 0 { 0 } else { u64::MAX >> (64 - u32::from(bits)) }
}
