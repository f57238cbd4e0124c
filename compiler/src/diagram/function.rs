//! The upper levels: architecture and number, as sorted tables.
//!
//! ```text
//! x86_64:  0..59 allow · 60 [node 7] · 61..0x3fffffff deny · 0xffffffff deny
//! ```
//!
//! INVARIANT: intervals cover the numbers of the ABI without a gap, neighbours differ: equal tables are equal
//! functions.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::node::Node;
use crate::spec::{Action, Arch, Nr};

/// What happens to each number of one ABI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// First number of each interval and the function that holds up to the next.
    intervals: Vec<(u32, Node)>,
}

impl Table {
    /// `other` for all numbers but those of `calls`.
    pub fn new(other: Node, calls: &BTreeMap<Nr, Node>) -> Self {
        let mut intervals: Vec<(u32, Node)> = Vec::with_capacity(2 * calls.len() + 1);
        let mut next = 0u32;
        let mut push = |start: u32, node: Node| {
            if intervals.last().is_none_or(|&(_, last)| last != node) {
                intervals.push((start, node));
            }
        };
        let mut full = false;
        for (&Nr(nr), &node) in calls {
            if nr > next {
                push(next, other);
            }
            push(nr, node);
            match nr.checked_add(1) {
                Some(after) => next = after,
                None => full = true,
            }
        }
        if !full {
            push(next, other);
        }
        Self { intervals }
    }

    /// From intervals as `(first number, node)`, sorted; the first begins at 0. Equal neighbours are merged.
    pub fn from_intervals(parts: impl IntoIterator<Item = (u32, Node)>) -> Self {
        let mut intervals: Vec<(u32, Node)> = Vec::new();
        for (start, node) in parts {
            debug_assert!(intervals.last().map_or(start == 0, |&(before, _)| before < start));
            if intervals.last().is_none_or(|&(_, last)| last != node) {
                intervals.push((start, node));
            }
        }
        Self { intervals }
    }

    /// The function of a number.
    pub fn at(&self, nr: Nr) -> Node {
        let behind = self.intervals.partition_point(|&(start, _)| start <= nr.0);
        // The first interval begins at 0, so there always is one at or before `nr`.
        behind.checked_sub(1).map_or(Node::FALSE, |index| self.intervals[index].1)
    }

    /// Numbers and their function: sorted, without gap, neighbours differ.
    pub fn intervals(&self) -> impl Iterator<Item = (RangeInclusive<u32>, Node)> {
        let ends = self.intervals.iter().skip(1).map(|&(start, _)| start - 1).chain([u32::MAX]);
        self.intervals.iter().zip(ends).map(|(&(start, node), end)| (start..=end, node))
    }

    /// The same with every node replaced.
    #[must_use]
    pub fn map(&self, mut change: impl FnMut(Node) -> Node) -> Self {
        Self::from_intervals(self.intervals.iter().map(|&(start, node)| (start, change(node))).collect::<Vec<_>>())
    }

    /// The same, but for these numbers, sorted, what the other says.
    #[must_use]
    pub fn except(&self, numbers: &[Nr], other: &Self) -> Self {
        let mut parts: Vec<(u32, Node)> = Vec::with_capacity(self.intervals.len() + 2 * numbers.len());
        let mut numbers = numbers.iter().peekable();
        for (range, node) in self.intervals() {
            let mut start = Some(*range.start());
            while let Some(&&nr) = numbers.peek().filter(|nr| nr.0 <= *range.end()) {
                numbers.next();
                if let Some(before) = start.filter(|&start| start < nr.0) {
                    parts.push((before, node));
                }
                parts.push((nr.0, other.at(nr)));
                start = nr.0.checked_add(1).filter(|next| next <= range.end());
            }
            parts.extend(start.map(|start| (start, node)));
        }
        Self::from_intervals(parts)
    }

    /// Calls `pair` for the least intervals on which both tables have one function each.
    pub fn zip(&self, other: &Self, mut pair: impl FnMut(RangeInclusive<u32>, Node, Node)) {
        let mut start = 0;
        loop {
            let (a, a_end) = self.interval_at(start);
            let (b, b_end) = other.interval_at(start);
            let end = a_end.min(b_end);
            pair(start..=end, a, b);
            match end.checked_add(1) {
                Some(next) => start = next,
                None => return,
            }
        }
    }

    fn interval_at(&self, nr: u32) -> (Node, u32) {
        let behind = self.intervals.partition_point(|&(start, _)| start <= nr);
        let end = self.intervals.get(behind).map_or(u32::MAX, |&(start, _)| start - 1);
        (behind.checked_sub(1).map_or(Node::FALSE, |index| self.intervals[index].1), end)
    }
}

/// A whole policy. ABIs that are not in it end the process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Function {
    /// A table for each ABI. Of `x86_64` and `x32`, which share a token, each table counts only for the numbers
    /// that [`Arch::owns`]; the rest of it is the table's `other` and never asked.
    pub tables: BTreeMap<Arch, Table>,
}

impl Function {
    /// What happens to calls from an ABI that is not in the policy.
    pub const FOREIGN: Action = Action::KillProcess;

    /// The function of a call's architecture and number.
    pub fn at(&self, arch: Arch, nr: Nr) -> Node {
        self.tables.get(&arch).map_or(Node::action(Self::FOREIGN), |table| table.at(nr))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_numbers_of_another_table() {
        let [allow, log] = [Action::Allow, Action::Log].map(Node::action);
        let one = Table::from_intervals([(0, allow), (10, log)]);
        let two = Table::from_intervals([(0, log), (10, allow)]);
        let nrs = [0, 3, 9, 10, u32::MAX].map(Nr);
        let mixed = one.except(&nrs, &two);
        for nr in [0, 1, 2, 3, 4, 8, 9, 10, 11, u32::MAX - 1, u32::MAX].map(Nr) {
            assert_eq!(mixed.at(nr), if nrs.contains(&nr) { two.at(nr) } else { one.at(nr) }, "{nr:?}");
        }
        assert_eq!(one.except(&[], &two), one);
    }

    #[test]
    fn tables_merge_neighbours_and_cover_everything() {
        let allow = Node::action(Action::Allow);
        let deny = Node::action(Action::Errno(1));
        let calls =
            BTreeMap::from([(Nr(0), allow), (Nr(1), allow), (Nr(5), deny), (Nr(7), allow), (Nr(u32::MAX), allow)]);
        let table = Table::new(deny, &calls);
        let parts: Vec<_> = table.intervals().collect();
        assert_eq!(
            parts,
            [(0..=1, allow), (2..=6, deny), (7..=7, allow), (8..=u32::MAX - 1, deny), (u32::MAX..=u32::MAX, allow)]
        );
        assert_eq!(table.at(Nr(1)), allow);
        assert_eq!(table.at(Nr(2)), deny);
        assert_eq!(table.at(Nr(u32::MAX)), allow);
        assert_eq!(Table::new(deny, &BTreeMap::from([(Nr(3), deny)])), Table::new(deny, &BTreeMap::new()));
    }

    #[test]
    fn zip_walks_both() {
        let allow = Node::action(Action::Allow);
        let deny = Node::action(Action::Errno(1));
        let one = Table::new(deny, &BTreeMap::from([(Nr(3), allow)]));
        let two = Table::new(allow, &BTreeMap::from([(Nr(4), deny)]));
        let mut seen = Vec::new();
        one.zip(&two, |range, a, b| seen.push((range, a == b)));
        assert_eq!(seen, [(0..=2, false), (3..=3, true), (4..=4, true), (5..=u32::MAX, false)]);
    }
}
