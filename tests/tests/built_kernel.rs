//! Filters of our own making on real kernels: this machine's, and an arm64 one.
//!
//! Each call is made with and without the filter, and what came of it must be what the policy says. See
//! `kpol_tests::kernel` for which calls are fit for that.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use kpol_compiler::driver::Format::{Bpf, Json};
use kpol_compiler::spec::{Action, Arch, Call};
use kpol_tests::cbpf::{Filter, assemble::always};
use kpol_tests::libseccomp::json_to_bpf;
use kpol_tests::policy::{Built, EXAMPLES, call, example, text};
use kpol_tests::probe::{Job, Outcome, Watch};
use kpol_tests::skip::or_skip;
use kpol_tests::{Skip, arm64, kernel};

/// All actions, all widths. 4094 is an errno that no call has of its own; libseccomp takes no larger one.
const POLICY: &str = r#"
    arch x86_64, x86, x32, aarch64, arm
    default deny(4094)
    listener "/run/agent.sock"

    allow       { close, lseek(offset < 0x1_0000_0000), socket(family in {AF_UNIX, AF_INET}) }
    log         { getppid }
    deny        { setuid }
    deny(38)    { clone3, lseek(offset >= 0x1_0000_0000) }
    kill        { setgid, socket(family == AF_ALG) }
    kill_thread { setfsuid }
    trap        { getpgid }
    trace(9)    { getsid }
    notify      { getuid }

    allow { kill(pid < 0 && sig == 99), fcntl(cmd in {F_GETFD, 0x400..0x40a}), personality(personality == 0xffff_ffff) }
    allow { openat(dfd == AT_FDCWD, flags & O_CLOEXEC == 0), mprotect(prot & (PROT_WRITE | PROT_EXEC) != PROT_WRITE | PROT_EXEC) }
"#;

/// JSON has no `socket` under a condition where there is a `socketcall`: the same without the 32-bit ABIs.
fn for_64_bits() -> String {
    POLICY.replace("arch x86_64, x86, x32, aarch64, arm", "arch x86_64, aarch64")
}

const GARBAGE: u64 = 0xdead_beef_0000_0000;
const MINUS: u64 = u64::MAX;

