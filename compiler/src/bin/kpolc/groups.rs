//! `kpolc groups`: the built-in groups, as the library says them.

use std::fmt::Write as _;

use kpol_compiler::library;
use kpol_compiler::source::project;

use crate::ui::{Status, Trouble, Ui};

/// Show the built-in groups.
///
/// They need no include. A group is shown as it would be written, so it can be copied and changed under another name.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  kpolc groups              all, with a line each
  kpolc groups @network-io  what is in one")]
pub struct Args {
    /// Such as @basic-io; the `@` may be left out
    #[arg(value_name = "@NAME")]
    name: Option<String>,
}

pub fn run(args: &Args, _ui: &Ui) -> Result<Status, Trouble> {
    let text = match &args.name {
        None => list(),
        Some(name) => {
            let name = if name.starts_with('@') { name.clone() } else { format!("@{name}") };
            one(&name).ok_or_else(|| {
                let near = project::near(&name, library::group_names());
                let hint = near.map_or("`kpolc groups` lists all".to_owned(), |near| format!("did you mean `{near}`?"));
                Trouble::new(format!("no built-in group `{name}`; {hint}"))
            })?
        }
    };
    Ui::show(&text)?;
    Ok(Status::Fine)
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
    let mut names: Vec<&str> = library::group_names().collect();
    names.sort_unstable();
    let width = names.iter().map(|name| name.len()).max().unwrap_or(0);
    names.iter().fold(String::new(), |mut text, name| {
        let group = one(name).unwrap_or_default();
        let doc = group.lines().next().and_then(|line| line.strip_prefix("///")).map_or("", str::trim);
        let _ = writeln!(text, "{}", format!("{name:width$}  {doc}").trim_end());
        text
    })
}
