//! The only file that knows every room: read, check, build, read back, compare.
//!
//! ```text
//! source::graph → resolve → policy::build → policy::proof → lint → silence      check
//!                                         → oci, bpf, read back and compared    build
//! ```

pub mod load;
mod output;
mod past;
mod writer;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use kpol_grammar::ast;

use crate::diagnostic::{Code, Diagnostic, FileId, Label, Severity, Span, silence::silence};
use crate::diagram::{Function, Store, Table};
use crate::lint;
use crate::oci;
use crate::oci::runtime::{Runtime, Stack};
use crate::policy::{self, Policy, Waivable, multiplexed, proof, waive};
use crate::resolve::{self, Resolved, Sink};
use crate::source::graph::{Graph, Profile, Reader};
use crate::source::{LoadError, Loader, Sources};
use crate::spec::{Arch, KernelVersion};
use crate::tables;

pub use output::stubs;
pub use past::Past;
pub use writer::{Own, Writer};

/// What the command line and `kpol.toml` settle, both read into this one value.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// Searched for `include "…"` after the including file's own folder, in order.
    pub include_dirs: Vec<PathBuf>,
    /// `--arch`: instead of the policy's own `arch`.
    pub archs: Option<Vec<Arch>>,
    /// `--cap`: exactly these are held; `None` keeps the conditions open.
    pub caps: Option<BTreeSet<u8>>,
    /// `--kernel`: `None` keeps the conditions open.
    pub kernel: Option<KernelVersion>,
    /// libseccomp release of the target (major, minor, patch); `None` is what the runtimes came with, or the newest of the
    /// tables.
    pub libseccomp: Option<(u8, u8, u8)>,
    /// `--runtime`: who loads JSON; none is crun.
    pub runtimes: Vec<Runtime>,
    /// What raw BPF is to be best at.
    pub aim: crate::bpf::Aim,
    /// Whether another file includes this one, where somebody looked: a library that none includes does nothing (W030).
    pub included: Option<bool>,
    /// Which assertions profiles may waive.
    pub waivable: Waivable,
    /// `--call`: the calls that a graph shows; all if there are none.
    pub calls: BTreeSet<String>,
    /// `--complain`: products log what the policy refuses. What is found is found of the policy itself.
    pub complain: bool,
    /// The machine that the policy is for, where that is known: ABIs of others are left out.
    pub host: Option<Arch>,
}

impl Options {
    /// Who loads JSON; never none.
    pub fn stacks(&self) -> Vec<Stack> {
        Stack::all(&self.runtimes, self.libseccomp)
    }

    /// The oldest libseccomp of those that are named, by a release of its own or of a runtime.
    pub fn oldest_libseccomp(&self) -> Option<(u8, u8, u8)> {
        self.stacks().iter().filter_map(|stack| stack.libseccomp).min()
    }
}

/// What a check found.
#[derive(Debug)]
pub struct Checked {
    /// All files that were read, also those that could not be parsed.
    pub sources: Sources,
    /// Sorted by file and place.
    pub diagnostics: Vec<Diagnostic>,
    /// What it means; `None` for a library, and where mistakes leave no meaning.
    pub compiled: Option<Compiled>,
    /// Whether the file has no `default` of its own or from an include: then it is there to be included.
    pub library: bool,
    /// The runtimes for which its JSON means the policy, and what they do beside; where JSON was asked for.
    pub json: Option<oci::Proof>,
}

impl Checked {
    /// Whether some answer of the policy depends on capabilities or the kernel that nobody settled. JSON can ask for some of
    /// these, raw BPF for none.
    pub fn is_open(&self) -> bool {
        self.compiled.as_ref().is_some_and(|Compiled { store, policy, .. }| {
            let tables = policy.function.tables.values();
            tables.flat_map(Table::intervals).any(|(_, node)| store.asks_environment(node))
        })
    }

    /// Whether anything is an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    fn sort(&mut self) {
        self.diagnostics.sort_by_key(|diagnostic| diagnostic.primary.as_ref().map(|label| label.span));
    }
}

/// A policy with the store that its nodes are in.
#[derive(Debug)]
pub struct Compiled {
    /// Owns every node.
    pub store: Store,
    /// The function and what goes with it.
    pub policy: Policy,
    /// The rules that it was made of, to say why.
    pub resolved: Resolved,
    /// The files that they stand in.
    pub graph: Graph,
    /// For the next check.
    memory: past::Memory,
}

