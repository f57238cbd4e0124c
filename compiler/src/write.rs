//! Files appear whole or not at all, and several of them together.
//!
//! ```text
//! stage   web.json → .web.json.kpolc-x7Qp2a, written and fsynced       for every output, before …
//! place   .web.json.kpolc-x7Qp2a ⇄ web.json                            … the first name changes
//! settle  the old contents go, and the folders are fsynced, each once for all outputs in it
//! ```
//!
//! Whoever reads `web.json` at any time finds the old text or the new one. A full disk, a folder that is
//! read-only, a name that cannot be taken are found while staging: then nothing has changed, and the staged
//! files are gone. Should a later output fail while placing, the earlier ones are changed back (the staged
//! file and the old one have exchanged their names, so the old one is still there).
//!
//! - A symbolic link stays, and the file that it leads to is replaced; but a link in a folder that others may write is an error, as is
//!   one to nothing (`write/folder.rs`). Where a way leads is looked at once, and kept open.
//! - A file that exists keeps its permission bits, its owner and its group, a new one gets 0644 less the umask ([`Mode::Plain`]).
//!   A hard link is parted: its other names keep the old text.
//! - SIGINT, SIGTERM, SIGHUP and SIGQUIT wait until it is done; one that arrives before the first name
//!   changes wins, and nothing changes.
//!
//! INVARIANT: nobody who could not read or write the old file can do so with the new one.

mod folder;

use std::collections::btree_map::{BTreeMap, Entry};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::source::disk::not_a_file;
use crate::sys::Signals;
use crate::sys::at::{self, Stat};

use folder::{Folder, Spot, is_trusted};

/// A file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its name.
    pub path: PathBuf,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// The permission bits of what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// As before, or 0644 less the umask for a new file.
    Plain,
    /// These, whatever the umask is; of a file that exists no more than it has.
    Exact(u32),
}

