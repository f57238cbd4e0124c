//! A row of runs, and the cheapest tree over each of its ranges.
//!
//! ```text
//! runs   0..=5 allow · 6..=7 deny · 8 allow · 9..=174 deny
//! ranges [0..=5] leaf · [6..=7, 8] chain: jeq 8 · [6..=7, 8, 9..=174] chain: jeq 8 · all four: split at 6
//! ```
//!
//! Three shapes are combined. A **split** at k asks `jge` and leaves two smaller ranges. A **chain** serves a range
//! where all but single words share one behaviour: it asks `jeq` for each of them, the heaviest first; one test for
//! a word inside a foreign range where splits need two. A **mask** asks `jset`, and leaves the same range of two other
//! rows, where only the words with and without the bit are.
//!
//! The best shape of a range follows from those of smaller ranges (Knuth, *Optimum binary search trees*, 1971; with
//! equality tests: Anderson, Kannan, Karloff, Ladner, *Thresholds and optimal binary comparison search trees*, 2002).
//! As in Knuth's, the best split of a range lies between those of the range without its last and without its first run,
//! so that the time is the square of the runs and not the cube. That is proven for splits alone; with chains among them
//! it is looked one further on both sides, and everywhere if length is what counts: there chains are long.
//!
//! INVARIANT: the tree gives every word of the row the behaviour of its run.

use super::aim::Measure;
use super::block::{BlockId, Blocks, Compare, Subject};
use super::dispatch::Span;
use super::weights::Weight;

/// A chain asks at most so many equality tests; longer ones never beat a split in time.
const CHAIN: usize = 12;
/// The same where the length of the program is all that counts: nothing is shorter than a test for each number.
const LONG_CHAIN: usize = 600;
/// From this price of a test on, length is what counts.
const LENGTH_COUNTS: f64 = 1.0;

/// With more runs, not all splits are compared where length is what counts either.
const ALL_SPLITS: usize = 192;

/// Bits are tried for ranges that so much of all weight goes through: elsewhere they have nothing to gain.
const MASK_WEIGHT: f64 = 0.02;

/// The first and the last run of a part of a row.
pub(super) type Range = (usize, usize);

/// Words that follow each other in a row and behave alike.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    /// Where a split before it is: no word of the runs before it is so large, and none of it is smaller.
    pub lo: u32,
    /// Its word, if it has only one.
    pub only: Option<u32>,
    /// Its behaviour.
    pub class: usize,
    /// How often its words are met, as a part of all.
    pub weight: Weight,
}

impl Run {
    /// All of a span.
    pub fn new(span: &Span, weight: Weight) -> Self {
        Self { lo: span.lo, only: (span.lo == span.hi).then_some(span.lo), class: span.class, weight }
    }
}

/// The rows that a bit test makes of a row.
#[derive(Debug)]
pub(super) struct Masked {
    mask: u32,
    /// Words without and words with the bit.
    sides: [Line; 2],
    /// For each run of the row, and one past the last: which run of a side is the first that is not before it.
    firsts: Vec<[u16; 2]>,
}

impl Masked {
    /// `sides` are made of the row `runs`: their runs have the same borders.
    pub fn new(mask: u32, sides: [Line; 2], runs: &[Run]) -> Self {
        let mut firsts = Vec::with_capacity(runs.len() + 1);
        let mut at = [0u16; 2];
        for run in runs {
            for (at, side) in at.iter_mut().zip(&sides) {
                while side.runs.get(usize::from(*at)).is_some_and(|own| own.lo < run.lo) {
                    *at += 1;
                }
            }
            firsts.push(at);
        }
        firsts.push([0, 1].map(|side: usize| sides[side].runs.len() as u16));
        Self { mask, sides, firsts }
    }

    /// The range of a side that is left of a range, if something is.
    fn range(&self, (from, to): Range, side: usize) -> Range {
        let (first, behind) = (self.firsts[from][side], self.firsts[to + 1][side]);
        (usize::from(first), usize::from(behind.saturating_sub(1)))
    }

