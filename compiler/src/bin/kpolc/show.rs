//! `kpolc show`: every call and its fate, to be read, searched and filtered.

mod html;
pub mod text;

use std::io::IsTerminal as _;
use std::path::PathBuf;

use kpol_compiler::answer::show;
use kpol_compiler::diagram::Store;
use kpol_compiler::write::{self, Mode, Output};

use crate::filters;
use crate::settings;
use crate::ui::{Format, FormatArg, Status, Trouble, Ui};

/// Show every call and what it gets.
///
/// FILE is a policy, a JSON profile or raw BPF (.kpol, .json, .bpf). Calls are grouped by what they get, a line each, so
/// that grep finds them; conditions are those of the language, and of a policy the rule that decides is named. With
/// --html it is one page for a browser, with search and filters, that needs nothing beside it.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  kpolc show web.kpol | less
  kpolc show web.bpf | grep socket
  kpolc show web.kpol --html -o web.html
  kpolc show /etc/seccomp/web.json --format json")]
pub struct Args {
    /// The filter
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A page for a browser
    #[arg(long)]
    html: bool,
    /// Write to OUT instead of stdout
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    #[command(flatten)]
    files: filters::Args,
    #[command(flatten)]
    settings: settings::Args,
    #[command(flatten)]
    pub format: FormatArg,
}

pub fn run(args: &Args, ui: &Ui) -> Result<Status, Trouble> {
    if !matches!(ui.format, Format::Human | Format::Json) {
        return Err(Trouble::new("`show` prints `--format human` or `json`, or a page by `--html`"));
    }
    if args.html && ui.format == Format::Json {
        return Err(Trouble::new("`--html` and `--format json` are two forms; choose one"));
    }
    let mut store = Store::default();
    let opened = match filters::open(&args.files.files()?, &args.file, &args.settings, &mut store, ui)? {
        Ok(opened) => opened,
        Err(status) => return Ok(status),
    };
    let page = show::show(&mut store, &opened.filter, &opened.sources);
    if store.overflowed() {
        return Err(Trouble::new("this cannot be shown within bounds"));
    }
    let to_file = args.output.as_deref().filter(|path| *path != std::path::Path::new("-"));
    let text = match (args.html, ui.format) {
        (true, _) => html::page(&page, &opened.filter),
        (false, Format::Json) => text::json(&page, &opened.filter),
        (false, _) => {
            let paints = to_file.is_none() && ui.paints(std::io::stdout().is_terminal());
            text::human(&page, &opened.filter, paints)
        }
    };
    let Some(path) = to_file else {
        Ui::show(&text)?;
        return Ok(Status::Fine);
    };
    write::commit(&[Output { path: path.to_owned(), bytes: text.into_bytes() }], Mode::Plain)
        .map_err(|error| Trouble::new(error.to_string()))?;
    ui.note(&format!("{}: {}", path.display(), filters::many(page.calls.len(), "call")));
    Ok(Status::Fine)
}
