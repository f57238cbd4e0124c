//! Questions about filters, as a user asks them: what a call gets, and what a change changes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "cli_answers/explain.rs"]
mod explain;
#[path = "cli_answers/git.rs"]
mod git;
#[path = "cli_answers/logs.rs"]
mod logs;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const OLD: &str = "default deny\n\nallow { read, write, socket(family in {AF_UNIX, AF_ALG}) }\n";
const NEW: &str = "default deny\n\nallow { read, close, socket(family in {AF_UNIX, AF_INET}) }\n";

struct Answer {
    status: i32,
    out: String,
    err: String,
}

fn kpolc(folder: &Path, arguments: &[&str]) -> Answer {
    let output = Command::new(env!("CARGO_BIN_EXE_kpolc"))
        .current_dir(folder)
        .args(arguments)
        .env_remove("CLICOLOR_FORCE")
        .output()
        .unwrap();
    Answer {
        status: output.status.code().expect("no signal"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

#[test]
fn a_difference_is_grouped_and_said_in_the_language() {
    let dir = folder(&[("old.kpol", OLD.as_bytes()), ("new.kpol", NEW.as_bytes())]);
    let answer = kpolc(dir.path(), &["diff", "old.kpol", "new.kpol"]);
    assert_eq!(
        answer.out,
        "from old.kpol to new.kpol

more permissive: 2 calls
  deny(EPERM) → allow
    close
    socket(family == AF_INET)
      such as socket(family = AF_INET (2), …) on x86_64

stricter: 2 calls
  allow → deny(EPERM)
    write
    socket(family == AF_ALG)
      such as socket(family = AF_ALG (38), …) on x86_64

2 calls more permissive, 2 calls stricter; compared on x86_64, aarch64
"
    );
    assert_eq!(answer.status, 1, "{}", answer.err);
    let same = kpolc(dir.path(), &["diff", "old.kpol", "old.kpol"]);
    assert_eq!((same.status, same.out.as_str()), (0, "`old.kpol` and `old.kpol` mean the same on x86_64, aarch64\n"));

    let json = kpolc(dir.path(), &["diff", "old.kpol", "new.kpol", "--format", "json"]);
    let value: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&value["widens"], &value["same"]), (&true.into(), &false.into()));
    assert_eq!(value["changes"][1]["cases"][0]["arguments"][0], "family == AF_INET");
    assert_eq!(json.err, "");
    let markdown = kpolc(dir.path(), &["diff", "old.kpol", "new.kpol", "--format", "markdown"]);
    assert!(markdown.out.contains("| `socket(family == AF_ALG)` | `allow` | `deny(EPERM)` |"), "{}", markdown.out);
}

#[test]
fn widening_alone_can_fail() {
    let narrow = "default deny\nallow { read }\n";
    let dir = folder(&[("wide.kpol", OLD.as_bytes()), ("narrow.kpol", narrow.as_bytes())]);
    for (arguments, status) in [
        (["diff", "--fail-on", "widen", "narrow.kpol", "wide.kpol"], 1),
        (["diff", "--fail-on", "widen", "wide.kpol", "narrow.kpol"], 0),
        (["diff", "--fail-on", "never", "narrow.kpol", "wide.kpol"], 0),
        (["diff", "--fail-on", "any", "wide.kpol", "narrow.kpol"], 1),
    ] {
        assert_eq!(kpolc(dir.path(), &arguments).status, status, "{arguments:?}");
    }
}

#[test]
fn what_was_built_means_the_policy_in_every_form() {
    let dir = folder(&[("web.kpol", OLD.as_bytes())]);
    let built = kpolc(dir.path(), &["build", "web.kpol", "--emit", "json,bpf", "-o", "out/"]);
    assert_eq!(built.status, 0, "{}", built.err);
    for form in ["out/web.json", "out/web.bpf"] {
        let answer = kpolc(dir.path(), &["diff", "web.kpol", form]);
        assert_eq!(answer.status, 0, "{}{}", answer.out, answer.err);
        let answer = kpolc(dir.path(), &["why", form, "socket(AF_INET)"]);
        assert_eq!(answer.status, 0, "{}", answer.err);
        assert!(answer.out.starts_with("socket(AF_INET) on x86_64, aarch64: deny(EPERM)\n"), "{}", answer.out);
        assert!(answer.out.contains("with `family in {AF_UNIX, AF_ALG}` it would get allow"), "{}", answer.out);
    }
}

#[test]
fn hardened_is_nowhere_wider_than_docker() {
    let answer = kpolc(&examples(), &["diff", "--fail-on", "widen", "docker-default.kpol", "hardened.kpol"]);
    assert_eq!(answer.status, 0, "{}{}", answer.out, answer.err);
    assert!(answer.out.contains("ioctl(cmd in {TIOCSTI, TIOCLINUX})"), "{}", answer.out);
}

#[test]
fn docker_in_json_and_in_kpol_differ_in_dropped_bits_only() {
    let shared = std::env::var_os("KPOL_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let moby = shared.join("corpus/moby-default.json");
    if !moby.exists() {
        eprintln!("SKIPPED: no {}", moby.display());
        return;
    }
    let arguments = ["diff", "--arch", "x86_64,x86,x32,aarch64,arm", moby.to_str().unwrap(), "docker-default.kpol"];
    let answer = kpolc(&examples(), &arguments);
    assert!(answer.out.contains("socket(reg0 >= 0x100000000, family in {AF_ALG, AF_VSOCK})"), "{}", answer.out);
    assert!(answer.out.contains("\n1 call stricter; compared on x86_64, x86, x32, aarch64, arm\n"), "{}", answer.out);
}

#[test]
fn why_points_at_the_rule_and_at_the_way_to_it() {
    let policy = "default deny\n\ngroup @net { socket, bind }\n\nallow { @net }\noverride deny(ENOSYS) { bind }\n";
    let dir = folder(&[("web.kpol", policy.as_bytes())]);
    let answer = kpolc(dir.path(), &["why", "web.kpol", "socket(AF_ALG, SOCK_SEQPACKET, 0)"]);
    assert_eq!(answer.status, 0, "{}", answer.err);
    for word in ["x86_64, aarch64: allow", "this rule decides", "web.kpol:5:9", "in `@net`", "another rule would"] {
        assert!(answer.out.contains(word), "{word}: {}", answer.out);
    }
    let answer = kpolc(dir.path(), &["why", "web.kpol", "bind"]);
    assert!(answer.out.contains("overruled: `allow` here"), "{}", answer.out);
    let answer = kpolc(dir.path(), &["why", "web.kpol", "mount", "--format", "json"]);
    let value: serde_json::Value = serde_json::from_str(&answer.out).unwrap();
    assert_eq!(value["answers"][0]["outcomes"][0]["decision"]["default"], true);
}

/// As an editor asks, whose text is not on the disk yet.
fn kpolc_unsaved(folder: &Path, arguments: &[&str], text: &str) -> Answer {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kpolc"))
        .current_dir(folder)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Answer {
        status: output.status.code().expect("no signal"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn what_is_not_saved_is_asked_about() {
    let dir = folder(&[
        ("web.kpol", b"default deny\ninclude \"base.kpol\"\n"),
        ("base.kpol", b"allow { read }\n"),
        ("old.kpol", OLD.as_bytes()),
    ]);
    let text = "default deny\ninclude \"base.kpol\"\nkill { mount }\n";
    let answer = kpolc_unsaved(dir.path(), &["why", "web.kpol", "mount", "--unsaved", "web.kpol"], text);
    assert!(answer.out.starts_with("mount on x86_64, aarch64: kill\n"), "{}{}", answer.out, answer.err);
    assert!(answer.out.contains("web.kpol:3:8"), "{}", answer.out);
    // Also where it is included by what is asked about.
    let arguments = ["why", "web.kpol", "read", "--unsaved", "./base.kpol"];
    let answer = kpolc_unsaved(dir.path(), &arguments, "log { read }\n");
    assert!(answer.out.starts_with("read on x86_64, aarch64: log\n"), "{}{}", answer.out, answer.err);
    let answer = kpolc_unsaved(dir.path(), &["diff", "old.kpol", "old.kpol", "--unsaved", "old.kpol"], NEW);
    assert!(answer.out.contains("mean the same"), "one file has one text: {}{}", answer.out, answer.err);
    let arguments = ["diff", "old.kpol", "web.kpol", "--unsaved", "web.kpol"];
    let answer = kpolc_unsaved(dir.path(), &arguments, NEW);
    assert!(answer.out.contains("socket(family == AF_INET)"), "{}{}", answer.out, answer.err);
    let answer = kpolc_unsaved(dir.path(), &["why", "web.kpol", "read", "--unsaved", "gone.kpol"], "");
    assert_eq!(answer.status, 2);
    assert!(answer.err.contains("cannot read `gone.kpol`"), "{}", answer.err);
    assert_eq!(fs::read_to_string(dir.path().join("base.kpol")).unwrap(), "allow { read }\n", "nothing is written");
}

#[test]
fn a_pasted_record_is_answered() {
    let dir = folder(&[("web.kpol", OLD.as_bytes())]);
    let record = "type=1326 audit(1700000000.123:456): pid=42 sig=31 arch=c000003e syscall=165 code=0x80000000";
    let answer = kpolc(dir.path(), &["why", "web.kpol", record]);
    assert!(answer.out.starts_with("mount on x86_64: deny(EPERM)\n"), "{}", answer.out);
    assert!(answer.out.contains("`0x80000000` is `kill`, which this filter"), "{}", answer.out);
    // As it stands in a terminal: coloured by nobody, cut by nobody, with the word of the shell before it.
    let dmesg = "[12345.678901] audit: type=1326 audit(1700000000.123:456): auid=1000 uid=1000 gid=1000 ses=2 \
        subj=unconfined pid=42 comm=\"a=b c\" exe=\"/bin/x\" sig=0 arch=c00000b7 syscall=198 compat=0 ip=0x7f code=0x50000";
    let answer = kpolc(dir.path(), &["why", "web.kpol", dmesg]);
    assert!(answer.out.starts_with("socket on aarch64: "), "{}{}", answer.out, answer.err);
    let answer = kpolc(dir.path(), &["why", "web.kpol", "0x40000029"]);
    assert!(answer.out.starts_with("kill on x32: "), "{}{}", answer.out, answer.err);
    let answer = kpolc(dir.path(), &["why", "web.kpol", "type=SECCOMP arch=i386 syscall=socket"]);
    assert!(answer.out.starts_with("kill on x86: "), "{}", answer.out);
}

/// What `docs/hooks.md` tells to type, typed: lines of its block about git.
fn documented_git_setup() -> String {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/hooks.md")).unwrap();
    let block = page.split("```sh\n").find(|block| block.contains("diff.kpol.command")).unwrap();
    block.split("```").next().unwrap().to_owned()
}

#[test]
fn git_shows_what_a_change_means() {
    let wide = OLD.replace("read, write,", "read, write, mount,");
    let dir = folder(&[("base.kpol", b"allow { brk }\n"), (".keep", b"")]);
    fs::create_dir(dir.path().join("conf")).unwrap();
    let path = format!(
        "{}:{}",
        Path::new(env!("CARGO_BIN_EXE_kpolc")).parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let sh = |script: &str| {
        let output = Command::new("sh")
            .args(["-ec", script])
            .current_dir(&dir)
            .env("PATH", &path)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_PAGER", "cat")
            .output()
            .unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    if Command::new("git").arg("--version").output().is_err() {
        eprintln!("SKIPPED: git_shows_what_a_change_means: no git");
        return;
    }
    let with_include = |policy: &str| format!("include \"../base.kpol\"\n{policy}");
    fs::write(dir.path().join("conf/web.kpol"), with_include(OLD)).unwrap();
    sh("git init -q . && git config user.name T && git config user.email t@example.org");
    let attributes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../integrations/gitattributes");
    fs::copy(attributes, dir.path().join(".gitattributes")).unwrap();
    sh(&documented_git_setup());
    sh("kpolc build conf/web.kpol --emit json,bpf -o conf/ && git add . && git commit -qm first");
    assert_eq!(sh("git diff"), "", "nothing has changed");
    let asked = "git check-attr linguist-language linguist-generated -- conf/web.kpol conf/web.bpf profiles/a/web.json";
    for attribute in [
        "conf/web.kpol: linguist-language: Rust",
        "conf/web.bpf: linguist-generated: true",
        "profiles/a/web.json: linguist-generated: true",
    ] {
        assert!(sh(asked).lines().any(|line| line == attribute), "{attribute}: {}", sh(asked));
    }
    fs::write(dir.path().join("conf/web.kpol"), with_include(&wide)).unwrap();
    sh("kpolc build conf/web.kpol --emit json,bpf -o conf/");
    let policy = sh("git diff conf/web.kpol");
    assert!(policy.contains("more permissive: 1 call\n  deny(EPERM) → allow\n    mount\n"), "{policy}");
    // Bytes of a filter, as lines of a text.
    let bytes = sh("git diff conf/web.bpf");
    assert!(bytes.contains("+  mount") && bytes.contains("-  mount"), "{bytes}");
    // Two headers, the call and the counts of both actions, and the effect that it brings about.
    assert_eq!(bytes.lines().filter(|line| line.starts_with(['+', '-'])).count(), 2 + 2 * 3 + 1, "{bytes}");
    // A version that is broken is said to be, and `git diff` goes on.
    fs::write(dir.path().join("conf/web.kpol"), "default deny allow { opnat }").unwrap();
    let broken = sh("git diff 2>&1");
    assert!(broken.contains("opnat") && broken.contains("web.bpf"), "{broken}");
}

#[test]
fn nonsense_ends_with_2_and_a_word() {
    let dir = folder(&[
        ("web.kpol", OLD.as_bytes()),
        ("bad.kpol", b"default deny allow { opnat }"),
        ("text.json", b"{ // no\n}"),
        ("random.bpf", b"\xff\x01\x02\x03\x04\x05\x06\x07"),
        ("ragged.bpf", b"abc"),
        ("empty.bpf", b""),
    ]);
    for (arguments, word) in [
        (&["why", "web.kpol", "sokcet(1)"][..], "did you mean `socket`"),
        (&["why", "web.kpol", "socket(famly = 1)"], "did you mean `family`"),
        (&["why", "web.kpol", "socket(AF_NOPE)"], "no constant `AF_NOPE`"),
        (&["why", "web.kpol", "socket(1"], "closing"),
        (&["why", "web.kpol", "socket) } kill { read"], "not a call"),
        (&["why", "web.kpol", "socket(1)) } allow { read(0)"], "closes nothing"),
        (&["why", "web.kpol", "socket(family == 1, family == 2)"], "contradict"),
        (&["why", "web.kpol", "type=1326 arch=c000003e"], "does not say which call"),
        (&["why", "web.kpol", "type=1326 arch=deadbeef syscall=1"], "arch=deadbeef"),
        (&["show", "web.kpol", "--html", "--format", "json"], "choose one"),
        (&["show", "random.bpf"], "is not a filter"),
        (&["build", "web.kpol", "--call", "read"], "--emit dot"),
        (&["build", "web.kpol", "--emit", "asm,c", "-o", "-"], "one stream"),
        (&["why", "missing.kpol", "read"], "missing.kpol"),
        (&["why", "web.kpol", "read", "--format", "sarif"], "json"),
        (&["diff", "web.kpol", "missing.json"], "missing.json"),
        (&["diff", "web.kpol", "text.json"], "not JSON"),
        (&["diff", "web.kpol", "random.bpf"], "is not a filter"),
        (&["diff", "web.kpol", "ragged.bpf"], "ragged.bpf"),
        (&["diff", "web.kpol", "empty.bpf"], "empty.bpf"),
        (&["diff", "web.kpol", "bad.kpol"], "opnat"),
        (&["diff", "web.kpol", "."], "."),
    ] {
        let answer = kpolc(dir.path(), arguments);
        assert_eq!(answer.status, 2, "{arguments:?}: {}{}", answer.out, answer.err);
        assert!(answer.err.contains(word), "{arguments:?}: {}", answer.err);
        assert_eq!(answer.out, "", "{arguments:?}");
    }
}

#[test]
fn stats_count_calls_and_what_they_cost() {
    let dir = folder(&[("web.kpol", OLD.as_bytes())]);
    assert_eq!(kpolc(dir.path(), &["build", "web.kpol", "--emit", "bpf"]).status, 0);
    let of = |file: &str| {
        let answer = kpolc(dir.path(), &["stats", file, "--format", "json"]);
        assert_eq!(answer.status, 0, "{}", answer.err);
        serde_json::from_str::<serde_json::Value>(&answer.out).unwrap()
    };
    let stats = of("web.kpol");
    let here = &stats["archs"][0];
    assert_eq!((&here["arch"], &here["calls"]["allow"]), (&"x86_64".into(), &2.into()));
    assert_eq!(here["conditional"], serde_json::json!(["socket"]));
    assert_eq!(here["heaviest"][0]["call"], "socket");
    // `read` and `write`: what looks at arguments, and what is denied, is answered by the filter.
    assert_eq!(here["bitmap"], 2);
    // The same instructions, whether they come from a file or are just made.
    assert_eq!(of("web.bpf"), stats);
    let answer = kpolc(&examples(), &["stats", "docker-default.kpol"]);
    assert!(answer.out.contains("not counted"), "{}", answer.out);
    let answer = kpolc(&examples(), &["stats", "docker-default.kpol", "--cap", "none", "--kernel", "6.1"]);
    assert!(answer.out.contains("expected"), "{}{}", answer.out, answer.err);
}
