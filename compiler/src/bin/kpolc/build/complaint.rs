//! `--complain`: products that log what the policy refuses, beside those that refuse it.
//!
//! ```text
//! web.kpol ─ build ─────────────→ web.json             what is refused, is refused
//!          ─ build --complain ──→ web-complain.json    what is refused, is logged
//!          ─ build --check ─────→ both are looked at, if both are there
//! ```
//!
//! INVARIANT: the two never have one name, so no `--install` replaces a filter that refuses by one that does not.

use std::path::PathBuf;

use kpol_compiler::diagnostic::Severity;
use kpol_compiler::driver::{self, Format, Writer};
use kpol_compiler::policy::Policy;
use kpol_compiler::source::Disk;
use kpol_compiler::spec::Action;
use kpol_compiler::write::Output;

use super::{Goal, Made, names};
use crate::inputs::{self, Input};
use crate::report::Report;
use crate::settings::Settings;
use crate::ui::Ui;

/// What the name of a policy has behind it.
pub(super) const SUFFIX: &str = "-complain";

/// What a sentence about such products adds.
pub(super) const LOGGED: &str = ", with what it refuses logged,";

/// What the log will not have, where the default is one that stays.
pub(super) fn unseen(policy: &Policy) -> &'static str {
    match policy.default {
        Action::Errno(_) => ", and not logged",
        _ => "",
    }
}

/// The forms that somebody can load; the others are about the policy itself.
pub(super) fn is_made(format: Format) -> bool {
    matches!(format, Format::Json | Format::Bpf)
}

/// What is made of a project's products.
pub(super) fn of(mut products: Vec<Format>) -> Vec<Format> {
    products.retain(|&format| is_made(format));
    if products.is_empty() { vec![Format::Json] } else { products }
}

/// A policy with its products that complain.
struct There<'a> {
    input: &'a Input,
    settings: Settings,
    files: Vec<(Format, PathBuf)>,
}

/// What would be built of the products that are there already; `None` after errors.
pub(super) fn there(
    writer: &dyn Writer,
    jobs: &[(&Input, Settings)],
    goal: &Goal,
    ui: &Ui,
    report: &mut Report,
) -> Option<Vec<Made>> {
    if !matches!(goal, Goal::Beside | Goal::Folder(_)) {
        return Some(Vec::new());
    }
    let mut found: Vec<There<'_>> = Vec::new();
    for (input, settings) in jobs {
        let files = [Format::Json, Format::Bpf].map(|format| (format, names::product(goal, &input.path, format, true)));
        let files: Vec<_> = files.into_iter().filter(|(_, path)| path.exists()).collect();
        if !files.is_empty() {
            let mut settings = settings.clone();
            settings.options.complain = true;
            found.push(There { input, settings, files });
        }
    }
    let answers = inputs::parallel(&found, ui, |There { input, settings, files }| {
        let formats: Vec<Format> = files.iter().map(|&(format, _)| format).collect();
        let (mut checked, products) = driver::build_by(writer, &Disk, &input.path, &settings.options, &formats);
        // Warnings are those of the product that refuses.
        checked.diagnostics.retain(|found| found.severity == Severity::Error);
        (checked.sources, checked.diagnostics, products)
    });
    let mut failed = false;
    let mut made = Vec::new();
    for (There { input, files, .. }, (sources, diagnostics, products)) in found.iter().zip(answers) {
        failed |= !diagnostics.is_empty();
        report.add(&sources, diagnostics);
        for product in products {
            let path = files.iter().find(|(format, _)| *format == product.format).map(|(_, path)| path.clone());
            made.extend(path.map(|path| Made {
                policy: input.path.clone(),
                output: Output { path, bytes: product.bytes },
                format: product.format,
                proven: product.proven,
            }));
        }
    }
    (!failed).then_some(made)
}
