//! `kpolc run` where the filter ends the command, and of filters that others made.

use super::*;

const SIGSYS: i32 = 31;
const SIGTERM: i32 = 15;

const KILLS: &str = "arch x86_64\ndefault allow\nkill { mkdir, mkdirat }\n";

/// Whether this is a machine on which commands run under filters, and their end can be watched.
fn is_here(dir: &Path) -> bool {
    let here = cfg!(target_arch = "x86_64")
        && kpolc(dir, &["-q", "run", "kills.kpol", "--", "true"]).status == 0
        && !fs::read_to_string("/proc/self/status").unwrap().contains("NoNewPrivs:\t1");
    if !here {
        eprintln!("SKIPPED: no filters, or not x86_64");
    }
    here
}

#[test]
fn a_command_that_the_filter_ended_is_reported_with_the_call() {
    let dir = folder(&[("kills.kpol", KILLS)]);
    if !is_here(dir.path()) {
        return;
    }
    let run = |command: &[&str]| kpolc(dir.path(), &[&["run", "kills.kpol", "--"], command].concat());
    let killed = run(&["mkdir", "new"]);
    assert!(killed.err.contains("`kills.kpol` ended the command: mkdir(pathname = 0x"), "{}", killed.err);
    assert!(killed.err.contains("mode = S_IRWXUGO (511)) on x86_64 gets `kill`"), "{}", killed.err);
    assert_eq!(killed.status, -SIGSYS, "{}", killed.err);
    assert_eq!(killed.err.matches("ended the command").count(), 1, "{}", killed.err);
    assert!(!dir.path().join("new").exists());
    let quiet = kpolc(dir.path(), &["-q", "run", "kills.kpol", "--", "mkdir", "new"]);
    assert!(!quiet.err.contains("ended the command"), "{}", quiet.err);
    // Who ends otherwise, by SIGSYS too, was not ended by the filter, and what it starts has its own end.
    for command in
        [&["true"][..], &["sh", "-c", "exit 3"], &["sh", "-c", "kill -SYS $$"], &["sh", "-c", "mkdir new; true"]]
    {
        let other = run(command);
        assert!(!other.err.contains("ended the command"), "{command:?}: {}", other.err);
    }
    assert_eq!(run(&["sh", "-c", "exit 3"]).status, 3);
    // It is stopped and goes on as without a watcher, and gets its signals.
    let stops = "trap 'echo heard' USR1; kill -USR1 $$; (while kill -CONT $$; do :; done) >/dev/null 2>&1 & \
                 kill -STOP $$; echo went on";
    let stopped = run(&["sh", "-c", stops]);
    assert_eq!(stopped.out, "heard\nwent on\n", "{}", stopped.err);
    // A signal for both of them, as pkill(1) sends it, reaches the command.
    let both = "kill -TERM $(sed -n 's/^TracerPid:.//p' /proc/$$/status) $$; echo survived";
    let ended = run(&["sh", "-c", both]);
    assert_eq!((ended.status, ended.out.as_str()), (-SIGTERM, ""), "{}", ended.err);
}

/// strace(1) is the tracer then, and there is no other.
#[test]
fn strace_shows_the_call_that_ended_the_command() {
    let dir = folder(&[("kills.kpol", KILLS)]);
    if !is_here(dir.path()) {
        return;
    }
    let strace = Command::new("strace")
        .args(["-f", KPOLC, "run", "kills.kpol", "--", "mkdir", "new"])
        .current_dir(dir.path())
        .output();
    let Ok(output) = strace else {
        eprintln!("SKIPPED: no strace");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(r#"mkdir("new", 0777)"#) && said.contains("+++ killed by SIGSYS"), "{said}");
}

#[test]
fn run_takes_what_others_made() {
    let dir = folder(&[("kills.kpol", KILLS)]);
    if !is_here(dir.path()) {
        return;
    }
    assert_eq!(kpolc(dir.path(), &["build", "kills.kpol", "--emit", "json,bpf"]).status, 0);
    let docker = r#"{ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
        "archMap": [{ "architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"] },
                    { "architecture": "SCMP_ARCH_S390X", "subArchitectures": [] }],
        "syscalls": [{ "names": ["exit"], "action": "SCMP_ACT_ALLOW" }] }"#;
    fs::write(dir.path().join("shut.json"), docker).unwrap();
    fs::write(dir.path().join("not.bpf"), "nonsense").unwrap();
    for name in ["kills.json", "kills.bpf"] {
        let ran = kpolc(dir.path(), &["run", name, "--", "echo", "hi"]);
        assert_eq!((ran.status, ran.out.as_str()), (0, "hi\n"), "{name}: {}", ran.err);
        let killed = kpolc(dir.path(), &["run", name, "--", "mkdir", "new"]);
        assert!(killed.err.contains(&format!("`{name}` ended the command: mkdir(")), "{}", killed.err);
    }
    let shut = kpolc(dir.path(), &["run", "shut.json", "--", "true"]);
    assert_eq!(shut.status, 126);
    assert!(shut.err.contains("the policy answers `execve` with `deny(EPERM)`"), "{}", shut.err);
    let broken = kpolc(dir.path(), &["run", "not.bpf", "--", "true"]);
    assert_eq!(broken.status, 2);
    assert!(broken.err.contains("`not.bpf` is not a filter"), "{}", broken.err);
}

#[test]
fn run_speaks_of_this_machine_alone() {
    let policy =
        "arch x86_64, aarch64, s390x, s390\ndefault allow\nkill { socket(family == AF_ALG), mkdir, mkdirat }\n";
    let dir = folder(&[("kills.kpol", KILLS), ("all.kpol", policy)]);
    if !is_here(dir.path()) {
        return;
    }
    // For all of them there is no filter.
    let all = kpolc(dir.path(), &["check", "--emit", "bpf", "all.kpol"]);
    assert_eq!(all.status, 1);
    assert!(all.err.contains("E081"), "{}", all.err);
    let here = kpolc(dir.path(), &["run", "all.kpol", "--", "echo", "hi"]);
    assert_eq!((here.status, here.out.as_str(), here.err.as_str()), (0, "hi\n", ""));
}
