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

/// A group of more calls than this is about everything.
const LARGE: usize = 80;

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
    /// What it would do if a name came along.
    pub beside: &'a dyn Fn(&str) -> Beside,
}

/// What a name does that a group brings along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// Nothing: there is no such call here.
    Nothing,
    /// It is said elsewhere already.
    Again,
    /// Something that the list does not say.
    Harm,
}

impl Groups {
    /// Reads them.
    pub fn load() -> Self {
        let mut lists: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for file in library::files().iter().filter(|file| file.is_groups() && !file.is_effect()) {
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
                let others = || members.iter().filter(|member| !wanted.names.contains(*member));
                let extra: BTreeSet<String> =
                    others().filter(|member| (wanted.beside)(member) == Beside::Harm).cloned().collect();
                let again = others().filter(|member| (wanted.beside)(member) == Beside::Again).count();
                let except = self.short(&extra);
                // A group is named for what it is; one that is mostly something else would mislead.
                if brought.len() < 2
                    || except.len() > (2 * brought.len() / 5).min(14)
                    || extra.len() > brought.len() / 2
                    || again > brought.len() / 4
                {
                    return None;
                }
                let saved: usize = brought.iter().map(|name| name.len() + 2).sum();
                let cost =
                    name.len() + 2 + except.iter().map(|name| name.len() + 2).sum::<usize>() + 12 * extra.len().min(1);
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
        cover.groups.sort_by_cached_key(|group| (group.contains(' '), group.clone()));
        cover.names = rest.into_iter().collect();
        cover
    }

    /// Names by what they are about: those that belong to one small group side by side, the others last.
    pub fn topics(&self, names: Vec<String>) -> Vec<(Option<String>, Vec<String>)> {
        let mut rest: BTreeSet<String> = names.into_iter().collect();
        let mut topics = Vec::new();
        loop {
            let sizes = self.members.iter().filter(|(_, members)| members.len() <= LARGE).map(|(name, members)| {
                let own: Vec<String> = members.iter().filter(|member| rest.contains(*member)).cloned().collect();
                (own, name)
            });
            let Some((own, name)) = sizes.filter(|(own, _)| own.len() > 2).max_by_key(|(own, _)| own.len()) else {
                break;
            };
            rest.retain(|name| !own.contains(name));
            topics.push((Some(name.clone()), own));
        }
        topics.sort();
        if !rest.is_empty() {
            topics.push((None, rest.into_iter().collect()));
        }
        topics
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
