//! Rules → one function: levels, conflicts, default.
//!
//! ```text
//! override (level 2)  deny  { sendfile }     wins
//! plain               allow { @worker }      what is left of it
//! default             deny                   the rest
//! ```
//!
//! Order never matters: claims of one level either say the same or are a conflict, which is an error with a call
//! that both claim. Levels stand above each other like sheets of paper with holes.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use super::{Policy, witness};
use crate::diagnostic::{Code, Diagnostic, Label, Span};
use crate::diagram::{Function, Leaf, Node, Store, Table};
use crate::resolve::{Claim, DefaultAction, Resolved, RuleId, Sink, Via};
use crate::source::graph::Graph;
use crate::spec::{Action, Arch, Environment, Nr};
use crate::tables;

/// Two rules that claim a call with different actions.
struct Conflict {
    first: Claim,
    second: Claim,
    arch: Arch,
    nr: Nr,
    witness: String,
    /// Names of all calls that they quarrel about.
    calls: BTreeSet<String>,
}

/// Conflicts found so far. Two lists of 50,000 rules can quarrel 2,500,000,000 times: nobody reads past the first
/// hundred, and nobody waits for the rest.
struct Conflicts {
    found: BTreeMap<(RuleId, RuleId), Conflict>,
    /// How many pairs, of claims and of a claim with all claims of an action, may still be looked at.
    budget: u32,
}

impl Conflicts {
    const MOST: usize = 100;
    const MOST_PAIRS: u32 = 1_000_000;
}

/// The function of `resolved`. `None` where there is no default: then it is a library. Conflicts are reported and
/// settled somehow, so that the rest can still be looked at.
pub fn build(resolved: &Resolved, graph: &Graph, store: &mut Store, sink: &mut Sink) -> Option<Policy> {
    let default = choose_default(resolved, graph, sink);
    let mut conflicts = Conflicts { found: BTreeMap::new(), budget: Conflicts::MOST_PAIRS };
    let mut function = Function::default();
    let mut said = BTreeMap::new();
    for &arch in &resolved.archs {
        let other = default.and_then(|default| default.action.get(&arch)).map_or(Node::FALSE, |&a| Node::action(a));
        let mut calls = BTreeMap::new();
        for (&nr, claims) in resolved.claims.get(&arch).into_iter().flatten() {
            let claimed = layers(resolved, arch, nr, claims, store, &mut conflicts);
            let node = store.over(claimed, other);
            if claims.len() > 1 && !node.is_leaf() {
                said.insert((arch, nr), in_order(claims));
            }
            calls.insert(nr, node);
        }
        function.tables.insert(arch, Table::new(other, &calls));
    }
    for conflict in conflicts.found.into_values() {
        // Not through the sink's filter: one pattern may quarrel with several others.
        sink.diagnostics.push(report(resolved, graph, &conflict));
    }
    let default = default?;
    Some(Policy {
        function,
        archs: resolved.archs.clone(),
        native: resolved.native,
        default: resolved.archs.first().and_then(|arch| default.action.get(arch)).copied()?,
        declared: resolved.declared.clone(),
        said,
        flags: resolved.flags.clone(),
        listener: resolved.listener.as_ref().map(|(listener, _)| listener.clone()),
        waivers: Vec::new(),
    })
}

fn choose_default<'a>(resolved: &'a Resolved, graph: &Graph, sink: &mut Sink) -> Option<&'a DefaultAction> {
    let chosen = resolved.defaults.iter().max_by_key(|default| default.priority)?;
    for other in &resolved.defaults {
        if other.priority != chosen.priority || other.span == chosen.span {
            continue;
        }
        let same_file = other.span.file == chosen.span.file;
        if other.action == chosen.action && !same_file {
            continue;
        }
        let (first, second) = if other.span < chosen.span { (other, chosen) } else { (chosen, other) };
        let diagnostic = if same_file && first.action == second.action {
            Diagnostic::new(Code::E021, second.span, "the default is said twice").help("remove one")
        } else {
            Diagnostic::new(Code::E021, second.span, "two defaults disagree")
                .help("a profile has exactly one; the including file decides with `override default …`")
        };
        let mut diagnostic = diagnostic.label("a second default").related(first.span, "the first");
        for span in graph.chain(second.span.file) {
            diagnostic = diagnostic.related(span, crate::diagnostic::INCLUDED);
        }
        sink.push(diagnostic);
    }
    Some(chosen)
}

