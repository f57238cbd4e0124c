//! Answers: questions about filters, asked of their functions. Nodes in, plain values out; nothing here prints.
//!
//! ```text
//! why     what a call gets, who decided it, and what would change that
//! import  a filter of any form as a policy that a person would have written
//! diff    where two filters answer differently, and which of them is stricter there
//! show    every call, what it gets, and where that is said
//! stats   what a filter is made of, and what it costs
//! effects what it lets happen, as people say it
//! decided each rule with the calls that it has the last word on
//! words   a set of calls as a person would write it
//! call    what a person wrote, as a set of calls
//! about   what is known of a call, a constant, a group, a file of the library
//! record  what the kernel logged; trace: what strace printed
//! log     many lines of these, each distinct call once
//! ```

pub mod about;
pub mod call;
pub mod decided;
pub mod diff;
pub mod effects;
pub mod import;
pub mod log;
pub mod record;
pub mod show;
pub mod stats;
pub mod trace;
pub mod why;
pub mod words;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::diagram::Table;
use crate::spec::arch::X32_BIT;
use crate::spec::{Action, Arch, Nr};
use crate::tables;

/// The first number of the range that the ABI owns. Ownership changes at x32's bit and at the last number.
pub fn first_owned(arch: Arch, range: &RangeInclusive<u32>) -> Option<Nr> {
    [*range.start(), X32_BIT, u32::MAX].into_iter().filter(|nr| range.contains(nr)).map(Nr).find(|&nr| arch.owns(nr))
}

/// The one action that all calls of an ABI get; `None` where they differ. Of x32 only numbers below 2^31 can be calls, and
/// Chromium's filters answer the others as if they were x86_64's.
pub fn constant(arch: Arch, table: &Table) -> Option<Action> {
    let mut found = None;
    for (range, node) in table.intervals() {
        let counts = match arch {
            Arch::X32 => *range.start() < 1 << 31 && *range.end() >= X32_BIT,
            Arch::X86_64 => *range.start() < X32_BIT,
            _ => true,
        };
        match (found, node.as_action()) {
            _ if !counts => {}
            (None, Some(action)) => found = Some(action),
            (Some(known), Some(action)) if known == action => {}
            _ => return None,
        }
    }
    found
}

/// What a number is called by the filters at hand, or by the tables.
pub fn call_name(declared: &BTreeMap<(Arch, Nr), String>, arch: Arch, nr: Nr) -> Option<&str> {
    match declared.get(&(arch, nr)) {
        Some(name) => Some(name),
        None => tables::syscall_at(arch, nr).map(tables::Syscall::name),
    }
}

/// The numbers of a range that have a name on the ABI, and one of those that have none.
fn interesting(
    declared: &BTreeMap<(Arch, Nr), String>,
    arch: Arch,
    range: &RangeInclusive<u32>,
) -> (Vec<Nr>, Option<Nr>) {
    let mut named: Vec<Nr> = tables::Syscall::all_of(arch).filter_map(|call| call.nr(arch)).collect();
    named.extend(declared.keys().filter(|(of, _)| *of == arch).map(|(_, nr)| *nr));
    named.retain(|nr| range.contains(&nr.0));
    named.sort_unstable();
    named.dedup();
    // The first of each run between two names.
    let starts = [*range.start(), X32_BIT].into_iter().chain(named.iter().filter_map(|nr| nr.0.checked_add(1)));
    let unnamed = starts
        .chain([u32::MAX])
        .filter(|nr| range.contains(nr))
        .map(Nr)
        .filter(|nr| arch.owns(*nr) && named.binary_search(nr).is_err())
        .min();
    (named, unnamed)
}