/// Harmless where they are allowed: nothing is opened, ended or changed. Those of the policy above come first.
const CALLS: &[(&str, &[u64])] = &[
    ("close", &[MINUS]),
    ("getppid", &[]),
    ("setuid", &[MINUS]),
    ("clone3", &[0, 0]),
    ("setgid", &[MINUS]),
    ("setfsuid", &[MINUS]),
    ("getpgid", &[0x7fff_ffff]),
    ("getsid", &[0x7fff_ffff]),
    ("getuid", &[]),
    ("getgid", &[]),
    // 64 bits, signed.
    ("lseek", &[MINUS, 0, 9]),
    ("lseek", &[MINUS, 0xffff_ffff, 9]),
    ("lseek", &[MINUS, 0x1_0000_0000, 9]),
    ("lseek", &[MINUS, 0x7fff_ffff_ffff_ffff, 9]),
    ("lseek", &[MINUS, MINUS, 9]),
    ("lseek", &[MINUS, 1 << 63, 9]),
    // 32 bits. Type 15 is no type: EINVAL for every family.
    ("socket", &[0, 15]),
    ("socket", &[1, 15]),
    ("socket", &[2, 15]),
    ("socket", &[3, 15]),
    ("socket", &[38, 15]),
    ("socket", &[38 | GARBAGE, 15]),
    ("socket", &[1 | GARBAGE, 15]),
    ("socket", &[1 << 32, 15]),
    ("socket", &[40, 15]),
    ("socket", &[40 | 1 << 32, 15]),
    ("socket", &[MINUS, 15]),
    ("socket", &[2, 3 | GARBAGE, MINUS]),
    // 32 bits, signed; there is no signal 99.
    ("kill", &[MINUS, 99]),
    ("kill", &[0xffff_ffff, 99]),
    ("kill", &[0x8000_0000, 99]),
    ("kill", &[0x8000_0000 | GARBAGE, 99 | GARBAGE]),
    ("kill", &[0x7fff_ffff, 99]),
    ("kill", &[0, 99]),
    ("kill", &[MINUS, 98]),
    // The directory of the process however it was extended, and a mask. The name is no address.
    ("openat", &[MINUS - 99, 1, 0]),
    ("openat", &[0xffff_ff9c, 1, 0]),
    ("openat", &[0xffff_ff9c | GARBAGE, 1, 0]),
    ("openat", &[0xffff_ff9d, 1, 0]),
    ("openat", &[MINUS - 99, 1, 0x8_0000]),
    ("openat", &[MINUS - 99, 1, 0x8_0000 << 32]),
    ("open", &[1, 0]),
    ("openat2", &[MINUS, 0, 0, 0]),
    ("fcntl", &[MINUS, 1]),
    ("fcntl", &[MINUS, 1 | GARBAGE]),
    ("fcntl", &[MINUS, 2]),
    ("fcntl", &[MINUS, 0x3ff]),
    ("fcntl", &[MINUS, 0x400]),
    ("fcntl", &[MINUS, 0x40a | GARBAGE]),
    ("fcntl", &[MINUS, 0x40b]),
    ("personality", &[0xffff_ffff]),
    ("personality", &[0xffff_ffff | GARBAGE]),
    // Not the address of a page.
    ("mprotect", &[1, 0, 0]),
    ("mprotect", &[1, 0, 3]),
    ("mprotect", &[1, 0, 5]),
    ("mprotect", &[1, 0, 6]),
    ("mprotect", &[1, 0, 7]),
    ("mprotect", &[1, 0, 7 | GARBAGE]),
    // What the examples speak of.
    ("accept4", &[MINUS, 0, 0, 0]),
    ("add_key", &[0, 0, 0, 0, 0]),
    ("bpf", &[99, 0, 0]),
    // CLONE_SIGHAND without CLONE_VM, CLONE_NEWNS with CLONE_FS: no process comes of it.
    ("clone", &[0x800, 0, 0, 0, 0]),
    ("clone", &[0x2_0200, 0, 0, 0, 0]),
    ("clone", &[0x2_0200 | 1 << 63, 0, 0, 0, 0]),
    ("clone", &[0x1000_0800, 0, 0, 0, 0]),
    ("connect", &[MINUS, 0, 0]),
    ("copy_file_range", &[MINUS, 0, MINUS, 0, 0, 0]),
    ("execve", &[0, 0, 0]),
    ("fanotify_init", &[MINUS, 0]),
    ("fchmod", &[MINUS, 0]),
    ("finit_module", &[MINUS, 0, 0]),
    ("init_module", &[0, 0, 0]),
    ("io_uring_setup", &[0, 0]),
    ("ioctl", &[MINUS, 0x5411, 0]),
    ("ioctl", &[MINUS, 0x5412, 0]),
    ("ioctl", &[MINUS, 0x5412 | GARBAGE, 0]),
    ("ioctl", &[MINUS, 0x541c, 0]),
    ("ioctl", &[MINUS, 0x541b, 0]),
    ("ioctl", &[MINUS, 0x5413_0000_5412, 0]),
    ("kcmp", &[0x7fff_ffff, 0x7fff_ffff, 99, 0, 0]),
    ("kexec_load", &[0, 99, 0, MINUS]),
    ("keyctl", &[9999, 0, 0, 0, 0]),
    ("listen", &[MINUS, 0]),
    ("memfd_create", &[0, MINUS]),
    ("mkdir", &[1, 0]),
    ("mkdirat", &[MINUS, 1, 0]),
    ("mount", &[1, 1, 1, 0, 0]),
    ("open_by_handle_at", &[MINUS, 0, 0]),
    ("perf_event_open", &[0, 0, 0, 0, 0]),
    ("prctl", &[9999, 0, 0, 0, 0]),
    ("process_vm_readv", &[0x7fff_ffff, 0, 0, 0, 0, 0]),
    ("ptrace", &[9999, 0x7fff_ffff, 0, 0]),
    ("read", &[MINUS, 0, 0]),
    ("reboot", &[0, 0, 0, 0]),
    ("request_key", &[0, 0, 0, 0]),
    ("sendfile", &[MINUS, MINUS, 0, 0]),
    ("setns", &[MINUS, 0]),
    ("socketpair", &[1, 15, 0, 0]),
    ("socketpair", &[38, 15, 0, 0]),
    ("socketcall", &[99, 0]),
    ("swapon", &[1, 0]),
    ("symlink", &[1, 1]),
    ("syslog", &[99, 0, 0]),
    ("umount2", &[1, MINUS]),
    ("unshare", &[1]),
    ("userfaultfd", &[MINUS]),
    ("write", &[MINUS, 0, 0]),
];