    /// What is left to do after the test; without end where it tells nothing.
    fn cost(&self, from: usize, to: usize) -> f64 {
        let (first, behind) = (self.firsts[from], self.firsts[to + 1]);
        if first[0] == behind[0] || first[1] == behind[1] {
            return f64::INFINITY;
        }
        let of = |side: usize| self.sides[side].cost_of(self.range((from, to), side));
        of(0) + of(1)
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    /// All runs have one behaviour.
    Leaf,
    /// `jge` the first word of the run with that index.
    Split(u16),
    /// Equality tests for every single word that is not of the class.
    Chain(u32),
    /// That bit test.
    Mask(u16),
}

/// The first test of the best tree of a range, and what is left on both sides of it.
#[derive(Debug)]
pub(super) struct Step<'a> {
    pub compare: Compare,
    pub k: u32,
    /// Which bit test of the row it is, if it is one.
    mask: Option<u16>,
    /// For words that do not hold and for those that do: the row, and the range of it.
    pub sides: [(&'a Line, Range); 2],
}

/// What a tree costs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Costs {
    /// Expected tests, times the weight of what comes by.
    pub tests: Weight,
    /// Tests in the program.
    pub length: usize,
}

impl Costs {
    /// Those of a test that all of `weight` pass, and of what is behind it.
    pub fn behind(weight: Weight, sides: [Self; 2]) -> Self {
        let [no, yes] = sides;
        Self { tests: weight + no.tests + yes.tests, length: 1 + no.length + yes.length }
    }
}

/// A row, and the best shape of each of its ranges.
#[derive(Debug)]
pub(super) struct Line {
    runs: Vec<Run>,
    measure: Measure,
    masked: Vec<Masked>,
    /// How long ranges can be that have a tree.
    most: usize,
    /// Of the range `from..=to`, at `from * most + (to - from)`.
    costs: Vec<f64>,
    shapes: Vec<Shape>,
}

impl Line {
    /// Finds the trees of all ranges of at most `most` runs. `masked` are the bit tests that may be used.
    pub fn solve(runs: Vec<Run>, measure: Measure, most: usize, masked: Vec<Masked>) -> Self {
        let price = measure.price;
        let weights: Vec<f64> = runs.iter().map(|run| run.weight.mix(measure.trust)).collect();
        let len = runs.len();
        let most = most.min(len);
        let size = len * most;
        let mut line = Self { most, costs: vec![0.0; size], shapes: vec![Shape::Leaf; size], masked, runs, measure };
        // The best split of each range, whether a split is its best shape or not.
        let mut splits = vec![0u16; size];
        let mut chain = Chain::new(if price >= LENGTH_COUNTS { LONG_CHAIN } else { CHAIN });
        let all_splits = price >= LENGTH_COUNTS && len <= ALL_SPLITS;
        // Of a longer range one side is longer than the rows of the masks know.
        let reach = line.masked.iter().flat_map(|masked| &masked.sides).map(|side| 2 * side.most).max().unwrap_or(0);
        for from in (0..len).rev() {
            chain.restart();
            let mut weight = 0.0;
            let mut alike = true;
            let (here, later) = line.costs.split_at_mut((from + 1) * most);
            let here = &mut here[from * most..];
            let class = line.runs[from].class;
            for (to, run) in line.runs.iter().enumerate().skip(from).take(most) {
                weight += weights[to];
                alike &= run.class == class;
                if !chain.broken {
                    chain.push(run, weights[to]);
                }
                let at = from * most + (to - from);
                if alike {
                    splits[at] = to as u16;
                    continue;
                }
                let (low, high) = if all_splits {
                    (from + 1, to)
                } else {
                    // One range has no last run, the other no first.
                    let low = usize::from(splits[at - 1]).saturating_sub(1).max(from + 1);
                    (low, (usize::from(splits[at - 1 + most]) + 1).clamp(low, to))
                };
                // Lefts follow each other in this row; rights are one further down and one shorter each time.
                let rights = &later[(low - from - 1) * most + (to - low)..];
                let (mut best, offset) = best_split(&here[low - from - 1..high - from], rights, most - 1);
                let split = low + offset;
                splits[at] = split as u16;
                let test = weight + price;
                best += test;
                let mut shape = Shape::Split(split as u16);
                if !chain.broken
                    && let Some((cost, class)) = chain.cost(weight, price)
                    && cost <= best
                {
                    (best, shape) = (cost, Shape::Chain(class as u32));
                }
                if weight > MASK_WEIGHT
                    && to - from < reach
                    && let Some((cost, index)) = best_mask(&line.masked, from, to)
                    && cost + test < best - 1e-9
                {
                    (best, shape) = (cost + test, Shape::Mask(index as u16));
                }
                here[to - from] = best;
                line.shapes[at] = shape;
            }
        }
        line
    }

