//! The model of the runtime against the library itself: random profiles are loaded with libseccomp as crun does it,
//! its program is executed here, and every answer compared with the model's.
//!
//! `KPOL_CASES` is the number of profiles for each host (300 if it is not set).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::ffi::{CString, c_char, c_int, c_uint, c_void};
use std::fmt::Write as _;
use std::io::{Read, Seek};
use std::os::fd::AsRawFd;

use kpol_compiler::diagram::{Function, Leaf, Store};
use kpol_compiler::oci::profile::{Entry, Op, Profile};
use kpol_compiler::oci::runtime::{Dialect, Release, load};
use kpol_compiler::oci::write::MOST_TESTS;
use kpol_compiler::oci::{Fault, Target, read, write};
use kpol_compiler::policy::Policy;
use kpol_compiler::spec::{Action, Arch, Environment, Nr, multiplex};
use kpol_compiler::tables;

use profiles::{alike, one_of_each, profile};

#[path = "libseccomp/contradictions.rs"]
mod contradictions;
#[path = "libseccomp/profiles.rs"]
mod profiles;
#[path = "libseccomp/program.rs"]
mod program;
#[path = "libseccomp/rival.rs"]
mod rival;

/// `struct scmp_arg_cmp`.
#[repr(C)]
#[derive(Clone, Copy)]
struct ArgCmp {
    arg: c_uint,
    op: c_int,
    a: u64,
    b: u64,
}

/// `struct scmp_version`.
#[repr(C)]
struct Version {
    major: c_uint,
    minor: c_uint,
    micro: c_uint,
}

type Ctx = *mut c_void;

/// `SCMP_FLTATR_CTL_OPTIMIZE` of `enum scmp_filter_attr`.
const CTL_OPTIMIZE: c_int = 8;

/// The functions of the library that crun uses.
struct Libseccomp {
    version: unsafe extern "C" fn() -> *const Version,
    init: unsafe extern "C" fn(u32) -> Ctx,
    release: unsafe extern "C" fn(Ctx),
    arch_name: unsafe extern "C" fn(*const c_char) -> u32,
    arch_add: unsafe extern "C" fn(Ctx, u32) -> c_int,
    arch_remove: unsafe extern "C" fn(Ctx, u32) -> c_int,
    name: unsafe extern "C" fn(*const c_char) -> c_int,
    name_on: unsafe extern "C" fn(u32, *const c_char) -> c_int,
    attribute: unsafe extern "C" fn(Ctx, c_int, u32) -> c_int,
    rule_add: unsafe extern "C" fn(Ctx, u32, c_int, c_uint, *const ArgCmp) -> c_int,
    export: unsafe extern "C" fn(Ctx, c_int) -> c_int,
}

impl Libseccomp {
    fn open() -> Option<Self> {
        // SAFETY: the name is a C string, and the library's constructors do nothing to us.
        let library = unsafe { libc::dlopen(c"libseccomp.so.2".as_ptr(), libc::RTLD_NOW) };
        if library.is_null() {
            eprintln!("SKIPPED: no libseccomp.so.2 (Debian: libseccomp2)");
            return None;
        }
        macro_rules! symbol {
            ($name:literal, $type:ty) => {{
                // SAFETY: `library` is open and never closed; the name is a C string.
                let address = unsafe { libc::dlsym(library, $name.as_ptr()) };
                assert!(!address.is_null(), "{:?}", $name);
                // SAFETY: the types of the fields are the prototypes of seccomp.h.
                unsafe { std::mem::transmute::<*mut c_void, $type>(address) }
            }};
        }
        Some(Self {
            version: symbol!(c"seccomp_version", unsafe extern "C" fn() -> *const Version),
            init: symbol!(c"seccomp_init", unsafe extern "C" fn(u32) -> Ctx),
            release: symbol!(c"seccomp_release", unsafe extern "C" fn(Ctx)),
            arch_name: symbol!(c"seccomp_arch_resolve_name", unsafe extern "C" fn(*const c_char) -> u32),
            arch_add: symbol!(c"seccomp_arch_add", unsafe extern "C" fn(Ctx, u32) -> c_int),
            arch_remove: symbol!(c"seccomp_arch_remove", unsafe extern "C" fn(Ctx, u32) -> c_int),
            name: symbol!(c"seccomp_syscall_resolve_name", unsafe extern "C" fn(*const c_char) -> c_int),
            name_on: symbol!(c"seccomp_syscall_resolve_name_arch", unsafe extern "C" fn(u32, *const c_char) -> c_int),
            attribute: symbol!(c"seccomp_attr_set", unsafe extern "C" fn(Ctx, c_int, u32) -> c_int),
            rule_add: symbol!(
                c"seccomp_rule_add_array",
                unsafe extern "C" fn(Ctx, u32, c_int, c_uint, *const ArgCmp) -> c_int
            ),
            export: symbol!(c"seccomp_export_bpf", unsafe extern "C" fn(Ctx, c_int) -> c_int),
        })
    }

