//! How much work a policy may make, before anything of it is a function.
//!
//! ```text
//! const A = {1, 2}   const B = {A, A}   const C = {B, B} …        each twice as long as the one before, where nobody counts
//! group @all { a, b, … }   group @x { @all }   group @y { @all } …  as many calls as the product of the two lists
//! ```
//!
//! Every value, every range of a set and every call that comes into a set is a step. What people write takes a few steps a byte, so a
//! text has steps by its length; where they end, that is E008 at the place.
//!
//! INVARIANT: what [`Budget::spend`] has refused once it refuses always, so nothing is half done twice.

use super::Resolver;
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::source::graph::Graph;

/// Steps that every text has: enough for a short one that names large groups for every ABI.
const STEPS: usize = 2_000_000;
/// More of them, for each byte. 22 ABIs times half a step: a list of calls.
const STEPS_A_BYTE: usize = 16;
/// What one step leaves behind takes up to 50 bytes.
const MOST_STEPS: usize = 12_000_000;

/// So many unknown names are compared with all known ones, to find what was meant. People are shown the first 50 findings of a code.
const NEAR_NAMES: usize = 256;

/// What is left.
#[derive(Debug)]
pub(super) struct Budget {
    most: usize,
    steps: usize,
    near_names: usize,
}

impl Budget {
    /// For all files of a policy.
    pub fn of(graph: &Graph) -> Self {
        let bytes = graph.files.iter().map(|file| file.text.len()).fold(0, usize::saturating_add);
        Self { most: most(bytes), steps: 0, near_names: NEAR_NAMES }
    }

    /// Takes so many steps; answers whether they were there.
    fn spend(&mut self, steps: usize) -> bool {
        self.steps = self.steps.saturating_add(steps);
        self.steps <= self.most
    }

    /// Steps that were made, and how many may be.
    pub fn spent(&self) -> (usize, usize) {
        (self.steps, self.most)
    }
}

fn most(bytes: usize) -> usize {
    bytes.saturating_mul(STEPS_A_BYTE).saturating_add(STEPS).min(MOST_STEPS)
}

impl Resolver<'_> {
    /// Takes steps for something at that place. Where they have run out, that has been reported, and the answer means nothing.
    pub(super) fn spend(&mut self, steps: usize, at: Span) -> bool {
        let before = self.is_spent();
        if self.budget.spend(steps) {
            return true;
        }
        if !before {
            // What was not looked at cannot be kept for the next run.
            self.watch.by_order = true;
            self.error(
                Diagnostic::new(Code::E008, at, "this policy is too large to work out")
                    .note(format!("it takes more than {} steps, and here they end", self.budget.most))
                    .help("sets in sets and groups in groups multiply: name each value and each call once"),
            );
        }
        false
    }

    /// Whether there are no steps left.
    pub(super) fn is_spent(&self) -> bool {
        let (steps, most) = self.budget.spent();
        steps > most
    }

    /// What was meant by a name that is wrong at that place: found by `search`, but of the first names only, and never for a finding
    /// that is there already.
    pub(super) fn near<T>(&mut self, code: Code, at: Span, search: impl FnOnce(&Self) -> Option<T>) -> Option<T> {
        if self.budget.near_names == 0 || self.sink.knows(code, at) {
            return None;
        }
        self.budget.near_names -= 1;
        search(self)
    }
}
