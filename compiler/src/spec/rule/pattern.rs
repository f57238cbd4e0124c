//! Which calls a pattern matches.
//!
//! ```text
//! socket                              the call by that number, with any arguments; socketcall(1, …) where there is one
//! socket(family == AF_UNIX)           the call by that number, if the condition holds; of socketcall(1, …) nobody knows
//! @net except { socket, bind(fd == 3) }   what the group matches, and none of these does
//! ```

use kpol_grammar::ast::{Pattern, PatternKind};

use super::{MAX_STEPS, Scene, Undefined, arch, undefined};
use crate::spec::arch::X32_BIT;
use crate::spec::{Arch, Nr, multiplex};
use crate::tables;

/// Whether arguments that `socketcall` and `ipc` hide fulfil a condition.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hidden {
    Never,
    Always,
}

impl Scene<'_> {
    /// Whether one of the patterns matches the call.
    pub(super) fn any_matches(&self, patterns: &[Pattern]) -> Result<bool, Undefined> {
        self.any_matches_within(patterns, Hidden::Never, 0)
    }

    /// The same, where what no filter sees counts as if it fulfilled every condition.
    pub(super) fn any_reached(&self, patterns: &[Pattern]) -> Result<bool, Undefined> {
        self.any_matches_within(patterns, Hidden::Always, 0)
    }

    fn any_matches_within(&self, patterns: &[Pattern], hidden: Hidden, steps: usize) -> Result<bool, Undefined> {
        let mut any = false;
        for pattern in patterns {
            any |= self.matches(pattern, hidden, steps)?;
        }
        Ok(any)
    }

    /// Recursion is bounded by the parser's nesting, and through groups by `steps`.
    fn matches(&self, pattern: &Pattern, hidden: Hidden, steps: usize) -> Result<bool, Undefined> {
        let matched = match &pattern.kind {
            PatternKind::Call { name, conditions } => {
                let mut matched = self.number(&name.text)? == Some(self.call.nr);
                if matched {
                    for condition in conditions {
                        matched &= self.condition(condition, &name.text)?.holds(&self.call.args);
                    }
                }
                let known = conditions.is_empty() || hidden == Hidden::Always;
                matched || known && self.is_reached_through_another(&name.text)?
            }
            PatternKind::Group(name) => self.group_matches(&name.text, hidden, steps)?,
        };
        // Nobody knows of hidden arguments that they are excepted.
        Ok(matched && !self.any_matches_within(&pattern.except, Hidden::Never, steps)?)
    }

    /// Whether the call is `socketcall` or `ipc` on its way to the code of `name`.
    fn is_reached_through_another(&self, name: &str) -> Result<bool, Undefined> {
        let Some((through, first)) = tables::syscall(name).and_then(multiplex::other_way) else { return Ok(false) };
        let argument = self.call.args[0] & u64::from(through.mask(self.call.arch));
        Ok(self.number(through.call().name())? == Some(self.call.nr) && argument == u64::from(first))
    }

    /// A group may be said in several parts; each holds what its guards let it.
    fn group_matches(&self, name: &str, hidden: Hidden, steps: usize) -> Result<bool, Undefined> {
        if steps > MAX_STEPS {
            return undefined(format!("{name} in a circle"));
        }
        let mut any = false;
        for patterns in self.groups.get(name).into_iter().flatten() {
            any |= self.any_matches_within(patterns, hidden, steps + 1)?;
        }
        Ok(any)
    }

    /// The number of a call where this one happens: as declared, or as the tables have it.
    pub(super) fn number(&self, name: &str) -> Result<Option<Nr>, Undefined> {
        let here = self.call.arch;
        if let Some(declared) = self.declared.get(name) {
            for on in declared.archs {
                if arch(on)? != here {
                    continue;
                }
                let number = u32::try_from(self.number_of(declared.number)?);
                let Ok(plain) = number else { return undefined("a number of a call") };
                return Ok(Some(Nr(if here == Arch::X32 { plain | X32_BIT } else { plain })));
            }
        }
        Ok(tables::syscall(name).and_then(|call| call.nr(here)))
    }
}