    fn release_number(&self) -> Release {
        // SAFETY: returns a pointer to static data.
        let version = unsafe { &*(self.version)() };
        (version.major as u8, version.minor as u8, version.micro as u8)
    }

    fn arch(&self, arch: Arch) -> u32 {
        let name = CString::new(arch.name()).unwrap();
        // SAFETY: a C string.
        unsafe { (self.arch_name)(name.as_ptr()) }
    }

    /// The program of a profile on a host; `None` where the library refuses a rule that contradicts another.
    fn program(&self, profile: &Profile, host: Arch) -> Option<Vec<[u32; 4]>> {
        self.program_at(profile, host, 1)
    }

    /// The same at a level of `SCMP_FLTATR_CTL_OPTIMIZE`: 1 is a list of all calls, 2 a binary tree.
    fn program_at(&self, profile: &Profile, host: Arch, level: u32) -> Option<Vec<[u32; 4]>> {
        let default = profile.default_action.with(profile.default_errno_ret);
        // SAFETY: no pointers.
        let ctx = unsafe { (self.init)(default.to_ret()) };
        assert!(!ctx.is_null());
        // SAFETY: `ctx` is live.
        assert_eq!(unsafe { (self.attribute)(ctx, CTL_OPTIMIZE, level) }, 0);
        let own = if cfg!(target_arch = "aarch64") { Arch::Aarch64 } else { Arch::X86_64 };
        if host != own {
            // SAFETY: `ctx` is live.
            assert_eq!(unsafe { (self.arch_remove)(ctx, self.arch(own)) }, 0);
        }
        for arch in std::iter::once(&host).chain(&profile.architectures) {
            // SAFETY: `ctx` is live.
            let result = unsafe { (self.arch_add)(ctx, self.arch(*arch)) };
            assert!(result == 0 || result == -libc::EEXIST, "{arch}: {result}");
        }
        for entry in &profile.syscalls {
            if !self.add(ctx, entry, default) {
                // SAFETY: `ctx` is live and not used again.
                unsafe { (self.release)(ctx) };
                return None;
            }
        }
        let mut file = tempfile::tempfile().unwrap();
        // SAFETY: `ctx` is live, the descriptor is open.
        assert_eq!(unsafe { (self.export)(ctx, file.as_raw_fd()) }, 0);
        // SAFETY: `ctx` is live and not used again.
        unsafe { (self.release)(ctx) };
        file.rewind().unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        let instruction = |bytes: &[u8]| {
            let code = u32::from(u16::from_ne_bytes([bytes[0], bytes[1]]));
            let k = u32::from_ne_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
            [code, u32::from(bytes[2]), u32::from(bytes[3]), k]
        };
        Some(bytes.chunks_exact(8).map(instruction).collect())
    }

