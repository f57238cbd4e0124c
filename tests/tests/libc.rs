//! What C libraries call in place of the calls that an ABI was made without, read out of their objects.
//!
//! ```text
//! 0000000000000000 <rename>:                    aarch64, glibc 2.36: `rename` calls renameat, which is number 38
//!    …      mov  x8, #0x26
//!    …      svc  #0x0
//! ```
//!
//! A function is followed into the functions that it calls. The numbers that reach a system call instruction, or musl's
//! `__syscall_cp`, are its calls; warnings (W010) name the same ones.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use kpol_compiler::lint;
use kpol_compiler::spec::{Arch, Nr};
use kpol_compiler::tables;
use kpol_tests::skip::{Skip, cache_dir, or_skip, program};

/// A static C library.
struct Library {
    name: &'static str,
    arch: Arch,
    objdump: &'static str,
    archive: PathBuf,
}

fn libraries() -> Vec<Library> {
    let library = |name, arch, objdump, archive: PathBuf| Library { name, arch, objdump, archive };
    vec![
        library("glibc", Arch::Aarch64, "aarch64-linux-gnu-objdump", "/usr/aarch64-linux-gnu/lib/libc.a".into()),
        library("glibc", Arch::Riscv64, "riscv64-linux-gnu-objdump", "/usr/riscv64-linux-gnu/lib/libc.a".into()),
        library("musl", Arch::Aarch64, "aarch64-linux-gnu-objdump", cache_dir().join("musl-arm64/libc.a")),
    ]
}

/// What a function does: numbers of system calls, names of functions.
#[derive(Debug, Default)]
struct Body {
    numbers: BTreeSet<u32>,
    calls: BTreeSet<String>,
}

