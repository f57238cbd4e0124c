//! Aliases: what the manual calls a parameter, beside what the kernel calls it.
//!
//! ```text
//! manual.tsv   socket   domain   type   protocol  ─┐
//! kernel                family   type   protocol  ─┴→  (socket, domain, family)
//! ```
//!
//! The library's prototype is followed position by position as long as addresses stand where the kernel has addresses:
//! behind the first that does not fit (`clone`'s `fn`), it is another function of the same name.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::facts::Facts;
use super::header;
use super::numbers::Calls;
use super::prototypes::Parameters;
use crate::{Failure, Outcome};

/// Calls under which the library has another function, or orders the parameters of the same otherwise.
const OTHERS: [&str; 11] = [
    "cacheflush",
    "clone",
    "brk",
    "signalfd",
    "eventfd",
    "reboot",
    "sigaction",
    "signal",
    "sigsuspend",
    "nice",
    "ustat",
];

/// `aliases.rs`.
pub fn emit(facts: &Facts, calls: &Calls, prototypes: &[Parameters]) -> Outcome<String> {
    let mut found: BTreeMap<(usize, String), String> = BTreeMap::new();
    for line in facts.lines("manual.tsv")? {
        let name = line.column(0, "call")?;
        let (Some(call), false) = (calls.index(name), OTHERS.contains(&name)) else { continue };
        let Some(kernel) = &prototypes[call] else { continue };
        for (manual, (ty, parameter)) in line.columns.iter().skip(1).zip(kernel) {
            let (pointer, alias) = match manual.strip_prefix('*') {
                Some(alias) => (true, alias),
                None => (false, manual.as_str()),
            };
            // The kernel takes some addresses as numbers (mmap's addr).
            if pointer != ty.contains('*') && !(pointer && ty.contains("long")) {
                break;
            }
            if kernel.iter().all(|(_, other)| other != alias) {
                found.entry((call, alias.to_owned())).or_insert_with(|| parameter.clone());
            }
        }
    }
    for line in facts.lines("aliases.tsv")? {
        let (name, alias, parameter) = (line.column(0, "call")?, line.column(1, "alias")?, line.column(2, "name")?);
        let Some(call) = calls.index(name) else {
            return Err(line.wrong(&format!("no architecture has a number for `{name}`")));
        };
        let known = |name: &str| prototypes[call].iter().flatten().any(|(_, other)| other == name);
        if !known(parameter) {
            return Err(line.wrong(&format!("`{name}` has no parameter `{parameter}`")));
        }
        if known(alias) {
            return Err(line.wrong(&format!("`{alias}` is the kernel's own name of a parameter of `{name}`")));
        }
        found.insert((call, alias.to_owned()), parameter.to_owned());
    }
    if found.is_empty() {
        return Err(Failure::Broken("manual.tsv and aliases.tsv give no alias".to_owned()));
    }

    let mut out = header(
        "Other names of parameters.",
        &[
            "`xtask/facts/manual.tsv`: synopses of section 2 of man-pages 6.03 and 6.20",
            "`xtask/facts/aliases.tsv`: what position does not tell",
        ],
    );
    let _ = writeln!(out, "/// Call (index into its names), alias, the kernel's name; sorted.");
    let _ = writeln!(out, "pub(super) static ALIASES: [(u16, &str, &str); {}] = [", found.len());
    for ((call, alias), parameter) in &found {
        let _ = writeln!(out, "    ({call}, {alias:?}, {parameter:?}), // {}", calls.rows[*call].0);
    }
    out.push_str("];\n");
    Ok(out)
}
