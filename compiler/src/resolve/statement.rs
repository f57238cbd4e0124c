//! Second pass: rules, defaults and the rest of the statements.

use std::collections::BTreeMap;

use kpol_grammar::ast::{self, ActionExpr, ExprKind, Guard as GuardExpr, GuardKind, Statement, StatementKind};
use kpol_grammar::did_you_mean;
use kpol_grammar::words::from_other_languages;

use super::memo::Replay;
use super::{Claim, DefaultAction, GroupId, Guard, Member, Resolver, Rule, RuleId, Via, Within};
use crate::diagnostic::{Code, Diagnostic, FileId, Span};
use crate::diagram::Node;
use crate::policy::{Flag, Listener};
use crate::resolve::guard::ArchSet;
use crate::source::graph::with_near;
use crate::spec::{Action, Arch, KernelVersion};
use crate::tables;

const ACTIONS: [&str; 8] = ["allow", "log", "deny", "kill", "kill_thread", "trap", "trace", "notify"];

impl<'a> Resolver<'a> {
    /// Reads every statement of every file, but for those whose outcome is known.
    pub(super) fn statements<'k>(&mut self, known: &dyn Fn(FileId) -> Option<Replay<'k>>) {
        let graph = self.graph;
        for file in &graph.files {
            let (rules, defaults) = (self.result.rules.len(), self.result.defaults.len());
            match known(file.id) {
                Some(replay) => self.replay(&replay),
                None => {
                    let said = self.sink.said;
                    self.statements_of(file.id, file.level, &file.tree.statements, Guard::ALWAYS);
                    self.taint_since(said, file.id);
                }
            }
            let (rules, defaults) = (rules..self.result.rules.len(), defaults..self.result.defaults.len());
            self.watch.added.push((file.id, rules, defaults));
        }
        // What nothing uses is read all the same: a mistake in it is a mistake.
        for index in 0..self.groups.len() {
            let span = Span { file: self.groups[index].file, bytes: self.groups[index].name.span };
            if !self.is_builtin(span.file) {
                for arch in self.result.archs.clone() {
                    self.group_set(GroupId(index as u32), arch, span, 0);
                }
            }
        }
        for index in 0..self.consts.len() {
            let span = Span { file: self.consts[index].file, bytes: self.consts[index].name.span };
            for arch in self.result.archs.clone() {
                if self.consts[index].guard.archs.has(arch) {
                    self.const_value(index, arch, span, 0);
                }
            }
        }
    }

    /// Remembers that something was said while a part of that file was looked at.
    pub(super) fn taint_since(&mut self, said: usize, file: FileId) {
        if self.sink.said != said {
            self.watch.tainted.insert(file);
        }
    }

    fn statements_of(&mut self, file: FileId, level: u32, statements: &'a [Statement], guard: Guard) {
        for statement in statements {
            let span = Span { file, bytes: statement.span };
            match &statement.kind {
                StatementKind::When { guards, body } => {
                    let inner = self.guard(file, guards, guard);
                    if body.is_empty() {
                        self.warn_empty(span, "this guards nothing");
                    }
                    self.statements_of(file, level, body, inner);
                }
                StatementKind::Rule { over, action, patterns } => {
                    let priority = if over.is_some() { level } else { 0 };
                    let place = over.map_or(action.word.span, |over| over.to(action.word.span));
                    self.rule(Span { file, bytes: place }, priority, action, patterns, guard);
                    if patterns.is_empty() {
                        self.warn_empty(span, "this rule claims nothing");
                    }
                }
                StatementKind::Group { patterns, .. } => {
                    self.check_patterns(patterns, file, guard.archs);
                    if patterns.is_empty() {
                        self.warn_empty(span, "this group is empty");
                    }
                }
                StatementKind::Assert { title, claims } => self.assertion(file, title, claims, guard),
                StatementKind::Within(include) => {
                    let span = Span { file, bytes: include.path.span };
                    self.result.withins.push(Within { include: include.clone(), span, guard });
                }
                StatementKind::Default { over, action } => {
                    let priority = if over.is_some() { level } else { 0 };
                    if self.at_top(span, guard, "default") {
                        self.default(Span { file, bytes: action.word.span }, priority, action);
                    }
                }
                StatementKind::Include(_) => {
                    self.at_top(span, guard, "include");
                }
                StatementKind::Arch(_) => {
                    self.at_top(span, guard, "arch");
                }
                StatementKind::Flags(names) => self.flags(file, names, span, guard),
                StatementKind::Listener { path, metadata } => self.listener(file, path, metadata.as_ref(), span, guard),
                StatementKind::Waive { title, .. } => {
                    let span = Span { file, bytes: title.span };
                    if self.at_top(span, guard, "waive") && self.graph.files.first().is_none_or(|root| root.id != file)
                    {
                        self.error(
                            Diagnostic::new(Code::E075, span, "a waiver in an included file")
                                .note("who includes it would waive without a word")
                                .help("write the waiver into the profile that is built"),
                        );
                    }
                }
                StatementKind::Const { .. } | StatementKind::Syscall { .. } => {}
                StatementKind::Broken => self.result.incomplete = true,
            }
        }
    }

    pub(super) fn warn_empty(&mut self, span: Span, message: &str) {
        self.sink.push(Diagnostic::new(Code::W016, span, message).help("remove it, or fill it"));
    }

    fn at_top(&mut self, span: Span, guard: Guard, what: &str) -> bool {
        if !guard.guarded {
            return true;
        }
        self.error(
            Diagnostic::new(Code::E045, span, format!("`{what}` cannot stand in `when`"))
                .help("it holds for the whole policy: move it out"),
        );
        false
    }

    fn rule(&mut self, span: Span, priority: u32, action: &'a ActionExpr, patterns: &'a [ast::Pattern], guard: Guard) {
        self.check_patterns(patterns, span.file, guard.archs);
        let rule = RuleId(self.result.rules.len() as u32);
        let builtin = self.is_builtin(span.file);
        self.result.rules.push(Rule { span, priority, builtin });
        if guard.archs != ArchSet::ALL {
            self.result.guarded.extend(patterns.iter().map(|pattern| Span { file: span.file, bytes: pattern.span }));
        }
        if guard.settled {
            self.result.settled.extend(patterns.iter().map(|pattern| Span { file: span.file, bytes: pattern.span }));
        }
        for arch in self.result.archs.clone() {
            if !guard.archs.has(arch) {
                // The action is looked at all the same: it may be wrong on ABIs that this policy does not have.
                continue;
            }
            let action = self.action(action, span.file, arch);
            for pattern in patterns {
                if self.is_spent() {
                    return;
                }
                for (nr, member) in self.pattern_set(pattern, span.file, arch, 0) {
                    let set = self.store.and(member.set, guard.environment);
                    if set == Node::FALSE {
                        if guard.settled
                            && let Some(action) = action
                        {
                            self.result.elsewhere.insert((arch, nr, action));
                        }
                        continue;
                    }
                    let Some(action) = action else { continue };
                    let member = Member { set, ..member };
                    let claims = self.result.claims.entry(arch).or_default().entry(nr).or_default();
                    claims.push(Claim { rule, action, priority, member });
                }
            }
        }
    }

    fn default(&mut self, span: Span, priority: u32, action: &'a ActionExpr) {
        let archs = self.result.archs.clone();
        let actions: BTreeMap<Arch, Action> =
            archs.into_iter().filter_map(|arch| Some((arch, self.action(action, span.file, arch)?))).collect();
        self.result.defaults.push(DefaultAction { action: actions, span, priority });
    }

    /// The action that is written, on an ABI; `None` if it is none, which has been reported.
    pub(super) fn action(&mut self, expr: &'a ActionExpr, file: FileId, arch: Arch) -> Option<Action> {
        let word_span = Span { file, bytes: expr.word.span };
        let word = expr.word.text.as_str();
        let plain = match word {
            "allow" => Action::Allow,
            "log" => Action::Log,
            "kill" => Action::KillProcess,
            "kill_thread" => Action::KillThread,
            "notify" => Action::Notify,
            "deny" => Action::Errno(tables::errno("EPERM", arch).unwrap_or(1)),
            "trap" => Action::Trap(0),
            "trace" => Action::Trace(0),
            _ => {
                let near = did_you_mean(word, ACTIONS)
                    .or_else(|| from_other_languages(word).filter(|action| ACTIONS.contains(action)));
                let diagnostic = Diagnostic::new(Code::E038, word_span, format!("no action `{word}`"));
                let otherwise = format!("there are {}", ACTIONS.join(", "));
                self.error(with_near(diagnostic, word_span, near, str::to_owned, &otherwise));
                return None;
            }
        };
        let Some(argument) = &expr.argument else { return Some(plain) };
        let span = Span { file, bytes: argument.span };
        match plain {
            Action::Errno(_) => self.errno(argument, span, arch).map(Action::Errno),
            Action::Trap(_) | Action::Trace(_) => {
                let value = self.number(argument, file, arch)?;
                let Ok(data) = u16::try_from(value) else {
                    let value = self.as_written(span, value);
                    self.error(
                        Diagnostic::new(Code::E038, span, format!("`{word}` cannot carry {value}"))
                            .help("its data is a number from 0 to 65535"),
                    );
                    return None;
                };
                Some(if word == "trap" { Action::Trap(data) } else { Action::Trace(data) })
            }
            _ => {
                self.error(
                    Diagnostic::new(Code::E038, span, format!("`{word}` takes nothing in parentheses"))
                        .help("only `deny`, `trap` and `trace` do"),
                );
                None
            }
        }
    }

    fn errno(&mut self, argument: &'a ast::Expr, span: Span, arch: Arch) -> Option<u16> {
        if let ExprKind::Name(name) = &argument.kind {
            if let Some(errno) = tables::errno(name, arch) {
                return Some(errno);
            }
            if !self.const_names.contains_key(name.as_str()) {
                let search = |_: &Self| did_you_mean(name, tables::errno_names()).map(str::to_owned);
                let near = self.near(Code::E038, span, search);
                let diagnostic = Diagnostic::new(Code::E038, span, format!("no errno `{name}`"));
                self.error(with_near(
                    diagnostic,
                    span,
                    near.as_deref(),
                    str::to_owned,
                    "write a name such as `EPERM`, or a number",
                ));
                return None;
            }
        }
        let value = self.number(argument, span.file, arch)?;
        match u16::try_from(value) {
            Ok(errno) if errno <= Action::MAX_ERRNO => Some(errno),
            _ => {
                let value = self.as_written(span, value);
                self.error(
                    Diagnostic::new(Code::E038, span, format!("{value} is no errno"))
                        .note(format!("the kernel hands on 0 to {}", Action::MAX_ERRNO))
                        .help("write a name such as `EPERM` or `ENOSYS`"),
                );
                None
            }
        }
    }

    /// What a `when` adds to the guards around it.
    pub(super) fn guard(&mut self, file: FileId, guards: &[GuardExpr], outer: Guard) -> Guard {
        let mut all = Guard { guarded: true, ..outer };
        for guard in guards {
            all.asks |= !matches!(guard.kind, GuardKind::Arch(_));
            let negated = guard.negated.is_some();
            match &guard.kind {
                GuardKind::Arch(names) => {
                    let set = names.iter().filter_map(|name| self.arch(file, name)).fold(ArchSet::NONE, ArchSet::with);
                    all.archs = all.archs.and(if negated { set.others() } else { set });
                }
                GuardKind::Cap(name) => {
                    let Some(held) = self.capability(file, name) else { continue };
                    let held = if negated { self.store.not(held) } else { held };
                    all.environment = self.store.and(all.environment, held);
                    all.settled |= self.options.caps.is_some();
                }
                GuardKind::Kernel(version) => {
                    let Some(newer) = self.kernel(file, version) else { continue };
                    let newer = if negated { self.store.not(newer) } else { newer };
                    all.environment = self.store.and(all.environment, newer);
                    all.settled |= self.options.kernel.is_some();
                }
            }
        }
        all
    }

    fn capability(&mut self, file: FileId, name: &ast::Name) -> Option<Node> {
        let Some(number) = tables::capability(&name.text) else {
            let span = Span { file, bytes: name.span };
            let upper = name.text.to_uppercase();
            let full = if upper.starts_with("CAP_") { upper } else { format!("CAP_{upper}") };
            let near = match tables::capability(&full) {
                Some(_) => Some(full.as_str()),
                None => did_you_mean(&full, tables::capability_names()),
            };
            let diagnostic = Diagnostic::new(Code::E029, span, format!("no capability `{}`", name.text));
            let otherwise = "capabilities(7) lists them: `CAP_SYS_ADMIN`, `CAP_NET_RAW`, …";
            self.error(with_near(diagnostic, span, near, str::to_owned, otherwise));
            return None;
        };
        Some(match &self.options.caps {
            Some(held) if held.contains(&number) => Node::TRUE,
            Some(_) => Node::FALSE,
            None => self.store.capability(number),
        })
    }

    fn kernel(&mut self, file: FileId, version: &ast::Name) -> Option<Node> {
        let Ok(wanted) = version.text.parse::<KernelVersion>() else {
            let span = Span { file, bytes: version.span };
            let diagnostic = Diagnostic::new(Code::E046, span, format!("`{}` is no kernel version", version.text))
                .help("write major and minor number, as in `kernel >= 5.11`");
            // Releases of a stable kernel bring no system call.
            let near = KernelVersion::of_release(&version.text).or_else(|| format!("{}.0", version.text).parse().ok());
            self.error(match near {
                Some(near) => diagnostic.fix(format!("write `{near}`"), span, near.to_string()),
                None => diagnostic,
            });
            return None;
        };
        Some(match self.options.kernel {
            Some(running) if running >= wanted => Node::TRUE,
            Some(_) => Node::FALSE,
            None => self.store.kernel_at_least(wanted),
        })
    }

    /// Whether a statement of the whole policy holds: its guard must be settled, and say the same for every ABI.
    fn settled(&mut self, span: Span, guard: Guard, what: &str) -> bool {
        let on = self.result.archs.iter().filter(|arch| guard.archs.has(**arch)).count();
        let open = !matches!(guard.environment, Node::TRUE | Node::FALSE);
        if open || on != 0 && on != self.result.archs.len() {
            let help = if open {
                "settle the guard by `--cap` and `--kernel`, or move the statement out of `when`"
            } else {
                "move the statement out of `when`"
            };
            self.error(
                Diagnostic::new(Code::E045, span, format!("`{what}` holds for the whole policy or not at all"))
                    .help(help),
            );
            return false;
        }
        on != 0 && guard.environment == Node::TRUE
    }

    fn flags(&mut self, file: FileId, names: &[ast::Name], span: Span, guard: Guard) {
        let holds = self.settled(span, guard, "flags");
        for name in names {
            match Flag::ALL.into_iter().find(|flag| flag.word() == name.text) {
                Some(flag) if holds => {
                    if let Err(place) = self.result.flags.binary_search(&flag) {
                        self.result.flags.insert(place, flag);
                    }
                }
                Some(_) => {}
                None => {
                    let span = Span { file, bytes: name.span };
                    let near = Flag::ALL
                        .into_iter()
                        .find(|flag| flag.oci_name() == name.text)
                        .map(Flag::word)
                        .or_else(|| did_you_mean(&name.text, Flag::ALL.map(Flag::word)));
                    let all = Flag::ALL.map(Flag::word).join(", ");
                    let diagnostic = Diagnostic::new(Code::E048, span, format!("no flag `{}`", name.text));
                    self.error(with_near(diagnostic, span, near, str::to_owned, &format!("there are {all}")));
                }
            }
        }
    }

    fn listener(&mut self, file: FileId, path: &ast::Name, metadata: Option<&ast::Name>, span: Span, guard: Guard) {
        if !self.settled(span, guard, "listener") {
            return;
        }
        let place = Span { file, bytes: path.span };
        if path.text.is_empty() || path.text.contains('\0') {
            self.error(
                Diagnostic::new(Code::E049, place, "a listener needs the path of a socket")
                    .help("the runtime connects to it and hands the notification descriptor over"),
            );
            return;
        }
        let listener = Listener { path: path.text.clone(), metadata: metadata.map(|metadata| metadata.text.clone()) };
        if let Some((known, before)) = &self.result.listener {
            if *known != listener {
                let before = *before;
                self.error(
                    Diagnostic::new(Code::E049, place, "two listeners")
                        .related(before, "the other one")
                        .help("a filter has one listener"),
                );
            }
            return;
        }
        self.result.listener = Some((listener, place));
    }
}

impl Via {
    /// The file of the pattern.
    pub fn file(self) -> FileId {
        self.pattern.file
    }
}
