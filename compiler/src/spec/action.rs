//! What the kernel can be told to do with a call.
//!
//! ```text
//! deny(ENOSYS)  →  Action::Errno(38)  →  SECCOMP_RET_ERRNO | 38 = 0x00050026
//! ```
//!
//! Values and their order of precedence are `include/uapi/linux/seccomp.h`; `man 2 seccomp` tells what each does.

use std::fmt;

/// An answer of a filter. The order of the variants is the kernel's order of precedence: where several
/// filters are installed, the answer of the least [precedence](Action::precedence) wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// `kill`: ends the process with SIGSYS.
    KillProcess,
    /// `kill_thread`: ends the thread.
    KillThread,
    /// `trap(n)`: sends SIGSYS; the handler finds n in `si_errno`.
    Trap(u16),
    /// `deny(n)`: the call returns -1 and errno n.
    Errno(u16),
    /// `notify`: asks a listener in user space.
    Notify,
    /// `trace(n)`: asks a ptrace tracer, ENOSYS if there is none.
    Trace(u16),
    /// `log`: runs the call and logs it.
    Log,
    /// `allow`: runs the call.
    Allow,
}

impl Action {
    /// The largest errno that the kernel hands on (`MAX_ERRNO`, `include/linux/err.h`); larger ones are cut to it.
    pub const MAX_ERRNO: u16 = 4095;

    /// The 32-bit value that a filter returns for this action.
    pub fn to_ret(self) -> u32 {
        match self {
            Self::KillProcess => 0x8000_0000,
            Self::KillThread => 0,
            Self::Trap(data) => 0x0003_0000 | u32::from(data),
            Self::Errno(errno) => 0x0005_0000 | u32::from(errno),
            Self::Notify => 0x7fc0_0000,
            Self::Trace(data) => 0x7ff0_0000 | u32::from(data),
            Self::Log => 0x7ffc_0000,
            Self::Allow => 0x7fff_0000,
        }
    }

    /// What the kernel does on a filter's return value (`__seccomp_filter`, `kernel/seccomp.c`): an unknown
    /// action ends the process, data of actions that take none is ignored, a large errno is cut.
    pub fn from_ret(ret: u32) -> Self {
        let data = (ret & 0xffff) as u16;
        match ret & 0xffff_0000 {
            0 => Self::KillThread,
            0x0003_0000 => Self::Trap(data),
            0x0005_0000 => Self::Errno(data.min(Self::MAX_ERRNO)),
            0x7fc0_0000 => Self::Notify,
            0x7ff0_0000 => Self::Trace(data),
            0x7ffc_0000 => Self::Log,
            0x7fff_0000 => Self::Allow,
            _ => Self::KillProcess,
        }
    }

    /// Place in the kernel's order of precedence, 0 for the strictest; what the action carries does not count.
    pub fn precedence(self) -> u8 {
        match self {
            Self::KillProcess => 0,
            Self::KillThread => 1,
            Self::Trap(_) => 2,
            Self::Errno(_) => 3,
            Self::Notify => 4,
            Self::Trace(_) => 5,
            Self::Log => 6,
            Self::Allow => 7,
        }
    }

    /// The word of the language, without its argument.
    pub fn word(self) -> &'static str {
        match self {
            Self::KillProcess => "kill",
            Self::KillThread => "kill_thread",
            Self::Trap(_) => "trap",
            Self::Errno(_) => "deny",
            Self::Notify => "notify",
            Self::Trace(_) => "trace",
            Self::Log => "log",
            Self::Allow => "allow",
        }
    }

    /// The name in the OCI runtime specification (`config-linux.md`, "Seccomp").
    pub fn oci_name(self) -> &'static str {
        match self {
            Self::KillProcess => "SCMP_ACT_KILL_PROCESS",
            Self::KillThread => "SCMP_ACT_KILL_THREAD",
            Self::Trap(_) => "SCMP_ACT_TRAP",
            Self::Errno(_) => "SCMP_ACT_ERRNO",
            Self::Notify => "SCMP_ACT_NOTIFY",
            Self::Trace(_) => "SCMP_ACT_TRACE",
            Self::Log => "SCMP_ACT_LOG",
            Self::Allow => "SCMP_ACT_ALLOW",
        }
    }

    /// The action of a word with what it carries: EPERM for a bare `deny`, as most ABIs number it, else 0.
    pub fn from_word(word: &str, data: Option<u16>) -> Option<Self> {
        Some(match word {
            "allow" => Self::Allow,
            "log" => Self::Log,
            "deny" => Self::Errno(data.unwrap_or(1)),
            "kill" => Self::KillProcess,
            "kill_thread" => Self::KillThread,
            "trap" => Self::Trap(data.unwrap_or(0)),
            "trace" => Self::Trace(data.unwrap_or(0)),
            "notify" => Self::Notify,
            _ => return None,
        })
    }

    /// What the kernel does, in a sentence.
    pub fn effect(self) -> String {
        match self {
            Self::KillProcess => "the whole process ends with SIGSYS".to_owned(),
            Self::KillThread => "the thread ends with SIGSYS; the other threads go on without it".to_owned(),
            Self::Trap(data) => {
                format!("the call does not run; the thread gets SIGSYS, whose handler finds {data} in `si_errno`")
            }
            Self::Errno(0) => "the call does not run, and returns 0 as if it had".to_owned(),
            Self::Errno(errno) => {
                let name = crate::tables::errno_name(errno).map_or_else(|| errno.to_string(), str::to_owned);
                format!("the call does not run; it returns -1 with errno {name}, and the process lives on")
            }
            Self::Notify => "the call waits for an answer of the listener in user space".to_owned(),
            Self::Trace(data) => {
                format!("a ptrace tracer is asked, and finds {data}; without one the call returns -1 with errno ENOSYS")
            }
            Self::Log => "the call runs, and is logged".to_owned(),
            Self::Allow => "the call runs".to_owned(),
        }
    }

    /// Whether the call does not run, whoever watches: `deny` with any errno, 0 too, `kill`, `kill_thread` and `trap`
    /// (`__seccomp_filter`, `kernel/seccomp.c`: these end in `skip`, before the call).
    pub fn refuses(self) -> bool {
        match self {
            Self::KillProcess | Self::KillThread | Self::Trap(_) | Self::Errno(_) => true,
            Self::Notify | Self::Trace(_) | Self::Log | Self::Allow => false,
        }
    }

    /// Whether the call reaches the kernel's code under this action alone.
    pub fn runs(self) -> bool {
        matches!(self, Self::Allow | Self::Log)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Errno(errno) => match crate::tables::errno_name(errno) {
                Some(name) => write!(f, "deny({name})"),
                None => write!(f, "deny({errno})"),
            },
            Self::Trap(0) | Self::Trace(0) => f.write_str(self.word()),
            Self::Trap(data) | Self::Trace(data) => write!(f, "{}({data})", self.word()),
            _ => f.write_str(self.word()),
        }
    }
}
