//! Filters on the running kernel: each action, both widths of an argument, each way in.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::process::Command;

use kpol_compiler::driver::Format;
use kpol_compiler::spec::{Action, Arch, Call, Nr, arch::X32_BIT};
use kpol_tests::cbpf::{Filter, assemble::*};
use kpol_tests::dirty;
use kpol_tests::kernel::{self, mismatches, native, run, run_under_filter};
use kpol_tests::policy;
use kpol_tests::probe::{Job, Outcome, Watch};
use kpol_tests::skip::{Skip, need_root, or_skip};

const EBADF: u16 = 9;
const EINVAL: u16 = 22;
const ENOSYS: u16 = 38;
/// No call that is made here fails with it by itself.
const RARE: u16 = 4095;

/// Numbers of the native ABI.
struct Numbers {
    getppid: u32,
    close: u32,
    lseek: u32,
    socket: u32,
    exit_group: u32,
    write: u32,
}

fn numbers() -> Option<(Arch, Numbers)> {
    let arch = or_skip(native())?;
    let numbers = match arch {
        Arch::X86_64 => Numbers { getppid: 110, close: 3, lseek: 8, socket: 41, exit_group: 231, write: 1 },
        _ => Numbers { getppid: 173, close: 57, lseek: 62, socket: 198, exit_group: 94, write: 64 },
    };
    Some((arch, numbers))
}

fn call(arch: Arch, nr: u32, args: &[u64]) -> Call {
    let mut all = [0; 6];
    all[..args.len()].copy_from_slice(args);
    Call { arch, nr: Nr(nr), args: all }
}

#[test]
fn every_action_does_what_the_table_says() {
    let Some((arch, nr)) = numbers() else { return };
    let calls = [call(arch, nr.getppid, &[]), call(arch, nr.close, &[u64::MAX])];
    let under = |action| {
        let filter = except(arch, &[(nr.getppid, action)]);
        let outcomes = or_skip(run_under_filter(&filter.to_bytes(), 0, &calls))?;
        assert_eq!(outcomes[1], Outcome::Errno(EBADF), "the other call is not touched");
        Some(outcomes[0])
    };
    let Some(Outcome::Returned(parent)) = under(Action::Allow) else { panic!("getppid is allowed") };
    assert!(parent > 0);
    assert!(matches!(under(Action::Log), Some(Outcome::Returned(_))));
    assert_eq!(under(Action::Errno(RARE)), Some(Outcome::Errno(RARE)));
    assert_eq!(under(Action::Errno(0)), Some(Outcome::Returned(0)));
    assert_eq!(under(Action::Errno(60_000)), Some(Outcome::Errno(4095)), "the kernel cuts a large errno");
    assert_eq!(under(Action::KillProcess), Some(Outcome::ProcessKilled));
    assert_eq!(under(Action::KillThread), Some(Outcome::ThreadKilled));
    assert_eq!(under(Action::Trap(0)), Some(Outcome::Trapped(0)));
    assert_eq!(under(Action::Trap(777)), Some(Outcome::Trapped(777)));
    assert_eq!(under(Action::Trace(9)), Some(Outcome::Errno(ENOSYS)), "nobody traces");
    assert_eq!(under(Action::Notify), Some(Outcome::Errno(ENOSYS)), "nobody listens");
}

#[test]
fn a_tracer_and_a_listener_are_asked() {
    let Some((arch, nr)) = numbers() else { return };
    let calls = [call(arch, nr.getppid, &[]), call(arch, nr.close, &[u64::MAX])];
    let jobs = [(Action::Trace(9), Watch::Tracer), (Action::Notify, Watch::Listener)]
        .map(|(action, watch)| Job { watch, ..Job::new(&except(arch, &[(nr.getppid, action)]), &calls) });
    let Some(outcomes) = or_skip(run(&jobs)) else { return };
    assert_eq!(outcomes[0], [Outcome::Traced(9), Outcome::Errno(EBADF)]);
    assert_eq!(outcomes[1], [Outcome::Notified, Outcome::Errno(EBADF)]);
}

