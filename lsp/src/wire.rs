//! Between plain values and the protocol's types: offsets become lines and columns, paths become URIs.
//!
//! ```text
//! /p/web.kpol, bytes 13..17   ⇄   file:///p/web.kpol, 1:2 … 1:6 in the client's columns
//! ```

mod actions;
mod completion;
mod diagnostics;
mod edits;
mod tokens;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use kpol_grammar::ast::Span;
use kpol_grammar::lines::{self, Encoding, Lines};
use tower_lsp_server::ls_types::{
    DocumentSymbol, FoldingRange, FoldingRangeKind, GotoDefinitionResponse, InlayHint, InlayHintLabel, Location,
    LocationLink, MarkupContent, MarkupKind, Position, Range, SelectionRange, SymbolInformation, SymbolKind, TextEdit,
    Uri,
};

pub use actions::{
    COMMANDS, about, action_kinds, actions, call_item, call_node, call_ranges, command, lens, lens_of, symbol,
};
pub use completion::{completions, documentation, offered, signature};
pub use diagnostics::{Said, published, pulled};
pub use edits::workspace_edit;
pub use tokens::{difference, encode, legend};

use crate::answer::hints::Hint;
use crate::answer::{folding, symbols};
use crate::facts::Facts;
use crate::pages;
use crate::snapshot::Snapshot;
use crate::unit::Unit;
use crate::world::{Place, World};

/// A text as the client sees it.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The text.
    pub text: &'a str,
    /// Its lines.
    pub lines: &'a Lines,
    /// How columns are counted.
    pub encoding: Encoding,
}

impl<'a> View<'a> {
    /// The view of a unit.
    pub fn of(unit: &'a Unit, snapshot: &Snapshot) -> Self {
        Self { text: &unit.text, lines: &unit.lines, encoding: snapshot.encoding }
    }

    /// Where an offset is.
    pub fn position(&self, offset: u32) -> Position {
        let position = self.lines.position(self.text, offset, self.encoding);
        Position { line: position.line, character: position.column }
    }

    /// Where a span is.
    pub fn range(&self, span: Span) -> Range {
        Range { start: self.position(span.start), end: self.position(span.end) }
    }

    /// The offset of a place; one outside of the text is the nearest inside.
    pub fn offset(&self, at: Position) -> u32 {
        self.lines.offset(self.text, position(at), self.encoding)
    }

    /// The span of a range, whichever way round it is.
    pub fn span(&self, range: Range) -> Span {
        let (start, end) = (self.offset(range.start), self.offset(range.end));
        Span { start: start.min(end), end: start.max(end) }
    }
}

/// A place in the grammar's words.
pub fn position(at: Position) -> lines::Position {
    lines::Position { line: at.line, column: at.character }
}

/// The name that the client has for a path, or would have.
pub fn uri(snapshot: &Snapshot, path: &Path) -> Option<Uri> {
    if let Some(document) = snapshot.document(path) {
        return Uri::from_str(&document.uri).ok();
    }
    match pages::library_file(path) {
        Some(copy) => Uri::from_file_path(copy),
        None if path.is_absolute() => Uri::from_file_path(path),
        None => None,
    }
}

/// The path that a name is on the disk, if it is on one.
pub fn disk_path(uri: &Uri) -> Option<PathBuf> {
    if !uri.scheme().as_str().eq_ignore_ascii_case("file") {
        return None;
    }
    uri.to_file_path().map(|path| path.into_owned()).filter(|path| path.is_absolute())
}

/// A place for the client.
pub fn location(world: &World, snapshot: &Snapshot, place: &Place) -> Option<Location> {
    let unit = world.unit(snapshot, &place.path)?;
    Some(Location { uri: uri(snapshot, &place.path)?, range: View::of(&unit, snapshot).range(place.span) })
}

/// Where a name is defined: with the whole statement, for clients that show it.
pub fn definitions(
    world: &World,
    snapshot: &Snapshot,
    facts: &Facts,
    origin: Range,
    found: &[(Place, Span)],
) -> Option<GotoDefinitionResponse> {
    let links = found.iter().filter_map(|(place, whole)| {
        let location = location(world, snapshot, place)?;
        let whole = self::location(world, snapshot, &Place { path: place.path.clone(), span: *whole })?;
        Some(LocationLink {
            origin_selection_range: Some(origin),
            target_uri: location.uri,
            target_range: whole.range,
            target_selection_range: location.range,
        })
    });
    let links: Vec<LocationLink> = links.collect();
    if links.is_empty() {
        return None;
    }
    if facts.links {
        return Some(GotoDefinitionResponse::Link(links));
    }
    let location = |link: LocationLink| Location { uri: link.target_uri, range: link.target_selection_range };
    Some(GotoDefinitionResponse::Array(links.into_iter().map(location).collect()))
}

/// Text for a person, with or without marks.
pub fn markup(text: String, markdown: bool) -> MarkupContent {
    let kind = if markdown { MarkupKind::Markdown } else { MarkupKind::PlainText };
    let value = if markdown { text } else { plain(&text) };
    MarkupContent { kind, value }
}

