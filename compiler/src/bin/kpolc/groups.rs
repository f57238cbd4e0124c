//! `kpolc groups`: the built-in groups, and the profiles to include, as the library says them.
//!
//! ```text
//! @basic-io                a group: shown with its comment, as it would be written
//! <profiles/runtime-base>  a profile: the whole file
//! ```

use std::fmt::Write as _;

use kpol_compiler::library::{self, LibraryFile};
use kpol_compiler::source::project;

use crate::ui::{Status, Trouble, Ui};

/// Show the built-in groups, and the profiles to include.
///
/// Groups need no include; profiles are taken by `include <profiles/NAME>`. Each is shown as it would be written, so it
/// can be copied and changed under another name.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  kpolc groups                       all, with a line each
  kpolc groups @network-io           what is in a group
  kpolc groups profiles/go-runtime   what is in a profile")]
pub struct Args {
    /// Such as @basic-io, where the `@` may be left out, or profiles/go-runtime
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

pub fn run(args: &Args, _ui: &Ui) -> Result<Status, Trouble> {
    let text = match &args.name {
        None => list(),
        Some(name) => shown(name)?,
    };
    Ui::show(&text)?;
    Ok(Status::Fine)
}

fn profiles() -> impl Iterator<Item = &'static LibraryFile> {
    library::files().iter().filter(|file| !file.is_groups())
}

fn shown(name: &str) -> Result<String, Trouble> {
    let plain = name.trim_matches(['<', '>']).trim_end_matches(".kpol");
    let profile = |file: &&LibraryFile| file.name == plain || file.name.strip_prefix("profiles/") == Some(plain);
    let group = if name.starts_with('@') { name.to_owned() } else { format!("@{name}") };
    // A group first: of one name with a profile it is the one that needs no include.
    if let Some(text) = one(&group).or_else(|| profiles().find(profile).map(|file| file.text.to_owned())) {
        return Ok(text);
    }
    let (kind, near) = if plain.contains('/') {
        ("profile", project::near(plain, profiles().map(|file| file.name)))
    } else {
        let near = project::near(&group, library::group_names());
        (
            "built-in group",
            near.or_else(|| project::near(&format!("profiles/{plain}"), profiles().map(|file| file.name))),
        )
    };
    let hint = near.map_or("`kpolc groups` lists all".to_owned(), |near| format!("did you mean `{near}`?"));
    let name = if kind == "profile" { plain } else { &group };
    Err(Trouble::new(format!("no {kind} `{name}`; {hint}")))
}

/// The definition of a group with the comment above it. The library's own style (a test of the library keeps
/// it) has `group @name {` at the beginning of a line and `}` alone at the end.
fn one(name: &str) -> Option<String> {
    let lines: Vec<&str> = library::group_file(name)?.text.lines().collect();
    let head = lines
        .iter()
        .position(|line| line.strip_prefix("group ").is_some_and(|rest| rest.split([' ', '{']).next() == Some(name)))?;
    let doc = lines[..head].iter().rev().take_while(|line| line.starts_with("///")).count();
    let tail = lines[head..].iter().position(|line| line.trim_end().ends_with('}') && !line.starts_with(' '))?;
    Some(lines[head - doc..=head + tail].iter().fold(String::new(), |text, line| text + line + "\n"))
}

fn list() -> String {
    let mut groups: Vec<&str> = library::group_names().collect();
    groups.sort_unstable();
    let groups = groups.into_iter().map(|name| {
        let text = one(name).unwrap_or_default();
        (name.to_owned(), first_line(&text, "///").to_owned())
    });
    // A file says in its first line what it is for.
    let profiles = profiles().map(|file| (format!("<{}>", file.name), first_line(file.text, "//!").to_owned()));
    let lines: Vec<(String, String)> = groups.chain(profiles).collect();
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    lines.iter().fold(String::new(), |mut text, (name, doc)| {
        let _ = writeln!(text, "{}", format!("{name:width$}  {doc}").trim_end());
        text
    })
}

fn first_line<'a>(text: &'a str, mark: &str) -> &'a str {
    text.lines().next().and_then(|line| line.strip_prefix(mark)).map_or("", str::trim)
}
