//! What is said of the word under the cursor.
//!
//! ```text
//! allow { socket }     socket(int family, int type, int protocol)
//!         ^^^^^^       x86_64 41 · aarch64 198; in @network-io; this policy: allow
//! ```

use std::fmt::Write as _;
use std::path::Path;

use kpol_compiler::answer::about::call::{cut_text, declaration, short, width};
use kpol_compiler::answer::about::constant::{by_value, written as number};
use kpol_compiler::diagnostic::Code;
use kpol_compiler::spec::{Action, Arch, register};
use kpol_compiler::tables::{self, Syscall};
use kpol_grammar::ast::{Span, StatementKind};

use super::names::{self, some_of};
use super::{groups, near, verdict};
use crate::marks::{self, Kind, Mark};
use crate::snapshot::Snapshot;
use crate::unit::Unit;
use crate::world::World;

/// What is shown, as Markdown, and of which word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hover {
    /// The word.
    pub span: Span,
    /// What is said.
    pub text: String,
}

/// What is under the cursor.
pub fn of(world: &mut World, snapshot: &Snapshot, unit: &Unit, offset: u32) -> Option<Hover> {
    if let Some(hover) = silencer(unit, offset) {
        return Some(hover);
    }
    let mark = marks::at(unit.marks(), offset)?.clone();
    let path = &unit.path;
    let text = known(world, snapshot, unit, &mark).or_else(|| {
        let project = world.project(snapshot, path);
        near::of(&project, &mark, &names::archs(&project))
    })?;
    Some(Hover { span: mark.span, text })
}

/// What is said of a name that is something's.
fn known(world: &mut World, snapshot: &Snapshot, unit: &Unit, mark: &Mark) -> Option<String> {
    let path = &unit.path;
    let text = match &mark.kind {
        Kind::Syscall => syscall(world, snapshot, path, mark)?,
        Kind::Group => group(world, snapshot, path, mark)?,
        Kind::Constant { .. } | Kind::Errno => constant(world, snapshot, path, mark)?,
        Kind::Parameter { call } => parameter(world, snapshot, path, call, mark)?,
        Kind::Action => action(world, snapshot, unit, mark)?,
        Kind::Outcome => format!("**{}** in an assert: {}", mark.name, outcome(&mark.name)?),
        Kind::Arch => arch(&mark.name)?,
        Kind::Capability => {
            let number = tables::capability(&mark.name)?;
            format!(
                "**{}**, capability {number}\n\nHeld or not is settled by `--cap` when the policy is built.",
                mark.name
            )
        }
        Kind::Title => assertion(world, snapshot, unit, mark)?,
        Kind::Path { .. } => file(world, snapshot, unit, mark)?,
        Kind::Kernel | Kind::Flag | Kind::Type => return None,
    };
    Some(text)
}

/// `// kpol: allow(W012)`: what the warning is about.
fn silencer(unit: &Unit, offset: u32) -> Option<Hover> {
    let comment = unit.file().comments.iter().find(|comment| comment.span.touches(offset))?;
    let text = unit.words(comment.span);
    let inside = (offset - comment.span.start) as usize;
    let word = |c: char| c.is_ascii_alphanumeric();
    let start = text.get(..inside)?.rfind(|c| !word(c)).map_or(0, |at| at + 1);
    let end = text.get(inside..)?.find(|c| !word(c)).map_or(text.len(), |at| inside + at);
    let code = Code::from_name(text.get(start..end)?)?;
    let at = comment.span.start as usize;
    Some(Hover { span: Span::new(at + start, at + end), text: code.page().to_owned() })
}

