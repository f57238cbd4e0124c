//! What is known of all files together, and kept from one question to the next.
//!
//! ```text
//! web.kpol   open   → checked as a profile with all that it includes; findings by file
//! base.kpol  open   → checked on its own as well
//! edit of base.kpol → both are checked again, other profiles are not
//! ```
//!
//! A result is kept with everything that was asked of the files while it was made: which paths were read, what they
//! held, which were not there. It holds for as long as all that would be answered alike.
//!
//! INVARIANT: an answer depends on the snapshot alone, never on what was asked before.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use kpol_compiler::diagnostic::{Code, Diagnostic, Severity, Span as FileSpan};
use kpol_compiler::diagram::Store;
use kpol_compiler::driver::{self, Compiled, Format, Options, Past};
use kpol_compiler::source::graph::{MAX_ROOT, Reader};
use kpol_compiler::source::project::{self, Levels};
use kpol_compiler::source::{LoadError, Loader, Sources, Tree};
use kpol_compiler::tables;
use kpol_grammar::ast::{File, Span};

use crate::pages;
use crate::snapshot::{Config, ContentId, Snapshot};
use crate::unit::{Unit, Units};

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// Which bytes.
    pub span: Span,
}

/// A change of text that mends something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What it does.
    pub title: String,
    /// What is put where.
    pub edits: Vec<(Place, String)>,
}

/// A diagnostic with its places as paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which of the closed list.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// All that is said about it, line by line.
    pub message: String,
    /// Where.
    pub span: Span,
    /// Other places, and what to say there.
    pub related: Vec<(Place, String)>,
    /// How to mend it.
    pub fix: Option<Fix>,
}

/// Findings by file; a file that was read and has none is there too.
pub type ByFile = BTreeMap<PathBuf, Vec<Finding>>;

/// A file of a [`Project`].
#[derive(Debug, Clone)]
pub struct Member {
    /// Its text and tree.
    pub unit: Arc<Unit>,
    /// Files that it includes, and where it says so.
    pub includes: Vec<(PathBuf, Span)>,
    /// Part of kpolc itself.
    pub builtin: bool,
}

/// A file with all that it includes and all built-in groups that any of them names.
#[derive(Debug, Default)]
pub struct Project {
    /// The first is the one that was asked for.
    pub members: Vec<Member>,
}

impl Project {
    /// The member of that path.
    pub fn member(&self, path: &Path) -> Option<&Member> {
        self.members.iter().find(|member| member.unit.path == path)
    }
}

/// What was asked of the files, and what they answered.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Probe {
    Content(PathBuf, Option<ContentId>),
    Canonical(PathBuf, Option<PathBuf>),
}

#[derive(Debug, Clone)]
struct Basis {
    probes: Arc<[Probe]>,
    config: Arc<Config>,
    /// When it was found to hold: the generation, and the epoch of the disk.
    held: Cell<(u64, u64)>,
}

impl Basis {
    fn holds(&self, snapshot: &Snapshot) -> bool {
        let now = (snapshot.generation, snapshot.disk.epoch());
        if self.held.get() == now {
            return true;
        }
        let holds = *self.config == *snapshot.config && self.changed(snapshot).next().is_none();
        if holds {
            self.held.set(now);
        }
        holds
    }

    /// What would be answered otherwise now.
    fn changed<'a>(&'a self, snapshot: &'a Snapshot) -> impl Iterator<Item = &'a Probe> {
        self.probes.iter().filter(|probe| match probe {
            Probe::Content(path, content) => snapshot.content(path) != *content,
            Probe::Canonical(path, found) => snapshot.canonical(path).ok() != *found,
        })
    }
}

/// What a check of one file gave.
struct Root {
    basis: Basis,
    findings: Arc<ByFile>,
    compiled: Option<Compiled>,
    /// Where there is no policy: what was worked out on the way to its mistakes.
    past: Option<Past>,
    /// Whether a policy was let go, while the findings still hold.
    forgotten: bool,
    options: Options,
    used: u64,
}

/// Everything that is kept.
#[derive(Default)]
pub struct World {
    units: Units,
    roots: HashMap<PathBuf, Root>,
    projects: HashMap<PathBuf, (Basis, Arc<Project>, u64)>,
    turn: u64,
    /// Texts whose words a client was told, to tell it later what differs.
    told: HashMap<PathBuf, (u64, Arc<Unit>)>,
    /// Files about which something else may have to be said than before.
    news: BTreeSet<PathBuf>,
}

