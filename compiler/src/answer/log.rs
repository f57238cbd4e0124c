//! Many lines of logs and traces: which calls they speak of, each distinct one once, with how often it occurred.
//!
//! ```text
//! type=SECCOMP msg=audit(1.2:3): … syscall=41 … code=0x50000      one call: the kernel gives one number to all
//! type=SYSCALL msg=audit(1.2:3): … syscall=41 … a0=26             records of an event, so this has its arguments
//! [pid 7] read(3, <unfinished ...>                                one call, in two lines
//! [pid 7] <... read resumed>"", 832) = 0
//! ```
//!
//! Whoever counts says what of a call makes it another one: arguments that a filter does not look at do not ([`Tally::take`]).
//!
//! INVARIANT: memory is bounded whatever comes, and time is linear in what comes.

use std::collections::{BTreeMap, VecDeque};

use super::call::{self, Question};
use super::record;
use super::trace::{self, Line};

/// Longer lines are cut: no record and no traced call is so long.
pub const MOST_LINE: usize = 65_536;
/// Events whose other records may still come.
const MOST_EVENTS: usize = 64;
/// Processes of which the last line is kept.
const MOST_PROCESSES: usize = 1_024;
/// So much is kept of a line that goes on later.
const MOST_BEGUN: usize = 4_096;
/// Distinct calls that are counted.
const MOST_CALLS: usize = 65_536;

/// A line that says nothing of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoCall {
    /// Which line, from 1.
    pub line: u64,
    /// The line.
    pub text: String,
    /// What is wrong with it, where it looks like a record.
    pub why: Option<String>,
}

/// Reads lines, and hands out the calls.
#[derive(Debug, Default)]
pub struct Reader {
    /// How many lines there were.
    pub lines: u64,
    /// How many of them are no call, and belong to none.
    pub none: u64,
    /// The first of these.
    pub first: Option<NoCall>,
    events: VecDeque<(String, Question)>,
    /// By process.
    begun: BTreeMap<u64, String>,
    /// The last traced call of a process, in case that a filter's signal comes.
    last: BTreeMap<u64, Question>,
    /// Whose line was cut by what strace said in between.
    torn: Option<u64>,
}

impl Reader {
    /// Takes a line without its end; `known` says which names are calls.
    pub fn line(&mut self, text: &str, known: &dyn Fn(&str) -> bool, found: &mut dyn FnMut(Question)) {
        self.lines += 1;
        let text = text.trim_end();
        let torn = self.torn.take();
        if torn.is_some() && text.trim_start() == "<unfinished ...>" {
            return;
        }
        if let Some(process) = torn
            && text.starts_with([',', ')', '|'])
            && let Some(begun) = self.begun.remove(&process)
        {
            self.joined(process, &begun, text, known, found);
            return;
        }
        let traced = trace::read(text, known);
        let process = traced.process;
        match traced.line {
            // Several processes may have come between.
            Line::Chatter => self.torn = torn,
            Line::Call(question) => self.traced(process, question, found),
            Line::Begun(begun) => {
                if !begun.ends_with("<unfinished ...>") {
                    self.torn = Some(process);
                }
                self.begin(process, begun, known, found);
            }
            Line::Resumed(name, rest) => {
                let of_it = |begun: &String| begun.split('(').next() == Some(name);
                // The only process goes without its number, until there is another.
                let mut places = [process, 0].into_iter().chain(self.begun.keys().copied().filter(|_| process == 0));
                let place = places.find(|place| self.begun.get(place).is_some_and(of_it));
                let begun = place.and_then(|place| self.begun.remove(&place));
                // It began before the log did: nothing is known but its name.
                let begun = begun.unwrap_or_else(|| format!("{name}("));
                let rest = if begun.ends_with('(') { "" } else { rest };
                self.joined(process, &begun, rest, known, found);
            }
            Line::Trapped(question) => self.trapped(process, question, known, found),
            Line::Foreign if record::is_record(text) => self.records(text, found),
            Line::Foreign => match call::parse(text) {
                // A list of calls, as a person writes them.
                Ok(question)
                    if question.given.is_empty()
                        && matches!(&question.subject, call::Subject::Name(name) if known(name)) =>
                {
                    found(question);
                }
                _ => self.no_call(text, None),
            },
        }
    }

    /// What was kept until the end.
    pub fn finish(&mut self, known: &dyn Fn(&str) -> bool, found: &mut dyn FnMut(Question)) {
        for (_, question) in std::mem::take(&mut self.events) {
            found(question);
        }
        for begun in std::mem::take(&mut self.begun).into_values() {
            trace::joined(&begun, "", known).into_iter().for_each(&mut *found);
        }
        std::mem::take(&mut self.last).into_values().for_each(found);
    }

