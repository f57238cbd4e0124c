//! Filters that the real libseccomp makes, imported: the policy that comes of one answers every call as the filter does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};

use kpol_compiler::answer::import::{Options, import};
use kpol_compiler::diagram::{Leaf, Store};
use kpol_compiler::driver;
use kpol_compiler::source::Memory;
use kpol_compiler::spec::{Action, Arch, Call, Environment, Nr};
use kpol_tests::cbpf::{Filter, assemble::always, differences, edges, numbers};
use kpol_tests::kernel;
use kpol_tests::libseccomp::{self, profile_to_bpf};
use kpol_tests::policy;
use kpol_tests::probe::Outcome;
use kpol_tests::profile::Node;
use kpol_tests::skip::{Skip, or_skip, shared_dir};

#[test]
fn what_libseccomp_makes_of_the_corpus_comes_back() {
    let Some(shared) = or_skip(shared_dir()) else { return };
    for (name, optimize, lines) in [
        ("kios-example", false, 12),
        ("moby-default", false, 80),
        ("moby-default", true, 80),
        ("containers-default", false, 110),
        ("containers-default", true, 110),
    ] {
        let profile = std::fs::read_to_string(shared.join(format!("corpus/{name}.json"))).unwrap();
        let options = libseccomp::Options { optimize };
        let Some(filter) = or_skip(profile_to_bpf(&profile, &Node::new(Arch::X86_64), options)) else { return };
        let filter = filter.unwrap();
        let imported = import(name, &filter.to_bytes(), &Options::default()).unwrap();
        let text = imported.text.as_str();
        assert!(text.lines().count() <= lines, "{name}: {} lines\n{text}", text.lines().count());
        let mut store = Store::default();
        let loader = Memory::from([("/p/it.kpol", text)]);
        let (_, policy) = driver::compile(&loader, Path::new("/p/it.kpol"), &driver::Options::default(), &mut store);
        let policy = policy.unwrap();
        // Every edge against every number is millions of runs: a few dozen of the edges say as much.
        let all = edges(&[&filter]);
        let values: Vec<u64> = all.iter().copied().step_by(all.len().div_ceil(48)).collect();
        let mut calls = 0;
        for &arch in &policy.archs {
            for nr in numbers(&[&filter], arch) {
                if !arch.owns(Nr(nr)) || nr == u32::MAX {
                    continue;
                }
                let node = policy.function.at(arch, Nr(nr));
                for (index, &value) in values.iter().enumerate() {
                    let other = values[(index * 7 + 3) % values.len()];
                    let width = u64::MAX >> (64 - u32::from(arch.bits()));
                    let args = [value & width, other & width, value & width, 0, 0, 0];
                    let Leaf::Act(said) = store.at(node, &Environment::default(), &args) else { panic!("{arch} {nr}") };
                    let call = Call { arch, nr: Nr(nr), args };
                    assert_eq!(filter.action(&call).unwrap(), said, "{name}: {call:?}\n{text}");
                    calls += 1;
                }
            }
        }
        assert!(calls >= values.len(), "{name}: {calls}");
    }
}

/// Docker's rule on `socket` compares 64 bits of what the kernel takes as 32. `import` says so with a call that gets through,
/// and offers a rule by name: this makes the call, under the one and under the other.
#[test]
fn what_walks_around_dockers_rule_does_not_walk_around_the_one_that_is_offered() {
    const EPERM: u16 = 1;
    const AF_VSOCK: u64 = 40;
    let Some(shared) = or_skip(shared_dir()) else { return };
    let Some(native) = or_skip(kernel::native()) else { return };
    let profile = std::fs::read_to_string(shared.join("corpus/moby-default.json")).unwrap();
    let node = Node::new(native);
    let Some(theirs) = or_skip(profile_to_bpf(&profile, &node, libseccomp::Options { optimize: false })) else {
        return;
    };

    let imported = import("moby-default.json", profile.as_bytes(), &Options::default()).unwrap().text;
    let (kept, offered) = ("socket(reg0 not in {AF_ALG, AF_VSOCK})", "socket(family not in {AF_ALG, AF_VSOCK})");
    assert!(imported.contains("`socket(0x100000028, …)`, which is `socket(AF_VSOCK, …)` to the kernel"), "{imported}");
    assert!(imported.contains(&format!("`allow {{ {offered} }}`")), "{imported}");
    let mended = imported.replace(&format!("allow {{ {kept} }}"), &format!("allow {{ {offered} }}"));
    assert_ne!(mended, imported);
    let options = driver::Options {
        archs: Some(vec![native]),
        caps: Some(policy::capabilities(&[])),
        kernel: Some(policy::KERNEL),
        ..driver::Options::default()
    };
    let built = policy::with_options(&mended, &options, &[driver::Format::Bpf]).unwrap();
    let example = policy::example("docker-default", Some(&[]), &[driver::Format::Bpf]);

    let call = |family: u64| policy::call(native, "socket", &[family, 1, 0]).unwrap();
    let calls = [call(AF_VSOCK), call(0x1_0000_0000 | AF_VSOCK)];
    let under = |filter: &Filter| kernel::run_under_filter(&filter.to_bytes(), 0, &calls);
    let Some(free) = or_skip(under(&always(Action::Allow))) else { return };
    let docker = or_skip(under(&theirs.unwrap())).unwrap();
    assert_eq!(docker[0], Outcome::Errno(EPERM), "what is written plainly is refused");
    // A socket, or EAFNOSUPPORT where the kernel has none; in any case the kernel's own answer.
    assert_ne!(docker[1], Outcome::Errno(EPERM), "and what has a bit above it is not");
    assert_eq!(matches!(docker[1], Outcome::Returned(_)), matches!(free[0], Outcome::Returned(_)));
    for ours in [built.bpf(), example.bpf()] {
        let seen = or_skip(under(ours)).unwrap();
        assert_eq!(seen, [Outcome::Errno(EPERM), Outcome::Errno(EPERM)]);
    }
}

