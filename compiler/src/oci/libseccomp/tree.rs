//! The conditions of one call as libseccomp keeps them: tests in levels, rules merged into one another.
//!
//! ```text
//! read: arg0 == 1 and arg1 == 5         arg0 lower == 2 → allow
//! read: arg0 == 1 and arg1 == 6         arg0 lower == 1 → arg1 lower == 6 → allow
//! read: arg0 == 2                                         arg1 lower == 5 → allow
//! ```
//!
//! A level is a list: greater values first, asked one after the other until one holds. What a test leads to is an
//! answer or the first test of a level below. Rules are merged as far as they begin alike (`_db_tree_add`); before that
//! those that the new one makes needless are taken away, or the new one is dropped where it is needless itself
//! (`_db_tree_prune`; both `src/db.c`). Both do less than it sounds, and sometimes something else: so they are followed
//! here step by step, with the mistakes, because the order of tests and of calls hangs on them.
//!
//! A level may hang below two tests (`arg0 > 5` has two ways to be true, by its upper half and by its lower). That
//! is why tests are counted: how many are left decides which call is tested first.
//!
//! INVARIANT (bounded): at most [`MOST`] tests, and [`FUEL`] steps; recursion goes down levels, of which a rule has 18.

use super::Failure;
use super::rule::{self, Kind, Word};

/// Tests of one call.
const MOST: usize = 4096;
/// Steps of merging for one call.
const FUEL: u32 = 4_000_000;

/// A test, by its place in [`Tree::tests`].
pub type Id = u32;

/// The two outcomes of a test, as indexes.
pub const NO: usize = 0;
/// It holds.
pub const YES: usize = 1;

/// Where an outcome leads.
#[derive(Debug, Clone, Copy, Default)]
pub struct Way {
    /// An answer, whatever it is.
    pub acts: bool,
    /// The answer. Read without `acts` too, as the library does.
    act: u32,
    /// A test of the level below.
    pub next: Option<Id>,
}

impl Way {
    /// The answer, if there is one.
    pub fn act(self) -> Option<u32> {
        self.acts.then_some(self.act)
    }
}

/// A comparison of one word.
#[derive(Debug, Clone, Copy)]
pub struct Test {
    /// What is loaded.
    pub word: Word,
    /// How it is compared.
    pub kind: Kind,
    /// Under which mask.
    pub mask: u32,
    /// With what.
    pub value: u32,
    /// Place in a level: eq before less before greater, as the operator was written.
    rank: u8,
    /// All 64 bits of the value.
    whole: u64,
    /// By outcome.
    pub ways: [Way; 2],
    left: Option<Id>,
    right: Option<Id>,
    /// How many refer to it.
    holders: u32,
    /// Its memory has been given back.
    gone: bool,
}

/// What is known of the new rule while the old ones are searched.
#[derive(Clone, Copy, Default)]
struct Seen {
    matched: bool,
    ever: bool,
    old_ends: bool,
    new_ends: bool,
    /// Tests of an old rule that the new one lacks.
    old_longer: bool,
    /// And the other way round.
    new_longer: bool,
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.matched |= other.matched;
        self.ever |= other.ever;
        self.old_ends |= other.old_ends;
        self.new_ends |= other.new_ends;
        self.old_longer |= other.old_longer;
        self.new_longer |= other.new_longer;
    }
}

/// A place that refers to a level.
#[derive(Clone, Copy)]
enum Slot {
    Root,
    Below(Id, usize),
}

/// All tests of one call.
#[derive(Debug)]
pub struct Tree {
    tests: Vec<Test>,
    root: Option<Id>,
    /// What the library believes to be their number.
    pub count: u32,
    fuel: u32,
    /// What went wrong while tests were released.
    broken: Option<Failure>,
}

impl Tree {
    /// The tree of a call's first rule.
    pub fn new(chain: &rule::Chain) -> Result<Self, Failure> {
        let mut tree = Self { tests: Vec::new(), root: None, count: 0, fuel: FUEL, broken: None };
        tree.replace(chain)?;
        Ok(tree)
    }

