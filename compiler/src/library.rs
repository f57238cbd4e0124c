//! The library that ships inside `kpolc`: the built-in groups, and what is there for `include <…>`.
//!
//! ```text
//! @basic-io                  is defined in  compiler/library/groups/basic-io.kpol
//! include <base/runtime>     reads          compiler/library/base/runtime.kpol      rules to build a profile on
//! include <guard/default>    reads          compiler/library/guard/default.kpol     asserts that hold a profile to something
//! ```
//!
//! A *profile* is a file that can be built; none of these can.
//!
//! Both are ordinary `.kpol` text, compiled like a user's own file: what the library can say, a user can say, and
//! `kpolc groups @basic-io` shows what a reader finds in the folder. All of it is part of the binary, so the meaning
//! of a policy does not depend on what is installed where it is built.
//!
//! INVARIANT: the list is sorted by name and holds each file of the folder once, with the groups that it defines. It is
//! written out, so that a reader sees it and nothing is done at start-up; tests compare it with the folder.

mod effect;
pub mod starters;

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

pub use effect::{Effect, Way, effects};

/// One file of the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LibraryFile {
    /// Its name, as in `include <base/runtime>`: the path in the folder without `.kpol`.
    pub name: &'static str,
    /// The text.
    pub text: &'static str,
    /// The built-in groups that it defines, with their `@`.
    pub groups: &'static [&'static str],
}

impl LibraryFile {
    /// Whether it defines built-in groups, which are known without an include.
    pub fn is_groups(&self) -> bool {
        self.name.starts_with("groups/")
    }

    /// Whether its groups are an effect and what it is made of: conditions on calls, not topics.
    pub fn is_effect(&self) -> bool {
        self.name.starts_with("groups/effect-")
    }
}

macro_rules! library {
    ($($name:literal: $($group:literal)*;)*) => {
        &[$(LibraryFile {
            name: $name,
            text: include_str!(concat!("../library/", $name, ".kpol")),
            groups: &[$($group),*],
        }),*]
    };
}

static FILES: &[LibraryFile] = library! {
    "base/container-start":;
    "base/go-runtime":;
    "base/network-client":;
    "base/network-peer":;
    "base/network-server":;
    "base/processes":;
    "base/program-start":;
    "base/runtime":;
    "base/sockets":;
    "groups/aio": "@aio" "@io-uring";
    "groups/basic-io": "@basic-io";
    "groups/chown": "@chown";
    "groups/clock": "@clock";
    "groups/cpu-emulation": "@cpu-emulation";
    "groups/debug": "@debug" "@kernel-log";
    "groups/default": "@default" "@futex" "@identity";
    "groups/effect-accept": "@effect-accept";
    "groups/effect-become-other": "@effect-become-other";
    "groups/effect-bpf-perf": "@effect-bpf-perf";
    "groups/effect-bypass-filter": "@effect-bypass-filter";
    "groups/effect-call-out": "@effect-call-out";
    "groups/effect-connect": "@effect-connect";
    "groups/effect-create-file": "@effect-create-file";
    "groups/effect-devices": "@effect-devices";
    "groups/effect-executable-memory": "@effect-executable-memory" "@mmap-executable";
    "groups/effect-kernel-code": "@effect-kernel-code";
    "groups/effect-keyring": "@effect-keyring";
    "groups/effect-mount": "@effect-mount";
    "groups/effect-new-namespace": "@effect-new-namespace";
    "groups/effect-raw-packets": "@effect-raw-packets";
    "groups/effect-run-program": "@effect-run-program";
    "groups/effect-send-to-address": "@effect-send-to-address";
    "groups/effect-set-clock": "@effect-set-clock";
    "groups/effect-signal-others": "@effect-signal-others" "@socket-owner";
    "groups/effect-trace-others": "@effect-trace-others";
    "groups/effect-write-file": "@effect-write-file";
    "groups/file-system": "@file-system" "@inotify" "@page-cache" "@splice" "@stat" "@xattr";
    "groups/io-event": "@io-event";
    "groups/ipc": "@ipc";
    "groups/keyring": "@keyring";
    "groups/known": "@known";
    "groups/memory": "@memory" "@memlock" "@pkey";
    "groups/module": "@module";
    "groups/mount": "@mount";
    "groups/namespace": "@namespace";
    "groups/network-io": "@network-io";
    "groups/obsolete": "@obsolete";
    "groups/platform": "@platform";
    "groups/privileged": "@privileged";
    "groups/process": "@process";
    "groups/raw-io": "@raw-io";
    "groups/reboot": "@reboot" "@kexec";
    "groups/resources": "@resources" "@scheduling";
    "groups/sandbox": "@sandbox" "@landlock" "@lsm";
    "groups/setuid": "@setuid";
    "groups/signal": "@signal";
    "groups/swap": "@swap";
    "groups/sync": "@sync";
    "groups/system-info": "@system-info";
    "groups/system-service": "@system-service";
    "groups/timer": "@timer";
    "guard/default":;
    "guard/untrusted":;
};

