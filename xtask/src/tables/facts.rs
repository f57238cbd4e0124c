//! Facts: tab-separated text, one fact a line, the first line a comment that says where they were read.
//!
//! ```text
//! # Which kernel first had a call …
//! accept4    2.6.28
//! ```
//!
//! They lie in `xtask/facts`: what others gathered (numbers, the prototypes of a running kernel, releases), what was
//! harvested, and what both lack. The first line of each says where it comes from.

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

/// The folder of facts.
pub struct Facts {
    folder: PathBuf,
}

impl Facts {
    /// Those of the workspace.
    pub fn new() -> Self {
        Self { folder: crate::workspace().join("xtask/facts") }
    }

    /// Lines of a file.
    pub fn lines(&self, name: &str) -> Outcome<Vec<Line>> {
        lines(&self.folder.join(name))
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
