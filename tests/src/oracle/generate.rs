//! Random policies as data, free of conflicts by how they are made.
//!
//! ```text
//! calls   {read, ioctl} {socket, chmod}     clans: at each level, all rules on a clan say one action
//! openat  split: allow { openat(c) }  deny { openat except { openat(c) } }
//! ```
//!
//! Two rules of one level may claim the same call only if they agree. So calls are dealt out to clans, and each clan has one
//! action at each level, whichever rules, groups and files say it. A split call belongs to no clan at the plain level: two rules share
//! it out by a condition and its opposite.

use std::collections::BTreeMap;

use super::abi::Abi;
use super::asserts;
use super::facts::{Facts, Parameter};
use super::policy::{
    Act, Call, Condition, File, Guard, Named, Number, Operator, Pattern, Policy, Shape, Statement, Word,
};
use super::sources::of_type;

/// Numbers that look random and are the same in every run (xorshift64*, Vigna 2016).
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Any 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d).rotate_left(32)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.bits() % end as u64) as usize
    }

    /// True once in `n` times.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of them.
    pub fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// ABIs of one machine, since a file is for one; x86_64 and aarch64 have a byte order in common.
const ARCHS: &[&[Abi]] = &[
    &[],
    &[Abi::X86_64],
    &[Abi::X86_64],
    &[Abi::X86_64],
    &[Abi::X86_64, Abi::X86],
    &[Abi::X86_64, Abi::X86],
    &[Abi::X86_64, Abi::X86, Abi::X32],
    &[Abi::X86],
    &[Abi::Aarch64],
    &[Abi::X86_64, Abi::Aarch64],
    &[Abi::Aarch64, Abi::Arm],
    &[Abi::Arm],
    &[Abi::Riscv64],
    &[Abi::S390x],
    &[Abi::S390x, Abi::S390],
    &[Abi::Ppc64le],
    &[Abi::Ppc64],
    &[Abi::Ppc64, Abi::Ppc],
    &[Abi::Loongarch64],
    &[Abi::Mips64, Abi::Mips64n32],
    &[Abi::Mips64, Abi::Mips64n32, Abi::Mips],
    &[Abi::Mips],
    &[Abi::Mipsel64, Abi::Mipsel64n32],
    &[Abi::Mipsel64, Abi::Mipsel64n32, Abi::Mipsel],
    &[Abi::Mipsel],
    &[Abi::M68k],
    &[Abi::Parisc64, Abi::Parisc],
    &[Abi::Parisc64],
    &[Abi::Sh],
];

const CAPS: &[&str] = &["CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_NET_BIND_SERVICE"];
const KERNELS: &[(u8, u8)] = &[(4, 8), (5, 10), (5, 11), (6, 0)];

/// Calls that are often chosen: they have signs, widths, other entries on other ABIs, or two ways in.
const INTERESTING: &[&str] = &[
    "socket",
    "ioctl",
    "openat",
    "chmod",
    "fchmodat",
    "lseek",
    "kill",
    "setuid",
    "setresuid",
    "personality",
    "mprotect",
    "clone",
    "fcntl",
    "futex",
    "prctl",
    "close",
    "readv",
    "mmap",
    "bind",
    "msgget",
    "chown",
    "umask",
    "accept4",
    "mkdirat",
    "pread64",
    "epoll_ctl",
    "socketcall",
    "ipc",
    "semctl",
    "msgsnd",
    "sendto",
    "fadvise64",
    "setresgid",
    "recvfrom",
    "io_getevents",
    "prlimit64",
    "waitid",
];

/// Constants with one value on all ABIs, by the crate `libc`.
const CONSTANTS: &[(&str, i64)] = &[
    ("AF_UNIX", libc::AF_UNIX as i64),
    ("AF_INET6", libc::AF_INET6 as i64),
    ("AF_ALG", libc::AF_ALG as i64),
    ("SIGKILL", libc::SIGKILL as i64),
    ("CLONE_NEWUSER", libc::CLONE_NEWUSER as i64),
    ("PROT_EXEC", libc::PROT_EXEC as i64),
    ("AT_FDCWD", libc::AT_FDCWD as i64),
    ("PR_SET_DUMPABLE", libc::PR_SET_DUMPABLE as i64),
];

/// Types of parameters of declared calls.
const TYPES: &[&str] =
    &["int", "unsigned int", "long", "size_t", "u64", "umode_t", "char *", "pid_t", "unsigned long", "loff_t"];

