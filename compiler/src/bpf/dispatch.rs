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
//! Which ranges are split where, which become chains of equality tests and where a bit is asked first is found by
//! [`line`](super::line), over one row of runs at a time. Here rows are made: one for all words, and one for each half
//! that a bit leaves.
//!
//! A bit test pays where wide intervals of one behaviour lie on its one side: with 0..=5 and 8 allowed, 175, 176
//! and 313 logged, all else denied, no number that counts has bit 6, so that half of all numbers are through after
//! one test. The two highest bits go along in the mask: numbers from 2^30 on are those of x32, none of a 64-bit ABI's
//! own, and who comes out with none of the bits need not be asked for x32 again.
//!
//! Cost is the expected number of tests plus a small price for every test in the program.
//!
//! INVARIANT: the tree gives every word the behaviour of its interval.

use super::aim::{Allowance, Measure};
use super::block::{BlockId, Blocks, Compare, Subject};
use super::line::{Line, Masked, Run};
use super::trade::Trade;
use super::weights::{Frequencies, Weight};

/// Words `lo..=hi` behave as class `class`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    /// First word.
    pub lo: u32,
    /// Last word.
    pub hi: u32,
    /// Behaviour: an index that means something to the caller.
    pub class: usize,
    /// How often it is met; the sum over all spans need not be 1.
    pub weight: Weight,
}

/// At most this many spans are planned as one (time and memory grow with the square); above, they are halved first.
const TOGETHER: usize = 512;

/// Bits that are tried as first tests: numbers of calls have no others, but for x32's.
const BITS: u32 = 10;
/// Every word of which one of these is set: x32's numbers, and -1.
const HIGH: u32 = 0xc000_0000;
/// A bit is asked only where at most so many intervals are left on each side.
const BAND: usize = 16;
/// With more spans no bits are tried.
const BITS_UNTIL: usize = 160;
/// Two bits are asked at once only where the numbers with one of them are of at most so many parts.
const DECIDED: usize = 3;
/// With more spans, no second bit is tried below the first or beside it.
const TWO_BITS_UNTIL: usize = 24;

/// With more spans, a bit is tried only where both sides together have at most so many times as many.
const TELLING: f64 = 1.4;

/// A tree over some spans, and what it costs.
#[derive(Debug)]
pub(super) struct Tree {
    /// The first word of each part, and the part.
    parts: Vec<(u32, Part)>,
    /// Expected tests and the price of all tests.
    pub cost: f64,
}

/// A tree over spans that are planned together.
#[derive(Debug)]
enum Part {
    Line(Line),
    Trade(Trade),
}

/// The best tree for these spans, which are sorted, have no gap, and are of different classes as neighbours.
pub(super) fn plan(spans: &[Span], measure: Measure) -> Tree {
    plan_parts(spans, measure, |runs| Part::Line(Line::solve(runs, measure, usize::MAX, Vec::new())))
}

/// The same for numbers of calls: bits are tried, and what is good for others than the expected ones.
pub(super) fn plan_numbers(
    spans: &[Span],
    measure: Measure,
    allowance: Option<Allowance>,
    frequencies: &Frequencies,
) -> Tree {
    let depth = match spans.len() {
        4.. if spans.len() <= TWO_BITS_UNTIL => 2,
        4.. if spans.len() <= BITS_UNTIL => 1,
        _ => 0,
    };
    let planner = Planner::new(spans, frequencies);
    let allowance = allowance.filter(|_| (4..=TOGETHER).contains(&spans.len()));
    plan_parts(spans, measure, |runs| match allowance {
        Some(allowance) => {
            let measures = [measure, Measure { trust: allowance.trust, ..measure }];
            let [quick, even] = planner.solve(runs, Only::ALL, depth, usize::MAX, measures);
            Part::Trade(Trade::new(quick, even, allowance))
        }
        None => {
            let [line] = planner.solve(runs, Only::ALL, depth, usize::MAX, [measure]);
            Part::Line(line)
        }
    })
}

/// The weight of all spans; nothing is divided by 0.
fn total(spans: &[Span]) -> Weight {
    let sum: Weight = spans.iter().map(|span| span.weight).sum();
    sum.map2(Weight::both(f64::MIN_POSITIVE), f64::max)
}

