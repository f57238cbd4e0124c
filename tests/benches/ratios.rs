//! How fast kpolc is, as ratios to a rival that is measured in the same run. `filters` measures what it makes.
//!
//! ```text
//! cargo bench -p kpol-tests
//!
//!                                        kpolc      rival     ratio   rival
//! Docker's default, 3 ABIs, JSON and BPF    …         …         …     libseccomp 2.5.4, the same filter, in memory
//! ```
//!
//! Rounds of both are interleaved and the least of many counts, so that a busy machine slows both or neither. kpolc is
//! measured as a user meets it: a whole process, its outputs proven and written. Nothing passes or fails here.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failure of the rig has no reader")]

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kpol_compiler::spec::Arch;
use kpol_tests::libseccomp::{self, Options};
use kpol_tests::profile::Node;
use kpol_tests::skip::or_skip;

/// Rounds of each measurement.
const ROUNDS: usize = 60;
/// `cargo test --benches` asks for one round only.
const TEST_FLAG: &str = "--test";

fn main() {
    let rounds = if std::env::args().any(|arg| arg == TEST_FLAG) { 1 } else { ROUNDS };
    let bench = Bench { kpolc: kpolc(), folder: in_memory(), rounds, peak: Cell::new(0) };
    println!("\nleast of {rounds} rounds\n{:<44}{:>11}{:>11}{:>8}   rival", "", "kpolc", "rival", "ratio");
    bench.start_up();
    bench.docker_default();
    bench.many_files();
    bench.many_rules();
    println!("\npeak memory of the largest kpolc: {:.1} MB", bench.peak.get() as f64 / 1024.0);
    println!("size of the program: {:.1} MB", fs::metadata(&bench.kpolc).unwrap().len() as f64 / 1e6);
}

struct Bench {
    kpolc: PathBuf,
    folder: tempfile::TempDir,
    rounds: usize,
    /// In kB.
    peak: Cell<i64>,
}

