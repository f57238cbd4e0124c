//! The extension for VS Code: its own checks, the package, and a session at the desk in a real VS Code in a browser.
//!
//! All of it is one script, `editors/vscode/scripts/check`, that anybody can run. Here it is given the programs that were
//! built with this test, and what it fetches must be there already.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kpol_tests::binaries::binary;
use kpol_tests::skip::{Skip, cache_dir, or_skip, program};

fn extension() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../editors/vscode")
}

/// What the script needs, if it is all there.
fn needed() -> Result<(), Skip> {
    program("npm")?;
    program("chromium")?;
    let fetched = [cache_dir().join("vscode/stamp"), extension().join("node_modules/.kpol-lock")];
    if fetched.iter().all(|file| file.is_file()) {
        Ok(())
    } else {
        Err(Skip("no VS Code (editors/vscode/scripts/setup fetches it, and tests/setup.sh runs that)".to_owned()))
    }
}

#[test]
fn a_person_at_the_desk_finds_what_the_extension_promises() {
    let Some(()) = or_skip(needed()) else { return };
    let programs = binary("kpolc").parent().unwrap().to_owned();
    binary("kpol-lsp");
    // `timeout` so that an editor that hangs is no test that hangs.
    let output = Command::new("timeout")
        .args(["-k", "5", "900"])
        .arg(extension().join("scripts/check"))
        .env("KPOL_PROGRAMS", programs)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    match output.status.code() {
        Some(3) => drop(or_skip::<()>(Err(Skip(said.lines().last().unwrap_or_default().to_owned())))),
        _ => assert!(output.status.success(), "{}\n{said}", output.status),
    }
}
