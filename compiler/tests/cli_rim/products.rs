//! What a project makes: `check` looks at all of it, and what complains lies beside what refuses.

use super::*;

const OPEN: &str = "default deny\nallow { execve }\nwhen kernel >= 5.11 { allow { epoll_pwait2 } }\n";
const BY_CAP: &str = "default deny\nallow { execve }\nwhen cap CAP_SYS_ADMIN { allow { mount } }\n";

#[test]
fn what_check_passes_builds_for_the_products_that_the_project_makes() {
    let policies = [("open.kpol", OPEN), ("cap.kpol", BY_CAP), ("plain.kpol", "default deny\nallow { execve }\n")];
    let projects = [
        "",
        "[build]\nemit = \"bpf\"\n",
        "[build]\nemit = [\"json\", \"bpf\"]\n",
        "[target]\nkernel = \"6.1\"\ncapabilities = []\n[build]\nemit = [\"bpf\", \"json\", \"c\"]\n",
    ];
    let mut passed = 0;
    for project in projects {
        let dir = folder(&policies);
        fs::write(dir.path().join("kpol.toml"), project).unwrap();
        for (name, _) in policies {
            for more in [&[][..], &["--kernel", "6.1"], &["--cap", "none"], &["--emit", "bpf", "--cap", "none"]] {
                let check = kpolc(dir.path(), &[&["check", name], more].concat());
                let build = kpolc(dir.path(), &[&["build", name], more].concat());
                let said = format!("{project}{name} {more:?}\n{}\n{}", check.err, build.err);
                assert_eq!(check.status, build.status, "{said}");
                assert_eq!(check.err.contains("E052"), build.err.contains("E052"), "{said}");
                passed += usize::from(check.status == 0);
            }
        }
    }
    assert!(passed > 20, "{passed}");
}

#[test]
fn check_says_what_it_did_not_look_at() {
    let dir = folder(&[("cap.kpol", BY_CAP), ("plain.kpol", "default deny\nallow { execve }\n")]);
    let said = |arguments: &[&str]| kpolc(dir.path(), &[&["check"], arguments].concat());
    let unseen = "raw BPF was not looked at (`--emit bpf`): it cannot ask for capabilities or the kernel";
    let silent = said(&["cap.kpol"]);
    assert_eq!((silent.status, silent.err.contains(unseen)), (0, true), "{}", silent.err);
    assert!(said(&["."]).err.contains(&format!("{unseen}, as 1 of these do")));
    assert!(!said(&["plain.kpol"]).err.contains("BPF"));
    assert!(!said(&["cap.kpol", "--emit", "json"]).err.contains("BPF"));
    fs::write(dir.path().join("kpol.toml"), "[build]\nemit = \"json\"\n").unwrap();
    assert!(!said(&["cap.kpol"]).err.contains("BPF"));
}

#[test]
fn a_project_says_once_what_is_made() {
    let dir =
        folder(&[("p/web.kpol", "default deny\nallow { execve }\n"), ("p/kpol.toml", "[build]\nemit = \"bpf\"\n")]);
    assert_eq!(kpolc(dir.path(), &["build", "p/web.kpol"]).status, 0);
    assert_eq!(names(&dir.path().join("p")), ["kpol.toml", "web.bpf", "web.kpol"]);
    // The command line comes first.
    assert_eq!(kpolc(dir.path(), &["build", "p/web.kpol", "--emit", "json"]).status, 0);
    assert!(dir.path().join("p/web.json").exists());
    assert_eq!(kpolc(dir.path(), &["build", "--check", "p/web.kpol"]).status, 0);
    fs::write(dir.path().join("p/kpol.toml"), "[build]\nemit = \"jsn\"\n").unwrap();
    let wrong = kpolc(dir.path(), &["build", "p/web.kpol"]);
    assert_eq!(wrong.status, 2);
    assert!(wrong.err.contains("no product `jsn`") && wrong.err.contains("replace by `json`"), "{}", wrong.err);
}

const GUARDED: &str = "default deny(EPERM)\ninclude <base/runtime>\ninclude <guard/default>\n\
    allow { write }\ndeny(ENOSYS) { clone3 }\nkill { ptrace }\nassert \"no network\" { refused { socket } }\n";

