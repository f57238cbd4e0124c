//! `kpolc import`: each `import/NAME.json`, or listing of BPF `import/NAME.asm`, with the policy that it becomes, `import/NAME.kpol`; and the profiles of the
//! corpus, whole.
//!
//! `UPDATE=1 cargo test -p kpol-compiler --test import` writes the policies anew: read the difference like code.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use kpol_compiler::answer::first_owned;
use kpol_compiler::answer::import::{Imported, Options, import};
use kpol_compiler::bpf::{self, ByteOrder, Program};
use kpol_compiler::diagram::{Function, Store};
use kpol_compiler::driver;
use kpol_compiler::emit::asm;
use kpol_compiler::oci::runtime::Dialect;
use kpol_compiler::oci::{self, prove};
use kpol_compiler::source::Memory;
use kpol_compiler::spec::Arch;

fn made(path: &Path, options: &Options) -> Imported {
    let name = path.file_name().unwrap().to_str().unwrap();
    import(name, &bytes(path), options).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What is in a file; of a listing, the instructions.
fn bytes(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    if path.extension().is_none_or(|extension| extension != "asm") {
        return bytes;
    }
    let program = asm::assemble(std::str::from_utf8(&bytes).unwrap());
    program.unwrap_or_else(|| panic!("{}: not a listing", path.display())).to_bytes(ByteOrder::Little)
}

#[test]
fn each_file_becomes_the_policy_beside_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import");
    let mut wrong = Vec::new();
    let mut count = 0;
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.extension().is_none_or(|extension| extension != "json" && extension != "jsonc" && extension != "asm") {
            continue;
        }
        count += 1;
        let text = made(&path, &Options::default()).text;
        let beside = path.with_extension("kpol");
        if fs::read_to_string(&beside).is_ok_and(|known| known == text) {
            continue;
        }
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&beside, text).unwrap();
        } else {
            wrong.push(format!("{} is not what comes of it now:\n{text}", beside.display()));
        }
    }
    assert!(count > 4);
    assert!(wrong.is_empty(), "{}\nUPDATE=1 writes them anew", wrong.join("\n"));
}

#[test]
fn filters_of_other_makers_go_round() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import");
    for maker in ["chromium", "kafel", "minijail", "firejail", "systemd", "systemd-x32"] {
        let path = folder.join(maker).with_extension("asm");
        let imported = made(&path, &Options::default());
        // By the doors that a user has: the policy built to BPF, and both programs run on symbols.
        let loader = Memory::from([("/p/it.kpol", imported.text.as_str())]);
        let formats = [driver::Format::Bpf];
        let (checked, products) =
            driver::build(&loader, Path::new("/p/it.kpol"), &driver::Options::default(), &formats);
        assert!(!checked.has_errors(), "{maker}: {:?}", checked.diagnostics);
        let mut store = Store::default();
        let mut read = |bytes: &[u8]| {
            let program = Program::from_bytes(bytes, ByteOrder::Little).unwrap();
            bpf::read(&mut store, &program, &imported.proven).unwrap().function
        };
        let (theirs, ours) = (read(&bytes(&path)), read(&products[0].bytes));
        for &arch in &imported.proven {
            theirs.tables[&arch].zip(&ours.tables[&arch], |range, theirs, ours| {
                // The last number is no call: a tracer leaves it where one is to be skipped.
                let call = first_owned(arch, &range).filter(|nr| nr.0 != u32::MAX);
                assert!(theirs == ours || call.is_none(), "{maker} on {arch}: {call:?}");
            });
        }
    }
}

/// The folder of real profiles; `None`, loudly, where it is missing.
fn corpus() -> Option<PathBuf> {
    let shared = std::env::var_os("KPOL_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let corpus = shared.join("corpus");
    if !corpus.is_dir() {
        eprintln!("SKIPPED: no corpus at {}", corpus.display());
        return None;
    }
    Some(corpus)
}

/// By the doors that a user has, not by those of the import: the policy compiled, the profile loaded on each host.
fn same(path: &Path, text: &str, archs: &[Arch], dialect: Dialect) {
    let mut store = Store::default();
    let loader = Memory::from([("/p/it.kpol", text)]);
    let (diagnostics, policy) =
        driver::compile(&loader, Path::new("/p/it.kpol"), &driver::Options::default(), &mut store);
    let policy = policy.unwrap_or_else(|| panic!("{diagnostics:?}"));
    let (profile, _) = oci::read_lenient(&fs::read(path).unwrap()).unwrap();
    let mut loaded = Function::default();
    for &host in archs.iter().filter(|arch| arch.native() == **arch) {
        loaded.tables.extend(oci::runtime::load(&mut store, &profile, host, None, dialect).unwrap().function.tables);
    }
    assert!(policy.function.tables.keys().eq(archs), "{:?}", policy.archs);
    for (&arch, table) in &policy.function.tables {
        assert!(prove::same(arch, table, &loaded.tables[&arch]), "{arch} of {}", path.display());
    }
}

#[test]
fn every_profile_of_the_corpus_goes_round() {
    let Some(corpus) = corpus() else { return };
    let mut count = 0;
    for path in fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()) {
        if path.extension().is_none_or(|extension| extension != "json" && extension != "jsonc") {
            continue;
        }
        count += 1;
        let dialect = if path.ends_with("moby-default.json") { Dialect::Moby } else { Dialect::Containers };
        let imported = made(&path, &Options::default());
        same(&path, &imported.text, &imported.proven, dialect);
        // Other machines, other calls: s390x swaps arguments, and has its own order of bytes.
        for archs in [vec![Arch::S390x, Arch::S390], vec![Arch::Riscv64], vec![Arch::Mips64, Arch::Mips]] {
            let options = Options { archs: Some(archs.clone()), ..Options::default() };
            let Ok(imported) = import("it", &fs::read(&path).unwrap(), &options) else { continue };
            same(&path, &imported.text, &imported.proven, dialect);
        }
    }
    assert!(count >= 5, "{count} profiles");
}

#[test]
fn what_comes_of_dockers_default_is_what_a_person_would_write() {
    let Some(corpus) = corpus() else { return };
    let text = made(&corpus.join("moby-default.json"), &Options::default()).text;
    assert!(text.lines().count() < 110, "{} lines:\n{text}", text.lines().count());
    for part in [
        "@file-system except { file_getattr, file_setattr, oldfstat, oldlstat, oldstat }",
        "allow { clone(clone_flags & NAMESPACES == 0) }",
        "`socket(0x100000028, …)`, which is `socket(AF_VSOCK, …)` to the kernel",
        "`allow { socket(family not in {AF_ALG, AF_VSOCK}) }`",
        "// kpol: allow(W004)",
        "allow { socket(reg0 not in {AF_ALG, AF_VSOCK}) }",
        "when kernel >= 4.8 { allow { process_vm_readv, process_vm_writev, ptrace } }",
        "when cap CAP_SYS_MODULE { allow { @module } }",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}
