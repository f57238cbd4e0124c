//! The tree-sitter grammar of the editors against the grammar of the compiler: what the compiler takes is taken there,
//! and looks as it should.
//!
//! `UPDATE=1 cargo test -p kpol-tests --test tree_sitter` makes the parser anew from `grammar.js` (with node), and the
//! corpus from the cases; a change of the latter is read like code. `tree-sitter test` runs the same corpus.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use kpol_compiler::library;
use kpol_grammar::words;
use kpol_tests::case::Case;
use kpol_tests::fuzz::{self, Random};
use kpol_tests::skip::{or_skip, program};
use proptest::prelude::*;
use tree_sitter::{Language, Node, Parser, Query, QueryCursor, StreamingIterator as _, Tree};
use tree_sitter_generate::{OptLevel, generate_parser_in_directory};

#[path = "../../grammar/tests/program/mod.rs"]
mod programs;

/// The newest that Neovim 0.10, Helix 25.01 and Emacs 30 of Debian 13 all load.
const ABI: usize = 14;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("editors/tree-sitter-kpol")
}

fn language() -> Language {
    tree_sitter_kpol::LANGUAGE.into()
}

fn parse(text: &str) -> Tree {
    let mut parser = Parser::new();
    parser.set_language(&language()).unwrap();
    parser.parse(text, None).unwrap()
}

fn sound(text: &str) -> bool {
    kpol_grammar::parse(text).1.is_empty()
}

/// The first place that the tree has as an error, in words.
fn wrong(node: Node<'_>, text: &str) -> Option<String> {
    if node.is_error() || node.is_missing() {
        let here = text.get(node.byte_range()).unwrap_or_default();
        return Some(format!("{} at {}: `{here}`", node.kind(), node.start_position()));
    }
    let mut cursor = node.walk();
    node.children(&mut cursor).filter(Node::has_error).find_map(|child| wrong(child, text))
}

fn holds(text: &str) {
    let tree = parse(text);
    if sound(text) && tree.root_node().has_error() {
        panic!("{}, in what the compiler takes:\n{text}", wrong(tree.root_node(), text).unwrap_or_default());
    }
}

fn update() -> bool {
    std::env::var_os("UPDATE").is_some()
}

/// Writes what was made, or holds it against what is there.
fn as_made(path: &Path, made: &str) {
    if update() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, made).unwrap();
    }
    let there = fs::read_to_string(path).unwrap_or_default();
    assert!(
        there == made,
        "{} is not as it is made; `UPDATE=1 cargo test -p kpol-tests --test tree_sitter` makes it anew",
        path.display()
    );
}

#[test]
fn the_parser_is_as_it_is_made() {
    let Some(_) = or_skip(program("node")) else { return };
    let scratch = tempfile::tempdir().unwrap();
    for name in ["grammar.js", "tree-sitter.json"] {
        fs::copy(folder().join(name), scratch.path().join(name)).unwrap();
    }
    let out = scratch.path().join("src");
    generate_parser_in_directory(
        scratch.path(),
        Some(&out),
        None::<PathBuf>,
        ABI,
        None,
        Some("node"),
        true,
        OptLevel::default(),
    )
    .unwrap_or_else(|error| panic!("{error}"));
    for name in [
        "grammar.json",
        "node-types.json",
        "parser.c",
        "tree_sitter/parser.h",
        "tree_sitter/array.h",
        "tree_sitter/alloc.h",
    ] {
        as_made(&folder().join("src").join(name), &fs::read_to_string(out.join(name)).unwrap());
    }
}

#[test]
fn every_policy_of_the_project_parses() {
    let texts = fuzz::policies();
    let texts = texts.iter().map(String::as_str).chain(library::files().iter().map(|file| file.text));
    assert!(texts.filter(|text| sound(text)).inspect(|text| holds(text)).count() > 200);
}

