//! Parameters of calls as the kernel's sources have them on each ABI.
//!
//! ```text
//! semctl  mips64n32  compat_sys_old_semctl  int semid  int semnum  int cmd  int arg
//! readv   s390x      sys_readv              unsigned long fd = 32 unsigned at fs/file.c:1200 …
//! ```
//!
//! They are in `xtask/facts/kernel-sources.tsv`, which a program reads out of the definitions of system calls; no table of the
//! compiler is made of it. `=` says that every use of the value is cut to so many bits. Where only some are (`~`), the
//! parameter is left out, but for those of `facts::CUTS`.
//!
//! A 32-bit ABI may have two kernels: its own, and one of 64 bits that serves it by other functions. Where they differ, the
//! parameter is left out.

use std::collections::BTreeMap;
use std::path::Path;

use super::abi::Abi;
use crate::skip::Skip;

/// A parameter of a function that is entered by a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// What it is called there.
    pub name: String,
    /// Bits that count, at most those of a register.
    pub bits: u32,
    /// Two's complement.
    pub signed: bool,
    /// An address.
    pub pointer: bool,
    /// Of a type that takes two registers on 32 bits.
    pub split: bool,
    /// Not all that is known of it is known for all commands.
    pub unsure: bool,
}

/// Parameters in the order of registers; a list ends before what stands in no register of its own.
pub type Lists = BTreeMap<(String, Abi), Vec<Option<Declared>>>;

/// Reads the file.
///
/// # Errors
/// It is not there, or is not what it should be.
pub fn read() -> Result<Lists, Skip> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../xtask/facts/kernel-sources.tsv");
    let text = std::fs::read_to_string(&path).map_err(|error| Skip(format!("{}: {error}", path.display())))?;
    let mut lists = Lists::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [call, abis, _, _, _, parameters @ ..] = columns.as_slice() else { continue };
        for abi in abis.split(',').filter_map(Abi::named) {
            let list = list(call, parameters, abi);
            match lists.entry(((*call).to_owned(), abi)) {
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(list);
                }
                std::collections::btree_map::Entry::Occupied(mut entry) => {
                    let both = entry.get().iter().zip(&list);
                    let same = both.map(|(one, other)| one.clone().filter(|_| one == other)).collect();
                    *entry.get_mut() = same;
                }
            }
        }
    }
    if lists.len() < 5000 {
        return Err(Skip(format!("{}: only {} calls", path.display(), lists.len())));
    }
    Ok(lists)
}

/// Parameters of one function on an ABI.
fn list(call: &str, parameters: &[&str], abi: Abi) -> Vec<Option<Declared>> {
    let mut list = Vec::new();
    for text in parameters {
        let (declared, cut) = match (text.split_once(" = "), text.split_once(" ~ ")) {
            (Some((declared, cut)), _) => (declared, Some((cut, false))),
            (None, Some((declared, cut))) => (declared, Some((cut, true))),
            (None, None) => (*text, None),
        };
        // A macro that takes two registers, and moves what follows.
        if declared.contains('(') {
            break;
        }
        let Some((ty, name)) = declared.rsplit_once(' ') else { break };
        let ty = ty.trim_start_matches("const ");
        if abi.bits() == 32 && (is_split(ty) || is_half(call, name)) {
            break;
        }
        let declared = of_type(ty).map(|(bits, signed)| {
            let mut one = Declared {
                name: name.to_owned(),
                bits: bits.min(abi.bits()),
                signed,
                pointer: ty.contains('*'),
                split: is_split(ty),
                unsure: false,
            };
            if let Some((cut, unsure)) = cut {
                let mut words = cut.split(' ');
                let bits = words.next().and_then(|bits| bits.parse::<u32>().ok()).unwrap_or(0);
                if unsure {
                    one.unsure = true;
                } else {
                    (one.bits, one.signed) = (bits, words.next() == Some("signed"));
                }
            }
            one
        });
        list.push(declared);
    }
    list
}

/// Whether a parameter is half of a value of 64 bits, which some kernels take as two. `_llseek` is declared so everywhere.
fn is_half(call: &str, name: &str) -> bool {
    const HALVES: [&str; 15] = [
        "len0", "len1", "len2", "offset0", "offset1", "offset2", "nbytes0", "nbytes1", "nbytes2", "pos1", "pos2",
        "reg4", "reg6", "r4", "unused",
    ];
    let ends = ["low", "high", "_l", "_h", "_lo", "_hi"].iter().any(|end| name.ends_with(end));
    let begins = name.starts_with("low_") || name.starts_with("high_");
    call != "_llseek" && (ends || begins || HALVES.contains(&name))
}

/// Whether a type has 64 bits on every ABI.
pub fn is_split(ty: &str) -> bool {
    matches!(ty, "loff_t" | "u64" | "__u64" | "s64" | "__s64")
}

/// Bits and sign of a type on a kernel of 64 bits; `None` for one that the oracle does not know.
pub fn of_type(ty: &str) -> Option<(u32, bool)> {
    Some(match ty {
        _ if ty.contains('*') => (64, false),
        "int" | "s32" | "__s32" | "pid_t" | "compat_pid_t" | "key_t" | "key_serial_t" | "mqd_t" | "timer_t"
        | "clockid_t" | "rwf_t" | "compat_long_t" | "compat_ssize_t" | "compat_off_t" => (32, true),
        "unsigned int"
        | "unsigned"
        | "uint"
        | "u32"
        | "__u32"
        | "uid_t"
        | "gid_t"
        | "qid_t"
        | "compat_ulong_t"
        | "compat_size_t"
        | "compat_aio_context_t" => (32, false),
        "umode_t" | "compat_mode_t" | "old_uid_t" | "old_gid_t" => (16, false),
        "unsigned long" | "size_t" | "aio_context_t" | "u64" | "__u64" => (64, false),
        "long" | "off_t" | "loff_t" | "ssize_t" => (64, true),
        _ => return None,
    })
}