/// A store with more nodes than this is let go, and with it what no text asks for any more.
const MOST_NODES: usize = 250_000;
/// Compiled policies are large: so many are kept.
const MOST_COMPILED: usize = 4;
/// Include graphs are small.
const MOST_PROJECTS: usize = 2048;

/// A loader that hands out trees it has, and notes what it was asked.
struct Witness<'a> {
    snapshot: &'a Snapshot,
    units: &'a Units,
    probes: Mutex<Vec<Probe>>,
}

impl<'a> Witness<'a> {
    fn new(snapshot: &'a Snapshot, units: &'a Units) -> Self {
        Self { snapshot, units, probes: Mutex::default() }
    }

    fn note(&self, probe: Probe) {
        self.probes.lock().unwrap_or_else(PoisonError::into_inner).push(probe);
    }

    fn basis(self) -> Basis {
        let mut probes = self.probes.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut seen = std::collections::HashSet::new();
        probes.retain(|probe| match probe {
            Probe::Content(path, _) => seen.insert((true, path.clone())),
            Probe::Canonical(path, _) => seen.insert((false, path.clone())),
        });
        let held = Cell::new((self.snapshot.generation, self.snapshot.disk.epoch()));
        Basis { probes: probes.into(), config: Arc::clone(&self.snapshot.config), held }
    }
}

impl Loader for Witness<'_> {
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, LoadError> {
        let result = self.snapshot.read(path, limit);
        // A read of nothing only asks what kind of thing is there.
        let content = if limit == 0 { None } else { self.snapshot.content(path) };
        if limit > 0 {
            self.note(Probe::Content(path.to_owned(), content));
        }
        result
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        let found = self.snapshot.canonical(path);
        self.note(Probe::Canonical(path.to_owned(), found.as_ref().ok().cloned()));
        found
    }

    fn parse(&self, path: &Path, text: &str) -> Tree {
        if let Some(unit) = self.units.library(path) {
            return unit.tree.clone();
        }
        match self.snapshot.text(path, MAX_ROOT) {
            Some((id, same)) if *same == *text => self.units.of(id, path, &same).tree.clone(),
            _ => {
                let (file, errors) = kpol_grammar::parse(text);
                Tree { file: Arc::new(file), errors: errors.into() }
            }
        }
    }
}

impl World {
    /// The unit of a file; `None` where there is none that can be read.
    pub fn unit(&self, snapshot: &Snapshot, path: &Path) -> Option<Arc<Unit>> {
        if let Some(unit) = self.units.library(path) {
            return Some(unit);
        }
        let (id, text) = snapshot.text(path, MAX_ROOT)?;
        Some(self.units.of(id, path, &text))
    }

    /// Something new begins; lets go of what is old.
    pub fn turn(&mut self) {
        self.turn += 1;
        self.units.sweep();
    }

    /// A file with all that it leads to.
    pub fn project(&mut self, snapshot: &Snapshot, path: &Path) -> Arc<Project> {
        let turn = self.turn;
        if let Some((basis, project, used)) = self.projects.get_mut(path)
            && basis.holds(snapshot)
        {
            *used = turn;
            return Arc::clone(project);
        }
        if let Some((basis, project)) = self.projects.get(path).and_then(|known| self.patched(snapshot, known)) {
            self.projects.insert(path.to_owned(), (basis, Arc::clone(&project), turn));
            return project;
        }
        let (options, ..) = settings(snapshot, snapshot, path, &mut Sources::default());
        let witness = Witness::new(snapshot, &self.units);
        let mut sources = Sources::default();
        let graph = Reader::new(&witness, &options.include_dirs, &mut sources, &mut Vec::new()).read(path);
        let basis = witness.basis();
        let mut project = Project::default();
        for file in graph.iter().flat_map(|graph| &graph.files) {
            let Some(unit) = self.unit(snapshot, &sources.get(file.id).path) else { continue };
            let includes = file.includes.iter();
            let includes = includes.map(|(to, at)| (sources.get(*to).path.clone(), at.bytes)).collect();
            project.members.push(Member { unit, includes, builtin: file.builtin });
        }
        let project = Arc::new(project);
        if self.projects.len() >= MOST_PROJECTS {
            let oldest = self.projects.iter().min_by_key(|(_, (.., used))| *used).map(|(path, _)| path.clone());
            oldest.map(|path| self.projects.remove(&path));
        }
        self.projects.insert(path.to_owned(), (basis, Arc::clone(&project), turn));
        project
    }

