//! What `run` installs: made of a policy, or of a filter that others made.
//!
//! ```text
//! web.kpol    built and proven, with everything that a build finds
//! web.json    as the runtime with its libseccomp loads it: a program that means the same, proven
//! web.bpf     its own instructions, which are executed on symbols to say what they do with `execve`
//! ```

use std::path::Path;

use kpol_compiler::diagnostic::Severity;
use kpol_compiler::diagram::Store;
use kpol_compiler::driver::load::{self, Form};
use kpol_compiler::driver::{self, Compiled, Format, Writer};
use kpol_compiler::policy::Policy;
use kpol_compiler::source::Disk;

use crate::report::Report;
use crate::settings::Settings;
use crate::ui::Trouble;

/// A filter and what it means.
pub(super) struct Ready {
    /// Owns the nodes of the policy.
    pub store: Store,
    /// What it means on this machine.
    pub policy: Policy,
    /// `struct sock_filter`s.
    pub filter: Vec<u8>,
    /// What the user has to know of the file.
    pub remarks: Vec<String>,
}

/// Makes the filter. Findings go to the report; `None` where they are in the way.
pub(super) fn read(
    file: &Path,
    settings: &Settings,
    writer: &dyn Writer,
    report: &mut Report,
) -> Result<Option<Ready>, Trouble> {
    let extension = file.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
    if matches!(extension.as_deref(), Some("json" | "jsonc" | "bpf")) {
        return if settings.doubtful { Ok(None) } else { of_others(file, settings, writer).map(Some) };
    }
    let (mut checked, products) = driver::build_by(writer, &Disk, file, &settings.options, &[Format::Bpf]);
    settings.levels.apply(&mut checked.diagnostics);
    let failed = checked.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    report.add(&checked.sources, checked.diagnostics);
    if failed || settings.doubtful {
        return Ok(None);
    }
    let product = products.into_iter().find(|product| product.format == Format::Bpf);
    match (product, checked.compiled) {
        (Some(product), Some(Compiled { store, policy, .. })) => {
            Ok(Some(Ready { store, policy, filter: product.bytes, remarks: Vec::new() }))
        }
        _ => Err(Trouble::new(format!("`{}` has nothing to enforce", file.display()))),
    }
}

fn of_others(file: &Path, settings: &Settings, writer: &dyn Writer) -> Result<Ready, Trouble> {
    let mut store = Store::default();
    let opened = load::load(&Disk, file, &settings.options, &mut store).map_err(Trouble::new)?;
    let Some(filter) = opened.filter else {
        return Err(Trouble::new(format!("`{}` has nothing to enforce", file.display())));
    };
    if let Some(doubt) = filter.doubtful().first() {
        let name = file.display();
        return Err(Trouble::new(format!(
            "what {doubt} get under `{name}` is undetermined: its entries contradict each other; nothing is run"
        )));
    }
    let mut policy = filter.as_policy();
    if filter.form == Form::Bpf {
        // Those of which it lets a call live.
        policy.archs.clone_from(&filter.spoken);
    }
    let filter_bytes = driver::program(writer, &filter, &mut store)
        .map_err(|why| Trouble::new(format!("`{}` has no filter here: {why}", file.display())))?;
    Ok(Ready { store, policy, filter: filter_bytes, remarks: filter.remarks })
}
