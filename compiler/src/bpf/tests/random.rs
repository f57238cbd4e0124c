//! Random functions, written, run and read back.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

/// A condition on arguments, as a person may write it.
#[derive(Debug, Clone)]
enum Condition {
    Compare(Operand, Comparison, u64),
    Not(Box<Condition>),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
}

impl Condition {
    fn node(&self, store: &mut Store, arch: Arch) -> Node {
        match self {
            Self::Compare(operand, comparison, value) => {
                let mut operand = *operand;
                if arch.bits() == 32 {
                    operand.mask &= 0xffff_ffff;
                }
                store.compare(operand, *comparison, *value)
            }
            Self::Not(inner) => {
                let inner = inner.node(store, arch);
                store.not(inner)
            }
            Self::And(a, b) => {
                let (a, b) = (a.node(store, arch), b.node(store, arch));
                store.and(a, b)
            }
            Self::Or(a, b) => {
                let (a, b) = (a.node(store, arch), b.node(store, arch));
                store.or(a, b)
            }
        }
    }

    /// Values at which the condition changes, for the samples.
    fn edges(&self, edges: &mut Vec<(u8, u64)>) {
        match self {
            Self::Compare(operand, _, value) => {
                let high = 1u64 << (operand.bits - 1);
                for edge in
                    [*value, value.wrapping_add(1), value.wrapping_sub(1), value | 0xffff_ffff << 32, value ^ high]
                {
                    edges.push((operand.arg, edge));
                }
                edges.push((operand.arg, operand.mask));
                edges.push((operand.arg, value | !operand.mask));
            }
            Self::Not(inner) => inner.edges(edges),
            Self::And(a, b) | Self::Or(a, b) => {
                a.edges(edges);
                b.edges(edges);
            }
        }
    }
}

fn value() -> impl Strategy<Value = u64> {
    prop_oneof![
        0u64..8,
        any::<u64>(),
        any::<u32>().prop_map(u64::from),
        (0u32..64).prop_map(|bit| 1 << bit),
        select(vec![0x5401, 0xffff_ffff, 0xffff_ffff_ffff_ff9c, 0x1002_0000, 0x8000_0000, 1 << 32]),
    ]
}

fn mask() -> impl Strategy<Value = u64> {
    prop_oneof![
        3 => Just(u64::MAX),
        1 => select(vec![0xfu64, 0x7, 0x3000f, 0xff, 0x1002_0000, 0xffff_ffff, 0xffff_0000_0000_0000, 6]),
        1 => any::<u64>(),
    ]
}

fn condition() -> impl Strategy<Value = Condition> {
    let compare = (0u8..6, select(vec![8u8, 16, 32, 32, 32, 64, 64]), mask(), any::<bool>(), any::<bool>(), value())
        .prop_map(|(arg, bits, mask, signed, equal, value)| {
            let comparison = if equal { Comparison::Eq } else { Comparison::Le };
            Condition::Compare(Operand { arg, bits, mask, signed }, comparison, value)
        });
    compare.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Condition::Not(Box::new(inner))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Condition::And(Box::new(a), Box::new(b))),
            (inner.clone(), inner).prop_map(|(a, b)| Condition::Or(Box::new(a), Box::new(b))),
        ]
    })
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => Just(Action::Allow),
        2 => Just(Action::Errno(1)),
        1 => select(vec![
            Action::KillProcess,
            Action::KillThread,
            Action::Trap(65535),
            Action::Errno(0),
            Action::Errno(4095),
            Action::Notify,
            Action::Trace(9),
            Action::Log,
        ]),
    ]
}

/// Numbers that begin a behaviour: dense ones, and the borders of x32.
fn number() -> impl Strategy<Value = u32> {
    prop_oneof![
        8 => 0u32..60,
        2 => 0u32..500,
        1 => any::<u32>(),
        2 => select(vec![0x3fff_ffff, 0x4000_0000, 0x4000_0001, 0x4000_0002, u32::MAX - 1, u32::MAX]),
    ]
}

/// Conditions and what happens where they hold.
type Cases = Vec<(Condition, Action)>;

#[derive(Debug, Clone)]
struct Rules {
    arch: Arch,
    default: Action,
    /// Number, and conditions with their actions; the first that holds counts.
    calls: Vec<(u32, Cases, Action)>,
}

fn rules() -> impl Strategy<Value = Rules> {
    let call = (number(), vec((condition(), action()), 0..3), action());
    (select(Arch::all().collect::<Vec<_>>()), action(), vec(call, 0..25)).prop_map(|(arch, default, calls)| Rules {
        arch,
        default,
        calls,
    })
}

