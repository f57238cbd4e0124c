//! What holds for every program: the oracle, the proof and the kernel's rules agree with the diagram.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod examples;
mod kernel;
mod random;

use std::collections::BTreeMap;

use super::*;
use crate::diagram::{Comparison, Function, Leaf, Node, Operand, Store, Table};
use crate::policy::Policy;
use crate::spec::{Action, Arch, Call, Environment, Nr};

/// A policy with these tables.
fn policy(tables: impl IntoIterator<Item = (Arch, Table)>) -> Policy {
    let function = Function { tables: tables.into_iter().collect() };
    Policy {
        archs: function.tables.keys().copied().collect(),
        function,
        native: false,
        default: Action::Errno(1),
        declared: BTreeMap::new(),
        said: BTreeMap::new(),
        flags: Vec::new(),
        listener: None,
        waivers: Vec::new(),
    }
}

/// `other` but for these numbers.
fn table(other: Action, calls: impl IntoIterator<Item = (u32, Node)>) -> Table {
    Table::new(Node::action(other), &calls.into_iter().map(|(nr, node)| (Nr(nr), node)).collect())
}

/// `arg == value` on the low `bits`.
fn equal(store: &mut Store, arg: u8, bits: u8, mask: u64, value: u64) -> Node {
    store.compare(Operand { arg, bits, mask, signed: false }, Comparison::Eq, value)
}

/// The program as it is built without options.
fn write(store: &mut Store, policy: &Policy) -> Result<Program, WriteError> {
    super::write(store, policy, &Aim::default())
}

/// What the policy says to a call.
fn expected(store: &Store, policy: &Policy, call: &Call) -> Action {
    let owner = Arch::all().find(|arch| arch.audit_token() == call.arch.audit_token() && arch.owns(call.nr)).unwrap();
    let node = policy.function.at(owner, call.nr);
    let mut args = call.args;
    if owner.bits() == 32 {
        args = args.map(|arg| arg & 0xffff_ffff);
    }
    match store.at(node, &Environment::default(), &args) {
        Leaf::Act(action) => action,
        leaf => panic!("{leaf:?} is no action"),
    }
}

/// What the program answers, and how.
fn answer(program: &Program, call: &Call) -> Run {
    run(program, &SeccompData::new(call)).unwrap()
}
