//! Tree → text in the one style.
//!
//! ```text
//! allow{read,                      allow { read, write }
//!   write}
//!
//! allow {                          allow {
//!   // files                           // files
//!   read, write, a(fd==1)              read, write,
//! }                                    a(fd == 1),
//!                                  }
//! ```
//!
//! A list stays on one line where it fits, and breaks where a comment or a blank line is in it, or where
//! the author began a new line behind the opening brace. In a broken list the author's lines stay: a line is
//! often a thought, and a name more must not move all others in a review. Only what is too long is wrapped, and
//! what has conditions, an `except` or a comment behind it gets a line of its own.
//!
//! Every token is written through [`Printer::token`], which first writes the comments that stand before
//! it: so none is lost, and their order never changes. Commas alone are made anew.
//!
//! INVARIANT: `format(format(t)) == format(t)`, and both mean what `t` means.

use crate::ast::{Comment, CommentKind, Span};
use crate::parse::parse_tree;
use crate::tree::{NodeId, Rule, Tree};

/// No line is made longer than this, if it can be broken.
const WIDTH: usize = 100;
const INDENT: usize = 4;

/// The text in the one style; `None` where it has syntax errors.
pub fn format(text: &str) -> Option<String> {
    let parsed = parse_tree(text);
    if !parsed.errors.is_empty() {
        return None;
    }
    let mut printer = Printer {
        text,
        tree: &parsed.tree,
        comments: &parsed.file.comments,
        out: String::with_capacity(text.len() + text.len() / 8),
        state: State::default(),
    };
    printer.statements(parsed.tree.root());
    printer.state.sep = Sep::Line;
    printer.comments_before(u32::MAX);
    let mut out = printer.out;
    out.truncate(out.trim_end().len());
    if !out.is_empty() {
        out.push('\n');
    }
    Some(out)
}

/// What stands between the last token and the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum Sep {
    #[default]
    None,
    Space,
    /// A new line that a comment has begun already.
    Begun,
    Line,
}

/// Everything that is taken back when a list turns out not to fit on a line.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    sep: Sep,
    /// The line must end: a `//` comment was written.
    force: bool,
    /// Nothing was written since an opening brace, or at all: no blank line here.
    opened: bool,
    indent: usize,
    next_comment: usize,
    /// Everything must stay on one line.
    flat: bool,
    /// It did not.
    failed: bool,
}

struct Printer<'a> {
    text: &'a str,
    tree: &'a Tree,
    comments: &'a [Comment],
    out: String,
    state: State,
}

