//! From a function to entries: one path, one entry.
//!
//! ```text
//! [arg0 bit 1] ─0─ [arg0 bit 0] ─1─ allow        arg0 & 3 == 1                     (two bits fixed, the rest open)
//!      └1─ deny         └0─ deny
//!
//! arg1 < 7 allow, else deny                     SCMP_CMP_LT 7, not the cubes 0–3, 4–5, 6; alone on its call
//! ```
//!
//! Arguments are asked one after the other. What one argument's value decides is a partition of its 2^64 values:
//! either into cubes, as the diagram's paths have it, or into intervals, where that takes fewer entries.
//!
//! INVARIANT: entries are disjoint, and at each argument two entries are disjoint or ask the same, so that no order of
//! trying them, and no way of going on after a miss, changes the answer.

use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::profile::{Arg, Op, ValueTwo};
use crate::diagram::{Bits, Leaf, Node, Place, Store, Var};
use crate::spec::{Action, KernelVersion};

/// What an entry's `includes` and `excludes` can say of the surroundings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Circumstance {
    /// Capabilities held (`true`) or not held.
    pub caps: BTreeMap<u8, bool>,
    /// First and last kernel, as sixteen bits.
    pub kernels: (u16, u16),
}

impl Circumstance {
    /// The first kernel, if not every kernel is recent enough.
    pub fn from_kernel(&self) -> Option<KernelVersion> {
        (self.kernels.0 > 0).then_some(version(self.kernels.0))
    }

    /// The first kernel that is too recent.
    pub fn until_kernel(&self) -> Option<KernelVersion> {
        self.kernels.1.checked_add(1).map(version)
    }
}

fn version(bits: u16) -> KernelVersion {
    KernelVersion { major: (bits >> 8) as u8, minor: (bits & 0xff) as u8 }
}

/// The surroundings that the function tells apart, disjoint and complete, with what holds in each. `None` if there are
/// more than `bound`.
pub fn circumstances(store: &Store, node: Node, bound: usize) -> Option<Vec<(Circumstance, Node)>> {
    let mut all = Vec::new();
    let mut caps = BTreeMap::new();
    by_caps(store, node, &mut caps, &mut all, bound).then_some(all)
}

fn by_caps(
    store: &Store,
    node: Node,
    caps: &mut BTreeMap<u8, bool>,
    all: &mut Vec<(Circumstance, Node)>,
    bound: usize,
) -> bool {
    if let Some((var, lo, hi)) = store.split(node)
        && let Place::Cap(number) = var.place()
    {
        for (held, branch) in [(false, lo), (true, hi)] {
            caps.insert(number, held);
            if !by_caps(store, branch, caps, all, bound) {
                return false;
            }
        }
        caps.remove(&number);
        return true;
    }
    let mut kernels: Vec<(u64, Node)> = Vec::new();
    let in_kernel = |place| match place {
        Place::Kernel(bit) => Some(bit),
        _ => None,
    };
    if !intervals(store, node, 16, 0, &in_kernel, &mut kernels, bound) {
        return false;
    }
    for (range, below) in with_ends(&kernels, 0xffff) {
        let kernels = (*range.start() as u16, *range.end() as u16);
        all.push((Circumstance { caps: caps.clone(), kernels }, below));
    }
    all.len() <= bound
}

/// Splits the values of one word, `bits` wide, into intervals; neighbours differ.
///
/// INVARIANT: the node asks about no bit of the word that is above: else no walk would reach it, and the walk would visit
/// every number.
fn intervals(
    store: &Store,
    node: Node,
    bits: u8,
    base: u64,
    bit_of: &dyn Fn(Place) -> Option<u8>,
    found: &mut Vec<(u64, Node)>,
    bound: usize,
) -> bool {
    let own = store.split(node).and_then(|(var, lo, hi)| bit_of(var.place()).map(|bit| (bit, lo, hi)));
    let (Some((bit, lo, hi)), Some(next)) = (own, bits.checked_sub(1)) else {
        if found.last().is_none_or(|&(_, last)| last != node) {
            found.push((base, node));
        }
        return found.len() <= bound;
    };
    // A bit that the node does not ask about leaves both halves alike. Each half still changes somewhere, so that the
    // bound on what is found bounds the walk too.
    let (zero, one) = if bit == next { (lo, hi) } else { (node, node) };
    intervals(store, zero, next, base, bit_of, found, bound)
        && intervals(store, one, next, base | 1 << next, bit_of, found, bound)
}

