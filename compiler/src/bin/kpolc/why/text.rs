//! An answer about a call in words, and for programs.

use std::fmt::Write as _;
use std::io::IsTerminal as _;

use kpol_compiler::answer::call::{Question, Subject};
use kpol_compiler::answer::why::{Decision, Outcome};
use kpol_compiler::answer::words::{Case, Cases};
use kpol_compiler::diagnostic::Label;
use kpol_compiler::diagnostic::render::terminal::{self, Style};
use kpol_compiler::driver::load::{Filter, Form};
use kpol_compiler::source::Sources;
use kpol_compiler::spec::Arch;
use serde_json::{Value, json};

use super::Answer;
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
    let name = answer.name.clone().unwrap_or_else(|| format!("number {}", answer.nr.0));
    // A record is long, and says nothing of the call but its number.
    let asked = match question.subject {
        _ if asked.contains("syscall=") => name.clone(),
        Subject::Number(_) => format!("{}, {name},", printable(asked.trim())),
        Subject::Name(_) => printable(asked.trim()),
    };
    let archs = list(&answer.archs);
    let outcomes = answer.why.outcomes.iter().zip(&answer.decisions);
    if let [only] = answer.why.outcomes.as_slice() {
        let _ = writeln!(text, "{asked} on {archs}: {}", only.action);
    } else {
        let _ = writeln!(text, "{asked} on {archs}: it depends");
    }
    let several = answer.why.outcomes.len() > 1;
    for (outcome, decision) in outcomes {
        if several {
            for case in &outcome.cases.cases {
                let _ = writeln!(text, "  {:<14} if {}", outcome.action.to_string(), condition(case));
            }
            if !outcome.cases.complete {
                let _ = writeln!(text, "  {:<14} in more cases", outcome.action.to_string());
            }
        }
        if let Some(decision) = decision {
            text.push_str(&draw(decision, outcome, sources, style));
        }
    }
    if let Some(hidden) = &answer.why.hidden {
        let args: Vec<String> = hidden.call.args.iter().map(|arg| format!("{arg:#x}")).collect();
        let used = hidden.call.args.iter().rposition(|arg| *arg != 0).map_or(1, |last| last + 1);
        let _ = writeln!(
            text,
            "  note: the filter looks at bits that the kernel drops: {name}({}) is the same call, and gets {}",
            args[..used].join(", "),
            hidden.action
        );
    }
    if let (Some(recorded), [only]) = (question.recorded, answer.why.outcomes.as_slice())
        && recorded != only.action
    {
        let _ = writeln!(
            text,
            "  note: the record says that a filter answered {recorded}; that was another filter, or other arguments"
        );
    }
    if several {
        return;
    }
    for change in answer.why.changes.iter().take(CHANGES) {
        let _ = writeln!(text, "  nearest change: with {} it would get {}", any(&change.cases), change.action);
    }
    if answer.why.changes.is_empty() && filter.form != Form::Kpol {
        let _ = writeln!(text, "  nothing in the call would change that");
    } else if answer.why.changes.is_empty() {
        let _ = writeln!(text, "  nothing in the call would change that; another rule would");
    }
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
pub fn json(answers: &[Answer], filter: &Filter, sources: &Sources) -> String {
    let cases = |cases: &Cases| -> Value {
        cases.cases.iter().map(|case| json!({ "when": case.when, "arguments": case.tests })).collect()
    };
    let place = |span: kpol_compiler::diagnostic::Span| {
        let file = sources.get(span.file);
        json!({ "file": file.name, "line": sources.line(span), "start": span.bytes.start, "end": span.bytes.end })
    };
    let all: Vec<Value> = answers
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
        .collect();
    format!("{:#}\n", json!({ "file": filter.name, "answers": all }))
}
