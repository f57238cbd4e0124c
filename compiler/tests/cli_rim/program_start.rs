//! `<base/program-start>` is what a C program needs to start and to end, and not a call more.
//!
//! A small program, for glibc and musl, static and dynamic, runs under the base and `execve`; all else kills. Then each call is
//! taken away, and one of the programs no longer comes to its end. A line of the base with a comment is about other ABIs,
//! releases or circumstances.

use std::path::PathBuf;

use kpol_compiler::library;
use kpol_grammar::ast::{PatternKind, StatementKind};

use super::*;

const POLICY: &str = "default kill\narch x86_64\ninclude <base/program-start>\nallow { execve }\n";

/// The program by every C library and linker that is here.
fn programs(folder: &Path) -> Vec<PathBuf> {
    fs::write(folder.join("hello.c"), include_str!("hello.c")).unwrap();
    let mut made = Vec::new();
    for (compiler, link) in [("gcc", "-static"), ("gcc", "-O1"), ("musl-gcc", "-static"), ("musl-gcc", "-O1")] {
        let program = folder.join(format!("hello-{}", made.len()));
        let built = Command::new(compiler).args(["-O1", link, "-o"]).arg(&program).arg(folder.join("hello.c")).status();
        match built {
            Ok(status) if status.success() => made.push(program),
            _ => eprintln!("SKIPPED: no {compiler} {link}"),
        }
    }
    made
}

/// Whether the program came to its end under the policy: with output to a pipe, to a file, and by `abort`.
fn ends(folder: &Path, policy: &str, program: &Path) -> bool {
    fs::write(folder.join("p.kpol"), policy).unwrap();
    let run = |words: &[&str]| {
        let mut command = command(folder, &["run", "-q", "--allow", "all", "p.kpol", "--"]);
        command.arg(program).args(words).arg("hello.c");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A program that was killed does not read it.
        let _ = child.stdin.take().unwrap().write_all(b"ab");
        let output = child.wait_with_output().unwrap();
        let aborted = output.status.signal() == Some(libc::SIGABRT);
        (String::from_utf8_lossy(&output.stdout).contains("started"), output.status.success() || aborted)
    };
    let file = {
        let mut command = command(folder, &["run", "-q", "--allow", "all", "p.kpol", "--"]);
        let input = fs::File::open(folder.join("hello.c")).unwrap();
        let out = fs::File::create(folder.join("out")).unwrap();
        command.arg(program).arg("hello.c").stdin(input).stdout(out).stderr(Stdio::null()).status().unwrap().success()
    };
    file && run(&[]) == (true, true) && run(&["abort"]).1
}

#[test]
fn a_program_starts_and_ends_under_its_base_and_needs_each_call_of_it() {
    if !cfg!(target_arch = "x86_64") {
        eprintln!("SKIPPED: the calls of another ABI are others");
        return;
    }
    let dir = folder(&[]);
    let programs = programs(dir.path());
    for program in &programs {
        assert!(ends(dir.path(), POLICY, program), "{}", program.display());
    }
    if programs.len() < 4 {
        return;
    }
    let text = library::get("base/program-start").unwrap().text;
    let (tree, _) = kpol_grammar::parse(text);
    let mut superfluous = Vec::new();
    for statement in &tree.statements {
        let StatementKind::Rule { patterns, .. } = &statement.kind else { continue };
        for pattern in patterns {
            let PatternKind::Call { name, .. } = &pattern.kind else { continue };
            let line = text[name.span.start as usize..].lines().next().unwrap();
            let without = format!("{POLICY}override kill {{ {} }}\n", name.text);
            if !line.contains(" // ") && programs.iter().all(|program| ends(dir.path(), &without, program)) {
                superfluous.push(name.text.clone());
            }
        }
    }
    assert_eq!(superfluous, Vec::<String>::new(), "no program needs these");
}
