//! Claims as text.
//!
//! ```text
//! default · arch · flags · listener · syscall
//! allow { groups }  allow { names }  allow { one call's conditions }     then the other actions
//! when cap … { the same }
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::claims::{self, Claim, Claims};
use super::groups::{Beside, Groups, Wanted};
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
    let _ = writeln!(out, "default {}\n", word(source.default, &all));
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
    for (&nr, archs) in &claims.declared {
        let archs: Vec<&str> = archs.iter().map(|arch| arch.name()).collect();
        let _ = writeln!(out, "syscall {} = {nr} on {}", claims::declared_name(nr), archs.join(", "));
    }
    let groups = style.groups.then(Groups::load);
    let places = places(&blocks);
    let context = Context { claims, all: &all, groups: groups.as_ref(), remarks, places };
    let mut body = String::new();
    let mut order: Vec<(&Guard, &BTreeMap<Action, Rules<'_>>)> = blocks.iter().collect();
    order.sort_by_cached_key(|(guard, _)| rank(guard));
    let mut small = false;
    for (guard, rules) in order {
        let conditions = guard_text(guard, &all);
        let statements = context.rules(guard, rules);
        if conditions.is_empty() {
            body.push('\n');
            body.push_str(spaced(&statements).trim_start());
            continue;
        }
        match statements.as_slice() {
            [one] if !one.contains('\n') && one.len() < 80 => {
                let _ = writeln!(body, "{}when {conditions} {{ {one} }}", if small { "" } else { "\n" });
                small = true;
            }
            _ => {
                let _ = writeln!(body, "\nwhen {conditions} {{\n{}}}", spaced(&statements).trim_start());
                small = false;
            }
        }
    }
    let consts = hoisted(&mut body);
    if !consts.is_empty() {
        let _ = writeln!(out, "\n{consts}");
    }
    out + &body
}

/// An action by an errno's name only where that name has the number on all these ABIs: 38 is ENOSYS on most, and not on MIPS.
fn word(action: Action, archs: &BTreeSet<Arch>) -> String {
    match action {
        Action::Errno(errno)
            if tables::errno_name(errno)
                .is_some_and(|name| archs.iter().any(|&arch| tables::errno(name, arch) != Some(errno))) =>
        {
            format!("deny({errno})")
        }
        _ => action.to_string(),
    }
}

/// Statements, one a line; what has much to say has room around it.
fn spaced(statements: &[String]) -> String {
    let mut text = String::new();
    for (index, statement) in statements.iter().enumerate() {
        let gap = statement.contains('\n') || index > 0 && statements[index - 1].contains('\n');
        let _ = writeln!(text, "{}{statement}", if gap { "\n" } else { "" });
    }
    text
}

/// The place of each call's comments.
fn places<'a>(blocks: &'a Blocks<'_>) -> BTreeMap<&'a str, (&'a Guard, Action)> {
    let mut places = BTreeMap::new();
    for conditional in [true, false] {
        for (guard, actions) in blocks {
            for (&action, rules) in actions.iter().rev() {
                let names: Vec<&str> = if conditional {
                    rules.conditional.iter().map(|claim| claim.name.as_str()).collect()
                } else {
                    rules.names.iter().map(String::as_str).collect()
                };
                for name in names {
                    places.entry(name).or_insert((guard, action));
                }
            }
        }
    }
    places
}

