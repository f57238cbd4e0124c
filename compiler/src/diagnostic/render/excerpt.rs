//! What a diagnostic shows of its files: a few lines around each place, made fit to print.
//!
//! ```text
//! labels in a.kpol:2, a.kpol:3, a.kpol:90, b.kpol:7
//! excerpts   a.kpol 1–4 │ a.kpol 89–91 │ b.kpol 6–8        all in one text, one behind the other
//! ```
//!
//! miette draws labels of one source only. So all excerpts of a diagnostic become *one* text, the [`Board`], which
//! knows for every part of it from which file and line it came, and refuses to give two parts as one.
//!
//! INVARIANT: the text has no control characters but `\n`, no line of it is wider than asked, and no excerpt is
//! longer than [`MAX_LINES`] and its context, whatever the files contain.

use std::ops::Range;

use miette::{LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use super::clean;
use super::place::{Places, Position, Unit};
use crate::diagnostic::{FileId, Label};

/// Longer places are shown by their first line alone. In lines.
const MAX_LINES: usize = 6;
/// Lines shown before and behind.
const CONTEXT: usize = 1;
/// How far apart two places may be to be shown in one excerpt. In lines.
const GAP: usize = 3;
const TAB: usize = 4;

/// A place to draw.
struct Mark {
    file: FileId,
    /// Bytes of the file.
    bytes: Range<usize>,
    first_line: usize,
    last_line: usize,
    text: String,
    primary: bool,
    position: Position,
}

impl Mark {
    fn new(label: &Label, primary: bool, places: &Places<'_>) -> Self {
        let file = label.span.file;
        let source = &places.file(file).text;
        let lines = places.lines(file);
        let mut bytes = places.bytes(label.span);
        // The newline that ends a place is not worth a line of its own.
        let trimmed = source[bytes.clone()].trim_end_matches(['\n', '\r']).len();
        bytes.end = bytes.start + trimmed;
        let first_line = lines.line_of(bytes.start);
        let mut last_line = lines.line_of(bytes.end);
        let mut text = clean::line(&label.text);
        if last_line - first_line >= MAX_LINES {
            let until = format!("until line {}", last_line + 1);
            text = if text.is_empty() { until } else { format!("{text} ({until})") };
            bytes.end = lines.bytes_of(first_line, source).end.max(bytes.start);
            last_line = first_line;
        }
        let position = places.position(file, bytes.start, Unit::Utf8);
        Self { file, bytes, first_line, last_line, text, primary, position }
    }

    fn is_multi_line(&self) -> bool {
        self.first_line != self.last_line
    }
}

/// Places of one file that stand close together.
struct Cluster {
    file: FileId,
    first_line: usize,
    last_line: usize,
    marks: Vec<Mark>,
}

impl Cluster {
    fn new(mark: Mark) -> Self {
        Self { file: mark.file, first_line: mark.first_line, last_line: mark.last_line, marks: vec![mark] }
    }

    /// Whether `mark` can be drawn here too: near, and not across what is drawn already.
    fn accepts(&self, mark: &Mark, long: impl Fn(usize) -> bool) -> bool {
        let near = mark.file == self.file
            && mark.first_line <= self.last_line + GAP
            && self.first_line <= mark.last_line + GAP
            && self.last_line.max(mark.last_line) - self.first_line.min(mark.first_line) < 3 * MAX_LINES;
        near && self.marks.iter().all(|other| {
            let apart = mark.bytes.end < other.bytes.start || other.bytes.end < mark.bytes.start;
            let share_line = mark.first_line <= other.last_line && other.first_line <= mark.last_line;
            let one_window = !(share_line && (mark.first_line..=mark.last_line).any(&long));
            apart && one_window && !(mark.is_multi_line() && other.is_multi_line())
        })
    }

    fn add(&mut self, mark: Mark) {
        self.first_line = self.first_line.min(mark.first_line);
        self.last_line = self.last_line.max(mark.last_line);
        self.marks.push(mark);
    }
}

/// One excerpt's part of the board.
struct Part {
    range: Range<usize>,
    name: String,
    /// From 0.
    first_line: usize,
    lines: usize,
}

/// A label on the board.
pub(super) struct Drawn {
    range: Range<usize>,
    text: String,
    /// Whether it is where the mistake is.
    pub(super) primary: bool,
    position: Position,
}

/// All excerpts of one diagnostic, and its labels on them, from top to bottom.
pub(super) struct Board {
    text: String,
    parts: Vec<Part>,
    /// Sorted by place, as miette sorts them.
    pub(super) drawn: Vec<Drawn>,
}

impl Board {
    /// The places of a diagnostic on lines of at most `width` columns.
    pub(super) fn new<'l>(
        primary: Option<&'l Label>,
        related: impl Iterator<Item = &'l Label>,
        places: &Places<'_>,
        width: usize,
    ) -> Self {
        let mut clusters: Vec<Cluster> = Vec::new();
        let marks = primary.into_iter().map(|label| Mark::new(label, true, places));
        for mark in marks.chain(related.map(|label| Mark::new(label, false, places))) {
            let source = &places.file(mark.file).text;
            let lines = places.lines(mark.file);
            // The same place twice: one line drawn, both texts at it.
            let same = clusters
                .iter_mut()
                .flat_map(|cluster| &mut cluster.marks)
                .find(|other| other.file == mark.file && other.bytes == mark.bytes);
            if let Some(same) = same {
                if same.text.is_empty() {
                    same.text = mark.text;
                } else if !mark.text.is_empty() && mark.text != same.text {
                    same.text = format!("{}; {}", same.text, mark.text);
                }
                continue;
            }
            let long = |line| lines.bytes_of(line, source).len() > width;
            match clusters.iter_mut().find(|cluster| cluster.accepts(&mark, long)) {
                Some(cluster) => cluster.add(mark),
                None => clusters.push(Cluster::new(mark)),
            }
        }
        let mut board = Self { text: String::new(), parts: Vec::new(), drawn: Vec::new() };
        for cluster in clusters {
            board.draw(cluster, places, width);
        }
        board.drawn.sort_by_key(|drawn| (drawn.range.start, drawn.range.end));
        board
    }

    fn draw(&mut self, cluster: Cluster, places: &Places<'_>, width: usize) {
        let source = &places.file(cluster.file).text;
        let lines = places.lines(cluster.file);
        // Context that is blank (the end of the file among it) says nothing.
        let says = |line: &usize| !source[lines.bytes_of(*line, source)].trim().is_empty();
        let first = (cluster.first_line.saturating_sub(CONTEXT)..cluster.first_line).find(says);
        let first = first.unwrap_or(cluster.first_line);
        let behind = cluster.last_line + 1..=(cluster.last_line + CONTEXT).min(lines.count() - 1);
        let last = behind.rev().find(says).unwrap_or(cluster.last_line);

        let begin = self.text.len();
        let mut ends = vec![(0, 0); cluster.marks.len()];
        for line in first..=last {
            let bytes = lines.bytes_of(line, source);
            let here = |offset: &usize| bytes.contains(offset) || *offset == bytes.end;
            // Where one place decides what part of a long line is shown.
            let focus = cluster.marks.iter().map(|mark| mark.bytes.start).find(here).unwrap_or(bytes.start);
            let shown = ShownLine::new(&source[bytes.clone()], focus - bytes.start, width);
            for (mark, (start, end)) in cluster.marks.iter().zip(&mut ends) {
                if mark.first_line == line {
                    *start = self.text.len() + shown.offset_of(mark.bytes.start.saturating_sub(bytes.start));
                }
                if mark.last_line == line {
                    *end = self.text.len() + shown.offset_of(mark.bytes.end.saturating_sub(bytes.start));
                }
            }
            self.text.push_str(&shown.text);
            self.text.push('\n');
        }
        self.parts.push(Part {
            range: begin..self.text.len(),
            name: clean::name(&places.file(cluster.file).name),
            first_line: first,
            lines: last + 1 - first,
        });
        for (mark, (start, end)) in cluster.marks.into_iter().zip(ends) {
            let Mark { text, primary, position, .. } = mark;
            self.drawn.push(Drawn { range: start..end.max(start), text, primary, position });
        }
    }

    /// The labels as miette takes them; `wrap` gets a text and the column in the middle of its place, where it will hang.
    pub(super) fn labels(&self, wrap: impl Fn(&str, usize) -> String) -> Vec<LabeledSpan> {
        self.drawn
            .iter()
            .map(|drawn| {
                let line = self.text[..drawn.range.start].rfind('\n').map_or(0, |newline| newline + 1);
                let middle = (drawn.range.start + drawn.range.end) / 2;
                let column = self.text.get(line..middle).map_or(0, |before| columns(before, usize::MAX));
                let text = (!drawn.text.is_empty()).then(|| wrap(&drawn.text, column));
                let span = SourceSpan::from(drawn.range.clone());
                if drawn.primary {
                    LabeledSpan::new_primary_with_span(text, span)
                } else {
                    LabeledSpan::new_with_span(text, span)
                }
            })
            .collect()
    }
}

