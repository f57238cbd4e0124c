//! `kpol_tests::fuzz::call`, fed by libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| kpol_tests::fuzz::call(text));
