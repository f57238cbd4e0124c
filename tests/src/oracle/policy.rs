//! A policy as data: what `.kpol` text can say, without the text.
//!
//! ```text
//! deny(38) { socket(type & 15 == 3) }      Rule { over: false, action: Deny(38), patterns: [Call { … }] }
//! ```

use std::collections::BTreeMap;

use super::abi::Abi;

/// What a call gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// `allow`
    Allow,
    /// `log`
    Log,
    /// `deny(N)`
    Deny(u16),
    /// `kill`
    Kill,
    /// `kill_thread`
    KillThread,
    /// `trap(N)`
    Trap(u16),
    /// `trace(N)`
    Trace(u16),
}

impl Act {
    /// The word that a filter returns for it (`include/uapi/linux/seccomp.h`).
    pub fn word(self) -> u32 {
        match self {
            Self::Allow => libc::SECCOMP_RET_ALLOW,
            Self::Log => libc::SECCOMP_RET_LOG,
            Self::Deny(errno) => libc::SECCOMP_RET_ERRNO | u32::from(errno),
            Self::Kill => libc::SECCOMP_RET_KILL_PROCESS,
            Self::KillThread => libc::SECCOMP_RET_KILL_THREAD,
            Self::Trap(data) => libc::SECCOMP_RET_TRAP | u32::from(data),
            Self::Trace(data) => libc::SECCOMP_RET_TRACE | u32::from(data),
        }
    }
}

/// `==` and its like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

/// A number, and the name by which the text says it, if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    /// What it is.
    pub value: i128,
    /// `AF_UNIX`, or a constant of the policy; else it is written in digits.
    pub name: Option<String>,
}

/// What is looked at: a parameter, or a register as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Name of the parameter, as the kernel has it, or `reg0` … `reg5`.
    pub name: String,
    /// What it is on each ABI that has the call.
    pub shapes: BTreeMap<Abi, Shape>,
    /// The register, if it is none of a parameter.
    pub register: Option<usize>,
}

/// What the kernel takes of a register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Which register.
    pub index: usize,
    /// How many low bits.
    pub bits: u32,
    /// Whether it keeps them as a signed number.
    pub signed: bool,
    /// Where it takes less.
    pub cuts: Vec<Cut>,
}

/// A command under which the kernel takes less of another register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Where the command is.
    pub register: usize,
    /// Which bits of it count.
    pub mask: u64,
    /// Commands.
    pub values: Vec<u64>,
    /// Bits that are left, without a sign.
    pub bits: u32,
    /// How many bits lie below.
    pub shift: u32,
}

impl Word {
    /// A register as it is.
    pub fn register(index: usize) -> Self {
        Self { name: format!("reg{index}"), shapes: BTreeMap::new(), register: Some(index) }
    }

    /// What it is on an ABI.
    pub fn shape(&self, abi: Abi) -> Option<Shape> {
        let raw = |index| Shape { index, bits: 64, signed: false, cuts: Vec::new() };
        self.register.map(raw).or_else(|| self.shapes.get(&abi).cloned())
    }

    /// Bits and sign that a value must fit to be meant on every ABI.
    pub fn narrowest(&self) -> (u32, bool) {
        let bits = self.shapes.values().map(|shape| shape.bits).min().unwrap_or(64);
        (bits, self.shapes.values().all(|shape| shape.signed) && !self.shapes.is_empty())
    }

    /// Whether some command takes less of it.
    pub fn is_cut(&self) -> bool {
        self.shapes.values().any(|shape| !shape.cuts.is_empty())
    }

    /// Whether it has a sign on one ABI and none on another.
    pub fn is_mixed(&self) -> bool {
        let signed = self.shapes.values().filter(|shape| shape.signed).count();
        signed != 0 && signed != self.shapes.len()
    }
}

