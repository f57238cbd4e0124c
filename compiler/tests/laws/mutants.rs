//! Products broken on purpose: the proof that the driver makes must see every change of meaning.
//!
//! ```text
//! jeq #41, +3, +0  →  jeq #41, +0, +3        refused with a call; the interpreter gives another answer to that call
//! two entries swapped                        accepted; every call that is tried gets what it got
//! ```
//!
//! What a mutant does is decided by others than the proof: filters are run, JSON is read by an evaluator below that
//! goes through the entries one by one. A mutant that is accepted must answer every call that is tried as the policy does; one
//! that is refused with a call must answer that call otherwise.
//!
//! `KPOL_MUTANTS=10` makes ten times as many.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use kpol_compiler::bpf::{self, Disproof, Insn, Program as Filter, SeccompData, op};
use kpol_compiler::diagram::{Leaf, Store};
use kpol_compiler::driver::{self, Options};
use kpol_compiler::oci::profile::{Arg, Entry, Op, Profile};
use kpol_compiler::oci::{self, Target, WriteError, runtime};
use kpol_compiler::policy::Policy;
use kpol_compiler::source::{Disk, Loader};
use kpol_compiler::spec::{Action, Arch, Call, Environment, Nr, multiplex};
use kpol_compiler::tables;
use serde_json::{Value, json};

use super::choices::Stream;
use super::program::{Shape, program};
use super::world::{ROOT, World, path};

/// What became of mutants, by the mutation.
#[derive(Debug, Default)]
struct Tally(BTreeMap<&'static str, Row>);

#[derive(Debug, Default, Clone, Copy)]
struct Row {
    /// Refused, and a call is known that shows why.
    changed: usize,
    /// Accepted, and no call that was tried gets another answer.
    same: usize,
    /// Nobody would load it.
    invalid: usize,
    /// Refused without a call: the model does not vouch for what libseccomp would make of it, or it cannot be followed.
    doubtful: usize,
}

impl Tally {
    fn sum(&self) -> Row {
        self.0.values().fold(Row::default(), |sum, row| Row {
            changed: sum.changed + row.changed,
            same: sum.same + row.same,
            invalid: sum.invalid + row.invalid,
            doubtful: sum.doubtful + row.doubtful,
        })
    }

    fn print(&self, what: &str) {
        eprintln!("{what:28} changed     same  invalid doubtful");
        for (name, row) in self.0.iter().chain([(&"all", &self.sum())]) {
            eprintln!("  {name:26} {:7} {:8} {:8} {:8}", row.changed, row.same, row.invalid, row.doubtful);
        }
    }
}

fn factor() -> usize {
    std::env::var("KPOL_MUTANTS").ok().map_or(1, |text| text.parse().expect("a number"))
}

/// A policy to break the products of.
struct Original {
    name: String,
    loader: Box<dyn Loader>,
    path: std::path::PathBuf,
    options: Options,
}

impl Original {
    fn compile(&self, store: &mut Store) -> Policy {
        let (found, policy) = driver::compile(&*self.loader, &self.path, &self.options, store);
        policy.unwrap_or_else(|| panic!("{}: {found:?}", self.name))
    }
}

/// All examples, and policies by chance; each with a share of the mutants.
fn originals(of_examples: usize, random: u64, of_random: usize) -> Vec<(Original, usize)> {
    let mut originals = Vec::new();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("examples");
    let mut paths: Vec<_> = std::fs::read_dir(examples).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "kpol"));
    paths.sort();
    assert!(paths.len() >= 7, "{paths:?}");
    for path in paths {
        let options = Options { kernel: Some("6.1".parse().unwrap()), ..Options::default() };
        originals
            .push((Original { name: path.display().to_string(), loader: Box::new(Disk), path, options }, of_examples));
    }
    for seed in 0..random {
        let mut stream = Stream(seed);
        let numbers = (0..60 + stream.below(300)).map(|_| stream.next() as u16).collect();
        let shape = Shape { small: true, environment: true, ..Shape::default() };
        let world = World::from(&program(numbers, shape, ROOT, None));
        let options = Options { kernel: Some("5.11".parse().unwrap()), ..Options::default() };
        let name = format!("seed {seed}\n{world}");
        originals.push((Original { name, loader: Box::new(world.memory()), path: path(ROOT), options }, of_random));
    }
    originals
}

