//! Classic BPF: from the diagram to a filter that the kernel takes, and from a filter back to the diagram.
//!
//! ```text
//! x86_64: allow { read, socket(family == AF_UNIX) }, default deny
//! ```
//!
//! becomes (`0x` numbers are byte offsets into `struct seccomp_data`)
//!
//! ```text
//!        ld  [4]                  architecture
//!        jeq #0xc000003e, l1, l5
//!   l1:  ld  [0]                  number
//!        jeq #0, l4, l2
//!   l2:  jeq #41, l3, l6
//!   l3:  ld  [16]                 low word of arg0; `family` is an int, so the high word is never looked at
//!        jeq #1, l4, l6
//!   l4:  ret allow     l5:  ret kill     l6:  ret deny(1)
//! ```
//!
//! The rooms, in the order in which a policy passes them:
//!
//! | file | from | to |
//! |---|---|---|
//! | [`write`](self::write()) | a [`Policy`](crate::policy::Policy) | one table of behaviours for each architecture token |
//! | `aim` | a wish | prices |
//! | `weights` | names and numbers of calls | how often each is expected |
//! | `dispatch` | intervals of a word, each with a behaviour | the cheapest tree of compares |
//! | `line` | a row of intervals | the cheapest tree over each of its ranges |
//! | `trade` | two trees over a row | one that is good for expected calls and all others |
//! | `test` | a node over argument bits | compares of whole words |
//! | `order` | a node over argument bits | the same, with another argument first |
//! | `rules` | what rules say, one by one | blocks in a row |
//! | `plain` | a policy | how long a list of all its tests would be |
//! | `values` | a node over the bits of a word | masks and intervals, and where they lead |
//! | `block` | tests that point to tests | the same, each once |
//! | `layout` | blocks | instructions with 8-bit jumps |
//! | `insn` | instructions | bytes, and back |
//! | `check` | a program | whether the kernel takes it |
//! | `bitmap` | a program and a number | whether the kernel allows it without running the program |
//! | `interpret` | a program and a call | the answer: the oracle of the tests |
//! | `chain` | a row of equality tests and a number | where it leads |
//! | `word`, `symbolic` | a program | the function that it is |
//! | `prove` | a policy and a program | equal, or a call where they are not |
//! | `walk` | a program and a number | the ways that its calls can take |
//! | `list` | a program | a text |
//!
//! INVARIANT: what [`write`](self::write()) returns passes [`check`](self::check()), and [`read`] of it gives the very nodes
//! of the policy. [`prove`](self::prove()) says so for one build; the driver calls it for each.

mod aim;
mod bitmap;
mod block;
mod chain;
mod check;
mod dispatch;
mod insn;
mod interpret;
mod layout;
mod line;
mod list;
mod order;
mod plain;
mod prove;
mod rules;
mod symbolic;
mod test;
mod trade;
mod values;
mod walk;
mod weights;
mod word;
mod write;

pub use aim::{Aim, Goal};
pub use bitmap::always_allowed;
pub use check::{CheckError, check};
pub use insn::{ByteOrder, DecodeError, Insn, MAX_LEN, Program, op};
pub use interpret::{Run, SeccompData, run};
pub use list::{Line, lines, list};
pub use prove::{Disproof, prove};
pub use symbolic::{Foreign, ReadError, Reading, read};
pub use walk::{Walk, walk};
pub use weights::{Frequent, Weights, WeightsError, WeightsErrorKind};
pub use write::{Heavy, WriteError, write};

#[cfg(test)]
mod tests;
