//! What can be written at the cursor, what fits best first.
//!
//! ```text
//! allow { socket(family == |      AF_ALG, AF_INET …: the constants of `family`, then the policy's own, then all others
//! ```

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use kpol_compiler::answer::about::call as about;
use kpol_compiler::library;
use kpol_compiler::policy::Flag;
use kpol_compiler::source::project::NAME;
use kpol_compiler::spec::{Action, Arch, register};
use kpol_compiler::tables;
use kpol_grammar::ast::Span;
use kpol_grammar::words;

use super::context::{self, Context, Place};
use super::{groups, hover, names, project_file};
use crate::marks::Kind as MarkKind;
use crate::snapshot::Snapshot;
use crate::unit::Unit;
use crate::world::{Project, World};

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Kind {
    Keyword,
    Snippet,
    Syscall,
    Group,
    Parameter,
    Constant,
    Action,
    Errno,
    Arch,
    Capability,
    File,
    Folder,
    Flag,
    Type,
}

/// What can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What is shown and, unless `insert` says otherwise, written.
    pub label: String,
    /// What it is.
    pub kind: Kind,
    /// A few words beside it.
    pub detail: String,
    /// What is written; a snippet has places to fill in, `$1`.
    pub insert: Option<String>,
    /// 0 fits best.
    pub rank: u8,
}

/// All that can be written, and the word that it replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The word.
    pub word: Span,
    /// Where in it the cursor is.
    pub offset: u32,
    /// In the order of rank and name.
    pub items: Vec<Item>,
    /// More would come if more were typed.
    pub incomplete: bool,
}

pub(super) fn item(label: impl Into<String>, kind: Kind, detail: impl Into<String>, rank: u8) -> Item {
    Item { label: label.into(), kind, detail: detail.into(), insert: None, rank }
}

/// More constants than this are no help.
const MOST: usize = 400;

/// What can be written at `offset`.
pub fn of(world: &mut World, snapshot: &Snapshot, unit: &Unit, offset: u32) -> Completion {
    if unit.path.file_name().is_some_and(|name| name == NAME) {
        return project_file::complete(&unit.text, offset);
    }
    let context = context::of(&unit.text, offset);
    let project = world.project(snapshot, &unit.path);
    let mut items = match &context.place {
        Place::Statement => statements(),
        Place::Pattern => patterns(&project, &context.begun),
        Place::Condition { call, tested } => condition(&project, call, tested.as_deref(), &context),
        Place::Value => constants(&project, &context),
        Place::Action { claim } => actions(*claim),
        Place::Errno => errnos(&project, &context),
        Place::Arch => archs(),
        Place::Guard => ["arch", "cap", "kernel >=", "not"].map(|word| item(word, Kind::Keyword, "", 0)).into(),
        Place::Capability => capabilities(),
        Place::Kernel => [">= 5.4", ">= 5.10", ">= 5.15", ">= 6.1", ">= 6.6", ">= 6.12"]
            .map(|text| item(text, Kind::Constant, "", 0))
            .into(),
        Place::Flag => Flag::ALL.map(|flag| item(flag.word(), Kind::Flag, flag.oci_name(), 0)).into(),
        Place::Path { library, quoted, within } => paths(snapshot, unit, &context, *library, *quoted, *within),
        Place::Title => titles(&project),
        Place::Type => {
            ["int", "unsigned int", "long", "unsigned long", "size_t", "u32", "u64", "const char *", "void *"]
                .map(|name| item(name, Kind::Type, "", 0))
                .into()
        }
        Place::Nothing => Vec::new(),
    };
    items.retain(|item| fits(&context.begun, &item.label));
    let starts = |item: &Item| {
        let start = item.label.as_bytes().get(..context.begun.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(context.begun.as_bytes()))
    };
    items.sort_by_cached_key(|item| (item.rank, !starts(item), item.label.clone()));
    let incomplete = items.len() > MOST;
    items.truncate(MOST);
    Completion { word: context.word, offset, items, incomplete }
}

/// Whether the letters that were begun stand in a text in their order: what editors call fuzzy.
pub(super) fn fits(begun: &str, text: &str) -> bool {
    let mut rest = text.chars();
    begun.chars().all(|letter| rest.any(|other| other.eq_ignore_ascii_case(&letter)))
}

