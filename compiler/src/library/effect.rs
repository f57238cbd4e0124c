//! Effects: what people mean when they name a call, with every way that we know to bring it about.
//!
//! ```text
//! groups/effect-connect.kpol
//!     /// Connects a socket to an address that the caller chooses, on a network or on this machine.
//!     ///
//!     /// Main calls: connect.                     the calls that people name
//!     /// Twins: sendmmsg, sendmsg, sendto.        calls that bring it about as directly
//!     /// Minor: socket, …                         members that need another step, or do a small part only
//!     group @effect-connect {
//!         // __sys_connect, net/socket.c; …        why the member is here, and where that is to be read
//!         connect,
//!         …
//! ```
//!
//! An effect is an ordinary group; what more there is to know of it stands in its comments, in the form above, and is read from
//! there. A comment holds for its member and for those right below that have none. `//!` says what the effect leaves out.
//!
//! INVARIANT: each effect has a file of its own with its name, a summary, main calls that are members, and a reason with a
//! reference for every member; tests keep it.

use kpol_grammar::ast::{Statement, StatementKind};

use super::{LibraryFile, files};

/// An effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect {
    /// The group, `@effect-connect`.
    pub group: &'static str,
    file: &'static LibraryFile,
}

/// One member of an effect: a way to bring it about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The group that it is a member of: the effect, or a part of it that differs between ABIs.
    pub group: String,
    /// The guard that it stands under, as written; nothing for most.
    pub guard: String,
    /// The member on one line: `sendto(flags & MSG_FASTOPEN)`.
    pub pattern: String,
    /// Why it is here, with a reference.
    pub reason: String,
}

/// All effects, by name.
pub fn effects() -> impl Iterator<Item = Effect> {
    let files = files().iter().filter(|file| file.is_effect());
    files.filter_map(|file| Some(Effect { group: file.groups.first()?, file }))
}

impl Effect {
    /// The name without `@effect-`.
    pub fn name(&self) -> &'static str {
        self.group.trim_start_matches("@effect-")
    }

    /// What it is, in a sentence.
    pub fn summary(&self) -> String {
        self.doc().take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// What else there is to know, and what it does not cover: the paragraphs at the file's top, without the title.
    pub fn about(&self) -> String {
        let top = self.file.text.lines().map_while(|line| line.strip_prefix("//!"));
        top.skip(1).map(str::trim).collect::<Vec<_>>().join("\n").trim().to_owned()
    }

    /// The calls that people name when they mean it.
    pub fn main_calls(&self) -> Vec<&'static str> {
        self.named("Main calls:")
    }

    /// Calls that bring it about as directly: a list of calls that leaves out the main ones means these too.
    pub fn twins(&self) -> Vec<&'static str> {
        self.named("Twins:")
    }

    /// Members that need another step first, or do a small part only: no warning speaks of them.
    pub fn minor(&self) -> Vec<&'static str> {
        self.named("Minor:")
    }

    /// The `///` lines above the group.
    fn doc(&self) -> impl Iterator<Item = &'static str> {
        let lines = self.file.text.lines().skip_while(|line| !line.starts_with("///"));
        lines.map_while(|line| line.strip_prefix("///")).map(str::trim)
    }

    /// The words after a key, to the end of its sentence.
    fn named(&self, key: &str) -> Vec<&'static str> {
        let from = self.doc().skip_while(|line| !line.starts_with(key));
        let mut names = Vec::new();
        for line in from {
            names.extend(
                line.strip_prefix(key).unwrap_or(line).split(", ").flat_map(|part| part.split(',')).map(str::trim),
            );
            if line.ends_with('.') {
                break;
            }
        }
        names.into_iter().map(|name| name.trim_end_matches('.')).filter(|name| !name.is_empty()).collect()
    }

    /// Its members, those of its parts behind them.
    pub fn ways(&self) -> Vec<Way> {
        let (tree, _) = kpol_grammar::parse(self.file.text);
        let mut ways = Vec::new();
        self.collect(&tree.statements, "", &mut ways);
        ways
    }

    fn collect(&self, statements: &[Statement], guard: &str, ways: &mut Vec<Way>) {
        for statement in statements {
            match &statement.kind {
                StatementKind::Group { name, patterns } => {
                    let (mut end, mut reason) = (name.span.range().end, String::new());
                    for pattern in patterns {
                        let span = pattern.span.range();
                        let above = comments(self.file.text.get(end..span.start).unwrap_or_default());
                        if !above.is_empty() {
                            reason = above;
                        }
                        ways.push(Way {
                            group: name.text.clone(),
                            guard: guard.to_owned(),
                            pattern: one_line(self.file.text.get(span.clone()).unwrap_or_default()),
                            reason: match (&*reason, &statement.doc) {
                                ("", Some(doc)) => doc.trim().to_owned(),
                                _ => reason.clone(),
                            },
                        });
                        end = span.end;
                    }
                }
                // The library nests `when` once.
                StatementKind::When { body, .. } => {
                    let words = self.file.text.get(statement.span.range()).unwrap_or_default();
                    let guard = words.split('{').next().unwrap_or_default().trim_start_matches("when").trim();
                    self.collect(body, guard, ways);
                }
                _ => {}
            }
        }
    }
}

/// The text of the `//` lines in what stands between two members.
fn comments(between: &str) -> String {
    let lines = between.lines().filter_map(|line| line.trim().strip_prefix("//"));
    lines.map(str::trim).collect::<Vec<_>>().join(" ")
}

