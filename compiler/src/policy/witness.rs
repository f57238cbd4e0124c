//! Witness calls, as a person writes them.
//!
//! ```text
//! socket(family = AF_ALG (38), …) on x86_64
//! mount on aarch64, with CAP_SYS_ADMIN, kernel 5.11
//! ```

use crate::diagram::{Bits, Cube};
use crate::spec::{Arch, Call, Environment, Nr, register};
use crate::tables::{self, Known};

/// One call out of a cube: bits that the cube leaves open are 0.
pub fn call(arch: Arch, nr: Nr, cube: &Cube) -> (Call, Environment) {
    let args = cube.args.map(|bits| bits.value);
    let caps = cube.caps.iter().filter(|(_, held)| **held).map(|(&number, _)| number).collect();
    (Call { arch, nr, args }, Environment { caps, kernel: cube.kernel_version() })
}

/// The call of a cube in words; `name` is what the policy or the tables call it.
pub fn describe(arch: Arch, nr: Nr, name: Option<&str>, cube: &Cube) -> String {
    let mut text = name.map_or_else(|| format!("number {}", nr.0), str::to_owned);
    let call = name.and_then(tables::syscall);
    let params = call.and_then(|call| call.params(arch)).unwrap_or_default();
    let fixed = || (0u8..).zip(&cube.args).filter(|(_, bits)| bits.mask != 0);
    let known = known(arch, call, fixed().map(|(index, bits)| (index, bits.value)));
    let fixed: Vec<String> =
        fixed().map(|(index, bits)| argument(call, index, arch, bits.mask, bits.value, &known)).collect();
    if !fixed.is_empty() {
        let open = params.len().max(cube.args.iter().rposition(|bits| bits.mask != 0).map_or(0, |last| last + 1));
        let rest = if open > fixed.len() { ", …" } else { "" };
        text.push_str(&format!("({}{rest})", fixed.join(", ")));
    }
    text.push_str(&format!(" on {arch}"));
    for (&number, &held) in &cube.caps {
        let with = if held { "with" } else { "without" };
        let name = tables::capability_name(number).map_or_else(|| format!("capability {number}"), str::to_owned);
        text.push_str(&format!(", {with} {name}"));
    }
    if cube.kernel.mask != 0 {
        text.push_str(&format!(", kernel {}", cube.kernel_version()));
    }
    text
}

/// A call with all of its arguments in words.
pub fn whole(call: &Call, name: Option<&str>) -> String {
    let Call { arch, nr, args } = *call;
    let known = name.and_then(tables::syscall);
    let mut cube = Cube::default();
    for index in 0u8..6 {
        let Some(param) = known.and_then(|known| register::param(known, arch, index)) else { continue };
        let (at, low) = (usize::from(index), u64::MAX >> (64 - u32::from(param.bits.min(arch.bits()))));
        // What is above a parameter is shown where there is something.
        let mask = if args[at] & !low == 0 { low } else { u64::MAX };
        cube.args[at] = Bits { mask, value: args[at] };
    }
    describe(arch, nr, name, &cube)
}

/// What registers say of the parameters in them.
pub fn known(arch: Arch, call: Option<tables::Syscall>, args: impl Iterator<Item = (u8, u64)>) -> Known {
    let mut known = Known::default();
    for (index, value) in args {
        if let Some(param) = call.and_then(|call| register::param(call, arch, index)) {
            known.push(param.name, vec![number_of(param, arch, value)]);
        }
    }
    known
}

/// The number that the kernel takes from a register.
fn number_of(param: &tables::Param, arch: Arch, value: u64) -> i128 {
    let width = u32::from(param.bits.min(arch.bits()));
    let low = i128::from(value & u64::MAX >> (64 - width));
    if param.signed && value >> (width - 1) & 1 == 1 { low - (1i128 << width) } else { low }
}

/// What a register holds, in the words of the parameter in it: `family = AF_ALG (38)`.
pub fn held(call: Option<tables::Syscall>, index: u8, arch: Arch, value: u64) -> String {
    let bits = call.and_then(|call| register::param(call, arch, index)).map_or(64, |param| param.bits.min(arch.bits()));
    let low = u64::MAX >> (64 - u32::from(bits));
    argument(call, index, arch, if value > low { u64::MAX } else { low }, value, &Known::default())
}

fn argument(call: Option<tables::Syscall>, index: u8, arch: Arch, mask: u64, value: u64, known: &Known) -> String {
    let param = call.and_then(|call| Some((call, register::param(call, arch, index)?)));
    let whole = || format!("{} = {}", register::name(index), number(value));
    let Some((call, param)) = param else { return whole() };
    let width = u32::from(param.bits.min(arch.bits()));
    let low = u64::MAX >> (64 - width);
    // Bits above the parameter's width are shown only where the policy looks at them.
    if mask & !low != 0 {
        return whole();
    }
    let value = value & low;
    let name = tables::constant_name(call, param.name, value, width, arch, known);
    let meant = number_of(param, arch, value);
    let plain = if meant < 0 { meant.to_string() } else { number(value) };
    match name {
        Some(name) => format!("{} = {name} ({plain})", param.name),
        None => format!("{} = {plain}", param.name),
    }
}

fn number(value: u64) -> String {
    if value > 0xffff { format!("{value:#x}") } else { value.to_string() }
}