fn statements() -> Vec<Item> {
    const SNIPPETS: [(&str, &str, &str); 15] = [
        ("include", "what another file says holds here too", "include \"$1\""),
        ("default", "what a call gets that no rule claims", "default ${1:deny}"),
        ("arch", "ABIs that the process may use", "arch ${1:x86_64, aarch64}"),
        ("const", "a name for a value", "const ${1:NAME} = $2"),
        ("group", "a name for several calls", "group @${1:name} {\n    $2,\n}"),
        ("when", "holds only under a condition", "when ${1:arch x86_64} {\n    $2\n}"),
        ("assert", "proven of the finished policy", "assert \"${1:what must hold}\" {\n    ${2:refused} { $3 }\n}"),
        ("within", "proven to be no wider than another profile", "within \"$1\""),
        ("waive", "an assertion of an included file need not hold", "waive \"$1\" because \"$2\""),
        ("syscall", "a call that the tables do not have", "syscall ${1:name} = ${2:470} on ${3:x86_64, aarch64}"),
        ("flags", "flags of seccomp(2)", "flags { $1 }"),
        ("listener", "who answers `notify`", "listener \"$1\""),
        ("override", "wins over what is included", "override ${1:deny} { $2 }"),
        ("allow", "a rule", "allow { $1 }"),
        ("deny(ENOSYS)", "lets a program fall back", "deny(ENOSYS) { ${1:clone3} }"),
    ];
    let mut items: Vec<Item> = SNIPPETS
        .iter()
        .map(|&(label, detail, text)| Item { insert: Some(text.to_owned()), ..item(label, Kind::Snippet, detail, 1) })
        .collect();
    for word in words::ACTIONS.iter().filter(|word| **word != "allow") {
        let effect = Action::from_word(word, None).map(Action::effect).unwrap_or_default();
        items.push(Item { insert: Some(format!("{word} {{ $1 }}")), ..item(*word, Kind::Snippet, effect, 0) });
    }
    items
}

fn actions(claim: bool) -> Vec<Item> {
    let effect = |word: &str| Action::from_word(word, None).map(Action::effect).unwrap_or_default();
    let mut items: Vec<Item> = words::ACTIONS.iter().map(|word| item(*word, Kind::Action, effect(word), 0)).collect();
    items.push(item("deny(ENOSYS)", Kind::Action, "the call seems not to exist", 1));
    if claim {
        for word in words::OUTCOMES {
            items.push(item(word, Kind::Action, hover::outcome(word).unwrap_or_default(), 0));
        }
        items.push(item("not", Kind::Keyword, "none of these calls gets the action", 0));
    }
    items
}

fn patterns(project: &Project, begun: &str) -> Vec<Item> {
    let mut items = Vec::new();
    for (name, doc) in own(project, &MarkKind::Group, begun) {
        items.push(item(name, Kind::Group, doc, 0));
    }
    for group in groups::all().values().filter(|group| fits(begun, &group.name)) {
        items.push(item(&group.name, Kind::Group, format!("{} calls: {}", group.calls.len(), group.doc), 1));
    }
    for (name, doc) in own(project, &MarkKind::Syscall, begun) {
        items.push(item(name, Kind::Syscall, doc, 0));
    }
    items.extend(calls(&names::archs(project)).iter().filter(|item| fits(begun, &item.label)).cloned());
    items
}

/// Items by the ABIs that they are seen from.
type Seen = HashMap<Vec<Arch>, Arc<[Item]>>;

/// Every call of the tables, as seen from some ABIs. Written once for each list of them.
fn calls(archs: &[Arch]) -> Arc<[Item]> {
    static KNOWN: LazyLock<Mutex<Seen>> = LazyLock::new(Mutex::default);
    const MOST_LISTS: usize = 16;
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(items) = known.get(archs) {
        return Arc::clone(items);
    }
    if known.len() >= MOST_LISTS {
        known.clear();
    }
    let items: Arc<[Item]> = tables::Syscall::all().map(|call| seen_from(call, archs)).collect();
    known.insert(archs.to_vec(), Arc::clone(&items));
    items
}

