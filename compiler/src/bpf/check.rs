//! What the kernel takes: the rules of `bpf_check_classic` (`net/core/filter.c`) and `seccomp_check_filter`
//! (`kernel/seccomp.c`).
//!
//! ```text
//! ld [3]     →  instruction 0 loads from offset 3, which is no word of seccomp_data
//! ```

use std::fmt;

use super::insn::{Insn, MAX_LEN, Program, op};

/// Bytes of `struct seccomp_data`.
pub(super) const DATA_SIZE: u32 = 64;
/// Words of scratch memory (`BPF_MEMWORDS`, `include/uapi/linux/filter.h`).
pub(super) const MEMORY: usize = 16;

/// Why the kernel does not take a program. `at` is the instruction, the first is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "`at` is explained once, above; the others are in the variant's own line")]
pub enum CheckError {
    /// No instruction, or more than [`MAX_LEN`].
    Length { instructions: usize },
    /// An opcode that seccomp does not know.
    Opcode { at: usize, code: u16 },
    /// A load from `k`, which is no aligned word of `seccomp_data`.
    Load { at: usize, k: u32 },
    /// Scratch word `k` is not there.
    Memory { at: usize, k: u32 },
    /// Scratch word `k` may be read before it is written.
    Unset { at: usize, k: u32 },
    /// A division by zero.
    Division { at: usize },
    /// A shift by `k`, 32 or more.
    Shift { at: usize, k: u32 },
    /// A jump behind the last instruction.
    Jump { at: usize },
    /// The last instruction is no `ret`.
    NoReturn,
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Length { instructions } => {
                write!(f, "{instructions} instructions; the kernel takes 1 to {MAX_LEN}")
            }
            Self::Opcode { at, code } => write!(f, "instruction {at}: opcode {code:#06x} is not allowed in seccomp"),
            Self::Load { at, k } => {
                write!(f, "instruction {at} loads from offset {k}, which is no word of seccomp_data")
            }
            Self::Memory { at, k } => write!(f, "instruction {at}: there is no scratch word {k}, the last is 15"),
            Self::Unset { at, k } => write!(f, "instruction {at} may read scratch word {k} before it is written"),
            Self::Division { at } => write!(f, "instruction {at} divides by zero"),
            Self::Shift { at, k } => write!(f, "instruction {at} shifts by {k}; the most is 31"),
            Self::Jump { at } => write!(f, "instruction {at} jumps behind the end of the program"),
            Self::NoReturn => f.write_str("the last instruction is no ret"),
        }
    }
}

impl std::error::Error for CheckError {}

/// Whether the kernel would take the program.
pub fn check(program: &Program) -> Result<(), CheckError> {
    let insns = &program.0;
    if insns.is_empty() || insns.len() > MAX_LEN {
        return Err(CheckError::Length { instructions: insns.len() });
    }
    for (at, &insn) in insns.iter().enumerate() {
        check_insn(at, insn, insns.len() - at - 1)?;
    }
    if insns.last().is_none_or(|last| last.code != op::RET_K && last.code != op::RET_A) {
        return Err(CheckError::NoReturn);
    }
    check_memory(insns)
}

/// One instruction with `left` behind it.
fn check_insn(at: usize, insn: Insn, left: usize) -> Result<(), CheckError> {
    let Insn { code, jt, jf, k } = insn;
    let unknown = Err(CheckError::Opcode { at, code });
    match insn.class() {
        op::LD | op::LDX => match code & !op::CLASS_MASK {
            op::ABS if insn.class() == op::LD => {
                if k >= DATA_SIZE || k % 4 != 0 {
                    return Err(CheckError::Load { at, k });
                }
            }
            op::IMM | op::LEN => {}
            op::MEM if k as usize >= MEMORY => return Err(CheckError::Memory { at, k }),
            op::MEM => {}
            _ => return unknown,
        },
        op::ST | op::STX => {
            if code & !op::CLASS_MASK != 0 {
                return unknown;
            }
            if k as usize >= MEMORY {
                return Err(CheckError::Memory { at, k });
            }
        }
        op::ALU => match (code & 0xfff0, code & op::X == 0) {
            (op::NEG, true) => {}
            (op::DIV, true) if k == 0 => return Err(CheckError::Division { at }),
            (op::LSH | op::RSH, true) if k >= 32 => return Err(CheckError::Shift { at, k }),
            (op::ADD | op::SUB | op::MUL | op::DIV | op::OR | op::AND | op::LSH | op::RSH | op::XOR, _) => {}
            _ => return unknown,
        },
        op::JMP => match (code & 0xfff0, code & op::X == 0) {
            (op::JA, true) if k as usize >= left => return Err(CheckError::Jump { at }),
            (op::JA, true) => {}
            (op::JEQ | op::JGT | op::JGE | op::JSET, _) => {
                if usize::from(jt) >= left || usize::from(jf) >= left {
                    return Err(CheckError::Jump { at });
                }
            }
            _ => return unknown,
        },
        op::RET if code == op::RET_K || code == op::RET_A => {}
        op::MISC if code == op::MISC | op::TAX || code == op::MISC | op::TXA => {}
        _ => return unknown,
    }
    Ok(())
}

/// No scratch word is read on a path that has not written it (`check_load_and_stores`, `net/core/filter.c`).
fn check_memory(insns: &[Insn]) -> Result<(), CheckError> {
    // For each instruction the words that are written on every way there; jumps only go forward.
    let mut written = vec![u16::MAX; insns.len()];
    let mut now = 0u16;
    for (at, insn) in insns.iter().enumerate() {
        now &= written[at];
        match insn.class() {
            op::ST | op::STX => now |= 1 << insn.k,
            op::LD | op::LDX if insn.code & !op::CLASS_MASK == op::MEM && now & 1 << insn.k == 0 => {
                return Err(CheckError::Unset { at, k: insn.k });
            }
            op::JMP if insn.code == op::JUMP => {
                written[at + 1 + insn.k as usize] &= now;
                now = u16::MAX;
            }
            op::JMP => {
                written[at + 1 + usize::from(insn.jt)] &= now;
                written[at + 1 + usize::from(insn.jf)] &= now;
                now = u16::MAX;
            }
            _ => {}
        }
    }
    Ok(())
}
