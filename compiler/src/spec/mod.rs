//! What the words mean: ABIs, calls, actions. Said naively; never used to generate, always to check.

pub mod action;
pub mod arch;
pub mod call;
pub mod multiplex;
pub mod register;
pub mod rule;
pub mod wanted;

pub use action::Action;
pub use arch::Arch;
pub use call::{Call, Environment, KernelVersion, Nr};
pub use wanted::Wanted;
