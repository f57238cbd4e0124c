//! What the real libseccomp makes of our JSON is our filter, on examples and on random policies.
//!
//! Only an ABI that the policy does not list may be answered differently: libseccomp ends the thread, we the process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fmt::Write as _;

use kpol_compiler::diagnostic::Code;
use kpol_compiler::driver::Format::{Bpf, Json};
use kpol_compiler::spec::{Action, Arch, Call};
use kpol_compiler::tables;
use kpol_tests::cbpf::{Difference, Filter, MAX_INSTRUCTIONS, differences};
use kpol_tests::libseccomp::{Options, has, json_to_bpf, knows, profile_to_bpf};
use kpol_tests::policy::{Built, EXAMPLES, call, example, random, samples, text};
use kpol_tests::profile::Node;
use kpol_tests::skip::{Skip, or_skip};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// The calls that our filter and the one of libseccomp answer differently, on every ABI of the policy. Calls that the
/// installed release does not know there get the default, as they do in a container.
fn differing(built: &Built, options: Options) -> Result<Vec<Difference>, Skip> {
    let policy = &built.compiled.policy;
    let mut hosts: Vec<Arch> = policy.archs.iter().map(|arch| arch.native()).collect();
    hosts.dedup();
    let mut found = Vec::new();
    for host in hosts {
        let theirs = profile_to_bpf(built.json(), &Node::new(host), options)?.unwrap();
        if theirs.0.len() > MAX_INSTRUCTIONS {
            // No kernel would take it, which kpolc has foretold.
            assert!(built.codes.contains(&Code::W015), "{:?}", built.codes);
            continue;
        }
        for &arch in policy.archs.iter().filter(|arch| arch.native() == host) {
            let calls = samples(built, &[built.bpf(), &theirs], arch, &mut random(3));
            for call in &calls {
                assert_eq!(built.bpf().action(call).unwrap(), built.action(call), "filter and policy on {call:?}");
            }
            found.extend(differences(built.bpf(), &theirs, calls).filter(|found| {
                let name = tables::syscall_at(arch, found.call.nr).map(tables::Syscall::name);
                let dropped = name.is_some_and(|name| !has(name, arch).unwrap());
                !(dropped && found.right == Ok(policy.default))
            }));
        }
        foreign(built, &theirs, host);
    }
    Ok(found)
}

/// ABIs that are not listed: the one place where the two may differ, and how.
fn foreign(built: &Built, theirs: &Filter, host: Arch) {
    for arch in Arch::all().filter(|arch| !built.compiled.policy.archs.contains(arch)) {
        let Some(call) = call(arch, "read", &[]) else { continue };
        assert_eq!(built.bpf().action(&call), Ok(Action::KillProcess), "{arch}");
        // Each other filter holds the ABIs of its own host.
        assert_eq!(theirs.action(&call), Ok(Action::KillThread), "{arch} on {host}");
    }
}

#[test]
fn on_every_example_both_outputs_say_the_same() {
    for name in EXAMPLES.into_iter().chain(["kios-example"]) {
        let built = example(name, Some(&[]), &[Json, Bpf]);
        for optimize in [false, true] {
            let Some(found) = or_skip(differing(&built, Options { optimize })) else { return };
            assert_eq!(found, [], "{name}");
        }
    }
}

/// Conditions of many kinds, whose tests look alike here and there: the library makes one of those, and must not mix
/// them up.
#[test]
fn many_conditions_beside_each_other_come_out_right() {
    let policy = "default kill
        allow { read(fd == -1), openat(dfd == AT_FDCWD, flags & O_ACCMODE == O_RDONLY), lseek(offset < 0),
            mmap(prot & PROT_EXEC == 0 || flags & MAP_ANONYMOUS), kill(sig in {0, SIGTERM..SIGSTOP}), execve, exit_group,
            ioctl(cmd not in {TIOCSTI, TIOCLINUX}), clone(clone_flags & CLONE_NEWUSER == 0 && !(flags & CLONE_NEWNS)),
            personality(persona in {0, 8, 0x20000, 0x20008, 0xffffffff}), prctl(option == PR_SET_NAME),
            futex(op & 0x7f in {FUTEX_WAIT, FUTEX_WAKE}) }
        deny(ENOSYS) { clone3 }";
    for arch in ["x86_64", "aarch64", "riscv64"] {
        let built = text(&format!("arch {arch}\n{policy}"), &[Json, Bpf]).unwrap();
        let Some(found) = or_skip(differing(&built, Options { optimize: false })) else { return };
        assert_eq!(found, [], "{arch}");
    }
}

