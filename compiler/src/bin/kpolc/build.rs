//! `kpolc build`: from policies to the files that enforce them, all or none.

pub mod brief;
mod compare;
mod complaint;
mod install;
mod names;
pub mod premises;

pub use compare::unified;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use kpol_compiler::diagnostic::{Code, Diagnostic, Severity};
use kpol_compiler::driver::{self, Format, Writer};
use kpol_compiler::oci::Proof;
use kpol_compiler::source::Disk;
use kpol_compiler::spec::Arch;
use kpol_compiler::write::{self, Mode, Output};

use crate::aim;
use crate::inputs;
use crate::report::{Place, Report};
use crate::settings::{self, Projects};
use crate::ui::{FormatArg, Status, Trouble, Ui};

/// Make the files that a container runtime or the kernel takes.
///
/// web.kpol becomes web.json beside it. Files are replaced in one step: whoever reads them finds the old text
/// or the new one, and if any policy has an error, nothing is written at all.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  kpolc build web.kpol                         web.json beside it
  kpolc build web.kpol -o -                    to stdout
  kpolc build web.kpol --emit json,bpf -o out/ out/web.json and out/web.bpf
  kpolc build web.kpol --emit bpf --optimize size -o web.bpf
  kpolc build web.kpol --emit c,asm            web.h to compile in, web.asm to read
  kpolc build web.kpol --emit dot --call socket -o - | dot -Tsvg > socket.svg
  kpolc build web.kpol --emit bpf,smt2         web.smt2: `z3 web.smt2` proves web.bpf
  kpolc build web.kpol --runtime crun --runtime 'runc 1.1.5'    proven as both load it
  kpolc build web.kpol --complain              web-complain.json logs what web.json refuses
  kpolc build profiles/ --check                exit 1 and a diff where a file is not up to date
  kpolc build profiles/ --install              to /etc/seccomp, mode 0644")]
pub struct Args {
    /// Policies, or folders of them; this folder, if none is named
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// A file for one product, a folder for several, `-` for stdout
    #[arg(short, long, value_name = "OUT", conflicts_with = "install")]
    output: Option<PathBuf>,
    /// What to make; else what kpol.toml says, else JSON
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FORMATS")]
    emit: Vec<Emit>,
    /// Calls that the graph of `--emit dot` shows, instead of all that look at arguments
    #[arg(long, value_name = "CALL", value_delimiter = ',')]
    call: Vec<String>,
    /// Log what the policy refuses, to see what a program calls: NAME-complain.json, which protects from nothing
    #[arg(long)]
    complain: bool,
    /// Write nothing; exit 1 with a diff if a file is not what would be built
    #[arg(long)]
    check: bool,
    /// Write into DIR with mode 0644; /etc/seccomp, made where it is missing, if none is named
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = install::DEFAULT)]
    install: Option<PathBuf>,
    #[command(flatten)]
    aim: aim::Args,
    #[command(flatten)]
    settings: settings::Args,
    #[command(flatten)]
    pub format: FormatArg,
}

/// A product, as the command line calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Emit {
    /// For container runtimes
    Json,
    /// Raw struct sock_filter array, for the kernel
    Bpf,
    /// A listing, with names of calls and the rules that decide
    Asm,
    /// A C header with the same array
    C,
    /// The calls that are looked at more closely as a graph, for Graphviz
    Dot,
    /// Whether the filter means the policy, as a question for SMT solvers
    Smt2,
}

impl From<Emit> for Format {
    fn from(emit: Emit) -> Self {
        match emit {
            Emit::Json => Self::Json,
            Emit::Bpf => Self::Bpf,
            Emit::Asm => Self::Asm,
            Emit::C => Self::C,
            Emit::Dot => Self::Dot,
            Emit::Smt2 => Self::Smt2,
        }
    }
}

