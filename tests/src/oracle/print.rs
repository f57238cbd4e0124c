//! A policy's data as `.kpol` text.

use super::abi::Abi;
use super::policy::{Act, Condition, Guard, Named, Number, Operator, Pattern, Policy, Statement, Wanted, Word};

/// The name of a file of a policy.
pub fn file_name(file: usize) -> String {
    if file == 0 { "profile.kpol".to_owned() } else { format!("part{file}.kpol") }
}

/// The texts of a policy's files, in their order.
pub fn print(policy: &Policy) -> Vec<String> {
    (0..policy.files.len()).map(|file| print_file(policy, file)).collect()
}

fn print_file(policy: &Policy, index: usize) -> String {
    let file = &policy.files[index];
    let mut text = String::new();
    for &other in &file.includes {
        text += &format!("include \"{}\"\n", file_name(other));
    }
    if index == 0 {
        if !policy.archs.is_empty() {
            let names: Vec<&str> = policy.archs.iter().map(|abi| abi.name()).collect();
            text += &format!("arch {}\n", names.join(", "));
        }
        let over = if policy.other_default.is_some() { "override " } else { "" };
        text += &format!("{over}default {}\n", action(policy.default, policy));
        for (name, value) in &policy.numbers {
            text += &format!("const {name} = {value}\n");
        }
        for (name, ranges) in &policy.sets {
            text += &format!("const {name} = {{ {} }}\n", set(ranges));
        }
    }
    if index == 0 {
        declarations(policy, &mut text);
    }
    if let Some((_, other)) = policy.other_default.filter(|(file, _)| *file == index) {
        text += &format!("default {}\n", action(other, policy));
    }
    for name in &file.groups {
        text += &format!("group @{name} {{ {} }}\n", patterns(&policy.groups[name]));
    }
    file.statements.iter().for_each(|one| statement(policy, one, &mut text));
    if index == 0 {
        asserts(policy, &mut text);
    }
    text
}

fn declarations(policy: &Policy, text: &mut String) {
    for call in &policy.declared {
        let parameters: Vec<String> = call.parameters.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
        let parameters = if parameters.is_empty() { String::new() } else { format!("({})", parameters.join(", ")) };
        let names: Vec<&str> = call.numbers.keys().map(|abi| abi.name()).collect();
        // As the kernel counts: without the bit of x32.
        let number =
            call.numbers.iter().map(|(abi, number)| if *abi == Abi::X32 { number - abi.base() } else { *number });
        let number = number.min().unwrap_or_default();
        *text += &format!("syscall {}{parameters} = {number} on {}\n", call.name, names.join(", "));
    }
}

/// Titles are the numbers of the asserts.
fn asserts(policy: &Policy, text: &mut String) {
    for (index, assert) in policy.asserts.iter().enumerate() {
        let wanted = match assert.wanted {
            Wanted::Refused => "refused".to_owned(),
            Wanted::Runs => "runs".to_owned(),
            Wanted::Is(act) => action(act, policy),
            Wanted::IsNot(act) => format!("not {}", action(act, policy)),
        };
        let said = format!("assert \"{index}\" {{ {wanted} {{ {} }} }}", patterns(&assert.patterns));
        let guards: Vec<String> = assert.guards.iter().map(guard).collect();
        *text += &if guards.is_empty() { said } else { format!("when {} {{ {said} }}", guards.join(" && ")) };
        text.push('\n');
    }
}

fn statement(policy: &Policy, one: &Statement, text: &mut String) {
    match one {
        Statement::Rule { over, action: what, patterns: list } => {
            let over = if *over { "override " } else { "" };
            *text += &format!("{over}{} {{ {} }}\n", action(*what, policy), patterns(list));
        }
        Statement::When(guards, body) => {
            let guards: Vec<String> = guards.iter().map(guard).collect();
            *text += &format!("when {} {{\n", guards.join(" && "));
            body.iter().for_each(|one| statement(policy, one, text));
            *text += "}\n";
        }
    }
}

fn guard(guard: &Guard) -> String {
    let not = |negated: bool| if negated { "not " } else { "" };
    match guard {
        Guard::Arch(abis, negated) => {
            let names: Vec<&str> = abis.iter().map(|abi| abi.name()).collect();
            format!("{}arch {}", not(*negated), names.join(", "))
        }
        Guard::Cap(cap, negated) => format!("{}cap {cap}", not(*negated)),
        Guard::Kernel((major, minor), negated) => format!("{}kernel >= {major}.{minor}", not(*negated)),
    }
}

fn action(action: Act, policy: &Policy) -> String {
    // MIPS and PA-RISC have other numbers of errors than the rest.
    let names = !policy.listed().iter().any(|abi| matches!(abi.native(), Abi::Mips64 | Abi::Mipsel64 | Abi::Parisc64));
    match action {
        Act::Allow => "allow".to_owned(),
        Act::Log => "log".to_owned(),
        Act::Deny(1) => "deny".to_owned(),
        Act::Deny(38) if names => "deny(ENOSYS)".to_owned(),
        Act::Deny(errno) => format!("deny({errno})"),
        Act::Kill => "kill".to_owned(),
        Act::KillThread => "kill_thread".to_owned(),
        Act::Trap(0) => "trap".to_owned(),
        Act::Trap(data) => format!("trap({data:#x})"),
        Act::Trace(data) => format!("trace({data})"),
    }
}

fn patterns(list: &[Pattern]) -> String {
    list.iter().map(pattern).collect::<Vec<_>>().join(", ")
}

fn pattern(pattern: &Pattern) -> String {
    let named = match &pattern.named {
        Named::Group(name) => format!("@{name}"),
        Named::Call(name, conditions) if conditions.is_empty() => name.clone(),
        Named::Call(name, conditions) => {
            format!("{name}({})", conditions.iter().map(condition).collect::<Vec<_>>().join(", "))
        }
    };
    if pattern.except.is_empty() { named } else { format!("{named} except {{ {} }}", patterns(&pattern.except)) }
}

fn condition(one: &Condition) -> String {
    match one {
        Condition::Compare { word, mask, operator, value } => {
            let operator = match operator {
                Operator::Equal => "==",
                Operator::NotEqual => "!=",
                Operator::Less => "<",
                Operator::AtMost => "<=",
                Operator::Greater => ">",
                Operator::AtLeast => ">=",
            };
            format!("{} {operator} {}", masked(word, *mask), number(value))
        }
        Condition::In { word, mask, ranges, set: name, negated } => {
            let not = if *negated { "not " } else { "" };
            let set = name.clone().unwrap_or_else(|| format!("{{{}}}", set(ranges)));
            format!("{} {not}in {set}", masked(word, *mask))
        }
        Condition::Bits { word, mask } => masked(word, *mask),
        Condition::Not(inner) => format!("!({})", condition(inner)),
        Condition::And(list) => joined(list, " && "),
        Condition::Or(list) => joined(list, " || "),
    }
}

fn joined(list: &[Condition], between: &str) -> String {
    list.iter().map(|one| format!("({})", condition(one))).collect::<Vec<_>>().join(between)
}

fn masked(word: &Word, mask: Option<u64>) -> String {
    mask.map_or_else(|| word.name.clone(), |mask| format!("{} & {mask:#x}", word.name))
}

fn set(ranges: &[(Number, Number)]) -> String {
    let one = |(low, high): &(Number, Number)| {
        if low.value == high.value { number(low) } else { format!("{}..{}", number(low), number(high)) }
    };
    ranges.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn number(number: &Number) -> String {
    number.name.clone().unwrap_or_else(|| number.value.to_string())
}
