//! Names become things: tree → rules.
//!
//! ```text
//! when arch aarch64 { allow { @worker } }      →   claim: aarch64, number 63, all calls, allow, said at …
//!                                                  claim: aarch64, number 198, calls with arg0 & 0xffffffff == 2 …
//! ```
//!
//! Every pattern becomes, for each ABI of the policy, a set of calls by number ([`CallSet`]); every rule a list of
//! [`Claim`]s on such sets. Nothing is decided here: who wins is said in [`policy`](crate::policy).
//!
//! INVARIANT: a mistake is reported once, however many ABIs, groups or files lead to it.

mod assert;
mod budget;
mod condition;
mod declare;
mod effects;
mod foreign;
mod guard;
mod memo;
mod names;
mod number;
mod pattern;
mod statement;
mod value;
pub(crate) mod width;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use kpol_grammar::ast;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::diagnostic::{Code, Diagnostic, FileId, Span};
use crate::diagram::{Node, Store};
use crate::driver::Options;
use crate::policy::{Flag, Listener};
use crate::source::graph::Graph;
use crate::spec::{Action, Arch, Nr, Wanted};
use crate::tables::{self, Syscall};

pub use declare::{DeclaredCall, GroupId};
pub use effects::{EffectCalls, effects};
pub use guard::{ArchSet, Guard};
pub use memo::{Memo, resolve_again};
pub use pattern::bare_name;

/// How deep groups may use groups, and constants constants.
pub const MAX_NESTING: usize = 64;

/// Why a call is in a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Via {
    /// The pattern that names it, or the group it is in.
    pub pattern: Span,
    /// That group.
    pub group: Option<GroupId>,
}

/// A call in a [`CallSet`].
#[derive(Debug, Clone, Copy)]
pub struct Member {
    /// In which environments and for which arguments: a set.
    pub set: Node,
    /// Why.
    pub via: Via,
}

/// Calls of one ABI, by number.
pub type CallSet = BTreeMap<Nr, Member>;

/// Index into [`Resolved::rules`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub u32);

/// A rule as it was written.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Place of the action, with the word `override` if it is there.
    pub span: Span,
    /// 0 for a plain rule, the level of its file for an override.
    pub priority: u32,
    /// Whether it is part of kpolc itself.
    pub builtin: bool,
}

/// A rule's claim on some calls of one number.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    /// Which rule.
    pub rule: RuleId,
    /// What the calls shall get.
    pub action: Action,
    /// The rule's.
    pub priority: u32,
    /// Which of the calls.
    pub member: Member,
}

/// A statement of an `assert`.
#[derive(Debug, Clone)]
pub struct Assertion {
    /// What the author calls it.
    pub title: String,
    /// Place of the title.
    pub title_span: Span,
    /// Place of this statement.
    pub span: Span,
    /// Where it is meant to hold.
    pub archs: ArchSet,
    /// What it says on each ABI of the policy that is among them.
    pub promises: BTreeMap<Arch, Promise>,
}

/// What a statement of an `assert` says on one ABI.
#[derive(Debug, Clone)]
pub struct Promise {
    /// Of each of the calls.
    pub wanted: Wanted,
    /// The calls.
    pub calls: CallSet,
    /// What is wanted of [`hidden`](Self::hidden).
    pub wanted_hidden: Option<Wanted>,
    /// Calls of `socketcall` and `ipc` that may be calls which the patterns name under conditions.
    pub hidden: CallSet,
}

/// A `within` statement.
#[derive(Debug, Clone)]
pub struct Within {
    /// As written.
    pub include: ast::Include,
    /// Place of the path.
    pub span: Span,
    /// Where and when it is meant to hold.
    pub guard: Guard,
}

/// A default, and where it is said.
#[derive(Debug, Clone)]
pub struct DefaultAction {
    /// The action by ABI (errnos differ between some).
    pub action: BTreeMap<Arch, Action>,
    /// Where.
    pub span: Span,
    /// 0, or the file's level for `override default`.
    pub priority: u32,
}

