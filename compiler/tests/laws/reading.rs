//! Whatever is printed as a condition can be read, and is the same set of calls.
//!
//! ```text
//! allow { prctl(option == PR_SET_DUMPABLE, arg2 == 1) }  →  show, diff, why say `option == PR_SET_DUMPABLE && arg2 == 1`
//!                                                        →  as a policy of its own: the same node
//! ```
//!
//! On every parameter of every call of every ABI, and on random policies.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use kpol_compiler::answer::diff::{self, Side};
use kpol_compiler::answer::import::{self, import};
use kpol_compiler::answer::why::why;
use kpol_compiler::answer::words::{self, Case, Cases};
use kpol_compiler::bpf::{self, ByteOrder, Program as Filter};
use kpol_compiler::diagnostic::{Code, Diagnostic, Severity};
use kpol_compiler::diagram::{Function, Node, Store};
use kpol_compiler::driver::{self, Format, Options};
use kpol_compiler::oci::prove;
use kpol_compiler::source::Memory;
use kpol_compiler::spec::{Action, Arch, Nr, register};
use kpol_compiler::tables::{self, Param, Syscall};
use proptest::prelude::*;

use super::program::{Shape, program};
use super::world::{ROOT, World, errors, path};
use super::{config, numbers};

fn compiled(store: &mut Store, text: &str) -> Function {
    let memory = Memory::from([("p.kpol", text)]);
    let (found, policy) = driver::compile(&memory, Path::new("p.kpol"), &Options::default(), store);
    // A constant of another parameter is no error, and must not be printed either.
    let wrong = |found: &&Diagnostic| found.severity == Severity::Error || found.code == Code::W021;
    let errors: Vec<_> = found.iter().filter(wrong).take(4).collect();
    if let Some(label) = errors.first().and_then(|error| error.primary.as_ref()) {
        let at = label.span.bytes.start as usize;
        let line = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        panic!("{}: {}", errors[0].message, text[line..].lines().next().unwrap_or_default());
    }
    policy.expect("a policy").function
}

fn allowed(store: &mut Store, function: &Function, arch: Arch, nr: Nr) -> Node {
    store.where_action(function.at(arch, nr), &|action| action == Action::Allow)
}

/// A rule that says what the words say. Without a condition a pattern covers other ways in as well: so it has one that
/// always holds.
fn rules(name: &str, cases: &Cases) -> String {
    let one = |case: &Case| {
        let tests = if case.tests.is_empty() { "reg0 >= 0".to_owned() } else { case.tests.join(", ") };
        match case.when.join(" && ") {
            when if when.is_empty() => format!("allow {{ {name}({tests}) }}\n"),
            when => format!("when {when} {{ allow {{ {name}({tests}) }} }}\n"),
        }
    };
    cases.cases.iter().map(one).collect()
}

/// Conditions on one register, as a person may write them: by the parameter, and by the register.
fn condition(param: Option<&Param>, arg: u8, arch: Arch, call: Syscall, turn: usize) -> String {
    let raw = register::name(arg);
    let Some(param) = param else {
        return [format!("{raw} == 5"), format!("{raw} & 0x3 != 0"), format!("{raw} > 0xff")][turn % 3].clone();
    };
    let bits = param.bits.min(arch.bits());
    let (name, half) = (param.name, 1i128 << (bits - 1));
    let top = if param.signed { half - 1 } else { 2 * half - 1 };
    let mut constants = tables::constants_for(call, name)
        .filter(|constant| tables::constant(constant, arch).is_some_and(|value| (-half..2 * half).contains(&value)));
    let constant = constants.nth(turn % 5).unwrap_or("1");
    match turn % 14 {
        0 => format!("{name} == {constant}"),
        1 => format!("{name} != {constant}"),
        2 => format!("{name} in {{{constant}, 3, 5..9}}"),
        3 => format!("{name} not in {{0, {constant}}}"),
        4 => format!("{name} & {constant}"),
        5 => format!("{name} & 0x0f == 3"),
        6 => format!("{name} < 7"),
        7 => format!("{name} >= {top}"),
        8 => format!("{name} == -1"),
        9 => format!("{name} <= {}", top - 1),
        10 if param.signed => format!("{name} < 0"),
        11 if param.signed => format!("{name} in {{-9..9, 200..300}}"),
        12 => format!("{raw} == 3"),
        13 => format!("{raw} >= 0xffff_ff00"),
        _ => format!("{name} == {top}"),
    }
}

