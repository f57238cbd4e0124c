//! The slips that people make, each with its own words and, where it is clear what was meant, a fix.
//!
//! ```text
//! allow read, write          expected `{` after the action, found `read`    fix: allow { read, write }
//! deny errno(EPERM) { … }    an errno stands behind the action              fix: deny(EPERM) { … }
//! family in [A, B]           `[` is no bracket of this language             fix: family in {A, B}
//! when kernel < 5.10 { … }   expected `>=`, found `<`                       fix: when not kernel >= 5.10 { … }
//! ```
//!
//! They come from JSON, YAML, C, shells and other filter languages. INVARIANT: a fix replaces one span, and what it makes
//! means what the author wrote in that other language, or is another error; it never makes a policy wider than was written.

use crate::ast::Span;
use crate::diagnose::{plain, short};
use crate::parse::{SyntaxError, SyntaxErrorKind};
use crate::scan::is_word;
use crate::syntax::Rule;
use crate::words;

/// Where the strict grammar stopped in a fragment.
pub(crate) struct Slip<'a> {
    /// The whole text.
    pub(crate) text: &'a str,
    /// The `lone_…` rule that does not match.
    pub(crate) rule: Rule,
    /// What it should match.
    pub(crate) fragment: Span,
    /// The token at which it stops, and its place.
    pub(crate) word: &'a str,
    pub(crate) place: Span,
    /// What stands before it, without the blanks at its end.
    pub(crate) before: &'a str,
    /// What could stand there.
    pub(crate) expected: &'a [Rule],
}

