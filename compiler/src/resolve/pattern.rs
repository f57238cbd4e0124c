//! Patterns and groups, as sets of calls by number.
//!
//! ```text
//! @file-system except { mount }    every call of the group; `mount` without what the exception names
//! socket                           x86_64: 41        x86: 359, and 102 (`socketcall`) where arg0 is 1
//! ```

use std::rc::Rc;

use kpol_grammar::Offer;
use kpol_grammar::ast::{Expr, Pattern, PatternKind};

use super::condition::At;
use super::{ArchSet, CallSet, GroupId, MAX_NESTING, Member, Resolver, Via};
use crate::diagnostic::{Code, Diagnostic, FileId, Span};
use crate::diagram::{Comparison, Node, Operand};
use crate::library;
use crate::source::graph::with_offer;
use crate::spec::{Arch, Nr, multiplex};
use crate::tables;

impl<'a> Resolver<'a> {
    /// Reports names that mean nothing, once and for all ABIs; marks groups as used.
    pub(super) fn check_patterns(&mut self, patterns: &'a [Pattern], file: FileId, archs: ArchSet) {
        self.check_names(patterns, file, archs, false);
    }

    /// The same for what an `assert` names. There a call that does not exist is more than superfluous: what is asserted of it
    /// means nothing, which is said in another place.
    pub(super) fn check_claimed(&mut self, patterns: &'a [Pattern], file: FileId, archs: ArchSet) {
        self.check_names(patterns, file, archs, true);
    }

    fn check_names(&mut self, patterns: &'a [Pattern], file: FileId, archs: ArchSet, claimed: bool) {
        for pattern in patterns {
            match &pattern.kind {
                PatternKind::Call { name, conditions } => {
                    let span = Span { file, bytes: name.span };
                    if !self.knows_call(&name.text) {
                        self.unknown_call(&name.text, span);
                    } else if !claimed
                        && !self.is_builtin(file)
                        && !self.call_exists(&name.text, conditions.is_empty(), archs)
                    {
                        let on: Vec<&str> =
                            self.stated.iter().filter(|arch| archs.has(**arch)).map(|arch| arch.name()).collect();
                        if on.is_empty() {
                            // Under `when arch` it is said for others: a library serves many policies.
                            continue;
                        }
                        let has: Vec<&str> = Arch::all()
                            .filter(|&arch| self.call_number(&name.text, arch).is_some())
                            .map(Arch::name)
                            .collect();
                        let message = format!("`{}` does not exist on {}", name.text, on.join(", "));
                        let here = |call: &str| self.stated.iter().all(|&arch| self.call_number(call, arch).is_some());
                        let diagnostic =
                            Diagnostic::new(Code::W001, span, message).note(format!("it does on {}", has.join(", ")));
                        self.sink.push(match kernel_names(&name.text).into_iter().find(|call| here(call)) {
                            Some(call) => diagnostic.help(format!("here the call is `{call}`")),
                            None => diagnostic.help("remove it, or add the architecture"),
                        });
                    }
                }
                PatternKind::Group(name) => match self.group_names.get(name.text.as_str()).cloned() {
                    Some(ids) => {
                        for id in ids {
                            self.groups[id.0 as usize].used = true;
                        }
                    }
                    None => self.unknown_group(&name.text, Span { file, bytes: name.span }),
                },
            }
            self.check_patterns(&pattern.except, file, archs);
        }
    }

    fn unknown_call(&mut self, name: &str, span: Span) {
        if self.is_lost(name) {
            return;
        }
        let as_group = format!("@{name}");
        let diagnostic = Diagnostic::new(Code::E030, span, format!("no syscall `{name}` on any architecture"));
        if self.group_names.contains_key(as_group.as_str()) || library::group_file(&as_group).is_some() {
            let help = format!("did you mean the group `{as_group}`?");
            self.error(diagnostic.help(help).fix(format!("replace it by `{as_group}`"), span, as_group));
            return;
        }
        let bare = bare_name(name).filter(|bare| self.knows_call(bare)).map(str::to_owned);
        if let Some(bare) = bare {
            self.error(diagnostic.help(format!("did you mean `{bare}`?")).fix(
                format!("replace it by `{bare}`"),
                span,
                bare,
            ));
            return;
        }
        if let Some((_, call)) = C_FUNCTIONS.iter().find(|(function, _)| *function == name) {
            // What is spelt alike does another thing: `fsopen` mounts.
            self.error(diagnostic.help(format!("it is a function of the C library, which calls {call}")));
            return;
        }
        let offer = self.near(Code::E030, span, |known| {
            let names = tables::Syscall::all().map(|call| -> &str { call.name() });
            Offer::of(name, names.chain(known.calls.keys().copied()))
        });
        let otherwise = "if the kernel has it, declare it: `syscall NAME = NUMBER on ARCH`";
        self.error(with_offer(diagnostic, span, offer.as_ref(), otherwise));
    }

