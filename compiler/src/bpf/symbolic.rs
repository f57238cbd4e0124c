//! A program run on symbols: what it answers to every call at once, as a function.
//!
//! ```text
//! ld [0]; jeq #41, +0, +2; ld [16]; jset #1, +0, +1; ret allow; ret deny(1)
//! number 0..=40 deny · 41 [node: arg0's bit 0 ? allow : deny] · 42.. deny
//! ```
//!
//! Architecture and number are run as numbers that know how long they last: begin with number 0, and note at each
//! comparison up to which number it would go the same way. The least of these is where the next run begins. Arguments
//! are words of 32 sets ([`word`](super::word)); a jump on them is `ite(condition, yes, no)`, so that nothing has to
//! be known of the path that led there, and every (instruction, state) is worked out once. What a state holds
//! in registers that nobody reads any more is forgotten first: most joins are equal then.
//!
//! INVARIANT (bounded): at most [`STEPS`] instructions and [`INTERVALS`] intervals; the store bounds the nodes.

use rustc_hash::FxHashMap;
use std::fmt;
use std::ops::RangeInclusive;

use super::chain::Chains;
use super::check::{CheckError, DATA_SIZE, MEMORY, check};
use super::insn::{Insn, Program, op};
use super::interpret::alu;
use super::word::{self, Bits};
use crate::diagram::{Function, Node, Store, Table};
use crate::spec::arch::X32_BIT;
use crate::spec::{Action, Arch, Nr};

/// Instructions that are executed on symbols before giving up.
const STEPS: usize = 8_000_000;
/// Intervals of numbers, and of tokens, before giving up.
const INTERVALS: usize = 20_000;

/// What a program does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// For the ABIs that were asked for. Numbers that an ABI does not own have the value of their neighbours.
    pub function: Function,
    /// For all others, in the order of their tokens; arguments are read as those of a 64-bit little-endian ABI.
    pub foreign: Vec<Foreign>,
}

/// What a program does with calls that come through none of the ABIs that were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Values of `seccomp_data.arch`.
    pub tokens: RangeInclusive<u32>,
    /// The ABI, if it shares its token with one that was asked for: then only its own numbers count.
    pub arch: Option<Arch>,
    /// What happens to each number.
    pub table: Table,
}

/// Why a program cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadError {
    /// The kernel would not take it either.
    Invalid(CheckError),
    /// It looks at the address that the call was made from, which no policy can say.
    InstructionPointer {
        /// The instruction.
        at: usize,
    },
    /// It computes with arguments in a way that cannot be followed.
    Arithmetic {
        /// The instruction.
        at: usize,
    },
    /// It returns a number that depends on arguments.
    Returned {
        /// The instruction.
        at: usize,
    },
    /// It would take too long.
    TooComplex,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(error) => write!(f, "the kernel would not take it: {error}"),
            Self::InstructionPointer { at } => {
                write!(f, "instruction {at} looks at the instruction pointer, which no policy can speak of")
            }
            Self::Arithmetic { at } => write!(f, "instruction {at} computes with arguments in a way that is not known"),
            Self::Returned { at } => write!(f, "instruction {at} returns a value that depends on arguments"),
            Self::TooComplex => f.write_str("it is too complex to be read"),
        }
    }
}

impl std::error::Error for ReadError {}

/// The function that a program is, for these ABIs and for everything else.
pub fn read(store: &mut Store, program: &Program, archs: &[Arch]) -> Result<Reading, ReadError> {
    check(program).map_err(ReadError::Invalid)?;
    let mut machine = Machine::new(store, program);
    let mut reading = Reading { function: Function::default(), foreign: Vec::new() };
    let mut tokens: Vec<u32> = archs.iter().map(|arch| arch.audit_token()).collect();
    tokens.sort_unstable();
    tokens.dedup();
    let mut next = Some(0u32);
    for &token in &tokens {
        if let Some(first) = next.filter(|&first| first < token) {
            machine.gap(first..=token - 1, &mut reading.foreign)?;
        }
        machine.listed(token, archs, &mut reading)?;
        next = token.checked_add(1);
    }
    if let Some(first) = next {
        machine.gap(first..=u32::MAX, &mut reading.foreign)?;
    }
    if machine.store.overflowed() { Err(ReadError::TooComplex) } else { Ok(reading) }
}

