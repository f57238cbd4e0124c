//! Constants: every integer macro and enumerator of a list of headers, evaluated for each ABI.
//!
//! ```text
//! #define TIOCSTI 0x5412              x86_64 …                    TIOCSTI  asm/ioctls.h  ppc64le,…=0x80047472  …
//! #define TIOCSTI _IOW('t', 114, …)   powerpc, mips …        ─→
//! ```
//!
//! A header below `asm` that `headers.tsv` has no line for is an error: s390's drivers were overlooked that way once.
//!
//! s390's 31-bit ABI has left the kernel after 6.12. Its `asm` headers are those of the last folder that was named, the
//! others the newest: what came since is there, with the sizes of 31 bits.
//!
//! The compiler preprocesses the headers once to see which names there are, then evaluates `NAME | 0` for each: what
//! is no integer constant (a type, a string, a float, an address) is an error in its line, and the line is dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::targets::{TARGETS, Target};
use crate::tables::facts;
use crate::{Failure, Outcome, read, workspace};

/// Name → header, and value for each target.
type Found = BTreeMap<String, (String, Vec<Option<i128>>)>;

/// Writes `constants.tsv` from the headers of unpacked `linux-libc-dev`, the newest first.
pub fn harvest(roots: &[PathBuf], clang: &str) -> Outcome {
    let (Some(root), Some(old)) = (roots.first(), roots.last()) else { return Ok(()) };
    for root in roots {
        let uapi = root.join("usr/lib/linux/uapi");
        if !uapi.is_dir() {
            return Err(Failure::Broken(format!(
                "{}: no such folder. Unpack Debian's linux-libc-dev (6.12 or newer: one package for all architectures) \
                 with `dpkg -x linux-libc-dev_*_all.deb DIR` and name DIR with --headers",
                uapi.display()
            )));
        }
    }
    if read(&old.join("usr/lib/linux/uapi/s390/asm/bitsperlong.h"))?.matches("__BITS_PER_LONG 32").count() == 0 {
        return Err(Failure::Broken(format!(
            "{}: s390 has no 31-bit ABI there; name headers of 6.12 last",
            old.display()
        )));
    }
    let version = (version(root)?, version(old)?);
    let own = workspace().join("xtask/facts");
    let headers = Header::list(&own)?;
    Header::all_listed(&own, roots)?;
    let scratch = tempfile::tempdir().map_err(|error| Failure::Broken(format!("no scratch folder: {error}")))?;
    stubs(scratch.path())?;

    let mut found = Found::new();
    let mut broken = String::new();
    for (index, target) in TARGETS.iter().enumerate() {
        let asm = if target.left_the_kernel { old } else { root };
        let compiler = Compiler { root, asm, own: &own, scratch: scratch.path(), clang, target };
        let evaluated = compiler.names(&headers).and_then(|names| Ok((compiler.values(&headers, &names)?, names)));
        let (values, names) = match evaluated {
            Ok(both) => both,
            Err(Failure::Broken(text)) => {
                broken.push_str(&text);
                continue;
            }
            Err(other) => return Err(other),
        };
        eprintln!("{}: {} constants", target.abi, values.len());
        for (name, value) in values {
            let header = names.get(&name).cloned().unwrap_or_default();
            let entry = found.entry(name).or_insert_with(|| (header, vec![None; TARGETS.len()]));
            entry.1[index] = Some(value);
        }
    }
    if !broken.is_empty() {
        return Err(Failure::Broken(format!("headers that do not compile:\n{broken}")));
    }
    let path = own.join("constants.tsv");
    std::fs::write(&path, emit(&found, &version))
        .map_err(|error| Failure::Broken(format!("{}: {error}", path.display())))?;
    println!("wrote xtask/facts/constants.tsv: {} names. Now run `cargo xtask tables`", found.len());
    Ok(())
}

/// The kernel release of the headers, from `linux/version.h`.
fn version(root: &Path) -> Outcome<String> {
    let text = read(&root.join("usr/include/linux/version.h"))?;
    let number = |name: &str| {
        let line = text.lines().find(|line| line.contains(name))?;
        line.split_whitespace().last().map(str::to_owned)
    };
    match (number("LINUX_VERSION_MAJOR"), number("LINUX_VERSION_PATCHLEVEL")) {
        (Some(major), Some(minor)) => Ok(format!("{major}.{minor}")),
        _ => Err(Failure::Broken("linux/version.h names no version".to_owned())),
    }
}

