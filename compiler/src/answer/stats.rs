//! What a filter is made of, and what it costs.
//!
//! ```text
//! x86_64   allow 310 · deny(EPERM) 60 · by arguments 4        everything else deny(ENOSYS)
//! read     5 instructions, answered from the kernel's bitmap
//! ```
//!
//! Instructions are those that the kernel's interpreter would execute. The worst of a call is the longest way through
//! the program with its architecture and number known, whatever the arguments: a bound that may be higher than what
//! any arguments reach. What the kernel answers from its bitmap does not run the program ([`always_allowed`]).

use std::collections::BTreeMap;

use super::call_name;
use crate::bpf::{Program, SeccompData, Weights, always_allowed, run, walk};
use crate::diagram::{Function, Leaf};
use crate::spec::{Action, Arch, Call, Nr};
use crate::tables;

/// What happens to the named calls of one ABI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfArch {
    /// Which.
    pub arch: Arch,
    /// How many calls always get an action.
    pub calls: BTreeMap<Action, usize>,
    /// Names of those whose action hangs on arguments or the environment.
    pub conditional: Vec<String>,
}

/// What one call costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// The ABI.
    pub arch: Arch,
    /// The name.
    pub name: String,
    /// Instructions with all arguments 0.
    pub plain: usize,
    /// At most.
    pub most: usize,
    /// Whether the kernel answers it without running the filter.
    pub bitmap: bool,
}

/// Counts the calls of each ABI.
pub fn calls(function: &Function, archs: &[Arch], declared: &BTreeMap<(Arch, Nr), String>) -> Vec<OfArch> {
    let of = |arch: Arch| {
        let mut counted = OfArch { arch, calls: BTreeMap::new(), conditional: Vec::new() };
        for nr in numbers(arch, declared) {
            match function.at(arch, nr).as_leaf() {
                Some(Leaf::Act(action)) => *counted.calls.entry(action).or_default() += 1,
                _ => counted.conditional.extend(call_name(declared, arch, nr).map(str::to_owned)),
            }
        }
        counted.conditional.sort_unstable();
        counted
    };
    archs.iter().map(|&arch| of(arch)).collect()
}

pub(super) fn numbers(arch: Arch, declared: &BTreeMap<(Arch, Nr), String>) -> Vec<Nr> {
    let own = declared.keys().filter(|(of, _)| *of == arch).map(|(_, nr)| *nr);
    let mut all: Vec<Nr> = tables::Syscall::all_of(arch).filter_map(|call| call.nr(arch)).chain(own).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// What each call costs under a program, heaviest first.
pub fn costs(program: &Program, archs: &[Arch], declared: &BTreeMap<(Arch, Nr), String>) -> Vec<Cost> {
    let mut costs = Vec::new();
    for &arch in archs {
        for nr in numbers(arch, declared) {
            let Some(name) = call_name(declared, arch, nr) else { continue };
            let data = SeccompData::new(&Call { arch, nr, args: [0; 6] });
            let Ok(ran) = run(program, &data) else { continue };
            let most = walk(program, nr.0, arch.audit_token()).most;
            let bitmap = always_allowed(program, arch, nr);
            costs.push(Cost { arch, name: name.to_owned(), plain: ran.steps, most, bitmap });
        }
    }
    costs.sort_by(|a, b| (b.most, b.plain, &a.name, a.arch).cmp(&(a.most, a.plain, &b.name, b.arch)));
    costs
}

/// Instructions that a call of an ABI is expected to take: the mean over the calls that the weights name, with their
/// arguments. `None` if they name none of its calls.
pub fn expected(program: &Program, arch: Arch, weights: &Weights) -> Option<f64> {
    let (mut sum, mut total) = (0.0, 0.0);
    for (nr, frequent) in weights.calls(arch) {
        let ran = run(program, &SeccompData::new(&Call { arch, nr, args: frequent.args })).ok()?;
        sum += frequent.weight * ran.steps as f64;
        total += frequent.weight;
    }
    (total > 0.0).then(|| sum / total)
}
