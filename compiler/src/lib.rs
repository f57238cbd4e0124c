//! Meaning of the kpol language.

pub mod bpf;
pub mod diagnostic;
pub mod diagram;
pub mod driver;
pub mod policy;
pub mod source;
pub mod spec;
pub mod tables;
