//! What can be done at a place: mend what is wrong, or write the same in another way.
//!
//! ```text
//! allow { raed, @basic-io }      replace it by `read` · write out `@basic-io` · sort the list
//! ```
//!
//! A rewriting never changes meaning: order has none, and a group is what is in it.

use std::collections::BTreeSet;

use kpol_compiler::diagnostic::{Code, Severity};
use kpol_compiler::{lint, tables};
use kpol_grammar::ast::{Pattern, PatternKind, Span, Statement, StatementKind};

use super::{groups, names};
use crate::snapshot::Snapshot;
use crate::unit::Unit;
use crate::world::{Finding, Place, World};

/// What kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Mends a finding.
    Fix,
    /// Mends all findings of the file that can be mended.
    FixAll,
    /// Gives a name to several patterns.
    Extract,
    /// Puts what a name stands for in its place.
    Inline,
    /// Says the same otherwise, or adds to it.
    Rewrite,
}

/// A change that can be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// What it does.
    pub title: String,
    /// What kind.
    pub kind: Kind,
    /// What is put where.
    pub edits: Vec<(Place, String)>,
    /// What it mends.
    pub mends: Option<Finding>,
    /// Whether it is the one that is most likely wanted.
    pub preferred: bool,
}

/// What can be done within a range.
pub fn of(world: &mut World, snapshot: &Snapshot, unit: &Unit, range: Span) -> Vec<Action> {
    for root in world.stale(snapshot) {
        world.check(snapshot, &root);
    }
    let findings = world.findings(&unit.path);
    let touched = |finding: &&Finding| finding.span.start <= range.end && range.start <= finding.span.end;
    let mut actions = Vec::new();
    for finding in findings.iter().filter(touched) {
        mend(unit, finding, &mut actions);
    }
    if let Some(all) = fix_all(unit, &findings) {
        actions.push(all);
    }
    for statement in names::all_statements(unit.file()) {
        let inside = statement.span.start <= range.start && range.end <= statement.span.end;
        if !inside {
            continue;
        }
        for list in lists(statement) {
            in_list(unit, statement, list, range, &mut actions);
        }
    }
    actions
}

fn here(unit: &Unit, span: Span) -> Place {
    Place { path: unit.path.clone(), span }
}

fn mend(unit: &Unit, finding: &Finding, actions: &mut Vec<Action>) {
    let action = |title: &str, edits, preferred| Action {
        title: title.to_owned(),
        kind: Kind::Fix,
        edits,
        mends: Some(finding.clone()),
        preferred,
    };
    if let Some(fix) = &finding.fix {
        actions.push(action(&fix.title, fix.edits.clone(), true));
    }
    match finding.code {
        Code::W001 | Code::W012 | Code::W013 => {
            if let Some(span) = element_with_comma(unit, finding.span) {
                actions.push(action("remove it", vec![(here(unit, span), String::new())], finding.fix.is_none()));
            }
        }
        Code::W014 | Code::W016 => {
            let statement = names::statement_at(unit.file(), finding.span.start);
            if let Some(statement) =
                statement.filter(|statement| finding.code == Code::W014 || statement.span == finding.span)
            {
                let span = whole_lines(unit, statement.span);
                actions.push(action("remove it", vec![(here(unit, span), String::new())], true));
            }
        }
        Code::W008 if finding.fix.is_none() => {
            let end = u32::try_from(unit.text.len()).unwrap_or(u32::MAX);
            let line = if unit.text.ends_with('\n') { "" } else { "\n" };
            let text = format!("{line}override deny(ENOSYS) {{ clone3 }}\n");
            let edits = vec![(here(unit, Span { start: end, end }), text)];
            actions.push(action("answer `clone3` with ENOSYS, so that programs fall back to `clone`", edits, true));
        }
        Code::W010 | Code::W011 => {
            let pattern = names::all_statements(unit.file()).into_iter().flat_map(lists).flatten();
            let pattern = pattern.into_iter().find(|pattern| pattern.span == finding.span);
            if let Some((name, edits)) = pattern.and_then(|pattern| add_siblings(unit, pattern, &[])) {
                actions.push(action(&format!("add {name}"), edits, true));
            }
        }
        _ => {}
    }
    if finding.severity == Severity::Warning && !matches!(finding.code, Code::W002 | Code::W018) {
        let line = unit.text[..finding.span.start as usize].rfind('\n').map_or(0, |at| at + 1);
        let indent: String = unit.text[line..].chars().take_while(|c| *c == ' ' || *c == '\t').collect();
        let text = format!("{indent}// kpol: allow({})\n", finding.code.as_str());
        let edits = vec![(here(unit, Span::new(line, line)), text)];
        actions.push(action(&format!("silence {} here", finding.code.as_str()), edits, false));
    }
}

