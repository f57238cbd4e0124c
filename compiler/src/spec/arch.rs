//! ABIs: the ways into the kernel. Each has its own numbers, and a token that `seccomp_data.arch` shows.
//!
//! ```text
//! x86_64, x32  →  AUDIT_ARCH_X86_64 both; x32 has bit 30 set in its numbers
//! x86          →  AUDIT_ARCH_I386, the same machine through `int 0x80`
//! ```
//!
//! Tokens are `include/uapi/linux/audit.h`, names for JSON are the OCI runtime specification's and libseccomp's.

use std::fmt;

/// An ABI. The order is that of listings and of the decision diagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the field's own")]
pub enum Arch {
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

/// Facts about one ABI.
struct Facts {
    arch: Arch,
    name: &'static str,
    oci: &'static str,
    /// As Go names the machine (`GOARCH`), for `includes.arches`; the name that containers/common compares with.
    go: &'static str,
    token: u32,
    bits: u8,
    big_endian: bool,
    /// The ABI of the kernel that serves it.
    native: Arch,
}

const BIG: u32 = 0;
const LITTLE: u32 = 0x4000_0000;
const WIDE: u32 = 0x8000_0000;
const N32: u32 = 0x2000_0000;

#[rustfmt::skip]
const FACTS: &[Facts] = &[
    // EM_* numbers are include/uapi/linux/elf-em.h.
    Facts { arch: Arch::X86_64,      name: "x86_64",      oci: "SCMP_ARCH_X86_64",      go: "amd64",    token: WIDE | LITTLE | 62,        bits: 64, big_endian: false, native: Arch::X86_64 },
    Facts { arch: Arch::X86,         name: "x86",         oci: "SCMP_ARCH_X86",         go: "x86",      token: LITTLE | 3,                bits: 32, big_endian: false, native: Arch::X86_64 },
    Facts { arch: Arch::X32,         name: "x32",         oci: "SCMP_ARCH_X32",         go: "x32",      token: WIDE | LITTLE | 62,        bits: 64, big_endian: false, native: Arch::X86_64 },
    Facts { arch: Arch::Aarch64,     name: "aarch64",     oci: "SCMP_ARCH_AARCH64",     go: "arm64",    token: WIDE | LITTLE | 183,       bits: 64, big_endian: false, native: Arch::Aarch64 },
    Facts { arch: Arch::Arm,         name: "arm",         oci: "SCMP_ARCH_ARM",         go: "arm",      token: LITTLE | 40,               bits: 32, big_endian: false, native: Arch::Aarch64 },
    Facts { arch: Arch::Riscv64,     name: "riscv64",     oci: "SCMP_ARCH_RISCV64",     go: "riscv64",  token: WIDE | LITTLE | 243,       bits: 64, big_endian: false, native: Arch::Riscv64 },
    Facts { arch: Arch::S390x,       name: "s390x",       oci: "SCMP_ARCH_S390X",       go: "s390x",    token: WIDE | BIG | 22,           bits: 64, big_endian: true,  native: Arch::S390x },
    Facts { arch: Arch::S390,        name: "s390",        oci: "SCMP_ARCH_S390",        go: "s390",     token: BIG | 22,                  bits: 32, big_endian: true,  native: Arch::S390x },
    Facts { arch: Arch::Ppc64le,     name: "ppc64le",     oci: "SCMP_ARCH_PPC64LE",     go: "ppc64le",  token: WIDE | LITTLE | 21,        bits: 64, big_endian: false, native: Arch::Ppc64le },
    Facts { arch: Arch::Ppc64,       name: "ppc64",       oci: "SCMP_ARCH_PPC64",       go: "ppc64",    token: WIDE | BIG | 21,           bits: 64, big_endian: true,  native: Arch::Ppc64 },
    Facts { arch: Arch::Ppc,         name: "ppc",         oci: "SCMP_ARCH_PPC",         go: "ppc",      token: BIG | 20,                  bits: 32, big_endian: true,  native: Arch::Ppc64 },
    Facts { arch: Arch::Loongarch64, name: "loongarch64", oci: "SCMP_ARCH_LOONGARCH64", go: "loong64",  token: WIDE | LITTLE | 258,       bits: 64, big_endian: false, native: Arch::Loongarch64 },
    Facts { arch: Arch::Mips,        name: "mips",        oci: "SCMP_ARCH_MIPS",        go: "mips",     token: BIG | 8,                   bits: 32, big_endian: true,  native: Arch::Mips64 },
    Facts { arch: Arch::Mips64,      name: "mips64",      oci: "SCMP_ARCH_MIPS64",      go: "mips64",   token: WIDE | BIG | 8,            bits: 64, big_endian: true,  native: Arch::Mips64 },
    Facts { arch: Arch::Mips64n32,   name: "mips64n32",   oci: "SCMP_ARCH_MIPS64N32",   go: "mips64n32", token: WIDE | N32 | BIG | 8,      bits: 64, big_endian: true,  native: Arch::Mips64 },
    Facts { arch: Arch::Mipsel,      name: "mipsel",      oci: "SCMP_ARCH_MIPSEL",      go: "mipsel",   token: LITTLE | 8,                bits: 32, big_endian: false, native: Arch::Mipsel64 },
    Facts { arch: Arch::Mipsel64,    name: "mipsel64",    oci: "SCMP_ARCH_MIPSEL64",    go: "mips64le", token: WIDE | LITTLE | 8,         bits: 64, big_endian: false, native: Arch::Mipsel64 },
    Facts { arch: Arch::Mipsel64n32, name: "mipsel64n32", oci: "SCMP_ARCH_MIPSEL64N32", go: "mipsel64n32", token: WIDE | N32 | LITTLE | 8, bits: 64, big_endian: false, native: Arch::Mipsel64 },
    Facts { arch: Arch::M68k,        name: "m68k",        oci: "SCMP_ARCH_M68K",        go: "m68k",     token: BIG | 4,                   bits: 32, big_endian: true,  native: Arch::M68k },
    Facts { arch: Arch::Parisc,      name: "parisc",      oci: "SCMP_ARCH_PARISC",      go: "parisc",   token: BIG | 15,                  bits: 32, big_endian: true,  native: Arch::Parisc64 },
    Facts { arch: Arch::Parisc64,    name: "parisc64",    oci: "SCMP_ARCH_PARISC64",    go: "parisc64", token: WIDE | BIG | 15,           bits: 64, big_endian: true,  native: Arch::Parisc64 },
    Facts { arch: Arch::Sh,          name: "sh",          oci: "SCMP_ARCH_SHEB",        go: "sheb",     token: BIG | 42,                  bits: 32, big_endian: true,  native: Arch::Sh },
];

/// Set in every x32 number (`__X32_SYSCALL_BIT`, `arch/x86/include/uapi/asm/unistd.h`).
pub const X32_BIT: u32 = 0x4000_0000;

impl Arch {
    /// Every ABI of the tables, in their order.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        FACTS.iter().map(|facts| facts.arch)
    }

