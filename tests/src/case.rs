//! Cases: one file each, that reads like the manual.
//!
//! ```text
//! //- args: --kernel 6.1             options as on a command line; may be left out
//! default allow                      main.kpol: what stands before the first `//- name`
//! deny { socket(famly == 1) }
//! //- kpol.toml                      another file
//! [lints]
//! //= check                          an answer: what follows is drawn by the harness
//! deny { socket(famly == 1) }
//!               ^^^^^ E031 `socket` has no parameter `famly`
//!   help: did you mean `family`?
//!   fix: replace `famly` by `family`
//! ```
//!
//! | answer | what it shows |
//! |---|---|
//! | `check` | every finding of `kpolc check` |
//! | `format` | the text as `kpolc fmt` leaves it |
//! | `json` | the product, or why there is none |
//! | `bpf` | the listing of the filter, or why there is none |
//!
//! A case always answers `check`. Beyond what is drawn, each case is held to what is true of all: no place is outside
//! its text, every fix removes the finding that it belongs to and adds no error, and every product is proven for all
//! ABIs of the policy.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use kpol_compiler::bpf::{ByteOrder, Program, list};
use kpol_compiler::diagnostic::{Diagnostic, Severity};
use kpol_compiler::driver::{Checked, Format, Options, Product, build, check};
use kpol_compiler::source::project::{Levels, libseccomp_version, load};
use kpol_compiler::source::{Memory, Sources};
use kpol_compiler::spec::Arch;
use kpol_compiler::tables::capability;

use crate::draw::draw;

/// The file that is checked.
pub const MAIN: &str = "main.kpol";

/// A case as it was written.
#[derive(Debug, Clone)]
pub struct Case {
    args: Vec<String>,
    /// Names and texts.
    pub files: Vec<(String, String)>,
    /// Which answers are drawn, in their order.
    pub answers: Vec<String>,
}

/// Cuts a case into its sources and its answers: the answers begin where this says.
pub fn split(text: &str) -> usize {
    if text.starts_with("//= ") { 0 } else { text.find("\n//= ").map_or(text.len(), |at| at + 1) }
}

impl Case {
    /// Reads a case.
    pub fn parse(text: &str) -> Self {
        let (sources, drawn) = text.split_at(split(text));
        let mut case = Self { args: Vec::new(), files: Vec::new(), answers: Vec::new() };
        let mut name = MAIN.to_owned();
        let mut body = String::new();
        let mut begun = false;
        for line in sources.split_inclusive('\n') {
            if let Some(args) = line.strip_prefix("//- args:") {
                case.args.extend(args.split_whitespace().map(str::to_owned));
            } else if let Some(next) = line.strip_prefix("//- ") {
                if begun {
                    case.files.push((std::mem::replace(&mut name, next.trim().to_owned()), std::mem::take(&mut body)));
                }
                next.trim().clone_into(&mut name);
                begun = true;
            } else {
                begun = true;
                body.push_str(line);
            }
        }
        case.files.push((name, body));
        case.answers =
            drawn.lines().filter_map(|line| line.strip_prefix("//= ")).map(|kind| kind.trim().to_owned()).collect();
        if !case.answers.iter().any(|answer| answer == "check") {
            case.answers.insert(0, "check".to_owned());
        }
        case
    }

    /// All answers as they are now.
    pub fn draw(&self) -> String {
        let mut out = String::new();
        for answer in &self.answers {
            out.push_str(&format!("//= {answer}\n"));
            let drawn = match answer.as_str() {
                "check" => self.check(),
                "format" => self.format(),
                "json" => self.product(Format::Json),
                "bpf" => self.product(Format::Bpf),
                "asm" => self.product(Format::Asm),
                "c" => self.product(Format::C),
                "dot" => self.product(Format::Dot),
                "smt2" => self.product(Format::Smt2),
                other => panic!("there is no answer `{other}`"),
            };
            out.push_str(&drawn);
        }
        out
    }

    fn memory(&self) -> Memory {
        let mut memory = Memory::default();
        for (name, text) in &self.files {
            memory.insert(name, text.as_bytes());
        }
        memory
    }

    fn options(&self) -> Options {
        let mut options = Options::default();
        let mut args = self.args.iter().map(String::as_str);
        while let Some(arg) = args.next() {
            let value = args.next().unwrap_or_else(|| panic!("`{arg}` needs a value"));
            match arg {
                "-I" => options.include_dirs.push(PathBuf::from(value)),
                "--runtime" => {
                    options.runtimes = value.split(',').map(|name| name.replace('_', " ").parse().unwrap()).collect();
                }
                "--libseccomp" => options.libseccomp = Some(libseccomp_version(value).unwrap()),
                "--arch" => options.archs = Some(value.split(',').map(|name| Arch::from_name(name).unwrap()).collect()),
                "--cap" if value == "none" => options.caps = Some(BTreeSet::new()),
                "--cap" => options.caps = Some(value.split(',').map(|name| capability(name).unwrap()).collect()),
                "--call" => options.calls.extend(value.split(',').map(str::to_owned)),
                "--kernel" => options.kernel = Some(value.parse().unwrap()),
                _ => panic!("what is `{arg} {value}`?"),
            }
        }
        options
    }

