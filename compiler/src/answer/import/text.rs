//! Claims as text.
//!
//! ```text
//! default · arch · flags · listener · syscall
//! allow { groups }  allow { names }  allow { one call's conditions }     then the other actions
//! when cap … { the same }
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::claims::{Claim, Claims};
use super::groups::{Groups, Wanted};
use super::source::Source;
use super::surroundings::Surroundings;
use crate::spec::{Action, Arch, multiplex};
use crate::tables;

/// Where the statements of a block hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Guard {
    when: Surroundings,
    /// `None`: on all ABIs.
    archs: Option<BTreeSet<Arch>>,
}

/// What one action has in a block.
#[derive(Debug, Default)]
struct Rules<'a> {
    names: BTreeSet<String>,
    conditional: Vec<&'a Claim>,
}

type Blocks<'a> = BTreeMap<Guard, BTreeMap<Action, Rules<'a>>>;

/// How the text is made.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Whether to look for built-in groups.
    pub groups: bool,
}

/// Comments above the rules about a call, by its name.
pub type Remarks = BTreeMap<String, Vec<String>>;

/// The policy, not yet in style.
pub fn write(source: &Source, claims: &Claims, head: &[String], remarks: &Remarks, style: Style) -> String {
    let all: BTreeSet<Arch> = source.function.tables.keys().copied().collect();
    let blocks = blocks(claims, &all);
    let mut out = String::new();
    for line in head {
        let _ = writeln!(out, "{}", format!("//! {line}").trim_end());
    }
    let _ = writeln!(out, "default {}\n", source.default);
    if !source.native {
        let _ = writeln!(out, "arch {}\n", list(all.iter().map(|arch| arch.name())));
    }
    if !source.flags.is_empty() {
        let _ = writeln!(out, "flags {{ {} }}", list(source.flags.iter().map(|flag| flag.word())));
    }
    if let Some(listener) = &source.listener {
        let _ = write!(out, "listener {}", quoted(&listener.path));
        let _ = match &listener.metadata {
            Some(metadata) => writeln!(out, " {}\n", quoted(metadata)),
            None => writeln!(out, "\n"),
        };
    }
    for (name, numbers) in &claims.declared {
        let mut by_number: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
        for (arch, nr) in numbers {
            by_number.entry(nr.0).or_default().push(arch.name());
        }
        for (nr, archs) in by_number {
            let _ = writeln!(out, "syscall {name} = {nr} on {}", archs.join(", "));
        }
    }
    let groups = style.groups.then(Groups::load);
    let context = Context { claims, all: &all, groups: groups.as_ref(), remarks };
    for (guard, rules) in &blocks {
        let conditions = guard_text(guard, &all);
        if conditions.is_empty() {
            out.push('\n');
            context.rules(&mut out, guard, rules);
        } else {
            let _ = writeln!(out, "\nwhen {conditions} {{");
            context.rules(&mut out, guard, rules);
            out.push_str("}\n");
        }
    }
    out
}

/// Claims by where they hold. A guard on ABIs is made only where a call has another fate on some of those that have it.
fn blocks<'a>(claims: &'a Claims, all: &BTreeSet<Arch>) -> Blocks<'a> {
    let mut blocks = Blocks::new();
    let having = |claim: &Claim| claims.having.get(&claim.name).unwrap_or(all);
    let mut partial: Vec<&BTreeSet<Arch>> =
        claims.claims.iter().filter(|(claim, archs)| *archs != having(claim)).map(|(_, archs)| archs).collect();
    partial.sort_by_key(|archs| std::cmp::Reverse(archs.len()));
    let mut guards: Vec<&BTreeSet<Arch>> = Vec::new();
    for (claim, archs) in &claims.claims {
        let having = having(claim);
        let guard = if archs == having {
            None
        } else {
            let fits = |guard: &&&BTreeSet<Arch>| guard.intersection(having).eq(archs.iter());
            let known = guards.iter().find(fits).or_else(|| partial.iter().find(fits)).copied().unwrap_or(archs);
            if !guards.contains(&known) {
                guards.push(known);
            }
            Some(known.clone())
        };
        let guard = Guard { when: claim.when.clone(), archs: guard };
        let rules = blocks.entry(guard).or_default().entry(claim.action).or_default();
        if claim.is_plain() {
            rules.names.insert(claim.name.clone());
        } else {
            rules.conditional.push(claim);
        }
    }
    blocks
}