/// One of the two words that are run as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Input {
    Nr = 0,
    Token = 1,
}

/// What a register holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Value {
    Known(u32),
    /// Number or token under a mask.
    Input(Input, u32),
    /// An index into [`Machine::words`].
    Word(u32),
}

const ZERO: Value = Value::Known(0);

/// Everything that the rest of a run depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct State {
    pc: usize,
    a: Value,
    x: Value,
    memory: [Value; MEMORY],
}

/// What is read later: bit 0 … 15 scratch words, then A and X.
type Live = u32;
const LIVE_A: Live = 1 << 16;
const LIVE_X: Live = 1 << 17;

/// A result, and up to which number and token it is the same.
#[derive(Debug, Clone, Copy)]
struct Known {
    node: Node,
    from: [u32; 2],
    to: [u32; 2],
    /// Up to which number that is so for numbers with the same [`CYCLE`] bits.
    steady: u32,
}

/// Bits of a number that are asked one by one in foreign and in our own filters.
const CYCLE: u32 = 0x3ff;

/// Up to where a result holds, while it is being found.
#[derive(Debug, Clone, Copy)]
struct Until {
    /// For each input: up to which value.
    to: [u32; 2],
    /// See [`Known::steady`].
    steady: u32,
}

impl Until {
    const EVER: Self = Self { to: [u32::MAX; 2], steady: u32::MAX };

    fn and(self, other: Self) -> Self {
        let to = [0, 1].map(|input: usize| self.to[input].min(other.to[input]));
        Self { to, steady: self.steady.min(other.steady) }
    }

    /// No further than `to`.
    fn limit(&mut self, input: Input, to: u32) {
        let own = &mut self.to[input as usize];
        *own = to.min(*own);
        if input == Input::Nr {
            self.steady = self.steady.min(to);
        }
    }
}

/// Where a run stops. A fork carries two states by value: it lives for one turn of the loop, on the stack.
#[allow(clippy::large_enum_variant, reason = "never stored")]
enum Next {
    Answer(Node),
    Fork(Node, State, State),
}

struct Machine<'a> {
    store: &'a mut Store,
    insns: &'a [Insn],
    chains: Chains,
    live: Vec<Live>,
    words: Vec<Bits>,
    word_ids: FxHashMap<Bits, u32>,
    known: FxHashMap<State, Known>,
    /// Number and token of this run.
    inputs: [u32; 2],
    bits: u8,
    big_endian: bool,
    steps: usize,
}

impl<'a> Machine<'a> {
    fn new(store: &'a mut Store, program: &'a Program) -> Self {
        Self {
            store,
            insns: &program.0,
            chains: Chains::of(&program.0),
            live: liveness(&program.0),
            words: Vec::new(),
            word_ids: FxHashMap::default(),
            known: FxHashMap::default(),
            inputs: [0, 0],
            bits: 64,
            big_endian: false,
            steps: 0,
        }
    }

    /// All tokens of a range, none of which belongs to an ABI that was asked for.
    fn gap(&mut self, tokens: RangeInclusive<u32>, foreign: &mut Vec<Foreign>) -> Result<(), ReadError> {
        self.bits = 64;
        self.big_endian = false;
        self.known.clear();
        let mut token = *tokens.start();
        for _ in 0..INTERVALS {
            let (table, to) = self.table(token)?;
            let to = to.min(*tokens.end());
            match foreign.last_mut() {
                Some(last)
                    if last.arch.is_none()
                        && last.table == table
                        && last.tokens.end().checked_add(1) == Some(token) =>
                {
                    last.tokens = *last.tokens.start()..=to;
                }
                _ => foreign.push(Foreign { tokens: token..=to, arch: None, table }),
            }
            if to == *tokens.end() {
                return Ok(());
            }
            token = to + 1;
        }
        Err(ReadError::TooComplex)
    }

