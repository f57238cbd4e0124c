//! W031: a condition that another rule makes void.
//!
//! ```text
//! allow { mmap(prot & PROT_EXEC == 0) }        by this rule no memory that can be executed
//! include <base/runtime>                       which allows every `mmap`: W031, with mmap(prot = PROT_EXEC) as witness
//! ```
//!
//! Rules of one action add up, so a rule without the condition wins over one with it, in whichever file the two are. What the library
//! narrows is left out: where that is for safety, the library asserts it, and widening it is an error (E042); else it is narrow since
//! nothing more is needed.

use std::collections::BTreeMap;

use super::{Context, may_run};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::diagram::{Leaf, Node};
use crate::policy::build::{call_name, name, places};
use crate::policy::{Policy, witness};
use crate::resolve::Claim;
use crate::spec::{Arch, Nr};

/// The first call in which a pattern's condition is void.
struct Void<'a> {
    wide: &'a Claim,
    arch: Arch,
    nr: Nr,
    call: String,
    witness: String,
}

/// Warns, and says of which patterns.
pub(super) fn lint(context: &mut Context<'_>, policy: &Policy) -> Vec<Span> {
    let resolved = context.resolved;
    let mut found: BTreeMap<Span, Void<'_>> = BTreeMap::new();
    for (&arch, calls) in &resolved.claims {
        for (&nr, claims) in calls.iter().filter(|(_, claims)| claims.len() > 1) {
            let everything = |claim: &&Claim| claim.member.set == Node::TRUE && may_run(claim.action);
            let Some(wide) = claims.iter().filter(everything).max_by_key(|claim| claim.priority) else { continue };
            for claim in claims {
                let pattern = claim.member.via.pattern;
                let narrower = may_run(claim.action)
                    && (claim.action == wide.action || claim.priority < wide.priority)
                    && !context.is_builtin(pattern.file)
                    && !found.contains_key(&pattern);
                if !narrower || !asks_arguments(context, claim.member.set) {
                    continue;
                }
                // Another rule may refuse what the condition leaves out.
                let runs = context.store.where_action(policy.function.at(arch, nr), &may_run);
                let outside = context.store.minus(runs, claim.member.set);
                let Some((cube, _)) = context.store.witness(outside, &|leaf| leaf == Leaf::True) else { continue };
                let call = call_name(resolved, arch, nr);
                let witness = witness::describe(arch, nr, name(resolved, arch, nr), &cube);
                found.insert(pattern, Void { wide, arch, nr, call, witness });
            }
        }
    }
    for (&pattern, void) in &found {
        let Void { wide, arch, nr, call, witness } = void;
        let help = if context.is_builtin(wide.member.via.pattern.file) {
            format!(
                "to keep the condition, refuse the other calls by `override deny {{ {call}(…) }}`; else remove it here"
            )
        } else {
            format!("to keep the condition, take `{call}` out of the wider rule by `except`; else remove it here")
        };
        let mut diagnostic = Diagnostic::new(Code::W031, pattern, "another rule makes this condition void")
            .related(wide.member.via.pattern, format!("`{}` for every `{call}`", wide.action))
            .note(format!("{witness} runs all the same"))
            .help(help);
        diagnostic.related.extend(places(resolved, context.graph, *arch, *nr, wide.member.via));
        context.push(diagnostic);
    }
    found.into_keys().collect()
}

/// Whether a set depends on arguments, and not on the environment alone.
fn asks_arguments(context: &mut Context<'_>, set: Node) -> bool {
    set != Node::TRUE && context.store.for_some_arguments(set) != set
}
