//! W029: a call is refused by bits that the kernel may drop.
//!
//! ```text
//! deny { ioctl(cmd == X, arg == 5) }      ioctl(fd, X, 0x1_0000_0005) runs, and a driver that takes an int sees 5
//! ```
//!
//! Where the kernel's sources say which commands cut an argument, the condition is cut as well
//! ([`width`](crate::resolve::width)). Of others they do not: the driver behind a descriptor decides. Found is a call that is
//! refused, as a program would make it, with its upper half zero or filled with the sign; with some other upper half it
//! runs. A condition that passes fewer calls than it reads is no danger: `allow { ioctl(cmd == X, arg == 5) }` is left alone.

use std::collections::BTreeMap;

use super::Context;
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::diagram::{Node, Place, Store};
use crate::policy::Policy;
use crate::resolve::width;
use crate::spec::{Arch, Nr, register};
use crate::tables::Syscall;

/// Where an argument decides by its upper half.
struct Bad {
    arg: u8,
    /// Calls that are refused, whatever their upper half, and run with another one.
    calls: Node,
    refused: Node,
    runs: Node,
}

pub(super) fn lint(context: &mut Context<'_>, policy: &Policy) {
    let mut found: BTreeMap<Span, (Syscall, &'static str, &'static str)> = BTreeMap::new();
    for &arch in &policy.archs {
        for call in Syscall::all_of(arch) {
            let Some(nr) = call.nr(arch) else { continue };
            let node = policy.function.at(arch, nr);
            for arg in 0..6u8 {
                let Some((unknown, why)) = width::unknown(context.store, call, arch, arg) else { continue };
                let Some(param) = register::param(call, arch, arg) else { continue };
                let Some(bad) = bad(context.store, node, unknown, arg) else { continue };
                for place in places(context, arch, nr, &bad) {
                    found.entry(place).or_insert((call, param.name, why));
                }
            }
        }
    }
    if context.store.overflowed() {
        return;
    }
    for (place, (call, param, why)) in found {
        context.push(
            Diagnostic::new(
                Code::W029,
                place,
                format!("a bit in the upper half of `{param}` lets `{}` run where it is refused without", call.name()),
            )
            .note(why)
            .help(format!("compare what is sure, `{param} & 0xffff_ffff`, or decide without `{param}`")),
        );
    }
}

fn is_upper(place: Place, of: u8) -> bool {
    matches!(place, Place::Arg { arg, bit } if arg == of && bit >= 32)
}

fn bad(store: &mut Store, node: Node, unknown: Node, arg: u8) -> Option<Bad> {
    if !asks_upper(store, node, arg) {
        return None;
    }
    let refused = store.where_action(node, &|action| action.refuses());
    let runs = store.not(refused);
    let (clean, dirty) = (clean(store, refused, arg), dirty(store, runs, arg));
    let calls = store.and(clean, dirty);
    let calls = store.and(calls, unknown);
    (calls != Node::FALSE).then_some(Bad { arg, calls, refused, runs })
}

fn asks_upper(store: &Store, node: Node, arg: u8) -> bool {
    store.reachable(node).into_iter().any(|node| store.split(node).is_some_and(|(var, ..)| is_upper(var.place(), arg)))
}

/// The calls that are in `set` with an upper half as programs have it: zeros, or ones above a number's sign.
fn clean(store: &mut Store, set: Node, arg: u8) -> Node {
    let with = |store: &mut Store, bit| store.assume(set, &|place| is_upper(place, arg).then_some(bit));
    let (zeros, ones) = (with(store, false), with(store, true));
    let negative = store.bit(arg, 31);
    let signed = store.and(ones, negative);
    store.or(zeros, signed)
}

/// The calls that are in `set` with some other upper half.
fn dirty(store: &mut Store, set: Node, arg: u8) -> Node {
    let [zeros, ones] = [false, true].map(|value| {
        (32..64).fold(Node::TRUE, |all, bit| {
            let one = store.bit(arg, bit);
            let one = if value { one } else { store.not(one) };
            store.and(all, one)
        })
    });
    let others = store.minus(set, zeros);
    let others = store.minus(others, ones);
    store.for_some(others, &|place| is_upper(place, arg))
}

/// The rules that refuse by the upper half; if none does, those that pass by it.
fn places(context: &mut Context<'_>, arch: Arch, nr: Nr, bad: &Bad) -> Vec<Span> {
    let claims = context.resolved.claims.get(&arch).and_then(|calls| calls.get(&nr)).cloned().unwrap_or_default();
    let (mut refusing, mut passing) = (Vec::new(), Vec::new());
    for claim in claims {
        let (set, place) = (claim.member.set, claim.member.via.pattern);
        if context.is_builtin(place.file) || !asks_upper(context.store, set, bad.arg) {
            continue;
        }
        let store = &mut *context.store;
        let (part, all) = if claim.action.refuses() {
            let part = store.and(set, bad.refused);
            (clean(store, part, bad.arg), &mut refusing)
        } else {
            let part = store.and(set, bad.runs);
            (dirty(store, part, bad.arg), &mut passing)
        };
        if store.and(part, bad.calls) != Node::FALSE {
            all.push(place);
        }
    }
    if refusing.is_empty() { passing } else { refusing }
}
