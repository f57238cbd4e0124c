//! Filters that the real libseccomp makes, imported: the policy that comes of one answers every call as the filter does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::Path;

use kpol_compiler::answer::import::{Options, import};
use kpol_compiler::diagram::{Leaf, Store};
use kpol_compiler::driver;
use kpol_compiler::source::Memory;
use kpol_compiler::spec::{Arch, Call, Environment, Nr};
use kpol_tests::cbpf::{edges, numbers};
use kpol_tests::libseccomp::{self, profile_to_bpf};
use kpol_tests::profile::Node;
use kpol_tests::skip::{or_skip, shared_dir};

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
