//! The decision diagram as a graph, for `dot` of Graphviz.
//!
//! ```text
//! socket ── family ──[== AF_UNIX]──────────────▶ allow
//!             └──────[!= AF_UNIX]── type ──[…]──▶ deny(EPERM)
//! ```
//!
//! A diagram asks about bits, 32 of them for `family == AF_UNIX`, and nobody reads that. So a node of the graph is a whole
//! argument, and each arrow a condition on it in the language ([`words::step`]); what is shared in the diagram is shared
//! in the picture. Each call that is looked at more closely has a frame of its own, one for all ABIs on which it
//! means the same. The others are listed by what they get.
//!
//! INVARIANT (bounded): at most 400 nodes a frame; what is left out is said.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::named_calls;
use crate::answer::words;
use crate::diagnostic::render::clean_line;
use crate::diagram::{Node, Store};
use crate::policy::Policy;
use crate::spec::arch::X32_BIT;
use crate::spec::{Action, Arch, Nr};

/// More nodes in one frame make a carpet, not a picture.
const MOST: usize = 400;
/// Conditions are broken into lines of about so many characters.
const WIDTH: usize = 44;
/// And lists of names.
const LIST: usize = 100;

/// A call with one meaning on some ABIs.
struct Frame<'a> {
    name: &'a str,
    numbers: Vec<(Arch, Nr)>,
    node: Node,
}

