//! The program that libseccomp makes of rules, instruction by instruction.
//!
//! ```text
//! x86_64: read → allow, default errno(1)
//!
//! ld [4]                         the ABI's token
//! jeq #0xc000003e, +0, +5
//! ld [0]                         the number
//! jge #0x40000000, +0, +1        x32's
//! jeq #0xffffffff, +0, +2
//! jeq #0, +2, +0
//! ret errno(1)
//! ret kill_thread
//! ret allow
//! ```
//!
//! Runtimes hand rules over, and what the kernel runs is the library's program. It has faults: to know whether one of them
//! strikes, the program is made here as the library makes it, and read like any other (`bpf::symbolic`).
//! The steps: each ABI has its list of calls, each call its tree of tests (`tree.rs`); calls are sorted by the number of
//! their tests; tests become blocks (`blocks.rs`), and blocks a program (`link.rs`).
//!
//! What is followed is seccomp/libseccomp `src/db.c` and `src/gen_bpf.c` in the releases 2.5.4 to 2.6.1, which do not differ
//! here, without the binary tree (`SCMP_FLTATR_CTL_OPTIMIZE` 1, which runtimes leave as it is). Whether it is
//! followed well is seen by a test that compares with the library itself, instruction by instruction
//! (`compiler/tests/libseccomp.rs`).

mod blocks;
mod link;
mod rule;
mod tree;

use std::collections::BTreeMap;

use self::blocks::{Block, Draft};
pub(super) use self::blocks::{Blocks, Loaded, Target};
pub(super) use self::rule::Chain;
pub(super) use self::tree::Tree;
use super::profile::Arg;
use super::runtime::compared_bits;
use crate::bpf::{Program, op};
use crate::spec::arch::X32_BIT;
use crate::spec::{Action, Arch};

/// Why there is no program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// A rule contradicts another; the library refuses it (`EEXIST`).
    Contradiction,
    /// A level of tests runs in a circle, and the library with it.
    Endless,
    /// The library uses memory that it has given back, and nobody knows what it finds there.
    Undefined,
    /// A jump leads backwards; the library refuses to write the program (`EFAULT`).
    Unlinked,
    /// It would take too long to find out.
    TooLarge,
}

/// The rules on one ABI, added one by one.
#[derive(Debug)]
pub struct Filter {
    arch: Arch,
    calls: BTreeMap<Number, Call>,
}

/// The rules on one call.
#[derive(Debug)]
struct Call {
    tree: Tree,
    /// The answer, while there are no conditions.
    act: u32,
    priority: u32,
}

/// The number of a call, in the order of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Number {
    /// The ABI's own.
    Real(u32),
    /// The library's own (`__PNR_…`), for a name that the ABI lacks. Such a call is sorted with the others and then left
    /// out; which number it is does not matter.
    Pseudo(&'static str),
}

/// Priorities are the lower, the more tests a call has.
const HIGHEST: u32 = 0xffff;

impl Filter {
    /// No rules yet.
    pub fn new(arch: Arch) -> Self {
        Self { arch, calls: BTreeMap::new() }
    }

    /// The ABI.
    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// Adds a rule, as `db_rule_add` does.
    pub fn add(&mut self, number: Number, args: &[Arg], action: Action) -> Result<(), Failure> {
        let act = action.to_ret();
        let chain = Chain::new(args, act, compared_bits(self.arch));
        let Some(call) = self.calls.get_mut(&number) else {
            let tree = Tree::new(&chain)?;
            let priority = HIGHEST - tree.count;
            self.calls.insert(number, Call { tree, act, priority });
            return Ok(());
        };
        if call.tree.is_empty() {
            // What always matches beats what comes later.
        } else if chain.tests.is_empty() {
            call.tree.clear();
            call.act = act;
        } else {
            call.tree.merge(&chain)?;
        }
        call.priority = call.priority & !HIGHEST | HIGHEST.wrapping_sub(call.tree.count);
        Ok(())
    }
}

