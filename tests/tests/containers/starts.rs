//! Every way to start a program in a container, under every policy that claims to serve one.
//!
//! `<base/container-start>` is as small as it can be: each call that it names is taken away by a rule that kills, and then some
//! container does not start; a call that no runtime here makes has the release that makes it beside it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use kpol_compiler::driver::Format::Json;
use kpol_compiler::library::{self, starters};
use kpol_grammar::ast::{PatternKind, StatementKind};
use kpol_tests::binaries::binary;
use kpol_tests::containers::{How, Output, Rootfs, Seccomp, Starter};
use kpol_tests::policy::{EXAMPLES, example, text};
use kpol_tests::skip::or_skip;

#[path = "../../../compiler/tests/docs/blocks.rs"]
mod blocks;

const PROGRAM: &[&str] = &["echo", "started"];

/// Whoever calls what is not listed dies, so that nothing is refused in silence. busybox asks for its user and its name.
const MINIMAL: &str = "default kill\ninclude <base/container-start>\ninclude <base/program-start>\n\
                       allow { getgid, getuid, prctl(option in {PR_GET_NAME, PR_SET_NAME}) }\n";

fn starts(output: &Output) -> bool {
    output.stdout.contains("started")
}

#[test]
fn the_bases_start_a_program_in_every_container() {
    let built = text(MINIMAL, &[Json]).unwrap();
    for starter in Starter::all() {
        let started = Rootfs::new().and_then(|rootfs| starter.start(&rootfs, Seccomp::Profile(built.json()), PROGRAM));
        let Some(output) = or_skip(started) else { continue };
        assert!(starts(&output), "{starter:?}: {output:?}");
    }
}

/// The calls that a file of the library names outside of `when`, each with its line.
fn named(file: &str) -> Vec<(String, &'static str)> {
    let text = library::get(file).unwrap().text;
    let (tree, errors) = kpol_grammar::parse(text);
    assert!(errors.is_empty());
    let rules = tree.statements.iter().filter_map(|statement| match &statement.kind {
        StatementKind::Rule { patterns, .. } => Some(patterns),
        _ => None,
    });
    rules
        .flatten()
        .filter_map(|pattern| match &pattern.kind {
            PatternKind::Call { name, .. } => {
                let line = text[..name.span.start as usize].lines().count() - 1;
                Some((name.text.clone(), text.lines().nth(line).unwrap()))
            }
            PatternKind::Group(_) => None,
        })
        .collect()
}

#[test]
fn no_call_of_the_base_is_superfluous() {
    let names = named("base/container-start");
    assert!(names.len() > 40, "{names:?}");
    let starters = Starter::all();
    let mut superfluous = Vec::new();
    let mut order: Vec<usize> = (0..starters.len()).collect();
    // Where no runtime of this machine calls it, the line names the release that does.
    for (name, _) in names.iter().filter(|(_, line)| !line.contains("// crun ") && !line.contains("// runc ")) {
        let built = text(&format!("{MINIMAL}override kill {{ {name} }}"), &[Json]).unwrap();
        let mut needed = false;
        for place in 0..order.len() {
            let starter = starters[order[place]];
            let started =
                Rootfs::new().and_then(|rootfs| starter.start(&rootfs, Seccomp::Profile(built.json()), PROGRAM));
            let Some(output) = or_skip(started) else { continue };
            if !starts(&output) {
                needed = true;
                // What found this one is asked first for the next.
                let found = order.remove(place);
                order.insert(0, found);
                break;
            }
        }
        if !needed {
            superfluous.push(name.clone());
        }
    }
    assert_eq!(superfluous, Vec::<String>::new(), "no container needs these");
}

/// The policies that claim to serve a container, as JSON: what `kpolc new` writes, with and without `--from`, the examples, the bases, and the pages of the manual
/// that include what a container needs.
fn policies() -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    let mut add = |name: String, policy: &str| {
        let built = text(policy, &[Json]).unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
        if !all.iter().any(|(_, json)| json == built.json()) {
            all.push((name, built.json().to_owned()));
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let new =
        std::process::Command::new(binary("kpolc")).args(["new", "-q", "web"]).current_dir(folder.path()).status();
    assert!(new.unwrap().success());
    add("kpolc new".to_owned(), &std::fs::read_to_string(folder.path().join("web.kpol")).unwrap());
    for starter in starters::all() {
        add(format!("kpolc new --from {}", starter.name), starter.text);
    }
    for file in library::includable().filter(|file| file.name.starts_with("base/")) {
        let policy = format!("default deny(EPERM)\ninclude <base/runtime>\ninclude <{}>\n", file.name);
        add(file.name.to_owned(), &policy);
    }
    for block in blocks::blocks() {
        let wrong = block.marks.iter().any(|mark| (mark.starts_with('E') || mark == "bpf") && !mark.contains('.'));
        let whole = block.text.lines().any(|line| line.starts_with("default "));
        let claims = ["<base/runtime>", "<base/go-runtime>", "<base/container-start>"];
        // Two that lie in files beside it, and that no container sees.
        let beside = |line: &&str| line.starts_with("within ") || line.starts_with("include \"");
        if block.language == "kpol" && whole && !wrong && claims.iter().any(|name| block.text.contains(name)) {
            let policy: Vec<&str> = block.text.lines().filter(|line| !beside(line)).collect();
            if !policy.iter().any(|line| line.starts_with("arch ") && !line.contains("x86_64")) {
                add(block.place.clone(), &policy.join("\n"));
            }
        }
    }
    for name in EXAMPLES {
        all.push((name.to_owned(), example(name, Some(&[]), &[Json]).json().to_owned()));
    }
    all
}

#[test]
fn a_program_starts_under_every_policy_that_claims_to_serve_a_container() {
    if or_skip(kpol_tests::kernel::native()) != Some(kpol_compiler::spec::Arch::X86_64) {
        return;
    }
    let policies = policies();
    assert!(policies.len() > 15, "{:?}", policies.iter().map(|(name, _)| name).collect::<Vec<_>>());
    // All ways are tried with the bases above; here those with most to do under the filter, and those with least.
    let most = |starter: &Starter| starter.uid == 1000 && !starter.no_new_privileges && !starter.terminal;
    let least = |starter: &Starter| starter.uid == 0 && starter.no_new_privileges && !starter.terminal;
    let starters: Vec<Starter> = Starter::all()
        .into_iter()
        .filter(|starter| most(starter) || least(starter) && starter.how == How::Run)
        .collect();
    // Starting is mostly waiting, so several wait at once.
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some((name, json)) = policies.get(next.fetch_add(1, Ordering::Relaxed)) {
            for starter in &starters {
                let started = Rootfs::new().and_then(|rootfs| starter.start(&rootfs, Seccomp::Profile(json), PROGRAM));
                let Some(output) = or_skip(started) else { continue };
                if !starts(&output) {
                    wrong.lock().unwrap().push(format!("{name}: {starter:?}: {output:?}"));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(work);
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
