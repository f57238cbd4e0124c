//! The include graph: one file, everything that it includes, and the built-in groups that any of them names.
//!
//! ```text
//! web.kpol ── include "org/base.kpol" ── include <guard/default>
//!    level 3            level 2                  level 1
//! ```
//!
//! INVARIANT: every file is there once, however often it is named; a circle is cut (and reported) where it closes;
//! a file's level is 1 + the highest level among its includes.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kpol_grammar::ast::{self, PatternKind, Statement, StatementKind};
use kpol_grammar::parse::{SyntaxError, SyntaxErrorKind};
use kpol_grammar::words::one_of;
use kpol_grammar::{Offer, did_you_mean};
use rustc_hash::FxHashMap;

use super::{LoadError, Loader, SourceFile, Sources};
use crate::diagnostic::{Code, Diagnostic, Edit, FileId, Fix, Label, Safety, Severity, Span};
use crate::library::{self, LibraryFile};

/// The largest file that can be included, in bytes.
pub const MAX_INCLUDE: u64 = 1 << 20;
/// The largest file that can be compiled.
pub const MAX_ROOT: u64 = 16 << 20;
/// From this many mistakes on, without one statement that can be read, a text is no policy.
const NO_POLICY: usize = 4;
/// How many files one policy may have.
pub const MAX_FILES: usize = 1024;
/// How deep includes may nest.
pub const MAX_DEPTH: usize = 64;

/// A file with what was read from it.
#[derive(Debug)]
pub struct GraphFile {
    /// Its place in [`Sources`].
    pub id: FileId,
    /// The tree; statements that could not be read are `Broken`.
    pub tree: Arc<ast::File>,
    /// Files that it includes, and where it says so.
    pub includes: Vec<(FileId, Span)>,
    /// 1 + the highest level among its includes.
    pub level: u32,
    /// Part of kpolc itself.
    pub builtin: bool,
    /// Names that statements would define which could not be read; groups with their `@`.
    pub lost: HashSet<String>,
    /// Its text.
    pub text: Arc<str>,
}

/// All files of one policy. `files[0]` is the one that was asked for.
#[derive(Debug, Default)]
pub struct Graph {
    /// In the order in which they were first named; built-in groups last.
    pub files: Vec<GraphFile>,
    /// Index into `files`.
    index: FxHashMap<FileId, usize>,
    /// Who includes each file on a shortest way from the first, and where it says so; found when somebody asks.
    came_from: OnceCell<HashMap<FileId, (FileId, Span)>>,
}

impl Graph {
    /// The file of an id, if it is part of this graph.
    pub fn get(&self, id: FileId) -> Option<&GraphFile> {
        self.index.get(&id).map(|&index| &self.files[index])
    }

    /// The `include` statements that lead from the first file to `id`, outermost first; a shortest such chain.
    pub fn chain(&self, id: FileId) -> Vec<Span> {
        let came_from = self.came_from.get_or_init(|| self.shortest_ways());
        let mut spans = Vec::new();
        let mut here = id;
        while let Some(&(before, span)) = came_from.get(&here) {
            spans.push(span);
            here = before;
        }
        spans.reverse();
        spans
    }

    fn shortest_ways(&self) -> HashMap<FileId, (FileId, Span)> {
        let mut came_from: HashMap<FileId, (FileId, Span)> = HashMap::new();
        let Some(root) = self.files.first() else { return came_from };
        let mut queue = std::collections::VecDeque::from([root.id]);
        while let Some(here) = queue.pop_front() {
            let Some(file) = self.get(here) else { continue };
            for &(next, span) in &file.includes {
                if next != root.id && !came_from.contains_key(&next) {
                    came_from.insert(next, (here, span));
                    queue.push_back(next);
                }
            }
        }
        came_from
    }
}

