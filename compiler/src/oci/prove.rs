//! The proof: what was written, read back as a runtime reads it, is the policy.
//!
//! ```text
//! policy ─write→ text ─read→ profile ─load on each host→ diagram  =  the policy's, node by node
//! ```

use super::error::WriteError;
use super::read::read;
use super::runtime::{self, Loaded};
use super::write::Target;
use crate::diagram::{Leaf, Node, Store, Table};
use crate::policy::{Policy, witness};
use crate::spec::arch::X32_BIT;
use crate::spec::{Arch, Call, Nr};
use crate::tables;

/// The ABIs for which the text means the policy: all of them, or an error with a call.
pub fn prove(store: &mut Store, policy: &Policy, target: &Target, json: &str) -> Result<Vec<Arch>, WriteError> {
    let internal = |what: String| WriteError::Internal { call: None, what };
    let profile = read(json.as_bytes()).map_err(|error| internal(error.to_string()))?;
    let mut hosts: Vec<Arch> = policy.archs.iter().map(|arch| arch.native()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let mut proven = Vec::new();
    for host in hosts {
        let loaded = runtime::load(store, &profile, host, target.libseccomp, target.dialect)
            .map_err(|error| internal(error.to_string()))?;
        if let Some(place) = loaded.undetermined.first() {
            let args = place.cube.args.map(|bits| bits.value);
            let call = Some(Call { arch: place.arch, nr: place.nr, args });
            return Err(WriteError::Internal { call, what: "entries contradict each other".to_owned() });
        }
        if let Some(&(arch, nr)) = loaded.merged.first() {
            let call = Some(Call { arch, nr, args: [0; 6] });
            return Err(WriteError::Internal { call, what: "entries are such as libseccomp merges".to_owned() });
        }
        if let Some(fault) = loaded.faults.first() {
            return Err(WriteError::Miscompiled(fault.clone()));
        }
        // An ABI of this host that the filter lets in and the policy does not know.
        if let Some(arch) = loaded.function.tables.keys().find(|arch| !policy.archs.contains(arch)) {
            return Err(internal(format!("{arch} is open")));
        }
        for &arch in policy.archs.iter().filter(|arch| arch.native() == host) {
            if let Some((call, what)) = difference(store, policy, target, &loaded, arch) {
                return Err(WriteError::Internal { call: Some(call), what });
            }
            proven.push(arch);
        }
    }
    if store.overflowed() {
        return Err(WriteError::TooLarge);
    }
    proven.sort_unstable();
    Ok(proven)
}

/// A call on which the filter and the policy differ, other than by names that the target's libseccomp does not know, and
/// both answers in words.
fn difference(
    store: &mut Store,
    policy: &Policy,
    target: &Target,
    loaded: &Loaded,
    arch: Arch,
) -> Option<(Call, String)> {
    let default = Node::action(policy.default);
    let (Some(wanted), Some(given)) = (policy.function.tables.get(&arch), loaded.function.tables.get(&arch)) else {
        return Some((Call { arch, nr: Nr(0), args: [0; 6] }, format!("it is not for {arch}")));
    };
    let mut different = Vec::new();
    wanted.zip(given, |range, wanted, given| {
        if wanted != given {
            different.push((range, wanted, given));
        }
    });
    for (range, wanted, given) in different {
        for nr in owned(arch, *range.start(), *range.end()) {
            let dropped = tables::syscall_at(arch, nr).is_some_and(|call| !runtime::is_known(call, target.libseccomp));
            if dropped && given == default {
                continue;
            }
            let differs = store.differ(wanted, given);
            let Some((cube, _)) = store.witness(differs, &|leaf| leaf == Leaf::True) else {
                // The store is full, so that nobody knows.
                return Some((Call { arch, nr, args: [0; 6] }, "the comparison is too large".to_owned()));
            };
            let (call, environment) = witness::call(arch, nr, &cube);
            let [wanted, given] = [wanted, given].map(|node| store.at(node, &environment, &call.args));
            let text = witness::describe(arch, nr, policy.call_name(arch, nr), &cube);
            return Some((call, format!("{text} should get {wanted}, and gets {given}")));
        }
    }
    None
}

/// Numbers of an interval that are the ABI's own; of a long run of others one.
pub(super) fn owned(arch: Arch, start: u32, end: u32) -> impl Iterator<Item = Nr> {
    let skip = if arch == Arch::X32 { start.max(X32_BIT) } else { start };
    let last = if arch == Arch::X86_64 { end.min(X32_BIT - 1) } else { end };
    let no_call = (arch == Arch::X86_64 && end == u32::MAX).then_some(Nr(u32::MAX));
    (skip..=last).map(Nr).filter(move |&nr| arch.owns(nr)).chain(no_call)
}

/// Whether two tables answer every number of the ABI's own alike.
#[must_use]
pub fn same(arch: Arch, one: &Table, two: &Table) -> bool {
    let mut same = true;
    one.zip(two, |range, a, b| {
        same &= a == b || owned(arch, *range.start(), *range.end()).next().is_none();
    });
    same
}