/// What `refused` in an assert means: no other action keeps a call from the kernel's code, whoever watches.
#[test]
fn a_call_runs_under_trace_and_notify_if_somebody_lets_it_and_under_a_refusal_never() {
    let Some((arch, nr)) = numbers() else { return };
    // Only the kernel's own code knows that there is no such descriptor.
    let calls = [call(arch, nr.close, &[u64::MAX])];
    let watched = [Watch::Nobody, Watch::LetsTracer, Watch::LetsListener];
    let actions = [
        Action::Allow,
        Action::Log,
        Action::Trace(0),
        Action::Notify,
        Action::Errno(0),
        Action::Errno(RARE),
        Action::Trap(0),
        Action::KillThread,
        Action::KillProcess,
    ];
    for action in actions {
        // A filter makes one descriptor for a listener; the kernel takes no listener where nothing notifies.
        let jobs = watched.map(|watch| Job { watch, ..Job::new(&except(arch, &[(nr.close, action)]), &calls) });
        let Some(outcomes) = or_skip(run(&jobs)) else { return };
        let ran = outcomes.iter().flatten().any(|outcome| *outcome == Outcome::Errno(EBADF));
        assert_eq!(ran, !action.refuses(), "{action}: {outcomes:?}");
    }
}

#[test]
fn the_ends_of_a_process_are_told_apart() {
    let Some((arch, nr)) = numbers() else { return };
    let calls = [call(arch, nr.exit_group, &[5]), call(arch, nr.write, &[u64::MAX])];
    let filters = [
        always(Action::Allow),
        always(Action::Errno(RARE)),
        always(Action::KillThread),
        always(Action::KillProcess),
        always(Action::Trap(3)),
    ];
    let jobs = filters.map(|filter| Job::new(&filter, &calls));
    let Some(outcomes) = or_skip(run(&jobs)) else { return };
    assert_eq!(outcomes[0], [Outcome::Exited(5), Outcome::Errno(EBADF)]);
    assert_eq!(outcomes[1], [Outcome::Errno(RARE); 2]);
    assert_eq!(outcomes[2], [Outcome::ThreadKilled; 2]);
    assert_eq!(outcomes[3], [Outcome::ProcessKilled; 2]);
    assert_eq!(outcomes[4], [Outcome::Trapped(3); 2]);
}

#[test]
fn a_bad_program_is_refused_by_the_kernel_too() {
    let Some((arch, nr)) = numbers() else { return };
    let outcomes = run_under_filter(&Filter(vec![stmt(0x20, 0)]).to_bytes(), 0, &[call(arch, nr.getppid, &[])]);
    let Some(outcomes) = or_skip(outcomes) else { return };
    assert_eq!(outcomes, [Outcome::NotInstalled(EINVAL)]);
}

#[test]
fn tsync_puts_the_filter_on_every_thread() {
    const TSYNC: u32 = 1;
    let Some((arch, nr)) = numbers() else { return };
    let filter = always(Action::KillThread).to_bytes();
    let Some(outcomes) = or_skip(run_under_filter(&filter, TSYNC, &[call(arch, nr.getppid, &[])])) else { return };
    // The other thread dies at its own next call, or learns of the first one's end before.
    assert!(matches!(outcomes[0], Outcome::ThreadKilled | Outcome::ProcessKilled), "{outcomes:?}");
}

/// `socket(AF_ALG, …)` denied with a compare of 32 bits, `lseek(…, offset ≥ 2^32)` with one of 64.
#[test]
fn garbage_in_the_upper_half_is_seen_by_a_64_bit_compare_alone() {
    const AF_ALG: u64 = 38;
    const BAD_TYPE: u64 = 0xf;
    let Some((arch, nr)) = numbers() else { return };
    let filter = Filter(vec![
        LD_NR,
        jump(0x15, nr.socket, 0, 3),
        ld_low(0),
        jump(0x15, AF_ALG as u32, 0, 1),
        ret(Action::Errno(RARE)),
        LD_NR,
        jump(0x15, nr.lseek, 0, 3),
        ld_high(1),
        jump(0x15, 0, 1, 0),
        ret(Action::Errno(RARE)),
        ret(Action::Allow),
    ]);
    let denied = Action::Errno(RARE);
    let said = [
        (call(arch, nr.socket, &[AF_ALG, BAD_TYPE]), denied),
        (call(arch, nr.socket, &[AF_ALG | 0xdead_beef_0000_0000, BAD_TYPE]), denied),
        (call(arch, nr.socket, &[AF_ALG - 1, BAD_TYPE]), Action::Allow),
        (call(arch, nr.socket, &[AF_ALG << 32, BAD_TYPE]), Action::Allow),
        (call(arch, nr.lseek, &[u64::MAX, 0xffff_ffff]), Action::Allow),
        (call(arch, nr.lseek, &[u64::MAX, 0x1_0000_0000]), denied),
        (call(arch, nr.lseek, &[u64::MAX, u64::MAX]), denied),
    ];
    let Some(wrong) = or_skip(mismatches(&filter, &said)) else { return };
    assert_eq!(wrong, []);
    for (call, action) in said {
        assert_eq!(filter.action(&call), Ok(action), "the interpreter agrees with the kernel on {call:?}");
    }
}