impl SourceCode for Board {
    /// The excerpt around a span, whole; or, where miette asks without context, the place of the span in its file.
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let (start, end) = (span.offset(), span.offset() + span.len());
        let part = self.parts.iter().find(|part| part.range.contains(&start) && end <= part.range.end);
        let part = part.ok_or(MietteError::OutOfBounds)?;
        if before == 0 && after == 0 {
            let drawn = self.drawn.iter().find(|drawn| drawn.range == (start..end));
            let Position { line, column } = drawn.ok_or(MietteError::OutOfBounds)?.position;
            let data = &self.text.as_bytes()[start..end];
            return Ok(Box::new(MietteSpanContents::new_named(
                part.name.clone(),
                data,
                *span,
                line - 1,
                column - 1,
                1,
            )));
        }
        Ok(Box::new(MietteSpanContents::new_named(
            part.name.clone(),
            &self.text.as_bytes()[part.range.clone()],
            SourceSpan::from(part.range.clone()),
            part.first_line,
            0,
            part.lines,
        )))
    }
}

/// A line as it is printed, and where its bytes went.
struct ShownLine {
    text: String,
    /// (byte of the line, byte of `text`), both growing; one for every character, and one for the end.
    map: Vec<(usize, usize)>,
}

impl ShownLine {
    /// The part of a line around the byte `focus` that fits in `width` columns.
    fn new(line: &str, focus: usize, width: usize) -> Self {
        let fits = line.len() <= width && !line.contains('\t');
        // A third of the room is for what stands before.
        let begin = if fits || columns(line, width) <= width {
            0
        } else {
            line[..focus].char_indices().rev().take(width / 3).last().map_or(focus, |(at, _)| at)
        };
        // A short way to the beginning is better shown than cut.
        let begin = if begin <= width / 3 && columns(&line[..focus], width) < width / 2 { 0 } else { begin };

        let mut text = String::new();
        let mut map = Vec::new();
        let mut column = 0;
        if begin > 0 {
            text.push('…');
            column = 1;
        }
        let mut end = line.len();
        for (at, c) in line[begin..].char_indices() {
            let columns = char_columns(c, column);
            if column + columns > width.saturating_sub(1) && begin + at + c.len_utf8() < line.len() {
                end = begin + at;
                break;
            }
            map.push((begin + at, text.len()));
            match c {
                '\t' => text.extend(std::iter::repeat_n(' ', columns)),
                // The byte order mark of a file that has one.
                '\u{feff}' if begin + at == 0 => {}
                c if clean::is_hidden(c) => clean::push_hidden(&mut text, c),
                c => text.push(c),
            }
            column += columns;
        }
        map.push((end, text.len()));
        if end < line.len() {
            text.push('…');
        }
        Self { text, map }
    }

