//! The library's effects on real kernels: a policy that refuses one stops every way to it that we know, and nothing but
//! that policy does.
//!
//! ```text
//! default allow   deny(4000) { @effect-connect }                                      no way connects
//! default allow   deny(4000) { @effect-connect except { sendto(flags & MSG_FASTOPEN) } }   sendto/fastopen connects
//! ```
//!
//! The ways (`effects/*.c`) were written down from manual pages and the kernel's source, the members of the groups from
//! the same by others. Here the two meet: a way that no member covers is a hole in the library, a member that no way
//! tries is a claim that nobody has tested.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{LazyLock, Mutex};

use kpol_compiler::diagram::{Function, Node, Store};
use kpol_compiler::driver::Format::Bpf;
use kpol_compiler::library;
use kpol_compiler::spec::{Action, Arch, Call, Environment, Nr, arch::X32_BIT};
use kpol_compiler::tables;
use kpol_grammar::ast::{Pattern, PatternKind, Statement, StatementKind};
use kpol_tests::Skip;
use kpol_tests::cbpf::{Filter, assemble::always};
use kpol_tests::effects::{Halves, Job, Made, Place, Said, Tried, run};
use kpol_tests::policy::{Built, text};
use kpol_tests::skip::or_skip;

#[path = "effects/attacked.rs"]
mod attacked;

/// Members that no kernel here has the code of, by ABI, and why. The ways to them are tried and must be refused all the same.
const NOT_HERE: &[(&str, &[Arch], &str)] = &[
    ("create_module", &[Arch::X86_64, Arch::X86], "gone since Linux 2.6"),
    ("uselib", &[Arch::X86_64], "a number without code on this ABI"),
    ("uselib", &[Arch::Arm], "not in a kernel for arm64"),
    ("pkey_mprotect", &[Arch::Aarch64, Arch::Arm], "arm64 has memory keys since Linux 6.12"),
    ("kexec_file_load", &[Arch::Aarch64, Arch::Arm], "not in Debian's kernel for arm64"),
    ("open_tree_attr", &[Arch::X32, Arch::Aarch64, Arch::Arm], "since Linux 6.15"),
    ("pciconfig_iobase", &[Arch::Arm], "not in a kernel for arm64"),
];

/// Patterns of a group, those of groups in it in their place. A group that is said differently on each ABI stays whole.
fn members(group: &str) -> Vec<String> {
    let text = library::group_file(group).unwrap().text;
    let (tree, _) = kpol_grammar::parse(text);
    let patterns = |statement: &Statement| match &statement.kind {
        StatementKind::Group { name, patterns } if name.text == group => Some(patterns.clone()),
        _ => None,
    };
    let Some(patterns): Option<Vec<Pattern>> = tree.statements.iter().find_map(patterns) else {
        return vec![group.to_owned()];
    };
    let mut all = Vec::new();
    for pattern in patterns {
        match &pattern.kind {
            PatternKind::Group(name) if pattern.except.is_empty() => all.extend(members(&name.text)),
            _ => all.push(text[pattern.span.range()].split_whitespace().collect::<Vec<_>>().join(" ")),
        }
    }
    all
}

/// `default allow`, and one more rule, which wins over the one that names the multiplexers: so they are known to pass by
/// conditions, which W024 says, and are refused where an effect has them.
fn policy(rule: &str, formats: &[kpol_compiler::driver::Format]) -> Built {
    let policy =
        format!("arch x86_64, x86, x32, aarch64, arm\ndefault allow\nallow {{ socketcall, ipc }}\noverride {rule}\n");
    text(&policy, formats).unwrap_or_else(|errors| panic!("{policy}{errors:#?}"))
}

/// A member of an effect, and what it covers.
struct Member {
    text: String,
    function: Function,
    store: Store,
}

impl Member {
    fn new(text: String) -> Self {
        let compiled = policy(&format!("deny(4000) {{ {text} }}"), &[]).compiled;
        Self { text, function: compiled.policy.function, store: compiled.store }
    }

    fn covers(&self, tried: &Tried) -> bool {
        tried.calls.iter().any(|made| {
            let node = self.function.at(made.call.arch, made.call.nr);
            let leaf = self.store.at(node, &Environment::default(), &made.call.args);
            Node::leaf(leaf).as_action() != Some(Action::Allow)
        })
    }

