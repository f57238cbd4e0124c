//! Semantics that a user may not expect, by hand: both roads must give the answer that stands here.

use std::collections::BTreeSet;

use kpol_compiler::diagnostic::Code;
use kpol_compiler::driver::Options;
use kpol_compiler::spec::rule::Verdict;
use kpol_compiler::spec::{Action, Arch, Call, Environment};
use kpol_compiler::tables;

use super::world::{ROOT, World, compiled, errors, said};

const DENY: Action = Errno(1);

/// What calls get under `text`, which must be free of errors: by the compiler and by the oracle.
fn expect(text: &str, cases: &[(Arch, &str, &[u64], Action)]) {
    let world = World::from(text);
    let checked = world.check(&Options::default());
    assert!(errors(&checked).is_empty(), "{:?}\n{text}", errors(&checked));
    let made = checked.compiled.expect("a profile");
    let oracle = world.oracle();
    let policy = oracle.policy(ROOT);
    for &(arch, name, registers, action) in cases {
        let nr = tables::syscall(name).unwrap().nr(arch).unwrap_or_else(|| panic!("{name} on {arch}"));
        let args = std::array::from_fn(|index| registers.get(index).copied().unwrap_or(0));
        let call = Call { arch, nr, args };
        let environment = Environment::default();
        let answer = compiled(&made.store, &made.policy.function, &call, &environment);
        assert_eq!(answer, action, "{name}({registers:x?}) on {arch}\n{text}");
        assert_eq!(said(&policy, &call, &environment), Verdict::Action(action), "{name}({registers:x?})\n{text}");
    }
}

/// The codes of all findings.
fn finds(text: &str, codes: &[Code]) {
    let found: Vec<Code> =
        World::from(text).check(&Options::default()).diagnostics.iter().map(|found| found.code).collect();
    for code in codes {
        assert!(found.contains(code), "{found:?}\n{text}");
    }
}

use Action::{Allow, Errno, KillProcess};
use Arch::{Aarch64, Arm, Mips, Mips64, S390x, X86, X86_64};

#[test]
fn minus_one_is_what_the_kernel_makes_of_the_register() {
    let cases: &[(Arch, &str, &[u64], Action)] = &[
        (X86_64, "openat", &[0xffff_ffff], Allow),
        (X86_64, "openat", &[u64::MAX], Allow),
        (X86_64, "openat", &[0xdead_beef_ffff_ffff], Allow),
        (X86_64, "openat", &[0xffff_fffe], DENY),
        (X86_64, "openat", &[0xffff_ffff_0000_0000], DENY),
    ];
    expect("arch x86_64 default deny allow { openat(dfd == -1) }", cases);
    expect("arch x86_64 default deny allow { openat(dfd == 0xffff_ffff) }", cases);
    expect("arch x86_64 default deny allow { openat(!(dfd != ~0)) }", cases);
    expect("arch x86_64 default deny allow { openat(dfd in {-1}) }", cases);
}

#[test]
fn at_fdcwd_matches_however_it_was_extended() {
    expect(
        "arch x86_64, aarch64 default deny allow { openat(dfd == AT_FDCWD) }",
        &[
            (X86_64, "openat", &[0xffff_ff9c], Allow),
            (X86_64, "openat", &[0xffff_ffff_ffff_ff9c], Allow),
            (Aarch64, "openat", &[0x1234_5678_ffff_ff9c], Allow),
            (X86_64, "openat", &[0xff9c], DENY),
        ],
    );
}

#[test]
fn signed_parameters_are_ordered_as_signed() {
    expect(
        "arch x86_64 default deny allow { kill(pid < -1), openat(dfd in {-3..2}) }",
        &[
            (X86_64, "kill", &[0xffff_fffe], Allow),
            (X86_64, "kill", &[0x8000_0000], Allow),
            (X86_64, "kill", &[0xffff_ffff], DENY),
            (X86_64, "kill", &[0x7fff_ffff], DENY),
            // Above 32 bits it is rubbish: the pid is 1.
            (X86_64, "kill", &[0xffff_ffff_0000_0001], DENY),
            (X86_64, "openat", &[0xffff_fffd], Allow),
            (X86_64, "openat", &[2], Allow),
            (X86_64, "openat", &[3], DENY),
            (X86_64, "openat", &[0xffff_fffc], DENY),
        ],
    );
}

