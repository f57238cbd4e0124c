//! The same policy with its refusals logged: what a program calls is seen, and nothing of it fails.
//!
//! ```text
//! default deny(EPERM)                                            default log
//! allow { read, socket(family == AF_UNIX) }     complains as     allow { read, socket(family == AF_UNIX) }
//! deny(ENOSYS) { clone3 }                                        deny(ENOSYS) { clone3 }
//! kill { ptrace }                                                log { ptrace }
//! notify { mount }                                               notify { mount }
//! ```
//!
//! - ENOSYS stays. A program that is told so takes an older call, and that is the one to see: behind a logged `clone3` it would never call
//!   `clone`, and a policy that is made of the log would be wrong.
//! - What runs stays as it is, and so does what a tracer or a listener decides.
//! - ABIs that the policy does not list still end the process: no rule is about them, and a filter that lets them through would
//!   show nothing of them but numbers.
//!
//! The products protect from nothing. They are made of policies that are sound: asserts are proven of the policy itself.

use super::Policy;
use crate::diagram::{Leaf, Store};
use crate::spec::{Action, Arch};
use crate::tables;

impl Policy {
    /// Every refusal becomes `log`, but for ENOSYS.
    pub fn complain(&mut self, store: &mut Store) {
        for (&arch, table) in &mut self.function.tables {
            *table = table.map(|node| {
                store.map(node, &|leaf| match leaf {
                    Leaf::Act(action) => Leaf::Act(complaint(action, arch)),
                    other => other,
                })
            });
        }
        for (&(arch, _), rules) in &mut self.said {
            rules.iter_mut().for_each(|(_, action)| *action = complaint(*action, arch));
        }
        // All defaults are one number, or JSON would have refused them before.
        let arch = self.archs.first().copied().unwrap_or(Arch::X86_64);
        self.default = complaint(self.default, arch);
    }
}

/// What stands for an action.
fn complaint(action: Action, arch: Arch) -> Action {
    match action {
        Action::Errno(number) if tables::errno("ENOSYS", arch) == Some(number) => action,
        Action::Errno(_) | Action::KillProcess | Action::KillThread | Action::Trap(_) => Action::Log,
        Action::Allow | Action::Log | Action::Trace(_) | Action::Notify => action,
    }
}
