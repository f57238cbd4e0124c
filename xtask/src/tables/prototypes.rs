//! Prototypes: which parameters a call takes, how wide the kernel looks at each.
//!
//! ```text
//! tracefs.tsv     socket    int family    int type …     ─┐
//! types.tsv       int       32            signed          ├─→  p("family", "int", 32, true, false)
//! narrowed.tsv    readv     fd            32   unsigned  ─┘
//! ```
//!
//! Invariant: a type that `types.tsv` does not classify stops the command: a width is never guessed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::columns;
use super::facts::{Facts, Line};
use super::header;
use super::numbers::Calls;
use crate::{Failure, Outcome};

/// What the kernel keeps of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// 8, 16, 32 or 64.
    pub bits: u8,
    /// Two's complement.
    pub signed: bool,
    /// An address.
    pub pointer: bool,
}

/// Types by name, and the types that a 32-bit ABI splits over two registers.
pub struct Types {
    shapes: BTreeMap<String, Shape>,
    split: Vec<String>,
}

impl Types {
    /// Reads `types.tsv`.
    pub fn read(facts: &Facts) -> Outcome<Self> {
        let (mut shapes, mut split) = (BTreeMap::new(), Vec::new());
        for line in facts.lines("types.tsv")? {
            let (bits, signed) = width(&line, 1)?;
            let name = line.column(0, "type")?.to_owned();
            let mark = line.columns.get(3).map(String::as_str);
            match mark {
                None | Some("pointer") => {}
                Some("split") => split.push(name.clone()),
                Some(other) => return Err(line.wrong(&format!("`{other}` is neither `pointer` nor `split`"))),
            }
            shapes.insert(name, Shape { bits, signed, pointer: mark == Some("pointer") });
        }
        split.sort();
        Ok(Self { shapes, split })
    }

    /// What the kernel keeps of a value of that type.
    pub fn shape(&self, ty: &str) -> Option<Shape> {
        if ty.contains('*') {
            return Some(Shape { bits: 64, signed: false, pointer: true });
        }
        self.shapes.get(ty.strip_prefix("const ").unwrap_or(ty)).copied()
    }
}

/// Bits and sign from two columns.
fn width(line: &Line, at: usize) -> Outcome<(u8, bool)> {
    let bits = match line.column(at, "bits")? {
        "8" => 8,
        "16" => 16,
        "32" => 32,
        "64" => 64,
        other => return Err(line.wrong(&format!("`{other}` is no width: 8, 16, 32 or 64"))),
    };
    match line.column(at + 1, "sign")? {
        "signed" => Ok((bits, true)),
        "unsigned" => Ok((bits, false)),
        other => Err(line.wrong(&format!("`{other}` is neither `signed` nor `unsigned`"))),
    }
}

/// Parameters with their types; `None` where they are not known.
pub type Parameters = Option<Vec<(String, String)>>;

/// Columns from `at` on as parameters, `?` as unknown.
pub fn parameters(line: &Line, at: usize) -> Outcome<Parameters> {
    if line.columns.get(at).is_some_and(|text| text == "?") {
        return Ok(None);
    }
    let mut list = Vec::new();
    for text in line.columns.iter().skip(at).filter(|text| !text.is_empty()) {
        let Some((ty, name)) = text.rsplit_once(' ') else {
            return Err(line.wrong(&format!("`{text}` is not a type and a name")));
        };
        list.push((ty.to_owned(), name.to_owned()));
    }
    if list.len() > 6 {
        return Err(line.wrong("more than six parameters"));
    }
    Ok(Some(list))
}

/// Names that the kernel's definition has for names of the table.
const RENAMED: [(&str, &str); 4] =
    [("newfstat", "fstat"), ("newlstat", "lstat"), ("newstat", "stat"), ("newuname", "uname")];

/// A parameter of the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// The kernel's name.
    pub name: String,
    /// What the kernel keeps of it.
    pub shape: Shape,
    /// Whether a 32-bit ABI hands it over in two registers.
    pub split: bool,
}

