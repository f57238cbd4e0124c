//! runc: a program of its own in front of libseccomp's, which answers ENOSYS for calls newer than all that a profile names.
//!
//! ```text
//! default kill, allow { read, openat2 }, architectures: [x86_64]
//!
//! x86_64   0 … 437   as libseccomp answers          437 is openat2's number, the highest that is named
//!          438 …     ENOSYS: call 600 returns, and the process lives on
//! ```
//!
//! opencontainers/runc `libcontainer/seccomp/patchbpf/enosys_linux.go`:
//! - the default has to refuse (`isAllowAction`): after `allow`, `log` and `trace` there is no such program;
//! - ABIs are those that the profile lists; the host's own is added since 1.1.15 (`findLastSyscalls`), so that before it a profile
//!   without `architectures` has none;
//! - every name counts that an entry for this host has, whatever its action, the default's included; a name counts by
//!   the number that libseccomp has for it, and not where libseccomp knows the call by a multiplexer (`socket` on x86), since
//!   such numbers are negative (`abi_syscall_resolve_name_munge`, `src/syscalls.c`);
//! - an ABI of which no number above 0 is named has none;
//! - x32 numbers are told apart by bit 30, and -1 has it: with x32 listed it gets ENOSYS, without it is left to libseccomp;
//! - so numbers from 2^31 on without bit 30, which libseccomp takes for x32's, get ENOSYS as those of x86_64 do;
//! - since 1.1.3 number 0 of s390 and s390x gets ENOSYS always: the kernel shows a filter 0 for what it does not know.
//!
//! More than 32 names are put into a binary tree (`SetOptimize(2)`, `seccomp_linux.go`), which answers as the list does.
//!
//! What it refuses: `config.go` (actions, ABIs, flags), `SetupSeccomp` in `libcontainer/specconv/spec_linux.go`.

use std::collections::BTreeMap;

use super::refusal::{Field, Refused, flags};
use super::rules::number;
use super::{Release, Stack};
use crate::diagram::{Function, Node, Store, Table};
use crate::oci::profile::Profile;
use crate::spec::arch::X32_BIT;
use crate::spec::multiplex;
use crate::spec::{Action, Arch, Nr};
use crate::tables;

/// The releases that are known.
pub const KNOWN: (Release, Release) = ((1, 0, 0), (1, 5, 1));

/// What a release's own static binary has (`LIBSECCOMP_VERSION`, `Dockerfile`); before 1.1 the newest when it came out.
pub const LIBSECCOMP: &[(Release, Release)] = &[
    ((1, 0, 0), (2, 5, 1)),
    ((1, 0, 3), (2, 5, 3)),
    ((1, 1, 3), (2, 5, 4)),
    ((1, 1, 14), (2, 5, 5)),
    ((1, 3, 0), (2, 5, 6)),
    ((1, 3, 5), (2, 6, 0)),
    ((1, 4, 0), (2, 5, 6)),
    ((1, 4, 1), (2, 6, 0)),
];

/// Where on an ABI the program in front begins to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stub {
    /// The ABI.
    pub arch: Arch,
    /// The highest number that is named; those above get ENOSYS.
    pub above: Nr,
}

/// Puts the program in front. `counting` are the entries that are handed over, each with the surroundings in which it is.
pub fn front(
    store: &mut Store,
    function: &mut Function,
    profile: &Profile,
    counting: &[(usize, Node)],
    host: Arch,
    stack: &Stack,
) -> Vec<Stub> {
    let default = profile.default_action.with(profile.default_errno_ret);
    if matches!(default, Action::Allow | Action::Log | Action::Trace(_)) {
        return Vec::new();
    }
    let release = stack.runtime.release();
    let listed = listed(profile, host, release);
    let mut above: BTreeMap<Arch, Vec<(u32, Node)>> = BTreeMap::new();
    let mut stubs = Vec::new();
    for &arch in function.tables.keys().filter(|arch| listed.contains(arch)) {
        let named = named(store, profile, counting, arch, stack.libseccomp);
        if let Some(&(highest, _)) = named.last() {
            stubs.push(Stub { arch, above: Nr(highest) });
            above.insert(arch, unnamed(store, &named));
        }
    }
    let refusal = Node::action(Action::Errno(tables::errno("ENOSYS", host).unwrap_or(38)));
    let any_of = |arch| above.get(&arch).and_then(|parts| parts.last()).map(|&(_, any)| any);
    let (with_x32, with_x86_64) = (any_of(Arch::X32), any_of(Arch::X86_64));
    for (arch, mut parts) in above {
        let any = parts.last().map_or(Node::FALSE, |&(_, any)| any);
        if matches!(arch, Arch::S390 | Arch::S390x) && release >= (1, 1, 3) {
            parts.splice(..1, [(0, any), (1, Node::FALSE)]);
        }
        let mut set = Table::from_intervals(dedup(parts));
        if matches!(arch, Arch::X86_64 | Arch::X32) {
            set = of_bit_30(&set, arch == Arch::X32);
        }
        let Some(table) = function.tables.get_mut(&arch) else { continue };
        *table = laid_over(store, table, &set, refusal);
    }
    // -1 is x32's by its bit.
    if let (Some(any), Some(table)) = (with_x32, function.tables.get_mut(&Arch::X86_64)) {
        let set = Table::from_intervals([(0, Node::FALSE), (u32::MAX, any)]);
        *table = laid_over(store, table, &set, refusal);
    }
    // Without the bit x32's are x86_64's, above all that is named.
    if let (Some(any), Some(table)) = (with_x86_64, function.tables.get_mut(&Arch::X32)) {
        let set = Table::from_intervals([(0, Node::FALSE), (2 * X32_BIT, any), (3 * X32_BIT, Node::FALSE)]);
        *table = laid_over(store, table, &set, refusal);
    }
    stubs
}

