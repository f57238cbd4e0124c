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

use rustc_hash::{FxHashMap, FxHashSet};

use super::Context;
use crate::diagnostic::{Code, Diagnostic, FileId, Span};
use crate::diagram::Node;
use crate::resolve::{Claim, RuleId};
use crate::spec::{Action, Arch, Nr};

/// Claims that can stand for each other: on one number, from one file, of one level, with one action.
type Kind = (Arch, Nr, FileId, u32, Action);

/// So many claims are looked at to show where something is said already.
const MOST_LOOKED_AT: usize = 256;

/// A pattern's claim, and what patterns of its kind before it claim together.
struct Place<'a> {
    kind: Kind,
    claim: &'a Claim,
    before: Node,
}

/// Patterns with all their claims, in the order of the text.
type Patterns<'a> = BTreeMap<Span, Vec<Place<'a>>>;

/// What each kind of claim covers.
type Unions = BTreeMap<Kind, Node>;

/// `void` are patterns of which it is known already that a wider rule stands beside them.
pub(super) fn lint(context: &mut Context<'_>, void: &[Span]) {
    let has_overrides = context.resolved.rules.iter().any(|rule| rule.priority > 0);
    // What options have settled may be otherwise on another host: it makes nothing superfluous.
    let steady = if has_overrides { unions(context, true) } else { Unions::new() };
    let patterns = gather(context, &steady);
    let dead = dead(context, &patterns, &steady);
    for (&span, &other) in &dead {
        context.push(
            Diagnostic::new(Code::W012, span, "this decides nothing: an override always wins over it")
                .related(other, "the override")
                .help("remove it, or the override"),
        );
    }
    duplicates(context, &patterns, &dead, void);
    if has_overrides {
        let all = unions(context, false);
        idle_overrides(context, &all);
    }
}

fn kind_of(arch: Arch, nr: Nr, claim: &Claim) -> Kind {
    (arch, nr, claim.member.via.file(), claim.priority, claim.action)
}

/// What each kind of claim covers, of calls that overrides speak of; if `steady`, on every host.
fn unions(context: &mut Context<'_>, steady: bool) -> Unions {
    let resolved = context.resolved;
    let mut all = Unions::new();
    let mut sets: BTreeMap<Kind, Vec<Node>> = BTreeMap::new();
    for (&arch, calls) in &resolved.claims {
        // Only what overrides may win over, or be won over by.
        for (&nr, claims) in calls.iter().filter(|(_, claims)| claims.iter().any(|claim| claim.priority > 0)) {
            for claim in claims {
                if !steady || !resolved.settled.contains(&claim.member.via.pattern) {
                    sets.entry(kind_of(arch, nr, claim)).or_default().push(claim.member.set);
                }
            }
            all.extend(std::mem::take(&mut sets).into_iter().map(|(kind, sets)| (kind, context.store.union(sets))));
        }
    }
    all
}

/// The patterns that may be superfluous: those that share calls with others of their kind, and those of files with
/// overrides. Of most policies, with thousands of claims that have nothing to do with each other, that is none.
fn gather<'a>(context: &mut Context<'a>, steady: &Unions) -> Patterns<'a> {
    let resolved = context.resolved;
    let overriding: HashSet<FileId> = steady.keys().filter(|kind| kind.3 > 0).map(|kind| kind.2).collect();
    let mut shared: FxHashMap<Kind, Node> = FxHashMap::default();
    let mut found: FxHashSet<Span> = FxHashSet::default();
    for (&arch, calls) in &resolved.claims {
        for (&nr, claims) in calls {
            if claims.len() < 2 && overriding.is_empty() {
                continue;
            }
            for (kind, claims) in by_kind(context, arch, nr, claims) {
                if overriding.contains(&kind.2) {
                    found.extend(claims.iter().map(|claim| claim.member.via.pattern));
                }
                if claims.len() < 2 {
                    continue;
                }
                let twice = context.store.cover(claims.iter().map(|claim| claim.member.set).collect()).twice;
                if twice == Node::FALSE {
                    continue;
                }
                shared.insert(kind, twice);
                let sharing = claims.iter().filter(|claim| context.store.and(claim.member.set, twice) != Node::FALSE);
                found.extend(sharing.map(|claim| claim.member.via.pattern));
            }
        }
    }
    let mut patterns = Patterns::new();
    if found.is_empty() {
        return patterns;
    }
    for (&arch, calls) in &resolved.claims {
        for (&nr, claims) in calls {
            for (kind, claims) in by_kind(context, arch, nr, claims) {
                let twice = shared.get(&kind).copied().unwrap_or(Node::FALSE);
                let mut union = Node::FALSE;
                for claim in claims {
                    let (set, pattern, before) = (claim.member.set, claim.member.via.pattern, union);
                    // Whoever shares no call with others makes none of them superfluous.
                    if context.store.and(set, twice) != Node::FALSE {
                        union = context.store.or(union, set);
                    }
                    if found.contains(&pattern) {
                        patterns.entry(pattern).or_default().push(Place { kind, claim, before });
                    }
                }
            }
        }
    }
    patterns
}

