//! What the real libseccomp makes of profiles: the facts on which the model of a runtime rests.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use kpol_compiler::spec::{Action, Arch, Call, Nr, arch::X32_BIT};
use kpol_compiler::tables;
use kpol_tests::cbpf::Filter;
use kpol_tests::kernel;
use kpol_tests::libseccomp::{Options, json_to_bpf, knows, profile_to_bpf, version};
use kpol_tests::probe::{Job, Outcome};
use kpol_tests::profile::Node;
use kpol_tests::skip::{or_skip, shared_dir};

fn call(arch: Arch, nr: u32, args: &[u64]) -> Call {
    let mut all = [0; 6];
    all[..args.len()].copy_from_slice(args);
    Call { arch, nr: Nr(nr), args: all }
}

fn build(profile: &str, native: Arch) -> Option<Filter> {
    or_skip(json_to_bpf(profile, native)).map(|built| built.unwrap())
}

fn at(filter: &Filter, arch: Arch, nr: u32, args: &[u64]) -> Action {
    filter.action(&call(arch, nr, args)).unwrap()
}

const DENY: Action = Action::Errno(1);

#[test]
fn a_profile_becomes_a_filter_for_its_architectures_alone() {
    let profile = r#"{ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
        { "names": ["read", "openat2"], "action": "SCMP_ACT_ALLOW" },
        { "names": ["write"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38 },
        { "names": ["close"], "action": "SCMP_ACT_TRACE" } ] }"#;
    let Some(x86_64) = build(profile, Arch::X86_64) else { return };
    assert_eq!(at(&x86_64, Arch::X86_64, 0, &[]), Action::Allow);
    assert_eq!(at(&x86_64, Arch::X86_64, 1, &[]), Action::Errno(38));
    assert_eq!(at(&x86_64, Arch::X86_64, 2, &[]), DENY);
    assert_eq!(at(&x86_64, Arch::X86_64, 3, &[]), Action::Trace(1), "an action without errnoRet has EPERM");
    for foreign in [Arch::X86, Arch::Aarch64, Arch::X32] {
        let nr = if foreign == Arch::X32 { X32_BIT } else { 3 };
        assert_eq!(at(&x86_64, foreign, nr, &[]), Action::KillThread, "{foreign}");
    }
    let aarch64 = build(profile, Arch::Aarch64).unwrap();
    assert_eq!(at(&aarch64, Arch::Aarch64, 63, &[]), Action::Allow);
    assert_eq!(at(&aarch64, Arch::Aarch64, 64, &[]), Action::Errno(38));
    assert_eq!(at(&aarch64, Arch::X86_64, 0, &[]), Action::KillThread);
}

#[test]
fn an_entry_equal_to_the_default_is_passed_over() {
    // Were it a rule, it would take the one value out of what the second entry allows.
    let profile = r#"{ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
        { "names": ["lseek"], "action": "SCMP_ACT_ERRNO", "args": [{ "index": 0, "value": 7, "op": "SCMP_CMP_EQ" }] },
        { "names": ["lseek"], "action": "SCMP_ACT_ALLOW" } ] }"#;
    let Some(filter) = build(profile, Arch::X86_64) else { return };
    assert_eq!(at(&filter, Arch::X86_64, 8, &[7]), Action::Allow);
}

#[test]
fn a_name_that_the_release_does_not_know_is_passed_over_without_a_word() {
    let profile = r#"{ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
        { "names": ["listns", "no_such_call", "read"], "action": "SCMP_ACT_ALLOW" } ] }"#;
    let Some(filter) = build(profile, Arch::X86_64) else { return };
    assert_eq!(at(&filter, Arch::X86_64, 0, &[]), Action::Allow);
    assert!(!knows("no_such_call").unwrap());
    if !knows("listns").unwrap() {
        assert_eq!(at(&filter, Arch::X86_64, 470, &[]), DENY);
    }
    // A release's number says the least that it knows: Debian's 2.5.4 has the calls up to Linux 6.7.
    if version().unwrap() >= (2, 5, 2) {
        assert!(knows("landlock_restrict_self").unwrap());
    }
    if version().unwrap() >= (2, 5, 5) {
        assert!(knows("cachestat").unwrap());
    }
}

