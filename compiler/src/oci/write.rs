//! The JSON of a policy.
//!
//! ```text
//! read → allow        socket → [arg0 …]        and everything else deny
//! ```
//!
//! For each name: which entries give each ABI its function? The entries of one ABI's function are tried on the
//! others, since one list is read for all of them (32-bit ABIs drop the upper halves). Where hosts need
//! different ones, `includes.arches` keeps them apart; where ABIs of one host do, JSON can't say it. `socketcall`
//! and `ipc` come last, because runtimes open them by the entries of others ([`super::multiplex`]).
//!
//! Nothing is handed out that does not read back as the same function ([`super::prove`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::multiplex::{self, Multiplexer};
use super::paths::{self, Circumstance, MOST_ENTRIES};
use super::profile::{ActionName, Arg, Entry, Filter, Profile};
use super::prove;
use super::runtime::{self, Dialect, Release, Rule};
use super::sharing::{self, Fault};
use crate::diagram::{Node, Store};
use crate::policy::Policy;
use crate::spec::{Action, Arch, Call, Nr};
use crate::tables::{self, Syscall};

/// For whom the JSON is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Target {
    /// Their libseccomp; `None` is the newest of the tables.
    pub libseccomp: Option<Release>,
    /// Their dialect.
    pub dialect: Dialect,
}

/// What `write` hands out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The text: strict JSON, the same bytes for the same policy.
    pub json: String,
    /// What the user should know.
    pub warnings: Vec<Warning>,
    /// ABIs for which the text was read back and found to mean the policy.
    pub proven: Vec<Arch>,
}

/// True of the JSON, not an error in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The runtime's libseccomp does not know the name and drops the entry: the call gets the default.
    NewerThanRuntime {
        /// The call.
        name: String,
        /// First release that knows it; `None` if there is none yet.
        needs: Option<&'static str>,
    },
    /// Some runtimes refuse so many entries for one call.
    ManyEntries {
        /// The call.
        name: String,
        /// How many.
        entries: usize,
    },
}

/// Entries of one call past which [`Warning::ManyEntries`] is given: the limit that KEP-6061 sets.
pub const MANY_ENTRIES: usize = 128;

