//! ABIs: the words of the language, tokens, widths and byte orders.
//!
//! ```text
//! ppc64   token EM_PPC64 with the bit for 64 bits, big-endian   headers powerpc-linux-gnu/include/asm/unistd_64.h
//! ```
//!
//! Tokens are `AUDIT_ARCH_…` of `include/uapi/linux/audit.h`: a machine of `include/uapi/linux/elf-em.h`, with bits for 64
//! bits, for little endian, and for the n32 convention of MIPS.

/// An ABI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the field's own")]
pub enum Abi {
    X86_64,
    X86,
    X32,
    Aarch64,
    Arm,
    Riscv64,
    S390x,
    S390,
    Ppc64le,
    Ppc64,
    Ppc,
    Loongarch64,
    Mips,
    Mips64,
    Mips64n32,
    Mipsel,
    Mipsel64,
    Mipsel64n32,
    M68k,
    Parisc,
    Parisc64,
    Sh,
}

use Abi::*;

/// Name, machine, bits of registers, big-endian, whether it is the n32 convention, the ABI of the kernel that serves it.
type Row = (Abi, &'static str, u32, u32, bool, bool, Abi);

const ROWS: [Row; 22] = [
    (X86_64, "x86_64", 62, 64, false, false, X86_64),
    (X86, "x86", 3, 32, false, false, X86_64),
    (X32, "x32", 62, 64, false, false, X86_64),
    (Aarch64, "aarch64", 183, 64, false, false, Aarch64),
    (Arm, "arm", 40, 32, false, false, Aarch64),
    (Riscv64, "riscv64", 243, 64, false, false, Riscv64),
    (S390x, "s390x", 22, 64, true, false, S390x),
    (S390, "s390", 22, 32, true, false, S390x),
    (Ppc64le, "ppc64le", 21, 64, false, false, Ppc64le),
    (Ppc64, "ppc64", 21, 64, true, false, Ppc64),
    (Ppc, "ppc", 20, 32, true, false, Ppc64),
    (Loongarch64, "loongarch64", 258, 64, false, false, Loongarch64),
    (Mips, "mips", 8, 32, true, false, Mips64),
    (Mips64, "mips64", 8, 64, true, false, Mips64),
    (Mips64n32, "mips64n32", 8, 64, true, true, Mips64),
    (Mipsel, "mipsel", 8, 32, false, false, Mipsel64),
    (Mipsel64, "mipsel64", 8, 64, false, false, Mipsel64),
    (Mipsel64n32, "mipsel64n32", 8, 64, false, true, Mipsel64),
    (M68k, "m68k", 4, 32, true, false, M68k),
    (Parisc, "parisc", 15, 32, true, false, Parisc64),
    (Parisc64, "parisc64", 15, 64, true, false, Parisc64),
    (Sh, "sh", 42, 32, true, false, Sh),
];

impl Abi {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().map(|row| row.0)
    }

    /// The ABI of that name.
    pub fn named(name: &str) -> Option<Self> {
        ROWS.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    fn row(self) -> &'static Row {
        // The rows stand in the order of the enum; a test says so.
        &ROWS[self as usize]
    }

    /// The word of the language.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// `AUDIT_ARCH_…`.
    pub fn token(self) -> u32 {
        const BITS_64: u32 = 0x8000_0000;
        const LITTLE_ENDIAN: u32 = 0x4000_0000;
        const N32: u32 = 0x2000_0000;
        let &(_, _, machine, bits, big, n32, _) = self.row();
        let bit = |set: bool, bit: u32| if set { bit } else { 0 };
        machine | bit(bits == 64, BITS_64) | bit(!big, LITTLE_ENDIAN) | bit(n32, N32)
    }

    /// Bits of a register that the kernel shows a filter.
    pub fn bits(self) -> u32 {
        self.row().3
    }

    /// Whether the upper half of a register comes first in memory.
    pub fn is_big_endian(self) -> bool {
        self.row().4
    }

    /// The ABI of the kernel that serves it.
    pub fn native(self) -> Self {
        self.row().6
    }

    /// From where on its numbers are counted (`arch/mips/include/uapi/asm/unistd.h`, `__X32_SYSCALL_BIT`).
    pub fn base(self) -> u32 {
        match self {
            Mips | Mipsel => 4000,
            Mips64 | Mipsel64 => 5000,
            Mips64n32 | Mipsel64n32 => 6000,
            X32 => 0x4000_0000,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_the_order_of_the_enum() {
        for (index, abi) in Abi::all().enumerate() {
            assert_eq!(abi as usize, index);
            assert_eq!(Abi::named(abi.name()), Some(abi));
        }
    }
}
