//! Import: a filter that others wrote, as the policy that a person would have written.
//!
//! ```text
//! "socket", { 0 LT 38 } · { 0 EQ 39 } · { 0 GT 40 }, allow          // This compares all 64 bits of reg0; …
//!                                                               →   // kpol: allow(W004) as the imported filter does
//!                                                                   allow { socket(reg0 not in {AF_ALG, AF_VSOCK}) }
//! ```
//!
//! The way, one file each:
//!
//! | file | from | to |
//! |---|---|---|
//! | `source`, `json` | bytes | the function, and remarks on what was lost or looks wrong |
//! | `claims` | the function | claims on calls by name, with the ABIs on which each holds |
//! | `arguments`, `word`, `names` | a set of argument values | conditions, in names |
//! | `surroundings` | a set of environments | guards of `when` |
//! | `wide` | comparisons of whole registers | the call that gets through, and the rule that closes it |
//! | `groups`, `text` | claims | statements |
//!
//! INVARIANT: the text that is handed out was compiled, and gives the very nodes of the filter. [`import`] fails
//! otherwise. What of a filter is not known is said, and then nothing is called proven.

mod arguments;
mod claims;
mod groups;
mod json;
mod names;
mod source;
mod surroundings;
mod text;
mod wide;
mod word;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

pub use source::Options;

use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::diagram::{Function, Leaf, Store};
use crate::driver;
use crate::oci::prove;
use crate::policy::witness;
use crate::source::Memory;
use crate::source::graph::MAX_ROOT;
use crate::spec::{Arch, Nr};
use crate::tables;
use claims::Unsayable;
use source::Source;

/// A policy that was made of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The policy, in style.
    pub text: String,
    /// What it was made of: `JSON`, `BPF, 62 instructions`.
    pub form: String,
    /// ABIs for which it was compiled and found to mean the filter; none where something is in doubt.
    pub proven: Vec<Arch>,
    /// What of the filter is not known, a line for each: "some calls of `socket` on x86_64". Of these the policy says what
    /// the entries say.
    pub doubts: Vec<String>,
    /// As whom JSON was read: "crun with libseccomp 2.6.1 loads it".
    pub reader: Option<String>,
    /// What its header says of the filter: what was lost, what looks wrong.
    pub remarks: Vec<String>,
}

/// Why there is no policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportError {
    /// Nothing in the file.
    Empty,
    /// Neither JSON nor instructions.
    Neither,
    /// JSON that is no profile, or one that runtimes refuse.
    Json(String),
    /// Instructions that are no filter, or one that cannot be followed.
    Bpf(String),
    /// The filter never asks through which ABI a call came.
    NoArchitecture,
    /// There is nothing for any of the ABIs.
    SaysNothing,
    /// The language has no way to say it, or it would take too much.
    Unsayable(String),
    /// The text that was made does not mean the filter: our mistake.
    Differs(String),
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the file is empty"),
            Self::Neither => f.write_str(
                "this is neither JSON nor BPF: JSON begins with `{`, and raw BPF has eight bytes an instruction",
            ),
            Self::Json(why) => write!(f, "not a profile: {why}"),
            Self::Bpf(why) => write!(f, "not a filter: {why}"),
            Self::NoArchitecture => f.write_str(
                "the filter never looks at the architecture, so its numbers mean other calls on every ABI; \
                 say for which one it was written, by `--arch x86_64`",
            ),
            Self::SaysNothing => f.write_str("the filter says nothing about the calls of any architecture here"),
            Self::Unsayable(why) => f.write_str(why),
            Self::Differs(why) => write!(f, "internal error: the policy that was made does not mean the filter: {why}"),
        }
    }
}

impl std::error::Error for ImportError {}

/// Makes a policy of a filter; `name` is what its header calls the file.
pub fn import(name: &str, bytes: &[u8], options: &Options) -> Result<Imported, ImportError> {
    import_in(&mut Store::default(), name, bytes, options)
}