fn plan_parts(spans: &[Span], measure: Measure, mut solve: impl FnMut(Vec<Run>) -> Part) -> Tree {
    let total = total(spans);
    let part = |span: &Span| span.weight.map2(total, |weight, total| weight / total);
    let mut parts = Vec::new();
    let mut cost = 0.0;
    let mut stack = vec![spans];
    while let Some(spans) = stack.pop() {
        let Some(first) = spans.first() else { continue };
        if spans.len() > TOGETHER {
            // Halves by number of spans: depth stays logarithmic whatever the weights are.
            let (left, right) = spans.split_at(spans.len() / 2);
            cost += spans.iter().map(part).sum::<Weight>().mix(measure.trust) + measure.price;
            stack.extend([right, left]);
            continue;
        }
        let solved = solve(spans.iter().map(|span| Run::new(span, part(span))).collect());
        if let Part::Line(line) = &solved {
            cost += line.cost();
        }
        parts.push((first.lo, solved));
    }
    Tree { parts, cost }
}

/// The words that some tests of single bits let through.
#[derive(Debug, Clone, Copy)]
struct Only {
    mask: u32,
    value: u32,
    /// One of these is set, if there are any; none of them is in `mask`.
    any: u32,
}

impl Only {
    const ALL: Self = Self { mask: 0, value: 0, any: 0 };

    /// Words with one of [`HIGH`] are on the yes side of each test.
    fn high(self) -> bool {
        self.mask == self.value
    }

    /// Those with none of the bits, and those with one of them.
    fn halves(self, bits: u32) -> [Self; 2] {
        let none = Self { mask: self.mask | bits, ..self };
        let one = if bits.is_power_of_two() {
            Self { mask: self.mask | bits, value: self.value | bits, ..self }
        } else {
            Self { any: bits, ..self }
        };
        [none, one]
    }

    fn holds(self, word: u32) -> bool {
        if word & HIGH == 0 {
            word & self.mask == self.value && (self.any == 0 || word & self.any != 0)
        } else {
            self.high()
        }
    }

    /// The first word from `from` to `hi` that is let through.
    fn next(self, from: u32, hi: u32) -> Option<u32> {
        if self.any != 0 {
            let bits = (0..BITS).map(|bit| 1 << bit).filter(|bit| self.any & bit != 0);
            let with = |bit| Self { mask: self.mask | bit, value: self.value | bit, any: 0 };
            return bits.filter_map(|bit| with(bit).next(from, hi)).min();
        }
        let mut word = from;
        while word <= hi {
            if word & HIGH != 0 {
                return self.high().then_some(word);
            }
            let wrong = (word ^ self.value) & self.mask;
            if wrong == 0 {
                return Some(word);
            }
            // The highest bit that is wrong: a 0 is put right with all below it 0, a 1 by the next carry.
            let below = (1u32 << wrong.ilog2()) - 1;
            word = (word | below) + 1;
        }
        None
    }
}

/// Rows of runs for numbers that bits let through.
struct Planner<'a> {
    spans: &'a [Span],
    frequencies: &'a Frequencies,
    /// What each span weighs but for the numbers that have weights of their own.
    far: Vec<Weight>,
    total: Weight,
}

impl<'a> Planner<'a> {
    fn new(spans: &'a [Span], frequencies: &'a Frequencies) -> Self {
        let own = |span: &Span| frequencies.among(span.lo, span.hi, |_| true);
        let far = |span: &Span| span.weight.map2(own(span), |all, near| (all - near).max(0.0));
        Self { spans, frequencies, far: spans.iter().map(far).collect(), total: total(spans) }
    }

