//! One tree out of two: as good for the expected calls as the best, but for one in a hundred, and better for all others.
//!
//! ```text
//! tree for expected calls     each of its ranges may be served by    those choices that cost expected calls
//!      jge 134                · its own tests                        the least are kept, and of these the one
//!     /       \               · what is best for all numbers         is taken that serves all numbers best
//! ```
//!
//! A mix of both weights has no such tree: whatever the mix, the best by it is at one end of a wide gap or at the other.
//!
//! INVARIANT: what stands for a range gives every word of it the behaviour of its run, for both trees do.

use super::aim::Allowance;
use super::block::{BlockId, Blocks, Subject};
use super::line::{Costs, Line, Range};

/// Instructions that every call executes: two loads, the test of the architecture, the answer.
const ALWAYS: f64 = 4.0;
/// So many choices are kept for a range.
const KEPT: usize = 16;
/// Less is no difference.
const ROUNDED: f64 = 1e-9;

/// Two lines over one row, and which is used where.
#[derive(Debug)]
pub(super) struct Trade {
    quick: Line,
    even: Line,
    choices: Vec<Choice>,
    /// That of the whole row, if there is something.
    root: Option<usize>,
}

/// A tree for a range.
#[derive(Debug, Clone, Copy)]
struct Choice {
    costs: Costs,
    way: Way,
}

/// Whose tests serve a range.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// All are those for expected calls.
    Quick,
    /// All are those for all numbers.
    Even,
    /// The first is of the tree for expected calls, and these choices are behind it.
    Sides([usize; 2]),
}

impl Trade {
    /// `quick` and `even` are lines over the same row with the same bit tests.
    pub fn new(quick: Line, even: Line, allowance: Allowance) -> Self {
        let mut choices = Vec::new();
        let root = quick.whole().map(|range| {
            let most = allowance.part * (ALWAYS + quick.costs(range).tests.expected);
            let mut market = Market { choices: &mut choices, most, price: quick.price() };
            market.offers(&quick, &even, range).last().copied().unwrap_or_default()
        });
        Self { quick, even, choices, root }
    }

    /// The tree over the whole row as blocks.
    pub fn blocks(&self, blocks: &mut Blocks, subject: Subject, targets: &[BlockId]) -> BlockId {
        match (self.root, self.quick.whole()) {
            (Some(root), Some(range)) => self.emit(root, (&self.quick, &self.even), range, blocks, subject, targets),
            _ => BlockId(0),
        }
    }

    /// Recursion is as deep as that of the tree for expected calls.
    fn emit(
        &self,
        choice: usize,
        (quick, even): (&Line, &Line),
        range: Range,
        blocks: &mut Blocks,
        subject: Subject,
        targets: &[BlockId],
    ) -> BlockId {
        match (self.choices[choice].way, quick.step(range)) {
            (Way::Even, _) => even.emit(range, blocks, subject, targets),
            (Way::Sides(sides), Some(step)) => {
                let [no, yes] = [0, 1].map(|side| {
                    let (line, range) = step.sides[side];
                    self.emit(sides[side], (line, even.beside(&step, side)), range, blocks, subject, targets)
                });
                blocks.test(subject, step.compare, step.k, yes, no)
            }
            _ => quick.emit(range, blocks, subject, targets),
        }
    }
}

/// Where choices are made.
struct Market<'a> {
    choices: &'a mut Vec<Choice>,
    /// What the whole tree may cost more for expected calls.
    most: f64,
    price: f64,
}

impl Market<'_> {
    /// Choices for a range, each dearer for expected calls than the one before, and cheaper for all numbers. Recursion is as
    /// deep as that of the tree for expected calls.
    fn offers(&mut self, quick: &Line, even: &Line, range: Range) -> Vec<usize> {
        let own = quick.costs(range);
        let mut offers =
            vec![Choice { costs: own, way: Way::Quick }, Choice { costs: even.costs(range), way: Way::Even }];
        if let Some(step) = quick.step(range) {
            let weight = quick.weight(range);
            let [no, yes] = [0, 1].map(|side| {
                let (line, range) = step.sides[side];
                self.offers(line, even.beside(&step, side), range)
            });
            for &no in &no {
                for &yes in &yes {
                    let costs = Costs::behind(weight, [no, yes].map(|side| self.choices[side].costs));
                    offers.push(Choice { costs, way: Way::Sides([no, yes]) });
                }
            }
        }
        self.keep(offers, own.tests.expected)
    }

    /// Those that nothing is better than in both ways, and one of those that cost expected calls about the same.
    fn keep(&mut self, mut offers: Vec<Choice>, least: f64) -> Vec<usize> {
        let price = self.price;
        let expected = |choice: &Choice| choice.costs.tests.expected;
        let all = |choice: &Choice| choice.costs.tests.even + price * choice.costs.length as f64;
        offers.retain(|choice| expected(choice) <= least + self.most + ROUNDED);
        offers.sort_by(|a, b| expected(a).total_cmp(&expected(b)).then(all(a).total_cmp(&all(b))));
        let about = |choice: &Choice| ((expected(choice) - least) / self.most * KEPT as f64) as usize;
        let mut kept: Vec<Choice> = Vec::new();
        for choice in offers {
            match kept.last_mut() {
                Some(last) if all(&choice) >= all(last) - ROUNDED => {}
                Some(last) if about(&choice) == about(last) => *last = choice,
                _ => kept.push(choice),
            }
        }
        let first = self.choices.len();
        self.choices.extend(&kept);
        (first..self.choices.len()).collect()
    }
}
