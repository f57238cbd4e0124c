//! The one owner of what changes: open files, settings, folders.
//!
//! ```text
//! open web.kpol v1 · change v2 · [hover] · change v3      the hover's snapshot has v2
//! ```
//!
//! Handlers lock it before their first `.await`, in the order in which messages arrive, and let go of it at once. A
//! request takes a [`Snapshot`] and never comes back.
//!
//! INVARIANT: every change makes a new generation.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kpol_compiler::source::{Disk, Loader};
use kpol_grammar::lines::{Lines, Position};

use crate::late::Late;
use crate::snapshot::{Config, ContentId, Document, Snapshot};

/// A change of a text.
#[derive(Debug, Clone)]
pub struct Change {
    /// What is replaced, in the client's columns; `None` is all of it.
    pub range: Option<(Position, Position)>,
    /// By what.
    pub text: String,
}

/// What changes.
#[derive(Debug)]
pub struct State {
    current: Snapshot,
    /// Which path a name of the editor's is.
    paths: HashMap<Arc<str>, PathBuf>,
    late: Late,
}

impl Default for State {
    fn default() -> Self {
        Self { current: Snapshot::empty(), paths: HashMap::new(), late: Late::default() }
    }
}

impl State {
    /// All files at this moment.
    pub fn snapshot(&self) -> Snapshot {
        self.current.clone()
    }

    /// Which moment this is.
    pub fn generation(&self) -> u64 {
        self.current.generation
    }

    /// Sets what is settled once, by `initialize`.
    pub fn begin(&mut self, set: impl FnOnce(&mut Snapshot)) {
        set(&mut self.current);
        self.current.generation += 1;
    }

    /// The path of an open file.
    pub fn path(&self, uri: &str) -> Option<&Path> {
        self.paths.get(uri).map(PathBuf::as_path)
    }

    /// The path that a file has or would have: `disk` is where its name says it is, if it is on a disk at all.
    pub fn path_for(&self, uri: &str, disk: Option<&Path>) -> PathBuf {
        if let Some(known) = self.paths.get(uri) {
            return known.clone();
        }
        match disk {
            Some(path) => canonical(path),
            // What was never saved includes as if it lay in the first folder.
            None => {
                let folder = self.current.folders.first().cloned().or_else(|| std::env::current_dir().ok());
                let name: String = uri.chars().map(|c| if c == '/' { '_' } else { c }).collect();
                folder.unwrap_or_default().join(name)
            }
        }
    }

    /// A file is opened, or opened once more.
    pub fn open(&mut self, uri: &str, disk: Option<&Path>, version: i32, text: String) {
        let path = self.path_for(uri, disk);
        self.paths.insert(uri.into(), path.clone());
        self.put(uri.into(), path, version, text.into());
        for (version, changes) in self.late.open(uri, version) {
            self.change(uri, version, changes);
        }
    }

    fn put(&mut self, uri: Arc<str>, path: PathBuf, version: i32, text: Arc<str>) {
        let lines = Arc::new(Lines::new(&text));
        let document = Document { uri, path: path.clone(), version, text, lines, id: ContentId::fresh() };
        Arc::make_mut(&mut self.current.documents).insert(path, Arc::new(document));
        self.current.generation += 1;
    }

    /// Changes in the order in which they were made; whether the file is open.
    pub fn change(&mut self, uri: &str, version: i32, changes: Vec<Change>) -> bool {
        let Some(document) = self.paths.get(uri).and_then(|path| self.current.documents.get(path)).cloned() else {
            self.late.early(uri, version, changes);
            return false;
        };
        let (mut text, steps) = self.late.turn(uri, (document.version, Arc::clone(&document.text)), version, changes);
        for (version, changes) in steps {
            let after = self.applied(&text.1, &changes).into();
            self.late.made(uri, std::mem::replace(&mut text, (version, after)), version, changes);
        }
        self.put(Arc::clone(&document.uri), document.path.clone(), text.0, text.1);
        true
    }

    fn applied(&self, text: &str, changes: &[Change]) -> String {
        let mut text = text.to_owned();
        for change in changes {
            let Some((start, end)) = change.range else {
                text.clone_from(&change.text);
                continue;
            };
            let lines = Lines::new(&text);
            let start = lines.offset(&text, start, self.current.encoding) as usize;
            let end = lines.offset(&text, end, self.current.encoding) as usize;
            text.replace_range(start.min(end)..end.max(start), &change.text);
        }
        text
    }

    /// A file is closed: from now on it is what the disk has.
    pub fn close(&mut self, uri: &str) {
        self.late.close(uri);
        let Some(path) = self.paths.remove(uri) else { return };
        if !self.paths.values().any(|other| *other == path) {
            Arc::make_mut(&mut self.current.documents).remove(&path);
        }
        self.touched();
    }

    /// Something happened on the disk.
    pub fn touched(&mut self) {
        self.current.disk.touched();
        self.current.generation += 1;
    }

    /// New settings; whether they differ.
    pub fn configure(&mut self, config: Config) -> bool {
        let differs = *self.current.config != config;
        if differs {
            self.current.config = Arc::new(config);
            self.current.generation += 1;
        }
        differs
    }

