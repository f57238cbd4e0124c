//! What a call gets, who decided it, and what would change that.
//!
//! ```text
//! allow { socket(family in {AF_UNIX, AF_INET}) }, default deny
//!
//! why socket(AF_ALG, _, 0)   →   deny(EPERM), by the default; with `family in {AF_UNIX, AF_INET}` it would get allow
//! ```
//!
//! A call of which not everything is known is a set of calls. What the function is on that set is all that can be
//! said: one answer, or several with the conditions that decide among them. The nearest change is the one of fewest
//! arguments: they are let loose one by one, then two by two, until another answer comes in reach.
//!
//! INVARIANT: every change that is named leads to the answer that it names.

use super::diff::actions;
use super::words::{self, Cases};
use crate::diagnostic::{Label, Span};
use crate::diagram::{Comparison, Cube, Leaf, Node, Operand, Place, Store};
use crate::policy::build::{decider, places};
use crate::policy::witness;
use crate::resolve::Resolved;
use crate::source::graph::Graph;
use crate::spec::{Action, Arch, Call, Environment, Nr, register};
use crate::tables;

/// One answer that the call may get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The answer.
    pub action: Action,
    /// When it is this one: what else must hold.
    pub cases: Cases,
    /// A call that gets it.
    pub call: Call,
    /// Where it does.
    pub environment: Environment,
}

/// A change after which the call would get another answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What would have to hold instead.
    pub cases: Cases,
    /// The answer then.
    pub action: Action,
    /// A call that is changed so.
    pub call: Call,
    /// And where it is made.
    pub environment: Environment,
}

/// The bits of a register that the kernel drops, and the filter looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// A call that means the same to the kernel.
    pub call: Call,
    /// The other answer.
    pub action: Action,
}

/// Everything about a call on one ABI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// What it may get: one answer where what is known decides it.
    pub outcomes: Vec<Outcome>,
    /// The least changes that lead to another answer; empty where there are several already, or no way to another.
    pub changes: Vec<Change>,
    /// Another answer by bits that the kernel ignores.
    pub hidden: Option<Hidden>,
}

/// What `node`, the function of a call's number, says of the calls in `asked`. `None` if there are none.
pub fn why(store: &mut Store, arch: Arch, nr: Nr, name: Option<&str>, node: Node, asked: Node) -> Option<Why> {
    let mentioned = mentioned(store, asked);
    // As a C library hands it over: nothing above the parameter's width.
    let mut plain = asked;
    for &(arg, bits) in &mentioned {
        let width = width(arch, name, arg);
        if width < 64 && bits >> width == 0 {
            let operand = Operand { arg, bits: 64, mask: u64::MAX << width, signed: false };
            let clear = store.compare(operand, Comparison::Eq, 0);
            plain = store.and(plain, clear);
        }
    }
    let (cube, _) = store.witness(plain, &|leaf| leaf == Leaf::True)?;
    let single = store.count_paths(plain, Leaf::False) == 1;
    let known = if single { store.assume(node, &|place| fixed(&cube, place)) } else { node };
    let within = if single { Node::TRUE } else { plain };
    let call = name.and_then(tables::syscall);
    let said = (0u8..).zip(cube.args).filter(|(_, bits)| single && bits.mask != 0);
    let said = witness::known(arch, call, said.map(|(arg, bits)| (arg, bits.value)));
    let outcomes: Vec<Outcome> = split(store, known, within)
        .into_iter()
        .filter_map(|(action, set)| {
            let cases = words::cases_given(store, arch, name, set, said.clone(), plain);
            let both = store.and(set, plain);
            let (found, _) = store.witness(both, &|leaf| leaf == Leaf::True)?;
            let (call, environment) = witness::call(arch, nr, &found);
            Some(Outcome { action, cases, call, environment })
        })
        .collect();
    let rest = store.minus(asked, plain);
    let hidden = split(store, node, rest)
        .into_iter()
        .filter(|(action, _)| outcomes.iter().all(|outcome| outcome.action != *action))
        .find_map(|(action, set)| {
            let (found, _) = store.witness(set, &|leaf| leaf == Leaf::True)?;
            Some(Hidden { call: witness::call(arch, nr, &found).0, action })
        });
    let changes = match outcomes.as_slice() {
        [only] => nearest(store, arch, nr, name, node, only, &mentioned),
        _ => Vec::new(),
    };
    Some(Why { outcomes, changes, hidden })
}

