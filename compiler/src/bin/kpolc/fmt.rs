//! `kpolc fmt`: one style, and never another meaning.
//!
//! A file is written only if it has no syntax errors, if the new text reads as the same statements with the
//! same comments, and if both texts are the same policy.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use kpol_compiler::diagnostic::{Code, Diagnostic};
use kpol_compiler::driver::{self, Options};
use kpol_compiler::source::{Disk, LoadError, Loader};
use kpol_compiler::write::{self, Mode, Output};

use crate::build::unified;
use crate::inputs;
use crate::report::{Place, Report};
use crate::settings::{self, Projects};
use crate::ui::{Status, Trouble, Ui};

/// As for every policy: more is no policy.
const LIMIT: u64 = 1 << 20;

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
    #[arg(short = 'I', long = "include", value_name = "DIR")]
    include: Vec<PathBuf>,
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
    New { old: String, new: String },
    Broken(Diagnostic),
}

fn work(path: &Path, options: &Options, text: Result<Vec<u8>, LoadError>) -> Answer {
    let name = path.display();
    let broken = |code, message: String| Answer::Broken(Diagnostic::without_place(code, message));
    let bytes = match text {
        Ok(bytes) => bytes,
        Err(LoadError::Io(error)) => return broken(Code::E010, format!("cannot read `{name}`: {error}")),
        Err(LoadError::NotAFile(word)) => return broken(Code::E010, format!("cannot read `{name}`: it is {word}")),
        Err(LoadError::TooLarge(_)) => return broken(Code::E011, format!("`{name}` is larger than {LIMIT} bytes")),
    };
    let Ok(old) = String::from_utf8(bytes) else {
        return broken(Code::E004, format!("`{name}` is not UTF-8; left as it is"));
    };
    let Some(new) = formatted(&old) else {
        let diagnostic = Diagnostic::without_place(Code::E001, format!("`{name}` has syntax errors; left as it is"));
        // What came by stdin has no name to check it by.
        return Answer::Broken(if path == Path::new("<stdin>") {
            diagnostic
        } else {
            diagnostic.help(format!("`kpolc check {name}` shows them"))
        });
    };
    if new == old {
        Answer::InStyle
    } else if same_text(&old, &new) && same_policy(path, options, &old, &new) {
        Answer::New { old, new }
    } else {
        broken(Code::E070, format!("formatting `{name}` would change its meaning: a mistake in kpolc; left as it is"))
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
    let mut kept = 0usize;
    for (input, answer) in inputs.iter().zip(answers) {
        let path = &input.path;
        match answer {
            Answer::InStyle => kept += 1,
            Answer::Broken(diagnostic) => report.push(diagnostic),
            Answer::New { old, new } => {
                if args.diff {
                    text += &unified(&path.display().to_string(), &old, &new);
                } else if args.check {
                    text += &format!("{}\n", path.display());
                }
                outputs.push(Output { path: path.clone(), bytes: new.into_bytes() });
            }
        }
    }
    let mut status = Status::Fine;
    if args.check || args.diff {
        Ui::show(&text)?;
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
        ui.note(&format!("{} rewritten, {kept} already in style", outputs.len()));
    }
    report.print(ui, Place::Aside)?;
    Ok(status.max(report.status()))
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
        Answer::Broken(diagnostic) => {
            let mut report = Report::default();
            report.push(diagnostic);
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
