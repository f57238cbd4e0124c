//! Dispatch: from intervals of a word, each with a behaviour, to the cheapest tree of compares.
//!
//! ```text
//! 0..=5 allow · 6..=7 deny · 8..=max allow        weights: 0..=5 30, the others 1
//! ```
//!
//! ```text
//! jge 6 ─yes─ jge 8 ─yes─ allow
//!   └no─ allow   └no─ deny
//! ```
//!
//! Two shapes are combined. A **split** at k asks `jge` and leaves two smaller ranges. A **chain** serves a range
//! where all but single numbers share one behaviour: it asks `jeq` for each of them, the heaviest first; one test for
//! a number inside a foreign range where splits need two. Which ranges are split where, and which become chains,
//! is found by dynamic programming over all sub-ranges (Knuth, *Optimum binary search trees*, 1971; with equality
//! tests: Anderson, Kannan, Karloff, Ladner, *Thresholds and optimal binary comparison search trees*, 2002).
//!
//! Cost is the expected number of tests plus a small price for every test in the program.
//!
//! INVARIANT: the tree gives every word the behaviour of its interval.

use super::block::{BlockId, Blocks, Compare, Subject};

/// Words `lo..=hi` behave as class `class`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    /// First word.
    pub lo: u32,
    /// Last word.
    pub hi: u32,
    /// Behaviour: an index that means something to the caller.
    pub class: usize,
    /// How often it is expected; the sum over all spans need not be 1.
    pub weight: f64,
}

/// What a test in the program costs, as a part of one expected test. Enough to choose the shorter of two trees
/// that are about as fast, and to make cold parts small.
pub(super) const PRICE: f64 = 0.004;

/// At most this many spans are put in order optimally (time grows with the third power); above, ranges are halved
/// by weight first.
const OPTIMAL: usize = 512;

/// A chain asks at most so many equality tests; longer ones never beat a split.
const CHAIN: usize = 12;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    /// All spans have one behaviour.
    Leaf,
    /// `jge` the first word of the span with that index.
    Split(u32),
    /// Equality tests for every single word that is not of the class.
    Chain(u32),
}

/// A tree over some spans, and what it costs.
#[derive(Debug)]
pub(super) struct Tree {
    spans: Vec<Span>,
    /// Start of each part in `spans`, for parts that are solved on their own.
    parts: Vec<Part>,
    /// Expected tests, times the sum of weights, and the price of all tests.
    pub cost: f64,
}

#[derive(Debug)]
struct Part {
    first: usize,
    len: usize,
    /// The best shape of every range `from..=to`, at `from * len + to`.
    shapes: Vec<Shape>,
}

impl Part {
    fn shape(&self, from: usize, to: usize) -> Shape {
        self.shapes[from * self.len + to]
    }
}

/// The best tree for these spans, which are sorted, have no gap, and are of different classes as neighbours.
pub(super) fn plan(spans: Vec<Span>, price: f64) -> Tree {
    let total: f64 = spans.iter().map(|span| span.weight).sum::<f64>().max(f64::MIN_POSITIVE);
    let mut parts = Vec::new();
    let mut cost = 0.0;
    let mut stack = vec![(0, spans.len())];
    while let Some((first, len)) = stack.pop() {
        if len > OPTIMAL {
            // Halves by number of spans: depth stays logarithmic whatever the weights are.
            let half = len / 2;
            let weight: f64 = spans[first..first + len].iter().map(|span| span.weight).sum();
            cost += weight / total + price;
            stack.extend([(first + half, len - half), (first, half)]);
            continue;
        }
        let (part, part_cost) = solve(&spans, first, len, total, price);
        cost += part_cost;
        parts.push(part);
    }
    Tree { spans, parts, cost }
}

fn solve(all: &[Span], first: usize, len: usize, total: f64, price: f64) -> (Part, f64) {
    let spans = &all[first..first + len];
    let mut sums = Vec::with_capacity(len + 1);
    sums.push(0.0);
    for span in spans {
        sums.push(sums[sums.len() - 1] + span.weight / total);
    }
    let mut shapes = vec![Shape::Leaf; len * len];
    // The costs of all ranges with one beginning lie side by side, and once more those with one end: the innermost
    // loop, which runs with the third power of `len`, then walks two rows.
    let mut by_start = vec![0.0; len * len];
    let mut by_end = vec![0.0; len * len];
    let mut singles = Vec::new();
    for width in 2..=len {
        for from in 0..=len - width {
            let to = from + width - 1;
            let weight = sums[to + 1] - sums[from];
            let mut best = (f64::INFINITY, Shape::Leaf);
            let lefts = &by_start[from * len + from..from * len + to];
            let rights = &by_end[to * len + from + 1..=to * len + to];
            for (offset, (left, right)) in lefts.iter().zip(rights).enumerate() {
                let cost = left + right;
                if cost < best.0 {
                    best = (cost, Shape::Split((from + 1 + offset) as u32));
                }
            }
            best.0 += weight + price;
            if let Some(class) = chain_class(&spans[from..=to]) {
                let cost = chain_cost(&spans[from..=to], class, weight, total, price, &mut singles);
                if cost <= best.0 {
                    best = (cost, Shape::Chain(class as u32));
                }
            }
            by_start[from * len + to] = best.0;
            by_end[to * len + from] = best.0;
            shapes[from * len + to] = best.1;
        }
    }
    let cost = if len == 0 { 0.0 } else { by_start[len - 1] };
    (Part { first, len, shapes }, cost)
}

