//! What a text costs: bytes that are allocated to check it, and how many of them live at once, for each byte of the text.
//!
//! ```text
//! const A = {1, 2}   const B = {A, A}   const C = {B, B} …       sixty lines: 2^60 values, or an error after so many steps
//! ```
//!
//! An allocator that counts is the measure, since it counts the same on every machine. It counts for each thread alone; what is
//! checked here is checked on one.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;

use kpol_compiler::diagnostic::Code;
use kpol_compiler::driver::{Format, Options, check};
use kpol_compiler::source::Memory;

use super::Random;

thread_local! {
    static TOTAL: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, and a count of what it gives: `#[global_allocator]` of a binary that measures.
pub struct Counting;

fn count(more: usize, less: usize) {
    // A thread that ends has no counters any more, and is not measured.
    let _ = TOTAL.try_with(|total| total.set(total.get().wrapping_add(more)));
    let live = LIVE.try_with(|live| {
        live.set(live.get().wrapping_add_unsigned(more).wrapping_sub_unsigned(less));
        live.get()
    });
    let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.unwrap_or(0))));
}

// SAFETY: every call is the system allocator's own; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: the caller's promise is handed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: the caller's promise is handed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// What something has cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Bytes that were allocated, one after the other.
    pub total: usize,
    /// Bytes at once.
    pub peak: usize,
}

/// What `work` costs on this thread; nothing where [`Counting`] is not the allocator.
pub fn measure<T>(work: impl FnOnce() -> T) -> (Cost, T) {
    let (total, live) = (TOTAL.get(), LIVE.get());
    PEAK.set(live);
    let made = work();
    let cost = Cost { total: TOTAL.get().wrapping_sub(total), peak: usize::try_from(PEAK.get() - live).unwrap_or(0) };
    (cost, made)
}

/// What every text may cost at once, and for each of its bytes. A text without a mistake takes some 300 bytes a byte.
const PEAK_MOST: usize = 192 << 20;
const PEAK_A_BYTE: usize = 6 << 10;

/// What a check of a text costs, and the codes that it finds.
pub fn cost(text: &str) -> (Cost, Vec<Code>) {
    let memory = Memory::from([("main.kpol", text)]);
    let (cost, checked) = measure(|| check(&memory, Path::new("main.kpol"), &Options::default(), &[Format::Json]));
    let mut codes: Vec<Code> = checked.diagnostics.iter().map(|found| found.code).collect();
    codes.sort_unstable();
    codes.dedup();
    (cost, codes)
}

/// A text costs what its length allows. The dearer it is, the further up the ladder it comes, and each rung is a piece of code of its
/// own: so a fuzzer that looks for new code climbs.
///
/// # Panics
/// Where it costs more.
pub fn costs_by_length(text: &str) {
    let (cost, codes) = cost(text);
    let allowed = PEAK_MOST + PEAK_A_BYTE * text.len();
    assert!(cost.peak <= allowed, "{cost:?} for {} bytes, {codes:?}", text.len());
    climb(cost.total / text.len().max(16));
}

fn climb(cost_a_byte: usize) {
    macro_rules! ladder {
        ($($rung:literal)*) => {
            match (cost_a_byte + 1).ilog2() {
                $($rung => drop(black_box($rung)),)*
                _ => drop(black_box(u32::MAX)),
            }
        };
    }
    ladder!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30);
}

/// A text whose definitions use those before them, several times: what multiplies if anything does.
pub fn multiplying(random: &mut Random) -> String {
    let mut text = String::from("default deny\n");
    let rows = 2 + random.below(60);
    let uses = 1 + random.below(6);
    text += "const A0 = {1, 2, 5..7}\ngroup @g0 { @file-system, ioctl(cmd in A0) }\n";
    for row in 1..rows {
        let list = |random: &mut Random, name: &str| {
            let all: Vec<String> = (0..uses).map(|_| format!("{name}{}", row - 1 - random.below(row.min(3)))).collect();
            all.join(", ")
        };
        let (values, calls) = (list(random, "A"), list(random, "@g"));
        let extra = random.below(1 << 20);
        let except = if random.below(4) == 0 { " except { @g0 }" } else { "" };
        writeln!(
            text,
            "const A{row} = {{{values}, {extra}}}\ngroup @g{row} {{ {calls}{except}, ioctl(cmd in A{row}) }}"
        )
        .unwrap();
    }
    for _ in 0..random.below(40) {
        let row = random.below(rows);
        match random.below(4) {
            0 => writeln!(text, "allow {{ @g{row} }}"),
            1 => writeln!(text, "assert \"a{row}\" {{ not kill {{ @g{row} }} }}"),
            2 => writeln!(text, "override deny {{ @g{row} except {{ mmap(len in A{row}, prot & {row} == 1) }} }}"),
            _ => writeln!(text, "allow {{ mmap(len in A{row}), mmap(flags in A{row}, fd & {row} != 2) }}"),
        }
        .unwrap();
    }
    text
}

