//! What the oracle knows of calls, from others than the compiler's tables.
//!
//! ```text
//! x86_64   tracefs of the running kernel      field:int family      →  32 bits, signed, register 0
//! others   the kernel's sources               int family
//! numbers  headers                            #define __NR_socket 41
//! ```
//!
//! Types are those that the kernel declares. Where it hands a wider type on as a narrower one before it looks, `NARROWED` says so,
//! with the place, or the sources' file. Where a command decides, `CUTS` says how. A parameter in
//! `UNSURE`, or of which the sources are not sure, is not used.

use std::collections::{BTreeMap, BTreeSet};

use super::abi::Abi;
use super::evaluate::Call;
use super::policy::{Cut, Shape, Word};
use super::sources::Declared;
use super::{numbers, sources, tracefs};
use crate::skip::Skip;

/// Parameters that the kernel narrows after the entry, on every ABI that has them by these names: call, parameter, bits, signed.
const NARROWED: &[(&str, &str, u32, bool)] = &[
    // kernel/fork.c: `.flags = (lower_32_bits(clone_flags) & ~CSIGNAL)`
    ("clone", "clone_flags", 32, false),
    // mm/mmap.c, ksys_mmap_pgoff: `fget(fd)`, which takes an unsigned int
    ("mmap", "fd", 32, false),
    // fs/read_write.c, do_readv and its siblings: `fdget(fd)`; lib/iov_iter.c, import_iovec: `unsigned nr_segs`
    ("readv", "fd", 32, false),
    ("writev", "fd", 32, false),
    ("preadv", "fd", 32, false),
    ("pwritev", "fd", 32, false),
    ("preadv2", "fd", 32, false),
    ("pwritev2", "fd", 32, false),
    ("readv", "vlen", 32, false),
    ("writev", "vlen", 32, false),
    ("preadv", "vlen", 32, false),
    ("pwritev", "vlen", 32, false),
    ("preadv2", "vlen", 32, false),
    ("pwritev2", "vlen", 32, false),
    // mm/mmap.c, do_mmap: masks of the low bits; include/linux/fsnotify.h, fsnotify_mmap_perm: `int prot`
    ("mmap", "prot", 32, false),
    // fs/namespace.c, path_mount: masks of the low bits; do_change_type: `int ms_flags`
    ("mount", "flags", 32, false),
    // lib/iov_iter.c, import_iovec: `unsigned nr_segs`
    ("process_madvise", "vlen", 32, false),
    ("process_vm_readv", "liovcnt", 32, false),
    ("process_vm_writev", "liovcnt", 32, false),
    ("vmsplice", "nr_segs", 32, false),
    // kernel/ptrace.c: `find_get_task_by_vpid(pid)`, which takes a pid_t
    ("ptrace", "pid", 32, true),
    // arch/mips/kernel/linux32.c: `personality & 0xffffffff`; arch/powerpc/kernel/syscalls.c: masks of fewer bits, then
    // ksys_personality(unsigned int)
    ("personality", "personality", 32, false),
    // fs/utimes.c, arch/x86/kernel/sys_ia32.c: `unsigned int dfd` in the entries of 32 bits, an int everywhere else. A policy
    // reads it as it is everywhere else, so that AT_FDCWD is negative: the same bits.
    ("futimesat", "dfd", 32, true),
    ("utimensat", "dfd", 32, true),
    ("fstatat64", "dfd", 32, true),
];

/// Parameters whose width depends on more than their type, and not as `CUTS` says.
const UNSURE: &[(&str, &[&str])] = &[
    ("ioctl", &["arg"]),
    ("keyctl", &["arg2", "arg3", "arg4", "arg5"]),
    ("prctl", &["arg2", "arg3", "arg4", "arg5"]),
    ("arch_prctl", &["arg2"]),
    ("ptrace", &["request", "addr", "data"]),
    ("kcmp", &["idx1", "idx2"]),
    ("mbind", &["mode", "flags", "maxnode"]),
    ("futex", &["utime"]),
    ("sysfs", &["arg1"]),
];

