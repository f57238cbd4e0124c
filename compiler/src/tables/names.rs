//! From values back to names, for messages.

use crate::spec::Arch;

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

/// A constant that a person would write for a parameter's value on an ABI; `width` is the parameter's there, and
/// `value` has no bits above it. `None` where no constant that fits the parameter has just this value.
pub fn constant_name(call: &str, param: &str, value: u64, width: u32, arch: Arch) -> Option<&'static str> {
    let low = u64::MAX >> (64 - width);
    // A constant that needs more bits than the parameter has (`CLONE_AUTOREAP` for `clone`) is none of its values.
    let fits = |known: i128| (-(1i128 << (width - 1))..1i128 << width).contains(&known);
    super::constants_for(super::syscall(call)?, param)
        .filter(|name| super::constant(name, arch).is_some_and(|known| fits(known) && known as u64 & low == value))
        .min_by_key(|name| SECOND.contains(name))
}
