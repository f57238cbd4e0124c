//! The proof: what was written, read back as a runtime reads it, is the policy.
//!
//! ```text
//! policy ─write→ text ─read→ profile ─load on each host→ diagram  =  the policy's, node by node
//! ```
//!
//! It is made once for a runtime that knows every name and adds nothing, which holds our own work, and once more for each runtime
//! that was named. What such a runtime does otherwise is said in the same breath, or is an error:
//!
//! ```text
//! kill { mseal }, libseccomp 2.5.4     the name is dropped, and the call allowed      an error
//! default kill, runc                   ENOSYS above the highest number that is named  said beside the proof
//! when cap CAP_SYS_ADMIN, containerd   the rule counts without the capability         an error, with a call
//! ```

use std::collections::BTreeMap;

use super::error::WriteError;
use super::profile::Profile;
use super::read::read;
use super::runtime::{self, Loaded, OLDEST_LIBSECCOMP, Refused, STRICTEST, Stack, Stub};
use super::sharing::Fault;
use super::write::Target;
use crate::diagram::{Function, Leaf, Node, Store, Table};
use crate::policy::{Policy, witness};
use crate::spec::arch::X32_BIT;
use crate::spec::{Action, Arch, Call, Nr};
use crate::tables::{self, Syscall};

/// What was proven, and of whom.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proof {
    /// The ABIs for which the text means the policy.
    pub archs: Vec<Arch>,
    /// The runtimes as which it was read; never none.
    pub under: Vec<Under>,
    /// Where no runtime was named: calls that the policy treats more strictly than others, and whose names the oldest
    /// libseccomp in support does not know.
    pub older: Vec<&'static str>,
    /// Where no runtime was named: for what the strictest of those in support starts no container.
    pub elsewhere: Vec<Refused>,
}

/// One runtime, and what it does beside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Under {
    /// The runtime.
    pub stack: Stack,
    /// Where it answers ENOSYS, and the policy has its default.
    pub stubs: Vec<Stub>,
    /// What it does not take.
    pub refused: Vec<Refused>,
}

