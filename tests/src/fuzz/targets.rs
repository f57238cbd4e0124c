//! The targets: each takes anything, and fails where something does not hold.

use std::path::Path;

use kpol_compiler::answer::call::{self as question, Question};
use kpol_compiler::answer::import::{self, ImportError, import};
use kpol_compiler::answer::log::Reader;
use kpol_compiler::answer::words;
use kpol_compiler::bpf::{self as filter, ByteOrder, Program, SeccompData};
use kpol_compiler::diagram::{Leaf, Node, Store};
use kpol_compiler::driver::{Format, Options, build, check, load};
use kpol_compiler::oci;
use kpol_compiler::source::Memory;
use kpol_compiler::spec::{Arch, Call, Environment, Nr};
use kpol_compiler::tables;

use crate::case::{laws, proven};

/// The parser and the formatter.
///
/// # Panics
/// Where something does not hold.
pub fn parser(text: &str) {
    let parsed = kpol_grammar::parse_tree(text);
    for id in parsed.tree.tokens() {
        assert!(text.get(parsed.tree.span(id).range()).is_some(), "a token outside of the text");
    }
    let (file, errors) = kpol_grammar::parse(text);
    for error in &errors {
        assert!(text.get(error.span.range()).is_some(), "outside of the text: {error:?}");
        assert!(!error.message.is_empty() && !error.message.contains('\n'), "{error:?}");
        if let Some((_, span, _)) = &error.fix {
            assert!(text.get(span.range()).is_some(), "a fix outside of the text: {error:?}");
        }
    }
    match kpol_grammar::format(text) {
        None => assert!(!errors.is_empty(), "no errors, and not formatted"),
        Some(formatted) => {
            assert!(errors.is_empty(), "formatted in spite of {errors:?}");
            assert_eq!(kpol_grammar::format(&formatted).as_ref(), Some(&formatted), "formatting twice is not once");
            let (again, _) = kpol_grammar::parse(&formatted);
            assert!(kpol_grammar::same_meaning(&file, &again), "formatting changes the meaning");
        }
    }
}

/// Everything from the text to its products.
///
/// # Panics
/// Where something does not hold.
pub fn front_end(text: &str) {
    let memory = Memory::from([("main.kpol", text)]);
    let main = Path::new("main.kpol");
    let formats = [Format::Json, Format::Bpf];
    let checked = check(&memory, main, &Options::default(), &formats);
    for diagnostic in &checked.diagnostics {
        laws(&checked.sources, diagnostic);
        assert_ne!(diagnostic.code.as_str(), "E099", "{diagnostic:?}");
    }
    // Capabilities and kernel settled, so that nothing stands in the way of BPF.
    let settled =
        Options { caps: Some(Default::default()), kernel: Some("6.1".parse().unwrap()), ..Options::default() };
    for format in formats {
        let (checked, products) = build(&memory, main, &settled, &[format]);
        checked.diagnostics.iter().for_each(|diagnostic| laws(&checked.sources, diagnostic));
        assert!(checked.diagnostics.iter().all(|found| found.code.as_str() != "E099"), "{:?}", checked.diagnostics);
        assert_eq!(products.is_empty(), checked.has_errors(), "a product if and only if there is no error");
        products.iter().for_each(|product| proven(&checked, product));
    }
}

/// ABIs whose registers, byte orders and multiplexers differ.
const ARCHS: [Arch; 4] = [Arch::X86_64, Arch::X86, Arch::Aarch64, Arch::S390x];

/// A call as a person writes it, or lines of a log or of strace: what `kpolc why` is asked.
///
/// # Panics
/// Where something does not hold.
pub fn call(text: &str) {
    let known = |name: &str| tables::syscall(name).is_some();
    let (mut reader, mut found) = (Reader::default(), Vec::new());
    text.split('\n').for_each(|line| reader.line(line, &known, &mut |question| found.push(question)));
    reader.finish(&known, &mut |question| found.push(question));
    assert!(reader.none <= reader.lines && (reader.none > 0) == reader.first.is_some());
    found.iter().take(3).for_each(|question| one_call(question, ""));
    match question::parse(text) {
        Ok(asked) => one_call(&asked, text),
        Err(why) => assert!(!why.is_empty(), "no word of what is wrong"),
    }
}

