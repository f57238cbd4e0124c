//! Filters that compare more of an argument than the kernel looks at, and what gets through them.
//!
//! ```text
//! socket: arg0 LT 38 · EQ 39 · GT 40        socket(0x1_0000_0028, …) passes and opens AF_VSOCK
//! ```
//!
//! The kernel drops the upper half of an `int` before it looks (CVE-2019-7303, CVE-2019-10063): a call whose low half
//! is forbidden passes with a bit set above.

use super::arguments::{self, At};
use super::claims::Claims;
use super::names::{Names, number};
use crate::diagram::{Comparison, Function, Leaf, Node, Operand, Place, Store};
use crate::spec::Arch;
use crate::tables;

/// Calls that are named as examples.
const MOST_SHOWN: usize = 3;

/// What to say of each call of which the filter compares too much.
pub fn remarks(store: &mut Store, function: &Function, claims: &Claims) -> Vec<(String, String)> {
    let mut remarks = Vec::new();
    for (name, raw) in claims.raw.iter().filter(|(_, raw)| raw.contains(&true)) {
        let Some(call) = tables::syscall(name) else { continue };
        for (&arch, table) in function.tables.iter().filter(|(arch, _)| arch.bits() == 64) {
            let Some(node) = call.nr(arch).map(|nr| table.at(nr)) else { continue };
            let narrow = arguments::narrowed(store, name, arch, node);
            if narrow == node {
                continue;
            }
            if let Some(text) = remark(store, call, arch, raw, node, narrow) {
                remarks.push((name.clone(), text));
            }
            break;
        }
    }
    remarks
}

fn remark(
    store: &mut Store,
    call: tables::Syscall,
    arch: Arch,
    raw: &[bool; 6],
    node: Node,
    narrow: Node,
) -> Option<String> {
    let arg = raw.iter().position(|&raw| raw)?;
    let param = call.params(arch)?.get(arg)?;
    let mut wider = store.wider(node, narrow);
    let witnesses = witnesses(store, &mut wider, call, arch, arg as u8, param);
    let what = format!(
        "This compares all 64 bits of arg{arg}; the kernel takes the low {} of them, as `{}`.",
        param.bits, param.name
    );
    if witnesses.is_empty() {
        let text = "Values with bits above are refused, although the kernel would not look at these.";
        return Some(format!("{what} {text}"));
    }
    let shown: Vec<String> = witnesses.iter().take(MOST_SHOWN).cloned().collect();
    let more = if witnesses.len() > MOST_SHOWN || wider != Node::FALSE { ", and so on" } else { "" };
    let closed = closed(store, call, arch, narrow);
    let how = closed.map_or_else(|| "name the parameter".to_owned(), |rule| format!("write `{rule}`"));
    Some(format!("{what} So {}{more} gets through; to close that, {how}.", shown.join(", ")))
}

/// Calls that pass although the kernel takes them for others that do not.
fn witnesses(
    store: &mut Store,
    wider: &mut Node,
    call: tables::Syscall,
    arch: Arch,
    arg: u8,
    param: &tables::Param,
) -> Vec<String> {
    let bits = param.bits;
    let names = Names { of: Some((call.name(), param.name)), arch, bits };
    let mut found = Vec::new();
    while let Some((cube, _)) = store.witness(*wider, &|leaf| leaf == Leaf::True) {
        if found.len() > MOST_SHOWN {
            break;
        }
        let value = cube.args[usize::from(arg)].value;
        let low = value & (u64::MAX >> (64 - u32::from(bits)));
        let place = if arg == 0 { String::new() } else { format!("arg{arg} = ") };
        let rest = if call.params(arch).is_some_and(|params| params.len() > 1) { ", …" } else { "" };
        found.push(format!("`{}({place}{value:#x}{rest})`, which is {}", call.name(), meant(&names, low)));
        let operand = Operand { arg, bits, mask: u64::MAX >> (64 - u32::from(bits)), signed: false };
        let same = store.compare(operand, Comparison::Eq, low);
        *wider = store.minus(*wider, same);
    }
    found
}

fn meant(names: &Names, low: u64) -> String {
    let low = i128::from(low);
    if names.has(low) { format!("{} ({})", names.value(low), number(low)) } else { number(low) }
}

/// The pattern that means the same where no bits above are set, if it is short.
fn closed(store: &mut Store, call: tables::Syscall, arch: Arch, narrow: Node) -> Option<String> {
    let narrow = store.assume(narrow, &|place| match place {
        Place::Cap(_) | Place::Kernel(_) => Some(false),
        Place::Arg { .. } => None,
    });
    let leaves = store.leaves(narrow);
    let action = leaves.iter().filter_map(|leaf| match leaf {
        Leaf::Act(action) => Some(*action),
        _ => None,
    });
    let action = action.max_by_key(|action| action.precedence())?;
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
