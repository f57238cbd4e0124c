//! What a constant is on each ABI, and what it is compared with.
//!
//! ```text
//! O_DIRECT   →   16384 (0x4000) on x86_64, …; 65536 (0x10000) on aarch64, …
//!                fits `flags` of `open`, `openat`; `asm/fcntl.h`
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::by_abi;
use crate::spec::Arch;
use crate::tables;

/// `16384 (0x4000)`
pub fn written(value: i128) -> String {
    if value > 9 { format!("{value} ({value:#x})") } else { value.to_string() }
}

/// `16384 (0x4000) on x86_64 · 65536 (0x10000) on aarch64`
pub fn by_value(values: impl Iterator<Item = (Arch, Option<i128>)>) -> String {
    let mut same: Vec<(Option<i128>, Vec<&str>)> = Vec::new();
    for (arch, value) in values {
        match same.iter_mut().find(|(known, _)| *known == value) {
            Some((_, archs)) => archs.push(arch.name()),
            None => same.push((value, vec![arch.name()])),
        }
    }
    let several = same.len() > 1;
    let each = same.into_iter().map(|(value, archs)| {
        let value = value.map_or("no value".to_owned(), written);
        if several || value == "no value" { format!("{value} on {}", archs.join(", ")) } else { value }
    });
    each.collect::<Vec<_>>().join(" · ")
}

/// Calls with a parameter that the constant fits, by the parameter's name.
pub fn fits(name: &str) -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut fits: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (call, param) in tables::fitting(name) {
        let calls = fits.entry(param).or_default();
        if !calls.contains(&call.name()) {
            calls.push(call.name());
        }
    }
    fits
}

/// All of it, as Markdown.
pub fn page(name: &str) -> String {
    let mut text = format!("# {name}\n");
    let values: Vec<_> = Arch::all().map(|arch| (arch, tables::constant(name, arch).map(written))).collect();
    let _ = write!(text, "\n{}.\n", by_abi(values.iter().cloned().filter_map(|(arch, value)| Some((arch, value?)))));
    let lacking: Vec<&str> = values.iter().filter(|(_, value)| value.is_none()).map(|(arch, _)| arch.name()).collect();
    if !lacking.is_empty() {
        let _ = write!(text, "\nNot on {}.\n", lacking.join(", "));
    }
    let _ = match tables::constant_header(name) {
        Some(header) => write!(text, "\nOf the kernel's header `{header}`.\n"),
        None => write!(text, "\nThe kernel has it in headers of its own, programs have it from the C library.\n"),
    };
    if tables::errno_names().any(|errno| errno == name) {
        let _ = write!(text, "\nAn errno: a call that gets `deny({name})` returns -1 and this.\n");
    }
    let fits = fits(name);
    if !fits.is_empty() {
        text.push_str("\nIt fits\n\n");
        for (param, calls) in fits {
            let _ = writeln!(text, "- `{param}` of {}", super::listed(&calls, 12));
        }
    }
    text
}
