//! Filters that compare more of an argument than the kernel looks at, and what gets through them.
//!
//! ```text
//! socket: reg0 LT 38 · EQ 39 · GT 40        socket(0x1_0000_0028, …) passes and opens AF_VSOCK
//! ```
//!
//! The kernel drops the upper half of an `int` before it looks (CVE-2019-7303, CVE-2019-10063): a call whose low half
//! is forbidden passes with a bit set above.

use super::arguments::{self, At};
use super::claims::Claims;
use super::names::Names;
use crate::diagram::{Comparison, Function, Leaf, Node, Operand, Place, Store};
use crate::spec::{Action, Arch};
use crate::tables::{self, Known};

/// Calls that are named as examples.
const MOST_SHOWN: usize = 3;

/// What to say of each call of which the filter compares too much.
pub fn remarks(store: &mut Store, function: &Function, default: Action, claims: &Claims) -> Vec<(String, String)> {
    let mut remarks = Vec::new();
    for (name, raw) in claims.raw.iter().filter(|(_, raw)| raw.contains(&true)) {
        let Some(call) = tables::syscall(name) else { continue };
        for (&arch, table) in function.tables.iter().filter(|(arch, _)| arch.bits() == 64) {
            let Some(node) = call.nr(arch).map(|nr| table.at(nr)) else { continue };
            let narrow = arguments::narrowed(store, name, arch, node);
            if narrow == node {
                continue;
            }
            if let Some(text) = remark(store, default, call, arch, raw, node, narrow) {
                remarks.push((name.clone(), text));
            }
            break;
        }
    }
    remarks
}

fn remark(
    store: &mut Store,
    default: Action,
    call: tables::Syscall,
    arch: Arch,
    raw: &[bool; 6],
    node: Node,
    narrow: Node,
) -> Option<String> {
    let params = call.params(arch)?;
    let compared: Vec<(u8, &tables::Param)> =
        (0u8..).zip(params).filter(|(arg, param)| raw[usize::from(*arg)] && param.bits < 64).collect();
    let whole: Vec<String> = compared.iter().map(|(arg, param)| format!("reg{arg} (`{}`)", param.name)).collect();
    let widest = compared.iter().map(|(_, param)| param.bits).max()?;
    let what = format!("All 64 bits of {} are compared; the kernel takes the low {widest}.", whole.join(" and "));
    let mut wider = store.wider(node, narrow);
    let witnesses = witnesses(store, &mut wider, call, arch, &compared);
    if witnesses.is_empty() {
        let text = "With bits set above these a call is refused, although the kernel would not see them.";
        return Some(format!("{what} {text}"));
    }
    let shown: Vec<String> = witnesses.iter().take(MOST_SHOWN).cloned().collect();
    let more = if witnesses.len() > MOST_SHOWN { ", and others" } else { "" };
    let how = match closed(store, default, call, arch, narrow) {
        Some(rule) => format!("Named, the parameter closes it: `{rule}`"),
        None => "Naming the parameter closes it.".to_owned(),
    };
    let verb = if shown.len() > 1 || !more.is_empty() { "get" } else { "gets" };
    Some(format!("{what} So {}{more} {verb} through. {how}", shown.join(", and ")))
}

/// Calls that pass although the kernel takes them for others that do not.
fn witnesses(
    store: &mut Store,
    wider: &mut Node,
    call: tables::Syscall,
    arch: Arch,
    compared: &[(u8, &tables::Param)],
) -> Vec<String> {
    let mut found = Vec::new();
    while let Some((cube, _)) = store.witness(*wider, &|leaf| leaf == Leaf::True) {
        if found.len() > MOST_SHOWN {
            break;
        }
        let (mut given, mut taken) = (Vec::new(), Vec::new());
        let mut same = Node::TRUE;
        for &(arg, param) in compared {
            let bits = cube.args[usize::from(arg)];
            let low = u64::MAX >> (64 - u32::from(param.bits));
            if bits.mask == 0 {
                continue;
            }
            let names = Names { of: Some((call.name(), param.name)), arch, bits: param.bits, known: Known::default() };
            given.push((arg, format!("{:#x}", bits.value)));
            taken.push((arg, names.value(i128::from(bits.value & low))));
            // The low half is what makes another example.
            let operand = Operand { arg, bits: param.bits, mask: low & bits.mask, signed: false };
            let here = store.compare(operand, Comparison::Eq, bits.value & low);
            same = store.and(same, here);
        }
        if given.is_empty() {
            break;
        }
        let count = call.params(arch).map_or(0, <[_]>::len);
        let (given, taken) = (listed(&given, count), listed(&taken, count));
        found.push(format!("`{}({given})`, which is `{}({taken})` to the kernel", call.name(), call.name()));
        *wider = store.minus(*wider, same);
    }
    found
}

/// Arguments with `…` for what does not matter.
fn listed(args: &[(u8, String)], count: usize) -> String {
    let mut words = Vec::new();
    let mut next = 0;
    for (arg, text) in args {
        if usize::from(*arg) > next {
            words.push("…".to_owned());
        }
        words.push(text.clone());
        next = usize::from(*arg) + 1;
    }
    if next < count {
        words.push("…".to_owned());
    }
    words.join(", ")
}

/// The pattern that means the same where no bits above are set, if it is short.
fn closed(store: &mut Store, default: Action, call: tables::Syscall, arch: Arch, narrow: Node) -> Option<String> {
    let narrow = store.assume(narrow, &|place| match place {
        Place::Cap(_) | Place::Kernel(_) => Some(false),
        Place::Arg { .. } => None,
    });
    let leaves = store.leaves(narrow);
    let action = leaves.iter().filter_map(|leaf| match leaf {
        Leaf::Act(action) => Some(*action),
        _ => None,
    });
    let action = action.max_by_key(|action| (*action != default, action.precedence()))?;
    let set = store.where_action(narrow, &|found| found == action);
    let rows = arguments::patterns(store, At { name: call.name(), arch, raw: [false; 6] }, set)?;
    match rows.as_slice() {
        [row] if !row.is_empty() => {
            let text = format!("{action} {{ {}({}) }}", call.name(), row.join(", "));
            (text.len() < 120).then_some(text)
        }
        _ => None,
    }
}
