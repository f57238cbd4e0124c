//! Constants: from `constants.tsv` to one text of all names and small integers beside it.
//!
//! ```text
//! AF_INET   2 everywhere                  → VALUE[i] = index of 2 in SCALARS
//! O_DIRECT  0x4000, on arm 0x10000, …     → VALUE[i] = number of scalars + index of a row: one scalar for each ABI
//! ```
//!
//! Names are one text with offsets, not ten thousand references: a reference costs its 16 bytes, 24 more for the
//! relocation, and the loader's time at every start.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::columns::{self, ABIS};
use super::facts::{Facts, Line};
use super::header;
use crate::{Failure, Outcome};

/// Name, header, value for each ABI.
struct Constant {
    name: String,
    header: String,
    values: Vec<Option<i128>>,
}

/// `constants.rs`.
pub fn emit(facts: &Facts) -> Outcome<String> {
    let mut all = facts.lines("constants.tsv")?.iter().map(parse).collect::<Outcome<Vec<_>>>()?;
    all.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(pair) = all.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(Failure::Broken(format!("constants.tsv: `{}` comes twice", pair[0].name)));
    }

    let scalars: BTreeSet<i128> = all.iter().flat_map(|constant| constant.values.iter().flatten().copied()).collect();
    let scalars: BTreeMap<i128, usize> = scalars.into_iter().enumerate().map(|(index, value)| (value, index)).collect();
    let mut rows: Vec<Vec<usize>> = Vec::new();
    let mut of_name = Vec::new();
    let none = usize::from(u16::MAX);
    for constant in &all {
        let row: Vec<usize> = constant.values.iter().map(|value| value.map_or(none, |value| scalars[&value])).collect();
        if row.iter().all(|index| *index == row[0]) {
            of_name.push(row[0]);
            continue;
        }
        let index = rows.iter().position(|seen| *seen == row).unwrap_or_else(|| {
            rows.push(row);
            rows.len() - 1
        });
        of_name.push(scalars.len() + index);
    }
    if scalars.len() + rows.len() >= none {
        return Err(Failure::Broken("constants.tsv: more values than a 16-bit index can tell apart".to_owned()));
    }

    let mut out = header(
        "Constants by name and ABI.",
        &["`xtask/facts/constants.tsv`: kernel headers, as `cargo xtask harvest` evaluated them for each ABI"],
    );
    let unsigned = scalars.keys().filter(|value| **value <= i128::from(i64::MAX)).count();
    let _ = writeln!(out, "/// Stands where an ABI has no value.\npub(super) const NONE: u16 = u16::MAX;\n");
    let _ = writeln!(out, "/// Scalars from this index on are beyond the signed range: their bits are unsigned.");
    let _ = writeln!(out, "pub(super) const FIRST_UNSIGNED: usize = {unsigned};\n");
    let _ = writeln!(out, "/// Distinct values, sorted.\npub(super) static SCALARS: [i64; {}] = [", scalars.len());
    // The cast keeps the bits of those beyond the signed range.
    wrap(&mut out, scalars.keys().map(|value| (*value as i64).to_string()));
    let _ = writeln!(out, "];\n\n/// Scalars for each ABI, in the order of `Arch`.");
    let _ = writeln!(out, "pub(super) static ROWS: [[u16; {}]; {}] = [", ABIS.len(), rows.len());
    for row in &rows {
        let cells: Vec<String> = row.iter().map(ToString::to_string).collect();
        let _ = writeln!(out, "    [{}],", cells.join(", "));
    }
    let _ = writeln!(out, "];\n\n/// For each name a scalar, or a row if the index is beyond them.");
    let _ = writeln!(out, "pub(super) static VALUE: [u16; {}] = [", all.len());
    wrap(&mut out, of_name.iter().map(ToString::to_string));
    let _ = writeln!(out, "];\n\n/// For each name where it starts in `NAMES`; at last the end.");
    let _ = writeln!(out, "pub(super) static START: [u32; {}] = [", all.len() + 1);
    let mut start = 0;
    wrap(
        &mut out,
        all.iter().map(|constant| constant.name.len()).chain(std::iter::once(0)).map(|length| {
            start += length;
            (start - length).to_string()
        }),
    );
    let headers: BTreeSet<&str> = all.iter().map(|constant| constant.header.as_str()).collect();
    let headers: Vec<&str> = headers.into_iter().collect();
    if headers.len() > usize::from(u8::MAX) + 1 {
        return Err(Failure::Broken("constants.tsv: more headers than an index of 8 bits can tell apart".to_owned()));
    }
    let _ = writeln!(out, "];\n\n/// Headers, sorted.\npub(super) static HEADERS: [&str; {}] = [", headers.len());
    wrap(&mut out, headers.iter().map(|header| format!("{header:?}")));
    let _ = writeln!(out, "];\n\n/// For each name the header that defines it.");
    let _ = writeln!(out, "pub(super) static HEADER: [u8; {}] = [", all.len());
    let of_header = |constant: &Constant| headers.binary_search(&constant.header.as_str()).unwrap_or_default();
    wrap(&mut out, all.iter().map(|constant| of_header(constant).to_string()));
    let _ = writeln!(out, "];\n\n/// All names, sorted, one after another.\npub(super) static NAMES: &str = \"\\");
    for constant in &all {
        let _ = writeln!(out, "{}\\", constant.name);
    }
    out.push_str("\";\n");
    errnos(&mut out, &all);
    capabilities(&mut out, &all)?;
    Ok(out)
}

