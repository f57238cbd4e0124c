//! What a policy says of one call, from its data: each sentence of the language's reference, said once more and naively.
//!
//! ```text
//! override (file of level 2)  >  override (level 1)  >  plain rule  >  default
//! ```

use super::abi::Abi;
use super::facts::Facts;
use super::policy::{Act, Assert, Condition, File, Guard, Named, Operator, Pattern, Policy, Shape, Statement, Word};

/// A call as a filter sees it.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// By which ABI.
    pub abi: Abi,
    /// Its name; empty for a number without one.
    pub name: &'a str,
    /// Its registers, as the kernel shows them.
    pub args: [u64; 6],
}

/// What a call gets by one of the policy's ABIs.
///
/// # Errors
/// Two rules of one level that disagree: the generator made a policy that it must not make.
pub fn evaluate(policy: &Policy, facts: &Facts, call: Call<'_>) -> Result<Act, String> {
    let mut best: Option<(usize, Act)> = None;
    for (index, file) in policy.files.iter().enumerate() {
        let level = level(policy, index);
        for (over, action) in claims(policy, facts, file, call) {
            let rank = if over { level } else { 0 };
            match best {
                Some((other, said)) if other == rank && said != action => {
                    return Err(format!("{action:?} and {said:?} at level {rank} for {call:?}"));
                }
                Some((other, _)) if other >= rank => {}
                _ => best = Some((rank, action)),
            }
        }
    }
    Ok(best.map_or(policy.default, |(_, action)| action))
}

/// Whether an assert is broken by a call that gets `act`.
pub fn breaks(policy: &Policy, facts: &Facts, assert: &Assert, call: Call<'_>, act: Act) -> bool {
    assert.guards.iter().all(|guard| holds(policy, guard, call.abi))
        && assert.patterns.iter().any(|pattern| matches(policy, facts, pattern, call))
        && !assert.wanted.holds(act)
}

/// 1 for a file without includes, else one more than the highest of them.
fn level(policy: &Policy, file: usize) -> usize {
    1 + policy.files[file].includes.iter().map(|&other| level(policy, other)).max().unwrap_or(0)
}

fn claims(policy: &Policy, facts: &Facts, file: &File, call: Call<'_>) -> Vec<(bool, Act)> {
    fn walk(policy: &Policy, facts: &Facts, statements: &[Statement], call: Call<'_>, found: &mut Vec<(bool, Act)>) {
        for statement in statements {
            match statement {
                Statement::Rule { over, action, patterns } => {
                    if patterns.iter().any(|pattern| matches(policy, facts, pattern, call)) {
                        found.push((*over, *action));
                    }
                }
                Statement::When(guards, body) => {
                    if guards.iter().all(|guard| holds(policy, guard, call.abi)) {
                        walk(policy, facts, body, call, found);
                    }
                }
            }
        }
    }
    let mut found = Vec::new();
    walk(policy, facts, &file.statements, call, &mut found);
    found
}

fn holds(policy: &Policy, guard: &Guard, abi: Abi) -> bool {
    match guard {
        Guard::Arch(abis, negated) => abis.contains(&abi) != *negated,
        Guard::Cap(cap, negated) => policy.caps.contains(cap) != *negated,
        Guard::Kernel(release, negated) => (policy.kernel >= *release) != *negated,
    }
}

fn matches(policy: &Policy, facts: &Facts, pattern: &Pattern, call: Call<'_>) -> bool {
    let named = match &pattern.named {
        Named::Call(name, conditions) => {
            name == call.name && conditions.iter().all(|condition| true_of(condition, call))
                || conditions.is_empty() && facts.leads_to(call, name)
        }
        Named::Group(name) => {
            policy.groups.get(name).into_iter().flatten().any(|member| matches(policy, facts, member, call))
        }
    };
    named && !pattern.except.iter().any(|other| matches(policy, facts, other, call))
}

/// What the kernel takes of the register, and of how many bits the parameter is declared.
fn taken(word: &Word, call: Call<'_>) -> (Shape, u32, u32) {
    let shape = word.shape(call.abi).expect("a shape on every ABI that has the call");
    let declared = shape.bits;
    let cut = shape.cuts.iter().find(|cut| cut.values.contains(&(call.args[cut.register] & cut.mask)));
    match cut {
        Some(cut) => (Shape { bits: cut.bits, signed: false, ..shape.clone() }, cut.shift, declared),
        None => (shape, 0, declared),
    }
}

/// The word's bits, without a sign.
fn bits(word: &Word, mask: Option<u64>, call: Call<'_>) -> u64 {
    let (shape, shift, _) = taken(word, call);
    call.args[shape.index] >> shift & u64::MAX >> (64 - shape.bits) & mask.unwrap_or(u64::MAX)
}

/// The same as the number that the kernel works with.
fn number(word: &Word, mask: Option<u64>, call: Call<'_>) -> i128 {
    let value = bits(word, mask, call);
    let (Shape { bits: width, signed, .. }, ..) = taken(word, call);
    let negative = signed && value >> (width - 1) & 1 == 1;
    if negative { i128::from(value) - (1i128 << width) } else { i128::from(value) }
}

/// Whether the bits are those of the value, which may be written with a sign or without.
fn equal(word: &Word, mask: Option<u64>, value: i128, call: Call<'_>) -> bool {
    let (Shape { bits: width, .. }, _, declared) = taken(word, call);
    let modulus = 1i128 << declared;
    // A value that no number of the declared width is; else it is cut as the argument is.
    (-(modulus / 2)..modulus).contains(&value) && value.rem_euclid(1i128 << width) == i128::from(bits(word, mask, call))
}

fn true_of(condition: &Condition, call: Call<'_>) -> bool {
    match condition {
        Condition::Compare { word, mask, operator, value } => match operator {
            Operator::Equal => equal(word, *mask, value.value, call),
            Operator::NotEqual => !equal(word, *mask, value.value, call),
            Operator::Less => number(word, *mask, call) < value.value,
            Operator::AtMost => number(word, *mask, call) <= value.value,
            Operator::Greater => number(word, *mask, call) > value.value,
            Operator::AtLeast => number(word, *mask, call) >= value.value,
        },
        Condition::In { word, mask, ranges, negated, .. } => {
            let inside = ranges.iter().any(|(low, high)| {
                if low.value == high.value {
                    equal(word, *mask, low.value, call)
                } else {
                    (low.value..=high.value).contains(&number(word, *mask, call))
                }
            });
            inside != *negated
        }
        Condition::Bits { word, mask } => bits(word, *mask, call) != 0,
        Condition::Not(inner) => !true_of(inner, call),
        Condition::And(list) => list.iter().all(|one| true_of(one, call)),
        Condition::Or(list) => list.iter().any(|one| true_of(one, call)),
    }
}