/// A policy, and the numbers that stand in its conditions, around which something changes.
#[derive(Debug)]
pub struct Generated {
    /// The policy.
    pub policy: Policy,
    /// Calls that it names.
    pub calls: Vec<String>,
    /// Numbers of its conditions.
    pub edges: Vec<i128>,
    /// Values of a register of a call on an ABI that decide what others mean.
    pub commands: Vec<(String, Abi, usize, Vec<u64>)>,
}

pub(super) struct Maker<'a> {
    pub(super) random: &'a mut Random,
    pub(super) facts: &'a Facts,
    pub(super) listed: Vec<Abi>,
    pub(super) policy: Policy,
    pub(super) calls: Vec<String>,
    pub(super) clans: Vec<Vec<String>>,
    /// Groups of each clan that were made so far.
    groups: Vec<Vec<String>>,
    edges: Vec<i128>,
    commands: Vec<(String, Abi, usize, Vec<u64>)>,
    plain: bool,
    /// Whether the multiplexers are refused, so that conditions bind on what they reach.
    closed: bool,
}

/// A policy of that seed. With `plain`, what JSON can nearly always say: few conditions and no data beside actions.
pub fn generate(random: &mut Random, facts: &Facts, plain: bool) -> Generated {
    let archs = random.of(ARCHS).to_vec();
    let policy = Policy {
        archs,
        default: Act::Deny(1),
        other_default: None,
        files: vec![File::default()],
        groups: BTreeMap::new(),
        numbers: Vec::new(),
        sets: Vec::new(),
        declared: Vec::new(),
        asserts: Vec::new(),
        caps: CAPS.iter().copied().filter(|_| random.once_in(2)).collect(),
        kernel: *random.of(KERNELS),
    };
    let listed = policy.listed();
    let closed = facts.has(&listed, "ipc") && random.once_in(2);
    let mut maker = Maker {
        random,
        facts,
        listed,
        policy,
        calls: Vec::new(),
        clans: Vec::new(),
        groups: Vec::new(),
        edges: Vec::new(),
        commands: Vec::new(),
        plain,
        closed,
    };
    maker.make();
    Generated { policy: maker.policy, calls: maker.calls, edges: maker.edges, commands: maker.commands }
}