fn build(store: &mut Store, rules: &Rules) -> Table {
    let calls: BTreeMap<Nr, Node> = rules
        .calls
        .iter()
        .filter(|(nr, ..)| rules.arch.owns(Nr(*nr)))
        .map(|(nr, conditions, last)| {
            let node = conditions.iter().rev().fold(Node::action(*last), |rest, (condition, action)| {
                let condition = condition.node(store, rules.arch);
                store.ite(condition, Node::action(*action), rest)
            });
            (Nr(*nr), node)
        })
        .collect();
    Table::new(Node::action(rules.default), &calls)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn written_run_and_read_back(
        all in vec(rules(), 1..4),
        goal in select(vec![Goal::Time, Goal::Balanced, Goal::Size]),
        picks in vec((any::<Index>(), any::<Index>(), any::<[Index; 6]>(), any::<[u64; 6]>()), 60),
    ) {
        let mut store = Store::default();
        let tables: BTreeMap<Arch, Table> = all.iter().map(|rules| (rules.arch, build(&mut store, rules))).collect();
        let policy = policy(tables);
        let program = super::super::write(&mut store, &policy, &Aim { goal, ..Aim::default() }).unwrap();
        prop_assert_eq!(check(&program), Ok(()));
        if let Err(disproof) = prove(&mut store, &policy, &program) {
            return Err(TestCaseError::fail(format!("{disproof}\n{}", list(&program))));
        }
        for (rules, nr, edges_at, random) in picks {
            let rules = &all[rules.index(all.len())];
            let numbers: Vec<u32> = rules
                .calls
                .iter()
                .flat_map(|&(nr, ..)| [nr, nr.wrapping_add(1), nr.wrapping_sub(1)])
                .chain([0, 0x3fff_ffff, 0x4000_0000, u32::MAX])
                .collect();
            let mut edges: Vec<(u8, u64)> = vec![(0, 0), (0, u64::MAX)];
            let nr = numbers[nr.index(numbers.len())];
            for (_, conditions, _) in rules.calls.iter().filter(|call| call.0 == nr) {
                conditions.iter().for_each(|(condition, _)| condition.edges(&mut edges));
            }
            let mut args = random;
            for (arg, pick) in edges_at.iter().enumerate() {
                let own: Vec<u64> =
                    edges.iter().filter(|&&(of, _)| usize::from(of) == arg || of == 0).map(|&(_, edge)| edge).collect();
                if random[arg] % 8 != 0 {
                    args[arg] = own[pick.index(own.len())];
                }
            }
            if rules.arch.bits() == 32 {
                args = args.map(|arg| arg & 0xffff_ffff);
            }
            let call = Call { arch: rules.arch, nr: Nr(nr), args };
            let run = answer(&program, &call);
            prop_assert_eq!(run.action(), expected(&store, &policy, &call), "{:x?}\n{}", call, list(&program));
        }
        // What is decided by the number looks at nothing else.
        for (&arch, table) in &policy.function.tables {
            for (range, node) in table.intervals() {
                for nr in [*range.start(), *range.end()] {
                    if node.is_leaf() && arch.owns(Nr(nr)) {
                        let run = answer(&program, &Call { arch, nr: Nr(nr), args: [0; 6] });
                        prop_assert!(run.looked_at & !0b11 == 0);
                        let allow = node == Node::action(Action::Allow);
                        prop_assert_eq!(always_allowed(&program, arch, Nr(nr)), allow);
                    }
                }
            }
        }
    }

    /// Of every change of a program, the proof says what the interpreter says.
    #[test]
    fn no_change_of_meaning_is_missed(
        rules in rules(),
        change in (any::<Index>(), 0u8..5, any::<u32>(), any::<u8>()),
    ) {
        let mut store = Store::default();
        let table = build(&mut store, &rules);
        let policy = policy([(rules.arch, table)]);
        let program = write(&mut store, &policy).unwrap();
        let mut changed = program.clone();
        let at = change.0.index(changed.len());
        let insn = &mut changed.0[at];
        match change.1 {
            0 => std::mem::swap(&mut insn.jt, &mut insn.jf),
            1 => insn.k ^= 1 << (change.2 % 32),
            2 => insn.k = insn.k.wrapping_add(1),
            3 => insn.jt = change.3 % 8,
            _ => insn.jf = change.3 % 8,
        }
        match prove(&mut store, &policy, &changed) {
            Err(Disproof::Call { call, expected: says, found, .. }) => {
                // The witness is real.
                prop_assert_eq!(Leaf::Act(answer(&changed, &call).action()), found);
                prop_assert_eq!(Leaf::Act(expected(&store, &policy, &call)), says);
                prop_assert_ne!(says, found);
            }
            Err(Disproof::Unreadable(_) | Disproof::Foreign { .. }) => {}
            Err(error @ (Disproof::Overflow | Disproof::Missing(_))) => return Err(TestCaseError::fail(error.to_string())),
            Ok(()) => {
                for &(nr, ..) in &rules.calls {
                    for nr in [nr, nr.wrapping_add(1), nr.wrapping_sub(1), 0x4000_0000] {
                        for args in [[0; 6], [u64::MAX; 6], [1; 6]] {
                            let args = if rules.arch.bits() == 32 { args.map(|arg| arg & 0xffff_ffff) } else { args };
                            let call = Call { arch: rules.arch, nr: Nr(nr), args };
                            prop_assert_eq!(answer(&changed, &call).action(), answer(&program, &call).action());
                        }
                    }
                }
            }
        }
    }

    /// Any valid program, however odd: where it can be read, the reading says what the interpreter says.
    #[test]
    fn foreign_programs_are_read_as_they_run(
        insns in vec((select(CODES.to_vec()), 0u8..4, 0u8..4, prop_oneof![0u32..64, any::<u32>()]), 1..40),
        calls in vec((prop_oneof![0u32..64, any::<u32>()], any::<[u64; 6]>()), 20),
    ) {
        let mut program: Vec<Insn> = Vec::new();
        let len = insns.len();
        for (at, (code, jt, jf, k)) in insns.into_iter().enumerate() {
            let left = (len - at) as u32;
            let k = match code {
                op::LD_ABS => [0, 4, 16, 20, 24, 60][k as usize % 6],
                op::JUMP => k % left.min(4),
                _ if code & op::CLASS_MASK == op::ST || code & 0xe0 == op::MEM && code & op::CLASS_MASK < 2 => k % 3,
                _ if code & op::CLASS_MASK == op::ALU && (code & 0xf0 == op::LSH || code & 0xf0 == op::RSH) => k % 32,
                _ if code & op::CLASS_MASK == op::ALU && code & 0xf0 == op::DIV => 1 << (k % 32),
                op::RET_K => [0x7fff_0000, 0x5_0001, 0][k as usize % 3],
                _ => k,
            };
            let clip = |offset: u8| offset.min((left - 1) as u8);
            program.push(Insn { code, jt: clip(jt), jf: clip(jf), k });
        }
        program.push(Insn::statement(op::RET_K, 0x7fff_0000));
        let program = Program(program);
        let mut store = Store::with_limit(200_000);
        let reading = match read(&mut store, &program, &[Arch::X86_64, Arch::X32, Arch::S390x, Arch::Arm]) {
            Ok(reading) => reading,
            Err(ReadError::Invalid(error)) => {
                prop_assert_eq!(check(&program), Err(error));
                return Ok(());
            }
            Err(_) => return Ok(()),
        };
        for (nr, args) in calls {
            for arch in [Arch::X86_64, Arch::X32, Arch::S390x, Arch::Arm] {
                if !arch.owns(Nr(nr)) {
                    continue;
                }
                let args = if arch.bits() == 32 { args.map(|arg| arg & 0xffff_ffff) } else { args };
                let call = Call { arch, nr: Nr(nr), args };
                let node = reading.function.at(arch, Nr(nr));
                prop_assert_eq!(
                    store.at(node, &Environment::default(), &args),
                    Leaf::Act(answer(&program, &call).action()),
                    "{:?}\n{}", call, list(&program)
                );
            }
        }
    }
}

const CODES: &[u16] = &[
    op::LD_ABS,
    op::LD_ABS,
    op::LD_ABS,
    op::LD | op::IMM,
    op::LD | op::MEM,
    op::LDX | op::IMM,
    op::LDX | op::MEM,
    op::LD | op::LEN,
    op::ST,
    op::STX,
    op::ALU | op::ADD,
    op::ALU | op::SUB | op::X,
    op::ALU | op::AND,
    op::ALU | op::AND,
    op::ALU | op::OR | op::X,
    op::ALU | op::XOR,
    op::ALU | op::LSH,
    op::ALU | op::RSH,
    op::ALU | op::DIV,
    op::ALU | op::NEG,
    op::MISC | op::TAX,
    op::MISC | op::TXA,
    op::JUMP,
    op::JEQ_K,
    op::JGT_K,
    op::JGE_K,
    op::JSET_K,
    op::JMP | op::JEQ | op::X,
    op::JMP | op::JGT | op::X,
    op::RET_K,
];
