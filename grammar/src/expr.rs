//! Flat list of operands and operators → expression, by precedence.
//!
//! ```text
//! a & M == 1 || b < 2     operands a M 1 b 2, operators & == || <
//!
//! Or [ Compare == (Chain & a M) 1, Compare < b 2 ]
//! ```
//!
//! One function per level calls the next tighter one and collects what its own operators join, so a chain
//! of any length is one node, and the recursion is as deep as there are levels. From loose to tight:
//! `||`, `&&`, comparisons and `in`, `|`, `^`, `&`, `<< >>`, `+ -`, prefix `~ - !`.

use crate::ast::{BinaryOp, CompareOp, Expr, ExprKind, SetItem, Span, UnaryOp};
use crate::build::Builder;
use crate::parse::SyntaxErrorKind;
use crate::tree::{NodeId, Rule};

/// An operator between two operands.
#[derive(Debug, Clone, Copy)]
enum Infix {
    Or,
    And,
    Compare(CompareOp),
    In { negated: bool },
    Binary(BinaryOp),
}

impl Infix {
    fn of(rule: Rule) -> Option<Self> {
        Some(match rule {
            Rule::or_or => Self::Or,
            Rule::and_and => Self::And,
            Rule::eq => Self::Compare(CompareOp::Eq),
            Rule::ne => Self::Compare(CompareOp::Ne),
            Rule::le => Self::Compare(CompareOp::Le),
            Rule::ge => Self::Compare(CompareOp::Ge),
            Rule::lt => Self::Compare(CompareOp::Lt),
            Rule::gt => Self::Compare(CompareOp::Gt),
            Rule::kw_in => Self::In { negated: false },
            Rule::not_in => Self::In { negated: true },
            Rule::pipe => Self::Binary(BinaryOp::Or),
            Rule::caret => Self::Binary(BinaryOp::Xor),
            Rule::amp => Self::Binary(BinaryOp::And),
            Rule::shl => Self::Binary(BinaryOp::Shl),
            Rule::shr => Self::Binary(BinaryOp::Shr),
            Rule::plus => Self::Binary(BinaryOp::Add),
            Rule::minus => Self::Binary(BinaryOp::Sub),
            _ => return None,
        })
    }

    fn level(self) -> usize {
        match self {
            Self::Or => 0,
            Self::And => 1,
            Self::Compare(_) | Self::In { .. } => 2,
            Self::Binary(BinaryOp::Or) => 3,
            Self::Binary(BinaryOp::Xor) => 4,
            Self::Binary(BinaryOp::And) => 5,
            Self::Binary(BinaryOp::Shl | BinaryOp::Shr) => 6,
            Self::Binary(BinaryOp::Add | BinaryOp::Sub) => TIGHTEST,
        }
    }
}

const TIGHTEST: usize = 7;

/// The children of one `expr`, read from left to right.
struct Flat {
    /// In the order of the text, taken from the end of the reversed list.
    operands: Vec<Expr>,
    operators: Vec<(Infix, Span)>,
}