impl Printer<'_> {
    // ---- tokens and comments ------------------------------------------------------------------------

    fn slice(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or("")
    }

    fn line_start(&self) -> usize {
        self.out.rfind('\n').map_or(0, |newline| newline + 1)
    }

    fn column(&self) -> usize {
        self.out[self.line_start()..].chars().count()
    }

    /// Whether the source has an empty line directly before `start`.
    fn blank_before(&self, start: u32) -> bool {
        let before = &self.text[..start as usize];
        before.bytes().rev().take_while(u8::is_ascii_whitespace).filter(|&byte| byte == b'\n').count() > 1
    }

    /// Whether a comment is the first thing on its line.
    fn on_own_line(&self, comment: Comment) -> bool {
        let before = self.text[..comment.span.start as usize].trim_end_matches([' ', '\t']);
        before.is_empty() || before == "\u{feff}" || before.ends_with('\n')
    }

    fn newline(&mut self, extra: usize, blank: bool) {
        if self.state.flat {
            self.state.failed = true;
        }
        let content = self.out.trim_end_matches(' ').len();
        self.out.truncate(content);
        if !self.out.is_empty() {
            self.out.push('\n');
            if blank && !self.state.opened {
                self.out.push('\n');
            }
        }
        let indent = self.state.indent + extra;
        self.out.extend(std::iter::repeat_n(' ', indent));
        self.state.force = false;
    }

    fn comments_before(&mut self, offset: u32) {
        while let Some(&comment) = self.comments.get(self.state.next_comment) {
            if comment.span.start >= offset {
                return;
            }
            self.state.next_comment += 1;
            self.comment(comment);
        }
    }

    fn comment(&mut self, comment: Comment) {
        let own_line = self.on_own_line(comment);
        let text = self.slice(comment.span).replace("\r\n", "\n");
        let line_comment = comment.kind != CommentKind::Block;
        let inner = if self.state.sep >= Sep::Begun { 0 } else { INDENT };
        if own_line || self.state.force {
            self.newline(inner, self.blank_before(comment.span.start));
        } else if !self.out.is_empty() && !self.out.ends_with([' ', '(', '\n']) {
            self.out.push(' ');
        }
        self.out.push_str(if line_comment { text.trim_end() } else { &text });
        self.state.opened = false;
        let after = &self.text[comment.span.end as usize..];
        let ends_line = after.trim_start_matches([' ', '\t', '\r']).starts_with('\n');
        if line_comment || (ends_line && (own_line || text.contains('\n'))) {
            self.state.force = true;
        } else if own_line && self.state.sep == Sep::Line {
            self.state.sep = Sep::Begun;
        } else {
            self.state.sep = self.state.sep.max(Sep::Space);
        }
        if self.state.flat && (line_comment || own_line || text.contains('\n')) {
            self.state.failed = true;
        }
    }

    /// Writes a token behind the comments before it and what separates it.
    fn token(&mut self, id: NodeId) {
        let span = self.tree.span(id);
        self.comments_before(span.start);
        if self.state.sep == Sep::Line || self.state.force {
            let inner = if self.state.sep >= Sep::Begun { 0 } else { INDENT };
            self.newline(inner, self.blank_before(span.start));
        } else if self.state.sep != Sep::None && !self.out.is_empty() && !self.out.ends_with([' ', '\n']) {
            self.out.push(' ');
        }
        self.state.sep = Sep::None;
        self.state.opened = false;
        let text = self.text.get(span.range()).unwrap_or("");
        self.out.push_str(text);
    }

    fn spaced(&mut self, id: NodeId) {
        self.state.sep = self.state.sep.max(Sep::Space);
        self.token(id);
    }

    /// Runs `print` on one line; takes everything back if that does not fit or is not possible.
    fn try_flat(&mut self, room: usize, print: impl Fn(&mut Self)) -> bool {
        if self.state.flat {
            // Whoever began the line measures it, once: measuring here as well would be quadratic in its length.
            print(self);
            return true;
        }
        let (before, length) = (self.state, self.out.len());
        self.state.flat = true;
        print(self);
        let fits = !self.state.failed && self.column() + room <= WIDTH;
        if fits {
            self.state.flat = false;
            return true;
        }
        self.out.truncate(length);
        self.state = before;
        false
    }

    // ---- statements ---------------------------------------------------------------------------------

    fn statements(&mut self, parent: NodeId) {
        if parent == self.tree.root() {
            self.state.opened = true;
        }
        let tree = self.tree;
        for child in tree.children(parent) {
            if tree.rule(child) == Rule::statement {
                self.state.sep = if self.state.flat { Sep::Space } else { Sep::Line };
                for inner in tree.children(child) {
                    self.statement(inner);
                }
            }
        }
    }

    fn statement(&mut self, id: NodeId) {
        let tree = self.tree;
        if tree.rule(id) == Rule::waive {
            return self.waive(id);
        }
        let mut names = 0;
        for child in tree.children(id) {
            match tree.rule(child) {
                Rule::action => self.action(child),
                Rule::patterns => self.patterns(child),
                Rule::flag_list => self.list(child, |_| true, Self::token),
                Rule::expr => {
                    self.state.sep = Sep::Space;
                    self.expr_or_break(child);
                }
                Rule::guard => self.guard(child),
                Rule::body => self.body(child),
                Rule::claims => self.claims(child),
                Rule::params => self.params(child),
                Rule::arch_name => {
                    if names > 0 {
                        self.out.push(',');
                    }
                    names += 1;
                    self.spaced(child);
                }
                Rule::comma => {}
                _ if self.state.sep >= Sep::Begun => self.token(child),
                _ => self.spaced(child),
            }
        }
    }

    /// A reason is a sentence: where the line has no room for it, it gets one of its own.
    fn waive(&mut self, id: NodeId) {
        let tree = self.tree;
        let mut words: Vec<NodeId> = tree.children(id).collect();
        let reason = words.iter().position(|&word| tree.rule(word) == Rule::kw_because).unwrap_or(words.len());
        let because = words.split_off(reason);
        for word in words {
            if self.state.sep >= Sep::Begun { self.token(word) } else { self.spaced(word) }
        }
        if !self.try_flat(0, |printer| because.iter().for_each(|&word| printer.spaced(word))) {
            self.state.force = true;
            because.iter().for_each(|&word| self.spaced(word));
        }
    }

    fn action(&mut self, id: NodeId) {
        let tree = self.tree;
        for child in tree.children(id) {
            if tree.rule(child) == Rule::action_argument {
                self.inline(child);
            } else if self.state.sep >= Sep::Begun {
                self.token(child);
            } else {
                self.spaced(child);
            }
        }
    }

    fn guard(&mut self, id: NodeId) {
        let tree = self.tree;
        for child in tree.children(id) {
            if tree.is_leaf(child) {
                self.spaced(child);
                continue;
            }
            let mut names = 0;
            for token in tree.children(child) {
                match tree.rule(token) {
                    Rule::comma => continue,
                    Rule::name if names > 0 => self.out.push(','),
                    _ => {}
                }
                names += usize::from(tree.rule(token) == Rule::name);
                self.spaced(token);
            }
        }
    }

    fn params(&mut self, id: NodeId) {
        let tree = self.tree;
        let mut first = true;
        for child in tree.children(id) {
            match tree.rule(child) {
                Rule::param => {
                    if !first {
                        self.out.push(',');
                        self.state.sep = Sep::Space;
                    }
                    first = false;
                    self.param(child);
                }
                Rule::comma => {}
                _ => self.token(child),
            }
        }
    }

    fn param(&mut self, id: NodeId) {
        let tree = self.tree;
        for child in tree.children(id) {
            if tree.is_leaf(child) && tree.rule(child) != Rule::type_name {
                self.token(child);
                continue;
            }
            let mut after_star = false;
            if tree.is_leaf(child) {
                self.spaced(child);
            }
            for word in tree.children(child) {
                let star = tree.rule(word) == Rule::star;
                if star && after_star {
                    self.token(word)
                } else {
                    self.spaced(word)
                }
                after_star = star;
            }
        }
    }

    /// Tokens without blanks, an expression among them: `(EPERM)`.
    fn inline(&mut self, id: NodeId) {
        let tree = self.tree;
        for child in tree.children(id) {
            if tree.rule(child) == Rule::expr { self.expr(child, false) } else { self.token(child) }
        }
    }

    // ---- blocks -------------------------------------------------------------------------------------

    fn opens_line(&self, id: NodeId) -> bool {
        let mut children = self.tree.children(id);
        let (Some(open), Some(next)) = (children.next(), children.next()) else { return false };
        let gap = Span { start: self.tree.span(open).end, end: self.tree.span(next).start };
        self.slice(gap).contains('\n')
    }

    fn body(&mut self, id: NodeId) {
        let tree = self.tree;
        let count = tree.children(id).filter(|&child| tree.rule(child) == Rule::statement).count();
        self.block(id, count, |printer| printer.statements(id));
    }

    fn claims(&mut self, id: NodeId) {
        let tree = self.tree;
        let count = tree.children(id).filter(|&child| tree.rule(child) == Rule::claim).count();
        self.block(id, count, |printer| {
            for claim in tree.children(id).filter(|&child| tree.rule(child) == Rule::claim) {
                printer.state.sep = if printer.state.flat { Sep::Space } else { Sep::Line };
                for child in tree.children(claim) {
                    match tree.rule(child) {
                        Rule::action => printer.action(child),
                        Rule::patterns => printer.patterns(child),
                        // Behind `not`, or at the start of the line.
                        _ if printer.state.sep >= Sep::Begun => printer.token(child),
                        _ => printer.spaced(child),
                    }
                }
            }
        });
    }

    fn block(&mut self, id: NodeId, count: usize, inner: impl Fn(&mut Self)) {
        let flat = |printer: &mut Self| {
            printer.open(id, Sep::Space);
            inner(printer);
            printer.close(id, if count == 0 { Sep::None } else { Sep::Space });
        };
        if count <= 1 && !self.opens_line(id) && self.try_flat(0, flat) {
            return;
        }
        if self.state.flat {
            self.state.failed = true;
            return;
        }
        self.open(id, Sep::Line);
        self.state.indent += INDENT;
        inner(self);
        self.close_block(id);
    }

    fn open(&mut self, id: NodeId, sep: Sep) {
        if let Some(brace) = self.tree.children(id).next() {
            self.spaced(brace);
        }
        self.state.sep = sep;
        self.state.opened = sep == Sep::Line;
    }

    /// Closes on the same line.
    fn close(&mut self, id: NodeId, sep: Sep) {
        self.state.sep = sep;
        if let Some(brace) = self.tree.children(id).last() {
            self.token(brace);
        }
    }

    /// Closes on a line of its own, one level further out than what is inside.
    fn close_block(&mut self, id: NodeId) {
        let Some(brace) = self.tree.children(id).last() else { return };
        self.state.sep = Sep::Line;
        self.comments_before(self.tree.span(brace).start);
        self.state.indent = self.state.indent.saturating_sub(INDENT);
        self.state.sep = Sep::Line;
        self.state.opened = true;
        self.token(brace);
    }

    // ---- lists --------------------------------------------------------------------------------------

    fn patterns(&mut self, id: NodeId) {
        let tree = self.tree;
        let bare = |pattern: NodeId| {
            tree.children(pattern).all(|part| tree.rule(part) != Rule::except)
                && tree.children(pattern).all(|part| tree.child(part, Rule::arguments).is_none())
        };
        self.list(id, bare, Self::pattern);
    }

    fn pattern(&mut self, id: NodeId) {
        let tree = self.tree;
        for child in tree.children(id) {
            match tree.rule(child) {
                Rule::call => {
                    for part in tree.children(child) {
                        if tree.rule(part) == Rule::arguments { self.arguments(part) } else { self.token(part) }
                    }
                }
                Rule::except => {
                    for part in tree.children(child) {
                        if tree.rule(part) == Rule::patterns { self.patterns(part) } else { self.spaced(part) }
                    }
                }
                _ => self.token(child),
            }
        }
    }

    fn elements(&self, id: NodeId) -> Vec<NodeId> {
        let bracket =
            |rule: Rule| matches!(rule, Rule::lbrace | Rule::rbrace | Rule::lparen | Rule::rparen | Rule::comma);
        self.tree.children(id).filter(|&child| !bracket(self.tree.rule(child))).collect()
    }

    /// `{ a, b }` on one line, or broken and filled.
    fn list(&mut self, id: NodeId, bare: impl Fn(NodeId) -> bool, element: impl Fn(&mut Self, NodeId)) {
        let elements = self.elements(id);
        let flat = |printer: &mut Self| {
            printer.open(id, Sep::Space);
            if printer.in_a_row(&elements, &element) {
                printer.close(id, if elements.is_empty() { Sep::None } else { Sep::Space });
            }
        };
        let keep = self.opens_line(id) && !elements.is_empty();
        let blank = elements.iter().skip(1).any(|&child| self.blank_before(self.tree.span(child).start));
        if !keep && !blank && self.try_flat(1, flat) {
            return;
        }
        if self.state.flat {
            self.state.failed = true;
            return;
        }
        self.open(id, Sep::Line);
        self.filled(id, &elements, bare, element);
    }

    /// Elements on one line with commas between; false as soon as they do not fit.
    fn in_a_row(&mut self, elements: &[NodeId], element: impl Fn(&mut Self, NodeId)) -> bool {
        for (index, &child) in elements.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
                self.state.sep = Sep::Space;
            }
            element(self, child);
            if self.state.failed {
                return false;
            }
        }
        true
    }

    /// The elements and the closing bracket of a broken list.
    fn filled(
        &mut self,
        id: NodeId,
        elements: &[NodeId],
        bare: impl Fn(NodeId) -> bool,
        element: impl Fn(&mut Self, NodeId),
    ) {
        self.state.indent += INDENT;
        let mut column = 0;
        let mut joined = false;
        let end = self.tree.span(id).end;
        for (index, &child) in elements.iter().enumerate() {
            let span = self.tree.span(child);
            let next = elements.get(index + 1).map_or(end, |&next| self.tree.span(next).start);
            let alone = !bare(child) || self.commented(span.end, next);
            let width = self.slice(span).chars().count() + 1;
            let start = if index == 0 { span.start } else { self.tree.span(elements[index - 1]).end };
            let led = self.begins_line(start, span.start) || self.led(start, span.start);
            let same_line = joined && !alone && !led && column + 1 + width <= WIDTH;
            self.state.sep = if same_line { Sep::Space } else { Sep::Line };
            element(self, child);
            self.out.push(',');
            column = if same_line { column + 1 + width } else { self.column() };
            joined = !alone;
        }
        self.close_block(id);
    }

    /// The comments that begin in `from..to`.
    fn comments_in(&self, from: u32, to: u32) -> &[Comment] {
        let first = self.comments.partition_point(|comment| comment.span.start < from);
        let behind = first + self.comments[first..].partition_point(|comment| comment.span.start < to);
        &self.comments[first..behind]
    }

    /// Whether a comment stands behind an element on its line.
    fn commented(&self, from: u32, to: u32) -> bool {
        self.comments_in(from, to).first().is_some_and(|&comment| !self.on_own_line(comment))
    }

    /// Whether the author began a new line before an element: a line of a list is often a thought.
    fn begins_line(&self, from: u32, to: u32) -> bool {
        self.text[from as usize..to as usize].contains('\n')
    }

    /// Whether a comment on a line of its own, or any that ends a line, stands before an element.
    fn led(&self, from: u32, to: u32) -> bool {
        !self.comments_in(from, to).is_empty()
    }

    fn arguments(&mut self, id: NodeId) {
        let elements = self.elements(id);
        let flat = |printer: &mut Self| {
            printer.parenthesis(id);
            if printer.in_a_row(&elements, |printer, child| printer.expr(child, false)) {
                printer.close(id, Sep::None);
            }
        };
        if self.try_flat(1, flat) {
            return;
        }
        self.parenthesis(id);
        self.state.sep = Sep::Line;
        self.state.opened = true;
        self.filled(id, &elements, |_| false, Self::expr_or_break);
    }

    fn parenthesis(&mut self, id: NodeId) {
        if let Some(open) = self.tree.children(id).next() {
            self.token(open);
        }
    }

    // ---- expressions --------------------------------------------------------------------------------

    /// On one line if it fits; else with `||` (or `&&` where there is none) at the start of lines.
    fn expr_or_break(&mut self, id: NodeId) {
        if !self.try_flat(1, |printer| printer.expr(id, false)) {
            self.expr(id, true);
        }
    }

    fn expr(&mut self, id: NodeId, broken: bool) {
        let tree = self.tree;
        // Too long a chain breaks at its loosest operator; `|` joins what makes long constants.
        let joint = [Rule::or_or, Rule::and_and, Rule::pipe].into_iter().find(|&joint| tree.child(id, joint).is_some());
        let mut after_operand = false;
        for child in tree.children(id) {
            let rule = tree.rule(child);
            let operand = matches!(rule, Rule::number | Rule::name | Rule::paren | Rule::set);
            let infix = after_operand && !operand;
            if infix && broken && joint == Some(rule) {
                self.state.indent += INDENT;
                self.state.sep = Sep::Line;
                self.token(child);
                self.state.indent -= INDENT;
            } else if rule == Rule::not_in {
                tree.children(child).for_each(|word| self.spaced(word));
            } else if rule == Rule::paren {
                self.inline(child);
            } else if rule == Rule::set {
                self.set(child);
            } else if infix {
                self.spaced(child);
            } else {
                self.token(child);
            }
            if infix {
                self.state.sep = Sep::Space;
            }
            after_operand = operand;
            if self.state.failed {
                return;
            }
        }
    }

    /// `{A, B}`: without blanks inside, since it is a value.
    fn set(&mut self, id: NodeId) {
        let elements = self.elements(id);
        let flat = |printer: &mut Self| {
            printer.parenthesis(id);
            if printer.in_a_row(&elements, Self::set_item) {
                printer.close(id, Sep::None);
            }
        };
        let blank = elements.iter().skip(1).any(|&child| self.blank_before(self.tree.span(child).start));
        let keep = self.opens_line(id) && !elements.is_empty();
        if !keep && !blank && self.try_flat(1, flat) {
            return;
        }
        if self.state.flat {
            self.state.failed = true;
            return;
        }
        self.parenthesis(id);
        self.state.sep = Sep::Line;
        self.state.opened = true;
        let tree = self.tree;
        // One name or number: what has operators gets a line of its own.
        let bare = |item: NodeId| {
            let mut parts = tree.children(item);
            let leaf =
                |expr: NodeId| tree.children(expr).count() == 1 && tree.children(expr).all(|part| tree.is_leaf(part));
            parts.next().is_some_and(leaf) && parts.next().is_none()
        };
        self.filled(id, &elements, bare, Self::set_item);
    }

    fn set_item(&mut self, id: NodeId) {
        self.inline(id);
    }
}
