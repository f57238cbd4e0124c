//! The JSON of a policy.
//!
//! ```text
//! read → allow        socket → [arg0 …]        and everything else deny
//! ```
//!
//! For each name: which entries give each ABI its function? The entries of one ABI's function are tried on the
//! others, since one list is read for all of them (32-bit ABIs drop the upper halves). Where hosts need
//! different ones, `includes.arches` keeps them apart; where ABIs of one host do, JSON can't say it. `socketcall`
//! and `ipc` come last, because runtimes open them by the entries of others ([`super::runtime::on_arch`]).
//!
//! Nothing is handed out that does not read back as the same function ([`super::prove`]).

use std::collections::{BTreeMap, BTreeSet};

use super::error::WriteError;
use super::paths::{self, Circumstance, Comparisons, MOST_ENTRIES};
use super::profile::{ActionName, Arg, Entry, Filter, Profile};
use super::prove::{self, Proof};
use super::runtime::{self, Dialect, Release, Rule, Runtime, Stack};
use super::sharing;
use crate::diagram::{Node, Store};
use crate::policy::Policy;
use crate::spec::multiplex::{self, Multiplexer};
use crate::spec::{Action, Arch, Nr};
use crate::tables::{self, Syscall};

/// For whom the JSON is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Target {
    /// Their libseccomp; `None` is what [`Stack::all`] makes of that.
    pub libseccomp: Option<Release>,
    /// Their dialect.
    pub dialect: Dialect,
    /// Which they are.
    pub runtimes: Vec<Runtime>,
}

impl Target {
    /// The oldest libseccomp that is named, by itself or by a runtime's release.
    pub fn oldest(&self) -> Option<Release> {
        Stack::all(&self.runtimes, self.libseccomp).iter().filter_map(|stack| stack.libseccomp).min()
    }
}

/// A text of which nobody knows yet what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The text.
    pub json: String,
    /// What the user should know.
    pub warnings: Vec<Warning>,
}

impl Draft {
    /// Reads the text as a runtime does, and hands it out only if that is the policy.
    pub fn prove(self, store: &mut Store, policy: &Policy, target: &Target) -> Result<Written, Vec<WriteError>> {
        let proof = prove::prove(store, policy, target, &self.json)?;
        Ok(Written { json: self.json, warnings: self.warnings, proof })
    }
}

/// What `write` hands out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The text: strict JSON, the same bytes for the same policy.
    pub json: String,
    /// What the user should know.
    pub warnings: Vec<Warning>,
    /// For whom the text was read back and found to mean the policy.
    pub proof: Proof,
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

/// Writes the policy's JSON and proves it. All that is wrong is in `Err`, sorted by call.
pub fn write(store: &mut Store, policy: &Policy, target: &Target) -> Result<Written, Vec<WriteError>> {
    draft(store, policy, target)?.prove(store, policy, target)
}