/// Every file, sorted by name.
pub fn files() -> &'static [LibraryFile] {
    FILES
}

/// Files under the names that they had before 0.1, and those that they have now.
const OLD_NAMES: &[(&str, &str)] = &[
    ("profiles/go-runtime", "base/go-runtime"),
    ("profiles/guardrails", "guard/default"),
    ("profiles/guardrails-untrusted", "guard/untrusted"),
    ("profiles/network-client", "base/network-client"),
    ("profiles/network-peer", "base/network-peer"),
    ("profiles/network-server", "base/network-server"),
    ("profiles/processes", "base/processes"),
    ("profiles/runtime-base", "base/runtime"),
    ("profiles/sockets", "base/sockets"),
];

/// The name that a file has now, if this is its old one; with or without `.kpol` at its end.
pub fn renamed(name: &str) -> Option<&'static str> {
    let name = name.strip_suffix(".kpol").unwrap_or(name);
    OLD_NAMES.iter().find(|(old, _)| *old == name).map(|(_, new)| *new)
}

/// What is there for `include <…>`.
pub fn includable() -> impl Iterator<Item = &'static LibraryFile> {
    FILES.iter().filter(|file| !file.is_groups())
}

/// The file for `include <…>` that somebody means who writes another name: the last part decides, since the folder is what people leave out
/// or remember from before (`runtime`, `profiles/runtime`, `runtime-base`).
pub fn near(name: &str) -> Option<&'static str> {
    let name = name.strip_suffix(".kpol").unwrap_or(name);
    let last = |name: &'static str| name.rsplit('/').next().unwrap_or(name);
    let wanted = name.rsplit('/').next().unwrap_or(name);
    let exact = includable().map(|file| file.name).find(|name| last(name) == wanted);
    let old = || OLD_NAMES.iter().find(|(old, _)| last(old) == wanted).map(|(_, new)| *new);
    let spelt = || {
        let near = kpol_grammar::did_you_mean(wanted, includable().map(|file| last(file.name)))?;
        includable().map(|file| file.name).find(|name| last(name) == near)
    };
    let spelt_as_before = || {
        let near = kpol_grammar::did_you_mean(wanted, OLD_NAMES.iter().map(|(old, _)| last(old)))?;
        OLD_NAMES.iter().find(|(old, _)| last(old) == near).map(|(_, new)| *new)
    };
    exact.or_else(old).or_else(spelt).or_else(spelt_as_before)
}

/// The file of that name, with or without `.kpol` at its end; the old names are no names here.
pub fn get(name: &str) -> Option<&'static LibraryFile> {
    let name = name.strip_suffix(".kpol").unwrap_or(name);
    FILES.binary_search_by(|file| file.name.cmp(name)).ok().map(|index| &FILES[index])
}

/// The file for `include <…>` that defines a constant.
pub fn defines(constant: &str) -> Option<&'static str> {
    let define = format!("const {constant} =");
    includable().find(|file| file.text.lines().any(|line| line.starts_with(&define))).map(|file| file.name)
}