fn import_in(store: &mut Store, name: &str, bytes: &[u8], options: &Options) -> Result<Imported, ImportError> {
    let source = source::read(store, bytes, options)?;
    let claims = claims::collect(store, &source.function, source.default).map_err(unsayable)?;
    let mut remarks: text::Remarks = BTreeMap::new();
    for (call, remark) in
        source.remarks.iter().cloned().chain(wide::remarks(store, &source.function, source.default, &claims))
    {
        let lines = remarks.entry(call).or_default();
        if !lines.contains(&remark) {
            lines.push(remark);
        }
    }
    let reader = source.reader.as_ref().map_or_else(String::new, |reader| format!(", as {reader}"));
    let mut head = vec![format!("Imported from {}{reader}.", printable(name))];
    if !source.doubts.is_empty() {
        head.push(String::new());
        head.push(format!(
            "Not proven: undetermined is what {} get. Entries contradict each other, and what a runtime makes of them hangs on their order.",
            source.doubts.join("; ")
        ));
    }
    if !source.said.is_empty() {
        head.push(String::new());
        head.extend(source.said.iter().map(|line| printable(line)));
    }
    if !source.head.is_empty() {
        head.push(String::new());
        head.extend(source.head.iter().map(|line| printable(line)));
    }
    let mut failure = None;
    for style in [text::Style { groups: true }, text::Style { groups: false }] {
        let written = text::write(&source, &claims, &wrap(&head), &wrapped(&remarks), style);
        let Some(formatted) = kpol_grammar::format(&written) else {
            failure = Some(ImportError::Differs(format!("it has syntax errors:\n{written}")));
            continue;
        };
        let proof = prove(store, &source, formatted, options);
        // Where there is no room left no answer means anything, and the other style would find none either.
        if store.overflowed() {
            return Err(unsayable(Unsayable::TooLarge));
        }
        match proof {
            Ok(text) => {
                let known = source.doubts.is_empty();
                let proven = source.function.tables.keys().copied().filter(|_| known).collect();
                let Source { form, doubts, reader, head: remarks, .. } = source;
                return Ok(Imported { text, form, proven, doubts, reader, remarks });
            }
            Err(why) => failure = Some(why),
        }
    }
    Err(failure.unwrap_or(ImportError::SaysNothing))
}

fn unsayable(why: Unsayable) -> ImportError {
    ImportError::Unsayable(match why {
        Unsayable::Numbers(arch) => format!(
            "on {arch} the filter tells numbers apart that are no calls there, too many or too large to be declared; a policy speaks of calls by name"
        ),
        Unsayable::Conditions(arch, name) => {
            format!(
                "what the filter asks of the arguments of `{name}` on {arch} takes more conditions than anyone would read"
            )
        }
        Unsayable::TooLong => {
            format!("the policy would be longer than the {} MiB that a file may have", MAX_ROOT >> 20)
        }
        Unsayable::TooLarge => "the filter is too large to be understood within bounds".to_owned(),
    })
}

/// Compiles the text, silences what only says that it was imported, and compares. Gives the text with the silencers.
fn prove(store: &mut Store, source: &Source, text: String, options: &Options) -> Result<String, ImportError> {
    let mut text = text;
    for last in [false, true] {
        if text.len() as u64 > MAX_ROOT {
            return Err(unsayable(Unsayable::TooLong));
        }
        let path = std::path::Path::new("/imported.kpol");
        let loader = Memory::from([(path, text.clone())]);
        let settings = driver::Options { libseccomp: options.libseccomp, ..driver::Options::default() };
        let (diagnostics, policy) = driver::compile(&loader, path, &settings, store);
        // What a multiplexer passes by is a mistake of the filter (E081): the policy has it as well, and building it says so.
        let wrong = |found: &&Diagnostic| found.severity == Severity::Error && found.code != Code::E081;
        if let Some(error) = diagnostics.iter().find(wrong) {
            return Err(ImportError::Differs(format!("{}: {}\n{text}", error.code.as_str(), error.message)));
        }
        let policy = policy.ok_or_else(|| ImportError::Differs("it has no default".to_owned()))?;
        compare(store, &source.function, &policy.function).map_err(ImportError::Differs)?;
        let mut lines: BTreeMap<usize, Code> = BTreeMap::new();
        for found in diagnostics.iter().filter(|found| matches!(found.code, Code::W003 | Code::W004)) {
            if let Some(label) = &found.primary {
                let line = text[..label.span.bytes.start as usize].matches('\n').count();
                lines.entry(line).or_insert(found.code);
            }
        }
        if lines.is_empty() || last {
            return Ok(text);
        }
        text = silenced(&text, &lines);
    }
    Ok(text)
}