fn guard_text(guard: &Guard, all: &BTreeSet<Arch>) -> String {
    let mut parts = Vec::new();
    if let Some(archs) = &guard.archs {
        let others: Vec<&str> = all.difference(archs).map(|arch| arch.name()).collect();
        parts.push(if others.len() < archs.len() {
            format!("not arch {}", others.join(", "))
        } else {
            format!("arch {}", list(archs.iter().map(|arch| arch.name())))
        });
    }
    parts.extend(guard.when.guards());
    parts.join(" && ")
}

struct Context<'a> {
    claims: &'a Claims,
    all: &'a BTreeSet<Arch>,
    groups: Option<&'a Groups>,
    remarks: &'a Remarks,
}

impl Context<'_> {
    fn rules(&self, out: &mut String, guard: &Guard, rules: &BTreeMap<Action, Rules<'_>>) {
        // What runs first, then what does not: `allow` is the last of the actions.
        for (&action, rules) in rules.iter().rev() {
            let (mut groups, mut names) = (Vec::new(), rules.names.iter().cloned().collect::<Vec<_>>());
            if let Some(known) = self.groups {
                let harmless = |name: &str| self.is_harmless(name, guard, action, &rules.names);
                let cover = known.cover(&Wanted { names: &rules.names, harmless: &harmless });
                (groups, names) = (cover.groups, cover.names);
            }
            for name in &rules.names {
                for line in self.remarks.get(name).into_iter().flatten() {
                    let _ = writeln!(out, "// {line}");
                }
            }
            if groups.len() + names.len() > 12 && groups.len() > 1 && names.len() > 1 {
                let _ = writeln!(out, "{action} {{ {} }}", groups.join(", "));
                let _ = writeln!(out, "{action} {{ {} }}", names.join(", "));
            } else if !rules.names.is_empty() {
                groups.append(&mut names);
                let _ = writeln!(out, "{action} {{ {} }}", groups.join(", "));
            }
            let mut conditional = rules.conditional.as_slice();
            while let Some(first) = conditional.first() {
                let same = conditional.iter().take_while(|claim| claim.name == first.name).count();
                let (own, rest) = conditional.split_at(same);
                conditional = rest;
                let lines = self.remarks.get(&first.name).map_or(&[][..], Vec::as_slice);
                if !lines.is_empty() {
                    out.push('\n');
                }
                for line in lines {
                    let _ = writeln!(out, "// {line}");
                }
                let patterns: Vec<&str> = own.iter().flat_map(|claim| &claim.patterns).map(String::as_str).collect();
                let _ = writeln!(out, "{action} {{ {} }}", patterns.join(", "));
            }
        }
    }

    /// Whether a group may bring `name` into a block: it is said there anyway, or says nothing on these ABIs.
    fn is_harmless(&self, name: &str, guard: &Guard, action: Action, own: &BTreeSet<String>) -> bool {
        let scope = guard.archs.as_ref().unwrap_or(self.all);
        let Some(having) = self.claims.having.get(name) else {
            // Without a number here; but on some ABIs it stands for a way through a multiplexer.
            return multiplex::through(name).is_none_or(|(through, _)| {
                let reached = tables::syscall(through)
                    .is_some_and(|call| scope.iter().any(|&arch| call.nr(arch).is_some()));
                !reached || own.contains(through)
            });
        };
        let here: BTreeSet<Arch> = having.intersection(scope).copied().collect();
        here.is_empty()
            || self.claims.claims.iter().any(|(claim, archs)| {
                claim.name == name
                    && claim.action == action
                    && claim.is_plain()
                    && here.is_subset(archs)
                    && holds_wherever(&claim.when, &guard.when)
            })
    }
}

/// Whether the first holds in every environment of the second.
fn holds_wherever(first: &Surroundings, second: &Surroundings) -> bool {
    first.caps.iter().all(|(cap, held)| second.caps.get(cap) == Some(held))
        && first.from.is_none_or(|from| second.from.is_some_and(|other| other >= from))
        && first.before.is_none_or(|before| second.before.is_some_and(|other| other <= before))
}

fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
