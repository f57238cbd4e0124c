//! Changes that overtook one another on their way, put in the order of their versions.
//!
//! ```text
//! v3 "socket(family"    v5 insert "f" at 7      v4 delete 7..13      arrived
//! v3 "socket(family"    v4 delete 7..13         v5 insert "f" at 7   made: "socket(f"
//! ```
//!
//! A client must not let that happen, and Helix 25.01 does: it sends each message from a task of its own. A change that is
//! applied out of turn makes a text that nobody has, and every answer is wrong until the file is opened anew. So the texts
//! before the last few changes are kept. A change that comes late is applied where it belongs, and those behind it
//! again.
//!
//! INVARIANT: the versions in `recent` grow.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use crate::state::Change;

/// How many changes may overtake one.
const MOST: usize = 8;

/// A text and its version.
pub type Text = (i32, Arc<str>);

/// What was done to a text not long ago.
#[derive(Debug)]
struct Step {
    before: Text,
    version: i32,
    changes: Vec<Change>,
}

/// The last changes of all open files.
#[derive(Debug, Default)]
pub struct Late {
    recent: HashMap<Arc<str>, VecDeque<Step>>,
    /// Changes of files that were never open, and whose opening may be on its way.
    early: Vec<(Arc<str>, i32, Vec<Change>)>,
    closed: HashSet<Arc<str>>,
}

impl Late {
    /// A file is opened: the changes that came before that, in their order.
    pub fn open(&mut self, uri: &str, version: i32) -> Vec<(i32, Vec<Change>)> {
        self.recent.remove(uri);
        let mut own = Vec::new();
        for (of, early, changes) in std::mem::take(&mut self.early) {
            if *of == *uri {
                own.push((early, changes));
            } else {
                self.early.push((of, early, changes));
            }
        }
        own.retain(|&(early, _)| early > version);
        own.sort_by_key(|&(version, _)| version);
        own
    }

    /// A file is closed. What comes now for it comes too late.
    pub fn close(&mut self, uri: &str) {
        self.recent.remove(uri);
        self.closed.insert(uri.into());
    }

    /// A change of a file that is not open.
    pub fn early(&mut self, uri: &str, version: i32, changes: Vec<Change>) {
        if self.early.len() < MOST && !self.closed.contains(uri) {
            self.early.push((uri.into(), version, changes));
        }
    }

    /// The text to change, and what to do to it: the change itself, and those that overtook it.
    pub fn turn(
        &mut self,
        uri: &str,
        text: Text,
        version: i32,
        changes: Vec<Change>,
    ) -> (Text, Vec<(i32, Vec<Change>)>) {
        let recent = self.recent.entry(uri.into()).or_default();
        let behind = recent.partition_point(|step| step.version < version);
        // It is late only where one is missing: some clients count nothing, and send one version for ever. What has the
        // whole text depends on no other change, and is taken as it comes.
        let late = recent.get(behind).is_some_and(|step| step.before.0 < version && version < step.version)
            && changes.iter().all(|change| change.range.is_some());
        let overtook: Vec<Step> = if late { recent.drain(behind..).collect() } else { Vec::new() };
        let text = overtook.first().map_or(text, |first| first.before.clone());
        let later = overtook.into_iter().map(|step| (step.version, step.changes));
        (text, std::iter::once((version, changes)).chain(later).collect())
    }

    /// A change was made to a text.
    pub fn made(&mut self, uri: &str, before: Text, version: i32, changes: Vec<Change>) {
        let recent = self.recent.entry(uri.into()).or_default();
        // Where versions do not grow there is no order to keep.
        if recent.back().is_some_and(|last| last.version >= version) {
            recent.clear();
        }
        recent.push_back(Step { before, version, changes });
        if recent.len() > MOST {
            recent.pop_front();
        }
    }
}
