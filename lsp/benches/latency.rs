//! How long an editor waits: `cargo bench -p kpol-lsp`.
//!
//! Our own client types into a project of 10,000 lines over 50 includes, and measures from the edit to the diagnostics of
//! its version. Beside it stands `ruff server`, from PyPI, on a Python file of as many lines; where it cannot be had, that is
//! said and left out. Numbers of one run on one machine compare with each other only.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "a bench")]

#[path = "../tests/client/mod.rs"]
mod client;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use client::{Client, capabilities};
use serde_json::{Value, json};

const INCLUDES: usize = 50;
const LINES: usize = 10_000;
const KEYSTROKES: usize = 200;

fn main() {
    let mut rows = vec![kpol(true), kpol(false)];
    match ruff() {
        Ok(row) => rows.push(row),
        Err(why) => eprintln!("SKIPPED: ruff: {why}"),
    }
    println!(
        "{:28} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>8}",
        "", "start", "p50", "p95", "hover", "complete", "burst", "memory"
    );
    for row in rows {
        let ms = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1e3);
        let list = [
            row.start,
            at(&row.keystrokes, 50),
            at(&row.keystrokes, 95),
            at(&row.hovers, 95),
            at(&row.completions, 95),
            row.burst,
        ];
        let list: String = list.iter().fold(String::new(), |mut text, time| {
            let _ = write!(text, " {:>10}", ms(*time));
            text
        });
        println!("{:28}{list} {:>5} MB", row.name, row.memory >> 10);
    }
    println!(
        "\np50, p95: from a keystroke to the diagnostics of its version; hover, complete: p95; burst: {KEYSTROKES} edits at once"
    );
}

struct Row {
    name: String,
    start: Duration,
    keystrokes: Vec<Duration>,
    hovers: Vec<Duration>,
    completions: Vec<Duration>,
    burst: Duration,
    memory: u64,
}

fn at(times: &[Duration], percent: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted.get(sorted.len() * percent / 100).copied().unwrap_or_default()
}

/// The most that a process has had, in kB.
fn memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap_or(0)
}

/// An include: groups, constants, conditions and comments, each about calls of its own, so that nothing is said twice.
fn include(index: usize, lines: usize) -> String {
    let mut text = format!("//! Part {index} of the project.\n");
    let mut count = 1;
    let mut block = 0;
    while count + 14 < lines {
        let unique = 0x10_0000 + index * 0x1000 + block * 16;
        let _ = write!(
            text,
            "\n/// What block {block} of part {index} needs.\ngroup @part-{index}-{block} {{\n    ioctl(cmd == {unique:#x}),\n    \
            ioctl(cmd in {{ {:#x}, {:#x}..{:#x} }}),\n    fcntl(cmd == {unique:#x}),\n    prctl(option == {unique:#x}),\n}}\n\n\
            const BASE_{index}_{block} = 0x100_0000 | {unique:#x}\n\nallow {{\n    @part-{index}-{block},\n    \
            socket(family == BASE_{index}_{block}, type & SOCK_TYPE_MASK == SOCK_STREAM),\n}}\n",
            unique + 1,
            unique + 3,
            unique + 6,
        );
        count += 15;
        block += 1;
    }
    while count < lines {
        text.push_str("// a remark\n");
        count += 1;
    }
    text
}

