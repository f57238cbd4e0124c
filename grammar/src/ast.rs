//! Typed view of a `.kpol` file: what the text says, with the place of every word.
//!
//! ```text
//! allow { read, socket(family == AF_UNIX) }
//!
//! Statement::Rule(Rule { action: allow, patterns: [Name "read", Call "socket" [Compare …]] })
//! ```
//!
//! Nothing here knows what a syscall or a constant *is*; names are text. A statement that could not be
//! read is `StatementKind::Broken`, so that the rest of the file keeps its meaning.
//!
//! INVARIANT: every list is as long as the text makes it, but nothing nests deeper than
//! [`MAX_NESTING`](crate::parse::MAX_NESTING): code may recurse over a tree without a bound of its own.

use std::ops::Range;

/// Byte offsets into the text of one file: `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The span `start..end`.
    pub fn new(start: usize, end: usize) -> Self {
        // Files are at most 1 MiB (and the parser refuses more than 4 GiB), so this never saturates.
        let narrow = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { start: narrow(start), end: narrow(end) }
    }

    /// The same as a range, to slice text with.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The smallest span that holds both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// Whether `offset` is inside, or just behind the last byte (where a cursor may stand).
    pub fn touches(self, offset: u32) -> bool {
        self.start <= offset && offset <= self.end
    }
}

/// A word and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The word as written, a group's with its `@`.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// A whole file.
#[derive(Debug, Clone, Default)]
pub struct File {
    /// The lines of `//!` comments joined by newlines, without the marks and one leading space.
    pub doc: Option<String>,
    /// Statements in the order of the text.
    pub statements: Vec<Statement>,
    /// Every comment of the file in the order of the text, doc comments too.
    pub comments: Vec<Comment>,
}

/// A comment, with its marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comment {
    /// `//…` without the line's end, or `/*…*/` whole.
    pub span: Span,
    /// Which of the four.
    pub kind: CommentKind,
}

/// The kinds of comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommentKind {
    /// `// …`
    Line,
    /// `/* … */`
    Block,
    /// `/// …`: documents the next group, const or syscall.
    Doc,
    /// `//! …`: documents the file.
    FileDoc,
}

/// One statement.
#[derive(Debug, Clone)]
pub struct Statement {
    /// From the first word to the last (comments before it are not inside).
    pub span: Span,
    /// The `///` lines directly above, joined by newlines.
    pub doc: Option<String>,
    /// What it says.
    pub kind: StatementKind,
}

/// What a statement says.
#[derive(Debug, Clone)]
pub enum StatementKind {
    /// `include "path"` or `include <path>`
    Include(Include),
    /// `default deny(EPERM)`, `override default kill`
    Default {
        /// Place of the word `override`.
        over: Option<Span>,
        /// What unclaimed calls get.
        action: ActionExpr,
    },
    /// `arch x86_64, aarch64`
    Arch(Vec<Name>),
    /// `const NAME = value` or `const NAME = { … }`
    Const {
        /// The new name.
        name: Name,
        /// Its value.
        value: Expr,
    },
    /// `group @name { … }`
    Group {
        /// The name with its `@`.
        name: Name,
        /// What is in it.
        patterns: Vec<Pattern>,
    },
    /// `allow { … }`, `override deny { … }`
    Rule {
        /// Place of the word `override`.
        over: Option<Span>,
        /// What the calls get.
        action: ActionExpr,
        /// Which calls.
        patterns: Vec<Pattern>,
    },
    /// `when arch x86_64 && not cap CAP_SYS_ADMIN { … }`
    When {
        /// Joined by `&&`.
        guards: Vec<Guard>,
        /// What holds only then.
        body: Vec<Statement>,
    },
    /// `assert "title" { deny { … } not allow { … } refused { … } runs { … } }`
    Assert {
        /// The quoted title, unescaped.
        title: Name,
        /// Statements about the finished policy; may be separated by commas.
        claims: Vec<Claim>,
    },
    /// `within "file"`
    Within(Include),
    /// `waive "title" from <file> because "reason"`
    Waive {
        /// The quoted title of the assertion, unescaped.
        title: Name,
        /// The file that asserts it, where the title alone does not say which.
        from: Option<Include>,
        /// Why it need not hold, unescaped.
        reason: Name,
    },
    /// `syscall name(arg: type, …) = 470 on x86_64, aarch64`
    Syscall {
        /// The new name.
        name: Name,
        /// Its parameters; `None` if none were given at all.
        params: Option<Vec<ParamDecl>>,
        /// The number.
        number: Expr,
        /// Where it has that number.
        archs: Vec<Name>,
    },
    /// `flags { log, tsync }`
    Flags(Vec<Name>),
    /// `listener "/run/x.sock" "metadata"`
    Listener {
        /// The path of the socket.
        path: Name,
        /// Passed on to the agent.
        metadata: Option<Name>,
    },
    /// Could not be read; an error says why.
    Broken,
}

/// `"relative/to/this/file"` or `<from/the/library>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Include {
    /// The path as written, without quotes or angle brackets; the span has them.
    pub path: Name,
    /// Written in angle brackets.
    pub library: bool,
}