const DENY: Action = Action::Errno(1);

/// A condition on a whole register is a comparison of 64 bits on one ABI of a host and of 32 on the other. One file says it for both, and
/// `socketcall`, which is allowed whatever `socket` says, stays so.
#[test]
fn whole_registers_are_compared_on_two_abis_by_one_file() {
    for rules in [
        "allow { execve, socketcall, socket(reg0 != AF_VSOCK) }",
        "allow { execve, socketcall, socket(reg0 not in {AF_ALG, AF_VSOCK}) }",
        "allow { execve, socketcall, socket(reg0 != AF_NETLINK || reg2 != 9) }
         deny(EINVAL) { socket(reg0 == AF_NETLINK, reg2 == 9) }",
        "allow { execve, socketcall, socket(family != AF_VSOCK), sendto(flags & MSG_OOB == 0) }",
        "allow { execve, close(reg0 != 3), dup(reg0 < 1000) }",
    ] {
        for archs in ["x86_64, x86", "aarch64, arm", "x86_64, x86, aarch64, arm", "mipsel64, mipsel"] {
            let built = text(&format!("arch {archs}\ndefault deny(EPERM)\n{rules}"), &[Json, Bpf]).unwrap();
            for optimize in [false, true] {
                let Some(found) = or_skip(differing(&built, Options { optimize })) else { return };
                assert_eq!(found, [], "{archs}: {rules}");
            }
        }
    }
}

fn both(policy: &str, host: Arch) -> Option<(Built, Filter)> {
    let built = text(policy, &[Json, Bpf]).unwrap();
    let theirs = or_skip(json_to_bpf(built.json(), host))?.unwrap();
    Some((built, theirs))
}

/// `socketcall(SYS_SOCKET)` is opened by an unconditional `socket`, in both outputs; a conditional one is no build.
#[test]
fn both_outputs_open_the_multiplexer_together_or_there_is_none() {
    let Some((built, theirs)) = both("arch x86_64, x86\ndefault deny\nallow { socket, bind }", Arch::X86_64) else {
        return;
    };
    for (number, action) in [(1, Action::Allow), (2, Action::Allow), (3, DENY), (1 << 32 | 3, DENY)] {
        let call = call(Arch::X86, "socketcall", &[number]).unwrap();
        assert_eq!((built.bpf().action(&call), theirs.action(&call)), (Ok(action), Ok(action)), "{number:#x}");
    }
    let policy = "arch x86_64, x86\ndefault deny\nallow { socket(family == AF_UNIX) }";
    let codes: Vec<_> = text(policy, &[Json, Bpf]).unwrap_err().into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, [Code::E054]);
    // The filter alone can say it.
    let built = text(policy, &[Bpf]).unwrap();
    let socketcall = call(Arch::X86, "socketcall", &[1]).unwrap();
    assert_eq!(built.bpf().action(&socketcall), Ok(DENY));
}

/// The upper half of what `ipc` is given is a version, at which the kernel does not look to tell the calls apart.
#[test]
fn a_call_behind_ipc_is_found_under_any_version() {
    let rules = ["default allow\ndeny { msgget, semop }", "default deny\nallow { read, msgget, semop }"];
    for (archs, versioned) in
        [("x86_64, x86", true), ("ppc64le", true), ("mipsel64, mipsel", true), ("s390x, s390", false)]
    {
        for (rules, [ruled, other]) in rules.into_iter().zip([[DENY, Action::Allow], [Action::Allow, DENY]]) {
            let built = text(&format!("arch {archs}\n{rules}"), &[Json, Bpf]).unwrap();
            let policy = &built.compiled.policy;
            let host = policy.archs[0].native();
            // The other byte order is read by nobody here.
            let Some(theirs) = or_skip(json_to_bpf(built.json(), host)) else { return };
            let theirs = (!host.is_big_endian()).then(|| theirs.unwrap());
            for &arch in policy.archs.iter().filter(|&&arch| call(arch, "ipc", &[]).is_some()) {
                // s390 refuses a version.
                let versioned = if versioned { ruled } else { other };
                let mut calls = vec![(13, ruled), (1, ruled), (2, other), (0, other), (0xd_0000, other)];
                calls.extend([(0x1_000d, versioned), (0xffff_0001, versioned)]);
                if arch.bits() == 64 {
                    calls.extend([(7 << 32 | 13, ruled), (7 << 32 | 2, other)]);
                }
                for (number, action) in calls {
                    let call = call(arch, "ipc", &[number]).unwrap();
                    assert_eq!(built.action(&call), action, "{archs}: {rules}: {call:x?}");
                    if let Some(theirs) = &theirs {
                        let answers = [built.bpf().action(&call), theirs.action(&call)];
                        assert_eq!(answers, [Ok(action), Ok(action)], "{archs}: {rules}: {call:x?}");
                    }
                }
            }
        }
    }
}

