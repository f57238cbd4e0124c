//! Texts that are dear to check: the dearer, the more interesting.

#![no_main]

use kpol_tests::fuzz::cost::{Counting, costs_by_length};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

libfuzzer_sys::fuzz_target!(|text: &str| costs_by_length(text));