    fn listed(&mut self, token: u32, archs: &[Arch], reading: &mut Reading) -> Result<(), ReadError> {
        let sharing: Vec<Arch> = Arch::all().filter(|arch| arch.audit_token() == token).collect();
        let Some(first) = sharing.first() else { return Ok(()) };
        // ABIs with one token have registers of one shape.
        self.bits = first.bits();
        self.big_endian = first.is_big_endian();
        self.known.clear();
        let (table, _) = self.table(token)?;
        for arch in sharing {
            let table = owned(arch, &table);
            if archs.contains(&arch) {
                reading.function.tables.insert(arch, table);
            } else {
                reading.foreign.push(Foreign { tokens: token..=token, arch: Some(arch), table });
            }
        }
        Ok(())
    }

    /// What happens to each number under a token, and the last token for which that is so.
    fn table(&mut self, token: u32) -> Result<(Table, u32), ReadError> {
        let mut parts = Vec::new();
        let mut nr = 0;
        let mut last_token = u32::MAX;
        // What all numbers so far of a block get that differ in the CYCLE bits only, and their `steady`.
        let mut block: Option<(Node, u32)> = None;
        loop {
            self.inputs = [nr, token];
            let result = self.run()?;
            parts.push((nr, result.node));
            last_token = last_token.min(result.to[Input::Token as usize]);
            if parts.len() > INTERVALS || self.store.overflowed() {
                return Err(ReadError::TooComplex);
            }
            block = if nr & CYCLE == 0 {
                Some((result.node, result.steady))
            } else {
                block.filter(|&(node, _)| node == result.node).map(|(node, steady)| (node, steady.min(result.steady)))
            };
            let mut to = result.to[Input::Nr as usize];
            if let Some((_, steady)) = block
                && to >= nr | CYCLE
            {
                // The next blocks repeat this one, up to the last that is steady as a whole.
                let repeated = match steady.checked_add(1) {
                    // Not even this block is steady: nothing is known of those behind it.
                    Some(end) => (end & !CYCLE).saturating_sub(1),
                    None => u32::MAX,
                };
                to = to.max(repeated);
            }
            match to.checked_add(1) {
                Some(next) => nr = next,
                None => return Ok((Table::from_intervals(parts), last_token)),
            }
        }
    }

    /// The function of the arguments for the inputs as they are.
    fn run(&mut self) -> Result<Known, ReadError> {
        let start = State { pc: 0, a: ZERO, x: ZERO, memory: [ZERO; MEMORY] };
        let mut stack = vec![start];
        loop {
            let Some(&state) = stack.last() else { return Err(ReadError::TooComplex) };
            if self.recall(&state).is_none() {
                let mut until = Until::EVER;
                let node = match self.advance(state, &mut until)? {
                    Next::Answer(node) => Some(node),
                    Next::Fork(condition, yes, no) => match (self.recall(&yes), self.recall(&no)) {
                        (Some(yes), Some(no)) => {
                            for known in [yes, no] {
                                until = until.and(Until { to: known.to, steady: known.steady });
                            }
                            Some(self.store.ite(condition, yes.node, no.node))
                        }
                        (None, _) => {
                            stack.push(yes);
                            None
                        }
                        (_, None) => {
                            stack.push(no);
                            None
                        }
                    },
                };
                let Some(node) = node else { continue };
                self.known.insert(state, Known { node, from: self.inputs, to: until.to, steady: until.steady });
            }
            stack.pop();
            if stack.is_empty() {
                return self.recall(&state).ok_or(ReadError::TooComplex);
            }
        }
    }

