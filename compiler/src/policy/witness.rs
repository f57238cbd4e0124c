//! Witness calls, as a person writes them.
//!
//! ```text
//! socket(family = AF_ALG (38), …) on x86_64
//! mount on aarch64, with CAP_SYS_ADMIN, kernel 5.11
//! ```

use crate::diagram::Cube;
use crate::spec::{Arch, Call, Environment, Nr, register};
use crate::tables;

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
    let fixed: Vec<String> = (0u8..)
        .zip(&cube.args)
        .filter(|(_, bits)| bits.mask != 0)
        .map(|(index, bits)| argument(call, index, arch, bits.mask, bits.value))
        .collect();
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

fn argument(call: Option<tables::Syscall>, index: u8, arch: Arch, mask: u64, value: u64) -> String {
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
    let negative = param.signed && value >> (width - 1) & 1 == 1;
    let name = tables::constant_name(call.name(), param.name, value, width, arch);
    let plain = if negative { (i128::from(value) - (1i128 << width)).to_string() } else { number(value) };
    match name {
        Some(name) => format!("{} = {name} ({plain})", param.name),
        None => format!("{} = {plain}", param.name),
    }
}

fn number(value: u64) -> String {
    if value > 0xffff { format!("{value:#x}") } else { value.to_string() }
}
