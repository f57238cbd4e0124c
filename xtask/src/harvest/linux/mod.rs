//! `cargo xtask harvest --linux DIR…`: what the kernel's sources say of each parameter of each call of each ABI.
//!
//! ```text
//! arch/x86/…/syscall_32.tbl   164  i386  setresuid  sys_setresuid16
//! kernel/uid16.c              SYSCALL_DEFINE3(setresuid16, old_uid_t, ruid, …)
//!   →  setresuid  x86,…  sys_setresuid16  kernel/uid16.c:58  old_uid_t ruid  old_uid_t euid  old_uid_t suid
//! ```
//!
//! The result is a table of facts that is committed, `xtask/facts/kernel-sources.tsv`. It makes no table of the compiler:
//! `cargo xtask tables --check` holds those against it (`tables/sources.rs`), and what differs is explained, with file
//! and line, in `exceptions.tsv`.
//!
//! Several releases may be named, the newest first: an ABI is read from the first that has it (s390 lost its 31-bit ABI
//! in Linux 6.19).

mod config;
mod entries;
mod narrow;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::tables::columns;
use crate::tables::facts::Facts;
use crate::tables::numbers::Calls;
use crate::tables::prototypes::Types;
use crate::{Failure, Outcome, workspace};
use config::Config;
use entries::{Entry, TABLES, Table};
use narrow::{Finder, Kind, Width};
use source::{Function, Index};

/// Entries in assembler that hand the registers on as they are: how the tables call them, where they lead
/// (`arch/arm/kernel/entry-common.S`, `arch/m68k/kernel/entry.S`, `arch/mips/kernel/syscall.c`, `arch/parisc/kernel/entry.S`).
const LEADS_TO: [(&str, &str); 12] = [
    ("__sys_clone", "sys_clone"),
    ("__sys_clone3", "sys_clone3"),
    ("__sys_fork", "sys_fork"),
    ("__sys_sysmips", "sys_sysmips"),
    ("__sys_vfork", "sys_vfork"),
    ("sys_clone_wrapper", "sys_clone"),
    ("sys_clone3_wrapper", "sys_clone3"),
    ("sys_fork_wrapper", "sys_fork"),
    ("sys_fstatfs64_wrapper", "sys_fstatfs64"),
    ("sys_statfs64_wrapper", "sys_statfs64"),
    ("sys_mmap2", "sys_mmap_pgoff"),
    ("sys_vfork_wrapper", "sys_vfork"),
];

/// Types of helpers' parameters that no call's parameter has.
const MORE_TYPES: &[(&str, u8, bool)] = &[
    ("short", 16, true),
    ("unsigned short", 16, false),
    ("u16", 16, false),
    ("u8", 8, false),
    ("char", 8, true),
    ("uint", 32, false),
    ("s64", 64, true),
    ("fmode_t", 32, false),
    ("gfp_t", 32, false),
    ("key_perm_t", 32, false),
    ("__be16", 16, false),
    ("vm_flags_t", 64, false),
    ("pgoff_t", 64, false),
    ("unsigned long long", 64, false),
    ("signed long", 64, true),
    ("uint32_t", 32, false),
    ("blk_opf_t", 32, false),
    ("dev_t", 32, false),
];

/// Lines of the result, each with the ABIs that have it.
type Lines = BTreeMap<(String, String), BTreeSet<usize>>;

/// Writes `kernel-sources.tsv` from the sources in `roots`.
pub fn harvest(roots: &[PathBuf]) -> Outcome {
    let facts = Facts::new();
    let calls = Calls::read(&facts)?;
    let types = Types::read(&facts)?;
    let mut lines = Lines::new();
    let mut done: BTreeSet<usize> = BTreeSet::new();
    let mut releases = Vec::new();
    let mut unknown = BTreeSet::new();
    for root in roots {
        let release = release(root)?;
        let mut index = None;
        for (place, table) in TABLES.iter().enumerate() {
            let entries = if done.contains(&place) { Vec::new() } else { table.read(root)? };
            if entries.is_empty() {
                continue;
            }
            done.insert(place);
            let index = match &index {
                Some(known) => known,
                None => index.insert(Index::read(root)?),
            };
            let reader = Reader { root, release: &release, table, index, calls: &calls, types: &types };
            reader.read(&entries, &mut lines, &mut unknown)?;
        }
        if index.is_some() {
            releases.push(release);
        }
    }
    if let Some(missing) = (0..TABLES.len()).find(|place| !done.contains(place)) {
        let abis = TABLES[missing].abis.join(" and ");
        return Err(Failure::Usage(format!("harvest: none of these sources has {abis}; name an older release too")));
    }
    for name in &unknown {
        eprintln!("no definition of {name}");
    }
    write(&lines, &releases)
}

fn write(lines: &Lines, releases: &[String]) -> Outcome {
    let mut text = format!(
        "# What the kernel's sources say of each call: call, ABIs, release, function that is entered, where it is defined, then its parameters. `= BITS SIGN at PLACE BY`: every use of the parameter is cut to that, the widest one here. `~ BITS SIGN at PLACE BY / PLACE`: some uses are cut to that, others are not (the first of these). Made by `cargo xtask harvest --linux DIR…` from Linux {}.\n",
        releases.join(" and ")
    );
    for ((call, rest), abis) in lines {
        let abis: Vec<&str> = abis.iter().map(|&abi| columns::ABIS[abi].name).collect();
        text.push_str(&format!("{call}\t{}\t{rest}\n", abis.join(",")));
    }
    let path = workspace().join("xtask/facts/kernel-sources.tsv");
    std::fs::write(&path, text).map_err(|error| Failure::Broken(format!("{}: {error}", path.display())))?;
    println!("wrote xtask/facts/kernel-sources.tsv: {} lines. Now run `cargo xtask tables --check`", lines.len());
    Ok(())
}

