//! W023: `not allow`, where `refused` may be meant.
//!
//! ```text
//! assert "calls nobody" { not allow { connect } }      holds of `trace { connect }` too, and then a tracer lets it run
//! ```
//!
//! It is silent where the same assert excludes `log`, `trace` and `notify` for these calls as well, or says that they are
//! refused. The fix is there where it changes nothing today: `refused` holds, or there is no policy yet.

use std::collections::BTreeMap;

use kpol_grammar::ast::{self, Outcome, Statement, StatementKind};

use super::Context;
use crate::diagnostic::{Code, Diagnostic, Edit, Fix, Safety, Span};
use crate::diagram::Node;
use crate::policy::Policy;
use crate::resolve::{Assertion, Promise};
use crate::source::graph::GraphFile;
use crate::spec::{Action, Arch, Nr, Wanted};

pub(super) fn lint(context: &mut Context<'_>, policy: Option<&Policy>) {
    let resolved = context.resolved;
    let assertions: BTreeMap<Span, &Assertion> =
        resolved.assertions.iter().map(|assertion| (assertion.span, assertion)).collect();
    for file in context.graph.files.iter().filter(|file| !file.builtin) {
        let mut asserts = Vec::new();
        collect(&file.tree.statements, &mut asserts);
        for claims in asserts {
            let known = |claim: &ast::Claim| assertions.get(&Span { file: file.id, bytes: claim.span }).copied();
            for (index, claim) in claims.iter().enumerate() {
                let (Some(words), Some(assertion)) = (not_allow(claim), known(claim)) else { continue };
                let others: Vec<&Assertion> = claims.iter().filter_map(known).collect();
                let passing = passing(context, assertion, &others);
                if passing.is_empty() {
                    continue;
                }
                let span = Span { file: file.id, bytes: words };
                let passing = kpol_grammar::words::one_of(&passing);
                let mut diagnostic =
                    Diagnostic::new(Code::W023, span, format!("`not allow` lets calls pass that run under {passing}"))
                        .help("write `refused`, if these calls shall not run");
                if policy.is_none_or(|policy| are_refused(context, policy, assertion)) {
                    let mut edits = vec![Edit { span, text: "refused".to_owned() }];
                    edits.extend(superfluous(context, file, claims, index, assertion, &known));
                    diagnostic.fix = Some(Fix {
                        title: "replace `not allow` by `refused`".to_owned(),
                        edits,
                        // It asserts more.
                        safety: Safety::Unsafe,
                    });
                }
                context.push(diagnostic);
            }
        }
    }
}

/// Recursion is bounded by the parser's nesting.
fn collect<'a>(statements: &'a [Statement], all: &mut Vec<&'a [ast::Claim]>) {
    for statement in statements {
        match &statement.kind {
            StatementKind::Assert { claims, .. } => all.push(claims),
            StatementKind::When { body, .. } => collect(body, all),
            _ => {}
        }
    }
}

/// The place of the words `not allow`.
fn not_allow(claim: &ast::Claim) -> Option<ast::Span> {
    match (&claim.outcome, claim.negated) {
        (Outcome::Action(action), Some(not)) if action.word.text == "allow" => Some(not.to(action.word.span)),
        _ => None,
    }
}

/// Under which actions calls of `assertion` may still run, for all that the statements beside it say.
fn passing(context: &mut Context<'_>, assertion: &Assertion, others: &[&Assertion]) -> Vec<&'static str> {
    const RUNNING: [Action; 3] = [Action::Log, Action::Trace(0), Action::Notify];
    let excludes = |wanted: Wanted, running: Action| match wanted {
        Wanted::Refused => true,
        Wanted::Action(action) => action.refuses(),
        Wanted::Not(action) => action.word() == running.word(),
        Wanted::Runs => false,
    };
    let mut words = Vec::new();
    for running in RUNNING {
        let passes = assertion.promises.iter().any(|(arch, promise)| {
            promise.calls.iter().any(|(nr, member)| {
                let mut rest = member.set;
                for other in others.iter().filter_map(|other| other.promises.get(arch)) {
                    if let Some(other) = other.calls.get(nr).filter(|_| excludes(other.wanted, running)) {
                        rest = context.store.minus(rest, other.set);
                    }
                }
                rest != Node::FALSE
            })
        });
        if passes {
            words.push(match running {
                Action::Log => "`log`",
                Action::Notify => "`notify`",
                _ => "`trace`",
            });
        }
    }
    words
}

/// Whether `refused` would hold in place of `not allow`.
fn are_refused(context: &mut Context<'_>, policy: &Policy, assertion: &Assertion) -> bool {
    let calls = |promise: &Promise| -> Vec<(Nr, Node)> {
        promise.calls.iter().chain(&promise.hidden).map(|(&nr, member)| (nr, member.set)).collect()
    };
    let all: Vec<(Arch, Nr, Node)> = assertion
        .promises
        .iter()
        .flat_map(|(&arch, promise)| calls(promise).into_iter().map(move |(nr, set)| (arch, nr, set)))
        .collect();
    all.into_iter().all(|(arch, nr, set)| {
        let runs = context.store.where_action(policy.function.at(arch, nr), &|action| !action.refuses());
        context.store.and(runs, set) == Node::FALSE
    })
}

/// Removes the statements behind it that `refused` says as well: `not log`, `not trace` and `not notify` of no other calls.
fn superfluous<'a>(
    context: &mut Context<'_>,
    file: &GraphFile,
    claims: &[ast::Claim],
    index: usize,
    assertion: &Assertion,
    known: &dyn Fn(&ast::Claim) -> Option<&'a Assertion>,
) -> Vec<Edit> {
    let mut edits = Vec::new();
    for pair in claims[index..].windows(2) {
        let [before, claim] = pair else { continue };
        let Some(other) = known(claim) else { continue };
        let said = other.promises.iter().all(|(arch, promise)| {
            let running = matches!(promise.wanted, Wanted::Not(action) if !action.refuses() && action != Action::Allow);
            let ours = assertion.promises.get(arch);
            running
                && promise.calls.iter().all(|(nr, member)| {
                    let set = ours.and_then(|ours| ours.calls.get(nr)).map_or(Node::FALSE, |ours| ours.set);
                    context.store.minus(member.set, set) == Node::FALSE
                })
        });
        let gone = ast::Span { start: before.span.end, end: claim.span.end };
        let commented =
            file.tree.comments.iter().any(|comment| gone.start <= comment.span.start && comment.span.end <= gone.end);
        if said && !commented {
            edits.push(Edit { span: Span { file: file.id, bytes: gone }, text: String::new() });
        }
    }
    edits
}