/// Each once, in one order, however it was asked for.
pub fn formats(emit: &[Emit]) -> Vec<Format> {
    let asked: BTreeSet<Emit> = emit.iter().copied().collect();
    asked.into_iter().map(Format::from).collect()
}

/// Where products go.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Goal {
    Beside,
    Stdout,
    File(PathBuf),
    Folder(PathBuf),
}

/// What the command line means, once `--install web.kpol` is known to name a policy and no folder.
struct Plan {
    paths: Vec<PathBuf>,
    goal: Option<PathBuf>,
    mode: Mode,
}

fn plan(args: &Args) -> Result<Plan, Trouble> {
    let mut paths = args.paths.clone();
    let Some(folder) = &args.install else {
        if paths.is_empty() {
            paths.push(PathBuf::from("."));
        }
        return Ok(Plan { paths, goal: args.output.clone(), mode: Mode::Plain });
    };
    let mut folder = folder.clone();
    if folder.extension().is_some_and(|extension| extension == "kpol") {
        paths.insert(0, std::mem::replace(&mut folder, PathBuf::from(install::DEFAULT)));
    }
    if paths.is_empty() {
        return Err(Trouble::new(format!(
            "no policy to install; `--install {0}` says where to, so write `--install=DIR PATH`",
            folder.display()
        )));
    }
    // With the slash it is a folder, whether it is there or not.
    Ok(Plan { paths, goal: Some(folder.join("")), mode: Mode::Exact(0o644) })
}

/// One product under the name that it gets.
struct Made {
    policy: PathBuf,
    output: Output,
    format: Format,
    proven: Vec<Arch>,
}