    /// As `libcrun_generate_seccomp`.
    fn add(&self, ctx: Ctx, entry: &Entry, default: Action) -> bool {
        let action = entry.action.with(entry.errno_ret);
        if action == default {
            return true;
        }
        for name in &entry.names {
            let name = CString::new(name.as_str()).unwrap();
            // SAFETY: a C string.
            let number = unsafe { (self.name)(name.as_ptr()) };
            if number == -1 {
                continue;
            }
            let args: Vec<ArgCmp> = entry
                .args
                .iter()
                .map(|arg| {
                    let op = match arg.op {
                        Op::Ne => 1,
                        Op::Lt => 2,
                        Op::Le => 3,
                        Op::Eq => 4,
                        Op::Ge => 5,
                        Op::Gt => 6,
                        Op::MaskedEq => 7,
                    };
                    ArgCmp { arg: u32::from(arg.index), op, a: arg.value, b: arg.value_two.0.unwrap_or(0) }
                })
                .collect();
            let repeated = (0..6).any(|index| args.iter().filter(|arg| arg.arg == index).count() > 1);
            let rules: Vec<&[ArgCmp]> = if repeated { args.chunks(1).collect() } else { vec![&args] };
            for rule in rules {
                // SAFETY: `ctx` is live, the array is as long as said.
                let result = unsafe { (self.rule_add)(ctx, action.to_ret(), number, rule.len() as u32, rule.as_ptr()) };
                if result == -libc::EEXIST {
                    return false;
                }
                assert_eq!(result, 0, "{entry:?}");
            }
        }
        true
    }
}

/// Executes a program on a call.
fn execute(program: &[[u32; 4]], arch: Arch, nr: u32, args: &[u64; 6]) -> Action {
    let mut data = vec![nr, arch.audit_token(), 0, 0];
    for &arg in args {
        data.extend([arg as u32, (arg >> 32) as u32]);
    }
    let (mut pc, mut a) = (0, 0u32);
    loop {
        let [code, jt, jf, k] = program[pc];
        pc += 1;
        let jump = |holds: bool| if holds { jt as usize } else { jf as usize };
        match code {
            0x20 => a = data[k as usize / 4],
            0x54 => a &= k,
            0x05 => pc += k as usize,
            0x15 => pc += jump(a == k),
            0x25 => pc += jump(a > k),
            0x35 => pc += jump(a >= k),
            0x45 => pc += jump(a & k != 0),
            0x06 => return Action::from_ret(k),
            other => panic!("instruction {other:#x}"),
        }
    }
}

/// Whether the program compares numbers before it has loaded one: [`Fault::Unloaded`] come true.
fn forgets_the_number(program: &[[u32; 4]], archs: impl Iterator<Item = Arch>) -> bool {
    let tokens: Vec<u32> = archs.map(Arch::audit_token).collect();
    program.iter().enumerate().any(|(at, &[code, jt, _, k])| {
        let mut target = at + 1 + jt as usize;
        if code != 0x15 || !tokens.contains(&k) {
            return false;
        }
        while program[target][0] == 0x05 {
            target += 1 + program[target][3] as usize;
        }
        program[target][0] == 0x15
    })
}

/// xorshift64*: the same cases on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 33) as usize % end
    }

    fn value(&mut self) -> u64 {
        let near = [0, 1, 2, 3, 7, 1 << 31, 0xffff_ffff, 1 << 32, 1 << 32 | 2, 1 << 63, u64::MAX, u64::MAX << 32];
        match self.below(6) {
            0 => self.next(),
            1 => self.next() & 0xffff_ffff,
            _ => near[self.below(near.len())],
        }
    }
}

const NAMES: [&str; 16] = [
    "read",
    "write",
    "socket",
    "accept",
    "recvmmsg",
    "sendmsg",
    "semop",
    "shmctl",
    "socketcall",
    "ipc",
    "mmap2",
    "open",
    "send",
    "mseal",
    "no_such_call",
    "mmap",
];

/// Calls at the edges of what a profile compares with.
fn samples(random: &mut Random, profile: &Profile) -> Vec<[u64; 6]> {
    let mut values = vec![0, 1];
    for arg in profile.syscalls.iter().flat_map(|entry| &entry.args) {
        for value in [arg.value, arg.value_two.0.unwrap_or(0)] {
            values.extend([value, value.wrapping_add(1), value.wrapping_sub(1), value ^ 1 << 32, value & 0xffff_ffff]);
        }
    }
    (0..60)
        .map(|_| {
            let mut call = [0; 6];
            for arg in &mut call[..3] {
                *arg = if random.below(8) == 0 { random.value() } else { values[random.below(values.len())] };
            }
            if random.below(2) == 0 {
                call[0] = 1 + random.below(24) as u64;
            }
            call
        })
        .collect()
}

