//! A short run of the fuzzer in every test run; a long one by
//!
//! ```text
//! KPOL_FUZZ=100000 cargo test -p kpol-tests --test fuzz       so many inputs instead of a few
//! KPOL_FUZZ_SEED=4711 …                                       another beginning; a failure names its seed
//! ```
//!
//! See `kpol_tests::fuzz` for what must hold, and `fuzz/` for the same targets under libFuzzer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};

use kpol_compiler::diagnostic::Code;
use kpol_compiler::driver::Format;
use kpol_tests::fuzz::cost::{Counting, MANY, cost, costs_by_length, multiplying};
use kpol_tests::fuzz::{self, Random, mutate, mutate_bpf, mutate_json};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

fn run<T: Debug>(few: u64, make: impl Fn(&mut Random) -> T, target: impl Fn(&T)) {
    let begin = number("KPOL_FUZZ_SEED").unwrap_or(1);
    for seed in begin..begin + number("KPOL_FUZZ").unwrap_or(few) {
        let input = make(&mut Random::new(seed));
        if catch_unwind(AssertUnwindSafe(|| target(&input))).is_err() {
            let name = std::thread::current().name().unwrap_or("").to_owned();
            let again = format!("KPOL_FUZZ_SEED={seed} KPOL_FUZZ=1 cargo test -p kpol-tests --test fuzz {name}");
            panic!("the input of seed {seed} breaks it (see above); again: {again}\n{input:?}");
        }
    }
}

fn texts(products: Vec<Vec<u8>>) -> Vec<String> {
    products.into_iter().map(|bytes| String::from_utf8(bytes).unwrap()).collect()
}

#[test]
fn the_parser_holds_for_every_text() {
    let corpus = fuzz::policies();
    run(2_000, |random| mutate(&corpus, random), |text| fuzz::parser(text));
}

#[test]
fn the_front_end_holds_for_every_text() {
    let corpus = fuzz::policies();
    run(100, |random| mutate(&corpus, random), |text| fuzz::front_end(text));
}

#[test]
fn edits_are_checked_as_if_anew() {
    let choices = |random: &mut Random| (0..48).map(|_| random.below(256) as u8).collect::<Vec<u8>>();
    run(60, choices, |bytes| fuzz::edits(bytes));
}

#[test]
fn a_text_costs_what_its_length_allows() {
    run(20, multiplying, |text| costs_by_length(text));
    let corpus = fuzz::policies();
    run(20, |random| mutate(&corpus, random), |text| costs_by_length(text));
}

#[test]
fn what_is_four_times_as_long_costs_four_times_as_much() {
    let mut wrong = String::new();
    for (name, text) in MANY {
        let (short, long) = (text(60), text(240));
        let ((once, _), (four_times, codes)) = (cost(&short), cost(&long));
        // Twice as much is left for tables that double when they are full. The square would be sixteen times.
        let most = |once: usize| 8 * once + (1 << 20);
        if four_times.total > most(once.total) || four_times.peak > most(once.peak) {
            wrong +=
                &format!("{name}: {once:?} for {} bytes, {four_times:?} for {}; {codes:?}\n", short.len(), long.len());
        }
        costs_by_length(&long);
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn what_multiplies_ends_with_an_error_in_words() {
    let found = |text: &str| cost(text).1.contains(&Code::E008);
    let many = |name: &str, n: usize| MANY.iter().find(|(known, _)| *known == name).unwrap().1(n);
    // The same value by many ways is one value.
    assert!(!found(&many("sets in sets", 60)));
    let values: Vec<String> = (0..1_500).map(|value| value.to_string()).collect();
    let sets: String = (0..1_500).map(|index| format!("const C{index} = {{B, {index}}}\n")).collect();
    assert!(found(&format!("default deny\nconst B = {{{}}}\n{sets}", values.join(", "))));
    let archs = "arch x86_64, x86, x32, aarch64, arm, riscv64, s390x, ppc64le\n";
    assert!(!found(&format!("{archs}{}", many("one group many times", 100))));
    assert!(found(&format!("{archs}{}", many("one group many times", 1_500))));
}

#[test]
fn questions_hold_for_every_text() {
    let corpus = fuzz::calls();
    run(200, |random| mutate(&corpus, random), |text| fuzz::call(text));
}

#[test]
fn the_reader_of_json_holds_for_every_text() {
    let corpus = texts(fuzz::products(Format::Json));
    run(150, |random| mutate_json(&corpus, random), |text| fuzz::json(text.as_bytes()));
}

#[test]
fn the_reader_of_filters_holds_for_all_bytes() {
    let corpus = fuzz::products(Format::Bpf);
    run(300, |random| mutate_bpf(&corpus, random), |bytes| fuzz::bpf(bytes));
}
