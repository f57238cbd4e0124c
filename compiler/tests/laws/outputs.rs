//! Laws of outputs: what was built does to every call what the text says.

use kpol_compiler::bpf::{self, ByteOrder, Program as Filter, SeccompData};
use kpol_compiler::diagnostic::Code;
use kpol_compiler::diagram::Store;
use kpol_compiler::driver::{Format, Options};
use kpol_compiler::oci::{self, runtime};
use kpol_compiler::spec::rule::Verdict;
use proptest::prelude::*;

use super::choices::Stream;
use super::program::{Shape, program};
use super::world::{ROOT, World, compiled, errors, said, show};
use super::{config, numbers, sample};

const SMALL: Shape = Shape { asserts: false, environment: true, declared: false, wild: false, small: true };

proptest! {
    #![proptest_config(config(40))]

    /// A filter returns to every call what the oracle says, those of foreign ABIs too.
    #[test]
    fn a_filter_does_what_the_text_says(numbers in numbers(), seed: u64) {
        let shape = Shape { declared: true, small: seed % 2 == 0, ..SMALL };
        let program = program(numbers, shape, ROOT, None);
        let world = World::from(&program);
        let mut stream = Stream(seed);
        let environment = sample::environment(&program, &mut stream);
        let options = Options {
            caps: Some(environment.caps.clone()), kernel: Some(environment.kernel), ..Options::default()
        };
        let (checked, products) = world.build(&options, Format::Bpf);
        // Too long, or ABIs of both byte orders, which no kernel reads in one file.
        let sayable = |code: Code| !matches!(code, Code::E055 | Code::E056);
        prop_assert!(!errors(&checked).iter().any(|error| sayable(error.code)), "{:?}\n{world}", errors(&checked));
        let Some(product) = products.first() else { return Ok(()) };
        let order = if program.archs.iter().min().is_some_and(|arch| arch.is_big_endian()) { ByteOrder::Big } else { ByteOrder::Little };
        let filter = Filter::from_bytes(&product.bytes, order).expect("a filter");
        let oracle = world.oracle();
        let policy = oracle.policy(ROOT);
        for call in sample::calls(&program, &mut stream, 18) {
            let run = bpf::run(&filter, &SeccompData::new(&call)).expect("a filter that the kernel takes");
            let verdict = said(&policy, &call, &environment);
            prop_assert_eq!(Verdict::Action(run.action()), verdict, "{}\n{}", show(&call, &environment), world);
        }
    }

    /// JSON, loaded as a runtime loads it, does to every call what the oracle says; or building says why it cannot.
    #[test]
    fn json_does_what_the_text_says(numbers in numbers(), seed: u64) {
        let program = program(numbers, SMALL, ROOT, None);
        let world = World::from(&program);
        let mut stream = Stream(seed);
        let mut environment = sample::environment(&program, &mut stream);
        let open = stream.below(2) == 0;
        let options = Options {
            caps: (!open).then(|| environment.caps.clone()), kernel: Some(environment.kernel), ..Options::default()
        };
        let (checked, products) = world.build(&options, Format::Json);
        for error in errors(&checked) {
            let known = [Code::E051, Code::E053, Code::E054, Code::E055];
            prop_assert!(known.contains(&error.code), "{error:?}\n{world}");
        }
        let Some(product) = products.first() else { return Ok(()) };
        let json = String::from_utf8_lossy(&product.bytes).into_owned();
        let profile = oci::read(&product.bytes).expect("a profile");
        let oracle = world.oracle();
        let policy = oracle.policy(ROOT);
        let mut store = Store::default();
        let mut hosts: Vec<_> = program.archs.iter().map(|arch| arch.native()).collect();
        hosts.dedup();
        for host in hosts {
            let loaded = runtime::load(&mut store, &profile, host, None, runtime::Dialect::Containers).expect("loads");
            prop_assert!(loaded.undetermined.is_empty(), "{:?}\n{json}\n{world}", loaded.undetermined);
            for call in sample::calls(&program, &mut stream, 12) {
                if call.arch.native() != host || !program.archs.contains(&call.arch) {
                    continue;
                }
                if open {
                    environment.caps = sample::environment(&program, &mut stream).caps;
                }
                let answer = compiled(&store, &loaded.function, &call, &environment);
                let verdict = said(&policy, &call, &environment);
                prop_assert_eq!(Verdict::Action(answer), verdict, "{}\n{}\n{}", show(&call, &environment), json, world);
            }
        }
    }
}
