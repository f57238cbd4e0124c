//! Edits of a project, checked one after the other as an editor does, and each from scratch as well.
//!
//! ```text
//! main.kpol includes a, b and c     edit of b: a group gets another call     check with the past = check without
//! ```
//!
//! Statements are drawn from a list in which nearly all speak of the same few names, across files, so that an edit of one
//! changes what others mean, refuses them, or takes away what they rest on.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use kpol_compiler::driver::{Checked, Compiled, Format, Options, Past, check, check_again, compile};
use kpol_compiler::resolve::Resolved;
use kpol_compiler::source::{LoadError, Loader, Memory, Tree};

const STATEMENTS: &[&str] = &[
    "default deny",
    "override default kill",
    "arch x86_64, aarch64",
    "arch x86_64, x86",
    "group @a { read, @b }",
    "group @a { write, ioctl(cmd == A) }",
    "group @b { @c, ioctl(cmd == A) }",
    "group @b { read }",
    "group @c { socket(family in B) }",
    "group @c { @a }",
    "group @d { @b except { read } }",
    "group @d { @basic-io except { mount } }",
    "group @e { @d, @a }",
    "group @e { }",
    "const A = 3",
    "const A = B",
    "const A = 0xffff_ffff_ffff",
    "const B = { 1, 2..4 }",
    "const B = { A, 9 }",
    "const B = A | 8",
    "const C = B",
    "const D = { C, C }",
    "allow { @a }",
    "allow { @e, @basic-io }",
    "allow { @d, prctl(option == A) }",
    "allow { ioctl(cmd in C), ioctl(cmd in D) }",
    "allow { ioctl(cmd == 3), ioctl(cmd == A) }",
    "deny(ENOSYS) { @b }",
    "deny(A) { mount }",
    "override deny { @c }",
    "override kill { read, @a }",
    "allow { @basic-io, read }",
    "syscall frob = 4700 on x86_64",
    "syscall frob(cmd: int) = A on x86_64, aarch64",
    "allow { frob }",
    "deny { frob(cmd == A) }",
    "when arch aarch64 { allow { @b, open } }",
    "when arch x86_64 { const A = 7 }",
    "when arch aarch64 { const A = 8 }",
    "when cap CAP_SYS_ADMIN { deny { @c } }",
    "when kernel >= 5.11 { group @d { write } }",
    "assert \"it holds\" { not allow { @a } }",
    "within \"c.kpol\"",
    "include \"a.kpol\"",
    "include \"b.kpol\"",
    "include \"c.kpol\"",
    "include <guard/default>",
    "flags { log }",
    "allow { raed }",
    "allow { @nope }",
    "allow { ioctl(cmd == NOPE) }",
    "allow { lseek(offset & 0 == 0) }",
    "allow { write(count == 1 && count == 2) }",
    "allow { read(reg0 == 1) }",
    "// kpol: allow(W013, W012) it is meant",
    "group @a { read",
    "const A =",
    "allow {",
];

const FILES: [&str; 4] = ["main.kpol", "a.kpol", "b.kpol", "c.kpol"];

/// A loader that keeps trees, as an editor does: the same text is the same tree.
struct Trees {
    files: Memory,
    known: Mutex<HashMap<(PathBuf, String), Tree>>,
}

impl Loader for Trees {
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, LoadError> {
        self.files.read(path, limit)
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        self.files.canonical(path)
    }

    fn parse(&self, path: &Path, text: &str) -> Tree {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry((path.to_owned(), text.to_owned())).or_insert_with(|| self.files.parse(path, text)).clone()
    }
}

/// Takes numbers off the input; zeros when it is used up.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn below(&mut self, end: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % end.max(1)
    }
}

