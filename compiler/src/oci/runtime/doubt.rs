//! What is known of a profile, and what is not.
//!
//! ```text
//! socket arg0 == 1 → allow      2.5.4 … 2.6.1, in this order: what their program does, made here and read
//! socket arg1 == 2 → log        another release:              undetermined with arg0 == 1 and arg1 == 2, and wherever else
//!                                                             that program and the entries part
//!                               the library refuses them:     nothing is known of any call
//! ```
//!
//! Entries may contradict each other, be merged, or meet a fault of the library; and where they contradict each other, other calls of the
//! same name can be answered otherwise than any entry says. So the program is made ([`trial`]), and is what counts in the releases
//! that it follows. No one promises that another release does the same with a contradiction. Where no program can be made, nothing is known.
//!
//! INVARIANT (closed): outside of [`Loaded::doubts`] the function is what the library of that release does. A test holds it against the
//! library on profiles full of contradictions, on all numbers (`compiler/tests/libseccomp.rs`).

use std::collections::BTreeMap;

use super::{Loaded, Release, compared_bits, rules};
use crate::diagram::{Node, Store, Table};
use crate::oci::profile::Op;
use crate::oci::prove::owned;
use crate::oci::trial;
use crate::spec::{Arch, Nr};
use crate::tables;

impl Loaded {
    /// Lets the program decide where something is in doubt, or where rules contradict each other (though nothing may come of it): the
    /// library refuses some of them.
    pub(super) fn settle(&mut self, store: &mut Store, release: Option<Release>, contradicts: bool) {
        if self.faults.is_empty() && self.merged.is_empty() && self.undetermined.is_empty() && !contradicts {
            return;
        }
        let archs: Vec<Arch> = self.function.tables.keys().copied().collect();
        // What a later release makes of LE is not known, and no program tells.
        let le = self.handed.archs.iter().any(|&arch| compared_bits(arch) == 32)
            && self.handed.rules.iter().any(|(_, rule)| rule.args.iter().any(|arg| arg.op == Op::Le));
        let program_counts = !le || release.is_some_and(|release| release <= rules::LE_IS_SOUND);
        let left_out = self.handed.left_out();
        let done = if program_counts { trial::run(store, &self.handed, &left_out, &archs) } else { None };
        let Some(done) = done else {
            self.doubts = archs.iter().map(|&arch| (arch, Table::from_intervals([(0, Node::TRUE)]))).collect();
            return;
        };
        let unknown = |arch, nr| tables::syscall_at(arch, nr).is_some_and(|call| left_out.contains(&call));
        let open = |arch, nr| {
            let place = self.undetermined.iter().find(|place| (place.arch, place.nr) == (arch, nr));
            let merged = self.merged.contains(&(arch, nr));
            if merged || unknown(arch, nr) { Node::TRUE } else { place.map_or(Node::FALSE, |place| place.calls) }
        };
        self.faults = trial::wrong(store, &self.function, &done, &open).into_iter().collect();
        self.settled = true;
        for (arch, done) in done {
            let Some(said) = self.function.tables.get_mut(&arch) else { continue };
            let mut kept: Vec<Nr> = left_out.iter().filter_map(|call| call.nr(arch)).collect();
            kept.sort_unstable();
            let done = done.except(&kept, said);
            if self.undetermined.is_empty() || is_followed(release) {
                *said = done;
                continue;
            }
            let mut parts = Vec::new();
            said.zip(&done, |range, said, done| parts.push((*range.start(), said, done)));
            let parts: Vec<_> =
                parts.into_iter().map(|(start, said, done)| (start, store.differ(said, done))).collect();
            let contradictions: BTreeMap<Nr, Node> = self
                .undetermined
                .iter()
                .filter(|place| place.arch == arch)
                .map(|place| (place.nr, place.calls))
                .collect();
            let contradictions = Table::new(Node::FALSE, &contradictions);
            let mut both = Vec::new();
            Table::from_intervals(parts)
                .zip(&contradictions, |range, one, other| both.push((*range.start(), one, other)));
            let both: Vec<_> = both.into_iter().map(|(start, one, other)| (start, store.or(one, other))).collect();
            // Numbers of another ABI with the same token are that one's.
            let mut own = Vec::new();
            for (range, set) in Table::from_intervals(both).intervals() {
                let is_own = owned(arch, *range.start(), *range.end()).next().is_some();
                own.push((*range.start(), if is_own { set } else { Node::FALSE }));
            }
            let doubts = Table::from_intervals(own);
            if doubts.intervals().any(|(_, set)| set != Node::FALSE) {
                self.doubts.insert(arch, doubts);
            }
        }
        if self.undetermined.is_empty() || is_followed(release) {
            self.merged.clear();
        }
    }

    /// The calls of one number that are in doubt (a set).
    pub fn doubt(&self, arch: Arch, nr: Nr) -> Node {
        self.doubts.get(&arch).map_or(Node::FALSE, |table| table.at(nr))
    }

    /// Names of the calls that are in doubt, with their ABI; an ABI of which nothing is known has no name.
    pub fn doubtful(&self) -> Vec<(Arch, Option<&'static str>)> {
        let mut all = Vec::new();
        for (&arch, table) in &self.doubts {
            for (range, _) in table.intervals().filter(|(_, set)| *set != Node::FALSE) {
                let one = range.start() == range.end();
                let name = tables::syscall_at(arch, Nr(*range.start())).map(tables::Syscall::name);
                all.push((arch, name.filter(|_| one)));
            }
        }
        all
    }
}

/// Whether the program is known to be made as this release makes it, contradictions included; the newest is one of them.
fn is_followed(release: Option<Release>) -> bool {
    release.is_none_or(|release| ((2, 5, 4)..=(2, 6, 1)).contains(&release))
}
