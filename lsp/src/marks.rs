//! What has a name, and where: the list that every question about names looks things up in.
//!
//! ```text
//! allow { @net, socket(family == AF_UNIX) }
//! ^^^^^ action  ^^^^^^ syscall   ^^^^^^^ constant, of `socket`'s `family`
//!         ^^^^ group    ^^^^^^ parameter of `socket`
//! ```
//!
//! A name in a condition is a parameter where the call has one of that name, by the compiler's tables or by its
//! declaration; whether it means anything is not said here.

use kpol_compiler::spec::{Arch, register};
use kpol_compiler::tables;
use kpol_grammar::ast::{
    ActionExpr, Expr, ExprKind, File, GuardKind, Include, Name, Outcome, ParamDecl, Pattern, PatternKind, Span,
    Statement, StatementKind,
};

/// What a word names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A call, of the kernel or declared.
    Syscall,
    /// `@name`
    Group,
    /// A value: the kernel's, or of `const`. With the parameter that it is compared with.
    Constant {
        /// `(call, parameter)`
        of: Option<(String, String)>,
    },
    /// An argument of a call.
    Parameter {
        /// The call.
        call: String,
    },
    /// `allow`, `deny` …
    Action,
    /// `refused`, `runs`
    Outcome,
    /// In the parentheses of `deny`.
    Errno,
    /// `x86_64`
    Arch,
    /// `CAP_SYS_ADMIN`
    Capability,
    /// `5.11`
    Kernel,
    /// `tsync`
    Flag,
    /// A path in quotes or angle brackets.
    Path {
        /// In angle brackets.
        library: bool,
        /// Of `within`.
        within: bool,
    },
    /// The title of an `assert`.
    Title,
    /// A type in a declaration.
    Type,
}

/// A name at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Where.
    pub span: Span,
    /// The name; a group's with its `@`, a path without its quotes.
    pub name: String,
    /// What it names.
    pub kind: Kind,
    /// Whether it is said here what it is.
    pub defines: bool,
}

/// All marks of a file, in the order of the text.
pub fn of(text: &str, file: &File) -> Vec<Mark> {
    let mut walker = Walker { text, marks: Vec::new(), declared: Vec::new() };
    walker.declarations(&file.statements);
    walker.statements(&file.statements);
    walker.marks.sort_by_key(|mark| (mark.span.start, mark.span.end));
    walker.marks
}

/// The mark that `offset` touches. Between two, the one that begins there.
pub fn at(marks: &[Mark], offset: u32) -> Option<&Mark> {
    let behind = marks.partition_point(|mark| mark.span.start <= offset);
    marks[..behind].iter().rev().take(2).find(|mark| mark.span.touches(offset))
}

/// The kernel's name of a parameter that a call has, on any ABI; or a register's name, where no parameter has it.
pub fn parameter(call: &str, name: &str) -> Option<String> {
    let syscall = tables::syscall(call);
    let of_kernel = syscall.and_then(|syscall| {
        let known = Arch::all().filter_map(|arch| syscall.params(arch)).flatten().any(|param| param.name == name);
        if known { Some(name) } else { syscall.alias(name) }
    });
    let register = || register::named(name).filter(|known| !known.old || !syscall.is_some_and(register::taken_by));
    of_kernel.map(str::to_owned).or_else(|| register().map(|_| name.to_owned()))
}

struct Walker<'a> {
    text: &'a str,
    marks: Vec<Mark>,
    declared: Vec<(&'a str, &'a [ParamDecl])>,
}

impl<'a> Walker<'a> {
    fn push(&mut self, name: &Name, kind: Kind, defines: bool) {
        self.marks.push(Mark { span: name.span, name: name.text.clone(), kind, defines });
    }

    fn declarations(&mut self, statements: &'a [Statement]) {
        for statement in statements {
            match &statement.kind {
                StatementKind::Syscall { name, params: Some(params), .. } => {
                    self.declared.push((&name.text, params));
                }
                StatementKind::When { body, .. } => self.declarations(body),
                _ => {}
            }
        }
    }

