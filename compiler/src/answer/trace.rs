//! Lines of strace as questions about calls.
//!
//! ```text
//! [pid 7] 03:04:05.6 openat(AT_FDCWD</tmp>, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3
//!         →   openat(dfd = AT_FDCWD, flags = O_RDONLY | O_CLOEXEC), by process 7
//! ```
//!
//! strace prints what arguments mean, and not always in the kernel's order: text, structures and addresses with something behind
//! them are unknown, and so is each value that is not made of numbers and known constants.
//!
//! INVARIANT: what is said of an argument is what was in its register; where that is not sure, nothing is said.

use super::call::{Given, Question, Subject, Whose, is_name};
use super::record::{Recorded, abi};
use crate::spec::Arch;
use crate::tables::{self, Syscall};

/// Longer values are unknown.
const MOST_VALUE: usize = 200;

/// What a line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line<'a> {
    /// A whole call.
    Call(Question),
    /// A call that goes on in another line: text from its name on.
    Begun(&'a str),
    /// The rest of a call, with its name.
    Resumed(&'a str, &'a str),
    /// A signal of a filter, which says of which call.
    Trapped(Question),
    /// Words of strace about something else.
    Chatter,
    /// Nothing of strace's.
    Foreign,
}

/// A line, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced<'a> {
    /// 0 where it does not say.
    pub process: u64,
    /// What it says.
    pub line: Line<'a>,
}

/// Reads a line. `known` says which names are calls.
pub fn read<'a>(text: &'a str, known: &dyn Fn(&str) -> bool) -> Traced<'a> {
    let (process, rest) = prefix(text);
    Traced { process: process.unwrap_or(0), line: line(rest, known) }
}

/// Process, times and addresses in front of the call: `[pid 7]`, `7`, `03:04:05.6`, `0.000017`, `[ 231]`.
fn prefix(text: &str) -> (Option<u64>, &str) {
    let (mut process, mut rest) = (None, text.trim());
    loop {
        let before = rest;
        if let Some((inner, behind)) = rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
            let word = inner.trim();
            if let Some(pid) = word.strip_prefix("pid") {
                process = pid.trim().split('<').next().and_then(|pid| pid.parse().ok());
                rest = behind.trim_start();
            } else if !word.is_empty() && word.chars().all(|c| c.is_ascii_hexdigit() || c == '?') {
                rest = behind.trim_start();
            }
        } else if let Some((word, behind)) = rest.split_once(' ') {
            let number = word.split('<').next().unwrap_or(word);
            if number.starts_with(|c: char| c.is_ascii_digit())
                && number.chars().all(|c| c.is_ascii_digit() || ":.".contains(c))
            {
                if let (None, Ok(pid)) = (process, number.parse()) {
                    process = Some(pid);
                }
                rest = behind.trim_start();
            }
        }
        if rest == before {
            return (process, rest);
        }
    }
}

fn line<'a>(text: &'a str, known: &dyn Fn(&str) -> bool) -> Line<'a> {
    const WORDS: [&str; 6] = ["+++ ", "strace: ", "[ Process ", "> ", "<detached ...>", "[ "];
    if text.starts_with("--- ") {
        return signal(text).map_or(Line::Chatter, Line::Trapped);
    }
    if let Some(rest) = text.strip_prefix("<... ")
        && let Some((name, rest)) = rest.split_once(" resumed>")
    {
        return if known(name) { Line::Resumed(name, rest) } else { Line::Foreign };
    }
    if text.is_empty() || WORDS.iter().any(|word| text.starts_with(word)) {
        return Line::Chatter;
    }
    call(text, known).unwrap_or(Line::Foreign)
}

/// `--- SIGSYS {…, si_syscall=__NR_mount, si_arch=AUDIT_ARCH_X86_64} ---`
fn signal(text: &str) -> Option<Question> {
    let inner = text.strip_prefix("--- SIGSYS {")?.split_once('}')?.0;
    let field = |key: &str| inner.split(", ").find_map(|part| part.strip_prefix(key)?.strip_prefix('='));
    if field("si_code")? != "SYS_SECCOMP" {
        return None;
    }
    let call = field("si_syscall")?;
    let call = call.split_once(" /*").map_or(call, |(number, _)| number);
    let subject = match call.strip_prefix("__NR_") {
        Some(name) => Subject::Name(name.to_owned()),
        None => Subject::Number(u32::try_from(integer(call)?).ok()?),
    };
    let number = match subject {
        Subject::Number(number) => Some(number),
        Subject::Name(_) => None,
    };
    let arch = field("si_arch").and_then(|token| match token.strip_prefix("AUDIT_ARCH_") {
        Some(name) => abi(&name.to_ascii_lowercase(), number),
        None => abi(token, number),
    });
    Some(Question { arch, recorded: Some(Recorded::trapped()), ..Question::about(subject) })
}

