//! What an earlier run worked out of files that have not changed since.
//!
//! ```text
//! web.kpol      edited                         resolved anew
//! base.kpol     as before, names @worker       anew, where an edited file defines a `@worker`
//! part7.kpol    as before                      its groups, constants and claims are taken over
//! ```
//!
//! What a file comes to hangs on its own tree, on the options and ABIs, and on what the names in it mean. So a file counts as
//! changed if its tree is another one, or if it speaks a name that a changed file defines or has defined.
//!
//! INVARIANT: what is taken over was found without a word of complaint, so nothing that has to be said is lost. Where taking
//! over could make a difference (nesting that is counted from where it is met), everything is resolved anew.

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use kpol_grammar::ast;
use rustc_hash::{FxHashMap, FxHashSet};

use super::names::Names;
use super::value::{Progress, Value};
use super::{CallSet, Claim, DefaultAction, GroupId, MAX_NESTING, Member, Resolved, Resolver, Rule, RuleId, Sink};
use crate::diagnostic::FileId;
use crate::diagram::Store;
use crate::driver::Options;
use crate::source::graph::{Graph, GraphFile};
use crate::spec::{Arch, Nr};

/// What the last run left behind. It speaks of nodes: it goes with the store that they are in.
#[derive(Debug, Default)]
pub struct Memo {
    last: Option<Last>,
}

#[derive(Debug)]
struct Last {
    options: Options,
    archs: Vec<Arch>,
    stated: Vec<Arch>,
    files: FxHashMap<FileId, Rc<Kept>>,
    /// Steps that a run from scratch takes at the most.
    steps: usize,
}

/// A file, and what it came to.
#[derive(Debug)]
struct Kept {
    tree: Arc<ast::File>,
    level: u32,
    builtin: bool,
    names: Rc<Names>,
    /// Numbers of its groups and of its constants.
    groups: Range<u32>,
    consts: Range<usize>,
    /// Nothing where there was something to say about it.
    found: Option<Found>,
}

#[derive(Debug)]
struct Found {
    /// By place among the file's own groups, with how deep each nests.
    groups: Vec<(u32, Arch, Rc<CallSet>)>,
    group_heights: Vec<u32>,
    consts: Vec<(usize, Arch, Value)>,
    const_heights: Vec<u32>,
    /// Constants of the first file that are named here.
    root_uses: FxHashSet<usize>,
    /// Nothing where the file says more than rules and defaults.
    statements: Option<Statements>,
}

/// What the statements of a file added, one after the other.
#[derive(Debug)]
struct Statements {
    first_rule: u32,
    rules: Vec<Rule>,
    defaults: Vec<DefaultAction>,
    claims: Vec<(Arch, Nr, Vec<Claim>)>,
}

/// What a run notes for the next one.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Files about which, or in which, there was something to say.
    pub tainted: FxHashSet<FileId>,
    /// Constants of the first file, by the file that names them.
    pub root_uses: FxHashMap<FileId, FxHashSet<usize>>,
    /// What was found hangs on the order in which it was looked for: not for the next run.
    pub by_order: bool,
    /// Something that was taken over is met so deep that a run from scratch may complain.
    pub too_deep: bool,
    /// What the statements of each file added: rules and defaults.
    pub added: Vec<(FileId, Range<usize>, Range<usize>)>,
    /// How deep groups and constants nest below themselves; below what is being looked at.
    pub group_heights: FxHashMap<GroupId, u32>,
    pub const_heights: FxHashMap<usize, u32>,
    pub height: u32,
    /// What was taken over.
    taken: FxHashSet<FileId>,
}

impl Watch {
    /// Whether what nests so deep may be met at this depth. Only what was taken over has not been counted from there.
    pub fn meet(&mut self, depth: usize, height: u32, taken: bool) {
        self.height = self.height.max(height);
        self.too_deep |= taken && depth + height as usize > MAX_NESTING;
    }

    pub fn has_taken(&self, file: FileId) -> bool {
        self.taken.contains(&file)
    }
}

