//! The registers that a filter sees, by name.
//!
//! ```text
//! socket(reg0 == 38)          all 64 bits of the first register, whatever the kernel takes of it
//! socket(arg0 == 38)          the same by its old name, since `socket` has no parameter called `arg…`
//! prctl(arg2 == 1)            the kernel's own parameter `arg2`, which is in the second register: `reg1`
//! ```
//!
//! A parameter's own name always wins over a register's. `arg0` … `arg5` name registers only on calls none of whose
//! parameters, on any ABI, has such a name: on the others `arg1` beside the kernel's `arg2` would be off by one.
//!
//! INVARIANT: no parameter of the tables is called `reg0` … `reg5` (a test below), and no declaration may call one so.

use crate::tables::{Param, Syscall};

/// A register by a name that is no parameter's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Register {
    /// Which: 0 to 5.
    pub index: u8,
    /// Whether it is written `arg0` … `arg5`.
    pub old: bool,
}

/// `reg3`
pub fn name(index: u8) -> String {
    format!("reg{index}")
}

/// The register that `reg3`, or `arg3`, would name.
pub fn named(name: &str) -> Option<Register> {
    let (old, digit) = match name.strip_prefix("reg") {
        Some(digit) => (false, digit),
        None => (true, name.strip_prefix("arg")?),
    };
    match digit.as_bytes() {
        [digit @ b'0'..=b'5'] => Some(Register { index: digit - b'0', old }),
        _ => None,
    }
}

/// Whether a parameter has the old name of a register.
pub fn is_old_name(param: &str) -> bool {
    named(param).is_some_and(|register| register.old)
}

/// Whether a parameter of the call, on any ABI, has the old name of a register: then `arg0` … `arg5` name none.
pub fn taken_by(call: Syscall) -> bool {
    let params = super::Arch::all().filter_map(|arch| call.params(arch)).flatten();
    params.map(|param| param.name).chain(call.aliases().map(|(alias, _)| alias)).any(is_old_name)
}

/// The parameter that a register holds, where it has a name on that ABI.
pub fn param(call: Syscall, arch: super::Arch, index: u8) -> Option<&'static Param> {
    let index = usize::from(index);
    call.params(arch)?.get(index).filter(|_| index < call.nameable(arch))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::spec::Arch;
    use crate::tables;

    #[test]
    fn registers_have_two_names_and_no_others() {
        assert_eq!(named("reg0"), Some(Register { index: 0, old: false }));
        assert_eq!(named("arg5"), Some(Register { index: 5, old: true }));
        for other in ["reg", "reg6", "arg", "arg6", "reg00", "arg 1", "Reg1", "fd", ""] {
            assert_eq!(named(other), None, "{other}");
        }
    }

    #[test]
    fn no_parameter_of_the_kernel_is_called_as_a_register_is() {
        for arch in Arch::all() {
            for call in Syscall::all_of(arch) {
                for param in call.params(arch).unwrap_or_default() {
                    assert!(!param.name.starts_with("reg") || named(param.name).is_none(), "{} {arch}", call.name());
                }
                assert!(call.aliases().all(|(alias, _)| named(alias).is_none()), "{}", call.name());
            }
        }
    }

    #[test]
    fn calls_whose_parameters_are_called_arg_are_few() {
        let calls = Syscall::all().filter(|&call| taken_by(call)).map(Syscall::name);
        assert_eq!(calls.collect::<Vec<_>>(), ["arch_prctl", "keyctl", "prctl", "sysfs", "sysmips"]);
    }

    #[test]
    fn what_is_behind_a_split_parameter_has_no_name() {
        let pread = tables::syscall("pread64").unwrap();
        assert_eq!(param(pread, Arch::X86_64, 3).map(|param| param.name), Some("pos"));
        assert_eq!(param(pread, Arch::X86, 3), None);
        assert_eq!(param(tables::syscall("prctl").unwrap(), Arch::X86_64, 1).map(|param| param.name), Some("arg2"));
    }
}
