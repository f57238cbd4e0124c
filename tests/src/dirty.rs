//! Widths of the tables tried on a kernel: calls whose arguments differ in bits alone that the kernel is said to drop.
//!
//! ```text
//! setresuid by int 0x80, `euid` has 16 bits:   (…, 65534, …) returns 0   (…, 0x1fffe, …) must return 0 too
//! lseek, `offset` has 64 bits:                 (2, 0, 9) is EINVAL        (2, 1 << 32, 9) may be what it likes
//! ```
//!
//! A call says something of a parameter where another value of it gives another outcome: these are searched first, among a few
//! values for each parameter. Pointers are 0, so that nothing is read or written, and a descriptor is none or standard error.
//! The independent truth is the kernel; what it drops and the tables do not is listed as well.

use kpol_compiler::spec::{Action, Arch, Call};
use kpol_compiler::tables::{Param, Syscall};

use crate::cbpf::assemble::always;
use crate::probe::{Job, Outcome};
use crate::skip::Skip;

/// Calls that are not made, and why.
pub const LEFT_OUT: [(&str, &[&str]); 8] = [
    (
        "it waits for what never comes",
        &[
            "pause",
            "poll",
            "ppoll",
            "select",
            "_newselect",
            "pselect6",
            "pselect6_time64",
            "ppoll_time64",
            "futex_waitv",
        ],
    ),
    (
        "it makes a process, or ends one",
        &["clone", "clone3", "fork", "vfork", "exit", "exit_group", "execve", "execveat"],
    ),
    (
        "it changes the machine",
        &["reboot", "syslog", "vhangup", "swapon", "swapoff", "acct", "sync", "kexec_load", "kexec_file_load"],
    ),
    (
        "it changes what tells the outcome",
        &["seccomp", "ptrace", "sigreturn", "rt_sigreturn", "arch_prctl", "set_thread_area", "set_tls"],
    ),
    ("its memory is the test's own", &["munmap", "brk", "mremap", "shmdt", "remap_file_pages", "munlockall"]),
    (
        "what it makes outlasts the process",
        &[
            "msgget",
            "semget",
            "shmget",
            "msgctl",
            "semctl",
            "shmctl",
            "shmat",
            "msgsnd",
            "msgrcv",
            "semop",
            "semtimedop",
            "semtimedop_time64",
        ],
    ),
    ("it changes other processes of the group or the user", &["setpriority", "ioprio_set"]),
    ("it leads to other calls, by its first argument", &["ipc", "socketcall", "syscall"]),
];

/// What upper bits are set to.
const DIRT: [u64; 3] = [0xdead_beef_dead_beef, 1 << 16 | 1 << 32, 1 << 31 | 1 << 63];

/// A parameter that was tried.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tried {
    /// `call(parameter)`.
    pub name: String,
    /// How wide the tables say it is.
    pub bits: u8,
    /// Whether a value of it was found that gives another outcome.
    pub sensitive: bool,
    /// Calls that differ in what lies above its width, and in their outcomes.
    pub differ: Vec<String>,
    /// For one of 64 bits: whether nothing above bit 31 made a difference.
    pub upper_half_is_dropped: bool,
}

