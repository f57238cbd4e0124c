//! The pages of the codes: what `kpolc explain E031` says, and the examples in it.
//!
//! ````text
//! # E031: unknown parameter
//!
//! A condition names a parameter that the call does not have. …
//!
//! ```kpol,E031                          Example { expect: Gives(E031), args: [], files: [main.kpol] }
//! default allow
//! deny { socket(famly == AF_UNIX) }
//! ```
//!
//! ```kpol,ok                            Example { expect: Clean, … }
//! default allow
//! deny { socket(family == AF_UNIX) }
//! ```
//! ````
//!
//! An example may have several files, each begun by a line `//- name` (what stands before the first is `main.kpol`;
//! `kpol.toml` is the project file beside it), and options of the command line in a first line `//- args: …`. What cannot
//! be shown so (a full disk, a file of 2 MiB) stands in a block ```` ```text ````.
//!
//! A page is manual, hover and test at once: a test compiles each example and wants exactly the code that it names.

use super::Code;
use super::render::terminal::wrap;

/// What an example must give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// This code, once or more, and no other.
    Gives(Code),
    /// Nothing at all.
    Clean,
}

/// An example of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// What it must give.
    pub expect: Expect,
    /// Options as they stand on a command line: `--kernel`, `5.10`. `--emit` says that it is to be built for that
    /// output; an example without is checked alone.
    pub args: Vec<String>,
    /// Name and text; the first is the one to check, its name is `main.kpol`.
    pub files: Vec<(String, String)>,
}

/// The page of a code: Markdown.
pub fn explain(code: Code) -> &'static str {
    code.page()
}

/// All codes with their titles, one a line: what `kpolc explain` says without a code.
pub fn list() -> String {
    Code::ALL.iter().map(|code| format!("{}  {}\n", code.as_str(), code.title())).collect()
}

/// The first paragraph of a code's page, as one line without backquotes; `None` where the page has none.
pub fn first_paragraph(code: Code) -> Option<String> {
    story(code).map(|text| text.replace('`', ""))
}

/// The first paragraph, as Markdown in one line.
fn story(code: Code) -> Option<String> {
    blocks(code.page()).into_iter().find_map(|block| match block {
        Block::Paragraph(text) => Some(text),
        _ => None,
    })
}

/// The examples of a code's page, in its order.
///
/// # Errors
/// A block whose info string says neither a code nor `ok`: a mistake in the page.
pub fn examples(code: Code) -> Result<Vec<Example>, String> {
    let mut examples = Vec::new();
    for block in blocks(code.page()) {
        let Block::Fenced { info, text } = block else { continue };
        let Some(word) = info.strip_prefix("kpol,") else { continue };
        let expect = match word {
            "ok" => Expect::Clean,
            _ => Expect::Gives(Code::from_name(word).ok_or_else(|| format!("{}: what is `{info}`?", code.as_str()))?),
        };
        examples.push(example(expect, &text));
    }
    Ok(examples)
}

