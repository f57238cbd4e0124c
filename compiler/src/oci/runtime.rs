//! What a runtime makes of a profile: JSON as crun or runc with libseccomp load it, as a diagram.
//!
//! ```text
//! { "names": ["socket"], "args": [{0 EQ 1}, {0 EQ 2}] }      →  socket: arg0 == 1 or arg0 == 2, not "and"
//! { "names": ["open_by_hand"] }                              →  nothing: no release knows the name
//! { "names": ["read"], "action": the default's }             →  nothing: equal to the default
//! ```
//!
//! Where it is written:
//! - which entries count: containers/common `pkg/seccomp/seccomp_linux.go` (`setupSeccomp`); moby
//!   `profiles/seccomp/seccomp_linux.go` for `minKernel`, which the former does not read;
//! - rules: containers/crun `src/libcrun/seccomp.c` (`libcrun_generate_seccomp`), opencontainers/runc
//!   `libcontainer/seccomp/seccomp_linux.go` (`matchCall`);
//! - what a rule matches: seccomp/libseccomp `src/db.c` (`db_rule_add`, `_db_rule_gen_32`, `_db_rule_gen_64`);
//! - `socketcall` and `ipc`: `abi_rule_add` and `_abi_syscall_munge`, `src/syscalls.c` (`x86_rule_add`, `src/arch-x86.c`,
//!   up to 2.5.0). Where an ABI has the multiplexer, a rule on a call behind it is added for it too, with the call's number
//!   in place of whatever was asked of arg0, all else unchanged, although the other registers mean something else there:
//!
//! ```text
//! { "names": ["socket"], args: [arg2 EQ 0] }   for x86   →   socket (359): arg2 == 0
//!                                                            socketcall (102): arg0 == 1 and arg2 == 0
//! ```
//!
//! Where an ABI lacks a name, libseccomp adds the rule for a negative number of its own (`__PNR_…`): no kernel has a
//! call there, so that nothing comes of it and nothing is shown here.
//!
//! An ABI that is not in the filter ends the *thread* (`SCMP_FLTATR_ACT_BADARCH`), where a function here says process:
//! the one difference that is not shown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::libseccomp::{self, Failure, Filter, Number};
use super::profile::{Arg, Entry, Op, Profile, ValueTwo};
use super::sharing::{self, Fault};
use super::trial;
use crate::bpf::Program;
use crate::diagram::{Comparison, Cube, Function, Leaf, Node, Operand, Store, Table};
use crate::spec::multiplex::{self, Multiplexer};
use crate::spec::{Action, Arch, Nr};
use crate::tables;

/// A release of libseccomp.
pub type Release = (u8, u8, u8);

/// Who picks the entries that count on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// containers/common: CRI-O, Podman, Buildah.
    #[default]
    Containers,
    /// moby: Docker. Knows `minKernel`.
    Moby,
}

/// What came of a profile on one host.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The filter, with capabilities and kernel open; tables of the ABIs that can meet on the host. What entries say, if
    /// nothing speaks against it; what libseccomp's program does, if something did and the program could be made
    /// ([`super::trial`]); then nothing below is left in doubt.
    pub function: Function,
    /// Where two entries claim a call and libseccomp's answer hangs on their order.
    pub undetermined: Vec<Undetermined>,
    /// Calls with several entries of which one compares by order (`LT`, `GE`, `NE`, …). The function has what the entries
    /// say; libseccomp merges tests of upper halves there (`_db_tree_add`, `src/db.c`) and answers some values
    /// near the bounds otherwise.
    pub merged: Vec<(Arch, Nr)>,
    /// Ways in which libseccomp's program does not do what its rules say, or may not.
    pub faults: Vec<Fault>,
    /// Names that the release does not know; entries on them do nothing.
    pub unknown: Vec<String>,
    /// What the library is given.
    pub handed: Handed,
    /// Whether something was in doubt, and the program has settled it.
    pub settled: bool,
}