fn calls(arch: Arch) -> Vec<Call> {
    CALLS.iter().filter_map(|(name, args)| call(arch, name, args)).collect()
}

/// What is said of each call: by the policy itself, not by its filter.
fn said(built: &Built, arch: Arch) -> Vec<(Call, Action)> {
    calls(arch).into_iter().map(|call| (call, built.action(&call))).collect()
}

/// The policy and all examples, as filters.
fn everything() -> Vec<(&'static str, Built)> {
    let own = text(POLICY, &[Bpf]).unwrap();
    [("all actions", own)]
        .into_iter()
        .chain(EXAMPLES.into_iter().chain(["kios-example"]).map(|name| (name, example(name, Some(&[]), &[Bpf]))))
        .collect()
}

#[test]
fn the_running_kernel_enforces_what_the_policies_say() {
    let Some(native) = or_skip(kernel::native()) else { return };
    for (name, built) in everything() {
        assert_eq!(or_skip(kernel::mismatches(built.bpf(), &said(&built, native))), Some(vec![]), "{name}");
    }
}

/// By `int 0x80`, and by x32's numbers, whether the policy lists these ABIs or not.
#[test]
fn the_running_kernel_enforces_them_for_the_other_abis_too() {
    let Some(Arch::X86_64) = or_skip(kernel::native()) else { return };
    let close = call(Arch::X86, "close", &[0xffff_ffff]).unwrap();
    let Some(free) = or_skip(kernel::run(&[Job::new(&always(Action::Allow), &[close])])) else { return };
    let mut archs = vec![Arch::X32];
    if free[0] == [Outcome::Errno(9)] {
        archs.push(Arch::X86);
    } else {
        or_skip::<()>(Err(Skip("no int 0x80 in this kernel".into())));
    }
    for (name, built) in everything() {
        for &arch in &archs {
            // An ABI that is not listed ends the process.
            let listed = built.compiled.policy.archs.contains(&arch);
            let said = said(&built, arch);
            assert!(listed || said.iter().all(|(_, action)| *action == Action::KillProcess), "{name} {arch}");
            let said: Vec<_> = said
                .into_iter()
                .map(|(call, action)| (Call { args: narrow(arch, call.args), ..call }, action))
                .collect();
            assert_eq!(or_skip(kernel::mismatches(built.bpf(), &said)), Some(vec![]), "{name} {arch}");
        }
    }
}

/// The kernel tells the calls behind `ipc` apart by the lower half of its first argument.
#[test]
fn a_version_in_ipc_leads_past_no_rule() {
    let Some(Arch::X86_64) = or_skip(kernel::native()) else { return };
    // A queue that nobody has made: ENOENT from msgget's own code.
    let calls = [13, 0x1_000d, 0xffff_000d].map(|number| call(Arch::X86, "ipc", &[number, 0x7e57_ab1e, 0]).unwrap());
    let Some(free) = or_skip(kernel::run(&[Job::new(&always(Action::Allow), &calls)])) else { return };
    if free[0] != [Outcome::Errno(2); 3] {
        or_skip::<()>(Err(Skip(format!("no ipc by int 0x80 in this kernel: {free:?}"))));
        return;
    }
    let built = text("arch x86_64, x86\ndefault allow\ndeny(4094) { msgget }", &[Json, Bpf]).unwrap();
    let jobs = [Job::new(built.bpf(), &calls)];
    assert_eq!(or_skip(kernel::run(&jobs)), Some(vec![vec![Outcome::Errno(4094); 3]]));
    if let Some(theirs) = or_skip(json_to_bpf(built.json(), Arch::X86_64)) {
        let jobs = [Job::new(&theirs.unwrap(), &calls)];
        assert_eq!(or_skip(kernel::run(&jobs)), Some(vec![vec![Outcome::Errno(4094); 3]]));
    }
}

