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