#[test]
fn unsigned_parameters_are_written_with_a_sign_for_equality_only() {
    expect(
        "arch x86_64 default deny allow { personality(personality == 0xffffffff), close(fd == -1) }",
        &[
            (X86_64, "personality", &[0xffff_ffff], Allow),
            (X86_64, "personality", &[u64::MAX], Allow),
            (X86_64, "close", &[0xffff_ffff], Allow),
            (X86_64, "close", &[0x7fff_ffff], DENY),
        ],
    );
    finds("arch x86_64 default deny allow { close(fd < -1) }", &[Code::E033]);
    finds("arch x86_64 default deny allow { close(fd >= 0) }", &[Code::W005]);
    finds("arch x86_64 default deny allow { close(fd == 0x1_0000_0000) }", &[Code::E033]);
}

#[test]
fn modes_have_16_bits() {
    expect(
        "arch x86_64 default deny allow { chmod(mode & S_ISUID == 0), umask, mkdir(mode == 0o755) }",
        &[
            (X86_64, "chmod", &[0, 0o755], Allow),
            (X86_64, "chmod", &[0, 0o4755], DENY),
            (X86_64, "mkdir", &[0, 0o755 | 1 << 16], Allow),
            (X86_64, "mkdir", &[0, 0o755 | 1 << 15], DENY),
        ],
    );
    finds("arch x86_64 default deny allow { chmod(mode == 0x1_0000) }", &[Code::E033]);
}

#[test]
fn a_long_is_as_wide_as_the_register() {
    expect(
        "arch x86_64, x86 default deny allow { ptrace(request == -1) } deny(E2BIG) { lseek(offset > 0x7fff_ffff) }",
        &[
            (X86, "ptrace", &[0xffff_ffff], Allow),
            (X86_64, "ptrace", &[0xffff_ffff], DENY),
            (X86_64, "ptrace", &[u64::MAX], Allow),
            // On 32 bits no number is that large: these are negative there.
            (X86, "lseek", &[0, 0x8000_0000], DENY),
            (X86_64, "lseek", &[0, 0x8000_0000], Errno(7)),
            (X86_64, "lseek", &[0, u64::MAX], DENY),
        ],
    );
}

#[test]
fn parameters_in_two_registers_have_no_name() {
    finds("arch x86 default deny allow { pread64(pos == 0) }", &[Code::E036]);
    finds("arch x86_64, arm default deny allow { pwrite64(pos > 4096) }", &[Code::E036]);
    expect(
        "arch x86_64, x86 default deny allow { pread64(fd == 3) } when arch x86_64 { log { pread64(pos < 0, fd == 4) } }",
        &[
            (X86, "pread64", &[3, 0, 0, 9, 9], Allow),
            (X86_64, "pread64", &[4, 0, 0, u64::MAX], Action::Log),
            (X86_64, "pread64", &[4, 0, 0, 5], DENY),
        ],
    );
}

#[test]
fn a_declared_size_is_not_split_and_a_declared_offset_is() {
    let head = "arch x86_64, x86 default deny syscall frob(fd: int, size: size_t, at: loff_t) = 700 on x86_64, x86\n";
    let sound = World::from(format!("{head} allow {{ frob(size > 4096) }}").as_str()).check(&Options::default());
    assert!(errors(&sound).is_empty(), "{:?}", errors(&sound));
    finds(&format!("{head} allow {{ frob(at == 0) }}"), &[Code::E036]);
}

