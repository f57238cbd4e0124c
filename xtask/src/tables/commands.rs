//! Commands: under which of them the kernel looks at fewer bits of another parameter.
//!
//! ```text
//! fcntl  arg  cmd  F_SETFD,F_SETOWN,…  32      `int argi = (int)arg`; an address for F_SETLK
//! ```
//!
//! Invariant: each line names a call, parameters and commands that exist; a parameter comes once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::facts::Facts;
use super::header;
use super::numbers::Calls;
use super::prototypes::Parameters;
use crate::Outcome;

/// `commands.rs`.
pub fn emit(facts: &Facts, calls: &Calls, prototypes: &[Parameters]) -> Outcome<String> {
    let mut names = BTreeSet::new();
    for line in facts.lines("constants.tsv")? {
        names.insert(line.column(0, "name")?.to_owned());
    }
    let mut found = BTreeMap::new();
    for line in facts.lines("commands.tsv")? {
        let (call, parameter, by) = (line.column(0, "call")?, line.column(1, "parameter")?, line.column(2, "by")?);
        let commands: Vec<&str> = line.column(3, "commands")?.split(',').collect();
        let Some(index) = calls.index(call) else { return Err(line.wrong(&format!("no call `{call}`"))) };
        let has = |name: &str| prototypes[index].iter().flatten().any(|(_, known)| known == name);
        if let Some(missing) = [parameter, by].iter().find(|name| !has(name)) {
            return Err(line.wrong(&format!("`{call}` has no parameter `{missing}`")));
        }
        if let Some(command) = commands.iter().find(|name| !names.contains(**name) && name.parse::<u32>().is_err()) {
            return Err(line.wrong(&format!("no constant `{command}`")));
        }
        let bits = match line.column(4, "bits")? {
            "16" => 16,
            "32" => 32,
            other => return Err(line.wrong(&format!("`{other}` is no width: 16 or 32"))),
        };
        let text = format!("{by:?}, &{commands:?}, {bits}");
        if found.insert((index, parameter.to_owned()), text).is_some() {
            return Err(line.wrong("this parameter was there before"));
        }
    }
    let mut out = header("Widths that a command decides.", &["`xtask/facts/commands.tsv`"]);
    let _ = writeln!(
        out,
        "/// Call, parameter, the parameter that holds the command, commands under which it is narrower, bits then; sorted."
    );
    let _ = writeln!(out, "pub(super) static COMMANDS: [(u16, &str, &str, &[&str], u8); {}] = [", found.len());
    for ((call, parameter), text) in &found {
        let _ = writeln!(out, "    ({call}, {parameter:?}, {text}), // {}", calls.rows[*call].0);
    }
    out.push_str("];\n");
    Ok(out)
}