/// What `socketcall` is to do lies in memory: a rule with a condition cannot hold there, and opens nothing.
#[test]
fn a_condition_on_socket_leaves_socketcall_shut() {
    const DENIED: u16 = 4094;
    const EFAULT: u16 = 14;
    const EINVAL: u16 = 22;
    let Some(Arch::X86_64) = or_skip(kernel::native()) else { return };
    // Type 15 is no type, and nothing is at address 1.
    let calls: [(_, &[u64]); 4] =
        [("socket", &[1, 15, 0]), ("socket", &[38, 15, 0]), ("socketcall", &[1, 1]), ("socketcall", &[2, 1])];
    let calls = calls.map(|(name, args)| call(Arch::X86, name, args).unwrap());
    let under = |filter: &Filter| or_skip(kernel::run(&[Job::new(filter, &calls)])).map(|mut all| all.remove(0));
    let errnos = |errnos: [u16; 4]| errnos.map(Outcome::Errno).to_vec();
    let Some(free) = under(&always(Action::Allow)) else { return };
    if free != errnos([EINVAL, EINVAL, EFAULT, EFAULT]) {
        or_skip::<()>(Err(Skip(format!("no socketcall by int 0x80 in this kernel: {free:?}"))));
        return;
    }
    let policy = |rule: &str| format!("arch x86_64, x86\ndefault deny(4094)\nallow {{ {rule} }}");
    let one_family = policy("socket(family == AF_UNIX)");
    let built = text(&one_family, &[Bpf]).unwrap();
    assert_eq!(under(built.bpf()), Some(errnos([EINVAL, DENIED, DENIED, DENIED])));
    // libseccomp would open `socketcall` for it.
    let refused = text(&one_family, &[Json]).map(|_| ()).unwrap_err();
    assert!(refused.iter().any(|(code, _)| code.as_str() == "E054"), "{refused:?}");
    // Without a condition it is one rule for both ways in.
    let built = text(&policy("socket"), &[Json, Bpf]).unwrap();
    let both = Some(errnos([EINVAL, EINVAL, EFAULT, DENIED]));
    assert_eq!(under(built.bpf()), both);
    if let Some(theirs) = or_skip(json_to_bpf(built.json(), Arch::X86_64)) {
        assert_eq!(under(&theirs.unwrap()), both);
    }
}

/// `prctl` calls its parameters `option, arg2, arg3 …`: `arg2` is in the second register, which is `reg1`.
#[test]
fn a_parameter_called_arg2_is_where_the_kernel_reads_it() {
    const SET_DUMPABLE: u64 = 4;
    let Some(native) = or_skip(kernel::native()) else { return };
    let prctl = |args: &[u64]| call(native, "prctl", args).unwrap();
    let calls = [&[SET_DUMPABLE, 1, 0], &[SET_DUMPABLE, 0, 1], &[SET_DUMPABLE, 1, 5], &[SET_DUMPABLE, 0, 0]]
        .map(|args| prctl(args));
    let under = |rule: &str| {
        let policy =
            format!("arch x86_64, aarch64\ndefault allow\nkill {{ prctl(option == PR_SET_DUMPABLE, {rule}) }}");
        let built = text(&policy, &[Bpf, Json]).unwrap();
        let run = |filter: &Filter| or_skip(kernel::run(&[Job::new(filter, &calls)])).map(|mut all| all.remove(0));
        let ours = run(built.bpf())?;
        if let Some(theirs) = or_skip(json_to_bpf(built.json(), native)) {
            assert_eq!(run(&theirs.unwrap()), Some(ours.clone()), "{rule}, as libseccomp loads it");
        }
        Some(ours)
    };
    let (dies, lives) = (Outcome::ProcessKilled, Outcome::Returned(0));
    let Some(by_name) = under("arg2 == 1") else { return };
    assert_eq!(by_name, [dies, lives, dies, lives]);
    assert_eq!(under("reg1 == 1"), Some(by_name));
    assert_eq!(under("reg2 == 1"), Some(vec![lives, dies, lives, lives]));
    assert_eq!(under("arg3 == 5"), Some(vec![lives, lives, dies, lives]));
}

