//! The function that a policy is, in its one form: a reduced, ordered, hash-consed decision diagram whose leaves
//! are actions.
//!
//! ```text
//! allow { socket(family == 1) }, default deny
//! ```
//!
//! ```text
//! x86_64 ─ 41 ─ [arg0 bit 31] ─0─ … ─0─ [arg0 bit 1] ─0─ [arg0 bit 0] ─1─ allow
//!                    └1─ deny                └1─ deny          └0─ deny
//! ```
//!
//! Equal functions are the same [`Node`] of a [`Store`], so that "do these two mean the same?" is one comparison.
//! The upper levels (architecture, number) are sorted tables ([`Function`], [`Table`]); below come, in this
//! order, capabilities, kernel version, `arg0` … `arg5`, each most significant bit first ([`Var`]).
//!
//! The method is Bryant's (*Graph-Based Algorithms for Boolean Function Manipulation*, 1986), with many
//! leaves instead of two.
//!
//! INVARIANT (canonical): `lo ≠ hi` in every inner node, variables grow along every path, no two nodes are alike.
//! INVARIANT (bounded): a store makes at most its limit of nodes; past it every answer is [`Node::FALSE`] and
//! [`Store::overflowed`] says so. Whoever reads a result asks first.

mod compare;
mod cube;
mod function;
mod node;
mod store;
mod union;

pub use compare::{Comparison, Operand};
pub use cube::{Bits, Cube};
pub use function::{Function, Table};
pub use node::{Leaf, Node, Place, Var};
pub use store::Store;
pub use union::Cover;
