//! Where a name gets its meaning.
//!
//! ```text
//! web.kpol:   include "base.kpol"   allow { @net }      @net → base.kpol, `group @net`
//! ```
//!
//! All files of a policy share their names. A file that others include may use names that only they define, so where it
//! has no definition itself, open files that lead to it are asked.

use std::path::Path;
use std::sync::Arc;

pub use kpol_compiler::answer::about::some_of;
use kpol_compiler::spec::Arch;
use kpol_grammar::ast::{File, Name, Span, Statement, StatementKind};

use crate::marks::{Kind, Mark};
use crate::snapshot::Snapshot;
use crate::unit::Unit;
use crate::world::{Place, Project, World};

/// A place where it is said what a name means.
#[derive(Debug, Clone)]
pub struct Definition {
    /// The name there.
    pub place: Place,
    /// The text that it is in.
    pub unit: Arc<Unit>,
    /// Part of kpolc itself.
    pub builtin: bool,
}

impl Definition {
    /// The statement that defines.
    pub fn statement(&self) -> Option<&Statement> {
        statement_at(self.unit.file(), self.place.span.start)
    }
}

/// Whether two marks can mean the same thing.
pub fn same_kind(a: &Kind, b: &Kind) -> bool {
    match (a, b) {
        (Kind::Parameter { call }, Kind::Parameter { call: other }) => call == other,
        _ => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}

/// What a text defines of a kind under the names that are wanted, each with its author's comment.
pub fn defined<'a>(
    unit: &'a Unit,
    kind: &'a Kind,
    wanted: impl Fn(&str) -> bool + 'a,
) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
    let marks =
        unit.marks().iter().filter(move |mark| mark.defines && same_kind(&mark.kind, kind) && wanted(&mark.name));
    marks.map(|mark| (&*mark.name, statement_at(unit.file(), mark.span.start).and_then(|found| found.doc.as_deref())))
}

/// All definitions of a name that a file sees.
pub fn definitions(world: &mut World, snapshot: &Snapshot, path: &Path, mark: &Mark) -> Vec<Definition> {
    for root in world.roots_of(snapshot, path) {
        let found = in_project(&world.project(snapshot, &root), &mark.kind, &mark.name);
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

fn in_project(project: &Project, kind: &Kind, name: &str) -> Vec<Definition> {
    let mut found = Vec::new();
    for member in &project.members {
        let here =
            member.unit.marks().iter().filter(|mark| mark.defines && mark.name == name && same_kind(&mark.kind, kind));
        found.extend(here.map(|mark| Definition {
            place: Place { path: member.unit.path.clone(), span: mark.span },
            unit: Arc::clone(&member.unit),
            builtin: member.builtin,
        }));
    }
    found
}

/// The innermost statement at an offset. Recursion is bounded by the parser's nesting.
pub fn statement_at(file: &File, offset: u32) -> Option<&Statement> {
    fn find(statements: &[Statement], offset: u32) -> Option<&Statement> {
        let statement = statements.iter().find(|statement| statement.span.touches(offset))?;
        match &statement.kind {
            StatementKind::When { body, .. } => find(body, offset).or(Some(statement)),
            _ => Some(statement),
        }
    }
    find(&file.statements, offset)
}

/// Every statement of a file, those in `when` too.
pub fn all_statements(file: &File) -> Vec<&Statement> {
    fn add<'a>(statements: &'a [Statement], all: &mut Vec<&'a Statement>) {
        for statement in statements {
            all.push(statement);
            if let StatementKind::When { body, .. } = &statement.kind {
                add(body, all);
            }
        }
    }
    let mut all = Vec::new();
    add(&file.statements, &mut all);
    all
}

/// ABIs that `arch` statements of a file's policy name. Without one a policy is for both of the ABIs that it is
/// proven for.
pub fn archs(project: &Project) -> Vec<Arch> {
    let stated = |file: &File| -> Vec<Arch> {
        let names = file.statements.iter().flat_map(|statement| match &statement.kind {
            StatementKind::Arch(names) => names.as_slice(),
            _ => &[],
        });
        names.filter_map(|name: &Name| Arch::from_name(&name.text)).collect()
    };
    let own = project.members.first().map(|member| stated(member.unit.file())).unwrap_or_default();
    let mut archs = if own.is_empty() {
        project.members.iter().flat_map(|member| stated(member.unit.file())).collect()
    } else {
        own
    };
    archs.sort_unstable();
    archs.dedup();
    if archs.is_empty() { vec![Arch::X86_64, Arch::Aarch64] } else { archs }
}

/// The span of a name without its `@`, which an editor would not replace.
pub fn bare(name: &str, span: Span) -> (String, Span) {
    match name.strip_prefix('@') {
        Some(bare) => (bare.to_owned(), Span { start: span.start + 1, end: span.end }),
        None => (name.to_owned(), span),
    }
}
