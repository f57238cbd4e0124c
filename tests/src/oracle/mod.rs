//! A second opinion on what a policy means, which shares no code and no table with the compiler.
//!
//! ```text
//! random data ──┬─ print     a policy as text  ── kpolc ── filter ── machine ── what a call gets
//!               └─ evaluate  what the data says of the call          ... must be the same
//! ```
//!
//! A policy is made as data ([`policy`]), never parsed. Prototypes come from the running kernel's tracefs for x86_64 and from the
//! kernel's sources for the other ABIs, numbers from its headers, constants from the crate `libc` ([`facts`]). So a mistake in the parser, in names, widths, signs,
//! levels, guards or the code generators of kpol has no twin here.
//!
//! INVARIANT: no file of this folder names the compiler's crates; `tests/house.rs` looks.

pub mod abi;
pub mod asserts;
pub mod evaluate;
pub mod facts;
pub mod generate;
pub mod machine;
pub mod numbers;
pub mod policy;
pub mod print;
pub mod sources;
pub mod tracefs;
