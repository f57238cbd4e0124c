//! Numbers back to the names that a person would have used.
//!
//! ```text
//! socket, family, 1         →   AF_UNIX           (not AF_LOCAL, not AF_FILE)
//! clone, clone_flags, mask  →   CLONE_NEWNS | CLONE_NEWUSER
//! ```

use crate::spec::Arch;
use crate::tables::{self, Known};

/// What the values of a parameter are called on an ABI.
#[derive(Debug, Clone)]
pub struct Names {
    /// The call and the parameter, if they are known.
    pub of: Option<(&'static str, &'static str)>,
    /// Values differ between ABIs.
    pub arch: Arch,
    /// How many bits are compared.
    pub bits: u8,
    /// What the other arguments are.
    pub known: Known,
}

impl Names {
    /// Whether the values are bits rather than a list.
    fn are_flags(&self) -> bool {
        self.of.is_some_and(|(call, param)| tables::syscall(call).is_some_and(|call| tables::is_flags(call, param)))
    }

    fn name(&self, value: i128) -> Option<&'static str> {
        // 0 is no flag; and as a protocol it is the usual one of the family, whichever that is.
        if value == 0 && (self.are_flags() || self.of.is_some_and(|(_, param)| param == "protocol")) {
            return None;
        }
        let low = u64::MAX >> (64 - u32::from(self.bits));
        let same = |known: i128| known == value || value >= 0 && known < 0 && (known as u64 & low) as i128 == value;
        // The first of equal rank: families come in the order of their weight.
        let (call, param) = self.of?;
        let names = tables::constants_valued(tables::syscall(call)?, param, &self.known, self.arch, same);
        names.min_by_key(|name| tables::rank(name))
    }

    /// The end of a range: by name only if the name is just that number, not one that has the same bits.
    pub fn bound(&self, value: i128) -> String {
        let exact = |name: &str| tables::constant(name, self.arch) == Some(value);
        self.name(value).filter(|name| exact(name)).map_or_else(|| number(value), str::to_owned)
    }

    /// Whether the value has a name.
    pub fn has(&self, value: i128) -> bool {
        self.name(value).is_some()
    }

    /// The value, by name if there is one.
    pub fn value(&self, value: i128) -> String {
        match self.name(value) {
            Some(name) => name.to_owned(),
            None if value > 0 && self.are_flags() => self.joined(value as u64).unwrap_or_else(|| number(value)),
            None => number(value),
        }
    }

    /// A value under a mask.
    pub fn bits(&self, value: u64) -> String {
        match self.name(i128::from(value)) {
            _ if !self.are_flags() => number(i128::from(value)),
            Some(name) => name.to_owned(),
            None => self.joined(value).unwrap_or_else(|| number(i128::from(value))),
        }
    }

    /// A mask; in parentheses where it has several names, since `&` and `|` may not stand side by side.
    pub fn mask(&self, mask: u64) -> String {
        if !self.are_flags() {
            return number(i128::from(mask));
        }
        if let Some(name) = self.name(i128::from(mask)) {
            return name.to_owned();
        }
        match self.joined(mask) {
            Some(names) if names.contains('|') => format!("({names})"),
            Some(name) => name,
            None => number(i128::from(mask)),
        }
    }

    /// `A | B`, where every bit has a name of its own.
    fn joined(&self, value: u64) -> Option<String> {
        if value.count_ones() < 2 || value.count_ones() > 16 {
            return None;
        }
        let mut names = Vec::new();
        for bit in (0..64).map(|bit| 1u64 << bit).filter(|bit| value & bit != 0) {
            // Not by `name`: numbers that happen to be powers of two (SOCK_STREAM is 1) are no flags.
            names.push(self.name(i128::from(bit))?);
        }
        Some(names.join(" | "))
    }
}

/// A number as a person writes it.
pub fn number(value: i128) -> String {
    if value < 0x1_0000 {
        return value.to_string();
    }
    let digits = format!("{value:x}");
    let mut text = String::from("0x");
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(4) {
            text.push('_');
        }
        text.push(digit);
    }
    text
}
