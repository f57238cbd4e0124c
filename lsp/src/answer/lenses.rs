//! Lines above a statement, and what they lead to.
//!
//! ```text
//! allows 214 of 373 on x86_64 · JSON · BPF
//! default deny
//! 3 uses
//! group @worker { … }
//! ```

use std::path::Path;

use kpol_compiler::diagnostic::Severity;
use kpol_compiler::driver::{self, Format};
use kpol_compiler::source::Loader;
use kpol_grammar::ast::{Span, StatementKind};

use super::{names, references, verdict};
use crate::marks::{self, Kind};
use crate::snapshot::Snapshot;
use crate::unit::Unit;
use crate::world::World;

/// What a lens is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// How many calls run.
    Counts,
    /// The JSON that would be written.
    Json,
    /// The BPF program that would be written.
    Bpf,
    /// How often a name is used.
    Uses,
}

/// The lenses of a file, without their words: those cost more.
pub fn of(unit: &Unit) -> Vec<(Span, About)> {
    let mut lenses = Vec::new();
    for statement in names::all_statements(unit.file()) {
        match &statement.kind {
            StatementKind::Default { action, .. } => {
                lenses.extend([About::Counts, About::Json, About::Bpf].map(|about| (action.word.span, about)));
            }
            StatementKind::Group { name, .. } => lenses.push((name.span, About::Uses)),
            _ => {}
        }
    }
    lenses
}

/// What a lens says.
pub fn words(world: &mut World, snapshot: &Snapshot, unit: &Unit, at: Span, about: About) -> String {
    match about {
        About::Json => "JSON".to_owned(),
        About::Bpf => "BPF".to_owned(),
        About::Counts => counts(world, snapshot, &unit.path),
        About::Uses => {
            let mark = marks::at(unit.marks(), at.start).filter(|mark| mark.kind == Kind::Group).cloned();
            let uses = mark.map(|mark| references::uses(world, snapshot, &unit.path, &mark)).unwrap_or_default();
            let count = uses.iter().filter(|used| !used.defines).count();
            if count == 1 { "1 use".to_owned() } else { format!("{count} uses") }
        }
    }
}

fn counts(world: &mut World, snapshot: &Snapshot, path: &Path) -> String {
    let findings = world.check(snapshot, path);
    if findings.values().flatten().any(|finding| finding.severity == Severity::Error) {
        return "has errors".to_owned();
    }
    let Some((compiled, _)) = world.compiled(snapshot, path) else { return "has errors".to_owned() };
    let counts = verdict::counts(compiled);
    let one = |count: &verdict::Count| {
        let conditional =
            if count.conditional > 0 { format!(", {} by arguments", count.conditional) } else { String::new() };
        format!("allows {} of {} on {}{conditional}", count.allowed, count.all, count.arch)
    };
    counts.iter().map(one).collect::<Vec<_>>().join(" · ")
}

/// What `kpolc build` would write, as text.
///
/// # Errors
/// What is in the way, in a line each.
pub fn preview(world: &mut World, snapshot: &Snapshot, path: &Path, about: About) -> Result<String, String> {
    let format = if about == About::Bpf { Format::Asm } else { Format::Json };
    let options = world.options(snapshot, path);
    let (checked, products) = driver::build(snapshot as &dyn Loader, path, &options, &[format]);
    let Some(product) = products.into_iter().next() else {
        let lines = checked.diagnostics.iter().map(|found| format!("{}: {}", found.code.as_str(), found.message));
        let lines: Vec<String> = lines.collect();
        return Err(if lines.is_empty() { "there is nothing to build".to_owned() } else { lines.join("\n") });
    };
    String::from_utf8(product.bytes).map_err(|error| error.to_string())
}
