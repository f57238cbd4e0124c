//! Who loads a profile: the engine that hands it over, the runtime, its release, and the libseccomp below.
//!
//! ```text
//! "crun 1.8"             crun 1.8 with libseccomp 2.5.4, the newest when it came out
//! "containerd/runc 1.2"  runc 1.2.0 with the file as containerd hands it over
//! nothing                crun with the newest libseccomp of the tables
//! ```
//!
//! A file means one thing under one of these and maybe another under the next, so every proof of a file names those that it
//! holds for. A release that is not named is the newest; a libseccomp that is not named is what the runtime's release came with
//! (`crun.rs`, `runc.rs`, `youki.rs` have the tables), or the newest where no release is named.

use std::fmt;
use std::str::FromStr;

use super::handover::Dialect;
use super::refusal::{Field, Refused};
use super::{Release, crun, runc, youki};
use crate::oci::profile::Profile;
use crate::spec::Arch;
use crate::tables;

/// Hands a profile to a runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Engine {
    Containerd,
    CriO,
    Docker,
    Podman,
}

/// Hands a profile to libseccomp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Kind {
    Crun,
    Runc,
    Youki,
}

/// A runtime as somebody names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Runtime {
    /// Who hands the profile over; `None` is as CRI-O and Podman do.
    pub engine: Option<Engine>,
    /// Which runtime.
    pub kind: Kind,
    /// Its release; `None` is the newest.
    pub release: Option<Release>,
}

/// A runtime and the library below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stack {
    /// The runtime.
    pub runtime: Runtime,
    /// Its libseccomp; `None` is the newest.
    pub libseccomp: Option<Release>,
    /// Whether somebody named one of the two.
    pub named: bool,
}

/// The oldest libseccomp in systems that are in support: Red Hat Enterprise Linux 8 and 9. The manual has the list
/// (`docs/runtimes.md`).
pub const OLDEST_LIBSECCOMP: Release = (2, 5, 2);

/// Where [`OLDEST_LIBSECCOMP`] is.
pub const OLDEST_IN: &str = "RHEL 8 and 9";

/// The runtime of a system in support that takes least: Debian 12. `docs/runtimes.md` has what each release takes.
pub const STRICTEST: Runtime = Runtime { engine: None, kind: Kind::Runc, release: Some((1, 1, 5)) };

/// Where [`STRICTEST`] is.
pub const STRICTEST_IN: &str = "Debian 12";

impl Engine {
    const ALL: [Self; 4] = [Self::Containerd, Self::CriO, Self::Docker, Self::Podman];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Containerd => "containerd",
            Self::CriO => "cri-o",
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }

    /// What it starts where nobody chooses: CRI-O `pkg/config/config_linux.go` (`DefaultRuntime`, since 1.31), containerd
    /// and Docker `runc`, Podman `crun` (containers/common `pkg/config`).
    fn kind(self) -> Kind {
        match self {
            Self::Containerd | Self::Docker => Kind::Runc,
            Self::CriO | Self::Podman => Kind::Crun,
        }
    }
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Crun, Self::Runc, Self::Youki];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crun => "crun",
            Self::Runc => "runc",
            Self::Youki => "youki",
        }
    }

    /// The first and the last release that is known; later ones of the last's minor version are taken for it.
    fn known(self) -> (Release, Release) {
        match self {
            Self::Crun => crun::KNOWN,
            Self::Runc => runc::KNOWN,
            Self::Youki => youki::KNOWN,
        }
    }

    fn release(self, (major, minor, patch): Release) -> String {
        // crun's first of a minor version has two numbers, `1.8`; the others' have three.
        if self == Self::Crun && patch == 0 { format!("{major}.{minor}") } else { format!("{major}.{minor}.{patch}") }
    }

    /// The libseccomp of a release's time.
    fn libseccomp(self, release: Release) -> Release {
        let came_with = match self {
            Self::Crun => crun::LIBSECCOMP,
            Self::Runc => runc::LIBSECCOMP,
            Self::Youki => youki::LIBSECCOMP,
        };
        let later = came_with.partition_point(|&(since, _)| since <= release);
        came_with[..later].last().map_or(OLDEST_LIBSECCOMP, |&(_, libseccomp)| libseccomp)
    }
}

impl Runtime {
    /// The release, the newest where none is named.
    pub fn release(&self) -> Release {
        self.release.unwrap_or(self.kind.known().1)
    }

    /// Whose entries count.
    pub fn dialect(&self) -> Dialect {
        match self.engine {
            Some(Engine::Containerd) => Dialect::Verbatim,
            Some(Engine::Docker) => Dialect::Moby,
            Some(Engine::CriO | Engine::Podman) | None => Dialect::Containers,
        }
    }