/// A place where the answer hangs on the order of entries. The function has the earlier entry's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undetermined {
    /// ABI of the calls.
    pub arch: Arch,
    /// Their number.
    pub nr: Nr,
    /// The name in the profile.
    pub name: String,
    /// Some of them.
    pub cube: Cube,
    /// All of them (a set).
    pub calls: Node,
}

/// Why a runtime would refuse the profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadError {
    /// Both `architectures` and `archMap`.
    BothArchLists,
    /// An ABI of the other byte order than the host's.
    OtherByteOrder(Arch),
    /// A number beside an action that takes none; the index is the entry's, `None` for the default.
    ErrnoBesideOther(Option<usize>),
    /// An action that libseccomp does not take; the index is the entry's, `None` for the default.
    ActionRefused(Option<usize>, Refusal),
    /// The host is not a kernel's own ABI.
    NotAHost(Arch),
    /// The diagram has grown past its bound.
    TooLarge,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BothArchLists => f.write_str("`architectures` and `archMap` are both given; runtimes take one"),
            Self::OtherByteOrder(arch) => {
                write!(f, "`{}` has another byte order than the host; libseccomp takes no such mix", arch.oci_name())
            }
            Self::ErrnoBesideOther(None) => f.write_str("`defaultErrnoRet` beside an action that takes no number"),
            Self::ErrnoBesideOther(Some(index)) => {
                write!(f, "syscalls[{index}]: `errnoRet` beside an action that takes no number")
            }
            Self::ActionRefused(None, refusal) => write!(f, "the default: {refusal}"),
            Self::ActionRefused(Some(index), refusal) => write!(f, "syscalls[{index}]: {refusal}"),
            Self::NotAHost(arch) => write!(f, "no kernel is `{arch}` only"),
            Self::TooLarge => f.write_str("the profile is too large to be understood within bounds"),
        }
    }
}

impl std::error::Error for LoadError {}

/// An action that libseccomp refuses, as default (`seccomp_init`) and for a rule (`seccomp_rule_add`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// An errno past [`MAX_ERRNO`].
    Errno(u16),
    /// An action that came with a later release.
    TooNew(Action, Release),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errno(errno) => write!(f, "libseccomp refuses errno {errno}; it takes 0 to {MAX_ERRNO}"),
            Self::TooNew(action, (major, minor, _)) => {
                write!(f, "libseccomp has no `{}` before {major}.{minor}", action.word())
            }
        }
    }
}

/// The largest errno that libseccomp takes (`sys_chk_seccomp_action`, `src/system.c`): one less than the kernel's own.
pub const MAX_ERRNO: u16 = Action::MAX_ERRNO - 1;

/// Whether a release (`None`: the newest) refuses an action. Of those that a release knows it also asks the running kernel
/// whether it has them: 4.14 for `log` and `kill`, 5.0 for `notify`.
pub fn refuses(action: Action, release: Option<Release>) -> Option<Refusal> {
    let since = match action {
        Action::Errno(errno) if errno > MAX_ERRNO => return Some(Refusal::Errno(errno)),
        Action::KillProcess | Action::Log => (2, 4, 0),
        Action::Notify => (2, 5, 0),
        _ => return None,
    };
    release.is_some_and(|release| release < since).then_some(Refusal::TooNew(action, since))
}

/// A rule as the runtime hands it to libseccomp for one number.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The surroundings in which it is there at all (a set).
    pub when: Node,
    /// Its conditions, all of which must hold, each on an argument of its own.
    pub args: Vec<Arg>,
    /// Its action.
    pub action: Action,
}

/// The rules of one ABI by number, each number with a name that led to it.
#[derive(Debug)]
pub struct Calls<'a> {
    /// Sorted; a number stands once for each of its rules.
    keys: Vec<(Nr, &'a str)>,
    rules: Vec<Rule>,
}

