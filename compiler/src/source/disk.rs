//! Files of the disk, read without trusting what stands behind a name.
//!
//! ```text
//! web.kpol                 → its bytes
//! a FIFO, a terminal, …    → NotAFile("a FIFO"), at once: nothing is ever waited for
//! a file that grows        → TooLarge, after `limit` bytes
//! a link that leads to itself, a file that vanished → what the operating system says
//! ```
//!
//! A name is looked at before it is opened, because opening alone has effects on some devices, and once
//! more after, because it may have been replaced in between.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{LoadError, Loader};

/// The file system of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

/// What a thing on disk is by its `st_mode`, in words that fit behind "is"; `None` for a regular file.
pub fn not_a_file(mode: u32) -> Option<&'static str> {
    Some(match mode & libc::S_IFMT {
        libc::S_IFREG => return None,
        libc::S_IFDIR => "a directory",
        libc::S_IFIFO => "a FIFO",
        libc::S_IFSOCK => "a socket",
        libc::S_IFCHR => "a character device",
        libc::S_IFBLK => "a block device",
        _ => "not a regular file",
    })
}

fn refuse_special(metadata: &fs::Metadata) -> Result<(), LoadError> {
    not_a_file(metadata.mode()).map_or(Ok(()), |word| Err(LoadError::NotAFile(word)))
}

/// Opens a regular file; whatever else the name leads to is refused without waiting for it.
fn open(path: &Path) -> Result<File, LoadError> {
    refuse_special(&fs::metadata(path).map_err(LoadError::Io)?)?;
    OpenOptions::new()
        .read(true)
        // std adds O_CLOEXEC itself.
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(LoadError::Io)
}

/// Reads what is left of `file`; `limit` holds for what really comes, not for what its size promises.
fn read_at_most(mut file: impl Read, expected: u64, limit: u64) -> Result<Vec<u8>, LoadError> {
    let mut bytes = Vec::with_capacity(usize::try_from(expected.min(limit)).unwrap_or(0));
    file.by_ref().take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(LoadError::Io)?;
    if bytes.len() as u64 > limit { Err(LoadError::TooLarge(None)) } else { Ok(bytes) }
}

impl Loader for Disk {
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, LoadError> {
        let file = open(path)?;
        let metadata = file.metadata().map_err(LoadError::Io)?;
        refuse_special(&metadata)?;
        if metadata.len() > limit {
            return Err(LoadError::TooLarge(Some(metadata.len())));
        }
        read_at_most(file, metadata.len(), limit)
    }

    fn policies(&self, folder: &Path) -> Vec<String> {
        // More names than these nobody compares.
        const MAX_ENTRIES: usize = 4_096;
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(MAX_ENTRIES);
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| name.ends_with(".kpol"))
            .collect();
        names.sort_unstable();
        names
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        fs::canonicalize(path)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    use super::*;

    fn refused(path: &Path) -> &'static str {
        match Disk.read(path, 100) {
            Err(LoadError::NotAFile(word)) => word,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn reads_a_regular_file_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.kpol"), "default deny\n").unwrap();
        symlink("a.kpol", dir.path().join("b.kpol")).unwrap();
        assert_eq!(Disk.read(&dir.path().join("b.kpol"), 100).unwrap(), b"default deny\n");
        assert_eq!(
            Disk.canonical(&dir.path().join("b.kpol")).unwrap(),
            Disk.canonical(&dir.path().join("a.kpol")).unwrap()
        );
    }

    #[test]
    fn names_what_is_no_file_and_waits_for_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(refused(dir.path()), "a directory");
        assert_eq!(refused(Path::new("/dev/zero")), "a character device");
        let socket = dir.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        assert_eq!(refused(&socket), "a socket");
        // No writer ever comes to this FIFO: an ordinary open would hang here.
        let fifo = dir.path().join("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        assert_eq!(refused(&fifo), "a FIFO");
        symlink(&fifo, dir.path().join("link")).unwrap();
        assert_eq!(refused(&dir.path().join("link")), "a FIFO");
    }

    #[test]
    fn a_loop_of_links_and_a_missing_file_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        symlink(&a, &b).unwrap();
        symlink(&b, &a).unwrap();
        assert!(matches!(Disk.read(&a, 100), Err(LoadError::Io(error)) if error.raw_os_error() == Some(libc::ELOOP)));
        assert!(Disk.canonical(&a).is_err());
        let missing = Disk.read(&dir.path().join("c"), 100);
        assert!(matches!(missing, Err(LoadError::Io(error)) if error.kind() == io::ErrorKind::NotFound));
        assert!(matches!(Disk.read(Path::new(""), 100), Err(LoadError::Io(_))));
    }

    #[test]
    fn the_limit_is_inclusive_and_holds_for_what_comes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "12345").unwrap();
        assert_eq!(Disk.read(&path, 5).unwrap(), b"12345");
        assert!(matches!(Disk.read(&path, 4), Err(LoadError::TooLarge(Some(5)))));
        // A file that said it was empty and then goes on for ever.
        assert!(matches!(read_at_most(io::repeat(b'x'), 0, 1000), Err(LoadError::TooLarge(None))));
    }
}
