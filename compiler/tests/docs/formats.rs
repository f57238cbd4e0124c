//! Blocks that are not kpol and no commands: read by whoever reads such a file.

use std::collections::BTreeSet;
use std::fs;

use crate::blocks::{Block, blocks, pages, workspace};
use crate::kpolc;

/// Every language of a block, and who looks at it. What is not here nobody would look at.
const LANGUAGES: &[(&str, &str)] = &[
    ("kpol", "profiles_compile"),
    ("sh", "commands_parse"),
    ("console", "consoles_show_what_is_printed"),
    ("json", "json_is_read"),
    ("toml", "toml_is_read"),
    ("weights", "weights_are_read"),
    ("ebnf", "the_grammar_has_the_words_of_the_grammar"),
    ("rust", "pages_of_those_who_change_kpol: recipes, which the compiler sees where they are followed"),
    ("yaml", "tests/tests/manual.rs"),
    ("c", "tests/tests/manual.rs"),
    ("ini", "tests/tests/manual.rs"),
    ("gitattributes", "copies_are_alike, and git_shows_what_a_change_means"),
    ("dockerfile", "copies_are_alike, and tests/tests/packages.rs"),
    ("log", "consoles_show_what_is_printed"),
    ("lua", "tests of the editors"),
    ("vim", "tests of the editors"),
    ("elisp", "tests of the editors"),
];

#[test]
fn somebody_looks_at_every_block() {
    let mut wrong = String::new();
    for block in blocks() {
        if !LANGUAGES.iter().any(|&(language, _)| language == block.language) {
            wrong.push_str(&format!("{}: nobody looks at a block of `{}`\n", block.place, block.language));
        }
        let of_editors = ["docs/editors", "docs/language-server"].iter().any(|page| block.place.starts_with(page));
        if matches!(block.language.as_str(), "lua" | "vim" | "elisp") && !of_editors {
            wrong.push_str(&format!("{}: only pages of editors have `{}`\n", block.place, block.language));
        }
        if block.language == "rust" && !block.place.starts_with("tests/") {
            wrong.push_str(&format!("{}: nobody compiles this\n", block.place));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Blocks that are copies of a file. `UPDATE=1` writes them.
#[test]
fn copies_are_alike() {
    let (mut wrong, mut seen) = (String::new(), 0);
    for page in pages() {
        let path = workspace().join(&page);
        let text = fs::read_to_string(&path).unwrap();
        let mut fresh = String::new();
        // Inside a block: whether it is a copy.
        let mut open = None;
        for line in text.lines() {
            let fence = line.strip_prefix("```");
            if open != Some(true) || fence.is_some() {
                fresh.push_str(line);
                fresh.push('\n');
            }
            open = match (open, fence) {
                (None, Some(kind)) => {
                    let copied = kind.split(',').skip(1).find(|mark| mark.contains('/'));
                    if let Some(name) = copied {
                        seen += 1;
                        let original = fs::read_to_string(workspace().join(name));
                        fresh.push_str(&original.unwrap_or_else(|error| panic!("{}: {name}: {error}", page.display())));
                    }
                    Some(copied.is_some())
                }
                (Some(_), Some(_)) => None,
                (open, None) => open,
            };
        }
        if fresh == text {
            continue;
        }
        if std::env::var_os("UPDATE").is_some() {
            fs::write(path, fresh).unwrap();
        } else {
            wrong.push_str(&format!("{} has a copy that is not what it is a copy of\n", page.display()));
        }
    }
    assert!(seen >= 3, "only {seen} copies: does the test still find them?");
    assert!(wrong.is_empty(), "{wrong}`UPDATE=1 cargo test -p kpol-compiler --test docs` writes them");
}

/// A policy to have something beside a file of settings.
const POLICY: &str = "default deny(EPERM)\ninclude <base/runtime>\n";

/// A folder with these files in it.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Whether `kpolc` is content, and what it says.
fn content(folder: &tempfile::TempDir, arguments: &[&str]) -> Result<(), String> {
    let output = kpolc().args(arguments).current_dir(folder.path()).output().unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// Every block of a language, with what is wrong with it.
fn each(language: &str, least: usize, mut wrong_with: impl FnMut(&Block) -> Result<(), String>) {
    let (mut wrong, mut seen) = (String::new(), 0);
    for block in blocks().into_iter().filter(|block| block.language == language) {
        seen += 1;
        if let Err(said) = wrong_with(&block) {
            wrong.push_str(&format!("{}: {said}\n", block.place));
        }
    }
    assert!(seen >= least, "only {seen} blocks of {language}: does the test still find them?");
    assert!(wrong.is_empty(), "{wrong}");
}

/// What has a default action is a profile, and kpolc reads it as a runtime does.
#[test]
fn json_is_read() {
    each("json", 4, |block| {
        let value: serde_json::Value = serde_json::from_str(&block.text).map_err(|error| error.to_string())?;
        if value.get("defaultAction").is_none() {
            return Ok(());
        }
        content(&folder(&[("a.json", &block.text)]), &["show", "a.json"])
    });
}

/// What has a key of ours is a project file.
#[test]
fn toml_is_read() {
    each("toml", 3, |block| {
        let table: toml::Table = block.text.parse().map_err(|error: toml::de::Error| error.to_string())?;
        if !["include", "target", "lints"].iter().any(|key| table.contains_key(*key)) {
            return Ok(());
        }
        let folder = folder(&[("kpol.toml", &block.text), ("a.kpol", POLICY)]);
        content(&folder, &["check", "a.kpol"])
    });
}

#[test]
fn weights_are_read() {
    each("weights", 1, |block| {
        let folder = folder(&[("a.weights", &block.text), ("a.kpol", POLICY)]);
        content(&folder, &["build", "a.kpol", "--emit", "bpf", "--weights", "a.weights", "-o", "a.bpf"])
    });
}

/// Words and signs in quotes.
fn quoted(text: &str) -> BTreeSet<&str> {
    text.split('"').skip(1).step_by(2).collect()
}

#[test]
fn the_grammar_has_the_words_of_the_grammar() {
    let pest = fs::read_to_string(workspace().join("grammar/src/kpol.pest")).unwrap();
    each("ebnf", 1, |block| {
        let missing: Vec<&str> = quoted(&block.text).difference(&quoted(&pest)).copied().collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("kpol.pest has no {missing:?}")) }
    });
}
