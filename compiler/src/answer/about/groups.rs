//! What is in the built-in groups: read from the library once, when first asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use crate::library;
use kpol_grammar::ast::{Pattern, PatternKind, StatementKind};

/// A built-in group.
#[derive(Debug, Clone, Default)]
pub struct Builtin {
    /// With its `@`.
    pub name: String,
    /// The comment above it.
    pub doc: String,
    /// What it names itself, groups with their `@`, members of effects with their conditions.
    pub direct: Vec<String>,
    /// Whether it is an effect or a part of one: then a call in it is there for some arguments only.
    pub effect: bool,
    /// Whether it has other members on other ABIs.
    pub varies: bool,
    /// Every call in it, through groups too.
    pub calls: BTreeSet<String>,
}

/// All of them by name.
pub fn all() -> &'static BTreeMap<String, Builtin> {
    static ALL: OnceLock<BTreeMap<String, Builtin>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut groups = BTreeMap::new();
        for file in library::files().iter().filter(|file| file.is_groups() && !file.is_effect()) {
            let (tree, _) = kpol_grammar::parse(file.text);
            for statement in &tree.statements {
                let StatementKind::Group { name, patterns } = &statement.kind else { continue };
                let doc = statement.doc.clone().unwrap_or_default();
                let direct = patterns.iter().map(name_of).collect();
                let group = Builtin { doc, direct, ..Builtin::default() };
                groups.insert(name.text.clone(), Builtin { name: name.text.clone(), ..group });
            }
        }
        for effect in library::effects() {
            for way in effect.ways() {
                let group = groups.entry(way.group.clone()).or_insert_with(|| Builtin {
                    name: way.group.clone(),
                    doc: if way.group == effect.group { effect.summary() } else { way.reason.clone() },
                    effect: true,
                    ..Builtin::default()
                });
                group.varies |= !way.guard.is_empty();
                group.direct.push(way.pattern);
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
            false => drop(all.insert(member.split('(').next().unwrap_or(member).to_owned())),
        }
    }
    all
}

/// Groups that a call is in, the smallest first; effects apart, where it may be for some arguments only.
pub fn of_call(call: &str) -> Vec<&'static str> {
    let mut groups: Vec<&Builtin> =
        all().values().filter(|group| !group.effect && group.calls.contains(call)).collect();
    groups.sort_by_key(|group| (group.calls.len(), group.name.as_str()));
    groups.into_iter().map(|group| group.name.as_str()).collect()
}
