//! `kpolc check --fix`: the fixes of findings, made in the files that were named.
//!
//! ```text
//! kpolc check --fix web.kpol                    fixes that keep the meaning, or give broken text the one that it can have
//! kpolc check --fix --unsafe-fixes web.kpol     those that guess a name or change what calls get, too
//! kpolc check --diff web.kpol                   what `--fix` would write
//! ```
//!
//! One mistake hides others, so fixes are made in memory and the texts are checked again, until nothing is left to fix; then all files are
//! written at once. INVARIANT: where a policy had no errors, safe fixes leave what it means; that is proven before anything is written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kpol_compiler::diagnostic::{Code, Diagnostic, Fix, Safety};
use kpol_compiler::driver;
use kpol_compiler::source::{Disk, Loader, Sources};
use kpol_compiler::write::{self, Mode, Output};

use crate::build::unified;
use crate::filters::Files;
use crate::inputs::{Input, STDIN};
use crate::report::Report;
use crate::settings::Settings;
use crate::ui::{Trouble, Ui};

/// Each round fixes what the one before uncovered. A text in which fixes bring about others without end is left after these.
const MAX_ROUNDS: usize = 32;

#[derive(Debug, Clone, Copy, clap::Args)]
// Two structs of one name would be two groups of one name.
#[group(skip)]
pub struct Args {
    /// Make the fixes that are safe: they keep what a policy means, or give broken text the one meaning that it can have
    #[arg(long, help_heading = "Fixes")]
    fix: bool,
    /// With `--fix` or `--diff`: also those that guess a name or change what calls get
    #[arg(long, help_heading = "Fixes")]
    unsafe_fixes: bool,
    /// Show what `--fix` would change, and write nothing; exit 1 if there is anything
    #[arg(long, help_heading = "Fixes")]
    diff: bool,
}

/// What was fixed.
#[derive(Debug, Default)]
pub struct Fixed {
    /// How many findings.
    pub findings: usize,
    /// The texts before and after, by the name that the file was given.
    pub texts: BTreeMap<PathBuf, (String, String)>,
}

impl Args {
    pub fn asked(&self) -> bool {
        self.fix || self.diff
    }

    fn takes(&self, fix: &Fix) -> bool {
        self.unsafe_fixes || fix.safety == Safety::Safe
    }

    /// Whether this is `--diff`.
    pub fn diff(&self) -> bool {
        self.diff
    }

    /// What is wrong with the options together.
    pub fn refuse(&self, inputs: &[Input]) -> Result<(), Trouble> {
        if self.unsafe_fixes && !self.asked() {
            return Err(Trouble::new("`--unsafe-fixes` says what `--fix` or `--diff` makes: add one of them"));
        }
        if self.fix && !self.diff && inputs.iter().any(|input| input.path == Path::new(STDIN)) {
            return Err(Trouble::new("standard input cannot be fixed in place; `--diff` shows what would change"));
        }
        Ok(())
    }

    /// A line about what could be fixed, where nobody asked for it.
    pub fn hint(&self, diagnostics: &[Diagnostic]) -> Option<String> {
        let count = |safety| {
            diagnostics
                .iter()
                .filter_map(|diagnostic| diagnostic.fix.as_ref())
                .filter(|fix| fix.safety == safety)
                .count()
        };
        match (count(Safety::Safe), count(Safety::Unsafe)) {
            _ if self.unsafe_fixes => None,
            (0, 0) => None,
            (0, more) => Some(format!("`--fix --unsafe-fixes` can fix {more}: look at what it does")),
            (safe, 0) => Some(format!("`--fix` can fix {safe}")),
            (safe, more) => Some(format!("`--fix` can fix {safe}, with `--unsafe-fixes` {more} more")),
        }
    }