/// Why there is no JSON that means the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteError {
    /// `trap(n)`: no field for n.
    TrapData {
        /// The call; `None` for the default.
        name: Option<String>,
        /// The number.
        data: u16,
    },
    /// `notify` without `listener`.
    NotifyWithoutListener,
    /// `notify` for `write` or as the default, which runtimes refuse: they need the call to hand the listener over.
    NotifyRefused {
        /// The call; `None` for the default.
        name: Option<String>,
    },
    /// A condition on the kernel is open, and the dialect has no such condition.
    OpenKernel {
        /// The call.
        name: String,
    },
    /// A call without a name that libseccomp knows.
    UnknownToRuntime {
        /// Its name in the policy, if it has one.
        name: Option<String>,
        /// ABI.
        arch: Arch,
        /// Number.
        nr: Nr,
    },
    /// ABIs that can meet on one host need different entries.
    Differs {
        /// The call.
        name: String,
        /// The ABIs.
        archs: Vec<Arch>,
    },
    /// The JSON would open `socketcall` or `ipc` where the policy does not.
    OpensMultiplexer {
        /// The call whose entries do.
        name: String,
        /// Which is opened.
        multiplexer: &'static str,
        /// On which ABI.
        arch: Arch,
    },
    /// More entries than any filter has room for.
    TooManyEntries {
        /// The call.
        name: String,
        /// How many, at least.
        entries: u64,
    },
    /// libseccomp would make a program of the entries that does something else.
    Miscompiled(Fault),
    /// A host's own ABI is always in the filter, and the policy does not list it.
    NativeMissing {
        /// An ABI of the policy.
        arch: Arch,
        /// The host's own.
        native: Arch,
    },
    /// ABIs of both byte orders, which no host loads.
    MixedByteOrder {
        /// A little-endian one.
        little: Arch,
        /// A big-endian one.
        big: Arch,
    },
    /// The diagram has grown past its bound.
    TooLarge,
    /// What was written does not mean the policy: our own mistake.
    Internal {
        /// A call on which they differ, if one was found.
        call: Option<Call>,
        /// What happened.
        what: String,
    },
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |name: &Option<String>| name.as_ref().map_or("the default".to_owned(), |name| format!("`{name}`"));
        match self {
            Self::TrapData { name, data } => {
                write!(f, "JSON has no place for the {data} of `trap({data})`, which {} gets; use `trap`", of(name))
            }
            Self::NotifyWithoutListener => f.write_str(
                "`notify` needs a `listener \"/path/of.sock\"` in JSON: runtimes ask no one else; \
                    say where the agent listens",
            ),
            Self::NotifyRefused { name } => {
                write!(
                    f,
                    "runtimes refuse `notify` for {}: they need `write` to hand the listener over; \
                    give it another action",
                    of(name)
                )
            }
            Self::OpenKernel { name } => write!(
                f,
                "what `{name}` gets depends on the kernel's version, and JSON can't ask for it; \
                 settle it when building, by `--kernel X.Y`"
            ),
            Self::UnknownToRuntime { name, arch, nr } => {
                let name = name.as_ref().map_or(String::new(), |name| format!("`{name}`, "));
                write!(
                    f,
                    "{name}number {} on {arch} has no name that libseccomp knows, and JSON has no numbers; \
                    build raw BPF, or give such calls the default",
                    nr.0
                )
            }
            Self::Differs { name, archs } => {
                let archs: Vec<_> = archs.iter().map(|arch| arch.name()).collect();
                write!(
                    f,
                    "one JSON file can't give `{name}` what the policy says on each of {}; build a file for each",
                    archs.join(", ")
                )
            }
            Self::OpensMultiplexer { name, multiplexer, arch } => write!(
                f,
                "from the JSON a runtime would open `{multiplexer}` on {arch} because of the rule on `{name}`, and its \
                 arguments would not be looked at there; make the rule unconditional, leave {arch} out, or use BPF"
            ),
            Self::TooManyEntries { name, entries } => write!(
                f,
                "`{name}` would take {entries} JSON entries or more, too many for runtimes to load; \
                 `in {{ … }}` takes one for each value, excluding a value one for each bit"
            ),
            Self::Miscompiled(Fault::Shared { name, arch, other, other_arch }) => {
                write!(f, "libseccomp may mix up the conditions of `{name}` on {arch} with those of ")?;
                if name == other { write!(f, "{other_arch}") } else { write!(f, "`{other}` on {other_arch}") }?;
                f.write_str(", and answer calls wrongly")?;
                let way =
                    if arch == other_arch { "; use BPF" } else { "; build a file for each ABI (`--arch`), or use BPF" };
                f.write_str(way)
            }
            Self::Miscompiled(Fault::Unloaded { arch, name }) => write!(
                f,
                "because {arch} lacks `{name}`, and the policy has no rule without conditions on a call of {arch}, libseccomp \
                 would give every call there the default; build a file for each ABI (`--arch`), or use BPF"
            ),
            Self::Miscompiled(Fault::Wrong { name, call, said, done }) => {
                let used = call.args.iter().rposition(|&arg| arg != 0).map_or(1, |last| last + 1);
                let args: Vec<String> = call.args[..used].iter().map(|arg| format!("{arg:#x}")).collect();
                let answer = |action: &Option<Action>| action.map_or("nothing".to_owned(), |action| action.to_string());
                write!(
                    f,
                    "from these rules libseccomp makes a program that answers `{name}({})` on {} with {} where the policy says \
                     {}; split or reword the conditions of `{name}`, or use BPF",
                    args.join(", "),
                    call.arch,
                    answer(done),
                    answer(said)
                )
            }
            Self::NativeMissing { arch, native } => write!(
                f,
                "on the hosts that run {arch} programs a filter made from JSON covers {native} too; \
                 add `{native}` to the policy's `arch`, or use BPF"
            ),
            Self::MixedByteOrder { little, big } => {
                write!(f, "no host loads a file that names both {little} and {big}; build a file for each")
            }
            Self::TooLarge => f.write_str("the policy is too large to be written within bounds"),
            Self::Internal { call, what } => {
                write!(f, "internal error: the JSON does not mean the policy: {what}")?;
                match call {
                    Some(call) => write!(f, " ({}, number {}, arguments {:#x?})", call.arch, call.nr.0, call.args),
                    None => Ok(()),
                }
            }
        }
    }
}

impl std::error::Error for WriteError {}

