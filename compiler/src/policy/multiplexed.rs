//! E081, W024: conditions that a multiplexer walks around.
//!
//! ```text
//! default allow
//! kill { socket(family == AF_ALG) }        x86: socket(AF_ALG) is killed, socketcall(SYS_SOCKET, {AF_ALG, …}) runs
//! ```
//!
//! `socketcall` and `ipc` reach the code of other calls with arguments in memory, where no filter sees them. So a condition on
//! such a call binds only where the multiplexer is refused. Where it is not, that is an error, in every output
//! (CVE-2026-31431 was that); but a warning where a rule of the author's names the multiplexer itself: then it is open on purpose.
//!
//! What is looked at is the finished function: some arguments get a stricter action than the multiplexer has for that call,
//! others another one, both in one environment.

use kpol_grammar::ast::{self, Pattern, PatternKind, Statement, StatementKind};

use super::build::{decided_at, decider};
use super::{Policy, witness};
use crate::diagnostic::{Code, Diagnostic, FileId, Span};
use crate::diagram::{Comparison, Leaf, Node, Operand, Store};
use crate::resolve::{Claim, MAX_NESTING, Resolved, Sink};
use crate::source::graph::Graph;
use crate::spec::multiplex::Multiplexer;
use crate::spec::{Action, Arch, Call, Environment, Nr};
use crate::tables::Syscall;

/// Where a condition does not bind.
struct Gap {
    arch: Arch,
    call: Syscall,
    nr: Nr,
    multiplexer: Multiplexer,
    through: Nr,
    /// Arguments of the direct call that are treated more strictly, in environments where that is in vain.
    strict: Node,
    /// Arguments of the multiplexer that lead past it, in these environments.
    open: Node,
    /// What the multiplexer gets.
    gets: Action,
}

/// Reports every condition that is walked around, once.
pub fn conditions(resolved: &Resolved, graph: &Graph, policy: &Policy, store: &mut Store, sink: &mut Sink) {
    for &arch in &policy.archs {
        for multiplexer in Multiplexer::ALL {
            let Some(through) = multiplexer.nr(arch) else { continue };
            for (call, first) in multiplexer.routes() {
                let Some(nr) = call.nr(arch) else { continue };
                let gap = gap(policy, store, arch, (call, nr), (multiplexer, through, first));
                // A set without a member is one of a store that is full: that is an error of its own.
                let found = gap.and_then(|gap| report(resolved, graph, policy, store, &gap));
                found.into_iter().for_each(|diagnostic| sink.push(diagnostic));
            }
        }
    }
}

fn gap(
    policy: &Policy,
    store: &mut Store,
    arch: Arch,
    (call, nr): (Syscall, Nr),
    (multiplexer, through, first): (Multiplexer, Nr, u32),
) -> Option<Gap> {
    let direct = policy.function.at(arch, nr);
    let around = policy.function.at(arch, through);
    if direct.is_leaf() {
        return None;
    }
    let operand = Operand { arg: 0, bits: 32, mask: u64::from(multiplexer.mask(arch)), signed: false };
    let route = store.compare(operand, Comparison::Eq, u64::from(first));
    let conditional = asks_arguments(store, direct);
    for gets in actions(store, around).into_iter().rev().filter(|action| !action.refuses()) {
        let open = store.where_action(around, &|action| action == gets);
        let open = store.and(open, route);
        let when = store.for_some_arguments(open);
        let when = store.and(when, conditional);
        let strict = store.where_action(direct, &|action| action.precedence() < gets.precedence());
        let strict = store.and(strict, when);
        if strict != Node::FALSE {
            let when = store.for_some_arguments(strict);
            let open = store.and(open, when);
            return Some(Gap { arch, call, nr, multiplexer, through, strict, open, gets });
        }
    }
    None
}

/// The actions that a function gives, the strictest first.
fn actions(store: &Store, node: Node) -> Vec<Action> {
    let mut actions: Vec<Action> = store
        .leaves(node)
        .into_iter()
        .filter_map(|leaf| match leaf {
            Leaf::Act(action) => Some(action),
            Leaf::False | Leaf::True => None,
        })
        .collect();
    actions.sort_by_key(|action| action.precedence());
    actions
}

/// The environments in which what a call gets hangs on its arguments.
fn asks_arguments(store: &mut Store, node: Node) -> Node {
    let mut all = Node::FALSE;
    for wanted in actions(store, node) {
        let is = store.where_action(node, &|action| action == wanted);
        let is_not = store.not(is);
        let (some, others) = (store.for_some_arguments(is), store.for_some_arguments(is_not));
        let both = store.and(some, others);
        all = store.or(all, both);
    }
    all
}