/// CVE-2026-31431: who kills AF_ALG by `socket` has to refuse `socketcall` as well, or to kill every `socket`.
#[test]
fn a_family_that_socket_refuses_is_not_to_be_had_by_socketcall() {
    const ENOSYS: u16 = 38;
    let Some(Arch::X86_64) = or_skip(kernel::native()) else { return };
    // Sockets of the type SOCK_SEQPACKET. The probe has the words for `socketcall` at these addresses.
    let mut tried = 0;
    for (family, number, words) in [("AF_ALG", 38, 0x20000), ("AF_UNIX", 1, 0x20100)] {
        let calls: [(_, &[u64]); 2] = [("socket", &[number, 5, 0]), ("socketcall", &[1, words])];
        let calls = calls.map(|(name, args)| call(Arch::X86, name, args).unwrap());
        let under = |filter: &Filter| or_skip(kernel::run(&[Job::new(filter, &calls)])).map(|mut all| all.remove(0));
        let Some(free) = under(&always(Action::Allow)) else { return };
        if !free.iter().all(|outcome| matches!(outcome, Outcome::Returned(_))) {
            // No such family, or no calls by int 0x80, in this kernel.
            continue;
        }
        tried += 1;
        let rule = format!("arch x86_64, x86\ndefault allow\nkill {{ socket(family == {family}) }}\n");
        for format in [Bpf, Json] {
            let refused = text(&rule, &[format]).map(|_| ()).unwrap_err();
            assert!(refused.iter().any(|(code, _)| code.as_str() == "E081"), "{refused:?}");
        }
        // Open on purpose: this is what the error is about.
        let open = text(&format!("{rule}allow {{ socketcall }}"), &[Bpf]).unwrap();
        let outcomes = under(open.bpf()).unwrap();
        assert!(matches!(outcomes[..], [Outcome::ProcessKilled, Outcome::Returned(_)]), "{family}: {outcomes:?}");
        let shut = text(&format!("{rule}deny(ENOSYS) {{ socketcall }}"), &[Json, Bpf]).unwrap();
        let whole = text("arch x86_64, x86\ndefault allow\nkill { socket }", &[Json, Bpf]).unwrap();
        for (built, by_socketcall) in [(shut, Outcome::Errno(ENOSYS)), (whole, Outcome::ProcessKilled)] {
            let both = Some(vec![Outcome::ProcessKilled, by_socketcall]);
            assert_eq!(under(built.bpf()), both, "{family}");
            if let Some(theirs) = or_skip(json_to_bpf(built.json(), Arch::X86_64)) {
                assert_eq!(under(&theirs.unwrap()), both, "{family}, as libseccomp loads it");
            }
        }
    }
    if tried == 0 {
        or_skip::<()>(Err(Skip("no sockets by int 0x80 in this kernel".to_owned())));
    }
}

fn narrow(arch: Arch, args: [u64; 6]) -> [u64; 6] {
    if arch.bits() == 32 { args.map(|arg| arg & 0xffff_ffff) } else { args }
}

/// Every outcome by name, so that the comparison above can't be right about nothing.
fn outcomes_of_the_policy() -> Vec<(&'static str, &'static [u64], Watch, Outcome)> {
    use Watch::{Listener, Nobody, Tracer};
    vec![
        ("close", &[MINUS], Nobody, Outcome::Errno(9)),
        ("setuid", &[MINUS], Nobody, Outcome::Errno(1)),
        ("clone3", &[0, 0], Nobody, Outcome::Errno(38)),
        ("getgid", &[], Nobody, Outcome::Errno(4094)),
        ("setgid", &[MINUS], Nobody, Outcome::ProcessKilled),
        ("setfsuid", &[MINUS], Nobody, Outcome::ThreadKilled),
        ("getpgid", &[0], Nobody, Outcome::Trapped(0)),
        ("getsid", &[0], Nobody, Outcome::Errno(38)),
        ("getsid", &[0], Tracer, Outcome::Traced(9)),
        ("getuid", &[], Nobody, Outcome::Errno(38)),
        ("getuid", &[], Listener, Outcome::Notified),
        ("lseek", &[MINUS, 0xffff_ffff, 9], Nobody, Outcome::Errno(9)),
        ("lseek", &[MINUS, 0x1_0000_0000, 9], Nobody, Outcome::Errno(38)),
        ("lseek", &[MINUS, MINUS, 9], Nobody, Outcome::Errno(9)),
        ("socket", &[1, 15], Nobody, Outcome::Errno(22)),
        ("socket", &[1 | GARBAGE, 15], Nobody, Outcome::Errno(22)),
        ("socket", &[3, 15], Nobody, Outcome::Errno(4094)),
        ("socket", &[38 | GARBAGE, 15], Nobody, Outcome::ProcessKilled),
        ("kill", &[0x8000_0000, 99], Nobody, Outcome::Errno(3)),
        ("kill", &[0x7fff_ffff, 99], Nobody, Outcome::Errno(4094)),
        ("openat", &[0xffff_ff9c, 1, 0], Nobody, Outcome::Errno(14)),
        ("openat", &[0xffff_ff9d, 1, 0], Nobody, Outcome::Errno(4094)),
        ("fcntl", &[MINUS, 0x40a], Nobody, Outcome::Errno(9)),
        ("fcntl", &[MINUS, 0x40b], Nobody, Outcome::Errno(4094)),
        ("mprotect", &[1, 0, 5], Nobody, Outcome::Errno(22)),
        ("mprotect", &[1, 0, 7], Nobody, Outcome::Errno(4094)),
    ]
}

