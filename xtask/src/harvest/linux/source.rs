//! C functions of a kernel's sources, found without a compiler.
//!
//! ```text
//! SYSCALL_DEFINE3(readv, unsigned long, fd, …)   →  `sys_readv`, parameters (unsigned long, fd) …, its body as tokens
//! DEFINE_CLASS(fd, struct fd, …, int fd)         →  `class fd`, what `CLASS(fd, f)(…)` hands its argument to
//! ```
//!
//! A configured compiler would see one architecture and one configuration at a time. Here all are seen, and the kernel's
//! style helps: a function ends with a `}` in the first column. Text of preprocessor lines is blank; the conditions around
//! a definition are kept, since some calls have several (`clone`).

use std::collections::HashMap;
use std::path::Path;

use crate::{Failure, Outcome};

/// Folders below a kernel's sources in which calls, and what they hand their arguments to, are defined.
const FOLDERS: [&str; 19] = [
    "arch/arm",
    "arch/arm64",
    "arch/loongarch",
    "arch/m68k",
    "arch/mips",
    "arch/parisc",
    "arch/powerpc",
    "arch/riscv",
    "arch/s390",
    "arch/sh",
    "arch/x86",
    "block",
    "include/linux",
    "init",
    "io_uring",
    "ipc",
    "kernel",
    "mm",
    "security",
];
/// Folders of which only the files themselves are read.
const FLAT: [&str; 8] =
    ["fs", "fs/notify/inotify", "fs/notify/fanotify", "fs/quota", "lib", "net", "drivers/pci", "drivers/char"];
/// Below `arch`, folders that no call leads to.
const PASSED_OVER: [&str; 11] =
    ["boot", "dts", "kvm", "crypto", "net", "configs", "vdso", "purgatory", "xen", "tools", "platforms"];

/// A function.
#[derive(Debug, Clone)]
pub struct Function {
    /// Path below the sources.
    pub file: String,
    /// Line of its name.
    pub line: usize,
    /// Types and names of its parameters.
    pub parameters: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<Token>,
    /// Conditions of the preprocessor around it.
    pub conditions: Vec<String>,
}

/// A piece of C.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The piece.
    pub text: String,
    /// Its line.
    pub line: usize,
}

impl Token {
    /// Whether it is a name, or a word of the language.
    pub fn is_word(&self) -> bool {
        self.text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
    }
}

/// All functions by name.
#[derive(Default)]
pub struct Index {
    functions: HashMap<String, Vec<Function>>,
}

impl Index {
    /// Reads the sources in `root`.
    pub fn read(root: &Path) -> Outcome<Self> {
        let mut files = Vec::new();
        for folder in FOLDERS {
            walk(root, folder, true, &mut files)?;
        }
        for folder in FLAT {
            walk(root, folder, false, &mut files)?;
        }
        files.sort();
        let mut index = Self::default();
        for file in files {
            let text = std::fs::read(root.join(&file)).map_err(|error| Failure::Broken(format!("{file}: {error}")))?;
            index.add(&file, &String::from_utf8_lossy(&text));
        }
        Ok(index)
    }

    /// Functions of that name, in the order of their files.
    pub fn named(&self, name: &str) -> &[Function] {
        self.functions.get(name).map_or(&[], Vec::as_slice)
    }

