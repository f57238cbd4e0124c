//! Random policies that are valid, by choices.
//!
//! ```text
//! arch x86_64, x86      group @g0 { socket(family in {AF_UNIX, 10..12}) except { … } }
//! include "f1.kpol"     override deny(ENOSYS) { @g0 }      when cap CAP_CHOWN && not arch x86 { log { chmod } }
//! ```
//!
//! Most policies are made to be free of conflicts: each call has, at each level, one action that every rule gives it, but
//! for rules that share a call out by a condition and its opposite. The others say what they like.

use std::collections::{BTreeMap, BTreeSet};

use kpol_compiler::spec::Arch;
use kpol_compiler::tables;

use super::choices::Choices;
use super::condition::Parameters;
use super::text::{Text, block, braces, row, word};
use super::value::{self, Value};

/// A policy, and what is worth to be tried on it.
#[derive(Debug, Clone, Default)]
pub struct Program {
    /// Files by name, [`ROOT`](super::world::ROOT) among them.
    pub files: BTreeMap<String, Text>,
    pub archs: Vec<Arch>,
    /// Names of calls that it speaks of.
    pub calls: BTreeSet<String>,
    /// Calls and parameters with the numbers that stand beside them.
    pub edges: BTreeMap<(String, String), BTreeSet<i128>>,
    pub caps: BTreeSet<String>,
    pub kernels: BTreeSet<(u8, u8)>,
    /// Declared calls: their number, and their parameters.
    pub declared: BTreeMap<String, (u32, Vec<&'static str>)>,
}

/// What is generated.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shape {
    /// Asserts too.
    pub asserts: bool,
    /// `when cap` and `when kernel` too.
    pub environment: bool,
    /// Declared calls too.
    pub declared: bool,
    /// Rules that contradict each other too.
    pub wild: bool,
    /// Not too much for JSON: few conditions, no actions that need a listener.
    pub small: bool,
}

const ARCHS: &[&[Arch]] = &[
    &[Arch::X86_64],
    &[],
    &[Arch::X86_64, Arch::X86, Arch::X32],
    &[Arch::X86_64, Arch::X86],
    &[Arch::Aarch64, Arch::Arm],
    &[Arch::S390x],
    &[Arch::S390x, Arch::S390],
    &[Arch::X86_64, Arch::Aarch64, Arch::Arm, Arch::S390x],
    &[Arch::Mips64, Arch::Mips],
    &[Arch::X32, Arch::X86],
    &[Arch::Riscv64, Arch::Ppc64le],
];

/// Signed and unsigned, 16, 32 and 64 bits, pointers, other registers elsewhere, multiplexed, split in two.
const CALLS: &[&str] = &[
    "read",
    "socket",
    "ioctl",
    "openat",
    "chmod",
    "lseek",
    "mmap",
    "clone",
    "kill",
    "prctl",
    "mkdirat",
    "personality",
    "close",
    "socketpair",
    "bind",
    "shmget",
    "semop",
    "socketcall",
    "ipc",
    "fcntl",
    "mprotect",
    "prlimit64",
    "pread64",
    "fadvise64",
    "fanotify_mark",
    "setuid",
    "futex",
    "epoll_ctl",
    "accept4",
    "open",
    "clone3",
    "getpriority",
    "statx",
    "umask",
    "mknodat",
    "splice",
];

const ACTIONS: &[&str] = &[
    "allow",
    "deny",
    "deny ( ENOSYS )",
    "log",
    "kill",
    "deny ( 38 )",
    "trap",
    "kill_thread",
    "trace ( 7 )",
    "deny ( 0 )",
    "deny ( E2BIG )",
    "trap ( 0x1F )",
    "deny ( EAGAIN )",
    "trace",
    "notify",
    "deny ( 4_095 )",
    "deny ( NUMBER )",
];

/// Actions that JSON can say without more.
const PLAIN_ACTIONS: &[&str] = &["allow", "deny", "deny ( ENOSYS )", "log", "kill", "deny ( 38 )", "kill_thread"];

const CAPS: &[&str] = &["CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_BPF"];
const KERNELS: &[(u8, u8)] = &[(5, 11), (4, 8), (6, 0), (5, 0)];
const BUILTIN: &[&str] = &["@swap", "@reboot", "@sync", "@ipc", "@network-io", "@chown"];

