//! A finished policy: the function, and what the outputs need to know beside it.

pub mod build;
mod complain;
pub mod multiplexed;
pub mod proof;
pub mod waive;
pub mod witness;

use std::collections::BTreeMap;

use crate::diagram::{Function, Node};
use crate::spec::{Action, Arch, Nr};
use crate::tables;

pub use waive::{Waivable, Waiver};

/// A finished policy. Its nodes belong to the store that it was made in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// What it means, for every ABI of `archs`.
    pub function: Function,
    /// ABIs that the process may use, in the order of [`Arch`].
    pub archs: Vec<Arch>,
    /// Whether the policy names no ABI itself: then it is for the node's own, `archs` is x86_64 and aarch64, and
    /// JSON names no architectures.
    pub native: bool,
    /// What calls get that no rule claims.
    pub default: Action,
    /// Names of the calls that the policy declares itself (`syscall listns = 470 on x86_64`).
    pub declared: BTreeMap<(Arch, Nr), String>,
    /// Of calls that several rules look at the arguments of: the rules' sets and what each gives, those that win first. It
    /// says nothing that `function` does not say.
    pub said: BTreeMap<(Arch, Nr), Vec<(Node, Action)>>,
    /// `SECCOMP_FILTER_FLAG_…`, sorted.
    pub flags: Vec<Flag>,
    /// Who answers `notify`.
    pub listener: Option<Listener>,
    /// Assertions of included files that need not hold.
    pub waivers: Vec<Waiver>,
}

/// A flag of `seccomp(2)` that the language knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Flag {
    /// `log`: every answer but `allow` is logged.
    Log,
    /// `tsync`: all threads get the filter.
    Tsync,
    /// `spec_allow`: leaves speculation as it is.
    SpecAllow,
    /// `wait_killable_recv`: a call that a listener has received can be ended by fatal signals only.
    WaitKillableRecv,
}

/// `listener "/run/agent.sock" "metadata"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Path of the socket.
    pub path: String,
    /// Handed to the agent.
    pub metadata: Option<String>,
}

impl Policy {
    /// The name of a call, if the tables or the policy have one.
    pub fn call_name(&self, arch: Arch, nr: Nr) -> Option<&str> {
        match self.declared.get(&(arch, nr)) {
            Some(name) => Some(name),
            None => tables::syscall_at(arch, nr).map(tables::Syscall::name),
        }
    }
}

impl Flag {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Log, Self::Tsync, Self::SpecAllow, Self::WaitKillableRecv];

    /// The word of the language.
    pub fn word(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Tsync => "tsync",
            Self::SpecAllow => "spec_allow",
            Self::WaitKillableRecv => "wait_killable_recv",
        }
    }

    /// The name in JSON (OCI runtime specification, `linux.seccomp.flags`).
    pub fn oci_name(self) -> &'static str {
        match self {
            Self::Log => "SECCOMP_FILTER_FLAG_LOG",
            Self::Tsync => "SECCOMP_FILTER_FLAG_TSYNC",
            Self::SpecAllow => "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
            Self::WaitKillableRecv => "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
        }
    }

    /// The bit for `seccomp(2)` (`include/uapi/linux/seccomp.h`).
    pub fn bit(self) -> u32 {
        match self {
            Self::Tsync => 1,
            Self::Log => 2,
            Self::SpecAllow => 4,
            Self::WaitKillableRecv => 32,
        }
    }
}
