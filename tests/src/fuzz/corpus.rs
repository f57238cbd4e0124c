//! What the mutations begin with: everything that the project has of each form.

use std::fs;
use std::path::Path;

use kpol_compiler::driver::{Format, Options, build};
use kpol_compiler::source::Disk;

use crate::case::Case;

fn collect(folder: &Path, corpus: &mut Vec<String>) {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let end = path.extension().and_then(|end| end.to_str()).unwrap_or("");
        if path.is_dir() {
            collect(&path, corpus);
        } else if end == "kpol" {
            corpus.push(fs::read_to_string(&path).unwrap());
        } else if end == "case" {
            let case = Case::parse(&fs::read_to_string(&path).unwrap());
            corpus.extend(case.files.into_iter().filter(|(name, _)| name.ends_with(".kpol")).map(|(_, text)| text));
        }
    }
}

/// Policies: of the cases, the examples and the library.
pub fn policies() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut corpus = Vec::new();
    for folder in ["tests/cases", "grammar/tests/cases", "examples", "compiler/library/base", "compiler/library/guard"]
    {
        collect(&root.join(folder), &mut corpus);
    }
    assert!(corpus.len() > 100);
    corpus
}

/// What some policies are built to.
pub fn products(format: Format) -> Vec<Vec<u8>> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let options =
        Options { caps: Some(Default::default()), kernel: Some("6.1".parse().unwrap()), ..Options::default() };
    let mut products = Vec::new();
    for name in ["kios-example.kpol", "batch-job.kpol", "audit.kpol"] {
        let (_, made) = build(&Disk, &examples.join(name), &options, &[format]);
        products.extend(made.into_iter().map(|product| product.bytes));
    }
    products
}

/// Calls, as they are asked about.
pub fn calls() -> Vec<String> {
    [
        "socket(AF_ALG, _, 0)",
        "socket(family in {AF_UNIX, AF_INET}, type & SOCK_TYPE_MASK == SOCK_RAW, protocol = 0)",
        "openat(AT_FDCWD, _, O_RDWR | O_CLOEXEC, 0o644)",
        "lseek(3, -1, whence not in {SEEK_SET, SEEK_END})",
        "clone(clone_flags & (CLONE_NEWUSER | CLONE_NEWNS) != 0)",
        "ioctl(fd < 3 && !(cmd == TIOCSTI || cmd in {1, 5..9}), reg5 >= 0x1_0000_0000)",
        "mmap(0, 4096, prot & PROT_EXEC == PROT_EXEC && prot & PROT_WRITE == PROT_WRITE)",
        "fchmod(mode = 0o4755)",
        "personality(0xffffffff)",
        "41(1, 2, 3)",
        "close(-1)",
        "type=1326 audit(1700000000.123:456): auid=0 uid=0 gid=0 ses=1 pid=1 comm=\"x\" exe=\"/x\" sig=0 arch=c000003e \
         syscall=41 compat=0 ip=0x7f0000000000 code=0x50000 a0=26",
    ]
    .map(str::to_owned)
    .to_vec()
}
