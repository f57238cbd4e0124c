//! `assert` and `within`: statements about the finished policy, proven for every call.
//!
//! ```text
//! assert "AF_ALG stays shut" { deny { socket(family == AF_ALG) } }
//!     calls of the pattern  ∩  calls that get something else  =  ∅,   or any path of it is the counterexample
//! ```
//!
//! INVARIANT: what cannot be looked at is not proven. A table that is missing is an error (E099), never "nothing wrong".

use rustc_hash::FxHashMap;

use super::build::{decided_at, name, places};
use super::{Policy, witness};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::diagram::{Cube, Function, Leaf, Node, Store};
use crate::resolve::{Assertion, Guard, Resolved, Sink};
use crate::source::graph::Graph;
use crate::spec::multiplex::Multiplexer;
use crate::spec::{Action, Arch, Nr, Wanted};
use crate::tables::Syscall;

/// Of a function the calls that get what they must not: asserts ask for the same ones again and again.
type Wrongs = FxHashMap<(Node, Wanted), Node>;

/// Proves every `assert`, or reports it with a call that refutes it, unless the policy waives it. Answers for each waiver of
/// the policy whether it was needed.
pub fn assertions(
    resolved: &Resolved,
    graph: &Graph,
    policy: &Policy,
    store: &mut Store,
    sink: &mut Sink,
) -> Vec<bool> {
    let mut wrongs = Wrongs::default();
    let mut needed = vec![false; policy.waivers.len()];
    for assertion in &resolved.assertions {
        if let Some(diagnostic) = refute(assertion, resolved, graph, policy, store, &mut wrongs) {
            match policy.waivers.iter().position(|waiver| waiver.covers(assertion)) {
                // What has not been looked at (E099) nobody can waive.
                Some(waiver) if diagnostic.code == Code::E042 => needed[waiver] = true,
                // Several statements of one assert may fail, each in its own place.
                _ => sink.push(diagnostic),
            }
        }
    }
    needed
}

fn refute(
    assertion: &Assertion,
    resolved: &Resolved,
    graph: &Graph,
    policy: &Policy,
    store: &mut Store,
    wrongs: &mut Wrongs,
) -> Option<Diagnostic> {
    for &arch in policy.archs.iter().filter(|arch| assertion.archs.has(**arch)) {
        let (Some(promise), Some(table)) = (assertion.promises.get(&arch), policy.function.tables.get(&arch)) else {
            return Some(unproven(assertion.span, format!("the assertion \"{}\"", assertion.title), arch));
        };
        let hidden = promise.hidden.iter().filter_map(|call| Some((call, promise.wanted_hidden?, true)));
        let plain = promise.calls.iter().map(|call| (call, promise.wanted, false));
        for ((&nr, member), wanted, hidden) in plain.chain(hidden) {
            let node = table.at(nr);
            let wrong = *wrongs
                .entry((node, wanted))
                .or_insert_with(|| store.where_action(node, &|action| !wanted.is_kept_by(action)));
            let wrong = store.and(wrong, member.set);
            let Some((cube, _)) = store.witness(wrong, &|leaf| leaf == Leaf::True) else { continue };
            let (gets, text) = describe(resolved, policy, store, arch, nr, &cube);
            let call = name(resolved, arch, nr).unwrap_or("this call");
            let mut diagnostic =
                Diagnostic::new(Code::E042, assertion.span, format!("the assertion \"{}\" fails", assertion.title))
                    .label(format!("`{call}` gets `{gets}`{}", under_which(wanted, gets)))
                    .note(format!("counterexample: {text} gets `{gets}`"));
            if let Some((multiplexer, reached)) = hidden.then(|| behind(arch, nr, &cube)).flatten() {
                let (call, reached, way) = (multiplexer.call().name(), reached.name(), multiplexer.pattern(reached));
                diagnostic = diagnostic
                    .note(format!("it does what `{reached}` does with arguments in memory, where no filter looks"))
                    .help(format!("refuse `{call}` as well: `deny(ENOSYS) {{ {way} }}`"));
                return Some(with_includes(
                    with_decision(diagnostic, resolved, graph, store, arch, nr, &cube),
                    assertion,
                    graph,
                ));
            }
            diagnostic = with_decision(diagnostic, resolved, graph, store, arch, nr, &cube);
            diagnostic = with_includes(diagnostic, assertion, graph);
            let help = if graph.files.first().is_some_and(|root| root.id == assertion.span.file) {
                "change the rule that decides this call, or the assertion if it asks too much".to_owned()
            } else {
                let title = &assertion.title;
                format!(
                    "change the rule that decides this call; where it is meant so: `waive \"{title}\" because \"…\"`"
                )
            };
            return Some(diagnostic.help(help));
        }
    }
    None
}

