//! `kpolc import`: a filter that others wrote, as a policy.

use std::path::{Path, PathBuf};

use kpol_compiler::answer::import::{self, ImportError, Options};
use kpol_compiler::oci::runtime::{Dialect, Runtime};
use kpol_compiler::source::{Disk, LoadError, Loader};
use kpol_compiler::spec::Arch;
use kpol_compiler::write::{self, Mode, Output};

use crate::settings;
use crate::ui::{FormatArg, Status, Trouble, Ui};

/// The longest file that is read.
const MOST_BYTES: u64 = 16 << 20;

/// Make a policy of a filter that others wrote.
///
/// Reads the JSON of container runtimes (comments are taken along) and raw BPF. The policy is compiled, and printed
/// only if it means exactly what the file means, as crun loads it or whom --runtime names. What the file loses on the way to the kernel, and what in it looks
/// wrong, stands in comments. Exit status 1 where entries contradict each other, and nobody knows what some calls get.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  kpolc import default.json -o default.kpol
  kpolc import default.json --arch x86_64,aarch64
  kpolc import filter.bpf")]
pub struct Args {
    /// JSON or raw BPF; `-` for stdin
    file: PathBuf,
    /// Write here instead of to stdout; a file that exists is kept
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// Replace the file that `-o` names
    #[arg(long, requires = "output")]
    force: bool,
    /// Only these ABIs
    #[arg(long, value_name = "ARCH", value_delimiter = ',', value_parser = settings::arch)]
    arch: Vec<Arch>,
    /// The libseccomp release that the file was written for; names that it lacks do nothing
    #[arg(long, value_name = "X.Y.Z", value_parser = settings::libseccomp)]
    libseccomp: Option<(u8, u8, u8)>,
    /// Who loads the file, such as `runc 1.1.5`
    #[arg(long, value_name = "RUNTIME", value_parser = settings::runtime)]
    runtime: Option<Runtime>,
    /// Whose JSON it is
    #[arg(long, value_enum, default_value_t = Whose::Auto, value_name = "DIALECT")]
    dialect: Whose,
    #[command(flatten)]
    pub format: FormatArg,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Whose {
    /// Docker's if it uses `minKernel`
    Auto,
    /// CRI-O, Podman, Buildah
    Containers,
    /// Docker
    Moby,
}

pub fn run(args: &Args, ui: &Ui) -> Result<Status, Trouble> {
    if let Some(path) = args.output.as_ref().filter(|path| !args.force && path.exists() && **path != Path::new("-")) {
        // It may be a policy that somebody has worked on since.
        return Err(Trouble::new(format!("`{}` exists; `--force` replaces it", path.display())));
    }
    let (name, bytes) = input(&args.file)?;
    let options = Options {
        archs: (!args.arch.is_empty()).then(|| args.arch.clone()),
        libseccomp: args.libseccomp,
        runtime: args.runtime,
        dialect: match args.dialect {
            Whose::Auto => None,
            Whose::Containers => Some(Dialect::Containers),
            Whose::Moby => Some(Dialect::Moby),
        },
    };
    let imported = match import::import(&name, &bytes, &options) {
        Ok(imported) => imported,
        // Our own mistake, and no text comes of it.
        Err(error @ ImportError::Differs(_)) => {
            ui.error(&Trouble::new(format!("{}: {error}", args.file.display())));
            return Ok(Status::Internal);
        }
        Err(error) => {
            ui.error(&Trouble::new(format!("{}: {error}", args.file.display())));
            return Ok(Status::Findings);
        }
    };
    for remark in &imported.remarks {
        ui.note(&format!("note: {remark}"));
    }
    let doubt = !imported.doubts.is_empty();
    for what in &imported.doubts {
        ui.note(&format!(
            "undetermined: what {what} get; entries contradict each other, and the answer hangs on their order"
        ));
    }
    match &args.output {
        Some(path) if path != Path::new("-") => {
            let output = Output { path: path.clone(), bytes: imported.text.into_bytes() };
            write::commit(&[output], Mode::Plain).map_err(|error| Trouble::new(error.to_string()))?;
            let archs: Vec<&str> = imported.proven.iter().map(|arch| arch.name()).collect();
            let reader = imported.reader.as_ref().map_or_else(String::new, |reader| format!(" as {reader}"));
            if doubt {
                ui.note(&format!("wrote {}, not proven: see what is undetermined", path.display()));
            } else {
                ui.note(&format!("wrote {}, proven equal on {}{reader}", path.display(), archs.join(", ")));
            }
        }
        _ => Ui::product(imported.text.as_bytes())?,
    }
    Ok(if doubt { Status::Findings } else { Status::Fine })
}

/// The file's own name, and what is in it.
fn input(path: &Path) -> Result<(String, Vec<u8>), Trouble> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        let limit = &mut std::io::Read::take(std::io::stdin().lock(), MOST_BYTES + 1);
        std::io::Read::read_to_end(limit, &mut bytes)
            .map_err(|error| Trouble::new(format!("cannot read standard input: {error}")))?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(Trouble::new("standard input is larger than 16 MiB"));
        }
        return Ok(("standard input".to_owned(), bytes));
    }
    let wrong = |error: LoadError| {
        Trouble::new(match error {
            LoadError::Io(error) => format!("cannot read `{}`: {error}", path.display()),
            LoadError::NotAFile(word) => format!("cannot read `{}`: it is {word}", path.display()),
            LoadError::TooLarge(_) => format!("`{}` is larger than 16 MiB", path.display()),
        })
    };
    let bytes = Disk.read(path, MOST_BYTES).map_err(wrong)?;
    let name = path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
    Ok((name, bytes))
}
