//! Filters and profiles that were made to do harm, given to every command that reads such: an answer or an error in words, by a
//! process that may use a gigabyte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fmt::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use kpol_compiler::bpf::{ByteOrder, Insn, Program, op};

const MOST_MEMORY: u64 = 1 << 30;

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

/// Every command on a file; what it said.
fn try_all(folder: &Path, name: &str, bytes: &[u8]) -> Vec<(i32, String)> {
    try_some(folder, name, bytes, 0..4)
}

/// Some of the commands: what takes its time in the reader, which is the same for all, is given to one of them.
fn try_some(folder: &Path, name: &str, bytes: &[u8], which: std::ops::Range<usize>) -> Vec<(i32, String)> {
    std::fs::write(folder.join(name), bytes).unwrap();
    std::fs::write(folder.join("plain.kpol"), "default allow\n").unwrap();
    let commands: [&[&str]; 4] = [&["stats"], &["import", "--arch", "x86_64"], &["why"], &["diff"]];
    let mut said = Vec::new();
    for command in &commands[which] {
        let mut kpolc = Command::new(env!("CARGO_BIN_EXE_kpolc"));
        kpolc.current_dir(folder).args(*command).arg(name);
        match command[0] {
            "why" => kpolc.arg("read(1)"),
            "diff" => kpolc.arg("plain.kpol"),
            _ => &mut kpolc,
        };
        // SAFETY: a call that is safe between fork and exec.
        unsafe {
            kpolc.pre_exec(|| {
                let limit = libc::rlimit { rlim_cur: MOST_MEMORY, rlim_max: MOST_MEMORY };
                libc::setrlimit(libc::RLIMIT_AS, &raw const limit);
                Ok(())
            });
        }
        let output = kpolc.output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        let begin: String = words.chars().take(500).collect();
        let status = output.status.code().unwrap_or_else(|| panic!("{name} {command:?}: {}: {begin}", output.status));
        assert!(matches!(status, 0..=2), "{name} {command:?}: {status}: {begin}");
        assert!(status != 2 || words.contains(name), "{name} {command:?}: {begin}");
        assert!(words.len() < 20_000, "{name} {command:?}: {} bytes of words", words.len());
        said.push((status, words));
    }
    said
}

fn filter(folder: &Path, name: &str, insns: Vec<Insn>) {
    let turn = name.len() % 4;
    try_some(folder, &format!("{name}.bpf"), &Program(insns).to_bytes(ByteOrder::NATIVE), turn..turn + 1);
}

const ALLOW: Insn = Insn::statement(op::RET_K, 0x7fff_0000);
const DENY: Insn = Insn::statement(op::RET_K, 0x0005_0001);

/// As long as the kernel takes, with jumps as far as they go.
fn jumps(random: &mut Random, loads: &[u32], bits: usize) -> Vec<Insn> {
    let mut insns = vec![Insn::statement(op::LD_ABS, loads[0])];
    while insns.len() < 4094 {
        let left = (4094 - insns.len()).min(256);
        if loads.len() > 1 && random.below(3) == 0 {
            insns.push(Insn::statement(op::LD_ABS, loads[random.below(loads.len())]));
            continue;
        }
        let code = [op::JEQ_K, op::JGT_K, op::JGE_K, op::JSET_K][random.below(4)];
        let k = random.next() as u32 >> (32 - bits);
        insns.push(Insn::jump(code, k, random.below(left) as u8, random.below(left) as u8));
    }
    insns.extend([ALLOW, DENY]);
    insns
}

#[test]
fn filters_of_jumps() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(7);
    filter(dir.path(), "numbers", jumps(&mut random, &[0], 9));
    filter(dir.path(), "tokens", jumps(&mut random, &[4], 32));
    filter(dir.path(), "one-word", jumps(&mut random, &[16], 32));
    let words: Vec<u32> = (0..16).filter(|word| !matches!(word, 2 | 3)).map(|word| word * 4).collect();
    filter(dir.path(), "all-words", jumps(&mut random, &words, 32));
    filter(dir.path(), "longest", vec![ALLOW; 4096]);
    filter(dir.path(), "too-long", vec![ALLOW; 4097]);
    filter(dir.path(), "jumps-of-nothing", [vec![Insn::statement(op::JUMP, 0); 4095], vec![ALLOW]].concat());
}