#[test]
fn a_repeated_index_means_or() {
    let profile = r#"{ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
        { "names": ["lseek"], "action": "SCMP_ACT_ALLOW", "args": [
            { "index": 0, "value": 7, "op": "SCMP_CMP_EQ" },
            { "index": 0, "value": 9, "op": "SCMP_CMP_EQ" },
            { "index": 2, "value": 1, "op": "SCMP_CMP_EQ" } ] } ] }"#;
    let Some(filter) = build(profile, Arch::X86_64) else { return };
    for (args, action) in [
        ([7, 0, 0], Action::Allow),
        ([9, 0, 0], Action::Allow),
        ([8, 0, 1], Action::Allow),
        ([8, 0, 0], DENY),
        ([7 | 1 << 32, 0, 0], DENY),
    ] {
        assert_eq!(at(&filter, Arch::X86_64, 8, &args), action, "{args:?}");
    }
}

#[test]
fn every_operator_compares_64_bits() {
    let low = 0x1_0000_0005u64;
    for (op, value, two, hits, misses) in [
        ("EQ", low, 0, [low, low], [5, low + 1]),
        ("NE", low, 0, [5, low + 1], [low, low]),
        ("LT", low, 0, [low - 1, 0xffff_ffff], [low, u64::MAX]),
        ("LE", low, 0, [low, 6], [low + 1, 0x2_0000_0000]),
        ("GT", low, 0, [low + 1, 0x2_0000_0000], [low, 6]),
        ("GE", low, 0, [low, u64::MAX], [low - 1, 6]),
        ("MASKED_EQ", 0x1_0000_00f0, 0x1_0000_0050u64, [0x1_0000_0055, 0xf_0000_0050], [0x55, 0x1_0000_0060]),
    ] {
        let profile = format!(
            r#"{{ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [ {{ "names": ["lseek"], "action": "SCMP_ACT_ALLOW",
               "args": [{{ "index": 1, "value": {value}, "valueTwo": {two}, "op": "SCMP_CMP_{op}" }}] }} ] }}"#
        );
        let Some(filter) = build(&profile, Arch::X86_64) else { return };
        for hit in hits {
            assert_eq!(at(&filter, Arch::X86_64, 8, &[0, hit]), Action::Allow, "{op} {hit:#x}");
        }
        for miss in misses {
            assert_eq!(at(&filter, Arch::X86_64, 8, &[0, miss]), DENY, "{op} {miss:#x}");
        }
    }
}

/// The way around a filter on AF_ALG: `socketcall(SYS_SOCKET)` reaches `socket` with arguments behind a pointer.
#[test]
fn socket_under_a_condition_opens_socketcall_under_none() {
    const SYS_SOCKET: u64 = 1;
    const SYS_BIND: u64 = 2;
    const AF_ALG: u64 = 38;
    let profile = r#"{ "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
        "syscalls": [ { "names": ["socket"], "action": "SCMP_ACT_ALLOW",
                        "args": [{ "index": 0, "value": 38, "op": "SCMP_CMP_NE" }] } ] }"#;
    let Some(filter) = build(profile, Arch::X86_64) else { return };
    let (socket, socketcall) = (359, 102);
    assert_eq!(at(&filter, Arch::X86_64, 41, &[AF_ALG]), DENY);
    assert_eq!(at(&filter, Arch::X86, socket, &[AF_ALG]), DENY);
    assert_eq!(at(&filter, Arch::X86, socket, &[1]), Action::Allow);
    assert_eq!(at(&filter, Arch::X86, socketcall, &[SYS_SOCKET]), Action::Allow, "under no condition");
    assert_eq!(at(&filter, Arch::X86, socketcall, &[SYS_BIND]), DENY);
}

#[test]
fn x32_is_ended_unless_it_is_listed() {
    let profile = |archs: &str| {
        format!(
            r#"{{ "defaultAction": "SCMP_ACT_ERRNO", "architectures": [{archs}],
               "syscalls": [ {{ "names": ["read"], "action": "SCMP_ACT_ALLOW" }} ] }}"#
        )
    };
    let Some(alone) = build(&profile(r#""SCMP_ARCH_X86_64""#), Arch::X86_64) else { return };
    assert_eq!(at(&alone, Arch::X32, X32_BIT, &[]), Action::KillThread);
    assert_eq!(at(&alone, Arch::X86_64, u32::MAX, &[]), DENY, "-1 is what a tracer leaves: no x32 number");
    let both = build(&profile(r#""SCMP_ARCH_X86_64", "SCMP_ARCH_X32""#), Arch::X86_64).unwrap();
    assert_eq!(at(&both, Arch::X32, X32_BIT, &[]), Action::Allow);
    assert_eq!(at(&both, Arch::X32, X32_BIT | 1, &[]), DENY);
}

#[test]
fn a_runtime_refuses_what_it_does_not_understand() {
    for profile in [
        r#"{ "syscalls": [] }"#,
        r#"{ "defaultAction": "SCMP_ACT_MAYBE" }"#,
        r#"{ "defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1 }"#,
        r#"{ "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_PDP11"] }"#,
        r#"{ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [ { "names": ["read"], "action": "SCMP_ACT_ALLOW",
             "args": [{ "index": 6, "value": 1, "op": "SCMP_CMP_EQ" }] } ] }"#,
        r#"{ "defaultAction": "SCMP_ACT_ERRNO" /* comment */ }"#,
    ] {
        let Some(built) = or_skip(json_to_bpf(profile, Arch::X86_64)) else { return };
        assert!(built.is_err(), "{profile}");
    }
}