impl Bench {
    #[allow(clippy::zombie_processes, reason = "`wait` waits for it: std's own does not tell of memory")]
    fn run(&self, args: &[&str]) -> Duration {
        let mut command = Command::new(&self.kpolc);
        command.current_dir(&self.folder).arg("--quiet").args(args).stdout(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        let child = command.spawn().unwrap();
        let (status, kilobytes) = wait(&child);
        let took = start.elapsed();
        assert_eq!(status, 0, "kpolc {args:?}");
        self.peak.set(self.peak.get().max(kilobytes));
        took
    }

    /// The least of each, round by round in turn.
    fn compare(&self, name: &str, rival: &str, ours: impl Fn() -> Duration, theirs: impl Fn() -> Option<Duration>) {
        let (mut least, mut other) = (Duration::MAX, None::<Duration>);
        for _ in 0..self.rounds {
            least = least.min(ours());
            other = theirs().map(|took| other.map_or(took, |before| before.min(took))).or(other);
        }
        let other = other.filter(|took| !took.is_zero());
        let (other, ratio) = match other {
            Some(took) => (milliseconds(took), format!("{:.2}", least.as_secs_f64() / took.as_secs_f64())),
            None => ("-".to_owned(), "-".to_owned()),
        };
        println!("{name:<44}{:>11}{other:>11}{ratio:>8}   {rival}", milliseconds(least));
    }

    fn start_up(&self) {
        let nothing = || Some(process(&mut Command::new("true")));
        self.compare("say the version", "/bin/true", || self.run(&["--version"]), nothing);
    }

    fn docker_default(&self) {
        let source = root().join("examples/docker-default.kpol");
        let source = source.to_str().unwrap();
        let args = ["--kernel", "6.1", "--cap", "none", "--arch", "x86_64,x86,x32", "-o", "."];
        let ours = || self.run(&[&["build", source, "--emit", "json,bpf"][..], &args].concat());
        ours();
        let json = fs::read_to_string(self.folder.path().join("docker-default.json")).unwrap();
        let node = Node::new(Arch::X86_64);
        let theirs = || Some(or_skip(libseccomp::timed(&json, &node, Options::default()))?.unwrap().1);
        let rival = match libseccomp::version() {
            Ok((major, minor, micro)) => format!("libseccomp {major}.{minor}.{micro}, the same filter, in memory"),
            Err(_) => "libseccomp is not installed".to_owned(),
        };
        self.compare("Docker's default, 3 ABIs, JSON and BPF", &rival, ours, theirs);
    }

    /// 10,000 lines in a profile and 50 files that it includes.
    fn many_files(&self) {
        let names: Vec<&str> = kpol_compiler::tables::Syscall::all().map(|call| call.name()).collect();
        let mut main = "default deny\narch x86_64, aarch64\n".to_owned();
        for file in 0..50 {
            let mut text = format!("/// Part {file}.\ngroup @part{file} {{\n");
            for line in 0..95 {
                writeln!(text, "    {},", names[(file * 95 + line) % names.len()]).unwrap();
            }
            text += "}\n";
            for line in 0..98 {
                let value = file * 98 + line;
                writeln!(text, "allow {{ ioctl(cmd == {value:#x}) }} // {line}").unwrap();
            }
            fs::write(self.folder.path().join(format!("part{file}.kpol")), text).unwrap();
            writeln!(main, "include \"part{file}.kpol\"").unwrap();
        }
        main += "allow { @part0, @part1 except { ioctl } }\n";
        fs::write(self.folder.path().join("many.kpol"), main).unwrap();
        let ours = || self.run(&["check", "many.kpol"]);
        let json: Vec<_> =
            (0..10_000).map(|line| format!("{{\"names\": [\"{}\"]}}", names[line % names.len()])).collect();
        fs::write(self.folder.path().join("many.json"), format!("[{}]", json.join(",\n"))).unwrap();
        let mut python = Command::new("python3");
        python.current_dir(&self.folder).args(["-c", "import json; json.load(open('many.json'))"]);
        let python = RefCell::new(python);
        let theirs = || which("python3").then(|| process(&mut python.borrow_mut()));
        self.compare("check 10,000 lines in 50 includes", "python3 reads 10,000 lines of JSON", ours, theirs);
    }

    fn many_rules(&self) {
        let mut text = "default deny\n".to_owned();
        for line in 0..40_000 {
            writeln!(text, "allow {{ ioctl(fd == {line}) }}").unwrap();
        }
        fs::write(self.folder.path().join("rules.kpol"), text).unwrap();
        let start = || {
            let source = fs::read_to_string(self.folder.path().join("rules.kpol")).unwrap();
            let start = Instant::now();
            assert!(kpol_grammar::parse::parse(&source).1.is_empty());
            start.elapsed()
        };
        let copy = || {
            let source = fs::read(self.folder.path().join("rules.kpol")).unwrap();
            let start = Instant::now();
            assert!(serde_json::from_str::<serde_json::Value>(&as_json(&source)).is_ok());
            Some(start.elapsed())
        };
        self.compare("parse 40,000 rules (in memory)", "serde_json on an array of the lines", start, copy);
    }
}

fn as_json(text: &[u8]) -> String {
    let lines: Vec<_> = String::from_utf8_lossy(text).lines().map(|line| format!("{line:?}")).collect();
    format!("[{}]", lines.join(","))
}

fn process(command: &mut Command) -> Duration {
    let start = Instant::now();
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    start.elapsed()
}

fn which(program: &str) -> bool {
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|folder| folder.join(program).is_file())
}

fn milliseconds(took: Duration) -> String {
    format!("{:.2} ms", took.as_secs_f64() * 1e3)
}

/// Waits for a process: its status, and the most memory that it held, in kB. What others of our children held (the
/// compiler, which may have run first) is not in it.
fn wait(child: &Child) -> (i32, i64) {
    let mut status = 0;
    // SAFETY: all zeros is a valid value of this structure of integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: pointers to live variables of the right types; the child is ours and nobody else waits for it.
    let pid = unsafe { libc::wait4(child.id() as i32, &raw mut status, 0, &raw mut usage) };
    assert_eq!(pid, child.id() as i32);
    (status, usage.ru_maxrss)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The release build, made now if it is not there or not fresh.
fn kpolc() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let build = ["build", "--quiet", "--release", "--package", "kpol-compiler", "--bin", "kpolc"];
    assert!(Command::new(cargo).current_dir(root()).args(build).status().unwrap().success());
    // This program lies in target/release/deps.
    let folder = std::env::current_exe().unwrap();
    folder.ancestors().nth(2).unwrap().with_file_name("release").join("kpolc")
}

/// A folder whose files no disk is waited for: what is measured is the program, and each of its files is synced.
fn in_memory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}
