//! `kpolc new`: what a policy begins with.

use std::fs;

use kpol_compiler::library::starters;

use super::{folder, kpolc, names};

#[test]
fn new_writes_a_start_once() {
    let dir = folder(&[]);
    assert_eq!(kpolc(dir.path(), &["new", "web"]).status, 0);
    let text = fs::read_to_string(dir.path().join("web.kpol")).unwrap();
    assert!(text.starts_with("//! web:") && text.contains("default deny(EPERM)"));
    assert_eq!(kpolc(dir.path(), &["fmt", "--check", "web.kpol"]).status, 0);
    assert_eq!(kpolc(dir.path(), &["check", "--deny", "all", "web.kpol"]).status, 0, "it begins without findings");
    assert_eq!(kpolc(dir.path(), &["new", "web.kpol"]).status, 2);
    let shown = kpolc(dir.path(), &["new", "-"]);
    assert_eq!((shown.status, shown.out), (0, text.replacen("web:", "policy:", 1)));
    assert_eq!(names(dir.path()), ["web.kpol"]);
}

#[test]
fn every_starter_is_written_without_findings_and_builds() {
    let dir = folder(&[]);
    let list = kpolc(dir.path(), &["new", "--list"]).out;
    assert_eq!(list.lines().count(), starters::all().len(), "{list}");
    for starter in starters::all() {
        assert!(list.contains(starter.about()), "{list}");
        let file = format!("my-{}.kpol", starter.name);
        assert_eq!(kpolc(dir.path(), &["new", &file, "--from", starter.name]).status, 0);
        assert_eq!(fs::read_to_string(dir.path().join(&file)).unwrap(), starter.text);
        assert_eq!(kpolc(dir.path(), &["new", "-", "--from", starter.name]).out, starter.text);
        let checked = kpolc(dir.path(), &["check", "--deny", "all", &file]);
        assert_eq!(checked.status, 0, "{}", checked.err);
        let built = kpolc(dir.path(), &["build", &file, "--emit", "json,bpf", "-o", "out/"]);
        assert_eq!(built.status, 0, "{}", built.err);
        assert!(built.err.contains("for 2 ABIs (x86_64 and aarch64)"), "{}", built.err);
        // Every runtime that is known loads it as it is meant.
        for runtime in
            ["crun 1.8", "runc 1.1.5", "cri-o/crun", "containerd/runc 1.1.5", "podman/crun", "docker/runc 1.1.5"]
        {
            let built = kpolc(dir.path(), &["build", &file, "--runtime", runtime, "-o", "-"]);
            assert_eq!(built.status, 0, "{runtime}: {}", built.err);
        }
    }
}
