//! What is in the built-in groups: read from the library once, when first asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use kpol_compiler::library;
use kpol_grammar::ast::{Pattern, PatternKind, StatementKind};

/// A built-in group.
#[derive(Debug, Clone)]
pub struct Builtin {
    /// With its `@`.
    pub name: String,
    /// The comment above it.
    pub doc: String,
    /// What it names itself, groups with their `@`.
    pub direct: Vec<String>,
    /// Every call in it, through groups too.
    pub calls: BTreeSet<String>,
}

/// All of them by name.
pub fn all() -> &'static BTreeMap<String, Builtin> {
    static ALL: OnceLock<BTreeMap<String, Builtin>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut groups = BTreeMap::new();
        for file in library::files().iter().filter(|file| file.is_groups()) {
            let (tree, _) = kpol_grammar::parse(file.text);
            for statement in &tree.statements {
                let StatementKind::Group { name, patterns } = &statement.kind else { continue };
                let doc = statement.doc.clone().unwrap_or_default();
                let direct = patterns.iter().map(name_of).collect();
                let group = Builtin { name: name.text.clone(), doc, direct, calls: BTreeSet::new() };
                groups.insert(name.text.clone(), group);
            }
        }
        let names: Vec<String> = groups.keys().cloned().collect();
        for name in names {
            let calls = calls(&groups, &name, 0);
            if let Some(group) = groups.get_mut(&name) {
                group.calls = calls;
            }
        }
        groups
    })
}

fn name_of(pattern: &Pattern) -> String {
    match &pattern.kind {
        PatternKind::Call { name, .. } | PatternKind::Group(name) => name.text.clone(),
    }
}

fn calls(groups: &BTreeMap<String, Builtin>, name: &str, depth: usize) -> BTreeSet<String> {
    // The library's groups nest a few deep, and in no circle.
    let Some(group) = groups.get(name).filter(|_| depth < 16) else { return BTreeSet::new() };
    let mut all = BTreeSet::new();
    for member in &group.direct {
        match member.starts_with('@') {
            true => all.extend(calls(groups, member, depth + 1)),
            false => drop(all.insert(member.clone())),
        }
    }
    all
}

/// Groups that a call is in, the smallest first.
pub fn of_call(call: &str) -> Vec<&'static str> {
    let mut groups: Vec<&Builtin> = all().values().filter(|group| group.calls.contains(call)).collect();
    groups.sort_by_key(|group| (group.calls.len(), group.name.as_str()));
    groups.into_iter().map(|group| group.name.as_str()).collect()
}
