//! What a runtime makes of a profile: JSON as crun or runc with libseccomp load it, as a diagram.
//!
//! ```text
//! { "names": ["socket"], "args": [{0 EQ 1}, {0 EQ 2}] }      →  socket: arg0 == 1 or arg0 == 2, not "and"
//! { "names": ["open_by_hand"] }                              →  nothing: no release knows the name
//! { "names": ["read"], "action": the default's }             →  nothing: equal to the default
//! ```
//!
//! Where it is written:
//! - which entries count: containers/common `pkg/seccomp/seccomp_linux.go` (`setupSeccomp`); moby
//!   `profiles/seccomp/seccomp_linux.go` for `minKernel`, which the former does not read;
//! - rules: containers/crun `src/libcrun/seccomp.c` (`libcrun_generate_seccomp`), opencontainers/runc
//!   `libcontainer/seccomp/seccomp_linux.go` (`matchCall`);
//! - what a rule matches: seccomp/libseccomp `src/db.c` (`db_rule_add`, `_db_rule_gen_32`, `_db_rule_gen_64`);
//! - `socketcall` and `ipc`: `abi_rule_add` and `_abi_syscall_munge`, `src/syscalls.c` (`x86_rule_add`, `src/arch-x86.c`,
//!   up to 2.5.0). Where an ABI has the multiplexer, a rule on a call behind it is added for it too, with the call's number
//!   in place of whatever was asked of arg0, all else unchanged, although the other registers mean something else there:
//!
//! ```text
//! { "names": ["socket"], args: [arg2 EQ 0] }   for x86   →   socket (359): arg2 == 0
//!                                                            socketcall (102): arg0 == 1 and arg2 == 0
//! ```
//!
//! Where an ABI lacks a name, libseccomp adds the rule for a negative number of its own (`__PNR_…`): no kernel has a
//! call there, so that nothing comes of it and nothing is shown here.
//!
//! An ABI that is not in the filter ends the *thread* (`SCMP_FLTATR_ACT_BADARCH`), where a function here says process:
//! the one difference that is not shown.

mod crun;
mod doubt;
mod handed;
mod handover;
mod refusal;
mod rules;
mod runc;
mod who;
mod youki;

use std::collections::BTreeMap;

use super::profile::{Arg, Op, Profile};
use super::sharing::{self, Fault};
use crate::diagram::{Cube, Function, Leaf, Node, Store, Table};
use crate::spec::{Arch, Nr};
use crate::tables;

pub use handed::{Calls, Handed, Rule};
pub use handover::{Dialect, host_names};
pub use refusal::{Field, LoadError, MAX_ERRNO, Refusal, Refused, refuses};
pub use rules::{Combined, combine, compared_bits, is_known, number, on_arch, since};
pub use runc::Stub;
pub use who::{
    Engine, Kind, OLDEST_IN, OLDEST_LIBSECCOMP, Runtime, STRICTEST, STRICTEST_IN, Stack, load_it, release_text,
};

/// A release of libseccomp.
pub type Release = (u8, u8, u8);

/// What came of a profile on one host.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The filter, with capabilities and kernel open; tables of the ABIs that can meet on the host. What entries say, if
    /// nothing speaks against it; what libseccomp's program does, if something did and the program could be made
    /// ([`super::trial`]); then nothing below is left in doubt.
    pub function: Function,
    /// Where two entries claim a call and libseccomp's answer hangs on their order.
    pub undetermined: Vec<Undetermined>,
    /// Calls with several entries of which one compares by order (`LT`, `GE`, `NE`, …). The function has what the entries
    /// say; libseccomp merges tests of upper halves there (`_db_tree_add`, `src/db.c`) and answers some values
    /// near the bounds otherwise.
    pub merged: Vec<(Arch, Nr)>,
    /// The same, also where the program has settled what they get.
    pub ordered: Vec<(Arch, Nr)>,
    /// Ways in which libseccomp's program does not do what its rules say, or may not.
    pub faults: Vec<Fault>,
    /// Names that the release does not know; entries on them do nothing.
    pub unknown: Vec<String>,
    /// What the library is given.
    pub handed: Handed,
    /// Whether something was in doubt, and the program has settled it.
    pub settled: bool,
    /// By ABI, the calls of which it is not known what the library makes of their rules; empty where all is known.
    pub doubts: BTreeMap<Arch, Table>,
    /// Where runc's own program answers.
    pub stubs: Vec<Stub>,
    /// What libseccomp's answers, where runc's stands in front of it.
    pub behind: Option<Function>,
}

/// A place where the answer hangs on the order of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undetermined {
    /// ABI of the calls.
    pub arch: Arch,
    /// Their number.
    pub nr: Nr,
    /// The name in the profile.
    pub name: String,
    /// Some of them.
    pub cube: Cube,
    /// All of them (a set).
    pub calls: Node,
}

/// Loads a profile as a runtime on `host` would, `host` being a kernel's own ABI.
pub fn load(
    store: &mut Store,
    profile: &Profile,
    host: Arch,
    release: Option<Release>,
    dialect: Dialect,
) -> Result<Loaded, LoadError> {
    let stack = Stack { libseccomp: release, ..Stack::default() };
    load_as(store, profile, host, &stack, dialect)
}

