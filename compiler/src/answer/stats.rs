//! What a filter is made of, and what it costs.
//!
//! ```text
//! x86_64   allow 310 · deny(EPERM) 60 · by arguments 4        everything else deny(ENOSYS)
//! read     5 instructions, answered from the kernel's bitmap
//! ```
//!
//! Instructions are those that the kernel's interpreter would execute. The worst of a call is the longest way through
//! the program with its architecture and number known, whatever the arguments: a bound that may be higher than what
//! any arguments reach. Since Linux 5.11 a call is answered from a bitmap, without running the filter, if the filter
//! comes to `allow` by its architecture and number alone (`seccomp_is_const_allow`, `kernel/seccomp.c`).

use std::collections::BTreeMap;

use super::call_name;
use crate::bpf::{Insn, Program, SeccompData, Weights, op, run};
use crate::diagram::{Function, Leaf};
use crate::spec::{Action, Arch, Call, Nr};
use crate::tables;

/// What happens to the named calls of one ABI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfArch {
    /// Which.
    pub arch: Arch,
    /// How many calls always get an action.
    pub calls: BTreeMap<Action, usize>,
    /// Names of those whose action hangs on arguments or the environment.
    pub conditional: Vec<String>,
}

/// What one call costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// The ABI.
    pub arch: Arch,
    /// The name.
    pub name: String,
    /// Instructions with all arguments 0.
    pub plain: usize,
    /// At most.
    pub most: usize,
    /// Whether the kernel answers it without running the filter.
    pub bitmap: bool,
}

/// Counts the calls of each ABI.
pub fn calls(function: &Function, archs: &[Arch], declared: &BTreeMap<(Arch, Nr), String>) -> Vec<OfArch> {
    let of = |arch: Arch| {
        let mut counted = OfArch { arch, calls: BTreeMap::new(), conditional: Vec::new() };
        for nr in numbers(arch, declared) {
            match function.at(arch, nr).as_leaf() {
                Some(Leaf::Act(action)) => *counted.calls.entry(action).or_default() += 1,
                _ => counted.conditional.extend(call_name(declared, arch, nr).map(str::to_owned)),
            }
        }
        counted.conditional.sort_unstable();
        counted
    };
    archs.iter().map(|&arch| of(arch)).collect()
}

fn numbers(arch: Arch, declared: &BTreeMap<(Arch, Nr), String>) -> Vec<Nr> {
    let own = declared.keys().filter(|(of, _)| *of == arch).map(|(_, nr)| *nr);
    let mut all: Vec<Nr> = tables::Syscall::all_of(arch).filter_map(|call| call.nr(arch)).chain(own).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// What each call costs under a program, heaviest first.
pub fn costs(program: &Program, archs: &[Arch], declared: &BTreeMap<(Arch, Nr), String>) -> Vec<Cost> {
    let mut costs = Vec::new();
    for &arch in archs {
        for nr in numbers(arch, declared) {
            let Some(name) = call_name(declared, arch, nr) else { continue };
            let data = SeccompData::new(&Call { arch, nr, args: [0; 6] });
            let Ok(ran) = run(program, &data) else { continue };
            let walk = walk(program, nr.0, arch.audit_token());
            costs.push(Cost { arch, name: name.to_owned(), plain: ran.steps, most: walk.most, bitmap: walk.bitmap });
        }
    }
    costs.sort_by(|a, b| (b.most, b.plain, &a.name, a.arch).cmp(&(a.most, a.plain, &b.name, b.arch)));
    costs
}

/// Instructions that a call of an ABI is expected to take, by how often each is made; arguments 0.
pub fn expected(costs: &[Cost], arch: Arch, weights: &Weights) -> f64 {
    let frequencies = weights.on(arch);
    let (mut sum, mut total) = (0.0, 0.0);
    for cost in costs.iter().filter(|cost| cost.arch == arch) {
        let Some(nr) = tables::syscall(&cost.name).and_then(|call| call.nr(arch)) else { continue };
        let weight = frequencies.of(nr.0, nr.0);
        sum += weight * cost.plain as f64;
        total += weight;
    }
    if total > 0.0 { sum / total } else { 0.0 }
}

struct Walk {
    most: usize,
    bitmap: bool,
}

/// The longest way from each instruction, last instruction first: jumps lead forward only. Tests of the architecture
/// and the number go the one way that they go; the accumulator is known while nothing but these were loaded.
fn walk(program: &Program, nr: u32, token: u32) -> Walk {
    let insns = &program.0;
    // Forward: which accumulator values reach an instruction (`None` is unknown). One known value or none is kept.
    let mut reached: Vec<Option<Option<u32>>> = vec![None; insns.len()];
    let mut longest = vec![0usize; insns.len()];
    let mut most = 0;
    let mut bitmap = true;
    if let Some(first) = reached.first_mut() {
        *first = Some(Some(0));
    }
    for at in 0..insns.len() {
        let Some(a) = reached[at] else { continue };
        let Insn { code, jt, jf, k } = insns[at];
        let steps = longest[at] + 1;
        let mut go = |to: usize, a: Option<u32>| {
            let Some(slot) = reached.get_mut(to) else { return };
            *slot = match *slot {
                None => Some(a),
                Some(before) if before == a => Some(a),
                Some(_) => Some(None),
            };
            longest[to] = longest[to].max(steps);
        };
        let by = |jump: u32| (at + 1).saturating_add(jump as usize);
        match insns[at].class() {
            op::RET => {
                most = most.max(steps);
                bitmap &= code == op::RET_K && Action::from_ret(k) == Action::Allow;
            }
            op::JMP if code & 0xf0 == op::JA => go(by(k), a),
            op::JMP => match (a, code & op::X == 0) {
                (Some(a), true) => {
                    let holds = match code & 0xf0 {
                        op::JEQ => a == k,
                        op::JGT => a > k,
                        op::JGE => a >= k,
                        _ => a & k != 0,
                    };
                    go(by(u32::from(if holds { jt } else { jf })), Some(a));
                }
                _ => {
                    bitmap = false;
                    go(by(u32::from(jt)), a);
                    go(by(u32::from(jf)), a);
                }
            },
            op::LD if code & !op::CLASS_MASK == op::ABS && k < 8 => go(at + 1, Some(if k == 0 { nr } else { token })),
            op::ALU if code & 0xf0 == op::AND && code & op::X == 0 => go(at + 1, a.map(|a| a & k)),
            // The kernel's own look ahead knows no other instruction.
            op::LD | op::ALU => {
                bitmap = false;
                go(at + 1, None);
            }
            op::LDX | op::ST | op::STX => {
                bitmap = false;
                go(at + 1, a);
            }
            _ => {
                bitmap = false;
                go(at + 1, None);
            }
        }
    }
    Walk { most, bitmap }
}
