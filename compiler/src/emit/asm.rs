//! The program as a listing, in the notation of the kernel's own assembler.
//!
//! ```text
//! ; web.kpol: a seccomp filter, made by kpolc
//!         ld   [4]                        ; ABI
//!         jeq  #0xc000003e, l1, l12       ; x86_64
//! l1:     ld   [0]                        ; number
//! ```
//!
//! `tools/bpf/bpf_asm` of the kernel's source takes it as it is (`Documentation/networking/filter.rst` has the notation).
//!
//! INVARIANT: [`assemble`] of a listing is the program that it was made of.

use std::collections::HashMap;

use super::{Built, notes};
use crate::bpf::{self, Insn, Program, op};
use crate::diagnostic::render::clean_line;
use crate::diagram::Store;

/// The listing.
pub fn write(built: &Built<'_>, store: &mut Store) -> String {
    let mut text = String::new();
    for line in built.preface() {
        text.push_str(&format!("; {line}\n"));
    }
    text.push_str(";\n; offsets in [] are bytes of struct seccomp_data; <- says where the policy decides it\n\n");
    for (line, note) in bpf::lines(built.program).into_iter().zip(notes::notes(built, store)) {
        let label = line.label.map_or(String::new(), |label| format!("{label}:"));
        let note = clean_line(&note.to_string());
        let row = if note.is_empty() {
            format!("{label:<8}{}", line.words)
        } else {
            format!("{label:<8}{:<32}; {note}", line.words)
        };
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

/// The program that a listing of ours says; `None` for anything else.
pub fn assemble(text: &str) -> Option<Program> {
    let mut labels: HashMap<&str, usize> = HashMap::new();
    let mut rows: Vec<&str> = Vec::new();
    for line in text.lines() {
        let code = line.split_once(';').map_or(line, |(code, _)| code).trim();
        let code = match code.split_once(':') {
            Some((label, rest)) => {
                labels.insert(label, rows.len());
                rest.trim()
            }
            None => code,
        };
        if !code.is_empty() {
            rows.push(code);
        }
    }
    let distance = |at: usize, label: &str| labels.get(label)?.checked_sub(at + 1);
    let insn = |(at, row): (usize, &&str)| {
        let (name, rest) = row.split_once(' ').unwrap_or((row, ""));
        let operands: Vec<&str> = rest.split(',').map(str::trim).collect();
        let constant = || {
            let digits = operands.first()?.strip_prefix('#')?;
            match digits.strip_prefix("0x") {
                Some(hex) => u32::from_str_radix(hex, 16).ok(),
                None => digits.parse().ok(),
            }
        };
        let branch = |code: u16| match operands.as_slice() {
            [_, yes, no] => {
                let way = |label| u8::try_from(distance(at, label)?).ok();
                Some(Insn::jump(code, constant()?, way(yes)?, way(no)?))
            }
            _ => None,
        };
        match name {
            "ld" => {
                let offset = operands.first()?.strip_prefix('[')?.strip_suffix(']')?;
                Some(Insn::statement(op::LD_ABS, offset.parse().ok()?))
            }
            "and" => Some(Insn::statement(op::AND_K, constant()?)),
            "ret" => Some(Insn::statement(op::RET_K, constant()?)),
            "jmp" => Some(Insn::statement(op::JUMP, u32::try_from(distance(at, operands.first()?)?).ok()?)),
            "jeq" => branch(op::JEQ_K),
            "jgt" => branch(op::JGT_K),
            "jge" => branch(op::JGE_K),
            "jset" => branch(op::JSET_K),
            _ => None,
        }
    };
    rows.iter().enumerate().map(insn).collect::<Option<Vec<Insn>>>().map(Program)
}
