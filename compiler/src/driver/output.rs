//! Outputs, and what can be wrong with them in words that name a place.
//!
//! ```text
//! oci::WriteError::OpensMultiplexer { name: "socket", … }   →   E054 at the pattern that filters `socket`
//! ```

mod premises;

use std::path::Path;

use kpol_grammar::ast::{self, StatementKind};
use kpol_grammar::did_you_mean;

use super::load::Filter;
use super::{Compiled, Format, Options, Product, Writer};
use crate::bpf::{self, Aim, Program};
use crate::diagnostic::{Code, Diagnostic, FileId, Span};
use crate::diagram::Store;
use crate::emit;
use crate::oci;
use crate::oci::runtime::{Engine, Runtime};
use crate::policy::Policy;
use crate::source::Sources;
use crate::spec::{Action, Arch, Nr};
use crate::tables;

pub use premises::stubs;

/// Products with what was found while they were made.
#[derive(Default)]
pub(super) struct Outputs {
    /// The files; those without an error.
    pub products: Vec<Product>,
    /// Errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// Of the JSON.
    pub json: Option<oci::Proof>,
}

/// One product, or none where there is an error, and warnings.
struct Output {
    product: Option<Product>,
    diagnostics: Vec<Diagnostic>,
    json: Option<oci::Proof>,
}

/// Makes and proves each output. The program that several of them hold is made once, and beside the JSON.
pub(super) fn make(
    writer: &dyn Writer,
    compiled: &mut Compiled,
    formats: &[Format],
    options: &Options,
    path: &Path,
    sources: &Sources,
) -> Outputs {
    let mut outputs = Outputs::default();
    let (mut json, program) = json_and_program(writer, compiled, formats, options);
    let program = match program {
        Some(Ok(program)) => Some(program),
        Some(Err(trouble)) => {
            outputs.diagnostics.push(bpf_trouble(compiled, &trouble));
            None
        }
        None => None,
    };
    for &format in formats {
        let output = match format {
            Format::Json => json.take().map(|made| json_output(compiled, made)),
            Format::Dot => Some(dot(compiled, options, path)),
            Format::Bpf | Format::Asm | Format::C => {
                program.as_ref().map(|program| text(compiled, format, program, path, sources))
            }
            Format::Smt2 => program.as_ref().map(|program| smt2(compiled, program, options, path, sources)),
        };
        let Some(output) = output else { continue };
        outputs.products.extend(output.product);
        outputs.diagnostics.extend(output.diagnostics);
        outputs.json = outputs.json.or(output.json);
    }
    outputs
}

/// The two that take time, side by side: each in a store of its own, so that what one finds does not hang on the other.
fn json_and_program(
    writer: &dyn Writer,
    compiled: &mut Compiled,
    formats: &[Format],
    options: &Options,
) -> (Option<JsonMade>, Option<ProgramMade>) {
    let wants_json = formats.contains(&Format::Json);
    let wants_program =
        formats.iter().any(|format| matches!(format, Format::Bpf | Format::Asm | Format::C | Format::Smt2));
    let impossible = defaults_differ(compiled).map(|diagnostic| Err(JsonTrouble::Default(Box::new(diagnostic))));
    let Compiled { store, policy, .. } = compiled;
    let policy = &*policy;
    if !(wants_json && wants_program && impossible.is_none()) {
        let json = wants_json.then(|| impossible.unwrap_or_else(|| json(writer, store, policy, options)));
        return (json, wants_program.then(|| bpf(writer, store, policy, &options.aim)));
    }
    let mut beside = store.clone();
    std::thread::scope(|scope| {
        let program = scope.spawn(move || bpf(writer, &mut beside, policy, &options.aim));
        let json = json(writer, store, policy, options);
        // A panic is our own mistake wherever it happens.
        let program = program.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (Some(json), Some(program))
    })
}

