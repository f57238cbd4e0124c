//! JSON: what a runtime makes of it, and what of it is suspicious.
//!
//! ```text
//! { "names": ["opennat"], … }                             no such call: the runtime skips it
//! "args": [{0 GE 2}, {0 LE 5}]                            one index twice: either is enough
//! "action": the default's                                 skipped
//! { "names": ["read"] } again                             changes nothing
//! ```

use std::collections::{BTreeMap, BTreeSet};

use kpol_grammar::did_you_mean;

use super::ImportError;
use super::source::{Options, Source};
use crate::diagnostic::render::clean_word;
use crate::diagram::{Function, Store};
use crate::oci::profile::{Entry, Op, Profile};
use crate::oci::runtime::{self, Dialect, Engine, Loaded, Runtime, Stack};
use crate::oci::{prove, read_lenient};
use crate::policy::{Flag, Listener};
use crate::spec::Arch;
use crate::tables;

/// Entries up to which each is tried for whether it changes anything.
const MOST_TRIED: usize = 200;

/// Reads a profile.
pub fn read(store: &mut Store, text: &[u8], options: &Options) -> Result<Source, ImportError> {
    let (profile, comments) = read_lenient(text).map_err(|error| ImportError::Json(error.to_string()))?;
    let uses_kernel =
        profile.syscalls.iter().any(|e| e.includes.min_kernel.is_some() || e.excludes.min_kernel.is_some());
    let dialect = options.dialect.unwrap_or(if uses_kernel { Dialect::Moby } else { Dialect::Containers });
    let native = profile.architectures.is_empty() && profile.arch_map.is_empty() && options.archs.is_none();
    let mut head = Vec::new();
    let hosts = hosts(&profile, options, &mut head);
    let stack = stack(options, dialect);
    let mut reader = Reader { store, profile: &profile, hosts: &hosts, options, dialect, stack };
    let loads = reader.load(&profile)?;
    let function = reader.function(&loads);
    if function.tables.is_empty() {
        return Err(ImportError::SaysNothing);
    }
    if uses_kernel && options.dialect.is_none() {
        head.push(
            "`minKernel` is Docker's; CRI-O and Podman do not read it, and apply those entries always. \
             Build it by `--runtime docker`, or for one kernel by `--kernel`."
                .into(),
        );
    }
    let mut remarks = Vec::new();
    head.extend(names(&profile, &loads, &function, options));
    let skipped = reader.dead(&function, &mut remarks)?;
    head.extend(skipped);
    repeated(&profile, &mut remarks);
    disputed(&loads, &mut remarks);
    let doubts = doubts(&loads);
    head.extend(loads.iter().filter(|loaded| !loaded.stubs.is_empty()).map(|loaded| {
        format!("Lost: {} {}; here such calls get the default.", stack.runtime, crate::driver::stubs(&loaded.stubs))
    }));
    let mut said = Vec::new();
    for (index, comment) in comments.into_iter().rev() {
        let Some(index) = index else {
            said.insert(0, comment);
            continue;
        };
        let Some(entry) = profile.syscalls.get(index).filter(|entry| reader.counts_here(entry)) else { continue };
        // One remark for one rule: under the name that comes first there.
        if let Some(name) = entry.names.iter().min() {
            remarks.insert(0, (name.clone(), comment));
        }
    }
    let mut flags: Vec<Flag> = Vec::new();
    for name in &profile.flags {
        match Flag::ALL.into_iter().find(|flag| flag.oci_name() == name) {
            Some(flag) => flags.push(flag),
            None => head.push(format!("Lost: the flag `{}`, which is not known.", clean_word(name))),
        }
    }
    flags.sort_unstable();
    flags.dedup();
    let listener =
        profile.listener_path.clone().map(|path| Listener { path, metadata: profile.listener_metadata.clone() });
    let default = profile.default_action.with(profile.default_errno_ret);
    let reader = Some(runtime::load_it(&[stack]));
    let form = "JSON".to_owned();
    Ok(Source { form, function, default, native, flags, listener, said, reader, doubts, head, remarks })
}

/// The machines for which the file is read. Of a long `archMap` the two that most people have.
fn hosts(profile: &Profile, options: &Options, head: &mut Vec<String>) -> Vec<Arch> {
    let mut hosts: BTreeSet<Arch> = match &options.archs {
        Some(archs) => archs.iter().map(|arch| arch.native()).collect(),
        None if !profile.arch_map.is_empty() => profile.arch_map.iter().map(|row| row.arch.native()).collect(),
        None if !profile.architectures.is_empty() => profile.architectures.iter().map(|arch| arch.native()).collect(),
        None => [Arch::X86_64, Arch::Aarch64].into(),
    };
    let common = [Arch::X86_64, Arch::Aarch64];
    if options.archs.is_none() && hosts.len() > 2 && common.iter().any(|arch| hosts.contains(arch)) {
        let others: Vec<&str> = hosts.iter().filter(|host| !common.contains(host)).map(|host| host.name()).collect();
        head.push(format!(
            "Read for x86_64 and aarch64; the file also has {}: `kpolc import --arch` reads those.",
            others.join(", ")
        ));
        hosts.retain(|host| common.contains(host));
    }
    hosts.into_iter().collect()
}

