//! Parameters of the calls of x86_64 as the running kernel declares them: SYSCALL_DEFINE, shown by tracefs.
//!
//! ```text
//! events/syscalls/sys_enter_socket/format    field:int family;  field:int type;  field:int protocol
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::sources::{Declared, is_split, of_type};
use crate::skip::{Skip, need_root};

/// The call that a tracepoint's name stands for, where the names differ (`fs/stat.c`, `kernel/sys.c`, `fs/namespace.c`).
const NAMES: &[(&str, &str)] =
    &[("newstat", "stat"), ("newfstat", "fstat"), ("newlstat", "lstat"), ("newuname", "uname"), ("umount", "umount2")];

/// The parameters of each call.
///
/// # Errors
/// No tracefs.
pub fn read() -> Result<BTreeMap<String, Vec<Option<Declared>>>, Skip> {
    mounted(prototypes)
}

/// Calls `read` with the folder of system calls in tracefs, which is mounted for the time being if it is not.
fn mounted<T>(read: impl FnOnce(&Path) -> Result<T, Skip>) -> Result<T, Skip> {
    let mounted = PathBuf::from("/sys/kernel/tracing");
    if mounted.join("events/syscalls").is_dir() {
        return read(&mounted.join("events/syscalls"));
    }
    need_root()?;
    let folder = tempfile::tempdir().map_err(|error| Skip(error.to_string()))?;
    let status = Command::new("mount").args(["-t", "tracefs", "tracefs"]).arg(folder.path()).status();
    if !status.is_ok_and(|status| status.success()) {
        return Err(Skip("tracefs can't be mounted".into()));
    }
    let result = read(&folder.path().join("events/syscalls"));
    let _ = Command::new("umount").arg(folder.path()).status();
    result
}

fn prototypes(folder: &Path) -> Result<BTreeMap<String, Vec<Option<Declared>>>, Skip> {
    let entries = fs::read_dir(folder).map_err(|error| Skip(format!("{}: {error}", folder.display())))?;
    let mut all = BTreeMap::new();
    for entry in entries.flatten() {
        let event = entry.file_name().to_string_lossy().into_owned();
        let Some(event) = event.strip_prefix("sys_enter_") else { continue };
        let Ok(format) = fs::read_to_string(entry.path().join("format")) else { continue };
        let name = NAMES.iter().find(|(other, _)| *other == event).map_or(event, |(_, name)| name);
        all.insert(name.to_owned(), parameters(&format));
    }
    if all.len() < 300 {
        return Err(Skip(format!("tracefs has only {} system calls", all.len())));
    }
    Ok(all)
}

/// The parameters of `field:int family; offset:16; …`, those of the call alone.
fn parameters(format: &str) -> Vec<Option<Declared>> {
    let fields = format.lines().filter_map(|line| line.trim().strip_prefix("field:")?.split(';').next());
    let own = fields.skip_while(|field| !field.ends_with("__syscall_nr")).skip(1);
    own.map(parameter).collect()
}

fn parameter(field: &str) -> Option<Declared> {
    let (ty, name) = field.rsplit_once([' ', '*'])?;
    let pointer = field.contains('*');
    let ty = ty.trim().trim_start_matches("const ").trim();
    let (bits, signed) = if pointer { (64, false) } else { of_type(ty)? };
    let split = !pointer && is_split(ty);
    Some(Declared { name: name.to_owned(), bits, signed, pointer, split, unsure: false })
}
