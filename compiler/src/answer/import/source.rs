//! What is imported: a filter of any form, as a function and what goes with it.

use std::collections::BTreeSet;

use super::ImportError;
use super::json;
use crate::answer::constant;
use crate::bpf;
use crate::diagram::{Function, Node, Store, Table};
use crate::oci::runtime::{Dialect, Release, Runtime};
use crate::policy::{Flag, Listener};
use crate::spec::arch::X32_BIT;
use crate::spec::{Action, Arch};

/// What the user settles.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Only these ABIs.
    pub archs: Option<Vec<Arch>>,
    /// The libseccomp release that drops names; `None` for the newest.
    pub libseccomp: Option<Release>,
    /// Whose JSON it is; `None` to go by what it uses.
    pub dialect: Option<Dialect>,
    /// Who loads it; `None` is crun.
    pub runtime: Option<Runtime>,
}

/// A filter that was read.
#[derive(Debug)]
pub struct Source {
    /// In a word or two: `JSON`, `BPF, 62 instructions`.
    pub form: String,
    /// What it does.
    pub function: Function,
    /// What calls get that nothing is said of.
    pub default: Action,
    /// Whether it names no ABI: then it is for the node's own.
    pub native: bool,
    /// Flags of `seccomp(2)`.
    pub flags: Vec<Flag>,
    /// Who answers `notify`.
    pub listener: Option<Listener>,
    /// What the authors said of the whole file.
    pub said: Vec<String>,
    /// As whom it was read: "crun with libseccomp 2.6.1 loads it"; of JSON.
    pub reader: Option<String>,
    /// What it is not known of what they get: "some calls of `socket` on x86_64".
    pub doubts: Vec<String>,
    /// Remarks on the whole file.
    pub head: Vec<String>,
    /// Remarks on calls, by name.
    pub remarks: Vec<(String, String)>,
}

/// Reads a filter of any form.
pub fn read(store: &mut Store, bytes: &[u8], options: &Options) -> Result<Source, ImportError> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    // Lengths of programs are multiples of eight, so their first word is a code such as 0x20, never `{` or `/`: those
    // have bits set that no class of instruction with a zero second byte has.
    match first {
        None => Err(ImportError::Empty),
        Some(b'{' | b'/' | b'[' | b'"') if std::str::from_utf8(text).is_ok() => json::read(store, text, options),
        Some(_) if bytes.len().is_multiple_of(8) => program(store, bytes, options),
        Some(_) => Err(ImportError::Neither),
    }
}

