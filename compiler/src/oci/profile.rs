//! A profile as data: the fields of `linux.seccomp` and of the dialects around it.
//!
//! ```text
//! { "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{ "names": ["read"], "action": "SCMP_ACT_ALLOW" }] }
//! ```
//!
//! Three formats share the file: the OCI runtime specification (opencontainers/runtime-spec, `config-linux.md`,
//! "Seccomp"), containers/common (`pkg/seccomp/types.go`: `archMap`, `includes`, `excludes`, `errno`), and moby
//! (`profiles/seccomp`: `minKernel`). Missing and empty lists mean the same to all of them, so they do here.

use serde::Serialize;

use crate::spec::{Action, Arch, KernelVersion};

/// A whole profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// What calls get that no entry matches.
    #[serde(serialize_with = "action_name")]
    pub default_action: ActionName,
    /// The errno of that action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_errno_ret: Option<u32>,
    /// ABIs beside the host's own.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "arch_names")]
    pub architectures: Vec<Arch>,
    /// The same by host; never together with `architectures`.
    #[serde(skip)]
    pub arch_map: Vec<ArchMap>,
    /// `SECCOMP_FILTER_FLAG_…`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// Socket of the agent that answers `SCMP_ACT_NOTIFY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listener_path: Option<String>,
    /// Handed to that agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listener_metadata: Option<String>,
    /// The entries.
    pub syscalls: Vec<Entry>,
}

/// An action before its data is known: errno and trace take it from a field beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ActionName(Action);

/// `archMap`: a host's ABI and those that it may serve besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchMap {
    /// The host's own.
    pub arch: Arch,
    /// The others.
    pub sub: Vec<Arch>,
}

/// One entry of `syscalls`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The calls.
    pub names: Vec<String>,
    /// What they get.
    #[serde(serialize_with = "action_name")]
    pub action: ActionName,
    /// The errno, or what a tracer is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno_ret: Option<u32>,
    /// All must hold; but where an index comes twice, one that holds is enough.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<Arg>,
    /// Where the entry counts.
    #[serde(skip_serializing_if = "Filter::is_empty")]
    pub includes: Filter,
    /// Where it does not.
    #[serde(skip_serializing_if = "Filter::is_empty")]
    pub excludes: Filter,
}

/// A comparison of one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Arg {
    /// Which argument, 0 … 5.
    pub index: u8,
    /// The number; for `SCMP_CMP_MASKED_EQ` the mask.
    pub value: u64,
    /// For `SCMP_CMP_MASKED_EQ` the number.
    #[serde(skip_serializing_if = "is_zero_of_unmasked")]
    pub value_two: ValueTwo,
    /// How they are compared.
    pub op: Op,
}

/// `valueTwo`, left out of the text where the operator does not look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize)]
#[serde(transparent)]
pub struct ValueTwo(pub Option<u64>);

/// An operator. All compare unsigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Op {
    /// Not equal.
    #[serde(rename = "SCMP_CMP_NE")]
    Ne,
    /// Less.
    #[serde(rename = "SCMP_CMP_LT")]
    Lt,
    /// Less or equal.
    #[serde(rename = "SCMP_CMP_LE")]
    Le,
    /// Equal.
    #[serde(rename = "SCMP_CMP_EQ")]
    Eq,
    /// Greater or equal.
    #[serde(rename = "SCMP_CMP_GE")]
    Ge,
    /// Greater.
    #[serde(rename = "SCMP_CMP_GT")]
    Gt,
    /// Equal under a mask.
    #[serde(rename = "SCMP_CMP_MASKED_EQ")]
    MaskedEq,
}

/// Where an entry counts, or does not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Filter {
    /// Names of hosts as Go and libseccomp-golang spell them (`amd64`); one that fits is enough.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub arches: Vec<String>,
    /// Names of capabilities in the bounding set. To include, all must be there; to exclude, one is enough.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub caps: Vec<String>,
    /// Kernels from this one on; known to moby only.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "version")]
    pub min_kernel: Option<KernelVersion>,
}

impl Filter {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.arches.is_empty() && self.caps.is_empty() && self.min_kernel.is_none()
    }
}

impl Op {
    /// The operator of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "SCMP_CMP_NE" => Self::Ne,
            "SCMP_CMP_LT" => Self::Lt,
            "SCMP_CMP_LE" => Self::Le,
            "SCMP_CMP_EQ" => Self::Eq,
            "SCMP_CMP_GE" => Self::Ge,
            "SCMP_CMP_GT" => Self::Gt,
            "SCMP_CMP_MASKED_EQ" => Self::MaskedEq,
            _ => return None,
        })
    }
}

impl ActionName {
    /// EPERM: what crun (`libcrun_generate_seccomp`) and runc (`getAction`) take where no errno is given, for a
    /// tracer too.
    const UNSAID: u16 = 1;

    /// The name of an action, and what the field beside it has to say. `None` for data that JSON has no place for.
    pub fn of(action: Action) -> Option<(Self, Option<u32>)> {
        let data = match action {
            Action::Errno(data) | Action::Trace(data) => Some(u32::from(data)),
            Action::Trap(data) if data != 0 => return None,
            _ => None,
        };
        Some((Self::plain(action), data))
    }

    fn plain(action: Action) -> Self {
        Self(match action {
            Action::Errno(_) => Action::Errno(Self::UNSAID),
            Action::Trace(_) => Action::Trace(Self::UNSAID),
            other => other,
        })
    }

    /// The action of that name. `SCMP_ACT_KILL` is an older name of `SCMP_ACT_KILL_THREAD` (`seccomp.h.in` of
    /// libseccomp).
    pub fn from_name(name: &str) -> Option<Self> {
        const ALL: [Action; 8] = [
            Action::KillProcess,
            Action::KillThread,
            Action::Trap(0),
            Action::Errno(0),
            Action::Notify,
            Action::Trace(0),
            Action::Log,
            Action::Allow,
        ];
        if name == "SCMP_ACT_KILL" {
            return Some(Self(Action::KillThread));
        }
        ALL.into_iter().find(|action| action.oci_name() == name).map(Self::plain)
    }

    /// The name.
    pub fn name(self) -> &'static str {
        self.0.oci_name()
    }

    /// Whether a number beside it means something. crun refuses one beside any other action
    /// (containers/crun, `seccomp_action_supports_errno`).
    pub fn takes_errno(self) -> bool {
        matches!(self.0, Action::Errno(_) | Action::Trace(_))
    }

    /// The action with its data: sixteen bits, as `SCMP_ACT_ERRNO(x)` cuts it.
    pub fn with(self, errno: Option<u32>) -> Action {
        let data = errno.map_or(Self::UNSAID, |errno| (errno & 0xffff) as u16);
        match self.0 {
            Action::Errno(_) => Action::Errno(data),
            Action::Trace(_) => Action::Trace(data),
            other => other,
        }
    }
}

fn action_name<S: serde::Serializer>(action: &ActionName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(action.name())
}

fn arch_names<S: serde::Serializer>(archs: &[Arch], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(archs.iter().map(|arch| arch.oci_name()))
}

fn version<S: serde::Serializer>(version: &Option<KernelVersion>, serializer: S) -> Result<S::Ok, S::Error> {
    match version {
        Some(version) => serializer.collect_str(version),
        None => serializer.serialize_none(),
    }
}

fn is_zero_of_unmasked(two: &ValueTwo) -> bool {
    two.0.is_none()
}