/// What claims say, those that win first.
fn in_order(claims: &[Claim]) -> Vec<(Node, Action)> {
    let mut claims: Vec<&Claim> = claims.iter().collect();
    claims.sort_by_key(|claim| std::cmp::Reverse(claim.priority));
    claims.into_iter().map(|claim| (claim.member.set, claim.action)).collect()
}

/// What the claims on one number come to; unclaimed calls are `FALSE`.
fn layers(
    resolved: &Resolved,
    arch: Arch,
    nr: Nr,
    claims: &[Claim],
    store: &mut Store,
    conflicts: &mut Conflicts,
) -> Node {
    if let [claim] = claims {
        return store.ite(claim.member.set, Node::action(claim.action), Node::FALSE);
    }
    let mut by_level: BTreeMap<u32, Vec<&Claim>> = BTreeMap::new();
    for claim in claims {
        by_level.entry(claim.priority).or_default().push(claim);
    }
    let mut node = Node::FALSE;
    for mut level in by_level.into_values().rev() {
        // In the order in which the actions are first said, which settles a conflict for the time being.
        let mut sets: Vec<(Action, Vec<Node>)> = Vec::new();
        let mut place_of: FxHashMap<Action, usize> = FxHashMap::default();
        for claim in &level {
            let place = *place_of.entry(claim.action).or_insert_with(|| {
                sets.push((claim.action, Vec::new()));
                sets.len() - 1
            });
            sets[place].1.push(claim.member.set);
        }
        let mut unions: Vec<(Action, Node)> =
            sets.into_iter().map(|(action, sets)| (action, store.union(sets))).collect();
        let mut layer = Node::FALSE;
        let mut claimed = Node::FALSE;
        let mut disputed = Node::FALSE;
        for &(action, union) in &unions {
            let both = store.and(claimed, union);
            disputed = store.or(disputed, both);
            claimed = store.or(claimed, union);
            let acts = store.ite(union, Node::action(action), Node::FALSE);
            layer = store.over(layer, acts);
        }
        if disputed != Node::FALSE {
            // Whoever claims nothing that is disputed has no part in it.
            level.retain(|claim| store.and(claim.member.set, disputed) != Node::FALSE);
            unions.retain(|&(_, union)| store.and(union, disputed) != Node::FALSE);
            quarrels(resolved, arch, nr, &level, &unions, store, conflicts);
        }
        node = store.over(node, layer);
    }
    node
}

/// Finds the claims of one level that disagree, each with those before it.
fn quarrels(
    resolved: &Resolved,
    arch: Arch,
    nr: Nr,
    level: &[&Claim],
    unions: &[(Action, Node)],
    store: &mut Store,
    conflicts: &mut Conflicts,
) {
    for (index, claim) in level.iter().enumerate() {
        for &(action, union) in unions {
            if conflicts.budget == 0 || store.overflowed() {
                return;
            }
            conflicts.budget -= 1;
            if action == claim.action || store.and(union, claim.member.set) == Node::FALSE {
                continue;
            }
            for before in level[..index].iter().filter(|before| before.action == action) {
                if conflicts.budget == 0 || conflicts.found.len() >= Conflicts::MOST {
                    return;
                }
                conflicts.budget -= 1;
                let both = store.and(before.member.set, claim.member.set);
                let Some((cube, _)) = store.witness(both, &|leaf| leaf == Leaf::True) else { continue };
                let conflict = conflicts.found.entry((before.rule, claim.rule)).or_insert_with(|| Conflict {
                    first: **before,
                    second: **claim,
                    arch,
                    nr,
                    witness: witness::describe(arch, nr, name(resolved, arch, nr), &cube),
                    calls: BTreeSet::new(),
                });
                conflict.calls.insert(call_name(resolved, arch, nr));
            }
        }
    }
}

