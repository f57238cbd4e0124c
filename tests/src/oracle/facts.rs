//! What the oracle knows of the kernel, and from whom.
//!
//! ```text
//! tracefs   sys_enter_socket   field:int family   →  32 bits, signed, register 0
//! headers   #define __NR_socket 41                →  41 on x86_64
//! libc      AF_ALG                                →  38
//! ```
//!
//! Types are those that SYSCALL_DEFINE declares. Where the kernel hands a wider type on as a narrower one before it looks,
//! `NARROWED` says so, with the place. A parameter in `UNSURE` is not used: how much of it the kernel looks at depends
//! on the other arguments.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::evaluate::Call;
use super::policy::{Abi, Word};
use crate::skip::{Skip, need_root};

/// Parameters that the kernel narrows after the entry: call, parameter, bits, signed.
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
];

/// Parameters whose width depends on more than their type; see the module.
const UNSURE: &[(&str, &[&str])] = &[
    ("fcntl", &["arg"]),
    ("ioctl", &["arg"]),
    ("keyctl", &["arg2", "arg3", "arg4", "arg5"]),
    ("prctl", &["arg2", "arg3", "arg4", "arg5"]),
    ("arch_prctl", &["arg2"]),
    ("ptrace", &["request", "addr", "data"]),
    ("kcmp", &["idx1", "idx2"]),
    ("mbind", &["mode", "flags", "maxnode"]),
    ("semctl", &["arg"]),
    ("futex", &["utime"]),
];

/// Calls whose entry on 32-bit x86 is another function than on x86_64, with other parameters
/// (`arch/x86/entry/syscalls/syscall_32.tbl`): they are used without conditions there.
const OTHER_ON_X86: &[&str] = &[
    "clone",
    "fstat",
    "getrlimit",
    "ipc",
    "lstat",
    "mmap",
    "readdir",
    "select",
    "sigaction",
    "signal",
    "sigsuspend",
    "stat",
    "umount",
    "uname",
    "waitpid",
    "rt_sigaction",
];

/// Calls whose ids have 16 bits on 32-bit x86 (`kernel/uid16.c`).
const IDS_OF_16_BITS: &[&str] = &[
    "chown",
    "fchown",
    "lchown",
    "setfsgid",
    "setfsuid",
    "setgid",
    "setregid",
    "setresgid",
    "setresuid",
    "setreuid",
    "setuid",
    "setgroups",
    "getgroups",
];

/// `socketcall` (`include/uapi/linux/net.h`) and `ipc` (`include/uapi/linux/ipc.h`) on 32-bit x86.
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

/// The call that a tracepoint's name stands for, where the names differ (`fs/stat.c`, `kernel/sys.c`, `fs/namespace.c`).
const NAMES: &[(&str, &str)] =
    &[("newstat", "stat"), ("newfstat", "fstat"), ("newlstat", "lstat"), ("newuname", "uname"), ("umount", "umount2")];

/// A parameter.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// What the kernel calls it, with its widths.
    pub word: Word,
    /// Whether it is an address, of which only 0 says something.
    pub pointer: bool,
    /// Whether it takes two registers on 32-bit x86, so that it and what follows have no name there.
    pub split: bool,
}

/// Prototypes and numbers.
#[derive(Debug)]
pub struct Facts {
    /// Parameters of the calls of x86_64, unusable ones left out.
    pub prototypes: BTreeMap<String, Vec<Parameter>>,
    /// Numbers by ABI and name.
    pub numbers: BTreeMap<Abi, BTreeMap<String, u32>>,
}

impl Facts {
    /// Reads them from this machine.
    ///
    /// # Errors
    /// No tracefs, or no headers.
    pub fn read() -> Result<Self, Skip> {
        let prototypes = with_tracefs(prototypes)?;
        let mut numbers = BTreeMap::new();
        for (abi, compiler, header) in [
            (Abi::X86_64, "cc", "asm/unistd_64.h"),
            (Abi::X86, "cc", "asm/unistd_32.h"),
            (Abi::X32, "cc", "asm/unistd_x32.h"),
            (Abi::Aarch64, "aarch64-linux-gnu-gcc", "asm/unistd.h"),
        ] {
            numbers.insert(abi, numbers_of(compiler, header)?);
        }
        Ok(Self { prototypes, numbers })
    }

    /// Whether a call is a way to the call `name` through `socketcall` or `ipc`.
    pub fn leads_to(&self, call: Call<'_>, name: &str) -> bool {
        let first = match call.name {
            "socketcall" => call.args[0] as u32,
            // ipc/syscall.c: the upper half is a version.
            "ipc" => call.args[0] as u32 & 0xffff,
            _ => return false,
        };
        call.abi == Abi::X86 && WITHIN.iter().any(|&(inner, outer, nr)| (inner, outer, nr) == (name, call.name, first))
    }

    /// Whether a multiplexer reaches it on 32-bit x86.
    pub fn is_multiplexed(&self, name: &str) -> bool {
        WITHIN.iter().any(|(inner, ..)| *inner == name)
    }

    /// The parameters of a call that mean the same on all of these ABIs.
    pub fn usable(&self, name: &str, abis: &[Abi]) -> Vec<&Parameter> {
        let Some(all) = self.prototypes.get(name) else { return Vec::new() };
        if abis.contains(&Abi::X86) && OTHER_ON_X86.contains(&name) {
            return Vec::new();
        }
        // From 512 on, x32 has entries of its own (`arch/x86/entry/syscalls/syscall_64.tbl`).
        let own = self.numbers[&Abi::X32].get(name).is_some_and(|nr| nr & 0x3fff_ffff >= 512);
        if abis.contains(&Abi::X32) && own {
            return Vec::new();
        }
        // CONFIG_CLONE_BACKWARDS: arm64 has tls before child_tidptr.
        let count = if name == "clone" { 2 } else { 6 };
        let split = all.iter().find(|parameter| parameter.split).map_or(6, |first| first.word.index);
        let count = if abis.contains(&Abi::X86) { count.min(split) } else { count };
        all.iter().filter(|parameter| parameter.word.index < count).collect()
    }
}