    fn unknown_group(&mut self, name: &str, span: Span) {
        if self.is_lost(name) {
            return;
        }
        let near = self.near(Code::E026, span, |known| {
            // Without the `@`, which all have: of two letters one is no likeness.
            let names = known.group_names.keys().copied().chain(library::group_names().map(|name| -> &str { name }));
            let bare = names.filter_map(|name| name.strip_prefix('@'));
            let offer = Offer::of(name.trim_start_matches('@'), bare)?;
            Some(Offer { names: offer.names.iter().map(|near| format!("@{near}")).collect(), ..offer })
        });
        let diagnostic = Diagnostic::new(Code::E026, span, format!("no group `{name}`"));
        let otherwise = "`kpolc groups` lists the built-in ones; `group @name { … }` defines one";
        self.error(with_offer(diagnostic, span, near.as_ref(), otherwise));
    }

    /// The union of several patterns.
    pub(super) fn patterns_set(&mut self, patterns: &'a [Pattern], file: FileId, arch: Arch, depth: usize) -> CallSet {
        let mut all = CallSet::new();
        for pattern in patterns {
            if self.is_spent() {
                break;
            }
            self.collect(pattern, file, arch, depth, &mut all);
        }
        all
    }

    /// What one pattern matches on `arch`. Recursion is bounded by the parser's nesting and, through groups, by `depth`.
    pub(super) fn pattern_set(&mut self, pattern: &'a Pattern, file: FileId, arch: Arch, depth: usize) -> CallSet {
        let mut set = CallSet::new();
        self.collect(pattern, file, arch, depth, &mut set);
        set
    }

    /// Adds what one pattern matches to `all`.
    fn collect(&mut self, pattern: &'a Pattern, file: FileId, arch: Arch, depth: usize, all: &mut CallSet) {
        if pattern.except.is_empty() {
            return self.collect_named(pattern, file, arch, depth, all);
        }
        let mut set = CallSet::new();
        self.collect_named(pattern, file, arch, depth, &mut set);
        for except in &pattern.except {
            // Nobody knows of hidden arguments that they are excepted.
            let reaching = std::mem::take(&mut self.reaching);
            let gone = self.pattern_set(except, file, arch, depth);
            self.reaching = reaching;
            if !self.spend(gone.len(), Span { file, bytes: except.span }) {
                return;
            }
            let mut took = false;
            let looked = !gone.is_empty();
            for (nr, gone) in gone {
                let Some(member) = set.get_mut(&nr) else { continue };
                let left = self.store.minus(member.set, gone.set);
                took |= left != member.set;
                member.set = left;
                if left == Node::FALSE {
                    set.remove(&nr);
                }
            }
            if looked && !self.names_builtin(pattern) {
                *self.exceptions.entry(Span { file, bytes: except.span }).or_default() |= took;
            }
        }
        for (nr, member) in set {
            self.add(all, nr, member);
        }
    }

    /// Whether a pattern is a group of kpolc's. Those grow with the kernel: what is none of their calls today may be one
    /// tomorrow, and whoever excepts it then meant that.
    fn names_builtin(&self, pattern: &Pattern) -> bool {
        let PatternKind::Group(name) = &pattern.kind else { return false };
        let ids = self.group_names.get(name.text.as_str()).into_iter().flatten();
        ids.copied().any(|id| self.is_builtin(self.groups[id.0 as usize].file))
    }

    /// The same without its exceptions.
    fn collect_named(&mut self, pattern: &'a Pattern, file: FileId, arch: Arch, depth: usize, all: &mut CallSet) {
        match &pattern.kind {
            PatternKind::Call { name, conditions } => {
                let via = Via { pattern: Span { file, bytes: pattern.span }, group: None };
                self.call(&name.text, conditions, At { call: &name.text, file, arch }, via, all);
            }
            PatternKind::Group(name) => {
                let span = Span { file, bytes: name.span };
                let ids = self.group_names.get(name.text.as_str()).cloned().unwrap_or_default();
                for id in ids {
                    let members = self.group_set(id, arch, span, depth);
                    if !self.spend(members.len() + 1, span) {
                        return;
                    }
                    for (&nr, member) in members.iter() {
                        let via = Via { pattern: span, group: Some(id) };
                        self.add(all, nr, Member { set: member.set, via });
                    }
                }
            }
        }
    }

