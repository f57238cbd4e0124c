//! The examples say what they claim to say: the kiOS page's profile, Docker's default.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use kpol_compiler::bpf::{ByteOrder, Program, always_allowed};
use kpol_compiler::diagnostic::Code;
use kpol_compiler::diagram::{Comparison, Function, Leaf, Node, Operand, Store};
use kpol_compiler::driver::Format::{Bpf, Json};
use kpol_compiler::driver::{self, Options};
use kpol_compiler::oci;
use kpol_compiler::oci::runtime::{Dialect, load};
use kpol_compiler::policy::witness;
use kpol_compiler::source::disk::Disk;
use kpol_compiler::spec::{Action, Arch, Nr};
use kpol_compiler::tables;
use kpol_tests::cbpf::{Filter, differences};
use kpol_tests::libseccomp::{Options as Library, profile_to_bpf};
use kpol_tests::policy::{Built, EXAMPLES, KERNEL, capabilities, example, example_path, random, samples, text};
use kpol_tests::profile::Node as Machine;
use kpol_tests::skip::{Skip, or_skip, shared_dir};

fn corpus(name: &str) -> Result<String, Skip> {
    Ok(std::fs::read_to_string(shared_dir()?.join("corpus").join(name)).unwrap())
}

fn loaded(store: &mut Store, json: &str, host: Arch, dialect: Dialect) -> Function {
    let loaded = load(store, &oci::read(json.as_bytes()).unwrap(), host, None, dialect).unwrap();
    assert_eq!(loaded.undetermined, []);
    loaded.function
}

/// Numbers of an ABI on which two functions differ, with the calls in question.
fn differing(store: &mut Store, arch: Arch, one: &Function, two: &Function) -> Vec<(Nr, Node)> {
    let mut found = Vec::new();
    one.tables[&arch].zip(&two.tables[&arch], |numbers, one, two| {
        if one != two {
            let owned = numbers.map(Nr).filter(|&nr| arch.owns(nr));
            found.extend(owned.take(2000).map(|nr| (nr, one, two)));
        }
    });
    found.into_iter().map(|(nr, one, two)| (nr, store.differ(one, two))).collect()
}

fn describe(store: &Store, arch: Arch, found: &[(Nr, Node)]) -> Vec<String> {
    let call = |&(nr, set): &(Nr, Node)| {
        let (cube, _) = store.witness(set, &|leaf| leaf == Leaf::True).expect("they differ");
        witness::describe(arch, nr, tables::syscall_at(arch, nr).map(tables::Syscall::name), &cube)
    };
    found.iter().map(call).collect()
}

/// `build --complain`, by an interpreter that shares no code with the compiler.
#[test]
fn what_complains_is_the_policy_with_its_refusals_logged() {
    const ENOSYS: u16 = 38;
    for name in EXAMPLES.into_iter().chain(["kios-example"]) {
        let built = example(name, Some(&[]), &[Bpf]);
        let options =
            Options { caps: Some(capabilities(&[])), kernel: Some(KERNEL), complain: true, ..Options::default() };
        let (checked, products) = driver::build(&Disk, &example_path(name), &options, &[Bpf]);
        assert!(!checked.has_errors(), "{name}: {:?}", checked.diagnostics);
        let complains = Filter::from_bytes(&products[0].bytes).unwrap();
        let mut logged = 0;
        for arch in Arch::all() {
            for call in samples(&built, &[built.bpf(), &complains], arch, &mut random(5)) {
                let refuses = built.bpf().action(&call).unwrap();
                let listed = built.compiled.policy.archs.contains(&arch);
                let wanted = match refuses {
                    Action::Errno(ENOSYS) => refuses,
                    Action::Errno(_) | Action::KillProcess | Action::KillThread | Action::Trap(_) if listed => {
                        Action::Log
                    }
                    other => other,
                };
                assert_eq!(complains.action(&call), Ok(wanted), "{name}: {call:?}");
                logged += usize::from(wanted == Action::Log && wanted != refuses);
            }
        }
        assert!(logged > 0 || name == "audit", "{name}");
    }
}