/// What podman and Docker have for everybody, from Debian's packages: imported, built for all ABIs of the file, and loaded by the real
/// library, it is the filter that the file itself makes.
#[test]
fn the_defaults_of_podman_and_docker_are_built_as_the_filters_that_they_are() {
    let mut files = vec![
        ("golang-github-containers-common", PathBuf::from("/usr/share/containers/seccomp.json")),
        (
            "golang-github-docker-docker-dev",
            PathBuf::from("/usr/share/gocode/src/github.com/docker/docker/profiles/seccomp/default.json"),
        ),
    ];
    // Newer ones, where somebody has them.
    if let Ok(shared) = shared_dir() {
        files.extend(
            ["containers-default", "moby-default"].map(|name| ("", shared.join(format!("corpus/{name}.json")))),
        );
    }
    for (package, file) in files {
        let profile = std::fs::read_to_string(&file)
            .map_err(|error| Skip(format!("{}: {error}; `{package}` has it (tests/setup.sh)", file.display())));
        let Some(profile) = or_skip(profile) else { continue };
        let name = file.display();
        let imported = import("default.json", profile.as_bytes(), &Options::default()).unwrap().text;
        // Docker's asks for the kernel, which Docker alone can.
        let runtimes = if imported.contains("when kernel") { vec!["docker".parse().unwrap()] } else { Vec::new() };
        let options = driver::Options { runtimes, ..driver::Options::default() };
        let built = policy::with_options(&imported, &options, &[driver::Format::Json]).unwrap();
        assert_eq!(built.compiled.policy.archs.len(), 5, "{name}");
        let caps = ["CAP_AUDIT_WRITE", "CAP_SYS_ADMIN", "CAP_BPF"].map(str::to_owned);
        for (host, caps) in [(Arch::X86_64, &[][..]), (Arch::X86_64, &caps), (Arch::Aarch64, &[])] {
            let node = Node { caps: caps.iter().cloned().collect(), kernel: policy::KERNEL, ..Node::new(host) };
            let of = |profile: &str| profile_to_bpf(profile, &node, libseccomp::Options { optimize: false });
            let (Some(theirs), Some(ours)) = (or_skip(of(&profile)), or_skip(of(built.json()))) else { return };
            let (theirs, ours) = (theirs.unwrap(), ours.unwrap());
            let calls = pairs_of_edges(&theirs, &ours, host, &built.compiled.policy.archs);
            assert_eq!(differences(&ours, &theirs, calls).next(), None, "{name} on {host} with {caps:?}");
        }
    }
}

/// Each number around which one of two filters turns, with each pair of edges as first and third argument: these are what
/// `socket` is told apart by.
fn pairs_of_edges(one: &Filter, other: &Filter, host: Arch, archs: &[Arch]) -> Vec<Call> {
    let edges = edges(&[one, other]);
    let few: Vec<u64> = edges.iter().copied().step_by(edges.len().div_ceil(3)).collect();
    let mut calls = Vec::new();
    // Our file names the ABIs of all hosts, of which a host meets its own.
    for &arch in archs.iter().filter(|arch| arch.native() == host) {
        let socket = policy::call(arch, "socket", &[]).map(|call| call.nr);
        let width = u64::MAX >> (64 - u32::from(arch.bits()));
        for nr in numbers(&[one, other], arch).into_iter().map(Nr) {
            let values = if Some(nr) == socket { &edges } else { &few };
            for (&first, &third) in values.iter().flat_map(|first| values.iter().map(move |third| (first, third))) {
                calls.push(Call { arch, nr, args: [first & width, 1, third & width, 0, 0, 0] });
            }
        }
    }
    calls
}