    fn no_call(&mut self, text: &str, why: Option<String>) {
        self.none += 1;
        if self.first.is_none() {
            let shown: String = text.trim().chars().take(120).collect();
            self.first = Some(NoCall { line: self.lines, text: shown, why });
        }
    }

    fn records(&mut self, text: &str, found: &mut dyn FnMut(Question)) {
        let mut wrong = None;
        let mut any = false;
        for part in record::records(text) {
            if record::is_companion(part) {
                any = true;
                continue;
            }
            match record::read(part) {
                Ok(record) => {
                    any = true;
                    self.record(record, found);
                }
                Err(why) => wrong = wrong.or(Some(why)),
            }
        }
        // Words in front of the first record are no line of their own.
        if wrong.is_some() || !any {
            self.no_call(text, wrong);
        }
    }

    /// Records of one event are one call: the filter's says the answer, the call's its arguments.
    fn record(&mut self, record: record::Record<'_>, found: &mut dyn FnMut(Question)) {
        let record::Record { question, event } = record;
        let Some(event) = event else { return found(question) };
        let same = |known: &Question| known.subject == question.subject && known.arch == question.arch;
        let other = self.events.iter_mut().find(|(known, other)| known == event && same(other));
        match other {
            Some((_, known)) if known.recorded.is_some() != question.recorded.is_some() => {
                known.recorded = known.recorded.take().or(question.recorded);
                if known.given.is_empty() {
                    known.given = question.given;
                }
            }
            _ => {
                if self.events.len() >= MOST_EVENTS
                    && let Some((_, oldest)) = self.events.pop_front()
                {
                    found(oldest);
                }
                self.events.push_back((event.to_owned(), question));
            }
        }
    }

    fn traced(&mut self, process: u64, question: Question, found: &mut dyn FnMut(Question)) {
        if let Some(before) = self.last.insert(process, question) {
            found(before);
        }
        if self.last.len() > MOST_PROCESSES
            && let Some((_, one)) = self.last.pop_first()
        {
            found(one);
        }
    }

    fn begin(&mut self, process: u64, text: &str, known: &dyn Fn(&str) -> bool, found: &mut dyn FnMut(Question)) {
        let kept: String = match text.strip_suffix("<unfinished ...>") {
            Some(begun) => begun.chars().take(MOST_BEGUN).collect(),
            None => text.chars().take(MOST_BEGUN).collect(),
        };
        let before = self.begun.insert(process, kept);
        let over =
            if self.begun.len() > MOST_PROCESSES { self.begun.pop_first().map(|(_, begun)| begun) } else { None };
        for begun in before.into_iter().chain(over) {
            trace::joined(&begun, "", known).into_iter().for_each(&mut *found);
        }
    }

    fn joined(
        &mut self,
        process: u64,
        begun: &str,
        rest: &str,
        known: &dyn Fn(&str) -> bool,
        found: &mut dyn FnMut(Question),
    ) {
        match trace::joined(begun, rest, known).or_else(|| trace::joined(begun, "", known)) {
            Some(question) => self.traced(process, question, found),
            None => self.no_call(begun, None),
        }
    }

    /// strace prints the call, and then the signal: both are one.
    fn trapped(
        &mut self,
        process: u64,
        mut signal: Question,
        known: &dyn Fn(&str) -> bool,
        found: &mut dyn FnMut(Question),
    ) {
        let same = |call: &Question| call.subject == signal.subject;
        let begun = self.begun.get(&process).and_then(|begun| trace::joined(begun, "", known)).filter(same);
        if begun.is_some() {
            self.begun.remove(&process);
        }
        let whole = if begun.is_none() && self.last.get(&process).is_some_and(same) {
            self.last.remove(&process)
        } else {
            None
        };
        if let Some(call) = begun.or(whole) {
            signal.given = call.given;
        }
        found(signal);
    }
}

/// What was counted.
#[derive(Debug, Default)]
pub struct Tally {
    counts: BTreeMap<Question, u64>,
    /// Calls beyond the distinct ones that have room.
    pub more: u64,
}

impl Tally {
    /// Counts a call. What is said of arguments that make no difference was taken out before.
    pub fn take(&mut self, question: Question) {
        if let Some(count) = self.counts.get_mut(&question) {
            *count += 1;
        } else if self.counts.len() < MOST_CALLS {
            self.counts.insert(question, 1);
        } else {
            self.more += 1;
        }
    }