impl<'a> Calls<'a> {
    /// The rules of a number stay in their order.
    fn new(mut rules: Vec<(Nr, &'a str, Rule)>) -> Self {
        rules.sort_by_key(|&(nr, ..)| nr);
        let (keys, rules) = rules.into_iter().map(|(nr, name, rule)| ((nr, name), rule)).unzip();
        Self { keys, rules }
    }

    /// Each number, its first name and its rules.
    pub fn iter(&self) -> impl Iterator<Item = (Nr, &'a str, &[Rule])> {
        let mut end = 0;
        self.keys.chunk_by(|(one, _), (other, _)| one == other).map(move |keys| {
            let start = end;
            end += keys.len();
            (keys[0].0, keys[0].1, &self.rules[start..end])
        })
    }

    /// The rules of all numbers.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
}

/// What the rules of one number come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Combined {
    /// The answer.
    pub node: Node,
    /// Where it hangs on the order of rules (a set).
    pub undetermined: Node,
}

/// What a runtime hands to libseccomp, in its order.
#[derive(Debug, Clone)]
pub struct Handed {
    /// The ABIs, also those of other hosts.
    pub archs: Vec<Arch>,
    /// What is left to no rule.
    pub default: Action,
    /// The calls by name and their rules.
    pub rules: Vec<(tables::Syscall, Rule)>,
}

impl Handed {
    /// Calls whose arguments no entry looks at, nine of ten: they share no tests with others, and the program does the same
    /// with these others without them.
    ///
    /// But one of them stays: by its test the number is loaded, whatever else is forgotten ([`Fault::Unloaded`]). And so do
    /// those that an ABI has no number of its own for.
    pub fn left_out(&self) -> BTreeSet<tables::Syscall> {
        let mut plain: BTreeSet<_> = self.rules.iter().map(|&(call, _)| call).collect();
        plain.retain(|&call| {
            let reached_otherwise = multiplex::other_way(call).is_some() || Multiplexer::of(call).is_some();
            !reached_otherwise && self.archs.iter().all(|&arch| call.nr(arch).is_some())
        });
        for (call, _) in self.rules.iter().filter(|(_, rule)| !rule.args.is_empty()) {
            plain.remove(call);
        }
        let always = self.rules.iter().find(|(call, rule)| plain.contains(call) && rule.when == Node::TRUE);
        if let Some((call, _)) = always {
            plain.remove(call);
        }
        plain
    }

    /// The library's program of those rules that are given, one by one.
    pub fn program(&self, given: &[bool]) -> Result<Program, Failure> {
        let mut filters: Vec<Filter> = self.archs.iter().map(|&arch| Filter::new(arch)).collect();
        for ((call, rule), _) in self.rules.iter().zip(given).filter(|(_, given)| **given) {
            for filter in &mut filters {
                let arch = filter.arch();
                for (nr, rule) in on_arch(*call, arch, rule) {
                    filter.add(Number::Real(nr.0), &rule.args, rule.action)?;
                }
                // `abi_rule_add` (`src/syscalls.c`) drops names that the ABI lacks, unless a multiplexer reaches them; ABIs
                // without one keep them all.
                let kept = || {
                    Multiplexer::ALL.iter().all(|multiplexer| multiplexer.nr(arch).is_none())
                        || multiplex::other_way(*call).is_some_and(|(multiplexer, _)| multiplexer.nr(arch).is_some())
                };
                if call.nr(arch).is_none() && kept() {
                    filter.add(Number::Pseudo(call.name()), &rule.args, rule.action)?;
                }
            }
        }
        libseccomp::program(&filters, self.default)
    }
}