/// Calls around every number and value that is given.
fn probes(archs: &[Arch], numbers: &[u32], words: &[u64], count: usize, stream: &mut Stream) -> Vec<Call> {
    let near = |word: u64, stream: &mut Stream| match stream.below(10) {
        0 => word.wrapping_add(1),
        1 => word.wrapping_sub(1),
        2 => word ^ 1 << stream.below(64),
        3 => word | stream.next() << 32,
        4 => word << 32,
        5 => stream.next() >> stream.below(64),
        6 => 0,
        _ => word,
    };
    let mut calls = Vec::new();
    while calls.len() < count {
        let arch = *stream.one(archs);
        let nr = match stream.below(8) {
            0 => stream.one(numbers).wrapping_add(1),
            1 => stream.one(numbers).wrapping_sub(1),
            2 => stream.next() as u32,
            _ => *stream.one(numbers),
        };
        let args = std::array::from_fn(|_| near(*stream.one(words), stream) & u64::MAX >> (64 - arch.bits()));
        if arch.owns(Nr(nr)) {
            calls.push(Call { arch, nr: Nr(nr), args });
        }
    }
    calls
}

fn of_policy(store: &Store, policy: &Policy, call: &Call, environment: &Environment) -> Action {
    match store.at(policy.function.at(call.arch, call.nr), environment, &call.args) {
        Leaf::Act(action) => action,
        leaf => panic!("{leaf:?}"),
    }
}

#[test]
fn every_broken_filter_is_refused() {
    let mut tally = Tally::default();
    for (index, (mut original, count)) in originals(250 * factor(), 160, 42 * factor()).into_iter().enumerate() {
        original.options.caps = Some(BTreeSet::new());
        let mut stream = Stream(index as u64);
        let mut done = 0;
        while done < count {
            // A store that has seen many programs fills up.
            let mut store = Store::default();
            let policy = original.compile(&mut store);
            let Ok(filter) = bpf::write(&mut store, &policy, &bpf::Aim::default()) else { break };
            assert_eq!(bpf::prove(&mut store, &policy, &filter), Ok(()), "{}", original.name);
            let ks: Vec<u32> = filter.0.iter().map(|insn| insn.k).collect();
            let words: Vec<u64> = ks.iter().map(|&k| u64::from(k)).collect();
            let calls = probes(&policy.archs, &ks, &words, 2_000, &mut stream);
            let answers: Vec<Action> =
                calls.iter().map(|call| of_policy(&store, &policy, call, &Environment::default())).collect();
            for _ in 0..100.min(count - done) {
                done += 1;
                let (name, mutant) = broken_filter(&filter, &mut stream);
                if mutant == filter {
                    continue;
                }
                let differs = |call: &Call, answer| {
                    let run = bpf::run(&mutant, &SeccompData::new(call)).expect("the kernel would take it");
                    run.action() != answer
                };
                let row = tally.0.entry(name).or_default();
                match bpf::prove(&mut store, &policy, &mutant) {
                    Err(Disproof::Unreadable(bpf::ReadError::Invalid(_))) => {
                        assert!(bpf::check(&mutant).is_err());
                        row.invalid += 1;
                    }
                    Err(Disproof::Call { call, .. }) => {
                        let answer = of_policy(&store, &policy, &call, &Environment::default());
                        assert!(differs(&call, answer), "{name} is no change on {call:?}: {}", original.name);
                        row.changed += 1;
                    }
                    Err(Disproof::Foreign { tokens, nr, args }) => {
                        let big = policy
                            .archs
                            .iter()
                            .any(|arch| arch.audit_token() == *tokens.start() && arch.is_big_endian());
                        let data = SeccompData::from_parts(nr.0, *tokens.start(), big, args);
                        let answer = bpf::run(&mutant, &data).expect("a filter").action();
                        assert_ne!(answer, Action::KillProcess, "{name} on {data:?}: {}", original.name);
                        row.changed += 1;
                    }
                    Err(Disproof::Missing(arch)) => panic!("nothing is compared for {arch}: {}", original.name),
                    Err(Disproof::Unreadable(_) | Disproof::Overflow) => {
                        let shown = calls.iter().zip(&answers).any(|(call, &answer)| differs(call, answer));
                        if shown { row.changed += 1 } else { row.doubtful += 1 }
                    }
                    Ok(()) => {
                        let wrong = calls.iter().zip(&answers).find(|&(call, &answer)| differs(call, answer));
                        assert_eq!(
                            wrong,
                            None,
                            "{name} is a change, and accepted: {}\n{}",
                            original.name,
                            bpf::list(&mutant)
                        );
                        for data in foreign(&policy, stream.next() as u32, &ks).take(20) {
                            let run = bpf::run(&mutant, &data).expect("a filter");
                            assert_eq!(run.action(), Action::KillProcess, "{name} on {data:?}: {}", original.name);
                        }
                        row.same += 1;
                    }
                }
            }
        }
    }
    tally.print("filters");
    let Row { changed, same, invalid, doubtful } = tally.sum();
    assert!(changed + same + invalid + doubtful > 7_000, "too few");
    assert!(changed > 4_500 && doubtful * 20 < changed, "{tally:?}");
}

