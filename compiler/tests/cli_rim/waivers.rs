//! What is given up of a guard is seen wherever somebody looks: summaries, `show`, `diff`; and a project can forbid it.

use super::*;

const GUARD: &str = "assert \"no chroot\" { refused { chroot } }\n";
const PLAIN: &str = "include \"guard.kpol\"\ndefault deny\nallow { @default, @basic-io }\n";
const WAIVES: &str = "include \"guard.kpol\"\ndefault deny\nallow { @default, @basic-io, chroot }\n\
                      waive \"no chroot\" because \"sshd needs a folder\"\n";
const LINE: &str = "web.kpol: waives \"no chroot\" of guard.kpol: sshd needs a folder";

#[test]
fn check_build_and_show_list_waivers() {
    let dir = folder(&[("web.kpol", WAIVES), ("guard.kpol", GUARD)]);
    for command in [&["check", "web.kpol"][..], &["build", "web.kpol", "-o", "web.json"]] {
        let answer = kpolc(dir.path(), command);
        assert_eq!(answer.status, 0, "{command:?}: {}", answer.err);
        assert!(answer.err.contains(LINE), "{command:?}: {}", answer.err);
    }
    let shown = kpolc(dir.path(), &["show", "web.kpol"]).out;
    assert!(shown.contains("  waives \"no chroot\" of guard.kpol: sshd needs a folder\n"), "{shown}");
    assert!(!shown.contains("proven: no chroot"), "{shown}");
    let json = kpolc(dir.path(), &["show", "--format", "json", "web.kpol"]).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let waiver = serde_json::json!({
        "title": "no chroot", "asserted_by": "guard.kpol", "reason": "sshd needs a folder",
    });
    assert_eq!(json["waives"], serde_json::json!([waiver]));
}

#[test]
fn without_the_waiver_the_error_names_it() {
    let without = WAIVES.lines().take(3).collect::<Vec<_>>().join("\n");
    let dir = folder(&[("web.kpol", &without), ("guard.kpol", GUARD)]);
    let answer = kpolc(dir.path(), &["build", "web.kpol", "-o", "web.json"]);
    assert_eq!(answer.status, 1);
    assert!(answer.err.contains("E042") && answer.err.contains("waive \"no chroot\" because"), "{}", answer.err);
    assert!(!dir.path().join("web.json").exists());
}

#[test]
fn a_project_forbids_waivers() {
    let dir = folder(&[("web.kpol", WAIVES), ("guard.kpol", GUARD)]);
    for command in ["check", "build"] {
        let answer = kpolc(dir.path(), &[command, "--deny-waivers", "web.kpol"]);
        assert_eq!(answer.status, 1, "{command}");
        assert!(answer.err.contains("E076") && answer.err.contains("`--deny-waivers` allows none"), "{}", answer.err);
    }
    let allowing = [("[waive]\nallowed = []\n", 1), ("[waive]\nallowed = [\"no chroot\"]\n", 0), ("[waive]\n", 0)];
    for (project, status) in allowing {
        fs::write(dir.path().join("kpol.toml"), project).unwrap();
        let answer = kpolc(dir.path(), &["check", "web.kpol"]);
        assert_eq!(answer.status, status, "{project}: {}", answer.err);
    }
    // The command line is never wider than the project file.
    let answer = kpolc(dir.path(), &["check", "--deny-waivers", "web.kpol"]);
    assert_eq!(answer.status, 1, "{}", answer.err);
}

#[test]
fn a_new_waiver_is_a_widening() {
    let waives_alone = WAIVES.replace(", chroot }", " }");
    let dir = folder(&[
        ("old/web.kpol", PLAIN),
        ("old/guard.kpol", GUARD),
        ("web.kpol", &waives_alone),
        ("guard.kpol", GUARD),
    ]);
    let widened = kpolc(dir.path(), &["diff", "--fail-on", "widen", "old/web.kpol", "web.kpol"]);
    assert_eq!(widened.status, 1, "{}", widened.err);
    assert!(widened.out.contains("more permissive: only web.kpol waives \"no chroot\""), "{}", widened.out);
    let back = kpolc(dir.path(), &["diff", "--fail-on", "widen", "web.kpol", "old/web.kpol"]);
    assert_eq!(back.status, 0, "{}", back.err);
    assert!(back.out.contains("stricter: only web.kpol waives"), "{}", back.out);
    // The product says nothing of waivers, so there is nothing to compare.
    assert_eq!(kpolc(dir.path(), &["build", "web.kpol", "-o", "web.json"]).status, 0);
    assert_eq!(kpolc(dir.path(), &["diff", "web.json", "web.kpol"]).status, 0);
}