/// The name of a call.
pub(crate) fn name(resolved: &Resolved, arch: Arch, nr: Nr) -> Option<&str> {
    match resolved.declared.get(&(arch, nr)) {
        Some(name) => Some(name),
        None => tables::syscall_at(arch, nr).map(tables::Syscall::name),
    }
}

pub(crate) fn call_name(resolved: &Resolved, arch: Arch, nr: Nr) -> String {
    name(resolved, arch, nr).map_or_else(|| format!("number {}", nr.0), str::to_owned)
}

fn report(resolved: &Resolved, graph: &Graph, conflict: &Conflict) -> Diagnostic {
    let Conflict { first, second, arch, nr, witness, calls } = conflict;
    let (code, what, help) = if first.priority == 0 {
        (Code::E040, "rules", "take it out of one of them by `except`, or decide with `override`")
    } else {
        let help = "keep one of them, or decide it by an `override` in a file that includes both";
        (Code::E041, "overrides of the same level", help)
    };
    let call = call_name(resolved, *arch, *nr);
    let message = format!("two {what} disagree about `{call}`: `{}` and `{}`", first.action, second.action);
    let place = second.member.via.pattern;
    let mut diagnostic = Diagnostic::new(code, place, message)
        .label(format!("`{}` here", second.action))
        .related(first.member.via.pattern, format!("`{}` here", first.action))
        .note(format!("both claim {witness}"));
    for claim in [second, first] {
        for place in places(resolved, graph, *arch, *nr, claim.member.via) {
            // Both may come by the same include.
            if !diagnostic.related.contains(&place) {
                diagnostic.related.push(place);
            }
        }
    }
    let others: Vec<String> = calls.iter().filter(|other| **other != call).map(|other| format!("`{other}`")).collect();
    diagnostic = match others.as_slice() {
        [] => diagnostic,
        [first @ .., last] if first.len() < 6 => {
            let list = if first.is_empty() { last.clone() } else { format!("{} and {last}", first.join(", ")) };
            diagnostic.note(format!("they disagree about {list} too"))
        }
        many => {
            let (first, rest) = many.split_at(5);
            diagnostic.note(format!("they disagree about {} and {} more too", first.join(", "), rest.len()))
        }
    };
    diagnostic.help(help)
}

/// The groups and includes that lead to a pattern.
pub(crate) fn places(resolved: &Resolved, graph: &Graph, arch: Arch, nr: Nr, via: Via) -> Vec<Label> {
    let groups = resolved.chain(arch, nr, via).into_iter().map(|(span, text)| Label { span, text });
    let includes =
        graph.chain(via.file()).into_iter().map(|span| Label { span, text: crate::diagnostic::INCLUDED.to_owned() });
    groups.chain(includes).collect()
}

/// The claim that decides a concrete call, or `None` where the default does.
pub(crate) fn decider<'a>(
    resolved: &'a Resolved,
    store: &Store,
    arch: Arch,
    nr: Nr,
    environment: &Environment,
    args: &[u64; 6],
) -> Option<&'a Claim> {
    let claims = resolved.claims.get(&arch)?.get(&nr)?;
    let holds = |claim: &&Claim| store.at(claim.member.set, environment, args) == Leaf::True;
    claims.iter().filter(holds).max_by_key(|claim| claim.priority)
}

/// Where a call's fate is decided, for a label.
pub(crate) fn decided_at(
    resolved: &Resolved,
    store: &Store,
    arch: Arch,
    nr: Nr,
    environment: &Environment,
    args: &[u64; 6],
) -> Option<(Span, Option<Via>)> {
    match decider(resolved, store, arch, nr, environment, args) {
        Some(claim) => Some((claim.member.via.pattern, Some(claim.member.via))),
        None => resolved.defaults.iter().max_by_key(|default| default.priority).map(|default| (default.span, None)),
    }
}
