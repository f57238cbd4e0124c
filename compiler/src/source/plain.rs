//! Plain lists of calls, read without the grammar.
//!
//! ```text
//! //! Files.
//!
//! /// Reading and writing of what is open.
//! group @basic-io {
//!     close, lseek, read, write,
//! }
//! ```
//!
//! So the files of the built-in groups are written, and a policy that names a dozen of them would spend more time on
//! them than on its own text. What is not as plain goes to the grammar, as a user's file does.
//!
//! INVARIANT: what comes out is to the last place what the grammar makes of the text; a test compares the two for
//! each file of the library.

use kpol_grammar::ast::{Comment, CommentKind, File, Name, Pattern, PatternKind, Span, Statement, StatementKind};

/// The file of that text; `None` if there is anything in it but comments and groups of bare names.
pub(super) fn read(text: &str) -> Option<File> {
    let mut file = File::default();
    let (mut file_doc, mut doc) = (None, None);
    let mut open: Option<Statement> = None;
    let mut at = 0;
    for whole in text.split_inclusive('\n') {
        let line = whole.strip_suffix('\n')?;
        let span = Span::new(at, at + line.len());
        at += whole.len();
        if let Some(words) = line.strip_prefix("//! ").filter(|_| open.is_none()) {
            file.comments.push(Comment { span, kind: CommentKind::FileDoc });
            push_line(&mut file_doc, words);
        } else if let Some(words) = line.strip_prefix("/// ").filter(|_| open.is_none()) {
            file.comments.push(Comment { span, kind: CommentKind::Doc });
            push_line(&mut doc, words);
        } else if let Some(name) = line.strip_prefix("group ").filter(|_| open.is_none()) {
            let name = name.strip_suffix(" {")?;
            let start = span.start as usize + "group ".len();
            is_word(name.strip_prefix('@')?).then_some(())?;
            let name = Name { text: name.to_owned(), span: Span::new(start, start + name.len()) };
            let kind = StatementKind::Group { name, patterns: Vec::new() };
            open = Some(Statement { span, doc: doc.take(), kind });
        } else if line == "}" {
            let mut statement = open.take()?;
            statement.span.end = span.end;
            file.statements.push(statement);
        } else if line.is_empty() && doc.is_none() {
        } else {
            let StatementKind::Group { patterns, .. } = &mut open.as_mut()?.kind else { return None };
            members(line.strip_prefix("    ")?, span.start as usize + 4, patterns)?;
        }
    }
    file.doc = file_doc;
    (open.is_none() && doc.is_none()).then_some(file)
}

/// `close, @sync, read,`
fn members(line: &str, mut at: usize, patterns: &mut Vec<Pattern>) -> Option<()> {
    for word in line.strip_suffix(',')?.split(", ") {
        let span = Span::new(at, at + word.len());
        at += word.len() + 2;
        let name = Name { text: word.to_owned(), span };
        let kind = match word.strip_prefix('@') {
            Some(group) => is_word(group).then_some(PatternKind::Group(name))?,
            None => {
                (is_word(word) && !word.contains('-')).then_some(PatternKind::Call { name, conditions: Vec::new() })?
            }
        };
        patterns.push(Pattern { span, kind, except: Vec::new() });
    }
    Some(())
}

fn is_word(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_alphabetic())
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn push_line(doc: &mut Option<String>, words: &str) {
    match doc {
        Some(doc) => {
            doc.push('\n');
            doc.push_str(words.trim_end());
        }
        None => *doc = Some(words.trim_end().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use super::read;
    use crate::library;

    #[test]
    fn groups_of_the_library_are_read_as_the_grammar_reads_them() {
        for file in library::files().iter().filter(|file| file.is_groups()) {
            let plain = read(file.text).unwrap_or_else(|| panic!("{} is not plain", file.name));
            let (parsed, errors) = kpol_grammar::parse(file.text);
            assert!(errors.is_empty());
            assert_eq!(format!("{plain:?}"), format!("{parsed:?}"), "{}", file.name);
        }
    }

    #[test]
    fn what_is_not_plain_is_left_to_the_grammar() {
        for text in [
            "default deny\n",
            "group @a {\n    read\n}\n",
            "group @a {\n    read,\n",
            "group @a {\n    read(fd == 1),\n}\n",
            "group @a {\n    read, // why\n}\n",
            "group @a {\n    @b except { read },\n}\n",
            "group @1 {\n    read,\n}\n",
            "group @a {\n    1, read,\n}\n",
            "group @a {\n    read,, write,\n}\n",
            "group @a {\n    basic-io,\n}\n",
            "group @a {\n    read,\n}",
            "/// doc of nothing\n",
            "}\n",
        ] {
            assert!(read(text).is_none(), "{text}");
        }
        assert!(read("").unwrap().statements.is_empty());
    }
}
