//! What a policy does, in one line, so that a slip of a hundred calls is seen.
//!
//! ```text
//! web.kpol: 183 allow, 11 kill, 4 by condition; all other calls deny(EPERM)
//! ```
//!
//! Calls are counted by name, over all ABIs of the policy: one that is allowed on x86_64 and refused on aarch64 hangs
//! on a condition, like one that is looked at more closely.

use std::collections::{BTreeMap, BTreeSet};

use kpol_compiler::policy::Policy;
use kpol_compiler::spec::Action;
use kpol_compiler::tables::Syscall;

use crate::ui::printable;

/// The line, without the name of the policy.
pub(super) fn line(policy: &Policy) -> String {
    // `None` is a node that asks further.
    let mut answers: BTreeMap<&str, BTreeSet<Option<Action>>> = BTreeMap::new();
    for &arch in &policy.archs {
        let known = Syscall::all_of(arch).filter_map(|call| Some((call.nr(arch)?, call.name())));
        let declared = policy.declared.iter().filter(|((on, _), _)| *on == arch);
        for (nr, name) in known.chain(declared.map(|((_, nr), name)| (*nr, name.as_str()))) {
            answers.entry(name).or_default().insert(policy.function.at(arch, nr).as_action());
        }
    }
    let mut counts: BTreeMap<Action, usize> = BTreeMap::new();
    let mut by_condition = 0;
    for actions in answers.into_values() {
        match actions.into_iter().collect::<Vec<_>>()[..] {
            [Some(action)] => *counts.entry(action).or_default() += 1,
            _ => by_condition += 1,
        }
    }
    counts.remove(&policy.default);
    // Most permissive first: that is what a reviewer counts.
    let mut parts: Vec<String> = counts.iter().rev().map(|(action, count)| format!("{count} {action}")).collect();
    if by_condition > 0 {
        parts.push(format!("{by_condition} by condition"));
    }
    if parts.is_empty() {
        format!("all calls {}", policy.default)
    } else {
        format!("{}; all other calls {}", parts.join(", "), policy.default)
    }
}

/// What the policy need not hold of what its guards assert, a line each.
pub fn waivers(policy: &Policy) -> Vec<String> {
    policy.waivers.iter().map(|waiver| printable(&waiver.line())).collect()
}

/// `x86_64, x86 and aarch64`
pub(super) fn list(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
