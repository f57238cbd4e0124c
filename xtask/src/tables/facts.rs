//! Facts: tab-separated text, one fact a line, the first line a comment that says where they were read.
//!
//! ```text
//! # Which kernel first had a call …
//! accept4    2.6.28
//! ```
//!
//! Two folders hold them: the one that is handed to the command (numbers, prototypes and releases, as others
//! gathered them) and `xtask/facts` (what those lack, each with its source).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::{Failure, Outcome, read};

/// One line of a file of facts.
pub struct Line {
    /// Where it stands, for messages.
    pub place: String,
    /// Its columns; never empty.
    pub columns: Vec<String>,
}

impl Line {
    /// A column that must be there.
    pub fn column(&self, index: usize, what: &str) -> Outcome<&str> {
        match self.columns.get(index) {
            Some(text) => Ok(text),
            None => Err(self.wrong(&format!("column {} ({what}) is missing", index + 1))),
        }
    }

    /// A failure that names the line.
    pub fn wrong(&self, what: &str) -> Failure {
        Failure::Broken(format!("{}: {what}", self.place))
    }
}

/// The two folders.
pub struct Facts {
    given: PathBuf,
    own: PathBuf,
}

impl Facts {
    /// Facts of a given folder and of our own, `xtask/facts`.
    pub fn new(given: PathBuf) -> Outcome<Self> {
        if !given.join("syscalls.tsv").is_file() {
            return Err(Failure::Broken(format!(
                "{}: no facts here. It must hold
  syscalls.tsv     name, then its number on each architecture ('-' where it has none); first line names the columns
  prototypes.tsv   name, then 'type parameter' for each argument, as SYSCALL_DEFINE has them
  introduced.tsv   name, the kernel that first had it
  libseccomp.tsv   name, the libseccomp release that first knows it ('-': none)
Name the folder with --facts DIR, or its parent with KPOL_SHARED.",
                given.display()
            )));
        }
        Ok(Self { given, own: crate::workspace().join("xtask/facts") })
    }

    /// Lines of a file of the given folder.
    pub fn given(&self, name: &str) -> Outcome<Vec<Line>> {
        lines(&self.given.join(name))
    }

    /// Lines of a file of our own.
    pub fn own(&self, name: &str) -> Outcome<Vec<Line>> {
        lines(&self.own.join(name))
    }
}

/// Lines of a file.
pub fn lines(path: &Path) -> Outcome<Vec<Line>> {
    let text = read(path)?;
    if !text.starts_with('#') {
        return Err(Failure::Broken(format!(
            "{}: the first line must be a comment that names the source",
            path.display()
        )));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#') && !line.is_empty());
    Ok(lines
        .map(|(index, line)| Line {
            place: format!("{name}:{}", index + 1),
            columns: line.split('\t').map(str::to_owned).collect(),
        })
        .collect())
}

/// A map from first to second column; a name must not come twice.
pub fn pairs(lines: Vec<Line>) -> Outcome<BTreeMap<String, String>> {
    let mut map = BTreeMap::new();
    for line in lines {
        let (name, value) = (line.column(0, "name")?.to_owned(), line.column(1, "value")?.to_owned());
        if map.insert(name, value).is_some() {
            return Err(line.wrong("this name was there before"));
        }
    }
    Ok(map)
}