/// Loads a profile as a runtime on `host` would, `host` being a kernel's own ABI.
pub fn load(
    store: &mut Store,
    profile: &Profile,
    host: Arch,
    release: Option<Release>,
    dialect: Dialect,
) -> Result<Loaded, LoadError> {
    if host.native() != host {
        return Err(LoadError::NotAHost(host));
    }
    let listed = architectures(profile, host)?;
    let mut archs = listed.clone();
    archs.sort_unstable();
    if profile.default_errno_ret.is_some() && !profile.default_action.takes_errno() {
        return Err(LoadError::ErrnoBesideOther(None));
    }
    let default = profile.default_action.with(profile.default_errno_ret);
    let mut handed = Handed { archs: listed, default, rules: Vec::new() };
    if let Some(refusal) = refuses(default, release) {
        return Err(LoadError::ActionRefused(None, refusal));
    }
    let mut calls: BTreeMap<Arch, Vec<(Nr, &str, Rule)>> = archs.iter().map(|&arch| (arch, Vec::new())).collect();
    let mut unknown = Vec::new();
    let mut numberless: BTreeMap<Arch, &str> = BTreeMap::new();
    for (index, entry) in profile.syscalls.iter().enumerate() {
        if entry.errno_ret.is_some() && !entry.action.takes_errno() {
            return Err(LoadError::ErrnoBesideOther(Some(index)));
        }
        let when = when(store, entry, host, dialect);
        let action = entry.action.with(entry.errno_ret);
        if when == Node::FALSE || action == default {
            continue;
        }
        for name in &entry.names {
            let Some(syscall) = tables::syscall(name).filter(|&call| is_known(call, release)) else {
                unknown.push(name.clone());
                continue;
            };
            if let Some(refusal) = refuses(action, release) {
                return Err(LoadError::ActionRefused(Some(index), refusal));
            }
            for args in split(&entry.args) {
                handed.rules.push((syscall, Rule { when, args: args.clone(), action }));
                for (&arch, calls) in &mut calls {
                    if arch.native() == host && syscall.nr(arch).is_none() {
                        numberless.entry(arch).or_insert(name);
                    }
                    let rule = Rule { when, args: args.clone(), action };
                    calls.extend(on_arch(syscall, arch, &rule).map(|(nr, rule)| (nr, name.as_str(), rule)));
                }
            }
        }
    }
    let calls: BTreeMap<Arch, Calls<'_>> = calls.into_iter().map(|(arch, rules)| (arch, Calls::new(rules))).collect();
    let mut faults: Vec<Fault> = sharing::shared(&calls).into_iter().collect();
    faults.extend(sharing::unloaded(&calls, &numberless, archs.contains(&Arch::X32)));
    let mut function = Function::default();
    let mut undetermined = Vec::new();
    let mut merged = Vec::new();
    for (&arch, calls) in calls.iter().filter(|(arch, _)| arch.native() == host) {
        let other = Node::action(default);
        let mut intervals = vec![(0, other)];
        for (nr, name, rules) in calls.iter() {
            let combined = combine(store, arch, default, rules, release);
            let by_order = |arg: &Arg| !matches!(arg.op, Op::Eq | Op::MaskedEq);
            if rules.len() > 1 && rules.iter().any(|rule| rule.args.iter().any(by_order)) {
                merged.push((arch, nr));
            }
            intervals.pop_if(|(start, _)| *start == nr.0);
            intervals.push((nr.0, combined.node));
            intervals.extend(nr.0.checked_add(1).map(|next| (next, other)));
            if combined.undetermined == Node::FALSE {
                continue;
            }
            if let Some((cube, _)) = store.witness(combined.undetermined, &|leaf| leaf == Leaf::True) {
                let (name, calls) = (name.to_owned(), combined.undetermined);
                undetermined.push(Undetermined { arch, nr, name, cube, calls });
            }
        }
        function.tables.insert(arch, Table::from_intervals(intervals));
    }
    unknown.sort_unstable();
    unknown.dedup();
    let mut loaded = Loaded { function, undetermined, merged, faults, unknown, handed, settled: false };
    loaded.settle(store, release);
    if store.overflowed() { Err(LoadError::TooLarge) } else { Ok(loaded) }
}

