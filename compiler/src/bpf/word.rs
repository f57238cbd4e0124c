//! A 32-bit word whose bits are sets: what a register holds when arguments are unknown.
//!
//! ```text
//! low word of arg0, AND 0x3        →  bits 31 … 2 never 1, bit 1 where arg0's bit 1 is, bit 0 where its bit 0 is
//! that word == 2                   →  the set of calls with bits 1, 0 of arg0 = 10
//! ```

use crate::diagram::{Node, Store, Var};

/// Bit n is the set of calls where bit n is 1.
pub(super) type Bits = [Node; 32];

/// A half of an argument.
pub(super) fn argument(store: &mut Store, arg: u8, high: bool) -> Bits {
    std::array::from_fn(|bit| store.var(Var::arg(arg, bit as u8 + if high { 32 } else { 0 })))
}

/// A known number.
pub(super) fn constant(value: u32) -> Bits {
    std::array::from_fn(|bit| if value >> bit & 1 == 1 { Node::TRUE } else { Node::FALSE })
}

/// The number that the word is for all calls, if it is one.
pub(super) fn known(bits: &Bits) -> Option<u32> {
    bits.iter().enumerate().try_fold(0, |value, (bit, &set)| match set {
        Node::TRUE => Some(value | 1 << bit),
        Node::FALSE => Some(value),
        _ => None,
    })
}

/// Bit by bit.
pub(super) fn and(store: &mut Store, a: &Bits, b: &Bits) -> Bits {
    std::array::from_fn(|bit| store.and(a[bit], b[bit]))
}

/// Bit by bit.
pub(super) fn or(store: &mut Store, a: &Bits, b: &Bits) -> Bits {
    std::array::from_fn(|bit| store.or(a[bit], b[bit]))
}

/// Bit by bit.
pub(super) fn xor(store: &mut Store, a: &Bits, b: &Bits) -> Bits {
    std::array::from_fn(|bit| exclusive(store, a[bit], b[bit]))
}

fn exclusive(store: &mut Store, a: Node, b: Node) -> Node {
    let not_b = store.not(b);
    store.ite(a, not_b, b)
}

/// `a + b`, or `a - b` as `a + !b + 1`.
pub(super) fn add(store: &mut Store, a: &Bits, b: &Bits, subtract: bool) -> Bits {
    let mut carry = if subtract { Node::TRUE } else { Node::FALSE };
    std::array::from_fn(|bit| {
        let other = if subtract { store.not(b[bit]) } else { b[bit] };
        let half = exclusive(store, a[bit], other);
        let sum = exclusive(store, half, carry);
        carry = store.ite(half, carry, other);
        sum
    })
}

/// Shifted by a known number below 32.
pub(super) fn shift(a: &Bits, by: u32, left: bool) -> Bits {
    std::array::from_fn(|bit| {
        let from = if left { bit.checked_sub(by as usize) } else { bit.checked_add(by as usize) };
        from.and_then(|from| a.get(from)).copied().unwrap_or(Node::FALSE)
    })
}

/// Where `a == b`.
pub(super) fn equal(store: &mut Store, a: &Bits, b: &Bits) -> Node {
    // From the least significant bit up: each step then puts its bit above what is there.
    (0..32).fold(Node::TRUE, |equal, bit| {
        let one = store.and(b[bit], equal);
        let zero = store.minus(equal, b[bit]);
        store.ite(a[bit], one, zero)
    })
}

/// Where `a > b`, or `a >= b`.
pub(super) fn greater(store: &mut Store, a: &Bits, b: &Bits, or_equal: bool) -> Node {
    (0..32).fold(if or_equal { Node::TRUE } else { Node::FALSE }, |below, bit| {
        let one = store.ite(b[bit], below, Node::TRUE);
        let zero = store.minus(below, b[bit]);
        store.ite(a[bit], one, zero)
    })
}

/// Where `a & b` is not 0.
pub(super) fn meets(store: &mut Store, a: &Bits, b: &Bits) -> Node {
    (0..32).fold(Node::FALSE, |meets, bit| {
        let both = store.and(a[bit], b[bit]);
        store.or(both, meets)
    })
}
