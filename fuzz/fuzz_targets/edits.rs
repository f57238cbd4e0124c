//! `kpol_tests::fuzz::edits`, fed by libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kpol_tests::fuzz::edits(bytes));