impl Loaded {
    /// Where something is in doubt, the program decides; but not between entries that contradict each other: what the
    /// library makes of those today nobody promises.
    fn settle(&mut self, store: &mut Store, release: Option<Release>) {
        if self.faults.is_empty() && self.merged.is_empty() {
            return;
        }
        let archs: Vec<Arch> = self.function.tables.keys().copied().collect();
        // What a later release makes of LE is not known, and no program tells.
        let le = self.handed.archs.iter().any(|&arch| compared_bits(arch) == 32)
            && self.handed.rules.iter().any(|(_, rule)| rule.args.iter().any(|arg| arg.op == Op::Le));
        if le && release.is_none_or(|release| release > LE_IS_SOUND) {
            return;
        }
        let left_out = self.handed.left_out();
        let Some(done) = trial::run(store, &self.handed, &left_out, &archs) else { return };
        let open = |arch, nr| {
            if tables::syscall_at(arch, nr).is_some_and(|call| left_out.contains(&call)) {
                return Node::TRUE;
            }
            let place = self.undetermined.iter().find(|place| (place.arch, place.nr) == (arch, nr));
            let merged = self.merged.contains(&(arch, nr));
            if merged { Node::TRUE } else { place.map_or(Node::FALSE, |place| place.calls) }
        };
        self.faults = trial::wrong(store, &self.function, &done, &open).into_iter().collect();
        self.settled = true;
        if !self.undetermined.is_empty() {
            return;
        }
        for (arch, done) in done {
            let Some(said) = self.function.tables.get_mut(&arch) else { continue };
            let mut kept: Vec<Nr> = left_out.iter().filter_map(|call| call.nr(arch)).collect();
            kept.sort_unstable();
            *said = done.except(&kept, said);
        }
        self.merged.clear();
    }
}

/// The ABIs of the filter, in libseccomp's order: the host's own always (`seccomp_init`), then those that the profile
/// names.
fn architectures(profile: &Profile, host: Arch) -> Result<Vec<Arch>, LoadError> {
    if !profile.architectures.is_empty() && !profile.arch_map.is_empty() {
        return Err(LoadError::BothArchLists);
    }
    let mut archs = vec![host];
    archs.extend(&profile.architectures);
    // Only the first row of the host's own counts.
    archs.extend(profile.arch_map.iter().find(|row| row.arch == host).into_iter().flat_map(|row| &row.sub));
    let mut seen = BTreeSet::new();
    archs.retain(|&arch| seen.insert(arch));
    // `db_col_db_add`: -EDOM.
    match archs.iter().find(|arch| arch.is_big_endian() != host.is_big_endian()) {
        Some(&arch) => Err(LoadError::OtherByteOrder(arch)),
        None => Ok(archs),
    }
}

/// Names under which a host is known in `arches`: `GOARCH` for moby, libseccomp-golang's `ScmpArch.String` for
/// containers/common. They differ on little-endian MIPS.
pub fn host_names(host: Arch) -> &'static [&'static str] {
    match host {
        Arch::X86_64 => &["amd64"],
        Arch::Aarch64 => &["arm64"],
        Arch::Riscv64 => &["riscv64"],
        Arch::S390x => &["s390x"],
        Arch::Ppc64le => &["ppc64le"],
        Arch::Ppc64 => &["ppc64"],
        Arch::Loongarch64 => &["loong64"],
        Arch::Mips64 => &["mips64"],
        Arch::Mipsel64 => &["mips64le", "mipsel64"],
        Arch::Parisc64 => &["parisc64"],
        Arch::M68k => &["m68k"],
        Arch::Sh => &["sheb"],
        _ => &[],
    }
}

/// The surroundings in which an entry counts. A capability without a number is held by nobody.
fn when(store: &mut Store, entry: &Entry, host: Arch, dialect: Dialect) -> Node {
    let names = host_names(host);
    let listed = |arches: &[String]| arches.iter().any(|arch| names.contains(&arch.as_str()));
    if listed(&entry.excludes.arches) || !entry.includes.arches.is_empty() && !listed(&entry.includes.arches) {
        return Node::FALSE;
    }
    let mut node = Node::TRUE;
    for name in &entry.includes.caps {
        let held = tables::capability(name).map_or(Node::FALSE, |number| store.capability(number));
        node = store.and(node, held);
    }
    for name in &entry.excludes.caps {
        if let Some(number) = tables::capability(name) {
            let held = store.capability(number);
            node = store.minus(node, held);
        }
    }
    if dialect == Dialect::Moby {
        if let Some(version) = entry.includes.min_kernel {
            let recent = store.kernel_at_least(version);
            node = store.and(node, recent);
        }
        if let Some(version) = entry.excludes.min_kernel {
            let recent = store.kernel_at_least(version);
            node = store.minus(node, recent);
        }
    }
    node
}

