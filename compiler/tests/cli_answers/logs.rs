//! `kpolc why FILE -`: what kernels, journals and strace wrote down, as it is found on a machine.

use super::*;

const POLICY: &str = "default deny\n\nallow { read, write, socket(family in {AF_UNIX, AF_ALG}) }\nlog { getpid }\n\
    deny(EAFNOSUPPORT) { socket(family == AF_VSOCK) }\n";

fn asked(policy: &str, lines: &str) -> Answer {
    let dir = folder(&[("web.kpol", policy.as_bytes())]);
    kpolc_unsaved(dir.path(), &["why", "web.kpol", "-"], lines)
}

#[test]
fn each_distinct_call_of_a_log_is_answered_once_most_often_first() {
    let log = "[12345.678901] audit: type=1326 audit(1700000000.123:456): auid=1000 uid=1000 gid=1000 ses=2 subj=unconfined pid=42 \
            comm=\"web\" exe=\"/bin/web\" sig=0 arch=c000003e syscall=165 compat=0 ip=0x7f code=0x50000\n\
        Dec 01 05:12:04 host kernel: audit: type=1326 audit(1700000001.1:457): pid=42 comm=612062 exe=\"/bin/web\" sig=0 \
            arch=c000003e syscall=165 compat=0 ip=0x7f code=0x50000\n\
        Dec 01 05:12:05 host audit[42]: SECCOMP auid=0 pid=42 comm=\"web\" exe=\"/bin/web\" sig=0 arch=c000003e syscall=165 \
            compat=0 ip=0x7f code=0x50000\n\
        type=SECCOMP msg=audit(01/02/26 03:04:05.678:9) : auid=unset comm=a syscall=read exe=/bin/web sig=SIGSYS arch=x86_64 \
            syscall=mount compat=0 ip=0x7f code=errno\n\
        type=SECCOMP msg=audit(1700000002.5:500): sig=0 arch=c000003e syscall=41 compat=0 ip=0x7f code=0x50000\n\
        type=SYSCALL msg=audit(1700000002.5:500): arch=c000003e syscall=41 success=no exit=-97 a0=28 a1=1 a2=0 items=0 comm=\"web\"\n\
        type=PROCTITLE msg=audit(1700000002.5:500): proctitle=776562\n\
        audit: type=1326 audit(1.1:1): arch=40000003 syscall=102 compat=1 ip=0x7f code=0x80000000 \
            audit: type=1326 audit(1.1:2): arch=c000003e syscall=-1 compat=0 ip=0x7f code=0x50000\n\
        audit: type=1326 audit(1.1:3): sig=31 arch=c000003e sysc\n\
        nothing to see here\n";
    let answer = asked(POLICY, log);
    assert_eq!(
        answer.out,
        "4 × mount on x86_64: deny(EPERM)
      web.kpol:1, the default
1 × socket(family = AF_VSOCK (40)) on x86_64: deny(EAFNOSUPPORT)
      web.kpol:5
      nearest change: with `family not in {AF_UNIX, AF_ALG, AF_VSOCK}` it would get deny(EPERM)
      nearest change: with `family in {AF_UNIX, AF_ALG}` it would get allow
1 × socketcall on x86: kill
      `web.kpol` looks at no calls of x86
1 × number -1 on x86_64: deny(EPERM)
      web.kpol:1, the default
2 lines are no call; the first is line 9: `audit: type=1326 audit(1.1:3): sig=31 arch=c000003e sysc` (this record does not \
         say which call it was: there is no `syscall=…` in it)
",
        "{}",
        answer.err
    );
    assert_eq!((answer.status, answer.err.as_str()), (0, ""));
}