/// Writes the policy's JSON and proves it. All that is wrong is in `Err`, sorted by call.
pub fn write(store: &mut Store, policy: &Policy, target: &Target) -> Result<Written, Vec<WriteError>> {
    let writer = Writer::new(policy, target);
    let mut errors = writer.refuse();
    if !errors.is_empty() {
        return Err(errors);
    }
    let (mut plans, mut warnings) = (BTreeMap::new(), Vec::new());
    for call in Syscall::all() {
        if Multiplexer::ALL.iter().any(|multiplexer| multiplexer.name() == call.name()) {
            continue;
        }
        match writer.plan(store, call, &plans) {
            Ok(plan) => {
                plans.insert(call.name(), plan);
            }
            Err(error) => errors.push(error),
        }
    }
    for multiplexer in Multiplexer::ALL {
        if let Some(call) = tables::syscall(multiplexer.name()) {
            match writer.plan(store, call, &plans) {
                Ok(plan) => {
                    plans.insert(call.name(), plan);
                }
                Err(error) => errors.push(error),
            }
        }
    }
    if store.overflowed() {
        return Err(vec![WriteError::TooLarge]);
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    plans.retain(|_, plan| !plan.is_empty());
    writer.keep_apart(&mut plans);
    for (&name, plan) in &plans {
        let call = tables::syscall(name);
        if call.is_some_and(|call| !runtime::is_known(call, target.libseccomp)) {
            let needs = call.and_then(Syscall::libseccomp);
            warnings.push(Warning::NewerThanRuntime { name: name.to_owned(), needs });
        }
        let most = writer.hosts.keys().map(|&host| plan.iter().filter(|part| part.is_for(host)).count()).max();
        if let Some(entries) = most.filter(|&entries| entries > MANY_ENTRIES) {
            warnings.push(Warning::ManyEntries { name: name.to_owned(), entries });
        }
    }
    let profile = writer.profile(&plans)?;
    let mut json = serde_json::to_string_pretty(&profile)
        .map_err(|error| vec![WriteError::Internal { call: None, what: error.to_string() }])?;
    json.push('\n');
    let proven = prove::prove(store, policy, target, &json).map_err(|error| vec![error])?;
    Ok(Written { json, warnings, proven })
}

/// One rule of a name, as it will stand in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    /// Hosts that it is for; `None` for all.
    hosts: Option<BTreeSet<Arch>>,
    circumstance: Circumstance,
    args: Vec<Arg>,
    action: Action,
}

impl Part {
    fn is_for(&self, host: Arch) -> bool {
        self.hosts.as_ref().is_none_or(|hosts| hosts.contains(&host))
    }

    /// Whether it counts whatever the arguments and the surroundings.
    fn is_certain(&self) -> bool {
        self.args.is_empty() && self.circumstance.caps.is_empty() && self.circumstance.kernels == (0, u16::MAX)
    }
}

type Plan = Vec<Part>;

struct Writer<'a> {
    policy: &'a Policy,
    target: &'a Target,
    /// Hosts, and the ABIs of the policy that can meet there.
    hosts: BTreeMap<Arch, Vec<Arch>>,
}

/// How many words the entries of one call may test in all. Loading slows with the square of it and worse: 170 entries on
/// six arguments, which come to this, take libseccomp 2.6 several seconds, twice as many a minute; and a filter has no room
/// for more than 4,096 instructions.
pub const MOST_TESTS: usize = 2048;

/// How many different surroundings one call may tell apart.
const MOST_CIRCUMSTANCES: usize = 4096;

impl<'a> Writer<'a> {
    fn new(policy: &'a Policy, target: &'a Target) -> Self {
        let mut hosts: BTreeMap<Arch, Vec<Arch>> = BTreeMap::new();
        for &arch in &policy.archs {
            hosts.entry(arch.native()).or_default().push(arch);
        }
        Self { policy, target, hosts }
    }

    /// What can be said without looking at names.
    fn refuse(&self) -> Vec<WriteError> {
        let mut errors = Vec::new();
        let policy = self.policy;
        if let Action::Trap(data) = policy.default
            && data != 0
        {
            errors.push(WriteError::TrapData { name: None, data });
        }
        if policy.default == Action::Notify {
            errors.push(WriteError::NotifyRefused { name: None });
        }
        for (&native, archs) in &self.hosts {
            if let Some(&arch) = archs.first()
                && !archs.contains(&native)
            {
                errors.push(WriteError::NativeMissing { arch, native });
            }
        }
        let of_order = |big| policy.archs.iter().copied().find(|arch| arch.is_big_endian() == big);
        if let (false, Some(little), Some(big)) = (policy.native, of_order(false), of_order(true)) {
            errors.push(WriteError::MixedByteOrder { little, big });
        }
        // Numbers without a name that a runtime could know.
        let default = Node::action(policy.default);
        for (&arch, table) in &policy.function.tables {
            for (range, node) in table.intervals() {
                if node == default {
                    continue;
                }
                for nr in range.map(Nr).take_while(|&nr| arch.owns(nr) || nr.0 < 0x1000) {
                    if arch.owns(nr) && tables::syscall_at(arch, nr).is_none() {
                        let name = policy.call_name(arch, nr).map(str::to_owned);
                        errors.push(WriteError::UnknownToRuntime { name, arch, nr });
                        // One is enough of a range that nobody can have listed by name.
                        if !policy.declared.contains_key(&(arch, nr)) {
                            break;
                        }
                    }
                }
            }
        }
        errors
    }