#[test]
fn filters_that_compute() {
    let dir = tempfile::tempdir().unwrap();
    let ending = [Insn::jump(op::JEQ_K, 12_345, 0, 1), ALLOW, DENY];
    let word = |index: usize| Insn::statement(op::LD_ABS, 16 + 4 * (index % 12) as u32);
    let to_x = Insn::statement(op::MISC | op::TAX, 0);
    for (name, code) in [
        ("add", op::ADD),
        ("sub", op::SUB),
        ("mul", op::MUL),
        ("div", op::DIV),
        ("or", op::OR),
        ("xor", op::XOR),
        ("lsh", op::LSH),
        ("rsh", op::RSH),
    ] {
        let mut insns = vec![word(0), to_x];
        for index in 0..300 {
            insns.extend([word(index), Insn::statement(op::ALU | code | op::X, 0), to_x]);
        }
        insns.extend(ending);
        filter(dir.path(), &format!("{name}-x"), insns);
        let by = [word(0), Insn::statement(op::ALU | code, 3), Insn::statement(op::ALU | op::NEG, 0)];
        filter(dir.path(), &format!("{name}-k"), [&by[..], &ending].concat());
    }
    // Two arguments compared with each other, and a word compared with what it is multiplied by.
    let mut pairs = Vec::new();
    for (one, other) in (0..12).flat_map(|one| (one + 1..12).map(move |other| (one, other))) {
        pairs.extend([word(one), to_x, word(other), Insn::jump(op::JMP | op::JGT | op::X, 0, 0, 1), ALLOW]);
    }
    filter(dir.path(), "pairs", [pairs, vec![DENY]].concat());
    // Scratch memory that remembers which bits were set.
    let mut memory = Vec::new();
    for cell in 0..16 {
        memory.extend([Insn::statement(op::LD | op::IMM, 0), Insn::statement(op::ST, cell)]);
    }
    for turn in 0..700u32 {
        memory.extend([
            word(turn as usize),
            Insn::jump(op::JSET_K, 1 << (turn % 32), 0, 3),
            Insn::statement(op::LD | op::MEM, turn % 16),
            Insn::statement(op::ALU | op::ADD, 1),
            Insn::statement(op::ST, turn % 16),
        ]);
    }
    for cell in 0..16 {
        memory.extend([Insn::statement(op::LD | op::MEM, cell), Insn::jump(op::JEQ_K, cell, 0, 1), ALLOW]);
    }
    filter(dir.path(), "memory", [memory, vec![DENY]].concat());
    // An answer for each number, and for each token.
    for load in [0, 4, 16] {
        let name = format!("returned-{load}");
        filter(dir.path(), &name, vec![Insn::statement(op::LD_ABS, load), Insn::statement(op::RET_A, 0)]);
    }
    let odd = |load| {
        vec![
            Insn::statement(op::LD_ABS, load),
            Insn::statement(op::AND_K, 1),
            Insn::jump(op::JEQ_K, 1, 0, 1),
            ALLOW,
            DENY,
        ]
    };
    filter(dir.path(), "odd-numbers", odd(0));
    filter(dir.path(), "odd-tokens", odd(4));
}

#[test]
fn bytes_by_chance() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(11);
    for turn in 0..6 {
        let bytes: Vec<u8> = (0..[0, 1, 7, 8, 4096, 32768][turn]).map(|_| random.next() as u8).collect();
        try_all(dir.path(), "chance.bpf", &bytes);
        try_all(dir.path(), "chance.json", &bytes);
    }
}

fn profile(folder: &Path, name: &str, text: &str) -> Vec<(i32, String)> {
    try_all(folder, &format!("{name}.json"), text.as_bytes())
}

/// A profile that allows `read` under each of these `args`.
fn reads(args: impl Iterator<Item = String>) -> String {
    let entries: Vec<_> =
        args.map(|args| format!(r#"{{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{args}]}}"#)).collect();
    format!(r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{}]}}"#, entries.join(","))
}

#[test]
fn profiles_that_nest_or_repeat() {
    let dir = tempfile::tempdir().unwrap();
    let deep = format!("{}{}", "[".repeat(500_000), "]".repeat(500_000));
    profile(dir.path(), "deep", &deep);
    profile(dir.path(), "deep-args", &reads(std::iter::once(deep)));
    profile(dir.path(), "deep-objects", &r#"{"defaultAction":"#.repeat(60_000));
    profile(dir.path(), "comments", &"/*".repeat(500_000));
    profile(dir.path(), "closed", &"]".repeat(1_000_000));
    let args = (0..25_000).map(|at| format!(r#"{{"index":{},"value":{at},"op":"SCMP_CMP_EQ"}}"#, at % 6));
    profile(dir.path(), "args", &reads(std::iter::once(args.collect::<Vec<_>>().join(","))));
    let names = (0..100_000).map(|at| format!("\"n{at}\"")).collect::<Vec<_>>().join(",");
    let list = |names: &str| {
        format!(r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{{"names":[{names}],"action":"SCMP_ACT_ALLOW"}}]}}"#)
    };
    profile(dir.path(), "unknown-names", &list(&names));
    profile(dir.path(), "one-name", &list(&vec!["\"read\""; 100_000].join(",")));
}

#[test]
fn profiles_that_multiply() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(13);
    for ops in [&["EQ", "NE", "LT", "LE", "GT", "GE"][..], &["MASKED_EQ"]] {
        let args = (0..700).map(|_| {
            let mut text = String::new();
            for index in 0..6 {
                let (op, value, two) = (ops[random.below(ops.len())], random.next(), random.next());
                let comma = if index > 0 { "," } else { "" };
                write!(text, r#"{comma}{{"index":{index},"value":{value},"valueTwo":{two},"op":"SCMP_CMP_{op}"}}"#)
                    .unwrap();
            }
            text
        });
        let said = try_some(dir.path(), "many.json", reads(args).as_bytes(), 0..1);
        assert!(said[0].1.contains("too large"), "{}", said[0].1);
    }
}

#[test]
fn numbers_and_keys_out_of_order() {
    let dir = tempfile::tempdir().unwrap();
    for (name, number) in
        [("long", "9".repeat(100_000)), ("float", "1e999".into()), ("minus", "-1".into()), ("half", "0.5".into())]
    {
        let said =
            profile(dir.path(), name, &format!(r#"{{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":{number}}}"#));
        assert!(said.iter().all(|(status, _)| *status > 0), "{said:?}");
    }
    // Of keys that come twice the last counts, as it does for Go.
    let twice = r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultAction":"SCMP_ACT_ALLOW","syscalls":[],"syscalls":[]}"#;
    let said = profile(dir.path(), "twice", twice);
    assert_eq!(said.iter().map(|(status, _)| *status).collect::<Vec<_>>(), [0, 0, 0, 0], "the same as `default allow`");
}
