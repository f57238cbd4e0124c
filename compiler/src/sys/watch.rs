//! A process beside this one that sees by which call it ends, once it has become another program.
//!
//! ```text
//! kpolc run ─ fork ─ fork ─ watcher ── PTRACE_SEIZE ──┐
//!     │                                               │ PTRACE_EVENT_EXIT, status SIGSYS:
//!     └─ seccomp, execve: the command ────── killed ──┘ registers have the call
//! ```
//!
//! The command stays what it is without a watcher: this process, with its parent, its children, its signals and its status. The watcher
//! is nobody's child that the command would wait for, is in a session of its own, holds stderr alone, cannot be traced, and ends with the command.
//! It stops threads only where ptrace(2) cannot help it: at a signal, which it hands on, at a new thread, and at the end.
//!
//! A filter that kills rolls the call back (`syscall_rollback` in `__seccomp_filter`, `kernel/seccomp.c`), so that the registers of the thread are
//! those with which it made the call. `kill_thread` beside other threads does not, and leaves number and arguments where they were.
//! Whether the call is one that the filter kills is for the caller to say: a process can also be sent SIGSYS.
//!
//! There is no watcher where another one traces already (`strace -f kpolc run …`), where this process is the first of its PID namespace,
//! whose orphans would become children of the command, and on machines whose registers are not known here.

use std::io;
use std::mem::MaybeUninit;

use crate::spec::{Arch, Call, Nr};

/// `struct user_regs_struct` and `struct user_pt_regs` have less than so many words.
const MOST_WORDS: usize = 40;

/// Starts the watcher. `report` is called in it, with each call during which a thread of this process has died by SIGSYS. Comes back
/// when the watcher is there, or when there is none.
pub fn watch(report: impl Fn(Call)) {
    // SAFETY: getpid and getppid take nothing.
    let me = unsafe { libc::getpid() };
    if me == 1 || is_traced() || !cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        return;
    }
    let mut ends = [0; 2];
    // SAFETY: the pointer is valid for two descriptors.
    let made = unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0, ends.as_mut_ptr()) };
    if made != 0 {
        return;
    }
    let [mine, its] = ends;
    match fork() {
        0 => {
            // The one in between: its child is an orphan when it ends.
            if fork() == 0 {
                stand_by(me, its, &report);
            }
            exit();
        }
        child if child > 0 => {
            close(its);
            wait_for(child);
            // Yama lets a process be traced by others than its ancestors only if it says so (prctl(2), PR_SET_PTRACER).
            if let Some(watcher) = receive(mine) {
                set_ptracer(watcher);
                send(mine, me);
                receive(mine);
                set_ptracer(0);
            }
        }
        _ => close(its),
    }
    close(mine);
}

/// Whether another process traces this one.
fn is_traced() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().filter_map(|line| line.strip_prefix("TracerPid:")).any(|pid| pid.trim() != "0")
}

/// fork(2) without a signal at the end of the child: SIGCHLD could be pending when the command begins.
fn fork() -> libc::pid_t {
    let none: libc::c_ulong = 0;
    // SAFETY: without CLONE_VM and a stack the child is a copy that goes on here; there is one thread, so no lock of the C library is
    // held by another that the copy does not have. All arguments are zero, so that their order, which differs, does not matter.
    let pid = unsafe { libc::syscall(libc::SYS_clone, none, none, none, none, none) };
    libc::pid_t::try_from(pid).unwrap_or(-1)
}

fn exit() -> ! {
    // SAFETY: takes a number; nothing of the parent's is flushed or removed.
    unsafe { libc::_exit(0) }
}

fn close(fd: libc::c_int) {
    // SAFETY: the descriptor is one that this module made and nobody else has.
    unsafe { libc::close(fd) };
}

fn wait_for(child: libc::pid_t) {
    let mut status = 0;
    // SAFETY: the pointer is valid; __WALL waits for children without a signal as well.
    while unsafe { libc::waitpid(child, &raw mut status, libc::__WALL) } == -1
        && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
    {}
}

fn set_ptracer(pid: libc::pid_t) {
    let (pid, unused): (libc::c_ulong, libc::c_ulong) = (libc::c_ulong::try_from(pid).unwrap_or(0), 0);
    // SAFETY: takes numbers only. EINVAL without Yama, where it is not needed.
    unsafe { libc::prctl(libc::PR_SET_PTRACER, pid, unused, unused, unused) };
}

fn send(fd: libc::c_int, pid: libc::pid_t) {
    let bytes = pid.to_ne_bytes();
    // SAFETY: the bytes live across the call. MSG_NOSIGNAL: the other end may have gone.
    unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) };
}

fn receive(fd: libc::c_int) -> Option<libc::pid_t> {
    let mut bytes = [0; size_of::<libc::pid_t>()];
    // SAFETY: the buffer is valid for its length.
    let got = unsafe { libc::recv(fd, bytes.as_mut_ptr().cast(), bytes.len(), libc::MSG_WAITALL) };
    (usize::try_from(got) == Ok(bytes.len())).then(|| libc::pid_t::from_ne_bytes(bytes))
}

