//! Changes of several files at once.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use kpol_grammar::ast::Span;
use tower_lsp_server::ls_types::{
    DocumentChanges, OneOf, OptionalVersionedTextDocumentIdentifier, TextDocumentEdit, TextEdit, Uri, WorkspaceEdit,
};

use super::{View, uri};
use crate::facts::Facts;
use crate::pages;
use crate::snapshot::Snapshot;
use crate::world::{Place, World};

/// Edits of files; with the versions that they are meant for, where the client can read that. `None` if a file cannot be
/// changed: nothing is better than half.
pub fn workspace_edit(
    world: &World,
    snapshot: &Snapshot,
    facts: &Facts,
    edits: Vec<(Place, String)>,
) -> Option<WorkspaceEdit> {
    let mut by_file: BTreeMap<PathBuf, Vec<(Span, String)>> = BTreeMap::new();
    for (place, text) in edits {
        by_file.entry(place.path).or_default().push((place.span, text));
    }
    let mut changes: Vec<(Uri, Option<i32>, Vec<TextEdit>)> = Vec::new();
    for (path, edits) in by_file {
        if pages::is_library(&path) {
            return None;
        }
        let unit = world.unit(snapshot, &path)?;
        let version = snapshot.document(&path).map(|document| document.version);
        changes.push((uri(snapshot, &path)?, version, super::edits(View::of(&unit, snapshot), edits)));
    }
    if !facts.document_changes {
        let changes: HashMap<Uri, Vec<TextEdit>> = changes.into_iter().map(|(uri, _, edits)| (uri, edits)).collect();
        return Some(WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() });
    }
    let edits = changes.into_iter().map(|(uri, version, edits)| TextDocumentEdit {
        text_document: OptionalVersionedTextDocumentIdentifier { uri, version },
        edits: edits.into_iter().map(OneOf::Left).collect(),
    });
    let document_changes = Some(DocumentChanges::Edits(edits.collect()));
    Some(WorkspaceEdit { document_changes, ..WorkspaceEdit::default() })
}