    /// A project with new texts of the same shape in their places; `None` if more than that has changed.
    fn patched(&self, snapshot: &Snapshot, known: &(Basis, Arc<Project>, u64)) -> Option<(Basis, Arc<Project>)> {
        let (basis, project, _) = known;
        if *basis.config != *snapshot.config {
            return None;
        }
        let mut members = project.members.clone();
        let mut probes = basis.probes.to_vec();
        for changed in basis.changed(snapshot) {
            let Probe::Content(path, Some(_)) = changed else { return None };
            let canonical = snapshot.canonical(path).unwrap_or_else(|_| path.clone());
            let member = members.iter_mut().find(|member| member.unit.path == canonical)?;
            let unit = self.unit(snapshot, &canonical)?;
            if unit.shape() != member.unit.shape() {
                return None;
            }
            // The same includes, which may stand elsewhere now; one that leads nowhere is not among them.
            let old: Vec<Span> = member.unit.include_statements().map(|include| include.path.span).collect();
            let new: Vec<Span> = unit.include_statements().map(|include| include.path.span).collect();
            for (_, at) in &mut member.includes {
                *at = new[old.iter().position(|span| span == at)?];
            }
            member.unit = unit;
            for probe in probes.iter_mut().filter(|probe| *probe == changed) {
                *probe = Probe::Content(path.clone(), snapshot.content(path));
            }
        }
        let held = Cell::new((snapshot.generation, snapshot.disk.epoch()));
        let basis = Basis { probes: probes.into(), config: Arc::clone(&basis.config), held };
        Some((basis, Arc::new(Project { members })))
    }

    /// Open files whose findings do not hold any more.
    pub fn stale(&self, snapshot: &Snapshot) -> Vec<PathBuf> {
        let holds = |path: &PathBuf| self.roots.get(path).is_some_and(|root| root.basis.holds(snapshot));
        let stale = snapshot.documents.iter().filter(|(path, _)| !holds(path));
        // What was typed in last is looked at first: the last of these.
        let mut stale: Vec<(ContentId, &PathBuf)> = stale.map(|(path, document)| (document.id, path)).collect();
        stale.sort_unstable();
        stale.into_iter().map(|(_, path)| path.clone()).collect()
    }

    /// Whether one of these files led to another when it was checked last.
    pub fn led_by(&self, roots: &[PathBuf], path: &Path) -> bool {
        roots
            .iter()
            .any(|root| root == path || self.roots.get(root).is_some_and(|root| root.findings.contains_key(path)))
    }

    /// Files that were checked and are not open any more; what was known of them goes.
    pub fn closed(&mut self, snapshot: &Snapshot) {
        let gone: Vec<PathBuf> =
            self.roots.keys().filter(|path| !snapshot.documents.contains_key(*path)).cloned().collect();
        self.told.retain(|path, _| snapshot.documents.contains_key(path));
        for root in gone.iter().filter_map(|path| self.roots.remove(path)) {
            self.news.extend(root.findings.keys().cloned());
        }
    }

    /// Files about which something else may have to be said than when this was asked last. A question may be the one that
    /// found it, before the check came to the file.
    pub fn news(&mut self) -> BTreeSet<PathBuf> {
        std::mem::take(&mut self.news)
    }

    /// Forgets everything. What was said of a file may be wrong from now on.
    pub fn forget(&mut self) {
        let mut news = self.news();
        news.extend(self.roots.values().flat_map(|root| root.findings.keys().cloned()));
        *self = Self { news, ..Self::default() };
    }

    /// Checks one file with all that it includes. Returns its findings.
    pub fn check(&mut self, snapshot: &Snapshot, path: &Path) -> Arc<ByFile> {
        if let Some(root) = self.roots.get_mut(path)
            && root.basis.holds(snapshot)
        {
            root.used = self.turn;
            return Arc::clone(&root.findings);
        }
        self.check_anew(snapshot, path)
    }

