//! Families: which constants fit a parameter.
//!
//! ```text
//! socket  family  AF_,PF_      *  dfd  AT_FDCWD
//! ```
//!
//! Invariant: each line names a parameter that exists, and each prefix finds a constant.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::facts::Facts;
use super::header;
use super::numbers::Calls;
use super::prototypes::Parameters;
use crate::Outcome;

/// `families.rs`.
pub fn emit(facts: &Facts, calls: &Calls, prototypes: &[Parameters]) -> Outcome<String> {
    let mut names = BTreeSet::new();
    for line in facts.lines("constants.tsv")? {
        names.insert(line.column(0, "name")?.to_owned());
    }
    let has = |call: usize, parameter: &str| prototypes[call].iter().flatten().any(|(_, name)| name == parameter);
    let mut found: BTreeMap<(usize, String), Vec<String>> = BTreeMap::new();
    for line in facts.lines("families.tsv")? {
        let (call, parameter) = (line.column(0, "call")?, line.column(1, "parameter")?);
        let prefixes: Vec<String> = line.column(2, "prefixes")?.split(',').map(str::to_owned).collect();
        for prefix in &prefixes {
            if !names.range(prefix.clone()..).next().is_some_and(|name| name.starts_with(prefix.as_str())) {
                return Err(line.wrong(&format!("no constant begins with `{prefix}`")));
            }
        }
        let mut at: Vec<usize> = (0..calls.rows.len()).filter(|call| has(*call, parameter)).collect();
        if call != "*" {
            at.retain(|index| calls.rows[*index].0 == call);
        }
        if at.is_empty() {
            return Err(line.wrong(&format!("`{call}` has no parameter `{parameter}`")));
        }
        // Lines with `*` come first, those that name a call replace them.
        for index in at {
            found.insert((index, parameter.to_owned()), prefixes.clone());
        }
    }
    let mut out = header("Constants that fit a parameter.", &["`xtask/facts/families.tsv`"]);
    let _ = writeln!(out, "/// Call (index into its names), parameter, prefixes; sorted.");
    let _ = writeln!(out, "pub(super) static FAMILIES: [(u16, &str, &[&str]); {}] = [", found.len());
    for ((call, parameter), prefixes) in &found {
        let _ = writeln!(out, "    ({call}, {parameter:?}, &{prefixes:?}), // {}", calls.rows[*call].0);
    }
    out.push_str("];\n");
    Ok(out)
}
