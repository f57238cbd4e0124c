//! What `kpolc new --from` begins with, tried on the programs that it is for.
//!
//! Each session goes from start to end: requests, files, reload, rotation, a crash, a stop that lets the last request finish. Every step ends
//! with something that is not there without it. A session runs once under strace without a filter, which gives what the program calls,
//! and once under its starter, by podman and so by `create` and `start`. All run once more under `hardened`, by crun.
//!
//! INVARIANT: a starter allows at most a quarter more calls than its programs made in their sessions, besides those of `<base/runtime>`. What
//! nobody called is printed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::OnceLock;

use kpol_compiler::answer::diff::actions;
use kpol_compiler::driver::Format::Json;
use kpol_compiler::library::starters;
use kpol_compiler::spec::{Action, Arch};
use kpol_compiler::tables::Syscall;
use kpol_tests::containers::Runtime;
use kpol_tests::policy::{Built, text};
use kpol_tests::service::{Stage, Way};
use kpol_tests::skip::{Skip, or_skip};

#[path = "starters/batch.rs"]
mod batch;
#[path = "starters/go.rs"]
mod go;
#[path = "starters/gunicorn.rs"]
mod gunicorn;
#[path = "starters/jvm.rs"]
mod jvm;
#[path = "starters/lighttpd.rs"]
mod lighttpd;
#[path = "starters/nginx.rs"]
mod nginx;
#[path = "starters/node.rs"]
mod node;
#[path = "starters/postgres.rs"]
mod postgres;
#[path = "starters/redis.rs"]
mod redis;

/// A program of others, and what is done with it.
struct Trial {
    program: &'static str,
    /// The starters that are for it.
    starters: &'static [&'static str],
    session: fn(&Stage<'_>) -> Result<(), Skip>,
}

/// The starter that all programs are tried under.
const FOR_ALL: &str = "hardened";

const TRIALS: [Trial; 9] = [
    Trial { program: "nginx", starters: &["nginx", "web-server"], session: nginx::session },
    Trial { program: "lighttpd", starters: &["web-server"], session: lighttpd::session },
    Trial { program: "Redis", starters: &["redis"], session: redis::session },
    Trial { program: "PostgreSQL", starters: &["postgres"], session: postgres::session },
    Trial { program: "gunicorn", starters: &["python"], session: gunicorn::session },
    Trial { program: "Node", starters: &["node"], session: node::session },
    Trial { program: "a Java service", starters: &["jvm"], session: jvm::session },
    Trial { program: "a Go service", starters: &["go-service"], session: go::session },
    Trial { program: "a job of Debian's tools", starters: &["batch-job"], session: batch::session },
];

/// What a program calls in its session, without a filter. Several starters ask for it; it is traced once.
fn seen(trial: &Trial) -> Result<BTreeSet<String>, Skip> {
    static SEEN: [OnceLock<Result<BTreeSet<String>, Skip>>; TRIALS.len()] = [const { OnceLock::new() }; TRIALS.len()];
    let place = TRIALS.iter().position(|other| other.program == trial.program).unwrap();
    let trace = || {
        let stage = Stage::new(Way::Traced)?;
        (trial.session)(&stage)?;
        let seen = stage.seen();
        assert!(seen.len() > 20, "{}: {seen:?}", trial.program);
        Ok(seen)
    };
    SEEN[place].get_or_init(trace).clone()
}

/// The calls of x86_64 that a policy lets run, whatever their arguments.
fn allowed(built: &Built) -> BTreeSet<String> {
    let runs = |call: &Syscall| {
        let node = built.compiled.policy.function.at(Arch::X86_64, call.nr(Arch::X86_64).unwrap());
        actions(&built.compiled.store, node).into_iter().any(Action::runs)
    };
    Syscall::all_of(Arch::X86_64).filter(runs).map(|call| call.name().to_owned()).collect()
}

/// Runs the sessions of a starter under it, and holds what it allows against what they called.
fn tried(starter: &str) {
    let trials: Vec<&Trial> =
        TRIALS.iter().filter(|trial| starter == FOR_ALL || trial.starters.contains(&starter)).collect();
    assert!(!trials.is_empty(), "no program for {starter}");
    let built =
        text(starters::get(starter).unwrap().text, &[Json]).unwrap_or_else(|errors| panic!("{starter}: {errors:?}"));
    assert!(built.codes.is_empty(), "{starter}: {:?}", built.codes);
    let floor = allowed(&text("default kill\ninclude <base/runtime>\n", &[]).unwrap());
    let mut called = BTreeSet::new();
    for trial in &trials {
        let Some(seen) = or_skip(seen(trial)) else { return };
        called.extend(seen);
    }
    // Where the filter answers `clone3` by ENOSYS, the C library calls `clone` in its place.
    if called.contains("clone3") {
        called.insert("clone".to_owned());
    }
    let own: BTreeSet<String> = allowed(&built).difference(&floor).cloned().collect();
    let unused: Vec<&str> = own.difference(&called).map(String::as_str).collect();
    let refused: Vec<&str> =
        called.iter().filter(|name| !own.contains(*name) && !floor.contains(*name)).map(String::as_str).collect();
    let used = own.len() - unused.len();
    say(&format!("{starter}: {} calls besides <base/runtime>, never called: {}", own.len(), unused.join(", ")));
    say(&format!("{starter}: called without a filter, and not allowed: {}", refused.join(", ")));
    for trial in trials {
        let by = |runtime| Stage::new(Way::Under(runtime, built.json())).and_then(|stage| (trial.session)(&stage));
        // Once more by podman would only take longer; and where there is none its steps are tried by `starts`.
        let first = if starter == FOR_ALL { Runtime::Crun } else { Runtime::Podman };
        if or_skip(by(first)).is_none() && or_skip(by(Runtime::Crun)).is_none() {
            return;
        }
    }
    assert!(own.len() * 4 <= used * 5, "{starter} allows {} calls for {used} that are called: {unused:?}", own.len());
}

/// Shown even if the test passes.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[test]
fn nginx_starts_serves_rotates_reloads_and_stops_under_its_starter() {
    tried("nginx");
}

#[test]
fn redis_saves_and_comes_back_after_a_crash_under_its_starter() {
    tried("redis");
}

#[test]
fn two_web_servers_serve_reload_and_stop_under_the_starter_for_all() {
    tried("web-server");
}

#[test]
fn postgresql_works_recovers_from_a_crash_and_stops_under_its_starter() {
    tried("postgres");
}

#[test]
fn gunicorn_serves_rotates_reloads_and_stops_under_the_starter_for_python() {
    tried("python");
}

#[test]
fn a_cluster_of_node_serves_reloads_and_stops_under_its_starter() {
    tried("node");
}

#[test]
fn a_java_service_serves_reloads_and_stops_under_its_starter() {
    tried("jvm");
}

#[test]
fn a_go_service_serves_reloads_and_stops_under_its_starter() {
    tried("go-service");
}

#[test]
fn a_job_works_cleans_up_and_ends_under_its_starter() {
    tried("batch-job");
}

#[test]
fn all_of_them_work_under_the_starter_for_what_has_none() {
    tried(FOR_ALL);
}

#[test]
fn every_starter_has_a_program_and_every_program_a_starter() {
    let names: BTreeSet<&str> = starters::all().iter().map(|starter| starter.name).collect();
    let tried: BTreeSet<&str> = TRIALS.iter().flat_map(|trial| trial.starters).chain([&FOR_ALL]).copied().collect();
    assert_eq!(names, tried);
}
