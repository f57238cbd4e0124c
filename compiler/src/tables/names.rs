//! Which constants fit a parameter, and from values back to names, for messages.
//!
//! ```text
//! socket, protocol, 9     family is AF_NETLINK: NETLINK_AUDIT     AF_INET: IPPROTO_…     not known: 9
//! ```

use super::constant::valued_with_prefix;
use super::families::{FAMILIES, When};
use super::{Syscall, constant, constants_with_prefix};
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

/// What is known of the other arguments of a call: by parameter, the values that each may have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known(Vec<(&'static str, Vec<i128>)>);

impl Known {
    /// Notes the values that a parameter may have.
    pub fn push(&mut self, param: &'static str, values: Vec<i128>) {
        self.0.push((param, values));
    }

    /// Takes back what was noted last.
    pub fn pop(&mut self) {
        self.0.pop();
    }

    fn of(&self, param: &str) -> &[i128] {
        self.0.iter().rev().find(|(known, _)| *known == param).map_or(&[], |(_, values)| values)
    }
}

/// Constants by what they begin with, and when they fit; see [`FAMILIES`].
type Row = (u16, &'static str, &'static [&'static str], When);

fn rows(call: Syscall, param: &str) -> &'static [Row] {
    let first = FAMILIES.partition_point(|&(of, name, ..)| (of, name) < (call.0, param));
    let end = FAMILIES.partition_point(|&(of, name, ..)| (of, name) <= (call.0, param));
    &FAMILIES[first..end]
}

fn begins(entry: &str, name: &str) -> bool {
    match entry.strip_prefix('=') {
        Some(whole) => name == whole,
        None => name.starts_with(entry),
    }
}

/// Whether a constant is one of a row's.
fn is_in(row: &Row, name: &str) -> bool {
    let mut found = false;
    for entry in row.2 {
        match entry.strip_prefix('-') {
            Some(other) if begins(other, name) => return false,
            Some(_) => {}
            None => found |= begins(entry, name),
        }
    }
    found
}

/// Constants of some rows, each once, in the order of the rows, of those that `begin_so` gives for a beginning.
fn constants_of<N: Iterator<Item = &'static str>>(
    rows: &'static [Row],
    wanted: Vec<usize>,
    begin_so: impl Fn(&'static str) -> N,
) -> impl Iterator<Item = &'static str> {
    let begun = wanted.into_iter().flat_map(move |at| {
        let entries = rows[at].2.iter().enumerate().filter(|(_, entry)| !entry.starts_with('-'));
        entries.map(move |(index, entry)| (at, index, *entry))
    });
    begun.flat_map(move |(at, index, entry)| {
        let whole = entry.strip_prefix('=');
        let names = begin_so(whole.unwrap_or(entry)).filter(move |name| whole.is_none_or(|whole| *name == whole));
        names.filter(move |name| {
            let earlier = rows[at].2[..index].iter().any(|earlier| begins(earlier, name));
            is_in(&rows[at], name) && !earlier && !rows[..at].iter().any(|row| is_in(row, name))
        })
    })
}

/// Names of the constants that fit a parameter, by the kernel's name of it: `AF_ALG` … for `socket`'s `family`, whatever the
/// other arguments are. Many parameters have none. Each constant comes once, family by family.
pub fn constants_for(call: Syscall, param: &str) -> impl Iterator<Item = &'static str> {
    let rows = rows(call, param);
    constants_of(rows, (0..rows.len()).collect(), constants_with_prefix)
}

/// Parameters that a constant fits, some under certain values of other arguments only, in the order of the calls: `family` of
/// `socket` for AF_ALG.
pub fn fitting(name: &str) -> impl Iterator<Item = (Syscall, &'static str)> {
    FAMILIES.iter().filter(move |row| is_in(row, name)).map(|row| (Syscall(row.0), row.1))
}

/// The same where something is known of the other arguments: `NETLINK_AUDIT` … for `socket`'s `protocol` where `family` is
/// AF_NETLINK, none where nobody knows.
pub fn constants_given(call: Syscall, param: &str, known: &Known, arch: Arch) -> impl Iterator<Item = &'static str> {
    let rows = rows(call, param);
    constants_of(rows, rows_given(rows, known, arch), constants_with_prefix)
}

