//! A policy as data: what `.kpol` text can say, without the text.
//!
//! ```text
//! deny(38) { socket(type & 15 == 3) }      Rule { over: false, action: Deny(38), patterns: [Call { … }] }
//! ```

use std::collections::BTreeMap;

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

/// ABIs of which this machine's headers have the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Abi {
    /// 64 bits, by `syscall`.
    X86_64,
    /// 32 bits, by `int 0x80`.
    X86,
    /// 32-bit pointers in 64-bit registers; numbers have bit 30.
    X32,
    /// 64 bits, by `svc`.
    Aarch64,
}

impl Abi {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::X86_64, Self::X86, Self::X32, Self::Aarch64];

    /// The word of the language.
    pub fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::X86 => "x86",
            Self::X32 => "x32",
            Self::Aarch64 => "aarch64",
        }
    }

    /// `AUDIT_ARCH_…` (`include/uapi/linux/audit.h`): the machine of ELF, with bits for 64 bits and little endian.
    pub fn token(self) -> u32 {
        const LITTLE_ENDIAN: u32 = 0x4000_0000;
        const BITS_64: u32 = 0x8000_0000;
        match self {
            Self::X86_64 | Self::X32 => u32::from(libc::EM_X86_64) | BITS_64 | LITTLE_ENDIAN,
            Self::X86 => u32::from(libc::EM_386) | LITTLE_ENDIAN,
            Self::Aarch64 => u32::from(libc::EM_AARCH64) | BITS_64 | LITTLE_ENDIAN,
        }
    }

    /// Bits of a register that the kernel shows a filter.
    pub fn bits(self) -> u32 {
        if self == Self::X86 { 32 } else { 64 }
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

/// What is looked at: a register's low bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Name of the parameter, as the kernel has it, or `reg0` … `reg5`.
    pub name: String,
    /// Which register.
    pub index: usize,
    /// Bits that the kernel keeps on a 64-bit ABI.
    pub bits: u32,
    /// Whether the kernel keeps them as a signed number.
    pub signed: bool,
    /// Bits that it keeps on 32-bit x86, where they are others.
    pub bits_on_x86: u32,
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
}
