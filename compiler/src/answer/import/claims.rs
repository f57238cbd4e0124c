//! A function, as claims on calls by name: what to say of each, before it is said well.
//!
//! ```text
//! x86_64, 41: [node]     →   allow  socket(reg0 not in {AF_ALG, AF_VSOCK})   on x86_64, x86, x32
//! x86_64, 246: [node]    →   allow  kexec_load                               on x86_64, with CAP_SYS_BOOT
//! ```
//!
//! A claim that is the same on all ABIs that have the call needs no `when arch`.

use std::collections::{BTreeMap, BTreeSet};

use super::arguments::{self, At};
use super::surroundings::{self, Surroundings};
use crate::diagram::{Comparison, Function, Leaf, Node, Operand, Place, Store};
use crate::spec::arch::X32_BIT;
use crate::spec::{Action, Arch, Nr, multiplex};
use crate::tables;

/// What a claim is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// The call.
    pub name: String,
    /// Patterns, any of which matches; `[name]` for the call whatever its arguments.
    pub patterns: Vec<String>,
    /// What the calls get.
    pub action: Action,
    /// Where the claim holds.
    pub when: Surroundings,
}

impl Claim {
    /// Whether it is on all calls of that name.
    pub fn is_plain(&self) -> bool {
        self.patterns.len() == 1 && self.patterns[0] == self.name
    }
}

/// All claims, with the ABIs on which each holds.
#[derive(Debug, Default)]
pub struct Claims {
    /// What is claimed, and where.
    pub claims: BTreeMap<Claim, BTreeSet<Arch>>,
    /// Calls by name, with the ABIs on which naming one says something.
    pub having: BTreeMap<String, BTreeSet<Arch>>,
    /// Arguments of which the filter compares more bits than the kernel looks at, on some ABI.
    pub raw: BTreeMap<String, [bool; 6]>,
    /// The same on one: libseccomp compares half of x32's registers, and all of x86_64's.
    own_raw: BTreeMap<(String, Arch), [bool; 6]>,
    /// Numbers that need a declaration.
    pub declared: BTreeMap<u32, BTreeSet<Arch>>,
}

impl Claims {
    /// Arguments that go by their register. Where a register has 32 bits it makes no difference, so there they go as
    /// elsewhere.
    fn raw_on(&self, name: &str, arch: Arch) -> [bool; 6] {
        let known = if arch.bits() == 32 { self.raw.get(name) } else { self.own_raw.get(&(name.to_owned(), arch)) };
        known.copied().unwrap_or_default()
    }
}

/// Why there are no words for a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsayable {
    /// Too many numbers without a name, or some that no declaration may give.
    Numbers(Arch),
    /// Too many conditions.
    Conditions(Arch, String),
    /// The store is full.
    TooLarge,
    /// The text is more than a file may have.
    TooLong,
}

/// Numbers without a name that are declared before giving up.
const MOST_DECLARED: usize = 256;

struct Collector<'a> {
    store: &'a mut Store,
    default: Action,
    claims: Claims,
}

