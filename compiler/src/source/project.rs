//! `kpol.toml`: what holds for all policies of a project, read alike by every tool.
//!
//! ```text
//! include = ["policies", "/usr/share/kpol"]   # for include "…", relative to this file
//!
//! [target]
//! runtime = ["crun 1.8", "runc 1.1"]          # who loads the JSON; a text or a list
//! libseccomp = "2.5.4"                        # what the container runtime links
//! kernel = "6.1"
//! capabilities = []                           # absent: kept open; []: none is held
//!
//! [waive]
//! allowed = ["no chroot"]                     # assertions that profiles may waive; absent: all, []: none
//!
//! [build]
//! emit = ["json", "bpf"]                      # what is made, and so what is checked; a text or a list
//!
//! [lints]
//! W012 = "allow"                              # or by name: dead-rule = "deny"
//! ```
//!
//! The file is found upward from a policy. Everything in it is checked, and every mistake has its place:
//! a key that is not known is an error, since a misspelt one would silently do nothing. What could be read
//! holds, whatever else is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kpol_grammar::ast;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{LoadError, Loader, SourceFile, Sources};
use crate::diagnostic::{Code, Diagnostic, FileId, Severity, Span, render::clean_word};
use crate::driver::{Format, Options};
use crate::oci::runtime::Runtime;
use crate::policy::Waivable;
use crate::spec::KernelVersion;
use crate::tables;

/// The name that is looked for.
pub const NAME: &str = "kpol.toml";

/// A project file of a thousand lines has a tenth of this.
const LIMIT: u64 = 1 << 20;

const TOP: &[&str] = &["include", "target", "waive", "build", "lints"];
const TARGET: &[&str] = &["runtime", "libseccomp", "kernel", "capabilities"];
const WAIVE: &[&str] = &["allowed"];
const BUILD: &[&str] = &["emit"];

/// What a lint can be set to.
pub const LEVELS: &[&str] = &["allow", "warn", "deny"];

/// The keys of a table, `""` being the file itself, each with what it says. Those of `lints` are the warnings, and `all`.
pub fn keys(table: &str) -> Vec<(String, &'static str)> {
    let about = |&key: &&'static str| (key.to_owned(), about(key));
    match table {
        "" => TOP.iter().map(about).collect(),
        "target" => TARGET.iter().map(about).collect(),
        "waive" => WAIVE.iter().map(about).collect(),
        "build" => BUILD.iter().map(about).collect(),
        "lints" => {
            let warnings = Code::ALL.iter().filter(|code| code.severity() == Severity::Warning);
            let all = ("all".to_owned(), "every warning that has no level of its own");
            std::iter::once(all).chain(warnings.map(|&code| (lint_name(code), code.as_str()))).collect()
        }
        _ => Vec::new(),
    }
}

fn about(key: &str) -> &'static str {
    match key {
        "include" => "folders for `include \"…\"`, relative to this file",
        "target" => "what the policies are for",
        "waive" => "what profiles may waive of the assertions that they include",
        "allowed" => "titles of the assertions that may be waived; absent: all, empty: none",
        "build" => "what is made",
        "emit" => "the products: what `build` makes and `check` looks at",
        "lints" => "levels of warnings",
        "runtime" => "who loads the JSON, `crun 1.8` or a list: the proof is made for each",
        "libseccomp" => "the release that the container runtime is linked with",
        "kernel" => "decides `when kernel`",
        _ => "exactly these are held: decides `when cap`",
    }
}

/// What a project file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectFile {
    /// `include`, made relative to where the file is.
    pub include_dirs: Vec<PathBuf>,
    /// `target.runtime`
    pub runtimes: Vec<Runtime>,
    /// `target.libseccomp`
    pub libseccomp: Option<(u8, u8, u8)>,
    /// `target.kernel`
    pub kernel: Option<KernelVersion>,
    /// `target.capabilities`, by number.
    pub caps: Option<BTreeSet<u8>>,
    /// `waive.allowed`
    pub waivable: Waivable,
    /// `build.emit`, each once; empty if nothing is said.
    pub emit: Vec<Format>,
    /// `lints`
    pub lints: Levels,
}