fn report(resolved: &Resolved, graph: &Graph, policy: &Policy, store: &Store, gap: &Gap) -> Option<Diagnostic> {
    let (call, through) = (gap.call.name(), gap.multiplexer.call().name());
    let claims = resolved.claims.get(&gap.arch).and_then(|calls| calls.get(&gap.nr)).map_or(&[][..], Vec::as_slice);
    // The rule whose action is in vain, or the one whose condition draws the line to the default.
    let rule = match at(store, gap.arch, gap.nr, gap.strict) {
        Some((at, environment)) => decider(resolved, store, gap.arch, gap.nr, &environment, &at.args),
        None => None,
    };
    let rule = rule.or_else(|| claims.iter().find(|claim| claim.member.set != Node::TRUE));
    let start = Span { file: graph.files.first().map_or(FileId(0), |file| file.id), bytes: ast::Span::default() };
    let place = rule.map_or(start, |claim| claim.member.via.pattern);
    let (open, _) = store.witness(gap.open, &|leaf| leaf == Leaf::True)?;
    let (example, environment) = witness::call(gap.arch, gap.through, &open);
    let opener = decider(resolved, store, gap.arch, gap.through, &environment, &example.args);
    let around = resolved.claims.get(&gap.arch).and_then(|calls| calls.get(&gap.through)).into_iter().flatten();
    let openly = around
        .filter(|claim| opener.is_some_and(|opener| opener.priority == claim.priority))
        .filter(|claim| store.at(claim.member.set, &environment, &example.args) == Leaf::True)
        .any(|claim| is_named(resolved, graph, gap, claim));
    let code = if openly || only_logs(policy, store, gap) { Code::W024 } else { Code::E081 };

    let refusal = refusal(resolved, gap, opener);
    let unconditional = rule.map(|claim| {
        let over = if claim.priority > 0 { "override " } else { "" };
        format!("`{over}{} {{ {call} }}`", claim.action)
    });
    let shown = witness::describe(gap.arch, gap.through, Some(through), &open);
    let message = format!("`{through}` on {} passes by this condition on `{call}`", gap.arch);
    let mut diagnostic = Diagnostic::new(code, place, message)
        .note(format!(
            "it does what `{call}` does with arguments in memory, where no filter looks: {shown} gets `{}`",
            gap.gets
        ))
        .help(match unconditional {
            Some(rule) => format!("refuse it, `{refusal}`, or drop the condition, {rule}"),
            None => format!("refuse it, `{refusal}`"),
        });
    if let Some((span, _)) = decided_at(resolved, store, gap.arch, gap.through, &environment, &example.args) {
        diagnostic = diagnostic.related(span, format!("`{through}` gets `{}` here", gap.gets));
    }
    // An override of the first file cannot win over one of its own.
    let root = graph.files.first().filter(|file| opener.is_none_or(|claim| claim.priority < file.level));
    if let Some(root) = root.filter(|_| code == Code::E081)
        && let Some(last) = root.tree.statements.last()
    {
        let end = ast::Span { start: last.span.end, end: last.span.end };
        let span = Span { file: root.id, bytes: end };
        diagnostic = diagnostic.fix(format!("add `{refusal}`"), span, format!("\n{refusal}"));
    }
    Some(diagnostic)
}

/// A call out of a set.
fn at(store: &Store, arch: Arch, nr: Nr, set: Node) -> Option<(Call, Environment)> {
    store.witness(set, &|leaf| leaf == Leaf::True).map(|(cube, _)| witness::call(arch, nr, &cube))
}

/// Whether all that is in vain is that calls are logged.
fn only_logs(policy: &Policy, store: &Store, gap: &Gap) -> bool {
    let direct = policy.function.at(gap.arch, gap.nr);
    let stricter = |action: &Action| action.precedence() < gap.gets.precedence();
    actions(store, direct).iter().filter(|action| stricter(action)).all(|action| *action == Action::Log)
}

/// The rule that refuses the way round, in conflict with no other.
fn refusal(resolved: &Resolved, gap: &Gap, opener: Option<&Claim>) -> String {
    let through = gap.multiplexer.call();
    let unclaimed = resolved.archs.iter().all(|arch| {
        let calls = resolved.claims.get(arch);
        through.nr(*arch).is_none_or(|nr| calls.is_none_or(|calls| !calls.contains_key(&nr)))
    });
    if unclaimed {
        return format!("deny(ENOSYS) {{ {} }}", through.name());
    }
    let over = if opener.is_some() { "override " } else { "" };
    format!("{over}deny(ENOSYS) {{ {} }}", gap.multiplexer.pattern(gap.call))
}

/// Whether a rule or a group that led to this claim names the multiplexer itself, outside of kpolc's own files.
fn is_named(resolved: &Resolved, graph: &Graph, gap: &Gap, claim: &Claim) -> bool {
    let wanted = gap.multiplexer.call().name();
    let names = |pattern: &Pattern| matches!(&pattern.kind, PatternKind::Call { name, .. } if name.text == wanted);
    let mut via = claim.member.via;
    for _ in 0..=MAX_NESTING {
        let Some(group) = via.group else {
            let file = graph.get(via.file()).filter(|file| !file.builtin);
            let rule = file.and_then(|file| patterns_at(&file.tree.statements, via.pattern.bytes));
            return rule.is_some_and(|patterns| {
                patterns.iter().any(|pattern| pattern.span == via.pattern.bytes && names(pattern))
            });
        };
        // What several patterns of a group have in common is noted for the first of them only.
        let Some(info) = resolved.groups.get(group.0 as usize).filter(|info| !info.builtin) else { return false };
        let file = graph.get(info.span.file);
        let members = file.and_then(|file| patterns_at(&file.tree.statements, info.span.bytes));
        if members.is_some_and(|patterns| patterns.iter().any(names)) {
            return true;
        }
        let Some(inner) = resolved.group_sets.get(&(group, gap.arch)).and_then(|set| set.get(&gap.through)) else {
            return false;
        };
        via = inner.via;
    }
    false
}

/// The patterns of the rule or group around a place. Recursion is bounded by the parser's nesting.
fn patterns_at(statements: &[Statement], place: ast::Span) -> Option<&[Pattern]> {
    let holds = |statement: &&Statement| statement.span.start <= place.start && place.end <= statement.span.end;
    match &statements.iter().find(holds)?.kind {
        StatementKind::When { body, .. } => patterns_at(body, place),
        StatementKind::Rule { patterns, .. } | StatementKind::Group { patterns, .. } => Some(patterns),
        _ => None,
    }
}