fn with_includes(mut diagnostic: Diagnostic, assertion: &Assertion, graph: &Graph) -> Diagnostic {
    for span in graph.chain(assertion.span.file) {
        diagnostic = diagnostic.related(span, "this include brings the assertion");
    }
    diagnostic
}

/// The multiplexer that a call is, and what the cube has it do.
fn behind(arch: Arch, nr: Nr, cube: &Cube) -> Option<(Multiplexer, Syscall)> {
    let multiplexer = Multiplexer::ALL.into_iter().find(|multiplexer| multiplexer.nr(arch) == Some(nr))?;
    Some((multiplexer, multiplexer.reached(arch, cube.args[0].value)?))
}

/// What becomes of a call that gets `gets`, where that is not plain.
fn under_which(wanted: Wanted, gets: Action) -> &'static str {
    match (wanted, gets) {
        (Wanted::Refused, Action::Log) => ", under which the call runs",
        (Wanted::Refused, Action::Trace(_)) => ", under which the call runs if a tracer lets it",
        (Wanted::Refused, Action::Notify) => ", under which the call runs if the listener lets it",
        (Wanted::Runs, _) => ", under which the call does not run",
        _ => "",
    }
}

/// A mistake of kpolc's own: something to be proven of an ABI, and nothing to prove it of.
fn unproven(span: Span, what: String, arch: Arch) -> Diagnostic {
    Diagnostic::new(Code::E099, span, format!("internal error: {what} has not been looked at on {arch}"))
        .help("please report this, with the policy")
}

/// What a call of the cube gets, and the call in words.
fn describe(resolved: &Resolved, policy: &Policy, store: &Store, arch: Arch, nr: Nr, cube: &Cube) -> (Action, String) {
    let (call, environment) = witness::call(arch, nr, cube);
    let gets = match store.at(policy.function.at(arch, nr), &environment, &call.args) {
        Leaf::Act(action) => action,
        Leaf::False | Leaf::True => Function::FOREIGN,
    };
    (gets, witness::describe(arch, nr, name(resolved, arch, nr), cube))
}

fn with_decision(
    mut diagnostic: Diagnostic,
    resolved: &Resolved,
    graph: &Graph,
    store: &Store,
    arch: Arch,
    nr: Nr,
    cube: &Cube,
) -> Diagnostic {
    let (call, environment) = witness::call(arch, nr, cube);
    if let Some((span, via)) = decided_at(resolved, store, arch, nr, &environment, &call.args) {
        let words = if via.is_some() { "this rule decides it" } else { "the default decides it" };
        diagnostic = diagnostic.related(span, words);
        if let Some(via) = via {
            diagnostic.related.extend(places(resolved, graph, arch, nr, via));
        }
    }
    diagnostic
}

/// The other side of a `within`.
pub struct Other<'a> {
    /// As the statement names it.
    pub name: &'a str,
    /// Its function, in the same store.
    pub function: &'a Function,
}