impl ProjectFile {
    /// Fills in what `options` leaves open: the command line comes first.
    pub fn complete(&self, options: &mut Options) {
        options.include_dirs.extend(self.include_dirs.iter().cloned());
        options.libseccomp = options.libseccomp.or(self.libseccomp);
        if options.runtimes.is_empty() {
            options.runtimes.clone_from(&self.runtimes);
        }
        options.kernel = options.kernel.or(self.kernel);
        if options.caps.is_none() {
            options.caps.clone_from(&self.caps);
        }
        if options.waivable == Waivable::Any {
            options.waivable.clone_from(&self.waivable);
        }
    }
}

/// What becomes of a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// It is not shown.
    Allow,
    /// It is shown.
    Warn,
    /// It is an error.
    Deny,
}

impl Level {
    /// The level of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "allow" => Some(Self::Allow),
            "warn" => Some(Self::Warn),
            "deny" => Some(Self::Deny),
            _ => None,
        }
    }
}

/// The level of each warning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Levels {
    all: Option<Level>,
    one: BTreeMap<Code, Level>,
}

impl Levels {
    /// For all warnings that have no level of their own.
    pub fn set_all(&mut self, level: Level) {
        self.all = Some(level);
    }

    /// For one.
    pub fn set(&mut self, code: Code, level: Level) {
        self.one.insert(code, level);
    }

    /// The level of a warning.
    pub fn get(&self, code: Code) -> Level {
        self.one.get(&code).copied().or(self.all).unwrap_or(Level::Warn)
    }

    /// These levels where they say something, and `below` where they do not.
    #[must_use]
    pub fn over(mut self, below: &Self) -> Self {
        if self.all.is_none() {
            self.all = below.all;
            for (&code, &level) in &below.one {
                self.one.entry(code).or_insert(level);
            }
        }
        self
    }

    /// Drops what is allowed, and makes errors of what is denied. Errors stay.
    pub fn apply(&self, diagnostics: &mut Vec<Diagnostic>) {
        diagnostics.retain_mut(|diagnostic| {
            if diagnostic.severity == Severity::Error {
                return true;
            }
            let level = self.get(diagnostic.code);
            if level == Level::Deny {
                diagnostic.severity = Severity::Error;
            }
            level != Level::Allow
        });
    }
}

/// The name of a code: its title in one word, `dead-rule`.
pub fn lint_name(code: Code) -> String {
    let words = code.title().split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

/// The warning of that code or name.
pub fn lint(word: &str) -> Option<Code> {
    // `dead rule` is `dead-rule`, as its page has it.
    let name = word.to_ascii_lowercase().split_whitespace().collect::<Vec<_>>().join("-");
    let mut warnings = Code::ALL.iter().copied().filter(|code| code.severity() == Severity::Warning);
    warnings.find(|&code| code.as_str().eq_ignore_ascii_case(word) || lint_name(code) == name)
}

/// The code that a word without all its digits means, or that is written in a few words.
pub fn near_code(word: &str) -> Option<Code> {
    let name = word.to_ascii_lowercase().split_whitespace().collect::<Vec<_>>().join("-");
    let padded = word.get(1..).and_then(|digits| digits.parse::<u16>().ok()).map(|number| {
        let letter = word.chars().next().map_or('E', |letter| letter.to_ascii_uppercase());
        format!("{letter}{number:03}")
    });
    let code = padded.and_then(|padded| Code::from_name(&padded));
    code.or_else(|| Code::ALL.iter().copied().find(|&code| lint_name(code) == name))
        .or_else(|| Code::from_name(near(word, Code::ALL.iter().map(|code| code.as_str()))?))
}

/// The nearest of `known`, for a word that is none of them.
pub fn near<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&word, &name.to_ascii_lowercase()), name))
        .filter(|(distance, name)| *distance <= name.len().max(word.len()) / 3)
        .min()
        .map(|(_, name)| name)
}

