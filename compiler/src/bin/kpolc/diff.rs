//! `kpolc diff`: where two filters answer differently.

mod text;

use std::path::PathBuf;

use kpol_compiler::answer::diff::{Side, diff};
use kpol_compiler::diagram::Store;
use kpol_compiler::driver::load::Filter;

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
  kpolc diff --format markdown a.json b.json      for a comment on a change")]
pub struct Args {
    /// The filter that the other is compared with
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The other
    #[arg(value_name = "NEW")]
    new: PathBuf,
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
    let mut store = Store::default();
    // There is nothing to compare with a policy that has errors.
    let (old, new) =
        match filters::open_both(&args.files.files()?, [&args.old, &args.new], &args.settings, &mut store, ui)? {
            [Ok(old), Ok(new)] => (old.filter, new.filter),
            _ => return Ok(Status::Trouble),
        };
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