fn syscall(world: &mut World, snapshot: &Snapshot, path: &Path, mark: &Mark) -> Option<String> {
    let name = mark.name.as_str();
    let mut text = String::new();
    let project = world.project(snapshot, path);
    let archs = names::archs(&project);
    match tables::syscall(name) {
        Some(call) => short(&mut text, call, &archs),
        None => {
            let found = names::definitions(world, snapshot, path, mark);
            match found.first().and_then(|found| Some((found, found.statement()?))) {
                Some((found, statement)) => {
                    let _ = write!(text, "```kpol\n{}\n```\n", found.unit.words(statement.span));
                    if let Some(doc) = &statement.doc {
                        let _ = write!(text, "\n{doc}\n");
                    }
                    text.push_str("\nDeclared by this policy.\n");
                }
                None => return None,
            }
        }
    }
    if let Some(profile) = verdict::profile(world, snapshot, path)
        && let Some((compiled, _)) = world.compiled(snapshot, &profile)
    {
        let verdicts = verdict::of(compiled, name);
        let other = if profile == path { "this policy" } else { "the open profile" };
        let several = verdicts.len() > 1;
        for verdict in verdicts {
            let archs: Vec<&str> = verdict.archs.iter().map(|arch| arch.name()).collect();
            let on = if several { format!(" on {}", archs.join(", ")) } else { String::new() };
            let cases: Vec<String> = verdict
                .cases
                .iter()
                .map(|(action, when)| match when.is_empty() {
                    true => format!("**{action}**"),
                    false => format!("**{action}** if `{when}`"),
                })
                .collect();
            let _ = write!(text, "\n{other}{on}: {}\n", cases.join(", "));
        }
    }
    Some(text)
}

fn group(world: &mut World, snapshot: &Snapshot, path: &Path, mark: &Mark) -> Option<String> {
    if let Some(group) = groups::all().get(&mark.name) {
        let archs = names::archs(&world.project(snapshot, path));
        let sizes: Vec<String> = archs
            .iter()
            .map(|&arch| {
                let here = |call: &&String| tables::syscall(call).is_some_and(|call| call.nr(arch).is_some());
                format!("{arch} {}", group.calls.iter().filter(here).count())
            })
            .collect();
        let members: Vec<&str> = group.direct.iter().map(String::as_str).collect();
        let size = sizes.join(" · ");
        return Some(format!(
            "**{}**, built in\n\n{}\n\ncalls: {size}\n\n{}",
            group.name,
            group.doc,
            some_of(&members, 24)
        ));
    }
    let found = names::definitions(world, snapshot, path, mark);
    let found = found.first()?;
    let statement = found.statement()?;
    let StatementKind::Group { patterns, .. } = &statement.kind else { return None };
    let mut text = format!("```kpol\n{}\n```\n", shortened(found.unit.words(statement.span)));
    if let Some(doc) = &statement.doc {
        let _ = write!(text, "\n{doc}\n");
    }
    let sizes = sizes(world, snapshot, path, &mark.name);
    let _ = match sizes.is_empty() {
        true => write!(text, "\n{} patterns\n", patterns.len()),
        false => write!(text, "\ncalls: {sizes}\n"),
    };
    Some(text)
}

/// `x86_64 12 · aarch64 10`: how many calls a group of a finished policy has.
pub fn sizes(world: &mut World, snapshot: &Snapshot, path: &Path, name: &str) -> String {
    let Some(profile) = verdict::profile(world, snapshot, path) else { return String::new() };
    let Some((compiled, _)) = world.compiled(snapshot, &profile) else { return String::new() };
    let resolved = &compiled.resolved;
    let Some(index) = resolved.groups.iter().position(|group| group.name == name) else { return String::new() };
    let id = kpol_compiler::resolve::GroupId(u32::try_from(index).unwrap_or(u32::MAX));
    let size = |arch: &Arch| Some(format!("{arch} {}", resolved.group_sets.get(&(id, *arch))?.len()));
    resolved.archs.iter().filter_map(size).collect::<Vec<_>>().join(" · ")
}

fn shortened(text: &str) -> String {
    const MOST: usize = 12;
    if text.lines().count() <= MOST {
        return text.to_owned();
    }
    text.lines().take(MOST).chain(["…"]).collect::<Vec<_>>().join("\n")
}