    /// No conditions at all.
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// The first test.
    pub fn root(&self) -> Option<Id> {
        self.root
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.tests.clear();
        self.root = None;
        self.count = 0;
    }

    /// This rule and no other.
    pub fn replace(&mut self, chain: &rule::Chain) -> Result<(), Failure> {
        self.root = self.plant(chain)?;
        self.count = chain.tests.len() as u32;
        Ok(())
    }

    /// A test.
    pub fn test(&self, id: Id) -> &Test {
        &self.tests[id as usize]
    }

    /// The tests of a level, from any of them.
    pub fn level(&self, id: Id) -> Result<Vec<Id>, Failure> {
        let mut level = vec![self.first(id)?];
        let mut at = level[0];
        while let Some(next) = self.test(at).right {
            if level.len() > self.tests.len() {
                return Err(Failure::Endless);
            }
            level.push(self.live(next)?);
            at = next;
        }
        Ok(level)
    }

    /// Merges a rule with at least one test; whether the conditions have to be begun anew is for the caller
    /// ([`Tree::is_empty`]).
    pub fn merge(&mut self, chain: &rule::Chain) -> Result<(), Failure> {
        let Some(new) = self.plant(chain)? else { return Ok(()) };
        let mut seen = Seen::default();
        let gone = self.prune(self.root, Some(new), &mut seen, chain.act)?;
        self.count = self.count.wrapping_sub(gone);
        if gone > 0 && self.root.is_none() {
            return self.replace(chain);
        }
        if gone == 0 && seen.matched && seen.old_ends && seen.new_longer {
            return Ok(());
        }
        self.join(Slot::Root, new)?;
        self.count = self.count.wrapping_add(chain.tests.len() as u32);
        let (gone, _) = self.drop_level(Some(new));
        self.count = self.count.wrapping_sub(gone);
        self.broken.map_or(Ok(()), Err)
    }

    /// Writes the tests of a rule down, linked as they follow each other; the first has one holder.
    fn plant(&mut self, chain: &rule::Chain) -> Result<Option<Id>, Failure> {
        let base = self.tests.len() as Id;
        if self.tests.len() + chain.tests.len() > MOST {
            return Err(Failure::TooLarge);
        }
        for link in &chain.tests {
            self.tests.push(Test {
                word: link.word,
                kind: link.kind,
                mask: link.mask,
                value: link.value & link.mask,
                rank: link.rank,
                whole: link.whole,
                ways: [Way::default(); 2],
                left: None,
                right: None,
                holders: 0,
                gone: false,
            });
        }
        for (at, link) in chain.tests.iter().enumerate() {
            for outcome in [NO, YES] {
                match link.ways[outcome] {
                    rule::Way::Out => {}
                    rule::Way::Act => {
                        self.tests[base as usize + at].ways[outcome] = Way { acts: true, act: chain.act, next: None };
                    }
                    rule::Way::To(next) => {
                        let next = self.hold(Some(base + next as Id));
                        self.tests[base as usize + at].ways[outcome].next = next;
                    }
                }
            }
        }
        Ok(if chain.tests.is_empty() { None } else { self.hold(Some(base)) })
    }

    fn at(&mut self, id: Id) -> &mut Test {
        &mut self.tests[id as usize]
    }

    fn hold(&mut self, id: Option<Id>) -> Option<Id> {
        if let Some(id) = id {
            self.at(id).holders += 1;
        }
        id
    }

    fn spend(&mut self) -> Result<(), Failure> {
        self.fuel = self.fuel.checked_sub(1).ok_or(Failure::TooLarge)?;
        Ok(())
    }

    /// A test that is still there. The library does not look.
    fn live(&self, id: Id) -> Result<Id, Failure> {
        if self.test(id).gone { Err(Failure::Undefined) } else { Ok(id) }
    }

