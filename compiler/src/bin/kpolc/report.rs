//! Findings of many inputs as one: each once, however many profiles include the file that it is in.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kpol_compiler::diagnostic::render::{Counts, concise, github, gitlab, json, sarif, terminal};
use kpol_compiler::diagnostic::{Code, Diagnostic, FileId, INCLUDED, Severity, Span};
use kpol_compiler::source::Sources;

use crate::ui::{Format, Status, Trouble, Ui};

/// Collects; see [`Report::print`].
#[derive(Debug, Default)]
pub struct Report {
    sources: Sources,
    ids: BTreeMap<(PathBuf, Arc<str>), FileId>,
    diagnostics: Vec<Diagnostic>,
    seen: HashSet<Identity>,
    /// How many inputs had findings, be it in a file that they include.
    found_in: usize,
}

/// What makes two findings one: all places and facts. Two profiles that disagree with one line of a library are two.
type Identity = (Code, Vec<Span>, String, Vec<String>);

/// Where the findings go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The forms for programs are what the command was asked for: to stdout.
    Asked,
    /// stdout belongs to products: all to stderr.
    Aside,
}

impl Report {
    /// The findings of one input, with the sources that they speak of.
    pub fn add(&mut self, sources: &Sources, diagnostics: Vec<Diagnostic>) {
        let ids: Vec<FileId> = sources
            .iter()
            .map(|(_, file)| {
                let key = (file.path.clone(), Arc::clone(&file.text));
                *self.ids.entry(key).or_insert_with(|| self.sources.add(file.clone()))
            })
            .collect();
        self.found_in += usize::from(!diagnostics.is_empty());
        for mut diagnostic in diagnostics {
            for span in spans(&mut diagnostic) {
                if let Some(&id) = ids.get(span.file.0 as usize) {
                    span.file = id;
                }
            }
            self.push(diagnostic);
        }
    }

    /// A finding that is in no file.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        // Which of many files includes it makes no difference.
        let others = diagnostic.related.iter().filter(|label| label.text != INCLUDED);
        let places = diagnostic.primary.iter().chain(others).map(|label| label.span).collect();
        if self.seen.insert((diagnostic.code, places, diagnostic.message.clone(), diagnostic.notes.clone())) {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Every finding.
    pub fn findings(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// What it comes to.
    pub fn status(&self) -> Status {
        self.diagnostics.iter().map(status).max().unwrap_or(Status::Fine)
    }

    /// `2 errors and 1 warning in 3 files`
    pub fn counts(&self) -> Option<String> {
        Counts::of(&self.diagnostics).line()
    }

    /// The same beside the number of files that were looked at: `2 errors in 2 of 5 files`. A finding in a file that several
    /// include counts for each of them.
    pub fn counts_of(&self, files: usize) -> Option<String> {
        let counts = Counts { files: 0, ..Counts::of(&self.diagnostics) }.line()?;
        Some(match self.found_in {
            _ if files <= 1 => counts,
            all if all >= files => format!("{counts} in all {files} files"),
            some => format!("{counts} in {some} of {files} files"),
        })
    }

    /// The start of a file that was read, by the name that it was asked for.
    pub fn start_of(&self, path: &Path) -> Option<Span> {
        let name = path.display().to_string();
        let (file, _) = self.sources.iter().find(|(_, file)| file.name == name)?;
        Some(Span { file, bytes: kpol_grammar::ast::Span::default() })
    }

    /// Prints everything in the form that was asked for.
    pub fn print(&self, ui: &Ui, place: Place) -> Result<(), Trouble> {
        let found = self.diagnostics.as_slice();
        let from_root = match ui.format {
            Format::Sarif | Format::Github | Format::Gitlab => Some(self.named_from_root()),
            _ => None,
        };
        let sources = from_root.as_ref().unwrap_or(&self.sources);
        let text = match ui.format {
            Format::Human => terminal::render(found, sources, ui.style()),
            Format::Json => json::render(found, sources),
            Format::Sarif => sarif::render(found, sources),
            Format::Github => github::render(found, sources),
            Format::Gitlab => gitlab::render(found, sources),
            Format::Concise => concise::render(found, sources),
            Format::Markdown => markdown(&concise::render(found, sources)),
        };
        if ui.format == Format::Human || place == Place::Aside {
            Ui::tell_raw(&text);
            Ok(())
        } else {
            Ui::show(&text)
        }
    }
}

impl Report {
    /// The sources under the names that programs know them by: from the root of the checkout, without `..`, whatever way led there.
    fn named_from_root(&self) -> Sources {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let here = std::env::current_dir().ok();
        let roots: Vec<PathBuf> = [variable("GITHUB_WORKSPACE"), variable("CI_PROJECT_DIR"), here]
            .into_iter()
            .flatten()
            .filter_map(|root| root.canonicalize().ok())
            .collect();
        let mut sources = Sources::default();
        for (_, file) in self.sources.iter() {
            let mut file = file.clone();
            if !file.name.starts_with('<')
                && let Some(below) = roots.iter().find_map(|root| file.path.strip_prefix(root).ok())
            {
                file.name = below.display().to_string();
            }
            sources.add(file);
        }
        sources
    }
}

/// A line a finding, as a list.
fn markdown(lines: &str) -> String {
    lines.lines().map(|line| format!("- {line}\n")).collect()
}

fn spans(diagnostic: &mut Diagnostic) -> impl Iterator<Item = &mut Span> {
    let labels = diagnostic.primary.iter_mut().chain(&mut diagnostic.related).map(|label| &mut label.span);
    let edits = diagnostic.fix.iter_mut().flat_map(|fix| &mut fix.edits).map(|edit| &mut edit.span);
    labels.chain(edits)
}

/// The exit status that one finding asks for.
pub fn status(diagnostic: &Diagnostic) -> Status {
    match (diagnostic.severity, diagnostic.code) {
        (Severity::Warning, _) => Status::Fine,
        (_, Code::E010 | Code::E011 | Code::E060 | Code::E061 | Code::E062 | Code::E070) => Status::Trouble,
        (_, Code::E099) => Status::Internal,
        _ => Status::Findings,
    }
}
