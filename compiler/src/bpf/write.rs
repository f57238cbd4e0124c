//! From a policy to a program.
//!
//! ```text
//! ld [4] · a tree over architecture tokens · for each: ld [0] · a tree over numbers · argument tests
//! ```
//!
//! ABIs that share a token (x86_64 and x32) share a tree: each number belongs to one of them ([`Arch::owns`]), and
//! the numbers of one that the policy does not list end the process, as every other token does.
//!
//! INVARIANT: a path to the answer of a call that is decided by its number loads number and architecture only. That is
//! what the kernel's bitmap of calls that are always allowed needs (`seccomp_cache_prepare`, since Linux 5.11).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::aim::{Aim, Goal, Measure};
use super::block::{BlockId, Blocks, Subject};
use super::check::{CheckError, check};
use super::dispatch::{self, Span, merge};
use super::insn::{MAX_LEN, Program};
use super::interpret::{SeccompData, run};
use super::layout;
use super::order::Orders;
use super::plain;
use super::rules::Rules;
use super::test::Tests;
use super::weights::{Frequencies, SPREAD, Weight, first_number};
use crate::diagram::{Function, Leaf, Node, Place, Store};
use crate::policy::Policy;
use crate::spec::arch::X32_BIT;
use crate::spec::{Action, Arch, Nr};

/// Functions of more nodes are not planned in several orders.
const NODES: usize = 2_000;
/// Functions of no more tests are never made rule by rule but for the shortest program.
const TOGETHER: usize = 24;
/// Longer programs are not made again: it is arguments that make them so long.
const AGAIN: usize = 1_024;
/// How much more a test counts at each step to a shorter program.
const DEARER: f64 = 2.0;
/// From there on there is nothing to be saved.
const DEAREST: f64 = 1_000.0;
/// A shorter program may execute so many times as many instructions.
const SLOWER: f64 = 1.25;

/// A call and how many tests its arguments need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heavy {
    /// Through which ABI.
    pub arch: Arch,
    /// Its number.
    pub nr: Nr,
    /// Tests on its arguments.
    pub tests: usize,
}

/// Why a policy has no program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteError {
    /// The answer depends on what a filter cannot see.
    OpenEnvironment {
        /// Capabilities that must be settled first.
        caps: BTreeSet<u8>,
        /// Whether the kernel's version must be.
        kernel: bool,
        /// The calls that depend on them.
        calls: Vec<(Arch, Nr)>,
    },
    /// More instructions than the kernel takes.
    TooLong {
        /// How many there would be.
        instructions: usize,
        /// The calls that need the most, heaviest first; at most five.
        heaviest: Vec<Heavy>,
    },
    /// A call that no rule and no default claims.
    Unclaimed {
        /// Through which ABI.
        arch: Arch,
        /// Its number.
        nr: Nr,
    },
    /// The store has passed its limit.
    Overflow,
    /// The generated program is not valid: our own mistake.
    Invalid(CheckError),
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenEnvironment { calls, .. } => write!(
                f,
                "{} calls depend on capabilities or the kernel's version, which a BPF filter cannot see",
                calls.len()
            ),
            Self::TooLong { instructions, .. } => {
                write!(f, "the program would have {instructions} instructions; the kernel takes at most {MAX_LEN}")
            }
            Self::Unclaimed { arch, nr } => write!(f, "nothing says what happens to number {} on {arch}", nr.0),
            Self::Overflow => f.write_str("the policy is too large to be held"),
            Self::Invalid(error) => write!(f, "the generated program is not valid: {error}"),
        }
    }
}

impl std::error::Error for WriteError {}

/// The program of a policy that serves an aim best. Where it is longer than the kernel takes, the shortest.
pub fn write(store: &mut Store, policy: &Policy, aim: &Aim) -> Result<Program, WriteError> {
    if store.overflowed() {
        return Err(WriteError::Overflow);
    }
    settled(store, policy)?;
    match write_for(store, policy, aim, 1.0) {
        Err(WriteError::TooLong { .. }) if aim.goal != Goal::Size => {
            write_for(store, policy, &Aim { goal: Goal::Size, ..aim.clone() }, 1.0)
        }
        Ok(program) if aim.goal == Goal::Balanced => shorter(store, policy, aim, program),
        written => written,
    }
}

