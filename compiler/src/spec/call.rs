//! A call as the kernel shows it to a filter (`struct seccomp_data`, `include/uapi/linux/seccomp.h`), and
//! what surrounds it when a policy is put to use.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::Arch;

/// A system call number as it stands in `seccomp_data.nr`: for x32 with bit 30 set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Nr(pub u32);

/// One concrete call. On 32-bit ABIs the upper halves of the arguments are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Call {
    /// Through which ABI it came.
    pub arch: Arch,
    /// Its number there.
    pub nr: Nr,
    /// The six argument registers.
    pub args: [u64; 6],
}

/// What `when cap` and `when kernel` ask about, fully known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// Numbers of the capabilities held (`include/uapi/linux/capability.h`).
    pub caps: BTreeSet<u8>,
    /// The running kernel.
    pub kernel: KernelVersion,
}

/// Major and minor number of a kernel release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct KernelVersion {
    /// The first number.
    pub major: u8,
    /// The second.
    pub minor: u8,
}

impl fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl KernelVersion {
    /// Of what `uname -r` prints: `6.1.0-28-amd64` is 6.1. `None` if it does not begin with two numbers of at most 255.
    pub fn of_release(release: &str) -> Option<Self> {
        let mut parts = release.splitn(3, '.');
        let major = parts.next()?;
        let minor = parts.next()?.split('-').next()?;
        format!("{major}.{minor}").parse().ok()
    }
}

impl FromStr for KernelVersion {
    type Err = ();

    /// `5.11`; each number at most 255; nothing else before or behind.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (major, minor) = text.split_once('.').ok_or(())?;
        let number = |digits: &str| {
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(());
            }
            digits.parse::<u8>().map_err(|_| ())
        };
        Ok(Self { major: number(major)?, minor: number(minor)? })
    }
}
