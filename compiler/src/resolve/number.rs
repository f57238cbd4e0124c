//! Numbers in conditions: whether a parameter can have them, and how they are said.
//!
//! ```text
//! socket(family == 0x1_0000_0000)     E033: 0x1_0000_0000 does not fit in `family`, a signed number of 32 bits
//! kill(sig < 0xffff_ffff)             E033: as such a number it is -1
//! ```

use super::Resolver;
use super::condition::{At, Slot};
use super::declare::Shape;
use crate::diagnostic::{Code, Diagnostic, Span};

impl<'a> Resolver<'a> {
    pub(super) fn check_range(
        &mut self,
        slot: &Slot,
        value: i128,
        ordering: bool,
        span: Span,
        at: At<'a>,
    ) -> Option<()> {
        let Shape { bits, signed, .. } = slot.shape;
        if can_be_meant(value, slot.shape, ordering) || self.fits_elsewhere(&slot.name, value, ordering, at) {
            return Some(());
        }
        let (lowest, highest) = number_range(bits, signed);
        let kind = if signed { "a signed" } else { "an unsigned" };
        let message =
            format!("{} does not fit in `{}`, {kind} number of {bits} bits", self.as_written(span, value), slot.name);
        let mut diagnostic = Diagnostic::new(Code::E033, span, message);
        if fits_width(value, bits) {
            let meant = if signed { value - (1 << bits) } else { value + (1i128 << bits) };
            diagnostic = diagnostic.help(format!("as such a number it is {}: write that", written(meant)));
        } else {
            let range = if signed { format!("{lowest} to {highest}") } else { format!("0 to {highest:#x}") };
            diagnostic = diagnostic.help(format!("`{}` is a number from {range}", slot.name));
        }
        self.error(diagnostic);
        None
    }

    /// A value as the policy says it, where it is said there as a number.
    pub(super) fn as_written(&self, span: Span, value: i128) -> String {
        let text = self.graph.get(span.file).and_then(|file| file.text.get(span.bytes.range())).unwrap_or("");
        let number =
            text.strip_prefix('-').unwrap_or(text).bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let digit = text.trim_start_matches('-').starts_with(|first: char| first.is_ascii_digit());
        if number && digit && text.len() <= MAX_WRITTEN { text.to_owned() } else { written(value) }
    }

    /// Whether the parameter is wide enough on another ABI of the policy: `setuid` takes 16 bits on x86 and 32 on
    /// x86_64, so that `uid == 100000` is no mistake, and is never true on x86.
    pub(super) fn fits_elsewhere(&self, name: &str, value: i128, ordering: bool, at: At<'a>) -> bool {
        self.result.archs.iter().filter(|&&arch| arch != at.arch).any(|&arch| {
            let Some(params) = self.params(at.call, arch) else { return false };
            let index = self.index(&params, name, at.call);
            index.is_some_and(|index| can_be_meant(value, params.list[index].1, ordering))
        })
    }
}

/// Least and greatest number of a width.
pub(super) fn number_range(bits: u8, signed: bool) -> (i128, i128) {
    if signed { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) }
}

/// Whether a value can be meant for such a parameter.
pub(super) fn can_be_meant(value: i128, shape: Shape, ordering: bool) -> bool {
    let (lowest, highest) = number_range(shape.bits, shape.signed);
    (lowest..=highest).contains(&value) || !ordering && fits_width(value, shape.bits)
}

/// Whether a value is a number of that width, signed or not.
pub(super) fn fits_width(value: i128, bits: u8) -> bool {
    (-(1 << (bits - 1))..1 << bits).contains(&value)
}

/// A number that is written longer than this is not repeated in a message.
const MAX_WRITTEN: usize = 40;

/// A value as a person would write it.
pub(super) fn written(value: i128) -> String {
    if value.unsigned_abs() >= 0x1_0000 && value > 0 { format!("{value:#x}") } else { value.to_string() }
}
