//! Who decides what of a call: each rule with the part of the calls that it has the last word on.
//!
//! ```text
//! include "base.kpol"                    // allow { @network-io }
//! override deny { socket(family == AF_ALG) }
//!
//! socket   →   family == AF_ALG   deny(EPERM)   web.kpol:2
//!              the rest           allow         base.kpol:1, by @network-io
//! ```
//!
//! Rules are laid on each other as in [`policy::build`](crate::policy::build): the highest level first, and what it leaves
//! to the next. Two rules of one level that say the same share the calls that both claim.
//!
//! INVARIANT: the parts are disjoint, none is empty, and together they are all calls of the number.

use std::cmp::Reverse;

use crate::diagnostic::Span;
use crate::diagram::{Node, Store};
use crate::resolve::{Claim, Resolved, Via};
use crate::source::Sources;
use crate::spec::{Action, Arch, Nr};

/// A part of a number's calls, and who decides it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// What they get.
    pub action: Action,
    /// The calls.
    pub set: Node,
    /// The patterns that claim them; empty where the default decides.
    pub by: Vec<Via>,
}

/// All parts, rules of the highest level first, the default last.
pub fn shares(resolved: &Resolved, store: &mut Store, arch: Arch, nr: Nr) -> Vec<Share> {
    let mut claims: Vec<&Claim> =
        resolved.claims.get(&arch).and_then(|calls| calls.get(&nr)).into_iter().flatten().collect();
    claims.sort_by_key(|claim| Reverse(claim.priority));
    let mut shares: Vec<Share> = Vec::new();
    let mut left = Node::TRUE;
    for level in claims.chunk_by(|one, other| one.priority == other.priority) {
        let (before, start) = (left, shares.len());
        for claim in level {
            let own = store.and(before, claim.member.set);
            let fresh = store.and(left, own);
            for share in &mut shares[start..] {
                if !share.by.contains(&claim.member.via) && store.and(share.set, own) != Node::FALSE {
                    share.by.push(claim.member.via);
                }
            }
            if fresh != Node::FALSE {
                shares.push(Share { action: claim.action, set: fresh, by: vec![claim.member.via] });
                left = store.minus(left, fresh);
            }
        }
    }
    if left != Node::FALSE
        && let Some(action) = default(resolved).and_then(|(_, actions)| actions.get(&arch))
    {
        shares.push(Share { action: *action, set: left, by: Vec::new() });
    }
    shares
}

/// The default that counts.
fn default(resolved: &Resolved) -> Option<(Span, &std::collections::BTreeMap<Arch, Action>)> {
    let chosen = resolved.defaults.iter().max_by_key(|default| default.priority)?;
    Some((chosen.span, &chosen.action))
}

/// A place in a file as a person says it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The group that the rule names, where it does not name the call.
    pub group: Option<String>,
    /// Whether it is the default.
    pub default: bool,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)?;
        match &self.group {
            Some(group) => write!(f, " {group}"),
            None => Ok(()),
        }
    }
}

impl Share {
    /// Where it is said.
    pub fn places(&self, resolved: &Resolved, sources: &Sources) -> Vec<Place> {
        let place = |span: Span, group: Option<&str>| Place {
            file: sources.get(span.file).name.clone(),
            line: sources.line(span),
            group: group.map(str::to_owned),
            default: self.by.is_empty(),
        };
        let group = |via: &Via| via.group.and_then(|group| resolved.groups.get(group.0 as usize));
        let mut places: Vec<Place> =
            self.by.iter().map(|via| place(via.pattern, group(via).map(|group| group.name.as_str()))).collect();
        if self.by.is_empty() {
            places.extend(default(resolved).map(|(span, _)| place(span, None)));
        }
        places.sort_unstable();
        places.dedup();
        places
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use std::path::Path;

    use super::*;
    use crate::answer::words;
    use crate::driver::{Options, load};
    use crate::source::Memory;

    #[test]
    fn rules_share_what_both_say_and_leave_the_rest() {
        let mut memory = Memory::default();
        memory.insert("base.kpol", "default deny\nallow { @network-io }\n");
        memory.insert(
            "web.kpol",
            "include \"base.kpol\"\n\noverride deny(EACCES) { socket(family == AF_ALG) }\nallow { socket(family >= 0) }\n",
        );
        let mut store = Store::default();
        let opened = load::load(&memory, Path::new("web.kpol"), &Options::default(), &mut store).unwrap();
        let filter = opened.filter.unwrap();
        let rules = filter.rules.unwrap();
        let said: Vec<(String, String, Vec<String>)> = shares(&rules.resolved, &mut store, Arch::X86_64, Nr(41))
            .into_iter()
            .map(|share| {
                let cases = words::cases(&mut store, Arch::X86_64, Some("socket"), share.set);
                let words: Vec<String> = cases.cases.iter().map(words::Case::condition).collect();
                let places = share.places(&rules.resolved, &opened.sources);
                (share.action.to_string(), words.join("; "), places.iter().map(Place::to_string).collect())
            })
            .collect();
        let both = vec!["base.kpol:2 @network-io".to_owned(), "web.kpol:4".to_owned()];
        assert_eq!(
            said,
            [
                ("deny(EACCES)".into(), "family == AF_ALG".into(), vec!["web.kpol:3".into()]),
                ("allow".into(), "family in {0..37, 39..0x7fffffff}".into(), both.clone()),
                ("allow".into(), "family < 0".into(), both[..1].to_vec()),
            ]
        );
        let denied = shares(&rules.resolved, &mut store, Arch::X86_64, Nr(165));
        assert_eq!(denied[0].places(&rules.resolved, &opened.sources)[0].to_string(), "base.kpol:1");
        assert!(denied[0].places(&rules.resolved, &opened.sources)[0].default);
    }
}
