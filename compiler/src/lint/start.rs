//! W007: a profile under which no program can start.
//!
//! A runtime loads the filter before it starts the program, by `execve`: where that is denied, the container ends
//! with "exec …: Operation not permitted". The example on kiOS's own page is such a profile.

use super::{Context, may_run};
use crate::diagnostic::{Code, Diagnostic};
use crate::diagram::Node;
use crate::policy::Policy;
use crate::spec::Arch;

pub(super) fn lint(context: &mut Context<'_>, policy: &Policy) {
    let mut denied: Vec<Arch> = Vec::new();
    let mut place = None;
    // A program starts through its native ABI; the others may well be closed to it.
    for &arch in policy.archs.iter().filter(|arch| arch.native() == **arch) {
        let Some((nr, node)) = context.function(policy, "execve", arch) else { continue };
        if context.store.where_action(node, &may_run) == Node::FALSE {
            denied.push(arch);
            place.get_or_insert((context.place_of(arch, nr, Node::TRUE), node.as_action()));
        }
    }
    let Some((span, action)) = place else { return };
    let everywhere = denied.len() == policy.archs.iter().filter(|arch| arch.native() == **arch).count();
    let on = denied.iter().map(|arch| arch.name()).collect::<Vec<_>>().join(" and ");
    let message = if everywhere {
        "no program can start under this profile: `execve` is not allowed".to_owned()
    } else {
        format!("no program can start under this profile on {on}: `execve` is not allowed")
    };
    let label = action.map_or_else(String::new, |action| format!("`execve` gets `{action}` here"));
    context.push(
        Diagnostic::new(Code::W007, span, message)
            .label(label)
            .note("the runtime loads the filter first and then starts the program by `execve`")
            .help("allow `execve`; `@default` has it and what every program needs to start"),
    );
}
