//! The library's program, instruction by instruction, against the one that is made without it
//! ([`kpol_compiler::oci::libseccomp`]).

use super::*;
use std::collections::BTreeSet;

use kpol_compiler::bpf::{Insn, Program, list, op};
use kpol_compiler::diagram::Node;
use kpol_compiler::oci::libseccomp::Failure;
use kpol_compiler::oci::runtime::{is_known, number};
use kpol_compiler::oci::trial;
use kpol_compiler::tables::Syscall;

impl Libseccomp {
    fn number(&self, name: &str) -> c_int {
        let name = CString::new(name).unwrap();
        // SAFETY: a C string.
        unsafe { (self.name)(name.as_ptr()) }
    }

    /// Whether library and tables agree about a call on an ABI: distributions add names to a release, and some of the
    /// library's numbers are wrong.
    fn agrees(&self, call: Syscall, arch: Arch) -> bool {
        let name = CString::new(call.name()).unwrap();
        let known = self.number(call.name());
        // SAFETY: a C string.
        let theirs = unsafe { (self.name_on)(self.arch(arch), name.as_ptr()) };
        let release = Some(self.release_number());
        let ours = number(call, arch, release).map(|nr| nr.0 as c_int);
        (known != -1) == is_known(call, release)
            && (known == -1 || ours == Some(theirs) || ours.is_none() && theirs < 0)
    }
}

/// Hosts, and ABIs of their byte order: a filter may name those of other hosts too.
fn everywhere(library: &Libseccomp) -> Vec<(Arch, Vec<Arch>)> {
    // The library's `sh` is the little-endian one.
    let known = |arch: &Arch| library.arch(*arch) != 0 && *arch != Arch::Sh;
    let hosts = Arch::all().filter(|arch| arch.native() == *arch && known(arch));
    hosts
        .map(|host| {
            let beside = |arch: &Arch| *arch != host && arch.is_big_endian() == host.is_big_endian() && known(arch);
            (host, Arch::all().filter(beside).collect())
        })
        .collect()
}

fn is_swapped(host: Arch) -> bool {
    host.is_big_endian() != cfg!(target_endian = "big")
}

/// In a program for the other byte order the library turns answers round once more where it copies them for far jumps.
/// No host runs such a program: both are made one here.
fn unswapped(insn: &mut Insn) {
    if insn.code == op::RET_K {
        insn.k = insn.k.min(insn.k.swap_bytes());
    }
}

/// The program that the library makes at a level of optimisation.
pub(super) fn real(library: &Libseccomp, profile: &Profile, host: Arch, level: u32) -> Option<Program> {
    let program = library.program_at(profile, host, level)?;
    let swapped = is_swapped(host);
    let insn = |[code, jt, jf, k]: [u32; 4]| {
        let (code, k) = if swapped { ((code as u16).swap_bytes(), k.swap_bytes()) } else { (code as u16, k) };
        let mut insn = Insn { code, jt: jt as u8, jf: jf as u8, k };
        if swapped {
            unswapped(&mut insn);
        }
        insn
    };
    Some(Program(program.into_iter().map(insn).collect()))
}

