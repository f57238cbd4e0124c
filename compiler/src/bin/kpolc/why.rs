//! `kpolc why`: what a call gets, and why.

mod text;

use std::path::PathBuf;

use kpol_compiler::answer::call::{self, Question, Subject};
use kpol_compiler::answer::call_name;
use kpol_compiler::answer::why::{self, Decision, Why};
use kpol_compiler::diagram::{Function, Node, Store};
use kpol_compiler::driver::load::{self, Filter};
use kpol_compiler::spec::arch::X32_BIT;
use kpol_compiler::spec::{Arch, Nr};

use crate::filters;
use crate::report::{Place, Report};
use crate::settings;
use crate::ui::{Format, FormatArg, Status, Trouble, Ui};

/// Say what a call gets, and why.
///
/// FILE is a policy, a JSON profile or raw BPF (.kpol, .json, .bpf). CALL is written as in C, with names or numbers;
/// what is left out (or `_`) is unknown, and the answer says what depends on it. A record of the audit log
/// (`type=1326 … syscall=41 …`, or `type=SECCOMP`; raw, or as `ausearch -i` prints it) is a CALL too.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  kpolc why web.kpol 'socket(AF_ALG, SOCK_SEQPACKET, 0)'
  kpolc why web.kpol 'openat(flags = O_RDWR | O_CREAT)'   the rest unknown
  kpolc why /etc/seccomp/web.json mount --cap CAP_SYS_ADMIN
  kpolc why web.bpf \"$(dmesg | grep type=1326 | tail -1)\"")]
pub struct Args {
    /// The filter
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The call, or a line of the audit log
    #[arg(value_name = "CALL")]
    call: String,
    #[command(flatten)]
    files: filters::Args,
    #[command(flatten)]
    settings: settings::Args,
    #[command(flatten)]
    pub format: FormatArg,
}

/// The answer on some ABIs.
pub struct Answer {
    archs: Vec<Arch>,
    nr: Nr,
    name: Option<String>,
    why: Why,
    /// One for each outcome; `None` where there are no rules to point at.
    decisions: Vec<Option<Decision>>,
}

pub fn run(args: &Args, ui: &Ui) -> Result<Status, Trouble> {
    if !matches!(ui.format, Format::Human | Format::Json) {
        return Err(Trouble::new("`why` prints `--format human` or `json`"));
    }
    let question = call::parse(&args.call).map_err(Trouble::new)?;
    let mut store = Store::default();
    let opened = match filters::open(&args.files.files()?, &args.file, &args.settings, &mut store, ui)? {
        Ok(opened) => opened,
        Err(status) => return Ok(status),
    };
    let filter = &opened.filter;
    // A number says by itself that it is x32's.
    let of_x32 = matches!(question.subject, Subject::Number(number) if Arch::X32.owns(Nr(number)));
    let told = filter.spoken.iter().any(|arch| !of_x32 || *arch == Arch::X32);
    let arch = question.arch.or((!told).then_some(Arch::X32));
    if let Some(arch) = arch.filter(|arch| !filter.spoken.contains(arch)) {
        let ends = filter.function.tables.get(&arch).map_or("kill".to_owned(), |table| {
            let first = if arch == Arch::X32 { Nr(X32_BIT) } else { Nr(0) };
            table.at(first).as_action().unwrap_or(Function::FOREIGN).to_string()
        });
        Ui::show(&text::foreign(ui, arch, &ends, &filter.name, &filters::list(&filter.spoken)))?;
        return Ok(Status::Fine);
    }
    let archs: Vec<Arch> = match question.arch {
        Some(arch) => vec![arch],
        None => filter.spoken.clone(),
    };
    let mut answers: Vec<Answer> = Vec::new();
    for &arch in &archs {
        match ask(&question, filter, arch, &mut store, ui)? {
            Ok(Some(answer)) => match answers.iter_mut().find(|other| other.tells_the_same(&answer)) {
                Some(other) => other.archs.push(arch),
                None => answers.push(answer),
            },
            Ok(None) => {}
            Err(status) => return Ok(status),
        }
    }
    if answers.is_empty() {
        return Err(Trouble::new(nothing(&question, &archs)));
    }
    if store.overflowed() {
        return Err(Trouble::new("this cannot be answered within bounds"));
    }
    Ui::show(&match ui.format {
        Format::Json => text::json(&answers, filter, &opened.sources),
        _ => text::human(ui, &args.call, &question, &answers, filter, &opened.sources),
    })?;
    Ok(Status::Fine)
}

fn nothing(question: &Question, archs: &[Arch]) -> String {
    match (&question.subject, question.near()) {
        (Subject::Name(name), Some(near)) if near != name => {
            format!("no syscall `{name}` on {}; did you mean `{near}`?", filters::list(archs))
        }
        (Subject::Name(name), _) => format!("no syscall `{name}` on {}", filters::list(archs)),
        (Subject::Number(number), _) => format!("number {number} belongs to none of {}", filters::list(archs)),
    }
}

fn ask(
    question: &Question,
    filter: &Filter,
    arch: Arch,
    store: &mut Store,
    ui: &Ui,
) -> Result<Result<Option<Answer>, Status>, Trouble> {
    let declared = |name: &str| {
        let mut of_arch = filter.declared.iter().filter(|((of, _), _)| *of == arch);
        of_arch.find(|(_, called)| *called == name).map(|((_, nr), _)| *nr)
    };
    let Some(pattern) = question.on(arch, &declared) else { return Ok(Ok(None)) };
    let asked = match load::calls(&pattern.policy, arch, pattern.nr, store) {
        _ if pattern.all => Node::TRUE,
        Ok(asked) => asked,
        Err(wrong) => {
            let mut report = Report::default();
            report.add(&wrong.0, wrong.1);
            report.print(ui, Place::Aside)?;
            return Ok(Err(Status::Trouble));
        }
    };
    let nr = pattern.nr;
    let name = call_name(&filter.declared, arch, nr).map(str::to_owned);
    let node = filter.function.at(arch, nr);
    let doubt = filter.doubt(arch, nr);
    if store.and(doubt, asked) != Node::FALSE {
        let who = name.clone().unwrap_or_else(|| nr.0.to_string());
        return Err(Trouble::new(format!(
            "undetermined: entries of `{}` contradict each other, and what such calls of `{who}` get on {arch} hangs on their order",
            filter.name
        )));
    }
    let Some(why) = why::why(store, arch, nr, name.as_deref(), node, asked) else {
        return Err(Trouble::new(format!("no call is like this on {arch}: its conditions contradict each other")));
    };
    let decisions = why
        .outcomes
        .iter()
        .map(|outcome| {
            let rules = filter.rules.as_ref()?;
            why::decision(&rules.resolved, &rules.graph, store, &outcome.call, &outcome.environment)
        })
        .collect();
    Ok(Ok(Some(Answer { archs: vec![arch], nr, name, why, decisions })))
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