/// A program for both that is longer than lists in a tree would be is made shorter step by step, as long as calls
/// execute little more.
fn shorter(store: &mut Store, policy: &Policy, aim: &Aim, mut program: Program) -> Result<Program, WriteError> {
    if program.len() > AGAIN {
        return Ok(program);
    }
    let Some(most) = plain::length(store, policy, program.len()) else { return Ok(program) };
    let slowest = executed(policy, aim, &program).map(|executed| SLOWER * executed);
    let mut dearer = DEARER;
    while program.len() > most && dearer < DEAREST {
        let other = write_for(store, policy, aim, dearer)?;
        if executed(policy, aim, &other).iter().zip(slowest).any(|(&executed, slowest)| executed > slowest) {
            break;
        }
        if other.len() < program.len() {
            program = other;
        }
        dearer *= DEARER;
    }
    Ok(program)
}

/// Instructions that expected calls execute, and all numbers; of the first ABI, and of no unit.
fn executed(policy: &Policy, aim: &Aim, program: &Program) -> [f64; 2] {
    let Some(&arch) = policy.function.tables.keys().next() else { return [0.0; 2] };
    let steps = |nr, args| {
        let data = SeccompData::from_parts(nr, arch.audit_token(), arch.is_big_endian(), args);
        run(program, &data).map_or(0.0, |run| run.steps as f64)
    };
    let first = first_number(arch);
    let expected = aim.weights.calls(arch).into_iter().map(|(nr, call)| call.weight * steps(nr.0, call.args));
    [expected.sum(), (first..first + SPREAD).map(|nr| steps(nr, [0; 6])).sum()]
}

/// `dearer` is how many times as much a test counts as is usual.
fn write_for(store: &mut Store, policy: &Policy, aim: &Aim, dearer: f64) -> Result<Program, WriteError> {
    let arguments = aim.goal.of_arguments().dearer(dearer);
    let mut writer = Writer {
        store,
        function: &policy.function,
        aim,
        dearer,
        blocks: Blocks::default(),
        little: (Tests::new(false, arguments), Orders::new(false)),
        big: (Tests::new(true, arguments), Orders::new(true)),
        said: &policy.said,
        default: policy.default,
        shortest: BTreeMap::new(),
        heavy: Vec::new(),
    };
    let root = writer.tokens();
    if writer.store.overflowed() {
        return Err(WriteError::Overflow);
    }
    let program = layout::lay(&writer.blocks, root);
    if program.len() > MAX_LEN {
        return Err(WriteError::TooLong { instructions: program.len(), heaviest: writer.heaviest() });
    }
    check(&program).map_err(WriteError::Invalid)?;
    Ok(program)
}

/// Every call has an action, and it depends on arguments only.
fn settled(store: &Store, policy: &Policy) -> Result<(), WriteError> {
    let mut caps = BTreeSet::new();
    let mut kernel = false;
    let mut calls = Vec::new();
    for (&arch, table) in &policy.function.tables {
        for (range, node) in table.intervals() {
            if store.asks_environment(node) {
                calls.push((arch, Nr(*range.start())));
                for (var, ..) in store.reachable(node).into_iter().filter_map(|node| store.split(node)) {
                    match var.place() {
                        Place::Cap(number) => {
                            caps.insert(number);
                        }
                        Place::Kernel(_) => kernel = true,
                        Place::Arg { .. } => {}
                    }
                }
            }
            if store.leaves(node).iter().any(|leaf| !matches!(leaf, Leaf::Act(_))) {
                return Err(WriteError::Unclaimed { arch, nr: Nr(*range.start()) });
            }
        }
    }
    if calls.is_empty() { Ok(()) } else { Err(WriteError::OpenEnvironment { caps, kernel, calls }) }
}

struct Writer<'a> {
    store: &'a mut Store,
    function: &'a Function,
    aim: &'a Aim,
    /// How many times as much a test counts as is usual.
    dearer: f64,
    blocks: Blocks,
    little: (Tests, Orders),
    big: (Tests, Orders),
    /// What rules say one by one, and what calls get that none claims.
    said: &'a BTreeMap<(Arch, Nr), Vec<(Node, Action)>>,
    default: Action,
    /// Blocks of functions, for each order of words; where length is what counts.
    shortest: BTreeMap<(bool, Node), BlockId>,
    /// Calls with argument tests, and the block where these begin.
    heavy: Vec<(Arch, Nr, BlockId)>,
}

/// How much an ABI is used: programs come through the kernel's own, the others are for guests and old binaries.
fn share(arch: Arch, archs: &[Arch]) -> f64 {
    match arch {
        _ if arch == arch.native() => 1.0,
        _ if !archs.contains(&arch.native()) => 1.0,
        Arch::X32 => 0.01,
        _ => 0.05,
    }
}

