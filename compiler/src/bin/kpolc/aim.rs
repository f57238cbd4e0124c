//! What raw BPF is to be best at: options of the commands that make it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kpol_compiler::bpf::{Aim, Goal, Weights, WeightsError, WeightsErrorKind};
use kpol_compiler::diagnostic::{Code, Diagnostic, Span};
use kpol_compiler::source::project::near;
use kpol_compiler::source::{Disk, LoadError, Loader as _, SourceFile, Sources};
use kpol_compiler::tables;
use kpol_grammar::ast;

use crate::report::Report;

/// A list of weights is at most this long.
const LIMIT: u64 = 1 << 20;

/// Options about raw BPF.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
pub struct Args {
    /// What raw BPF is to be best at: the expected calls, these and all others, or length
    #[arg(long, value_enum, default_value = "balanced", value_name = "GOAL", help_heading = "Raw BPF")]
    optimize: Optimize,
    /// How often each call is expected: lines of `CALL WEIGHT [ARGUMENT...]`
    #[arg(long, value_name = "FILE", help_heading = "Raw BPF")]
    weights: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Optimize {
    /// Fewest instructions for the calls that are expected
    Time,
    /// Few for those, few for all others, and a short program
    #[default]
    Balanced,
    /// Fewest instructions in the program
    Size,
}

impl Args {
    /// What is meant; `None` if the weights cannot be read, which the report then says.
    pub fn aim(&self, report: &mut Report) -> Option<Aim> {
        let goal = match self.optimize {
            Optimize::Time => Goal::Time,
            Optimize::Balanced => Goal::Balanced,
            Optimize::Size => Goal::Size,
        };
        let weights = match &self.weights {
            None => Weights::default(),
            Some(path) => read(path, report)?,
        };
        Some(Aim { goal, weights })
    }
}

fn read(path: &Path, report: &mut Report) -> Option<Weights> {
    let name = path.display().to_string();
    let bytes = Disk.read(path, LIMIT).map_err(|error| match error {
        LoadError::Io(error) => error.to_string(),
        LoadError::NotAFile(word) => format!("it is {word}"),
        LoadError::TooLarge(_) => format!("it is larger than {LIMIT} bytes"),
    });
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned()));
    let text = match text {
        Ok(text) => text,
        Err(why) => {
            report.push(Diagnostic::without_place(Code::E062, format!("cannot read `{name}`: {why}")));
            return None;
        }
    };
    match Weights::parse(&text) {
        Ok(weights) => Some(weights),
        Err(errors) => {
            let mut sources = Sources::default();
            let file = sources.add(SourceFile { name, path: path.to_owned(), text: Arc::from(text) });
            let told = |error: WeightsError| {
                let message = error.kind.to_string();
                let help = help(&error.kind);
                let end = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
                let bytes = ast::Span { start: end(error.bytes.start), end: end(error.bytes.end) };
                Diagnostic::new(Code::E062, Span { file, bytes }, message).help(help)
            };
            let diagnostics = errors.into_iter().map(told).collect();
            report.add(&sources, diagnostics);
            None
        }
    }
}

fn help(kind: &WeightsErrorKind) -> String {
    match kind {
        WeightsErrorKind::UnknownCall(name) => match near(name, tables::Syscall::all().map(|call| call.name())) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "a call is a name, or a number of x86_64".to_owned(),
        },
        WeightsErrorKind::NotAWeight(_) => "a weight is a number such as 3 or 0.5".to_owned(),
        WeightsErrorKind::NoWeight(call) => format!("write `{call} 1`, or any other number"),
        WeightsErrorKind::NotAnArgument(_) => "an argument is a number, decimal or with 0x in front".to_owned(),
        WeightsErrorKind::TooManyArguments => "a line is a call, its weight and its arguments".to_owned(),
        WeightsErrorKind::Nothing => "write lines such as `read 20`".to_owned(),
    }
}
