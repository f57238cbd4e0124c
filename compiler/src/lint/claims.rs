//! W012, W013, W017: rules that say nothing which others do not say.
//!
//! ```text
//! allow { @basic-io, read }       W013: `read` is in `@basic-io`
//! allow { mount }
//! override kill { mount }         W012: the rule above never decides anything
//! override deny { ptrace }        W017, where no other rule speaks of `ptrace`
//! ```
//!
//! Only rules of one file are compared: that an included file says the same, or is overruled, is what it is for.

use std::collections::BTreeMap;

use super::Context;
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::diagram::Node;
use crate::resolve::{Claim, RuleId};

/// What is known of a pattern over all calls that it names.
struct Verdict {
    dead: bool,
    duplicate: bool,
    other: Option<Span>,
}

pub(super) fn lint(context: &mut Context<'_>) {
    let mut patterns: BTreeMap<Span, Verdict> = BTreeMap::new();
    let mut overrides: BTreeMap<RuleId, bool> = BTreeMap::new();
    let root = context.root();
    let resolved = context.resolved;
    for calls in resolved.claims.values() {
        for claims in calls.values() {
            for (index, claim) in claims.iter().enumerate() {
                let file = claim.member.via.file();
                if context.is_builtin(file) {
                    continue;
                }
                if claim.priority > 0 && file == root {
                    let beats = claims.iter().any(|below| {
                        below.priority < claim.priority
                            && below.action != claim.action
                            && context.store.and(below.member.set, claim.member.set) != Node::FALSE
                    });
                    *overrides.entry(claim.rule).or_default() |= beats;
                }
                let same_file = |other: &&Claim| other.member.via.file() == file;
                let above = claims.iter().filter(same_file).filter(|other| other.priority > claim.priority);
                let dead = covering(context, claim, above.filter(|other| other.action != claim.action));
                let before = claims[..index].iter().filter(same_file);
                let equal = before.filter(|other| {
                    other.priority == claim.priority
                        && other.action == claim.action
                        && other.member.via.pattern != claim.member.via.pattern
                });
                let duplicate = covering(context, claim, equal);
                let verdict = patterns.entry(claim.member.via.pattern).or_insert(Verdict {
                    dead: true,
                    duplicate: true,
                    other: dead.or(duplicate),
                });
                verdict.dead &= dead.is_some();
                verdict.duplicate &= duplicate.is_some();
            }
        }
    }
    for (span, verdict) in patterns {
        let diagnostic = if verdict.dead {
            Diagnostic::new(Code::W012, span, "this decides nothing: an override always wins over it")
                .help("remove it, or the override")
        } else if verdict.duplicate {
            Diagnostic::new(Code::W013, span, "this is already said").help("remove it")
        } else {
            continue;
        };
        let other = verdict.other.map(|other| (other, if verdict.dead { "the override" } else { "here" }));
        context.push(match other {
            Some((place, words)) => diagnostic.related(place, words),
            None => diagnostic,
        });
    }
    for (rule, beats) in overrides {
        if !beats {
            let span = context.resolved.rules[rule.0 as usize].span;
            context.push(
                Diagnostic::new(Code::W017, span, "this override wins over nothing")
                    .help("no other rule speaks of these calls with another action: a plain rule is enough"),
            );
        }
    }
}

/// Whether `others` together hold all of the claim; the place of the first of them that matters.
fn covering<'a>(context: &mut Context<'_>, claim: &Claim, others: impl Iterator<Item = &'a Claim>) -> Option<Span> {
    let mut rest = claim.member.set;
    let mut place = None;
    for other in others {
        let left = context.store.minus(rest, other.member.set);
        if left != rest {
            place.get_or_insert(other.member.via.pattern);
            rest = left;
        }
        if rest == Node::FALSE {
            return place;
        }
    }
    None
}
