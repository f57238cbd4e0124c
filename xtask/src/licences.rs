//! `cargo xtask licences`: whether every dependency may be used, and none comes in two versions unnoticed.
//!
//! ```text
//! MIT OR Apache-2.0                           fine, both are in the list
//! Zlib AND (MIT OR GPL-3.0-only)              fine if Zlib and MIT are
//! LGPL-3.0-only                               found: the crate, its licence, where to allow it
//! ```
//!
//! Works without a network on what `cargo metadata` knows of the lock file. `xtask/licences.tsv` holds both lists;
//! an entry that nothing needs any more is found too, so that the lists stay true.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::Command;

use serde_json::Value;

use crate::tables::facts::{self, Line};
use crate::{Failure, Outcome, workspace};

/// Where both lists are.
const LIST: &str = "xtask/licences.tsv";

/// Runs the command.
pub fn command(args: &[String]) -> Outcome {
    if let Some(arg) = args.first() {
        return Err(Failure::Usage(format!("licences: no option `{arg}`")));
    }
    let allowed = Allowed::read(&facts::lines(&workspace().join(LIST))?)?;
    let crates = crates(&metadata()?)?;
    let found = allowed.judge(&crates);
    if found.is_empty() {
        println!(
            "{} crates: licences allowed, no duplicate version but the {} known",
            crates.len(),
            allowed.duplicates.len()
        );
        return Ok(());
    }
    Err(Failure::Found(found))
}

/// A crate of the lock file that this machine builds.
#[derive(Debug)]
struct Crate {
    name: String,
    version: String,
    licence: Option<String>,
}

/// What the lists say.
struct Allowed {
    licences: BTreeSet<String>,
    /// Crate → reason.
    duplicates: BTreeMap<String, String>,
}

impl Allowed {
    fn read(lines: &[Line]) -> Outcome<Self> {
        let (mut licences, mut duplicates) = (BTreeSet::new(), BTreeMap::new());
        for line in lines {
            let name = line.column(1, "name")?.to_owned();
            let reason = line.column(2, "reason")?.to_owned();
            if reason.trim().is_empty() {
                return Err(line.wrong("an entry needs a reason"));
            }
            match line.column(0, "kind")? {
                "licence" => licences.insert(name),
                "duplicate" => duplicates.insert(name, reason).is_none(),
                other => return Err(line.wrong(&format!("`{other}` is neither `licence` nor `duplicate`"))),
            };
        }
        Ok(Self { licences, duplicates })
    }

    /// Everything that is wrong, one line each; empty if nothing is.
    fn judge(&self, crates: &[Crate]) -> String {
        let mut found = String::new();
        let mut used = BTreeSet::new();
        let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for Crate { name, version, licence } in crates {
            versions.entry(name).or_default().push(version);
            let Some(licence) = licence else {
                let _ = writeln!(found, "{name} {version}: names no licence");
                continue;
            };
            match Expression::parse(licence) {
                Some(expression) if expression.holds(&self.licences, &mut used) => {}
                Some(_) => {
                    let _ = writeln!(found, "{name} {version}: `{licence}` is not allowed (the list is {LIST})");
                }
                None => {
                    let _ = writeln!(found, "{name} {version}: `{licence}` is no licence expression");
                }
            }
        }
        for (name, versions) in &versions {
            if versions.len() > 1 && !self.duplicates.contains_key(*name) {
                let _ = writeln!(
                    found,
                    "{name}: comes in versions {}; make them one, or give the reason in {LIST}",
                    versions.join(" and ")
                );
            }
        }
        for name in self.duplicates.keys() {
            if versions.get(name.as_str()).is_none_or(|versions| versions.len() < 2) {
                let _ = writeln!(found, "{LIST}: `{name}` comes in one version now, or in none; take the line out");
            }
        }
        for licence in self.licences.iter().filter(|licence| !used.contains(*licence)) {
            let _ = writeln!(found, "{LIST}: no crate needs `{licence}`; take the line out");
        }
        found.trim_end().to_owned()
    }
}

/// A licence expression (SPDX, and the old `MIT/Apache-2.0` for "or").
#[derive(Debug, PartialEq)]
enum Expression {
    Licence(String),
    And(Vec<Self>),
    Or(Vec<Self>),
}

impl Expression {
    /// `None` where it is malformed.
    fn parse(text: &str) -> Option<Self> {
        let spaced = text.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let mut at = 0;
        let expression = Self::any(&words, &mut at, 0)?;
        (at == words.len()).then_some(expression)
    }

    fn any(words: &[&str], at: &mut usize, depth: usize) -> Option<Self> {
        let mut list = vec![Self::all(words, at, depth)?];
        while words.get(*at) == Some(&"OR") {
            *at += 1;
            list.push(Self::all(words, at, depth)?);
        }
        if list.len() == 1 { list.pop() } else { Some(Self::Or(list)) }
    }

    fn all(words: &[&str], at: &mut usize, depth: usize) -> Option<Self> {
        let mut list = vec![Self::one(words, at, depth)?];
        while words.get(*at) == Some(&"AND") {
            *at += 1;
            list.push(Self::one(words, at, depth)?);
        }
        if list.len() == 1 { list.pop() } else { Some(Self::And(list)) }
    }