/// C library headers that kernel headers ask for, reduced to what sizes depend on.
fn stubs(folder: &Path) -> Outcome {
    for (name, text) in [
        ("stddef.h", "typedef __SIZE_TYPE__ size_t;\n#define NULL ((void *)0)\n#define offsetof __builtin_offsetof\n"),
        (
            "stdint.h",
            "#include <linux/types.h>\ntypedef __u8 uint8_t; typedef __u16 uint16_t; typedef __u32 uint32_t; typedef __u64 uint64_t; typedef __s32 int32_t; typedef __s64 int64_t;\n",
        ),
        ("stdlib.h", ""),
        ("string.h", ""),
        ("time.h", "#include <linux/time.h>\ntypedef __kernel_long_t time_t;\n"),
        ("stdbool.h", "#define bool _Bool\n"),
        ("sys/types.h", "#include <linux/types.h>\n"),
        ("sys/ioctl.h", "#include <linux/ioctl.h>\n"),
        ("sys/time.h", "#include <linux/time.h>\n"),
        (
            "sys/socket.h",
            "#include <linux/socket.h>\nstruct sockaddr { unsigned short sa_family; char sa_data[14]; };\n#define sockaddr_storage __kernel_sockaddr_storage\ntypedef unsigned short sa_family_t;\n",
        ),
        ("netinet/in.h", "#include <linux/in.h>\n#include <linux/in6.h>\n"),
        ("netinet/if_ether.h", "#include <linux/if_ether.h>\n"),
    ] {
        let path = folder.join(name);
        let made = path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&path, format!("#pragma once\n{text}")));
        made.map_err(|error| Failure::Broken(format!("{}: {error}", path.display())))?;
    }
    Ok(())
}

/// One line of `headers.tsv`.
struct Header {
    name: String,
    ioctl_only: bool,
    /// A header that must be there too; itself, if none.
    needs: String,
}

impl Header {
    fn new(name: &str, ioctl_only: bool, needs: Option<&String>) -> Self {
        Self { name: name.to_owned(), ioctl_only, needs: needs.map_or(name, String::as_str).to_owned() }
    }

    fn list(own: &Path) -> Outcome<Vec<Self>> {
        // First, since some kernel headers want its MSG_FIN; a later definition of the same name replaces it.
        let mut list = vec![Self::new("kernel-internal.h", false, None)];
        for line in facts::lines(&own.join("headers.tsv"))? {
            let ioctl_only = match line.column(1, "which")? {
                "all" => false,
                "ioctl" => true,
                "none" => {
                    line.column(2, "why")?;
                    continue;
                }
                other => return Err(line.wrong(&format!("`{other}` is none of `all`, `ioctl` and `none`"))),
            };
            list.push(Self::new(line.column(0, "header")?, ioctl_only, line.columns.get(2)));
        }
        Ok(list)
    }

    /// Whether somebody has decided of every header of the architectures what policies may use of it.
    fn all_listed(own: &Path, roots: &[PathBuf]) -> Outcome {
        let mut known = BTreeSet::new();
        for line in facts::lines(&own.join("headers.tsv"))? {
            known.insert(line.column(0, "header")?.to_owned());
        }
        let mut missing = BTreeSet::new();
        for (root, target) in roots.iter().flat_map(|root| TARGETS.iter().map(move |target| (root, target))) {
            let folder = root.join("usr/lib/linux/uapi").join(target.folder).join("asm");
            let broken = |error: std::io::Error| Failure::Broken(format!("{}: {error}", folder.display()));
            for entry in std::fs::read_dir(&folder).map_err(broken)? {
                let name = format!("asm/{}", entry.map_err(broken)?.file_name().to_string_lossy());
                if name.ends_with(".h") && !known.contains(&name) {
                    missing.insert(name);
                }
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let missing = missing.into_iter().collect::<Vec<_>>().join(", ");
        Err(Failure::Broken(format!("headers.tsv: no line for {missing}: write `all`, `ioctl`, or `none` and why")))
    }
}

/// The compiler, set up for one ABI.
struct Compiler<'a> {
    root: &'a Path,
    /// The folder of which the headers below `asm` are.
    asm: &'a Path,
    own: &'a Path,
    scratch: &'a Path,
    clang: &'a str,
    target: &'a Target,
}

impl Compiler<'_> {
    /// The start of each C text: all headers that this ABI has.
    fn prelude(&self, headers: &[Header]) -> String {
        let mut text = String::new();
        if let Some(pack) = self.target.pack {
            let _ = writeln!(text, "#pragma pack({pack})");
        }
        text.push_str("#include <stdint.h>\n#include <sys/socket.h>\n#include <time.h>\n");
        for header in headers {
            let Header { name, needs, .. } = header;
            let _ =
                writeln!(text, "#if __has_include(<{name}>) && __has_include(<{needs}>)\n#include <{name}>\n#endif");
        }
        text
    }

