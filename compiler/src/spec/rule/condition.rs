//! What a condition asks of six registers, and whether it holds.
//!
//! ```text
//! int fd, register 0xdead_beef_ffff_ffff          the kernel takes the low 32 bits, two's complement: fd is -1
//! fd == -1, fd == 0xffff_ffff, fd < 0             hold
//! fd & 0xff == 255                                holds: masked in 32 bits, compared as a signed number
//! ```

use kpol_grammar::ast::{BinaryOp, CompareOp, Expr, ExprKind, UnaryOp};

use super::value::Value;
use super::{Scene, Undefined, undefined};
use crate::spec::Arch;
use crate::tables::{self, Left, Term};

/// A condition with names gone: what it asks of six registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The opposite.
    Not(Box<Condition>),
    /// Every one of these.
    All(Vec<Condition>),
    /// One of these at least.
    Any(Vec<Condition>),
    /// A comparison with a number.
    Compare(Word, CompareOp, i128),
    /// One of these ranges, both ends inside, has it.
    Within(Word, Vec<(i128, i128)>),
    /// Some bit is set.
    Set(Word),
}

/// What the kernel makes of a register, with a mask laid over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// Which register, from 0.
    pub register: usize,
    /// How many bits lie below what the kernel looks at: none, but where a command says so.
    pub shift: u32,
    /// How many bits the kernel looks at.
    pub width: u32,
    /// Two's complement.
    pub signed: bool,
    /// What is left of these bits; nothing above them.
    pub mask: u64,
}

impl Condition {
    /// Whether it holds for these registers. Recursion is bounded by the parser's nesting.
    pub fn holds(&self, registers: &[u64; 6]) -> bool {
        match self {
            Self::Not(inner) => !inner.holds(registers),
            Self::All(all) => all.iter().all(|one| one.holds(registers)),
            Self::Any(any) => any.iter().any(|one| one.holds(registers)),
            Self::Compare(word, op, value) => {
                let number = word.number(registers);
                match op {
                    CompareOp::Eq => word.equals(registers, *value),
                    CompareOp::Ne => !word.equals(registers, *value),
                    CompareOp::Lt => number < *value,
                    CompareOp::Le => number <= *value,
                    CompareOp::Gt => number > *value,
                    CompareOp::Ge => number >= *value,
                }
            }
            Self::Within(word, ranges) => ranges.iter().any(|&(low, high)| {
                if low == high { word.equals(registers, low) } else { (low..=high).contains(&word.number(registers)) }
            }),
            Self::Set(word) => word.bits(registers) != 0,
        }
    }
}

impl Word {
    fn bits(self, registers: &[u64; 6]) -> u64 {
        registers[self.register] >> self.shift & self.mask
    }

    /// The bits as a number.
    fn number(self, registers: &[u64; 6]) -> i128 {
        let bits = self.bits(registers);
        let negative = self.signed && bits >> (self.width - 1) == 1;
        if negative { i128::from(bits) - (1 << self.width) } else { i128::from(bits) }
    }

    /// Whether the bits are those of `value`.
    fn equals(self, registers: &[u64; 6], value: i128) -> bool {
        self.pattern(value) == Some(self.bits(registers))
    }

    /// The bits of a value, which may be written with a sign or without. One that has more bits equals nothing.
    pub fn pattern(self, value: i128) -> Option<u64> {
        let modulus = 1i128 << self.width;
        let fits = -modulus / 2 <= value && value < modulus;
        u64::try_from(value.rem_euclid(modulus)).ok().filter(|_| fits)
    }
}

