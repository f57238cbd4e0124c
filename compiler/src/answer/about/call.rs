//! What the kernel, libseccomp and the library know of a call.
//!
//! ```text
//! sendto   →   sendto(int fd, void *buff, …)      44 on x86_64, 206 on aarch64, …      since Linux 1.0
//!              `buff` is an address: a filter never sees what is there
//!              connects, with MSG_FASTOPEN (`@effect-connect`)
//! ```
//!
//! An editor shows the [`short`] form, for the ABIs of a policy; `kpolc explain` the [`page`], for all.

use std::fmt::Write as _;

use super::{by_abi, groups, listed, some_of};
use crate::library::{self, Effect, Way};
use crate::lint;
use crate::spec::arch::X32_BIT;
use crate::spec::{Arch, multiplex, register};
use crate::tables::{self, Cut, Left, Param, Syscall};

/// Facts of the kernel about a call, on some ABIs first.
pub fn short(text: &mut String, call: Syscall, archs: &[Arch]) {
    let here: Vec<Arch> = archs.iter().copied().filter(|&arch| call.nr(arch).is_some()).collect();
    let shown = here.first().copied().or_else(|| Arch::all().find(|&arch| call.nr(arch).is_some()));
    let params = shown.and_then(|arch| call.params(arch));
    let _ = write!(text, "```c\n{}\n```\n", prototype(call.name(), params));
    let numbers: Vec<String> =
        here.iter().filter_map(|&arch| Some(format!("{arch} {}", number(call, arch)?))).collect();
    if numbers.is_empty() {
        let has: Vec<&str> = Arch::all().filter(|&arch| call.nr(arch).is_some()).map(Arch::name).collect();
        let _ = write!(text, "\nOn none of this policy's ABIs; on {}\n", some_of(&has, 6));
    } else {
        let _ = write!(text, "\n{}", numbers.join(" · "));
        let lacking: Vec<&str> = archs.iter().filter(|arch| !here.contains(arch)).map(|arch| arch.name()).collect();
        if !lacking.is_empty() {
            let _ = write!(text, " · not on {}", lacking.join(", "));
        }
        text.push('\n');
    }
    let since = call.introduced().map(|release| format!("Linux {release}"));
    let known = match call.libseccomp() {
        Some(release) => format!("libseccomp {release}"),
        None => "no libseccomp knows its name".to_owned(),
    };
    let _ = write!(text, "\nsince {}{known}\n", since.map(|since| format!("{since} · ")).unwrap_or_default());
    let groups = groups::of_call(call.name());
    if !groups.is_empty() {
        let _ = write!(text, "\nin {}\n", some_of(&groups, 6));
    }
    let siblings = lint::siblings(call.name());
    if !siblings.is_empty() {
        let _ = write!(text, "\nsiblings: {}\n", siblings.join(", "));
    }
    if let Some(unseen) = params.and_then(unseen) {
        let _ = write!(text, "\n{unseen}\n");
    }
}

/// `socket(int family, int type, int protocol)`
pub fn prototype(name: &str, params: Option<&[Param]>) -> String {
    let Some(params) = params else { return format!("{name}(…)") };
    format!("{name}({})", params.iter().map(declaration).collect::<Vec<_>>().join(", "))
}

/// `int family`
pub fn declaration(param: &Param) -> String {
    let space = if param.ty.ends_with('*') { "" } else { " " };
    format!("{}{space}{}", param.ty, param.name)
}

/// How much of a parameter a filter can look at.
pub fn width(param: &Param) -> String {
    if param.pointer {
        return "an address: a filter can compare it, and never sees what it points to".to_owned();
    }
    let sign = if param.signed { "signed" } else { "unsigned" };
    format!("the kernel looks at {} bits, {sign}", param.bits)
}

/// How much of a parameter is left under a command, where that is less than the `bits` that it has.
pub fn cut_text(text: &mut String, cut: Cut, bits: u8) {
    let left = match cut.left {
        Left::Low(left) if left < bits => format!("{left} bits"),
        Left::Upper if bits == 64 => "the upper 32 bits".to_owned(),
        Left::Unknown(why) if bits == 64 => format!("nobody can tell how many: {why}"),
        Left::Low(_) | Left::Upper | Left::Unknown(_) => return,
    };
    let terms: Vec<String> = cut
        .when
        .iter()
        .map(|term| {
            let more =
                if term.values.len() > 6 { format!(" and {} more", term.values.len() - 6) } else { String::new() };
            format!("`{}` is {}{more}", term.param, term.values[..term.values.len().min(6)].join(" or "))
        })
        .collect();
    let _ = match terms.is_empty() {
        true => writeln!(text, "\nelse {left}"),
        false => writeln!(text, "\n{left} where {}", terms.join(" and ")),
    };
}

/// The number on an ABI as its own tables count: without the bit that all of x32 have.
pub fn number(call: Syscall, arch: Arch) -> Option<u32> {
    call.nr(arch).map(|nr| nr.0 & !X32_BIT)
}