    /// Runs the compiler over a text; output, and errors.
    fn run(&self, text: &str, mode: &[&str]) -> Outcome<(bool, String, String)> {
        let file = self.scratch.join("names.c");
        std::fs::write(&file, text).map_err(|error| Failure::Broken(format!("{}: {error}", file.display())))?;
        let include = |path: PathBuf| ["-isystem".into(), path.into_os_string()];
        let output = Command::new(self.clang)
            .arg(format!("--target={}", self.target.triple))
            .args(["-nostdinc", "-w", "-ferror-limit=0", "-fno-caret-diagnostics", "-fno-color-diagnostics"])
            .args(self.target.flags)
            .args(mode)
            .args(include(self.scratch.to_owned()))
            .args(include(self.own.to_owned()))
            .args(include(self.asm.join("usr/lib/linux/uapi").join(self.target.folder)))
            .args(include(self.root.join("usr/include")))
            .arg(&file)
            .output()
            .map_err(|error| Failure::Broken(format!("{}: {error}; name a clang with --clang", self.clang)))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((output.status.success(), text(&output.stdout), text(&output.stderr)))
    }

    /// Names that could be integer constants, with the header of the list that each is ascribed to.
    fn names(&self, headers: &[Header]) -> Outcome<BTreeMap<String, String>> {
        let (ok, text, errors) = self.run(&self.prelude(headers), &["-E", "-dD"])?;
        if !ok {
            return Err(Failure::Broken(format!("{}: {errors}", self.target.abi)));
        }
        // A header that one of the list includes (asm-generic/fcntl.h) is ascribed to that one.
        let mut names = BTreeMap::new();
        let mut current: Option<&Header> = None;
        let mut enumerators = Enumerators::default();
        for line in text.lines() {
            if let Some(marker) = line.strip_prefix("# ") {
                let file = marker.split('"').nth(1).unwrap_or_default();
                if file.ends_with("names.c") {
                    current = None;
                } else if current.is_none() {
                    current = headers.iter().find(|header| file.ends_with(&format!("/{}", header.name)));
                }
                continue;
            }
            let Some(header) = current else { continue };
            let mut note = |name: &str| {
                if is_candidate(name) {
                    names.entry(name.to_owned()).or_insert_with(|| header.name.clone());
                }
            };
            if let Some(macro_) = line.strip_prefix("#define ") {
                let Some((name, body)) = macro_.split_once(' ') else { continue };
                if !body.trim().is_empty() && !name.contains('(') && (!header.ioctl_only || is_request(body)) {
                    note(name);
                }
            } else if !line.starts_with('#') && !header.ioctl_only {
                enumerators.feed(line, &mut note);
            }
        }
        Ok(names)
    }

    /// The value of each name that has one.
    fn values(&self, headers: &[Header], names: &BTreeMap<String, String>) -> Outcome<Vec<(String, i128)>> {
        let prelude = self.prelude(headers);
        let first = prelude.lines().count() + 1;
        let mut names: Vec<&String> = names.keys().collect();
        for mode in ["-fsyntax-only", "-S"] {
            let mut text = prelude.clone();
            for name in &names {
                let _ = writeln!(
                    text,
                    "const unsigned long long v_{name} = (unsigned long long)(({name}) | 0); const unsigned char n_{name} = (({name}) | 0) < 0;"
                );
            }
            let arguments: &[&str] = if mode == "-S" { &["-S", "-emit-llvm", "-o", "-"] } else { &[mode] };
            let (ok, output, errors) = self.run(&text, arguments)?;
            if mode == "-S" {
                if !ok {
                    return Err(Failure::Broken(format!("{}: {errors}", self.target.abi)));
                }
                return parse(&output);
            }
            let mut wrong = BTreeSet::new();
            let mut broken = String::new();
            for error in errors.lines().filter(|line| line.contains(": error: ") || line.contains(": fatal error: ")) {
                let line =
                    error.split_once("names.c:").and_then(|(_, rest)| rest.split(':').next()?.parse::<usize>().ok());
                match line.and_then(|line| line.checked_sub(first)) {
                    Some(index) => wrong.insert(index),
                    None => {
                        let _ = writeln!(broken, "{}: {error}", self.target.abi);
                        false
                    }
                };
            }
            if !broken.is_empty() {
                return Err(Failure::Broken(broken));
            }
            names = names
                .into_iter()
                .enumerate()
                .filter(|(index, _)| !wrong.contains(index))
                .map(|(_, name)| name)
                .collect();
        }
        Ok(Vec::new())
    }
}

