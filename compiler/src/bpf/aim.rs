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

impl Goal {
    /// What a test of the number costs that is in the program, as a part of one that is executed by every call.
    pub(super) fn price_of_numbers(self) -> f64 {
        match self {
            Self::Time => 0.0005,
            Self::Balanced => 0.003,
            Self::Size => 10.0,
        }
    }

    /// The same for tests of an argument, which calls of one number execute.
    pub(super) fn price_of_arguments(self) -> f64 {
        match self {
            Self::Time => 0.05,
            Self::Balanced => 0.15,
            Self::Size => 10.0,
        }
    }

    /// How much of all weight is that of the calls that are expected; the rest is spread over all numbers.
    pub(super) fn trust(self) -> f64 {
        match self {
            Self::Time => 0.8,
            // What two thirds to one third gives is as good as the best for either to within three in a hundred on
            // the profiles of Docker and Podman.
            Self::Balanced | Self::Size => 0.62,
        }
    }
}