/// A project that changes: each byte is a choice of what is edited, where and how.
///
/// # Panics
/// Where a check with a past says something else than one without.
pub fn edits(bytes: &[u8]) {
    let mut choices = Choices(bytes.iter());
    let mut texts: [Vec<&str>; 4] = [
        vec!["include \"a.kpol\"", "include \"b.kpol\"", "include \"c.kpol\"", "default deny", "allow { @a, @e }"],
        vec!["group @a { read, @b }", "allow { prctl(option == A) }", "group @e { @c }"],
        vec!["group @b { write, ioctl(cmd in B) }", "const A = 3", "allow { @b }"],
        vec!["const B = { 1, A, 20..30 }", "group @c { socket(family == A) }"],
    ];
    let mut loader = Trees { files: Memory::default(), known: Mutex::default() };
    for (name, text) in FILES.iter().zip(&texts) {
        loader.files.insert(name, text.join("\n"));
    }
    let mut past = compare(&loader, Past::default(), &texts);
    while choices.0.len() > 0 {
        // Sometimes several files change between two checks.
        for _ in 0..=choices.below(5) / 4 {
            let file = choices.below(FILES.len());
            let text = &mut texts[file];
            let place = choices.below(text.len() + 1);
            match choices.below(4) {
                0 if place < text.len() => drop(text.remove(place)),
                1 if place < text.len() => text[place] = STATEMENTS[choices.below(STATEMENTS.len())],
                // Nothing but places changes.
                2 => text.insert(place, "// a remark"),
                _ => text.insert(place, STATEMENTS[choices.below(STATEMENTS.len())]),
            }
            loader.files.insert(FILES[file], text.join("\n"));
        }
        past = compare(&loader, past, &texts);
    }
}

fn compare(loader: &Trees, past: Past, texts: &[Vec<&str>; 4]) -> Past {
    let (main, options, formats) = (Path::new(FILES[0]), Options::default(), [Format::Json]);
    let fresh = check(loader, main, &options, &formats);
    let (mut checked, past) = check_again(past, loader, main, &options, &formats);
    let shown = || project(texts);
    assert_eq!(said(&checked), said(&fresh), "{}", shown());
    assert_eq!(checked.library, fresh.library, "{}", shown());
    assert_eq!(checked.compiled.is_some(), fresh.compiled.is_some(), "{}", shown());
    if let (Some(again), Some(fresh)) = (&mut checked.compiled, &fresh.compiled) {
        assert_eq!(described(&again.resolved), described(&fresh.resolved), "{}", shown());
        // In one store equal functions are equal nodes.
        let (_, policy) = compile(loader, main, &options, &mut again.store);
        assert!(policy.as_ref() == Some(&again.policy), "another function\n{}", shown());
    }
    checked.compiled.map(Compiled::into_past).or(past).unwrap_or_default()
}

fn project(texts: &[Vec<&str>; 4]) -> String {
    FILES.iter().zip(texts).map(|(name, text)| format!("--- {name}\n{}\n", text.join("\n"))).collect()
}

/// All findings, in an order that is theirs.
fn said(checked: &Checked) -> Vec<String> {
    let mut said: Vec<String> = checked.diagnostics.iter().map(|found| format!("{found:?}")).collect();
    said.sort();
    said
}

/// Everything of it but nodes, whose numbers are of one store.
fn described(resolved: &Resolved) -> String {
    use std::fmt::Write as _;
    let mut text = format!(
        "{:?}\n{}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n",
        resolved.archs,
        resolved.native,
        resolved.defaults,
        resolved.rules,
        resolved.flags,
        resolved.listener,
        resolved.declared,
        resolved.groups,
        resolved.consts,
        resolved.unused,
    );
    for (arch, calls) in &resolved.claims {
        for (nr, claims) in calls {
            for claim in claims {
                let via = claim.member.via;
                let _ = writeln!(text, "{arch} {nr:?} {:?} {:?} {} {via:?}", claim.rule, claim.action, claim.priority);
                let _ = writeln!(text, "  {:?}", resolved.chain(*arch, *nr, via));
            }
        }
    }
    for set in [&resolved.guarded, &resolved.settled] {
        let mut places: Vec<_> = set.iter().collect();
        places.sort();
        let _ = writeln!(text, "{places:?}");
    }
    let mut groups: Vec<_> = resolved.group_sets.iter().collect();
    groups.retain(|((id, _), _)| resolved.groups.get(id.0 as usize).is_some_and(|info| !info.builtin));
    groups.sort_by_key(|(key, _)| **key);
    for (key, set) in groups {
        let set: Vec<_> = set.iter().map(|(nr, member)| (nr, member.via)).collect();
        let _ = writeln!(text, "{key:?} {set:?}");
    }
    let mut elsewhere: Vec<String> = resolved.elsewhere.iter().map(|found| format!("{found:?}")).collect();
    elsewhere.sort();
    let _ = writeln!(text, "{elsewhere:?} {}", resolved.incomplete);
    text
}