#[test]
fn what_complains_never_takes_the_place_of_what_refuses() {
    let dir = folder(&[("web.kpol", GUARDED), ("seccomp/keep", "")]);
    let path = |name: &str| dir.path().join("seccomp").join(name);
    let install = |more: &[&str]| kpolc(dir.path(), &[&["build", "web.kpol", "--install=seccomp"], more].concat());
    assert_eq!(install(&[]).status, 0);
    let refuses = fs::read_to_string(path("web.json")).unwrap();
    let complain = install(&["--complain"]);
    assert_eq!(complain.status, 0, "{}", complain.err);
    assert!(complain.err.contains("web-complain.json: proven equal to web.kpol, with what it refuses logged,"));
    assert!(complain.err.contains("for trying out, not for production"), "{}", complain.err);
    assert_eq!(fs::read_to_string(path("web.json")).unwrap(), refuses);
    let logs = fs::read_to_string(path("web-complain.json")).unwrap();
    assert!(logs.contains(r#""defaultAction": "SCMP_ACT_LOG""#), "{logs}");
    assert!(!logs.contains("KILL") && logs.matches("SCMP_ACT_ERRNO").count() == 1, "{logs}");
    let why = |call: &str| kpolc(dir.path(), &["why", "seccomp/web-complain.json", call, "--arch", "x86_64"]).out;
    assert!(why("clone3").contains("deny(ENOSYS)"), "{}", why("clone3"));
    for call in ["ptrace", "socket", "mount"] {
        assert!(why(call).contains(&format!("{call} on x86_64: log")), "{}", why(call));
    }
    // One `--check` looks at both.
    let check = |more: &[&str]| install(&[&["--check"], more].concat());
    assert!(check(&[]).err.contains("2 files up to date"), "{}", check(&[]).err);
    assert_eq!(check(&["--complain"]).status, 0);
    fs::write(path("web-complain.json"), "{}\n").unwrap();
    let stale = check(&[]);
    assert_eq!(stale.status, 1);
    assert!(stale.err.contains("web-complain.json` is not what `web.kpol` builds"), "{}", stale.err);
    assert!(stale.err.contains("with `--complain` in place of `--check` writes it"), "{}", stale.err);
    // A default of ENOSYS stays as well, and hides what no rule names: that is said.
    fs::write(dir.path().join("nosys.kpol"), "default deny(ENOSYS)\nallow { execve }\nkill { ptrace }\n").unwrap();
    let nosys = kpolc(dir.path(), &["build", "nosys.kpol", "--complain"]);
    assert!(nosys.err.contains("1 log; all other calls deny(ENOSYS), and not logged\n"), "{}", nosys.err);
    let none = kpolc(dir.path(), &["build", "web.kpol", "--complain", "--emit", "asm", "-o", "-"]);
    assert_eq!(none.status, 2);
    assert!(none.err.contains("`--complain` makes json and bpf, not asm"), "{}", none.err);
}

/// Guardrails are proven of the policy that the log is for; in a policy of `default log` they fail.
#[test]
fn a_policy_with_guardrails_is_tried_out_with_them() {
    let broken = GUARDED.replace("kill { ptrace }", "allow { socket }");
    let logged = GUARDED.replace("default deny(EPERM)", "default log");
    let dir = folder(&[("web.kpol", GUARDED), ("broken.kpol", &broken), ("logged.kpol", &logged)]);
    let build = |name: &str| kpolc(dir.path(), &["build", name, "--complain", "--emit", "json,bpf"]);
    assert_eq!(build("web.kpol").status, 0, "{}", build("web.kpol").err);
    assert!(dir.path().join("web-complain.bpf").exists());
    for name in ["broken.kpol", "logged.kpol"] {
        let failed = build(name);
        assert_eq!(failed.status, 1);
        assert!(failed.err.contains("E042"), "{}", failed.err);
        assert!(!dir.path().join(name.replace(".kpol", "-complain.json")).exists());
    }
}

#[test]
fn who_named_no_runtime_learns_which_one_starts_no_container() {
    let dir = folder(&[("web.kpol", "default deny\nflags { log }\nallow { execve }\n")]);
    let words = "runc 1.1.5 (Debian 12) starts no container under this: it does not take any `flags`, runc 1.2.0 does";
    for command in ["check", "build"] {
        let answer = kpolc(dir.path(), &[command, "web.kpol"]);
        assert_eq!((answer.status, answer.err.contains(words)), (0, true), "{command}: {}", answer.err);
        // Who named one hears of that one.
        let named = kpolc(dir.path(), &[command, "web.kpol", "--runtime", "crun 1.8"]);
        assert!(!named.err.contains("runc"), "{}", named.err);
    }
    let listener = "default deny\nlistener \"/run/a.sock\"\nallow { execve }\nnotify { mount }\n";
    fs::write(dir.path().join("web.kpol"), listener).unwrap();
    let old = kpolc(dir.path(), &["check", "web.kpol", "--runtime", "crun 0.18", "--format", "concise"]);
    assert!(old.out.contains("does not read `listenerPath`: calls of `notify` get ENOSYS"), "{}", old.out);
}
