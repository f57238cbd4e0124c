//! `kpol_tests::fuzz::bpf`, fed by libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kpol_tests::fuzz::bpf(bytes));
