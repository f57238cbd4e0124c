//! Classic BPF over `struct seccomp_data`: decoded, executed and compared, apart from the compiler's own.
//!
//! ```text
//! ld [4]            A = data.arch
//! jeq #0xc000003e   true: next, false: skip one
//! ret ALLOW
//! ret KILL
//! ```
//!
//! Instructions are `Documentation/networking/filter.rst`, the subset that seccomp takes is
//! `seccomp_check_filter` in `kernel/seccomp.c`.

use kpol_compiler::spec::{Action, Arch, Call};

/// Longest program that the kernel takes (`BPF_MAXINSNS`).
pub const MAX_INSTRUCTIONS: usize = 4096;

/// `struct sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the kernel's own")]
pub struct SockFilter {
    pub code: u16,
    pub jt: u8,
    pub jf: u8,
    pub k: u32,
}

impl SockFilter {
    /// The instruction as eight bytes of this machine.
    pub fn to_bytes(self) -> [u8; 8] {
        let [c0, c1] = self.code.to_ne_bytes();
        let [k0, k1, k2, k3] = self.k.to_ne_bytes();
        [c0, c1, self.jt, self.jf, k0, k1, k2, k3]
    }
}

/// A program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(pub Vec<SockFilter>);

/// `struct seccomp_data`, as the kernel of `big_endian` lays it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the kernel's own")]
pub struct SeccompData {
    pub nr: u32,
    pub arch: u32,
    pub instruction_pointer: u64,
    pub args: [u64; 6],
    pub big_endian: bool,
}

impl From<&Call> for SeccompData {
    fn from(call: &Call) -> Self {
        Self {
            nr: call.nr.0,
            arch: call.arch.audit_token(),
            instruction_pointer: 0,
            args: if call.arch.bits() == 32 { call.args.map(|arg| arg & 0xffff_ffff) } else { call.args },
            big_endian: call.arch.is_big_endian(),
        }
    }
}

impl SeccompData {
    fn word(&self, offset: u32) -> Option<u32> {
        let halves = |value: u64, second: bool| {
            let high = second != self.big_endian;
            if high { (value >> 32) as u32 } else { value as u32 }
        };
        match offset {
            _ if !offset.is_multiple_of(4) => None,
            0 => Some(self.nr),
            4 => Some(self.arch),
            8 | 12 => Some(halves(self.instruction_pointer, offset == 12)),
            16..64 => Some(halves(self.args[((offset - 16) / 8) as usize], offset % 8 == 4)),
            _ => None,
        }
    }
}

impl Filter {
    /// A program from the bytes of a `struct sock_filter` array of this machine.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        if bytes.is_empty() || !bytes.len().is_multiple_of(8) {
            return Err(format!("{} bytes are no array of 8-byte instructions", bytes.len()));
        }
        let instruction = |b: &[u8]| SockFilter {
            code: u16::from_ne_bytes([b[0], b[1]]),
            jt: b[2],
            jf: b[3],
            k: u32::from_ne_bytes([b[4], b[5], b[6], b[7]]),
        };
        Ok(Self(bytes.chunks_exact(8).map(instruction).collect()))
    }

    /// The bytes of the array.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|insn| insn.to_bytes()).collect()
    }

    /// The action for a call.
    pub fn action(&self, call: &Call) -> Result<Action, String> {
        self.run(&SeccompData::from(call)).map(Action::from_ret)
    }

    /// Executes the program; what the kernel would not load is an error.
    pub fn run(&self, data: &SeccompData) -> Result<u32, String> {
        let program = &self.0;
        if program.len() > MAX_INSTRUCTIONS {
            return Err(format!("{} instructions; the kernel takes {MAX_INSTRUCTIONS}", program.len()));
        }
        let (mut a, mut x, mut memory, mut pc) = (0u32, 0u32, [0u32; 16], 0usize);
        loop {
            let insn = program.get(pc).ok_or_else(|| format!("runs out of the program at {pc}"))?;
            let SockFilter { code, jt, jf, k } = *insn;
            let at = pc;
            let wrong = |what: &str| format!("instruction {at} ({code:#06x}, k {k:#x}): {what}");
            pc += 1;
            let slot = |k: u32| if k < 16 { Ok(k as usize) } else { Err(wrong("no such memory word")) };
            match code {
                0x20 => a = data.word(k).ok_or_else(|| wrong("no such word in seccomp_data"))?,
                0x80 => a = 64, // ld len
                0x00 => a = k,
                0x60 => a = memory[slot(k)?],
                0x81 => x = 64,
                0x01 => x = k,
                0x61 => x = memory[slot(k)?],
                0x02 => memory[slot(k)?] = a,
                0x03 => memory[slot(k)?] = x,
                0x07 => x = a,
                0x87 => a = x,
                0x06 => return Ok(k),
                0x16 => return Ok(a),
                0x05 => pc = pc.checked_add(k as usize).ok_or_else(|| wrong("jumps too far"))?,
                0x84 => a = a.wrapping_neg(),
                _ => {
                    let operand = if code & 0x08 != 0 { x } else { k };
                    match code & !0x08 {
                        0x04 => a = a.wrapping_add(operand),
                        0x14 => a = a.wrapping_sub(operand),
                        0x24 => a = a.wrapping_mul(operand),
                        // The kernel refuses a constant 0 and ends the program with 0 for one in X.
                        0x34 if operand == 0 && code & 0x08 == 0 => return Err(wrong("divides by zero")),
                        0x34 if operand == 0 => return Ok(0),
                        0x34 => a /= operand,
                        0x44 => a |= operand,
                        0x54 => a &= operand,
                        0x64 if operand > 31 && code & 0x08 == 0 => return Err(wrong("shifts too far")),
                        // Shifts by X are cut to five bits when the kernel translates them.
                        0x64 => a = a.wrapping_shl(operand),
                        0x74 if operand > 31 && code & 0x08 == 0 => return Err(wrong("shifts too far")),
                        0x74 => a = a.wrapping_shr(operand),
                        0xa4 => a ^= operand,
                        0x15 => pc += usize::from(if a == operand { jt } else { jf }),
                        0x25 => pc += usize::from(if a > operand { jt } else { jf }),
                        0x35 => pc += usize::from(if a >= operand { jt } else { jf }),
                        0x45 => pc += usize::from(if a & operand != 0 { jt } else { jf }),
                        _ => return Err(wrong("not an instruction that seccomp takes")),
                    }
                }
            }
        }
    }
}

