//! `kpol_tests::fuzz::front_end`, fed by libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| kpol_tests::fuzz::front_end(text));
