//! Names of the whole workspace.

use crate::answer::symbols;
use crate::marks::Kind;
use crate::snapshot::Snapshot;
use crate::world::{Place, World};

/// A name somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The name.
    pub name: String,
    /// What it is.
    pub kind: symbols::Kind,
    /// Where.
    pub place: Place,
}

/// No list is longer.
const MOST: usize = 500;

/// Definitions whose names have the letters of `query` in their order; those that begin so come first.
pub fn of(world: &World, snapshot: &Snapshot, query: &str) -> Vec<Found> {
    let query = query.to_ascii_lowercase();
    let mut found = Vec::new();
    for path in world.files(snapshot) {
        let Some(unit) = world.unit(snapshot, &path) else { continue };
        for mark in unit.marks().iter().filter(|mark| mark.defines) {
            let kind = match mark.kind {
                Kind::Group => symbols::Kind::Group,
                Kind::Constant { .. } => symbols::Kind::Constant,
                Kind::Syscall => symbols::Kind::Syscall,
                Kind::Title => symbols::Kind::Assert,
                _ => continue,
            };
            let mut letters = mark.name.chars().flat_map(char::to_lowercase);
            if query.chars().all(|letter| letters.any(|other| other == letter)) {
                let place = Place { path: path.clone(), span: mark.span };
                found.push(Found { name: mark.name.clone(), kind, place });
            }
        }
    }
    let begins = |found: &Found| {
        !found.name.trim_start_matches('@').to_ascii_lowercase().starts_with(query.trim_start_matches('@'))
    };
    found.sort_by(|a, b| (begins(a), &a.name, &a.place).cmp(&(begins(b), &b.name, &b.place)));
    found.truncate(MOST);
    found
}