    fn one(words: &[&str], at: &mut usize, depth: usize) -> Option<Self> {
        let word = *words.get(*at)?;
        *at += 1;
        match word {
            "(" if depth < 16 => {
                let inner = Self::any(words, at, depth + 1)?;
                (words.get(*at) == Some(&")")).then(|| *at += 1)?;
                Some(inner)
            }
            "(" | ")" | "AND" | "OR" | "WITH" => None,
            licence if words.get(*at) == Some(&"WITH") => {
                let exception = words.get(*at + 1)?;
                *at += 2;
                Some(Self::Licence(format!("{licence} WITH {exception}")))
            }
            licence => Some(Self::Licence(licence.to_owned())),
        }
    }

    /// Whether the allowed licences satisfy it; those that it names and are allowed are noted.
    fn holds(&self, allowed: &BTreeSet<String>, used: &mut BTreeSet<String>) -> bool {
        match self {
            Self::Licence(name) => {
                if allowed.contains(name) {
                    used.insert(name.clone());
                }
                allowed.contains(name)
            }
            // Every part is asked, so that all that are used are noted.
            Self::And(list) => list.iter().filter(|part| !part.holds(allowed, used)).count() == 0,
            Self::Or(list) => list.iter().filter(|part| part.holds(allowed, used)).count() > 0,
        }
    }
}

/// What cargo knows, for this machine's target: crates for other systems need not be downloaded.
fn metadata() -> Outcome<Value> {
    let rustc = run(Command::new("rustc").arg("-vV"))?;
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or("x86_64-unknown-linux-gnu");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let text = run(Command::new(cargo)
        .args(["metadata", "--offline", "--locked", "--format-version", "1", "--filter-platform", host])
        .current_dir(workspace()))?;
    serde_json::from_str(&text).map_err(|error| Failure::Broken(format!("cargo metadata: {error}")))
}

fn run(command: &mut Command) -> Outcome<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| Failure::Broken(format!("{name}: {error}")))?;
    if !output.status.success() {
        return Err(Failure::Broken(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The crates of the resolved graph.
fn crates(metadata: &Value) -> Outcome<Vec<Crate>> {
    let broken = || Failure::Broken("cargo metadata: not the format that is known".to_owned());
    let nodes = metadata["resolve"]["nodes"].as_array().ok_or_else(broken)?;
    let ids: BTreeSet<&str> = nodes.iter().filter_map(|node| node["id"].as_str()).collect();
    let packages = metadata["packages"].as_array().ok_or_else(broken)?;
    let mut crates = Vec::new();
    for package in packages.iter().filter(|package| package["id"].as_str().is_some_and(|id| ids.contains(id))) {
        crates.push(Crate {
            name: package["name"].as_str().ok_or_else(broken)?.to_owned(),
            version: package["version"].as_str().ok_or_else(broken)?.to_owned(),
            licence: package["license"].as_str().map(str::to_owned),
        });
    }
    Ok(crates)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(licences: &[&str], duplicates: &[&str]) -> Allowed {
        Allowed {
            licences: licences.iter().map(|name| (*name).to_owned()).collect(),
            duplicates: duplicates.iter().map(|name| ((*name).to_owned(), "why".to_owned())).collect(),
        }
    }

    fn krate(name: &str, version: &str, licence: Option<&str>) -> Crate {
        Crate { name: name.to_owned(), version: version.to_owned(), licence: licence.map(str::to_owned) }
    }

    #[test]
    fn expressions_are_satisfied_as_spdx_says() {
        let list = allowed(&["MIT", "Zlib", "Apache-2.0 WITH LLVM-exception"], &[]);
        let holds = |text: &str| Expression::parse(text).map(|it| it.holds(&list.licences, &mut BTreeSet::new()));
        for text in [
            "MIT",
            "MIT OR GPL-3.0-only",
            "GPL-3.0-only/MIT",
            "Zlib AND (GPL-2.0-only OR MIT)",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert_eq!(holds(text), Some(true), "{text}");
        }
        // AND binds tighter than OR.
        assert_eq!(holds("MIT OR GPL-2.0-only AND Zlib"), Some(true));
        for text in ["GPL-3.0-only", "MIT AND GPL-3.0-only", "Apache-2.0", "(MIT OR Zlib) AND X"] {
            assert_eq!(holds(text), Some(false), "{text}");
        }
        for text in ["", "MIT OR", "(MIT", "MIT)", "AND", "MIT WITH", "MIT Zlib"] {
            assert_eq!(holds(text), None, "{text}");
        }
        assert_eq!(holds(&format!("{}MIT{}", "(".repeat(1000), ")".repeat(1000))), None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let list = allowed(&["MIT"], &["known"]);
        let fine = [
            krate("a", "1.0.0", Some("MIT")),
            krate("known", "1.0.0", Some("MIT")),
            krate("known", "2.0.0", Some("MIT")),
        ];
        assert_eq!(list.judge(&fine), "");
        let bad =
            [krate("a", "1.0.0", Some("GPL-3.0-only")), krate("a", "2.0.0", None), krate("b", "1.0.0", Some("MIT)"))];
        let found = list.judge(&bad);
        for part in [
            "a 1.0.0: `GPL-3.0-only` is not allowed",
            "a 2.0.0: names no licence",
            "b 1.0.0: `MIT)` is no",
            "a: comes in versions 1.0.0 and 2.0.0",
            "`known` comes in one",
            "no crate needs `MIT`",
        ] {
            assert!(found.contains(part), "{part}\n{found}");
        }
    }
}
