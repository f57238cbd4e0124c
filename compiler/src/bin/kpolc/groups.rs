//! `kpolc groups`: the built-in groups, and the files to include, as the library says them.
//!
//! ```text
//! @basic-io                a group: shown with its comment, as it would be written
//! @effect-connect          an effect: the same, every member with its reason; as JSON for programs
//! <base/runtime>           a base or a guard: the whole file
//! ```

use std::fmt::Write as _;

use kpol_compiler::library::{self, Effect, LibraryFile};
use serde_json::{Value, json};

use crate::ui::{Format, FormatArg, Status, Trouble, Ui};

/// Show the built-in groups, and what the library has to include.
///
/// Groups need no include; bases and guards are taken by `include <base/NAME>` and `include <guard/NAME>`. Each is shown as it would be written, so it
/// can be copied and changed under another name. An effect is a group with every way that we know to bring a thing about: with
/// `--format json` its members, their reasons and its main calls are data.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  kpolc groups                       all, with a line each
  kpolc groups @network-io           what is in a group
  kpolc groups @effect-connect       every way to connect that we know, with its reason
  kpolc groups --format json         all effects, as data
  kpolc groups base/go-runtime       what is in a base")]
pub struct Args {
    /// Such as @basic-io, where the `@` may be left out, or base/go-runtime
    #[arg(value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    pub format: FormatArg,
}

pub fn run(args: &Args, ui: &Ui) -> Result<Status, Trouble> {
    let text = match (ui.format, &args.name) {
        (Format::Human, None) => list(),
        (Format::Human, Some(name)) => shown(name)?,
        (Format::Json, name) => as_json(name.as_deref())?,
        _ => return Err(Trouble::new("`groups` prints `--format human` or `json`")),
    };
    Ui::show(&text)?;
    Ok(Status::Fine)
}

/// One effect, or all.
fn as_json(name: Option<&str>) -> Result<String, Trouble> {
    let value = match name {
        None => library::effects().map(effect_json).collect(),
        Some(name) => {
            let plain = name.trim_start_matches('@').trim_start_matches("effect-");
            let Some(effect) = library::effects().find(|effect| effect.name() == plain) else {
                return Err(Trouble::new(format!(
                    "no effect `{name}`: `--format json` shows effects, `kpolc groups` lists them"
                )));
            };
            effect_json(effect)
        }
    };
    Ok(format!("{value:#}\n"))
}

fn effect_json(effect: Effect) -> Value {
    let ways: Vec<Value> = effect
        .ways()
        .into_iter()
        .map(|way| {
            let when = (!way.guard.is_empty()).then_some(way.guard);
            json!({ "group": way.group, "when": when, "pattern": way.pattern, "reason": way.reason })
        })
        .collect();
    json!({
        "effect": effect.group,
        "summary": effect.summary(),
        "main": effect.main_calls(),
        "twins": effect.twins(),
        "minor": effect.minor(),
        "members": ways,
    })
}

fn shown(name: &str) -> Result<String, Trouble> {
    let plain = name.trim_matches(['<', '>']).trim_end_matches(".kpol");
    let new = library::renamed(plain).unwrap_or(plain);
    let file = |file: &&LibraryFile| file.name == new || file.name.rsplit('/').next() == Some(new);
    let group = if name.starts_with('@') { name.to_owned() } else { format!("@{name}") };
    // A group first: of one name with a file it is the one that needs no include.
    if let Some(text) = one(&group).or_else(|| library::includable().find(file).map(|file| file.text.to_owned())) {
        return Ok(text);
    }
    let near_group =
        kpol_grammar::Offer::of(group.trim_start_matches('@'), library::group_names().map(|name| &name[1..]))
            .map(|offer| offer.names.iter().map(|name| format!("`@{name}`")).collect::<Vec<_>>().join(" or "));
    let near_file = || library::near(plain).map(|name| format!("`{name}`"));
    let near = if plain.contains('/') { near_file() } else { near_group.or_else(near_file) };
    let hint = near.map_or("`kpolc groups` lists all".to_owned(), |near| format!("did you mean {near}?"));
    let (kind, name) =
        if plain.contains('/') { ("file of the library", plain) } else { ("built-in group", group.as_str()) };
    Err(Trouble::new(format!("no {kind} `{name}`; {hint}")))
}

/// The definition of a group with the comment above it, and all its parts where it is said in parts. The library's own
/// style (a test of the library keeps it) has statements at the beginning of a line and their `}` alone at the end.
fn one(name: &str) -> Option<String> {
    let lines: Vec<&str> = library::group_file(name)?.text.lines().collect();
    let defines = |line: &&str| {
        let rest = line.trim_start().strip_prefix("group ");
        rest.is_some_and(|rest| rest.split([' ', '{']).next() == Some(name))
    };
    let mut text = String::new();
    let mut from = 0;
    while let Some(found) = lines.get(from..)?.iter().position(defines) {
        let found = from + found;
        // In parts the statement begins with the `when` around it.
        let head =
            lines.get(..=found)?.iter().rposition(|line| !line.starts_with([' ', '}', '/']) && !line.is_empty())?;
        let doc = lines.get(..head)?.iter().rev().take_while(|line| line.starts_with("///")).count();
        let tail = head + lines.get(head..)?.iter().position(|line| line.ends_with('}') && !line.starts_with(' '))?;
        if !text.is_empty() {
            text.push('\n');
        }
        lines.get(head - doc..=tail)?.iter().for_each(|line| text += &format!("{line}\n"));
        from = tail + 1;
    }
    (!text.is_empty()).then_some(text)
}

fn list() -> String {
    let (mut groups, mut effects) = (Vec::new(), Vec::new());
    for file in library::files() {
        for &name in file.groups {
            match library::effects().find(|effect| effect.group == name) {
                Some(effect) => effects.push((name.to_owned(), effect.summary())),
                // What differs between ABIs is a group of its own, and no topic.
                None if file.is_effect() => {}
                None => groups.push((name.to_owned(), first_line(&one(name).unwrap_or_default(), "///").to_owned())),
            }
        }
    }
    groups.sort_unstable();
    // A file says in its first line what it is for.
    let files: Vec<(String, String)> = library::includable()
        .map(|file| (format!("<{}>", file.name), first_line(file.text, "//!").to_owned()))
        .collect();
    let sections = [
        ("Groups", groups),
        ("Effects: every way to do a thing that we know", effects),
        ("For `include`: bases to build on, and guards that assert", files),
    ];
    let width = sections.iter().flat_map(|(_, lines)| lines).map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (title, lines) in sections {
        let _ = writeln!(text, "{}{title}", if text.is_empty() { "" } else { "\n" });
        for (name, doc) in lines {
            let _ = writeln!(text, "  {}", format!("{name:width$}  {doc}").trim_end());
        }
    }
    text
}

fn first_line<'a>(text: &'a str, mark: &str) -> &'a str {
    text.lines().next().and_then(|line| line.strip_prefix(mark)).map_or("", str::trim)
}
