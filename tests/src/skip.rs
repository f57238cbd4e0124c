//! What a test does where the machine lacks something: it says so, loudly, and passes.
//!
//! ```text
//! let Some(outcomes) = or_skip(kernel::run(&filter, 0, &calls)) else { return };
//! ```
//!
//! With `KPOL_NO_SKIP` set a skip is a failure instead, for machines that are meant to have everything.

use std::fmt;
use std::io::Write as _;
use std::path::PathBuf;

/// Why something can't run here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip(pub String);

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The value, or `None` after the reason was told.
///
/// # Panics
/// Instead of skipping, when `KPOL_NO_SKIP` is set.
pub fn or_skip<T>(result: Result<T, Skip>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(Skip(why)) => {
            assert!(std::env::var_os("KPOL_NO_SKIP").is_none(), "can't run here: {why}");
            let thread = std::thread::current();
            // Not `eprintln!`: the test harness keeps what passing tests print to itself.
            let _ = writeln!(std::io::stderr(), "SKIPPED: {}: {why}", thread.name().unwrap_or("test"));
            None
        }
    }
}

/// Where `tests/setup.sh` and the rigs keep what they fetch and build: `target/kpol-tests`.
pub fn cache_dir() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target")), PathBuf::from);
    target.join("kpol-tests")
}

/// The folder with profiles of others, outside the project: `KPOL_SHARED`, else `../shared` beside the workspace.
pub fn shared_dir() -> Result<PathBuf, Skip> {
    let dir = std::env::var_os("KPOL_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")), PathBuf::from);
    if dir.is_dir() { Ok(dir) } else { Err(Skip(format!("no {} (set KPOL_SHARED)", dir.display()))) }
}

/// The path of a program, if it is installed.
pub fn program(name: &str) -> Result<PathBuf, Skip> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
        .ok_or_else(|| Skip(format!("no `{name}` installed (tests/setup.sh does that)")))
}

/// Fine for root, a skip for everybody else.
pub fn need_root() -> Result<(), Skip> {
    // SAFETY: geteuid takes nothing and can't fail.
    if unsafe { libc::geteuid() } == 0 { Ok(()) } else { Err(Skip("needs root".into())) }
}
