//! `kpol-lsp`: the language server on standard input and output.

use std::process::ExitCode;

const HELP: &str = "\
Language server of kpol, a policy language for Linux syscall filters.

An editor starts it and speaks LSP with it over standard input and output.

Usage: kpol-lsp [--stdio]

Options:
      --stdio    What it does anyway; editors like to say it
  -h, --help     Print help
  -V, --version  Print version
";

fn main() -> ExitCode {
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--stdio" => {}
            "-h" | "--help" => {
                print!("{HELP}");
                return ExitCode::SUCCESS;
            }
            "-V" | "--version" => {
                println!("kpol-lsp {}", env!("CARGO_PKG_VERSION"));
                return ExitCode::SUCCESS;
            }
            other => {
                eprintln!("error: unknown argument `{other}`\n\n{HELP}");
                return ExitCode::from(2);
            }
        }
    }
    kpol_lsp::run()
}
