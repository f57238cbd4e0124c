//! Whether a program is a policy: the same node for every ABI and number, and nothing else lets a process live.
//!
//! ```text
//! prove(policy, program)  →  Ok, or "x86_64, number 41: the policy says [node 9], the program [node 12]"
//! ```

use std::fmt;
use std::ops::RangeInclusive;

use super::insn::Program;
use super::symbolic::{self, ReadError};
use super::test::Tests;
use crate::diagram::{Function, Leaf, Node, Store};
use crate::policy::{Policy, witness};
use crate::spec::{Arch, Call, Nr};

/// Where a program is not its policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disproof {
    /// The program cannot be read.
    Unreadable(ReadError),
    /// The store has passed its limit.
    Overflow,
    /// An ABI of the policy has no table, here or there: nothing was compared.
    Missing(Arch),
    /// A call that gets another answer.
    Call {
        /// The call.
        call: Call,
        /// The same in words.
        text: String,
        /// What the policy says.
        expected: Leaf,
        /// What the program answers.
        found: Leaf,
    },
    /// Calls with these architecture tokens belong to no ABI of the policy and do not all end the process.
    Foreign {
        /// The tokens.
        tokens: RangeInclusive<u32>,
        /// Number of a call that comes through.
        nr: Nr,
        /// Its arguments.
        args: [u64; 6],
    },
}

impl fmt::Display for Disproof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "the program cannot be read back: {error}"),
            Self::Overflow => f.write_str("the program is too large to be read back"),
            Self::Missing(arch) => write!(f, "nothing has been compared for {arch}"),
            Self::Call { text, expected, found, .. } => write!(f, "{text} should get {expected}, and gets {found}"),
            Self::Foreign { tokens, nr, args } => {
                let token = tokens.start();
                write!(f, "number {} with the arguments {args:x?} of architecture {token:#010x}, ", nr.0)?;
                f.write_str("which the policy does not list, should end the process, and does not")
            }
        }
    }
}

impl std::error::Error for Disproof {}

/// Reads the program back and compares it with the policy.
pub fn prove(store: &mut Store, policy: &Policy, program: &Program) -> Result<(), Disproof> {
    if let Some(&arch) = policy.archs.iter().find(|arch| !policy.function.tables.contains_key(arch)) {
        return Err(Disproof::Missing(arch));
    }
    let archs: Vec<Arch> = policy.function.tables.keys().copied().collect();
    let reading = symbolic::read(store, program, &archs).map_err(Disproof::Unreadable)?;
    for (&arch, table) in &policy.function.tables {
        let Some(read) = reading.function.tables.get(&arch) else { return Err(Disproof::Missing(arch)) };
        let mut differences = Vec::new();
        table.zip(read, |range, expected, found| {
            if expected != found {
                differences.push((range, expected, found));
            }
        });
        for (range, expected, found) in differences {
            let Some(nr) = first_owned(arch, &range) else { continue };
            let expected = Tests::narrow(store, arch, expected);
            if expected != found {
                return Err(disproof(store, policy, (arch, nr), expected, found));
            }
        }
    }
    // x32's numbers carry x86_64's token: what the policy does not list of them ends the process, too.
    for foreign in &reading.foreign {
        for (range, node) in foreign.table.intervals() {
            let asked = match foreign.arch {
                Some(arch) => first_owned(arch, &range),
                None => Some(Nr(*range.start())),
            };
            let Some(nr) = asked.filter(|_| node != Node::action(Function::FOREIGN)) else { continue };
            let lives = store.where_action(node, &|action| action != Function::FOREIGN);
            let Some((cube, _)) = store.witness(lives, &|leaf| leaf == Leaf::True) else {
                return Err(Disproof::Overflow);
            };
            let args = cube.args.map(|bits| bits.value);
            return Err(Disproof::Foreign { tokens: foreign.tokens.clone(), nr, args });
        }
    }
    if store.overflowed() { Err(Disproof::Overflow) } else { Ok(()) }
}

/// The first number of the range that the ABI owns. Ownership changes at x32's bit and at the last number.
fn first_owned(arch: Arch, range: &RangeInclusive<u32>) -> Option<Nr> {
    [*range.start(), crate::spec::arch::X32_BIT, u32::MAX]
        .into_iter()
        .filter(|nr| range.contains(nr))
        .map(Nr)
        .find(|&nr| arch.owns(nr))
}

fn disproof(store: &mut Store, policy: &Policy, (arch, nr): (Arch, Nr), expected: Node, found: Node) -> Disproof {
    let differ = store.differ(expected, found);
    match store.witness(differ, &|leaf| leaf == Leaf::True) {
        Some((cube, _)) if !store.overflowed() => {
            let (call, environment) = witness::call(arch, nr, &cube);
            Disproof::Call {
                call,
                text: witness::describe(arch, nr, policy.call_name(arch, nr), &cube),
                expected: store.at(expected, &environment, &call.args),
                found: store.at(found, &environment, &call.args),
            }
        }
        _ => Disproof::Overflow,
    }
}
