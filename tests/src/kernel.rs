//! Filters on the running kernel.
//!
//! ```text
//! run(&[Job::new(&always(Action::Errno(38)), &[getppid])])  →  [[Errno(38)]]
//! ```
//!
//! No root is needed: the probe gives up new privileges before it installs a filter.

use std::fs::Permissions;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use kpol_compiler::spec::{Action, Arch, Call};

use crate::cbpf::{Filter, assemble::always};
use crate::probe::{Job, Outcome, Watch, build, read_outcomes, write_jobs};
use crate::skip::Skip;

/// The ABI of this machine.
pub fn native() -> Result<Arch, Skip> {
    let host = std::env::consts::ARCH;
    match Arch::from_name(host) {
        Some(arch @ (Arch::X86_64 | Arch::Aarch64)) if cfg!(target_endian = "little") => Ok(arch),
        _ => Err(Skip(format!("no probe for this machine ({host})"))),
    }
}

/// What became of each call of each job.
///
/// # Panics
/// When the probe does not work.
pub fn run(jobs: &[Job]) -> Result<Vec<Vec<Outcome>>, Skip> {
    start(jobs, Command::new(build(native()?)?))
}

/// The same by a user who may do nothing, where this one may do all.
///
/// # Panics
/// When the probe does not work.
pub fn run_as_nobody(jobs: &[Job]) -> Result<Vec<Vec<Outcome>>, Skip> {
    const NOBODY: u32 = 65534;
    // The user need not see the folder that the probe was built in.
    let place = tempfile::Builder::new().permissions(Permissions::from_mode(0o755)).tempdir().expect("a folder");
    let probe = place.path().join("probe");
    std::fs::copy(build(native()?)?, &probe).expect("a file in it");
    let mut command = Command::new(&probe);
    // SAFETY: geteuid has no preconditions.
    if unsafe { libc::geteuid() } == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    start(jobs, command)
}

fn start(jobs: &[Job], mut probe: Command) -> Result<Vec<Vec<Outcome>>, Skip> {
    let mut input = tempfile::tempfile().expect("a temporary file");
    input.write_all(write_jobs(jobs).as_bytes()).expect("a temporary file");
    input.seek(SeekFrom::Start(0)).expect("a temporary file");
    let output = probe
        .stdin(Stdio::from(input))
        .output()
        .map_err(|error| Skip(format!("the probe can't be started: {error}")))?;
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "the probe failed: {:?}\n{text}{errors}", output.status);
    Ok(read_outcomes(jobs, &text))
}

/// One filter as bytes, as `kpolc build --emit bpf` writes it.
pub fn run_under_filter(bpf: &[u8], flags: u32, calls: &[Call]) -> Result<Vec<Outcome>, Skip> {
    let filter = Filter::from_bytes(bpf).expect("an array of instructions");
    let job = Job { flags, ..Job::new(&filter, calls) };
    Ok(run(&[job])?.remove(0))
}

/// A call that did not meet the action that was said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Mismatch {
    pub call: Call,
    pub said: Action,
    pub unfiltered: Outcome,
    pub seen: Outcome,
}

/// Makes each call with and without the filter, and gives those that did not meet the action said of them.
pub fn mismatches(filter: &Filter, said: &[(Call, Action)]) -> Result<Vec<Mismatch>, Skip> {
    compare(filter, said, run)
}

/// [`mismatches`] on the kernel that `run` reaches.
pub fn compare(
    filter: &Filter,
    said: &[(Call, Action)],
    run: impl Fn(&[Job]) -> Result<Vec<Vec<Outcome>>, Skip>,
) -> Result<Vec<Mismatch>, Skip> {
    let calls: Vec<Call> = said.iter().map(|(call, _)| *call).collect();
    let outcomes = run(&[Job::new(&always(Action::Allow), &calls), Job::new(filter, &calls)])?;
    let mismatch = |(((call, said), unfiltered), seen): (((&Call, Action), &Outcome), &Outcome)| {
        (!seen.is_of(said, Watch::Nobody, *unfiltered)).then_some(Mismatch {
            call: *call,
            said,
            unfiltered: *unfiltered,
            seen: *seen,
        })
    };
    Ok(said
        .iter()
        .map(|(call, action)| (call, *action))
        .zip(&outcomes[0])
        .zip(&outcomes[1])
        .filter_map(mismatch)
        .collect())
}
