//! Instructions of classic BPF and how they lie in memory.
//!
//! ```text
//! jeq #41, +2, +0   →   code 0x0015, jt 2, jf 0, k 41   →   15 00 02 00 29 00 00 00   (little endian)
//! ```
//!
//! Layout is `struct sock_filter` (`include/uapi/linux/filter.h`), opcodes are `include/uapi/linux/bpf_common.h`.

use std::fmt;

use seccompiler::sock_filter;

/// Opcodes, put together from the parts of `include/uapi/linux/bpf_common.h`. All loads are of 32-bit words:
/// seccomp has no others.
#[allow(missing_docs, reason = "the names are the kernel's own, lower parts joined")]
pub mod op {
    pub const CLASS_MASK: u16 = 0x07;
    pub const LD: u16 = 0x00;
    pub const LDX: u16 = 0x01;
    pub const ST: u16 = 0x02;
    pub const STX: u16 = 0x03;
    pub const ALU: u16 = 0x04;
    pub const JMP: u16 = 0x05;
    pub const RET: u16 = 0x06;
    pub const MISC: u16 = 0x07;

    pub const W: u16 = 0x00;
    pub const IMM: u16 = 0x00;
    pub const ABS: u16 = 0x20;
    pub const MEM: u16 = 0x60;
    pub const LEN: u16 = 0x80;

    pub const K: u16 = 0x00;
    pub const X: u16 = 0x08;
    pub const A: u16 = 0x10;

    pub const ADD: u16 = 0x00;
    pub const SUB: u16 = 0x10;
    pub const MUL: u16 = 0x20;
    pub const DIV: u16 = 0x30;
    pub const OR: u16 = 0x40;
    pub const AND: u16 = 0x50;
    pub const LSH: u16 = 0x60;
    pub const RSH: u16 = 0x70;
    pub const NEG: u16 = 0x80;
    pub const XOR: u16 = 0xa0;

    pub const JA: u16 = 0x00;
    pub const JEQ: u16 = 0x10;
    pub const JGT: u16 = 0x20;
    pub const JGE: u16 = 0x30;
    pub const JSET: u16 = 0x40;

    pub const TAX: u16 = 0x00;
    pub const TXA: u16 = 0x80;

    /// `A = seccomp_data[k]`.
    pub const LD_ABS: u16 = LD | W | ABS;
    /// `A &= k`.
    pub const AND_K: u16 = ALU | AND | K;
    /// Jump by `k`.
    pub const JUMP: u16 = JMP | JA;
    /// `A == k`.
    pub const JEQ_K: u16 = JMP | JEQ | K;
    /// `A > k`, unsigned.
    pub const JGT_K: u16 = JMP | JGT | K;
    /// `A >= k`, unsigned.
    pub const JGE_K: u16 = JMP | JGE | K;
    /// `A & k != 0`.
    pub const JSET_K: u16 = JMP | JSET | K;
    /// Answer `k`.
    pub const RET_K: u16 = RET | K;
    /// Answer A.
    pub const RET_A: u16 = RET | A;
}

/// The most instructions that the kernel takes (`BPF_MAXINSNS`, `include/uapi/linux/bpf_common.h`).
pub const MAX_LEN: usize = 4096;

/// One instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Insn {
    /// What to do: see [`op`].
    pub code: u16,
    /// How many instructions to skip where the test holds.
    pub jt: u8,
    /// How many where it does not.
    pub jf: u8,
    /// The constant.
    pub k: u32,
}

impl Insn {
    /// An instruction that does not jump.
    pub const fn statement(code: u16, k: u32) -> Self {
        Self { code, jt: 0, jf: 0, k }
    }

    /// A conditional jump.
    pub const fn jump(code: u16, k: u32, jt: u8, jf: u8) -> Self {
        Self { code, jt, jf, k }
    }

