//! `kpolc` as a user meets it: what it prints where, how it ends, and what is on the disk then.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "cli_rim/ended.rs"]
mod ended;
#[path = "cli_rim/products.rs"]
mod products;
#[path = "cli_rim/program_start.rs"]
mod program_start;
#[path = "cli_rim/small_things.rs"]
mod small_things;
#[path = "cli_rim/starters.rs"]
mod starters;
#[path = "cli_rim/strangers.rs"]
mod strangers;
#[path = "cli_rim/waivers.rs"]
mod waivers;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

const KPOLC: &str = env!("CARGO_BIN_EXE_kpolc");

/// A program can start under it, and write.
const GOOD: &str = "default deny\n\nallow { @default, @basic-io, @file-system, @io-event, @process, @signal }\n";

struct Answer {
    status: i32,
    out: String,
    err: String,
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(KPOLC);
    command.current_dir(folder).args(arguments);
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command
}

fn kpolc(folder: &Path, arguments: &[&str]) -> Answer {
    let output = command(folder, arguments).output().unwrap();
    Answer {
        // As negative numbers those of signals.
        status: output.status.code().unwrap_or_else(|| -output.status.signal().expect("one of the two")),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn usage_errors_end_with_2_and_say_what_is_wrong() {
    let files = [("a.kpol", GOOD), ("b.kpol", GOOD), ("empty/x.txt", ""), ("c.json", "{}"), ("c.bpf", "")];
    let dir = folder(&files);
    for (arguments, word) in [
        (&["chekc"][..], "check"),
        (&["check"], "PATH"),
        (&["check", "missing.kpol"], "missing.kpol"),
        (&["check", "empty"], "no .kpol file"),
        (&["check", "--kernel", "six", "a.kpol"], "6.1"),
        (&["check", "--arch", "amd64", "a.kpol"], "did you mean `x86_64`"),
        (&["check", "--libseccomp", "2.5", "a.kpol"], "2.5.4"),
        (&["check", "--runtime", "rnc", "a.kpol"], "did you mean `runc`?"),
        (&["check", "--runtime", "runc 9", "a.kpol"], "no release such as 1.5.1"),
        (&["check", "--deny", "E031", "a.kpol"], "it is an error"),
        (&["build", "--install"], "no policy to install"),
        (&["build", "-o", "x", "--install", "a.kpol"], "cannot be used with"),
        (&["build", "-o", "-", "a.kpol", "b.kpol"], "do not fit into one stream"),
        (&["build", "-o", "b.kpol", "a.kpol", "b.kpol"], "is one file"),
        (&["build", "-o", "/dev/null", "a.kpol"], "character device"),
        (&["build", "a.kpol", "--emit", "json,bpf", "-o", "web.json"], "2 products need a folder: `-o DIR/`"),
        (&["build", "a.kpol", "b.kpol", "-o", "web.json"], "2 products need a folder: `-o DIR/`"),
        (
            &["build", "a.kpol", "-o", "web.bpf"],
            "`web.bpf` is named as bpf, and json would be written: add `--emit bpf`",
        ),
        (&["build", "a.kpol", "-o", "web.h"], "add `--emit c`"),
        (
            &["build", "a.kpol", "--emit", "bpf", "-o", "web.json"],
            "`web.json` is named as json, and bpf would be written",
        ),
        (&["build", "a"], "did you mean `a.kpol`?"),
        (&["check", "c.json"], "`kpolc import c.json` makes a policy of it"),
        (&["build", "c.bpf"], "`kpolc import c.bpf` makes a policy of it"),
        (&["import", "c.json", "-o", "a.kpol"], "`a.kpol` exists; `--force` replaces it"),
        (&["fmt", "-", "a.kpol"], "stands alone"),
        (&["explain", "W14"], "did you mean `W014` (unused"),
        (&["explain", "E31"], "did you mean `E031` (unknown parameter)?"),
        (&["check", "--deny", "W14", "a.kpol"], "did you mean `W014`"),
        (&["explain", "E999"], "no code"),
        (&["groups", "@basik-io"], "did you mean `@basic-io`"),
        (&["new", "a"], "`a.kpol` exists and is left as it is: choose another name, or `-`"),
        (&["new", "c", "--from", "ngnix"], "no starter `ngnix`: did you mean `nginx`?"),
        (&["new", "c", "--from", "go-runtme"], "did you mean `go-runtime`?"),
        (&["new", "c", "--from", "nonsense"], "`kpolc new --list` says what each is for"),
        (&["new"], "NAME"),
        (&["completions", "cmd.exe"], "bash"),
        (&["man", "missing"], "missing"),
    ] {
        let answer = kpolc(dir.path(), arguments);
        assert_eq!((answer.status, answer.out.as_str()), (2, ""), "{arguments:?}: {}", answer.err);
        assert!(answer.err.contains(word), "{arguments:?} should say {word}: {}", answer.err);
    }
    assert_eq!(names(dir.path()), ["a.kpol", "b.kpol", "c.bpf", "c.json", "empty"]);
    assert_eq!(kpolc(dir.path(), &["explain", "dead rule"]).out, kpolc(dir.path(), &["explain", "W012"]).out);
    // Without a path it is this folder, as `check .` has it.
    assert_eq!(kpolc(dir.path(), &["build"]).status, 0);
    assert!(dir.path().join("b.json").exists());
}

#[test]
fn findings_end_with_1_and_go_where_their_form_belongs() {
    let dir = folder(&[("bad.kpol", "default deny\nallow { opnat }\n")]);
    let human = kpolc(dir.path(), &["check", "bad.kpol"]);
    assert_eq!((human.status, human.out.as_str()), (1, ""));
    assert!(human.err.contains("E030") && human.err.contains("did you mean"), "{}", human.err);
    assert!(!human.err.contains('\x1b'), "no colours into a pipe");
    let painted = kpolc(dir.path(), &["check", "--color", "always", "bad.kpol"]);
    assert!(painted.err.contains('\x1b'));
    for form in ["json", "sarif", "gitlab"] {
        let answer = kpolc(dir.path(), &["check", "--format", form, "bad.kpol"]);
        assert_eq!((answer.status, answer.err.as_str()), (1, ""));
        let value: serde_json::Value = serde_json::from_str(&answer.out).unwrap();
        assert!(value.to_string().contains("E030"));
    }
    let concise = kpolc(dir.path(), &["check", "--format", "concise", "bad.kpol"]);
    assert!(concise.out.starts_with("bad.kpol:2:9: error[E030]"), "{}", concise.out);
    let build = kpolc(dir.path(), &["build", "--format", "json", "bad.kpol", "-o", "-"]);
    assert_eq!((build.status, build.out.as_str()), (1, ""), "stdout is for products");
    assert!(build.err.contains("E030"));
}

#[test]
fn a_mistake_in_a_shared_file_is_told_once() {
    let dir = folder(&[
        ("lib.kpol", "allow { opnat }\n"),
        ("a.kpol", "include \"lib.kpol\"\ndefault deny\n"),
        ("b.kpol", "include \"lib.kpol\"\ndefault deny\n"),
    ]);
    let answer = kpolc(dir.path(), &["check", "--format", "concise", "."]);
    assert_eq!(answer.status, 1);
    assert_eq!(answer.out.lines().filter(|line| line.contains("E030")).count(), 1, "{}", answer.out);
}

#[test]
fn the_project_file_is_heeded_and_its_mistakes_end_with_2() {
    let dir = folder(&[("kpol.toml", "[lints]\nall = \"deny\"\n"), ("p/a.kpol", "default deny\n")]);
    // Nothing is allowed, so no program can start: a warning that the project makes an error.
    let denied = kpolc(dir.path(), &["build", "p/a.kpol"]);
    assert_eq!(denied.status, 1, "{}", denied.err);
    assert_eq!(names(&dir.path().join("p")), ["a.kpol"]);
    assert_eq!(kpolc(dir.path(), &["check", "--allow", "all", "p/a.kpol"]).status, 0);
    fs::write(dir.path().join("kpol.toml"), "[taget]\nkernel = \"6.1\"\n").unwrap();
    let answer = kpolc(dir.path(), &["build", "p/a.kpol"]);
    assert_eq!(answer.status, 2);
    assert!(answer.err.contains("did you mean `target`"), "{}", answer.err);
    assert_eq!(names(&dir.path().join("p")), ["a.kpol"], "nothing is built by a doubtful project file");
}

#[test]
fn build_writes_beside_into_a_folder_or_to_stdout() {
    let dir = folder(&[("p/web.kpol", GOOD), ("p/lib.kpol", "allow { read }\n")]);
    let p = dir.path().join("p");
    assert_eq!(kpolc(dir.path(), &["build", "p"]).status, 0);
    assert_eq!(names(&p), ["lib.kpol", "web.json", "web.kpol"], "a library among them is not built");
    let json = fs::read_to_string(p.join("web.json")).unwrap();
    assert_eq!(kpolc(dir.path(), &["build", "p/web.kpol", "-o", "-"]).out, json);
    assert_eq!(kpolc(dir.path(), &["build", "p", "--emit", "json,bpf", "-o", "out"]).status, 0);
    assert_eq!(names(&dir.path().join("out")), ["web.bpf", "web.json"]);
    assert_eq!(fs::read_to_string(dir.path().join("out/web.json")).unwrap(), json);
    // Named on its own, a library is a mistake.
    assert_eq!(kpolc(dir.path(), &["build", "p/lib.kpol"]).status, 1);
}

#[test]
fn check_mode_compares_and_writes_nothing() {
    let dir = folder(&[("web.kpol", GOOD)]);
    let missing = kpolc(dir.path(), &["build", "--check", "web.kpol"]);
    assert_eq!((missing.status, missing.out.as_str()), (1, "web.json: missing\n"));
    assert_eq!(kpolc(dir.path(), &["build", "--emit", "json,bpf", "web.kpol"]).status, 0);
    assert_eq!(kpolc(dir.path(), &["build", "--check", "--emit", "json,bpf", "web.kpol"]).status, 0);
    let old = fs::read_to_string(dir.path().join("web.json")).unwrap();
    fs::write(dir.path().join("web.json"), old.replace("SCMP_ACT_ALLOW", "SCMP_ACT_LOG")).unwrap();
    let bpf = fs::read(dir.path().join("web.bpf")).unwrap();
    fs::write(dir.path().join("web.bpf"), &bpf[8..]).unwrap();
    let stale = kpolc(dir.path(), &["build", "--check", "--emit", "json,bpf", "web.kpol"]);
    assert_eq!(stale.status, 1);
    assert!(stale.out.contains("--- a/web.json") && stale.out.contains("-      \"action\": \"SCMP_ACT_LOG\""));
    assert!(stale.out.contains("first difference in instruction 0"), "{}", stale.out);
    assert_eq!(fs::read(dir.path().join("web.bpf")).unwrap(), bpf[8..]);
}

#[test]
fn install_is_all_or_none_with_mode_0644() {
    let dir = folder(&[("a.kpol", GOOD), ("b.kpol", GOOD), ("q/a.kpol", GOOD), ("bad.kpol", "default deny allow")]);
    fs::create_dir(dir.path().join("etc")).unwrap();
    let install = |paths: &[&str]| kpolc(dir.path(), &[&["build", "--install=etc"], paths].concat());
    assert_eq!(install(&["a.kpol", "bad.kpol"]).status, 1);
    let twice = install(&["a.kpol", "q/a.kpol"]);
    assert_eq!(twice.status, 2);
    assert!(twice.err.contains("two policies would become"), "{}", twice.err);
    assert_eq!(names(&dir.path().join("etc")), [""; 0]);
    assert_eq!(install(&["a.kpol", "b.kpol"]).status, 0);
    assert_eq!(names(&dir.path().join("etc")), ["a.json", "b.json"]);
    assert_eq!(fs::metadata(dir.path().join("etc/a.json")).unwrap().permissions().mode() & 0o7777, 0o644);
    let missing = kpolc(dir.path(), &["build", "a.kpol", "--install", "none"]);
    assert_eq!(missing.status, 2);
    assert!(missing.err.contains("no folder `none`") && missing.err.contains("mkdir -p none"), "{}", missing.err);
    let file = kpolc(dir.path(), &["build", "a.kpol", "--install=bad.kpol/x"]);
    assert_eq!(file.status, 2);
    assert!(file.err.contains("`bad.kpol/x` is not a folder"), "{}", file.err);
    assert_eq!(names(dir.path()), ["a.kpol", "b.kpol", "bad.kpol", "etc", "q"], "no folder is made by a slip");
}

/// Runs `kpolc` where `/etc` is an empty folder of its own; `None` where that cannot be had.
fn in_an_empty_etc(folder: &Path, prepare: &str, arguments: &str) -> Option<Answer> {
    let script = format!(
        "mount -t tmpfs none /etc && {prepare} && echo mounted >&2 && \"$0\" {arguments}; status=$?; \
         stat -c '%a %n' /etc/* /etc/*/*; exit $status"
    );
    let mut command = Command::new("unshare");
    let output = command.args(["--mount", "sh", "-c", &script, KPOLC]).current_dir(folder).output();
    let output = output.ok().filter(|output| output.stderr.starts_with(b"mounted\n"));
    if output.is_none() {
        eprintln!("SKIPPED: cannot mount here");
    }
    output.map(|output| Answer {
        status: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    })
}

#[test]
fn the_default_folder_is_made_where_it_is_missing() {
    let dir = folder(&[("a.kpol", GOOD), ("bad.kpol", "default deny allow")]);
    let Some(installed) = in_an_empty_etc(dir.path(), "umask 077", "build a.kpol --install") else { return };
    assert_eq!(installed.status, 0, "{}", installed.err);
    assert_eq!(installed.out, "755 /etc/seccomp\n644 /etc/seccomp/a.json\n", "for runtimes of every user");
    let again = in_an_empty_etc(dir.path(), "umask 077", "build a.kpol bad.kpol --install").unwrap();
    assert_eq!((again.status, again.out.as_str()), (1, ""), "nothing written, no folder either: {}", again.err);
    // The disk has room for the folder and not for the file: the folder goes again.
    let full = in_an_empty_etc(dir.path(), "mount -o remount,nr_inodes=2 /etc", "build a.kpol --install").unwrap();
    assert_eq!((full.status, full.out.as_str()), (2, ""), "{}", full.err);
    let taken = in_an_empty_etc(dir.path(), "touch /etc/seccomp", "build a.kpol --install").unwrap();
    assert_eq!(taken.status, 2);
    assert!(taken.err.contains("`/etc/seccomp` is not a folder"), "{}", taken.err);
}

#[test]
fn the_shipped_examples_are_built_as_a_folder() {
    let dir = folder(&[]);
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let answer = kpolc(dir.path(), &["build", examples.to_str().unwrap(), "-o", "out/"]);
    assert_eq!(answer.status, 0, "{}", answer.err);
    assert!(
        answer
            .err
            .ends_with("7 files written, each proven equal to its policy, as crun with libseccomp 2.6.1 loads it\n"),
        "{}",
        answer.err
    );
}

#[test]
fn fmt_finds_what_is_included_by_i() {
    let loose = "include \"lib.kpol\"\ndefault   deny\nallow{@mine}\n";
    let dir = folder(&[("a.kpol", loose), ("other/lib.kpol", "group @mine {\n    read,\n}\n")]);
    let listed = kpolc(dir.path(), &["fmt", "-I", "other", "a.kpol"]);
    assert_eq!(listed.status, 0, "{}", listed.err);
    assert_ne!(fs::read_to_string(dir.path().join("a.kpol")).unwrap(), loose);
}

#[test]
fn an_aim_changes_the_program_and_never_its_meaning() {
    let dir = folder(&[("a.kpol", GOOD), ("list", "getpid 1\n# rare\n332 0.1 3 0x10\n")]);
    let built = |arguments: &[&str]| {
        let fixed = ["build", "a.kpol", "--emit", "bpf", "--arch", "x86_64", "-o", "a.bpf"];
        let answer = kpolc(dir.path(), &[&fixed, arguments].concat());
        assert!(answer.status == 0 && answer.err.contains("proven equal"), "{}", answer.err);
        fs::read(dir.path().join("a.bpf")).unwrap()
    };
    let plain = built(&[]);
    assert_eq!(built(&["--optimize", "balanced"]), plain);
    assert!(built(&["--optimize", "size"]).len() < plain.len());
    // getpid is all that counts: it is found at once.
    let expected = |arguments: &[&str]| {
        built(arguments);
        let shown = kpolc(dir.path(), &["stats", "a.bpf", "--weights", "list", "--format", "json"]).out;
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        shown["archs"][0]["expected"].as_f64().unwrap()
    };
    assert!(expected(&["--weights", "list"]) < expected(&[]));
}

#[test]
fn mistakes_in_weights_are_shown_where_they_are() {
    let dir = folder(&[("a.kpol", GOOD), ("list", "read 1\nraed 2\nwrite -1\n"), ("empty", "# nothing\n")]);
    for verb in ["build", "stats"] {
        let told = kpolc(dir.path(), &[verb, "a.kpol", "--weights", "list"]);
        assert_eq!((told.status, told.out.as_str()), (2, ""), "{}", told.err);
        for words in ["E062", "list:2:1", "did you mean `read`?", "`-1` is no weight"] {
            assert!(told.err.contains(words), "{words}: {}", told.err);
        }
        for (name, words) in
            [("empty", "no weight above 0"), ("none", "cannot read `none`"), (".", "it is a directory")]
        {
            let told = kpolc(dir.path(), &[verb, "a.kpol", "--weights", name]);
            assert!(told.status == 2 && told.err.contains(words), "{name}: {}", told.err);
        }
    }
    assert_eq!(names(dir.path()), ["a.kpol", "empty", "list"]);
}

#[test]
fn what_is_no_file_is_an_error_and_no_hang() {
    let dir = folder(&[]);
    let fifo = dir.path().join("fifo.kpol");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    symlink("loop.kpol", dir.path().join("loop.kpol")).unwrap();
    fs::write(dir.path().join("binary.kpol"), [0xff, 0, 0xfe]).unwrap();
    for name in ["fifo.kpol", "loop.kpol", "/dev/zero"] {
        for verb in ["check", "build", "fmt"] {
            assert_eq!(kpolc(dir.path(), &[verb, name]).status, 2, "{verb} {name}");
        }
    }
    assert_eq!(kpolc(dir.path(), &["check", "binary.kpol"]).status, 1);
    assert_eq!(kpolc(dir.path(), &["fmt", "binary.kpol"]).status, 1);
    assert_eq!(fs::read(dir.path().join("binary.kpol")).unwrap(), [0xff, 0, 0xfe]);
}

#[test]
fn fmt_rewrites_shows_or_lists() {
    let loose = "default   deny\nallow{read,// why\nwrite}\n";
    let dir = folder(&[("a.kpol", loose), ("broken.kpol", "allow { read")]);
    let listed = kpolc(dir.path(), &["fmt", "--check", "a.kpol"]);
    assert_eq!((listed.status, listed.out.as_str()), (1, "a.kpol\n"));
    let shown = kpolc(dir.path(), &["fmt", "--diff", "a.kpol"]);
    assert!(
        shown.status == 0 && shown.out.contains("-default   deny\n") && shown.out.contains("+default deny\n"),
        "{}",
        shown.out
    );
    assert_eq!(fs::read_to_string(dir.path().join("a.kpol")).unwrap(), loose);
    let broken = kpolc(dir.path(), &["fmt", "."]);
    assert_eq!(broken.status, 1, "{}", broken.err);
    assert_eq!(fs::read_to_string(dir.path().join("broken.kpol")).unwrap(), "allow { read");
    let new = fs::read_to_string(dir.path().join("a.kpol")).unwrap();
    assert!(new.contains("// why") && new != loose, "{new}");
    assert_eq!(kpolc(dir.path(), &["fmt", "--check", "a.kpol"]).status, 0);

    let stream = |text: &str| {
        let mut child = command(dir.path(), &["fmt", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(stream(loose), (0, new.clone()));
    assert_eq!(stream(&new), (0, new));
    assert_eq!(stream("allow { read"), (1, String::new()), "an editor keeps what it has");
}

#[test]
fn run_becomes_the_command_under_the_policy() {
    let dir = folder(&[
        ("good.kpol", GOOD),
        ("shut.kpol", "default allow\ndeny { execve }\n"),
        ("bad.kpol", "allow"),
        ("nothing.kpol", "default deny\n"),
        ("endless.kpol", "default allow\ndeny { exit_group }\n"),
    ]);
    let run = |policy: &str, command: &[&str]| kpolc(dir.path(), &[&["-q", "run", policy, "--"], command].concat());
    let echo = run("good.kpol", &["echo", "hi"]);
    if echo.err.contains("the kernel did not take the filter") {
        eprintln!("SKIPPED: this kernel takes no filters: {}", echo.err);
        return;
    }
    assert_eq!((echo.status, echo.out.as_str()), (0, "hi\n"), "{}", echo.err);
    assert_eq!(run("good.kpol", &["sh", "-c", "exit 7"]).status, 7);
    assert_eq!(run("good.kpol", &["no-such-command"]).status, 127);
    assert_eq!(run("good.kpol", &["/etc/passwd"]).status, 126);
    assert_eq!(run("bad.kpol", &["touch", "made"]).status, 1);
    assert!(!dir.path().join("made").exists());
    let shut = run("shut.kpol", &["true"]);
    assert_eq!(shut.status, 126);
    assert!(shut.err.contains("the policy answers `execve` with `deny(EPERM)`"), "{}", shut.err);
    // Nothing at all is allowed, not even to say so: it is said before.
    let nothing = run("nothing.kpol", &["true"]);
    assert_eq!(nothing.status, 126);
    assert!(nothing.err.contains("nothing can be started"), "{}", nothing.err);
    // Without `exit_group` there is `exit`, but a program should not have to find out.
    let endless = kpolc(dir.path(), &["run", "endless.kpol", "--", "true"]);
    assert_eq!(endless.status, 0, "{}", endless.err);
    assert!(endless.err.contains("`exit_group` with `deny(EPERM)`"), "{}", endless.err);
    // What the kernel shows of the process that the command became.
    let status = run("good.kpol", &["cat", "/proc/self/status"]).out;
    assert!(status.contains("NoNewPrivs:\t1") && status.contains("Seccomp:\t2"), "{status}");
}

/// What a command was started with, as the kernel shows it, but for what differs between any two processes and what a policy is.
const STARTED_WITH: &str = r#"
grep -E '^(Umask|Groups|Sig(Pnd|Blk|Ign|Cgt)|ShdPnd|Cap|Cpus_allowed|Mems_allowed)' /proc/self/status
cat /proc/self/limits /proc/self/oom_score_adj
find /proc/self/fd -type l -printf '%f %l\n'
pwd; nice; env -u _ | sort
"#;

#[test]
fn run_starts_a_command_with_what_kpolc_was_started_with() {
    let dir = folder(&[("all.kpol", "default allow\n"), ("started.sh", STARTED_WITH)]);
    let shell = |script: &str, command: &str| {
        let mut bash = Command::new("bash");
        bash.args(["-c", &script.replace("CMD", command)]).current_dir(dir.path());
        let output = bash.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        // Pipes and processes have numbers of their own.
        let steady = |line: &str| line.split("pipe:[").next().unwrap().split(" /proc/").next().unwrap().to_owned();
        said.lines().map(steady).collect::<Vec<_>>()
    };
    let run = format!("{KPOLC} -q run all.kpol --");
    let said = shell("CMD", &format!("{run} true"));
    if said.iter().any(|line| line.contains("the kernel did not take the filter")) {
        eprintln!("SKIPPED: this kernel takes no filters: {said:?}");
        return;
    }
    for around in [
        "CMD",
        "trap '' PIPE INT; CMD",
        "umask 027; CMD",
        "ulimit -n 77; ulimit -c 0; ulimit -s 4096; CMD",
        "exec 7</dev/zero; CMD",
        "CMD <&-",
        "CMD <&- 2>&-",
        "CMD 2>&-",
        "env -i A=1 PATH=\"$PATH\" CMD",
        "nice -n 3 CMD",
        "perl -e 'use POSIX; sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGUSR1, SIGCHLD)); exec @ARGV' CMD",
    ] {
        let plain = shell(around, "sh started.sh");
        let under = shell(around, &format!("{run} sh started.sh"));
        assert!(plain.iter().any(|line| line.starts_with("SigIgn")), "{around}: {plain:?}");
        let missing: Vec<_> = plain.iter().filter(|line| !under.contains(line)).collect();
        let new: Vec<_> = under.iter().filter(|line| !plain.contains(line)).collect();
        assert!(plain == under, "{around}: without {missing:?}, with {new:?}");
    }
    // As a user sees it: the writer of a pipe that nobody reads ends by SIGPIPE, unless the parent ignores that.
    for (trap, status) in [("", "141"), ("trap '' PIPE; ", "1")] {
        let piped = format!("exec 4>&1; {trap}{{ CMD 2>/dev/null; echo $? >&4; }} | head -n 1 >/dev/null");
        assert_eq!(shell(&piped, "yes"), [status], "{trap}");
        assert_eq!(shell(&piped, &format!("{run} yes")), [status], "{trap}");
    }
}

#[test]
fn words_on_request_go_to_stdout() {
    let dir = folder(&[]);
    for (arguments, word) in [
        (&["--help"][..], "Usage: kpolc"),
        (&["build", "--help"], "Examples:"),
        (&["explain"], "E031  unknown parameter"),
        (&["explain", "e031"], "E031"),
        (&["groups"], "@network-io"),
        (&["groups", "basic-io"], "group @basic-io {"),
        (&["completions", "bash"], "_kpolc"),
        (&["completions", "zsh"], "#compdef kpolc"),
        (&["completions", "fish"], "complete -c kpolc"),
        (&["man"], ".TH kpolc 1"),
    ] {
        let answer = kpolc(dir.path(), arguments);
        assert_eq!((answer.status, answer.err.as_str()), (0, ""), "{arguments:?}");
        assert!(answer.out.contains(word), "{arguments:?}: {}", answer.out);
    }
    assert_eq!(kpolc(dir.path(), &["man", "."]).status, 0);
    assert!(names(dir.path()).contains(&"kpolc-build.1".to_owned()));
}

#[test]
fn every_group_and_every_profile_of_the_library_can_be_shown() {
    let dir = folder(&[]);
    let list = kpolc(dir.path(), &["groups"]).out;
    assert!(list.contains("@basic-io ") && list.contains("<base/runtime> "), "{list}");
    // Titles of sections stand at the margin.
    for line in list.lines().filter_map(|line| line.strip_prefix("  ")) {
        let (name, doc) = line.split_once(' ').expect("a name without a word about it");
        assert!(!doc.trim().is_empty(), "{name}");
        let shown = kpolc(dir.path(), &["groups", name]).out;
        if name.starts_with('@') {
            assert!(shown.contains(&format!("group {name} {{")), "{name}");
        } else {
            assert!(shown.starts_with(&format!("//! {}", doc.trim())), "{name}: {shown}");
            let plain = name.trim_matches(['<', '>']);
            assert_eq!(kpolc(dir.path(), &["groups", plain]).out, shown);
        }
    }
    let sections = [
        "Groups\n",
        "\nEffects: every way to do a thing that we know\n",
        "\nFor `include`: bases to build on, and guards that assert\n",
    ];
    assert!(sections.iter().all(|title| list.contains(title)), "{list}");
    let wrong = kpolc(dir.path(), &["groups", "go-runtme"]);
    assert_eq!(wrong.status, 2);
    assert!(wrong.err.contains("did you mean `base/go-runtime`?"), "{}", wrong.err);
}

#[test]
fn effects_are_shown_as_data_with_a_reason_for_every_member() {
    let dir = folder(&[]);
    let read = |arguments: &[&str]| -> serde_json::Value {
        serde_json::from_str(&kpolc(dir.path(), arguments).out).expect("JSON")
    };
    let all = read(&["groups", "--format", "json"]);
    let all = all.as_array().expect("a list of effects");
    let names: Vec<&str> = all.iter().filter_map(|effect| effect["effect"].as_str()).collect();
    assert!(names.contains(&"@effect-connect") && names.contains(&"@effect-write-file"), "{names:?}");
    for effect in all {
        assert!(effect["main"].as_array().is_some_and(|main| !main.is_empty()), "{effect}");
        for member in effect["members"].as_array().expect("members") {
            assert!(member["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{member}");
        }
    }
    let one = read(&["groups", "connect", "--format", "json"]);
    let patterns: Vec<&str> =
        one["members"].as_array().expect("members").iter().filter_map(|member| member["pattern"].as_str()).collect();
    assert!(patterns.contains(&"connect") && patterns.contains(&"sendto(flags & MSG_FASTOPEN)"), "{patterns:?}");
    let code = read(&["groups", "@effect-executable-memory", "--format", "json"]);
    assert!(
        code["members"]
            .as_array()
            .expect("members")
            .iter()
            .any(|member| { member["pattern"] == "mmap" && member["when"] == "arch x86, m68k, s390, s390x" })
    );
    let wrong = kpolc(dir.path(), &["groups", "@basic-io", "--format", "json"]);
    assert_eq!(wrong.status, 2);
    assert!(wrong.err.contains("no effect `@basic-io`"), "{}", wrong.err);
}

#[test]
fn effects_that_a_filter_grants_are_data_too() {
    let policy = "arch x86_64\ndefault deny\ninclude <base/runtime>\nallow { sendto, reboot, ADD }\n";
    let (open, shut) = (policy.replace("ADD", "@effect-mount"), policy.replace(", ADD", ""));
    let dir = folder(&[("open.kpol", &open), ("shut.kpol", &shut)]);
    assert_eq!(kpolc(dir.path(), &["build", "open.kpol", "--emit", "json,bpf"]).status, 0);
    let effects = |arguments: &[&str]| -> BTreeMap<String, serde_json::Value> {
        let answer = kpolc(dir.path(), arguments).out;
        let read: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
        let all = read["effects"].as_array().expect("a list of effects").iter();
        all.map(|found| (found["effect"].as_str().expect("a name").to_owned(), found.clone())).collect()
    };
    for command in ["show", "stats"] {
        let open = effects(&[command, "open.kpol", "--format", "json"]);
        assert_eq!(open["@effect-mount"]["granted"], "wholly", "{command}");
        assert_eq!(open["@effect-connect"]["granted"], "in part", "{command}");
        assert_eq!(open["@effect-connect"]["calls"], serde_json::json!(["sendto"]), "{command}");
        // Neither a call of it runs, nor is it told of.
        assert!(!open.contains_key("@effect-bypass-filter"), "{command}: {open:?}");
        // A filter grants what its policy grants.
        assert_eq!(effects(&[command, "open.bpf", "--format", "json"]), open, "{command}");
        let shut = effects(&[command, "shut.kpol", "--format", "json"]);
        assert!(!shut.contains_key("@effect-mount"), "{command}: {shut:?}");
    }
}

/// A way round has an error of its own, which answers pass over: a filter may be asked about all the same.
#[test]
fn an_assert_that_a_multiplexer_breaks_is_nowhere_called_proven() {
    let policy = "arch x86_64, x86\ndefault allow\nkill { socket(family == AF_ALG) }\n";
    let broken = format!("{policy}assert \"AF_ALG stays shut\" {{ refused {{ socket(family == AF_ALG) }} }}\n");
    let dir = folder(&[("open.kpol", policy), ("broken.kpol", &broken)]);
    assert_eq!(kpolc(dir.path(), &["show", "open.kpol"]).status, 0);
    let answer = kpolc(dir.path(), &["show", "broken.kpol"]);
    assert!(!answer.out.contains("proven") && answer.err.contains("E042"), "{}{}", answer.out, answer.err);
    assert_ne!(answer.status, 0);
}

#[test]
fn a_reader_that_goes_away_is_no_failure_but_a_lost_product_is() {
    let dir = folder(&[("web.kpol", GOOD)]);
    for (arguments, status) in
        [(&["completions", "bash"][..], 0), (&["explain"], 0), (&["-q", "build", "web.kpol", "-o", "-"], 2)]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command(dir.path(), arguments).stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}");
        assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"));
    }
}

#[test]
fn a_build_says_what_the_policy_does_and_what_is_proven() {
    let text = "default deny(EPERM)\nallow { @default, socket(family == AF_UNIX), clone3 }\nkill { ptrace }\n";
    let dir = folder(&[("a.kpol", text), ("b.kpol", "default log\n")]);
    let answer = kpolc(dir.path(), &["build", "a.kpol", "--emit", "json,bpf", "-o", "out/"]);
    assert_eq!(answer.status, 0, "{}", answer.err);
    let lines: Vec<&str> = answer.err.lines().collect();
    assert_eq!(lines.len(), 2, "{}", answer.err);
    assert!(lines[0].starts_with("a.kpol: "), "{}", lines[0]);
    assert!(lines[0].ends_with(" allow, 1 kill, 1 by condition; all other calls deny(EPERM)"), "{}", lines[0]);
    let proven = "out/a.json, out/a.bpf: proven equal to a.kpol for 2 ABIs (x86_64 and aarch64), \
        the JSON as crun with libseccomp 2.6.1 loads it; ";
    assert!(lines[1].starts_with(proven) && lines[1].ends_with(" instructions"), "{}", lines[1]);
    let answer = kpolc(dir.path(), &["build", "."]);
    assert!(answer.err.contains("b.kpol: all calls log\n"), "{}", answer.err);
    assert!(
        answer
            .err
            .ends_with("2 files written, each proven equal to its policy, as crun with libseccomp 2.6.1 loads it\n"),
        "{}",
        answer.err
    );
    assert_eq!(kpolc(dir.path(), &["build", "-q", "a.kpol"]).err, "");
}

#[test]
fn manual_pages_keep_the_lines_of_examples() {
    let dir = folder(&[]);
    assert_eq!(kpolc(dir.path(), &["man", "."]).status, 0);
    assert!(!names(dir.path()).contains(&"kpolc-help.1".to_owned()));
    let page = fs::read_to_string(dir.path().join("kpolc-build.1")).unwrap();
    let examples = page.split(".SH \"EXAMPLES\"\n.nf\n").nth(1).expect("examples, not filled");
    assert!(examples.starts_with("\\&kpolc build web.kpol"), "{examples}");
}
