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
//! | `sh`, `console` | commands; each that begins with `kpolc` is parsed, and in `console` has its `$` in front |
//!
//! Included files are those of `examples/`; `web.kpol` and its like in a command need not exist.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use kpol_compiler::driver::{Format, Options, check};
use kpol_compiler::source::Disk;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The pages, as paths from the workspace.
fn pages() -> Vec<PathBuf> {
    let root = workspace();
    let mut pages = Vec::new();
    for folder in ["", "docs", "tests"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path.strip_prefix(&root).unwrap().to_owned());
            }
        }
    }
    pages.sort();
    assert!(pages.contains(&PathBuf::from("README.md")) && pages.contains(&PathBuf::from("docs/language.md")));
    pages
}

struct Block {
    /// `docs/cli.md:40`
    place: String,
    /// What stands behind the backquotes.
    kind: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(workspace().join(&page)).unwrap();
        let mut open: Option<Block> = None;
        for (index, line) in text.lines().enumerate() {
            match (&mut open, line.strip_prefix("```")) {
                (None, Some(kind)) => {
                    let place = format!("{}:{}", page.display(), index + 1);
                    open = Some(Block { place, kind: kind.to_owned(), text: String::new() });
                }
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (Some(block), None) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a block is not closed", page.display());
    }
    blocks
}

#[test]
fn profiles_compile() {
    let folder = tempfile::tempdir().unwrap();
    let examples = workspace().join("examples");
    let options = Options { include_dirs: vec![examples], ..Options::default() };
    let (mut wrong, mut seen) = (String::new(), 0);
    for block in blocks() {
        let (expected, formats) = match block.kind.split_once(',') {
            None if block.kind == "kpol" => (BTreeSet::new(), &[Format::Json, Format::Bpf][..]),
            Some(("kpol", "fragment")) => continue,
            Some(("kpol", "bpf")) => (BTreeSet::new(), &[Format::Bpf][..]),
            Some(("kpol", code)) => (BTreeSet::from([code]), &[Format::Json][..]),
            _ => continue,
        };
        seen += 1;
        let path = folder.path().join("main.kpol");
        fs::write(&path, &block.text).unwrap();
        let checked = check(&Disk, &path, &options, formats);
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
        let line = match block.kind.as_str() {
            "sh" => line,
            "console" => match line.strip_prefix("$ ") {
                Some(line) => line,
                None => continue,
            },
            _ => continue,
        };
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
            let answer = Command::new(env!("CARGO_BIN_EXE_kpolc")).args(&arguments).output().unwrap();
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
fn anchors(page: &Path) -> BTreeSet<String> {
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
