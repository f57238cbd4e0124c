//! Completion and signatures for the client.

use kpol_grammar::ast::Span;
use tower_lsp_server::ls_types::{
    CompletionItem, CompletionItemKind, CompletionList, CompletionTextEdit, Documentation, InsertReplaceEdit,
    InsertTextFormat, ParameterInformation, ParameterLabel, SignatureHelp, SignatureInformation, TextEdit, Uri,
};

use super::{View, markup};
use crate::answer::completion::{Completion, Item, Kind};
use crate::answer::signature::Signature;
use crate::facts::Facts;

/// Completions; their documentation comes when one is looked at.
pub fn completions(view: View<'_>, facts: &Facts, uri: &Uri, found: Completion) -> CompletionList {
    let word = view.range(found.word);
    let insert = view.range(Span { start: found.word.start, end: found.offset });
    let edit = |new_text: String| match facts.insert_replace {
        true => CompletionTextEdit::InsertAndReplace(InsertReplaceEdit { new_text, insert, replace: word }),
        false => CompletionTextEdit::Edit(TextEdit { range: word, new_text }),
    };
    let one = |(index, item): (usize, Item)| {
        let snippet = item.kind == Kind::Snippet && facts.snippets;
        let text = match (&item.insert, item.kind) {
            (Some(text), Kind::Snippet) => {
                if snippet {
                    text.clone()
                } else {
                    item.label.clone()
                }
            }
            (Some(text), _) => text.clone(),
            (None, _) => item.label.clone(),
        };
        let resolves = matches!(item.kind, Kind::Syscall | Kind::Group | Kind::Constant | Kind::Action);
        CompletionItem {
            kind: Some(picture(item.kind)),
            detail: Some(item.detail).filter(|detail| !detail.is_empty()),
            sort_text: Some(format!("{index:05}")),
            filter_text: Some(text.clone()).filter(|text| *text != item.label && !snippet),
            insert_text_format: snippet.then_some(InsertTextFormat::SNIPPET),
            text_edit: Some(edit(text)),
            data: resolves.then(|| serde_json::json!({ "uri": uri.as_str(), "kind": name(item.kind) })),
            label: item.label,
            ..CompletionItem::default()
        }
    };
    let items = found.items.into_iter().enumerate().map(one).collect();
    CompletionList { is_incomplete: found.incomplete, items }
}

/// Which file an item was offered in, and what it is.
pub fn offered(item: &CompletionItem) -> Option<(String, Kind)> {
    let data = item.data.as_ref()?;
    let kind = match data.get("kind")?.as_str()? {
        "syscall" => Kind::Syscall,
        "group" => Kind::Group,
        "constant" => Kind::Constant,
        "action" => Kind::Action,
        _ => return None,
    };
    Some((data.get("uri")?.as_str()?.to_owned(), kind))
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Syscall => "syscall",
        Kind::Group => "group",
        Kind::Action => "action",
        _ => "constant",
    }
}

/// The documentation of an item.
pub fn documentation(text: String, facts: &Facts) -> Documentation {
    Documentation::MarkupContent(markup(text, facts.markdown_completion))
}

fn picture(kind: Kind) -> CompletionItemKind {
    match kind {
        Kind::Keyword | Kind::Action => CompletionItemKind::KEYWORD,
        Kind::Snippet => CompletionItemKind::SNIPPET,
        Kind::Syscall => CompletionItemKind::FUNCTION,
        Kind::Group => CompletionItemKind::CLASS,
        Kind::Parameter => CompletionItemKind::FIELD,
        Kind::Constant | Kind::Errno | Kind::Capability => CompletionItemKind::CONSTANT,
        Kind::Arch | Kind::Flag => CompletionItemKind::ENUM_MEMBER,
        Kind::File => CompletionItemKind::FILE,
        Kind::Folder => CompletionItemKind::FOLDER,
        Kind::Type => CompletionItemKind::TYPE_PARAMETER,
    }
}

/// A prototype.
pub fn signature(facts: &Facts, found: Signature) -> SignatureHelp {
    let offsets = |range: &std::ops::Range<usize>| {
        // Prototypes are ASCII: bytes are UTF-16 units.
        let narrow = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        match facts.label_offsets {
            true => ParameterLabel::LabelOffsets([narrow(range.start), narrow(range.end)]),
            false => ParameterLabel::Simple(found.label[range.clone()].to_owned()),
        }
    };
    let parameters =
        found.parameters.iter().map(|range| ParameterInformation { label: offsets(range), documentation: None });
    let active = found.active.and_then(|index| u32::try_from(index).ok());
    let signature = SignatureInformation {
        parameters: Some(parameters.collect()),
        label: found.label.clone(),
        documentation: None,
        active_parameter: active,
    };
    SignatureHelp { signatures: vec![signature], active_signature: Some(0), active_parameter: active }
}