    fn check_anew(&mut self, snapshot: &Snapshot, path: &Path) -> Arc<ByFile> {
        let witness = Witness::new(snapshot, &self.units);
        let mut findings = ByFile::new();
        let said = self.roots.get(path).map(|root| Arc::clone(&root.findings));
        let mut compiled = None;
        let mut kept = None;
        let mut sources = Sources::default();
        let options;
        if pages::is_library(path) {
            // A copy for the eye: its names are built in, which nobody else may say.
            options = Options::default();
            findings.insert(path.to_owned(), Vec::new());
        } else if path.file_name().is_some_and(|name| name == project::NAME) {
            let (_, diagnostics) = project::load(&witness, path, &mut sources);
            options = Options::default();
            collect(&sources, path, diagnostics, &mut findings);
        } else {
            let (found, formats, levels, diagnostics) = settings(&witness, snapshot, path, &mut sources);
            options = found;
            collect(&sources, path, diagnostics, &mut findings);
            let before = self.roots.remove(path);
            let past = before.and_then(|root| root.compiled.map(Compiled::into_past).or(root.past));
            let fits = |store: &Store| !store.overflowed() && store.len() < MOST_NODES;
            let past = past.filter(|past| fits(past.store())).unwrap_or_default();
            let used = !past.store().is_empty();
            let (mut checked, mut past) = driver::check_again(past, &witness, path, &options, &formats);
            let store = checked.compiled.as_ref().map(|compiled| &compiled.store).or(past.as_ref().map(Past::store));
            if used && store.is_some_and(Store::overflowed) {
                // What earlier texts left behind must not count.
                (checked, past) = driver::check_again(Past::default(), &witness, path, &options, &formats);
            }
            kept = past;
            levels.apply(&mut checked.diagnostics);
            collect(&checked.sources, path, checked.diagnostics, &mut findings);
            compiled = checked.compiled;
        }
        let basis = witness.basis();
        let findings = Arc::new(findings);
        // Of a file that is not open only those who ask are told.
        if snapshot.documents.contains_key(path) {
            self.news.extend(said.iter().chain([&findings]).flat_map(|findings| findings.keys().cloned()));
        }
        let root = Root {
            basis,
            findings: Arc::clone(&findings),
            compiled,
            past: kept,
            forgotten: false,
            options,
            used: self.turn,
        };
        self.roots.insert(path.to_owned(), root);
        self.forget_compiled();
        findings
    }

    fn forget_compiled(&mut self) {
        let mut kept: Vec<(u64, PathBuf)> = self
            .roots
            .iter()
            .filter(|(_, root)| root.compiled.is_some() || root.past.is_some())
            .map(|(path, root)| (root.used, path.clone()))
            .collect();
        kept.sort();
        let over = kept.len().saturating_sub(MOST_COMPILED);
        for (_, path) in &kept[..over] {
            if let Some(root) = self.roots.get_mut(path) {
                root.forgotten = root.compiled.take().is_some();
                root.past = None;
            }
        }
    }

    /// The finished policy of a file, where it has one.
    pub fn compiled(&mut self, snapshot: &Snapshot, path: &Path) -> Option<(&mut Compiled, &Options)> {
        let known = self.roots.get(path).is_some_and(|root| root.basis.holds(snapshot) && root.compiled.is_some());
        if !known {
            if self.roots.get(path).is_some_and(|root| root.basis.holds(snapshot) && !root.forgotten) {
                return None;
            }
            self.check_anew(snapshot, path);
        }
        let turn = self.turn;
        let root = self.roots.get_mut(path)?;
        root.used = turn;
        Some((root.compiled.as_mut()?, &root.options))
    }

    /// Keeps a text whose words the client was told; the name that the client has for it.
    pub fn remember(&mut self, unit: &Arc<Unit>) -> String {
        let id = self.told.get(&unit.path).map_or(1, |(id, _)| id + 1);
        self.told.insert(unit.path.clone(), (id, Arc::clone(unit)));
        id.to_string()
    }

    /// The text of that name, if it is still kept.
    pub fn remembered(&self, path: &Path, id: &str) -> Option<Arc<Unit>> {
        self.told.get(path).filter(|(known, _)| known.to_string() == id).map(|(_, unit)| Arc::clone(unit))
    }

    /// What the compiler is told when it builds a file.
    pub fn options(&self, snapshot: &Snapshot, path: &Path) -> Options {
        settings(snapshot, snapshot, path, &mut Sources::default()).0
    }

    /// All findings about a file, of all open files that lead to it.
    pub fn findings(&self, path: &Path) -> Vec<Finding> {
        let mut all: Vec<Finding> = Vec::new();
        let mut seen = BTreeSet::new();
        let mut roots: Vec<_> = self.roots.iter().collect();
        roots.sort_by_key(|(root, _)| (*root != path, *root));
        for finding in roots.iter().filter_map(|(_, root)| root.findings.get(path)).flatten() {
            if seen.insert((finding.code, finding.span, &finding.message)) {
                all.push(finding.clone());
            }
        }
        all.sort_by_key(|finding| (finding.span, finding.code));
        all
    }

    /// Files that a checked file led to.
    pub fn led_to(&self, path: &Path) -> Vec<PathBuf> {
        let files = self.roots.get(path).map(|root| root.findings.keys().filter(|file| *file != path));
        files.into_iter().flatten().cloned().collect()
    }