fn kpol(in_include: bool) -> Row {
    let begun = Instant::now();
    let mut client = Client::start();
    client.initialize(capabilities(), Value::Null);
    let start = begun.elapsed();
    let mut root = String::new();
    for index in 0..INCLUDES {
        client.write(&format!("part{index}.kpol"), &include(index, LINES / INCLUDES));
        let _ = writeln!(root, "include \"part{index}.kpol\"");
    }
    root.push_str("default deny\nallow { @default }\n");
    client.open("web.kpol", &root);
    assert_eq!(client.codes("web.kpol").len(), 0, "the project is sound");
    // A remark grows at the end of a file that all lead to, and a call in a list is written anew.
    let edited = if in_include { "part25.kpol" } else { "web.kpol" };
    let text = if in_include { include(25, LINES / INCLUDES) } else { root };
    if in_include {
        client.open(edited, &text);
        client.diagnostics(edited);
    }
    let line = text.lines().count() as u64;
    let append = |version: i64| {
        let at = json!({ "line": line, "character": 0 });
        // Every other keystroke makes a mistake, the next one mends it.
        let words = if version % 2 == 0 { "allow { getpi }" } else { "allow { getpid }" };
        let end = if version == 2 {
            0
        } else if version % 2 == 0 {
            16
        } else {
            15
        };
        let range = json!({ "start": at, "end": { "line": line, "character": end } });
        json!([{ "range": range, "text": words }])
    };
    let mut keystrokes = Vec::new();
    let mut hovers = Vec::new();
    let mut completions = Vec::new();
    let mut version = 1;
    for _ in 0..KEYSTROKES {
        version += 1;
        let begun = Instant::now();
        client.edit(edited, version, append(version));
        let said = client.diagnostics(edited);
        keystrokes.push(begun.elapsed());
        assert_eq!(said["version"], version);
        let begun = Instant::now();
        let at = client.at(edited, line as u32, 10);
        client.request("textDocument/completion", at.clone());
        completions.push(begun.elapsed());
        let begun = Instant::now();
        client.request("textDocument/hover", at);
        hovers.push(begun.elapsed());
        client.early.clear();
    }
    let begun = Instant::now();
    for _ in 0..KEYSTROKES {
        version += 1;
        client.edit(edited, version, append(version));
    }
    while client.diagnostics(edited)["version"] != version {}
    let burst = begun.elapsed();
    let memory = memory(client.pid());
    assert!(client.stop().success());
    let name = if in_include { "kpol-lsp, in an include" } else { "kpol-lsp, in the profile" };
    Row { name: name.to_owned(), start, keystrokes, hovers, completions, burst, memory }
}

/// Ruff below the folder of the build, fetched from PyPI if it is not there.
fn ruff_program() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ruff");
    let program = folder.join("bin/ruff");
    if program.exists() {
        return Ok(program);
    }
    let output =
        Command::new("python3").args(["-m", "pip", "install", "--quiet", "--target"]).arg(&folder).arg("ruff").output();
    let output = output.map_err(|error| format!("no python3: {error}"))?;
    if program.exists() {
        return Ok(program);
    }
    Err(format!("pip gave none: {}", String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default()))
}

fn ruff() -> Result<Row, String> {
    let program = ruff_program()?;
    let begun = Instant::now();
    let mut client = Client::start_program(&program, &["server"]);
    client.initialize(capabilities(), Value::Null);
    let start = begun.elapsed();
    let mut text = String::from("import os\nimport sys\n\n\n");
    let mut count = 4;
    while count + 9 < LINES {
        let _ = write!(
            text,
            "def function_{count}(first, second):\n    \"\"\"Adds what it is given.\"\"\"\n    total = first + second\n    for index in range(10):\n        total += index * {count}\n    return os.path.join(str(total), sys.argv[0])\n\n\n"
        );
        count += 8;
    }
    client.open_as("web.py", "python", &text);
    client.diagnostics("web.py");
    let line = text.lines().count() as u64;
    let append = |version: i64| {
        let words = if version % 2 == 0 { "x = undefined_name" } else { "x = sys.argv  # #" };
        let end = if version == 2 {
            0
        } else if version % 2 == 0 {
            17
        } else {
            18
        };
        let range = json!({ "start": { "line": line, "character": 0 }, "end": { "line": line, "character": end } });
        json!([{ "range": range, "text": words }])
    };
    let mut keystrokes = Vec::new();
    let mut hovers = Vec::new();
    let mut version = 1;
    for _ in 0..KEYSTROKES {
        version += 1;
        let begun = Instant::now();
        client.edit("web.py", version, append(version));
        while client.diagnostics("web.py")["version"] != version {}
        keystrokes.push(begun.elapsed());
        let begun = Instant::now();
        let at = client.at("web.py", line as u32, 2);
        client.request("textDocument/hover", at);
        hovers.push(begun.elapsed());
        client.early.clear();
    }
    let begun = Instant::now();
    for _ in 0..KEYSTROKES {
        version += 1;
        client.edit("web.py", version, append(version));
    }
    while client.diagnostics("web.py")["version"] != version {}
    let burst = begun.elapsed();
    let memory = memory(client.pid());
    Ok(Row { name: "ruff server".to_owned(), start, keystrokes, hovers, completions: Vec::new(), burst, memory })
}