/// The claims of a function whose default is `default`.
pub fn collect(store: &mut Store, function: &Function, default: Action) -> Result<Claims, Unsayable> {
    let mut collector = Collector { store, default, claims: Claims::default() };
    let mut cells: BTreeMap<String, BTreeMap<Arch, Node>> = BTreeMap::new();
    for (&arch, table) in &function.tables {
        for call in tables::Syscall::all_of(arch) {
            if let Some(nr) = call.nr(arch) {
                cells.entry(call.name().to_owned()).or_default().insert(arch, table.at(nr));
            }
        }
        for (nr, node) in collector.unnamed(arch, table)? {
            let name = declared_name(nr);
            collector.claims.declared.entry(nr).or_default().insert(arch);
            cells.entry(name).or_default().insert(arch, node);
        }
    }
    for (name, cell) in &cells {
        collector.claims.having.insert(name.clone(), cell.keys().copied().collect());
        let mut raw = [false; 6];
        for (&arch, &node) in cell {
            let asked = arguments::unnameable(collector.store, name, arch, node);
            raw = std::array::from_fn(|arg| raw[arg] || asked[arg]);
            collector.claims.own_raw.insert((name.clone(), arch), asked);
        }
        collector.claims.raw.insert(name.clone(), raw);
    }
    let multiplexers: Vec<&str> = vec!["ipc", "socketcall"];
    // The other ways to the same code.
    let mut through = Vec::new();
    for multiplexer in &multiplexers {
        for (&arch, &node) in cells.get(*multiplexer).into_iter().flatten() {
            through.extend(multiplex::routes(multiplexer).map(|(name, number)| (name, number, arch, node)));
        }
    }
    for (name, ..) in &through {
        cells.entry((*name).to_owned()).or_default();
    }
    let mut implied: BTreeMap<(Arch, &str, Action), Node> = BTreeMap::new();
    for (name, cell) in cells.iter().filter(|(name, _)| !multiplexers.contains(&name.as_str())) {
        let mut routes: Vec<(Arch, u32, Node)> = Vec::new();
        routes
            .extend(through.iter().filter(|route| route.0 == name.as_str()).map(|&(_, n, arch, node)| (arch, n, node)));
        // Where a call has no number of its own, its name still stands for the way through the multiplexer.
        let archs: BTreeSet<Arch> = cell.keys().copied().chain(routes.iter().map(|&(arch, ..)| arch)).collect();
        if cell.is_empty() {
            collector.through_alone(name, &routes);
        }
        let plain: Vec<(Surroundings, Action)> = {
            for (&arch, &node) in cell {
                collector.cell(name, arch, node, None)?;
            }
            let own = collector.claims.claims.keys().filter(|claim| &claim.name == name && claim.is_plain());
            own.map(|claim| (claim.when.clone(), claim.action)).collect()
        };
        for (when, action) in plain {
            let claim = Claim { name: name.clone(), patterns: vec![name.clone()], action, when: when.clone() };
            for &(arch, number, node) in &routes {
                let environment = when.node(collector.store);
                let set = collector.route(name, number, arch);
                let reached = collector.store.and(environment, set);
                let same = collector.store.where_action(node, &|found| found == action);
                let fits = collector.store.minus(reached, same) == Node::FALSE;
                let known = collector.claims.claims.entry(claim.clone()).or_default();
                if fits && (known.contains(&arch) || !cell.contains_key(&arch)) {
                    known.insert(arch);
                    let all = implied.entry((arch, multiplexer_of(name), action)).or_insert(Node::FALSE);
                    *all = collector.store.or(*all, reached);
                } else if known.remove(&arch) {
                    // The direct call alone.
                    let multiplexer = multiplexer_of(name);
                    let value = At { name: multiplexer, arch, raw: [false; 6] };
                    let tests = arguments::patterns(collector.store, value, set).unwrap_or_default();
                    let gone = tests.first().map_or(String::new(), |tests| tests.join(", "));
                    let pattern = format!("{name} except {{ {multiplexer}({gone}) }}");
                    let direct = Claim { patterns: vec![pattern], ..claim.clone() };
                    collector.claims.claims.entry(direct).or_default().insert(arch);
                }
            }
        }
        collector.claims.having.insert(name.clone(), archs);
    }
    for name in multiplexers {
        for (&arch, &node) in cells.get(name).into_iter().flatten() {
            let implied = implied.iter().filter(|((of, through, _), _)| *of == arch && *through == name);
            let implied: BTreeMap<Action, Node> = implied.map(|((.., action), node)| (*action, *node)).collect();
            collector.cell(name, arch, node, Some(&implied))?;
        }
    }
    collector.claims.claims.retain(|_, archs| !archs.is_empty());
    if collector.store.overflowed() { Err(Unsayable::TooLarge) } else { Ok(collector.claims) }
}

/// What a number without a name is called where it is declared.
pub fn declared_name(nr: u32) -> String {
    format!("nr_{nr}")
}

fn multiplexer_of(name: &str) -> &'static str {
    multiplex::through(name).map_or("socketcall", |(multiplexer, _)| multiplexer)
}

