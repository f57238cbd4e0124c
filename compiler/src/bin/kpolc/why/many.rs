//! All calls of a log: each distinct one once, most often first.
//!
//! ```text
//! socket(AF_INET6, SOCK_DGRAM, 0) = 3     120 times          120 × socket(family = AF_INET6) on x86_64: deny(EPERM)
//! type=1326 … syscall=165 …                2 times     →       2 × mount on x86_64: kill
//! ```
//!
//! Two calls are distinct if the filter could tell them apart: of arguments that it does not look at nothing is kept.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, BufRead, Read as _};

use kpol_compiler::answer::call::{Question, Subject};
use kpol_compiler::answer::log::{MOST_LINE, NoCall, Reader, Tally};
use kpol_compiler::answer::record::Recorded;
use kpol_compiler::answer::why::{self, Decision};
use kpol_compiler::diagram::{Node, Store};
use kpol_compiler::driver::load::Filter;
use kpol_compiler::source::Sources;
use kpol_compiler::spec::Nr;
use kpol_compiler::tables;

use serde_json::{Value, json};

use super::ask::{Said, archs, ask, declared, written};
use super::{is_call, text};
use crate::filters::Opened;
use crate::ui::{Format, Status, Trouble, Ui, printable};

/// So many distinct calls are answered: a person reads fewer.
const MOST_ANSWERS: usize = 500;

/// What was in a log.
pub struct Heard {
    calls: Vec<(Question, u64)>,
    /// Calls beyond the distinct ones that could be counted.
    more: u64,
    lines: u64,
    /// Lines that are no call.
    none: u64,
    /// The first of these.
    pub first: Option<NoCall>,
}

impl Heard {
    /// Whether there was no call at all.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// The only call, if it is the only one.
    pub fn only(&self) -> Option<&Question> {
        match self.calls.as_slice() {
            [(question, 1)] => Some(question),
            _ => None,
        }
    }
}

/// Reads standard input.
pub fn stdin(filter: &Filter, store: &Store) -> Result<Heard, Trouble> {
    let wrong = |error| Trouble::new(format!("cannot read standard input: {error}"));
    let heard = read(io::stdin().lock(), filter, Some(store)).map_err(wrong)?;
    if heard.is_empty() {
        return Err(Trouble::new(match heard.first {
            None => "standard input has no call in it".to_owned(),
            Some(first) => format!("standard input has no call in it: {}", no_call(heard.none, &first)),
        }));
    }
    Ok(heard)
}

/// Reads what was pasted, with all that is said of arguments.
pub fn heard(text: &[u8], filter: &Filter, store: &Store) -> io::Result<Heard> {
    let all = read(text, filter, None)?;
    if all.only().is_some() { Ok(all) } else { read(text, filter, Some(store)) }
}

/// With a store only that is kept of arguments which the filter looks at.
fn read(mut input: impl BufRead, filter: &Filter, store: Option<&Store>) -> io::Result<Heard> {
    let known = |name: &str| is_call(filter, name);
    let (mut reader, mut tally) = (Reader::default(), Tally::default());
    // Functions of calls are few: what each of them asks about is found out once.
    let mut asked: HashMap<Node, u8> = HashMap::default();
    let mut take = |mut question: Question| {
        if let Some(store) = store {
            forget(&mut question, filter, store, &mut asked);
        }
        tally.take(question);
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        let got = input.by_ref().take(MOST_LINE as u64).read_until(b'\n', &mut line)?;
        if got == 0 {
            break;
        }
        let whole = line.last() == Some(&b'\n');
        reader.line(&String::from_utf8_lossy(&line), &known, &mut take);
        if !whole && got == MOST_LINE {
            skip_line(&mut input)?;
        }
    }
    reader.finish(&known, &mut take);
    let Reader { lines, none, first, .. } = reader;
    let more = tally.more;
    Ok(Heard { calls: tally.most_first(), more, lines, none, first })
}

fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        let (end, length) = (buffer.iter().position(|&byte| byte == b'\n'), buffer.len());
        input.consume(end.map_or(length, |end| end + 1));
        if end.is_some() || length == 0 {
            return Ok(());
        }
    }
}

/// Takes out what is said of arguments that the filter does not look at, and names the call as all others do that are the same.
fn forget(question: &mut Question, filter: &Filter, store: &Store, asked: &mut HashMap<Node, u8>) {
    question.recorded = question.recorded.take().map(Recorded::canonical);
    if let (Subject::Number(number), Some(arch)) = (&question.subject, question.arch)
        && let Some(call) = tables::syscall_at(arch, Nr(*number))
    {
        question.subject = Subject::Name(call.name().to_owned());
    }
    if question.given.is_empty() {
        return;
    }
    let mut kept = vec![false; question.given.len()];
    for arch in archs(question, filter) {
        let Some((nr, call)) = question.number(arch, &declared(filter, arch)) else { continue };
        let mut looked_at = 0;
        for node in [filter.function.at(arch, nr), filter.doubt(arch, nr)] {
            let bits = || why::mentioned(store, node).into_iter().fold(0, |all, (arg, _)| all | 1 << arg);
            looked_at |= *asked.entry(node).or_insert_with(bits);
        }
        for (kept, given) in kept.iter_mut().zip(&question.given) {
            *kept |= given.register(call, arch).is_none_or(|register| looked_at >> register & 1 == 1);
        }
    }
    let mut kept = kept.into_iter();
    question.given.retain(|_| kept.next().unwrap_or(false));
}

/// One call with its answer.
struct Answered<'a> {
    question: &'a Question,
    count: u64,
    said: Said,
}