/// `deny(EPERM)`.
#[derive(Debug, Clone)]
pub struct ActionExpr {
    /// The word: `allow`, `log`, `deny`, `kill`, `kill_thread`, `trap`, `trace`, `notify`, or a wrong one
    /// (the resolver says so).
    pub word: Name,
    /// In parentheses behind it.
    pub argument: Option<Expr>,
}

impl ActionExpr {
    /// Word and argument.
    pub fn span(&self) -> Span {
        match &self.argument {
            // The closing parenthesis is one byte behind the argument at the least; the parser records it
            // in the argument's own span only where it is parenthesised itself, so add nothing here.
            Some(argument) => self.word.span.to(argument.span),
            None => self.word.span,
        }
    }
}

/// One element of `{ … }`.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// All of it, `except { … }` too.
    pub span: Span,
    /// What it names.
    pub kind: PatternKind,
    /// `except { … }`, possibly several in a row: each takes away.
    pub except: Vec<Pattern>,
}

/// What a pattern names.
#[derive(Debug, Clone)]
pub enum PatternKind {
    /// `read`, or `socket(family == AF_UNIX, …)`
    Call {
        /// The syscall's name.
        name: Name,
        /// Conditions that must all hold; empty for a bare name and for `name()`.
        conditions: Vec<Expr>,
    },
    /// `@basic-io`
    Group(Name),
}

/// One statement inside `assert { … }`.
#[derive(Debug, Clone)]
pub struct Claim {
    /// All of it.
    pub span: Span,
    /// Place of the word `not`.
    pub negated: Option<Span>,
    /// What all (or none) of the calls get.
    pub outcome: Outcome,
    /// The calls.
    pub patterns: Vec<Pattern>,
}

/// What an `assert` says of calls.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// They get this action.
    Action(ActionExpr),
    /// `refused`: they do not run. With the word's place.
    Refused(Span),
    /// `runs`: they run, or may if somebody says so. With the word's place.
    Runs(Span),
}

/// One condition of `when`.
#[derive(Debug, Clone)]
pub struct Guard {
    /// All of it.
    pub span: Span,
    /// Place of the word `not`.
    pub negated: Option<Span>,
    /// What it asks.
    pub kind: GuardKind,
}

/// What a guard asks.
#[derive(Debug, Clone)]
pub enum GuardKind {
    /// `arch A, B`: one of these.
    Arch(Vec<Name>),
    /// `cap CAP_X`
    Cap(Name),
    /// `kernel >= 5.11`; the text of the version as written.
    Kernel(Name),
}

/// `arg: type` of a declared syscall.
#[derive(Debug, Clone)]
pub struct ParamDecl {
    /// The parameter.
    pub name: Name,
    /// Its type as written: `int`, `unsigned long`, `const char *`, `u32` …
    pub ty: Name,
}

/// A value or a test. One grammar for both: what may stand where is said by the resolver.
#[derive(Debug, Clone)]
pub struct Expr {
    /// All of it, with parentheses if it has them.
    pub span: Span,
    /// What it is.
    pub kind: ExprKind,
}

/// The kinds of expression. Chains are flat, so that a long list is not a deep tree.
#[derive(Debug, Clone)]
pub enum ExprKind {
    /// A number: value, and the text for messages is at the span.
    Number(u64),
    /// A constant's, a parameter's, or an errno's name.
    Name(String),
    /// `( … )`
    Paren(Box<Expr>),
    /// `~x`, `-x`, `!x`
    Unary(UnaryOp, Box<Expr>),
    /// `a | b | c`, `a + b - c`: operators of one precedence, left to right.
    /// `rest` is never empty.
    Chain {
        /// The first operand.
        first: Box<Expr>,
        /// Operators (with their places) and operands that follow.
        rest: Vec<(BinaryOp, Span, Expr)>,
    },
    /// `a == b`; not chained (`a < b < c` is a syntax error).
    Compare {
        /// The operator.
        op: CompareOp,
        /// Where it stands.
        op_span: Span,
        /// Left side.
        left: Box<Expr>,
        /// Right side.
        right: Box<Expr>,
    },
    /// `x in { … }`, `x not in NAME`
    In {
        /// `not in`.
        negated: bool,
        /// What is tested.
        left: Box<Expr>,
        /// A `Set`, a `Name`, or something wrong.
        set: Box<Expr>,
    },
    /// `{ a, lo..hi, NAME }`
    Set(Vec<SetItem>),
    /// `a && b && c`; two or more.
    And(Vec<Expr>),
    /// `a || b || c`; two or more.
    Or(Vec<Expr>),
}

/// An element of a set.
#[derive(Debug, Clone)]
pub struct SetItem {
    /// All of it.
    pub span: Span,
    /// The value, or the lower end.
    pub low: Expr,
    /// The upper end of `lo..hi`, inclusive.
    pub high: Option<Expr>,
}

/// Operators with one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnaryOp {
    /// `~`
    BitNot,
    /// `-`
    Minus,
    /// `!`
    Not,
}

/// Operators on values, by precedence from loose to tight: `|`, `^`, `&`, `<< >>`, `+ -`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryOp {
    /// `|`
    Or,
    /// `^`
    Xor,
    /// `&`
    And,
    /// `<<`
    Shl,
    /// `>>`
    Shr,
    /// `+`
    Add,
    /// `-`
    Sub,
}

/// Comparisons; looser than every [`BinaryOp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompareOp {
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}