/// One call on which two filters disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Difference {
    pub call: Call,
    pub left: Result<Action, String>,
    pub right: Result<Action, String>,
}

/// The calls on which two filters disagree. An error is a difference even from the same error.
pub fn differences<'a>(
    left: &'a Filter,
    right: &'a Filter,
    calls: impl IntoIterator<Item = Call> + 'a,
) -> impl Iterator<Item = Difference> + 'a {
    calls.into_iter().filter_map(move |call| {
        let (left, right) = (left.action(&call), right.action(&call));
        (left.is_err() || left != right).then_some(Difference { call, left, right })
    })
}

/// Argument values around which compares tip over: each constant that an argument's word meets, as low and as high
/// word, its neighbours, both with and without garbage in the other half.
pub fn edges(filters: &[&Filter]) -> Vec<u64> {
    let mut values = vec![0, 1, u64::MAX];
    for filter in filters {
        for (insn, loaded) in filter.0.iter().zip(last_loads(filter)) {
            // Jumps on a compare with k, and masks; of numbers and architectures there are too many.
            if loaded >> 4 != 0 && (insn.code & 0x07 == 0x05 || insn.code == 0x54) {
                let k = u64::from(insn.k);
                for near in [k.wrapping_sub(1) & 0xffff_ffff, k, (k + 1) & 0xffff_ffff] {
                    values.extend([near, near << 32, near | 0xdead_beef_0000_0000, near << 32 | 0xffff_ffff]);
                }
            }
        }
    }
    values.sort_unstable();
    values.dedup();
    values
}

/// For each instruction the words of `seccomp_data` that the accumulator may come from, as bits. Jumps lead forward
/// only, so one pass does.
fn last_loads(filter: &Filter) -> Vec<u16> {
    let mut loads = vec![0u16; filter.0.len()];
    for (at, insn) in filter.0.iter().enumerate() {
        let after = if insn.code == 0x20 { 1u16.checked_shl(insn.k / 4).unwrap_or(0) } else { loads[at] };
        let targets = match insn.code {
            0x06 | 0x16 => [None; 2],
            0x05 => [Some(insn.k as usize), None],
            code if code & 0x07 == 0x05 => [Some(usize::from(insn.jt)), Some(usize::from(insn.jf))],
            _ => [Some(0), None],
        };
        for target in targets.into_iter().flatten() {
            if let Some(there) = loads.get_mut(at + 1 + target) {
                *there |= after;
            }
        }
    }
    loads
}