/// Every fix of the file that does not touch another.
fn fix_all(unit: &Unit, findings: &[Finding]) -> Option<Action> {
    let mut taken: Vec<Span> = Vec::new();
    let mut edits = Vec::new();
    let mut count = 0;
    for fix in findings.iter().filter_map(|finding| finding.fix.as_ref()) {
        let own = |place: &Place| {
            place.path == unit.path
                && !taken.iter().any(|other| other.start <= place.span.end && place.span.start <= other.end)
        };
        if fix.edits.iter().all(|(place, _)| own(place)) {
            taken.extend(fix.edits.iter().map(|(place, _)| place.span));
            edits.extend(fix.edits.iter().cloned());
            count += 1;
        }
    }
    (count > 0).then(|| Action {
        title: format!("mend all that can be mended ({count})"),
        kind: Kind::FixAll,
        edits,
        mends: None,
        preferred: false,
    })
}

/// The lists of patterns that a statement has; the bodies of `when` are statements of their own.
fn lists(statement: &Statement) -> Vec<&[Pattern]> {
    match &statement.kind {
        StatementKind::Rule { patterns, .. } | StatementKind::Group { patterns, .. } => vec![patterns],
        StatementKind::Assert { claims, .. } => claims.iter().map(|claim| claim.patterns.as_slice()).collect(),
        _ => Vec::new(),
    }
}

fn in_list(unit: &Unit, statement: &Statement, list: &[Pattern], range: Span, actions: &mut Vec<Action>) {
    let (Some(first), Some(last)) = (list.first(), list.last()) else { return };
    let whole = first.span.to(last.span);
    if !(whole.start <= range.start && range.end <= whole.end) {
        return;
    }
    let one = list.iter().find(|pattern| pattern.span.start <= range.start && range.end <= pattern.span.end);
    if let Some(pattern) = one {
        expand(unit, pattern, list, actions);
        if let Some((name, edits)) = add_siblings(unit, pattern, list) {
            let title = format!("add {name}, which can do the same");
            actions.push(Action { title, kind: Kind::Rewrite, edits, mends: None, preferred: false });
        }
    }
    extract(unit, statement, list, range, actions);
    sort(unit, list, whole, actions);
}

/// Whether comments stand between the elements: then nothing is moved, since nobody knows what they are about.
fn has_comment(unit: &Unit, span: Span) -> bool {
    unit.file().comments.iter().any(|comment| span.start <= comment.span.start && comment.span.end <= span.end)
}

fn expand(unit: &Unit, pattern: &Pattern, list: &[Pattern], actions: &mut Vec<Action>) {
    let PatternKind::Group(name) = &pattern.kind else { return };
    if !pattern.except.is_empty() {
        return;
    }
    let builtin = groups::all().get(&name.text).filter(|group| !group.varies).map(|group| group.direct.join(", "));
    let own = || {
        let all = names::all_statements(unit.file());
        let mut found = all.into_iter().filter_map(|statement| match &statement.kind {
            StatementKind::Group { name: other, patterns } if other.text == name.text => Some(patterns),
            _ => None,
        });
        let patterns = found.next().filter(|_| found.next().is_none())?;
        Some(patterns.iter().map(|pattern| unit.words(pattern.span)).collect::<Vec<_>>().join(", "))
    };
    let Some(text) = builtin.or_else(own).filter(|text| !text.is_empty()) else { return };
    let _ = list;
    actions.push(Action {
        title: format!("write out what is in {}", name.text),
        kind: Kind::Inline,
        edits: vec![(here(unit, pattern.span), text)],
        mends: None,
        preferred: false,
    });
}

/// Names that stand for the same work, which the list does not have; with an edit that adds them.
fn add_siblings(unit: &Unit, pattern: &Pattern, list: &[Pattern]) -> Option<(String, Vec<(Place, String)>)> {
    let PatternKind::Call { name, conditions } = &pattern.kind else { return None };
    if !conditions.is_empty() {
        return None;
    }
    let there: BTreeSet<&str> = list
        .iter()
        .map(|pattern| match &pattern.kind {
            PatternKind::Call { name, .. } | PatternKind::Group(name) => name.text.as_str(),
        })
        .collect();
    let newer = |other: &&str| {
        let since = |name: &str| tables::syscall(name).and_then(|call| call.introduced_release());
        !there.contains(*other) && since(other) >= since(&name.text)
    };
    let missing: Vec<&str> = lint::siblings(&name.text).into_iter().filter(newer).collect();
    if missing.is_empty() {
        return None;
    }
    let end = Span { start: pattern.span.end, end: pattern.span.end };
    let names: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
    Some((names.join(", "), vec![(here(unit, end), format!(", {}", missing.join(", ")))]))
}

