//! Facts about the kernel: numbers, parameters, constants, releases. Static and sorted; nothing is parsed at start-up.

use crate::spec::{Arch, Nr};

/// A syscall of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Syscall(u16);

/// A parameter as the kernel declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param {
    /// The kernel's name.
    pub name: &'static str,
    /// The kernel's type: `int`, `const char *`.
    pub ty: &'static str,
    /// How many low bits of the register the kernel looks at on a 64-bit ABI: 8, 16, 32 or 64.
    pub bits: u8,
    /// Whether they are a two's complement number.
    pub signed: bool,
    /// Whether it is an address.
    pub pointer: bool,
}

/// The syscall of that kernel name.
pub fn syscall(_name: &str) -> Option<Syscall> {
    None
}

/// The syscall with that number on that ABI.
pub fn syscall_at(_arch: Arch, _nr: Nr) -> Option<Syscall> {
    None
}

impl Syscall {
    /// All of them, sorted by name.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        (0..0).map(Self)
    }

    /// Its kernel name.
    pub fn name(self) -> &'static str {
        ""
    }

    /// Its number on an ABI, with bit 30 set on x32.
    pub fn nr(self, _arch: Arch) -> Option<Nr> {
        None
    }

    /// Its parameters in the order of the registers of that ABI (`clone` differs between them). `None`
    /// where they are not known. On a 32-bit ABI a 64-bit parameter is split over two registers: see [`Param::bits`].
    pub fn params(self, _arch: Arch) -> Option<&'static [Param]> {
        None
    }

    /// The kernel's name of a parameter that the manual page calls `alias` (`socket`'s `domain` is `family`).
    pub fn alias(self, _alias: &str) -> Option<&'static str> {
        None
    }

    /// First kernel that had it.
    pub fn introduced(self) -> Option<&'static str> {
        None
    }

    /// First libseccomp release that knows the name; `None` if no release does.
    pub fn libseccomp(self) -> Option<&'static str> {
        None
    }
}

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