/// `name(…) = 3`, `name(… <unfinished ...>`
fn call<'a>(text: &'a str, known: &dyn Fn(&str) -> bool) -> Option<Line<'a>> {
    let (name, rest) = text.split_once('(')?;
    let unnamed = name.strip_prefix("syscall_0x").and_then(|hex| u32::from_str_radix(hex, 16).ok());
    if unnamed.is_none() && !(is_name(name) && known(name)) {
        return None;
    }
    if text.ends_with("<unfinished ...>") {
        return Some(Line::Begun(text));
    }
    let (parts, closed) = arguments(rest);
    // Another process came between: strace says so in the middle of the line.
    if !closed && text.contains("strace: Process ") {
        return Some(Line::Begun(text));
    }
    let subject = unnamed.map_or_else(|| Subject::Name(name.to_owned()), Subject::Number);
    Some(Line::Call(Question { given: given(name, &parts), ..Question::about(subject) }))
}

/// A call whose line was in two pieces.
pub fn joined(begun: &str, rest: &str, known: &dyn Fn(&str) -> bool) -> Option<Question> {
    let begun = begun.strip_suffix("<unfinished ...>").unwrap_or(begun);
    let begun = begun.split_once("strace: Process ").map_or(begun, |(begun, _)| begun);
    // What was not printed is unknown, also where it would have been the rest of a value.
    let text =
        if rest.is_empty() { format!("{begun}…)") } else { format!("{}{}", begun.trim_end_matches(' '), rest) };
    match call(&text, known)? {
        Line::Call(question) => Some(question),
        _ => None,
    }
}

/// What strace says in another order than the kernel's, or as another thing than the register: from this place on nothing is
/// taken (`print_lld_from_low_high_val` and the decoders of each in `src/io.c`, `src/mem.c`, `src/lseek.c` of strace).
const REORDERED: [(&str, usize); 7] =
    [("preadv", 3), ("pwritev", 3), ("preadv2", 3), ("pwritev2", 3), ("_llseek", 1), ("mmap2", 5), ("clone", 0)];

fn given(name: &str, parts: &[&str]) -> Vec<Given> {
    let call = tables::syscall(name);
    let end = REORDERED.iter().find(|(of, _)| *of == name).map_or(6, |(_, end)| *end);
    let mut all = Vec::new();
    for (place, part) in (0u8..6).zip(parts) {
        // `flags=CLONE_VM` of `clone`, which has its arguments in another order on each ABI.
        let named = part.split_once('=').filter(|(name, _)| is_name(name));
        let (whose, text) = match named {
            Some((param, text)) if call.is_some_and(|call| has(call, param)) => {
                (Whose::Named(param.to_owned(), None), text)
            }
            None if usize::from(place) < end => (Whose::At(place), *part),
            _ => continue,
        };
        all.extend(value(text).map(|text| Given { whose, text, at: None }));
    }
    all
}

fn has(call: Syscall, param: &str) -> bool {
    call.alias(param).is_some()
}

/// The parts between commas, up to the `)` that ends them; and whether it came. What is not closed is cut, and its last part left out.
fn arguments(text: &str) -> (Vec<&str>, bool) {
    let (mut parts, mut start, mut open) = (Vec::new(), 0, Vec::new());
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let before = at.checked_sub(1).map_or(b' ', |before| bytes[before]);
        match byte {
            b'"' => {
                at += 1;
                while bytes.get(at).is_some_and(|&byte| byte != b'"') {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
            }
            b'/' if bytes.get(at + 1) == Some(&b'*') => match text.get(at + 2..).and_then(|rest| rest.find("*/")) {
                Some(end) => at += end + 3,
                None => break,
            },
            // What a descriptor leads to, whatever it is called; `->` in it is an arrow between addresses.
            b'<' if before.is_ascii_alphanumeric() && bytes.get(at + 1) != Some(&b'<') => {
                at += 1;
                while bytes.get(at).is_some_and(|&byte| byte != b'>' || bytes[at - 1] == b'-') {
                    at += 1;
                }
            }
            b'(' => open.push(b')'),
            b'[' => open.push(b']'),
            b'{' => open.push(b'}'),
            b')' if open.is_empty() => {
                let last = &text[start..at];
                if !parts.is_empty() || !last.trim().is_empty() {
                    parts.push(last.trim());
                }
                return (parts, true);
            }
            b',' if open.is_empty() => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ if open.last() == Some(&byte) => {
                open.pop();
            }
            _ => {}
        }
        at += 1;
    }
    (parts, false)
}

