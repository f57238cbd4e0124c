//! `kpol_tests::fuzz::parser`, fed by libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| kpol_tests::fuzz::parser(text));
