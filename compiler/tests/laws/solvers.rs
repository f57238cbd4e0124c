//! Programs of others say that a filter means its policy: z3, cvc5 and bitwuzla, on `--emit smt2`.
//!
//! ```text
//! a policy and its filter                unsat
//! the same filter, broken on purpose     unsat, and our own proof accepts it too
//!                                        sat, and the call of the model gets one answer by the policy and another by the filter
//! ```
//!
//! `KPOL_SOLVERS=10` tries ten times as many policies and mutants.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kpol_compiler::bpf::{self, ByteOrder, Insn, Program as Filter, SeccompData, op};
use kpol_compiler::diagnostic::Severity;
use kpol_compiler::driver::{self, Checked, Format, Options};
use kpol_compiler::emit::smt2::{self, Question};
use kpol_compiler::library;
use kpol_compiler::source::{Disk, Loader};
use kpol_compiler::spec::{Action, Arch, Call, Environment, Nr};

use super::choices::Stream;
use super::mutants::broken_filter;
use super::program::{Shape, program};
use super::sample;
use super::world::{ROOT, World, compiled, path};

fn factor() -> u64 {
    std::env::var("KPOL_SOLVERS").ok().map_or(1, |text| text.parse().expect("a number"))
}

/// A Python that has the solvers.
fn python() -> Option<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    let own = target.join("kpol-tests/python/bin/python");
    let python = if own.is_file() { own } else { PathBuf::from("python3") };
    let has = Command::new(&python).args(["-c", "import z3, cvc5, bitwuzla"]).stderr(Stdio::null()).status();
    if has.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    assert!(std::env::var_os("KPOL_NO_SKIP").is_none(), "no z3, cvc5 and bitwuzla for Python");
    eprintln!("SKIPPED: no z3, cvc5 and bitwuzla for Python: see tests/setup.sh");
    None
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace").to_owned()
}

/// What a solver answers of each file.
fn answers(python: &Path, solver: &str, files: &[PathBuf]) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/laws/solve.py");
    let mut child = Command::new(python)
        .arg(script)
        .arg(solver)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a solver");
    let names: String = files.iter().map(|file| format!("{}\n", file.display())).collect();
    let mut input = child.stdin.take().expect("a pipe");
    let feed = std::thread::spawn(move || input.write_all(names.as_bytes()));
    let output = child.wait_with_output().expect("an end");
    feed.join().expect("a thread").expect("a pipe");
    assert!(output.status.success(), "{solver} ended with {}", output.status);
    let answers: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(answers.len(), files.len(), "{solver} answers each question");
    answers
}

/// Two halves at once.
fn answers_by_two(python: &Path, solver: &str, files: &[PathBuf]) -> Vec<String> {
    let (one, other) = files.split_at(files.len() / 2);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| answers(python, solver, one));
        let second = answers(python, solver, other);
        let mut all = first.join().expect("a thread");
        all.extend(second);
        all
    })
}

/// A policy with its filter.
struct Subject {
    name: String,
    /// Where it is a file on the disk.
    path: Option<PathBuf>,
    options: Options,
    checked: Checked,
    filter: Filter,
    text: String,
}

/// `None` where raw BPF cannot say it, which is an error that names its reason.
fn subject(name: String, loader: &dyn Loader, path: &Path, options: Options) -> Option<Subject> {
    let (checked, products) = driver::build(loader, path, &options, &[Format::Bpf, Format::Smt2]);
    let errors = checked.diagnostics.iter().filter(|found| found.severity == Severity::Error);
    let codes: Vec<&str> = errors.map(|found| found.code.as_str()).collect();
    if !codes.is_empty() {
        assert!(
            codes.iter().all(|code| ["E020", "E052", "E054", "E055", "E056", "E081"].contains(code)),
            "{codes:?}: {name}"
        );
        return None;
    }
    let [program, text] = products.as_slice() else { panic!("two products: {name}") };
    let filter = Filter::from_bytes(&program.bytes, order(&checked)).expect("a filter");
    let text = String::from_utf8(text.bytes.clone()).expect("a text");
    Some(Subject { name, path: None, options, checked, filter, text })
}

