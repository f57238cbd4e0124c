//! What an engine hands to the runtime: which entries count on a host, and for which ABIs.
//!
//! ```text
//! includes: { caps: [CAP_SYS_ADMIN] }     CRI-O, Podman, Docker   counts where the capability is held
//!                                         containerd              counts always: it does not know the field
//! ```
//!
//! - containers/common `pkg/seccomp/seccomp_linux.go` (`setupSeccomp`), the same from 0.48 to 0.64;
//! - moby `profiles/seccomp/seccomp_linux.go`, which reads `minKernel` too;
//! - containerd `contrib/seccomp/seccomp.go` (`WithProfile`): the file is decoded as the structure of the OCI runtime
//!   specification, which has neither `includes`, `excludes` nor `archMap`, and Go passes over fields that it does not know.

use std::collections::BTreeSet;

use super::refusal::LoadError;
use crate::diagram::{Node, Store};
use crate::oci::profile::{Entry, Profile};
use crate::spec::Arch;
use crate::tables;

/// Who picks the entries that count on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// containers/common: CRI-O, Podman, Buildah.
    #[default]
    Containers,
    /// moby: Docker. Knows `minKernel`.
    Moby,
    /// As it is: containerd. Every entry counts, and `archMap` is not read.
    Verbatim,
}

/// The ABIs of the filter, in libseccomp's order: the host's own always (`seccomp_init`), then those that the profile
/// names.
pub fn architectures(profile: &Profile, host: Arch, dialect: Dialect) -> Result<Vec<Arch>, LoadError> {
    let rows = if dialect == Dialect::Verbatim { &[][..] } else { &profile.arch_map };
    if !profile.architectures.is_empty() && !rows.is_empty() {
        return Err(LoadError::BothArchLists);
    }
    let mut archs = vec![host];
    archs.extend(&profile.architectures);
    // Only the first row of the host's own counts.
    archs.extend(rows.iter().find(|row| row.arch == host).into_iter().flat_map(|row| &row.sub));
    let mut seen = BTreeSet::new();
    archs.retain(|&arch| seen.insert(arch));
    // `db_col_db_add`: -EDOM.
    match archs.iter().find(|arch| arch.is_big_endian() != host.is_big_endian()) {
        Some(&arch) => Err(LoadError::OtherByteOrder(arch)),
        None => Ok(archs),
    }
}

/// Names under which a host is known in `arches`: `GOARCH` for moby, libseccomp-golang's `ScmpArch.String` for
/// containers/common. They differ on little-endian MIPS.
pub fn host_names(host: Arch) -> &'static [&'static str] {
    match host {
        Arch::X86_64 => &["amd64"],
        Arch::Aarch64 => &["arm64"],
        Arch::Riscv64 => &["riscv64"],
        Arch::S390x => &["s390x"],
        Arch::Ppc64le => &["ppc64le"],
        Arch::Ppc64 => &["ppc64"],
        Arch::Loongarch64 => &["loong64"],
        Arch::Mips64 => &["mips64"],
        Arch::Mipsel64 => &["mips64le", "mipsel64"],
        Arch::Parisc64 => &["parisc64"],
        Arch::M68k => &["m68k"],
        Arch::Sh => &["sheb"],
        _ => &[],
    }
}

/// The surroundings in which an entry counts. A capability without a number is held by nobody.
pub fn when(store: &mut Store, entry: &Entry, host: Arch, dialect: Dialect) -> Node {
    if dialect == Dialect::Verbatim {
        return Node::TRUE;
    }
    let names = host_names(host);
    let listed = |arches: &[String]| arches.iter().any(|arch| names.contains(&arch.as_str()));
    if listed(&entry.excludes.arches) || !entry.includes.arches.is_empty() && !listed(&entry.includes.arches) {
        return Node::FALSE;
    }
    let mut node = Node::TRUE;
    for name in &entry.includes.caps {
        let held = tables::capability(name).map_or(Node::FALSE, |number| store.capability(number));
        node = store.and(node, held);
    }
    for name in &entry.excludes.caps {
        if let Some(number) = tables::capability(name) {
            let held = store.capability(number);
            node = store.minus(node, held);
        }
    }
    if dialect == Dialect::Moby {
        if let Some(version) = entry.includes.min_kernel {
            let recent = store.kernel_at_least(version);
            node = store.and(node, recent);
        }
        if let Some(version) = entry.excludes.min_kernel {
            let recent = store.kernel_at_least(version);
            node = store.minus(node, recent);
        }
    }
    node
}
