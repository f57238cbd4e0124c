//! An answer about a call in words, and for programs.

use std::fmt::Write as _;
use std::io::IsTerminal as _;

use kpol_compiler::answer::call::{self, Question, Subject, Whose};
use kpol_compiler::answer::why::{Decision, Outcome};
use kpol_compiler::answer::words::{Case, Cases};
use kpol_compiler::diagnostic::Label;
use kpol_compiler::diagnostic::render::terminal::{self, Style};
use kpol_compiler::driver::load::{Filter, Form};
use kpol_compiler::policy::witness;
use kpol_compiler::source::Sources;
use kpol_compiler::spec::{Action, Arch, register};
use kpol_compiler::tables;
use serde_json::{Value, json};

use super::ask::{Answer, written};
use crate::filters::list;
use crate::ui::{Format, Ui, printable};

/// At most so many changes are told.
const CHANGES: usize = 4;

/// The answer where the ABI is none of the filter's.
pub fn foreign(ui: &Ui, arch: Arch, action: &str, file: &str, served: &str) -> String {
    if ui.format == Format::Json {
        let value = json!({ "answers": [{ "archs": [arch.name()], "outcomes": [{ "action": action }] }] });
        return format!("{value:#}\n");
    }
    let served = if served.is_empty() { "no architecture" } else { served };
    format!("{action} on {arch}: {} tells the calls of {served} apart, and no others\n", printable(file))
}

/// For a person.
pub fn human(
    ui: &Ui,
    asked: &str,
    question: &Question,
    answers: &[Answer],
    filter: &Filter,
    sources: &Sources,
) -> String {
    let style = Style { color: ui.paints(std::io::stdout().is_terminal()), ..ui.style() };
    let mut text = String::new();
    for answer in answers {
        if !text.is_empty() {
            text.push('\n');
        }
        one(&mut text, asked, question, answer, filter, sources, style);
    }
    text
}

fn one(
    text: &mut String,
    asked: &str,
    question: &Question,
    answer: &Answer,
    filter: &Filter,
    sources: &Sources,
    style: Style,
) {
    // What was logged is long, and says little of the call.
    let asked = match question.subject {
        _ if call::parse(asked).is_err() => described(question, answer),
        Subject::Number(_) => format!("{}, {},", printable(asked.trim()), subject(answer)),
        Subject::Name(_) => printable(asked.trim()),
    };
    let _ = writeln!(text, "{asked} on {}: {}", list(&answer.archs), summary(question, answer));
    let several = answer.why.outcomes.len() > 1;
    for (outcome, decision) in possible(question, answer) {
        if several {
            text.push_str(&cases(outcome, "  "));
        }
        if let Some(decision) = decision {
            text.push_str(&draw(decision, outcome, sources, style));
        }
    }
    for note in notes(question, answer) {
        let _ = writeln!(text, "  {note}");
    }
    if several {
        return;
    }
    if answer.why.changes.is_empty() && filter.form != Form::Kpol {
        let _ = writeln!(text, "  nothing in the call would change that");
    } else if answer.why.changes.is_empty() {
        let _ = writeln!(text, "  nothing in the call would change that; another rule would");
    }
}

/// What a call of a log was, as far as the answer hangs on it: it can be asked about in these words.
pub fn described(question: &Question, answer: &Answer) -> String {
    let arch = answer.archs.first().copied().unwrap_or(Arch::X86_64);
    let call = answer.name.as_deref().and_then(tables::syscall);
    let given: Vec<String> = question
        .given
        .iter()
        .filter_map(|given| match (&given.whose, call) {
            (Whose::Register(place), _) => {
                let value = u64::from_str_radix(given.text.trim_start_matches("0x"), 16).ok()?;
                Some(witness::held(call, *place, arch, value))
            }
            (Whose::At(place), Some(call)) => {
                Some(format!("{} = {}", register::param(call, arch, *place)?.name, given.text))
            }
            (Whose::At(place), None) => Some(format!("{} = {}", register::name(*place), given.text)),
            (Whose::Named(name, _), _) => Some(format!("{name} = {}", given.text)),
            (Whose::Condition, _) => Some(given.text.clone()),
        })
        .collect();
    if given.is_empty() { subject(answer) } else { format!("{}({})", subject(answer), given.join(", ")) }
}

fn subject(answer: &Answer) -> String {
    answer.name.clone().unwrap_or_else(|| format!("number {}", written(answer.nr)))
}

/// The answer in a word, or in two.
pub fn summary(question: &Question, answer: &Answer) -> String {
    let left: Vec<String> = possible(question, answer).map(|(outcome, _)| outcome.action.to_string()).collect();
    match (answer.why.outcomes.len(), left.as_slice()) {
        (1, [only]) => only.clone(),
        (all, some) if some.len() < all => some.join(" or "),
        _ => "it depends".to_owned(),
    }
}

/// The answers that the record leaves open; all where none of them is what it says.
pub fn possible<'a>(
    question: &'a Question,
    answer: &'a Answer,
) -> impl Iterator<Item = (&'a Outcome, &'a Option<Decision>)> {
    let fits = |outcome: &Outcome| question.recorded.as_ref().is_none_or(|recorded| recorded.fits(outcome.action));
    let any = answer.why.outcomes.iter().any(fits);
    answer.why.outcomes.iter().zip(&answer.decisions).filter(move |(outcome, _)| !any || fits(outcome))
}