/// Writes the policy's JSON. All that is wrong is in `Err`, sorted by call.
pub fn draft(store: &mut Store, policy: &Policy, target: &Target) -> Result<Draft, Vec<WriteError>> {
    let writer = Writer::new(policy, target);
    let mut errors = writer.refuse();
    if !errors.is_empty() {
        return Err(errors);
    }
    let (mut plans, mut warnings) = (Plans::new(), Vec::new());
    let multiplexers = Multiplexer::ALL.map(Multiplexer::call);
    for call in Syscall::all().filter(|call| !multiplexers.contains(call)).chain(multiplexers) {
        let plan = match writer.simple(call) {
            Some(plan) => Ok(plan),
            None => writer.plan(store, call, &plans),
        };
        match plan {
            Ok(plan) if plan.is_empty() => {}
            Ok(plan) => {
                plans.insert(call, plan);
            }
            Err(error) => errors.push(error),
        }
    }
    if store.overflowed() {
        return Err(vec![WriteError::TooLarge]);
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    writer.keep_apart(&mut plans);
    for (call, plan) in &plans {
        let name = call.name();
        if !runtime::is_known(*call, target.oldest()) {
            warnings.push(Warning::NewerThanRuntime { name: name.to_owned(), needs: call.libseccomp() });
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
    Ok(Draft { json, warnings })
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

/// What each call takes; those that take nothing are left out.
type Plans = BTreeMap<Syscall, Plan>;

struct Writer<'a> {
    policy: &'a Policy,
    target: &'a Target,
    /// [`Target::oldest`].
    oldest: Option<Release>,
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
        Self { policy, target, oldest: target.oldest(), hosts }
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
        if let Some(refusal) = runtime::refuses(policy.default, self.oldest) {
            errors.push(WriteError::ActionRefused { name: None, refusal });
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

    /// The entries of a name that gets one action everywhere, whatever the arguments: most names. [`Writer::plan`] would find
    /// the same.
    fn simple(&self, call: Syscall) -> Option<Plan> {
        if Multiplexer::of(call).is_some() {
            return None;
        }
        let mut answers =
            self.policy.function.tables.iter().filter_map(|(&arch, table)| Some(table.at(call.nr(arch)?)));
        let Some(answer) = answers.next() else { return Some(Plan::new()) };
        if answers.any(|other| other != answer) {
            return None;
        }
        let action = answer.as_action()?;
        if action == self.policy.default {
            return Some(Plan::new());
        }
        let circumstance = Circumstance { caps: BTreeMap::new(), kernels: (0, u16::MAX) };
        let plain =
            !matches!(action, Action::Trap(_) | Action::Notify) && runtime::refuses(action, self.oldest).is_none();
        plain.then(|| vec![Part { hosts: None, circumstance, args: Vec::new(), action }])
    }

    /// The entries of a name.
    fn plan(&self, store: &mut Store, call: Syscall, others: &Plans) -> Result<Plan, WriteError> {
        let planned = self.plan_by(store, call, others, Comparisons::Alone);
        // A mask of upper bits asks nothing on an ABI with narrow registers, so a condition on the whole register that both ABIs of a
        // host have is a comparison. The library's program of such entries is made and read before they are handed out.
        if !matches!(planned, Err(WriteError::Differs { .. })) {
            return planned;
        }
        self.plan_by(store, call, others, Comparisons::Beside).or(planned)
    }

    fn plan_by(
        &self,
        store: &mut Store,
        call: Syscall,
        others: &Plans,
        comparisons: Comparisons,
    ) -> Result<Plan, WriteError> {
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
                match self.candidate(store, call, node, bits, comparisons) {
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
    fn candidate(
        &self,
        store: &mut Store,
        call: Syscall,
        node: Node,
        bits: u8,
        comparisons: Comparisons,
    ) -> Result<Plan, WriteError> {
        let name = call.name().to_owned();
        let mut plan = Vec::new();
        let Some(circumstances) = paths::circumstances(store, node, MOST_CIRCUMSTANCES) else {
            return Err(WriteError::TooManyEntries { name, entries: MOST_CIRCUMSTANCES as u64 });
        };
        // Entries on calls that are reached through a multiplexer come together there.
        let other_way = multiplex::other_way(call);
        let multiplexed = Multiplexer::of(call).is_some()
            || other_way.is_some_and(|(through, _)| self.policy.archs.iter().any(|&arch| through.nr(arch).is_some()));
        let comparisons =
            if multiplexed && comparisons == Comparisons::Alone { Comparisons::Never } else { comparisons };
        for (circumstance, below) in circumstances {
            let asks_kernel = circumstance.from_kernel().is_some() || circumstance.until_kernel().is_some();
            if asks_kernel && self.target.dialect != Dialect::Moby {
                return Err(WriteError::OpenKernel { name });
            }
            let entries = paths::entries(store, below, self.policy.default, bits, comparisons)
                .map_err(|entries| WriteError::TooManyEntries { name: name.clone(), entries })?;
            for (args, action) in entries {
                if let Some(refusal) = runtime::refuses(action, self.oldest) {
                    return Err(WriteError::ActionRefused { name: Some(name), refusal });
                }
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

    /// Keeps names that a host has on no ABI from it, where they would come first ([`sharing::Fault::Unloaded`]).
    fn keep_apart(&self, plans: &mut Plans) {
        for (&host, archs) in &self.hosts {
            let settled = archs.iter().all(|&arch| {
                arch == Arch::X86_64 && !archs.contains(&Arch::X32)
                    || plans.iter().any(|(call, plan)| {
                        call.nr(arch).is_some() && plan.iter().any(|part| part.is_for(host) && part.is_certain())
                    })
            });
            if settled {
                continue;
            }
            for (call, plan) in plans.iter_mut() {
                if archs.iter().any(|&arch| call.nr(arch).is_some()) {
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
            rules.extend(runtime::on_arch(call, arch, &rule).filter(|&(to, _)| to == nr).map(|(_, rule)| rule));
        }
        rules
    }

    /// The rules that the entries of other names bring to a multiplexer.
    fn opened(
        &self,
        store: &mut Store,
        call: Syscall,
        (host, arch, nr): (Arch, Arch, Nr),
        others: &Plans,
    ) -> Vec<(&'static str, Rule)> {
        let mut rules = Vec::new();
        for (call, _) in Multiplexer::of(call).into_iter().flat_map(Multiplexer::routes) {
            if let Some(plan) = others.get(&call).filter(|_| runtime::is_known(call, self.oldest)) {
                let brought = self.rules(store, call, plan, host, arch, nr);
                rules.extend(brought.into_iter().map(|rule| (call.name(), rule)));
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
        others: &Plans,
    ) -> bool {
        functions.iter().all(|&(arch, nr, node)| {
            let mut rules = self.rules(store, call, plan, host, arch, nr);
            rules.extend(self.opened(store, call, (host, arch, nr), others).into_iter().map(|(_, rule)| rule));
            let combined = runtime::combine(store, arch, self.policy.default, &rules, self.oldest);
            combined.node == node && combined.undetermined == Node::FALSE
        })
    }

    /// What a rule gives on its own.
    fn alone(&self, store: &mut Store, arch: Arch, rule: &Rule) -> Node {
        runtime::combine(store, arch, self.policy.default, std::slice::from_ref(rule), self.oldest).node
    }

    /// Why no entries do.
    fn why(&self, store: &mut Store, call: Syscall, host: Arch, others: &Plans) -> WriteError {
        let functions = self.functions(call, host);
        for &(arch, nr, node) in &functions {
            for (name, rule) in self.opened(store, call, (host, arch, nr), others) {
                let opened = self.alone(store, arch, &rule);
                let wanted = store.where_action(node, &|action| action == rule.action);
                let claimed = store.where_action(opened, &|action| action == rule.action);
                if store.minus(claimed, wanted) != Node::FALSE {
                    return WriteError::OpensMultiplexer { name: name.to_owned(), multiplexer: call.name(), arch };
                }
            }
        }
        let archs = functions.iter().map(|&(arch, ..)| arch).collect();
        WriteError::Differs { name: call.name().to_owned(), archs }
    }

    /// The file.
    fn profile(&self, plans: &Plans) -> Result<Profile, Vec<WriteError>> {
        let policy = self.policy;
        let unsayable =
            |action| vec![WriteError::Internal { call: None, what: format!("`{action}` has no name in JSON") }];
        let (default_action, default_errno_ret) =
            ActionName::of(policy.default).ok_or_else(|| unsayable(policy.default))?;
        // Unconditional: by action (the least strict first) and surroundings, the names of one kind together.
        let mut always: BTreeMap<(std::cmp::Reverse<Action>, Filter, Filter), Vec<String>> = BTreeMap::new();
        let mut sometimes = Vec::new();
        for (call, plan) in plans {
            let name = call.name();
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