fn cases() -> usize {
    std::env::var("KPOL_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300)
}

/// The policy of that meaning.
fn policy(function: Function) -> Policy {
    Policy {
        archs: function.tables.keys().copied().collect(),
        function,
        native: false,
        default: Action::Errno(1),
        declared: Default::default(),
        said: Default::default(),
        flags: Vec::new(),
        listener: None,
        waivers: Vec::new(),
    }
}

/// Compares program and model on every name and sample; returns how many calls were looked at.
fn compare(library: &Libseccomp, random: &mut Random, json: &str, host: Arch) -> usize {
    let profile = read(json.as_bytes()).unwrap();
    let mut store = Store::default();
    let loaded = load(&mut store, &profile, host, Some(library.release_number()), Dialect::Containers).unwrap();
    let Some(program) = library.program(&profile, host) else {
        // A contradiction on a name without a number counts too, and nobody else would notice it.
        let numberless = profile.syscalls.iter().flat_map(|entry| &entry.names).any(|name| {
            loaded.function.tables.keys().any(|&arch| tables::syscall(name).is_some_and(|call| call.nr(arch).is_none()))
        });
        assert!(
            !loaded.undetermined.is_empty() || !loaded.merged.is_empty() || numberless,
            "refused, and the model sees no contradiction: {json}"
        );
        return 0;
    };
    // A fault of which only the suspicion is left: too many programs to try, or none.
    let suspected = |fault: &Fault| !matches!(fault, Fault::Wrong { .. });
    let forgets = forgets_the_number(&program, loaded.function.tables.keys().copied());
    let settled = loaded.settled || loaded.faults.iter().any(|fault| matches!(fault, Fault::Unloaded { .. }));
    assert!(settled || !forgets, "the number is not loaded, and the model does not say so: {json}");
    // Beside a contradiction the function has what the entries say.
    if loaded.faults.iter().any(|fault| suspected(fault) || !loaded.undetermined.is_empty()) {
        return 0;
    }
    let mut looked = 0;
    for args in samples(random, &profile) {
        for (&arch, table) in &loaded.function.tables {
            let args = if arch.bits() == 32 { args.map(|arg| arg & 0xffff_ffff) } else { args };
            for nr in NAMES.iter().filter_map(|name| tables::syscall(name)?.nr(arch)) {
                let open = Environment::default();
                if loaded.merged.contains(&(arch, nr)) {
                    continue;
                }
                let disputed = loaded.undetermined.iter().any(|place| {
                    (place.arch, place.nr) == (arch, nr) && store.at(place.calls, &open, &args) == Leaf::True
                });
                if disputed {
                    continue;
                }
                let model = store.at(table.at(nr), &open, &args);
                let real = execute(&program, arch, nr.0, &args);
                assert_eq!(model, Leaf::Act(real), "{arch} {} {args:#x?}\n{json}", nr.0);
                looked += 1;
            }
        }
    }
    looked
}

fn hosts() -> [(Arch, &'static [Arch]); 2] {
    [(Arch::X86_64, &[Arch::X86, Arch::X32]), (Arch::Aarch64, &[Arch::Arm])]
}

#[test]
fn the_model_answers_like_the_library() {
    let Some(library) = Libseccomp::open() else { return };
    let (mut looked, mut skipped) = (0, 0);
    for (host, subs) in hosts() {
        let mut random = Random(0x5eed ^ (host as u64 + 1));
        for case in 0..2 * cases() {
            let archs = &subs[..random.below(subs.len() + 1)];
            let json = one_of_each(&mut random, archs, case % 4);
            let alike = compare(&library, &mut random, &json, host);
            looked += alike;
            skipped += usize::from(alike == 0);
        }
    }
    eprintln!("{looked} calls alike, {skipped} profiles not looked at");
    assert!(looked > 1000);
}

/// What we write, loaded by the library, answers like the function that we began with.
#[test]
fn what_is_written_is_what_the_library_makes_of_it() {
    let Some(library) = Libseccomp::open() else { return };
    let target = Target { libseccomp: Some(library.release_number()), ..Target::default() };
    let (mut written, mut looked) = (0, 0);
    for (host, subs) in hosts() {
        let mut random = Random(0xf00d ^ (host as u64 + 1));
        for case in 0..cases() {
            let subs = &subs[..random.below(subs.len() + 1)];
            // Any function will do, so it may as well come from a profile.
            let json = one_of_each(&mut random, subs, case % 3);
            let mut store = Store::default();
            let from = read(json.as_bytes()).unwrap();
            let loaded = load(&mut store, &from, host, target.libseccomp, Dialect::Containers).unwrap();
            let policy = policy(loaded.function);
            match write(&mut store, &policy, &target) {
                // The library takes minutes for a thousand entries on one call: it compares each new one with the others,
                // and keeps a copy of all.
                Ok(out) if read(out.json.as_bytes()).unwrap().syscalls.len() > 60 => {}
                Ok(out) => {
                    written += 1;
                    looked += compare(&library, &mut random, &out.json, host);
                }
                Err(errors) => {
                    for error in errors {
                        let text = error.to_string();
                        assert!(!text.contains("internal"), "{text}\n{json}");
                    }
                }
            }
        }
    }
    eprintln!("{written} written, {looked} calls alike");
    assert!(written > cases() / 2 && looked > 1000);
}

/// A mistake of the library that no profile can see: of two ABIs' tests it makes one where they look alike, although one
/// of them has not loaded the word that it tests. Here, x86_64's test of reg1 is reached from its test of reg2 with
/// reg2's bit still in the accumulator, and a call is allowed that no entry allows. The model says so, with a call.
#[test]
fn the_library_shares_a_test_that_it_should_not() {
    let Some(library) = Libseccomp::open() else { return };
    let json = r#"{ "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86"], "syscalls": [
        { "names": ["read"], "action": "SCMP_ACT_ALLOW" },
        { "names": ["mmap"], "action": "SCMP_ACT_ALLOW",
          "args": [{"index": 1, "value": 1, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}] },
        { "names": ["mmap"], "action": "SCMP_ACT_ALLOW",
          "args": [{"index": 1, "value": 1, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ"},
                   {"index": 2, "value": 9223372036854775808, "valueTwo": 9223372036854775808,
                    "op": "SCMP_CMP_MASKED_EQ"}] } ] }"#;
    let profile = read(json.as_bytes()).unwrap();
    let mut store = Store::default();
    let release = library.release_number();
    let loaded = load(&mut store, &profile, Arch::X86_64, Some(release), Dialect::Containers).unwrap();
    let mmap = tables::syscall("mmap").unwrap().nr(Arch::X86_64).unwrap();
    let args = [0, 1, 0, 0, 0, 0];
    let model = store.at(loaded.function.at(Arch::X86_64, mmap), &Environment::default(), &args);
    assert_eq!(model, Leaf::Act(Action::Allow), "what the program does, not what the entries say");
    let real = execute(&library.program(&profile, Arch::X86_64).unwrap(), Arch::X86_64, mmap.0, &args);
    eprintln!("libseccomp {release:?} answers {real}");
    assert_eq!(real, Action::Allow, "the mistake is mended: say so in the documentation");
    let [Fault::Wrong { said, done, .. }] = loaded.faults[..] else { panic!("{:?}", loaded.faults) };
    assert_eq!((said, done), (Some(Action::Errno(1)), Some(Action::Allow)));
}

/// What the library answers to one call under a profile with one entry or a few.
fn answer(library: &Libseccomp, json: &str, (host, arch): (Arch, Arch), name: &str, args: &[u64; 6]) -> Action {
    let profile = read(json.as_bytes()).unwrap();
    let nr = tables::syscall(name).unwrap().nr(arch).unwrap();
    execute(&library.program(&profile, host).unwrap(), arch, nr.0, args)
}

/// A name that the ABI lacks comes first, and with it goes the load of the number: a deny-list that denies nothing.
#[test]
fn the_library_forgets_to_load_the_number() {
    let Some(library) = Libseccomp::open() else { return };
    let json = r#"{ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        { "names": ["socketcall"], "action": "SCMP_ACT_ERRNO" },
        { "names": ["socket"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 38, "op": "SCMP_CMP_EQ"}] } ] }"#;
    let alg = [38, 5, 0, 0, 0, 0];
    let real = answer(&library, json, (Arch::Aarch64, Arch::Aarch64), "socket", &alg);
    eprintln!("libseccomp {:?} answers {real}", library.release_number());
    assert_eq!(real, Action::Allow, "the mistake is mended: say so in the documentation");
    assert_eq!(answer(&library, json, (Arch::X86_64, Arch::X86_64), "socket", &alg), Action::Errno(1));
    let profile = read(json.as_bytes()).unwrap();
    for (host, faults) in [(Arch::Aarch64, 1), (Arch::X86_64, 0)] {
        let loaded = load(&mut Store::default(), &profile, host, None, Dialect::Containers).unwrap();
        assert_eq!(loaded.faults.len(), faults, "{host}: {:?}", loaded.faults);
    }
}

