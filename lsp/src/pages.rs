//! What ships inside the compiler, as files that an editor can open: the library, and a page for each code.
//!
//! ```text
//! <groups/basic-io>   ~/.cache/kpol/0.1.0/library/groups/basic-io.kpol    for the eye only: nobody may write it
//! E031                ~/.cache/kpol/0.1.0/codes/E031.md
//! ```
//!
//! A file is written when somebody first asks for it, and left alone if it is there and says the same.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use kpol_compiler::diagnostic::Code;
use kpol_compiler::library;

/// The file of the library, by its name in angle brackets.
pub fn library_file(path: &Path) -> Option<PathBuf> {
    let file = library::get(library_name(path)?)?;
    appear(&format!("library/{}.kpol", file.name), file.text)
}

fn library_name(path: &Path) -> Option<&str> {
    path.to_str()?.strip_prefix('<')?.strip_suffix('>')
}

/// Whether a path is inside the compiler, `<groups/basic-io>`, or a copy that was written for an editor.
pub fn is_library(path: &Path) -> bool {
    library_name(path).is_some() || folder().is_some_and(|folder| path.starts_with(folder.join("library")))
}

/// The page of a code.
pub fn code(code: Code) -> Option<PathBuf> {
    appear(&format!("codes/{}.md", code.as_str()), code.page())
}

/// Where a user's programs keep what they can make again.
fn folder() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(cache.join("kpol").join(env!("CARGO_PKG_VERSION")))
}

fn appear(name: &str, text: &str) -> Option<PathBuf> {
    let path = folder()?.join(name);
    if fs::read(&path).is_ok_and(|there| there == text.as_bytes()) {
        return Some(path);
    }
    let folder = path.parent()?;
    fs::create_dir_all(folder).ok()?;
    // Beside it and then in its place: two servers may be at it at once.
    let staged = folder.join(format!(".{}.{}", path.file_name()?.to_str()?, std::process::id()));
    let _ = fs::remove_file(&staged);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&staged).ok()?;
    file.write_all(text.as_bytes()).ok()?;
    let mut permissions = file.metadata().ok()?.permissions();
    permissions.set_readonly(true);
    file.set_permissions(permissions).ok()?;
    fs::rename(&staged, &path).ok()?;
    Some(path)
}