/// The file that defines a built-in group; `name` has its `@`.
pub fn group_file(name: &str) -> Option<&'static LibraryFile> {
    group(name).map(|(_, file)| file)
}

/// A built-in group's name and file. Every name in a policy is asked for here.
pub(crate) fn group(name: &str) -> Option<(&'static str, &'static LibraryFile)> {
    static BY_NAME: LazyLock<FxHashMap<&'static str, &'static LibraryFile>> =
        LazyLock::new(|| FILES.iter().flat_map(|file| file.groups.iter().map(move |&name| (name, file))).collect());
    BY_NAME.get_key_value(name).map(|(&name, &file)| (name, file))
}

/// Names of all built-in groups with their `@`, in the order of the files.
pub fn group_names() -> impl Iterator<Item = &'static str> {
    FILES.iter().flat_map(|file| file.groups).copied()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Names of all `.kpol` files below the folder of the library.
    fn folder() -> Vec<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("library");
        let mut names = Vec::new();
        for kind in fs::read_dir(&root).unwrap() {
            let kind = kind.unwrap().path();
            for file in fs::read_dir(&kind).unwrap() {
                let path = file.unwrap().path();
                assert_eq!(path.extension().and_then(|end| end.to_str()), Some("kpol"), "{}", path.display());
                names.push(path.strip_prefix(&root).unwrap().with_extension("").to_str().unwrap().to_owned());
            }
        }
        names.sort();
        names
    }

    /// Groups of the library with their members, read naively: comments cut, `group @name { a, b, }`.
    fn groups() -> BTreeMap<&'static str, Vec<&'static str>> {
        let mut groups = BTreeMap::new();
        for file in files().iter().filter(|file| file.is_groups() && !file.is_effect()) {
            let code: Vec<_> = file.text.lines().filter(|line| !line.starts_with("//")).collect();
            let mut name = None;
            for line in code {
                if let Some(rest) = line.strip_prefix("group ") {
                    name = Some(rest.strip_suffix(" {").expect(line));
                    assert!(groups.insert(name.unwrap(), Vec::new()).is_none(), "{line}: defined twice");
                } else if line == "}" {
                    name = None;
                } else if !line.is_empty() {
                    let members = line.split(',').map(str::trim).filter(|member| !member.is_empty());
                    groups.get_mut(name.expect(line)).unwrap().extend(members);
                }
            }
        }
        groups
    }

    /// Calls that are in `group`, through the groups that it uses.
    fn calls(groups: &BTreeMap<&'static str, Vec<&'static str>>, group: &str, depth: usize) -> BTreeSet<&'static str> {
        assert!(depth < 8, "{group} uses itself");
        let mut all = BTreeSet::new();
        for &member in groups.get(group).unwrap_or_else(|| panic!("no group {group}")) {
            if member.starts_with('@') {
                all.extend(calls(groups, member, depth + 1));
            } else {
                all.insert(member);
            }
        }
        all
    }

    #[test]
    fn the_library_is_in_the_style_that_kpolc_fmt_makes() {
        for file in files() {
            assert_eq!(kpol_grammar::format(file.text).as_deref(), Some(file.text), "{}: run `kpolc fmt`", file.name);
        }
    }

    #[test]
    fn the_list_is_the_folder() {
        let listed: Vec<_> = files().iter().map(|file| file.name).collect();
        assert_eq!(listed, folder(), "left: the list in library.rs, right: the files in compiler/library");
    }

    #[test]
    fn the_groups_of_a_file_are_those_that_it_defines() {
        for file in files() {
            // A group of several parts under `when` counts once.
            let mut defined: Vec<&str> = file
                .text
                .lines()
                .filter_map(|line| line.trim_start().strip_prefix("group ")?.split(' ').next())
                .filter(|_| file.is_groups())
                .collect();
            defined.dedup();
            assert_eq!(defined, file.groups, "{}: mend the list in library.rs", file.name);
        }
        assert_eq!(group_file("@swap").map(|file| file.name), Some("groups/swap"));
        assert_eq!(group_file("@swa"), None);
    }

    #[test]
    fn files_are_found_by_the_name_of_an_include() {
        for file in files() {
            assert_eq!(get(file.name), Some(file));
        }
        assert_eq!(get("groups/default.kpol"), get("groups/default"));
        assert_eq!(get("base/"), None);
        assert_eq!(get(""), None);
    }

    #[test]
    fn old_names_lead_to_files_and_no_near_name_is_far() {
        for (old, new) in OLD_NAMES {
            assert_eq!(renamed(old), Some(*new));
            assert!(get(new).is_some() && get(old).is_none(), "{old}");
        }
        for (word, meant) in [
            ("runtime", Some("base/runtime")),
            ("profiles/runtime", Some("base/runtime")),
            ("runtime-base", Some("base/runtime")),
            ("base/runtim", Some("base/runtime")),
            ("gaurdrails", Some("guard/default")),
            ("base/network-sever.kpol", Some("base/network-server")),
            ("netwrk", None),
            ("groups/nothing-like-it", None),
        ] {
            assert_eq!(near(word), meant, "{word}");
        }
    }

    #[test]
    fn every_file_says_what_it_is_for() {
        for file in files() {
            assert!(file.text.starts_with("//! "), "{} does not begin with a `//!` line", file.name);
            assert!(file.text.ends_with("}\n") || file.text.ends_with(">\n"), "{} ends oddly", file.name);
        }
    }

    #[test]
    fn every_file_parses() {
        for file in files() {
            let (_, errors) = kpol_grammar::parse::parse(file.text);
            assert!(errors.is_empty(), "{}: {errors:?}", file.name);
        }
    }

    #[test]
    fn every_group_has_a_line_of_documentation() {
        for file in files().iter().filter(|file| file.is_groups()) {
            let lines: Vec<_> = file.text.lines().map(str::trim_start).collect();
            for (index, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("group ")) {
                assert!(lines[index - 1].starts_with("/// "), "{}: no `///` above `{line}`", file.name);
            }
        }
    }

    #[test]
    fn members_are_sorted_groups_first_and_stand_there_once() {
        let groups = groups();
        for (group, members) in &groups {
            let key = |member: &&str| (!member.starts_with('@'), (*member).to_owned());
            assert!(members.is_sorted_by_key(key), "{group} is not sorted");
            let direct: BTreeSet<_> = members.iter().copied().collect();
            assert_eq!(direct.len(), members.len(), "{group} names a member twice");
            for member in members.iter().filter(|member| member.starts_with('@')) {
                for call in calls(&groups, member, 0) {
                    assert!(!direct.contains(call), "{group} has {call} both directly and through {member}");
                }
            }
        }
    }

    #[test]
    fn known_is_the_union_of_all_groups() {
        let groups = groups();
        let known = calls(&groups, "@known", 0);
        for group in groups.keys() {
            for call in calls(&groups, group, 0) {
                assert!(known.contains(call), "{call} is in {group} but not in @known");
            }
        }
    }

    #[test]
    fn the_calls_of_the_groups_are_the_calls_of_the_tables() {
        let known = calls(&groups(), "@known", 0);
        for call in crate::tables::Syscall::all() {
            assert!(known.contains(call.name()), "{} is in no group", call.name());
        }
        for call in known {
            assert!(crate::tables::syscall(call).is_some(), "no architecture has `{call}`");
        }
    }

    #[test]
    fn groups_that_stand_for_danger_do_not_leak_into_system_service() {
        let groups = groups();
        let service = calls(&groups, "@system-service", 0);
        for group in ["@clock", "@debug", "@kernel-log", "@module", "@mount", "@raw-io", "@reboot", "@swap"] {
            for call in calls(&groups, group, 0) {
                assert!(!service.contains(call), "{call} of {group} is in @system-service");
            }
        }
        for call in ["bpf", "open_by_handle_at", "fanotify_init", "vhangup", "acct", "sethostname"] {
            assert!(!service.contains(call), "{call} is in @system-service");
        }
    }
}
