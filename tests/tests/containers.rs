//! Profiles and filters in containers that crun, runc and podman start.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use kpol_compiler::spec::{Action, Arch, Call, Nr};
use kpol_tests::cbpf::assemble::*;
use kpol_tests::containers::{Output, Rootfs, Runtime, Seccomp, calls, run};
use kpol_tests::libseccomp::json_to_bpf;
use kpol_tests::probe::Outcome;
use kpol_tests::skip::{or_skip, shared_dir};
use kpol_tests::{Skip, kernel};

#[path = "containers/complain.rs"]
mod complain;
#[path = "containers/runtimes.rs"]
mod runtimes;
#[path = "containers/starts.rs"]
mod starts;

const ALLOW_ALL: &str = r#"{ "defaultAction": "SCMP_ACT_ALLOW" }"#;
const NO_MKDIR: &str = r#"{ "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [ { "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO" } ] }"#;
const MKDIR: &[&str] = &["mkdir", "/tmp/new"];

fn fresh(runtime: Runtime, seccomp: Seccomp<'_>, caps: &[&str], command: &[&str]) -> Result<Output, Skip> {
    run(runtime, &Rootfs::new()?, seccomp, caps, command)
}

fn shared(name: &str) -> Result<String, Skip> {
    Ok(std::fs::read_to_string(shared_dir()?.join("corpus").join(name)).unwrap())
}

#[test]
fn a_container_starts_under_a_profile_that_allows_everything() {
    for runtime in Runtime::ALL {
        let Some(output) = or_skip(fresh(runtime, Seccomp::Profile(ALLOW_ALL), &[], &["echo", "hello"])) else {
            continue;
        };
        assert_eq!((output.status, output.stdout.as_str()), (Some(0), "hello\n"), "{runtime:?} {output:?}");
    }
}

#[test]
fn what_a_profile_denies_fails_with_eperm_in_every_runtime() {
    for runtime in Runtime::ALL {
        let Some(free) = or_skip(fresh(runtime, Seccomp::Profile(ALLOW_ALL), &[], MKDIR)) else { continue };
        assert!(free.success(), "{runtime:?} {free:?}");
        let denied = fresh(runtime, Seccomp::Profile(NO_MKDIR), &[], MKDIR).unwrap();
        assert_eq!(denied.status, Some(1), "{runtime:?} {denied:?}");
        assert!(denied.stderr.contains("Operation not permitted"), "{runtime:?} {denied:?}");
    }
}

#[test]
fn crun_takes_a_raw_filter_by_annotation() {
    const RARE: u16 = 95; // EOPNOTSUPP
    let Some(Arch::X86_64) = or_skip(kernel::native()) else { return };
    let filter = except(Arch::X86_64, &[(83, Action::Errno(RARE)), (258, Action::Errno(RARE))]).to_bytes();
    let Some(output) = or_skip(fresh(Runtime::Crun, Seccomp::Bpf(&filter), &[], MKDIR)) else { return };
    assert_eq!(output.status, Some(1), "{output:?}");
    assert!(output.stderr.contains("not supported"), "{output:?}");
}

/// The page's own example: `execve` is denied, so nothing can start.
#[test]
fn no_program_starts_under_the_example_of_the_kios_page() {
    let Some(example) = or_skip(shared("kios-example.json")) else { return };
    for runtime in Runtime::ALL {
        let Some(output) = or_skip(fresh(runtime, Seccomp::Profile(&example), &[], &["true"])) else { continue };
        assert!(!output.success(), "{runtime:?} {output:?}");
        let said = output.stderr.to_lowercase();
        assert!(said.contains("operation not permitted"), "{runtime:?} {output:?}");
    }
}

#[test]
fn podman_refuses_a_profile_with_comments() {
    let Some(example) = or_skip(shared("kios-example.jsonc")) else { return };
    let Some(output) = or_skip(fresh(Runtime::Podman, Seccomp::Profile(&example), &[], &["true"])) else { return };
    assert!(!output.success());
    assert!(output.stderr.contains("invalid character '/'"), "{output:?}");
}

