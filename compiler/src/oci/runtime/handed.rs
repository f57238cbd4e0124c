//! What a runtime hands to libseccomp: rules, in its order.

use std::collections::{BTreeMap, BTreeSet};

use super::Release;
use super::rules::{number, on_arch};
use crate::bpf::Program;
use crate::diagram::Node;
use crate::oci::libseccomp::{self, Failure, Filter, Number};
use crate::oci::profile::Arg;
use crate::spec::multiplex::{self, Multiplexer};
use crate::spec::{Action, Arch, Nr};
use crate::tables;

/// A rule as the runtime hands it to libseccomp for one number.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The surroundings in which it is there at all (a set).
    pub when: Node,
    /// Its conditions, all of which must hold, each on an argument of its own.
    pub args: Vec<Arg>,
    /// Its action.
    pub action: Action,
}

/// The rules of one ABI by number, each number with a name that led to it.
#[derive(Debug)]
pub struct Calls<'a> {
    /// Sorted; a number stands once for each of its rules.
    keys: Vec<(Nr, &'a str)>,
    rules: Vec<Rule>,
}

impl<'a> Calls<'a> {
    /// The rules of a number stay in their order.
    pub(super) fn new(mut rules: Vec<(Nr, &'a str, Rule)>) -> Self {
        rules.sort_by_key(|&(nr, ..)| nr);
        let (keys, rules) = rules.into_iter().map(|(nr, name, rule)| ((nr, name), rule)).unzip();
        Self { keys, rules }
    }

    /// Each number, its first name and its rules.
    pub fn iter(&self) -> impl Iterator<Item = (Nr, &'a str, &[Rule])> {
        let mut end = 0;
        self.keys.chunk_by(|(one, _), (other, _)| one == other).map(move |keys| {
            let start = end;
            end += keys.len();
            (keys[0].0, keys[0].1, &self.rules[start..end])
        })
    }

    /// The rules of all numbers.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
}

/// What a runtime hands to libseccomp, in its order.
#[derive(Debug, Clone)]
pub struct Handed {
    /// The ABIs, also those of other hosts.
    pub archs: Vec<Arch>,
    /// The library's release; `None` is the newest.
    pub release: Option<Release>,
    /// What is left to no rule.
    pub default: Action,
    /// The calls by name and their rules.
    pub rules: Vec<(tables::Syscall, Rule)>,
}

impl Handed {
    /// Whether rules of a call without a number contradict each other, on some ABI: the library keeps them under a number of its
    /// own, and refuses them like others. Rules of two actions are taken for a contradiction.
    pub(super) fn contradicts_nowhere(&self, host: Arch) -> bool {
        let mut actions: BTreeMap<tables::Syscall, Action> = BTreeMap::new();
        let archs: Vec<Arch> = self.archs.iter().copied().filter(|arch| arch.native() == host).collect();
        self.rules.iter().any(|(call, rule)| {
            let nowhere = archs.iter().any(|&arch| number(*call, arch, self.release).is_none());
            nowhere && *actions.entry(*call).or_insert(rule.action) != rule.action
        })
    }

    /// Calls whose arguments no entry looks at, nine of ten: they share no tests with others, and the program does the same
    /// with these others without them.
    ///
    /// But one of them stays: by its test the number is loaded, whatever else is forgotten (`Fault::Unloaded`). And so do
    /// those that an ABI has no number of its own for.
    pub fn left_out(&self) -> BTreeSet<tables::Syscall> {
        let mut plain: BTreeSet<_> = self.rules.iter().map(|&(call, _)| call).collect();
        plain.retain(|&call| {
            let reached_otherwise = multiplex::other_way(call).is_some() || Multiplexer::of(call).is_some();
            !reached_otherwise && self.archs.iter().all(|&arch| number(call, arch, self.release).is_some())
        });
        for (call, _) in self.rules.iter().filter(|(_, rule)| !rule.args.is_empty()) {
            plain.remove(call);
        }
        let always = self.rules.iter().find(|(call, rule)| plain.contains(call) && rule.when == Node::TRUE);
        if let Some((call, _)) = always {
            plain.remove(call);
        }
        plain
    }

    /// The library's program of those rules that are given, one by one.
    pub fn program(&self, given: &[bool]) -> Result<Program, Failure> {
        let mut filters: Vec<Filter> = self.archs.iter().map(|&arch| Filter::new(arch)).collect();
        for ((call, rule), _) in self.rules.iter().zip(given).filter(|(_, given)| **given) {
            for filter in &mut filters {
                let arch = filter.arch();
                let has = |nr: &Nr| Some(*nr) != call.nr(arch) || number(*call, arch, self.release).is_some();
                for (nr, rule) in on_arch(*call, arch, rule).filter(|(nr, _)| has(nr)) {
                    filter.add(Number::Real(nr.0), &rule.args, rule.action)?;
                }
                // `abi_rule_add` (`src/syscalls.c`) drops names that the ABI lacks, unless a multiplexer reaches them; ABIs
                // without one keep them all.
                let kept = || {
                    Multiplexer::ALL.iter().all(|multiplexer| multiplexer.nr(arch).is_none())
                        || multiplex::other_way(*call).is_some_and(|(multiplexer, _)| multiplexer.nr(arch).is_some())
                };
                if number(*call, arch, self.release).is_none() && kept() {
                    filter.add(Number::Pseudo(call.name()), &rule.args, rule.action)?;
                }
            }
        }
        libseccomp::program(&filters, self.default)
    }
}
