//! W009: a name that the runtime's libseccomp does not know. crun and runc skip such a name without a word, and its
//! calls get the default. Where the rule is stricter than that, it is an error instead (E057).

use std::collections::{BTreeMap, BTreeSet};

use super::Context;
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::policy::Policy;
use crate::spec::Action;
use crate::tables;

pub(super) fn lint(context: &mut Context<'_>, policy: &Policy) {
    let target = context.options.oldest_libseccomp();
    let release = target.unwrap_or_else(tables::latest_libseccomp);
    // By the pattern that brings it in: names, and whether a group stands between.
    let mut found: BTreeMap<Span, (bool, BTreeSet<&'static str>)> = BTreeMap::new();
    for (&arch, calls) in &context.resolved.claims {
        for (&nr, claims) in calls {
            let Some(call) = tables::syscall_at(arch, nr) else { continue };
            if call.libseccomp_release().is_some_and(|known| known <= release) {
                continue;
            }
            // What is stricter than the default is an error of the JSON (E057).
            let dropped =
                |action: Action| action != policy.default && action.precedence() >= policy.default.precedence();
            for claim in claims.iter().filter(|claim| dropped(claim.action)) {
                let via = claim.member.via;
                let grouped = via.group.is_some();
                // What groups bring is worth a word only to somebody who named the target.
                if context.is_builtin(via.file()) || grouped && target.is_none() {
                    continue;
                }
                found.entry(via.pattern).or_insert_with(|| (grouped, BTreeSet::new())).1.insert(call.name());
            }
        }
    }
    let (major, minor, patch) = release;
    for (span, (grouped, names)) in found {
        let list = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let verb = if names.len() == 1 { "is" } else { "are" };
        let message = match (grouped, target) {
            (true, _) => format!("of this group, {list} {verb} newer than libseccomp {major}.{minor}.{patch}"),
            (false, Some(_)) => format!("{list} {verb} newer than libseccomp {major}.{minor}.{patch}"),
            (false, None) => format!("no release of libseccomp knows {list} yet"),
        };
        context.push(
            Diagnostic::new(Code::W009, span, message)
                .note(format!("the runtime skips the name: such calls get the default, `{}`", policy.default))
                .help("raw BPF has no such limit; for JSON, wait for the runtime or accept the default"),
        );
    }
}
