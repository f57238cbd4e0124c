//! `cargo xtask harvest`: gathers the facts that lie in kernel headers and manual pages into `xtask/facts`.
//!
//!     linux-libc-dev (Debian, all architectures in one package) ─→ constants.tsv
//!     manpages-dev (Debian)                                     ─→ manual.tsv
//!
//! This needs a C compiler and those packages, unpacked (`dpkg -x`), so it is a step of its own: what it finds is
//! committed, and `cargo xtask tables` works from that alone, anywhere.

mod constants;
mod targets;

use std::path::PathBuf;

use crate::{Failure, Outcome};

/// Runs the command with its arguments.
pub fn command(args: &[String]) -> Outcome {
    let mut headers = None;
    let mut clang = "clang".to_owned();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let mut value = || rest.next().ok_or_else(|| Failure::Usage(format!("{arg} needs a value"))).cloned();
        match arg.as_str() {
            "--headers" => headers = Some(PathBuf::from(value()?)),
            "--clang" => clang = value()?,
            other => return Err(Failure::Usage(format!("harvest: no option `{other}`"))),
        }
    }
    let Some(headers) = headers else {
        return Err(Failure::Usage("harvest: nothing to do; name --headers DIR".to_owned()));
    };
    constants::harvest(&headers, &clang)
}
