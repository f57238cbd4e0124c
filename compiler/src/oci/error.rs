//! Why a policy has no JSON, in words that say what to do instead.
//!
//! ```text
//! ActionRefused { name: None, refusal: Errno(4095) }   →   libseccomp refuses errno 4095, which the default gets; use 0 to 4094, or BPF
//! ```
//!
//! What is said before the semicolon is what is wrong, what is behind it the way out.

use std::fmt;

use super::runtime::{MAX_ERRNO, Refusal, Release, Stack, load_it};
use super::sharing::Fault;
use crate::spec::{Action, Arch, Call, Nr};

/// Why there is no JSON that means the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteError {
    /// `trap(n)`: no field for n.
    TrapData {
        /// The call; `None` for the default.
        name: Option<String>,
        /// The number.
        data: u16,
    },
    /// An action that libseccomp does not take.
    ActionRefused {
        /// The call; `None` for the default.
        name: Option<String>,
        /// Why.
        refusal: Refusal,
    },
    /// `notify` without `listener`.
    NotifyWithoutListener,
    /// `notify` for `write` or as the default, which runtimes refuse: they need the call to hand the listener over.
    NotifyRefused {
        /// The call; `None` for the default.
        name: Option<String>,
    },
    /// A condition on the kernel is open, and the dialect has no such condition.
    OpenKernel {
        /// The call.
        name: String,
    },
    /// A call without a name that libseccomp knows.
    UnknownToRuntime {
        /// Its name in the policy, if it has one.
        name: Option<String>,
        /// ABI.
        arch: Arch,
        /// Number.
        nr: Nr,
    },
    /// ABIs that can meet on one host need different entries.
    Differs {
        /// The call.
        name: String,
        /// The ABIs.
        archs: Vec<Arch>,
    },
    /// The JSON would open `socketcall` or `ipc` where the policy does not.
    OpensMultiplexer {
        /// The call whose entries do.
        name: String,
        /// Which is opened.
        multiplexer: &'static str,
        /// On which ABI.
        arch: Arch,
    },
    /// More entries than any filter has room for.
    TooManyEntries {
        /// The call.
        name: String,
        /// How many, at least.
        entries: u64,
    },
    /// libseccomp would make a program of the entries that does something else.
    Miscompiled(Fault),
    /// A name that runtimes drop, so that calls that the policy treats more strictly get the default.
    Dropped {
        /// The call.
        name: &'static str,
        /// The first libseccomp that has it on every ABI of the policy; `None` if none does yet.
        needs: Option<Release>,
        /// Who drops it; none where all do.
        stacks: Vec<Stack>,
        /// What such calls get.
        default: Action,
    },
    /// A named runtime makes something else of the text.
    Otherwise {
        /// The runtime.
        stack: Stack,
        /// A call that it answers otherwise.
        call: Call,
        /// Both answers.
        what: String,
    },
    /// A named runtime refuses the text.
    NotLoaded {
        /// The runtime.
        stack: Stack,
        /// Why.
        why: String,
    },
    /// A host's own ABI is always in the filter, and the policy does not list it.
    NativeMissing {
        /// An ABI of the policy.
        arch: Arch,
        /// The host's own.
        native: Arch,
    },
    /// ABIs of both byte orders, which no host loads.
    MixedByteOrder {
        /// A little-endian one.
        little: Arch,
        /// A big-endian one.
        big: Arch,
    },
    /// The diagram has grown past its bound.
    TooLarge,
    /// What was written does not mean the policy: our own mistake.
    Internal {
        /// A call on which they differ, if one was found.
        call: Option<Call>,
        /// What happened.
        what: String,
    },
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |name: &Option<String>| name.as_ref().map_or("the default".to_owned(), |name| format!("`{name}`"));
        match self {
            Self::TrapData { name, data } => {
                write!(f, "JSON has no place for the {data} of `trap({data})`, which {} gets; use `trap`", of(name))
            }
            Self::ActionRefused { name, refusal } => {
                let who = of(name);
                match refusal {
                    Refusal::Errno(errno) => {
                        write!(f, "libseccomp refuses errno {errno}, which {who} gets; use 0 to {MAX_ERRNO}, or BPF")
                    }
                    Refusal::TooNew(..) => write!(f, "{refusal}, which {who} gets; give it another action, or use BPF"),
                }
            }
            Self::NotifyWithoutListener => f.write_str(
                "`notify` needs a `listener \"/path/of.sock\"` in JSON: runtimes ask no one else; \
                    say where the agent listens",
            ),
            Self::NotifyRefused { name } => {
                write!(
                    f,
                    "runtimes refuse `notify` for {}: they need `write` to hand the listener over; \
                    give it another action",
                    of(name)
                )
            }
            Self::OpenKernel { name } => write!(
                f,
                "what `{name}` gets depends on the kernel's version, and JSON can't ask for it; \
                 settle it, by `--kernel X.Y` or `kernel` in kpol.toml, or build for Docker, which can ask: `--runtime docker`"
            ),
            Self::UnknownToRuntime { name, arch, nr } => {
                let name = name.as_ref().map_or(String::new(), |name| format!("`{name}`, "));
                write!(
                    f,
                    "{name}number {} on {arch} has no name that libseccomp knows, and JSON has no numbers; \
                    build raw BPF, or give such calls the default",
                    nr.0
                )
            }
            Self::Differs { name, archs } => {
                let archs: Vec<_> = archs.iter().map(|arch| arch.name()).collect();
                write!(
                    f,
                    "one JSON file can't give `{name}` what the policy says on each of {}; build a file for each",
                    archs.join(", ")
                )
            }
            Self::OpensMultiplexer { name, multiplexer, arch } => write!(
                f,
                "from the JSON a runtime would open `{multiplexer}` on {arch} because of the rule on `{name}`, and its \
                 arguments would not be looked at there; make the rule unconditional, leave {arch} out, or use BPF, where \
                 `{multiplexer}` gets what the policy says"
            ),
            Self::TooManyEntries { name, entries } => write!(
                f,
                "`{name}` would take {entries} JSON entries or more, too many for runtimes to load; \
                 name the values that are meant: each in `in {{ … }}` takes one entry, each that is excluded one for every bit"
            ),
            Self::Miscompiled(Fault::Shared { name, arch, other, other_arch }) => {
                write!(f, "libseccomp may mix up the conditions of `{name}` on {arch} with those of ")?;
                if name == other { write!(f, "{other_arch}") } else { write!(f, "`{other}` on {other_arch}") }?;
                f.write_str(", and answer calls wrongly")?;
                let way =
                    if arch == other_arch { "; use BPF" } else { "; build a file for each ABI (`--arch`), or use BPF" };
                f.write_str(way)
            }
            Self::Miscompiled(Fault::Unloaded { arch, name }) => write!(
                f,
                "because {arch} lacks `{name}`, and the policy has no rule without conditions on a call of {arch}, libseccomp \
                 would give every call there the default; build a file for each ABI (`--arch`), or use BPF"
            ),
            Self::Miscompiled(Fault::Wrong { name, call, said, done }) => {
                let used = call.args.iter().rposition(|&arg| arg != 0).map_or(1, |last| last + 1);
                let args: Vec<String> = call.args[..used].iter().map(|arg| format!("{arg:#x}")).collect();
                let answer = |action: &Option<Action>| action.map_or("nothing".to_owned(), |action| action.to_string());
                write!(
                    f,
                    "from these rules libseccomp makes a program that answers `{name}({})` on {} with {} where the policy says \
                     {}; split or reword the conditions of `{name}`, or use BPF",
                    args.join(", "),
                    call.arch,
                    answer(done),
                    answer(said)
                )
            }
            Self::Dropped { name, needs, stacks, default } => f.write_str(&dropped(&[name], *needs, stacks, *default)),
            Self::Otherwise { stack, what, .. } => write!(
                f,
                "as {} this file, it is not the policy: {what}; leave that runtime out, or use BPF",
                load_it(&[*stack]).replace(" it", "")
            ),
            Self::NotLoaded { stack, why } => {
                write!(f, "{} does not load what the policy needs: {why}; leave that runtime out, or use BPF", stack)
            }
            Self::NativeMissing { arch, native } => write!(
                f,
                "on the hosts that run {arch} programs a filter made from JSON covers {native} too; \
                 add `{native}` to the policy's `arch`, or use BPF"
            ),
            Self::MixedByteOrder { little, big } => {
                write!(f, "no host loads a file that names both {little} and {big}; build a file for each")
            }
            Self::TooLarge => f.write_str("the policy is too large to be written within bounds"),
            Self::Internal { call, what } => {
                write!(f, "internal error: the JSON does not mean the policy: {what}")?;
                match call {
                    Some(call) => write!(f, " ({}, number {}, arguments {:#x?})", call.arch, call.nr.0, call.args),
                    None => Ok(()),
                }
            }
        }
    }
}

impl std::error::Error for WriteError {}

/// Rules on these names are dropped by these runtimes, of all if none is named; and the ways out.
pub fn dropped(names: &[&str], needs: Option<Release>, stacks: &[Stack], default: Action) -> String {
    let list = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let (rules, them) = if names.len() == 1 { ("the rule", "it") } else { ("the rules", "them") };
    let mut who: Vec<String> = stacks.iter().map(ToString::to_string).collect();
    let last = who.pop();
    let who = match (who.is_empty(), last) {
        (_, None) => "no release of libseccomp knows".to_owned(),
        (true, Some(one)) => format!("{one} does not know"),
        (false, Some(last)) => format!("{} and {last} do not know", who.join(", ")),
    };
    let release = match needs {
        Some((major, minor, patch)) => {
            format!("name a runtime with libseccomp {major}.{minor}.{patch} or later if it has one, ")
        }
        None => String::new(),
    };
    format!(
        "{who} {list}, and drops {rules}: such calls get `{default}`; {release}refuse {them} by a stricter `default`, or use BPF (`--emit bpf`)"
    )
}
