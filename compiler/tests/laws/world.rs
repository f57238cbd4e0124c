//! A policy in memory, compiled by one road and explained by the other.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use kpol_compiler::diagnostic::{Code, Diagnostic, Severity};
use kpol_compiler::diagram::{Function, Leaf, Store};
use kpol_compiler::driver::{self, Checked, Options, Product};
use kpol_compiler::library;
use kpol_compiler::source::Memory;
use kpol_compiler::spec::rule::{Policy, Verdict};
use kpol_compiler::spec::{Action, Call, Environment};
use kpol_grammar::ast;

use super::program::Program;

/// Name of the file that is compiled.
pub const ROOT: &str = "root.kpol";

/// Files by name.
#[derive(Debug, Clone, Default)]
pub struct World(pub BTreeMap<String, String>);

impl From<&Program> for World {
    fn from(program: &Program) -> Self {
        Self(program.files.iter().map(|(name, text)| (name.clone(), text.plain())).collect())
    }
}

impl From<&str> for World {
    fn from(root: &str) -> Self {
        Self(BTreeMap::from([(ROOT.to_owned(), root.to_owned())]))
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, text) in &self.0 {
            let text = kpol_grammar::format(text).unwrap_or_else(|| text.clone());
            writeln!(f, "--- {name}\n{text}")?;
        }
        Ok(())
    }
}

pub fn path(name: &str) -> PathBuf {
    Path::new("/p").join(name)
}

impl World {
    pub fn memory(&self) -> Memory {
        let mut memory = Memory::default();
        for (name, text) in &self.0 {
            memory.insert(path(name), text.as_str());
        }
        memory
    }

    pub fn check(&self, options: &Options) -> Checked {
        driver::check(&self.memory(), &path(ROOT), options, &[])
    }

    pub fn build(&self, options: &Options, format: driver::Format) -> (Checked, Vec<Product>) {
        driver::build(&self.memory(), &path(ROOT), options, &[format])
    }

    pub fn oracle(&self) -> Oracle {
        Oracle(self.0.iter().map(|(name, text)| (name.clone(), tree(text))).collect())
    }
}

fn tree(text: &str) -> ast::File {
    let (tree, errors) = kpol_grammar::parse(text);
    assert!(errors.is_empty(), "{errors:?}\n{text}");
    tree
}

/// The trees that the plain evaluator walks.
pub struct Oracle(BTreeMap<String, ast::File>);

impl Oracle {
    /// The policy with that root, and the built-in groups if anybody names one.
    pub fn policy(&self, root: &str) -> Policy<'_> {
        static BUILTIN: OnceLock<Vec<ast::File>> = OnceLock::new();
        let builtin = BUILTIN.get_or_init(|| {
            library::files().iter().filter(|file| file.is_groups()).map(|file| tree(file.text)).collect()
        });
        Policy::new(root, &self.0, builtin).unwrap_or_else(|why| panic!("{why}"))
    }
}

/// What the compiled function says.
pub fn compiled(store: &Store, function: &Function, call: &Call, environment: &Environment) -> Action {
    match store.at(function.at(call.arch, call.nr), environment, &call.args) {
        Leaf::Act(action) => action,
        leaf => panic!("{leaf:?} is no answer to {}", show(call, environment)),
    }
}

/// What the plain evaluator says.
pub fn said(policy: &Policy<'_>, call: &Call, environment: &Environment) -> Verdict {
    policy
        .verdict(call, environment)
        .unwrap_or_else(|why| panic!("the oracle does not know: {why}, of {}", show(call, environment)))
}

/// A call as a reader wants it.
pub fn show(call: &Call, environment: &Environment) -> String {
    let name = kpol_compiler::tables::syscall_at(call.arch, call.nr)
        .map_or_else(|| format!("number {}", call.nr.0), |known| known.name().to_owned());
    let args: Vec<String> = call.args.iter().map(|arg| format!("{arg:#x}")).collect();
    let (caps, kernel) = (&environment.caps, environment.kernel);
    format!("{name}({}) on {}, capabilities {caps:?}, kernel {kernel}", args.join(", "), call.arch)
}

/// Errors, but for E081: random conditions and random multiplexers often pass by each other, and `meaning.rs` has a law of that.
pub fn errors(checked: &Checked) -> Vec<&Diagnostic> {
    let errors = checked.diagnostics.iter().filter(|found| found.severity == Severity::Error);
    errors.filter(|found| found.code != Code::E081).collect()
}