fn constant(world: &mut World, snapshot: &Snapshot, path: &Path, mark: &Mark) -> Option<String> {
    let archs = names::archs(&world.project(snapshot, path));
    if tables::is_constant(&mark.name) {
        let values = archs.iter().map(|&arch| (arch, tables::constant(&mark.name, arch)));
        let of = match &mark.kind {
            Kind::Constant { of: Some((call, param)) } => format!("\n\ncompared with `{param}` of `{call}`"),
            _ => String::new(),
        };
        return Some(format!("**{}**\n\n{}{of}", mark.name, by_value(values)));
    }
    let found = names::definitions(world, snapshot, path, mark);
    let found = found.first()?;
    let statement = found.statement()?;
    let mut text = format!("```kpol\n{}\n```\n", shortened(found.unit.words(statement.span)));
    if let Some(doc) = &statement.doc {
        let _ = write!(text, "\n{doc}\n");
    }
    if let Some(values) = values(world, snapshot, path, &mark.name) {
        let _ = write!(text, "\n{values}\n");
    }
    Some(text)
}

/// What a constant of a finished policy comes to.
pub fn values(world: &mut World, snapshot: &Snapshot, path: &Path, name: &str) -> Option<String> {
    let profile = verdict::profile(world, snapshot, path)?;
    let (compiled, _) = world.compiled(snapshot, &profile)?;
    let found = compiled.resolved.consts.iter().find(|found| found.name == name)?;
    let mut same: Vec<(String, Vec<Arch>)> = Vec::new();
    for (&arch, ranges) in &found.values {
        let text = written(ranges);
        match same.iter_mut().find(|(known, _)| *known == text) {
            Some((_, archs)) => archs.push(arch),
            None => same.push((text, vec![arch])),
        }
    }
    let several = same.len() > 1;
    let each = same.into_iter().map(|(text, archs)| match several {
        false => text,
        true => format!("{text} on {}", archs.iter().map(|arch| arch.name()).collect::<Vec<_>>().join(", ")),
    });
    Some(each.collect::<Vec<_>>().join(" · ")).filter(|text| !text.is_empty())
}

fn written(ranges: &[(i128, i128)]) -> String {
    let one = |&(low, high): &(i128, i128)| {
        if low == high { number(low) } else { format!("{}..{}", number(low), number(high)) }
    };
    match ranges {
        [single] if single.0 == single.1 => one(single),
        several => {
            let shown: Vec<String> = several.iter().take(8).map(one).collect();
            let more = if several.len() > 8 { ", …" } else { "" };
            format!("{{{}{more}}}", shown.join(", "))
        }
    }
}

fn parameter(world: &mut World, snapshot: &Snapshot, path: &Path, call: &str, mark: &Mark) -> Option<String> {
    let Some(syscall) = tables::syscall(call) else {
        let found = names::definitions(world, snapshot, path, mark);
        let found = found.first()?;
        let statement = found.statement()?;
        return Some(format!("```kpol\n{}\n```\n", found.unit.words(statement.span)));
    };
    let name = marks::parameter(call, &mark.name)?;
    let archs = names::archs(&world.project(snapshot, path));
    let arch = archs.iter().copied().chain(Arch::all()).find(|&arch| syscall.nr(arch).is_some())?;
    let params = syscall.params(arch).unwrap_or_default();
    let Some(param) = params.iter().find(|param| param.name == name) else {
        let register = register::named(&name)?;
        let holds = register::param(syscall, arch, register.index);
        let holds = holds.map_or(String::new(), |param| format!("; it holds `{}`", declaration(param)));
        let old = if register.old { format!(", now called {}", register::name(register.index)) } else { String::new() };
        return Some(format!("**{name}**{old}, the register as the filter sees it: all 64 bits{holds}"));
    };
    let mut text = format!("```c\n{}\n```\n\nof `{call}`: {}\n", declaration(param), width(param));
    for cut in syscall.cuts(param.name, arch) {
        cut_text(&mut text, cut, param.bits.min(arch.bits()));
    }
    let index = params.iter().position(|other| other.name == param.name).unwrap_or_default();
    let _ = match register::param(syscall, arch, index as u8).is_some() {
        true => write!(text, "\nregister {index}"),
        false => write!(text, "\nin no register of its own on {arch}"),
    };
    let aliases: Vec<&str> =
        syscall.aliases().filter(|(_, kernel)| *kernel == param.name).map(|(alias, _)| alias).collect();
    if !aliases.is_empty() {
        let _ = write!(text, "; the manual calls it {}", aliases.join(", "));
    }
    let fitting: Vec<&str> = tables::constants_for(syscall, param.name).collect();
    if !fitting.is_empty() {
        let _ = write!(text, "\n\nfits: {}", some_of(&fitting, 8));
    }
    Some(text)
}