    /// Whether there is such a call on the ABI.
    fn is_on(&self, arch: Arch) -> bool {
        let numbers = tables::Syscall::all_of(arch).filter_map(|call| call.nr(arch));
        let other = Nr(if arch == Arch::X32 { X32_BIT | 9999 } else { 9999 });
        numbers.map(|nr| self.function.at(arch, nr)).any(|node| node != self.function.at(arch, other))
    }
}

struct Effect {
    /// Its own name and those of the effects in it, as in the names of ways: `connect`.
    parts: Vec<&'static str>,
    group: &'static str,
    members: Vec<Member>,
}

fn effects() -> Vec<Effect> {
    let all: Vec<_> =
        library::group_names().filter_map(|group| Some((group, group.strip_prefix("@effect-")?))).collect();
    let effect = |&(group, name): &(&'static str, &'static str)| {
        let mut patterns: Vec<String> = members(group);
        patterns.sort();
        patterns.dedup();
        let text = library::group_file(group).unwrap().text;
        let inner = all.iter().filter(|(other, _)| text.lines().any(|line| line.trim() == format!("{other},")));
        Effect {
            parts: std::iter::once(name).chain(inner.map(|(_, name)| *name)).collect(),
            group,
            members: patterns.into_iter().map(Member::new).collect(),
        }
    };
    all.iter().map(effect).collect()
}

/// The filter of a rule. All places use the same ones.
fn filter(rule: &str) -> Filter {
    static MADE: Mutex<BTreeMap<String, Filter>> = Mutex::new(BTreeMap::new());
    let made = MADE.lock().unwrap().get(rule).cloned();
    made.unwrap_or_else(|| {
        let filter = policy(rule, &[Bpf]).bpf().clone();
        MADE.lock().unwrap().insert(rule.to_owned(), filter.clone());
        filter
    })
}

