//! Widths that a command decides.
//!
//! ```text
//! fcntl(cmd == F_SETOWN, arg == 1)     the kernel takes an int: low 32 bits of `arg`
//! fcntl(cmd == F_SETLK, arg == 1)      it takes an address: all 64
//! fcntl(arg == 1)                      both, each under its commands
//! ```
//!
//! So a condition on such a parameter is two conditions, one under the commands that cut it and one under all others. It
//! never tells calls apart that the kernel treats alike, and where another condition of the pattern settles the command, one
//! of the two is left. A value is cut as the kernel cuts it; sign and range are those of the prototype.
//!
//! Which commands cut what is in `tables` (`xtask/facts/commands.tsv` names the places of the kernel).

use crate::diagram::{Comparison, Node, Operand, Place, Store};
use crate::spec::{Arch, register};
use crate::tables::Syscall;

/// Where a parameter has fewer bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Narrow {
    /// Calls whose command cuts it.
    pub commands: Node,
    /// How many low bits are left then.
    pub bits: u8,
}

/// Where the parameter in a register has fewer bits than its prototype says; `None` if nowhere.
pub(crate) fn narrow(store: &mut Store, call: Syscall, arch: Arch, arg: u8) -> Option<Narrow> {
    let param = register::param(call, arch, arg)?;
    let known = call.by_command(param.name)?;
    if known.bits >= param.bits.min(arch.bits()) {
        return None;
    }
    let (by, command) = (0..6)
        .find_map(|by| Some((by, register::param(call, arch, by).filter(|param| param.name == known.command)?)))?;
    let bits = command.bits.min(arch.bits());
    let mask = u64::MAX >> (64 - bits);
    let operand = Operand { arg: by, bits, mask, signed: false };
    let mut commands = Node::FALSE;
    for value in known.values(arch) {
        let one = store.compare(operand, Comparison::Eq, value as u64 & mask);
        commands = store.or(commands, one);
    }
    Some(Narrow { commands, bits: known.bits })
}

/// Registers of which `set` asks, under commands that cut the parameter in it, about bits that are cut: there the
/// parameter's name would say less.
pub(crate) fn unnameable(store: &mut Store, call: Syscall, arch: Arch, set: Node) -> [bool; 6] {
    let mut raw = [false; 6];
    for arg in 0..6u8 {
        let Some(Narrow { commands, bits }) = narrow(store, call, arch, arg) else { continue };
        let cut = store.and(set, commands);
        raw[usize::from(arg)] = store.reachable(cut).into_iter().any(|node| {
            let place = store.split(node).map(|(var, ..)| var.place());
            matches!(place, Some(Place::Arg { arg: of, bit }) if of == arg && bit >= bits)
        });
    }
    raw
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::tables::syscall;

    #[test]
    fn a_command_cuts_where_the_abi_has_more_bits() {
        let mut store = Store::default();
        let mut bits =
            |call, arch, arg| narrow(&mut store, syscall(call).unwrap(), arch, arg).map(|narrow| narrow.bits);
        assert_eq!(bits("fcntl", Arch::X86_64, 2), Some(32));
        assert_eq!(bits("fcntl", Arch::X86, 2), None);
        assert_eq!(bits("fcntl", Arch::Mips64n32, 2), None);
        assert_eq!(bits("keyctl", Arch::Aarch64, 1), Some(32));
        assert_eq!(bits("socket", Arch::X86_64, 1), None);
        assert_eq!(bits("mmap", Arch::X86, 5), None);
    }
}