/// A call that is allowed whatever its arguments are never runs the filter: the kernel's bitmap has it.
#[test]
fn what_is_always_allowed_is_in_the_kernels_bitmap() {
    for name in EXAMPLES.into_iter().chain(["kios-example"]) {
        let built = example(name, Some(&[]), &[Bpf]);
        let program = Program::from_bytes(&built.bpf().to_bytes(), ByteOrder::Little).unwrap();
        let mut allowed = 0;
        for &arch in &built.compiled.policy.archs {
            for nr in (0..1024).chain(0x4000_0000..0x4000_0400).map(Nr).filter(|&nr| arch.owns(nr)) {
                let always = built.compiled.policy.function.at(arch, nr) == Node::action(Action::Allow);
                assert_eq!(always_allowed(&program, arch, nr), always, "{name}: {} on {arch}", nr.0);
                allowed += usize::from(always);
            }
        }
        assert_eq!(allowed > 0, name != "audit", "{name}");
    }
}

/// By the model of a runtime and by the real library, on both machines.
#[test]
fn two_examples_mean_what_the_pages_profiles_mean() {
    for (name, page) in [("kios-example", "kios-example.json"), ("audit", "kios-audit.json")] {
        let Some(page) = or_skip(corpus(page)) else { return };
        let mut built = example(name, Some(&[]), &[Json, Bpf]);
        for host in [Arch::X86_64, Arch::Aarch64] {
            let json = built.json().to_owned();
            let store = &mut built.compiled.store;
            let theirs = loaded(store, &page, host, Dialect::Containers);
            assert_eq!(loaded(store, &json, host, Dialect::Containers), theirs, "{name} on {host}");
            let found = differing(store, host, &built.compiled.policy.function, &theirs);
            assert_eq!(describe(store, host, &found), [""; 0], "{name} on {host}");

            let machine = Machine::new(host);
            let real = |json: &str| profile_to_bpf(json, &machine, Library::default());
            let Some((ours, theirs)) = or_skip(real(&json)).zip(or_skip(real(&page))) else { continue };
            let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
            let calls = samples(&built, &[&ours, &theirs, built.bpf()], host, &mut random(1));
            let wrong: Vec<_> = differences(&ours, &theirs, calls.clone()).collect();
            assert_eq!(wrong, [], "{name} on {host}");
            let wrong: Vec<_> = differences(built.bpf(), &theirs, calls).collect();
            assert_eq!(wrong, [], "{name} on {host}: the filter");
        }
    }
}

#[test]
fn the_pages_example_warns_that_nothing_starts_and_the_others_start() {
    assert!(example("kios-example", Some(&[]), &[Json]).codes.contains(&Code::W007));
    for name in EXAMPLES {
        let codes = example(name, Some(&[]), &[Json, Bpf]).codes;
        assert!(!codes.contains(&Code::W007), "{name}: {codes:?}");
    }
}

/// Docker's file and ours, for all calls, arguments, capabilities and kernels at once: they differ on `socket` alone,
/// and there only where the upper half of a 64-bit register holds something that the kernel drops.
#[test]
fn docker_default_differs_from_dockers_file_in_the_width_of_one_argument() {
    let Some(json) = or_skip(corpus("moby-default.json")) else { return };
    let (checked, _) = driver::build(&Disk, &example_path("docker-default"), &Options::default(), &[]);
    assert!(!checked.has_errors(), "{:#?}", checked.diagnostics);
    let mut compiled = checked.compiled.unwrap();
    let (store, ours) = (&mut compiled.store, &compiled.policy.function);
    for (host, archs) in
        [(Arch::X86_64, &[Arch::X86_64, Arch::X86, Arch::X32][..]), (Arch::Aarch64, &[Arch::Aarch64, Arch::Arm][..])]
    {
        let theirs = loaded(store, &json, host, Dialect::Moby);
        assert_eq!(theirs.tables.keys().copied().collect::<Vec<_>>(), archs, "Docker's ABIs on {host}");
        for &arch in archs {
            let found = differing(store, arch, ours, &theirs);
            let names: Vec<_> = found.iter().map(|&(nr, _)| tables::syscall_at(arch, nr).unwrap().name()).collect();
            // libseccomp takes x32 for a 32-bit ABI, so Docker's compare is one of 32 bits there.
            let expected: &[&str] = if [Arch::X86_64, Arch::Aarch64].contains(&arch) { &["socket"] } else { &[] };
            assert_eq!(names, expected, "{arch}: {:#?}", describe(store, arch, &found));
            for (_, set) in found {
                let upper = Operand { arg: 0, bits: 64, mask: 0xffff_ffff << 32, signed: false };
                let clean = store.compare(upper, Comparison::Eq, 0);
                assert_eq!(store.and(set, clean), Node::FALSE, "{arch}: only with garbage above");
                // And what ours says of such a call is what it says of the call that the kernel makes of it.
                let node = ours.at(arch, tables::syscall("socket").unwrap().nr(arch).unwrap());
                let at = |family: u64| store.at(node, &Default::default(), &[family, 0, 0, 0, 0, 0]);
                for family in [0, 1, 2, 37, 38, 39, 40, 41] {
                    assert_eq!(at(family), at(family | 0xdead_beef_0000_0000), "{arch} {family}");
                }
            }
        }
    }
}

