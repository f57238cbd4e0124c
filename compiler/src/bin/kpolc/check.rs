//! `kpolc check`: what is wrong with policies, without making anything.

use std::path::PathBuf;

use kpol_compiler::driver;
use kpol_compiler::source::Disk;

use crate::build;
use crate::filters::{self, Files};
use crate::fix::{self, Fixed};
use crate::includes::Includes;
use crate::inputs;
use crate::report::{Place, Report};
use crate::settings::{self, Projects};
use crate::ui::{Format, FormatArg, Status, Trouble, Ui};

/// Say what is wrong with policies.
///
/// Reads each PATH with everything that it includes. A folder means all .kpol files below it; those without
/// `default` are libraries, and are checked as such.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  kpolc check web.kpol
  kpolc check profiles/ --deny all             warnings fail too
  kpolc check --libseccomp 2.5.4 web.kpol      what that release would drop
  kpolc check --runtime 'runc 1.1.5' web.kpol  what that runtime makes of it
  kpolc check --emit bpf web.kpol              for raw BPF, not for a runtime's JSON
  kpolc check --emit json,bpf web.kpol         for both; `[build] emit` in kpol.toml says so for all
  kpolc check --fix web.kpol                   make the fixes that are safe
  kpolc check - < web.kpol                     standard input
  kpolc check --format sarif . > kpol.sarif    for a code scanner")]
pub struct Args {
    /// Policies, folders of them, or `-` for standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Products that it shall be possible to make; else those of kpol.toml, else JSON
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FORMATS")]
    emit: Vec<build::Emit>,
    #[command(flatten)]
    fix: fix::Args,
    #[command(flatten)]
    settings: settings::Args,
    #[command(flatten)]
    pub format: FormatArg,
}

pub fn run(args: &Args, ui: &Ui) -> Result<Status, Trouble> {
    let asked = build::formats(&args.emit);
    let inputs = inputs::expand(&args.paths)?;
    args.fix.refuse(&inputs)?;
    let mut files = Files::with_stdin(&inputs)?;
    let mut report = Report::default();
    let mut projects = Projects::new(&Disk, &args.settings);
    let mut jobs: Vec<_> = inputs.iter().map(|input| (input, projects.settings(&input.path, &mut report))).collect();
    let mut includes = Includes::of(&inputs);
    for (input, settings) in &mut jobs {
        settings.options.included = includes.included(&input.path);
    }
    let fixed = if args.fix.asked() { args.fix.run(&jobs, &mut files)? } else { Fixed::default() };
    let answers = inputs::parallel(&jobs, ui, |(input, settings)| {
        let mut checked = driver::check(&files, &input.path, &settings.options, &settings.products(&asked));
        // Nobody said what is made: the JSON was looked at, and what is open there would be in the way of raw BPF.
        let unseen = asked.is_empty() && !settings.says_products() && checked.is_open();
        settings.levels.apply(&mut checked.diagnostics);
        // The compiled policy stays behind: it belongs to its thread.
        let waivers = checked.compiled.as_ref().map(|compiled| build::brief::waivers(&compiled.policy));
        (checked.sources, checked.diagnostics, checked.json, waivers.unwrap_or_default(), unseen)
    });
    let (mut proofs, mut waived) = (Vec::new(), Vec::new());
    let mut unseen = 0;
    for ((input, _), (sources, diagnostics, json, waivers, is_unseen)) in jobs.iter().zip(answers) {
        unseen += usize::from(is_unseen);
        waived.extend(waivers.into_iter().map(|line| format!("{}: {line}", input.path.display())));
        report.add(&sources, diagnostics);
        proofs.extend(json);
    }
    args.fix.finish(&fixed, &mut report)?;
    report.print(ui, if args.fix.diff() { Place::Aside } else { Place::Asked })?;
    if ui.format == Format::Human {
        let many = if inputs.len() == 1 { "1 file".to_owned() } else { format!("{} files", inputs.len()) };
        let counts = report.counts_of(inputs.len()).unwrap_or_else(|| "no findings".to_owned());
        let files = fixed.texts.len();
        match fixed.findings {
            0 => {}
            count if args.fix.diff() => ui.note(&format!("would fix {}", filters::many(count, "finding"))),
            count => ui.note(&format!("fixed {} in {}", filters::many(count, "finding"), filters::many(files, "file"))),
        }
        ui.note(&format!("checked {many}: {counts}"));
        waived.iter().for_each(|line| ui.note(line));
        args.fix.hint(report.findings()).iter().for_each(|hint| ui.note(hint));
        if unseen > 0 && report.status() == Status::Fine {
            let of = if inputs.len() == 1 { String::new() } else { format!(", as {unseen} of these do") };
            ui.note(&format!(
                "raw BPF was not looked at (`--emit bpf`): it cannot ask for capabilities or the kernel{of}"
            ));
        }
        build::premises::unnamed(&proofs).iter().for_each(|note| ui.note(note));
    }
    let shown = if args.fix.diff() && !fixed.texts.is_empty() { Status::Findings } else { Status::Fine };
    Ok(report.status().max(shown))
}
