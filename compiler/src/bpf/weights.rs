//! How often calls are expected: what makes a tree of compares cheap where it matters.
//!
//! ```text
//! read 20, write 16, futex 18 …      four fifths of all weight
//! every number of the first 600      one fifth, evenly
//! ```
//!
//! The uniform fifth keeps the tree from growing deep where nothing was measured: a program that lives on
//! the calls of the last fifth is slower by a few compares, not by dozens.

use std::collections::BTreeMap;

use crate::spec::arch::X32_BIT;
use crate::spec::{Arch, Nr};
use crate::tables;

/// Relative frequencies of calls.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    measured: BTreeMap<(Arch, Nr), f64>,
    totals: BTreeMap<Arch, f64>,
}

/// Relative frequency of calls in a mix of servers and shells; what is not here is rare.
#[rustfmt::skip]
const MEASURED: &[(&str, f64)] = &[
    ("read", 20.0), ("futex", 18.0), ("write", 16.0), ("epoll_wait", 10.0), ("recvfrom", 6.0),
    ("clock_gettime", 5.0), ("close", 5.0), ("openat", 5.0), ("recvmsg", 5.0), ("sendto", 5.0),
    ("epoll_pwait", 4.0), ("fstat", 4.0), ("newfstatat", 4.0), ("sendmsg", 4.0), ("lseek", 3.0), ("poll", 3.0),
    ("pread64", 3.0), ("rt_sigprocmask", 3.0), ("writev", 3.0), ("brk", 2.0), ("epoll_ctl", 2.0),
    ("fcntl", 2.0), ("ioctl", 2.0), ("mmap", 2.0), ("mprotect", 2.0), ("munmap", 2.0), ("pwrite64", 2.0),
    ("socket", 2.0), ("accept4", 1.0), ("clock_nanosleep", 1.0), ("connect", 1.0), ("getpid", 1.0),
    ("getrandom", 1.0), ("gettid", 1.0), ("madvise", 1.0), ("nanosleep", 1.0), ("ppoll", 1.0), ("readv", 1.0),
    ("rt_sigaction", 1.0), ("sched_yield", 1.0), ("statx", 1.0), ("getdents64", 0.5), ("access", 0.3),
    ("readlink", 0.3), ("bind", 0.2), ("clone", 0.2), ("clone3", 0.2), ("listen", 0.2), ("unlink", 0.2),
    ("execve", 0.1), ("exit_group", 0.1), ("prctl", 0.1), ("prlimit64", 0.1), ("rename", 0.1), ("rseq", 0.1),
    ("wait4", 0.1), ("personality", 0.01),
];

/// How much of all weight follows the measurement.
const TRUST: f64 = 0.8;
/// How many numbers of an ABI share the rest.
const SPREAD: u32 = 600;
/// What an interval weighs at least, so that no part of a tree grows without bound.
const FLOOR: f64 = 1e-5;

impl Default for Weights {
    fn default() -> Self {
        Self::new(MEASURED.iter().flat_map(|&(name, weight)| {
            let call = tables::syscall(name);
            Arch::all().filter_map(move |arch| Some(((arch, call?.nr(arch)?), weight)))
        }))
    }
}

impl Weights {
    /// These frequencies; negative and unreal ones count as 0.
    pub fn new(frequencies: impl IntoIterator<Item = ((Arch, Nr), f64)>) -> Self {
        let mut weights = Self { measured: BTreeMap::new(), totals: BTreeMap::new() };
        for ((arch, nr), weight) in frequencies {
            if weight.is_finite() && weight > 0.0 {
                *weights.measured.entry((arch, nr)).or_default() += weight;
                *weights.totals.entry(arch).or_default() += weight;
            }
        }
        weights
    }

    /// The part of an ABI's calls that has numbers `lo..=hi`; over all numbers the sum is about 1.
    pub fn of(&self, arch: Arch, lo: u32, hi: u32) -> f64 {
        let base = first_number(arch);
        let last = base + (SPREAD - 1);
        let shared = if hi < base || lo > last { 0 } else { hi.min(last) - lo.max(base) + 1 };
        let uniform = f64::from(shared) / f64::from(SPREAD);
        let measured = match self.totals.get(&arch) {
            Some(total) => {
                self.measured.range((arch, Nr(lo))..=(arch, Nr(hi))).map(|(_, weight)| weight).sum::<f64>() / total
            }
            None => uniform,
        };
        (TRUST * measured + (1.0 - TRUST) * uniform).max(FLOOR)
    }
}

/// Where the numbers of an ABI begin (`arch/mips/include/uapi/asm/unistd.h` and x32's bit).
fn first_number(arch: Arch) -> u32 {
    match arch {
        Arch::X32 => X32_BIT,
        Arch::Mips | Arch::Mipsel => 4000,
        Arch::Mips64 | Arch::Mipsel64 => 5000,
        Arch::Mips64n32 | Arch::Mipsel64n32 => 6000,
        _ => 0,
    }
}
