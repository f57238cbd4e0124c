//! Whether a condition holds for six registers.
//!
//! ```text
//! int fd, register 0xdead_beef_ffff_ffff          the kernel takes the low 32 bits, two's complement: fd is -1
//! fd == -1, fd == 0xffff_ffff, fd < 0             hold
//! fd & 0xff == 255                                holds: masked in 32 bits, compared as a signed number
//! ```

use kpol_grammar::ast::{BinaryOp, CompareOp, Expr, ExprKind, StatementKind, UnaryOp};

use super::value::Value;
use super::{Scene, Undefined, undefined};
use crate::spec::Arch;
use crate::tables;

/// What the kernel makes of a register, with a mask laid over it.
#[derive(Debug, Clone, Copy)]
struct Word {
    /// How many low bits the kernel looks at.
    width: u32,
    signed: bool,
    /// Those bits; nothing above them.
    bits: u64,
}

impl Word {
    /// The bits as a number.
    fn number(self) -> i128 {
        let unsigned = i128::from(self.bits);
        let negative = self.signed && self.bits >> (self.width - 1) == 1;
        if negative { unsigned - (1 << self.width) } else { unsigned }
    }

    /// Whether the bits are those of `value`, which may be written with a sign or without. A value that has more bits
    /// equals nothing.
    fn equals(self, value: i128) -> bool {
        let modulus = 1i128 << self.width;
        let fits = -modulus / 2 <= value && value < modulus;
        fits && value.rem_euclid(modulus) == i128::from(self.bits)
    }
}

impl Scene<'_> {
    /// Whether a condition on the call `name`, which this call is, holds. Recursion is bounded by the parser's nesting.
    pub(super) fn holds(&self, condition: &Expr, name: &str) -> Result<bool, Undefined> {
        match &condition.kind {
            ExprKind::Paren(inner) => self.holds(inner, name),
            ExprKind::Unary(UnaryOp::Not, inner) => Ok(!self.holds(inner, name)?),
            ExprKind::And(all) => {
                let mut every = true;
                for one in all {
                    every &= self.holds(one, name)?;
                }
                Ok(every)
            }
            ExprKind::Or(all) => {
                let mut any = false;
                for one in all {
                    any |= self.holds(one, name)?;
                }
                Ok(any)
            }
            ExprKind::Compare { op, left, right, .. } => match (self.word(left, name)?, self.word(right, name)?) {
                (Some(word), None) => Ok(compare(*op, word, self.number_of(right)?)),
                (None, Some(word)) => Ok(compare(turned(*op), word, self.number_of(left)?)),
                _ => undefined("a comparison needs one parameter"),
            },
            ExprKind::In { negated, left, set } => {
                let Some(word) = self.word(left, name)? else { return undefined("`in` needs a parameter") };
                let Value::Set(ranges) = self.value(set)? else { return undefined("`in` needs a set") };
                let inside = |&(low, high): &(i128, i128)| {
                    if low == high { word.equals(low) } else { low <= word.number() && word.number() <= high }
                };
                Ok(ranges.iter().any(inside) != *negated)
            }
            _ => match self.word(condition, name)? {
                Some(word) => Ok(word.bits != 0),
                None => undefined("a condition needs a parameter"),
            },
        }
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
                    word.bits &= self.number_of(mask)? as u64;
                }
                Ok(Some(word))
            }
            _ => Ok(None),
        }
    }

    /// What the kernel makes of a parameter; `None` if the call has none of that name.
    fn parameter(&self, parameter: &str, name: &str) -> Result<Option<Word>, Undefined> {
        let declared = self.said.iter().find_map(|said| match &said.statement.kind {
            StatementKind::Syscall { name: known, params, .. } if known.text == name => Some(params),
            _ => None,
        });
        let declared = declared.map(|params| params.as_deref().unwrap_or_default());
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
        let whole = |index: usize| Word { width: 64, signed: false, bits: self.call.args[index] };
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
    fn word_at(&self, index: usize, width: u32, signed: bool) -> Word {
        let width = width.min(u32::from(self.call.arch.bits()));
        Word { width, signed, bits: self.call.args[index] & u64::MAX >> (64 - width) }
    }
}

fn compare(op: CompareOp, word: Word, value: i128) -> bool {
    match op {
        CompareOp::Eq => word.equals(value),
        CompareOp::Ne => !word.equals(value),
        CompareOp::Lt => word.number() < value,
        CompareOp::Le => word.number() <= value,
        CompareOp::Gt => word.number() > value,
        CompareOp::Ge => word.number() >= value,
    }
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
    Ok(match ty {
        "int" | "s32" | "pid_t" => (32, true),
        "unsigned int" | "unsigned" | "u32" | "uid_t" | "gid_t" => (32, false),
        "long" | "s64" | "loff_t" => (64, true),
        "unsigned long" | "size_t" | "u64" => (64, false),
        "umode_t" | "u16" => (16, false),
        "u8" => (8, false),
        _ => return undefined(format!("the type {ty}")),
    })
}