/// The order of blocks.
type Rank = (bool, bool, Vec<(&'static str, bool)>, Option<BTreeSet<Arch>>);

/// Blocks without conditions first, then kernels, then capabilities by name, each beside its opposite.
fn rank(guard: &Guard) -> Rank {
    let caps = guard.when.caps.iter();
    let caps = caps.map(|(&number, held)| (tables::capability_name(number).unwrap_or_default(), !held)).collect();
    let plain = guard.when == Surroundings::default();
    (!plain, plain && guard.archs.is_some(), caps, guard.archs.clone())
}

/// Masks of many names become constants; gives their definitions.
fn hoisted(body: &mut String) -> String {
    let mut consts = String::new();
    let mut taken = BTreeSet::new();
    let mut from = 0;
    while let Some(open) = body[from..].find("& (").map(|at| from + at + 2) {
        from = open;
        let Some(close) = body[open..].find(')').map(|at| open + at) else { break };
        let value = body[open + 1..close].to_owned();
        let names: Vec<&str> = value.split(" | ").collect();
        if names.len() < 4 || value.contains(['(', '\n']) {
            continue;
        }
        let base = if names.iter().all(|name| name.starts_with("CLONE_NEW")) {
            "NAMESPACES".to_owned()
        } else {
            let label = body[..open - 2].trim_end();
            let start = label.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(0, |at| at + 1);
            format!("{}_MASK", label[start..].to_ascii_uppercase())
        };
        let numbered = (1..).map(|number| if number == 1 { base.clone() } else { format!("{base}_{number}") });
        let Some(name) = numbered.into_iter().find(|name| !taken.contains(name) && !tables::is_constant(name)) else {
            break;
        };
        *body = body.replace(&format!("({value})"), &name);
        let lines: Vec<String> = names.chunks(4).map(|names| names.join(" | ")).collect();
        let _ = writeln!(consts, "const {name} = {}", lines.join("\n    | "));
        taken.insert(name);
    }
    consts
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
    /// Where the comments about a call stand.
    places: BTreeMap<&'a str, (&'a Guard, Action)>,
}

impl Context<'_> {
    /// The statements of a block, each with the comments above it.
    fn rules(&self, guard: &Guard, rules: &BTreeMap<Action, Rules<'_>>) -> Vec<String> {
        let mut statements = Vec::new();
        // What runs first, then what does not: `allow` is the last of the actions.
        for (&action, rules) in rules.iter().rev() {
            let word = word(action, self.all);
            let (mut groups, mut names) = (Vec::new(), rules.names.iter().cloned().collect::<Vec<_>>());
            if let Some(known) = self.groups {
                let beside = |name: &str| self.beside(name, guard, action);
                let cover = known.cover(&Wanted { names: &rules.names, beside: &beside });
                (groups, names) = (cover.groups, cover.names);
            }
            let comments: String = rules.names.iter().map(|name| self.comments(name, guard, action)).collect();
            if let Some(known) = self.groups.filter(|_| names.len() > 12) {
                let mut list = String::new();
                for (index, (topic, names)) in known.topics(names).into_iter().enumerate() {
                    if index > 0 {
                        list.push('\n');
                    }
                    if let Some(topic) = topic {
                        let _ = writeln!(list, "// part of {topic}");
                    }
                    let _ = writeln!(list, "{},", names.join(", "));
                }
                if !groups.is_empty() {
                    statements.push(format!("{comments}{word} {{ {} }}", groups.join(", ")));
                    statements.push(format!("{word} {{\n{list}}}"));
                } else {
                    statements.push(format!("{comments}{word} {{\n{list}}}"));
                }
            } else if !rules.names.is_empty() {
                groups.append(&mut names);
                statements.push(format!("{comments}{word} {{ {} }}", groups.join(", ")));
            }
            for own in rules.conditional.chunk_by(|one, two| one.name == two.name) {
                let comments = own.first().map_or(String::new(), |claim| self.comments(&claim.name, guard, action));
                let patterns: Vec<&str> = own.iter().flat_map(|claim| &claim.patterns).map(String::as_str).collect();
                statements.push(format!("{comments}{word} {{ {} }}", patterns.join(", ")));
            }
        }
        statements
    }

    /// The comments about a call, at the first of its rules that has conditions, or else at its first.
    fn comments(&self, name: &str, guard: &Guard, action: Action) -> String {
        let Some(lines) = self.remarks.get(name) else { return String::new() };
        if self.places.get(name).is_none_or(|&(of, with)| of != guard || with != action) {
            return String::new();
        }
        lines.iter().map(|line| format!("// {line}\n")).collect()
    }

    /// What it would do if a group brought `name` into a block.
    fn beside(&self, name: &str, guard: &Guard, action: Action) -> Beside {
        let scope = guard.archs.as_ref().unwrap_or(self.all);
        let Some(having) = self.claims.having.get(name) else { return Beside::Nothing };
        let here: BTreeSet<Arch> = having.intersection(scope).copied().collect();
        let said_of = |name: &str, arch: Arch| {
            self.claims.claims.iter().any(|(claim, archs)| {
                claim.name == name
                    && claim.action == action
                    && claim.is_plain()
                    && archs.contains(&arch)
                    && holds_wherever(&claim.when, &guard.when)
            })
        };
        // Without a number of its own it only stands for a way through the multiplexer.
        let said = |arch: Arch| {
            let through = multiplex::through(name).map(|(through, _)| through);
            let own = tables::syscall(name).is_some_and(|call| call.nr(arch).is_some());
            said_of(name, arch) || !own && through.is_some_and(|through| said_of(through, arch))
        };
        match here.is_empty() {
            true => Beside::Nothing,
            false if here.into_iter().all(said) => Beside::Again,
            false => Beside::Harm,
        }
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