/// Calls that belong to no ABI of the policy: of a token, and numbers of an ABI that shares a token with one that is listed.
fn foreign(policy: &Policy, token: u32, numbers: &[u32]) -> impl Iterator<Item = SeccompData> {
    let listed = |token| policy.archs.iter().any(|arch| arch.audit_token() == token);
    let owned = move |nr| policy.archs.iter().any(|arch| arch.audit_token() == token && arch.owns(Nr(nr)));
    let near = numbers.iter().flat_map(|&nr| [nr, nr.wrapping_add(1), nr.wrapping_sub(1), nr | 1 << 30]);
    let all = near.chain([0, 0x3fff_ffff, 0x4000_0000, 0x7fff_ffff, u32::MAX - 1, u32::MAX]);
    let all = all.filter(move |&nr| !listed(token) || !owned(nr)).collect::<Vec<_>>();
    all.into_iter().map(move |nr| SeccompData::from_parts(nr, token, false, [0; 6]))
}

pub(super) fn broken_filter(filter: &Filter, stream: &mut Stream) -> (&'static str, Filter) {
    let mut mutant = filter.clone();
    let insns = &mut mutant.0;
    let at = stream.below(insns.len());
    // Of the others most do not jump.
    let jumps: Vec<usize> = (0..insns.len()).filter(|&at| insns[at].is_branch()).collect();
    let jump = if jumps.is_empty() { at } else { *stream.one(&jumps) };
    let name = match stream.below(15) {
        0 => {
            let insn = &mut insns[jump];
            std::mem::swap(&mut insn.jt, &mut insn.jf);
            "swapped jt and jf"
        }
        1 => {
            insns[jump].jt = insns[jump].jt.wrapping_add(1);
            "jt + 1"
        }
        2 => {
            insns[jump].jt = insns[jump].jt.wrapping_sub(1);
            "jt - 1"
        }
        3 => {
            insns[jump].jf = insns[jump].jf.wrapping_add(1);
            "jf + 1"
        }
        4 => {
            insns[jump].jf = insns[jump].jf.wrapping_sub(1);
            "jf - 1"
        }
        5 => {
            insns[at].k ^= 1 << stream.below(32);
            "a flipped bit of k"
        }
        6 => {
            insns[jump].k = insns[jump].k.wrapping_add(1);
            "k + 1"
        }
        7 => {
            insns[jump].k = insns[jump].k.wrapping_sub(1);
            "k - 1"
        }
        8 => {
            insns[jump].code = *stream.one(&[op::JEQ_K, op::JGT_K, op::JGE_K, op::JSET_K]);
            "another comparison"
        }
        9 => {
            insns.remove(at);
            "dropped instruction"
        }
        10 => {
            let insn = insns[at];
            insns.insert(at, insn);
            "doubled instruction"
        }
        11 => {
            let other = (at + 1).min(insns.len() - 1);
            insns.swap(at, other);
            "swapped neighbours"
        }
        12 => {
            let actions = [Action::Allow, Action::Log, Action::Errno(1), Action::Errno(2), Action::KillProcess];
            let returns: Vec<usize> = (0..insns.len()).filter(|&at| insns[at].code == op::RET_K).collect();
            let at = if returns.is_empty() { at } else { *stream.one(&returns) };
            insns[at].k = stream.one(&actions).to_ret();
            "another answer"
        }
        13 => {
            let loads: Vec<usize> = (0..insns.len()).filter(|&at| insns[at].code == op::LD_ABS).collect();
            let at = if loads.is_empty() { at } else { *stream.one(&loads) };
            insns[at].k = 4 * stream.below(16) as u32;
            "another word loaded"
        }
        _ => {
            insns[at] = *stream.one(&[
                Insn::statement(op::RET_K, Action::Allow.to_ret()),
                Insn::statement(op::AND_K, 0xffff),
                Insn::statement(op::JUMP, 1),
                Insn::statement(op::LD_ABS, 0),
            ]);
            "another instruction"
        }
    };
    (name, mutant)
}