/// Numbers around which a dispatch tips over: for an ABI, the constants of the programs and their neighbours.
pub fn numbers(filters: &[&Filter], arch: Arch) -> Vec<u32> {
    let mut numbers = vec![0, 1, 0x3fff_ffff, 0x4000_0000, 0x4000_0001, 0x7fff_ffff, 0x8000_0000, u32::MAX];
    for insn in filters.iter().flat_map(|filter| &filter.0) {
        if insn.code & 0x07 == 0x05 && insn.code & 0xf0 != 0 {
            numbers.extend([insn.k.wrapping_sub(1), insn.k, insn.k.wrapping_add(1)]);
        }
    }
    numbers.retain(|nr| arch != Arch::X86_64 || *nr < 0x4000_0000 || *nr == u32::MAX);
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Programs by hand.
pub mod assemble {
    use super::{Filter, SockFilter};
    use kpol_compiler::spec::{Action, Arch};

    /// An instruction that does not jump on a condition.
    pub const fn stmt(code: u16, k: u32) -> SockFilter {
        SockFilter { code, jt: 0, jf: 0, k }
    }

    /// An instruction that does.
    pub const fn jump(code: u16, k: u32, jt: u8, jf: u8) -> SockFilter {
        SockFilter { code, jt, jf, k }
    }

    /// `A = nr`.
    pub const LD_NR: SockFilter = stmt(0x20, 0);
    /// `A = arch`.
    pub const LD_ARCH: SockFilter = stmt(0x20, 4);

    /// `A =` the low word of an argument, on a little-endian machine.
    pub const fn ld_low(arg: u32) -> SockFilter {
        stmt(0x20, 16 + 8 * arg)
    }

    /// `A =` the high word.
    pub const fn ld_high(arg: u32) -> SockFilter {
        stmt(0x20, 20 + 8 * arg)
    }

    /// Ends with an action.
    pub fn ret(action: Action) -> SockFilter {
        stmt(0x06, action.to_ret())
    }

    /// One action for everything.
    pub fn always(action: Action) -> Filter {
        Filter(vec![ret(action)])
    }

    /// `allow`, but for these numbers of one ABI.
    pub fn except(arch: Arch, answers: &[(u32, Action)]) -> Filter {
        let mut program = vec![LD_ARCH, jump(0x15, arch.audit_token(), 1, 0), ret(Action::Allow), LD_NR];
        for (nr, action) in answers {
            program.extend([jump(0x15, *nr, 0, 1), ret(*action)]);
        }
        program.push(ret(Action::Allow));
        Filter(program)
    }
}

#[cfg(test)]
mod tests {
    use super::assemble::*;
    use super::*;
    use kpol_compiler::spec::Nr;

    fn call(nr: u32, args: [u64; 6]) -> Call {
        Call { arch: Arch::X86_64, nr: Nr(nr), args }
    }

    #[test]
    fn a_program_is_executed_as_the_kernel_would() {
        let program = Filter(vec![
            LD_NR,
            jump(0x15, 1, 0, 5),
            ld_high(0),
            jump(0x15, 7, 0, 3),
            ld_low(0),
            stmt(0x54, 0xf0),
            jump(0x15, 0x20, 1, 0),
            ret(Action::Allow),
            ret(Action::Errno(9)),
        ]);
        let act = |nr, arg| program.action(&call(nr, [arg, 0, 0, 0, 0, 0])).unwrap();
        assert_eq!(act(1, 0x7_0000_0025), Action::Errno(9));
        assert_eq!(act(1, 0x7_0000_0035), Action::Allow);
        assert_eq!(act(1, 0x0_0000_0025), Action::Allow);
        assert_eq!(act(2, 0x7_0000_0025), Action::Allow);
    }

    #[test]
    fn what_the_kernel_would_not_load_is_an_error() {
        for insn in [stmt(0x20, 64), stmt(0x20, 2), stmt(0x28, 0), stmt(0x34, 0), stmt(0x05, 9), stmt(0x02, 16)] {
            assert!(Filter(vec![insn, ret(Action::Allow)]).action(&call(0, [0; 6])).is_err(), "{insn:?}");
        }
        assert!(Filter::from_bytes(&[]).is_err());
        assert!(Filter::from_bytes(&[0; 9]).is_err());
    }

    #[test]
    fn bytes_and_programs_are_the_same() {
        let program = except(Arch::X86_64, &[(3, Action::Errno(1))]);
        assert_eq!(Filter::from_bytes(&program.to_bytes()), Ok(program));
    }

    #[test]
    fn differences_show_the_call() {
        let (left, right) = (always(Action::Allow), except(Arch::X86_64, &[(3, Action::Errno(1))]));
        let found: Vec<_> = differences(&left, &right, (0..6).map(|nr| call(nr, [0; 6]))).collect();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].call.nr, &found[0].right), (Nr(3), &Ok(Action::Errno(1))));
    }

    #[test]
    fn a_big_endian_machine_has_the_high_word_first() {
        let data = SeccompData { nr: 1, arch: 2, instruction_pointer: 0, args: [0x1_0000_0002; 6], big_endian: true };
        assert_eq!((data.word(16), data.word(20)), (Some(1), Some(2)));
    }
}
