//! The prototype of the call whose parentheses are open.
//!
//! ```text
//! allow { socket(family == AF_UNIX, |      int socket(int family, int type, int protocol)
//!                                                                 ^^^^^^^^ the second condition
//! ```
//!
//! Conditions have no order. The parameter that a condition names is the one that is shown; where it names none yet, the
//! place counts.

use std::ops::Range;

use kpol_compiler::answer::about::call as about;
use kpol_compiler::spec::Arch;
use kpol_compiler::tables;

use super::{context, names};
use crate::snapshot::Snapshot;
use crate::unit::Unit;
use crate::world::World;

/// A prototype.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// All of it.
    pub label: String,
    /// Bytes of each parameter in it.
    pub parameters: Vec<Range<usize>>,
    /// Which one the cursor is about.
    pub active: Option<usize>,
}

/// The call around an offset.
pub fn of(world: &mut World, snapshot: &Snapshot, unit: &Unit, offset: u32) -> Option<Signature> {
    let (call, argument) = context::call_around(&unit.text, offset)?;
    let syscall = tables::syscall(&call)?;
    let archs = names::archs(&world.project(snapshot, &unit.path));
    let params = archs.iter().copied().chain(Arch::all()).find_map(|arch| syscall.params(arch))?;
    let mut label = format!("{call}(");
    let mut parameters = Vec::new();
    for (index, param) in params.iter().enumerate() {
        if index > 0 {
            label.push_str(", ");
        }
        let start = label.len();
        label.push_str(&about::declaration(param));
        parameters.push(start..label.len());
    }
    label.push(')');
    let tested = match context::of(&unit.text, offset).place {
        context::Place::Condition { tested: Some(name), .. } => crate::marks::parameter(&call, &name),
        _ => None,
    };
    let named = tested.and_then(|name| params.iter().position(|param| param.name == name));
    Some(Signature { label, active: named.or((argument < params.len()).then_some(argument)), parameters })
}
