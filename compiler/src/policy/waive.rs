//! `waive`: an assertion of an included file that the profile need not hold, with the reason.
//!
//! ```text
//! include <guard/default>                                        asserts "no chroot", "no tracing", …
//! allow { chroot }                                               breaks the first
//! waive "no chroot" because "sshd puts its child into a cage"    says so: no E042 for this one, all others as ever
//! ```
//!
//! Guards are worth something as long as nobody forgets them. So a waiver stands in the profile that is built, where its
//! reviewer sees it, and never in what it includes; it names one assertion whole, by title; `kpol.toml` may bound which can be
//! waived. Every summary lists the waivers.
//!
//! INVARIANT: a waiver takes away the finding E042 of its assertion and nothing else. What cannot be proven is an error still.

use std::path::{Path, PathBuf};

use kpol_grammar::ast::{self, StatementKind};
use kpol_grammar::did_you_mean;

use crate::diagnostic::{Code, Diagnostic, FileId, Span};
use crate::library;
use crate::resolve::{Assertion, Resolved, Sink};
use crate::source::graph::{Graph, with_near};
use crate::source::{Loader, Sources};

/// Which assertions a project lets its profiles waive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Waivable {
    /// All: nobody has set a bound.
    #[default]
    Any,
    /// Those with these titles (`[waive] allowed` in `kpol.toml`).
    Titles(Vec<String>),
    /// None (`--deny-waivers`).
    None,
}

/// A waiver of a profile that names one assertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    /// The title of the assertion.
    pub title: String,
    /// Why it need not hold.
    pub reason: String,
    /// The file that asserts it, as messages name it.
    pub asserted_by: String,
    /// The same file.
    pub file: FileId,
    /// Place of the waiver.
    pub span: Span,
}

impl Waiver {
    /// `waives "no chroot" of <guard/default>: sshd puts guests into a folder`
    pub fn line(&self) -> String {
        format!("waives \"{}\" of {}: {}", self.title, self.asserted_by, self.reason)
    }

    /// Whether both are about one assertion. Two versions of a policy may lie in two folders, with all that they include.
    pub fn same_assertion(&self, other: &Self) -> bool {
        let name = |waiver: &Self| Path::new(&waiver.asserted_by).file_name().map(std::ffi::OsStr::to_owned);
        self.title == other.title && name(self) == name(other)
    }

    /// Whether it is about that assertion.
    pub fn covers(&self, assertion: &Assertion) -> bool {
        assertion.title == self.title && assertion.title_span.file == self.file
    }
}

/// Who reads the files, and what was read.
pub struct Reading<'a> {
    /// For the paths behind `from`.
    pub loader: &'a dyn Loader,
    /// For their names.
    pub sources: &'a Sources,
    /// Where `include "…"` looks beside the file's own folder.
    pub include_dirs: &'a [PathBuf],
    /// Whether every file could be read to its end: else an assertion may stand in the part that is lost.
    pub whole: bool,
}

/// The waivers of the profile; what is wrong with them goes to `sink`.
pub fn waivers(
    reading: &Reading<'_>,
    resolved: &Resolved,
    graph: &Graph,
    waivable: &Waivable,
    sink: &mut Sink,
) -> Vec<Waiver> {
    let mut found: Vec<Waiver> = Vec::new();
    let Some(root) = graph.files.first() else { return found };
    let asserted = titles(graph);
    for statement in &root.tree.statements {
        let StatementKind::Waive { title, from, reason } = &statement.kind else { continue };
        let span = Span { file: root.id, bytes: title.span };
        if resolved.defaults.is_empty() && reading.whole {
            sink.push(
                Diagnostic::new(Code::E075, span, "a waiver in a file that is no profile")
                    .note("without a `default` this file is there to be included")
                    .help("write the waiver into the profile that is built"),
            );
            continue;
        }
        if reason.text.trim().is_empty() {
            sink.push(
                Diagnostic::new(Code::E077, Span { file: root.id, bytes: reason.span }, "this waiver does not say why")
                    .help("write the reason: who reviews the profile decides by it"),
            );
        }
        let waiver = |title: &str, file: FileId| Waiver {
            title: title.to_owned(),
            reason: reason.text.clone(),
            asserted_by: reading.sources.get(file).name.clone(),
            file,
            span,
        };
        let file = match file_of(reading, graph, title, from.as_ref(), &asserted) {
            Ok(file) => file,
            Err(finding) => {
                finding.into_iter().for_each(|finding| sink.push(*finding));
                continue;
            }
        };
        if let Some(first) = found.iter().find(|known| known.title == title.text && known.file == file) {
            sink.push(
                Diagnostic::new(Code::W035, span, format!("\"{}\" is waived already", title.text))
                    .related(first.span, "here")
                    .help("remove one of the two"),
            );
            continue;
        }
        allowed(waivable, title, span, sink);
        found.push(waiver(&title.text, file));
    }
    found
}

/// Says of a waiver that no call of the profile needs it.
pub fn report_unneeded(waivers: &[Waiver], needed: &[bool], sink: &mut Sink) {
    for (waiver, _) in waivers.iter().zip(needed).filter(|(_, needed)| !**needed) {
        sink.push(
            Diagnostic::new(
                Code::W035,
                waiver.span,
                format!("the assertion \"{}\" holds without a waiver", waiver.title),
            )
            .help("remove the waiver: else it hides the day on which the assertion fails"),
        );
    }
}