/// A group of the policy.
struct Group {
    name: String,
    /// Whose action it has; see [`Generator::clan`].
    clan: usize,
}

pub struct Generator<'c> {
    pub choices: &'c mut Choices,
    pub shape: Shape,
    pub program: Program,
    wild: bool,
    pool: Vec<&'static str>,
    /// Calls that no plain rule may claim: they are shared out by conditions.
    shared: BTreeSet<&'static str>,
    groups: Vec<Group>,
    pub consts: Vec<Value>,
    pub sets: Vec<(String, Vec<i128>)>,
    /// Statements of each file, and its level.
    files: Vec<(Vec<Text>, u32)>,
    salt: usize,
}

/// A policy of that shape. `prefix` begins the names of its files, but for the root's, which is `prefix` itself.
pub fn program(numbers: Vec<u16>, shape: Shape, root: &str, archs: Option<&[Arch]>) -> Program {
    let mut choices = Choices::new(numbers);
    let listed = archs.unwrap_or(ARCHS[choices.pick(ARCHS.len())]);
    let archs = if listed.is_empty() { vec![Arch::X86_64, Arch::Aarch64] } else { listed.to_vec() };
    let wild = shape.wild && choices.once_in(3);
    let mut generator = Generator {
        choices: &mut choices,
        shape,
        program: Program { archs, ..Program::default() },
        wild,
        pool: Vec::new(),
        shared: BTreeSet::new(),
        groups: Vec::new(),
        consts: Vec::new(),
        sets: Vec::new(),
        files: Vec::new(),
        salt: 0,
    };
    generator.everything(root, listed);
    generator.program
}