    /// Expected tests, times the weight of all runs, and the price of all tests.
    pub fn cost(&self) -> f64 {
        if self.runs.is_empty() { 0.0 } else { self.cost_of((0, self.runs.len() - 1)) }
    }

    fn cost_of(&self, (from, to): Range) -> f64 {
        if to - from < self.most { self.costs[from * self.most + (to - from)] } else { f64::INFINITY }
    }

    /// Of a test in the program.
    pub fn price(&self) -> f64 {
        self.measure.price
    }

    /// All of the row, if there is something.
    pub fn whole(&self) -> Option<Range> {
        self.runs.len().checked_sub(1).map(|last| (0, last))
    }

    /// How often the words of a range are met.
    pub fn weight(&self, (from, to): Range) -> Weight {
        self.runs[from..=to].iter().map(|run| run.weight).sum()
    }

    /// The first test of the best tree of a range; `None` where there is no choice left but in the order of equality
    /// tests.
    pub fn step(&self, (from, to): Range) -> Option<Step<'_>> {
        match self.shapes[from * self.most + (to - from)] {
            Shape::Leaf | Shape::Chain(_) => None,
            Shape::Split(middle) => {
                let middle = usize::from(middle);
                let sides = [(self, (from, middle - 1)), (self, (middle, to))];
                Some(Step { compare: Compare::AtLeast, k: self.runs[middle].lo, mask: None, sides })
            }
            Shape::Mask(index) => {
                let masked = &self.masked[usize::from(index)];
                let sides = [0, 1].map(|side| (&masked.sides[side], masked.range((from, to), side)));
                Some(Step { compare: Compare::Any, k: masked.mask, mask: Some(index), sides })
            }
        }
    }

    /// The row of this line that a step of a line with other weights leaves on a side.
    pub fn beside(&self, step: &Step<'_>, side: usize) -> &Self {
        step.mask.map_or(self, |index| &self.masked[usize::from(index)].sides[side])
    }

    /// The equality tests of a range that is a chain: weight, word and class, in their order.
    fn chain(&self, (from, to): Range, class: u32) -> Vec<(Weight, u32, usize)> {
        let single = |run: &Run| Some((run.weight, run.only?, run.class)).filter(|single| single.2 != class as usize);
        let mut singles: Vec<_> = self.runs[from..=to].iter().filter_map(single).collect();
        singles.sort_by(|a, b| b.0.mix(self.measure.trust).total_cmp(&a.0.mix(self.measure.trust)));
        singles
    }

    /// What the best tree of a range costs.
    pub fn costs(&self, range: Range) -> Costs {
        if let Some(step) = self.step(range) {
            return Costs::behind(self.weight(range), step.sides.map(|(line, range)| line.costs(range)));
        }
        let Shape::Chain(class) = self.shapes[range.0 * self.most + (range.1 - range.0)] else {
            return Costs::default();
        };
        let mut left = self.weight(range);
        let mut costs = Costs::default();
        for (weight, ..) in self.chain(range, class) {
            costs = Costs { tests: costs.tests + left, length: costs.length + 1 };
            left = left.map2(weight, |left, weight| (left - weight).max(0.0));
        }
        costs
    }

