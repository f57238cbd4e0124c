//! What a filter is made of, and what it costs.
//!
//! ```text
//! x86_64   allow 310 · deny(EPERM) 60 · by arguments 4        everything else deny(ENOSYS)
//! read     5 instructions, answered from the kernel's bitmap
//! ```
//!
//! Instructions are those that the kernel's interpreter would execute. The worst of a call is the longest way through
//! the program with its architecture and number known, whatever the arguments: a bound that may be higher than what
//! any arguments reach. What the kernel answers from its bitmap does not run the program ([`always_allowed`]).

use std::collections::BTreeMap;

use super::call_name;
use crate::bpf::{Insn, Program, SeccompData, Weights, always_allowed, op, run};
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
            let most = walk(program, nr.0, arch.audit_token());
            let bitmap = always_allowed(program, arch, nr);
            costs.push(Cost { arch, name: name.to_owned(), plain: ran.steps, most, bitmap });
        }
    }
    costs.sort_by(|a, b| (b.most, b.plain, &a.name, a.arch).cmp(&(a.most, a.plain, &b.name, b.arch)));
    costs
}

/// Instructions that a call of an ABI is expected to take: the mean over the calls that the weights name, with their
/// arguments. `None` if they name none of its calls.
pub fn expected(program: &Program, arch: Arch, weights: &Weights) -> Option<f64> {
    let (mut sum, mut total) = (0.0, 0.0);
    for (nr, frequent) in weights.calls(arch) {
        let ran = run(program, &SeccompData::new(&Call { arch, nr, args: frequent.args })).ok()?;
        sum += frequent.weight * ran.steps as f64;
        total += frequent.weight;
    }
    (total > 0.0).then(|| sum / total)
}

/// The longest way from each instruction, last instruction first: jumps lead forward only. Tests of the architecture
/// and the number go the one way that they go; the accumulator is known while nothing but these were loaded.
fn walk(program: &Program, nr: u32, token: u32) -> usize {
    let insns = &program.0;
    // Forward: which accumulator values reach an instruction (`None` is unknown). One known value or none is kept.
    let mut reached: Vec<Option<Option<u32>>> = vec![None; insns.len()];
    let mut longest = vec![0usize; insns.len()];
    let mut most = 0;
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
            op::RET => most = most.max(steps),
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
                    go(by(u32::from(jt)), a);
                    go(by(u32::from(jf)), a);
                }
            },
            op::LD if code & !op::CLASS_MASK == op::ABS && k < 8 => go(at + 1, Some(if k == 0 { nr } else { token })),
            op::ALU if code & 0xf0 == op::AND && code & op::X == 0 => go(at + 1, a.map(|a| a & k)),
            op::LDX | op::ST | op::STX => go(at + 1, a),
            _ => go(at + 1, None),
        }
    }
    most
}
