//! A filter in any of its forms, as the function that it is: what every answer begins with.
//!
//! ```text
//! web.kpol    analysed, with the rules behind it
//! web.json    as crun or runc with libseccomp would install it, on every host that it serves
//! web.bpf     executed on symbols, for every ABI
//! ```
//!
//! INVARIANT: nodes of 32-bit ABIs ask about the low half of a register only, so that equal meaning is one node
//! whatever the form.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{Options, analyse};
use crate::answer;
use crate::bpf;
use crate::diagnostic::{Code, Diagnostic, Severity, render::clean_word, silence::silence};
use crate::diagram::{Function, Node, Place, Store, Table};
use crate::oci::{
    self,
    runtime::{Engine, Stack},
};
use crate::policy::{Flag, Policy, Waiver};
use crate::resolve::Resolved;
use crate::source::graph::Graph;
use crate::source::{LoadError, Loader, Memory, Sources};
use crate::spec::{Action, Arch, Nr};

/// A JSON or BPF file may have so many bytes.
const MAX_BYTES: u64 = 16 << 20;

/// A form that a filter may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A policy of this language.
    Kpol,
    /// The JSON of container runtimes.
    Json,
    /// Raw instructions.
    Bpf,
}

/// A filter that was read, whatever its form.
#[derive(Debug)]
pub struct Filter {
    /// As the user calls it.
    pub name: String,
    /// What it was read from.
    pub form: Form,
    /// What it means.
    pub function: Function,
    /// ABIs through which a process may live under it; calls of all others end it.
    pub archs: Vec<Arch>,
    /// Those of them whose calls it tells apart: what there is to show.
    pub spoken: Vec<Arch>,
    /// What calls of ABIs get that are not among these, each with whom it means.
    pub others: Vec<(String, Action)>,
    /// Names of calls that it declares itself.
    pub declared: BTreeMap<(Arch, Nr), String>,
    /// Of JSON, the calls of which it is not known what they get, by ABI (sets); the function says nothing of them.
    pub doubts: BTreeMap<Arch, Table>,
    /// Facts about the file that its reader must know to trust the answer.
    pub remarks: Vec<String>,
    /// The rules, of a policy.
    pub rules: Option<Rules>,
    /// The instructions, of BPF.
    pub program: Option<bpf::Program>,
    /// What seccomp(2) is asked for beside, of JSON.
    pub flags: Vec<Flag>,
}

impl Filter {
    /// The assertions that it waives, of a policy.
    pub fn waivers(&self) -> Option<&[Waiver]> {
        self.rules.as_ref().map(|rules| rules.policy.waivers.as_slice())
    }

    /// The calls of one number of which it is not known what they get (a set).
    pub fn doubt(&self, arch: Arch, nr: Nr) -> Node {
        self.doubts.get(&arch).map_or(Node::FALSE, |table| table.at(nr))
    }

    /// The calls that are in doubt, a line for each name: "some calls of `socket` on x86_64, x86".
    pub fn doubtful(&self) -> Vec<String> {
        let mut names: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (&arch, table) in &self.doubts {
            for (range, _) in table.intervals().filter(|(_, set)| *set != Node::FALSE) {
                let nr = Nr(*range.start());
                let what = match crate::tables::syscall_at(arch, nr).filter(|_| range.start() == range.end()) {
                    Some(call) => format!("some calls of `{}`", call.name()),
                    None => "calls".to_owned(),
                };
                let archs = names.entry(what).or_default();
                if archs.last() != Some(&arch.name()) {
                    archs.push(arch.name());
                }
            }
        }
        names.into_iter().map(|(what, archs)| format!("{what} on {}", archs.join(", "))).collect()
    }
}

