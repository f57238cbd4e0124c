//! Who makes the products. The proof trusts nobody, so that it does not matter who does.
//!
//! ```text
//! policy ── Writer ──→ JSON, filter ── read back, compared ──→ Product, or E099 with a call
//! ```
//!
//! kpolc is [`Own`]. Tests put others in its place, who make mistakes on purpose, and see that nothing of theirs is
//! handed out.

use crate::bpf;
use crate::diagram::Store;
use crate::oci;
use crate::policy::Policy;

/// Makes products, which nobody has proven yet.
pub trait Writer: Sync {
    /// The profile for runtimes.
    fn json(
        &self,
        store: &mut Store,
        policy: &Policy,
        target: &oci::Target,
    ) -> Result<oci::Draft, Vec<oci::WriteError>> {
        oci::draft(store, policy, target)
    }

    /// The filter for the kernel.
    fn bpf(&self, store: &mut Store, policy: &Policy, aim: &bpf::Aim) -> Result<bpf::Program, bpf::WriteError> {
        bpf::write(store, policy, aim)
    }
}

/// The writers of this crate.
#[derive(Debug, Clone, Copy, Default)]
pub struct Own;

impl Writer for Own {}
