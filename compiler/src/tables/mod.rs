//! Facts about the kernel: numbers, parameters, constants, releases. Static and sorted; nothing is parsed or built
//! at start-up.
//!
//! ```text
//! syscall("openat")            → a Syscall: nr(X86_64) = 257, nr(Aarch64) = 56, nr(X32) = 257 with bit 30
//!   .params(X86_64)            → int dfd (32 bits, signed), const char * filename, int flags, umode_t mode (16)
//!   .alias("pathname")         → "filename", as the kernel calls what openat(2) calls pathname
//! constant("O_DIRECT", Aarch64) → 0x10000, where x86_64 has 0x4000
//! ```
//!
//! This file and its siblings without "Generated" in the header look things up; the others are written by
//! `cargo xtask tables`, and name their sources.
//!
//! INVARIANT: every array that is searched is sorted (tests at the end say so).

#[rustfmt::skip]
mod aliases;
#[rustfmt::skip]
mod commands;
mod constant;
#[rustfmt::skip]
mod constants;
#[rustfmt::skip]
mod families;
mod names;
#[rustfmt::skip]
mod numbers;
#[rustfmt::skip]
mod prototypes;
#[rustfmt::skip]
mod releases;

pub use constant::{
    capability, capability_name, capability_names, constant, constant_header, constant_names, constants_with_prefix,
    errno, errno_name, errno_names, is_constant,
};
pub use names::{
    Known, constant_name, constants_for, constants_given, constants_valued, fitting, is_flags, is_foreign, rank,
};

use crate::spec::{Arch, Nr};

/// A syscall of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Syscall(u16);

/// A parameter as the kernel declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param {
    /// The kernel's name.
    pub name: &'static str,
    /// The kernel's type: `int`, `const char *`.
    pub ty: &'static str,
    /// How many low bits of the register the kernel looks at on a 64-bit ABI: 8, 16, 32 or 64. It may be less than
    /// the type has, where the kernel cuts the value before it uses it (`readv`'s `unsigned long fd`).
    pub bits: u8,
    /// Whether they are a two's complement number.
    pub signed: bool,
    /// Whether it is an address.
    pub pointer: bool,
}

impl Param {
    /// Whether the parameter has 64 bits on every ABI, so that a 32-bit one hands it over in two registers (some
    /// after a register left empty): there, neither it nor what follows can be named. See [`Syscall::nameable`].
    pub fn is_split(&self) -> bool {
        prototypes::SPLIT_TYPES.contains(&self.ty)
    }
}

/// Where other parameters decide how much of a parameter the kernel looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// What holds then, all of it.
    pub when: &'static [Term],
    /// What is left.
    pub left: Left,
}

/// A parameter that has one of some values, after a mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// Its name.
    pub param: &'static str,
    /// All ones for none.
    pub mask: u64,
    /// By name or number.
    pub values: &'static [&'static str],
}

/// What the kernel looks at of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// So many of the lowest bits.
    Low(u8),
    /// The upper 32 of 64.
    Upper,
    /// Nobody can tell; why.
    Unknown(&'static str),
}

impl Term {
    /// The values on an ABI; those that it lacks are left out.
    pub fn values(self, arch: Arch) -> impl Iterator<Item = i128> {
        self.values.iter().filter_map(move |name| name.parse().ok().or_else(|| constant(name, arch)))
    }
}

/// The syscall of that kernel name.
pub fn syscall(name: &str) -> Option<Syscall> {
    numbers::NAMES.binary_search(&name).ok().map(index)
}