fn with_ends(starts: &[(u64, Node)], last: u64) -> Vec<(RangeInclusive<u64>, Node)> {
    let ends = starts.iter().skip(1).map(|&(start, _)| start - 1).chain([last]);
    starts.iter().zip(ends).map(|(&(start, node), end)| (start..=end, node)).collect()
}

/// Conditions that must all hold, and what happens then.
pub type Path = (Vec<Arg>, Action);

/// Where comparisons of order (`LT`, `GE`, `NE`) may be used.
///
/// Beside another entry on the same call libseccomp merges their tests of the upper halves (`_db_tree_add`, `src/db.c`), and some calls
/// get the wrong answer: of `arg2 < 0xf41e304f`, `arg1 < 7` and `arg2 >= 0x15263f…` together, releases up to 2.6.1 also take
/// arg2 == 0xf41e304f.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparisons {
    /// Nowhere.
    Never,
    /// Where one entry says all.
    Alone,
    /// Beside others too. Whoever asks for it has to see what the library makes of them.
    Beside,
}

/// How many entries a call may take; see also [`super::write::MOST_TESTS`].
pub const MOST_ENTRIES: u64 = 1024;

/// The entries of a function of the arguments: one for each path to a leaf other than `default`. `bits` is 32 where
/// only ABIs with narrow registers are meant. The order of arguments is the one with the fewest entries. In `Err`,
/// how many it would take, if that passes [`MOST_ENTRIES`].
pub fn entries(
    store: &mut Store,
    node: Node,
    default: Action,
    bits: u8,
    comparisons: Comparisons,
) -> Result<Vec<Path>, u64> {
    let used = arguments(store, node);
    // Of x32 and n32 libseccomp sees 32 bits and the kernel shows 64: what asks for more is written as it is, and whoever
    // reads it back says what libseccomp makes of it.
    let bits = if asks_above(store, node, bits) { 64 } else { bits };
    let mut best: Option<(u64, bool, Node, [u8; 6])> = None;
    for order in orders(&used) {
        let permuted = permute(store, node, &order);
        for ordering in if comparisons == Comparisons::Never { &[false][..] } else { &[true, false] } {
            let ordering = *ordering;
            let cost = Levels { store, default, bits, ordering, known: FxHashMap::default() }.cost(permuted);
            let is_sound = !ordering || cost <= 1 || comparisons == Comparisons::Beside;
            if is_sound && best.is_none_or(|(least, ..)| cost < least) {
                best = Some((cost, ordering, permuted, order));
            }
        }
        // No order has fewer.
        if best.is_some_and(|(cost, ..)| cost <= 1) {
            break;
        }
    }
    let Some((cost, ordering, permuted, order)) = best else { return Ok(Vec::new()) };
    if cost > MOST_ENTRIES {
        return Err(cost);
    }
    let mut levels = Levels { store, default, bits, ordering, known: FxHashMap::default() };
    let mut paths = Vec::new();
    levels.paths(permuted, &mut Vec::new(), &mut paths);
    for (args, _) in &mut paths {
        for arg in args.iter_mut() {
            // `order[old] = new`; back again.
            let old = order.iter().position(|&new| new == arg.index);
            arg.index = old.map_or(arg.index, |old| old as u8);
        }
        args.sort_unstable();
    }
    Ok(paths)
}

/// Whether the function asks about bits of arguments from `bits` on.
fn asks_above(store: &Store, node: Node, bits: u8) -> bool {
    let above = |place| matches!(place, Place::Arg { bit, .. } if bit >= bits);
    store.reachable(node).into_iter().any(|inner| store.split(inner).is_some_and(|(var, ..)| above(var.place())))
}

/// Which arguments the function asks about.
fn arguments(store: &Store, node: Node) -> Vec<u8> {
    let mut used = [false; 6];
    for inner in store.reachable(node) {
        if let Some((var, ..)) = store.split(inner)
            && let Place::Arg { arg, .. } = var.place()
        {
            used[usize::from(arg)] = true;
        }
    }
    (0..6).filter(|&arg| used[usize::from(arg)]).collect()
}