impl Filter {
    /// A policy of this function, for whoever makes a program of it: there are no rules behind it.
    pub fn as_policy(&self) -> Policy {
        Policy {
            function: self.function.clone(),
            archs: self.archs.clone(),
            native: false,
            default: Action::KillProcess,
            declared: self.declared.clone(),
            said: BTreeMap::new(),
            flags: self.flags.clone(),
            listener: None,
            waivers: Vec::new(),
        }
    }
}

/// The rules that a policy was made of.
#[derive(Debug)]
pub struct Rules {
    /// The policy itself.
    pub policy: Policy,
    /// Who claims what.
    pub resolved: Resolved,
    /// The files that it is said in.
    pub graph: Graph,
}

/// What came of a file.
#[derive(Debug)]
pub struct Opened {
    /// Files that were read, for the diagnostics.
    pub sources: Sources,
    /// What is wrong with a policy: its errors where there are any, nothing else.
    pub diagnostics: Vec<Diagnostic>,
    /// The filter, if it could be read.
    pub filter: Option<Filter>,
}

/// Reads `path` in the form that its name says (`.json`, `.bpf`, everything else is kpol).
///
/// # Errors
/// What is wrong with JSON or BPF, in a line. Mistakes of a policy are diagnostics.
pub fn load(loader: &dyn Loader, path: &Path, options: &Options, store: &mut Store) -> Result<Opened, String> {
    let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
    let name = path.display().to_string();
    let filter = match extension.as_deref() {
        Some("json" | "jsonc" | "bpf") => {
            let bytes = read(loader, path)?;
            store.make_room(bytes.len());
            if extension.as_deref() == Some("bpf") {
                raw(&name, &bytes, options, store)?
            } else {
                json(&name, &bytes, options, store)?
            }
        }
        _ => return Ok(kpol(loader, path, name, options, store)),
    };
    if store.overflowed() {
        return Err(format!("`{name}` is too large to be read within bounds"));
    }
    Ok(Opened { sources: Sources::default(), diagnostics: Vec::new(), filter: Some(filter) })
}

fn read(loader: &dyn Loader, path: &Path) -> Result<Vec<u8>, String> {
    loader.read(path, MAX_BYTES).map_err(|error| {
        let why = match error {
            LoadError::Io(error) => error.to_string(),
            LoadError::NotAFile(what) => format!("it is {what}"),
            LoadError::TooLarge(_) => format!("it has more than {MAX_BYTES} bytes"),
        };
        format!("cannot read `{}`: {why}", path.display())
    })
}

fn kpol(loader: &dyn Loader, path: &Path, name: String, options: &Options, store: &mut Store) -> Opened {
    let analysis = analyse(loader, path, options, store, None);
    let (sources, mut diagnostics) = (analysis.sources, analysis.diagnostics);
    for (file, comments) in analysis.comments {
        silence(file, &sources.get(file).text, &comments, &mut diagnostics);
    }
    // What is passed by (E081) is no reason not to say what the policy does, or how it differs from a better one.
    diagnostics.retain(|found| found.severity == Severity::Error && found.code != Code::E081);
    diagnostics.sort_by_key(|found| found.primary.as_ref().map(|label| label.span));
    let meaning = analysis.meaning.filter(|_| diagnostics.is_empty());
    if meaning.is_none() && diagnostics.is_empty() {
        diagnostics.push(super::a_library(&sources));
    }
    let filter = meaning.map(|(policy, resolved, graph)| Filter {
        name,
        form: Form::Kpol,
        function: settle(policy.function.clone(), options, store),
        archs: policy.archs.clone(),
        spoken: policy.archs.clone(),
        others: vec![(EVERY_OTHER.to_owned(), Function::FOREIGN)],
        declared: policy.declared.clone(),
        doubts: BTreeMap::new(),
        remarks: Vec::new(),
        flags: policy.flags.clone(),
        rules: Some(Rules { policy, resolved, graph }),
        program: None,
    });
    Opened { sources, diagnostics, filter }
}