fn archs(checked: &Checked) -> &[Arch] {
    &checked.compiled.as_ref().expect("a meaning").policy.archs
}

fn order(checked: &Checked) -> ByteOrder {
    if archs(checked).iter().any(|arch| arch.is_big_endian()) { ByteOrder::Big } else { ByteOrder::Little }
}

impl Subject {
    /// The question about another filter.
    fn about(&self, filter: &Filter) -> String {
        let made = self.checked.compiled.as_ref().expect("a meaning");
        let question = Question {
            file: "mutant",
            graph: &made.graph,
            sources: &self.checked.sources,
            archs: &made.policy.archs,
            caps: self.options.caps.as_ref(),
            kernel: self.options.kernel,
            bytes: &filter.to_bytes(order(&self.checked)),
        };
        smt2::write(&question).unwrap_or_else(|why| panic!("{why:?}: {}\n{}", self.name, bpf::list(filter)))
    }

    /// What the policy says of a call, and what a filter does.
    fn both(&self, filter: &Filter, [arch, nr, pointer, args @ ..]: [u64; 9]) -> (Action, Action) {
        let made = self.checked.compiled.as_ref().expect("a meaning");
        let (token, nr) = (u32::try_from(arch).expect("a token"), Nr(u32::try_from(nr).expect("a number")));
        let known = made.policy.archs.iter().find(|arch| arch.audit_token() == token && arch.owns(nr));
        let says = known.map_or(Action::KillProcess, |&arch| {
            compiled(&made.store, &made.policy.function, &Call { arch, nr, args }, &Environment::default())
        });
        let big = order(&self.checked) == ByteOrder::Big;
        let mut data = SeccompData::from_parts(nr.0, token, big, args);
        let (low, high) = (pointer as u32, (pointer >> 32) as u32);
        [data.0[2], data.0[3]] = if big { [high, low] } else { [low, high] };
        (says, bpf::run(filter, &data).expect("the kernel would take it").action())
    }

    /// What the command line says of a call, under the policy's own file.
    fn ask_why(&self, model: &[u64], says: Action) {
        let (Some(path), [token, nr, _, args @ ..]) = (&self.path, model) else { return };
        let owns = |arch: &&Arch| {
            u64::from(arch.audit_token()) == *token && u32::try_from(*nr).is_ok_and(|nr| arch.owns(Nr(nr)))
        };
        let Some(arch) = archs(&self.checked).iter().find(owns) else { return };
        let args: Vec<String> = args.iter().map(u64::to_string).collect();
        let call = format!("{nr}({})", args.join(", "));
        let output = Command::new(env!("CARGO_BIN_EXE_kpolc"))
            .arg("why")
            .arg(path)
            .args([&call, "--arch", arch.name(), "--cap", "none", "--kernel", "6.1"])
            .output()
            .expect("kpolc");
        let said = String::from_utf8(output.stdout).unwrap();
        let first = said.lines().next().unwrap_or_default();
        assert!(first.ends_with(&format!("on {arch}: {says}")), "{says} is said of {call}, and `why` says: {said}");
    }
}

/// Examples and profiles of the library; those that are there to be included get a default.
fn real() -> Vec<Subject> {
    let options = Options {
        caps: Some(Default::default()),
        kernel: Some("6.1".parse().unwrap()),
        include_dirs: vec![workspace().join("examples")],
        ..Options::default()
    };
    let mut subjects = Vec::new();
    let mut paths: Vec<_> =
        std::fs::read_dir(workspace().join("examples")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "kpol"));
    paths.sort();
    for path in paths {
        let example = subject(path.display().to_string(), &Disk, &path, options.clone());
        subjects.extend(example.map(|example| Subject { path: Some(path), ..example }));
    }
    assert!(subjects.len() >= 7, "the examples");
    let before = subjects.len();
    for file in library::files().iter().filter(|file| !file.is_groups()) {
        let root = format!("include <{}>\noverride default deny\n", file.name);
        let world = World::from(root.as_str());
        subjects.extend(subject(file.name.to_string(), &world.memory(), &path(ROOT), options.clone()));
    }
    assert!(subjects.len() >= before + 7, "the library");
    subjects
}