    /// Options and levels, also of a `kpol.toml`, and what is wrong with that one.
    fn settings(&self) -> (Options, Levels, String) {
        let mut options = self.options();
        if !self.files.iter().any(|(name, _)| name == "kpol.toml") {
            return (options, Levels::default(), String::new());
        }
        let mut sources = Sources::default();
        let (project, mistakes) = load(&self.memory(), Path::new("kpol.toml"), &mut sources);
        project.complete(&mut options);
        let drawn = if mistakes.is_empty() { String::new() } else { draw(&sources, &mistakes) };
        (options, project.lints, drawn)
    }

    fn checked(&self) -> Checked {
        let (options, levels, _) = self.settings();
        let mut checked = check(&self.memory(), Path::new(MAIN), &options, &[Format::Json]);
        levels.apply(&mut checked.diagnostics);
        checked
    }

    fn check(&self) -> String {
        let checked = self.checked();
        for diagnostic in &checked.diagnostics {
            laws(&checked.sources, diagnostic);
            self.fix_mends(&checked, diagnostic);
        }
        let (.., project) = self.settings();
        let policy = draw(&checked.sources, &checked.diagnostics);
        if !project.is_empty() && checked.diagnostics.is_empty() { project } else { project + &policy }
    }

    fn format(&self) -> String {
        let (_, text) = self.files.iter().find(|(name, _)| name == MAIN).unwrap();
        match kpol_grammar::format(text) {
            Some(formatted) => {
                assert_eq!(kpol_grammar::format(&formatted).as_ref(), Some(&formatted), "formatting again changes it");
                if formatted == *text { "unchanged\n".to_owned() } else { formatted }
            }
            None => "none: it has errors\n".to_owned(),
        }
    }

    fn product(&self, format: Format) -> String {
        let (options, levels, _) = self.settings();
        let (mut checked, products) = build(&self.memory(), Path::new(MAIN), &options, &[format]);
        levels.apply(&mut checked.diagnostics);
        checked.diagnostics.iter().for_each(|diagnostic| laws(&checked.sources, diagnostic));
        checked.diagnostics.retain(|diagnostic| diagnostic.severity == Severity::Error);
        let [product] = products.as_slice() else { return draw(&checked.sources, &checked.diagnostics) };
        proven(&checked, product);
        match format {
            Format::Json | Format::Asm | Format::C | Format::Dot | Format::Smt2 => {
                String::from_utf8(product.bytes.clone()).unwrap()
            }
            Format::Bpf => list(&Program::from_bytes(&product.bytes, ByteOrder::Little).unwrap()),
        }
    }

    /// The fix of a finding takes it away and brings no error.
    fn fix_mends(&self, checked: &Checked, diagnostic: &Diagnostic) {
        let Some(fix) = &diagnostic.fix else { return };
        let mut fixed = self.clone();
        let mut edits: Vec<_> = fix.edits.iter().collect();
        edits.sort_by_key(|edit| std::cmp::Reverse(edit.span));
        for edit in edits {
            let name = &checked.sources.get(edit.span.file).name;
            let (_, text) =
                fixed.files.iter_mut().find(|(known, _)| known == name).expect("a fix edits the user's files");
            text.replace_range(edit.span.bytes.range(), &edit.text);
        }
        let after = fixed.checked();
        let count = |found: &[Diagnostic]| {
            found.iter().filter(|one| one.code == diagnostic.code && one.message == diagnostic.message).count()
        };
        let errors =
            |checked: &Checked| checked.diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
        let drawn = || draw(&after.sources, &after.diagnostics);
        assert!(
            count(&after.diagnostics) < count(&checked.diagnostics),
            "the fix `{}` leaves {} `{}` as it was:\n{:#?}\n{}",
            fix.title,
            diagnostic.code.as_str(),
            diagnostic.message,
            fixed.files,
            drawn(),
        );
        // While one mistake stands others may not be looked for: a fix of the last one may bring those to light.
        let last = errors(checked) == 1;
        assert!(last || errors(&after) <= errors(checked), "the fix `{}` breaks something:\n{}", fix.title, drawn());
    }
}

/// What holds for every finding.
///
/// # Panics
/// Where it does not.
pub fn laws(sources: &Sources, diagnostic: &Diagnostic) {
    let said = format!("{} {}", diagnostic.code.as_str(), diagnostic.message);
    assert!(!diagnostic.message.trim().is_empty() && !diagnostic.message.contains('\n'), "{said:?}");
    assert!(!diagnostic.message.ends_with('.'), "no full stop: {said}");
    let edits = diagnostic.fix.iter().flat_map(|fix| &fix.edits).map(|edit| edit.span);
    let places = diagnostic.primary.iter().chain(&diagnostic.related).map(|label| label.span).chain(edits);
    for span in places {
        let text = &sources.get(span.file).text;
        assert!(text.get(span.bytes.range()).is_some(), "a place outside of its text: {said} {span:?}");
    }
}

/// A product is proven for every ABI of its policy.
///
/// # Panics
/// Where it is not.
pub fn proven(checked: &Checked, product: &Product) {
    let policy = &checked.compiled.as_ref().expect("a product has a policy").policy;
    if matches!(product.format, Format::Dot | Format::Smt2) {
        assert_eq!(product.proven, [], "nothing reads it back");
        return;
    }
    let proven: BTreeSet<Arch> = product.proven.iter().copied().collect();
    assert!(policy.archs.iter().all(|arch| proven.contains(arch)), "{:?}: {proven:?}", policy.archs);
}
