//! crun: entries go to libseccomp as they are, and nothing is added.
//!
//! containers/crun `src/libcrun/seccomp.c`: `libcrun_generate_seccomp` makes the rules, `libcrun_apply_seccomp` takes the
//! flags; `get_seccomp_receiver_fd` in `container.c` reads the listener. What a release learnt is read from its tag.

use super::Release;
use super::refusal::{Field, Refused, flags};
use crate::oci::profile::Profile;

/// The releases that are known.
pub const KNOWN: (Release, Release) = ((0, 17, 0), (1, 29, 1));

/// The newest libseccomp when a release came out (dates of the tags of both).
pub const LIBSECCOMP: &[(Release, Release)] = &[
    ((0, 17, 0), (2, 5, 1)),
    ((1, 1, 0), (2, 5, 2)),
    ((1, 4, 0), (2, 5, 3)),
    ((1, 4, 5), (2, 5, 4)),
    ((1, 13, 0), (2, 5, 5)),
    ((1, 20, 0), (2, 6, 0)),
    ((1, 29, 0), (2, 6, 1)),
];

/// Whether it reads `defaultErrnoRet`; 0.18 and before pass over it, and take EPERM.
pub fn reads_default_errno(release: Release) -> bool {
    release >= (0, 19, 0)
}

/// What it does not take.
pub fn refused(profile: &Profile, release: Release) -> Vec<Refused> {
    let known = |flag: &str| match flag {
        "SECCOMP_FILTER_FLAG_TSYNC" | "SECCOMP_FILTER_FLAG_LOG" | "SECCOMP_FILTER_FLAG_SPEC_ALLOW" => true,
        "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" => release >= (1, 6, 0),
        _ => false,
    };
    let mut refused = flags(profile, known, |flag| match flag {
        "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" => Some("1.6"),
        _ => None,
    });
    if profile.listener_path.is_some() && release < (0, 19, 0) {
        // Then nobody listens, and the kernel answers `notify` with ENOSYS (`seccomp_do_user_notification`).
        refused.push(Refused::passed_over(Field::Listener, "`listenerPath`: calls of `notify` get ENOSYS", "0.19"));
    }
    if profile.default_errno_ret.is_some() && !reads_default_errno(release) {
        refused.push(Refused::passed_over(Field::Default, "`defaultErrnoRet`, and takes EPERM", "0.19"));
    }
    refused
}
