//! What all files say at one moment: those that an editor has open as it has them, all others as the disk has them.
//!
//! ```text
//! web.kpol    open, version 7    its unsaved text
//! base.kpol   not open           the disk, looked at again when something happened there
//! ```
//!
//! INVARIANT: a snapshot never changes. Whoever holds one sees the open files of its moment, however many edits follow.

use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kpol_compiler::source::project::Levels;
use kpol_compiler::source::{Disk, LoadError, Loader};
use kpol_grammar::lines::{Encoding, Lines};

/// The content of a file: equal numbers are equal texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentId(u64);

impl ContentId {
    /// A number that no content has yet.
    pub fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A file that an editor has open.
#[derive(Debug)]
pub struct Document {
    /// The name that the editor has for it.
    pub uri: Arc<str>,
    /// The name that the compiler has for it.
    pub path: PathBuf,
    /// The editor's count of its changes.
    pub version: i32,
    /// All of it.
    pub text: Arc<str>,
    /// Where its lines begin.
    pub lines: Arc<Lines>,
    /// Its content.
    pub id: ContentId,
}

/// What a user has set in the editor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// Like `-I`.
    pub include_dirs: Vec<PathBuf>,
    /// Like `--kernel`.
    pub kernel: Option<String>,
    /// Like `--libseccomp`.
    pub libseccomp: Option<String>,
    /// Like `--cap`; `None` leaves them open.
    pub capabilities: Option<Vec<String>>,
    /// Like `--allow`, `--warn` and `--deny`.
    pub lints: Levels,
    /// No inlay hints.
    pub no_hints: bool,
    /// No code lenses.
    pub no_lenses: bool,
}

/// All files at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Grows with every change of anything.
    pub generation: u64,
    /// Open files by path.
    pub documents: Arc<BTreeMap<PathBuf, Arc<Document>>>,
    /// Folders that the editor works in.
    pub folders: Arc<Vec<PathBuf>>,
    /// The user's settings.
    pub config: Arc<Config>,
    /// How the client counts columns.
    pub encoding: Encoding,
    /// Files that are not open.
    pub disk: Arc<DiskCache>,
}

impl Snapshot {
    /// Nothing open, nothing set.
    pub fn empty() -> Self {
        Self {
            generation: 0,
            documents: Arc::default(),
            folders: Arc::default(),
            config: Arc::default(),
            encoding: Encoding::Utf16,
            disk: Arc::default(),
        }
    }

    /// The open file of that path.
    pub fn document(&self, path: &Path) -> Option<&Arc<Document>> {
        self.documents.get(path)
    }

    /// The content of a path, `None` where there is no file to read.
    pub fn content(&self, path: &Path) -> Option<ContentId> {
        let path = self.canonical(path).unwrap_or_else(|_| path.to_owned());
        match self.documents.get(&path) {
            Some(document) => Some(document.id),
            None => self.disk.file(&path, u64::MAX).ok().map(|file| file.id),
        }
    }

    /// The text of a path with its content's number.
    pub fn text(&self, path: &Path, limit: u64) -> Option<(ContentId, Arc<str>)> {
        let path = self.canonical(path).unwrap_or_else(|_| path.to_owned());
        if let Some(document) = self.documents.get(&path) {
            return (document.text.len() as u64 <= limit).then(|| (document.id, Arc::clone(&document.text)));
        }
        let file = self.disk.file(&path, limit).ok()?;
        Some((file.id, std::str::from_utf8(&file.bytes).ok()?.into()))
    }
}

impl Loader for Snapshot {
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, LoadError> {
        let path = self.canonical(path).unwrap_or_else(|_| path.to_owned());
        match self.documents.get(&path) {
            Some(document) if document.text.len() as u64 > limit => {
                Err(LoadError::TooLarge(Some(document.text.len() as u64)))
            }
            Some(document) => Ok(document.text.as_bytes().to_vec()),
            None => self.disk.file(&path, limit).map(|file| file.bytes.to_vec()),
        }
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        if self.documents.contains_key(path) {
            return Ok(path.to_owned());
        }
        self.disk.canonical(path)
    }
}

