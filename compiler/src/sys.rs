//! The border to the operating system, and the only unsafe code: each function is one call that std lacks.
//!
//! ```text
//! let signals = Signals::hold();   // Ctrl-C waits …
//! …                                // … while files change their names
//! drop(signals);                   // … and is heard now
//! ```
//!
//! Manual pages: sigprocmask(2), prctl(2), seccomp(2), uname(2).

pub mod at;
mod inherited;
mod watch;

use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

pub use watch::watch;

/// The signals by which a user or the system asks a process to end.
const ENDING: [libc::c_int; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];

fn set_of(signals: &[libc::c_int]) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set that it is given a valid pointer to.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    for &signal in signals {
        // SAFETY: the set was initialised above, and the signal numbers are the C library's own.
        unsafe { libc::sigaddset(set.as_mut_ptr(), signal) };
    }
    // SAFETY: initialised by sigemptyset, which cannot fail on a valid pointer.
    unsafe { set.assume_init() }
}

/// While this lives, signals that would end the process wait, and a write past `RLIMIT_FSIZE` is an error
/// instead of a death (SIGXFSZ).
///
/// It holds for the calling thread: a process that wants it for itself has no other thread at that time.
#[derive(Debug)]
pub struct Signals {
    before: libc::sigset_t,
    // A mask belongs to a thread, so must the value that restores it.
    _thread: std::marker::PhantomData<*const ()>,
}

impl Signals {
    /// From now on they wait.
    pub fn hold() -> Self {
        let mut held = ENDING.to_vec();
        held.push(libc::SIGXFSZ);
        let set = set_of(&held);
        let mut before = set_of(&[]);
        // SAFETY: both sets are initialised and live across the call. It fails for a bad `how` only.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, &raw mut before) };
        Self { before, _thread: std::marker::PhantomData }
    }

    /// Whether one of those that end the process is waiting.
    pub fn ending(&self) -> bool {
        let mut pending = set_of(&[]);
        // SAFETY: the set is initialised and lives across the call.
        unsafe { libc::sigpending(&raw mut pending) };
        ENDING.iter().any(|&signal| {
            // SAFETY: as above; the signal number is the C library's own.
            unsafe { libc::sigismember(&raw const pending, signal) == 1 }
        })
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let limit = set_of(&[libc::SIGXFSZ]);
        // SAFETY: the set is initialised.
        let was_held = unsafe { libc::sigismember(&raw const self.before, libc::SIGXFSZ) == 1 };
        if !was_held {
            // The write has already failed with EFBIG, and was reported; the signal is taken off the queue.
            let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            // SAFETY: set and time are initialised and live across the call; a null info is allowed.
            while unsafe { libc::sigtimedwait(&raw const limit, std::ptr::null_mut(), &raw const now) } > 0 {}
        }
        // SAFETY: `before` is what pthread_sigmask gave us; a null old set is allowed.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, std::ptr::null_mut()) };
    }
}

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// The release of the running kernel, such as `6.1.0-18-amd64`.
pub fn kernel_release() -> String {
    let mut names = MaybeUninit::<libc::utsname>::uninit();
    // SAFETY: the pointer is valid for a whole utsname.
    if unsafe { libc::uname(names.as_mut_ptr()) } != 0 {
        return String::new();
    }
    // SAFETY: uname succeeded, so every field is written and ends in a zero byte.
    let names = unsafe { names.assume_init() };
    // SAFETY: the field is a C string inside `names`, which lives to the end of this function.
    unsafe { CStr::from_ptr(names.release.as_ptr()) }.to_string_lossy().into_owned()
}

/// Columns of the terminal behind stderr or stdout; `None` where neither is one.
pub fn terminal_columns() -> Option<usize> {
    [libc::STDERR_FILENO, libc::STDOUT_FILENO].into_iter().find_map(|fd| {
        let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: TIOCGWINSZ writes one winsize, to a pointer that is valid for it.
        let done = unsafe { libc::ioctl(fd, libc::TIOCGWINSZ, &raw mut size) };
        (done == 0 && size.ws_col > 0).then_some(usize::from(size.ws_col))
    })
}

