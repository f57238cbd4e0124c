//! Where two filters answer differently.
//!
//! ```text
//! A: allow { socket }         B: allow { socket(family != AF_ALG) }         both: default deny
//!
//! stricter    socket    allow → deny(EPERM)    family == AF_ALG    such as socket(family = AF_ALG (38), …) on x86_64
//! ```
//!
//! Number by number, two nodes that are not the same node differ somewhere; each pair of answers that meet is a set
//! of calls, written in [`words`]. What is the same on several ABIs is said once.
//!
//! INVARIANT: nothing is found if and only if both are one function on the numbers that each ABI owns.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::words::{self, Cases};
use super::{call_name, first_owned, interesting};
use crate::diagram::{Function, Leaf, Node, Store, Table};
use crate::policy::{Waiver, witness};
use crate::spec::{Action, Arch, Nr};
use crate::tables;

/// One of the two filters.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// What it means.
    pub function: &'a Function,
    /// ABIs that it serves; calls of all others end the process.
    pub archs: &'a [Arch],
    /// Names of calls that it declares itself.
    pub declared: &'a BTreeMap<(Arch, Nr), String>,
    /// Assertions that it waives; nothing where it is no policy, of which this is not known.
    pub waivers: Option<&'a [Waiver]>,
}

/// Which way an answer changes, in the kernel's order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// The second filter lets more through.
    Wider,
    /// It lets less through.
    Stricter,
    /// Another answer that is as strict, such as another errno.
    Sideways,
}

/// Calls whose answer changes in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which way.
    pub direction: Direction,
    /// The first filter's answer.
    pub from: Action,
    /// The second's.
    pub to: Action,
    /// Names of the calls, sorted; several only where it does not hang on arguments.
    pub calls: Vec<String>,
    /// Whether also all numbers change that have no name.
    pub unnamed: bool,
    /// On these ABIs.
    pub archs: Vec<Arch>,
    /// Whether these are all that are compared and have the calls.
    pub everywhere: bool,
    /// Which of the calls; one case without conditions for all of them.
    pub cases: Cases,
    /// One of them.
    pub witness: String,
}

/// ABIs that only one of the filters serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneSided {
    /// Which.
    pub archs: Vec<Arch>,
    /// Whether the second filter serves them; else the first.
    pub second: bool,
}

/// A waiver that only one of the filters has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedWaiver {
    /// It.
    pub waiver: Waiver,
    /// Whether the second filter has it; else the first.
    pub second: bool,
}

/// Everything that is different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    /// ABIs that both serve.
    pub compared: Vec<Arch>,
    /// ABIs of one side.
    pub one_sided: Vec<OneSided>,
    /// Waivers of one side.
    pub waivers: Vec<ChangedWaiver>,
    /// Sorted: wider, stricter, sideways; by the two answers; whole calls before parts of calls.
    pub changes: Vec<Change>,
}

impl Diff {
    /// Whether the filters are one function, and waive the same.
    pub fn is_empty(&self) -> bool {
        self.one_sided.is_empty() && self.changes.is_empty() && self.waivers.is_empty()
    }

    /// Whether the second filter lets through what the first does not, or waives what the first does not.
    pub fn widens(&self) -> bool {
        self.waivers.iter().any(|changed| changed.second)
            || self.one_sided.iter().any(|only| only.second)
            || self.changes.iter().any(|change| change.direction == Direction::Wider)
    }

    /// How many calls by name (all numbers without one count as one) change that way.
    pub fn count(&self, direction: Direction) -> usize {
        let changes = self.changes.iter().filter(|change| change.direction == direction);
        let mut names: Vec<&str> = changes.clone().flat_map(|change| &change.calls).map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        names.len() + usize::from(changes.clone().any(|change| change.unnamed))
    }
}

impl Direction {
    /// From one answer to another.
    pub fn of(from: Action, to: Action) -> Self {
        match to.precedence().cmp(&from.precedence()) {
            std::cmp::Ordering::Greater => Self::Wider,
            std::cmp::Ordering::Less => Self::Stricter,
            std::cmp::Ordering::Equal => Self::Sideways,
        }
    }
}

/// What tells one row from another. `None` is all numbers without a name.
type Key = (Direction, Action, Action, Option<String>, Cases);