/// Number 64 is `getppid` for `int 0x80` and `semget` for `syscall`.
#[test]
fn the_32_bit_entry_has_its_own_token() {
    let Some((Arch::X86_64, _)) = numbers() else { return };
    let said = [
        (call(Arch::X86, 64, &[]), Action::Errno(RARE)),
        (call(Arch::X86, 63, &[u64::MAX, u64::MAX]), Action::Allow),
        (call(Arch::X86_64, 64, &[0, u64::MAX, 0]), Action::Allow),
    ];
    let Some(unfiltered) = or_skip(run_under_filter(&always(Action::Allow).to_bytes(), 0, &[said[1].0])) else {
        return;
    };
    if unfiltered[0] != Outcome::Errno(EBADF) {
        or_skip::<()>(Err(Skip(format!("no int 0x80 in this kernel ({:?})", unfiltered[0]))));
        return;
    }
    let filter = except(Arch::X86, &[(64, Action::Errno(RARE))]);
    assert_eq!(or_skip(mismatches(&filter, &said)), Some(vec![]));
}

#[test]
fn all_six_arguments_reach_the_filter_through_both_ways_in() {
    let Some((arch, nr)) = numbers() else { return };
    let mut ways = vec![(arch, nr.close)];
    if arch == Arch::X86_64 {
        ways.push((Arch::X86, 6));
    }
    for (arch, nr) in ways {
        for arg in 0..6u32 {
            let filter = Filter(vec![
                ld_low(arg),
                jump(0x15, 0x1234_5678, 0, 1),
                ret(Action::Errno(RARE)),
                ret(Action::Errno(RARE - 1)),
            ]);
            let mut args = [u64::MAX; 6];
            args[arg as usize] = 0x1234_5678;
            let Some(outcomes) = or_skip(run_under_filter(&filter.to_bytes(), 0, &[call(arch, nr, &args)])) else {
                return;
            };
            let ways_in = if arch == Arch::X86 {
                &[Outcome::Errno(RARE), Outcome::Died(11)][..]
            } else {
                &[Outcome::Errno(RARE)]
            };
            assert!(ways_in.contains(&outcomes[0]), "argument {arg} on {arch}: {outcomes:?}");
        }
    }
}

/// The filter sees the number with bit 30 set and the token of x86_64, whether or not the kernel knows x32.
#[test]
fn x32_numbers_reach_the_filter() {
    let Some((Arch::X86_64, nr)) = numbers() else { return };
    let x32 = call(Arch::X32, nr.getppid | X32_BIT, &[]);
    let filter = except(Arch::X86_64, &[(nr.getppid | X32_BIT, Action::Errno(RARE))]);
    let Some(outcomes) = or_skip(run_under_filter(&filter.to_bytes(), 0, &[x32, call(Arch::X86_64, nr.getppid, &[])]))
    else {
        return;
    };
    assert_eq!(outcomes[0], Outcome::Errno(RARE));
    assert!(matches!(outcomes[1], Outcome::Returned(_)));
}

