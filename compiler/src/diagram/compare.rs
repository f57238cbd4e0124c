//! Comparisons of a word with a constant, as sets.
//!
//! ```text
//! fd < 0   (int, arg0)      →  bit 31 of arg0 is 1
//! arg0 & 0xf == 2           →  bits 3 … 0 are 0010
//! ```
//!
//! Built from the least significant bit up: one node a bit, no operation of the store is needed.

use super::node::{Node, Var};
use super::store::{Store, kernel_bits};
use crate::spec::KernelVersion;

/// How a word is compared. The others are negations of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// Equal.
    Eq,
    /// Less or equal.
    Le,
}

/// The word that is compared: part of an argument register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Operand {
    /// Which argument, 0 … 5.
    pub arg: u8,
    /// How many low bits of the register make the number: 1 … 64.
    pub bits: u8,
    /// Bits that count; the others read as 0. All ones for no mask. A bit that the ABI has no register
    /// for (32 and up on a 32-bit ABI) is cleared here by the caller.
    pub mask: u64,
    /// Whether the number is two's complement.
    pub signed: bool,
}

impl Store {
    /// The set of calls where `operand` compares so with `value`, whose low `operand.bits` bits count.
    pub fn compare(&mut self, operand: Operand, comparison: Comparison, value: u64) -> Node {
        if let Some(&known) = self.compared.get(&(operand, comparison, value)) {
            return known;
        }
        let mut node = Node::TRUE;
        for bit in 0..operand.bits {
            let wanted = value >> bit & 1 == 1;
            // Below, "one" and "zero" are the bit's weight: in two's complement the sign bit counts the other way.
            let sign = operand.signed && bit + 1 == operand.bits && comparison == Comparison::Le;
            let wanted = wanted ^ sign;
            let (on_zero, on_one) = match (comparison, wanted) {
                (Comparison::Eq, true) => (Node::FALSE, node),
                (Comparison::Eq, false) => (node, Node::FALSE),
                (Comparison::Le, true) => (Node::TRUE, node),
                (Comparison::Le, false) => (node, Node::FALSE),
            };
            let (lo, hi) = if sign { (on_one, on_zero) } else { (on_zero, on_one) };
            node = if operand.mask >> bit & 1 == 1 { self.make(Var::arg(operand.arg, bit), lo, hi) } else { lo };
        }
        self.compared.insert((operand, comparison, value), node);
        node
    }

    /// The environments with this kernel or a newer one.
    pub fn kernel_at_least(&mut self, version: KernelVersion) -> Node {
        let bits = kernel_bits(version);
        let mut node = Node::TRUE;
        for bit in 0..16 {
            let wanted = bits >> bit & 1 == 1;
            let (lo, hi) = if wanted { (Node::FALSE, node) } else { (node, Node::TRUE) };
            node = self.make(Var::kernel(bit), lo, hi);
        }
        node
    }

    /// The environments where the capability is held.
    pub fn capability(&mut self, number: u8) -> Node {
        self.var(Var::cap(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagram::Leaf;
    use crate::spec::Environment;

    /// What the comparison means, said with numbers.
    fn holds(operand: Operand, comparison: Comparison, value: u64, arg: u64) -> bool {
        let number = |word: u64| {
            let low = i128::from(if operand.bits == 64 { word } else { word & ((1 << operand.bits) - 1) });
            let negative = operand.signed && word >> (operand.bits - 1) & 1 == 1;
            if negative { low - (1i128 << operand.bits) } else { low }
        };
        match comparison {
            Comparison::Eq => number(arg & operand.mask) == number(value),
            Comparison::Le => number(arg & operand.mask) <= number(value),
        }
    }

    proptest::proptest! {
        #[test]
        fn compares_like_numbers(
            bits in proptest::sample::select(vec![1u8, 8, 16, 31, 32, 63, 64]),
            mask in proptest::prop_oneof![proptest::strategy::Just(u64::MAX), proptest::num::u64::ANY],
            signed: bool,
            le: bool,
            value: u64,
            near in -2i64..3,
            random: u64,
            arg in 0u8..6,
        ) {
            let operand = Operand { arg, bits, mask, signed };
            let comparison = if le { Comparison::Le } else { Comparison::Eq };
            let mut store = Store::default();
            let node = store.compare(operand, comparison, value);
            let samples = [
                value.wrapping_add_signed(near),
                random,
                0,
                u64::MAX,
                1 << (bits - 1),
                (1u64 << (bits - 1)).wrapping_sub(1),
                value ^ (random << (bits % 64)),
            ];
            for sample in samples {
                let mut args = [random; 6];
                args[usize::from(arg)] = sample;
                let expected = if holds(operand, comparison, value, sample) { Leaf::True } else { Leaf::False };
                proptest::prop_assert_eq!(store.at(node, &Environment::default(), &args), expected, "{:#x}", sample);
            }
        }

        #[test]
        fn kernels_compare_like_versions(a: (u8, u8), b: (u8, u8)) {
            let version = |(major, minor)| KernelVersion { major, minor };
            let mut store = Store::default();
            let node = store.kernel_at_least(version(a));
            let environment = Environment { kernel: version(b), ..Environment::default() };
            proptest::prop_assert_eq!(store.at(node, &environment, &[0; 6]) == Leaf::True, b >= a);
        }
    }
}
