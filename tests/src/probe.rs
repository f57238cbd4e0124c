//! The probe (`probe/probe.c`): built for a machine, told what to do, its answers read.
//!
//! ```text
//! Job { filter: always(deny 38), calls: [getppid] }  →  "filter 0 none 1 …"  →  "errno 38"  →  Errno(38)
//! ```

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use kpol_compiler::spec::{Action, Arch, Call};

use crate::cbpf::Filter;
use crate::skip::{Skip, cache_dir, program};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/probe/probe.c");
/// What it has in common with the program of the effects.
pub(crate) const HEADER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/probe/kernel.h");

/// Who else looks on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Watch {
    /// Nobody: `trace` and `notify` give ENOSYS.
    #[default]
    Nobody,
    /// A listener on the filter's notification descriptor.
    Listener,
    /// A ptrace tracer.
    Tracer,
    /// A listener that answers that the call may run.
    LetsListener,
    /// A ptrace tracer that lets the call run.
    LetsTracer,
}

/// A filter and the calls to make under it, each in a fresh process.
#[derive(Debug, Clone)]
pub struct Job {
    /// The program to install.
    pub filter: Filter,
    /// `SECCOMP_FILTER_FLAG_…` for `seccomp(2)`.
    pub flags: u32,
    /// Who else looks on.
    pub watch: Watch,
    /// The calls. Choose harmless ones: what the filter allows is really done, and one that blocks ends as `Hung`.
    pub calls: Vec<Call>,
}

impl Job {
    /// A job without flags that nobody watches.
    pub fn new(filter: &Filter, calls: &[Call]) -> Self {
        Self { filter: filter.clone(), flags: 0, watch: Watch::Nobody, calls: calls.to_vec() }
    }
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It came back with this value.
    Returned(i64),
    /// It came back with -1 and this errno; from the filter or from the kernel's own code, which nobody can tell.
    Errno(u16),
    /// The process ended with SIGSYS.
    ProcessKilled,
    /// The thread ended and the process lived on (the call `exit` looks the same).
    ThreadKilled,
    /// A SIGSYS handler ran and found this in `si_errno`.
    Trapped(u16),
    /// The tracer was asked, with this as event message.
    Traced(u16),
    /// The listener was asked.
    Notified,
    /// The call ended the process regularly.
    Exited(i32),
    /// The process ended by another signal.
    Died(i32),
    /// The call was still not over when the probe lost patience.
    Hung,
    /// The kernel refused the filter with this errno.
    NotInstalled(u16),
}

impl Outcome {
    fn parse(line: &str) -> Option<Self> {
        let (word, value) = line.split_once(' ').unwrap_or((line, "0"));
        let value: i64 = value.trim().parse().ok()?;
        let data = u16::try_from(value).ok();
        Some(match word {
            "returned" => Self::Returned(value),
            "errno" => Self::Errno(data?),
            "process-killed" => Self::ProcessKilled,
            "thread-killed" => Self::ThreadKilled,
            "trapped" => Self::Trapped(data?),
            "traced" => Self::Traced(data?),
            "notified" => Self::Notified,
            "exited" => Self::Exited(value as i32),
            "died" => Self::Died(value as i32),
            "hung" => Self::Hung,
            "not-installed" => Self::NotInstalled(data?),
            _ => return None,
        })
    }

    /// Whether this is what `action` does when `watch` looks on. `unfiltered` is what the same call gives when it is
    /// allowed; where that equals what the filter would give, the answer says nothing, so choose the calls with care.
    pub fn is_of(self, action: Action, watch: Watch, unfiltered: Self) -> bool {
        const ENOSYS: u16 = 38;
        self == match (action, watch) {
            (Action::Allow | Action::Log, _) => unfiltered,
            (Action::Trace(_), Watch::LetsTracer) | (Action::Notify, Watch::LetsListener) => unfiltered,
            (Action::Errno(0), _) => Self::Returned(0),
            (Action::Errno(errno), _) => Self::Errno(errno.min(Action::MAX_ERRNO)),
            (Action::KillProcess, _) => Self::ProcessKilled,
            (Action::KillThread, _) => Self::ThreadKilled,
            (Action::Trap(data), _) => Self::Trapped(data),
            (Action::Trace(data), Watch::Tracer) => Self::Traced(data),
            (Action::Notify, Watch::Listener) => Self::Notified,
            (Action::Trace(_) | Action::Notify, _) => Self::Errno(ENOSYS),
        }
    }
}

