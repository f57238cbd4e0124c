//! What rules match, and what those of one call come to together: seccomp/libseccomp `src/db.c`.

use super::Release;
use super::handed::Rule;
use crate::diagram::{Comparison, Leaf, Node, Operand, Store};
use crate::oci::profile::{Arg, Op, ValueTwo};
use crate::spec::multiplex;
use crate::spec::{Action, Arch, Nr};
use crate::tables;

/// What the rules of one number come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Combined {
    /// The answer.
    pub node: Node,
    /// Where it hangs on the order of rules (a set).
    pub undetermined: Node,
    /// Whether rules contradict each other anywhere, be it behind one that beats them all: the library may refuse them.
    pub contradicts: bool,
}

/// Whether the release knows the name (`None`: the newest).
pub fn is_known(call: tables::Syscall, release: Option<Release>) -> bool {
    match (call.libseccomp_release(), release) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(since), Some(release)) => since <= release,
    }
}

/// Numbers that a release lacks, though it knows the name: `PNR` in its `src/syscalls.csv`, and a number in that of the next. All of
/// those from 2.5.0 to 2.6.1.
const LATE: [(tables::Syscall, &[Arch], Release); 3] = [
    (tables::syscall_named("cacheflush"), &[Arch::Parisc, Arch::Parisc64], (2, 5, 5)),
    (tables::syscall_named("map_shadow_stack"), &[Arch::X32], (2, 5, 6)),
    (tables::syscall_named("memfd_secret"), &[Arch::Riscv64, Arch::S390, Arch::S390x], (2, 5, 5)),
];

/// The first release by which a rule on the call counts on all of these ABIs that have it; `None` if none does yet.
pub fn since(call: tables::Syscall, archs: &[Arch]) -> Option<Release> {
    let late = LATE.iter().filter(|&&(late, on, _)| late == call && on.iter().any(|arch| archs.contains(arch)));
    late.map(|&(.., since)| since).chain([call.libseccomp_release()?]).max()
}

/// The number that a release has for a call on an ABI (`None`: the newest).
pub fn number(call: tables::Syscall, arch: Arch, release: Option<Release>) -> Option<Nr> {
    let lacks = |release: Release| {
        LATE.iter().any(|&(late, archs, since)| late == call && archs.contains(&arch) && release < since)
    };
    call.nr(arch).filter(|_| is_known(call, release) && !release.is_some_and(lacks))
}

/// Where an index comes twice, or the runtime takes any condition, each becomes a rule of its own: a call that meets one of
/// them is matched.
pub fn split(args: &[Arg], any: bool) -> Vec<Vec<Arg>> {
    // crun looks at the first six only; more than six can't all be different.
    let args = &args[..args.len().min(6)];
    let repeated = args.iter().enumerate().any(|(at, arg)| args[..at].iter().any(|before| before.index == arg.index));
    if repeated || any && args.len() > 1 { args.iter().map(|&arg| vec![arg]).collect() } else { vec![args.to_vec()] }
}

/// Numbers and rules that come of a rule on a name for one ABI.
pub fn on_arch(call: tables::Syscall, arch: Arch, rule: &Rule) -> impl Iterator<Item = (Nr, Rule)> + use<> {
    let through = multiplex::other_way(call).and_then(|(multiplexer, number)| {
        let nr = multiplexer.nr(arch)?;
        let mut args: Vec<Arg> = rule.args.iter().copied().filter(|arg| arg.index != 0).collect();
        args.push(Arg { index: 0, value: u64::from(number), value_two: ValueTwo::default(), op: Op::Eq });
        Some((nr, Rule { args, ..rule.clone() }))
    });
    through.into_iter().chain(call.nr(arch).map(|nr| (nr, rule.clone())))
}

