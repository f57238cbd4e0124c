//! `kpolc run`: a command under a policy, on this machine.
//!
//! Everything that needs a system call is done first: the policy may forbid it. Then three calls in a row:
//! `prctl(PR_SET_NO_NEW_PRIVS)`, `seccomp(SECCOMP_SET_MODE_FILTER)`, `execve`. What comes after is the
//! command's own: its exit status and its signals are those of this process, since it *is* this process.
//!
//! INVARIANT: but for these three, the command starts with what kpolc was started with: signals, mask, descriptors, umask, limits,
//! environment.
//!
//! Where the policy kills, a process beside it says which call the command ended by ([`sys::watch`]); `-q` leaves it out.

mod ready;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use kpol_compiler::diagram::{Leaf, Store, Table};
use kpol_compiler::driver::Writer;
use kpol_compiler::policy::{Flag, Policy, witness};
use kpol_compiler::source::Disk;
use kpol_compiler::spec::{Action, Arch, Call, Environment, KernelVersion};
use kpol_compiler::sys::{self, Exec, Failure};
use kpol_compiler::tables;

use self::ready::Ready;
use crate::report::{Place, Report};
use crate::settings::{self, Projects};
use crate::ui::{FormatArg, Status, Trouble, Ui};

/// Run a command under a policy, or under a filter that others made.
///
/// FILE is a policy, a JSON profile or raw BPF (.kpol, .json, .bpf). The command can gain no privileges any more (no_new_privs). Where `--cap` and `--kernel` say nothing,
/// the capabilities that the command will hold and the running kernel decide `when`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  kpolc run web.kpol -- nginx -g 'daemon off;'
  kpolc run web.json -- nginx                  as the runtime of --runtime loads it
  strace -f kpolc run web.kpol -- nginx        see each call, and what is refused

Exit status: the command's own; 126 if it cannot be executed or the policy denies `execve`, 127 if there is none, and
1, 2 or 101 if it was never tried.")]
pub struct Args {
    /// The policy or filter
    file: PathBuf,
    /// The command and its arguments
    #[arg(required = true, last = true, value_name = "CMD")]
    command: Vec<OsString>,
    #[command(flatten)]
    settings: settings::Args,
    #[command(flatten)]
    pub format: FormatArg,
}

