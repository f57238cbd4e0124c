//! From the paths of the command line to the policies that they mean.
//!
//! ```text
//! web.kpol      itself
//! profiles/     every .kpol below it, sorted; hidden folders and links to folders are passed over
//! ```
//!
//! A file that is reached twice is taken once, so a link can't lead in a circle.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::ui::{Format, Trouble, Ui};

/// The name of what comes by standard input, as findings have it.
pub const STDIN: &str = "<stdin>";

/// One policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// As the user would write it.
    pub path: PathBuf,
    /// Found in a folder, so it may be a library that nobody asked to build.
    pub found: bool,
}

/// The policies behind `paths`.
pub fn expand(paths: &[PathBuf]) -> Result<Vec<Input>, Trouble> {
    let mut seen = BTreeSet::new();
    let mut inputs = Vec::new();
    for path in paths {
        if path == Path::new("-") {
            take(Path::new(STDIN), false, &mut seen, &mut inputs);
            continue;
        }
        // What cannot be read is reported by whoever reads it, with all else that is wrong.
        if !path.is_dir() {
            refuse_products(path)?;
            take(path, false, &mut seen, &mut inputs);
            continue;
        }
        let before = seen.len();
        let mut found = Vec::new();
        walk(path, &mut found)?;
        found.sort();
        for file in &found {
            take(file, true, &mut seen, &mut inputs);
        }
        if seen.len() == before && found.is_empty() {
            return Err(Trouble::new(format!("no .kpol file in `{}`", path.display())));
        }
    }
    Ok(inputs)
}

/// JSON and BPF are what policies become. `fmt` and the like would find a hundred mistakes of syntax in them.
fn refuse_products(path: &Path) -> Result<(), Trouble> {
    let is = |end: &str| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(end));
    if is("json") || is("jsonc") || is("bpf") {
        let name = path.display();
        return Err(Trouble::new(format!(
            "`{name}` is a filter, not a policy: `kpolc import {name}` makes a policy of it, `kpolc show {name}` says what it does"
        )));
    }
    Ok(())
}

fn take(path: &Path, found: bool, seen: &mut BTreeSet<PathBuf>, inputs: &mut Vec<Input>) {
    let same = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if seen.insert(same) {
        inputs.push(Input { path: path.to_owned(), found });
    }
}

/// No recursion: how deep folders nest is not ours to say.
pub fn walk(root: &Path, found: &mut Vec<PathBuf>) -> Result<(), Trouble> {
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let wrong = |error| Trouble::new(format!("cannot read `{}`: {error}", folder.display()));
        for entry in fs::read_dir(&folder).map_err(wrong)? {
            let entry = entry.map_err(wrong)?;
            // `web.kpol` rather than `./web.kpol`.
            let path = entry.path().strip_prefix(".").map_or_else(|_| entry.path(), Path::to_owned);
            // The type of the entry itself: a link to a folder is not one.
            if entry.file_type().map_err(wrong)?.is_dir() {
                if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "kpol") && !path.is_dir() {
                found.push(path);
            }
        }
    }
    Ok(())
}

/// Does `work` on every input, as many at once as the machine can; the answers come in the order of the inputs.
pub fn parallel<I: Sync, T: Send>(inputs: &[I], ui: &Ui, work: impl Fn(&I) -> T + Sync) -> Vec<T> {
    let bar = progress(inputs.len(), ui);
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(inputs.len());
    let next = AtomicUsize::new(0);
    let run = || {
        let mut done = Vec::new();
        while let Some(index) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|&index| index < inputs.len()) {
            done.push((index, work(&inputs[index])));
            bar.inc(1);
        }
        done
    };
    let mut done = if workers <= 1 {
        run()
    } else {
        std::thread::scope(|scope| {
            let handles: Vec<_> = (0..workers).map(|_| scope.spawn(run)).collect();
            // A panic is ours and goes on.
            handles
                .into_iter()
                .flat_map(|handle| handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        })
    };
    bar.finish_and_clear();
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, answer)| answer).collect()
}

fn progress(len: usize, ui: &Ui) -> ProgressBar {
    // indicatif itself hides the bar where stderr is no terminal.
    let bar = if ui.quiet || ui.format != Format::Human || len < 4 {
        ProgressBar::hidden()
    } else {
        ProgressBar::with_draw_target(Some(len as u64), ProgressDrawTarget::stderr())
    };
    match ProgressStyle::with_template("{bar:30} {pos}/{len}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_folder_means_the_policies_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("a/.git")).unwrap();
        for name in ["b.kpol", "a/c.kpol", "a/.git/d.kpol", "a/notes.txt"] {
            fs::write(root.join(name), "").unwrap();
        }
        symlink(root, root.join("a/loop")).unwrap();
        symlink("b.kpol", root.join("same.kpol")).unwrap();
        let names = |paths: &[PathBuf]| -> Vec<PathBuf> {
            expand(paths).unwrap().iter().map(|input| input.path.strip_prefix(root).unwrap().to_owned()).collect()
        };
        assert_eq!(names(&[root.to_owned()]), [Path::new("a/c.kpol"), Path::new("b.kpol")]);
        assert_eq!(names(&[root.join("b.kpol"), root.to_owned()]), [Path::new("b.kpol"), Path::new("a/c.kpol")]);
        assert_eq!(names(&[root.join("a/.git/none")]), [Path::new("a/.git/none")]);
        fs::create_dir(root.join("empty")).unwrap();
        assert!(expand(&[root.join("empty")]).unwrap_err().0.contains("no .kpol file"));
    }
}
