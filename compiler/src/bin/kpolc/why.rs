//! `kpolc why`: what a call gets, and why; or what all calls of a log get.

mod ask;
mod many;
mod text;

use std::path::PathBuf;

use kpol_compiler::answer::call::{self, Question};
use kpol_compiler::answer::{log, record};
use kpol_compiler::diagram::Store;
use kpol_compiler::driver::load::Filter;
use kpol_compiler::tables;

use crate::filters::{self, Opened};
use crate::report::{Place, Report};
use crate::settings;
use crate::ui::{Format, FormatArg, Status, Trouble, Ui};

use ask::Said;

/// Say what a call gets, and why.
///
/// FILE is a policy, a JSON profile or raw BPF (.kpol, .json, .bpf). CALL is written as in C, with names or numbers;
/// what is left out (or `_`) is unknown, and the answer says what depends on it. A record of the audit log
/// (`type=1326 … syscall=41 …`, or `type=SECCOMP`; raw, or as `ausearch -i` prints it) or a line of strace is a CALL too.
///
/// With `-` calls come from standard input, any number of them: records as auditd, dmesg and the journal have them, and
/// what strace prints. Each distinct call is answered once, with how often it occurred, most often first. Arguments that the
/// filter does not look at make no call another one; paths and structures are unknown, as they are to a filter.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  kpolc why web.kpol 'socket(AF_ALG, SOCK_SEQPACKET, 0)'
  kpolc why web.kpol 'openat(flags = O_RDWR | O_CREAT)'   the rest unknown
  kpolc why /etc/seccomp/web.json mount --cap CAP_SYS_ADMIN
  kpolc why web.bpf \"$(dmesg | grep type=1326 | tail -1)\"
  journalctl -k | kpolc why web.kpol -                    what was logged, each call once
  strace -f -o log nginx; kpolc why web.kpol - <log       what a program would get")]
pub struct Args {
    /// The filter
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The call, or a line of a log or of strace; `-` for many, from standard input
    #[arg(value_name = "CALL")]
    call: String,
    #[command(flatten)]
    files: filters::Args,
    #[command(flatten)]
    settings: settings::Args,
    #[command(flatten)]
    pub format: FormatArg,
}

pub fn run(args: &Args, ui: &Ui) -> Result<Status, Trouble> {
    if !matches!(ui.format, Format::Human | Format::Json) {
        return Err(Trouble::new("`why` prints `--format human` or `json`"));
    }
    let from_stdin = args.call == "-";
    if from_stdin && args.files.takes_stdin() {
        return Err(Trouble::new("`--unsaved` and `-` both read standard input: name the calls, or save the file"));
    }
    let mut store = Store::default();
    let opened = match filters::open(&args.files.files()?, &args.file, &args.settings, &mut store, ui)? {
        Ok(opened) => opened,
        Err(status) => return Ok(status),
    };
    if from_stdin {
        return many::run(many::stdin(&opened.filter, &store)?, &opened, &mut store, ui);
    }
    match asked(&args.call, &opened.filter, &store)? {
        Asked::One(question) => one(&args.call, &question, &opened, &mut store, ui),
        Asked::Many(heard) => many::run(heard, &opened, &mut store, ui),
    }
}

enum Asked {
    One(Question),
    Many(many::Heard),
}

/// What was pasted: a call as a person writes it, or lines of logs and traces.
fn asked(text: &str, filter: &Filter, store: &Store) -> Result<Asked, Trouble> {
    let wrong = match call::parse(text) {
        Ok(question) => return Ok(Asked::One(question)),
        Err(wrong) => wrong,
    };
    let returns = || text.match_indices(')').any(|(at, _)| text[at + 1..].trim_start().starts_with('='));
    let is_log = record::is_record(text) || returns() || text.contains("...>") || text.contains("--- SIGSYS");
    if !is_log || text.len() > log::MOST_LINE {
        return Err(Trouble::new(wrong));
    }
    let heard = many::heard(text.as_bytes(), filter, store).map_err(|error| Trouble::new(error.to_string()))?;
    match (heard.only(), heard.first.as_ref().and_then(|first| first.why.clone())) {
        (Some(question), _) => Ok(Asked::One(question.clone())),
        (None, why) if heard.is_empty() => Err(Trouble::new(why.unwrap_or(wrong))),
        (None, _) => Ok(Asked::Many(heard)),
    }
}

/// Whether a name is a call, to the tables or to the filter.
fn is_call(filter: &Filter, name: &str) -> bool {
    tables::syscall(name).is_some() || filter.declared.values().any(|declared| declared == name)
}

fn one(
    asked: &str,
    question: &Question,
    Opened { filter, sources }: &Opened,
    store: &mut Store,
    ui: &Ui,
) -> Result<Status, Trouble> {
    let answers = match ask::ask(question, asked, filter, store) {
        Said::Answers(answers) => answers,
        Said::Foreign { arch, action } => {
            Ui::show(&text::foreign(ui, arch, &action, &filter.name, &filters::list(&filter.spoken)))?;
            return Ok(Status::Fine);
        }
        Said::Nothing(why) | Said::Undetermined(why) => return Err(Trouble::new(why)),
        Said::Wrong(wrong) => {
            let mut report = Report::default();
            report.add(&wrong.0, wrong.1);
            report.print(ui, Place::Aside)?;
            return Ok(Status::Trouble);
        }
    };
    if store.overflowed() {
        return Err(Trouble::new("this cannot be answered within bounds"));
    }
    Ui::show(&match ui.format {
        Format::Json => text::json(&answers, question, filter, sources),
        _ => text::human(ui, asked, question, &answers, filter, sources),
    })?;
    Ok(Status::Fine)
}