/// The ABIs that it looks at.
fn listed(profile: &Profile, host: Arch, release: Release) -> Vec<Arch> {
    let mut listed = profile.architectures.clone();
    if let Some(row) = profile.arch_map.iter().find(|row| row.arch == host) {
        listed.push(row.arch);
        listed.extend(&row.sub);
    }
    if release >= (1, 1, 15) {
        listed.push(host);
    }
    listed
}

/// The numbers above 0 that entries name, sorted, each with the surroundings in which one does.
fn named(
    store: &mut Store,
    profile: &Profile,
    counting: &[(usize, Node)],
    arch: Arch,
    libseccomp: Option<Release>,
) -> Vec<(u32, Node)> {
    let mut named: BTreeMap<u32, Node> = BTreeMap::new();
    for &(index, when) in counting {
        for call in profile.syscalls[index].names.iter().filter_map(|name| tables::syscall(name)) {
            let munged = multiplex::other_way(call).is_some_and(|(way, _)| way.nr(arch).is_some());
            if let Some(nr) = number(call, arch, libseccomp).filter(|nr| nr.0 > 0 && !munged) {
                let before = named.entry(nr.0).or_insert(Node::FALSE);
                *before = store.or(*before, when);
            }
        }
    }
    named.into_iter().collect()
}

/// From which number on, and in which surroundings, nothing at it or above is named, but something is below.
fn unnamed(store: &mut Store, named: &[(u32, Node)]) -> Vec<(u32, Node)> {
    let mut any = Node::FALSE;
    for &(_, when) in named {
        any = store.or(any, when);
    }
    let mut parts = vec![];
    let mut above = Node::FALSE;
    for &(nr, when) in named.iter().rev() {
        if let Some(next) = nr.checked_add(1) {
            let set = store.minus(any, above);
            parts.push((next, set));
        }
        above = store.or(above, when);
    }
    parts.push((0, Node::FALSE));
    parts.reverse();
    parts
}

/// Neighbours that are alike are one.
fn dedup(mut parts: Vec<(u32, Node)>) -> Vec<(u32, Node)> {
    parts.dedup_by_key(|&mut (start, _)| start);
    parts
}

/// Of a set of numbers those whose bit 30 is set, or those whose is not.
fn of_bit_30(set: &Table, is_set: bool) -> Table {
    let mask = [0, X32_BIT, 2 * X32_BIT, 3 * X32_BIT];
    let mask = Table::from_intervals(
        mask.map(|start| (start, if (start & X32_BIT != 0) == is_set { Node::TRUE } else { Node::FALSE })),
    );
    let mut parts = Vec::new();
    set.zip(&mask, |range, set, mask| parts.push((*range.start(), if mask == Node::TRUE { set } else { Node::FALSE })));
    Table::from_intervals(parts)
}

fn laid_over(store: &mut Store, table: &Table, set: &Table, refusal: Node) -> Table {
    let mut parts = Vec::new();
    table.zip(set, |range, node, set| parts.push((*range.start(), node, set)));
    let parts: Vec<_> = parts.into_iter().map(|(start, node, set)| (start, store.ite(set, refusal, node))).collect();
    Table::from_intervals(parts)
}

/// What it does not take.
pub fn refused(profile: &Profile, release: Release) -> Vec<Refused> {
    let mut refused = Vec::new();
    if !profile.flags.is_empty() && release < (1, 2, 0) {
        refused.push(Refused::field(Field::Flags, "any `flags`", Some("1.2.0")));
    } else {
        let known = |flag: &str| match flag {
            "SECCOMP_FILTER_FLAG_TSYNC" | "SECCOMP_FILTER_FLAG_LOG" | "SECCOMP_FILTER_FLAG_SPEC_ALLOW" => true,
            "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" => release >= (1, 5, 0),
            _ => false,
        };
        refused.extend(flags(profile, known, |flag| match flag {
            "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" => Some("1.5.0"),
            _ => None,
        }));
    }
    let actions =
        profile.syscalls.iter().map(|entry| (Some(entry), entry.action)).chain([(None, profile.default_action)]);
    let mut seen = Vec::new();
    for (entry, action) in actions {
        let since = match action.name() {
            "SCMP_ACT_KILL_PROCESS" | "SCMP_ACT_KILL_THREAD" => ((1, 1, 3), "1.1.3"),
            "SCMP_ACT_NOTIFY" => ((1, 1, 0), "1.1.0"),
            _ => continue,
        };
        if release < since.0 && !seen.contains(&action) {
            seen.push(action);
            let field =
                entry.and_then(|entry| entry.names.first()).map_or(Field::Default, |name| Field::Entry(name.clone()));
            refused.push(Refused::field(field, &format!("`{}`", action.name()), Some(since.1)));
        }
    }
    let listed = profile.architectures.iter().chain(profile.arch_map.iter().flat_map(|row| &row.sub));
    for arch in listed {
        let since = match arch {
            Arch::Riscv64 if release < (1, 1, 8) => Some("1.1.8"),
            Arch::Loongarch64 if release < (1, 4, 1) => Some("1.4.1"),
            Arch::Parisc | Arch::Parisc64 | Arch::M68k | Arch::Sh => None,
            _ => continue,
        };
        refused.push(Refused::field(Field::Arch, &format!("`{}`", arch.oci_name()), since));
    }
    refused
}