/// The program of some ABIs, in the order in which they were added; all of one byte order.
pub fn program(filters: &[Filter], default: Action) -> Result<Program, Failure> {
    let big_endian = filters.first().is_some_and(|filter| filter.arch.is_big_endian());
    let mut blocks = Blocks::new(big_endian);
    let kill = Action::KillThread.to_ret();
    let foreign = blocks.place(Block::new(vec![Draft::statement(op::RET_K, kill)]));
    let otherwise = blocks.answer(default.to_ret());
    let token = vec![Draft::statement(op::LD_ABS, 4)];
    let mut row = vec![blocks.place(Block { after: Loaded::word(4), ..Block::new(token) })];
    for (index, filter) in filters.iter().enumerate() {
        // x86_64 and x32 have one token; the first of them comes with the other.
        let twin = match filter.arch {
            Arch::X86_64 => filters.iter().position(|other| other.arch == Arch::X32),
            Arch::X32 => filters.iter().position(|other| other.arch == Arch::X86_64),
            _ => None,
        };
        if twin.is_none_or(|twin| twin > index) {
            row.extend(section(&mut blocks, filter, twin.map(|twin| &filters[twin]), foreign, otherwise)?);
        }
    }
    row.push(foreign);
    link::link(&mut blocks, &row)
}

/// The blocks of one token, in their order.
fn section(
    blocks: &mut Blocks,
    filter: &Filter,
    twin: Option<&Filter>,
    foreign: usize,
    otherwise: usize,
) -> Result<Vec<usize>, Failure> {
    let mut calls: Vec<(&Number, &Call)> = filter.calls.iter().collect();
    calls.extend(twin.iter().flat_map(|twin| &twin.calls));
    calls.sort_by_key(|(_, call)| std::cmp::Reverse(call.priority));
    let one_of_two = matches!(filter.arch, Arch::X86_64 | Arch::X32) && twin.is_none();
    let mut row = Vec::new();
    let mut next = otherwise;
    for (index, &(number, call)) in calls.iter().enumerate().rev() {
        let &Number::Real(number) = number else { continue };
        // The first of all loads the number; it may be one that is left out.
        let loads = index == 0 && !one_of_two;
        let mut block = Block { after: Loaded::word(0), ..Block::new(Vec::with_capacity(2)) };
        let mut loaded = Loaded::NOTHING;
        if loads {
            block.code.push(Draft::statement(op::LD_ABS, 0));
            loaded = Loaded::word(0);
        } else {
            block.before = Loaded::word(0);
        }
        let holds = match call.tree.root() {
            Some(root) => blocks.level(&call.tree, root, otherwise, loaded)?,
            None => blocks.answer(call.act),
        };
        block.code.push(Draft::jump(op::JEQ_K, number, Target::Block(holds), Target::Block(next)));
        let id = blocks.place(block);
        next = blocks.blocks[id].name;
        row.push(id);
    }
    if one_of_two {
        let mut code = vec![Draft::statement(op::LD_ABS, 0)];
        let (own, foreign) = (Target::Block(next), Target::Block(foreign));
        if filter.arch == Arch::X86_64 {
            code.push(Draft::jump(op::JGE_K, X32_BIT, Target::None, own));
            code.push(Draft::jump(op::JEQ_K, u32::MAX, own, foreign));
        } else {
            code.push(Draft::jump(op::JGE_K, X32_BIT, own, foreign));
        }
        let id = blocks.place(Block { after: Loaded::word(0), ..Block::new(code) });
        next = blocks.blocks[id].name;
        row.push(id);
    }
    let past = Target::Past(row.len());
    let token = Draft::jump(op::JEQ_K, filter.arch.audit_token(), Target::Block(next), past);
    row.push(blocks.place(Block::new(vec![token])));
    row.reverse();
    Ok(row)
}