    /// What is known of a state, if it holds for the inputs as they are.
    fn recall(&self, state: &State) -> Option<Known> {
        let known = self.known.get(state)?;
        (0..2).all(|input| (known.from[input]..=known.to[input]).contains(&self.inputs[input])).then_some(*known)
    }

    /// Runs on to the next answer or to the next jump that depends on arguments.
    fn advance(&mut self, mut state: State, until: &mut Until) -> Result<Next, ReadError> {
        loop {
            self.steps += 1;
            if self.steps > STEPS || self.store.overflowed() {
                return Err(ReadError::TooComplex);
            }
            let at = state.pc;
            let insn = self.insns[at];
            let Insn { code, jt, jf, k } = insn;
            state.pc += 1;
            let operand = if code & op::X != 0 { state.x } else { Value::Known(k) };
            match insn.class() {
                op::LD | op::LDX => {
                    let value = match code & !op::CLASS_MASK {
                        op::ABS => self.load(at, k)?,
                        op::MEM => state.memory[k as usize],
                        op::LEN => Value::Known(DATA_SIZE),
                        _ => Value::Known(k),
                    };
                    *(if insn.class() == op::LD { &mut state.a } else { &mut state.x }) = value;
                }
                op::ST => state.memory[k as usize] = state.a,
                op::STX => state.memory[k as usize] = state.x,
                op::ALU => match self.compute(at, code & 0xf0, state.a, operand, until)? {
                    Some(value) => state.a = value,
                    None => return Ok(Next::Answer(Node::action(Action::from_ret(0)))),
                },
                op::JMP if code == op::JUMP => state.pc += k as usize,
                op::JMP
                    if state.a == Value::Input(Input::Nr, u32::MAX)
                        && let Some(way) = self.chains.follow(at, self.inputs[Input::Nr as usize]) =>
                {
                    until.limit(Input::Nr, way.until);
                    self.steps += way.passed;
                    state.pc = way.to;
                }
                op::JMP => {
                    let condition = self.compare(code & 0xf0, state.a, operand, until);
                    let (to_yes, to_no) = (state.pc + usize::from(jt), state.pc + usize::from(jf));
                    match condition {
                        // Nothing is forgotten before the next fork: only states that are kept need be equal.
                        Node::TRUE => state.pc = to_yes,
                        Node::FALSE => state.pc = to_no,
                        _ => {
                            let yes = self.at(State { pc: to_yes, ..state });
                            let no = self.at(State { pc: to_no, ..state });
                            if yes != no {
                                return Ok(Next::Fork(condition, yes, no));
                            }
                            state = yes;
                        }
                    }
                }
                op::RET => {
                    let value = if code == op::RET_A { self.settle(state.a, until) } else { Value::Known(k) };
                    return match value {
                        Value::Known(ret) => Ok(Next::Answer(Node::action(Action::from_ret(ret)))),
                        _ => Err(ReadError::Returned { at }),
                    };
                }
                _ if code & op::TXA != 0 => state.a = state.x,
                _ => state.x = state.a,
            }
        }
    }

    /// The state with what is not read any more forgotten.
    fn at(&self, mut state: State) -> State {
        let live = self.live[state.pc];
        if live & LIVE_A == 0 {
            state.a = ZERO;
        }
        if live & LIVE_X == 0 {
            state.x = ZERO;
        }
        for (index, value) in state.memory.iter_mut().enumerate() {
            if live & 1 << index == 0 {
                *value = ZERO;
            }
        }
        state
    }

