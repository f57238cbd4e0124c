//! Where a name is used: in a file, and in all files that share its names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::names::{self, same_kind};
use crate::marks::{self, Mark};
use crate::snapshot::Snapshot;
use crate::unit::Unit;
use crate::world::{Place, World};

/// Uses of the word at an offset within its file, and whether each defines it.
pub fn highlights(unit: &Unit, offset: u32) -> Vec<(kpol_grammar::ast::Span, bool)> {
    let Some(mark) = marks::at(unit.marks(), offset) else { return Vec::new() };
    let same = unit.marks().iter().filter(|other| other.name == mark.name && same_kind(&other.kind, &mark.kind));
    same.map(|other| (other.span, other.defines)).collect()
}

/// A use.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// Where.
    pub place: Place,
    /// Whether it says what the name means.
    pub defines: bool,
}

/// All uses of what the word at an offset means.
pub fn of(world: &mut World, snapshot: &Snapshot, unit: &Unit, offset: u32) -> Vec<Use> {
    let Some(mark) = marks::at(unit.marks(), offset).cloned() else { return Vec::new() };
    uses(world, snapshot, &unit.path, &mark)
}

/// All uses of a name that a file uses.
pub fn uses(world: &mut World, snapshot: &Snapshot, path: &Path, mark: &Mark) -> Vec<Use> {
    // Whoever sees the definition shares the name. What is built in has its definition everywhere: there only the
    // files of this policy count.
    let homes: Vec<PathBuf> = names::definitions(world, snapshot, path, mark)
        .into_iter()
        .filter(|definition| !definition.builtin)
        .map(|definition| definition.place.path)
        .collect();
    let homes = if homes.is_empty() { vec![path.to_owned()] } else { homes };
    let mut all = BTreeSet::new();
    for root in world.files(snapshot) {
        let project = world.project(snapshot, &root);
        if !homes.iter().any(|home| project.member(home).is_some()) {
            continue;
        }
        for member in project.members.iter().filter(|member| !member.builtin) {
            for other in member.unit.marks() {
                if other.name == mark.name && same_kind(&other.kind, &mark.kind) {
                    let place = Place { path: member.unit.path.clone(), span: other.span };
                    all.insert(Use { place, defines: other.defines });
                }
            }
        }
    }
    all.into_iter().collect()
}
