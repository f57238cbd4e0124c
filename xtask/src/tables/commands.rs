//! Commands: under which of them the kernel looks at fewer bits of another parameter.
//!
//! ```text
//! fcntl   arg  cmd=F_SETFD,F_SETOWN,…               32        `int argi = (int)arg`; an address for F_SETLK
//! semctl  arg  cmd=SETVAL;on=s390x,ppc64            upper 32  `val = arg >> 32`
//! ioctl   arg                                       unknown   a driver decides
//! ```
//!
//! Invariant: each line names a call, parameters, ABIs and commands that exist.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::columns::{self, ABIS};
use super::facts::{Facts, Line};
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
    let mut found = Vec::new();
    for line in facts.lines("commands.tsv")? {
        let (call, parameter) = (line.column(0, "call")?, line.column(1, "parameter")?);
        let Some(index) = calls.index(call) else { return Err(line.wrong(&format!("no call `{call}`"))) };
        let has = |name: &str| prototypes[index].iter().flatten().any(|(_, known)| known == name);
        if !has(parameter) {
            return Err(line.wrong(&format!("`{call}` has no parameter `{parameter}`")));
        }
        let (when, archs) = when(&line, &has, &names)?;
        let left = match line.columns.get(3).map(String::as_str) {
            Some("16") => "Left::Low(16)".to_owned(),
            Some("32") => "Left::Low(32)".to_owned(),
            Some("upper 32") => "Left::Upper".to_owned(),
            Some("unknown") => format!("Left::Unknown({:?})", line.column(4, "why")?),
            _ => return Err(line.wrong("bits are `16`, `32`, `upper 32` or `unknown`")),
        };
        found.push((index, parameter.to_owned(), format!("{when}, {archs:#x}, {left}")));
    }
    // The order of lines on one parameter says which counts.
    found.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let mut out = header("Widths that a command decides.", &["`xtask/facts/commands.tsv`"]);
    out.push_str("use super::{Left, Term};\n\n");
    let _ = writeln!(
        out,
        "/// Call, parameter, what must hold, ABIs (a bit each, in the order of `Arch`), what is left of it; sorted by call and parameter."
    );
    let _ = writeln!(out, "pub(super) static COMMANDS: [(u16, &str, &[Term], u32, Left); {}] = [", found.len());
    for (call, parameter, text) in &found {
        let _ = writeln!(out, "    ({call}, {parameter:?}, {text}), // {}", calls.rows[*call].0);
    }
    out.push_str("];\n");
    Ok(out)
}

/// What must hold, as a slice of terms, and a bit for each ABI.
fn when(line: &Line, has: &dyn Fn(&str) -> bool, names: &BTreeSet<String>) -> Outcome<(String, u32)> {
    let (mut terms, mut archs) = (Vec::new(), u32::MAX >> (32 - ABIS.len()));
    let text = line.columns.get(2).map(String::as_str).unwrap_or_default();
    for term in text.split(';').filter(|term| !term.is_empty()) {
        let Some((of, values)) = term.split_once('=') else { return Err(line.wrong("a term is `parameter=VALUES`")) };
        let values: Vec<&str> = values.split(',').collect();
        if of == "on" {
            archs = 0;
            for abi in values {
                archs |= 1 << columns::index(abi).ok_or_else(|| line.wrong(&format!("no ABI `{abi}`")))?;
            }
            continue;
        }
        let (param, mask) = of.split_once('&').unwrap_or((of, "0xffffffffffffffff"));
        let mask = mask.strip_prefix("0x").and_then(|hex| u64::from_str_radix(hex, 16).ok());
        let Some(mask) = mask.filter(|_| has(param)) else {
            return Err(line.wrong(&format!("`{of}` is no parameter, or its mask is none")));
        };
        if let Some(value) = values.iter().find(|name| !names.contains(**name) && name.parse::<u32>().is_err()) {
            return Err(line.wrong(&format!("no constant `{value}`")));
        }
        terms.push(format!("Term {{ param: {param:?}, mask: {mask:#x}, values: &{values:?} }}"));
    }
    Ok((format!("&[{}]", terms.join(", ")), archs))
}
