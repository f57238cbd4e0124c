//! What a program is to be best at.
//!
//! ```text
//! time       fewest instructions for the calls that are expected
//! balanced   few for those, few for all others, and a short program
//! size       fewest instructions in the program
//! ```

use super::weights::Weights;

/// What is saved first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Goal {
    /// Instructions that the expected calls execute.
    Time,
    /// Those that any call executes, and length where it costs little.
    #[default]
    Balanced,
    /// Instructions of the program.
    Size,
}

/// A goal, and the calls that are expected.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Aim {
    /// What is saved first.
    pub goal: Goal,
    /// How often which call is made.
    pub weights: Weights,
}

/// What is made as little as possible: expected tests by a mix of weights, and a price for each test of the program.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measure {
    /// How much of the weight is that of what is expected; the rest is even.
    pub trust: f64,
    /// Of a test in the program, as a part of one that all execute.
    pub price: f64,
}

impl Measure {
    /// The same where a test counts so many times as much.
    pub fn dearer(self, times: f64) -> Self {
        Self { price: self.price * times, ..self }
    }
}

/// What is given up of the expected calls for all others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Allowance {
    /// So many more instructions for an expected call, as a part of what it executes.
    pub part: f64,
    /// Where all others are to gain, so much of the weight is that of what is expected.
    pub trust: f64,
}

impl Goal {
    /// The measure for tests of numbers that are of so many intervals. Where four fifths of the weight are those of expected
    /// calls, the rest keeps the tree from growing deep where nothing was measured. A test counts less the more there are.
    pub(super) fn of_numbers(self, intervals: usize) -> Measure {
        let among = |price: f64| price / intervals.max(1) as f64;
        match self {
            Self::Time => Measure { trust: 0.8, price: among(0.03) },
            Self::Balanced => Measure { trust: 0.8, price: among(0.2) },
            Self::Size => Measure { trust: 0.5, price: 10.0 },
        }
    }

    /// What the tests of numbers may cost more for the expected calls.
    pub(super) fn allowance(self) -> Option<Allowance> {
        (self == Self::Balanced).then_some(Allowance { part: 0.01, trust: 0.5 })
    }

    /// The measure for tests of an argument, which calls of one number execute.
    pub(super) fn of_arguments(self) -> Measure {
        let price = match self {
            Self::Time => 0.05,
            Self::Balanced => 0.15,
            Self::Size => 10.0,
        };
        Measure { trust: 1.0, price }
    }
}