impl Generator<'_> {
    fn everything(&mut self, root: &str, listed: &[Arch]) {
        self.salt = self.choices.pick(1 << 16);
        self.make_files(root);
        if !listed.is_empty() {
            let names: Vec<Text> = listed.iter().map(|arch| word(arch.name())).collect();
            let names = Text::Any { open: "", between: ",", close: "", items: names };
            self.files[0].0.push(row([word("arch"), names]));
        }
        let default = self.action(self.salt);
        self.put(0, row([word("default"), default]));
        if self.files.len() > 1 && self.choices.once_in(4) {
            // The root's `override` is above whatever an include says.
            self.files[0].0.pop();
            let (own, other) = (self.any_action(), self.any_action());
            self.put(0, row([word("override default"), own]));
            self.put(1, row([word("default"), other]));
        }
        self.put(0, row([word("const NUMBER ="), word("11")]));
        self.choose_calls();
        for index in 0..self.choices.pick(3) {
            self.define_const(index);
        }
        for index in 0..self.choices.pick(3) {
            self.define_set(index);
        }
        for index in 0..self.choices.pick(4) {
            self.define_group(index);
        }
        for _ in 0..1 + self.choices.pick(if self.shape.small { 5 } else { 7 }) {
            self.rules();
        }
        if self.shape.asserts {
            for index in 0..1 + self.choices.pick(2) {
                self.assert(index);
            }
        }
        let names: Vec<String> = (0..self.files.len()).map(|index| file_name(root, index)).collect();
        let files = std::mem::take(&mut self.files);
        self.program.files = names
            .into_iter()
            .zip(files)
            .map(|(name, (items, _))| (name, Text::Any { open: "", between: "\n", close: "\n", items }))
            .collect();
    }

    /// Files, and who includes whom: each is included by at least one before it.
    fn make_files(&mut self, root: &str) {
        let count = 1 + self.choices.pick(4);
        self.files = vec![(Vec::new(), 1); count];
        let mut includes: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); count];
        for index in 1..count {
            includes[self.choices.pick(index)].insert(index);
            if self.choices.once_in(3) {
                includes[self.choices.pick(index)].insert(index);
            }
        }
        for index in (0..count).rev() {
            for &other in &includes[index] {
                self.files[index].1 = self.files[index].1.max(self.files[other].1 + 1);
                let name = file_name(root, other);
                self.put(index, word(format!("include \"{name}\"")));
            }
        }
    }

    fn put(&mut self, file: usize, statement: Text) {
        self.files[file].0.push(statement);
    }

    fn choose_calls(&mut self) {
        for _ in 0..2 + self.choices.pick(5) {
            let call = CALLS[self.choices.pick(CALLS.len())];
            if !self.pool.contains(&call) {
                self.pool.push(call);
            }
        }
        if self.shape.declared && self.choices.once_in(3) {
            let number = 700 + self.choices.pick(100) as u32;
            let names: Vec<Text> = self.program.archs.iter().map(|arch| word(arch.name())).collect();
            let names = Text::Any { open: "", between: ",", close: "", items: names };
            let head = word("syscall frobnicate ( fd : int , size : size_t , mode : umode_t , at : loff_t ) =");
            self.put(0, row([head, word(number.to_string()), word("on"), names]));
            self.pool.push("frobnicate");
            self.program.declared.insert("frobnicate".to_owned(), (number, vec!["fd", "size", "mode", "at"]));
        }
        self.program.calls.extend(self.pool.iter().map(|&name| name.to_owned()));
        for &call in &self.pool {
            let alone = clan_name(call) == call && !matches!(call, "socketcall" | "ipc");
            if !self.wild && self.choices.once_in(3) && alone {
                self.shared.insert(call);
            }
        }
    }

    /// Any number, of few or of many bits.
    pub fn number(&mut self) -> Value {
        let archs = self.program.archs.len();
        let number = match self.choices.pick(6) {
            0..=2 => self.choices.pick(9) as u64,
            3 => 1 << self.choices.pick(64),
            4 => (1u64 << self.choices.pick(64)).wrapping_sub(1),
            _ => self.choices.word() >> self.choices.pick(64),
        };
        value::literal(self.choices, number, archs)
    }

    /// A constant expression; `names` are constants of the kernel that may occur in it.
    pub fn value(&mut self, names: &[&str], depth: usize) -> Value {
        match self.choices.pick(if depth == 0 { 5 } else { 8 }) {
            1 | 2 if !names.is_empty() => {
                let name = names[self.choices.pick(names.len())];
                let archs = self.program.archs.clone();
                value::named(name, &archs).unwrap_or_else(|| self.number())
            }
            3 if !self.consts.is_empty() => self.consts[self.choices.pick(self.consts.len())].clone(),
            5.. => {
                let (left, right) = (self.value(names, depth - 1), self.value(names, depth - 1));
                value::combined(self.choices, left, right).unwrap_or_else(|| self.number())
            }
            _ => self.number(),
        }
    }

    fn any_file(&mut self) -> usize {
        self.choices.pick(self.files.len())
    }

    fn define_const(&mut self, index: usize) {
        let name = format!("C{index}");
        let file = self.any_file();
        if self.program.archs.len() > 1 && self.choices.once_in(3) {
            // Another value on each side of a guard.
            let split = 1 + self.choices.pick(self.program.archs.len() - 1);
            let (one, other) = (self.value(&[], 1), self.value(&[], 1));
            let names: Vec<Text> = self.program.archs[..split].iter().map(|arch| word(arch.name())).collect();
            let names = Text::Any { open: "", between: ",", close: "", items: names };
            let define = |value: &Value| block(vec![row([word(format!("const {name} =")), value.text.clone()])]);
            self.put(file, row([word("when arch"), names.clone(), define(&one)]));
            self.put(file, row([word("when not arch"), names, define(&other)]));
            let values = one.values[..split].iter().chain(&other.values[split..]).copied().collect();
            self.consts.push(value::own(&name, values));
            return;
        }
        let value = self.value(&["O_CLOEXEC", "CLONE_NEWUSER"], 2);
        self.put(file, row([word(format!("const {name} =")), value.text.clone()]));
        self.consts.push(value::own(&name, value.values));
    }

    /// Small numbers, which fit every parameter.
    fn define_set(&mut self, index: usize) {
        let name = format!("SET{index}");
        let mut items = Vec::new();
        let mut edges = Vec::new();
        for _ in 0..self.choices.pick(4) {
            let low = self.choices.pick(60) as u64;
            edges.push(i128::from(low));
            if self.choices.once_in(3) {
                let high = low + self.choices.pick(40) as u64;
                edges.push(i128::from(high));
                items.push(row([word(format!("{low}..{high}"))]));
            } else if self.choices.once_in(4) && !self.sets.is_empty() {
                let (other, inner) = self.sets[self.choices.pick(self.sets.len())].clone();
                edges.extend(inner);
                items.push(word(other));
            } else {
                items.push(word(low.to_string()));
            }
        }
        let file = self.any_file();
        self.put(file, row([word(format!("const {name} =")), braces(items)]));
        self.sets.push((name, edges));
    }

    /// Which calls have one fate: those that reach the same code.
    fn clan(&self, call: &str) -> usize {
        let mut hash = self.salt;
        for byte in clan_name(call).bytes() {
            hash = hash.wrapping_mul(31).wrapping_add(usize::from(byte));
        }
        hash % 5
    }

    fn actions(&self) -> &'static [&'static str] {
        if self.shape.small { PLAIN_ACTIONS } else { ACTIONS }
    }

    fn any_action(&mut self) -> Text {
        let actions = self.actions();
        word(actions[self.choices.pick(actions.len())])
    }

    /// The action of a clan at a level; any, if the policy is wild.
    fn action(&mut self, clan: usize) -> Text {
        if self.wild {
            return self.any_action();
        }
        let actions = self.actions();
        word(actions[(clan.wrapping_mul(7) ^ self.salt >> 3) % actions.len()])
    }

    fn define_group(&mut self, index: usize) {
        let clan = self.choices.pick(5);
        let patterns = self.patterns(Some(clan), 2);
        let name = format!("@g{index}");
        let file = self.any_file();
        let group = |patterns| row([word(format!("group {name}")), patterns]);
        if self.choices.once_in(4) {
            // In two parts.
            let other = self.patterns(Some(clan), 1);
            let guard = self.guard();
            self.put(file, row([word("when"), guard, block(vec![group(patterns)])]));
            let guard = self.guard();
            let file = self.any_file();
            self.put(file, row([word("when"), guard, block(vec![group(other)])]));
        } else {
            self.put(file, group(patterns));
        }
        self.groups.push(Group { name, clan });
    }

    /// Patterns of one clan (of any, in a wild policy or without one).
    fn patterns(&mut self, clan: Option<usize>, depth: usize) -> Text {
        let clan = clan.filter(|_| !self.wild);
        let calls: Vec<&'static str> = (self.pool.iter().copied())
            .filter(|call| clan.is_none_or(|clan| self.clan(call) == clan && !self.shared.contains(call)))
            .collect();
        let groups: Vec<String> = (self.groups.iter())
            .filter(|group| clan.is_none_or(|clan| group.clan == clan))
            .map(|group| group.name.clone())
            .collect();
        let mut items = Vec::new();
        for _ in 0..1 + self.choices.pick(3) {
            let plain = match self.choices.pick(8) {
                5 if !groups.is_empty() => word(&groups[self.choices.pick(groups.len())]),
                6 if clan.is_none() => word(self.choices.one(BUILTIN)),
                _ if calls.is_empty() => continue,
                kind => {
                    let call = calls[self.choices.pick(calls.len())];
                    if kind % 2 == 0 { word(call) } else { self.call_with_conditions(call) }
                }
            };
            if depth > 0 && self.choices.once_in(4) {
                let gone = self.patterns(None, depth - 1);
                items.push(row([plain, word("except"), gone]));
            } else {
                items.push(plain);
            }
        }
        braces(items)
    }

    fn call_with_conditions(&mut self, call: &str) -> Text {
        let parameters = Parameters::of(call, &self.program);
        let most = if self.shape.small { 1 } else { 2 };
        let items = (0..1 + self.choices.pick(most)).map(|_| self.condition(&parameters, most)).collect();
        row([word(call), Text::Any { open: "(", between: ",", close: ")", items }])
    }

    fn guard(&mut self) -> Text {
        let count = 1 + self.choices.pick(2);
        let items = (0..count).map(|_| self.one_guard()).collect();
        Text::Any { open: "", between: "&&", close: "", items }
    }

    fn one_guard(&mut self) -> Text {
        let not = if self.choices.once_in(3) { "not " } else { "" };
        let kinds = if self.shape.environment { 3 } else { 1 };
        word(match self.choices.pick(kinds) {
            1 => {
                let cap = self.choices.one(CAPS);
                self.program.caps.insert(cap.to_owned());
                format!("{not}cap {cap}")
            }
            2 => {
                let (major, minor) = KERNELS[self.choices.pick(KERNELS.len())];
                self.program.kernels.insert((major, minor));
                format!("{not}kernel >= {major}.{minor}")
            }
            _ => {
                let first = self.program.archs[self.choices.pick(self.program.archs.len())];
                let second = self.choices.once_in(4).then(|| {
                    let all: Vec<Arch> = Arch::all().collect();
                    all[self.choices.pick(all.len())]
                });
                let second = second.map_or_else(String::new, |arch| format!(" , {arch}"));
                format!("{not}arch {first}{second}")
            }
        })
    }

    /// A rule, or two that share a call out.
    fn rules(&mut self) {
        let file = self.any_file();
        let shared: Vec<&'static str> = self.shared.iter().copied().collect();
        if !shared.is_empty() && self.choices.once_in(3) {
            // Each at most once for plain rules, which is level 0.
            let call = shared[self.choices.pick(shared.len())];
            self.shared.remove(call);
            self.pool.retain(|known| *known != call);
            self.share_out(file, call);
            return;
        }
        let clan = self.choices.pick(5);
        let patterns = self.patterns(Some(clan), 2);
        let rule = if self.choices.once_in(3) {
            let level = self.files[file].1 as usize;
            let action = self.action(clan + 13 * level);
            row([word("override"), action, patterns])
        } else {
            let action = self.action(clan);
            row([action, patterns])
        };
        let rule = if self.choices.once_in(4) {
            let guard = self.guard();
            row([word("when"), guard, block(vec![rule])])
        } else {
            rule
        };
        self.put(file, rule);
    }

    fn share_out(&mut self, file: usize, call: &str) {
        let (one, other) = (self.any_action(), self.any_action());
        let other_file = self.any_file();
        if self.choices.once_in(3) {
            let guard = self.one_guard();
            let Text::Word(guard) = &guard else { return };
            let opposite = match guard.strip_prefix("not ") {
                Some(plain) => plain.to_owned(),
                None => format!("not {guard}"),
            };
            let rule = |action, guard: &str| {
                let rule = row([action, braces(vec![word(call)])]);
                row([word("when"), word(guard), block(vec![rule])])
            };
            self.put(file, rule(one, guard));
            self.put(other_file, rule(other, &opposite));
            return;
        }
        let parameters = Parameters::of(call, &self.program);
        let condition = self.condition(&parameters, 1);
        let with = row([word(call), word("("), condition.clone(), word(")")]);
        let without = match self.choices.pick(2) {
            0 => row([word(call), word("( ! ("), condition, word(") )")]),
            _ => row([word(call), word("except"), braces(vec![with.clone()])]),
        };
        self.put(file, row([one, braces(vec![with])]));
        self.put(other_file, row([other, braces(vec![without])]));
    }

    fn assert(&mut self, index: usize) {
        let mut claims = Vec::new();
        for _ in 0..1 + self.choices.pick(2) {
            let kind = self.choices.pick(4);
            let clan = self.choices.pick(5);
            let patterns = self.patterns(Some(clan), 1);
            let action = if self.choices.pick(2) == 0 { self.any_action() } else { self.action(clan) };
            let outcome = match kind {
                0 => row([word("not"), action]),
                1 => action,
                2 => word("refused"),
                _ => word("runs"),
            };
            claims.push(row([outcome, patterns]));
        }
        let file = self.any_file();
        let assert = row([word(format!("assert \"promise-{index}\"")), block(claims)]);
        let assert = if self.choices.once_in(4) {
            let guard = self.guard();
            row([word("when"), guard, block(vec![assert])])
        } else {
            assert
        };
        self.put(file, assert);
    }
}

fn file_name(root: &str, index: usize) -> String {
    if index == 0 { root.to_owned() } else { format!("f{index}-{root}") }
}

/// `socket` and `bind` both reach the code of `socketcall`.
fn clan_name(call: &str) -> &str {
    kpol_compiler::spec::multiplex::through(call).map_or(call, |(through, _)| through)
}

/// Names of the constants that fit a parameter, as the tables offer them.
pub fn offered(call: &str, parameter: &str) -> Vec<&'static str> {
    tables::syscall(call).map(|call| tables::constants_for(call, parameter).take(40).collect()).unwrap_or_default()
}