/// A form of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// The JSON of `/etc/seccomp`.
    Json,
    /// Raw `struct sock_filter` array.
    Bpf,
    /// The same as a listing.
    Asm,
    /// The same as a C header.
    C,
    /// The diagram as a graph.
    Dot,
    /// Policy and program as a question for SMT solvers.
    Smt2,
}

impl Format {
    /// All that can be made, in the order in which it is.
    pub const ALL: [Self; 6] = [Self::Json, Self::Bpf, Self::Asm, Self::C, Self::Dot, Self::Smt2];

    /// As the command line and the project file call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Bpf => "bpf",
            Self::Asm => "asm",
            Self::C => "c",
            Self::Dot => "dot",
            Self::Smt2 => "smt2",
        }
    }
}

/// One file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// In which form.
    pub format: Format,
    /// The whole file.
    pub bytes: Vec<u8>,
    /// ABIs for which it was read back and found to mean the policy; none for a graph and for
    /// a question, which nothing here reads back.
    pub proven: Vec<Arch>,
}

/// Reads `path` and everything that it includes, and says what is wrong, also with the outputs that would be made of
/// it: what passes here builds with the same options.
pub fn check(loader: &dyn Loader, path: &Path, options: &Options, formats: &[Format]) -> Checked {
    findings(Past::default(), Make::Findings, loader, path, options, formats).0
}

/// The same with what earlier checks of the file have worked out, which gives the same answer, and sooner. The past comes back
/// here where the file has no meaning, and from [`Compiled::into_past`] where it has one. A full store says E050 of any policy:
/// an editor, which checks again and again, begins anew in time.
pub fn check_again(
    past: Past,
    loader: &dyn Loader,
    path: &Path,
    options: &Options,
    formats: &[Format],
) -> (Checked, Option<Past>) {
    findings(past, Make::FindingsAgain, loader, path, options, formats)
}

fn findings(
    past: Past,
    what: Make<'_>,
    loader: &dyn Loader,
    path: &Path,
    options: &Options,
    formats: &[Format],
) -> (Checked, Option<Past>) {
    let (checked, _, past) = make(past, what, loader, path, options, formats);
    (checked, past)
}

/// The same, and the products that were asked for, each proven to mean the policy; none where there is an error.
pub fn build(loader: &dyn Loader, path: &Path, options: &Options, formats: &[Format]) -> (Checked, Vec<Product>) {
    build_by(&Own, loader, path, options, formats)
}

/// The same with products by somebody else, who is trusted no more than we are: what does not mean the policy is not
/// handed out.
pub fn build_by(
    writer: &dyn Writer,
    loader: &dyn Loader,
    path: &Path,
    options: &Options,
    formats: &[Format],
) -> (Checked, Vec<Product>) {
    let (mut checked, products, _) = make(Past::default(), Make::Products(writer), loader, path, options, formats);
    if checked.library {
        let finding = a_library(&checked.sources);
        checked.diagnostics.push(finding);
        checked.sort();
    }
    let products = if checked.has_errors() { Vec::new() } else { products };
    (checked, products)
}

/// What is wanted of the outputs.
#[derive(Clone, Copy)]
enum Make<'a> {
    /// What is wrong with them.
    Findings,
    /// The same, by one who will ask again: what was worked out is remembered.
    FindingsAgain,
    /// They themselves, by this writer.
    Products(&'a dyn Writer),
}

fn make(
    past: Past,
    what: Make<'_>,
    loader: &dyn Loader,
    path: &Path,
    options: &Options,
    formats: &[Format],
) -> (Checked, Vec<Product>, Option<Past>) {
    let Past { mut store, mut memory } = past;
    let again = matches!(what, Make::FindingsAgain);
    let mut analysis = analyse(loader, path, options, &mut store, again.then_some(&mut memory.resolved));
    let mut products = Vec::new();
    let mut json = None;
    let (mut compiled, past) = match analysis.meaning.take() {
        Some((policy, resolved, graph)) => (Some(Compiled { store, policy, resolved, graph, memory }), None),
        None => (None, Some(Past { store, memory })),
    };
    if let Some(compiled) = &mut compiled
        && !analysis.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    {
        if options.complain {
            compiled.policy.complain(&mut compiled.store);
        }
        let known = again && compiled.memory.is_sound(&compiled.policy, options, formats);
        if !known {
            let writer = match what {
                Make::Findings | Make::FindingsAgain => &Own,
                Make::Products(writer) => writer,
            };
            let output = output::make(writer, compiled, formats, options, path, &analysis.sources);
            if again && output.diagnostics.is_empty() {
                compiled.memory.note_sound(&compiled.policy, options, formats);
            }
            products = output.products;
            json = output.json;
            analysis.diagnostics.extend(output.diagnostics);
        }
    }
    let Analysis { sources, mut diagnostics, comments, library, .. } = analysis;
    if !formats.contains(&Format::Json) {
        // Only names can be unknown to a runtime; BPF has numbers.
        diagnostics.retain(|found| found.code != Code::W009);
    }
    for (file, comments) in comments {
        silence(file, &sources.get(file).text, &comments, &mut diagnostics);
    }
    let mut checked = Checked { sources, diagnostics, compiled, library, json };
    checked.sort();
    (checked, products, past)
}

