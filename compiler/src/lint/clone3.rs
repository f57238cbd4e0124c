//! W008: `clone3` hides what `clone` is filtered for.
//!
//! `clone3` takes its flags behind a pointer, where no filter can see them. Whoever filters the flags of `clone` must
//! answer `clone3` with ENOSYS: C libraries then fall back to `clone`, and on any other errno they give up.

use super::{Context, may_run};
use crate::diagnostic::{Code, Diagnostic, Edit, Fix, Safety, Span};
use crate::diagram::Node;
use crate::policy::Policy;
use crate::spec::Action;
use crate::tables;
use kpol_grammar::ast;

pub(super) fn lint(context: &mut Context<'_>, policy: &Policy) {
    for &arch in &policy.archs {
        let Some((_, clone)) = context.function(policy, "clone", arch) else { continue };
        let Some((nr, clone3)) = context.function(policy, "clone3", arch) else { continue };
        let nosys = tables::errno("ENOSYS", arch).unwrap_or(38);
        let store = &mut *context.store;
        let runs = store.where_action(clone, &may_run);
        let stays = store.not(runs);
        let (sometimes, not_always) = (store.for_some_arguments(runs), store.for_some_arguments(stays));
        let filtered = store.and(sometimes, not_always);
        let wrong = store.where_action(clone3, &|action| action != Action::Errno(nosys));
        let wrong = store.and(wrong, filtered);
        if wrong == Node::FALSE {
            continue;
        }
        let open = store.where_action(clone3, &may_run);
        let what = if store.and(open, filtered) == Node::FALSE {
            "`clone3` is not answered with ENOSYS, so that C libraries do not fall back to the filtered `clone`"
        } else {
            "`clone3` can do what `clone` is filtered for: its flags are behind a pointer"
        };
        let place = context.place_of(arch, nr, wrong);
        let mut diagnostic = Diagnostic::new(Code::W008, place, what).help("write `deny(ENOSYS) { clone3 }`");
        let root = context.root();
        let by_default = context.resolved.defaults.iter().any(|default| default.span == place);
        if by_default && let Some(end) = last_statement(context, root) {
            diagnostic.fix = Some(Fix {
                title: "add `deny(ENOSYS) { clone3 }`".to_owned(),
                edits: vec![Edit { span: end, text: "\ndeny(ENOSYS) { clone3 }".to_owned() }],
                safety: Safety::Unsafe,
            });
        }
        context.push(diagnostic);
        return;
    }
}

/// The empty place behind the last statement of a file.
fn last_statement(context: &Context<'_>, file: crate::diagnostic::FileId) -> Option<Span> {
    let end = context.graph.get(file)?.tree.statements.last()?.span.end;
    Some(Span { file, bytes: ast::Span { start: end, end } })
}