fn jobs_by_outcome(filter: &Filter, arch: Arch) -> Vec<Job> {
    let job = |(name, args, watch, _): (&str, &[u64], Watch, Outcome)| Job {
        watch,
        ..Job::new(filter, &[call(arch, name, args).unwrap()])
    };
    outcomes_of_the_policy().into_iter().map(job).collect()
}

fn check_outcomes(arch: Arch, outcomes: &[Vec<Outcome>]) {
    for ((name, args, watch, expected), seen) in outcomes_of_the_policy().into_iter().zip(outcomes) {
        assert_eq!(seen[..], [expected], "{name} {args:x?} {watch:?} on {arch}");
    }
}

#[test]
fn each_action_is_seen_on_the_running_kernel() {
    let Some(native) = or_skip(kernel::native()) else { return };
    let built = text(POLICY, &[Bpf]).unwrap();
    let Some(outcomes) = or_skip(kernel::run(&jobs_by_outcome(built.bpf(), native))) else { return };
    check_outcomes(native, &outcomes);
}

/// The same calls on an arm64 kernel, under our filters and under those that libseccomp makes of our JSON. One boot.
#[test]
fn an_arm64_kernel_enforces_them_too() {
    let arch = Arch::Aarch64;
    let calls = calls(arch);
    let mut jobs = vec![Job::new(&always(Action::Allow), &calls)];
    let mut meant: Vec<(String, Vec<Action>)> = Vec::new();
    let mut add = |name: String, filter: &Filter, actions: &[Action]| {
        jobs.push(Job::new(filter, &calls));
        meant.push((name, actions.to_vec()));
    };
    let json = |built: &Built| or_skip(json_to_bpf(built.json(), arch)).map(Result::unwrap);
    for (name, built) in everything() {
        let actions: Vec<_> = calls.iter().map(|call| built.action(call)).collect();
        add(format!("{name}, our filter"), built.bpf(), &actions);
        let written = match name {
            "all actions" => text(&for_64_bits(), &[Json]).unwrap(),
            _ => example(name, Some(&[]), &[Json]),
        };
        if let Some(theirs) = json(&written) {
            add(format!("{name}, libseccomp's"), &theirs, &actions);
        }
    }
    let own = text(POLICY, &[Bpf]).unwrap();
    let first_by_outcome = jobs.len();
    jobs.extend(jobs_by_outcome(own.bpf(), arch));
    let Some(outcomes) = or_skip(arm64::run(&jobs)) else { return };
    check_outcomes(arch, &outcomes[first_by_outcome..]);
    for ((name, actions), seen) in meant.iter().zip(&outcomes[1..]) {
        for (((call, action), seen), free) in calls.iter().zip(actions).zip(seen).zip(&outcomes[0]) {
            assert!(seen.is_of(*action, Watch::Nobody, *free), "{name}: {call:x?} is {action:?}, but {seen:?}");
        }
    }
}

/// The 32-bit ABI of the arm64 kernel, under our filters: its own numbers, its own token, registers of 32 bits.
#[test]
fn an_arm64_kernel_enforces_them_for_32_bit_programs_too() {
    let arch = Arch::Arm;
    let calls: Vec<Call> = calls(arch).into_iter().map(|call| Call { args: narrow(arch, call.args), ..call }).collect();
    let mut jobs = vec![Job::new(&always(Action::Allow), &calls)];
    let built = everything();
    jobs.extend(built.iter().map(|(_, built)| Job::new(built.bpf(), &calls)));
    let Some(outcomes) = or_skip(arm64::run_on(arch, &jobs)) else { return };
    let (mut listed, mut foreign) = (0, 0);
    for ((name, built), seen) in built.iter().zip(&outcomes[1..]) {
        let is_listed = built.compiled.policy.archs.contains(&arch);
        if is_listed {
            listed += 1
        } else {
            foreign += 1
        }
        for ((call, seen), free) in calls.iter().zip(seen).zip(&outcomes[0]) {
            let action = built.action(call);
            assert!(is_listed || action == Action::KillProcess, "{name}: {call:x?}");
            assert!(seen.is_of(action, Watch::Nobody, *free), "{name}: {call:x?} is {action:?}, but {seen:?}");
        }
    }
    // `close(-1)` is what it is without a filter: the probe's way in works.
    assert_eq!(outcomes[0][0], Outcome::Errno(9));
    assert!(listed > 0 && foreign > 0, "policies with and without the ABI");
}