/// A parameter of which some commands take less.
struct Known {
    call: &'static str,
    parameter: &'static str,
    /// On these ABIs it is as said, on others it is not known; empty for all.
    abis: &'static [Abi],
    /// The parameter that holds the command, bits of it that count, its values.
    by: &'static str,
    mask: u64,
    values: &'static [u64],
    /// Bits that are left.
    bits: u32,
    /// Whether they are the upper ones on big-endian machines.
    high: bool,
}

use Abi::{Aarch64, Loongarch64, Mips64, Mipsel64, Parisc64, Ppc64, Ppc64le, Riscv64, S390x, X32, X86_64};

const KNOWN: &[Known] = &[
    // fs/fcntl.c, do_fcntl: `int argi = (int)arg`, for F_DUPFD, F_SETFD, F_SETFL, F_SETOWN, F_SETSIG, F_SETLEASE, F_NOTIFY,
    // F_DUPFD_QUERY, F_DUPFD_CLOEXEC, F_SETPIPE_SZ, F_ADD_SEALS. MIPS and PA-RISC number them otherwise.
    Known {
        call: "fcntl",
        parameter: "arg",
        abis: &[X86_64, X32, Aarch64, Riscv64, S390x, Ppc64le, Ppc64, Loongarch64],
        by: "cmd",
        mask: u64::MAX,
        values: &[0, 2, 4, 8, 10, 1024, 1026, 1027, 1030, 1031, 1033],
        bits: 32,
        high: false,
    },
    // ipc/sem.c, ksys_semctl: `val = arg >> 32` on 64 bits big-endian, else `val = arg`. SETVAL, also with IPC_64.
    Known {
        call: "semctl",
        parameter: "arg",
        abis: &[X86_64, X32, Aarch64, Riscv64, S390x, Ppc64le, Ppc64, Loongarch64, Mips64, Mipsel64, Parisc64],
        by: "cmd",
        mask: u64::MAX,
        values: &[16, 272],
        bits: 32,
        high: true,
    },
    // net/packet/af_packet.c, packet_create: `__be16 proto = (__force __be16)protocol`. AF_PACKET.
    Known {
        call: "socket",
        parameter: "protocol",
        abis: &[],
        by: "family",
        mask: u64::MAX,
        values: &[17],
        bits: 16,
        high: false,
    },
    // ipc/syscall.c, ksys_ipc: ints of semtimedop, semget, semctl, msgget, msgctl, shmat, shmctl.
    Known {
        call: "ipc",
        parameter: "second",
        abis: &[S390x, Ppc64le, Ppc64],
        by: "call",
        mask: 0xffff,
        values: &[1, 2, 3, 4, 13, 14, 21, 24],
        bits: 32,
        high: false,
    },
    // The same: ints of semget, semctl, msgsnd, msgrcv, shmget.
    Known {
        call: "ipc",
        parameter: "third",
        abis: &[S390x, Ppc64le, Ppc64],
        by: "call",
        mask: 0xffff,
        values: &[2, 3, 11, 12, 23],
        bits: 32,
        high: false,
    },
];

/// `socketcall` (`include/uapi/linux/net.h`) and `ipc` (`include/uapi/linux/ipc.h`), where there are such calls.
const WITHIN: &[(&str, &str, u32)] = &[
    ("socket", "socketcall", 1),
    ("bind", "socketcall", 2),
    ("connect", "socketcall", 3),
    ("listen", "socketcall", 4),
    ("accept", "socketcall", 5),
    ("getsockname", "socketcall", 6),
    ("getpeername", "socketcall", 7),
    ("socketpair", "socketcall", 8),
    ("send", "socketcall", 9),
    ("recv", "socketcall", 10),
    ("sendto", "socketcall", 11),
    ("recvfrom", "socketcall", 12),
    ("shutdown", "socketcall", 13),
    ("setsockopt", "socketcall", 14),
    ("getsockopt", "socketcall", 15),
    ("sendmsg", "socketcall", 16),
    ("recvmsg", "socketcall", 17),
    ("accept4", "socketcall", 18),
    ("recvmmsg", "socketcall", 19),
    ("sendmmsg", "socketcall", 20),
    ("semop", "ipc", 1),
    ("semget", "ipc", 2),
    ("semctl", "ipc", 3),
    ("semtimedop", "ipc", 4),
    ("msgsnd", "ipc", 11),
    ("msgrcv", "ipc", 12),
    ("msgget", "ipc", 13),
    ("msgctl", "ipc", 14),
    ("shmat", "ipc", 21),
    ("shmdt", "ipc", 22),
    ("shmget", "ipc", 23),
    ("shmctl", "ipc", 24),
];