impl Slip<'_> {
    /// The mistake, if it is one of those that have words of their own.
    pub(crate) fn diagnose(&self) -> Option<SyntaxError> {
        let Self { text, rule, word, place, before, .. } = *self;
        let operator = self.expects(Rule::eq);
        let statement = rule == Rule::lone_statement;
        if let Some(error) = self.action().or_else(|| self.kernel()) {
            return Some(error);
        }
        match word {
            "=" if operator => {
                let rest = text.get(place.end as usize..).unwrap_or("");
                match ["<", ">"].iter().find(|sign| rest.starts_with(*sign)) {
                    Some(sign) => {
                        let both = Span { start: place.start, end: place.end + 1 };
                        let mut error = unexpected(both, format!("expected an operator, found `={sign}`"));
                        error.fix = Some((format!("write `{sign}=`"), both, format!("{sign}=")));
                        Some(error)
                    }
                    None if before.ends_with(['<', '>', '=', '!']) => None,
                    None => self.replace("==", "=="),
                }
            }
            "=" if before.ends_with("==") => {
                Some(self.unexpected("expected a value, found `=`: equality is written `==`"))
            }
            "==" if self.expects(Rule::assign) => self.replace("=", "="),
            "and" if operator || statement && self.expects(Rule::and_and) => self.replace("&&", "&&"),
            "or" if operator => self.replace("||", "||"),
            "is" if operator => self.replace("==", "=="),
            "&" if statement && self.expects(Rule::and_and) => self.replace("&&", "&&"),
            ";" if !statement => self.replace(",", ","),
            "'" | "’" | "‘" | "“" | "”" | "`" => {
                let mut error = self.unexpected(&format!("expected {}, found `{word}`", what_quotes_hold(rule)));
                error.help = Some(match rule {
                    Rule::lone_statement => "texts stand in double quotes: `\"…\"`".to_owned(),
                    _ => "names stand without quotes".to_owned(),
                });
                Some(error)
            }
            "|" | "&" if before.ends_with(word) => None,
            "[" | "]" => Some(self.square_bracket()),
            "-" if rule != Rule::lone_condition => self.hyphen(),
            ")" if rule != Rule::lone_condition => Some(self.unexpected("this `)` closes nothing")),
            "#" => Some(self.hash_comment()),
            _ if word.starts_with('"') && !statement => Some(self.quoted()),
            _ if word.chars().any(|letter| !letter.is_ascii() && letter.is_alphanumeric()) => {
                let message = format!("`{}` is no name", short(word));
                let mut error = plain(SyntaxErrorKind::BadName, place, message);
                error.help = Some("names consist of ASCII letters, digits and `_`".to_owned());
                Some(error)
            }
            _ => None,
        }
    }

    fn expects(&self, rule: Rule) -> bool {
        self.expected.contains(&rule)
    }

    fn unexpected(&self, message: &str) -> SyntaxError {
        unexpected(self.place, message.to_owned())
    }

    /// One token stands for another.
    fn replace(&self, expected: &str, by: &str) -> Option<SyntaxError> {
        let mut error = self.unexpected(&format!("expected `{expected}`, found `{}`", self.word));
        error.fix = Some((format!("replace `{}` by `{by}`", self.word), self.place, by.to_owned()));
        Some(error)
    }

    /// What stands behind the token, up to the end of the fragment.
    fn rest(&self) -> &str {
        self.text.get(self.place.end as usize..self.fragment.end as usize).unwrap_or("")
    }

    /// The last word of what stands before the token.
    fn word_before(&self) -> &str {
        let start = self.before.rfind(|next: char| !next.is_ascii() || !is_word(next as u8));
        &self.before[start.map_or(0, |at| at + self.before[at..].chars().next().map_or(1, char::len_utf8))..]
    }

    /// From behind the last word to the end of the token.
    fn gap_and_token(&self) -> Span {
        Span { start: Span::new(self.before.len(), self.before.len()).start, end: self.place.end }
    }

    /// `default = deny`, `allow: read`, `allow read, write`, `deny 1 { … }`, `deny errno(1) { … }`
    fn action(&self) -> Option<SyntaxError> {
        if !matches!(self.rule, Rule::lone_statement | Rule::lone_claim) {
            return None;
        }
        let (word, place, rest) = (self.word, self.place, self.rest());
        let before = self.word_before();
        if matches!(word, "=" | ":") && before == "default" {
            let mut error = self.unexpected(&format!("expected an action such as `allow`, found `{word}`"));
            error.fix = Some((format!("remove the `{word}`"), self.gap_and_token(), String::new()));
            return Some(error);
        }
        let action = words::ACTIONS.contains(&before);
        if !action && !words::OUTCOMES.contains(&before) {
            return None;
        }
        let after = if action { "the action".to_owned() } else { format!("`{before}`") };
        let mut error = self.unexpected(&format!("expected `{{` after {after}, found `{}`", short(word)));
        let behind = rest.trim_start();
        if action && matches!(word, "errno" | "error" | "ERRNO") && behind.starts_with('(') {
            error.help = Some(format!("an errno stands in parentheses behind the action: `{before}(EPERM)`"));
            error.fix = Some((format!("remove `{word}`"), self.gap_and_token(), String::new()));
            return Some(error);
        }
        let one_word = !word.is_empty() && word.bytes().all(is_word);
        if action && one_word && behind.starts_with('{') && (word.starts_with('E') || is_number(word)) {
            error.help = Some(format!("an errno stands in parentheses: `{before}({word})`"));
            error.fix = Some(("put it in parentheses".to_owned(), self.gap_and_token(), format!("({word})")));
            return Some(error);
        }
        // The list of a line, without its braces; a `:` or `=` in front of it is left out.
        let sign = matches!(word, ":" | "=");
        let (list, start) = if sign {
            (behind, place.end as usize + rest.len() - behind.len())
        } else {
            (self.text.get(place.start as usize..self.fragment.end as usize)?, place.start as usize)
        };
        let list = list.trim_end();
        if sign && list.starts_with('{') {
            error.fix = Some((format!("remove the `{word}`"), self.gap_and_token(), String::new()));
            return Some(error);
        }
        let simple = |next: u8| is_word(next) || b"@-, \t".contains(&next);
        let begins = list.starts_with(|first: char| first == '@' || first.is_ascii_alphabetic());
        if begins && list.bytes().all(simple) {
            error.help = Some("a list of calls stands in braces".to_owned());
            let all = Span::new(if sign { self.before.len() } else { start }, start + list.len());
            let space = if sign { " " } else { "" };
            let list = list.trim_end_matches([',', ' ', '\t']);
            error.fix = Some(("put the list in braces".to_owned(), all, format!("{space}{{ {list} }}")));
            return Some(error);
        }
        None
    }

    /// `when kernel > 5.10`, `when kernel >= "5.10"`
    fn kernel(&self) -> Option<SyntaxError> {
        let word = self.word;
        if self.rule != Rule::lone_statement {
            return None;
        }
        if self.expects(Rule::version) && word.starts_with('"') {
            let bare = word.trim_matches('"');
            let mut error = self.unexpected(&format!("expected a version such as `5.11`, found `{}`", short(word)));
            if bare.split('.').count() <= 3 && bare.split('.').all(is_number) {
                error.fix = Some(("remove the quotes".to_owned(), self.place, bare.to_owned()));
            }
            return Some(error);
        }
        if !self.expects(Rule::ge) || !matches!(word, "<" | "<=" | ">" | "==" | "=" | "!=") {
            return None;
        }
        let mut error = self.unexpected(&format!("expected `>=`, found `{word}`"));
        error.help =
            Some("a guard asks for a kernel from a version on; `not kernel >= 5.11` asks for an older one".to_owned());
        // The version, its place, and the guard in front of it.
        let rest = self.rest();
        let version = rest.trim_start();
        let length = version.find(|next: char| !next.is_ascii_digit() && next != '.').unwrap_or(version.len());
        let end = self.place.end as usize + (rest.len() - version.len()) + length;
        let mut parts = version[..length].split('.').map(|part| part.parse::<u16>().ok());
        let (Some(Some(major)), minor) = (parts.next(), parts.next().unwrap_or(Some(0))) else { return Some(error) };
        let (Some(minor), Some(next)) = (minor, minor.and_then(|minor| minor.checked_add(1))) else {
            return Some(error);
        };
        let kernel = self.before.len().checked_sub("kernel".len())?;
        let negated = self.before[..kernel].trim_end().ends_with("not");
        if self.word_before() != "kernel" || negated {
            return Some(error);
        }
        let by = match word {
            ">" => format!("kernel >= {major}.{next}"),
            "<" => format!("not kernel >= {major}.{minor}"),
            "<=" => format!("not kernel >= {major}.{next}"),
            "==" | "=" => format!("kernel >= {major}.{minor} && not kernel >= {major}.{next}"),
            _ => return Some(error),
        };
        error.fix = Some((format!("write `{by}`"), Span::new(kernel, end), by));
        Some(error)
    }

    /// `allow [read, write]`, `family in [AF_INET, AF_UNIX]`
    fn square_bracket(&self) -> SyntaxError {
        let mut error = self.unexpected(&format!("`{}` is no bracket of this language", self.word));
        error.help = Some("lists and sets stand in `{ }`, conditions in `( )`".to_owned());
        let rest = self.rest();
        let before = self.word_before();
        let group = self.text.get(self.fragment.range()).is_some_and(|text| text.trim_start().starts_with("group"));
        let list = words::ACTIONS.contains(&before)
            || words::OUTCOMES.contains(&before)
            || matches!(before, "in" | "except" | "flags")
            || group
            || self.before.ends_with("==")
            || self.before.ends_with("!=");
        if self.word == "["
            && list
            && let Some(length) = rest.find(['[', ']', '{', '}', '(', ')'])
            && rest[length..].starts_with(']')
        {
            let end = self.place.end as usize + length + 1;
            let fixed = format!("{{{}}}", &rest[..length]);
            let both = Span::new(self.place.start as usize, end);
            error.fix = Some(("use braces".to_owned(), both, fixed));
        }
        error
    }

    /// `# why`
    fn hash_comment(&self) -> SyntaxError {
        let more = self.text[self.place.end as usize..].bytes().take_while(|&next| next == b'#').count();
        let signs = Span::new(self.place.start as usize, self.place.end as usize + more);
        let mut error = self.unexpected("`#` begins no comment");
        error.help = Some("comments are written `// …`".to_owned());
        error.fix = Some(("replace it by `//`".to_owned(), signs, "//".to_owned()));
        error
    }

    /// `family == "AF_UNIX"`, `filename == "/etc/shadow"`
    fn quoted(&self) -> SyntaxError {
        let bare = self.word.trim_matches('"');
        let name = !bare.is_empty() && bare.bytes().all(|byte| is_word(byte) || byte == b'@' || byte == b'-');
        let wanted = what_quotes_hold(self.rule);
        let mut error = self.unexpected(&format!("expected {wanted}, found `{}`", short(self.word)));
        if name {
            error.help = Some("names stand without quotes".to_owned());
            error.fix = Some(("remove the quotes".to_owned(), self.place, bare.to_owned()));
        } else if self.rule == Rule::lone_condition {
            error.help = Some(
                "no filter sees a path or any other text: the kernel shows it an address, never what is there; paths are for mounts, Landlock and AppArmor"
                    .to_owned(),
            );
        } else {
            error.help = Some("names stand without quotes".to_owned());
        }
        error
    }

    /// `epoll-wait`, `x86-64`
    fn hyphen(&self) -> Option<SyntaxError> {
        let Self { text, place, before, .. } = *self;
        let bytes = text.as_bytes();
        let word = |byte: &u8| is_word(*byte) || *byte == b'-';
        let start = before.len() - before.bytes().rev().take_while(word).count();
        let end = place.end as usize + bytes.get(place.end as usize..)?.iter().take_while(|byte| word(byte)).count();
        if before.len() != place.start as usize || start == before.len() || end == place.end as usize {
            return None;
        }
        let name = &text[start..end];
        let span = Span::new(start, end);
        let fixed = name.replace('-', "_");
        if self.rule != Rule::lone_pattern {
            let mut error = plain(SyntaxErrorKind::BadName, span, format!("`{}` is no name", short(name)));
            error.help = Some(format!("did you mean `{}`?", short(&fixed)));
            error.fix = Some((format!("replace it by `{}`", short(&fixed)), span, fixed));
            return Some(error);
        }
        let mut error = plain(SyntaxErrorKind::BadName, span, format!("`{}` is no name of a syscall", short(name)));
        // Which of the two is for those to say who know the names: no fix.
        error.help = Some(format!("did you mean `{}`, or the group `@{}`?", short(&fixed), short(name)));
        Some(error)
    }
}

/// `deny("EPERM")`, where the bracket is at `open` and the action before it was read.
pub(crate) fn quoted_argument(text: &str, open: Span) -> Option<SyntaxError> {
    let rest = text.get(open.end as usize..)?;
    let quoted = rest.trim_start();
    let bare = quoted.strip_prefix('"')?;
    let length = bare.find('"')?;
    let name = &bare[..length];
    if name.is_empty() || !name.bytes().all(is_word) {
        return None;
    }
    let start = open.end as usize + rest.len() - quoted.len();
    let span = Span::new(start, start + length + 2);
    let mut error = unexpected(span, format!("expected a value, found `\"{}\"`", short(name)));
    error.help = Some("names stand without quotes".to_owned());
    error.fix = Some(("remove the quotes".to_owned(), span, name.to_owned()));
    Some(error)
}

fn unexpected(place: Span, message: String) -> SyntaxError {
    plain(SyntaxErrorKind::Unexpected, place, message)
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

fn what_quotes_hold(rule: Rule) -> &'static str {
    match rule {
        Rule::lone_pattern => "a syscall or a group",
        Rule::lone_condition => "a value",
        Rule::lone_element => "a flag",
        Rule::lone_claim => "a claim",
        _ => "a text in double quotes",
    }
}
