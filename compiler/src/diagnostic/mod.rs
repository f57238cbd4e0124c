//! Diagnostics are values: every stage returns what it could make, plus these.
//!
//! ```text
//! E031 at `famly`: `socket` has no parameter `famly`
//!      help: did you mean `family`?         fix: replace `famly` by `family`
//! ```
//!
//! The command line draws them with miette; JSON, SARIF, GitHub annotations, one-line output and the
//! language server all come from the same value.

pub mod code;
pub mod explain;
pub mod render;
pub mod silence;

pub use code::Code;
use kpol_grammar::ast;

/// A file among the [`Sources`](crate::source::Sources) of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u32);

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Which file.
    pub file: FileId,
    /// Which bytes of it.
    pub bytes: ast::Span,
}

/// How bad it is. Also what `kpol.toml` and `--deny`/`--allow` set for warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Does not fail a check.
    Warning,
    /// Fails it.
    Error,
}

/// A place with a word about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// A few words, small first letter, no full stop; may be empty for the primary place.
    pub text: String,
}

/// The text of a label at an `include` that leads to the place of a finding.
pub const INCLUDED: &str = "included here";

/// A change of the text that mends the mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What it does: "replace `famly` by `family`".
    pub title: String,
    /// Replacements that do not overlap, all of them together.
    pub edits: Vec<Edit>,
    /// Whether it can be made without a look at it.
    pub safety: Safety,
}

/// What a fix may do to a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safety {
    /// It keeps what the policy means, or gives a text that cannot be read the one meaning that it can have.
    Safe,
    /// It guesses a name, or changes what calls get: `kpolc check --unsafe-fixes`, or somebody who looks at it.
    Unsafe,
}

/// One replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced; may be empty.
    pub span: Span,
    /// By what.
    pub text: String,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which of the closed list.
    pub code: Code,
    /// The code's own, unless configured.
    pub severity: Severity,
    /// What is wrong, in one line: small first letter, names in backquotes, no full stop.
    pub message: String,
    /// Where. `None` where no file is at fault (a command line option).
    pub primary: Option<Label>,
    /// Other places that matter: the other rule, the group or include that led there.
    pub related: Vec<Label>,
    /// How to mend it.
    pub help: Option<String>,
    /// Facts worth a line of their own, such as a witness call.
    pub notes: Vec<String>,
    /// An edit that mends it.
    pub fix: Option<Fix>,
}

impl Diagnostic {
    /// A finding with its code's severity at `span`.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            message: message.into(),
            primary: Some(Label { span, text: String::new() }),
            related: Vec::new(),
            help: None,
            notes: Vec::new(),
            fix: None,
        }
    }

    /// A finding about no place in a file.
    pub fn without_place(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            message: message.into(),
            primary: None,
            related: Vec::new(),
            help: None,
            notes: Vec::new(),
            fix: None,
        }
    }

    /// Words under the primary place.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        if let Some(primary) = &mut self.primary {
            primary.text = text.into();
        }
        self
    }

    /// Another place that matters.
    #[must_use]
    pub fn related(mut self, span: Span, text: impl Into<String>) -> Self {
        self.related.push(Label { span, text: text.into() });
        self
    }

    /// How to mend it.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// A fact in a line of its own.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// The edit `span` → `text`, to be looked at before it is made.
    #[must_use]
    pub fn fix(mut self, title: impl Into<String>, span: Span, text: impl Into<String>) -> Self {
        let edits = vec![Edit { span, text: text.into() }];
        self.fix = Some(Fix { title: title.into(), edits, safety: Safety::Unsafe });
        self
    }

    /// The edit `span` → `text`, which is [`Safety::Safe`].
    #[must_use]
    pub fn safe_fix(self, title: impl Into<String>, span: Span, text: impl Into<String>) -> Self {
        let mut diagnostic = self.fix(title, span, text);
        if let Some(fix) = &mut diagnostic.fix {
            fix.safety = Safety::Safe;
        }
        diagnostic
    }
}
