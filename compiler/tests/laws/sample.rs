//! Calls worth trying: at the edges of every number that a policy names.
//!
//! ```text
//! fd == -1 (int)      0xffffffff  0xffffffffffffffff  0xdeadbeefffffffff  0xfffffffe  0x0  0x80000000 …
//! ```

use std::collections::BTreeSet;

use kpol_compiler::spec::{Arch, Call, Environment, KernelVersion, Nr};
use kpol_compiler::tables;

use super::choices::Stream;
use super::program::Program;

/// Calls of every ABI of the policy by every number that it names, and some others.
pub fn calls(program: &Program, stream: &mut Stream, of_each: usize) -> Vec<Call> {
    let mut calls = Vec::new();
    for &arch in &program.archs {
        for name in program.calls.iter().map(String::as_str).chain(["socketcall", "ipc"]) {
            let Some(nr) = number(program, name, arch) else { continue };
            let pools: Vec<Vec<u64>> = (0..6).map(|index| pool(program, name, arch, index)).collect();
            for sample in 0..of_each {
                // Every value of one register, the others by chance.
                let turn = sample % 6;
                let args = std::array::from_fn(|index| {
                    let pool = &pools[index];
                    let word = if index == turn { pool[sample / 6 % pool.len()] } else { *stream.one(pool) };
                    in_register(dressed(word, stream), arch)
                });
                calls.push(Call { arch, nr, args });
            }
        }
        let others: Vec<Nr> = tables::Syscall::all_of(arch).filter_map(|call| call.nr(arch)).collect();
        for nr in [*stream.one(&others), *stream.one(&others), Nr(stream.next() as u32), Nr(u32::MAX), Nr(0)] {
            if arch.owns(nr) {
                calls.push(Call { arch, nr, args: std::array::from_fn(|_| in_register(stream.next(), arch)) });
            }
        }
    }
    let foreign: Vec<Arch> = Arch::all().filter(|arch| !program.archs.contains(arch)).collect();
    let arch = *stream.one(&foreign);
    if let Some(nr) = tables::syscall("read").and_then(|call| call.nr(arch)) {
        calls.push(Call { arch, nr, args: [0; 6] });
    }
    calls
}

/// Environments on both sides of everything that a policy asks.
pub fn environment(program: &Program, stream: &mut Stream) -> Environment {
    let caps = program.caps.iter().filter(|_| stream.below(2) == 0).filter_map(|name| tables::capability(name));
    let caps = caps.collect();
    let mut kernels = vec![KernelVersion::default(), KernelVersion { major: 255, minor: 255 }];
    for &(major, minor) in &program.kernels {
        kernels.push(KernelVersion { major, minor });
        kernels.push(KernelVersion { major, minor: minor + 1 });
        kernels.push(match minor.checked_sub(1) {
            Some(minor) => KernelVersion { major, minor },
            None => KernelVersion { major: major - 1, minor: 255 },
        });
    }
    Environment { caps, kernel: *stream.one(&kernels) }
}

fn number(program: &Program, name: &str, arch: Arch) -> Option<Nr> {
    if let Some(&(nr, _)) = program.declared.get(name) {
        return Some(Nr(if arch == Arch::X32 { nr | 1 << 30 } else { nr }));
    }
    tables::syscall(name)?.nr(arch)
}

/// Values of one register that tell the numbers beside it apart.
fn pool(program: &Program, name: &str, arch: Arch, index: usize) -> Vec<u64> {
    let params = tables::syscall(name).and_then(|call| call.params(arch)).unwrap_or_default();
    let declared = program.declared.get(name).and_then(|(_, params)| params.get(index)).copied();
    let named = declared.or_else(|| params.get(index).map(|param| param.name));
    let mut words = BTreeSet::from([0, 1, u64::MAX, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 63, 0x8000, 0xffff]);
    if matches!(name, "socketcall" | "ipc") && index == 0 {
        words.extend(0..26);
    }
    let raw = format!("reg{index}");
    for parameter in named.into_iter().chain([raw.as_str()]) {
        for &edge in program.edges.get(&(name.to_owned(), parameter.to_owned())).into_iter().flatten() {
            words.extend([edge - 1, edge, edge + 1].map(|edge| edge as u64));
        }
    }
    words.into_iter().collect()
}

/// The same low bits as they may stand in a register: extended by zeros, by the sign, or by what was there before.
fn dressed(word: u64, stream: &mut Stream) -> u64 {
    let rubbish = stream.next();
    match stream.below(9) {
        0 => word & 0xffff_ffff,
        1 => word as i32 as i64 as u64,
        2 => word & 0xffff_ffff | rubbish << 32,
        3 => word & 0xffff_ffff | 1 << 32,
        4 => word & 0xffff | rubbish << 16,
        5 => word ^ 1 << (rubbish % 64),
        _ => word,
    }
}

/// Registers of a 32-bit ABI have no upper half.
fn in_register(word: u64, arch: Arch) -> u64 {
    word & u64::MAX >> (64 - arch.bits())
}