pub fn run(args: &Args, ui: &Ui, writer: &dyn Writer) -> Result<Status, Trouble> {
    let Some(name) = args.command.first() else {
        return Err(Trouble::new("no command"));
    };
    let mut report = Report::default();
    let mut settings = Projects::new(&Disk, &args.settings).settings(&args.file, &mut report);
    let native = native()?;
    let options = &mut settings.options;
    if options.caps.is_none() {
        options.caps = Some(capabilities_after_exec()?);
    }
    options.kernel = options.kernel.or_else(running_kernel);
    // Other machines' ABIs are no affair of this one.
    options.host = Some(native);
    if options.archs.is_none() && !matches!(native, Arch::X86_64 | Arch::Aarch64) {
        // A policy without `arch` means those two; here it shall mean this machine.
        options.archs = Some(vec![native]);
    }
    let ready = match ready::read(&args.file, &settings, writer, &mut report) {
        Ok(ready) => ready,
        Err(trouble) => {
            report.print(ui, Place::Aside)?;
            return Err(trouble);
        }
    };
    report.print(ui, Place::Aside)?;
    let Some(Ready { store, policy, filter, remarks }) = ready else {
        return Ok(report.status().max(Status::Findings));
    };
    remarks.iter().for_each(|remark| ui.note(&format!("note: {remark}")));
    if !policy.archs.contains(&native) {
        return Err(Trouble::new(format!(
            "the policy lists no `arch {native}`, which this machine has: nothing could run"
        )));
    }

    if let Some(action) = answer(&policy, native, "execve")
        && !action.runs()
        && !matches!(action, Action::Trace(_))
    {
        // Known before anything is installed: afterwards the policy may forbid to say it, and to end in order.
        ui.error(&Trouble::new(format!(
            "nothing can be started: the policy answers `execve` with `{action}`; it needs `allow {{ execve }}`"
        )));
        return Ok(Status::Run(126));
    }
    if let Some(action) = answer(&policy, native, "exit_group").filter(|action| !action.runs()) {
        ui.note(&format!(
            "note: the policy answers `exit_group` with `{action}`: the command cannot end as programs do, and may die \
             by a signal in trying to"
        ));
    }
    let program = match search(name) {
        Ok(program) => program,
        Err((code, why)) => {
            ui.error(&Trouble::new(format!("`{}`: {why}", name.display())));
            return Ok(Status::Run(code));
        }
    };
    let wrong = |error: io::Error| Trouble::new(format!("cannot prepare the command: {error}"));
    let exec = Exec::new(&program, &args.command).map_err(wrong)?;
    if !ui.quiet && kills(&store, &policy) {
        let name = args.file.display().to_string();
        sys::watch(|call| {
            if let Some(words) = ended_by(&store, &policy, &call) {
                ui.note(&format!("note: `{name}` ended the command: {words}"));
            }
        });
    }
    sys::no_new_privs().map_err(|error| Trouble::new(format!("cannot set no_new_privs: {error}")))?;
    // From here on the policy holds.
    match exec.under(&filter, flags(&policy)) {
        Failure::Install(error) => Err(Trouble::new(format!("the kernel did not take the filter: {error}"))),
        Failure::Exec(error) => {
            let hint = match error.raw_os_error() {
                Some(libc::ENOEXEC) => "it is no program for this machine, or a script without `#!`",
                Some(libc::ENOENT) => "its interpreter is missing",
                _ => "if it runs without the policy, then the policy's conditions on `execve` deny this one",
            };
            ui.error(&Trouble::new(format!("cannot execute `{}`: {error}; {hint}", program.display())));
            Ok(Status::Run(126))
        }
    }
}

/// What a call gets, where that hangs on nothing else.
fn answer(policy: &Policy, arch: Arch, call: &str) -> Option<Action> {
    policy.function.at(arch, tables::syscall(call)?.nr(arch)?).as_action()
}

/// Whether some call of the policy's ABIs ends a process or a thread.
fn kills(store: &Store, policy: &Policy) -> bool {
    let mut nodes = policy.function.tables.values().flat_map(Table::intervals).map(|(_, node)| node);
    nodes.any(|node| store.leaves(node).into_iter().any(|leaf| matches!(leaf, Leaf::Act(action) if ends(action))))
}

/// SIGSYS ends who has no handler for it.
fn ends(action: Action) -> bool {
    matches!(action, Action::KillProcess | Action::KillThread | Action::Trap(_))
}

/// The call, with what the policy says of it, if that is what ended the command.
fn ended_by(store: &Store, policy: &Policy, call: &Call) -> Option<String> {
    let name = policy.call_name(call.arch, call.nr);
    let words = witness::whole(call, name);
    let Some(table) = policy.function.tables.get(&call.arch) else {
        return Some(format!("{words}, an ABI that the policy does not list"));
    };
    match store.at(table.at(call.nr), &Environment::default(), &call.args) {
        Leaf::Act(action) if ends(action) => Some(format!("{words} gets `{action}`")),
        _ => None,
    }
}

/// What to pass to seccomp(2) for the policy's `flags`. Without a listener the kernel refuses
/// `SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV`, and `run` has none.
fn flags(policy: &Policy) -> libc::c_ulong {
    let flags = policy.flags.iter().filter(|flag| **flag != Flag::WaitKillableRecv);
    flags.fold(0, |bits, flag| bits | libc::c_ulong::from(flag.bit()))
}

