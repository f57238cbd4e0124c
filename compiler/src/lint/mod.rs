//! Warnings about what a policy says, one file each. A warning never changes meaning.

use crate::diagram::Store;
use crate::driver::Options;
use crate::policy::Policy;
use crate::resolve::{Resolved, Sink};
use crate::source::graph::Graph;

/// Everything that a lint may look at.
pub struct Context<'a> {
    /// The files.
    pub graph: &'a Graph,
    /// The rules.
    pub resolved: &'a Resolved,
    /// The function; `None` for a library.
    pub policy: Option<&'a Policy>,
    /// Target and environment.
    pub options: &'a Options,
    /// The store of all nodes.
    pub store: &'a mut Store,
    /// Where findings go.
    pub sink: &'a mut Sink,
}

/// Runs every lint.
pub fn lint(
    graph: &Graph,
    resolved: &Resolved,
    policy: Option<&Policy>,
    options: &Options,
    store: &mut Store,
    sink: &mut Sink,
) {
    let _context = Context { graph, resolved, policy, options, store, sink };
}
