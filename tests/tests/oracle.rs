//! Products against a second opinion that shares no code with the compiler: see [`kpol_tests::oracle`].
//!
//! `KPOL_ORACLE=1000000` asks for that many calls instead of a hundred thousand; `KPOL_ORACLE_SEED` begins elsewhere.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use kpol_compiler::spec::Arch;
use kpol_tests::binaries::binary;
use kpol_tests::libseccomp::json_to_bpf;
use kpol_tests::oracle::abi::Abi;
use kpol_tests::oracle::asserts::counterexample;
use kpol_tests::oracle::evaluate::{Call, breaks, evaluate};
use kpol_tests::oracle::facts::Facts;
use kpol_tests::oracle::generate::{Generated, Random, generate};
use kpol_tests::oracle::machine;
use kpol_tests::oracle::policy::{Act, Assert};
use kpol_tests::oracle::print::{file_name, print};
use kpol_tests::skip::or_skip;

/// Errors by which kpolc says that a product cannot hold the policy; the other product can.
const CANNOT_SAY: &[&str] = &["E050", "E051", "E053", "E054", "E055", "E056"];

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// ABIs that no libseccomp of Debian 12 knows: their JSON is not loaded.
const NOT_IN_LIBSECCOMP: &[Abi] = &[Abi::Loongarch64, Abi::M68k, Abi::Sh];

/// The word of a `ret` as libseccomp meant it. Where a filter is long, it copies `ret` instructions, and on a machine of the
/// other byte order swaps what is swapped already (`src/gen_bpf.c`, 2.5.4). No action's word is another's turned round.
fn returned(word: u32) -> u32 {
    let actions = [0x8000_0000, 0x3_0000, 0x5_0000, 0x7fc0_0000, 0x7ff0_0000, 0x7ffc_0000, 0x7fff_0000];
    if word == 0 || actions.contains(&(word & 0xffff_0000)) { word } else { word.swap_bytes() }
}

/// Writes a policy, and runs kpolc on it.
fn run(kpolc: &Path, folder: &Path, made: &Generated, options: &[&str], out: &Path) -> Output {
    for (index, text) in print(&made.policy).iter().enumerate() {
        fs::write(folder.join(file_name(index)), text).unwrap();
    }
    let _ = fs::remove_file(out);
    let caps = if made.policy.caps.is_empty() { "none".to_owned() } else { made.policy.caps.join(",") };
    let (major, minor) = made.policy.kernel;
    Command::new(kpolc)
        .args(["build", "-q", "--cap", &caps, "--kernel", &format!("{major}.{minor}")])
        .args(options)
        .arg("-o")
        .arg(out)
        .arg(folder.join(file_name(0)))
        .output()
        .unwrap()
}

/// What kpolc makes of a policy; `Err` has the code where it says that this product cannot say it.
fn build(kpolc: &Path, folder: &Path, made: &Generated, format: &str) -> Result<Vec<u8>, &'static str> {
    let out = folder.join(format!("out.{format}"));
    let output = run(kpolc, folder, made, &["--format", "concise", "--emit", format], &out);
    if output.status.success() {
        return Ok(fs::read(&out).unwrap());
    }
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    let errors: Vec<&str> = said.lines().filter(|line| line.contains("error[")).collect();
    let known = |line: &&str| CANNOT_SAY.iter().copied().find(|code| line.contains(&format!("error[{code}]")));
    let codes: Vec<Option<&'static str>> = errors.iter().map(known).collect();
    match codes.first() {
        Some(Some(code)) if codes.iter().all(Option::is_some) => Err(code),
        _ => panic!("{said}\n{}", print(&made.policy).join("\n----\n")),
    }
}

