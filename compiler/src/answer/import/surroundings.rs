//! Sets of environments, as the guards of `when`.
//!
//! ```text
//! CAP_SYS_PTRACE held, or kernel 4.8 and newer   →   [cap CAP_SYS_PTRACE]  [kernel >= 4.8]
//! ```
//!
//! A `when` joins its guards by `&&`, so that a set is a list of such conjunctions. The largest that fit are taken
//! first; they may overlap, which is no harm where they say the same.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagram::{Leaf, Node, Place, Store};
use crate::spec::{Environment, KernelVersion};
use crate::tables;

/// Capabilities in one set up to which the best cover is looked for.
const MOST_CAPS: usize = 5;
/// Guards for one set before giving up.
const MOST: usize = 512;

/// One conjunction; says nothing if all of it is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Surroundings {
    /// Capabilities that must, or must not, be held.
    pub caps: BTreeMap<u8, bool>,
    /// The oldest kernel.
    pub from: Option<KernelVersion>,
    /// The first kernel that is too new.
    pub before: Option<KernelVersion>,
}

impl Surroundings {
    /// The set.
    pub fn node(&self, store: &mut Store) -> Node {
        let mut node = Node::TRUE;
        for (&number, &held) in &self.caps {
            let cap = store.capability(number);
            node = if held { store.and(node, cap) } else { store.minus(node, cap) };
        }
        if let Some(version) = self.from {
            let recent = store.kernel_at_least(version);
            node = store.and(node, recent);
        }
        if let Some(version) = self.before {
            let recent = store.kernel_at_least(version);
            node = store.minus(node, recent);
        }
        node
    }

    /// The guards.
    pub fn guards(&self) -> Vec<String> {
        let mut guards = Vec::new();
        for (&number, held) in &self.caps {
            let name = tables::capability_name(number).map_or_else(|| number.to_string(), str::to_owned);
            guards.push(if *held { format!("cap {name}") } else { format!("not cap {name}") });
        }
        guards.extend(self.from.map(|version| format!("kernel >= {version}")));
        guards.extend(self.before.map(|version| format!("not kernel >= {version}")));
        guards
    }
}

/// Conjunctions that together hold all of `needed` and nothing beside `allowed`, which holds `needed`. Both ask
/// about environments only. `None` where there would be too many.
pub fn cover(store: &mut Store, needed: Node, allowed: Node) -> Option<Vec<Surroundings>> {
    if allowed == Node::TRUE {
        return Some(vec![Surroundings::default()]);
    }
    let (mut caps, mut starts) = (BTreeSet::new(), BTreeSet::from([0u16]));
    let mut seen = BTreeSet::new();
    let mut stack = vec![needed, allowed];
    while let Some(node) = stack.pop() {
        if !seen.insert(node) {
            continue;
        }
        let Some((var, lo, hi)) = store.split(node) else { continue };
        match var.place() {
            Place::Cap(number) => {
                caps.insert(number);
                stack.extend([lo, hi]);
            }
            // All that is below belongs to the same question.
            Place::Kernel(_) => kernels(store, node, &mut starts),
            Place::Arg { .. } => {}
        }
    }
    let caps: Vec<u8> = caps.into_iter().collect();
    let starts: Vec<u16> = starts.into_iter().collect();
    let candidates = if caps.len() <= MOST_CAPS && starts.len() <= 12 {
        all(&caps, &starts)
    } else {
        points(store, needed, &caps, &starts)?
    };
    let mut chosen = Vec::new();
    let mut rest = needed;
    for candidate in candidates {
        if rest == Node::FALSE {
            break;
        }
        let node = candidate.node(store);
        if store.minus(node, allowed) == Node::FALSE && store.and(rest, node) != Node::FALSE {
            rest = store.minus(rest, node);
            chosen.push(candidate);
        }
        if chosen.len() > MOST {
            return None;
        }
    }
    (rest == Node::FALSE).then_some(chosen)
}

/// First versions of the ranges of kernels that `node` tells apart.
fn kernels(store: &Store, node: Node, starts: &mut BTreeSet<u16>) {
    let at = |bits: u16| store.at(node, &Environment { kernel: version(bits), ..Environment::default() }, &[0; 6]);
    let mut before = at(0);
    for bits in 1..=u16::MAX {
        let here = at(bits);
        if here != before {
            starts.insert(bits);
        }
        before = here;
        if starts.len() > 64 {
            return;
        }
    }
}

fn version(bits: u16) -> KernelVersion {
    let [major, minor] = bits.to_be_bytes();
    KernelVersion { major, minor }
}

/// Every conjunction over these, those with fewest guards first.
fn all(caps: &[u8], starts: &[u16]) -> Vec<Surroundings> {
    let mut list = vec![Surroundings::default()];
    for &cap in caps {
        for index in 0..list.len() {
            for held in [true, false] {
                let mut with = list[index].clone();
                with.caps.insert(cap, held);
                list.push(with);
            }
        }
    }
    let versions: Vec<KernelVersion> = starts.iter().skip(1).map(|&bits| version(bits)).collect();
    for index in 0..list.len() {
        for (at, &from) in versions.iter().enumerate() {
            list.push(Surroundings { from: Some(from), ..list[index].clone() });
            list.push(Surroundings { before: Some(from), ..list[index].clone() });
            for &before in &versions[at + 1..] {
                list.push(Surroundings { from: Some(from), before: Some(before), ..list[index].clone() });
            }
        }
    }
    // What is held reads better than what is not.
    list.sort_by_key(|one| (one.guards().len(), one.caps.values().filter(|held| !**held).count()));
    list
}

/// The paths of a set, for each range of kernels.
fn points(store: &mut Store, set: Node, caps: &[u8], starts: &[u16]) -> Option<Vec<Surroundings>> {
    let mut list = Vec::new();
    for (index, &start) in starts.iter().enumerate() {
        let below = store.in_environment(set, None, Some(version(start)));
        let from = (start > 0).then(|| version(start));
        let before = starts.get(index + 1).map(|&bits| version(bits));
        let complete = store.paths(below, &|leaf| leaf == Leaf::True, &mut |cube, _| {
            list.push(Surroundings { caps: cube.caps.clone(), from, before });
            list.len() <= MOST
        });
        if !complete || caps.is_empty() && list.len() > MOST {
            return None;
        }
    }
    Some(list)
}
