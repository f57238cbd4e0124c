//! The groups of the library, held against the sets of the systemd that is installed: the manual says in what they differ
//! (`docs/coming-from-others.md`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use kpol_compiler::driver;
use kpol_compiler::library;
use kpol_compiler::source::Memory;
use kpol_compiler::spec::Arch;
use kpol_compiler::tables::Syscall;
use kpol_tests::skip::{or_skip, program};

/// Calls of newer sets that are in another group here, as the manual says.
const ELSEWHERE: [(&str, &str); 7] = [
    ("landlock_add_rule", "@sandbox"),
    ("landlock_create_ruleset", "@sandbox"),
    ("landlock_restrict_self", "@sandbox"),
    ("seccomp", "@sandbox"),
    ("lsm_get_self_attr", "@lsm"),
    ("lsm_list_modules", "@lsm"),
    ("open_tree", "@mount"),
];

/// `@name`, each with the lines below it: calls and further sets, with comments between.
fn sets(text: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut sets: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut current = None;
    for line in text.lines() {
        match line.strip_prefix("    ").map(str::trim) {
            Some(member) if !member.starts_with('#') => {
                if let Some(name) = current {
                    sets.entry(name).or_default().push(member);
                }
            }
            Some(_) => {}
            None => current = line.starts_with('@').then(|| line.trim()),
        }
    }
    sets
}

fn calls<'a>(sets: &BTreeMap<&str, Vec<&'a str>>, name: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    for member in sets.get(name).into_iter().flatten() {
        if member.starts_with('@') {
            found.extend(calls(sets, member));
        } else {
            found.insert(*member);
        }
    }
    found
}

/// What a group of ours lets through, on any architecture.
fn ours(group: &str) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    for arch in Arch::all() {
        let text = format!("arch {arch}\ndefault kill\nallow {{ {group} }}\n");
        let loader = Memory::from([("/p/it.kpol", text)]);
        let mut store = kpol_compiler::diagram::Store::default();
        let (_, policy) = driver::compile(&loader, Path::new("/p/it.kpol"), &driver::Options::default(), &mut store);
        let policy = policy.unwrap();
        let table = &policy.function.tables[&arch];
        let kill = kpol_compiler::diagram::Node::action(kpol_compiler::spec::Action::KillProcess);
        found.extend(
            Syscall::all_of(arch)
                .filter(|call| call.nr(arch).is_some_and(|nr| table.at(nr) != kill))
                .map(Syscall::name),
        );
    }
    found
}

#[test]
fn each_set_of_systemd_is_a_group_with_its_calls() {
    let Some(analyze) = or_skip(program("systemd-analyze")) else { return };
    let output = Command::new(analyze).args(["--no-pager", "syscall-filter"]).env("NO_COLOR", "1").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let sets = sets(&text);
    assert!(sets.len() > 20, "{text}");
    let groups: Vec<&str> = library::group_names().collect();
    let known: BTreeSet<&str> = Arch::all().flat_map(Syscall::all_of).map(Syscall::name).collect();
    let mut wrong = String::new();
    for &name in sets.keys() {
        if !groups.contains(&name) {
            wrong.push_str(&format!("no group {name}\n"));
            continue;
        }
        let here = ours(name);
        // Names that no ABI of the tables has are another architecture's.
        for call in calls(&sets, name).intersection(&known).filter(|call| !here.contains(*call)) {
            if !ELSEWHERE.iter().any(|(moved, _)| moved == call) {
                wrong.push_str(&format!("{name} has no {call}\n"));
            }
        }
    }
    for (call, group) in ELSEWHERE {
        if !ours(group).contains(call) {
            wrong.push_str(&format!("{group} has no {call}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}Is it in `docs/coming-from-others.md`?");
}