/// A text by its size.
type Text = fn(usize) -> String;

fn lines(n: usize, line: impl Fn(usize) -> String) -> String {
    let mut text = String::from("default deny\nallow { @default }\n");
    (0..n).for_each(|index| text.push_str(&line(index)));
    text
}

fn list(n: usize, item: impl Fn(usize) -> String) -> String {
    (0..n).map(item).collect::<Vec<_>>().join(", ")
}

/// Texts that have one thing many times, and that thing. Each shall cost as much more as it is longer.
pub const MANY: &[(&str, Text)] = &[
    ("sets in sets", |n| lines(n, |i| format!("const A{} = {{A{i}, A{i}}}\n", i + 1)) + "const A0 = {1, 2}\n"),
    ("one set in many conditions", |n| {
        let all = format!("const B = {{{}}}\n", list(n, |i| (3 * i).to_string()));
        all + &lines(n, |i| format!("allow {{ ioctl(fd == {i}, cmd in B) }}\n"))
    }),
    ("groups in groups", |n| lines(n, |i| format!("group @a{} {{ @a{i}, @a{i} }}\n", i + 1)) + "group @a0 { read }\n"),
    ("one group in many", |n| lines(n, |i| format!("group @d{i} {{ @system-service }}\nallow {{ @d{i} }}\n"))),
    ("one group many times", |n| lines(n, |_| "allow { @system-service }\n".to_owned())),
    ("a definition in parts", |n| {
        lines(n, |i| {
            format!("when arch x86_64 {{ const C = {i} }}\nwhen arch x86_64 {{ allow {{ ioctl(cmd == C) }} }}\n")
        })
    }),
    ("unknown calls", |n| lines(n, |i| format!("allow {{ opnat{i} }}\n"))),
    ("unknown constants", |n| lines(n, |i| format!("allow {{ socket(family == AF_UNIY{i}) }}\n"))),
    ("unknown groups", |n| lines(n, |i| format!("allow {{ @file-systm{i} }}\n"))),
    ("unknown parameters", |n| lines(n, |i| format!("allow {{ socket(famly{i} == 1) }}\n"))),
    ("unknown errnos", |n| lines(n, |i| format!("deny(EPERN{i}) {{ swapon }}\n"))),
    ("silencers", |n| lines(n, |_| "allow { read } // kpol: allow(W010)\n".to_owned())),
    ("silencers one above the other", |n| lines(n, |_| "// kpol: allow(W010)\n".to_owned())),
    ("silencers of one line", |n| {
        lines(1, |_| format!("allow {{ read }} // kpol: allow({})\n", list(n, |_| "W010".into())))
    }),
    ("rules that are said twice", |n| lines(n, |i| format!("allow {{ ioctl(cmd == {}) }}\n", i / 2))),
    ("rules that disagree", |n| lines(n, |i| format!("deny({}) {{ swapon }}\n", i % 4000))),
    ("many actions", |n| lines(n, |i| format!("trap({i}) {{ ioctl(cmd == {i}) }}\n"))),
    ("defaults", |n| lines(n, |i| format!("default deny({i})\n"))),
    ("asserts", |n| lines(n, |i| format!("assert \"a{i}\" {{ not allow {{ @module }} }}\n"))),
    ("asserts that fail", |n| lines(n, |i| format!("assert \"a{i}\" {{ not allow {{ @default }} }}\n"))),
    ("exceptions", |n| {
        lines(1, |_| format!("allow {{ @system-service except {{ {} }} }}\n", list(n, |_| "@mount".into())))
    }),
    ("values", |n| lines(n, |i| format!("allow {{ ioctl(cmd == {}) }}\n", i * 7919))),
    ("masks", |n| lines(n, |i| format!("allow {{ ioctl(cmd & {} == {}) }}\n", ((i * 2654435761) % 65521) | 1, 1))),
    ("includes of one file", |n| lines(n, |_| "include <base/runtime>\n".to_owned())),
    ("syntax errors", |n| lines(n, |_| "allow { read write }\n".to_owned())),
    ("comments", |n| lines(n, |i| format!("// {i}\n/// {i}\ngroup @g{i} {{ read }}\n"))),
];