    /// Each distinct call with how often it occurred, most often first.
    pub fn most_first(self) -> Vec<(Question, u64)> {
        let mut all: Vec<(Question, u64)> = self.counts.into_iter().collect();
        all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        all
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::answer::call::Subject;
    use crate::tables;

    fn read(text: &str) -> (Reader, Vec<(String, u64)>) {
        let known = |name: &str| tables::syscall(name).is_some();
        let (mut reader, mut tally) = (Reader::default(), Tally::default());
        for line in text.lines() {
            reader.line(line, &known, &mut |question| tally.take(question));
        }
        reader.finish(&known, &mut |question| tally.take(question));
        let said = tally.most_first().into_iter().map(|(question, count)| {
            let given: Vec<String> = question.given.into_iter().map(|given| given.text).collect();
            let name = match question.subject {
                Subject::Name(name) => name,
                Subject::Number(number) => number.to_string(),
            };
            let code = question.recorded.map_or(String::new(), |recorded| format!(" {}", recorded.word()));
            (format!("{name}({}){code}", given.join(", ")), count)
        });
        (reader, said.collect())
    }

    fn one(text: &str, count: u64) -> (String, u64) {
        (text.to_owned(), count)
    }

    #[test]
    fn records_of_one_event_are_one_call() {
        let text = "type=SECCOMP msg=audit(1.2:3): sig=0 arch=c000003e syscall=41 compat=0 ip=0x1 code=0x50000\n\
            type=SECCOMP msg=audit(1.2:4): sig=0 arch=c000003e syscall=41 compat=0 ip=0x1 code=0x50000\n\
            type=SYSCALL msg=audit(1.2:3): arch=c000003e syscall=41 success=no exit=-1 a0=26 a1=5 items=0\n\
            type=PROCTITLE msg=audit(1.2:3): proctitle=78\n\
            type=SYSCALL msg=audit(1.2:5): arch=c000003e syscall=2 success=yes a0=1\n";
        let (reader, calls) = read(text);
        assert_eq!(calls, [one("2(0x1)", 1), one("41() deny", 1), one("41(0x26, 0x5) deny", 1)]);
        assert_eq!(reader.none, 0);
    }

    #[test]
    fn lines_of_many_processes_are_put_together() {
        let text = "[pid 7] read(3,  <unfinished ...>\n\
            [pid 8] mount(\"a\", \"b\", \"c\", 0, NULL) = 165\n\
            [pid 8] --- SIGSYS {si_signo=SIGSYS, si_code=SYS_SECCOMP, si_call_addr=0x7f, si_syscall=__NR_mount, si_arch=AUDIT_ARCH_X86_64} ---\n\
            [pid 7] <... read resumed>\"x\", 10) = 7\n\
            <... wait4 resumed>0, 0, NULL) = 3\n\
            fork(strace: Process 9 attached\n\
            strace: Process 8 attached\n\
            ) = 9\n\
            vfork(strace: Process 10 attached\n <unfinished ...>\n\
            <... vfork resumed>) = 10\n\
            [pid 11] pause( <unfinished ...>\n\
            <... pause resumed>) = 0\n\
            [pid 9] kill(1, SIGTERM <unfinished ...>\n\
            [pid 9] +++ killed by SIGSYS +++\n";
        let (reader, mut calls) = read(text);
        calls.sort();
        let expected = ["fork()", "kill(1)", "mount(0, 0) trap", "pause()", "read(3, 10)", "vfork()", "wait4()"];
        assert_eq!(calls, expected.map(|text| one(text, 1)));
        assert_eq!(reader.none, 0);
    }

    #[test]
    fn what_is_no_call_is_counted_and_the_first_is_shown() {
        let (reader, calls) = read("hello\nread\nread\n\ntype=1326 audit(1.2:3): arch=c000003e\nfoo(bar)\n\u{0}\n");
        assert_eq!(calls, [one("read()", 2)]);
        assert_eq!((reader.lines, reader.none), (7, 4));
        assert_eq!(reader.first.unwrap(), NoCall { line: 1, text: "hello".to_owned(), why: None });
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let known = |name: &str| tables::syscall(name).is_some();
        let (mut reader, mut tally) = (Reader::default(), Tally::default());
        for number in 0..70_000u64 {
            let (event, call) = (number % 5_000, number);
            for line in [
                format!("type=1326 audit(1.2:{event}): arch=c000003e syscall={call} compat=0"),
                format!("{number} read({number},  <unfinished ...>"),
            ] {
                reader.line(&line, &known, &mut |question| tally.take(question));
            }
        }
        assert!(reader.events.len() <= MOST_EVENTS && reader.begun.len() <= MOST_PROCESSES);
        reader.finish(&known, &mut |question| tally.take(question));
        assert_eq!(reader.none, 0, "{:?}", reader.first);
        assert_eq!(tally.more + tally.most_first().iter().map(|(_, count)| count).sum::<u64>(), 140_000);
    }
}
