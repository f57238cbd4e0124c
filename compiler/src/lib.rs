//! Meaning of the kpol language: from text to filters that are proven to mean it.
//!
//! [`driver`] is the door. It takes a [`Loader`](source::Loader) (the disk, an editor, a test) and gives values; nothing here prints,
//! and nothing asks the machine that it runs on.
//!
//! ```
//! use std::path::Path;
//!
//! use kpol_compiler::bpf::{self, SeccompData};
//! use kpol_compiler::diagnostic::Code;
//! use kpol_compiler::driver::{Format, Options, build, check};
//! use kpol_compiler::source::Memory;
//! use kpol_compiler::spec::{Action, Arch, Call, Nr};
//!
//! let mut files = Memory::default();
//! files.insert("web.kpol", "default deny  allow { @default, socket(family == AF_UNIX) }");
//! files.insert("slip.kpol", "default deny  allow { @default, socket(famly == AF_UNIX) }");
//! let options = Options::default();
//!
//! // A product is handed out only if it was read back and meant the policy, for these ABIs.
//! let (checked, products) = build(&files, Path::new("web.kpol"), &options, &[Format::Bpf]);
//! assert!(!checked.has_errors());
//! assert_eq!(products[0].proven, [Arch::X86_64, Arch::Aarch64]);
//!
//! // The filter on one call: number 41 of x86_64, AF_UNIX, with garbage where the kernel does not look.
//! let program = bpf::Program::from_bytes(&products[0].bytes, bpf::ByteOrder::Little).unwrap();
//! let call = Call { arch: Arch::X86_64, nr: Nr(41), args: [0xdead_0000_0001, 1, 0, 0, 0, 0] };
//! let run = bpf::run(&program, &SeccompData::new(&call)).unwrap();
//! assert_eq!(run.action(), Action::Allow);
//!
//! // Mistakes are values too.
//! let found = check(&files, Path::new("slip.kpol"), &options, &[Format::Json]).diagnostics;
//! assert_eq!(found[0].code, Code::E031);
//! assert_eq!(found[0].help.as_deref(), Some("did you mean `family`?"));
//! ```
//!
//! | | |
//! |---|---|
//! | [`source`], [`library`] | where text comes from: files, the include graph, `kpol.toml`; what ships inside |
//! | [`spec`], [`tables`] | what the words mean, and facts about the kernel |
//! | [`resolve`] | text to claims: names, groups, constants, conditions |
//! | [`diagram`] | the one form of a function from calls to actions |
//! | [`policy`] | claims to one function: levels, conflicts, `assert`, `within` |
//! | [`lint`] | warnings |
//! | [`oci`], [`bpf`] | formats: write, read, understand, prove |
//! | [`emit`] | other texts of a program: listing, C, graph |
//! | [`answer`] | what a filter does: why, diff, show, import, stats |
//! | [`diagnostic`] | findings, their codes and pages, and how they are drawn |
//! | [`driver`] | all of it in the right order |
//! | [`mod@write`], [`sys`] | files appear whole; the few system calls |

pub mod answer;
pub mod bpf;
pub mod diagnostic;
pub mod diagram;
pub mod driver;
pub mod emit;
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