    /// For each measure the best tree over `runs`, which are the words of all spans that `only` lets through; with at most
    /// `depth` bit tests on a path.
    fn solve<const N: usize>(
        &self,
        runs: Vec<Run>,
        only: Only,
        depth: u32,
        most: usize,
        measures: [Measure; N],
    ) -> [Line; N] {
        let mut masked = [const { Vec::new() }; N];
        if depth > 0 && runs.len() > 2 {
            for bits in self.tests(only) {
                let halves = only.halves(bits);
                let rows = halves.map(|half| self.runs(half));
                // Where one side is nearly all there is, a split does as well.
                if rows.iter().any(|row| row.is_empty() || row.len() + 2 > runs.len() && runs.len() > 8) {
                    continue;
                }
                // A bit that leaves too much on both sides is not worth the time.
                let both: usize = rows.iter().map(Vec::len).sum();
                if runs.len() > TWO_BITS_UNTIL && both as f64 > TELLING * runs.len() as f64 {
                    continue;
                }
                let [no, yes] = rows;
                // Two bits at once pay where those who have one of them are through.
                let parts = yes.chunk_by(|a, b| a.class == b.class).count();
                if !bits.is_power_of_two() && parts > DECIDED {
                    continue;
                }
                let [no, yes] = [(no, halves[0]), (yes, halves[1])]
                    .map(|(row, half)| self.solve(row, half, depth - 1, BAND, measures));
                for ((masked, no), yes) in masked.iter_mut().zip(no).zip(yes) {
                    masked.push(Masked::new(bits | HIGH, [no, yes], &runs));
                }
            }
        }
        let mut masked = masked.into_iter();
        measures.map(|measure| Line::solve(runs.clone(), measure, most, masked.next().unwrap_or_default()))
    }

    /// Each bit that is not known, and each two.
    fn tests(&self, only: Only) -> impl Iterator<Item = u32> {
        let free = move |bit: &u32| (only.mask | only.any) & bit == 0;
        let bits = move || (0..BITS).map(|bit| 1u32 << bit).filter(free);
        let pairs = bits().flat_map(move |one| bits().filter(move |&two| two > one).map(move |two| one | two));
        let few = self.spans.len() <= TWO_BITS_UNTIL;
        let pairs = pairs.filter(move |_| few && only.any == 0);
        bits().chain(pairs)
    }

    /// What is left of each span; runs that nothing is left of are not there.
    fn runs(&self, only: Only) -> Vec<Run> {
        let mut runs = Vec::with_capacity(self.spans.len());
        for (span, &far) in self.spans.iter().zip(&self.far) {
            let Some(first) = only.next(span.lo, span.hi) else { continue };
            let single = only.next(first.saturating_add(1), span.hi).is_none() || first == span.hi;
            // Numbers without a weight of their own are on both sides, which errs on the side of no bit test.
            let near = self.frequencies.among(span.lo, span.hi, |word| only.holds(word));
            let weight = (far + near).map2(self.total, |weight, total| weight / total);
            runs.push(Run { lo: span.lo, only: single.then_some(first), class: span.class, weight });
        }
        runs
    }
}

impl Tree {
    /// The tree as blocks; `targets[class]` is where a class goes.
    pub fn blocks(&self, blocks: &mut Blocks, subject: Subject, targets: &[BlockId]) -> BlockId {
        // Parts are halves of halves, so joining neighbours pair by pair keeps the depth logarithmic.
        let mut roots: Vec<(u32, BlockId)> =
            self.parts.iter().map(|(lo, part)| (*lo, part.blocks(blocks, subject, targets))).collect();
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
}

impl Part {
    fn blocks(&self, blocks: &mut Blocks, subject: Subject, targets: &[BlockId]) -> BlockId {
        match self {
            Self::Line(line) => line.blocks(blocks, subject, targets),
            Self::Trade(trade) => trade.blocks(blocks, subject, targets),
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
                last.weight = last.weight + span.weight;
            }
            _ => merged.push(span),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_bits_let_through_is_found(asked in prop::collection::vec((1u32..1024, any::<bool>()), 0..4), from in 0u32..1100) {
            let (mut only, mut tests) = (Only::ALL, Vec::new());
            for (bits, set) in asked {
                let known = only.mask | only.any;
                if bits & known == 0 && (bits.is_power_of_two() || only.any == 0) {
                    only = only.halves(bits)[usize::from(set)];
                    tests.push((bits, set));
                }
            }
            let through = |word: u32| tests.iter().all(|&(bits, set)| (word & (bits | HIGH) != 0) == set);
            let found = (from..=1100).find(|&word| through(word));
            prop_assert_eq!(only.next(from, 1100), found);
            prop_assert!((0..1100).chain([HIGH, u32::MAX]).all(|word| only.holds(word) == through(word)));
            prop_assert_eq!(only.next(HIGH, u32::MAX).is_some(), through(HIGH));
        }
    }
}
