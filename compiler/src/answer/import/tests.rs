//! What is imported means what was imported: [`import`](super::import) compares before it hands out. These tests try to
//! make it fail.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{ImportError, Options, import};

fn made(text: &str) -> String {
    import("test.json", text.as_bytes(), &Options::default()).unwrap_or_else(|error| panic!("{error}\n{text}")).text
}

#[test]
fn nonsense_is_an_error_and_says_why() {
    let said = |bytes: &[u8]| import("x", bytes, &Options::default()).unwrap_err().to_string();
    assert_eq!(said(b""), "the file is empty");
    assert!(said(b"hello").starts_with("this is neither JSON nor BPF"));
    assert!(said(b"{").starts_with("not a profile: line 1, column 1: not JSON"));
    assert!(said(b"{}").starts_with("not a profile: defaultAction: is missing"));
    assert!(said(&[0xff; 64]).starts_with("not a filter: "));
    let both = br#"{ "defaultAction": "SCMP_ACT_LOG", "architectures": ["SCMP_ARCH_X86"], "archMap": [{ "architecture": "SCMP_ARCH_X86_64" }] }"#;
    assert!(said(both).contains("both given"));
}

/// Wherever the store is full, also in the middle of the proof: that is too large, and no mistake of ours.
#[test]
fn what_has_no_room_is_too_large() {
    let entries: Vec<Value> = (0..60)
        .map(|at| {
            json!({ "names": ["read"], "action": "SCMP_ACT_ALLOW", "includes": { "caps": ["CAP_BPF", "CAP_KILL"] },
                "args": [{ "index": at % 6, "value": at, "op": "SCMP_CMP_EQ" }] })
        })
        .collect();
    let profile = json!({ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": entries }).to_string();
    let options = Options { archs: Some(vec![crate::spec::Arch::X86_64]), ..Options::default() };
    let within = |limit: usize| {
        let mut store = crate::diagram::Store::with_limit(limit);
        super::import_in(&mut store, "x", profile.as_bytes(), &options)
    };
    let mut limit = 64;
    while let Err(error) = within(limit) {
        let said = error.to_string();
        assert!(!matches!(error, ImportError::Differs(_)) && said.contains("too large"), "{limit} nodes: {said}");
        limit += limit / 32 + 1;
    }
    assert!(limit > 1_000, "it takes more than {limit} nodes");
}

#[test]
fn names_of_a_megabyte_are_not_repeated() {
    let name = "a".repeat(1 << 20);
    let entry = json!({ "names": [name], "action": "SCMP_ACT_ALLOW" });
    let profile = json!({ "defaultAction": "SCMP_ACT_ERRNO", "flags": [name], "syscalls": [entry] }).to_string();
    let text = made(&profile);
    assert!(text.contains("no architecture has") && text.len() < 2_000, "{} bytes", text.len());
    for wrong in [
        json!({ "defaultAction": name }),
        json!({ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrno": name }),
        json!({ "defaultAction": "SCMP_ACT_ERRNO", "architectures": [name] }),
    ] {
        let said = import("x", wrong.to_string().as_bytes(), &Options::default()).unwrap_err().to_string();
        assert!(said.contains("aaa … aaa") && said.len() < 500, "{} bytes", said.len());
    }
}

/// A filter that kills AF_ALG by `socket` and lets `socketcall` run: the policy of it is one that cannot be built (E081), and
/// both can be read.
#[test]
fn what_a_multiplexer_passes_by_is_imported_and_shown_all_the_same() {
    const X86: u32 = 0x4000_0003;
    let insns = [
        (0x20, 0, 0, 4),
        (0x15, 0, 5, X86),
        (0x20, 0, 0, 0),
        (0x15, 0, 2, 359),
        (0x20, 0, 0, 16),
        (0x15, 1, 0, 38),
        (0x06, 0, 0, 0x7fff_0000),
        (0x06, 0, 0, 0x8000_0000),
    ];
    let bytes = |(code, jt, jf, k): (u16, u8, u8, u32)| [&code.to_le_bytes()[..], &[jt, jf], &k.to_le_bytes()].concat();
    let filter: Vec<u8> = insns.into_iter().flat_map(bytes).collect();
    let imported = import("x.bpf", &filter, &Options::default()).unwrap_or_else(|error| panic!("{error}"));
    let mut memory = crate::source::Memory::default();
    memory.insert("x.kpol", imported.text.as_str());
    let (path, options) = (std::path::Path::new("x.kpol"), crate::driver::Options::default());
    let checked = crate::driver::check(&memory, path, &options, &[]);
    assert!(checked.diagnostics.iter().any(|found| found.code == crate::diagnostic::Code::E081), "{}", imported.text);
    let mut store = crate::diagram::Store::default();
    let opened = crate::driver::load::load(&memory, path, &options, &mut store).unwrap();
    assert!(opened.filter.is_some(), "{:?}", opened.diagnostics);
}

/// `ld [0]; jeq #nr, 0, 1; ret errno(1); ret allow`
fn one_number_apart(nr: u32) -> Vec<u8> {
    let insns: [(u16, u8, u8, u32); 4] =
        [(0x20, 0, 0, 0), (0x15, 0, 1, nr), (0x06, 0, 0, 0x5_0001), (0x06, 0, 0, 0x7fff_0000)];
    let bytes = |(code, jt, jf, k): (u16, u8, u8, u32)| [&code.to_le_bytes()[..], &[jt, jf], &k.to_le_bytes()].concat();
    insns.into_iter().flat_map(bytes).collect()
}

#[test]
fn a_number_without_a_name_is_declared_or_too_large_to_be() {
    use crate::spec::Arch;
    let of = |arch: Arch, nr: u32| {
        let options = Options { archs: Some(vec![arch]), ..Options::default() };
        import("x", &one_number_apart(nr), &options).map(|made| made.text)
    };
    for (arch, nr, written) in [(Arch::X86_64, 0x111_111, 0x111_111), (Arch::X32, 0x4011_1111, 0x111_111)] {
        let text = of(arch, nr).unwrap();
        assert!(text.contains(&format!("syscall nr_{written} = {written} on {arch}")), "{text}");
    }
    for (arch, nr) in [(Arch::X32, 0x8000_0000), (Arch::X32, 0xffff_fffe), (Arch::Aarch64, 0x4000_0111)] {
        assert!(of(arch, nr).unwrap_err().to_string().contains("too large to be declared"), "{nr:#x} on {arch}");
    }
}

#[test]
fn a_filter_that_ignores_the_architecture_needs_to_be_told_it() {
    let bytes = one_number_apart(59);
    assert_eq!(import("x", &bytes, &Options::default()), Err(ImportError::NoArchitecture));
    let options = Options { archs: Some(vec![crate::spec::Arch::X86_64]), ..Options::default() };
    let text = import("x", &bytes, &options).unwrap().text;
    assert!(text.contains("default allow") && text.contains("deny(EPERM) { execve }"), "{text}");
}

#[test]
fn a_condition_on_a_multiplexed_call_keeps_the_other_way_as_it_is() {
    let text = made(
        r#"{ "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"], "syscalls": [
            { "names": ["socket", "bind", "semop"], "action": "SCMP_ACT_ALLOW" },
            { "names": ["connect"], "action": "SCMP_ACT_ALLOW", "args": [{ "index": 2, "value": 16, "op": "SCMP_CMP_EQ" }] } ] }"#,
    );
    assert!(text.contains("bind, socket"), "{text}");
    assert!(text.contains("socketcall(call == SYS_CONNECT, reg2 == 16)"), "{text}");
}

#[test]
fn an_errno_is_named_only_where_it_has_that_name() {
    let of = |arch: &str| {
        made(&format!(
            r#"{{ "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_{arch}"], "syscalls": [
                {{ "names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38 }} ] }}"#
        ))
    };
    assert!(of("AARCH64").contains("deny(ENOSYS) { clone3 }"));
    // There ENOSYS is 89.
    assert!(of("MIPS").contains("deny(38) { clone3 }"));
}

fn names() -> impl Strategy<Value = Vec<&'static str>> {
    let known = vec![
        "read",
        "write",
        "open",
        "openat",
        "socket",
        "socketcall",
        "connect",
        "bind",
        "ipc",
        "semop",
        "shmget",
        "clone",
        "ioctl",
        "fcntl",
        "mmap",
        "mmap2",
        "personality",
        "lseek",
        "_llseek",
        "prctl",
        "ptrace",
        "pread64",
        "close",
        "dup",
        "dup2",
        "dup3",
        "readv",
        "writev",
        "preadv",
        "preadv2",
        "pwritev",
        "pwritev2",
        "pwrite64",
        "close_range",
        "futex",
        "nosuchcall",
        "set_tls",
        "arch_prctl",
    ];
    prop::collection::vec(prop::sample::select(known), 1..8)
}

fn action() -> impl Strategy<Value = (&'static str, Option<u32>)> {
    prop_oneof![
        3 => Just(("SCMP_ACT_ALLOW", None)),
        2 => prop_oneof![Just(1u32), Just(38), Just(22)].prop_map(|errno| ("SCMP_ACT_ERRNO", Some(errno))),
        1 => Just(("SCMP_ACT_LOG", None)),
        1 => Just(("SCMP_ACT_KILL_PROCESS", None)),
        1 => Just(("SCMP_ACT_TRACE", Some(7))),
        1 => Just(("SCMP_ACT_NOTIFY", None)),
    ]
}

fn value() -> impl Strategy<Value = u64> {
    prop_oneof![
        0u64..50,
        Just(u64::from(u32::MAX)),
        Just(u64::MAX),
        Just(1 << 31),
        Just(0x7e02_0000),
        Just(1 << 32),
        Just(0x1_0000_0028),
        Just((-100i64) as u64),
        any::<u64>(),
    ]
}

fn arg() -> impl Strategy<Value = Value> {
    let op = prop::sample::select(vec![
        "SCMP_CMP_NE",
        "SCMP_CMP_LT",
        "SCMP_CMP_LE",
        "SCMP_CMP_EQ",
        "SCMP_CMP_EQ",
        "SCMP_CMP_GE",
        "SCMP_CMP_GT",
        "SCMP_CMP_MASKED_EQ",
        "SCMP_CMP_MASKED_EQ",
    ]);
    (0u8..4, op, value(), value())
        .prop_map(|(index, op, value, two)| json!({ "index": index, "op": op, "value": value, "valueTwo": two }))
}

fn entry() -> impl Strategy<Value = Value> {
    let caps = || prop::collection::vec(prop::sample::select(vec!["CAP_SYS_ADMIN", "CAP_BPF", "CAP_CHOWN"]), 0..2);
    let kernel = || prop::option::weighted(0.1, prop::sample::select(vec!["4.8", "5.11", "6.0"]));
    let args = prop_oneof![2 => Just(Vec::new()), 3 => prop::collection::vec(arg(), 1..4)];
    (names(), action(), args, caps(), caps(), kernel(), kernel()).prop_map(
        |(names, (action, errno), args, include, exclude, from, before)| {
            let filter = |caps: Vec<&str>, kernel: Option<&str>| json!({ "caps": caps, "minKernel": kernel });
            json!({ "names": names, "action": action, "errnoRet": errno, "args": args,
                "includes": filter(include, from), "excludes": filter(exclude, before) })
        },
    )
}

fn profile() -> impl Strategy<Value = Value> {
    let archs = prop::sample::select(vec![
        vec![],
        vec!["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        vec!["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
        vec!["SCMP_ARCH_S390X", "SCMP_ARCH_S390"],
        vec!["SCMP_ARCH_X86"],
    ]);
    (action(), archs, prop::collection::vec(entry(), 0..6)).prop_map(|((action, errno), archs, syscalls)| {
        json!({ "defaultAction": action, "defaultErrnoRet": errno, "architectures": archs, "syscalls": syscalls,
            "listenerPath": "/run/agent.sock" })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    /// The command compares the nodes; here it must come to a text, and never to one that differs.
    #[test]
    fn every_profile_comes_to_a_policy_that_means_the_same(profile in profile()) {
        let text = profile.to_string();
        match import("random.json", text.as_bytes(), &Options::default()) {
            Ok(imported) => {
                let again = kpol_grammar::format(&imported.text);
                prop_assert_eq!(again.as_deref(), Some(imported.text.as_str()), "not in style");
            }
            Err(ImportError::Unsayable(_)) => {}
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        }
    }
}

/// Debug builds take their time; `PROPTEST_CASES` for more.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(24)
}