/// Reads files into a [`Graph`].
pub struct Reader<'a> {
    loader: &'a dyn Loader,
    include_dirs: &'a [PathBuf],
    sources: &'a mut Sources,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    /// A reader that adds to `sources` and `diagnostics`.
    pub fn new(
        loader: &'a dyn Loader,
        include_dirs: &'a [PathBuf],
        sources: &'a mut Sources,
        diagnostics: &'a mut Vec<Diagnostic>,
    ) -> Self {
        Self { loader, include_dirs, sources, diagnostics }
    }

    /// Reads `path` and all that it leads to. `None` if `path` itself could not be read.
    pub fn read(&mut self, path: &Path) -> Option<Graph> {
        let bytes = match self.loader.read(path, MAX_ROOT) {
            Ok(bytes) => bytes,
            Err(error) => {
                let mut diagnostic = unreadable(path, &error, MAX_ROOT);
                let policy = path.with_extension("kpol");
                if policy != path && self.loader.canonical(&policy).is_ok() {
                    diagnostic.help = Some(format!("did you mean `{}`?", policy.display()));
                }
                self.diagnostics.push(diagnostic);
                return None;
            }
        };
        let canonical = self.loader.canonical(path).unwrap_or_else(|_| path.to_path_buf());
        Some(self.graph_of(path.display().to_string(), canonical, Text::Bytes(bytes)))
    }

    /// Reads the profile that a `within` names.
    pub fn read_profile(&mut self, include: &ast::Include, span: Span) -> Option<Profile> {
        let (name, path, text) = self.named_file(include, span, false, &HashMap::new())?;
        if path.extension().is_some_and(|end| end == "json") {
            let Text::Bytes(bytes) = text else { return None };
            let (text, not_text) = decode(bytes);
            let id = self.sources.add(SourceFile { name: name.clone(), path, text: Arc::clone(&text) });
            if let Some((offset, what)) = not_text {
                self.diagnostics.push(not_a_text(Span { file: id, bytes: ast::Span::new(offset, offset) }, what));
                return None;
            }
            return Some(Profile::Json { name, text, id });
        }
        Some(Profile::Kpol(self.graph_of(name, path, text)))
    }

    fn graph_of(&mut self, name: String, path: PathBuf, text: Text) -> Graph {
        let mut graph = Graph::default();
        self.add(&mut graph, &mut Walk::default(), name, path, text);
        self.add_builtin_groups(&mut graph);
        graph
    }

    /// Parses one file, adds it, then those it includes. Recursion is as deep as includes nest: [`MAX_DEPTH`].
    fn add(&mut self, graph: &mut Graph, walk: &mut Walk, name: String, path: PathBuf, text: Text) -> FileId {
        let builtin = matches!(text, Text::Library(_));
        let (text, decode_error) = match text {
            Text::Library(text) => (Arc::from(text), None),
            Text::Bytes(bytes) => decode(bytes),
        };
        let id = self.sources.add(SourceFile { name, path: path.clone(), text: Arc::clone(&text) });
        walk.by_path.insert(path.clone(), id);
        let index = graph.files.len();
        graph.index.insert(id, index);
        let tree = if let Some((offset, what)) = decode_error {
            self.diagnostics.push(not_a_text(Span { file: id, bytes: ast::Span::new(offset, offset) }, what));
            Arc::default()
        } else {
            let tree = self.loader.parse(&path, &text);
            self.diagnostics.extend(syntax_diagnostics(id, &text, &tree));
            tree.file
        };
        let mut lost = HashSet::new();
        lost_names(&text, &tree.statements, &mut lost);
        graph.files.push(GraphFile {
            id,
            tree: Arc::clone(&tree),
            includes: Vec::new(),
            level: 1,
            builtin,
            lost,
            text,
        });

        walk.stack.push(id);
        let mut includes = Vec::new();
        let mut level = 1;
        for statement in &tree.statements {
            let StatementKind::Include(include) = &statement.kind else { continue };
            let span = Span { file: id, bytes: include.path.span };
            if let Some(target) = self.include(graph, walk, include, span, builtin) {
                level = level.max(graph.get(target).map_or(0, |file| file.level) + 1);
                includes.push((target, span));
            }
        }
        walk.stack.pop();
        let file = &mut graph.files[index];
        file.includes = includes;
        file.level = level;
        id
    }

    fn include(
        &mut self,
        graph: &mut Graph,
        walk: &mut Walk,
        include: &ast::Include,
        span: Span,
        from_library: bool,
    ) -> Option<FileId> {
        let (name, path, text) = self.named_file(include, span, from_library, &walk.by_path)?;
        if let Some(&known) = walk.by_path.get(&path) {
            if let Some(position) = walk.stack.iter().position(|&id| id == known) {
                self.report_circle(walk, position, span);
                return None;
            }
            return Some(known);
        }
        if walk.stack.len() >= MAX_DEPTH || graph.files.len() >= MAX_FILES {
            let what = if walk.stack.len() >= MAX_DEPTH {
                format!("includes nest deeper than {MAX_DEPTH}")
            } else {
                format!("more than {MAX_FILES} files are included")
            };
            self.diagnostics.push(Diagnostic::new(Code::E014, span, what).help("include fewer files, or join some"));
            return None;
        }
        Some(self.add(graph, walk, name, path, text))
    }

    /// The file that an include names: the name to show, the path that identifies it, and the content; no content of one that is
    /// known, which is read once however often it is named.
    fn named_file(
        &mut self,
        include: &ast::Include,
        span: Span,
        from_library: bool,
        known: &HashMap<PathBuf, FileId>,
    ) -> Option<(String, PathBuf, Text)> {
        let written = &include.path.text;
        if !include.library && !from_library {
            return self.find(written, span, known);
        }
        let name = written.strip_suffix(".kpol").unwrap_or(written);
        if let Some(new) = library::renamed(name) {
            self.diagnostics.push(
                Diagnostic::new(Code::W026, span, format!("`<{name}>` is the old name of `<{new}>`"))
                    .help("a profile can be built: what is included is called a base or a guard")
                    .safe_fix(format!("replace it by `<{new}>`"), span, format!("<{new}>")),
            );
        }
        let name = library::renamed(name).unwrap_or(name);
        if let Some(file) = library::get(name) {
            let name = format!("<{}>", file.name);
            return Some((name.clone(), PathBuf::from(name), Text::Library(file.text)));
        }
        let otherwise =
            format!("it has {}", library::includable().map(|file| file.name).collect::<Vec<_>>().join(", "));
        let near = library::near(name);
        let diagnostic = Diagnostic::new(Code::E012, span, format!("the library has no file `{name}`"));
        self.diagnostics.push(with_near(diagnostic, span, near, |near| format!("<{near}>"), &otherwise));
        None
    }

    /// Looks for a file beside the including one, then in each include directory.
    fn find(&mut self, written: &str, span: Span, known: &HashMap<PathBuf, FileId>) -> Option<(String, PathBuf, Text)> {
        let including = PathBuf::from(&self.sources.get(span.file).name);
        let beside = including.parent().map(Path::to_path_buf).unwrap_or_default();
        let mut tried = Vec::new();
        for folder in std::iter::once(&beside).chain(self.include_dirs) {
            let candidate = folder.join(written);
            let canonical = self.loader.canonical(&candidate).ok();
            if let Some(path) = canonical.as_ref().filter(|path| known.contains_key(*path)) {
                return Some((candidate.display().to_string(), path.clone(), Text::Bytes(Vec::new())));
            }
            match self.loader.read(&candidate, MAX_INCLUDE) {
                Ok(bytes) => {
                    let path = canonical.unwrap_or_else(|| candidate.clone());
                    return Some((candidate.display().to_string(), path, Text::Bytes(bytes)));
                }
                Err(LoadError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => tried.push(candidate),
                Err(error) => {
                    self.diagnostics.push(load_diagnostic(
                        Some(span),
                        &candidate.display().to_string(),
                        &error,
                        MAX_INCLUDE,
                    ));
                    return None;
                }
            }
        }
        let looked: Vec<String> = tried.iter().map(|path| format!("`{}`", path.display())).collect();
        let diagnostic = Diagnostic::new(Code::E012, span, format!("there is no file `{written}`"))
            .note(format!("looked for {}", looked.join(", ")));
        let near = self.near_file(&beside, written);
        let name = written.strip_suffix(".kpol").unwrap_or(written);
        self.diagnostics.push(if library::get(library::renamed(name).unwrap_or(name)).is_some() {
            let name = library::renamed(name).unwrap_or(name);
            diagnostic.help(format!("the library has it: `include <{name}>`")).fix(
                format!("replace it by `<{name}>`"),
                span,
                format!("<{name}>"),
            )
        } else {
            let otherwise = "a path is relative to the file that names it; give other folders by `-I DIR`";
            with_near(diagnostic, span, near.as_deref(), |near| format!("\"{near}\""), otherwise)
        });
        None
    }

    /// The policy that somebody means who writes a path that leads nowhere: of those in the same folder, the one with the nearest name.
    fn near_file(&self, beside: &Path, written: &str) -> Option<String> {
        let path = Path::new(written);
        let wanted = path.file_name()?.to_str()?;
        let names = self.loader.policies(&beside.join(path.parent()?));
        let near = did_you_mean(wanted, names.iter().map(String::as_str))?;
        Some(path.with_file_name(near).to_str()?.to_owned())
    }

    fn report_circle(&mut self, walk: &Walk, position: usize, span: Span) {
        let names: Vec<String> = walk.stack[position..]
            .iter()
            .chain([&walk.stack[position]])
            .map(|id| format!("`{}`", self.sources.get(*id).name))
            .collect();
        self.diagnostics.push(
            Diagnostic::new(Code::E013, span, format!("circular include: {}", names.join(" includes ")))
                .label("this closes the circle")
                .help("move what both files need into a third one"),
        );
    }

    /// Adds the library files of all built-in groups that are named, also by built-in groups.
    fn add_builtin_groups(&mut self, graph: &mut Graph) {
        let mut next = 0;
        let mut loaded = HashSet::new();
        while next < graph.files.len() {
            let mut wanted = BTreeMap::new();
            builtin_groups(&graph.files[next].tree.statements, &mut wanted);
            next += 1;
            for file in wanted.into_values() {
                if !loaded.insert(file.name) {
                    continue;
                }
                let path = PathBuf::from(format!("<{}>", file.name));
                if graph.files.iter().any(|known| self.sources.get(known.id).path == path) {
                    continue;
                }
                let mut walk = Walk::default();
                self.add(graph, &mut walk, path.display().to_string(), path.clone(), Text::Library(file.text));
            }
        }
    }
}

