//! Code actions, lenses, calls and names for the client.

use kpol_grammar::ast::Span;
use serde_json::{Value, json};
use tower_lsp_server::ls_types::*;

use super::{View, diagnostics, location, symbol_kind, workspace_edit};
use crate::answer::actions::{Action, Kind};
use crate::answer::calls::{Edge, Node};
use crate::answer::lenses::About;
use crate::answer::search::Found;
use crate::answer::symbols;
use crate::facts::Facts;
use crate::snapshot::Snapshot;
use crate::unit::Unit;
use crate::world::{Place, World};

/// The kinds that this server has.
pub fn action_kinds() -> Vec<CodeActionKind> {
    vec![
        CodeActionKind::QUICKFIX,
        CodeActionKind::REFACTOR_EXTRACT,
        CodeActionKind::REFACTOR_INLINE,
        CodeActionKind::REFACTOR_REWRITE,
        CodeActionKind::SOURCE_FIX_ALL,
    ]
}

fn kind(kind: Kind) -> CodeActionKind {
    match kind {
        Kind::Fix => CodeActionKind::QUICKFIX,
        Kind::FixAll => CodeActionKind::SOURCE_FIX_ALL,
        Kind::Extract => CodeActionKind::REFACTOR_EXTRACT,
        Kind::Inline => CodeActionKind::REFACTOR_INLINE,
        Kind::Rewrite => CodeActionKind::REFACTOR_REWRITE,
    }
}

/// Actions of the kinds that are asked for; a kind stands for all below it.
pub fn actions(
    world: &World,
    snapshot: &Snapshot,
    facts: &Facts,
    unit: &Unit,
    only: Option<&[CodeActionKind]>,
    found: Vec<Action>,
) -> Vec<CodeActionOrCommand> {
    let wanted = |kind: &CodeActionKind| {
        let below = |asked: &CodeActionKind| {
            asked.as_str().is_empty()
                || kind.as_str() == asked.as_str()
                || kind.as_str().starts_with(&format!("{}.", asked.as_str()))
        };
        only.is_none_or(|only| only.iter().any(below))
    };
    let one = |action: Action| {
        let kind = Some(kind(action.kind)).filter(wanted)?;
        let mends =
            action.mends.map(|finding| diagnostics::one(world, snapshot, facts, View::of(unit, snapshot), &finding));
        Some(CodeActionOrCommand::CodeAction(CodeAction {
            title: action.title,
            kind: Some(kind),
            diagnostics: mends.map(|diagnostic| vec![diagnostic]),
            edit: Some(workspace_edit(world, snapshot, facts, action.edits)?),
            is_preferred: action.preferred.then_some(true),
            ..CodeAction::default()
        }))
    };
    found.into_iter().filter_map(one).collect()
}

/// What `workspace/executeCommand` knows.
pub const COMMANDS: [&str; 2] = ["kpol.preview", "kpol.uses"];

/// A lens without its words.
pub fn lens(view: View<'_>, uri: &Uri, span: Span, about: About) -> CodeLens {
    let data = json!({ "uri": uri.as_str(), "start": span.start, "end": span.end, "about": word(about) });
    CodeLens { range: view.range(span), command: None, data: Some(data) }
}

fn word(about: About) -> &'static str {
    match about {
        About::Counts => "counts",
        About::Json => "json",
        About::Bpf => "bpf",
        About::Uses => "uses",
    }
}

/// The form of a preview, or what a lens is about.
pub fn about(word: &str) -> Option<About> {
    [About::Counts, About::Json, About::Bpf, About::Uses].into_iter().find(|about| self::word(*about) == word)
}

/// What a lens was made for: file, place, what about.
pub fn lens_of(lens: &CodeLens) -> Option<(String, Span, About)> {
    let data = lens.data.as_ref()?;
    let number = |key: &str| data.get(key)?.as_u64().and_then(|number| u32::try_from(number).ok());
    let span = Span { start: number("start")?, end: number("end")? };
    Some((data.get("uri")?.as_str()?.to_owned(), span, about(data.get("about")?.as_str()?)?))
}

/// What happens when a lens is clicked.
pub fn command(uri: &str, range: Range, about: About, title: String) -> Command {
    let (command, arguments) = match about {
        About::Uses => ("kpol.uses", vec![json!(uri), json!(range.start)]),
        About::Bpf => ("kpol.preview", vec![json!(uri), json!("bpf")]),
        About::Json | About::Counts => ("kpol.preview", vec![json!(uri), json!("json")]),
    };
    Command { title, command: command.to_owned(), arguments: Some(arguments) }
}

/// An item of a call hierarchy.
pub fn call_item(world: &World, snapshot: &Snapshot, node: &Node) -> Option<CallHierarchyItem> {
    let at = location(world, snapshot, &node.place)?;
    let whole = location(world, snapshot, &Place { path: node.place.path.clone(), span: node.whole })?;
    Some(CallHierarchyItem {
        name: node.name.clone(),
        kind: match (node.file, node.group) {
            (true, _) => SymbolKind::FILE,
            (_, true) => symbol_kind(symbols::Kind::Group),
            _ => symbol_kind(symbols::Kind::Rule),
        },
        tags: None,
        detail: node.place.path.file_name().map(|name| name.to_string_lossy().into_owned()),
        uri: at.uri,
        range: whole.range,
        selection_range: at.range,
        data: Some(json!({
            "path": node.place.path, "group": node.group, "file": node.file, "start": node.place.span.start,
            "end": node.place.span.end, "from": node.whole.start, "to": node.whole.end,
        })),
    })
}

/// The node that an item was made of.
pub fn call_node(item: &CallHierarchyItem) -> Option<Node> {
    let data = item.data.as_ref()?;
    let number = |key: &str| data.get(key)?.as_u64().and_then(|number| u32::try_from(number).ok());
    let flag = |key: &str| data.get(key).and_then(Value::as_bool);
    let path = serde_json::from_value(data.get("path")?.clone()).ok()?;
    Some(Node {
        name: item.name.clone(),
        group: flag("group")?,
        file: flag("file")?,
        place: Place { path, span: Span { start: number("start")?, end: number("end")? } },
        whole: Span { start: number("from")?, end: number("to")? },
    })
}

/// Places of an edge, in the file that says them.
pub fn call_ranges(world: &World, snapshot: &Snapshot, user: &Node, edge: &Edge) -> Vec<Range> {
    let Some(unit) = world.unit(snapshot, &user.place.path) else { return Vec::new() };
    edge.places.iter().map(|span| View::of(&unit, snapshot).range(*span)).collect()
}

/// A name of the workspace.
pub fn symbol(world: &World, snapshot: &Snapshot, found: &Found) -> Option<SymbolInformation> {
    #[allow(deprecated, reason = "the type has no constructor without it")]
    Some(SymbolInformation {
        name: found.name.clone(),
        kind: symbol_kind(found.kind),
        tags: None,
        deprecated: None,
        location: location(world, snapshot, &found.place)?,
        container_name: found.place.path.file_name().map(|name| name.to_string_lossy().into_owned()),
    })
}