struct Reader<'a> {
    store: &'a mut Store,
    profile: &'a Profile,
    hosts: &'a [Arch],
    options: &'a Options,
    dialect: Dialect,
    stack: Stack,
}

/// Who reads the file.
fn stack(options: &Options, dialect: Dialect) -> Stack {
    let runtimes: Vec<Runtime> = options.runtime.into_iter().collect();
    let mut stack = Stack::all(&runtimes, options.libseccomp).first().copied().unwrap_or_default();
    if dialect == Dialect::Moby && stack.runtime.engine.is_none() {
        stack.runtime.engine = Some(Engine::Docker);
    }
    stack
}

impl Reader<'_> {
    fn load(&mut self, profile: &Profile) -> Result<Vec<Loaded>, ImportError> {
        let load = |&host: &Arch| match self.options.runtime {
            Some(_) => runtime::load_by(self.store, profile, host, &self.stack),
            None => runtime::load(self.store, profile, host, self.options.libseccomp, self.dialect),
        };
        self.hosts.iter().map(load).collect::<Result<_, _>>().map_err(|error| ImportError::Json(error.to_string()))
    }

    fn function(&self, loads: &[Loaded]) -> Function {
        let wanted = |arch: &Arch| self.options.archs.as_ref().is_none_or(|archs| archs.contains(arch));
        // What runc puts in front is said in a remark: a policy has no words for numbers without names.
        let libseccomp = |loaded: &'_ Loaded| loaded.behind.clone().unwrap_or_else(|| loaded.function.clone());
        let functions: Vec<Function> = loads.iter().map(libseccomp).collect();
        let tables = functions.iter().flat_map(|function| function.tables.iter());
        Function {
            tables: tables.filter(|(arch, _)| wanted(arch)).map(|(&arch, table)| (arch, table.clone())).collect(),
        }
    }

    /// Entries without which the filter would be the same.
    fn dead(&mut self, function: &Function, remarks: &mut Vec<(String, String)>) -> Result<Vec<String>, ImportError> {
        let mut head = Vec::new();
        if self.profile.syscalls.len() > MOST_TRIED {
            return Ok(head);
        }
        let default = self.profile.default_action.with(self.profile.default_errno_ret);
        let mut removed: BTreeSet<usize> = BTreeSet::new();
        for index in (0..self.profile.syscalls.len()).rev() {
            let entry = &self.profile.syscalls[index];
            let mut without = self.profile.clone();
            let mut at = 0;
            without.syscalls.retain(|_| {
                at += 1;
                at - 1 != index && !removed.contains(&(at - 1))
            });
            let loads = self.load(&without)?;
            let same =
                self.function(&loads).tables.iter().all(|(arch, table)| {
                    function.tables.get(arch).is_some_and(|known| prove::same(*arch, known, table))
                });
            if !same || !self.counts_here(entry) {
                continue;
            }
            removed.insert(index);
            let what = format!("syscalls[{index}] ({})", shortened(&entry.names));
            if entry.action.with(entry.errno_ret) == default {
                head.push(format!("Dead: {what} says what the default says; runtimes skip it."));
            } else if let Some(name) = entry.names.first().filter(|_| entry.names.len() == 1) {
                let conditions = if entry.args.is_empty() { "" } else { ", with its conditions," };
                let action = entry.action.with(entry.errno_ret);
                let remark = format!(
                    "Dead: syscalls[{index}], `{action}` on `{name}`{conditions} changes nothing beside the other entries."
                );
                remarks.push((name.clone(), remark));
            } else if entry.names.iter().any(|name| tables::syscall(name).is_some()) {
                head.push(format!("Dead: {what} changes nothing beside the other entries."));
            }
        }
        head.reverse();
        Ok(head)
    }

    /// Whether the entry is for one of the machines at hand, and has a name that they know.
    fn counts_here(&self, entry: &Entry) -> bool {
        let host = |host: &Arch| {
            let names = runtime::host_names(*host);
            let listed = |arches: &[String]| arches.iter().any(|arch| names.contains(&arch.as_str()));
            !listed(&entry.excludes.arches) && (entry.includes.arches.is_empty() || listed(&entry.includes.arches))
        };
        let known = |name: &String| {
            tables::syscall(name).is_some_and(|call| {
                Arch::all().any(|arch| self.hosts.contains(&arch.native()) && call.nr(arch).is_some())
            })
        };
        self.hosts.iter().any(host) && entry.names.iter().any(known)
    }
}

