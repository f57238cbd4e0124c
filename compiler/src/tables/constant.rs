//! Constants, errnos and capabilities: looked up by name with a binary search over one text.
//!
//! ```text
//! constant("TIOCSTI", Aarch64) → 0x5412      constant("TIOCSTI", Ppc64le) → 0x80047472
//! errno("ENOSYS", X86_64)      → 38          errno("ENOSYS", Mips)        → 89
//! ```
//!
//! A value is what the C expression has: `AT_FDCWD` is -100, `CLONE_NEWCGROUP` 0x02000000, and a `~0U` is 4294967295,
//! not -1.

use super::constants::{
    CAPABILITIES, ERRNO_NAMES, ERRNOS, FIRST_UNSIGNED, HEADER, HEADERS, NAMES, NONE, ROWS, SCALARS, START, VALUE,
};
use crate::spec::Arch;

/// The name with that index.
fn name(index: usize) -> &'static str {
    &NAMES[START[index] as usize..START[index + 1] as usize]
}

/// The index of that name.
fn find(wanted: &str) -> Option<usize> {
    let (mut low, mut high) = (0, VALUE.len());
    while low < high {
        let middle = low.midpoint(high);
        match name(middle).cmp(wanted) {
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Equal => return Some(middle),
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    None
}

fn scalar(index: u16) -> Option<i128> {
    if index == NONE {
        return None;
    }
    let index = usize::from(index);
    let bits = SCALARS[index];
    Some(if index < FIRST_UNSIGNED { i128::from(bits) } else { i128::from(bits as u64) })
}

/// The value of a constant such as `O_CLOEXEC` on an ABI.
pub fn constant(name: &str, arch: Arch) -> Option<i128> {
    value(find(name)?, arch)
}

fn value(index: usize, arch: Arch) -> Option<i128> {
    let value = VALUE[index];
    match usize::from(value).checked_sub(SCALARS.len()) {
        None => scalar(value),
        Some(row) => scalar(ROWS[row][arch as usize]),
    }
}

/// Whether any ABI has a constant of that name.
pub fn is_constant(name: &str) -> bool {
    find(name).is_some()
}

/// The header of the kernel that defines a constant, as programs include it: `linux/prctl.h`. `None` where the kernel keeps it
/// to itself, and the C library has it.
pub fn constant_header(name: &str) -> Option<&'static str> {
    let header = HEADERS.get(usize::from(*HEADER.get(find(name)?)?)).copied()?;
    (header != "kernel-internal.h").then_some(header)
}

/// Names of all constants, sorted.
pub fn constant_names() -> impl ExactSizeIterator<Item = &'static str> {
    (0..VALUE.len()).map(name)
}

/// Names of the constants that begin so, sorted.
pub fn constants_with_prefix(prefix: &str) -> impl Iterator<Item = &'static str> {
    indexes_with_prefix(prefix).map(name)
}

/// The same, for those whose value on an ABI is wanted.
pub(super) fn valued_with_prefix(
    prefix: &str,
    arch: Arch,
    wanted: impl Fn(i128) -> bool,
) -> impl Iterator<Item = &'static str> {
    indexes_with_prefix(prefix).filter(move |&index| value(index, arch).is_some_and(&wanted)).map(name)
}

fn indexes_with_prefix(prefix: &str) -> impl Iterator<Item = usize> {
    let (mut low, mut high) = (0, VALUE.len());
    while low < high {
        let middle = low.midpoint(high);
        if name(middle) < prefix {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    (low..VALUE.len()).take_while(move |&index| name(index).starts_with(prefix))
}

/// The number of an errno's name on an ABI (they differ on MIPS and PA-RISC).
pub fn errno(name: &str, arch: Arch) -> Option<u16> {
    ERRNOS.binary_search(&name).ok()?;
    constant(name, arch).and_then(|number| u16::try_from(number).ok())
}

/// Names of all errnos, sorted.
pub fn errno_names() -> impl ExactSizeIterator<Item = &'static str> {
    ERRNOS.iter().copied()
}

/// The name of an errno as most ABIs have it.
pub fn errno_name(errno: u16) -> Option<&'static str> {
    let at = ERRNO_NAMES.binary_search_by_key(&errno, |(number, _)| *number).ok()?;
    Some(ERRNO_NAMES[at].1)
}

