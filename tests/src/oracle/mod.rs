//! A second opinion on what a policy means, which shares no code and no table with the compiler.
//!
//! ```text
//! random data ──┬─ print     a policy as text  ── kpolc ── filter ── machine ── what a call gets
//!               └─ evaluate  what the data says of the call          ... must be the same
//! ```
//!
//! A policy is made as data ([`policy`]), never parsed. Prototypes come from the running kernel's tracefs, numbers from the
//! headers of the C library, constants from the crate `libc` ([`facts`]). So a mistake in the parser, in names, widths, signs,
//! levels, guards or the code generators of kpol has no twin here.
//!
//! INVARIANT: no file of this folder names the compiler's crates; `tests/house.rs` looks.

pub mod evaluate;
pub mod facts;
pub mod generate;
pub mod machine;
pub mod policy;
pub mod print;