/// Everything that the statements say, with names gone.
#[derive(Debug, Default)]
pub struct Resolved {
    /// ABIs, sorted.
    pub archs: Vec<Arch>,
    /// Whether no `arch` statement and no option names them.
    pub native: bool,
    /// Every `default` of every file.
    pub defaults: Vec<DefaultAction>,
    /// Every rule of every file.
    pub rules: Vec<Rule>,
    /// Who claims what.
    pub claims: BTreeMap<Arch, BTreeMap<Nr, Vec<Claim>>>,
    /// Every statement of every `assert`.
    pub assertions: Vec<Assertion>,
    /// Every `within`.
    pub withins: Vec<Within>,
    /// `flags`.
    pub flags: Vec<Flag>,
    /// `listener`, and where it is said.
    pub listener: Option<(Listener, Span)>,
    /// Calls that the policy declares.
    pub declared: BTreeMap<(Arch, Nr), String>,
    /// Names and places of groups, for messages.
    pub groups: Vec<GroupInfo>,
    /// Constants of the policy, with what they come to.
    pub consts: Vec<ConstInfo>,
    /// Members of each group on each ABI.
    pub group_sets: FxHashMap<(GroupId, Arch), Rc<CallSet>>,
    /// Groups and constants of the first file that nothing uses.
    pub unused: Vec<(String, Span)>,
    /// Patterns of rules under `when arch`: the author has thought of the other ABIs.
    pub guarded: FxHashSet<Span>,
    /// Patterns of rules under guards that options have settled: on another host they may say something else.
    pub settled: FxHashSet<Span>,
    /// What rules say of calls on other hosts, where options have settled that they say nothing here.
    pub elsewhere: FxHashSet<(Arch, Nr, Action)>,
    /// Whether conditions could not all be read: then what follows from the rules means little.
    pub incomplete: bool,
}

/// What messages say of a group.
#[derive(Debug, Clone)]
pub struct GroupInfo {
    /// With its `@`.
    pub name: String,
    /// Place of the name where it is defined.
    pub span: Span,
    /// Part of kpolc itself.
    pub builtin: bool,
}

/// What a constant of the policy comes to.
#[derive(Debug, Clone)]
pub struct ConstInfo {
    /// Its name.
    pub name: String,
    /// Place of the name where it is defined.
    pub span: Span,
    /// Its ranges by ABI, both ends inside; one number is a range of one. ABIs on which it has no value are not there.
    pub values: BTreeMap<Arch, Vec<(i128, i128)>>,
}

impl Resolved {
    /// The places that lead from a member to the name of the call: the groups on the way, outermost first.
    pub fn chain(&self, arch: Arch, nr: Nr, via: Via) -> Vec<(Span, String)> {
        let mut places = Vec::new();
        let mut here = via;
        // Groups nest at most so deep; a broken circle must not keep us here.
        for _ in 0..=MAX_NESTING {
            let Some(group) = here.group else { break };
            let info = &self.groups[group.0 as usize];
            let Some(inner) = self.group_sets.get(&(group, arch)).and_then(|set| set.get(&nr)) else { break };
            here = inner.via;
            if info.builtin {
                break;
            }
            places.push((here.pattern, format!("in `{}`", info.name)));
        }
        places
    }
}

/// Where findings go: each once.
#[derive(Debug, Clone, Default)]
pub struct Sink {
    /// In the order of their making.
    pub diagnostics: Vec<Diagnostic>,
    seen: FxHashSet<(Code, Option<Span>)>,
    /// How often something was said, also what had been said before.
    said: usize,
}

