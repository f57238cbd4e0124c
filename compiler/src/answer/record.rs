//! Records of the kernel's audit subsystem as questions about calls.
//!
//! ```text
//! type=1326 audit(1700000000.123:4): … arch=c000003e syscall=41 … code=0x50000
//!         →   number 41 on x86_64, which a filter answered by some `deny`
//! ```
//!
//! The kernel writes `arch`, `syscall` and `code` behind what the process chose itself (`comm`, `exe`), and that in hexadecimal
//! digits where it has a blank in it (`audit_seccomp`, `kernel/auditsc.c`; `audit_string_contains_control`,
//! `kernel/audit.c`). `ausearch -i` undoes the digits, so of each word the last one counts. In a record of a system call
//! (`type=SYSCALL`, by `audit_log_exit`), what the process chose stands behind: there the first counts.

use super::call::{Given, Question, Subject, Whose, is_name, number};
use crate::spec::{Action, Arch, Nr};

/// What a record says that a filter answered: an action without its data, which `__seccomp_filter` (`kernel/seccomp.c`) masks
/// before it logs. So `code=0x50000` is each `deny`, whatever the errno.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recorded {
    /// As the record has it.
    pub code: String,
    /// Precedences of the actions that it can be, a bit each.
    kinds: u8,
}

impl Recorded {
    /// Actions without data, by the words of `ausearch -i` (`auparse/seccomptab.h` of audit-userspace). Before
    /// `kill` ended processes, the thread's was called so.
    const WORDS: [(&'static str, &'static [Action]); 10] = [
        ("kill", &[Action::KillThread, Action::KillProcess]),
        ("kill-thread", &[Action::KillThread]),
        ("kill-process", &[Action::KillProcess]),
        ("trap", &[Action::Trap(0)]),
        ("errno", &[Action::Errno(0)]),
        ("user-notify", &[Action::Notify]),
        ("user-notif", &[Action::Notify]),
        ("trace", &[Action::Trace(0)]),
        ("log", &[Action::Log]),
        ("allow", &[Action::Allow]),
    ];

    /// Each action once, without data.
    fn actions() -> impl Iterator<Item = Action> {
        Self::WORDS.iter().filter_map(|(word, actions)| match actions {
            [action] if *word != "user-notif" => Some(*action),
            _ => None,
        })
    }

    /// The answer behind `code=`; `None` for one that was cut, or that no kernel writes.
    fn read(code: &str) -> Option<Self> {
        let of = |actions: &[Action]| Self {
            code: code.to_owned(),
            kinds: actions.iter().fold(0, |kinds, action| kinds | 1 << action.precedence()),
        };
        if let Some((_, actions)) = Self::WORDS.iter().find(|(word, _)| *word == code) {
            return Some(of(actions));
        }
        // A cut `0x50000` must not pass for `0x0`, nor for a bare 0.
        let ret = u32::from_str_radix(code.strip_prefix("0x")?, 16).ok()?;
        let is = |action: &Action| action.to_ret() == ret & 0xffff_0000 && (ret == 0 || ret > 0xffff);
        Some(of(&[Self::actions().find(is)?]))
    }

    /// Of a signal that a filter sent.
    pub(super) fn trapped() -> Self {
        Self { code: "SIGSYS".to_owned(), kinds: 1 << Action::Trap(0).precedence() }
    }

    /// The same whoever wrote it: in the kernel's digits, where they are known.
    #[must_use]
    pub fn canonical(self) -> Self {
        let mut fit = Self::actions().filter(|action| self.fits(*action));
        let code = match (fit.next(), fit.next()) {
            (Some(action), None) => format!("{:#x}", action.to_ret()),
            _ => self.code.clone(),
        };
        Self { code, ..self }
    }

    /// Whether it can be this answer's record.
    pub fn fits(&self, action: Action) -> bool {
        self.kinds >> action.precedence() & 1 == 1
    }

    /// What the language calls it: `deny`.
    pub fn word(&self) -> &'static str {
        let first = Self::actions().find(|action| self.fits(*action));
        // `kill` stands for both of its kinds.
        if self.fits(Action::KillProcess) { "kill" } else { first.map_or("nothing", |action| action.word()) }
    }
}

/// Which event a record belongs to: the kernel gives one number to all records of one call (`auditsc_get_stamp`).
pub type Event<'a> = &'a str;

/// A record that says which call it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    /// The call.
    pub question: Question,
    /// `1700000000.123:4`, if the record has one.
    pub event: Option<Event<'a>>,
}

/// The parts of a line that are a record each. What stands before the first one comes with it: `dmesg` and the journal put words of
/// their own there.
pub fn records(line: &str) -> Vec<&str> {
    let mut starts: Vec<usize> = Vec::new();
    for (at, word) in words(line) {
        // The journal has the type as a word: `audit[42]: SECCOMP auid=…`.
        if word.starts_with("type=") || matches!(word, "SECCOMP" | "SYSCALL") {
            starts.push(at);
        }
    }
    let mut ends = starts.iter().skip(1).copied().chain([line.len()]);
    let mut parts = Vec::with_capacity(starts.len().max(1));
    let mut from = 0;
    for to in ends.by_ref() {
        parts.push(&line[from..to]);
        from = to;
    }
    parts
}

