//! Files that exist only here: a test's, or an editor's unsaved ones.
//!
//! ```text
//! Memory::from([("/p/web.kpol", "default deny"), ("/p/base.kpol", "allow { read }")])
//! ```
//!
//! Names are taken as they are, but for `.` and `..`; a folder exists where a file lies below it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::{LoadError, Loader};

/// A table of files.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Memory {
    /// Adds a file, or replaces it.
    pub fn insert(&mut self, path: impl AsRef<Path>, bytes: impl Into<Vec<u8>>) {
        self.files.insert(plain(path.as_ref()), bytes.into());
    }

    /// Takes a file away.
    pub fn remove(&mut self, path: impl AsRef<Path>) {
        self.files.remove(&plain(path.as_ref()));
    }
}

impl<P: AsRef<Path>, B: Into<Vec<u8>>, const N: usize> From<[(P, B); N]> for Memory {
    fn from(files: [(P, B); N]) -> Self {
        let mut memory = Self::default();
        for (path, bytes) in files {
            memory.insert(path, bytes);
        }
        memory
    }
}

/// The path without `.` and `..`, as text has it.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

impl Memory {
    fn is_folder(&self, path: &Path) -> bool {
        self.files.keys().any(|file| file.starts_with(path))
    }
}

impl Loader for Memory {
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, LoadError> {
        let path = plain(path);
        match self.files.get(&path) {
            Some(bytes) if bytes.len() as u64 > limit => Err(LoadError::TooLarge(Some(bytes.len() as u64))),
            Some(bytes) => Ok(bytes.clone()),
            None if self.is_folder(&path) => Err(LoadError::NotAFile("a directory")),
            None => Err(LoadError::Io(io::ErrorKind::NotFound.into())),
        }
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        let path = plain(path);
        if self.is_folder(&path) { Ok(path) } else { Err(io::ErrorKind::NotFound.into()) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use super::*;

    #[test]
    fn one_file_has_one_name() {
        let memory = Memory::from([("/p/base.kpol", "allow { read }")]);
        assert_eq!(memory.read(Path::new("/p/q/.././base.kpol"), 100).unwrap(), b"allow { read }");
        assert_eq!(memory.canonical(Path::new("/p/./base.kpol")).unwrap(), Path::new("/p/base.kpol"));
        assert!(memory.canonical(Path::new("/p/other.kpol")).is_err());
        assert!(matches!(memory.read(Path::new("/p"), 100), Err(LoadError::NotAFile("a directory"))));
        assert!(matches!(memory.read(Path::new("/p/base.kpol"), 3), Err(LoadError::TooLarge(Some(14)))));
    }
}
