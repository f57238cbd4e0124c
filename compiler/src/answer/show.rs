//! Every call that has a name, what it gets, and where that is said: a filter as a reviewer reads it.
//!
//! ```text
//! accept4                      allow          web.kpol:14 @content
//! socket   family == AF_UNIX   allow          web.kpol:12
//!          otherwise           deny(EPERM)    web.kpol:2, the default
//! ```
//!
//! ABIs on which a call gets the same are told together. Of a policy each rule is a line of its own with the part of the
//! calls that it decides ([`decided`]); of JSON and BPF there are no rules, so a line is an action.
//!
//! INVARIANT: for each ABI the lines of a call are disjoint and cover all its calls; `otherwise` is what the others leave.

use std::collections::BTreeMap;

use super::decided::{self, Place};
use super::diff::actions;
use super::effects::{self, Granted};
use super::stats::numbers;
use super::words::{self, Cases};
use super::{call_name, decided::Share};
use crate::diagram::{Node, Store};
use crate::driver::load::Filter;
use crate::policy::Waiver;
use crate::source::Sources;
use crate::spec::{Action, Arch, Nr};

/// A filter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// What the file says of itself.
    pub about: Option<String>,
    /// Calls by name.
    pub calls: Vec<Row>,
    /// What numbers without a name get, on which ABIs.
    pub rest: Vec<(Vec<Arch>, Action)>,
    /// What calls of other ABIs get.
    pub others: Vec<String>,
    /// What it lets happen.
    pub effects: Vec<Granted>,
    /// What is proven of it: titles of assertions, and other profiles.
    pub holds: Vec<String>,
    /// Assertions of included files that it need not hold.
    pub waived: Vec<Waiver>,
    /// `SECCOMP_FILTER_FLAG_…` and the listener.
    pub extras: Vec<String>,
}

/// A call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Its numbers.
    pub numbers: Vec<(Arch, Nr)>,
    /// What it gets; several where ABIs differ.
    pub fates: Vec<Fate>,
}

/// What a call gets on some ABIs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// Which.
    pub archs: Vec<Arch>,
    /// In order of precedence of the rules.
    pub parts: Vec<Part>,
}

/// What some of its calls get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The answer.
    pub action: Action,
    /// Which calls.
    pub when: When,
    /// Where it is said; nowhere for JSON and BPF.
    pub places: Vec<Place>,
}

/// Which of a number's calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// All.
    Always,
    /// These.
    If(Cases),
    /// Those that the other parts leave.
    Otherwise,
}

impl When {
    /// The conditions as a person reads them, one or more lines.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Always => Vec::new(),
            Self::Otherwise => vec!["otherwise".to_owned()],
            Self::If(cases) => {
                let mut lines: Vec<String> = cases.cases.iter().map(words::Case::condition).collect();
                if !cases.complete {
                    lines.push("… and more".to_owned());
                }
                lines
            }
        }
    }
}

impl Row {
    /// The one answer that the call always gets, on every ABI that has it.
    pub fn always(&self) -> Option<Action> {
        match self.fates.as_slice() {
            [Fate { parts, .. }] => match parts.as_slice() {
                [part] if part.when == When::Always => Some(part.action),
                _ => None,
            },
            _ => None,
        }
    }
}

/// The whole of a filter.
pub fn show(store: &mut Store, filter: &Filter, sources: &Sources) -> Page {
    let mut page = Page::default();
    let mut calls: BTreeMap<String, Row> = BTreeMap::new();
    for &arch in &filter.spoken {
        let unnamed = Nr(if arch == Arch::X32 { 0x7fff_fff0 } else { 0x3fff_fff0 });
        let rest = filter.function.at(arch, unnamed).as_action();
        if let Some(action) = rest {
            match page.rest.iter_mut().find(|(_, other)| *other == action) {
                Some((archs, _)) => archs.push(arch),
                None => page.rest.push((vec![arch], action)),
            }
        }
        for nr in numbers(arch, &filter.declared) {
            let Some(name) = call_name(&filter.declared, arch, nr) else { continue };
            // The remarks have them.
            if filter.doubt(arch, nr) != Node::FALSE {
                continue;
            }
            let parts = parts(store, filter, sources, arch, nr, name, rest);
            let row = calls.entry(name.to_owned()).or_insert_with(|| Row {
                name: name.to_owned(),
                numbers: Vec::new(),
                fates: Vec::new(),
            });
            row.numbers.push((arch, nr));
            match row.fates.iter_mut().find(|fate| fate.parts == parts) {
                Some(fate) => fate.archs.push(arch),
                None => row.fates.push(Fate { archs: vec![arch], parts }),
            }
        }
    }
    page.calls = calls.into_values().collect();
    page.effects = effects::granted(store, filter);
    page.others = filter.others.iter().map(|(whose, action)| format!("calls of {whose} get {action}")).collect();
    if let Some(rules) = &filter.rules {
        page.about = rules.graph.files.first().and_then(|file| file.tree.doc.clone());
        for assertion in &rules.resolved.assertions {
            let waived = rules.policy.waivers.iter().any(|waiver| waiver.covers(assertion));
            if !waived && !page.holds.contains(&assertion.title) {
                page.holds.push(assertion.title.clone());
            }
        }
        let within = rules.resolved.withins.iter().map(|within| format!("within {}", within.include.path.text));
        page.holds.extend(within);
        page.waived.clone_from(&rules.policy.waivers);
        page.extras.extend(rules.policy.flags.iter().map(|flag| flag.oci_name().to_owned()));
        page.extras.extend(rules.policy.listener.iter().map(|listener| format!("listener {}", listener.path)));
    }
    page
}

