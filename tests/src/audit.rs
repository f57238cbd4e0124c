//! Records of the kernel's audit subsystem, where seccomp writes what it logs.
//!
//! ```text
//! Records::open()  …a call is logged…  records.find(…)  →  "type=1326 audit(1700000000.123:4): … syscall=146 …"
//! ```
//!
//! They come by the multicast group of `NETLINK_AUDIT`, not by the kernel's ring of messages: that one drops what comes too
//! fast. Needs CAP_AUDIT_READ, and the first network namespace.

use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use crate::skip::Skip;

/// `AUDIT_SECCOMP` of `linux/audit.h`.
const SECCOMP: u16 = 1326;
const GROUP_READLOG: u32 = 1;
/// A record that does not come would hang the run; nothing that is measured depends on this.
const PATIENCE_MILLIS: i32 = 30_000;

/// A place in the stream of records.
#[derive(Debug)]
pub struct Records {
    socket: OwnedFd,
}

impl Records {
    /// From now on.
    pub fn open() -> Result<Self, Skip> {
        let wrong = |what: &str| Skip(format!("{what}: {}", std::io::Error::last_os_error()));
        // SAFETY: numbers only.
        let fd = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_AUDIT) };
        if fd < 0 {
            return Err(wrong("no audit socket"));
        }
        // SAFETY: the descriptor was just made, and nobody else has it.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: an address of zeroes is a valid one.
        let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
        address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
        address.nl_groups = GROUP_READLOG;
        let size = size_of_val(&address) as libc::socklen_t;
        // SAFETY: the address lives across the call and has that size.
        if unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size) } < 0 {
            return Err(wrong("audit records may not be read"));
        }
        Ok(Self { socket })
    }

    /// The next record of seccomp that is wanted, as the log has it; `None` if none comes.
    pub fn find(&mut self, wanted: &dyn Fn(&str) -> bool) -> Option<String> {
        // Header of 16 bytes: length, type, flags, sequence, port (`struct nlmsghdr`).
        let mut buffer = [0u8; 16 * 1024];
        loop {
            let mut poll = libc::pollfd { fd: self.socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            // SAFETY: one pollfd that lives across the call.
            if unsafe { libc::poll(&raw mut poll, 1, PATIENCE_MILLIS) } <= 0 {
                return None;
            }
            // SAFETY: the buffer lives across the call and has that size.
            let got = unsafe { libc::recv(poll.fd, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
            let Some(message) =
                usize::try_from(got).ok().and_then(|got| buffer.get(..got)).filter(|all| all.len() > 16)
            else {
                continue;
            };
            let text = String::from_utf8_lossy(&message[16..]);
            let line = format!("type={SECCOMP} {}", text.trim_end_matches(['\0', '\n']));
            if u16::from_ne_bytes([message[4], message[5]]) == SECCOMP && wanted(&line) {
                return Some(line);
            }
        }
    }
}
