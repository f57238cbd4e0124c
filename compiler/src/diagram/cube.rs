//! Cubes: what one path through a diagram fixes, and what it leaves open.
//!
//! ```text
//! arg0 & 0xffffffff == 38, CAP_SYS_ADMIN held      a path to a leaf
//! ```
//!
//! The paths of a diagram are disjoint and cover everything.

use std::collections::BTreeMap;

use super::node::{Leaf, Node, Place};
use super::store::Store;
use crate::spec::KernelVersion;

/// Some bits of a word: those in `mask` are as in `value`, the others are open. `value & !mask == 0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Bits {
    /// Which bits are fixed.
    pub mask: u64,
    /// What they are.
    pub value: u64,
}

impl Bits {
    /// Whether `word` is one of those meant.
    pub fn holds(self, word: u64) -> bool {
        word & self.mask == self.value
    }

    fn fix(&mut self, bit: u8, one: bool) {
        self.mask |= 1 << bit;
        self.value = self.value & !(1 << bit) | u64::from(one) << bit;
    }

    fn open(&mut self, bit: u8) {
        self.mask &= !(1 << bit);
        self.value &= !(1 << bit);
    }
}

/// A conjunction of fixed bits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cube {
    /// Capabilities that must (`true`) or must not be held.
    pub caps: BTreeMap<u8, bool>,
    /// Bits of the kernel version, major in bits 15 … 8.
    pub kernel: Bits,
    /// Bits of the arguments.
    pub args: [Bits; 6],
}

impl Cube {
    fn fix(&mut self, place: Place, one: bool) {
        match place {
            Place::Cap(number) => {
                self.caps.insert(number, one);
            }
            Place::Kernel(bit) => self.kernel.fix(bit, one),
            Place::Arg { arg, bit } => self.args[usize::from(arg)].fix(bit, one),
        }
    }

    fn open(&mut self, place: Place) {
        match place {
            Place::Cap(number) => {
                self.caps.remove(&number);
            }
            Place::Kernel(bit) => self.kernel.open(bit),
            Place::Arg { arg, bit } => self.args[usize::from(arg)].open(bit),
        }
    }

    /// A kernel version that the cube allows: the oldest.
    pub fn kernel_version(&self) -> KernelVersion {
        KernelVersion { major: (self.kernel.value >> 8) as u8, minor: self.kernel.value as u8 }
    }
}

impl Store {
    /// Calls `visit` with every path from `root` to a leaf for which `wanted` holds, smallest values first, until
    /// it returns false. Returns false if it was stopped.
    pub fn paths(&self, root: Node, wanted: &dyn Fn(Leaf) -> bool, visit: &mut dyn FnMut(&Cube, Leaf) -> bool) -> bool {
        self.paths_below(root, &mut Cube::default(), wanted, visit)
    }

    fn paths_below(
        &self,
        node: Node,
        cube: &mut Cube,
        wanted: &dyn Fn(Leaf) -> bool,
        visit: &mut dyn FnMut(&Cube, Leaf) -> bool,
    ) -> bool {
        let Some((var, lo, hi)) = self.split(node) else {
            return match node.as_leaf() {
                Some(leaf) if wanted(leaf) => visit(cube, leaf),
                _ => true,
            };
        };
        for (one, branch) in [(false, lo), (true, hi)] {
            cube.fix(var.place(), one);
            if !self.paths_below(branch, cube, wanted, visit) {
                return false;
            }
        }
        cube.open(var.place());
        true
    }

    /// Some path to a leaf for which `wanted` holds: the witness that there is such a call. It is the one with the
    /// smallest values, so that what a person reads is `fd = 0`, not `fd = 1431655765`.
    pub fn witness(&self, root: Node, wanted: &dyn Fn(Leaf) -> bool) -> Option<(Cube, Leaf)> {
        let mut found = None;
        // In a reduced diagram every inner node of a *set* reaches both leaves, so this ends on the first path
        // down; with actions as leaves the walk may have to turn back, once for each node at the most.
        let mut dead = rustc_hash::FxHashSet::default();
        self.witness_below(root, &mut Cube::default(), wanted, &mut dead, &mut found);
        found
    }

    fn witness_below(
        &self,
        node: Node,
        cube: &mut Cube,
        wanted: &dyn Fn(Leaf) -> bool,
        dead: &mut rustc_hash::FxHashSet<Node>,
        found: &mut Option<(Cube, Leaf)>,
    ) -> bool {
        let Some((var, lo, hi)) = self.split(node) else {
            return match node.as_leaf() {
                Some(leaf) if wanted(leaf) => {
                    *found = Some((cube.clone(), leaf));
                    true
                }
                _ => false,
            };
        };
        if dead.contains(&node) {
            return false;
        }
        for (one, branch) in [(false, lo), (true, hi)] {
            cube.fix(var.place(), one);
            if self.witness_below(branch, cube, wanted, dead, found) {
                return true;
            }
        }
        cube.open(var.place());
        dead.insert(node);
        false
    }

    /// How many paths lead from `root` to a leaf other than `except` (saturating).
    pub fn count_paths(&self, root: Node, except: Leaf) -> u64 {
        let mut known = rustc_hash::FxHashMap::default();
        self.count_below(root, except, &mut known)
    }

    fn count_below(&self, node: Node, except: Leaf, known: &mut rustc_hash::FxHashMap<Node, u64>) -> u64 {
        let Some((_, lo, hi)) = self.split(node) else {
            return u64::from(node.as_leaf() != Some(except));
        };
        if let Some(&count) = known.get(&node) {
            return count;
        }
        let count = self.count_below(lo, except, known).saturating_add(self.count_below(hi, except, known));
        known.insert(node, count);
        count
    }
}
