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
use crate::diagnostic::{Code, Diagnostic, FileId, Span};
use crate::diagram::Node;
use crate::resolve::{Claim, RuleId};
use crate::spec::Action;

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
            let mut unions = Unions::new(context, claims);
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
                let dead = if unions.overrule(context, claim) {
                    let above = claims.iter().filter(same_file).filter(|other| other.priority > claim.priority);
                    covering(context, claim, above.filter(|other| other.action != claim.action))
                } else {
                    None
                };
                let duplicate = if unions.repeat(context, claim) {
                    let equal = claims[..index].iter().filter(same_file).filter(|other| {
                        other.priority == claim.priority
                            && other.action == claim.action
                            && other.member.via.pattern != claim.member.via.pattern
                    });
                    covering(context, claim, equal)
                } else {
                    None
                };
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

/// What the claims on one call say together. Most claims are neither dead nor said before, and this tells so at once,
/// where looking at every other claim would take time with the square of their number.
struct Unions {
    /// All claims of a file and a level for one action.
    all: BTreeMap<(FileId, u32, Action), Node>,
    /// Those that have been looked at.
    before: BTreeMap<(FileId, u32, Action), Node>,
}

impl Unions {
    fn new(context: &mut Context<'_>, claims: &[Claim]) -> Self {
        let mut all = BTreeMap::new();
        // Where all have one level, none overrules another.
        if claims.iter().any(|claim| claim.priority != claims[0].priority) {
            for claim in claims {
                let union = all.entry(key(claim)).or_insert(Node::FALSE);
                *union = context.store.or(*union, claim.member.set);
            }
        }
        Self { all, before: BTreeMap::new() }
    }

    /// Whether claims of higher levels of the same file with other actions may hold all of it.
    fn overrule(&self, context: &mut Context<'_>, claim: &Claim) -> bool {
        let (file, priority, action) = key(claim);
        let mut rest = claim.member.set;
        for (&(other, level, said), &union) in &self.all {
            if other == file && level > priority && said != action {
                rest = context.store.minus(rest, union);
            }
        }
        rest == Node::FALSE
    }

    /// Whether earlier claims like this one hold all of it; counts it among them.
    fn repeat(&mut self, context: &mut Context<'_>, claim: &Claim) -> bool {
        let before = self.before.entry(key(claim)).or_insert(Node::FALSE);
        let new = context.store.minus(claim.member.set, *before);
        *before = context.store.or(*before, claim.member.set);
        new == Node::FALSE
    }
}

fn key(claim: &Claim) -> (FileId, u32, Action) {
    (claim.member.via.file(), claim.priority, claim.action)
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
