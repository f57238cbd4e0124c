//! From values back to names, for messages.

use crate::spec::Arch;

/// Of several names for one value, the one that people write.
const USUAL: [&str; 20] = [
    "AF_UNIX",
    "AF_NETLINK",
    "SOCK_CLOEXEC",
    "SOCK_NONBLOCK",
    "PER_LINUX32",
    "O_CLOEXEC",
    "O_NONBLOCK",
    "MAP_ANONYMOUS",
    "SIGCHLD",
    "SIGABRT",
    "SIGSYS",
    "MADV_DONTNEED",
    "F_DUPFD",
    "F_GETFD",
    "F_SETFD",
    "F_SETFL",
    "F_SETOWN",
    "F_GETOWN",
    "FIONREAD",
    "TIOCGWINSZ",
];

/// Second names of values: known to few, or gone out of use.
const SECOND: [&str; 10] = [
    "AF_FILE",
    "AF_LOCAL",
    "AF_ROUTE",
    "IPPROTO_HOPOPTS",
    "MAP_ANON",
    "O_FSYNC",
    "O_NDELAY",
    "SIGCLD",
    "SIGIOT",
    "SIGPOLL",
];

/// Beginnings of names that are meant more often than others of the same value: terminals before sound cards, sockets before
/// what one protocol has.
const USUAL_FAMILIES: [&str; 6] = ["SO_", "TC", "TIOC", "FIO", "SIOC", "FS_IOC"];

/// Beginnings of names that belong to an option's own argument, not to the option.
const DETAILS: [&str; 7] =
    ["PR_SET_MM_", "PR_SET_VMA_", "F_OWNER_", "FUTEX_OP_", "FUTEX_ROBUST_", "FUTEX_32", "FUTEX_FD"];

/// What is said before what, of names for one value; the smallest is the one to write.
pub fn rank(name: &str) -> impl Ord + use<> {
    let family = USUAL_FAMILIES.iter().position(|family| name.starts_with(family));
    let detail = DETAILS.iter().any(|detail| name.starts_with(detail))
        || name.starts_with("PR_") && !name.starts_with("PR_SET_") && !name.starts_with("PR_GET_");
    let second = SECOND.contains(&name) || name.ends_with("_MAX");
    (!USUAL.contains(&name), second, detail, family.unwrap_or(USUAL_FAMILIES.len()))
}

/// A constant that a person would write for a parameter's value on an ABI; `width` is the parameter's there, and
/// `value` has no bits above it. `None` where no constant that fits the parameter has just this value.
pub fn constant_name(call: &str, param: &str, value: u64, width: u32, arch: Arch) -> Option<&'static str> {
    let low = u64::MAX >> (64 - width);
    // A constant that needs more bits than the parameter has (`CLONE_AUTOREAP` for `clone`) is none of its values.
    let fits = |known: i128| (-(1i128 << (width - 1))..1i128 << width).contains(&known);
    super::constants_for(super::syscall(call)?, param)
        .filter(|name| super::constant(name, arch).is_some_and(|known| fits(known) && known as u64 & low == value))
        .min_by_key(|name| rank(name))
}