fn seen_from(call: tables::Syscall, archs: &[Arch]) -> Item {
    let here = archs.iter().copied().find(|&arch| call.nr(arch).is_some());
    let shown = here.or_else(|| Arch::all().find(|&arch| call.nr(arch).is_some()));
    let prototype = about::prototype(call.name(), shown.and_then(|arch| call.params(arch)));
    let lacking = archs.iter().filter(|&&arch| call.nr(arch).is_none());
    let lacking: Vec<&str> = lacking.map(|arch| arch.name()).collect();
    let detail = if lacking.is_empty() { prototype } else { format!("{prototype}, not on {}", lacking.join(", ")) };
    item(call.name(), Kind::Syscall, detail, if here.is_some() { 1 } else { 3 })
}

/// What the policy itself defines: names with their comments. Built-in groups come from the library.
fn own(project: &Project, kind: &MarkKind, begun: &str) -> Vec<(String, String)> {
    let mut found = BTreeSet::new();
    for member in project.members.iter().filter(|member| !member.builtin) {
        let defined = names::defined(&member.unit, kind, |name| fits(begun, name));
        found.extend(defined.map(|(name, doc)| (name.to_owned(), doc.unwrap_or_default().to_owned())));
    }
    found.into_iter().collect()
}

fn condition(project: &Project, call: &str, tested: Option<&str>, context: &Context) -> Vec<Item> {
    match tested {
        Some(tested) => {
            let kernel = crate::marks::parameter(call, tested).unwrap_or_else(|| tested.to_owned());
            let fitting: Vec<&str> =
                tables::syscall(call).map(|call| tables::constants_for(call, &kernel).collect()).unwrap_or_default();
            let archs = names::archs(project);
            let value = |name: &str| archs.first().and_then(|&arch| tables::constant(name, arch));
            let detail = |name: &str| value(name).map(|value| value.to_string()).unwrap_or_default();
            let mut items: Vec<Item> =
                fitting.iter().map(|name| item(*name, Kind::Constant, detail(name), 0)).collect();
            items.extend(own_constants(project, context, 1));
            if fitting.is_empty() {
                items.extend(all_constants(project, context));
            }
            items
        }
        None => parameters(project, call),
    }
}

fn parameters(project: &Project, call: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let Some(syscall) = tables::syscall(call) else {
        let declared = project.members.iter().flat_map(|member| member.unit.marks());
        let of_call = |kind: &MarkKind| matches!(kind, MarkKind::Parameter { call: of } if of == call);
        let declared = declared.filter(|mark| mark.defines && of_call(&mark.kind));
        items.extend(declared.map(|mark| item(&mark.name, Kind::Parameter, "", 0)));
        return items;
    };
    let archs = names::archs(project);
    let mut seen = BTreeSet::new();
    for params in archs.iter().filter_map(|&arch| syscall.params(arch)) {
        for param in params.iter().filter(|param| seen.insert(param.name)) {
            // What a filter sees of a pointer is hardly ever what is meant.
            let rank = if param.pointer { 2 } else { 0 };
            items.push(item(param.name, Kind::Parameter, about::declaration(param), rank));
        }
    }
    for (alias, kernel) in syscall.aliases().filter(|(_, kernel)| seen.contains(kernel)) {
        items.push(item(alias, Kind::Parameter, format!("{kernel}, as the manual calls it"), 3));
    }
    for index in 0..6 {
        items.push(item(register::name(index), Kind::Parameter, "the raw register", 4));
    }
    items
}

fn own_constants(project: &Project, context: &Context, rank: u8) -> Vec<Item> {
    let own = own(project, &MarkKind::Constant { of: None }, &context.begun);
    own.into_iter().map(|(name, doc)| item(name, Kind::Constant, doc, rank)).collect()
}

fn constants(project: &Project, context: &Context) -> Vec<Item> {
    let mut items = own_constants(project, context, 0);
    items.extend(all_constants(project, context));
    items
}

/// All of the kernel's, once a letter says which.
fn all_constants(project: &Project, context: &Context) -> Vec<Item> {
    let Some(first) = context.begun.chars().next() else { return Vec::new() };
    let archs = names::archs(project);
    let fits = |name: &&str| name.starts_with(first.to_ascii_uppercase()) || name.starts_with(first);
    let all = tables::constant_names().filter(fits);
    let value = |name: &str| archs.first().and_then(|&arch| tables::constant(name, arch));
    all.map(|name| item(name, Kind::Constant, value(name).map(|value| value.to_string()).unwrap_or_default(), 2))
        .collect()
}

