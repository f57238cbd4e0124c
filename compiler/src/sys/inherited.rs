//! What a process has from its parent and Rust's runtime changes before `main`: noted before it does, so that a command which this
//! process becomes can have it back.
//!
//! ```text
//! kpolc run …               SIGPIPE at its default: the runtime ignores it, and `yes | head` would end with 1, not with 141
//! trap '' PIPE; kpolc run … ignored by the parent: it stays ignored
//! kpolc run … 2>&-          descriptor 2 is closed: the runtime opens /dev/null there, and `run` closes it
//! ```
//!
//! All else (mask, other signals, umask, limits, environment, descriptors from 3 up) neither the runtime nor kpolc changes: what
//! kpolc opens is closed by `execve` (`O_CLOEXEC`).
//!
//! What the runtime does: `sanitize_standard_fds` and `reset_sigpipe` in `library/std/src/sys/pal/unix/mod.rs`, Rust 1.95. That the
//! functions of `.init_array` are called before it: `call_init` in glibc 2.36, `libc_start_init` in musl 1.2.

use std::sync::atomic::{AtomicU8, Ordering};

/// Bits 0 to 2: this descriptor was closed.
static NOTED: AtomicU8 = AtomicU8::new(0);

/// SIGPIPE was ignored.
const PIPE_IGNORED: u8 = 1 << 3;

#[used]
// SAFETY: an element of this section is the address of a function that the C library calls once, on the only thread there is. It
// calls two functions of the C library, which is initialised by then, and nothing of Rust's runtime, which is not.
#[unsafe(link_section = ".init_array")]
static NOTE: extern "C" fn() = note;

extern "C" fn note() {
    let mut noted = 0;
    for fd in 0..3 {
        // SAFETY: F_GETFD takes numbers only.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1 {
            noted |= 1 << fd;
        }
    }
    // SAFETY: a sigaction of zeroes is a valid value to be written over; a null new action asks only.
    unsafe {
        let mut now: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGPIPE, std::ptr::null(), &raw mut now) == 0 && now.sa_sigaction == libc::SIG_IGN {
            noted |= PIPE_IGNORED;
        }
    }
    NOTED.store(noted, Ordering::Relaxed);
}

/// Gives back what the runtime has changed. For a process that becomes another program: from here on a write to a pipe that nobody
/// reads may end it.
pub(super) fn restore() {
    let noted = NOTED.load(Ordering::Relaxed);
    if noted & PIPE_IGNORED == 0 {
        // SAFETY: signal takes numbers here; SIG_DFL is no function.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    }
    for fd in (0..3).filter(|fd| noted >> fd & 1 == 1) {
        // SAFETY: the descriptor is the runtime's own, which holds it for nobody.
        unsafe { libc::close(fd) };
    }
}
