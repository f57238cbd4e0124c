//! Programs of ours and of others that a test runs as a user would: where they are, or why they are not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use crate::skip::{Skip, cache_dir, program};

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_owned)
}

/// A program of a Python package: of those that `tests/setup.sh` installs, else on the PATH.
pub fn python(name: &str) -> Result<PathBuf, Skip> {
    let own = cache_dir().join("python/bin").join(name);
    if own.is_file() { own.canonicalize().map_err(|error| Skip(error.to_string())) } else { program(name) }
}

/// A program of a crate: of those that `tests/setup.sh` installs, else on the PATH.
pub fn crates(name: &str) -> Result<PathBuf, Skip> {
    let own = cache_dir().join("cargo/bin").join(name);
    if own.is_file() { own.canonicalize().map_err(|error| Skip(error.to_string())) } else { program(name) }
}

/// Sets up a Cargo that builds for a release, without what only makes that fast, into a folder of its own: what is tried are the
/// steps of a build, and the result. [`like_packages`] makes what is built like this share its dependencies with the packages.
pub fn quick_release(command: &mut Command) -> &mut Command {
    for (name, value) in [("LTO", "off"), ("OPT_LEVEL", "0"), ("CODEGEN_UNITS", "64")] {
        command.env(format!("CARGO_PROFILE_RELEASE_{name}"), value);
    }
    // This run's own Cargo must not be asked for its folders and flags.
    for name in ["CARGO", "CARGO_MANIFEST_DIR", "RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        command.env_remove(name);
    }
    command.env("CARGO_TARGET_DIR", cache_dir().join("release"))
}

/// Builds with the flags of `packaging/build`, which sets them itself.
pub fn like_packages(command: &mut Command) -> &mut Command {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    command.env("CARGO_BUILD_TARGET", target).env("RUSTFLAGS", "-C target-feature=+crt-static")
}

/// When the newest file below a folder was written.
fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let times =
        entries.filter_map(|path| if path.is_dir() { newest(&path) } else { path.metadata().ok()?.modified().ok() });
    times.max()
}

/// `kpolc` of this workspace: the one that was built with this test, made anew if its source is newer.
///
/// # Panics
/// If it cannot be built.
pub fn kpolc() -> PathBuf {
    let root = workspace();
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.ancestors().nth(2)?.join("kpolc")));
    let built = beside.as_ref().and_then(|file| file.metadata().ok()?.modified().ok());
    let source = ["compiler", "grammar"].iter().filter_map(|name| newest(&root.join(name).join("src"))).max();
    match beside {
        Some(beside) if built > source => beside,
        _ => {
            let status = Command::new(env!("CARGO"))
                .args(["build", "-q", "--locked", "-p", "kpol-compiler", "--bin", "kpolc"])
                .current_dir(&root)
                .status();
            assert!(status.is_ok_and(|status| status.success()), "kpolc is not built");
            cache_dir().with_file_name("debug").join("kpolc")
        }
    }
}