#[test]
fn docker_default_has_at_most_a_third_of_the_lines() {
    let Some(json) = or_skip(corpus("moby-default.json")) else { return };
    let ours = std::fs::read_to_string(example_path("docker-default")).unwrap();
    assert!(3 * ours.lines().count() <= json.lines().count(), "{} lines", ours.lines().count());
}

#[test]
fn the_go_service_does_without_four_of_ten_calls_of_system_service() {
    let (service, all) =
        (example("go-service", Some(&[]), &[]), text("default deny\nallow { @system-service }", &[]).unwrap());
    let runs =
        |built: &Built, nr| built.compiled.policy.function.at(Arch::X86_64, nr) != Node::action(Action::Errno(1));
    let numbers = tables::Syscall::all_of(Arch::X86_64).filter_map(|call| call.nr(Arch::X86_64));
    let open: Vec<Nr> = numbers.filter(|&nr| runs(&all, nr)).collect();
    let shut = open.iter().filter(|&&nr| !runs(&service, nr)).count();
    assert_eq!((10 * shut + open.len() / 2) / open.len(), 4, "{shut} of {}", open.len());
}

/// The same by the real library, for containers with few and many rights.
#[test]
fn libseccomp_makes_the_same_of_docker_default_and_of_dockers_file() {
    let Some(json) = or_skip(corpus("moby-default.json")) else { return };
    let docker = ["CAP_CHOWN", "CAP_KILL", "CAP_SYS_CHROOT", "CAP_MKNOD", "CAP_NET_RAW"];
    for caps in [
        &[][..],
        &docker,
        &["CAP_SYS_ADMIN"],
        &["CAP_SYS_PTRACE", "CAP_BPF", "CAP_SYS_TIME"],
        &["CAP_PERFMON", "CAP_SYSLOG", "CAP_SYS_NICE", "CAP_SYS_RAWIO", "CAP_SYS_ADMIN"],
        &["CAP_DAC_READ_SEARCH", "CAP_SYS_BOOT", "CAP_SYS_MODULE", "CAP_SYS_PACCT", "CAP_SYS_TTY_CONFIG"],
    ] {
        // Once settled by kpolc, once left to the runtime.
        let settled = example("docker-default", Some(caps), &[Json, Bpf]);
        let open = example("docker-default", None, &[Json]);
        for host in [Arch::X86_64, Arch::Aarch64] {
            let mut machine = Machine::new(host);
            machine.kernel = KERNEL;
            machine.caps = caps.iter().map(|&cap| cap.to_owned()).collect();
            let real = |json: &str| profile_to_bpf(json, &machine, Library::default()).map(Result::unwrap);
            let Some(theirs) = or_skip(real(&json)) else { return };
            let (ours, left) = (real(settled.json()).unwrap(), real(open.json()).unwrap());
            for arch in Arch::all().filter(|arch| arch.native() == host) {
                let socket = tables::syscall("socket").unwrap().nr(arch);
                let calls = samples(&settled, &[&theirs, &ours], arch, &mut random(2));
                let wrong: Vec<_> = differences(&ours, &theirs, calls.clone())
                    .filter(|found| Some(found.call.nr) != socket || found.call.args[0] >> 32 == 0)
                    .collect();
                assert_eq!(wrong, [], "{caps:?} on {arch}");
                let wrong: Vec<_> = differences(&ours, &left, calls).collect();
                assert_eq!(wrong, [], "{caps:?} on {arch}, left open");
            }
        }
    }
}