/// What a filter never sees of a call: the parameters that are addresses.
pub fn unseen(params: &[Param]) -> Option<String> {
    let names: Vec<String> =
        params.iter().filter(|param| param.pointer).map(|param| format!("`{}`", param.name)).collect();
    (!names.is_empty()).then(|| format!("A filter sees the address in {}, never what it points to.", names.join(", ")))
}

/// The effects that a call can bring about, each with the member that says how.
pub fn effects(call: &str) -> Vec<(Effect, Way)> {
    let is_it = |way: &Way| way.pattern.split('(').next() == Some(call);
    library::effects()
        .flat_map(|effect| effect.ways().into_iter().filter(is_it).map(move |way| (effect, way)))
        .collect()
}

/// All of it, as Markdown.
pub fn page(call: Syscall) -> String {
    let name = call.name();
    let shown = Arch::all().find(|&arch| call.params(arch).is_some());
    let params = shown.and_then(|arch| call.params(arch));
    let mut text = format!("# {name}\n\n```c\n{}\n```\n", prototype(name, params));
    let numbers = by_abi(Arch::all().filter_map(|arch| Some((arch, number(call, arch)?.to_string()))));
    let _ = write!(text, "\nNumber {numbers}.\n");
    let since = call.introduced().map_or(String::new(), |release| format!("Since Linux {release}; "));
    let known = match call.libseccomp() {
        Some(release) => format!("libseccomp knows the name from {release} on."),
        None => "no release of libseccomp knows its name, so JSON cannot have it.".to_owned(),
    };
    let _ = write!(text, "\n{}\n", sentence(&format!("{since}{known}")));
    parameters(&mut text, call, shown, params.unwrap_or_default());
    if let Some(unseen) = params.and_then(unseen) {
        let _ = write!(text, "\n{unseen}\n");
    }
    if let Some((multiplexer, _)) = multiplex::other_way(call) {
        let archs: Vec<&str> = Arch::all().filter(|&arch| multiplexer.nr(arch).is_some()).map(Arch::name).collect();
        let _ = write!(
            text,
            "\nOn {} it is reached by `{}` as well, which shows a filter none of its arguments.\n",
            archs.join(", "),
            multiplexer.call().name()
        );
    }
    let groups: Vec<&str> = groups::of_call(name).into_iter().filter(|&group| group != "@known").collect();
    if !groups.is_empty() {
        text.push_str("\nIt is in\n\n");
        for group in groups {
            let doc = groups::all().get(group).map_or("", |group| group.doc.as_str());
            let _ = writeln!(text, "- `{group}`: {}", doc.replace('\n', " "));
        }
    }
    let siblings = lint::siblings(name);
    if !siblings.is_empty() {
        let _ = write!(text, "\nThese can do its work, or do it on other ABIs: {}.\n", listed(&siblings, 12));
    }
    let effects = effects(name);
    if !effects.is_empty() {
        text.push_str("\n# What it can bring about\n\n");
        for (effect, way) in effects {
            let when = if way.guard.is_empty() { String::new() } else { format!(" when {}", way.guard) };
            let _ = writeln!(text, "- `{}`: `{}`{when}. {}", effect.group, way.pattern, stopped(&way.reason));
        }
    }
    text
}

fn parameters(text: &mut String, call: Syscall, arch: Option<Arch>, params: &[Param]) {
    let Some(arch) = arch.filter(|_| !params.is_empty()) else { return };
    text.push('\n');
    for (index, param) in (0u8..).zip(params) {
        let _ = write!(text, "- `{}`: {}", declaration(param), width(param));
        let fitting: Vec<&str> = tables::constants_for(call, param.name).collect();
        if !fitting.is_empty() {
            let _ = write!(text, "; {}", listed(&fitting, 4));
        }
        let aliases: Vec<&str> =
            call.aliases().filter(|(_, kernel)| *kernel == param.name).map(|(alias, _)| alias).collect();
        if !aliases.is_empty() {
            let _ = write!(text, "; the manual calls it {}", listed(&aliases, 4));
        }
        if register::param(call, arch, index).is_none() {
            text.push_str("; in no register of its own");
        }
        let mut cuts = String::new();
        call.cuts(param.name, arch).for_each(|cut| cut_text(&mut cuts, cut, param.bits.min(arch.bits())));
        let cuts: Vec<&str> = cuts.lines().filter(|line| !line.is_empty()).collect();
        if !cuts.is_empty() {
            let _ = write!(text, "; {}", cuts.join("; "));
        }
        text.push('\n');
    }
}

/// With a large letter in front and a full stop behind.
fn sentence(text: &str) -> String {
    let text = text.trim();
    let mut letters = text.chars();
    let first = letters.next().map_or(String::new(), |letter| letter.to_uppercase().collect());
    stopped(&format!("{first}{}", letters.as_str()))
}

/// With a full stop behind: a reason may begin with the name of a function.
fn stopped(text: &str) -> String {
    let stop = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{text}{stop}")
}
