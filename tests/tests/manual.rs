//! The manual as a book, and those of its blocks that are read by programs of others. What `kpolc` itself reads is tried beside
//! it, in `compiler/tests/docs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "../../compiler/tests/docs/blocks.rs"]
mod blocks;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use blocks::{Block, blocks, pages, workspace};
use kpol_tests::binaries::binary;
use kpol_tests::skip::{or_skip, program};
use kpol_tests::tools::python;

const POLICY: &str = "default deny(EPERM)\ninclude <base/runtime>\n";

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

fn of(language: &str) -> Vec<Block> {
    let own: Vec<Block> = blocks().into_iter().filter(|block| block.language == language).collect();
    assert!(!own.is_empty(), "no blocks of {language}: does the test still find them?");
    own
}

#[test]
fn the_book_builds_without_a_warning() {
    let Some(mdbook) = or_skip(python("mdbook")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let output =
        Command::new(mdbook).arg("build").arg(workspace()).arg("--dest-dir").arg(folder.path()).output().unwrap();
    let text = said(&output);
    assert!(output.status.success() && !text.contains("WARN") && !text.contains("ERROR"), "{text}");
    let page =
        |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(page("index.html").contains("The kpol manual"));
    assert!(page("codes/E040.html").contains("two rules disagree"));
    assert!(page("hooks.html").contains("upload-sarif"), "copies of files are in the book");
}

/// A page that is in no list of chapters is in no book, and mdbook says nothing of it.
#[test]
fn every_page_is_a_chapter_and_leads_to_no_page_outside() {
    let summary = fs::read_to_string(workspace().join("docs/SUMMARY.md")).unwrap();
    let mut wrong = String::new();
    for page in pages() {
        let Ok(own) = page.strip_prefix("docs") else { continue };
        if own != Path::new("SUMMARY.md") && !summary.contains(&format!("]({})", own.display())) {
            wrong.push_str(&format!("docs/SUMMARY.md has no line for {}\n", own.display()));
        }
        let text = fs::read_to_string(workspace().join(&page)).unwrap();
        let depth = own.components().count() - 1;
        let out = format!("]({}", "../".repeat(depth + 1));
        if text.contains(&out) {
            wrong.push_str(&format!("{} leads out of the book: name the file instead\n", page.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn yaml_is_read() {
    let (Some(python_3), Some(pre_commit)) = (or_skip(python("python")), or_skip(python("pre-commit"))) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("block.yaml");
    for block in of("yaml") {
        fs::write(&path, &block.text).unwrap();
        let read = "import sys, yaml; assert isinstance(yaml.safe_load(open(sys.argv[1])), dict)";
        let output = Command::new(&python_3).args(["-c", read]).arg(&path).output().unwrap();
        assert!(output.status.success(), "{}: {}", block.place, said(&output));
        if block.marks.iter().any(|mark| mark == "pre-commit") {
            let output = Command::new(&pre_commit).arg("validate-config").arg(&path).output().unwrap();
            assert!(output.status.success(), "{}: {}", block.place, said(&output));
        }
    }
}

/// Statements of C, in a function, with the header that they speak of.
#[test]
fn c_compiles() {
    let Some(cc) = or_skip(program("cc")) else { return };
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("web.kpol"), POLICY).unwrap();
    let header = ["build", "web.kpol", "--emit", "c", "-o", "web.h"];
    let output = Command::new(binary("kpolc")).args(header).current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    for block in of("c") {
        let text = format!(
            "#define _GNU_SOURCE\n#include <linux/filter.h>\n#include <linux/seccomp.h>\n#include <sys/prctl.h>\n\
             #include <sys/syscall.h>\n#include <unistd.h>\n#include \"web.h\"\nvoid install(void);\nvoid install(void)\n\
             {{\n{}}}\n",
            block.text
        );
        fs::write(folder.path().join("block.c"), text).unwrap();
        let flags = ["-fsyntax-only", "-Wall", "-Wextra", "-Werror", "block.c"];
        let output = Command::new(&cc).args(flags).current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{}: {}", block.place, said(&output));
    }
}

/// What a unit of systemd would start is started, with our `kpolc` and a policy in place of those that it names.
#[test]
fn units_start_what_they_say() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("web.kpol"), POLICY).unwrap();
    for block in of("ini") {
        let start = block.text.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("a command");
        let words = start.split(' ').map(|word| match word {
            "/usr/bin/kpolc" => binary("kpolc").display().to_string(),
            _ if word.ends_with(".kpol") => folder.path().join("web.kpol").display().to_string(),
            _ => word.to_owned(),
        });
        let words: Vec<String> = words.collect();
        let output = Command::new(&words[0]).args(&words[1..]).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}: {words:?}: {}", block.place, said(&output));
    }
}