impl Sink {
    /// Adds a finding, unless one of its code is already at its place.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let place = diagnostic.primary.as_ref().map(|label| label.span);
        self.said += 1;
        if place.is_none() || self.seen.insert((diagnostic.code, place)) {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Whether a finding of that code is at that place.
    pub(crate) fn knows(&self, code: Code, at: Span) -> bool {
        self.seen.contains(&(code, Some(at)))
    }
}

/// Turns the trees of `graph` into rules.
pub fn resolve(graph: &Graph, options: &Options, store: &mut Store, sink: &mut Sink) -> Resolved {
    let mut resolver = Resolver::new(graph, options, store, sink);
    resolver.declare();
    resolver.statements(&|_| None);
    resolver.report();
    resolver.finish()
}

struct Resolver<'a> {
    graph: &'a Graph,
    options: &'a Options,
    store: &'a mut Store,
    sink: &'a mut Sink,
    consts: Vec<declare::ConstDef<'a>>,
    const_names: FxHashMap<&'a str, Vec<usize>>,
    const_values: FxHashMap<(usize, Arch), value::Progress>,
    groups: Vec<declare::GroupDef<'a>>,
    group_names: FxHashMap<&'a str, Vec<GroupId>>,
    group_progress: HashSet<(GroupId, Arch)>,
    calls: HashMap<&'a str, DeclaredCall>,
    /// Syscalls that were named, and parameters of those with conditions: most are named often.
    known_calls: RefCell<FxHashMap<&'static str, Syscall>>,
    known_params: RefCell<FxHashMap<(&'a str, Arch), condition::KnownParams>>,
    /// ABIs of the policy's own `arch`, also where an option asks for others: what it says is judged by them.
    stated: Vec<Arch>,
    /// For each condition: whether it held always, and never, on every ABI so far.
    constancy: FxHashMap<Span, condition::Constancy>,
    /// For each exception: whether it took something away on some ABI.
    exceptions: BTreeMap<Span, bool>,
    /// Members of groups where hidden arguments count as fulfilling conditions, of those groups for which that makes a
    /// difference; see [`assert`].
    reached_sets: FxHashMap<(GroupId, Arch), Rc<CallSet>>,
    /// Whether a group names, under a condition, what a multiplexer reaches.
    hiding: FxHashMap<GroupId, bool>,
    /// Whether hidden arguments count so at the moment.
    reaching: bool,
    /// The condition that is being read, for those who offer constants.
    compared: Option<(&'a ast::Expr, condition::At<'a>)>,
    /// Patterns of asserts that match nothing: what is wrong with their conditions is said there.
    empty_claims: Vec<Span>,
    /// Steps that are left.
    budget: budget::Budget,
    /// Notes for the next run.
    watch: memo::Watch,
    result: Resolved,
}

impl<'a> Resolver<'a> {
    fn new(graph: &'a Graph, options: &'a Options, store: &'a mut Store, sink: &'a mut Sink) -> Self {
        Self {
            graph,
            options,
            store,
            sink,
            consts: Vec::new(),
            const_names: FxHashMap::default(),
            const_values: FxHashMap::default(),
            groups: Vec::new(),
            group_names: FxHashMap::default(),
            group_progress: HashSet::new(),
            calls: HashMap::new(),
            known_calls: RefCell::default(),
            known_params: RefCell::default(),
            stated: Vec::new(),
            constancy: FxHashMap::default(),
            exceptions: BTreeMap::new(),
            reached_sets: FxHashMap::default(),
            hiding: FxHashMap::default(),
            reaching: false,
            compared: None,
            empty_claims: Vec::new(),
            budget: budget::Budget::of(graph),
            watch: memo::Watch::default(),
            result: Resolved::default(),
        }
    }

    fn is_builtin(&self, file: FileId) -> bool {
        self.graph.get(file).is_some_and(|file| file.builtin)
    }

    /// The syscall of the tables with that name.
    fn syscall(&self, name: &str) -> Option<Syscall> {
        if let Some(&known) = self.known_calls.borrow().get(name) {
            return Some(known);
        }
        let call = tables::syscall(name)?;
        self.known_calls.borrow_mut().insert(call.name(), call);
        Some(call)
    }

    /// Whether a name may be defined by a statement that could not be read: then that one is the mistake.
    fn is_lost(&mut self, name: &str) -> bool {
        let lost = self.graph.files.iter().any(|file| file.lost.contains(name));
        self.result.incomplete |= lost;
        // Nothing is said of it: so it must not be kept.
        self.watch.by_order |= lost;
        lost
    }

    fn error(&mut self, diagnostic: Diagnostic) {
        self.result.incomplete = true;
        self.sink.push(diagnostic);
    }

    /// Says what only the whole shows.
    fn report(&mut self) {
        self.report_constancy();
        self.report_exceptions();
        self.report_unused();
    }

    fn finish(mut self) -> Resolved {
        self.result.groups = self
            .groups
            .iter()
            .map(|group| GroupInfo {
                name: group.name.text.clone(),
                span: Span { file: group.file, bytes: group.name.span },
                builtin: self.is_builtin(group.file),
            })
            .collect();
        self.result.consts = (0..self.consts.len()).map(|index| self.const_info(index)).collect();
        self.result
    }

    fn const_info(&self, index: usize) -> ConstInfo {
        let found = &self.consts[index];
        let values = self.result.archs.iter().filter_map(|&arch| {
            let Some(value::Progress::Done(Some(value))) = self.const_values.get(&(index, arch)) else { return None };
            Some((
                arch,
                match value {
                    value::Value::Number(number) => vec![(*number, *number)],
                    value::Value::Set(ranges) => ranges.iter().map(|&(low, high, _)| (low, high)).collect(),
                },
            ))
        });
        let span = Span { file: found.file, bytes: found.name.span };
        ConstInfo { name: found.name.text.clone(), span, values: values.collect() }
    }

    fn report_unused(&mut self) {
        let Some(root) = self.graph.files.first() else { return };
        let groups = self.groups.iter().filter(|group| !group.used && group.file == root.id).map(|group| group.name);
        let consts = self.consts.iter().filter(|found| !found.used && found.file == root.id).map(|found| found.name);
        let unused: Vec<&ast::Name> = groups.chain(consts).collect();
        self.result.unused =
            unused.iter().map(|name| (name.text.clone(), Span { file: root.id, bytes: name.span })).collect();
    }
}
