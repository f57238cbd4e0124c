//! The model of each runtime against the program that it really gives to the kernel.
//!
//! Random profiles (defaults of every kind, ABIs listed and not, names of the default's own action, names that the library does
//! not know) go through crun and runc as they are installed here, under strace. Their program is executed on every number up to
//! 1,200 of each ABI, with and without x32's bit, on -1 and at the edges of what either names; the model of that
//! release has to answer alike. `KPOL_CASES` profiles for each; 8 if it is not set.

use std::collections::BTreeSet;
use std::process::Command;

use kpol_compiler::diagram::{Leaf, Store};
use kpol_compiler::oci;
use kpol_compiler::oci::runtime::{self, Release, Stack};
use kpol_compiler::spec::{Action, Arch, Call, Environment, Nr};
use kpol_compiler::tables::Syscall;
use kpol_tests::cbpf;
use kpol_tests::containers::{Rootfs, Runtime, Seccomp};
use kpol_tests::fuzz::Random;
use kpol_tests::installed::installed;
use kpol_tests::skip::{or_skip, program};
use kpol_tests::{Skip, libseccomp};

/// The runtime that is installed, with the names that its library knows.
fn stack(runtime: Runtime) -> Result<Stack, Skip> {
    let name = if runtime == Runtime::Crun { "crun" } else { "runc" };
    let output = Command::new(program(name)?).arg("--version").output().map_err(|error| Skip(error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let release = text.lines().next().and_then(|line| line.split_whitespace().nth(2)).unwrap_or_default();
    let release: String = release.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    let runtime = format!("{name} {release}").parse().map_err(Skip)?;
    // Distributions add names to a release: it is what knows them that counts.
    let knows = |release: Release| {
        let mut calls = Syscall::all().filter(|&call| call.libseccomp_release() == Some(release));
        calls.all(|call| libseccomp::knows(call.name()).unwrap_or(false))
    };
    let mut releases: Vec<Release> = Syscall::all().filter_map(Syscall::libseccomp_release).collect();
    releases.sort_unstable();
    releases.dedup();
    let newest = releases.into_iter().filter(|&release| knows(release)).max();
    Ok(Stack::all(&[runtime], newest)[0])
}

/// What a runtime needs to come to an end under a filter that only refuses: without it some would try for ever.
const ENDS: [&str; 30] = [
    "arch_prctl",
    "brk",
    "clone",
    "close",
    "epoll_ctl",
    "epoll_pwait",
    "execve",
    "exit",
    "exit_group",
    "fcntl",
    "fstat",
    "futex",
    "getpid",
    "gettid",
    "kill",
    "madvise",
    "mmap",
    "mprotect",
    "munmap",
    "nanosleep",
    "openat",
    "prctl",
    "read",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sched_yield",
    "sigaltstack",
    "tgkill",
    "write",
];

fn profile(random: &mut Random, names: &[&str]) -> String {
    const DEFAULTS: [&str; 8] = [
        r#""SCMP_ACT_KILL_PROCESS""#,
        r#""SCMP_ACT_KILL_PROCESS""#,
        r#""SCMP_ACT_KILL_PROCESS""#,
        r#""SCMP_ACT_ERRNO""#,
        r#""SCMP_ACT_ERRNO""#,
        r#""SCMP_ACT_ERRNO", "defaultErrnoRet": 38"#,
        r#""SCMP_ACT_ALLOW""#,
        r#""SCMP_ACT_LOG""#,
    ];
    const ACTIONS: [&str; 5] = [
        r#""SCMP_ACT_ALLOW""#,
        r#""SCMP_ACT_ALLOW""#,
        r#""SCMP_ACT_ERRNO", "errnoRet": 13"#,
        r#""SCMP_ACT_KILL_PROCESS""#,
        r#""SCMP_ACT_LOG""#,
    ];
    const ARCHS: [&str; 6] = [
        "",
        r#""SCMP_ARCH_X86_64""#,
        r#""SCMP_ARCH_X86_64", "SCMP_ARCH_X86""#,
        r#""SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32""#,
        r#""SCMP_ARCH_X86""#,
        r#""SCMP_ARCH_X32""#,
    ];
    let default = DEFAULTS[random.below(DEFAULTS.len())];
    let mut entries = Vec::new();
    // Where the default ends the process, any names will do.
    if default.contains("ERRNO") {
        entries.push(format!(r#"{{"names": {ENDS:?}, "action": "SCMP_ACT_ALLOW"}}"#));
    }
    // More than 32 names and runc asks for a binary tree.
    let most = [1, 2, 6, 20, 60][random.below(5)];
    let chosen: BTreeSet<&str> = (0..most).map(|_| names[random.below(names.len())]).collect();
    for name in chosen.into_iter().filter(|name| !ENDS.contains(name)) {
        let action = ACTIONS[random.below(ACTIONS.len())];
        let args = match random.below(6) {
            0 => {
                let (index, value) = (random.below(3), random.below(4));
                format!(r#", "args": [{{"index": {index}, "value": {value}, "op": "SCMP_CMP_EQ"}}]"#)
            }
            _ => String::new(),
        };
        entries.push(format!(r#"{{"names": ["{name}"], "action": {action}{args}}}"#));
    }
    if random.below(3) == 0 {
        let (name, action) = (names[random.below(names.len())], default.replace("defaultErrnoRet", "errnoRet"));
        entries.push(format!(r#"{{"names": ["{name}"], "action": {action}}}"#));
    }
    let archs = ARCHS[random.below(ARCHS.len())];
    format!(r#"{{"defaultAction": {default}, "architectures": [{archs}], "syscalls": [{}]}}"#, entries.join(", "))
}

fn calls(arch: Arch, filter: &cbpf::Filter) -> Vec<Call> {
    let x32 = 0x4000_0000;
    let mut numbers: BTreeSet<u32> = (0..1200).flat_map(|nr| [nr, nr | x32]).collect();
    numbers.extend(cbpf::numbers(&[filter], arch));
    numbers.extend([0x7fff_ffff, 0x8000_0000, 0xbfff_ffff, 0xc000_0000, u32::MAX - 1, u32::MAX]);
    let owned = numbers.into_iter().map(Nr).filter(|&nr| arch.owns(nr));
    owned.flat_map(|nr| [0, 1, 3, 1 << 32].map(|value| Call { arch, nr, args: [value; 6] })).collect()
}

#[test]
fn crun_and_runc_install_what_the_model_of_their_release_says() {
    let cases = std::env::var("KPOL_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(8);
    let mut names: Vec<&str> = vec!["no_such_call"];
    names.extend(Syscall::all().map(Syscall::name));
    for runtime in [Runtime::Crun, Runtime::Runc] {
        let Some(stack) = or_skip(stack(runtime)) else { continue };
        let Some(rootfs) = or_skip(Rootfs::new()) else { continue };
        let mut random = Random::new(20);
        let (mut compared, mut stubs) = (0usize, 0usize);
        for case in 0..cases {
            let text = profile(&mut random, &names);
            let profile = oci::read(text.as_bytes()).unwrap();
            let mut store = Store::default();
            let loaded = runtime::load_by(&mut store, &profile, Arch::X86_64, &stack).unwrap();
            let Some(real) = or_skip(installed(runtime, &rootfs, Seccomp::Profile(&text))) else { return };
            let real = real.unwrap_or_else(|output| panic!("case {case}, {stack}: {output:?}\n{text}"));
            if !loaded.undetermined.is_empty() || !loaded.faults.is_empty() {
                continue;
            }
            stubs += usize::from(!loaded.stubs.is_empty());
            for (&arch, table) in &loaded.function.tables {
                for call in calls(arch, &real.filter) {
                    let said = match store.at(table.at(call.nr), &Environment::default(), &call.args) {
                        Leaf::Act(action) => action,
                        leaf => panic!("{leaf:?}"),
                    };
                    let done = real.filter.action(&call).unwrap();
                    assert_eq!(said, done, "case {case}, {stack}: {arch} {} {:x?}\n{text}", call.nr.0, call.args);
                    compared += 1;
                }
            }
        }
        assert!(
            compared > 0 && (runtime == Runtime::Crun) == (stubs == 0),
            "{stack}: {compared} calls, {stubs} in front"
        );
        eprintln!("{stack}: {cases} profiles, {stubs} with a program in front, {compared} calls");
    }
}

/// The example of the manual: call 600 under `default kill`.
#[test]
fn an_unknown_call_lives_on_under_runc_and_dies_under_crun() {
    let text = r#"{"defaultAction": "SCMP_ACT_KILL_PROCESS", "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{"names": ["read", "openat2"], "action": "SCMP_ACT_ALLOW"}]}"#;
    let call = Call { arch: Arch::X86_64, nr: Nr(600), args: [0; 6] };
    for (runtime, answer) in [(Runtime::Crun, Action::KillProcess), (Runtime::Runc, Action::Errno(38))] {
        let Some(rootfs) = or_skip(Rootfs::new()) else { return };
        let Some(real) = or_skip(installed(runtime, &rootfs, Seccomp::Profile(text))) else { return };
        assert_eq!(real.unwrap().filter.action(&call), Ok(answer), "{runtime:?}");
    }
}

/// The table of the manual, as far as the runtimes that are installed go: whether a container starts is what the model says.
#[test]
fn a_container_starts_where_the_model_takes_the_file() {
    const CASES: [(&str, bool); 10] = [
        (r#""defaultAction": "SCMP_ACT_ALLOW""#, true),
        (r#""defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_LOG"]"#, true),
        (r#""defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_NEW_LISTENER"]"#, false),
        (r#""defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_PARISC"]"#, false),
        (r#""defaultAction": "SCMP_ACT_NOTIFY", "listenerPath": "/run/none.sock""#, false),
        (
            r#""defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["no_such_call"], "action": "SCMP_ACT_ERRNO"}]"#,
            true,
        ),
        (
            r#""defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["acct"], "action": "SCMP_ACT_ERRNO", "errnoRet": 4095}]"#,
            false,
        ),
        (
            r#""defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["acct"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]"#,
            true,
        ),
        (
            r#""defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["acct"], "action": "SCMP_ACT_KILL_PROCESS"}]"#,
            true,
        ),
        (
            r#""defaultAction": "SCMP_ACT_ALLOW",
               "syscalls": [{"names": ["acct"], "action": "SCMP_ACT_ERRNO", "includes": {"caps": ["CAP_SYS_ADMIN"]}}]"#,
            true,
        ),
    ];
    for runtime in Runtime::ALL {
        let below = if runtime == Runtime::Runc { Runtime::Runc } else { Runtime::Crun };
        let Some(stack) = or_skip(stack(below)) else { continue };
        for (fields, by_all) in CASES {
            let text = format!("{{{fields}}}");
            let profile = oci::read(text.as_bytes()).unwrap();
            let mut store = Store::default();
            // What no release takes is refused when the file is loaded, or kpolc does not write it at all.
            let taken = by_all
                && stack.refused(&profile).iter().all(|refused| !refused.fatal)
                && runtime::load_by(&mut store, &profile, Arch::X86_64, &stack).is_ok();
            let Some(output) = or_skip(super::fresh(runtime, Seccomp::Profile(&text), &[], &["true"])) else { break };
            assert_eq!(output.success(), taken, "{runtime:?}, {stack}: {text}\n{output:?}");
        }
    }
}

/// What W027 says of flags.
#[test]
fn runc_before_1_2_refuses_flags_and_crun_takes_them() {
    let text = r#"{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_LOG"]}"#;
    let profile = oci::read(text.as_bytes()).unwrap();
    for runtime in [Runtime::Crun, Runtime::Runc] {
        let Some(stack) = or_skip(stack(runtime)) else { continue };
        let Some(rootfs) = or_skip(Rootfs::new()) else { return };
        let Some(real) = or_skip(installed(runtime, &rootfs, Seccomp::Profile(text))) else { return };
        let refused = stack.refused(&profile);
        match real {
            Ok(real) => {
                assert!(refused.is_empty(), "{stack}: {refused:?}");
                assert_eq!(real.flags, ["SECCOMP_FILTER_FLAG_LOG"], "{stack}");
            }
            Err(output) => {
                assert!(!refused.is_empty() && output.stderr.contains("flags"), "{stack}: {output:?}");
            }
        }
    }
}