    fn call(&mut self, name: &'a str, conditions: &'a [Expr], at: At<'a>, via: Via, all: &mut CallSet) {
        if self.store.overflowed() {
            // Whatever it is, it means nothing any more.
            return;
        }
        if conditions.is_empty() || self.reaching {
            // Even where there is no other way in: x86 has no `semop`, and `ipc` reaches it all the same.
            self.add_multiplexed(all, name, at.arch, via);
        }
        let Some(nr) = self.call_number(name, at.arch) else { return };
        let mut node = Node::TRUE;
        for condition in conditions {
            let one = self.condition(condition, at);
            node = self.store.and(node, one);
        }
        if !conditions.is_empty() {
            self.note_constancy_at(via.pattern, node);
        }
        if node != Node::FALSE && self.spend(1, via.pattern) {
            self.add(all, nr, Member { set: node, via });
        }
    }

    /// An unconditional pattern covers the other way into the same code as well.
    fn add_multiplexed(&mut self, set: &mut CallSet, name: &str, arch: Arch, via: Via) {
        let Some((through, number)) = self.syscall(name).and_then(multiplex::other_way) else { return };
        let Some(nr) = through.nr(arch) else { return };
        let operand = Operand { arg: 0, bits: 32, mask: u64::from(through.mask(arch)), signed: false };
        let node = self.store.compare(operand, Comparison::Eq, u64::from(number));
        self.add(set, nr, Member { set: node, via });
    }

    /// Exceptions that took nothing away wherever there was something to take.
    pub(super) fn report_exceptions(&mut self) {
        if self.result.incomplete || self.store.overflowed() {
            return;
        }
        let idle = self.exceptions.iter().filter(|(span, took)| !**took && !self.is_builtin(span.file));
        for span in idle.map(|(&span, _)| span).collect::<Vec<_>>() {
            self.sink.push(
                Diagnostic::new(Code::W019, span, "this exception takes nothing away")
                    .note("what stands before `except` has no such call")
                    .help("remove it, or mend the name"),
            );
        }
    }

    /// Members of a group on an ABI; `used` is where it is named.
    pub(super) fn group_set(&mut self, id: GroupId, arch: Arch, used: Span, depth: usize) -> Rc<CallSet> {
        if self.reaching && self.hides(id, 0) {
            return self.reached_set(id, arch, used, depth);
        }
        if let Some(known) = self.result.group_sets.get(&(id, arch)) {
            let height = self.watch.group_heights.get(&id).copied().unwrap_or(0);
            let taken = self.watch.has_taken(self.groups[id.0 as usize].file);
            self.watch.meet(depth, height, taken);
            return Rc::clone(known);
        }
        let (name, file, guard, patterns) = {
            let group = &self.groups[id.0 as usize];
            (group.name, group.file, group.guard, group.patterns)
        };
        if !self.group_progress.insert((id, arch)) {
            let place = Span { file, bytes: name.span };
            self.watch.by_order = true;
            self.error(
                Diagnostic::new(Code::E024, place, format!("`{}` contains itself", name.text))
                    .related(used, "named here, on the way into itself")
                    .help("take one of the groups out of the circle"),
            );
            return Rc::default();
        }
        let mut set = CallSet::new();
        let (said, around) = (self.sink.said, std::mem::take(&mut self.watch.height));
        if depth >= MAX_NESTING {
            self.watch.by_order = true;
            self.error(
                Diagnostic::new(Code::E027, used, format!("groups are nested deeper than {MAX_NESTING}"))
                    .help("name some of the calls directly"),
            );
        } else if guard.archs.has(arch) {
            set = self.patterns_set(patterns, file, arch, depth + 1);
            if guard.environment != Node::TRUE {
                for member in set.values_mut() {
                    member.set = self.store.and(member.set, guard.environment);
                }
                set.retain(|_, member| member.set != Node::FALSE);
            }
        }
        self.group_progress.remove(&(id, arch));
        self.taint_since(said, file);
        let height = self.watch.height + 1;
        let known = self.watch.group_heights.entry(id).or_default();
        *known = height.max(*known);
        self.watch.height = around.max(height);
        let set = Rc::new(set);
        self.result.group_sets.insert((id, arch), Rc::clone(&set));
        set
    }

