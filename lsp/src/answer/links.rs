//! Files that a file names.

use std::path::PathBuf;

use kpol_compiler::source::Loader;
use kpol_grammar::ast::Span;

use crate::marks::Kind;
use crate::snapshot::Snapshot;
use crate::unit::Unit;
use crate::world::World;

/// Paths in the text that lead to a file, without their quotes, and the file.
pub fn of(world: &mut World, snapshot: &Snapshot, unit: &Unit) -> Vec<(Span, PathBuf)> {
    let project = world.project(snapshot, &unit.path);
    let mut links = Vec::new();
    for mark in unit.marks() {
        let Kind::Path { within, .. } = mark.kind else { continue };
        let included = project.members.first().and_then(|own| own.includes.iter().find(|(_, at)| *at == mark.span));
        let path = match included {
            Some((path, _)) => Some(path.clone()),
            None if within => beside(snapshot, unit, &mark.name),
            None => None,
        };
        let inside = Span { start: mark.span.start + 1, end: mark.span.end.saturating_sub(1).max(mark.span.start + 1) };
        links.extend(path.map(|path| (inside, path)));
    }
    links
}

/// The file of a `within`, which is no part of the policy and so not among its includes.
fn beside(snapshot: &Snapshot, unit: &Unit, written: &str) -> Option<PathBuf> {
    let folder = unit.path.parent()?;
    let candidates = std::iter::once(folder).chain(snapshot.config.include_dirs.iter().map(PathBuf::as_path));
    candidates.map(|folder| folder.join(written)).find_map(|path| {
        let path = snapshot.canonical(&path).ok()?;
        snapshot.content(&path).map(|_| path)
    })
}