/// The calls that have something to say of a register, each with a condition on it and the node that it makes.
fn one_each(store: &mut Store, arch: Arch, arg: u8) -> Vec<(Syscall, String, Node)> {
    let has = |call: &Syscall| call.params(arch).is_none_or(|params| usize::from(arg) < params.len().max(1));
    let mut conditions: Vec<(Syscall, String)> = Vec::new();
    for (turn, call) in Syscall::all_of(arch).filter(has).enumerate() {
        let turn = turn + 5 * usize::from(arg) + arch as usize;
        let text = condition(register::param(call, arch, arg), arg, arch, call, turn);
        conditions.push((call, text));
    }
    let text: String = conditions.iter().map(|(call, text)| format!("allow {{ {}({text}) }}\n", call.name())).collect();
    let function = compiled(store, &format!("arch {arch}\ndefault deny\n{text}"));
    let set = |(call, text): (Syscall, String)| {
        let node = allowed(store, &function, arch, call.nr(arch).expect("a call of it"));
        (call, text, node)
    };
    conditions.into_iter().map(set).collect()
}

/// Every parameter of every call on some ABIs, by the words of `show`, `diff`, `why` and the language server.
fn all_of(archs: &[Arch]) -> usize {
    let mut count = 0;
    for (&arch, arg) in archs.iter().flat_map(|arch| (0u8..6).map(move |arg| (arch, arg))) {
        let mut store = Store::default();
        let (mut text, mut wanted) = (format!("arch {arch}\ndefault deny\n"), Vec::new());
        for (call, said, node) in one_each(&mut store, arch, arg) {
            // What a reader meets: the set, or what is left.
            let shown = if count % 2 == 0 { node } else { store.not(node) };
            count += 1;
            let cases = words::cases(&mut store, arch, Some(call.name()), shown);
            assert!(cases.complete, "{}({said}) on {arch} has no words", call.name());
            text.push_str(&rules(call.name(), &cases));
            wanted.push((call, said, shown, cases));
        }
        let function = compiled(&mut store, &text);
        for (call, said, shown, cases) in wanted {
            let read = allowed(&mut store, &function, arch, call.nr(arch).expect("a call of it"));
            assert_eq!(read, shown, "{}({said}) on {arch} is said as {:?}", call.name(), cases.cases);
        }
    }
    count
}

#[test]
fn every_parameter_of_every_call_is_said_so_that_it_reads_back() {
    let archs: Vec<Arch> = Arch::all().collect();
    let (one, other) = archs.split_at(archs.len() / 2);
    let count: usize = std::thread::scope(|scope| {
        let halves = [scope.spawn(|| all_of(one)), scope.spawn(|| all_of(other))];
        halves.into_iter().map(|half| half.join().expect("the law holds")).sum()
    });
    assert!(count > 20_000, "{count}");
}

/// The kernel's own names of parameters, on every ABI that has the call: by name and by register they are one.
#[test]
fn a_parameter_that_is_called_as_a_register_was_is_in_its_own() {
    let mut count = 0;
    for arch in Arch::all() {
        for call in Syscall::all_of(arch).filter(|&call| register::taken_by(call)) {
            for arg in 0u8..6 {
                let Some(param) = register::param(call, arch, arg) else { continue };
                let mut store = Store::default();
                let mut set = |condition: &str| {
                    let name = call.name();
                    let function =
                        compiled(&mut store, &format!("arch {arch} default deny allow {{ {name}({condition}) }}"));
                    allowed(&mut store, &function, arch, call.nr(arch).expect("a call of it"))
                };
                let mask = u64::MAX >> (64 - param.bits.min(arch.bits()));
                // Under a command that takes the parameter as it is.
                let terms = call.cuts(param.name, arch).filter_map(|cut| cut.when.first());
                let under: String = terms.map(|term| format!("{} == 0xfff0, ", term.param)).collect();
                let named = set(&format!("{under}{} == 7", param.name));
                assert_eq!(
                    named,
                    set(&format!("{under}reg{arg} & {mask:#x} == 7")),
                    "{} of {} on {arch}",
                    param.name,
                    call.name()
                );
                count += 1;
            }
        }
    }
    assert!(count > 200, "{count}");
}

