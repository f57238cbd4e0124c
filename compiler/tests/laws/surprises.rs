//! Semantics that a user may not expect, by hand.
