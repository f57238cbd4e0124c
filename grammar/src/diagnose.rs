//! What is wrong with a fragment that the grammar could not read.
//!
//! ```text
//! fd = 1        parsed alone, the strict grammar stops before `=`, where it expects an operator
//! ```
//!
//! First the slips that people make (`slips.rs`: `=` for `==`, `and`, quotes, `;`), each with its own words; else what
//! the grammar expected at the furthest place that it reached, and what stands there.

use pest::Parser;
use pest::error::{ErrorVariant, InputLocation};

use crate::ast::{Name, Span, Statement, StatementKind};
use crate::build::nearest_statement;
use crate::near::did_you_mean;
use crate::parse::{SyntaxError, SyntaxErrorKind};
use crate::scan::{is_word, skip_blank};
use crate::slips::{Slip, quoted_argument};
use crate::syntax::{KpolParser, Rule};
use crate::words;

/// A message never quotes more than this.
const LONGEST_QUOTE: usize = 40;

/// `text`, cut where it is long.
pub(crate) fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST_QUOTE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The token at or behind `at`: how it is called, and its place.
pub(crate) fn found(text: &str, at: usize) -> (String, Span) {
    let start = skip_blank(text, at);
    let rest = text.get(start..).unwrap_or("");
    let Some(first) = rest.chars().next() else {
        let end = text.trim_end().len().max(at.min(text.len()));
        return ("the end of the file".to_owned(), Span::new(end, end));
    };
    let length = token_length(rest, first);
    let shown = match first {
        '\0' => "a NUL byte".to_owned(),
        first if first.is_control() => format!("the control character U+{:04X}", first as u32),
        _ => format!("`{}`", short(&rest[..length])),
    };
    (shown, Span::new(start, start + length))
}

fn token_length(rest: &str, first: char) -> usize {
    let until = |more: fn(char) -> bool| rest.find(|next: char| !more(next)).unwrap_or(rest.len());
    if first.is_alphanumeric() || first == '_' {
        return until(|next| next.is_alphanumeric() || next == '_');
    }
    if first == '@' {
        return 1 + rest[1..]
            .find(|next: char| !next.is_alphanumeric() && !"-_".contains(next))
            .unwrap_or(rest.len() - 1);
    }
    if first == '"' {
        let line = rest.find(['\n', '\r']).unwrap_or(rest.len());
        return rest[1..line].find('"').map_or(line, |end| end + 2);
    }
    for operator in ["&&", "||", "==", "!=", "<=", ">=", "<<", ">>", ".."] {
        if rest.starts_with(operator) {
            return operator.len();
        }
    }
    first.len_utf8()
}