    fn first(&self, mut id: Id) -> Result<Id, Failure> {
        for _ in 0..=self.tests.len() {
            match self.test(self.live(id)?).left {
                Some(left) => id = left,
                None => return Ok(id),
            }
        }
        Err(Failure::Endless)
    }

    fn alike(&self, one: Id, other: Id) -> bool {
        let key = |id| {
            let test = self.test(id);
            (test.word, test.kind, test.value, test.mask)
        };
        key(one) == key(other)
    }

    /// Whether `one` comes behind `other` in a level.
    fn behind(&self, one: Id, other: Id) -> bool {
        let (one, other) = (self.test(one), self.test(other));
        match (one.word, one.rank).cmp(&(other.word, other.rank)) {
            std::cmp::Ordering::Equal if one.rank == rule::RANK_LESS => one.value > other.value,
            std::cmp::Ordering::Equal => one.value < other.value,
            order => order.is_lt(),
        }
    }

    fn ends(&self, id: Id) -> bool {
        self.test(id).ways.iter().all(|way| way.next.is_none())
    }

    /// Whether all answers of the level and below are this one.
    fn only(&mut self, id: Option<Id>, act: u32) -> Result<bool, Failure> {
        let Some(id) = id else { return Ok(true) };
        for id in self.level(id)? {
            // A level below two tests is looked at twice, and one below that four times.
            self.spend()?;
            for way in self.test(id).ways {
                if way.act().is_some_and(|other| other != act) || !self.only(way.next, act)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// One holder fewer. How many tests went with that, and who is in its place.
    fn release(&mut self, id: Option<Id>) -> (u32, Option<Id>) {
        let Some(id) = id else { return (0, None) };
        let test = self.at(id);
        if test.gone {
            self.broken = Some(Failure::Undefined);
            return (0, None);
        }
        test.holders = test.holders.saturating_sub(1);
        if test.holders > 0 {
            return (0, Some(id));
        }
        test.gone = true;
        let Test { left, right, ways, .. } = *test;
        if let Some(left) = left {
            self.at(left).right = None;
        }
        if let Some(right) = right {
            self.at(right).left = None;
        }
        let (mut gone, left) = self.release(left);
        let (more, right) = self.release(right);
        gone += more;
        if let Some(left) = left {
            self.at(left).right = self.hold(right);
        }
        if let Some(right) = right {
            self.at(right).left = self.hold(left);
        }
        for outcome in [YES, NO] {
            gone += self.drop_level(ways[outcome].next).0;
        }
        (gone + 1, left.or(right))
    }

    /// Releases a test, and its whole level if nobody refers to it from elsewhere.
    fn drop_level(&mut self, id: Option<Id>) -> (u32, Option<Id>) {
        let (mut gone, left) = self.release(id);
        let Some(id) = left else { return (gone, None) };
        let level = match self.level(id) {
            Ok(level) => level,
            Err(failure) => {
                self.broken = Some(failure);
                return (gone, Some(id));
            }
        };
        let held = |&id: &Id| {
            let test = self.test(id);
            test.holders > u32::from(test.left.is_some()) + u32::from(test.right.is_some())
        };
        if level.iter().any(held) {
            return (gone, Some(id));
        }
        let mut at = level.first().copied();
        while at.is_some() {
            let (more, next) = self.release(at);
            gone += more;
            at = next;
            if let Err(failure) = self.spend() {
                self.broken = Some(failure);
                break;
            }
        }
        (gone, None)
    }

    fn get(&self, slot: Slot) -> Option<Id> {
        match slot {
            Slot::Root => self.root,
            Slot::Below(id, outcome) => self.test(id).ways[outcome].next,
        }
    }

    fn set(&mut self, slot: Slot, id: Option<Id>) {
        match slot {
            Slot::Root => self.root = id,
            Slot::Below(at, outcome) => self.at(at).ways[outcome].next = id,
        }
    }

    /// Takes a test away, and on the search for it those that lead nowhere.
    fn remove(&mut self, slot: Slot, gone_for: Id) -> Result<u32, Failure> {
        let Some(id) = self.get(slot) else { return Ok(0) };
        let mut gone = 0;
        let mut at = Some(self.first(id)?);
        while let Some(id) = at {
            self.spend()?;
            self.live(id)?;
            let mut found = id == gone_for;
            if !found {
                gone += self.remove(Slot::Below(id, YES), gone_for)?;
                gone += self.remove(Slot::Below(id, NO), gone_for)?;
                found = self.ends(id) && self.test(id).ways.iter().all(|way| !way.acts);
            }
            if found {
                let Test { left, right, .. } = *self.test(id);
                if self.get(slot) == Some(id) {
                    self.set(slot, left.or(right));
                }
                if let Some(left) = left {
                    self.at(left).right = right;
                }
                if let Some(right) = right {
                    self.at(right).left = left;
                }
                let test = self.at(id);
                (test.left, test.right) = (None, None);
                return Ok(gone + self.release(Some(id)).0);
            }
            if gone > 0 {
                break;
            }
            at = self.test(id).right;
        }
        Ok(gone)
    }

    /// Goes below an old test with what is known, and says whether the test is still there.
    fn descend(
        &mut self,
        old: Id,
        outcome: Option<usize>,
        new: Option<Id>,
        seen: &mut Seen,
        act: u32,
    ) -> Result<(u32, Option<Id>), Failure> {
        self.hold(Some(old));
        let below = match outcome {
            Some(outcome) => self.test(old).ways[outcome].next,
            None => Some(old),
        };
        let gone = self.prune(below, new, seen, act)?;
        let (more, old) = self.release(Some(old));
        Ok((gone + more, old))
    }

    /// Takes away what the new rule makes needless; finds out whether it is needless itself.
    fn prune(&mut self, old: Option<Id>, new: Option<Id>, seen: &mut Seen, act: u32) -> Result<u32, Failure> {
        let mut now = *seen;
        let mut gone = 0;
        if let (Some(old), Some(new)) = (old, new)
            && (seen.matched || !seen.ever)
        {
            let mut at = Some(self.first(old)?);
            let mut fell_through = true;
            while let Some(old) = at {
                self.spend()?;
                at = self.test(self.live(old)?).right;
                if !self.prune_at(old, new, seen, &mut now, &mut gone, act)? {
                    fell_through = false;
                    break;
                }
            }
            if fell_through {
                now.matched = false;
            }
        }
        if now.matched {
            seen.add(now);
        } else {
            seen.matched = false;
        }
        Ok(gone)
    }

    /// One test of a level; whether to go on to the next.
    fn prune_at(
        &mut self,
        mut old: Id,
        new: Id,
        seen: &Seen,
        now: &mut Seen,
        gone: &mut u32,
        act: u32,
    ) -> Result<bool, Failure> {
        if self.alike(old, new) {
            (now.matched, now.ever) = (true, true);
            now.new_ends |= self.ends(new);
            now.old_ends |= self.ends(old);
            let (ours, theirs) = (self.test(new).ways, self.test(old).ways);
            let leads = |way: Way| way.acts || way.next.is_some();
            if [YES, NO].iter().any(|&outcome| leads(theirs[outcome]) && !leads(ours[outcome])) {
                return Ok(false);
            }
            let same = |outcome: usize| {
                let (ours, theirs): (Way, Way) = (ours[outcome], theirs[outcome]);
                ours.acts == theirs.acts && ours.act == theirs.act
            };
            if now.new_ends && now.old_ends && !(same(YES) && same(NO)) {
                return Ok(false);
            }
            for outcome in [YES, NO] {
                if let Some(next) = self.test(new).ways[outcome].next {
                    let mut below = Seen { matched: true, ever: true, ..*seen };
                    let (more, left) = self.descend(old, Some(outcome), Some(next), &mut below, act)?;
                    *gone += more;
                    if below.matched {
                        now.add(below);
                    }
                    match left {
                        Some(left) => old = left,
                        None => return Ok(true),
                    }
                }
            }
            let only = self.only(Some(old), act)?;
            if only && now.matched && now.new_ends && now.old_longer {
                *gone += self.remove(Slot::Root, old)?;
                return Ok(self.root.is_some());
            }
            return Ok(!(only && now.matched && now.old_ends && now.new_longer));
        }
        let old_first = self.behind(old, new);
        if if old_first { seen.new_longer } else { seen.old_longer } {
            return Ok(false);
        }
        for outcome in [YES, NO] {
            let mut below = Seen { matched: false, ..*seen };
            let (into, next) = if old_first {
                below.old_longer = true;
                if self.test(old).ways[outcome].next.is_none() {
                    continue;
                }
                (Some(outcome), Some(new))
            } else {
                below.new_longer = true;
                let next = self.test(new).ways[outcome].next;
                if next.is_none() {
                    continue;
                }
                (None, next)
            };
            let (more, left) = self.descend(old, into, next, &mut below, act)?;
            *gone += more;
            if below.matched {
                now.add(below);
                return Ok(false);
            }
            match left {
                Some(left) => old = left,
                None => return Ok(true),
            }
        }
        Ok(true)
    }

    /// Puts a rule's tests beside those that are there.
    fn join(&mut self, slot: Slot, new: Id) -> Result<(), Failure> {
        let mut at = self.get(slot);
        while let Some(old) = at {
            self.spend()?;
            self.live(old)?;
            if self.alike(old, new) {
                return self.join_alike(old, new);
            }
            if self.behind(old, new) {
                match self.test(old).left {
                    Some(left) => {
                        let held = self.hold(Some(new));
                        self.at(left).right = held;
                        let left = self.test(old).left;
                        self.at(new).left = left;
                        self.at(old).left = self.hold(Some(new));
                        self.at(new).right = Some(old);
                    }
                    None => {
                        self.at(old).left = self.hold(Some(new));
                        self.at(new).right = self.hold(Some(old));
                    }
                }
                if self.get(slot) == Some(old) {
                    let held = self.hold(Some(new));
                    self.set(slot, held);
                    self.release(Some(old));
                }
                return Ok(());
            }
            at = self.test(old).right;
            if at.is_none() {
                self.at(new).left = self.hold(Some(old));
                self.at(old).right = self.hold(Some(new));
            }
        }
        Ok(())
    }

    fn join_alike(&mut self, old: Id, new: Id) -> Result<(), Failure> {
        for outcome in [YES, NO] {
            let ours = self.test(new).ways[outcome];
            if !ours.acts {
                continue;
            }
            let theirs = self.test(old).ways[outcome];
            if !theirs.acts {
                if !self.only(theirs.next, ours.act)? {
                    return Err(Failure::Contradiction);
                }
                let (gone, _) = self.release(theirs.next);
                self.at(old).ways[outcome] = Way { next: None, ..ours };
                self.count = self.count.wrapping_sub(gone);
            } else if ours.act != theirs.act {
                if self.ends(old) || self.ends(new) {
                    return Err(Failure::Contradiction);
                }
                // Both outcomes write to the answer of the first: a slip of the library.
                let (ours, theirs) = (*self.test(new), *self.test(old));
                let greater = if outcome == YES { ours.whole > theirs.whole } else { ours.whole < theirs.whole };
                if ours.word.upper && greater {
                    self.at(old).ways[YES].act = ours.ways[YES].act;
                }
            }
        }
        for outcome in [YES, NO] {
            let Some(next) = self.test(new).ways[outcome].next else { continue };
            let theirs = self.test(old).ways[outcome];
            if theirs.next.is_some() {
                self.join(Slot::Below(old, outcome), next)?;
            } else if theirs.acts {
                return Ok(());
            } else {
                let held = self.hold(Some(next));
                self.at(old).ways[outcome].next = held;
            }
        }
        Ok(())
    }
}