/// What libseccomp refuses kpolc does not write; what it takes kpolc does.
#[test]
fn errnos_and_actions_are_refused_where_libseccomp_refuses_them() {
    let words = ["kill", "kill_thread", "trap", "log", "allow", "notify"].map(str::to_owned);
    let numbers = [0, 1, 4094, 4095].into_iter().map(|errno| format!("deny({errno})"));
    let numbers = numbers.chain([0, 1, 4094, 4095, 65535].map(|message| format!("trace({message})")));
    for action in words.into_iter().chain(numbers) {
        for as_default in [true, false] {
            if as_default && action == "notify" {
                continue;
            }
            let other = if action.starts_with("deny") { "allow" } else { "deny(7)" };
            let (default, rule) = if as_default { (action.as_str(), other) } else { (other, action.as_str()) };
            let policy = format!("arch x86_64\nlistener \"/run/a.sock\"\ndefault {default}\n{rule} {{ getpid }}");
            assert!(text(&policy, &[Bpf]).is_ok(), "{policy}");
            let (word, number) = action.split_once('(').unwrap_or((action.as_str(), ""));
            let number = number.trim_end_matches(')');
            let said = match word {
                "deny" => format!("SCMP_ACT_ERRNO\", \"X\": {number}, \"Y\": \""),
                "trace" => format!("SCMP_ACT_TRACE\", \"X\": {number}, \"Y\": \""),
                "kill" => "SCMP_ACT_KILL_PROCESS".to_owned(),
                word => format!("SCMP_ACT_{}", word.to_uppercase()),
            };
            let other = if other == "allow" { "SCMP_ACT_ALLOW" } else { "SCMP_ACT_ERRNO" };
            let (default, rule) = if as_default { (said.as_str(), other) } else { (other, said.as_str()) };
            let json = format!(
                r#"{{"defaultAction": "{}", "syscalls": [{{"names": ["getpid"], "action": "{}"}}]}}"#,
                default.replace('X', "defaultErrnoRet"),
                rule.replace('X', "errnoRet"),
            );
            let Some(theirs) = or_skip(json_to_bpf(&json, Arch::X86_64)) else { return };
            let ours = text(&policy, &[Json]).map(|_| ()).map_err(|found| found[0].0);
            assert_eq!(ours, if theirs.is_ok() { Ok(()) } else { Err(Code::E055) }, "{policy}{json}: {theirs:?}");
        }
    }
}

/// Runtimes pass over entries equal to the default, so no meaning may hang on one.
#[test]
fn what_equals_the_default_is_said_by_what_does_not() {
    let policy = "arch x86_64\ndefault deny\nallow { lseek(whence != 1) }\ndeny(EPERM) { lseek(whence == 1), read }";
    let Some((built, theirs)) = both(policy, Arch::X86_64) else { return };
    assert!(!built.json().contains("\"read\""), "{}", built.json());
    for whence in 0..4 {
        let call = call(Arch::X86_64, "lseek", &[0, 0, whence | 7 << 32]).unwrap();
        let action = if whence == 1 { DENY } else { Action::Allow };
        assert_eq!((built.bpf().action(&call), theirs.action(&call)), (Ok(action), Ok(action)), "{whence}");
    }
}