#[test]
fn every_broken_profile_is_refused() {
    let mut tally = Tally::default();
    let target = Target::default();
    for (index, (original, count)) in originals(60 * factor(), 200, 130 * factor()).into_iter().enumerate() {
        let mut stream = Stream(index as u64 ^ 0x1050);
        let mut done = 0;
        while done < count {
            let mut store = Store::default();
            let policy = original.compile(&mut store);
            let Ok(written) = oci::write(&mut store, &policy, &target) else { break };
            let whole: Value = serde_json::from_str(&written.json).unwrap();
            if whole["syscalls"].as_array().is_none_or(|entries| entries.len() < 2) {
                break;
            }
            // Those too that could be opened beside them.
            let archs: Vec<Arch> =
                Arch::all().filter(|arch| policy.archs.iter().any(|listed| listed.native() == arch.native())).collect();
            let (numbers, words) = named(&oci::read(written.json.as_bytes()).unwrap(), &archs);
            let calls = probes(&archs, &numbers, &words, 200, &mut stream);
            for _ in 0..20.min(count - done) {
                done += 1;
                let mut mutant = whole.clone();
                let name = broken_profile(&mut mutant, &mut stream);
                if mutant == whole {
                    continue;
                }
                let text = serde_json::to_string_pretty(&mutant).unwrap();
                let row = tally.0.entry(name).or_default();
                let said =
                    oci::prove::prove(&mut store, &policy, &target, &text).map_err(|mut errors| errors.remove(0));
                let Ok(profile) = oci::read(text.as_bytes()) else {
                    assert!(said.is_err(), "{text}");
                    row.invalid += 1;
                    continue;
                };
                let surroundings = surroundings(&(text.clone() + &written.json));
                let wrong = |call: &Call, environment: &Environment| {
                    let wanted = of_policy(&store, &policy, call, environment);
                    answers(&profile, call, environment) != BTreeSet::from([wanted])
                };
                match said {
                    Ok(_) => {
                        for (call, environment) in calls.iter().zip(surroundings.iter().cycle()) {
                            assert!(
                                !wrong(call, environment),
                                "{name} is a change on {call:?}, and accepted: {}\n{text}",
                                original.name
                            );
                        }
                        row.same += 1;
                    }
                    Err(WriteError::Internal { call: Some(call), what }) if what.contains("should get") => {
                        let shows = surroundings.iter().any(|environment| wrong(&call, environment));
                        assert!(shows, "{name} is no change on {call:?}: {what}: {}\n{text}", original.name);
                        row.changed += 1;
                    }
                    // A number beside an action that takes none, ABIs of both byte orders.
                    Err(WriteError::Internal { call: None, what }) if !what.ends_with("is open") => row.invalid += 1,
                    Err(error) => {
                        // A mistake of a writer's, a program of the library's that comes out wrong, or one that cannot be made.
                        let refused = matches!(
                            error,
                            WriteError::Internal { .. } | WriteError::Miscompiled(_) | WriteError::Differs { .. }
                        );
                        assert!(refused, "{error}");
                        let mut around = calls.iter().zip(surroundings.iter().cycle());
                        let shown = around.any(|(call, environment)| wrong(call, environment));
                        if shown { row.changed += 1 } else { row.doubtful += 1 }
                    }
                }
            }
        }
    }
    tally.print("profiles");
    let Row { changed, same, invalid, doubtful } = tally.sum();
    assert!(changed + same + invalid + doubtful > 4_000, "too few");
    assert!(changed > 2_500 && doubtful * 4 < changed, "{tally:?}");
}

/// Numbers and values that a profile names.
fn named(profile: &Profile, archs: &[Arch]) -> (Vec<u32>, Vec<u64>) {
    let names = profile.syscalls.iter().flat_map(|entry| &entry.names).map(String::as_str);
    let names: Vec<_> = names.chain(["socketcall", "ipc", "read"]).filter_map(tables::syscall).collect();
    let numbers = archs.iter().flat_map(|&arch| names.iter().filter_map(move |name| name.nr(arch)));
    let args = profile.syscalls.iter().flat_map(|entry| &entry.args);
    let values = args.flat_map(|arg| [arg.value, arg.value_two.0.unwrap_or(0), !arg.value]);
    (numbers.map(|nr| nr.0).collect(), values.chain(0..26).collect())
}

