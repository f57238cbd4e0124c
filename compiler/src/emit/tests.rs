//! Texts of programs, as those who read or compile them meet them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::path::Path;

use super::{asm, c};
use crate::bpf::{ByteOrder, Program};
use crate::diagnostic::Code;
use crate::driver::{Format, Options, build};
use crate::source::Memory;

/// The products of a policy in files, of which the first is built.
fn made(files: &[(&str, &str)], options: &Options, formats: &[Format]) -> Vec<Vec<u8>> {
    let mut memory = Memory::default();
    files.iter().for_each(|(name, text)| memory.insert(*name, text.as_bytes()));
    let (checked, products) = build(&memory, Path::new(files[0].0), options, formats);
    assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
    products.into_iter().map(|product| product.bytes).collect()
}

fn text(files: &[(&str, &str)], format: Format) -> String {
    String::from_utf8(made(files, &Options::default(), &[format]).remove(0)).unwrap()
}

const WEB: &str = "include \"base.kpol\"\narch x86_64\ndefault deny\n\
    allow {\n    socket(family == AF_UNIX, type & SOCK_TYPE_MASK == SOCK_STREAM),\n    openat(flags & O_CREAT == 0),\n}\n";
const BASE: &str = "group @start { execve, exit_group }\n\nallow { @start }\n";

#[test]
fn a_listing_names_calls_and_the_rules_that_decide() {
    let listing = text(&[("web.kpol", WEB), ("base.kpol", BASE)], Format::Asm);
    let said = |words: &str, note: &str| {
        let found = listing.lines().any(|line| line.contains(words) && line.ends_with(note));
        assert!(found, "no `{words}` with `{note}` in\n{listing}");
    };
    assert!(listing.starts_with("; web.kpol: a seccomp filter, made by kpolc\n"), "{listing}");
    said("jeq  #0xc000003e", "; x86_64");
    said("ld   [16]", "; socket: family");
    said("jeq  #0x1", "; socket: family == AF_UNIX  <- web.kpol:5");
    said("and  #0xf", "; socket: type & SOCK_TYPE_MASK");
    said("jset #0x40", "; openat: flags & O_CREAT  <- web.kpol:6");
    said(
        "ret  #0x7fff0000",
        "; allow: execve, exit_group, openat and socket  <- base.kpol:3 @start, web.kpol:5 and web.kpol:6",
    );
    said("ret  #0x80000000", "; kill");
}

#[test]
fn texts_are_the_program() {
    let formats = [Format::Bpf, Format::Asm, Format::C];
    let products = made(&[("web.kpol", WEB), ("base.kpol", BASE)], &Options::default(), &formats);
    let program = Program::from_bytes(&products[0], ByteOrder::Little).unwrap();
    let of = |index: usize| std::str::from_utf8(&products[index]).unwrap();
    assert_eq!(asm::assemble(of(1)).as_ref(), Some(&program));
    assert_eq!(c::read(of(2)).as_ref(), Some(&program));
    for nonsense in
        ["", "x", "ld [", "jeq #1, l1, l2", "ret #0x1 extra:", "l1: jmp l1", "] = {\n    /* 0 */ { x }, /* */\n};\n"]
    {
        let read = asm::assemble(nonsense).filter(|program| !program.is_empty());
        assert!(read.is_none() && c::read(nonsense).is_none(), "{nonsense}");
    }
}

#[test]
fn no_name_of_a_file_breaks_out_of_a_comment() {
    let policy = "arch x86_64\ndefault deny\nallow { execve }\n";
    for name in ["a*/int x;/*b.kpol", "two\nlines.kpol", "??/.kpol", "\u{202e}l.kpol", "9.kpol", ".kpol", "größe.kpol"]
    {
        let header = text(&[(name, policy)], Format::C);
        assert_eq!(header.matches("*/").count(), header.matches("/*").count(), "{header}");
        assert!(!header.contains("??") && !header.contains('\u{202e}'), "{header}");
        let listing = text(&[(name, policy)], Format::Asm);
        assert!(listing.lines().take(4).all(|line| line.starts_with(';')), "{listing}");
        let question = text(&[(name, policy)], Format::Smt2);
        let before = question.split("(set-option").next().unwrap();
        assert!(before.lines().all(|line| line.starts_with(';')), "{question}");
        let graph = text(&[(name, policy)], Format::Dot);
        assert_eq!(graph.matches('{').count(), graph.matches('}').count(), "{graph}");
    }
    assert_eq!(c::identifier("conf/web.v2.kpol"), "web_v2");
    assert_eq!(c::identifier("9-lives.kpol"), "policy_9_lives");
    assert_eq!(c::identifier(".kpol"), "policy__kpol");
    assert_eq!(c::identifier("ö/ß"), "policy__");
}

