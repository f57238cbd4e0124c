//! Consoles of the documentation are run: a folder a page, with the files that the page shows and the examples.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::blocks::{pages, workspace};

#[test]
fn consoles_show_what_is_printed() {
    let bin = Path::new(env!("CARGO_BIN_EXE_kpolc")).parent().unwrap();
    let mut search = vec![bin.to_owned()];
    search.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let search = std::env::join_paths(search).unwrap();
    let (mut wrong, mut seen) = (String::new(), 0);
    for page in pages() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(workspace().join("examples"), folder.path().join("examples")).unwrap();
        let text = fs::read_to_string(workspace().join(&page)).unwrap();
        let mut fresh = String::new();
        let mut kind: Option<&str> = None;
        let mut shown = String::new();
        for line in text.lines() {
            match (kind, line.strip_prefix("```")) {
                (None, opens) => kind = opens,
                (Some(open), Some(_)) => {
                    if let Some(name) = open.split(',').skip(1).find(|mark| mark.contains('.') && !mark.contains('/')) {
                        fs::write(folder.path().join(name), &shown).unwrap();
                    }
                    kind = None;
                    shown.clear();
                }
                (Some("console"), None) => {
                    if let Some(command) = line.strip_prefix("$ ") {
                        seen += 1;
                        fresh.push_str(line);
                        fresh.push('\n');
                        fresh.push_str(&said(command, folder.path(), &search));
                    }
                    continue;
                }
                (Some(_), None) => {
                    shown.push_str(line);
                    shown.push('\n');
                }
            }
            fresh.push_str(line);
            fresh.push('\n');
        }
        if fresh == text {
            continue;
        }
        if std::env::var_os("UPDATE").is_some() {
            fs::write(workspace().join(&page), fresh).unwrap();
        } else {
            let difference = similar::TextDiff::from_lines(&text, &fresh).unified_diff().to_string();
            wrong.push_str(&format!("{} shows something else:\n{difference}", page.display()));
        }
    }
    assert!(seen > 3, "only {seen} commands: does the test still find them?");
    assert!(wrong.is_empty(), "{wrong}\n`UPDATE=1 cargo test -p kpol-compiler --test docs` writes what is printed");
}

/// What a command prints on either stream.
fn said(command: &str, folder: &Path, search: &std::ffi::OsStr) -> String {
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(format!("exec 2>&1; {command}"))
        .current_dir(folder)
        .env("PATH", search)
        .env("LC_ALL", "C.UTF-8");
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS"] {
        shell.env_remove(name);
    }
    let output = shell.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // Lines end as in the page.
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}