/// The program of a filter that was read, whatever its form: its own instructions, or ones that mean the same, proven.
///
/// # Errors
/// Why there is none, in a line.
pub fn program(writer: &dyn Writer, filter: &load::Filter, store: &mut Store) -> Result<Vec<u8>, String> {
    output::program(writer, filter, store)
}

/// The policy of a file in a store that the caller has, with everything that was found and is not silenced.
pub fn compile(
    loader: &dyn Loader,
    path: &Path,
    options: &Options,
    store: &mut Store,
) -> (Vec<Diagnostic>, Option<Policy>) {
    let analysis = analyse(loader, path, options, store, None);
    let Analysis { sources, mut diagnostics, comments, meaning, .. } = analysis;
    for (file, comments) in comments {
        silence(file, &sources.get(file).text, &comments, &mut diagnostics);
    }
    (diagnostics, meaning.map(|(policy, ..)| policy))
}

/// Whether two texts of one file mean the same; `None` where either has errors, which leave nothing to compare.
pub fn same_policy(loader: &dyn Loader, path: &Path, options: &Options, texts: [&str; 2]) -> Option<bool> {
    let mut store = Store::default();
    let mut functions = Vec::new();
    for text in texts {
        let edited = Edited { loader, path, text };
        let analysis = analyse(&edited, path, options, &mut store, None);
        let (policy, ..) = analysis.meaning?;
        functions.push(policy.function);
    }
    Some(functions[0] == functions[1])
}

/// Another loader, with one file as an editor has it.
struct Edited<'a> {
    loader: &'a dyn Loader,
    path: &'a Path,
    text: &'a str,
}

impl Loader for Edited<'_> {
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, LoadError> {
        if path == self.path { Ok(self.text.as_bytes().to_vec()) } else { self.loader.read(path, limit) }
    }

    fn canonical(&self, path: &Path) -> std::io::Result<PathBuf> {
        self.loader.canonical(path)
    }
}

/// What was found, before outputs and silencers.
struct Analysis {
    sources: Sources,
    diagnostics: Vec<Diagnostic>,
    meaning: Option<(Policy, Resolved, Graph)>,
    /// Of the user's files, for the silencers.
    comments: Vec<(FileId, Vec<ast::Comment>)>,
    library: bool,
}