/// What the rules of one number come to. A rule without conditions beats those with conditions, the first such rule
/// those behind it (`db_rule_add`); rules with conditions are tried one after the other, in an order of libseccomp's.
pub fn combine(store: &mut Store, arch: Arch, default: Action, rules: &[Rule], release: Option<Release>) -> Combined {
    if let [rule] = rules
        && rule.args.is_empty()
        && rule.when == Node::TRUE
    {
        return Combined { node: Node::action(rule.action), undetermined: Node::FALSE, contradicts: false };
    }
    // Neighbours that say the same are one claim: most rules of a call have one action.
    let mut claims: Vec<(bool, Action, Node)> = Vec::new();
    let mut always = Node::FALSE;
    let mut sometimes = Node::FALSE;
    let mut disputed_always = Node::FALSE;
    let mut disputed_sometimes = Node::FALSE;
    for rule in rules {
        let matched = matches(store, arch, &rule.args, release);
        let calls = store.and(rule.when, matched.calls);
        let doubtful = store.and(rule.when, matched.doubtful);
        let disputed = if matched.unconditional { &mut disputed_always } else { &mut disputed_sometimes };
        *disputed = store.or(*disputed, doubtful);
        match claims.last_mut() {
            Some((unconditional, action, all)) if (*unconditional, *action) == (matched.unconditional, rule.action) => {
                *all = store.or(*all, calls);
            }
            _ => claims.push((matched.unconditional, rule.action, calls)),
        }
    }
    for (unconditional, action, calls) in claims {
        let claim = store.ite(calls, Node::action(action), Node::FALSE);
        let (claimed, disputed) =
            if unconditional { (&mut always, &mut disputed_always) } else { (&mut sometimes, &mut disputed_sometimes) };
        // Where both claim and say something else.
        let joined = store.over(*claimed, claim);
        let turned = store.over(claim, *claimed);
        let differs = store.differ(joined, turned);
        *disputed = store.or(*disputed, differs);
        *claimed = joined;
    }
    let settled = store.map(always, &|leaf| if leaf == Leaf::False { Leaf::False } else { Leaf::True });
    let contradicts = disputed_always != Node::FALSE || disputed_sometimes != Node::FALSE;
    let disputed_sometimes = store.minus(disputed_sometimes, settled);
    let undetermined = store.or(disputed_always, disputed_sometimes);
    let claimed = store.over(always, sometimes);
    Combined { node: store.over(claimed, Node::action(default)), undetermined, contradicts }
}

/// The last release of which it is known that LE is right everywhere.
pub const LE_IS_SOUND: Release = (2, 6, 1);

/// What a rule matches.
struct Matched {
    /// The calls that meet all conditions (a set).
    calls: Node,
    /// Calls of which it hangs on the release (a set).
    doubtful: Node,
    /// Whether there is no condition at all.
    unconditional: bool,
}

/// The set of calls that meet all conditions of a rule.
fn matches(store: &mut Store, arch: Arch, args: &[Arg], release: Option<Release>) -> Matched {
    let mut sorted: Vec<Arg> = args.to_vec();
    sorted.sort_by_key(|arg| arg.index);
    let mut calls = Node::TRUE;
    let mut misread = Node::TRUE;
    let mut unconditional = true;
    // Which branch of the condition before leads on.
    let mut on_true = false;
    for arg in sorted {
        let holds = condition(store, arch, arg);
        // A mask without bits is no condition (`_db_arg_cmp_need_lo`); GE 0 is one.
        if arg.op == Op::MaskedEq && holds == Node::TRUE {
            continue;
        }
        unconditional = false;
        let mut as_misread = holds;
        if arg.op == Op::Le && compared_bits(arch) == 32 && release.is_none_or(|release| release > LE_IS_SOUND) {
            // Between releases `_db_rule_gen_arg_32` has had `tf_flag = false` where `*tf_flag = false` is meant: LE, which it
            // makes from GT, then leads on wherever the condition before did, and behind an EQ it means GT. Of
            // no release after 2.6.1 is it known whether it is mended.
            if on_true {
                as_misread = store.not(holds);
            }
        } else {
            on_true = !matches!(arg.op, Op::Ne | Op::Lt | Op::Le);
        }
        calls = store.and(calls, holds);
        misread = store.and(misread, as_misread);
    }
    Matched { calls, doubtful: store.differ(calls, misread), unconditional }
}

/// How much of an argument libseccomp looks at. x32 and n32 have registers of 64 bits, which the kernel shows whole,
/// but libseccomp takes both for 32-bit ABIs (`ARCH_SIZE_32` in `src/arch-x32.c` and `src/arch-mips64n32.c`).
pub fn compared_bits(arch: Arch) -> u8 {
    match arch {
        Arch::X32 | Arch::Mips64n32 | Arch::Mipsel64n32 => 32,
        _ => arch.bits(),
    }
}

/// The set of calls that meet one condition, read as it stands: on 32-bit ABIs the upper halves are dropped.
fn condition(store: &mut Store, arch: Arch, arg: Arg) -> Node {
    let bits = compared_bits(arch);
    let all = u64::MAX >> (64 - bits);
    let value = arg.value & all;
    let operand = Operand { arg: arg.index, bits, mask: all, signed: false };
    match arg.op {
        Op::Eq => store.compare(operand, Comparison::Eq, value),
        Op::Le => store.compare(operand, Comparison::Le, value),
        Op::Ne => {
            let equal = store.compare(operand, Comparison::Eq, value);
            store.not(equal)
        }
        Op::Gt => {
            let at_most = store.compare(operand, Comparison::Le, value);
            store.not(at_most)
        }
        Op::Lt => match value.checked_sub(1) {
            Some(last) => store.compare(operand, Comparison::Le, last),
            None => Node::FALSE,
        },
        Op::Ge => match value.checked_sub(1) {
            Some(below) => {
                let less = store.compare(operand, Comparison::Le, below);
                store.not(less)
            }
            None => Node::TRUE,
        },
        Op::MaskedEq => {
            let operand = Operand { mask: value, ..operand };
            store.compare(operand, Comparison::Eq, arg.value_two.0.unwrap_or(0) & value)
        }
    }
}