#[test]
fn clone_has_its_flags_in_another_register_on_s390x() {
    let none = "clone_flags & (CLONE_NEWUSER | CLONE_NEWNS) == 0";
    expect(
        &format!("arch x86_64, s390x default deny allow {{ clone({none}) }}"),
        &[
            (X86_64, "clone", &[0x1000_0000, 0], DENY),
            (X86_64, "clone", &[0, 0x1000_0000], Allow),
            (S390x, "clone", &[0x1000_0000, 0], Allow),
            (S390x, "clone", &[0, 0x1000_0000], DENY),
        ],
    );
}

#[test]
fn raw_registers_have_64_bits_and_no_sign() {
    expect(
        "arch x86_64, x86 default deny allow { close(reg0 == 3), personality(reg0 > 0xffff_ffff) }",
        &[
            (X86_64, "close", &[3], Allow),
            (X86_64, "close", &[0x1_0000_0003], DENY),
            (X86_64, "personality", &[1 << 32], Allow),
            (X86, "personality", &[0xffff_ffff], DENY),
        ],
    );
    finds("arch x86_64 default deny allow { close(reg0 == 3) }", &[Code::W004]);
    finds("arch x86_64 default deny allow { close(reg5 < 0) }", &[Code::W006]);
}

#[test]
fn not_binds_tighter_than_anything() {
    finds("arch x86_64 default deny allow { openat(!flags & O_CREAT) }", &[Code::E001]);
    finds("arch x86_64 default deny allow { openat(!dfd == 1) }", &[Code::E001]);
    expect(
        "arch x86_64 default deny allow { openat(!(flags & O_CREAT) && dfd == 3 || dfd == 4) }",
        &[
            (X86_64, "openat", &[3, 0, 0], Allow),
            (X86_64, "openat", &[3, 0, 0o100], DENY),
            (X86_64, "openat", &[4, 0, 0o100], Allow),
        ],
    );
}

#[test]
fn masks_bind_tighter_than_comparisons_and_may_hold_the_sign() {
    expect(
        "arch x86_64 default deny allow { openat(dfd & 0x8000_0000), kill(pid & ~0xff == -256), lseek(whence & 3 == 4) }",
        &[
            (X86_64, "openat", &[0xffff_ffff], Allow),
            (X86_64, "openat", &[0x7fff_ffff], DENY),
            (X86_64, "kill", &[0xffff_ff42], Allow),
            (X86_64, "kill", &[0x42], DENY),
            (X86_64, "lseek", &[0, 0, 4], DENY),
        ],
    );
    // What is left of a signed word is still signed.
    expect(
        "arch x86_64 default deny allow { kill(pid & 0xffff_0000 < 0) }",
        &[(X86_64, "kill", &[0xffff_0001], Allow), (X86_64, "kill", &[0x7fff_0001], DENY)],
    );
    finds("arch x86_64 default deny allow { kill(pid & 0x1_0000_0000 == 0) }", &[Code::E033]);
}

#[test]
fn nothing_is_in_an_empty_set() {
    expect(
        "arch x86_64 default deny const NONE = {} allow { close(fd in {}), kill(pid not in NONE), read(fd in {3}) }",
        &[(X86_64, "close", &[0], DENY), (X86_64, "kill", &[0], Allow), (X86_64, "read", &[3], Allow)],
    );
    finds("arch x86_64 default deny allow { close(fd in {}) }", &[Code::W006]);
}

#[test]
fn an_unconditional_name_covers_both_ways_in() {
    let text = |rule: &str| format!("arch x86_64, x86 default deny {rule}");
    expect(
        &text("allow { socket }"),
        &[
            (X86, "socket", &[1], Allow),
            (X86, "socketcall", &[1], Allow),
            (X86, "socketcall", &[2], DENY),
            (X86, "socketcall", &[0], DENY),
        ],
    );
    expect(
        &text("allow { socket(family == AF_UNIX) }"),
        &[(X86, "socket", &[1], Allow), (X86, "socket", &[2], DENY), (X86, "socketcall", &[1], DENY)],
    );
    // The exception names the direct call only: of the other way it could not be known.
    expect(
        &text("allow { socket except { socket(family == AF_ALG) } }"),
        &[(X86, "socket", &[38], DENY), (X86, "socketcall", &[1], Allow)],
    );
    expect(&text("allow { @network-io except { socket } }"), &[(X86, "socketcall", &[1], DENY)]);
}