fn listing(library: &Library, option: &str) -> String {
    let output = Command::new(library.objdump).args([option, "--no-show-raw-insn"]).arg(&library.archive).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The functions of a library by each of their names.
fn functions(library: &Library) -> BTreeMap<String, Body> {
    // A function has several names at one address (`__open64`, `open`, …), of which the listing shows one.
    let mut names: BTreeMap<(String, String, u64), Vec<String>> = BTreeMap::new();
    let mut member = String::new();
    for line in listing(library, "-t").lines() {
        if let Some((name, _)) = line.split_once(":     file format") {
            member = name.to_owned();
        }
        // `0000000000000000  w    F .text	000000000000003c access`
        let Some((address, rest)) = line.split_once(' ') else { continue };
        let Ok(address) = u64::from_str_radix(address, 16) else { continue };
        let Some((kind, rest)) = rest.split_once('\t') else { continue };
        let section = kind.split(' ').next_back().unwrap();
        let name = rest.split(' ').next_back().unwrap();
        if kind.contains(" F ") {
            names.entry((member.clone(), section.to_owned(), address)).or_default().push(name.to_owned());
        }
    }
    let mut bodies: BTreeMap<String, Body> = BTreeMap::new();
    let (mut section, mut here) = (String::new(), Vec::new());
    let mut registers: BTreeMap<String, u32> = BTreeMap::new();
    for line in listing(library, "-dr").lines() {
        if let Some((name, _)) = line.split_once(":     file format") {
            member = name.to_owned();
        } else if let Some(name) = line.strip_prefix("Disassembly of section ") {
            section = name.trim_end_matches(':').to_owned();
            here.clear();
        } else if let Some((address, label)) = line.split_once(" <")
            && let Ok(address) = u64::from_str_radix(address, 16)
            && label.ends_with(">:")
        {
            // Labels inside of a function begin none.
            if let Some(names) = names.get(&(member.clone(), section.clone(), address)) {
                here.clone_from(names);
                registers.clear();
            }
        } else {
            let mut found = Body::default();
            instruction(library.arch, line, &mut registers, &mut found);
            for name in &here {
                let body = bodies.entry(name.clone()).or_default();
                body.numbers.extend(&found.numbers);
                body.calls.extend(found.calls.iter().cloned());
            }
        }
    }
    bodies
}

/// One line of a listing: an instruction, or a relocation of the one before.
fn instruction(arch: Arch, line: &str, registers: &mut BTreeMap<String, u32>, found: &mut Body) {
    let words: Vec<&str> = line.split_whitespace().collect();
    // `4: mov x8, #0x26 // #38`, `4: li a7,276`, `14: svc #0x0`, `0: R_AARCH64_CALL26 __open`
    match words[..] {
        [_, "mov", register, value, ..] if arch == Arch::Aarch64 => {
            let register = register.trim_end_matches(',').replace('w', "x");
            match value.strip_prefix("#0x").and_then(|digits| u32::from_str_radix(digits, 16).ok()) {
                Some(value) => registers.insert(register, value),
                None => registers.remove(&register),
            };
        }
        [_, "li", operands] => {
            let (register, value) = operands.split_once(',').unwrap();
            match value.parse() {
                Ok(value) => registers.insert(register.to_owned(), value),
                Err(_) => registers.remove(register),
            };
        }
        [_, "svc", ..] => found.numbers.extend(registers.get("x8")),
        [_, "ecall", ..] => found.numbers.extend(registers.get("a7")),
        [_, kind, name] if kind.starts_with("R_AARCH64_CALL26") || kind.starts_with("R_AARCH64_JUMP26") => {
            called(name, registers.get("x0"), found);
        }
        [_, kind, name] if kind.starts_with("R_RISCV_CALL") || kind == "R_RISCV_JAL" => {
            called(name, registers.get("a0"), found);
        }
        _ => {}
    }
}

fn called(name: &str, first: Option<&u32>, found: &mut Body) {
    // musl's calls that can be cancelled: the number is the first argument.
    if name == "__syscall_cp" {
        found.numbers.extend(first);
    }
    found.calls.insert(name.to_owned());
}

/// Names of the system calls that a function makes, itself or by others.
fn reached(bodies: &BTreeMap<String, Body>, function: &str, arch: Arch) -> BTreeSet<&'static str> {
    let mut names = BTreeSet::new();
    let (mut seen, mut open) = (BTreeSet::new(), vec![(function, 0)]);
    while let Some((function, depth)) = open.pop() {
        let Some(body) = bodies.get(function).filter(|_| depth < 4 && seen.insert(function)) else { continue };
        names.extend(body.numbers.iter().filter_map(|&nr| Some(tables::syscall_at(arch, Nr(nr))?.name())));
        open.extend(body.calls.iter().map(|called| (called.as_str(), depth + 1)));
    }
    names
}

#[test]
fn c_libraries_call_what_warnings_name() {
    let mut seen = BTreeSet::new();
    for library in libraries() {
        let there = program(library.objdump).and_then(|_| {
            let missing = || Skip(format!("no {} (tests/setup.sh)", library.archive.display()));
            library.archive.is_file().then_some(()).ok_or_else(missing)
        });
        let Some(()) = or_skip(there) else { return };
        let bodies = functions(&library);
        for old in lint::old_calls() {
            let of_arch = tables::syscall(old).and_then(|call| call.nr(library.arch));
            let named = lint::successor(old, library.arch).unwrap();
            assert_eq!(of_arch, None, "{old} exists on {}", library.arch);
            if !bodies.contains_key(old) {
                continue;
            }
            let reached = reached(&bodies, old, library.arch);
            let place = format!("`{old}` of {} on {}: {reached:?}", library.name, library.arch);
            assert!(reached.contains(named), "{place}, and not {named}");
            // Of the calls that do the same work it makes that one alone.
            let siblings = lint::siblings(old);
            let others: Vec<_> = reached.iter().filter(|call| **call != named && siblings.contains(call)).collect();
            assert!(others.is_empty(), "{place}, beside {named}");
            seen.insert(old);
        }
    }
    let unseen: Vec<&str> = lint::old_calls().filter(|old| !seen.contains(old)).collect();
    assert!(unseen.is_empty(), "no library has a function for {unseen:?}");
}
