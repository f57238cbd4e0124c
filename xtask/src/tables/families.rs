//! Families: which constants fit a parameter.
//!
//! ```text
//! socket  family    AF_,PF_                          *  dfd  AT_FDCWD
//! socket  type      SOCK_,-SOCK_IOC_TYPE             what begins so, but not that one
//! socket  protocol  NETLINK_ROUTE,…  family=AF_NETLINK    only where `family` is that
//! ```
//!
//! Invariant: each line names parameters that exist, each prefix finds a constant, each condition names constants.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::facts::Facts;
use super::header;
use super::numbers::Calls;
use super::prototypes::Parameters;
use crate::Outcome;

/// What constants begin with, and when they do: a parameter with its values.
type Row = (Vec<String>, Option<(String, Vec<String>)>);

/// `families.rs`.
pub fn emit(facts: &Facts, calls: &Calls, prototypes: &[Parameters]) -> Outcome<String> {
    let mut names = BTreeSet::new();
    for line in facts.lines("constants.tsv")? {
        names.insert(line.column(0, "name")?.to_owned());
    }
    let has = |call: usize, parameter: &str| prototypes[call].iter().flatten().any(|(_, name)| name == parameter);
    let mut found: BTreeMap<(usize, String), Vec<Row>> = BTreeMap::new();
    for line in facts.lines("families.tsv")? {
        let (call, parameter) = (line.column(0, "call")?, line.column(1, "parameter")?);
        let mut entries = Vec::new();
        for entry in line.column(2, "prefixes")?.split(',') {
            let (minus, text) = entry.strip_prefix('-').map_or(("", entry), |text| ("-", text));
            if !names.range(text.to_owned()..).next().is_some_and(|name| name.starts_with(text)) {
                return Err(line.wrong(&format!("no constant begins with `{text}`")));
            }
            entries.push(if names.contains(text) { format!("{minus}={text}") } else { entry.to_owned() });
        }
        let when = match line.column(3, "condition").ok() {
            None => None,
            Some(text) => {
                let (of, values) = text.split_once('=').ok_or_else(|| line.wrong("a condition is `parameter=A,B`"))?;
                let values: Vec<String> = values.split(',').map(str::to_owned).collect();
                if let Some(value) = values.iter().find(|value| !names.contains(*value)) {
                    return Err(line.wrong(&format!("no constant `{value}`")));
                }
                Some((of.to_owned(), values))
            }
        };
        let mut at: Vec<usize> = (0..calls.rows.len()).filter(|call| has(*call, parameter)).collect();
        if call != "*" {
            at.retain(|index| calls.rows[*index].0 == call);
        }
        if at.is_empty() || when.iter().any(|(of, _)| !at.iter().all(|index| has(*index, of))) {
            return Err(line.wrong(&format!("`{call}` has no such parameter")));
        }
        // Lines with `*` come first, those that name a call replace them; those with a condition stand beside each other.
        for index in at {
            let rows = found.entry((index, parameter.to_owned())).or_default();
            rows.retain(|(_, known)| known.is_some() && when.is_some());
            rows.push((entries.clone(), when.clone()));
        }
    }
    let mut out = header("Constants that fit a parameter.", &["`xtask/facts/families.tsv`"]);
    let count: usize = found.values().map(Vec::len).sum();
    let _ = writeln!(out, "/// A parameter that must have one of some values.");
    let _ = writeln!(out, "pub(super) type When = Option<(&'static str, &'static [&'static str])>;\n");
    let _ = writeln!(
        out,
        "/// Call (index into its names), parameter, what its constants begin with (`=` a whole name, `-` left out), when; sorted."
    );
    let _ = writeln!(out, "pub(super) static FAMILIES: [(u16, &str, &[&str], When); {count}] = [");
    for ((call, parameter), rows) in &found {
        for (entries, when) in rows {
            let when = when.as_ref().map_or("None".to_owned(), |(of, values)| format!("Some(({of:?}, &{values:?}))"));
            let _ = writeln!(out, "    ({call}, {parameter:?}, &{entries:?}, {when}), // {}", calls.rows[*call].0);
        }
    }
    out.push_str("];\n");
    Ok(out)
}