/// The ABIs for which the text means the policy: all of them, or an error with a call.
pub fn prove(store: &mut Store, policy: &Policy, target: &Target, json: &str) -> Result<Proof, Vec<WriteError>> {
    let internal = |what: String| WriteError::Internal { call: None, what };
    let profile = read(json.as_bytes()).map_err(|error| vec![internal(error.to_string())])?;
    let mut hosts: Vec<Arch> = policy.archs.iter().map(|arch| arch.native()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let mut prover = Prover { store, policy, profile: &profile, hosts: &hosts, dropped: BTreeMap::new() };
    let load = |store: &mut Store, host| runtime::load(store, &profile, host, None, target.dialect);
    prover.compare(&load, None).map_err(|error| vec![error])?;
    let stacks = Stack::all(&target.runtimes, target.libseccomp);
    let mut under = Vec::new();
    for &stack in &stacks {
        let mut stubs = Vec::new();
        if stack.named {
            let load = |store: &mut Store, host| runtime::load_by(store, &profile, host, &stack);
            stubs = prover.compare(&load, Some(stack)).map_err(|error| vec![error])?;
        }
        under.push(Under { stack, stubs, refused: stack.refused(&profile) });
    }
    let named = stacks.iter().any(|stack| stack.named);
    let older = if named { Vec::new() } else { prover.older() };
    let mut elsewhere = if named { Vec::new() } else { Stack::all(&[STRICTEST], None)[0].refused(&profile) };
    elsewhere.retain(|refused| refused.fatal && refused.since.is_some());
    let errors: Vec<WriteError> =
        std::mem::take(&mut prover.dropped).into_iter().map(|(call, stacks)| prover.lost(call, stacks)).collect();
    if store.overflowed() {
        return Err(vec![WriteError::TooLarge]);
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut archs = policy.archs.clone();
    archs.sort_unstable();
    Ok(Proof { archs, under, older, elsewhere })
}

/// Loads the profile on a host.
type Load<'a> = dyn Fn(&mut Store, Arch) -> Result<Loaded, runtime::LoadError> + 'a;

struct Prover<'a> {
    store: &'a mut Store,
    policy: &'a Policy,
    profile: &'a Profile,
    hosts: &'a [Arch],
    /// Calls that the policy treats more strictly than its default, and whose names are dropped by these.
    dropped: BTreeMap<Syscall, Vec<Stack>>,
}

impl Prover<'_> {
    /// Compares what a runtime makes of the text with the policy, on all hosts; of `None` nothing but our own mistakes
    /// can come out. Gives where a runtime's own program answers.
    fn compare(&mut self, load: &Load<'_>, stack: Option<Stack>) -> Result<Vec<Stub>, WriteError> {
        let internal = |call, what: String| WriteError::Internal { call, what };
        let mut stubs = Vec::new();
        for &host in self.hosts {
            let loaded = match (load(self.store, host), stack) {
                (Ok(loaded), _) => loaded,
                (Err(error), Some(stack)) => return Err(WriteError::NotLoaded { stack, why: error.to_string() }),
                (Err(error), None) => return Err(internal(None, error.to_string())),
            };
            if let (None, Some((call, what))) = (stack, doubt(&loaded)) {
                // Comparisons beside other entries are written where nothing else will do; then no program of them can be made.
                if loaded.undetermined.is_empty() && loaded.merged.contains(&(call.arch, call.nr)) {
                    let name = self.policy.call_name(call.arch, call.nr);
                    let name = name.map_or_else(|| call.nr.0.to_string(), str::to_owned);
                    let here = |arch: &Arch| arch.native() == host;
                    return Err(WriteError::Differs {
                        name,
                        archs: self.policy.archs.iter().copied().filter(here).collect(),
                    });
                }
                return Err(internal(Some(call), what.to_owned()));
            }
            if let Some(fault) = loaded.faults.first() {
                return Err(WriteError::Miscompiled(fault.clone()));
            }
            // An ABI of this host that the filter lets in and the policy does not know.
            if let Some(arch) = loaded.function.tables.keys().find(|arch| !self.policy.archs.contains(arch)) {
                return Err(internal(None, format!("{arch} is open")));
            }
            let behind = loaded.behind.as_ref().unwrap_or(&loaded.function);
            for &arch in self.policy.archs.iter().filter(|arch| arch.native() == host) {
                if let Some((call, what, [said, done])) = self.difference(behind, arch, stack) {
                    let ordered = || loaded.ordered.contains(&(arch, call.nr));
                    return Err(match stack {
                        Some(stack) => WriteError::Otherwise { stack, call, what },
                        // Our entries are right, and the library's program of them is not.
                        None if ordered() => {
                            let name = self.policy.call_name(arch, call.nr);
                            let name = name.map_or_else(|| call.nr.0.to_string(), str::to_owned);
                            WriteError::Miscompiled(Fault::Wrong { name, call, said, done })
                        }
                        None => internal(Some(call), what),
                    });
                }
            }
            if let (Some(stack), Some((call, what))) = (stack, doubt(&loaded)) {
                return Err(WriteError::Otherwise { stack, call, what: format!("{}: {what}", place(&call)) });
            }
            let answers = |stub: &&Stub| {
                let tables = [behind, &loaded.function].map(|function| function.tables.get(&stub.arch));
                matches!(tables, [Some(behind), Some(front)] if !same(stub.arch, behind, front))
            };
            stubs.extend(loaded.stubs.iter().filter(answers).copied());
        }
        Ok(stubs)
    }

    /// A call on which the filter and the policy differ, other than by names that are dropped, and both answers, in words and as
    /// they are.
    fn difference(
        &mut self,
        given: &Function,
        arch: Arch,
        stack: Option<Stack>,
    ) -> Option<(Call, String, [Option<Action>; 2])> {
        let policy = self.policy;
        let default = Node::action(policy.default);
        let (Some(wanted), Some(given)) = (policy.function.tables.get(&arch), given.tables.get(&arch)) else {
            return Some((Call { arch, nr: Nr(0), args: [0; 6] }, format!("it is not for {arch}"), [None; 2]));
        };
        let mut different = Vec::new();
        wanted.zip(given, |range, wanted, given| {
            if wanted != given {
                different.push((range, wanted, given));
            }
        });
        let libseccomp = stack.and_then(|stack| stack.libseccomp);
        for (range, wanted, given) in different {
            for nr in owned(arch, *range.start(), *range.end()) {
                let call =
                    tables::syscall_at(arch, nr).filter(|&call| runtime::number(call, arch, libseccomp).is_none());
                if let Some(call) = call.filter(|_| given == default) {
                    if self.is_stricter(wanted) {
                        let stacks = self.dropped.entry(call).or_default();
                        stacks.extend(stack.filter(|stack| !stacks.contains(stack)));
                    }
                    continue;
                }
                let differs = self.store.differ(wanted, given);
                let Some((cube, _)) = self.store.witness(differs, &|leaf| leaf == Leaf::True) else {
                    // The store is full, so that nobody knows.
                    return Some((
                        Call { arch, nr, args: [0; 6] },
                        "the comparison is too large".to_owned(),
                        [None; 2],
                    ));
                };
                let (call, environment) = witness::call(arch, nr, &cube);
                let [wanted, given] = [wanted, given].map(|node| self.store.at(node, &environment, &call.args));
                let text = witness::describe(arch, nr, policy.call_name(arch, nr), &cube);
                let answers = [wanted, given].map(|leaf| match leaf {
                    Leaf::Act(action) => Some(action),
                    _ => None,
                });
                return Some((call, format!("{text} should get {wanted}, and gets {given}"), answers));
            }
        }
        None
    }

    /// Whether some calls get an answer that the kernel puts before the default.
    fn is_stricter(&mut self, node: Node) -> bool {
        let default = self.policy.default.precedence();
        self.store.where_action(node, &|action: Action| action.precedence() < default) != Node::FALSE
    }

    /// Calls that the oldest libseccomp in support would not know.
    fn older(&mut self) -> Vec<&'static str> {
        let mut older = Vec::new();
        let named =
            self.profile.syscalls.iter().flat_map(|entry| &entry.names).filter_map(|name| tables::syscall(name));
        let lacks = |call: Syscall, arch: Arch| runtime::number(call, arch, Some(OLDEST_LIBSECCOMP)).is_none();
        let archs = &self.policy.archs;
        let is_new = |&call: &Syscall| archs.iter().any(|&arch| call.nr(arch).is_some() && lacks(call, arch));
        let mut new: Vec<Syscall> = named.filter(is_new).collect();
        new.sort_unstable();
        new.dedup();
        for call in new {
            let tables = self.policy.function.tables.iter();
            let nodes: Vec<Node> = tables.filter_map(|(&arch, table)| Some(table.at(call.nr(arch)?))).collect();
            if nodes.into_iter().any(|node| self.is_stricter(node)) {
                older.push(call.name());
            }
        }
        older
    }

    fn lost(&self, call: Syscall, stacks: Vec<Stack>) -> WriteError {
        WriteError::Dropped {
            name: call.name(),
            needs: runtime::since(call, &self.policy.archs),
            stacks,
            default: self.policy.default,
        }
    }
}

