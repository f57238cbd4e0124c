//! The policy as it is written: groups and rules, then levels and the default.
//!
//! ```text
//! ; web.kpol:3  allow
//! (define-fun rule.1 () Bool (or call.read (and call.socket …)))   ; socket(family == AF_UNIX)
//! ; of level 1: override deny(ENOSYS), 2 rules
//! (define-fun level.1.deny.38 () Bool (or rule.2 rule.4))
//! ```
//!
//! What wins is said anew here, in two sentences: the highest level that claims a call decides, and what nobody claims gets the
//! default. That no two rules of a level disagree is part of the question.

use std::collections::{BTreeMap, BTreeSet};

use kpol_grammar::ast::{self, ActionExpr, GuardKind, Pattern, PatternKind, Statement, StatementKind};
use rustc_hash::{FxHashMap, FxHashSet};

use super::call::{abi, cap};
use super::text::{LONGEST, Line, Text, all, any, not, plain};
use super::{Asked, Question, Trouble, by_value, condition, symbol};
use crate::diagnostic::{FileId, Span};
use crate::spec::rule::Names;
use crate::spec::{Action, Arch, KernelVersion, multiplex};
use crate::tables;

/// The `when`s around a statement.
#[derive(Debug, Clone)]
struct Guard {
    /// The ABIs that they leave.
    archs: BTreeSet<Arch>,
    /// What they ask, ABIs too.
    terms: Vec<String>,
}

/// One statement that defines a group; there may be several under guards.
struct Part<'a> {
    file: FileId,
    name: &'a ast::Name,
    patterns: &'a [Pattern],
    guard: Guard,
}

struct Rule<'a> {
    file: FileId,
    level: u32,
    action: &'a ActionExpr,
    patterns: &'a [Pattern],
    guard: Guard,
}

/// The statements of a policy, on their way to a text.
pub(super) struct Rules<'a> {
    question: &'a Question<'a>,
    names: BTreeMap<Arch, Names<'a>>,
    groups: FxHashMap<&'a str, Vec<Part<'a>>>,
    rules: Vec<Rule<'a>>,
    defaults: Vec<(u32, FileId, &'a ActionExpr)>,
    /// On which ABIs a group is named.
    uses: FxHashMap<&'a str, BTreeSet<Arch>>,
    /// Groups that are named, those first that others are made of.
    order: Vec<&'a str>,
    ordered: FxHashSet<&'a str>,
    /// Bytes of terms so far.
    spent: usize,
    /// What has to be defined before.
    pub asked: Asked,
    /// What calls may get.
    pub answers: BTreeSet<Action>,
}

impl<'a> Rules<'a> {
    pub fn new(question: &'a Question<'a>) -> Result<Self, Trouble> {
        let mut rules = Self {
            question,
            names: BTreeMap::new(),
            groups: FxHashMap::default(),
            rules: Vec::new(),
            defaults: Vec::new(),
            uses: FxHashMap::default(),
            order: Vec::new(),
            ordered: FxHashSet::default(),
            spent: 0,
            asked: Asked::default(),
            answers: BTreeSet::from([Action::KillProcess]),
        };
        for &arch in question.archs {
            let files = question.graph.files.iter().map(|file| &*file.tree);
            rules.names.insert(arch, Names::new(files, arch)?);
        }
        let everywhere = Guard { archs: question.archs.iter().copied().collect(), terms: Vec::new() };
        for file in &question.graph.files {
            rules.hear(file.id, file.level, &file.tree.statements, &everywhere)?;
        }
        for index in 0..rules.rules.len() {
            let Rule { patterns, ref guard, .. } = rules.rules[index];
            let archs = guard.archs.clone();
            rules.reach(patterns, &archs, 0)?;
        }
        Ok(rules)
    }

