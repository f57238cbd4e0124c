//! What an instruction means: whose calls come by, what is asked of them, which rule decides.
//!
//! ```text
//! ld  [16]                socket: family
//! jeq #0x1, l9, l13       socket: family == AF_UNIX     web.kpol:3
//! ret #0x7fff0000         allow: read, execve, exit_group and socket     web.kpol:3
//! ```
//!
//! Nothing is remembered from the making of the program. Every call that has a name is led through it
//! ([`bpf::walk`]), and leaves its name where it comes by; what the accumulator holds is followed from load to test. So
//! the notes are true of the instructions as they are.

use std::collections::BTreeSet;

use super::reach::reach;
use super::word::Word;
use super::{Built, named_calls};
use crate::answer::decided::{self, Place};
use crate::bpf::{self, Insn, op};
use crate::diagram::{Node, Store};
use crate::resolve::width;
use crate::spec::arch::X32_BIT;
use crate::spec::{Action, Arch, Nr};
use crate::tables;

/// So many names and places are told; of more, how many.
const TOLD: usize = 3;

/// What is said beside an instruction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Note {
    /// What it asks, or answers.
    pub text: String,
    /// Where the policy says so.
    pub places: Vec<Place>,
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)?;
        if !self.places.is_empty() {
            let places: Vec<String> = self.places.iter().map(Place::to_string).collect();
            write!(f, "  <- {}", some(&places))?;
        }
        Ok(())
    }
}

/// A call that has a name.
struct Guest {
    arch: Arch,
    nr: Nr,
    name: String,
    /// Each action with the places that say it.
    says: Vec<(Action, Vec<Place>)>,
}

/// One that comes by an instruction, and what of it: indexes into [`Guest::says`].
struct Visitor<'a> {
    guest: &'a Guest,
    says: Vec<usize>,
    /// How many bits of each argument its name stands for here.
    sure: [u8; 6],
}

impl Visitor<'_> {
    fn says(&self) -> impl Iterator<Item = &(Action, Vec<Place>)> {
        self.says.iter().map(|&index| &self.guest.says[index])
    }
}

/// The same while all of them are gathered: which guest, which of what it says, and its bits.
type Coming = (usize, Vec<usize>, [u8; 6]);

/// What the accumulator holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// A word of `seccomp_data` under a mask.
    Word { offset: u32, mask: u32 },
    /// Anything else.
    Other,
}

/// A note for each instruction.
pub fn notes(built: &Built<'_>, store: &mut Store) -> Vec<Note> {
    let insns = &built.program.0;
    let held = held(insns);
    let mut guests: Vec<Guest> = Vec::new();
    // For each instruction: who comes by, with what, and how many bits of each argument its name stands for.
    let mut here: Vec<Vec<Coming>> = vec![Vec::new(); insns.len()];
    for &arch in &built.policy.archs {
        for (nr, name) in named_calls(built.policy, arch) {
            let shares = decided::shares(built.resolved, store, arch, nr);
            let walk = bpf::walk(built.program, nr.0, arch.audit_token());
            let sets = if shares.len() > 1 { reach(insns, &held, arch, nr, store) } else { Vec::new() };
            for (at, _) in walk.reached.iter().enumerate().filter(|(_, reached)| **reached) {
                let meets = |set: Node| sets.get(at).is_none_or(|here| store.and(*here, set) != Node::FALSE);
                let mut meets = meets;
                let says = (0..shares.len()).filter(|&index| meets(shares[index].set)).collect();
                let set = sets.get(at).copied().unwrap_or(Node::TRUE);
                let call = tables::syscall(name);
                let sure = std::array::from_fn(|arg| {
                    call.map_or(64, |call| width::sure_bits(store, call, arch, arg as u8, set))
                });
                here[at].push((guests.len(), says, sure));
            }
            let says = shares.iter().map(|share| (share.action, share.places(built.resolved, built.sources))).collect();
            guests.push(Guest { arch, nr, name: name.to_owned(), says });
        }
    }
    let note = |(at, &insn): (usize, &Insn)| {
        let visitors: Vec<Visitor<'_>> = here[at]
            .iter()
            .map(|(guest, says, sure)| Visitor { guest: &guests[*guest], says: says.clone(), sure: *sure })
            .collect();
        one(insn, held[at], &visitors, &built.policy.archs)
    };
    insns.iter().enumerate().map(note).collect()
}

/// What the accumulator holds before each instruction.
fn held(insns: &[Insn]) -> Vec<Held> {
    let mut held: Vec<Option<Held>> = vec![None; insns.len()];
    if let Some(first) = held.first_mut() {
        *first = Some(Held::Other);
    }
    for (at, insn) in insns.iter().enumerate() {
        let Some(now) = held[at] else { continue };
        let mut go = |to: usize, then: Held| {
            if let Some(slot) = held.get_mut(to) {
                *slot = Some(if slot.is_none_or(|before| before == then) { then } else { Held::Other });
            }
        };
        match insn.class() {
            op::RET => {}
            op::JMP if insn.code == op::JUMP => go((at + 1).saturating_add(insn.k as usize), now),
            op::JMP => {
                go(at + 1 + usize::from(insn.jt), now);
                go(at + 1 + usize::from(insn.jf), now);
            }
            op::LD if insn.code == op::LD_ABS => go(at + 1, Held::Word { offset: insn.k, mask: u32::MAX }),
            op::ALU if insn.code == op::AND_K => go(
                at + 1,
                match now {
                    Held::Word { offset, mask } => Held::Word { offset, mask: mask & insn.k },
                    Held::Other => Held::Other,
                },
            ),
            op::ST | op::STX | op::LDX => go(at + 1, now),
            _ => go(at + 1, Held::Other),
        }
    }
    held.into_iter().map(|held| held.unwrap_or(Held::Other)).collect()
}

