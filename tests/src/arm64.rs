//! Filters on a real arm64 kernel, in a virtual machine.
//!
//! ```text
//! jobs ─→ { init = probe, jobs } ─→ machine ─→ console ─→ outcomes
//! ```
//!
//! The kernel also runs programs of 32 bits: [`run_on`] with `Arch::Arm` boots the same machine with a probe that makes
//! its calls through the EABI. One boot runs all jobs given to [`run`].

use kpol_compiler::spec::{Action, Arch, Call};

use crate::cbpf::Filter;
use crate::kernel::{Mismatch, compare};
use crate::machine::{DATA, Machine, PROGRAM};
use crate::probe::{Job, Outcome, build, read_outcomes, write_jobs};
use crate::skip::Skip;

/// What became of each call of each job on an arm64 kernel.
///
/// # Panics
/// When the machine did not come to the end of its jobs.
pub fn run(jobs: &[Job]) -> Result<Vec<Vec<Outcome>>, Skip> {
    run_on(Arch::Aarch64, jobs)
}

/// The same for calls of either ABI of that kernel.
///
/// # Panics
/// When the machine did not come to the end of its jobs.
pub fn run_on(arch: Arch, jobs: &[Job]) -> Result<Vec<Vec<Outcome>>, Skip> {
    let probe = std::fs::read(build(arch)?).expect("the probe was just built");
    let console = Machine::Arm64.boot(&[("init", PROGRAM, &probe), ("jobs", DATA, write_jobs(jobs).as_bytes())])?;
    Ok(read_outcomes(jobs, &console))
}

/// [`crate::kernel::mismatches`] on the arm64 kernel.
pub fn mismatches(filter: &Filter, said: &[(Call, Action)]) -> Result<Vec<Mismatch>, Skip> {
    compare(filter, said, run)
}
