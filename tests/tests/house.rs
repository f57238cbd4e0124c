//! Keeps the house: who may know whom, how long a file may be, that every code has its page and its case. A failure
//! says what mends it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use kpol_compiler::diagnostic::Code;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every file below a folder of the workspace whose name ends so, with its path from there.
fn files(folder: &str, end: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, end: &str, all: &mut Vec<PathBuf>) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !matches!(name.as_str(), "target" | ".git" | "node_modules" | "corpus" | "artifacts") {
                    walk(&path, end, all);
                }
            } else if name.ends_with(end) {
                all.push(path);
            }
        }
    }
    let root = workspace();
    let mut paths = Vec::new();
    walk(&root.join(folder), end, &mut paths);
    paths.sort();
    paths
        .into_iter()
        .filter_map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
            Some((name, fs::read_to_string(&path).ok()?))
        })
        .collect()
}

/// The code of a file without comments and without its tests.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The rooms that a file names by `crate::…`: all of `use crate::{a, b::{c, d}}` too, however it is broken into lines.
fn rooms(code: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for (at, found) in code.match_indices("crate::") {
        let part_of_a_name = code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$');
        let rest = &code[at + found.len()..];
        if part_of_a_name {
            continue;
        }
        let Some(list) = rest.strip_prefix('{') else {
            rooms.extend(first_word(rest));
            continue;
        };
        // The first words between the commas of the outer braces.
        let (mut depth, mut begins) = (0, true);
        for (at, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                _ if begins && !c.is_whitespace() => {
                    rooms.extend(first_word(&list[at..]));
                    begins = false;
                }
                _ => {}
            }
        }
    }
    rooms
}

fn first_word(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}

#[test]
fn every_name_of_a_use_is_seen() {
    let code =
        "use crate::{oci, bpf::{self, run},\n    driver::Options};\nfn f() { crate::lint::x(); mycrate::policy() }";
    let wanted = ["bpf", "driver", "lint", "oci"].map(str::to_owned);
    assert_eq!(rooms(code), BTreeSet::from(wanted));
}

