//! `kpolc fmt`: one style, and never another meaning.
//!
//! A file is written only if it has no syntax errors, if the new text reads as the same statements with the
//! same comments, and if both texts are the same policy.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kpol_compiler::diagnostic::{Code, Diagnostic, Span};
use kpol_compiler::driver::{self, Options};
use kpol_compiler::source::graph::{self, MAX_ROOT};
use kpol_compiler::source::{Disk, LoadError, Loader, SourceFile, Sources};
use kpol_compiler::write::{self, Mode, Output};

use crate::build::unified;
use crate::inputs;
use crate::report::{Place, Report};
use crate::settings::{self, Projects};
use crate::ui::{Format, FormatArg, Status, Trouble, Ui};

/// As `check` and `build` take it.
const LIMIT: u64 = MAX_ROOT;

/// Bring policies into the one style.
///
/// Keeps every comment. A file with syntax errors is left as it is.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  kpolc fmt web.kpol           rewrite it
  kpolc fmt --check profiles/  exit 1 and list what is not in style
  kpolc fmt --diff web.kpol    show what would change
  kpolc fmt - < web.kpol       from stdin to stdout, for editors")]
pub struct Args {
    /// Policies, folders of them, or `-` for stdin
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Write nothing; list what is not in style, and exit 1 if anything is
    #[arg(long)]
    check: bool,
    /// Write nothing; show what would change
    #[arg(long)]
    diff: bool,
    /// Search DIR for `include "..."`: that a text means the same as before is seen with what it includes
    #[arg(short = 'I', long = "include", value_name = "DIR", value_parser = settings::folder)]
    include: Vec<PathBuf>,
    #[command(flatten)]
    pub format: FormatArg,
}

/// The text in style; `None` where it has syntax errors.
fn formatted(text: &str) -> Option<String> {
    kpol_grammar::format(text)
}

/// Whether two texts are the same statements with the same comments.
fn same_text(old: &str, new: &str) -> bool {
    let tree = |text| kpol_grammar::parse::parse(text).0;
    kpol_grammar::same_meaning(&tree(old), &tree(new))
}

/// Whether two texts of the file `path` are the same policy. Where either has errors, there is no policy to compare,
/// and [`same_text`] has to do.
fn same_policy(path: &Path, options: &Options, old: &str, new: &str) -> bool {
    driver::same_policy(&Disk, path, options, [old, new]) != Some(false)
}

/// What became of one text.
enum Answer {
    InStyle,
    New {
        old: String,
        new: String,
    },
    /// It stays as it is, for these reasons.
    Broken(Sources, Vec<Diagnostic>),
}

fn work(path: &Path, options: &Options, text: Result<Vec<u8>, LoadError>) -> Answer {
    let name = path.display();
    let broken = |diagnostic| Answer::Broken(Sources::default(), vec![diagnostic]);
    let bytes = match text {
        Ok(bytes) => bytes,
        Err(error) => return broken(graph::unreadable(path, &error, LIMIT)),
    };
    let Ok(old) = String::from_utf8(bytes) else {
        return broken(Diagnostic::without_place(Code::E004, format!("`{name}` is not UTF-8")));
    };
    let Some(new) = formatted(&old) else {
        let mut sources = Sources::default();
        let text: Arc<str> = old.into();
        let (name, path) = (name.to_string(), path.to_owned());
        let tree = Disk.parse(&path, &text);
        let id = sources.add(SourceFile { name, path, text: Arc::clone(&text) });
        return Answer::Broken(sources, graph::syntax_diagnostics(id, &text, &tree));
    };
    if new == old {
        Answer::InStyle
    } else if same_text(&old, &new) && same_policy(path, options, &old, &new) {
        Answer::New { old, new }
    } else {
        let message = format!("formatting `{name}` would change its meaning: a mistake in kpolc; left as it is");
        broken(Diagnostic::without_place(Code::E070, message))
    }
}