/// Calls `read` with the folder of system calls in tracefs, which is mounted for the time being if it is not.
fn with_tracefs<T>(read: impl FnOnce(&Path) -> Result<T, Skip>) -> Result<T, Skip> {
    let mounted = PathBuf::from("/sys/kernel/tracing");
    if mounted.join("events/syscalls").is_dir() {
        return read(&mounted.join("events/syscalls"));
    }
    need_root()?;
    let folder = tempfile::tempdir().map_err(|error| Skip(error.to_string()))?;
    let status = Command::new("mount").args(["-t", "tracefs", "tracefs"]).arg(folder.path()).status();
    if !status.is_ok_and(|status| status.success()) {
        return Err(Skip("tracefs can't be mounted".into()));
    }
    let result = read(&folder.path().join("events/syscalls"));
    let _ = Command::new("umount").arg(folder.path()).status();
    result
}

fn prototypes(folder: &Path) -> Result<BTreeMap<String, Vec<Parameter>>, Skip> {
    let entries = fs::read_dir(folder).map_err(|error| Skip(format!("{}: {error}", folder.display())))?;
    let mut all = BTreeMap::new();
    for entry in entries.flatten() {
        let event = entry.file_name().to_string_lossy().into_owned();
        let Some(event) = event.strip_prefix("sys_enter_") else { continue };
        let Ok(format) = fs::read_to_string(entry.path().join("format")) else { continue };
        let name = NAMES.iter().find(|(other, _)| *other == event).map_or(event, |(_, name)| name);
        all.insert(name.to_owned(), parameters(name, &format));
    }
    if all.len() < 300 {
        return Err(Skip(format!("tracefs has only {} system calls", all.len())));
    }
    Ok(all)
}

/// The parameters of `field:int family; offset:16; …`, those of the call alone.
fn parameters(call: &str, format: &str) -> Vec<Parameter> {
    let fields = format.lines().filter_map(|line| line.trim().strip_prefix("field:")?.split(';').next());
    let own = fields.skip_while(|field| !field.ends_with("__syscall_nr")).skip(1);
    own.enumerate().filter_map(|(index, field)| parameter(call, index, field)).collect()
}

fn parameter(call: &str, index: usize, field: &str) -> Option<Parameter> {
    let (ty, name) = field.rsplit_once([' ', '*'])?;
    let pointer = field.contains('*');
    let unsure = UNSURE.iter().any(|(other, names)| *other == call && names.contains(&name));
    if unsure {
        return None;
    }
    let ty = ty.trim().trim_start_matches("const ").trim();
    let (mut bits, mut signed, split) = match ty {
        _ if pointer => (64, false, false),
        "int" | "s32" | "__s32" | "pid_t" | "key_t" | "key_serial_t" | "mqd_t" | "timer_t" | "clockid_t" | "rwf_t" => {
            (32, true, false)
        }
        "unsigned int" | "unsigned" | "u32" | "__u32" | "uid_t" | "gid_t" | "qid_t" => (32, false, false),
        "umode_t" => (16, false, false),
        "unsigned long" | "size_t" | "aio_context_t" => (64, false, false),
        "long" | "off_t" => (64, true, false),
        "loff_t" => (64, true, true),
        "u64" | "__u64" => (64, false, true),
        // A type that the oracle does not know.
        _ => return None,
    };
    if let Some(narrowed) = NARROWED.iter().find(|(other, param, ..)| (*other, *param) == (call, name)) {
        (bits, signed) = (narrowed.2, narrowed.3);
    }
    let id = matches!(ty, "uid_t" | "gid_t");
    let bits_on_x86 = if id && IDS_OF_16_BITS.contains(&call) { 16 } else { bits.min(32) };
    let word = Word { name: name.to_owned(), index, bits, signed, bits_on_x86 };
    Some(Parameter { word, pointer, split })
}

/// `__NR_…` as the C preprocessor sees them.
fn numbers_of(compiler: &str, header: &str) -> Result<BTreeMap<String, u32>, Skip> {
    let output = Command::new(compiler)
        .args(["-E", "-dM", "-include", header, "-x", "c", "/dev/null"])
        .output()
        .map_err(|error| Skip(format!("{compiler}: {error}")))?;
    if !output.status.success() {
        return Err(Skip(format!("{compiler} finds no <{header}>")));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let macros: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.strip_prefix("#define ")?.split_once(' ')).collect();
    let mut value = BTreeMap::new();
    for (name, body) in &macros {
        let Some(call) = name.strip_prefix("__NR_") else { continue };
        let mut body = *body;
        // `__NR3264_fcntl` stands for a number of its own.
        if let Some(other) = macros.get(body) {
            body = other;
        }
        let sum = body.trim_matches(['(', ')']);
        let number = match sum.split_once('+') {
            Some((base, number)) if base.trim() == "__X32_SYSCALL_BIT" => {
                number.trim().parse::<u32>().ok().map(|number| number + 0x4000_0000)
            }
            _ => sum.parse().ok(),
        };
        if let Some(number) = number {
            value.insert(call.to_owned(), number);
        }
    }
    // Of a 64-bit ABI: `syscalls` is a count, `arch_specific_syscall` the begin of a range.
    let not_calls: BTreeSet<&str> = BTreeSet::from(["syscalls", "arch_specific_syscall", "syscall_count"]);
    value.retain(|name, _| !not_calls.contains(name.as_str()));
    Ok(value)
}
