//! W010, W011: calls that do the same, of which a policy knows one only.
//!
//! ```text
//! allow { open }          on aarch64 there is no `open`, only `openat`: the rule is empty there       W010
//! deny  { openat }        with `openat2` allowed, the door is open beside the wall                    W011
//! ```
//!
//! Which call took over from which: the manual pages' "NOTES" and the tables of `arch/*/` that leave the old ones out.

use std::collections::BTreeMap;

use super::{Context, may_run};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::diagram::Node;
use crate::policy::Policy;
use crate::spec::Arch;
use crate::tables;

/// An old call, and what C libraries call in its place where an ABI does not have it: the first of these that the ABI has.
/// `tests/tests/libc.rs` reads them out of glibc's and musl's objects.
const SUCCESSORS: &[(&str, &[&str])] = &[
    ("access", &["faccessat"]),
    ("alarm", &["setitimer"]),
    ("chmod", &["fchmodat"]),
    ("chown", &["fchownat"]),
    ("creat", &["openat"]),
    ("dup2", &["dup3"]),
    ("epoll_create", &["epoll_create1"]),
    ("epoll_wait", &["epoll_pwait"]),
    ("eventfd", &["eventfd2"]),
    ("fork", &["clone"]),
    ("futimesat", &["utimensat"]),
    ("getdents", &["getdents64"]),
    ("getpgrp", &["getpgid"]),
    ("inotify_init", &["inotify_init1"]),
    ("lchown", &["fchownat"]),
    ("link", &["linkat"]),
    ("lstat", &["newfstatat"]),
    ("mkdir", &["mkdirat"]),
    ("mknod", &["mknodat"]),
    ("open", &["openat"]),
    ("pause", &["ppoll"]),
    ("pipe", &["pipe2"]),
    ("poll", &["ppoll"]),
    ("readlink", &["readlinkat"]),
    ("recv", &["recvfrom"]),
    ("rename", &["renameat", "renameat2"]),
    ("rmdir", &["unlinkat"]),
    ("select", &["pselect6"]),
    ("send", &["sendto"]),
    ("signalfd", &["signalfd4"]),
    ("stat", &["newfstatat"]),
    ("symlink", &["symlinkat"]),
    ("unlink", &["unlinkat"]),
    ("utime", &["utimensat"]),
    ("utimes", &["utimensat"]),
    ("vfork", &["clone"]),
];

/// Calls that can do each other's work.
const FAMILIES: &[&[&str]] = &[
    &["accept", "accept4"],
    &["chmod", "fchmodat", "fchmodat2"],
    &["chown", "lchown", "fchownat"],
    &["clock_settime", "settimeofday"],
    &["execve", "execveat"],
    &["init_module", "finit_module"],
    &["kexec_load", "kexec_file_load"],
    &["link", "linkat"],
    &["mkdir", "mkdirat"],
    &["mknod", "mknodat"],
    &["open", "openat", "openat2"],
    &["rename", "renameat", "renameat2"],
    &["rmdir", "unlinkat"],
    &["symlink", "symlinkat"],
    &["unlink", "unlinkat"],
];

/// Calls that do the work of `name` on other ABIs, or can do it in its place.
pub fn siblings(name: &str) -> Vec<&'static str> {
    let mut all: Vec<&'static str> = SUCCESSORS
        .iter()
        .flat_map(|&(old, new)| {
            let of_old = new.iter().copied().filter(move |_| old == name);
            of_old.chain(new.contains(&name).then_some(old))
        })
        .chain(FAMILIES.iter().filter(|family| family.contains(&name)).flat_map(|family| family.iter().copied()))
        .filter(|other| *other != name)
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The calls that ABIs were made without, in order.
pub fn old_calls() -> impl Iterator<Item = &'static str> {
    SUCCESSORS.iter().map(|(old, _)| *old)
}

/// What C libraries call in place of `old` on an ABI that does not have it.
pub fn successor(old: &str, arch: Arch) -> Option<&'static str> {
    let index = SUCCESSORS.binary_search_by_key(&old, |(old, _)| *old).ok()?;
    let exists = |name: &&&str| tables::syscall(name).is_some_and(|call| call.nr(arch).is_some());
    SUCCESSORS[index].1.iter().find(exists).copied()
}