/// The JSON means the default where the runtime's libseccomp is older than the name; kpolc has said so.
#[test]
fn a_name_that_libseccomp_does_not_know_gets_the_default() {
    let Some(known) = or_skip(knows("listns")) else { return };
    let policy = "arch x86_64\ndefault deny\nallow { read, listns }";
    let (built, theirs) = both(policy, Arch::X86_64).unwrap();
    let listns = call(Arch::X86_64, "listns", &[]).unwrap();
    assert_eq!(built.bpf().action(&listns), Ok(Action::Allow));
    assert_eq!(theirs.action(&listns), Ok(if known { Action::Allow } else { DENY }));
    let release = kpol_compiler::driver::Options { libseccomp: Some((2, 5, 4)), ..Default::default() };
    let built = kpol_tests::policy::with_options(policy, &release, &[Json]).unwrap();
    assert!(built.codes.contains(&Code::W009), "{:?}", built.codes);
}

/// A 32-bit parameter is compared on 32 bits in both outputs, a 64-bit one on 64, a signed one by its sign.
#[test]
fn widths_are_the_kernels_in_both_outputs() {
    let policy = "arch x86_64\ndefault deny\nallow {
        openat(dfd == AT_FDCWD), lseek(offset < 4096), kill(pid >= 0 && sig == 1), mmap(len > 0x1_0000_0000) }";
    let Some((built, theirs)) = both(policy, Arch::X86_64) else { return };
    let minus = |value: i64| value as u64;
    for (name, args, action) in [
        ("openat", &[minus(-100)][..], Action::Allow),
        ("openat", &[0xffff_ff9c], Action::Allow),
        ("openat", &[0xdead_beef_ffff_ff9c], Action::Allow),
        ("openat", &[0xffff_ff9d], DENY),
        ("lseek", &[0, 4095], Action::Allow),
        ("lseek", &[0, minus(-1)], Action::Allow),
        ("lseek", &[0, 4096], DENY),
        ("lseek", &[0, 1 << 32], DENY),
        ("kill", &[0x7fff_ffff, 1], Action::Allow),
        ("kill", &[0x8000_0000, 1], DENY),
        ("kill", &[0xffff_ffff_0000_0000, 1 | 5 << 32], Action::Allow),
        ("mmap", &[0, 0x1_0000_0000], DENY),
        ("mmap", &[0, 0x1_0000_0001], Action::Allow),
    ] {
        let call = call(Arch::X86_64, name, args).unwrap();
        assert_eq!((built.bpf().action(&call), theirs.action(&call)), (Ok(action), Ok(action)), "{name} {args:x?}");
    }
}

/// Calls with the names and the widths of some of their parameters.
const CALLS: [(&str, &[&str]); 14] = [
    ("read", &["fd", "reg2"]),
    ("write", &["fd == 1 || fd", "reg1"]),
    ("openat", &["dfd", "flags", "mode"]),
    ("lseek", &["fd", "offset", "whence"]),
    ("accept4", &["fd", "flags"]),
    ("mprotect", &["len", "prot"]),
    ("socket", &["family", "type", "protocol"]),
    ("fcntl", &["fd", "cmd", "arg"]),
    ("ioctl", &["fd", "cmd"]),
    ("clone", &["reg0", "reg1"]),
    ("prctl", &["option", "arg2"]),
    ("kill", &["pid", "sig"]),
    ("setuid", &["uid"]),
    ("personality", &["personality", "reg0"]),
];

const VALUES: [&str; 14] = [
    "0",
    "1",
    "-1",
    "2",
    "7",
    "38",
    "0x7fff_ffff",
    "0x8000_0000",
    "0xffff_ffff",
    "0x1_0000_0000",
    "AT_FDCWD",
    "O_CLOEXEC",
    "SIGKILL",
    "0x5413",
];

fn condition(params: &'static [&'static str]) -> impl Strategy<Value = String> {
    let compare = (select(params), select(&["==", "!=", "<", "<=", ">", ">="][..]), select(&VALUES[..]))
        .prop_map(|(param, op, value)| format!("{param} {op} {value}"));
    let mask = (select(params), select(&["1", "3", "0xff", "0x10020000", "O_CLOEXEC"][..]), select(&VALUES[..3]))
        .prop_map(|(param, mask, value)| format!("{param} & {mask} == {value}"));
    let one_of = (select(params), subsequence(&VALUES[..6], 1..4))
        .prop_map(|(param, values)| format!("{param} in {{{}}}", values.join(", ")));
    let leaf = prop_oneof![3 => compare, 2 => mask, 2 => one_of];
    leaf.prop_recursive(2, 4, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| format!("!({one})")),
            (inner.clone(), inner.clone()).prop_map(|(one, two)| format!("({one}) && ({two})")),
            (inner.clone(), inner).prop_map(|(one, two)| format!("({one}) || ({two})")),
        ]
    })
}