#[test]
fn the_defaults_of_docker_podman_and_kios_run_a_shell() {
    for name in ["moby-default.json", "containers-default.json", "kios-audit.json"] {
        let Some(profile) = or_skip(shared(name)) else { return };
        for runtime in Runtime::ALL {
            let command = ["sh", "-c", "mkdir /tmp/new && ls /tmp"];
            let Some(output) = or_skip(fresh(runtime, Seccomp::Profile(&profile), &[], &command)) else { continue };
            assert_eq!((output.status, output.stdout.as_str()), (Some(0), "new\n"), "{name} {runtime:?} {output:?}");
        }
    }
}

#[test]
fn conditions_on_capabilities_are_settled_by_what_the_container_holds() {
    let profile = |condition: &str| {
        format!(
            r#"{{ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [ {{ "names": ["mkdir", "mkdirat"],
               "action": "SCMP_ACT_ERRNO", "{condition}": {{ "caps": ["CAP_NET_RAW"] }} }} ] }}"#
        )
    };
    for runtime in Runtime::ALL {
        for (condition, caps, runs) in [
            ("includes", &[][..], true),
            ("includes", &["CAP_NET_RAW"][..], false),
            ("excludes", &[][..], false),
            ("excludes", &["CAP_NET_RAW"][..], true),
        ] {
            let profile = profile(condition);
            let Some(output) = or_skip(fresh(runtime, Seccomp::Profile(&profile), caps, MKDIR)) else { break };
            assert_eq!(output.success(), runs, "{runtime:?} {condition} {caps:?} {output:?}");
        }
    }
}

/// The same calls under the profile in every runtime, and under the filter that libseccomp makes of it.
#[test]
fn every_road_into_a_container_gives_the_same_answers() {
    let profile = r#"{ "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
        "syscalls": [
        { "names": ["getppid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 4000 },
        { "names": ["setuid"], "action": "SCMP_ACT_KILL_PROCESS" },
        { "names": ["setgid"], "action": "SCMP_ACT_KILL_THREAD" },
        { "names": ["setsid"], "action": "SCMP_ACT_TRAP" },
        { "names": ["lseek"], "action": "SCMP_ACT_ERRNO", "errnoRet": 4001,
          "args": [{ "index": 1, "value": 4294967296, "op": "SCMP_CMP_GE" }] } ] }"#;
    let call = |arch, nr, args: [u64; 2]| Call { arch, nr: Nr(nr), args: [args[0], args[1], 0, 0, 0, 0] };
    let said = [
        (call(Arch::X86_64, 110, [0; 2]), Outcome::Errno(4000)),
        (call(Arch::X86_64, 105, [u64::MAX; 2]), Outcome::ProcessKilled),
        (call(Arch::X86_64, 106, [u64::MAX; 2]), Outcome::ThreadKilled),
        (call(Arch::X86_64, 112, [0; 2]), Outcome::Trapped(0)),
        (call(Arch::X86_64, 8, [u64::MAX, 1 << 32]), Outcome::Errno(4001)),
        (call(Arch::X86_64, 8, [u64::MAX, 1]), Outcome::Errno(9)),
        (call(Arch::X86, 64, [0; 2]), Outcome::Errno(4000)),
    ];
    let Some(Arch::X86_64) = or_skip(kernel::native()) else { return };
    let expected = said.map(|(_, outcome)| outcome);
    let all = said.map(|(call, _)| call);
    let there = |runtime, seccomp| calls(runtime, &Rootfs::new()?, seccomp, &[], &all);
    for runtime in Runtime::ALL {
        let Some(outcomes) = or_skip(there(runtime, Seccomp::Profile(profile))) else { continue };
        assert_eq!(outcomes[..], expected, "{runtime:?}");
    }
    let Some(filter) = or_skip(json_to_bpf(profile, Arch::X86_64)) else { return };
    let bytes = filter.unwrap().to_bytes();
    let Some(outcomes) = or_skip(there(Runtime::Crun, Seccomp::Bpf(&bytes))) else { return };
    assert_eq!(outcomes[..], expected, "by annotation");
}
