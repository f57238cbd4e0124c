//! A question asked of a filter, ABI by ABI.

use std::path::PathBuf;
use std::sync::Arc;

use kpol_compiler::answer::call::{Pattern, Question, Subject};
use kpol_compiler::answer::call_name;
use kpol_compiler::answer::why::{self, Decision, Why};
use kpol_compiler::diagnostic::{Diagnostic, Label, Span};
use kpol_compiler::diagram::{Function, Node, Store};
use kpol_compiler::driver::load::{self, Filter};
use kpol_compiler::source::{SourceFile, Sources};
use kpol_compiler::spec::arch::X32_BIT;
use kpol_compiler::spec::{Arch, Nr};
use kpol_grammar::ast;

use crate::filters;

/// The answer on some ABIs.
pub struct Answer {
    pub archs: Vec<Arch>,
    pub nr: Nr,
    pub name: Option<String>,
    pub why: Why,
    /// One for each outcome; `None` where there are no rules to point at.
    pub decisions: Vec<Option<Decision>>,
}

/// What came of a question.
pub enum Said {
    Answers(Vec<Answer>),
    /// The filter does not look at calls of this ABI.
    Foreign {
        arch: Arch,
        action: String,
    },
    /// There is no such call.
    Nothing(String),
    /// It cannot be known.
    Undetermined(String),
    /// What is wrong with the question's words.
    Wrong(Box<(Sources, Vec<Diagnostic>)>),
}

/// The ABIs that a question is about, as far as the filter tells their calls apart.
pub fn archs(question: &Question, filter: &Filter) -> Vec<Arch> {
    match foreign(question, filter) {
        Some(_) => Vec::new(),
        None => question.arch.map_or_else(|| filter.spoken.clone(), |arch| vec![arch]),
    }
}

/// The ABI of the question, where the filter does not tell its calls apart.
fn foreign(question: &Question, filter: &Filter) -> Option<Arch> {
    // A number says by itself that it is x32's.
    let of_x32 = matches!(question.subject, Subject::Number(number) if Arch::X32.owns(Nr(number)));
    let told = filter.spoken.iter().any(|arch| !of_x32 || *arch == Arch::X32);
    let arch = question.arch.or((!told).then_some(Arch::X32));
    arch.filter(|arch| !filter.spoken.contains(arch))
}

/// Looks up what a filter declares.
pub fn declared(filter: &Filter, arch: Arch) -> impl Fn(&str) -> Option<Nr> {
    move |name: &str| {
        let mut of_arch = filter.declared.iter().filter(|((of, _), _)| *of == arch);
        of_arch.find(|(_, called)| *called == name).map(|((_, nr), _)| *nr)
    }
}

/// Asks; `text` is what the question was read from.
pub fn ask(question: &Question, text: &str, filter: &Filter, store: &mut Store) -> Said {
    if let Some(arch) = foreign(question, filter) {
        let action = filter.function.tables.get(&arch).map_or("kill".to_owned(), |table| {
            let first = if arch == Arch::X32 { Nr(X32_BIT) } else { Nr(0) };
            table.at(first).as_action().unwrap_or(Function::FOREIGN).to_string()
        });
        return Said::Foreign { arch, action };
    }
    let archs = archs(question, filter);
    let mut answers: Vec<Answer> = Vec::new();
    for &arch in &archs {
        match ask_one(question, text, filter, arch, store) {
            Ok(Some(answer)) => match answers.iter_mut().find(|other| other.tells_the_same(&answer)) {
                Some(other) => other.archs.push(arch),
                None => answers.push(answer),
            },
            Ok(None) => {}
            Err(said) => return *said,
        }
    }
    if answers.is_empty() { Said::Nothing(nothing(question, &archs)) } else { Said::Answers(answers) }
}

fn nothing(question: &Question, archs: &[Arch]) -> String {
    match (&question.subject, question.near()) {
        (Subject::Name(name), Some(near)) if near != name => {
            format!("no syscall `{name}` on {}; did you mean `{near}`?", filters::list(archs))
        }
        (Subject::Name(name), _) => format!("no syscall `{name}` on {}", filters::list(archs)),
        (Subject::Number(number), _) => {
            format!("number {} belongs to none of {}", written(Nr(*number)), filters::list(archs))
        }
    }
}

