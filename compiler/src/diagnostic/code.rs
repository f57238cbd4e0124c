//! The closed list of everything that `kpolc` can say, with a code for each.
//!
//! A code keeps its number for ever. Its page `docs/codes/E031.md` tells the story with an example, and a test
//! compiles that example to see that it gives exactly that code.

use super::Severity;

macro_rules! codes {
    ($($code:ident $title:literal)*) => {
        /// A code of a diagnostic: `E…` is an error, `W…` a warning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "each has a title and a page")]
        pub enum Code { $($code),* }

        impl Code {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$code),*];

            /// `E031`
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$code => stringify!($code)),* }
            }

            /// What it is about, in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Self::$code => $title),* }
            }

            /// The page: Markdown.
            pub fn page(self) -> &'static str {
                match self { $(Self::$code => include_str!(concat!("../../../docs/codes/", stringify!($code), ".md"))),* }
            }
        }
    };
}

codes! {
    // Text.
    E001 "syntax error"
    E002 "unclosed comment, string or bracket"
    E003 "nested too deep"
    E004 "not a text file"
    E005 "unknown statement"
    E006 "bad number"
    E007 "bad name"
    E008 "too large to work out"
    E009 "not a policy"
    // Files.
    E010 "unreadable file"
    E011 "file too large"
    E012 "include not found"
    E013 "circular include"
    E014 "too many or too deep includes"
    // Declarations.
    E020 "a profile needs a default"
    E021 "several defaults"
    E022 "defined twice"
    E023 "name of a built-in"
    E024 "circular group"
    E025 "circular const"
    E026 "unknown group"
    E027 "groups nested too deep"
    E028 "unknown architecture"
    E029 "unknown capability"
    // Patterns and conditions.
    E030 "unknown syscall"
    E031 "unknown parameter"
    E032 "unknown constant"
    E033 "value out of range"
    E034 "not a condition"
    E035 "constant unknown on an architecture"
    E036 "parameter cannot be filtered here"
    E037 "set and value confused"
    E038 "bad action"
    E039 "empty range"
    // The policy as a whole.
    E040 "conflicting rules"
    E041 "conflicting overrides"
    E042 "assertion fails"
    E043 "not within the other profile"
    E044 "not a profile"
    E045 "statement in the wrong place"
    E046 "bad kernel version"
    E047 "bad syscall declaration"
    E048 "unknown flag"
    E049 "listener and notify do not fit"
    E050 "policy too large"
    // Output.
    E051 "one JSON file cannot say this"
    E052 "open condition cannot be written"
    E053 "too many JSON entries"
    E054 "a multiplexer would be opened"
    E055 "no place for this in the output"
    E056 "filter too long"
    E057 "rule dropped by a runtime"
    E058 "not the policy as a runtime loads it"
    // Project file and command line.
    E060 "unknown key"
    E061 "bad project file"
    E062 "bad list of weights"
    E070 "cannot write"
    E071 "product not up to date"
    E072 "not in style"
    // Waivers.
    E073 "no such assertion to waive"
    E074 "waiver of one of several assertions"
    E075 "waiver where none can stand"
    E076 "waiver that is not allowed"
    E077 "waiver without a reason"
    // Asserts.
    E080 "not before refused or runs"
    E081 "a multiplexer passes by a condition"
    E099 "internal error"

    W001 "syscall on none of the architectures"
    W002 "silencer silences nothing"
    W003 "pointer compared"
    W004 "raw argument compared"
    W005 "condition always true"
    W006 "condition never true"
    W007 "no program can start"
    W008 "clone3 hides the flags of clone"
    W009 "newer than the runtime"
    W010 "nothing here, but a modern sibling"
    W011 "sibling in the other class"
    W012 "dead rule"
    W013 "duplicate"
    W014 "unused definition"
    W015 "many JSON entries"
    W016 "empty braces"
    W017 "override without effect"
    W018 "unknown code in a silencer"
    W019 "exception without effect"
    W020 "old name of a register"
    W021 "constant of another parameter"
    W022 "assertion about no call"
    W023 "not allow where refused may be meant"
    W024 "condition that a multiplexer passes by"
    W025 "another way to the same effect"
    W026 "old name of a library file"
    W027 "not taken by a runtime"
    W028 "unknown calls live on"
    W029 "refused by bits that may be dropped"
    W030 "file that does nothing"
    W031 "condition made void"
    W035 "waiver that is not needed"
}

impl Code {
    /// The code of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == name)
    }

    /// Error or warning, by the letter.
    pub fn severity(self) -> Severity {
        if self.as_str().starts_with('E') { Severity::Error } else { Severity::Warning }
    }
}
