//! A condition on registers as a term.
//!
//! ```text
//! int type & SOCK_TYPE_MASK == SOCK_STREAM   →   (= (bvand ((_ extract 31 0) arg1) #x0000000f) #x00000001)
//! ```

use kpol_grammar::ast::CompareOp;

use super::text::{all, any, not};
use crate::spec::rule::{Condition, Word};

/// The term. Recursion is bounded by the parser's nesting.
pub(super) fn term(condition: &Condition) -> String {
    match condition {
        Condition::Not(inner) => not(&term(inner)),
        Condition::All(list) => all(list.iter().map(term).collect()),
        Condition::Any(list) => any(list.iter().map(term).collect()),
        Condition::Compare(word, op, value) => match op {
            CompareOp::Eq => equal(*word, *value),
            CompareOp::Ne => not(&equal(*word, *value)),
            CompareOp::Lt => at_most(*word, *value - 1),
            CompareOp::Le => at_most(*word, *value),
            CompareOp::Gt => not(&at_most(*word, *value)),
            CompareOp::Ge => not(&at_most(*word, *value - 1)),
        },
        Condition::Within(word, ranges) => any(ranges
            .iter()
            .map(|&(low, high)| match low == high {
                true => equal(*word, low),
                false => all(vec![not(&at_most(*word, low - 1)), at_most(*word, high)]),
            })
            .collect()),
        Condition::Set(word) => format!("(distinct {} {})", seen(*word), constant(0, word.width)),
    }
}

fn equal(word: Word, value: i128) -> String {
    match word.pattern(value) {
        Some(bits) => format!("(= {} {})", seen(word), constant(bits, word.width)),
        None => "false".to_owned(),
    }
}

/// Numbers that the width does not have lie below or above all that it has.
fn at_most(word: Word, value: i128) -> String {
    let half = 1i128 << (word.width - 1);
    let (least, greatest) = if word.signed { (-half, half - 1) } else { (0, 2 * half - 1) };
    if value < least {
        return "false".to_owned();
    }
    match word.pattern(value) {
        Some(bits) if value < greatest => {
            let operator = if word.signed { "bvsle" } else { "bvule" };
            format!("({operator} {} {})", seen(word), constant(bits, word.width))
        }
        _ => "true".to_owned(),
    }
}

/// What the kernel looks at, masked.
fn seen(word: Word) -> String {
    let all = u64::MAX >> (64 - word.width);
    let register = format!("arg{}", word.register);
    let bits = match word.width {
        64 => register,
        width => format!("((_ extract {} {}) {register})", word.shift + width - 1, word.shift),
    };
    if word.mask & all == all { bits } else { format!("(bvand {bits} {})", constant(word.mask & all, word.width)) }
}

fn constant(bits: u64, width: u32) -> String {
    if width.is_multiple_of(4) {
        format!("#x{bits:0digits$x}", digits = width as usize / 4)
    } else {
        format!("#b{bits:0digits$b}", digits = width as usize)
    }
}
