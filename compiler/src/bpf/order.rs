//! Which argument is asked first, where length is what counts.
//!
//! ```text
//! arg0 == 5 && arg2 < 9 || arg1 != 7      arg0 first: what is asked of arg1 is there twice
//!                                         arg1 first: once
//! ```
//!
//! The diagram has one order of variables, that of the arguments. Here a function is built once more in other orders, each
//! in a store of its own, and the one with the shortest program is taken.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::aim::Goal;
use super::block::{BlockId, Blocks};
use super::layout;
use super::test::Tests;
use crate::diagram::{Node, Place, Store, Var};

/// Nodes that one order may take in all: the wrong one can need very many.
const ROOM: usize = 100_000;
/// With more arguments not all orders are tried, but those where one of them is first.
const ALL_ORDERS: usize = 3;

/// Arguments, the one that is asked first in front.
type Order = Vec<u8>;

/// Functions of one program in orders of their own.
#[derive(Debug)]
pub(super) struct Orders {
    big_endian: bool,
    known: BTreeMap<Order, (Store, Tests)>,
}

impl Orders {
    /// For ABIs whose words lie in that order.
    pub fn new(big_endian: bool) -> Self {
        Self { big_endian, known: BTreeMap::new() }
    }

    /// The block of the shortest program for `node` over all orders but its own, if it has less than `most` instructions.
    pub fn shorter(&mut self, store: &Store, blocks: &mut Blocks, node: Node, most: usize) -> Option<BlockId> {
        let big_endian = self.big_endian;
        let orders = orders(store, &store.reachable(node));
        let mut best: Option<(usize, Order)> = None;
        for order in orders {
            let Some((moved, store, _)) = self.reordered(store, node, &order) else { continue };
            let length = layout::length(|blocks| tests_in(&order, big_endian).block(store, blocks, moved));
            if store.overflowed() {
                self.known.remove(&order);
            } else if length < best.as_ref().map_or(most, |best| best.0) {
                best = Some((length, order));
            }
        }
        let (_, order) = best?;
        let (moved, store, tests) = self.reordered(store, node, &order)?;
        let block = tests.block(store, blocks, moved);
        (!store.overflowed()).then_some(block)
    }

    /// The function in an order, in the store of that order; `None` if it does not fit.
    fn reordered(&mut self, from: &Store, node: Node, order: &Order) -> Option<(Node, &mut Store, &mut Tests)> {
        let big_endian = self.big_endian;
        let new = || (Store::with_limit(ROOM), tests_in(order, big_endian));
        let (store, _) = self.known.entry(order.clone()).or_insert_with(new);
        let moved = reorder(from, store, node, order, &mut FxHashMap::default());
        if store.overflowed() {
            self.known.remove(order);
            return None;
        }
        self.known.get_mut(order).map(|(store, tests)| (moved, store, tests))
    }
}

fn tests_in(order: &Order, big_endian: bool) -> Tests {
    let mut tests = Tests::new(big_endian, Goal::Size.of_arguments());
    tests.places.iter_mut().zip(order).for_each(|(place, &arg)| *place = arg);
    tests
}

/// The orders that are worth a try, without the one that the diagram has.
fn orders(store: &Store, nodes: &[Node]) -> Vec<Order> {
    let mut args: Order = nodes
        .iter()
        .filter_map(|&node| match store.split(node)?.0.place() {
            Place::Arg { arg, .. } => Some(arg),
            _ => None,
        })
        .collect();
    args.sort_unstable();
    args.dedup();
    if args.len() > ALL_ORDERS {
        let first =
            |&arg: &u8| std::iter::once(arg).chain(args.iter().copied().filter(move |&other| other != arg)).collect();
        return args.iter().skip(1).map(first).collect();
    }
    let mut orders: Vec<Order> = vec![Vec::new()];
    for &arg in &args {
        orders = orders
            .into_iter()
            .flat_map(|order| (0..=order.len()).map(move |place| [&order[..place], &[arg], &order[place..]].concat()))
            .collect();
    }
    orders.retain(|order| *order != args);
    orders
}

/// The same function over places in `order` instead of arguments. Recursion is at most as deep as there are argument bits.
fn reorder(from: &Store, to: &mut Store, node: Node, order: &[u8], known: &mut FxHashMap<Node, Node>) -> Node {
    let Some((var, lo, hi)) = from.split(node) else { return node };
    if let Some(&known) = known.get(&node) {
        return known;
    }
    let lo = reorder(from, to, lo, order, known);
    let hi = reorder(from, to, hi, order, known);
    let var = match var.place() {
        Place::Arg { arg, bit } => {
            let place = order.iter().position(|&known| known == arg).unwrap_or_default();
            Var::arg(place as u8, bit)
        }
        _ => var,
    };
    let var = to.var(var);
    let moved = to.ite(var, hi, lo);
    known.insert(node, moved);
    moved
}
