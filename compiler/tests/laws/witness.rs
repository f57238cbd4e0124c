//! Calls that messages show, read back.
//!
//! ```text
//! both claim socket(family = AF_ALG (38), …) on x86_64, with CAP_SYS_ADMIN, kernel 5.11
//! ```

use kpol_compiler::spec::{Arch, Call, Environment, Nr};
use kpol_compiler::tables;

use super::program::Program;

/// The call that a note shows: what it leaves open is 0.
pub fn read(text: &str, program: &Program) -> (Call, Environment) {
    try_read(text, program).unwrap_or_else(|| panic!("a witness that cannot be read: {text}"))
}

fn try_read(text: &str, program: &Program) -> Option<(Call, Environment)> {
    let (what, place) = text.rsplit_once(" on ")?;
    let mut place = place.split(", ");
    let arch = Arch::from_name(place.next()?)?;
    let mut environment = Environment::default();
    for condition in place {
        if let Some(cap) = condition.strip_prefix("with ") {
            environment.caps.insert(tables::capability(cap)?);
        } else if let Some(kernel) = condition.strip_prefix("kernel ") {
            environment.kernel = kernel.parse().ok()?;
        } else {
            condition.strip_prefix("without ")?;
        }
    }
    let (name, arguments) = match what.split_once('(') {
        Some((name, arguments)) => (name, arguments.strip_suffix(')')?),
        None => (what, ""),
    };
    if let Some(number) = name.strip_prefix("number ") {
        return Some((Call { arch, nr: Nr(number.parse().ok()?), args: [0; 6] }, environment));
    }
    let declared = program.declared.get(name);
    let nr = match declared {
        Some(&(nr, _)) => Nr(if arch == Arch::X32 { nr | 1 << 30 } else { nr }),
        None => tables::syscall(name)?.nr(arch)?,
    };
    let params = tables::syscall(name).and_then(|call| call.params(arch)).unwrap_or_default();
    let mut args = [0; 6];
    for argument in arguments.split(", ").filter(|argument| !matches!(*argument, "" | "…")) {
        let (parameter, value) = argument.split_once(" = ")?;
        let own = match declared {
            Some((_, params)) => params.iter().position(|known| *known == parameter),
            None => params.iter().position(|known| known.name == parameter),
        };
        let index = own.or_else(|| parameter.strip_prefix("reg")?.parse::<usize>().ok())?;
        // `AF_ALG (38)` or the number alone.
        let value = match value.split_once(" (") {
            Some((_, number)) => number.strip_suffix(')')?,
            None => value,
        };
        let value = match value.strip_prefix("0x") {
            Some(digits) => i128::from_str_radix(digits, 16).ok()?,
            None => value.parse::<i128>().ok()?,
        };
        *args.get_mut(index)? = value as u64 & u64::MAX >> (64 - arch.bits());
    }
    Some((Call { arch, nr, args }, environment))
}