/// `memo` is what the last run in that store found, for one who checks again and again.
fn analyse(
    loader: &dyn Loader,
    path: &Path,
    options: &Options,
    store: &mut Store,
    memo: Option<&mut resolve::Memo>,
) -> Analysis {
    let mut sources = Sources::default();
    let mut sink = Sink::default();
    let Some(graph) = read(loader, options, &mut sources, &mut sink, |reader| reader.read(path)) else {
        let diagnostics = sink.diagnostics;
        return Analysis { sources, diagnostics, meaning: None, comments: Vec::new(), library: false };
    };
    let whole = !has_errors(&sink);
    // A past is the same text's.
    let own = if memo.is_some() { store.len() } else { 0 };
    store.bound_by(bytes(&sources), own);
    let resolved = match memo {
        Some(memo) => resolve::resolve_again(&graph, options, store, memo, &mut sink),
        None => resolve::resolve(&graph, options, store, &mut sink),
    };
    let mut policy = policy::build::build(&resolved, &graph, store, &mut sink);
    let reading = waive::Reading { loader, sources: &sources, include_dirs: &options.include_dirs, whole };
    let waivers = waive::waivers(&reading, &resolved, &graph, &options.waivable, &mut sink);
    if let Some(policy) = &mut policy {
        policy.waivers = waivers;
    }
    let sound = !resolved.incomplete && !has_errors(&sink);
    if let Some(policy) = &policy
        && sound
    {
        multiplexed::conditions(&resolved, &graph, policy, store, &mut sink);
        let needed = proof::assertions(&resolved, &graph, policy, store, &mut sink);
        // On ABIs that an option takes away a waiver may be needed.
        if options.archs.is_none() {
            waive::report_unneeded(&policy.waivers, &needed, &mut sink);
        }
        withins(loader, options, &mut sources, &resolved, &graph, policy, store, &mut sink);
    }
    if sound {
        lint::lint(&graph, &resolved, policy.as_ref(), options, store, &mut sink);
    }
    if store.overflowed() {
        sink.push(too_large(&graph, &resolved, store));
    }
    let own = graph.files.iter().filter(|file| !file.builtin);
    let comments = own.map(|file| (file.id, file.tree.comments.clone())).collect();
    mute_consequences(&mut sink.diagnostics);
    add_include_chains(&graph, &mut sink.diagnostics);
    // A file that could not be read whole may have its `default` in the part that is lost.
    let library = resolved.defaults.is_empty() && !resolved.incomplete && !has_errors(&sink);
    let policy = policy.filter(|_| !resolved.incomplete && !store.overflowed());
    Analysis {
        sources,
        diagnostics: sink.diagnostics,
        meaning: policy.map(|policy| (policy, resolved, graph)),
        comments,
        library,
    }
}

/// Says of errors in included files which includes led there.
fn add_include_chains(graph: &Graph, diagnostics: &mut [Diagnostic]) {
    for diagnostic in diagnostics.iter_mut().filter(|found| found.severity == Severity::Error) {
        let Some(primary) = &diagnostic.primary else { continue };
        for span in graph.chain(primary.span.file) {
            if !diagnostic.related.iter().any(|label| label.span == span) {
                diagnostic.related.push(Label { span, text: crate::diagnostic::INCLUDED.to_owned() });
            }
        }
    }
}

/// Takes away what only follows from another mistake.
fn mute_consequences(diagnostics: &mut Vec<Diagnostic>) {
    let unclosed = diagnostics.iter().any(|found| found.code == Code::E002);
    let errors = diagnostics.iter().any(|found| found.severity == Severity::Error);
    diagnostics.retain(|found| match found.code {
        // What follows an unclosed `when` seems to stand inside it.
        Code::E045 => !unclosed,
        // A list whose only element is wrong looks empty, a condition on a wrong constant looks false.
        Code::W005 | Code::W006 | Code::W016 | Code::W022 => !errors,
        _ => true,
    });
}

fn has_errors(sink: &Sink) -> bool {
    sink.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}

fn a_library(sources: &Sources) -> Diagnostic {
    let file = sources.iter().next().map_or(FileId(0), |(file, _)| file);
    Diagnostic::new(Code::E020, Span { file, bytes: Default::default() }, "this is a library, not a profile")
        .note("without a `default` it does not say what other calls get")
        .help("add `default deny`, or build a file that includes this one")
}

/// At a pattern of the call that most rules claim.
fn too_large(graph: &Graph, resolved: &Resolved, store: &Store) -> Diagnostic {
    let calls =
        resolved.claims.iter().flat_map(|(&arch, calls)| calls.iter().map(move |(&nr, claims)| (arch, nr, claims)));
    let heaviest = calls.max_by_key(|(.., claims)| claims.len());
    let start = Span { file: graph.files.first().map_or(FileId(0), |file| file.id), bytes: Default::default() };
    let place = heaviest.and_then(|(.., claims)| claims.first()).map_or(start, |claim| claim.member.via.pattern);
    let message = format!("this policy needs more than {} nodes to decide", store.limit());
    let diagnostic = Diagnostic::new(Code::E050, place, message);
    let diagnostic = match heaviest {
        Some((arch, nr, claims)) if claims.len() > 1 => {
            let name = tables::syscall_at(arch, nr).map_or_else(|| nr.0.to_string(), |call| call.name().to_owned());
            diagnostic.note(format!("`{name}` alone has {} patterns", claims.len()))
        }
        _ => diagnostic,
    };
    diagnostic
        .help("conditions on several arguments at once multiply: split the rule, or test fewer arguments together")
}