/// By `int 0x80` the calls without `32` in their names take 16 bits of an id.
#[test]
fn nobody_becomes_root_by_an_id_of_17_bits() {
    const GUARDED: &str = r#"
        arch x86_64, x86
        default allow
        deny(4094) {
            setresuid(ruid == 0 || euid == 0 || suid == 0), setresuid32(ruid == 0 || euid == 0 || suid == 0),
            setreuid(ruid == 0 || euid == 0), setreuid32(ruid == 0 || euid == 0), setuid(uid == 0), setuid32(uid == 0),
        }
        assert "nobody becomes root" { not allow { setresuid(euid == 0), setreuid(euid == 0), setuid(uid == 0) } }
    "#;
    let built = text(GUARDED, &[Bpf]).unwrap();
    let minus = 0xffff_ffff;
    let calls = [
        ("setresuid", [minus, 0x1_0000, minus]),
        ("setresuid", [minus, 0xffff_0000, minus]),
        ("setresuid", [0x1_0000, minus, minus]),
        ("setreuid", [minus, 0x1_0000, 0]),
        ("setuid", [0x1_0000, 0, 0]),
    ]
    .map(|(name, args)| call(Arch::X86, name, &args).unwrap());
    let said = calls.map(|call| (call, built.action(&call)));
    assert!(said.iter().all(|(_, action)| *action == Action::Errno(4094)), "{said:?}");
    let Some(found) = or_skip(kernel::mismatches(built.bpf(), &said)) else { return };
    assert_eq!(found, []);
}

/// `fcntl` takes an int for F_DUPFD, `keyctl` for the ids of keys: what lies above is dropped before it is looked at.
#[test]
fn a_command_cuts_the_argument_that_it_takes() {
    const GUARDED: &str = r#"
        arch x86_64
        default allow
        deny(4094) {
            fcntl(cmd == F_DUPFD, arg == 7),
            keyctl(option == KEYCTL_DESCRIBE, arg2 == KEY_SPEC_GROUP_KEYRING),
            prctl(option == PR_SET_TSC, arg2 == PR_TSC_ENABLE),
        }
        assert "descriptor 7 is not made" { not allow { fcntl(cmd == F_DUPFD, arg == 7) } }
    "#;
    const F_DUPFD: u64 = 0;
    const F_GETLK: u64 = 5;
    let built = text(GUARDED, &[Bpf]).unwrap();
    let cut: [(&str, &[u64]); 4] = [
        ("fcntl", &[2, F_DUPFD, 7 | GARBAGE]),
        ("fcntl", &[2, F_DUPFD | GARBAGE, 7 | GARBAGE]),
        ("keyctl", &[6, 0xffff_fffa | GARBAGE]),
        ("prctl", &[26, 1 | GARBAGE]),
    ];
    let whole: [(&str, &[u64]); 2] = [("fcntl", &[2, F_DUPFD, 8 | GARBAGE]), ("fcntl", &[2, F_GETLK, 7])];
    let calls: Vec<Call> =
        cut.iter().chain(&whole).map(|(name, args)| call(Arch::X86_64, name, args).unwrap()).collect();
    let said: Vec<_> = calls.iter().map(|call| (*call, built.action(call))).collect();
    let expected = [Action::Errno(4094); 4].into_iter().chain([Action::Allow; 2]);
    assert!(said.iter().map(|(_, action)| *action).eq(expected), "{said:?}");
    let Some(found) = or_skip(kernel::mismatches(built.bpf(), &said)) else { return };
    assert_eq!(found, []);
    // So it is the same call to the kernel: without the filter a descriptor is made.
    let Some(outcomes) = or_skip(kernel::run(&[Job::new(&always(Action::Allow), &calls[..1])])) else { return };
    assert_eq!(outcomes[0], [Outcome::Returned(7)]);
}