/// `6.12` of `VERSION = 6`, `PATCHLEVEL = 12`.
fn release(root: &Path) -> Outcome<String> {
    let text = crate::read(&root.join("Makefile"))?;
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='));
        line.map(str::trim).ok_or_else(|| Failure::Broken(format!("{}/Makefile: no {name}", root.display())))
    };
    Ok(format!("{}.{}", value("VERSION")?, value("PATCHLEVEL")?))
}

/// One table of one release.
struct Reader<'a> {
    root: &'a Path,
    release: &'a str,
    table: &'a Table,
    index: &'a Index,
    calls: &'a Calls,
    types: &'a Types,
}

impl<'a> Reader<'a> {
    fn read(&self, entries: &[Entry], lines: &mut Lines, unknown: &mut BTreeSet<String>) -> Outcome {
        let abis: Vec<usize> = self.table.abis.iter().filter_map(|abi| columns::index(abi)).collect();
        let Some(&first) = abis.first() else { return Ok(()) };
        let column = columns::column_of_abi()[first];
        let base = columns::ABIS[first].base;
        let register = if self.table.bits() == 64 || self.table.compat { 64 } else { 32 };
        let config = Config::read(self.root, self.table.arch, register)?;
        let kind = |ty: &str| self.kind(ty);
        let choose = |name: &str, from: &str| self.choose(&config, name, from);
        let finder = Finder { kind: &kind, choose: &choose };
        for entry in entries.iter().filter(|entry| entry.function != "sys_ni_syscall") {
            // Some tables count from the ABI's first number, some from 0.
            let number = entry.number + base;
            let Some((name, _)) = self.calls.rows.iter().find(|(_, numbers)| numbers[column] == Some(number)) else {
                let at = format!("? {} {number}", entry.name);
                lines.entry((at, format!("{}\t{}\t-", self.release, entry.function))).or_default().extend(&abis);
                continue;
            };
            let Some(function) = self.entered(&config, &entry.function) else {
                unknown.insert(format!("{} ({}, {}, {})", entry.function, name, self.table.abis[0], self.table.path));
                continue;
            };
            let mut rest = format!("{}\t{}\t{}:{}", self.release, entry.function, function.file, function.line);
            for (ty, name) in &function.parameters {
                rest.push('\t');
                rest.push_str(&self.parameter(&finder, function, ty, name));
            }
            lines.entry((name.clone(), rest)).or_default().extend(&abis);
        }
        Ok(())
    }

    fn parameter(&self, finder: &Finder<'a>, function: &'a Function, ty: &str, name: &str) -> String {
        let mut text = format!("{ty} {name}");
        let Kind::Number(width) = self.kind(ty) else { return text };
        // A register of a 32-bit ABI has no more.
        let width = Width { bits: width.bits.min(self.table.bits()), ..width };
        let uses = finder.uses(function, name, width);
        if let Some(cut) = uses.widest() {
            let mark = if uses.whole.is_empty() { '=' } else { '~' };
            let sign = if cut.width.signed { "signed" } else { "unsigned" };
            text.push_str(&format!(" {mark} {} {sign} at {} {}", cut.width.bits, cut.place, cut.by));
            if let Some(whole) = uses.whole.first() {
                text.push_str(&format!(" / {whole}"));
            }
        }
        text
    }

    fn kind(&self, ty: &str) -> Kind {
        if ty.contains('*') {
            return Kind::Pointer;
        }
        let ty = ty.strip_prefix("const ").unwrap_or(ty);
        if let Some(shape) = self.types.shape(ty) {
            let width = Width { bits: shape.bits, signed: shape.signed };
            return if shape.pointer { Kind::Pointer } else { Kind::Number(width) };
        }
        if ty.starts_with("enum ") {
            return Kind::Number(Width { bits: 32, signed: false });
        }
        let more = MORE_TYPES.iter().find(|(name, ..)| *name == ty);
        more.map_or(Kind::Unknown, |&(_, bits, signed)| Kind::Number(Width { bits, signed }))
    }

    /// The function that a table names.
    fn entered(&self, config: &Config, name: &str) -> Option<&'a Function> {
        let own = self.choose(config, name, "").map(|_| name);
        let led = own.or_else(|| Some(LEADS_TO.iter().find(|(from, _)| *from == name)?.1)).unwrap_or(name);
        let stem = led.strip_prefix("compat_sys_").or_else(|| led.strip_prefix("sys_"));
        let others = stem.map(|stem| [format!("sys32_{stem}"), format!("sys_{stem}")]).into_iter().flatten();
        std::iter::once(led.to_owned()).chain(others).find_map(|name| self.choose(config, &name, ""))
    }

    /// The definition that the architecture builds, as `from` sees it: its own file's, its architecture's, anybody's.
    fn choose(&self, config: &Config, name: &str, from: &str) -> Option<&'a Function> {
        let own = format!("arch/{}/", self.table.arch);
        let all = self.index.named(name).iter();
        let built = all.filter(|function| {
            (function.file.starts_with(&own) || !function.file.starts_with("arch/"))
                && config.allows(&function.conditions)
        });
        built.min_by_key(|function| {
            let far = if function.file == from {
                0
            } else if function.file.starts_with(&own) {
                1
            } else if function.file.ends_with(".c") && function.file != "mm/nommu.c" {
                2
            } else {
                3
            };
            // `pci_32.c` is built for the one width alone, and a stub is what is left of a function that is not built.
            let stem = function.file.trim_end_matches(".c");
            (far, stem.ends_with(config.other), function.body.is_empty())
        })
    }
}