    /// Other folders.
    pub fn folders(&mut self, added: Vec<PathBuf>, removed: &[PathBuf]) {
        let folders = Arc::make_mut(&mut self.current.folders);
        folders.retain(|folder| !removed.contains(folder));
        folders.extend(added);
        folders.dedup();
        self.current.generation += 1;
    }
}

/// The path that the compiler has for a file, which need not exist.
fn canonical(path: &Path) -> PathBuf {
    if let Ok(path) = Disk.canonical(path) {
        return path;
    }
    match (path.parent().map(|folder| Disk.canonical(folder)), path.file_name()) {
        (Some(Ok(folder)), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use super::*;

    fn at(line: u32, column: u32) -> Position {
        Position { line, column }
    }

    fn edited(text: &str, changes: &[(Option<(Position, Position)>, &str)]) -> String {
        let mut state = State::default();
        state.open("file:///nowhere/a.kpol", Some(Path::new("/nowhere/a.kpol")), 1, text.to_owned());
        let before = state.snapshot();
        let changes = changes.iter().map(|&(range, text)| Change { range, text: text.to_owned() }).collect();
        assert!(state.change("file:///nowhere/a.kpol", 2, changes));
        let path = Path::new("/nowhere/a.kpol");
        assert_eq!(&*before.document(path).unwrap().text, text, "a snapshot stays as it was");
        assert!(state.generation() > before.generation);
        state.snapshot().document(path).unwrap().text.to_string()
    }

    #[test]
    fn changes_follow_each_other() {
        let insert = |line, column, text| (Some((at(line, column), at(line, column))), text);
        assert_eq!(edited("ab\ncd", &[insert(1, 0, "x\n"), insert(2, 1, "y")]), "ab\nx\ncyd");
        assert_eq!(edited("a🦀b", &[(Some((at(0, 1), at(0, 3))), "-")]), "a-b");
        assert_eq!(edited("ab", &[(None, "new"), insert(0, 3, "!")]), "new!");
    }

    #[test]
    fn places_that_do_not_exist_are_the_nearest_that_do() {
        assert_eq!(edited("ab\ncd", &[(Some((at(9, 9), at(99, 0))), "!")]), "ab\ncd!");
        assert_eq!(edited("ab\ncd", &[(Some((at(1, 1), at(0, 1))), "-")]), "a-d", "ends the wrong way round");
        assert_eq!(edited("🦀", &[(Some((at(0, 1), at(0, 1))), "x")]), "x🦀", "in the middle of a character");
    }

    /// What replaces columns of the first line.
    type Typed = ((u32, u32), &'static str);

    /// Changes with their versions, as they arrive. Where there is none "socket(family == 1)" is opened.
    fn arriving(messages: &[(i32, Option<Typed>)]) -> (String, i32) {
        let (uri, path) = ("file:///nowhere/a.kpol", Path::new("/nowhere/a.kpol"));
        let mut state = State::default();
        for &(version, change) in messages {
            match change {
                None => state.open(uri, Some(path), version, "socket(family == 1)".to_owned()),
                Some(((start, end), text)) => {
                    let range = Some((at(0, start), at(0, end)));
                    state.change(uri, version, vec![Change { range, text: text.to_owned() }]);
                }
            }
        }
        let document = Arc::clone(state.snapshot().document(path).unwrap());
        (document.text.to_string(), document.version)
    }

    #[test]
    fn changes_that_overtook_one_another_are_put_in_order() {
        let open = (0, None);
        let cut = (1, Some(((7, 13), "")));
        let typed = [(2, Some(((7, 7), "f"))), (3, Some(((8, 8), "d")))];
        let wanted = ("socket(fd == 1)".to_owned(), 3);
        assert_eq!(arriving(&[open, cut, typed[0], typed[1]]), wanted);
        assert_eq!(arriving(&[open, typed[0], cut, typed[1]]), wanted);
        assert_eq!(arriving(&[open, typed[1], typed[0], cut]), wanted);
        assert_eq!(arriving(&[cut, open, typed[0], typed[1]]), wanted, "before the file is opened");
        assert_eq!(arriving(&[typed[1], cut, open, typed[0]]), wanted);
        assert_eq!(arriving(&[open, cut, open]).0, "socket(family == 1)", "opened anew, it is whole");
    }

    #[test]
    fn a_client_that_counts_nothing_is_followed() {
        let typed = |at, text| (0, Some(((at, at), text)));
        assert_eq!(arriving(&[(0, None), typed(0, "a"), typed(1, "b"), typed(2, "c")]).0, "abcsocket(family == 1)");
        let typed = |version, at, text| (version, Some(((at, at), text)));
        let again = [(6, None), typed(7, 0, "a"), typed(8, 1, "b"), typed(1, 2, "c"), typed(2, 3, "d")];
        assert_eq!(arriving(&again).0, "abcdsocket(family == 1)", "or begins to count again");
    }

    #[test]
    fn what_is_not_open_cannot_change() {
        let mut state = State::default();
        assert!(!state.change("file:///x", 1, vec![Change { range: None, text: String::new() }]));
        assert_eq!(state.generation(), 0);
        state.close("file:///x");
    }
}
