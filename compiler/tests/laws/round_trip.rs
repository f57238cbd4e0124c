//! Text → diagram → BPF and JSON → back, on as many policies as one has time for.
//!
//! ```text
//! KPOL_ROUND_TRIPS=1000000 cargo test --release -p kpol-compiler --test laws round_trips -- --nocapture
//! KPOL_SEED=4711 KPOL_ROUND_TRIPS=1 …        that one policy again
//! ```
//!
//! The driver proves each product before it hands it out. Here the products are read anew, into a store that has seen
//! nothing of how they were made, beside the policy compiled anew from its text; and the plain evaluator of rules, which
//! knows no diagram, is asked about calls at the edges of what the text names.

use std::collections::BTreeMap;

use kpol_compiler::bpf::{self, ByteOrder, Program as Filter};
use kpol_compiler::diagnostic::Code;
use kpol_compiler::diagram::{Function, Node, Place, Store};
use kpol_compiler::driver::{self, Format, Options};
use kpol_compiler::oci::{self, runtime};
use kpol_compiler::spec::rule::Verdict;
use kpol_compiler::spec::{Arch, Nr, arch::X32_BIT};

use super::choices::Stream;
use super::program::{Shape, program};
use super::sample;
use super::world::{ROOT, World, compiled, errors, path, said, show};

/// What became of the policies.
#[derive(Debug, Default)]
struct Tally {
    bpf: usize,
    json: usize,
    calls: usize,
    /// Policies that a format cannot say, by what the driver says of it.
    refused: BTreeMap<&'static str, usize>,
}

#[test]
fn round_trips() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let first = number("KPOL_SEED").unwrap_or(1);
    let count = number("KPOL_ROUND_TRIPS").unwrap_or(150);
    let mut tally = Tally::default();
    for (done, seed) in (first..first + count).enumerate() {
        round_trip(seed, &mut tally);
        if (done + 1) % 10_000 == 0 {
            eprintln!("{} policies: {tally:?}", done + 1);
        }
    }
    eprintln!("{count} policies: {tally:?}");
    assert!(tally.bpf + tally.json >= count as usize, "most policies have products: {tally:?}");
}

fn round_trip(seed: u64, tally: &mut Tally) {
    let mut stream = Stream(seed);
    let length = stream.below(160);
    let numbers = (0..length).map(|_| stream.next() as u16).collect();
    let shape =
        Shape { small: !seed.is_multiple_of(3), environment: seed % 4 < 1, declared: seed % 3 < 1, ..Shape::default() };
    let program = program(numbers, shape, ROOT, None);
    let world = World::from(&program);
    let environment = sample::environment(&program, &mut stream);
    let options =
        Options { caps: Some(environment.caps.clone()), kernel: Some(environment.kernel), ..Options::default() };
    let again = || format!("KPOL_SEED={seed}\n{world}");
    let mut functions = Vec::new();
    let mut store = Store::default();
    let (_, policy) = driver::compile(&world.memory(), &path(ROOT), &options, &mut store);
    let policy = policy.unwrap_or_else(|| panic!("no meaning: {}", again()));
    for format in [Format::Bpf, Format::Json] {
        let (checked, products) = world.build(&options, format);
        for error in errors(&checked) {
            let known = [Code::E049, Code::E051, Code::E053, Code::E054, Code::E055, Code::E056];
            assert!(known.contains(&error.code), "{error:?}\n{}", again());
            *tally.refused.entry(error.code.as_str()).or_default() += 1;
        }
        let Some(product) = products.first() else { continue };
        match format {
            Format::Bpf => {
                let big = program.archs.iter().any(|arch| arch.is_big_endian());
                let order = if big { ByteOrder::Big } else { ByteOrder::Little };
                let filter = Filter::from_bytes(&product.bytes, order).expect("a filter");
                functions.push(bpf::read(&mut store, &filter, &policy.archs).expect("can be read").function);
                tally.bpf += 1;
            }
            Format::Json => {
                let profile = oci::read(&product.bytes).expect("a profile");
                let mut function = Function::default();
                for host in policy.archs.iter().map(|arch| arch.native()) {
                    let loaded = runtime::load(&mut store, &profile, host, None, runtime::Dialect::Containers);
                    function.tables.extend(loaded.expect("loads").function.tables);
                }
                functions.push(function);
                tally.json += 1;
            }
            Format::Asm | Format::C | Format::Dot | Format::Smt2 => unreachable!("not asked for"),
        }
    }
    for read in &functions {
        for &arch in &policy.archs {
            same(&mut store, arch, &policy.function, read).unwrap_or_else(|nr| panic!("{arch} {nr}: {}", again()));
        }
    }
    let oracle = world.oracle();
    let rules = oracle.policy(ROOT);
    for call in sample::calls(&program, &mut stream, 2) {
        let verdict = said(&rules, &call, &environment);
        for function in &functions {
            // An ABI that was not asked for is in no table.
            if program.archs.contains(&call.arch) {
                let answer = compiled(&store, function, &call, &environment);
                assert_eq!(Verdict::Action(answer), verdict, "{}\n{}", show(&call, &environment), again());
                tally.calls += 1;
            }
        }
    }
}

/// Whether both functions are the same node for every number that the ABI owns; else the first where they are not.
fn same(store: &mut Store, arch: Arch, one: &Function, other: &Function) -> Result<(), u32> {
    let (Some(one), Some(other)) = (one.tables.get(&arch), other.tables.get(&arch)) else { return Err(0) };
    let mut different = Vec::new();
    one.zip(other, |range, a, b| {
        let owned = [*range.start(), X32_BIT, u32::MAX].into_iter().find(|nr| range.contains(nr) && arch.owns(Nr(*nr)));
        different.extend(owned.filter(|_| a != b).map(|nr| (nr, a, b)));
    });
    // No register of a 32-bit ABI has an upper half, so what is asked of it does not count.
    let mut narrow = |node: Node| {
        store.assume(node, &|place| match place {
            Place::Arg { bit, .. } if arch.bits() == 32 && bit >= 32 => Some(false),
            _ => None,
        })
    };
    match different.into_iter().find(|&(_, a, b)| narrow(a) != narrow(b)) {
        Some((nr, ..)) => Err(nr),
        None => Ok(()),
    }
}
