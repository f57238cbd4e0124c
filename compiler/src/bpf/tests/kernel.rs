//! The running kernel as the judge: what it takes, and what it does with calls under our filters.
//!
//! A child installs the filter, makes one raw call, and tells by its exit status what came back. Skipped loudly where
//! the kernel has no seccomp or the machine is not x86_64.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use proptest::prelude::*;

use super::*;

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Refused(i32),
    Errno(i32),
    Returned,
    Signal(i32),
}

const REFUSED: i32 = 64;
const RETURNED: i32 = 128;

/// In a child: installs the program, then makes the call.
fn under(program: &Program, nr: i64, args: [u64; 6]) -> End {
    // The parent's memory is the child's: all that allocates is done before the fork.
    let filter = program.to_sock_filters();
    let length = filter.len() as u16;
    let fprog = libc::sock_fprog { len: length, filter: filter.as_ptr().cast_mut().cast() };
    let address = &raw const fprog as u64;
    // SAFETY: the child calls nothing but raw system calls with valid arguments and `_exit`, which are safe after a fork
    // of a process with threads; `fprog` and the filter that it points to live until the child has ended.
    let child = unsafe {
        let child = libc::fork();
        if child == 0 {
            libc::syscall(libc::SYS_prctl, libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
            libc::syscall(libc::SYS_prctl, libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            if libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, address) != 0 {
                libc::_exit(REFUSED | (*libc::__errno_location() & 63));
            }
            let [a, b, c, d, e, f] = args;
            let result = libc::syscall(nr, a, b, c, d, e, f);
            libc::_exit(if result == -1 { *libc::__errno_location() & 63 } else { RETURNED });
        }
        child
    };
    assert!(child > 0, "no child: {}", std::io::Error::last_os_error());
    let mut status = 0;
    // SAFETY: waits for the child that was just made; `status` is ours.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    if libc::WIFSIGNALED(status) {
        return End::Signal(libc::WTERMSIG(status));
    }
    match libc::WEXITSTATUS(status) {
        RETURNED => End::Returned,
        refused if refused & REFUSED != 0 => End::Refused(refused & 63),
        errno => End::Errno(errno),
    }
}

/// Whether filters can be installed at all.
fn works() -> bool {
    let open = Program(vec![Insn::statement(op::RET_K, Action::Allow.to_ret())]);
    let works = under(&open, libc::SYS_getppid, [0; 6]) == End::Returned;
    if !works {
        eprintln!("SKIPPED: this kernel takes no seccomp filters");
    }
    works
}

