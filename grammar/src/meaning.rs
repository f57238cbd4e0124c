//! Whether two texts say the same.
//!
//! ```text
//! allow{read,write,}   ≡   allow { read, write } // both
//! a == (1)             ≢   a == 1                   parentheses are the author's
//! ```

use crate::ast::{
    ActionExpr, Claim, Expr, ExprKind, File, Guard, GuardKind, Name, Outcome, Pattern, PatternKind, Statement,
    StatementKind,
};

/// Whether two files have the same statements in the same order; places and comments do not count.
pub fn same_meaning(a: &File, b: &File) -> bool {
    statements(&a.statements, &b.statements)
}

fn all<T>(a: &[T], b: &[T], same: impl Fn(&T, &T) -> bool) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
}

fn both<T>(a: Option<&T>, b: Option<&T>, same: impl Fn(&T, &T) -> bool) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => same(a, b),
        (None, None) => true,
        _ => false,
    }
}

fn name(a: &Name, b: &Name) -> bool {
    // A type may be written with any blanks between its words.
    a.text == b.text || (a.text.contains(['*', ' ', '\t', '\n', '/']) && words(&a.text) == words(&b.text))
}

fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut at = 0;
    loop {
        at = crate::scan::skip_blank(text, at);
        let rest = &text[at..];
        let Some(first) = rest.chars().next() else { return words };
        let end = match rest.find(|next: char| !next.is_ascii_alphanumeric() && next != '_') {
            Some(0) => first.len_utf8(),
            Some(end) => end,
            None => rest.len(),
        };
        words.push(rest[..end].to_owned());
        at += end;
    }
}

fn statements(a: &[Statement], b: &[Statement]) -> bool {
    all(a, b, |a, b| statement(&a.kind, &b.kind))
}

fn statement(a: &StatementKind, b: &StatementKind) -> bool {
    use StatementKind as S;
    match (a, b) {
        (S::Include(a), S::Include(b)) | (S::Within(a), S::Within(b)) => {
            a.library == b.library && a.path.text == b.path.text
        }
        (S::Default { over: o1, action: a1 }, S::Default { over: o2, action: a2 }) => {
            o1.is_some() == o2.is_some() && action(a1, a2)
        }
        (S::Arch(a), S::Arch(b)) | (S::Flags(a), S::Flags(b)) => all(a, b, name),
        (S::Const { name: n1, value: v1 }, S::Const { name: n2, value: v2 }) => name(n1, n2) && expr(v1, v2),
        (S::Group { name: n1, patterns: p1 }, S::Group { name: n2, patterns: p2 }) => name(n1, n2) && patterns(p1, p2),
        (S::Rule { over: o1, action: a1, patterns: p1 }, S::Rule { over: o2, action: a2, patterns: p2 }) => {
            o1.is_some() == o2.is_some() && action(a1, a2) && patterns(p1, p2)
        }
        (S::When { guards: g1, body: b1 }, S::When { guards: g2, body: b2 }) => {
            all(g1, g2, guard) && statements(b1, b2)
        }
        (S::Assert { title: t1, claims: c1 }, S::Assert { title: t2, claims: c2 }) => {
            t1.text == t2.text && all(c1, c2, claim)
        }
        (
            S::Syscall { name: n1, params: p1, number: v1, archs: a1 },
            S::Syscall { name: n2, params: p2, number: v2, archs: a2 },
        ) => {
            let params =
                both(p1.as_ref(), p2.as_ref(), |a, b| all(a, b, |a, b| name(&a.name, &b.name) && name(&a.ty, &b.ty)));
            name(n1, n2) && params && expr(v1, v2) && all(a1, a2, name)
        }
        (S::Listener { path: p1, metadata: m1 }, S::Listener { path: p2, metadata: m2 }) => {
            p1.text == p2.text && both(m1.as_ref(), m2.as_ref(), |a, b| a.text == b.text)
        }
        (S::Waive { title: t1, from: f1, reason: r1 }, S::Waive { title: t2, from: f2, reason: r2 }) => {
            let from = both(f1.as_ref(), f2.as_ref(), |a, b| a.library == b.library && a.path.text == b.path.text);
            t1.text == t2.text && from && r1.text == r2.text
        }
        (S::Broken, S::Broken) => true,
        _ => false,
    }
}

