//! `cargo xtask harvest`: gathers the facts that lie in kernel headers and manual pages into `xtask/facts`.
//!
//! ```text
//! linux-libc-dev (Debian, all architectures in one package) ─→ constants.tsv
//! manpages-dev (Debian)                                     ─→ manual.tsv
//! linux-source-… (Debian)                                   ─→ kernel-sources.tsv
//! ```
//!
//! This needs a C compiler and those packages, unpacked (`dpkg -x`), so it is a step of its own: what it finds is
//! committed, and `cargo xtask tables` works from that alone, anywhere.

mod constants;
mod linux;
mod manual;
mod targets;

use std::path::PathBuf;

use crate::{Failure, Outcome};

/// Runs the command with its arguments.
pub fn command(args: &[String]) -> Outcome {
    let mut headers = Vec::new();
    let mut pages = Vec::new();
    let mut sources = Vec::new();
    let mut clang = "clang".to_owned();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let mut value = || rest.next().ok_or_else(|| Failure::Usage(format!("{arg} needs a value"))).cloned();
        match arg.as_str() {
            "--headers" => headers.push(PathBuf::from(value()?)),
            "--linux" => sources.push(PathBuf::from(value()?)),
            "--manual" => pages.push(PathBuf::from(value()?)),
            "--clang" => clang = value()?,
            other => return Err(Failure::Usage(format!("harvest: no option `{other}`"))),
        }
    }
    if headers.is_empty() && pages.is_empty() && sources.is_empty() {
        let options = "--headers DIR, --manual DIR or --linux DIR";
        return Err(Failure::Usage(format!("harvest: nothing to do; name {options}")));
    }
    if !headers.is_empty() {
        constants::harvest(&headers, &clang)?;
    }
    if !pages.is_empty() {
        manual::harvest(&pages)?;
    }
    if !sources.is_empty() {
        linux::harvest(&sources)?;
    }
    Ok(())
}
