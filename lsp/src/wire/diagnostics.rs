//! Findings for the client.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

use kpol_compiler::diagnostic::{Code, Severity};
use tower_lsp_server::ls_types::{
    CodeDescription, Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, DiagnosticTag,
    DocumentDiagnosticReport, DocumentDiagnosticReportKind, DocumentDiagnosticReportResult,
    FullDocumentDiagnosticReport, NumberOrString, RelatedFullDocumentDiagnosticReport,
    RelatedUnchangedDocumentDiagnosticReport, UnchangedDocumentDiagnosticReport, Uri,
};

use super::{View, location, uri};
use crate::facts::Facts;
use crate::pages;
use crate::snapshot::Snapshot;
use crate::world::{Finding, World};

/// What is said of one file.
#[derive(Debug, Clone)]
pub struct Said {
    /// The file.
    pub path: PathBuf,
    /// The client's name for it.
    pub uri: Uri,
    /// The version that it is said of, where the file is open.
    pub version: Option<i32>,
    /// All of it.
    pub diagnostics: Vec<Diagnostic>,
}

/// The findings of a file in the client's words; `None` where the client has no name for it.
pub fn published(
    world: &World,
    snapshot: &Snapshot,
    facts: &Facts,
    path: PathBuf,
    findings: &[Finding],
) -> Option<Said> {
    // Without a finding no copy of the library is made only to say so.
    if pages::is_library(&path) && snapshot.document(&path).is_none() {
        return None;
    }
    let document = snapshot.document(&path);
    let unit = if findings.is_empty() { None } else { world.unit(snapshot, &path) };
    let view = match (&unit, document) {
        (Some(unit), _) => Some(View::of(unit, snapshot)),
        (None, Some(document)) => {
            Some(View { text: &document.text, lines: &document.lines, encoding: snapshot.encoding })
        }
        (None, None) => None,
    };
    let diagnostics = match view {
        Some(view) => findings.iter().map(|finding| one(world, snapshot, facts, view, finding)).collect(),
        None => Vec::new(),
    };
    Some(Said { uri: uri(snapshot, &path)?, version: document.map(|document| document.version), path, diagnostics })
}

/// A finding.
pub(super) fn one(world: &World, snapshot: &Snapshot, facts: &Facts, view: View<'_>, finding: &Finding) -> Diagnostic {
    let related = finding.related.iter().filter_map(|(place, text)| {
        let message = if text.is_empty() { "here".to_owned() } else { text.clone() };
        Some(DiagnosticRelatedInformation { location: location(world, snapshot, place)?, message })
    });
    let page = facts.code_description.then(|| pages::code(finding.code)).flatten();
    Diagnostic {
        range: view.range(finding.span),
        severity: Some(match finding.severity {
            Severity::Error => DiagnosticSeverity::ERROR,
            Severity::Warning => DiagnosticSeverity::WARNING,
        }),
        code: Some(NumberOrString::String(finding.code.as_str().to_owned())),
        code_description: page.and_then(Uri::from_file_path).map(|href| CodeDescription { href }),
        source: Some("kpol".to_owned()),
        message: finding.message.clone(),
        related_information: facts
            .related_information
            .then(|| related.collect())
            .filter(|all: &Vec<_>| !all.is_empty()),
        tags: facts.tags.then(|| tags(finding.code)).flatten(),
        data: None,
    }
}

/// Unused things are greyed, what is old is struck through.
fn tags(code: Code) -> Option<Vec<DiagnosticTag>> {
    match code {
        Code::W001 | Code::W002 | Code::W012 | Code::W013 | Code::W014 | Code::W016 | Code::W017 => {
            Some(vec![DiagnosticTag::UNNECESSARY])
        }
        Code::W010 => Some(vec![DiagnosticTag::DEPRECATED]),
        _ => None,
    }
}

/// The answer to a client that pulls. A result is known by what it says, so what was said before is known without
/// being kept.
pub fn pulled(said: Vec<Said>, previous: Option<&str>) -> DocumentDiagnosticReportResult {
    let mut said = said.into_iter();
    let items = said.next().map(|file| file.diagnostics).unwrap_or_default();
    let id = known_by(&items);
    let related = said.map(|file| {
        let result_id = Some(known_by(&file.diagnostics));
        let report = FullDocumentDiagnosticReport { result_id, items: file.diagnostics };
        (file.uri, DocumentDiagnosticReportKind::Full(report))
    });
    let related_documents = Some(related.collect()).filter(|all: &std::collections::HashMap<_, _>| !all.is_empty());
    DocumentDiagnosticReportResult::Report(if previous == Some(id.as_str()) {
        DocumentDiagnosticReport::Unchanged(RelatedUnchangedDocumentDiagnosticReport {
            related_documents,
            unchanged_document_diagnostic_report: UnchangedDocumentDiagnosticReport { result_id: id },
        })
    } else {
        DocumentDiagnosticReport::Full(RelatedFullDocumentDiagnosticReport {
            related_documents,
            full_document_diagnostic_report: FullDocumentDiagnosticReport { result_id: Some(id), items },
        })
    })
}

fn known_by(diagnostics: &[Diagnostic]) -> String {
    let mut hasher = DefaultHasher::new();
    serde_json::to_string(diagnostics).unwrap_or_default().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
