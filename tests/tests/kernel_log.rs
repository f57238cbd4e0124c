//! What `log` means: the running kernel writes the call down, and `kpolc why` can be asked about the record.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use kpol_compiler::answer::call::Subject;
use kpol_compiler::answer::record;
use kpol_compiler::driver::{Format::Bpf, Options};
use kpol_compiler::spec::{Action, Arch};
use kpol_tests::audit::Records;
use kpol_tests::kernel;
use kpol_tests::policy::{Built, call, text, with_options};
use kpol_tests::probe::{Job, Outcome};
use kpol_tests::skip::or_skip;

/// `SECCOMP_FILTER_FLAG_LOG`.
const LOG: u32 = 2;

/// What complains is logged without a flag, carried out, and asked about with the policy that refuses it.
#[test]
fn what_a_policy_refuses_is_in_the_log_under_the_filter_that_complains() {
    let Some(arch) = or_skip(kernel::native()) else { return };
    let Some(mut records) = or_skip(Records::open()) else { return };
    let policy = "arch x86_64, aarch64\ndefault allow\nkill { sched_getscheduler }\nassert \"asks nobody\" { refused { sched_getscheduler } }\n";
    let options = Options { complain: true, ..Options::default() };
    let built = with_options(policy, &options, &[Bpf]).unwrap();
    let Some((seen, line)) = record(&mut records, &built, 0, arch, "sched_getscheduler") else { return };
    // There is no such process, says the kernel itself.
    assert_eq!(seen, Outcome::Errno(3));
    let line = line.expect("a record");
    let recorded = record::read(&line).unwrap().question.recorded.unwrap();
    assert!(recorded.fits(Action::Log) && !recorded.fits(Action::KillProcess), "{line}");
}

/// Calls that no other test lets the kernel write down, since tests run at once.
const POLICY: &str = "arch x86_64, aarch64\ndefault allow\n\
    log { sched_get_priority_max }\ndeny { sched_get_priority_min }\nkill { sched_rr_get_interval }\n";

fn record(
    records: &mut Records,
    built: &Built,
    flags: u32,
    arch: Arch,
    name: &str,
) -> Option<(Outcome, Option<String>)> {
    let wanted = call(arch, name, &[0x7fff_ffff]).unwrap();
    let outcomes = or_skip(kernel::run(&[Job { flags, ..Job::new(built.bpf(), &[wanted]) }]))?;
    let number = format!(" syscall={} ", wanted.nr.0);
    Some((outcomes[0][0], records.find(&|line| line.contains(&number))))
}

#[test]
fn a_logged_call_is_in_the_kernels_log_and_can_be_asked_about() {
    let Some(arch) = or_skip(kernel::native()) else { return };
    let Some(mut records) = or_skip(Records::open()) else { return };
    let built = text(POLICY, &[Bpf]).unwrap();
    // Refused calls are written down only if the filter asks for it; what ends a process always is.
    for (name, flags, outcome, action) in [
        ("sched_get_priority_max", 0, Outcome::Errno(22), Action::Log),
        ("sched_get_priority_min", LOG, Outcome::Errno(1), Action::Errno(1)),
        ("sched_rr_get_interval", 0, Outcome::ProcessKilled, Action::KillProcess),
    ] {
        let Some((seen, line)) = record(&mut records, &built, flags, arch, name) else { return };
        assert_eq!(seen, outcome, "{name}");
        let line = line.unwrap_or_else(|| panic!("no record of {name}"));
        let question = record::read(&line).unwrap().question;
        let nr = call(arch, name, &[]).unwrap().nr.0;
        assert_eq!((question.subject, question.arch), (Subject::Number(nr), Some(arch)), "{line}");
        // The record has the action without its data, and fits the rule's answer and no other.
        let recorded = question.recorded.unwrap();
        for other in
            [Action::Log, Action::Errno(1), Action::Errno(38), Action::KillProcess, Action::KillThread, Action::Allow]
        {
            assert_eq!(recorded.fits(other), other.precedence() == action.precedence(), "{line}: {other}");
        }
    }
}
