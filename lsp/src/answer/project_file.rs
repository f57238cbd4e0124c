//! What can be written in `kpol.toml`: its keys, and the values of those that have few.
//!
//! ```text
//! [lints]
//! dead-rule = "|      allow, warn, deny
//! ```
//!
//! The text is seldom TOML while it is written, so it is read line by line: the last header above says which table it is.

use kpol_compiler::driver::Format;
use kpol_compiler::source::project;
use kpol_compiler::tables;
use kpol_grammar::ast::Span;

use super::completion::{Completion, Item, Kind, fits, item};
use super::context::floor;

/// What can be written at `offset`.
pub fn complete(text: &str, offset: u32) -> Completion {
    let offset = floor(text, offset as usize);
    let in_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let start = text[..offset].trim_end_matches(in_word).len();
    let end = text[offset..].find(|c| !in_word(c)).map_or(text.len(), |at| offset + at);
    let begun = &text[start..offset];
    let line = &text[text[..offset].rfind('\n').map_or(0, |at| at + 1)..start];
    let quoted = line.matches('"').count() % 2 == 1;

    let mut items = if comment(line) {
        Vec::new()
    } else if line.trim_start().starts_with('[') {
        ["target", "build", "waive", "lints"].map(|name| item(name, Kind::Keyword, "", 0)).into()
    } else if let Some((key, _)) = line.split_once('=') {
        values(&table(text, offset), key.trim(), quoted)
    } else if list(text, start) == Some("capabilities") {
        capabilities(quoted)
    } else if list(text, start) == Some("emit") {
        products(quoted)
    } else {
        // In front of a value that is there already, the name alone is missing.
        let has_value = text[end..].trim_start_matches([' ', '\t']).starts_with('=');
        keys(&table(text, offset), has_value)
    };
    items.retain(|item| fits(begun, &item.label));
    Completion { word: Span::new(start, end), offset: offset as u32, items, incomplete: false }
}

fn comment(line: &str) -> bool {
    let mut quoted = false;
    line.chars().any(|c| {
        quoted ^= c == '"';
        c == '#' && !quoted
    })
}

/// The name in the last header above.
fn table(text: &str, offset: usize) -> String {
    let headers = text[..offset].lines().rev().filter_map(|line| line.trim().strip_prefix('[')?.split_once(']'));
    headers.map(|(name, _)| name.trim().to_owned()).next().unwrap_or_default()
}

/// The key of a list over several lines that is open here.
fn list(text: &str, offset: usize) -> Option<&str> {
    let open = text[..offset].rfind('[').filter(|&at| !text[at..offset].contains(']'))?;
    text[..open].lines().next_back()?.split_once('=').map(|(key, _)| key.trim())
}

fn keys(table: &str, has_value: bool) -> Vec<Item> {
    let keys = project::keys(table).into_iter();
    let key = |(name, about): (String, &str)| {
        if has_value {
            return item(name, Kind::Keyword, about, 0);
        }
        // Four of the top are tables of their own.
        let insert = match (table, name.as_str()) {
            ("", "target" | "build" | "waive" | "lints") => format!("[{name}]\n"),
            (_, "include" | "capabilities" | "emit" | "allowed") => format!("{name} = [\"$1\"]"),
            _ => format!("{name} = \"$1\""),
        };
        Item { insert: Some(insert), ..item(name, Kind::Snippet, about, 0) }
    };
    keys.map(key).collect()
}

fn values(table: &str, key: &str, quoted: bool) -> Vec<Item> {
    match (table, key) {
        ("lints", _) => project::LEVELS.iter().map(|level| text_item(level, Kind::Keyword, quoted)).collect(),
        ("target", "capabilities") => capabilities(quoted),
        ("build", "emit") => products(quoted),
        _ => Vec::new(),
    }
}

fn capabilities(quoted: bool) -> Vec<Item> {
    tables::capability_names().map(|name| text_item(name, Kind::Capability, quoted)).collect()
}

fn products(quoted: bool) -> Vec<Item> {
    Format::ALL.iter().map(|format| text_item(format.name(), Kind::Keyword, quoted)).collect()
}

fn text_item(text: &str, kind: Kind, quoted: bool) -> Item {
    let insert = (!quoted).then(|| format!("\"{text}\""));
    Item { insert, ..item(text, kind, "", 0) }
}
