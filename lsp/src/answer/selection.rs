//! What a cursor is in, from the word outward: what "expand selection" walks.

use kpol_grammar::ast::Span;

use crate::unit::Unit;

/// Spans around an offset, the innermost first, each larger than the one before.
pub fn of(unit: &Unit, offset: u32) -> Vec<Span> {
    let mut spans: Vec<Span> = unit.tokens.path_to(offset).into_iter().rev().map(|id| unit.tokens.span(id)).collect();
    if let Some(comment) = unit.file().comments.iter().find(|comment| comment.span.touches(offset)) {
        spans.insert(0, comment.span);
    }
    spans.push(Span::new(0, unit.text.len()));
    spans.retain(|span| span.touches(offset));
    let mut grown: Vec<Span> = Vec::new();
    for span in spans {
        let larger =
            grown.last().is_none_or(|last: &Span| span != *last && span.start <= last.start && last.end <= span.end);
        if larger {
            grown.push(span);
        }
    }
    grown
}
