//! How much of a parameter a call looks at: the declared type, and where the value is cut first.
//!
//! ```text
//! SYSCALL_DEFINE3(readv, …, unsigned long, vlen) → do_readv(…, vlen, …) → vfs_readv(…, vlen, …)
//!   → import_iovec(int, …, unsigned nr_segs, …)      cut to 32 bits, unsigned: lib/iov_iter.c
//! SYSCALL_DEFINE3(fcntl, …, unsigned long, arg) → do_fcntl(…)
//!   (void *) arg   whole        int argi = (int) arg   cut        mixed: the command decides
//! ```
//!
//! Every use of the name is looked at: a cast, a variable that it is copied to, an argument of a function (whose own uses are
//! followed where its parameter is as wide). All else is a use of the whole: a comparison, arithmetic, a macro.
//! What only records the call (`trace_…`, `audit_…`) and the hooks of security modules (`security_…`) are no use.
//! The result is a hint that a person checks: a value cut everywhere is narrower than its type, one that is cut
//! somewhere is explained.

use std::collections::BTreeSet;

use super::source::{Function, Token, arguments, matching, plain};

/// Functions into which a value is followed, one within the other.
const DEEPEST: usize = 8;

/// Beginnings of functions that record or count a value, and decide nothing; of hooks; and `CLASS(fd, f)`, whose `fd` is no value.
const PASSED_OVER: [&str; 9] =
    ["trace_", "audit_", "security_", "pr_", "sizeof", "kasan_", "kcsan_", "instrument_", "CLASS"];

/// Bits and sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Width {
    /// 8, 16, 32 or 64.
    pub bits: u8,
    /// Two's complement.
    pub signed: bool,
}

/// What a type is to a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number.
    Number(Width),
    /// An address.
    Pointer,
    /// Nobody knows.
    Unknown,
}

/// A place where a value is cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// What is left.
    pub width: Width,
    /// File and line.
    pub place: String,
    /// By which type and name.
    pub by: String,
}

/// What is done with a value.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Uses {
    /// Where it is cut, in the order in which it is read.
    pub cuts: Vec<Cut>,
    /// Where it is used as it is.
    pub whole: Vec<String>,
}

impl Uses {
    /// The widest cut; the first of those that are as wide.
    pub fn widest(&self) -> Option<&Cut> {
        self.cuts.iter().reduce(|first, next| if next.width.bits > first.width.bits { next } else { first })
    }
}

/// Finds uses in the sources of one architecture.
pub struct Finder<'a> {
    /// What a type is.
    pub kind: &'a dyn Fn(&str) -> Kind,
    /// The definition of a name that this architecture builds, as the file of a path sees it.
    pub choose: &'a dyn Fn(&str, &str) -> Option<&'a Function>,
}

impl<'a> Finder<'a> {
    /// Uses of a parameter of `function` that has `width`.
    pub fn uses(&self, function: &'a Function, name: &str, width: Width) -> Uses {
        let mut uses = Uses::default();
        let mut seen = BTreeSet::new();
        self.follow(function, name, width, DEEPEST, &mut seen, &mut uses);
        uses
    }

