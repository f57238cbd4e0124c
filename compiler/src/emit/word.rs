//! Half a register, which is what an instruction looks at, as a condition of the language.
//!
//! ```text
//! ld [16]                jeq #0x1       family == AF_UNIX                           an `int`: one half is all of it
//! ld [24], and #0xf      jgt #0x2       type & SOCK_TYPE_MASK > 2
//! ld [16]                jge #0x3       fd not in {0..2}                            programs know no signs
//! ld [28]                jeq #0x1       offset & 0xffffffff00000000 == 0x100000000
//! ld [28]                jeq #0x1       reg1 & 0xffffffff00000000 == 0x100000000    where calls share it
//! ```
//!
//! INVARIANT: the condition, read as a policy's, holds for just the calls for which the instruction jumps (a test below).

use crate::answer::words;
use crate::bpf::op;
use crate::spec::{Arch, register};
use crate::tables::{self, Param, Syscall};

/// Half a register under a mask, and what it is to the calls that come by.
#[derive(Debug, Clone)]
pub(super) struct Word {
    /// Which register.
    pub arg: u8,
    /// Which half of it.
    pub upper: bool,
    pub mask: u32,
    /// The parameter, if it is the same one to all of them.
    param: Option<Named>,
    /// How many bits the parameter's name stands for, whatever the command of the calls that come by.
    sure: u8,
    /// ABIs on which they come by.
    archs: Vec<Arch>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Named {
    call: Syscall,
    param: &'static Param,
    bits: u8,
}

impl Word {
    /// `visitors`: names of calls, each with its ABI, and how many bits of this argument its name stands for in any case.
    pub fn of<'a>(arg: u8, upper: bool, mask: u32, visitors: impl Iterator<Item = (&'a str, Arch, u8)>) -> Self {
        let (mut seen, mut archs): (Vec<Option<Named>>, Vec<Arch>) = (Vec::new(), Vec::new());
        let mut sure = 64;
        for (name, arch, bits) in visitors {
            sure = sure.min(bits);
            let named = tables::syscall(name).and_then(|call| {
                let param = register::param(call, arch, arg)?;
                Some(Named { call, param, bits: param.bits.min(arch.bits()) })
            });
            let same = |known: &Option<Named>| match (known, &named) {
                (Some(one), Some(other)) => (one.call, one.bits, one.param) == (other.call, other.bits, other.param),
                (one, other) => one.is_none() && other.is_none(),
            };
            if !seen.iter().any(same) {
                seen.push(named);
            }
            if !archs.contains(&arch) {
                archs.push(arch);
            }
        }
        let param = if let [only] = seen.as_slice() { *only } else { None };
        Self { arg, upper, mask, param, sure, archs }
    }

    /// What is loaded: `family`, `offset, upper half`, `type & SOCK_TYPE_MASK`.
    pub fn subject(&self) -> String {
        let half = if self.upper { "upper" } else { "lower" };
        let label = match self.param {
            Some(named) if !self.upper && named.bits <= 32 => named.param.name.to_owned(),
            Some(named) if named.bits == 64 => format!("{}, {half} half", named.param.name),
            _ => format!("{}, {half} half", register::name(self.arg)),
        };
        match self.mask {
            u32::MAX => label,
            mask => format!("{label} & {}", self.flags(u64::from(mask))),
        }
    }

    /// When a jump of that operation with that constant is taken.
    pub fn test(&self, operation: u16, k: u32) -> String {
        if let Some(text) = self.param.and_then(|named| self.named_test(named, operation, k)) {
            return text;
        }
        let plain = Self { param: None, ..self.clone() };
        let shift = if self.upper { 32 } else { 0 };
        plain.masked(&register::name(self.arg), u64::from(self.mask) << shift, operation, u64::from(k) << shift)
    }

    /// `None` where only the register's name says it.
    fn named_test(&self, named: Named, operation: u16, k: u32) -> Option<String> {
        let label = named.param.name;
        let shift = if self.upper { 32 } else { 0 };
        let (mask, value) = (u64::from(self.mask) << shift, u64::from(k) << shift);
        let seen = u64::MAX >> (64 - u32::from(named.bits));
        let ordered = matches!(operation, op::JGT | op::JGE);
        let sign = named.param.signed && (mask | value) >> (named.bits - 1) & 1 == 1;
        // Bits that the parameter does not have, or not under every command, can be spoken of by the register alone.
        let sure = self.sure.min(named.bits);
        if (mask | value) & !u64::MAX.checked_shr(64 - u32::from(sure)).unwrap_or(0) != 0 {
            return None;
        }
        if mask != seen {
            return (!ordered || !sign).then(|| self.masked(label, mask, operation, value));
        }
        match operation {
            op::JSET => Some(format!("{label} & {}", self.flags(value))),
            op::JEQ => Some(format!("{label} == {}", self.value(value))),
            op::JGT if !named.param.signed => Some(format!("{label} > {}", self.bound(value))),
            op::JGE if !named.param.signed => Some(format!("{label} >= {}", self.bound(value))),
            _ => {
                // Programs compare without signs: negative numbers are the largest.
                let half = 1i128 << (named.bits - 1);
                let first = i128::from(value) + i128::from(operation == op::JGT);
                if first <= 0 || first >= 2 * half {
                    return None;
                }
                Some(match first {
                    _ if first == half => format!("{label} < 0"),
                    _ if first > half => format!("{label} in {{{}..-1}}", first - 2 * half),
                    1 => format!("{label} != 0"),
                    _ => format!("{label} not in {{0..{}}}", words::number(first - 1)),
                })
            }
        }
    }

    fn masked(&self, label: &str, mask: u64, operation: u16, value: u64) -> String {
        let flags = |bits: u64| if mask >> 32 == 0 { self.flags(bits) } else { words::number(i128::from(bits)) };
        let tested = format!("{label} & {}", flags(mask));
        match operation {
            op::JSET => format!("{label} & {}", flags(mask & value)),
            op::JEQ => format!("{tested} == {}", flags(value)),
            op::JGT => format!("{tested} > {}", words::number(i128::from(value))),
            _ => format!("{tested} >= {}", words::number(i128::from(value))),
        }
    }

    fn value(&self, value: u64) -> String {
        self.named(value, |named, arch| words::value(named.call, named.param, arch, value))
    }

    fn bound(&self, value: u64) -> String {
        self.named(value, |named, arch| words::bound(named.call, named.param, arch, value))
    }

    fn flags(&self, value: u64) -> String {
        self.named(value, |named, arch| words::flags(named.call, named.param, arch, value))
    }

    /// By name only where the name is the same on all ABIs that come by.
    fn named(&self, value: u64, name: impl Fn(Named, Arch) -> String) -> String {
        let plain = words::number(i128::from(value));
        let Some(named) = self.param else { return plain };
        let mut texts = self.archs.iter().map(|&arch| name(named, arch));
        match texts.next() {
            Some(first) if texts.all(|other| other == first) => first,
            _ => plain,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use std::path::Path;

    use super::*;
    use crate::diagnostic::Severity;
    use crate::diagram::{Comparison, Node, Operand, Store};
    use crate::driver::{Options, compile};
    use crate::resolve::width;
    use crate::source::Memory;
    use crate::spec::Action;

    /// What a jump means, by the bits of its word.
    fn jumps(store: &mut Store, word: &Word, arch: Arch, operation: u16, k: u32) -> Node {
        let shift = if word.upper { 32 } else { 0 };
        let register = u64::MAX >> (64 - u32::from(arch.bits()));
        let mask = (u64::from(word.mask) << shift) & register;
        let value = u64::from(k) << shift;
        let operand = Operand { arg: word.arg, bits: 64, mask, signed: false };
        match operation {
            op::JSET => {
                let none = store.compare(Operand { mask: mask & value, ..operand }, Comparison::Eq, 0);
                store.not(none)
            }
            op::JEQ if value & !mask != 0 => Node::FALSE,
            op::JEQ => store.compare(operand, Comparison::Eq, value),
            op::JGE if k == 0 => Node::TRUE,
            _ => {
                // Of the upper half: the lower one does not count, and is masked away.
                let last = if operation == op::JGT { value } else { (u64::from(k) - 1) << shift };
                let below = store.compare(operand, Comparison::Le, last);
                store.not(below)
            }
        }
    }

    /// What a policy of one condition a call makes of them.
    fn sets(store: &mut Store, arch: Arch, conditions: &[(Syscall, String)]) -> Vec<Node> {
        let rules: String =
            conditions.iter().map(|(call, text)| format!("allow {{ {}({text}) }}\n", call.name())).collect();
        let memory = Memory::from([("p.kpol", format!("arch {arch}\ndefault deny\n{rules}"))]);
        let (found, policy) = compile(&memory, Path::new("p.kpol"), &Options::default(), store);
        let errors: Vec<_> = found.iter().filter(|found| found.severity == Severity::Error).collect();
        assert!(errors.is_empty(), "{errors:?}");
        let function = policy.unwrap().function;
        let set = |(call, _): &(Syscall, String)| {
            let node = function.at(arch, call.nr(arch).unwrap());
            store.where_action(node, &|action| action == Action::Allow)
        };
        conditions.iter().map(set).collect()
    }

    #[test]
    fn a_test_is_said_as_a_condition_that_means_it() {
        let (mut count, mut turn) = (0, 0usize);
        for arch in Arch::all() {
            for arg in 0u8..6 {
                for upper in [false, true].into_iter().take(if arch.bits() == 64 { 2 } else { 1 }) {
                    let mut store = Store::default();
                    let (mut conditions, mut wanted) = (Vec::new(), Vec::new());
                    for call in Syscall::all_of(arch).filter(|&call| register::param(call, arch, arg).is_some()) {
                        turn += 1;
                        let k = [0, 1, 5, 38, 0x7fff_ffff, 0x8000_0000, 0xffff_ff9c, u32::MAX, 0x800][turn % 9];
                        let mask = [u32::MAX, u32::MAX, 0xf, 0x8000_0003, 0xffff, u32::MAX, 0x4000][turn / 2 % 7];
                        let operation = [op::JEQ, op::JSET, op::JGT, op::JGE][turn / 3 % 4];
                        let sure = width::sure_bits(&mut store, call, arch, arg, Node::TRUE);
                        let word = Word::of(arg, upper, mask, std::iter::once((call.name(), arch, sure)));
                        conditions.push((call, word.test(operation, k)));
                        wanted.push((jumps(&mut store, &word, arch, operation, k), operation, k, mask));
                    }
                    let made = sets(&mut store, arch, &conditions);
                    for ((made, (call, text)), wanted) in made.into_iter().zip(&conditions).zip(wanted) {
                        assert_eq!(made, wanted.0, "{}({text}) on {arch}, of register {arg}: {wanted:x?}", call.name());
                        count += 1;
                    }
                }
            }
        }
        assert!(count > 15_000, "{count}");
    }

    #[test]
    fn what_several_calls_share_goes_by_its_register() {
        let of = |calls: &[(&'static str, Arch)]| {
            Word::of(1, false, u32::MAX, calls.iter().map(|&(name, arch)| (name, arch, 32)))
        };
        assert_eq!(of(&[("prctl", Arch::X86_64)]).test(op::JEQ, 1), "arg2 & 0xffffffff == 1");
        assert_eq!(of(&[("prctl", Arch::X86)]).test(op::JEQ, 1), "arg2 == 1");
        assert_eq!(of(&[("prctl", Arch::X86_64), ("read", Arch::X86_64)]).test(op::JEQ, 1), "reg1 & 0xffffffff == 1");
        // A constant that is another number on one of the ABIs is no name for either.
        let flags = |calls: &[(&'static str, Arch)]| {
            Word::of(2, false, u32::MAX, calls.iter().map(|&(name, arch)| (name, arch, 32)))
        };
        assert_eq!(flags(&[("openat", Arch::X86_64)]).test(op::JSET, 0x4000), "flags & O_DIRECT");
        let both = flags(&[("openat", Arch::X86_64), ("openat", Arch::Aarch64)]);
        assert_eq!(both.test(op::JSET, 0x4000), "flags & 0x4000");
    }
}
