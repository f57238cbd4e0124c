//! What always holds: the compiler against the plain evaluator in `spec::rule`, on random policies.
//!
//! ```text
//! choices → a policy as text ─┬─ driver::check, driver::build → diagram, JSON, BPF ─┐
//!                             └─ parse → spec::rule::Policy ────────────────────────┴─ the same answer to every call
//! ```
//!
//! `KPOL_CASES=10000 cargo test -p kpol-compiler --test laws` tries more than the few of every run. A failure prints the
//! smallest policy that shows it, formatted, and the call.
//!
//! | file | does |
//! |---|---|
//! | `program`, `condition`, `value` | make valid policies |
//! | `text` | text that can be shuffled and spaced anew |
//! | `sample` | calls at the edges of what a policy names |
//! | `witness` | reads the calls in messages |
//! | `world` | both roads from a text to an answer |
//! | `meaning`, `outputs`, `round_trip` | laws |
//! | `reading` | what is printed as a condition, read again |
//! | `mutants` | products broken on purpose, which no proof may accept |
//! | `solvers` | what z3, cvc5 and bitwuzla say of filters and of broken ones |
//! | `surprises` | cases that a user may not expect, by hand |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod choices;
mod condition;
mod meaning;
mod mutants;
mod outputs;
mod program;
mod reading;
mod round_trip;
mod sample;
mod solvers;
mod surprises;
mod text;
mod value;
mod witness;
mod world;

use proptest::prelude::*;

/// How many policies each law is tried on, unless `KPOL_CASES` says so.
fn config(cases: u32) -> ProptestConfig {
    let cases = std::env::var("KPOL_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(cases);
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() }
}

/// What a generator chooses from.
fn numbers() -> impl Strategy<Value = Vec<u16>> {
    prop::collection::vec(any::<u16>(), 0..400)
}