impl Scene<'_> {
    /// A condition on the call `name`. Recursion is bounded by the parser's nesting.
    pub(super) fn condition(&self, expr: &Expr, name: &str) -> Result<Condition, Undefined> {
        let every = |list: &[Expr]| list.iter().map(|one| self.condition(one, name)).collect::<Result<Vec<_>, _>>();
        match &expr.kind {
            ExprKind::Paren(inner) => self.condition(inner, name),
            ExprKind::Unary(UnaryOp::Not, inner) => Ok(Condition::Not(Box::new(self.condition(inner, name)?))),
            ExprKind::And(list) => Ok(Condition::All(every(list)?)),
            ExprKind::Or(list) => Ok(Condition::Any(every(list)?)),
            ExprKind::Compare { op, left, right, .. } => match (self.word(left, name)?, self.word(right, name)?) {
                (Some(word), None) => {
                    let value = self.number_of(right)?;
                    Ok(self.by_command(left, name, word, |word, cut| {
                        Condition::Compare(word, *op, cut(value, is_equality(*op)))
                    }))
                }
                (None, Some(word)) => {
                    let (op, value) = (turned(*op), self.number_of(left)?);
                    Ok(self.by_command(right, name, word, |word, cut| {
                        Condition::Compare(word, op, cut(value, is_equality(op)))
                    }))
                }
                _ => undefined("a comparison needs one parameter"),
            },
            ExprKind::In { negated, left, set } => {
                let Some(word) = self.word(left, name)? else { return undefined("`in` needs a parameter") };
                let Value::Set(ranges) = self.value(set)? else { return undefined("`in` needs a set") };
                let within = self.by_command(left, name, word, |word, cut| {
                    let ranges = ranges.iter().map(|&(low, high)| (cut(low, low == high), cut(high, low == high)));
                    Condition::Within(word, ranges.collect())
                });
                Ok(if *negated { Condition::Not(Box::new(within)) } else { within })
            }
            _ => match self.word(expr, name)? {
                Some(word) => Ok(self.by_command(expr, name, word, |word, _| Condition::Set(word))),
                None => undefined("a condition needs a parameter"),
            },
        }
    }

    /// A test of a word, and where commands cut its parameter, the test of what is left: each under its commands, of
    /// which the first that hold count. A value that is to be equal is cut as the kernel cuts the parameter.
    fn by_command(
        &self,
        expr: &Expr,
        name: &str,
        word: Word,
        test: impl Fn(Word, &dyn Fn(i128, bool) -> i128) -> Condition,
    ) -> Condition {
        let whole = test(word, &|value, _| value);
        self.cuts(expr, name, word).into_iter().rev().fold(whole, |others, (commands, shift, width)| {
            let low = u64::MAX >> (64 - width);
            let mask = word.mask & low;
            let left = test(Word { shift, width, signed: false, mask, ..word }, &|value, equal| {
                // One that does not fit at all still fits nowhere.
                let everything = Word { mask: u64::MAX, ..word };
                let bits = everything.pattern(value).filter(|_| equal);
                bits.map_or(value, |bits| i128::from(bits & low))
            });
            let other = Condition::Not(Box::new(commands.clone()));
            Condition::Any(vec![Condition::All(vec![commands, left]), Condition::All(vec![other, others])])
        })
    }

    /// The commands that cut the parameter in `expr`, how many bits lie below what is left, and how many are left.
    fn cuts(&self, expr: &Expr, name: &str, word: Word) -> Vec<(Condition, u32, u32)> {
        match &expr.kind {
            ExprKind::Paren(inner) => self.cuts(inner, name, word),
            ExprKind::Chain { first, rest } => std::iter::once(&**first)
                .chain(rest.iter().map(|(_, _, operand)| operand))
                .map(|operand| self.cuts(operand, name, word))
                .find(|found| !found.is_empty())
                .unwrap_or_default(),
            ExprKind::Name(parameter) if !self.declared.contains_key(name) => {
                self.cuts_of(parameter, name, word).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    fn cuts_of(&self, parameter: &str, name: &str, word: Word) -> Option<Vec<(Condition, u32, u32)>> {
        let (arch, call) = (self.call.arch, tables::syscall(name)?);
        let params = call.params(arch)?;
        let position = |wanted: &str| params.iter().position(|known| known.name == wanted);
        let index = position(parameter).or_else(|| position(call.alias(parameter)?))?;
        let holds = |term: &Term| {
            let by = position(term.param)?;
            let command = self.word_at(by, u32::from(params[by].bits), false);
            let values = term.values(arch).map(|value| (value, value)).collect();
            Some(Condition::Within(Word { mask: command.mask & term.mask, ..command }, values))
        };
        let mut found = Vec::new();
        for cut in call.cuts(params[index].name, arch) {
            let (shift, width) = match cut.left {
                Left::Low(bits) => (0, u32::from(bits)),
                Left::Upper => (32, 32),
                Left::Unknown(_) => continue,
            };
            if shift + width <= word.width && width < word.width {
                found.push((Condition::All(cut.when.iter().map(holds).collect::<Option<_>>()?), shift, width));
            }
        }
        Some(found)
    }

    /// The parameter in `expr` with its masks; `None` where there is none.
    fn word(&self, expr: &Expr, name: &str) -> Result<Option<Word>, Undefined> {
        match &expr.kind {
            ExprKind::Paren(inner) => self.word(inner, name),
            ExprKind::Name(parameter) => self.parameter(parameter, name),
            ExprKind::Chain { first, rest } => {
                let mut found = None;
                let mut masks = Vec::new();
                for operand in std::iter::once(&**first).chain(rest.iter().map(|(_, _, operand)| operand)) {
                    match self.word(operand, name)? {
                        Some(_) if found.is_some() => return undefined("two parameters in one word"),
                        Some(word) => found = Some(word),
                        None => masks.push(operand),
                    }
                }
                let Some(mut word) = found else { return Ok(None) };
                if rest.iter().any(|(op, ..)| *op != BinaryOp::And) {
                    return undefined("a parameter can be masked only");
                }
                for mask in masks {
                    word.mask &= self.number_of(mask)? as u64;
                }
                Ok(Some(word))
            }
            _ => Ok(None),
        }
    }

    /// What the kernel makes of a parameter; `None` if the call has none of that name.
    fn parameter(&self, parameter: &str, name: &str) -> Result<Option<Word>, Undefined> {
        let declared = self.declared.get(name).map(|declared| declared.params);
        if let Some(index) = declared.and_then(|params| params.iter().position(|known| known.name.text == parameter)) {
            let params = declared.unwrap_or_default();
            if self.call.arch.bits() == 32 && params[..=index].iter().any(|param| is_split(&param.ty.text)) {
                return undefined(format!("{parameter} of {name} is in no register of its own"));
            }
            let (width, signed) = of_type(&params[index].ty.text)?;
            return Ok(Some(self.word_at(index, width, signed)));
        }
        let call = tables::syscall(name);
        if let (Some(call), None) = (call, declared) {
            let params = call.params(self.call.arch).unwrap_or_default();
            let position = |wanted: &str| params.iter().position(|known| known.name == wanted);
            if let Some(index) = position(parameter).or_else(|| position(call.alias(parameter)?)) {
                if index >= call.nameable(self.call.arch) {
                    return undefined(format!("{parameter} of {name} is in no register of its own"));
                }
                return Ok(Some(self.word_at(index, u32::from(params[index].bits), params[index].signed)));
            }
        }
        let digit = |name: &str, word: &str| match name.strip_prefix(word)?.as_bytes() {
            [digit @ b'0'..=b'5'] => Some(usize::from(digit - b'0')),
            _ => None,
        };
        let whole = |register: usize| Word { register, shift: 0, width: 64, signed: false, mask: u64::MAX };
        if let Some(index) = digit(parameter, "reg") {
            return Ok(Some(whole(index)));
        }
        let Some(index) = digit(parameter, "arg") else {
            return if call.is_none() && declared.is_none() { undefined(format!("no call {name}")) } else { Ok(None) };
        };
        // The old name of a register, where no parameter anywhere has one like it.
        let known = Arch::all().filter_map(|arch| call?.params(arch)).flatten().map(|param| param.name);
        let said = declared.unwrap_or_default().iter().map(|param| param.name.text.as_str());
        if known.chain(said).any(|name| digit(name, "arg").is_some()) {
            return undefined(format!("{parameter} is neither a parameter of {name} nor a register"));
        }
        Ok(Some(whole(index)))
    }

    /// What the kernel takes from a register. No ABI has parameters that are wider than its registers.
    fn word_at(&self, register: usize, width: u32, signed: bool) -> Word {
        let width = width.min(u32::from(self.call.arch.bits()));
        Word { register, shift: 0, width, signed, mask: u64::MAX >> (64 - width) }
    }
}

fn is_equality(op: CompareOp) -> bool {
    matches!(op, CompareOp::Eq | CompareOp::Ne)
}

/// `3 < fd` is `fd > 3`.
fn turned(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Eq => CompareOp::Eq,
        CompareOp::Ne => CompareOp::Ne,
        CompareOp::Lt => CompareOp::Gt,
        CompareOp::Le => CompareOp::Ge,
        CompareOp::Gt => CompareOp::Lt,
        CompareOp::Ge => CompareOp::Le,
    }
}

/// Types that have 64 bits on every ABI: a 32-bit one hands them over in two registers.
fn is_split(ty: &str) -> bool {
    matches!(ty, "s64" | "__s64" | "u64" | "__u64" | "uint64_t" | "loff_t")
}

/// Width and sign of a C type as declarations write it.
fn of_type(ty: &str) -> Result<(u32, bool), Undefined> {
    if ty.contains('*') {
        return Ok((64, false));
    }
    let words: Vec<&str> = ty.split_whitespace().filter(|word| !matches!(*word, "const" | "__user")).collect();
    Ok(match words.join(" ").as_str() {
        "int" | "signed int" | "s32" | "__s32" | "pid_t" | "clockid_t" | "timer_t" | "key_serial_t" | "mqd_t"
        | "key_t" | "rwf_t" => (32, true),
        "unsigned int" | "unsigned" | "u32" | "__u32" | "uint32_t" | "uid_t" | "gid_t" | "qid_t" => (32, false),
        "long" | "s64" | "__s64" | "off_t" | "loff_t" | "ssize_t" => (64, true),
        "unsigned long" | "size_t" | "u64" | "__u64" | "uint64_t" => (64, false),
        "short" | "s16" => (16, true),
        "umode_t" | "u16" | "__u16" | "unsigned short" => (16, false),
        "u8" | "__u8" | "bool" | "unsigned char" => (8, false),
        _ => return undefined(format!("the type {ty}")),
    })
}
