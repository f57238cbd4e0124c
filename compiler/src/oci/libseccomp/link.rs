//! Blocks are put in a row, and jumps are measured.
//!
//! ```text
//! row before:  [arch] [nr 0] [nr 1] [kill]               [nr 1] jumps to [ld arg0 …], which has no place yet
//! row after:   [arch] [nr 0] [nr 1] [ld arg0 …] [kill]
//! ```
//!
//! From the end of the row to its beginning: a block whose jump leads to one without a place gets that one right
//! behind itself, with a load before it where the accumulator does not hold what it needs. That is asked of the first
//! who jumps there, and of nobody else (`_gen_bpf_build_bpf`, `src/gen_bpf.c`).
//!
//! Then jumps of more than 255 instructions get help: a copy of the answer, or a long jump, right behind the block that
//! needs it; those further ahead use it too.

use super::Failure;
use super::blocks::{BlockId, Blocks, Draft, Loaded, Target};
use super::tree::{NO, YES};
use crate::bpf::{Insn, Program, op};

const FARTHEST: usize = 255;

/// A block in the row, or help for jumps.
struct Seat {
    code: Vec<Draft>,
    name: BlockId,
    after: Loaded,
    next: Option<usize>,
    prev: Option<usize>,
    /// Instructions from here to the end.
    to_end: usize,
}

/// The program of a row of blocks.
pub fn link(blocks: &mut Blocks, row: &[BlockId]) -> Result<Program, Failure> {
    let mut seats: Vec<Seat> = row.iter().map(|&id| sit(blocks, id)).collect();
    let last = seats.len() - 1;
    for (at, seat) in seats.iter_mut().enumerate() {
        seat.prev = at.checked_sub(1);
        seat.next = (at < last).then_some(at + 1);
        for way in seat.code.iter_mut().flat_map(|draft| &mut draft.ways) {
            if let Target::Past(count) = *way {
                let target = row.get(at + 1 + count).ok_or(Failure::Unlinked)?;
                *way = Target::Block(blocks.blocks[*target].name);
            }
        }
    }
    seat_all(blocks, &mut seats, last)?;
    reach(&mut seats, blocks.blocks.len())
}

fn sit(blocks: &Blocks, id: BlockId) -> Seat {
    let block = &blocks.blocks[id];
    Seat { code: block.code.clone(), name: block.name, after: block.after, next: None, prev: None, to_end: 0 }
}

/// Gives every block that is jumped to its place.
fn seat_all(blocks: &mut Blocks, seats: &mut Vec<Seat>, last: usize) -> Result<(), Failure> {
    let mut at = Some(last);
    while let Some(seat) = at {
        let wanted = seats[seat].code.iter().rev().flat_map(|draft| [draft.ways[YES], draft.ways[NO]]).find_map(
            |way| match way {
                Target::Block(name) if !blocks.blocks[name].placed => Some(name),
                _ => None,
            },
        );
        let Some(name) = wanted else {
            at = seats[seat].prev;
            continue;
        };
        blocks.blocks[name].placed = true;
        let mut new = sit(blocks, name);
        let before = blocks.blocks[name].before;
        if let Some(offset) = before.offset
            && seats[seat].after != before
        {
            if before.mask != u32::MAX {
                new.code.insert(0, Draft::statement(op::AND_K, before.mask));
            }
            new.code.insert(0, Draft::statement(op::LD_ABS, offset));
        }
        let id = seats.len();
        new.prev = Some(seat);
        new.next = seats[seat].next.replace(id);
        if let Some(next) = new.next {
            seats[next].prev = Some(id);
        }
        seats.push(new);
        at = Some(id);
    }
    Ok(())
}

/// Measures the jumps, with help where they are too long, and writes the program down.
fn reach(seats: &mut Vec<Seat>, names: usize) -> Result<Program, Failure> {
    let mut order = vec![0];
    while let Some(next) = order.last().and_then(|&at| seats[at].next) {
        order.push(next);
    }
    // The last seat of a name is what a long jump leads to; the nearest one behind is what others lead to.
    let mut final_seat = vec![None; names];
    for &at in &order {
        final_seat[seats[at].name] = Some(at);
    }
    let mut nearest: Vec<Option<usize>> = vec![None; names];
    for &at in order.iter().rev() {
        loop {
            let mut helped = false;
            for index in (0..seats[at].code.len()).rev() {
                for outcome in [YES, NO] {
                    let Target::Block(name) = seats[at].code[index].ways[outcome] else { continue };
                    let target = nearest[name].ok_or(Failure::Unlinked)?;
                    if distance(seats, at, index, target) <= FARTHEST {
                        continue;
                    }
                    let end = final_seat[name].ok_or(Failure::Unlinked)?;
                    let code = match seats[end].code[..] {
                        [answer] if answer.code == op::RET_K => answer,
                        _ => Draft::jump(op::JUMP, 0, Target::Block(name), Target::None),
                    };
                    let id = seats.len();
                    let next = seats[at].next.replace(id);
                    let to_end = 1 + next.map_or(0, |next| seats[next].to_end);
                    let seat = Seat { code: vec![code], name, after: Loaded::NOTHING, next, prev: Some(at), to_end };
                    seats.push(seat);
                    nearest[name] = Some(id);
                    helped = true;
                }
            }
            if !helped {
                break;
            }
        }
        seats[at].to_end = seats[at].code.len() + seats[at].next.map_or(0, |next| seats[next].to_end);
        nearest[seats[at].name] = Some(at);
    }
    measure(seats, &final_seat)
}

fn distance(seats: &[Seat], at: usize, index: usize, target: usize) -> usize {
    let behind = seats[at].next.map_or(0, |next| seats[next].to_end);
    seats[at].code.len() - (index + 1) + behind - seats[target].to_end
}

fn measure(seats: &[Seat], final_seat: &[Option<usize>]) -> Result<Program, Failure> {
    let mut program = Vec::new();
    let mut order = vec![0];
    while let Some(next) = order.last().and_then(|&at| seats[at].next) {
        order.push(next);
    }
    // Written from the end, where the nearest seat of a name is known.
    let mut nearest: Vec<Option<usize>> = vec![None; final_seat.len()];
    for &at in order.iter().rev() {
        for (index, draft) in seats[at].code.iter().enumerate().rev() {
            let mut insn = Insn::statement(draft.code, draft.k);
            if draft.code == op::JUMP {
                if let Target::Block(name) = draft.ways[YES] {
                    let target = final_seat[name].ok_or(Failure::Unlinked)?;
                    insn.k = distance(seats, at, index, target) as u32;
                }
            } else {
                let mut jumps = [0; 2];
                for outcome in [YES, NO] {
                    if let Target::Block(name) = draft.ways[outcome] {
                        let target = nearest[name].ok_or(Failure::Unlinked)?;
                        jumps[outcome] =
                            u8::try_from(distance(seats, at, index, target)).map_err(|_| Failure::Unlinked)?;
                    }
                }
                (insn.jf, insn.jt) = (jumps[NO], jumps[YES]);
            }
            program.push(insn);
        }
        nearest[seats[at].name] = Some(at);
    }
    program.reverse();
    Ok(Program(program))
}
