//! Virtual machines with Debian's kernels, started with nothing but a kernel and a few files.
//!
//! ```text
//! { init, jobs } ─→ cpio ─→ qemu-system-… -kernel vmlinuz -initrd … ─→ console
//! ```
//!
//! A boot takes two seconds. The machine powers itself off at the end, and a panic reboots it, which ends qemu too. The
//! archive's format is `Documentation/driver-api/early-userspace/buffer-format.rst` of the kernel.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::skip::{Skip, cache_dir, program};

/// A machine that can be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// Its kernel runs programs of arm64 and of 32-bit arm.
    Arm64,
    /// Its kernel runs programs of x86_64, x32 and 32-bit x86.
    X86,
}

/// A file in the machine's root: its path, its mode and its content.
pub type File<'a> = (&'a str, u32, &'a [u8]);

/// The mode of a program.
pub const PROGRAM: u32 = 0o100_755;
/// The mode of other files.
pub const DATA: u32 = 0o100_644;

impl Machine {
    fn name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86 => "x86",
        }
    }

    /// The kernel that `tests/setup.sh` unpacks, or the one that `KPOL_ARM64_KERNEL` or `KPOL_X86_KERNEL` names.
    fn kernel_image(self) -> Result<PathBuf, Skip> {
        let name = self.name();
        let variable = format!("KPOL_{}_KERNEL", name.to_uppercase());
        let image =
            std::env::var_os(variable).map_or_else(|| cache_dir().join(format!("{name}-vmlinuz")), PathBuf::from);
        if image.is_file() {
            Ok(image)
        } else {
            Err(Skip(format!("no {name} kernel at {} (tests/setup.sh fetches it)", image.display())))
        }
    }

    /// Modules of that kernel that `tests/setup.sh` unpacks, as files of the machine; their names say in which order to
    /// load them.
    pub fn modules(self) -> Result<Vec<(String, Vec<u8>)>, Skip> {
        let folder = cache_dir().join(format!("{}-modules", self.name()));
        let entries = std::fs::read_dir(&folder)
            .map_err(|_| Skip(format!("no modules in {} (tests/setup.sh fetches them)", folder.display())))?;
        let mut files: Vec<_> = entries
            .map(|entry| {
                let path = entry.expect("a folder that can be read").path();
                let name = path.file_name().expect("a file").to_string_lossy().into_owned();
                (name, std::fs::read(&path).expect("a module"))
            })
            .collect();
        files.sort();
        Ok(files)
    }

    /// Starts the machine with these files, `init` among them, and gives what it wrote to its console.
    ///
    /// # Panics
    /// When the machine did not power itself off.
    pub fn boot(self, files: &[File<'_>]) -> Result<String, Skip> {
        let (emulator, fixed, console): (_, &[&str], _) = match self {
            Self::Arm64 => ("qemu-system-aarch64", &["-M", "virt", "-cpu", "cortex-a57"], "ttyAMA0"),
            // Emulated, although there may be KVM: one that is nested in another may hang.
            Self::X86 => ("qemu-system-x86_64", &["-M", "q35", "-accel", "tcg", "-cpu", "max"], "ttyS0"),
        };
        let qemu = program(emulator)?;
        let timeout = program("timeout")?;
        let image = self.kernel_image()?;
        let mut initrd = tempfile::NamedTempFile::new().expect("a temporary file");
        initrd.write_all(&archive(files)).expect("a temporary file");
        // x32 is built into Debian's kernel and has to be asked for.
        let append = format!("console={console} quiet loglevel=1 panic=-1 syscall.x32=y");
        let output = Command::new(timeout)
            // A safety net for a machine that hangs; nothing is measured by it.
            .args(["--kill-after=5", "600"])
            .arg(&qemu)
            .args(fixed)
            .args(["-m", "512", "-nographic", "-no-reboot", "-nodefaults", "-serial", "stdio", "-append", &append])
            .args([Path::new("-kernel"), &image, Path::new("-initrd"), initrd.path()])
            .stdin(std::process::Stdio::null())
            .output()
            .map_err(|error| Skip(format!("{}: {error}", qemu.display())))?;
        let (console, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "qemu: {:?}\n{errors}\n{console}", output.status);
        Ok(console.into_owned())
    }
}

/// A cpio archive in the "newc" format. A folder stands before what is in it, once.
fn archive(files: &[File<'_>]) -> Vec<u8> {
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
    let mut folders: Vec<&str> = files.iter().filter_map(|(name, ..)| Some(name.rsplit_once('/')?.0)).collect();
    folders.sort_unstable();
    folders.dedup();
    for (inode, folder) in folders.iter().enumerate() {
        entry(inode + 1, folder, 0o040_755, &[]);
    }
    for (inode, (name, mode, content)) in files.iter().enumerate() {
        entry(folders.len() + inode + 1, name, *mode, content);
    }
    entry(0, "TRAILER!!!", 0, &[]);
    bytes
}
