//! `kpolc new`: a start that explains itself.

use std::path::PathBuf;

use kpol_compiler::library;
use kpol_compiler::write::{self, Output};

use crate::ui::{Status, Trouble, Ui};

/// Write a commented start.
///
/// Never overwrites a file.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  kpolc new web                 web.kpol, with a comment on everything
  kpolc new web --from network-server
                                a copy of that file of the library")]
pub struct Args {
    /// The new file; `.kpol` may be left out
    name: PathBuf,
    /// Begin with a copy of this file of the library, such as network-server or go-runtime; a wrong name lists them
    #[arg(long, value_name = "FILE")]
    from: Option<String>,
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

fn start(args: &Args) -> Result<String, Trouble> {
    let Some(from) = &args.from else {
        let name = args.name.file_stem().unwrap_or_default().to_string_lossy();
        // A name with a line break must not end the comment.
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        return Ok(START.replacen("NAME", &name, 1));
    };
    let wanted = from.trim_matches(['<', '>']).trim_end_matches(".kpol");
    let name = library::renamed(wanted).unwrap_or(wanted);
    let last = |file: &&library::LibraryFile| file.name == name || file.name.rsplit('/').next() == Some(name);
    library::includable().find(last).map(|file| file.text.to_owned()).ok_or_else(|| {
        let hint = match library::near(wanted) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                format!("there are: {}", library::includable().map(|file| file.name).collect::<Vec<_>>().join(", "))
            }
        };
        Trouble::new(format!("no file `{from}` in the library; {hint}"))
    })
}

pub fn run(args: &Args, ui: &Ui) -> Result<Status, Trouble> {
    let text = start(args)?;
    let mut path = args.name.clone();
    if path.file_name().is_none() {
        return Err(Trouble::new(format!("`{}` is not the name of a file", path.display())));
    }
    if path.extension().is_none_or(|extension| extension != "kpol") {
        path.as_mut_os_string().push(".kpol");
    }
    let wrong = |error: std::io::Error| Trouble::new(format!("cannot create `{}`: {error}", path.display()));
    let output = Output { path: path.clone(), bytes: text.into_bytes() };
    // The whole promise: it fails where anything has that name, a dangling link too.
    write::create(&output).map_err(wrong)?;
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