/// The same, for those whose value is wanted. Of thousands of requests of `ioctl` few have one value: they are asked for it
/// first, since that is quick, and then whether they are the parameter's.
pub fn constants_valued(
    call: Syscall,
    param: &str,
    known: &Known,
    arch: Arch,
    wanted: impl Fn(i128) -> bool + Copy,
) -> impl Iterator<Item = &'static str> {
    let rows = rows(call, param);
    constants_of(rows, rows_given(rows, known, arch), move |prefix| valued_with_prefix(prefix, arch, wanted))
}

/// The rows that may hold where that is known of the other arguments.
fn rows_given(rows: &'static [Row], known: &Known, arch: Arch) -> Vec<usize> {
    let fits = |row: &Row| {
        row.3.is_none_or(|(of, constants)| {
            let values = known.of(of);
            let one = |value: &i128| constants.iter().any(|name| constant(name, arch) == Some(*value));
            !values.is_empty() && values.iter().all(one)
        })
    };
    (0..rows.len()).filter(|&at| fits(&rows[at])).collect()
}

/// Whether a constant surely means something else than a value of the parameter: it was left out of the parameter's own
/// constants by hand, or it is another parameter's and begins as none of these does.
///
/// Lists by hand are never complete: so whatever looks like one of the parameter's own is taken for one, and so is a flag
/// that several families have under one value (`O_CLOEXEC` for `SOCK_CLOEXEC`).
pub fn is_foreign(call: Syscall, param: &str, name: &str, arch: Arch) -> bool {
    // Whoever asks about `ioctl` has requests of drivers in mind that nobody has listed; permissions stand among the flags of
    // System V's calls.
    const OPEN: [(&str, &str); 5] =
        [("ioctl", "cmd"), ("semget", "semflg"), ("shmget", "shmflg"), ("msgget", "msgflg"), ("mq_open", "oflag")];
    let own = rows(call, param);
    if own.is_empty() || own.iter().any(|row| is_in(row, name)) {
        return false;
    }
    let entries = || own.iter().flat_map(|row| row.2);
    let left_out = |entry: &&str| entry.strip_prefix('-').is_some_and(|other| begins(other, name));
    if entries().any(left_out) {
        return own.iter().all(|row| row.3.is_none());
    }
    let Some((first, _)) = name.split_once('_') else { return false };
    let alike = |entry: &&str| {
        let entry = entry.trim_start_matches(['-', '=']);
        entry.split('_').next() == Some(first)
    };
    if OPEN.contains(&(call.name(), param)) || entries().any(alike) {
        return false;
    }
    let last = |name: &str| name.rsplit('_').next().map(str::to_owned);
    let same = |own: &str| last(own) == last(name) && constant(own, arch) == constant(name, arch);
    FAMILIES.iter().any(|row| is_in(row, name)) && !constants_for(call, param).any(same)
}

/// Whether a parameter's values are bits, each with a meaning, or a value with bits beside it, rather than a list of values: of
/// a list, a bit has no name.
pub fn is_flags(call: Syscall, param: &str) -> bool {
    ["flag", "flg", "personality", "mask", "mode", "options"].iter().any(|word| param.contains(word))
        || matches!(param, "prot" | "init_val")
        || param == "type" && call.name().starts_with("socket")
        || param == "op" && call.name().starts_with("futex")
        || param == "policy" && call.name() == "sched_setscheduler"
}

/// A constant that a person would write for a parameter's value on an ABI; `width` is the parameter's there, and
/// `value` has no bits above it. `None` where no constant that fits the parameter has just this value.
pub fn constant_name(
    call: Syscall,
    param: &str,
    value: u64,
    width: u32,
    arch: Arch,
    known: &Known,
) -> Option<&'static str> {
    let low = u64::MAX >> (64 - width);
    // A constant that needs more bits than the parameter has (`CLONE_AUTOREAP` for `clone`) is none of its values.
    let fits = |known: i128| (-(1i128 << (width - 1))..1i128 << width).contains(&known);
    constants_given(call, param, known, arch)
        .filter(|name| constant(name, arch).is_some_and(|known| fits(known) && known as u64 & low == value))
        .min_by_key(|name| rank(name))
}
