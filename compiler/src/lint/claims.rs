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

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Context;
use crate::diagnostic::{Code, Diagnostic, FileId, Span};
use crate::diagram::Node;
use crate::resolve::{Claim, RuleId};
use crate::spec::{Action, Arch, Nr};

/// Claims that can stand for each other: on one number, from one file, of one level, with one action.
type Kind = (Arch, Nr, FileId, u32, Action);

/// A pattern's claim, and what patterns of its kind before it claim together.
struct Place<'a> {
    kind: Kind,
    claim: &'a Claim,
    before: Node,
}

pub(super) fn lint(context: &mut Context<'_>) {
    let (patterns, steady, all) = gather(context);
    let dead = dead(context, &patterns, &steady);
    for (&span, &other) in &dead {
        context.push(
            Diagnostic::new(Code::W012, span, "this decides nothing: an override always wins over it")
                .related(other, "the override")
                .help("remove it, or the override"),
        );
    }
    duplicates(context, &patterns, &dead);
    idle_overrides(context, &all);
}

/// What each kind of claim covers.
type Unions = BTreeMap<Kind, Node>;

/// Every pattern with its claims, in the order of the text; what each kind of claim covers on every host; and what on
/// this one. What options have settled may be otherwise on another host: it makes nothing superfluous.
fn gather<'a>(context: &mut Context<'a>) -> (BTreeMap<Span, Vec<Place<'a>>>, Unions, Unions) {
    let resolved = context.resolved;
    let mut patterns: BTreeMap<Span, Vec<Place<'a>>> = BTreeMap::new();
    let (mut steady, mut all) = (Unions::new(), Unions::new());
    for (&arch, calls) in &resolved.claims {
        for (&nr, claims) in calls {
            for claim in claims {
                let file = claim.member.via.file();
                let kind = (arch, nr, file, claim.priority, claim.action);
                let union = all.entry(kind).or_insert(Node::FALSE);
                *union = context.store.or(*union, claim.member.set);
                if resolved.settled.contains(&claim.member.via.pattern) {
                    continue;
                }
                let union = steady.entry(kind).or_insert(Node::FALSE);
                let before = *union;
                *union = context.store.or(before, claim.member.set);
                if !context.is_builtin(file) {
                    patterns.entry(claim.member.via.pattern).or_default().push(Place { kind, claim, before });
                }
            }
        }
    }
    (patterns, steady, all)
}

/// Patterns over all of which overrides of the same file win, each with one of them.
fn dead(context: &mut Context<'_>, patterns: &BTreeMap<Span, Vec<Place<'_>>>, unions: &Unions) -> BTreeMap<Span, Span> {
    let mut above: HashMap<(Arch, Nr, FileId), Vec<(Kind, Node)>> = HashMap::new();
    for (&kind, &union) in unions.iter().filter(|(kind, _)| kind.3 > 0) {
        above.entry((kind.0, kind.1, kind.2)).or_default().push((kind, union));
    }
    let mut dead = BTreeMap::new();
    for (&span, places) in patterns {
        let mut winner = None;
        let all = places.iter().all(|place| {
            let (arch, nr, file, priority, action) = place.kind;
            let mut rest = place.claim.member.set;
            for &(kind, union) in above.get(&(arch, nr, file)).into_iter().flatten() {
                if kind.3 > priority && kind.4 != action {
                    winner.get_or_insert(kind);
                    rest = context.store.minus(rest, union);
                }
            }
            rest == Node::FALSE
        });
        let Some(kind) = winner.filter(|_| all) else { continue };
        let claims = context.resolved.claims.get(&kind.0).and_then(|calls| calls.get(&kind.1));
        let is = |claim: &&Claim| {
            (claim.member.via.file(), claim.priority, claim.action) == (kind.2, kind.3, kind.4)
                && !context.resolved.settled.contains(&claim.member.via.pattern)
        };
        if let Some(other) = claims.into_iter().flatten().find(is) {
            dead.insert(span, other.member.via.pattern);
        }
    }
    dead
}

/// Patterns that others of their kind say already. Of two that say the same, the later one is too much: so the last
/// pattern is looked at first, and whatever is found no longer counts for those before it.
fn duplicates(context: &mut Context<'_>, patterns: &BTreeMap<Span, Vec<Place<'_>>>, dead: &BTreeMap<Span, Span>) {
    let mut behind: HashMap<Kind, Node> = HashMap::new();
    let mut gone: HashSet<Span> = HashSet::new();
    for (&span, places) in patterns.iter().rev() {
        let said = !dead.contains_key(&span)
            && places.iter().all(|place| {
                let later = behind.get(&place.kind).copied().unwrap_or(Node::FALSE);
                let others = context.store.or(place.before, later);
                context.store.minus(place.claim.member.set, others) == Node::FALSE
            });
        if !said {
            for place in places {
                let known = behind.entry(place.kind).or_insert(Node::FALSE);
                *known = context.store.or(*known, place.claim.member.set);
            }
            continue;
        }
        gone.insert(span);
        let Some(first) = places.first() else { continue };
        let (arch, nr, ..) = first.kind;
        let claims = context.resolved.claims.get(&arch).and_then(|calls| calls.get(&nr));
        let other = claims.into_iter().flatten().find(|other| {
            let pattern = other.member.via.pattern;
            (arch, nr, pattern.file, other.priority, other.action) == first.kind
                && !gone.contains(&pattern)
                && context.store.and(other.member.set, first.claim.member.set) != Node::FALSE
        });
        let diagnostic = Diagnostic::new(Code::W013, span, "this is already said").help("remove it");
        context.push(match other {
            Some(other) => diagnostic.related(other.member.via.pattern, "here"),
            None => diagnostic,
        });
    }
}

/// Overrides of the first file that win over no rule of another action.
fn idle_overrides(context: &mut Context<'_>, unions: &Unions) {
    let mut levels: HashMap<(Arch, Nr), Vec<(Kind, Node)>> = HashMap::new();
    for (&kind, &union) in unions {
        levels.entry((kind.0, kind.1)).or_default().push((kind, union));
    }
    let root = context.root();
    let resolved = context.resolved;
    let mut overrides: BTreeMap<RuleId, bool> = BTreeMap::new();
    for (&arch, calls) in &resolved.claims {
        for (&nr, claims) in calls {
            let own = claims.iter().filter(|claim| claim.priority > 0 && claim.member.via.file() == root);
            for claim in own {
                let beats = levels.get(&(arch, nr)).into_iter().flatten().any(|&((.., below, action), union)| {
                    below < claim.priority
                        && action != claim.action
                        && context.store.and(union, claim.member.set) != Node::FALSE
                });
                let elsewhere =
                    resolved.elsewhere.iter().any(|other| other.0 == arch && other.1 == nr && other.2 != claim.action);
                *overrides.entry(claim.rule).or_default() |= beats || elsewhere;
            }
        }
    }
    for (rule, _) in overrides.into_iter().filter(|(_, beats)| !beats) {
        let span = resolved.rules[rule.0 as usize].span;
        context.push(
            Diagnostic::new(Code::W017, span, "this override wins over nothing")
                .help("no other rule speaks of these calls with another action: a plain rule is enough"),
        );
    }
}
