//! The calls that the kernel allows without running the filter.
//!
//! ```text
//! ld [4]; jeq #0xc000003e, ..; ld [0]; jeq #0, ..; ret allow      read on x86_64: always allowed
//! ```
//!
//! When a filter is installed, Linux 5.11 and later goes through it for each number with only the number and the
//! architecture known. Where it comes to `allow` by that alone, a bit is set, and such calls never run the filter again
//! (`seccomp_is_const_allow`, `kernel/seccomp.c`). This is the same walk, instruction by instruction: what it does not
//! know, it gives up at, whatever the result would be.

use super::insn::{Insn, Program, op};
use crate::spec::{Action, Arch, Nr};

/// Whether the kernel answers the call from its bitmap.
pub fn always_allowed(program: &Program, arch: Arch, nr: Nr) -> bool {
    let mut a = 0u32;
    let mut pc = 0usize;
    while let Some(&Insn { code, jt, jf, k }) = program.0.get(pc) {
        pc += 1;
        let holds = match code {
            op::LD_ABS => {
                a = match k {
                    0 => nr.0,
                    4 => arch.audit_token(),
                    _ => return false,
                };
                continue;
            }
            op::RET_K => return k == Action::Allow.to_ret(),
            op::JUMP => {
                pc = pc.saturating_add(k as usize);
                continue;
            }
            op::AND_K => {
                a &= k;
                continue;
            }
            op::JEQ_K => a == k,
            op::JGE_K => a >= k,
            op::JGT_K => a > k,
            op::JSET_K => a & k != 0,
            _ => return false,
        };
        pc += usize::from(if holds { jt } else { jf });
    }
    false
}
