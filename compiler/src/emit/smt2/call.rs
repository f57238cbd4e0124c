//! The call that a solver looks for, and the names of calls.

use super::text::{Text, all, any, plain, word};
use super::{Asked, Question, Trouble, by_value};
use crate::spec::arch::X32_BIT;
use crate::spec::rule::Names;
use crate::spec::{Arch, multiplex};
use crate::tables;

pub(super) fn write(question: &Question<'_>, asked: &Asked, text: &mut Text) -> Result<(), Trouble> {
    text.heading("1. The call, as the kernel shows it to a filter (struct seccomp_data)", &[])?;
    for (name, bits) in [("arch", 32), ("nr", 32), ("instruction_pointer", 64)] {
        text.line(&format!("(declare-const {name} (_ BitVec {bits}))"));
    }
    for register in 0..6 {
        text.line(&format!("(declare-const arg{register} (_ BitVec 64))"));
    }
    text.comment(
        "The ABIs of the policy, by AUDIT_ARCH_... (include/uapi/linux/audit.h); numbers of x32 have bit 30 set.",
    );
    for &arch in question.archs {
        text.define(&abi(arch), &[], &plain([is(arch)]))?;
    }
    text.define("listed", &[], &plain(question.archs.iter().copied().map(abi)))?;
    let narrow: Vec<String> = question.archs.iter().filter(|arch| arch.bits() == 32).copied().map(abi).collect();
    if !narrow.is_empty() {
        text.comment("Registers of these have 32 bits, and the kernel shows the upper halves as zero.");
        let upper = |register| format!("(= ((_ extract 63 32) arg{register}) {})", word(0));
        text.line(&format!("(assert (=> {} {}))", any(narrow), all((0..6).map(upper).collect())));
    }
    environment(question, asked, text)?;
    names(question, asked, text)
}

/// What `when` asks about.
fn environment(question: &Question<'_>, asked: &Asked, text: &mut Text) -> Result<(), Trouble> {
    if !asked.caps.is_empty() {
        text.comment("Capabilities: free, unless --cap says which are held.");
    }
    for (name, number) in &asked.caps {
        match question.caps {
            None => text.line(&format!("(declare-const {} Bool)", cap(name))),
            Some(held) => text.define(&cap(name), &[], &plain([held.contains(number).to_string()]))?,
        }
    }
    if asked.kernel {
        text.comment("The kernel's release, major and minor number in a byte each: free, unless --kernel says it.");
        match question.kernel {
            None => text.line("(declare-const kernel (_ BitVec 16))"),
            Some(release) => {
                let number = u16::from(release.major) << 8 | u16::from(release.minor);
                text.line(&format!("(define-fun kernel () (_ BitVec 16) #x{number:04x})"));
            }
        }
    }
    Ok(())
}

/// The calls that the policy names, and the other ways into the same code.
fn names(question: &Question<'_>, asked: &Asked, text: &mut Text) -> Result<(), Trouble> {
    text.heading(
        "2. The calls that the policy names",
        &["call.X: the call of that number.  way.X: that call, or the same code through socketcall(2) or ipc(2)."],
    )?;
    let mut known = Vec::new();
    for &arch in question.archs {
        known.push((arch, Names::new(question.graph.files.iter().map(|file| &*file.tree), arch)?));
    }
    for (name, other_ways) in &asked.calls {
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for (arch, names) in &known {
            if let Some(nr) = names.number(name)? {
                own.push((*arch, nr));
            }
            let Some((through, first)) = tables::syscall(name).and_then(multiplex::other_way) else { continue };
            if let Some(nr) = names.number(through.call().name())? {
                others.push((*arch, (nr, through.mask(*arch), first)));
            }
        }
        let of = |archs: Vec<Arch>, terms: Vec<String>| {
            all(std::iter::once(any(archs.into_iter().map(abi).collect())).chain(terms).collect())
        };
        let number = |nr: u32| format!("(= nr {})", word(nr));
        let own = by_value(own).into_iter().map(|(archs, nr)| of(archs, vec![number(nr.0)]));
        text.define(&format!("call.{name}"), &[], &plain(own))?;
        if !other_ways {
            continue;
        }
        let others = by_value(others).into_iter().map(|(archs, (nr, mask, first))| {
            let argument = "((_ extract 31 0) arg0)";
            let route = match mask {
                u32::MAX => format!("(= {argument} {})", word(first)),
                mask => format!("(= (bvand {argument} {}) {})", word(mask), word(first)),
            };
            of(archs, vec![number(nr.0), route])
        });
        text.define(&format!("way.{name}"), &[], &plain(std::iter::once(format!("call.{name}")).chain(others)))?;
    }
    Ok(())
}

/// `abi.x86_64`
pub(super) fn abi(arch: Arch) -> String {
    format!("abi.{}", arch.name())
}

/// `cap.CAP_CHOWN`
pub(super) fn cap(name: &str) -> String {
    format!("cap.{name}")
}

/// When a call comes by an ABI. Two share a token; -1 is no call, and counts as the native ABI's.
fn is(arch: Arch) -> String {
    let token = format!("(= arch {})", word(arch.audit_token()));
    let (bit, none) = (word(X32_BIT), word(u32::MAX));
    match arch {
        Arch::X86_64 => format!("(and {token} (or (bvult nr {bit}) (= nr {none})))"),
        Arch::X32 => format!("(and {token} (bvuge nr {bit}) (distinct nr {none}))"),
        _ => token,
    }
}
