//! What runtimes do to a file, said at the place in the policy that it comes from.
//!
//! ```text
//! kill { listns, mseal }        E057   libseccomp 2.5.4 drops both names, and such calls are allowed
//! flags { log }                 W027   runc 1.1.5 takes no flags: no container starts
//! default kill                  W028   runc answers ENOSYS above number 437: call 600 lives on
//! ```

use std::collections::BTreeMap;

use kpol_grammar::ast::StatementKind;

use super::{arch_place, default_place, place_of_name};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::driver::Compiled;
use crate::oci::runtime::{Field, Refused, Release, Stack, Stub};
use crate::oci::{self, WriteError};
use crate::spec::Action;
use crate::tables;

/// A pattern, and the runtimes that drop names of it.
type Place<'a> = (Span, &'a [Stack]);

/// A name that is dropped, the first library that has it, and what its calls get.
type Name = (&'static str, Option<Release>, Action);

/// One finding a pattern, however many of its names are dropped.
pub(super) fn dropped(compiled: &Compiled, errors: &[WriteError]) -> Vec<Diagnostic> {
    let mut by_place: BTreeMap<Place<'_>, Vec<Name>> = BTreeMap::new();
    for error in errors {
        if let WriteError::Dropped { name, needs, stacks, default } = error {
            let place = place_of_name(compiled, name);
            by_place.entry((place, stacks)).or_default().push((name, *needs, *default));
        }
    }
    by_place.into_iter().map(|(place, calls)| of_place(place, &calls)).collect()
}

fn of_place((place, stacks): Place<'_>, calls: &[Name]) -> Diagnostic {
    let names: Vec<&str> = calls.iter().map(|&(name, ..)| name).collect();
    // The release that has all of them, if there is one.
    let needs: Option<Vec<Release>> = calls.iter().map(|&(_, needs, _)| needs).collect();
    let needs = needs.and_then(|all| all.into_iter().max());
    let default = calls.first().map_or(Action::Allow, |&(.., default)| default);
    let text = oci::dropped(&names, needs, stacks, default);
    let (what, how) = text.split_once("; ").unwrap_or((&text, ""));
    Diagnostic::new(Code::E057, place, what).help(how)
}

/// What a named runtime does not take, and where it lets live what the policy ends.
pub(super) fn warnings(compiled: &Compiled, under: &oci::Under) -> Vec<Diagnostic> {
    if !under.stack.named {
        return Vec::new();
    }
    let mut warnings: Vec<Diagnostic> =
        under.refused.iter().map(|refused| not_taken(compiled, &under.stack, refused)).collect();
    warnings.extend(lives_on(compiled, under));
    warnings
}

fn not_taken(compiled: &Compiled, stack: &Stack, refused: &Refused) -> Diagnostic {
    let place = match &refused.field {
        Field::Flags => flags_place(compiled),
        Field::Arch => arch_place(compiled),
        Field::Entry(name) => place_of_name(compiled, name),
        Field::Listener => listener_place(compiled),
        Field::Default | Field::Conditions => default_place(compiled),
    };
    let runtime = stack.runtime;
    let what = &refused.what;
    let message = if refused.fatal {
        format!("{runtime} does not take {what}: no container starts")
    } else {
        format!("{runtime} does not read {what}")
    };
    let help = match &refused.since {
        Some(since) => format!("{} {since} and later do", runtime.kind.name()),
        None => "no release does".to_owned(),
    };
    Diagnostic::new(Code::W027, place, message).help(help)
}

/// The default ends the process, and runc's own program answers ENOSYS.
fn lives_on(compiled: &Compiled, under: &oci::Under) -> Option<Diagnostic> {
    let default = compiled.policy.default;
    let ends = matches!(default, Action::KillProcess | Action::KillThread | Action::Trap(_));
    if !ends || under.stubs.is_empty() {
        return None;
    }
    let message = format!("{} {}, where the policy says `{default}`", under.stack.runtime, stubs(&under.stubs));
    Some(
        Diagnostic::new(Code::W028, default_place(compiled), message)
            .help("such calls do not run, but the process lives on; raw BPF, or crun, ends it"),
    )
}

/// "answers ENOSYS above number 437 (`openat2`) on x86_64".
pub fn stubs(stubs: &[Stub]) -> String {
    let place = |stub: &Stub| {
        let name = tables::syscall_at(stub.arch, stub.above).map(tables::Syscall::name);
        let name = name.map_or_else(String::new, |name| format!(" (`{name}`)"));
        format!("{}{name} on {}", stub.above.0, stub.arch)
    };
    let places: Vec<String> = stubs.iter().map(place).collect();
    match places.as_slice() {
        [] => String::new(),
        [one] => format!("answers ENOSYS above number {one}"),
        [first @ .., last] => format!("answers ENOSYS above number {} and {last}", first.join(", ")),
    }
}

/// Where the flags are named.
fn flags_place(compiled: &Compiled) -> Span {
    statement_place(compiled, |kind| matches!(kind, StatementKind::Flags(_)))
}

/// Where the listener is.
fn listener_place(compiled: &Compiled) -> Span {
    statement_place(compiled, |kind| matches!(kind, StatementKind::Listener { .. }))
}

/// The first statement of a kind; the default where there is none.
fn statement_place(compiled: &Compiled, wanted: impl Fn(&StatementKind) -> bool) -> Span {
    let files = compiled.graph.files.iter();
    let mut statements = files.flat_map(|file| file.tree.statements.iter().map(move |statement| (file.id, statement)));
    let found = statements.find(|(_, statement)| wanted(&statement.kind));
    found.map_or_else(|| default_place(compiled), |(file, statement)| Span { file, bytes: statement.span })
}
