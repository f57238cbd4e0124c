//! `kpolc`: arguments in, one call of the library, words out. One file a subcommand.
//!
//! ```text
//! kpolc check web.kpol            findings to stderr      0 fine · 1 findings · 2 usage, configuration or I/O
//! kpolc build web.kpol -o -       findings to stderr, the product to stdout
//! ```

mod aim;
mod build;
mod check;
mod completions;
mod diff;
mod explain;
mod filters;
mod fix;
mod fmt;
mod groups;
mod import;
mod includes;
mod inputs;
mod lsp;
mod man;
mod new;
mod report;
mod run;
mod settings;
mod show;
mod stats;
mod ui;
mod why;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use kpol_compiler::driver::{Own, Writer};

use ui::{Format, Status, Ui};

/// Compiler of kpol, a policy language for Linux syscall filters.
#[derive(Debug, Parser)]
#[command(name = "kpolc", version, max_term_width = 100, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "Exit status: 0 fine, 1 findings, 2 usage, configuration or I/O, 101 a mistake in kpolc.\n\
    `kpolc explain CODE` tells what a finding means; `kpolc help COMMAND` has examples.")]
struct Cli {
    #[command(flatten)]
    ui: ui::Args,
    #[command(subcommand)]
    command: Command,
}

// No comments on the variants: clap would take them in place of the longer ones at each `Args`.
#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Args),
    Build(build::Args),
    Why(why::Args),
    Diff(diff::Args),
    Show(show::Args),
    Stats(stats::Args),
    Fmt(fmt::Args),
    Run(run::Args),
    New(new::Args),
    Import(import::Args),
    Groups(groups::Args),
    Explain(explain::Args),
    Lsp(lsp::Args),
    Completions(completions::Args),
    Man(man::Args),
}

impl Command {
    /// The form that was asked for; commands without findings have none to choose.
    fn format(&self) -> Format {
        let arg = match self {
            Self::Check(args) => args.format,
            Self::Build(args) => args.format,
            Self::Why(args) => args.format,
            Self::Diff(args) => args.format,
            Self::Show(args) => args.format,
            Self::Stats(args) => args.format,
            Self::Fmt(args) => args.format,
            Self::Run(args) => args.format,
            Self::Import(args) => args.format,
            Self::Groups(args) => args.format,
            Self::Explain(args) => args.format,
            Self::New(_) | Self::Lsp(_) | Self::Completions(_) | Self::Man(_) => {
                return Format::Human;
            }
        };
        arg.format
    }
}

fn main() -> ExitCode {
    kpolc(&Cli::parse(), &Own).into()
}

/// The whole program but for its process. Products are by `writer`, which is always [`Own`], but in a test of what
/// becomes of mistakes.
fn kpolc(cli: &Cli, writer: &dyn Writer) -> Status {
    let ui = Ui::new(&cli.ui, cli.command.format());
    let status = match &cli.command {
        Command::Check(args) => check::run(args, &ui),
        Command::Build(args) => build::run(args, &ui, writer),
        Command::Why(args) => why::run(args, &ui),
        Command::Diff(args) => diff::run(args, &ui),
        Command::Show(args) => show::run(args, &ui),
        Command::Stats(args) => stats::run(args, &ui),
        Command::Fmt(args) => fmt::run(args, &ui),
        Command::Run(args) => run::run(args, &ui, writer),
        Command::New(args) => new::run(args, &ui),
        Command::Import(args) => import::run(args, &ui),
        Command::Groups(args) => groups::run(args, &ui),
        Command::Explain(args) => explain::run(args, &ui),
        Command::Lsp(args) => lsp::run(args, &ui),
        Command::Completions(args) => completions::run(args, &ui),
        Command::Man(args) => man::run(args, &ui),
    };
    status.unwrap_or_else(|trouble| {
        ui.error(&trouble);
        Status::Trouble
    })
}

#[cfg(test)]
mod disproved;

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_fit_together() {
        super::Cli::command().debug_assert();
    }
}