/// Compares two functions of one store.
pub fn diff(store: &mut Store, first: Side<'_>, second: Side<'_>) -> Diff {
    let serves = |side: Side<'_>, arch: &Arch| side.archs.contains(arch);
    let mut compared: Vec<Arch> = first.archs.iter().copied().filter(|arch| serves(second, arch)).collect();
    compared.sort_unstable();
    let mut one_sided = Vec::new();
    for (side, other, is_second) in [(first, second, false), (second, first, true)] {
        let mut archs: Vec<Arch> = side.archs.iter().copied().filter(|arch| !serves(other, arch)).collect();
        // An ABI whose every call ends the process is none that is served, whoever lists it.
        archs.retain(|arch| side.function.tables.get(arch).is_some_and(|table| !is_foreign(*arch, table)));
        archs.sort_unstable();
        if !archs.is_empty() {
            one_sided.push(OneSided { archs, second: is_second });
        }
    }
    let mut declared = first.declared.clone();
    declared.extend(second.declared.iter().map(|(key, name)| (*key, name.clone())));
    let mut rows: BTreeMap<Key, (Vec<Arch>, String)> = BTreeMap::new();
    let mut finder = Finder { store, declared: &declared, known: FxHashMap::default() };
    for &arch in &compared {
        let (Some(one), Some(two)) = (first.function.tables.get(&arch), second.function.tables.get(&arch)) else {
            continue;
        };
        let mut different = Vec::new();
        one.zip(two, |range, a, b| {
            if a != b {
                different.push((range, a, b));
            }
        });
        for (range, a, b) in different {
            let (named, unnamed) = interesting(&declared, arch, &range);
            for nr in named.into_iter().filter(|nr| arch.owns(*nr)).chain(unnamed) {
                finder.number(arch, nr, a, b, &mut rows);
            }
        }
    }
    let changes = gather(rows, &compared);
    Diff { compared, one_sided, waivers: changed_waivers(first, second), changes }
}

fn changed_waivers(first: Side<'_>, second: Side<'_>) -> Vec<ChangedWaiver> {
    let (Some(old), Some(new)) = (first.waivers, second.waivers) else { return Vec::new() };
    let only = |these: &[Waiver], those: &[Waiver], second: bool| {
        let missing = these.iter().filter(|waiver| !those.iter().any(|other| waiver.same_assertion(other)));
        missing.map(|waiver| ChangedWaiver { waiver: waiver.clone(), second }).collect::<Vec<_>>()
    };
    [only(new, old, true), only(old, new, false)].concat()
}

fn is_foreign(arch: Arch, table: &Table) -> bool {
    table
        .intervals()
        .all(|(range, node)| node == Node::action(Function::FOREIGN) || first_owned(arch, &range).is_none())
}

/// Two answers, and the set of calls that get the one and then the other.
type Meeting = (Action, Action, Node);

struct Finder<'a> {
    store: &'a mut Store,
    declared: &'a BTreeMap<(Arch, Nr), String>,
    /// What becomes of a pair of nodes: many calls have the same.
    known: FxHashMap<(Node, Node), Vec<Meeting>>,
}

impl Finder<'_> {
    fn number(&mut self, arch: Arch, nr: Nr, a: Node, b: Node, rows: &mut BTreeMap<Key, (Vec<Arch>, String)>) {
        let name = call_name(self.declared, arch, nr);
        for (from, to, set) in self.pairs(a, b) {
            let cases = words::cases(self.store, arch, name, set);
            let key = (Direction::of(from, to), from, to, name.map(str::to_owned), cases);
            let (archs, _) = rows.entry(key).or_insert_with(|| {
                let found = self.store.witness(set, &|leaf| leaf == Leaf::True);
                (Vec::new(), found.map_or_else(String::new, |(cube, _)| witness::describe(arch, nr, name, &cube)))
            });
            if archs.last() != Some(&arch) {
                archs.push(arch);
            }
        }
    }

    /// Each pair of answers that meet, with the set where they do.
    fn pairs(&mut self, a: Node, b: Node) -> Vec<Meeting> {
        if let Some(known) = self.known.get(&(a, b)) {
            return known.clone();
        }
        let mut pairs = Vec::new();
        for from in actions(self.store, a) {
            let before = self.store.where_action(a, &|action| action == from);
            for to in actions(self.store, b) {
                if from == to {
                    continue;
                }
                let after = self.store.where_action(b, &|action| action == to);
                let set = self.store.and(before, after);
                if set != Node::FALSE {
                    pairs.push((from, to, set));
                }
            }
        }
        self.known.insert((a, b), pairs.clone());
        pairs
    }
}