pub(super) fn lint(context: &mut Context<'_>, policy: &Policy) {
    missing_successor(context, policy);
    open_sibling(context, policy);
}

fn missing_successor(context: &mut Context<'_>, policy: &Policy) {
    // By pattern: the old call, and for each new one the ABIs on which it is called.
    let mut found: BTreeMap<Span, (&str, BTreeMap<&str, Vec<Arch>>)> = BTreeMap::new();
    for (on, nr, claim) in context.direct_claims(old_calls()) {
        let Some(call) = tables::syscall_at(on, nr) else { continue };
        if claim.member.set != Node::TRUE {
            continue;
        }
        for &arch in policy.archs.iter().filter(|arch| call.nr(**arch).is_none()) {
            let Some(new) = successor(call.name(), arch) else { continue };
            let Some((_, node)) = context.function(policy, new, arch) else { continue };
            // What the rule says is what happens anyway.
            let same = node.as_action() == Some(claim.action) || claim.action == policy.default;
            let guarded = context.resolved.guarded.contains(&claim.member.via.pattern);
            // Whoever has a rule on some of its calls knows it, and would lose the condition.
            let named = || context.direct_claims(std::iter::once(new)).iter().any(|(on, ..)| *on == arch);
            if !same && !guarded && !named() {
                let (_, all) = found.entry(claim.member.via.pattern).or_insert((call.name(), BTreeMap::new()));
                let archs = all.entry(new).or_default();
                if !archs.contains(&arch) {
                    archs.push(arch);
                }
            }
        }
    }
    for (span, (old, all)) in found {
        let names = |archs: &[Arch]| archs.iter().map(|arch| arch.name()).collect::<Vec<_>>().join(", ");
        let on: Vec<Arch> = all.values().flatten().copied().collect();
        let there = match &all.keys().collect::<Vec<_>>()[..] {
            [new] => format!("`{new}` there"),
            _ => all.iter().map(|(new, archs)| format!("`{new}` on {}", names(archs))).collect::<Vec<_>>().join(", "),
        };
        let add = all.keys().map(|new| format!("`{new}`")).collect::<Vec<_>>().join(" and ");
        context.push(
            Diagnostic::new(
                Code::W010,
                span,
                format!("`{old}` does not exist on {}; programs use {there}", names(&on)),
            )
            .help(format!("add {add}")),
        );
    }
}

fn open_sibling(context: &mut Context<'_>, policy: &Policy) {
    for (arch, nr, claim) in context.direct_claims(FAMILIES.iter().copied().flatten().copied()) {
        let Some(call) = tables::syscall_at(arch, nr) else { continue };
        let Some(family) = FAMILIES.iter().find(|family| family.contains(&call.name())) else { continue };
        if may_run(claim.action) || claim.member.set != Node::TRUE {
            continue;
        }
        // Somebody may have opened it again on top of this.
        if policy.function.at(arch, nr).as_action() != Some(claim.action) {
            continue;
        }
        let open: Vec<String> = family
            .iter()
            .filter(|sibling| **sibling != call.name())
            .filter(|sibling| {
                context.function(policy, sibling, arch).is_some_and(|(_, node)| node.as_action().is_some_and(may_run))
            })
            .map(|sibling| format!("`{sibling}`"))
            .collect();
        if open.is_empty() {
            continue;
        }
        let (list, verb) = (open.join(", "), if open.len() == 1 { "does" } else { "do" });
        context.push(
            Diagnostic::new(Code::W011, claim.member.via.pattern, format!("{list} {verb} the same and can be called"))
                .label(format!("`{}` gets `{}`", call.name(), claim.action))
                .help(format!("add {list} to this rule, or say why not in a silencing comment")),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_and_every_name_is_a_syscall() {
        assert!(SUCCESSORS.is_sorted_by_key(|(old, _)| *old));
        for name in SUCCESSORS
            .iter()
            .flat_map(|(old, new)| new.iter().copied().chain([*old]))
            .chain(FAMILIES.iter().copied().flatten().copied())
        {
            assert!(tables::syscall(name).is_some(), "{name}");
        }
    }
}
