//! What earlier checks of a file have worked out: an editor asks at every keystroke, and hardly anything changes.
//!
//! ```text
//! keystroke 7    nodes · claims of 51 files · JSON proven
//! keystroke 8    one file resolved anew · the same function: its JSON needs no second proof
//! ```
//!
//! INVARIANT: with or without a past, a check says the same.

use super::{Compiled, Format, Options};
use crate::diagram::Store;
use crate::policy::Policy;
use crate::resolve;

/// The past of a file.
#[derive(Debug, Default)]
pub struct Past {
    pub(super) store: Store,
    pub(super) memory: Memory,
}

impl Past {
    /// The nodes that were made.
    pub fn store(&self) -> &Store {
        &self.store
    }
}

impl Compiled {
    /// What the next check can use of this one.
    pub fn into_past(self) -> Past {
        Past { store: self.store, memory: self.memory }
    }
}

/// What was found of nodes of one store, and goes with it.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub resolved: resolve::Memo,
    sound: Option<Sound>,
}

/// A policy with whose outputs nothing was wrong.
#[derive(Debug)]
struct Sound {
    policy: Policy,
    options: Options,
    formats: Vec<Format>,
}

impl Memory {
    /// Whether it is known that nothing is wrong with the outputs of a policy.
    pub fn is_sound(&self, policy: &Policy, options: &Options, formats: &[Format]) -> bool {
        let same = |sound: &Sound| sound.policy == *policy && sound.options == *options && sound.formats == formats;
        self.sound.as_ref().is_some_and(same)
    }

    /// Remembers that it is so.
    pub fn note_sound(&mut self, policy: &Policy, options: &Options, formats: &[Format]) {
        let (policy, options, formats) = (policy.clone(), options.clone(), formats.to_vec());
        self.sound = Some(Sound { policy, options, formats });
    }
}