    /// The tree over the whole row as blocks.
    pub fn blocks(&self, blocks: &mut Blocks, subject: Subject, targets: &[BlockId]) -> BlockId {
        self.whole().map_or(BlockId(0), |range| self.emit(range, blocks, subject, targets))
    }

    /// The tree over a range. Recursion is at most as deep as there are runs: each step has fewer, and a mask leaves no
    /// more in either row.
    pub fn emit(&self, range: Range, blocks: &mut Blocks, subject: Subject, targets: &[BlockId]) -> BlockId {
        if let Some(Step { compare, k, sides, .. }) = self.step(range) {
            let [no, yes] = sides.map(|(line, range)| line.emit(range, blocks, subject, targets));
            return blocks.test(subject, compare, k, yes, no);
        }
        let Shape::Chain(class) = self.shapes[range.0 * self.most + (range.1 - range.0)] else {
            return targets[self.runs[range.0].class];
        };
        let rest = targets[class as usize];
        let before = |rest, (_, word, class): (Weight, u32, usize)| {
            blocks.test(subject, Compare::Equal, word, targets[class], rest)
        };
        self.chain(range, class).into_iter().rev().fold(rest, before)
    }
}

/// The least sum of a left and a right, and its index; `rights` has one every `stride` numbers.
fn best_split(lefts: &[f64], rights: &[f64], stride: usize) -> (f64, usize) {
    let mut best = (f64::INFINITY, 0);
    let mut right = 0;
    for (index, left) in lefts.iter().enumerate() {
        let cost = left + rights[right];
        if cost < best.0 {
            best = (cost, index);
        }
        right += stride;
    }
    best
}

/// What is left to do after the best bit test for a range, and which that is.
#[inline(never)]
fn best_mask(masked: &[Masked], from: usize, to: usize) -> Option<(f64, usize)> {
    let mut best = None;
    let mut least = f64::INFINITY;
    for (index, masked) in masked.iter().enumerate() {
        let cost = masked.cost(from, to);
        if cost < least {
            least = cost;
            best = Some((cost, index));
        }
    }
    best
}

/// Whether runs can be a chain, kept while they come one by one.
#[derive(Debug)]
struct Chain {
    /// Of tests.
    most: usize,
    /// The class that all runs of more than one word have.
    wide: Option<usize>,
    /// Runs of more than one word have several classes, or there are too many single words.
    broken: bool,
    /// Weight and class of the single words, the heaviest first.
    singles: Vec<(f64, usize)>,
}

impl Chain {
    fn new(most: usize) -> Self {
        Self { most, wide: None, broken: false, singles: Vec::new() }
    }

    fn restart(&mut self) {
        self.wide = None;
        self.broken = false;
        self.singles.clear();
    }

    fn push(&mut self, run: &Run, weight: f64) {
        match (run.only, self.wide) {
            (Some(_), _) => {
                let place = self.singles.partition_point(|&(heavier, _)| heavier >= weight);
                self.singles.insert(place, (weight, run.class));
                self.broken = self.singles.len() > 2 * self.most;
            }
            (None, None) => self.wide = Some(run.class),
            (None, Some(class)) => self.broken = class != run.class,
        }
    }

    /// What the chain costs, and the class that is left.
    fn cost(&self, weight: f64, price: f64) -> Option<(f64, usize)> {
        let of = |class: usize| self.singles.iter().filter(|single| single.1 == class).count();
        // Singles only: the commonest class is the rest.
        let class = match self.wide {
            Some(class) => class,
            None => self.singles.iter().map(|single| single.1).max_by_key(|&class| (of(class), usize::MAX - class))?,
        };
        let (mut left, mut cost, mut tests) = (weight, 0.0, 0);
        for (weight, ..) in self.singles.iter().filter(|single| single.1 != class) {
            cost += left + price;
            left -= weight;
            tests += 1;
        }
        (tests <= self.most).then_some((cost, class))
    }
}