fn read<T>(
    loader: &dyn Loader,
    options: &Options,
    sources: &mut Sources,
    sink: &mut Sink,
    what: impl FnOnce(&mut Reader<'_>) -> T,
) -> T {
    let mut diagnostics = Vec::new();
    let result = what(&mut Reader::new(loader, &options.include_dirs, sources, &mut diagnostics));
    for diagnostic in diagnostics {
        sink.push(diagnostic);
    }
    result
}

/// How long all texts are together.
fn bytes(sources: &Sources) -> usize {
    sources.iter().map(|(_, file)| file.text.len()).fold(0, usize::saturating_add)
}

/// Proves every `within`, or reports it.
#[allow(clippy::too_many_arguments, reason = "the driver joins everything once; a struct of it would have one use")]
fn withins(
    loader: &dyn Loader,
    options: &Options,
    sources: &mut Sources,
    resolved: &Resolved,
    graph: &Graph,
    policy: &Policy,
    store: &mut Store,
    sink: &mut Sink,
) {
    for within in &resolved.withins {
        let profile = read(loader, options, sources, sink, |reader| reader.read_profile(&within.include, within.span));
        let other = match profile {
            Some(Profile::Kpol(other)) => {
                store.make_room(other.files.iter().map(|file| file.text.len()).sum());
                other
            }
            Some(Profile::Json { name, text, .. }) => {
                store.make_room(text.len());
                match json_function(&name, &text, policy, options, store) {
                    Ok(function) => {
                        let other = proof::Other { name: &within.include.path.text, function: &function };
                        let refuted = proof::within(within.span, within.guard, &other, resolved, graph, policy, store);
                        refuted.into_iter().for_each(|diagnostic| sink.push(diagnostic));
                    }
                    Err(why) => sink.push(not_a_profile(within.span, &within.include.path.text, &why)),
                }
                continue;
            }
            None => continue,
        };
        let before = sink.diagnostics.len();
        let other_resolved = resolve::resolve(&other, options, store, sink);
        let other_policy = policy::build::build(&other_resolved, &other, store, sink);
        let name = &within.include.path.text;
        let mistakes = sink.diagnostics[before..].iter().filter(|found| found.severity == Severity::Error).count();
        // Its warnings are its own affair.
        let mut index = 0;
        sink.diagnostics.retain(|found| {
            index += 1;
            index <= before || found.severity == Severity::Error
        });
        let Some(other_policy) = other_policy.filter(|_| mistakes == 0) else {
            let why = if mistakes > 0 { "it has errors of its own" } else { "it has no `default`" };
            sink.push(not_a_profile(within.span, name, why));
            continue;
        };
        let other = proof::Other { name, function: &other_policy.function };
        let refuted = proof::within(within.span, within.guard, &other, resolved, graph, policy, store);
        if let Some(diagnostic) = refuted {
            sink.push(diagnostic);
        }
    }
}

fn not_a_profile(span: Span, name: &str, why: &str) -> Diagnostic {
    Diagnostic::new(Code::E044, span, format!("`{name}` is not a profile to compare with: {why}"))
        .help("`within` compares with a whole profile")
}

/// What a JSON profile means on the hosts of a policy.
fn json_function(
    name: &str,
    text: &str,
    policy: &Policy,
    options: &Options,
    store: &mut Store,
) -> Result<Function, String> {
    let profile = oci::read(text.as_bytes()).map_err(|error| error.to_string())?;
    let mut function = Function::default();
    let hosts: BTreeSet<Arch> = policy.archs.iter().map(|arch| arch.native()).collect();
    for host in hosts {
        let stack = options.stacks().first().copied().unwrap_or_default();
        let loaded = oci::runtime::load_by(store, &profile, host, &stack).map_err(|error| error.to_string())?;
        if let Some(unclear) = loaded.undetermined.first() {
            return Err(format!(
                "what `{}` gets under {name} on {} hangs on the order in which the runtime reads it",
                unclear.name, unclear.arch
            ));
        }
        if let Some(&(arch, call)) = loaded.doubtful().first() {
            let what = call.map_or_else(|| "calls get".to_owned(), |call| format!("`{call}` gets"));
            return Err(format!(
                "what {what} under {name} on {arch} is undetermined: entries contradict each other, and it hangs on their order"
            ));
        }
        for (arch, table) in loaded.function.tables {
            let settled = table.map(|node| store.in_environment(node, options.caps.as_ref(), options.kernel));
            function.tables.insert(arch, settled);
        }
    }
    Ok(function)
}