/// The calls that a policy of one `allow` allows, by number.
///
/// # Errors
/// What is wrong with it, with the text that it is in.
pub fn calls(text: &str, arch: Arch, nr: Nr, store: &mut Store) -> Result<Node, Box<(Sources, Vec<Diagnostic>)>> {
    const NAME: &str = "the call";
    let mut memory = Memory::default();
    memory.insert(NAME, text);
    let opened = kpol(&memory, Path::new(NAME), NAME.to_owned(), &Options::default(), store);
    match opened.filter {
        Some(filter) => {
            let node = filter.function.at(arch, nr);
            Ok(store.where_action(node, &|action| action == Action::Allow))
        }
        None => Err(Box::new((opened.sources, opened.diagnostics))),
    }
}

/// Hosts where nothing in the file names one: those of a policy without `arch`.
const NATIVE: [Arch; 2] = [Arch::X86_64, Arch::Aarch64];

fn json(name: &str, bytes: &[u8], options: &Options, store: &mut Store) -> Result<Filter, String> {
    let profile = oci::read(bytes).map_err(|error| format!("`{name}`: {error}"))?;
    let named = profile.architectures.iter().chain(profile.arch_map.iter().map(|row| &row.arch));
    let mut hosts: BTreeSet<Arch> = named.map(|arch| arch.native()).collect();
    if hosts.is_empty() {
        hosts.extend(NATIVE);
    }
    if let Some(archs) = &options.archs {
        hosts = archs.iter().map(|arch| arch.native()).collect();
    }
    if let Some(host) = options.host {
        hosts = BTreeSet::from([host]);
    }
    // Only Docker reads `minKernel`; whoever writes it writes for Docker.
    let for_docker = profile.syscalls.iter().any(|entry| {
        let filters = [&entry.includes, &entry.excludes];
        filters.iter().any(|filter| filter.min_kernel.is_some())
    });
    let mut stacks = options.stacks();
    for stack in stacks.iter_mut().filter(|stack| for_docker && stack.runtime.engine.is_none()) {
        stack.runtime.engine = Some(Engine::Docker);
    }
    let stack = stacks.first().copied().unwrap_or_default();
    let mut filter = Filter {
        name: name.to_owned(),
        form: Form::Json,
        function: Function::default(),
        archs: Vec::new(),
        spoken: Vec::new(),
        // libseccomp's own answer, unless a profile says otherwise, which none of these can.
        others: vec![(EVERY_OTHER.to_owned(), Action::KillThread)],
        declared: BTreeMap::new(),
        doubts: BTreeMap::new(),
        remarks: Vec::new(),
        rules: None,
        program: None,
        flags: Flag::ALL.into_iter().filter(|flag| profile.flags.iter().any(|name| name == flag.oci_name())).collect(),
    };
    let mut unknown = BTreeSet::new();
    let mut unclear = BTreeMap::<String, Vec<Arch>>::new();
    for &host in &hosts {
        let loaded =
            oci::runtime::load_by(store, &profile, host, &stack).map_err(|error| format!("`{name}`: {error}"))?;
        unknown.extend(loaded.unknown);
        for place in loaded.undetermined {
            unclear.entry(place.name).or_default().push(place.arch);
        }
        filter.doubts.extend(loaded.doubts);
        filter.function.tables.extend(loaded.function.tables);
    }
    if let Some(archs) = &options.archs {
        filter.function.tables.retain(|arch, _| archs.contains(arch));
        filter.doubts.retain(|arch, _| archs.contains(arch));
    }
    if for_docker {
        filter.remarks.push(format!("`{name}` has `minKernel`, so it is read as Docker reads it"));
    }
    if stack.named {
        filter.remarks.push(format!("`{name}` is read as {}", oci::runtime::load_it(&[stack])));
        filter.remarks.extend(otherwise(&filter, &profile, &hosts, &stacks[1..], store));
    } else {
        filter.remarks.extend(older(name, &profile));
    }
    if !unknown.is_empty() {
        let names: Vec<String> = unknown.iter().take(20).map(|name| format!("`{}`", clean_word(name))).collect();
        let more = if unknown.len() > 20 { format!(" and {} more", unknown.len() - 20) } else { String::new() };
        filter.remarks.push(format!("names that libseccomp does not know do nothing: {}{more}", names.join(", ")));
    }
    for (call, archs) in unclear.into_iter().filter(|_| filter.doubts.is_empty()) {
        let archs: Vec<&str> = archs.into_iter().map(Arch::name).collect();
        filter.remarks.push(format!(
            "entries of `{}` contradict each other on {}: the answer hangs on their order, and is what libseccomp makes of this one",
            clean_word(&call),
            archs.join(", ")
        ));
    }
    filter.doubts = settle(Function { tables: filter.doubts }, options, store).tables;
    for names in filter.doubtful() {
        filter.remarks.push(format!(
            "undetermined: what {names} get; entries contradict each other, and the answer hangs on their order"
        ));
    }
    filter.function = settle(filter.function, options, store);
    filter.archs = filter.function.tables.keys().copied().collect();
    filter.spoken.clone_from(&filter.archs);
    Ok(filter)
}