/// Orders to try, each as "where argument i goes". All of up to four arguments (24), the natural one first; of more,
/// those that bring one to the front.
fn orders(used: &[u8]) -> Vec<[u8; 6]> {
    const NATURAL: [u8; 6] = [0, 1, 2, 3, 4, 5];
    let place = |sequence: &[u8]| {
        let mut order = NATURAL;
        for (slot, &arg) in used.iter().zip(sequence) {
            order[usize::from(arg)] = *slot;
        }
        order
    };
    let mut sequences = Vec::new();
    if used.len() <= 4 {
        permutations(&mut used.to_vec(), 0, &mut sequences);
    } else {
        sequences.push(used.to_vec());
        for &front in &used[1..] {
            sequences.push(std::iter::once(front).chain(used.iter().copied().filter(|&arg| arg != front)).collect());
        }
    }
    sequences.iter().map(|sequence| place(sequence)).collect()
}

fn permutations(rest: &mut Vec<u8>, from: usize, all: &mut Vec<Vec<u8>>) {
    if from + 1 >= rest.len() {
        all.push(rest.clone());
        return;
    }
    for index in from..rest.len() {
        rest.swap(from, index);
        permutations(rest, from + 1, all);
        rest.swap(from, index);
    }
}

/// The function with its arguments in other places.
fn permute(store: &mut Store, node: Node, order: &[u8; 6]) -> Node {
    if order.is_sorted() {
        return node;
    }
    let mut done = FxHashMap::default();
    permute_below(store, node, order, &mut done)
}

fn permute_below(store: &mut Store, node: Node, order: &[u8; 6], done: &mut FxHashMap<Node, Node>) -> Node {
    let Some((var, lo, hi)) = store.split(node) else { return node };
    if let Some(&known) = done.get(&node) {
        return known;
    }
    let lo = permute_below(store, lo, order, done);
    let hi = permute_below(store, hi, order, done);
    let var = match var.place() {
        Place::Arg { arg, bit } => Var::arg(order[usize::from(arg)], bit),
        Place::Cap(_) | Place::Kernel(_) => var,
    };
    let asked = store.var(var);
    let moved = store.ite(asked, hi, lo);
    done.insert(node, moved);
    moved
}

/// One argument after the other.
struct Levels<'a> {
    store: &'a Store,
    default: Action,
    bits: u8,
    /// Whether comparisons of order may be used.
    ordering: bool,
    known: FxHashMap<Node, u64>,
}

/// Past so many intervals cubes are as good: the most that a prefix can save is one entry a bit.
const MOST_INTERVALS: usize = 130;