/// The same for a name that stands in the code: for constants, looked up while kpolc is compiled, which fails if there is
/// no such call.
pub const fn syscall_named(name: &str) -> Syscall {
    let (mut first, mut end) = (0, numbers::NAMES.len());
    while first < end {
        let middle = first.midpoint(end);
        if is_less(numbers::NAMES[middle].as_bytes(), name.as_bytes()) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    assert!(!is_less(name.as_bytes(), numbers::NAMES[first].as_bytes()), "no such call");
    Syscall(first as u16)
}

const fn is_less(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at < other.len() && (at == one.len() || one[at] < other[at])
}

/// The syscall with that number on that ABI.
pub fn syscall_at(arch: Arch, nr: Nr) -> Option<Syscall> {
    let column = column(arch);
    let calls = numbers::BY_NUMBER[column];
    let at = calls.binary_search_by_key(&nr.0, |&call| numbers::NUMBERS[usize::from(call)][column]).ok()?;
    Some(Syscall(calls[at]))
}

/// The newest libseccomp release that the tables know of.
pub fn latest_libseccomp() -> (u8, u8, u8) {
    releases::LATEST_LIBSECCOMP
}

fn index(call: usize) -> Syscall {
    // INVARIANT: there are fewer than 65,536 calls (`OF_CALL` and `BY_NUMBER` hold 16-bit indices).
    Syscall(call as u16)
}

fn column(arch: Arch) -> usize {
    usize::from(numbers::COLUMN[arch as usize])
}

impl Syscall {
    /// All of them, sorted by name.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        (0..numbers::NAMES.len()).map(index)
    }

    /// Those that an ABI has, sorted by number.
    pub fn all_of(arch: Arch) -> impl ExactSizeIterator<Item = Self> {
        numbers::BY_NUMBER[column(arch)].iter().map(|&call| Self(call))
    }

    /// Its kernel name.
    pub fn name(self) -> &'static str {
        numbers::NAMES[usize::from(self.0)]
    }

    /// Its number on an ABI, with bit 30 set on x32.
    pub fn nr(self, arch: Arch) -> Option<Nr> {
        let nr = numbers::NUMBERS[usize::from(self.0)][column(arch)];
        (nr != numbers::NONE).then_some(Nr(nr))
    }

    /// Its parameters in the order of the registers of that ABI (`clone` differs between them). `None`
    /// where they are not known, or the ABI has no such call. Calls without kernel code behind them have none (`Some`
    /// of nothing). On a 32-bit ABI a 64-bit parameter is split over two registers: see [`Syscall::nameable`].
    pub fn params(self, arch: Arch) -> Option<&'static [Param]> {
        self.nr(arch)?;
        let entries = &prototypes::ENTRIES;
        let list = match entries.binary_search_by_key(&(self.0, arch as u8), |&(call, abi, _)| (call, abi)) {
            Ok(at) => entries[at].2,
            Err(_) => prototypes::OF_CALL[usize::from(self.0)],
        };
        (list != prototypes::UNKNOWN).then(|| prototypes::LISTS[usize::from(list)])
    }

    /// How many of its parameters stand in the register of their own index, from the first on: all on a 64-bit
    /// ABI; on a 32-bit one those before the first that takes two registers. 0 where parameters are not known.
    pub fn nameable(self, arch: Arch) -> usize {
        let params = self.params(arch).unwrap_or_default();
        if arch.bits() == 64 {
            return params.len();
        }
        params.iter().take_while(|param| !param.is_split()).count()
    }

    /// The kernel's name of a parameter that the manual page calls `alias` (`socket`'s `domain` is `family`).
    pub fn alias(self, alias: &str) -> Option<&'static str> {
        let all = &aliases::ALIASES;
        let at = all.binary_search_by_key(&(self.0, alias), |&(call, alias, _)| (call, alias)).ok()?;
        Some(all[at].2)
    }

    /// Where the kernel looks at fewer bits of a parameter than [`Param::bits`]: `fcntl` takes an `int` as `arg` for
    /// F_SETOWN, and an address for F_SETLK. Of several that hold the first counts.
    pub fn cuts(self, param: &str, arch: Arch) -> impl Iterator<Item = Cut> {
        let all = &commands::COMMANDS;
        let first = all.partition_point(|&(call, name, ..)| (call, name) < (self.0, param));
        let end = all.partition_point(|&(call, name, ..)| (call, name) <= (self.0, param));
        let here = all[first..end].iter().filter(move |&&(.., archs, _)| archs >> arch as u8 & 1 == 1);
        here.map(|&(_, _, when, _, left)| Cut { when, left })
    }

    /// All its aliases: the alias, then the kernel's name; sorted.
    pub fn aliases(self) -> impl ExactSizeIterator<Item = (&'static str, &'static str)> {
        let first = aliases::ALIASES.partition_point(|&(call, ..)| call < self.0);
        let end = aliases::ALIASES.partition_point(|&(call, ..)| call <= self.0);
        aliases::ALIASES[first..end].iter().map(|&(_, alias, name)| (alias, name))
    }

    /// First kernel that had it, as `5.6`; `None` where that is not known.
    pub fn introduced(self) -> Option<&'static str> {
        release(releases::OF_CALL[usize::from(self.0)].0).map(|(text, _)| text)
    }

    /// The same in numbers.
    pub fn introduced_release(self) -> Option<(u8, u8, u8)> {
        release(releases::OF_CALL[usize::from(self.0)].0).map(|(_, numbers)| numbers)
    }

    /// First libseccomp release that knows the name; `None` if no release does.
    pub fn libseccomp(self) -> Option<&'static str> {
        release(releases::OF_CALL[usize::from(self.0)].1).map(|(text, _)| text)
    }

    /// The same in numbers.
    pub fn libseccomp_release(self) -> Option<(u8, u8, u8)> {
        release(releases::OF_CALL[usize::from(self.0)].1).map(|(_, numbers)| numbers)
    }
}

