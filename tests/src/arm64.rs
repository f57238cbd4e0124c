//! Filters on a real arm64 kernel, in a virtual machine.
//!
//! ```text
//! jobs ─→ cpio { init = probe, jobs } ─→ qemu-system-aarch64 -kernel vmlinuz -initrd … ─→ console ─→ outcomes
//! ```
//!
//! The kernel also runs programs of 32 bits: [`run_on`] with `Arch::Arm` boots the same machine with a probe that makes
//! its calls through the EABI.
//!
//! One boot takes about two seconds and runs all jobs given to [`run`]. The machine powers itself off at the end, and
//! a panic reboots it, which ends qemu too. The archive's format is
//! `Documentation/driver-api/early-userspace/buffer-format.rst` of the kernel.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use kpol_compiler::spec::{Action, Arch, Call};

use crate::cbpf::Filter;
use crate::kernel::{Mismatch, compare};
use crate::probe::{Job, Outcome, build, read_outcomes, write_jobs};
use crate::skip::{Skip, cache_dir, program};

/// The kernel that `tests/setup.sh` unpacks, or the one that `KPOL_ARM64_KERNEL` names.
fn kernel_image() -> Result<PathBuf, Skip> {
    let image = std::env::var_os("KPOL_ARM64_KERNEL").map_or_else(|| cache_dir().join("arm64-vmlinuz"), PathBuf::from);
    if image.is_file() {
        Ok(image)
    } else {
        Err(Skip(format!("no arm64 kernel at {} (tests/setup.sh fetches it)", image.display())))
    }
}

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
    let qemu = program("qemu-system-aarch64")?;
    let timeout = program("timeout")?;
    let image = kernel_image()?;
    let probe = std::fs::read(build(arch)?).expect("the probe was just built");
    let mut initrd = tempfile::NamedTempFile::new().expect("a temporary file");
    let archive = archive(&[("init", 0o100_755, &probe), ("jobs", 0o100_644, write_jobs(jobs).as_bytes())]);
    initrd.write_all(&archive).expect("a temporary file");
    let console = boot(&timeout, &qemu, &image, initrd.path())?;
    Ok(read_outcomes(jobs, &console))
}

fn boot(timeout: &Path, qemu: &Path, image: &Path, initrd: &Path) -> Result<String, Skip> {
    let output = Command::new(timeout)
        // A safety net for a machine that hangs; nothing is measured by it.
        .args(["--kill-after=5", "600"])
        .arg(qemu)
        .args(["-M", "virt", "-cpu", "cortex-a57", "-m", "512", "-nographic", "-no-reboot", "-nodefaults"])
        .args(["-serial", "stdio", "-append", "console=ttyAMA0 quiet loglevel=1 panic=-1"])
        .args([Path::new("-kernel"), image, Path::new("-initrd"), initrd])
        .stdin(std::process::Stdio::null())
        .output()
        .map_err(|error| Skip(format!("{}: {error}", qemu.display())))?;
    let (console, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "qemu: {:?}\n{errors}\n{console}", output.status);
    Ok(console.into_owned())
}

/// [`crate::kernel::mismatches`] on the arm64 kernel.
pub fn mismatches(filter: &Filter, said: &[(Call, Action)]) -> Result<Vec<Mismatch>, Skip> {
    compare(filter, said, run)
}

/// A cpio archive in the "newc" format, every file in its root.
fn archive(files: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut entry = |inode: usize, name: &str, mode: u32, content: &[u8]| {
        let mut header = String::from("070701");
        let fields = [inode, mode as usize, 0, 0, 1, 0, content.len(), 0, 0, 0, 0, name.len() + 1, 0];
        for field in fields {
            header.push_str(&format!("{field:08X}"));
        }
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    };
    for (inode, (name, mode, content)) in files.iter().enumerate() {
        entry(inode + 1, name, *mode, content);
    }
    entry(0, "TRAILER!!!", 0, &[]);
    bytes
}