pub fn run(args: &Args, ui: &Ui, writer: &dyn Writer) -> Result<Status, Trouble> {
    let plan = plan(args)?;
    let asked = formats(&args.emit);

    // Where a product goes to stdout, nothing else does.
    let place = if plan.goal.as_deref() == Some(Path::new("-")) { Place::Aside } else { Place::Asked };
    let inputs = inputs::expand(&plan.paths)?;
    let mut report = Report::default();
    let Some(aim) = args.aim.aim(&mut report) else {
        report.print(ui, place)?;
        return Ok(report.status());
    };
    let mut projects = Projects::new(&Disk, &args.settings);
    let mut jobs: Vec<_> = inputs.iter().map(|input| (input, projects.settings(&input.path, &mut report))).collect();
    if let Some(format) = asked.iter().find(|format| args.complain && !complaint::is_made(**format)) {
        return Err(Trouble::new(format!("`--complain` makes json and bpf, not {}", format.name())));
    }
    let wanted = |settings: &settings::Settings| {
        let products = settings.products(&asked);
        if args.complain { complaint::of(products) } else { products }
    };
    let formats: BTreeSet<Format> = jobs.iter().flat_map(|(_, settings)| wanted(settings)).collect();
    let formats: Vec<Format> = formats.into_iter().collect();
    if !args.call.is_empty() && !formats.contains(&Format::Dot) {
        return Err(Trouble::new("`--call` says what a graph shows: it needs `--emit dot`"));
    }
    for (_, settings) in &mut jobs {
        settings.options.calls = args.call.iter().cloned().collect();
        settings.options.aim = aim.clone();
        settings.options.complain = args.complain;
    }
    // Built by a doubtful project file it would not be what was meant.
    let mut failed = jobs.iter().any(|(_, settings)| settings.doubtful);
    let answers = inputs::parallel(&jobs, ui, |(input, settings)| {
        let (mut checked, products) =
            driver::build_by(writer, &Disk, &input.path, &settings.options, &wanted(settings));
        if checked.library && input.found {
            // Nobody asked to build this one: it lies among the profiles that include it.
            checked.diagnostics.retain(|diagnostic| diagnostic.code != Code::E020);
        }
        settings.levels.apply(&mut checked.diagnostics);
        // The compiled policy stays behind: it belongs to its thread.
        let compiled = checked.compiled.take();
        let unseen = |policy| if args.complain { complaint::unseen(policy) } else { "" };
        let brief = compiled.as_ref().map(|compiled| {
            let line = format!("{}{}", brief::line(&compiled.policy), unseen(&compiled.policy));
            [vec![line], brief::waivers(&compiled.policy)].concat()
        });
        if jobs.len() == 1 {
            // The process ends soon, and to take all of it apart before would be for nothing.
            std::mem::forget(compiled);
        }
        (checked.sources, checked.diagnostics, products, brief, checked.json)
    });

    let mut products = Vec::new();
    let mut briefs = Vec::new();
    let mut proofs = Vec::new();
    for ((input, _), (sources, diagnostics, made, brief, json)) in jobs.iter().zip(answers) {
        // `--deny` makes errors that the driver knows nothing of, so it is asked here whether to write.
        failed |= diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
        report.add(&sources, diagnostics);
        if !made.is_empty() {
            proofs.extend(json);
            briefs.extend(brief.into_iter().flatten().map(|line| format!("{}: {line}", input.path.display())));
        }
        products.extend(made.into_iter().map(|product| (input, product)));
    }
    if failed {
        report.print(ui, place)?;
        if inputs.len() > 1 && ui.format == crate::ui::Format::Human {
            ui.note(&format!("nothing written: {}", report.counts_of(inputs.len()).unwrap_or_default()));
        }
        return Ok(report.status().max(Status::Findings));
    }
    let goal = match names::goal(plan.goal.as_deref(), &formats, products.len()) {
        Ok(goal) => goal,
        Err(trouble) => {
            report.print(ui, place)?;
            return Err(trouble);
        }
    };
    let mut made: Vec<Made> = products
        .into_iter()
        .map(|(input, product)| Made {
            policy: input.path.clone(),
            output: Output {
                path: names::product(&goal, &input.path, product.format, args.complain),
                bytes: product.bytes,
            },
            format: product.format,
            proven: product.proven,
        })
        .collect();
    if args.check && !args.complain {
        let Some(there) = complaint::there(writer, &jobs, &goal, ui, &mut report) else {
            report.print(ui, place)?;
            return Ok(report.status().max(Status::Findings));
        };
        made.extend(there);
    }
    if let Err(trouble) = names::distinct(&made) {
        report.print(ui, place)?;
        return Err(trouble);
    }
    let status = finish(args, ui, &plan, &goal, &made, &mut report);
    report.print(ui, place)?;
    let status = status?;
    if status == Status::Fine && goal != Goal::Stdout {
        summary(ui, args, &briefs, &made, &proofs);
    }
    Ok(status.max(report.status()))
}

fn finish(
    args: &Args,
    ui: &Ui,
    plan: &Plan,
    goal: &Goal,
    made: &[Made],
    report: &mut Report,
) -> Result<Status, Trouble> {
    if args.check {
        if *goal == Goal::Stdout {
            return Err(Trouble::new("`--check` compares with files; `-o -` names none"));
        }
        return compare::all(made, ui, report);
    }
    match goal {
        Goal::Stdout => {
            for one in made {
                names::refuse_terminal(one.format)?;
                Ui::product(&one.output.bytes)?;
            }
            return Ok(Status::Fine);
        }
        Goal::Folder(folder) if plan.mode == Mode::Plain => make_folder(folder)?,
        Goal::File(file) => {
            if let Some(folder) = file.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                make_folder(folder)?;
            }
        }
        _ => {}
    }
    let folder = match goal {
        Goal::Folder(folder) if plan.mode != Mode::Plain => Some(install::Folder::open(folder)?),
        _ => None,
    };
    let outputs: Vec<Output> = made.iter().map(|one| one.output.clone()).collect();
    if let Err(error) = write::commit(&outputs, plan.mode) {
        let mut diagnostic = Diagnostic::without_place(Code::E070, error.to_string());
        for path in &error.changed {
            diagnostic = diagnostic.note(format!("`{}` is new all the same", path.display()));
        }
        report.push(diagnostic);
        return Ok(Status::Trouble);
    }
    if let Some(folder) = folder {
        folder.keep();
    }
    Ok(Status::Fine)
}

