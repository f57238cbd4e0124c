//! How good our filters are: length and executed instructions beside libseccomp's, and their time on this kernel.
//!
//! ```text
//! cargo bench -p kpol-tests --bench filters
//!
//! instructions / executed, weighted / executed, uniform
//!                     balanced            size                libseccomp O1       libseccomp O2
//! docker-default      75 / 6.99 / 9.57    …                   …                   …
//! ```
//!
//! All for x86_64 alone and without capabilities, made in the same run. *Weighted* is the mean over the calls of
//! `weights.tsv` with their arguments, *uniform* that over numbers 0 … 599 with arguments 0; loads, tests and `ret` count
//! alike. The filters of seacomb and seccompiler come from `tests/rivals`, where these can say the policy. The second
//! table is the least of many rounds, in which the filters take turns; each round is a process of its own.
//! Nothing passes or fails here.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failure of the rig has no reader")]

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use kpol_compiler::bpf::{self, ByteOrder, Program, SeccompData};
use kpol_compiler::spec::Arch;
use kpol_tests::cbpf::Filter;
use kpol_tests::libseccomp::{Options, profile_to_bpf};
use kpol_tests::profile::Node;
use kpol_tests::skip::or_skip;

const EXAMPLES: [&str; 7] =
    ["docker-default", "kios-example", "web-server", "batch-job", "go-service", "hardened", "audit"];
const CORPUS: [&str; 3] = ["moby-default", "containers-default", "kios-example"];
const COLUMNS: [&str; 6] = ["balanced", "size", "libseccomp O1", "libseccomp O2", "seacomb", "seccompiler"];
/// Rounds of each measurement, and calls in a round.
const ROUNDS: usize = 40;
const CALLS: u32 = 20_000;

/// A policy's filters, in the order of [`COLUMNS`].
struct Row {
    name: String,
    filters: [Option<Filter>; COLUMNS.len()],
}

fn main() {
    let quick = std::env::args().any(|arg| arg == "--test");
    let rig = Rig { kpolc: kpolc(), rivals: rivals(), folder: tempfile::tempdir().unwrap() };
    let mut rows: Vec<Row> =
        EXAMPLES.iter().map(|name| rig.row(name, &root().join(format!("examples/{name}.kpol")), None)).collect();
    for name in CORPUS {
        let json = shared().join(format!("corpus/{name}.json"));
        if json.exists() {
            rows.push(rig.imported(name, &json));
        } else {
            eprintln!("SKIPPED: no {}", json.display());
        }
    }
    match fs::read_to_string(shared().join("data/weights.tsv")) {
        Ok(weights) => lengths(&rows, &weights.lines().filter_map(weight).collect::<Vec<_>>()),
        Err(_) => eprintln!("SKIPPED: no weights.tsv in {}", shared().display()),
    }
    if cfg!(target_arch = "x86_64") {
        times(&rows, if quick { 1 } else { ROUNDS });
    }
}

struct Rig {
    kpolc: PathBuf,
    rivals: Option<PathBuf>,
    folder: tempfile::TempDir,
}

