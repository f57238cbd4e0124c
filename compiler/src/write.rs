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
//! - A symbolic link stays: the file that it leads to is replaced. A link to nothing is an error.
//! - A file that exists keeps its permission bits, a new one gets 0644 less the umask ([`Mode::Plain`]).
//! - SIGINT, SIGTERM, SIGHUP and SIGQUIT wait until it is done; one that arrives before the first name
//!   changes wins, and nothing changes.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::source::disk::not_a_file;
use crate::sys::{self, Signals};

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
    /// Exactly these, whatever there was and whatever the umask is.
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

/// Where an output really goes.
struct Target {
    /// Links resolved.
    path: PathBuf,
    folder: PathBuf,
    /// The permission bits of the file that is there.
    mode: Option<u32>,
}

/// An output whose bytes are on the disk under another name.
struct Staged<'a> {
    /// As the user knows it.
    name: &'a Path,
    target: Target,
    file: NamedTempFile,
}

/// Writes all of `outputs`, or none.
///
/// # Errors
/// Where a target is no regular file, two are the same, a folder or disk refuses, or the user interrupted.
pub fn commit(outputs: &[Output], mode: Mode) -> Result<(), WriteError> {
    commit_by(outputs, mode, &mut place)
}

/// A name changes: from the staged file to the target. Says whether the staged file's name now has the old contents.
type Place<'a> = &'a mut dyn FnMut(&Path, &Path, bool) -> io::Result<bool>;

fn commit_by(outputs: &[Output], mode: Mode, place: Place<'_>) -> Result<(), WriteError> {
    let signals = Signals::hold();
    let mut seen = BTreeSet::new();
    let mut staged = Vec::with_capacity(outputs.len());
    for output in outputs {
        let target = target(&output.path)?;
        if !seen.insert(target.path.clone()) {
            let why = io::Error::new(io::ErrorKind::AlreadyExists, "two outputs have this name");
            return Err(WriteError::new("cannot write", &output.path, why));
        }
        staged.push(stage(output, target, mode)?);
    }
    if let Some(output) = outputs.first()
        && signals.ending()
    {
        let why = io::Error::new(io::ErrorKind::Interrupted, "interrupted");
        return Err(WriteError::new("did not write", &output.path, why));
    }
    let folders: BTreeSet<PathBuf> = staged.iter().map(|one| one.target.folder.clone()).collect();
    place_all(staged, place)?;
    for folder in folders {
        settle(&folder)?;
    }
    Ok(())
}

/// Finds the place of an output without trusting what is there.
fn target(path: &Path) -> Result<Target, WriteError> {
    let cannot = |why| WriteError::new("cannot write", path, why);
    let refuse = |word: String| cannot(io::Error::new(io::ErrorKind::InvalidInput, word));
    let Some(name) = path.file_name() else {
        return Err(refuse("it is not the name of a file".to_owned()));
    };
    let (path, mode) = match fs::metadata(path) {
        // `metadata` lets the kernel follow the links, with its rules for links in /tmp (`fs.protected_symlinks`).
        Ok(metadata) => {
            if let Some(word) = not_a_file(metadata.file_type()) {
                return Err(refuse(format!("it is {word}")));
            }
            (fs::canonicalize(path).map_err(cannot)?, Some(metadata.mode() & 0o7777))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if path.is_symlink() {
                return Err(refuse("it is a symbolic link to nothing".to_owned()));
            }
            let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
            (fs::canonicalize(folder).map_err(cannot)?.join(name), None)
        }
        Err(error) => return Err(cannot(error)),
    };
    // An absolute path that names a file has a folder.
    let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
    Ok(Target { path, folder, mode })
}

fn stage<'a>(output: &'a Output, target: Target, mode: Mode) -> Result<Staged<'a>, WriteError> {
    let name = output.path.as_path();
    let write = || -> io::Result<NamedTempFile> {
        let mut prefix = std::ffi::OsString::from(".");
        // Leaves room in the 255 bytes of a name.
        let stem = target.path.file_name().unwrap_or_default();
        prefix.push(if stem.len() <= 200 { stem } else { "kpolc".as_ref() });
        prefix.push(".kpolc-");
        // Not `tempfile_in`: its errors name the temporary file, and lose the number.
        let create = |path: &Path| OpenOptions::new().write(true).create_new(true).mode(0o644).open(path);
        let mut file = tempfile::Builder::new().prefix(&prefix).make_in(&target.folder, create)?;
        file.as_file_mut().write_all(&output.bytes)?;
        let exact = match mode {
            Mode::Plain => target.mode,
            Mode::Exact(mode) => Some(mode),
        };
        if let Some(mode) = exact {
            file.as_file().set_permissions(Permissions::from_mode(mode))?;
        }
        file.as_file().sync_all()?;
        Ok(file)
    };
    match write() {
        Ok(file) => Ok(Staged { name, target, file }),
        Err(error) => Err(WriteError::new("cannot write", name, error)),
    }
}

fn place(from: &Path, to: &Path, keep_old: bool) -> io::Result<bool> {
    if keep_old {
        match sys::exchange(from, to) {
            // Not every file system can; there the old contents are lost, as with any rename.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS | libc::ENOTSUP)) => {}
            other => return other.map(|()| true),
        }
    }
    fs::rename(from, to).map(|()| false)
}

/// Changes every name, or changes back those that it has changed.
fn place_all(staged: Vec<Staged<'_>>, place: Place<'_>) -> Result<(), WriteError> {
    let several = staged.len() > 1;
    let mut done: Vec<(Staged<'_>, bool)> = Vec::with_capacity(staged.len());
    for mut one in staged {
        let exists = one.target.mode.is_some();
        match place(one.file.path(), &one.target.path, several && exists) {
            Ok(old_is_kept) => {
                // Without an exchange the staged name is free, and may be anybody's by now.
                one.file.disable_cleanup(!old_is_kept);
                done.push((one, old_is_kept));
            }
            Err(why) => {
                let mut error = WriteError::new("cannot replace", one.name, why);
                for (one, old_is_kept) in done.into_iter().rev() {
                    let undone = match (old_is_kept, one.target.mode) {
                        (true, _) => fs::rename(one.file.path(), &one.target.path),
                        (false, None) => fs::remove_file(&one.target.path),
                        (false, Some(_)) => Err(io::ErrorKind::Unsupported.into()),
                    };
                    if undone.is_err() {
                        error.changed.push(one.name.to_owned());
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
fn settle(folder: &Path) -> Result<(), WriteError> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // A folder that may be written but not read cannot be opened, and some file systems know no fsync of one.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EACCES | libc::EINVAL | libc::ENOTSUP)) => Ok(()),
        Err(error) => Err(WriteError::new("written, but perhaps not for good, in", folder, error)),
        Ok(()) => Ok(()),
    }
}

#[cfg(test)]
#[path = "write/tests.rs"]
mod tests;