fn make_folder(folder: &Path) -> Result<(), Trouble> {
    write::make_folder(folder)
        .map_err(|error| Trouble::new(format!("cannot create folder `{}`: {error}", folder.display())))
}

fn summary(ui: &Ui, args: &Args, briefs: &[String], made: &[Made], proofs: &[Proof]) {
    let check = args.check;
    let logged = if args.complain { complaint::LOGGED } else { "" };
    let is_json = |one: &&Made| one.format == Format::Json;
    let premise = premises::premise(proofs, made.iter().filter(|one| !one.proven.is_empty()).all(|one| is_json(&one)));
    match made {
        [] => ui.note("nothing to build: there are only libraries, without a `default`"),
        [one] if check => ui.note(&format!("{}: up to date{premise}", one.output.path.display())),
        _ if check => ui.note(&format!("{} files up to date{premise}", made.len())),
        _ if briefs.len() > 1 => {
            briefs.iter().for_each(|brief| ui.note(brief));
            match made.iter().filter(|one| !one.proven.is_empty()).count() {
                proven if proven == made.len() => {
                    ui.note(&format!("{proven} files written, each proven equal to its policy{logged}{premise}"));
                }
                proven => ui.note(&format!(
                    "{} files written, {proven} of them proven equal to their policies{logged}{premise}",
                    made.len()
                )),
            }
        }
        _ => {
            briefs.iter().for_each(|brief| ui.note(brief));
            let files = |of: &[&Made]| -> String {
                of.iter().map(|one| one.output.path.display().to_string()).collect::<Vec<_>>().join(", ")
            };
            let of = |wanted| made.iter().filter(|one| one.format == wanted).collect::<Vec<_>>();
            let (drawn, asked) = (of(Format::Dot), of(Format::Smt2));
            let proven: Vec<&Made> = made.iter().filter(|one| !one.proven.is_empty()).collect();
            if let [first, ..] = proven[..] {
                let sizes: Vec<String> = proven.iter().map(|one| size(one)).collect();
                let archs: Vec<&str> = first.proven.iter().map(|arch| arch.name()).collect();
                ui.note(&format!(
                    "{}: proven equal to {}{logged} for {} ABI{} ({}){premise}; {}",
                    files(&proven),
                    first.policy.display(),
                    archs.len(),
                    if archs.len() == 1 { "" } else { "s" },
                    brief::list(&archs),
                    sizes.join(", "),
                ));
            }
            if !drawn.is_empty() {
                ui.note(&format!("{}: drawn from the policy's diagram", files(&drawn)));
            }
            if !asked.is_empty() {
                ui.note(&format!(
                    "{}: a question for z3, bitwuzla or cvc5, whose answer has to be unsat",
                    files(&asked)
                ));
            }
        }
    }
    if args.complain && !check {
        ui.note("what it logs is not refused: for trying out, not for production");
    }
    premises::notes(proofs).iter().for_each(|note| ui.note(note));
}

fn size(made: &Made) -> String {
    let bytes = made.output.bytes.len();
    match made.format {
        Format::Json | Format::Asm | Format::C | Format::Dot | Format::Smt2 => format!("{bytes} bytes"),
        // Each instruction has eight bytes, and the kernel counts instructions.
        Format::Bpf => format!("{} instructions", bytes / 8),
    }
}

/// What the name of a product ends in.
fn extension(format: Format) -> &'static str {
    if format == Format::C { "h" } else { format.name() }
}

/// `web.json` for `web.kpol`.
fn file_name(policy: &Path, format: Format, suffix: &str) -> OsString {
    let mut name = policy.file_stem().unwrap_or_default().to_owned();
    name.push(suffix);
    name.push(".");
    name.push(extension(format));
    name
}