/// A value in the language: numbers and constants, joined by `|`.
fn value(text: &str) -> Option<String> {
    let text = text.split_once("/*").map_or(text, |(value, _)| value).trim();
    let text = if text.ends_with('>') { text.split_once('<').map_or(text, |(value, _)| value) } else { text };
    if text.is_empty() || text.len() > MOST_VALUE {
        return None;
    }
    // One number may be the request of several drivers.
    if text.contains(" or ") {
        let known: Vec<&str> = text.split(" or ").filter(|name| tables::is_constant(name)).collect();
        let first = known.first()?;
        let same = |arch| known.iter().all(|name| tables::constant(name, arch) == tables::constant(first, arch));
        return Arch::all().all(same).then(|| (*first).to_owned());
    }
    let terms: Option<Vec<String>> = text.split('|').map(term).collect();
    terms.map(|terms| terms.join(" | "))
}

fn term(text: &str) -> Option<String> {
    let text = text.trim();
    if text == "NULL" {
        return Some("0".to_owned());
    }
    if is_name(text) && tables::is_constant(text) {
        return Some(text.to_owned());
    }
    // Modes are octal.
    if let Some(octal) = text.strip_prefix('0').filter(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_digit(8))) {
        return u64::from_str_radix(octal, 8).ok().map(|value| format!("{value:#x}"));
    }
    let value = integer(text)?;
    Some(if text.starts_with("0x") { format!("{value:#x}") } else { value.to_string() })
}