    /// ABIs of a host that have the call, with its function there.
    fn functions(&self, call: Syscall, host: Arch) -> Vec<(Arch, Nr, Node)> {
        let archs = self.hosts.get(&host).map_or(&[][..], Vec::as_slice);
        archs.iter().filter_map(|&arch| call.nr(arch).map(|nr| (arch, nr, self.policy.function.at(arch, nr)))).collect()
    }

    /// The entries of a name.
    fn plan(&self, store: &mut Store, call: Syscall, others: &BTreeMap<&str, Plan>) -> Result<Plan, WriteError> {
        let mut candidates: Vec<Plan> = Vec::new();
        let mut failed: Option<WriteError> = None;
        let mut by_host: Vec<(Arch, Vec<usize>)> = Vec::new();
        for &host in self.hosts.keys() {
            let functions = self.functions(call, host);
            let bits = functions.iter().map(|&(arch, ..)| runtime::compared_bits(arch)).max().unwrap_or(64);
            let mut nodes: Vec<Node> = vec![Node::action(self.policy.default)];
            nodes.extend(functions.iter().map(|&(.., node)| node));
            for (index, &node) in nodes.iter().enumerate() {
                if nodes[..index].contains(&node) {
                    continue;
                }
                match self.candidate(store, call, node, bits) {
                    Ok(plan) if !candidates.contains(&plan) => candidates.push(plan),
                    Ok(_) => {}
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
        }
        if failed.is_some() && self.hosts.len() == 1 && self.hosts.values().all(|archs| archs.len() == 1) {
            return Err(failed.unwrap_or(WriteError::TooLarge));
        }
        for &host in self.hosts.keys() {
            let functions = self.functions(call, host);
            let works = (0..candidates.len())
                .filter(|&index| self.works(store, call, &candidates[index], &functions, host, others))
                .collect();
            by_host.push((host, works));
        }
        for (host, works) in &by_host {
            if works.is_empty() {
                return Err(failed.unwrap_or_else(|| self.why(store, call, *host, others)));
            }
        }
        // One list for all hosts, or one for each set of hosts that agree.
        if let Some(common) = (0..candidates.len()).find(|index| by_host.iter().all(|(_, works)| works.contains(index)))
        {
            return Ok(candidates.swap_remove(common));
        }
        let mut chosen: BTreeMap<usize, BTreeSet<Arch>> = BTreeMap::new();
        for (host, works) in by_host {
            if let Some(&first) = works.first() {
                chosen.entry(first).or_default().insert(host);
            }
        }
        let mut plan = Vec::new();
        for (index, hosts) in chosen {
            for part in &candidates[index] {
                plan.push(Part { hosts: Some(hosts.clone()), ..part.clone() });
            }
        }
        Ok(plan)
    }

    /// The entries that say a function.
    fn candidate(&self, store: &mut Store, call: Syscall, node: Node, bits: u8) -> Result<Plan, WriteError> {
        let name = call.name().to_owned();
        let mut plan = Vec::new();
        let Some(circumstances) = paths::circumstances(store, node, MOST_CIRCUMSTANCES) else {
            return Err(WriteError::TooManyEntries { name, entries: MOST_CIRCUMSTANCES as u64 });
        };
        // Entries on calls that are reached through a multiplexer come together there.
        let multiplexed = self.policy.archs.iter().any(|&arch| multiplex::other_way(call.name(), arch).is_some())
            || Multiplexer::ALL.iter().any(|multiplexer| multiplexer.name() == call.name());
        for (circumstance, below) in circumstances {
            let asks_kernel = circumstance.from_kernel().is_some() || circumstance.until_kernel().is_some();
            if asks_kernel && self.target.dialect != Dialect::Moby {
                return Err(WriteError::OpenKernel { name });
            }
            let entries = paths::entries(store, below, self.policy.default, bits, !multiplexed)
                .map_err(|entries| WriteError::TooManyEntries { name: name.clone(), entries })?;
            for (args, action) in entries {
                match action {
                    Action::Trap(data) if data != 0 => return Err(WriteError::TrapData { name: Some(name), data }),
                    Action::Notify if self.policy.listener.is_none() => return Err(WriteError::NotifyWithoutListener),
                    Action::Notify if name == "write" => return Err(WriteError::NotifyRefused { name: Some(name) }),
                    _ => {}
                }
                plan.push(Part { hosts: None, circumstance: circumstance.clone(), args, action });
            }
            let tests: usize = plan.iter().map(|part| sharing::tests_of(Arch::X86_64, &part.args)).sum();
            if plan.len() as u64 > MOST_ENTRIES || tests > MOST_TESTS {
                return Err(WriteError::TooManyEntries { name, entries: plan.len() as u64 });
            }
        }
        Ok(plan)
    }

    /// Keeps names that a host has on no ABI from it, where they would come first ([`Fault::Unloaded`]).
    fn keep_apart(&self, plans: &mut BTreeMap<&str, Plan>) {
        let has = |name: &str, arch| tables::syscall(name).is_some_and(|call| call.nr(arch).is_some());
        for (&host, archs) in &self.hosts {
            let settled = archs.iter().all(|&arch| {
                arch == Arch::X86_64 && !archs.contains(&Arch::X32)
                    || plans.iter().any(|(name, plan)| {
                        has(name, arch) && plan.iter().any(|part| part.is_for(host) && part.is_certain())
                    })
            });
            if settled {
                continue;
            }
            for (name, plan) in plans.iter_mut() {
                if archs.iter().any(|&arch| has(name, arch)) {
                    continue;
                }
                for part in plan {
                    let all = || self.hosts.keys().copied().collect();
                    part.hosts.get_or_insert_with(all).remove(&host);
                }
            }
        }
    }

    /// The rules that a runtime on `host` makes of a plan for one ABI, for the number `nr`.
    fn rules(&self, store: &mut Store, call: Syscall, plan: &Plan, host: Arch, arch: Arch, nr: Nr) -> Vec<Rule> {
        let mut rules = Vec::new();
        for part in plan.iter().filter(|part| part.is_for(host)) {
            let when = circumstance_set(store, &part.circumstance);
            let rule = Rule { when, args: part.args.clone(), action: part.action };
            rules.extend(
                runtime::on_arch(call, arch, rule).into_iter().filter(|&(to, _)| to == nr).map(|(_, rule)| rule),
            );
        }
        rules
    }

    /// The rules that the entries of other names bring to a multiplexer.
    fn opened(
        &self,
        store: &mut Store,
        call: Syscall,
        (host, arch, nr): (Arch, Arch, Nr),
        others: &BTreeMap<&str, Plan>,
    ) -> Vec<(&'static str, Rule)> {
        let mut rules = Vec::new();
        for multiplexer in Multiplexer::ALL.into_iter().filter(|multiplexer| multiplexer.name() == call.name()) {
            for name in multiplex::reached_by(multiplexer) {
                if let (Some(call), Some(plan)) = (tables::syscall(name), others.get(name))
                    && runtime::is_known(call, self.target.libseccomp)
                {
                    let brought = self.rules(store, call, plan, host, arch, nr);
                    rules.extend(brought.into_iter().map(|rule| (name, rule)));
                }
            }
        }
        rules
    }

    /// Whether entries give every ABI of the host its function.
    fn works(
        &self,
        store: &mut Store,
        call: Syscall,
        plan: &Plan,
        functions: &[(Arch, Nr, Node)],
        host: Arch,
        others: &BTreeMap<&str, Plan>,
    ) -> bool {
        functions.iter().all(|&(arch, nr, node)| {
            let mut rules = self.rules(store, call, plan, host, arch, nr);
            rules.extend(self.opened(store, call, (host, arch, nr), others).into_iter().map(|(_, rule)| rule));
            let combined = runtime::combine(store, arch, self.policy.default, &rules, self.target.libseccomp);
            combined.node == node && combined.undetermined == Node::FALSE
        })
    }

    /// What a rule gives on its own.
    fn alone(&self, store: &mut Store, arch: Arch, rule: &Rule) -> Node {
        runtime::combine(store, arch, self.policy.default, std::slice::from_ref(rule), self.target.libseccomp).node
    }

    /// Why no entries do.
    fn why(&self, store: &mut Store, call: Syscall, host: Arch, others: &BTreeMap<&str, Plan>) -> WriteError {
        let functions = self.functions(call, host);
        for &(arch, nr, node) in &functions {
            for (name, rule) in self.opened(store, call, (host, arch, nr), others) {
                let opened = self.alone(store, arch, &rule);
                let wanted = store.where_action(node, &|action| action == rule.action);
                let claimed = store.where_action(opened, &|action| action == rule.action);
                if store.minus(claimed, wanted) != Node::FALSE {
                    let multiplexer =
                        Multiplexer::ALL.into_iter().find(|multiplexer| multiplexer.name() == call.name());
                    let multiplexer = multiplexer.map_or("socketcall", Multiplexer::name);
                    return WriteError::OpensMultiplexer { name: name.to_owned(), multiplexer, arch };
                }
            }
        }
        let archs = functions.iter().map(|&(arch, ..)| arch).collect();
        WriteError::Differs { name: call.name().to_owned(), archs }
    }

    /// The file.
    fn profile(&self, plans: &BTreeMap<&str, Plan>) -> Result<Profile, Vec<WriteError>> {
        let policy = self.policy;
        let unsayable =
            |action| vec![WriteError::Internal { call: None, what: format!("`{action}` has no name in JSON") }];
        let (default_action, default_errno_ret) =
            ActionName::of(policy.default).ok_or_else(|| unsayable(policy.default))?;
        // Unconditional: by action (the least strict first) and surroundings, the names of one kind together.
        let mut always: BTreeMap<(std::cmp::Reverse<Action>, Filter, Filter), Vec<String>> = BTreeMap::new();
        let mut sometimes = Vec::new();
        for (&name, plan) in plans {
            for part in plan {
                let (includes, excludes) = filters(part);
                if part.args.is_empty() {
                    let names = always.entry((std::cmp::Reverse(part.action), includes, excludes)).or_default();
                    names.push(name.to_owned());
                } else {
                    let (action, errno_ret) = ActionName::of(part.action).ok_or_else(|| unsayable(part.action))?;
                    let (names, args) = (vec![name.to_owned()], part.args.clone());
                    sometimes.push(Entry { names, action, errno_ret, args, includes, excludes });
                }
            }
        }
        let mut syscalls = Vec::with_capacity(always.len() + sometimes.len());
        for ((std::cmp::Reverse(action), includes, excludes), names) in always {
            let (action, errno_ret) = ActionName::of(action).ok_or_else(|| unsayable(action))?;
            syscalls.push(Entry { names, action, errno_ret, args: Vec::new(), includes, excludes });
        }
        syscalls.append(&mut sometimes);
        Ok(Profile {
            default_action,
            default_errno_ret,
            architectures: if policy.native { Vec::new() } else { policy.archs.clone() },
            arch_map: Vec::new(),
            flags: policy.flags.iter().map(|flag| flag.oci_name().to_owned()).collect(),
            listener_path: policy.listener.as_ref().map(|listener| listener.path.clone()),
            listener_metadata: policy.listener.as_ref().and_then(|listener| listener.metadata.clone()),
            syscalls,
        })
    }
}

/// The surroundings as a set.
fn circumstance_set(store: &mut Store, circumstance: &Circumstance) -> Node {
    let mut set = Node::TRUE;
    for (&number, &held) in &circumstance.caps {
        let cap = store.capability(number);
        set = if held { store.and(set, cap) } else { store.minus(set, cap) };
    }
    if let Some(version) = circumstance.from_kernel() {
        let recent = store.kernel_at_least(version);
        set = store.and(set, recent);
    }
    if let Some(version) = circumstance.until_kernel() {
        let recent = store.kernel_at_least(version);
        set = store.minus(set, recent);
    }
    set
}

/// `includes` and `excludes` of a part. Capabilities that must be held are all named in `includes`, which asks for all;
/// those that must not be in `excludes`, which is content with one.
fn filters(part: &Part) -> (Filter, Filter) {
    let caps = |wanted| {
        let caps = part.circumstance.caps.iter().filter(move |&(_, &held)| held == wanted);
        caps.filter_map(|(&number, _)| tables::capability_name(number)).map(str::to_owned).collect::<Vec<_>>()
    };
    let hosts = part.hosts.iter().flatten().flat_map(|&host| runtime::host_names(host));
    let includes = Filter {
        arches: hosts.map(|&name| name.to_owned()).collect(),
        caps: caps(true),
        min_kernel: part.circumstance.from_kernel(),
    };
    (includes, Filter { arches: Vec::new(), caps: caps(false), min_kernel: part.circumstance.until_kernel() })
}
