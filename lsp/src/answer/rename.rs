//! Another name for something that the policy defines: a group, a constant, a declared call or its parameter.
//!
//! ```text
//! group @net { … }   allow { @net }      →  @web at both places, in all files that share the name
//! ```
//!
//! Built-in things keep their names, and a name that somebody has already is refused.

use kpol_compiler::spec::Arch;
use kpol_compiler::{library, tables};
use kpol_grammar::ast::Span;

use super::{names, references};
use crate::marks::{self, Kind, Mark};
use crate::snapshot::Snapshot;
use crate::unit::Unit;
use crate::world::{Place, World};

/// What would be renamed: its place without an `@`, and its name so.
///
/// # Errors
/// Why nothing here has a name that could change.
pub fn prepare(world: &mut World, snapshot: &Snapshot, unit: &Unit, offset: u32) -> Result<(Span, String), String> {
    let mark = target(world, snapshot, unit, offset)?;
    let (name, span) = names::bare(&mark.name, mark.span);
    Ok((span, name))
}

fn target(world: &mut World, snapshot: &Snapshot, unit: &Unit, offset: u32) -> Result<Mark, String> {
    let mark = marks::at(unit.marks(), offset).cloned().ok_or("there is no name here")?;
    let word = match &mark.kind {
        Kind::Group | Kind::Constant { .. } | Kind::Syscall | Kind::Parameter { .. } => mark.name.as_str(),
        _ => return Err("this has no name of its own".to_owned()),
    };
    let definitions = names::definitions(world, snapshot, &unit.path, &mark);
    if definitions.iter().any(|definition| definition.builtin) {
        return Err(format!("`{word}` is part of kpolc"));
    }
    if definitions.is_empty() {
        return Err(match &mark.kind {
            Kind::Syscall if tables::syscall(word).is_some() => format!("`{word}` is the kernel's name"),
            Kind::Parameter { call } if tables::syscall(call).is_some() => format!("`{word}` is the kernel's name"),
            Kind::Constant { .. } if tables::is_constant(word) => format!("`{word}` is a constant of the kernel"),
            _ => format!("nothing defines `{word}`"),
        });
    }
    Ok(mark)
}

/// Every place where the new name goes, and what is written there.
///
/// # Errors
/// Why the name cannot be taken.
pub fn of(
    world: &mut World,
    snapshot: &Snapshot,
    unit: &Unit,
    offset: u32,
    name: &str,
) -> Result<Vec<(Place, String)>, String> {
    let mark = target(world, snapshot, unit, offset)?;
    let group = mark.kind == Kind::Group;
    let bare = name.strip_prefix('@').filter(|_| group).unwrap_or(name);
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || group && c == '-';
    let starts = bare.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' && !group);
    if !starts || !bare.chars().all(fits) {
        let more = if group { ", `-`" } else { "" };
        return Err(format!("`{name}` is no name: a letter, then letters, digits{more} and `_`"));
    }
    let full = if group { format!("@{bare}") } else { bare.to_owned() };
    let renamed = Mark { name: full.clone(), ..mark.clone() };
    if full != mark.name {
        let taken = match &mark.kind {
            Kind::Group => library::group_file(&full).is_some(),
            Kind::Constant { .. } => tables::is_constant(&full) || tables::errno(&full, Arch::X86_64).is_some(),
            Kind::Syscall => tables::syscall(&full).is_some(),
            _ => false,
        };
        if taken {
            return Err(format!("`{full}` is built in"));
        }
        if !references::uses(world, snapshot, &unit.path, &renamed).is_empty() {
            return Err(format!("`{full}` is taken"));
        }
    }
    let uses = references::uses(world, snapshot, &unit.path, &mark);
    let edit = |place: Place| Place { span: names::bare(&mark.name, place.span).1, path: place.path };
    Ok(uses.into_iter().map(|used| (edit(used.place), bare.to_owned())).collect())
}