impl Maker<'_> {
    fn make(&mut self) {
        self.make_files();
        self.policy.default = self.action();
        if self.policy.files.len() > 1 && self.random.once_in(3) {
            let file = 1 + self.random.below(self.policy.files.len() - 1);
            self.policy.other_default = Some((file, self.action()));
        }
        self.make_constants();
        self.make_declared();
        self.choose_calls();
        self.make_groups();
        let levels = self.policy.files.len() + 1;
        let says: Vec<Vec<Act>> =
            (0..self.clans.len()).map(|_| (0..=levels).map(|_| self.action()).collect()).collect();
        for _ in 0..3 + self.random.below(8) {
            let file = self.random.below(self.policy.files.len());
            let clan = self.random.below(self.clans.len());
            // What closes the multiplexers is at the highest level, and must not meet another rule there.
            let over = self.random.once_in(3) && !(self.closed && file == 0);
            let level = if over { self.level(file) } else { 0 };
            let patterns = (0..1 + self.random.below(3)).map(|_| self.pattern_of(clan)).collect();
            let rule = Statement::Rule { over, action: says[clan][level], patterns };
            let rule = self.maybe_guarded(rule);
            self.policy.files[file].statements.push(rule);
        }
        self.make_splits();
        if self.closed {
            let outer = |name: &str| Pattern { named: Named::Call(name.to_owned(), Vec::new()), except: Vec::new() };
            let patterns = ["socketcall", "ipc"].iter().filter(|name| self.facts.has(&self.listed, name));
            let patterns = patterns.map(|name| outer(name)).collect();
            self.policy.files[0].statements.push(Statement::Rule { over: true, action: Act::Deny(38), patterns });
        }
        asserts::make(self);
    }

    fn level(&self, file: usize) -> usize {
        let includes = &self.policy.files[file].includes;
        1 + includes.iter().map(|&other| self.level(other)).max().unwrap_or(0)
    }

    /// File 0, and up to three others, each included by one or two before it.
    fn make_files(&mut self) {
        for file in 1..1 + self.random.below(4) {
            let by = self.random.below(file);
            self.policy.files.push(File::default());
            self.policy.files[by].includes.push(file);
            if by > 0 && self.random.once_in(3) {
                self.policy.files[0].includes.push(file);
            }
        }
    }

    fn make_constants(&mut self) {
        for index in 0..self.random.below(3) {
            let value = self.value(32, false);
            self.policy.numbers.push((format!("NUMBER_{index}"), value));
        }
        for index in 0..self.random.below(2) {
            let ranges = (0..1 + self.random.below(3)).map(|_| self.range(16, false)).collect();
            self.policy.sets.push((format!("SET_{index}"), ranges));
        }
    }

    /// Calls that no kernel has, on some of the ABIs.
    fn make_declared(&mut self) {
        if !self.random.once_in(6) {
            return;
        }
        for index in 0..1 + self.random.below(2) {
            let first = *self.random.of(&self.listed);
            let listed = self.listed.clone();
            let on = listed.into_iter().filter(|abi| *abi == first || self.random.once_in(2)).collect::<Vec<_>>();
            // One number for all; kpolc adds the bit of x32.
            let number = 700 + index as u32 + if first == Abi::X32 { 0 } else { first.base() };
            let seen = |abi: Abi| if abi == Abi::X32 { number + abi.base() } else { number };
            let count = self.random.below(5);
            self.policy.declared.push(Call {
                name: format!("frobnicate{index}"),
                parameters: (0..count).map(|at| (format!("p{at}"), *self.random.of(TYPES))).collect(),
                numbers: on.into_iter().map(|abi| (abi, seen(abi))).collect(),
            });
        }
    }

    /// The parameters that can be named.
    fn usable(&self, call: &str) -> Vec<Parameter> {
        let Some(declared) = self.policy.declared.iter().find(|known| known.name == call) else {
            return self.facts.usable(call, &self.listed);
        };
        let mut found = Vec::new();
        for (index, (name, ty)) in declared.parameters.iter().enumerate() {
            let before = &declared.parameters[..=index];
            // Two registers on 32 bits, so that it and what follows have no name there.
            let split = before.iter().any(|(_, ty)| matches!(*ty, "u64" | "loff_t"));
            if split && declared.numbers.keys().any(|abi| abi.bits() == 32) {
                break;
            }
            let Some((bits, signed)) = of_type(ty) else { continue };
            let shape = |abi: &Abi| Shape { index, bits: bits.min(abi.bits()), signed, cuts: Vec::new() };
            let shapes = declared.numbers.keys().map(|abi| (*abi, shape(abi))).collect();
            let word = Word { name: name.clone(), shapes, register: None };
            found.push(Parameter { word, pointer: ty.contains('*') });
        }
        found
    }

    fn choose_calls(&mut self) {
        let all = &self.facts.calls;
        let count = 6 + self.random.below(12);
        while self.calls.len() < count {
            let call = if self.random.once_in(2) {
                (*self.random.of(INTERESTING)).to_owned()
            } else {
                self.random.of(all).clone()
            };
            let known = self.facts.has(&self.listed, &call);
            if !known || self.calls.contains(&call) || self.meets_multiplexed(&call) {
                continue;
            }
            self.calls.push(call);
        }
        for call in &self.calls {
            for (abi, outer, number) in self.facts.ways(&self.listed, call) {
                self.commands.push((outer.to_owned(), abi, 0, vec![number]));
            }
        }
        self.calls.extend(self.policy.declared.iter().map(|call| call.name.clone()));
        self.clans = vec![Vec::new(); 1 + self.random.below(4)];
        for call in self.calls.clone() {
            let clan = self.random.below(self.clans.len());
            self.clans[clan].push(call);
        }
        self.clans.retain(|clan| !clan.is_empty());
    }

    /// Whether a rule on it would meet another on the multiplexer that leads to it, where the two would have to agree.
    fn meets_multiplexed(&self, call: &str) -> bool {
        let outer = |name: &str| matches!(name, "socketcall" | "ipc");
        if self.closed && outer(call) {
            return true;
        }
        let inner = |name: &str| self.facts.is_multiplexed(&self.listed, name);
        outer(call) && self.calls.iter().any(|other| inner(other))
            || inner(call) && self.calls.iter().any(|other| outer(other))
    }

    fn make_groups(&mut self) {
        self.groups = vec![Vec::new(); self.clans.len()];
        for index in 0..self.random.below(5) {
            let clan = self.random.below(self.clans.len());
            let members = (0..1 + self.random.below(4)).map(|_| self.pattern_of(clan)).collect();
            let name = format!("group-{index}");
            let file = self.random.below(self.policy.files.len());
            self.policy.files[file].groups.push(name.clone());
            self.policy.groups.insert(name.clone(), members);
            self.groups[clan].push(name);
        }
    }

    /// A pattern of calls of a clan alone.
    pub(super) fn pattern_of(&mut self, clan: usize) -> Pattern {
        let group = !self.groups.get(clan).is_none_or(Vec::is_empty) && self.random.once_in(3);
        let named = if group {
            Named::Group(self.random.of(&self.groups[clan]).clone())
        } else {
            let call = self.random.of(&self.clans[clan]).clone();
            let conditions = self.conditions(&call);
            Named::Call(call, conditions)
        };
        let mut except = Vec::new();
        // What is left of a call behind a multiplexer is said in other words by each: not asked here.
        let whole = match &named {
            Named::Group(_) => self.clans[clan].iter().any(|one| self.is_multiplexed(one)),
            Named::Call(name, _) => self.is_multiplexed(name),
        };
        if !whole && self.random.once_in(3) {
            for _ in 0..1 + self.random.below(2) {
                let call = self.random.of(&self.clans[clan]).clone();
                let conditions = self.conditions(&call);
                except.push(Pattern { named: Named::Call(call, conditions), except: Vec::new() });
            }
        }
        Pattern { named, except }
    }

    /// Whether a condition on it would not bind, since a multiplexer reaches it.
    fn is_multiplexed(&self, name: &str) -> bool {
        !self.closed && self.facts.is_multiplexed(&self.listed, name)
    }

    /// Calls outside of all clans, each shared out by a condition and its opposite.
    fn make_splits(&mut self) {
        for _ in 0..self.random.below(3) {
            let call = self.random.of(&self.facts.calls).clone();
            let taken = self.calls.contains(&call) || self.is_multiplexed(&call) || self.meets_multiplexed(&call);
            if taken || !self.facts.has(&self.listed, &call) {
                continue;
            }
            let Some(condition) = self.condition(&call) else { continue };
            let with = Pattern { named: Named::Call(call.clone(), vec![condition.clone()]), except: Vec::new() };
            let without = if self.random.once_in(2) {
                let opposite = Condition::Not(Box::new(condition));
                Pattern { named: Named::Call(call.clone(), vec![opposite]), except: Vec::new() }
            } else {
                Pattern { named: Named::Call(call.clone(), Vec::new()), except: vec![with.clone()] }
            };
            self.calls.push(call);
            for pattern in [with, without] {
                let rule = Statement::Rule { over: false, action: self.action(), patterns: vec![pattern] };
                let file = self.random.below(self.policy.files.len());
                self.policy.files[file].statements.push(rule);
            }
        }
    }

    fn maybe_guarded(&mut self, rule: Statement) -> Statement {
        if !self.random.once_in(4) {
            return rule;
        }
        let guards = (0..1 + self.random.below(2)).map(|_| self.guard()).collect();
        let body = vec![self.maybe_guarded(rule)];
        Statement::When(guards, body)
    }

    pub(super) fn guard(&mut self) -> Guard {
        let negated = self.random.once_in(3);
        match self.random.below(3) {
            0 => Guard::Arch(vec![*self.random.of(&self.listed)], negated),
            1 => Guard::Cap(CAPS[self.random.below(CAPS.len())], negated),
            _ => Guard::Kernel(*self.random.of(KERNELS), negated),
        }
    }

    pub(super) fn action(&mut self) -> Act {
        let choices = if self.plain { 6 } else { 10 };
        match self.random.below(choices) {
            0 | 1 => Act::Allow,
            2 => Act::Deny(1),
            3 => Act::Deny(38),
            4 => Act::Kill,
            5 => Act::Log,
            6 => Act::KillThread,
            7 => Act::Deny(self.random.below(4095) as u16),
            // JSON has no data of a trap.
            8 => Act::Trap(if self.random.once_in(8) { 1 } else { 0 }),
            _ => Act::Trace(self.random.below(1000) as u16),
        }
    }

    fn conditions(&mut self, call: &str) -> Vec<Condition> {
        // A condition on a call behind a multiplexer is a matter of its own: whether it may be built at all.
        if self.is_multiplexed(call) || self.random.once_in(2) {
            return Vec::new();
        }
        let most = if self.plain { 1 } else { 2 };
        (0..1 + self.random.below(most)).filter_map(|_| self.condition(call)).collect()
    }

    fn condition(&mut self, call: &str) -> Option<Condition> {
        self.nested(call, if self.plain { 0 } else { 2 })
    }

    fn nested(&mut self, call: &str, depth: usize) -> Option<Condition> {
        if depth > 0 && self.random.once_in(4) {
            let list: Vec<Condition> = (0..2).filter_map(|_| self.nested(call, depth - 1)).collect();
            if list.len() < 2 {
                return None;
            }
            return Some(match self.random.below(3) {
                0 => Condition::And(list),
                1 => Condition::Or(list),
                _ => Condition::Not(Box::new(Condition::Or(list))),
            });
        }
        // One that has a sign on some ABIs only could not be said with one number for all.
        let usable: Vec<Parameter> = self.usable(call).into_iter().filter(|one| !one.word.is_mixed()).collect();
        if self.random.once_in(12) {
            return Some(self.on_register());
        }
        if usable.is_empty() {
            return None;
        }
        let cut: Vec<Parameter> = usable.iter().filter(|one| one.word.is_cut()).cloned().collect();
        let from = if !cut.is_empty() && self.random.once_in(2) { &cut } else { &usable };
        let parameter = self.random.of(from).clone();
        for (abi, cut) in parameter.word.shapes.iter().flat_map(|(abi, shape)| shape.cuts.iter().map(|cut| (*abi, cut)))
        {
            self.commands.push((call.to_owned(), abi, cut.register, cut.values.clone()));
        }
        if parameter.pointer {
            let operator = *self.random.of(&[Operator::Equal, Operator::NotEqual]);
            let value = Number { value: 0, name: None };
            return Some(Condition::Compare { word: parameter.word, mask: None, operator, value });
        }
        Some(self.test(parameter.word))
    }

    /// A condition on a register as it is.
    fn on_register(&mut self) -> Condition {
        let index = self.random.below(6);
        let word = Word::register(index);
        let value = self.value(32, false);
        let operator = *self.random.of(&[Operator::Equal, Operator::NotEqual]);
        Condition::Compare { word, mask: None, operator, value: self.named(value) }
    }

    fn test(&mut self, word: Word) -> Condition {
        // Values must fit the narrowest reading of the policy.
        let (bits, signed) = word.narrowest();
        let mask = self.random.once_in(3).then(|| {
            let mask = match self.random.below(3) {
                0 => 1 << self.random.below(bits as usize),
                1 => 0xf,
                _ => self.random.bits() >> (64 - bits),
            };
            mask.max(1) & u64::MAX >> (64 - bits)
        });
        match self.random.below(5) {
            0 => Condition::Bits { word, mask },
            1 | 2 => {
                let value = self.value(bits, signed);
                // A mask leaves only some values.
                let value = mask.map_or(value, |mask| (value as u64 & mask & u64::MAX >> (65 - bits)) as i128);
                let operator = *self.random.of(&[Operator::Equal, Operator::NotEqual]);
                Condition::Compare { word, mask, operator, value: self.named_within(value, bits) }
            }
            3 => {
                let value = self.value(bits, signed);
                let operators = [Operator::Less, Operator::AtMost, Operator::Greater, Operator::AtLeast];
                let operator = *self.random.of(&operators);
                Condition::Compare { word, mask: None, operator, value: self.named_within(value, bits) }
            }
            _ => {
                let negated = self.random.once_in(3);
                let sets: Vec<_> = self.policy.sets.iter().filter(|_| bits >= 17).cloned().collect();
                if !sets.is_empty() && self.random.once_in(2) {
                    let (name, ranges) = self.random.of(&sets).clone();
                    return Condition::In { word, mask: None, ranges, set: Some(name), negated };
                }
                let ranges = (0..1 + self.random.below(3)).map(|_| self.range(bits, signed)).collect();
                Condition::In { word, mask: None, ranges, set: None, negated }
            }
        }
    }

    fn range(&mut self, bits: u32, signed: bool) -> (Number, Number) {
        let (one, two) = (self.value(bits, signed), self.value(bits, signed));
        if self.random.once_in(2) {
            return (self.named_within(one, bits), Number { value: one, name: None });
        }
        (self.named(one.min(two)), self.named(one.max(two)))
    }

    /// A number that such a word can be.
    fn value(&mut self, bits: u32, signed: bool) -> i128 {
        let half = 1i128 << (bits - 1);
        let value = match self.random.below(6) {
            0 => self.random.below(4) as i128,
            1 => self.random.below(256) as i128,
            2 => 1i128 << self.random.below(bits as usize - 1),
            3 => i128::from(self.random.bits() >> (65 - bits)),
            4 if signed => -1 - self.random.below(3) as i128,
            4 => (2 * half) - 1 - self.random.below(2) as i128,
            _ => half - 1,
        };
        self.edges.push(value);
        value
    }

    fn named_within(&mut self, value: i128, bits: u32) -> Number {
        if bits >= 32 { self.named(value) } else { Number { value, name: None } }
    }

    /// The value by a name that it has.
    fn named(&mut self, value: i128) -> Number {
        let own = self.policy.numbers.iter().find(|(_, number)| *number == value).map(|(name, _)| name.clone());
        let kernel =
            || CONSTANTS.iter().find(|(_, number)| i128::from(*number) == value).map(|(name, _)| (*name).to_owned());
        Number { value, name: own.or_else(kernel) }
    }
}