/// How many names a remark lists.
const MOST_NAMES: usize = 12;

/// What a remark says of those that it does not list.
fn more(names: usize) -> String {
    if names > MOST_NAMES { format!(" and {} more", names - MOST_NAMES) } else { String::new() }
}

/// Names that no kernel has, that libseccomp does not know, or that these ABIs lack.
fn names(profile: &Profile, loads: &[Loaded], function: &Function, options: &Options) -> Vec<String> {
    let mut head = Vec::new();
    let unknown: BTreeSet<&String> = loads.iter().flat_map(|loaded| &loaded.unknown).collect();
    let (known, nowhere): (Vec<&String>, Vec<&String>) =
        unknown.into_iter().partition(|name| tables::syscall(name).is_some());
    if !nowhere.is_empty() {
        let near = |name: &String| {
            let near = did_you_mean(name, tables::Syscall::all().map(tables::Syscall::name));
            let name = clean_word(name);
            near.map_or_else(|| format!("`{name}`"), |near| format!("`{name}` (`{near}`?)"))
        };
        let more = more(nowhere.len());
        let names: Vec<String> = nowhere.into_iter().take(MOST_NAMES).map(near).collect();
        let names = names.join(", ");
        head.push(format!("Lost: no architecture has {names}{more}; runtimes skip such names without a word."));
    }
    if !known.is_empty() {
        let names: Vec<String> = known.into_iter().map(|name| format!("`{name}`")).collect();
        let release = options.libseccomp.map_or_else(
            || "no release of libseccomp".to_owned(),
            |(major, minor, patch)| format!("not libseccomp {major}.{minor}.{patch}"),
        );
        head.push(format!("Lost: {}, which the kernel knows, but {release}.", names.join(", ")));
    }
    let elsewhere: BTreeSet<&str> = profile
        .syscalls
        .iter()
        .flat_map(|entry| &entry.names)
        .filter_map(|name| tables::syscall(name))
        .filter(|call| !function.tables.keys().any(|&arch| call.nr(arch).is_some()))
        .filter(|call| crate::spec::multiplex::through(call.name()).is_none())
        .map(|call| call.name())
        .collect();
    if !elsewhere.is_empty() {
        let names: Vec<&str> = elsewhere.into_iter().collect();
        let more = more(names.len());
        let names = names.iter().take(MOST_NAMES).copied().collect::<Vec<_>>().join(", ");
        head.push(format!("Left out, since the architectures here have no such calls: {names}{more}."));
    }
    head
}

/// Entries that give an argument twice.
fn repeated(profile: &Profile, remarks: &mut Vec<(String, String)>) {
    for (index, entry) in profile.syscalls.iter().enumerate() {
        let mut seen: BTreeMap<u8, Vec<Op>> = BTreeMap::new();
        for arg in &entry.args {
            seen.entry(arg.index).or_default().push(arg.op);
        }
        let Some((arg, ops)) = seen.iter().find(|(_, ops)| ops.len() > 1) else { continue };
        let meant = if ops.iter().all(|op| matches!(op, Op::Eq | Op::MaskedEq)) {
            ""
        } else {
            " If both were meant, the entry lets through more than it should."
        };
        for name in &entry.names {
            remarks.push((
                name.clone(),
                format!("syscalls[{index}] tests reg{arg} twice: runtimes then take any condition, not all.{meant}"),
            ));
        }
    }
}

/// Calls whose fate hangs on the order of entries.
fn disputed(loads: &[Loaded], remarks: &mut Vec<(String, String)>) {
    let mut names: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for place in loads.iter().flat_map(|loaded| &loaded.undetermined) {
        names.entry(&place.name).or_default().push(place.arch.name());
    }
    for (name, archs) in names {
        let remark = format!(
            "Contradicting entries on `{name}`: what some of its calls get hangs on the order of the file ({}). What libseccomp \
             makes of this order is followed.",
            archs.join(", ")
        );
        remarks.push((name.to_owned(), remark));
    }
}

/// What it is not known of, a line for each.
fn doubts(loads: &[Loaded]) -> Vec<String> {
    let mut names: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (arch, call) in loads.iter().flat_map(Loaded::doubtful) {
        let what = call.map_or_else(|| "calls".to_owned(), |call| format!("some calls of `{call}`"));
        let archs = names.entry(what).or_default();
        if archs.last() != Some(&arch.name()) {
            archs.push(arch.name());
        }
    }
    names.into_iter().map(|(what, archs)| format!("{what} on {}", archs.join(", "))).collect()
}

fn shortened(names: &[String]) -> String {
    match names {
        [] => "no names".to_owned(),
        [a] => clean_word(a),
        [a, b] => format!("{}, {}", clean_word(a), clean_word(b)),
        [a, b, rest @ ..] => format!("{}, {} and {} more", clean_word(a), clean_word(b), rest.len()),
    }
}
