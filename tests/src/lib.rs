//! Rigs with which whole-system tests meet reality: kernels, the real libseccomp, container runtimes.
//!
//!     filter ─┬─ cbpf        interpreted here, without a kernel; two filters compared call by call
//!             ├─ kernel      installed on the running kernel, calls made under it
//!
//! A rig that lacks what it needs says so with [`Skip`]; see `README.md` here for what is skipped when.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the whole crate is tests")]

pub mod cbpf;
pub mod kernel;
pub mod probe;
pub mod skip;

pub use skip::Skip;