/// The same as [`resolve`](super::resolve), with what the last run in this store has found.
pub fn resolve_again(
    graph: &Graph,
    options: &Options,
    store: &mut Store,
    memo: &mut Memo,
    sink: &mut Sink,
) -> Resolved {
    if let Some(last) = &memo.last {
        let mut trial = sink.clone();
        let mut resolver = Resolver::new(graph, options, store, &mut trial);
        resolver.declare();
        if let Some(plan) = last.plan(&resolver) {
            resolver.take_over(last, &plan);
            resolver.statements(&|file| last.statements(&plan, file));
            resolver.report();
            let (steps, most) = resolver.budget.spent();
            if !resolver.watch.too_deep && last.steps.saturating_add(steps) <= most {
                let kept = resolver.keep(Some((last, &plan)));
                let resolved = resolver.finish();
                *sink = trial;
                if kept.is_some() {
                    memo.last = kept;
                }
                return resolved;
            }
        }
    }
    let mut resolver = Resolver::new(graph, options, store, sink);
    resolver.declare();
    resolver.statements(&|_| None);
    resolver.report();
    memo.last = resolver.keep(None);
    resolver.finish()
}

/// Who has changed, and what the numbers of those that have not are now.
struct Plan {
    changed: FxHashSet<FileId>,
    /// Names of the changed files, read for this.
    names: FxHashMap<FileId, Rc<Names>>,
    /// New numbers of old groups; `None` where all are as they were.
    groups: Option<FxHashMap<GroupId, GroupId>>,
    spans: FxHashMap<FileId, (Range<u32>, Range<usize>)>,
}

impl Plan {
    /// The new number of a group. An old number without a new one belongs to a file that has changed, of which nobody speaks.
    fn group(&self, id: GroupId) -> GroupId {
        self.groups.as_ref().map_or(id, |groups| groups.get(&id).copied().unwrap_or(id))
    }

    fn member(&self, mut member: Member) -> Member {
        member.via.group = member.via.group.map(|id| self.group(id));
        member
    }
}

impl Last {
    fn plan(&self, resolver: &Resolver<'_>) -> Option<Plan> {
        let same =
            self.options == *resolver.options && self.archs == resolver.result.archs && self.stated == resolver.stated;
        if !same {
            return None;
        }
        let graph = resolver.graph;
        let mut changed = FxHashSet::default();
        let mut names: FxHashMap<FileId, Rc<Names>> = FxHashMap::default();
        let mut news: FxHashSet<Box<str>> = FxHashSet::default();
        for file in &graph.files {
            let before = self.files.get(&file.id);
            if before.is_some_and(|before| before.is(file)) {
                continue;
            }
            changed.insert(file.id);
            let now = Rc::new(Names::of(&file.tree));
            news.extend(before.iter().flat_map(|before| before.names.defines.iter().cloned()));
            news.extend(now.defines.iter().cloned());
            names.insert(file.id, now);
        }
        let gone = self.files.iter().filter(|(id, _)| graph.get(**id).is_none());
        news.extend(gone.flat_map(|(_, kept)| kept.names.defines.iter().cloned()));
        while !news.is_empty() {
            let mut next = FxHashSet::default();
            for (&id, kept) in &self.files {
                if !changed.contains(&id) && kept.names.speak_of(&news) {
                    changed.insert(id);
                    names.insert(id, Rc::clone(&kept.names));
                    next.extend(kept.names.defines.iter().cloned());
                }
            }
            news = next;
        }
        let spans = resolver.spans();
        let mut renumbered = FxHashMap::default();
        let mut same = true;
        for (id, kept) in self.files.iter().filter(|(id, _)| !changed.contains(*id)) {
            let (groups, consts) = spans.get(id)?;
            // What a file defines may be refused because of another file; then its names are those of a changed one.
            if groups.len() != kept.groups.len() || consts.len() != kept.consts.len() {
                return None;
            }
            same &= *groups == kept.groups;
            renumbered.extend(kept.groups.clone().map(GroupId).zip(groups.clone().map(GroupId)));
        }
        Some(Plan { changed, names, groups: (!same).then_some(renumbered), spans })
    }

    fn found(&self, plan: &Plan, file: FileId) -> Option<(&Kept, &Found)> {
        let kept = self.files.get(&file).filter(|_| !plan.changed.contains(&file))?;
        Some((kept, kept.found.as_ref()?))
    }

    fn statements<'k>(&'k self, plan: &'k Plan, file: FileId) -> Option<Replay<'k>> {
        let (kept, found) = self.found(plan, file)?;
        Some(Replay { statements: found.statements.as_ref()?, names: &kept.names, plan })
    }
}

