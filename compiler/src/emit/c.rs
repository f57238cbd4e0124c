//! The program as a C header, for programs that install their own filter.
//!
//! ```text
//! #define WEB_FILTER_LENGTH 14
//! static const struct sock_filter web_filter[WEB_FILTER_LENGTH] = {
//!     /* 0 */ { 0x20, 0, 0, 0x00000004 }, /* ld [4]: ABI */
//! ```
//!
//! Numbers are numbers, so the header is the same for both byte orders. It is C and C++, and without warnings in
//! either. The array is `const`: nobody changes it, and a header that is included and not used is silent.
//!
//! INVARIANT: [`read`] of a header is the program that it was made of, whatever the policy's file is called.

use super::{Built, notes};
use crate::bpf::{self, Insn, Program};
use crate::diagnostic::render::clean_line;
use crate::diagram::Store;

/// The header.
pub fn write(built: &Built<'_>, store: &mut Store) -> String {
    let name = identifier(built.file);
    let upper = name.to_ascii_uppercase();
    let mut text = String::from("/*\n");
    for line in built.preface() {
        text.push_str(&format!(" * {}\n", comment(&line)));
    }
    text.push_str(&format!(
        " *
 *     struct sock_fprog program = {{ {upper}_FILTER_LENGTH, (struct sock_filter *){name}_filter }};
 *     prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
 *     syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, {upper}_FILTER_FLAGS, &program);
 */
#ifndef KPOL_{upper}_FILTER_H
#define KPOL_{upper}_FILTER_H

#include <linux/filter.h>

/* How many instructions there are. */
#define {upper}_FILTER_LENGTH {}
/* The flags for seccomp(2). */
#define {upper}_FILTER_FLAGS {:#x}

static const struct sock_filter {name}_filter[{upper}_FILTER_LENGTH] = {{
",
        built.program.len(),
        built.flags(),
    ));
    let rows = bpf::lines(built.program).into_iter().zip(notes::notes(built, store)).zip(&built.program.0);
    for (at, ((line, note), insn)) in rows.enumerate() {
        let Insn { code, jt, jf, k } = insn;
        let label = line.label.map_or(String::new(), |label| format!("{label}: "));
        let words = line.words.split_whitespace().collect::<Vec<_>>().join(" ");
        let note = note.to_string();
        let note = if note.is_empty() { String::new() } else { format!("; {note}") };
        let said = comment(&format!("{label}{words}{note}"));
        text.push_str(&format!("    /* {at:>4} */ {{ {code:#04x}, {jt:>3}, {jf:>3}, {k:#010x} }}, /* {said} */\n"));
    }
    text.push_str("};\n\n#endif\n");
    text
}

/// `web.v2.kpol` as a name in C: `web_v2`.
pub fn identifier(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| if stem.is_empty() { name } else { stem });
    let mut text: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    // A name that begins with a digit is none, and those that begin with `_` are the compiler's.
    if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        text.insert_str(0, "policy_");
    }
    text.truncate(60);
    text
}

/// Text that can stand in a comment: it neither ends it, nor begins another, nor is a trigraph.
fn comment(text: &str) -> String {
    clean_line(text).replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?")
}

/// The program that a header of ours holds; `None` for anything else.
pub fn read(text: &str) -> Option<Program> {
    let row = |line: &str| {
        let (_, rest) = line.strip_prefix("    /* ")?.split_once(" */ { ")?;
        let (row, _) = rest.split_once(" }, /* ")?;
        let [code, jt, jf, k] = row.split(',').map(str::trim).collect::<Vec<_>>()[..] else { return None };
        let code = u16::from_str_radix(code.strip_prefix("0x")?, 16).ok()?;
        let k = u32::from_str_radix(k.strip_prefix("0x")?, 16).ok()?;
        Some(Insn { code, jt: jt.parse().ok()?, jf: jf.parse().ok()?, k })
    };
    let (_, body) = text.split_once("] = {\n")?;
    let (body, _) = body.split_once("};\n")?;
    body.lines().map(row).collect::<Option<Vec<Insn>>>().map(Program)
}
