//! Policies written, read back, and read from elsewhere.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::error::WriteError;
use super::prove::prove;
use super::read::{self, ReadError, read};
use super::runtime::{self, Dialect, Loaded};
use super::write::{Target, Warning, Written, write};
use crate::diagram::{Comparison, Function, Leaf, Node, Operand, Store, Table};
use crate::policy::{Listener, Policy};
use crate::spec::{Action, Arch, Environment, Nr};
use crate::tables;

const DENY: Action = Action::Errno(1);

fn number(name: &str, arch: Arch) -> Nr {
    tables::syscall(name).unwrap().nr(arch).unwrap()
}

/// A policy that gives the named calls the same function on every ABI that has them.
fn policy(archs: &[Arch], calls: &[(&str, Node)]) -> Policy {
    let mut function = Function::default();
    for &arch in archs {
        let nodes: BTreeMap<Nr, Node> =
            calls.iter().filter_map(|&(name, node)| Some((tables::syscall(name)?.nr(arch)?, node))).collect();
        function.tables.insert(arch, Table::new(Node::action(DENY), &nodes));
    }
    let (archs, native) = (archs.to_vec(), false);
    Policy {
        function,
        archs,
        native,
        default: DENY,
        declared: BTreeMap::new(),
        said: BTreeMap::new(),
        flags: vec![],
        listener: None,
        waivers: Vec::new(),
    }
}

/// Changes the function of one call.
fn set(policy: &mut Policy, name: &str, arch: Arch, node: Node) {
    let nr = number(name, arch);
    let table = policy.function.tables.get(&arch).unwrap();
    let mut nodes: BTreeMap<Nr, Node> =
        tables::Syscall::all_of(arch).filter_map(|call| Some((call.nr(arch)?, table.at(call.nr(arch)?)))).collect();
    nodes.insert(nr, node);
    policy.function.tables.insert(arch, Table::new(Node::action(DENY), &nodes));
}

const ALLOW: Action = Action::Allow;

fn allow() -> Node {
    Node::action(ALLOW)
}

fn equals(store: &mut Store, arg: u8, bits: u8, value: u64) -> Node {
    store.compare(Operand { arg, bits, mask: u64::MAX, signed: false }, Comparison::Eq, value)
}

fn at_most(store: &mut Store, arg: u8, bits: u8, value: u64) -> Node {
    store.compare(Operand { arg, bits, mask: u64::MAX, signed: false }, Comparison::Le, value)
}

fn only_if(store: &mut Store, set: Node, action: Action) -> Node {
    store.ite(set, Node::action(action), Node::action(DENY))
}

fn written(store: &mut Store, policy: &Policy) -> Written {
    write(store, policy, &Target::default()).unwrap()
}

#[test]
fn unconditional_calls_are_grouped_and_sorted() {
    let mut store = Store::default();
    let deny = Node::action(Action::Errno(38));
    let log = Node::action(Action::Log);
    let policy = policy(
        &[Arch::X86_64, Arch::Aarch64],
        &[("write", allow()), ("read", allow()), ("clone3", deny), ("open", log), ("close", Node::action(DENY))],
    );
    let written = written(&mut store, &policy);
    assert_eq!(
        written.json,
        r#"{
  "defaultAction": "SCMP_ACT_ERRNO",
  "defaultErrnoRet": 1,
  "architectures": [
    "SCMP_ARCH_X86_64",
    "SCMP_ARCH_AARCH64"
  ],
  "syscalls": [
    {
      "names": [
        "read",
        "write"
      ],
      "action": "SCMP_ACT_ALLOW"
    },
    {
      "names": [
        "open"
      ],
      "action": "SCMP_ACT_LOG"
    },
    {
      "names": [
        "clone3"
      ],
      "action": "SCMP_ACT_ERRNO",
      "errnoRet": 38
    }
  ]
}
"#
    );
    assert_eq!(written.proof.archs, [Arch::X86_64, Arch::Aarch64]);
    assert_eq!(written.warnings, []);
}