    /// Recursion is bounded by the parser's nesting, as everywhere in this file.
    fn statements(&mut self, statements: &[Statement]) {
        for statement in statements {
            match &statement.kind {
                StatementKind::Include(include) => self.path(include, false),
                StatementKind::Within(include) => self.path(include, true),
                StatementKind::Waive { title, from, .. } => {
                    self.push(title, Kind::Title, false);
                    if let Some(from) = from {
                        self.path(from, true);
                    }
                }
                StatementKind::Default { action, .. } => self.action(action),
                StatementKind::Arch(names) => self.archs(names),
                StatementKind::Const { name, value } => {
                    self.push(name, Kind::Constant { of: None }, true);
                    self.expr(value, None, None);
                }
                StatementKind::Group { name, patterns } => {
                    self.push(name, Kind::Group, true);
                    self.patterns(patterns);
                }
                StatementKind::Rule { action, patterns, .. } => {
                    self.action(action);
                    self.patterns(patterns);
                }
                StatementKind::When { guards, body } => {
                    for guard in guards {
                        match &guard.kind {
                            GuardKind::Arch(names) => self.archs(names),
                            GuardKind::Cap(name) => self.push(name, Kind::Capability, false),
                            GuardKind::Kernel(name) => self.push(name, Kind::Kernel, false),
                        }
                    }
                    self.statements(body);
                }
                StatementKind::Assert { title, claims } => {
                    self.push(title, Kind::Title, true);
                    for claim in claims {
                        match &claim.outcome {
                            Outcome::Action(action) => self.action(action),
                            Outcome::Refused(word) | Outcome::Runs(word) => {
                                let name = self.text[word.range()].to_owned();
                                self.marks.push(Mark { span: *word, name, kind: Kind::Outcome, defines: false });
                            }
                        }
                        self.patterns(&claim.patterns);
                    }
                }
                StatementKind::Syscall { name, params, number, archs } => {
                    self.push(name, Kind::Syscall, true);
                    for param in params.iter().flatten() {
                        self.push(&param.name, Kind::Parameter { call: name.text.clone() }, true);
                        self.push(&param.ty, Kind::Type, false);
                    }
                    self.expr(number, None, None);
                    self.archs(archs);
                }
                StatementKind::Flags(names) => {
                    for name in names {
                        self.push(name, Kind::Flag, false);
                    }
                }
                StatementKind::Listener { .. } | StatementKind::Broken => {}
            }
        }
    }

    fn path(&mut self, include: &Include, within: bool) {
        self.push(&include.path, Kind::Path { library: include.library, within }, false);
    }

    fn archs(&mut self, names: &[Name]) {
        for name in names {
            self.push(name, Kind::Arch, false);
        }
    }

    fn action(&mut self, action: &ActionExpr) {
        self.push(&action.word, Kind::Action, false);
        let Some(argument) = &action.argument else { return };
        match &argument.kind {
            ExprKind::Name(name) if tables::errno(name, Arch::X86_64).is_some() => {
                let mark = Mark { span: argument.span, name: name.clone(), kind: Kind::Errno, defines: false };
                self.marks.push(mark);
            }
            _ => self.expr(argument, None, None),
        }
    }

    fn patterns(&mut self, patterns: &[Pattern]) {
        for pattern in patterns {
            match &pattern.kind {
                PatternKind::Group(name) => self.push(name, Kind::Group, false),
                PatternKind::Call { name, conditions } => {
                    self.push(name, Kind::Syscall, false);
                    for condition in conditions {
                        self.expr(condition, Some(&name.text), None);
                    }
                }
            }
            self.patterns(&pattern.except);
        }
    }

    fn parameter(&self, call: &str, name: &str) -> Option<String> {
        let declared = self.declared.iter().find(|(of, _)| *of == call).map_or(&[][..], |(_, params)| params);
        if declared.iter().any(|param| param.name.text == name) {
            return Some(name.to_owned());
        }
        let taken = declared.iter().any(|param| register::is_old_name(&param.name.text));
        parameter(call, name).filter(|_| !taken || !register::is_old_name(name))
    }

    /// The parameter that an expression tests: the first name in it that is one.
    fn tested(&self, call: &str, expr: &Expr) -> Option<String> {
        match &expr.kind {
            ExprKind::Name(name) => self.parameter(call, name),
            ExprKind::Paren(inner) | ExprKind::Unary(_, inner) => self.tested(call, inner),
            ExprKind::Chain { first, rest } => {
                let all = std::iter::once(&**first).chain(rest.iter().map(|(.., operand)| operand));
                all.into_iter().find_map(|operand| self.tested(call, operand))
            }
            _ => None,
        }
    }