fn errnos(project: &Project, context: &Context) -> Vec<Item> {
    let arch = names::archs(project).first().copied().unwrap_or(Arch::X86_64);
    let usual = |name: &str| u8::from(!matches!(name, "EPERM" | "EACCES" | "ENOSYS"));
    let number = |name: &str| tables::errno(name, arch).map(|number| number.to_string()).unwrap_or_default();
    let mut items: Vec<Item> =
        tables::errno_names().map(|name| item(name, Kind::Errno, number(name), usual(name))).collect();
    items.extend(own_constants(project, context, 2));
    items
}

fn archs() -> Vec<Item> {
    let common =
        |arch: Arch| u8::from(!matches!(arch, Arch::X86_64 | Arch::Aarch64 | Arch::X86 | Arch::Arm | Arch::Riscv64));
    Arch::all().map(|arch| item(arch.name(), Kind::Arch, arch.oci_name(), common(arch))).collect()
}

/// What the included files assert: what can be waived.
fn titles(project: &Project) -> Vec<Item> {
    let mut items = Vec::new();
    for member in project.members.iter().skip(1) {
        let path = member.unit.path.display().to_string();
        // The library's are `<guard/default>`; of others the name says enough.
        let file = if member.builtin { path } else { path.rsplit('/').next().unwrap_or_default().to_owned() };
        let titles = member.unit.marks().iter().filter(|mark| mark.defines && mark.kind == MarkKind::Title);
        items.extend(titles.map(|mark| item(&mark.name, Kind::Constant, file.as_str(), 0)));
    }
    items
}

fn capabilities() -> Vec<Item> {
    tables::capability_names().map(|name| item(name, Kind::Capability, "", 0)).collect()
}

fn paths(snapshot: &Snapshot, unit: &Unit, context: &Context, library: bool, quoted: bool, within: bool) -> Vec<Item> {
    let mut items = Vec::new();
    if library || !quoted {
        for file in library::files().iter().filter(|file| !file.is_groups()) {
            let doc = file.text.lines().next().unwrap_or_default().trim_start_matches("//!").trim();
            let label = if quoted { file.name.to_owned() } else { format!("<{}>", file.name) };
            items.push(item(label, Kind::File, doc, 1));
        }
    }
    if library {
        return items;
    }
    // Up to the last slash a path is a folder; the rest is the name that is begun.
    let folder = context.begun.rsplit_once('/').map_or("", |(folder, _)| folder);
    let beside = unit.path.parent().map(Path::to_owned).unwrap_or_default();
    let mut seen = BTreeSet::new();
    for base in std::iter::once(&beside).chain(&snapshot.config.include_dirs) {
        for (name, is_folder) in entries(&base.join(folder)) {
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            let fits = is_folder || name.ends_with(".kpol") || within && name.ends_with(".json");
            if !fits || base.join(&path) == unit.path || !seen.insert(path.clone()) {
                continue;
            }
            let label = if is_folder { format!("{path}/") } else { path };
            let kind = if is_folder { Kind::Folder } else { Kind::File };
            let insert = (!quoted).then(|| format!("\"{label}\""));
            items.push(Item { insert, ..item(label, kind, "", 0) });
        }
    }
    items
}

/// What is in a folder: names, and whether each is a folder. Hidden ones are left out.
fn entries(folder: &PathBuf) -> Vec<(String, bool)> {
    const MOST_ENTRIES: usize = 1_000;
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let entries = entries.flatten().take(MOST_ENTRIES).filter_map(|entry| {
        let name = entry.file_name().into_string().ok().filter(|name| !name.starts_with('.'))?;
        Some((name, entry.path().is_dir()))
    });
    let mut all: Vec<(String, bool)> = entries.collect();
    all.sort();
    all
}

/// More about an item, once a person looks at it.
pub fn more(world: &mut World, snapshot: &Snapshot, path: &Path, label: &str, kind: Kind) -> Option<String> {
    let about = match kind {
        Kind::Syscall => format!("allow {{ {label} }}"),
        Kind::Group => format!("allow {{ {label} }}"),
        Kind::Constant => format!("const X = {label}"),
        Kind::Action => format!("{label} {{ }}"),
        _ => return None,
    };
    let offset = about.find(label)?;
    let unit = Unit::new(path, about.into());
    hover::of(world, snapshot, &unit, u32::try_from(offset).ok()?).map(|hover| hover.text)
}