#[test]
fn lines_of_strace_are_calls_with_what_is_known_of_them() {
    let log = "\
strace: Process 8 attached
[pid 7] 05:15:04.738 socket(AF_VSOCK, SOCK_STREAM|SOCK_CLOEXEC, 0) = -1 EAFNOSUPPORT (Address family not supported by protocol)
[pid 8] socket(AF_VSOCK, SOCK_DGRAM, 0) = -1 EAFNOSUPPORT (Address family not supported by protocol)
[pid 7] read(3</a,b(c>,  <unfinished ...>
[pid 8] openat(AT_FDCWD, \"/etc/pass\\\"wd(\", O_RDONLY) = 4
[pid 7] <... read resumed>\"abc\", 10) = 7
[pid 8] read(4, \"socket(AF_ALG, 0, 0) = 3\"..., 832) = 832
[pid 8] syscall_0x3e7(0x1, 0x2) = -1 ENOSYS (Function not implemented)
[pid 8] +++ exited with 0 +++
";
    let answer = asked(POLICY, log);
    let heads: Vec<&str> = answer.out.lines().filter(|line| line.contains(" × ")).collect();
    assert_eq!(
        heads,
        [
            "2 × read on x86_64, aarch64: allow",
            "2 × socket(family = AF_VSOCK) on x86_64, aarch64: deny(EAFNOSUPPORT)",
            "1 × openat on x86_64, aarch64: deny(EPERM)",
            "1 × number 999 on x86_64, aarch64: deny(EPERM)",
        ],
        "{}",
        answer.err
    );
    assert!(!answer.out.contains("no call"), "{}", answer.out);
    let dir = folder(&[("web.kpol", POLICY.as_bytes())]);
    let json = kpolc_unsaved(dir.path(), &["why", "web.kpol", "-", "--format", "json"], log);
    let value: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&value["lines"], &value["calls"][1]["count"]), (&9.into(), &2.into()));
    assert_eq!(value["calls"][1]["answers"][0]["outcomes"][0]["action"], "deny(EAFNOSUPPORT)");
}

#[test]
fn what_strace_prints_of_a_real_program_is_understood() {
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("SKIPPED: what_strace_prints_of_a_real_program_is_understood: no strace");
        return;
    }
    let dir = folder(&[("web.kpol", b"default allow\ntrap { kill(sig == 0) }\n")]);
    let script = "(echo x | cat) >/dev/null; mkdir -p d; kill -0 1; true";
    for options in [&["-f"][..], &["-f", "-y", "-tt", "-n"], &["-r", "-i", "-yy", "-T"]] {
        let output = Command::new("strace")
            .args(options)
            .args([env!("CARGO_BIN_EXE_kpolc"), "run", "-q", "web.kpol", "--", "sh", "-c", script])
            .current_dir(dir.path())
            .output()
            .unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        let answer = kpolc_unsaved(dir.path(), &["why", "web.kpol", "-"], &log);
        assert!(!answer.out.contains(" no call"), "{options:?}: {}\n{log}", answer.out);
        let killed: Vec<&str> = answer.out.lines().filter(|line| line.contains("× kill")).collect();
        // The call and the signal that it got are one.
        let said = killed.first().map_or("", |line| line.trim());
        assert!(
            killed.len() == 1 && said.starts_with("1 × kill(sig = 0) on ") && said.ends_with(": trap"),
            "{killed:?}\n{log}"
        );
    }
}

#[test]
fn a_code_rules_out_what_it_cannot_be_and_no_errno() {
    let record = |nr: u32, code: &str| {
        format!("audit: type=1326 audit(1.1:1): sig=0 arch=c000003e syscall={nr} compat=0 ip=0x7f code={code}")
    };
    let dir = folder(&[("web.kpol", POLICY.as_bytes())]);
    let why = |nr, code| kpolc(dir.path(), &["why", "web.kpol", &record(nr, code)]).out;
    // The kernel keeps the errno for itself: 0x50000 is EPERM's as well.
    let denied = why(165, "0x50000");
    assert!(denied.starts_with("mount on x86_64: deny(EPERM)\n") && !denied.contains("note"), "{denied}");
    let either = why(41, "0x50000");
    assert!(either.starts_with("socket on x86_64: deny(EPERM) or deny(EAFNOSUPPORT)\n"), "{either}");
    assert!(either.contains("`0x50000` is a `deny`, of whatever errno, so it was not allow"), "{either}");
    assert!(!either.contains("allow          if"), "{either}");
    // What ended a process was no rule that logs.
    let killed = why(39, "0x80000000");
    assert!(
        killed.contains("`0x80000000` is `kill`, which this filter, as it is now, gives to no such call"),
        "{killed}"
    );
    assert!(!why(39, "0x7ffc0000").contains("note"));
    // A number that was cut says nothing.
    assert!(!why(39, "0x8000").contains("note"));
}

#[test]
fn a_message_shows_no_text_but_the_users() {
    let dir = folder(&[("web.kpol", POLICY.as_bytes())]);
    for (call, drawn) in [
        ("socket(famly = 1)", "1 │ socket(famly = 1)\n   ·        ──┬──"),
        ("socket(AF_UNIX, AF_NOPE)", "1 │ socket(AF_UNIX, AF_NOPE)"),
        ("socket(family == \"x\")", "1 │ socket(family == \"x\")"),
        ("socket(family = )", ""),
        ("socket(in in in)", ""),
        ("999(foo = 1)", "number 999"),
        ("999(1 = = 2)", ""),
        ("socket(1, 2, 3, 4)", "three arguments (family, type, protocol): there is none for `4`"),
        ("getpid(1)", "`getpid` has no arguments"),
        ("socket(1) } allow { read(0)", "closes nothing"),
        ("socket(99999999999999999999999)", ""),
    ] {
        let answer = kpolc(dir.path(), &["why", "web.kpol", call]);
        assert_eq!((answer.status, answer.out.as_str()), (2, ""), "{call}: {}", answer.err);
        for ours in ["default kill", "allow { socket", "asked_about", "arch x86_64\n", "} }"] {
            assert!(!answer.err.contains(ours), "{call}: {}", answer.err);
        }
        assert!(answer.err.contains(drawn) || drawn.contains('┬'), "{call}: {}", answer.err);
    }
}

#[test]
fn a_log_of_any_size_is_read_in_bounds() {
    let mut log = String::new();
    for number in 0..20_000u32 {
        log += &format!("audit: type=1326 audit(1.{number}:1): arch=c000003e syscall={} compat=0\n", number * 7);
        log += &format!("[pid {number}] read({number},  <unfinished ...>\n");
        log += "mount(1) = 0\n";
    }
    log += &"x".repeat(1 << 20);
    log += "\nread(\0\u{1b}[31m\n";
    let answer = asked(POLICY, &log);
    let first: Vec<&str> = answer.out.lines().take(3).collect();
    assert_eq!(first[0], "20001 × read on x86_64, aarch64: allow", "{}", answer.err);
    assert_eq!(first[2], "20000 × mount on x86_64, aarch64: deny(EPERM)");
    let last: Vec<&str> = answer.out.lines().rev().take(2).collect();
    assert!(last[0].starts_with("1 line is no call; the first is line 60001: `xxx"), "{}", last[0]);
    assert_eq!(last[1], "and 19502 more distinct calls, that came 19502 times");
    assert!(answer.out.len() < 100_000 && !answer.out.contains('\u{1b}'));
    for nothing in ["", "\n\n", "hello\n"] {
        let answer = asked(POLICY, nothing);
        assert_eq!(answer.status, 2, "{nothing:?}");
        assert!(answer.err.contains("standard input has no call in it"), "{}", answer.err);
    }
    let dir = folder(&[("web.kpol", POLICY.as_bytes())]);
    let answer = kpolc(dir.path(), &["why", "web.kpol", "-", "--unsaved", "web.kpol"]);
    assert!(answer.status == 2 && answer.err.contains("both read standard input"), "{}", answer.err);
}
