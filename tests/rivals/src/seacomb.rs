//! seacomb, which has no other way out for its program than into the kernel: a child installs it, and it is read back by
//! `PTRACE_SECCOMP_GET_FILTER`, for which one has to be root.

use std::sync::Arc;

use seacomb::{Action, Arch, BinOp, CmpOp, Cond, Expr, Policy, PrimType, Rule, Syscall};

use crate::profile::{Arg, Profile};

/// `include/uapi/linux/ptrace.h`.
const PTRACE_SECCOMP_GET_FILTER: libc::c_uint = 0x420c;

/// The number of a name on x86_64.
pub fn number(name: &str) -> Option<i32> {
    Syscall::lookup(name)?.nr(Arch::X86_64)
}

pub fn filter(profile: &Profile) -> Result<Vec<u8>, String> {
    let default = action(&profile.default_action, profile.default_errno_ret)?;
    let mut policy = Policy::new(default).map_err(|error| error.to_string())?;
    policy.add_arch(Arch::X86_64).map_err(|error| error.to_string())?;
    for entry in &profile.syscalls {
        for name in &entry.names {
            let Some(syscall) = Syscall::lookup(name).filter(|call| call.nr(Arch::X86_64).is_some()) else { continue };
            let mut cond = Arc::new(Cond::True);
            for arg in &entry.args {
                cond = Arc::new(Cond::And(cond, Arc::new(condition(syscall, arg)?)));
            }
            let action = action(&entry.action, entry.errno_ret)?;
            // x86_64 has none.
            let rule = Rule { action, syscall, cond, archs: Vec::new(), no_mux: true };
            policy.add(rule).map_err(|error| format!("{name}: {error:?}"))?;
        }
    }
    installed(&policy)
}

/// By the width that the kernel takes, which is what the profile's compares come to.
fn condition(syscall: Syscall, arg: &Arg) -> Result<Cond, String> {
    let bits = match syscall.signature(Arch::X86_64).get(arg.index as usize) {
        Some(PrimType::I(bits) | PrimType::U(bits)) => *bits,
        Some(_) => 64,
        None => return Err(format!("argument {} of {syscall:?}", arg.index)),
    };
    let ty = PrimType::U(bits);
    let low = |value: u64| if bits < 64 { value & ((1 << bits) - 1) } else { value };
    let number = |value: u64| Arc::new(Expr::Lit(low(value) as i64, ty));
    let own = Arc::new(Expr::Cast(Arc::new(Expr::Var(arg.index)), ty));
    let compare = |op, left: Arc<Expr>, value| Cond::Cmp(op, left, number(value));
    let not = |cond| Cond::Not(Arc::new(cond));
    Ok(match arg.op.as_str() {
        "SCMP_CMP_EQ" => compare(CmpOp::Eq, own, arg.value),
        "SCMP_CMP_NE" => not(compare(CmpOp::Eq, own, arg.value)),
        "SCMP_CMP_LT" => compare(CmpOp::Lt, own, arg.value),
        "SCMP_CMP_LE" => compare(CmpOp::Le, own, arg.value),
        "SCMP_CMP_GE" => not(compare(CmpOp::Lt, own, arg.value)),
        "SCMP_CMP_GT" => not(compare(CmpOp::Le, own, arg.value)),
        "SCMP_CMP_MASKED_EQ" if low(arg.value) == low(u64::MAX) => compare(CmpOp::Eq, own, arg.value_two),
        "SCMP_CMP_MASKED_EQ" => {
            let masked = Arc::new(Expr::BinOp(BinOp::And, own, number(arg.value)));
            compare(CmpOp::Eq, masked, arg.value_two)
        }
        op => return Err(format!("the comparison {op}")),
    })
}

fn action(name: &str, errno: Option<u16>) -> Result<Action, String> {
    Ok(match name {
        "SCMP_ACT_ALLOW" => Action::Allow,
        "SCMP_ACT_LOG" => Action::Log,
        "SCMP_ACT_ERRNO" => Action::Errno(errno.unwrap_or(1)),
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => Action::KillThread,
        "SCMP_ACT_KILL_PROCESS" => Action::KillProcess,
        other => return Err(format!("the action {other}")),
    })
}

fn installed(policy: &Policy) -> Result<Vec<u8>, String> {
    // SAFETY: this program has one thread.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: no pointers are followed.
        unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) };
        if policy.install().is_ok() {
            // A call might end the process under its own filter; an instruction does not.
            // SAFETY: stops this process for its tracer.
            unsafe { std::arch::asm!("int3") };
        }
        // SAFETY: ends this process only.
        unsafe { libc::_exit(1) };
    }
    let mut status = 0;
    // SAFETY: `status` is a live variable.
    if child < 0 || unsafe { libc::waitpid(child, &raw mut status, 0) } != child || !libc::WIFSTOPPED(status) {
        return Err("it was not installed".to_owned());
    }
    let get = |into: *mut libc::sock_filter| {
        // SAFETY: with no buffer the length is asked for; else the buffer has that many instructions.
        unsafe { libc::ptrace(PTRACE_SECCOMP_GET_FILTER, child, 0, into) }
    };
    let mut insns: Vec<libc::sock_filter> = Vec::new();
    if let Ok(length) = usize::try_from(get(std::ptr::null_mut())) {
        insns.resize(length, libc::sock_filter { code: 0, jt: 0, jf: 0, k: 0 });
        get(insns.as_mut_ptr());
    }
    // SAFETY: the child is ours, and stopped.
    unsafe {
        libc::kill(child, libc::SIGKILL);
        libc::waitpid(child, &raw mut status, 0);
    }
    if insns.is_empty() {
        return Err("the kernel does not give it back: that takes root".to_owned());
    }
    Ok(insns.iter().flat_map(|insn| crate::bytes(insn.code, insn.jt, insn.jf, insn.k)).collect())
}