/// Nothing held, everything held, and each alone of what the text names.
fn surroundings(json: &str) -> Vec<Environment> {
    let caps: BTreeSet<u8> = json.split('"').filter_map(tables::capability).collect();
    let mut held = vec![BTreeSet::new(), caps.clone()];
    held.extend(caps.iter().map(|&cap| BTreeSet::from([cap])));
    held.dedup();
    held.into_iter().map(|caps| Environment { caps, ..Environment::default() }).collect()
}

/// What a call may get, by going through the entries: several actions where entries contradict each other.
fn answers(profile: &Profile, call: &Call, environment: &Environment) -> BTreeSet<Action> {
    let host = call.arch.native();
    let foreign = BTreeSet::from([Action::KillProcess]);
    if call.arch != host && !profile.architectures.contains(&call.arch) {
        return foreign;
    }
    let default = profile.default_action.with(profile.default_errno_ret);
    let (mut always, mut sometimes) = (BTreeSet::new(), BTreeSet::new());
    for entry in profile.syscalls.iter().filter(|entry| counts(entry, host, environment)) {
        let action = entry.action.with(entry.errno_ret);
        if action == default {
            continue;
        }
        let repeated = (0..6).any(|index| entry.args.iter().filter(|arg| arg.index == index).count() > 1);
        let rules: Vec<&[Arg]> = if repeated { entry.args.chunks(1).collect() } else { vec![&entry.args] };
        let known = entry.names.iter().filter_map(|name| tables::syscall(name));
        for name in known.filter(|name| name.libseccomp_release().is_some()) {
            for rule in &rules {
                let claims = if rule.iter().all(|arg| is_idle(arg, call.arch)) { &mut always } else { &mut sometimes };
                if name.nr(call.arch) == Some(call.nr) && rule.iter().all(|arg| holds(arg, call)) {
                    claims.insert(action);
                }
                let Some((through, number)) = multiplex::other_way(name) else { continue };
                let rest = rule.iter().filter(|arg| arg.index != 0).all(|arg| holds(arg, call));
                if through.nr(call.arch) == Some(call.nr) && call.args[0] & bits(call.arch) == u64::from(number) && rest
                {
                    sometimes.insert(action);
                }
            }
        }
    }
    match (always.is_empty(), sometimes.is_empty()) {
        (false, _) => always,
        (true, false) => sometimes,
        (true, true) => BTreeSet::from([default]),
    }
}

fn counts(entry: &Entry, host: Arch, environment: &Environment) -> bool {
    let listed = |arches: &[String]| arches.iter().any(|arch| runtime::host_names(host).contains(&arch.as_str()));
    let held = |name: &String| tables::capability(name).is_some_and(|cap| environment.caps.contains(&cap));
    let (includes, excludes) = (&entry.includes, &entry.excludes);
    (includes.arches.is_empty() || listed(&includes.arches))
        && !listed(&excludes.arches)
        && includes.caps.iter().all(held)
        && !excludes.caps.iter().any(held)
}

fn bits(arch: Arch) -> u64 {
    if runtime::compared_bits(arch) == 32 { 0xffff_ffff } else { u64::MAX }
}

/// A mask without bits asks nothing.
fn is_idle(arg: &Arg, arch: Arch) -> bool {
    arg.op == Op::MaskedEq && arg.value & bits(arch) == 0
}

fn holds(arg: &Arg, call: &Call) -> bool {
    let all = bits(call.arch);
    let (given, value) = (call.args[usize::from(arg.index)] & all, arg.value & all);
    match arg.op {
        Op::Eq => given == value,
        Op::Ne => given != value,
        Op::Lt => given < value,
        Op::Le => given <= value,
        Op::Gt => given > value,
        Op::Ge => given >= value,
        Op::MaskedEq => given & value == arg.value_two.0.unwrap_or(0) & value,
    }
}