#[test]
fn a_question_has_the_rules_as_they_are_written_and_the_bytes_of_the_filter() {
    let products = made(&[("web.kpol", WEB), ("base.kpol", BASE)], &Options::default(), &[Format::Bpf, Format::Smt2]);
    let question = std::str::from_utf8(&products[1]).unwrap();
    for part in [
        "; base.kpol:1  @start\n(define-fun group.start () Bool (or call.execve call.exit_group))\n",
        "; base.kpol:3  allow\n(define-fun rule.2 () Bool group.start)\n",
        "; web.kpol:4  allow\n",
        "(= ((_ extract 31 0) arg0) #x00000001) (= (bvand ((_ extract 31 0) arg1) #x0000000f) #x00000001))) ; socket(family == AF_UNIX,",
        "(define-fun call.openat () Bool (and abi.x86_64 (= nr #x00000101)))\n",
        "(define-fun policy.kill () Bool (not listed))\n",
        "\n(assert different)\n(check-sat)\n",
    ] {
        assert!(question.contains(part), "no {part} in\n{question}");
    }
    let code = |line: &str| line.split(';').next().unwrap_or_default().to_owned();
    let code: String = question.lines().map(code).collect();
    assert_eq!(code.matches('(').count(), code.matches(')').count(), "{question}");
    let rows = question.lines().filter_map(|line| line.strip_prefix("; insn ")?.split_once(": "));
    let bytes = rows.flat_map(|(_, row)| row.split("  ").next().unwrap().split(' '));
    let bytes: Vec<u8> = bytes.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    assert_eq!(bytes, products[0]);
}

#[test]
fn a_question_leaves_open_what_no_option_says() {
    let policy = "arch x86_64\ndefault deny\nallow { execve }\n\
        when cap CAP_CHOWN { deny { chown } }\nwhen not kernel >= 5.11 { deny { clone3 } }\n";
    let open = text(&[("p.kpol", policy)], Format::Smt2);
    assert!(open.contains("(declare-const cap.CAP_CHOWN Bool)\n"), "{open}");
    assert!(open.contains("(declare-const kernel (_ BitVec 16))\n"), "{open}");
    assert!(open.contains("(define-fun rule.3 () Bool (and (not (bvuge kernel #x050b)) call.clone3))"), "{open}");
    assert!(open.ends_with(" arg5 cap.CAP_CHOWN kernel))\n"), "{open}");
    let options = Options { caps: Some(BTreeSet::new()), kernel: Some("6.1".parse().unwrap()), ..Options::default() };
    let settled = String::from_utf8(made(&[("p.kpol", policy)], &options, &[Format::Smt2]).remove(0)).unwrap();
    assert!(settled.contains("(define-fun cap.CAP_CHOWN () Bool false)\n"), "{settled}");
    assert!(settled.contains("(define-fun kernel () (_ BitVec 16) #x0601)\n"), "{settled}");
    assert!(settled.ends_with(" arg5))\n"), "{settled}");
}

#[test]
fn a_graph_asks_whole_arguments_and_shows_what_was_asked_for() {
    let files = [("web.kpol", WEB), ("base.kpol", BASE)];
    let graph = text(&files, Format::Dot);
    for part in [
        "label=\"socket (41 on x86_64)\"",
        "[label=\"family\"]",
        "[label=\"== AF_UNIX\"]",
        "[label=\"type & SOCK_TYPE_MASK\"]",
        "[label=\"flags & O_CREAT\"]",
        "2 calls on x86_64\\lexecve, exit_group\\l",
        "[label=\"all other calls\"]",
    ] {
        assert!(graph.contains(part), "no {part} in\n{graph}");
    }
    let options = |call: &str| Options { calls: BTreeSet::from([call.to_owned()]), ..Options::default() };
    let socket = made(&files, &options("socket"), &[Format::Dot]).remove(0);
    let socket = String::from_utf8(socket).unwrap();
    assert!(socket.contains("socket (41") && !socket.contains("openat"), "{socket}");

    let mut memory = Memory::default();
    files.iter().for_each(|(name, text)| memory.insert(*name, text.as_bytes()));
    let (checked, products) = build(&memory, Path::new("web.kpol"), &options("sokcet"), &[Format::Dot]);
    assert!(products.is_empty());
    assert_eq!(checked.diagnostics[0].code, Code::E030);
    assert_eq!(checked.diagnostics[0].help.as_deref(), Some("did you mean `--call socket`?"));
}

#[test]
fn one_mistake_is_one_finding_for_all_texts_of_a_program() {
    let mut memory = Memory::default();
    memory.insert("p.kpol", "arch x86_64, s390x\ndefault deny\nallow { execve }\n");
    let formats = [Format::Bpf, Format::Asm, Format::C, Format::Smt2];
    let (checked, _) = build(&memory, Path::new("p.kpol"), &Options::default(), &formats);
    let codes: Vec<Code> = checked.diagnostics.iter().map(|found| found.code).collect();
    assert_eq!(codes, [Code::E055]);
}