/// Reports a statement whose first word is no keyword.
pub(crate) fn unknown_statement(word: &Name, near: &[&'static str], errors: &mut Vec<SyntaxError>) {
    let mut error = plain(
        SyntaxErrorKind::UnknownStatement,
        word.span,
        format!("no statement begins with `{}`", short(&word.text)),
    );
    let nearest = did_you_mean(&word.text, near.iter().copied()).or_else(|| nearest_statement(&word.text));
    if words::OUTCOMES.contains(&word.text.as_str()) {
        // Which of the actions, nobody knows but the author: no fix.
        let action = if word.text == "runs" { "allow" } else { "deny" };
        error.help =
            Some(format!("`{}` is a word of `assert`; a rule names an action, such as `{action} {{ … }}`", word.text));
        errors.push(error);
        return;
    }
    match nearest.or_else(|| words::from_other_languages(&word.text)) {
        Some(nearest) => {
            error.help = Some(format!("did you mean `{nearest}`?"));
            error.fix =
                Some((format!("replace `{}` by `{nearest}`", short(&word.text)), word.span, nearest.to_owned()));
        }
        None => error.help = Some("a rule begins with its action, such as `allow { … }`".to_owned()),
    }
    errors.push(error);
}

pub(crate) fn plain(kind: SyntaxErrorKind, span: Span, message: String) -> SyntaxError {
    SyntaxError { kind, span, message, related: None, help: None, fix: None }
}

/// Reports a broken statement. `previous` stands before it.
pub(crate) fn statement(text: &str, span: Span, previous: Option<&Statement>, errors: &mut Vec<SyntaxError>) {
    let (shown, first) = found(text, span.start as usize);
    let word = text.get(first.range()).unwrap_or("");
    let same_line = |previous: &&Statement| {
        text.get(previous.span.end as usize..span.start as usize).is_some_and(|gap| !gap.contains('\n'))
    };
    let previous = previous.filter(same_line);
    if word == "}" || word == ")" {
        let message = format!("this `{word}` closes nothing");
        errors.push(plain(SyntaxErrorKind::Unexpected, first, message));
        return;
    }
    if word == "("
        && let Some(error) = quoted_argument(text, first)
    {
        errors.push(error);
        return;
    }
    if word == ";" {
        let mut error = plain(SyntaxErrorKind::Unexpected, first, "statements have no `;` at their end".to_owned());
        error.fix = Some(("remove the `;`".to_owned(), first, String::new()));
        errors.push(error);
        return;
    }
    let is_name = word.bytes().all(is_word) && word.bytes().next().is_some_and(|first| !first.is_ascii_digit());
    if is_name && !words::KEYWORDS.contains(&word) && !words::ACTIONS.contains(&word) {
        match previous.map(|previous| (&previous.kind, previous.span)) {
            Some((StatementKind::Arch(_) | StatementKind::Syscall { .. }, before)) => {
                let mut error = plain(SyntaxErrorKind::Unexpected, first, format!("expected `,` before {shown}"));
                let at = Span { start: before.end, end: before.end };
                error.fix = Some(("insert a comma".to_owned(), at, ",".to_owned()));
                errors.push(error);
                return;
            }
            Some((StatementKind::Default { action, .. }, before)) if action.argument.is_none() => {
                let message = format!("expected the next statement, found {shown}");
                let mut error = plain(SyntaxErrorKind::Unexpected, first, message);
                let fixed = format!("{}({word})", action.word.text);
                error.help = Some(format!("an errno stands in parentheses: `{}`", short(&fixed)));
                let both = Span { start: action.word.span.start, end: first.end.max(before.end) };
                error.fix = Some(("put it in parentheses".to_owned(), both, fixed));
                errors.push(error);
                return;
            }
            _ => {}
        }
        let name = Name { text: word.to_owned(), span: first };
        unknown_statement(&name, &[], errors);
        return;
    }
    fragment(text, Rule::lone_statement, span, errors);
}

/// Reports a fragment that `rule`, one of the `lone_…` rules, does not match.
pub(crate) fn fragment(text: &str, rule: Rule, span: Span, errors: &mut Vec<SyntaxError>) {
    let source = text.get(span.range()).unwrap_or("");
    let (reached, expected) = match KpolParser::parse(rule, source) {
        Ok(_) => (source.len(), Vec::new()),
        Err(error) => {
            let at = match error.location {
                InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
            };
            match error.variant {
                ErrorVariant::ParsingError { positives, .. } => (at, positives),
                ErrorVariant::CustomError { .. } => (at, Vec::new()),
            }
        }
    };
    let at = span.start as usize + reached;
    let (shown, place) = found(text, at);
    let word = text.get(place.range()).unwrap_or("");
    let before = text[..at].trim_end();
    let slip = Slip { text, rule, fragment: span, word, place, before, expected: &expected };
    if let Some(error) = slip.diagnose() {
        errors.push(error);
        return;
    }
    let expected = expectation(rule, source, &expected);
    let message = match expected.as_str() {
        "" => format!("{shown} is not expected here"),
        expected => format!("expected {expected}, found {shown}"),
    };
    errors.push(plain(SyntaxErrorKind::Unexpected, place, message));
}

/// What the grammar expected, in a user's words.
fn expectation(rule: Rule, source: &str, expected: &[Rule]) -> String {
    let has = |rule: Rule| expected.contains(&rule);
    // An opening brace is what is missing; that something optional could stand before it helps nobody.
    if [Rule::patterns, Rule::body, Rule::claims, Rule::flag_list, Rule::lbrace].into_iter().any(has)
        && !has(Rule::expr)
        && !has(Rule::name)
    {
        return match source.split(|next: char| !next.is_ascii_alphanumeric() && next != '_').next() {
            Some("group") => "`{` after the group's name".to_owned(),
            Some("when") => "`{` or `&&` after the condition".to_owned(),
            Some("assert") => "`{` after the title".to_owned(),
            Some("flags") => "`{` after `flags`".to_owned(),
            Some(word @ ("refused" | "runs")) => format!("`{{` after `{word}`"),
            _ if rule == Rule::lone_pattern => "`{` after `except`".to_owned(),
            _ => "`{` after the action".to_owned(),
        };
    }
    if has(Rule::kw_because) {
        return "`because` and the reason".to_owned();
    }
    if has(Rule::kw_on) {
        return "`on` and the architectures".to_owned();
    }
    if has(Rule::library) {
        return "a path in `\"…\"` or `<…>`".to_owned();
    }
    let mut found: Vec<&'static str> = Vec::new();
    let operator = has(Rule::eq);
    for &rule in expected {
        // `&&` and `>=` are two of the operators, unless they alone are expected.
        let word =
            if operator && matches!(rule, Rule::and_and | Rule::ge) { Some("an operator") } else { words::word(rule) };
        if let Some(word) = word
            && !found.contains(&word)
        {
            found.push(word);
        }
    }
    // Whatever else may follow, the end of the fragment is always among it.
    if found.len() > 1 {
        found.retain(|&word| word != "the end");
    }
    if found.contains(&"a value") {
        found.retain(|&word| word == "a value");
    }
    if found.as_slice() == ["the end"] || found.is_empty() {
        return match rule {
            Rule::lone_statement => "the next statement".to_owned(),
            _ => "`,`".to_owned(),
        };
    }
    if rule == Rule::lone_pattern && found.contains(&"`except`") {
        return "`,`".to_owned();
    }
    words::one_of(&found)
}
