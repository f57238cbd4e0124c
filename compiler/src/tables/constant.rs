//! Constants by name and ABI.

use crate::spec::Arch;

/// The value of a constant such as `O_CLOEXEC` on an ABI.
pub fn constant(_name: &str, _arch: Arch) -> Option<i128> {
    None
}

/// Whether any ABI has a constant of that name.
pub fn is_constant(_name: &str) -> bool {
    false
}

/// Names of all constants, sorted.
pub fn constant_names() -> impl Iterator<Item = &'static str> {
    std::iter::empty()
}

/// The number of an errno's name on an ABI (they differ on MIPS and PA-RISC).
pub fn errno(_name: &str, _arch: Arch) -> Option<u16> {
    None
}

/// The name of an errno as most ABIs have it.
pub fn errno_name(_errno: u16) -> Option<&'static str> {
    None
}

/// The number of `CAP_…`.
pub fn capability(_name: &str) -> Option<u8> {
    None
}

/// The name of a capability's number.
pub fn capability_name(_number: u8) -> Option<&'static str> {
    None
}
