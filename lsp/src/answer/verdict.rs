//! What the finished policy does with a call.
//!
//! ```text
//! socket     allow if family == AF_UNIX, else deny(EPERM)     on x86_64, aarch64
//! ```

use std::path::{Path, PathBuf};

use kpol_compiler::answer::{diff, stats, words};
use kpol_compiler::driver::Compiled;
use kpol_compiler::spec::{Arch, Nr};
use kpol_compiler::tables;

use crate::snapshot::Snapshot;
use crate::world::World;

/// What happens to a call on some ABIs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Where it is so.
    pub archs: Vec<Arch>,
    /// One answer without a condition, or several with theirs.
    pub cases: Vec<(String, String)>,
}

/// The profile that speaks for a file: itself, or the first open one that leads to it.
pub fn profile(world: &mut World, snapshot: &Snapshot, path: &Path) -> Option<PathBuf> {
    let roots = world.roots_of(snapshot, path);
    roots.into_iter().find(|root| world.compiled(snapshot, root).is_some())
}

/// What a finished policy does with a call, ABIs with the same answer together.
pub fn of(compiled: &mut Compiled, name: &str) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = Vec::new();
    for arch in compiled.policy.archs.clone() {
        let declared = compiled.policy.declared.iter();
        let declared = declared.filter(|((on, _), known)| *on == arch && *known == name).map(|((_, nr), _)| *nr).next();
        let Some(nr) = declared.or_else(|| tables::syscall(name)?.nr(arch)) else { continue };
        let cases = cases(compiled, arch, nr, name);
        match verdicts.iter_mut().find(|verdict| verdict.cases == cases) {
            Some(same) => same.archs.push(arch),
            None => verdicts.push(Verdict { archs: vec![arch], cases }),
        }
    }
    verdicts
}

fn cases(compiled: &mut Compiled, arch: Arch, nr: Nr, name: &str) -> Vec<(String, String)> {
    let node = compiled.policy.function.at(arch, nr);
    if let Some(action) = node.as_action() {
        return vec![(action.to_string(), String::new())];
    }
    let mut all = Vec::new();
    for action in diff::actions(&compiled.store, node) {
        let set = compiled.store.where_action(node, &|other| other == action);
        let cases = words::cases(&mut compiled.store, arch, Some(name), set);
        let text: Vec<String> = cases.cases.iter().map(words::Case::condition).collect();
        let more = if cases.complete { "" } else { "; …" };
        all.push((action.to_string(), format!("{}{more}", text.join("; "))));
    }
    all
}

/// How many of the calls of an ABI run, at least for some arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The ABI.
    pub arch: Arch,
    /// Calls that always run.
    pub allowed: usize,
    /// Calls that hang on something.
    pub conditional: usize,
    /// All that have a name.
    pub all: usize,
}

/// The counts of every ABI of a policy.
pub fn counts(compiled: &Compiled) -> Vec<Count> {
    let policy = &compiled.policy;
    let all = stats::calls(&policy.function, &policy.archs, &policy.declared);
    all.into_iter()
        .map(|of| Count {
            arch: of.arch,
            allowed: of.calls.iter().filter(|(action, _)| action.runs()).map(|(_, count)| count).sum(),
            conditional: of.conditional.len(),
            all: of.calls.values().sum::<usize>() + of.conditional.len(),
        })
        .collect()
}
