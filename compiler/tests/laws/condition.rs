//! Random conditions that are valid for every ABI of the policy.

use kpol_compiler::spec::register;
use kpol_compiler::tables;

use super::program::{Generator, Program, offered};
use super::text::{Text, braces, row, word};
use super::value::{Value, literal, parens};

/// What can be asked about a call on all ABIs that have it.
pub struct Parameters {
    call: String,
    list: Vec<Parameter>,
}

#[derive(Debug, Clone)]
struct Parameter {
    /// The kernel's name, or `reg0`.
    name: String,
    /// The name, or one of the manual's.
    written: Vec<String>,
    /// Least width and common sign over the ABIs.
    bits: u32,
    signed: bool,
}

impl Parameter {
    /// Whether the numbers may stand behind `==` and in sets.
    fn takes(&self, values: &[i128]) -> bool {
        values.iter().all(|value| (-(1i128 << (self.bits - 1))..1 << self.bits).contains(value))
    }

    /// Whether they may stand behind `<` and at the ends of ranges.
    fn counts(&self, values: &[i128]) -> bool {
        let (low, high) =
            if self.signed { (-(1i128 << (self.bits - 1)), 1 << (self.bits - 1)) } else { (0, 1 << self.bits) };
        values.iter().all(|value| (low..high).contains(value))
    }
}

impl Parameters {
    pub fn of(call: &str, program: &Program) -> Self {
        let mut list = Vec::new();
        if let Some((_, params)) = program.declared.get(call) {
            // On 32 bits, the `loff_t` at the end is split over two registers.
            let split = usize::from(program.archs.iter().any(|arch| arch.bits() == 32));
            let params = &params[..params.len() - split];
            for (name, (bits, signed)) in params.iter().zip([(32, true), (64, false), (16, false), (64, true)]) {
                let written = vec![(*name).to_owned()];
                list.push(Parameter { name: (*name).to_owned(), written, bits, signed });
            }
        }
        if let Some(syscall) = tables::syscall(call) {
            let on: Vec<_> = program.archs.iter().copied().filter(|&arch| syscall.nr(arch).is_some()).collect();
            let lists: Vec<&[tables::Param]> =
                on.iter().map(|&arch| &syscall.params(arch).unwrap_or_default()[..syscall.nameable(arch)]).collect();
            for param in lists.first().copied().unwrap_or_default() {
                let same: Option<Vec<&tables::Param>> =
                    lists.iter().map(|list| list.iter().find(|other| other.name == param.name)).collect();
                let Some(same) = same else { continue };
                if same.iter().any(|other| other.signed != param.signed) {
                    continue;
                }
                let bits = same.iter().map(|other| u32::from(other.bits)).min().unwrap_or(64);
                let aliases = syscall.aliases().filter(|(_, name)| *name == param.name).map(|(alias, _)| alias);
                let written = std::iter::once(param.name).chain(aliases).map(str::to_owned).collect();
                list.push(Parameter { name: param.name.to_owned(), written, bits, signed: param.signed });
            }
        }
        Self { call: call.to_owned(), list }
    }
}

