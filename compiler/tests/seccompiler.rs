//! seccompiler as an oracle: policies that it can say give the same answers from its filter and from ours.
//!
//! It knows one action for what matches and one for what does not, and conditions by argument; its filters check the
//! architecture first, as ours do.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use kpol_compiler::bpf::{ByteOrder, Insn, Program, SeccompData, run};
use kpol_compiler::driver::{Format, Options, build};
use kpol_compiler::source::Memory;
use kpol_compiler::spec::{Arch, Call, Nr};
use kpol_compiler::tables;
use proptest::prelude::*;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

/// Calls with parameters of both widths that both libraries take for unsigned or compare by equality only.
const CALLS: [(&str, &[(&str, bool)]); 5] = [
    ("mmap", &[("addr", true), ("len", true), ("off", true)]),
    ("ioctl", &[("fd", false), ("cmd", false), ("arg", true)]),
    ("openat2", &[("dfd", false), ("usize", true)]),
    ("memfd_create", &[("flags", false)]),
    ("landlock_restrict_self", &[("ruleset_fd", false), ("flags", false)]),
];

#[derive(Debug, Clone)]
struct Condition {
    param: usize,
    op: usize,
    value: u64,
    mask: u64,
}

#[derive(Debug, Clone)]
struct Rule {
    call: usize,
    conditions: Vec<Condition>,
}

fn value() -> impl Strategy<Value = u64> {
    prop_oneof![0u64..20, Just(u64::from(u32::MAX)), any::<u32>().prop_map(u64::from), any::<u64>()]
}

fn rule() -> impl Strategy<Value = Rule> {
    (0..CALLS.len()).prop_flat_map(|call| {
        let condition = (0..CALLS[call].1.len(), 0usize..7, value(), value())
            .prop_map(|(param, op, value, mask)| Condition { param, op, value, mask });
        prop::collection::vec(condition, 0..3).prop_map(move |conditions| Rule { call, conditions })
    })
}

impl Condition {
    fn is_wide(&self, call: usize) -> bool {
        CALLS[call].1[self.param].1
    }

    /// Value and mask as wide as the parameter; signed 32-bit ones are compared by equality only.
    fn settled(&self, call: usize) -> (usize, u64, u64) {
        if self.is_wide(call) {
            return (self.op, self.value, self.mask);
        }
        let signed = CALLS[call].1[self.param].0.ends_with("fd");
        let op = if signed && self.op > 2 { self.op % 3 } else { self.op };
        (op, self.value & 0xffff_ffff, self.mask & 0xffff_ffff)
    }

    fn text(&self, call: usize) -> String {
        let (op, value, mask) = self.settled(call);
        let name = CALLS[call].1[self.param].0;
        match op {
            0 => format!("{name} == {value:#x}"),
            1 => format!("{name} != {value:#x}"),
            2 => format!("{name} & {mask:#x} == {:#x}", value & mask),
            3 => format!("{name} < {value:#x}"),
            4 => format!("{name} <= {value:#x}"),
            5 => format!("{name} > {value:#x}"),
            _ => format!("{name} >= {value:#x}"),
        }
    }

    fn theirs(&self, call: usize, index: u8) -> SeccompCondition {
        let (op, value, mask) = self.settled(call);
        let (op, value) = match op {
            0 => (SeccompCmpOp::Eq, value),
            1 => (SeccompCmpOp::Ne, value),
            2 => (SeccompCmpOp::MaskedEq(mask), value & mask),
            3 => (SeccompCmpOp::Lt, value),
            4 => (SeccompCmpOp::Le, value),
            5 => (SeccompCmpOp::Gt, value),
            _ => (SeccompCmpOp::Ge, value),
        };
        let width = if self.is_wide(call) { SeccompCmpArgLen::Qword } else { SeccompCmpArgLen::Dword };
        SeccompCondition::new(index, width, op, value).unwrap()
    }
}