/// Each answer of the function within a set, with the part of the set that gets it.
fn split(store: &mut Store, node: Node, within: Node) -> Vec<(Action, Node)> {
    let mut parts = Vec::new();
    for action in actions(store, node) {
        let set = store.where_action(node, &|other| other == action);
        let set = store.and(set, within);
        if set != Node::FALSE {
            parts.push((action, set));
        }
    }
    parts
}

/// Arguments that a function asks about, with the bits.
pub fn mentioned(store: &Store, set: Node) -> Vec<(u8, u64)> {
    let mut bits = [0u64; 6];
    for node in store.reachable(set) {
        if let Some((var, ..)) = store.split(node)
            && let Place::Arg { arg, bit } = var.place()
        {
            bits[usize::from(arg)] |= 1 << bit;
        }
    }
    (0u8..).zip(bits).filter(|(_, bits)| *bits != 0).collect()
}

fn width(arch: Arch, name: Option<&str>, arg: u8) -> u8 {
    let call = name.and_then(tables::syscall);
    call.and_then(|call| register::param(call, arch, arg)).map_or(64, |param| param.bits)
}

fn fixed(cube: &Cube, place: Place) -> Option<bool> {
    match place {
        Place::Arg { arg, bit } => {
            let bits = cube.args[usize::from(arg)];
            (bits.mask >> bit & 1 == 1).then_some(bits.value >> bit & 1 == 1)
        }
        Place::Cap(_) | Place::Kernel(_) => None,
    }
}

/// Lets go of as few of the arguments as lead to another answer. There are at most six.
fn nearest(
    store: &mut Store,
    arch: Arch,
    nr: Nr,
    name: Option<&str>,
    node: Node,
    now: &Outcome,
    mentioned: &[(u8, u64)],
) -> Vec<Change> {
    let mut choices: Vec<u8> = (1u8..1 << mentioned.len()).collect();
    choices.sort_by_key(|choice| (choice.count_ones(), *choice));
    let mut changes = Vec::new();
    let mut size = 0;
    for choice in choices {
        if !changes.is_empty() && choice.count_ones() > size {
            break;
        }
        size = choice.count_ones();
        let free = |arg: u8| mentioned.iter().zip(0u8..).any(|(&(of, _), index)| of == arg && choice >> index & 1 == 1);
        let held = |arg: u8| mentioned.iter().any(|&(of, _)| of == arg) && !free(arg);
        let rest = store.assume(node, &|place| match place {
            Place::Arg { arg, bit } if held(arg) => Some(now.call.args[usize::from(arg)] >> bit & 1 == 1),
            // Not by bits that the kernel never sees, unless they are what was asked about.
            Place::Arg { arg, bit } if free(arg) && bit >= width(arch, name, arg) => {
                let of_register = mentioned.iter().any(|&(of, bits)| of == arg && bits >> bit & 1 == 1);
                (!of_register).then_some(false)
            }
            _ => None,
        });
        let mut same = Node::TRUE;
        for arg in (0..6).filter(|&arg| held(arg)) {
            let operand = Operand { arg, bits: 64, mask: u64::MAX, signed: false };
            let here = store.compare(operand, Comparison::Eq, now.call.args[usize::from(arg)]);
            same = store.and(same, here);
        }
        for (action, set) in split(store, rest, Node::TRUE) {
            if action == now.action {
                continue;
            }
            let Some((found, _)) = store.witness(set, &|leaf| leaf == Leaf::True) else { continue };
            let (mut call, environment) = witness::call(arch, nr, &found);
            for arg in (0..6).filter(|&arg| held(arg)) {
                call.args[usize::from(arg)] = now.call.args[usize::from(arg)];
            }
            let said = (0..6).filter(|&arg| held(arg)).map(|arg| (arg, now.call.args[usize::from(arg)]));
            let said = witness::known(arch, name.and_then(tables::syscall), said);
            let cases = words::cases_given(store, arch, name, set, said, same);
            changes.push(Change { cases, action, call, environment });
        }
    }
    changes
}