fn program(store: &mut Store, bytes: &[u8], options: &Options) -> Result<Source, ImportError> {
    let wrong = |what: String| ImportError::Bpf(what);
    let program = [bpf::ByteOrder::Little, bpf::ByteOrder::Big]
        .into_iter()
        .filter_map(|order| bpf::Program::from_bytes(bytes, order).ok())
        .find(|program| bpf::check(program).is_ok());
    let Some(program) = program else {
        return Err(match bpf::Program::from_bytes(bytes, bpf::ByteOrder::Little) {
            Err(error) => wrong(error.to_string()),
            Ok(program) => wrong(bpf::check(&program).err().map_or_else(String::new, |error| error.to_string())),
        });
    };
    let all: Vec<Arch> = options.archs.clone().unwrap_or_else(|| Arch::all().collect());
    let reading = bpf::read(store, &program, &all).map_err(|error| wrong(error.to_string()))?;
    let mut head = Vec::new();
    let mut function = Function::default();
    let looks = looks_at_architecture(&reading.function);
    if options.archs.is_none() && !looks {
        return Err(ImportError::NoArchitecture);
    }
    let mut others: BTreeSet<(Action, &'static str)> = BTreeSet::new();
    let answers: Vec<Option<Action>> =
        reading.function.tables.iter().map(|(&arch, table)| constant(arch, table)).collect();
    let plain = answers.iter().all(Option::is_some);
    for ((arch, table), answer) in reading.function.tables.into_iter().zip(answers) {
        match answer {
            // A way in that the filter ends, or refuses whole; of a filter that has nothing else, one that it lets run.
            Some(action) if options.archs.is_none() && !(plain && action.runs()) => {
                others.insert((action, arch.name()));
            }
            _ => {
                function.tables.insert(arch, table);
            }
        }
    }
    if function.tables.is_empty() {
        return Err(ImportError::SaysNothing);
    }
    let default = default_of(&function).ok_or(ImportError::SaysNothing)?;
    // x32 shares a token with x86_64; where its calls run, they are part of the policy if its default says the same. Where it does not
    // (systemd's lists of what is allowed) no policy of one default can say it of every number.
    if let Some(&(action, _)) = others.iter().find(|(action, name)| *name == "x32" && action.runs())
        && function.tables.contains_key(&Arch::X86_64)
    {
        let said = "x32 calls pass whatever they ask for: the filter looks at x86_64's numbers only";
        others.retain(|(_, name)| *name != "x32");
        if action == default {
            function.tables.insert(Arch::X32, Table::from_intervals([(0, Node::action(action))]));
            head.push(format!("{said}."));
        } else {
            head.push(format!("{said}. Here they end the process."));
        }
    }
    let mut answers: Vec<Action> = others.iter().map(|(action, _)| *action).collect();
    answers.dedup();
    for action in answers.into_iter().filter(|action| *action != Function::FOREIGN) {
        let names: Vec<&str> = others.iter().filter(|(of, _)| *of == action).map(|(_, name)| *name).collect();
        let whom = if names.len() > 4 { "other ABIs".to_owned() } else { names.join(", ") };
        head.push(format!("To calls from {whom} the filter answers {action}; here they end the process."));
    }
    Ok(Source {
        form: format!("BPF, {} instructions", program.len()),
        function,
        default,
        native: false,
        flags: Vec::new(),
        listener: None,
        said: Vec::new(),
        reader: None,
        doubts: Vec::new(),
        head,
        remarks: Vec::new(),
    })
}

/// Whether ABIs with tokens of their own get different answers.
fn looks_at_architecture(function: &Function) -> bool {
    let of = |arch: Arch| function.tables.get(&arch);
    // Of these two, all numbers are their own; they have the same width.
    if of(Arch::Riscv64) != of(Arch::Aarch64) || of(Arch::X86) != of(Arch::Arm) {
        return true;
    }
    let (Some(one), Some(x32), Some(two)) = (of(Arch::X86_64), of(Arch::X32), of(Arch::Aarch64)) else { return true };
    let mut differ = false;
    one.zip(two, |range, a, b| differ |= a != b && *range.start() < X32_BIT);
    // systemd has a filter for x32 alone. What is asked of arguments hangs on their width, so only answers are compared.
    x32.zip(two, |range, a, b| {
        differ |= *range.end() >= X32_BIT && a.as_action().zip(b.as_action()).is_some_and(|(a, b)| a != b);
    });
    differ
}

/// The action of most numbers.
fn default_of(function: &Function) -> Option<Action> {
    let mut best: Option<(u64, Action)> = None;
    let mut counts: std::collections::BTreeMap<Action, u64> = std::collections::BTreeMap::new();
    for (&arch, table) in &function.tables {
        for (range, node) in table.intervals() {
            // Of x86_64's token each of the two ABIs has its part.
            let (start, end) = match arch {
                Arch::X86_64 => (*range.start(), (*range.end()).min(X32_BIT - 1)),
                Arch::X32 => ((*range.start()).max(X32_BIT), *range.end()),
                _ => (*range.start(), *range.end()),
            };
            if let Some(action) = node.as_action()
                && start <= end
            {
                let count = counts.entry(action).or_default();
                *count += u64::from(end - start) + 1;
                if best.is_none_or(|(most, _)| *count > most) {
                    best = Some((*count, action));
                }
            }
        }
    }
    best.map(|(_, action)| action)
}