/// When an answer is given, a line for each case.
pub fn cases(outcome: &Outcome, indent: &str) -> String {
    let mut text = String::new();
    let action = outcome.action.to_string();
    for case in &outcome.cases.cases {
        let _ = writeln!(text, "{indent}{action:<14} if {}", condition(case));
    }
    if !outcome.cases.complete {
        let _ = writeln!(text, "{indent}{action:<14} in more cases");
    }
    text
}

/// What else is to be said, in a line each.
pub fn notes(question: &Question, answer: &Answer) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(hidden) = &answer.why.hidden {
        let args: Vec<String> = hidden.call.args.iter().map(|arg| format!("{arg:#x}")).collect();
        let used = hidden.call.args.iter().rposition(|arg| *arg != 0).map_or(1, |last| last + 1);
        notes.push(format!(
            "note: the filter looks at bits that the kernel drops: {}({}) is the same call, and gets {}",
            subject(answer),
            args[..used].join(", "),
            hidden.action
        ));
    }
    if let Some(recorded) = &question.recorded {
        let outcomes = answer.why.outcomes.iter().map(|outcome| outcome.action);
        let (fit, others): (Vec<Action>, Vec<Action>) = outcomes.partition(|action| recorded.fits(*action));
        let named = |actions: &[Action]| actions.iter().map(Action::to_string).collect::<Vec<_>>().join(" and ");
        let code = printable(&recorded.code);
        let said = match recorded.word() {
            "deny" => format!("`{code}` is a `deny`, of whatever errno"),
            word => format!("`{code}` is `{word}`"),
        };
        if fit.is_empty() {
            notes.push(format!("note: {said}, which this filter, as it is now, gives to no such call"));
        } else if !others.is_empty() {
            notes.push(format!("note: {said}, so it was not {}", named(&others)));
        }
    }
    if answer.why.outcomes.len() == 1 {
        let changes = answer.why.changes.iter().take(CHANGES);
        notes.extend(
            changes.map(|change| format!("nearest change: with {} it would get {}", any(&change.cases), change.action)),
        );
    }
    notes
}

fn condition(case: &Case) -> String {
    let text = case.condition();
    if text.is_empty() { "nothing else holds".to_owned() } else { text.replacen(" when ", ", with ", 1) }
}

fn any(cases: &Cases) -> String {
    let mut texts: Vec<String> =
        cases.cases.iter().take(CHANGES).map(|case| format!("`{}`", condition(case))).collect();
    if !cases.complete || cases.cases.len() > CHANGES {
        texts.push("more".to_owned());
    }
    texts.join(", or ")
}

fn draw(decision: &Decision, outcome: &Outcome, sources: &Sources, style: Style) -> String {
    let who = match (decision.by_default, outcome.cases.cases.len()) {
        (true, _) => "no rule claims it; the default decides",
        (false, 1) => "this rule decides",
        // Each case may have a rule of its own.
        (false, _) => "this rule decides the first call of these",
    };
    let primary = Label { span: decision.place, text: format!("`{}`", outcome.action) };
    terminal::point_out(who, &primary, &decision.on_the_way, sources, style)
}

/// For programs.
pub fn json(answers: &[Answer], question: &Question, filter: &Filter, sources: &Sources) -> String {
    format!("{:#}\n", json!({ "file": filter.name, "answers": answers_json(answers, question, sources) }))
}

/// The answers to one question, for programs.
pub fn answers_json(answers: &[Answer], question: &Question, sources: &Sources) -> Value {
    let cases = |cases: &Cases| -> Value {
        cases.cases.iter().map(|case| json!({ "when": case.when, "arguments": case.tests })).collect()
    };
    let place = |span: kpol_compiler::diagnostic::Span| {
        let file = sources.get(span.file);
        json!({ "file": file.name, "line": sources.line(span), "start": span.bytes.start, "end": span.bytes.end })
    };
    answers
        .iter()
        .map(|answer| {
            let outcomes: Vec<Value> = answer
                .why
                .outcomes
                .iter()
                .zip(&answer.decisions)
                .map(|(outcome, decision)| {
                    let decision = decision.as_ref().map(|decision| {
                        let way: Vec<Value> = decision
                            .on_the_way
                            .iter()
                            .map(|label| json!({ "place": place(label.span), "text": label.text }))
                            .collect();
                        json!({ "place": place(decision.place), "default": decision.by_default, "on_the_way": way })
                    });
                    json!({
                        "action": outcome.action.to_string(),
                        "cases": cases(&outcome.cases),
                        "complete": outcome.cases.complete,
                        "ruled_out": !possible(question, answer).any(|(left, _)| left == outcome),
                        "decision": decision,
                    })
                })
                .collect();
            let changes: Vec<Value> = answer
                .why
                .changes
                .iter()
                .map(|change| json!({ "action": change.action.to_string(), "cases": cases(&change.cases) }))
                .collect();
            let hidden = answer
                .why
                .hidden
                .as_ref()
                .map(|hidden| json!({ "action": hidden.action.to_string(), "args": hidden.call.args }));
            json!({
                "call": answer.name,
                "archs": answer.archs.iter().map(|arch| arch.name()).collect::<Vec<_>>(),
                "outcomes": outcomes,
                "changes": changes,
                "hidden": hidden,
            })
        })
        .collect()
}