#[test]
fn a_narrow_parameter_is_masked_and_a_wide_one_is_not() {
    let mut store = Store::default();
    let narrow = equals(&mut store, 0, 32, 1);
    let wide = equals(&mut store, 1, 64, 7);
    let narrow = only_if(&mut store, narrow, ALLOW);
    let wide = only_if(&mut store, wide, ALLOW);
    let policy = policy(&[Arch::X86_64], &[("socket", narrow), ("mprotect", wide)]);
    let profile = read(written(&mut store, &policy).json.as_bytes()).unwrap();
    let args: Vec<_> = profile.syscalls.iter().map(|entry| (entry.names[0].as_str(), entry.args.as_slice())).collect();
    let [("mprotect", [wide]), ("socket", [narrow])] = args[..] else { panic!("{args:?}") };
    assert_eq!((wide.index, wide.value, wide.op), (1, 7, super::profile::Op::Eq));
    assert_eq!((narrow.index, narrow.value, narrow.value_two.0), (0, 0xffff_ffff, Some(1)));
}

#[test]
fn intervals_of_a_full_argument_take_one_entry() {
    let mut store = Store::default();
    let low = at_most(&mut store, 1, 64, 4096);
    let low = only_if(&mut store, low, ALLOW);
    let high = at_most(&mut store, 1, 64, 99);
    let high = store.not(high);
    let high = only_if(&mut store, high, ALLOW);
    let other = equals(&mut store, 2, 64, 5);
    let other = store.not(other);
    let other = only_if(&mut store, other, ALLOW);
    let policy = policy(&[Arch::X86_64, Arch::X86], &[("mmap", low), ("munmap", high), ("mremap", other)]);
    // x86 has narrow registers.
    let mut policy = policy;
    for (name, node) in [("munmap", high), ("mremap", other)] {
        let narrow = store.assume(node, &|place| match place {
            crate::diagram::Place::Arg { bit: 32.., .. } => Some(false),
            _ => None,
        });
        set(&mut policy, name, Arch::X86, narrow);
    }
    set(&mut policy, "mmap", Arch::X86, Node::action(DENY));
    let error = write(&mut store, &policy, &Target::default()).unwrap_err();
    assert_eq!(error, [WriteError::Differs { name: "mmap".to_owned(), archs: vec![Arch::X86_64, Arch::X86] }]);
    let narrow = store.assume(low, &|place| match place {
        crate::diagram::Place::Arg { bit: 32.., .. } => Some(false),
        _ => None,
    });
    set(&mut policy, "mmap", Arch::X86, narrow);
    let profile = read(written(&mut store, &policy).json.as_bytes()).unwrap();
    let ops: Vec<_> = profile.syscalls.iter().map(|entry| (entry.args[0].op, entry.args[0].value)).collect();
    use super::profile::Op;
    assert_eq!(ops, [(Op::Lt, 4097), (Op::Ne, 5), (Op::Ge, 100)]);
}

#[test]
fn hosts_that_differ_are_kept_apart_by_name() {
    let mut store = Store::default();
    let one = equals(&mut store, 0, 32, 1);
    let one = only_if(&mut store, one, ALLOW);
    let mut policy = policy(&[Arch::X86_64, Arch::Aarch64], &[("fcntl", one), ("read", allow())]);
    let two = equals(&mut store, 0, 32, 2);
    let two = only_if(&mut store, two, ALLOW);
    set(&mut policy, "fcntl", Arch::Aarch64, two);
    let profile = read(written(&mut store, &policy).json.as_bytes()).unwrap();
    let arches: Vec<_> = profile.syscalls.iter().map(|entry| entry.includes.arches.clone()).collect();
    assert_eq!(arches, [vec![], vec!["amd64".to_owned()], vec!["arm64".to_owned()]]);
}

#[test]
fn a_policy_without_a_table_is_not_proven() {
    let mut store = Store::default();
    let mut policy = policy(&[Arch::X86_64, Arch::Aarch64], &[("read", allow())]);
    let json = written(&mut store, &policy).json;
    assert!(prove(&mut store, &policy, &Target::default(), &json).is_ok());
    policy.function.tables.remove(&Arch::Aarch64);
    let errors = prove(&mut store, &policy, &Target::default(), &json).unwrap_err();
    let [WriteError::Internal { what, .. }] = &errors[..] else { panic!("{errors:?}") };
    assert!(what.contains("it is not for aarch64"), "{what}");
}