    fn load(&mut self, at: usize, offset: u32) -> Result<Value, ReadError> {
        match offset {
            0 => Ok(Value::Input(Input::Nr, u32::MAX)),
            4 => Ok(Value::Input(Input::Token, u32::MAX)),
            8 | 12 => Err(ReadError::InstructionPointer { at }),
            _ => {
                let high = offset.is_multiple_of(8) == self.big_endian;
                if high && self.bits == 32 {
                    return Ok(ZERO);
                }
                let bits = word::argument(self.store, ((offset - 16) / 8) as u8, high);
                Ok(self.word(bits))
            }
        }
    }

    fn word(&mut self, bits: Bits) -> Value {
        if let Some(value) = word::known(&bits) {
            return Value::Known(value);
        }
        let words = &mut self.words;
        Value::Word(*self.word_ids.entry(bits).or_insert_with(|| {
            words.push(bits);
            (words.len() - 1) as u32
        }))
    }

    /// The value as a number where it is one for this very number and token, which then are all that is spoken of.
    fn settle(&self, value: Value, until: &mut Until) -> Value {
        match value {
            Value::Input(input, mask) => {
                let now = self.inputs[input as usize];
                until.limit(input, constant_until(now, mask));
                Value::Known(now & mask)
            }
            _ => value,
        }
    }

    fn to_bits(&self, value: Value) -> Bits {
        match value {
            Value::Word(index) => self.words[index as usize],
            Value::Known(value) => word::constant(value),
            Value::Input(input, mask) => word::constant(self.inputs[input as usize] & mask),
        }
    }

    /// `None` for a division by zero.
    fn compute(
        &mut self,
        at: usize,
        operation: u16,
        a: Value,
        operand: Value,
        until: &mut Until,
    ) -> Result<Option<Value>, ReadError> {
        if let (op::AND, Value::Input(input, mask), Value::Known(k)) = (operation, a, operand) {
            return Ok(Some(Value::Input(input, mask & k)));
        }
        // NEG has no operand; what X holds does not matter to it.
        let operand = if operation == op::NEG { ZERO } else { operand };
        let (a, operand) = (self.settle(a, until), self.settle(operand, until));
        let known = match operand {
            Value::Known(value) => Some(value),
            _ => None,
        };
        if let (Value::Known(a), Some(operand)) = (a, known) {
            return Ok(alu(operation, a, operand).map(Value::Known));
        }
        let (left, right) = (self.to_bits(a), self.to_bits(operand));
        let bits = match operation {
            op::AND => word::and(self.store, &left, &right),
            op::OR => word::or(self.store, &left, &right),
            op::XOR => word::xor(self.store, &left, &right),
            op::ADD => word::add(self.store, &left, &right, false),
            op::SUB => word::add(self.store, &left, &right, true),
            op::NEG => word::add(self.store, &word::constant(0), &left, true),
            op::LSH | op::RSH => match known {
                Some(by) => word::shift(&left, by & 31, operation == op::LSH),
                None => return Err(ReadError::Arithmetic { at }),
            },
            op::MUL | op::DIV => match known {
                Some(0) if operation == op::DIV => return Ok(None),
                Some(0) => word::constant(0),
                Some(by) if by.is_power_of_two() => word::shift(&left, by.trailing_zeros(), operation == op::MUL),
                _ => return Err(ReadError::Arithmetic { at }),
            },
            _ => return Err(ReadError::Arithmetic { at }),
        };
        Ok(Some(self.word(bits)))
    }

    /// Where a comparison holds.
    fn compare(&mut self, operation: u16, a: Value, operand: Value, until: &mut Until) -> Node {
        if let (Value::Input(input, mask), Value::Known(k)) = (a, operand) {
            let now = self.inputs[input as usize];
            let (holds, to) = compare_input(operation, now, mask, k);
            if operation == op::JSET && input == Input::Nr {
                until.to[0] = until.to[0].min(to);
                until.steady = until.steady.min(constant_until(now, mask & k & !CYCLE));
            } else {
                until.limit(input, to);
            }
            return if holds { Node::TRUE } else { Node::FALSE };
        }
        let (a, operand) = (self.settle(a, until), self.settle(operand, until));
        let (left, right) = (self.to_bits(a), self.to_bits(operand));
        match operation {
            op::JEQ => word::equal(self.store, &left, &right),
            op::JGT => word::greater(self.store, &left, &right, false),
            op::JGE => word::greater(self.store, &left, &right, true),
            _ => word::meets(self.store, &left, &right),
        }
    }
}