/// Tries every scalar of every call of an ABI on the kernel that `run` reaches: those above whose width a register has more bits.
/// `bases` says how many values of the other parameters each is tried with.
pub fn try_all(
    arch: Arch,
    bases: usize,
    run: impl Fn(&[Job]) -> Result<Vec<Vec<Outcome>>, Skip>,
) -> Result<Vec<Tried>, Skip> {
    let calls = Syscall::all_of(arch).filter(|call| !LEFT_OUT.iter().any(|(_, names)| names.contains(&call.name())));
    // Values of each parameter, with those of the others at several places.
    let mut probes = Vec::new();
    for call in calls {
        let params = &call.params(arch).unwrap_or_default()[..call.nameable(arch)];
        for (index, param) in params.iter().enumerate().filter(|(_, param)| can_be_tried(param, arch)) {
            for base in 0..bases {
                for &value in values(call, param) {
                    let mut made = made(call, arch, params, base);
                    made.args[index] = register(value, param, arch);
                    probes.push((call, index, param, base, made));
                }
            }
        }
    }
    let outcomes = outcomes(&probes.iter().map(|probe| probe.4).collect::<Vec<_>>(), &run)?;

    // Of each parameter the place where most values differ, and each value there with dirt above.
    let mut tried = Vec::new();
    let mut dirty = Vec::new();
    let mut rest = 0;
    while let Some(&(call, index, param, ..)) = probes.get(rest) {
        let end = rest + probes[rest..].iter().take_while(|probe| (probe.0, probe.1) == (call, index)).count();
        let kinds = |base: usize| {
            let mut kinds: Vec<Outcome> =
                (rest..end).filter(|&at| probes[at].3 == base).map(|at| outcomes[at]).collect();
            kinds.sort_by_key(|kind| format!("{kind:?}"));
            kinds.dedup();
            kinds.len()
        };
        let base = (0..bases).max_by_key(|&base| (kinds(base), bases - base)).unwrap_or(0);
        let bits = param.bits.min(arch.bits());
        let low = if bits == 64 { u64::from(u32::MAX) } else { u64::MAX >> (64 - bits) };
        for at in (rest..end).filter(|&at| probes[at].3 == base) {
            for dirt in DIRT.map(|dirt| dirt & !low & width_of(arch)).into_iter().filter(|&dirt| dirt != 0) {
                let mut made = probes[at].4;
                made.args[index] = made.args[index] & low | dirt;
                dirty.push((tried.len(), at, made));
            }
        }
        let name = format!("{}({})", call.name(), param.name);
        tried.push(Tried {
            name,
            bits,
            sensitive: kinds(base) > 1,
            differ: Vec::new(),
            upper_half_is_dropped: bits == 64,
        });
        rest = end;
    }
    let after = self::outcomes(&dirty.iter().map(|dirty| dirty.2).collect::<Vec<_>>(), &run)?;
    for ((place, at, made), outcome) in dirty.iter().zip(after) {
        let of = &mut tried[*place];
        if outcome == outcomes[*at] {
            continue;
        }
        of.upper_half_is_dropped = false;
        if of.bits < 64 {
            of.differ.push(format!(
                "{:x?} gives {:?}, {:x?} gives {outcome:?}",
                probes[*at].4.args, outcomes[*at], made.args
            ));
        }
    }
    Ok(tried)
}

fn can_be_tried(param: &Param, arch: Arch) -> bool {
    !param.pointer && (arch.bits() == 64 || param.bits < arch.bits())
}

fn width_of(arch: Arch) -> u64 {
    u64::MAX >> (64 - arch.bits())
}

/// A value as a program would hand it over.
fn register(value: i64, param: &Param, arch: Arch) -> u64 {
    let bits = param.bits.min(arch.bits());
    value as u64 & u64::MAX >> (64 - bits)
}

/// Values of a parameter: few, harmless, and likely to meet different ends.
fn values(call: Syscall, param: &Param) -> &'static [i64] {
    let has = |parts: &[&str]| parts.iter().any(|part| param.name.contains(part));
    match (call.name(), param.name) {
        ("kill" | "tkill" | "tgkill" | "rt_sigqueueinfo" | "rt_tgsigqueueinfo" | "pidfd_send_signal", "sig") => {
            &[0, 65]
        }
        ("kill" | "tkill" | "tgkill" | "rt_sigqueueinfo" | "rt_tgsigqueueinfo", _) => &[0x7fff_fffe, 0x7fff_fffd],
        ("keyctl", "option") => &[0, 6, 11],
        ("prctl", "option") => &[1, 4, 23, 38],
        ("sethostname" | "setdomainname", "len") => &[-1, 65],
        (_, name) if name.ends_with("uid") || name.ends_with("gid") || name == "user" || name == "group" => {
            &[65534, 0, -1]
        }
        _ if has(&["fd", "fildes", "mqdes"]) => &[-1, 2, 0x3ff],
        _ if has(&["pid"]) => &[0, 0x7fff_fffe, -1],
        _ if has(&["addr", "start"]) => &[0, 0x1000],
        _ => &[0, 1, 9, -1],
    }
}

/// The call with one of a few values for each parameter.
fn made(call: Syscall, arch: Arch, params: &[Param], base: usize) -> Call {
    let mut args = [0; 6];
    for (index, param) in params.iter().enumerate().filter(|(_, param)| !param.pointer) {
        let values = values(call, param);
        // The first values together, then others, each parameter at its own pace.
        args[index] = register(values[(base * (index + 1)) % values.len()], param, arch);
    }
    Call { arch, nr: call.nr(arch).expect("a call of this ABI"), args }
}

/// Addresses, ids and times differ each time: that there is one is what counts.
fn outcomes(calls: &[Call], run: impl Fn(&[Job]) -> Result<Vec<Vec<Outcome>>, Skip>) -> Result<Vec<Outcome>, Skip> {
    let outcomes = run(&[Job::new(&always(Action::Allow), calls)])?.remove(0);
    let alike = |outcome| match outcome {
        Outcome::Returned(value) if !(0..1024).contains(&value) => Outcome::Returned(-1),
        other => other,
    };
    Ok(outcomes.into_iter().map(alike).collect())
}
