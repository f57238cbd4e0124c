//! Where the word under the cursor is said: its definition, the file that it names.

use kpol_grammar::ast::Span;

use super::names;
use crate::marks::{self, Kind};
use crate::snapshot::Snapshot;
use crate::unit::Unit;
use crate::world::{Place, World};

/// The word, and each place with the whole statement around it. Calls and constants of the kernel are said nowhere.
pub fn of(world: &mut World, snapshot: &Snapshot, unit: &Unit, offset: u32) -> Option<(Span, Vec<(Place, Span)>)> {
    let mark = marks::at(unit.marks(), offset)?.clone();
    let found = match &mark.kind {
        Kind::Path { .. } => {
            let links = super::links::of(world, snapshot, unit);
            let (_, path) =
                links.into_iter().find(|(span, _)| mark.span.start <= span.start && span.end <= mark.span.end)?;
            vec![(Place { path, span: Span::default() }, Span::default())]
        }
        _ => names::definitions(world, snapshot, &unit.path, &mark)
            .into_iter()
            .map(|found| {
                let whole = found.statement().map_or(found.place.span, |statement| statement.span);
                (found.place, whole)
            })
            .collect(),
    };
    Some((mark.span, found))
}