/// Where a policy decides a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The rule's pattern, or the default.
    pub place: Span,
    /// Whether it is the default: no rule claims the call.
    pub by_default: bool,
    /// Groups and includes that lead there, and what else claims the call and is overruled.
    pub on_the_way: Vec<Label>,
}

/// Who decides a call in a policy.
pub fn decision(
    resolved: &Resolved,
    graph: &Graph,
    store: &Store,
    call: &Call,
    environment: &Environment,
) -> Option<Decision> {
    let Call { arch, nr, args } = call;
    let Some(claim) = decider(resolved, store, *arch, *nr, environment, args) else {
        let default = resolved.defaults.iter().max_by_key(|default| default.priority)?;
        let includes = graph.chain(default.span.file).into_iter();
        let on_the_way = includes.map(|span| Label { span, text: crate::diagnostic::INCLUDED.to_owned() }).collect();
        return Some(Decision { place: default.span, by_default: true, on_the_way });
    };
    let mut on_the_way = places(resolved, graph, *arch, *nr, claim.member.via);
    let claims = resolved.claims.get(arch).and_then(|calls| calls.get(nr)).into_iter().flatten();
    for other in claims.filter(|other| other.priority < claim.priority && other.action != claim.action) {
        if store.at(other.member.set, environment, args) == Leaf::True {
            let text = format!("overruled: `{}` here", other.action);
            on_the_way.push(Label { span: other.member.via.pattern, text });
        }
    }
    Some(Decision { place: claim.member.via.pattern, by_default: false, on_the_way })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use std::path::Path;

    use super::*;
    use crate::answer::call;
    use crate::driver::{Options, load};
    use crate::source::Memory;

    /// The answer on x86_64, and the policy's function to check it with.
    fn asked(policy: &str, question: &str) -> (Why, Store, Node) {
        let mut store = Store::default();
        let mut memory = Memory::default();
        memory.insert("p.kpol", policy);
        let opened = load::load(&memory, Path::new("p.kpol"), &Options::default(), &mut store).unwrap();
        let filter = opened.filter.unwrap_or_else(|| panic!("{policy}: {:?}", opened.diagnostics));
        let question = call::parse(question).unwrap();
        let pattern = question.on(Arch::X86_64, &|_| None).unwrap().unwrap();
        let set = load::calls(&pattern.policy, Arch::X86_64, pattern.nr, &mut store).unwrap();
        let node = filter.function.at(Arch::X86_64, pattern.nr);
        let name = tables::syscall_at(Arch::X86_64, pattern.nr).map(tables::Syscall::name);
        let answer = why(&mut store, Arch::X86_64, pattern.nr, name, node, set).unwrap();
        (answer, store, node)
    }

    fn said(policy: &str, question: &str) -> Vec<String> {
        let (answer, ..) = asked(policy, question);
        let words = |cases: &Cases| cases.cases.iter().map(|case| case.condition()).collect::<Vec<_>>().join("; ");
        let outcomes = answer.outcomes.iter().map(|one| format!("{} [{}]", one.action, words(&one.cases)));
        let changes = answer.changes.iter().map(|one| format!("{} with {}", one.action, words(&one.cases)));
        let hidden = answer.hidden.iter().map(|one| format!("{} hidden {:#x}", one.action, one.call.args[0]));
        outcomes.chain(changes).chain(hidden).collect()
    }

    #[test]
    fn what_is_known_decides_or_the_rest_is_named() {
        let policy = "default deny allow { socket(family in {AF_UNIX, AF_INET}, type == SOCK_STREAM) }";
        assert_eq!(
            said(policy, "socket(AF_UNIX, SOCK_STREAM)"),
            ["allow []", "deny(EPERM) with family not in {AF_UNIX, AF_INET}", "deny(EPERM) with type != SOCK_STREAM"]
        );
        assert_eq!(
            said(policy, "socket(AF_UNIX)"),
            ["deny(EPERM) [type != SOCK_STREAM]", "allow [type == SOCK_STREAM]"]
        );
        assert_eq!(
            said(policy, "socket(domain = AF_ALG, type = SOCK_DGRAM)"),
            [
                "deny(EPERM) []",
                // Neither alone is enough.
                "allow with family in {AF_UNIX, AF_INET} && type == SOCK_STREAM"
            ]
        );
        assert_eq!(said(policy, "mount"), ["deny(EPERM) []"]);
        assert_eq!(
            said("default deny when cap CAP_SYS_ADMIN { allow { mount } }", "mount(_, _)"),
            ["deny(EPERM) [not cap CAP_SYS_ADMIN]", "allow [cap CAP_SYS_ADMIN]"]
        );
    }

    #[test]
    fn what_is_known_of_one_argument_names_another() {
        let policy = "default deny allow { socket(family == AF_NETLINK, protocol != NETLINK_AUDIT) }";
        assert_eq!(
            said(policy, "socket(AF_NETLINK, _, NETLINK_AUDIT)"),
            ["deny(EPERM) []", "allow with protocol != NETLINK_AUDIT"]
        );
        assert_eq!(
            said(policy, "socket(AF_NETLINK)"),
            ["deny(EPERM) [protocol == NETLINK_AUDIT]", "allow [protocol != NETLINK_AUDIT]"]
        );
    }

    #[test]
    fn bits_that_the_kernel_drops_are_told_apart() {
        let policy = "default deny allow { socket(reg0 != 40) }";
        assert_eq!(
            said(policy, "socket(AF_VSOCK)"),
            ["deny(EPERM) []", "allow with family != AF_VSOCK", "allow hidden 0x100000028"]
        );
        assert_eq!(said(policy, "socket(0x100000028)"), ["allow []", "deny(EPERM) with reg0 == AF_VSOCK"]);
        assert_eq!(said("default deny allow { openat(dfd == AT_FDCWD) }", "openat(-100)")[0], "allow []");
    }

    #[test]
    fn arguments_are_where_the_kernel_has_them() {
        let policy = "default allow kill { prctl(option == PR_SET_DUMPABLE, arg2 == 1) }";
        let killed = ["kill []", "allow with option != PR_SET_DUMPABLE", "allow with arg2 != 1"];
        for question in ["prctl(4, 1)", "prctl(op = 4, arg2 = 1)", "prctl(reg0 = 4, reg1 = 1)"] {
            assert_eq!(said(policy, question), killed, "{question}");
        }
        assert_eq!(said(policy, "prctl(4, 0, 1)")[0], "allow []");
        assert_eq!(said(policy, "prctl(4, reg2 = 1)"), ["kill [arg2 == 1]", "allow [arg2 != 1]"]);
    }

    proptest::proptest! {
        /// A call that is changed as the answer says gets what the answer says.
        #[test]
        fn the_nearest_change_changes_the_answer(
            tests in proptest::collection::vec(0usize..8, 1..3),
            args in proptest::array::uniform3(proptest::sample::select(vec![0u32, 1, 2, 3, 5, 8, 0xffff_ffff])),
            how_many in 0usize..4,
        ) {
            const TESTS: [&str; 8] = [
                "family == 1", "family & 3 == 1", "type < 7", "type in {1, 2, 5}", "family != 0, type & 8", "protocol == 3",
                "!(family == 1 && type == 2)", "reg0 == 8, reg1 != 5",
            ];
            let mut policy = "default deny\n".to_owned();
            for test in tests {
                policy += &format!("allow {{ socket({}) }}\n", TESTS[test]);
            }
            let given: Vec<String> = args[..how_many.min(3)].iter().map(u32::to_string).collect();
            let (answer, store, node) = asked(&policy, &format!("socket({})", given.join(", ")));
            for outcome in &answer.outcomes {
                let at = store.at(node, &outcome.environment, &outcome.call.args);
                proptest::prop_assert_eq!(at, Leaf::Act(outcome.action));
            }
            for change in &answer.changes {
                let at = store.at(node, &change.environment, &change.call.args);
                proptest::prop_assert_eq!(at, Leaf::Act(change.action));
                proptest::prop_assert_ne!(change.action, answer.outcomes[0].action);
            }
            if let Some(hidden) = &answer.hidden {
                let at = store.at(node, &Environment::default(), &hidden.call.args);
                proptest::prop_assert_eq!(at, Leaf::Act(hidden.action));
            }
        }
    }
}
