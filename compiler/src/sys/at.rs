//! Calls that take a folder by its descriptor, so that whoever changes names on the way to it cannot lead them elsewhere.
//!
//! ```text
//! open("/srv/out")  →  descriptor        then /srv/out is renamed, and a link put in its place:
//! create(descriptor, "web.json")         … in the folder that was opened, all the same
//! ```
//!
//! Manual pages: openat(2), fstatat(2), readlinkat(2), mkdirat(2), renameat2(2), unlinkat(2).

use std::ffi::{CStr, CString, OsStr, OsString};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// What stands behind a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Kind and permission bits, as `st_mode` has them.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// File system and number in it: what tells one thing from another.
    pub identity: (u64, u64),
}

impl Stat {
    #[allow(clippy::useless_conversion, reason = "the types differ by architecture and C library")]
    fn of(found: &libc::stat) -> Self {
        Self {
            mode: found.st_mode,
            uid: found.st_uid,
            gid: found.st_gid,
            identity: (u64::from(found.st_dev), u64::from(found.st_ino)),
        }
    }

    /// The kind of a thing, without its permissions: `S_IFREG` and so on.
    pub fn kind(&self) -> u32 {
        self.mode & libc::S_IFMT
    }
}

fn c_name(name: &OsStr) -> io::Result<CString> {
    CString::new(name.as_bytes()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

fn done(answer: libc::c_int) -> io::Result<()> {
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn open(folder: Option<BorrowedFd<'_>>, name: &CStr, flags: libc::c_int, mode: libc::mode_t) -> io::Result<OwnedFd> {
    let at = folder.map_or(libc::AT_FDCWD, |folder| folder.as_raw_fd());
    // SAFETY: the name is a C string that lives across the call; a mode that no flag asks for is not looked at.
    let fd = unsafe { libc::openat(at, name.as_ptr(), flags | libc::O_CLOEXEC, mode) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given it to us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A folder to go through, by its name in another one or from here; never by a link.
///
/// # Errors
/// As openat(2) has them; `ENOTDIR` where it is no folder.
pub fn folder(inside: Option<BorrowedFd<'_>>, name: &OsStr) -> io::Result<OwnedFd> {
    open(inside, &c_name(name)?, libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW, 0)
}

/// A new file to write, that nothing had the name of.
///
/// # Errors
/// As openat(2) has them; `EEXIST` where anything has the name, a link too.
pub fn create(inside: BorrowedFd<'_>, name: &OsStr, mode: u32) -> io::Result<File> {
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW;
    open(Some(inside), &c_name(name)?, flags, mode).map(File::from)
}

/// What has the name in a folder, a link itself.
///
/// # Errors
/// As fstatat(2) has them.
pub fn stat(inside: BorrowedFd<'_>, name: &OsStr) -> io::Result<Stat> {
    stat_by(inside, &c_name(name)?, libc::AT_SYMLINK_NOFOLLOW)
}

/// What a descriptor leads to.
///
/// # Errors
/// As fstatat(2) has them.
pub fn stat_of(what: BorrowedFd<'_>) -> io::Result<Stat> {
    stat_by(what, c"", libc::AT_EMPTY_PATH)
}

fn stat_by(inside: BorrowedFd<'_>, name: &CStr, flags: libc::c_int) -> io::Result<Stat> {
    let mut found = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the name is a C string, and the pointer valid for a whole stat; both live across the call.
    done(unsafe { libc::fstatat(inside.as_raw_fd(), name.as_ptr(), found.as_mut_ptr(), flags) })?;
    // SAFETY: the call succeeded, so it is written.
    Ok(Stat::of(unsafe { found.assume_init_ref() }))
}

/// Where a link leads.
///
/// # Errors
/// As readlinkat(2) has them.
pub fn read_link(inside: BorrowedFd<'_>, name: &OsStr) -> io::Result<OsString> {
    let name = c_name(name)?;
    let mut text = vec![0u8; libc::PATH_MAX as usize];
    // SAFETY: the name is a C string, and the buffer as long as is said; both live across the call.
    let len = unsafe { libc::readlinkat(inside.as_raw_fd(), name.as_ptr(), text.as_mut_ptr().cast(), text.len()) };
    let Ok(len) = usize::try_from(len) else { return Err(io::Error::last_os_error()) };
    text.truncate(len);
    Ok(OsString::from_vec(text))
}

/// Makes a folder.
///
/// # Errors
/// As mkdirat(2) has them.
pub fn make_folder(inside: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    let name = c_name(name)?;
    // SAFETY: the name is a C string that lives across the call.
    done(unsafe { libc::mkdirat(inside.as_raw_fd(), name.as_ptr(), 0o777) })
}

/// A name of a folder becomes another one of it; whatever had that is gone.
///
/// # Errors
/// As renameat(2) has them.
pub fn rename(inside: BorrowedFd<'_>, from: &OsStr, to: &OsStr) -> io::Result<()> {
    let (from, to, fd) = (c_name(from)?, c_name(to)?, inside.as_raw_fd());
    // SAFETY: both are C strings that live across the call.
    done(unsafe { libc::renameat(fd, from.as_ptr(), fd, to.as_ptr()) })
}

/// Two things of a folder change their names, in one step.
///
/// # Errors
/// `EINVAL` or `ENOSYS` where the file system or the kernel cannot; others as renameat2(2) has them.
pub fn exchange(inside: BorrowedFd<'_>, one: &OsStr, other: &OsStr) -> io::Result<()> {
    let (one, other, fd) = (c_name(one)?, c_name(other)?, inside.as_raw_fd());
    // SAFETY: both are C strings that live across the call.
    done(unsafe { libc::renameat2(fd, one.as_ptr(), fd, other.as_ptr(), libc::RENAME_EXCHANGE) })
}

/// Takes the name of a file away.
///
/// # Errors
/// As unlinkat(2) has them.
pub fn remove(inside: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    let name = c_name(name)?;
    // SAFETY: the name is a C string that lives across the call.
    done(unsafe { libc::unlinkat(inside.as_raw_fd(), name.as_ptr(), 0) })
}

/// The names in a folder reach the disk.
///
/// # Errors
/// As openat(2) and fsync(2) have them.
pub fn sync_names(folder: BorrowedFd<'_>) -> io::Result<()> {
    // A folder that is gone through has no contents: it is opened once more, by itself.
    let readable = open(Some(folder), c".", libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
    File::from(readable).sync_all()
}

/// By whose rights this process acts.
pub fn effective_user() -> u32 {
    // SAFETY: it takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}
