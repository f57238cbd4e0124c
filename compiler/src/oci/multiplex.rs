//! `socketcall` and `ipc`: one number for many calls.
//!
//! ```text
//! { "names": ["socket"], args: [arg2 EQ 0] }   for x86   →   socket (359): arg2 == 0
//!                                                            socketcall (102): arg0 == 1 and arg2 == 0
//! ```
//!
//! Where an ABI has `socketcall`, libseccomp adds every rule on a socket call a second time: for `socketcall`, with
//! the call's number in place of whatever was asked of arg0, all else unchanged, although the other registers
//! mean something else there (`abi_rule_add` and `_abi_syscall_munge`, seccomp/libseccomp `src/syscalls.c`;
//! `x86_rule_add`, `src/arch-x86.c`, up to 2.5.0). The rule on `socket` itself is added only where
//! the ABI has that number.

use crate::spec::Arch;
use crate::tables;

/// Which multiplexer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Multiplexer {
    /// `socketcall(call, args)`.
    Socketcall,
    /// `ipc(call, …)`.
    Ipc,
}

impl Multiplexer {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Socketcall, Self::Ipc];

    /// The name of the call.
    pub fn name(self) -> &'static str {
        match self {
            Self::Socketcall => "socketcall",
            Self::Ipc => "ipc",
        }
    }

    /// Whether the ABI has it.
    pub fn is_on(self, arch: Arch) -> bool {
        tables::syscall(self.name()).is_some_and(|call| call.nr(arch).is_some())
    }
}

/// Name, multiplexer, and the value of its first argument (`include/uapi/linux/net.h`, `include/uapi/linux/ipc.h`).
/// `semtimedop` and the others are those that libseccomp knows as such; sorted by name.
#[rustfmt::skip]
const CALLS: [(&str, Multiplexer, u64); 32] = [
    ("accept", Multiplexer::Socketcall, 5),
    ("accept4", Multiplexer::Socketcall, 18),
    ("bind", Multiplexer::Socketcall, 2),
    ("connect", Multiplexer::Socketcall, 3),
    ("getpeername", Multiplexer::Socketcall, 7),
    ("getsockname", Multiplexer::Socketcall, 6),
    ("getsockopt", Multiplexer::Socketcall, 15),
    ("listen", Multiplexer::Socketcall, 4),
    ("msgctl", Multiplexer::Ipc, 14),
    ("msgget", Multiplexer::Ipc, 13),
    ("msgrcv", Multiplexer::Ipc, 12),
    ("msgsnd", Multiplexer::Ipc, 11),
    ("recv", Multiplexer::Socketcall, 10),
    ("recvfrom", Multiplexer::Socketcall, 12),
    ("recvmmsg", Multiplexer::Socketcall, 19),
    ("recvmsg", Multiplexer::Socketcall, 17),
    ("semctl", Multiplexer::Ipc, 3),
    ("semget", Multiplexer::Ipc, 2),
    ("semop", Multiplexer::Ipc, 1),
    ("semtimedop", Multiplexer::Ipc, 4),
    ("send", Multiplexer::Socketcall, 9),
    ("sendmmsg", Multiplexer::Socketcall, 20),
    ("sendmsg", Multiplexer::Socketcall, 16),
    ("sendto", Multiplexer::Socketcall, 11),
    ("setsockopt", Multiplexer::Socketcall, 14),
    ("shmat", Multiplexer::Ipc, 21),
    ("shmctl", Multiplexer::Ipc, 24),
    ("shmdt", Multiplexer::Ipc, 22),
    ("shmget", Multiplexer::Ipc, 23),
    ("shutdown", Multiplexer::Socketcall, 13),
    ("socket", Multiplexer::Socketcall, 1),
    ("socketpair", Multiplexer::Socketcall, 8),
];

/// The other way to a call on an ABI: the multiplexer and the value of its first argument.
pub fn other_way(name: &str, arch: Arch) -> Option<(Multiplexer, u64)> {
    let index = CALLS.binary_search_by_key(&name, |&(name, ..)| name).ok()?;
    let (_, multiplexer, number) = CALLS[index];
    multiplexer.is_on(arch).then_some((multiplexer, number))
}

/// Names of the calls that a multiplexer reaches, sorted.
pub fn reached_by(multiplexer: Multiplexer) -> impl Iterator<Item = &'static str> {
    CALLS.iter().filter(move |&&(_, through, _)| through == multiplexer).map(|&(name, ..)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted() {
        assert!(CALLS.is_sorted());
    }
}