fn one_call(asked: &Question, text: &str) {
    // A nearest name is a name.
    assert!(asked.near().is_none_or(|near| tables::syscall(near).is_some()));
    let mut store = Store::default();
    for arch in ARCHS {
        let Ok(Some(pattern)) = asked.on(arch, &|_| None) else { continue };
        let places = (0..pattern.policy.len()).filter_map(|at| pattern.in_question(at..at + 1));
        places.for_each(|place| assert!(place.end <= text.len(), "a place beside the question: {place:?}"));
        let set = match load::calls(&pattern.policy, arch, pattern.nr, &mut store) {
            Ok(set) => set,
            Err(wrong) => {
                let (sources, found) = *wrong;
                assert!(!found.is_empty(), "refused without a word: {}", pattern.policy);
                found.iter().for_each(|diagnostic| laws(&sources, diagnostic));
                continue;
            }
        };
        let Some(name) = tables::syscall_at(arch, pattern.nr).map(tables::Syscall::name) else { continue };
        let cases = words::cases(&mut store, arch, Some(name), set);
        let mut again = Node::FALSE;
        for case in &cases.cases {
            assert!(case.when.is_empty(), "a condition that nobody asked for: {case:?}");
            let policy = format!("arch {arch}\ndefault kill\nallow {{ {} }}\n", case.pattern(name));
            let part = load::calls(&policy, arch, pattern.nr, &mut store);
            let part = part.unwrap_or_else(|wrong| panic!("{policy} is refused: {:?}", wrong.1));
            again = store.or(again, part);
        }
        assert!(!cases.complete || again == set, "{:?} in words is another set: {cases:?}", pattern.policy);
    }
}

/// What holds of the policy that is made of a filter in any form.
fn imported(bytes: &[u8]) {
    match import("fuzz", bytes, &import::Options::default()) {
        Ok(made) => {
            assert!(!made.proven.is_empty() || !made.doubts.is_empty(), "proven for nothing");
            assert_eq!(kpol_grammar::format(&made.text).as_ref(), Some(&made.text), "not in style");
        }
        Err(ImportError::Differs(why)) => panic!("the policy does not mean the filter: {why}"),
        Err(why) => assert!(!why.to_string().is_empty()),
    }
}

/// A profile in JSON.
///
/// # Panics
/// Where something does not hold.
pub fn json(bytes: &[u8]) {
    if oci::read(bytes).is_ok() {
        assert!(oci::read_lenient(bytes).is_ok(), "the lenient reader refuses what the strict one takes");
    }
    let files = Memory::from([("fuzz.json", bytes)]);
    let mut store = Store::default();
    match load::load(&files, Path::new("fuzz.json"), &Options::default(), &mut store) {
        Ok(opened) => assert!(opened.filter.is_some(), "neither a filter nor a word of what is wrong"),
        Err(why) => assert!(!why.is_empty()),
    }
    imported(bytes);
}

/// A filter in raw instructions.
///
/// # Panics
/// Where something does not hold.
pub fn bpf(bytes: &[u8]) {
    let Ok(program) = Program::from_bytes(bytes, ByteOrder::Little) else { return };
    assert_eq!(program.to_bytes(ByteOrder::Little), bytes, "other bytes than were read");
    assert!(filter::list(&program).lines().count() >= program.len());
    let archs = [Arch::X86_64, Arch::X86, Arch::Aarch64];
    let mut store = Store::default();
    if let Ok(reading) = filter::read(&mut store, &program, &archs) {
        // What the program compares with is where its answers change.
        let mut edges: Vec<u32> = program.0.iter().flat_map(|insn| [insn.k, insn.k.wrapping_add(1)]).collect();
        edges.sort_unstable();
        edges.dedup();
        edges.truncate(32);
        for (index, &value) in edges.iter().enumerate() {
            for arch in archs.into_iter().filter(|arch| arch.owns(Nr(value))) {
                let width = u64::MAX >> (64 - u32::from(arch.bits()));
                let high = u64::from(edges[(index * 7 + 3) % edges.len()]) << 32;
                let args = [0u64; 6].map(|_| (high | u64::from(edges[(index * 5 + 1) % edges.len()])) & width);
                let call = Call { arch, nr: Nr(value), args };
                let run = filter::run(&program, &SeccompData::new(&call)).expect("checked by `read`");
                let node = reading.function.at(arch, Nr(value));
                let said = store.at(node, &Environment::default(), &args);
                assert_eq!(said, Leaf::Act(run.action()), "{call:?}\n{}", filter::list(&program));
            }
        }
    }
    imported(bytes);
}
