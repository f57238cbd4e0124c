//! ABIs of the compiler (`Arch`), and the column of `syscalls.tsv` that holds the numbers of each.
//!
//! ```text
//! x32    ← x32, with bit 30          mipsel ← mips, from 4000 up
//! ```
//!
//! The files count MIPS from 0; the kernel counts the three ABIs of MIPS from 4000, 5000 and 6000
//! (`arch/mips/include/uapi/asm/unistd.h`), and `seccomp_data.nr` shows those.

/// One ABI.
pub struct Abi {
    /// Name in the language.
    pub name: &'static str,
    /// Column of `syscalls.tsv`.
    pub column: &'static str,
    /// What the kernel adds to the number of the column.
    pub base: u32,
}

const fn abi(name: &'static str, column: &'static str, base: u32) -> Abi {
    Abi { name, column, base }
}

/// All, in the order of `Arch`.
pub const ABIS: [Abi; 22] = [
    abi("x86_64", "x86_64", 0),
    abi("x86", "x86", 0),
    abi("x32", "x32", 0x4000_0000),
    abi("aarch64", "aarch64", 0),
    abi("arm", "arm", 0),
    abi("riscv64", "riscv64", 0),
    abi("s390x", "s390x", 0),
    abi("s390", "s390", 0),
    abi("ppc64le", "ppc64", 0),
    abi("ppc64", "ppc64", 0),
    abi("ppc", "ppc", 0),
    abi("loongarch64", "loongarch64", 0),
    abi("mips", "mips", 4000),
    abi("mips64", "mips64", 5000),
    abi("mips64n32", "mips64n32", 6000),
    abi("mipsel", "mips", 4000),
    abi("mipsel64", "mips64", 5000),
    abi("mipsel64n32", "mips64n32", 6000),
    abi("m68k", "m68k", 0),
    abi("parisc", "parisc", 0),
    abi("parisc64", "parisc64", 0),
    abi("sh", "sh", 0),
];

/// Index of the ABI of that name.
pub fn index(name: &str) -> Option<usize> {
    ABIS.iter().position(|abi| abi.name == name)
}

/// Whether the registers of an ABI have 32 bits. Those of x32 and n32 have 64, as the kernel sees them.
pub fn is_32_bit(name: &str) -> bool {
    matches!(name, "x86" | "arm" | "s390" | "ppc" | "mips" | "mipsel" | "m68k" | "parisc" | "sh")
}

/// The distinct columns, in the order of their first ABI.
pub fn columns() -> Vec<&'static Abi> {
    let mut all: Vec<&Abi> = Vec::new();
    for abi in &ABIS {
        if !all.iter().any(|seen| seen.column == abi.column) {
            all.push(abi);
        }
    }
    all
}

/// For each ABI the index of its column in [`columns`].
pub fn column_of_abi() -> Vec<usize> {
    let columns = columns();
    ABIS.iter().map(|abi| columns.iter().position(|column| column.column == abi.column).unwrap_or(0)).collect()
}
