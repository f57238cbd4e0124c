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

/// The first paragraph of a code's page, as one line without Markdown's marks; `None` where the page has none.
pub fn first_paragraph(code: Code) -> Option<String> {
    let is_text = |line: &&str| !line.is_empty() && !line.starts_with(['#', '`']);
    let lines: Vec<_> =
        code.page().lines().map(str::trim).skip_while(|line| !is_text(line)).take_while(is_text).collect();
    (!lines.is_empty()).then(|| lines.join(" ").replace(['`', '*'], ""))
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
    let width = width.clamp(40, 100);
    let bold = |text: &str| if color { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() };
    let mut out = String::new();
    for block in blocks(code.page()) {
        if !out.is_empty() {
            out.push('\n');
        }
        match block {
            Block::Heading(text) => out.push_str(&format!("{}\n", bold(&text))),
            Block::Paragraph(text) => {
                for line in wrap(&text, width) {
                    out.push_str(&format!("{}\n", spans(&line, color)));
                }
            }
            Block::Item(text) => {
                // Points of one list stand together.
                for (index, line) in wrap(&text, width - 4).iter().enumerate() {
                    let mark = if index == 0 { "  - " } else { "    " };
                    out.push_str(&format!("{mark}{}\n", spans(line, color)));
                }
            }
            Block::Fenced { info, text } => {
                for line in text.lines().filter(|line| !line.starts_with("//- args:")) {
                    let line = match line.strip_prefix("//- ") {
                        Some(name) => bold(&format!("    {name}:")),
                        None if color && info.starts_with("kpol") => format!("    \x1b[36m{line}\x1b[0m"),
                        None => format!("    {line}"),
                    };
                    out.push_str(line.trim_end());
                    out.push('\n');
                }
            }
        }
    }
    out
}

/// Words in backquotes: coloured, or as they are. A pair that a line's end tore apart stays as it is.
fn spans(line: &str, color: bool) -> String {
    if !color || !line.matches('`').count().is_multiple_of(2) {
        return line.to_owned();
    }
    let mut out = String::new();
    for (index, part) in line.split('`').enumerate() {
        out.push_str(&if index % 2 == 1 { format!("\x1b[36m{part}\x1b[0m") } else { part.to_owned() });
    }
    out
}
