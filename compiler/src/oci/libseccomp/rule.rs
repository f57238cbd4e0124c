//! One rule as a chain of tests on 32-bit words.
//!
//! ```text
//! arg1 > 0x1_0000_0005 → allow        on a 64-bit ABI:  upper > 1 → allow
//!                                                       else upper == 1 → lower > 5 → allow
//! arg1 == 5 and arg2 != 7 → allow     on a 32-bit ABI:  arg1 == 5 → arg2 == 7 → no further, else allow
//! ```
//!
//! So `_db_rule_gen_64` and `_db_rule_gen_32` (`src/db.c`) do it: `NE`, `LT` and `LE` are their opposites with the
//! outcomes changed, and a mask without bits in one half still tests that half (`& 0 == 0`).

use crate::oci::profile::{Arg, Op};

/// Half of an argument; the order is that of levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word {
    /// Which argument.
    pub arg: u8,
    /// Its upper half.
    pub upper: bool,
}

/// How a word is compared. Equality is told apart by how it was written: the two are never taken for one test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Of `EQ` and `NE`.
    Equal,
    /// Of `MASKED_EQ`.
    MaskedEqual,
    /// More than the value.
    Greater,
    /// No less than it.
    NotLess,
}

/// Where an outcome of a test leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The rule does not match.
    Out,
    /// It does.
    Act,
    /// On to a test of the chain.
    To(usize),
}

/// Rank of tests from `LT` and `LE` in a level, whose values are sorted the other way round.
pub const RANK_LESS: u8 = 2;

/// A test of a chain.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    /// What is compared.
    pub word: Word,
    /// How.
    pub kind: Kind,
    /// Under which mask.
    pub mask: u32,
    /// With what.
    pub value: u32,
    /// Where in a level: [`RANK_LESS`], less for greater, more for equal.
    pub rank: u8,
    /// The value, both halves.
    pub whole: u64,
    /// What follows: if it does not hold, if it does.
    pub ways: [Way; 2],
}

/// A rule.
#[derive(Debug, Clone)]
pub struct Chain {
    /// Its tests, the first first; none if it always matches.
    pub tests: Vec<Link>,
    /// The word that the filter returns.
    pub act: u32,
}

impl Chain {
    /// The tests of some conditions, each on an argument of its own.
    pub fn new(args: &[Arg], act: u32, bits: u8) -> Self {
        let mut args = args.to_vec();
        args.sort_by_key(|arg| arg.index);
        let mut chain = Self { tests: Vec::new(), act };
        let mut open: Vec<(usize, usize)> = Vec::new();
        for arg in args {
            let (mask, whole) = match arg.op {
                Op::MaskedEq => (arg.value, arg.value_two.0.unwrap_or(0)),
                _ => (u64::MAX, arg.value),
            };
            if mask == 0 || bits == 32 && mask as u32 == 0 {
                continue;
            }
            let first = chain.tests.len();
            for (test, outcome) in std::mem::take(&mut open) {
                chain.tests[test].ways[outcome] = Way::To(first);
            }
            let (kind, rank, holds) = match arg.op {
                Op::Eq => (Kind::Equal, 3, true),
                Op::Ne => (Kind::Equal, 3, false),
                Op::MaskedEq => (Kind::MaskedEqual, 3, true),
                Op::Lt => (Kind::NotLess, RANK_LESS, false),
                Op::Le => (Kind::Greater, RANK_LESS, false),
                Op::Ge => (Kind::NotLess, 1, true),
                Op::Gt => (Kind::Greater, 1, true),
            };
            let half = |upper: bool, kind: Kind, ways: [Way; 2]| {
                let shift = if upper { 32 } else { 0 };
                let word = Word { arg: arg.index, upper };
                Link { word, kind, mask: (mask >> shift) as u32, value: (whole >> shift) as u32, rank, whole, ways }
            };
            let wanted = usize::from(holds);
            let nowhere = [Way::Out; 2];
            match kind {
                _ if bits == 32 => {
                    chain.tests.push(half(false, kind, nowhere));
                    open.push((first, wanted));
                }
                Kind::Greater | Kind::NotLess => {
                    chain.tests.push(half(true, Kind::Greater, [Way::To(first + 1), Way::Out]));
                    chain.tests.push(half(true, Kind::Equal, [Way::Out, Way::To(first + 2)]));
                    chain.tests.push(half(false, kind, nowhere));
                    open = vec![(if holds { first } else { first + 1 }, wanted), (first + 2, wanted)];
                }
                Kind::Equal | Kind::MaskedEqual => {
                    chain.tests.push(half(true, kind, [Way::Out, Way::To(first + 1)]));
                    chain.tests.push(half(false, kind, nowhere));
                    open = vec![(first + 1, wanted)];
                    if !holds {
                        open.push((first, wanted));
                    }
                }
            }
        }
        for (test, outcome) in open {
            chain.tests[test].ways[outcome] = Way::Act;
        }
        chain
    }
}
