//! `--check`: is the file on disk what would be built?

use std::path::Path;

use kpol_compiler::diagnostic::{Code, Diagnostic};
use kpol_compiler::driver::Format as Product;
use kpol_compiler::source::{Disk, LoadError, Loader};

use super::Made;
use super::complaint::SUFFIX;
use crate::report::Report;
use crate::ui::{Format, Status, Trouble, Ui};

/// Far more than any product has.
const LIMIT: u64 = 64 << 20;

/// Reports every file that is not what would be built (E071); people see the difference too.
pub(super) fn all(made: &[Made], ui: &Ui, report: &mut Report) -> Result<Status, Trouble> {
    let mut text = String::new();
    for one in made {
        let path = &one.output.path;
        let old = match Disk.read(path, LIMIT) {
            Ok(old) => Some(old),
            Err(LoadError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(LoadError::Io(error)) => return Err(cannot(path, &error.to_string())),
            Err(LoadError::NotAFile(word)) => return Err(cannot(path, &format!("it is {word}"))),
            Err(LoadError::TooLarge(_)) => return Err(cannot(path, "it is far larger than any product")),
        };
        if let Some(difference) = difference(path, old.as_deref(), &one.output.bytes, one.format) {
            text.push_str(&difference);
            let (name, policy) = (path.display(), one.policy.display());
            let message = match old {
                Some(_) => format!("`{name}` is not what `{policy}` builds"),
                None => format!("`{name}` is missing: `{policy}` was not built"),
            };
            // Annotations need a place; people have the difference.
            let place = report.start_of(&one.policy).filter(|_| ui.format != Format::Human);
            let diagnostic = match place {
                Some(place) => Diagnostic::new(Code::E071, place, message),
                None => Diagnostic::without_place(Code::E071, message),
            };
            let complains = path.file_stem().is_some_and(|name| name.as_encoded_bytes().ends_with(SUFFIX.as_bytes()))
                && path.file_stem() != one.policy.file_stem();
            report.push(diagnostic.help(if complains {
                "the same command with `--complain` in place of `--check` writes it"
            } else {
                "the same command without `--check` writes it"
            }));
        }
    }
    if ui.format == Format::Human {
        Ui::show(&text)?;
    }
    Ok(if text.is_empty() { Status::Fine } else { Status::Findings })
}

fn cannot(path: &Path, why: &str) -> Trouble {
    Trouble::new(format!("cannot read `{}`: {why}", path.display()))
}

/// Words about how `old` is not `new`.
fn difference(path: &Path, old: Option<&[u8]>, new: &[u8], format: Product) -> Option<String> {
    let name = path.display().to_string();
    match old {
        Some(old) if old == new => None,
        None => Some(format!("{name}: missing\n")),
        Some(old) => Some(match format {
            Product::Json | Product::Asm | Product::C | Product::Dot | Product::Smt2 => {
                unified(&name, &String::from_utf8_lossy(old), &String::from_utf8_lossy(new))
            }
            Product::Bpf => instructions(&name, old, new),
        }),
    }
}

/// As `diff -u` says it.
pub fn unified(name: &str, old: &str, new: &str) -> String {
    similar::TextDiff::from_lines(old, new)
        .unified_diff()
        .header(&format!("a/{name}"), &format!("b/{name}"))
        .to_string()
}

fn instructions(name: &str, old: &[u8], new: &[u8]) -> String {
    let show = |program: &[u8], index: usize| match program.chunks(8).nth(index) {
        Some(raw) if raw.len() == 8 => format!(
            "code {:#04x} jt {} jf {} k {:#x}",
            u16::from_ne_bytes([raw[0], raw[1]]),
            raw[2],
            raw[3],
            u32::from_ne_bytes([raw[4], raw[5], raw[6], raw[7]])
        ),
        Some(raw) => format!("{} stray bytes", raw.len()),
        None => "nothing".to_owned(),
    };
    let longest = old.len().max(new.len()).div_ceil(8);
    let first = (0..longest).find(|&index| old.chunks(8).nth(index) != new.chunks(8).nth(index)).unwrap_or(0);
    format!(
        "{name}: {} bytes, {} would be built; first difference in instruction {first}:\n-{}\n+{}\n",
        old.len(),
        new.len(),
        show(old, first),
        show(new, first)
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use super::*;

    #[test]
    fn differences_are_shown() {
        let path = Path::new("web.json");
        assert_eq!(difference(path, Some(b"a\n"), b"a\n", Product::Json), None);
        assert_eq!(difference(path, None, b"a\n", Product::Json).unwrap(), "web.json: missing\n");
        let text = difference(path, Some(b"a\nb\n"), b"a\nc\n", Product::Json).unwrap();
        assert_eq!(text, "--- a/web.json\n+++ b/web.json\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n");
        let ret = [6, 0, 0, 0, 0, 0, 0xff, 0x7f];
        let text = difference(Path::new("web.bpf"), Some(&ret[..5]), &ret, Product::Bpf).unwrap();
        assert_eq!(
            text,
            "web.bpf: 5 bytes, 8 would be built; first difference in instruction 0:\n-5 stray bytes\n+code 0x06 jt 0 jf 0 k 0x7fff0000\n"
        );
    }
}
