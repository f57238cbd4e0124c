//! Values: what constant expressions come to on an ABI.
//!
//! ```text
//! O_CLOEXEC | O_DIRECT     x86_64: 0x84000     aarch64: 0x90000
//! {AF_UNIX, 10..12}        the ranges 1..=1, 10..=12
//! ```

use std::rc::Rc;

use kpol_grammar::Offer;
use kpol_grammar::ast::{self, BinaryOp, Expr, ExprKind, SetItem, StatementKind, UnaryOp};
use rustc_hash::FxHashSet;

use super::{MAX_NESTING, Resolver};
use crate::diagnostic::{Code, Diagnostic, FileId, Span};
use crate::library;
use crate::source::graph::with_offer;
use crate::spec::Arch;
use crate::tables;

/// What an expression comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// One number.
    Number(i128),
    /// Ranges with both ends inside, and where each was written.
    Set(Rc<[(i128, i128, Span)]>),
}

/// How far a constant's value is known.
#[derive(Debug, Clone)]
pub(super) enum Progress {
    /// Being worked out: meeting it again is a circle.
    Begun,
    /// Known; `None` if it could not be worked out, which has been reported.
    Done(Option<Value>),
}

impl<'a> Resolver<'a> {
    /// The number that `expr` comes to; `None` if it has none, which has been reported.
    pub(super) fn number(&mut self, expr: &'a Expr, file: FileId, arch: Arch) -> Option<i128> {
        match self.value(expr, file, arch, 0)? {
            Value::Number(number) => Some(number),
            Value::Set(_) => {
                let span = Span { file, bytes: expr.span };
                self.error(
                    Diagnostic::new(Code::E037, span, "a set stands where one value is needed")
                        .help("test membership by `in`"),
                );
                None
            }
        }
    }

    /// What `expr` comes to on `arch`. Recursion is bounded by the parser's nesting and by `depth` through constants.
    pub(super) fn value(&mut self, expr: &'a Expr, file: FileId, arch: Arch, depth: usize) -> Option<Value> {
        let span = Span { file, bytes: expr.span };
        if !self.spend(1, span) {
            return None;
        }
        match &expr.kind {
            ExprKind::Number(number) => Some(Value::Number(i128::from(*number))),
            ExprKind::Name(name) => self.named(name, span, arch, depth),
            ExprKind::Paren(inner) => self.value(inner, file, arch, depth),
            ExprKind::Unary(op, operand) => {
                let number = self.operand(operand, file, arch, depth)?;
                match op {
                    UnaryOp::BitNot => Some(Value::Number(!number)),
                    UnaryOp::Minus => number.checked_neg().map(Value::Number),
                    UnaryOp::Not => {
                        self.error(
                            Diagnostic::new(Code::E034, span, "`!` negates a condition, and this is a value")
                                .help("write `~` for the complement of the bits"),
                        );
                        None
                    }
                }
            }
            ExprKind::Chain { first, rest } => {
                let mut number = self.operand(first, file, arch, depth)?;
                for (op, op_span, operand) in rest {
                    let right = self.operand(operand, file, arch, depth)?;
                    let Some(result) = calculate(*op, number, right) else {
                        let place = Span { file, bytes: *op_span };
                        self.error(
                            Diagnostic::new(Code::E033, place, "the result is out of range")
                                .help("registers have 64 bits: shift by 0 to 63, and keep results below 2^64"),
                        );
                        return None;
                    };
                    number = result;
                }
                Some(Value::Number(number))
            }
            ExprKind::Set(items) => self.set(items, file, arch, depth),
            ExprKind::Compare { .. } | ExprKind::In { .. } | ExprKind::And(_) | ExprKind::Or(_) => {
                self.error(
                    Diagnostic::new(Code::E034, span, "a condition stands where a value is needed")
                        .help("conditions are not numbers: join them by `&&`, `||` and `!`"),
                );
                None
            }
        }
    }