fn release(index: u8) -> Option<(&'static str, (u8, u8, u8))> {
    releases::RELEASES.get(usize::from(index)).copied()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use super::*;

    fn nr(name: &str, arch: Arch) -> Option<u32> {
        syscall(name).expect(name).nr(arch).map(|nr| nr.0)
    }

    #[test]
    fn names_are_sorted_and_every_number_leads_back_to_its_name() {
        assert!(numbers::NAMES.is_sorted());
        for arch in Arch::all() {
            assert!(Syscall::all_of(arch).map(|call| call.nr(arch)).is_sorted(), "{arch}");
            let mut count = 0;
            for call in Syscall::all() {
                let Some(nr) = call.nr(arch) else { continue };
                assert_eq!(syscall_at(arch, nr), Some(call), "{} on {arch}", call.name());
                count += 1;
            }
            assert_eq!(Syscall::all_of(arch).len(), count);
            assert!(count > 290, "{arch}");
        }
        assert_eq!(syscall("opnat"), None);
        assert_eq!(syscall_at(Arch::X86_64, Nr(u32::MAX)), None);
        assert_eq!(syscall_at(Arch::X86_64, Nr(0x4000_0000)), None);
    }

    #[test]
    fn numbers_are_those_that_seccomp_data_shows() {
        for (arch, openat) in [
            (Arch::X86_64, 257),
            (Arch::X86, 295),
            (Arch::X32, 0x4000_0000 + 257),
            (Arch::Aarch64, 56),
            (Arch::Arm, 322),
            (Arch::Riscv64, 56),
            (Arch::S390x, 288),
            (Arch::S390, 288),
            (Arch::Ppc64le, 286),
            (Arch::Ppc64, 286),
            (Arch::Ppc, 286),
            (Arch::Loongarch64, 56),
            (Arch::Mips, 4288),
            (Arch::Mips64, 5247),
            (Arch::Mips64n32, 6251),
            (Arch::Mipsel, 4288),
            (Arch::Mipsel64, 5247),
            (Arch::Mipsel64n32, 6251),
            (Arch::M68k, 288),
            (Arch::Parisc, 275),
            (Arch::Parisc64, 275),
            (Arch::Sh, 295),
        ] {
            assert_eq!(nr("openat", arch), Some(openat), "{arch}");
        }
        assert_eq!(nr("open", Arch::Aarch64), None);
        assert_eq!(nr("ioctl", Arch::X32), Some(0x4000_0000 + 514));
        assert_eq!(nr("memfd_secret", Arch::Loongarch64), Some(447));
        assert_eq!(nr("set_tls", Arch::Arm), Some(0xf0005));
    }

    #[test]
    fn every_call_has_parameters_but_those_that_nobody_can_know() {
        for arch in Arch::all() {
            for call in Syscall::all_of(arch) {
                let known = call.params(arch).is_some();
                // `syscall` of MIPS and ARM runs whatever call its first argument says.
                assert_eq!(known, call.name() != "syscall", "{} on {arch}", call.name());
            }
        }
    }

    fn widths(name: &str, arch: Arch) -> Vec<(&'static str, u8, bool)> {
        let params = syscall(name).expect(name).params(arch).expect(name);
        params.iter().map(|param| (param.name, param.bits, param.signed)).collect()
    }

    fn names_of(name: &str, arch: Arch) -> Vec<&'static str> {
        widths(name, arch).into_iter().map(|(name, ..)| name).collect()
    }

    #[test]
    fn widths_and_signs_are_those_of_the_kernel() {
        assert_eq!(widths("socket", Arch::X86_64), [("family", 32, true), ("type", 32, true), ("protocol", 32, true)]);
        assert_eq!(widths("ioctl", Arch::Aarch64), [("fd", 32, false), ("cmd", 32, false), ("arg", 64, false)]);
        assert_eq!(widths("chmod", Arch::X86_64)[1], ("mode", 16, false));
        assert_eq!(widths("lseek", Arch::X86_64)[1], ("offset", 64, true));
        assert_eq!(widths("openat", Arch::X86_64)[0], ("dfd", 32, true));
        assert_eq!(widths("mmap", Arch::X86_64)[4], ("fd", 32, false));
        assert_eq!(widths("readv", Arch::X86_64)[0], ("fd", 32, false));
        assert_eq!(widths("clone", Arch::X86_64)[0], ("clone_flags", 32, false));
        assert_eq!(widths("fanotify_mark", Arch::X86_64)[2], ("mask", 64, false));
        assert!(syscall("execve").unwrap().params(Arch::X86_64).unwrap().iter().all(|param| param.pointer));
        assert!(syscall("capget").unwrap().params(Arch::X86_64).unwrap().iter().all(|param| param.pointer));
    }

    #[test]
    fn ids_have_16_bits_where_a_call_is_older_than_32_of_them() {
        let names = [
            "setuid",
            "setgid",
            "setreuid",
            "setregid",
            "setresuid",
            "setresgid",
            "setfsuid",
            "setfsgid",
            "chown",
            "fchown",
            "lchown",
        ];
        let short = [Arch::X86, Arch::Arm, Arch::S390, Arch::M68k, Arch::Sh];
        for name in names {
            for arch in Arch::all().filter(|&arch| nr(name, arch).is_some()) {
                let ids = &widths(name, arch)[usize::from(name.ends_with("chown"))..];
                let bits = if short.contains(&arch) { 16 } else { 32 };
                assert!(ids.iter().all(|&(_, width, signed)| width == bits && !signed), "{name} on {arch}: {ids:?}");
            }
        }
        assert_eq!(widths("setresuid32", Arch::X86)[1], ("euid", 32, false));
    }

    #[test]
    fn a_width_is_the_first_cut_and_not_the_declared_type() {
        for call in ["readv", "writev", "preadv", "pwritev", "preadv2", "pwritev2", "process_madvise"] {
            for arch in [Arch::X86_64, Arch::Aarch64, Arch::X32] {
                assert!(widths(call, arch).contains(&("vlen", 32, false)), "{call} on {arch}");
            }
        }
        assert_eq!(widths("vmsplice", Arch::X86_64)[2], ("nr_segs", 32, false));
        let vm = widths("process_vm_readv", Arch::X86_64);
        assert_eq!((vm[2], vm[4]), (("liovcnt", 32, false), ("riovcnt", 64, false)));
        assert_eq!(widths("mbind", Arch::X86_64)[2], ("mode", 32, true));
        assert_eq!(widths("kcmp", Arch::X86_64)[3], ("idx1", 32, false));
        assert_eq!(widths("inotify_rm_watch", Arch::X86_64)[1], ("wd", 32, true));
        assert_eq!(names_of("umount", Arch::X86), ["name"]);
        assert_eq!(names_of("umount2", Arch::X86), ["name", "flags"]);
        assert_eq!(names_of("mmap2", Arch::S390), ["arg"]);
        assert_eq!(widths("io_submit", Arch::X32)[1], ("nr", 32, true));
        assert_eq!((nr("olduname", Arch::Mips), nr("oldolduname", Arch::Mips)), (Some(4109), Some(4059)));
    }

    #[test]
    fn registers_are_those_of_the_abi() {
        let (plain, backwards) = (["parent_tidptr", "child_tidptr", "tls"], ["parent_tidptr", "tls", "child_tidptr"]);
        for arch in [Arch::X86_64, Arch::X32, Arch::Loongarch64, Arch::M68k, Arch::Sh] {
            assert_eq!(names_of("clone", arch)[2..], plain, "{arch}");
        }
        for arch in [Arch::X86, Arch::Aarch64, Arch::Arm, Arch::Riscv64, Arch::Ppc64le, Arch::Mips, Arch::Parisc] {
            assert_eq!(names_of("clone", arch)[2..], backwards, "{arch}");
        }
        assert_eq!(names_of("clone", Arch::S390x), ["newsp", "clone_flags", "parent_tidptr", "child_tidptr", "tls"]);
        assert_eq!(names_of("clone", Arch::X86_64)[..2], ["clone_flags", "newsp"]);
        assert_eq!(names_of("mmap", Arch::X86), ["arg"]);
        assert_eq!(names_of("mmap", Arch::S390x), ["arg"]);
        assert_eq!(widths("ioctl", Arch::X32)[2], ("arg", 32, false));
        assert_eq!(names_of("preadv", Arch::X32).last(), Some(&"pos"));
    }

    #[test]
    fn what_two_registers_hold_cannot_be_named_on_32_bits() {
        let pread = syscall("pread64").unwrap();
        assert_eq!(pread.nameable(Arch::X86_64), 4);
        assert_eq!(pread.nameable(Arch::X32), 4);
        assert_eq!(pread.nameable(Arch::X86), 3);
        assert_eq!(syscall("fadvise64").unwrap().nameable(Arch::Arm), 0);
        assert_eq!(syscall("fadvise64").unwrap().nameable(Arch::X86), 1);
        assert_eq!(syscall("_llseek").unwrap().nameable(Arch::X86), 5);
        assert_eq!(syscall("mmap2").unwrap().nameable(Arch::Arm), 6);
    }

    #[test]
    fn aliases_lead_to_a_parameter_and_hide_none() {
        for (call, alias, name) in [
            ("socket", "domain", "family"),
            ("clone", "flags", "clone_flags"),
            ("openat", "pathname", "filename"),
            ("openat", "path", "filename"),
            ("openat", "dirfd", "dfd"),
            ("ioctl", "request", "cmd"),
            ("ioctl", "op", "cmd"),
            ("fcntl", "op", "cmd"),
            ("prctl", "op", "option"),
            ("mmap", "length", "len"),
            ("futex", "futex_op", "op"),
            ("mount", "mountflags", "flags"),
            ("unshare", "flags", "unshare_flags"),
        ] {
            assert_eq!(syscall(call).expect(call).alias(alias), Some(name), "{call} {alias}");
        }
        assert_eq!(syscall("socket").unwrap().alias("family"), None);
        assert!(aliases::ALIASES.is_sorted());
        for call in Syscall::all() {
            let own: Vec<&str> =
                Arch::all().flat_map(|arch| call.params(arch).unwrap_or_default()).map(|p| p.name).collect();
            for (alias, name) in call.aliases() {
                assert!(own.contains(&name), "{} has no {name}", call.name());
                assert!(!own.contains(&alias), "{}: {alias} is a name of the kernel's", call.name());
            }
        }
    }

    #[test]
    fn releases_are_known_as_text_and_numbers() {
        let openat2 = syscall("openat2").unwrap();
        assert_eq!(openat2.introduced(), Some("5.6"));
        assert_eq!(openat2.introduced_release(), Some((5, 6, 0)));
        assert!(openat2.libseccomp_release() > Some((2, 4, 0)));
        assert_eq!(syscall("listns").unwrap().libseccomp(), Some("2.6.1"));
        assert_eq!(latest_libseccomp(), (2, 6, 1));
    }

    #[test]
    fn parameters_offer_the_constants_that_fit() {
        let offered = |call: &str, param: &str| constants_for(syscall(call).expect(call), param).collect::<Vec<_>>();
        assert!(offered("socket", "family").contains(&"AF_ALG"));
        assert!(offered("ioctl", "cmd").contains(&"TIOCSTI"));
        assert!(offered("clone", "clone_flags").contains(&"CLONE_NEWUSER"));
        assert_eq!(offered("openat", "dfd"), ["AT_FDCWD"]);
        assert_eq!(offered("shutdown", "how"), ["SHUT_RD", "SHUT_RDWR", "SHUT_WR"]);
        assert!(offered("getpid", "nothing").is_empty());
        assert!(offered("kill", "sig").iter().all(|name| !name.contains('_')), "no notification is a signal");
        assert_eq!(
            offered("pipe2", "flags"),
            ["O_CLOEXEC", "O_NONBLOCK", "O_DIRECT"],
            "whole names stand for themselves"
        );
        assert!(!offered("rseq", "sig").contains(&"SIGKILL"), "a signature is no signal");
        for &(call, param, ..) in &families::FAMILIES {
            let names: Vec<&str> = constants_for(Syscall(call), param).collect();
            let distinct: std::collections::BTreeSet<&&str> = names.iter().collect();
            assert_eq!(distinct.len(), names.len(), "{} {param}", Syscall(call).name());
        }
    }
}