fn parts(
    store: &mut Store,
    filter: &Filter,
    sources: &Sources,
    arch: Arch,
    nr: Nr,
    name: &str,
    rest: Option<Action>,
) -> Vec<Part> {
    let shares: Vec<Share> = match &filter.rules {
        Some(rules) => decided::shares(&rules.resolved, store, arch, nr),
        None => {
            let node = filter.function.at(arch, nr);
            let mut shares: Vec<Share> = actions(store, node)
                .into_iter()
                .map(|action| Share { action, set: store.where_action(node, &|other| other == action), by: Vec::new() })
                .collect();
            // What calls get that nobody speaks of comes last.
            shares.sort_by_key(|share| Some(share.action) == rest);
            shares
        }
    };
    let only = shares.len() == 1;
    let last = shares.len().saturating_sub(1);
    let part = |(index, share): (usize, Share)| {
        let left = index == last && (filter.rules.is_some() && share.by.is_empty() || Some(share.action) == rest);
        let when = if share.set == Node::TRUE {
            When::Always
        } else if left && !only {
            When::Otherwise
        } else {
            When::If(words::cases(store, arch, Some(name), share.set))
        };
        let places = filter.rules.as_ref().map(|rules| share.places(&rules.resolved, sources));
        Part { action: share.action, when, places: places.unwrap_or_default() }
    };
    shares.into_iter().enumerate().map(part).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use std::path::Path;

    use super::*;
    use crate::driver::{Options, load};
    use crate::source::Memory;

    fn page(policy: &str) -> Page {
        let mut memory = Memory::default();
        memory.insert("p.kpol", policy);
        let mut store = Store::default();
        let opened = load::load(&memory, Path::new("p.kpol"), &Options::default(), &mut store).unwrap();
        show(&mut store, &opened.filter.unwrap(), &opened.sources)
    }

    fn said(page: &Page, call: &str) -> Vec<String> {
        let row = page.calls.iter().find(|row| row.name == call).unwrap();
        let line = |fate: &Fate, part: &Part| {
            let places: Vec<String> = part.places.iter().map(Place::to_string).collect();
            let archs: Vec<&str> = fate.archs.iter().map(|arch| arch.name()).collect();
            format!("{} [{}] {} {}", part.action, part.when.lines().join("; "), archs.join(","), places.join(","))
        };
        row.fates.iter().flat_map(|fate| fate.parts.iter().map(move |part| line(fate, part))).collect()
    }

    #[test]
    fn each_rule_has_its_line_and_the_default_the_rest() {
        let page = page(
            "//! What it is.\ndefault deny\nallow { read, @clock, socket(family == AF_UNIX) }\n\
             kill { socket(family == AF_ALG) }\nwhen arch aarch64 { log { mount } }\n\
             assert \"no modules\" { not allow { @module } }\n",
        );
        assert_eq!(page.about.as_deref(), Some("What it is."));
        assert_eq!(page.holds, ["no modules"]);
        assert_eq!(page.rest, [(vec![Arch::X86_64, Arch::Aarch64], Action::Errno(1))]);
        assert_eq!(said(&page, "read"), ["allow [] x86_64,aarch64 p.kpol:3"]);
        assert_eq!(
            said(&page, "socket"),
            [
                "allow [family == AF_UNIX] x86_64,aarch64 p.kpol:3",
                "kill [family == AF_ALG] x86_64,aarch64 p.kpol:4",
                "deny(EPERM) [otherwise] x86_64,aarch64 p.kpol:2",
            ]
        );
        assert_eq!(said(&page, "mount"), ["deny(EPERM) [] x86_64 p.kpol:2", "log [] aarch64 p.kpol:5"]);
        assert_eq!(said(&page, "clock_settime"), ["allow [] x86_64,aarch64 p.kpol:3 @clock"]);
        assert_eq!(said(&page, "open"), ["deny(EPERM) [] x86_64 p.kpol:2"]);
    }
}