/// Whether the release knows the name (`None`: the newest).
pub fn is_known(call: tables::Syscall, release: Option<Release>) -> bool {
    match (call.libseccomp_release(), release) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(since), Some(release)) => since <= release,
    }
}

/// Where an index comes twice, each condition becomes a rule of its own: a call that meets one of them is matched.
fn split(args: &[Arg]) -> Vec<Vec<Arg>> {
    // crun looks at the first six only; more than six can't all be different.
    let args = &args[..args.len().min(6)];
    let repeated = args.iter().enumerate().any(|(at, arg)| args[..at].iter().any(|before| before.index == arg.index));
    if repeated { args.iter().map(|&arg| vec![arg]).collect() } else { vec![args.to_vec()] }
}

/// Numbers and rules that come of a rule on a name for one ABI.
pub fn on_arch(call: tables::Syscall, arch: Arch, rule: &Rule) -> impl Iterator<Item = (Nr, Rule)> + use<> {
    let through = multiplex::other_way(call).and_then(|(multiplexer, number)| {
        let nr = multiplexer.nr(arch)?;
        let mut args: Vec<Arg> = rule.args.iter().copied().filter(|arg| arg.index != 0).collect();
        args.push(Arg { index: 0, value: u64::from(number), value_two: ValueTwo::default(), op: Op::Eq });
        Some((nr, Rule { args, ..rule.clone() }))
    });
    through.into_iter().chain(call.nr(arch).map(|nr| (nr, rule.clone())))
}

/// What the rules of one number come to. A rule without conditions beats those with conditions, the first such rule
/// those behind it (`db_rule_add`); rules with conditions are tried one after the other, in an order of libseccomp's.
pub fn combine(store: &mut Store, arch: Arch, default: Action, rules: &[Rule], release: Option<Release>) -> Combined {
    if let [rule] = rules
        && rule.args.is_empty()
        && rule.when == Node::TRUE
    {
        return Combined { node: Node::action(rule.action), undetermined: Node::FALSE };
    }
    // Neighbours that say the same are one claim: most rules of a call have one action.
    let mut claims: Vec<(bool, Action, Node)> = Vec::new();
    let mut always = Node::FALSE;
    let mut sometimes = Node::FALSE;
    let mut disputed_always = Node::FALSE;
    let mut disputed_sometimes = Node::FALSE;
    for rule in rules {
        let matched = matches(store, arch, &rule.args, release);
        let calls = store.and(rule.when, matched.calls);
        let doubtful = store.and(rule.when, matched.doubtful);
        let disputed = if matched.unconditional { &mut disputed_always } else { &mut disputed_sometimes };
        *disputed = store.or(*disputed, doubtful);
        match claims.last_mut() {
            Some((unconditional, action, all)) if (*unconditional, *action) == (matched.unconditional, rule.action) => {
                *all = store.or(*all, calls);
            }
            _ => claims.push((matched.unconditional, rule.action, calls)),
        }
    }
    for (unconditional, action, calls) in claims {
        let claim = store.ite(calls, Node::action(action), Node::FALSE);
        let (claimed, disputed) =
            if unconditional { (&mut always, &mut disputed_always) } else { (&mut sometimes, &mut disputed_sometimes) };
        // Where both claim and say something else.
        let joined = store.over(*claimed, claim);
        let turned = store.over(claim, *claimed);
        let differs = store.differ(joined, turned);
        *disputed = store.or(*disputed, differs);
        *claimed = joined;
    }
    let settled = store.map(always, &|leaf| if leaf == Leaf::False { Leaf::False } else { Leaf::True });
    let disputed_sometimes = store.minus(disputed_sometimes, settled);
    let undetermined = store.or(disputed_always, disputed_sometimes);
    let claimed = store.over(always, sometimes);
    Combined { node: store.over(claimed, Node::action(default)), undetermined }
}

