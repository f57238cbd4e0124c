//! Warnings about what a policy says, one file each. A warning never changes meaning.
//!
//! ```text
//! default deny   allow { read }       W007: no program can start under this
//! ```
//!
//! Warnings about one pattern or condition (W001, W003 … W006, W016) come from [`resolve`](crate::resolve), where they
//! are seen; what is here looks at rules side by side, or at the finished function.

mod claims;
mod clone3;
mod effect;
mod half;
mod outcome;
mod release;
mod sibling;
mod start;
mod unused;
mod useless;
mod void;

pub use sibling::{old_calls, siblings, successor};
use std::collections::BTreeSet;

use crate::diagnostic::{Diagnostic, FileId, Span};
use crate::diagram::{Leaf, Node, Store};
use crate::driver::Options;
use crate::policy::{Policy, build::decided_at, witness};
use crate::resolve::{Claim, Resolved, Sink};
use crate::source::graph::Graph;
use crate::spec::{Action, Arch, Nr};
use crate::tables::{self, Syscall};

/// Everything that a lint may look at.
struct Context<'a> {
    graph: &'a Graph,
    resolved: &'a Resolved,
    options: &'a Options,
    store: &'a mut Store,
    sink: &'a mut Sink,
}

/// Runs every lint. `policy` is `None` for a library, of which less can be said.
pub fn lint(
    graph: &Graph,
    resolved: &Resolved,
    policy: Option<&Policy>,
    options: &Options,
    store: &mut Store,
    sink: &mut Sink,
) {
    let mut context = Context { graph, resolved, options, store, sink };
    let void = policy.map(|policy| void::lint(&mut context, policy)).unwrap_or_default();
    claims::lint(&mut context, &void);
    outcome::lint(&mut context, policy);
    if let Some(policy) = policy {
        start::lint(&mut context, policy);
        clone3::lint(&mut context, policy);
        release::lint(&mut context, policy);
        sibling::lint(&mut context, policy);
        effect::lint(&mut context, policy);
        half::lint(&mut context, policy);
        unused::lint(&mut context);
    } else if resolved.defaults.is_empty() {
        useless::lint(&mut context);
    }
}

impl Context<'_> {
    /// The file that was asked for.
    fn root(&self) -> FileId {
        self.graph.files.first().map_or(FileId(0), |file| file.id)
    }

    fn is_builtin(&self, file: FileId) -> bool {
        self.graph.get(file).is_none_or(|file| file.builtin)
    }

    /// Where the fate of some call in `set` is decided; the file's beginning if nowhere.
    fn place_of(&self, arch: Arch, nr: Nr, set: Node) -> Span {
        let call = self.store.witness(set, &|leaf| leaf != Leaf::False).map(|(cube, _)| witness::call(arch, nr, &cube));
        call.and_then(|(call, environment)| decided_at(self.resolved, self.store, arch, nr, &environment, &call.args))
            .map_or(Span { file: self.root(), bytes: Default::default() }, |(span, _)| span)
    }

    /// The function of a call by name, where the ABI has it.
    fn function(&self, policy: &Policy, name: &str, arch: Arch) -> Option<(Nr, Node)> {
        let nr = tables::syscall(name)?.nr(arch)?;
        Some((nr, policy.function.at(arch, nr)))
    }

    /// Every claim that a pattern naming the call itself makes on one of those calls, outside of kpolc's own files.
    fn direct_claims<'n>(&self, names: impl Iterator<Item = &'n str>) -> Vec<(Arch, Nr, Claim)> {
        let wanted: Vec<Syscall> = names.filter_map(tables::syscall).collect();
        let mut all = Vec::new();
        for (&arch, calls) in &self.resolved.claims {
            let numbers: BTreeSet<Nr> = wanted.iter().filter_map(|call| call.nr(arch)).collect();
            for nr in numbers {
                let Some(claims) = calls.get(&nr) else { continue };
                let direct = claims
                    .iter()
                    .filter(|claim| claim.member.via.group.is_none() && !self.is_builtin(claim.member.via.file()));
                all.extend(direct.map(|&claim| (arch, nr, claim)));
            }
        }
        all
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        self.sink.push(diagnostic);
    }
}

/// Whether the call reaches the kernel's code, or may if somebody says so.
fn may_run(action: Action) -> bool {
    matches!(action, Action::Allow | Action::Log | Action::Trace(_) | Action::Notify)
}