/// -1 is what the kernel writes of a call that a tracer skipped.
pub fn written(nr: Nr) -> String {
    if nr.0 == u32::MAX { "-1".to_owned() } else { nr.0.to_string() }
}

fn ask_one(
    question: &Question,
    text: &str,
    filter: &Filter,
    arch: Arch,
    store: &mut Store,
) -> Result<Option<Answer>, Box<Said>> {
    let pattern = question.on(arch, &declared(filter, arch)).map_err(|wrong| Box::new(Said::Nothing(wrong)))?;
    let Some(pattern) = pattern else { return Ok(None) };
    let nr = pattern.nr;
    let name = call_name(&filter.declared, arch, nr).map(str::to_owned);
    let asked = match pattern.all {
        true => Node::TRUE,
        false => load::calls(&pattern.policy, arch, nr, store)
            .map_err(|wrong| Box::new(Said::Wrong(Box::new(in_its_own_words(text, &pattern, wrong.1)))))?,
    };
    let doubt = filter.doubt(arch, nr);
    if store.and(doubt, asked) != Node::FALSE {
        let who = name.clone().unwrap_or_else(|| written(nr));
        return Err(Box::new(Said::Undetermined(format!(
            "undetermined: entries of `{}` contradict each other, and what such calls of `{who}` get on {arch} hangs on their order",
            filter.name
        ))));
    }
    let node = filter.function.at(arch, nr);
    let Some(why) = why::why(store, arch, nr, name.as_deref(), node, asked) else {
        let why = format!("no call is like this on {arch}: its conditions contradict each other");
        return Err(Box::new(Said::Nothing(why)));
    };
    let decisions = why
        .outcomes
        .iter()
        .map(|outcome| {
            let rules = filter.rules.as_ref()?;
            why::decision(&rules.resolved, &rules.graph, store, &outcome.call, &outcome.environment)
        })
        .collect();
    Ok(Some(Answer { archs: vec![arch], nr, name, why, decisions }))
}

/// What is wrong with the pattern, said of the question: nobody wrote the policy around it.
fn in_its_own_words(text: &str, pattern: &Pattern, diagnostics: Vec<Diagnostic>) -> (Sources, Vec<Diagnostic>) {
    const NAME: &str = "the call";
    let mut own = Sources::default();
    let file = own.add(SourceFile { name: NAME.to_owned(), path: PathBuf::from(NAME), text: Arc::from(text) });
    let number = format!("number {}", written(pattern.nr));
    let words = |words: String| words.replace(&format!("`{}`", Pattern::UNNAMED), &number);
    let place = |span: Span| {
        let exact = pattern.in_question(span.bytes.start as usize..span.bytes.end as usize);
        let whole = 0..text.len();
        let place = exact.filter(|place| text.get(place.clone()).is_some()).unwrap_or(whole);
        Span { file, bytes: ast::Span::new(place.start, place.end) }
    };
    let said = diagnostics.into_iter().map(|mut found| {
        found.message = words(found.message);
        found.help = found.help.map(words);
        found.primary = found.primary.map(|label| Label { span: place(label.span), text: words(label.text) });
        // What else is pointed at, and what would be changed, is in the policy.
        found.related.clear();
        found.fix = None;
        found
    });
    (own, said.collect())
}

impl Answer {
    /// Whether a reader would see no difference but the ABI.
    fn tells_the_same(&self, other: &Self) -> bool {
        let said = |answer: &Self| {
            let outcomes: Vec<_> = answer.why.outcomes.iter().map(|one| (one.action, one.cases.clone())).collect();
            let changes: Vec<_> = answer.why.changes.iter().map(|one| (one.action, one.cases.clone())).collect();
            let hidden = answer.why.hidden.as_ref().map(|hidden| (hidden.action, hidden.call.args));
            (outcomes, changes, hidden)
        };
        self.name == other.name
            && (self.name.is_some() || self.nr == other.nr)
            && self.decisions == other.decisions
            && said(self) == said(other)
    }
}