pub fn run(heard: Heard, Opened { filter, sources }: &Opened, store: &mut Store, ui: &Ui) -> Result<Status, Trouble> {
    let mut answered = Vec::new();
    for (question, count) in heard.calls.iter().take(MOST_ANSWERS) {
        let mut said = ask(question, "", filter, store);
        if matches!(said, Said::Wrong(_) | Said::Nothing(_)) && !question.given.is_empty() {
            // A value that this ABI does not have, such as strace's name for another one: then it is unknown.
            said = ask(&Question { given: Vec::new(), ..question.clone() }, "", filter, store);
        }
        if store.overflowed() {
            return Err(Trouble::new("this cannot be answered within bounds"));
        }
        answered.push(Answered { question, count: *count, said });
    }
    Ui::show(&match ui.format {
        Format::Json => as_json(&heard, &answered, filter, sources),
        _ => human(&heard, &answered, filter, sources),
    })?;
    Ok(Status::Fine)
}

fn human(heard: &Heard, answered: &[Answered<'_>], filter: &Filter, sources: &Sources) -> String {
    let mut out = String::new();
    let width = answered.first().map_or(1, |first| first.count.to_string().len());
    let indent = " ".repeat(width + 5);
    for Answered { question, count, said } in answered {
        let answers = match said {
            Said::Answers(answers) => answers.as_slice(),
            Said::Foreign { arch, action } => {
                let _ = writeln!(out, "{count:>width$} × {} on {arch}: {action}", subject(question));
                let _ = writeln!(out, "{indent}`{}` looks at no calls of {arch}", printable(&filter.name));
                continue;
            }
            Said::Nothing(why) | Said::Undetermined(why) => {
                let _ = writeln!(out, "{count:>width$} × {}: {}", subject(question), printable(why));
                continue;
            }
            Said::Wrong(_) => {
                let _ = writeln!(out, "{count:>width$} × {}: no answer", subject(question));
                continue;
            }
        };
        for (index, answer) in answers.iter().enumerate() {
            // On another ABI it is still one of the same calls.
            let head = if index == 0 { format!("{count:>width$} ×") } else { " ".repeat(width + 2) };
            let archs = crate::filters::list(&answer.archs);
            let _ = writeln!(
                out,
                "{head} {} on {archs}: {}",
                text::described(question, answer),
                text::summary(question, answer)
            );
            let several = answer.why.outcomes.len() > 1;
            for (outcome, decision) in text::possible(question, answer) {
                if several {
                    out.push_str(&text::cases(outcome, &indent));
                }
                if let Some(decision) = decision {
                    let _ = writeln!(out, "{indent}{}", place(decision, sources));
                }
            }
            for note in text::notes(question, answer) {
                let _ = writeln!(out, "{indent}{note}");
            }
        }
    }
    let left: u64 = heard.calls.iter().skip(answered.len()).map(|(_, count)| count).sum();
    if left + heard.more > 0 {
        let distinct = heard.calls.len() - answered.len();
        let at_least = if heard.more > 0 { "at least " } else { "" };
        let _ = writeln!(out, "and {at_least}{distinct} more distinct calls, that came {} times", left + heard.more);
    }
    if let Some(first) = &heard.first {
        let _ = writeln!(out, "{}", no_call(heard.none, first));
    }
    out
}

fn subject(question: &Question) -> String {
    match &question.subject {
        Subject::Name(name) => printable(name),
        Subject::Number(number) => {
            let nr = Nr(*number);
            let known = question.arch.and_then(|arch| tables::syscall_at(arch, nr));
            known.map_or_else(|| format!("number {}", written(nr)), |call| call.name().to_owned())
        }
    }
}

/// `web.kpol:12`, `web.kpol:1, the default`
fn place(decision: &Decision, sources: &Sources) -> String {
    let file = printable(&sources.get(decision.place.file).name);
    let default = if decision.by_default { ", the default" } else { "" };
    format!("{file}:{}{default}", sources.line(decision.place))
}

/// `3 lines are no call; the first is line 7: …`
fn no_call(count: u64, first: &NoCall) -> String {
    let what = if count == 1 { "line is" } else { "lines are" };
    let why = first.why.as_ref().map_or(String::new(), |why| format!(" ({})", printable(why)));
    let shown = printable(&first.text.replace('\n', " "));
    format!("{count} {what} no call; the first is line {}: `{shown}`{why}", first.line)
}

fn as_json(heard: &Heard, answered: &[Answered<'_>], filter: &Filter, sources: &Sources) -> String {
    let calls: Vec<Value> = answered
        .iter()
        .map(|Answered { question, count, said }| {
            let (answers, why) = match said {
                Said::Answers(answers) => (text::answers_json(answers, question, sources), None),
                Said::Foreign { arch, action } => {
                    (json!([{ "archs": [arch.name()], "outcomes": [{ "action": action }] }]), None)
                }
                Said::Nothing(why) | Said::Undetermined(why) => (json!([]), Some(why.as_str())),
                Said::Wrong(_) => (json!([]), Some("no answer")),
            };
            let asked = match said {
                Said::Answers(answers) => answers.first().map(|answer| text::described(question, answer)),
                _ => None,
            };
            let recorded = question.recorded.as_ref().map(|recorded| recorded.word());
            json!({
                "count": count,
                "call": asked.unwrap_or_else(|| subject(question)),
                "recorded": recorded,
                "answers": answers,
                "why_not": why,
            })
        })
        .collect();
    let first = heard.first.as_ref();
    let value = json!({
        "file": filter.name,
        "lines": heard.lines,
        "calls": calls,
        "left_out": heard.calls.iter().skip(answered.len()).map(|(_, count)| count).sum::<u64>() + heard.more,
        "no_call": { "lines": heard.none, "first": first.map(|first| json!({ "line": first.line, "text": first.text, "why": first.why })) },
    });
    format!("{value:#}\n")
}