/// A pattern as one would write it on a line, however it was broken.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let joined = words.join(" ");
    joined
        .replace("( ", "(")
        .replace(", )", ")")
        .replace(" )", ")")
        .replace("{ ", "{")
        .replace(", }", "}")
        .replace(" }", "}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use std::collections::BTreeSet;

    use super::*;

    /// The call or group that a pattern names.
    fn head(pattern: &str) -> &str {
        pattern.split('(').next().unwrap_or(pattern)
    }

    #[test]
    fn an_effect_says_what_it_is_what_it_leaves_out_and_which_calls_people_name() {
        assert_eq!(effects().count(), 20);
        for effect in effects() {
            let group = effect.group;
            assert_eq!(format!("groups/{}", group.trim_start_matches('@')), effect.file.name);
            assert!(effect.file.text.starts_with("//! Effect: "), "{group}: the file begins with `//! Effect: `");
            assert!(effect.summary().ends_with('.'), "{group}: {}", effect.summary());
            assert!(effect.about().len() > 80, "{group} does not say what it leaves out");
            assert!(!effect.main_calls().is_empty(), "{group} names no main calls");
        }
    }

    #[test]
    fn main_calls_twins_and_minor_members_are_members() {
        for effect in effects() {
            let ways = all_ways(effect);
            let members: BTreeSet<&str> = ways.iter().map(|way| head(&way.pattern)).collect();
            for call in effect.main_calls().into_iter().chain(effect.twins()).chain(effect.minor()) {
                let ring = call.starts_with("io_uring_") && members.contains("@io-uring");
                assert!(members.contains(call) || ring, "{}: {call} is no member", effect.group);
            }
        }
    }

    /// With those of the effects in it.
    fn all_ways(effect: Effect) -> Vec<Way> {
        let mut ways = effect.ways();
        let inner: Vec<Effect> = effects().filter(|other| ways.iter().any(|way| way.pattern == other.group)).collect();
        ways.extend(inner.iter().flat_map(Effect::ways));
        ways
    }

    /// Where a reason sends its reader: a file of the kernel, or a page of the manual.
    fn has_reference(reason: &str) -> bool {
        let words = || reason.split([' ', ',', ';', ':', '(', ')']);
        let file = words().any(|word| word.contains('/') && !word.starts_with('/') || word.ends_with(".c"));
        let page = (1..=8).any(|section| reason.contains(&format!("({section})")));
        file || page
    }

    #[test]
    fn every_member_has_its_reason_and_a_reference() {
        for effect in effects() {
            for way in effect.ways().iter().filter(|way| way.group == effect.group) {
                assert!(!way.reason.is_empty(), "{}: {} has no comment above it", effect.group, way.pattern);
                let inner = effects().any(|other| other.group == way.pattern);
                assert!(inner || has_reference(&way.reason), "{}: {}: {}", effect.group, way.pattern, way.reason);
            }
        }
    }

    #[test]
    fn members_stand_there_once_groups_first_then_by_name() {
        for effect in effects() {
            let ways = effect.ways();
            let own: Vec<&str> = ways.iter().filter(|way| way.group == effect.group).map(|way| &*way.pattern).collect();
            let key = |pattern: &&str| (!pattern.starts_with('@'), head(pattern).to_owned());
            assert!(own.is_sorted_by_key(key), "{} is not sorted: {own:#?}", effect.group);
            assert_eq!(own.iter().collect::<BTreeSet<_>>().len(), own.len(), "{}", effect.group);
            // What is here with any arguments is here with some.
            let whole: Vec<&&str> = own.iter().filter(|pattern| !pattern.contains('(')).collect();
            let again = own.iter().find(|pattern| pattern.contains('(') && whole.contains(&&head(pattern)));
            assert_eq!(again, None, "{} names it without a condition too", effect.group);
        }
    }

    #[test]
    fn every_call_of_an_effect_is_in_the_tables() {
        for effect in effects() {
            for way in effect.ways().iter().filter(|way| !way.pattern.starts_with('@')) {
                assert!(crate::tables::syscall(head(&way.pattern)).is_some(), "{}: {}", effect.group, way.pattern);
            }
        }
    }

    #[test]
    fn a_way_is_read_as_it_is_written() {
        let connect = effects().find(|effect| effect.name() == "connect").unwrap();
        assert_eq!(connect.main_calls(), ["connect"]);
        assert_eq!(connect.twins(), ["sendmmsg", "sendmsg", "sendto"]);
        assert!(connect.minor().contains(&"socket"));
        let ways = connect.ways();
        let fast = ways.iter().find(|way| way.pattern == "sendto(flags & MSG_FASTOPEN)").unwrap();
        assert!(fast.reason.contains("tcp_sendmsg_fastopen, net/ipv4/tcp.c"), "{}", fast.reason);
        let becoming = effects().find(|effect| effect.name() == "become-other").unwrap();
        assert!(
            becoming.main_calls().contains(&"unshare"),
            "a list goes on over the line: {:?}",
            becoming.main_calls()
        );
        let code = effects().find(|effect| effect.name() == "executable-memory").unwrap().ways();
        let old = code.iter().find(|way| way.pattern == "mmap").unwrap();
        assert_eq!((&*old.group, &*old.guard), ("@mmap-executable", "arch x86, m68k, s390, s390x"));
    }
}
