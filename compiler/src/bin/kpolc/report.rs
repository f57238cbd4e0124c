//! Findings of many inputs as one: each once, however many profiles include the file that it is in.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use kpol_compiler::diagnostic::render::{Counts, concise, github, gitlab, json, sarif, terminal};
use kpol_compiler::diagnostic::{Code, Diagnostic, FileId, Severity, Span};
use kpol_compiler::source::Sources;

use crate::ui::{Format, Status, Trouble, Ui};

/// Collects; see [`Report::print`].
#[derive(Debug, Default)]
pub struct Report {
    sources: Sources,
    ids: BTreeMap<(PathBuf, Arc<str>), FileId>,
    diagnostics: Vec<Diagnostic>,
    seen: HashSet<(Code, Option<Span>, String)>,
}

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
        let place = diagnostic.primary.as_ref().map(|label| label.span);
        if self.seen.insert((diagnostic.code, place, diagnostic.message.clone())) {
            self.diagnostics.push(diagnostic);
        }
    }

    /// What it comes to.
    pub fn status(&self) -> Status {
        self.diagnostics.iter().map(status).max().unwrap_or(Status::Fine)
    }

    /// `2 errors and 1 warning in 3 files`
    pub fn counts(&self) -> Option<String> {
        Counts::of(&self.diagnostics).line()
    }

    /// Prints everything in the form that was asked for.
    pub fn print(&self, ui: &Ui, place: Place) -> Result<(), Trouble> {
        let (found, sources) = (self.diagnostics.as_slice(), &self.sources);
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