#[test]
fn a_condition_on_socket_would_open_socketcall() {
    let mut store = Store::default();
    let unix = equals(&mut store, 0, 32, 1);
    let unix = only_if(&mut store, unix, ALLOW);
    let policy_with = |archs: &[Arch]| policy(archs, &[("socket", unix)]);
    let error = write(&mut store, &policy_with(&[Arch::X86_64, Arch::X86]), &Target::default()).unwrap_err();
    let opens = WriteError::OpensMultiplexer { name: "socket".to_owned(), multiplexer: "socketcall", arch: Arch::X86 };
    assert_eq!(error, [opens]);
    assert!(write(&mut store, &policy_with(&[Arch::X86_64, Arch::Aarch64]), &Target::default()).is_ok());
    // Both ways in, as an unconditional rule has it.
    let mut both = policy(&[Arch::X86_64, Arch::X86], &[("socket", allow())]);
    let call = equals(&mut store, 0, 32, 1);
    let call = only_if(&mut store, call, ALLOW);
    set(&mut both, "socketcall", Arch::X86, call);
    let written = written(&mut store, &both);
    assert!(!written.json.contains("socketcall"), "{}", written.json);
    // Everything that goes through it.
    set(&mut both, "socketcall", Arch::X86, allow());
    let profile = read(write(&mut store, &both, &Target::default()).unwrap().json.as_bytes()).unwrap();
    assert_eq!(profile.syscalls[0].names, ["socket", "socketcall"]);
}

#[test]
fn what_json_cannot_say_is_an_error() {
    let mut store = Store::default();
    let trap = policy(&[Arch::X86_64], &[("read", Node::action(Action::Trap(5)))]);
    let target = Target::default();
    assert_eq!(
        write(&mut store, &trap, &target).unwrap_err(),
        [WriteError::TrapData { name: Some("read".to_owned()), data: 5 }]
    );
    let mut notify = policy(&[Arch::X86_64], &[("mount", Node::action(Action::Notify))]);
    assert_eq!(write(&mut store, &notify, &target).unwrap_err(), [WriteError::NotifyWithoutListener]);
    notify.listener = Some(Listener { path: "/run/agent.sock".to_owned(), metadata: Some("x".to_owned()) });
    let json = write(&mut store, &notify, &target).unwrap().json;
    assert!(json.contains("\"listenerPath\": \"/run/agent.sock\",\n  \"listenerMetadata\": \"x\""), "{json}");
    let x86 = policy(&[Arch::X86], &[("read", allow())]);
    assert_eq!(
        write(&mut store, &x86, &target).unwrap_err(),
        [WriteError::NativeMissing { arch: Arch::X86, native: Arch::X86_64 }]
    );
    let mixed = policy(&[Arch::X86_64, Arch::S390x], &[("read", allow())]);
    assert_eq!(
        write(&mut store, &mixed, &target).unwrap_err(),
        [WriteError::MixedByteOrder { little: Arch::X86_64, big: Arch::S390x }]
    );
    let mut unnamed = policy(&[Arch::X86_64], &[]);
    let nodes = BTreeMap::from([(Nr(999), allow())]);
    unnamed.function.tables.insert(Arch::X86_64, Table::new(Node::action(DENY), &nodes));
    unnamed.declared.insert((Arch::X86_64, Nr(999)), "future".to_owned());
    let unknown = WriteError::UnknownToRuntime { name: Some("future".to_owned()), arch: Arch::X86_64, nr: Nr(999) };
    assert_eq!(write(&mut store, &unnamed, &target).unwrap_err(), [unknown]);
    let recent = store.kernel_at_least("5.11".parse().unwrap());
    let recent = only_if(&mut store, recent, ALLOW);
    let kernel = policy(&[Arch::X86_64], &[("epoll_pwait2", recent)]);
    assert_eq!(
        write(&mut store, &kernel, &target).unwrap_err(),
        [WriteError::OpenKernel { name: "epoll_pwait2".to_owned() }]
    );
    let moby = Target { dialect: Dialect::Moby, ..target };
    let json = write(&mut store, &kernel, &moby).unwrap().json;
    assert!(json.contains("\"minKernel\": \"5.11\""), "{json}");
}