/// Words with the place where they begin.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    // Enriched records have their second half behind a separator.
    let parts = text.split([' ', ',', '\t', '\u{1d}', '\n', '\r']);
    parts.map(move |word| (word.as_ptr() as usize - text.as_ptr() as usize, word)).filter(|(_, word)| !word.is_empty())
}

/// Whether a text speaks of a record at all.
pub fn is_record(text: &str) -> bool {
    words(text).any(|(_, word)| word.starts_with("syscall=") || word.starts_with("type="))
}

/// Whether a record is one of those that come with a call's and say nothing of it: its path, its command line.
pub fn is_companion(text: &str) -> bool {
    const OTHERS: [&str; 14] = [
        "PROCTITLE",
        "CWD",
        "PATH",
        "EXECVE",
        "EOE",
        "SOCKADDR",
        "MMAP",
        "FD_PAIR",
        "OBJ_PID",
        "IPC",
        "BPRM_FCAPS",
        "CAPSET",
        "1327",
        "1320",
    ];
    let kind = words(text).find_map(|(_, word)| word.strip_prefix("type="));
    kind.is_some_and(|kind| OTHERS.contains(&kind))
}

/// Reads one record.
///
/// # Errors
/// What is wrong with it, in a line.
pub fn read(text: &str) -> Result<Record<'_>, String> {
    let kind = words(text).find_map(|(_, word)| match word {
        "SECCOMP" | "SYSCALL" => Some(word),
        _ => word.strip_prefix("type="),
    });
    let of_a_call = matches!(kind, Some("SYSCALL" | "1300"));
    let field = |key: &str| {
        let mut found = words(text).filter_map(|(_, word)| word.split_once('=')).filter(|(name, _)| *name == key);
        let found = if of_a_call { found.next() } else { found.last() };
        found.map(|(_, value)| value.trim_matches('"'))
    };
    let syscall = field("syscall").filter(|value| !value.is_empty());
    let syscall = syscall.ok_or("this record does not say which call it was: there is no `syscall=…` in it")?;
    // Behind the number the kernel always writes more.
    if event(text).is_some() && !of_a_call && text.ends_with(&format!("syscall={syscall}")) {
        return Err(format!("this record is cut behind `syscall={syscall}`: the number may have been longer"));
    }
    let subject = subject(syscall).ok_or_else(|| format!("syscall={syscall} is neither a number nor a name"))?;
    let number = match subject {
        Subject::Number(number) => Some(number),
        Subject::Name(_) => None,
    };
    let arch = match field("arch").filter(|word| !word.is_empty()) {
        None => None,
        Some(word) => Some(abi(word, number).ok_or_else(|| format!("no ABI is known as arch={word}"))?),
    };
    let register = |value: &str| u64::from_str_radix(value.strip_prefix("0x").unwrap_or(value), 16).ok();
    // Only these are registers as they were; `ausearch -i` writes some of them in words that are not the kernel's.
    let given = (0u8..6).filter_map(|place| Some((place, field(&format!("a{place}")).and_then(register)?)));
    let given =
        given.map(|(place, value)| Given { whose: Whose::Register(place), text: format!("{value:#x}"), at: None });
    let given = if of_a_call || kind.is_none() { given.collect() } else { Vec::new() };
    let recorded = field("code").and_then(Recorded::read);
    Ok(Record { question: Question { subject, arch, recorded, given }, event: event(text) })
}

