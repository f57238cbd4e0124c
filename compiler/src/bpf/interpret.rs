//! A program run on one call, instruction by instruction, as the kernel runs it. The oracle of the tests, and what
//! counts the instructions that a call costs.
//!
//! ```text
//! run(program, getppid on x86_64)  →  returned 0x00050001, 7 instructions, looked at bytes 0 and 4
//! ```

use super::check::{CheckError, DATA_SIZE, MEMORY, check};
use super::insn::{Insn, Program, op};
use crate::spec::{Action, Call};

/// `struct seccomp_data` (`include/uapi/linux/seccomp.h`) as sixteen words in the machine's own order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeccompData(pub [u32; 16]);

impl SeccompData {
    /// What a filter sees of a call; the instruction pointer is 0.
    pub fn new(call: &Call) -> Self {
        Self::from_parts(call.nr.0, call.arch.audit_token(), call.arch.is_big_endian(), call.args)
    }

    /// The same for any architecture token.
    pub fn from_parts(nr: u32, token: u32, big_endian: bool, args: [u64; 6]) -> Self {
        let mut words = [0; 16];
        words[0] = nr;
        words[1] = token;
        for (index, arg) in args.into_iter().enumerate() {
            let (low, high) = (arg as u32, (arg >> 32) as u32);
            let [first, second] = if big_endian { [high, low] } else { [low, high] };
            words[4 + 2 * index] = first;
            words[5 + 2 * index] = second;
        }
        Self(words)
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// What the program returned.
    pub ret: u32,
    /// How many instructions were executed.
    pub steps: usize,
    /// Which words of `seccomp_data` were loaded: bit n for the word at byte 4n.
    pub looked_at: u16,
}

impl Run {
    /// What the kernel makes of the returned value.
    pub fn action(self) -> Action {
        Action::from_ret(self.ret)
    }
}

/// Runs a program. Fails where the kernel would not have taken it.
pub fn run(program: &Program, data: &SeccompData) -> Result<Run, CheckError> {
    check(program)?;
    let insns = &program.0;
    let (mut a, mut x, mut memory) = (0u32, 0u32, [0u32; MEMORY]);
    let (mut pc, mut steps, mut looked_at) = (0usize, 0usize, 0u16);
    // A checked program jumps forward only and ends in `ret`, so this ends within its length.
    while let Some(&insn) = insns.get(pc) {
        let Insn { code, jt, jf, k } = insn;
        steps += 1;
        pc += 1;
        let operand = if code & op::X != 0 { x } else { k };
        match insn.class() {
            op::LD | op::LDX => {
                let value = match code & !op::CLASS_MASK {
                    op::ABS => {
                        looked_at |= 1 << (k / 4);
                        data.0[(k / 4) as usize]
                    }
                    op::MEM => memory[k as usize],
                    op::LEN => DATA_SIZE,
                    _ => k,
                };
                *(if insn.class() == op::LD { &mut a } else { &mut x }) = value;
            }
            op::ST => memory[k as usize] = a,
            op::STX => memory[k as usize] = x,
            op::ALU => match alu(code & 0xf0, a, operand) {
                Some(value) => a = value,
                // A division by X = 0 ends the program with 0 (`bpf_convert_filter`, `net/core/filter.c`).
                None => return Ok(Run { ret: 0, steps, looked_at }),
            },
            op::JMP => {
                let holds = match code & 0xf0 {
                    op::JA => {
                        pc += k as usize;
                        continue;
                    }
                    op::JEQ => a == operand,
                    op::JGT => a > operand,
                    op::JGE => a >= operand,
                    _ => a & operand != 0,
                };
                pc += usize::from(if holds { jt } else { jf });
            }
            op::RET => return Ok(Run { ret: if code == op::RET_A { a } else { k }, steps, looked_at }),
            _ if code & op::TXA != 0 => a = x,
            _ => x = a,
        }
    }
    Err(CheckError::NoReturn)
}

/// `None` for a division by zero.
pub(super) fn alu(operation: u16, a: u32, operand: u32) -> Option<u32> {
    Some(match operation {
        op::ADD => a.wrapping_add(operand),
        op::SUB => a.wrapping_sub(operand),
        op::MUL => a.wrapping_mul(operand),
        op::DIV => return a.checked_div(operand),
        op::OR => a | operand,
        op::AND => a & operand,
        // The kernel's own machine takes the low five bits of a shift (`kernel/bpf/core.c`, ALU32).
        op::LSH => a.wrapping_shl(operand),
        op::RSH => a.wrapping_shr(operand),
        op::XOR => a ^ operand,
        _ => a.wrapping_neg(),
    })
}
