//! Chains of equality tests, found by the number instead of one by one.
//!
//! ```text
//! 3: jeq #0, +40, +0    4: jeq #41, +39, +0    5: jeq #9, +38, +0    6: …
//! a chain of three; from 4 with 9 it is left at 5 for 44, with 10 it falls through to 6, as all up to 40 do
//! ```
//!
//! libseccomp writes a program of hundreds of these, and a reader that begins anew for each number goes through them
//! hundreds of times.

use super::insn::{Insn, op};

/// Not worth a search.
const SHORT: usize = 4;

/// Where a chain leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Way {
    /// The next instruction.
    pub to: usize,
    /// The last value that certainly goes there as well, of those behind the one that was asked for.
    pub until: u32,
    /// Tests that were not made one by one.
    pub passed: usize,
}

/// The chains of a program.
pub(super) struct Chains {
    /// The chain that an instruction is in.
    of: Vec<Option<u32>>,
    chains: Vec<Chain>,
}

/// Tests that fall through to one another.
struct Chain {
    /// The first instruction behind it.
    end: usize,
    /// What is compared with, where, and where to if equal, in this order.
    tests: Vec<(u32, usize, usize)>,
}

impl Chains {
    pub(super) fn of(insns: &[Insn]) -> Self {
        let mut found = Self { of: vec![None; insns.len()], chains: Vec::new() };
        let mut at = 0;
        for run in insns.chunk_by(|a, b| links(a) && links(b)) {
            let start = at;
            at += run.len();
            if run.len() < SHORT || !links(&run[0]) {
                continue;
            }
            let place =
                |(index, insn): (usize, &Insn)| (insn.k, start + index, start + index + 1 + usize::from(insn.jt));
            let mut tests: Vec<_> = run.iter().enumerate().map(place).collect();
            tests.sort_unstable();
            found.of[start..at].fill(Some(found.chains.len() as u32));
            found.chains.push(Chain { end: at, tests });
        }
        found
    }

    /// The way of a value from an instruction on; `None` where there is no chain.
    pub(super) fn follow(&self, at: usize, value: u32) -> Option<Way> {
        let chain = &self.chains[self.of[at]? as usize];
        let from = chain.tests.partition_point(|&(k, ..)| k < value);
        // Entered in its middle, the tests before do not count. Of two for one number the first is met.
        let next = chain.tests[from..].iter().find(|&&(_, test, _)| test >= at);
        Some(match next {
            Some(&(k, test, to)) if k == value => Way { to, until: value, passed: test - at },
            Some(&(k, ..)) => Way { to: chain.end, until: k - 1, passed: chain.end - at },
            None => Way { to: chain.end, until: u32::MAX, passed: chain.end - at },
        })
    }
}

/// Whether it is a test for equality that falls through.
fn links(insn: &Insn) -> bool {
    insn.code == op::JEQ_K && insn.jf == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one_by_one(insns: &[Insn], mut at: usize, value: u32) -> usize {
        while at < insns.len() && links(&insns[at]) {
            let insn = &insns[at];
            at += 1;
            if insn.k == value {
                return at + usize::from(insn.jt);
            }
        }
        at
    }

    proptest! {
        #[test]
        fn a_chain_leads_where_its_tests_do(tests in prop::collection::vec((0u32..12, 0u8..9, 0u8..8), 1..24)) {
            let falls = |jf: u8| u8::from(jf == 0);
            let insns: Vec<Insn> =
                tests.iter().map(|&(k, jt, jf)| Insn { code: op::JEQ_K, jt, jf: falls(jf), k }).collect();
            let chains = Chains::of(&insns);
            for at in 0..insns.len() {
                for value in 0..13 {
                    let Some(way) = chains.follow(at, value) else { continue };
                    prop_assert_eq!(way.to, one_by_one(&insns, at, value));
                    for alike in value..=way.until.min(13) {
                        prop_assert_eq!(way.to, one_by_one(&insns, at, alike), "{} as {}", alike, value);
                    }
                }
            }
        }
    }
}
