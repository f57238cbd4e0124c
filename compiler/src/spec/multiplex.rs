//! Calls that can be reached through another one, whose arguments no filter can see.
//!
//! ```text
//! socketcall(SYS_SOCKET, &args)  =  socket(args[0], args[1], args[2])      x86, s390, …
//! ```
//!
//! Numbers are `include/uapi/linux/net.h` (`SYS_…`) and `include/uapi/linux/ipc.h`.

/// Name, the call that also reaches it, and the first argument there.
#[rustfmt::skip]
const ROUTES: &[(&str, &str, u32)] = &[
    ("accept", "socketcall", 5), ("accept4", "socketcall", 18), ("bind", "socketcall", 2),
    ("connect", "socketcall", 3), ("getpeername", "socketcall", 7), ("getsockname", "socketcall", 6),
    ("getsockopt", "socketcall", 15), ("listen", "socketcall", 4), ("msgctl", "ipc", 14), ("msgget", "ipc", 13),
    ("msgrcv", "ipc", 12), ("msgsnd", "ipc", 11), ("recv", "socketcall", 10), ("recvfrom", "socketcall", 12),
    ("recvmmsg", "socketcall", 19), ("recvmsg", "socketcall", 17), ("semctl", "ipc", 3), ("semget", "ipc", 2),
    ("semop", "ipc", 1), ("semtimedop", "ipc", 4), ("send", "socketcall", 9), ("sendmmsg", "socketcall", 20),
    ("sendmsg", "socketcall", 16), ("sendto", "socketcall", 11), ("setsockopt", "socketcall", 14),
    ("shmat", "ipc", 21), ("shmctl", "ipc", 24), ("shmdt", "ipc", 22), ("shmget", "ipc", 23),
    ("shutdown", "socketcall", 13), ("socket", "socketcall", 1), ("socketpair", "socketcall", 8),
];

/// The call through which `name` can be reached too, and what its first argument is then.
pub fn through(name: &str) -> Option<(&'static str, u32)> {
    ROUTES.binary_search_by_key(&name, |route| route.0).ok().map(|index| (ROUTES[index].1, ROUTES[index].2))
}

/// Names that `multiplexer` (`socketcall` or `ipc`) reaches, with its first argument.
pub fn routes(multiplexer: &str) -> impl Iterator<Item = (&'static str, u32)> {
    ROUTES.iter().filter(move |route| route.1 == multiplexer).map(|route| (route.0, route.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_sorted() {
        assert!(ROUTES.is_sorted());
        assert_eq!(through("socket"), Some(("socketcall", 1)));
        assert_eq!(through("shmget"), Some(("ipc", 23)));
        assert_eq!(through("read"), None);
    }
}
