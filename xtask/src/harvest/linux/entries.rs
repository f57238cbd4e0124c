//! Which function of the kernel each number of each ABI enters: the `syscall.tbl` files.
//!
//! ```text
//! 514  x32  ioctl  compat_sys_ioctl                     x32:  0x40000202  →  compat_sys_ioctl
//! 192  32   mmap2  sys_mmap2  compat_sys_mmap2           ppc:  192         →  sys_mmap2, and compat_sys_mmap2 on a 64-bit kernel
//! ```
//!
//! A 32-bit ABI has two kernels: one of its own width, and a 64-bit one that runs its programs. Both are read.

use std::path::Path;

use crate::tables::columns;
use crate::{Failure, Outcome};

/// Where the entries of some ABIs are written.
pub struct Table {
    /// The ABIs.
    pub abis: &'static [&'static str],
    /// Its path.
    pub path: &'static str,
    /// Words of its second column that count.
    kinds: &'static [&'static str],
    /// Folder below `arch` that is built.
    pub arch: &'static str,
    /// Whether a 64-bit kernel runs the programs of a 32-bit ABI: the last column counts.
    pub compat: bool,
}

const fn t(
    abis: &'static [&'static str],
    arch: &'static str,
    path: &'static str,
    kinds: &'static [&'static str],
    compat: bool,
) -> Table {
    Table { abis, path, kinds, arch, compat }
}

const GENERIC: &str = "scripts/syscall.tbl";
const S390: &str = "arch/s390/kernel/syscalls/syscall.tbl";
const POWERPC: &str = "arch/powerpc/kernel/syscalls/syscall.tbl";
const PARISC: &str = "arch/parisc/kernel/syscalls/syscall.tbl";
const O32: &str = "arch/mips/kernel/syscalls/syscall_o32.tbl";
const I386: &str = "arch/x86/entry/syscalls/syscall_32.tbl";
const AMD64: &str = "arch/x86/entry/syscalls/syscall_64.tbl";

/// All tables. Words of the generic one are those of `arch/*/kernel/Makefile.syscalls`.
pub const TABLES: [Table; 22] = [
    t(&["x86_64"], "x86", AMD64, &["common", "64"], false),
    t(&["x32"], "x86", AMD64, &["common", "x32"], false),
    t(&["x86"], "x86", I386, &["i386"], false),
    t(&["x86"], "x86", I386, &["i386"], true),
    t(&["aarch64"], "arm64", GENERIC, &["common", "64", "renameat", "rlimit", "memfd_secret"], false),
    t(&["arm"], "arm", "arch/arm/tools/syscall.tbl", &["common", "eabi"], false),
    t(&["arm"], "arm64", "arch/arm64/tools/syscall_32.tbl", &["common"], true),
    t(&["riscv64"], "riscv", GENERIC, &["common", "64", "riscv", "rlimit", "memfd_secret"], false),
    t(&["loongarch64"], "loongarch", GENERIC, &["common", "64", "memfd_secret"], false),
    t(&["s390x"], "s390", S390, &["common", "64"], false),
    t(&["s390"], "s390", S390, &["common", "32"], true),
    t(&["ppc64le", "ppc64"], "powerpc", POWERPC, &["common", "nospu", "64"], false),
    t(&["ppc"], "powerpc", POWERPC, &["common", "nospu", "32"], false),
    t(&["ppc"], "powerpc", POWERPC, &["common", "nospu", "32"], true),
    t(&["mips64", "mipsel64"], "mips", "arch/mips/kernel/syscalls/syscall_n64.tbl", &["n64"], false),
    t(&["mips64n32", "mipsel64n32"], "mips", "arch/mips/kernel/syscalls/syscall_n32.tbl", &["n32"], false),
    t(&["mips", "mipsel"], "mips", O32, &["o32"], false),
    t(&["mips", "mipsel"], "mips", O32, &["o32"], true),
    t(&["m68k"], "m68k", "arch/m68k/kernel/syscalls/syscall.tbl", &["common"], false),
    t(&["sh"], "sh", "arch/sh/kernel/syscalls/syscall.tbl", &["common"], false),
    t(&["parisc"], "parisc", PARISC, &["common", "32"], true),
    t(&["parisc64"], "parisc", PARISC, &["common", "64"], false),
];

/// A line of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The number, without what an ABI adds to it.
    pub number: u32,
    /// The name of the table.
    pub name: String,
    /// The function, with `sys_` or `compat_sys_` before it.
    pub function: String,
}

impl Table {
    /// The registers of its ABIs.
    pub fn bits(&self) -> u8 {
        if self.abis.iter().any(|abi| columns::is_32_bit(abi)) { 32 } else { 64 }
    }

    /// The entries that these sources have for it; none where they have no such table, or no column for 32-bit programs.
    pub fn read(&self, root: &Path) -> Outcome<Vec<Entry>> {
        let path = root.join(self.path);
        if !path.is_file() {
            return Ok(Vec::new());
        }
        let text = crate::read(&path)?;
        // s390 lost its 32-bit ABI: a table of whose lines none has a column for it is none of that ABI.
        if self.abis == ["s390"] && !text.contains("compat_sys_") {
            return Ok(Vec::new());
        }
        self.lines(&text).map_err(|line| Failure::Broken(format!("{}: `{line}` is no entry", path.display())))
    }

    fn lines(&self, text: &str) -> Result<Vec<Entry>, String> {
        let mut entries = Vec::new();
        for line in text.lines() {
            let columns: Vec<&str> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
            let [number, kind, name, rest @ ..] = columns.as_slice() else {
                continue;
            };
            if !self.kinds.contains(kind) {
                continue;
            }
            let Ok(number) = number.parse() else { return Err(line.to_owned()) };
            let column =
                rest.get(usize::from(self.compat)).filter(|function| **function != "-").or_else(|| rest.first());
            if let Some(function) = column.filter(|function| **function != "-") {
                entries.push(Entry { number, name: (*name).to_owned(), function: (*function).to_owned() });
            }
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_for_32_bit_programs_counts_for_64_bit_kernels() {
        let text = "# <nr> <abi> <name>\n6\to32\tclose\tsys_close\n90\to32\tmmap\tsys_mmap\tcompat_mmap\n7 n32 no sys_no\n8 o32 x - -\n";
        let functions = |compat| {
            let table = t(&["mips"], "mips", O32, &["o32"], compat);
            let lines = table.lines(text).unwrap_or_default();
            lines.into_iter().map(|entry| (entry.number, entry.function)).collect::<Vec<_>>()
        };
        let owned = |list: [(u32, &str); 2]| list.map(|(number, name)| (number, name.to_owned()));
        assert_eq!(functions(false), owned([(6, "sys_close"), (90, "sys_mmap")]));
        assert_eq!(functions(true), owned([(6, "sys_close"), (90, "compat_mmap")]));
    }
}
