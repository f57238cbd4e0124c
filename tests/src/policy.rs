//! Policies through the whole compiler, as `kpolc build` does it, with what they mean at hand.
//!
//! ```text
//! example("hardened", &Options::default(), &[Json])  →  Built { json, bpf, compiled, codes }
//! built.action(&socket_af_alg)                       →  Errno(97)
//! ```

use std::path::{Path, PathBuf};

use kpol_compiler::diagnostic::{Code, Severity};
use kpol_compiler::driver::{self, Compiled, Format, Options};
use kpol_compiler::source::{Loader, disk::Disk, memory::Memory};
use kpol_compiler::spec::{Action, Arch, Call, Environment, KernelVersion, Nr};
use kpol_compiler::tables;

use crate::cbpf::{Filter, edges};

/// The examples that a container can start under; `kios-example` is the one more.
pub const EXAMPLES: [&str; 6] = ["audit", "batch-job", "docker-default", "go-service", "hardened", "web-server"];

/// The kernel that builds are for where a policy asks.
pub const KERNEL: KernelVersion = KernelVersion { major: 6, minor: 1 };

/// A policy and its products.
#[derive(Debug)]
pub struct Built {
    /// The profile, if it was asked for.
    pub json: Option<String>,
    /// The filter, if it was asked for.
    pub bpf: Option<Filter>,
    /// What the policy means.
    pub compiled: Compiled,
    /// What was found that is not an error.
    pub codes: Vec<Code>,
}

impl Built {
    /// The profile.
    ///
    /// # Panics
    /// When none was asked for.
    pub fn json(&self) -> &str {
        self.json.as_deref().expect("built with Format::Json")
    }

    /// The filter.
    ///
    /// # Panics
    /// When none was asked for.
    pub fn bpf(&self) -> &Filter {
        self.bpf.as_ref().expect("built with Format::Bpf")
    }

    /// What the policy says of a call, where capabilities and kernel are settled.
    pub fn action(&self, call: &Call) -> Action {
        let node = self.compiled.policy.function.at(call.arch, call.nr);
        let leaf = self.compiled.store.at(node, &Environment::default(), &call.args);
        kpol_compiler::diagram::Node::leaf(leaf).as_action().expect("a policy has an action for every call")
    }
}

/// The path of an example.
pub fn example_path(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples")).join(name).with_extension("kpol")
}

/// Builds a policy of several files, the first one, as [`example`] does for a container without capabilities.
///
/// # Panics
/// When it has errors.
pub fn files(files: &[(&str, &str)]) -> Built {
    let mut memory = Memory::default();
    files.iter().for_each(|(path, text)| memory.insert(path, *text));
    let options = Options { caps: Some(capabilities(&[])), kernel: Some(KERNEL), ..Options::default() };
    build(&memory, Path::new(files[0].0), &options, &[Format::Json]).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

/// Builds an example for [`KERNEL`] and a container with the capabilities `caps`; `None` leaves them open.
///
/// # Panics
/// When it has errors: the examples must build.
pub fn example(name: &str, caps: Option<&[&str]>, formats: &[Format]) -> Built {
    let options = Options { caps: caps.map(capabilities), kernel: Some(KERNEL), ..Options::default() };
    build(&Disk, &example_path(name), &options, formats).unwrap_or_else(|errors| panic!("{name}: {errors:#?}"))
}

/// Builds a policy that stands in a test, with nothing held and for [`KERNEL`]; `Err` has what is wrong.
pub fn text(policy: &str, formats: &[Format]) -> Result<Built, Vec<(Code, String)>> {
    let options = Options { caps: Some(capabilities(&[])), kernel: Some(KERNEL), ..Options::default() };
    with_options(policy, &options, formats)
}

/// The same, with options.
pub fn with_options(policy: &str, options: &Options, formats: &[Format]) -> Result<Built, Vec<(Code, String)>> {
    build(&Memory::from([("/policy.kpol", policy)]), Path::new("/policy.kpol"), options, formats)
}

fn build(
    loader: &dyn Loader,
    path: &Path,
    options: &Options,
    formats: &[Format],
) -> Result<Built, Vec<(Code, String)>> {
    let (checked, products) = driver::build(loader, path, options, formats);
    let errors = checked.diagnostics.iter().filter(|found| found.severity == Severity::Error);
    let errors: Vec<_> = errors.map(|found| (found.code, found.message.clone())).collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut built = Built {
        json: None,
        bpf: None,
        compiled: checked.compiled.expect("without errors there is a meaning"),
        codes: checked.diagnostics.iter().map(|found| found.code).collect(),
    };
    for product in products {
        match product.format {
            Format::Json => built.json = Some(String::from_utf8(product.bytes).expect("JSON is text")),
            Format::Bpf => built.bpf = Some(Filter::from_bytes(&product.bytes).expect("an array of instructions")),
            // Texts of the same program.
            Format::Asm | Format::C | Format::Dot | Format::Smt2 => {}
        }
    }
    Ok(built)
}

/// Numbers of capabilities.
///
/// # Panics
/// When there is none of that name.
pub fn capabilities(names: &[&str]) -> std::collections::BTreeSet<u8> {
    names.iter().map(|name| tables::capability(name).expect("a capability")).collect()
}

/// A call by name; `None` where the ABI has none of that name.
pub fn call(arch: Arch, name: &str, args: &[u64]) -> Option<Call> {
    let nr = tables::syscall(name)?.nr(arch)?;
    let mut all = [0; 6];
    all[..args.len()].copy_from_slice(args);
    Some(Call { arch, nr, args: all })
}

/// Every number of the tables and some beside them, and for each that a filter looks at the arguments of, arguments
/// around all constants of the filters and `random` more.
pub fn samples(built: &Built, filters: &[&Filter], arch: Arch, random: &mut impl FnMut() -> u64) -> Vec<Call> {
    let values = edges(filters);
    let mut numbers = crate::cbpf::numbers(filters, arch);
    numbers.extend(tables::Syscall::all_of(arch).filter_map(|call| call.nr(arch)).map(|nr| nr.0));
    numbers.sort_unstable();
    numbers.dedup();
    numbers.retain(|&nr| arch.owns(Nr(nr)));
    let mut calls = Vec::new();
    for nr in numbers.into_iter().map(Nr) {
        let simple = built.compiled.policy.function.at(arch, nr).is_leaf();
        let rounds = if simple { 4 } else { values.len() + 60 };
        for _ in 0..rounds {
            let args = std::array::from_fn(|_| match random() % 8 {
                0 => random(),
                1 => random() & 0xffff_ffff,
                _ => values[random() as usize % values.len()],
            });
            calls.push(Call { arch, nr, args });
        }
        if !simple {
            for arg in 0..6 {
                for &value in &values {
                    let mut args = [0; 6];
                    args[arg] = value;
                    calls.push(Call { arch, nr, args });
                }
            }
        }
    }
    calls
}

/// Numbers that look random and are the same in every run (xorshift64*, Vigna 2016).
pub fn random(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed | 1;
    move || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d).rotate_left(32)
    }
}
