//! Filters of any form, for the commands that answer questions about them.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use kpol_compiler::diagram::Store;
use kpol_compiler::driver::Options;
use kpol_compiler::driver::load::{self, Filter};
use kpol_compiler::source::graph::MAX_ROOT;
use kpol_compiler::source::{Disk, LoadError, Loader, Sources};
use kpol_compiler::spec::Arch;

use crate::inputs::{Input, STDIN};
use crate::report::{Place, Report};
use crate::settings::{self, Projects};
use crate::ui::{Status, Trouble, Ui};

/// A filter with the files that it was read from.
pub struct Opened {
    pub filter: Filter,
    pub sources: Sources,
}

/// Where the files of a question come from.
#[derive(Debug, Clone, Default, clap::Args)]
// Two structs of one name would be two groups of one name.
#[group(skip)]
pub struct Args {
    /// Take the text of FILE from standard input, wherever it is read: for editors, before they save
    #[arg(long, value_name = "FILE")]
    unsaved: Option<PathBuf>,
}

/// The disk, but for files of which somebody knows more: an editor that has not saved, `--fix`, standard input.
#[derive(Debug, Default)]
pub struct Files {
    unsaved: BTreeMap<PathBuf, Vec<u8>>,
}

impl Files {
    /// From now on this is the text of a file, by its canonical path.
    pub fn put(&mut self, canonical: PathBuf, text: Vec<u8>) {
        self.unsaved.insert(canonical, text);
    }

    /// With the text of standard input, where it is among the inputs.
    pub fn with_stdin(inputs: &[Input]) -> Result<Self, Trouble> {
        let path = PathBuf::from(STDIN);
        if !inputs.iter().any(|input| input.path == path) {
            return Ok(Self::default());
        }
        let wrong = |error| Trouble::new(format!("cannot read standard input: {error}"));
        let mut text = Vec::new();
        io::stdin().lock().take(MAX_ROOT + 1).read_to_end(&mut text).map_err(wrong)?;
        Ok(Self { unsaved: BTreeMap::from([(path, text)]) })
    }
}

impl Args {
    /// Whether standard input has the text of a file.
    pub fn takes_stdin(&self) -> bool {
        self.unsaved.is_some()
    }

    /// What standard input has is read here, once.
    pub fn files(&self) -> Result<Files, Trouble> {
        // More than any file may have, so that it is refused in the words for files.
        const MOST: u64 = 1 << 28;
        let Some(path) = &self.unsaved else { return Ok(Files::default()) };
        let wrong = |error| Trouble::new(format!("cannot read `{}`: {error}", path.display()));
        let canonical = Disk.canonical(path).map_err(wrong)?;
        let mut text = Vec::new();
        io::stdin().lock().take(MOST).read_to_end(&mut text).map_err(wrong)?;
        Ok(Files { unsaved: BTreeMap::from([(canonical, text)]) })
    }
}

impl Loader for Files {
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, LoadError> {
        if self.unsaved.is_empty() {
            return Disk.read(path, limit);
        }
        let known = self.canonical(path).ok().and_then(|path| self.unsaved.get(&path));
        let Some(text) = known else { return Disk.read(path, limit) };
        let size = text.len() as u64;
        if size > limit { Err(LoadError::TooLarge(Some(size))) } else { Ok(text.clone()) }
    }

    fn policies(&self, folder: &Path) -> Vec<String> {
        Disk.policies(folder)
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        // Standard input has no path but its name.
        if self.unsaved.contains_key(path) { Ok(path.to_owned()) } else { Disk.canonical(path) }
    }
}

/// Reads a filter, or prints what is wrong with it: then the status is how the command ends.
pub fn open(
    files: &Files,
    path: &Path,
    settings: &settings::Args,
    store: &mut Store,
    ui: &Ui,
) -> Result<Result<Opened, Status>, Trouble> {
    let mut report = Report::default();
    let settings = Projects::new(files, settings).settings(path, &mut report);
    read(files, path, &settings.options, report, store, ui)
}

/// Reads two filters to compare. What a project file says of the target of one holds for the other, if nothing is said
/// of its own: else the two would differ by what only one of them was asked.
pub fn open_both(
    loaders: [&dyn Loader; 2],
    paths: [&Path; 2],
    settings: &settings::Args,
    store: &mut Store,
    ui: &Ui,
) -> Result<[Result<Opened, Status>; 2], Trouble> {
    let mut reports = [Report::default(), Report::default()];
    // Each side has the project file that lies beside it, in its revision.
    let mut options =
        |side: usize| Projects::new(loaders[side], settings).settings(paths[side], &mut reports[side]).options;
    let (mut old, mut new) = (options(0), options(1));
    complete(&mut old, &new);
    complete(&mut new, &old);
    let [first, second] = reports;
    Ok([read(loaders[0], paths[0], &old, first, store, ui)?, read(loaders[1], paths[1], &new, second, store, ui)?])
}

fn complete(target: &mut Options, from: &Options) {
    target.kernel = target.kernel.or(from.kernel);
    target.libseccomp = target.libseccomp.or(from.libseccomp);
    if target.runtimes.is_empty() {
        target.runtimes.clone_from(&from.runtimes);
    }
    target.caps = target.caps.take().or_else(|| from.caps.clone());
}

fn read(
    files: &dyn Loader,
    path: &Path,
    options: &Options,
    mut report: Report,
    store: &mut Store,
    ui: &Ui,
) -> Result<Result<Opened, Status>, Trouble> {
    let opened = load::load(files, path, options, store).map_err(Trouble::new)?;
    report.add(&opened.sources, opened.diagnostics);
    if report.counts().is_some() {
        report.print(ui, Place::Aside)?;
    }
    let Some(filter) = opened.filter.filter(|_| report.status() == Status::Fine) else {
        return Ok(Err(report.status().max(Status::Findings)));
    };
    for remark in &filter.remarks {
        ui.note(&format!("note: {}", crate::ui::printable(remark)));
    }
    Ok(Ok(Opened { filter, sources: opened.sources }))
}

/// `x86_64, x86`
pub fn list(archs: &[Arch]) -> String {
    archs.iter().map(|arch| arch.name()).collect::<Vec<_>>().join(", ")
}

/// `1 call`, `2 calls`
pub fn many(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}
