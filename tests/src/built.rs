//! Programs of this workspace, as they are now.
//!
//! ```text
//! built::program("kpolc")      target/debug/kpolc, if it is as new as its source; else it is built first
//! ```
//!
//! `cargo test --workspace` has built them already; a test that is run by itself has not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// When the newest file below a folder was written.
fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = fs::read_dir(folder).ok()?.map(|entry| entry.unwrap().path());
    let times =
        entries.filter_map(|path| if path.is_dir() { newest(&path) } else { path.metadata().ok()?.modified().ok() });
    times.max()
}

/// `kpolc` or `kpol-lsp`: the one that was built with this test, if it is as new as its source, or a new one.
///
/// # Panics
/// If it can't be built.
pub fn program(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let (package, sources): (&str, &[&str]) = match name {
        "kpolc" => ("kpol-compiler", &["compiler", "grammar"]),
        _ => ("kpol-lsp", &["compiler", "grammar", "lsp"]),
    };
    let folder = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned();
    let beside = folder.join(name);
    let source = sources.iter().filter_map(|name| newest(&root.join(name).join("src"))).max();
    if beside.metadata().ok().and_then(|file| file.modified().ok()) <= source {
        let mut build = Command::new(env!("CARGO"));
        build
            .args(["build", "-q", "--locked", "-p", package, "--bin", name, "--manifest-path"])
            .arg(root.join("Cargo.toml"));
        if folder.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "{name} can't be built");
    }
    beside
}