const OPS: [&str; 7] = ["EQ", "NE", "LT", "LE", "GT", "GE", "MASKED_EQ"];
const ACTIONS: [&str; 5] =
    ["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_LOG", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD"];

fn broken_profile(profile: &mut Value, stream: &mut Stream) -> &'static str {
    let kind = stream.below(20);
    if let Some(name) = broken_frame(profile, kind, stream) {
        return name;
    }
    let entries = profile["syscalls"].as_array_mut().expect("a list");
    if entries.is_empty() {
        entries.push(json!({ "names": ["mount"], "action": *stream.one(&ACTIONS) }));
        return "added entry";
    }
    // Half of what is changed is changed where arguments are asked.
    let asking: Vec<usize> = (0..entries.len()).filter(|&at| entries[at]["args"].is_array()).collect();
    let at = if asking.is_empty() || kind < 8 { stream.below(entries.len()) } else { *stream.one(&asking) };
    let other = stream.below(entries.len());
    match kind {
        0 => {
            entries.remove(at);
            "dropped entry"
        }
        1 => {
            let entry = entries[at].clone();
            entries.insert(other, entry);
            "doubled entry"
        }
        2 => {
            entries.swap(at, other);
            "swapped entries"
        }
        3 => {
            entries[at]["action"] = json!(*stream.one(&ACTIONS));
            "another action"
        }
        4 => {
            entries[at]["errnoRet"] = json!(*stream.one(&[0, 1, 2, 38, 0x10001]));
            "another errno"
        }
        5 => {
            let names = entries[at]["names"].as_array_mut().expect("names");
            names.remove(stream.below(names.len()));
            "dropped name"
        }
        6 => {
            let names = entries[at]["names"].as_array_mut().expect("names");
            names.push(json!(*stream.one(&["mount", "socket", "read", "no_such_call", "listns", "bpf", "accept"])));
            "added name"
        }
        7 => {
            let side = *stream.one(&["includes", "excludes"]);
            if entries[at].get(side).is_some() {
                entries[at].as_object_mut().expect("an entry").remove(side);
                return "dropped circumstance";
            }
            let what = json!([{ "caps": ["CAP_CHOWN"] }, { "arches": ["arm64"] }, { "arches": ["amd64"] }]);
            entries[at][side] = what[stream.below(3)].clone();
            "added circumstance"
        }
        _ if asking.is_empty() => {
            entries[at]["args"] = json!([{ "index": stream.below(6), "value": stream.below(9), "op": "SCMP_CMP_EQ" }]);
            "added condition"
        }
        8 => {
            entries[at].as_object_mut().expect("an entry").remove("args");
            "dropped conditions"
        }
        _ => broken_condition(entries[at]["args"].as_array_mut().expect("args"), kind, stream),
    }
}

/// What stands around the entries.
fn broken_frame(profile: &mut Value, kind: usize, stream: &mut Stream) -> Option<&'static str> {
    match kind {
        18 => {
            profile["defaultAction"] = json!(*stream.one(&ACTIONS));
            Some("another default")
        }
        19 if stream.below(2) == 0 => {
            profile["defaultErrnoRet"] = json!(*stream.one(&[0, 1, 38, 0x10001]));
            Some("another default errno")
        }
        19 => {
            let archs: Vec<Value> = profile["architectures"].as_array().cloned().unwrap_or_default();
            let known = ["SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_ARM", "SCMP_ARCH_AARCH64", "SCMP_ARCH_X86_64"];
            let mut changed = archs.clone();
            if archs.is_empty() || stream.below(2) == 0 {
                changed.push(json!(*stream.one(&known)));
            } else {
                changed.remove(stream.below(archs.len()));
            }
            profile["architectures"] = json!(changed);
            Some("another list of ABIs")
        }
        _ => None,
    }
}

fn broken_condition(args: &mut Vec<Value>, kind: usize, stream: &mut Stream) -> &'static str {
    let at = stream.below(args.len());
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    match kind {
        9 => {
            args[at]["op"] = json!(format!("SCMP_CMP_{}", stream.one(&OPS)));
            "another operator"
        }
        10 => {
            args[at]["index"] = json!(stream.below(7));
            "another argument"
        }
        11 => {
            args[at]["value"] = json!(number(&args[at]["value"]) ^ 1 << stream.below(64));
            "a flipped bit of value"
        }
        12 => {
            args[at]["valueTwo"] = json!(number(&args[at]["valueTwo"]) ^ 1 << stream.below(64));
            "a flipped bit of valueTwo"
        }
        13 => {
            args[at]["value"] = json!(number(&args[at]["value"]).wrapping_add(1));
            "value + 1"
        }
        14 => {
            args[at]["valueTwo"] = json!(number(&args[at]["valueTwo"]).wrapping_sub(1));
            "valueTwo - 1"
        }
        15 => {
            args.remove(at);
            "dropped condition"
        }
        16 => {
            let mut arg = args[at].clone();
            arg["value"] = json!(number(&arg["value"]) ^ 1 << stream.below(64));
            args.push(arg);
            "an index twice"
        }
        _ => {
            let field = *stream.one(&["index", "value", "valueTwo", "op"]);
            args[at].as_object_mut().expect("an object").remove(field);
            "dropped field"
        }
    }
}