/// A text of the program, read back.
fn text(compiled: &mut Compiled, format: Format, program: &Program, path: &Path, sources: &Sources) -> Output {
    let name = path.display().to_string();
    let Compiled { store, policy, resolved, .. } = compiled;
    let built = emit::Built { file: &name, policy, resolved, sources, program };
    let (bytes, read) = match format {
        Format::Asm => {
            let text = emit::asm::write(&built, store);
            (text.clone().into_bytes(), emit::asm::assemble(&text))
        }
        Format::C => {
            let text = emit::c::write(&built, store);
            (text.clone().into_bytes(), emit::c::read(&text))
        }
        _ => {
            let order = byte_order(compiled);
            let bytes = program.to_bytes(order);
            let read = Program::from_bytes(&bytes, order).ok();
            (bytes, read)
        }
    };
    if read.as_ref() != Some(program) {
        let message = "internal error: the text does not say the filter that it was made of";
        let diagnostic = Diagnostic::new(Code::E099, file_start(compiled), message);
        return Output { product: None, diagnostics: vec![diagnostic], json: None };
    }
    let proven = compiled.policy.archs.clone();
    Output { product: Some(Product { format, bytes, proven }), diagnostics: Vec::new(), json: None }
}

fn dot(compiled: &mut Compiled, options: &Options, path: &Path) -> Output {
    let name = path.display().to_string();
    match emit::dot::write(&name, &compiled.policy, &options.calls, &mut compiled.store) {
        Ok(text) => {
            let product = Product { format: Format::Dot, bytes: text.into_bytes(), proven: Vec::new() };
            Output { product: Some(product), diagnostics: Vec::new(), json: None }
        }
        Err(name) => {
            let near = did_you_mean(&name, tables::Syscall::all().map(tables::Syscall::name));
            let message = format!("no syscall `{name}` to draw: none of the policy's architectures has it");
            let diagnostic = Diagnostic::new(Code::E030, file_start(compiled), message);
            let diagnostic = match near.filter(|near| *near != name) {
                Some(near) => diagnostic.help(format!("did you mean `--call {near}`?")),
                None => diagnostic,
            };
            Output { product: None, diagnostics: vec![diagnostic], json: None }
        }
    }
}

/// Whether the program means the policy, as a question.
fn smt2(compiled: &Compiled, program: &Program, options: &Options, path: &Path, sources: &Sources) -> Output {
    let question = emit::smt2::Question {
        file: &path.display().to_string(),
        graph: &compiled.graph,
        sources,
        archs: &compiled.policy.archs,
        caps: options.caps.as_ref(),
        kernel: options.kernel,
        bytes: &program.to_bytes(byte_order(compiled)),
    };
    match emit::smt2::write(&question) {
        Ok(text) => {
            let product = Product { format: Format::Smt2, bytes: text.into_bytes(), proven: Vec::new() };
            Output { product: Some(product), diagnostics: Vec::new(), json: None }
        }
        Err(emit::smt2::Trouble::TooLong) => {
            let message = "the policy is too large to be written within bounds";
            let diagnostic = Diagnostic::new(Code::E050, file_start(compiled), message);
            Output { product: None, diagnostics: vec![diagnostic], json: None }
        }
        Err(emit::smt2::Trouble::Undefined(why)) => {
            let message = "internal error: the question cannot be stated; nothing is written";
            let diagnostic = Diagnostic::new(Code::E099, file_start(compiled), message)
                .note(why)
                .help("a mistake in kpolc, not in the policy: please report it, with these lines");
            Output { product: None, diagnostics: vec![diagnostic], json: None }
        }
    }
}

/// The file, proven, or why there is none.
type JsonMade = Result<oci::Written, JsonTrouble>;

enum JsonTrouble {
    /// A file has one default.
    Default(Box<Diagnostic>),
    Writer(Vec<oci::WriteError>),
}

fn json(writer: &dyn Writer, store: &mut Store, policy: &Policy, options: &Options) -> JsonMade {
    // `minKernel` is for Docker alone, so a file that has it is for nobody else.
    let docker = |runtime: &Runtime| runtime.engine == Some(Engine::Docker);
    let for_docker = !options.runtimes.is_empty() && options.runtimes.iter().all(docker);
    let dialect = if for_docker { oci::runtime::Dialect::Moby } else { oci::runtime::Dialect::default() };
    let target = oci::Target { libseccomp: options.libseccomp, runtimes: options.runtimes.clone(), dialect };
    let proven = writer.json(store, policy, &target).and_then(|draft| draft.prove(store, policy, &target));
    proven.map_err(JsonTrouble::Writer)
}

