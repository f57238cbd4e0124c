//! Parameter names of the manual: the synopses of section 2.
//!
//! ```text
//! .BI "int socket(int " domain ", int " type ", int " protocol );      →  socket  domain  type  protocol
//! .BI "long syscall(SYS_gettid);"                                      →  gettid
//! ```
//!
//! Names change between releases (`pathname` became `path`), so several folders may be read, and a call may have
//! several lines. A name behind `*` or before `[` is marked with `*`: the tables match by position and by this mark.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Failure, Outcome, workspace};

/// Writes `manual.tsv` from folders that hold `*.2.gz`.
pub fn harvest(folders: &[PathBuf]) -> Outcome {
    let mut found: BTreeMap<String, BTreeSet<Vec<String>>> = BTreeMap::new();
    for folder in folders {
        let broken = |error: std::io::Error| Failure::Broken(format!("{}: {error}", folder.display()));
        let mut pages = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(broken)? {
            pages.push(entry.map_err(broken)?.path());
        }
        pages.sort();
        for page in pages.iter().filter(|page| page.to_string_lossy().ends_with(".2.gz")) {
            for (name, parameters) in prototypes(&synopsis(&unpack(page)?)) {
                found.entry(name).or_default().insert(parameters);
            }
        }
    }
    let mut text = "# Parameter names as the synopses of the manual's section 2 have them (man-pages 6.03 and 6.20), in order, pointers marked with `*`. Made by `cargo xtask harvest --manual DIR…`.\n".to_owned();
    let mut count = 0;
    for (name, lists) in &found {
        for list in lists.iter().filter(|list| !list.is_empty()) {
            text.push_str(&format!("{name}\t{}\n", list.join("\t")));
            count += 1;
        }
    }
    let path = workspace().join("xtask/facts/manual.tsv");
    std::fs::write(&path, text).map_err(|error| Failure::Broken(format!("{}: {error}", path.display())))?;
    println!("wrote xtask/facts/manual.tsv: {count} prototypes. Now run `cargo xtask tables`");
    Ok(())
}

fn unpack(page: &Path) -> Outcome<String> {
    let output = Command::new("gzip")
        .arg("-dc")
        .arg(page)
        .output()
        .map_err(|error| Failure::Broken(format!("gzip: {error}")))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The synopsis as plain C: macros, fonts and comments taken away.
fn synopsis(page: &str) -> String {
    let page = page.replace("\\\n", "");
    let mut text = String::new();
    let lines = page.lines().skip_while(|line| !line.starts_with(".SH SYNOPSIS")).skip(1);
    for line in lines.take_while(|line| !line.starts_with(".SH")) {
        let words = match line.strip_prefix('.') {
            Some(request) => match request.split_once(' ') {
                Some(("BI" | "BR" | "IB" | "RB" | "RI" | "IR", words)) => join(words),
                Some(("B" | "I", words)) => words.replace('"', ""),
                _ => continue,
            },
            None => line.to_owned(),
        };
        if words.contains("#include") || words.contains("#define") {
            continue;
        }
        text.push_str(&words.replace("\\f[R]", "").replace("\\f[]", "").replace("\\fR", "").replace("\\fP", ""));
        text.push('\n');
    }
    let mut plain = String::new();
    let mut rest = text.as_str();
    // Names in comments count where they are a wrapper's optional parameters, prose does not: only the marks go.
    while let Some(at) = rest.find("/*") {
        plain.push_str(&rest[..at]);
        let (comment, after) = rest[at + 2..].split_once("*/").unwrap_or((&rest[at + 2..], ""));
        if plain.trim_end().ends_with("...") {
            plain.truncate(plain.trim_end().len() - 3);
            plain.push_str(comment);
        }
        rest = after;
    }
    plain.push_str(rest);
    plain
}

/// The words of a font macro run together; quoted words keep their blanks.
fn join(words: &str) -> String {
    let mut text = String::new();
    let mut quoted = false;
    for c in words.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => {}
            _ => text.push(c),
        }
    }
    text
}

/// Every `name(parameters);` with its parameters' names.
fn prototypes(text: &str) -> Vec<(String, Vec<String>)> {
    let mut all = Vec::new();
    for statement in text.replace('\n', " ").split(");") {
        let Some((head, inside)) = statement.split_once('(') else { continue };
        let name = head.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
        // A declaration of a size that stands before the parameters: `setxattr(size_t size; const char *path, …`.
        let inside = inside.rsplit(';').next().unwrap_or_default();
        let mut parameters = inside.split(',').map(str::trim).peekable();
        let name = if name == "syscall" {
            let Some(number) = parameters.next().and_then(|first| first.strip_prefix("SYS_")) else { continue };
            number.to_owned()
        } else {
            name.to_owned()
        };
        let list = parameters.map_while(parameter).collect();
        if !name.is_empty() {
            all.push((name, list));
        }
    }
    all
}

/// The name of `const char *path`, with `*` in front for a pointer; `None` at `...`, `void` and what is no parameter.
fn parameter(text: &str) -> Option<String> {
    let declared = text.split('[').next()?.trim();
    let name = declared.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()?;
    let plain = !name.is_empty() && name.len() < declared.len() && !text.contains('(');
    let mark = if text.contains('*') || text.contains('[') { "*" } else { "" };
    plain.then(|| format!("{mark}{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(page: &str) -> Vec<String> {
        let page = format!(".SH SYNOPSIS\n{page}\n.SH DESCRIPTION\nint no(int thing);\n");
        prototypes(&synopsis(&page)).into_iter().map(|(name, list)| format!("{name} {}", list.join(" "))).collect()
    }

    #[test]
    fn synopses_of_several_shapes_are_read() {
        assert_eq!(
            read(".BI \"int socket(int \" domain \", int \" type \", int \" protocol );"),
            ["socket domain type protocol"]
        );
        assert_eq!(
            read(
                ".BI \"int openat(int \" dirfd \", const char *\" path \", int \" flags \", ...\"\n.BI \"   \\f[R]/*\\f[] mode_t \" mode \" \\f[R]*/\\f[] );\""
            ),
            ["openat dirfd *path flags mode"]
        );
        assert_eq!(
            read(".BI \"long syscall(SYS_futex, uint32_t *\" uaddr \", int \" op \", ...);\""),
            ["futex *uaddr op"]
        );
        assert_eq!(
            read(
                ".BR \"int fsetxattr(\" \"size_t size;\"\n.BI \"  int \" fd \", const char *\" name ,\n.BI \"  const void \" value [ size \"], size_t \" size \", int \" flags );"
            ),
            ["fsetxattr fd *name *value size flags"]
        );
        assert_eq!(read(".B pid_t getpid(void);"), ["getpid "]);
    }
}
