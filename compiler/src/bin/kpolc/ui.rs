//! The terminal: where words go, in which form, and how a command ends.
//!
//! What a command was asked for goes to stdout, everything said about it to stderr. A reader that has had
//! enough (`kpolc explain | head -1`) is no failure; a product that could not be delivered is one.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use kpol_compiler::diagnostic::render::terminal::Style;
use kpol_compiler::sys;

/// How a command ends; of several, the greatest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// 0
    Fine,
    /// 1
    Findings,
    /// 2
    Trouble,
    /// 101, as of a program that panics: a mistake of kpolc's own.
    Internal,
    /// As sh and env have it: 126 found but not executable, 127 not found.
    Run(u8),
}

impl Status {
    /// As the shell sees it.
    pub fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Findings => 1,
            Self::Trouble => 2,
            Self::Internal => 101,
            Self::Run(code) => code,
        }
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status.code())
    }
}

/// The form of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people, with the source drawn
    Human,
    /// For programs
    Json,
    /// SARIF 2.1.0, for code scanners
    Sarif,
    /// Annotations of GitHub Actions
    Github,
    /// A Code Quality report of GitLab
    Gitlab,
    /// One line a finding
    Concise,
    /// A list, for a comment on a change
    Markdown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

/// The option of commands that have findings.
#[derive(Debug, Clone, Copy, clap::Args)]
#[group(skip)]
pub struct FormatArg {
    /// Form of the findings: human, concise (a line each), markdown (a list), json, sarif, github or gitlab
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORM")]
    #[arg(help_heading = "Output", display_order = 900, hide_possible_values = true)]
    pub format: Format,
}

/// Options of every command.
#[derive(Debug, clap::Args)]
// Two structs of one name would be two groups of one name.
#[group(skip)]
pub struct Args {
    /// Colours: auto, always or never; `auto` heeds NO_COLOR, CLICOLOR and CLICOLOR_FORCE
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    #[arg(help_heading = "Output", display_order = 901, hide_possible_values = true)]
    color: Color,
    /// Say nothing but findings and errors
    #[arg(short, long, global = true, help_heading = "Output", display_order = 902)]
    quiet: bool,
}

/// What [`Args`] and the terminal come to.
#[derive(Debug, Clone, Copy)]
pub struct Ui {
    /// Form of the findings.
    pub format: Format,
    /// Say nothing but findings and errors.
    pub quiet: bool,
    color: Color,
}

fn set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

impl Ui {
    pub fn new(args: &Args, format: Format) -> Self {
        Self { format, quiet: args.quiet, color: args.color }
    }

    /// Whether to paint on something that is a terminal or not (no-color.org, bixense.com/clicolors).
    pub fn paints(&self, is_terminal: bool) -> bool {
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if set("NO_COLOR") => false,
            Color::Auto
                if std::env::var_os("CLICOLOR_FORCE").is_some_and(|value| !value.is_empty() && value != "0") =>
            {
                true
            }
            Color::Auto => {
                is_terminal
                    && std::env::var_os("CLICOLOR").is_none_or(|value| value != "0")
                    && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        }
    }

    /// Columns of the terminal behind stdout or stderr.
    pub fn width() -> usize {
        sys::terminal_columns().unwrap_or(100)
    }

    /// How findings are drawn on stderr.
    pub fn style(&self) -> Style {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find(|name| set(name)).and_then(std::env::var_os);
        let unicode = locale.is_none_or(|locale| {
            let locale = locale.to_string_lossy().to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        Style { color: self.paints(io::stderr().is_terminal()), unicode, width: Self::width() }
    }

    /// A line that `-q` silences.
    pub fn note(&self, line: &str) {
        if !self.quiet {
            Self::tell(line);
        }
    }

    /// A line to stderr. Where stderr is gone there is nobody left to tell.
    pub fn tell(line: &str) {
        let _ = writeln!(io::stderr(), "{line}");
    }

    /// Text as it is to stderr.
    pub fn tell_raw(text: &str) {
        let _ = io::stderr().write_all(text.as_bytes());
    }

    /// What went wrong outside of any policy.
    pub fn error(&self, trouble: &Trouble) {
        let (on, off) = if self.paints(io::stderr().is_terminal()) { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
        Self::tell(&format!("{on}error:{off} {}", printable(&trouble.0)));
    }

    /// Text that was asked for, to stdout. A reader that goes away early is content.
    pub fn show(text: &str) -> Result<(), Trouble> {
        match deliver(text.as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(stdout_trouble(&error)),
            _ => Ok(()),
        }
    }

    /// A product, to stdout: all of it or an error.
    pub fn product(bytes: &[u8]) -> Result<(), Trouble> {
        deliver(bytes).map_err(|error| stdout_trouble(&error))
    }
}

fn deliver(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

fn stdout_trouble(error: &io::Error) -> Trouble {
    Trouble(format!("cannot write to standard output: {error}"))
}

/// Names of files come from anywhere; none may speak to the terminal.
pub fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            if c.is_control() && c != '\n' { c.escape_default().collect::<String>() } else { c.to_string() }
                .chars()
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The same of the lines of a file, which may be indented by tabs.
pub fn printable_lines(text: &str) -> String {
    text.split('\t').map(printable).collect::<Vec<_>>().join("\t")
}

/// Usage, configuration or I/O: ends the command with status 2.
#[derive(Debug)]
pub struct Trouble(pub String);

impl Trouble {
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}