fn json_output(compiled: &Compiled, made: JsonMade) -> Output {
    match made {
        Ok(oci::Written { json, warnings, proof }) => {
            let mut diagnostics: Vec<_> =
                warnings.iter().filter_map(|warning| json_warning(compiled, warning)).collect();
            diagnostics.extend(proof.under.iter().flat_map(|under| premises::warnings(compiled, under)));
            let (bytes, proven) = (json.into_bytes(), proof.archs.clone());
            let product = Product { format: Format::Json, bytes, proven };
            Output { product: Some(product), diagnostics, json: Some(proof) }
        }
        Err(JsonTrouble::Default(diagnostic)) => Output { product: None, diagnostics: vec![*diagnostic], json: None },
        Err(JsonTrouble::Writer(errors)) => {
            // Of ABIs that cannot share a file nothing more is worth saying.
            let apart = |error: &oci::WriteError| {
                matches!(error, oci::WriteError::MixedByteOrder { .. } | oci::WriteError::NativeMissing { .. })
            };
            let any = errors.iter().any(apart);
            let (dropped, others): (Vec<_>, Vec<_>) = errors
                .into_iter()
                .filter(|error| !any || apart(error))
                .partition(|error| matches!(error, oci::WriteError::Dropped { .. }));
            let mut diagnostics = premises::dropped(compiled, &dropped);
            diagnostics.extend(others.iter().map(|error| json_error(compiled, error)));
            Output { product: None, diagnostics, json: None }
        }
    }
}

/// `deny(ENOSYS)` is 38 on most ABIs and 89 on MIPS: one file has one default.
fn defaults_differ(compiled: &Compiled) -> Option<Diagnostic> {
    let default = compiled.resolved.defaults.iter().max_by_key(|default| default.priority)?;
    let (arch, action) = default.action.first_key_value()?;
    let (other, differs) = default.action.iter().find(|&(_, other)| other != action)?;
    let number = |action: &Action| match action {
        Action::Errno(number) => format!("errno {number}"),
        other => format!("`{other}`"),
    };
    let message =
        format!("the default is {} on {arch} and {} on {other}, and JSON has one", number(action), number(differs));
    Some(Diagnostic::new(Code::E051, default.span, message).help("build a file for each"))
}

fn json_warning(compiled: &Compiled, warning: &oci::Warning) -> Option<Diagnostic> {
    match warning {
        // The lint on releases says it at the place of each name.
        oci::Warning::NewerThanRuntime { .. } => None,
        oci::Warning::ManyEntries { name, entries } => Some(
            Diagnostic::new(
                Code::W015,
                place_of_name(compiled, name),
                format!(
                    "`{name}` takes {entries} entries in JSON; some runtimes take at most {}",
                    oci::write::MANY_ENTRIES
                ),
            )
            .help("`in { … }` costs one entry a value, excluding a value one for each bit"),
        ),
    }
}

