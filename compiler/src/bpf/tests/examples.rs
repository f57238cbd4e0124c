//! Small policies, and exactly what becomes of them.

use super::*;

const DENY: Action = Action::Errno(1);

fn text(store: &mut Store, policy: &Policy) -> String {
    let program = write(store, policy).unwrap();
    prove(store, policy, &program).unwrap();
    list(&program)
}

fn x86_64(calls: impl IntoIterator<Item = (u32, Node)>) -> Policy {
    policy([(Arch::X86_64, table(DENY, calls))])
}

#[test]
fn the_example_of_the_header() {
    let mut store = Store::default();
    let unix = equal(&mut store, 0, 32, u64::MAX, 1);
    let allow = Node::action(Action::Allow);
    let socket = store.ite(unix, allow, Node::action(DENY));
    let listing = text(&mut store, &x86_64([(0, allow), (41, socket)]));
    assert_eq!(listing.matches("ld   [16]").count(), 1, "{listing}");
    assert!(!listing.contains("ld   [20]"), "an int has no high word to look at\n{listing}");
    assert!(listing.contains("; x86_64") && listing.contains("; reg0, first word"), "{listing}");
}

/// Instructions between the load of an argument word and the answers.
fn tests_of(build: impl FnOnce(&mut Store) -> Node) -> Vec<String> {
    let mut store = Store::default();
    let set = build(&mut store);
    let node = store.ite(set, Node::action(Action::Allow), Node::action(DENY));
    let listing = text(&mut store, &x86_64([(7, node)]));
    listing
        .lines()
        .skip_while(|line| !line.contains("ld   [") || line.contains("; arch") || line.contains("; nr"))
        .take_while(|line| !line.contains("ret  "))
        .map(|line| {
            line.get(8..).unwrap().split([',', ';']).next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
        })
        .collect()
}

#[test]
fn words_are_found_again_from_bits() {
    assert_eq!(tests_of(|store| equal(store, 0, 32, u64::MAX, 38)), ["ld [16]", "jeq #0x26"]);
    assert_eq!(tests_of(|store| equal(store, 1, 32, 0xf, 1)), ["ld [24]", "and #0xf", "jeq #0x1"]);
    // Bits that are all zero, or one that is set, need no AND.
    assert_eq!(tests_of(|store| equal(store, 0, 64, 0x1002_0000, 0)), ["ld [16]", "jset #0x10020000"]);
    assert_eq!(tests_of(|store| equal(store, 2, 64, 4, 4)), ["ld [32]", "jset #0x4"]);
    // W and X at once.
    assert_eq!(tests_of(|store| equal(store, 2, 64, 6, 6)), ["ld [32]", "and #0x6", "jeq #0x6"]);
    let signed = Operand { arg: 0, bits: 32, mask: u64::MAX, signed: true };
    assert_eq!(tests_of(|store| store.compare(signed, Comparison::Le, 0xffff_ffff)).len(), 2);
    assert_eq!(
        tests_of(|store| store.compare(Operand { signed: false, ..signed }, Comparison::Le, 9)),
        ["ld [16]", "jge #0xa"]
    );
    // A word is loaded once for several values.
    let values = tests_of(|store| {
        [0x5401, 0x541b, 0x5413].into_iter().fold(Node::FALSE, |set, value| {
            let one = equal(store, 1, 32, u64::MAX, value);
            store.or(set, one)
        })
    });
    assert_eq!(values, ["ld [24]", "jeq #0x5401", "jeq #0x5413", "jeq #0x541b"]);
    // All of a 64-bit register.
    assert_eq!(tests_of(|store| equal(store, 0, 64, u64::MAX, 5)), ["ld [16]", "jeq #0x5", "ld [20]", "jeq #0x0"]);
}

#[test]
fn x32_ends_unless_it_is_listed() {
    let mut store = Store::default();
    let allow = Node::action(Action::Allow);
    let call = |arch, nr| Call { arch, nr: Nr(nr), args: [0; 6] };
    let alone = x86_64([(0, allow)]);
    let program = write(&mut store, &alone).unwrap();
    assert_eq!(answer(&program, &call(Arch::X86_64, 0)).action(), Action::Allow);
    assert_eq!(answer(&program, &call(Arch::X32, 0x4000_0000)).action(), Action::KillProcess);
    assert_eq!(answer(&program, &call(Arch::X86_64, u32::MAX)).action(), DENY);
    assert_eq!(answer(&program, &call(Arch::Aarch64, 0)).action(), Action::KillProcess);
    let both =
        policy([(Arch::X86_64, table(DENY, [(0, allow)])), (Arch::X32, table(Action::Log, [(0x4000_0001, allow)]))]);
    let program = write(&mut store, &both).unwrap();
    prove(&mut store, &both, &program).unwrap();
    assert_eq!(answer(&program, &call(Arch::X32, 0x4000_0000)).action(), Action::Log);
    assert_eq!(answer(&program, &call(Arch::X32, 0x4000_0001)).action(), Action::Allow);
    assert_eq!(answer(&program, &call(Arch::X86_64, 1)).action(), DENY);
    let x32 = policy([(Arch::X32, table(Action::Log, [(0x4000_0001, allow)]))]);
    let program = write(&mut store, &x32).unwrap();
    prove(&mut store, &x32, &program).unwrap();
    assert_eq!(answer(&program, &call(Arch::X86_64, 1)).action(), Action::KillProcess);
    // A program that lets x32 through is no proof of a policy that does not list it.
    let open = policy([(Arch::X86_64, table(DENY, [(0, allow)])), (Arch::X32, table(DENY, []))]);
    let program = write(&mut store, &open).unwrap();
    assert!(matches!(prove(&mut store, &alone, &program), Err(Disproof::Foreign { .. })));
}