fn action(world: &mut World, snapshot: &Snapshot, unit: &Unit, mark: &Mark) -> Option<String> {
    let archs = names::archs(&world.project(snapshot, &unit.path));
    let written = names::statement_at(unit.file(), mark.span.start).and_then(|statement| match &statement.kind {
        StatementKind::Rule { action, .. } | StatementKind::Default { action, .. } => action.argument.as_ref(),
        _ => None,
    });
    let argument = written.map(|argument| unit.words(argument.span));
    let arch = archs.first().copied()?;
    let data = argument.and_then(|text| tables::errno(text, arch).or_else(|| text.parse().ok()));
    let action = Action::from_word(&mark.name, data)?;
    Some(format!("**{action}**, {} in JSON\n\n{}", action.oci_name(), action.effect()))
}

fn arch(name: &str) -> Option<String> {
    let arch = Arch::from_name(name)?;
    let order = if arch.is_big_endian() { "big" } else { "little" };
    let calls = Syscall::all_of(arch).len();
    let native = if arch.native() == arch { String::new() } else { format!("; served by {} kernels", arch.native()) };
    Some(format!(
        "**{arch}**, {} in JSON\n\n{} bits, {order} endian, {calls} calls{native}",
        arch.oci_name(),
        arch.bits()
    ))
}

/// What `refused` and `runs` say.
pub fn outcome(word: &str) -> Option<&'static str> {
    Some(match word {
        "refused" => "none of these calls runs; each gets `deny`, `kill`, `kill_thread` or `trap`",
        "runs" => "all of these calls run, or may; each gets `allow`, `log`, `trace` or `notify`",
        _ => return None,
    })
}

/// The proof of an `assert`, or why it fails.
fn assertion(world: &mut World, snapshot: &Snapshot, unit: &Unit, mark: &Mark) -> Option<String> {
    let statement = names::statement_at(unit.file(), mark.span.start)?.span;
    let roots = world.roots_of(snapshot, &unit.path);
    for root in &roots {
        world.check(snapshot, root);
    }
    let inside = |span: Span| statement.start <= span.start && span.end <= statement.end;
    let broken: Vec<String> = world
        .findings(&unit.path)
        .into_iter()
        .filter(|finding| finding.code == Code::E042 && inside(finding.span))
        .map(|finding| finding.message)
        .collect();
    if !broken.is_empty() {
        return Some(format!("**fails**\n\n{}", broken.join("\n\n")));
    }
    let profile = verdict::profile(world, snapshot, &unit.path)?;
    let (compiled, _) = world.compiled(snapshot, &profile)?;
    if let Some(waiver) = compiled.policy.waivers.iter().find(|waiver| waiver.title == mark.name) {
        return Some(format!("**waived**: {}", waiver.reason));
    }
    let archs: Vec<&str> = compiled.policy.archs.iter().map(|arch| arch.name()).collect();
    Some(format!("**holds**: proven for all arguments on {}", archs.join(", ")))
}

fn file(world: &mut World, snapshot: &Snapshot, unit: &Unit, mark: &Mark) -> Option<String> {
    let project = world.project(snapshot, &unit.path);
    let own = project.members.first()?;
    let (path, _) = own.includes.iter().find(|(_, span)| *span == mark.span)?;
    let member = project.member(path)?;
    let mut text = format!("**{}**", mark.name);
    if let Some(doc) = &member.unit.file().doc {
        let _ = write!(text, "\n\n{doc}");
    }
    Some(text)
}