fn random(seed: u64) -> Option<Subject> {
    let mut stream = Stream(seed);
    let numbers = (0..stream.below(160)).map(|_| stream.next() as u16).collect();
    let shape = Shape { environment: seed % 4 < 1, declared: seed % 3 < 1, ..Shape::default() };
    let program = program(numbers, shape, ROOT, None);
    let world = World::from(&program);
    let environment = sample::environment(&program, &mut stream);
    let options = Options { caps: Some(environment.caps), kernel: Some(environment.kernel), ..Options::default() };
    subject(format!("seed {seed}\n{world}"), &world.memory(), &path(ROOT), options)
}

fn put(folder: &Path, name: String, text: &str) -> PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file
}

/// Mutants that the kernel would take.
fn mutants(subject: &Subject, stream: &mut Stream, count: usize) -> Vec<Filter> {
    let all = std::iter::repeat_with(|| broken_filter(&subject.filter, stream).1);
    all.filter(|mutant| *mutant != subject.filter && bpf::check(mutant).is_ok()).take(count).collect()
}

/// Asks z3 about each mutant, and looks at what it says.
fn judge(python: &Path, folder: &Path, subjects: Vec<(Subject, Vec<Filter>)>) -> (usize, usize) {
    let mut files = Vec::new();
    for (index, (subject, mutants)) in subjects.iter().enumerate() {
        for (number, mutant) in mutants.iter().enumerate() {
            files.push(put(folder, format!("m{index}-{number}.smt2"), &subject.about(mutant)));
        }
    }
    let mut said = answers_by_two(python, "z3", &files).into_iter();
    let (mut changed, mut same) = (0, 0);
    for (mut subject, mutants) in subjects {
        for mutant in mutants {
            let said = said.next().expect("an answer");
            let about = || format!("{}\n{}", subject.name, bpf::list(&mutant));
            match said.strip_prefix("sat ") {
                Some(model) => {
                    let model: Vec<u64> = model.split(' ').map(|word| word.parse().expect("a number")).collect();
                    let (says, does) = subject.both(&mutant, model.clone().try_into().expect("a call"));
                    assert_ne!(says, does, "{model:?}: {}", about());
                    subject.ask_why(&model, says);
                    changed += 1;
                }
                None => {
                    assert_eq!(said, "unsat", "{}", about());
                    same += 1;
                }
            }
            let made = subject.checked.compiled.as_mut().expect("a meaning");
            let ours = bpf::prove(&mut made.store, &made.policy, &mutant);
            match ours {
                Ok(()) => assert_eq!(said, "unsat", "our proof accepts what z3 refutes"),
                Err(bpf::Disproof::Unreadable(_) | bpf::Disproof::Overflow) => {}
                Err(why) => assert_ne!(said, "unsat", "our proof refutes what z3 proves: {why}"),
            }
        }
    }
    (changed, same)
}

#[test]
fn three_solvers_prove_every_example_and_every_profile_of_the_library() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let subjects = real();
    let texts = subjects.iter().enumerate();
    let files: Vec<PathBuf> =
        texts.map(|(index, subject)| put(folder.path(), format!("{index}.smt2"), &subject.text)).collect();
    std::thread::scope(|scope| {
        let asked = ["z3", "cvc5", "bitwuzla"].map(|solver| {
            let (python, files) = (&python, &files);
            (solver, scope.spawn(move || answers(python, solver, files)))
        });
        for (solver, answers) in asked {
            for (subject, answer) in subjects.iter().zip(answers.join().expect("a thread")) {
                assert_eq!(answer, "unsat", "{solver}: {}", subject.name);
            }
        }
    });
    let mut stream = Stream(7);
    let count = 4 * factor() as usize;
    let broken = subjects.into_iter().map(|subject| {
        let mutants = mutants(&subject, &mut stream, count);
        (subject, mutants)
    });
    let (changed, same) = judge(&python, folder.path(), broken.collect());
    eprintln!("{changed} mutants of real filters changed, {same} did not");
    assert!(changed > same, "most mutants change something");
}

