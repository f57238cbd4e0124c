//! Tree → typed statements, and the errors of what the grammar could not read.
//!
//! ```text
//! patterns                          [Pattern read, Pattern bind]
//!   pattern "read"
//!   broken_pattern "socket;"        error: expected `,`, found `;`
//!   pattern "bind"
//! ```
//!
//! An element that is broken, or has something broken in it, is left out; what stands beside it stays.

use crate::ast::{
    ActionExpr, Claim, Comment, CommentKind, Expr, File, Guard, GuardKind, Include, Name, Outcome, ParamDecl, Pattern,
    PatternKind, Span, Statement, StatementKind,
};
use crate::diagnose;
use crate::near::did_you_mean;
use crate::parse::{SyntaxError, SyntaxErrorKind};
use crate::tree::{NodeId, Rule, Tree};
use crate::words;

/// Walks a tree once.
pub(crate) struct Builder<'a> {
    pub(crate) text: &'a str,
    pub(crate) tree: &'a Tree,
    pub(crate) errors: Vec<SyntaxError>,
    comments: &'a [Comment],
    /// The first comment that may stand before the next statement.
    next_comment: usize,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(text: &'a str, tree: &'a Tree, comments: &'a [Comment]) -> Self {
        Self { text, tree, errors: Vec::new(), comments, next_comment: 0 }
    }

    pub(crate) fn slice(&self, span: Span) -> &'a str {
        self.text.get(span.range()).unwrap_or("")
    }

    /// Reports a mistake; what is returned can be furnished with help.
    pub(crate) fn error(&mut self, kind: SyntaxErrorKind, span: Span, message: String) -> &mut SyntaxError {
        self.errors.push(SyntaxError { kind, span, message, related: None, help: None, fix: None });
        let last = self.errors.len() - 1;
        &mut self.errors[last]
    }

    /// The file of the whole tree.
    pub(crate) fn file(&mut self) -> File {
        let doc = lines_of(self.text, self.comments.iter().filter(|comment| comment.kind == CommentKind::FileDoc));
        let statements = self.statements(self.tree.root());
        File { doc, statements, comments: self.comments.to_vec() }
    }

    fn name(&self, id: NodeId) -> Name {
        let span = self.tree.span(id);
        Name { text: self.slice(span).to_owned(), span }
    }

    fn child_name(&self, id: NodeId, rule: Rule) -> Option<Name> {
        self.tree.child(id, rule).map(|child| self.name(child))
    }

    fn child_span(&self, id: NodeId, rule: Rule) -> Option<Span> {
        self.tree.child(id, rule).map(|child| self.tree.span(child))
    }

    /// The statements directly below a file or the body of a `when`.
    fn statements(&mut self, id: NodeId) -> Vec<Statement> {
        let tree = self.tree;
        let mut statements: Vec<Statement> = Vec::new();
        let mut stray = false;
        for child in tree.children(id) {
            let span = tree.span(child);
            match tree.rule(child) {
                Rule::statement => {
                    let doc = self.doc_before(span.start);
                    let kind = tree.children(child).next().and_then(|inner| self.statement(inner));
                    statements.push(Statement { span, doc, kind: kind.unwrap_or(StatementKind::Broken) });
                    stray = false;
                }
                rule @ (Rule::broken_top | Rule::broken_statement) => {
                    // What follows a broken statement on its line is the same mistake.
                    if !stray || !self.same_line(statements.last().map(|last| last.span), span) {
                        let previous = statements.last();
                        diagnose::statement(self.text, span, previous, &mut self.errors);
                    }
                    statements.push(Statement { span, doc: None, kind: StatementKind::Broken });
                    stray = rule == Rule::broken_top;
                }
                _ => {}
            }
        }
        statements
    }

    fn same_line(&self, previous: Option<Span>, span: Span) -> bool {
        previous.is_some_and(|previous| !self.slice(Span { start: previous.end, end: span.start }).contains('\n'))
    }

    /// The `///` lines that end directly above `start`.
    fn doc_before(&mut self, start: u32) -> Option<String> {
        let from = self.next_comment;
        let behind = from + self.comments[from..].partition_point(|comment| comment.span.start < start);
        self.next_comment = behind;
        let mut first = behind;
        let mut below = start;
        while first > from {
            let comment = self.comments[first - 1];
            let gap = self.slice(Span { start: comment.span.end, end: below });
            let before = self.text[..comment.span.start as usize].trim_end_matches([' ', '\t']);
            let behind_code = !(before.is_empty() || before.ends_with('\n'));
            if behind_code
                || comment.kind != CommentKind::Doc
                || gap.matches('\n').count() != 1
                || !gap.trim().is_empty()
            {
                break;
            }
            below = comment.span.start;
            first -= 1;
        }
        lines_of(self.text, &self.comments[first..behind])
    }

    fn statement(&mut self, id: NodeId) -> Option<StatementKind> {
        let tree = self.tree;
        Some(match tree.rule(id) {
            Rule::include => StatementKind::Include(self.include(id)?),
            Rule::within => StatementKind::Within(self.include(id)?),
            Rule::default => {
                let over = self.child_span(id, Rule::kw_override);
                StatementKind::Default { over, action: self.action(tree.child(id, Rule::action)?)? }
            }
            Rule::arch => StatementKind::Arch(self.names(id, Rule::arch_name)),
            Rule::constant => {
                let name = self.child_name(id, Rule::name)?;
                StatementKind::Const { name, value: self.expr(tree.child(id, Rule::expr)?)? }
            }
            Rule::group => {
                let name = self.group_name(tree.child(id, Rule::group_name)?);
                let patterns = self.patterns(tree.child(id, Rule::patterns)?);
                StatementKind::Group { name: name?, patterns }
            }
            Rule::action_rule => {
                let over = self.child_span(id, Rule::kw_override);
                let action = tree.child(id, Rule::action)?;
                let known = self.known_action(action);
                let action = self.action(action);
                let patterns = self.patterns(tree.child(id, Rule::patterns)?);
                if !known {
                    return None;
                }
                StatementKind::Rule { over, action: action?, patterns }
            }
            Rule::when => {
                let guards = tree.children(id).filter(|&child| tree.rule(child) == Rule::guard);
                let guards = guards.filter_map(|guard| self.guard(guard)).collect();
                let body = tree.child(id, Rule::body)?;
                let statements = self.statements(body);
                self.closed(body);
                StatementKind::When { guards, body: statements }
            }
            Rule::assert => {
                let title = self.string(tree.child(id, Rule::string)?);
                StatementKind::Assert { title, claims: self.claims(tree.child(id, Rule::claims)?) }
            }
            Rule::waive => {
                let because = self.child_span(id, Rule::kw_because)?;
                let mut strings = tree.children(id).filter(|&child| tree.rule(child) == Rule::string);
                let title = strings.next().map(|title| self.string(title))?;
                // The path behind `from` is a string as well.
                let reason = strings.find(|&text| tree.span(text).start >= because.end);
                let from = self.child_span(id, Rule::kw_from).and_then(|from| self.path_behind(id, from));
                StatementKind::Waive { title, from, reason: self.string(reason?) }
            }
            Rule::syscall => {
                let name = self.child_name(id, Rule::name)?;
                let params = tree.child(id, Rule::params).map(|params| self.params(params));
                let number = self.expr(tree.child(id, Rule::expr)?);
                let archs = self.names(id, Rule::arch_name);
                StatementKind::Syscall { name, params, number: number?, archs }
            }
            Rule::flags => StatementKind::Flags(self.flags(tree.child(id, Rule::flag_list)?)),
            Rule::listener => {
                let mut strings = tree.children(id).filter(|&child| tree.rule(child) == Rule::string);
                let path = strings.next().map(|path| self.string(path))?;
                StatementKind::Listener { path, metadata: strings.next().map(|text| self.string(text)) }
            }
            _ => return None,
        })
    }

    fn names(&self, id: NodeId, rule: Rule) -> Vec<Name> {
        self.tree.children(id).filter(|&child| self.tree.rule(child) == rule).map(|child| self.name(child)).collect()
    }

    fn include(&self, id: NodeId) -> Option<Include> {
        self.path_behind(id, Span::default())
    }

    /// The first path that stands behind `start`.
    fn path_behind(&self, id: NodeId, start: Span) -> Option<Include> {
        let tree = self.tree;
        let is_path = |child| matches!(tree.rule(child), Rule::string | Rule::library);
        let path = tree.children(id).find(|&child| is_path(child) && tree.span(child).start >= start.end)?;
        let span = tree.span(path);
        let library = tree.rule(path) == Rule::library;
        let text = self.slice(span);
        let inner = if library { text.trim_matches(['<', '>']) } else { unquoted(text) };
        Some(Include { path: Name { text: inner.to_owned(), span }, library })
    }

    fn string(&self, id: NodeId) -> Name {
        let span = self.tree.span(id);
        let mut text = String::new();
        let mut chars = unquoted(self.slice(span)).chars();
        while let Some(next) = chars.next() {
            text.push(if next == '\\' { chars.next().unwrap_or('\\') } else { next });
        }
        Name { text, span }
    }

    fn group_name(&mut self, id: NodeId) -> Option<Name> {
        let name = self.name(id);
        let mut chars = name.text.chars().skip(1);
        if chars.next().is_some_and(|first| first.is_ascii_alphabetic()) {
            return Some(name);
        }
        let message = match name.text.as_str() {
            "@" => "a group needs a name behind `@`".to_owned(),
            text => format!("`{}` is no name of a group", diagnose::short(text)),
        };
        let error = self.error(SyntaxErrorKind::BadName, name.span, message);
        error.help = Some("a letter, then letters, digits, `-` and `_`".to_owned());
        None
    }

    /// Whether a rule begins with one of the eight actions; if not, that is reported.
    fn known_action(&mut self, id: NodeId) -> bool {
        let Some(word) = self.child_name(id, Rule::action_word) else { return false };
        if words::ACTIONS.contains(&word.text.as_str()) {
            return true;
        }
        diagnose::unknown_statement(&word, &words::ACTIONS, &mut self.errors);
        false
    }

    fn action(&mut self, id: NodeId) -> Option<ActionExpr> {
        let tree = self.tree;
        let word = self.child_name(id, Rule::action_word)?;
        let argument = match tree.child(id, Rule::action_argument) {
            Some(argument) => {
                let expr = tree.child(argument, Rule::expr).and_then(|expr| self.expr(expr));
                self.closed(argument);
                Some(expr?)
            }
            None => None,
        };
        Some(ActionExpr { word, argument })
    }

    fn guard(&mut self, id: NodeId) -> Option<Guard> {
        let tree = self.tree;
        let negated = self.child_span(id, Rule::kw_not);
        let inner = tree.children(id).find(|&child| tree.rule(child) != Rule::kw_not)?;
        let kind = match tree.rule(inner) {
            Rule::guard_arch => GuardKind::Arch(self.names(inner, Rule::name)),
            Rule::guard_cap => GuardKind::Cap(self.child_name(inner, Rule::name)?),
            Rule::guard_kernel => GuardKind::Kernel(self.child_name(inner, Rule::version)?),
            _ => return None,
        };
        Some(Guard { span: tree.span(id), negated, kind })
    }

    fn claims(&mut self, id: NodeId) -> Vec<Claim> {
        let tree = self.tree;
        let mut claims = Vec::new();
        for child in tree.children(id) {
            let span = tree.span(child);
            match tree.rule(child) {
                Rule::claim => {
                    let negated = self.child_span(child, Rule::kw_not);
                    let outcome = self.outcome(child);
                    let patterns = tree.child(child, Rule::patterns).map(|patterns| self.patterns(patterns));
                    if let (Some(outcome), Some(patterns)) = (outcome, patterns) {
                        claims.push(Claim { span, negated, outcome, patterns });
                    }
                }
                Rule::broken_claim => diagnose::fragment(self.text, Rule::lone_claim, span, &mut self.errors),
                _ => {}
            }
        }
        self.closed(id);
        claims
    }

    fn outcome(&mut self, claim: NodeId) -> Option<Outcome> {
        if let Some(span) = self.child_span(claim, Rule::kw_refused) {
            return Some(Outcome::Refused(span));
        }
        if let Some(span) = self.child_span(claim, Rule::kw_runs) {
            return Some(Outcome::Runs(span));
        }
        let action = self.tree.child(claim, Rule::action)?;
        self.action(action).map(Outcome::Action)
    }

    fn params(&self, id: NodeId) -> Vec<ParamDecl> {
        let tree = self.tree;
        let params = tree.children(id).filter(|&child| tree.rule(child) == Rule::param);
        params
            .filter_map(|param| {
                let name = self.child_name(param, Rule::name)?;
                Some(ParamDecl { name, ty: self.child_name(param, Rule::type_name)? })
            })
            .collect()
    }

    fn flags(&mut self, id: NodeId) -> Vec<Name> {
        let tree = self.tree;
        let mut flags: Vec<Name> = Vec::new();
        for child in tree.children(id) {
            match tree.rule(child) {
                Rule::name => flags.push(self.name(child)),
                Rule::broken_element => {
                    diagnose::fragment(self.text, Rule::lone_element, tree.span(child), &mut self.errors);
                }
                Rule::missing_comma => self.missing_comma(flags.last().map(|flag| flag.span), child),
                Rule::stray_comma => self.stray_comma(child, "a flag"),
                _ => {}
            }
        }
        self.closed(id);
        flags
    }

    fn patterns(&mut self, id: NodeId) -> Vec<Pattern> {
        let tree = self.tree;
        let mut patterns = Vec::new();
        let mut last = None;
        for child in tree.children(id) {
            let span = tree.span(child);
            match tree.rule(child) {
                Rule::pattern => {
                    patterns.extend(self.pattern(child));
                    last = Some(span);
                }
                Rule::broken_pattern => diagnose::fragment(self.text, Rule::lone_pattern, span, &mut self.errors),
                Rule::missing_comma => self.missing_comma(last, child),
                Rule::stray_comma => self.stray_comma(child, "a syscall or a group"),
                _ => {}
            }
        }
        self.closed(id);
        patterns
    }

    fn pattern(&mut self, id: NodeId) -> Option<Pattern> {
        let tree = self.tree;
        let mut kind = None;
        let mut except = Vec::new();
        for child in tree.children(id) {
            match tree.rule(child) {
                Rule::call => {
                    let conditions = match tree.child(child, Rule::arguments) {
                        Some(arguments) => self.conditions(arguments),
                        None => Some(Vec::new()),
                    };
                    let name = self.child_name(child, Rule::name);
                    kind = name.zip(conditions).map(|(name, conditions)| PatternKind::Call { name, conditions });
                }
                Rule::group_name => kind = self.group_name(child).map(PatternKind::Group),
                Rule::except => {
                    if let Some(inner) = tree.child(child, Rule::patterns) {
                        except.extend(self.patterns(inner));
                    }
                }
                _ => {}
            }
        }
        Some(Pattern { span: tree.span(id), kind: kind?, except })
    }

    /// The conditions of a call; `None` if one of them is broken, since the others alone match more.
    fn conditions(&mut self, id: NodeId) -> Option<Vec<Expr>> {
        let tree = self.tree;
        let before = self.errors.len();
        let mut conditions = Vec::new();
        let mut last = None;
        for child in tree.children(id) {
            let span = tree.span(child);
            match tree.rule(child) {
                Rule::expr => {
                    conditions.extend(self.expr(child));
                    last = Some(child);
                }
                Rule::broken_condition => diagnose::fragment(self.text, Rule::lone_condition, span, &mut self.errors),
                Rule::missing_comma => self.missing_operator(last, child),
                Rule::stray_comma => self.stray_comma(child, "a condition"),
                _ => {}
            }
        }
        self.closed(id);
        (self.errors.len() == before).then_some(conditions)
    }

    /// `family AF_UNIX`: two names in a row inside `( )` miss an operator more likely than a comma.
    fn missing_operator(&mut self, last: Option<NodeId>, id: NodeId) {
        let bare = last.filter(|&last| {
            let mut children = self.tree.children(last);
            children.next().is_some_and(|only| self.tree.rule(only) == Rule::name) && children.next().is_none()
        });
        let Some(bare) = bare else {
            return self.missing_comma(last.map(|last| self.tree.span(last)), id);
        };
        let name = diagnose::short(self.slice(self.tree.span(bare)));
        let (found, span) = diagnose::found(self.text, self.tree.span(id).start as usize);
        // `in [A, B]`: what follows is reported for its bracket.
        if self.text[span.range()] == *"in" && self.text[span.end as usize..].trim_start().starts_with('[') {
            return;
        }
        let error = self.error(
            SyntaxErrorKind::Unexpected,
            span,
            format!("expected an operator after `{name}`, found {found}"),
        );
        error.help = Some(format!("such as `{name} == …`, `{name} & … == 0` or `{name} in {{ … }}`"));
    }

    pub(crate) fn missing_comma(&mut self, last: Option<Span>, id: NodeId) {
        let (found, span) = diagnose::found(self.text, self.tree.span(id).start as usize);
        let after = last.map_or(span.start, |last| last.end);
        let error = self.error(SyntaxErrorKind::Unexpected, span, format!("expected `,` before {found}"));
        error.fix = Some(("insert a comma".to_owned(), Span { start: after, end: after }, ",".to_owned()));
    }

    fn stray_comma(&mut self, id: NodeId, expected: &str) {
        let span = self.tree.span(id);
        let error = self.error(SyntaxErrorKind::Unexpected, span, format!("expected {expected}, found `,`"));
        error.fix = Some(("remove the comma".to_owned(), span, String::new()));
    }

    /// Reports a bracket that is not closed. Where several end at one place, the innermost is named.
    pub(crate) fn closed(&mut self, id: NodeId) {
        let tree = self.tree;
        let missing = tree
            .children(id)
            .find(|&child| matches!(tree.rule(child), Rule::unclosed | Rule::unclosed_set | Rule::unclosed_paren));
        let (Some(missing), Some(opener)) = (missing, tree.children(id).next()) else { return };
        let opener = tree.span(opener);
        let (bracket, partner) = if self.slice(opener) == "(" { ("(", ")") } else { ("{", "}") };
        let (found, at) = diagnose::found(self.text, tree.span(missing).start as usize);
        if self.errors.iter().rev().take(8).any(|error| error.kind == SyntaxErrorKind::Unclosed && error.span == at) {
            return;
        }
        let message = format!("expected `{partner}`, found {found}");
        let error = self.error(SyntaxErrorKind::Unclosed, at, message);
        error.related = Some((opener, format!("this `{bracket}` is not closed")));
    }
}

/// A string's text without its quotes; the closing one may be missing.
fn unquoted(text: &str) -> &str {
    let inner = text.strip_prefix('"').unwrap_or(text);
    inner.strip_suffix('"').unwrap_or(inner)
}

/// The words of doc comments, one line each.
fn lines_of<'c>(text: &str, comments: impl IntoIterator<Item = &'c Comment>) -> Option<String> {
    let mut doc: Option<String> = None;
    for comment in comments {
        let line = text.get(comment.span.range()).unwrap_or("");
        let line = line.get(3..).unwrap_or("");
        let line = line.strip_prefix(' ').unwrap_or(line).trim_end();
        match &mut doc {
            Some(doc) => {
                doc.push('\n');
                doc.push_str(line);
            }
            None => doc = Some(line.to_owned()),
        }
    }
    doc
}

/// What a misspelt word at the start of a statement was meant to be.
pub(crate) fn nearest_statement(word: &str) -> Option<&'static str> {
    did_you_mean(word, words::KEYWORDS.into_iter().chain(words::ACTIONS))
}
