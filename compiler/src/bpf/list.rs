//! A program as a text, for people.
//!
//! ```text
//!         ld   [4]                     ; arch
//!         jeq  #0xc000003e, l1, l5     ; x86_64
//! l1:     ld   [0]                     ; nr
//! ```
//!
//! The notation is that of the kernel's own assembler (`tools/bpf/bpf_asm`, `Documentation/networking/filter.rst`).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::insn::{Insn, Program, op};
use crate::spec::{Action, Arch};

/// One instruction in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// `l1`, where a jump leads here.
    pub label: Option<String>,
    /// `jeq  #0xc000003e, l1, l2`
    pub words: String,
    /// What its numbers mean.
    pub comment: Option<String>,
}

/// The listing. Instructions that make no sense are shown as their numbers.
pub fn list(program: &Program) -> String {
    let mut text = String::new();
    for Line { label, words, comment } in lines(program) {
        let label = label.map_or(String::new(), |label| format!("{label}:"));
        // Writing to a String cannot fail.
        let _ = match comment {
            Some(comment) => writeln!(text, "{label:<8}{words:<32}; {comment}"),
            None => writeln!(text, "{label:<8}{words}"),
        };
    }
    text
}

/// The same, an instruction each.
pub fn lines(program: &Program) -> Vec<Line> {
    let mut labels: BTreeMap<usize, usize> =
        program.0.iter().enumerate().flat_map(|(at, &insn)| targets(at, insn)).map(|target| (target, 0)).collect();
    for (number, label) in labels.values_mut().enumerate() {
        *label = number + 1;
    }
    let line = |(at, &insn): (usize, &Insn)| {
        let (words, comment) = words(at, insn, &labels);
        Line { label: labels.get(&at).map(|label| format!("l{label}")), words, comment }
    };
    program.0.iter().enumerate().map(line).collect()
}

fn targets(at: usize, insn: Insn) -> Vec<usize> {
    if insn.code == op::JUMP {
        vec![at + 1 + insn.k as usize]
    } else if insn.is_branch() {
        vec![at + 1 + usize::from(insn.jt), at + 1 + usize::from(insn.jf)]
    } else {
        Vec::new()
    }
}

fn words(at: usize, insn: Insn, labels: &BTreeMap<usize, usize>) -> (String, Option<String>) {
    let Insn { code, k, .. } = insn;
    let label = |target: usize| labels.get(&target).map_or_else(|| format!("+{target}"), |label| format!("l{label}"));
    let ways: Vec<String> = targets(at, insn).into_iter().map(label).collect();
    let operand = if code & op::X != 0 { "x".to_owned() } else { format!("#{k:#x}") };
    let plain = |name: &str| (format!("{name:<5}{operand}"), None);
    match insn.class() {
        op::LD | op::LDX => {
            let name = if insn.class() == op::LD { "ld" } else { "ldx" };
            match code & !op::CLASS_MASK {
                op::ABS => (format!("{name:<5}[{k}]"), Some(field(k))),
                op::MEM => (format!("{name:<5}M[{k}]"), None),
                op::LEN => (format!("{name:<5}len"), None),
                op::IMM => (format!("{name:<5}#{k:#x}"), None),
                _ => unknown(insn),
            }
        }
        op::ST => (format!("{:<5}M[{k}]", "st"), None),
        op::STX => (format!("{:<5}M[{k}]", "stx"), None),
        op::ALU => match code & 0xf0 {
            op::ADD => plain("add"),
            op::SUB => plain("sub"),
            op::MUL => plain("mul"),
            op::DIV => plain("div"),
            op::OR => plain("or"),
            op::AND => plain("and"),
            op::LSH => plain("lsh"),
            op::RSH => plain("rsh"),
            op::XOR => plain("xor"),
            op::NEG => ("neg".to_owned(), None),
            _ => unknown(insn),
        },
        op::JMP => {
            let name = match code & 0xf0 {
                op::JA => return (format!("{:<5}{}", "jmp", ways.concat()), None),
                op::JEQ => "jeq",
                op::JGT => "jgt",
                op::JGE => "jge",
                op::JSET => "jset",
                _ => return unknown(insn),
            };
            let arch = Arch::all().find(|arch| code == op::JEQ_K && k > 0x4000_0000 && arch.audit_token() == k);
            (format!("{name:<5}{operand}, {}", ways.join(", ")), arch.map(|arch| arch.name().to_owned()))
        }
        op::RET if code == op::RET_K => (format!("{:<5}#{k:#x}", "ret"), Some(Action::from_ret(k).to_string())),
        op::RET => (format!("{:<5}a", "ret"), None),
        _ if code == op::MISC | op::TAX => ("tax".to_owned(), None),
        _ if code == op::MISC | op::TXA => ("txa".to_owned(), None),
        _ => unknown(insn),
    }
}

fn unknown(insn: Insn) -> (String, Option<String>) {
    (format!(".insn {:#06x}, {}, {}, {:#x}", insn.code, insn.jt, insn.jf, insn.k), Some("not valid".to_owned()))
}

/// What lies at an offset of `seccomp_data`. Which half of an argument comes first depends on the machine.
fn field(offset: u32) -> String {
    match offset {
        0 => "nr".to_owned(),
        4 => "arch".to_owned(),
        8 | 12 => "instruction pointer".to_owned(),
        16..64 => {
            format!("reg{}, {} word", (offset - 16) / 8, if offset.is_multiple_of(8) { "first" } else { "second" })
        }
        _ => "outside of seccomp_data".to_owned(),
    }
}