    fn follow(
        &self,
        function: &'a Function,
        name: &str,
        width: Width,
        depth: usize,
        seen: &mut BTreeSet<(String, usize, String)>,
        uses: &mut Uses,
    ) {
        if !seen.insert((function.file.clone(), function.line, name.to_owned())) {
            return;
        }
        let body = &function.body;
        let at_line = |token: &Token| format!("{}:{}", function.file, token.line);
        let whole = |uses: &mut Uses, token: &Token| uses.whole.push(at_line(token));
        for (at, token) in body.iter().enumerate().filter(|(_, token)| token.text == name) {
            let before = at.checked_sub(1).map_or("", |before| body[before].text.as_str());
            let after = body.get(at + 1).map_or("", |after| after.text.as_str());
            // A member of that name is another thing, and what it becomes is no use of what it was.
            let declared_here = before.starts_with(|first: char| first.is_ascii_alphabetic()) && !is_operator(before);
            if matches!(before, "." | "->") || matches!(after, "(" | "=") || declared_here {
                continue;
            }
            if let Some(ty) = cast(body, at) {
                match (self.kind)(&ty) {
                    Kind::Number(to) if to.bits < width.bits => {
                        uses.cuts.push(Cut { width: to, place: at_line(token), by: format!("({ty}) {name}") });
                    }
                    _ => whole(uses, token),
                }
                continue;
            }
            if before == "=" && matches!(after, ";" | ",") {
                let Some(local) = at.checked_sub(2).map(|local| &body[local]).filter(|local| local.is_word()) else {
                    whole(uses, token);
                    continue;
                };
                match declared(body, &local.text).map(|ty| ((self.kind)(&ty), ty)) {
                    Some((Kind::Number(to), ty)) if to.bits < width.bits => {
                        uses.cuts.push(Cut { width: to, place: at_line(token), by: format!("{ty} {}", local.text) });
                    }
                    Some((Kind::Number(_), _)) if depth > 0 => {
                        self.follow(function, &local.text, width, depth - 1, seen, uses);
                    }
                    _ => whole(uses, token),
                }
                continue;
            }
            if matches!(before, "(" | ",")
                && matches!(after, ")" | ",")
                && let Some((callee, index)) = callee(body, at)
            {
                self.argument(&callee, index, token, (function, width), depth, seen, uses);
                continue;
            }
            whole(uses, token);
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the state of one walk")]
    fn argument(
        &self,
        callee: &str,
        index: usize,
        token: &Token,
        (function, width): (&Function, Width),
        depth: usize,
        seen: &mut BTreeSet<(String, usize, String)>,
        uses: &mut Uses,
    ) {
        let here = format!("{}:{}", function.file, token.line);
        if callee == "lower_32_bits" {
            let width = Width { bits: 32, signed: false };
            uses.cuts.push(Cut { width, place: here, by: "lower_32_bits()".to_owned() });
            return;
        }
        if PASSED_OVER.iter().any(|only| callee.starts_with(only)) {
            return;
        }
        let Some(next) = (self.choose)(callee, &function.file) else {
            uses.whole.push(format!("{here} {callee}()"));
            return;
        };
        let Some((ty, name)) = next.parameters.get(index) else {
            uses.whole.push(format!("{here} {callee}()"));
            return;
        };
        match (self.kind)(ty) {
            Kind::Number(to) if to.bits < width.bits => {
                let place = format!("{}:{}", next.file, next.line);
                let callee = callee.strip_prefix("class ").unwrap_or(callee);
                uses.cuts.push(Cut { width: to, place, by: format!("{callee}({ty} {name})") });
            }
            Kind::Number(_) if depth > 0 && !next.body.is_empty() => {
                self.follow(next, &name.clone(), width, depth - 1, seen, uses);
            }
            _ => uses.whole.push(format!("{here} {callee}()")),
        }
    }
}

/// Words of the language before which no type stands.
fn is_operator(word: &str) -> bool {
    matches!(word, "return" | "case" | "sizeof" | "else" | "do")
}

/// The type of a cast right before a token.
fn cast(body: &[Token], at: usize) -> Option<String> {
    let close = at.checked_sub(1)?;
    if body[close].text != ")" {
        return None;
    }
    let open = (close.saturating_sub(8)..close).rev().find(|&open| body[open].text == "(")?;
    // `if (x) arg` and `f(x) arg` are no casts.
    if open.checked_sub(1).is_some_and(|before| body[before].is_word() && body[before].text != "return") {
        return None;
    }
    let words: Vec<&str> = body[open + 1..close].iter().map(|token| token.text.as_str()).collect();
    let is_type = !words.is_empty()
        && words
            .iter()
            .all(|word| *word == "*" || word.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_'));
    is_type.then(|| plain(&words.join(" ")))
}

/// The function whose argument stands at `at`, and which one it is.
fn callee(body: &[Token], at: usize) -> Option<(String, usize)> {
    let (mut open, mut depth) = (at, 0usize);
    loop {
        open = open.checked_sub(1)?;
        match body[open].text.as_str() {
            ")" | "]" => depth += 1,
            "(" | "[" if depth == 0 => break,
            "(" | "[" => depth -= 1,
            ";" | "{" | "}" => return None,
            _ => {}
        }
    }
    let list = arguments(&body[open + 1..matching(body, open).min(body.len())]);
    let place = body[open + 1..at].iter().filter(|token| token.text == ",").count();
    let index = list.iter().position(|text| text.len() == 1 && std::ptr::eq(&text[0], &body[at])).unwrap_or(place);
    let name = body.get(open.checked_sub(1)?)?;
    if name.is_word() && !matches!(name.text.as_str(), "if" | "while" | "switch" | "for" | "return") {
        return Some((name.text.clone(), index));
    }
    // `CLASS(fd, f)(fd)`.
    if name.text == ")" {
        let start = (0..open - 1).rev().take(8).find(|&start| body[start].text == "CLASS")?;
        return Some((format!("class {}", body.get(start + 2)?.text), index));
    }
    None
}

/// The type with which a body declares a variable.
fn declared(body: &[Token], name: &str) -> Option<String> {
    for (at, _) in body.iter().enumerate().filter(|(_, token)| token.text == name) {
        let after = body.get(at + 1).map_or("", |after| after.text.as_str());
        if !matches!(after, "=" | ";" | "," | "[") {
            continue;
        }
        let start =
            (0..at).rev().find(|&start| matches!(body[start].text.as_str(), ";" | "{" | "}" | "\n}" | ")" | ":"));
        let words = &body[start.map_or(0, |start| start + 1)..at];
        // Of `int a = 1, b` the type is what stands before the first name.
        let end = words
            .iter()
            .position(|token| matches!(token.text.as_str(), "=" | ","))
            .map_or(words.len(), |end| end.saturating_sub(1));
        let pointer = words.last().is_some_and(|last| last.text == "*");
        let ty: Vec<&str> = words[..end].iter().map(|token| token.text.as_str()).filter(|word| *word != "*").collect();
        let is_type = !ty.is_empty()
            && words[..end].iter().all(|token| token.is_word() || token.text == "*")
            && !matches!(ty[0], "return" | "goto" | "case");
        if is_type {
            return Some(plain(&format!("{}{}", ty.join(" "), if pointer { " *" } else { "" })));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::super::source::Index;
    use super::*;

    const TEXT: &str = "
SYSCALL_DEFINE3(readv, unsigned long, fd, const struct iovec __user *, vec, unsigned long, vlen)
{
\treturn do_readv(fd, vec, vlen, 0);
}
static ssize_t do_readv(unsigned long fd, const struct iovec *vec, unsigned long vlen, rwf_t flags)
{
\tCLASS(fd_pos, f)(fd);
\ttrace_readv(vlen);
\treturn import_iovec(1, vec, vlen, &flags);
}
DEFINE_CLASS(fd_pos, struct fd, fdput_pos(_T), fdget_pos(fd), int fd)
ssize_t import_iovec(int type, const struct iovec *uvec, unsigned nr_segs, int *f)
{
\treturn nr_segs;
}
static long do_fcntl(int fd, unsigned int cmd, unsigned long arg)
{
\tvoid __user *argp = (void __user *)arg;
\tint argi = (int)arg;
\tunsigned long copy = arg;
\tint one, two = copy;
\treturn cmd ? argi : two;
}
";

    fn uses(name: &str, parameter: &str) -> Uses {
        let mut index = Index::default();
        index.add("fs/x.c", TEXT);
        let choose = |name: &str, _: &str| index.named(name).first();
        let kind = |ty: &str| match ty {
            "int" => Kind::Number(Width { bits: 32, signed: true }),
            "unsigned" | "unsigned int" => Kind::Number(Width { bits: 32, signed: false }),
            "unsigned long" => Kind::Number(Width { bits: 64, signed: false }),
            _ if ty.contains('*') => Kind::Pointer,
            _ => Kind::Unknown,
        };
        let finder = Finder { kind: &kind, choose: &choose };
        finder.uses(choose(name, "").unwrap(), parameter, Width { bits: 64, signed: false })
    }

    #[test]
    fn a_value_is_followed_to_where_it_is_cut() {
        let count = uses("sys_readv", "vlen");
        let cut = Cut {
            width: Width { bits: 32, signed: false },
            place: "fs/x.c:13".to_owned(),
            by: "import_iovec(unsigned nr_segs)".to_owned(),
        };
        assert_eq!(count, Uses { cuts: vec![cut], whole: Vec::new() });
        let fd = uses("sys_readv", "fd");
        assert_eq!(
            (fd.cuts[0].place.as_str(), fd.cuts[0].by.as_str(), fd.whole.len()),
            ("fs/x.c:12", "fd_pos(int fd)", 0)
        );
    }

    #[test]
    fn what_is_cut_here_and_whole_there_is_mixed() {
        let arg = uses("do_fcntl", "arg");
        assert_eq!(arg.whole, ["fs/x.c:19"]);
        let by: Vec<&str> = arg.cuts.iter().map(|cut| cut.by.as_str()).collect();
        assert_eq!(by, ["(int) arg", "int two"]);
    }
}