fn one(insn: Insn, held: Held, visitors: &[Visitor<'_>], archs: &[Arch]) -> Note {
    let plain = |text: String| Note { text, places: Vec::new() };
    let loaded = |offset: u32, mask: u32| {
        let (who, word) = asked(offset, mask, visitors, archs);
        who + &word.subject()
    };
    match (insn.class(), held) {
        (op::RET, _) if insn.code == op::RET_K => answer(Action::from_ret(insn.k), visitors),
        (op::LD, _) if insn.code == op::LD_ABS => match insn.k {
            0 => plain("number".to_owned()),
            4 => plain("ABI".to_owned()),
            offset => plain(loaded(offset, u32::MAX)),
        },
        (op::ALU, Held::Word { offset, mask }) if insn.code == op::AND_K => plain(loaded(offset, mask & insn.k)),
        (op::JMP, Held::Word { offset: 4, .. }) if insn.code == op::JEQ_K || insn.code == op::JGE_K => {
            let found = archs.iter().filter(|arch| arch.audit_token() == insn.k).map(|arch| arch.name());
            let names = found.collect::<Vec<_>>().join(" or ");
            plain(if insn.code == op::JGE_K && !names.is_empty() { format!("{names} and above") } else { names })
        }
        (op::JMP, Held::Word { offset: 0, .. }) if insn.is_branch() => number(insn, visitors),
        (op::JMP, Held::Word { offset, mask }) if insn.is_branch() && offset >= 16 => {
            let (who, word) = asked(offset, mask, visitors, archs);
            let mut places: Vec<Place> = visitors
                .iter()
                .flat_map(|visitor| visitor.says().flat_map(|(_, places)| places))
                .filter(|place| !place.default)
                .cloned()
                .collect();
            places.sort_unstable();
            places.dedup();
            Note { text: who + &word.test(insn.code & 0xf0, insn.k), places }
        }
        _ => Note::default(),
    }
}

/// The number is compared.
fn number(insn: Insn, visitors: &[Visitor<'_>]) -> Note {
    let test = insn.code & 0xf0;
    if insn.k == X32_BIT {
        return Note { text: "the numbers of x32".to_owned(), places: Vec::new() };
    }
    let mut found: Vec<&Visitor<'_>> = visitors.iter().filter(|visitor| visitor.guest.nr.0 == insn.k).collect();
    found.dedup_by_key(|visitor| &visitor.guest.name);
    let mut places: Vec<Place> = Vec::new();
    if test == op::JEQ {
        let all = found.iter().flat_map(|visitor| visitor.says().flat_map(|(_, places)| places.iter().cloned()));
        places.extend(all);
        places.sort_unstable();
        places.dedup();
    }
    let several = found.len() > 1;
    let name = |visitor: &&Visitor<'_>| match several {
        true => format!("{} on {}", visitor.guest.name, visitor.guest.arch),
        false => visitor.guest.name.clone(),
    };
    let names: Vec<String> = found.iter().map(name).collect();
    let text = match (test, names.is_empty()) {
        (_, true) => String::new(),
        (op::JEQ, _) => some(&names),
        (op::JGE, _) => format!("{} and above", some(&names)),
        (op::JGT, _) => format!("above {}", some(&names)),
        _ => String::new(),
    };
    Note { text, places }
}

/// Half a register as the calls that come by have it, and who they are.
fn asked(offset: u32, mask: u32, visitors: &[Visitor<'_>], archs: &[Arch]) -> (String, Word) {
    let names: BTreeSet<&str> = visitors.iter().map(|visitor| visitor.guest.name.as_str()).collect();
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    let who = if names.is_empty() { String::new() } else { format!("{}: ", some(&names)) };
    let arg = (offset.saturating_sub(16) / 8) as u8;
    // The half that comes first is the upper one on big-endian machines.
    let upper = offset.is_multiple_of(8) == archs.first().is_some_and(|arch| arch.is_big_endian());
    let sure = |visitor: &Visitor<'_>| visitor.sure.get(usize::from(arg)).copied().unwrap_or(64);
    let calls = visitors.iter().map(|visitor| (visitor.guest.name.as_str(), visitor.guest.arch, sure(visitor)));
    (who, Word::of(arg, upper, mask, calls))
}

/// An answer, and who gets it.
fn answer(action: Action, visitors: &[Visitor<'_>]) -> Note {
    let mut names: BTreeSet<&str> = BTreeSet::new();
    let mut places: Vec<Place> = Vec::new();
    for visitor in visitors {
        for (_, said) in visitor.says().filter(|(says, _)| *says == action) {
            names.insert(&visitor.guest.name);
            places.extend(said.iter().cloned());
        }
    }
    places.sort_unstable();
    places.dedup();
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    let text = if names.is_empty() { action.to_string() } else { format!("{action}: {}", some(&names)) };
    Note { text, places }
}

/// `read, write, open and 154 more`
fn some(names: &[String]) -> String {
    match names {
        [first @ .., last] if names.len() <= TOLD + 1 && !first.is_empty() => {
            format!("{} and {last}", first.join(", "))
        }
        names if names.len() > TOLD + 1 => format!("{} and {} more", names[..TOLD].join(", "), names.len() - TOLD),
        names => names.concat(),
    }
}