fn extract(unit: &Unit, statement: &Statement, list: &[Pattern], range: Span, actions: &mut Vec<Action>) {
    let chosen: Vec<&Pattern> =
        list.iter().filter(|pattern| pattern.span.start < range.end && range.start < pattern.span.end).collect();
    let (Some(first), Some(last)) = (chosen.first(), chosen.last()) else { return };
    let span = first.span.to(last.span);
    if chosen.len() < 2 || has_comment(unit, span) {
        return;
    }
    let taken: BTreeSet<&str> =
        unit.marks().iter().filter(|mark| mark.name.starts_with('@')).map(|mark| mark.name.as_str()).collect();
    let free = |name: &String| !taken.contains(name.as_str()) && !groups::all().contains_key(name);
    let numbered = (2u32..).map(|number| format!("@extracted-{number}"));
    let Some(name) = std::iter::once("@extracted".to_owned()).chain(numbered).find(free) else { return };
    // A group stands before the statement, at the top: what is in a `when` may hold only there.
    let top = unit.file().statements.iter().find(|top| top.span.touches(statement.span.start));
    let at = top.map_or(statement.span.start, |top| top.span.start);
    let at = line_before_docs(unit, at);
    let members: Vec<&str> = chosen.iter().map(|pattern| unit.words(pattern.span)).collect();
    let group = format!("group {name} {{\n    {},\n}}\n\n", members.join(",\n    "));
    actions.push(Action {
        title: format!("make a group of these {} patterns", chosen.len()),
        kind: Kind::Extract,
        edits: vec![(here(unit, Span { start: at, end: at }), group), (here(unit, span), name)],
        mends: None,
        preferred: false,
    });
}

/// Above the comments that stand directly above a statement.
fn line_before_docs(unit: &Unit, at: u32) -> u32 {
    let mut start = unit.text[..at as usize].rfind('\n').map_or(0, |line| line + 1);
    while start > 0 {
        let before = unit.text[..start - 1].rfind('\n').map_or(0, |line| line + 1);
        if !unit.text[before..start].trim_start().starts_with("//") {
            break;
        }
        start = before;
    }
    u32::try_from(start).unwrap_or(at)
}

/// Groups first, then by name.
fn sort(unit: &Unit, list: &[Pattern], whole: Span, actions: &mut Vec<Action>) {
    if list.len() < 2 || has_comment(unit, whole) {
        return;
    }
    let mut sorted: Vec<&Pattern> = list.iter().collect();
    sorted.sort_by_key(|pattern| match &pattern.kind {
        PatternKind::Group(name) => (false, name.text.as_str()),
        PatternKind::Call { name, .. } => (true, name.text.as_str()),
    });
    if sorted.iter().zip(list).all(|(a, b)| a.span == b.span) {
        return;
    }
    // Each goes to the place of another, so that lines and commas stay as they are.
    let edits = list.iter().zip(&sorted).filter(|(old, new)| old.span != new.span);
    let edits = edits.map(|(old, new)| (here(unit, old.span), unit.words(new.span).to_owned()));
    actions.push(Action {
        title: "sort this list".to_owned(),
        kind: Kind::Rewrite,
        edits: edits.collect(),
        mends: None,
        preferred: false,
    });
}

/// An element of a list, with the comma and the blanks that go with it.
fn element_with_comma(unit: &Unit, span: Span) -> Option<Span> {
    let all = names::all_statements(unit.file());
    let list = all
        .into_iter()
        .flat_map(lists)
        .find(|list| list.iter().any(|pattern| pattern.span == span || pattern.span.start == span.start))?;
    let index = list.iter().position(|pattern| pattern.span.start == span.start)?;
    let own = list[index].span;
    Some(match (list.get(index + 1), index.checked_sub(1).and_then(|before| list.get(before))) {
        (Some(next), _) if !has_comment(unit, own.to(next.span)) => Span { start: own.start, end: next.span.start },
        (None, Some(before)) if !has_comment(unit, before.span.to(own)) => {
            Span { start: before.span.end, end: own.end }
        }
        _ => own,
    })
}

/// A statement with its lines, if it has them for itself.
fn whole_lines(unit: &Unit, span: Span) -> Span {
    let start = unit.text[..span.start as usize].rfind('\n').map_or(0, |line| line + 1);
    let end = unit.text[span.end as usize..].find('\n').map_or(unit.text.len(), |line| span.end as usize + line + 1);
    let alone =
        unit.text[start..span.start as usize].trim().is_empty() && unit.text[span.end as usize..end].trim().is_empty();
    if alone { Span { start: line_before_docs(unit, span.start), end: Span::new(0, end).end } } else { span }
}