/// The last number for which `number & mask` is what it is for `now` and all between.
fn constant_until(now: u32, mask: u32) -> u32 {
    // Bits below the lowest of the mask may run freely.
    if mask == 0 { u32::MAX } else { now | ((1 << mask.trailing_zeros()) - 1) }
}

/// Whether `now & mask` compares so with `k`, and the last number up to which that certainly stays so.
fn compare_input(operation: u16, now: u32, mask: u32, k: u32) -> (bool, u32) {
    let value = now & mask;
    // Within this block of numbers the masked value grows one by one.
    let ones = mask.trailing_ones();
    let block = if ones == 32 { u32::MAX } else { now | ((1 << ones) - 1) };
    let before = |k: u32| now.saturating_add(k - value).min(block);
    match operation {
        op::JEQ if value == k => (true, constant_until(now, mask)),
        op::JEQ if ones == 0 => (false, constant_until(now, mask)),
        op::JEQ if value > k => (false, block),
        op::JEQ => (false, before(k - 1)),
        op::JSET => (value & k != 0, constant_until(now, mask & k)),
        _ if ones == 0 => (if operation == op::JGT { value > k } else { value >= k }, constant_until(now, mask)),
        op::JGT if value > k => (true, block),
        op::JGT => (false, before(k)),
        _ if value >= k => (true, block),
        _ => (false, before(k - 1)),
    }
}

/// The table with numbers that the ABI does not own made equal to its last own number before x32's or after.
fn owned(arch: Arch, table: &Table) -> Table {
    let middle = if arch.owns(Nr(X32_BIT)) { Nr(u32::MAX - 1) } else { Nr(X32_BIT - 1) };
    let mut parts = Vec::new();
    for (range, node) in table.intervals() {
        for start in [*range.start(), X32_BIT, u32::MAX] {
            if range.contains(&start) && parts.last().is_none_or(|&(last, _)| last < start) {
                parts.push((start, if arch.owns(Nr(start)) { node } else { table.at(middle) }));
            }
        }
    }
    Table::from_intervals(parts)
}

/// What each instruction and those behind it may still read.
fn liveness(insns: &[Insn]) -> Vec<Live> {
    let mut live = vec![0; insns.len()];
    // Jumps go forward only, so one pass from the end is enough.
    for (at, insn) in insns.iter().enumerate().rev() {
        let after = |skip: usize| live.get(at + 1 + skip).copied().unwrap_or(0);
        let operand = if insn.code & op::X != 0 { LIVE_X } else { 0 };
        let memory = |k: u32| 1 << (k % MEMORY as u32);
        let read = if insn.code & !op::CLASS_MASK == op::MEM { memory(insn.k) } else { 0 };
        live[at] = match insn.class() {
            op::LD => after(0) & !LIVE_A | read,
            op::LDX => after(0) & !LIVE_X | read,
            op::ST => after(0) & !memory(insn.k) | LIVE_A,
            op::STX => after(0) & !memory(insn.k) | LIVE_X,
            op::ALU => after(0) | LIVE_A | operand,
            op::JMP if insn.code == op::JUMP => after(insn.k as usize),
            op::JMP => after(usize::from(insn.jt)) | after(usize::from(insn.jf)) | LIVE_A | operand,
            op::RET if insn.code == op::RET_A => LIVE_A,
            op::RET => 0,
            _ if insn.code & op::TXA != 0 => after(0) & !LIVE_A | LIVE_X,
            _ => after(0) & !LIVE_X | LIVE_A,
        };
    }
    live
}
