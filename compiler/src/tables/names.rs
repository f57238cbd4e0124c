//! From values back to names, for messages.

use crate::spec::Arch;

/// A constant that a person would write for a parameter's value on an ABI; `width` is the parameter's there.
pub fn constant_name(_call: &str, _param: &str, _value: u64, _width: u32, _arch: Arch) -> Option<&'static str> {
    None
}
