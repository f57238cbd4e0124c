//! `socketcall` and `ipc`: calls that reach many others, with arguments that no filter can see.
//!
//! ```text
//! socketcall(SYS_SOCKET, &args)  =  socket(args[0], args[1], args[2])      x86, s390, …
//! ```
//!
//! Numbers are `include/uapi/linux/net.h` (`SYS_…`) and `include/uapi/linux/ipc.h`. `socketcall` takes an `int`
//! (`net/socket.c`). `ipc` has a version in the upper half of its 32 bits, and goes by the lower (`ipc/syscall.c`), so that
//! `ipc(0x1000d)` is `msgget` as `ipc(13)` is; but on s390, which refuses any version
//! (`arch/s390/kernel/syscall.c`, `compat_linux.c`).

use super::{Arch, Nr};
use crate::tables::{Syscall, syscall_named};

/// Which multiplexer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Multiplexer {
    /// `socketcall(call, args)`.
    Socketcall,
    /// `ipc(call, …)`.
    Ipc,
}

use Multiplexer::{Ipc, Socketcall};

impl Multiplexer {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Socketcall, Self::Ipc];

    /// The call.
    pub fn call(self) -> Syscall {
        const CALLS: [Syscall; 2] = [syscall_named("socketcall"), syscall_named("ipc")];
        CALLS[self as usize]
    }

    /// The multiplexer that a call is.
    pub fn of(call: Syscall) -> Option<Self> {
        Self::ALL.into_iter().find(|multiplexer| multiplexer.call() == call)
    }

    /// Its number on an ABI that has it.
    pub fn nr(self, arch: Arch) -> Option<Nr> {
        self.call().nr(arch)
    }

    /// The bits of its first argument that say which call it reaches.
    pub fn mask(self, arch: Arch) -> u32 {
        match self {
            Self::Ipc if !matches!(arch, Arch::S390 | Arch::S390x) => 0xffff,
            Self::Ipc | Self::Socketcall => u32::MAX,
        }
    }

    /// A pattern for the way to `call`: `socketcall(call == SYS_SOCKET)`. The kernel's constants have the calls' names.
    pub fn pattern(self, call: Syscall) -> String {
        let name = call.name().to_ascii_uppercase();
        match self {
            Self::Socketcall => format!("socketcall(call == SYS_{name})"),
            Self::Ipc => format!("ipc(call & 0xffff == {name})"),
        }
    }

    /// The call that it reaches with this first argument.
    pub fn reached(self, arch: Arch, first: u64) -> Option<Syscall> {
        self.routes().find(|&(_, number)| first & u64::from(self.mask(arch)) == u64::from(number)).map(|(call, _)| call)
    }

    /// The calls that it reaches, each with the first argument that leads there; sorted by name.
    pub fn routes(self) -> impl Iterator<Item = (Syscall, u32)> {
        ROUTES.iter().filter(move |route| route.1 == self).map(|route| (route.0, route.2))
    }
}

/// A call, what also reaches it, and the first argument there.
type Route = (Syscall, Multiplexer, u32);

const fn route(name: &str, through: Multiplexer, first: u32) -> Route {
    (syscall_named(name), through, first)
}

#[rustfmt::skip]
static ROUTES: [Route; 32] = [
    route("accept", Socketcall, 5), route("accept4", Socketcall, 18), route("bind", Socketcall, 2),
    route("connect", Socketcall, 3), route("getpeername", Socketcall, 7), route("getsockname", Socketcall, 6),
    route("getsockopt", Socketcall, 15), route("listen", Socketcall, 4), route("msgctl", Ipc, 14),
    route("msgget", Ipc, 13), route("msgrcv", Ipc, 12), route("msgsnd", Ipc, 11), route("recv", Socketcall, 10),
    route("recvfrom", Socketcall, 12), route("recvmmsg", Socketcall, 19), route("recvmsg", Socketcall, 17),
    route("semctl", Ipc, 3), route("semget", Ipc, 2), route("semop", Ipc, 1), route("semtimedop", Ipc, 4),
    route("send", Socketcall, 9), route("sendmmsg", Socketcall, 20), route("sendmsg", Socketcall, 16),
    route("sendto", Socketcall, 11), route("setsockopt", Socketcall, 14), route("shmat", Ipc, 21),
    route("shmctl", Ipc, 24), route("shmdt", Ipc, 22), route("shmget", Ipc, 23), route("shutdown", Socketcall, 13),
    route("socket", Socketcall, 1), route("socketpair", Socketcall, 8),
];

/// What reaches a call besides itself, wherever there is such a thing, and the first argument there.
pub fn other_way(call: Syscall) -> Option<(Multiplexer, u32)> {
    let index = ROUTES.binary_search_by_key(&call, |route| route.0).ok()?;
    Some((ROUTES[index].1, ROUTES[index].2))
}

/// The name of the call through which `name` can be reached too, and what its first argument is then, under the
/// [mask](Multiplexer::mask).
pub fn through(name: &str) -> Option<(&'static str, u32)> {
    let (multiplexer, first) = other_way(crate::tables::syscall(name)?)?;
    Some((multiplexer.call().name(), first))
}

/// Names that `multiplexer` (`socketcall` or `ipc`) reaches, with its first argument.
pub fn routes(multiplexer: &str) -> impl Iterator<Item = (&'static str, u32)> {
    let multiplexer = crate::tables::syscall(multiplexer).and_then(Multiplexer::of);
    multiplexer.into_iter().flat_map(|multiplexer| multiplexer.routes().map(|(call, first)| (call.name(), first)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_sorted() {
        assert!(ROUTES.is_sorted_by_key(|route| route.0));
        assert_eq!(through("socket"), Some(("socketcall", 1)));
        assert_eq!(through("shmget"), Some(("ipc", 23)));
        assert_eq!(through("read"), None);
        assert_eq!(routes("ipc").count(), 12);
    }

    #[test]
    fn patterns_name_constants_that_there_are() {
        for (multiplexer, arch) in [(Socketcall, Arch::X86), (Ipc, Arch::X86), (Ipc, Arch::S390x)] {
            for (call, first) in multiplexer.routes() {
                let pattern = multiplexer.pattern(call);
                let name = pattern.rsplit(' ').next().and_then(|word| word.strip_suffix(')')).unwrap_or_default();
                assert_eq!(crate::tables::constant(name, arch), Some(i128::from(first)), "{pattern} on {arch}");
                assert_eq!(multiplexer.reached(arch, u64::from(first)), Some(call));
            }
        }
    }
}
