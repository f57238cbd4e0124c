//! The filter that a real runtime gives to the kernel, instruction by instruction.
//!
//! ```text
//! installed(Runtime::Runc, &rootfs, Seccomp::Profile(json))
//!     runc run …  under  strace -e trace=prctl,seccomp
//!     prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, {len=37, filter=[BPF_STMT(BPF_LD|BPF_W|BPF_ABS, 0x4), …     →  Filter
//! ```
//!
//! Nothing of ours is between: what strace prints is what the call was made with. The container may well die under the
//! filter; it is the last one of the trace that counts, and none where the runtime has refused the profile.

use crate::cbpf::{Filter, SockFilter};
use crate::containers::{Output, Rootfs, Runtime, Seccomp, traced};
use crate::skip::Skip;

/// What a runtime did with a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The program.
    pub filter: Filter,
    /// `SECCOMP_FILTER_FLAG_…`, as strace names them.
    pub flags: Vec<String>,
}

/// The filter that the runtime installs for a profile; `Ok(Err(_))` is what it says when it installs none.
pub fn installed(runtime: Runtime, rootfs: &Rootfs, seccomp: Seccomp<'_>) -> Result<Result<Installed, Output>, Skip> {
    let (output, trace) = traced(runtime, rootfs, seccomp)?;
    let last = trace.lines().filter_map(call).next_back();
    Ok(last.ok_or(output))
}

/// A line of strace's, if it is a filter that was taken.
fn call(line: &str) -> Option<Installed> {
    let (head, rest) = line.split_once(", filter=[")?;
    let (program, result) = rest.split_once("]})")?;
    if result.trim() != "= 0" {
        return None;
    }
    let flags = head.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let flags = flags.filter(|word| word.starts_with("SECCOMP_FILTER_FLAG_")).map(str::to_owned).collect();
    let parts = program.split("BPF_").fold(Vec::<String>::new(), |mut all, part| {
        if part.starts_with("STMT(") || part.starts_with("JUMP(") {
            all.push(String::new());
        }
        if let Some(last) = all.last_mut() {
            last.push_str("BPF_");
            last.push_str(part);
        }
        all
    });
    Some(Installed { filter: Filter(parts.iter().map(|part| instruction(part)).collect()), flags })
}

/// `BPF_JUMP(BPF_JMP|BPF_K|BPF_JEQ, 0x3, 0x5, 0)`
fn instruction(text: &str) -> SockFilter {
    let inner = text.split_once('(').and_then(|(_, rest)| rest.split_once(')')).expect("strace's form").0;
    let mut words = inner.split(',').map(str::trim);
    let code = words.next().expect("a code").split('|').map(number).fold(0, |code, part| code | part);
    let k = words.next().expect("a constant").split('|').map(number).fold(0, |k, part| k | part);
    let mut jump = || words.next().map_or(0, |word| u8::try_from(number(word)).expect("a byte"));
    let (jt, jf) = (jump(), jump());
    SockFilter { code: u16::try_from(code).expect("16 bits"), jt, jf, k }
}

/// A number, or a name from `linux/bpf_common.h` and `linux/seccomp.h`.
fn number(word: &str) -> u32 {
    match word.trim() {
        "BPF_LD" | "BPF_W" | "BPF_IMM" | "BPF_JA" | "BPF_ADD" | "BPF_K" => 0,
        "BPF_LDX" => 0x01,
        "BPF_ST" => 0x02,
        "BPF_STX" => 0x03,
        "BPF_ALU" => 0x04,
        "BPF_JMP" => 0x05,
        "BPF_RET" => 0x06,
        "BPF_MISC" => 0x07,
        "BPF_X" => 0x08,
        "BPF_A" | "BPF_JEQ" => 0x10,
        "BPF_ABS" | "BPF_JGT" => 0x20,
        "BPF_JGE" => 0x30,
        "BPF_JSET" => 0x40,
        "BPF_AND" => 0x50,
        "BPF_MEM" => 0x60,
        "SECCOMP_RET_KILL_PROCESS" => 0x8000_0000,
        "SECCOMP_RET_KILL_THREAD" | "SECCOMP_RET_KILL" => 0,
        "SECCOMP_RET_TRAP" => 0x0003_0000,
        "SECCOMP_RET_ERRNO" => 0x0005_0000,
        "SECCOMP_RET_USER_NOTIF" => 0x7fc0_0000,
        "SECCOMP_RET_TRACE" => 0x7ff0_0000,
        "SECCOMP_RET_LOG" => 0x7ffc_0000,
        "SECCOMP_RET_ALLOW" => 0x7fff_0000,
        word => match word.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).expect("a number"),
            None => word.parse().expect("a number"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_strace_is_a_program() {
        let line = "8  seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, {len=3, \
                    filter=[BPF_STMT(BPF_LD|BPF_W|BPF_ABS, 0x4), BPF_JUMP(BPF_JMP|BPF_K|BPF_JEQ, 0xc000003e, 0x1, 0), \
                    BPF_STMT(BPF_RET|BPF_K, SECCOMP_RET_ERRNO|0x26)]}) = 0";
        let code = |code, jt, jf, k| SockFilter { code, jt, jf, k };
        let program = vec![code(0x20, 0, 0, 4), code(0x15, 1, 0, 0xc000_003e), code(0x06, 0, 0, 0x0005_0026)];
        let flags = vec!["SECCOMP_FILTER_FLAG_SPEC_ALLOW".to_owned()];
        assert_eq!(call(line), Some(Installed { filter: Filter(program), flags }));
        assert_eq!(call("8  seccomp(SECCOMP_SET_MODE_FILTER, 0, NULL) = -1 EFAULT (Bad address)"), None);
    }
}
