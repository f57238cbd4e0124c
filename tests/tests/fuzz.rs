//! A short run of the fuzzer in every test run; a long one by
//!
//! ```text
//! KPOL_FUZZ=100000 cargo test -p kpol-tests --test fuzz       so many texts instead of a few
//! KPOL_FUZZ_SEED=4711 …                                       another beginning; a failure names its seed
//! ```
//!
//! See `kpol_tests::fuzz` for what must hold, and `fuzz/` for the same targets under libFuzzer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use kpol_tests::case::Case;
use kpol_tests::fuzz::{Random, front_end, mutate, parser};

fn collect(folder: &Path, corpus: &mut Vec<String>) {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let end = path.extension().and_then(|end| end.to_str()).unwrap_or("");
        if path.is_dir() {
            collect(&path, corpus);
        } else if end == "kpol" {
            corpus.push(fs::read_to_string(&path).unwrap());
        } else if end == "case" {
            let case = Case::parse(&fs::read_to_string(&path).unwrap());
            corpus.extend(case.files.into_iter().filter(|(name, _)| name.ends_with(".kpol")).map(|(_, text)| text));
        }
    }
}

fn corpus() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut corpus = Vec::new();
    for folder in ["tests/cases", "grammar/tests/cases", "examples", "compiler/library/profiles"] {
        collect(&root.join(folder), &mut corpus);
    }
    assert!(corpus.len() > 100);
    corpus
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

fn run(target: fn(&str), few: u64) {
    let corpus = corpus();
    let begin = number("KPOL_FUZZ_SEED").unwrap_or(1);
    for seed in begin..begin + number("KPOL_FUZZ").unwrap_or(few) {
        let text = mutate(&corpus, &mut Random::new(seed));
        if catch_unwind(AssertUnwindSafe(|| target(&text))).is_err() {
            let again = format!("KPOL_FUZZ_SEED={seed} KPOL_FUZZ=1 cargo test -p kpol-tests --test fuzz");
            panic!("the text of seed {seed} breaks it (see above); again: {again}\n{text}");
        }
    }
}

#[test]
fn the_parser_holds_for_every_text() {
    run(parser, 2_000);
}

#[test]
fn the_front_end_holds_for_every_text() {
    run(front_end, 100);
}
