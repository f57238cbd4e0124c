//! A filter as lines, and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use kpol_compiler::answer::decided::Place;
use kpol_compiler::answer::effects::Granted;
use kpol_compiler::answer::show::{Page, Part, Row, When};
use kpol_compiler::driver::load::Filter;
use kpol_compiler::policy::Waiver;
use kpol_compiler::spec::{Action, Arch};
use serde_json::{Value, json};

use crate::filters::{list, many};
use crate::ui::printable;

/// Longer patterns push what stands behind them to the right.
const WIDEST: usize = 56;

/// One line under an action.
struct Line {
    pattern: String,
    archs: String,
    places: String,
}

/// For a person: grouped by action, the most permissive first.
pub fn human(page: &Page, filter: &Filter, paints: bool) -> String {
    let (bold, dim, off) = if paints { ("\x1b[1m", "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
    let mut text = format!("{bold}{}{off}: {}\n", printable(short(filter)), list(&filter.spoken));
    if let Some(about) = &page.about {
        for line in about.lines() {
            text.push_str(format!("  {}", printable(line)).trim_end());
            text.push('\n');
        }
    }
    for other in &page.others {
        let _ = writeln!(text, "  {other}");
    }
    for held in &page.holds {
        let _ = writeln!(text, "  proven: {}", printable(held));
    }
    for waiver in &page.waived {
        let _ = writeln!(text, "  {}", printable(&waiver.line()));
    }
    for extra in &page.extras {
        let _ = writeln!(text, "  {}", printable(extra));
    }
    text.push_str(&effects(&page.effects));
    let mut groups: BTreeMap<Action, Vec<Line>> = BTreeMap::new();
    for row in &page.calls {
        for fate in &row.fates {
            let archs = if fate.archs.len() == row.numbers.len() && covers(row, &filter.spoken) {
                String::new()
            } else {
                let without: Vec<Arch> =
                    filter.spoken.iter().copied().filter(|arch| !fate.archs.contains(arch)).collect();
                if 2 * without.len() < fate.archs.len() {
                    format!("on all but {}", list(&without))
                } else {
                    format!("on {}", list(&fate.archs))
                }
            };
            for part in &fate.parts {
                let lines = patterns(&row.name, part).into_iter();
                let places = places(&part.places);
                groups.entry(part.action).or_default().extend(lines.map(|pattern| Line {
                    pattern,
                    archs: archs.clone(),
                    places: places.clone(),
                }));
            }
        }
    }
    let always = |action: Action| page.calls.iter().filter(|row| row.always() == Some(action)).count();
    let sometimes = |action: Action| {
        let gets = |row: &&Row| row.fates.iter().flat_map(|fate| &fate.parts).any(|part| part.action == action);
        page.calls.iter().filter(gets).filter(|row| row.always().is_none()).count()
    };
    for (action, lines) in groups.iter().rev() {
        let mut counts = many(always(*action), "call");
        if sometimes(*action) > 0 {
            counts.push_str(&format!(", and {} in part", sometimes(*action)));
        }
        let rest: Vec<&(Vec<Arch>, Action)> = page.rest.iter().filter(|(_, rest)| rest == action).collect();
        match rest.as_slice() {
            [] => {}
            [(archs, _)] if archs.len() == filter.spoken.len() => counts.push_str(", and numbers without a name"),
            _ => {
                let archs: Vec<Arch> = rest.iter().flat_map(|(archs, _)| archs.iter().copied()).collect();
                counts.push_str(&format!(", and numbers without a name on {}", list(&archs)));
            }
        }
        let colour = if paints { colour(*action) } else { "" };
        let _ = writeln!(text, "\n{bold}{colour}{action}{off}: {counts}");
        let width = |column: fn(&Line) -> &String| lines.iter().map(|line| column(line).chars().count()).max();
        let pattern = width(|line| &line.pattern).unwrap_or(0).min(WIDEST);
        let archs = width(|line| &line.archs).unwrap_or(0).min(WIDEST);
        for line in lines {
            let row = format!("  {:<pattern$}  {:<archs$}  {dim}{}{off}", line.pattern, line.archs, line.places);
            let row = if line.places.is_empty() { row.trim_end_matches(off).trim_end_matches(dim) } else { &row };
            text.push_str(row.trim_end());
            text.push('\n');
        }
    }
    text
}

/// What the filter lets happen, a line each.
pub fn effects(granted: &[Granted]) -> String {
    if granted.is_empty() {
        return "\neffects: none of those that `kpolc groups` lists\n".to_owned();
    }
    let width = granted.iter().map(|of| of.effect.name().len()).max().unwrap_or(0);
    let mut text = "\neffects: what can be brought about, by which calls\n".to_owned();
    for of in granted {
        let _ = writeln!(text, "  {:width$}  {}", of.effect.name(), how_much(of));
    }
    text
}

/// `wholly`, or the calls of an effect that run.
pub fn how_much(of: &Granted) -> String {
    /// So many calls say what is open.
    const SHOWN: usize = 6;
    if of.wholly {
        return "wholly".to_owned();
    }
    let more = match of.calls.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let shown: Vec<&str> = of.calls.iter().take(SHOWN).map(String::as_str).collect();
    format!("in part: {}{more}", shown.join(", "))
}

/// The effects for programs.
pub fn effects_json(granted: &[Granted]) -> Vec<Value> {
    let one = |of: &Granted| {
        let granted = if of.wholly { "wholly" } else { "in part" };
        json!({ "effect": of.effect.group, "granted": granted, "calls": of.calls })
    };
    granted.iter().map(one).collect()
}

/// The file's name without folders: the same filter gives the same text, wherever it lies.
pub fn short(filter: &Filter) -> &str {
    filter.name.rsplit('/').next().unwrap_or(&filter.name)
}

/// Whether the call is there on every ABI of the filter.
fn covers(row: &Row, archs: &[Arch]) -> bool {
    row.numbers.len() == archs.len()
}

fn patterns(name: &str, part: &Part) -> Vec<String> {
    match &part.when {
        When::Always => vec![name.to_owned()],
        When::Otherwise => vec![format!("{name}, otherwise")],
        When::If(cases) => {
            let mut patterns: Vec<String> = cases.cases.iter().map(|case| case.pattern(name)).collect();
            if !cases.complete {
                patterns.push(format!("{name}(…), and more"));
            }
            patterns
        }
    }
}

fn places(places: &[Place]) -> String {
    let said: Vec<String> = places
        .iter()
        .map(|place| format!("{}{}", printable(&place.to_string()), if place.default { ", the default" } else { "" }))
        .collect();
    said.join("; ")
}

fn colour(action: Action) -> &'static str {
    match action {
        Action::Allow => "\x1b[32m",
        Action::Log => "\x1b[36m",
        Action::Trace(_) | Action::Notify => "\x1b[34m",
        Action::Errno(_) => "\x1b[33m",
        Action::Trap(_) | Action::KillThread | Action::KillProcess => "\x1b[31m",
    }
}

/// For programs.
pub fn json(page: &Page, filter: &Filter) -> String {
    let names = |archs: &[Arch]| archs.iter().map(|arch| arch.name()).collect::<Vec<_>>();
    let part = |part: &Part| {
        let (when, cases) = match &part.when {
            When::Always => ("always", Vec::new()),
            When::Otherwise => ("otherwise", Vec::new()),
            When::If(cases) => (
                if cases.complete { "if" } else { "if, and more" },
                cases.cases.iter().map(|case| json!({ "when": case.when, "arguments": case.tests })).collect(),
            ),
        };
        let places: Vec<Value> = part
            .places
            .iter()
            .map(|place| json!({ "file": place.file, "line": place.line, "group": place.group, "default": place.default }))
            .collect();
        json!({ "action": part.action.to_string(), "when": when, "cases": cases, "places": places })
    };
    let calls: Vec<Value> = page
        .calls
        .iter()
        .map(|row| {
            let numbers: serde_json::Map<String, Value> =
                row.numbers.iter().map(|(arch, nr)| (arch.name().to_owned(), json!(nr.0))).collect();
            let fates: Vec<Value> = row
                .fates
                .iter()
                .map(|fate| {
                    json!({ "archs": names(&fate.archs), "parts": fate.parts.iter().map(part).collect::<Vec<_>>() })
                })
                .collect();
            json!({ "call": row.name, "numbers": numbers, "fates": fates })
        })
        .collect();
    let rest: Vec<Value> = page
        .rest
        .iter()
        .map(|(archs, action)| json!({ "archs": names(archs), "action": action.to_string() }))
        .collect();
    let value = json!({
        "file": filter.name, "archs": names(&filter.spoken), "about": page.about, "holds": page.holds,
        "waives": waived_json(&page.waived),
        "effects": effects_json(&page.effects),
        "rest": rest, "others": page.others, "calls": calls,
    });
    format!("{value:#}\n")
}

fn waived_json(waived: &[Waiver]) -> Vec<Value> {
    let one =
        |waiver: &Waiver| json!({ "title": waiver.title, "asserted_by": waiver.asserted_by, "reason": waiver.reason });
    waived.iter().map(one).collect()
}