impl Rig {
    fn run(&self, args: &[&str]) -> Vec<u8> {
        let output = Command::new(&self.kpolc).current_dir(&self.folder).arg("--quiet").args(args).output().unwrap();
        assert!(output.status.success(), "kpolc {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// The filters of a policy; libseccomp is given `json`, or the JSON that is built of the policy.
    fn row(&self, name: &str, policy: &Path, json: Option<String>) -> Row {
        let policy = policy.to_str().unwrap();
        let target = ["--kernel", "6.1", "--cap", "none", "--arch", "x86_64", "-o", "-"];
        let built = |more: &[&str]| self.run(&[&["build", policy], more, &target].concat());
        let ours = |goal| Filter::from_bytes(&built(&["--emit", "bpf", "--optimize", goal])).ok();
        let json = json.unwrap_or_else(|| String::from_utf8(built(&[])).unwrap());
        let theirs = |optimize| or_skip(profile_to_bpf(&json, &Node::new(Arch::X86_64), Options { optimize }))?.ok();
        // They have no words for what an entry of `json` hangs on, so they get what is left of it here.
        let settled = built(&[]);
        let [balanced, size] = ["balanced", "size"].map(ours);
        let [seacomb, seccompiler] = ["seacomb", "seccompiler"].map(|rival| self.rival(rival, &settled));
        Row { name: name.to_owned(), filters: [balanced, size, theirs(false), theirs(true), seacomb, seccompiler] }
    }

    /// What another compiler makes of a profile, if it can say it.
    fn rival(&self, name: &str, json: &[u8]) -> Option<Filter> {
        let mut child = Command::new(self.rivals.as_ref()?)
            .arg(name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(json).unwrap();
        let output = child.wait_with_output().unwrap();
        output.status.success().then(|| Filter::from_bytes(&output.stdout).ok()).flatten()
    }

    /// A profile in JSON, as it is for libseccomp and imported for us. Both make the filter of x86_64 alone.
    fn imported(&self, name: &str, json: &Path) -> Row {
        let policy = self.folder.path().join(format!("{name}.kpol"));
        fs::write(&policy, self.run(&["import", json.to_str().unwrap()])).unwrap();
        let mut profile: serde_json::Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
        profile.as_object_mut().unwrap().retain(|key, _| key != "archMap" && key != "architectures");
        self.row(&format!("{name}.json"), &policy, Some(profile.to_string()))
    }
}

fn lengths(rows: &[Row], weights: &[(u32, f64, [u64; 6])]) {
    println!("\nfilters on x86_64: instructions / executed, weighted / executed, uniform");
    println!("{:<26}{}", "", COLUMNS.map(|column| format!("{column:>24}")).concat());
    for row in rows {
        let cell = |filter: &Option<Filter>| filter.as_ref().map_or("-".to_owned(), |filter| figures(filter, weights));
        println!("{:<26}{}", row.name, row.filters.each_ref().map(|filter| format!("{:>24}", cell(filter))).concat());
    }
}

/// `instructions / weighted / uniform`.
fn figures(filter: &Filter, weights: &[(u32, f64, [u64; 6])]) -> String {
    let program = Program::from_bytes(&filter.to_bytes(), ByteOrder::Little).unwrap();
    let executed = |nr, args| {
        let data = SeccompData::from_parts(nr, Arch::X86_64.audit_token(), false, args);
        bpf::run(&program, &data).unwrap().steps
    };
    let total: f64 = weights.iter().map(|(_, weight, _)| weight).sum();
    let weighted: f64 = weights.iter().map(|&(nr, weight, args)| weight * executed(nr, args) as f64).sum();
    let uniform: f64 = (0..600).map(|nr| executed(nr, [0; 6]) as f64).sum();
    format!("{} / {:.2} / {:.2}", filter.0.len(), weighted / total, uniform / 600.0)
}

/// A line of `weights.tsv`: number, weight, arguments.
fn weight(line: &str) -> Option<(u32, f64, [u64; 6])> {
    let mut words = line.split_whitespace();
    let (nr, weight) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let mut args = [0; 6];
    for (place, word) in args.iter_mut().zip(words) {
        *place = match word.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok()?,
            None => word.parse().ok()?,
        };
    }
    Some((nr, weight, args))
}

/// Calls that do next to nothing: a wake-up of nobody, and a terminal request to a descriptor that is none.
const TIMED: [(&str, [i64; 4]); 4] = [
    ("getppid", [libc::SYS_getppid, 0, 0, 0]),
    ("personality(0xffffffff)", [libc::SYS_personality, 0xffff_ffff, 0, 0]),
    ("futex", [libc::SYS_futex, 0, 129, 0]),
    ("ioctl", [libc::SYS_ioctl, -1, 0x5401, 0]),
];

fn times(rows: &[Row], rounds: usize) {
    println!("\nns a call on this kernel, least of {rounds} rounds of {CALLS}");
    println!("{:<26}{:<26}{:>12}{}", "", "", "no filter", COLUMNS.map(|column| format!("{column:>16}")).concat());
    // These let a process end and read the clock, whatever else they refuse.
    for row in rows.iter().filter(|row| row.name.starts_with("docker") || row.name.starts_with("containers")) {
        let filters: Vec<Option<Vec<u8>>> =
            std::iter::once(None).chain(row.filters.iter().flatten().map(|filter| Some(filter.to_bytes()))).collect();
        let mut least = vec![[f64::INFINITY; TIMED.len()]; filters.len()];
        for _ in 0..rounds {
            for (least, filter) in least.iter_mut().zip(&filters) {
                for (least, took) in least.iter_mut().zip(in_child(filter.as_deref())) {
                    *least = least.min(took);
                }
            }
        }
        for (index, (call, _)) in TIMED.iter().enumerate() {
            let mut line = format!("{:<26}{call:<26}{:>12.1}", row.name, least[0][index]);
            for least in &least[1..] {
                write!(line, "{:>16.1}", least[index]).unwrap();
            }
            println!("{line}");
        }
    }
}

/// What each call of [`TIMED`] takes in a process under the filter.
fn in_child(filter: Option<&[u8]>) -> [f64; TIMED.len()] {
    const SIZE: usize = size_of::<[f64; TIMED.len()]>();
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    // SAFETY: new memory; the result is checked.
    let shared = unsafe { libc::mmap(std::ptr::null_mut(), SIZE, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
    assert_ne!(shared, libc::MAP_FAILED);
    let shared = shared.cast::<[f64; TIMED.len()]>();
    // SAFETY: this program has one thread, and the child makes system calls only.
    let child = unsafe { libc::fork() };
    if child == 0 {
        install(filter);
        let took = TIMED.map(|(_, [nr, a, b, c])| {
            let start = Instant::now();
            for _ in 0..CALLS {
                // SAFETY: none of the calls writes to memory.
                unsafe { libc::syscall(nr, a, b, c, 0, 0, 0) };
            }
            start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
        });
        // SAFETY: the mapping is large enough and aligned to a page; the process ends without a destructor.
        unsafe {
            shared.write(took);
            libc::_exit(0)
        }
    }
    let mut status = 0;
    // SAFETY: the child is ours, the status a live variable, the mapping that from above.
    unsafe {
        assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
        let took = if status == 0 { shared.read() } else { [f64::NAN; TIMED.len()] };
        libc::munmap(shared.cast(), SIZE);
        took
    }
}

fn install(filter: Option<&[u8]>) {
    let Some(bytes) = filter else { return };
    let program = libc::sock_fprog { len: (bytes.len() / 8) as u16, filter: bytes.as_ptr().cast_mut().cast() };
    // SAFETY: the program is as long as it says, and outlives the call, which copies it.
    let installed = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
    };
    if !installed {
        // SAFETY: ends this process, which the other sees by its status.
        unsafe { libc::_exit(1) }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn shared() -> PathBuf {
    std::env::var_os("KPOL_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from)
}

/// Any build will do: what it makes is the same. `KPOLC` names one; else the release build is made.
fn kpolc() -> PathBuf {
    if let Some(path) = std::env::var_os("KPOLC") {
        return path.into();
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let build = ["build", "--quiet", "--release", "--package", "kpol-compiler", "--bin", "kpolc"];
    assert!(Command::new(cargo).current_dir(root()).args(build).status().unwrap().success());
    // This program lies in target/release/deps.
    let folder = std::env::current_exe().unwrap();
    folder.ancestors().nth(2).unwrap().with_file_name("release").join("kpolc")
}

/// `tests/rivals`, which is a package of its own; `None` where it cannot be built.
fn rivals() -> Option<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = root().join("target/rivals");
    // It wants a newer Rust than it needs.
    let build = ["build", "--quiet", "--locked", "--ignore-rust-version", "--manifest-path", "tests/rivals/Cargo.toml"];
    let built = Command::new(cargo).current_dir(root()).args(build).arg("--target-dir").arg(&target).status();
    let built = built.is_ok_and(|status| status.success());
    if !built {
        eprintln!("SKIPPED: tests/rivals cannot be built");
    }
    built.then(|| target.join("debug/kpol-rivals"))
}