/// The probe's input for jobs that all belong to one probe.
pub(crate) fn write_jobs(jobs: &[Job]) -> String {
    let mut text = String::new();
    for job in jobs {
        let watch = match job.watch {
            Watch::Nobody => "none",
            Watch::Listener => "listener",
            Watch::Tracer => "tracer",
            Watch::LetsListener => "lets-listener",
            Watch::LetsTracer => "lets-tracer",
        };
        // Writing to a String can't fail.
        let _ = writeln!(text, "filter {:x} {watch} {}", job.flags, job.filter.0.len());
        for insn in &job.filter.0 {
            let _ = writeln!(text, "{:x} {:x} {:x} {:x}", insn.code, insn.jt, insn.jf, insn.k);
        }
        for call in &job.calls {
            let entry = if call.arch == Arch::X86 { "int80" } else { "native" };
            let _ = write!(text, "call {entry} {:x}", call.nr.0);
            for arg in call.args {
                let _ = write!(text, " {arg:x}");
            }
            text.push('\n');
        }
    }
    text
}

/// The probe's output for those jobs.
///
/// # Panics
/// When the probe did not answer every call: then the rig is broken, and no test may pass over that.
pub(crate) fn read_outcomes(jobs: &[Job], output: &str) -> Vec<Vec<Outcome>> {
    let mut lines = output.lines().map(str::trim).filter_map(Outcome::parse);
    let outcomes = jobs
        .iter()
        .map(|job| {
            let of_job: Vec<_> = lines.by_ref().take(job.calls.len()).collect();
            assert_eq!(of_job.len(), job.calls.len(), "the probe stopped early:\n{output}");
            of_job
        })
        .collect();
    assert!(lines.next().is_none(), "the probe said more than it was asked:\n{output}");
    assert!(output.lines().any(|line| line.trim() == "end"), "the probe did not reach its end:\n{output}");
    outcomes
}

/// The probe for a machine, as a static program; built when its source is new.
pub fn build(arch: Arch) -> Result<PathBuf, Skip> {
    let host = std::env::consts::ARCH;
    let (compiler, extra) = match arch {
        _ if arch.name() == host => (program("cc"), None),
        Arch::Aarch64 => (program("aarch64-linux-gnu-gcc"), None),
        Arch::Arm => (program("arm-linux-gnueabi-gcc").or_else(|_| program("arm-linux-gnueabihf-gcc")), Some("-marm")),
        _ => (Err(Skip(format!("no probe for {arch}"))), None),
    };
    let compiler = compiler?;
    let source = std::fs::read(SOURCE).expect("probe.c is part of the project");
    let mut hasher = DefaultHasher::new();
    let header = std::fs::read(HEADER).expect("kernel.h is part of the project");
    (&source, &header, &compiler).hash(&mut hasher);
    let file = cache_dir().join(format!("probe-{arch}-{:016x}", hasher.finish()));
    if !file.exists() {
        compile(&compiler, extra, &file)?;
    }
    Ok(file)
}

/// Tests run at the same time in several processes: each builds under a name of its own, the last rename wins.
fn compile(compiler: &Path, extra: Option<&str>, file: &Path) -> Result<(), Skip> {
    std::fs::create_dir_all(cache_dir()).expect("a folder under target/");
    let scratch = tempfile::Builder::new().prefix("probe-").tempdir_in(cache_dir()).expect("a folder under target/");
    let made = scratch.path().join("probe");
    let output = Command::new(compiler)
        .args(["-O1", "-Wall", "-Wextra", "-static"])
        .args(extra)
        .args([Path::new("-o"), &made, Path::new(SOURCE)])
        .output()
        .map_err(|error| Skip(format!("{}: {error}", compiler.display())))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(Skip(format!("{} can't link a static program: {why}", compiler.display())));
    }
    std::fs::rename(made, file).expect("a file under target/");
    Ok(())
}
