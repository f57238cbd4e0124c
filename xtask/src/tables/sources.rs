//! The tables held against the kernel's sources, parameter by parameter.
//!
//! ```text
//! kernel-sources.tsv  mbind  …  unsigned long mode = 32 signed at mm/mempolicy.c:1747 int lmode
//! the tables          mbind     mode: 64 unsigned
//!   →  mbind on x86_64: `mode` is 32 signed in the sources (mm/mempolicy.c:1747 int lmode), 64 unsigned in the tables
//! ```
//!
//! The two have different origins: names and types of the tables were read from a running kernel and written by hand,
//! widths from a person's reading; the sources were read by a program (`harvest/linux`). What differs is a mistake in
//! one of them, or has its reason: a line in `exceptions.tsv`, with the place that shows it.
//!
//! INVARIANT: every exception is needed: one that explains nothing is an error.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::columns;
use super::facts::{Facts, Line};
use super::numbers::Calls;
use super::prototypes::{Prototypes, Shape, Types};
use crate::{Failure, Outcome};

/// Differences shown at once.
const MOST_SHOWN: usize = 60;

/// What differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Difference {
    call: String,
    abi: &'static str,
    /// A parameter's name in the tables; `*` for all.
    parameter: String,
    /// What the sources have, and what the tables have.
    sources: String,
    tables: String,
    /// Where the sources say so.
    place: String,
}

/// A line of `exceptions.tsv`.
struct Exception {
    line: Line,
    used: bool,
}

impl Exception {
    fn explains(&self, found: &Difference) -> bool {
        let columns: Vec<&str> = self.line.columns.iter().map(String::as_str).collect();
        let &[call, abis, parameter, sources, tables, ..] = columns.as_slice() else { return false };
        call == found.call
            && (abis == "*" || abis.split(',').any(|abi| abi == found.abi))
            && parameter == found.parameter
            && sources == found.sources
            && tables == found.tables
    }
}

/// Fails where tables and sources differ, and no exception says why.
pub fn check(facts: &Facts, calls: &Calls, prototypes: &Prototypes) -> Outcome {
    let types = Types::read(facts)?;
    let mut exceptions = Vec::new();
    for line in facts.lines("exceptions.tsv")? {
        let place = line.column(5, "file and line")?;
        let is_place = place.rsplit_once(':').is_some_and(|(file, at)| file.contains('.') && at.parse::<u32>().is_ok());
        if !is_place || line.column(6, "what stands there")?.is_empty() || line.column(7, "why")?.is_empty() {
            return Err(line.wrong("an exception names a file and a line, quotes it, and says why"));
        }
        exceptions.push(Exception { line, used: false });
    }
    let mut found = Vec::new();
    for line in facts.lines("kernel-sources.tsv")? {
        differences(&line, calls, prototypes, &types, &mut found)?;
    }
    found.sort();
    found.dedup();
    found.retain(|difference| {
        let mut explained = false;
        for exception in exceptions.iter_mut().filter(|exception| exception.explains(difference)) {
            exception.used = true;
            explained = true;
        }
        !explained
    });
    // What the ABIs have in common is said once.
    let mut alike: BTreeMap<[&str; 5], Vec<&str>> = BTreeMap::new();
    for Difference { call, abi, parameter, sources, tables, place } in &found {
        alike.entry([call, parameter, sources, tables, place]).or_default().push(abi);
    }
    let mut text = String::new();
    for ([call, parameter, sources, tables, place], abis) in alike.iter().take(MOST_SHOWN) {
        let abis = abis.join(",");
        let _ = writeln!(
            text,
            "{call} on {abis}: `{parameter}` is {sources} in the sources ({place}), {tables} in the tables"
        );
    }
    if alike.len() > MOST_SHOWN {
        let _ = writeln!(text, "and {} more", alike.len() - MOST_SHOWN);
    }
    for exception in exceptions.iter().filter(|exception| !exception.used) {
        let _ = writeln!(text, "{}: nothing differs here by now; take this line out", exception.line.place);
    }
    if text.is_empty() {
        return Ok(());
    }
    Err(Failure::Found(format!("{text}Correct the facts, or explain the difference in xtask/facts/exceptions.tsv")))
}

