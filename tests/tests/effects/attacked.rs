//! Policies that promise something, attacked from inside a container that crun, runc or podman confines by them.
//!
//! ```text
//! web-server.kpol  →  JSON  →  runc  →  effects, as root with capabilities and as a user:  all ways
//!     connect/connect-tcp     connect(…) → -4000          refused: the policy says so, and so did the kernel
//!     connect/tcp-request…    io_uring_setup(…) → -4000   the same
//! ```
//!
//! The default's errno is one that no call gives by itself, else the policies are as they are handed out. Two things are held
//! against each other: what the policy says of each call that a way made, and what it got. A container brings its filter from the start, so
//! some ways lack what they prepare; what libseccomp makes of the same JSON is tried on Debian's kernel too, where the filter comes after that.

use std::collections::{BTreeMap, BTreeSet};

use kpol_compiler::library;
use kpol_compiler::spec::{Action, Arch};
use kpol_grammar::ast::{Outcome, StatementKind};
use kpol_tests::containers::{Runtime, Seccomp};
use kpol_tests::effects::{Halves, Job, Place, Said, Tried, run, run_inside};
use kpol_tests::kernel;
use kpol_tests::libseccomp::json_to_bpf;
use kpol_tests::policy::{Built, example_path, files};
use kpol_tests::skip::{Skip, or_skip};

/// Of those that a container can hold without harm to the machine.
const CAPS: &[&str] = &[
    "CAP_BPF",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_PERFMON",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SYS_ADMIN",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
];

/// What asserts promise: ways begin so, but for those that the assert excepts by name.
type Promises = &'static [(&'static str, &'static [&'static str])];

const WEB: Promises = &[
    ("connect/", &[]),
    ("raw-packets/", &[]),
    ("kernel-code/", &[]),
    ("set-clock/", &["rtc-set-time"]),
    ("mount/", &[]),
    ("new-namespace/", &[]),
    ("trace-others/", &["get-robust-list", "prctl"]),
];
const README: Promises = &[("connect/", &[]), ("raw-packets/", &[]), ("new-namespace/", &[])];
const GUARDRAILS: Promises = &[
    ("raw-packets/", &["tun"]),
    ("kernel-code/", &[]),
    ("set-clock/", &["rtc-set-time"]),
    ("mount/", &[]),
    ("new-namespace/", &[]),
    ("trace-others/", &["get-robust-list", "prctl"]),
];

fn promised(promises: Promises, way: &str) -> bool {
    promises.iter().any(|(effect, but)| {
        way.strip_prefix(effect).is_some_and(|title| !but.iter().any(|but| title.starts_with(but)))
    })
}

fn web(change: impl Fn(&str) -> String) -> Built {
    let read = |name| std::fs::read_to_string(example_path(name)).unwrap();
    let text = read("web-server").replace("default deny(EPERM)", "default deny(4000)");
    files(&[("/web.kpol", &change(&text)), ("/org/guardrails.kpol", &read("org/guardrails"))])
}

fn readme() -> Built {
    let text = include_str!("../../../README.md");
    let (_, from) = text.split_once("```kpol,web.kpol\n").unwrap();
    let policy = from.split("```").next().unwrap().replace("default deny(EPERM)", "default deny(4000)");
    files(&[("/web.kpol", &policy)])
}

/// All that the library's guardrails let a policy allow. It is a list of what runs: from a list of what is refused a runtime whose
/// libseccomp is older than a call drops it, and the call runs, which kpolc says when that runtime is named.
fn widest_under_guardrails() -> Built {
    let (mut includes, mut refused) = (String::new(), String::new());
    for file in library::files().iter().filter(|file| file.name.contains("guard")) {
        includes += &format!("include <{}>\n", file.name);
        for statement in kpol_grammar::parse(file.text).0.statements {
            // As the files say of themselves: no rules, only asserts, and each says `refused`.
            let claims = match statement.kind {
                StatementKind::Assert { claims, .. } => claims,
                other => {
                    assert!(matches!(other, StatementKind::Include(_)), "{}: {other:?}", file.name);
                    continue;
                }
            };
            for claim in claims {
                assert!(matches!(claim.outcome, Outcome::Refused(_)), "{}", file.name);
                for pattern in claim.patterns {
                    refused += &format!("{},\n", &file.text[pattern.span.range()]);
                }
            }
        }
    }
    files(&[("/widest.kpol", &format!("default deny(4000)\n{includes}allow {{ @known except {{\n{refused}}} }}\n"))])
}

/// What an attack found.
#[derive(Debug, Default)]
struct Found {
    /// Ways that a policy promises to stop and does not, or calls that got another answer than the policy gives.
    wrong: Vec<String>,
    /// Promised ways that were stopped at one of their calls.
    stopped: BTreeSet<String>,
    /// Promised ways that were stopped while they prepared.
    early: BTreeSet<String>,
    /// Those that lack something that no policy took from them.
    lacks: BTreeSet<String>,
}

const ENOSYS: i64 = 38;

