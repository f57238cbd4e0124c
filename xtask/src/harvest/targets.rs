//! How to make a C compiler see what each ABI's own compiler would: sizes, alignment, and the macros by which
//! kernel headers tell architectures apart.
//!
//! clang knows most of them. For those that it does not, another of the same width and byte order stands in, with its
//! macros taken away and the right ones given; `pack` is the alignment of 64-bit members where it is less than 8.

/// One ABI as a target of the compiler.
pub struct Target {
    /// Name in the language.
    pub abi: &'static str,
    /// Folder below `usr/lib/linux/uapi`.
    pub folder: &'static str,
    /// For `--target`.
    pub triple: &'static str,
    /// More arguments.
    pub flags: &'static [&'static str],
    /// Greatest alignment of a member of a struct, if it is not 8.
    pub pack: Option<u8>,
    /// Whether the newest kernel has no such ABI any more.
    pub left_the_kernel: bool,
}

const fn t(abi: &'static str, folder: &'static str, triple: &'static str) -> Target {
    Target { abi, folder, triple, flags: &[], pack: None, left_the_kernel: false }
}

const S390: &[&str] = &["-U__powerpc__", "-U__PPC__", "-U__powerpc", "-D__s390__"];
const HPPA: &[&str] = &["-U__powerpc__", "-U__PPC__", "-U__powerpc", "-D__hppa__"];
const HPPA64: &[&str] = &["-U__powerpc__", "-U__PPC__", "-U__powerpc64__", "-U__PPC64__", "-D__hppa__"];
const SH: &[&str] = &["-U__powerpc__", "-U__PPC__", "-U__powerpc", "-D__sh__", "-D__SH4__"];

/// All, in the order of `Arch`.
pub const TARGETS: [Target; 22] = [
    t("x86_64", "x86", "x86_64-linux-gnu"),
    t("x86", "x86", "i386-linux-gnu"),
    t("x32", "x86", "x86_64-linux-gnux32"),
    t("aarch64", "arm64", "aarch64-linux-gnu"),
    t("arm", "arm", "armv7-linux-gnueabihf"),
    t("riscv64", "riscv", "riscv64-linux-gnu"),
    t("s390x", "s390", "s390x-linux-gnu"),
    Target { flags: S390, left_the_kernel: true, ..t("s390", "s390", "powerpc-linux-gnu") },
    t("ppc64le", "powerpc", "powerpc64le-linux-gnu"),
    t("ppc64", "powerpc", "powerpc64-linux-gnu"),
    t("ppc", "powerpc", "powerpc-linux-gnu"),
    t("loongarch64", "loongarch", "loongarch64-linux-gnu"),
    t("mips", "mips", "mips-linux-gnu"),
    t("mips64", "mips", "mips64-linux-gnuabi64"),
    t("mips64n32", "mips", "mips64-linux-gnuabin32"),
    t("mipsel", "mips", "mipsel-linux-gnu"),
    t("mipsel64", "mips", "mips64el-linux-gnuabi64"),
    t("mipsel64n32", "mips", "mips64el-linux-gnuabin32"),
    Target { pack: Some(2), ..t("m68k", "m68k", "m68k-linux-gnu") },
    Target { flags: HPPA, ..t("parisc", "parisc", "powerpc-linux-gnu") },
    Target { flags: HPPA64, ..t("parisc64", "parisc", "powerpc64-linux-gnu") },
    Target { flags: SH, pack: Some(4), ..t("sh", "sh", "powerpc-linux-gnu") },
];
