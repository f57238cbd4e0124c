//! A name that is nothing's: the names that may have been meant, each with what it is. The finding names one; this is what to
//! choose by.
//!
//! ```text
//! allow { lisen }     - `listen(int fd, int backlog)` in @network-io, @system-service
//!         ^^^^^
//! ```

use std::collections::{BTreeMap, BTreeSet};

use kpol_compiler::answer::about::call::prototype;
use kpol_compiler::answer::about::constant::by_value;
use kpol_compiler::resolve::bare_name;
use kpol_compiler::spec::Arch;
use kpol_compiler::tables::{self, Syscall};
use kpol_grammar::nearest;

use super::groups;
use super::names::{self, some_of};
use crate::marks::{Kind, Mark};
use crate::world::Project;

/// Names that are shown.
const MOST: usize = 5;

/// The list, as Markdown; `None` if nothing is like the name.
pub fn of(project: &Project, mark: &Mark, archs: &[Arch]) -> Option<String> {
    let own = defined(project, &mark.kind);
    let names = own.keys().map(String::as_str);
    let lines: Vec<String> = match &mark.kind {
        Kind::Syscall => {
            let bare = bare_name(&mark.name).unwrap_or(&mark.name);
            let exact = tables::syscall(bare).map(Syscall::name);
            let like = nearest(bare, Syscall::all().map(|call| -> &str { call.name() }).chain(names));
            let mut calls: Vec<&str> = once_each(exact.into_iter().chain(like)).collect();
            calls.sort_by_key(|name| tables::syscall(name).is_some_and(|call| !has(call, archs)));
            let group = groups::all().get(&format!("@{bare}")).map(|found| line(&found.name, &found.doc));
            group.into_iter().chain(calls.into_iter().map(|name| call(name, archs, &own))).take(MOST).collect()
        }
        Kind::Group => {
            // Without the `@`, which all have.
            let bare = |name: &str| name.trim_start_matches('@').to_owned();
            let all: Vec<String> = names.map(bare).chain(groups::all().keys().map(|name| bare(name))).collect();
            let like = nearest(&bare(&mark.name), all.iter().map(String::as_str));
            let doc =
                |name: &String| own.get(name).or_else(|| groups::all().get(name).map(|found| &found.doc)).cloned();
            let found = once_each(like.into_iter()).map(|name| format!("@{name}"));
            found.map(|name| line(&name, &doc(&name).unwrap_or_default())).take(MOST).collect()
        }
        Kind::Constant { of } => {
            // What fits the parameter stands before what is merely spelt so.
            let call = of.as_ref().and_then(|(call, param)| Some((tables::syscall(call)?, param)));
            let fitting = call.into_iter().flat_map(|(call, param)| tables::constants_for(call, param));
            let mut like = nearest(&mark.name, fitting);
            like.extend(nearest(&mark.name, names.chain(tables::constant_names().map(|name| -> &str { name }))));
            let value = |name: &str| by_value(archs.iter().map(|&arch| (arch, tables::constant(name, arch))));
            let said = |name: &str| own.get(name).cloned().unwrap_or_else(|| value(name));
            once_each(like.into_iter()).map(|name| line(name, &said(name))).take(MOST).collect()
        }
        _ => return None,
    };
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Names of that kind that the files define, with what their authors say of each.
fn defined(project: &Project, kind: &Kind) -> BTreeMap<String, String> {
    let all = project.members.iter().flat_map(|member| names::defined(&member.unit, kind, |_| true));
    all.map(|(name, doc)| (name.to_owned(), doc.unwrap_or("of this policy").to_owned())).collect()
}

fn once_each<'a>(names: impl Iterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    let mut seen = BTreeSet::new();
    names.filter(move |&name| seen.insert(name))
}

fn has(call: Syscall, archs: &[Arch]) -> bool {
    archs.iter().any(|&arch| call.nr(arch).is_some())
}

fn call(name: &str, archs: &[Arch], own: &BTreeMap<String, String>) -> String {
    let Some(call) = tables::syscall(name) else {
        return line(name, own.get(name).map_or("", String::as_str));
    };
    let arch = archs.iter().copied().chain(Arch::all()).find(|&arch| call.nr(arch).is_some());
    let params = arch.and_then(|arch| call.params(arch));
    // All are in `@known`.
    let groups: Vec<&str> = groups::of_call(name).into_iter().filter(|&group| group != "@known").collect();
    let mut said = Vec::new();
    if !groups.is_empty() {
        said.push(format!("in {}", some_of(&groups, 3)));
    }
    if !has(call, archs) {
        said.push("on none of this policy's ABIs".to_owned());
    }
    line(&prototype(name, params), &said.join("; "))
}

/// One line, of what may be a paragraph.
fn line(name: &str, said: &str) -> String {
    let said = said.lines().next().unwrap_or_default();
    format!("- `{name}`{}{said}", if said.is_empty() { "" } else { " " })
}