/// The named runtimes that make something else of the profile than the first of them, in a line each.
fn otherwise(
    filter: &Filter,
    profile: &oci::Profile,
    hosts: &BTreeSet<Arch>,
    others: &[Stack],
    store: &mut Store,
) -> Vec<String> {
    let mut lines = Vec::new();
    for stack in others {
        let mut differs = None;
        for &host in hosts {
            match oci::runtime::load_by(store, profile, host, stack) {
                Ok(loaded) => {
                    let mut tables = loaded.function.tables.iter();
                    let known = |arch: &Arch, table: &Table| {
                        filter.function.tables.get(arch).is_none_or(|first| oci::prove::same(*arch, first, table))
                    };
                    if tables.any(|(arch, table)| !known(arch, table)) {
                        differs = differs
                            .or(Some("answers some calls otherwise: ask with that `--runtime` alone".to_owned()));
                    }
                }
                Err(error) => differs = Some(format!("does not load it: {error}")),
            }
        }
        lines.extend(differs.map(|what| format!("{stack} {what}")));
    }
    lines
}

/// What the oldest libseccomp in support would drop of rules that are stricter than the default.
fn older(name: &str, profile: &oci::Profile) -> Option<String> {
    let default = profile.default_action.with(profile.default_errno_ret);
    let stricter =
        |entry: &&oci::profile::Entry| entry.action.with(entry.errno_ret).precedence() < default.precedence();
    let names = profile.syscalls.iter().filter(stricter).flat_map(|entry| &entry.names);
    let known =
        |name: &String, release| crate::tables::syscall(name).is_some_and(|call| oci::runtime::is_known(call, release));
    let oldest = Some(oci::runtime::OLDEST_LIBSECCOMP);
    let dropped: BTreeSet<&String> = names.filter(|name| known(name, None) && !known(name, oldest)).collect();
    let list: Vec<String> = dropped.iter().take(6).map(|name| format!("`{name}`")).collect();
    let more = if dropped.len() > 6 { format!(" and {} more", dropped.len() - 6) } else { String::new() };
    (!list.is_empty()).then(|| {
        format!(
            "`{name}` is read as {}; libseccomp {} ({}) would drop what is refused of {}{more}",
            oci::runtime::load_it(&[Stack::default()]),
            oci::runtime::release_text(oci::runtime::OLDEST_LIBSECCOMP),
            oci::runtime::OLDEST_IN,
            list.join(", ")
        )
    })
}

