//! Instructions, from their bytes.
//!
//! ```text
//! ; insn 3: 15 00 00 02 29 00 00 00  if A = 0x29 goto 4 else 6
//! (define-fun at.3 () Bool (and at.1 test.1))
//! (define-fun test.3 () Bool (= nr #x00000029))
//! ```
//!
//! Jumps go forward only, so one pass suffices: an instruction is reached by one of the edges that end at it, and a register that
//! somebody may still read holds what it held on the edge that was taken. Layout is `struct sock_filter`
//! (`include/uapi/linux/filter.h`), what instructions do is `bpf_convert_filter` (`net/core/filter.c`), what the kernel
//! makes of the value returned is `__seccomp_filter` (`kernel/seccomp.c`), all of Linux 6.12.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::Trouble;
use super::text::{Text, all, not, plain, word};
use crate::bpf::op;
use crate::spec::Action;

/// The answer to a value that is computed; one that is in an instruction is known beforehand.
pub(super) const KERNEL: &str = "(define-fun kernel.answer ((ret (_ BitVec 32))) (_ BitVec 32)
  (let ((action (bvand ret #xffff0000)) (data (bvand ret #x0000ffff)))
    (ite (= action #x00000000) #x00000000
    (ite (= action #x00030000) ret
    (ite (= action #x00050000) (ite (bvugt data #x00000fff) #x00050fff ret)
    (ite (= action #x7fc00000) #x7fc00000
    (ite (= action #x7ff00000) ret
    (ite (= action #x7ffc0000) #x7ffc0000
    (ite (= action #x7fff0000) #x7fff0000
    #x80000000)))))))))";

/// How a program ends.
#[derive(Debug, Default)]
pub(super) struct Returns {
    /// Answers, with the instructions that give them.
    pub constant: BTreeMap<Action, Vec<String>>,
    /// Instructions that return a register, and what it holds.
    pub computed: Vec<(String, String)>,
}

/// `struct sock_filter`
#[derive(Debug, Clone, Copy)]
struct Insn {
    code: u16,
    jt: u8,
    jf: u8,
    k: u32,
}

/// A, X, and the sixteen words of memory.
const REGISTERS: usize = 18;
const A: usize = 0;
const X: usize = 1;
const MEMORY: usize = 2;

/// A term for each register; `None` where nothing was written.
type State = [Option<Rc<str>>; REGISTERS];

/// A way to an instruction: when it is taken, and what the registers hold then.
type Edge = (String, Rc<State>);

pub(super) fn write(bytes: &[u8], big_endian: bool, text: &mut Text) -> Result<Returns, Trouble> {
    let (rows, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(Trouble::Undefined("a part of an instruction".to_owned()));
    }
    let insns: Vec<Insn> = rows.iter().map(|row| decode(*row, big_endian)).collect();
    let live = live(&insns);
    let mut edges: Vec<Vec<Edge>> = vec![Vec::new(); insns.len()];
    let mut start: State = Default::default();
    // Both registers are cleared first (`bpf_convert_filter`).
    start[A] = Some(word(0).into());
    start[X] = Some(word(0).into());
    if let Some(first) = edges.first_mut() {
        first.push(("true".to_owned(), Rc::new(start)));
    }
    let mut returns = Returns::default();
    for (at, (&insn, row)) in insns.iter().zip(rows).enumerate() {
        let bytes: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
        text.comment(&format!("insn {at}: {}  {}", bytes.join(" "), words(at, insn)));
        let ways = std::mem::take(&mut edges[at]);
        if ways.is_empty() {
            text.comment("nothing leads here");
            continue;
        }
        let here = format!("at.{at}");
        text.define(&here, &[], &plain(ways.iter().map(|(taken, _)| taken.clone())))?;
        let state = joined(at, &ways, live[at], text)?;
        let mut machine = Machine { at, here, state, text, returns: &mut returns };
        for (target, edge) in machine.step(insn, big_endian)? {
            let Some(slot) = edges.get_mut(target) else {
                return Err(Trouble::Undefined(format!("instruction {at} leads out of the program")));
            };
            slot.push(edge);
        }
    }
    Ok(returns)
}

fn decode([c0, c1, jt, jf, k0, k1, k2, k3]: [u8; 8], big_endian: bool) -> Insn {
    let (code, k) = ([c0, c1], [k0, k1, k2, k3]);
    match big_endian {
        true => Insn { code: u16::from_be_bytes(code), jt, jf, k: u32::from_be_bytes(k) },
        false => Insn { code: u16::from_le_bytes(code), jt, jf, k: u32::from_le_bytes(k) },
    }
}

impl Insn {
    fn class(self) -> u16 {
        self.code & op::CLASS_MASK
    }

    /// Where it goes on; two places for a test, none for an end.
    fn targets(self, at: usize) -> Vec<usize> {
        match self.class() {
            op::RET => Vec::new(),
            op::JMP if self.code == op::JUMP => vec![(at + 1).saturating_add(self.k as usize)],
            op::JMP => vec![at + 1 + usize::from(self.jt), at + 1 + usize::from(self.jf)],
            _ => vec![at + 1],
        }
    }

    fn uses_x(self) -> bool {
        matches!(self.class(), op::ALU | op::JMP) && self.code & op::X != 0
    }

    /// Registers that it reads, as bits.
    fn reads(self) -> u32 {
        let memory = 1u32.checked_shl(MEMORY as u32 + (self.k & 15)).unwrap_or(0);
        let x = u32::from(self.uses_x()) << X;
        match self.class() {
            op::LD | op::LDX if self.code & !op::CLASS_MASK == op::MEM => memory,
            op::LD | op::LDX => 0,
            op::ST => 1 << A,
            op::STX => 1 << X,
            op::ALU => 1 << A | x,
            op::JMP if self.code == op::JUMP => 0,
            op::JMP => 1 << A | x,
            op::RET => u32::from(self.code == op::RET_A) << A,
            _ if self.code & op::TXA != 0 => 1 << X,
            _ => 1 << A,
        }
    }

    /// The register that it writes.
    fn writes(self) -> Option<usize> {
        match self.class() {
            op::LD | op::ALU => Some(A),
            op::LDX => Some(X),
            op::ST | op::STX => Some(MEMORY + (self.k & 15) as usize),
            op::MISC => Some(if self.code & op::TXA != 0 { A } else { X }),
            _ => None,
        }
    }
}

/// For each instruction the registers that it or one behind it may read.
fn live(insns: &[Insn]) -> Vec<u32> {
    let mut live = vec![0; insns.len()];
    for (at, insn) in insns.iter().enumerate().rev() {
        let after = insn.targets(at).into_iter().filter_map(|target| live.get(target)).fold(0, |all, one| all | one);
        let kept = insn.writes().map_or(after, |register| after & !(1 << register));
        live[at] = kept | insn.reads();
    }
    live
}

/// What the registers hold, by whatever way one came.
fn joined(at: usize, ways: &[Edge], live: u32, text: &mut Text) -> Result<State, Trouble> {
    let mut state = State::default();
    for (register, slot) in state.iter_mut().enumerate().filter(|(register, _)| live >> register & 1 == 1) {
        let Some(values) = ways.iter().map(|(_, state)| state[register].clone()).collect::<Option<Vec<_>>>() else {
            return Err(Trouble::Undefined(format!("instruction {at} may read what nobody wrote")));
        };
        let Some((last, first)) = values.split_last() else { continue };
        if first.iter().all(|value| value == last) {
            *slot = Some(Rc::clone(last));
            continue;
        }
        let name = match register {
            A => format!("A.{at}"),
            X => format!("X.{at}"),
            _ => format!("M.{}.{at}", register - MEMORY),
        };
        text.line(&format!("(define-fun {name} () (_ BitVec 32)"));
        for ((taken, _), value) in ways.iter().zip(first) {
            text.line(&format!("  (ite {taken} {value}"));
        }
        text.line(&format!("  {last}{}", ")".repeat(first.len() + 1)));
        *slot = Some(name.into());
    }
    Ok(state)
}

/// One instruction in the middle of its work.
struct Machine<'a> {
    at: usize,
    here: String,
    state: State,
    text: &'a mut Text,
    returns: &'a mut Returns,
}

impl Machine<'_> {
    fn step(&mut self, insn: Insn, big_endian: bool) -> Result<Vec<(usize, Edge)>, Trouble> {
        let Insn { code, k, .. } = insn;
        let mut here = self.here.clone();
        match insn.class() {
            op::LD | op::LDX => {
                let value = match code & !op::CLASS_MASK {
                    op::ABS => loaded(k, big_endian).ok_or_else(|| self.unknown("loads from nowhere"))?,
                    // `sizeof(struct seccomp_data)`
                    op::LEN => word(64),
                    op::IMM => word(k),
                    op::MEM if k < 16 => self.get(MEMORY + k as usize)?.to_string(),
                    _ => return Err(self.unknown("is none of seccomp's")),
                };
                self.state[if insn.class() == op::LD { A } else { X }] = Some(value.into());
            }
            op::ST | op::STX if k < 16 => {
                let value = self.get(if insn.class() == op::ST { A } else { X })?;
                self.state[MEMORY + k as usize] = Some(value);
            }
            op::ALU => {
                if code == op::ALU | op::DIV | op::X {
                    // A division by zero ends the program with 0.
                    let zero = format!("(= {} {})", self.get(X)?, word(0));
                    let end = all(vec![here.clone(), zero.clone()]);
                    self.returns.constant.entry(Action::from_ret(0)).or_default().push(end);
                    here = all(vec![here, not(&zero)]);
                }
                let value = self.alu(insn)?;
                let name = format!("out.{}", self.at);
                self.text.line(&format!("(define-fun {name} () (_ BitVec 32) {value})"));
                self.state[A] = Some(name.into());
            }
            op::JMP if code == op::JUMP => {}
            op::JMP => {
                let (a, operand) = (self.get(A)?, self.operand(insn)?);
                let test = match code & 0xf0 {
                    op::JEQ => format!("(= {a} {operand})"),
                    op::JGT => format!("(bvugt {a} {operand})"),
                    op::JGE => format!("(bvuge {a} {operand})"),
                    op::JSET => format!("(distinct (bvand {a} {operand}) {})", word(0)),
                    _ => return Err(self.unknown("is none of seccomp's")),
                };
                let name = format!("test.{}", self.at);
                self.text.define(&name, &[], &plain([test]))?;
                let state = Rc::new(std::mem::take(&mut self.state));
                let ways = [name.clone(), not(&name)].map(|test| all(vec![here.clone(), test]));
                return Ok(insn.targets(self.at).into_iter().zip(ways.map(|way| (way, Rc::clone(&state)))).collect());
            }
            op::RET if code == op::RET_K => {
                self.returns.constant.entry(Action::from_ret(k)).or_default().push(here);
                return Ok(Vec::new());
            }
            op::RET if code == op::RET_A => {
                let value = self.get(A)?.to_string();
                self.returns.computed.push((here, value));
                return Ok(Vec::new());
            }
            op::MISC if code == op::MISC | op::TAX => self.state[X] = Some(self.get(A)?),
            op::MISC if code == op::MISC | op::TXA => self.state[A] = Some(self.get(X)?),
            _ => return Err(self.unknown("is none of seccomp's")),
        }
        let state = Rc::new(std::mem::take(&mut self.state));
        Ok(insn.targets(self.at).into_iter().map(|target| (target, (here.clone(), Rc::clone(&state)))).collect())
    }

    fn alu(&self, insn: Insn) -> Result<String, Trouble> {
        let (a, operand) = (self.get(A)?, self.operand(insn)?);
        // The kernel's own machine takes the low five bits of a shift (`kernel/bpf/core.c`, ALU32).
        let shift = || format!("(bvand {operand} {})", word(31));
        Ok(match insn.code & 0xf0 {
            op::ADD => format!("(bvadd {a} {operand})"),
            op::SUB => format!("(bvsub {a} {operand})"),
            op::MUL => format!("(bvmul {a} {operand})"),
            op::DIV => format!("(bvudiv {a} {operand})"),
            op::OR => format!("(bvor {a} {operand})"),
            op::AND => format!("(bvand {a} {operand})"),
            op::XOR => format!("(bvxor {a} {operand})"),
            op::LSH => format!("(bvshl {a} {})", shift()),
            op::RSH => format!("(bvlshr {a} {})", shift()),
            op::NEG => format!("(bvneg {a})"),
            _ => return Err(self.unknown("is none of seccomp's")),
        })
    }

    fn operand(&self, insn: Insn) -> Result<Rc<str>, Trouble> {
        if insn.uses_x() { self.get(X) } else { Ok(word(insn.k).into()) }
    }

    fn get(&self, register: usize) -> Result<Rc<str>, Trouble> {
        self.state[register].clone().ok_or_else(|| self.unknown("reads what nobody wrote"))
    }

    fn unknown(&self, what: &str) -> Trouble {
        Trouble::Undefined(format!("instruction {} {what}", self.at))
    }
}

/// The word of `struct seccomp_data` at that offset. Of 64 bits the half that comes first is the lower one on a machine that has the
/// least byte first.
fn loaded(offset: u32, big_endian: bool) -> Option<String> {
    let half = |name: &str| {
        let upper = offset.is_multiple_of(8) == big_endian;
        format!("((_ extract {}) {name})", if upper { "63 32" } else { "31 0" })
    };
    match offset {
        _ if !offset.is_multiple_of(4) => None,
        0 => Some("nr".to_owned()),
        4 => Some("arch".to_owned()),
        8 | 12 => Some(half("instruction_pointer")),
        16..64 => Some(half(&format!("arg{}", (offset - 16) / 8))),
        _ => None,
    }
}

/// An instruction for a reader.
fn words(at: usize, insn: Insn) -> String {
    let Insn { code, k, .. } = insn;
    let operand = if insn.uses_x() { "X".to_owned() } else { format!("{k:#x}") };
    let register = if matches!(insn.class(), op::LD | op::ST) { "A" } else { "X" };
    let targets = insn.targets(at);
    match insn.class() {
        op::LD | op::LDX => match code & !op::CLASS_MASK {
            op::ABS => format!("{register} = data[{k}]"),
            op::LEN => format!("{register} = 64"),
            op::MEM => format!("{register} = M[{k}]"),
            _ => format!("{register} = {k:#x}"),
        },
        op::ST | op::STX => format!("M[{k}] = {register}"),
        op::ALU => {
            let sign = match code & 0xf0 {
                op::ADD => "+",
                op::SUB => "-",
                op::MUL => "*",
                op::DIV => "/",
                op::OR => "|",
                op::AND => "&",
                op::XOR => "^",
                op::LSH => "<<",
                op::RSH => ">>",
                _ => return "A = -A".to_owned(),
            };
            format!("A = A {sign} {operand}")
        }
        op::JMP => {
            let sign = match code & 0xf0 {
                op::JEQ => "=",
                op::JGT => ">",
                op::JGE => ">=",
                _ => "&",
            };
            match targets.as_slice() {
                [yes, no] => format!("if A {sign} {operand} goto {yes} else {no}"),
                targets => format!("goto {}", targets.first().unwrap_or(&at)),
            }
        }
        op::RET if code == op::RET_A => "return A".to_owned(),
        op::RET => format!("return {k:#x}: {}", Action::from_ret(k)),
        _ if code & op::TXA != 0 => "A = X".to_owned(),
        _ => "X = A".to_owned(),
    }
}
