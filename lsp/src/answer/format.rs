//! Formatting, as `kpolc fmt` does it.
//!
//! ```text
//! allow{read,          one edit for each run of lines that differs, so that cursors and marks elsewhere stay
//!   write}
//! ```
//!
//! A text that cannot be read whole is left as it is.

use kpol_grammar::ast::{Span, Statement, StatementKind};
use similar::DiffOp;

use crate::unit::Unit;

/// The edits that format a text; none where it has mistakes.
pub fn whole(unit: &Unit) -> Vec<(Span, String)> {
    let Some(formatted) = kpol_grammar::format(&unit.text) else { return Vec::new() };
    if formatted == *unit.text {
        return Vec::new();
    }
    fn starts(text: &str) -> Vec<usize> {
        let mut starts = vec![0];
        for line in text.split_inclusive('\n') {
            starts.push(starts.last().unwrap_or(&0) + line.len());
        }
        starts
    }
    let old: Vec<&str> = unit.text.split_inclusive('\n').collect();
    let new: Vec<&str> = formatted.split_inclusive('\n').collect();
    let diff = similar::capture_diff_slices(similar::Algorithm::Patience, &old, &new);
    let (old, new) = (starts(&unit.text), starts(&formatted));
    let changes = diff.iter().filter(|op| !matches!(op, DiffOp::Equal { .. }));
    changes
        .map(|op| {
            let (from, to) = (op.old_range(), op.new_range());
            let text = formatted[new[to.start]..new[to.end]].to_owned();
            (Span::new(old[from.start], old[from.end]), text)
        })
        .collect()
}

/// Those of them that touch a range.
pub fn range(unit: &Unit, range: Span) -> Vec<(Span, String)> {
    let inside = |span: &Span| span.start <= range.end && range.start <= span.end;
    whole(unit).into_iter().filter(|(span, _)| inside(span)).collect()
}

/// Those that touch the statement which ends where something was typed.
pub fn typed(unit: &Unit, offset: u32) -> Vec<(Span, String)> {
    fn find(statements: &[Statement], offset: u32) -> Option<Span> {
        let statement = statements.iter().find(|statement| statement.span.touches(offset))?;
        match &statement.kind {
            StatementKind::When { body, .. } => find(body, offset).or(Some(statement.span)),
            _ => Some(statement.span),
        }
    }
    find(&unit.file().statements, offset).map(|span| range(unit, span)).unwrap_or_default()
}
