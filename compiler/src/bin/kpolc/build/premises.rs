//! For whom a proof holds, and what they do beside.
//!
//! ```text
//! web.json: proven equal to web.kpol for 2 ABIs (x86_64 and aarch64), as runc 1.1.5 with libseccomp 2.5.4 loads it; …
//! runc 1.1.5 answers ENOSYS above number 437 (`openat2`) on x86_64, not deny(EPERM)
//! ```

use std::collections::BTreeSet;

use kpol_compiler::driver::stubs;
use kpol_compiler::oci::Proof;
use kpol_compiler::oci::runtime::{
    OLDEST_IN, OLDEST_LIBSECCOMP, STRICTEST, STRICTEST_IN, Stack, load_it, release_text,
};

/// What a sentence about products of these proofs adds; `alone` if it is about JSON only.
pub fn premise(proofs: &[Proof], alone: bool) -> String {
    let stacks: BTreeSet<Vec<Stack>> = proofs.iter().map(stacks).collect();
    let json = if alone { "" } else { "the JSON " };
    match stacks.iter().collect::<Vec<_>>()[..] {
        [] => String::new(),
        [one] => format!(", {json}as {}", load_it(one)),
        _ => format!(", {json}as the runtimes of its kpol.toml load it"),
    }
}

fn stacks(proof: &Proof) -> Vec<Stack> {
    proof.under.iter().map(|under| under.stack).collect()
}

/// What a reader of the sentence has to know besides: a line for each runtime, one at most where none is named.
pub fn notes(proofs: &[Proof]) -> Vec<String> {
    let mut notes = Vec::new();
    let under: Vec<_> = proofs.iter().flat_map(|proof| &proof.under).filter(|under| !under.stubs.is_empty()).collect();
    for (index, one) in under.iter().enumerate() {
        if under[..index].iter().any(|before| before.stack == one.stack) {
            continue;
        }
        // Of many files the numbers would be many lines.
        let alike = under.iter().all(|other| other.stack != one.stack || other.stubs == one.stubs);
        let what = if alike {
            stubs(&one.stubs)
        } else {
            "answers ENOSYS above the highest number that a file names".to_owned()
        };
        notes.push(format!("{} {what}, not the default", one.stack.runtime));
    }
    notes.extend(unnamed(proofs));
    notes
}

/// What a reader has to know where nobody said which runtime loads the files.
pub fn unnamed(proofs: &[Proof]) -> Vec<String> {
    elsewhere(proofs).into_iter().chain(older(proofs)).collect()
}

/// For what the strictest runtime in support would start no container.
fn elsewhere(proofs: &[Proof]) -> Vec<String> {
    let mut lines: Vec<String> = proofs
        .iter()
        .flat_map(|proof| &proof.elsewhere)
        .map(|refused| {
            let since = refused.since.as_deref().unwrap_or("a later release");
            format!(
                "{STRICTEST} ({STRICTEST_IN}) starts no container under this: it does not take {}, {} {since} does",
                refused.what,
                STRICTEST.kind.name()
            )
        })
        .collect();
    lines.sort_unstable();
    lines.dedup();
    lines
}

/// What the oldest libseccomp in support would drop, where nobody said which one it is.
fn older(proofs: &[Proof]) -> Option<String> {
    const MOST: usize = 6;
    let names: BTreeSet<&str> = proofs.iter().flat_map(|proof| proof.older.iter().copied()).collect();
    if names.is_empty() {
        return None;
    }
    let mut list: Vec<String> = names.iter().take(MOST).map(|name| format!("`{name}`")).collect();
    if names.len() > MOST {
        list.push(format!("{} more", names.len() - MOST));
    }
    Some(format!(
        "libseccomp {} ({OLDEST_IN}) would drop what is refused here of {}: say by --runtime or --libseccomp what \
         loads this",
        release_text(OLDEST_LIBSECCOMP),
        list.join(", ")
    ))
}
