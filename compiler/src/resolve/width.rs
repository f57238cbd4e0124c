//! Widths that a command decides.
//!
//! ```text
//! fcntl(cmd == F_SETOWN, arg == 1)     the kernel takes an int: low 32 bits of `arg`
//! fcntl(cmd == F_SETLK, arg == 1)      it takes an address: all 64
//! fcntl(arg == 1)                      both, each under its commands
//! ```
//!
//! So a condition on such a parameter is several conditions, one under each list of commands that cut it and one under all
//! others. It never tells calls apart that the kernel treats alike, and where other conditions of the pattern settle the
//! command, one of them is left. A value is cut as the kernel cuts it, and what is left of it has no sign; the range of
//! values that may be meant is that of the prototype.
//!
//! Which commands cut what is in `tables` (`xtask/facts/commands.tsv` names the places of the kernel). Of some the kernel's
//! sources do not say what is left, since a driver decides: there a parameter is taken as a whole, and
//! [`lint`](crate::lint) warns where that lets calls run that were to be refused (W029).

use crate::diagram::{Comparison, Node, Operand, Place, Store};
use crate::spec::{Arch, register};
use crate::tables::{Cut, Left, Syscall};

/// Where a parameter has fewer bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Narrow {
    /// Calls that are cut so.
    pub calls: Node,
    /// How many bits are left then.
    pub bits: u8,
    /// How many lie below them.
    pub shift: u8,
}

/// Where the parameter in a register has fewer bits than its prototype says; no two of them have a call in common.
pub(crate) fn narrow(store: &mut Store, call: Syscall, arch: Arch, arg: u8) -> Vec<Narrow> {
    let Some(param) = register::param(call, arch, arg) else { return Vec::new() };
    let (mut all, mut before) = (Vec::new(), Node::FALSE);
    for cut in call.cuts(param.name, arch) {
        let (bits, shift) = match cut.left {
            Left::Low(bits) if bits < param.bits.min(arch.bits()) => (bits, 0),
            Left::Upper if arch.bits() == 64 && param.bits == 64 => (32, 32),
            Left::Low(_) | Left::Upper | Left::Unknown(_) => continue,
        };
        let calls = calls(store, call, arch, cut);
        let calls = store.minus(calls, before);
        before = store.or(before, calls);
        if calls != Node::FALSE {
            all.push(Narrow { calls, bits, shift });
        }
    }
    all
}

/// Where nobody can tell how much of the parameter in a register the kernel looks at, and why.
pub(crate) fn unknown(store: &mut Store, call: Syscall, arch: Arch, arg: u8) -> Option<(Node, &'static str)> {
    let param = register::param(call, arch, arg).filter(|param| param.bits == 64 && arch.bits() == 64)?;
    let mut before = Node::FALSE;
    for cut in call.cuts(param.name, arch) {
        let calls = calls(store, call, arch, cut);
        if let Left::Unknown(why) = cut.left {
            return Some((store.minus(calls, before), why));
        }
        before = store.or(before, calls);
    }
    None
}

/// The calls for which all terms of a cut hold. A term on a parameter that the ABI does not have holds nowhere.
fn calls(store: &mut Store, call: Syscall, arch: Arch, cut: Cut) -> Node {
    let mut all = Node::TRUE;
    for term in cut.when {
        let place =
            (0..6).find_map(|by| Some((by, register::param(call, arch, by).filter(|known| known.name == term.param)?)));
        let Some((by, known)) = place else { return Node::FALSE };
        let bits = known.bits.min(arch.bits());
        let mask = term.mask & u64::MAX >> (64 - bits);
        let operand = Operand { arg: by, bits, mask, signed: false };
        let mut any = Node::FALSE;
        for value in term.values(arch) {
            let one = store.compare(operand, Comparison::Eq, value as u64 & mask);
            any = store.or(any, one);
        }
        all = store.and(all, any);
    }
    all
}

/// Registers of which `set` asks, under commands that cut the parameter in it, about bits that are cut: there the
/// parameter's name would say less.
pub(crate) fn unnameable(store: &mut Store, call: Syscall, arch: Arch, set: Node) -> [bool; 6] {
    let mut raw = [false; 6];
    for arg in 0..6u8 {
        for Narrow { calls, bits, shift } in narrow(store, call, arch, arg) {
            let cut = store.and(set, calls);
            raw[usize::from(arg)] |= store.reachable(cut).into_iter().any(|node| {
                let place = store.split(node).map(|(var, ..)| var.place());
                // By name a value that lies above others is written without them.
                matches!(place, Some(Place::Arg { arg: of, bit }) if of == arg && (bit >= bits || shift > 0))
            });
        }
    }
    raw
}

/// How many of the lowest bits the name of a parameter stands for, whatever the command of these calls is.
pub(crate) fn sure_bits(store: &mut Store, call: Syscall, arch: Arch, arg: u8, set: Node) -> u8 {
    let mut least = 64;
    for Narrow { calls, bits, shift } in narrow(store, call, arch, arg) {
        if store.and(set, calls) != Node::FALSE {
            least = least.min(if shift == 0 { bits } else { 0 });
        }
    }
    least
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::tables::syscall;

    #[test]
    fn a_command_cuts_where_the_abi_has_more_bits() {
        let mut store = Store::default();
        let mut bits = |call, arch, arg| {
            let all = narrow(&mut store, syscall(call).unwrap(), arch, arg);
            all.into_iter().map(|narrow| (narrow.bits, narrow.shift)).collect::<Vec<_>>()
        };
        assert_eq!(bits("fcntl", Arch::X86_64, 2), [(32, 0)]);
        assert_eq!(bits("fcntl", Arch::X86, 2), []);
        assert_eq!(bits("fcntl", Arch::Mips64n32, 2), []);
        assert_eq!(bits("keyctl", Arch::Aarch64, 1), [(32, 0)]);
        assert_eq!(bits("socket", Arch::X86_64, 1), []);
        assert_eq!(bits("socket", Arch::X86, 2), [(16, 0)]);
        assert_eq!(bits("mmap", Arch::X86, 5), []);
        // An int in a union is in the upper half of a big-endian register, and nowhere else in one of 32 bits.
        assert_eq!(bits("semctl", Arch::Ppc64le, 3), [(32, 0)]);
        assert_eq!(bits("semctl", Arch::Ppc64, 3), [(32, 32)]);
        assert_eq!(bits("semctl", Arch::Ppc, 3), []);
        assert_eq!(bits("semctl", Arch::Mips64n32, 3), []);
        assert_eq!(bits("ptrace", Arch::X86_64, 3), [(32, 0), (32, 0), (16, 0)]);
        assert_eq!(bits("ptrace", Arch::X86, 3), [(16, 0)]);
    }

    #[test]
    fn what_a_driver_decides_is_known_to_be_unknown() {
        let mut store = Store::default();
        let mut is = |call, arch, arg| unknown(&mut store, syscall(call).unwrap(), arch, arg).is_some();
        assert!(is("ioctl", Arch::X86_64, 2));
        assert!(!is("ioctl", Arch::X86_64, 1));
        assert!(!is("ioctl", Arch::X86, 2));
        // Entered by a function that takes 32 bits.
        assert!(!is("ioctl", Arch::X32, 2));
        assert!(!is("fcntl", Arch::X86_64, 2));
        assert!(is("ptrace", Arch::S390x, 3));
        assert!(!is("ptrace", Arch::X86_64, 3));
    }
}