/// An index that comes twice makes each condition a rule of its own, in every runtime.
#[test]
fn an_index_that_comes_twice_means_or() {
    let Some(library) = Libseccomp::open() else { return };
    let json = r#"{ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
        { "names": ["socket"], "action": "SCMP_ACT_ALLOW",
          "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_GE"}, {"index": 0, "value": 3, "op": "SCMP_CMP_LT"},
                   {"index": 1, "value": 1, "op": "SCMP_CMP_EQ"}] } ] }"#;
    for args in [[40, 9, 0, 0, 0, 0], [0, 9, 0, 0, 0, 0]] {
        assert_eq!(answer(&library, json, (Arch::X86_64, Arch::X86_64), "socket", &args), Action::Allow);
    }
}

/// LE behind another condition, on a 32-bit ABI.
#[test]
fn le_on_32_bit_abis_is_right_in_releases() {
    let Some(library) = Libseccomp::open() else { return };
    let json = r#"{ "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86"], "syscalls": [
        { "names": ["read"], "action": "SCMP_ACT_ALLOW",
          "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 5, "op": "SCMP_CMP_LE"}] } ] }"#;
    let given = |value| answer(&library, json, (Arch::X86_64, Arch::X86), "read", &[1, value, 0, 0, 0, 0]);
    let release = library.release_number();
    eprintln!("libseccomp {release:?} answers {} to 5 and {} to 6", given(5), given(6));
    // Sources between releases have it the other way round; releases up to 2.6.1 do not.
    assert_eq!([given(5), given(6)], [Action::Allow, Action::Errno(1)], "{release:?}");
}

/// Several comparisons of order on one call.
#[test]
fn comparisons_of_order_are_merged() {
    let Some(library) = Libseccomp::open() else { return };
    let json = r#"{ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
        { "names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 2, "value": 4095914063, "op": "SCMP_CMP_LT"}] },
        { "names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 1, "value": 7, "op": "SCMP_CMP_LT"}] },
        { "names": ["read"], "action": "SCMP_ACT_ALLOW",
          "args": [{"index": 2, "value": 1524036846521786368, "op": "SCMP_CMP_GE"}] } ] }"#;
    let real = answer(&library, json, (Arch::X86_64, Arch::X86_64), "read", &[0, 9, 4_095_914_063, 0, 0, 0]);
    let release = library.release_number();
    eprintln!("libseccomp {release:?} answers {real}");
    assert_eq!(real, Action::Allow, "{release:?}: the mistake is mended: say so in the documentation");
}

/// What stays below our bounds on entries can be loaded.
#[test]
fn the_most_entries_can_be_loaded() {
    let Some(library) = Libseccomp::open() else { return };
    let one = |value: usize| format!(r#"{{"index": 1, "value": {value}, "op": "SCMP_CMP_EQ"}}"#);
    let six = |value: usize| {
        let args = (0..6).map(|arg| format!(r#"{{"index": {arg}, "value": {}, "op": "SCMP_CMP_EQ"}}"#, value >> arg));
        args.collect::<Vec<_>>().join(",")
    };
    let conditions: [(usize, &dyn Fn(usize) -> String); 2] = [(MOST_TESTS / 2, &one), (MOST_TESTS / 12, &six)];
    for (entries, condition) in conditions {
        let entry =
            |value| format!(r#"{{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{}]}}"#, condition(value));
        let entries: Vec<_> = (0..entries).map(entry).collect();
        let json = format!(r#"{{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{}]}}"#, entries.join(","));
        let length = library.program(&read(json.as_bytes()).unwrap(), Arch::X86_64).unwrap().len();
        assert!(length <= 4096, "{length}");
    }
}

/// Whether entries on a call ask for different arguments first, or one with two masks: the library sorts those itself.
fn explained(profile: &Profile, arch: Arch, nr: Nr) -> bool {
    let mut tests = std::collections::BTreeSet::new();
    for entry in &profile.syscalls {
        for call in entry.names.iter().filter_map(|name| tables::syscall(name)) {
            let through = multiplex::other_way(call).and_then(|(by, _)| by.nr(arch)) == Some(nr);
            if through || call.nr(arch) == Some(nr) {
                tests.extend(entry.args.iter().map(|arg| match arg.op {
                    Op::MaskedEq => (arg.index, arg.value),
                    _ => (arg.index, u64::MAX),
                }));
                // Which call it is stands in the first argument.
                tests.extend(through.then_some((0, u64::MAX)));
            }
        }
    }
    tests.len() > 1
}

/// What the library answers to some calls, with the entries in an order; `None` if it refuses the profile.
fn in_order(
    library: &Libseccomp,
    profile: &Profile,
    host: Arch,
    place: (Arch, u32),
    calls: &[[u64; 6]],
) -> Option<Vec<Action>> {
    let program = library.program(profile, host)?;
    Some(calls.iter().map(|args| execute(&program, place.0, place.1, args)).collect())
}

/// Where the model says that the answer hangs on the order of entries, it does in every second case: two orders are
/// found that answer a call of the place otherwise, or the library refuses the profile in one of them. In the others
/// the library sorts the tests itself (the lower argument first, the wider mask first), and gives one of the
/// answers in all orders; the model does not say which, as nobody promises that sorting.
#[test]
fn what_is_undetermined_hangs_on_the_order() {
    let Some(library) = Libseccomp::open() else { return };
    let (mut shown, mut refused, mut cautious) = (0, 0, Vec::new());
    for (host, subs) in hosts() {
        let mut random = Random(0x0bde ^ (host as u64 + 1));
        for case in 0..cases() {
            let archs = &subs[..random.below(subs.len() + 1)];
            let json = if case % 2 == 0 { profile(&mut random, archs, 3) } else { alike(&mut random, archs) };
            let from = read(json.as_bytes()).unwrap();
            let mut store = Store::default();
            let release = Some(library.release_number());
            let loaded = load(&mut store, &from, host, release, Dialect::Containers).unwrap();
            if !loaded.faults.is_empty() || !loaded.merged.is_empty() {
                continue;
            }
            for place in &loaded.undetermined {
                let among = |args: &[u64; 6]| store.at(place.calls, &Environment::default(), args) == Leaf::True;
                let mut calls = vec![place.cube.args.map(|bits| bits.value)];
                calls.extend(samples(&mut random, &from).into_iter().filter(among));
                let mut order = from.clone();
                let mut first: Option<Vec<Action>> = None;
                let (mut differ, mut refuses) = (false, false);
                for _ in 0..60 {
                    match in_order(&library, &order, host, (place.arch, place.nr.0), &calls) {
                        None => refuses = true,
                        Some(answers) => differ |= *first.get_or_insert_with(|| answers.clone()) != answers,
                    }
                    if differ {
                        break;
                    }
                    for last in (1..order.syscalls.len()).rev() {
                        order.syscalls.swap(last, random.below(last + 1));
                    }
                }
                match (differ, refuses) {
                    (true, _) => shown += 1,
                    (false, true) => refused += 1,
                    (false, false) => {
                        let explained = explained(&from, place.arch, place.nr);
                        if !explained {
                            eprintln!("not explained: {} on {}: {json}", place.name, place.arch);
                        }
                        cautious.push(explained);
                    }
                }
            }
        }
    }
    let all = shown + refused + cautious.len();
    eprintln!("{shown} shown by two orders, {refused} refused, {} of {all} not shown", cautious.len());
    assert!(all > cases() / 10 && 2 * (shown + refused) >= all);
    assert!(cautious.iter().all(|&explained| explained), "not shown, and not by the library's own sorting");
}
