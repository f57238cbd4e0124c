//! Many sets at once: what they cover together, and what more than one of them covers.
//!
//! ```text
//! fd == 0, fd == 1, … fd == 9999      each is a path of 32 nodes
//!
//! one by one     every union copies the path that it changes: 320,000 nodes, of which 10,000 are left
//! together       sorted by their bits like cards by a sorting machine: the 10,000 nodes, and no other
//! ```
//!
//! A set that goes on at one side of a bit only is dealt to that side; what does not ask the bit, or goes on at both
//! sides, is put aside and joined afterwards, in pairs. So each set is looked at once a level at the most, and every
//! union that is not free is one of the [`Store`]'s own, which remembers it.

use super::node::Node;
use super::store::Store;

/// What several sets cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cover {
    /// Calls in one of the sets or more.
    pub any: Node,
    /// Calls in two of them or more.
    pub twice: Node,
}

impl Cover {
    const NOTHING: Self = Self { any: Node::FALSE, twice: Node::FALSE };

    fn of(set: Node) -> Self {
        Self { any: set, twice: Node::FALSE }
    }
}

impl Store {
    /// Lists shorter than this are worked out as fast as they are looked up.
    const MANY: usize = 8;

    /// So many members the remembered lists may have together: an editor asks about the same ones at every keystroke.
    const COVERED: usize = 1 << 18;

    /// The union of several sets.
    pub fn union(&mut self, sets: Vec<Node>) -> Node {
        self.cover(sets).any
    }

    /// What several sets cover, alone and together.
    pub fn cover(&mut self, sets: Vec<Node>) -> Cover {
        if sets.len() < Self::MANY {
            return self.dealt(sets);
        }
        if let Some(&known) = self.covers.get(sets.as_slice()) {
            return known;
        }
        let key: Box<[Node]> = sets.as_slice().into();
        let cover = self.dealt(sets);
        if !self.overflowed() {
            if self.covered + key.len() > Self::COVERED {
                self.covers.clear();
                self.covered = 0;
            }
            self.covered += key.len();
            self.covers.insert(key, cover);
        }
        cover
    }

    /// Deals sets to the sides of their first bit. Recursion is as deep as there are variables.
    fn dealt(&mut self, mut sets: Vec<Node>) -> Cover {
        sets.retain(|&set| set != Node::FALSE);
        match *sets.as_slice() {
            [] => return Cover::NOTHING,
            [set] => return Cover::of(set),
            [first, ref rest @ ..] if rest.iter().all(|&set| set == first) => {
                return Cover { any: first, twice: first };
            }
            _ => {}
        }
        let all = sets.len();
        sets.retain(|&set| set != Node::TRUE);
        match all - sets.len() {
            0 => {}
            1 => return Cover { any: Node::TRUE, twice: self.dealt(sets).any },
            _ => return Cover { any: Node::TRUE, twice: Node::TRUE },
        }
        let Some(var) = sets.iter().filter_map(|&set| self.split(set)).map(|(var, ..)| var).min() else {
            return Cover::NOTHING;
        };
        let (mut on_zero, mut on_one, mut below, mut on_both) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for set in sets {
            match self.split(set) {
                Some((own, lo, Node::FALSE)) if own == var => on_zero.push(lo),
                Some((own, Node::FALSE, hi)) if own == var => on_one.push(hi),
                Some((own, ..)) if own == var => on_both.push(set),
                _ => below.push(set),
            }
        }
        let (zero, one) = (self.dealt(on_zero), self.dealt(on_one));
        let dealt = Cover { any: self.make(var, zero.any, one.any), twice: self.make(var, zero.twice, one.twice) };
        let below = self.dealt(below);
        let on_both = self.in_pairs(&on_both);
        let aside = self.joined(below, on_both);
        self.joined(dealt, aside)
    }

    /// Recursion is as deep as the logarithm of their number.
    fn in_pairs(&mut self, sets: &[Node]) -> Cover {
        match *sets {
            [] => Cover::NOTHING,
            [set] => Cover::of(set),
            _ => {
                let (left, right) = sets.split_at(sets.len() / 2);
                let (left, right) = (self.in_pairs(left), self.in_pairs(right));
                self.joined(left, right)
            }
        }
    }

    fn joined(&mut self, a: Cover, b: Cover) -> Cover {
        let both = self.and(a.any, b.any);
        let twice = self.or(a.twice, b.twice);
        Cover { any: self.or(a.any, b.any), twice: self.or(twice, both) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagram::{Comparison, Operand, Var};

    fn word(arg: u8, mask: u64) -> Operand {
        Operand { arg, bits: 32, mask, signed: false }
    }

    #[test]
    fn many_equalities_leave_no_garbage() {
        let mut store = Store::default();
        let sets: Vec<Node> =
            (0..10_000).map(|value| store.compare(word(0, u64::MAX), Comparison::Eq, value * 7919 % 10_007)).collect();
        let before = store.len();
        let cover = store.cover(sets);
        assert_eq!(cover.twice, Node::FALSE);
        assert!(store.len() - before <= store.reachable(cover.any).len(), "{} nodes more", store.len() - before);
    }

    proptest::proptest! {
        #[test]
        fn together_is_the_same_as_one_by_one(
            picks in proptest::collection::vec((0u8..2, proptest::bool::ANY, 0u64..6, 0u64..16, 0u8..8), 0..12)
        ) {
            let mut store = Store::default();
            let sets: Vec<Node> = picks
                .iter()
                .map(|&(arg, le, value, mask, more)| {
                    let comparison = if le { Comparison::Le } else { Comparison::Eq };
                    let set = store.compare(word(arg, mask | !15), comparison, value);
                    match more {
                        0 => Node::TRUE,
                        1 => store.not(set),
                        2 => {
                            let held = store.var(Var::cap(3));
                            store.and(held, set)
                        }
                        3 => {
                            let other = store.compare(word(1 - arg, u64::MAX), Comparison::Eq, value);
                            store.and(other, set)
                        }
                        _ => set,
                    }
                })
                .collect();
            let (mut any, mut twice) = (Node::FALSE, Node::FALSE);
            for &set in &sets {
                let both = store.and(any, set);
                twice = store.or(twice, both);
                any = store.or(any, set);
            }
            proptest::prop_assert_eq!(store.cover(sets), Cover { any, twice });
        }
    }
}