    /// Finds the functions of one file.
    pub fn add(&mut self, file: &str, text: &str) {
        let (tokens, conditions) = tokens(text);
        let (mut start, mut at) = (0, 0);
        while let Some(token) = tokens.get(at) {
            match token.text.as_str() {
                ";" | "}" | "\n}" => start = at + 1,
                "{" => {
                    let end = closing(&tokens, at);
                    self.add_function(file, &tokens[start..at], &tokens[at + 1..end], &conditions);
                    at = end;
                    start = end + 1;
                }
                // These two end without a brace or a semicolon.
                "DEFINE_CLASS" | "DEFINE_FREE" if tokens.get(at + 1).is_some_and(|next| next.text == "(") => {
                    let end = matching(&tokens, at + 1);
                    if let Some((_, list)) = arguments(&tokens[at + 2..end]).split_at_checked(4) {
                        let name = tokens.get(at + 2).map(|name| format!("class {}", name.text)).unwrap_or_default();
                        let parameters = list.iter().filter_map(|text| parameter(text)).collect();
                        self.insert(name, file, token.line, parameters, Vec::new(), &conditions);
                    }
                    at = end;
                    start = end + 1;
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// `head` may define several that share a body, under conditions of the preprocessor.
    fn add_function(&mut self, file: &str, head: &[Token], body: &[Token], conditions: &[(usize, Vec<String>)]) {
        let is_list = |at: &usize| head[*at].text == "(" && head[*at - 1].is_word();
        if head.iter().any(|token| token.text == "=") {
            return;
        }
        let mut defined_here = false;
        for at in (1..head.len()).filter(is_list) {
            let (Some(prefix), line) = (defined(&head[at - 1].text), head[at - 1].line) else { continue };
            let list = arguments(&head[at + 1..matching(head, at)]);
            let Some((call, rest)) = list.split_first() else { continue };
            let words = |text: &[Token]| text.iter().map(|token| token.text.as_str()).collect::<Vec<_>>().join(" ");
            let pairs =
                rest.chunks(2).filter_map(|pair| Some((plain(&words(pair.first()?)), words(pair.get(1)?)))).collect();
            self.insert(format!("{prefix}{}", words(call)), file, line, pairs, body.to_vec(), conditions);
            defined_here = true;
        }
        let first = (1..head.len()).filter(is_list).find(|&at| !is_attribute(&head[at - 1].text));
        if let Some(at) = first.filter(|_| !defined_here) {
            let list = arguments(&head[at + 1..matching(head, at).min(head.len())]);
            let parameters = list.iter().filter_map(|text| parameter(text)).collect();
            self.insert(head[at - 1].text.clone(), file, head[at - 1].line, parameters, body.to_vec(), conditions);
        }
    }

    fn insert(
        &mut self,
        name: String,
        file: &str,
        line: usize,
        parameters: Vec<(String, String)>,
        body: Vec<Token>,
        conditions: &[(usize, Vec<String>)],
    ) {
        let around = conditions.partition_point(|(from, _)| *from <= line);
        let conditions = around.checked_sub(1).map(|index| conditions[index].1.clone()).unwrap_or_default();
        let function = Function { file: file.to_owned(), line, parameters, body, conditions };
        self.functions.entry(name).or_default().push(function);
    }
}

/// What a macro that defines a call puts before its name.
fn defined(name: &str) -> Option<&'static str> {
    let stem = name.trim_end_matches(|last: char| last.is_ascii_digit());
    Some(match stem {
        "SYSCALL_DEFINE" => "sys_",
        "COMPAT_SYSCALL_DEFINE" => "compat_sys_",
        // On a 64-bit kernel these are the entries of 32-bit processes alone, on a 32-bit one those of all.
        "PPC32_SYSCALL_DEFINE" | "SYSCALL32_DEFINE" => "sys32_",
        _ => return None,
    })
}

fn is_attribute(name: &str) -> bool {
    matches!(
        name,
        "__attribute__"
            | "__printf"
            | "__section"
            | "__aligned"
            | "__acquires"
            | "__releases"
            | "__must_hold"
            | "__alloc_size"
            | "__cond_acquires"
            | "__cold"
            | "if"
            | "while"
            | "for"
            | "switch"
            | "ALLOW_ERROR_INJECTION"
            | "EXPORT_SYMBOL"
            | "EXPORT_SYMBOL_GPL"
            | "__releases_shared"
            | "__no_context_analysis"
            | "typeof"
            | "__typeof__"
    )
}

fn walk(root: &Path, folder: &str, deep: bool, files: &mut Vec<String>) -> Outcome {
    let path = root.join(folder);
    if !path.is_dir() {
        return Ok(());
    }
    let broken = |error: std::io::Error| Failure::Broken(format!("{}: {error}", path.display()));
    for entry in std::fs::read_dir(&path).map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let below = format!("{folder}/{name}");
        if entry.file_type().map_err(broken)?.is_dir() {
            if deep && !PASSED_OVER.contains(&name.as_str()) && !name.starts_with("mach-") {
                walk(root, &below, deep, files)?;
            }
        } else if name.ends_with(".c") || name.ends_with(".h") {
            files.push(below);
        }
    }
    Ok(())
}

/// The tokens of a file, and from which line on which conditions of the preprocessor hold.
fn tokens(text: &str) -> (Vec<Token>, Vec<(usize, Vec<String>)>) {
    let (mut tokens, mut conditions, mut stack) = (Vec::new(), Vec::new(), Vec::<String>::new());
    let bytes = text.as_bytes();
    let (mut at, mut line, mut fresh) = (0, 1, true);
    while let Some(&byte) = bytes.get(at) {
        let rest = &bytes[at..];
        match byte {
            b'\n' => {
                line += 1;
                at += 1;
                fresh = true;
                continue;
            }
            b' ' | b'\t' | b'\r' | 0x0c => at += 1,
            b'#' if fresh => {
                let end = directive_end(bytes, at);
                condition(&text[at..end], &mut stack);
                conditions.push((line, stack.clone()));
                line += bytes[at..end].iter().filter(|&&byte| byte == b'\n').count();
                at = end;
                continue;
            }
            b'/' if rest.starts_with(b"//") => at += rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len()),
            b'/' if rest.starts_with(b"/*") => {
                let length =
                    rest.windows(2).skip(2).position(|pair| pair == b"*/").map_or(rest.len(), |found| found + 4);
                line += rest[..length].iter().filter(|&&byte| byte == b'\n').count();
                at += length;
                continue;
            }
            b'"' | b'\'' => {
                let mut end = 1;
                while rest.get(end).is_some_and(|&next| next != byte && next != b'\n') {
                    end += if rest[end] == b'\\' { 2 } else { 1 };
                }
                tokens.push(Token { text: "\"\"".to_owned(), line });
                at += (end + 1).min(rest.len());
            }
            _ if byte.is_ascii_alphanumeric() || byte == b'_' => {
                let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
                let word = &text[at..at + length];
                if !matches!(word, "__user" | "__force" | "__kernel" | "__iomem" | "noinline" | "inline" | "static") {
                    tokens.push(Token { text: word.to_owned(), line });
                }
                at += length;
            }
            _ => {
                let two = ["->", "==", "!=", "<=", ">=", "&&", "||", "<<", ">>"];
                let found = two.iter().find(|two| rest.starts_with(two.as_bytes()));
                // A brace in the first column ends a function, whatever a half of an `#if` opened before.
                let piece = match found {
                    Some(two) => (*two).to_owned(),
                    None if byte == b'}' && fresh && (at == 0 || bytes[at - 1] == b'\n') => "\n}".to_owned(),
                    None if byte.is_ascii() => char::from(byte).to_string(),
                    None => "?".to_owned(),
                };
                at += if found.is_some() { 2 } else { 1 };
                tokens.push(Token { text: piece, line });
            }
        }
        fresh &= matches!(byte, b' ' | b'\t');
    }
    (tokens, conditions)
}

/// The end of a directive: that of the first line that does not end in a backslash, comments of several lines included.
fn directive_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(&byte) = bytes.get(at) {
        if byte == b'\n' && bytes.get(at.wrapping_sub(1)) != Some(&b'\\') {
            return at;
        }
        if bytes[at..].starts_with(b"/*") {
            at += bytes[at..].windows(2).skip(2).position(|pair| pair == b"*/").map_or(bytes.len(), |found| found + 4);
        } else {
            at += 1;
        }
    }
    bytes.len()
}