/// What a policy allows on each of its ABIs, in the words of `show`.
fn shown(world: &World, declared: &BTreeMap<String, u32>, calls: &BTreeSet<String>) -> Result<(), TestCaseError> {
    let mut store = Store::default();
    let (_, policy) = driver::compile(&world.memory(), &path(ROOT), &Options::default(), &mut store);
    let policy = policy.expect("a meaning");
    for &arch in &policy.archs {
        let mut head = format!("arch {arch}\ndefault kill\n");
        let mut text = String::new();
        let mut wanted: Vec<(String, Nr, Node, Cases)> = Vec::new();
        for name in calls {
            let nr = match declared.get(name) {
                Some(&nr) => {
                    head.push_str(&format!("syscall {name} = {nr} on {arch}\n"));
                    Some(Nr(if arch == Arch::X32 { nr | 1 << 30 } else { nr }))
                }
                None => tables::syscall(name).and_then(|call| call.nr(arch)),
            };
            let Some(nr) = nr else { continue };
            let node = policy.function.at(arch, nr);
            let mut all = Node::FALSE;
            let answer = why(&mut store, arch, nr, Some(name), node, Node::TRUE).expect("an answer");
            for outcome in answer.outcomes {
                let set = store.where_action(node, &|action| action == outcome.action);
                let cases = words::cases(&mut store, arch, Some(name), set);
                prop_assert_eq!(&cases, &outcome.cases, "`why` says what `show` says");
                all = store.or(all, set);
                // One action a policy: two of them would contradict each other if they were wrong.
                if cases.complete && wanted.len() % 3 != 2 && !wanted.iter().any(|(_, known, ..)| *known == nr) {
                    text.push_str(&rules(name, &cases));
                    wanted.push((name.clone(), nr, set, cases));
                }
            }
            prop_assert_eq!(all, Node::TRUE);
        }
        let function = compiled(&mut store, &(head + &text));
        for (name, nr, set, cases) in wanted {
            let read = allowed(&mut store, &function, arch, nr);
            prop_assert_eq!(read, set, "{} on {} is said as {:?}\n{}", name, arch, cases.cases, world);
        }
    }
    Ok(())
}

