//! What runtimes and libseccomp refuse: no container starts under such a profile.
//!
//! ```text
//! "action": "SCMP_ACT_ALLOW", "errnoRet": 1     →  crun: errno value specified for action
//! ```

use std::fmt;

use super::Release;
use crate::oci::profile::Profile;
use crate::spec::{Action, Arch};

/// The part of a profile that a runtime does not take.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// `flags`.
    Flags,
    /// `architectures`, `archMap`.
    Arch,
    /// `defaultAction`, `defaultErrnoRet`.
    Default,
    /// The entry of a call.
    Entry(String),
    /// `includes`, `excludes`.
    Conditions,
    /// `listenerPath`.
    Listener,
}

/// What a runtime does not take of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Where it stands.
    pub field: Field,
    /// What it is: "`SCMP_ACT_NOTIFY`".
    pub what: String,
    /// The first release that takes it; `None` if none does.
    pub since: Option<String>,
    /// Whether it is an error there, or passed over without a word.
    pub fatal: bool,
}

impl Refused {
    /// Something for which no container starts.
    pub fn field(field: Field, what: &str, since: Option<&str>) -> Self {
        Self { field, what: what.to_owned(), since: since.map(str::to_owned), fatal: true }
    }

    /// Something that is not read.
    pub fn passed_over(field: Field, what: &str, since: &str) -> Self {
        Self { field, what: what.to_owned(), since: Some(since.to_owned()), fatal: false }
    }
}

/// Flags that are not known there.
pub fn flags(
    profile: &Profile,
    known: impl Fn(&str) -> bool,
    since: impl Fn(&str) -> Option<&'static str>,
) -> Vec<Refused> {
    let unknown = profile.flags.iter().filter(|flag| !known(flag));
    unknown.map(|flag| Refused::field(Field::Flags, &format!("the flag `{flag}`"), since(flag))).collect()
}

/// Why a runtime would refuse the profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadError {
    /// Both `architectures` and `archMap`.
    BothArchLists,
    /// An ABI of the other byte order than the host's.
    OtherByteOrder(Arch),
    /// A number beside an action that takes none; the index is the entry's, `None` for the default.
    ErrnoBesideOther(Option<usize>),
    /// An action that libseccomp does not take; the index is the entry's, `None` for the default.
    ActionRefused(Option<usize>, Refusal),
    /// The host is not a kernel's own ABI.
    NotAHost(Arch),
    /// The diagram has grown past its bound.
    TooLarge,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BothArchLists => f.write_str("`architectures` and `archMap` are both given; runtimes take one"),
            Self::OtherByteOrder(arch) => {
                write!(f, "`{}` has another byte order than the host; libseccomp takes no such mix", arch.oci_name())
            }
            Self::ErrnoBesideOther(None) => f.write_str("`defaultErrnoRet` beside an action that takes no number"),
            Self::ErrnoBesideOther(Some(index)) => {
                write!(f, "syscalls[{index}]: `errnoRet` beside an action that takes no number")
            }
            Self::ActionRefused(None, refusal) => write!(f, "the default: {refusal}"),
            Self::ActionRefused(Some(index), refusal) => write!(f, "syscalls[{index}]: {refusal}"),
            Self::NotAHost(arch) => write!(f, "no kernel is `{arch}` only"),
            Self::TooLarge => f.write_str("the profile is too large to be understood within bounds"),
        }
    }
}

impl std::error::Error for LoadError {}

/// An action that libseccomp refuses, as default (`seccomp_init`) and for a rule (`seccomp_rule_add`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// An errno past [`MAX_ERRNO`].
    Errno(u16),
    /// An action that came with a later release.
    TooNew(Action, Release),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errno(errno) => write!(f, "libseccomp refuses errno {errno}; it takes 0 to {MAX_ERRNO}"),
            Self::TooNew(action, (major, minor, _)) => {
                write!(f, "libseccomp has no `{}` before {major}.{minor}", action.word())
            }
        }
    }
}

/// The largest errno that libseccomp takes (`sys_chk_seccomp_action`, `src/system.c`): one less than the kernel's own.
pub const MAX_ERRNO: u16 = Action::MAX_ERRNO - 1;

/// Whether a release (`None`: the newest) refuses an action. Of those that a release knows it also asks the running kernel
/// whether it has them: 4.14 for `log` and `kill`, 5.0 for `notify`.
pub fn refuses(action: Action, release: Option<Release>) -> Option<Refusal> {
    let since = match action {
        Action::Errno(errno) if errno > MAX_ERRNO => return Some(Refusal::Errno(errno)),
        Action::KillProcess | Action::Log => (2, 4, 0),
        Action::Notify => (2, 5, 0),
        _ => return None,
    };
    release.is_some_and(|release| release < since).then_some(Refusal::TooNew(action, since))
}