impl Builder<'_> {
    /// The expression of an `expr` node; `None` where something in it is wrong, which is then reported.
    pub(crate) fn expr(&mut self, id: NodeId) -> Option<Expr> {
        let before = self.errors.len();
        let tree = self.tree;
        let mut flat = Flat { operands: Vec::new(), operators: Vec::new() };
        let mut prefixes: Vec<(UnaryOp, Span)> = Vec::new();
        let mut after_operand = false;
        for child in tree.children(id) {
            let node = tree.node(child);
            if after_operand && let Some(infix) = Infix::of(node.rule) {
                flat.operators.push((infix, node.span));
                after_operand = false;
                continue;
            }
            match node.rule {
                Rule::tilde => prefixes.push((UnaryOp::BitNot, node.span)),
                Rule::minus => prefixes.push((UnaryOp::Minus, node.span)),
                Rule::bang => prefixes.push((UnaryOp::Not, node.span)),
                _ => {
                    let mut operand = self.primary(child)?;
                    while let Some((op, span)) = prefixes.pop() {
                        operand = Expr { span: span.to(operand.span), kind: ExprKind::Unary(op, Box::new(operand)) };
                    }
                    flat.operands.push(operand);
                    after_operand = true;
                }
            }
        }
        flat.operands.reverse();
        flat.operators.reverse();
        let expr = self.level(&mut flat, 0)?;
        (self.errors.len() == before).then_some(expr)
    }

    fn primary(&mut self, id: NodeId) -> Option<Expr> {
        let tree = self.tree;
        let node = tree.node(id);
        let kind = match node.rule {
            Rule::number => ExprKind::Number(self.number(node.span)?),
            Rule::name => ExprKind::Name(self.slice(node.span).to_owned()),
            Rule::paren => {
                let inner = tree.child(id, Rule::expr)?;
                let inner = self.expr(inner);
                self.closed(id);
                ExprKind::Paren(Box::new(inner?))
            }
            Rule::set => {
                let items = self.set_items(id);
                self.closed(id);
                ExprKind::Set(items?)
            }
            _ => return None,
        };
        Some(Expr { span: node.span, kind })
    }

    fn set_items(&mut self, id: NodeId) -> Option<Vec<SetItem>> {
        let tree = self.tree;
        let mut items = Vec::new();
        let mut sound = true;
        let mut last = None;
        for child in tree.children(id) {
            match tree.rule(child) {
                Rule::set_item => {
                    let mut ends = tree.children(child).filter(|&end| tree.rule(end) == Rule::expr);
                    let low = ends.next().map(|end| self.expr(end));
                    let high = ends.next().map(|end| self.expr(end));
                    match (low.flatten(), high) {
                        (None, _) | (_, Some(None)) => sound = false,
                        (Some(low), high) => items.push(SetItem { span: tree.span(child), low, high: high.flatten() }),
                    }
                    last = Some(tree.span(child));
                }
                Rule::missing_comma => {
                    self.missing_comma(last, child);
                    sound = false;
                }
                _ => {}
            }
        }
        sound.then_some(items)
    }

    /// Reads the operands that operators of `level` or tighter join.
    fn level(&mut self, flat: &mut Flat, level: usize) -> Option<Expr> {
        if level > TIGHTEST {
            return flat.operands.pop();
        }
        let first = self.level(flat, level + 1)?;
        let mut rest = Vec::new();
        while let Some(&(infix, span)) = flat.operators.last() {
            if infix.level() != level {
                break;
            }
            flat.operators.pop();
            rest.push((infix, span, self.level(flat, level + 1)?));
        }
        if rest.is_empty() {
            return Some(first);
        }
        self.join(first, rest)
    }

    fn join(&mut self, first: Expr, mut rest: Vec<(Infix, Span, Expr)>) -> Option<Expr> {
        let (infix, op_span) = rest.first().map(|&(infix, span, _)| (infix, span))?;
        let span = rest.last().map_or(first.span, |(_, _, last)| first.span.to(last.span));
        let kind = match infix {
            Infix::Or | Infix::And => {
                let mut operands = vec![first];
                operands.extend(rest.into_iter().map(|(_, _, operand)| operand));
                if matches!(infix, Infix::Or) { ExprKind::Or(operands) } else { ExprKind::And(operands) }
            }
            Infix::Binary(_) => {
                self.no_bang(&first, span, op_span);
                for (_, op_span, operand) in &rest {
                    self.no_bang(operand, operand.span, *op_span);
                }
                let rest = rest.into_iter().filter_map(|(infix, span, operand)| match infix {
                    Infix::Binary(op) => Some((op, span, operand)),
                    _ => None,
                });
                ExprKind::Chain { first: Box::new(first), rest: rest.collect() }
            }
            Infix::Compare(_) | Infix::In { .. } => {
                if let Some((_, second, _)) = rest.get(1) {
                    self.chained(op_span, *second, span);
                    return None;
                }
                let (_, _, right) = rest.pop()?;
                self.no_bang(&first, span, op_span);
                let left = Box::new(first);
                match infix {
                    Infix::Compare(op) => ExprKind::Compare { op, op_span, left, right: Box::new(right) },
                    Infix::In { negated } => ExprKind::In { negated, left, set: Box::new(right) },
                    Infix::Or | Infix::And | Infix::Binary(_) => return None,
                }
            }
        };
        Some(Expr { span, kind })
    }

    fn chained(&mut self, first: Span, second: Span, whole: Span) {
        let operators = (self.slice(first).to_owned(), self.slice(second).to_owned());
        let error = self.error(SyntaxErrorKind::Unexpected, second, "comparisons cannot be chained".to_owned());
        error.related = Some((first, "the first comparison".to_owned()));
        error.help = Some(match (operators.0.as_str(), operators.1.as_str()) {
            ("<" | "<=", "<" | "<=") => "write two comparisons joined by `&&`, or `in { lo..hi }`".to_owned(),
            _ => "write two comparisons joined by `&&`, or put one in parentheses".to_owned(),
        });
        debug_assert!(whole.start <= first.start, "the operator is inside");
    }

    /// `!a == 1` means `(!a) == 1` in C and something else to most readers.
    fn no_bang(&mut self, operand: &Expr, whole: Span, op_span: Span) {
        let ExprKind::Unary(UnaryOp::Not, inner) = &operand.kind else { return };
        let operator = self.slice(op_span).to_owned();
        let rest = self.slice(Span { start: inner.span.start, end: whole.end.max(inner.span.end) }).to_owned();
        let bang = Span { start: operand.span.start, end: operand.span.start + 1 };
        let short = rest.len() <= 40 && !rest.contains('\n');
        let error = self.error(
            SyntaxErrorKind::Unexpected,
            bang,
            format!("`!` before `{operator}` would negate the left side only"),
        );
        error.help = Some(match (operator.as_str(), short) {
            ("==", true) => format!("write `!({rest})`, or use `!=`"),
            (_, true) => format!("write `!({rest})`"),
            _ => "put the whole test in parentheses".to_owned(),
        });
        if whole.start == operand.span.start {
            error.fix = Some((
                "put the test in parentheses".to_owned(),
                Span { start: inner.span.start, end: whole.end },
                format!("({rest})"),
            ));
        }
    }

    /// The value of a number; an error and `None` where it has none.
    pub(crate) fn number(&mut self, span: Span) -> Option<u64> {
        let text = self.slice(span);
        let (digits, radix, name) = match text.as_bytes() {
            [b'0', b'x' | b'X', ..] => (&text[2..], 16, "hexadecimal"),
            [b'0', b'o' | b'O', ..] => (&text[2..], 8, "octal"),
            [b'0', b'b' | b'B', ..] => (&text[2..], 2, "binary"),
            _ => (text, 10, "decimal"),
        };
        let mut value: Option<u64> = Some(0);
        let mut any = false;
        for (index, digit) in digits.char_indices() {
            if digit == '_' {
                continue;
            }
            let Some(digit_value) = digit.to_digit(radix) else {
                let at = span.end - (digits.len() - index) as u32;
                let message = format!("`{digit}` is no digit of a {name} number");
                let slip = radix == 10 && digits.chars().all(|digit| digit.is_ascii_hexdigit());
                let suffix = digits[index..].chars().all(|digit| "uUlL".contains(digit));
                let text = crate::diagnose::short(text);
                let error = self.error(SyntaxErrorKind::BadNumber, Span { start: at, end: at + 1 }, message);
                if slip {
                    error.help = Some(format!("for a hexadecimal number write `0x{text}`"));
                } else if suffix && any {
                    error.help = Some("numbers have no suffix here: every value has 64 bits".to_owned());
                }
                return None;
            };
            any = true;
            value = value.and_then(|value| value.checked_mul(u64::from(radix))?.checked_add(u64::from(digit_value)));
        }
        if !any {
            let message = format!("`{}` has no digits", crate::diagnose::short(text));
            self.error(SyntaxErrorKind::BadNumber, span, message);
            return None;
        }
        // `0644` is octal to a C programmer and decimal to everyone else.
        if radix == 10 && digits.len() > 1 && digits.starts_with('0') && value != Some(0) {
            let octal = digits.trim_start_matches('0').to_owned();
            let error = self.error(SyntaxErrorKind::BadNumber, span, "a decimal number cannot begin with 0".to_owned());
            error.help = Some(format!("octal is written `0o{}`", crate::diagnose::short(&octal)));
            return None;
        }
        if value.is_none() {
            let error = self.error(SyntaxErrorKind::BadNumber, span, "this number has more than 64 bits".to_owned());
            error.help = Some("the largest is 0xffff_ffff_ffff_ffff".to_owned());
        }
        value
    }
}