/// Values from LLVM's text: `@v_NAME = … constant i64 -100, align 8`, `@n_NAME = … constant i8 1, align 1`.
fn parse(llvm: &str) -> Outcome<Vec<(String, i128)>> {
    let mut bits = Vec::new();
    let mut negative = BTreeSet::new();
    for line in llvm.lines() {
        let Some((name, rest)) = line.split_once(" = ") else { continue };
        let value = |ty: &str| {
            let (_, rest) = rest.split_once(&format!(" constant {ty} "))?;
            rest.split(',').next()?.parse::<i64>().ok()
        };
        if let Some(name) = name.strip_prefix("@v_") {
            let value = value("i64").ok_or_else(|| Failure::Broken(format!("cannot read `{line}`")))?;
            bits.push((name.to_owned(), value));
        } else if let Some(name) = name.strip_prefix("@n_")
            && value("i8") == Some(1)
        {
            negative.insert(name.to_owned());
        }
    }
    let sign = |(name, value): (String, i64)| {
        let value = if negative.contains(&name) { i128::from(value) } else { i128::from(value as u64) };
        (name, value)
    };
    Ok(bits.into_iter().map(sign).collect())
}

/// Whether a macro's body makes an ioctl request number.
fn is_request(body: &str) -> bool {
    [
        "_IO(",
        "_IOR(",
        "_IOW(",
        "_IOWR(",
        "_IOR_BAD(",
        "_IOW_BAD(",
        "_IOWR_BAD(",
        "_IOC(",
        "IOCTL",
        "DRM_IO",
        "BASE",
        "SIOCDEVPRIVATE",
    ]
    .iter()
    .any(|maker| body.contains(maker))
        || body.trim().strip_prefix("0x").is_some_and(|hex| hex.len() == 4)
}

/// Whether a name may be offered to policies: capitals, as constants are written; not the headers' own machinery.
fn is_candidate(name: &str) -> bool {
    let capital = name.starts_with(|first: char| first.is_ascii_uppercase());
    let plain = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    // Some families have small letters in the middle: AF_DECnet, PF_DECnet, TUNSETdebug's kin.
    let family = ["AF_", "PF_"].iter().any(|prefix| name.starts_with(prefix));
    capital && (plain || family) && name.len() > 1
}

/// Finds enumerators in preprocessed C that comes line by line.
#[derive(Default)]
struct Enumerators {
    /// Inside `enum … {`, and what has come since the last comma.
    open: bool,
    waiting: bool,
    text: String,
    /// Parentheses open in an enumerator's value.
    depth: usize,
}

impl Enumerators {
    fn feed(&mut self, line: &str, note: &mut dyn FnMut(&str)) {
        let mut word = String::new();
        for c in line.chars().chain(std::iter::once('\n')) {
            if self.open {
                match c {
                    '(' => self.depth += 1,
                    ')' => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                }
                if self.depth == 0 && matches!(c, ',' | '}') {
                    let name = self.text.split('=').next().unwrap_or_default().trim();
                    if !name.is_empty() {
                        note(name);
                    }
                    self.text.clear();
                    self.open = c != '}';
                } else {
                    self.text.push(c);
                }
                continue;
            }
            if c.is_alphanumeric() || c == '_' {
                word.push(c);
                continue;
            }
            match (word.as_str(), c) {
                ("enum", _) => self.waiting = true,
                (_, '{') if self.waiting => (self.open, self.waiting, self.depth) = (true, false, 0),
                (_, ';' | ')' | ',' | '{') => self.waiting = false,
                _ => {}
            }
            word.clear();
        }
    }
}

/// The text of `constants.tsv`.
fn emit(found: &Found, (version, old): &(String, String)) -> String {
    let mut out = format!(
        "# Integer constants of the kernel's exported headers, Linux {version} (Debian's linux-libc-dev; below asm {old} for s390's 31-bit ABI), and of kernel-internal.h, evaluated by clang for each ABI. Name, header, then the value, or values by ABI where they differ or some lack the name. Made by `cargo xtask harvest --headers DIR --headers DIR`.\n"
    );
    for (name, (header, values)) in found {
        let _ = write!(out, "{name}\t{header}");
        if values.iter().all(|value| *value == values[0]) {
            let _ = writeln!(out, "\t{}", values[0].unwrap_or_default());
            continue;
        }
        let mut by_value: Vec<(i128, Vec<&str>)> = Vec::new();
        for (value, target) in values.iter().zip(&TARGETS) {
            let Some(value) = value else { continue };
            match by_value.iter_mut().find(|(seen, _)| seen == value) {
                Some((_, abis)) => abis.push(target.abi),
                None => by_value.push((*value, vec![target.abi])),
            }
        }
        for (value, abis) in by_value {
            let _ = write!(out, "\t{}={value}", abis.join(","));
        }
        out.push('\n');
    }
    out
}
