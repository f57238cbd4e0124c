//! Chance, in two forms: numbers that proptest can shrink, and a stream out of a seed.

/// What a generator asks whenever it has a choice. Spent choices are 0, and 0 is always the simplest answer, so that a
/// shorter list makes a simpler policy.
pub struct Choices {
    numbers: std::vec::IntoIter<u16>,
}

impl Choices {
    pub fn new(numbers: Vec<u16>) -> Self {
        Self { numbers: numbers.into_iter() }
    }

    /// A number below `count`.
    pub fn pick(&mut self, count: usize) -> usize {
        self.numbers.next().map_or(0, usize::from) % count.max(1)
    }

    /// True once in `times`, and never when choices are spent.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.pick(times) == times - 1
    }

    /// One of them.
    pub fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.pick(of.len())]
    }

    pub fn word(&mut self) -> u64 {
        (0..4).fold(0, |word, _| word << 16 | self.pick(1 << 16) as u64)
    }
}

/// `splitmix64`.
#[derive(Clone)]
pub struct Stream(pub u64);

impl Stream {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }

    pub fn below(&mut self, count: usize) -> usize {
        (self.next() % count.max(1) as u64) as usize
    }

    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}