#[test]
fn rooms_know_only_those_to_their_left() {
    // What each room must not name. `driver` is the only one that knows all.
    let forbidden: &[(&str, &[&str])] = &[
        ("spec", &["diagram", "resolve", "policy", "oci", "bpf", "lint", "driver", "source", "diagnostic"]),
        ("tables", &["diagram", "resolve", "policy", "oci", "bpf", "lint", "driver", "source", "diagnostic"]),
        ("diagram", &["resolve", "policy", "oci", "bpf", "lint", "driver", "source", "tables", "diagnostic"]),
        ("policy", &["oci", "bpf", "lint", "driver"]),
        ("resolve", &["oci", "bpf", "lint"]),
        // `oci::trial` reads the program that libseccomp makes; `bpf` itself knows nothing of JSON.
        ("oci", &["emit", "answer", "lint", "driver", "resolve", "source"]),
        ("bpf", &["oci", "emit", "answer", "lint", "driver", "resolve", "source"]),
        ("lint", &["oci", "bpf"]),
        ("emit", &["oci", "lint", "driver"]),
    ];
    let mut wrong = String::new();
    for (room, others) in forbidden {
        let own = files(&format!("compiler/src/{room}"), ".rs");
        assert!(!own.is_empty(), "no room `{room}`");
        for (name, text) in own.iter().filter(|(name, _)| !name.contains("tests")) {
            let named = rooms(&code(text));
            for other in others.iter().filter(|other| named.contains(**other)) {
                wrong.push_str(&format!("{name} names `{other}`, which `{room}` must not know\n"));
            }
        }
    }
    for (name, text) in files("grammar/src", ".rs") {
        if code(&text).contains("kpol_compiler") {
            wrong.push_str(&format!("{name} names the compiler: the grammar knows text only\n"));
        }
    }
    // Answers are plain values: who speaks the protocol is `wire` and `server`, and nobody below them.
    for (name, text) in files("lsp/src/answer", ".rs").into_iter().chain(files("lsp/src", "world.rs")) {
        if code(&text).contains("ls_types") || code(&text).contains("crate::wire") {
            wrong.push_str(&format!("{name} names the protocol: answers are plain values over byte offsets\n"));
        }
    }
    for (name, text) in files("compiler/src", ".rs") {
        if code(&text).contains("kpol_lsp") {
            wrong.push_str(&format!("{name} names the language server, which is built on it\n"));
        }
    }
    // The oracle is said naively, to check the compiler against: if the compiler used it, it would check itself. Questions for
    // solvers are such a check, and are made by it for that reason.
    for (name, text) in files("compiler/src", ".rs") {
        let own = name.starts_with("compiler/src/spec/") || name.contains("tests");
        let own = own || name.starts_with("compiler/src/emit/smt2/");
        if !own && code(&text).contains("spec::rule") {
            wrong.push_str(&format!("{name} uses spec::rule, the oracle of the tests\n"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{wrong}move what both need to the left (style: source, grammar, resolve, policy, diagram, oci | bpf)"
    );
}

#[test]
fn no_file_needs_a_second_idea_to_be_explained() {
    const MOST: usize = 700;
    let long: Vec<String> = ["grammar", "compiler", "tests", "xtask", "lsp"]
        .iter()
        .flat_map(|folder| files(folder, ".rs"))
        .filter(|(_, text)| !text.lines().take(5).any(|line| line.contains("cargo xtask tables")))
        .map(|(name, text)| (name, text.lines().count()))
        .filter(|&(_, lines)| lines > MOST)
        .map(|(name, lines)| format!("{name} has {lines} lines\n"))
        .collect();
    assert!(long.is_empty(), "{}the limit is {MOST}: split it where a new idea begins", long.concat());
}

/// Codes that a case cannot show, and where they are shown instead.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    ("E003", "compiler/tests/bad_input.rs", "nests deeper than a case should"),
    ("E004", "compiler/tests/bad_input.rs", "a case is text"),
    ("E008", "tests/tests/fuzz.rs", "its policy is made by a loop"),
    ("E011", "compiler/tests/bad_input.rs", "too large for a case"),
    ("E014", "compiler/tests/bad_input.rs", "a thousand files"),
    ("E027", "compiler/tests/bad_input.rs", "ten thousand groups"),
    ("E050", "compiler/tests/bad_input.rs", "its policy is made by a loop"),
    ("E056", "compiler/tests/pages.rs", "its page shows it"),
    ("E062", "compiler/tests/cli_rim.rs", "a case has no command line"),
    ("E070", "compiler/tests/bad_input.rs", "cases are not written to a disk"),
    ("E071", "compiler/tests/cli_rim/small_things.rs", "it is about a file on the disk"),
    ("E072", "compiler/tests/cli_rim/small_things.rs", "it is about a file on the disk"),
    ("E099", "compiler/src/driver/output.rs", "our own mistakes have no example"),
];

#[test]
fn every_code_has_a_page_and_a_case() {
    let root = workspace();
    let cases: String = files("tests/cases", ".case")
        .into_iter()
        .flat_map(|(_, text)| text.split_once("\n//= ").map(|(_, drawn)| drawn.to_owned()))
        .collect();
    let mut wrong = String::new();
    for code in Code::ALL.iter().map(|code| code.as_str()) {
        if !root.join(format!("docs/codes/{code}.md")).exists() {
            wrong.push_str(&format!("{code} has no page: write docs/codes/{code}.md\n"));
        }
        let shown = cases.contains(&format!("{code} "));
        match ELSEWHERE.iter().find(|(elsewhere, ..)| *elsewhere == code) {
            Some(_) if shown => wrong.push_str(&format!("{code} has a case now: take it out of ELSEWHERE\n")),
            Some((_, file, _)) => assert!(root.join(file).exists(), "{file}"),
            None if !shown => {
                wrong.push_str(&format!("{code} has no case: write a file below tests/cases that gives it\n"))
            }
            None => {}
        }
    }
    let pages: BTreeSet<String> = files("docs/codes", ".md").into_iter().map(|(name, _)| name).collect();
    assert_eq!(pages.len(), Code::ALL.len(), "a page without a code");
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn generated_tables_are_as_they_are_made() {
    let output = Command::new(env!("CARGO"))
        .current_dir(workspace())
        .args(["run", "-q", "-p", "xtask", "--locked", "--", "tables", "--check"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n`cargo xtask tables` makes them anew");
}

#[test]
fn headers_teach_and_nothing_speaks_of_one_machine() {
    let mut wrong = String::new();
    for folder in ["grammar/src", "compiler/src", "lsp/src", "tests/src", "xtask/src"] {
        for (name, text) in files(folder, ".rs") {
            if !text.starts_with("//!") && !text.starts_with("#!") {
                wrong.push_str(&format!("{name} does not begin by saying what it is for: `//! …`\n"));
            }
        }
    }
    // Written in two parts, so that this file is not one of those it finds.
    let paths = [concat!("/wo", "rk/"), concat!("/tmp/", "kpol"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
    for end in [".rs", ".md", ".kpol", ".pest", ".case", ".toml", ".sh", ".c"] {
        for (name, text) in files(".", end) {
            for path in paths.iter().filter(|path| text.contains(*path)) {
                wrong.push_str(&format!("{name} speaks of `{path}`, which is a path of one machine\n"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_oracle_shares_no_code_with_the_compiler() {
    for (name, text) in files("tests/src/oracle", ".rs") {
        let code = code(&text);
        for crate_name in ["kpol_compiler", "kpol_grammar"] {
            assert!(!code.contains(crate_name), "{name} names `{crate_name}`: the oracle must share nothing with it");
        }
        // Rigs of the same crate that are made of the compiler's types.
        for room in rooms(&code) {
            assert!(matches!(room.as_str(), "oracle" | "skip"), "{name} names `{room}`, which knows the compiler");
        }
    }
}
