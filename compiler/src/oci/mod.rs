//! The JSON of container runtimes: written, read, and understood as a runtime understands it.
//!
//! ```text
//! allow { read, socket(family == AF_UNIX) }, default deny
//! ```
//!
//! ```json
//! { "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
//!   "syscalls": [
//!     { "names": ["read"], "action": "SCMP_ACT_ALLOW" },
//!     { "names": ["socket"], "action": "SCMP_ACT_ALLOW",
//!       "args": [{ "index": 0, "value": 4294967295, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ" }] } ] }
//! ```
//!
//! [`write()`] makes the text, [`read()`] takes it apart again, and [`runtime::load`] says what comes of it on a
//! host: the diagram of what crun or runc, containers/common and libseccomp would install there. `write` does
//! all three and hands nothing out unless the last equals what it began with.

mod error;
mod lenient;
pub mod libseccomp;
pub mod paths;
pub mod profile;
pub mod prove;
pub mod read;
pub mod runtime;
pub mod sharing;
pub mod trial;
pub mod write;

#[cfg(test)]
mod tests;

pub use error::{WriteError, dropped};
pub use lenient::{Remark, read_lenient};
pub use profile::Profile;
pub use prove::{Proof, Under};
pub use read::{ReadError, read};
pub use runtime::{Loaded, Release};
pub use sharing::Fault;
pub use write::{Draft, Target, Warning, Written, draft, write};