/// Numbers, many to a line.
fn wrap(out: &mut String, items: impl Iterator<Item = String>) {
    let mut width = 0;
    for item in items {
        if width == 0 {
            out.push_str("   ");
        }
        let _ = write!(out, " {item},");
        width += item.len() + 2;
        if width > 110 {
            out.push('\n');
            width = 0;
        }
    }
    if width > 0 {
        out.push('\n');
    }
}

/// A line of `constants.tsv`: one value for all ABIs, or `abi,abi=value` columns.
fn parse(line: &Line) -> Outcome<Constant> {
    let number = |text: &str| text.parse::<i128>().map_err(|_| line.wrong(&format!("`{text}` is no number")));
    let mut values = vec![None; ABIS.len()];
    for text in line.columns.iter().skip(2) {
        match text.split_once('=') {
            None => values.fill(Some(number(text)?)),
            Some((abis, value)) => {
                for abi in abis.split(',') {
                    let index = columns::index(abi).ok_or_else(|| line.wrong(&format!("no ABI `{abi}`")))?;
                    values[index] = Some(number(value)?);
                }
            }
        }
    }
    if values.iter().all(Option::is_none) {
        return Err(line.wrong("no value"));
    }
    if values.iter().flatten().any(|value| !(i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(value)) {
        return Err(line.wrong("a value does not fit 64 bits"));
    }
    Ok(Constant { name: line.column(0, "name")?.to_owned(), header: line.column(1, "header")?.to_owned(), values })
}

/// Names of errnos, and the name of each number on most ABIs.
fn errnos(out: &mut String, all: &[Constant]) {
    let is_errno = |constant: &&Constant| {
        constant.name.starts_with('E') && (constant.header == "asm/errno.h" || constant.name == "ENOTSUP")
    };
    let names: Vec<&str> = all.iter().filter(is_errno).map(|constant| constant.name.as_str()).collect();
    let _ = writeln!(
        out,
        "\n/// Constants that are errnos, sorted.\npub(super) static ERRNOS: [&str; {}] = [",
        names.len()
    );
    wrap(out, names.iter().map(|name| format!("{name:?}")));
    // Of several names for a number the first stays: EAGAIN, EDEADLK, not EWOULDBLOCK, EDEADLOCK.
    let mut by_number = BTreeMap::new();
    for constant in all.iter().filter(|constant| constant.header == "asm/errno.h").filter(is_errno) {
        if let Some(Some(number)) = constant.values.first() {
            by_number.entry(*number).or_insert(&constant.name);
        }
    }
    let _ = writeln!(out, "];\n\n/// Errnos by number, as x86_64 and most others have them.");
    let _ = writeln!(out, "pub(super) static ERRNO_NAMES: [(u16, &str); {}] = [", by_number.len());
    wrap(out, by_number.iter().map(|(number, name)| format!("({number}, {name:?})")));
    out.push_str("];\n");
}

/// Names of capabilities by number.
fn capabilities(out: &mut String, all: &[Constant]) -> Outcome {
    let mut by_number = BTreeMap::new();
    for constant in all.iter().filter(|constant| constant.header == "linux/capability.h") {
        if constant.name.starts_with("CAP_") && constant.name != "CAP_LAST_CAP" {
            by_number.insert(constant.values[0], &constant.name);
        }
    }
    if by_number.keys().enumerate().any(|(index, number)| *number != Some(index as i128)) || by_number.is_empty() {
        return Err(Failure::Broken("constants.tsv: capabilities are not numbered from 0 without a gap".to_owned()));
    }
    let _ =
        writeln!(out, "\n/// Capabilities by number.\npub(super) static CAPABILITIES: [&str; {}] = [", by_number.len());
    wrap(out, by_number.values().map(|name| format!("{name:?}")));
    out.push_str("];\n");
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    fn all() -> Vec<Constant> {
        Facts::new().lines("constants.tsv").unwrap().iter().map(|line| parse(line).unwrap()).collect()
    }

    /// What the headers keep to x86, though s390 has a header of that name: what names begin with, and why.
    const NOT_ON_S390: &[(&str, &str)] = &[
        ("X86_", "bits of x86 registers"),
        ("CX86_", "registers of Cyrix processors"),
        ("CR0_", "bits of x86 registers"),
        ("FRAME_SIZE", "of what ptrace shows of x86 registers"),
        ("PTRACE_ARCH_PRCTL", "s390 has no arch_prctl"),
        ("PTRACE_GETREGS", "s390 has PTRACE_PEEKUSR_AREA"),
        ("PTRACE_SETREGS", "s390 has PTRACE_POKEUSR_AREA"),
        ("PTRACE_GETFP", "as PTRACE_GETREGS"),
        ("PTRACE_SETFP", "as PTRACE_SETREGS"),
        ("PTRACE_GET_THREAD_AREA", "s390 has no get_thread_area"),
        ("PTRACE_SET_THREAD_AREA", "s390 has no set_thread_area"),
        ("MAP_32BIT", "x86 alone places mappings so"),
        ("MAP_ABOVE4G", "x86 alone places mappings so"),
        ("KVM_", "below an #ifdef that the KVM of s390 does not define"),
    ];

    #[test]
    fn s390_has_each_constant_of_x86_64_whose_header_it_has() {
        let all = all();
        for abi in ["s390x", "s390"] {
            let (x86_64, s390) = (columns::index("x86_64").unwrap(), columns::index(abi).unwrap());
            let headers: BTreeSet<&str> =
                all.iter().filter(|one| one.values[s390].is_some()).map(|one| one.header.as_str()).collect();
            let lacking: Vec<&str> = all
                .iter()
                .filter(|one| one.values[x86_64].is_some() && one.values[s390].is_none())
                .filter(|one| headers.contains(one.header.as_str()))
                .map(|one| one.name.as_str())
                .filter(|name| !NOT_ON_S390.iter().any(|(start, _)| name.starts_with(start)))
                .collect();
            assert!(lacking.is_empty(), "{abi}: {lacking:?}");
        }
    }

    /// Headers of the list that have no constant of their own: they include others of the list, or have what
    /// policies may not use.
    const EMPTY: &[&str] = &[
        "asm/sockios.h",
        "asm/stat.h",
        "asm/kvm.h",
        "linux/openat2.h",
        "linux/limits.h",
        "linux/mount.h",
        "linux/bpf_common.h",
        "linux/fscrypt.h",
        "linux/blktrace_api.h",
        "linux/raid/md_u.h",
        "linux/auto_fs4.h",
        "linux/if_ppp.h",
        "linux/vmcore.h",
    ];

    #[test]
    fn each_header_of_the_list_gives_constants() {
        let known: BTreeSet<String> = all().into_iter().map(|one| one.header).collect();
        for line in Facts::new().lines("headers.tsv").unwrap() {
            let (header, which) = (line.column(0, "header").unwrap(), line.column(1, "which").unwrap());
            let empty = which == "none" || EMPTY.contains(&header);
            assert_ne!(known.contains(header), empty, "{header}");
        }
    }

    #[test]
    fn an_abi_of_31_bits_has_the_layout_of_31_bits() {
        let all = all();
        let value = |name: &str, abi: &str| {
            all.iter().find(|one| one.name == name).and_then(|one| one.values[columns::index(abi).unwrap()])
        };
        assert_eq!([value("F_SETLK64", "s390"), value("F_SETLK64", "s390x")], [Some(13), None]);
        assert_eq!([value("PT_GPR1", "s390"), value("PT_GPR1", "s390x")], [Some(12), Some(24)]);
        assert_eq!([value("BIODASDFMT", "s390"), value("BIODASDFMT", "x86_64")], [Some(0x4010_4401), None]);
    }
}