fn nr(call: usize, arch: Arch) -> Nr {
    tables::syscall(CALLS[call].0).unwrap().nr(arch).unwrap()
}

/// Place of a parameter in the kernel's order.
fn index(call: usize, param: usize, arch: Arch) -> u8 {
    let params = tables::syscall(CALLS[call].0).unwrap().params(arch).unwrap();
    let name = CALLS[call].1[param].0;
    params.iter().position(|known| known.name == name).unwrap_or_else(|| panic!("{name}: {params:?}")) as u8
}

fn ours(rules: &[Rule], arch: Arch) -> Program {
    let mut text = format!("arch {arch}\ndefault deny(EACCES)\nallow {{\n");
    for rule in rules {
        let conditions: Vec<String> = rule.conditions.iter().map(|condition| condition.text(rule.call)).collect();
        let list = if conditions.is_empty() { String::new() } else { format!("({})", conditions.join(", ")) };
        writeln!(text, "    {}{list},", CALLS[rule.call].0).unwrap();
    }
    text.push_str("}\n");
    let mut files = Memory::default();
    files.insert("p.kpol", text.clone());
    let (checked, products) = build(&files, Path::new("p.kpol"), &Options::default(), &[Format::Bpf]);
    let product = products.first().unwrap_or_else(|| panic!("{text}\n{:#?}", checked.diagnostics));
    Program::from_bytes(&product.bytes, ByteOrder::Little).unwrap()
}

fn theirs(rules: &[Rule], arch: Arch) -> Program {
    let mut map: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    // No rules mean "always": a call with an unconditional rule keeps an empty list.
    for rule in rules {
        map.entry(i64::from(nr(rule.call, arch).0)).or_default();
    }
    for rule in rules {
        let always = rules.iter().any(|other| other.call == rule.call && other.conditions.is_empty());
        if !always {
            let conditions = rule
                .conditions
                .iter()
                .map(|condition| condition.theirs(rule.call, index(rule.call, condition.param, arch)))
                .collect();
            let list = map.get_mut(&i64::from(nr(rule.call, arch).0)).unwrap();
            list.push(SeccompRule::new(conditions).unwrap());
        }
    }
    let target = if arch == Arch::X86_64 { TargetArch::x86_64 } else { TargetArch::aarch64 };
    let deny = SeccompAction::Errno(13);
    let filter: BpfProgram = SeccompFilter::new(map, deny, SeccompAction::Allow, target).unwrap().try_into().unwrap();
    Program(filter.iter().map(|insn| Insn { code: insn.code, jt: insn.jt, jf: insn.jf, k: insn.k }).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn seccompiler_agrees(
        rules in prop::collection::vec(rule(), 1..8),
        aarch64: bool,
        noise: u32,
        random in prop::array::uniform6(value()),
    ) {
        let arch = if aarch64 { Arch::Aarch64 } else { Arch::X86_64 };
        let (a, b) = (ours(&rules, arch), theirs(&rules, arch));
        let answer = |program: &Program, call: &Call| run(program, &SeccompData::new(call)).unwrap().action();
        let mut calls = vec![Call { arch, nr: Nr(noise & 0x3fff_ffff), args: random }];
        for rule in &rules {
            let nr = nr(rule.call, arch);
            calls.push(Call { arch, nr, args: random });
            for condition in &rule.conditions {
                let (_, value, mask) = condition.settled(rule.call);
                let garbage = u64::from(noise) << 32;
                for edge in [value, value.wrapping_sub(1), value.wrapping_add(1), value & mask, value | garbage, !mask] {
                    let mut args = random;
                    args[usize::from(index(rule.call, condition.param, arch))] = edge;
                    calls.push(Call { arch, nr, args });
                }
            }
        }
        for call in &calls {
            prop_assert_eq!(answer(&a, call), answer(&b, call), "{:?}", call);
        }
    }
}
