//! What becomes of a product that does not mean its policy: `kpolc` with a writer that makes mistakes, as a process.
//!
//! ```text
//! a filter that says `log` where the policy says `allow`  →  E099 with a call, status 101, no file touched
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use clap::Parser as _;
use kpol_compiler::driver::Writer;
use kpol_compiler::{bpf, diagram, oci, policy};

use crate::{Cli, kpolc};

/// Makes JSON and filters as kpolc does, with one mistake in each.
struct Careless;

impl Writer for Careless {
    fn json(
        &self,
        store: &mut diagram::Store,
        policy: &policy::Policy,
        target: &oci::Target,
    ) -> Result<oci::Draft, Vec<oci::WriteError>> {
        let mut draft = oci::draft(store, policy, target)?;
        // AF_UNIX becomes AF_INET.
        let wrong = draft.json.replace("\"valueTwo\": 1", "\"valueTwo\": 2");
        assert_ne!(wrong, draft.json, "the mistake is made");
        draft.json = wrong;
        Ok(draft)
    }

    fn bpf(
        &self,
        store: &mut diagram::Store,
        policy: &policy::Policy,
        aim: &bpf::Aim,
    ) -> Result<bpf::Program, bpf::WriteError> {
        let mut program = bpf::write(store, policy, aim)?;
        let wrong = |insn: &&mut bpf::Insn| insn.code == bpf::op::RET_K && insn.k == 0x7fff_0000;
        program.0.iter_mut().filter(wrong).for_each(|insn| insn.k = 0x7ffc_0000);
        Ok(program)
    }
}

/// Arguments of the process that a test starts, one a line.
const ARGUMENTS: &str = "KPOLC_CARELESS";

#[test]
#[ignore = "this is the process that the tests below start"]
fn careless_kpolc() {
    let arguments = std::env::var(ARGUMENTS).expect("started by a test");
    let cli = Cli::parse_from(arguments.lines());
    std::process::exit(kpolc(&cli, &Careless).code().into());
}

fn careless(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "disproved::careless_kpolc", "--ignored", "--nocapture"])
        .env(ARGUMENTS, [&["kpolc"], arguments].concat().join("\n"))
        .env("NO_COLOR", "1")
        .current_dir(folder)
        .output()
        .unwrap()
}

const POLICY: &str = "arch x86_64\ndefault deny\nallow { @default, socket(family == AF_UNIX) }\n";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("web.kpol"), POLICY).unwrap();
    fs::write(folder.path().join("web.json"), "old").unwrap();
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn nothing_is_written() {
    // As the filter's mistake is in its `ret`, the first call that is allowed shows it.
    let json = "socket(family = AF_UNIX (1), …) on x86_64 should get `allow`, and gets `deny(EPERM)`";
    let bpf = "mmap on x86_64 should get `allow`, and gets `log`";
    for (arguments, witnesses) in [
        (vec!["build", "web.kpol"], vec![json]),
        (vec!["build", "web.kpol", "--emit", "bpf"], vec![bpf]),
        (vec!["build", "web.kpol", "--emit", "json,bpf", "-o", "out/"], vec![json, bpf]),
        (vec!["build", "web.kpol", "-o", "-"], vec![json]),
        (vec!["build", ".", "--install=out"], vec![json]),
        (vec!["build", "web.kpol", "--check"], vec![json]),
    ] {
        let folder = folder();
        let output = careless(folder.path(), &arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(101), "{arguments:?}: {said}");
        for witness in witnesses {
            assert!(said.contains("E099") && said.contains(witness), "{arguments:?}: {said}");
        }
        assert!(!String::from_utf8_lossy(&output.stdout).contains("SCMP_"), "{arguments:?} hands something out");
        assert_eq!(names(folder.path()), ["web.json", "web.kpol"], "{arguments:?}");
        assert_eq!(fs::read_to_string(folder.path().join("web.json")).unwrap(), "old", "{arguments:?}");
    }
}

/// One bad product among many: none of them is written.
#[test]
fn nor_is_what_would_have_been_right() {
    let folder = folder();
    // Nothing in it that the mistake would touch: it has no `valueTwo` of 1 and would be right.
    fs::write(folder.path().join("other.kpol"), POLICY.replace("AF_UNIX", "AF_UNIX, type == 7")).unwrap();
    let output = careless(folder.path(), &["build", ".", "--emit", "json,bpf"]);
    assert_eq!(output.status.code(), Some(101), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(names(folder.path()), ["other.kpol", "web.json", "web.kpol"]);
    assert_eq!(fs::read_to_string(folder.path().join("web.json")).unwrap(), "old");
}

/// No command is started under a filter that is not proven.
#[test]
fn nothing_runs() {
    let folder = folder();
    fs::write(folder.path().join("web.kpol"), "default allow\ndeny { swapon }\n").unwrap();
    let output = careless(folder.path(), &["run", "web.kpol", "--", "touch", "ran"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(101), "{said}");
    assert!(said.contains("E099"), "{said}");
    assert_eq!(names(folder.path()), ["web.json", "web.kpol"]);
}