pub fn run(args: &Args, ui: &Ui) -> Result<Status, Trouble> {
    if args.paths.iter().any(|path| path == Path::new("-")) {
        if args.paths.len() > 1 {
            return Err(Trouble::new("`-` is stdin and stands alone"));
        }
        return stream(args, ui);
    }
    let inputs = inputs::expand(&args.paths)?;
    let mut report = Report::default();
    let settings = settings::Args::with_includes(&args.include);
    let mut projects = Projects::new(&Disk, &settings);
    // What is included is part of the policy, and the project file may say where it is.
    let jobs: Vec<_> = inputs.iter().map(|input| (input, projects.settings(&input.path, &mut report))).collect();
    let answers = inputs::parallel(&jobs, ui, |(input, settings)| {
        work(&input.path, &settings.options, Disk.read(&input.path, LIMIT))
    });
    let mut outputs = Vec::new();
    let mut text = String::new();
    let (mut kept, mut broken) = (0usize, 0usize);
    for (input, answer) in inputs.iter().zip(answers) {
        let path = &input.path;
        match answer {
            Answer::InStyle => kept += 1,
            Answer::Broken(sources, diagnostics) => {
                broken += 1;
                report.add(&sources, diagnostics);
            }
            Answer::New { old, new } => {
                if args.diff {
                    text += &unified(&path.display().to_string(), &old, &new);
                } else if args.check {
                    text += &format!("{}\n", path.display());
                }
                if args.check && ui.format != Format::Human {
                    let (sources, diagnostic) = not_in_style(path, &old, &new);
                    report.add(&sources, vec![diagnostic]);
                }
                outputs.push(Output { path: path.clone(), bytes: new.into_bytes() });
            }
        }
    }
    let mut status = Status::Fine;
    if args.check || args.diff {
        // In the forms for programs the findings say it.
        if ui.format == Format::Human || args.diff && !args.check {
            Ui::show(&text)?;
        }
        if args.check && !outputs.is_empty() {
            status = Status::Findings;
        }
    } else {
        // One by one: each file is whole for itself, and one that cannot be written keeps no other from its style.
        for output in &outputs {
            if let Err(error) = write::commit(std::slice::from_ref(output), Mode::Plain) {
                report.push(Diagnostic::without_place(Code::E070, error.to_string()));
            }
        }
        report.print(ui, Place::Asked)?;
        let left = match broken {
            0 => String::new(),
            1 => ", 1 left as it was".to_owned(),
            many => format!(", {many} left as they were"),
        };
        ui.note(&format!("{} rewritten, {kept} already in style{left}", outputs.len()));
    }
    if args.check || args.diff {
        report.print(ui, if args.diff { Place::Aside } else { Place::Asked })?;
        if args.check && !outputs.is_empty() {
            ui.note("not in style: `kpolc fmt` rewrites these files");
        }
    }
    Ok(status.max(report.status()))
}

/// E072, at the first line that would change.
fn not_in_style(path: &Path, old: &str, new: &str) -> (Sources, Diagnostic) {
    let mut sources = Sources::default();
    let name = path.display().to_string();
    let message = format!("`{name}` is not in style");
    let id = sources.add(SourceFile { name: name.clone(), path: path.to_owned(), text: old.into() });
    let mut start = 0;
    let mut lines = old.split_inclusive('\n').zip(new.split_inclusive('\n').map(Some).chain(std::iter::repeat(None)));
    let first = lines.find_map(|(old, new)| {
        let begin = start;
        start += old.len();
        (Some(old) != new).then_some(begin..begin + old.trim_end().len())
    });
    let first = first.unwrap_or(old.len()..old.len());
    let place = Span { file: id, bytes: kpol_grammar::ast::Span::new(first.start, first.end) };
    (sources, Diagnostic::new(Code::E072, place, message).help(format!("`kpolc fmt {name}` rewrites it")))
}

/// From stdin to stdout. Text that cannot be formatted gives no output, so an editor keeps what it has.
fn stream(args: &Args, ui: &Ui) -> Result<Status, Trouble> {
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .take(LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Trouble::new(format!("cannot read standard input: {error}")))?;
    let text = if bytes.len() as u64 > LIMIT { Err(LoadError::TooLarge(None)) } else { Ok(bytes.clone()) };
    let options = Options { include_dirs: args.include.clone(), ..Options::default() };
    match work(Path::new("<stdin>"), &options, text) {
        Answer::Broken(sources, diagnostics) => {
            let mut report = Report::default();
            report.add(&sources, diagnostics);
            report.print(ui, Place::Aside)?;
            Ok(report.status())
        }
        Answer::InStyle => {
            if !args.check && !args.diff {
                Ui::product(&bytes)?;
            }
            Ok(Status::Fine)
        }
        Answer::New { old, new } => {
            if args.diff {
                Ui::show(&unified("<stdin>", &old, &new))?;
            } else if args.check {
                Ui::show("<stdin>\n")?;
            } else {
                Ui::product(new.as_bytes())?;
            }
            Ok(if args.check { Status::Findings } else { Status::Fine })
        }
    }
}
