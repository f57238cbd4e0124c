//! From values back to names, for messages.

use crate::spec::Arch;

/// Names of errnos, for suggestions.
pub fn errno_names() -> impl Iterator<Item = &'static str> {
    super::constant_names().filter(|name| super::errno(name, Arch::X86_64).is_some())
}

/// A constant that a person would write for a parameter's value on an ABI; `width` is the parameter's there.
pub fn constant_name(_call: &str, _param: &str, _value: u64, _width: u32, _arch: Arch) -> Option<&'static str> {
    None
}
