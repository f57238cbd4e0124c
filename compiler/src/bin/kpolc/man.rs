//! `kpolc man`: the manual pages, from the same words as `--help`.

use std::path::PathBuf;

use clap::CommandFactory;
use clap_mangen::Man;
use kpol_compiler::write::{self, Mode, Output};

use crate::Cli;
use crate::ui::{Status, Trouble, Ui};

/// Print or write the manual pages.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  kpolc man | man -l -                   read the main page
  kpolc man /usr/local/share/man/man1    install all of them")]
pub struct Args {
    /// Write kpolc.1, kpolc-check.1, ... into this folder
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

fn page(command: clap::Command) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::new();
    Man::new(command)
        .manual("kpol")
        .render(&mut bytes)
        .map_err(|error| Trouble::new(format!("cannot make the manual page: {error}")))?;
    Ok(bytes)
}

pub fn run(args: &Args, ui: &Ui) -> Result<Status, Trouble> {
    let mut root = Cli::command();
    root.build();
    let Some(folder) = &args.folder else {
        Ui::show(&String::from_utf8_lossy(&page(root)?))?;
        return Ok(Status::Fine);
    };
    let mut outputs = Vec::new();
    for command in root.get_subcommands().filter(|command| command.get_name() != "help") {
        let name = format!("kpolc-{}", command.get_name());
        let path = folder.join(format!("{name}.1"));
        outputs.push(Output { path, bytes: page(command.clone().display_name(name))? });
    }
    outputs.push(Output { path: folder.join("kpolc.1"), bytes: page(root)? });
    write::commit(&outputs, Mode::Plain).map_err(|error| Trouble::new(error.to_string()))?;
    ui.note(&format!("wrote {} pages to {}", outputs.len(), folder.display()));
    Ok(Status::Fine)
}