#[test]
fn a_name_without_a_number_of_its_own_still_covers_the_other_way() {
    // x86 has neither `semop` nor `accept` but through these.
    expect(
        "arch x86 default allow deny { semop, accept }",
        &[
            (X86, "ipc", &[1], DENY),
            (X86, "ipc", &[2], Allow),
            // The upper half is a version.
            (X86, "ipc", &[0xffff_0001], DENY),
            (X86, "ipc", &[0x1_0000], Allow),
            (X86, "socketcall", &[5], DENY),
            (X86, "socketcall", &[18], Allow),
        ],
    );
    let found = World::from("arch x86 default allow deny { semop }").check(&Options::default());
    assert!(found.diagnostics.iter().all(|found| found.code != Code::W001), "{:?}", found.diagnostics);
    finds("arch x86 default allow deny { semop(semid == 1) }", &[Code::W001]);
}

#[test]
fn errnos_have_the_number_of_the_abi() {
    expect(
        "arch mips64, mips default deny deny(ENOSYS) { read } deny(38) { write }",
        &[
            (Mips, "read", &[], Errno(89)),
            (Mips64, "read", &[], Errno(89)),
            (Mips, "write", &[], Errno(38)),
            (Mips, "close", &[], DENY),
        ],
    );
    // The same action where the numbers agree, a conflict where they do not.
    expect("arch x86_64 default deny deny(ENOSYS) { read } deny(38) { read }", &[(X86_64, "read", &[], Errno(38))]);
    finds("arch mips64 default deny deny(ENOSYS) { read } deny(38) { read }", &[Code::E040]);
}

#[test]
fn rules_below_an_override_must_agree_all_the_same() {
    finds("arch x86_64 default deny allow { read } log { read } override kill { read }", &[Code::E040]);
}

#[test]
fn what_may_stand_where_does_not_hang_on_the_capabilities_given() {
    let parts = "arch x86_64 default deny group @all { @g }
        when cap CAP_CHOWN { group @g { chown } } when kernel >= 5.0 { group @g { fchown } } allow { @all }";
    let constant = "arch x86_64 default deny when cap CAP_CHOWN { const X = 1 } allow { read }";
    let default = "arch x86_64 when cap CAP_CHOWN { default deny }";
    for caps in [None, Some(BTreeSet::new()), Some(BTreeSet::from([0]))] {
        let options = Options { caps, kernel: Some("6.1".parse().unwrap()), ..Options::default() };
        let checked = World::from(parts).check(&options);
        assert!(errors(&checked).is_empty(), "{options:?}: {:?}", errors(&checked));
        for text in [constant, default] {
            let checked = World::from(text).check(&options);
            assert!(errors(&checked).iter().any(|error| error.code == Code::E045), "{options:?}\n{text}");
        }
    }
}

#[test]
fn what_no_abi_of_the_policy_brings_ends_the_process() {
    expect("arch x86_64 default allow", &[(Arm, "read", &[], KillProcess), (X86, "read", &[], KillProcess)]);
}

#[test]
fn the_kernels_own_arg2_is_the_second_register() {
    for option in ["option == 4, arg2 == 1", "option == 4, reg1 == 1"] {
        expect(
            &format!("arch x86_64, x86 default allow kill {{ prctl({option}) }}"),
            &[
                (X86_64, "prctl", &[4, 1, 0], KillProcess),
                (X86_64, "prctl", &[4, 0, 1], Allow),
                (X86, "prctl", &[4, 1, 0], KillProcess),
                (X86, "prctl", &[4, 0, 1], Allow),
            ],
        );
    }
    finds("arch x86_64 default deny allow { prctl(arg2 == 1), prctl(reg2 == 1) }", &[Code::W020]);
    let unchanged = World::from("arch x86_64 default deny allow { sysfs(arg1 == 1) }").check(&Options::default());
    assert!(unchanged.diagnostics.iter().all(|found| found.code != Code::W020), "register 1 is what it was before");
    finds("arch x86_64 default deny allow { getpid(arg1 == 1) }", &[Code::W020]);
}