#[test]
fn what_is_nearly_right_parses_where_the_compiler_takes_it() {
    let corpus = fuzz::policies();
    // As `fuzz` has it: `KPOL_FUZZ=100000` for many.
    let few = std::env::var("KPOL_FUZZ").map_or(4_000, |number| number.parse().expect("a number"));
    let texts = (1..=few).map(|seed| fuzz::mutate(&corpus, &mut Random::new(seed)));
    assert!(texts.filter(|text| sound(text)).inspect(|text| holds(text)).count() > 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_programs_parse(text in programs::program(programs::GAPS)) {
        holds(&text);
    }
}

/// An indented S-expression, as `tree-sitter test` reads it.
fn draw(node: Node<'_>, field: Option<&str>, depth: usize, out: &mut String) {
    let label = field.map(|field| format!("{field}: ")).unwrap_or_default();
    write!(out, "\n{}{label}({}", "  ".repeat(depth), node.kind()).unwrap();
    let mut cursor = node.walk();
    for (index, child) in node.children(&mut cursor).enumerate() {
        if child.is_named() {
            draw(child, node.field_name_for_child(u32::try_from(index).unwrap()), depth + 1, out);
        }
    }
    out.push(')');
}

#[test]
fn the_corpus_is_that_of_the_cases() {
    let root = folder().parent().unwrap().parent().unwrap().to_owned();
    let mut made = String::new();
    for from in ["grammar/tests/cases", "tests/cases/syntax", "tests/cases/declare", "tests/cases/conditions"] {
        let mut paths: Vec<_> = fs::read_dir(root.join(from)).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            let case = Case::parse(&fs::read_to_string(&path).unwrap());
            let name = path.file_stem().unwrap().to_str().unwrap();
            for (_, text) in case.files.iter().filter(|(file, text)| file.ends_with(".kpol") && sound(text)) {
                let mut tree = String::new();
                draw(parse(text).root_node(), None, 0, &mut tree);
                let bar = "=".repeat(20);
                write!(made, "{bar}\n{name}\n{bar}\n\n{}\n\n---\n{tree}\n\n", text.trim_end()).unwrap();
            }
        }
    }
    // What no case shows, the corpus does not hold down.
    let kinds: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(folder().join("src/node-types.json")).unwrap()).unwrap();
    let kinds = kinds.as_array().unwrap().iter().filter(|kind| kind["named"] == true && kind.get("subtypes").is_none());
    for kind in kinds.map(|kind| kind["type"].as_str().unwrap()) {
        assert!(made.contains(&format!("({kind}")), "no case has a `{kind}`: add one to tests/cases/syntax");
    }
    as_made(&folder().join("test/corpus/cases.txt"), &made);
}

/// What a query captures: byte ranges and names.
fn captures(query: &str, text: &str) -> Vec<(std::ops::Range<usize>, String)> {
    let query = Query::new(&language(), query).unwrap();
    let tree = parse(text);
    let mut cursor = QueryCursor::new();
    let mut found = cursor.captures(&query, tree.root_node(), text.as_bytes());
    let mut all = Vec::new();
    while let Some((matched, index)) = found.next() {
        let capture = matched.captures[*index];
        all.push((capture.node.byte_range(), query.capture_names()[capture.index as usize].to_owned()));
    }
    all
}

/// `// ^^ name` below a line: the text above the marks has that colour, as `tree-sitter test` has it.
#[test]
fn colours_are_as_drawn() {
    for entry in fs::read_dir(folder().join("test/highlight")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let colours = captures(tree_sitter_kpol::HIGHLIGHTS_QUERY, &text);
        let (mut line_start, mut above, mut tried) = (0, 0, 0);
        for line in text.split_inclusive('\n') {
            let drawn = line.trim().strip_prefix("//").map(str::trim).filter(|rest| rest.starts_with('^'));
            if let Some(drawn) = drawn {
                let (marks, wanted) = drawn.split_once(' ').unwrap();
                let at = above + line.find('^').unwrap();
                let here: Vec<_> = colours.iter().filter(|(range, _)| range.contains(&at)).collect();
                let shown = &text[at..at + marks.len()];
                assert_eq!(here.len(), 1, "`{shown}` has one colour, not {here:?}");
                assert_eq!(here[0], &(at..at + marks.len(), wanted.trim().to_owned()), "the colour of `{shown}`");
                tried += 1;
            } else {
                above = line_start;
            }
            line_start += line.len();
        }
        assert!(tried > 20, "{tried}");
    }
}