const ACTIONS: [&str; 8] = ["allow", "log", "deny", "deny(ENOSYS)", "kill", "kill_thread", "trap", "trace(7)"];

/// A rule, or two that share a call between them.
fn rule(index: usize) -> impl Strategy<Value = String> {
    let (name, params) = CALLS[index];
    let simple = select(&ACTIONS[..]).prop_map(move |action| format!("{action} {{ {name} }}\n"));
    let filtered = (select(&ACTIONS[..]), condition(params))
        .prop_map(move |(action, condition)| format!("{action} {{ {name}({condition}) }}\n"));
    let shared =
        (select(&ACTIONS[..]), select(&ACTIONS[..]), condition(params)).prop_map(move |(one, two, condition)| {
            format!("{one} {{ {name}({condition}) }}\n{two} {{ {name}(!({condition})) }}\n")
        });
    prop_oneof![2 => simple, 3 => filtered, 2 => shared]
}

fn policies() -> impl Strategy<Value = String> {
    let archs = select(
        &["", "x86_64", "x86_64, x86", "x86_64, x32", "x86_64, x86, x32", "aarch64", "aarch64, arm", "x86_64, aarch64"]
            [..],
    );
    let chosen = subsequence((0..CALLS.len()).collect::<Vec<_>>(), 1..6);
    let rules = chosen.prop_flat_map(|chosen| chosen.into_iter().map(rule).collect::<Vec<_>>());
    (archs, select(&ACTIONS[..]), rules, any::<bool>()).prop_map(|(archs, default, rules, fillers)| {
        let mut text = format!("default {default}\n");
        if !archs.is_empty() {
            let _ = writeln!(text, "arch {archs}");
        }
        text.extend(rules);
        if fillers {
            text.push_str("override allow { @signal, @timer }\n");
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, max_shrink_iters: 64, max_global_rejects: 8192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn on_random_policies_both_outputs_say_the_same(policy in policies(), optimize: bool) {
        match text(&policy, &[Json, Bpf]) {
            Ok(built) => {
                let Some(found) = or_skip(differing(&built, Options { optimize })) else { return Ok(()) };
                prop_assert_eq!(found, [], "{}\n{}", policy, built.json());
            }
            // What JSON can't say is refused, with a reason, and a negative number for an unsigned parameter, and a condition
            // that a multiplexer passes by.
            Err(errors) => {
                let refusals = [Code::E033, Code::E051, Code::E053, Code::E054, Code::E081];
                prop_assert!(errors.iter().all(|(code, _)| refusals.contains(code)), "{}\n{:#?}", policy, errors);
                return Err(TestCaseError::reject("refused"));
            }
        }
    }
}

/// Both filters for an argument that the kernel cuts: not a sample, the same answer with any garbage above.
#[test]
fn garbage_above_a_32_bit_parameter_changes_nothing() {
    let policy =
        "default deny\nallow { ioctl(cmd not in {TIOCSTI, TIOCLINUX}), socket(type & SOCK_TYPE_MASK == SOCK_STREAM) }";
    for host in [Arch::X86_64, Arch::Aarch64] {
        let Some((built, theirs)) = both(policy, host) else { return };
        let mut next = random(5);
        for _ in 0..20_000 {
            let low = if next().is_multiple_of(2) { next() & 0xffff_ffff } else { 0x5412 + next() % 16 };
            let one =
                |value: u64| -> [Call; 2] { ["ioctl", "socket"].map(|name| call(host, name, &[0, value]).unwrap()) };
            for (clean, garbage) in one(low).iter().zip(&one(low | next() << 32)) {
                assert_eq!(built.bpf().action(clean), built.bpf().action(garbage), "{garbage:?}");
                assert_eq!(built.bpf().action(clean), theirs.action(garbage), "{garbage:?}");
            }
        }
    }
}