/// The numbers of a libseccomp release, `2.5.4`.
pub fn libseccomp_version(text: &str) -> Option<(u8, u8, u8)> {
    let mut numbers = text.split('.').map(|digits| {
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<u8>().ok().filter(|_| plain)
    });
    let version = (numbers.next()??, numbers.next()??, numbers.next()??);
    numbers.next().is_none().then_some(version)
}

/// The same, if it is one of the releases that the tables know: of a later one nobody can say what it takes.
///
/// # Errors
/// What is wrong with it, and what to write instead.
pub fn known_libseccomp(text: &str) -> Result<(u8, u8, u8), String> {
    let version = libseccomp_version(text).ok_or("a release has three numbers, such as 2.5.4")?;
    let (oldest, newest) = ((2, 0, 0), tables::latest_libseccomp());
    if version < oldest || version > newest {
        let words = |(major, minor, patch)| format!("{major}.{minor}.{patch}");
        return Err(format!(
            "libseccomp {text} is not known, {} to {} are; name the nearest of them",
            words(oldest),
            words(newest)
        ));
    }
    Ok(version)
}

/// The project file of a policy (or of a folder): the first upward from where it is.
pub fn find(loader: &dyn Loader, start: &Path) -> Option<PathBuf> {
    let folder = match start.parent() {
        _ if loader.read(start, 0).is_err_and(|error| matches!(error, LoadError::NotAFile("a directory"))) => start,
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let folder = loader.canonical(folder).unwrap_or_else(|_| folder.to_owned());
    // Whatever is there under that name is taken, so that one that cannot be read is an error and not a silence.
    folder.ancestors().map(|folder| folder.join(NAME)).find(|path| {
        !matches!(loader.canonical(path), Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory))
    })
}

/// Reads a project file. Its text is added to `sources`, where the diagnostics have their places.
pub fn load(loader: &dyn Loader, path: &Path, sources: &mut Sources) -> (ProjectFile, Vec<Diagnostic>) {
    let unreadable = |why: String| {
        let name = path.display();
        (ProjectFile::default(), vec![Diagnostic::without_place(Code::E061, format!("cannot read `{name}`: {why}"))])
    };
    let bytes = match loader.read(path, LIMIT) {
        Ok(bytes) => bytes,
        Err(LoadError::Io(error)) => return unreadable(error.to_string()),
        Err(LoadError::NotAFile(word)) => return unreadable(format!("it is {word}")),
        Err(LoadError::TooLarge(_)) => return unreadable(format!("it is larger than {LIMIT} bytes")),
    };
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let offset = error.utf8_error().valid_up_to();
            return unreadable(format!("it is not UTF-8 from byte {offset} on"));
        }
    };
    let text: Arc<str> = text.into();
    let file =
        sources.add(SourceFile { name: path.display().to_string(), path: path.to_owned(), text: Arc::clone(&text) });
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let mut reader = Reader { file, folder, out: ProjectFile::default(), diagnostics: Vec::new() };
    reader.text(&text);
    (reader.out, reader.diagnostics)
}

struct Reader {
    file: FileId,
    folder: PathBuf,
    out: ProjectFile,
    diagnostics: Vec<Diagnostic>,
}

type Value<'i> = Spanned<DeValue<'i>>;