/// What the tables say of each call.
pub struct Prototypes {
    /// `prototypes.rs`.
    pub text: String,
    /// For each call its generic parameters.
    pub generic: Vec<Parameters>,
    lists: Vec<Vec<Param>>,
    by_call: Vec<Option<usize>>,
    /// Call, ABI, list.
    entries: Vec<(usize, usize, Option<usize>)>,
}

impl Prototypes {
    /// The parameters of a call on an ABI, if they are known.
    pub fn of(&self, call: usize, abi: usize) -> Option<&[Param]> {
        let own = self.entries.iter().find(|entry| (entry.0, entry.1) == (call, abi));
        let list = own.map_or(self.by_call[call], |entry| entry.2);
        list.map(|list| self.lists[list].as_slice())
    }

    /// Puts another list where an ABI enters a call.
    #[cfg(test)]
    pub fn plant(&mut self, call: usize, abi: usize, list: Vec<Param>) {
        self.lists.push(list);
        self.entries.retain(|entry| (entry.0, entry.1) != (call, abi));
        self.entries.push((call, abi, Some(self.lists.len() - 1)));
    }
}

/// `prototypes.rs`, and what it says.
pub fn emit(facts: &Facts, calls: &Calls) -> Outcome<Prototypes> {
    let types = Types::read(facts)?;
    let mut narrowed = BTreeMap::new();
    for line in facts.lines("narrowed.tsv")? {
        let key = (line.column(0, "call")?.to_owned(), line.column(1, "parameter")?.to_owned());
        narrowed.insert(key, (width(&line, 2)?, false));
    }

    let mut lists = Lists { types: &types, narrowed, texts: Vec::new(), params: Vec::new() };
    let mut by_call = vec![None; calls.rows.len()];
    let mut generic: Vec<Parameters> = vec![None; calls.rows.len()];
    for file in ["tracefs.tsv", "prototypes.tsv"] {
        for line in facts.lines(file)? {
            let name = line.column(0, "name")?;
            let name = RENAMED.iter().find(|(kernel, _)| *kernel == name).map_or(name, |(_, table)| table);
            let Some(call) = calls.index(name) else {
                return Err(line.wrong(&format!("no architecture has a number for `{name}`")));
            };
            generic[call] = parameters(&line, 1)?;
            by_call[call] = Some(lists.add(&line, name, generic[call].clone())?);
        }
    }
    let missing: Vec<&str> =
        (0..by_call.len()).filter(|&call| by_call[call].is_none()).map(|call| calls.rows[call].0.as_str()).collect();
    if !missing.is_empty() {
        return Err(Failure::Broken(format!("xtask/facts/prototypes.tsv lacks: {}", missing.join(", "))));
    }

    let mut entries = Vec::new();
    for line in facts.lines("entries.tsv")? {
        let name = line.column(0, "name")?;
        let Some(call) = calls.index(name) else {
            return Err(line.wrong(&format!("no architecture has a number for `{name}`")));
        };
        let list = lists.add(&line, name, parameters(&line, 2)?)?;
        for abi in line.column(1, "ABIs")?.split(',') {
            let index = columns::index(abi).ok_or_else(|| line.wrong(&format!("no ABI `{abi}`")))?;
            if !calls.has(call, abi) {
                return Err(line.wrong(&format!("`{name}` has no number on {abi}")));
            }
            entries.push((call, index, list));
        }
    }
    entries.sort_unstable();
    if let Some(pair) = entries.windows(2).find(|pair| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1)) {
        let (name, abi) = (&calls.rows[pair[0].0].0, columns::ABIS[pair[0].1].name);
        return Err(Failure::Broken(format!("entries.tsv: `{name}` on {abi} comes twice")));
    }
    if let Some(((call, parameter), _)) = lists.narrowed.iter().find(|(_, (_, used))| !used) {
        return Err(Failure::Broken(format!("narrowed.tsv: `{call}` has no parameter `{parameter}`")));
    }

    let mut out = header(
        "Parameters of system calls.",
        &[
            "`xtask/facts/tracefs.tsv`: SYSCALL_DEFINE of Linux 6.18, from tracefs",
            "`xtask/facts/prototypes.tsv`: what that lacks",
            "`xtask/facts/entries.tsv`: ABIs that enter a call with other parameters",
            "`xtask/facts/types.tsv`, `xtask/facts/narrowed.tsv`: width and sign",
        ],
    );
    out.push_str("use super::Param;\n\n");
    out.push_str("const fn p(ty: &'static str, name: &'static str, bits: u8, signed: bool, pointer: bool) -> Param {\n    Param { name, ty, bits, signed, pointer }\n}\n\n");
    let _ = writeln!(out, "/// Types of 64 bits that a 32-bit ABI hands over in two registers.");
    let _ = writeln!(out, "pub(super) static SPLIT_TYPES: [&str; {}] = {:?};\n", types.split.len(), types.split);
    let _ = writeln!(out, "/// Stands for parameters that are not known.\npub(super) const UNKNOWN: u16 = u16::MAX;\n");
    let _ = writeln!(
        out,
        "/// Each list of parameters, once.\npub(super) static LISTS: [&[Param]; {}] = [",
        lists.texts.len()
    );
    for list in &lists.texts {
        let _ = writeln!(out, "    &[{list}],");
    }
    let _ = writeln!(
        out,
        "];\n\n/// For each call the index of its list.\npub(super) static OF_CALL: [u16; {}] = [",
        by_call.len()
    );
    for (list, (name, _)) in by_call.iter().flatten().zip(&calls.rows) {
        let _ = writeln!(out, "    {}, // {name}", index(*list));
    }
    let _ = writeln!(out, "];\n\n/// Where an ABI has another list: call, `Arch`, list; sorted.");
    let _ = writeln!(out, "pub(super) static ENTRIES: [(u16, u8, u16); {}] = [", entries.len());
    for (call, abi, list) in &entries {
        let _ = writeln!(
            out,
            "    ({call}, {abi}, {}), // {} on {}",
            index(*list),
            calls.rows[*call].0,
            columns::ABIS[*abi].name
        );
    }
    out.push_str("];\n");
    Ok(Prototypes {
        text: out,
        generic,
        lists: lists.params,
        by_call: by_call.into_iter().flatten().collect(),
        entries,
    })
}