    /// Class of the opcode: [`op::LD`] … [`op::MISC`].
    pub const fn class(self) -> u16 {
        self.code & op::CLASS_MASK
    }

    /// Whether it is a conditional jump.
    pub const fn is_branch(self) -> bool {
        self.class() == op::JMP && self.code != op::JUMP
    }
}

impl From<Insn> for sock_filter {
    fn from(insn: Insn) -> Self {
        Self { code: insn.code, jt: insn.jt, jf: insn.jf, k: insn.k }
    }
}

impl From<&sock_filter> for Insn {
    fn from(raw: &sock_filter) -> Self {
        Self { code: raw.code, jt: raw.jt, jf: raw.jf, k: raw.k }
    }
}

/// In which order the bytes of `code` and `k` are. The kernel wants its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteOrder {
    /// Least significant first: x86, arm64, RISC-V.
    Little,
    /// Most significant first: s390x, ppc64.
    Big,
}

impl ByteOrder {
    /// That of the machine which runs this program.
    pub const NATIVE: Self = if cfg!(target_endian = "big") { Self::Big } else { Self::Little };
}

/// A filter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Program(pub Vec<Insn>);

/// Why bytes are no program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// There is nothing.
    Empty,
    /// The length is not a multiple of eight.
    Ragged {
        /// Length in bytes.
        bytes: usize,
    },
    /// More than [`MAX_LEN`] instructions.
    TooLong {
        /// How many there are.
        instructions: usize,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the file is empty; a filter has at least one instruction"),
            Self::Ragged { bytes } => {
                write!(f, "{bytes} bytes are no whole number of 8-byte instructions; is the file cut off?")
            }
            Self::TooLong { instructions } => {
                write!(f, "{instructions} instructions; the kernel takes at most {MAX_LEN}")
            }
        }
    }
}

impl std::error::Error for DecodeError {}

impl Program {
    /// Bytes of one instruction (`sizeof(struct sock_filter)`).
    const SIZE: usize = 8;

    /// How many instructions.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The array as the kernel reads it.
    pub fn to_bytes(&self, order: ByteOrder) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len() * Self::SIZE);
        for insn in &self.0 {
            let (code, k) = match order {
                ByteOrder::Little => (insn.code.to_le_bytes(), insn.k.to_le_bytes()),
                ByteOrder::Big => (insn.code.to_be_bytes(), insn.k.to_be_bytes()),
            };
            bytes.extend_from_slice(&code);
            bytes.extend_from_slice(&[insn.jt, insn.jf]);
            bytes.extend_from_slice(&k);
        }
        bytes
    }

    /// The program that lies in `bytes`. Whether the kernel would take it is [`check`](super::check()).
    pub fn from_bytes(bytes: &[u8], order: ByteOrder) -> Result<Self, DecodeError> {
        if bytes.is_empty() {
            return Err(DecodeError::Empty);
        }
        let (chunks, rest) = bytes.as_chunks::<8>();
        if !rest.is_empty() {
            return Err(DecodeError::Ragged { bytes: bytes.len() });
        }
        if chunks.len() > MAX_LEN {
            return Err(DecodeError::TooLong { instructions: chunks.len() });
        }
        let insn = |&[c0, c1, jt, jf, k0, k1, k2, k3]: &[u8; 8]| match order {
            ByteOrder::Little => {
                Insn { code: u16::from_le_bytes([c0, c1]), jt, jf, k: u32::from_le_bytes([k0, k1, k2, k3]) }
            }
            ByteOrder::Big => {
                Insn { code: u16::from_be_bytes([c0, c1]), jt, jf, k: u32::from_be_bytes([k0, k1, k2, k3]) }
            }
        };
        Ok(Self(chunks.iter().map(insn).collect()))
    }

    /// The same for `seccompiler::apply_filter`.
    pub fn to_sock_filters(&self) -> Vec<sock_filter> {
        self.0.iter().map(|&insn| insn.into()).collect()
    }
}
