//! Text → tree and errors; never fails.
//!
//! ```text
//! allow { read, socket(family = 1), bind }
//! grop @x { write }
//!
//! statements: allow { read, bind } · Broken
//! errors:     expected `==`, found `=` · no statement begins with `grop`
//! ```
//!
//! The scan (`scan.rs`) bounds the nesting and cuts the text where a list was left open; pest parses each
//! part with a grammar that accepts everything; `build.rs` makes statements of the sound part of
//! the tree and errors of the rest. Time is linear in the text, sound or broken.

use pest::Parser;

use crate::ast::{File, Span};
use crate::build::Builder;
use crate::scan::{self, Chunk};
use crate::syntax::{KpolParser, Rule};
use crate::tree::Tree;

/// How deep `{ }`, `( )` and prefix operators may nest.
pub const MAX_NESTING: usize = 64;

/// What is wrong with the text; the compiler maps each to a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyntaxErrorKind {
    /// Something else was expected here.
    Unexpected,
    /// A comment, string or bracket is not closed.
    Unclosed,
    /// Deeper than [`MAX_NESTING`].
    TooDeep,
    /// A statement begins with a word that is no keyword.
    UnknownStatement,
    /// A number that cannot be read or is larger than 64 bits.
    BadNumber,
    /// A name that cannot be one.
    BadName,
}

/// One mistake in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// Which kind.
    pub kind: SyntaxErrorKind,
    /// Where.
    pub span: Span,
    /// What is wrong: small first letter, no full stop.
    pub message: String,
    /// A second place (the bracket that is not closed) and what to say there.
    pub related: Option<(Span, String)>,
    /// How to mend it.
    pub help: Option<String>,
    /// Replacement of a span that mends it, with its title.
    pub fix: Option<(String, Span, String)>,
}

/// Everything that a text is.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// Every token.
    pub tree: Tree,
    /// Its statements.
    pub file: File,
    /// Everything that is wrong with it, in the order of the text.
    pub errors: Vec<SyntaxError>,
}

/// The typed statements of a text, and everything that is wrong with it.
pub fn parse(text: &str) -> (File, Vec<SyntaxError>) {
    let Parsed { file, errors, .. } = parse_tree(text);
    (file, errors)
}

/// The same with the lossless tree.
pub fn parse_tree(text: &str) -> Parsed {
    let mut tree = Tree::new(text.len());
    if u32::try_from(text.len()).is_err() {
        let message = "this text has more than 4 GiB".to_owned();
        let error = SyntaxError {
            kind: SyntaxErrorKind::Unexpected,
            span: Span::default(),
            message,
            related: None,
            help: None,
            fix: None,
        };
        return Parsed { tree, file: File::default(), errors: vec![error] };
    }
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let scanned = scan::scan(text, start);
    let mut errors = scanned.errors;
    for chunk in &scanned.chunks {
        match KpolParser::parse(Rule::file, &text[chunk.start..chunk.end]) {
            Ok(pairs) => tree.append(pairs, chunk.start),
            // `file` matches every text; should it ever not, say so instead of dropping a part silently.
            Err(_) => errors.push(unreadable(*chunk)),
        }
    }
    let mut builder = Builder::new(text, &tree, &scanned.comments);
    let file = builder.file();
    let found = std::mem::take(&mut builder.errors);
    errors.extend(found.into_iter().filter(|error| !follows_from_cut(text, error, &scanned.chunks)));
    errors.sort_by_key(|error| error.span);
    Parsed { tree, file, errors }
}

fn unreadable(chunk: Chunk) -> SyntaxError {
    SyntaxError {
        kind: SyntaxErrorKind::Unexpected,
        span: Span::new(chunk.start, chunk.end),
        message: "this part of the text cannot be read".to_owned(),
        related: None,
        help: None,
        fix: None,
    }
}

/// Whether an error is only there because what follows was cut out as too deep.
fn follows_from_cut(text: &str, error: &SyntaxError, chunks: &[Chunk]) -> bool {
    let at = error.span.start as usize;
    let index = chunks.partition_point(|chunk| chunk.end < at);
    let near = |chunk: &Chunk| {
        let line = text[..chunk.end].rfind('\n').map_or(0, |newline| newline + 1);
        chunk.cut && line <= at && at <= scan::skip_blank(text, chunk.end)
    };
    chunks[index.saturating_sub(1)..].iter().take(2).any(near)
}