    pub(super) fn add(&mut self, set: &mut CallSet, nr: Nr, member: Member) {
        match set.entry(nr) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(member);
            }
            std::collections::btree_map::Entry::Occupied(mut place) => {
                let known = place.get_mut();
                known.set = self.store.or(known.set, member.set);
            }
        }
    }
}

/// The name of a call as the kernel's sources and headers decorate it: `sys_read`, `__x64_sys_read`, `__NR_read`.
pub fn bare_name(name: &str) -> Option<&str> {
    const DECORATIONS: [&str; 8] =
        ["__x64_sys_", "__ia32_sys_", "__arm64_sys_", "__se_sys_", "__do_sys_", "__NR_", "SYS_", "sys_"];
    DECORATIONS.iter().find_map(|decoration| name.strip_prefix(decoration))
}

/// Functions of the C library that are no system calls, and what they call (glibc 2.36, musl 1.2.3, as strace shows them).
const C_FUNCTIONS: &[(&str, &str)] = &[
    ("abort", "`rt_sigprocmask` and `tgkill`"),
    ("calloc", "`brk` and `mmap`"),
    ("dlopen", "`openat`, `read` and `mmap`"),
    ("execl", "`execve`"),
    ("execlp", "`execve`"),
    ("execv", "`execve`"),
    ("execvp", "`execve`"),
    ("fclose", "`close`"),
    ("fopen", "`openat`"),
    ("fread", "`read`"),
    ("freopen", "`openat` and `dup3`"),
    ("fseek", "`lseek`"),
    ("fwrite", "`write`"),
    ("getaddrinfo", "`socket`, `connect`, `sendto` and `recvfrom`"),
    ("gethostbyname", "`socket`, `connect`, `sendto` and `recvfrom`"),
    ("getcontext", "`rt_sigprocmask`"),
    ("isatty", "`ioctl`"),
    ("malloc", "`brk` and `mmap`"),
    ("mkfifo", "`mknodat`"),
    ("mkstemp", "`openat` and `getrandom`"),
    ("opendir", "`openat`"),
    ("popen", "`pipe2`, `clone` and `execve`"),
    ("posix_spawn", "`clone` and `execve`"),
    ("printf", "`write`"),
    ("pthread_create", "`clone3` or `clone`, and `mmap`"),
    ("raise", "`tgkill`"),
    ("readdir", "`getdents64`"),
    ("realloc", "`mremap`"),
    ("remove", "`unlink` or `unlinkat`"),
    ("sem_wait", "`futex`"),
    ("sigwait", "`rt_sigtimedwait`"),
    ("sleep", "`clock_nanosleep`"),
    ("sysconf", "no system call, or `prlimit64`"),
    ("system", "`clone`, `execve` and `wait4`"),
    ("tcgetattr", "`ioctl`"),
    ("tcsetattr", "`ioctl`"),
    ("usleep", "`clock_nanosleep`"),
    ("wait", "`wait4`"),
];

/// What the kernel of other ABIs calls the same thing, likeliest first: the C library's functions keep the names that their calls had on
/// the first ABIs (`umount` is `umount2`, `sigaction` is `rt_sigaction`), and 32-bit ABIs have variants with wider types (`stat64`).
///
/// Rows that no rule makes are those of glibc's `sysdeps/unix/sysv/linux` where a wrapper calls another name.
fn kernel_names(name: &str) -> Vec<String> {
    const OTHERS: &[(&str, &str)] = &[
        ("_llseek", "lseek"),
        ("_newselect", "pselect6"),
        ("fstatat64", "newfstatat"),
        ("lstat64", "newfstatat"),
        ("mmap2", "mmap"),
        ("oldfstat", "fstat"),
        ("oldlstat", "newfstatat"),
        ("oldolduname", "uname"),
        ("oldstat", "newfstatat"),
        ("olduname", "uname"),
        ("sigreturn", "rt_sigreturn"),
        ("stat64", "newfstatat"),
        ("stime", "clock_settime"),
        ("ugetrlimit", "getrlimit"),
        ("umount", "umount2"),
        ("waitpid", "wait4"),
    ];
    let mut names: Vec<String> =
        OTHERS.iter().filter(|(old, _)| *old == name).map(|(_, new)| (*new).to_owned()).collect();
    for suffix in ["_time64", "64", "32"] {
        names.extend(name.strip_suffix(suffix).map(str::to_owned));
    }
    names.push(format!("rt_{name}"));
    names.push(format!("new{name}"));
    names
}
