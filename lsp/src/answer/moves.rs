//! Files are about to have other names: what includes them shall lead to the new ones.
//!
//! ```text
//! base.kpol → org/base.kpol      include "base.kpol"  →  include "org/base.kpol"
//! ```

use std::path::{Component, Path, PathBuf};

use kpol_grammar::ast::Span;

use crate::snapshot::Snapshot;
use crate::world::{Place, World};

/// The edits, at places of the files as they are now. A folder moves with all that is in it.
pub fn of(world: &mut World, snapshot: &Snapshot, renames: &[(PathBuf, PathBuf)]) -> Vec<(Place, String)> {
    let moved = |path: &Path| {
        let found = renames.iter().find_map(|(old, new)| path.strip_prefix(old).ok().map(|rest| (new, rest)));
        match found {
            Some((new, rest)) if rest.as_os_str().is_empty() => new.clone(),
            Some((new, rest)) => new.join(rest),
            None => path.to_owned(),
        }
    };
    let mut edits = Vec::new();
    for file in world.files(snapshot) {
        let project = world.project(snapshot, &file);
        let Some(own) = project.members.first() else { continue };
        for (target, at) in own.includes.iter().filter(|(target, _)| target.is_absolute()) {
            let (new_file, new_target) = (moved(&file), moved(target));
            let written = own.unit.words(*at).trim_matches('"');
            let beside = file.parent().map(|folder| plain(&folder.join(written))).is_some_and(|path| path == *target);
            // Found in a folder of `-I`: it stays where it is, whoever includes it.
            if new_target == *target && (new_file == file || !beside) {
                continue;
            }
            let Some(path) = new_file.parent().and_then(|folder| relative(folder, &new_target)) else { continue };
            if path != written {
                let inside = Span { start: at.start + 1, end: at.end.saturating_sub(1) };
                edits.push((Place { path: file.clone(), span: inside }, path));
            }
        }
    }
    edits
}

/// Without `.` and `..`, as text has it.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => drop(out.pop()),
            other => out.push(other),
        }
    }
    out
}

/// The way from a folder to a file, with `/`.
fn relative(folder: &Path, target: &Path) -> Option<String> {
    let (from, to): (Vec<_>, Vec<_>) = (folder.components().collect(), target.components().collect());
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..", from.len() - common);
    let down = to[common..].iter().map(|component| component.as_os_str().to_str());
    let parts: Option<Vec<&str>> = up.map(Some).chain(down).collect();
    Some(parts?.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_lead_up_and_down() {
        let way = |folder: &str, target: &str| relative(Path::new(folder), Path::new(target));
        assert_eq!(way("/p", "/p/org/base.kpol").as_deref(), Some("org/base.kpol"));
        assert_eq!(way("/p/a/b", "/p/base.kpol").as_deref(), Some("../../base.kpol"));
        assert_eq!(way("/p", "/p/base.kpol").as_deref(), Some("base.kpol"));
    }
}
