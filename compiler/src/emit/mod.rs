//! Other texts of a policy and its program, for those who read, link or look at them: one file a format.
//!
//! ```text
//! asm   l7:  ld   [16]             ; socket: family
//!            jeq  #0x1, l9, l13    ; family == AF_UNIX  <- web.kpol:3
//! c     static const struct sock_filter web_filter[WEB_FILTER_LENGTH] = { { 0x20, 0, 0, 0x00000004 }, …
//! dot   family --"== AF_UNIX"--> allow
//! smt2  (assert (or (distinct policy.allow program.allow) ...)) (check-sat)
//! ```
//!
//! Listing and header hold the very program that `bpf` would be: each is read back, and compared instruction by
//! instruction. The graph is drawn from the diagram, not from the program.
//!
//! | file | |
//! |---|---|
//! | `notes` | what an instruction means, whose calls come by, which rule decides for them |
//! | `reach` | which calls of a number come to an instruction |
//! | `word` | half a register, as a condition of the language |
//! | `asm` | a listing, in the notation of the kernel's own assembler |
//! | `c` | a header |
//! | `dot` | a graph |
//! | `smt2` | policy and program as a question for solvers |

pub mod asm;
pub mod c;
pub mod dot;
mod notes;
mod reach;
pub mod smt2;
mod word;

use std::collections::BTreeMap;

use crate::answer::call_name;
use crate::bpf::Program;
use crate::diagnostic::render::clean_line;
use crate::policy::{Flag, Policy};
use crate::resolve::Resolved;
use crate::source::Sources;
use crate::spec::{Arch, Nr};
use crate::tables;

pub use notes::Note;

/// A policy, and the program that was made of it.
#[derive(Debug, Clone, Copy)]
pub struct Built<'a> {
    /// The policy's file, as the user calls it.
    pub file: &'a str,
    /// What it means.
    pub policy: &'a Policy,
    /// The rules.
    pub resolved: &'a Resolved,
    /// The files that they stand in.
    pub sources: &'a Sources,
    /// The program, proven to mean the policy.
    pub program: &'a Program,
}

/// The calls of an ABI that have a name, by number.
fn named_calls(policy: &Policy, arch: Arch) -> BTreeMap<Nr, &str> {
    let own = policy.declared.keys().filter(|(of, _)| *of == arch).map(|(_, nr)| *nr);
    let known = tables::Syscall::all_of(arch).filter_map(|call| call.nr(arch));
    known.chain(own).filter_map(|nr| Some((nr, call_name(&policy.declared, arch, nr)?))).collect()
}

impl Built<'_> {
    /// What a reader must know before the first instruction, a sentence a line.
    fn preface(&self) -> Vec<String> {
        let archs: Vec<&str> = self.policy.archs.iter().map(|arch| arch.name()).collect();
        let length = self.program.len();
        let mut lines = vec![
            // No version: the text changes when the filter does, not when kpolc does.
            format!("{}: a seccomp filter, made by kpolc", clean_line(self.file)),
            format!("{length} instruction{} for {}", if length == 1 { "" } else { "s" }, archs.join(", ")),
            "calls of every other ABI end the process".to_owned(),
        ];
        let flags: Vec<&str> = self.policy.flags.iter().map(|flag| flag.oci_name()).collect();
        if !flags.is_empty() {
            lines.push(format!("to be installed with {}", flags.join(" | ")));
        }
        lines
    }

    /// For `seccomp(2)`.
    fn flags(&self) -> u32 {
        self.policy.flags.iter().map(|flag: &Flag| flag.bit()).fold(0, |all, bit| all | bit)
    }
}

#[cfg(test)]
mod tests;
