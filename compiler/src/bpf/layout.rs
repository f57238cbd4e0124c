//! Layout: from blocks to instructions.
//!
//! ```text
//! b3: [0] == 41 ? b2 : b1      →      ld [0]; jeq #41, 0, 2; …
//! ```
//!
//! Instructions are laid down from the last to the first, so that where a jump is made the place of its target is
//! known. A block that compares `[16] & 0xf` is `ld [16]; and #0xf; jeq …` and has three doors: whoever comes with
//! another word in the accumulator enters at `ld`, with the whole word at `and`, with the masked one at `jeq`. Doors
//! that nobody uses are not laid.
//!
//! Jumps reach 255 instructions. A target that is farther away gets an island just behind the test that needs it:
//! another `ret` if the target is an answer, else a `ja`. Later (earlier in the program) tests use the island as
//! long as they reach it.

use super::block::{Block, BlockId, Blocks, Subject};
use super::insn::{Insn, Program, op};

/// At which of its instructions a block is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Load = 0,
    Mask = 1,
    Test = 2,
}

/// Where the doors of one block are, counted from the end of the program.
#[derive(Debug, Clone, Copy, Default)]
struct Doors {
    wanted: [bool; 3],
    at: [usize; 3],
}

/// Which door of a block that compares `subject` is for those who come with `held` in the accumulator.
fn door(held: Option<Subject>, subject: Subject) -> Door {
    match held {
        Some(held) if held == subject => Door::Test,
        Some(held) if held.offset == subject.offset && held.mask == u32::MAX => Door::Mask,
        _ => Door::Load,
    }
}

/// The door of `to` for those who come with `held`.
fn door_of(blocks: &Blocks, to: BlockId, held: Option<Subject>) -> Door {
    match blocks.get(to) {
        Block::Answer(_) => Door::Test,
        Block::Test { subject, .. } => door(held, subject),
    }
}

/// The program that begins at `root`.
pub(super) fn lay(blocks: &Blocks, root: BlockId) -> Program {
    let order = blocks.leaves_first(root);
    let mut doors = vec![Doors::default(); blocks.len()];
    doors[root.0 as usize].wanted[door_of(blocks, root, None) as usize] = true;
    for &id in &order {
        if let Block::Test { subject, yes, no, .. } = blocks.get(id) {
            for to in [yes, no] {
                doors[to.0 as usize].wanted[door_of(blocks, to, Some(subject)) as usize] = true;
            }
        }
    }
    let mut laid = Laid { backwards: Vec::new(), doors };
    for &id in &order {
        match blocks.get(id) {
            Block::Answer(action) => {
                let at = laid.push(Insn::statement(op::RET_K, action.to_ret()));
                laid.doors[id.0 as usize].at[Door::Test as usize] = at;
            }
            Block::Test { subject, compare, k, yes, no } => {
                let targets = [yes, no].map(|to| (to, door_of(blocks, to, Some(subject))));
                let [jt, jf] = laid.reach(blocks, targets);
                let mut at = laid.push(Insn::jump(compare.code(), k, jt, jf));
                let wanted = laid.doors[id.0 as usize].wanted;
                laid.doors[id.0 as usize].at[Door::Test as usize] = at;
                if subject.mask != u32::MAX && (wanted[Door::Load as usize] || wanted[Door::Mask as usize]) {
                    at = laid.push(Insn::statement(op::AND_K, subject.mask));
                }
                laid.doors[id.0 as usize].at[Door::Mask as usize] = at;
                if wanted[Door::Load as usize] {
                    at = laid.push(Insn::statement(op::LD_ABS, subject.offset));
                }
                laid.doors[id.0 as usize].at[Door::Load as usize] = at;
            }
        }
    }
    laid.backwards.reverse();
    Program(laid.backwards)
}

/// How many instructions a block and all that it reaches take by themselves.
pub(super) fn length(block: impl FnOnce(&mut Blocks) -> BlockId) -> usize {
    let mut blocks = Blocks::default();
    let root = block(&mut blocks);
    lay(&blocks, root).len()
}

struct Laid {
    /// Instructions, the last of the program first.
    backwards: Vec<Insn>,
    doors: Vec<Doors>,
}

impl Laid {
    /// Puts an instruction in front of all others; returns its place, counted from the end.
    fn push(&mut self, insn: Insn) -> usize {
        self.backwards.push(insn);
        self.backwards.len() - 1
    }

    /// How many instructions a jump laid next would have to skip.
    fn distance(&self, (to, door): (BlockId, Door)) -> usize {
        self.backwards.len() - self.doors[to.0 as usize].at[door as usize] - 1
    }

    /// Offsets of both targets, after islands for those that are too far.
    fn reach(&mut self, blocks: &Blocks, targets: [(BlockId, Door); 2]) -> [u8; 2] {
        loop {
            let distances = targets.map(|target| self.distance(target));
            if let [Ok(jt), Ok(jf)] = distances.map(u8::try_from) {
                return [jt, jf];
            }
            // The farther one first. Each turn brings one target next to here, and an island moves the other
            // by one only, so that the second turn is the last.
            let (to, door) = if distances[0] >= distances[1] { targets[0] } else { targets[1] };
            let island = match blocks.get(to) {
                Block::Answer(action) => Insn::statement(op::RET_K, action.to_ret()),
                Block::Test { .. } => Insn::statement(op::JUMP, self.distance((to, door)) as u32),
            };
            let at = self.push(island);
            self.doors[to.0 as usize].at[door as usize] = at;
        }
    }
}