/// What the watcher is and does.
fn stand_by(command: libc::pid_t, other: libc::c_int, report: &impl Fn(Call)) -> ! {
    // It ends with the command and not before: a signal on its way through a watcher that dies would be lost. Who ends both by their
    // name (pkill -f) means the command.
    let mut all = MaybeUninit::uninit();
    // SAFETY: sigfillset initialises the set, which pthread_sigmask then reads; a null old set is allowed.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), std::ptr::null_mut());
    }
    let (off, unused): (libc::c_ulong, libc::c_ulong) = (0, 0);
    // SAFETY: all take numbers, or nothing. No filter holds this process, so the command must not get hold of it by ptrace(2).
    let me = unsafe {
        libc::setsid();
        libc::prctl(libc::PR_SET_DUMPABLE, off, unused, unused, unused);
        libc::getpid()
    };
    send(other, me);
    let options = libc::PTRACE_O_TRACEEXIT | libc::PTRACE_O_TRACECLONE;
    if receive(other).is_none() || ptrace(libc::PTRACE_SEIZE as _, command, 0, options as usize) != 0 {
        exit();
    }
    send(other, me);
    let _ = std::env::set_current_dir("/");
    for fd in 0..limit() {
        if fd != libc::STDERR_FILENO {
            close(fd);
        }
    }
    loop {
        let mut status = 0;
        // SAFETY: the pointer is valid.
        let thread = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL) };
        if thread == -1 && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted {
            continue;
        }
        if thread == -1 {
            // Nobody is left.
            exit();
        }
        if libc::WIFSTOPPED(status) {
            stopped(thread, status, report);
        }
    }
}

/// Descriptors that may be open. A limit of millions is not walked: what is above is somebody's rare own.
fn limit() -> libc::c_int {
    // SAFETY: takes a number.
    let limit = unsafe { libc::sysconf(libc::_SC_OPEN_MAX) };
    libc::c_int::try_from(limit.clamp(3, 4096)).unwrap_or(4096)
}

fn stopped(thread: libc::pid_t, status: libc::c_int, report: &impl Fn(Call)) {
    let (signal, event) = (libc::WSTOPSIG(status), status >> 16);
    let stops = [libc::SIGSTOP, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU].contains(&signal);
    let (go_on, hand_on) = match event {
        libc::PTRACE_EVENT_EXIT => {
            let mut end: libc::c_ulong = 0;
            ptrace(libc::PTRACE_GETEVENTMSG as _, thread, 0, &raw mut end as usize);
            if end & 0x7f == libc::SIGSYS as libc::c_ulong
                && let Some(call) = call_of(thread)
            {
                report(call);
            }
            (libc::PTRACE_CONT, 0)
        }
        // It stays stopped, as job control wants it, until it is told to go on.
        libc::PTRACE_EVENT_STOP if stops => (libc::PTRACE_LISTEN, 0),
        0 => (libc::PTRACE_CONT, signal),
        _ => (libc::PTRACE_CONT, 0),
    };
    ptrace(go_on as _, thread, 0, usize::try_from(hand_on).unwrap_or(0));
}

/// ptrace(2) as the kernel has it: requests that ask write through `data`.
fn ptrace(request: libc::c_long, thread: libc::pid_t, address: usize, data: usize) -> libc::c_long {
    // SAFETY: `data` is a number, or the address of a variable of the caller's that is as large as the request writes.
    unsafe { libc::syscall(libc::SYS_ptrace, request, libc::c_long::from(thread), address, data) }
}

/// The call in whose registers a thread has stopped.
fn call_of(thread: libc::pid_t) -> Option<Call> {
    const NT_PRSTATUS: usize = 1;
    let mut words = [0u64; MOST_WORDS];
    let mut area = libc::iovec { iov_base: words.as_mut_ptr().cast(), iov_len: size_of_val(&words) };
    if ptrace(libc::PTRACE_GETREGSET as _, thread, NT_PRSTATUS, &raw mut area as usize) != 0 {
        return None;
    }
    let wide = |index: usize| words[index];
    // Of a 32-bit program the set has half the width.
    let narrow = |index: usize| words[index / 2] >> (32 * (index % 2)) & 0xffff_ffff;
    let call = |arch, nr: u64, args| Some(Call { arch, nr: Nr(nr as u32), args });
    match (std::env::consts::ARCH, area.iov_len) {
        // `struct user_regs_struct`, `arch/x86/include/asm/user_64.h`; orig_rax is the fifteenth.
        ("x86_64", 216) => {
            let args = [14, 13, 12, 7, 9, 8].map(wide);
            if before(thread, wide(16)) == Some([0xcd, 0x80]) {
                let narrow = [5, 11, 12, 13, 14, 4].map(|index| wide(index) & 0xffff_ffff);
                return call(Arch::X86, wide(15), narrow);
            }
            let arch = if wide(15) as u32 & crate::spec::arch::X32_BIT != 0 { Arch::X32 } else { Arch::X86_64 };
            call(arch, wide(15), args)
        }
        // `user_32.h`: ebx, ecx, edx, esi, edi, ebp; orig_eax is the eleventh.
        ("x86_64", 68) => call(Arch::X86, narrow(11), [0, 1, 2, 3, 4, 5].map(narrow)),
        // `struct user_pt_regs`, `arch/arm64/include/uapi/asm/ptrace.h`.
        ("aarch64", 272) => call(Arch::Aarch64, wide(8), [0, 1, 2, 3, 4, 5].map(wide)),
        // `arch/arm/include/uapi/asm/ptrace.h`; the seventeenth is orig_r0.
        ("aarch64", 72) => call(Arch::Arm, narrow(7), [17, 1, 2, 3, 4, 5].map(narrow)),
        _ => None,
    }
}

/// The two bytes before an address: which instruction has entered the kernel.
fn before(thread: libc::pid_t, address: u64) -> Option<[u8; 2]> {
    let mut word: libc::c_long = 0;
    let at = usize::try_from(address).ok()?.checked_sub(2)?;
    let read = ptrace(libc::PTRACE_PEEKTEXT as _, thread, at, &raw mut word as usize);
    (read == 0).then(|| [word.to_ne_bytes()[0], word.to_ne_bytes()[1]])
}