fn native() -> Result<Arch, Trouble> {
    // Rust's names, where they are not ours.
    let name = match (std::env::consts::ARCH, cfg!(target_endian = "little")) {
        ("powerpc64", true) => "ppc64le",
        ("powerpc64", false) => "ppc64",
        (name, _) => name,
    };
    Arch::from_name(name).ok_or_else(|| Trouble::new(format!("kpol does not know this machine, `{name}`")))
}

/// The capabilities that a program has once it runs (capabilities(7), "Transformation during execve", with
/// no_new_privs, under which files give none): root keeps what it has within the bounding set, everybody else
/// the ambient ones.
fn capabilities_after_exec() -> Result<BTreeSet<u8>, Trouble> {
    let status = fs::read_to_string("/proc/self/status")
        .map_err(|error| Trouble::new(format!("cannot read the capabilities of this process: {error}; give --cap")))?;
    Ok(held(&status))
}

fn held(status: &str) -> BTreeSet<u8> {
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or("");
    let bits = |name: &str| u64::from_str_radix(field(name).trim(), 16).unwrap_or(0);
    // Real, effective, saved, file system.
    let is_root = field("Uid").split_whitespace().nth(1) == Some("0");
    let set = if is_root { bits("CapPrm") & bits("CapBnd") } else { bits("CapAmb") };
    (0..64).filter(|bit| set >> bit & 1 == 1).collect()
}

fn running_kernel() -> Option<KernelVersion> {
    let release = sys::kernel_release();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some(KernelVersion { major: numbers.next()?.parse().ok()?, minor: numbers.next()?.parse().ok()? })
}

/// As execvp(3) looks for it. The error has sh's exit status.
fn search(name: &OsStr) -> Result<PathBuf, (u8, String)> {
    if name.is_empty() {
        return Err((127, "no such command".to_owned()));
    }
    if name.as_encoded_bytes().contains(&b'/') {
        return usable(Path::new(name));
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let mut refused = None;
    for folder in std::env::split_paths(&path) {
        // An empty element means here.
        let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
        match usable(&folder.join(name)) {
            Ok(program) => return Ok(program),
            Err((126, why)) => refused = Some((126, why)),
            Err(_) => {}
        }
    }
    Err(refused.unwrap_or((127, "no such command in PATH".to_owned())))
}

fn usable(path: &Path) -> Result<PathBuf, (u8, String)> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err((126, "it is a directory".to_owned())),
        Ok(metadata) if metadata.permissions().mode() & 0o111 == 0 => Err((126, "it is not executable".to_owned())),
        Ok(_) => Ok(path.to_owned()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err((126, error.to_string())),
        Err(error) => Err((127, error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use super::*;

    #[test]
    fn root_keeps_what_is_bounded_and_others_the_ambient() {
        let status = |uid: u32| {
            format!(
                "Name:\tx\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nCapPrm:\t0007\nCapEff:\t0007\nCapBnd:\t0005\nCapAmb:\t0002\n"
            )
        };
        assert_eq!(held(&status(0)), BTreeSet::from([0, 2]));
        assert_eq!(held(&status(1000)), BTreeSet::from([1]));
        assert_eq!(held(""), BTreeSet::new());
    }

    #[test]
    fn commands_are_found_as_a_shell_finds_them() {
        assert!(search(OsStr::new("sh")).unwrap().ends_with("sh"));
        assert_eq!(search(OsStr::new("no-such-command-here")).unwrap_err().0, 127);
        assert_eq!(search(OsStr::new("/etc/passwd")).unwrap_err().0, 126);
        assert_eq!(search(OsStr::new("/etc")).unwrap_err().0, 126);
        assert_eq!(search(OsStr::new("")).unwrap_err().0, 127);
    }

    #[test]
    fn this_machine_has_an_abi_and_a_kernel() {
        assert!(native().is_ok());
        assert!(running_kernel().unwrap() > KernelVersion { major: 3, minor: 5 });
    }
}