fn integer(text: &str) -> Option<i128> {
    let value = match text.strip_prefix("0x") {
        Some(hex) => i128::from(u64::from_str_radix(hex, 16).ok()?),
        None if text.bytes().skip(usize::from(text.starts_with('-'))).all(|byte| byte.is_ascii_digit()) => {
            text.parse().ok()?
        }
        None => return None,
    };
    (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&value).then_some(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use super::*;
    use crate::spec::Action;

    fn known(name: &str) -> bool {
        tables::syscall(name).is_some()
    }

    fn said(text: &str) -> String {
        let Traced { process, line: Line::Call(question) } = read(text, &known) else { panic!("{text}") };
        let name = match &question.subject {
            Subject::Name(name) => name.clone(),
            Subject::Number(number) => number.to_string(),
        };
        let given = question.given.iter().map(|given| match &given.whose {
            Whose::At(place) => format!("{place}: {}", given.text),
            Whose::Named(name, _) => format!("{name}: {}", given.text),
            _ => panic!("{given:?}"),
        });
        format!("{process} {name} {}", given.collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn a_call_is_read_with_what_is_known_of_it() {
        for (line, expected) in [
            (
                "socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_IP) = 5",
                "0 socket 0: AF_INET, 1: SOCK_STREAM | SOCK_CLOEXEC, 2: IPPROTO_IP",
            ),
            ("[pid  42] read(3</a,b(c>, \"x\\\")\", 832) = 4", "42 read 0: 3, 2: 832"),
            ("7 05:15:04.726119 read(3<TCP:[127.0.0.1:1->127.0.0.1:2]>, \"\"..., 8) = 0", "7 read 0: 3, 2: 8"),
            ("7<sh> 1700000000.5 [ 231] exit_group(0) = ?", "7 exit_group 0: 0"),
            ("     0.000017 [00007f12ab] kill(-1, 0)  = 0", "0 kill 0: -1, 1: 0"),
            (
                "openat(AT_FDCWD</tmp>, \"/etc\", O_RDWR|O_CREAT, 0666) = 3 <0.000012>",
                "0 openat 0: AT_FDCWD, 2: O_RDWR | O_CREAT, 3: 0x1b6",
            ),
            (
                "mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, -1, 0x1000) = 0x7f",
                "0 mmap 0: 0, 1: 8192, 2: PROT_READ, 3: MAP_PRIVATE, 4: -1, 5: 0x1000",
            ),
            (
                "clone(child_stack=NULL, flags=CLONE_VM|SIGCHLD, child_tidptr=0x7f) = 9",
                "0 clone flags: CLONE_VM | SIGCHLD",
            ),
            ("syscall_0x3e7(0x1, 0) = -1 ENOSYS (Function not implemented)", "0 999 0: 0x1, 1: 0"),
            (
                "arch_prctl(0x3001 /* ARCH_??? */, 0x7f) = -1 EINVAL (Invalid argument)",
                "0 arch_prctl 0: 0x3001, 1: 0x7f",
            ),
            ("ioctl(1, SNDCTL_TMR_TIMEBASE or TCGETS, {c_iflag=ICRNL, a) b}) = 0", "0 ioctl 0: 1, 1: TCGETS"),
            ("capset({version=1, pid=0}, {effective=1<<CAP_CHOWN|1<<CAP_KILL, permitted=0}) = 0", "0 capset "),
            ("preadv2(3, [{iov_len=1}], 1, 7, RWF_NOWAIT) = 1", "0 preadv2 0: 3, 2: 1"),
            ("pause() = ? ERESTARTNOHAND (To be restarted if no handler)", "0 pause "),
            ("socket(AF_NOPE|AF_INET, 99999999999999999999, htons(ETH_P_ALL)) = 1", "0 socket "),
        ] {
            assert_eq!(said(line), expected, "{line}");
        }
    }

    #[test]
    fn a_call_in_two_lines_is_one() {
        let begun = "read(3<pipe:[1]>,  <unfinished ...>";
        assert_eq!(read(begun, &known).line, Line::Begun(begun));
        let resumed = read("8 <... read resumed>\"abc\", 10) = 7", &known);
        let Line::Resumed("read", rest) = resumed.line else { panic!("{resumed:?}") };
        let whole = joined(begun, rest, &known).unwrap();
        assert_eq!(whole.given.iter().map(|given| given.text.as_str()).collect::<Vec<_>>(), ["3", "10"]);
        // What never came is unknown; what was printed up to its comma is not.
        let first = joined("kill(3, SIG <unfinished ...>", "", &known).unwrap();
        assert_eq!(first.given.len(), 1, "{first:?}");
        let cut = "clone(child_stack=NULL, flags=CLONE_VM|SIGCHLDstrace: Process 26667 attached";
        assert_eq!(read(cut, &known).line, Line::Begun(cut));
        assert_eq!(joined(cut, ", child_tidptr=0x7f) = 9", &known).unwrap().given[0].text, "CLONE_VM | SIGCHLD");
    }

    #[test]
    fn signals_of_a_filter_say_which_call_it_was() {
        let line = "--- SIGSYS {si_signo=SIGSYS, si_code=SYS_SECCOMP, si_call_addr=0x7f, si_syscall=__NR_mount, \
            si_arch=AUDIT_ARCH_X86_64} ---";
        let Line::Trapped(question) = read(line, &known).line else { panic!("{line}") };
        assert_eq!((question.subject, question.arch), (Subject::Name("mount".to_owned()), Some(Arch::X86_64)));
        assert!(question.recorded.unwrap().fits(Action::Trap(5)));
        for chatter in [
            "--- SIGCHLD {si_signo=SIGCHLD} ---",
            "+++ exited with 0 +++",
            "strace: Process 1 attached",
            "[pid 3] +++ killed by SIGSYS +++",
            "",
        ] {
            assert_eq!(read(chatter, &known).line, Line::Chatter, "{chatter}");
        }
    }

    #[test]
    fn what_a_program_prints_is_no_call() {
        for line in [
            "hello",
            "foo(bar)",
            "read",
            "type=1326 audit(1.2:3): syscall=1",
            "= 3",
            "((((",
            ")",
            "\u{1b}[31mread(",
            "１read(1)",
        ] {
            assert!(matches!(read(line, &known).line, Line::Foreign | Line::Call(_)), "{line}");
        }
        assert_eq!(read("foo(bar)", &known).line, Line::Foreign);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(text in "[a-z0-9(){}<>\\[\\]\"\\\\|/*=, .é-]{0,60}", rest in "\\PC{0,20}") {
            let _ = read(&text, &|_| true);
            let _ = joined(&text, &rest, &|_| true);
            let _ = read(&format!("read({text}"), &|_| true);
        }
    }
}
