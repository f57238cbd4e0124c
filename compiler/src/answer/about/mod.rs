//! What is known of a name: of a call, a constant, a group, a file of the library.
//!
//! ```text
//! kpolc explain sendto          →   Topic::Call, and its page
//! hover on `sendto`             →   the same facts, for the ABIs of the policy
//! ```
//!
//! Text is Markdown, of the little that `kpolc explain` can draw in a terminal.

pub mod call;
pub mod constant;
pub mod file;
pub mod groups;

use crate::library::{self, LibraryFile};
use crate::spec::Arch;
use crate::tables::{self, Syscall};
use groups::Builtin;

/// What a name is.
#[derive(Debug, Clone, Copy)]
pub enum Topic {
    /// A call.
    Call(Syscall),
    /// A constant of the kernel, errnos and capabilities among them.
    Constant(&'static str),
    /// A built-in group, or an effect.
    Group(&'static Builtin),
    /// A file to include.
    File(&'static LibraryFile),
}

impl Topic {
    /// Everything of that name: `mount` is a call, and a group.
    pub fn all(word: &str) -> Vec<Self> {
        let mut all = Vec::new();
        all.extend(tables::syscall(word).map(Self::Call));
        all.extend(tables::constant_names().find(|name| *name == word).map(Self::Constant));
        let bare = word.trim_start_matches('@');
        all.extend(groups::all().get(&format!("@{bare}")).map(Self::Group));
        let path = word.trim_matches(['<', '>']).trim_end_matches(".kpol");
        let path = library::renamed(path).unwrap_or(path);
        let is_it = |file: &&LibraryFile| file.name == path || file.name.rsplit('/').next() == Some(path);
        all.extend(library::includable().find(is_it).map(Self::File));
        all
    }

    /// What kind of thing it is, and its name: "the call `mount`".
    pub fn name(self) -> String {
        match self {
            Self::Call(call) => format!("the call `{}`", call.name()),
            Self::Constant(name) => format!("the constant `{name}`"),
            Self::Group(group) => format!("the group `{}`", group.name),
            Self::File(file) => format!("the file `<{}>`", file.name),
        }
    }

    /// All that there is to say, as Markdown.
    pub fn page(self) -> String {
        match self {
            Self::Call(call) => call::page(call),
            Self::Constant(name) => constant::page(name),
            Self::Group(group) => file::group_page(group),
            Self::File(file) => file::page(file),
        }
    }
}

/// Names that somebody may have meant who wrote one that there is not, the likeliest kind first.
pub fn near(word: &str) -> Vec<String> {
    let mut names = Vec::new();
    let offers = |names: Vec<&str>| kpol_grammar::Offer::of(word, names).map_or(Vec::new(), |offer| offer.names);
    // Constants are written in capitals, and there are thousands of them: few words are far from all.
    if word.chars().any(|c| c.is_ascii_uppercase()) {
        names.extend(offers(tables::constant_names().collect()));
    } else if word.contains('/') || word.starts_with('<') {
        names.extend(library::near(word.trim_matches(['<', '>'])).map(|name| format!("<{name}>")));
    } else if word.starts_with('@') {
        names.extend(offers(library::group_names().collect()));
    } else {
        names.extend(offers(Syscall::all().map(Syscall::name).collect()));
        let groups = kpol_grammar::Offer::of(word, library::group_names().map(|name| name.trim_start_matches('@')));
        names.extend(groups.map_or(Vec::new(), |offer| offer.names).into_iter().map(|name| format!("@{name}")));
        names.extend(library::near(word).map(|name| format!("<{name}>")));
    }
    names.truncate(4);
    names
}

/// The word in a list such as `a, b and 3 more`.
pub fn some_of(names: &[&str], most: usize) -> String {
    if names.len() <= most {
        return names.join(", ");
    }
    format!("{} and {} more", names[..most].join(", "), names.len() - most)
}

/// The same, each in the marks of code.
fn listed(names: &[&str], most: usize) -> String {
    let marked: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    some_of(&marked.iter().map(String::as_str).collect::<Vec<_>>(), most)
}

/// `41 on x86_64; 198 on aarch64, riscv64`: ABIs that have the same together.
fn by_abi(values: impl Iterator<Item = (Arch, String)>) -> String {
    let mut same: Vec<(String, Vec<&str>)> = Vec::new();
    let mut count = 0;
    for (arch, value) in values {
        count += 1;
        match same.iter_mut().find(|(known, _)| *known == value) {
            Some((_, archs)) => archs.push(arch.name()),
            None => same.push((value, vec![arch.name()])),
        }
    }
    if let ([(value, _)], true) = (same.as_slice(), count == Arch::all().len()) {
        return format!("{value} on all ABIs");
    }
    same.into_iter().map(|(value, archs)| format!("{value} on {}", archs.join(", "))).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn everything_that_has_a_name_has_a_page() {
        let calls = Syscall::all().map(Syscall::name);
        let files = library::includable().map(|file| file.name);
        for name in calls.chain(tables::constant_names()).chain(library::group_names()).chain(files) {
            let topics = Topic::all(name);
            let page = topics.first().unwrap().page();
            assert!(page.starts_with("# ") && page.contains(name.trim_start_matches("groups/")), "{name}: {page}");
            assert_eq!(page.matches("```").count() % 2, 0, "{name}: {page}");
        }
    }

    #[test]
    fn the_page_of_a_call_has_every_effect_that_it_is_a_way_to() {
        let mut count = 0;
        for effect in library::effects() {
            for way in effect.ways() {
                let Some(call) = tables::syscall(way.pattern.split('(').next().unwrap()) else { continue };
                assert!(call::page(call).contains(&format!("- `{}`: `{}`", effect.group, way.pattern)), "{way:?}");
                count += 1;
            }
        }
        assert!(count > 200, "{count}");
    }

    #[test]
    fn constants_are_named_with_their_header_and_what_they_fit() {
        let page = Topic::all("O_DIRECT")[0].page();
        for words in ["65536 (0x10000) on aarch64, arm, m68k", "`asm/fcntl.h`", "- `flags` of `open`"] {
            assert!(page.contains(words), "{words}: {page}");
        }
        assert_eq!(tables::constant_header("PR_SET_DUMPABLE"), Some("linux/prctl.h"));
        assert_eq!(tables::constant_header("AF_ALG"), None);
        assert_eq!(near("AF_ALGG"), ["AF_ALG"]);
        assert_eq!(near("netwrk-io"), ["@network-io"]);
        assert_eq!(near("base/runtim"), ["<base/runtime>"]);
    }
}
