//! Files as git has them: those of a revision for `diff --git`, and the two of git's external diff.
//!
//! ```text
//! kpolc diff --git main web.kpol      web.kpol, its includes and kpol.toml of `main`, beside those on the disk
//! git diff                            PATH OLD-FILE OLD-HEX OLD-MODE NEW-FILE NEW-HEX NEW-MODE (git(1), GIT_EXTERNAL_DIFF)
//! ```
//!
//! git is asked for names and bytes alone. It is told to fetch nothing and to run no program of the repository's settings, and
//! no name of a file reaches it where it could be an option or a pattern.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use kpol_compiler::source::{Disk, LoadError, Loader};

use crate::ui::Trouble;

/// A longer answer of git's is no name and no list of one file.
const MOST_WORDS: u64 = 1 << 20;

/// The tree of a revision, where the working tree has its root. Files beside it come from the disk.
#[derive(Debug)]
pub struct Tree {
    root: PathBuf,
    commit: String,
    /// The object of each path that was asked for.
    known: Mutex<BTreeMap<PathBuf, Option<(String, String)>>>,
}

impl Tree {
    /// The tree of `revision` in the repository that a file is in.
    pub fn of(revision: &str, file: &Path) -> Result<Self, Trouble> {
        let folder = match file.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        // The folder may be gone since: then one above it is in the same repository.
        let folder = folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("."));
        let said = |arguments: &[&OsStr]| {
            let output = git(folder, arguments);
            output.map_err(|error| Trouble::new(format!("cannot run git: {error}")))
        };
        let root = said(&["rev-parse".as_ref(), "--show-toplevel".as_ref()])?;
        let Some(root) = root else {
            return Err(Trouble::new(format!("`{}` is in no working tree of git", file.display())));
        };
        let wanted = format!("{revision}^{{commit}}");
        let commit = said(&[
            "rev-parse".as_ref(),
            "--verify".as_ref(),
            "--quiet".as_ref(),
            "--end-of-options".as_ref(),
            wanted.as_ref(),
        ])?;
        let commit = commit.map(|commit| String::from_utf8_lossy(&commit).trim().to_owned());
        let Some(commit) =
            commit.filter(|commit| !commit.is_empty() && commit.bytes().all(|byte| byte.is_ascii_hexdigit()))
        else {
            return Err(Trouble::new(format!("git knows no revision `{revision}`")));
        };
        let root = OsStr::from_bytes(root.strip_suffix(b"\n").unwrap_or(&root));
        let root = std::fs::canonicalize(root)
            .map_err(|error| Trouble::new(format!("cannot read the working tree: {error}")))?;
        Ok(Self { root, commit, known: Mutex::new(BTreeMap::new()) })
    }

    /// The path from the root of the tree; `None` for a file beside it.
    fn inside(&self, path: &Path) -> Option<PathBuf> {
        let path = if path.is_absolute() {
            path.to_owned()
        } else {
            std::env::current_dir().ok()?.canonicalize().ok()?.join(path)
        };
        let mut plain = PathBuf::new();
        for part in path.components() {
            match part {
                Component::ParentDir => drop(plain.pop()),
                Component::CurDir => {}
                other => plain.push(other),
            }
        }
        plain.strip_prefix(&self.root).ok().map(Path::to_owned)
    }

    /// Mode and object of a path, as `git ls-tree` has them.
    fn entry(&self, path: &Path) -> io::Result<Option<(String, String)>> {
        let mut known = self.known.lock().map_err(|_| io::Error::other("a reader of git failed"))?;
        if let Some(entry) = known.get(path) {
            return Ok(entry.clone());
        }
        let arguments: [&OsStr; 6] = [
            "--literal-pathspecs".as_ref(),
            "ls-tree".as_ref(),
            "-z".as_ref(),
            self.commit.as_ref(),
            "--".as_ref(),
            path.as_os_str(),
        ];
        let said = if path == Path::new("") { None } else { git(&self.root, &arguments)? };
        // `100644 blob HASH<tab>PATH`
        let said = String::from_utf8_lossy(&said.unwrap_or_default()).into_owned();
        let mut words = said.split([' ', '\t', '\0']);
        let entry = match (words.next(), words.next(), words.next()) {
            (Some(mode), Some(_), Some(object)) if !mode.is_empty() => Some((mode.to_owned(), object.to_owned())),
            _ => None,
        };
        known.insert(path.to_owned(), entry.clone());
        Ok(entry)
    }
}

