//! The same calls as in `kernel.rs`, on an arm64 kernel. One boot runs all of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use kpol_compiler::spec::{Action, Arch, Call, Nr};
use kpol_tests::arm64;
use kpol_tests::cbpf::{Filter, assemble::*};
use kpol_tests::dirty;
use kpol_tests::libseccomp::json_to_bpf;
use kpol_tests::probe::{Job, Outcome, Watch};
use kpol_tests::skip::or_skip;

const RARE: u16 = 4095;
const GETPPID: u32 = 173;
const CLOSE: u32 = 57;
const LSEEK: u32 = 62;
const SOCKET: u32 = 198;
const OPENAT: u32 = 56;

fn call(nr: u32, args: &[u64]) -> Call {
    let mut all = [0; 6];
    all[..args.len()].copy_from_slice(args);
    Call { arch: Arch::Aarch64, nr: Nr(nr), args: all }
}

fn actions() -> [(Action, Watch, Outcome); 11] {
    use Watch::{Listener, Nobody, Tracer};
    [
        (Action::Allow, Nobody, Outcome::Returned(1)),
        (Action::Log, Nobody, Outcome::Returned(1)),
        (Action::Errno(RARE), Nobody, Outcome::Errno(RARE)),
        (Action::Errno(0), Nobody, Outcome::Returned(0)),
        (Action::KillProcess, Nobody, Outcome::ProcessKilled),
        (Action::KillThread, Nobody, Outcome::ThreadKilled),
        (Action::Trap(777), Nobody, Outcome::Trapped(777)),
        (Action::Trace(9), Nobody, Outcome::Errno(38)),
        (Action::Trace(9), Tracer, Outcome::Traced(9)),
        (Action::Notify, Nobody, Outcome::Errno(38)),
        (Action::Notify, Listener, Outcome::Notified),
    ]
}

#[test]
fn an_arm64_kernel_does_the_same_for_every_action_and_width() {
    let mut jobs: Vec<_> = actions()
        .iter()
        .map(|(action, watch, _)| {
            let filter = except(Arch::Aarch64, &[(GETPPID, *action)]);
            Job { watch: *watch, ..Job::new(&filter, &[call(GETPPID, &[]), call(CLOSE, &[u64::MAX])]) }
        })
        .collect();
    let widths = Filter(vec![
        LD_NR,
        jump(0x15, SOCKET, 0, 3),
        ld_low(0),
        jump(0x15, 38, 0, 1),
        ret(Action::Errno(RARE)),
        LD_NR,
        jump(0x15, LSEEK, 0, 3),
        ld_high(1),
        jump(0x15, 0, 1, 0),
        ret(Action::Errno(RARE)),
        ret(Action::Allow),
    ]);
    let edges = [
        (call(SOCKET, &[38, 0xf]), Outcome::Errno(RARE)),
        (call(SOCKET, &[38 | 0xdead_beef_0000_0000, 0xf]), Outcome::Errno(RARE)),
        (call(SOCKET, &[37, 0xf]), Outcome::Errno(22)),
        (call(LSEEK, &[u64::MAX, 0xffff_ffff]), Outcome::Errno(9)),
        (call(LSEEK, &[u64::MAX, 0x1_0000_0000]), Outcome::Errno(RARE)),
    ];
    jobs.push(Job::new(&widths, &edges.map(|(call, _)| call)));
    let Some(outcomes) = or_skip(arm64::run(&jobs)) else { return };
    for ((action, watch, expected), seen) in actions().iter().zip(&outcomes) {
        // The one who asks is a child of process 1.
        assert_eq!(seen[..], [*expected, Outcome::Errno(9)], "{action:?} {watch:?}");
        assert!(seen[0].is_of(*action, *watch, Outcome::Returned(1)));
    }
    assert_eq!(outcomes.last().unwrap()[..], edges.map(|(_, outcome)| outcome));
}

/// What libseccomp makes of a profile for arm64, although it is made on another machine.
#[test]
fn an_arm64_kernel_takes_what_libseccomp_makes_here() {
    let profile = r#"{ "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"], "syscalls": [
        { "names": ["getppid", "open"], "action": "SCMP_ACT_ERRNO", "errnoRet": 4000 },
        { "names": ["lseek"], "action": "SCMP_ACT_KILL_PROCESS",
          "args": [{ "index": 1, "value": 4294967296, "op": "SCMP_CMP_GE" }] } ] }"#;
    let Some(filter) = or_skip(json_to_bpf(profile, Arch::Aarch64)) else { return };
    let filter = filter.unwrap();
    let calls = [
        call(GETPPID, &[]),
        call(OPENAT, &[u64::MAX, 0, 0]),
        call(LSEEK, &[u64::MAX, 0xffff_ffff]),
        call(LSEEK, &[u64::MAX, 1 << 32]),
    ];
    let said = calls.map(|call| (call, filter.action(&call).unwrap()));
    assert_eq!(said.map(|(_, action)| action)[..2], [Action::Errno(4000), Action::Allow]);
    let Some(wrong) = or_skip(arm64::mismatches(&filter, &said)) else { return };
    assert_eq!(wrong, []);
}

/// As in `kernel.rs`: what lies above the width that the tables have for a parameter makes no difference to the kernel.
#[test]
fn no_parameter_is_wider_than_the_tables_say() {
    for arch in [Arch::Aarch64, Arch::Arm] {
        let Some(tried) = or_skip(dirty::try_all(arch, 1, |jobs| arm64::run_on(arch, jobs))) else { return };
        let wrong: Vec<_> = tried.iter().filter(|tried| !tried.differ.is_empty()).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        let telling = tried.iter().filter(|tried| tried.sensitive).count();
        assert!(telling > if arch.bits() == 64 { 100 } else { 2 }, "{arch}: {telling} of {}", tried.len());
    }
}