/// The number of `CAP_…`.
pub fn capability(name: &str) -> Option<u8> {
    CAPABILITIES.iter().position(|capability| *capability == name).and_then(|number| u8::try_from(number).ok())
}

/// The name of a capability's number.
pub fn capability_name(number: u8) -> Option<&'static str> {
    CAPABILITIES.get(usize::from(number)).copied()
}

/// Names of all capabilities, by number.
pub fn capability_names() -> impl ExactSizeIterator<Item = &'static str> {
    CAPABILITIES.iter().copied()
}

/// Bytes that constants take in a binary.
#[cfg(test)]
fn size() -> usize {
    use std::mem::size_of_val;
    size_of_val(&SCALARS)
        + size_of_val(&HEADER)
        + size_of_val(&ROWS)
        + size_of_val(&VALUE)
        + size_of_val(&START)
        + NAMES.len()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use super::*;

    fn values(name: &str, expected: &[(Arch, i128)]) {
        for (arch, value) in expected {
            assert_eq!(constant(name, *arch), Some(*value), "{name} on {arch}");
        }
    }

    #[test]
    fn names_are_sorted_and_each_has_a_value_somewhere() {
        assert!(constant_names().is_sorted());
        assert!(constant_names().len() > 8_000);
        for (index, name) in constant_names().enumerate() {
            assert_eq!(find(name), Some(index));
            assert!(Arch::all().any(|arch| constant(name, arch).is_some()), "{name}");
        }
        assert!(!is_constant("O_CLOEXE"));
        assert!(!is_constant(""));
        assert_eq!(
            constants_with_prefix("SECCOMP_MODE_").collect::<Vec<_>>(),
            ["SECCOMP_MODE_DISABLED", "SECCOMP_MODE_FILTER", "SECCOMP_MODE_STRICT"]
        );
        assert!(size() < 500_000, "{} bytes of constants", size());
    }

    #[test]
    fn architectures_have_their_own_values() {
        values("O_DIRECT", &[(Arch::X86_64, 0o40000), (Arch::Arm, 0o200000), (Arch::Aarch64, 0o200000)]);
        values("O_DIRECT", &[(Arch::Mips, 0o100000), (Arch::Ppc64le, 0o400000), (Arch::Riscv64, 0o40000)]);
        values("O_DIRECTORY", &[(Arch::X86_64, 0o200000), (Arch::Aarch64, 0o40000), (Arch::Arm, 0o40000)]);
        values("O_TMPFILE", &[(Arch::X86_64, 0o20200000), (Arch::Aarch64, 0o20040000)]);
        values("O_NONBLOCK", &[(Arch::X86_64, 0o4000), (Arch::Mips64, 0x80), (Arch::Parisc, 0o200000)]);
        values("O_CLOEXEC", &[(Arch::X86_64, 0o2000000), (Arch::Aarch64, 0o2000000), (Arch::Parisc, 0o10000000)]);
        values("SOCK_STREAM", &[(Arch::X86_64, 1), (Arch::Mips, 2), (Arch::Mipsel64, 2)]);
        values("SOCK_NONBLOCK", &[(Arch::X86_64, 0o4000), (Arch::Mips, 0x80), (Arch::Parisc, 0x4000_0000)]);
        values("TIOCSTI", &[(Arch::X86_64, 0x5412), (Arch::Mips, 0x5472), (Arch::S390x, 0x5412)]);
        values("TIOCSTI", &[(Arch::Ppc64le, 0x5412), (Arch::Sh, 0x4001_5412)]);
        values("TCGETS", &[(Arch::X86_64, 0x5401), (Arch::Ppc64le, 0x402c_7413), (Arch::Mips, 0x540d)]);
        values("FIONREAD", &[(Arch::X86_64, 0x541b), (Arch::Ppc64, 0x4004_667f), (Arch::Mips, 0x467f)]);
        values("MAP_ANONYMOUS", &[(Arch::X86_64, 0x20), (Arch::Mips, 0x800), (Arch::Parisc, 0x10)]);
        values("SIGUSR1", &[(Arch::X86_64, 10), (Arch::Mips, 16), (Arch::Arm, 10)]);
        values("PROT_BTI", &[(Arch::Aarch64, 0x10)]);
        assert_eq!(constant("PROT_BTI", Arch::X86_64), None);
        assert_eq!(constant("ARCH_SET_FS", Arch::Aarch64), None);
    }

    #[test]
    fn structs_in_request_numbers_have_the_size_of_the_abi() {
        values("FS_IOC_GETFLAGS", &[(Arch::X86_64, 0x8008_6601), (Arch::X86, 0x8004_6601)]);
        values("BLKGETSIZE64", &[(Arch::X86_64, 0x8008_1272), (Arch::Arm, 0x8004_1272), (Arch::Ppc64, 0x4008_1272)]);
        values("KVM_RUN", &[(Arch::X86_64, 0xae80)]);
    }

    #[test]
    fn names_that_policies_are_written_with_are_known_everywhere() {
        let everywhere = "AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_ALG AF_VSOCK PF_INET SOCK_TYPE_MASK SOCK_CLOEXEC \
            SOCK_SEQPACKET AT_FDCWD AT_EMPTY_PATH AT_SYMLINK_NOFOLLOW S_IFMT S_IFREG S_ISUID S_ISGID S_IRUSR O_RDONLY \
            O_WRONLY O_RDWR O_CREAT O_EXCL O_TRUNC O_APPEND O_NOFOLLOW O_PATH O_ACCMODE F_DUPFD F_SETFL F_GETFL \
            F_DUPFD_CLOEXEC F_ADD_SEALS F_SETLK FD_CLOEXEC CLONE_NEWUSER CLONE_NEWNS CLONE_NEWTIME CLONE_VM CLONE_THREAD \
            PR_SET_NAME PR_GET_DUMPABLE PR_SET_NO_NEW_PRIVS PR_SET_MM PR_SET_VMA PR_CAPBSET_DROP PR_SET_SECCOMP \
            FUTEX_WAIT FUTEX_PRIVATE_FLAG FUTEX_CMD_MASK FUTEX_WAIT_BITSET SECCOMP_SET_MODE_FILTER \
            SECCOMP_FILTER_FLAG_TSYNC SECCOMP_RET_ALLOW BPF_PROG_LOAD BPF_MAP_CREATE BPF_TOKEN_CREATE KEYCTL_READ \
            KEYCTL_JOIN_SESSION_KEYRING KEY_SPEC_SESSION_KEYRING PTRACE_TRACEME PTRACE_ATTACH PTRACE_SEIZE MS_BIND MS_RDONLY \
            MS_NOSUID MADV_DONTNEED MADV_HUGEPAGE MADV_GUARD_INSTALL EPOLL_CTL_ADD EPOLL_CLOEXEC EPOLLIN POLLIN POLLOUT SIGKILL SIGCHLD SIGSYS \
            SIG_BLOCK SA_SIGINFO EPERM ENOSYS CAP_SYS_ADMIN CAP_CHECKPOINT_RESTORE PER_LINUX ADDR_NO_RANDOMIZE UNAME26 \
            LANDLOCK_CREATE_RULESET_VERSION LANDLOCK_RULE_PATH_BENEATH IORING_SETUP_SQPOLL IORING_REGISTER_BUFFERS \
            PERF_TYPE_HARDWARE PERF_FLAG_FD_CLOEXEC MFD_CLOEXEC MFD_ALLOW_SEALING RLIMIT_NOFILE RLIMIT_CORE IPC_CREAT \
            IPC_PRIVATE IPC_RMID SHM_RDONLY SHM_EXEC SEM_UNDO SHUT_RDWR SOL_SOCKET SO_REUSEADDR SO_PEERCRED IPPROTO_TCP \
            IPPROTO_IPV6 TCP_NODELAY SCHED_FIFO SCHED_DEADLINE SCHED_OTHER P_ALL P_PIDFD WNOHANG WEXITED CLOCK_REALTIME \
            CLOCK_MONOTONIC TIMER_ABSTIME MNT_DETACH MNT_FORCE UMOUNT_NOFOLLOW FSOPEN_CLOEXEC FSCONFIG_SET_STRING \
            MOVE_MOUNT_F_EMPTY_PATH OPEN_TREE_CLONE MOUNT_ATTR_RDONLY RESOLVE_BENEATH PROT_READ PROT_EXEC MAP_PRIVATE \
            MAP_FIXED MAP_SHARED MAP_ANON MREMAP_MAYMOVE MCL_CURRENT MLOCK_ONFAULT MEMBARRIER_CMD_QUERY GRND_NONBLOCK KCMP_FILE \
            RENAME_NOREPLACE RENAME_EXCHANGE SEEK_SET SEEK_HOLE LOCK_EX FALLOC_FL_PUNCH_HOLE POSIX_FADV_DONTNEED EFD_NONBLOCK \
            TFD_CLOEXEC SFD_CLOEXEC IN_CLOEXEC FAN_CLASS_CONTENT UFFD_USER_MODE_ONLY LINUX_REBOOT_CMD_RESTART \
            KEXEC_ON_CRASH MODULE_INIT_IGNORE_VERMAGIC Q_GETQUOTA SYSLOG_ACTION_READ_ALL SWAP_FLAG_DISCARD \
            IOPRIO_WHO_PROCESS MPOL_BIND RWF_NOWAIT SPLICE_F_MOVE CLOSE_RANGE_CLOEXEC PIDFD_NONBLOCK TIOCGWINSZ TIOCSTI \
            TIOCLINUX TCSETS FIONBIO FIOCLEX SIOCGIFCONF FS_IOC_GETFLAGS FICLONE LOOP_SET_FD TUNSETIFF KDSETLED VT_ACTIVATE \
            F_OK R_OK W_OK X_OK PRIO_PROCESS RUSAGE_SELF ITIMER_REAL MSG_NOSIGNAL MSG_DONTWAIT MSG_PEEK STATX_BASIC_STATS \
            XATTR_CREATE NETLINK_ROUTE NETLINK_AUDIT GETALL SETVAL MSG_EXCEPT";
        let lacking: Vec<String> = everywhere
            .split_whitespace()
            .flat_map(|name| Arch::all().map(move |arch| (name, arch)))
            .filter(|(name, arch)| constant(name, *arch).is_none())
            .map(|(name, arch)| format!("{name} on {arch}"))
            .collect();
        assert!(lacking.is_empty(), "{lacking:?}");
        values("AT_FDCWD", &[(Arch::X86_64, -100), (Arch::Aarch64, -100)]);
        values("SOCK_TYPE_MASK", &[(Arch::X86_64, 15)]);
        values("AF_ALG", &[(Arch::X86_64, 38)]);
    }

    #[test]
    fn errnos_by_abi_and_by_number() {
        assert_eq!(errno("ENOSYS", Arch::X86_64), Some(38));
        assert_eq!(errno("ENOSYS", Arch::Mips64n32), Some(89));
        assert_eq!(errno("ENOSYS", Arch::Parisc), Some(251));
        assert_eq!(errno("ENOTSUP", Arch::X86_64), Some(95));
        assert_eq!(errno("EPOLLIN", Arch::X86_64), None);
        assert_eq!(errno("ENOSUCH", Arch::X86_64), None);
        assert_eq!(errno_name(1), Some("EPERM"));
        assert_eq!(errno_name(11), Some("EAGAIN"));
        assert_eq!(errno_name(35), Some("EDEADLK"));
        assert_eq!(errno_name(95), Some("EOPNOTSUPP"));
        assert_eq!(errno_name(4095), None);
        assert!(ERRNOS.is_sorted() && ERRNO_NAMES.is_sorted());
        for (number, name) in ERRNO_NAMES {
            assert_eq!(errno(name, Arch::X86_64), Some(number));
        }
    }

    #[test]
    fn capabilities_by_name_and_number() {
        assert_eq!(capability("CAP_CHOWN"), Some(0));
        assert_eq!(capability("CAP_SYS_ADMIN"), Some(21));
        assert_eq!(capability("CAP_BPF"), Some(39));
        assert_eq!(capability("CAP_LAST_CAP"), None);
        assert_eq!(capability_name(40), Some("CAP_CHECKPOINT_RESTORE"));
        assert_eq!(capability_name(255), None);
    }
}
