//! `kpolc explain`: the page of a code, or the list of all.

use std::io::{self, IsTerminal};

use kpol_compiler::diagnostic::{Code, explain};
use kpol_compiler::source::project;

use crate::ui::{Status, Trouble, Ui};

/// Tell what a code means.
///
/// Every finding has one. Each page has an example that gives it, what kpolc then says, and the example mended.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  kpolc explain            all codes, with a few words each
  kpolc explain E031       the story of one, with an example
  kpolc explain dead-rule  warnings have names too")]
pub struct Args {
    /// Such as E031
    code: Option<String>,
}

pub fn run(args: &Args, ui: &Ui) -> Result<Status, Trouble> {
    let Some(word) = &args.code else {
        Ui::show(&explain::list())?;
        return Ok(Status::Fine);
    };
    let code = Code::from_name(&word.to_ascii_uppercase()).or_else(|| project::lint(word)).ok_or_else(|| {
        let hint = match project::near_code(word) {
            Some(near) => format!("did you mean `{}` ({})?", near.as_str(), near.title()),
            None => "`kpolc explain` lists all".to_owned(),
        };
        Trouble::new(format!("no code `{word}`; {hint}"))
    })?;
    Ui::show(&explain::render(code, ui.paints(io::stdout().is_terminal()), Ui::width().min(100)))?;
    Ok(Status::Fine)
}
