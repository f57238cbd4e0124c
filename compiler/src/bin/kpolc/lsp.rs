//! `kpolc lsp`: becomes the language server, which is a program of its own.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use crate::ui::{Status, Trouble, Ui};

/// The name of the program.
const NAME: &str = "kpol-lsp";

/// Start the language server, for an editor.
///
/// Runs `kpol-lsp` from the folder of this program or, if it is not there, from the PATH. It speaks LSP over standard
/// input and output.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  kpolc lsp            what to set as the command in an editor
  kpolc lsp --stdio    the same; some editors insist on saying it")]
pub struct Args {
    /// What it does anyway
    #[arg(long)]
    stdio: bool,
}

pub fn run(args: &Args, _ui: &Ui) -> Result<Status, Trouble> {
    let mut command = Command::new(program());
    if args.stdio {
        command.arg("--stdio");
    }
    // Comes back only where it could not be started.
    let error = command.exec();
    Err(Trouble::new(format!("cannot start `{NAME}`: {error}; it is installed beside `kpolc`")))
}

fn program() -> PathBuf {
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join(NAME)));
    beside.filter(|path| path.is_file()).unwrap_or_else(|| PathBuf::from(NAME))
}
