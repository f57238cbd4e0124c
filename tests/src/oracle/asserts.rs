//! Random asserts, and the calls by which kpolc refutes them.
//!
//! ```text
//! assert "0" { refused { socket(family == AF_ALG), @group-1 } }
//! counterexample: socket(family = AF_ALG (38), …) on x86 gets `allow`      →  x86, 359, [38, 0, 0, 0, 0, 0]
//! ```
//!
//! Half of them say what one of the calls gets, so that they may well hold.

use super::abi::Abi;
use super::evaluate::{Call, evaluate};
use super::facts::Facts;
use super::generate::Maker;
use super::policy::{Act, Assert, Named, Pattern, Policy, Wanted};

/// Adds asserts to the policy.
pub(super) fn make(maker: &mut Maker<'_>) {
    for _ in 0..maker.random.below(4) {
        let clan = maker.random.below(maker.clans.len());
        let patterns: Vec<Pattern> = (0..1 + maker.random.below(2)).map(|_| maker.pattern_of(clan)).collect();
        let like = if maker.random.once_in(2) { maker.action() } else { some(maker, &patterns) };
        let wanted = match maker.random.below(4) {
            0 | 1 if matches!(like, Act::Allow | Act::Log | Act::Trace(_)) => Wanted::Runs,
            0 | 1 => Wanted::Refused,
            2 => Wanted::Is(like),
            _ => Wanted::IsNot(maker.action()),
        };
        let guards = if maker.random.once_in(4) { vec![maker.guard()] } else { Vec::new() };
        maker.policy.asserts.push(Assert { wanted, patterns, guards });
    }
}

/// What a call of the first pattern gets.
fn some(maker: &mut Maker<'_>, patterns: &[Pattern]) -> Act {
    let name = match &patterns[0].named {
        Named::Call(name, _) => name.clone(),
        Named::Group(_) => maker.calls[0].clone(),
    };
    let having = maker.listed.iter().copied().find(|abi| number(maker, *abi, &name).is_some());
    let Some(abi) = having else { return maker.policy.default };
    let call = Call { abi, name: &name, args: [0; 6] };
    evaluate(&maker.policy, maker.facts, call).unwrap_or(maker.policy.default)
}

fn number(maker: &Maker<'_>, abi: Abi, name: &str) -> Option<u32> {
    maker.policy.declared(abi, name).or_else(|| maker.facts.numbers[&abi].get(name).copied())
}

/// Reads a call as kpolc writes it; `None` where a name is not known here.
pub fn counterexample<'a>(text: &'a str, policy: &Policy, facts: &Facts) -> Option<Call<'a>> {
    let (said, rest) = text.strip_prefix("counterexample: ")?.rsplit_once(" on ")?;
    // Without parentheses any arguments will do.
    let (name, arguments) = said.split_once('(').unwrap_or((said, ")"));
    let arguments = arguments.strip_suffix(')')?;
    let abi = Abi::named(rest.split(' ').next()?)?;
    let mut args = [0; 6];
    for argument in arguments.split(", ").filter(|argument| !matches!(*argument, "…" | "")) {
        let (parameter, value) = argument.split_once(" = ")?;
        let declared = policy.declared.iter().find(|call| call.name == name);
        let register = match parameter.strip_prefix("reg") {
            Some(digit) => digit.parse().ok()?,
            None => match declared {
                Some(call) => call.parameters.iter().position(|known| known.0 == parameter)?,
                None => facts.register(name, abi, parameter)?,
            },
        };
        // The number stands behind its name.
        let number = value.rsplit_once('(').map_or(value, |(_, number)| number.trim_end_matches(')'));
        let value = match number.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).ok()?,
            None => number.parse::<i128>().ok()? as u64,
        };
        *args.get_mut(register)? = value & u64::MAX >> (64 - abi.bits());
    }
    Some(Call { abi, name, args })
}
