//! A difference in words: for a terminal, for a comment on a change, for programs.

use std::fmt::Write as _;

use kpol_compiler::answer::diff::{Change, Diff, Direction};
use kpol_compiler::answer::words::Case;
use serde_json::{Value, json};

use crate::filters::{list, many};
use crate::ui::printable;

const SECTIONS: [(Direction, &str); 3] = [
    (Direction::Wider, "more permissive"),
    (Direction::Stricter, "stricter"),
    (Direction::Sideways, "another answer, as strict"),
];

/// Columns of a list of names.
const WIDTH: usize = 100;

/// For a person.
pub fn human(diff: &Diff, names: [&str; 2]) -> String {
    let [old, new] = names.map(printable);
    if diff.is_empty() {
        return format!("`{old}` and `{new}` mean the same on {}\n", archs(diff));
    }
    let mut text = format!("from {old} to {new}\n");
    for only in &diff.one_sided {
        let (has, lacks, what) = if only.second { (&new, &old, "more permissive") } else { (&old, &new, "stricter") };
        let archs = list(&only.archs);
        let _ = writeln!(text, "\n{what}: only {has} serves {archs}; under {lacks} their calls end the process");
    }
    for changed in &diff.waivers {
        let (has, what) = if changed.second { (&new, "more permissive") } else { (&old, "stricter") };
        let _ = writeln!(text, "\n{what}: only {has} {}", printable(&changed.waiver.line()));
    }
    for (direction, title) in SECTIONS {
        let changes: Vec<&Change> = diff.changes.iter().filter(|change| change.direction == direction).collect();
        if changes.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n{title}: {}", many(diff.count(direction), "call"));
        let mut before = None;
        for change in changes {
            let head = format!("  {} → {}{}", change.from, change.to, on(change));
            if before.as_ref() != Some(&head) {
                let _ = writeln!(text, "{head}");
                before = Some(head);
            }
            if change.cases.asks_arguments() {
                for case in &change.cases.cases {
                    let _ = writeln!(text, "    {}", pattern(change, case));
                }
                if !change.cases.complete {
                    let _ = writeln!(text, "    … and more");
                }
                let _ = writeln!(text, "      such as {}", change.witness);
                continue;
            }
            let indent = if change.cases.is_everything() {
                "    "
            } else {
                let _ = writeln!(text, "    when {}", surroundings(change));
                "      "
            };
            for line in wrapped(&subjects(change), WIDTH - indent.len()) {
                let _ = writeln!(text, "{indent}{line}");
            }
        }
    }
    let _ = writeln!(text, "\n{}", summary(diff));
    text
}

/// For a comment on a change.
pub fn markdown(diff: &Diff, names: [&str; 2]) -> String {
    let [old, new] = names.map(printable);
    if diff.is_empty() {
        return format!("`{old}` and `{new}` mean the same on {}.\n", archs(diff));
    }
    let mut text = format!("### `{old}` → `{new}`\n\n{}\n", summary(diff));
    for only in &diff.one_sided {
        let (has, lacks, what) = if only.second { (&new, &old, "More permissive") } else { (&old, &new, "Stricter") };
        let archs = list(&only.archs);
        let _ =
            writeln!(text, "\n**{what}**: only `{has}` serves {archs}; under `{lacks}` their calls end the process.");
    }
    for changed in &diff.waivers {
        let (has, what) = if changed.second { (&new, "More permissive") } else { (&old, "Stricter") };
        let _ = writeln!(text, "\n**{what}**: only `{has}` {}.", printable(&changed.waiver.line()));
    }
    for (direction, title) in SECTIONS {
        let changes: Vec<&Change> = diff.changes.iter().filter(|change| change.direction == direction).collect();
        if changes.is_empty() {
            continue;
        }
        let mut title = title.to_owned();
        title[..1].make_ascii_uppercase();
        let _ = writeln!(text, "\n**{title}**\n\n| calls | from | to | such as |\n|---|---|---|---|");
        for change in changes {
            let calls = if !change.cases.asks_arguments() {
                let names = subjects(change).iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                let when = if change.cases.is_everything() {
                    String::new()
                } else {
                    format!(" when {}", surroundings(change))
                };
                names + &when
            } else {
                let more = if change.cases.complete { "" } else { "<br>…" };
                let cases: Vec<String> = change.cases.cases.iter().map(|case| pattern(change, case)).collect();
                // A bar would end the cell, inside of code as well.
                cases.iter().map(|case| format!("`{}`", case.replace('|', "\\|"))).collect::<Vec<_>>().join("<br>")
                    + more
            };
            let (from, to, witness) = (change.from, change.to, &change.witness);
            let _ = writeln!(text, "| {calls}{} | `{from}` | `{to}` | {witness} |", on(change));
        }
    }
    text
}