impl Levels<'_> {
    fn arg_of(&self, node: Node) -> Option<u8> {
        match self.store.split(node)?.0.place() {
            Place::Arg { arg, .. } => Some(arg),
            Place::Cap(_) | Place::Kernel(_) => None,
        }
    }

    fn last(&self) -> u64 {
        u64::MAX >> (64 - self.bits)
    }

    /// How many entries the node takes.
    fn cost(&mut self, node: Node) -> u64 {
        let Some(arg) = self.arg_of(node) else {
            return u64::from(node.as_leaf() != Some(Leaf::Act(self.default)));
        };
        if let Some(&known) = self.known.get(&node) {
            return known;
        }
        let by_cubes = self.cost_of_cubes(node, arg, &mut FxHashMap::default());
        let cost = match self.by_intervals(node, arg) {
            Some(parts) => {
                parts.iter().fold(0u64, |sum, &(_, below)| sum.saturating_add(self.cost(below))).min(by_cubes)
            }
            None => by_cubes,
        };
        self.known.insert(node, cost);
        cost
    }

    fn cost_of_cubes(&mut self, node: Node, arg: u8, known: &mut FxHashMap<Node, u64>) -> u64 {
        if self.arg_of(node) != Some(arg) {
            return self.cost(node);
        }
        if let Some(&known) = known.get(&node) {
            return known;
        }
        let Some((_, lo, hi)) = self.store.split(node) else { return 0 };
        let cost = self.cost_of_cubes(lo, arg, known).saturating_add(self.cost_of_cubes(hi, arg, known));
        known.insert(node, cost);
        cost
    }

    /// The level as comparisons, each with what follows; parts that end in the default are left out. `None` if it has
    /// too many.
    fn by_intervals(&self, node: Node, arg: u8) -> Option<Vec<(Arg, Node)>> {
        let bit_of = |place| match place {
            Place::Arg { arg: own, bit } if own == arg => Some(bit),
            _ => None,
        };
        let mut starts = Vec::new();
        if !self.ordering || !intervals(self.store, node, self.bits, 0, &bit_of, &mut starts, MOST_INTERVALS) {
            return None;
        }
        let parts = with_ends(&starts, self.last());
        let mut comparisons = Vec::new();
        let compare = |op, value| Arg { index: arg, value, value_two: ValueTwo(None), op };
        let default = Node::action(self.default);
        if let [(_, before), (point, _), (_, behind)] = &parts[..]
            && before == behind
            && *before != default
            && point.start() == point.end()
        {
            comparisons.push((compare(Op::Ne, *point.start()), *before));
            if parts[1].1 != default {
                comparisons.push((compare(Op::Eq, *point.start()), parts[1].1));
            }
            return Some(comparisons);
        }
        for (range, below) in parts {
            let (start, end) = (*range.start(), *range.end());
            if below == default {
            } else if start == end {
                comparisons.push((compare(Op::Eq, start), below));
            } else if start == 0 && end == self.last() {
                return None;
            } else if start == 0 {
                // Not LE: a libseccomp between releases reads it as GT on 32-bit ABIs where another argument was asked before it
                // (`_db_rule_gen_arg_32`, `src/db.c`: `tf_flag = false` where `*tf_flag = false` was meant).
                comparisons.push((compare(Op::Lt, end + 1), below));
            } else if end == self.last() {
                comparisons.push((compare(Op::Ge, start), below));
            } else {
                comparisons.extend(blocks(start, end).map(|bits| (self.cube(arg, bits), below)));
            }
        }
        Some(comparisons)
    }

    fn cube(&self, arg: u8, bits: Bits) -> Arg {
        if bits.mask == self.last() {
            Arg { index: arg, value: bits.value, value_two: ValueTwo(None), op: Op::Eq }
        } else {
            Arg { index: arg, value: bits.mask, value_two: ValueTwo(Some(bits.value)), op: Op::MaskedEq }
        }
    }

    /// The level as cubes.
    fn by_cubes(&self, node: Node, arg: u8, bits: Bits, all: &mut Vec<(Arg, Node)>) {
        let Some((var, lo, hi)) = self.store.split(node) else {
            if node != Node::action(self.default) {
                all.push((self.cube(arg, bits), node));
            }
            return;
        };
        let Place::Arg { arg: own, bit } = var.place() else { return };
        if own != arg {
            all.push((self.cube(arg, bits), node));
            return;
        }
        let mask = bits.mask | 1 << bit;
        self.by_cubes(lo, arg, Bits { mask, value: bits.value }, all);
        self.by_cubes(hi, arg, Bits { mask, value: bits.value | 1 << bit }, all);
    }

    fn paths(&mut self, node: Node, args: &mut Vec<Arg>, all: &mut Vec<Path>) {
        let Some(arg) = self.arg_of(node) else {
            if let Some(Leaf::Act(action)) = node.as_leaf()
                && action != self.default
            {
                all.push((args.clone(), action));
            }
            return;
        };
        let cubes = self.cost_of_cubes(node, arg, &mut FxHashMap::default());
        let level = match self.by_intervals(node, arg) {
            Some(parts) if parts.iter().fold(0u64, |sum, &(_, below)| sum.saturating_add(self.cost(below))) < cubes => {
                parts
            }
            _ => {
                let mut level = Vec::new();
                self.by_cubes(node, arg, Bits::default(), &mut level);
                level
            }
        };
        for (condition, below) in level {
            args.push(condition);
            self.paths(below, args, all);
            args.pop();
        }
    }
}

/// An interval as cubes, smallest numbers first.
fn blocks(start: u64, end: u64) -> impl Iterator<Item = Bits> {
    let mut next = Some(start);
    std::iter::from_fn(move || {
        let from = next?;
        if from > end {
            return None;
        }
        // The largest block that begins here and does not pass the end.
        let mut size = from.trailing_zeros().min(63);
        while size > 0 && from.checked_add((1 << size) - 1).is_none_or(|last| last > end) {
            size -= 1;
        }
        next = from.checked_add(1 << size);
        Some(Bits { mask: u64::MAX << size, value: from })
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_the_interval() {
        let covered = |start, end| blocks(start, end).map(|bits| (bits.value, !bits.mask)).collect::<Vec<_>>();
        assert_eq!(covered(3, 9), [(3, 0), (4, 3), (8, 1)]);
        assert_eq!(covered(0, 0), [(0, 0)]);
        assert_eq!(covered(u64::MAX, u64::MAX), [(u64::MAX, 0)]);
        assert_eq!(covered(0, u64::MAX), [(0, u64::MAX >> 1), (1 << 63, u64::MAX >> 1)]);
    }
}
