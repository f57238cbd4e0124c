//! The page of the effects has all of them, with every way and its reason, as the groups of the library say it.
//!
//! What stands above its first effect is written by hand; the rest is made of the groups. `UPDATE=1` writes it.

use std::fmt::Write as _;
use std::fs;

use kpol_compiler::library::{self, Effect};

use super::blocks::workspace;

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn section(effect: Effect) -> String {
    let mut text = format!("## `{}`\n\n{}\n", effect.group, effect.summary());
    let _ = write!(text, "\n{}\n", effect.about());
    let _ = write!(text, "\nMain calls: {}.", list(&effect.main_calls()));
    for (word, names) in [("Twins", effect.twins()), ("Minor", effect.minor())] {
        if !names.is_empty() {
            let _ = write!(text, " {word}: {}.", list(&names));
        }
    }
    text.push_str("\n\n| way | why, and where to read it |\n|---|---|\n");
    for way in effect.ways() {
        let guard = if way.guard.is_empty() { String::new() } else { format!(" (`when {}`)", cell(&way.guard)) };
        let _ = writeln!(text, "| `{}`{guard} | {} |", cell(&way.pattern), cell(&way.reason));
    }
    text
}

#[test]
fn the_page_of_the_effects_says_what_the_groups_say() {
    let path = workspace().join("docs/effects.md");
    let page = fs::read_to_string(&path).unwrap();
    let by_hand = page.split("\n## `@effect-").next().unwrap().trim_end();
    let sections: Vec<String> = library::effects().map(section).collect();
    let made = format!("{by_hand}\n\n{}", sections.join("\n"));
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &made).unwrap();
        return;
    }
    assert!(
        page == made,
        "docs/effects.md is not what the groups say: `UPDATE=1 cargo test -p kpol-compiler --test docs` writes it"
    );
    for effect in library::effects() {
        assert!(by_hand.contains(&format!("(#effect-{})", effect.name())), "no link to {} at the top", effect.group);
    }
}
