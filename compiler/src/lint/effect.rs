//! W025: the calls that people name are refused, and another way to the same effect is open.
//!
//! ```text
//! deny { connect }      allow { sendto }       W025: sendto(flags = MSG_FASTOPEN, …) connects all the same
//! ```
//!
//! Each effect of the library names its main calls. Where a rule or an assert refuses all of them, every other way counts. Where they
//! are only left out of a list, twins of them do: `sendto` beside `connect`, not `fcntl` beside `kill`. Whoever names the effect itself has
//! thought of its ways, and is left alone; so are its minor members, which need another step first or do a small part only.

use std::collections::{BTreeMap, BTreeSet};

use super::Context;
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::diagram::{Comparison, Leaf, Node, Operand};
use crate::policy::{Policy, witness};
use crate::resolve::{self, CallSet, EffectCalls};
use crate::spec::{Arch, Nr, Wanted, multiplex};
use crate::tables;

/// What is open beside the main calls of an effect, or of several that one call brings about.
#[derive(Default)]
struct Open {
    effects: BTreeSet<&'static str>,
    main: BTreeSet<&'static str>,
    calls: BTreeSet<&'static str>,
    /// One of the calls, and what it gets.
    witness: String,
}

pub(super) fn lint(context: &mut Context<'_>, policy: &Policy) {
    if context.store.overflowed() {
        return;
    }
    let all = resolve::effects(&policy.archs, context.store);
    // One open call may bring about several effects, io_uring most of them: that is one mistake.
    let mut found: BTreeMap<(Span, BTreeSet<&'static str>), Open> = BTreeMap::new();
    for of in &all {
        if context.resolved.groups.iter().any(|group| group.name == of.effect.group) {
            continue;
        }
        let mut own: BTreeMap<Span, Open> = BTreeMap::new();
        for (&arch, calls) in &of.calls {
            beside(context, policy, of, arch, calls, &mut own);
        }
        for (place, open) in own {
            let entry = found.entry((place, open.calls.clone())).or_default();
            entry.effects.insert(of.effect.group);
            entry.main.extend(open.main);
            entry.calls = open.calls;
            if entry.witness.is_empty() {
                entry.witness = open.witness;
            }
        }
    }
    for ((place, _), open) in found {
        // Not through the sink's filter: a default may leave several effects open.
        context.sink.diagnostics.push(finding(place, &open));
    }
}

fn beside(
    context: &mut Context<'_>,
    policy: &Policy,
    of: &EffectCalls,
    arch: Arch,
    calls: &CallSet,
    found: &mut BTreeMap<Span, Open>,
) {
    let main = of.effect.main_calls();
    let numbers: BTreeSet<Nr> = main.iter().filter_map(|name| tables::syscall(name)?.nr(arch)).collect();
    if numbers.is_empty() || numbers.iter().any(|&nr| open(context, policy, arch, nr, calls) != Node::FALSE) {
        return;
    }
    let stated = numbers.iter().all(|&nr| is_stated(context, arch, nr, calls));
    let (twins, minor) = (of.effect.twins(), of.effect.minor());
    for &nr in calls.keys().filter(|nr| !numbers.contains(nr)) {
        let Some(name) = tables::syscall_at(arch, nr).map(tables::Syscall::name) else { continue };
        if minor.contains(&name) || !stated && !twins.contains(&name) {
            continue;
        }
        let open = open(context, policy, arch, nr, calls);
        let open = without_minor(context, &minor, arch, name, open);
        let Some((cube, _)) = context.store.witness(open, &|leaf| leaf == Leaf::True) else { continue };
        let (call, environment) = witness::call(arch, nr, &cube);
        let gets = context.store.at(policy.function.at(arch, nr), &environment, &call.args);
        let place = place(context, arch, nr, open);
        let entry = found.entry(place).or_default();
        if let (true, Leaf::Act(action)) = (entry.witness.is_empty(), gets) {
            entry.witness = format!("{} gets `{action}`", witness::describe(arch, nr, Some(name), &cube));
        }
        entry.main.extend(main.iter().filter(|name| tables::syscall(name).is_some_and(|call| call.nr(arch).is_some())));
        entry.calls.insert(name);
    }
}

/// The part of an effect that a call may bring about under the policy.
fn open(context: &mut Context<'_>, policy: &Policy, arch: Arch, nr: Nr, calls: &CallSet) -> Node {
    let Some(member) = calls.get(&nr) else { return Node::FALSE };
    let runs = context.store.where_action(policy.function.at(arch, nr), &|action| !action.refuses());
    context.store.and(runs, member.set)
}

/// Whether a rule or an assert speaks of that part, in a policy where it is refused.
fn is_stated(context: &mut Context<'_>, arch: Arch, nr: Nr, calls: &CallSet) -> bool {
    let Some(member) = calls.get(&nr) else { return false };
    let claims = context.resolved.claims.get(&arch).and_then(|calls| calls.get(&nr)).into_iter().flatten();
    let by_rule = claims
        .filter(|claim| claim.action.refuses() && !context.resolved.rules[claim.rule.0 as usize].builtin)
        .map(|claim| claim.member.set);
    let asserted = context.resolved.assertions.iter().filter_map(|assertion| assertion.promises.get(&arch));
    let refusing = asserted.filter(|promise| match promise.wanted {
        Wanted::Refused => true,
        Wanted::Runs => false,
        Wanted::Action(action) => action.refuses(),
        Wanted::Not(action) => !action.refuses(),
    });
    let by_assert = refusing.filter_map(|promise| promise.calls.get(&nr)).map(|member| member.set);
    let sets: Vec<Node> = by_rule.chain(by_assert).collect();
    sets.into_iter().any(|set| context.store.and(set, member.set) != Node::FALSE)
}

/// A multiplexer without what leads to minor members.
fn without_minor(context: &mut Context<'_>, minor: &[&str], arch: Arch, name: &str, mut set: Node) -> Node {
    let ways = minor.iter().filter_map(|call| multiplex::other_way(tables::syscall(call)?));
    for (through, number) in ways.filter(|(through, _)| through.call().name() == name) {
        let operand = Operand { arg: 0, bits: 32, mask: u64::from(through.mask(arch)), signed: false };
        let gone = context.store.compare(operand, Comparison::Eq, u64::from(number));
        set = context.store.minus(set, gone);
    }
    set
}

/// The user's rule that lets it through, or the default.
fn place(context: &Context<'_>, arch: Arch, nr: Nr, open: Node) -> Span {
    let decided = context.place_of(arch, nr, open);
    if !context.is_builtin(decided.file) {
        return decided;
    }
    let default = context.resolved.defaults.iter().find(|default| default.span.file == context.root());
    default.map_or(decided, |default| default.span)
}

fn finding(place: Span, open: &Open) -> Diagnostic {
    let list = |names: &BTreeSet<&str>| {
        let text: Vec<String> = names.iter().take(4).map(|name| format!("`{name}`")).collect();
        match names.len() - text.len() {
            0 => text.join(", "),
            more => format!("{} and {more} more", text.join(", ")),
        }
    };
    let are = |names: &BTreeSet<&str>| if names.len() == 1 { "is" } else { "are" };
    let does = if open.calls.len() == 1 { "does" } else { "do" };
    let message =
        format!("{} {} refused, and {} {does} the same", list(&open.main), are(&open.main), list(&open.calls));
    let effect = open.effects.first().copied().unwrap_or_default();
    Diagnostic::new(Code::W025, place, message)
        .note(open.witness.clone())
        .help(format!("refuse {}: every way is in there; `kpolc groups {effect}` lists them", list(&open.effects)))
}
