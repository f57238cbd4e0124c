//! `assert`: what is wanted of which calls.
//!
//! ```text
//! assert "kept in" { refused { @net } }     →   x86_64: refused, 41 all calls, 42 all calls, …
//! ```
//!
//! A statement that restricts a call also restricts `socketcall` and `ipc` where they reach it: whether a condition holds
//! behind a pointer no filter knows, so there it counts as fulfilled, and in an `except` as not.
//!
//! ```text
//! refused { socket(family == AF_ALG) }      →   x86: refused, 359 if arg0 is 38, and 102 if arg0 is 1 (SYS_SOCKET)
//! ```
//!
//! Proving it is the work of [`policy::proof`](crate::policy::proof).

use std::collections::BTreeMap;
use std::rc::Rc;

use kpol_grammar::ast::{self, Outcome, PatternKind};

use super::{Assertion, CallSet, GroupId, Guard, MAX_NESTING, Promise, Resolver};
use crate::diagnostic::{Code, Diagnostic, FileId, Span};
use crate::diagram::Node;
use crate::spec::multiplex::{self, Multiplexer};
use crate::spec::{Arch, Wanted};

impl<'a> Resolver<'a> {
    pub(super) fn assertion(&mut self, file: FileId, title: &ast::Name, claims: &'a [ast::Claim], guard: Guard) {
        let title_span = Span { file, bytes: title.span };
        if claims.is_empty() {
            self.warn_empty(title_span, "this asserts nothing");
        }
        for claim in claims {
            let span = Span { file, bytes: claim.span };
            if claim.patterns.is_empty() {
                self.warn_empty(span, "this asserts nothing");
            }
            self.check_claimed(&claim.patterns, file, guard.archs);
            if let Some(not) = claim.negated
                && let Some((word, opposite)) = negated_outcome(&claim.outcome)
            {
                self.not_outcome(Span { file, bytes: not.to(word) }, opposite);
                continue;
            }
            let mut promises = BTreeMap::new();
            let mut empty = vec![true; claim.patterns.len()];
            for arch in self.result.archs.clone().into_iter().filter(|&arch| guard.archs.has(arch)) {
                let Some(wanted) = self.wanted(claim, file, arch) else { continue };
                let mut calls = CallSet::new();
                for (pattern, empty) in claim.patterns.iter().zip(&mut empty) {
                    let set = self.pattern_set(pattern, file, arch, 0);
                    *empty &= set.is_empty();
                    for (nr, member) in set {
                        self.add(&mut calls, nr, member);
                    }
                }
                let wanted_hidden = wanted.behind_a_multiplexer();
                let mut hidden = match wanted_hidden {
                    Some(_) => self.hidden_calls(&claim.patterns, file, arch, &calls),
                    None => CallSet::new(),
                };
                for member in calls.values_mut().chain(hidden.values_mut()) {
                    member.set = self.store.and(member.set, guard.environment);
                }
                promises.insert(arch, Promise { wanted, calls, wanted_hidden, hidden });
            }
            if !self.is_spent() {
                let empty = claim.patterns.iter().zip(empty).filter(|(_, empty)| *empty).map(|(pattern, _)| pattern);
                self.report_empty(&empty.collect::<Vec<_>>(), file, guard);
            }
            let title = title.text.clone();
            self.result.assertions.push(Assertion { title, title_span, span, archs: guard.archs, promises });
        }
    }

    fn wanted(&mut self, claim: &'a ast::Claim, file: FileId, arch: Arch) -> Option<Wanted> {
        Some(match &claim.outcome {
            Outcome::Refused(_) => Wanted::Refused,
            Outcome::Runs(_) => Wanted::Runs,
            Outcome::Action(action) => {
                let action = self.action(action, file, arch)?;
                if claim.negated.is_some() { Wanted::Not(action) } else { Wanted::Action(action) }
            }
        })
    }

    /// Calls of `socketcall` and `ipc` that are perhaps calls which these patterns name under conditions, but for those that
    /// the patterns match anyway.
    fn hidden_calls(&mut self, patterns: &'a [ast::Pattern], file: FileId, arch: Arch, calls: &CallSet) -> CallSet {
        if Multiplexer::ALL.iter().all(|multiplexer| multiplexer.nr(arch).is_none()) {
            return CallSet::new();
        }
        self.reaching = true;
        let mut hidden = self.patterns_set(patterns, file, arch, 0);
        self.reaching = false;
        for (nr, member) in &mut hidden {
            if let Some(known) = calls.get(nr) {
                member.set = self.store.minus(member.set, known.set);
            }
        }
        hidden.retain(|_, member| member.set != Node::FALSE);
        hidden
    }

