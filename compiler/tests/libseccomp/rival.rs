//! Length and speed of our programs beside the library's, on policies that nobody chose.
//!
//! The library has two ways to write a filter: a list of all calls, which is short, and a binary tree, which is fast. Ours for
//! size is set against the one, the balanced one against the other.

use super::program::{real, with_plain_calls};
use super::*;

use kpol_compiler::bpf::{self, Goal, Program, SeccompData, Weights};
use kpol_compiler::diagram::Node;
use kpol_compiler::oci::runtime;

/// What a program takes.
#[derive(Debug, Clone, Copy, Default)]
struct Taken {
    instructions: f64,
    /// Executed by the calls that are expected.
    expected: f64,
    /// Executed by each of the first numbers.
    even: f64,
}

impl Taken {
    fn of(program: &Program, host: Arch) -> Self {
        let steps = |nr, args| {
            let data = SeccompData::from_parts(nr, host.audit_token(), host.is_big_endian(), args);
            bpf::run(program, &data).unwrap().steps as f64
        };
        let calls = Weights::default().calls(host);
        let total: f64 = calls.iter().map(|(_, call)| call.weight).sum();
        let expected: f64 = calls.iter().map(|(nr, call)| call.weight * steps(nr.0, call.args)).sum();
        let even: f64 = (0..480).map(|nr| steps(nr, [0; 6])).sum();
        Self { instructions: program.len() as f64, expected: expected / total, even: even / 480.0 }
    }

    fn each(self, other: Self, of: impl Fn(f64, f64) -> f64) -> [f64; 3] {
        [of(self.instructions, other.instructions), of(self.expected, other.expected), of(self.even, other.even)]
    }

    fn add(&mut self, other: Self) {
        let [instructions, expected, even] = self.each(other, |sum, more| sum + more);
        *self = Self { instructions, expected, even };
    }
}

/// One way to write a program beside one of the library's.
struct Race {
    goal: Goal,
    /// Of `SCMP_FLTATR_CTL_OPTIMIZE`.
    level: u32,
    ours: Taken,
    theirs: Taken,
    /// Policies for which ours has more instructions.
    longer: usize,
}

impl Race {
    fn new(goal: Goal, level: u32) -> Self {
        Self { goal, level, ours: Taken::default(), theirs: Taken::default(), longer: 0 }
    }
}

/// A policy of what a profile says, with its rules one by one; `None` where the library does something else.
fn said(store: &mut Store, profile: &Profile, host: Arch, release: Option<Release>) -> Option<Policy> {
    let loaded = load(store, profile, host, release, Dialect::Containers).unwrap();
    if !(loaded.undetermined.is_empty() && loaded.merged.is_empty() && loaded.faults.is_empty()) {
        return None;
    }
    let mut policy = policy(loaded.function);
    for (call, rule) in &loaded.handed.rules {
        for (nr, rule) in runtime::on_arch(*call, host, rule) {
            let alone = std::slice::from_ref(&rule);
            let alone = runtime::combine(store, host, loaded.handed.default, alone, release).node;
            let set = store.where_action(alone, &|action| action == rule.action);
            policy.said.entry((host, nr)).or_default().push((set, rule.action));
        }
    }
    let as_said = policy.said.iter().all(|(&(arch, nr), said)| {
        let default = Node::action(policy.default);
        let all = said.iter().rev().fold(default, |all, &(set, action)| store.ite(set, Node::action(action), all));
        policy.function.at(arch, nr) == all
    });
    as_said.then_some(policy)
}

/// Ours for size is no longer than a list, but for one policy in thousands, and the balanced one no longer than a tree, but for one
/// in forty and by an instruction or two. Neither is slower for any policy, to five in a hundred, and both are far faster for
/// most.
#[test]
fn ours_is_no_longer_and_no_slower() {
    let Some(library) = Libseccomp::open() else { return };
    let mut races = [Race::new(Goal::Size, 1), Race::new(Goal::Balanced, 2)];
    let mut compared = 0;
    for (host, _) in hosts() {
        let mut random = Random(0xfa57 ^ (host as u64 + 1));
        for case in 0..cases() {
            let json = if case % 2 == 0 { profile(&mut random, &[], 8) } else { alike(&mut random, &[]) };
            let json = with_plain_calls(&mut random, &json, 40);
            let profile = read(json.as_bytes()).unwrap();
            let mut store = Store::default();
            let Some(policy) = said(&mut store, &profile, host, Some(library.release_number())) else { continue };
            let theirs = races.each_ref().map(|race| real(&library, &profile, host, race.level));
            let [Some(list), Some(tree)] = theirs else { continue };
            compared += 1;
            for (race, theirs) in races.iter_mut().zip([list, tree]) {
                let aim = bpf::Aim { goal: race.goal, ..bpf::Aim::default() };
                let ours = bpf::write(&mut store, &policy, &aim).unwrap();
                let [ours, theirs] = [&ours, &theirs].map(|program| Taken::of(program, host));
                let [length, expected, even] = ours.each(theirs, |ours, theirs| ours / theirs);
                let few = ours.instructions - theirs.instructions < 4.0;
                assert!(expected < 1.05 && even < 1.05 && (length < 1.15 || few), "{ours:?} by {theirs:?}: {json}");
                race.longer += usize::from(length > 1.0);
                race.ours.add(ours);
                race.theirs.add(theirs);
            }
        }
    }
    for race in &races {
        let ratios = race.ours.each(race.theirs, |ours, theirs| ours / theirs);
        eprintln!(
            "{compared} programs, {:?} by the library's at level {}: {ratios:.3?} of length, expected and even; {} longer",
            race.goal, race.level, race.longer
        );
        assert!(ratios.iter().all(|&ratio| ratio < 0.9));
    }
    let [size, balanced] = races.map(|race| race.longer as f64 / compared as f64);
    assert!(compared > cases() && size < 0.002 && balanced < 0.05, "longer: {size} and {balanced}");
}