fn index(list: Option<usize>) -> String {
    list.map_or_else(|| "UNKNOWN".to_owned(), |index| index.to_string())
}

/// The distinct lists, as Rust.
struct Lists<'a> {
    types: &'a Types,
    /// (call, parameter) → (bits and sign, whether a prototype had that parameter).
    narrowed: BTreeMap<(String, String), ((u8, bool), bool)>,
    texts: Vec<String>,
    /// The same as data.
    params: Vec<Vec<Param>>,
}

impl Lists<'_> {
    /// The index of a list, which is added if it is new.
    fn add(&mut self, line: &Line, call: &str, list: Parameters) -> Outcome<Option<usize>> {
        let Some(list) = list else { return Ok(None) };
        let (mut texts, mut params) = (Vec::new(), Vec::new());
        for (ty, name) in list {
            let Some(mut shape) = self.types.shape(&ty) else {
                return Err(line.wrong(&format!("type `{ty}` is not in xtask/facts/types.tsv: classify it there")));
            };
            if let Some((narrow, used)) = self.narrowed.get_mut(&(call.to_owned(), name.clone())) {
                (shape.bits, shape.signed) = *narrow;
                *used = true;
            }
            let Shape { bits, signed, pointer } = shape;
            texts.push(format!("p(\"{ty}\", \"{name}\", {bits}, {signed}, {pointer})"));
            params.push(Param { split: self.types.split.contains(&ty), name, shape });
        }
        let text = texts.join(", ");
        let index = self.texts.iter().position(|seen| *seen == text).unwrap_or_else(|| {
            self.texts.push(text);
            self.params.push(params);
            self.texts.len() - 1
        });
        Ok(Some(index))
    }
}