/// This thread, and what it executes, can gain no privileges any more; the kernel asks this of whoever
/// installs a filter without CAP_SYS_ADMIN.
///
/// # Errors
/// On kernels before 3.5.
pub fn no_new_privs() -> io::Result<()> {
    let (on, unused): (libc::c_ulong, libc::c_ulong) = (1, 0);
    // SAFETY: PR_SET_NO_NEW_PRIVS takes numbers only.
    let done = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, on, unused, unused, unused) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A program and everything that execve(2) wants, made before the filter is installed: from then on
/// nothing may be allocated, opened or looked up, since the policy may forbid it.
#[derive(Debug)]
pub struct Exec {
    program: CString,
    // The strings that `argv` points into; never touched, only kept.
    _arguments: Vec<CString>,
    argv: Vec<*const libc::c_char>,
}

impl Exec {
    /// `program` is executed as it stands, without looking in PATH; `arguments` begin with the zeroth.
    ///
    /// # Errors
    /// Where one has a zero byte inside.
    pub fn new(program: &Path, arguments: &[impl AsRef<std::ffi::OsStr>]) -> io::Result<Self> {
        let program = c_path(program)?;
        let arguments = arguments.iter().map(|argument| c_path(Path::new(argument))).collect::<io::Result<Vec<_>>>()?;
        // A CString's bytes are on the heap and stay where they are when the Vec moves.
        let argv = arguments.iter().map(|argument| argument.as_ptr()).chain([std::ptr::null()]).collect();
        Ok(Self { program, _arguments: arguments, argv })
    }

    /// Gives back what the runtime changed of what this process was started with, installs `filter` (raw `struct sock_filter`s) with
    /// `flags` of seccomp(2), then becomes the program. Returns only if one of the two failed.
    pub fn under(&self, filter: &[u8], flags: libc::c_ulong) -> Failure {
        let instructions: Vec<libc::sock_filter> = filter
            .chunks_exact(8)
            .map(|raw| libc::sock_filter {
                code: u16::from_ne_bytes([raw[0], raw[1]]),
                jt: raw[2],
                jf: raw[3],
                k: u32::from_ne_bytes([raw[4], raw[5], raw[6], raw[7]]),
            })
            .collect();
        let Ok(len) = u16::try_from(instructions.len()) else {
            return Failure::Install(io::ErrorKind::InvalidInput.into());
        };
        // The kernel reads the program only.
        let program = libc::sock_fprog { len, filter: instructions.as_ptr().cast_mut() };
        unsafe extern "C" {
            static environ: *const *const libc::c_char;
        }
        inherited::restore();
        // SAFETY: `program` describes `instructions`, and both live to the end of this function.
        let installed =
            unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
        if installed != 0 {
            // TSYNC answers with the thread that could not be brought along.
            return Failure::Install(if installed > 0 {
                io::Error::from_raw_os_error(libc::ESRCH)
            } else {
                io::Error::last_os_error()
            });
        }
        // SAFETY: program and arguments are C strings owned by `self`, `argv` ends in a null pointer, and
        // no other thread changes the environment: there is none.
        unsafe { libc::execve(self.program.as_ptr(), self.argv.as_ptr(), environ) };
        Failure::Exec(io::Error::last_os_error())
    }
}

/// Why [`Exec::under`] came back.
#[derive(Debug)]
pub enum Failure {
    /// The kernel did not take the filter.
    Install(io::Error),
    /// The filter holds, and execve(2) failed: the policy's own answer, or the program's fault.
    Exec(io::Error),
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use super::*;

    #[test]
    fn a_held_signal_waits() {
        let signals = Signals::hold();
        assert!(!signals.ending());
        // SAFETY: raise takes a number; the signal is blocked in this thread, which it is sent to.
        unsafe { libc::raise(libc::SIGTERM) };
        assert!(signals.ending());
        // Taken off the queue, so that this test does not end its own process.
        let set = set_of(&[libc::SIGTERM]);
        let mut signal = 0;
        // SAFETY: both pointers are valid across the call.
        unsafe { libc::sigwait(&raw const set, &raw mut signal) };
        assert_eq!(signal, libc::SIGTERM);
        assert!(!signals.ending());
    }

    #[test]
    fn the_kernel_has_a_release() {
        assert!(kernel_release().contains('.'), "{}", kernel_release());
    }
}
