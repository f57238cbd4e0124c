//! From a profile, as in `/etc/seccomp`, to what a runtime is given (`linux.seccomp` of the OCI specification).
//!
//! ```text
//! archMap [X86_64 → X86, X32]         architectures [X86_64, X86, X32]      on x86_64
//! includes.caps [CAP_SYS_ADMIN]   →   the entry, or nothing                 by the container's capabilities
//! ```
//!
//! The engines do this: Docker in `profiles/seccomp/seccomp_linux.go` of moby, CRI-O and podman in
//! `pkg/seccomp/seccomp_linux.go` of containers/common. They agree but for `minKernel`, which only Docker knows,
//! and for `errno` by name, which only containers/common does.

use std::collections::BTreeSet;

use kpol_compiler::spec::{Arch, KernelVersion};
use serde_json::{Map, Value, json};

/// Where a profile is put to use.
#[derive(Debug, Clone)]
pub struct Node {
    /// The kernel's own ABI.
    pub native: Arch,
    /// Capabilities of the container, by name.
    pub caps: BTreeSet<String>,
    /// The running kernel, for `minKernel`.
    pub kernel: KernelVersion,
}

impl Node {
    /// A node with a recent kernel and a container without capabilities.
    pub fn new(native: Arch) -> Self {
        Self { native, caps: BTreeSet::new(), kernel: KernelVersion { major: 6, minor: 1 } }
    }
}

/// The profile's `linux.seccomp` on that node.
pub fn to_oci(profile: &str, node: &Node) -> Result<Value, String> {
    let profile: Value = serde_json::from_str(profile).map_err(|error| error.to_string())?;
    let mut oci = Map::new();
    for key in ["defaultAction", "defaultErrnoRet", "flags", "listenerPath", "listenerMetadata"] {
        if let Some(value) = profile.get(key) {
            oci.insert(key.into(), value.clone());
        }
    }
    if let Some(architectures) = architectures(&profile, node.native)? {
        oci.insert("architectures".into(), architectures);
    }
    let mut syscalls = Vec::new();
    for entry in list(&profile, "syscalls") {
        if !is_meant(entry, node)? {
            continue;
        }
        let names = match (entry.get("name"), entry.get("names")) {
            (Some(_), Some(_)) => return Err("an entry has both `name` and `names`".into()),
            (Some(name), None) => json!([name]),
            (None, names) => names.cloned().unwrap_or_else(|| json!([])),
        };
        let mut rule = Map::from_iter([("names".to_owned(), names)]);
        for key in ["action", "errnoRet"] {
            if let Some(value) = entry.get(key).filter(|value| !value.is_null()) {
                rule.insert(key.into(), value.clone());
            }
        }
        if !list(entry, "args").is_empty() {
            rule.insert("args".into(), entry["args"].clone());
        }
        syscalls.push(Value::Object(rule));
    }
    oci.insert("syscalls".into(), Value::Array(syscalls));
    Ok(Value::Object(oci))
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn architectures(profile: &Value, native: Arch) -> Result<Option<Value>, String> {
    let (plain, map) = (list(profile, "architectures"), list(profile, "archMap"));
    if !plain.is_empty() && !map.is_empty() {
        return Err("both `architectures` and `archMap`".into());
    }
    if map.is_empty() {
        return Ok((!plain.is_empty()).then(|| plain.into()));
    }
    let own = map.iter().filter(|entry| entry["architecture"] == native.oci_name());
    let all: Vec<Value> = own
        .flat_map(|entry| [&entry["architecture"]].into_iter().chain(list(entry, "subArchitectures")).cloned())
        .collect();
    Ok((!all.is_empty()).then(|| all.into()))
}

fn is_meant(entry: &Value, node: &Node) -> Result<bool, String> {
    let held = |cap: &Value| cap.as_str().is_some_and(|cap| node.caps.contains(cap));
    let new_enough = |conditions: &Value| match conditions.get("minKernel").and_then(Value::as_str) {
        None => Ok(None),
        Some(text) => {
            let wanted: KernelVersion = text.parse().map_err(|()| format!("minKernel {text}"))?;
            Ok::<_, String>(Some((node.kernel.major, node.kernel.minor) >= (wanted.major, wanted.minor)))
        }
    };
    let go_name = json!(node.native.go_name());
    if let Some(excludes) = entry.get("excludes")
        && (list(excludes, "arches").contains(&go_name)
            || list(excludes, "caps").iter().any(held)
            || new_enough(excludes)? == Some(true))
    {
        return Ok(false);
    }
    if let Some(includes) = entry.get("includes") {
        let arches = list(includes, "arches");
        if (!arches.is_empty() && !arches.contains(&go_name))
            || !list(includes, "caps").iter().all(held)
            || new_enough(includes)? == Some(false)
        {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: &str = r#"{
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
        "archMap": [{ "architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"] },
                    { "architecture": "SCMP_ARCH_AARCH64", "subArchitectures": [] }],
        "syscalls": [
            { "names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [], "comment": "", "includes": {} },
            { "names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": { "caps": ["CAP_SYS_ADMIN"] } },
            { "name": "clone", "action": "SCMP_ACT_ALLOW", "excludes": { "caps": ["CAP_SYS_ADMIN"] } },
            { "names": ["modify_ldt"], "action": "SCMP_ACT_ALLOW", "includes": { "arches": ["amd64"] } },
            { "names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": { "minKernel": "6.9" } } ] }"#;

    fn names(node: &Node) -> Vec<Value> {
        list(&to_oci(PROFILE, node).unwrap(), "syscalls").iter().map(|rule| rule["names"][0].clone()).collect()
    }

    #[test]
    fn conditions_are_settled_by_the_node() {
        let mut node = Node::new(Arch::X86_64);
        assert_eq!(names(&node), ["read", "clone", "modify_ldt"]);
        node.caps.insert("CAP_SYS_ADMIN".into());
        node.kernel = KernelVersion { major: 6, minor: 18 };
        assert_eq!(names(&node), ["read", "mount", "modify_ldt", "ptrace"]);
        assert_eq!(names(&Node::new(Arch::Aarch64)), ["read", "clone"]);
    }

    #[test]
    fn the_map_of_architectures_becomes_a_list() {
        let oci = to_oci(PROFILE, &Node::new(Arch::X86_64)).unwrap();
        assert_eq!(oci["architectures"], json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]));
        assert_eq!(oci["defaultErrnoRet"], 38);
        assert_eq!(oci["syscalls"][0], json!({ "names": ["read"], "action": "SCMP_ACT_ALLOW" }));
        assert_eq!(to_oci(PROFILE, &Node::new(Arch::Riscv64)).unwrap().get("architectures"), None);
    }

    #[test]
    fn comments_are_no_json() {
        assert!(to_oci("{ /* no */ }", &Node::new(Arch::X86_64)).is_err());
    }
}