fn json_error(compiled: &Compiled, error: &oci::WriteError) -> Diagnostic {
    use oci::WriteError as E;
    if let E::Internal { what, .. } = error {
        return disproved(compiled, "JSON", what);
    }
    let text = error.to_string();
    // What comes before the semicolon says what is wrong, what comes behind it what to do.
    let (message, help) = text.split_once("; ").map_or((text.as_str(), None), |(what, how)| (what, Some(how)));
    let (code, place) = match error {
        E::TrapData { name, .. } | E::NotifyRefused { name } | E::ActionRefused { name, .. } => {
            (Code::E055, name.as_ref().map_or_else(|| default_place(compiled), |name| place_of_name(compiled, name)))
        }
        E::NotifyWithoutListener => (Code::E049, notify_place(compiled)),
        E::OpenKernel { name } => (Code::E052, place_of_name(compiled, name)),
        E::UnknownToRuntime { arch, nr, .. } => (Code::E055, place_of_call(compiled, *arch, *nr)),
        E::Differs { name, .. } => (Code::E051, place_of_name(compiled, name)),
        E::OpensMultiplexer { name, .. } => (Code::E054, place_of_name(compiled, name)),
        E::TooManyEntries { name, .. } => (Code::E053, place_of_name(compiled, name)),
        E::Miscompiled(
            oci::Fault::Shared { name, .. } | oci::Fault::Unloaded { name, .. } | oci::Fault::Wrong { name, .. },
        ) => (Code::E051, place_of_name(compiled, name)),
        E::NativeMissing { .. } | E::MixedByteOrder { .. } => (Code::E055, arch_place(compiled)),
        E::Dropped { name, .. } => (Code::E057, place_of_name(compiled, name)),
        E::Otherwise { call, .. } => (Code::E058, place_of_call(compiled, call.arch, call.nr)),
        E::NotLoaded { .. } => (Code::E058, default_place(compiled)),
        E::TooLarge => (Code::E050, file_start(compiled)),
        E::Internal { .. } => (Code::E099, file_start(compiled)),
    };
    let diagnostic = Diagnostic::new(code, place, message);
    match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

/// The program, proven, or why there is none.
type ProgramMade = Result<Program, ProgramTrouble>;

enum ProgramTrouble {
    /// No kernel has both.
    ByteOrders(Arch, Arch),
    Writer(bpf::WriteError),
    Disproved(bpf::Disproof),
}

fn bpf(writer: &dyn Writer, store: &mut Store, policy: &Policy, aim: &Aim) -> ProgramMade {
    let of_order = |big| policy.archs.iter().find(|arch| arch.is_big_endian() == big);
    if let (Some(&little), Some(&big)) = (of_order(false), of_order(true)) {
        return Err(ProgramTrouble::ByteOrders(little, big));
    }
    let program = writer.bpf(store, policy, aim).map_err(ProgramTrouble::Writer)?;
    bpf::prove(store, policy, &program).map_err(ProgramTrouble::Disproved)?;
    Ok(program)
}

/// The program of a filter without rules: it has one, or one is made of its function.
pub(super) fn program(writer: &dyn Writer, filter: &Filter, store: &mut Store) -> Result<Vec<u8>, String> {
    if let Some(program) = &filter.program {
        return Ok(program.to_bytes(bpf::ByteOrder::NATIVE));
    }
    let policy = filter.as_policy();
    match bpf(writer, store, &policy, &Aim::default()) {
        Ok(program) => Ok(program.to_bytes(byte_order_of(&policy))),
        Err(ProgramTrouble::ByteOrders(..)) => Err("its ABIs have different byte orders".to_owned()),
        Err(ProgramTrouble::Writer(error)) => Err(error.to_string()),
        Err(ProgramTrouble::Disproved(disproof)) => Err(format!("internal error: {disproof}")),
    }
}

fn bpf_trouble(compiled: &Compiled, trouble: &ProgramTrouble) -> Diagnostic {
    match trouble {
        ProgramTrouble::ByteOrders(little, big) => {
            let message =
                format!("no kernel loads a filter for both {little} and {big}: their bytes are in another order");
            Diagnostic::new(Code::E055, arch_place(compiled), message).help("build a file for each")
        }
        ProgramTrouble::Writer(error) => bpf_error(compiled, error),
        ProgramTrouble::Disproved(disproof) => disproved(compiled, "filter", &disproof.to_string()),
    }
}

/// Our own mistake, found before it could do harm.
fn disproved(compiled: &Compiled, product: &str, why: &str) -> Diagnostic {
    let message = format!("internal error: the {product} does not mean the policy; nothing is written");
    Diagnostic::new(Code::E099, file_start(compiled), message)
        .note(why)
        .help("a mistake in kpolc, not in the policy: please report it, with these lines")
}

/// Instructions are read in the byte order of the kernel that loads them.
fn byte_order(compiled: &Compiled) -> bpf::ByteOrder {
    byte_order_of(&compiled.policy)
}

fn byte_order_of(policy: &Policy) -> bpf::ByteOrder {
    if policy.archs.first().is_some_and(|arch| arch.is_big_endian()) {
        bpf::ByteOrder::Big
    } else {
        bpf::ByteOrder::Little
    }
}

fn bpf_error(compiled: &Compiled, error: &bpf::WriteError) -> Diagnostic {
    match error {
        bpf::WriteError::OpenEnvironment { caps, kernel, calls } => {
            let place =
                calls.first().map_or_else(|| file_start(compiled), |&(arch, nr)| place_of_call(compiled, arch, nr));
            let names: Vec<&str> = caps.iter().filter_map(|&number| tables::capability_name(number)).collect();
            let (what, how) = match (names.is_empty(), kernel) {
                (false, true) => (
                    format!("{} and the kernel's version", names.join(", ")),
                    "`--cap` and `--kernel`, or `capabilities` and `kernel` in kpol.toml",
                ),
                (false, false) => (names.join(", "), "`--cap CAP_X,…` or `--cap none`, or `capabilities` in kpol.toml"),
                (true, _) => ("the kernel's version".to_owned(), "`--kernel X.Y`, or `kernel` in kpol.toml"),
            };
            Diagnostic::new(Code::E052, place, format!("raw BPF cannot ask for {what}"))
                .help(format!("settle it, by {how}"))
        }
        bpf::WriteError::TooLong { instructions, heaviest } => {
            let place = heaviest
                .first()
                .map_or_else(|| file_start(compiled), |heavy| place_of_call(compiled, heavy.arch, heavy.nr));
            let names: Vec<String> = heaviest
                .iter()
                .map(|heavy| {
                    let name = compiled.policy.call_name(heavy.arch, heavy.nr).unwrap_or("?");
                    format!("`{name}` on {} ({} tests)", heavy.arch, heavy.tests)
                })
                .collect();
            Diagnostic::new(
                Code::E056,
                place,
                format!("the filter has {instructions} instructions; the kernel takes {}", bpf::MAX_LEN),
            )
            .note(format!("heaviest: {}", names.join(", ")))
            .help("test fewer values of these, or build for fewer architectures")
        }
        bpf::WriteError::Overflow => {
            Diagnostic::new(Code::E050, file_start(compiled), "the policy is too large to be written within bounds")
        }
        bpf::WriteError::Unclaimed { .. } | bpf::WriteError::Invalid(_) => {
            Diagnostic::new(Code::E099, file_start(compiled), format!("internal error: {error}"))
        }
    }
}

fn file_start(compiled: &Compiled) -> Span {
    let file = compiled.graph.files.first().map_or(FileId(0), |file| file.id);
    Span { file, bytes: Default::default() }
}

/// Where the architectures are named.
fn arch_place(compiled: &Compiled) -> Span {
    let files = compiled.graph.files.iter();
    let mut statements = files.flat_map(|file| file.tree.statements.iter().map(move |statement| (file.id, statement)));
    let names = statements.find_map(|(file, statement)| match &statement.kind {
        StatementKind::Arch(names) => Some((file, names)),
        _ => None,
    });
    match names {
        Some((file, names)) => {
            let place = |end: Option<&ast::Name>| end.map_or_else(Default::default, |name| name.span);
            Span { file, bytes: place(names.first()).to(place(names.last())) }
        }
        None => file_start(compiled),
    }
}

fn default_place(compiled: &Compiled) -> Span {
    let default = compiled.resolved.defaults.iter().max_by_key(|default| default.priority);
    default.map_or_else(|| file_start(compiled), |default| default.span)
}

fn notify_place(compiled: &Compiled) -> Span {
    let claims = compiled.resolved.claims.values().flat_map(|calls| calls.values().flatten());
    claims
        .filter(|claim| claim.action == Action::Notify)
        .map(|claim| claim.member.via.pattern)
        .next()
        .unwrap_or_else(|| default_place(compiled))
}

/// A pattern that claims a call of that name: one with conditions before others, the user's own before kpolc's.
fn place_of_name(compiled: &Compiled, name: &str) -> Span {
    let numbers = compiled.policy.archs.iter().filter_map(|&arch| Some((arch, tables::syscall(name)?.nr(arch)?)));
    let places = numbers.filter_map(|(arch, nr)| claim_place(compiled, arch, nr));
    places.min_by_key(|&(rank, _)| rank).map_or_else(|| default_place(compiled), |(_, span)| span)
}

fn place_of_call(compiled: &Compiled, arch: Arch, nr: Nr) -> Span {
    claim_place(compiled, arch, nr).map_or_else(|| default_place(compiled), |(_, span)| span)
}

fn claim_place(compiled: &Compiled, arch: Arch, nr: Nr) -> Option<((bool, bool), Span)> {
    let claims = compiled.resolved.claims.get(&arch)?.get(&nr)?;
    let rank = |claim: &crate::resolve::Claim| {
        let builtin = compiled.graph.get(claim.member.via.file()).is_none_or(|file| file.builtin);
        (builtin, claim.member.set.is_leaf())
    };
    claims.iter().map(|claim| (rank(claim), claim.member.via.pattern)).min_by_key(|&(rank, _)| rank)
}