/// Proves that `policy` is nowhere wider than `other`, or tells a call where it is.
#[allow(clippy::too_many_arguments, reason = "a judgement about all of these; no two belong together")]
pub fn within(
    span: Span,
    guard: Guard,
    other: &Other<'_>,
    resolved: &Resolved,
    graph: &Graph,
    policy: &Policy,
    store: &mut Store,
) -> Option<Diagnostic> {
    for &arch in policy.archs.iter().filter(|arch| guard.archs.has(**arch)) {
        let Some(ours) = policy.function.tables.get(&arch) else {
            return Some(unproven(span, format!("`within` of `{}`", other.name), arch));
        };
        let foreign = crate::diagram::Table::new(Node::action(Function::FOREIGN), &Default::default());
        let theirs = other.function.tables.get(&arch).unwrap_or(&foreign);
        let mut found: Option<(Nr, Cube)> = None;
        ours.zip(theirs, |numbers, our, their| {
            // Numbers that are not this ABI's are shown to no filter under its name.
            let Some(nr) = numbers.map(Nr).find(|&nr| arch.owns(nr)).filter(|_| found.is_none() && our != their) else {
                return;
            };
            let wider = store.wider(our, their);
            let wider = store.and(wider, guard.environment);
            found = store.witness(wider, &|leaf| leaf == Leaf::True).map(|(cube, _)| (nr, cube));
        });
        let Some((nr, cube)) = found else { continue };
        let (gets, text) = describe(resolved, policy, store, arch, nr, &cube);
        let (call, environment) = witness::call(arch, nr, &cube);
        let there = match store.at(other.function.at(arch, nr), &environment, &call.args) {
            Leaf::Act(action) => action,
            Leaf::False | Leaf::True => Function::FOREIGN,
        };
        let mut diagnostic = Diagnostic::new(Code::E043, span, format!("this policy is not within `{}`", other.name))
            .label(format!("`{there}` there, `{gets}` here"))
            .note(format!("{text} gets `{gets}`; there it gets `{there}`"));
        if !other.function.tables.contains_key(&arch) {
            diagnostic =
                diagnostic.note(format!("`{}` does not list {arch}: there its calls end the process", other.name));
        }
        diagnostic = with_decision(diagnostic, resolved, graph, store, arch, nr, &cube);
        return Some(diagnostic.help("make this policy stricter there, or the other one wider"));
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use std::path::Path;

    use super::*;
    use crate::driver::{self, Compiled, Options};
    use crate::source::Memory;

    /// A policy on two ABIs whose asserts hold.
    fn sound() -> Compiled {
        let mut memory = Memory::default();
        memory.insert(
            "p.kpol",
            "default deny\nallow { @default }\nassert \"quiet\" { refused { connect } }\nwithin \"wide.kpol\"\n",
        );
        memory.insert("wide.kpol", "default deny\nallow { @known }\n");
        let checked = driver::check(&memory, Path::new("p.kpol"), &Options::default(), &[]);
        assert!(checked.diagnostics.is_empty(), "{:?}", checked.diagnostics);
        checked.compiled.unwrap()
    }

    fn of_assertions(compiled: &mut Compiled) -> Vec<(Code, String)> {
        let mut sink = Sink::default();
        assertions(&compiled.resolved, &compiled.graph, &compiled.policy, &mut compiled.store, &mut sink);
        sink.diagnostics.into_iter().map(|found| (found.code, found.message)).collect()
    }

    #[test]
    fn an_assertion_without_a_table_is_not_proven() {
        let mut compiled = sound();
        assert_eq!(of_assertions(&mut compiled), []);
        compiled.policy.function.tables.remove(&Arch::Aarch64);
        let message = "internal error: the assertion \"quiet\" has not been looked at on aarch64";
        assert_eq!(of_assertions(&mut compiled), [(Code::E099, message.to_owned())]);
    }

    #[test]
    fn nobody_can_waive_what_is_not_proven() {
        let mut compiled = sound();
        let assertion = &compiled.resolved.assertions[0];
        compiled.policy.waivers.push(crate::policy::Waiver {
            title: assertion.title.clone(),
            reason: "none".to_owned(),
            asserted_by: "p.kpol".to_owned(),
            file: assertion.title_span.file,
            span: assertion.title_span,
        });
        compiled.policy.function.tables.remove(&Arch::Aarch64);
        assert!(matches!(of_assertions(&mut compiled)[..], [(Code::E099, _)]));
    }

    #[test]
    fn an_assertion_without_its_calls_is_not_proven() {
        let mut compiled = sound();
        compiled.resolved.assertions[0].promises.remove(&Arch::X86_64);
        let message = "internal error: the assertion \"quiet\" has not been looked at on x86_64";
        assert_eq!(of_assertions(&mut compiled), [(Code::E099, message.to_owned())]);
    }

    #[test]
    fn within_without_a_table_is_not_proven() {
        let Compiled { mut store, mut policy, resolved, graph, .. } = sound();
        let wide = policy.function.clone();
        policy.function.tables.remove(&Arch::X86_64);
        let (span, guard) = (resolved.withins[0].span, resolved.withins[0].guard);
        let other = Other { name: "wide.kpol", function: &wide };
        let found = within(span, guard, &other, &resolved, &graph, &policy, &mut store).unwrap();
        assert_eq!(found.code, Code::E099);
    }
}
