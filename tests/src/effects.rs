//! Ways to bring effects about (`effects/*.c`), tried under filters on every kernel and by every ABI of it.
//!
//! ```text
//! Job { filter, tries: [("connect/", Clean)] }  →  "filter 7 …" "try connect/ clean"
//!     →  Tried { way: "connect/sendto-fastopen", calls: [sendto(4, …, 0x20000000, …) → 1], said: Came }
//! ```
//!
//! The ways are written in C, one program for each ABI, so that structures behind pointers are what the ABI takes. What
//! members of a group cover a way follows from the calls that it made: neither knows the other by name.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use kpol_compiler::spec::{Arch, Call, Nr};

use crate::cbpf::Filter;
use crate::containers::{self, Rootfs, Runtime, Seccomp};
use crate::kernel::native;
use crate::machine::{DATA, Machine, PROGRAM};
use crate::probe::HEADER;
use crate::skip::{Skip, cache_dir, need_root, program};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/effects");

/// What filters refuse with here. No call fails with it by itself.
pub const REFUSED: i64 = -4000;

/// A kernel to try ways on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The running one, without the ways that change the machine.
    Here,
    /// Debian's for x86_64.
    X86,
    /// Debian's for arm64.
    Arm64,
}

impl Place {
    /// The ABIs by which its kernel is entered.
    pub fn abis(self) -> &'static [Arch] {
        match self {
            Self::Here if cfg!(target_arch = "x86_64") => &[Arch::X86_64, Arch::X86],
            Self::Here => &[Arch::Aarch64],
            Self::X86 => &[Arch::X86_64, Arch::X86, Arch::X32],
            Self::Arm64 => &[Arch::Aarch64, Arch::Arm],
        }
    }
}

/// What lies in the upper half of registers whose values have 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Halves {
    /// What a compiler leaves there.
    Clean,
    /// Garbage; on ABIs of 64 bits alone.
    Dirty,
}

/// A filter, and the ways to try under it: a whole name, or what it begins with up to its `/`, or `all`.
#[derive(Debug, Clone)]
pub struct Job {
    /// The program to install.
    pub filter: Filter,
    /// The ways.
    pub tries: Vec<(String, Halves)>,
}

/// A call that a way made, and what it gave; `None` if it did not come back (`execve`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// As the filter sees it.
    pub call: Call,
    /// The register behind it, an errno as -errno.
    pub result: Option<i64>,
}

/// What a way says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The effect came about.
    Came,
    /// It did not.
    Absent,
    /// The way stops short of harm: the kernel's own answer to the last call is to be this errno.
    Reaches(i64),
    /// What it needs is not there.
    Lacks(String),
    /// Anything else is a mistake of the rig.
    Broken(String),
}

/// What became of a way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Its effect and its name, `connect/sendto-fastopen`.
    pub way: String,
    /// What lay in the upper halves.
    pub halves: Halves,
    /// The calls that it made under the filter.
    pub calls: Vec<Made>,
    /// What it says.
    pub said: Said,
}

impl Tried {
    /// The effect that the way is for.
    pub fn effect(&self) -> &str {
        self.way.split('/').next().unwrap_or_default()
    }

    /// Whether the filter stopped a call of it.
    pub fn was_refused(&self) -> bool {
        self.calls.iter().any(|made| made.result == Some(REFUSED))
    }

    /// Whether the kernel has no such call.
    pub fn is_unknown(&self) -> bool {
        const ENOSYS: i64 = 38;
        self.calls.iter().any(|made| made.result == Some(-ENOSYS))
    }

    /// Whether the way did what it is for: the effect came about, or the kernel's own code answered as foretold.
    pub fn worked(&self) -> bool {
        match self.said {
            Said::Came => true,
            Said::Reaches(errno) => self.calls.last().is_some_and(|made| made.result == Some(-errno)),
            _ => false,
        }
    }
}

/// What became of each way of each job, by ABI. Each ABI has jobs of its own.
///
/// # Panics
/// When the program did not come to the end of its jobs.
pub fn run(place: Place, jobs: &BTreeMap<Arch, Vec<Job>>) -> Result<BTreeMap<Arch, Vec<Vec<Tried>>>, Skip> {
    match place {
        Place::Here => run_here(jobs),
        Place::X86 => run_in(Machine::X86, Arch::X86_64, jobs),
        Place::Arm64 => run_in(Machine::Arm64, Arch::Aarch64, jobs),
    }
}