/// What a line of `kernel-sources.tsv` has otherwise than the tables.
fn differences(
    line: &Line,
    calls: &Calls,
    prototypes: &Prototypes,
    types: &Types,
    found: &mut Vec<Difference>,
) -> Outcome {
    let (call, entered, at) = (line.column(0, "call")?, line.column(3, "function")?, line.column(4, "place")?);
    let place = format!("{at} {entered}");
    let number = calls.index(call);
    for abi in line.column(1, "ABIs")?.split(',') {
        let index = columns::index(abi).ok_or_else(|| line.wrong(&format!("no ABI `{abi}`")))?;
        let abi = columns::ABIS[index].name;
        let mut differs = |parameter: &str, sources: String, tables: String, place: &str| {
            let (call, parameter, place) = (call.to_owned(), parameter.to_owned(), place.to_owned());
            found.push(Difference { call, abi, parameter, sources, tables, place });
        };
        let Some(call) = number.filter(|&call| calls.has(call, abi)) else {
            differs("*", entered.to_owned(), "no number".to_owned(), &place);
            continue;
        };
        let said = line.columns.get(5..).unwrap_or_default();
        let Some(params) = prototypes.of(call, index) else {
            differs("*", format!("{} parameters", said.len()), "not known".to_owned(), &place);
            continue;
        };
        let bits = if columns::is_32_bit(abi) { 32 } else { 64 };
        // Behind what two registers hold, neither the tables nor the sources have a register for each parameter.
        let split = params.iter().position(|param| bits == 32 && param.split);
        if split.is_none() && params.len() != said.len() {
            let count = |count: usize| format!("{count} parameters");
            differs("*", count(said.len()), count(params.len()), &place);
            continue;
        }
        for (param, said) in params.iter().zip(said).take(split.unwrap_or(params.len())) {
            let said =
                Said::parse(said, types, bits).ok_or_else(|| line.wrong(&format!("`{said}` is no parameter")))?;
            let tables = words(param.shape, bits);
            if said.words != tables {
                differs(&param.name, said.words, tables, said.place.unwrap_or(&place));
            }
        }
    }
    Ok(())
}

/// What the sources say of a parameter.
struct Said<'a> {
    /// `32 signed`, `pointer`, `64 unsigned, cut to 32 signed somewhere`.
    words: String,
    /// Where it is cut.
    place: Option<&'a str>,
}

impl<'a> Said<'a> {
    fn parse(text: &'a str, types: &Types, register: u8) -> Option<Self> {
        let cut = text.find(" = ").or_else(|| text.find(" ~ "));
        let (declared, cut) = cut.map_or((text, ""), |at| text.split_at(at));
        let (ty, _) = declared.rsplit_once(' ')?;
        let Some(shape) = types.shape(ty) else {
            return Some(Self { words: format!("the unknown type {ty}"), place: None });
        };
        let whole = words(shape, register);
        let Some((rest, place)) = cut.trim_start().split_once(" at ") else {
            return Some(Self { words: whole, place: None });
        };
        let (mark, width) = rest.split_once(' ')?;
        let words = if mark == "=" { width.to_owned() } else { format!("{whole}, cut to {width} somewhere") };
        Some(Self { words, place: Some(place) })
    }
}