/// `41`, `-1`, `socket`, `unknown-syscall(462)`.
fn subject(word: &str) -> Option<Subject> {
    let word = word.strip_prefix("unknown-syscall(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(word);
    // The kernel writes it with its sign: -1 is what a tracer leaves that skips a call.
    if let Ok(signed) = word.parse::<i32>() {
        return Some(Subject::Number(signed.cast_unsigned()));
    }
    match number(word) {
        Some(number) => Some(Subject::Number(u32::try_from(number).ok()?)),
        None => {
            (is_name(word) && !word.starts_with(|c: char| c.is_ascii_digit())).then(|| Subject::Name(word.to_owned()))
        }
    }
}

/// `audit(1700000000.123:4):`, `msg=audit(1700000000.123:4):`
fn event(text: &str) -> Option<&str> {
    let inner = text.split("audit(").nth(1)?.split(')').next()?;
    // An interpreted time has blanks in it, and a number as well.
    (inner.len() <= 64 && inner.contains(':')).then_some(inner)
}

/// The ABI of a token or of a name, as the kernel, `ausearch` or strace writes it; the number tells x32 from x86_64.
pub(super) fn abi(word: &str, number: Option<u32>) -> Option<Arch> {
    let token = u32::from_str_radix(word.strip_prefix("0x").unwrap_or(word), 16).ok();
    let named = match word {
        "i386" | "i486" | "i586" | "i686" => Some(Arch::X86),
        "armeb" => Some(Arch::Arm),
        _ => Arch::from_name(word),
    };
    let owns = |arch: &Arch| number.is_none_or(|number| arch.owns(Nr(number)));
    let found = named.or_else(|| Arch::all().find(|arch| Some(arch.audit_token()) == token))?;
    Arch::all().filter(|arch| arch.audit_token() == found.audit_token()).find(owns)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const RAW: &str = "audit: type=1326 audit(1700000000.1:2): auid=0 uid=0 comm=\"x\" exe=\"/x\" sig=31 arch=c000003e \
        syscall=41 compat=0 ip=0x7f code=0x80000000";

    fn question(text: &str) -> Question {
        read(text).unwrap().question
    }

    #[test]
    fn a_record_says_number_abi_and_answer() {
        let found = read(RAW).unwrap();
        assert_eq!(found.event, Some("1700000000.1:2"));
        assert_eq!((found.question.arch, &found.question.subject), (Some(Arch::X86_64), &Subject::Number(41)));
        assert!(found.question.recorded.unwrap().fits(Action::KillProcess));
        let told = question(
            "type=SECCOMP msg=audit(01/02/26 03:04:05.678:9) : auid=unset arch=i386 syscall=socket code=errno",
        );
        assert_eq!((told.arch, told.subject), (Some(Arch::X86), Subject::Name("socket".to_owned())));
        assert!(told.recorded.unwrap().fits(Action::Errno(13)));
        assert_eq!(question("type=1326 arch=c000003e syscall=1073741865").arch, Some(Arch::X32));
        assert_eq!(question("type=1326 arch=c000003e syscall=-1").subject, Subject::Number(u32::MAX));
        assert_eq!(question("arch=x86_64 syscall=unknown-syscall(999)").subject, Subject::Number(999));
        let journal = question(
            "Dec 01 05:12:04 host audit[42]: SECCOMP auid=0 comm=\"x\" arch=c00000b7 syscall=198 code=0x7ffc0000",
        );
        assert_eq!((journal.arch, journal.subject), (Some(Arch::Aarch64), Subject::Number(198)));
        assert_eq!(journal.recorded.unwrap().word(), "log");
    }

    #[test]
    fn registers_come_from_records_of_calls() {
        let found =
            question("type=SYSCALL arch=c000003e syscall=41 success=no a0=26 a1=5 a2=0 a3=7f items=0 comm=\"a0=1\"");
        let said: Vec<&str> = found.given.iter().map(|given| given.text.as_str()).collect();
        assert_eq!(said, ["0x26", "0x5", "0x0", "0x7f"]);
    }

    #[test]
    fn what_a_process_calls_itself_is_not_taken_for_the_record() {
        // Interpreted, blanks and all.
        let of_filter =
            "type=SECCOMP comm=x arch=i386 syscall=read code=log exe=/x arch=x86_64 syscall=mount code=errno";
        let found = question(of_filter);
        assert_eq!((found.arch, found.subject), (Some(Arch::X86_64), Subject::Name("mount".to_owned())));
        let of_call = "type=SYSCALL arch=x86_64 syscall=mount a0=1 comm=x arch=i386 syscall=read a0=2";
        let found = question(of_call);
        assert_eq!((found.arch, found.given[0].text.as_str()), (Some(Arch::X86_64), "0x1"));
    }

    #[test]
    fn a_cut_record_says_no_more_than_it_has() {
        let whole = RAW.len();
        for end in (0..whole).filter(|end| RAW.is_char_boundary(*end)) {
            let Ok(found) = read(&RAW[..end]) else { continue };
            assert!(found.question.recorded.is_none(), "{end}");
            assert_eq!(found.question.subject, Subject::Number(41), "{end}");
        }
        for code in ["0x", "0x5", "0x500", "0x5000", "0x7ff", "0x8000000", "0x123450000", "x"] {
            assert_eq!(Recorded::read(code), None, "{code}");
        }
        assert!(Recorded::read("0x0").unwrap().fits(Action::KillThread));
        assert!(!Recorded::read("0x80000000").unwrap().fits(Action::Log));
        let both = Recorded::read("kill").unwrap();
        assert!(both.fits(Action::KillThread) && both.fits(Action::KillProcess) && both.word() == "kill");
    }

    #[test]
    fn several_records_in_a_line_are_several() {
        assert_eq!(records(RAW).len(), 1);
        assert_eq!(records(&format!("[1.2] {RAW} [1.3] {RAW}")).len(), 2);
        let journal =
            "x audit[1]: SECCOMP arch=c000003e syscall=1 code=0x0 x audit[2]: SECCOMP arch=c000003e syscall=2";
        let parts = records(journal);
        assert_eq!(parts.iter().map(|part| question(part).subject).collect::<Vec<_>>(), [1, 2].map(Subject::Number));
        assert_eq!(records("nothing").len(), 1);
    }
}