    /// What can be named.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Kind::ALL.into_iter().map(Kind::name).chain(Engine::ALL.into_iter().map(Engine::name))
    }
}

impl FromStr for Runtime {
    type Err = String;

    /// `crun`, `runc 1.1.5`, `containerd`, `cri-o/crun 1.19`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split_ascii_whitespace();
        let (Some(name), release, None) = (words.next(), words.next(), words.next()) else {
            return Err("a runtime is a name and maybe a release, such as `runc 1.1.5`".to_owned());
        };
        let kind = |name: &str| Kind::ALL.into_iter().find(|kind| kind.name() == name);
        let engine = |name: &str| {
            Engine::ALL.into_iter().find(|engine| engine.name() == name || name == "crio" && *engine == Engine::CriO)
        };
        let (engine, kind) = match name.split_once('/') {
            Some((first, second)) => (engine(first), kind(second)),
            None => match engine(name) {
                Some(engine) => (Some(engine), Some(engine.kind())),
                None => (None, kind(name)),
            },
        };
        let Some(kind) = kind.filter(|_| engine.is_some() || !name.contains('/')) else {
            let near = Self::names().map(|known| (strsim::damerau_levenshtein(name, known), known)).min();
            let near = near.filter(|&(slips, _)| slips <= 2).map(|(_, known)| known);
            let near = near.map_or_else(
                || {
                    format!(
                        "known: {}, and pairs such as `containerd/crun`",
                        Self::names().collect::<Vec<_>>().join(", ")
                    )
                },
                |near| format!("did you mean `{near}`?"),
            );
            return Err(format!("no runtime `{name}`; {near}"));
        };
        let Some(text) = release else { return Ok(Self { engine, kind, release: None }) };
        if engine.is_some() && !name.contains('/') {
            return Err(format!(
                "a release is the runtime's: write `{name}/{} {text}` if that is what {name} starts",
                kind.name()
            ));
        }
        let parsed = release_of(text);
        let (first, last) = kind.known();
        match parsed {
            Some(release) if release >= first && (release.0, release.1) <= (last.0, last.1) => {
                Ok(Self { engine, kind, release: Some(release) })
            }
            Some(_) => Err(format!(
                "{} {text} is not known, {} to {} are; name the nearest of them",
                kind.name(),
                kind.release(first),
                kind.release(last)
            )),
            None => Err(format!("`{text}` is no release such as {}", kind.release(last))),
        }
    }
}

/// `1.8` or `1.1.5`.
fn release_of(text: &str) -> Option<Release> {
    let mut numbers = [0; 3];
    let mut parts = text.split('.');
    for (at, number) in numbers.iter_mut().enumerate() {
        match parts.next() {
            Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                *number = digits.parse().ok()?;
            }
            None if at == 2 => {}
            _ => return None,
        }
    }
    parts.next().is_none().then_some((numbers[0], numbers[1], numbers[2]))
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(engine) = self.engine {
            write!(f, "{}/", engine.name())?;
        }
        f.write_str(self.kind.name())?;
        match self.release {
            Some(release) => write!(f, " {}", self.kind.release(release)),
            None => Ok(()),
        }
    }
}

impl Stack {
    /// Those that were named, by `--runtime` and `--libseccomp`; never none.
    pub fn all(runtimes: &[Runtime], libseccomp: Option<Release>) -> Vec<Self> {
        let crun = Runtime { engine: None, kind: Kind::Crun, release: None };
        let named = !runtimes.is_empty() || libseccomp.is_some();
        let runtimes = if runtimes.is_empty() { &[crun] } else { runtimes };
        let mut all: Vec<Self> = Vec::with_capacity(runtimes.len());
        for &runtime in runtimes {
            let libseccomp = libseccomp.or(runtime.release.map(|release| runtime.kind.libseccomp(release)));
            let stack = Self { runtime, libseccomp, named };
            if !all.contains(&stack) {
                all.push(stack);
            }
        }
        all
    }

    pub(super) fn reads_default_errno(&self) -> bool {
        self.runtime.kind != Kind::Crun || crun::reads_default_errno(self.runtime.release())
    }

    pub(super) fn takes_any_condition(&self) -> bool {
        self.runtime.kind == Kind::Youki && youki::takes_any_condition(self.runtime.release())
    }