fn words(shape: Shape, register: u8) -> String {
    let Shape { bits, signed, pointer } = shape;
    match (pointer, signed) {
        (true, _) => "pointer".to_owned(),
        (false, true) => format!("{} signed", bits.min(register)),
        (false, false) => format!("{} unsigned", bits.min(register)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::super::prototypes::{self, Param};
    use super::*;

    /// What the check says of the tables, after something was planted in them.
    fn said(plant: impl FnOnce(&mut Calls, &mut Prototypes)) -> String {
        let facts = Facts::new();
        let mut calls = Calls::read(&facts).unwrap();
        let mut prototypes = prototypes::emit(&facts, &calls).unwrap();
        plant(&mut calls, &mut prototypes);
        match check(&facts, &calls, &prototypes) {
            Ok(()) => String::new(),
            Err(Failure::Found(text)) => text,
            Err(other) => unreachable!("{other:?}"),
        }
    }

    /// Plants another list of parameters for a call on an ABI.
    fn planted(call: &str, abi: &str, change: impl FnOnce(&mut Vec<Param>)) -> String {
        said(|calls, prototypes| {
            let (call, abi) = (calls.index(call).unwrap(), columns::index(abi).unwrap());
            let mut list = prototypes.of(call, abi).unwrap().to_vec();
            change(&mut list);
            prototypes.plant(call, abi, list);
        })
    }

    #[test]
    fn the_tables_are_what_the_sources_say() {
        let text = said(|_, _| {});
        assert_eq!(text, "");
    }

    /// Each is a mistake that the tables once had: call, ABI, parameter, its bits then.
    const WIDTHS: [(&str, &str, &str, u8); 26] = [
        ("setuid", "x86", "uid", 32),
        ("setresuid", "x86", "euid", 32),
        ("setregid", "arm", "egid", 32),
        ("setfsgid", "s390", "gid", 32),
        ("chown", "m68k", "user", 32),
        ("lchown", "sh", "group", 32),
        ("readv", "x86_64", "vlen", 64),
        ("pwritev2", "aarch64", "vlen", 64),
        ("preadv", "x32", "vlen", 64),
        ("vmsplice", "riscv64", "nr_segs", 64),
        ("process_madvise", "x86_64", "vlen", 64),
        ("process_vm_readv", "x86_64", "liovcnt", 64),
        ("mbind", "x86_64", "mode", 64),
        ("kcmp", "x86_64", "idx1", 64),
        ("kcmp", "x86_64", "idx2", 32),
        ("sysfs", "x86_64", "arg1", 32),
        ("fcntl", "x86_64", "arg", 32),
        ("keyctl", "aarch64", "arg2", 32),
        ("prctl", "x86_64", "arg2", 32),
        ("io_submit", "x32", "nr", 64),
        ("set_robust_list", "x32", "len", 64),
        ("sendfile", "mips64n32", "count", 64),
        ("keyctl", "mipsel64n32", "arg2", 64),
        ("readv", "x86_64", "fd", 64),
        ("clone", "x86_64", "clone_flags", 64),
        ("chmod", "x86_64", "mode", 32),
    ];

    #[test]
    fn a_wrong_width_is_found() {
        for (call, abi, parameter, bits) in WIDTHS {
            let text = planted(call, abi, |list| {
                let param = list.iter_mut().find(|param| param.name == parameter).unwrap();
                assert_ne!(param.shape.bits, bits, "{call} on {abi} has this width: nothing is planted");
                param.shape.bits = bits;
            });
            assert!(text.contains(&format!("{call} on {abi}: `{parameter}` is ")), "{call} on {abi}: {text}");
        }
    }

    #[test]
    fn a_wrong_list_of_parameters_is_found() {
        let int = |name: &str| {
            let shape = Shape { bits: 32, signed: true, pointer: false };
            Param { name: name.to_owned(), shape, split: false }
        };
        for abi in ["x86", "mips", "ppc"] {
            let text = planted("umount", abi, |list| list.push(int("flags")));
            assert!(text.contains(&format!("umount on {abi}: `*` is 1 parameters in the sources")), "{text}");
        }
        let text = planted("inotify_rm_watch", "x86_64", |list| list.truncate(1));
        assert!(text.contains("inotify_rm_watch on x86_64: `*` is 2 parameters"), "{text}");
        let text = planted("mmap2", "s390", |list| *list = vec![int("addr"); 6]);
        assert!(text.contains("mmap2 on s390: `*` is 1 parameters"), "{text}");
        // The order of registers: with CLONE_BACKWARDS2 the stack comes first.
        let text = planted("clone", "s390x", |list| list.swap(0, 1));
        assert!(text.contains("clone on s390x: "), "{text}");
        let text = planted("execve", "x86_64", |list| list[1] = int("argv"));
        assert!(text.contains("execve on x86_64: `argv` is pointer in the sources"), "{text}");
        let text = planted("openat", "x86_64", |list| list[0].shape.signed = false);
        assert!(text.contains("openat on x86_64: `dfd` is 32 signed in the sources"), "{text}");
    }

    #[test]
    fn a_number_without_a_name_is_found() {
        for (name, entry) in [("olduname", "sys_uname"), ("oldolduname", "sys_olduname")] {
            let text = said(|calls, _| {
                let (call, abi) = (calls.index(name).unwrap(), columns::index("mips").unwrap());
                calls.rows[call].1[columns::column_of_abi()[abi]] = None;
            });
            assert!(text.contains(&format!("{name} on mips,mipsel: `*` is {entry} in the sources")), "{text}");
        }
    }
}