/// A parameter that can be named in a policy.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// What the kernel calls it, with its widths.
    pub word: Word,
    /// Whether it is an address, of which only 0 says something.
    pub pointer: bool,
}

/// Parameters and numbers.
#[derive(Debug)]
pub struct Facts {
    /// Calls of which something is known.
    pub calls: Vec<String>,
    /// Numbers by ABI and name.
    pub numbers: BTreeMap<Abi, BTreeMap<String, u32>>,
    lists: sources::Lists,
    /// Names of parameters on x86_64, by which they go everywhere; whether each has a register of its own on 32 bits, where
    /// what stands behind a split one has no name, even if some kernel takes the halves one by one.
    generic: BTreeMap<String, BTreeMap<String, bool>>,
}

impl Facts {
    /// Reads them from this machine.
    ///
    /// # Errors
    /// No tracefs, or no headers.
    pub fn read() -> Result<Self, Skip> {
        let mut lists = sources::read()?;
        let mut generic = BTreeMap::new();
        for (call, list) in tracefs::read()? {
            let split = list.iter().flatten().position(|one| one.split).unwrap_or(6);
            let names = list.iter().flatten().enumerate().map(|(index, one)| (one.name.clone(), index < split));
            generic.insert(call.clone(), names.collect());
            lists.insert((call, X86_64), list);
        }
        common_names(&lists, &mut generic);
        for ((call, _), list) in &mut lists {
            for one in list.iter_mut().flatten() {
                if let Some(narrowed) = NARROWED.iter().find(|known| (known.0, known.1) == (call, &one.name)) {
                    (one.bits, one.signed, one.unsure) = (narrowed.2, narrowed.3, false);
                }
            }
        }
        let mut numbers = BTreeMap::new();
        for abi in Abi::all() {
            numbers.insert(abi, numbers::of(abi)?);
        }
        let calls: BTreeSet<String> = lists.keys().map(|(call, _)| call.clone()).collect();
        Ok(Self { calls: calls.into_iter().collect(), numbers, lists, generic })
    }

    /// Whether one of these ABIs has the call.
    pub fn has(&self, abis: &[Abi], call: &str) -> bool {
        abis.iter().any(|abi| self.numbers[abi].contains_key(call))
    }

    /// Whether a call is a way to the call `name` through `socketcall` or `ipc`.
    pub fn leads_to(&self, call: Call<'_>, name: &str) -> bool {
        let first = match call.name {
            "socketcall" => call.args[0] as u32,
            // arch/s390/kernel/syscall.c refuses a version; else the upper half is one (ipc/syscall.c).
            "ipc" if matches!(call.abi, Abi::S390 | S390x) => call.args[0] as u32,
            "ipc" => call.args[0] as u32 & 0xffff,
            _ => return false,
        };
        WITHIN.iter().any(|&(inner, outer, nr)| (inner, outer, nr) == (name, call.name, first))
    }

    /// The multiplexers that reach a call, each with the first argument that leads there.
    pub fn ways(&self, abis: &[Abi], name: &str) -> Vec<(Abi, &'static str, u64)> {
        let outer = WITHIN.iter().filter(|known| known.0 == name);
        let on = |known: &(&'static str, &'static str, u32)| {
            let (outer, number) = (known.1, u64::from(known.2));
            abis.iter().copied().filter(move |abi| self.has(&[*abi], outer)).map(move |abi| (abi, outer, number))
        };
        outer.flat_map(on).collect()
    }

    /// Whether a multiplexer reaches it on one of these ABIs.
    pub fn is_multiplexed(&self, abis: &[Abi], name: &str) -> bool {
        WITHIN.iter().any(|(inner, outer, _)| *inner == name && self.has(abis, outer))
    }

