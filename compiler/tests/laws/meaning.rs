//! Laws of meaning: what `driver::check` says, and the function that it makes.

use std::collections::BTreeSet;

use kpol_compiler::diagnostic::Code;
use kpol_compiler::driver::{self, Options};
use kpol_compiler::spec::multiplex::Multiplexer;
use kpol_compiler::spec::rule::{Verdict, is_within};
use kpol_compiler::spec::{Action, Call, Environment, Nr};
use proptest::prelude::*;

use super::choices::Stream;
use super::program::{Program, Shape, program};
use super::world::{ROOT, World, compiled, errors, path, said, show};
use super::{config, numbers, sample, witness};

const EVERYTHING: Shape = Shape { asserts: false, environment: true, declared: true, wild: true, small: false };

fn samples(program: &Program, seed: u64, of_each: usize) -> Vec<(Call, Environment)> {
    let mut stream = Stream(seed);
    let calls = sample::calls(program, &mut stream, of_each);
    calls.into_iter().map(|call| (call, sample::environment(program, &mut stream))).collect()
}

proptest! {
    #![proptest_config(config(96))]

    /// A conflict is reported if and only if there is one; every other call gets what the oracle says.
    #[test]
    fn the_diagram_is_the_function_that_the_text_says(numbers in numbers(), seed: u64) {
        let program = program(numbers, EVERYTHING, ROOT, None);
        let world = World::from(&program);
        let checked = world.check(&Options::default());
        let oracle = world.oracle();
        let policy = oracle.policy(ROOT);
        for error in errors(&checked) {
            prop_assert!(matches!(error.code, Code::E040 | Code::E041), "{error:?}\n{world}");
            let note = error.notes.iter().find_map(|note| note.strip_prefix("both claim ")).expect("a witness");
            let (call, environment) = witness::read(note, &program);
            let claims = policy.claims(&call, &environment).expect("sound");
            let of_kind = |level: u32| (level == 0) == (error.code == Code::E040);
            let disagree = claims.iter().any(|one| {
                claims.iter().any(|other| of_kind(one.level) && one.level == other.level && one.action != other.action)
            });
            prop_assert!(disagree, "{note} is no conflict: {claims:?}\n{world}");
        }
        let made = checked.compiled.as_ref().expect("a meaning");
        prop_assert_eq!(&made.policy.archs, policy.archs());
        for (call, environment) in samples(&program, seed, 30) {
            let answer = compiled(&made.store, &made.policy.function, &call, &environment);
            match said(&policy, &call, &environment) {
                Verdict::Action(action) => {
                    prop_assert_eq!(answer, action, "{}\n{}", show(&call, &environment), world);
                }
                Verdict::Conflict { level, actions } => {
                    let code = if level == 0 { Code::E040 } else { Code::E041 };
                    prop_assert!(
                        errors(&checked).iter().any(|error| error.code == code),
                        "{actions:?} at level {level} for {} is not reported\n{world}", show(&call, &environment)
                    );
                }
            }
        }
    }

    /// Capabilities and kernel that are settled when building mean what they mean when left open.
    #[test]
    fn a_settled_environment_is_that_environment(numbers in numbers(), seed: u64) {
        let program = program(numbers, Shape { wild: false, ..EVERYTHING }, ROOT, None);
        let world = World::from(&program);
        let environment = sample::environment(&program, &mut Stream(seed));
        let options = Options {
            caps: Some(environment.caps.clone()), kernel: Some(environment.kernel), ..Options::default()
        };
        let checked = world.check(&options);
        prop_assert!(errors(&checked).is_empty(), "{:?}\n{world}", errors(&checked));
        let made = checked.compiled.as_ref().expect("a meaning");
        let oracle = world.oracle();
        let policy = oracle.policy(ROOT);
        for (call, other) in samples(&program, seed, 12) {
            let answer = compiled(&made.store, &made.policy.function, &call, &other);
            let verdict = said(&policy, &call, &environment);
            prop_assert_eq!(Verdict::Action(answer), verdict, "{}\n{}", show(&call, &environment), world);
        }
    }

    /// Statements, elements, operands and files can stand in any order; blanks, comments and the formatter change nothing.
    #[test]
    fn order_and_form_never_matter(numbers in numbers(), seed: u64) {
        let program = program(numbers, Shape { wild: false, ..EVERYTHING }, ROOT, None);
        let world = World::from(&program);
        let plain = &world.0[ROOT];
        let formatted = kpol_grammar::format(plain);
        prop_assert!(formatted.is_some(), "{world}");
        let mut stream = Stream(seed);
        let others = [
            ("shuffled", program.files[ROOT].shuffled(&mut stream)),
            ("respaced", program.files[ROOT].respaced(&mut stream)),
            ("formatted", formatted.unwrap_or_default()),
        ];
        for (how, other) in others {
            let same = driver::same_policy(&world.memory(), &path(ROOT), &Options::default(), [plain, &other]);
            prop_assert_eq!(same, Some(true), "{}:\n{}\n--- was\n{}", how, other, world);
        }
        // Of all files at once: no store is shared, so the answers are compared.
        let mut shuffled = world.clone();
        for (name, text) in &program.files {
            shuffled.0.insert(name.clone(), text.shuffled(&mut stream));
        }
        let (before, after) = (world.check(&Options::default()), shuffled.check(&Options::default()));
        prop_assert!(errors(&after).is_empty(), "{:?}\n{shuffled}", errors(&after));
        let (before, after) = (before.compiled.expect("a meaning"), after.compiled.expect("a meaning"));
        for (call, environment) in samples(&program, seed, 12) {
            let answers = [&before, &after].map(|made| compiled(&made.store, &made.policy.function, &call, &environment));
            prop_assert_eq!(answers[0], answers[1], "{}\n{}\n{}", show(&call, &environment), world, shuffled);
        }
    }

    /// An assert fails with a call that refutes it, or no call does.
    #[test]
    fn asserts_hold_or_are_refuted(numbers in numbers(), seed: u64) {
        let shape = Shape { asserts: true, wild: false, ..EVERYTHING };
        let program = program(numbers, shape, ROOT, None);
        let world = World::from(&program);
        let checked = world.check(&Options::default());
        let oracle = world.oracle();
        let policy = oracle.policy(ROOT);
        let broken = |call: &Call, environment: &Environment| -> Vec<String> {
            let Verdict::Action(action) = said(&policy, call, environment) else { panic!("a conflict\n{world}") };
            let promises = policy.promises(call, environment).expect("sound");
            promises.into_iter().filter(|promise| !promise.is_kept_by(action)).map(|promise| promise.title).collect()
        };
        let mut failed = Vec::new();
        for error in errors(&checked) {
            prop_assert_eq!(error.code, Code::E042, "{:?}\n{}", error, world);
            let title = error.message.split('"').nth(1).expect("a title");
            let note = error.notes.iter().find_map(|note| note.strip_prefix("counterexample: ")).expect("a call");
            let (shown, gets) = note.split_once(" gets `").expect("an answer");
            let (call, environment) = witness::read(shown, &program);
            prop_assert!(broken(&call, &environment).iter().any(|one| one == title), "{note}\n{world}");
            let verdict = said(&policy, &call, &environment);
            let Verdict::Action(action) = verdict else { panic!("a conflict\n{world}") };
            prop_assert_eq!(format!("{action}`"), gets, "{}\n{}", note, world);
            failed.push(title.to_owned());
        }
        for (call, environment) in samples(&program, seed, 18) {
            for title in broken(&call, &environment) {
                let text = show(&call, &environment);
                prop_assert!(failed.contains(&title), "\"{title}\" is refuted by {text}, and not reported\n{world}");
            }
        }
    }

    /// A condition that a multiplexer passes by is reported: some arguments of the direct call get something stricter than the
    /// multiplexer, which runs.
    #[test]
    fn no_multiplexer_passes_by_a_condition_in_silence(numbers in numbers(), seed: u64) {
        let program = program(numbers, Shape { wild: false, ..EVERYTHING }, ROOT, None);
        let world = World::from(&program);
        let checked = world.check(&Options::default());
        let reported = checked.diagnostics.iter().any(|found| matches!(found.code, Code::E081 | Code::W024));
        let oracle = world.oracle();
        let policy = oracle.policy(ROOT);
        let mut stream = Stream(seed);
        let environment = sample::environment(&program, &mut stream);
        let gets = |call: &Call| match said(&policy, call, &environment) {
            Verdict::Action(action) => action,
            Verdict::Conflict { .. } => panic!("a conflict\n{world}"),
        };
        let calls = sample::calls(&program, &mut stream, 40);
        for &arch in policy.archs() {
            for multiplexer in Multiplexer::ALL {
                let Some(through) = multiplexer.nr(arch) else { continue };
                for (direct, first) in multiplexer.routes() {
                    let of = |nr: Option<Nr>| calls.iter().filter(move |call| call.arch == arch && Some(call.nr) == nr);
                    let answers: BTreeSet<Action> = of(direct.nr(arch)).map(gets).collect();
                    let Some(strictest) = answers.iter().min_by_key(|action| action.precedence()) else { continue };
                    let around = of(Some(through)).map(|call| {
                        let mut args = call.args;
                        args[0] = u64::from(first);
                        gets(&Call { args, ..*call })
                    });
                    let mut open = around.filter(|action| !action.refuses() && strictest.precedence() < action.precedence());
                    if answers.len() > 1 && let Some(action) = open.next() {
                        let name = direct.name();
                        prop_assert!(reported, "{name} gets {answers:?} on {arch}, {multiplexer:?} {action}\n{world}");
                    }
                }
            }
        }
    }

    /// `within` fails with a call that is wider here than there, or no call is.
    #[test]
    fn a_policy_is_within_another_or_wider_somewhere(ours in numbers(), theirs in numbers(), seed: u64) {
        let shape = Shape { wild: false, declared: false, ..EVERYTHING };
        let theirs_too = if seed % 3 == 0 { theirs } else {
            // Much the same policy: then it often is within.
            ours.iter().enumerate().map(|(at, &n)| if at + 20 > ours.len() { *theirs.get(at).unwrap_or(&n) } else { n }).collect()
        };
        let mut one = program(ours, shape, ROOT, None);
        let other = program(theirs_too, shape, "other.kpol", if seed % 2 == 0 { Some(&one.archs) } else { None });
        let mut world = World::from(&one);
        world.0.extend(World::from(&other).0);
        world.0.get_mut(ROOT).expect("a root").push_str("within \"other.kpol\"\n");
        one.calls.extend(other.calls.iter().cloned());
        one.caps.extend(other.caps.iter().cloned());
        one.kernels.extend(&other.kernels);
        for (place, edges) in &other.edges {
            one.edges.entry(place.clone()).or_default().extend(edges);
        }
        let checked = world.check(&Options::default());
        let oracle = world.oracle();
        let (here, there) = (oracle.policy(ROOT), oracle.policy("other.kpol"));
        let answers = |call: &Call, environment: &Environment| {
            [&here, &there].map(|policy| match said(policy, call, environment) {
                Verdict::Action(action) => action,
                Verdict::Conflict { .. } => panic!("a conflict\n{world}"),
            })
        };
        let mut wider = false;
        for error in errors(&checked) {
            prop_assert_eq!(error.code, Code::E043, "{:?}\n{}", error, world);
            let note = error.notes.iter().find(|note| note.contains("; there it gets `")).expect("a call");
            let (shown, gets) = note.split_once(" gets `").expect("an answer");
            let (call, environment) = witness::read(shown, &one);
            let [ours, theirs] = answers(&call, &environment);
            prop_assert!(!is_within(ours, theirs), "{note}\n{world}");
            prop_assert_eq!(format!("{ours}`; there it gets `{theirs}`"), gets, "{}\n{}", note, world);
            wider = true;
        }
        for (call, environment) in samples(&one, seed, 18) {
            let [ours, theirs] = answers(&call, &environment);
            let text = show(&call, &environment);
            prop_assert!(wider || is_within(ours, theirs), "{text} gets {ours} here, {theirs} there\n{world}");
        }
    }
}