/// Markdown without its marks, for clients that would show them.
fn plain(markdown: &str) -> String {
    let lines = markdown.lines().filter(|line| !line.starts_with("```"));
    lines.map(|line| line.replace("**", "").replace('`', "")).collect::<Vec<_>>().join("\n")
}

/// The outline as a tree.
pub fn symbol_tree(view: View<'_>, symbols: &[symbols::Symbol]) -> Vec<DocumentSymbol> {
    let one = |symbol: &symbols::Symbol| {
        let children = symbol_tree(view, &symbol.children);
        // The field is deprecated, and there is no other way to make the value.
        #[allow(deprecated, reason = "the type has no constructor without it")]
        DocumentSymbol {
            // A client refuses a symbol without a name.
            name: if symbol.name.is_empty() { "…".to_owned() } else { symbol.name.clone() },
            detail: Some(symbol.detail.clone()).filter(|detail| !detail.is_empty()),
            kind: symbol_kind(symbol.kind),
            tags: None,
            deprecated: None,
            range: view.range(symbol.span),
            selection_range: view.range(symbol.name_span),
            children: (!children.is_empty()).then_some(children),
        }
    };
    symbols.iter().map(one).collect()
}

/// The outline as a list, for clients that know no tree.
pub fn symbol_list(view: View<'_>, uri: &Uri, symbols: &[symbols::Symbol]) -> Vec<SymbolInformation> {
    fn add(
        view: View<'_>,
        uri: &Uri,
        symbols: &[symbols::Symbol],
        within: Option<&str>,
        list: &mut Vec<SymbolInformation>,
    ) {
        for symbol in symbols {
            #[allow(deprecated, reason = "the type has no constructor without it")]
            list.push(SymbolInformation {
                name: symbol.name.clone(),
                kind: symbol_kind(symbol.kind),
                tags: None,
                deprecated: None,
                location: Location { uri: uri.clone(), range: view.range(symbol.span) },
                container_name: within.map(str::to_owned),
            });
            add(view, uri, &symbol.children, Some(&symbol.name), list);
        }
    }
    let mut list = Vec::new();
    add(view, uri, symbols, None, &mut list);
    list
}

/// The picture that editors show.
pub fn symbol_kind(kind: symbols::Kind) -> SymbolKind {
    match kind {
        symbols::Kind::File => SymbolKind::FILE,
        symbols::Kind::Setting => SymbolKind::PROPERTY,
        symbols::Kind::Constant => SymbolKind::CONSTANT,
        symbols::Kind::Group => SymbolKind::CLASS,
        symbols::Kind::Rule => SymbolKind::EVENT,
        symbols::Kind::Block => SymbolKind::NAMESPACE,
        symbols::Kind::Assert => SymbolKind::INTERFACE,
        symbols::Kind::Syscall => SymbolKind::FUNCTION,
    }
}

/// Folds; a client that folds whole lines keeps the line of the closing brace.
pub fn folds(view: View<'_>, folds: &[(Span, folding::Kind)], facts: &Facts) -> Vec<FoldingRange> {
    let one = |&(span, kind): &(Span, folding::Kind)| {
        let Range { start, end } = view.range(span);
        let brace = kind == folding::Kind::Region && facts.lines_only;
        let end_line = if brace { end.line.saturating_sub(1) } else { end.line };
        (end_line > start.line).then(|| FoldingRange {
            start_line: start.line,
            start_character: (!facts.lines_only).then_some(start.character),
            end_line,
            end_character: (!facts.lines_only).then_some(end.character),
            kind: match kind {
                folding::Kind::Region => None,
                folding::Kind::Comment => Some(FoldingRangeKind::Comment),
                folding::Kind::Imports => Some(FoldingRangeKind::Imports),
            },
            collapsed_text: None,
        })
    };
    folds.iter().filter_map(one).collect()
}

/// A hint behind a word.
pub fn hint(view: View<'_>, hint: Hint) -> InlayHint {
    InlayHint {
        position: view.position(hint.offset),
        label: InlayHintLabel::String(hint.text),
        kind: None,
        text_edits: None,
        tooltip: None,
        padding_left: Some(true),
        padding_right: None,
        data: None,
    }
}

/// Ranges around each other, the innermost first.
pub fn selection(view: View<'_>, spans: &[Span]) -> SelectionRange {
    let outward = spans.iter().rev().fold(None, |parent: Option<SelectionRange>, span| {
        Some(SelectionRange { range: view.range(*span), parent: parent.map(Box::new) })
    });
    outward.unwrap_or(SelectionRange { range: Range::default(), parent: None })
}

/// Edits of one text.
pub fn edits(view: View<'_>, edits: Vec<(Span, String)>) -> Vec<TextEdit> {
    edits.into_iter().map(|(span, new_text)| TextEdit { range: view.range(span), new_text }).collect()
}