    /// Collects statements. Recursion is bounded by the parser's nesting.
    fn hear(&mut self, file: FileId, level: u32, said: &'a [Statement], around: &Guard) -> Result<(), Trouble> {
        for statement in said {
            match &statement.kind {
                StatementKind::When { guards, body } => {
                    let mut inner = around.clone();
                    for guard in guards {
                        self.guard(guard, &mut inner)?;
                    }
                    self.hear(file, level, body, &inner)?;
                }
                StatementKind::Rule { over, action, patterns } => {
                    let level = if over.is_some() { level } else { 0 };
                    self.rules.push(Rule { file, level, action, patterns, guard: around.clone() });
                }
                StatementKind::Group { name, patterns } => {
                    let part = Part { file, name, patterns, guard: around.clone() };
                    self.groups.entry(&name.text).or_default().push(part);
                }
                StatementKind::Default { over, action } => {
                    self.defaults.push((if over.is_some() { level } else { 0 }, file, action));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn guard(&mut self, guard: &ast::Guard, around: &mut Guard) -> Result<(), Trouble> {
        let term = match &guard.kind {
            GuardKind::Arch(names) => {
                let named: BTreeSet<Arch> = names.iter().filter_map(|name| Arch::from_name(&name.text)).collect();
                around.archs.retain(|arch| named.contains(arch) != guard.negated.is_some());
                any(self.question.archs.iter().filter(|arch| named.contains(arch)).copied().map(abi).collect())
            }
            GuardKind::Cap(name) => {
                let Some(number) = tables::capability(&name.text) else {
                    return Err(Trouble::Undefined(format!("no capability {}", name.text)));
                };
                self.asked.caps.insert(name.text.clone(), number);
                if self.question.caps.is_none() {
                    self.asked.open.insert(cap(&name.text));
                }
                cap(&name.text)
            }
            GuardKind::Kernel(version) => {
                let Ok(KernelVersion { major, minor }) = version.text.parse() else {
                    return Err(Trouble::Undefined(format!("no kernel {}", version.text)));
                };
                self.asked.kernel = true;
                if self.question.kernel.is_none() {
                    self.asked.open.insert("kernel".to_owned());
                }
                format!("(bvuge kernel #x{major:02x}{minor:02x})")
            }
        };
        around.terms.push(if guard.negated.is_some() { not(&term) } else { term });
        Ok(())
    }

    /// Notes which groups are named, and on which ABIs. Groups nest as deep as the compiler has let them.
    fn reach(&mut self, patterns: &'a [Pattern], archs: &BTreeSet<Arch>, depth: usize) -> Result<(), Trouble> {
        if depth > crate::resolve::MAX_NESTING + 1 {
            return Err(Trouble::Undefined("groups in a circle".to_owned()));
        }
        for pattern in patterns {
            self.reach(&pattern.except, archs, depth)?;
            let PatternKind::Group(name) = &pattern.kind else { continue };
            let known = self.uses.entry(&name.text).or_default();
            let before = known.len();
            known.extend(archs);
            if known.len() == before && before > 0 {
                continue;
            }
            let parts: Vec<(&'a [Pattern], BTreeSet<Arch>)> =
                (self.groups.get(name.text.as_str()).into_iter().flatten())
                    .map(|part| (part.patterns, part.guard.archs.intersection(archs).copied().collect()))
                    .collect();
            for (patterns, archs) in parts {
                self.reach(patterns, &archs, depth + 1)?;
            }
            if self.ordered.insert(&name.text) {
                self.order.push(&name.text);
            }
        }
        Ok(())
    }

    /// Part 3.
    pub fn write(&mut self) -> Result<Text, Trouble> {
        let mut text = Text::default();
        text.heading("3. The policy", &["Groups and rules as they are written: which calls each of them matches."])?;
        for name in std::mem::take(&mut self.order) {
            self.group(name, &mut text)?;
        }
        let mut claims: BTreeMap<u32, BTreeMap<Action, Vec<String>>> = BTreeMap::new();
        for (index, rule) in std::mem::take(&mut self.rules).iter().enumerate() {
            let name = format!("rule.{}", index + 1);
            let over = if rule.level > 0 { "override " } else { "" };
            text.comment(&format!("{}  {over}{}", self.place(rule.file, rule.action.word.span), self.words(rule)));
            let lines = self.lines(rule.file, rule.patterns, &rule.guard.archs)?;
            text.define(&name, &rule.guard.terms, &lines)?;
            let actions = self.actions(rule.action, &rule.guard.archs)?;
            let alone = actions.len() == 1;
            for (archs, action) in actions {
                let on = if alone { Vec::new() } else { vec![any(archs.into_iter().map(abi).collect())] };
                let term = all(on.into_iter().chain([name.clone()]).collect());
                claims.entry(rule.level).or_default().entry(action).or_default().push(term);
            }
        }
        self.levels(&claims, &mut text)?;
        Ok(text)
    }

    fn group(&mut self, name: &'a str, text: &mut Text) -> Result<(), Trouble> {
        let parts = self.groups.remove(name).unwrap_or_default();
        let used = self.uses.get(name).cloned().unwrap_or_default();
        let mut symbols = Vec::new();
        let own = group_symbol(name);
        for (index, part) in parts.iter().enumerate() {
            text.comment(&format!("{}  {name}", self.place(part.file, part.name.span)));
            let archs = part.guard.archs.intersection(&used).copied().collect();
            let lines = self.lines(part.file, part.patterns, &archs)?;
            let symbol = if parts.len() == 1 { own.clone() } else { format!("{own}.{}", index + 1) };
            text.define(&symbol, &part.guard.terms, &lines)?;
            symbols.push(symbol);
        }
        if parts.len() == 1 { Ok(()) } else { text.define(&own, &[], &plain(symbols)) }
    }

    fn lines(&mut self, file: FileId, patterns: &[Pattern], archs: &BTreeSet<Arch>) -> Result<Vec<Line>, Trouble> {
        let mut lines = Vec::with_capacity(patterns.len());
        for pattern in patterns {
            let term = self.pattern(pattern, archs)?;
            // A bare name says itself what it is.
            let written = self.question.sources.get(file).text.get(pattern.span.range());
            let note = written.filter(|_| term.starts_with('(')).map(short);
            lines.push(Line { term, note });
        }
        Ok(lines)
    }

    /// Recursion is bounded by the parser's nesting.
    fn pattern(&mut self, pattern: &Pattern, archs: &BTreeSet<Arch>) -> Result<String, Trouble> {
        let named = match &pattern.kind {
            PatternKind::Group(name) => group_symbol(&name.text),
            PatternKind::Call { name, conditions } => self.call(&name.text, conditions, archs)?,
        };
        let mut terms = vec![named];
        for except in &pattern.except {
            terms.push(not(&self.pattern(except, archs)?));
        }
        let term = all(terms);
        self.spent += term.len();
        if self.spent > LONGEST { Err(Trouble::TooLong) } else { Ok(term) }
    }

    /// A bare name is every way to the code; with conditions it is the one that shows its arguments.
    fn call(&mut self, name: &str, conditions: &[ast::Expr], archs: &BTreeSet<Arch>) -> Result<String, Trouble> {
        let known = self.asked.calls.entry(name.to_owned()).or_default();
        if conditions.is_empty() {
            let multiplexed = tables::syscall(name).and_then(multiplex::other_way).is_some();
            *known |= multiplexed;
            return Ok(format!("{}.{name}", if multiplexed { "way" } else { "call" }));
        }
        let mut asked = Vec::new();
        for &arch in archs {
            let Some(names) = self.names.get(&arch) else { continue };
            if names.number(name)?.is_none() {
                continue;
            }
            let mut terms = Vec::with_capacity(conditions.len());
            for condition in conditions {
                terms.push(condition::term(&names.condition(condition, name)?));
            }
            asked.push((arch, all(terms)));
        }
        let asked = by_value(asked);
        let alone = asked.len() == 1;
        let terms = asked.into_iter().map(|(archs, term)| match alone {
            true => term,
            false => all(vec![any(archs.into_iter().map(abi).collect()), term]),
        });
        Ok(all(vec![format!("call.{name}"), any(terms.collect())]))
    }

    /// What an action is where: errnos have other numbers on some ABIs.
    fn actions(&mut self, action: &ActionExpr, archs: &BTreeSet<Arch>) -> Result<Vec<(Vec<Arch>, Action)>, Trouble> {
        let mut actions = Vec::new();
        for &arch in archs {
            let Some(names) = self.names.get(&arch) else { continue };
            actions.push((arch, names.action(action)?));
        }
        self.answers.extend(actions.iter().map(|&(_, action)| action));
        Ok(by_value(actions))
    }

    /// Who wins.
    fn levels(
        &mut self,
        claims: &BTreeMap<u32, BTreeMap<Action, Vec<String>>>,
        text: &mut Text,
    ) -> Result<(), Trouble> {
        text.line("");
        text.comment("level.L.X: a rule of level L gives the call X. Level 0 has the plain rules, the others the overrides; a file");
        text.comment(
            "is one level above what it includes. level.L.first.N: one of the first N actions. claimed.L: any of them.",
        );
        let mut twice = Vec::new();
        for (level, actions) in claims {
            let mut seen: Option<String> = None;
            for (index, (action, rules)) in actions.iter().enumerate() {
                let name = format!("level.{level}.{}", symbol(*action));
                text.define(&name, &[], &plain(rules.clone()))?;
                let Some(before) = seen.take() else {
                    seen = Some(name);
                    continue;
                };
                // Many actions would take long to be compared each with each.
                let first = format!("level.{level}.first.{}", index + 1);
                text.define(&first, &[], &plain([before.clone(), name.clone()]))?;
                twice.push(all(vec![before, name]));
                seen = Some(first);
            }
            text.define(&format!("claimed.{level}"), &[], &plain(seen))?;
        }
        text.comment("No two rules of a level may disagree.");
        text.define("conflict", &["listed".to_owned()], &plain(twice))?;
        text.comment("The default: what no rule claims.");
        let default = self.default()?;
        for (archs, action) in &default {
            text.define(&format!("default.{}", symbol(*action)), &[], &plain(archs.iter().copied().map(abi)))?;
        }
        text.comment(
            "policy.X: the call gets X. The highest level that claims it decides; calls of other ABIs end the process.",
        );
        for &action in &self.answers {
            let name = symbol(action);
            let mut ways = Vec::new();
            let mut above: Vec<String> = Vec::new();
            for (level, actions) in claims.iter().rev() {
                if actions.contains_key(&action) {
                    let unclaimed = above.iter().map(|claimed| not(claimed));
                    ways.push(all(unclaimed.chain([format!("level.{level}.{name}")]).collect()));
                }
                above.push(format!("claimed.{level}"));
            }
            if default.iter().any(|(_, other)| *other == action) {
                let unclaimed = above.iter().map(|claimed| not(claimed));
                ways.push(all(unclaimed.chain([format!("default.{name}")]).collect()));
            }
            let listed = (!ways.is_empty()).then(|| all(vec!["listed".to_owned(), any(ways)]));
            let foreign = (action == Action::KillProcess).then(|| not("listed"));
            text.define(&format!("policy.{name}"), &[], &plain(foreign.into_iter().chain(listed)))?;
        }
        Ok(())
    }

    fn default(&mut self) -> Result<Vec<(Vec<Arch>, Action)>, Trouble> {
        let highest = self.defaults.iter().map(|(level, ..)| *level).max().unwrap_or(0);
        let archs: BTreeSet<Arch> = self.question.archs.iter().copied().collect();
        let mut said: Option<Vec<(Vec<Arch>, Action)>> = None;
        for (level, _, action) in self.defaults.clone() {
            if level != highest {
                continue;
            }
            let actions = self.actions(action, &archs)?;
            if said.as_ref().is_some_and(|said| *said != actions) {
                return Err(Trouble::Undefined("two defaults".to_owned()));
            }
            said = Some(actions);
        }
        said.ok_or_else(|| Trouble::Undefined("no default".to_owned()))
    }

    /// `web.kpol:3`
    fn place(&self, file: FileId, bytes: ast::Span) -> String {
        let span = Span { file, bytes };
        let name = crate::diagnostic::render::clean_line(&self.question.sources.get(file).name);
        format!("{name}:{}", self.question.sources.line(span))
    }

    /// The action as it is written.
    fn words(&self, rule: &Rule<'_>) -> String {
        let word = rule.action.word.span;
        let bytes = rule.action.argument.as_ref().map_or(word, |argument| word.to(argument.span));
        let written = self.question.sources.get(rule.file).text.get(bytes.range()).map(short).unwrap_or_default();
        if rule.action.argument.is_some() { format!("{written})") } else { written }
    }
}

/// `group.file-system`: a name that begins with `@` is the solver's own.
fn group_symbol(name: &str) -> String {
    format!("group.{}", name.trim_start_matches('@'))
}

/// A text on one line, cut where it is long.
fn short(text: &str) -> String {
    const LONGEST: usize = 160;
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = crate::diagnostic::render::clean_line(&words);
    if line.chars().count() <= LONGEST { line } else { line.chars().take(LONGEST).chain("...".chars()).collect() }
}
