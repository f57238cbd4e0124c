//! Filters of any form, for the commands that answer questions about them.

use std::path::Path;

use kpol_compiler::diagram::Store;
use kpol_compiler::driver::Options;
use kpol_compiler::driver::load::{self, Filter};
use kpol_compiler::source::{Disk, Sources};
use kpol_compiler::spec::Arch;

use crate::report::{Place, Report};
use crate::settings::{self, Projects};
use crate::ui::{Status, Trouble, Ui};

/// A filter with the files that it was read from.
pub struct Opened {
    pub filter: Filter,
    pub sources: Sources,
}

/// Reads a filter, or prints what is wrong with it: then the status is how the command ends.
pub fn open(
    path: &Path,
    settings: &settings::Args,
    store: &mut Store,
    ui: &Ui,
) -> Result<Result<Opened, Status>, Trouble> {
    let mut report = Report::default();
    let settings = Projects::new(&Disk, settings).settings(path, &mut report);
    read(path, &settings.options, report, store, ui)
}

/// Reads two filters to compare. What a project file says of the target of one holds for the other, if nothing is said
/// of its own: else the two would differ by what only one of them was asked.
pub fn open_both(
    paths: [&Path; 2],
    settings: &settings::Args,
    store: &mut Store,
    ui: &Ui,
) -> Result<[Result<Opened, Status>; 2], Trouble> {
    let mut reports = [Report::default(), Report::default()];
    let mut projects = Projects::new(&Disk, settings);
    let [mut old, mut new] = [0, 1].map(|side| projects.settings(paths[side], &mut reports[side]).options);
    complete(&mut old, &new);
    complete(&mut new, &old);
    let [first, second] = reports;
    Ok([read(paths[0], &old, first, store, ui)?, read(paths[1], &new, second, store, ui)?])
}

fn complete(target: &mut Options, from: &Options) {
    target.kernel = target.kernel.or(from.kernel);
    target.libseccomp = target.libseccomp.or(from.libseccomp);
    target.caps = target.caps.take().or_else(|| from.caps.clone());
}

fn read(
    path: &Path,
    options: &Options,
    mut report: Report,
    store: &mut Store,
    ui: &Ui,
) -> Result<Result<Opened, Status>, Trouble> {
    let opened = load::load(&Disk, path, options, store).map_err(Trouble::new)?;
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