fn raw(name: &str, bytes: &[u8], options: &Options, store: &mut Store) -> Result<Filter, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("`{name}`: {error}");
    // Nothing in the file says which machine it is for; read the wrong way, hardly an opcode is one.
    let little = bpf::Program::from_bytes(bytes, bpf::ByteOrder::Little).map_err(|error| wrong(&error))?;
    let (program, big) = match bpf::check(&little) {
        Ok(()) => (little, false),
        Err(error) => match bpf::Program::from_bytes(bytes, bpf::ByteOrder::Big) {
            Ok(program) if bpf::check(&program).is_ok() => (program, true),
            _ => return Err(format!("`{name}` is not a filter: {error}")),
        },
    };
    let archs: Vec<Arch> = Arch::all()
        .filter(|arch| arch.is_big_endian() == big)
        .filter(|arch| options.archs.as_ref().is_none_or(|chosen| chosen.contains(arch)))
        .filter(|arch| options.host.is_none_or(|host| arch.native() == host))
        .collect();
    let reading = bpf::read(store, &program, &archs).map_err(|error| wrong(&error))?;
    let function = settle(reading.function, options, store);
    let archs: Vec<Arch> =
        function.tables.iter().filter(|(arch, table)| !ends_all(**arch, table)).map(|(&arch, _)| arch).collect();
    let (spoken, others) = told_apart(&function, &archs, &reading.foreign);
    Ok(Filter {
        name: name.to_owned(),
        form: Form::Bpf,
        function,
        archs,
        spoken,
        others,
        declared: BTreeMap::new(),
        doubts: BTreeMap::new(),
        remarks: Vec::new(),
        rules: None,
        program: Some(program),
        flags: Vec::new(),
    })
}

const EVERY_OTHER: &str = "every other ABI";

/// ABIs whose calls get different answers, and what those of the others get. A filter with one answer for everything
/// speaks of all.
fn told_apart(function: &Function, archs: &[Arch], foreign: &[bpf::Foreign]) -> (Vec<Arch>, Vec<(String, Action)>) {
    let alike = |arch: &Arch| function.tables.get(arch).and_then(|table| answer::constant(*arch, table));
    let spoken: Vec<Arch> = archs.iter().copied().filter(|arch| alike(arch).is_none()).collect();
    let mut rest = foreign.iter().filter(|part| part.arch.is_none()).map(|part| {
        let mut intervals = part.table.intervals();
        intervals.next().filter(|_| intervals.next().is_none()).and_then(|(_, node)| node.as_action())
    });
    let first = rest.next().flatten();
    let rest = first.filter(|_| rest.all(|action| action == first));
    if spoken.is_empty() {
        return (archs.to_vec(), rest.map(|action| (EVERY_OTHER.to_owned(), action)).into_iter().collect());
    }
    let mut others: BTreeMap<Action, Vec<&str>> = BTreeMap::new();
    for (arch, action) in function.tables.keys().filter_map(|arch| Some((arch, alike(arch)?))) {
        if Some(action) != rest {
            others.entry(action).or_default().push(arch.name());
        }
    }
    let others = others.into_iter().map(|(action, names)| (names.join(", "), action));
    (spoken, others.chain(rest.map(|action| (EVERY_OTHER.to_owned(), action))).collect())
}

/// Whether no call of the ABI leaves the thread alive.
fn ends_all(arch: Arch, table: &Table) -> bool {
    let ends = |node: Node| matches!(node.as_action(), Some(Action::KillProcess | Action::KillThread));
    table.intervals().all(|(range, node)| ends(node) || answer::first_owned(arch, &range).is_none())
}

/// What the options say of the environment, and no bits that an ABI has no registers for.
fn settle(mut function: Function, options: &Options, store: &mut Store) -> Function {
    for (&arch, table) in &mut function.tables {
        *table = table.map(|node| {
            let node = store.in_environment(node, options.caps.as_ref(), options.kernel);
            if arch.bits() == 64 {
                return node;
            }
            store.assume(node, &|place| match place {
                Place::Arg { bit, .. } if bit >= 32 => Some(false),
                _ => None,
            })
        });
    }
    function
}