/// Why nothing was written, or (see [`WriteError::changed`]) not everything.
#[derive(Debug)]
pub struct WriteError {
    /// The output that failed.
    pub path: PathBuf,
    /// What failed: "cannot write", "cannot replace".
    pub what: &'static str,
    /// Why.
    pub why: io::Error,
    /// Outputs that are new all the same, because they could not be changed back. Almost always empty.
    pub changed: Vec<PathBuf>,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`: {}", self.what, self.path.display(), self.why)
    }
}

impl std::error::Error for WriteError {}

impl WriteError {
    fn new(what: &'static str, path: &Path, why: io::Error) -> Self {
        Self { path: path.to_owned(), what, why, changed: Vec::new() }
    }
}

/// An output whose bytes are on the disk under another name.
struct Staged<'a> {
    /// As the user knows it.
    name: &'a Path,
    spot: Spot,
    staged: StagedName,
}

/// The name of a staged file; dropped, the file goes.
struct StagedName {
    folder: Rc<Folder>,
    name: OsString,
    /// Whether something of ours has the name.
    ours: bool,
}

impl Drop for StagedName {
    fn drop(&mut self) {
        if self.ours {
            // Who has taken it away already is welcome.
            let _ = at::remove(self.folder.fd(), &self.name);
        }
    }
}

/// Writes all of `outputs`, or none.
///
/// # Errors
/// Where a target is no regular file, two are the same, a folder or disk refuses, or the user interrupted.
pub fn commit(outputs: &[Output], mode: Mode) -> Result<(), WriteError> {
    commit_by(outputs, mode, &mut place)
}

/// Writes a file that was not there.
///
/// # Errors
/// `AlreadyExists` where anything has its name, a link too; else as [`commit`].
pub fn create(output: &Output) -> io::Result<()> {
    let (folder, name) = Spot::new_in(&output.path)?;
    let mut file = folder.create(&name, 0o666)?;
    let mut staged = StagedName { folder: Rc::new(folder), name, ours: true };
    file.write_all(&output.bytes)?;
    file.sync_all()?;
    staged.ours = false;
    Ok(())
}

/// Makes a folder, and those above it, where they are missing.
///
/// # Errors
/// Where something else has the name, the way leads through a link of others, or the system refuses.
pub fn make_folder(path: &Path) -> io::Result<()> {
    Folder::make(path).map(|_| ())
}

/// A name changes: from the staged file to the target. Says whether the staged file's name now has the old contents.
type Place<'a> = &'a mut dyn FnMut(&Folder, &OsStr, &OsStr, bool) -> io::Result<bool>;

fn commit_by(outputs: &[Output], mode: Mode, place: Place<'_>) -> Result<(), WriteError> {
    let signals = Signals::hold();
    // Each folder once, with the names that come into it.
    let mut folders: BTreeMap<(u64, u64), (Rc<Folder>, &Path)> = BTreeMap::new();
    let mut seen = BTreeMap::new();
    let mut staged = Vec::with_capacity(outputs.len());
    for output in outputs {
        let cannot = |why| WriteError::new("cannot write", &output.path, why);
        let mut spot = spot(&output.path).map_err(cannot)?;
        let identity = spot.folder.identity().map_err(cannot)?;
        match folders.entry(identity) {
            Entry::Occupied(known) => spot.folder = Rc::clone(&known.get().0),
            Entry::Vacant(new) => {
                new.insert((Rc::clone(&spot.folder), output.path.parent().unwrap_or(Path::new("/"))));
            }
        }
        if seen.insert((identity, spot.name.clone()), ()).is_some() {
            return Err(cannot(io::Error::new(io::ErrorKind::InvalidInput, "two outputs have this name")));
        }
        staged.push(stage(output, spot, mode).map_err(cannot)?);
    }
    if let Some(output) = outputs.first()
        && signals.ending()
    {
        let why = io::Error::new(io::ErrorKind::Interrupted, "interrupted");
        return Err(WriteError::new("did not write", &output.path, why));
    }
    place_all(staged, place)?;
    for (folder, name) in folders.values() {
        settle(folder, name)?;
    }
    Ok(())
}

/// Finds the place of an output without trusting what is there.
fn spot(path: &Path) -> io::Result<Spot> {
    let refuse = |word: String| Err(io::Error::new(io::ErrorKind::InvalidInput, word));
    if path.file_name().is_none() {
        return refuse("it is not the name of a file".to_owned());
    }
    // Links of the kernel, such as /dev/stdout, lead to things that have no path.
    if let Some(word) = fs::metadata(path).ok().and_then(|found| not_a_file(found.mode())) {
        return refuse(format!("it is {word}"));
    }
    let spot = Spot::of(path)?;
    match spot.old.and_then(|old| not_a_file(old.mode)) {
        Some(word) => refuse(format!("it is {word}")),
        None => Ok(spot),
    }
}

fn stage<'a>(output: &'a Output, spot: Spot, mode: Mode) -> io::Result<Staged<'a>> {
    let mut prefix = OsString::from(".");
    // Leaves room in the 255 bytes of a name.
    prefix.push(if spot.name.len() <= 200 { spot.name.as_os_str() } else { "kpolc".as_ref() });
    prefix.push(".kpolc-");
    // What gets its bits later is nobody's else until then.
    let first = if spot.old.is_none() && mode == Mode::Plain { 0o644 } else { 0o600 };
    // It thinks up names that nobody can guess. Where they are is ours to say.
    let last = |path: &Path| path.file_name().unwrap_or_default().to_owned();
    let create = |path: &Path| spot.folder.create(&last(path), first);
    let named = tempfile::Builder::new().prefix(&prefix).disable_cleanup(true).make_in("", create)?;
    let (mut file, path) = named.into_parts();
    let staged = StagedName { folder: Rc::clone(&spot.folder), name: last(&path), ours: true };
    file.write_all(&output.bytes)?;
    match (spot.old, mode) {
        (None, Mode::Plain) => {}
        (None, Mode::Exact(mode)) => file.set_permissions(Permissions::from_mode(mode))?,
        (Some(old), mode) => inherit(&file, &old, mode, spot.exposed)?,
    }
    file.sync_all()?;
    Ok(Staged { name: output.path.as_path(), spot, staged })
}

/// Gives a staged file the owner, group and bits of the one that it replaces; fewer bits where the rest cannot be had.
fn inherit(file: &File, old: &Stat, mode: Mode, exposed: bool) -> io::Result<()> {
    // Who may put a file into the folder may choose its owner too: there the new one stays ours.
    if !exposed {
        let uid = (mode == Mode::Plain).then_some(old.uid);
        if fchown(file, uid, Some(old.gid)).is_err() {
            let _ = fchown(file, None, Some(old.gid));
        }
    }
    let mut bits = old.mode & 0o777;
    if let Mode::Exact(most) = mode {
        bits &= most;
    }
    let same_group = file.metadata()?.gid() == old.gid;
    if !same_group {
        // Another group: its members had what everybody has.
        bits &= !0o070 | (bits & 0o007) << 3;
    }
    if exposed && !is_trusted(old.uid) {
        // Whoever put it there has chosen its bits: they are no word of ours that others may write.
        bits &= if same_group { !0o002 } else { !0o022 };
    }
    file.set_permissions(Permissions::from_mode(bits))
}

fn place(folder: &Folder, from: &OsStr, to: &OsStr, keep_old: bool) -> io::Result<bool> {
    if keep_old {
        match at::exchange(folder.fd(), from, to) {
            // Not every file system can; there the old contents are lost, as with any rename.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS | libc::ENOTSUP)) => {}
            other => return other.map(|()| true),
        }
    }
    at::rename(folder.fd(), from, to).map(|()| false)
}

/// Changes every name, or changes back those that it has changed.
fn place_all(staged: Vec<Staged<'_>>, place: Place<'_>) -> Result<(), WriteError> {
    let several = staged.len() > 1;
    let mut done: Vec<(Staged<'_>, bool)> = Vec::with_capacity(staged.len());
    for mut one in staged {
        let exists = one.spot.old.is_some();
        match place(&one.spot.folder, &one.staged.name, &one.spot.name, several && exists) {
            Ok(old_is_kept) => {
                // Without an exchange the staged name is free, and may be anybody's by now.
                one.staged.ours = old_is_kept;
                done.push((one, old_is_kept));
            }
            Err(why) => {
                let mut error = WriteError::new("cannot replace", one.name, why);
                for (mut one, old_is_kept) in done.into_iter().rev() {
                    let folder = one.spot.folder.fd();
                    let undone = match (old_is_kept, one.spot.old) {
                        (true, _) => at::rename(folder, &one.staged.name, &one.spot.name),
                        (false, None) => at::remove(folder, &one.spot.name),
                        (false, Some(_)) => Err(io::ErrorKind::Unsupported.into()),
                    };
                    match undone {
                        Ok(()) => one.staged.ours = false,
                        Err(_) => error.changed.push(one.name.to_owned()),
                    }
                }
                return Err(error);
            }
        }
    }
    // Here the old contents go, with the staged names that they have now.
    Ok(())
}

/// The names themselves reach the disk.
fn settle(folder: &Folder, name: &Path) -> Result<(), WriteError> {
    match at::sync_names(folder.fd()) {
        // A folder that may be written but not read cannot be opened, and some file systems know no fsync of one.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EACCES | libc::EINVAL | libc::ENOTSUP)) => Ok(()),
        Err(error) => Err(WriteError::new("written, but perhaps not for good, in", name, error)),
        Ok(()) => Ok(()),
    }
}

#[cfg(test)]
#[path = "write/tests.rs"]
mod tests;
