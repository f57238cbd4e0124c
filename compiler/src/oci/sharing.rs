//! Rules of which libseccomp may make a program that does something else: a cheap suspicion, before the program is
//! made and read ([`super::trial`]).
//!
//! ```text
//! mmap on x86_64                                   mmap on x86 (no bit 63 in a register)
//! load arg1 & 1
//! == 1 → load arg2's upper half, bit 31 → allow    load arg1 & 1
//!        else ↓                                    == 1 → allow
//! == 0 → allow                                     == 0 → allow
//! ```
//!
//! A test of the word that the test before it has loaded loads nothing. Of two such tests that look alike libseccomp
//! makes one, for all calls and ABIs (`_hsh_add`, `src/gen_bpf.c`); and it loads the word again only if the first jump
//! to it that it comes across is from a test of another word (`_gen_bpf_build_bpf`). Above the last line is reached
//! on x86 with arg1 loaded and on x86_64 also with arg2 loaded; the one test for both is then asked of arg2,
//! and `mmap` with arg1 == 1 and arg2 == 0 is allowed. So 2.5.4, 2.6.0 and 2.6.1.
//!
//! [`shared()`] makes the blocks of all calls with conditions, and asks of each that loads nothing who jumps to it: if all leave
//! there what it needs, or nobody does, so that it is loaded whoever comes first, all is well; if some do, it hangs on who comes
//! first. Rules that are not always there are tried with each other and without, and all blocks are laid together: that is more than
//! any program has, so that what is well among them is well in each. A test makes the programs of random profiles that are not named
//! here, and must find nothing (`compiler/tests/libseccomp.rs`).
//!
//! The second fault is simpler ([`unloaded()`]): a rule on a name that an ABI lacks (`open` on aarch64, `accept` on
//! x86) is kept there under a number that is no call's, sorted with the others, and left out of the program. The
//! call that is tested first loads the number; if it is one of those, nobody does, and all calls of the ABI get the
//! default:
//!
//! ```text
//! aarch64, default allow:   socketcall → errno                 sorted first: no conditions, but no number
//!                           socket (arg0 == 38) → errno        never reached: `socket(38, …)` is allowed
//! ```
//!
//! Calls with the fewest conditions come first, real ones before others, so that one real call claimed without
//! conditions is enough to be safe. x86_64 without x32 loads the number on its own.

use std::collections::BTreeMap;

use super::libseccomp::{Blocks, Chain, Failure, Target, Tree};
use super::profile::{Arg, Op};
use super::runtime::{self, Calls, Rule};
use crate::diagram::Node;
use crate::spec::{Action, Arch, Call};

/// Why a program would not do what the rules say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Two calls whose tests may become one.
    Shared {
        /// One of them.
        name: String,
        /// Its ABI.
        arch: Arch,
        /// The other; it may be the same call on another ABI.
        other: String,
        /// Its ABI.
        other_arch: Arch,
    },
    /// An ABI on which the number may never be loaded.
    Unloaded {
        /// The ABI.
        arch: Arch,
        /// A call without a number there.
        name: String,
    },
    /// A call that the program, made and read, answers otherwise than the rules.
    Wrong {
        /// Its name.
        name: String,
        /// The call.
        call: Call,
        /// What the rules say.
        said: Option<Action>,
        /// What the program does.
        done: Option<Action>,
    },
}

/// Surroundings on which the rules of one call may hang before it is suspected unseen.
const MOST_OPEN: usize = 4;