    fn operand(&mut self, expr: &'a Expr, file: FileId, arch: Arch, depth: usize) -> Option<i128> {
        match self.value(expr, file, arch, depth)? {
            Value::Number(number) => Some(number),
            Value::Set(_) => {
                let span = Span { file, bytes: expr.span };
                self.error(
                    Diagnostic::new(Code::E037, span, "a set stands where one value is needed")
                        .help("sets can only be tested by `in`, and be part of other sets"),
                );
                None
            }
        }
    }

    /// The ranges of a set, nested ones unfolded.
    fn set(&mut self, items: &'a [SetItem], file: FileId, arch: Arch, depth: usize) -> Option<Value> {
        let mut ranges = Vec::with_capacity(items.len());
        let mut sound = true;
        let mut nested = 0;
        for item in items {
            let span = Span { file, bytes: item.span };
            let Some(low) = self.value(&item.low, file, arch, depth) else {
                sound = false;
                continue;
            };
            match (low, &item.high) {
                (Value::Number(low), None) => ranges.push((low, low, span)),
                (Value::Set(inner), None) => {
                    if !self.spend(inner.len(), span) {
                        return None;
                    }
                    if items.len() == 1 {
                        // Under another name the same one.
                        return Some(Value::Set(inner));
                    }
                    nested += 1;
                    ranges.extend(inner.iter().copied());
                }
                (Value::Number(low), Some(high)) => match self.operand(high, file, arch, depth) {
                    Some(end) if end < low => {
                        let place = |expr: &Expr| Span { file, bytes: expr.span };
                        let (low, high) = (self.as_written(place(&item.low), low), self.as_written(place(high), end));
                        self.error(
                            Diagnostic::new(Code::E039, span, format!("the range {low}..{high} is empty"))
                                .help("write the smaller end first"),
                        );
                        sound = false;
                    }
                    Some(high) => ranges.push((low, high, span)),
                    None => sound = false,
                },
                (Value::Set(_), Some(_)) => {
                    self.error(
                        Diagnostic::new(Code::E037, span, "a set cannot be the end of a range")
                            .help("a range goes from one value to another"),
                    );
                    sound = false;
                }
            }
        }
        if nested > 1 {
            // What is written once is there once, by however many ways it comes in: `{A, A}` is no longer than `A`.
            let mut seen = FxHashSet::default();
            ranges.retain(|range| seen.insert(*range));
        }
        sound.then(|| Value::Set(ranges.into()))
    }

    fn named(&mut self, name: &str, span: Span, arch: Arch, depth: usize) -> Option<Value> {
        if let Some(ids) = self.const_names.get(name).cloned() {
            if !self.spend(ids.len(), span) {
                return None;
            }
            for &id in &ids {
                self.consts[id].used = true;
                if self.graph.files.first().is_some_and(|root| root.id == self.consts[id].file) {
                    self.watch.root_uses.entry(span.file).or_default().insert(id);
                }
            }
            let here = ids.into_iter().find(|&id| self.consts[id].guard.archs.has(arch));
            let Some(id) = here else {
                self.error(
                    Diagnostic::new(Code::E035, span, format!("`{name}` has no value on {arch}"))
                        .help("define it there too, or guard this by `when arch`"),
                );
                return None;
            };
            return self.const_value(id, arch, span, depth);
        }
        if let Some(value) = tables::constant(name, arch) {
            return Some(Value::Number(value));
        }
        if tables::is_constant(name) {
            let has: Vec<&str> =
                Arch::all().filter(|&other| tables::constant(name, other).is_some()).map(Arch::name).collect();
            self.error(
                Diagnostic::new(Code::E035, span, format!("`{name}` does not exist on {arch}"))
                    .note(format!("it does on {}", has.join(", ")))
                    .help(format!("guard this by `when not arch {arch}`")),
            );
            return None;
        }
        if self.is_lost(name) {
            return None;
        }
        let diagnostic = Diagnostic::new(Code::E032, span, format!("no constant `{name}`"));
        if let Some(file) = library::defines(name) {
            let include = format!("include <{file}>");
            let diagnostic = diagnostic.help(format!("`<{file}>` defines it: write `{include}`"));
            // The rules of that file come with it, so somebody has to look.
            let place = self.graph.files.first().and_then(|root| {
                let mut includes = root.tree.statements.iter().rev();
                let (end, text) = match includes.find(|one| matches!(one.kind, StatementKind::Include(_))) {
                    Some(last) => (last.span.end, format!("\n{include}")),
                    None => (root.tree.statements.first()?.span.start, format!("{include}\n")),
                };
                (root.id == span.file).then_some((Span { file: root.id, bytes: ast::Span { start: end, end } }, text))
            });
            self.error(match place {
                Some((place, text)) => diagnostic.fix(format!("add `{include}`"), place, text),
                None => diagnostic,
            });
            return None;
        }
        let offer = self.near(Code::E032, span, |known| {
            let own = known.const_names.keys().copied();
            // What fits the parameter, where it is known what does.
            let fitting = known.fitting_constants();
            if fitting.is_empty() {
                Offer::of(name, own.chain(tables::constant_names().map(|name| -> &str { name })))
            } else {
                Offer::of(name, own.chain(fitting))
            }
        });
        self.error(with_offer(diagnostic, span, offer.as_ref(), "write its number, or name it by `const`"));
        None
    }

