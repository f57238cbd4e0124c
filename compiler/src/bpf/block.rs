//! Blocks: a program before it has addresses. Each is one test or one answer, and each is there once.
//!
//! ```text
//! b0 allow   b1 deny   b2: [16] == 1 ? b0 : b1   b3: [0] == 41 ? b2 : b1
//! ```
//!
//! Equal tails are the same block, whichever call they belong to.
//!
//! INVARIANT: a block points only to blocks made before it, so there is no circle.

use rustc_hash::FxHashMap;

use super::insn::op;
use crate::spec::Action;

/// A block of [`Blocks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct BlockId(pub u32);

/// What the accumulator holds when a test is made: a word of `seccomp_data` under a mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Subject {
    /// Byte offset of the word.
    pub offset: u32,
    /// Bits that are kept; all ones for no `AND`.
    pub mask: u32,
}

impl Subject {
    /// The whole word.
    pub fn word(offset: u32) -> Self {
        Self { offset, mask: u32::MAX }
    }
}

/// A comparison that has an opcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Compare {
    /// `A == k`
    Equal,
    /// `A >= k`
    AtLeast,
    /// `A & k != 0`
    Any,
}

impl Compare {
    /// The opcode.
    pub fn code(self) -> u16 {
        match self {
            Self::Equal => op::JEQ_K,
            Self::AtLeast => op::JGE_K,
            Self::Any => op::JSET_K,
        }
    }
}

/// A test or an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Block {
    /// The end.
    Answer(Action),
    /// Look at `subject`, go to `yes` or `no`.
    Test {
        /// What is compared.
        subject: Subject,
        /// How.
        compare: Compare,
        /// With what.
        k: u32,
        /// Where the test holds.
        yes: BlockId,
        /// Where it does not.
        no: BlockId,
    },
}

/// All blocks of one program.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    all: Vec<Block>,
    known: FxHashMap<Block, BlockId>,
}

impl Blocks {
    fn add(&mut self, block: Block) -> BlockId {
        if let Some(&id) = self.known.get(&block) {
            return id;
        }
        let id = BlockId(self.all.len() as u32);
        self.all.push(block);
        self.known.insert(block, id);
        id
    }

    /// The block that ends with an action.
    pub fn answer(&mut self, action: Action) -> BlockId {
        self.add(Block::Answer(action))
    }

    /// The block that makes a test; where both ways lead to one place there is nothing to test.
    pub fn test(&mut self, subject: Subject, compare: Compare, k: u32, yes: BlockId, no: BlockId) -> BlockId {
        if yes == no {
            return yes;
        }
        self.add(Block::Test { subject, compare, k, yes, no })
    }

    /// What a block is.
    pub fn get(&self, id: BlockId) -> Block {
        self.all[id.0 as usize]
    }

    /// How many there are, reachable or not.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// How many tests `root` reaches.
    pub fn tests_below(&self, root: BlockId) -> usize {
        self.leaves_first(root).into_iter().filter(|&id| matches!(self.get(id), Block::Test { .. })).count()
    }

    /// How many tests are on the longest path from `root`.
    pub fn deepest(&self, root: BlockId) -> usize {
        let mut depths: FxHashMap<BlockId, usize> = FxHashMap::default();
        for id in self.leaves_first(root) {
            let below = |to| depths.get(&to).copied().unwrap_or_default();
            let depth = match self.get(id) {
                Block::Answer(_) => 0,
                Block::Test { yes, no, .. } => 1 + below(yes).max(below(no)),
            };
            depths.insert(id, depth);
        }
        depths.get(&root).copied().unwrap_or_default()
    }

    /// Every block that `root` reaches, those that are pointed to before those that point.
    pub fn leaves_first(&self, root: BlockId) -> Vec<BlockId> {
        let mut order = Vec::new();
        let mut entered = vec![false; self.all.len()];
        // (block, whether its successors have been dealt with)
        let mut stack = vec![(root, false)];
        while let Some((id, done)) = stack.pop() {
            if done {
                order.push(id);
                continue;
            }
            if std::mem::replace(&mut entered[id.0 as usize], true) {
                continue;
            }
            stack.push((id, true));
            if let Block::Test { yes, no, .. } = self.get(id) {
                stack.extend([(no, false), (yes, false)]);
            }
        }
        order
    }
}