#[test]
fn too_many_entries_are_an_error_before_they_are_made() {
    let mut store = Store::default();
    let mut node = Node::TRUE;
    for arg in 0..4 {
        let zero = equals(&mut store, arg, 32, 0);
        let other = store.not(zero);
        node = store.and(node, other);
    }
    let node = only_if(&mut store, node, ALLOW);
    let policy = policy(&[Arch::X86_64], &[("read", allow()), ("mmap", node)]);
    let error = write(&mut store, &policy, &Target::default()).unwrap_err();
    assert_eq!(error, [WriteError::TooManyEntries { name: "mmap".to_owned(), entries: 1 << 20 }]);
}

#[test]
fn a_name_newer_than_the_runtime_is_said() {
    let mut store = Store::default();
    let policy = policy(&[Arch::X86_64], &[("cachestat", allow()), ("read", allow())]);
    let old = Target { libseccomp: Some((2, 5, 4)), ..Target::default() };
    let warnings = write(&mut store, &policy, &old).unwrap().warnings;
    assert_eq!(warnings, [Warning::NewerThanRuntime { name: "cachestat".to_owned(), needs: Some("2.5.5") }]);
}

#[test]
fn capabilities_are_conditions_of_entries() {
    if tables::capability("CAP_SYS_ADMIN").is_none() {
        eprintln!("SKIPPED: no capabilities in the tables");
        return;
    }
    let mut store = Store::default();
    let admin = store.capability(21);
    let module = store.capability(16);
    let neither = store.or(admin, module);
    let log = store.ite(module, Node::action(Action::Log), Node::action(DENY));
    let mount = store.ite(admin, allow(), log);
    let other = store.ite(neither, Node::action(DENY), allow());
    let policy = policy(&[Arch::X86_64], &[("mount", mount), ("umount2", other)]);
    let profile = read(written(&mut store, &policy).json.as_bytes()).unwrap();
    for entry in &profile.syscalls {
        assert!(!entry.includes.is_empty() || !entry.excludes.is_empty());
    }
}

fn loaded(store: &mut Store, json: &str, host: Arch) -> Loaded {
    runtime::load(store, &read(json.as_bytes()).unwrap(), host, None, Dialect::Containers).unwrap()
}

fn answer(store: &Store, loaded: &Loaded, name: &str, arch: Arch, args: [u64; 6]) -> Action {
    match store.at(loaded.function.at(arch, number(name, arch)), &Environment::default(), &args) {
        Leaf::Act(action) => action,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_repeated_index_means_or() {
    let mut store = Store::default();
    let json = r#"{ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{ "names": ["socket", "no_such_call"],
        "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"},
        {"index": 1, "value": 2, "op": "SCMP_CMP_EQ"}, {"index": 0, "value": 3, "op": "SCMP_CMP_EQ"}] }] }"#;
    let loaded = loaded(&mut store, json, Arch::X86_64);
    assert_eq!(loaded.unknown, ["no_such_call"]);
    for (args, action) in [
        ([1, 9, 0, 0, 0, 0], ALLOW),
        ([9, 2, 0, 0, 0, 0], ALLOW),
        ([3, 9, 0, 0, 0, 0], ALLOW),
        ([9, 9, 0, 0, 0, 0], DENY),
        ([1 << 32 | 1, 9, 0, 0, 0, 0], DENY),
    ] {
        assert_eq!(answer(&store, &loaded, "socket", Arch::X86_64, args), action, "{args:?}");
    }
}

