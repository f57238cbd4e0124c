//! Every word with what it is, for an editor that colours by meaning.
//!
//! ```text
//! allow { read }      allow keyword · read function, of the kernel
//! ```

use kpol_grammar::ast::{CommentKind, Span};
use kpol_grammar::tree::Rule;

use crate::marks;
use crate::unit::Unit;

/// What a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Kind {
    Keyword,
    Action,
    Syscall,
    Group,
    Parameter,
    Constant,
    Arch,
    Flag,
    Type,
    Number,
    Text,
    Comment,
    Operator,
}

/// A word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// Where; within one line.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
    /// Whether it is said here what it means.
    pub defines: bool,
    /// Whether the kernel or kpolc defines it.
    pub builtin: bool,
    /// Whether it documents something.
    pub documents: bool,
}

/// All words, or those that touch a range, in the order of the text.
pub fn of(unit: &Unit, range: Option<Span>) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let plain = |span, kind| Token { span, kind, defines: false, builtin: false, documents: false };
    let marks = unit.marks();
    for id in unit.tokens.tokens() {
        let span = unit.tokens.span(id);
        if let Ok(at) = marks.binary_search_by_key(&span.start, |mark| mark.span.start) {
            tokens.push(named(&marks[at]));
            continue;
        }
        let kind = match unit.tokens.rule(id) {
            Rule::number | Rule::version => Kind::Number,
            Rule::string | Rule::library => Kind::Text,
            Rule::eq
            | Rule::ne
            | Rule::le
            | Rule::ge
            | Rule::lt
            | Rule::gt
            | Rule::shl
            | Rule::shr
            | Rule::pipe
            | Rule::caret
            | Rule::amp
            | Rule::plus
            | Rule::minus
            | Rule::tilde
            | Rule::bang
            | Rule::and_and
            | Rule::or_or
            | Rule::assign
            | Rule::dotdot => Kind::Operator,
            Rule::kw_include
            | Rule::kw_default
            | Rule::kw_override
            | Rule::kw_arch
            | Rule::kw_const
            | Rule::kw_group
            | Rule::kw_when
            | Rule::kw_assert
            | Rule::kw_within
            | Rule::kw_waive
            | Rule::kw_from
            | Rule::kw_because
            | Rule::kw_syscall
            | Rule::kw_flags
            | Rule::kw_listener
            | Rule::kw_except
            | Rule::kw_not
            | Rule::kw_in
            | Rule::kw_on
            | Rule::kw_cap
            | Rule::kw_kernel => Kind::Keyword,
            _ => continue,
        };
        tokens.push(plain(span, kind));
    }
    for comment in &unit.file().comments {
        let documents = matches!(comment.kind, CommentKind::Doc | CommentKind::FileDoc);
        tokens.push(Token { documents, ..plain(comment.span, Kind::Comment) });
    }
    tokens.sort_by_key(|token| token.span);
    let touches = |span: &Span| range.is_none_or(|range| span.start <= range.end && range.start <= span.end);
    tokens.into_iter().filter(|token| touches(&token.span)).flat_map(|token| by_line(unit, token)).collect()
}

fn named(mark: &marks::Mark) -> Token {
    let kernel = |known: bool| known && !mark.defines;
    let (kind, builtin) = match &mark.kind {
        marks::Kind::Syscall => (Kind::Syscall, kernel(kpol_compiler::tables::syscall(&mark.name).is_some())),
        marks::Kind::Group => (Kind::Group, kernel(super::groups::all().contains_key(&mark.name))),
        marks::Kind::Constant { .. } => (Kind::Constant, kernel(kpol_compiler::tables::is_constant(&mark.name))),
        marks::Kind::Errno => (Kind::Constant, true),
        marks::Kind::Capability => (Kind::Constant, true),
        marks::Kind::Parameter { .. } => (Kind::Parameter, false),
        marks::Kind::Action | marks::Kind::Outcome => (Kind::Action, false),
        marks::Kind::Arch => (Kind::Arch, true),
        marks::Kind::Flag => (Kind::Flag, true),
        marks::Kind::Type => (Kind::Type, false),
        marks::Kind::Kernel => (Kind::Number, false),
        marks::Kind::Path { .. } | marks::Kind::Title => (Kind::Text, false),
    };
    let defines = mark.defines && !matches!(mark.kind, marks::Kind::Title);
    Token { span: mark.span, kind, defines, builtin, documents: false }
}

/// A block comment is a token on each of its lines.
fn by_line(unit: &Unit, token: Token) -> Vec<Token> {
    let text = unit.words(token.span);
    if !text.contains('\n') {
        return vec![token];
    }
    let mut start = token.span.start as usize;
    let mut tokens = Vec::new();
    for line in text.split_inclusive('\n') {
        let span = Span::new(start, start + line.trim_end_matches(['\n', '\r']).len());
        if span.start < span.end {
            tokens.push(Token { span, ..token });
        }
        start += line.len();
    }
    tokens
}