#[test]
fn solvers_prove_random_policies_and_refute_their_mutants() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let wanted = 500 * factor() as usize;
    let (mut proven, mut changed, mut same, mut seed) = (0, 0, 0, 0);
    // In portions, so that a long run does not fill the disk.
    while proven < wanted {
        let mut subjects = Vec::new();
        while subjects.len() < 100 {
            seed += 1;
            subjects.extend(random(seed));
        }
        let texts = subjects.iter().enumerate();
        let files: Vec<PathBuf> =
            texts.map(|(index, subject)| put(folder.path(), format!("{index}.smt2"), &subject.text)).collect();
        let some: Vec<PathBuf> = files.iter().step_by(10).cloned().collect();
        let asked = [("z3", &files, 1), ("cvc5", &some, 10), ("bitwuzla", &some, 10)];
        for (solver, files, step) in asked {
            let answers = answers_by_two(&python, solver, files);
            for (subject, answer) in subjects.iter().step_by(step).zip(answers) {
                assert_eq!(answer, "unsat", "{solver}: {}", subject.name);
            }
        }
        proven += subjects.len();
        let mut stream = Stream(seed);
        let broken = subjects.into_iter().map(|subject| {
            let mutants = mutants(&subject, &mut stream, 1);
            (subject, mutants)
        });
        let (more_changed, more_same) = judge(&python, folder.path(), broken.collect());
        (changed, same) = (changed + more_changed, same + more_same);
    }
    eprintln!("{proven} policies proven; of their mutants {changed} are changed, {same} mean the same");
    assert!(changed * 2 > same, "many mutants change something: {changed}, {same}");
}

/// A program of all kinds of instructions that the kernel would take.
fn any_filter(stream: &mut Stream) -> Filter {
    loop {
        let length = 3 + stream.below(14);
        let mut insns: Vec<Insn> = (0..length).map(|at| any_insn(length - at, stream)).collect();
        let end = if stream.below(3) == 0 { op::RET_K } else { op::RET_A };
        insns.push(Insn::statement(end, Action::Errno(7).to_ret()));
        let filter = Filter(insns);
        if bpf::check(&filter).is_ok() {
            return filter;
        }
    }
}

fn any_insn(left: usize, stream: &mut Stream) -> Insn {
    let small = *stream.one(&[0, 1, 2, 5, 31, 0xffff, 0x7fff_0000, 0x0005_0001, u32::MAX]);
    let operand = *stream.one(&[op::K, op::X]);
    let sign = *stream.one(&[op::ADD, op::SUB, op::MUL, op::DIV, op::OR, op::AND, op::LSH, op::RSH, op::XOR]);
    match stream.below(14) {
        0..=2 => Insn::statement(op::LD_ABS, 4 * stream.below(16) as u32),
        3 => Insn::statement(*stream.one(&[op::LD, op::LDX]) | op::IMM, small),
        4 => Insn::statement(*stream.one(&[op::LD, op::LDX]) | op::LEN, 0),
        5 => Insn::statement(*stream.one(&[op::LD, op::LDX]) | op::MEM, stream.below(2) as u32),
        6 => Insn::statement(*stream.one(&[op::ST, op::STX]), stream.below(2) as u32),
        7 => Insn::statement(op::MISC | *stream.one(&[op::TAX, op::TXA]), 0),
        8 => Insn::statement(op::ALU | op::NEG, 0),
        9 | 10 => Insn::statement(op::ALU | sign | operand, small),
        11 => Insn::statement(op::JUMP, stream.below(left) as u32),
        _ => {
            let test = *stream.one(&[op::JEQ, op::JGT, op::JGE, op::JSET]);
            Insn::jump(op::JMP | test | operand, small, stream.below(left) as u8, stream.below(left) as u8)
        }
    }
}

