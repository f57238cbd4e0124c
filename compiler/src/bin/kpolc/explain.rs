//! `kpolc explain`: the page of a code, of a call, a constant, a group or a file of the library.
//!
//! ```text
//! E031, dead-rule      a finding                     diagnostic::explain
//! sendto, O_DIRECT     what the tables know          answer::about
//! @mount, base/runtime what the library has          answer::about
//! ```

use std::io::{self, IsTerminal};

use kpol_compiler::answer::about::{self, Topic};
use kpol_compiler::diagnostic::{Code, explain};
use kpol_compiler::source::project;
use kpol_compiler::spec::Arch;
use kpol_compiler::tables;
use serde_json::{Map, Value, json};

use crate::ui::{Format, FormatArg, Status, Trouble, Ui};

/// Tell what a code, a call, a constant, a group or a file of the library is.
///
/// Every finding has a code; its page has an example that gives it, what kpolc then says, and the example mended. Of a call there
/// are its parameters with the bits that the kernel looks at, its number on each ABI, the releases of Linux and libseccomp that
/// know it first, the groups that it is in, what a filter never sees of it, and what it can bring about; of a constant its value on each ABI,
/// its header and the parameters that it fits; of groups, bases and guards what they hold and promise.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  kpolc explain                 all codes, with a few words each
  kpolc explain E031            the story of one, with an example
  kpolc explain dead-rule       warnings have names too
  kpolc explain sendto          a call
  kpolc explain MSG_FASTOPEN    a constant
  kpolc explain @effect-connect a group, or an effect
  kpolc explain base/runtime    a file to include
  kpolc explain sendto --format json")]
pub struct Args {
    /// Such as E031, sendto, O_DIRECT, @mount or guard/default
    #[arg(value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    pub format: FormatArg,
}

pub fn run(args: &Args, ui: &Ui) -> Result<Status, Trouble> {
    if !matches!(ui.format, Format::Human | Format::Json) {
        return Err(Trouble::new("`explain` prints `--format human` or `json`"));
    }
    let Some(word) = &args.name else {
        let text = match ui.format {
            Format::Json => {
                let codes: Vec<Value> =
                    Code::ALL.iter().map(|code| json!({ "code": code.as_str(), "title": code.title() })).collect();
                format!("{:#}\n", Value::from(codes))
            }
            _ => explain::list(),
        };
        Ui::show(&text)?;
        return Ok(Status::Fine);
    };
    let code = Code::from_name(&word.to_ascii_uppercase()).or_else(|| project::lint(word));
    let topics = if code.is_some() { Vec::new() } else { Topic::all(word) };
    let (page, data) = match (code, topics.first()) {
        (Some(code), _) => (
            code.page().to_owned(),
            json!({ "kind": "code", "name": code.as_str(), "title": code.title(), "page": code.page() }),
        ),
        (None, Some(topic)) => (topic.page(), as_json(*topic)),
        (None, None) => return Err(Trouble::new(nothing(word))),
    };
    if ui.format == Format::Json {
        Ui::show(&format!("{data:#}\n"))?;
        return Ok(Status::Fine);
    }
    let mut text = explain::render_page(&page, ui.paints(io::stdout().is_terminal()), Ui::width().min(100));
    for other in topics.iter().skip(1) {
        text.push_str(&format!("\nThere is {} too: `kpolc explain {}`\n", other.name(), asked_as(*other)));
    }
    Ui::show(&text)?;
    Ok(Status::Fine)
}

/// The word that asks for just this.
fn asked_as(topic: Topic) -> String {
    match topic {
        Topic::Call(call) => call.name().to_owned(),
        Topic::Constant(name) => name.to_owned(),
        Topic::Group(group) => group.name.clone(),
        Topic::File(file) => file.name.to_owned(),
    }
}

fn nothing(word: &str) -> String {
    let looks_like_a_code = word.len() <= 5
        && word.starts_with(['E', 'W', 'e', 'w'])
        && word[1..].bytes().any(|byte| byte.is_ascii_digit());
    let code = project::near_code(word).map(|near| format!("`{}` ({})", near.as_str(), near.title()));
    let named = || about::near(word).into_iter().map(|name| format!("`{name}`"));
    let near: Vec<String> = match (looks_like_a_code, code) {
        (true, Some(code)) => vec![code],
        (_, code) => named().chain(code).take(4).collect(),
    };
    let hint = match near.as_slice() {
        [] => "`kpolc explain` lists the codes, `kpolc groups` the groups and files".to_owned(),
        [one] => format!("did you mean {one}?"),
        [first @ .., last] => format!("did you mean {} or {last}?", first.join(", ")),
    };
    format!("no code, call, constant, group or file of the library is called `{word}`; {hint}")
}

fn as_json(topic: Topic) -> Value {
    match topic {
        Topic::Call(call) => {
            let numbers: Map<String, Value> = Arch::all()
                .filter_map(|arch| Some((arch.name().to_owned(), about::call::number(call, arch)?.into())))
                .collect();
            let params = Arch::all().find_map(|arch| call.params(arch)).unwrap_or_default().iter().map(|param| {
                json!({
                    "name": param.name,
                    "type": param.ty,
                    "bits": param.bits,
                    "signed": param.signed,
                    "address": param.pointer,
                    "constants": tables::constants_for(call, param.name).collect::<Vec<_>>(),
                })
            });
            let effects = about::call::effects(call.name()).into_iter().map(|(effect, way)| {
                let when = (!way.guard.is_empty()).then_some(way.guard);
                json!({ "effect": effect.group, "when": when, "pattern": way.pattern, "reason": way.reason })
            });
            json!({
                "kind": "call",
                "name": call.name(),
                "numbers": numbers,
                "parameters": params.collect::<Vec<_>>(),
                "linux": call.introduced(),
                "libseccomp": call.libseccomp(),
                "groups": about::groups::of_call(call.name()),
                "effects": effects.collect::<Vec<_>>(),
            })
        }
        Topic::Constant(name) => {
            // Values may have 64 bits without a sign, which is what JSON's numbers have in serde_json.
            let value = |value: i128| i64::try_from(value).map_or_else(|_| (value as u64).into(), Value::from);
            let values: Map<String, Value> = Arch::all()
                .filter_map(|arch| Some((arch.name().to_owned(), value(tables::constant(name, arch)?))))
                .collect();
            json!({
                "kind": "constant",
                "name": name,
                "values": values,
                "header": tables::constant_header(name),
                "fits": about::constant::fits(name),
            })
        }
        Topic::Group(group) => json!({
            "kind": "group",
            "name": group.name,
            "summary": group.doc,
            "members": group.direct,
            "calls": group.calls,
        }),
        Topic::File(file) => {
            let promises = about::file::promises(file).into_iter();
            let includes = about::file::with_includes(file);
            json!({
                "kind": "file",
                "name": file.name,
                "summary": includes.first().and_then(|(_, tree)| tree.doc.as_deref()),
                "includes": includes.iter().skip(1).map(|(file, _)| file.name).collect::<Vec<_>>(),
                "asserts": promises
                    .map(|promise| json!({ "title": promise.title, "file": promise.file }))
                    .collect::<Vec<_>>(),
            })
        }
    }
}