/// The answers that a node may give.
pub fn actions(store: &Store, node: Node) -> Vec<Action> {
    let leaves = store.leaves(node).into_iter();
    leaves
        .filter_map(|leaf| match leaf {
            Leaf::Act(action) => Some(action),
            Leaf::False | Leaf::True => None,
        })
        .collect()
}

/// Calls that change in the same way, whatever their arguments, become one change.
fn gather(rows: BTreeMap<Key, (Vec<Arch>, String)>, compared: &[Arch]) -> Vec<Change> {
    let mut whole: BTreeMap<(Direction, Action, Action, Vec<Arch>, Cases), Change> = BTreeMap::new();
    let mut parts = Vec::new();
    for ((direction, from, to, name, cases), (archs, witness)) in rows {
        let has = |arch: &&Arch| match name.as_deref().and_then(tables::syscall) {
            Some(call) => call.nr(**arch).is_some(),
            None => true,
        };
        let everywhere = archs.len() == compared.iter().filter(has).count();
        let change = Change {
            direction,
            from,
            to,
            unnamed: name.is_none(),
            calls: name.into_iter().collect(),
            everywhere,
            cases,
            witness,
            archs,
        };
        if change.cases.asks_arguments() {
            parts.push(change);
            continue;
        }
        let key =
            (direction, from, to, if everywhere { Vec::new() } else { change.archs.clone() }, change.cases.clone());
        match whole.get_mut(&key) {
            Some(group) => {
                group.calls.extend(change.calls);
                group.unnamed |= change.unnamed;
                for arch in change.archs {
                    if !group.archs.contains(&arch) {
                        group.archs.push(arch);
                    }
                }
                group.archs.sort_unstable();
            }
            None => {
                whole.insert(key, change);
            }
        }
    }
    let mut changes: Vec<Change> = whole.into_values().collect();
    for change in &mut changes {
        change.calls.sort_unstable();
    }
    changes.extend(parts);
    changes.sort_by(|a, b| {
        let key = |change: &Change| (change.direction, change.from, change.to, !change.everywhere);
        let partial = |change: &Change| (!change.cases.is_everything(), change.cases.asks_arguments());
        (key(a), partial(a), &a.calls).cmp(&(key(b), partial(b), &b.calls))
    });
    changes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use std::path::Path;

    use super::*;
    use crate::driver::{Options, load};
    use crate::source::Memory;

    fn difference(old: &str, new: &str) -> (Diff, bool) {
        let mut store = Store::default();
        let mut memory = Memory::default();
        memory.insert("old.kpol", old);
        memory.insert("new.kpol", new);
        let mut open = |name: &str| {
            let opened = load::load(&memory, Path::new(name), &Options::default(), &mut store).unwrap();
            opened.filter.unwrap_or_else(|| panic!("{old}\n{new}\n{:?}", opened.diagnostics))
        };
        let (old, new) = (open("old.kpol"), open("new.kpol"));
        let same = old.function == new.function;
        let sides = [&old, &new].map(|filter| Side {
            function: &filter.function,
            archs: &filter.archs,
            declared: &filter.declared,
            waivers: filter.waivers(),
        });
        (diff(&mut store, sides[0], sides[1]), same)
    }

    fn lines(diff: &Diff) -> Vec<String> {
        diff.changes
            .iter()
            .map(|change| {
                let cases: Vec<String> = change.cases.cases.iter().map(|case| case.condition()).collect();
                let (calls, from, to) = (change.calls.join(" "), change.from, change.to);
                format!("{:?} {calls} [{}] {from} > {to}", change.direction, cases.join("; "))
            })
            .collect()
    }

    #[test]
    fn conditions_are_said_as_they_would_be_written() {
        for (condition, said) in [
            ("family == AF_ALG", "family == AF_ALG"),
            ("family not in {AF_ALG, AF_VSOCK}", "family not in {AF_ALG, AF_VSOCK}"),
            ("family in {AF_UNIX, AF_INET}", "family in {AF_UNIX, AF_INET}"),
            ("family in {100..200, 300}", "family in {100..200, 0x12c}"),
            ("family < 0", "family < 0"),
            ("family >= 100", "family >= 100"),
            ("type & SOCK_TYPE_MASK == SOCK_STREAM", "type & SOCK_TYPE_MASK == SOCK_STREAM"),
            ("type & SOCK_CLOEXEC", "type & SOCK_CLOEXEC != 0"),
            ("family == AF_UNIX, type == SOCK_STREAM", "family == AF_UNIX && type == SOCK_STREAM"),
            ("reg0 == 0x100000028", "reg0 == 0x100000028"),
            ("reg0 >= 0x1_0000_0000, family == AF_VSOCK", "reg0 >= 0x100000000 && family == AF_VSOCK"),
        ] {
            let old = "default deny\n";
            let (found, _) = difference(old, &format!("{old}allow {{ socket({condition}) }}\n"));
            assert_eq!(lines(&found), [format!("Wider socket [{said}] deny(EPERM) > allow")], "{condition}");
            assert!(found.changes[0].everywhere && found.widens());
        }
        let (found, _) = difference(
            "default deny",
            "default deny allow { clone(clone_flags & (CLONE_NEWNS | CLONE_NEWUSER) == 0), openat(dfd == AT_FDCWD) }",
        );
        assert_eq!(
            lines(&found),
            [
                "Wider clone [clone_flags & (CLONE_NEWNS | CLONE_NEWUSER) == 0] deny(EPERM) > allow",
                "Wider openat [dfd == AT_FDCWD] deny(EPERM) > allow"
            ]
        );
    }

    #[test]
    fn flags_are_said_as_they_would_be_written() {
        for (condition, said) in [
            ("flags & O_CREAT, flags & O_ACCMODE == O_WRONLY", "flags & O_ACCMODE == O_WRONLY && flags & O_CREAT != 0"),
            (
                "flags & (O_CREAT | O_TRUNC), flags & O_CLOEXEC",
                "flags & O_CLOEXEC != 0 && flags & (O_CREAT | O_TRUNC) != 0",
            ),
            (
                "flags & (O_CREAT | O_TRUNC) != (O_CREAT | O_TRUNC)",
                "flags & (O_CREAT | O_TRUNC) != (O_CREAT | O_TRUNC)",
            ),
            (
                "flags & O_CREAT || flags & O_TMPFILE == O_TMPFILE",
                "flags & O_CREAT != 0; flags & O_TMPFILE == O_TMPFILE",
            ),
            ("flags & O_CREAT == 0 || flags & (O_EXCL | O_TRUNC)", "flags & (O_CREAT | O_EXCL | O_TRUNC) != O_CREAT"),
            ("flags & O_APPEND", "flags & O_APPEND != 0"),
        ] {
            let old = "arch x86_64 default deny";
            let (found, _) = difference(old, &format!("{old} allow {{ openat({condition}) }}"));
            assert_eq!(lines(&found), [format!("Wider openat [{said}] deny(EPERM) > allow")], "{condition}");
        }
        // Not seven lines with masks of up to nine flags.
        let new =
            "CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET";
        let (found, _) = difference(
            &format!("default deny allow {{ clone(clone_flags & ({new}) == 0) }}"),
            "default deny allow { clone(clone_flags & CLONE_THREAD) }",
        );
        let wider =
            format!("Wider clone [clone_flags & CLONE_THREAD != 0 && clone_flags & ({new}) != 0] deny(EPERM) > allow");
        assert_eq!(lines(&found)[0], wider);
    }

    #[test]
    fn constants_are_those_of_the_parameter_and_of_what_is_beside_it() {
        for (call, condition, said) in [
            ("kill", "sig & 1", "sig & 1 != 0"),
            ("kill", "sig == 1", "sig == SIGHUP"),
            ("kill", "sig == 0", "sig == 0"),
            ("ioctl", "cmd == 0xffff_ffff", "cmd == 0xffffffff"),
            ("ioctl", "cmd == 0x5412", "cmd == TIOCSTI"),
            ("socket", "family == 16, protocol == 9", "family == AF_NETLINK && protocol == NETLINK_AUDIT"),
            ("socket", "family == 16, protocol == 0", "family == AF_NETLINK && protocol == NETLINK_ROUTE"),
            ("socket", "family == 2, protocol == 6", "family == AF_INET && protocol == IPPROTO_TCP"),
            (
                "socket",
                "family in {2, 10}, protocol == 58",
                "family in {AF_INET, AF_INET6} && protocol == IPPROTO_ICMPV6",
            ),
            ("socket", "family in {2, 16}, protocol == 6", "family in {AF_INET, AF_NETLINK} && protocol == 6"),
            ("socket", "family != 17, protocol == 9", "family != AF_PACKET && protocol == 9"),
            ("setsockopt", "level == 1, optname == 2", "level == SOL_SOCKET && optname == SO_REUSEADDR"),
            ("setsockopt", "level == 6, optname == 1", "level == SOL_TCP && optname == TCP_NODELAY"),
            ("setsockopt", "optname == 2", "optname == 2"),
            ("fcntl", "cmd == 1", "cmd == F_GETFD"),
            ("prctl", "option == 4", "option == PR_SET_DUMPABLE"),
            ("prctl", "option == 47", "option == PR_CAP_AMBIENT"),
            ("msgctl", "cmd == 11", "cmd == MSG_STAT"),
            ("rseq", "sig == 9", "sig == 9"),
            ("pipe2", "flags & 0x10000", "flags & 0x10000 != 0"),
        ] {
            let old = "arch x86_64\ndefault deny\n";
            let (found, _) = difference(old, &format!("{old}allow {{ {call}({condition}) }}\n"));
            assert_eq!(lines(&found), [format!("Wider {call} [{said}] deny(EPERM) > allow")], "{call}({condition})");
        }
        let (found, _) = difference(
            "arch x86_64 default deny",
            "arch x86_64 default deny allow { socket(family == AF_NETLINK, protocol == 9) }",
        );
        assert_eq!(
            found.changes[0].witness,
            "socket(family = AF_NETLINK (16), protocol = NETLINK_AUDIT (9), …) on x86_64"
        );
    }

    #[test]
    fn calls_that_change_alike_are_one_change() {
        let old = "default deny allow { read, write } when cap CAP_SYS_ADMIN { allow { mount, umount2 } }";
        let new = "default deny allow { close } log { write } when cap CAP_SYS_ADMIN { allow { mount } }";
        let (found, _) = difference(old, new);
        assert_eq!(
            lines(&found),
            [
                "Wider close [] deny(EPERM) > allow",
                "Stricter read [] allow > deny(EPERM)",
                "Stricter umount2 [cap CAP_SYS_ADMIN] allow > deny(EPERM)",
                "Stricter write [] allow > log",
            ]
        );
        let (found, _) = difference("default deny", "default deny(ENOSYS)");
        assert_eq!(found.changes.len(), 1);
        assert!(found.changes[0].unnamed && !found.widens());
        assert_eq!(found.changes[0].direction, Direction::Sideways);
    }

    #[test]
    fn what_holds_on_some_abis_only_is_said_with_them() {
        let (found, _) = difference(
            "arch x86_64, aarch64 default deny",
            "arch x86_64, aarch64, arm default deny when arch aarch64 { allow { openat } } allow { open }",
        );
        assert_eq!(found.one_sided, [OneSided { archs: vec![Arch::Arm], second: true }]);
        let changes: Vec<_> = found.changes.iter().map(|change| (change.calls.join(" "), change.everywhere)).collect();
        // aarch64 has no `open`: nothing is left out.
        assert_eq!(changes, [("open".to_owned(), true), ("openat".to_owned(), false)]);
    }

    proptest::proptest! {
        /// A difference is found if and only if there is one.
        #[test]
        fn empty_if_and_only_if_the_same(
            rules in proptest::collection::vec((0usize..6, 0usize..8, 0u32..4), 0..5),
            other in proptest::collection::vec((0usize..6, 0usize..8, 0u32..4), 0..5),
        ) {
            const CALLS: [&str; 6] = ["socket", "read", "ioctl", "openat", "clone", "fcntl"];
            const TESTS: [&str; 8] = [
                "", "reg0 == 1", "reg0 & 3 == 1", "reg1 < 7", "reg1 in {1, 2, 5}", "reg0 != 0, reg1 & 8", "reg2 == 3",
                "!(reg0 == 1 && reg1 == 2)",
            ];
            let text = |rules: &[(usize, usize, u32)]| {
                let mut text = "default deny\n".to_owned();
                // One action for a call: no conflicts.
                for &(call, test, _) in rules {
                    let action = if call % 2 == 0 { "allow" } else { "log" };
                    text += &format!("{action} {{ {}({}) }}\n", CALLS[call], TESTS[test]);
                }
                text
            };
            let (found, same) = difference(&text(&rules), &text(&other));
            proptest::prop_assert_eq!(found.is_empty(), same);
            let (back, _) = difference(&text(&other), &text(&rules));
            proptest::prop_assert_eq!(found.count(Direction::Wider), back.count(Direction::Stricter));
        }
    }
}