/// Holds what ways did against the policy. `stub`: the runtime answers ENOSYS where it takes a call for newer than the profile.
fn judge(built: &Built, promises: Promises, stub: bool, tried: &[Tried], found: &mut Found) {
    for tried in tried {
        let mut refused = false;
        for made in &tried.calls {
            let action = built.action(&made.call);
            let as_said = match (action, made.result) {
                (Action::Errno(errno), Some(result)) => {
                    refused = true;
                    result == -i64::from(errno) || stub && result == -ENOSYS
                }
                (Action::KillProcess, None) => {
                    refused = true;
                    matches!(&tried.said, Said::Broken(how) if how == "died 31")
                }
                (Action::Allow, Some(result)) => result != -4000,
                (Action::Allow, None) => true,
                _ => false,
            };
            if !as_said {
                found.wrong.push(format!("{}: {made:x?} is to get {action}", tried.way));
            }
        }
        if !promised(promises, &tried.way) {
            continue;
        }
        match &tried.said {
            Said::Came => found.wrong.push(format!("{} brings its effect about: {:x?}", tried.way, tried.calls)),
            _ if refused => drop(found.stopped.insert(tried.way.clone())),
            Said::Lacks(what) if what.ends_with("Unknown error 4000") => {
                found.early.insert(tried.way.clone());
            }
            Said::Lacks(what) => drop(found.lacks.insert(format!("{}: {what}", tried.way))),
            _ => found.wrong.push(format!("{} was not stopped: {tried:x?}", tried.way)),
        }
    }
}

fn attack(runtimes: &[Runtime], built: &Built, promises: Promises) -> Vec<Result<Found, Skip>> {
    let json = built.json();
    let runs: Vec<_> = std::thread::scope(|scope| {
        let start = |runtime| scope.spawn(move || run_inside(runtime, Seccomp::Profile(json), CAPS));
        let runs: Vec<_> = runtimes.iter().map(|&runtime| start(runtime)).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    let judged = |(&runtime, run): (&Runtime, Result<[Vec<Tried>; 2], Skip>)| {
        let mut found = Found::default();
        for tried in run? {
            assert!(!tried.is_empty(), "{runtime:?}: no way was tried");
            judge(built, promises, runtime == Runtime::Runc, &tried, &mut found);
        }
        Ok(found)
    };
    runtimes.iter().zip(runs).map(judged).collect()
}

#[test]
fn what_policies_promise_holds_in_containers_of_every_runtime() {
    let Some(Arch::X86_64) = or_skip(kernel::native()) else { return };
    let Some(free) = or_skip(run_inside(Runtime::Crun, Seccomp::Unconfined, CAPS)) else { return };
    let free: BTreeSet<&str> =
        free.iter().flatten().filter(|tried| tried.said == Said::Came).map(|tried| &*tried.way).collect();
    for (name, built, promises) in [
        ("web-server", web(str::to_owned), WEB),
        ("README", readme(), README),
        ("guardrails", widest_under_guardrails(), GUARDRAILS),
    ] {
        let count = free.iter().filter(|way| promised(promises, way)).count();
        assert!(count > 20, "{name}: only {count} of its ways work without a filter");
        for (runtime, found) in Runtime::ALL.into_iter().zip(attack(&Runtime::ALL, &built, promises)) {
            let Some(found) = or_skip(found) else { continue };
            let wrong = found.wrong.join("\n");
            assert!(wrong.is_empty(), "{name} in {runtime:?}:\n{wrong}");
            let done: BTreeSet<&String> = found.stopped.union(&found.early).collect();
            let missing: Vec<_> =
                free.iter().filter(|way| promised(promises, way) && !done.iter().any(|done| done == *way)).collect();
            assert!(missing.is_empty(), "{name} in {runtime:?}: nothing stopped {missing:?}: {:?}", found.lacks);
            println!(
                "{name} in {runtime:?}: {} ways stopped at a call, {} before, {} lack something",
                found.stopped.len(),
                found.early.difference(&found.stopped).count(),
                found.lacks.len(),
            );
        }
    }
}

/// With all that ways prepare, those that change the machine among them.
#[test]
fn what_libseccomp_makes_of_their_json_stops_every_promised_way() {
    let policies = [
        ("web-server", web(str::to_owned), WEB),
        ("README", readme(), README),
        ("guardrails", widest_under_guardrails(), GUARDRAILS),
    ];
    let mut jobs = Vec::new();
    for (name, built, promises) in &policies {
        let Some(filter) = or_skip(json_to_bpf(built.json(), Arch::X86_64)) else { return };
        let filter = filter.unwrap_or_else(|error| panic!("{name}: {error}"));
        let tries = promises.iter().map(|(effect, _)| ((*effect).to_owned(), Halves::Dirty)).collect();
        jobs.push(Job { filter, tries });
    }
    let Some(outcome) = or_skip(run(Place::X86, &BTreeMap::from([(Arch::X86_64, jobs)]))) else { return };
    for ((name, built, promises), tried) in policies.iter().zip(&outcome[&Arch::X86_64]) {
        let mut found = Found::default();
        judge(built, promises, false, tried, &mut found);
        let wrong = found.wrong.join("\n");
        assert!(wrong.is_empty(), "{name}:\n{wrong}");
        assert!(found.stopped.len() > 30, "{name}: {found:?}");
    }
}

/// The attack would find it.
#[test]
fn a_way_that_a_changed_policy_leaves_open_is_found_in_a_container() {
    let Some(Arch::X86_64) = or_skip(kernel::native()) else { return };
    let built = web(|text| {
        let server =
            text.lines().find(|line| line.starts_with("include <") && line.ends_with("/network-server>")).unwrap();
        let sockets = server.replace("network-server", "sockets");
        text.replace(server, &format!("{sockets}\nallow {{ accept, accept4, bind, listen, sendto }}"))
            .replace("refused { @effect-connect }", "refused { @effect-connect except { sendto } }")
    });
    let Some(found) = or_skip(attack(&[Runtime::Crun], &built, WEB).remove(0)) else { return };
    let ways: BTreeSet<&str> =
        found.wrong.iter().map(|wrong| wrong.split([' ', ':']).next().unwrap_or_default()).collect();
    assert!(ways.contains("connect/sendto-fastopen"), "{found:#?}");
    assert!(ways.iter().all(|way| way.starts_with("connect/sendto-fastopen")), "{ways:?}");
}