/// The first two calls whose tests may wrongly become one.
pub fn shared(calls: &BTreeMap<Arch, Calls<'_>>) -> Option<Fault> {
    let big_endian = calls.keys().next().is_some_and(|arch| arch.is_big_endian());
    let mut blocks = Blocks::new(big_endian);
    let mut owners: Vec<(Arch, &str)> = Vec::new();
    // Whose block it is: the call that it was first made for.
    let mut owned: Vec<usize> = Vec::new();
    let otherwise = blocks.answer(Action::Allow.to_ret());
    for (&arch, calls) in calls {
        for (_, name, rules) in calls.iter().filter(|(.., rules)| rules.iter().any(|rule| !rule.args.is_empty())) {
            if add(&mut blocks, arch, rules, otherwise).is_err() {
                let name = name.to_owned();
                return Some(Fault::Shared { name: name.clone(), arch, other: name, other_arch: arch });
            }
            owned.resize(blocks.blocks.len(), owners.len());
            owners.push((arch, name));
        }
    }
    // Who jumps to a block, with the word that it needs and without.
    let mut with = vec![false; blocks.blocks.len()];
    let mut without: Vec<Option<usize>> = vec![None; blocks.blocks.len()];
    for (id, block) in blocks.blocks.iter().enumerate() {
        for way in block.code.iter().flat_map(|draft| draft.ways) {
            let Target::Block(target) = way else { continue };
            let needs = blocks.blocks[target].before;
            if needs.offset.is_none() {
                continue;
            }
            if block.after == needs {
                with[target] = true;
            } else {
                without[target] = Some(id);
            }
        }
    }
    let (target, from) = with
        .iter()
        .zip(without)
        .enumerate()
        .find_map(|(target, (&with, without))| without.filter(|_| with).map(|from| (target, from)))?;
    let ((arch, name), (other_arch, other)) = (owners[owned[from]], owners[owned[target]]);
    Some(Fault::Shared { name: name.to_owned(), arch, other: other.to_owned(), other_arch })
}

/// Adds the blocks of one call, with and without each of the rules that are not always there.
fn add(blocks: &mut Blocks, arch: Arch, rules: &[Rule], otherwise: usize) -> Result<(), Failure> {
    let mut whens: Vec<Node> = rules.iter().map(|rule| rule.when).filter(|&when| when != Node::TRUE).collect();
    whens.sort_unstable();
    whens.dedup();
    if whens.len() > MOST_OPEN {
        return Err(Failure::TooLarge);
    }
    let bits = runtime::compared_bits(arch);
    for chosen in 0..1u32 << whens.len() {
        let given =
            |rule: &Rule| whens.iter().position(|&when| when == rule.when).is_none_or(|at| chosen & 1 << at != 0);
        let mut tree: Option<Tree> = None;
        let mut refused = false;
        for rule in rules.iter().filter(|rule| given(rule)) {
            let chain = Chain::new(&rule.args, rule.action.to_ret(), bits);
            let result = match &mut tree {
                None => Tree::new(&chain).map(|new| tree = Some(new)),
                Some(tree) if tree.is_empty() => Ok(()),
                Some(tree) if chain.tests.is_empty() => {
                    tree.clear();
                    Ok(())
                }
                Some(tree) => tree.merge(&chain),
            };
            match result {
                Ok(()) => {}
                // Then there is no program at all.
                Err(Failure::Contradiction) => refused = true,
                Err(failure) => return Err(failure),
            }
        }
        if let Some(tree) = tree.filter(|_| !refused)
            && let Some(root) = tree.root()
        {
            blocks.level(&tree, root, otherwise, super::libseccomp::Loaded::NOTHING)?;
        }
    }
    Ok(())
}

/// The ABIs on which the number may never be loaded. `numberless` has a name for each ABI that lacks one.
pub fn unloaded(calls: &BTreeMap<Arch, Calls<'_>>, numberless: &BTreeMap<Arch, &str>, with_x32: bool) -> Vec<Fault> {
    let settled = |arch| {
        let rules = calls.get(&arch).map_or(&[][..], Calls::rules);
        rules.is_empty() || rules.iter().any(|rule| rule.args.is_empty() && rule.when == Node::TRUE)
    };
    numberless
        .iter()
        .filter(|&(&arch, _)| (arch != Arch::X86_64 || with_x32) && !settled(arch))
        .map(|(&arch, &name)| Fault::Unloaded { arch, name: name.to_owned() })
        .collect()
}

/// How many words the tests of a rule ask for on an ABI: what the rule costs.
pub fn tests_of(arch: Arch, args: &[Arg]) -> usize {
    let wide = runtime::compared_bits(arch) == 64;
    let tests = |arg: &Arg| {
        let (mask, ordered) = match arg.op {
            Op::MaskedEq => (arg.value, false),
            op => (u64::MAX, op != Op::Eq),
        };
        usize::from(wide && (mask >> 32 != 0 || mask != 0 && ordered)) + usize::from(mask as u32 != 0)
    };
    args.iter().map(tests).sum()
}
