//! Which of several definitions an architecture builds: the conditions of the preprocessor around them.
//!
//! ```text
//! #ifdef CONFIG_CLONE_BACKWARDS … #elif defined(CONFIG_CLONE_BACKWARDS2) … #else … #endif
//!   s390 selects CLONE_BACKWARDS2   →   the second `SYSCALL_DEFINE5(clone, …)` is its own
//! ```
//!
//! Only symbols that decide between definitions of calls are known; any other may be set or not, and excludes nothing.

use std::collections::BTreeSet;
use std::path::Path;

use crate::Outcome;

/// Symbols that an architecture's Kconfig selects, if it does.
const SELECTED: [&str; 8] = [
    "CLONE_BACKWARDS",
    "CLONE_BACKWARDS2",
    "CLONE_BACKWARDS3",
    "OLD_SIGSUSPEND",
    "OLD_SIGSUSPEND3",
    "OLD_SIGACTION",
    "COMPAT_OLD_SIGACTION",
    "ARCH_SPLIT_ARG64",
];

/// What is set where one architecture's kernel of one width is built.
pub struct Config {
    set: BTreeSet<String>,
    unset: BTreeSet<String>,
    /// The end of the names of files that are built for the other width.
    pub other: &'static str,
}

impl Config {
    /// Reads `arch/*/Kconfig`.
    pub fn read(root: &Path, arch: &str, bits: u8) -> Outcome<Self> {
        Ok(Self::of(&crate::read(&root.join("arch").join(arch).join("Kconfig"))?, bits))
    }

    fn of(kconfig: &str, bits: u8) -> Self {
        let (own, other) = if bits == 64 { ("64", "32") } else { ("32", "64") };
        let (mut set, mut unset) = (BTreeSet::new(), BTreeSet::new());
        let mut symbol = "";
        for line in kconfig.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["config" | "menuconfig", name] => symbol = name,
                ["select", name, rest @ ..] => {
                    let other_width = |word: &&str| match word.strip_prefix('!') {
                        Some(not) => not.contains(own),
                        None => word.contains(other),
                    };
                    let elsewhere = symbol.ends_with(other) || rest.iter().any(other_width);
                    if SELECTED.contains(name) && !elsewhere {
                        set.insert(format!("CONFIG_{name}"));
                    }
                }
                _ => {}
            }
        }
        for name in SELECTED.iter().map(|name| format!("CONFIG_{name}")).filter(|name| !set.contains(name)) {
            unset.insert(name);
        }
        let (here, there) = if bits == 64 { (&mut set, &mut unset) } else { (&mut unset, &mut set) };
        here.extend(["CONFIG_64BIT", "CONFIG_X86_64", "CONFIG_PPC64"].map(str::to_owned));
        there.extend(["CONFIG_X86_32", "CONFIG_PPC32", "CONFIG_32BIT"].map(str::to_owned));
        set.insert("CONFIG_MMU".to_owned());
        Self { set, unset, other }
    }

    /// Whether a definition under these conditions may be built.
    pub fn allows(&self, conditions: &[String]) -> bool {
        conditions.iter().all(|condition| {
            let words = words(condition);
            self.either(&words, &mut 0, 0) != Some(false)
        })
    }

    /// `||` of a condition; `None` if that is not known. `depth` bounds the brackets that are followed.
    fn either(&self, words: &[String], at: &mut usize, depth: usize) -> Option<bool> {
        let mut value = self.both(words, at, depth);
        while words.get(*at).is_some_and(|word| word == "||") {
            *at += 1;
            let next = self.both(words, at, depth);
            value = match (value, next) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            };
        }
        value
    }

    fn both(&self, words: &[String], at: &mut usize, depth: usize) -> Option<bool> {
        let mut value = self.one(words, at, depth);
        while words.get(*at).is_some_and(|word| word == "&&") {
            *at += 1;
            let next = self.one(words, at, depth);
            value = match (value, next) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            };
        }
        value
    }

    fn one(&self, words: &[String], at: &mut usize, depth: usize) -> Option<bool> {
        let word = words.get(*at)?;
        *at += 1;
        match word.as_str() {
            "!" => self.one(words, at, depth).map(|value| !value),
            "(" if depth < 32 => {
                let value = self.either(words, at, depth + 1);
                *at += 1;
                value
            }
            "defined" | "IS_ENABLED" => self.one(words, at, depth),
            name if self.set.contains(name) => Some(true),
            name if self.unset.contains(name) => Some(false),
            _ => {
                // `BITS_PER_LONG == 64` and what else is no single name: the rest of it is passed over.
                while words.get(*at).is_some_and(|word| !matches!(word.as_str(), "&&" | "||" | ")" | "(")) {
                    *at += 1;
                }
                None
            }
        }
    }
}

fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            _ if rest.starts_with("&&") || rest.starts_with("||") => 2,
            _ if first.is_ascii_alphanumeric() || first == '_' => {
                rest.find(|next: char| !next.is_ascii_alphanumeric() && next != '_').unwrap_or(rest.len())
            }
            _ => first.len_utf8(),
        };
        let (word, after) = rest.split_at(length);
        if !word.trim().is_empty() {
            words.push(word.to_owned());
        }
        rest = after;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_of_the_architecture_is_chosen() {
        let kconfig = "config X86_32\n\tselect CLONE_BACKWARDS\nconfig X86\n\tselect OLD_SIGSUSPEND3 if X86_32 || IA32_EMULATION\n\tselect ARCH_SPLIT_ARG64 if !64BIT\n";
        let allows = |bits, condition: &str| Config::of(kconfig, bits).allows(&[condition.to_owned()]);
        assert!(allows(32, "defined(CONFIG_CLONE_BACKWARDS)") && !allows(64, "defined(CONFIG_CLONE_BACKWARDS)"));
        assert!(allows(64, "!(defined(CONFIG_CLONE_BACKWARDS)) && !defined(CONFIG_CLONE_BACKWARDS2)"));
        assert!(allows(32, "defined(CONFIG_ARCH_SPLIT_ARG64)") && !allows(64, "defined(CONFIG_ARCH_SPLIT_ARG64)"));
        assert!(!allows(32, "!(defined(CONFIG_CLONE_BACKWARDS) || BITS_PER_LONG == 64)"));
        assert!(allows(64, "defined(CONFIG_SYSVIPC) && !(BITS_PER_LONG != 64)"));
    }
}
