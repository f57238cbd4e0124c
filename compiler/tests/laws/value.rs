//! Constant expressions, with what they come to on each ABI of the policy.

use kpol_compiler::spec::Arch;
use kpol_compiler::tables;

use super::choices::Choices;
use super::text::{Text, row, word};

/// An expression as text; `values[i]` is what it comes to on `archs[i]`.
#[derive(Debug, Clone)]
pub struct Value {
    pub text: Text,
    pub values: Vec<i128>,
    /// How tightly its outermost operator binds: 0 `|`, 1 `^`, 2 `&`, 3 shifts, 4 sums, 5 prefixes and atoms.
    pub tight: u8,
}

impl Value {
    /// The text, in parentheses if something that binds as `tight` needs them.
    pub fn operand(&self, tight: u8) -> Text {
        if self.tight < tight { parens(self.text.clone()) } else { self.text.clone() }
    }
}

pub fn parens(text: Text) -> Text {
    row([word("("), text, word(")")])
}

/// A number in one of its forms.
pub fn literal(choices: &mut Choices, number: u64, archs: usize) -> Value {
    let text = match choices.pick(8) {
        1 | 2 => format!("{number:#x}"),
        3 => format!("0x{:X}", number),
        4 => format!("0o{number:o}"),
        5 => format!("0b{number:b}"),
        6 if number > 9 => {
            let digits = number.to_string();
            let (head, tail) = digits.split_at(digits.len() - 1);
            format!("{head}_{tail}")
        }
        7 if number > 0xff => {
            let digits = format!("{number:x}");
            let (head, tail) = digits.split_at(digits.len() / 2);
            format!("0x{head}_{tail}")
        }
        _ => number.to_string(),
    };
    Value { text: word(text), values: vec![i128::from(number); archs], tight: 5 }
}

/// The kernel's constant, where all of the ABIs have it.
pub fn named(name: &str, archs: &[Arch]) -> Option<Value> {
    let values = archs.iter().map(|&arch| tables::constant(name, arch)).collect::<Option<Vec<i128>>>()?;
    Some(Value { text: word(name), values, tight: 5 })
}

/// A constant of the policy.
pub fn own(name: &str, values: Vec<i128>) -> Value {
    Value { text: word(name), values, tight: 5 }
}

/// A prefix operator before a value, or an operator between two; `None` where the result has more than 64 bits.
pub fn combined(choices: &mut Choices, left: Value, right: Value) -> Option<Value> {
    let calculate = |of: &dyn Fn(i128, i128) -> Option<i128>| -> Option<Vec<i128>> {
        let pairs = left.values.iter().zip(&right.values);
        pairs.map(|(&left, &right)| of(left, right).filter(|result| in_range(*result))).collect()
    };
    let shift = |right: i128| u32::try_from(right).ok().filter(|&by| by < 64);
    let (operator, tight, values) = match choices.pick(9) {
        0 => ("|", 0, calculate(&|a, b| Some(a | b))?),
        1 => ("^", 1, calculate(&|a, b| Some(a ^ b))?),
        2 => ("&", 2, calculate(&|a, b| Some(a & b))?),
        3 => ("<<", 3, calculate(&|a, b| a.checked_mul(1 << shift(b)?))?),
        4 => (">>", 3, calculate(&|a, b| Some(a >> shift(b)?))?),
        5 => ("+", 4, calculate(&|a, b| Some(a + b))?),
        6 => ("-", 4, calculate(&|a, b| Some(a - b))?),
        operator => {
            let (sign, values) =
                if operator == 7 { ("-", calculate(&|a, _| Some(-a))?) } else { ("~", calculate(&|a, _| Some(!a))?) };
            return Some(Value { text: row([word(sign), left.operand(5)]), values, tight: 5 });
        }
    };
    // Operators of one precedence go from left to right, so the right side must bind tighter.
    let text = row([left.operand(tight), word(operator), right.operand(tight + 1)]);
    Some(Value { text, values, tight })
}

fn in_range(number: i128) -> bool {
    (-(1i128 << 64)..1 << 64).contains(&number)
}