/// What is on the way while includes are followed.
#[derive(Default)]
struct Walk {
    by_path: HashMap<PathBuf, FileId>,
    stack: Vec<FileId>,
}

/// A profile to compare with.
pub enum Profile {
    /// In kpol.
    Kpol(Graph),
    /// In the runtimes' JSON.
    Json {
        /// As shown to the user.
        name: String,
        /// The text.
        text: Arc<str>,
        /// Its place among the sources.
        id: FileId,
    },
}

enum Text {
    Library(&'static str),
    Bytes(Vec<u8>),
}

/// Text, or what makes it none: where, and what it is.
fn decode(bytes: Vec<u8>) -> (Arc<str>, Option<(usize, &'static str)>) {
    // `contains` looks at many bytes at once; nearly always there is none.
    if bytes.contains(&0) {
        let offset = bytes.iter().position(|&byte| byte == 0).unwrap_or(0);
        return (String::from_utf8_lossy(&bytes).into(), Some((offset, "a NUL byte")));
    }
    match String::from_utf8(bytes) {
        Ok(text) => (text.into(), None),
        Err(error) => {
            let offset = error.utf8_error().valid_up_to();
            // Text up to there is kept whole, so that offsets stay right.
            (String::from_utf8_lossy(error.as_bytes()).into(), Some((offset, "invalid UTF-8")))
        }
    }
}

/// Names that broken statements begin to define: who names them makes no mistake of his own.
fn lost_names(text: &str, statements: &[Statement], lost: &mut HashSet<String>) {
    for statement in statements {
        match &statement.kind {
            StatementKind::Broken => {
                let words = &text[statement.span.range()];
                let Some((keyword, rest)) = words.split_once(char::is_whitespace) else { continue };
                let rest = rest.trim_start();
                let is_name = |letter: char| letter.is_ascii_alphanumeric() || "@_-".contains(letter);
                let end = rest.find(|letter| !is_name(letter)).unwrap_or(rest.len());
                match keyword {
                    "group" => lost.insert(format!("@{}", rest[..end].trim_start_matches('@'))),
                    "const" | "syscall" => lost.insert(rest[..end].to_owned()),
                    _ => false,
                };
            }
            StatementKind::When { body, .. } => lost_names(text, body, lost),
            _ => {}
        }
    }
}

fn not_a_text(span: Span, what: &str) -> Diagnostic {
    Diagnostic::new(Code::E004, span, format!("this is not a text file: {what} at byte {}", span.bytes.start))
        .help("kpol files are UTF-8 text")
}

/// Built-in groups by name, with the files that define them.
type BuiltinGroups = BTreeMap<&'static str, &'static LibraryFile>;

fn builtin_groups(statements: &[Statement], names: &mut BuiltinGroups) {
    fn patterns(list: &[ast::Pattern], names: &mut BuiltinGroups) {
        for pattern in list {
            if let PatternKind::Group(name) = &pattern.kind {
                names.extend(library::group(&name.text));
            }
            patterns(&pattern.except, names);
        }
    }
    for statement in statements {
        match &statement.kind {
            StatementKind::Group { patterns: list, .. } | StatementKind::Rule { patterns: list, .. } => {
                patterns(list, names);
            }
            StatementKind::When { body, .. } => builtin_groups(body, names),
            StatementKind::Assert { claims, .. } => {
                for claim in claims {
                    patterns(&claim.patterns, names);
                }
            }
            _ => {}
        }
    }
}

/// Adds "did you mean", with a fix where it was a slip of the keys, or other help where nothing is near.
pub(crate) fn with_offer(diagnostic: Diagnostic, span: Span, offer: Option<&Offer>, otherwise: &str) -> Diagnostic {
    let Some(Offer { names, slip }) = offer else {
        return if otherwise.is_empty() { diagnostic } else { diagnostic.help(otherwise) };
    };
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let quoted: Vec<&str> = quoted.iter().map(String::as_str).collect();
    let diagnostic = diagnostic.help(format!("did you mean {}?", one_of(&quoted)));
    match names.first().filter(|_| *slip) {
        Some(name) => diagnostic.fix(format!("replace it by `{name}`"), span, name),
        // Further than a slip of the keys, or one of several: a hint, since nobody knows which call or value is meant.
        None => diagnostic,
    }
}

/// Adds "did you mean" and its fix for words of which there are few, or other help where nothing is near.
pub(crate) fn with_near(
    diagnostic: Diagnostic,
    span: Span,
    near: Option<&str>,
    write: impl Fn(&str) -> String,
    otherwise: &str,
) -> Diagnostic {
    match near {
        Some(near) => {
            let text = write(near);
            diagnostic.help(format!("did you mean `{near}`?")).fix(format!("replace it by `{text}`"), span, text)
        }
        None if otherwise.is_empty() => diagnostic,
        None => diagnostic.help(otherwise),
    }
}

/// That a file which was named outside of any policy cannot be read: E010, or E011 where it is larger than `limit` bytes.
pub fn unreadable(path: &Path, error: &LoadError, limit: u64) -> Diagnostic {
    load_diagnostic(None, &path.display().to_string(), error, limit)
}

fn load_diagnostic(named: Option<Span>, name: &str, error: &LoadError, limit: u64) -> Diagnostic {
    let make = |code, message: String| match named {
        Some(span) => Diagnostic::new(code, span, message),
        None => Diagnostic::without_place(code, message),
    };
    match error {
        LoadError::Io(error) => make(Code::E010, format!("cannot read `{name}`: {}", io_words(error))),
        LoadError::NotAFile(what) => {
            make(Code::E010, format!("`{name}` is {what}")).help("only regular files can be read")
        }
        LoadError::TooLarge(size) => {
            let size = size.map_or_else(String::new, |size| format!(" of {size} bytes"));
            make(Code::E011, format!("`{name}` is too large: a file{size}, and {limit} are allowed"))
                .help("is it a policy at all? split it into files that are included")
        }
    }
}

/// The operating system's words without its number.
pub fn io_words(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// What is wrong with the text of a file, as findings of the file `id`: its mistakes, or one finding where it is no policy at all.
pub fn syntax_diagnostics(id: FileId, text: &str, tree: &super::Tree) -> Vec<Diagnostic> {
    let broken = |statement: &Statement| matches!(statement.kind, StatementKind::Broken);
    // Where most mistakes are slips, somebody wrote rules.
    let slips = tree.errors.iter().filter(|error| error.fix.is_some()).count();
    let json = text.trim_start().starts_with(['{', '[']);
    let least = if json { 1 } else { NO_POLICY };
    if tree.errors.len() >= least && tree.file.statements.iter().all(broken) && slips * 2 < tree.errors.len() {
        let message =
            if json { "this is JSON, not a policy" } else { "this is no policy: not one statement can be read" };
        let start = text.len() - text.trim_start().len();
        let line = text[start..].lines().next().map_or(0, str::len);
        let place = Span { file: id, bytes: ast::Span::new(start, start + line) };
        return vec![Diagnostic::new(Code::E009, place, message).help(if json {
            "`kpolc import` makes a policy of a runtime's JSON; `within \"FILE.json\"` compares with it"
        } else {
            "name a file of rules, such as `allow { read }`"
        })];
    }
    tree.errors.iter().cloned().map(|error| syntax_diagnostic(id, error)).collect()
}

fn syntax_diagnostic(file: FileId, error: SyntaxError) -> Diagnostic {
    let code = match error.kind {
        SyntaxErrorKind::Unexpected => Code::E001,
        SyntaxErrorKind::Unclosed => Code::E002,
        SyntaxErrorKind::TooDeep => Code::E003,
        SyntaxErrorKind::UnknownStatement => Code::E005,
        SyntaxErrorKind::BadNumber => Code::E006,
        SyntaxErrorKind::BadName => Code::E007,
    };
    let place = |bytes| Span { file, bytes };
    Diagnostic {
        code,
        severity: Severity::Error,
        message: error.message,
        primary: Some(Label { span: place(error.span), text: String::new() }),
        related: error.related.into_iter().map(|(span, text)| Label { span: place(span), text }).collect(),
        help: error.help,
        notes: Vec::new(),
        fix: error.fix.map(|(title, span, text)| Fix {
            title,
            edits: vec![Edit { span: place(span), text }],
            safety: match error.kind {
                // A name is guessed.
                SyntaxErrorKind::UnknownStatement | SyntaxErrorKind::BadName => Safety::Unsafe,
                _ => Safety::Safe,
            },
        }),
    }
}
