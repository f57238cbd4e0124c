//! Files of one run: where they come from, and their text by [`FileId`].

pub mod disk;
pub mod graph;
pub mod memory;
pub mod project;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kpol_grammar::ast;
use kpol_grammar::parse::SyntaxError;

use crate::diagnostic::{FileId, Span};

pub use disk::Disk;
pub use memory::Memory;

/// One file that was read.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Shown to the user: the path as given or as the include led to it, or `<base/runtime>`.
    pub name: String,
    /// The path that identifies it; for the library the same as `name`.
    pub path: PathBuf,
    /// The text.
    pub text: Arc<str>,
}

/// Every file of one run.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

impl Sources {
    /// Adds a file.
    pub fn add(&mut self, file: SourceFile) -> FileId {
        self.files.push(file);
        // At most `MAX_FILES` are ever added.
        FileId(u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX))
    }

    /// The file of that id. Ids come from [`Sources::add`] only.
    pub fn get(&self, id: FileId) -> &SourceFile {
        &self.files[id.0 as usize]
    }

    /// The line, from 1, in which a place begins.
    pub fn line(&self, span: Span) -> usize {
        let before = self.get(span.file).text.get(..span.bytes.start as usize);
        before.map_or(1, |before| before.bytes().filter(|&byte| byte == b'\n').count() + 1)
    }

    /// All files with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        (0u32..).map(FileId).zip(&self.files)
    }
}

/// Where files come from: the disk, an editor's memory, a test's table.
pub trait Loader: Sync {
    /// The bytes of a regular file of at most `limit` bytes.
    ///
    /// # Errors
    /// What the operating system says, or [`LoadError`]'s own reasons.
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, LoadError>;

    /// A path that is the same for every name of one file (links resolved).
    ///
    /// # Errors
    /// What the operating system says.
    fn canonical(&self, path: &Path) -> io::Result<PathBuf>;

    /// Names of the policies in a folder, as many as anybody would look at: for offers. None where folders cannot be listed.
    fn policies(&self, folder: &Path) -> Vec<String> {
        let _ = folder;
        Vec::new()
    }

    /// The tree of a file that was read. One who reads the same text again and again keeps it.
    fn parse(&self, path: &Path, text: &str) -> Tree {
        let _ = path;
        let (file, errors) = kpol_grammar::parse(text);
        Tree { file: Arc::new(file), errors: errors.into() }
    }
}

/// A text as statements, and what is wrong with it. Shared, so that a copy costs nothing.
#[derive(Debug, Clone)]
pub struct Tree {
    /// Statements; those that could not be read are `Broken`.
    pub file: Arc<ast::File>,
    /// Why they could not.
    pub errors: Arc<[SyntaxError]>,
}

/// Why a file could not be read.
#[derive(Debug)]
pub enum LoadError {
    /// The operating system's word.
    Io(io::Error),
    /// A directory, FIFO, device or socket; the word for it.
    NotAFile(&'static str),
    /// Larger than the limit; its size where known.
    TooLarge(Option<u64>),
}