#[test]
fn a_policy_without_a_table_is_not_proven() {
    let mut store = Store::default();
    let allow = Node::action(Action::Allow);
    let mut both = policy([(Arch::X86_64, table(DENY, [(0, allow)])), (Arch::Aarch64, table(DENY, [(63, allow)]))]);
    let program = write(&mut store, &both).unwrap();
    assert_eq!(prove(&mut store, &both, &program), Ok(()));
    both.function.tables.remove(&Arch::Aarch64);
    assert_eq!(prove(&mut store, &both, &program), Err(Disproof::Missing(Arch::Aarch64)));
}

#[test]
fn what_a_filter_cannot_see_is_an_error_that_names_it() {
    let mut store = Store::default();
    let admin = store.capability(21);
    let node = store.ite(admin, Node::action(Action::Allow), Node::action(DENY));
    let Err(WriteError::OpenEnvironment { caps, kernel, calls }) = write(&mut store, &x86_64([(165, node)])) else {
        panic!("written all the same")
    };
    assert_eq!((caps.into_iter().collect::<Vec<_>>(), kernel, calls), (vec![21], false, vec![(Arch::X86_64, Nr(165))]));
}

#[test]
fn too_long_a_program_names_the_heaviest_calls() {
    let mut store = Store::default();
    let mut set = Node::FALSE;
    for index in 0..6000u64 {
        let one = equal(&mut store, 0, 64, u64::MAX, index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        set = store.or(set, one);
    }
    let node = store.ite(set, Node::action(Action::Allow), Node::action(DENY));
    let small = equal(&mut store, 0, 32, u64::MAX, 1);
    let small = store.ite(small, Node::action(Action::Allow), Node::action(DENY));
    match write(&mut store, &x86_64([(7, small), (16, node)])) {
        Err(WriteError::TooLong { instructions, heaviest }) => {
            assert!(instructions > MAX_LEN);
            assert_eq!(heaviest[0].nr, Nr(16));
            assert!(heaviest[1].tests == 1 && heaviest[1].nr == Nr(7));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn far_jumps_get_islands() {
    let mut store = Store::default();
    // Every number another errno: answers cannot be shared, the program is long, and jumps are far.
    let calls: Vec<_> = (0..900).map(|nr| (nr, Node::action(Action::Errno(nr as u16 + 2)))).collect();
    let policy = x86_64(calls);
    let program = write(&mut store, &policy).unwrap();
    prove(&mut store, &policy, &program).unwrap();
    let steps = (0..900)
        .map(|nr| answer(&program, &Call { arch: Arch::X86_64, nr: Nr(nr), args: [0; 6] }).steps)
        .max()
        .unwrap();
    assert!(steps <= 4 + 2 * 10, "{steps} instructions for one of 900 numbers");
    assert!(program.len() <= 2200, "{}", program.len());
}

#[test]
fn bytes_come_back() {
    let mut store = Store::default();
    let program = write(&mut store, &x86_64([(0, Node::action(Action::Allow))])).unwrap();
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let bytes = program.to_bytes(order);
        assert_eq!(bytes.len(), 8 * program.len());
        assert_eq!(Program::from_bytes(&bytes, order), Ok(program.clone()));
        assert_eq!(Program::from_bytes(&bytes[..9], order), Err(DecodeError::Ragged { bytes: 9 }));
    }
    assert_eq!(Program::from_bytes(&[], ByteOrder::Little), Err(DecodeError::Empty));
    let long = vec![0; 8 * 4097];
    assert_eq!(Program::from_bytes(&long, ByteOrder::Big), Err(DecodeError::TooLong { instructions: 4097 }));
    assert_eq!(&program.to_bytes(ByteOrder::Little)[..8], [0x20, 0, 0, 0, 4, 0, 0, 0]);
    assert_eq!(&program.to_bytes(ByteOrder::Big)[..8], [0, 0x20, 0, 0, 0, 0, 0, 4]);
}

#[test]
fn every_abi_alone_and_all_at_once() {
    let mut store = Store::default();
    let high = equal(&mut store, 3, 64, 1 << 40, 0);
    let node = store.ite(high, Node::action(Action::Allow), Node::action(Action::Trap(3)));
    let all: Vec<_> = Arch::all().map(|arch| (arch, table(DENY, [(0x4000_0007, node), (9, node)]))).collect();
    for one in &all {
        let policy = policy([one.clone()]);
        let program = write(&mut store, &policy).unwrap();
        prove(&mut store, &policy, &program).unwrap();
    }
    let policy = policy(all);
    let program = write(&mut store, &policy).unwrap();
    prove(&mut store, &policy, &program).unwrap();
    for arch in Arch::all() {
        for nr in [9, 0x4000_0007] {
            for args in [[0; 6], [1 << 40; 6]] {
                let call = Call { arch, nr: Nr(nr), args };
                assert_eq!(answer(&program, &call).action(), expected(&store, &policy, &call), "{call:?}");
            }
        }
    }
}

/// The first 1,536 numbers get one answer, behind a comparison that makes no difference: those behind them have their own.
#[test]
fn numbers_behind_a_needless_comparison_are_read() {
    let program = Program(vec![
        Insn::statement(op::LD_ABS, 0),
        Insn::jump(op::JGE_K, 0x41, 0, 1),
        Insn::jump(op::JGE_K, 0x600, 1, 0),
        Insn::statement(op::RET_K, DENY.to_ret()),
        Insn::statement(op::RET_K, Action::Allow.to_ret()),
    ]);
    let mut store = Store::default();
    let function = read(&mut store, &program, &[Arch::Aarch64]).unwrap().function;
    for (nr, action) in [(0, DENY), (0x41, DENY), (0x5ff, DENY), (0x600, Action::Allow), (0x5_0001, Action::Allow)] {
        assert_eq!(function.at(Arch::Aarch64, Nr(nr)), Node::action(action), "{nr}");
    }
}

/// Asked in the order of the diagram, what is left of arg1 stands behind each answer on arg0 and arg2.
#[test]
fn the_shortest_order_of_arguments_is_found() {
    let mut store = Store::default();
    let compare = |store: &mut Store, arg, comparison, value| {
        store.compare(Operand { arg, bits: 64, mask: u64::MAX, signed: false }, comparison, value)
    };
    let [other, one, few] = [(1, Comparison::Eq, 7), (0, Comparison::Eq, 5), (2, Comparison::Le, 9)]
        .map(|(a, c, v)| compare(&mut store, a, c, v));
    let both = store.and(one, few);
    let other = store.not(other);
    let set = store.or(other, both);
    let node = store.ite(set, Node::action(Action::Allow), Node::action(Action::Errno(1)));
    let policy = x86_64([(41, node)]);
    let mut offsets = |goal| -> Vec<u32> {
        let program = super::super::write(&mut store, &policy, &Aim { goal, ..Aim::default() }).unwrap();
        prove(&mut store, &policy, &program).unwrap();
        program.0.iter().filter(|insn| insn.code == op::LD_ABS && insn.k >= 16).map(|insn| insn.k).collect()
    };
    let size = offsets(Goal::Size);
    assert!(size.starts_with(&[24, 28]) && size.len() == 6, "{size:?}");
    assert!(offsets(Goal::Time).len() > 6);
}

/// Twelve rules that each look at two arguments: every answer on the first has its own set of those on the second, which is
/// more than the kernel takes.
#[test]
fn rules_that_are_too_much_together_are_asked_one_by_one() {
    let mut store = Store::default();
    let mut said = Vec::new();
    for rule in 0..12u64 {
        let mask = Operand { arg: 0, bits: 32, mask: 0x11 << (rule % 20) | 1 << (rule * 7 % 31), signed: false };
        let one = store.compare(mask, Comparison::Eq, 0);
        let two = equal(&mut store, 1, 32, u64::MAX, 1_000 + rule * 77);
        said.push((store.and(one, two), Action::Allow));
    }
    let set = store.union(said.iter().map(|&(set, _)| set).collect());
    let node = store.ite(set, Node::action(Action::Allow), Node::action(DENY));
    let mut policy = x86_64([(900, node)]);
    assert!(matches!(write(&mut store, &policy), Err(WriteError::TooLong { .. })));
    policy.said.insert((Arch::X86_64, Nr(900)), said);
    let one_by_one = write(&mut store, &policy).unwrap();
    prove(&mut store, &policy, &one_by_one).unwrap();
    assert!(one_by_one.len() < 12 * 5 + 12, "{}", one_by_one.len());
    // Rules that say something else are none of its rules.
    policy.said.values_mut().for_each(|said| said.truncate(11));
    assert!(matches!(write(&mut store, &policy), Err(WriteError::TooLong { .. })));
}