/// A condition on the arguments of a call.
#[allow(missing_docs, reason = "the names of the fields say it")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// `word & mask OP value`
    Compare { word: Word, mask: Option<u64>, operator: Operator, value: Number },
    /// `word & mask in { … }`; with `negated`, `not in`
    In { word: Word, mask: Option<u64>, ranges: Vec<(Number, Number)>, set: Option<String>, negated: bool },
    /// `word & mask`, or a bare word: any of the bits is set
    Bits { word: Word, mask: Option<u64> },
    /// `!( … )`
    Not(Box<Condition>),
    /// `a && b`
    And(Vec<Condition>),
    /// `a || b`
    Or(Vec<Condition>),
}

/// What a pattern names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// A call; its conditions must all hold.
    Call(String, Vec<Condition>),
    /// A group of the policy.
    Group(String),
}

/// `name(…) except { … }`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// What it matches.
    pub named: Named,
    /// What of it is left out.
    pub except: Vec<Pattern>,
}

/// `arch A, B`, `cap X`, `kernel >= 5.11`, each with `not` or without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// The ABI of the call is one of these.
    Arch(Vec<Abi>, bool),
    /// The capability is held.
    Cap(&'static str, bool),
    /// The kernel is this release or a later one.
    Kernel((u8, u8), bool),
}

/// A statement.
#[allow(missing_docs, reason = "the names of the fields say it")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// `override ACTION { … }`, or without `override`.
    Rule { over: bool, action: Act, patterns: Vec<Pattern> },
    /// `when GUARDS { … }`
    When(Vec<Guard>, Vec<Statement>),
}

/// What an assert says of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// `refused`
    Refused,
    /// `runs`
    Runs,
    /// An action, and no other.
    Is(Act),
    /// Any other action.
    IsNot(Act),
}

impl Wanted {
    /// Whether a call that gets `act` is as wanted.
    pub fn holds(self, act: Act) -> bool {
        let refused = matches!(act, Act::Deny(_) | Act::Kill | Act::KillThread | Act::Trap(_));
        match self {
            Self::Refused => refused,
            Self::Runs => !refused,
            Self::Is(other) => act == other,
            Self::IsNot(other) => act != other,
        }
    }
}

/// `assert "title" { WANTED { … } }`, in file 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assert {
    /// What is said.
    pub wanted: Wanted,
    /// Of which calls.
    pub patterns: Vec<Pattern>,
    /// `when` it is meant.
    pub guards: Vec<Guard>,
}

/// `syscall name(…) = …`, in file 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// Names and types of its parameters.
    pub parameters: Vec<(String, &'static str)>,
    /// Its number on each ABI that has it, as a filter sees it.
    pub numbers: BTreeMap<Abi, u32>,
}

/// A file of the policy; file 0 is the profile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct File {
    /// Files that it includes, by index.
    pub includes: Vec<usize>,
    /// Its rules.
    pub statements: Vec<Statement>,
    /// Groups that it defines.
    pub groups: Vec<String>,
}

/// A policy, and for what it is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// What `arch` lists; empty for none, which means x86_64 and aarch64.
    pub archs: Vec<Abi>,
    /// What no rule claims.
    pub default: Act,
    /// A default of an included file, which file 0 then overrides: the file, and what it says.
    pub other_default: Option<(usize, Act)>,
    /// The files.
    pub files: Vec<File>,
    /// All groups by name.
    pub groups: BTreeMap<String, Vec<Pattern>>,
    /// Constants of the policy: numbers.
    pub numbers: Vec<(String, i128)>,
    /// Constants of the policy: sets.
    pub sets: Vec<(String, Vec<(Number, Number)>)>,
    /// Calls that no kernel has.
    pub declared: Vec<Call>,
    /// What is asserted.
    pub asserts: Vec<Assert>,
    /// Capabilities that the container holds.
    pub caps: Vec<&'static str>,
    /// The kernel that it is built for.
    pub kernel: (u8, u8),
}

impl Policy {
    /// The ABIs that it is for.
    pub fn listed(&self) -> Vec<Abi> {
        if self.archs.is_empty() { vec![Abi::X86_64, Abi::Aarch64] } else { self.archs.clone() }
    }

    /// The number of a call that it declares.
    pub fn declared(&self, abi: Abi, name: &str) -> Option<u32> {
        self.declared.iter().find(|call| call.name == name)?.numbers.get(&abi).copied()
    }
}
