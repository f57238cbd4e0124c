//! What an `assert` wants of calls.
//!
//! ```text
//! refused     deny, kill, kill_thread, trap        the call does not run, whoever watches
//! runs        allow, log, trace, notify            it runs, or does if a tracer or a listener says so
//! ```
//!
//! The two are opposites, and every action is one of them ([`Action::refuses`]). `trace` and `notify` are no refusals: what
//! the tracer or the listener answers is not in the policy (`__seccomp_filter`, `kernel/seccomp.c`: SECCOMP_RET_TRACE goes
//! on with the call unless the tracer makes its number -1, and a listener may answer SECCOMP_USER_NOTIF_FLAG_CONTINUE).

use std::fmt;

use super::Action;

/// One statement of an `assert`, about the action of a call that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// `ACTION { … }`
    Action(Action),
    /// `not ACTION { … }`
    Not(Action),
    /// `refused { … }`
    Refused,
    /// `runs { … }`
    Runs,
}

impl Wanted {
    /// What is wanted of `socketcall` and `ipc`, where they reach the call with arguments that no filter sees: what restricts
    /// the call restricts them as well, or it would not restrict it. Nothing, if the statement restricts nothing.
    pub fn behind_a_multiplexer(self) -> Option<Self> {
        match self {
            Self::Refused => Some(Self::Refused),
            Self::Action(action) => action.refuses().then_some(Self::Refused),
            Self::Not(action) => (!action.refuses()).then_some(self),
            Self::Runs => None,
        }
    }

    /// Whether a call that gets `action` is as it is wanted.
    pub fn is_kept_by(self, action: Action) -> bool {
        match self {
            Self::Action(wanted) => action == wanted,
            Self::Not(unwanted) => action != unwanted,
            Self::Refused => action.refuses(),
            Self::Runs => !action.refuses(),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Action(action) => write!(f, "{action}"),
            Self::Not(action) => write!(f, "not {action}"),
            Self::Refused => f.write_str("refused"),
            Self::Runs => f.write_str("runs"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Action; 10] = [
        Action::KillProcess,
        Action::KillThread,
        Action::Trap(3),
        Action::Errno(0),
        Action::Errno(1),
        Action::Errno(4095),
        Action::Notify,
        Action::Trace(0),
        Action::Log,
        Action::Allow,
    ];

    #[test]
    fn every_action_is_a_refusal_or_lets_the_call_run() {
        for action in ALL {
            assert_ne!(Wanted::Refused.is_kept_by(action), Wanted::Runs.is_kept_by(action), "{action}");
        }
    }

    #[test]
    fn a_call_that_pretends_to_succeed_is_refused_and_one_that_somebody_else_decides_is_not() {
        let refused: Vec<Action> = ALL.into_iter().filter(|&action| Wanted::Refused.is_kept_by(action)).collect();
        assert_eq!(refused, ALL[..6]);
    }
}