    fn facts(self) -> &'static Facts {
        // INVARIANT: FACTS is in the order of the enum (a test says so).
        &FACTS[self as usize]
    }

    /// The name in kpol: `x86_64`.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// The ABI of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        FACTS.iter().find(|facts| facts.name == name).map(|facts| facts.arch)
    }

    /// The name in JSON: `SCMP_ARCH_X86_64`.
    pub fn oci_name(self) -> &'static str {
        self.facts().oci
    }

    /// The ABI of that JSON name.
    pub fn from_oci_name(name: &str) -> Option<Self> {
        FACTS.iter().find(|facts| facts.oci == name).map(|facts| facts.arch)
    }

    /// The name that `includes.arches` uses for it: `amd64`.
    pub fn go_name(self) -> &'static str {
        self.facts().go
    }

    /// `AUDIT_ARCH_…`, the value of `seccomp_data.arch`.
    pub fn audit_token(self) -> u32 {
        self.facts().token
    }

    /// 32 or 64: width of an argument register as a filter sees it. x32 and n32 have 64.
    pub fn bits(self) -> u8 {
        self.facts().bits
    }

    /// Whether the high word of an argument comes first in `seccomp_data`.
    pub fn is_big_endian(self) -> bool {
        self.facts().big_endian
    }

    /// The ABI of the 64-bit kernel that serves this one; ABIs with the same answer can meet in one process.
    pub fn native(self) -> Self {
        self.facts().native
    }

    /// Whether a number of this ABI's token is one of its own. `x86_64` and `x32` share a token: numbers from
    /// [`X32_BIT`] up are x32's, but for -1, which is no call (a tracer that skips one leaves it there) and which
    /// libseccomp treats as the native ABI's.
    pub fn owns(self, nr: super::Nr) -> bool {
        match self {
            Self::X86_64 => nr.0 < X32_BIT || nr.0 == u32::MAX,
            Self::X32 => nr.0 >= X32_BIT && nr.0 != u32::MAX,
            _ => true,
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_stand_in_the_order_of_the_enum() {
        for (index, facts) in FACTS.iter().enumerate() {
            assert_eq!(facts.arch as usize, index, "{}", facts.name);
            assert_eq!(facts.native.bits(), if matches!(facts.arch, Arch::M68k | Arch::Sh) { 32 } else { 64 });
        }
    }
}