fn run_here(jobs: &BTreeMap<Arch, Vec<Job>>) -> Result<BTreeMap<Arch, Vec<Vec<Tried>>>, Skip> {
    need_root()?;
    let mut all = BTreeMap::new();
    for (&arch, jobs) in jobs {
        let tool = build(arch)?;
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), write(jobs)).expect("a temporary file");
        let output = Command::new(tool).arg(file.path()).output().map_err(|error| Skip(format!("{arch}: {error}")))?;
        let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{arch}: {:?}\n{text}{errors}", output.status);
        all.insert(arch, read(arch, jobs.len(), &text));
    }
    Ok(all)
}

fn run_in(
    machine: Machine,
    init: Arch,
    jobs: &BTreeMap<Arch, Vec<Job>>,
) -> Result<BTreeMap<Arch, Vec<Vec<Tried>>>, Skip> {
    let tool = |arch| Ok(std::fs::read(build(arch)?).expect("the program was just built"));
    let modules = machine.modules()?;
    let mut files = vec![("init".to_owned(), PROGRAM, tool(init)?)];
    files.extend(modules.into_iter().map(|(name, content)| (format!("modules/{name}"), DATA, content)));
    for (arch, jobs) in jobs {
        files.push((format!("try-{arch}"), PROGRAM, tool(*arch)?));
        files.push((format!("jobs-{arch}"), DATA, write(jobs).into_bytes()));
    }
    let files: Vec<_> = files.iter().map(|(name, mode, content)| (&**name, *mode, &**content)).collect();
    let console = machine.boot(&files)?;
    let mut all = BTreeMap::new();
    for (&arch, jobs) in jobs {
        let from = console.split_once(&format!("\nabi {arch}\r\n")).map_or(&*console, |(_, from)| from);
        all.insert(arch, read(arch, jobs.len(), from.split("\nabi ").next().unwrap_or_default()));
    }
    Ok(all)
}

/// All ways in a container, under the filter that its runtime made: as root with these capabilities, and as a user of its own with
/// none. Ways that change the machine are left to the user.
///
/// # Panics
/// When the program did not come to the end of its jobs.
pub fn run_inside(runtime: Runtime, seccomp: Seccomp<'_>, caps: &[&str]) -> Result<[Vec<Tried>; 2], Skip> {
    let arch = native()?;
    let rootfs = Rootfs::new()?;
    std::fs::copy(build(arch)?, rootfs.path().join("bin/effects")).expect("a temporary folder");
    let jobs: String = [0, 1000].iter().map(|id| format!("filter 0\nas {id}\ntry all clean\n")).collect();
    std::fs::write(rootfs.path().join("jobs"), jobs).expect("a temporary folder");
    let output = containers::run(runtime, &rootfs, seccomp, caps, &["/bin/effects", "/jobs", "here"])?;
    assert!(output.success(), "{runtime:?}: {output:?}");
    let mut all = read(arch, 2, &output.stdout).into_iter();
    Ok([(); 2].map(|()| all.next().unwrap_or_default()))
}

fn write(jobs: &[Job]) -> String {
    let mut text = String::new();
    for job in jobs {
        // Writing to a String can't fail.
        let _ = writeln!(text, "filter {}", job.filter.0.len());
        for insn in &job.filter.0 {
            let _ = writeln!(text, "{:x} {:x} {:x} {:x}", insn.code, insn.jt, insn.jf, insn.k);
        }
        for (way, halves) in &job.tries {
            let _ = writeln!(text, "try {way} {}", if *halves == Halves::Dirty { "dirty" } else { "clean" });
        }
    }
    text
}