#[test]
fn a_constant_of_another_parameter_is_a_slip() {
    let found = |call: &str| {
        let text = format!("arch x86_64, aarch64 default deny allow {{ {call} }}");
        let checked = World::from(text.as_str()).check(&Options::default());
        assert!(errors(&checked).is_empty(), "{:?}", errors(&checked));
        checked.diagnostics.iter().any(|found| found.code == Code::W021)
    };
    for slip in [
        "kill(sig == SIGEV_NONE)",
        "kill(sig in {SIGKILL, SIGEV_THREAD_ID})",
        "socket(type == AF_INET)",
        "mmap(flags & PROT_EXEC)",
        "open(flags & S_IRUSR == 0)",
        "fcntl(cmd == F_SEAL_SEAL)",
        "socket(domain == SOCK_STREAM)",
        "prctl(option == PR_SET_MM_BRK)",
    ] {
        assert!(found(slip), "{slip}");
    }
    for sound in [
        "kill(sig == 1)",
        "kill(reg1 == SIGEV_NONE)",
        "socket(family == PF_INET)",
        "socket(type & O_CLOEXEC)",
        "accept4(flags & O_NONBLOCK == 0)",
        "clone(clone_flags & SIGCHLD)",
        "semget(semflg & S_IRUSR)",
        "waitid(options & WUNTRACED)",
        "ioctl(cmd == LOOP_SET_FD)",
        "read(fd == AF_INET)",
        "setsockopt(level == IPPROTO_TCP, optname == TCP_NODELAY)",
        "timerfd_settime(flags & TIMER_ABSTIME)",
    ] {
        assert!(!found(sound), "{sound}");
    }
}

#[test]
fn what_is_neither_a_parameter_nor_a_register_is_an_error() {
    for text in [
        "arch x86_64 default deny allow { prctl(arg1 == 1) }",
        "arch x86_64 default deny allow { keyctl(arg0 & 1) }",
        "arch mips default deny allow { sysmips(1 < arg3) }",
        "arch x86_64 default deny allow { arch_prctl(arg3 in {1, 2}) }",
        "arch x86_64 default deny syscall f(a: int, arg1: int) = 900 on x86_64 allow { f(arg2 == 1) }",
        // The tables know its parameters, whatever this declaration leaves out.
        "arch x86_64 default deny syscall prctl = 157 on x86_64 allow { prctl(arg2 == 1) }",
    ] {
        let checked = World::from(text).check(&Options::default());
        let codes: Vec<Code> = errors(&checked).iter().map(|error| error.code).collect();
        assert_eq!(codes, [Code::E031], "{text}");
    }
    let text = "arch x86_64 default deny syscall f(reg1: int) = 900 on x86_64 allow { f(reg1 == 1) }";
    let checked = World::from(text).check(&Options::default());
    assert_eq!(errors(&checked)[0].code, Code::E047);
}

#[test]
fn a_witness_names_a_parameter_in_its_own_register() {
    let witness = |condition: &str| {
        let text = format!("arch x86_64 default deny allow {{ prctl({condition}) }} log {{ prctl({condition}) }}");
        let checked = World::from(text.as_str()).check(&Options::default());
        checked.diagnostics.iter().flat_map(|found| &found.notes).map(|note| format!("{note}\n")).collect::<String>()
    };
    // Whatever the command, since it decides how much of `arg2` counts.
    let whole = witness("option == PR_SET_DUMPABLE, arg2 == 7");
    assert!(whole.contains(", arg2 = 7"), "{whole}");
    assert!(witness("reg1 == 7").contains("prctl(arg2 = 7"), "{}", witness("reg1 == 7"));
    assert!(witness("reg5 == 7").contains("prctl(reg5 = 7"), "{}", witness("reg5 == 7"));
}
