//! youki: up to 0.6 every condition of an entry is a rule of its own.
//!
//! ```text
//! "args": [{0 EQ 2}, {1 EQ 3}], allow        crun, runc, youki 0.7: arg0 == 2 and arg1 == 3
//!                                            youki 0.6:             arg0 == 2 or  arg1 == 3
//! ```
//!
//! youki-dev/youki `crates/libcontainer/src/seccomp/mod.rs` (`initialize_seccomp`), by the tags up to 0.4.1 and by the crates
//! `libcontainer` 0.6.0 and 0.7.0. The releases between are taken for the one before.

use super::Release;
use super::refusal::{Field, Refused, flags};
use crate::oci::profile::Profile;
use crate::spec::Arch;

/// The releases that are known.
pub const KNOWN: (Release, Release) = ((0, 0, 3), (0, 7, 0));

/// The newest libseccomp when a release came out.
pub const LIBSECCOMP: &[(Release, Release)] =
    &[((0, 0, 3), (2, 5, 3)), ((0, 0, 4), (2, 5, 4)), ((0, 3, 1), (2, 5, 5)), ((0, 5, 0), (2, 6, 0))];

/// Whether conditions of one entry are alternatives.
pub fn takes_any_condition(release: Release) -> bool {
    release < (0, 7, 0)
}

/// What it does not take.
pub fn refused(profile: &Profile, release: Release) -> Vec<Refused> {
    let known = |flag: &str| match flag {
        "SECCOMP_FILTER_FLAG_TSYNC" | "SECCOMP_FILTER_FLAG_LOG" | "SECCOMP_FILTER_FLAG_SPEC_ALLOW" => true,
        "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" => release >= (0, 6, 0),
        _ => false,
    };
    let mut refused = flags(profile, known, |flag| match flag {
        "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" => Some("0.6.0"),
        _ => None,
    });
    let later = [Arch::Parisc, Arch::Parisc64, Arch::Loongarch64, Arch::M68k, Arch::Sh];
    for &arch in profile.architectures.iter().filter(|arch| later.contains(arch)) {
        if release < (0, 7, 0) {
            refused.push(Refused::field(Field::Arch, &format!("`{}`", arch.oci_name()), Some("0.7.0")));
        }
    }
    refused
}
