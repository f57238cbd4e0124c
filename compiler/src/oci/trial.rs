//! What runs, where it is in doubt: the library's program is made and read.
//!
//! ```text
//! entries ─what they say→      function          a doubt: two tests that may become one
//!         ─libseccomp/→ program ─bpf::read→ function     equal: no fault. Another: a call shows it
//! ```
//!
//! Rules may hang on capabilities and kernels, and each set of rules has a program of its own: the surroundings are
//! parted until each part has its rules settled, and every part is tried. INVARIANT (bounded): `MOST_PARTS`.

use std::collections::{BTreeMap, BTreeSet};

use super::prove::owned;
use super::runtime::Handed;
use super::sharing::Fault;
use crate::bpf;
use crate::diagram::{Function, Leaf, Node, Store, Table};
use crate::spec::{Arch, Call, Environment, Nr};
use crate::tables;

/// Programs that are made before the doubt stands as it is.
const MOST_PARTS: usize = 16;

/// What the library's programs do on these ABIs; `None` if that is not known.
/// Nothing is known of the numbers of calls that are left out, see [`Handed::left_out`].
pub fn run(
    store: &mut Store,
    handed: &Handed,
    left_out: &BTreeSet<tables::Syscall>,
    archs: &[Arch],
) -> Option<BTreeMap<Arch, Table>> {
    let mut tables: Option<BTreeMap<Arch, Table>> = None;
    for part in parts(store, handed, left_out)? {
        // Within a part a rule is there or is not.
        let mut given = Vec::with_capacity(handed.rules.len());
        for (call, rule) in &handed.rules {
            given.push(!left_out.contains(call) && store.and(rule.when, part) != Node::FALSE);
        }
        let program = handed.program(&given).ok()?;
        let reading = bpf::read(store, &program, archs).ok()?;
        tables = Some(match tables {
            None => reading.function.tables,
            Some(before) => {
                let mut joined = BTreeMap::new();
                for (arch, table) in reading.function.tables {
                    let mut intervals = Vec::new();
                    table.zip(before.get(&arch)?, |range, here, there| intervals.push((*range.start(), here, there)));
                    let chosen: Vec<_> =
                        intervals.into_iter().map(|(nr, here, there)| (nr, store.ite(part, here, there))).collect();
                    joined.insert(arch, Table::from_intervals(chosen));
                }
                joined
            }
        });
    }
    tables.filter(|_| !store.overflowed())
}

/// The surroundings, parted so that in each part every rule is there always or never.
fn parts(store: &mut Store, handed: &Handed, left_out: &BTreeSet<tables::Syscall>) -> Option<Vec<Node>> {
    let mut whens: Vec<Node> =
        handed.rules.iter().filter(|(call, _)| !left_out.contains(call)).map(|(_, rule)| rule.when).collect();
    whens.sort_unstable();
    whens.dedup();
    let mut parts = vec![Node::TRUE];
    for when in whens {
        let mut finer = Vec::with_capacity(parts.len());
        for part in parts {
            finer.push(store.and(part, when));
            finer.push(store.minus(part, when));
        }
        finer.retain(|&part| part != Node::FALSE);
        if finer.len() > MOST_PARTS {
            return None;
        }
        parts = finer;
    }
    Some(parts)
}

/// A call that the programs answer otherwise than the entries say; not of the calls that are open anyway.
pub fn wrong(
    store: &mut Store,
    said: &Function,
    done: &BTreeMap<Arch, Table>,
    open: &dyn Fn(Arch, Nr) -> Node,
) -> Option<Fault> {
    for (&arch, done) in done {
        let mut different = Vec::new();
        said.tables.get(&arch)?.zip(done, |range, said, done| {
            if said != done {
                different.push((range, said, done));
            }
        });
        for (range, said, done) in different {
            let differs = store.differ(said, done);
            let found = owned(arch, *range.start(), *range.end()).find_map(|nr| {
                let left = store.minus(differs, open(arch, nr));
                Some((nr, store.witness(left, &|leaf| leaf == Leaf::True)?.0))
            });
            let Some((nr, cube)) = found else { continue };
            let args = cube.args.map(|bits| bits.value);
            let caps = cube.caps.iter().filter(|(_, held)| **held).map(|(&cap, _)| cap).collect();
            let environment = Environment { caps, kernel: cube.kernel_version() };
            let answer = |store: &Store, node| match store.at(node, &environment, &args) {
                Leaf::Act(action) => Some(action),
                _ => None,
            };
            return Some(Fault::Wrong {
                name: tables::syscall_at(arch, nr).map_or_else(|| nr.0.to_string(), |call| call.name().to_owned()),
                call: Call { arch, nr, args },
                said: answer(store, said),
                done: answer(store, done),
            });
        }
    }
    None
}
