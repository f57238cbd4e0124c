//! `kpolc new`: a start that explains itself.

use std::path::{Path, PathBuf};

use clap::builder::PossibleValue;
use kpol_compiler::library::{self, starters};
use kpol_compiler::write::{self, Output};

use crate::ui::{Status, Trouble, Ui};

/// Write a commented start.
///
/// Without `--from` it is a policy that shows the language. A starter is a policy for one kind of program, which allows little more than that
/// program was seen to call, with the reason for each group. Never overwrites a file.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  kpolc new web                 web.kpol, with a comment on everything
  kpolc new web --from nginx    web.kpol, a policy for nginx
  kpolc new - --from redis      to standard output
  kpolc new --list              the starters, with a line each
  kpolc new web --from network-server
                                a copy of that file of the library")]
pub struct Args {
    /// The new file; `.kpol` may be left out; `-` is standard output
    #[arg(required_unless_present = "list")]
    name: Option<PathBuf>,
    /// Begin with this starter, or with a copy of a file of the library such as network-server
    #[arg(long, value_name = "STARTER", value_parser = Names)]
    from: Option<String>,
    /// List the starters
    #[arg(long, conflicts_with_all = ["name", "from"])]
    list: bool,
}

/// Any text, so that a wrong one is answered with the near names; shells complete the starters, and the help lists them.
#[derive(Clone)]
struct Names;

impl clap::builder::TypedValueParser for Names {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, clap::Error> {
        clap::builder::StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let all = starters::all().iter();
        Some(Box::new(all.map(|starter| PossibleValue::new(starter.name).help(starter.about()))))
    }
}

const START: &str = r#"//! NAME: say here whom this policy is for.
//!
//! Order never matters. Rules that overlap and disagree are errors, never settled in silence.

// What no rule below names. EPERM is what programs expect; ENOSYS tells them that the kernel lacks the call.
default deny(EPERM)

// What crun, runc and podman call before the program runs, and the C library to start it. No container starts without.
include <base/runtime>

// What the program may do; `kpolc groups` tells what these hold.
allow { @default, @basic-io, @file-system, @io-event, @ipc, @process, @signal }

// Only what is needed of a call: arguments go by the kernel's own names.
allow { socket(family in {AF_UNIX, AF_INET, AF_INET6}) }

// The flags of clone3 are behind a pointer, where no filter sees them. This makes libc fall back to clone.
override deny(ENOSYS) { clone3 }

// Proven on every build, for all arguments and architectures.
assert "no way to load kernel code" { refused { @module } }
"#;

/// What `--from` names: a starter, or a file of the library by its whole name, its last part or an old name.
fn from(name: &str) -> Result<&'static str, Trouble> {
    let wanted = name.trim_matches(['<', '>']).trim_end_matches(".kpol");
    let file = library::renamed(wanted).unwrap_or(wanted);
    let last = |name: &'static str| name.rsplit('/').next().unwrap_or(name);
    let library = || library::includable().find(|other| other.name == file || last(other.name) == file);
    if let Some(text) = starters::get(wanted).map(|starter| starter.text).or_else(|| library().map(|file| file.text)) {
        return Ok(text);
    }
    let names = starters::all().iter().map(|starter| starter.name);
    let hint =
        match kpol_grammar::Offer::of(wanted, names.clone().chain(library::includable().map(|file| last(file.name)))) {
            Some(offer) => format!("did you mean `{}`?", offer.names.join("` or `")),
            None => {
                format!("there are {}; `kpolc new --list` says what each is for", names.collect::<Vec<_>>().join(", "))
            }
        };
    Err(Trouble::new(format!("no starter `{name}`: {hint}")))
}

fn start(path: &Path, from_name: Option<&str>) -> Result<String, Trouble> {
    if let Some(name) = from_name {
        return from(name).map(str::to_owned);
    }
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    // A name with a line break must not end the comment.
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    Ok(START.replacen("NAME", if name == "-" { "policy" } else { &name }, 1))
}

fn list() -> String {
    let width = starters::all().iter().map(|starter| starter.name.len()).max().unwrap_or_default();
    starters::all().iter().map(|starter| format!("{:width$}  {}\n", starter.name, starter.about())).collect()
}

pub fn run(args: &Args, ui: &Ui) -> Result<Status, Trouble> {
    let Some(name) = &args.name else {
        Ui::show(&list())?;
        return Ok(Status::Fine);
    };
    let text = start(name, args.from.as_deref())?;
    if name == Path::new("-") {
        Ui::product(text.as_bytes())?;
        return Ok(Status::Fine);
    }
    let mut path = name.clone();
    if path.file_name().is_none() {
        return Err(Trouble::new(format!("`{}` is not the name of a file", path.display())));
    }
    if path.extension().is_none_or(|extension| extension != "kpol") {
        path.as_mut_os_string().push(".kpol");
    }
    // The whole promise: it fails where anything has that name, a dangling link too.
    write::create(&Output { path: path.clone(), bytes: text.into_bytes() }).map_err(|error| {
        let shown = path.display();
        Trouble::new(match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                format!("`{shown}` exists and is left as it is: choose another name, or `-` for standard output")
            }
            _ => format!("cannot create `{shown}`: {error}"),
        })
    })?;
    ui.note(&format!("wrote {}", path.display()));
    Ok(Status::Fine)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_start_is_in_style() {
        assert_eq!(kpol_grammar::format(super::START).as_deref(), Some(super::START));
    }
}
