//! From values back to names, for messages.

use crate::spec::Arch;

/// Second names of values, which few write.
const SECOND_NAMES: [&str; 6] = ["AF_LOCAL", "AF_ROUTE", "PF_LOCAL", "PF_ROUTE", "SIGIOT", "SIGPOLL"];

/// A constant that a person would write for a parameter's value on an ABI; `width` is the parameter's there, and
/// `value` has no bits above it. `None` where no constant that fits the parameter has just this value.
pub fn constant_name(call: &str, param: &str, value: u64, width: u32, arch: Arch) -> Option<&'static str> {
    let low = u64::MAX >> (64 - width);
    super::constants_for(super::syscall(call)?, param)
        .filter(|name| super::constant(name, arch).is_some_and(|known| known as u64 & low == value))
        .min_by_key(|name| SECOND_NAMES.contains(name))
}
