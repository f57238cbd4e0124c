//! The ways of one call through a program: architecture and number are known, arguments are not.
//!
//! ```text
//! number 41 on x86_64:   ld [4] · jeq x86_64 → · ld [0] · jeq #41 → · ld [16] · jeq #1 → both ways · ret · ret
//! ```
//!
//! Since jumps lead forward only, one pass over the instructions finds the longest way to each. The accumulator is
//! known while nothing but architecture and number were loaded; a test of it then goes the one way that it goes.

use super::insn::{Insn, Program, op};

/// What a call can meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walk {
    /// For each instruction: whether some arguments lead there.
    pub reached: Vec<bool>,
    /// The longest way, in instructions. It may be longer than what any arguments reach.
    pub most: usize,
}

/// Where a call of that number and architecture token may come by.
pub fn walk(program: &Program, nr: u32, token: u32) -> Walk {
    let insns = &program.0;
    // Which accumulator values reach an instruction (`Some(None)` is unknown). One known value or none is kept.
    let mut reached: Vec<Option<Option<u32>>> = vec![None; insns.len()];
    let mut longest = vec![0usize; insns.len()];
    let mut most = 0;
    if let Some(first) = reached.first_mut() {
        *first = Some(Some(0));
    }
    for at in 0..insns.len() {
        let Some(a) = reached[at] else { continue };
        let Insn { code, jt, jf, k } = insns[at];
        let steps = longest[at] + 1;
        let mut go = |to: usize, a: Option<u32>| {
            let Some(slot) = reached.get_mut(to) else { return };
            *slot = match *slot {
                None => Some(a),
                Some(before) if before == a => Some(a),
                Some(_) => Some(None),
            };
            longest[to] = longest[to].max(steps);
        };
        let by = |jump: u32| (at + 1).saturating_add(jump as usize);
        match insns[at].class() {
            op::RET => most = most.max(steps),
            op::JMP if code & 0xf0 == op::JA => go(by(k), a),
            op::JMP => match (a, code & op::X == 0) {
                (Some(a), true) => {
                    let holds = match code & 0xf0 {
                        op::JEQ => a == k,
                        op::JGT => a > k,
                        op::JGE => a >= k,
                        _ => a & k != 0,
                    };
                    go(by(u32::from(if holds { jt } else { jf })), Some(a));
                }
                _ => {
                    go(by(u32::from(jt)), a);
                    go(by(u32::from(jf)), a);
                }
            },
            op::LD if code & !op::CLASS_MASK == op::ABS && k < 8 => go(at + 1, Some(if k == 0 { nr } else { token })),
            op::ALU if code & 0xf0 == op::AND && code & op::X == 0 => go(at + 1, a.map(|a| a & k)),
            op::LDX | op::ST | op::STX => go(at + 1, a),
            _ => go(at + 1, None),
        }
    }
    Walk { reached: reached.iter().map(Option::is_some).collect(), most }
}