#[test]
fn calls_get_what_the_policy_says() {
    if !works() {
        return;
    }
    let mut store = Store::default();
    let allow = Node::action(Action::Allow);
    let deny = Node::action(Action::Errno(13));
    // `persona` is an unsigned int; libc and the register may carry anything above.
    let query = equal(&mut store, 0, 32, u64::MAX, 0xffff_ffff);
    let personality = store.ite(query, allow, deny);
    // All 64 bits of lseek's offset count.
    let far = store.compare(Operand { arg: 1, bits: 64, mask: u64::MAX, signed: true }, Comparison::Le, u64::MAX);
    let lseek = store.ite(far, Node::action(Action::Errno(33)), deny);
    let policy = policy([(
        Arch::X86_64,
        table(
            Action::Allow,
            [
                (libc::SYS_getppid as u32, Node::action(Action::Errno(11))),
                (libc::SYS_getuid as u32, Node::action(Action::KillProcess)),
                (libc::SYS_getgid as u32, Node::action(Action::Trap(0))),
                (libc::SYS_getegid as u32, Node::action(Action::Log)),
                (libc::SYS_geteuid as u32, Node::action(Action::Trace(0))),
                (libc::SYS_personality as u32, personality),
                (libc::SYS_lseek as u32, lseek),
            ],
        ),
    )]);
    let program = write(&mut store, &policy).unwrap();
    prove(&mut store, &policy, &program).unwrap();
    let call = |nr, first: u64, second: u64| under(&program, nr, [first, second, 0, 0, 0, 0]);
    assert_eq!(call(libc::SYS_getpid, 0, 0), End::Returned);
    assert_eq!(call(libc::SYS_getppid, 0, 0), End::Errno(11));
    assert_eq!(call(libc::SYS_getuid, 0, 0), End::Signal(libc::SIGSYS));
    assert_eq!(call(libc::SYS_getgid, 0, 0), End::Signal(libc::SIGSYS));
    assert_eq!(call(libc::SYS_getegid, 0, 0), End::Returned);
    assert_eq!(call(libc::SYS_geteuid, 0, 0), End::Errno(libc::ENOSYS));
    assert_eq!(call(libc::SYS_personality, 0xffff_ffff, 0), End::Returned);
    assert_eq!(call(libc::SYS_personality, 0x1_ffff_ffff, 0), End::Returned);
    assert_eq!(call(libc::SYS_personality, 0xffff_fffe, 0), End::Errno(13));
    assert_eq!(call(libc::SYS_lseek, 0, u64::MAX), End::Errno(33));
    assert_eq!(call(libc::SYS_lseek, 0, 1 << 63), End::Errno(33));
    assert_eq!(call(libc::SYS_lseek, 0, 0), End::Errno(13));
    assert_eq!(call(libc::SYS_lseek, 0, 0xffff_ffff), End::Errno(13));
    // x32 is not listed.
    assert_eq!(call(libc::SYS_getpid | 0x4000_0000, 0, 0), End::Signal(libc::SIGSYS));
    // -1 is the native ABI's and has the default; the kernel has no such call.
    assert_eq!(call(-1, 0, 0), End::Errno(libc::ENOSYS));
}

fn any_insn() -> impl Strategy<Value = Insn> {
    let code = prop_oneof![8 => 0u16..0x100, 1 => any::<u16>()];
    let small = prop_oneof![4 => 0u8..6, 1 => any::<u8>()];
    let k = prop_oneof![4 => (0u32..18).prop_map(|k| k * 4), 4 => 0u32..40, 1 => any::<u32>()];
    (code, small.clone(), small, k).prop_map(|(code, jt, jf, k)| Insn { code, jt, jf, k })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// `check` is the kernel's own check.
    #[test]
    fn the_kernel_takes_what_check_takes(
        insns in proptest::collection::vec(any_insn(), 0..3),
        stored: bool,
        end in prop_oneof![9 => Just(op::RET_K), 1 => Just(op::LD_ABS)],
    ) {
        if !works() {
            return Ok(());
        }
        let mut program = Vec::new();
        if stored {
            program.push(Insn::statement(op::ST, 2));
        }
        program.extend(insns);
        program.extend([Insn::statement(op::LD_ABS, 0), Insn::statement(op::RET_K, Action::Allow.to_ret())]);
        program.push(Insn::statement(end, Action::Allow.to_ret()));
        let program = Program(program);
        let refused = under(&program, libc::SYS_getppid, [0; 6]) == End::Refused(libc::EINVAL);
        prop_assert_eq!(check(&program).is_err(), refused, "{}", list(&program));
    }
}

#[test]
fn every_opcode_is_judged_as_the_kernel_judges_it() {
    if !works() {
        return;
    }
    for code in (0..=0xff).chain([0x100, 0x8006]) {
        for k in [0, 4, 32, 64] {
            let mut program = vec![Insn::statement(op::ST, 0), Insn::statement(op::ST, 4)];
            program.push(Insn::statement(code, k));
            program.extend(vec![Insn::statement(op::RET_K, Action::Allow.to_ret()); 20]);
            let program = Program(program);
            let refused = under(&program, libc::SYS_getppid, [0; 6]) == End::Refused(libc::EINVAL);
            assert_eq!(check(&program).is_err(), refused, "opcode {code:#x} with {k}: {:?}", check(&program));
        }
    }
}
