//! `kpolc diff`: where two filters answer differently.

mod git;
mod text;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use kpol_compiler::answer::diff::{Side, diff};
use kpol_compiler::diagram::Store;
use kpol_compiler::driver::load::Filter;
use kpol_compiler::source::{Disk, Loader};
use kpol_grammar::ast::StatementKind;

use crate::filters;
use crate::settings;
use crate::ui::{Format, FormatArg, Status, Trouble, Ui};

/// Say where two filters answer differently.
///
/// Each is a policy, a JSON profile or raw BPF (.kpol, .json, .bpf). They are compared by what they mean, call by
/// call: formatting, order and the form of the file play no part. Exit status: 0 the same, 1 different, 2 trouble.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  kpolc diff old.kpol new.kpol
  kpolc diff web.kpol /etc/seccomp/web.json       is that what is installed?
  kpolc diff --fail-on widen main.kpol web.kpol   exit 1 only if something new is let through
  kpolc diff --git main web.kpol                  web.kpol of a revision, with its includes, and as it is now
  kpolc diff --format markdown a.json b.json      for a comment on a change")]
pub struct Args {
    /// The filter that the other is compared with
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The other
    #[arg(value_name = "NEW", required_unless_present_any = ["git", "git_driver"], conflicts_with = "git")]
    new: Option<PathBuf>,
    /// Compare OLD as it is in a revision of git, with the includes and the project file of that revision, with OLD as it is now
    #[arg(long, value_name = "REV")]
    git: Option<String>,
    /// For `diff.<driver>.command` of git, which adds what it compares
    #[arg(long, hide = true, conflicts_with = "git")]
    git_driver: bool,
    /// What git adds
    #[arg(hide = true, requires = "git_driver")]
    handed: Vec<OsString>,
    /// Which differences make the exit status 1
    #[arg(long, value_enum, default_value = "any", value_name = "WHICH")]
    fail_on: FailOn,
    #[command(flatten)]
    files: filters::Args,
    #[command(flatten)]
    settings: settings::Args,
    #[command(flatten)]
    pub format: FormatArg,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    /// All of them
    Any,
    /// Those by which NEW lets through what OLD does not
    Widen,
    /// None
    Never,
}

pub fn run(args: &Args, ui: &Ui) -> Result<Status, Trouble> {
    if !matches!(ui.format, Format::Human | Format::Json | Format::Markdown) {
        return Err(Trouble::new("`diff` prints `--format human`, `json` or `markdown`"));
    }
    if args.git_driver {
        return driver(args, ui);
    }
    let files = args.files.files()?;
    if let Some(revision) = &args.git {
        let tree = git::Tree::of(revision, &args.old)?;
        let name = format!("{}:{}", revision, args.old.display());
        return compare(
            args,
            [&tree, &files],
            [&args.old, &args.old],
            Some([name, args.old.display().to_string()]),
            ui,
        );
    }
    // clap wants it where there is no revision.
    let new = args.new.as_deref().unwrap_or(&args.old);
    compare(args, [&files, &files], [&args.old, new], None, ui)
}

/// What a change means, and where that cannot be said, or means nothing by itself, what its lines are: git shows it and goes on.
fn driver(args: &Args, ui: &Ui) -> Result<Status, Trouble> {
    let words: Vec<OsString> = [args.old.clone().into_os_string()]
        .into_iter()
        .chain(args.new.clone().map(PathBuf::into_os_string))
        .chain(args.handed.iter().cloned())
        .collect();
    if let [path] = words.as_slice() {
        // So git says that a file has several versions at once.
        Ui::show(&format!("* unmerged: {}\n", crate::ui::printable(&path.to_string_lossy())))?;
        return Ok(Status::Fine);
    }
    let handed = git::Handed::read(&words)?;
    let is_policy = |side: &Option<Vec<u8>>| {
        let text = side.as_deref().map(String::from_utf8_lossy)?;
        let (file, _) = kpol_grammar::parse(&text);
        Some(file.statements.iter().any(|statement| matches!(statement.kind, StatementKind::Default { .. })))
    };
    let path = handed.path.as_path();
    // Includes are found from where the file lies, whatever git calls the copy that it hands over.
    let canonical = Disk.canonical(path);
    if let ([Some(true), Some(true)], Ok(canonical), [Some(old), Some(new)]) =
        (handed.sides.each_ref().map(is_policy), canonical, &handed.sides)
    {
        let side = |text: &[u8]| {
            let mut files = filters::Files::default();
            files.put(canonical.clone(), text.to_vec());
            files
        };
        let (old, new) = (side(old), side(new));
        let name = path.display().to_string();
        let names = Some([format!("a/{name}"), format!("b/{name}")]);
        match compare(args, [&old, &new], [path, path], names, ui) {
            Ok(Status::Trouble) => {}
            Ok(_) => return Ok(Status::Fine),
            Err(trouble) => ui.error(&trouble),
        }
    }
    Ui::show(&crate::ui::printable_lines(&handed.text()))?;
    Ok(Status::Fine)
}

fn compare(
    args: &Args,
    loaders: [&dyn Loader; 2],
    paths: [&Path; 2],
    names: Option<[String; 2]>,
    ui: &Ui,
) -> Result<Status, Trouble> {
    let mut store = Store::default();
    // There is nothing to compare with a policy that has errors.
    let (mut old, mut new) = match filters::open_both(loaders, paths, &args.settings, &mut store, ui)? {
        [Ok(old), Ok(new)] => (old.filter, new.filter),
        _ => return Ok(Status::Trouble),
    };
    if let Some(names) = names {
        [old.name, new.name] = names;
    }
    for filter in [&old, &new] {
        if let Some(names) = filter.doubtful().first() {
            return Err(Trouble::new(format!(
                "`{}` cannot be compared: what {names} get is undetermined, since its entries contradict each other",
                filter.name
            )));
        }
    }
    let found = diff(&mut store, side(&old), side(&new));
    if store.overflowed() {
        return Err(Trouble::new("the two differ in more ways than can be told apart within bounds"));
    }
    let names = [old.name.as_str(), new.name.as_str()];
    Ui::show(&match ui.format {
        Format::Json => text::json(&found, names),
        Format::Markdown => text::markdown(&found, names),
        _ => text::human(&found, names),
    })?;
    let fails = match args.fail_on {
        FailOn::Any => !found.is_empty(),
        FailOn::Widen => found.widens(),
        FailOn::Never => false,
    };
    Ok(if fails { Status::Findings } else { Status::Fine })
}

fn side(filter: &Filter) -> Side<'_> {
    Side { function: &filter.function, archs: &filter.archs, declared: &filter.declared, waivers: filter.waivers() }
}