impl Collector<'_> {
    /// Numbers without a name that do not get the default, as a declaration gives them.
    fn unnamed(&self, arch: Arch, table: &crate::diagram::Table) -> Result<Vec<(u32, Node)>, Unsayable> {
        let mut found = Vec::new();
        for (range, node) in table.intervals().filter(|&(_, node)| node != Node::action(self.default)) {
            let mut next = Some(*range.start());
            let mut steps = 0;
            while let Some(nr) = next.map(Nr).filter(|nr| nr.0 <= *range.end()) {
                next = nr.0.checked_add(1);
                if !arch.owns(nr) {
                    // Ownership changes at one place and at the last number.
                    next = if nr.0 < X32_BIT { Some(X32_BIT) } else { None };
                    continue;
                }
                // The last number is no call: a tracer leaves it where one is to be skipped.
                if tables::syscall_at(arch, nr).is_none() && nr.0 != u32::MAX {
                    let plain = if arch == Arch::X32 { nr.0 & !X32_BIT } else { nr.0 };
                    if plain >= X32_BIT {
                        return Err(Unsayable::Numbers(arch));
                    }
                    found.push((plain, node));
                }
                steps += 1;
                if found.len() > MOST_DECLARED || steps > 100_000 {
                    return Err(Unsayable::Numbers(arch));
                }
            }
        }
        Ok(found)
    }

    /// Claims on a call that only a multiplexer reaches, where the filter singles it out there.
    fn through_alone(&mut self, name: &str, routes: &[(Arch, u32, Node)]) {
        for &(arch, number, node) in routes.iter().filter(|(.., node)| !node.is_leaf()) {
            let reached = self.route(name, number, arch);
            for leaf in self.store.leaves(node) {
                let Leaf::Act(action) = leaf else { continue };
                let same = self.store.where_action(node, &|found| found == action);
                if action != self.default && self.store.minus(reached, same) == Node::FALSE {
                    let (patterns, when) = (vec![name.to_owned()], Surroundings::default());
                    let claim = Claim { name: name.to_owned(), patterns, action, when };
                    self.claims.claims.entry(claim).or_default().insert(arch);
                }
            }
        }
    }

    /// The calls of a multiplexer that lead to one other call.
    fn route(&mut self, name: &str, number: u32, arch: Arch) -> Node {
        let through = tables::syscall(name).and_then(multiplex::other_way);
        let mask = through.map_or(u32::MAX, |(through, _)| through.mask(arch));
        let operand = Operand { arg: 0, bits: 32, mask: u64::from(mask), signed: false };
        self.store.compare(operand, Comparison::Eq, u64::from(number))
    }

    /// Claims for one number. What is `implied` need not be said.
    fn cell(
        &mut self,
        name: &str,
        arch: Arch,
        node: Node,
        implied: Option<&BTreeMap<Action, Node>>,
    ) -> Result<(), Unsayable> {
        let actions = self.store.leaves(node).into_iter().filter_map(|leaf| match leaf {
            Leaf::Act(action) if action != self.default => Some(action),
            _ => None,
        });
        for action in actions.collect::<Vec<_>>() {
            let whole = self.store.where_action(node, &|found| found == action);
            let said = implied.and_then(|implied| implied.get(&action)).copied().unwrap_or(Node::FALSE);
            let needed = self.store.minus(whole, said);
            if needed == Node::FALSE {
                continue;
            }
            let set = if whole == Node::TRUE { whole } else { needed };
            self.set(name, arch, action, set, whole)?;
        }
        Ok(())
    }

    /// Claims that hold all of `needed` and nothing beside `allowed`.
    fn set(&mut self, name: &str, arch: Arch, action: Action, needed: Node, allowed: Node) -> Result<(), Unsayable> {
        let too_many = || Unsayable::Conditions(arch, name.to_owned());
        let mut rest = needed;
        for conditions in self.by_arguments(needed) {
            if conditions == Node::FALSE {
                continue;
            }
            let here = self.environments(needed, conditions, true);
            let here = self.store.and(here, conditions);
            let here = self.store.and(here, rest);
            let here = self.store.for_some_arguments(here);
            if here == Node::FALSE {
                continue;
            }
            let may = self.environments(allowed, conditions, false);
            let here = self.store.and(here, may);
            let at = At { name, arch, raw: self.claims.raw_on(name, arch) };
            let patterns: Vec<String> = arguments::patterns(self.store, at, conditions)
                .ok_or_else(too_many)?
                .into_iter()
                .map(|tests| if tests.is_empty() { name.to_owned() } else { format!("{name}({})", tests.join(", ")) })
                .collect();
            for when in surroundings::cover(self.store, here, may).ok_or_else(too_many)? {
                let environment = when.node(self.store);
                let covered = self.store.and(environment, conditions);
                rest = self.store.minus(rest, covered);
                let claim = Claim { name: name.to_owned(), patterns: patterns.clone(), action, when };
                self.claims.claims.entry(claim).or_default().insert(arch);
            }
        }
        if rest == Node::FALSE || self.store.overflowed() { Ok(()) } else { Err(too_many()) }
    }

    /// What a set is on arguments, in each environment: every possibility once.
    fn by_arguments(&self, set: Node) -> Vec<Node> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        let mut stack = vec![set];
        while let Some(node) = stack.pop() {
            if !seen.insert(node) {
                continue;
            }
            match self.store.split(node) {
                Some((var, lo, hi)) if !matches!(var.place(), Place::Arg { .. }) => stack.extend([lo, hi]),
                _ => found.push(node),
            }
        }
        // The widest first: a leaf is all calls.
        found.sort_by_key(|node| (*node != Node::TRUE, *node));
        found
    }

    /// Environments in which a set is just `conditions`, or holds all of them.
    fn environments(&mut self, set: Node, conditions: Node, just: bool) -> Node {
        let mut done = BTreeMap::new();
        self.environments_below(set, conditions, just, &mut done)
    }

    fn environments_below(&mut self, set: Node, conditions: Node, just: bool, done: &mut BTreeMap<Node, Node>) -> Node {
        match self.store.split(set) {
            Some((var, lo, hi)) if var.is_environment() => {
                if let Some(&known) = done.get(&set) {
                    return known;
                }
                let lo = self.environments_below(lo, conditions, just, done);
                let hi = self.environments_below(hi, conditions, just, done);
                let bit = self.store.var(var);
                let node = self.store.ite(bit, hi, lo);
                done.insert(set, node);
                node
            }
            _ if just => {
                if set == conditions {
                    Node::TRUE
                } else {
                    Node::FALSE
                }
            }
            _ => {
                if self.store.minus(conditions, set) == Node::FALSE {
                    Node::TRUE
                } else {
                    Node::FALSE
                }
            }
        }
    }
}
