//! The folder that an output comes into, reached without trusting whoever else may write on the way.
//!
//! ```text
//! out/web.json         `out` is ours: a link in it is followed, since nobody else can have put it there
//! /tmp/web.json        a link, and anybody may put one into /tmp: an error
//! /srv/a/web.json      `a` is root's, and stands in a folder where anybody may change names: no link below is followed
//! ```
//!
//! The way is gone from folder to folder by descriptors, so it cannot be turned aside between a look and a step. Others are all but
//! this user and root; a group counts as others, since nothing here says who is in it. The kernel's own rule
//! (`fs.protected_symlinks`, `may_follow_link` in fs/namei.c) holds for sticky folders that all may write, and can be off.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use crate::sys::at::{self, Stat};

/// As many links on one way as the kernel follows (`MAXSYMLINKS`).
const MOST_LINKS: usize = 40;

/// A folder, held open.
#[derive(Debug)]
pub(super) struct Folder {
    fd: OwnedFd,
}

/// A name in a folder, where an output goes.
#[derive(Debug)]
pub(super) struct Spot {
    pub folder: Rc<Folder>,
    pub name: OsString,
    /// What has that name now; never a link.
    pub old: Option<Stat>,
    /// Whether others may change the names in that folder.
    pub exposed: bool,
}

impl Folder {
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// What tells it from every other one.
    pub fn identity(&self) -> io::Result<(u64, u64)> {
        at::stat_of(self.fd()).map(|stat| stat.identity)
    }

    /// A new file in it.
    pub fn create(&self, name: &OsStr, mode: u32) -> io::Result<File> {
        at::create(self.fd(), name, mode)
    }

    /// The folder that `path` names, made with all those above it where they are missing.
    pub fn make(path: &Path) -> io::Result<Self> {
        let mut walk = Walk::begin(path)?;
        while let Some(name) = walk.left.pop() {
            match walk.enter(&name) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    // Somebody else may be faster.
                    match at::make_folder(walk.here.as_fd(), &name) {
                        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                        _ => walk.enter(&name)?,
                    }
                }
                other => other?,
            }
        }
        Ok(Self { fd: walk.here })
    }
}

impl Spot {
    /// The place that `path` names, through links that nobody else can have put there.
    pub fn of(path: &Path) -> io::Result<Self> {
        let mut walk = Walk::begin(path)?;
        let mut by_link = false;
        let missing = |error: io::Error, by_link: bool| match error.kind() {
            io::ErrorKind::NotFound if by_link => refused("it is a symbolic link to nothing".to_owned()),
            _ => error,
        };
        while let Some(name) = walk.left.pop() {
            if !walk.left.is_empty() {
                walk.enter(&name).map_err(|error| missing(error, by_link))?;
                continue;
            }
            if name == ".." {
                break;
            }
            let old = match at::stat(walk.here.as_fd(), &name) {
                Ok(stat) if stat.kind() == libc::S_IFLNK => {
                    by_link = true;
                    walk.follow(&name)?;
                    continue;
                }
                Ok(stat) => Some(stat),
                Err(error) if error.kind() == io::ErrorKind::NotFound && !by_link => None,
                Err(error) => return Err(missing(error, by_link)),
            };
            let exposed = walk.exposed || others_may_write(&at::stat_of(walk.here.as_fd())?);
            return Ok(Self { folder: Rc::new(Folder { fd: walk.here }), name, old, exposed });
        }
        Err(refused("it is a directory".to_owned()))
    }

    /// The place of a file that shall be new: whatever has the name already is not looked at.
    pub fn new_in(path: &Path) -> io::Result<(Folder, OsString)> {
        let Some(name) = path.file_name() else { return Err(refused("it is not the name of a file".to_owned())) };
        let mut walk = Walk::begin(path.parent().unwrap_or(Path::new("")))?;
        while let Some(name) = walk.left.pop() {
            walk.enter(&name)?;
        }
        Ok((Folder { fd: walk.here }, name.to_owned()))
    }
}

/// A way that is half gone.
struct Walk {
    here: OwnedFd,
    /// How `here` was named, for messages.
    name: PathBuf,
    /// What is left of the way, the next step last.
    left: Vec<OsString>,
    links: usize,
    /// Whether others may have changed what a name on the way leads to.
    exposed: bool,
}

impl Walk {
    fn begin(path: &Path) -> io::Result<Self> {
        let start = if path.is_absolute() { "/" } else { "." };
        let (here, name) = (at::folder(None, start.as_ref())?, PathBuf::new());
        let mut walk = Self { here, name, left: Vec::new(), links: 0, exposed: false };
        if path.is_absolute() {
            walk.name.push("/");
        }
        walk.put_before(path);
        Ok(walk)
    }

    fn put_before(&mut self, path: &Path) {
        let steps = path.components().filter_map(|step| match step {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
        });
        let before = self.left.len();
        self.left.extend(steps);
        self.left[before..].reverse();
    }

    /// Goes into a folder, by a link if that is to be trusted.
    fn enter(&mut self, name: &OsStr) -> io::Result<()> {
        if at::stat(self.here.as_fd(), name)?.kind() == libc::S_IFLNK {
            return self.follow(name);
        }
        let next = at::folder(Some(self.here.as_fd()), name)?;
        let (around, inside) = (at::stat_of(self.here.as_fd())?, at::stat_of(next.as_fd())?);
        // In a sticky folder nobody but their owners renames things.
        let stays = around.mode & libc::S_ISVTX != 0 && is_trusted(around.uid) && is_trusted(inside.uid);
        self.exposed |= others_may_write(&around) && !stays;
        self.here = next;
        self.name.push(name);
        Ok(())
    }

    fn follow(&mut self, name: &OsStr) -> io::Result<()> {
        let around = at::stat_of(self.here.as_fd())?;
        if self.exposed || others_may_write(&around) {
            let shown = self.name.join(name);
            let mut why = format!(
                "`{}` is a symbolic link in a folder that others may write, and is not followed; name what it leads to",
                shown.display()
            );
            // Under a umask of 002 all folders of a user are such, for a group that is mostly the user alone.
            if !self.exposed && is_trusted(around.uid) && around.mode & 0o022 == 0o020 {
                let folder = if self.name.as_os_str().is_empty() { Path::new(".") } else { &self.name };
                why.push_str(&format!(", or take the right to write from its group, `chmod g-w {}`", folder.display()));
            }
            return Err(refused(why));
        }
        self.links += 1;
        if self.links > MOST_LINKS {
            return Err(io::Error::from_raw_os_error(libc::ELOOP));
        }
        let to = PathBuf::from(at::read_link(self.here.as_fd(), name)?);
        if to.is_absolute() {
            self.here = at::folder(None, "/".as_ref())?;
            self.name = PathBuf::from("/");
        }
        self.put_before(&to);
        Ok(())
    }
}

pub(super) fn is_trusted(uid: u32) -> bool {
    uid == 0 || uid == at::effective_user()
}

/// Whether anybody but this user and root may put names into a folder, or take them away.
fn others_may_write(folder: &Stat) -> bool {
    !is_trusted(folder.uid) || folder.mode & 0o022 != 0
}

fn refused(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}
