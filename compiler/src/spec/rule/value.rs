//! What constant expressions and actions come to on an ABI.
//!
//! ```text
//! O_CLOEXEC | O_DIRECT      0x84000 on x86_64, 0x90000 on aarch64
//! deny(ENOSYS)              errno 38 on x86_64, 89 on mips
//! ```

use kpol_grammar::ast::{ActionExpr, BinaryOp, Expr, ExprKind, UnaryOp};

use super::{MAX_STEPS, Scene, Undefined, undefined};
use crate::spec::Action;
use crate::tables;

/// A number, or ranges of numbers with both ends inside.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Number(i128),
    Set(Vec<(i128, i128)>),
}

impl Scene<'_> {
    /// The number that `expr` comes to.
    pub(super) fn number_of(&self, expr: &Expr) -> Result<i128, Undefined> {
        self.number_within(expr, 0)
    }

    /// What `expr` comes to.
    pub(super) fn value(&self, expr: &Expr) -> Result<Value, Undefined> {
        self.value_within(expr, 0)
    }

    fn number_within(&self, expr: &Expr, steps: usize) -> Result<i128, Undefined> {
        match self.value_within(expr, steps)? {
            Value::Number(number) => Ok(number),
            Value::Set(_) => undefined("a set in place of a number"),
        }
    }

    /// Recursion is bounded by the parser's nesting, and through constants by `steps`.
    fn value_within(&self, expr: &Expr, steps: usize) -> Result<Value, Undefined> {
        match &expr.kind {
            ExprKind::Number(number) => Ok(Value::Number(i128::from(*number))),
            ExprKind::Name(name) => self.constant(name, steps),
            ExprKind::Paren(inner) => self.value_within(inner, steps),
            ExprKind::Unary(UnaryOp::BitNot, inner) => Ok(Value::Number(!self.number_within(inner, steps)?)),
            ExprKind::Unary(UnaryOp::Minus, inner) => Ok(Value::Number(-self.number_within(inner, steps)?)),
            ExprKind::Chain { first, rest } => {
                let mut number = self.number_within(first, steps)?;
                for (op, _, operand) in rest {
                    number = calculate(*op, number, self.number_within(operand, steps)?)?;
                }
                Ok(Value::Number(number))
            }
            ExprKind::Set(items) => {
                let mut ranges = Vec::new();
                for item in items {
                    match (self.value_within(&item.low, steps)?, &item.high) {
                        (Value::Number(low), None) => ranges.push((low, low)),
                        (Value::Number(low), Some(high)) => ranges.push((low, self.number_within(high, steps)?)),
                        (Value::Set(inner), None) => ranges.extend(inner),
                        (Value::Set(_), Some(_)) => return undefined("a range that begins with a set"),
                    }
                }
                Ok(Value::Set(ranges))
            }
            _ => undefined("a condition in place of a value"),
        }
    }

    /// The policy's own constant, or the kernel's, which has the value of this ABI.
    fn constant(&self, name: &str, steps: usize) -> Result<Value, Undefined> {
        if steps > MAX_STEPS {
            return undefined(format!("{name} in a circle"));
        }
        if let Some(value) = self.known.borrow().get(name) {
            return Ok(value.clone());
        }
        if let Some((&name, value)) = self.consts.get_key_value(name) {
            let value = self.value_within(value, steps + 1)?;
            // Constants of constants would be worked out twice as often with each step.
            self.known.borrow_mut().insert(name, value.clone());
            return Ok(value);
        }
        match tables::constant(name, self.call.arch) {
            Some(number) => Ok(Value::Number(number)),
            None => undefined(format!("no constant {name} on {}", self.call.arch)),
        }
    }

    /// The action that is written.
    pub(super) fn action(&self, expr: &ActionExpr) -> Result<Action, Undefined> {
        let argument = match &expr.argument {
            None => None,
            Some(argument) => match u16::try_from(self.number_of(argument)?) {
                Ok(number) => Some(number),
                Err(_) => return undefined("an action with a number that it cannot carry"),
            },
        };
        match (expr.word.text.as_str(), argument) {
            ("allow", None) => Ok(Action::Allow),
            ("log", None) => Ok(Action::Log),
            ("kill", None) => Ok(Action::KillProcess),
            ("kill_thread", None) => Ok(Action::KillThread),
            ("notify", None) => Ok(Action::Notify),
            ("trap", data) => Ok(Action::Trap(data.unwrap_or(0))),
            ("trace", data) => Ok(Action::Trace(data.unwrap_or(0))),
            ("deny", Some(errno)) if errno <= Action::MAX_ERRNO => Ok(Action::Errno(errno)),
            ("deny", None) => match tables::errno("EPERM", self.call.arch) {
                Some(errno) => Ok(Action::Errno(errno)),
                None => undefined("EPERM is not known"),
            },
            (word, _) => undefined(format!("the action {word}")),
        }
    }
}

/// Registers have 64 bits, with a sign or without; no result may need more.
fn calculate(op: BinaryOp, left: i128, right: i128) -> Result<i128, Undefined> {
    let result = match op {
        BinaryOp::Or => left | right,
        BinaryOp::Xor => left ^ right,
        BinaryOp::And => left & right,
        BinaryOp::Add => left + right,
        BinaryOp::Sub => left - right,
        // Operands have 65 bits at the most, so this is exact.
        BinaryOp::Shl if (0..64).contains(&right) => match left.checked_mul(1 << right) {
            Some(result) => result,
            None => return undefined("a shift out of range"),
        },
        BinaryOp::Shr if (0..64).contains(&right) => left >> right,
        BinaryOp::Shl | BinaryOp::Shr => return undefined("a shift by more than 63"),
    };
    if (-(1i128 << 64)..1 << 64).contains(&result) { Ok(result) } else { undefined("a result of more than 64 bits") }
}
