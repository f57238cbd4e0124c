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

/// An old call and the one that new ABIs have instead.
const SUCCESSORS: &[(&str, &str)] = &[
    ("access", "faccessat"),
    ("chmod", "fchmodat"),
    ("chown", "fchownat"),
    ("creat", "openat"),
    ("dup2", "dup3"),
    ("epoll_create", "epoll_create1"),
    ("epoll_wait", "epoll_pwait"),
    ("eventfd", "eventfd2"),
    ("fork", "clone"),
    ("futimesat", "utimensat"),
    ("getdents", "getdents64"),
    ("getpgrp", "getpgid"),
    ("inotify_init", "inotify_init1"),
    ("lchown", "fchownat"),
    ("link", "linkat"),
    ("lstat", "newfstatat"),
    ("mkdir", "mkdirat"),
    ("mknod", "mknodat"),
    ("open", "openat"),
    ("pipe", "pipe2"),
    ("poll", "ppoll"),
    ("readlink", "readlinkat"),
    ("recv", "recvfrom"),
    ("rename", "renameat2"),
    ("rmdir", "unlinkat"),
    ("select", "pselect6"),
    ("send", "sendto"),
    ("signalfd", "signalfd4"),
    ("stat", "newfstatat"),
    ("symlink", "symlinkat"),
    ("unlink", "unlinkat"),
    ("utime", "utimensat"),
    ("utimes", "utimensat"),
    ("vfork", "clone"),
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
        .filter_map(|&(old, new)| if old == name { Some(new) } else { (new == name).then_some(old) })
        .chain(FAMILIES.iter().filter(|family| family.contains(&name)).flat_map(|family| family.iter().copied()))
        .filter(|other| *other != name)
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

pub(super) fn lint(context: &mut Context<'_>, policy: &Policy) {
    missing_successor(context, policy);
    open_sibling(context, policy);
}

fn missing_successor(context: &mut Context<'_>, policy: &Policy) {
    let mut found: BTreeMap<Span, (&str, &str, Vec<Arch>)> = BTreeMap::new();
    for (on, nr, claim) in context.direct_claims(SUCCESSORS.iter().map(|pair| pair.0)) {
        let Some(call) = tables::syscall_at(on, nr) else { continue };
        let Ok(index) = SUCCESSORS.binary_search_by_key(&call.name(), |pair| pair.0) else { continue };
        let (old, new) = SUCCESSORS[index];
        if claim.member.set != Node::TRUE {
            continue;
        }
        for &arch in policy.archs.iter().filter(|arch| call.nr(**arch).is_none()) {
            let Some((_, node)) = context.function(policy, new, arch) else { continue };
            // What the rule says is what happens anyway.
            let same = node.as_action() == Some(claim.action) || claim.action == policy.default;
            let guarded = context.resolved.guarded.contains(&claim.member.via.pattern);
            if !same && !guarded {
                let entry = found.entry(claim.member.via.pattern).or_insert((old, new, Vec::new()));
                if !entry.2.contains(&arch) {
                    entry.2.push(arch);
                }
            }
        }
    }
    for (span, (old, new, archs)) in found {
        let on = archs.iter().map(|arch| arch.name()).collect::<Vec<_>>().join(", ");
        context.push(
            Diagnostic::new(Code::W010, span, format!("`{old}` does not exist on {on}; programs use `{new}` there"))
                .help(format!("add `{new}`, which exists everywhere")),
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
        assert!(SUCCESSORS.is_sorted());
        for name in
            SUCCESSORS.iter().flat_map(|pair| [pair.0, pair.1]).chain(FAMILIES.iter().copied().flatten().copied())
        {
            assert!(tables::syscall(name).is_some(), "{name}");
        }
    }
}
