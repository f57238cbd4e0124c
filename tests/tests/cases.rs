//! Every file below `cases/` is a case: see `kpol_tests::case`. To add one, write a file and run
//! `UPDATE=1 cargo test -p kpol-tests --test cases`, then read what was drawn as a user would.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use kpol_tests::case::{Case, split};

fn files(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, all);
        } else {
            all.push(path);
        }
    }
}

/// `CASE=name` runs those alone whose path contains it.
#[test]
fn cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut all = Vec::new();
    files(&folder, &mut all);
    all.sort();
    assert!(all.len() > 50, "the cases are there");
    let wanted = std::env::var("CASE").unwrap_or_default();
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = Vec::new();
    for path in all.iter().filter(|path| path.to_string_lossy().contains(&wanted)) {
        let name = path.strip_prefix(&folder).unwrap().display();
        assert_eq!(path.extension().and_then(|end| end.to_str()), Some("case"), "{name} is no case");
        let text = fs::read_to_string(path).unwrap();
        // A case that breaks a law must not hide the others.
        let Ok(found) = catch_unwind(AssertUnwindSafe(|| Case::parse(&text).draw())) else {
            wrong.push(format!("{name}: see above\n"));
            continue;
        };
        let (source, expected) = text.split_at(split(&text));
        if found == expected {
            continue;
        }
        if update {
            let newline = if source.is_empty() || source.ends_with('\n') { "" } else { "\n" };
            fs::write(path, format!("{source}{newline}{found}")).unwrap();
        } else {
            wrong.push(format!("{name}: expected\n{expected}\nfound\n{found}"));
        }
    }
    let all_wrong = wrong.join("\n");
    assert!(wrong.is_empty(), "{all_wrong}\n`UPDATE=1 cargo test -p kpol-tests --test cases` draws them anew");
}
