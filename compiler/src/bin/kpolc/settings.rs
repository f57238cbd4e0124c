//! What holds for an input: the command line, and below it the project file that is found from there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use kpol_compiler::diagnostic::{Code, Severity};
use kpol_compiler::driver::{Format, Options};
use kpol_compiler::oci::runtime::Runtime;
use kpol_compiler::policy::Waivable;
use kpol_compiler::source::graph;
use kpol_compiler::source::project::{self, Level, Levels, ProjectFile};
use kpol_compiler::source::{Loader, Sources};
use kpol_compiler::spec::{Arch, KernelVersion};
use kpol_compiler::tables;

use crate::report::{self, Report};
use crate::ui::Status;

/// Options about the target and the warnings.
#[derive(Debug, Clone, Default, clap::Args)]
// Two structs of one name would be two groups of one name.
#[group(skip)]
pub struct Args {
    /// Search DIR for `include "..."`, after the file's own folder
    #[arg(short = 'I', long = "include", value_name = "DIR", value_parser = folder)]
    include: Vec<PathBuf>,
    /// Use these ABIs instead of the policy's own `arch`, such as x86_64,aarch64
    #[arg(long, value_name = "ARCH", value_delimiter = ',', value_parser = arch, help_heading = "Target")]
    arch: Vec<Arch>,
    /// Exactly these capabilities are held (`none`: none at all); decides `when cap`
    #[arg(long, value_name = "CAP", value_delimiter = ',', value_parser = capability, help_heading = "Target")]
    cap: Vec<Capability>,
    /// The target's kernel, such as 6.1; decides `when kernel`
    #[arg(long, value_name = "X.Y", value_parser = kernel, help_heading = "Target")]
    kernel: Option<KernelVersion>,
    /// Who loads the JSON, such as `crun 1.8`, `runc` or `containerd/runc 1.2`; several times for several
    #[arg(long, value_name = "RUNTIME", value_delimiter = ',', value_parser = runtime, help_heading = "Target")]
    runtime: Vec<Runtime>,
    /// The libseccomp release of the target's container runtime
    #[arg(long, value_name = "X.Y.Z", value_parser = libseccomp, help_heading = "Target")]
    libseccomp: Option<(u8, u8, u8)>,
    /// No profile may waive an assertion of a file that it includes, whatever the project file allows
    #[arg(long, help_heading = "Warnings")]
    deny_waivers: bool,
    /// Do not show this warning (a code, its name, or `all`)
    #[arg(long, value_name = "WARNING", value_delimiter = ',', value_parser = lint, help_heading = "Warnings")]
    allow: Vec<Lint>,
    /// Show this warning, whatever the project file says
    #[arg(long, value_name = "WARNING", value_delimiter = ',', value_parser = lint, help_heading = "Warnings")]
    warn: Vec<Lint>,
    /// Make an error of this warning
    #[arg(long, value_name = "WARNING", value_delimiter = ',', value_parser = lint, help_heading = "Warnings")]
    deny: Vec<Lint>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Capability {
    None,
    One(u8),
}

#[derive(Debug, Clone, Copy)]
enum Lint {
    All,
    One(Code),
}

fn did_you_mean(near: Option<&str>) -> String {
    near.map_or(String::new(), |near| format!("; did you mean `{near}`?"))
}

/// A folder that is there: a slip of the hand in `-I` would else be a search in nothing.
pub fn folder(text: &str) -> Result<PathBuf, String> {
    let folder = PathBuf::from(text);
    match std::fs::metadata(&folder) {
        Ok(metadata) if metadata.is_dir() => Ok(folder),
        Ok(_) => Err("it is no folder".to_owned()),
        Err(error) => Err(graph::io_words(&error)),
    }
}

pub fn arch(text: &str) -> Result<Arch, String> {
    let names = || Arch::all().map(Arch::name);
    // What other tools call them.
    let other = Arch::all().find(|arch| arch.go_name() == text || arch.oci_name() == text).map(Arch::name);
    Arch::from_name(text).ok_or_else(|| match other.or_else(|| project::near(text, names())) {
        Some(near) => format!("no such architecture{}", did_you_mean(Some(near))),
        None => format!("no such architecture; known: {}", names().collect::<Vec<_>>().join(", ")),
    })
}

fn capability(text: &str) -> Result<Capability, String> {
    if text == "none" {
        return Ok(Capability::None);
    }
    tables::capability(text)
        .map(Capability::One)
        .ok_or_else(|| format!("no such capability{}", did_you_mean(project::nearest_capability(text))))
}

fn kernel(text: &str) -> Result<KernelVersion, String> {
    KernelVersion::of_release(text).ok_or_else(|| "a kernel version has two numbers, such as 6.1".to_owned())
}

pub fn libseccomp(text: &str) -> Result<(u8, u8, u8), String> {
    project::known_libseccomp(text)
}

pub fn runtime(text: &str) -> Result<Runtime, String> {
    text.parse()
}

fn lint(text: &str) -> Result<Lint, String> {
    if text == "all" {
        return Ok(Lint::All);
    }
    project::lint(text).map(Lint::One).ok_or_else(|| match Code::from_name(text) {
        Some(_) => "it is an error; only warnings have levels".to_owned(),
        None => match project::near_code(text).filter(|code| code.severity() == Severity::Warning) {
            Some(near) => format!("no such warning; did you mean `{}` ({})?", near.as_str(), near.title()),
            None => "no such warning; `kpolc explain` lists them".to_owned(),
        },
    })
}

impl Args {
    /// Nothing said, but for where includes are.
    pub fn with_includes(folders: &[PathBuf]) -> Self {
        Self { include: folders.to_owned(), ..Self::default() }
    }