    /// The value of a constant of the policy.
    pub(super) fn const_value(&mut self, id: usize, arch: Arch, used: Span, depth: usize) -> Option<Value> {
        match self.const_values.get(&(id, arch)) {
            Some(Progress::Done(value)) => {
                let height = self.watch.const_heights.get(&id).copied().unwrap_or(0);
                let taken = self.watch.has_taken(self.consts[id].file);
                self.watch.meet(depth, height, taken);
                return value.clone();
            }
            Some(Progress::Begun) => {
                let place = Span { file: self.consts[id].file, bytes: self.consts[id].name.span };
                let name = self.consts[id].name.text.clone();
                self.watch.by_order = true;
                self.error(
                    Diagnostic::new(Code::E025, place, format!("`{name}` is defined by itself"))
                        .related(used, "used here, on the way to its own value")
                        .help("a constant needs a value that does not lead back to it"),
                );
                return None;
            }
            None => {}
        }
        if depth >= MAX_NESTING {
            self.watch.by_order = true;
            self.error(
                Diagnostic::new(Code::E027, used, format!("constants are nested deeper than {MAX_NESTING}"))
                    .help("give one of them its value directly"),
            );
            return None;
        }
        self.const_values.insert((id, arch), Progress::Begun);
        let (expr, file) = (self.consts[id].value, self.consts[id].file);
        let (said, around) = (self.sink.said, std::mem::take(&mut self.watch.height));
        let value = self.value(expr, file, arch, depth + 1);
        self.taint_since(said, file);
        let height = self.watch.height + 1;
        let known = self.watch.const_heights.entry(id).or_default();
        *known = height.max(*known);
        self.watch.height = around.max(height);
        self.const_values.insert((id, arch), Progress::Done(value.clone()));
        value
    }
}

fn calculate(op: BinaryOp, left: i128, right: i128) -> Option<i128> {
    let shift = || u32::try_from(right).ok().filter(|&by| by < 64);
    let result = match op {
        BinaryOp::Or => left | right,
        BinaryOp::Xor => left ^ right,
        BinaryOp::And => left & right,
        BinaryOp::Add => left.checked_add(right)?,
        BinaryOp::Sub => left.checked_sub(right)?,
        BinaryOp::Shl => left.checked_mul(1 << shift()?)?,
        BinaryOp::Shr => left >> shift()?,
    };
    // Two's complement of 64 bits and unsigned 64 bits both fit; more never does.
    (-(1 << 64)..1 << 64).contains(&result).then_some(result)
}
