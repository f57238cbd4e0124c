//! The only file that knows every room: read, check, build, read back, compare.
//!
//! ```text
//! source::graph → resolve → policy::build → policy::proof → lint → silence      check
//!                                         → oci, bpf, read back and compared    build
//! ```

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::diagnostic::{Code, Diagnostic, FileId, Severity, Span, silence::silence};
use crate::diagram::Store;
use crate::lint;
use crate::policy::{self, Policy, proof};
use crate::resolve::{self, Resolved, Sink};
use crate::source::graph::{Graph, Profile, Reader};
use crate::source::{Loader, Sources};
use crate::spec::{Arch, KernelVersion};

/// What the command line and `kpol.toml` settle, both read into this one value.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Searched for `include "…"` after the including file's own folder, in order.
    pub include_dirs: Vec<PathBuf>,
    /// `--arch`: instead of the policy's own `arch`.
    pub archs: Option<Vec<Arch>>,
    /// `--cap`: exactly these are held; `None` keeps the conditions open.
    pub caps: Option<BTreeSet<u8>>,
    /// `--kernel`: `None` keeps the conditions open.
    pub kernel: Option<KernelVersion>,
    /// libseccomp release of the target (major, minor, patch); `None` is the newest of the tables.
    pub libseccomp: Option<(u8, u8, u8)>,
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
}

impl Checked {
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
}

/// A form of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// The JSON of `/etc/seccomp`.
    Json,
    /// Raw `struct sock_filter` array.
    Bpf,
}

/// One file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// In which form.
    pub format: Format,
    /// The whole file.
    pub bytes: Vec<u8>,
}

/// Reads `path` and everything that it includes, and says what is wrong.
pub fn check(loader: &dyn Loader, path: &Path, options: &Options) -> Checked {
    let mut sources = Sources::default();
    let mut store = Store::default();
    let mut sink = Sink::default();
    let Some(graph) = read(loader, options, &mut sources, &mut sink, |reader| reader.read(path)) else {
        return Checked { sources, diagnostics: sink.diagnostics, compiled: None, library: false };
    };
    let resolved = resolve::resolve(&graph, options, &mut store, &mut sink);
    let policy = policy::build::build(&resolved, &graph, &mut store, &mut sink);
    let library = resolved.defaults.is_empty();
    let sound = !resolved.incomplete && !has_errors(&sink);
    if let Some(policy) = &policy
        && sound
    {
        proof::assertions(&resolved, &graph, policy, &mut store, &mut sink);
        withins(loader, options, &mut sources, &resolved, &graph, policy, &mut store, &mut sink);
    }
    if sound {
        lint::lint(&graph, &resolved, policy.as_ref(), options, &mut store, &mut sink);
    }
    if store.overflowed() {
        sink.push(too_large(&graph));
    }
    let mut diagnostics = sink.diagnostics;
    for file in graph.files.iter().filter(|file| !file.builtin) {
        let text = &sources.get(file.id).text;
        silence(file.id, text, &file.tree.comments, &mut diagnostics);
    }
    let compiled = policy.filter(|_| !resolved.incomplete && !store.overflowed());
    let compiled = compiled.map(|policy| Compiled { store, policy, resolved, graph });
    let mut checked = Checked { sources, diagnostics, compiled, library };
    checked.sort();
    checked
}

fn has_errors(sink: &Sink) -> bool {
    sink.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}

fn too_large(graph: &Graph) -> Diagnostic {
    let file = graph.files.first().map_or(FileId(0), |file| file.id);
    Diagnostic::new(
        Code::E050,
        Span { file, bytes: kpol_grammar::ast::Span::default() },
        format!("this policy needs more than {} nodes to decide", Store::DEFAULT_LIMIT),
    )
    .help("conditions that join many arguments by `||` multiply: split the rule, or test fewer arguments together")
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
        let Some(Profile::Kpol(other)) = profile else { continue };
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
            sink.push(
                Diagnostic::new(Code::E044, within.span, format!("`{name}` is not a profile to compare with: {why}"))
                    .help("`within` compares with a whole profile"),
            );
            continue;
        };
        let other = proof::Other { name, function: &other_policy.function };
        let refuted = proof::within(within.span, within.guard, &other, resolved, graph, policy, store);
        if let Some(diagnostic) = refuted {
            sink.push(diagnostic);
        }
    }
}

/// The same, and the products that were asked for; none where there is an error.
pub fn build(loader: &dyn Loader, path: &Path, options: &Options, _formats: &[Format]) -> (Checked, Vec<Product>) {
    (check(loader, path, options), Vec::new())
}