/// Weight of a token that no ABI of the policy has: seen once, at the process's end.
const FOREIGN_WEIGHT: f64 = 1e-4;

impl Writer<'_> {
    /// The tree over architecture tokens: the root of the program.
    fn tokens(&mut self) -> BlockId {
        let archs: Vec<Arch> = self.function.tables.keys().copied().collect();
        let mut by_token: BTreeMap<u32, Vec<Arch>> = BTreeMap::new();
        for &arch in &archs {
            by_token.entry(arch.audit_token()).or_default().push(arch);
        }
        let mut targets = vec![self.blocks.answer(Function::FOREIGN)];
        let mut parts = Vec::new();
        for (&token, sharing) in &by_token {
            let target = self.numbers(sharing, &archs);
            let weight = Weight::both(sharing.iter().map(|&arch| share(arch, &archs)).sum());
            parts.push((token, weight, class_of(&mut targets, target)));
        }
        let mut spans = Vec::new();
        let mut next = Some(0u32);
        let foreign = |lo, hi| Span { lo, hi, class: 0, weight: Weight::both(FOREIGN_WEIGHT) };
        for (token, weight, class) in parts {
            if let Some(lo) = next.filter(|&lo| lo < token) {
                spans.push(foreign(lo, token - 1));
            }
            spans.push(Span { lo: token, hi: token, class, weight });
            next = token.checked_add(1);
        }
        spans.extend(next.map(|lo| foreign(lo, u32::MAX)));
        let spans = merge(spans);
        dispatch::plan(&spans, self.of_numbers(&spans)).blocks(&mut self.blocks, Subject::word(4), &targets)
    }

    /// The tree over the numbers of one token.
    fn numbers(&mut self, sharing: &[Arch], archs: &[Arch]) -> BlockId {
        // Owners change at these numbers only, so an interval between two of them belongs to one ABI.
        let borders = [0, X32_BIT, u32::MAX];
        let mut targets = vec![self.blocks.answer(Function::FOREIGN)];
        let mut spans: Vec<Span> = Vec::new();
        // The ABI that most calls come through: its numbers are planned with all care.
        let hot = sharing.iter().copied().max_by(|&a, &b| share(a, archs).total_cmp(&share(b, archs)));
        let frequencies = hot.map(|arch| self.frequencies(arch));
        for (index, &lo) in borders.iter().enumerate() {
            let hi = borders.get(index + 1).map_or(u32::MAX, |next| next - 1);
            match sharing.iter().copied().find(|arch| arch.owns(Nr(lo))) {
                None => spans.push(Span { lo, hi, class: 0, weight: Weight::both(FOREIGN_WEIGHT) }),
                Some(arch) => match frequencies.as_ref().filter(|_| hot == Some(arch)) {
                    Some(frequencies) => self.own_numbers(arch, lo, hi, frequencies, &mut targets, &mut spans),
                    None => {
                        let target = self.apart(arch, lo, hi);
                        spans.push(Span {
                            lo,
                            hi,
                            class: class_of(&mut targets, target),
                            weight: Weight::both(share(arch, archs)),
                        });
                    }
                },
            }
        }
        let spans = merge(spans);
        let tree = match frequencies.filter(|_| hot.is_some_and(|arch| share(arch, archs) >= 1.0)) {
            Some(frequencies) => {
                dispatch::plan_numbers(&spans, self.of_numbers(&spans), self.aim.goal.allowance(), &frequencies)
            }
            None => dispatch::plan(&spans, self.of_numbers(&spans)),
        };
        tree.blocks(&mut self.blocks, Subject::word(0), &targets)
    }

    /// A tree of its own for the part `lo..=hi` of the table of an ABI that is hardly used beside the others of its
    /// token.
    fn apart(&mut self, arch: Arch, lo: u32, hi: u32) -> BlockId {
        let (mut targets, mut spans) = (Vec::new(), Vec::new());
        let frequencies = self.frequencies(arch);
        self.own_numbers(arch, lo, hi, &frequencies, &mut targets, &mut spans);
        let spans = merge(spans);
        dispatch::plan(&spans, self.of_numbers(&spans)).blocks(&mut self.blocks, Subject::word(0), &targets)
    }

    /// The part `lo..=hi` of an ABI's table.
    fn own_numbers(
        &mut self,
        arch: Arch,
        lo: u32,
        hi: u32,
        frequencies: &Frequencies,
        targets: &mut Vec<BlockId>,
        spans: &mut Vec<Span>,
    ) {
        let Some(table) = self.function.tables.get(&arch) else { return };
        for (range, node) in table.intervals() {
            let (start, end) = (lo.max(*range.start()), hi.min(*range.end()));
            if start > end {
                continue;
            }
            let node = Tests::narrow(self.store, arch, node);
            let target = self.arguments(arch, Nr(start), node);
            if !node.is_leaf() {
                self.heavy.push((arch, Nr(start), target));
            }
            let class = class_of(targets, target);
            spans.push(Span { lo: start, hi: end, class, weight: frequencies.of(start, end) });
        }
    }

    fn of_numbers(&self, spans: &[Span]) -> Measure {
        self.aim.goal.of_numbers(spans.len()).dearer(self.dearer)
    }

    fn frequencies(&self, arch: Arch) -> Frequencies {
        self.aim.weights.on(arch)
    }

    fn arguments(&mut self, arch: Arch, nr: Nr, node: Node) -> BlockId {
        if (self.aim.goal == Goal::Size || self.dearer > 1.0) && !node.is_leaf() {
            return match self.shortest.get(&(arch.is_big_endian(), node)) {
                Some(&known) => known,
                None => {
                    let block = self.shortest(arch, nr, node);
                    self.shortest.insert((arch.is_big_endian(), node), block);
                    block
                }
            };
        }
        let (tests, _) = if arch.is_big_endian() { &mut self.big } else { &mut self.little };
        let own = tests.block(self.store, &mut self.blocks, node);
        let length = self.blocks.tests_below(own);
        if length <= TOGETHER {
            return own;
        }
        let Some(rules) = self.rules(arch, nr, node) else { return own };
        let listed = rules.block(self.store, &mut self.blocks);
        let price = self.aim.goal.of_arguments().dearer(self.dearer).price;
        let cost = |block, length| self.blocks.deepest(block) as f64 + price * length as f64;
        if cost(listed, self.blocks.tests_below(listed)) < cost(own, length) { listed } else { own }
    }

    /// What was said of a call one by one, if it comes to `node`.
    fn rules(&mut self, arch: Arch, nr: Nr, node: Node) -> Option<Rules> {
        let said = self.said.get(&(arch, nr))?;
        Rules::of(self.store, arch, said, self.default, node)
    }

    /// The shortest block for a function of arguments: in the order of the arguments, in another, or rule by rule.
    fn shortest(&mut self, arch: Arch, nr: Nr, node: Node) -> BlockId {
        let big_endian = arch.is_big_endian();
        let rules = self.rules(arch, nr, node);
        let (tests, orders) = if big_endian { &mut self.big } else { &mut self.little };
        if self.store.reachable(node).len() > NODES {
            return match rules {
                Some(rules) => rules.block(self.store, &mut self.blocks),
                None => tests.block(self.store, &mut self.blocks, node),
            };
        }
        let own =
            layout::length(|blocks| Tests::new(big_endian, Goal::Size.of_arguments()).block(self.store, blocks, node));
        let listed = rules.map(|rules| (layout::length(|blocks| rules.block(self.store, blocks)), rules));
        let listed = listed.filter(|&(length, _)| length < own);
        let most = listed.as_ref().map_or(own, |&(length, _)| length);
        let other = orders.shorter(self.store, &mut self.blocks, node, most);
        match (other, listed) {
            (Some(block), _) => block,
            (None, Some((_, rules))) => rules.block(self.store, &mut self.blocks),
            (None, None) => tests.block(self.store, &mut self.blocks, node),
        }
    }

    fn heaviest(&self) -> Vec<Heavy> {
        let mut heavy: Vec<Heavy> = self
            .heavy
            .iter()
            .map(|&(arch, nr, block)| Heavy { arch, nr, tests: self.blocks.tests_below(block) })
            .collect();
        heavy.sort_by(|a, b| b.tests.cmp(&a.tests).then(a.arch.cmp(&b.arch)).then(a.nr.cmp(&b.nr)));
        heavy.truncate(5);
        heavy
    }
}

/// The index of a target; the same for equal ones.
fn class_of(targets: &mut Vec<BlockId>, target: BlockId) -> usize {
    targets.iter().position(|&known| known == target).unwrap_or_else(|| {
        targets.push(target);
        targets.len() - 1
    })
}
