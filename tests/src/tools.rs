//! Programs of others that a test runs as a user would: where they are, or why they are not.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::skip::{Skip, cache_dir, program};

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_owned)
}

/// A program of a Python package: of those that `tests/setup.sh` installs, else on the PATH.
pub fn python(name: &str) -> Result<PathBuf, Skip> {
    let own = cache_dir().join("python/bin").join(name);
    // Not what it links to: by its own path Python finds the packages beside it.
    if own.is_file() { std::path::absolute(own).map_err(|error| Skip(error.to_string())) } else { program(name) }
}

/// Node: the one that comes with what drives VS Code, since Debian 12's is older than what drives a browser; else the one on the PATH.
pub fn node() -> Result<PathBuf, Skip> {
    let own = cache_dir().join("vscode/bin/node");
    if own.is_file() { own.canonicalize().map_err(|error| Skip(error.to_string())) } else { program("node") }
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