fn action(a: &ActionExpr, b: &ActionExpr) -> bool {
    name(&a.word, &b.word) && both(a.argument.as_ref(), b.argument.as_ref(), expr)
}

fn patterns(a: &[Pattern], b: &[Pattern]) -> bool {
    all(a, b, |a, b| {
        let kind = match (&a.kind, &b.kind) {
            (PatternKind::Call { name: n1, conditions: c1 }, PatternKind::Call { name: n2, conditions: c2 }) => {
                name(n1, n2) && all(c1, c2, expr)
            }
            (PatternKind::Group(a), PatternKind::Group(b)) => name(a, b),
            _ => false,
        };
        kind && patterns(&a.except, &b.except)
    })
}

fn claim(a: &Claim, b: &Claim) -> bool {
    let outcome = match (&a.outcome, &b.outcome) {
        (Outcome::Action(a), Outcome::Action(b)) => action(a, b),
        (Outcome::Refused(_), Outcome::Refused(_)) | (Outcome::Runs(_), Outcome::Runs(_)) => true,
        _ => false,
    };
    a.negated.is_some() == b.negated.is_some() && outcome && patterns(&a.patterns, &b.patterns)
}

fn guard(a: &Guard, b: &Guard) -> bool {
    let kind = match (&a.kind, &b.kind) {
        (GuardKind::Arch(a), GuardKind::Arch(b)) => all(a, b, name),
        (GuardKind::Cap(a), GuardKind::Cap(b)) | (GuardKind::Kernel(a), GuardKind::Kernel(b)) => name(a, b),
        _ => false,
    };
    kind && a.negated.is_some() == b.negated.is_some()
}

fn expr(a: &Expr, b: &Expr) -> bool {
    use ExprKind as E;
    match (&a.kind, &b.kind) {
        (E::Number(a), E::Number(b)) => a == b,
        (E::Name(a), E::Name(b)) => a == b,
        (E::Paren(a), E::Paren(b)) => expr(a, b),
        (E::Unary(o1, a), E::Unary(o2, b)) => o1 == o2 && expr(a, b),
        (E::Chain { first: f1, rest: r1 }, E::Chain { first: f2, rest: r2 }) => {
            expr(f1, f2) && all(r1, r2, |(o1, _, a), (o2, _, b)| o1 == o2 && expr(a, b))
        }
        (E::Compare { op: o1, left: l1, right: r1, .. }, E::Compare { op: o2, left: l2, right: r2, .. }) => {
            o1 == o2 && expr(l1, l2) && expr(r1, r2)
        }
        (E::In { negated: n1, left: l1, set: s1 }, E::In { negated: n2, left: l2, set: s2 }) => {
            n1 == n2 && expr(l1, l2) && expr(s1, s2)
        }
        (E::Set(a), E::Set(b)) => {
            all(a, b, |a, b| expr(&a.low, &b.low) && both(a.high.as_ref(), b.high.as_ref(), expr))
        }
        (E::And(a), E::And(b)) | (E::Or(a), E::Or(b)) => all(a, b, expr),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::words::KEYWORDS;

    /// One of each kind, not in style.
    const EACH: &[&str] = &[
        "include  <base/runtime>",
        "default  deny(1)",
        "override  kill {ptrace}",
        "arch  x86_64,aarch64",
        "const A=1|2",
        "group @a {read,write}",
        "when  arch x86_64 {allow {read}}",
        "assert \"a\"  {refused {ptrace}}",
        "within  \"b.json\"",
        "waive \"a\"  from <guard/default>  because \"b\"",
        "syscall new(a:int)=470  on x86_64",
        "flags {log}",
        "listener  \"/a\"",
        "allow {socket(family==AF_UNIX)}",
    ];

    #[test]
    fn every_statement_in_style_means_what_it_meant() {
        for text in EACH {
            let formatted = crate::format(text).unwrap();
            assert_ne!(formatted.trim_end(), *text);
            let [old, new] = [*text, formatted.as_str()].map(|text| crate::parse(text).0);
            assert!(same_meaning(&old, &new), "{text}\n{formatted}");
        }
        for word in KEYWORDS {
            assert!(EACH.iter().any(|text| text.contains(word)), "{word}");
        }
    }
}
