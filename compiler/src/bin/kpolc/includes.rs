//! Which files are included by others: a library that none includes does nothing.
//!
//! ```text
//! kpolc check lib/common.kpol     looks for `include "…common.kpol"` in the other policies of the project
//! ```
//!
//! It goes by the names of files and not by their paths: of two files of one name, who includes one may include both, and a
//! warning that could be wrong is not given.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use kpol_compiler::source::graph::MAX_INCLUDE;
use kpol_compiler::source::{Disk, Loader, project};

use crate::inputs::{self, Input, STDIN};

/// In a project of more policies nobody looks.
const MAX_FILES: usize = 2_000;

/// The names that are included somewhere.
#[derive(Debug)]
pub struct Includes {
    names: HashSet<OsString>,
    read: HashSet<PathBuf>,
    /// Folders that were looked through, and whether all of it could be seen.
    folders: Vec<(PathBuf, bool)>,
}

impl Includes {
    /// Those of the files that are looked at anyway.
    pub fn of(inputs: &[Input]) -> Self {
        let mut includes = Self { names: HashSet::new(), read: HashSet::new(), folders: Vec::new() };
        if inputs.len() > 1 {
            inputs.iter().for_each(|input| includes.read(&input.path));
        }
        includes
    }

    /// Whether a file is included by another one: `None` where that cannot be known, or is of no interest.
    pub fn included(&mut self, path: &Path) -> Option<bool> {
        let name = path.file_name()?;
        if path == Path::new(STDIN) {
            return None;
        }
        // Whoever has a default is built, and not included; most files end here.
        let text = String::from_utf8(Disk.read(path, MAX_INCLUDE).ok()?).ok()?;
        if text.lines().any(|line| line.trim_start().trim_start_matches("override").trim_start().starts_with("default"))
        {
            return None;
        }
        if self.names.contains(name) {
            return Some(true);
        }
        let folder = match project::find(&Disk, path) {
            Some(file) => file.parent()?.to_owned(),
            None => path.canonicalize().ok()?.parent()?.to_owned(),
        };
        let complete = self.look_through(&folder);
        if self.names.contains(name) { Some(true) } else { complete.then_some(false) }
    }

    fn look_through(&mut self, folder: &Path) -> bool {
        if let Some((_, complete)) = self.folders.iter().find(|(known, _)| known == folder) {
            return *complete;
        }
        let mut found = Vec::new();
        let complete = inputs::walk(folder, &mut found).is_ok() && found.len() <= MAX_FILES;
        if complete {
            found.iter().for_each(|path| self.read(path));
        }
        self.folders.push((folder.to_owned(), complete));
        complete
    }

    fn read(&mut self, path: &Path) {
        let same = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if !self.read.insert(same) {
            return;
        }
        let Ok(bytes) = Disk.read(path, MAX_INCLUDE) else { return };
        let text = String::from_utf8_lossy(&bytes);
        for (at, _) in text.match_indices("include") {
            let rest = text[at + "include".len()..].trim_start();
            let Some(name) = rest.strip_prefix('"').and_then(|rest| rest.split(['"', '\n']).next()) else { continue };
            self.names.extend(Path::new(name).file_name().map(OsString::from));
        }
    }
}
