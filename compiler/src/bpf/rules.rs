//! A call's rules one after the other, where length is what counts.
//!
//! ```text
//! f(a & 3 == 0, b > 9), f(a > 7, b & 5 == 1), …      together: each answer on `a` has its own tests of `b`
//!                                                    one by one: each rule's tests, once
//! ```
//!
//! What the rules say was made one function long before. Here they are put together once more, and used only if that gives the
//! very node.

use super::aim::Goal;
use super::block::{BlockId, Blocks};
use super::layout;
use super::test::Tests;
use crate::diagram::{Node, Store};
use crate::spec::{Action, Arch};

/// More rules are not tried one by one.
const MOST: usize = 1_024;

/// A call's sets and what each gives, those that win first.
#[derive(Debug)]
pub(super) struct Rules {
    sets: Vec<(Node, Action)>,
    default: Action,
    big_endian: bool,
}

impl Rules {
    /// `said` as the rules of a call that does `node` on an ABI; `None` if that is not what they come to, or they are too
    /// many. Rules that change nothing are left out.
    pub fn of(store: &mut Store, arch: Arch, said: &[(Node, Action)], default: Action, node: Node) -> Option<Self> {
        if said.len() > MOST {
            return None;
        }
        let mut sets = Vec::new();
        let mut all = Node::action(default);
        for &(set, action) in said.iter().rev() {
            let set = Tests::narrow(store, arch, set);
            let with = store.ite(set, Node::action(action), all);
            if with != all {
                sets.push((set, action));
            }
            all = with;
        }
        sets.reverse();
        (all == node).then_some(Self { sets, default, big_endian: arch.is_big_endian() })
    }

    /// The block of the first.
    pub fn block(&self, store: &mut Store, blocks: &mut Blocks) -> BlockId {
        let mut next = blocks.answer(self.default);
        for &(set, action) in self.sets.iter().rev() {
            let mut tests = Tests::new(self.big_endian, Goal::Size.of_arguments());
            tests.ends = Some((blocks.answer(action), next));
            next = tests.block(store, blocks, set);
        }
        next
    }

    /// The lengths of all rules by themselves, without their answers.
    pub fn lengths(&self, store: &mut Store) -> usize {
        let measure = Goal::Size.of_arguments();
        let mut length = |set| {
            let tests = |blocks: &mut Blocks| {
                let mut tests = Tests::new(self.big_endian, measure);
                tests.ends = Some((blocks.answer(Action::Allow), blocks.answer(Action::KillProcess)));
                tests.block(store, blocks, set)
            };
            layout::length(tests).saturating_sub(2)
        };
        self.sets.iter().map(|&(set, _)| length(set)).sum()
    }
}
