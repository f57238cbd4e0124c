//! Cases read like the manual: a source, and below it what the parser and the formatter say.
//!
//! ```text
//! allow { a(x = 1) }
//! //= errors
//! allow { a(x = 1) }
//!             ^ expected `==`, found `=`
//!             fix: replace `=` by `==`
//! //= format
//! (none: it has errors)
//! ```
//!
//! Every file of `cases/` is one. `UPDATE=1 cargo test -p kpol-grammar --test cases` rewrites what stands
//! below `//=`; a change of it is reviewed like code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fmt::Write;
use std::path::Path;

use kpol_grammar::{SyntaxError, format, parse};

fn draw(text: &str, errors: &[SyntaxError]) -> String {
    let mut out = String::new();
    let mut last_line = None;
    for error in errors {
        let start = error.span.start as usize;
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line = text[line_start..].lines().next().unwrap_or("");
        if last_line != Some(line_start) {
            writeln!(out, "{line}").unwrap();
            last_line = Some(line_start);
        }
        let indent = " ".repeat(text[line_start..start].chars().count());
        let here = &text[error.span.range()];
        let marks = "^".repeat(here.lines().next().unwrap_or("").chars().count().max(1));
        writeln!(out, "{indent}{marks} {:?}: {}", error.kind, error.message).unwrap();
        if let Some((span, words)) = &error.related {
            let number = text[..span.start as usize].matches('\n').count() + 1;
            writeln!(out, "{indent}line {number}, `{}`: {words}", &text[span.range()]).unwrap();
        }
        if let Some(help) = &error.help {
            writeln!(out, "{indent}help: {help}").unwrap();
        }
        if let Some((title, span, by)) = &error.fix {
            let mut fixed = text.to_owned();
            fixed.replace_range(span.range(), by);
            let (_, left) = parse(&fixed);
            assert!(left.len() < errors.len(), "the fix of `{}` mends nothing:\n{fixed}\n{left:#?}", error.message);
            writeln!(out, "{indent}fix: {title}").unwrap();
        }
    }
    out
}

fn answers(source: &str) -> String {
    let (_, errors) = parse(source);
    if errors.is_empty() {
        return match format(source) {
            Some(formatted) if formatted == source => "//= format: unchanged\n".to_owned(),
            Some(formatted) => format!("//= format\n{formatted}"),
            None => panic!("no errors, and not formatted"),
        };
    }
    assert_eq!(format(source), None, "a text with errors is never formatted");
    format!("//= errors\n{}", draw(source, &errors))
}

#[test]
fn cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 3, "the cases are there");
    let mut wrong = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let (source, expected) = match text.find("//= ") {
            Some(at) => text.split_at(at),
            None => (text.as_str(), ""),
        };
        let found = answers(source);
        if found == expected {
            continue;
        }
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&file, format!("{source}{found}")).unwrap();
        } else {
            wrong.push(format!("{}: expected\n{expected}\nfound\n{found}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}\nUPDATE=1 rewrites them", wrong.join("\n"));
}

/// The tree of every piece of the language that an editor asks for.
#[test]
fn paths_lead_to_the_cursor() {
    let text = "allow { socket(family == AF_UNIX) }";
    let tree = kpol_grammar::parse_tree(text).tree;
    let path = tree.path_to(u32::try_from(text.find("AF_").unwrap()).unwrap());
    let words: Vec<&str> = path.iter().map(|&id| &text[tree.span(id).range()]).collect();
    assert_eq!(words.last(), Some(&"AF_UNIX"));
    assert!(words.contains(&"family == AF_UNIX") && words.contains(&"socket(family == AF_UNIX)"), "{words:?}");
}

#[test]
fn docs_belong_to_what_follows() {
    let text = "//! The file.\n//! More.\n\n/// Not this one.\n\n/// One.\n///  Two.\ngroup @a { b }\nallow { x } /// no\nconst A = 1\n";
    let (file, errors) = parse(text);
    assert_eq!(errors, []);
    assert_eq!(file.doc.as_deref(), Some("The file.\nMore."));
    let docs: Vec<_> = file.statements.iter().map(|statement| statement.doc.as_deref()).collect();
    assert_eq!(docs, [Some("One.\n Two."), None, None]);
}

/// What nests without end, or is broken without end, is answered on the smallest stack a thread may have.
#[test]
fn hostile_texts_are_survived() {
    let run = || {
        let many = 100_000;
        for piece in [
            "{",
            "(",
            "}",
            ")",
            "!",
            "- ",
            "/*",
            "\"",
            "a ",
            ",",
            "allow {\n",
            "x(",
            "@a except {",
            "when arch a {\n",
            "foo {",
        ] {
            let (_, errors) = parse(&piece.repeat(many));
            assert!(!errors.is_empty(), "{piece}");
        }
        let chain = format!("allow {{ a({}x == 1) }}", "x == 1 || ".repeat(many));
        assert_eq!(parse(&chain).1, [], "a long chain is no deep tree");
        assert!(format(&chain).is_some());
        for depth in [62, 63, 200] {
            let deep = format!("const X = {}1{}", "(".repeat(depth), ")".repeat(depth));
            assert_eq!(parse(&deep).1.is_empty(), depth < 64);
            assert_eq!(format(&deep).is_some(), depth < 64);
        }
        let cut = format!("alow {{ a }}\nconst X = {}1{}\nalow {{ b }}\n", "(".repeat(200), ")".repeat(200));
        assert_eq!(parse(&cut).1.len(), 3, "what is cut out hides nothing");
        let wrong = "grop @x { a }\n".repeat(10_000);
        assert_eq!(parse(&wrong).1.len(), 10_000);
    };
    std::thread::Builder::new().stack_size(1 << 20).spawn(run).unwrap().join().unwrap();
}
