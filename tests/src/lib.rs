//! Rigs with which whole-system tests meet reality: kernels, the real libseccomp, container runtimes.
//!
//! ```text
//! policy ─── policy       through the whole compiler: JSON, filter, and what it means
//! filter ─┬─ cbpf        interpreted here, without a kernel; two filters compared call by call
//!         ├─ kernel      installed on the running kernel, calls made under it
//!         ├─ arm64       the same on an arm64 kernel in a virtual machine
//!         ├─ effects     ways to bring an effect about, tried under it on every kernel
//!         ├─ audit       and what the kernel writes down of them
//!         └─ containers  by crun's annotation
//! JSON   ─┬─ libseccomp  what crun and runc would load, as a filter
//!         ├─ installed   what they do load, as a filter
//!         └─ containers  by crun, runc and podman themselves
//! ```
//!
//! Programs of others in containers, start to end: `service`. The language server, at work in real editors: `editors`. A rig that lacks what it needs says so with [`Skip`]; see `README.md` here for what is skipped when.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the whole crate is tests")]

pub mod arm64;
pub mod audit;
pub mod binaries;
pub mod case;
pub mod cbpf;
pub mod containers;
pub mod dirty;
pub mod draw;
pub mod editors;
pub mod effects;
pub mod fuzz;
pub mod installed;
pub mod kernel;
pub mod libseccomp;
pub mod machine;
pub mod oracle;
pub mod policy;
pub mod probe;
pub mod profile;
pub mod service;
pub mod skip;
pub mod tools;

pub use skip::Skip;
