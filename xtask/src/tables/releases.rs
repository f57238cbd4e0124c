//! Releases: which kernel, and which libseccomp, first had a call.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::facts::{Facts, pairs};
use super::header;
use super::numbers::Calls;
use crate::{Failure, Outcome};

/// `releases.rs`.
pub fn emit(facts: &Facts, calls: &Calls) -> Outcome<String> {
    let introduced = pairs(facts.lines("introduced.tsv")?)?;
    let libseccomp = pairs(facts.lines("libseccomp.tsv")?)?;
    let mut out = header(
        "Releases that first had a call.",
        &[
            "`introduced.tsv`: syscalls(2) of man-pages 6.03, and the notes of later kernels",
            "`libseccomp.tsv`: tables of libseccomp v2.0.0 to v2.6.1",
        ],
    );
    let mut used: BTreeMap<(u8, u8, u8), &str> = BTreeMap::new();
    let mut of_call = Vec::new();
    let mut newest = (0, 0, 0);
    for (name, _) in &calls.rows {
        let library = libseccomp.get(name).filter(|text| *text != "-");
        let mut pair = [None, None];
        for (place, text) in pair.iter_mut().zip([introduced.get(name), library]) {
            let Some(text) = text else { continue };
            let numbers = release(text, name)?;
            used.insert(numbers, text);
            *place = Some(numbers);
        }
        newest = newest.max(pair[1].unwrap_or_default());
        of_call.push(pair);
    }
    let _ = writeln!(out, "/// The newest libseccomp release of the facts.");
    let _ = writeln!(out, "pub(super) const LATEST_LIBSECCOMP: (u8, u8, u8) = {newest:?};\n");
    let _ = writeln!(out, "/// Every release that is spoken of, as text and as numbers, in their order.");
    let _ = writeln!(out, "pub(super) static RELEASES: [(&str, (u8, u8, u8)); {}] = [", used.len());
    for (numbers, text) in &used {
        let _ = writeln!(out, "    ({text:?}, {numbers:?}),");
    }
    let _ = writeln!(out, "];\n\n/// Where a release is not known, or there is none.");
    let _ = writeln!(out, "pub(super) const NONE: u8 = u8::MAX;\n");
    let _ = writeln!(out, "/// For each call the kernel and the libseccomp release, as indices into `RELEASES`.");
    let _ = writeln!(out, "pub(super) static OF_CALL: [(u8, u8); {}] = [", calls.rows.len());
    let index = |release: &Option<(u8, u8, u8)>| match release {
        Some(numbers) => used.keys().take_while(|other| *other < numbers).count().to_string(),
        None => "NONE".to_owned(),
    };
    for ([kernel, library], (name, _)) in of_call.iter().zip(&calls.rows) {
        let _ = writeln!(out, "    ({}, {}), // {name}", index(kernel), index(library));
    }
    out.push_str("];\n");
    Ok(out)
}

/// `2.5.4` or `5.11` in numbers.
fn release(text: &str, name: &str) -> Outcome<(u8, u8, u8)> {
    let wrong = || Failure::Broken(format!("`{text}`, the release for `{name}`, is not two to four numbers"));
    let parts: Vec<u8> = text.split('.').map(|part| part.parse().map_err(|_| wrong())).collect::<Outcome<_>>()?;
    match parts[..] {
        [major, minor] => Ok((major, minor, 0)),
        // One ARM call came with 2.4.8.1; the fourth number stays in the text only.
        [major, minor, patch] | [major, minor, patch, _] => Ok((major, minor, patch)),
        _ => Err(wrong()),
    }
}