/// The difference between two policies, as a policy: it allows just what the second one answers otherwise.
fn compared(one: &World, other: &World) -> Result<(), TestCaseError> {
    let mut store = Store::default();
    let mut open = |world: &World| {
        driver::compile(&world.memory(), &path(ROOT), &Options::default(), &mut store).1.expect("a meaning")
    };
    let (one, other) = (open(one), open(other));
    let none = BTreeMap::new();
    let sides = [&one, &other].map(|policy| Side {
        function: &policy.function,
        archs: &policy.archs,
        declared: &none,
        waivers: None,
    });
    let found = diff::diff(&mut store, sides[0], sides[1]);
    for &arch in &found.compared {
        let mut said: BTreeMap<&str, Option<String>> = BTreeMap::new();
        for change in found.changes.iter().filter(|change| change.archs.contains(&arch)) {
            for name in &change.calls {
                let text = said.entry(name).or_insert_with(|| Some(String::new()));
                *text = text.take().filter(|_| change.cases.complete).map(|text| text + &rules(name, &change.cases));
            }
        }
        let text: String = said.values().flatten().map(String::as_str).collect();
        let function = compiled(&mut store, &format!("arch {arch}\ndefault kill\n{text}"));
        for (name, _) in said.iter().filter(|(_, text)| text.is_some()) {
            let Some(nr) = tables::syscall(name).and_then(|call| call.nr(arch)) else { continue };
            let (a, b) = (one.function.at(arch, nr), other.function.at(arch, nr));
            let differs = store.differ(a, b);
            prop_assert_eq!(
                allowed(&mut store, &function, arch, nr),
                differs,
                "{} on {}: {:?}",
                name,
                arch,
                said[name]
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn what_random_policies_say_reads_back(numbers in numbers()) {
        let shape = Shape { environment: true, declared: true, ..Shape::default() };
        let program = program(numbers, shape, ROOT, None);
        let declared = program.declared.iter().map(|(name, (nr, _))| (name.clone(), *nr)).collect();
        shown(&World::from(&program), &declared, &program.calls)?;
    }

    #[test]
    fn differences_read_back(numbers in numbers(), others in numbers(), choice in 0usize..4) {
        let archs = [[Arch::X86_64, Arch::X86], [Arch::X86_64, Arch::X32], [Arch::S390x, Arch::S390], [Arch::Aarch64, Arch::Arm]][choice];
        let shape = Shape { environment: true, ..Shape::default() };
        let of = |numbers| World::from(&program(numbers, shape, ROOT, Some(&archs)));
        compared(&of(numbers), &of(others))?;
    }
}

proptest! {
    #![proptest_config(config(10))]

    #[test]
    fn what_is_imported_reads_back(numbers in numbers()) {
        let program = program(numbers, Shape { small: true, ..Shape::default() }, ROOT, None);
        let world = World::from(&program);
        let options = Options { kernel: Some("6.1".parse().expect("a release")), caps: Some(BTreeSet::new()), ..Options::default() };
        let (checked, products) = world.build(&options, Format::Bpf);
        let Some(product) = products.first() else { return Ok(()) };
        prop_assert!(errors(&checked).is_empty());
        let big = program.archs.iter().any(|arch| arch.is_big_endian());
        // Raw programs do not say in which order their bytes are: importing takes the usual one.
        prop_assume!(!big);
        let Ok(imported) = import("it.bpf", &product.bytes, &import::Options::default()) else { return Ok(()) };
        let mut store = Store::default();
        let function = compiled(&mut store, &imported.text);
        let filter = Filter::from_bytes(&product.bytes, ByteOrder::Little).expect("a filter");
        let read = bpf::read(&mut store, &filter, &imported.proven).expect("can be read").function;
        for &arch in &imported.proven {
            prop_assert!(prove::same(arch, &read.tables[&arch], &function.tables[&arch]), "{arch}\n{}", imported.text);
        }
    }
}

/// Flags of two calls, some of them in a field of several bits.
const FLAGS: [(&str, &str, [&str; 8]); 2] = [
    (
        "clone",
        "clone_flags",
        [
            "CLONE_VM",
            "CLONE_FS",
            "CLONE_THREAD",
            "CLONE_NEWNS",
            "CLONE_NEWUSER",
            "CLONE_NEWPID",
            "CLONE_NEWNET",
            "CSIGNAL",
        ],
    ),
    ("openat", "flags", ["O_CREAT", "O_EXCL", "O_TRUNC", "O_APPEND", "O_CLOEXEC", "O_TMPFILE", "O_ACCMODE", "O_SYNC"]),
];

proptest! {
    #![proptest_config(config(96))]

    /// Sets of flags, as sums of products: whatever is said of them is the same set again.
    #[test]
    fn flags_read_back(
        which in 0usize..2,
        rules in proptest::collection::vec(proptest::collection::vec((1u8.., 0usize..4), 1..4), 1..4),
        opposite in any::<bool>(),
    ) {
        let (call, param, flags) = FLAGS[which];
        let mut text = String::new();
        for tests in &rules {
            let tests = tests.iter().map(|&(chosen, how)| {
                let mask: Vec<&str> = (0..8).filter(|bit| chosen >> bit & 1 == 1).map(|bit| flags[bit]).collect();
                let mask = mask.join(" | ");
                match how {
                    0 => format!("{param} & ({mask}) == 0"),
                    1 => format!("{param} & ({mask}) != 0"),
                    2 => format!("{param} & ({mask}) == {mask}"),
                    _ => format!("{param} & ({mask}) != {mask}"),
                }
            });
            text.push_str(&format!("allow {{ {call}({}) }}\n", tests.collect::<Vec<_>>().join(", ")));
        }
        let mut store = Store::default();
        let memory = Memory::from([("p.kpol", format!("arch x86_64\ndefault kill\n{text}").as_str())]);
        // Conditions that contradict each other, or a value outside of its mask, are errors.
        let (_, policy) = driver::compile(&memory, Path::new("p.kpol"), &Options::default(), &mut store);
        let Some(policy) = policy else { return Ok(()) };
        let nr = tables::syscall(call).and_then(|call| call.nr(Arch::X86_64)).expect("a call");
        let mut set = allowed(&mut store, &policy.function, Arch::X86_64, nr);
        if opposite {
            set = store.not(set);
        }
        let cases = words::cases(&mut store, Arch::X86_64, Some(call), set);
        prop_assume!(cases.complete);
        let read = compiled(&mut store, &format!("arch x86_64\ndefault kill\n{}", self::rules(call, &cases)));
        prop_assert_eq!(allowed(&mut store, &read, Arch::X86_64, nr), set, "{:?} of\n{}", cases.cases, text);
    }
}
