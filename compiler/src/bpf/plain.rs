//! How long a filter is that asks for one call after the other.
//!
//! ```text
//! jeq #0, allow · jeq #1, allow · jeq #41, its arguments · …      a test for each number that is not like most
//! ```
//!
//! Others write such lists, or for speed a tree of short ones. A program that is good for everything need not be longer than
//! that: the bound is the list, and a split for every few numbers.

use std::collections::BTreeSet;

use super::aim::Goal;
use super::layout;
use super::rules::Rules;
use super::test::Tests;
use crate::diagram::{Leaf, Node, Store};
use crate::policy::Policy;
use crate::spec::arch::X32_BIT;
use crate::spec::{Arch, Nr};

/// So many tests for numbers follow each other in a tree of lists.
const GROUP: usize = 4;

/// The length of a tree of lists for a policy; `None` if it is surely no shorter than `most`.
pub(super) fn length(store: &mut Store, policy: &Policy, most: usize) -> Option<usize> {
    let mut calls = Vec::new();
    for (&arch, table) in &policy.function.tables {
        let rest = table.at(Nr(last_number(arch)));
        for (range, node) in table.intervals().filter(|&(_, node)| node != rest) {
            if calls.len() + (range.end() - range.start()) as usize >= most {
                return None;
            }
            calls.extend(range.map(|nr| (arch, Nr(nr), node)));
        }
    }
    // Who writes lists writes a rule's tests once, and shares them with no other rule.
    let mut known = BTreeSet::new();
    let mut tests = 0;
    for &(arch, nr, node) in calls.iter().filter(|(.., node)| !node.is_leaf()) {
        let node = Tests::narrow(store, arch, node);
        if known.insert((arch.is_big_endian(), node)) {
            tests += arguments(store, policy, arch, nr, node);
        }
    }
    let tokens: BTreeSet<u32> = policy.archs.iter().map(|arch| arch.audit_token()).collect();
    let x32 = usize::from(tokens.contains(&Arch::X86_64.audit_token()));
    let answers: BTreeSet<Leaf> = calls.iter().flat_map(|&(.., node)| store.leaves(node)).collect();
    // The architecture, its tests and the answer to all others; a load of the number for each.
    let fixed = 2 + 2 * tokens.len() + 2 * x32 + 1 + answers.len();
    Some(fixed + calls.len() + calls.len().saturating_sub(1) / GROUP + tests)
}

/// The tests of a call's arguments, rule by rule if its rules are known.
fn arguments(store: &mut Store, policy: &Policy, arch: Arch, nr: Nr, node: Node) -> usize {
    let said = policy.said.get(&(arch, nr));
    match said.and_then(|said| Rules::of(store, arch, said, policy.default, node)) {
        Some(rules) => rules.lengths(store),
        None => {
            let mut tests = Tests::new(arch.is_big_endian(), Goal::Size.of_arguments());
            layout::length(|blocks| tests.block(store, blocks, node)) - store.leaves(node).len()
        }
    }
}

/// A number of an ABI that no call has.
fn last_number(arch: Arch) -> u32 {
    if arch == Arch::X32 { u32::MAX - 1 } else { X32_BIT - 1 }
}
