//! What a file of the library holds, and what it promises.
//!
//! ```text
//! <guard/default>   →   its own words, what it includes, and the title of each assertion, those of included files too
//! ```

use std::fmt::Write as _;

use kpol_grammar::ast::{File, Pattern, PatternKind, Statement, StatementKind};

use super::listed;
use crate::library::{self, LibraryFile};

/// A promise of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// The title of the assertion.
    pub title: String,
    /// The file that makes it.
    pub file: &'static str,
}

/// The files that a file includes, and those that these include; each once, itself first.
pub fn with_includes(file: &'static LibraryFile) -> Vec<(&'static LibraryFile, File)> {
    let mut found = vec![(file, kpol_grammar::parse(file.text).0)];
    let mut at = 0;
    while let Some((_, tree)) = found.get(at) {
        let included: Vec<&'static LibraryFile> = tree
            .statements
            .iter()
            .filter_map(|statement| match &statement.kind {
                StatementKind::Include(include) => library::get(&include.path.text),
                _ => None,
            })
            .collect();
        for other in included {
            if found.iter().all(|(known, _)| known.name != other.name) {
                found.push((other, kpol_grammar::parse(other.text).0));
            }
        }
        at += 1;
    }
    found
}

/// What holds of every policy that includes the file.
pub fn promises(file: &'static LibraryFile) -> Vec<Promise> {
    let of = |(file, tree): (&'static LibraryFile, File)| -> Vec<Promise> {
        let titles = all(&tree.statements).into_iter().filter_map(|statement| match &statement.kind {
            StatementKind::Assert { title, .. } => Some(title.text.clone()),
            _ => None,
        });
        titles.map(|title| Promise { title, file: file.name }).collect()
    };
    with_includes(file).into_iter().flat_map(of).collect()
}

/// What the file's own rules name, by their action as it is written.
pub fn rules(file: &'static LibraryFile) -> Vec<(String, Vec<String>)> {
    let (tree, _) = kpol_grammar::parse(file.text);
    let mut rules: Vec<(String, Vec<String>)> = Vec::new();
    for statement in all(&tree.statements) {
        let StatementKind::Rule { action, patterns, .. } = &statement.kind else { continue };
        let argument = action.argument.as_ref().and_then(|argument| file.text.get(argument.span.range()));
        let action = argument.map_or(action.word.text.clone(), |argument| format!("{}({argument})", action.word.text));
        let names = patterns.iter().map(named);
        match rules.iter_mut().find(|(known, _)| *known == action) {
            Some((_, all)) => all.extend(names),
            None => rules.push((action, names.collect())),
        }
    }
    rules
}

/// Every statement, those in `when` too, which the parser nests so deep only.
fn all(statements: &[Statement]) -> Vec<&Statement> {
    let mut all = Vec::new();
    let mut open: Vec<&Statement> = statements.iter().rev().collect();
    while let Some(statement) = open.pop() {
        all.push(statement);
        if let StatementKind::When { body, .. } = &statement.kind {
            open.extend(body.iter().rev());
        }
    }
    all
}

/// `@io`, `read`, `clone(…)`
fn named(pattern: &Pattern) -> String {
    match &pattern.kind {
        PatternKind::Group(name) => name.text.clone(),
        PatternKind::Call { name, conditions } if conditions.is_empty() => name.text.clone(),
        PatternKind::Call { name, .. } => format!("{}(…)", name.text),
    }
}

/// All of it, as Markdown.
pub fn page(file: &'static LibraryFile) -> String {
    let mut text = format!("# <{}>\n", file.name);
    let files = with_includes(file);
    if let Some(doc) = files.first().and_then(|(_, tree)| tree.doc.as_deref()) {
        let _ = write!(text, "\n{}", fenced(doc));
    }
    let included: Vec<String> = files.iter().skip(1).map(|(file, _)| format!("<{}>", file.name)).collect();
    if !included.is_empty() {
        let _ = write!(text, "\nIt includes {}.\n", included.join(", "));
    }
    let rules = rules(file);
    if !rules.is_empty() {
        text.push_str("\nIts own rules:\n\n");
        for (action, names) in rules {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let _ = writeln!(text, "- {action}: {}", super::some_of(&names, 24));
        }
    }
    let promises = promises(file);
    if !promises.is_empty() {
        text.push_str("\nWhat it asserts of each policy that includes it:\n\n");
        for promise in promises {
            let of = if promise.file == file.name { String::new() } else { format!(" (<{}>)", promise.file) };
            let _ = writeln!(text, "- {}{of}", promise.title);
        }
    }
    let _ = write!(text, "\n`kpolc groups {}` shows its text.\n", file.name);
    text
}

/// A comment whose examples are indented, with fences around them.
fn fenced(doc: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for line in doc.lines() {
        let code = line.strip_prefix("    ");
        if code.is_some() != inside && !line.is_empty() {
            text.push_str("```\n");
            inside = !inside;
        }
        let _ = writeln!(text, "{}", code.unwrap_or(line));
    }
    if inside {
        text.push_str("```\n");
    }
    text
}

/// What a group is and has, as Markdown.
pub fn group_page(group: &super::groups::Builtin) -> String {
    let mut text = format!("# {}\n\n{}\n", group.name, group.doc);
    let effect = library::effects().find(|effect| effect.group == group.name);
    if let Some(effect) = &effect {
        let _ = write!(text, "\n{}\n", effect.about());
    }
    let calls: Vec<&str> = group.calls.iter().map(String::as_str).collect();
    let sizes = crate::spec::Arch::all().map(|arch| {
        let here = |call: &&&str| crate::tables::syscall(call).is_some_and(|call| call.nr(arch).is_some());
        (arch, calls.iter().filter(here).count().to_string())
    });
    let _ = write!(text, "\nCalls in it: {}.\n", super::by_abi(sizes));
    match effect {
        Some(effect) => {
            text.push_str("\nIts members:\n\n");
            for way in effect.ways() {
                let when = if way.guard.is_empty() { String::new() } else { format!(" when {}", way.guard) };
                let _ = writeln!(text, "- `{}`{when}: {}", way.pattern, way.reason);
            }
        }
        None => {
            let members: Vec<&str> = group.direct.iter().map(String::as_str).collect();
            let _ = write!(text, "\nIts members: {}.\n", listed(&members, usize::MAX));
        }
    }
    let _ = write!(text, "\n`kpolc groups {}` shows its text.\n", group.name);
    text
}