/// The class that all spans but single words have, if a chain is possible.
fn chain_class(spans: &[Span]) -> Option<usize> {
    // Neighbours differ, so at least every second span is a single.
    if spans.len() > 2 * CHAIN + 1 {
        return None;
    }
    let mut wide = spans.iter().filter(|span| span.lo != span.hi).map(|span| span.class);
    match wide.next() {
        Some(class) => wide.all(|other| other == class).then_some(class),
        // Singles only: the commonest class is the rest.
        None => spans
            .iter()
            .map(|span| span.class)
            .max_by_key(|class| (spans.iter().filter(|span| span.class == *class).count(), usize::MAX - class)),
    }
}

/// The single words of a chain, in the order in which they are asked.
fn chain_singles(spans: &[Span], class: usize, singles: &mut Vec<Span>) {
    singles.clear();
    singles.extend(spans.iter().filter(|span| span.class != class));
    singles.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.lo.cmp(&b.lo)));
}

fn chain_cost(spans: &[Span], class: usize, weight: f64, total: f64, price: f64, singles: &mut Vec<Span>) -> f64 {
    chain_singles(spans, class, singles);
    if singles.len() > CHAIN {
        return f64::INFINITY;
    }
    let mut left = weight;
    let mut cost = 0.0;
    for single in singles.iter() {
        cost += left + price;
        left -= single.weight / total;
    }
    cost
}

impl Tree {
    /// The tree as blocks; `targets[class]` is where a class goes.
    pub fn blocks(&self, blocks: &mut Blocks, subject: Subject, targets: &[BlockId]) -> BlockId {
        // Parts are halves of halves, so joining neighbours pair by pair keeps the depth logarithmic.
        let mut roots: Vec<(u32, BlockId)> = self
            .parts
            .iter()
            .filter(|part| part.len > 0)
            .map(|part| (self.spans[part.first].lo, self.emit(part, 0, part.len - 1, blocks, subject, targets)))
            .collect();
        while roots.len() > 1 {
            roots = roots
                .chunks(2)
                .map(|pair| match *pair {
                    [(lo, left), (middle, right)] => (lo, blocks.test(subject, Compare::AtLeast, middle, right, left)),
                    _ => pair[0],
                })
                .collect();
        }
        roots.first().map_or(BlockId(0), |&(_, root)| root)
    }

    /// Recursion is at most [`OPTIMAL`] deep.
    fn emit(
        &self,
        part: &Part,
        from: usize,
        to: usize,
        blocks: &mut Blocks,
        subject: Subject,
        targets: &[BlockId],
    ) -> BlockId {
        match part.shape(from, to) {
            Shape::Leaf => targets[self.spans[part.first + from].class],
            Shape::Split(middle) => {
                let middle = middle as usize;
                let left = self.emit(part, from, middle - 1, blocks, subject, targets);
                let right = self.emit(part, middle, to, blocks, subject, targets);
                blocks.test(subject, Compare::AtLeast, self.spans[part.first + middle].lo, right, left)
            }
            Shape::Chain(class) => {
                let mut singles = Vec::new();
                chain_singles(&self.spans[part.first + from..=part.first + to], class as usize, &mut singles);
                let mut rest = targets[class as usize];
                for single in singles.iter().rev() {
                    rest = blocks.test(subject, Compare::Equal, single.lo, targets[single.class], rest);
                }
                rest
            }
        }
    }
}

/// Merges neighbours of the same class.
pub(super) fn merge(spans: impl IntoIterator<Item = Span>) -> Vec<Span> {
    let mut merged: Vec<Span> = Vec::new();
    for span in spans {
        match merged.last_mut() {
            Some(last) if last.class == span.class => {
                last.hi = span.hi;
                last.weight += span.weight;
            }
            _ => merged.push(span),
        }
    }
    merged
}
