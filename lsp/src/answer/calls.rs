//! Who uses whom: groups and files.
//!
//! ```text
//! @worker    used by `allow` in web.kpol, `@all` in base.kpol      uses @swap
//! base.kpol  included by web.kpol                                  includes org/common.kpol
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kpol_grammar::ast::{Span, Statement, StatementKind};

use super::{names, references};
use crate::marks::{self, Kind, Mark};
use crate::snapshot::Snapshot;
use crate::unit::Unit;
use crate::world::{Place, World};

/// A group, a rule or a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it is called.
    pub name: String,
    /// A group, rather than a rule or a file.
    pub group: bool,
    /// A file.
    pub file: bool,
    /// Its name, or its beginning.
    pub place: Place,
    /// All of it.
    pub whole: Span,
}

/// Another node, and where in the file of the user it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The other one.
    pub node: Node,
    /// Where.
    pub places: Vec<Span>,
}

/// The group or file under the cursor.
pub fn prepare(world: &mut World, snapshot: &Snapshot, unit: &Unit, offset: u32) -> Vec<Node> {
    let Some(mark) = marks::at(unit.marks(), offset).cloned() else { return Vec::new() };
    match mark.kind {
        Kind::Group => group_nodes(world, snapshot, &unit.path, &mark),
        Kind::Path { .. } => {
            let project = world.project(snapshot, &unit.path);
            let included = project.members.first().and_then(|own| own.includes.iter().find(|(_, at)| *at == mark.span));
            included.map(|(path, _)| file_node(path)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn group_nodes(world: &mut World, snapshot: &Snapshot, path: &Path, mark: &Mark) -> Vec<Node> {
    let found = names::definitions(world, snapshot, path, mark).into_iter();
    found
        .map(|found| Node {
            name: mark.name.clone(),
            group: true,
            file: false,
            whole: found.statement().map_or(found.place.span, |statement| statement.span),
            place: found.place,
        })
        .collect()
}

fn file_node(path: &Path) -> Node {
    let name = path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
    let place = Place { path: path.to_owned(), span: Span::default() };
    Node { name, group: false, file: true, place, whole: Span::default() }
}

/// Who uses a node.
pub fn incoming(world: &mut World, snapshot: &Snapshot, node: &Node) -> Vec<Edge> {
    if node.file {
        return including(world, snapshot, &node.place.path);
    }
    let mark = Mark { span: node.place.span, name: node.name.clone(), kind: Kind::Group, defines: true };
    let mut edges: Vec<Edge> = Vec::new();
    for used in references::uses(world, snapshot, &node.place.path, &mark).into_iter().filter(|used| !used.defines) {
        let Some(unit) = world.unit(snapshot, &used.place.path) else { continue };
        let Some(statement) = names::statement_at(unit.file(), used.place.span.start) else { continue };
        let user = statement_node(&unit, statement);
        match edges.iter_mut().find(|edge| edge.node == user) {
            Some(edge) => edge.places.push(used.place.span),
            None => edges.push(Edge { node: user, places: vec![used.place.span] }),
        }
    }
    edges
}

fn statement_node(unit: &Arc<Unit>, statement: &Statement) -> Node {
    let (name, span, group) = match &statement.kind {
        StatementKind::Group { name, .. } => (name.text.clone(), name.span, true),
        StatementKind::Rule { action, .. } => (action.word.text.clone(), action.word.span, false),
        StatementKind::Assert { title, .. } => (title.text.clone(), title.span, false),
        _ => (String::from("statement"), statement.span, false),
    };
    let place = Place { path: unit.path.clone(), span };
    Node { name, group, file: false, place, whole: statement.span }
}

fn including(world: &mut World, snapshot: &Snapshot, path: &Path) -> Vec<Edge> {
    let mut edges = Vec::new();
    for file in world.files(snapshot) {
        let project = world.project(snapshot, &file);
        let Some(own) = project.members.first() else { continue };
        let places: Vec<Span> = own.includes.iter().filter(|(to, _)| to == path).map(|(_, at)| *at).collect();
        if !places.is_empty() {
            edges.push(Edge { node: file_node(&file), places });
        }
    }
    edges
}

/// Whom a node uses.
pub fn outgoing(world: &mut World, snapshot: &Snapshot, node: &Node) -> Vec<Edge> {
    let path: &PathBuf = &node.place.path;
    let Some(unit) = world.unit(snapshot, path) else { return Vec::new() };
    let mut edges: Vec<Edge> = Vec::new();
    if node.file {
        let project = world.project(snapshot, path);
        for (to, at) in project.members.first().map(|own| own.includes.clone()).unwrap_or_default() {
            edges.push(Edge { node: file_node(&to), places: vec![at] });
        }
        return edges;
    }
    let inside = |mark: &&Mark| node.whole.start <= mark.span.start && mark.span.end <= node.whole.end;
    let used: Vec<Mark> =
        unit.marks().iter().filter(inside).filter(|mark| mark.kind == Kind::Group && !mark.defines).cloned().collect();
    for mark in used {
        if let Some(edge) = edges.iter_mut().find(|edge| edge.node.name == mark.name) {
            edge.places.push(mark.span);
            continue;
        }
        let nodes = group_nodes(world, snapshot, path, &mark).into_iter();
        edges.extend(nodes.map(|node| Edge { node, places: vec![mark.span] }));
    }
    edges
}