/// The asserts that kpolc refutes, by their place, each with the call that it shows.
fn refuted(kpolc: &Path, folder: &Path, made: &Generated) -> BTreeMap<usize, String> {
    let output = run(kpolc, folder, made, &["--format", "json", "--emit", "bpf"], &folder.join("out.asserted"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let text = if text.trim().is_empty() { String::from_utf8_lossy(&output.stderr).into_owned() } else { text };
    let found: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let mut refuted = BTreeMap::new();
    for finding in found["diagnostics"].as_array().unwrap() {
        if finding["severity"] != "error" {
            continue;
        }
        assert_eq!(finding["code"], "E042", "{finding}\n{}", print(&made.policy).join("\n----\n"));
        let title = finding["message"].as_str().unwrap().split('"').nth(1).unwrap();
        refuted.insert(title.parse().unwrap(), finding["notes"][0].as_str().unwrap().to_owned());
    }
    refuted
}

/// Registers around what the policy compares, with bits above that the kernel drops.
fn registers(made: &Generated, random: &mut Random, abi: Abi) -> [u64; 6] {
    std::array::from_fn(|_| {
        let value = match random.below(8) {
            0 => random.bits(),
            1 => random.below(40) as u64,
            _ if made.edges.is_empty() => random.below(3) as u64,
            _ => (*random.of(&made.edges) as u64).wrapping_add(random.below(3) as u64).wrapping_sub(1),
        };
        let value = match random.below(7) {
            0 => value & 0xffff_ffff | random.bits() << 32,
            1 => value as i32 as i64 as u64,
            2 => value & 0xffff_ffff,
            3 => value & 0xffff | random.bits() << 16,
            4 => value << 32 | random.bits() >> 32,
            _ => value,
        };
        if abi.bits() == 32 { value & 0xffff_ffff } else { value }
    })
}

/// Often gives a register that decides what others mean a value by which it does, perhaps with bits above.
fn command(made: &Generated, random: &mut Random, call: &mut Call<'_>) {
    let here = |known: &&(String, Abi, usize, Vec<u64>)| (known.0.as_str(), known.1) == (call.name, call.abi);
    let own: Vec<_> = made.commands.iter().filter(here).collect();
    if own.is_empty() || random.once_in(2) {
        return;
    }
    let (_, abi, register, values) = *random.of(&own);
    let dirt = if random.once_in(2) { random.bits() & !0xffff } else { 0 };
    call.args[*register] = (*random.of(values) | dirt) & u64::MAX >> (64 - abi.bits());
}

/// Names of the calls to try, with their numbers: those of the policy often, any other sometimes.
fn calls<'a>(
    made: &'a Generated,
    facts: &'a Facts,
    abi: Abi,
    random: &mut Random,
    count: usize,
) -> Vec<(&'a str, u32)> {
    let numbers = &facts.numbers[&abi];
    let all: Vec<(&str, u32)> = numbers.iter().map(|(name, nr)| (name.as_str(), *nr)).collect();
    let number = |name: &str| made.policy.declared(abi, name).or_else(|| numbers.get(name).copied());
    let mut own: Vec<(&str, u32)> = made.calls.iter().filter_map(|name| Some((name.as_str(), number(name)?))).collect();
    own.extend(["socketcall", "ipc"].iter().filter_map(|name| Some((*name, *numbers.get(*name)?))));
    let highest = all.iter().map(|(_, nr)| *nr).max().unwrap();
    (0..count)
        .map(|_| match random.below(10) {
            0 => *random.of(&all),
            // A number far beyond those with names, and the one that a tracer cancels a call by.
            1 => ("", *random.of(&[highest + 1000, highest + 0x10_0000, u32::MAX])),
            _ if own.is_empty() => *random.of(&all),
            _ => *random.of(&own),
        })
        .collect()
}

#[test]
fn products_do_what_an_evaluator_of_another_make_says() {
    let Some(facts) = or_skip(Facts::read()) else { return };
    let wanted = number("KPOL_ORACLE", 100_000);
    let seed = number("KPOL_ORACLE_SEED", 1);
    let kpolc = binary("kpolc");
    let folder = tempfile::tempdir().unwrap();
    let (mut tried, mut by_json, mut policies) = (0u64, 0u64, 0u64);
    let (mut asserted, mut unread) = ((0u64, 0u64), 0u64);
    let mut by_abi: BTreeMap<&str, u64> = BTreeMap::new();
    let mut without: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    while tried < wanted {
        policies += 1;
        let seed = seed.wrapping_add(policies);
        let mut random = Random::new(seed);
        let mut made = generate(&mut random, &facts, policies % 2 == 0);
        let asserts = std::mem::take(&mut made.policy.asserts);
        let listed = made.policy.listed();
        let mut product = |format| {
            let built = build(&kpolc, folder.path(), &made, format);
            built.map_err(|code| *without.entry((format, code)).or_default() += 1).ok()
        };
        let bpf = product("bpf");
        let json = product("json").map(|bytes| String::from_utf8(bytes).unwrap());
        let mut broken: BTreeSet<usize> = BTreeSet::new();
        for abi in Abi::all() {
            let native = Arch::from_name(abi.native().name()).unwrap();
            let node_has_it = listed.iter().any(|other| other.native() == abi.native());
            let node_has_it = node_has_it && !NOT_IN_LIBSECCOMP.contains(&abi);
            let is_listed = listed.contains(&abi);
            // A machine of the other byte order would take a file of its own.
            let foreign = listed.iter().all(|other| other.is_big_endian() != abi.is_big_endian());
            if !is_listed && (foreign || !random.once_in(6)) {
                continue;
            }
            let loaded = match &json {
                Some(json) if node_has_it => match or_skip(json_to_bpf(json, native)) {
                    Some(filter) => Some(filter.unwrap().to_bytes()),
                    None => return,
                },
                _ => None,
            };
            let count = if is_listed { 500 } else { 10 };
            for (name, nr) in calls(&made, &facts, abi, &mut random, count) {
                // -1 is no number of x32, though it has the bit: it is everybody's.
                if abi == Abi::X32 && nr == u32::MAX {
                    continue;
                }
                let mut call = Call { abi, name, args: registers(&made, &mut random, abi) };
                command(&made, &mut random, &mut call);
                let says = if is_listed { Some(evaluate(&made.policy, &facts, call).unwrap()) } else { None };
                if let Some(act) = says {
                    let broken_by = |assert: &Assert| breaks(&made.policy, &facts, assert, call, act);
                    broken.extend((0..asserts.len()).filter(|index| broken_by(&asserts[*index])));
                }
                let show = |what: &str, given: Option<u32>| {
                    format!(
                        "seed {seed}, {what}: {nr:#x} {call:x?} gives {given:x?}, not {says:?}\n{}",
                        print(&made.policy).join("\n----\n")
                    )
                };
                if let Some(bpf) = &bpf {
                    // What is not listed ends the process; on a number that x86_64 and x32 share, its default.
                    let given = machine::run(bpf, abi.is_big_endian(), abi.token(), nr, &call.args);
                    let shared = nr == u32::MAX && abi == Abi::X86_64 && listed.contains(&Abi::X32);
                    let expected = says.unwrap_or(if shared { made.policy.default } else { Act::Kill });
                    assert_eq!(given, Some(expected.word()), "{}", show("BPF", given));
                    tried += 1;
                }
                // Both have the number -10191 among those that libseccomp 2.5 gives to calls which the machine lacks that it runs on.
                let twins = ["sys_debug_setcontext", "switch_endian"].contains(&name);
                if let Some(loaded) = loaded.as_ref().filter(|_| !twins) {
                    let given = machine::run(loaded, abi.is_big_endian(), abi.token(), nr, &call.args).map(returned);
                    let expected = says.unwrap_or(Act::KillThread);
                    // libseccomp takes x32 for an ABI of 32 bits: nothing that kpolc writes may depend on what it does not see.
                    assert_eq!(given, Some(expected.word()), "{}", show("JSON", given));
                    tried += 1;
                    by_json += 1;
                }
                if is_listed {
                    *by_abi.entry(abi.name()).or_default() += 1;
                }
            }
        }
        if bpf.is_none() || asserts.is_empty() {
            continue;
        }
        made.policy.asserts = asserts;
        let refuted = refuted(&kpolc, folder.path(), &made);
        let show = || format!("seed {seed}\n{}", print(&made.policy).join("\n----\n"));
        for (index, assert) in made.policy.asserts.iter().enumerate() {
            asserted.0 += 1;
            let Some(text) = refuted.get(&index) else {
                assert!(!broken.contains(&index), "assert {index} is called proven, and a call breaks it: {}", show());
                continue;
            };
            asserted.1 += 1;
            let Some(call) = counterexample(text, &made.policy, &facts) else {
                unread += 1;
                continue;
            };
            let act = evaluate(&made.policy, &facts, call).unwrap();
            assert!(
                breaks(&made.policy, &facts, assert, call, act),
                "{index}: {text} breaks nothing ({act:?}): {}",
                show()
            );
        }
    }
    eprintln!("{policies} policies, {tried} calls, {by_json} of them by JSON; not sayable: {without:?}");
    eprintln!(
        "{} asserts, {} refuted, {unread} of them by a call that is not read here; {by_abi:?}",
        asserted.0, asserted.1
    );
    assert!(unread * 10 <= asserted.1, "{unread} of {} counterexamples are not read", asserted.1);
    let missing =
        |format: &str| without.iter().filter(|((of, _), _)| *of == format).map(|(_, count)| count).sum::<u64>();
    assert!(missing("bpf") * 20 < policies, "of {policies} policies too few had BPF: {without:?}");
    assert!(missing("json") * 3 < policies * 2, "of {policies} policies too few had JSON: {without:?}");
}