impl Kept {
    fn is(&self, file: &GraphFile) -> bool {
        Arc::ptr_eq(&self.tree, &file.tree) && self.level == file.level && self.builtin == file.builtin
    }
}

/// Statements that need not be read again.
pub(super) struct Replay<'k> {
    statements: &'k Statements,
    names: &'k Names,
    plan: &'k Plan,
}

impl Resolver<'_> {
    /// Numbers of the groups and constants of each file.
    fn spans(&self) -> FxHashMap<FileId, (Range<u32>, Range<usize>)> {
        let mut spans: FxHashMap<FileId, (Range<u32>, Range<usize>)> =
            self.graph.files.iter().map(|file| (file.id, (0..0, 0..0))).collect();
        // Files are declared one after the other.
        for (index, group) in (0u32..).zip(&self.groups) {
            if let Some((span, _)) = spans.get_mut(&group.file) {
                *span = if Range::is_empty(span) { index..index + 1 } else { span.start..index + 1 };
            }
        }
        for (index, found) in self.consts.iter().enumerate() {
            if let Some((_, span)) = spans.get_mut(&found.file) {
                *span = if Range::is_empty(span) { index..index + 1 } else { span.start..index + 1 };
            }
        }
        spans
    }

    /// Takes over the groups and constants of files that have not changed.
    fn take_over(&mut self, last: &Last, plan: &Plan) {
        for file in &self.graph.files {
            let Some((_, found)) = last.found(plan, file.id) else { continue };
            let Some((groups, consts)) = plan.spans.get(&file.id) else { continue };
            self.watch.taken.insert(file.id);
            for (place, arch, set) in &found.groups {
                let set = match plan.groups {
                    None => Rc::clone(set),
                    Some(_) => Rc::new(set.iter().map(|(&nr, &member)| (nr, plan.member(member))).collect()),
                };
                self.result.group_sets.insert((GroupId(groups.start + place), *arch), set);
            }
            for (place, arch, value) in &found.consts {
                self.const_values.insert((consts.start + place, *arch), Progress::Done(Some(value.clone())));
            }
            let heights = groups.clone().map(GroupId).zip(found.group_heights.iter().copied());
            self.watch.group_heights.extend(heights);
            self.watch.const_heights.extend(consts.clone().zip(found.const_heights.iter().copied()));
            for &index in &found.root_uses {
                self.consts[index].used = true;
            }
            if !found.root_uses.is_empty() {
                self.watch.root_uses.insert(file.id, found.root_uses.clone());
            }
        }
    }

    /// Does what the statements of a file did.
    pub(super) fn replay(&mut self, replay: &Replay<'_>) {
        let Replay { statements, names, plan } = replay;
        for name in names.uses.iter().filter(|name| name.starts_with('@')) {
            for id in self.group_names.get(&**name).into_iter().flatten() {
                self.groups[id.0 as usize].used = true;
            }
        }
        let first = self.result.rules.len() as u32;
        self.result.rules.extend(statements.rules.iter().cloned());
        self.result.defaults.extend(statements.defaults.iter().cloned());
        for (arch, nr, claims) in &statements.claims {
            let all = self.result.claims.entry(*arch).or_default().entry(*nr).or_default();
            all.extend(claims.iter().map(|claim| Claim {
                rule: RuleId(first + (claim.rule.0 - statements.first_rule)),
                member: plan.member(claim.member),
                ..*claim
            }));
        }
    }

    /// What the next run may take over; nothing where that hangs on the order of things.
    fn keep(&mut self, before: Option<(&Last, &Plan)>) -> Option<Last> {
        if self.watch.by_order || self.store.overflowed() {
            return None;
        }
        let said = self.sink.diagnostics.iter().filter_map(|found| Some(found.primary.as_ref()?.span.file));
        self.watch.tainted.extend(said);
        let constant = self.constancy.iter().filter(|(_, known)| known.is_worth_saying());
        self.watch.tainted.extend(constant.map(|(span, _)| span.file));
        let graph = self.graph;
        let builtin = |file: FileId| graph.get(file).is_some_and(|file| file.builtin);
        let idle = self.exceptions.iter().filter(|(span, took)| !**took && !builtin(span.file));
        self.watch.tainted.extend(idle.map(|(span, _)| span.file));
        let spans = self.spans();
        let added = std::mem::take(&mut self.watch.added);
        let files = added.iter().filter_map(|(id, rules, defaults)| {
            let file = self.graph.get(*id)?;
            let (groups, consts) = spans.get(id)?.clone();
            if let Some((last, plan)) = before
                && let Some(kept) = last.files.get(id).filter(|_| plan.groups.is_none() && !plan.changed.contains(id))
                && kept.consts == consts
                && kept.fits(rules.start)
                && (!file.builtin || kept.is_whole(self))
                && !self.watch.tainted.contains(id)
            {
                return Some((*id, Rc::clone(kept)));
            }
            let names = match before {
                Some((last, plan)) => plan.names.get(id).or_else(|| Some(&last.files.get(id)?.names)).map(Rc::clone),
                None => None,
            };
            let names = names.unwrap_or_else(|| Rc::new(Names::of(&file.tree)));
            let found = (!self.watch.tainted.contains(id))
                .then(|| self.found(*id, &groups, &consts, names.plain.then_some((rules, defaults))));
            let (tree, level, builtin) = (Arc::clone(&file.tree), file.level, file.builtin);
            Some((*id, Rc::new(Kept { tree, level, builtin, names, groups, consts, found })))
        });
        let files = files.collect();
        let (options, archs, stated) = (self.options.clone(), self.result.archs.clone(), self.stated.clone());
        let steps = self.budget.spent().0 + before.map_or(0, |(last, _)| last.steps);
        Some(Last { options, archs, stated, files, steps })
    }

    fn found(
        &self,
        file: FileId,
        groups: &Range<u32>,
        consts: &Range<usize>,
        added: Option<(&Range<usize>, &Range<usize>)>,
    ) -> Found {
        let archs = &self.result.archs;
        let mut found = Found {
            groups: Vec::new(),
            group_heights: Vec::new(),
            consts: Vec::new(),
            const_heights: Vec::new(),
            root_uses: self.watch.root_uses.get(&file).cloned().unwrap_or_default(),
            statements: added.map(|(rules, defaults)| self.added(rules, defaults)),
        };
        for id in groups.clone().map(GroupId) {
            let sets = archs.iter().filter_map(|&arch| Some((arch, self.result.group_sets.get(&(id, arch))?)));
            found.groups.extend(sets.map(|(arch, set)| (id.0 - groups.start, arch, Rc::clone(set))));
            found.group_heights.push(self.watch.group_heights.get(&id).copied().unwrap_or(0));
        }
        for index in consts.clone() {
            for &arch in archs {
                if let Some(Progress::Done(Some(value))) = self.const_values.get(&(index, arch)) {
                    found.consts.push((index - consts.start, arch, value.clone()));
                }
            }
            found.const_heights.push(self.watch.const_heights.get(&index).copied().unwrap_or(0));
        }
        found
    }

    /// What the rules of those numbers claim. Claims on a number stand in the order of their rules.
    fn added(&self, rules: &Range<usize>, defaults: &Range<usize>) -> Statements {
        let mut all = Vec::new();
        for (&arch, calls) in &self.result.claims {
            for (&nr, claims) in calls {
                let from = claims.partition_point(|claim| (claim.rule.0 as usize) < rules.start);
                let until = claims.partition_point(|claim| (claim.rule.0 as usize) < rules.end);
                if from < until {
                    all.push((arch, nr, claims[from..until].to_vec()));
                }
            }
        }
        Statements {
            first_rule: rules.start as u32,
            rules: self.result.rules[rules.clone()].to_vec(),
            defaults: self.result.defaults[defaults.clone()].to_vec(),
            claims: all,
        }
    }
}

impl Kept {
    /// Whether what was kept can be kept on as it is.
    fn fits(&self, first_rule: usize) -> bool {
        let statements = self.found.as_ref().map(|found| found.statements.as_ref());
        match statements {
            Some(Some(statements)) => statements.first_rule as usize == first_rule,
            Some(None) => true,
            None => false,
        }
    }

    /// Whether it has all sets of its groups that are known by now: those of kpolc's own are worked out as they are used.
    fn is_whole(&self, resolver: &Resolver<'_>) -> bool {
        let ids = self.groups.clone().map(GroupId);
        let pairs = ids.flat_map(|id| resolver.result.archs.iter().map(move |&arch| (id, arch)));
        let known = pairs.filter(|pair| resolver.result.group_sets.contains_key(pair)).count();
        self.found.as_ref().is_some_and(|found| found.groups.len() == known)
    }
}