/// The last release of which it is known that LE is right everywhere.
const LE_IS_SOUND: Release = (2, 6, 1);

/// What a rule matches.
struct Matched {
    /// The calls that meet all conditions (a set).
    calls: Node,
    /// Calls of which it hangs on the release (a set).
    doubtful: Node,
    /// Whether there is no condition at all.
    unconditional: bool,
}

/// The set of calls that meet all conditions of a rule.
fn matches(store: &mut Store, arch: Arch, args: &[Arg], release: Option<Release>) -> Matched {
    let mut sorted: Vec<Arg> = args.to_vec();
    sorted.sort_by_key(|arg| arg.index);
    let mut calls = Node::TRUE;
    let mut misread = Node::TRUE;
    let mut unconditional = true;
    // Which branch of the condition before leads on.
    let mut on_true = false;
    for arg in sorted {
        let holds = condition(store, arch, arg);
        // A mask without bits is no condition (`_db_arg_cmp_need_lo`); GE 0 is one.
        if arg.op == Op::MaskedEq && holds == Node::TRUE {
            continue;
        }
        unconditional = false;
        let mut as_misread = holds;
        if arg.op == Op::Le && compared_bits(arch) == 32 && release.is_none_or(|release| release > LE_IS_SOUND) {
            // Between releases `_db_rule_gen_arg_32` has had `tf_flag = false` where `*tf_flag = false` is meant: LE, which it
            // makes from GT, then leads on wherever the condition before did, and behind an EQ it means GT. Of
            // no release after 2.6.1 is it known whether it is mended.
            if on_true {
                as_misread = store.not(holds);
            }
        } else {
            on_true = !matches!(arg.op, Op::Ne | Op::Lt | Op::Le);
        }
        calls = store.and(calls, holds);
        misread = store.and(misread, as_misread);
    }
    Matched { calls, doubtful: store.differ(calls, misread), unconditional }
}

/// How much of an argument libseccomp looks at. x32 and n32 have registers of 64 bits, which the kernel shows whole,
/// but libseccomp takes both for 32-bit ABIs (`ARCH_SIZE_32` in `src/arch-x32.c` and `src/arch-mips64n32.c`).
pub fn compared_bits(arch: Arch) -> u8 {
    match arch {
        Arch::X32 | Arch::Mips64n32 | Arch::Mipsel64n32 => 32,
        _ => arch.bits(),
    }
}

/// The set of calls that meet one condition, read as it stands: on 32-bit ABIs the upper halves are dropped.
fn condition(store: &mut Store, arch: Arch, arg: Arg) -> Node {
    let bits = compared_bits(arch);
    let all = u64::MAX >> (64 - bits);
    let value = arg.value & all;
    let operand = Operand { arg: arg.index, bits, mask: all, signed: false };
    match arg.op {
        Op::Eq => store.compare(operand, Comparison::Eq, value),
        Op::Le => store.compare(operand, Comparison::Le, value),
        Op::Ne => {
            let equal = store.compare(operand, Comparison::Eq, value);
            store.not(equal)
        }
        Op::Gt => {
            let at_most = store.compare(operand, Comparison::Le, value);
            store.not(at_most)
        }
        Op::Lt => match value.checked_sub(1) {
            Some(last) => store.compare(operand, Comparison::Le, last),
            None => Node::FALSE,
        },
        Op::Ge => match value.checked_sub(1) {
            Some(below) => {
                let less = store.compare(operand, Comparison::Le, below);
                store.not(less)
            }
            None => Node::TRUE,
        },
        Op::MaskedEq => {
            let operand = Operand { mask: value, ..operand };
            store.compare(operand, Comparison::Eq, arg.value_two.0.unwrap_or(0) & value)
        }
    }
}
