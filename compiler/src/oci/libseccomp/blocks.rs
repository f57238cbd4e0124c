//! Tests become blocks of instructions, and blocks that look alike become one.
//!
//! ```text
//! read:  arg0 == 1 → allow        block 1: ld arg0 upper; jeq 0 → 2, else deny
//!                                 block 2: ld arg0 lower; jeq 1 → allow, else deny
//! close: arg0 == 1 → allow        the same two blocks: nothing new
//! ```
//!
//! The blocks of a level are made from the first to the last, with an eye on what the accumulator holds: who asks of the
//! same word as the one before loads nothing. Their jumps are settled from the last to the first, because what a block jumps to
//! must be known before it can be compared (`_gen_bpf_chain`, `_gen_bpf_node`, `_hsh_add`; `src/gen_bpf.c`). What the
//! accumulator must hold is no part of the comparison. This is the mistake that makes some programs wrong: of two
//! blocks that load nothing the first stands for both, and asks whatever it finds.
//!
//! The library compares by hash first; two blocks of one hash are told apart, so that only their content matters.

use rustc_hash::FxHashMap;

use super::Failure;
use super::rule::Kind;
use super::tree::{Id, NO, Tree, YES};
use crate::bpf::op;

/// Tests that are turned into blocks before giving up: a level that hangs below two tests is turned twice.
const FUEL: u32 = 200_000;

/// A block; where it stands for others, also their name.
pub type BlockId = usize;

/// Where a jump leads before it is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// Nowhere: no jump.
    None,
    /// To the next block of that name.
    Block(BlockId),
    /// Past so many blocks.
    Past(usize),
}

/// An instruction whose jumps are not measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Draft {
    /// See [`op`].
    pub code: u16,
    /// Its constant.
    pub k: u32,
    /// If it does not hold, if it does.
    pub ways: [Target; 2],
}

impl Draft {
    /// One that does not jump.
    pub fn statement(code: u16, k: u32) -> Self {
        Self { code, k, ways: [Target::None; 2] }
    }

    /// A comparison.
    pub fn jump(code: u16, k: u32, yes: Target, no: Target) -> Self {
        Self { code, k, ways: [no, yes] }
    }
}

/// What the accumulator holds: `seccomp_data` from that offset, under a mask; `None` if nobody cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Loaded {
    /// Where the word lies.
    pub offset: Option<u32>,
    /// Which bits are left.
    pub mask: u32,
}

impl Loaded {
    /// Nothing that counts.
    pub const NOTHING: Self = Self { offset: None, mask: u32::MAX };

    /// A whole word.
    pub const fn word(offset: u32) -> Self {
        Self { offset: Some(offset), mask: u32::MAX }
    }
}

/// Instructions of which only the last jumps.
#[derive(Debug, Clone)]
pub struct Block {
    /// Four at most.
    pub code: Vec<Draft>,
    /// What it needs.
    pub before: Loaded,
    /// What it leaves.
    pub after: Loaded,
    /// The block that it looks like; itself for most.
    pub name: BlockId,
    /// Whether it has got its place in the program.
    pub placed: bool,
}

impl Block {
    /// One that needs nothing and leaves nothing.
    pub fn new(code: Vec<Draft>) -> Self {
        Self { code, before: Loaded::NOTHING, after: Loaded::NOTHING, name: 0, placed: false }
    }
}

/// All blocks.
#[derive(Debug)]
pub struct Blocks {
    /// By number.
    pub blocks: Vec<Block>,
    alike: FxHashMap<(Vec<Draft>, Loaded), BlockId>,
    fuel: u32,
    /// Distance of the upper half of an argument from its beginning, and of the lower.
    halves: [u32; 2],
}

impl Blocks {
    /// None yet.
    pub fn new(big_endian: bool) -> Self {
        let halves = if big_endian { [4, 0] } else { [0, 4] };
        Self { blocks: Vec::new(), alike: FxHashMap::default(), fuel: FUEL, halves }
    }

    /// Adds a block, or finds the one that it looks like.
    pub fn add(&mut self, block: Block) -> BlockId {
        match self.alike.get(&(block.code.clone(), block.before)) {
            Some(&known) => known,
            None => self.insert(block, false),
        }
    }

    /// Adds a block that has its place whatever it looks like.
    pub fn place(&mut self, mut block: Block) -> BlockId {
        match self.alike.get(&(block.code.clone(), block.before)) {
            Some(&known) => {
                block.name = known;
                self.blocks.push(block);
                self.blocks.len() - 1
            }
            None => self.insert(block, true),
        }
    }

    fn insert(&mut self, mut block: Block, placed: bool) -> BlockId {
        let id = self.blocks.len();
        (block.name, block.placed) = (id, placed);
        self.alike.insert((block.code.clone(), block.before), id);
        self.blocks.push(block);
        id
    }

    /// A block that answers.
    pub fn answer(&mut self, act: u32) -> BlockId {
        self.add(Block::new(vec![Draft::statement(op::RET_K, act)]))
    }

    /// The blocks of a level and of all below it; `otherwise` is where to go if none of its tests holds.
    pub fn level(
        &mut self,
        tree: &Tree,
        first: Id,
        otherwise: BlockId,
        mut loaded: Loaded,
    ) -> Result<BlockId, Failure> {
        let level = tree.level(first)?;
        let mut drafts = Vec::with_capacity(level.len());
        for &id in &level {
            self.fuel = self.fuel.checked_sub(1).ok_or(Failure::TooLarge)?;
            let test = tree.test(id);
            for outcome in [YES, NO] {
                if let Some(act) = test.ways[outcome].act() {
                    self.answer(act);
                }
            }
            let mut block = Block { before: loaded, ..Block::new(Vec::with_capacity(3)) };
            let offset = 16 + 8 * u32::from(test.word.arg) + self.halves[usize::from(test.word.upper)];
            if loaded.offset != Some(offset) || test.mask & loaded.mask != test.mask {
                loaded = Loaded::word(offset);
                block.before = Loaded::NOTHING;
                block.code.push(Draft::statement(op::LD_ABS, offset));
            }
            if test.mask != loaded.mask {
                loaded.mask = test.mask;
                block.code.push(Draft::statement(op::AND_K, test.mask));
            }
            block.after = loaded;
            drafts.push(block);
        }
        let mut next = otherwise;
        for (&id, mut block) in level.iter().zip(drafts).rev() {
            let test = tree.test(id);
            let mut ways = [Target::None; 2];
            for outcome in [YES, NO] {
                let way = test.ways[outcome];
                let target = match (way.next, way.act()) {
                    (Some(below), _) => self.level(tree, below, next, block.after)?,
                    (None, Some(act)) => self.answer(act),
                    (None, None) => next,
                };
                ways[outcome] = Target::Block(target);
            }
            let code = match test.kind {
                Kind::Equal | Kind::MaskedEqual => op::JEQ_K,
                Kind::Greater => op::JGT_K,
                Kind::NotLess => op::JGE_K,
            };
            block.code.push(Draft { code, k: test.value, ways });
            next = self.add(block);
        }
        Ok(next)
    }
}
