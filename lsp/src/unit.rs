//! One text with all that can be said of it alone: its tree, its lines, what stands where.
//!
//! ```text
//! allow { read }      tree · lines · marks: `allow` an action, `read` a syscall
//! ```
//!
//! A text is parsed once for all that asks about it, the compiler included; the same text is never parsed again.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use kpol_compiler::source::Tree;
use kpol_grammar::ast::{self, StatementKind};
use kpol_grammar::lines::Lines;
use kpol_grammar::tree::Tree as Tokens;

use crate::marks::{self, Kind, Mark};
use crate::snapshot::ContentId;

/// A text and its tree.
#[derive(Debug)]
pub struct Unit {
    /// Where it stands.
    pub path: PathBuf,
    /// All of it.
    pub text: Arc<str>,
    /// Where its lines begin.
    pub lines: Lines,
    /// Its statements.
    pub tree: Tree,
    /// Every token.
    pub tokens: Tokens,
    marks: OnceLock<Vec<Mark>>,
    shape: OnceLock<Shape>,
}

/// What of a text decides which files belong to its policy: includes, in their order, and groups that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    includes: Vec<(bool, String)>,
    groups: BTreeSet<String>,
}

impl Unit {
    /// Reads a text.
    pub fn new(path: &Path, text: Arc<str>) -> Self {
        let parsed = kpol_grammar::parse_tree(&text);
        let tree = Tree { file: Arc::new(parsed.file), errors: parsed.errors.into() };
        let lines = Lines::new(&text);
        Self {
            path: path.to_owned(),
            text,
            lines,
            tree,
            tokens: parsed.tree,
            marks: OnceLock::new(),
            shape: OnceLock::new(),
        }
    }

    /// The statements.
    pub fn file(&self) -> &ast::File {
        &self.tree.file
    }

    /// Everything that has a name, in the order of the text.
    pub fn marks(&self) -> &[Mark] {
        self.marks.get_or_init(|| marks::of(&self.text, self.file()))
    }

    /// What decides which files belong to its policy. Two texts of one shape lead to the same files.
    pub fn shape(&self) -> &Shape {
        self.shape.get_or_init(|| {
            let includes = self.include_statements();
            let marks = self.marks().iter();
            Shape {
                includes: includes.map(|include| (include.library, include.path.text.clone())).collect(),
                groups: marks.filter(|mark| mark.kind == Kind::Group).map(|mark| mark.name.clone()).collect(),
            }
        })
    }

    /// The `include` statements of the file, in their order.
    pub fn include_statements(&self) -> impl Iterator<Item = &ast::Include> {
        self.file().statements.iter().filter_map(|statement| match &statement.kind {
            StatementKind::Include(include) => Some(include),
            _ => None,
        })
    }

    /// The words of a place.
    pub fn words(&self, span: ast::Span) -> &str {
        self.text.get(span.range()).unwrap_or_default()
    }
}

/// Units by content. What nobody asked for since the last sweep is let go.
#[derive(Debug, Default)]
pub struct Units {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    files: HashMap<ContentId, (u64, Arc<Unit>)>,
    library: HashMap<PathBuf, Arc<Unit>>,
    turn: u64,
}

impl Units {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The unit of a text.
    pub fn of(&self, id: ContentId, path: &Path, text: &Arc<str>) -> Arc<Unit> {
        let mut inner = self.lock();
        let turn = inner.turn;
        if let Some((used, unit)) = inner.files.get_mut(&id)
            && unit.path == path
        {
            *used = turn;
            return Arc::clone(unit);
        }
        drop(inner);
        let unit = Arc::new(Unit::new(path, Arc::clone(text)));
        self.lock().files.insert(id, (turn, Arc::clone(&unit)));
        unit
    }

    /// The unit of a file of the library, by its name in angle brackets.
    pub fn library(&self, path: &Path) -> Option<Arc<Unit>> {
        if let Some(unit) = self.lock().library.get(path) {
            return Some(Arc::clone(unit));
        }
        let name = path.to_str()?.strip_prefix('<')?.strip_suffix('>')?;
        let file = kpol_compiler::library::get(name)?;
        let unit = Arc::new(Unit::new(path, file.text.into()));
        self.lock().library.insert(path.to_owned(), Arc::clone(&unit));
        Some(unit)
    }

    /// Lets go of what was not asked for in the last turns.
    pub fn sweep(&self) {
        const KEPT: u64 = 64;
        let mut inner = self.lock();
        inner.turn += 1;
        let turn = inner.turn;
        if turn.is_multiple_of(KEPT) {
            inner.files.retain(|_, (used, _)| *used + KEPT > turn);
        }
    }
}
