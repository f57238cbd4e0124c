//! Constants that are compared with a parameter and mean something else, and those that would fit.
//!
//! ```text
//! kill(sig == SIGEV_NONE)          1, as SIGHUP is: how a timer notifies, and no signal
//! socket(type == AF_INET)          2, as SOCK_DGRAM is: a family, and no type
//! ```
//!
//! Said only where [`tables::is_foreign`] is sure. What a `const` of the policy stands for is not looked at: it may serve
//! several parameters.

use kpol_grammar::ast::{Expr, ExprKind};

use super::Resolver;
use super::condition::At;
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::spec::register;
use crate::tables;

/// So many constants are shown that would fit.
const SHOWN: usize = 4;

impl<'a> Resolver<'a> {
    /// Warns of constants in `expr` that are no values of the parameter in register `arg`. Recursion is bounded by the
    /// parser's nesting.
    pub(super) fn warn_foreign(&mut self, expr: &'a Expr, arg: u8, at: At<'a>) {
        match &expr.kind {
            ExprKind::Name(name) => self.warn_foreign_name(name, Span { file: at.file, bytes: expr.span }, arg, at),
            ExprKind::Paren(inner) | ExprKind::Unary(_, inner) => self.warn_foreign(inner, arg, at),
            ExprKind::Chain { first, rest } => {
                self.warn_foreign(first, arg, at);
                rest.iter().for_each(|(.., operand)| self.warn_foreign(operand, arg, at));
            }
            ExprKind::Set(items) => {
                for item in items {
                    self.warn_foreign(&item.low, arg, at);
                    item.high.iter().for_each(|high| self.warn_foreign(high, arg, at));
                }
            }
            _ => {}
        }
    }

    fn warn_foreign_name(&mut self, name: &str, span: Span, arg: u8, at: At<'a>) {
        // What a policy declares has parameters of its own, and a constant of its own is none of the kernel's.
        if self.calls.contains_key(at.call) || self.const_names.contains_key(name) || self.is_builtin(at.file) {
            return;
        }
        let Some(call) = self.syscall(at.call) else { return };
        let Some(param) = register::param(call, at.arch, arg) else { return };
        if !tables::is_foreign(call, param.name, name, at.arch) {
            return;
        }
        let fitting: Vec<String> =
            tables::constants_for(call, param.name).take(SHOWN).map(|name| format!("`{name}`")).collect();
        let message = format!("`{name}` is no value of `{}`", param.name);
        self.sink.push(
            Diagnostic::new(Code::W021, span, message)
                .note(format!("`{}` has values like {}", param.name, fitting.join(", ")))
                .help("write the constant that is meant, or the number"),
        );
    }

    /// Constants that fit the parameter of the condition that is being read; none where nobody knows which do.
    pub(super) fn fitting_constants(&self) -> Vec<&'static str> {
        let Some((expr, at)) = self.compared else { return Vec::new() };
        let fitting = || {
            let params = self.params(at.call, at.arch)?;
            let index = self.index(&params, self.parameter_in(expr, at)?, at.call)?;
            let call = self.syscall(at.call)?;
            let param = register::param(call, at.arch, params.list.get(index).map(|_| index as u8)?)?;
            Some(tables::constants_for(call, param.name).collect())
        };
        fitting().unwrap_or_default()
    }

    /// The first parameter that an expression names. Recursion is bounded by the parser's nesting.
    fn parameter_in<'e>(&self, expr: &'e Expr, at: At<'a>) -> Option<&'e str> {
        match &expr.kind {
            ExprKind::Name(name) => self.is_parameter(name, at).then_some(name.as_str()),
            ExprKind::Paren(inner) | ExprKind::Unary(_, inner) => self.parameter_in(inner, at),
            ExprKind::Chain { first, rest } => self
                .parameter_in(first, at)
                .or_else(|| rest.iter().find_map(|(_, _, operand)| self.parameter_in(operand, at))),
            ExprKind::Compare { left, right, .. } => {
                self.parameter_in(left, at).or_else(|| self.parameter_in(right, at))
            }
            ExprKind::In { left, .. } => self.parameter_in(left, at),
            _ => None,
        }
    }
}