/// For programs.
pub fn json(diff: &Diff, names: [&str; 2]) -> String {
    let archs = |archs: &[kpol_compiler::spec::Arch]| archs.iter().map(|arch| arch.name()).collect::<Vec<_>>();
    let changes: Vec<Value> = diff
        .changes
        .iter()
        .map(|change| {
            let cases: Vec<Value> =
                change.cases.cases.iter().map(|case| json!({ "when": case.when, "arguments": case.tests })).collect();
            json!({
                "direction": match change.direction {
                    Direction::Wider => "wider",
                    Direction::Stricter => "stricter",
                    Direction::Sideways => "sideways",
                },
                "from": change.from.to_string(),
                "to": change.to.to_string(),
                "calls": change.calls,
                "unnamed": change.unnamed,
                "archs": archs(&change.archs),
                "cases": cases,
                "complete": change.cases.complete,
                "witness": change.witness,
            })
        })
        .collect();
    let only: Vec<Value> = diff
        .one_sided
        .iter()
        .map(|only| json!({ "archs": archs(&only.archs), "only": if only.second { "new" } else { "old" } }))
        .collect();
    let waivers: Vec<Value> = diff
        .waivers
        .iter()
        .map(|changed| {
            let waiver = &changed.waiver;
            json!({
                "title": waiver.title, "asserted_by": waiver.asserted_by, "reason": waiver.reason,
                "only": if changed.second { "new" } else { "old" },
            })
        })
        .collect();
    let value = json!({
        "old": names[0],
        "new": names[1],
        "same": diff.is_empty(),
        "widens": diff.widens(),
        "archs": archs(&diff.compared),
        "one_sided": only,
        "waivers": waivers,
        "changes": changes,
    });
    format!("{value:#}\n")
}

fn archs(diff: &Diff) -> String {
    if diff.compared.is_empty() { "no architecture".to_owned() } else { list(&diff.compared) }
}

fn on(change: &Change) -> String {
    if change.everywhere { String::new() } else { format!(" on {}", list(&change.archs)) }
}

/// `cap CAP_BPF, or cap CAP_SYS_ADMIN`
fn surroundings(change: &Change) -> String {
    change.cases.cases.iter().map(Case::condition).collect::<Vec<_>>().join(", or ")
}

fn subjects(change: &Change) -> Vec<String> {
    let mut names = change.calls.clone();
    if change.unnamed {
        names.push("every number without a name".to_owned());
    }
    names
}

fn pattern(change: &Change, case: &Case) -> String {
    case.pattern(change.calls.first().map_or("numbers without a name", String::as_str))
}

fn summary(diff: &Diff) -> String {
    let [wider, stricter, sideways] = SECTIONS.map(|(direction, _)| diff.count(direction));
    let mut parts = Vec::new();
    for (count, what) in [(wider, "more permissive"), (stricter, "stricter"), (sideways, "answered otherwise")] {
        if count > 0 {
            parts.push(format!("{} {what}", many(count, "call")));
        }
    }
    let only = diff.one_sided.iter().map(|only| only.archs.len()).sum::<usize>();
    if only > 0 {
        parts.push(format!("{} served by one of them only", many(only, "architecture")));
    }
    if !diff.waivers.is_empty() {
        parts.push(format!("{} of one of them only", many(diff.waivers.len(), "waiver")));
    }
    format!("{}; compared on {}", parts.join(", "), archs(diff))
}

/// Names with commas, in lines.
fn wrapped(names: &[String], width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for (index, name) in names.iter().enumerate() {
        let item = if index + 1 < names.len() { format!("{name},") } else { name.clone() };
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(&item),
            Some(line) if line.len() + 1 + item.len() <= width => {
                line.push(' ');
                line.push_str(&item);
            }
            _ => lines.push(item),
        }
    }
    lines
}