/// The answers of one ABI. What is none of them (a line of the kernel's) is passed over; that each job is there is not.
fn read(arch: Arch, jobs: usize, text: &str) -> Vec<Vec<Tried>> {
    let mut all: Vec<Vec<Tried>> = Vec::new();
    let mut ended = false;
    for line in text.lines().map(str::trim) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let current = all.last_mut();
        match word {
            "filter" => all.push(Vec::new()),
            "way" => {
                let (way, halves) = rest.split_once(' ').unwrap_or((rest, ""));
                let halves = if halves == "dirty" { Halves::Dirty } else { Halves::Clean };
                let said = Said::Broken("the way has no end".into());
                let tried = Tried { way: way.to_owned(), halves, calls: Vec::new(), said };
                current.expect("a filter comes first").push(tried);
            }
            "call" => {
                let tried = current.and_then(|tried| tried.last_mut()).expect("a way comes first");
                tried.calls.push(made(arch, rest).unwrap_or_else(|| panic!("{arch}: {line}")));
            }
            "said" => current.and_then(|tried| tried.last_mut()).expect("a way comes first").said = said(rest),
            "end" => ended = true,
            _ => {}
        }
    }
    assert!(ended && all.len() == jobs, "{arch}: {} of {jobs} jobs were done:\n{text}", all.len());
    all
}

fn made(arch: Arch, text: &str) -> Option<Made> {
    let (numbers, result) = text.split_once(" : ")?;
    let mut numbers = numbers.split(' ').map(|number| u64::from_str_radix(number, 16).ok());
    let nr = Nr(u32::try_from(numbers.next()??).ok()?);
    let mut args = [0; 6];
    for arg in &mut args {
        *arg = numbers.next()??;
    }
    let result = if result == "gone" { None } else { Some(result.parse().ok()?) };
    Some(Made { call: Call { arch, nr, args }, result })
}

fn said(text: &str) -> Said {
    match text.split_once(' ').unwrap_or((text, "")) {
        ("came", _) => Said::Came,
        ("absent", _) => Said::Absent,
        ("reaches", errno) => errno.parse().map_or_else(|_| Said::Broken(text.to_owned()), Said::Reaches),
        ("lacks", what) => Said::Lacks(what.to_owned()),
        _ => Said::Broken(text.to_owned()),
    }
}

/// The program for an ABI, static; built when one of its files is new.
fn build(arch: Arch) -> Result<PathBuf, Skip> {
    let (compiler, extra) = match arch {
        Arch::X86_64 => ("x86_64-linux-gnu-gcc", None),
        Arch::X86 => ("i686-linux-gnu-gcc", None),
        Arch::X32 => ("x86_64-linux-gnux32-gcc", None),
        Arch::Aarch64 => ("aarch64-linux-gnu-gcc", None),
        Arch::Arm => ("arm-linux-gnueabi-gcc", Some("-marm")),
        _ => return Err(Skip(format!("no program for {arch}"))),
    };
    let compiler = program(compiler)?;
    let mut files: Vec<PathBuf> = std::fs::read_dir(FOLDER)
        .expect("a folder of the project")
        .map(|entry| entry.expect("a file").path())
        .collect();
    files.sort();
    let mut hasher = DefaultHasher::new();
    compiler.hash(&mut hasher);
    for file in files.iter().map(PathBuf::as_path).chain([Path::new(HEADER)]) {
        std::fs::read(file).expect("a file of the project").hash(&mut hasher);
    }
    let made = cache_dir().join(format!("effects-{arch}-{:016x}", hasher.finish()));
    if !made.exists() {
        let sources: Vec<_> = files.into_iter().filter(|file| file.extension().is_some_and(|end| end == "c")).collect();
        compile(&compiler, extra, &sources, &made)?;
    }
    Ok(made)
}

/// Tests run at the same time in several processes: each builds under a name of its own, the last rename wins.
fn compile(compiler: &Path, extra: Option<&str>, sources: &[PathBuf], file: &Path) -> Result<(), Skip> {
    std::fs::create_dir_all(cache_dir()).expect("a folder under target/");
    let scratch = tempfile::Builder::new().prefix("effects-").tempdir_in(cache_dir()).expect("a folder under target/");
    let made = scratch.path().join("effects");
    let output = Command::new(compiler)
        .args(["-O1", "-Wall", "-Wextra", "-static"])
        .args(extra)
        .args([Path::new("-o"), &made])
        .args(sources)
        .output()
        .map_err(|error| Skip(format!("{}: {error}", compiler.display())))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    if complaint.contains("cannot find -lc") {
        return Err(Skip(format!("{} can't link a static program: {complaint}", compiler.display())));
    }
    assert!(output.status.success() && complaint.is_empty(), "{}: {complaint}", compiler.display());
    std::fs::rename(made, file).expect("a file under target/");
    Ok(())
}
