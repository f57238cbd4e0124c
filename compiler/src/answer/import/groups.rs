//! Lists of names, with built-in groups where they save words.
//!
//! ```text
//! close, dup, … 15 more, writev     →   @basic-io
//! open, … without file_getattr      →   @file-system except { file_getattr }
//! ```
//!
//! Greedy: the group that saves most comes first, as long as one saves anything. What a group holds beyond the list is
//! taken out by `except`, if that is little.

use std::collections::{BTreeMap, BTreeSet};

use kpol_grammar::ast::{Pattern, PatternKind, StatementKind};

use crate::library;
use crate::spec::multiplex;

/// The built-in groups with the calls in them.
#[derive(Debug)]
pub struct Groups {
    members: BTreeMap<String, BTreeSet<String>>,
}

/// A list in fewer words.
#[derive(Debug, Default)]
pub struct Cover {
    /// Groups, with their exceptions.
    pub groups: Vec<String>,
    /// Names that no group brings.
    pub names: Vec<String>,
}

/// What the cover of a list may and must bring.
pub struct Wanted<'a> {
    /// These, all of them.
    pub names: &'a BTreeSet<String>,
    /// Whether a name may come along: it says the same already, or nothing at all here.
    pub harmless: &'a dyn Fn(&str) -> bool,
}

impl Groups {
    /// Reads them.
    pub fn load() -> Self {
        let mut lists: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for file in library::files().iter().filter(|file| file.is_groups()) {
            let (tree, _) = kpol_grammar::parse(file.text);
            for statement in tree.statements {
                if let StatementKind::Group { name, patterns, .. } = statement.kind {
                    lists.entry(name.text).or_default().extend(patterns.iter().filter_map(plain_name));
                }
            }
        }
        let members = lists.keys().map(|name| (name.clone(), expand(&lists, name))).collect();
        Self { members }
    }

    /// A list in fewer words.
    pub fn cover(&self, wanted: &Wanted<'_>) -> Cover {
        let mut rest: BTreeSet<String> = wanted.names.clone();
        let mut cover = Cover::default();
        loop {
            let candidates = self.members.iter().filter_map(|(name, members)| {
                let brought: Vec<&String> = members.iter().filter(|member| rest.contains(*member)).collect();
                let extra: BTreeSet<String> = members
                    .iter()
                    .filter(|member| !wanted.names.contains(*member) && !(wanted.harmless)(member))
                    .cloned()
                    .collect();
                let most = brought.len() / 4;
                if brought.len() < 2 || extra.len() > most.min(10) {
                    return None;
                }
                let saved: usize = brought.iter().map(|name| name.len() + 2).sum();
                let except = self.short(&extra);
                let cost = name.len() + 2 + except.iter().map(|name| name.len() + 2).sum::<usize>() + 12 * extra.len().min(1);
                (saved > cost).then(|| (saved - cost, name, except, brought.into_iter().cloned().collect::<Vec<_>>()))
            });
            let Some((_, name, except, brought)) = candidates.max_by_key(|(saved, ..)| *saved) else { break };
            // Taking out one way into a multiplexer takes it out of what the group says of the multiplexer itself.
            let through: BTreeSet<&str> =
                except.iter().filter_map(|name| multiplex::through(name)).map(|(through, _)| through).collect();
            rest.retain(|name| through.contains(name.as_str()) || !brought.contains(name));
            if except.is_empty() {
                cover.groups.push(name.clone());
            } else {
                cover.groups.push(format!("{name} except {{ {} }}", except.join(", ")));
            }
        }
        // What a later, larger group has brought as well is said once.
        cover.groups.sort_by_key(|group| group.contains(' '));
        cover.names = rest.into_iter().collect();
        cover
    }

    /// Names, with groups that hold several of them and nothing else.
    fn short(&self, names: &BTreeSet<String>) -> Vec<String> {
        let mut rest = names.clone();
        let mut short = Vec::new();
        let inside = |rest: &BTreeSet<String>| {
            let fitting = self.members.iter().filter(|(_, members)| members.len() > 1 && members.is_subset(rest));
            fitting.max_by_key(|(_, members)| members.len()).map(|(name, members)| (name.clone(), members.clone()))
        };
        while let Some((name, members)) = inside(&rest) {
            rest.retain(|name| !members.contains(name));
            short.push(name);
        }
        short.extend(rest);
        short
    }
}

fn plain_name(pattern: &Pattern) -> Option<String> {
    match &pattern.kind {
        PatternKind::Call { name, .. } | PatternKind::Group(name) => Some(name.text.clone()),
    }
}

/// All calls of a group, through the groups in it.
fn expand(lists: &BTreeMap<String, Vec<String>>, name: &str) -> BTreeSet<String> {
    let mut calls = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut stack = vec![name];
    while let Some(here) = stack.pop() {
        for member in lists.get(here).into_iter().flatten() {
            if member.starts_with('@') {
                if seen.insert(member.as_str()) {
                    stack.push(member);
                }
            } else {
                calls.insert(member.clone());
            }
        }
    }
    calls
}