fn condition(directive: &str, stack: &mut Vec<String>) {
    let text = directive.trim_start_matches('#').trim_start();
    let (word, rest) = text.split_once(|byte: char| !byte.is_ascii_alphanumeric()).unwrap_or((text, ""));
    let rest = rest.split_whitespace().collect::<Vec<_>>().join(" ");
    match word {
        "if" => stack.push(rest),
        "ifdef" => stack.push(format!("defined({rest})")),
        "ifndef" => stack.push(format!("!defined({rest})")),
        "elif" => {
            let before = stack.pop().unwrap_or_default();
            stack.push(format!("!({before}) && {rest}"));
        }
        "else" => {
            let before = stack.pop().unwrap_or_default();
            stack.push(format!("!({before})"));
        }
        "endif" => {
            stack.pop();
        }
        _ => {}
    }
}

/// Where the body that begins at `open` ends.
fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "{" => depth += 1,
            "\n}" => return at,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len()
}

/// The bracket that closes the one at `open`.
pub fn matching(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len()
}

/// Pieces between commas that stand in no brackets.
pub fn arguments(tokens: &[Token]) -> Vec<&[Token]> {
    let (mut list, mut start, mut depth) = (Vec::new(), 0, 0i32);
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            "," if depth == 0 => {
                list.push(&tokens[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if start < tokens.len() {
        list.push(&tokens[start..]);
    }
    list
}

/// `const struct iovec *uvec` as type and name.
fn parameter(text: &[Token]) -> Option<(String, String)> {
    let text: Vec<&Token> = text.iter().filter(|token| token.text != "__maybe_unused").collect();
    // An array is a pointer; a pointer to a function has its name in brackets.
    let array = text.iter().position(|token| token.text == "[").unwrap_or(text.len());
    let (name, ty) = text[..array].split_last()?;
    if name.text == "void" && ty.is_empty() || name.text == "." {
        return None;
    }
    let mut words: Vec<&str> = ty.iter().map(|token| token.text.as_str()).collect();
    if array < text.len() || name.text == ")" {
        words.push("*");
    }
    if words.is_empty() {
        return Some((name.text.clone(), "?".to_owned()));
    }
    Some((plain(&words.join(" ")), name.text.clone()))
}

/// A type as the tables write it.
pub fn plain(ty: &str) -> String {
    ty.split_whitespace()
        .filter(|word| !matches!(*word, "register" | "volatile" | "__nocast"))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const TEXT: &str = "
/* not { here */
#ifdef CONFIG_CLONE_BACKWARDS
SYSCALL_DEFINE2(clone, unsigned long, clone_flags,
\t\tint __user *, tidptr)
#else
SYSCALL_DEFINE1(clone, unsigned long, newsp)
#endif
{
\tif (a) {
\t\treturn \"}\";
\t}
}

DEFINE_CLASS(fd, struct fd, fdput(_T), fdget(fd), int fd)
static inline ssize_t one(unsigned nr, const struct iovec __user *uvec, int list[2]) { return nr; }
struct no { int function; };
";

    #[test]
    fn functions_are_found_with_types_and_conditions() {
        let mut index = Index::default();
        index.add("kernel/fork.c", TEXT);
        let one = &index.named("one")[0];
        let expected = [("unsigned", "nr"), ("const struct iovec *", "uvec"), ("int *", "list")];
        assert_eq!(one.parameters, expected.map(|(ty, name)| (ty.to_owned(), name.to_owned())));
        assert_eq!(index.named("class fd")[0].parameters, [("int".to_owned(), "fd".to_owned())]);
        let [backwards, plain] = index.named("sys_clone") else { unreachable!("two definitions") };
        assert_eq!(backwards.parameters[1], ("int *".to_owned(), "tidptr".to_owned()));
        assert_eq!(backwards.conditions, ["defined(CONFIG_CLONE_BACKWARDS)"]);
        assert_eq!((plain.line, &*plain.conditions), (7, &["!(defined(CONFIG_CLONE_BACKWARDS))".to_owned()][..]));
        assert_eq!(plain.body.iter().filter(|token| token.text == "return").count(), 1);
        assert!(index.named("no").is_empty());
    }
}
