//! Starters: whole policies to begin with, which `kpolc new --from NAME` writes.
//!
//! ```text
//! starters::get("nginx")  →  compiler/starters/nginx.kpol
//!     //! nginx: files, uploads and TLS.        its first line says what it is for
//! ```
//!
//! A starter is text to copy and to change, so it is no file for `include`. Each is tried on the programs that it is for, and allows little
//! besides what they called there (`tests/tests/starters.rs`).
//!
//! INVARIANT: the list holds each file of the folder once; a test compares them.

/// A policy to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Starter {
    /// Its name, for `--from`.
    pub name: &'static str,
    /// The policy.
    pub text: &'static str,
}

macro_rules! starters {
    ($($name:literal)*) => {
        &[$(Starter { name: $name, text: include_str!(concat!("../../starters/", $name, ".kpol")) }),*]
    };
}

/// The general ones first.
static STARTERS: &[Starter] = starters! {
    "hardened" "web-server" "go-service" "batch-job" "nginx" "redis" "postgres" "python" "node" "jvm"
};

impl Starter {
    /// What it is for, in a few words.
    pub fn about(&self) -> &'static str {
        let first = self.text.lines().next().unwrap_or_default().trim_start_matches("//!").trim();
        first.split_once(": ").map_or(first, |(_, about)| about).trim_end_matches('.')
    }
}

/// All of them.
pub fn all() -> &'static [Starter] {
    STARTERS
}

/// The one of that name.
pub fn get(name: &str) -> Option<&'static Starter> {
    STARTERS.iter().find(|starter| starter.name == name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_of_the_folder_is_a_starter() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("starters");
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let names = all().iter().map(|starter| format!("{}.kpol", starter.name));
        assert_eq!(files.collect::<BTreeSet<_>>(), names.collect());
    }

    #[test]
    fn a_starter_begins_with_its_name_and_what_it_is_for() {
        for starter in all() {
            assert!(starter.text.starts_with(&format!("//! {}: ", starter.name)), "{}", starter.name);
            assert!((10..70).contains(&starter.about().len()), "{}: {}", starter.name, starter.about());
        }
    }

    #[test]
    fn starters_are_in_style() {
        for starter in all() {
            assert_eq!(kpol_grammar::format(starter.text).as_deref(), Some(starter.text), "{}", starter.name);
        }
    }
}