    fn expr(&mut self, expr: &Expr, call: Option<&str>, of: Option<&str>) {
        match &expr.kind {
            ExprKind::Number(_) => {}
            ExprKind::Name(name) => {
                let kind = match call {
                    Some(call) if self.parameter(call, name).is_some() => Kind::Parameter { call: call.to_owned() },
                    Some(call) => Kind::Constant { of: of.map(|param| (call.to_owned(), param.to_owned())) },
                    None => Kind::Constant { of: None },
                };
                // What stands in parentheses has them in its span.
                let start = expr.span.start as usize + self.text[expr.span.range()].find(name.as_str()).unwrap_or(0);
                let span = Span::new(start, start + name.len());
                self.marks.push(Mark { span, name: name.clone(), kind, defines: false });
            }
            ExprKind::Paren(inner) | ExprKind::Unary(_, inner) => self.expr(inner, call, of),
            ExprKind::Chain { first, rest } => {
                let own = call.and_then(|call| self.tested(call, expr));
                let of = of.or(own.as_deref());
                self.expr(first, call, of);
                for (.., operand) in rest {
                    self.expr(operand, call, of);
                }
            }
            ExprKind::Compare { left, right, .. } | ExprKind::In { left, set: right, .. } => {
                let own = call.and_then(|call| self.tested(call, left).or_else(|| self.tested(call, right)));
                self.expr(left, call, own.as_deref());
                self.expr(right, call, own.as_deref());
            }
            ExprKind::Set(items) => {
                for item in items {
                    self.expr(&item.low, call, of);
                    if let Some(high) = &item.high {
                        self.expr(high, call, of);
                    }
                }
            }
            ExprKind::And(parts) | ExprKind::Or(parts) => {
                for part in parts {
                    self.expr(part, call, None);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use super::*;

    fn drawn(text: &str) -> Vec<String> {
        let (file, _) = kpol_grammar::parse(text);
        of(text, &file).iter().map(|mark| format!("{} {:?}", &text[mark.span.range()], mark.kind)).collect()
    }

    #[test]
    fn constants_know_what_they_are_compared_with() {
        assert_eq!(
            drawn("allow { @net, socket(domain in {AF_UNIX, X}, type & M == S) }"),
            [
                "allow Action",
                "@net Group",
                "socket Syscall",
                "domain Parameter { call: \"socket\" }",
                "AF_UNIX Constant { of: Some((\"socket\", \"family\")) }",
                "X Constant { of: Some((\"socket\", \"family\")) }",
                "type Parameter { call: \"socket\" }",
                "M Constant { of: Some((\"socket\", \"type\")) }",
                "S Constant { of: Some((\"socket\", \"type\")) }",
            ]
        );
    }

    #[test]
    fn declared_calls_have_their_own_parameters() {
        let text = "syscall listns = 470 on x86_64 syscall f(a: int) = 1 on x86_64 allow { f(a == (B)), f(reg1 == 2) }";
        let drawn = drawn(text);
        assert!(drawn.contains(&"a Parameter { call: \"f\" }".to_owned()), "{drawn:?}");
        assert!(drawn.contains(&"B Constant { of: Some((\"f\", \"a\")) }".to_owned()), "{drawn:?}");
        assert!(drawn.contains(&"reg1 Parameter { call: \"f\" }".to_owned()), "{drawn:?}");
    }

    #[test]
    fn a_register_is_what_no_parameter_is_called() {
        assert_eq!(parameter("socket", "arg1").as_deref(), Some("arg1"));
        assert_eq!(parameter("prctl", "arg2").as_deref(), Some("arg2"));
        assert_eq!(parameter("prctl", "arg1"), None, "its parameters are arg2 to arg5");
        assert_eq!(parameter("prctl", "reg1").as_deref(), Some("reg1"));
        let drawn = drawn("syscall f(arg2: int) = 470 on x86_64 allow { f(arg2 == 1), f(arg1 == 1) }");
        assert!(drawn.contains(&"arg2 Parameter { call: \"f\" }".to_owned()), "{drawn:?}");
        assert!(drawn.contains(&"arg1 Constant { of: None }".to_owned()), "{drawn:?}");
    }

    #[test]
    fn a_cursor_before_a_word_is_in_it() {
        let text = "allow{read}";
        let (file, _) = kpol_grammar::parse(text);
        let marks = of(text, &file);
        let name = |offset| at(&marks, offset).map(|mark| mark.name.as_str());
        assert_eq!(
            [name(0), name(5), name(6), name(10), name(11)],
            [Some("allow"), Some("allow"), Some("read"), Some("read"), None]
        );
    }
}