/// Claims on a number that are not kpolc's own and hold on every host, by kind.
fn by_kind<'a>(context: &Context<'_>, arch: Arch, nr: Nr, claims: &'a [Claim]) -> Vec<(Kind, Vec<&'a Claim>)> {
    let mut kinds: Vec<(Kind, Vec<&Claim>)> = Vec::new();
    let mut place_of: FxHashMap<Kind, usize> = FxHashMap::default();
    for claim in claims {
        let pattern = claim.member.via.pattern;
        if context.is_builtin(pattern.file) || context.resolved.settled.contains(&pattern) {
            continue;
        }
        let kind = kind_of(arch, nr, claim);
        match kinds.last_mut() {
            // Mostly the same as that of the claim before.
            Some((last, list)) if *last == kind => list.push(claim),
            _ => match place_of.get(&kind) {
                Some(&place) => kinds[place].1.push(claim),
                None => {
                    place_of.insert(kind, kinds.len());
                    kinds.push((kind, vec![claim]));
                }
            },
        }
    }
    kinds
}

/// Patterns over all of which overrides of the same file win, each with one of them.
fn dead(context: &mut Context<'_>, patterns: &Patterns<'_>, unions: &Unions) -> BTreeMap<Span, Span> {
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
fn duplicates(context: &mut Context<'_>, patterns: &Patterns<'_>, dead: &BTreeMap<Span, Span>, void: &[Span]) {
    let mut behind: FxHashMap<Kind, Node> = FxHashMap::default();
    let mut gone: FxHashSet<Span> = FxHashSet::default();
    let mut same: FxHashMap<(Kind, Node), Vec<&Claim>> = FxHashMap::default();
    for place in patterns.values().flatten() {
        same.entry((place.kind, place.claim.member.set)).or_default().push(place.claim);
    }
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
        // Where it is said: not all are looked at, which would take longer than to find out that it is.
        let equal = same.get(&(first.kind, first.claim.member.set)).into_iter().flatten().copied();
        let near = claims.into_iter().flatten().take(MOST_LOOKED_AT);
        let other = near.chain(equal.take(MOST_LOOKED_AT)).find(|other| {
            let pattern = other.member.via.pattern;
            (arch, nr, pattern.file, other.priority, other.action) == first.kind
                && !gone.contains(&pattern)
                && context.store.and(other.member.set, first.claim.member.set) != Node::FALSE
        });
        if void.contains(&span) {
            continue;
        }
        // Of a wider and a narrower pattern nobody knows which one is meant.
        let wider = other.is_some_and(|other| other.member.set != first.claim.member.set);
        let help = if wider {
            "the other is wider: narrow it where this condition is to hold, else remove this"
        } else {
            "remove it"
        };
        let diagnostic = Diagnostic::new(Code::W013, span, "this is already said").help(help);
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
    let mut elsewhere: HashMap<(Arch, Nr), Vec<Action>> = HashMap::new();
    for &(arch, nr, action) in &resolved.elsewhere {
        let actions = elsewhere.entry((arch, nr)).or_default();
        // Two tell whether there is another one, whichever is asked about.
        if actions.len() < 2 {
            actions.push(action);
        }
    }
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
                let elsewhere = elsewhere.get(&(arch, nr)).into_iter().flatten();
                let mut others = elsewhere.filter(|action| **action != claim.action);
                *overrides.entry(claim.rule).or_default() |= beats || others.next().is_some();
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