    /// What of a profile these do not take.
    pub fn refused(&self, profile: &Profile) -> Vec<Refused> {
        let release = self.runtime.release();
        let mut refused = match self.runtime.kind {
            Kind::Crun => crun::refused(profile, release),
            Kind::Runc => runc::refused(profile, release),
            Kind::Youki => youki::refused(profile, release),
        };
        // What the runtime takes no flag of is said once.
        let flags = refused.iter().any(|one| one.field == Field::Flags);
        refused
            .extend(self.refused_by_libseccomp(profile).into_iter().filter(|one| !flags || one.field != Field::Flags));
        let verbatim = self.runtime.dialect() == Dialect::Verbatim;
        if verbatim && profile.syscalls.iter().any(|entry| !entry.includes.is_empty() || !entry.excludes.is_empty()) {
            refused
                .push(Refused { fatal: false, ..Refused::field(Field::Conditions, "`includes` and `excludes`", None) });
        }
        refused
    }

    /// What came with libseccomp 2.6.0: three ABIs (`src/arch.c`) and `SCMP_FLTATR_CTL_WAITKILL` (`src/db.c`), by which runc and youki set
    /// their flag; crun hands it to the kernel itself.
    fn refused_by_libseccomp(&self, profile: &Profile) -> Vec<Refused> {
        const FLAG: &str = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV";
        if self.library() >= (2, 6, 0) {
            return Vec::new();
        }
        let since = Some("with libseccomp 2.6.0");
        let mut refused = Vec::new();
        if self.runtime.kind != Kind::Crun && profile.flags.iter().any(|flag| flag == FLAG) {
            refused.push(Refused::field(Field::Flags, &format!("the flag `{FLAG}`"), since));
        }
        let new = |arch: &&Arch| matches!(arch, Arch::Loongarch64 | Arch::M68k | Arch::Sh);
        for arch in profile.architectures.iter().filter(new) {
            refused.push(Refused::field(Field::Arch, &format!("`{}`", arch.oci_name()), since));
        }
        refused
    }

    /// The library's release, the newest where none is known.
    pub fn library(&self) -> Release {
        self.libseccomp.unwrap_or_else(tables::latest_libseccomp)
    }
}

impl Default for Stack {
    fn default() -> Self {
        let runtime = Runtime { engine: None, kind: Kind::Crun, release: None };
        Self { runtime, libseccomp: None, named: false }
    }
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with libseccomp {}", self.runtime, release_text(self.library()))
    }
}

/// `2.6.1`
pub fn release_text((major, minor, patch): Release) -> String {
    format!("{major}.{minor}.{patch}")
}

/// `A, B and C load it`; `A loads it`.
pub fn load_it(stacks: &[Stack]) -> String {
    let names: Vec<String> = stacks.iter().map(ToString::to_string).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => format!("{one} loads it"),
        [first @ .., last] => format!("{} and {last} load it", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn said(text: &str) -> String {
        match text.parse::<Runtime>() {
            Ok(runtime) => Stack::all(&[runtime], None)[0].to_string(),
            Err(why) => why,
        }
    }

    #[test]
    fn a_runtime_is_a_name_and_maybe_a_release_and_brings_the_libseccomp_of_its_time() {
        assert_eq!(said("crun 1.8"), "crun 1.8 with libseccomp 2.5.4");
        assert_eq!(said("crun 1.8.1"), "crun 1.8.1 with libseccomp 2.5.4");
        assert_eq!(said("runc 1.1"), "runc 1.1.0 with libseccomp 2.5.3");
        assert_eq!(said("runc"), "runc with libseccomp 2.6.1");
        assert_eq!(said("containerd"), "containerd/runc with libseccomp 2.6.1");
        assert_eq!(said("crio/runc 1.2.0"), "cri-o/runc 1.2.0 with libseccomp 2.5.5");
        assert_eq!(Stack::default().to_string(), "crun with libseccomp 2.6.1");
    }

    #[test]
    fn what_is_no_runtime_or_not_known_is_an_error_that_says_what_is() {
        assert_eq!(said("rnuc"), "no runtime `rnuc`; did you mean `runc`?");
        assert!(said("gvisor").starts_with("no runtime `gvisor`; known: crun, runc, youki, containerd"));
        assert!(said("crun/runc").starts_with("no runtime `crun/runc`"));
        assert_eq!(said("runc 0.9"), "runc 0.9 is not known, 1.0.0 to 1.5.1 are; name the nearest of them");
        assert!(said("runc 2.0").starts_with("runc 2.0 is not known"));
        assert_eq!(said("runc one"), "`one` is no release such as 1.5.1");
        assert_eq!(
            said("containerd 1.7"),
            "a release is the runtime's: write `containerd/runc 1.7` if that is what containerd starts"
        );
        assert!(said("").starts_with("a runtime is a name"));
    }
}
