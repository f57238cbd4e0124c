//! What a filter lets happen, in the words of the effects.
//!
//! ```text
//! connect        in part   sendmsg, sendto        `connect` is refused, fast open is not
//! run-program    wholly
//! ```
//!
//! An effect is granted wholly if every way of it that the ABIs have runs, in part if some do. A call runs under `allow` and `log`, and
//! may under `trace` and `notify`, where somebody else decides.

use std::collections::BTreeSet;

use super::call_name;
use crate::diagram::{Node, Store};
use crate::driver::load::Filter;
use crate::library::Effect;
use crate::resolve;

/// How much of an effect a filter grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// Which effect.
    pub effect: Effect,
    /// Calls of it that run, for some arguments at least, on some ABI.
    pub calls: Vec<String>,
    /// Whether every way of it runs.
    pub wholly: bool,
}

/// The effects that a filter grants, by name; those of which no way runs are not among them.
pub fn granted(store: &mut Store, filter: &Filter) -> Vec<Granted> {
    let mut all = Vec::new();
    for of in resolve::effects(&filter.spoken, store) {
        let (mut calls, mut wholly) = (BTreeSet::new(), true);
        for (&arch, set) in &of.calls {
            for (&nr, member) in set.iter() {
                let refused = store.where_action(filter.function.at(arch, nr), &|action| action.refuses());
                let stays = store.and(refused, member.set);
                wholly &= stays == Node::FALSE;
                if stays != member.set {
                    calls.extend(call_name(&filter.declared, arch, nr).map(str::to_owned));
                }
            }
        }
        if !calls.is_empty() {
            all.push(Granted { effect: of.effect, calls: calls.into_iter().collect(), wholly });
        }
    }
    all
}