/// The graph of the calls of that name; of all, where none is named: those that are looked at have frames, and the others
/// are listed.
///
/// # Errors
/// A name that no ABI of the policy has.
pub fn write(file: &str, policy: &Policy, calls: &BTreeSet<String>, store: &mut Store) -> Result<String, String> {
    let frames = frames(policy);
    for name in calls {
        if !frames.iter().any(|frame| frame.name == name) {
            return Err(name.clone());
        }
    }
    let title = clean_line(file);
    let mut text = format!(
        "digraph {} {{
  graph [rankdir=LR, fontname=\"sans-serif\", fontsize=12, labelloc=t, label={}, compound=true, nodesep=0.15]
  node [shape=box, style=\"rounded,filled\", fillcolor=\"#ffffff\", fontname=\"sans-serif\", fontsize=11, height=0.3]
  edge [fontname=\"monospace\", fontsize=9, color=\"#555555\", arrowsize=0.7]
",
        quoted(&title),
        quoted(&title),
    );
    let drawn = frames.iter().filter(|frame| match calls.is_empty() {
        true => !frame.node.is_leaf(),
        false => calls.contains(frame.name),
    });
    for (index, frame) in drawn.enumerate() {
        cluster(&mut text, index, frame, store);
    }
    if calls.is_empty() {
        overview(&mut text, &frames, policy);
    }
    text.push_str("}\n");
    Ok(text)
}

/// Every call that has a name, once for each meaning.
fn frames(policy: &Policy) -> Vec<Frame<'_>> {
    let mut frames: BTreeMap<(&str, Node), Vec<(Arch, Nr)>> = BTreeMap::new();
    for &arch in &policy.archs {
        for (nr, name) in named_calls(policy, arch) {
            frames.entry((name, policy.function.at(arch, nr))).or_default().push((arch, nr));
        }
    }
    frames.into_iter().map(|((name, node), numbers)| Frame { name, numbers, node }).collect()
}

fn cluster(text: &mut String, index: usize, frame: &Frame<'_>, store: &mut Store) {
    let numbers: Vec<String> = frame
        .numbers
        .iter()
        .map(|(arch, nr)| {
            let own = if *arch == Arch::X32 { nr.0 & !X32_BIT } else { nr.0 };
            format!("{own} on {arch}")
        })
        .collect();
    let label = format!("{} ({})", frame.name, numbers.join(", "));
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "\n  subgraph cluster_{index} {{\n    graph [label={}, fontsize=14, style=rounded, color=\"#999999\"]",
        quoted(&broken(&label, WIDTH))
    );
    let arch = frame.numbers.first().map_or(Arch::X86_64, |(arch, _)| *arch);
    let mut names: BTreeMap<Node, usize> = BTreeMap::from([(frame.node, 0)]);
    let mut queue = vec![frame.node];
    let mut at = 0;
    let mut left_out = false;
    while let Some(&node) = queue.get(at) {
        let from = format!("c{index}_{at}");
        at += 1;
        let Some(step) = words::step(store, arch, Some(frame.name), node) else {
            let action = node.as_action().unwrap_or(Action::KillProcess);
            let _ = writeln!(
                text,
                "    {from} [label={}, fillcolor=\"{}\", shape=ellipse]",
                quoted(&action.to_string()),
                colour(action)
            );
            continue;
        };
        let _ = writeln!(text, "    {from} [label={}]", quoted(&step.subject));
        left_out |= !step.complete;
        for (test, rest) in step.ways {
            let number = match names.get(&rest) {
                Some(&number) => number,
                None if queue.len() < MOST => {
                    names.insert(rest, queue.len());
                    queue.push(rest);
                    queue.len() - 1
                }
                None => {
                    left_out = true;
                    continue;
                }
            };
            let _ = writeln!(text, "    {from} -> c{index}_{number} [label={}]", quoted(&broken(&test, WIDTH)));
        }
    }
    if left_out {
        let _ = writeln!(text, "    c{index}_more [label=\"… and more\", style=dashed]");
    }
    text.push_str("  }\n");
}

/// The calls whose arguments do not matter, by what they get.
fn overview(text: &mut String, frames: &[Frame<'_>], policy: &Policy) {
    let mut lists: BTreeMap<(Action, Vec<Arch>), Vec<&str>> = BTreeMap::new();
    for frame in frames {
        if let Some(action) = frame.node.as_action().filter(|action| *action != policy.default) {
            let archs = frame.numbers.iter().map(|(arch, _)| *arch).collect();
            lists.entry((action, archs)).or_default().push(frame.name);
        }
    }
    text.push_str("\n  subgraph cluster_others {\n    graph [label=\"whatever the arguments\", fontsize=14, style=rounded, color=\"#999999\"]\n");
    // Most permissive first.
    for (index, ((action, archs), names)) in lists.iter().rev().enumerate() {
        let archs: Vec<&str> = archs.iter().map(|arch| arch.name()).collect();
        let head = format!("{} on {}\\l", many(names.len()), archs.join(", "));
        let list = broken(&names.join(", "), LIST).replace('\n', "\\l");
        let _ = writeln!(
            text,
            "    o{index} [label=\"{head}{list}\\l\", fontsize=9]\n    a{index} [label={}, fillcolor=\"{}\", shape=ellipse]\n    o{index} -> a{index}",
            quoted(&action.to_string()),
            colour(*action)
        );
    }
    let _ = writeln!(
        text,
        "    rest [label=\"all other calls\"]\n    default [label={}, fillcolor=\"{}\", shape=ellipse]\n    rest -> default\n  }}",
        quoted(&policy.default.to_string()),
        colour(policy.default)
    );
}

/// Light enough for black letters; the word is what counts.
fn colour(action: Action) -> &'static str {
    match action {
        Action::Allow => "#c8e6c9",
        Action::Log => "#e6ee9c",
        Action::Trace(_) | Action::Notify => "#bbdefb",
        Action::Errno(_) => "#ffe0b2",
        Action::Trap(_) => "#ffccbc",
        Action::KillThread | Action::KillProcess => "#ffcdd2",
    }
}

fn many(calls: usize) -> String {
    if calls == 1 { "1 call".to_owned() } else { format!("{calls} calls") }
}

/// Broken at blanks into lines.
fn broken(text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split(' ') {
        if column > 0 {
            out.push(if column + word.len() > width { '\n' } else { ' ' });
            column = if column + word.len() > width { 0 } else { column + 1 };
        }
        out.push_str(word);
        column += word.len();
    }
    out
}

/// A string of the DOT language; in it only quotes and backslashes are special.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
