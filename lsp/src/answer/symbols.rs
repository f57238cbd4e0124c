//! The outline of a file.
//!
//! ```text
//! default deny             default   deny
//! when arch aarch64 {      when      arch aarch64
//!     allow { read }         allow   read
//! }
//! ```

use kpol_grammar::ast::{ActionExpr, File, Pattern, PatternKind, Span, Statement, StatementKind};

use crate::unit::Unit;

/// What a symbol is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `include`, `within`
    File,
    /// `default`, `arch`, `flags`, `listener`
    Setting,
    /// `const`
    Constant,
    /// `group`
    Group,
    /// `allow { … }`
    Rule,
    /// `when`
    Block,
    /// `assert`
    Assert,
    /// `syscall`
    Syscall,
}

/// A line of the outline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// What it is called.
    pub name: String,
    /// What is behind the name.
    pub detail: String,
    /// What it is.
    pub kind: Kind,
    /// All of it, with the comment that documents it.
    pub span: Span,
    /// Its name.
    pub name_span: Span,
    /// What is in it.
    pub children: Vec<Symbol>,
}

/// The outline.
pub fn of(unit: &Unit) -> Vec<Symbol> {
    list(unit, unit.file(), &unit.file().statements)
}

fn list(unit: &Unit, file: &File, statements: &[Statement]) -> Vec<Symbol> {
    statements.iter().filter_map(|statement| one(unit, file, statement)).collect()
}

/// Recursion is bounded by the parser's nesting.
fn one(unit: &Unit, file: &File, statement: &Statement) -> Option<Symbol> {
    let first_word = |length: usize| Span::new(statement.span.start as usize, statement.span.start as usize + length);
    let words = |from: u32, to: u32| {
        let text = unit.text.get(from as usize..to as usize).unwrap_or_default();
        shortened(&text.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    // The span of an action ends with its argument, before the parenthesis.
    let action = |action: &ActionExpr| {
        let close = if action.argument.is_some() { ")" } else { "" };
        format!("{}{close}", unit.words(action.span()))
    };
    let symbol = |name: &str, detail: String, kind, name_span| Symbol {
        name: name.to_owned(),
        detail,
        kind,
        span: statement.span,
        name_span,
        children: Vec::new(),
    };
    Some(match &statement.kind {
        StatementKind::Include(include) => symbol(&include.path.text, "include".into(), Kind::File, include.path.span),
        StatementKind::Within(include) => symbol(&include.path.text, "within".into(), Kind::File, include.path.span),
        StatementKind::Waive { title, .. } => symbol(&title.text, "waive".into(), Kind::Setting, title.span),
        StatementKind::Default { action: what, .. } => {
            symbol("default", action(what), Kind::Setting, first_word("default".len()))
        }
        StatementKind::Arch(names) => {
            let names: Vec<&str> = names.iter().map(|name| name.text.as_str()).collect();
            symbol("arch", names.join(", "), Kind::Setting, first_word(4))
        }
        StatementKind::Const { name, value } => {
            symbol(&name.text, words(value.span.start, value.span.end), Kind::Constant, name.span)
        }
        StatementKind::Group { name, patterns } => symbol(&name.text, members(patterns), Kind::Group, name.span),
        StatementKind::Rule { over, action: what, patterns } => {
            let word = if over.is_some() { format!("override {}", action(what)) } else { action(what) };
            symbol(&word, members(patterns), Kind::Rule, what.word.span)
        }
        StatementKind::When { guards, body } => {
            let guard = match (guards.first(), guards.last()) {
                (Some(first), Some(last)) => words(first.span.start, last.span.end),
                _ => String::new(),
            };
            Symbol { children: list(unit, file, body), ..symbol("when", guard, Kind::Block, first_word(4)) }
        }
        StatementKind::Assert { title, .. } => symbol(&title.text, "assert".into(), Kind::Assert, title.span),
        StatementKind::Syscall { name, archs, number, .. } => {
            let archs: Vec<&str> = archs.iter().map(|name| name.text.as_str()).collect();
            let detail = format!("{} on {}", words(number.span.start, number.span.end), archs.join(", "));
            symbol(&name.text, detail, Kind::Syscall, name.span)
        }
        StatementKind::Flags(names) => {
            let names: Vec<&str> = names.iter().map(|name| name.text.as_str()).collect();
            symbol("flags", names.join(", "), Kind::Setting, first_word(5))
        }
        StatementKind::Listener { path, .. } => symbol("listener", path.text.clone(), Kind::Setting, first_word(8)),
        StatementKind::Broken => return None,
    })
}

/// `read, write, @net, …`
fn members(patterns: &[Pattern]) -> String {
    let names = patterns.iter().take(8).map(|pattern| match &pattern.kind {
        PatternKind::Call { name, .. } | PatternKind::Group(name) => name.text.as_str(),
    });
    let mut text = names.collect::<Vec<_>>().join(", ");
    if patterns.len() > 8 {
        text.push_str(", …");
    }
    shortened(&text)
}

fn shortened(text: &str) -> String {
    const MOST: usize = 80;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
