//! Which calls of one number come to an instruction: a set for each.
//!
//! ```text
//! ld [16]                  all
//! jeq #0x26, l1, l2        all
//! l1: ret deny             family == AF_ALG
//! l2: ret allow            family != AF_ALG
//! ```
//!
//! What the accumulator holds is known beforehand ([`Held`]); where it is not, or the store is nearly full, both ways are
//! taken: a set may be too large, never too small.

use super::notes::Held;
use crate::bpf::{Insn, op};
use crate::diagram::{Comparison, Node, Operand, Store};
use crate::spec::{Arch, Nr};

/// Past so many nodes sets are no longer worked out: the store is needed for the policy.
const NODES: usize = Store::DEFAULT_LIMIT / 2;

/// The calls that come to each instruction; `FALSE` where none does.
pub(super) fn reach(insns: &[Insn], held: &[Held], arch: Arch, nr: Nr, store: &mut Store) -> Vec<Node> {
    let mut sets = vec![Node::FALSE; insns.len()];
    if let Some(first) = sets.first_mut() {
        *first = Node::TRUE;
    }
    for (at, &insn) in insns.iter().enumerate() {
        let here = sets[at];
        if here == Node::FALSE || insn.class() == op::RET {
            continue;
        }
        let mut go = |store: &mut Store, to: usize, set: Node| {
            if let Some(slot) = sets.get_mut(to) {
                *slot = store.or(*slot, set);
            }
        };
        if !insn.is_branch() {
            let by = if insn.code == op::JUMP { insn.k as usize } else { 0 };
            go(store, (at + 1).saturating_add(by), here);
            continue;
        }
        let (yes, no) = match condition(insn, held[at], arch, nr, store) {
            Some(condition) => (store.and(here, condition), store.minus(here, condition)),
            None => (here, here),
        };
        go(store, at + 1 + usize::from(insn.jt), yes);
        go(store, at + 1 + usize::from(insn.jf), no);
    }
    sets
}

/// Where a test holds; `None` if nobody knows.
fn condition(insn: Insn, held: Held, arch: Arch, nr: Nr, store: &mut Store) -> Option<Node> {
    let Held::Word { offset, mask } = held else { return None };
    if insn.code & op::X != 0 || store.len() > NODES {
        return None;
    }
    let known = match offset {
        0 => Some(nr.0),
        4 => Some(arch.audit_token()),
        _ => None,
    };
    let test = insn.code & 0xf0;
    if let Some(word) = known.map(|word| word & mask) {
        let holds = match test {
            op::JEQ => word == insn.k,
            op::JGT => word > insn.k,
            op::JGE => word >= insn.k,
            _ => word & insn.k != 0,
        };
        return Some(if holds { Node::TRUE } else { Node::FALSE });
    }
    let arg = u8::try_from(offset.checked_sub(16)? / 8).ok().filter(|arg| *arg < 6)?;
    let upper = offset.is_multiple_of(8) == arch.is_big_endian();
    if upper && arch.bits() == 32 {
        return None;
    }
    let shift = if upper { 32 } else { 0 };
    let operand = |mask: u32| Operand { arg, bits: 32 + shift, mask: u64::from(mask) << shift, signed: false };
    let value = |value: u32| u64::from(value) << shift;
    Some(match test {
        op::JEQ if insn.k & !mask != 0 => Node::FALSE,
        op::JEQ => store.compare(operand(mask), Comparison::Eq, value(insn.k)),
        op::JGT => {
            let most = store.compare(operand(mask), Comparison::Le, value(insn.k));
            store.minus(Node::TRUE, most)
        }
        op::JGE => match insn.k.checked_sub(1) {
            Some(below) => {
                let less = store.compare(operand(mask), Comparison::Le, value(below));
                store.minus(Node::TRUE, less)
            }
            None => Node::TRUE,
        },
        _ => {
            let none = store.compare(operand(mask & insn.k), Comparison::Eq, 0);
            store.minus(Node::TRUE, none)
        }
    })
}