    /// As the command line says it, without a project file.
    fn options(&self) -> Options {
        let caps: BTreeSet<u8> = self
            .cap
            .iter()
            .filter_map(|cap| match cap {
                Capability::None => None,
                Capability::One(number) => Some(*number),
            })
            .collect();
        Options {
            include_dirs: self.include.clone(),
            archs: (!self.arch.is_empty()).then(|| self.arch.clone()),
            caps: (!self.cap.is_empty()).then_some(caps),
            kernel: self.kernel,
            libseccomp: self.libseccomp,
            runtimes: self.runtime.clone(),
            waivable: if self.deny_waivers { Waivable::None } else { Waivable::Any },
            ..Options::default()
        }
    }

    fn levels(&self) -> Levels {
        let mut levels = Levels::default();
        for (list, level) in [(&self.allow, Level::Allow), (&self.warn, Level::Warn), (&self.deny, Level::Deny)] {
            for lint in list {
                match lint {
                    Lint::All => levels.set_all(level),
                    Lint::One(code) => levels.set(*code, level),
                }
            }
        }
        levels
    }
}

/// Everything that holds for one input.
#[derive(Debug, Clone)]
pub struct Settings {
    /// For the driver.
    pub options: Options,
    /// For its findings.
    pub levels: Levels,
    /// What the project makes; empty if it says nothing.
    emit: Vec<Format>,
    /// The project file has mistakes: what was built by it would not be what was meant.
    pub doubtful: bool,
}

impl Settings {
    /// The products: those of the command line, else the project's, else JSON.
    pub fn products(&self, asked: &[Format]) -> Vec<Format> {
        match (asked, &self.emit[..]) {
            ([], []) => vec![Format::Json],
            ([], project) => project.to_vec(),
            (asked, _) => asked.to_vec(),
        }
    }

    /// Whether the project says what is made.
    pub fn says_products(&self) -> bool {
        !self.emit.is_empty()
    }
}

/// Project files that were read, each once.
pub struct Projects<'a> {
    loader: &'a dyn Loader,
    args: &'a Args,
    read: BTreeMap<PathBuf, (ProjectFile, bool)>,
}

impl<'a> Projects<'a> {
    pub fn new(loader: &'a dyn Loader, args: &'a Args) -> Self {
        Self { loader, args, read: BTreeMap::new() }
    }

    /// The settings for a policy; mistakes of its project file go to the report.
    pub fn settings(&mut self, policy: &Path, report: &mut Report) -> Settings {
        let mut settings =
            Settings { options: self.args.options(), levels: self.args.levels(), emit: Vec::new(), doubtful: false };
        let Some(path) = project::find(self.loader, policy) else {
            return settings;
        };
        let path = short(path);
        let loader = self.loader;
        let (file, doubtful) = self.read.entry(path).or_insert_with_key(|path| {
            let mut sources = Sources::default();
            let (file, diagnostics) = project::load(loader, path, &mut sources);
            let doubtful = diagnostics.iter().any(|diagnostic| report::status(diagnostic) > Status::Fine);
            report.add(&sources, diagnostics);
            (file, doubtful)
        });
        file.complete(&mut settings.options);
        settings.emit.clone_from(&file.emit);
        settings.levels = settings.levels.over(&file.lints);
        settings.doubtful = *doubtful;
        settings
    }
}

/// The path from here, where it is below here: the way a person would write it.
fn short(path: PathBuf) -> PathBuf {
    match std::env::current_dir().ok().and_then(|here| here.canonicalize().ok()) {
        Some(here) => path.strip_prefix(here).map(Path::to_owned).unwrap_or(path),
        None => path,
    }
}