    /// Whether a group names, under a condition, a call that a multiplexer reaches. Of most it is known at once that they do not.
    pub(super) fn hides(&mut self, id: GroupId, depth: usize) -> bool {
        if let Some(&known) = self.hiding.get(&id) {
            return known;
        }
        if depth > MAX_NESTING {
            // That is too deep anyway.
            return true;
        }
        // On the way round a circle, which is an error.
        self.hiding.insert(id, false);
        let mut hides = false;
        let patterns = self.groups[id.0 as usize].patterns;
        for pattern in patterns {
            hides = hides
                || match &pattern.kind {
                    PatternKind::Call { name, conditions } => {
                        !conditions.is_empty() && multiplex::through(&name.text).is_some()
                    }
                    PatternKind::Group(name) => {
                        let ids = self.group_names.get(name.text.as_str()).cloned().unwrap_or_default();
                        ids.into_iter().any(|inner| self.hides(inner, depth + 1))
                    }
                };
        }
        self.hiding.insert(id, hides);
        hides
    }

    /// Members of a group, those among them that hidden arguments reach.
    pub(super) fn reached_set(&mut self, id: GroupId, arch: Arch, used: Span, depth: usize) -> Rc<CallSet> {
        if let Some(known) = self.reached_sets.get(&(id, arch)) {
            return Rc::clone(known);
        }
        // What is wrong with the group is said where it is looked at as ever. That also ends circles.
        self.reaching = false;
        let plain = self.group_set(id, arch, used, depth);
        self.reaching = true;
        self.reached_sets.insert((id, arch), Rc::clone(&plain));
        let (file, guard, patterns) = {
            let group = &self.groups[id.0 as usize];
            (group.file, group.guard, group.patterns)
        };
        if depth >= MAX_NESTING || !guard.archs.has(arch) {
            return plain;
        }
        let mut set = self.patterns_set(patterns, file, arch, depth + 1);
        for member in set.values_mut() {
            member.set = self.store.and(member.set, guard.environment);
        }
        set.retain(|_, member| member.set != Node::FALSE);
        let set = Rc::new(set);
        self.reached_sets.insert((id, arch), Rc::clone(&set));
        set
    }

    /// `not refused { a, b }` could mean that both run, or that one of them does: so it is no statement.
    fn not_outcome(&mut self, span: Span, opposite: &str) {
        let (word, of_all) = if opposite == "runs" { ("refused", "run") } else { ("runs", "are refused") };
        self.error(
            Diagnostic::new(Code::E080, span, format!("`not {word}` is no statement"))
                .note("it could be meant of all of these calls, or of one")
                .help(format!("to say that all of these calls {of_all}, write `{opposite}`"))
                .safe_fix(format!("replace `not {word}` by `{opposite}`"), span, opposite.to_owned()),
        );
    }

    /// Says of patterns that they match no call on any ABI of the policy: what is asserted of them is true, and means nothing.
    fn report_empty(&mut self, patterns: &[&ast::Pattern], file: FileId, guard: Guard) {
        // ABIs that an option takes away say nothing of the policy; a library of kpolc's own serves ABIs that lack calls.
        let stated: Vec<Arch> = self.stated.iter().copied().filter(|&arch| guard.archs.has(arch)).collect();
        let all_here = stated.iter().all(|arch| self.result.archs.contains(arch));
        if stated.is_empty() || !all_here || self.is_builtin(file) || self.result.incomplete || self.store.overflowed()
        {
            return;
        }
        let names: Vec<&str> = stated.iter().map(|arch| arch.name()).collect();
        for pattern in patterns {
            let span = Span { file, bytes: pattern.span };
            self.empty_claims.push(span);
            self.sink.push(
                Diagnostic::new(Code::W022, span, format!("no call on {} matches this", names.join(", ")))
                    .note("so nothing is asserted here")
                    .help("correct the pattern, or remove it"),
            );
        }
    }
}

/// The word of an outcome, and its opposite.
fn negated_outcome(outcome: &Outcome) -> Option<(ast::Span, &'static str)> {
    match outcome {
        Outcome::Refused(word) => Some((*word, "runs")),
        Outcome::Runs(word) => Some((*word, "refused")),
        Outcome::Action(_) => None,
    }
}
