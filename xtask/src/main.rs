//! Chores of the workspace: `cargo xtask tables` makes the generated tables,
//! facts behind them from kernel headers and manual pages, `cargo xtask licences` checks dependencies.

mod harvest;
mod licences;
mod tables;

use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

Commands:
  tables [--check]                 make compiler/src/tables/*.rs from the facts, or check that they are as made
  harvest [--headers DIR… [--clang CLANG]] [--manual DIR]… [--linux DIR]…
                                   gather facts for them from the kernel headers of unpacked linux-libc-dev, the
                                   newest first, from folders of manual pages (man2), and from kernel sources, the
                                   newest first
  licences                         check dependencies: allowed licences, no unknown duplicate version; offline
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.split_first() {
        Some((command, rest)) if command == "tables" => tables::command(rest),
        Some((command, rest)) if command == "licences" => licences::command(rest),
        Some((command, rest)) if command == "harvest" => harvest::command(rest),
        Some((help, _)) if help == "help" || help == "--help" || help == "-h" => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Some((other, _)) => Err(Failure::Usage(format!("no command `{other}`"))),
        None => Err(Failure::Usage("no command given".to_owned())),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Found(text)) => {
            eprintln!("{text}");
            ExitCode::from(1)
        }
        Err(Failure::Usage(text)) => {
            eprintln!("xtask: {text}\n\n{USAGE}");
            ExitCode::from(2)
        }
        Err(Failure::Broken(text)) => {
            eprintln!("xtask: {text}");
            ExitCode::from(2)
        }
    }
}

/// Why a command did not end well.
#[derive(Debug)]
enum Failure {
    /// The check found something: exit status 1.
    Found(String),
    /// The command line is wrong: exit status 2.
    Usage(String),
    /// A file cannot be read, or says what it must not: exit status 2.
    Broken(String),
}

/// What commands give back.
type Outcome<T = ()> = Result<T, Failure>;

/// The folder of the workspace, which holds the folder of this crate.
fn workspace() -> std::path::PathBuf {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Reads a text file, with the path in the error.
fn read(path: &std::path::Path) -> Outcome<String> {
    std::fs::read_to_string(path).map_err(|error| Failure::Broken(format!("{}: {error}", path.display())))
}
