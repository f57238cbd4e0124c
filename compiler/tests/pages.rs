//! The pages of the codes are true: every example gives exactly its code, every mended one nothing at all, and the
//! block behind the example is what kpolc really says. `UPDATE=1` writes those blocks.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::path::Path;

use kpol_compiler::diagnostic::explain::{Example, Expect, examples};
use kpol_compiler::diagnostic::{Code, Diagnostic, Severity};
use kpol_compiler::driver::{Format, Options, build, check};
use kpol_compiler::source::Sources;
use kpol_compiler::source::memory::Memory;
use kpol_compiler::source::project::{Levels, libseccomp_version, load};
use kpol_compiler::spec::Arch;
use kpol_compiler::tables::capability;

/// Codes whose stage is not there yet, or still adds noise. INVARIANT: empty in a release.
const WAITING: &[Code] = &[];

/// What an example gives.
fn outcome(example: &Example) -> Vec<Diagnostic> {
    // No leading folder: paths in messages are then as short as on the page.
    let mut memory = Memory::default();
    for (name, text) in &example.files {
        memory.insert(name, text.as_bytes());
    }
    let mut options = Options::default();
    let mut formats = Vec::new();
    let mut args = example.args.iter().map(String::as_str);
    while let Some(arg) = args.next() {
        let value = args.next().unwrap();
        match arg {
            "--emit" if value == "json" => formats.push(Format::Json),
            "--emit" if value == "bpf" => formats.push(Format::Bpf),
            "--runtime" => options.runtimes.push(value.parse().unwrap()),
            "--libseccomp" => options.libseccomp = libseccomp_version(value),
            "--arch" => options.archs = Some(value.split(',').map(|name| Arch::from_name(name).unwrap()).collect()),
            "--cap" => options.caps = Some(value.split(',').filter_map(capability).collect()),
            "--kernel" => options.kernel = Some(value.parse().unwrap()),
            _ => panic!("what is `{arg} {value}`?"),
        }
    }
    let mut levels = Levels::default();
    let mut found = Vec::new();
    if example.files.iter().any(|(name, _)| name == "kpol.toml") {
        let (project, mistakes) = load(&memory, Path::new("kpol.toml"), &mut Sources::default());
        found.extend(mistakes);
        project.complete(&mut options);
        levels = project.lints;
    }
    let main = Path::new("main.kpol");
    let mut checked = if formats.is_empty() {
        check(&memory, main, &options, &[Format::Json])
    } else {
        build(&memory, main, &options, &formats).0
    };
    levels.apply(&mut checked.diagnostics);
    found.extend(checked.diagnostics);
    found
}

/// A finding as a page shows it: without the drawing.
fn said(diagnostic: &Diagnostic) -> String {
    let word = if diagnostic.severity == Severity::Error { "error" } else { "warning" };
    let mut text = format!("{word}[{}]: {}\n", diagnostic.code.as_str(), diagnostic.message);
    for note in &diagnostic.notes {
        text.push_str(&format!("  note: {note}\n"));
    }
    if let Some(help) = &diagnostic.help {
        text.push_str(&format!("  help: {help}\n"));
    }
    text
}

/// The first block of text on a page: what kpolc says.
fn told(page: &str) -> std::ops::Range<usize> {
    const FENCE: &str = "```text\n";
    let start = page.find(FENCE).unwrap() + FENCE.len();
    start..start + page[start..].find("```").unwrap()
}

#[test]
fn every_page_is_true() {
    let mut wrong = String::new();
    for &code in Code::ALL.iter().filter(|code| !WAITING.contains(code)) {
        for example in examples(code).unwrap() {
            let found = outcome(&example);
            let codes: BTreeSet<_> = found.iter().map(|diagnostic| diagnostic.code).collect();
            let expected = match example.expect {
                Expect::Clean => BTreeSet::new(),
                Expect::Gives(code) => BTreeSet::from([code]),
            };
            let all: String = found.iter().map(said).collect();
            if codes != expected {
                wrong.push_str(&format!("{}: wanted {expected:?}, got\n{all}{:#?}\n", code.as_str(), example.files));
            } else if let Some(first) = found.first() {
                let (page, says) = (code.page(), said(first));
                let told = told(page);
                if page[told.clone()] == says {
                    continue;
                }
                if std::env::var_os("UPDATE").is_some() {
                    let name = format!("../docs/codes/{}.md", code.as_str());
                    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
                    let fresh = format!("{}{says}{}", &page[..told.start], &page[told.end..]);
                    std::fs::write(path, fresh).unwrap();
                } else {
                    wrong.push_str(&format!("{} tells\n{}but kpolc says\n{says}\n", code.as_str(), &page[told]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}\nmend what is told with `UPDATE=1 cargo test -p kpol-compiler --test pages`");
}
