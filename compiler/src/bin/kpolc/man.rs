//! `kpolc man`: the manual pages, from the same words as `--help`.

use std::io::{self, Write as _};
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

fn page(command: &clap::Command) -> Result<Vec<u8>, Trouble> {
    render(command).map_err(|error| Trouble::new(format!("cannot make the manual page: {error}")))
}

/// As `Man::render` does it, but for the words behind the options: it would fill the lines of the examples.
fn render(command: &clap::Command) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone()).manual("kpol").source(concat!("kpolc ", env!("CARGO_PKG_VERSION")));
    let mut bytes = Vec::new();
    man.render_title(&mut bytes)?;
    man.render_name_section(&mut bytes)?;
    man.render_synopsis_section(&mut bytes)?;
    man.render_description_section(&mut bytes)?;
    man.render_options_section(&mut bytes)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut bytes)?;
    }
    let behind = command.get_after_long_help().or(command.get_after_help());
    for part in behind.map(ToString::to_string).unwrap_or_default().split("\n\n") {
        section(&mut bytes, part)?;
    }
    if command.get_name() != "kpolc" {
        writeln!(bytes, ".SH \"SEE ALSO\"\n\\fBkpolc\\fR(1), \\fBkpolc-explain\\fR(1), \\fBseccomp\\fR(2)")?;
    }
    Ok(bytes)
}

/// `Examples:` with a line each, or a sentence that begins `Exit status: `.
fn section(bytes: &mut Vec<u8>, part: &str) -> io::Result<()> {
    let Some((title, text)) = part.split_once(':') else { return Ok(()) };
    writeln!(bytes, ".SH \"{}\"\n.nf", title.to_uppercase())?;
    for line in text.trim_start_matches(['\n', ' ']).lines() {
        // A line that begins with a point or a quote would be a request; a hyphen is to be copied as one.
        writeln!(bytes, "\\&{}", line.trim_start().replace('\\', "\\e").replace('-', "\\-"))?;
    }
    writeln!(bytes, ".fi")
}

pub fn run(args: &Args, ui: &Ui) -> Result<Status, Trouble> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let Some(folder) = &args.folder else {
        Ui::show(&String::from_utf8_lossy(&page(&root)?))?;
        return Ok(Status::Fine);
    };
    let mut outputs = Vec::new();
    for command in root.get_subcommands() {
        let name = format!("kpolc-{}", command.get_name());
        let path = folder.join(format!("{name}.1"));
        outputs.push(Output { path, bytes: page(&command.clone().display_name(name))? });
    }
    outputs.push(Output { path: folder.join("kpolc.1"), bytes: page(&root)? });
    write::commit(&outputs, Mode::Plain).map_err(|error| Trouble::new(error.to_string()))?;
    ui.note(&format!("wrote {} pages to {}", outputs.len(), folder.display()));
    Ok(Status::Fine)
}
