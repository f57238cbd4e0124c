//! The programs of this workspace, for tests that start them as a user would.
//!
//! ```text
//! binary("kpol-lsp")  →  target/debug/kpol-lsp, as new as its source
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
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
/// When it does not build.
pub fn binary(name: &str) -> PathBuf {
    // Two tests of one process need not build it twice.
    static BUILDING: Mutex<()> = Mutex::new(());
    let _one = BUILDING.lock();
    let (package, folders) = match name {
        "kpolc" => ("kpol-compiler", &["compiler", "grammar"][..]),
        "kpol-lsp" => ("kpol-lsp", &["lsp", "compiler", "grammar"][..]),
        other => panic!("no program `{other}`"),
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folder = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned();
    let beside = folder.join(name);
    let source = folders.iter().filter_map(|name| newest(&root.join(name).join("src"))).max();
    let built = beside.metadata().ok().and_then(|file| file.modified().ok());
    if built <= source {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "-q", "--locked", "-p", package, "--bin", name, "--manifest-path"]);
        cargo.arg(root.join("Cargo.toml"));
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        let output = cargo.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    beside
}