    fn offset_of(&self, byte: usize) -> usize {
        let index = self.map.partition_point(|&(from, _)| from < byte);
        match self.map.get(index) {
            Some(&(_, to)) => to,
            // Behind the part that is shown: the end of it, the mark of the cut included.
            None => self.text.len(),
        }
    }
}

/// How many columns a text takes, counted no further than `enough`.
fn columns(text: &str, enough: usize) -> usize {
    let mut column = 0;
    for c in text.chars() {
        column += char_columns(c, column);
        if column > enough {
            break;
        }
    }
    column
}

/// How many columns a character takes; a guess on the safe side for the wide ones.
pub(super) fn char_columns(c: char, column: usize) -> usize {
    match c {
        '\t' => TAB - column % TAB,
        '\u{20}'..='\u{7e}' => 1,
        c if clean::is_hidden(c) => c.escape_unicode().len(),
        '\u{1100}'.. => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str, focus: usize, width: usize) -> String {
        ShownLine::new(line, focus, width).text
    }

    #[test]
    fn a_line_is_shown_as_it_will_look() {
        assert_eq!(shown("\tab\tc", 0, 80), "    ab  c");
        assert_eq!(shown("a\x1b[31mb", 0, 80), "a\\x1b[31mb");
        assert_eq!(shown("日本", 0, 80), "日本");
        assert_eq!(shown("\u{feff}allow", 0, 80), "allow");
        assert_eq!(shown("", 0, 80), "");
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let line = "0123456789".repeat(100);
        let cut = shown(&line, 500, 30);
        assert!(cut.starts_with("…0123456789") && cut.ends_with('…'), "{cut}");
        assert_eq!(cut.chars().count(), 30);
        assert_eq!(shown(&line, 2, 30), format!("{}…", &line[..29]));
        assert!(shown(&line, 1000, 30).ends_with("789"));
        let wide = shown(&"日".repeat(1000), 1500, 30);
        assert!(wide.chars().count() < 20, "{wide}");
    }

    #[test]
    fn bytes_find_their_place_in_what_is_shown() {
        let line = ShownLine::new("\tä\x01x", 0, 80);
        assert_eq!(line.text, "    ä\\x01x");
        let offsets: Vec<_> = [0, 1, 3, 4, 5, 99].map(|byte| line.offset_of(byte)).into();
        assert_eq!(offsets, [0, 4, 6, 10, 11, 11]);
    }
}
