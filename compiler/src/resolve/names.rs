//! Which names a file speaks: those that it defines, and those that it uses.
//!
//! ```text
//! group @web { socket(family in FAMILIES) }      defines @web; uses socket, family, FAMILIES
//! ```
//!
//! A parameter's name may be a constant's as well, and only resolving tells: here it counts as both, which at worst has a file
//! read again that need not be.

use kpol_grammar::ast::{ActionExpr, Expr, ExprKind, File, Outcome, Pattern, PatternKind, Statement, StatementKind};
use rustc_hash::FxHashSet;

/// Names of a file.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Groups with their `@`, constants and syscalls that its statements define.
    pub defines: FxHashSet<Box<str>>,
    /// Everything that may be such a name.
    pub uses: FxHashSet<Box<str>>,
    /// Whether all its statements are of the kinds that say something of themselves alone: definitions, plain rules, defaults.
    pub plain: bool,
}

impl Names {
    /// The names of a file.
    pub fn of(file: &File) -> Self {
        let mut names = Self { plain: true, ..Self::default() };
        names.statements(&file.statements);
        names
    }

    /// Whether any of these names is spoken here.
    pub fn speak_of(&self, others: &FxHashSet<Box<str>>) -> bool {
        others.iter().any(|name| self.uses.contains(name) || self.defines.contains(name))
    }

    fn statements(&mut self, statements: &[Statement]) {
        for statement in statements {
            match &statement.kind {
                StatementKind::Include(_) => {}
                StatementKind::Default { action, .. } => self.action(action),
                StatementKind::Const { name, value } => {
                    self.defines.insert(name.text.as_str().into());
                    self.expr(value);
                }
                StatementKind::Group { name, patterns } => {
                    self.defines.insert(name.text.as_str().into());
                    self.patterns(patterns);
                }
                StatementKind::Syscall { name, number, .. } => {
                    self.defines.insert(name.text.as_str().into());
                    self.expr(number);
                }
                StatementKind::Rule { action, patterns, .. } => {
                    self.action(action);
                    self.patterns(patterns);
                }
                StatementKind::When { body, .. } => {
                    self.plain = false;
                    self.statements(body);
                }
                StatementKind::Assert { claims, .. } => {
                    self.plain = false;
                    for claim in claims {
                        if let Outcome::Action(action) = &claim.outcome {
                            self.action(action);
                        }
                        self.patterns(&claim.patterns);
                    }
                }
                StatementKind::Within(_)
                | StatementKind::Waive { .. }
                | StatementKind::Arch(_)
                | StatementKind::Flags(_)
                | StatementKind::Listener { .. }
                | StatementKind::Broken => self.plain = false,
            }
        }
    }

    fn action(&mut self, action: &ActionExpr) {
        action.argument.iter().for_each(|argument| self.expr(argument));
    }

    fn patterns(&mut self, patterns: &[Pattern]) {
        for pattern in patterns {
            match &pattern.kind {
                PatternKind::Call { name, conditions } => {
                    self.uses(&name.text);
                    conditions.iter().for_each(|condition| self.expr(condition));
                }
                PatternKind::Group(name) => self.uses(&name.text),
            }
            self.patterns(&pattern.except);
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Number(_) => {}
            ExprKind::Name(name) => self.uses(name),
            ExprKind::Paren(inner) | ExprKind::Unary(_, inner) => self.expr(inner),
            ExprKind::Chain { first, rest } => {
                self.expr(first);
                rest.iter().for_each(|(.., operand)| self.expr(operand));
            }
            ExprKind::Compare { left, right, .. } => {
                self.expr(left);
                self.expr(right);
            }
            ExprKind::In { left, set, .. } => {
                self.expr(left);
                self.expr(set);
            }
            ExprKind::Set(items) => {
                for item in items {
                    self.expr(&item.low);
                    item.high.iter().for_each(|high| self.expr(high));
                }
            }
            ExprKind::And(list) | ExprKind::Or(list) => list.iter().for_each(|one| self.expr(one)),
        }
    }

    fn uses(&mut self, name: &str) {
        if !self.uses.contains(name) {
            self.uses.insert(name.into());
        }
    }
}