/// Our writers use few instructions; the text has to be right of all of them.
#[test]
fn instructions_of_every_kind_do_in_the_text_what_they_do() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let world = World::from("arch x86_64 default deny(EPERM) allow { execve }");
    let subject = subject("any".to_owned(), &world.memory(), &path(ROOT), Options::default()).expect("a filter");
    let mut stream = Stream(3);
    let (mut files, mut shown) = (Vec::new(), Vec::new());
    for index in 0..200 * factor() {
        let filter = any_filter(&mut stream);
        let args: [u64; 6] = std::array::from_fn(|_| stream.next() >> stream.below(64));
        let (nr, pointer) = (stream.below(400) as u64, stream.next());
        let call =
            [u64::from(Arch::X86_64.audit_token()), nr, pointer, args[0], args[1], args[2], args[3], args[4], args[5]];
        let (_, does) = subject.both(&filter, call);
        let text = subject.about(&filter);
        // The answers that the text speaks of; of others, which a register may hold, all of these are false.
        let names = text.lines().filter_map(|line| line.strip_prefix("(define-fun program.")?.split(' ').next());
        let symbol = match does {
            Action::Errno(data) | Action::Trap(data) | Action::Trace(data) => format!("{}.{data}", does.word()),
            _ => does.word().to_owned(),
        };
        let wrong: Vec<String> = names
            .map(|name| if name == symbol { format!("(not program.{name})") } else { format!("program.{name}") })
            .collect();
        let mut question = text.split("(assert different)").next().expect("a beginning").to_owned();
        for (name, value) in [("arch", call[0]), ("nr", nr)] {
            question.push_str(&format!("(assert (= {name} #x{value:08x}))\n"));
        }
        question.push_str(&format!("(assert (= instruction_pointer #x{pointer:016x}))\n"));
        for (register, value) in args.iter().enumerate() {
            question.push_str(&format!("(assert (= arg{register} #x{value:016x}))\n"));
        }
        question.push_str(&format!("(assert (or {}))\n(check-sat)\n", wrong.join(" ")));
        files.push(put(folder.path(), format!("{index}.smt2"), &question));
        shown.push(format!("{call:x?} gets {does}\n{}", bpf::list(&filter)));
    }
    for (answer, shown) in answers_by_two(&python, "z3", &files).iter().zip(shown) {
        assert_eq!(answer, "unsat", "{shown}");
    }
}

/// Commands of docs/audit.md, behind which stands what is answered; those whose solver is here.
#[test]
fn the_page_for_auditors_says_what_solvers_say() {
    let Some(python) = python() else { return };
    let page = std::fs::read_to_string(workspace().join("docs/audit.md")).unwrap();
    let block = |fence: &'static str| {
        let parts = page.split(fence).skip(1);
        parts.map(|rest| rest.split("```").next().expect("an end")).collect::<Vec<_>>()
    };
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "web.kpol".to_owned(), block("```kpol,web.kpol\n")[0]);
    let kpolc = Path::new(env!("CARGO_BIN_EXE_kpolc")).parent().expect("a folder");
    let mut search = vec![kpolc.to_owned(), python.parent().expect("a folder").to_owned()];
    search.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let search = std::env::join_paths(search).unwrap();
    let run = |command: &str| {
        let mut shell = Command::new("sh");
        let output = shell.args(["-c", command]).current_dir(folder.path()).env("PATH", &search).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    run("kpolc build -q web.kpol --emit bpf,smt2");
    let mut asked = 0;
    for line in block("```sh\n").into_iter().flat_map(str::lines) {
        let Some((command, answer)) = line.rsplit_once(" # ") else {
            run(line);
            continue;
        };
        let solver = ["bitwuzla", "cvc5", "z3"].into_iter().find(|solver| command.contains(solver)).expect("a solver");
        if run(&format!("command -v {solver}")).is_empty() {
            continue;
        }
        asked += 1;
        let said = run(command);
        assert_eq!(said.lines().next(), Some(answer), "{command}");
        // The call that differs: socket, by its number on either ABI.
        assert!(
            !command.contains("-in") || said.contains("(nr #x00000029)") || said.contains("(nr #x00000167)"),
            "{said}"
        );
    }
    if asked == 0 {
        eprintln!("SKIPPED: the_page_for_auditors_says_what_solvers_say: no solver on the PATH");
    }
}