    /// The register that holds a parameter.
    pub fn register(&self, call: &str, abi: Abi, name: &str) -> Option<usize> {
        let list = self.lists.get(&(call.to_owned(), abi))?;
        list.iter().position(|one| one.as_ref().is_some_and(|one| one.name == name))
    }

    /// The parameters of a call that can be named for all of these ABIs that have it.
    pub fn usable(&self, call: &str, abis: &[Abi]) -> Vec<Parameter> {
        let having: Vec<Abi> = abis.iter().copied().filter(|abi| self.numbers[abi].contains_key(call)).collect();
        let list = |abi: Abi| self.lists.get(&(call.to_owned(), abi));
        let Some(first) = having.first().and_then(|&abi| list(abi)) else { return Vec::new() };
        let unsure = UNSURE.iter().find(|known| known.0 == call).map_or(&[][..], |known| known.1);
        let mut found = Vec::new();
        'parameters: for one in first.iter().flatten().filter(|one| !unsure.contains(&one.name.as_str())) {
            let narrow = having.iter().any(|abi| abi.bits() == 32);
            let usable = |names: &BTreeMap<String, bool>| names.get(&one.name).is_some_and(|own| *own || !narrow);
            if self.generic.get(call).is_some_and(|names| !usable(names)) {
                continue;
            }
            let mut shapes = BTreeMap::new();
            for &abi in &having {
                let Some(list) = list(abi) else { continue 'parameters };
                let here = |name: &str| list.iter().position(|one| one.as_ref().is_some_and(|one| one.name == name));
                let Some(shape) = here(&one.name).and_then(|index| shape(call, abi, list, index, &here)) else {
                    continue 'parameters;
                };
                shapes.insert(abi, shape);
            }
            let word = Word { name: one.name.clone(), shapes, register: None };
            found.push(Parameter { word, pointer: one.pointer });
        }
        found
    }
}

/// Of calls that x86_64 does not have: the name that most ABIs have for each parameter. Some entries call it otherwise.
fn common_names(lists: &sources::Lists, generic: &mut BTreeMap<String, BTreeMap<String, bool>>) {
    let mut votes: BTreeMap<&str, Vec<BTreeMap<&str, usize>>> = BTreeMap::new();
    for ((call, _), list) in lists.iter().filter(|((call, _), _)| !generic.contains_key(call)) {
        let places = votes.entry(call).or_default();
        places.resize(places.len().max(list.len()), BTreeMap::new());
        for (place, one) in places.iter_mut().zip(list) {
            *place.entry(one.as_ref().map_or("", |one| &one.name)).or_default() += 1;
        }
    }
    for (call, places) in votes {
        let most =
            |place: &BTreeMap<&str, usize>| place.iter().max_by_key(|vote| vote.1).map(|vote| vote.0.to_string());
        generic.insert(call.to_owned(), places.iter().filter_map(most).map(|name| (name, true)).collect());
    }
}

/// What a parameter is on an ABI; `None` if it is not known under all commands.
fn shape(
    call: &str,
    abi: Abi,
    list: &[Option<Declared>],
    index: usize,
    here: &dyn Fn(&str) -> Option<usize>,
) -> Option<Shape> {
    let declared = list[index].as_ref()?;
    let mut shape = Shape { index, bits: declared.bits, signed: declared.signed, cuts: Vec::new() };
    let known = KNOWN.iter().find(|known| (known.call, known.parameter) == (call, declared.name.as_str()));
    let Some(known) = known else { return (!declared.unsure).then_some(shape) };
    if known.bits >= declared.bits {
        return Some(shape);
    }
    if !known.abis.is_empty() && !known.abis.contains(&abi) {
        return None;
    }
    let by = here(known.by)?;
    let command = list[by].as_ref()?;
    let mask = known.mask & u64::MAX >> (64 - command.bits);
    let shift = if known.high && abi.is_big_endian() { 32 } else { 0 };
    shape.cuts.push(Cut { register: by, mask, values: known.values.to_vec(), bits: known.bits, shift });
    Some(shape)
}