impl Loader for Tree {
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, LoadError> {
        let Some(inside) = self.inside(path) else { return Disk.read(path, limit) };
        if inside == Path::new("") {
            return Err(LoadError::NotAFile("a directory"));
        }
        let missing = || io::Error::new(io::ErrorKind::NotFound, "the revision has no such file");
        let (mode, object) = self.entry(&inside).map_err(LoadError::Io)?.ok_or_else(|| LoadError::Io(missing()))?;
        match mode.as_str() {
            "100644" | "100755" | "100664" => {}
            "040000" => return Err(LoadError::NotAFile("a directory")),
            "120000" => return Err(LoadError::NotAFile("a symbolic link in that revision")),
            _ => return Err(LoadError::NotAFile("not a regular file")),
        }
        let (bytes, status) = run(&self.root, &["cat-file".as_ref(), "blob".as_ref(), object.as_ref()], limit + 1)
            .map_err(LoadError::Io)?;
        if bytes.len() as u64 > limit {
            return Err(LoadError::TooLarge(None));
        }
        if !status {
            return Err(LoadError::Io(io::Error::other("git has not the bytes of this file")));
        }
        Ok(bytes)
    }

    fn policies(&self, _: &Path) -> Vec<String> {
        Vec::new()
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        let Some(inside) = self.inside(path) else { return Disk.canonical(path) };
        if inside != Path::new("") && self.entry(&inside)?.is_none() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the revision has no such file"));
        }
        Ok(self.root.join(inside))
    }
}

/// What git prints; `None` where it says no.
fn git(folder: &Path, arguments: &[&OsStr]) -> io::Result<Option<Vec<u8>>> {
    let (bytes, status) = run(folder, arguments, MOST_WORDS)?;
    Ok(status.then_some(bytes))
}

/// What git prints, at most so many bytes, and whether it ended well.
fn run(folder: &Path, arguments: &[&OsStr], limit: u64) -> io::Result<(Vec<u8>, bool)> {
    let mut child = Command::new("git")
        .args(["-c", "core.fsmonitor=false", "-c", "protocol.allow=never"])
        .args(arguments)
        .current_dir(folder)
        // A hook has these, as paths from the root: the file says which repository is meant.
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut bytes = Vec::new();
    let read = child.stdout.take().map_or(Ok(0), |out| out.take(limit).read_to_end(&mut bytes));
    if bytes.len() as u64 >= limit {
        // It has more to say than anybody wants.
        let _ = child.kill();
    }
    let status = child.wait()?;
    read?;
    Ok((bytes, status.success()))
}

/// What git hands to an external diff.
#[derive(Debug)]
pub struct Handed {
    /// The path in the repository.
    pub path: PathBuf,
    /// Bytes before and after; `None` where there was no file.
    pub sides: [Option<Vec<u8>>; 2],
}

impl Handed {
    /// Reads `PATH OLD-FILE OLD-HEX OLD-MODE NEW-FILE NEW-HEX NEW-MODE`, and two more of a file that was renamed.
    pub fn read(words: &[OsString]) -> Result<Self, Trouble> {
        // Far more than a policy may have, so that it is refused in the words for files.
        const MOST: u64 = 1 << 24;
        let [path, old, _, _, new, ..] = words else {
            return Err(Trouble::new("`--git-driver` is for git, which adds seven words: see `diff.<driver>.command`"));
        };
        let side = |file: &OsString| -> Result<Option<Vec<u8>>, Trouble> {
            if file == "/dev/null" {
                return Ok(None);
            }
            let path = Path::new(file);
            let wrong = |why: String| Trouble::new(format!("cannot read `{}`: {why}", path.display()));
            Disk.read(path, MOST).map(Some).map_err(|error| match error {
                LoadError::Io(error) => wrong(error.to_string()),
                LoadError::NotAFile(word) => wrong(format!("it is {word}")),
                LoadError::TooLarge(_) => wrong(format!("it has more than {MOST} bytes")),
            })
        };
        Ok(Self { path: PathBuf::from(path), sides: [side(old)?, side(new)?] })
    }

    /// The change of the text, as git shows it.
    pub fn text(&self) -> String {
        let path = self.path.display();
        let [old, new] = &self.sides;
        let name = |side: &Option<Vec<u8>>, letter: char| match side {
            Some(_) => format!("{letter}/{path}"),
            None => "/dev/null".to_owned(),
        };
        let text = |side: &Option<Vec<u8>>| String::from_utf8_lossy(side.as_deref().unwrap_or_default()).into_owned();
        let (before, after) = (text(old), text(new));
        similar::TextDiff::from_lines(&before, &after)
            .unified_diff()
            .header(&name(old, 'a'), &name(new, 'b'))
            .to_string()
    }
}
