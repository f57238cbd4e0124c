//! Meaning of the kpol language.

pub mod answer;
pub mod bpf;
pub mod diagnostic;
pub mod diagram;
pub mod driver;
pub mod library;
pub mod lint;
pub mod oci;
pub mod policy;
pub mod resolve;
pub mod source;
pub mod spec;
pub mod sys;
pub mod tables;
pub mod write;
