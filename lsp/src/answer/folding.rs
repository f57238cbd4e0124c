//! What can be folded away: braces, runs of comments, runs of includes.

use kpol_grammar::ast::{CommentKind, Span, StatementKind};
use kpol_grammar::tree::Rule;

use crate::unit::Unit;

/// What is folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Braces.
    Region,
    /// Comments.
    Comment,
    /// Includes.
    Imports,
}

/// Folds of more than one line, in the order of the text.
pub fn of(unit: &Unit) -> Vec<(Span, Kind)> {
    let mut folds = Vec::new();
    let mut open = Vec::new();
    for id in unit.tokens.tokens() {
        let span = unit.tokens.span(id);
        match unit.tokens.rule(id) {
            Rule::lbrace | Rule::lparen => open.push(span.end),
            Rule::rbrace | Rule::rparen => {
                if let Some(start) = open.pop() {
                    folds.push((Span { start, end: span.start }, Kind::Region));
                }
            }
            _ => {}
        }
    }
    let comments = unit.file().comments.iter().map(|comment| (comment.span, comment.kind));
    runs(
        unit,
        comments.filter(|(_, kind)| *kind != CommentKind::Block).map(|(span, _)| span),
        Kind::Comment,
        &mut folds,
    );
    let blocks = unit.file().comments.iter().filter(|comment| comment.kind == CommentKind::Block);
    folds.extend(blocks.map(|comment| (comment.span, Kind::Comment)));
    let includes = unit.file().statements.iter().filter(|one| matches!(one.kind, StatementKind::Include(_)));
    runs(unit, includes.map(|statement| statement.span), Kind::Imports, &mut folds);
    folds.retain(|(span, _)| unit.words(*span).contains('\n'));
    folds.sort_by_key(|(span, _)| *span);
    folds
}

/// Joins what stands on lines that follow each other.
fn runs(unit: &Unit, spans: impl Iterator<Item = Span>, kind: Kind, folds: &mut Vec<(Span, Kind)>) {
    let mut run: Option<Span> = None;
    for span in spans {
        let follows = |before: &Span| {
            let between = unit.text.get(before.end as usize..span.start as usize).unwrap_or("-");
            between.trim().is_empty() && between.matches('\n').count() == 1
        };
        run = match run {
            Some(before) if follows(&before) => Some(before.to(span)),
            other => {
                folds.extend(other.map(|run| (run, kind)));
                Some(span)
            }
        };
    }
    folds.extend(run.map(|run| (run, kind)));
}