#[test]
fn nothing_has_two_colours() {
    for text in fuzz::policies() {
        let mut colours = captures(tree_sitter_kpol::HIGHLIGHTS_QUERY, &text);
        colours.sort_by_key(|(range, _)| (range.start, range.end));
        for pair in colours.windows(2) {
            let both = format!("{pair:?}: `{}`", &text[pair[0].0.clone()]);
            // A type is painted whole and by its words.
            assert!(pair[0].0.end <= pair[1].0.start, "{both}");
        }
    }
}

#[test]
fn other_queries_find_what_they_are_for() {
    let text =
        "/// Reads.\ngroup @a { read }\nconst B = {\n    1,\n}\nsyscall c = 470 on x86\nallow { @a, c(reg0 == B) }\n";
    let names = |query: &str| {
        let mut names: Vec<_> =
            captures(query, text).into_iter().map(|(range, name)| format!("{name} {}", &text[range])).collect();
        names.dedup();
        names
    };
    let locals = names(tree_sitter_kpol::LOCALS_QUERY);
    for wanted in ["local.definition @a", "local.definition B", "local.definition c", "local.reference @a"] {
        assert!(locals.iter().any(|name| name == wanted), "{wanted}: {locals:?}");
    }
    assert!(locals.iter().any(|name| name == "local.reference B"), "{locals:?}");
    let tags = names(tree_sitter_kpol::TAGS_QUERY);
    for wanted in
        ["doc /// Reads.", "definition.module group @a { read }", "definition.function syscall c = 470 on x86"]
    {
        assert!(tags.iter().any(|name| name == wanted), "{wanted}: {tags:?}");
    }
    assert!(names(tree_sitter_kpol::FOLDS_QUERY).contains(&"fold {\n    1,\n}".to_owned()));
    assert!(names(tree_sitter_kpol::INDENTS_QUERY).contains(&"indent.branch }".to_owned()));
}

/// A word that the language has and an editor does not know would be plain there.
#[test]
fn every_editor_knows_every_word() {
    let others = ["except", "not", "in", "on", "cap", "kernel"];
    let words: Vec<&str> =
        words::KEYWORDS.into_iter().chain(words::ACTIONS).chain(words::OUTCOMES).chain(others).collect();
    let root = folder().parent().unwrap().to_owned();
    for file in ["tree-sitter-kpol/grammar.js", "vim/syntax/kpol.vim", "emacs/kpol-mode.el"] {
        let text = fs::read_to_string(root.join(file)).unwrap();
        let known: Vec<&str> = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').collect();
        for word in &words {
            assert!(known.contains(word), "editors/{file} does not know `{word}`");
        }
    }
    for file in ["tree-sitter-kpol/queries/highlights.scm", "helix/queries/kpol/highlights.scm"] {
        let text = fs::read_to_string(root.join(file)).unwrap();
        for word in words::KEYWORDS.into_iter().chain(others) {
            assert!(text.contains(&format!("\"{word}\"")), "editors/{file} does not know `{word}`");
        }
        Query::new(&language(), &text).unwrap();
    }
    for entry in fs::read_dir(root.join("helix/queries/kpol")).unwrap() {
        Query::new(&language(), &fs::read_to_string(entry.unwrap().path()).unwrap()).unwrap();
    }
}
