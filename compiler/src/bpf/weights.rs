//! How often calls are expected: what makes a tree of compares cheap where it matters.
//!
//! ```text
//! read 20, write 16, futex 18 …      most of all weight
//! every number of the first 600      the rest, evenly
//! ```
//!
//! The even part keeps the tree from growing deep where nothing was measured: a program that lives on
//! the calls of the last fifth is slower by a few compares, not by dozens.

use std::collections::BTreeMap;

use super::dispatch::Words;
use crate::spec::arch::X32_BIT;
use crate::spec::{Arch, Nr};
use crate::tables;

/// Relative frequencies of calls.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// `None`: what is built in.
    given: Option<BTreeMap<(Arch, Nr), f64>>,
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
    /// Those that are built in.
    fn default() -> Self {
        Self { given: None }
    }
}

impl Weights {
    /// These frequencies; negative and unreal ones count as 0.
    pub fn new(frequencies: impl IntoIterator<Item = ((Arch, Nr), f64)>) -> Self {
        let mut given = BTreeMap::new();
        for (call, weight) in frequencies {
            if weight.is_finite() && weight > 0.0 {
                *given.entry(call).or_default() += weight;
            }
        }
        Self { given: Some(given) }
    }

    /// What is known of an ABI.
    pub fn on(&self, arch: Arch) -> Frequencies {
        let mut measured: Vec<(u32, f64)> = match &self.given {
            None => MEASURED
                .iter()
                .filter_map(|&(name, weight)| Some((tables::syscall(name)?.nr(arch)?.0, weight)))
                .collect(),
            Some(given) => {
                given.range((arch, Nr(0))..=(arch, Nr(u32::MAX))).map(|(call, weight)| (call.1.0, *weight)).collect()
            }
        };
        Frequencies::new(first_number(arch), &mut measured)
    }
}

/// The part of all calls of one ABI that each number has.
#[derive(Debug, Clone, PartialEq)]
pub struct Frequencies {
    /// The first number, and its and the next ones' parts.
    base: u32,
    near: Vec<f64>,
    /// Measured numbers that are not among them.
    far: Vec<(u32, f64)>,
}

impl Frequencies {
    fn new(base: u32, measured: &mut [(u32, f64)]) -> Self {
        let total: f64 = measured.iter().map(|(_, weight)| weight).sum();
        let trust = if total > 0.0 { TRUST } else { 0.0 };
        let mut near = vec![(1.0 - trust) / f64::from(SPREAD); SPREAD as usize];
        let mut far = Vec::new();
        for &mut (nr, weight) in measured {
            let part = trust * weight / total;
            match nr.checked_sub(base).and_then(|index| near.get_mut(index as usize)) {
                Some(near) => *near += part,
                None => far.push((nr, part)),
            }
        }
        Self { base, near, far }
    }

    /// The part of the calls that has numbers `lo..=hi`; over all numbers the sum is about 1.
    pub fn of(&self, lo: u32, hi: u32) -> f64 {
        let index = |nr: u32| nr.saturating_sub(self.base).min(SPREAD) as usize;
        let (from, behind) = (index(lo), index(hi.saturating_add(1)));
        let near: f64 = self.near[from..behind].iter().sum();
        let far: f64 = self.far.iter().filter(|(nr, _)| (lo..=hi).contains(nr)).map(|(_, part)| part).sum();
        (near + far).max(FLOOR)
    }

    /// Those of numbers that follow each other.
    pub(super) fn words(&self) -> Words<'_> {
        Words { base: self.base, weights: &self.near }
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