/// What came of all ways of a place.
#[derive(Default, Clone)]
struct Report {
    /// What is not as it should be.
    wrong: Vec<String>,
    /// What could not be tried.
    lacks: Vec<String>,
    /// Members that the kernel's own code was reached by.
    tried: BTreeSet<(&'static str, String, Arch)>,
    /// Those by which the effect came about, on any ABI.
    done: BTreeSet<(&'static str, String)>,
    /// Those whose call the kernel answers with ENOSYS.
    unknown: BTreeSet<(&'static str, String, Arch)>,
}

/// A way under a filter: whether it is left open, and what it did without one.
struct Plan<'a> {
    open: bool,
    unfiltered: &'a Tried,
}

fn attack(place: Place, effects: &[Effect]) -> Result<Report, Skip> {
    let mut report = Report::default();
    // Without a filter: what each way does, and by which calls.
    let first = |arch: Arch| {
        let mut tries = vec![("all".to_owned(), Halves::Clean)];
        // Registers of other ABIs have no upper halves, or pointers are 32 bits of 64.
        if matches!(arch, Arch::X86_64 | Arch::Aarch64) {
            tries.push(("all".to_owned(), Halves::Dirty));
        }
        (arch, vec![Job { filter: always(Action::Allow), tries }])
    };
    let unfiltered = run(place, &place.abis().iter().map(|&arch| first(arch)).collect())?;

    let mut jobs: BTreeMap<Arch, Vec<Job>> = BTreeMap::new();
    let mut plans: BTreeMap<Arch, Vec<Vec<Plan<'_>>>> = BTreeMap::new();
    for (&arch, tried) in &unfiltered {
        let (jobs, plans) = (jobs.entry(arch).or_default(), plans.entry(arch).or_default());
        for tried in &tried[0] {
            let at = format!("{place:?}, {arch}: {} ({:?})", tried.way, tried.halves);
            match &tried.said {
                Said::Lacks(what) => report.lacks.push(format!("{at} lacks {what}")),
                _ if tried.is_unknown() => report.lacks.push(format!("{at}: no such call in this kernel")),
                _ if !tried.worked() => report.wrong.push(format!("{at} does not work without a filter: {tried:x?}")),
                _ if !effects.iter().any(|effect| effect.parts[0] == tried.effect()) => {
                    report.wrong.push(format!("{at} is for an effect that the library does not have"));
                }
                _ => {}
            }
        }
        for effect in effects {
            let mut closed = Vec::new();
            let mut opened: BTreeMap<String, Vec<Plan<'_>>> = BTreeMap::new();
            let ways = tried[0].iter().filter(|tried| effect.parts.contains(&tried.effect()));
            for tried in ways.filter(|tried| tried.worked() || tried.is_unknown()) {
                let covering: Vec<&Member> = effect.members.iter().filter(|member| member.covers(tried)).collect();
                if covering.is_empty() {
                    let way = format!("{place:?}, {arch}: {} ({:?})", tried.way, tried.halves);
                    report.wrong.push(format!("{way} is in no member of {}: {:x?}", effect.group, tried.calls));
                    continue;
                }
                let list = if tried.is_unknown() { &mut report.unknown } else { &mut report.tried };
                list.extend(covering.iter().map(|member| (effect.group, member.text.clone(), arch)));
                if tried.said == Said::Came {
                    report.done.extend(covering.iter().map(|member| (effect.group, member.text.clone())));
                }
                closed.push(Plan { open: false, unfiltered: tried });
                if !tried.is_unknown() {
                    let open: Vec<&str> = covering.iter().map(|member| &*member.text).collect();
                    opened.entry(open.join(", ")).or_default().push(Plan { open: true, unfiltered: tried });
                }
            }
            let closed = (format!("deny(4000) {{ {} }}", effect.group), closed);
            let opened = opened
                .into_iter()
                .map(|(open, plan)| (format!("deny(4000) {{ {} except {{ {open} }} }}", effect.group), plan));
            for (rule, plan) in std::iter::once(closed).chain(opened) {
                let filter = filter(&rule);
                let tries = plan.iter().map(|plan| (plan.unfiltered.way.clone(), plan.unfiltered.halves)).collect();
                jobs.push(Job { filter, tries });
                plans.push(plan);
            }
        }
    }

    let outcome = run(place, &jobs)?;
    for (arch, plans) in &plans {
        for (plan, tried) in plans.iter().zip(&outcome[arch]) {
            assert_eq!(plan.len(), tried.len(), "{place:?}, {arch}: a way was tried twice or not at all");
            for (plan, tried) in plan.iter().zip(tried) {
                if let Some(why) = judge(plan, tried) {
                    let way = format!("{place:?}, {arch}: {} ({:?})", tried.way, tried.halves);
                    report.wrong.push(format!("{way} {why}: {tried:x?}"));
                }
            }
        }
    }
    Ok(report)
}

/// What there is to say against a run of a way.
fn judge(plan: &Plan<'_>, tried: &Tried) -> Option<&'static str> {
    match (plan.open, &tried.said) {
        (_, Said::Broken(_) | Said::Lacks(_)) => Some("went wrong under the filter"),
        (false, Said::Came) => Some("brings the effect about, though it is refused"),
        (false, _) if !tried.was_refused() => Some("was not stopped by the filter"),
        (true, _) if tried.was_refused() => Some("is stopped, though it was left open"),
        (true, _) if !tried.worked() => Some("does not work, though it was left open"),
        _ => None,
    }
}

type Reports = BTreeMap<Place, Result<Report, Skip>>;

/// All places, tried at once when the first test asks.
static REPORTS: LazyLock<(Vec<Effect>, Reports)> = LazyLock::new(|| {
    let effects = effects();
    let reports = std::thread::scope(|scope| {
        let effects = &effects;
        let runs =
            [Place::Here, Place::X86, Place::Arm64].map(|place| (place, scope.spawn(move || attack(place, effects))));
        runs.into_iter().map(|(place, run)| (place, run.join().unwrap())).collect()
    });
    (effects, reports)
});

fn holds_on(place: Place) {
    let Some(report) = or_skip(REPORTS.1[&place].clone()) else { return };
    let wrong = report.wrong.join("\n");
    assert!(wrong.is_empty(), "{wrong}\n\nnot tried:\n{}", report.lacks.join("\n"));
}

#[test]
fn no_way_to_an_effect_gets_past_its_refusal_on_the_running_kernel() {
    holds_on(Place::Here);
}

#[test]
fn no_way_to_an_effect_gets_past_its_refusal_on_debians_x86_kernel() {
    holds_on(Place::X86);
}

#[test]
fn no_way_to_an_effect_gets_past_its_refusal_on_debians_arm64_kernel() {
    holds_on(Place::Arm64);
}

/// By each ABI that has it: a filter is another there.
#[test]
fn every_member_of_an_effect_has_a_way_that_tries_it() {
    let (effects, reports) = &*REPORTS;
    let reports: Option<Vec<Report>> = reports.values().map(|report| or_skip(report.clone())).collect();
    let Some(reports) = reports else { return };
    let abis = [Arch::X86_64, Arch::X86, Arch::X32, Arch::Aarch64, Arch::Arm];
    let mut wrong = String::new();
    for effect in effects {
        for member in &effect.members {
            let key = |arch| (effect.group, member.text.clone(), arch);
            for arch in abis.into_iter().filter(|&arch| member.is_on(arch)) {
                let tried = reports.iter().any(|report| report.tried.contains(&key(arch)));
                let unknown = reports.iter().any(|report| report.unknown.contains(&key(arch)));
                let listed = NOT_HERE
                    .iter()
                    .any(|(head, abis, _)| member.text.split('(').next() == Some(head) && abis.contains(&arch));
                let at = format!("{}: `{}` on {arch}", effect.group, member.text);
                match (tried, unknown, listed) {
                    (true, _, false) | (false, true, true) => {}
                    (true, _, true) => wrong += &format!("{at} is tried, so it need not be listed\n"),
                    (false, true, false) => wrong += &format!("{at}: no kernel here has the call\n"),
                    (false, false, _) => wrong += &format!("{at}: no way tries it\n"),
                }
            }
        }
    }
    // The page of the effects says of which members nobody has seen the effect.
    let page = include_str!("../../docs/effects.md");
    let (_, said) = page.split_once("**Reached, not done**").unwrap();
    let plain = |text: &str| text.replace([' ', '\n'], "").replace(",}", "}").replace(",)", ")");
    let said: BTreeSet<String> = said.split("\n\n").next().unwrap().split('`').skip(1).step_by(2).map(plain).collect();
    let reached = |key: &(&'static str, String)| !reports.iter().any(|report| report.done.contains(key));
    let tried: BTreeSet<(&str, String)> =
        reports.iter().flat_map(|report| &report.tried).map(|(group, member, _)| (*group, member.clone())).collect();
    for (group, member) in tried.into_iter().filter(|key| reached(key)) {
        if !said.contains(&plain(&member)) {
            wrong += &format!("{group}: `{member}` is reached and not done, and docs/effects.md does not say so\n");
        }
    }
    // The running kernel may be newer than Debian's, and do more.
    let places = [Place::X86, Place::Arm64].map(|place| or_skip(REPORTS.1[&place].clone()).unwrap_or_default());
    let done: BTreeSet<_> = places.iter().flat_map(|report| &report.done).collect();
    let groups = |member: &str| done.iter().filter(|done| plain(&done.1) == member).count();
    let members = |member: &str| {
        effects.iter().filter(|effect| effect.members.iter().any(|own| plain(&own.text) == member)).count()
    };
    for member in said {
        if groups(&member) >= members(&member) {
            wrong += &format!("`{member}` is not only reached: docs/effects.md need not list it\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    for (call, abis, why) in NOT_HERE {
        let abis: Vec<_> = abis.iter().map(|arch| arch.name()).collect();
        println!("not reached: {call} on {}: {why}", abis.join(", "));
    }
}

#[test]
fn a_way_is_judged_by_what_it_did() {
    let tried = |result: Option<i64>, said: Said| Tried {
        way: "connect/x".into(),
        halves: Halves::Clean,
        calls: vec![Made { call: Call { arch: Arch::X86_64, nr: Nr(42), args: [0; 6] }, result }],
        said,
    };
    let unfiltered = tried(Some(0), Said::Came);
    let closed = Plan { open: false, unfiltered: &unfiltered };
    let open = Plan { open: true, unfiltered: &unfiltered };
    let (refused, let_go) = (tried(Some(-4000), Said::Absent), tried(Some(0), Said::Came));
    assert_eq!(judge(&closed, &refused), None);
    assert_eq!(judge(&open, &let_go), None);
    assert!(judge(&closed, &let_go).is_some_and(|why| why.contains("brings the effect about")));
    assert!(judge(&open, &refused).is_some_and(|why| why.contains("is stopped")));
    // Neither an effect nor the filter's answer: the filter did not see the way.
    assert!(judge(&closed, &tried(Some(-1), Said::Absent)).is_some_and(|why| why.contains("not stopped")));
    assert!(judge(&open, &tried(Some(-1), Said::Absent)).is_some_and(|why| why.contains("does not work")));
    // Another errno than the one foretold is not the kernel's own code.
    assert_eq!(judge(&open, &tried(Some(-22), Said::Reaches(22))), None);
    assert!(judge(&open, &tried(Some(-38), Said::Reaches(22))).is_some());
}