/// Many calls of all kinds, some with the same few conditions: long programs.
fn long(random: &mut Random, all: &[Syscall], archs: &[Arch]) -> String {
    let archs: Vec<_> = archs.iter().map(|arch| format!("\"{}\"", arch.oci_name())).collect();
    let default = ["SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW", "SCMP_ACT_KILL_THREAD"][random.below(3)];
    let mut json = format!(r#"{{"defaultAction": "{default}", "architectures": [{}], "syscalls": ["#, archs.join(","));
    let entries = [20, 100, 400][random.below(3)];
    let actions = ["ALLOW", "LOG", "TRAP", "KILL_PROCESS"];
    let kinds = 1 + random.below(actions.len());
    for index in 0..entries {
        let mut args = Vec::new();
        for arg in 0..[0, 0, 1, 2, 4][random.below(5)] {
            let op = ["MASKED_EQ", "EQ", "NE", "GT", "LT"][random.below(5)];
            let (value, two) = (random.below(5), random.below(4));
            args.push(format!(r#"{{"index": {arg}, "value": {value}, "valueTwo": {two}, "op": "SCMP_CMP_{op}"}}"#));
        }
        let (name, action) = (all[random.below(all.len())].name(), actions[random.below(kinds)]);
        let comma = if index > 0 { "," } else { "" };
        let args = args.join(",");
        write!(json, r#"{comma}{{"names": ["{name}"], "action": "SCMP_ACT_{action}", "args": [{args}]}}"#).unwrap();
    }
    json + "]}"
}

/// Whether the library refuses a profile; `None` if it is not done after a second. A process of its own finds out.
fn refuses(library: &Libseccomp, profile: &Profile, host: Arch) -> Option<bool> {
    // SAFETY: the child calls the library, which takes no locks that another thread could hold, and ends.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        // SAFETY: the signal ends this process.
        unsafe { libc::alarm(1) };
        let refused = library.program(profile, host).is_none();
        // SAFETY: ends without running anything else.
        unsafe { libc::_exit(i32::from(refused)) };
    }
    let mut status = 0;
    // SAFETY: waits for the child.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status) == 1)
}

#[test]
fn the_program_is_the_librarys_own() {
    let Some(library) = Libseccomp::open() else { return };
    let (mut same, mut refused, mut endless, mut instructions, mut longest) = (0, 0, 0, 0, 0);
    let everywhere = everywhere(&library);
    let agreed = |call: &Syscall| {
        everywhere.iter().all(|(host, beside)| beside.iter().chain([host]).all(|&arch| library.agrees(*call, arch)))
    };
    // Two names have one number of the library's own, and where one is meant it may take the other.
    let alone = |call: &Syscall| {
        let number = library.number(call.name());
        Syscall::all().filter(|other| library.number(other.name()) == number).count() == 1
    };
    let known: Vec<Syscall> = Syscall::all().filter(agreed).filter(alone).collect();
    eprintln!("{} of {} calls are taken", known.len(), Syscall::all().len());
    let mut random = Random(0xb10c);
    for case in 0..10 * cases() {
        let (host, archs) = if random.below(2) == 0 {
            let (host, subs) = hosts()[random.below(2)];
            (host, subs[..random.below(subs.len() + 1)].to_vec())
        } else {
            let (host, beside) = &everywhere[random.below(everywhere.len())];
            (*host, (0..random.below(4)).map(|_| beside[random.below(beside.len())]).collect())
        };
        let json = match case % 16 {
            0 => long(&mut random, &known, &archs),
            1..=4 => profile(&mut random, &archs, 3),
            5..=8 => profile(&mut random, &archs, 8),
            _ => alike(&mut random, &archs),
        };
        let profile = read(json.as_bytes()).unwrap();
        let release = Some(library.release_number());
        let loaded = load(&mut Store::default(), &profile, host, release, Dialect::Containers).unwrap();
        let mut ours = loaded.handed.program(&vec![true; loaded.handed.rules.len()]);
        if let Ok(program) = &mut ours
            && is_swapped(host)
        {
            program.0.iter_mut().for_each(unswapped);
        }
        if std::env::var_os("KPOL_TRACE").is_some() {
            eprintln!("{host}, case {case}: {:?} {json}", ours.as_ref().map(|ours| ours.0.len()));
        }
        if ours.is_err() {
            match refuses(&library, &profile, host) {
                Some(true) => refused += 1,
                // Dropping a rule that was half merged, the library can run in a circle.
                None => endless += 1,
                Some(false) => panic!("{host}, case {case}: {ours:?}, but the library makes a program of\n{json}"),
            }
            assert_ne!(ours, Err(Failure::TooLarge));
            continue;
        }
        match (ours, real(&library, &profile, host, 1)) {
            (Ok(ours), Some(theirs)) => {
                if ours != theirs {
                    eprintln!("{json}\nours:\n{}\ntheirs:\n{}", list(&ours), list(&theirs));
                    panic!("{host}, case {case}: another program");
                }
                same += 1;
                instructions += theirs.len();
                longest = longest.max(theirs.len());
            }
            (ours, theirs) => {
                let theirs = theirs.map(|theirs| list(&theirs).to_string());
                panic!("{host}, case {case}: {ours:?}, the library {theirs:?}\n{json}")
            }
        }
    }
    let release = library.release_number();
    eprintln!(
        "{release:?}: {same} programs of {instructions} instructions alike (longest {longest}), {refused} refused, \
         {endless} that the library is never done with"
    );
}

/// Where nothing is suspected, no program is made to see what runs: there the entries must say it.
#[test]
fn what_is_not_suspected_is_right() {
    let (mut unsuspected, mut settled) = (0, 0);
    for (host, subs) in hosts() {
        let mut random = Random(0x5afe ^ (host as u64 + 1));
        for case in 0..5 * cases() {
            let archs = &subs[..random.below(subs.len() + 1)];
            let json = one_of_each(&mut random, archs, case % 4);
            let profile = read(json.as_bytes()).unwrap();
            let mut store = Store::default();
            let loaded = load(&mut store, &profile, host, Some((2, 6, 1)), Dialect::Containers).unwrap();
            if loaded.settled
                || !loaded.undetermined.is_empty()
                || !loaded.merged.is_empty()
                || !loaded.faults.is_empty()
            {
                settled += 1;
                continue;
            }
            let archs: Vec<Arch> = loaded.function.tables.keys().copied().collect();
            let done = trial::run(&mut store, &loaded.handed, &BTreeSet::new(), &archs);
            let Some(done) = done else {
                // On a name without a number nobody but the library sees it.
                let given = vec![true; loaded.handed.rules.len()];
                assert_eq!(loaded.handed.program(&given), Err(Failure::Contradiction), "not suspected: {json}");
                continue;
            };
            let fault = trial::wrong(&mut store, &loaded.function, &done, &|_, _| Node::FALSE);
            assert_eq!(fault, None, "not suspected: {json}");
            unsuspected += 1;
        }
    }
    eprintln!("{unsuspected} right without suspicion, {settled} suspected");
}

/// Most calls look at no argument; a program is made to see what runs without them, and must do the same with the others.
#[test]
fn what_is_left_out_changes_nothing() {
    let (mut compared, mut left) = (0, 0);
    for (host, subs) in hosts() {
        let mut random = Random(0x1ef7 ^ (host as u64 + 1));
        for case in 0..5 * cases() {
            let archs = &subs[..random.below(subs.len() + 1)];
            let json = one_of_each(&mut random, archs, case % 3);
            let json = with_plain_calls(&mut random, &json, 5);
            let profile = read(json.as_bytes()).unwrap();
            let mut store = Store::default();
            let loaded = load(&mut store, &profile, host, Some((2, 6, 1)), Dialect::Containers).unwrap();
            let archs: Vec<Arch> = loaded.function.tables.keys().copied().collect();
            let left_out = loaded.handed.left_out();
            let whole = trial::run(&mut store, &loaded.handed, &BTreeSet::new(), &archs);
            let Some(mut whole) = whole.filter(|_| !left_out.is_empty()) else { continue };
            let mut part = trial::run(&mut store, &loaded.handed, &left_out, &archs).unwrap();
            for (arch, table) in &mut part {
                let mut numbers: Vec<Nr> = left_out.iter().filter_map(|call| call.nr(*arch)).collect();
                numbers.sort_unstable();
                let whole = whole.get_mut(arch).unwrap();
                *table = table.except(&numbers, whole);
            }
            assert_eq!(part, whole, "without {left_out:?}: {json}");
            compared += 1;
            left += left_out.len();
        }
    }
    eprintln!("{compared} programs the same without {left} calls");
    assert!(left > 0, "no profile had a call to leave out");
}

/// The profile with fewer than `most` calls more, none of which looks at an argument.
pub(super) fn with_plain_calls(random: &mut Random, json: &str, most: usize) -> String {
    let names: Vec<&str> = Syscall::all().map(Syscall::name).filter(|name| !NAMES.contains(name)).collect();
    let plain = (0..random.below(most)).map(|_| {
        let action = ["ALLOW", "LOG", "KILL_PROCESS"][random.below(3)];
        let name = names[random.below(names.len())];
        format!(r#"{{"names": ["{name}"], "action": "SCMP_ACT_{action}"}},"#)
    });
    let plain: String = plain.collect();
    json.replacen("\"syscalls\": [", &format!("\"syscalls\": [{plain}"), 1)
}
