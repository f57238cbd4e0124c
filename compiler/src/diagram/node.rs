//! Names of things in a diagram: nodes, leaves, variables.

use std::fmt;

use crate::spec::Action;

/// A function of environment and arguments, in the [`Store`](super::Store) that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node(pub(super) u32);

/// What a path ends in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Leaf {
    /// In a set of calls: not a member. In a policy: not claimed.
    False,
    /// In a set of calls: a member.
    True,
    /// In a policy: what happens.
    Act(Action),
}

impl fmt::Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::False => f.write_str("nothing"),
            Self::True => f.write_str("something"),
            Self::Act(action) => write!(f, "`{action}`"),
        }
    }
}

/// Set in leaves, so that a leaf needs no place in the store.
const LEAF: u32 = 1 << 31;
/// Leaves that are actions.
const ACTION: u32 = 1 << 24;

impl Node {
    /// The empty set, the unclaimed call.
    pub const FALSE: Self = Self(LEAF);
    /// The set of all calls.
    pub const TRUE: Self = Self(LEAF | 1);

    /// The function that is this action everywhere.
    pub fn action(action: Action) -> Self {
        let (kind, data) = match action {
            Action::KillProcess => (0, 0),
            Action::KillThread => (1, 0),
            Action::Trap(data) => (2, data),
            Action::Errno(errno) => (3, errno),
            Action::Notify => (4, 0),
            Action::Trace(data) => (5, data),
            Action::Log => (6, 0),
            Action::Allow => (7, 0),
        };
        Self(LEAF | ACTION | kind << 16 | u32::from(data))
    }

    /// The constant function.
    pub fn leaf(leaf: Leaf) -> Self {
        match leaf {
            Leaf::False => Self::FALSE,
            Leaf::True => Self::TRUE,
            Leaf::Act(action) => Self::action(action),
        }
    }

    /// Whether the function is constant.
    pub fn is_leaf(self) -> bool {
        self.0 & LEAF != 0
    }

    /// Its value if it is constant.
    pub fn as_leaf(self) -> Option<Leaf> {
        if !self.is_leaf() {
            return None;
        }
        if self.0 & ACTION == 0 {
            return Some(if self == Self::TRUE { Leaf::True } else { Leaf::False });
        }
        let data = (self.0 & 0xffff) as u16;
        Some(Leaf::Act(match self.0 >> 16 & 7 {
            0 => Action::KillProcess,
            1 => Action::KillThread,
            2 => Action::Trap(data),
            3 => Action::Errno(data),
            4 => Action::Notify,
            5 => Action::Trace(data),
            6 => Action::Log,
            _ => Action::Allow,
        }))
    }

    /// Its action if it is one action everywhere.
    pub fn as_action(self) -> Option<Action> {
        match self.as_leaf() {
            Some(Leaf::Act(action)) => Some(action),
            _ => None,
        }
    }
}

/// A bit that a diagram may ask about. Smaller ones are asked first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Var(pub(super) u16);

/// What a [`Var`] is a bit of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Whether the capability of that number is held.
    Cap(u8),
    /// A bit (15 … 0) of the kernel's version, major in the upper eight.
    Kernel(u8),
    /// Bit `bit` (63 … 0) of argument `arg` (0 … 5).
    Arg {
        /// Which argument.
        arg: u8,
        /// Which bit; 0 is the least significant.
        bit: u8,
    },
}

impl Var {
    const KERNEL: u16 = 64;
    const ARGS: u16 = 80;

    /// The capability's bit; `number` is at most 63.
    pub fn cap(number: u8) -> Self {
        debug_assert!(number < 64);
        Self(u16::from(number & 63))
    }

    /// A bit of the kernel's version; `bit` is at most 15.
    pub fn kernel(bit: u8) -> Self {
        debug_assert!(bit < 16);
        Self(Self::KERNEL + 15 - u16::from(bit & 15))
    }

    /// A bit of an argument; `arg` at most 5, `bit` at most 63.
    pub fn arg(arg: u8, bit: u8) -> Self {
        debug_assert!(arg < 6 && bit < 64);
        Self(Self::ARGS + 64 * u16::from(arg) + 63 - u16::from(bit & 63))
    }

    /// What it is a bit of.
    pub fn place(self) -> Place {
        match self.0 {
            cap @ 0..Self::KERNEL => Place::Cap(cap as u8),
            kernel @ Self::KERNEL..Self::ARGS => Place::Kernel((Self::KERNEL + 15 - kernel) as u8),
            arg => {
                let offset = arg - Self::ARGS;
                Place::Arg { arg: (offset / 64) as u8, bit: (63 - offset % 64) as u8 }
            }
        }
    }

    /// Whether it asks about capabilities or the kernel, not about arguments.
    pub fn is_environment(self) -> bool {
        self.0 < Self::ARGS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_survive_the_leaf() {
        for action in [
            Action::KillProcess,
            Action::KillThread,
            Action::Trap(65535),
            Action::Errno(0),
            Action::Errno(4095),
            Action::Notify,
            Action::Trace(7),
            Action::Log,
            Action::Allow,
        ] {
            assert_eq!(Node::action(action).as_action(), Some(action));
        }
        assert_eq!(Node::TRUE.as_leaf(), Some(Leaf::True));
        assert_eq!(Node::FALSE.as_leaf(), Some(Leaf::False));
    }

    #[test]
    fn variables_know_their_place() {
        for arg in 0..6 {
            for bit in 0..64 {
                assert_eq!(Var::arg(arg, bit).place(), Place::Arg { arg, bit });
            }
        }
        assert!(Var::arg(0, 63) < Var::arg(0, 0) && Var::arg(0, 0) < Var::arg(1, 63));
        assert!(Var::cap(63) < Var::kernel(15) && Var::kernel(0) < Var::arg(0, 63));
        assert_eq!(Var::kernel(3).place(), Place::Kernel(3));
    }
}
