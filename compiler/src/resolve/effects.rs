//! The effects of the library as sets of calls, beside a policy that names none of them.
//!
//! ```text
//! x86_64   @effect-connect   42 all calls · 44 where flags & MSG_FASTOPEN · 41 where family is AF_TIPC or …
//! ```
//!
//! Who asks what a filter grants, or what it forgot, asks with these. They are resolved like a policy that names all effects, so they
//! mean what they mean in rules and asserts.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use super::{CallSet, GroupId, Sink};
use crate::diagram::Store;
use crate::driver::Options;
use crate::library::{self, Effect};
use crate::source::graph::Reader;
use crate::source::{Memory, Sources};
use crate::spec::Arch;

/// An effect with its calls.
#[derive(Debug)]
pub struct EffectCalls {
    /// Which.
    pub effect: Effect,
    /// Every way to bring it about, by ABI.
    pub calls: BTreeMap<Arch, Rc<CallSet>>,
}

/// All effects on these ABIs. Empty if the store is full.
pub fn effects(archs: &[Arch], store: &mut Store) -> Vec<EffectCalls> {
    const NAME: &str = "effects";
    let names: Vec<&str> = library::effects().map(|effect| effect.group).collect();
    let mut memory = Memory::default();
    memory.insert(NAME, format!("allow {{ {} }}", names.join(", ")));
    let (mut sources, mut diagnostics, mut sink) = (Sources::default(), Vec::new(), Sink::default());
    let Some(graph) = Reader::new(&memory, &[], &mut sources, &mut diagnostics).read(Path::new(NAME)) else {
        return Vec::new();
    };
    let options = Options { archs: Some(archs.to_vec()), ..Options::default() };
    let resolved = super::resolve(&graph, &options, store, &mut sink);
    if resolved.incomplete || store.overflowed() {
        return Vec::new();
    }
    let of = |effect: Effect| {
        let index = resolved.groups.iter().position(|group| group.name == effect.group)?;
        let id = GroupId(u32::try_from(index).ok()?);
        let calls = archs.iter().filter_map(|&arch| Some((arch, Rc::clone(resolved.group_sets.get(&(id, arch))?))));
        Some(EffectCalls { effect, calls: calls.collect() })
    };
    library::effects().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::diagram::Node;
    use crate::spec::{Environment, Nr};

    #[test]
    fn every_effect_has_a_way_on_every_abi() {
        let archs: Vec<Arch> = Arch::all().collect();
        let mut store = Store::default();
        let all = effects(&archs, &mut store);
        assert_eq!(all.len(), library::effects().count());
        for EffectCalls { effect, calls } in &all {
            for arch in &archs {
                assert!(!calls[arch].is_empty(), "{} has no way on {arch}", effect.group);
            }
        }
    }

    #[test]
    fn every_main_call_is_a_way_wherever_there_is_such_a_call() {
        let archs: Vec<Arch> = Arch::all().collect();
        let mut store = Store::default();
        let all = effects(&archs, &mut store);
        assert!(!all.is_empty());
        for EffectCalls { effect, calls } in all {
            for name in effect.main_calls() {
                let call = crate::tables::syscall(name).unwrap();
                for nr in archs.iter().filter_map(|&arch| call.nr(arch).map(|nr| (arch, nr))) {
                    assert!(calls[&nr.0].contains_key(&nr.1), "{name} is no way of {} on {}", effect.group, nr.0);
                }
            }
        }
    }

    /// A call of x86_64 or x86 that is or is not a way of an effect.
    fn is_way(store: &mut Store, effect: &str, arch: Arch, name: &str, args: [u64; 6]) -> bool {
        let all = effects(&[arch], store);
        let found = all.iter().find(|of| of.effect.name() == effect).unwrap();
        let nr: Nr = crate::tables::syscall(name).and_then(|call| call.nr(arch)).unwrap();
        let set = found.calls[&arch].get(&nr).map_or(Node::FALSE, |member| member.set);
        store.at(set, &Environment::default(), &args) == crate::diagram::Leaf::True
    }

    #[test]
    fn known_ways_round_are_ways() {
        use Arch::{Aarch64, Arm, S390x, X86, X86_64};
        let fast_open = 0x2000_0000;
        let tmpfile = 0o20_200_000;
        // effect, ABI, call, arguments: each of them got past a filter that somebody thought sufficient.
        let ways: &[(&str, Arch, &str, [u64; 6])] = &[
            ("connect", X86_64, "sendto", [3, 0, 0, fast_open, 1, 16]),
            ("connect", X86_64, "sendmsg", [3, 1, fast_open, 0, 0, 0]),
            ("connect", Aarch64, "sendmmsg", [3, 1, 1, fast_open | 0x4000, 0, 0]),
            ("connect", X86, "socketcall", [3, 0, 0, 0, 0, 0]),
            ("connect", X86, "socketcall", [11, 0, 0, 0, 0, 0]),
            ("connect", X86_64, "socket", [2, 0x80001, 132, 0, 0, 0]),
            ("connect", X86_64, "socket", [10, 5, 0, 0, 0, 0]),
            ("connect", X86_64, "io_uring_enter", [0; 6]),
            ("call-out", X86_64, "sendto", [3, 0, 0, 0, 1, 16]),
            ("raw-packets", X86_64, "socket", [2, 10, 0x300, 0, 0, 0]),
            ("raw-packets", X86_64, "socket", [0xffff_0000_0000_0011, 2, 0, 0, 0, 0]),
            ("set-clock", X86, "stime", [0; 6]),
            ("set-clock", Arm, "clock_settime64", [0; 6]),
            ("become-other", X86, "setuid32", [0; 6]),
            ("become-other", X86_64, "clone", [0x1000_0000, 0, 0, 0, 0, 0]),
            ("become-other", S390x, "clone", [0, 0x1000_0000, 0, 0, 0, 0]),
            ("signal-others", X86_64, "prlimit64", [1, 0, 1, 0, 0, 0]),
            ("signal-others", X86_64, "fcntl", [3, 8, 1, 0, 0, 0]),
            ("signal-others", X86_64, "ioctl", [3, 0x8902, 1, 0, 0, 0]),
            ("create-file", X86_64, "openat", [0, 0, tmpfile, 0, 0, 0]),
            ("write-file", X86_64, "openat", [0, 0, 0x200, 0, 0, 0]),
            ("write-file", X86_64, "openat", [0, 0, 3, 0, 0, 0]),
            ("executable-memory", X86, "ipc", [0x1_0015, 0, 0x8000, 0, 0, 0]),
            ("executable-memory", X86, "mmap", [0; 6]),
            ("executable-memory", X86_64, "personality", [0x40_0000, 0, 0, 0, 0, 0]),
            ("bypass-filter", X86_64, "seccomp", [1, 8, 0, 0, 0, 0]),
            ("devices", X86_64, "ioctl", [0, 0x5412, 0, 0, 0, 0]),
            ("devices", X86_64, "ioctl", [0, 0xffff_ffff_0000_541c, 0, 0, 0, 0]),
        ];
        let none: &[(&str, Arch, &str, [u64; 6])] = &[
            ("connect", X86_64, "sendto", [3, 0, 0, 0, 1, 16]),
            ("connect", X86_64, "socket", [2, 1, 6, 0, 0, 0]),
            ("connect", X86, "socketcall", [5, 0, 0, 0, 0, 0]),
            ("send-to-address", X86_64, "sendto", [3, 0, 0, fast_open, 0, 0]),
            ("raw-packets", X86_64, "socket", [16, 3, 0, 0, 0, 0]),
            ("signal-others", X86_64, "prlimit64", [0, 0, 1, 0, 0, 0]),
            ("signal-others", X86_64, "prlimit64", [1, 0, 0, 1, 0, 0]),
            ("create-file", X86_64, "openat", [0, 0, 0o200_000, 0, 0, 0]),
            ("write-file", X86_64, "openat", [0, 0, 0o2_000_000, 0, 0, 0]),
            ("executable-memory", X86_64, "mmap", [0, 4096, 3, 0x22, 0, 0]),
            ("executable-memory", X86_64, "personality", [0xffff_ffff, 0, 0, 0, 0, 0]),
            ("bypass-filter", X86_64, "seccomp", [1, 1, 0, 0, 0, 0]),
            ("trace-others", X86_64, "ptrace", [0; 6]),
            ("devices", X86_64, "ioctl", [0, 0x5401, 0, 0, 0, 0]),
        ];
        let mut store = Store::default();
        for (expected, list) in [(true, ways), (false, none)] {
            for &(effect, arch, name, args) in list {
                let said = is_way(&mut store, effect, arch, name, args);
                assert_eq!(said, expected, "{name}({args:x?}) on {arch}, {effect}");
            }
        }
    }
}
