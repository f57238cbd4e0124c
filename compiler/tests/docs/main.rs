//! What the documentation shows is so: its profiles compile, its commands are commands, its links lead somewhere.
//!
//! Blocks say by their first line what they are:
//!
//! | fence | is |
//! |---|---|
//! | `kpol` | a profile or a library without a finding |
//! | `kpol,E040` | one that gives exactly this code |
//! | `kpol,bpf` | one that is for BPF alone |
//! | `kpol,fragment` | a piece, not compiled |
//! | `kpol,…,web.kpol` | the same, and the file of that name for the consoles of its page |
//! | `sh` | commands; each that begins with `kpolc` is parsed |
//! | `console` | commands behind `$`, which are run, and what they print; `UPDATE=1` writes that |
//!
//! `formats.rs` has the other languages, and a list of all: a block that nobody looks at is a mistake.
//!
//! Included files are those of `examples/`; `web.kpol` and its like in `sh` need not exist.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod blocks;
mod consoles;
mod effects;
mod formats;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use blocks::{Block, blocks, pages, workspace};
use kpol_compiler::driver::{Format, Options, check};
use kpol_compiler::source::Disk;

/// The program, as a command.
fn kpolc() -> Command {
    Command::new(env!("CARGO_BIN_EXE_kpolc"))
}

#[test]
fn profiles_compile() {
    let folder = tempfile::tempdir().unwrap();
    let examples = workspace().join("examples");
    let options = Options { include_dirs: vec![examples], ..Options::default() };
    let (mut wrong, mut seen) = (String::new(), 0);
    for block in blocks() {
        if block.language != "kpol" {
            continue;
        }
        let marks: BTreeSet<&str> =
            block.marks.iter().map(String::as_str).filter(|mark| !mark.contains(['.', '/'])).collect();
        if marks.contains("fragment") {
            continue;
        }
        let bpf_alone = marks.contains("bpf");
        let expected: BTreeSet<&str> = marks.into_iter().filter(|&mark| mark != "bpf").collect();
        seen += 1;
        let path = folder.path().join("main.kpol");
        fs::write(&path, &block.text).unwrap();
        // Raw BPF cannot ask for capabilities, which JSON can.
        let settled = Options { caps: Some(BTreeSet::new()), ..options.clone() };
        let mut checked = check(&Disk, &path, &settled, &[Format::Bpf]);
        if !bpf_alone {
            checked.diagnostics.extend(check(&Disk, &path, &options, &[Format::Json]).diagnostics);
        }
        let found: BTreeSet<&str> = checked.diagnostics.iter().map(|found| found.code.as_str()).collect();
        if found != expected {
            let said: Vec<&str> = checked.diagnostics.iter().map(|found| found.message.as_str()).collect();
            wrong.push_str(&format!("{}: expected {expected:?}, found {found:?}: {said:?}\n", block.place));
        }
    }
    assert!(seen > 10, "only {seen} blocks: does the test still find them?");
    assert!(wrong.is_empty(), "{wrong}");
}

/// The commands of a block, continued lines joined, cut at what only a shell understands.
fn commands(block: &Block) -> Vec<Vec<String>> {
    let text = block.text.replace("\\\n", " ");
    let mut commands = Vec::new();
    for line in text.lines() {
        if block.language != "sh" {
            continue;
        }
        let words = words(line);
        for part in words.split(|word| matches!(word.as_str(), "&&" | "||" | "|" | ";" | ">" | "<")) {
            let part = if part.first().is_some_and(|word| word == "sudo") { &part[1..] } else { part };
            if part.first().is_some_and(|word| word == "kpolc" || word.ends_with("/kpolc")) {
                commands.push(part[1..].to_vec());
            }
        }
    }
    commands
}

/// Words as a shell makes them, as far as the documentation goes: quotes, and comments.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut begun) = (Vec::new(), String::new(), None, false);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.push(c),
            (None, '\'' | '"') => (quote, begun) = (Some(c), true),
            (None, '#') if !begun => break,
            (None, c) if c.is_whitespace() => {
                if begun {
                    words.push(std::mem::take(&mut word));
                    begun = false;
                }
            }
            (None, c) => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}

#[test]
fn words_are_made_as_by_a_shell() {
    assert_eq!(words("a 'b c'  --d=\"e\" # f"), ["a", "b c", "--d=e"]);
    assert_eq!(words("kpolc check . > x.sarif"), ["kpolc", "check", ".", ">", "x.sarif"]);
}

/// A command is right if the command line understands it. Run in an empty folder, it may miss its files after that, so what
/// counts is that clap, whose errors name the usage, has nothing to say.
#[test]
fn commands_parse() {
    let (mut wrong, mut seen) = (String::new(), 0);
    for block in blocks() {
        for mut arguments in commands(&block) {
            seen += 1;
            // Asked for help in the end, clap has looked at all the rest before and does nothing; behind `--` stands what is
            // another command's, and nothing of ours.
            if let Some(end) = arguments.iter().position(|word| word == "--") {
                arguments.truncate(end);
            }
            let shown = arguments.join(" ");
            arguments.push("--help".to_owned());
            let answer = kpolc().args(&arguments).output().unwrap();
            if !answer.status.success() {
                let said = String::from_utf8_lossy(&answer.stderr).into_owned();
                wrong.push_str(&format!("{}: kpolc {shown}\n{said}\n", block.place));
            }
        }
    }
    assert!(seen > 10, "only {seen} commands: does the test still find them?");
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn links_lead_somewhere() {
    let mut wrong = String::new();
    for page in pages() {
        let text = fs::read_to_string(workspace().join(&page)).unwrap();
        let mut rest = text.as_str();
        while let Some(start) = rest.find("](") {
            rest = &rest[start + 2..];
            let Some(end) = rest.find(')') else { break };
            let (target, anchor) = rest[..end].split_once('#').unwrap_or((&rest[..end], ""));
            if target.contains("://") || target.contains([' ', '\n']) {
                continue;
            }
            let path = workspace().join(page.parent().unwrap()).join(target);
            let path = if target.is_empty() { workspace().join(&page) } else { path };
            if !path.exists() {
                wrong.push_str(&format!("{}: no `{target}`\n", page.display()));
            } else if !anchor.is_empty() && path.is_file() && !anchors(&path).contains(anchor) {
                wrong.push_str(&format!("{}: `{target}` has no heading `#{anchor}`\n", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Headings as they are linked to: small letters, blanks as `-`, signs left out.
fn anchors(page: &std::path::Path) -> BTreeSet<String> {
    let text = fs::read_to_string(page).unwrap();
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let line = line.trim_start_matches('#').trim().to_lowercase();
            line.chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
        .collect()
}
