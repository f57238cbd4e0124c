//! JSON as people keep it: with comments, with a comma too many, inside a whole `config.json`.
//!
//! ```text
//! "syscalls": [
//!     /* Reads and writes */                  →   remark 0: "Reads and writes"
//!     { "names": ["read", "write"], … },      →   the comma before `]` is dropped
//! ]
//! ```
//!
//! No runtime reads comments, so [`read`](super::read()) does not either; who takes a profile over does not want to
//! lose what its authors said. A comment belongs to the entry that it stands before or in.

use serde_json::Value;

use super::profile::Profile;
use super::read::{MOST_BYTES, ReadError, read};

/// A comment, with the index of the entry that it is about; `None` for the file.
pub type Remark = (Option<usize>, String);

/// Reads a profile and what is said beside it.
pub fn read_lenient(text: &[u8]) -> Result<(Profile, Vec<Remark>), ReadError> {
    if text.len() > MOST_BYTES {
        return read(text).map(|profile| (profile, Vec::new()));
    }
    let (mut plain, mut remarks) = strip(text);
    if let Ok(mut value) = serde_json::from_slice::<Value>(&plain) {
        if value.get("defaultAction").is_none()
            && let Some(inner) = value.get_mut("linux").and_then(|linux| linux.get_mut("seccomp"))
            && inner.is_object()
        {
            value = inner.take();
            plain = value.to_string().into_bytes();
        }
        for (index, entry) in value.get("syscalls").and_then(Value::as_array).into_iter().flatten().enumerate() {
            if let Some(comment) = entry.get("comment").and_then(Value::as_str).filter(|text| !text.trim().is_empty()) {
                remarks.push((Some(index), words(comment)));
            }
        }
    }
    read(&plain).map(|profile| (profile, remarks))
}

/// Comments become blanks, so that places in errors stay those of the file.
fn strip(text: &[u8]) -> (Vec<u8>, Vec<Remark>) {
    let mut scan =
        Scan { text, at: 0, plain: text.to_vec(), remarks: Vec::new(), open: Vec::new(), entries: 0, word: 0..0 };
    scan.run();
    (scan.plain, scan.remarks)
}

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
    plain: Vec<u8>,
    remarks: Vec<Remark>,
    /// For each open bracket, whether it is the list of entries.
    open: Vec<bool>,
    /// Entries that have begun.
    entries: usize,
    /// The last string, without its quotes.
    word: std::ops::Range<usize>,
}

impl Scan<'_> {
    fn run(&mut self) {
        while let Some(&byte) = self.text.get(self.at) {
            match byte {
                b'"' => self.string(),
                b'/' if self.text.get(self.at + 1) == Some(&b'/') => {
                    let end = self.find(b"\n", self.at);
                    self.comment(end, end);
                }
                b'/' if self.text.get(self.at + 1) == Some(&b'*') => {
                    let end = self.find(b"*/", self.at + 2);
                    self.comment(end, (end + 2).min(self.text.len()));
                }
                b'{' | b'[' => {
                    if self.open.last() == Some(&true) {
                        self.entries += 1;
                    }
                    let list = byte == b'[' && self.open.len() == 1 && &self.text[self.word.clone()] == b"syscalls";
                    self.open.push(list);
                    self.at += 1;
                }
                b'}' | b']' => {
                    self.open.pop();
                    let before = self.plain[..self.at].iter().rposition(|byte| !byte.is_ascii_whitespace());
                    if let Some(comma) = before.filter(|&before| self.plain[before] == b',') {
                        self.plain[comma] = b' ';
                    }
                    self.at += 1;
                }
                _ => self.at += 1,
            }
        }
    }

    fn string(&mut self) {
        let start = self.at + 1;
        let mut end = start;
        while let Some(&byte) = self.text.get(end) {
            match byte {
                b'"' => break,
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
        let end = end.min(self.text.len());
        self.word = start..end;
        self.at = end + 1;
    }

    fn find(&self, what: &[u8], from: usize) -> usize {
        let rest = self.text.get(from..).unwrap_or_default();
        rest.windows(what.len()).position(|window| window == what).map_or(self.text.len(), |at| from + at)
    }

    /// `end` is where the words end, `after` where the comment does.
    fn comment(&mut self, end: usize, after: usize) {
        let text = self.text.get(self.at + 2..end).unwrap_or_default();
        let words = words(&String::from_utf8_lossy(text));
        let about = match (self.open.last(), self.open.get(1)) {
            (Some(true), _) => Some(self.entries),
            (_, Some(true)) => self.entries.checked_sub(1),
            _ => None,
        };
        if !words.is_empty() {
            self.remarks.push((about, words));
        }
        for byte in &mut self.plain[self.at..after] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        self.at = after;
    }
}

/// One line, without the stars that some draw down the side.
fn words(text: &str) -> String {
    let lines = text.lines().map(|line| line.trim().trim_start_matches('*').trim());
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use super::*;

    #[test]
    fn comments_stay_with_their_entry() {
        let text = br#"// all of it
            { "defaultAction": "SCMP_ACT_ERRNO", /* nothing // else */
              "syscalls": [
                /* Reads
                 * and writes */
                { "names": ["read", "a//b",], "action": "SCMP_ACT_ALLOW" },
                { "names": ["close"], // and shuts
                  "action": "SCMP_ACT_LOG", "comment": "twice", },
              ],
            }"#;
        let (profile, remarks) = read_lenient(text).unwrap();
        assert_eq!(profile.syscalls[0].names, ["read", "a//b"]);
        let remarks: Vec<(Option<usize>, &str)> = remarks.iter().map(|(at, text)| (*at, text.as_str())).collect();
        assert_eq!(
            remarks,
            [
                (None, "all of it"),
                (None, "nothing // else"),
                (Some(0), "Reads and writes"),
                (Some(1), "and shuts"),
                (Some(1), "twice"),
            ]
        );
    }

    #[test]
    fn the_profile_of_a_container_is_found() {
        let text = br#"{ "ociVersion": "1.0.2", "linux": { "seccomp": { "defaultAction": "SCMP_ACT_LOG" } } }"#;
        assert_eq!(read_lenient(text).unwrap().0.default_action.name(), "SCMP_ACT_LOG");
    }

    #[test]
    fn nothing_that_is_cut_off_leads_astray() {
        let text = br#"{ "defaultAction": "SCMP_ACT_LOG", /* "syscalls": [ "\" ] */ "flags": [] }"#;
        for end in 0..text.len() {
            assert!(read_lenient(&text[..end]).is_err());
        }
        assert!(read_lenient(text).is_ok());
    }
}