#[test]
fn contradictions_are_undetermined() {
    let mut store = Store::default();
    let json = r#"{ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
        { "names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 9, "op": "SCMP_CMP_LT"}] },
        { "names": ["read"], "action": "SCMP_ACT_LOG", "args": [{"index": 0, "value": 7, "op": "SCMP_CMP_GT"}] },
        { "names": ["write"], "action": "SCMP_ACT_ALLOW" },
        { "names": ["write"], "action": "SCMP_ACT_LOG", "args": [{"index": 0, "value": 7, "op": "SCMP_CMP_GT"}] },
        { "names": ["close"], "action": "SCMP_ACT_ALLOW" },
        { "names": ["close"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1 } ] }"#;
    let loaded = loaded(&mut store, json, Arch::X86_64);
    let places: Vec<_> =
        loaded.undetermined.iter().map(|place| (place.name.as_str(), place.cube.args[0].value)).collect();
    assert_eq!(places, [("read", 8)]);
}

#[test]
fn mistakes_are_named_with_their_place() {
    let error = |text: &str| read(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(error("[]"), "should be an object, is a list");
    assert!(error("{ /* no */ }").starts_with("line 1, column 3: not JSON"));
    assert_eq!(error(r#"{"defaultAction": "ALLOW"}"#), "defaultAction: no action is called `ALLOW`");
    let one = |entry: &str| error(&format!(r#"{{"defaultAction": "SCMP_ACT_LOG", "syscalls": [{entry}]}}"#));
    assert_eq!(one(r#"{"names": ["a"]}"#), "syscalls[0].action: is missing");
    assert_eq!(one("3"), "syscalls[0]: should be an object, is a number");
    let arg = |arg: &str| one(&format!(r#"{{"names": ["a"], "action": "SCMP_ACT_LOG", "args": [{arg}]}}"#));
    assert_eq!(
        arg(r#"{"index": 6, "op": "SCMP_CMP_EQ"}"#),
        "syscalls[0].args[0].index: a call has the arguments 0 to 5"
    );
    assert_eq!(
        arg(r#"{"index": 0, "op": "SCMP_CMP_EQ", "value": -1}"#),
        "syscalls[0].args[0].value: -1 is not a whole number from 0 to 2^64 - 1"
    );
    assert_eq!(arg(r#"{"index": 0, "op": "EQ"}"#), "syscalls[0].args[0].op: no comparison is called `EQ`");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(error(&deep).contains("recursion limit"));
    let ReadError { place, .. } = read(&vec![b' '; read::MOST_BYTES + 1]).unwrap_err();
    assert_eq!(place, "");
}

/// A file of the corpus, if there is one.
fn corpus(name: &str) -> Option<String> {
    let folder = std::env::var("KPOL_SHARED").unwrap_or_else(|_| "../../shared".to_owned());
    let path = std::path::Path::new(&folder).join("corpus").join(name);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        eprintln!("SKIPPED: no {}", path.display());
    }
    text
}

#[test]
fn profiles_of_others_are_understood() {
    let mut store = Store::default();
    if let Some(json) = corpus("moby-default.json") {
        let loaded = loaded(&mut store, &json, Arch::X86_64);
        assert_eq!(loaded.function.tables.keys().copied().collect::<Vec<_>>(), [Arch::X86_64, Arch::X86, Arch::X32]);
        let socket = |family| answer(&store, &loaded, "socket", Arch::X86_64, [family, 1, 0, 0, 0, 0]);
        assert_eq!([socket(1), socket(38), socket(40), socket(0x1_0000_0028)], [ALLOW, DENY, DENY, ALLOW]);
        let clone = |flags| answer(&store, &loaded, "clone", Arch::X86_64, [flags, 0, 0, 0, 0, 0]);
        assert_eq!([clone(0), clone(0x1000_0000)], [ALLOW, DENY]);
        assert_eq!(answer(&store, &loaded, "clone3", Arch::X86_64, [0; 6]), Action::Errno(38));
        assert_eq!(answer(&store, &loaded, "read", Arch::X32, [0; 6]), ALLOW);
        assert!(loaded.undetermined.is_empty(), "{:?}", loaded.undetermined);
        // Its `socket` rules compare by order, and the library merges such: its program was asked.
        assert!(loaded.settled && loaded.merged.is_empty(), "{:?}", loaded.merged);
    }
    if tables::errno("ENOSYS", Arch::X86_64).is_none() {
        eprintln!("SKIPPED: no errnos in the tables");
    } else if let Some(json) = corpus("containers-default.json") {
        let loaded = loaded(&mut store, &json, Arch::Aarch64);
        assert_eq!(loaded.function.tables.keys().copied().collect::<Vec<_>>(), [Arch::Aarch64, Arch::Arm]);
        assert_eq!(answer(&store, &loaded, "read", Arch::Aarch64, [0; 6]), ALLOW);
        assert_eq!(answer(&store, &loaded, "read", Arch::Arm, [0; 6]), ALLOW);
    }
    if let Some(json) = corpus("kios-example.json") {
        let loaded = loaded(&mut store, &json, Arch::X86_64);
        assert_eq!(answer(&store, &loaded, "read", Arch::X86_64, [0; 6]), ALLOW);
        assert_eq!(answer(&store, &loaded, "init_module", Arch::X86_64, [0; 6]), Action::Log);
    }
    if let Some(json) = corpus("kios-audit.json") {
        let loaded = loaded(&mut store, &json, Arch::X86_64);
        assert_eq!(answer(&store, &loaded, "reboot", Arch::X86_64, [0; 6]), Action::Log);
    }
    assert!(corpus("kios-example.jsonc").is_none_or(|text| read(text.as_bytes()).is_err()));
}

/// Rules as sets: an argument, how much of it, a comparison, a number, an action.
fn rules() -> impl Strategy<Value = Vec<(u8, bool, u64, bool, u64, u8)>> {
    let value = prop_oneof![0u64..8, Just(u64::MAX), Just(1 << 32), Just(0xffff_ffff), any::<u64>()];
    prop::collection::vec((0u8..3, any::<bool>(), value.clone(), any::<bool>(), value, 0u8..5), 1..5)
}

fn random(store: &mut Store, rules: &[(u8, bool, u64, bool, u64, u8)], widest: u8) -> Node {
    let mut node = Node::action(DENY);
    for &(arg, wide, mask, le, value, action) in rules {
        let bits = if wide { widest } else { widest.min(32) };
        let operand = Operand { arg, bits, mask: if mask % 3 == 0 { u64::MAX } else { mask }, signed: false };
        let comparison = if le { Comparison::Le } else { Comparison::Eq };
        let set = store.compare(operand, comparison, value);
        let also = equals(store, (arg + 1) % 3, bits, mask);
        let set = if action > 2 { store.and(set, also) } else { set };
        let actions = [ALLOW, Action::Log, Action::KillProcess, Action::Errno(38), Action::Trace(3)];
        node = store.ite(set, Node::action(actions[usize::from(action)]), node);
    }
    node
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 200 } else { 2000 }))]
    #[test]
    fn what_is_written_means_the_policy(ours: Vec<bool>, one in rules(), two in rules()) {
        let mut store = Store::default();
        let (one_node, two_node) = (random(&mut store, &one, 64), random(&mut store, &two, 64));
        let calls = [("mmap", one_node), ("futex", two_node), ("read", allow())];
        let archs = if ours.len() % 2 == 0 { &[Arch::X86_64, Arch::Aarch64][..] } else { &[Arch::X86_64, Arch::X32] };
        let policy = policy(archs, &calls);
        match write(&mut store, &policy, &Target::default()) {
            // `write` has proven it; this looks at the entries once more.
            Ok(written) => {
                let loaded = loaded(&mut store, &written.json, Arch::X86_64);
                for (name, node) in calls {
                    prop_assert_eq!(loaded.function.at(Arch::X86_64, number(name, Arch::X86_64)), node);
                }
                prop_assert_eq!(write(&mut store, &policy, &Target::default()).unwrap(), written);
            }
            Err(errors) => {
                for error in errors {
                    // libseccomp looks at half of x32's registers.
                    let differs = archs.contains(&Arch::X32) && matches!(error, WriteError::Differs { .. });
                    let refused = matches!(error, WriteError::TooManyEntries { .. } | WriteError::Miscompiled(_));
                    prop_assert!(differs || refused, "{}", error);
                }
            }
        }
    }
}
