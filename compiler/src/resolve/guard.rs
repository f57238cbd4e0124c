//! Guards: where and when a statement holds.
//!
//! ```text
//! when arch aarch64 && cap CAP_SYS_ADMIN { … }    →   { aarch64 }, the environments with that capability
//! ```

use crate::diagram::Node;
use crate::spec::Arch;

/// A set of ABIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchSet(u32);

impl ArchSet {
    /// All ABIs.
    pub const ALL: Self = Self(u32::MAX);
    /// None.
    pub const NONE: Self = Self(0);

    /// The set with one more.
    #[must_use]
    pub fn with(self, arch: Arch) -> Self {
        Self(self.0 | 1 << arch as u32)
    }

    /// Those of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// All others.
    #[must_use]
    pub fn others(self) -> Self {
        Self(!self.0)
    }

    /// Whether `arch` is in it.
    pub fn has(self, arch: Arch) -> bool {
        self.0 >> arch as u32 & 1 == 1
    }
}

/// Where and when a statement holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    /// On which ABIs.
    pub archs: ArchSet,
    /// In which environments: a set that asks about capabilities and the kernel only.
    pub environment: Node,
    /// Whether any `when` stands around it, even one that always holds here.
    pub guarded: bool,
    /// Whether one of them asks about capabilities or the kernel, even if that is settled when building: what may stand
    /// where must not depend on the answer.
    pub asks: bool,
    /// Whether options have settled some of it: what is said here may be said elsewhere for other hosts.
    pub settled: bool,
}

impl Guard {
    /// Always and everywhere.
    pub const ALWAYS: Self =
        Self { archs: ArchSet::ALL, environment: Node::TRUE, guarded: false, asks: false, settled: false };
}