impl Reader {
    fn text(&mut self, text: &str) {
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let span = self.span(error.span().unwrap_or(0..0));
            self.diagnostics.push(Diagnostic::new(Code::E061, span, one_line(error.message())));
        }
        self.table(table.get_ref(), "", TOP, |reader, key, value| match key {
            "include" => reader.include(value),
            "target" => reader.target(value),
            "waive" => reader.waive(value),
            "build" => reader.build(value),
            _ => reader.lints(value),
        });
        self.diagnostics.sort_by_key(|diagnostic| diagnostic.primary.as_ref().map(|label| label.span));
    }

    fn span(&self, bytes: Range<usize>) -> Span {
        Span { file: self.file, bytes: ast::Span::new(bytes.start, bytes.end) }
    }

    fn bad(&mut self, at: &Value<'_>, message: String) -> &mut Diagnostic {
        let span = self.span(at.span());
        self.diagnostics.push(Diagnostic::new(Code::E061, span, message));
        let last = self.diagnostics.len() - 1;
        &mut self.diagnostics[last]
    }

    fn wanted(&mut self, at: &Value<'_>, what: &str, wanted: &str) {
        let kind = at.get_ref().type_str();
        let article = if kind.starts_with(['a', 'i']) { "an" } else { "a" };
        self.bad(at, format!("{what} is {wanted}, not {article} {kind}"));
    }

    /// Hands on every known key; the others are errors.
    fn table<'i>(
        &mut self,
        table: &DeTable<'i>,
        section: &str,
        known: &[&'static str],
        mut read: impl FnMut(&mut Self, &str, &Value<'i>),
    ) {
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if known.contains(&name) {
                read(self, name, value);
                continue;
            }
            let span = self.span(key.span());
            let place = if section.is_empty() { String::new() } else { format!(" in [{section}]") };
            let mut diagnostic = Diagnostic::new(Code::E060, span, format!("unknown key `{name}`{place}"));
            if let Some(near) = near(name, known.iter().copied()) {
                diagnostic = diagnostic.help(format!("did you mean `{near}`?")).fix(
                    format!("replace `{name}` by `{near}`"),
                    span,
                    near,
                );
            } else if section.is_empty() && BUILD.contains(&name) {
                diagnostic = diagnostic.help(format!("`{name}` belongs in [build]"));
            } else if section.is_empty() && TARGET.contains(&name) {
                diagnostic = diagnostic.help(format!("`{name}` belongs in [target]"));
            } else if matches!(name, "arch" | "archs" | "architectures") {
                diagnostic = diagnostic.help("a policy lists its architectures itself: `arch x86_64, aarch64`");
            } else {
                diagnostic = diagnostic.help(format!("known here: {}", known.join(", ")));
            }
            self.diagnostics.push(diagnostic);
        }
    }

    /// Hands on every string of an array.
    fn strings(&mut self, at: &Value<'_>, what: &str, mut read: impl FnMut(&mut Self, &Value<'_>, &str)) {
        let Some(array) = at.get_ref().as_array() else {
            let span = self.span(at.span());
            self.wanted(at, what, "an array of strings");
            if let (Some(text), Some(last)) = (at.get_ref().as_str(), self.diagnostics.last_mut()) {
                let quoted = quoted(text);
                *last = last.clone().help(format!("write `[{quoted}]`")).fix(
                    "put it into brackets",
                    span,
                    format!("[{quoted}]"),
                );
            }
            return;
        };
        for item in array.iter() {
            match item.get_ref().as_str() {
                Some(text) => read(self, item, text),
                None => self.wanted(item, &format!("an element of {what}"), "a string"),
            }
        }
    }

    fn include(&mut self, value: &Value<'_>) {
        self.strings(value, "`include`", |reader, item, text| {
            if text.is_empty() {
                reader.bad(item, "an include folder has no name".to_owned());
            } else {
                // Stays as written where it is absolute.
                let folder = reader.folder.join(text);
                reader.out.include_dirs.push(folder);
            }
        });
    }

    fn target(&mut self, value: &Value<'_>) {
        let Some(table) = value.get_ref().as_table() else {
            return self.wanted(value, "`target`", "a table");
        };
        self.table(table, "target", TARGET, |reader, key, value| match key {
            "runtime" => reader.runtimes(value),
            "libseccomp" => {
                reader.out.libseccomp = reader.version(value, "libseccomp", "2.5.4", libseccomp_version);
                if let Some(text) = value.get_ref().as_str().filter(|_| reader.out.libseccomp.is_some())
                    && let Err(why) = known_libseccomp(text)
                {
                    let (message, help) = why.split_once("; ").unwrap_or((&why, "write it as \"2.5.4\""));
                    let diagnostic = reader.bad(value, message.to_owned());
                    diagnostic.help = Some(help.to_owned());
                }
            }
            "kernel" => reader.out.kernel = reader.version(value, "kernel", "6.1", KernelVersion::of_release),
            _ => reader.capabilities(value),
        });
    }

    /// A text, or a list of them.
    fn runtimes(&mut self, value: &Value<'_>) {
        let read = |reader: &mut Self, at: &Value<'_>, text: &str| match text.parse() {
            Ok(runtime) => reader.out.runtimes.push(runtime),
            Err(why) => {
                let (message, help) = why.split_once("; ").unwrap_or((&why, "write it as \"crun 1.8\""));
                let diagnostic = reader.bad(at, message.to_owned());
                diagnostic.help = Some(help.to_owned());
            }
        };
        match value.get_ref() {
            DeValue::String(text) => read(self, value, text),
            DeValue::Array(array) => {
                for item in array.iter() {
                    match item.get_ref().as_str() {
                        Some(text) => read(self, item, text),
                        None => self.wanted(item, "an element of `runtime`", "a string"),
                    }
                }
            }
            _ => self.wanted(value, "`runtime`", "a string such as \"crun 1.8\", or an array of them"),
        }
    }

    fn version<T>(
        &mut self,
        value: &Value<'_>,
        key: &str,
        example: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = match value.get_ref() {
            DeValue::String(text) => text.as_ref(),
            // To TOML 6.10 is the number 6.1.
            DeValue::Float(number) => {
                let (span, text) = (self.span(value.span()), number.as_str().to_owned());
                let diagnostic = self.bad(value, format!("`{key}` is a string, and `{text}` a number"));
                *diagnostic =
                    diagnostic.clone().help("put it into quotes").safe_fix("put it into quotes", span, quoted(&text));
                return None;
            }
            _ => {
                self.wanted(value, &format!("`{key}`"), &format!("a string such as \"{example}\""));
                return None;
            }
        };
        let version = parse(text);
        if version.is_none() {
            let diagnostic = self.bad(value, format!("`{text}` is no {key} version"));
            diagnostic.help = Some(format!("write it as \"{example}\""));
        }
        version
    }

    fn waive(&mut self, value: &Value<'_>) {
        let Some(table) = value.get_ref().as_table() else {
            return self.wanted(value, "`waive`", "a table");
        };
        self.table(table, "waive", WAIVE, |reader, _, value| {
            // Even a list that is full of mistakes is a bound.
            reader.out.waivable = Waivable::Titles(Vec::new());
            reader.strings(value, "`allowed`", |reader, _, title| {
                if let Waivable::Titles(titles) = &mut reader.out.waivable {
                    titles.push(title.to_owned());
                }
            });
        });
    }

    fn capabilities(&mut self, value: &Value<'_>) {
        // None is open and empty is none at all: even a list full of mistakes is not open.
        if value.get_ref().is_array() {
            self.out.caps = Some(BTreeSet::new());
        }
        self.strings(value, "`capabilities`", |reader, item, text| match tables::capability(text) {
            Some(number) => {
                reader.out.caps.get_or_insert_default().insert(number);
            }
            None => {
                let span = reader.span(item.span());
                let near = nearest_capability(text);
                let diagnostic = reader.bad(item, format!("unknown capability `{text}`"));
                if let Some(near) = near {
                    *diagnostic = diagnostic.clone().help(format!("did you mean `{near}`?")).fix(
                        format!("replace `{text}` by `{near}`"),
                        span,
                        quoted(near),
                    );
                }
            }
        });
    }

    fn build(&mut self, value: &Value<'_>) {
        let Some(table) = value.get_ref().as_table() else {
            return self.wanted(value, "`build`", "a table");
        };
        self.table(table, "build", BUILD, |reader, _, value| match value.get_ref().as_str() {
            Some(text) => reader.product(value, text),
            None if value.get_ref().is_array() => reader.strings(value, "`emit`", Self::product),
            None => reader.wanted(value, "`emit`", "a string or an array of strings"),
        });
        self.out.emit.sort_unstable();
        self.out.emit.dedup();
    }

    fn product(&mut self, at: &Value<'_>, text: &str) {
        let names = || Format::ALL.map(Format::name);
        if let Some(format) = Format::ALL.into_iter().find(|format| format.name() == text) {
            self.out.emit.push(format);
            return;
        }
        let span = self.span(at.span());
        // A file extension and other words for the same.
        let meant = match text {
            "h" => Some("c"),
            "raw" | "cbpf" => Some("bpf"),
            "oci" => Some("json"),
            _ => near(text, names()),
        };
        let diagnostic = self.bad(at, format!("no product `{}`", clean_word(text)));
        *diagnostic = diagnostic.clone().help(format!("products are {}", names().join(", ")));
        if let Some(meant) = meant {
            *diagnostic = diagnostic.clone().fix(format!("replace by `{meant}`"), span, quoted(meant));
        }
    }

    fn lints(&mut self, value: &Value<'_>) {
        let Some(table) = value.get_ref().as_table() else {
            return self.wanted(value, "`lints`", "a table");
        };
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let level = self.level(value);
            if name == "all" {
                if let Some(level) = level {
                    self.out.lints.set_all(level);
                }
            } else if let Some(code) = lint(name) {
                if let Some(level) = level {
                    self.out.lints.set(code, level);
                }
            } else {
                let span = self.span(key.span());
                let mut diagnostic = Diagnostic::new(Code::E060, span, format!("unknown warning `{name}`"));
                let names: Vec<String> = Code::ALL
                    .iter()
                    .filter(|code| code.severity() == Severity::Warning)
                    .map(|&code| lint_name(code))
                    .collect();
                if Code::from_name(name).is_some() {
                    diagnostic = Diagnostic::new(Code::E061, span, format!("`{name}` is an error, and has no level"))
                        .help("only warnings (W…) can be allowed or denied");
                } else if let Some(near) = near(name, names.iter().map(String::as_str)) {
                    diagnostic = diagnostic.help(format!("did you mean `{near}`?")).fix(
                        format!("replace `{name}` by `{near}`"),
                        span,
                        near,
                    );
                } else {
                    diagnostic = diagnostic.help("`kpolc explain` lists all codes");
                }
                self.diagnostics.push(diagnostic);
            }
        }
    }

    fn level(&mut self, value: &Value<'_>) -> Option<Level> {
        let Some(word) = value.get_ref().as_str() else {
            self.wanted(value, "a level", "\"allow\", \"warn\" or \"deny\"");
            return None;
        };
        let level = Level::from_word(word);
        if level.is_none() {
            let span = self.span(value.span());
            let diagnostic = self.bad(value, format!("`{word}` is no level"));
            // What other linters call them.
            let meant = near(word, LEVELS.iter().copied()).or(match word {
                "off" | "ignore" | "none" | "hint" => Some("allow"),
                "warning" | "on" => Some("warn"),
                "error" | "forbid" => Some("deny"),
                _ => None,
            });
            *diagnostic = diagnostic.clone().help("a level is \"allow\", \"warn\" or \"deny\"");
            if let Some(meant) = meant {
                *diagnostic = diagnostic.clone().fix(format!("replace `{word}` by `{meant}`"), span, quoted(meant));
            }
        }
        level
    }
}

/// The nearest name, `CAP_` forgotten included.
pub fn nearest_capability(text: &str) -> Option<&'static str> {
    let whole = format!("CAP_{}", text.to_ascii_uppercase());
    let names = || (0..=u8::MAX).filter_map(tables::capability_name);
    names().find(|name| *name == whole).or_else(|| near(text, names()))
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn one_line(message: &str) -> String {
    message.lines().map(str::trim).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[path = "project/tests.rs"]
mod tests;