/// The assertions of all files: title, file, place of the title.
fn titles(graph: &Graph) -> Vec<(&str, Span)> {
    fn collect<'a>(file: FileId, statements: &'a [ast::Statement], all: &mut Vec<(&'a str, Span)>) {
        for statement in statements {
            match &statement.kind {
                StatementKind::Assert { title, .. } => {
                    all.push((title.text.as_str(), Span { file, bytes: title.span }));
                }
                StatementKind::When { body, .. } => collect(file, body, all),
                _ => {}
            }
        }
    }
    let mut all = Vec::new();
    graph.files.iter().for_each(|file| collect(file.id, &file.tree.statements, &mut all));
    all
}

/// A path as it is written, but for the quotes.
fn shown(path: &ast::Include) -> String {
    if path.library { format!("<{}>", path.path.text) } else { path.path.text.clone() }
}

fn wrong(finding: Diagnostic) -> Option<Box<Diagnostic>> {
    Some(Box::new(finding))
}

/// The included file whose assertion is waived, or what is wrong; nothing where another mistake may be the cause.
fn file_of(
    reading: &Reading<'_>,
    graph: &Graph,
    title: &ast::Name,
    from: Option<&ast::Include>,
    asserted: &[(&str, Span)],
) -> Result<FileId, Option<Box<Diagnostic>>> {
    let root = graph.files[0].id;
    let span = Span { file: root, bytes: title.span };
    let only = match from {
        None => None,
        Some(from) => match named(reading, graph, from) {
            Some(file) => Some(file),
            None if !reading.whole => return Err(None),
            None => {
                let path = shown(from);
                let span = Span { file: root, bytes: from.path.span };
                return Err(wrong(
                    Diagnostic::new(Code::E073, span, format!("this profile does not include `{path}`"))
                        .help("name the file as `include` names it"),
                ));
            }
        },
    };
    let of_title = || asserted.iter().filter(|(known, _)| *known == title.text).map(|(_, place)| *place);
    let mut places: Vec<Span> =
        of_title().filter(|place| place.file != root && only.is_none_or(|only| only == place.file)).collect();
    places.dedup_by_key(|place| place.file);
    match places[..] {
        [place] => Ok(place.file),
        [] if !reading.whole => Err(None),
        [] => {
            let own = of_title().find(|place| place.file == root);
            if let Some(own) = own.filter(|_| only.is_none_or(|only| only == root)) {
                return Err(wrong(
                    Diagnostic::new(
                        Code::E073,
                        span,
                        format!("\"{}\" is an assertion of this profile itself", title.text),
                    )
                    .related(own, "here")
                    .help("a waiver is for what an included file asserts: change the assertion, or remove it"),
                ));
            }
            let others =
                asserted.iter().filter(|(_, place)| place.file != root && only.is_none_or(|only| only == place.file));
            let near = did_you_mean(&title.text, others.map(|(known, _)| *known));
            let message = match from {
                Some(from) => format!("`{}` has no assertion \"{}\"", shown(from), title.text),
                None => format!("no included file asserts \"{}\"", title.text),
            };
            let diagnostic = Diagnostic::new(Code::E073, span, message);
            let otherwise = "`kpolc show` lists the assertions of a profile";
            Err(wrong(with_near(diagnostic, span, near, |near| format!("\"{near}\""), otherwise)))
        }
        _ => {
            let mut diagnostic =
                Diagnostic::new(Code::E074, span, format!("{} files assert \"{}\"", places.len(), title.text));
            for &place in &places {
                diagnostic = diagnostic.related(place, "here");
            }
            let first = &reading.sources.get(places[0].file).name;
            let path = if first.starts_with('<') { first.clone() } else { format!("\"{first}\"") };
            Err(wrong(diagnostic.help(format!("say which: `waive \"{}\" from {path} because \"…\"`", title.text))))
        }
    }
}

/// The file of the graph that a path means, as `include` in the first file means it.
fn named(reading: &Reading<'_>, graph: &Graph, path: &ast::Include) -> Option<FileId> {
    let written = &path.path.text;
    let of_path = |wanted: &Path| {
        let same = |id: &FileId| reading.sources.get(*id).path == wanted;
        graph.files.iter().map(|file| file.id).find(same)
    };
    if path.library {
        let name = written.strip_suffix(".kpol").unwrap_or(written);
        let name = library::renamed(name).unwrap_or(name);
        return of_path(&PathBuf::from(format!("<{name}>")));
    }
    let root = PathBuf::from(&reading.sources.get(graph.files[0].id).name);
    let beside = root.parent().map(Path::to_path_buf).unwrap_or_default();
    std::iter::once(&beside).chain(reading.include_dirs).find_map(|folder| {
        let candidate = folder.join(written);
        let path = reading.loader.canonical(&candidate).unwrap_or(candidate);
        of_path(&path)
    })
}

fn allowed(waivable: &Waivable, title: &ast::Name, span: Span, sink: &mut Sink) {
    let note = match waivable {
        Waivable::Any => return,
        Waivable::Titles(titles) if titles.contains(&title.text) => return,
        Waivable::Titles(titles) if titles.is_empty() => "`[waive] allowed` in kpol.toml is empty".to_owned(),
        Waivable::Titles(titles) => {
            let titles: Vec<String> = titles.iter().map(|title| format!("\"{title}\"")).collect();
            format!("`[waive] allowed` in kpol.toml has {}", titles.join(", "))
        }
        Waivable::None => "`--deny-waivers` allows none".to_owned(),
    };
    sink.push(
        Diagnostic::new(Code::E076, span, format!("\"{}\" may not be waived here", title.text))
            .note(note)
            .help("change the rules so that the assertion holds, or ask those who keep the guard"),
    );
}