    /// Fixes the named files in memory: `files` has the new texts then.
    pub fn run(&self, jobs: &[(&Input, Settings)], files: &mut Files) -> Result<Fixed, Trouble> {
        let mut fixed = Fixed::default();
        let named: BTreeMap<PathBuf, PathBuf> = jobs
            .iter()
            .filter_map(|(input, _)| Some((files.canonical(&input.path).ok()?, input.path.clone())))
            .collect();
        // Of each policy whether it had no errors before.
        let mut sound = Vec::with_capacity(jobs.len());
        for round in 0..MAX_ROUNDS {
            let mut edits: BTreeMap<PathBuf, Vec<(usize, usize, String)>> = BTreeMap::new();
            let mut texts: BTreeMap<PathBuf, Arc<str>> = BTreeMap::new();
            let mut made = 0;
            for (input, settings) in jobs {
                let mut checked = driver::check(files, &input.path, &settings.options, &[]);
                if round == 0 {
                    sound.push(!checked.has_errors());
                }
                settings.levels.apply(&mut checked.diagnostics);
                for fix in checked.diagnostics.iter().filter_map(|diagnostic| diagnostic.fix.as_ref()) {
                    if self.takes(fix) && take(fix, &checked.sources, &named, &mut edits, &mut texts) {
                        made += 1;
                    }
                }
            }
            if made == 0 {
                break;
            }
            fixed.findings += made;
            for (path, edits) in edits {
                let Some(old) = texts.get(&path) else { continue };
                let new = apply(old, edits);
                let name = named.get(&path).cloned().unwrap_or_else(|| path.clone());
                fixed.texts.entry(name).or_insert_with(|| (old.to_string(), String::new())).1.clone_from(&new);
                files.put(path, new.into_bytes());
            }
        }
        if !self.unsafe_fixes {
            for ((input, settings), _) in jobs.iter().zip(sound).filter(|(_, sound)| *sound) {
                let Some((old, new)) = fixed.texts.get(&input.path) else { continue };
                if driver::same_policy(&Disk, &input.path, &settings.options, [old, new]) == Some(false) {
                    let name = input.path.display();
                    return Err(Trouble::new(format!(
                        "the fixes of `{name}` would change its meaning: a mistake in kpolc; nothing written"
                    )));
                }
            }
        }
        Ok(fixed)
    }

    /// Writes the new texts, or shows what they change.
    pub fn finish(&self, fixed: &Fixed, report: &mut Report) -> Result<(), Trouble> {
        if self.diff {
            let texts = fixed.texts.iter();
            let text: String = texts.map(|(path, (old, new))| unified(&path.display().to_string(), old, new)).collect();
            return Ui::show(&text);
        }
        let outputs: Vec<Output> = fixed
            .texts
            .iter()
            .map(|(path, (_, new))| Output { path: path.clone(), bytes: new.clone().into_bytes() })
            .collect();
        if let Err(error) = write::commit(&outputs, Mode::Plain) {
            report.push(Diagnostic::without_place(Code::E070, error.to_string()));
        }
        Ok(())
    }
}

/// Adds the edits of a fix, if all of them are in files that were named and none overlaps one that is there.
fn take(
    fix: &Fix,
    sources: &Sources,
    named: &BTreeMap<PathBuf, PathBuf>,
    edits: &mut BTreeMap<PathBuf, Vec<(usize, usize, String)>>,
    texts: &mut BTreeMap<PathBuf, Arc<str>>,
) -> bool {
    let place = |edit: &kpol_compiler::diagnostic::Edit| {
        let (start, end) = (edit.span.bytes.start as usize, edit.span.bytes.end as usize);
        (sources.get(edit.span.file).path.clone(), start, end)
    };
    let free = fix.edits.iter().all(|edit| {
        let (path, start, end) = place(edit);
        let others = edits.get(&path).into_iter().flatten();
        // Two insertions at one place would come in an order of chance.
        let apart = |&(from, to, _): &(usize, usize, String)| end < from || to < start;
        named.contains_key(&path) && others.clone().all(apart)
    });
    if free && !fix.edits.is_empty() {
        for edit in &fix.edits {
            let (path, start, end) = place(edit);
            texts.entry(path.clone()).or_insert_with(|| Arc::clone(&sources.get(edit.span.file).text));
            edits.entry(path).or_default().push((start, end, edit.text.clone()));
        }
    }
    free && !fix.edits.is_empty()
}

/// The text with edits that lie apart.
fn apply(text: &str, mut edits: Vec<(usize, usize, String)>) -> String {
    edits.sort();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (start, end, new) in edits {
        let (Some(before), true) = (text.get(at..start), end <= text.len()) else { continue };
        out.push_str(before);
        out.push_str(&new);
        at = end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}