fn example(expect: Expect, text: &str) -> Example {
    let mut args = Vec::new();
    let mut files = vec![("main.kpol".to_owned(), String::new())];
    for line in text.lines() {
        match line.strip_prefix("//- ") {
            Some(rest) => match rest.strip_prefix("args:") {
                Some(options) => args.extend(options.split_whitespace().map(str::to_owned)),
                None => files.push((rest.trim().to_owned(), String::new())),
            },
            None => {
                if let Some((_, text)) = files.last_mut() {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
    }
    Example { expect, args, files }
}

/// A part of a page.
enum Block {
    Heading(String),
    /// Text between fences, its lines each with a newline.
    Fenced {
        info: String,
        text: String,
    },
    /// A point of a list, joined to one line.
    Item(String),
    /// A paragraph, joined to one line.
    Paragraph(String),
}

/// Reads the little Markdown that the pages use: headings, paragraphs, lists with `-`, fenced blocks.
fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    let mut open: Option<Block> = None;
    while let Some(line) = lines.next() {
        if let Some(info) = line.strip_prefix("```") {
            blocks.extend(open.take());
            let text = lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
            blocks.push(Block::Fenced { info: info.to_owned(), text });
        } else if line.starts_with('#') {
            blocks.extend(open.take());
            blocks.push(Block::Heading(line.trim_start_matches('#').trim().to_owned()));
        } else if line.trim().is_empty() {
            blocks.extend(open.take());
        } else if let Some(item) = line.strip_prefix("- ") {
            blocks.extend(open.replace(Block::Item(item.to_owned())));
        } else {
            match &mut open {
                Some(Block::Item(text) | Block::Paragraph(text)) => {
                    text.push(' ');
                    text.push_str(line.trim());
                }
                _ => open = Some(Block::Paragraph(line.trim().to_owned())),
            }
        }
    }
    blocks.extend(open);
    blocks
}

/// The page of a code for a terminal of `width` columns: headings stand out, code is indented, paragraphs are filled.
pub fn render(code: Code, color: bool, width: usize) -> String {
    render_page(code.page(), color, width)
}

/// The same of any page in the little Markdown of the codes.
pub fn render_page(page: &str, color: bool, width: usize) -> String {
    let width = width.clamp(40, 100);
    let mut out = String::new();
    let mut in_list = false;
    for block in blocks(page) {
        let is_item = matches!(block, Block::Item(_));
        // Points of one list stand together.
        let joined = out.is_empty() || in_list && is_item;
        if !joined {
            out.push('\n');
        }
        in_list = is_item;
        match block {
            Block::Heading(text) => out.push_str(&format!("{}\n", paint(&text, "1", color))),
            Block::Paragraph(text) => {
                for line in wrap(&text, width) {
                    out.push_str(&format!("{}\n", spans(&line, color)));
                }
            }
            Block::Item(text) => {
                for (index, line) in wrap(&text, width - 4).iter().enumerate() {
                    let mark = if index == 0 { "  - " } else { "    " };
                    out.push_str(&format!("{mark}{}\n", spans(line, color)));
                }
            }
            Block::Fenced { info, text } if info.starts_with("kpol,") => {
                push_example(&mut out, &example(Expect::Clean, &text), color);
            }
            Block::Fenced { text, .. } => {
                for line in text.lines() {
                    out.push_str(format!("    {line}").trim_end());
                    out.push('\n');
                }
            }
        }
    }
    out
}

/// The files of an example, each under its name where there are several, and the command where it matters.
fn push_example(out: &mut String, example: &Example, color: bool) {
    if !example.args.is_empty() {
        let command = if example.args.iter().any(|arg| arg == "--emit") { "build" } else { "check" };
        let args = example.args.join(" ");
        out.push_str(&format!("    {}\n\n", paint(&format!("$ kpolc {command} main.kpol {args}"), "2", color)));
    }
    for (index, (name, text)) in example.files.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        if example.files.len() > 1 {
            out.push_str(&format!("  {}\n", paint(&format!("{name}:"), "1", color)));
        }
        for line in text.lines() {
            let line = if line.is_empty() { String::new() } else { format!("    {}", paint(line, "36", color)) };
            out.push_str(&line);
            out.push('\n');
        }
    }
}

/// Text in an ANSI style.
fn paint(text: &str, style: &str, color: bool) -> String {
    if color { format!("\x1b[{style}m{text}\x1b[0m") } else { text.to_owned() }
}

/// Words in backquotes: coloured, or as they are. A pair that a line's end tore apart stays as it is.
fn spans(line: &str, color: bool) -> String {
    if !color || !line.matches('`').count().is_multiple_of(2) {
        return line.to_owned();
    }
    let mut out = String::new();
    for (index, part) in line.split('`').enumerate() {
        out.push_str(&paint(part, "36", index % 2 == 1));
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use std::path::Path;

    use super::*;

    /// What no text of an example can show: bytes that are no text, a full disk, bounds far above what fits a page.
    const TOLD_ONLY: &[Code] = &[
        Code::E004,
        Code::E010,
        Code::E011,
        Code::E014,
        Code::E008,
        Code::E027,
        Code::E050,
        Code::E056,
        Code::E062,
        Code::E070,
        Code::E071,
        Code::E072,
        Code::E071,
        Code::E072,
        Code::E099,
    ];

    #[test]
    fn every_page_tells_the_whole_story() {
        for &code in Code::ALL {
            let name = code.as_str();
            let page = code.page();
            assert_eq!(page.lines().next().unwrap(), format!("# {name}: {}", code.title()));
            let story = first_paragraph(code).unwrap_or_default();
            assert!(story.len() > 80 && story.ends_with('.'), "{name}: {story}");

            let examples = examples(code).unwrap();
            let broken = examples.iter().filter(|example| example.expect == Expect::Gives(code)).count();
            let mended = examples.iter().filter(|example| example.expect == Expect::Clean).count();
            assert_eq!(broken + mended, examples.len(), "{name}: an example gives another code");
            if TOLD_ONLY.contains(&code) {
                assert_eq!(examples.len(), 0, "{name} can be shown, so take it out of the list");
            } else {
                assert_eq!(broken, 1, "{name}");
                assert!(mended >= 1, "{name}: how is it mended?");
            }
            assert!(examples.iter().all(|example| example.files.iter().all(|(_, text)| !text.is_empty())), "{name}");

            let mut says = Vec::new();
            for block in blocks(page) {
                match block {
                    Block::Fenced { info, text } if info == "text" => says.push(text),
                    Block::Fenced { info, .. } => assert!(info.starts_with("kpol,"), "{name}: `{info}`"),
                    _ => {}
                }
            }
            let word = if name.starts_with('E') { "error" } else { "warning" };
            let says = says.concat();
            assert!(says.contains(&format!("{word}[{name}]: ")), "{name}: what does kpolc say?");
        }
    }

    #[test]
    fn an_example_is_split_into_files_and_options() {
        let text =
            "//- args: --emit bpf --kernel 6.1\ninclude \"a.kpol\"\n\n//- a.kpol\ndeny { x }\n//- kpol.toml\n[lints]\n";
        let args = ["--emit", "bpf", "--kernel", "6.1"].map(str::to_owned).into();
        let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let files = vec![
            file("main.kpol", "include \"a.kpol\"\n\n"),
            file("a.kpol", "deny { x }\n"),
            file("kpol.toml", "[lints]\n"),
        ];
        assert_eq!(example(Expect::Clean, text), Example { expect: Expect::Clean, args, files });
    }

    #[test]
    fn a_page_is_readable_in_a_terminal() {
        let page = render(Code::E031, false, 60);
        let mut lines = page.lines();
        assert_eq!(lines.next(), Some("E031: unknown parameter"));
        assert!(page.contains("\n    deny { socket(famly == AF_ALG) }\n"), "{page}");
        for &code in Code::ALL {
            let page = render(code, false, 80);
            assert!(!page.contains("```") && !page.contains('\x1b') && !page.contains("//- "), "{page}");
            assert!(page.lines().all(|line| line.starts_with("    ") || line.chars().count() <= 80), "{page}");
            assert!(!page.contains("\n\n\n") && page.ends_with('\n'), "{page}");
        }
        assert!(render(Code::E031, true, 80).contains("\x1b[1mE031: unknown parameter\x1b[0m"));
        assert!(render(Code::E013, false, 80).contains("\n  main.kpol:\n    include \"a.kpol\"\n"));
        assert!(render(Code::E013, false, 80).contains("\n\n  a.kpol:\n    include \"b.kpol\"\n"));
        assert!(render(Code::E053, false, 80).contains("\n    $ kpolc build main.kpol --emit json\n"));
        assert!(page.contains("parameters.\n  - Parameters can"), "{page}");
    }

    #[test]
    fn the_list_has_every_code() {
        assert_eq!(list().lines().count(), Code::ALL.len());
        assert!(list().contains("\nE031  unknown parameter\n"));
    }

    /// A page between its two marks is what is made here. `UPDATE=1` writes it.
    fn fresh_between(page: &str, begin: &str, end: &str, made: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
        let text = std::fs::read_to_string(&path).unwrap();
        let begin = text.find(begin).unwrap() + begin.len();
        let end = begin + text[begin..].find(end).unwrap();
        let fresh = format!("{}{made}{}", &text[..begin], &text[end..]);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, fresh).unwrap();
        } else {
            assert!(text == fresh, "docs/{page} is stale; mend it with `UPDATE=1 cargo test -p kpol-compiler index`");
        }
    }

    #[test]
    fn the_index_of_the_documentation_is_fresh() {
        let mut index = String::from("\n| code | what it is about | in one sentence |\n|---|---|---|\n");
        let mut chapters = String::new();
        for &code in Code::ALL {
            let (name, title) = (code.as_str(), code.title());
            let story = story(code).unwrap_or_default();
            let sentence = story.find(". ").map_or(story.as_str(), |end| &story[..=end]).replace('|', "\\|");
            let link = format!("codes/{name}.md");
            index.push_str(&format!("| [{name}]({link}) | {title} | {sentence} |\n"));
            chapters.push_str(&format!("  - [{name}: {title}]({link})\n"));
        }
        index.push('\n');
        let marks = ("<!-- codes: written by a test, see below -->\n", "<!-- end of codes -->\n");
        fresh_between("errors.md", marks.0, marks.1, &index);
        // A comment here would end the list of chapters.
        fresh_between("SUMMARY.md", "](errors.md)\n", "\n#", &chapters);
    }
}