/// What lies above the width that the tables have for a parameter makes no difference to the kernel, by either entry.
#[test]
fn no_parameter_is_wider_than_the_tables_say() {
    let Some((arch, _)) = numbers() else { return };
    let entries: &[Arch] = if arch == Arch::X86_64 { &[Arch::X86_64, Arch::X86] } else { &[arch] };
    for &entry in entries {
        let Some(tried) = or_skip(dirty::try_all(entry, 3, kernel::run_as_nobody)) else { return };
        let wrong: Vec<_> = tried.iter().filter(|tried| !tried.differ.is_empty()).collect();
        let telling = tried.iter().filter(|tried| tried.sensitive).count();
        assert!(wrong.is_empty(), "{wrong:#?}");
        // By `int 0x80` only ids and modes have less than a register.
        assert!(telling > if entry.bits() == 64 { 100 } else { 10 }, "{entry}: {telling} of {}", tried.len());
    }
}

/// A call of `probe/cut.c`, and what a policy says of it.
struct Cut {
    name: &'static str,
    call: &'static str,
    condition: &'static str,
    args: [u64; 6],
    /// Which argument has bits above, which bits, and a value that is another one.
    index: usize,
    above: u64,
    other: u64,
}

/// A command that takes less of an argument than others: the kernel sees the same with bits above, and so does a filter.
#[test]
fn bits_that_a_command_drops_walk_around_no_condition() {
    const HALF: u64 = 1 << 32;
    if or_skip(native()) != Some(Arch::X86_64) || or_skip(need_root()).is_none() {
        return;
    }
    let case = |name, call, condition, args: &[u64], index, above, other| {
        let mut all = [0; 6];
        all[..args.len()].copy_from_slice(args);
        Cut { name, call, condition, args: all, index, above, other }
    };
    let cases = [
        case("socket", "socket", "family == AF_PACKET, protocol == 3", &[17, 3, 3], 2, 1 << 16, 8),
        case("semctl", "semctl", "cmd == SETVAL, arg == 5", &[0, 0, 16, 5], 3, HALF, 6),
        case("prctl", "prctl", "option == PR_SET_MM, arg2 == PR_SET_MM_EXE_FILE, arg3 == 9", &[35, 13, 9], 2, HALF, 12),
        case("getregset", "ptrace", "request == PTRACE_GETREGSET, addr == 1", &[0x4204, 0, 1], 2, HALF, 2),
        case("detach", "ptrace", "request == PTRACE_DETACH, data == SIGTERM", &[17, 0, 0, 15], 3, HALF, 10),
        case(
            "segment",
            "ptrace",
            "request == PTRACE_POKEUSR, addr == 184, data == 43",
            &[6, 0, 184, 43],
            3,
            1 << 16,
            0,
        ),
        case("ioctl", "ioctl", "cmd == 0x8004b706, arg & 0xffff_ffff == 1", &[0, 0x8004_b706, 1], 2, HALF, 0x7fff_fff0),
    ];
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("cut");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/probe/cut.c");
    let made = Command::new("cc").args(["-O1", "-Wall", "-Wextra", "-o"]).arg(&program).arg(source).status();
    if or_skip(made.map_err(|error| Skip(format!("cc: {error}")))).map(|status| status.success()) != Some(true) {
        return;
    }
    let output = Command::new(&program).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let kernel: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(kernel.len(), cases.len(), "{text}");
    for (seen, case) in kernel.iter().zip(cases) {
        let Cut { name, call, condition, args, index, above, other } = case;
        let &[said, clean, dirty, different] = seen.as_slice() else { panic!("{seen:?}") };
        assert_eq!((said, clean), (name, dirty), "the kernel drops these bits");
        // A container may lack CAP_SYS_RESOURCE, and an older kernel the request.
        assert!(clean != different || matches!(clean, "-1" | "-25"), "{name}: {clean} by either value");
        let built = policy::text(&format!("arch x86_64 default allow deny {{ {call}({condition}) }}"), &[Format::Bpf]);
        let built = built.unwrap_or_else(|found| panic!("{condition}: {found:?}"));
        let with = |value: u64| {
            let mut all = args;
            all[index] = value;
            built.bpf().action(&policy::call(Arch::X86_64, call, &all).unwrap()).unwrap()
        };
        assert_eq!(with(args[index]), Action::Errno(1), "{condition}");
        assert_eq!(with(args[index] | above), Action::Errno(1), "{condition} with bits above");
        assert_eq!(with(other), Action::Allow, "{condition} by another value");
    }
}