/// A call of which it is not known what the library makes.
fn doubt(loaded: &Loaded) -> Option<(Call, &'static str)> {
    let contradiction = loaded.undetermined.first().map(|place| {
        let args = place.cube.args.map(|bits| bits.value);
        (Call { arch: place.arch, nr: place.nr, args }, "entries contradict each other")
    });
    let merged = loaded
        .merged
        .first()
        .map(|&(arch, nr)| (Call { arch, nr, args: [0; 6] }, "entries are such as libseccomp merges"));
    contradiction.or(merged)
}

fn place(call: &Call) -> String {
    let name =
        tables::syscall_at(call.arch, call.nr).map_or_else(|| call.nr.0.to_string(), |call| call.name().to_owned());
    format!("{name} on {}", call.arch)
}

/// Numbers of an interval that are the ABI's own; of a long run of others one.
pub(super) fn owned(arch: Arch, start: u32, end: u32) -> impl Iterator<Item = Nr> {
    let skip = if arch == Arch::X32 { start.max(X32_BIT) } else { start };
    let last = if arch == Arch::X86_64 { end.min(X32_BIT - 1) } else { end };
    let no_call = (arch == Arch::X86_64 && end == u32::MAX).then_some(Nr(u32::MAX));
    (skip..=last).map(Nr).filter(move |&nr| arch.owns(nr)).chain(no_call)
}

/// Whether two tables answer every number of the ABI's own alike.
#[must_use]
pub fn same(arch: Arch, one: &Table, two: &Table) -> bool {
    let mut same = true;
    one.zip(two, |range, a, b| {
        same &= a == b || owned(arch, *range.start(), *range.end()).next().is_none();
    });
    same
}