    /// Open files, and those of the editor's folders.
    pub fn files(&self, snapshot: &Snapshot) -> Vec<PathBuf> {
        let mut files: BTreeSet<PathBuf> = snapshot.documents.keys().cloned().collect();
        for folder in snapshot.folders.iter() {
            kpol_files(folder, &mut files);
        }
        files.into_iter().filter(|path| path.file_name().is_none_or(|name| name != project::NAME)).collect()
    }

    /// Open files that lead to a file: itself first, then profiles, in the order of their names.
    pub fn roots_of(&mut self, snapshot: &Snapshot, path: &Path) -> Vec<PathBuf> {
        let open: Vec<PathBuf> = snapshot.documents.keys().filter(|open| *open != path).cloned().collect();
        let mut roots = vec![path.to_owned()];
        roots.extend(open.into_iter().filter(|open| self.project(snapshot, open).member(path).is_some()));
        roots
    }
}

/// What holds for a file: the editor's settings, and below them the project file.
fn settings(
    loader: &dyn Loader,
    snapshot: &Snapshot,
    path: &Path,
    sources: &mut Sources,
) -> (Options, Vec<Format>, Levels, Vec<Diagnostic>) {
    let config = &snapshot.config;
    let caps = config.capabilities.as_ref();
    let mut options = Options {
        include_dirs: config.include_dirs.clone(),
        archs: None,
        caps: caps.map(|names| names.iter().filter_map(|name| tables::capability(name)).collect()),
        kernel: config.kernel.as_ref().and_then(|text| text.parse().ok()),
        libseccomp: config.libseccomp.as_deref().and_then(project::libseccomp_version),
        ..Options::default()
    };
    let Some(file) = project::find(loader, path) else {
        return (options, vec![Format::Json], config.lints.clone(), Vec::new());
    };
    let (file, diagnostics) = project::load(loader, &file, sources);
    file.complete(&mut options);
    let formats = if file.emit.is_empty() { vec![Format::Json] } else { file.emit };
    (options, formats, config.lints.clone().over(&file.lints), diagnostics)
}

fn collect(sources: &Sources, root: &Path, diagnostics: Vec<Diagnostic>, findings: &mut ByFile) {
    for (_, file) in sources.iter() {
        findings.entry(file.path.clone()).or_default();
    }
    let place = |span: FileSpan| Place { path: sources.get(span.file).path.clone(), span: span.bytes };
    for diagnostic in diagnostics {
        let at = diagnostic.primary.as_ref().map(|label| place(label.span));
        let at = at.unwrap_or_else(|| Place { path: root.to_owned(), span: Span::default() });
        let fix = diagnostic.fix.as_ref().map(|fix| Fix {
            title: fix.title.clone(),
            edits: fix.edits.iter().map(|edit| (place(edit.span), edit.text.clone())).collect(),
        });
        findings.entry(at.path).or_default().push(Finding {
            code: diagnostic.code,
            severity: diagnostic.severity,
            message: message(&diagnostic),
            span: at.span,
            related: diagnostic.related.iter().map(|label| (place(label.span), label.text.clone())).collect(),
            fix,
        });
    }
}

/// The words of the command line, in its order.
fn message(diagnostic: &Diagnostic) -> String {
    let mut message = diagnostic.message.clone();
    let label = diagnostic.primary.as_ref().map(|label| label.text.as_str()).filter(|text| !text.is_empty());
    for note in label.into_iter().chain(diagnostic.notes.iter().map(String::as_str)) {
        message.push('\n');
        message.push_str(note);
    }
    if let Some(help) = &diagnostic.help {
        message.push_str("\nhelp: ");
        message.push_str(help);
    }
    message
}

/// Whether a file has a `default` of its own.
pub fn is_profile(file: &File) -> bool {
    use kpol_grammar::ast::StatementKind;
    file.statements.iter().any(|statement| matches!(statement.kind, StatementKind::Default { .. }))
}

/// Policies below a folder. Hidden folders and what build tools make are passed over, and no link is followed.
fn kpol_files(folder: &Path, files: &mut BTreeSet<PathBuf>) {
    const MOST_FILES: usize = 5_000;
    const MOST_FOLDERS: usize = 20_000;
    let mut left = vec![folder.to_owned()];
    let mut seen = 0;
    while let Some(folder) = left.pop() {
        seen += 1;
        if seen > MOST_FOLDERS || files.len() > MOST_FILES {
            return;
        }
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let (name, Ok(kind)) = (entry.file_name(), entry.file_type()) else { continue };
            let name = name.to_string_lossy();
            if kind.is_dir() && !name.starts_with('.') && !matches!(&*name, "target" | "node_modules") {
                left.push(entry.path());
            } else if kind.is_file() && name.ends_with(".kpol") {
                files.insert(entry.path());
            }
        }
    }
}