fn silenced(text: &str, lines: &BTreeMap<usize, Code>) -> String {
    let mut out = String::with_capacity(text.len() + 64 * lines.len());
    for (index, line) in text.lines().enumerate() {
        if let Some(code) = lines.get(&index) {
            let indent = &line[..line.len() - line.trim_start().len()];
            let why = if *code == Code::W003 {
                "the imported filter compares the address"
            } else {
                "compared as the imported filter does"
            };
            out.push_str(&format!("{indent}// kpol: allow({}) {why}\n", code.as_str()));
        }
        out.push_str(line);
        out.push('\n');
    }
    // A comment inside a list breaks it: the style may have more to say.
    kpol_grammar::format(&out).unwrap_or(out)
}

/// Whether two functions are the same, but for numbers that are no calls.
fn compare(store: &mut Store, filter: &Function, policy: &Function) -> Result<(), String> {
    if !filter.tables.keys().eq(policy.tables.keys()) {
        return Err("it has other architectures".to_owned());
    }
    for (&arch, table) in &filter.tables {
        let Some(made) = policy.tables.get(&arch) else { continue };
        if prove::same(arch, table, made) {
            continue;
        }
        let mut found = None;
        table.zip(made, |range, wanted, given| {
            let nr = [*range.start(), crate::spec::arch::X32_BIT];
            let owned = nr.into_iter().find(|&nr| range.contains(&nr) && arch.owns(Nr(nr)) && nr != u32::MAX);
            if let (true, None, Some(nr)) = (wanted != given, found, owned) {
                found = Some((Nr(nr), wanted, given));
            }
        });
        // -1 is no call.
        let Some((nr, wanted, given)) = found else { continue };
        let differs = store.differ(wanted, given);
        let place = store.witness(differs, &|leaf| leaf == Leaf::True);
        let name = tables::syscall_at(arch, nr).map(tables::Syscall::name);
        return Err(place.map_or_else(
            || format!("number {} on {arch}", nr.0),
            |(cube, _)| witness::describe(arch, nr, name, &cube),
        ));
    }
    Ok(())
}

/// Text from a file, for a comment: one line, nothing that a terminal would act on.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

const WIDTH: usize = 96;

fn wrap(lines: &[String]) -> Vec<String> {
    lines.iter().flat_map(|line| broken(line)).collect()
}

fn wrapped(remarks: &text::Remarks) -> text::Remarks {
    let lines = |lines: &Vec<String>| wrap(&lines.iter().map(|line| printable(line)).collect::<Vec<_>>());
    remarks.iter().map(|(name, remark)| (name.clone(), lines(remark))).collect()
}

/// A paragraph in lines; what stands in backticks stays together.
fn broken(line: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut quoted = false;
    let word_ends = |c: char| {
        quoted ^= c == '`';
        c == ' ' && !quoted
    };
    for word in line.split(word_ends) {
        if let Some(last) = lines.last_mut() {
            if !last.is_empty() && last.chars().count() + 1 + word.chars().count() > WIDTH {
                lines.push(word.to_owned());
            } else {
                if !last.is_empty() {
                    last.push(' ');
                }
                last.push_str(word);
            }
        }
    }
    lines
}