/// The profiles that others ship load for both machines; runc's binary tree means the same as crun's list.
#[test]
fn the_corpus_loads_and_the_binary_tree_means_the_same() {
    let Some(shared) = or_skip(shared_dir()) else { return };
    for name in ["moby-default", "containers-default", "kios-example", "kios-audit"] {
        let profile = std::fs::read_to_string(shared.join(format!("corpus/{name}.json"))).unwrap();
        for native in [Arch::X86_64, Arch::Aarch64] {
            let Some(list) = build(&profile, native) else { return };
            let tree = profile_to_bpf(&profile, &Node::new(native), Options { optimize: true }).unwrap().unwrap();
            let archs = Arch::all().filter(|arch| arch.native() == native);
            let differing: Vec<_> = archs.flat_map(|arch| sampled(&list, &tree, arch)).collect();
            assert_eq!(differing, [], "{name} on {native}");
        }
    }
}

fn sampled(list: &Filter, tree: &Filter, arch: Arch) -> Vec<kpol_tests::cbpf::Difference> {
    use kpol_tests::cbpf::{differences, edges, numbers};
    let both = [list, tree];
    let values = edges(&both);
    let calls = numbers(&both, arch).into_iter().flat_map(move |nr| {
        let values = values.clone();
        (0..values.len()).map(move |at| {
            let value = |arg: usize| values[(at + arg * 7) % values.len()];
            Call { arch, nr: Nr(nr), args: std::array::from_fn(value) }
        })
    });
    differences(list, tree, calls.take(200_000)).collect()
}

/// The interpreter and the running kernel agree on a filter that we did not write.
#[test]
fn the_running_kernel_answers_as_the_interpreter() {
    let profile = r#"{ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        { "names": ["getppid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 4000 },
        { "names": ["lseek"], "action": "SCMP_ACT_ERRNO", "errnoRet": 4001,
          "args": [{ "index": 1, "value": 4294967296, "op": "SCMP_CMP_GE" }] } ] }"#;
    let Some(Arch::X86_64) = or_skip(kernel::native()) else { return };
    let Some(filter) = build(profile, Arch::X86_64) else { return };
    let calls = [
        call(Arch::X86_64, 110, &[]),
        call(Arch::X86_64, 8, &[u64::MAX, 0xffff_ffff]),
        call(Arch::X86_64, 8, &[u64::MAX, 1 << 32]),
        call(Arch::X86, 64, &[]),
        call(Arch::X32, 110 | X32_BIT, &[]),
    ];
    let said: Vec<_> = calls.iter().map(|call| (*call, filter.action(call).unwrap())).collect();
    assert_eq!(or_skip(kernel::mismatches(&filter, &said)), Some(vec![]));
    let Some(outcomes) = or_skip(kernel::run(&[Job::new(&filter, &calls)])) else { return };
    assert_eq!(outcomes[0][0], Outcome::Errno(4000));
    assert_eq!(outcomes[0][3], Outcome::ThreadKilled, "an ABI that is not listed");
}

/// W009 is as good as our table of which release knows which name: the library here has exactly the names of one release,
/// at least those of its own number (distributions add to that).
#[test]
fn the_library_has_the_names_of_a_release_as_our_table_has_them() {
    let Some((major, minor, patch)) = or_skip(version()) else { return };
    let own = (major as u8, minor as u8, patch as u8);
    let known: Vec<_> = tables::Syscall::all().filter(|call| knows(call.name()).unwrap()).collect();
    let newest = known.iter().filter_map(|call| call.libseccomp_release()).max().unwrap();
    assert!(newest >= own.min(tables::latest_libseccomp()), "{newest:?} in a library of {own:?}");
    for call in tables::Syscall::all() {
        let listed = call.libseccomp_release().is_some_and(|release| release <= newest);
        let has = known.iter().any(|other| other.name() == call.name());
        assert!(has || !listed, "`{}` is of {:?}, and {newest:?} lacks it", call.name(), call.libseccomp_release());
        assert!(listed || !has || newest == tables::latest_libseccomp(), "`{}` is known, and not listed", call.name());
    }
}
