//! What a text does not show, shown in it: what a constant comes to, how many calls a group has, where a call is not.
//!
//! ```text
//! const FLAGS = O_CREAT | O_EXCL        = 192 (0xc0)
//! allow { open }                        not on aarch64
//! ```

use kpol_compiler::tables;
use kpol_grammar::ast::{ExprKind, Span, StatementKind};

use super::{hover, names};
use crate::marks::Kind;
use crate::snapshot::Snapshot;
use crate::unit::Unit;
use crate::world::World;

/// A hint behind a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// Behind this byte.
    pub offset: u32,
    /// What is shown.
    pub text: String,
}

/// Of so many definitions the values are looked up: an editor asks for what is on the screen.
const MOST: usize = 1_000;

/// The hints in a range.
pub fn of(world: &mut World, snapshot: &Snapshot, unit: &Unit, range: Span) -> Vec<Hint> {
    let mut hints = Vec::new();
    let archs = names::archs(&world.project(snapshot, &unit.path));
    let inside = |span: Span| range.start <= span.end && span.start <= range.end;
    let statements = names::all_statements(unit.file()).into_iter().filter(|statement| inside(statement.span));
    let defines = |kind: &StatementKind| matches!(kind, StatementKind::Const { .. } | StatementKind::Group { .. });
    for statement in statements.filter(|statement| defines(&statement.kind)).take(MOST) {
        match &statement.kind {
            StatementKind::Const { name, value } if !matches!(value.kind, ExprKind::Number(_)) => {
                if let Some(text) = hover::values(world, snapshot, &unit.path, &name.text) {
                    hints.push(Hint { offset: value.span.end, text: format!("= {text}") });
                }
            }
            StatementKind::Group { name, .. } => {
                let sizes = hover::sizes(world, snapshot, &unit.path, &name.text);
                if !sizes.is_empty() {
                    hints.push(Hint { offset: name.span.end, text: sizes });
                }
            }
            _ => {}
        }
    }
    for mark in unit.marks().iter().filter(|mark| mark.kind == Kind::Syscall && !mark.defines && inside(mark.span)) {
        let Some(call) = tables::syscall(&mark.name) else { continue };
        let lacking: Vec<&str> =
            archs.iter().filter(|&&arch| call.nr(arch).is_none()).map(|arch| arch.name()).collect();
        // Where no ABI has it, there is a warning.
        if !lacking.is_empty() && lacking.len() < archs.len() {
            hints.push(Hint { offset: mark.span.end, text: format!("not on {}", lacking.join(", ")) });
        }
    }
    hints.sort_by_key(|hint| hint.offset);
    hints
}
