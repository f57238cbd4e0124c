//! `kpolc completions`: what a shell needs to complete our arguments.

use clap::CommandFactory;

use crate::Cli;
use crate::ui::{Status, Trouble, Ui};

/// Print completions for a shell.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  kpolc completions bash > /etc/bash_completion.d/kpolc
  kpolc completions fish > ~/.config/fish/completions/kpolc.fish")]
pub struct Args {
    shell: clap_complete::Shell,
}

pub fn run(args: &Args, _ui: &Ui) -> Result<Status, Trouble> {
    // Into memory first: the generator panics where its writer fails.
    let mut bytes = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "kpolc", &mut bytes);
    Ui::show(&String::from_utf8_lossy(&bytes))?;
    Ok(Status::Fine)
}