/// A file of the disk as it was when it was last looked at.
#[derive(Debug, Clone)]
pub struct DiskFile {
    /// Its content.
    pub id: ContentId,
    /// All of it.
    pub bytes: Arc<[u8]>,
}

#[derive(Debug)]
struct Known {
    stamp: Option<Stamp>,
    file: DiskFile,
    epoch: u64,
}

/// What changes with a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp(u64);

/// Files of the disk that were read. A file is looked at again in every epoch; an epoch ends when the client says that
/// something happened on the disk, and after a second, since not every client says so.
#[derive(Debug, Default)]
pub struct DiskCache {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    epoch: u64,
    begun: Option<Instant>,
    files: HashMap<PathBuf, Known>,
    absent: HashMap<PathBuf, u64>,
    canonical: HashMap<PathBuf, (u64, Result<PathBuf, io::ErrorKind>)>,
}

impl DiskCache {
    /// No text is kept longer than this many bytes together.
    const MOST_BYTES: usize = 32 << 20;

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while it was held leaves at worst an entry that is read again.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something happened on the disk.
    pub fn touched(&self) {
        let mut inner = self.lock();
        inner.epoch += 1;
        inner.begun = Some(Instant::now());
    }

    /// How often files of the disk had to be looked at anew.
    pub fn epoch(&self) -> u64 {
        self.lock().epoch
    }

    /// Ends an epoch that is old. Returns whether it did.
    pub fn age(&self) -> bool {
        let old = self.lock().begun.is_none_or(|begun| begun.elapsed() > Duration::from_secs(1));
        if old {
            self.touched();
        }
        old
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        let mut inner = self.lock();
        let epoch = inner.epoch;
        if let Some((of, known)) = inner.canonical.get(path)
            && *of == epoch
        {
            return known.clone().map_err(io::Error::from);
        }
        let found = Disk.canonical(path);
        let kept = found.as_ref().map(PathBuf::clone).map_err(io::Error::kind);
        if inner.canonical.len() > 100_000 {
            inner.canonical.clear();
        }
        inner.canonical.insert(path.to_owned(), (epoch, kept));
        found
    }

    fn file(&self, path: &Path, limit: u64) -> Result<DiskFile, LoadError> {
        let mut inner = self.lock();
        let epoch = inner.epoch;
        if inner.absent.get(path) == Some(&epoch) {
            return Err(LoadError::Io(io::ErrorKind::NotFound.into()));
        }
        if let Some(known) = inner.files.get_mut(path) {
            if known.epoch != epoch && known.stamp.is_some() && stamp(path) == known.stamp {
                known.epoch = epoch;
            }
            if known.epoch == epoch {
                let size = known.file.bytes.len() as u64;
                return if size > limit { Err(LoadError::TooLarge(Some(size))) } else { Ok(known.file.clone()) };
            }
        }
        let before = stamp(path);
        let bytes = match Disk.read(path, limit) {
            Ok(bytes) => bytes,
            Err(error) => {
                if matches!(&error, LoadError::Io(error) if error.kind() == io::ErrorKind::NotFound) {
                    inner.files.remove(path);
                    inner.absent.insert(path.to_owned(), epoch);
                }
                return Err(error);
            }
        };
        // The same text keeps its number: `touch` changes nothing.
        let id = match inner.files.get(path) {
            Some(known) if *known.file.bytes == bytes => known.file.id,
            _ => ContentId::fresh(),
        };
        let file = DiskFile { id, bytes: bytes.into() };
        if inner.files.values().map(|known| known.file.bytes.len()).sum::<usize>() > Self::MOST_BYTES {
            inner.files.clear();
        }
        inner.absent.remove(path);
        inner.files.insert(path.to_owned(), Known { stamp: before, file: file.clone(), epoch });
        Ok(file)
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    let mut hasher = std::hash::DefaultHasher::new();
    (metadata.len(), metadata.modified().ok()?).hash(&mut hasher);
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec()).hash(&mut hasher);
    }
    Some(Stamp(hasher.finish()))
}