/// Loads a profile as these do. What they refuse to load at all is not looked at here: [`Stack::refused`].
pub fn load_by(store: &mut Store, profile: &Profile, host: Arch, stack: &Stack) -> Result<Loaded, LoadError> {
    load_as(store, profile, host, stack, stack.runtime.dialect())
}

fn load_as(
    store: &mut Store,
    profile: &Profile,
    host: Arch,
    stack: &Stack,
    dialect: Dialect,
) -> Result<Loaded, LoadError> {
    let release = stack.libseccomp;
    if host.native() != host {
        return Err(LoadError::NotAHost(host));
    }
    let listed = handover::architectures(profile, host, dialect)?;
    let mut archs = listed.clone();
    archs.sort_unstable();
    if profile.default_errno_ret.is_some() && !profile.default_action.takes_errno() {
        return Err(LoadError::ErrnoBesideOther(None));
    }
    let default = profile.default_action.with(profile.default_errno_ret.filter(|_| stack.reads_default_errno()));
    let mut handed = Handed { archs: listed, release, default, rules: Vec::new() };
    if let Some(refusal) = refuses(default, release) {
        return Err(LoadError::ActionRefused(None, refusal));
    }
    let mut calls: BTreeMap<Arch, Vec<(Nr, &str, Rule)>> = archs.iter().map(|&arch| (arch, Vec::new())).collect();
    let mut counting: Vec<(usize, Node)> = Vec::new();
    let mut unknown = Vec::new();
    let mut numberless: BTreeMap<Arch, &str> = BTreeMap::new();
    for (index, entry) in profile.syscalls.iter().enumerate() {
        if entry.errno_ret.is_some() && !entry.action.takes_errno() {
            return Err(LoadError::ErrnoBesideOther(Some(index)));
        }
        let when = handover::when(store, entry, host, dialect);
        counting.push((index, when));
        let action = entry.action.with(entry.errno_ret);
        if when == Node::FALSE || action == default {
            continue;
        }
        for name in &entry.names {
            let Some(syscall) = tables::syscall(name).filter(|&call| is_known(call, release)) else {
                unknown.push(name.clone());
                continue;
            };
            if let Some(refusal) = refuses(action, release) {
                return Err(LoadError::ActionRefused(Some(index), refusal));
            }
            for args in rules::split(&entry.args, stack.takes_any_condition()) {
                handed.rules.push((syscall, Rule { when, args: args.clone(), action }));
                for (&arch, calls) in &mut calls {
                    if arch.native() == host && number(syscall, arch, release).is_none() {
                        numberless.entry(arch).or_insert(name);
                    }
                    let rule = Rule { when, args: args.clone(), action };
                    let has = |nr: Nr| Some(nr) != syscall.nr(arch) || number(syscall, arch, release).is_some();
                    let known = on_arch(syscall, arch, &rule).filter(|&(nr, _)| has(nr));
                    calls.extend(known.map(|(nr, rule)| (nr, name.as_str(), rule)));
                }
            }
        }
    }
    let calls: BTreeMap<Arch, Calls<'_>> = calls.into_iter().map(|(arch, rules)| (arch, Calls::new(rules))).collect();
    let mut faults: Vec<Fault> = sharing::shared(&calls).into_iter().collect();
    faults.extend(sharing::unloaded(&calls, &numberless, archs.contains(&Arch::X32)));
    let mut contradicts = handed.contradicts_nowhere(host);
    let mut function = Function::default();
    let mut undetermined = Vec::new();
    let mut merged = Vec::new();
    for (&arch, calls) in calls.iter().filter(|(arch, _)| arch.native() == host) {
        let other = Node::action(default);
        let mut intervals = vec![(0, other)];
        for (nr, name, rules) in calls.iter() {
            let combined = combine(store, arch, default, rules, release);
            contradicts |= combined.contradicts;
            let by_order = |arg: &Arg| !matches!(arg.op, Op::Eq | Op::MaskedEq);
            if rules.len() > 1 && rules.iter().any(|rule| rule.args.iter().any(by_order)) {
                merged.push((arch, nr));
            }
            intervals.pop_if(|(start, _)| *start == nr.0);
            intervals.push((nr.0, combined.node));
            intervals.extend(nr.0.checked_add(1).map(|next| (next, other)));
            if combined.undetermined == Node::FALSE {
                continue;
            }
            if let Some((cube, _)) = store.witness(combined.undetermined, &|leaf| leaf == Leaf::True) {
                let (name, calls) = (name.to_owned(), combined.undetermined);
                undetermined.push(Undetermined { arch, nr, name, cube, calls });
            }
        }
        function.tables.insert(arch, Table::from_intervals(intervals));
    }
    unknown.sort_unstable();
    unknown.dedup();
    let mut loaded = Loaded {
        function,
        undetermined,
        ordered: merged.clone(),
        merged,
        faults,
        unknown,
        handed,
        settled: false,
        doubts: BTreeMap::new(),
        stubs: Vec::new(),
        behind: None,
    };
    loaded.settle(store, release, contradicts);
    if stack.runtime.kind == Kind::Runc {
        let behind = loaded.function.clone();
        loaded.stubs = runc::front(store, &mut loaded.function, profile, &counting, host, stack);
        loaded.behind = Some(behind).filter(|_| !loaded.stubs.is_empty());
    }
    if store.overflowed() { Err(LoadError::TooLarge) } else { Ok(loaded) }
}