impl Generator<'_> {
    pub fn condition(&mut self, of: &Parameters, depth: usize) -> Text {
        match self.choices.pick(if depth == 0 { 4 } else { 8 }) {
            1 => self.membership(of),
            2 if !self.shape.small => self.masked_bits(of),
            4 => {
                let items = (0..2).map(|_| self.inside(of, depth - 1)).collect();
                Text::Any { open: "", between: "&&", close: "", items }
            }
            5 => {
                let items = (0..2).map(|_| self.inside(of, depth - 1)).collect();
                Text::Any { open: "(", between: "||", close: ")", items }
            }
            6 => row([word("!"), parens(self.condition(of, depth - 1))]),
            7 => parens(self.condition(of, depth - 1)),
            _ => self.comparison(of),
        }
    }

    /// An operand of `&&` or `||`. One that is such a chain itself is in parentheses, or binds tighter, or is the
    /// same chain.
    fn inside(&mut self, of: &Parameters, depth: usize) -> Text {
        self.condition(of, depth)
    }

    fn parameter(&mut self, of: &Parameters) -> Parameter {
        if of.list.is_empty() || self.choices.once_in(8) {
            let index = self.choices.pick(6);
            let name = format!("reg{index}");
            // By its old name, where no parameter has one like it.
            let taken = tables::syscall(&of.call).is_some_and(register::taken_by);
            let written = if !taken && self.choices.once_in(4) { format!("arg{index}") } else { name.clone() };
            return Parameter { written: vec![written], name, bits: 64, signed: false };
        }
        let mut parameter = of.list[self.choices.pick(of.list.len())].clone();
        if self.choices.once_in(4) {
            let index = self.choices.pick(parameter.written.len());
            parameter.written.swap(0, index);
        }
        parameter
    }

    fn fitting(&mut self, of: &Parameters, parameter: &Parameter, ordered: bool, depth: usize) -> Value {
        let names = offered(&of.call, &parameter.name);
        let value = self.value(&names, depth);
        let value = match self.choices.pick(5) {
            // As a negative number.
            3 if !ordered || parameter.signed => {
                let values = value.values.iter().map(|value| -value).collect::<Vec<i128>>();
                Value { text: row([word("-"), value.operand(5)]), values, ..value }
            }
            _ => value,
        };
        let fits = if ordered { parameter.counts(&value.values) } else { parameter.takes(&value.values) };
        let value = if fits {
            value
        } else {
            // Near the end of the range.
            let top = parameter.bits - u32::from(ordered && parameter.signed);
            let number = (u64::MAX >> (64 - top)) - self.choices.pick(3) as u64;
            literal(self.choices, number, self.program.archs.len())
        };
        self.note(of, parameter, &value.values);
        value
    }

    fn note(&mut self, of: &Parameters, parameter: &Parameter, values: &[i128]) {
        let edges = self.program.edges.entry((of.call.clone(), parameter.name.clone())).or_default();
        edges.extend(values);
    }

    /// A parameter, perhaps with a mask.
    fn word_of(&mut self, of: &Parameters, parameter: &Parameter, masks: usize) -> Text {
        let name = word(&parameter.written[0]);
        if !self.choices.once_in(masks) {
            return name;
        }
        let mask = self.fitting(of, parameter, false, 1);
        let complement: Vec<i128> = mask.values.iter().map(|value| !value).collect();
        self.note(of, parameter, &complement);
        if self.choices.once_in(4) {
            row([mask.operand(3), word("&"), name])
        } else {
            row([name, word("&"), mask.operand(3)])
        }
    }

    fn masked_bits(&mut self, of: &Parameters) -> Text {
        let parameter = self.parameter(of);
        self.word_of(of, &parameter, 1)
    }

    fn comparison(&mut self, of: &Parameters) -> Text {
        let parameter = self.parameter(of);
        let kinds: &[&str] = &["==", "!=", "<", "<=", ">", ">="];
        let kind = self.choices.pick(if self.shape.small && parameter.bits == 64 { 2 } else { kinds.len() });
        let left = self.word_of(of, &parameter, 3);
        let right = self.fitting(of, &parameter, kind > 1, 1);
        if self.choices.once_in(5) {
            row([right.operand(0), word(kinds[kind]), left])
        } else {
            row([left, word(kinds[kind]), right.operand(0)])
        }
    }

    fn membership(&mut self, of: &Parameters) -> Text {
        let parameter = self.parameter(of);
        let left = self.word_of(of, &parameter, 3);
        let operator = if self.choices.once_in(4) { word("not in") } else { word("in") };
        if !self.sets.is_empty() && self.choices.once_in(3) {
            let (name, values) = self.sets[self.choices.pick(self.sets.len())].clone();
            self.note(of, &parameter, &values);
            return row([left, operator, word(name)]);
        }
        let mut items = Vec::new();
        for _ in 0..self.choices.pick(4) {
            let ordered = self.choices.once_in(3);
            let low = self.fitting(of, &parameter, ordered, 1);
            if !ordered {
                items.push(low.text);
                continue;
            }
            let high = self.fitting(of, &parameter, true, 1);
            let pairs = || low.values.iter().zip(&high.values);
            if pairs().all(|(low, high)| low <= high) {
                items.push(row([low.text, word(".."), high.text]));
            } else if pairs().all(|(low, high)| high <= low) {
                items.push(row([high.text, word(".."), low.text]));
            }
        }
        if self.choices.once_in(6) && !self.sets.is_empty() {
            let (name, values) = self.sets[self.choices.pick(self.sets.len())].clone();
            self.note(of, &parameter, &values);
            items.push(word(name));
        }
        row([left, operator, braces(items)])
    }
}
