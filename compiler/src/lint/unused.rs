//! W014: groups and constants of a profile that nothing uses. Of a library they are there for others.

use super::Context;
use crate::diagnostic::{Code, Diagnostic};

pub(super) fn lint(context: &mut Context<'_>) {
    for (name, span) in &context.resolved.unused {
        context.sink.push(
            Diagnostic::new(Code::W014, *span, format!("nothing uses `{name}`"))
                .help("remove it, or name it in a rule"),
        );
    }
}
