//! What nobody should feed to `kpolc`, fed to it: it says what is wrong and ends with the status that is promised (1 for
//! a mistake in a policy, 2 for what cannot be read or written), or it works. It never panics, hangs or loses a file.
//!
//! The watchdog is a safety net, not a measure: it is far above what anything here takes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fmt::Write as _;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const GOOD: &str = "default deny\nallow { @default }\n";
const WATCHDOG: Duration = Duration::from_secs(300);

struct Answer {
    status: i32,
    out: String,
    err: String,
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kpolc"));
    command.current_dir(folder).args(arguments).stdin(Stdio::null()).env("NO_COLOR", "1");
    command
}

/// Waits for the end, and kills what does not come to one.
fn wait(mut child: Child, what: &str) -> std::process::Output {
    let begin = Instant::now();
    // Its pipes are read meanwhile, else it could wait for us.
    let id = child.id();
    let (ended, over) = std::sync::mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        if over.recv_timeout(WATCHDOG).is_err() {
            // SAFETY: the child has not been waited for, so the id is still its own.
            unsafe { libc::kill(id.cast_signed(), libc::SIGKILL) };
        }
    });
    drop(child.stdin.take());
    let output = child.wait_with_output().unwrap();
    let _ = ended.send(());
    watch.join().unwrap();
    assert!(begin.elapsed() < WATCHDOG, "{what} hangs");
    output
}

fn kpolc(folder: &Path, arguments: &[&str]) -> Answer {
    let child = command(folder, arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let output = wait(child, &format!("{arguments:?}"));
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    let status = output.status.code().unwrap_or_else(|| panic!("{arguments:?} ends by a signal: {}", output.status));
    assert!(!err.contains("panicked") && status != 101, "{arguments:?}: {err}");
    Answer { status, out: String::from_utf8_lossy(&output.stdout).into_owned(), err }
}

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir
}

/// Checks one text alone; the status and all that was said.
fn check(text: impl AsRef<[u8]>) -> (i32, String) {
    let dir = folder(&[("a.kpol", text.as_ref())]);
    let answer = kpolc(dir.path(), &["check", "a.kpol"]);
    (answer.status, answer.err + &answer.out)
}

fn gives(what: &str, (status, said): (i32, String), wanted: i32, word: &str) {
    let start: String = said.chars().take(3000).collect();
    assert_eq!(status, wanted, "{what}: {start}");
    assert!(said.contains(word), "{what} does not say `{word}`: {start}");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// SAFETY of both uses: these calls take nothing and cannot fail.
fn is_root() -> bool {
    // SAFETY: see above.
    unsafe { libc::geteuid() == 0 }
}

#[test]
fn what_is_no_text() {
    gives("NUL", check(b"default deny\0"), 1, "E004");
    gives("binary", check([0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0xff, 0xfe]), 1, "E004");
    gives("invalid UTF-8", check(b"default deny\nallow { \xff\xfe }\n"), 1, "E004");
    gives("a cut character", check("allow { @default } // \u{1f980}".as_bytes().split_last().unwrap().1), 1, "E004");
    gives("UTF-16", check("default deny\n".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()), 1, "E004");
    assert_eq!(check(b"").0, 0, "nothing is an empty library");
    assert_eq!(check(GOOD.replace('\n', "\r\n")).0, 0, "CRLF");
    assert_eq!(check(format!("\u{feff}{GOOD}")).0, 0, "a byte order mark");
    gives("old Mac line ends", check(GOOD.replace('\n', "\r") + "allow { opnat }"), 1, "E030");
    gives("escape sequences", check("default deny\nallow { \u{1b}[31mread }\n"), 1, "E001");
    let said = check("default deny\nallow { \u{1b}[31mread }\n").1;
    assert!(!said.contains('\u{1b}'), "what the file says does not reach the terminal: {said:?}");
}

#[test]
fn every_prefix_of_a_policy_is_answered() {
    let text = "default deny\nconst A = {1, 0x2..3}\ngroup @g { mount except { umount2 } }\n\
        when cap CAP_SYS_ADMIN && kernel >= 5.11 { allow { @g, lseek(whence in A || !(fd & 1 == 1)) } }\n\
        assert \"é\" { not allow { bpf } } /* ü */ listener \"/x\" \"y\"\n";
    let mut files = Vec::new();
    for end in 0..text.len() {
        files.push((format!("{end:04}.kpol"), text.as_bytes()[..end].to_vec()));
    }
    let list: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let dir = folder(&list);
    let answer = kpolc(dir.path(), &["check", "."]);
    assert_eq!(answer.status, 1);
    let formatted = kpolc(dir.path(), &["fmt", "--check", "."]);
    assert_eq!(formatted.status, 1);
}

#[test]
fn what_is_no_regular_file() {
    let dir = folder(&[("real/a.kpol", GOOD.as_bytes())]);
    let at = |name: &str| dir.path().join(name);
    symlink("loop.kpol", at("loop.kpol")).unwrap();
    symlink("nowhere", at("dangling.kpol")).unwrap();
    symlink("real/a.kpol", at("link.kpol")).unwrap();
    fs::create_dir(at("folder.kpol")).unwrap();
    assert!(Command::new("mkfifo").arg(at("fifo.kpol")).status().unwrap().success());
    let socket = std::os::unix::net::UnixListener::bind(at("socket.kpol")).unwrap();
    for name in ["loop.kpol", "dangling.kpol", "fifo.kpol", "socket.kpol", "/dev/zero", "none.kpol", "/proc/self/mem"] {
        let answer = kpolc(dir.path(), &["check", name]);
        assert_eq!(answer.status, 2, "{name}: {}", answer.err);
        assert!(answer.err.contains(name.trim_start_matches('/')), "{name}: {}", answer.err);
        // The same, named by an include.
        fs::write(at("main.kpol"), format!("include \"{name}\"\n{GOOD}")).unwrap();
        let answer = kpolc(dir.path(), &["check", "main.kpol"]);
        assert_ne!(answer.status, 0, "include {name}: {}", answer.err);
    }
    drop(socket);
    assert_eq!(kpolc(dir.path(), &["check", "link.kpol"]).status, 0);
}

#[test]
fn what_cannot_be_read() {
    let dir = folder(&[("a.kpol", GOOD.as_bytes()), ("main.kpol", b"include \"a.kpol\"\n")]);
    fs::set_permissions(dir.path().join("a.kpol"), fs::Permissions::from_mode(0o000)).unwrap();
    if is_root() {
        // Root reads everything: another user does not.
        let readable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(dir.path(), readable).unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_kpolc"));
        let copy = dir.path().join("kpolc");
        fs::copy(program, &copy).unwrap();
        let mut other = Command::new(&copy);
        other.current_dir(dir.path()).args(["check", "main.kpol"]).uid(65534).gid(65534);
        match other.output() {
            Ok(output) => {
                let err = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.code().is_some_and(|status| status > 0) && err.contains("E010"), "{err}");
            }
            Err(error) => eprintln!("SKIPPED: what_cannot_be_read: cannot become another user: {error}"),
        }
        return;
    }
    let answer = kpolc(dir.path(), &["check", "a.kpol"]);
    assert_eq!(answer.status, 2);
    assert!(answer.err.contains("E010"), "{}", answer.err);
    let answer = kpolc(dir.path(), &["check", "main.kpol"]);
    assert!(answer.status > 0 && answer.err.contains("E010"), "{}", answer.err);
}

#[test]
fn what_is_too_large() {
    let dir = folder(&[("main.kpol", b"include \"big.kpol\"\ndefault deny\nallow { @default }\n")]);
    // Sparse: no disk is filled by it.
    fs::File::create(dir.path().join("big.kpol")).unwrap().set_len(100 << 20).unwrap();
    let answer = kpolc(dir.path(), &["check", "big.kpol"]);
    assert_eq!(answer.status, 2, "{}", answer.err);
    assert!(answer.err.contains("E011"), "{}", answer.err);
    let answer = kpolc(dir.path(), &["check", "main.kpol"]);
    assert!(answer.status > 0 && answer.err.contains("E011"), "{}", answer.err);
}

#[test]
fn what_nests_without_end() {
    let many = 10_000;
    for (open, close) in [("{", "}"), ("allow { a(", ")}"), ("when arch x86_64 {", "}"), ("@a except {", "}")] {
        let text = format!("default deny\n{}{}\n", open.repeat(many), close.repeat(many));
        let (status, said) = check(text);
        assert_eq!(status, 1, "{open}: {}", &said[..said.len().min(2000)]);
    }
    gives("parentheses", check(format!("const A = {}1{}\n", "(".repeat(many), ")".repeat(many))), 1, "E003");
    gives("not", check(format!("default deny\nallow {{ read({}fd == 1) }}\n", "!".repeat(many))), 1, "E003");
    let mut groups = String::from("default deny\nallow { @default, @g0 }\n");
    let mut consts = String::from("default deny\nallow { @default, lseek(whence == C0) }\n");
    for index in 0..many {
        writeln!(groups, "group @g{index} {{ @g{} }}", index + 1).unwrap();
        writeln!(consts, "const C{index} = C{} | 1", index + 1).unwrap();
    }
    gives("groups", check(format!("{groups}group @g{many} {{ mount }}\n")), 1, "E027");
    gives("consts", check(format!("{consts}const C{many} = 1\n")), 1, "E027");
    gives("a circle of groups", check(format!("{groups}group @g{many} {{ @g0 }}\n")), 1, "E02");
}

#[test]
fn what_is_long() {
    let many = 100_000;
    let mut rules = String::from("default deny\nallow { @default }\n");
    for index in 0..many {
        writeln!(rules, "allow {{ lseek(offset == {index}) }}").unwrap();
    }
    let (status, said) = check(&rules);
    assert!(status == 0 || said.contains("E050") || said.contains("E053"), "{}", &said[..said.len().min(2000)]);
    // Each of these is two findings, and a group of many calls: a tenth of it says as much.
    let (status, said) = check(format!("default deny\n{}", "allow { @default, mount }\n".repeat(many / 10)));
    assert_eq!(status, 0, "{}", &said[..said.len().min(2000)]);
}

#[test]
fn what_quarrels_at_length() {
    let many = 100_000;
    let quarrel = "allow { mount }\n".repeat(many / 2) + &"kill { mount }\n".repeat(many / 2);
    gives("a quarrel of many", check(format!("default deny\nallow {{ @default }}\n{quarrel}")), 1, "E040");
    let or = (0..many).map(|value| format!("whence == {value}")).collect::<Vec<_>>().join(" || ");
    let (status, said) = check(format!("default deny\nallow {{ @default, lseek({or}) }}\n"));
    assert!(status == 0 || said.contains("E05"), "{}", &said[..said.len().min(2000)]);
    let or = "whence == 1 || ".repeat(many) + "fd == 1";
    assert_eq!(check(format!("default deny\nallow {{ @default, lseek({or}) }}\n")).0, 0);
}

#[test]
fn words_without_end() {
    let many = 100_000;
    let name = "a".repeat(1 << 20);
    gives("a long name", check(format!("default deny\nallow {{ {name} }}\n")), 1, "E030");
    gives("a long group", check(format!("default deny\nallow {{ @{name} }}\n")), 1, "E026");
    gives("a long word", check(format!("{name} {{ read }}\n")), 1, "E005");
    gives("a long number", check(format!("const A = 0x{}\n", "f".repeat(1 << 20))), 1, "E006");
    gives("a long line", check(format!("default deny\nallow {{ {} opnat }}\n", "read, ".repeat(many))), 1, "E030");
    let (status, said) = check("alow { read }\n".repeat(many / 10));
    assert!(status == 1 && said.contains("E005"));
}

#[test]
fn what_blows_up_is_refused() {
    let pairs = |join: &str| {
        let bits = (0..32).map(|bit| format!("reg0 & {0:#x} == {0:#x} && reg5 & {0:#x} == {0:#x}", 1u64 << bit));
        bits.map(|pair| format!("({pair})")).collect::<Vec<_>>().join(join)
    };
    gives("pairs of bits", check(format!("default deny\nallow {{ @default, ioctl({}) }}\n", pairs(" || "))), 1, "E050");
    let excluded = "default deny\nallow { @default, \
        ioctl(fd != 1, cmd != 2, arg & 0xff == 0 || arg & 0xff00 == 0) }\n";
    gives("exclusions on many arguments", check(excluded), 1, "E053");
}

#[test]
fn includes_wide_deep_in_circles_and_gone() {
    let mut files: Vec<(String, String)> = Vec::new();
    for index in 0..1_000 {
        files.push((format!("deep/{index}.kpol"), format!("include \"{}.kpol\"\n", index + 1)));
        files.push((format!("wide/{index}.kpol"), "allow { mount }\n".to_owned()));
        files.push((format!("circle/{index}.kpol"), format!("include \"{}.kpol\"\n", (index + 1) % 5)));
    }
    files.push(("deep/1000.kpol".to_owned(), GOOD.to_owned()));
    let includes: String = (0..1_000).map(|index| format!("include \"wide/{index}.kpol\"\n")).collect();
    files.push(("wide.kpol".to_owned(), format!("{includes}{GOOD}")));
    let all: String = (0..2_000).map(|index| format!("include \"none/{index}.kpol\"\n")).collect();
    files.push(("none.kpol".to_owned(), all));
    let list: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
    let dir = folder(&list);
    for (name, status, word) in
        [("deep/0.kpol", 1, "E014"), ("wide.kpol", 0, ""), ("circle/0.kpol", 1, "E013"), ("none.kpol", 1, "E012")]
    {
        let answer = kpolc(dir.path(), &["check", name]);
        gives(name, (answer.status, answer.err), status, word);
    }
}

#[test]
fn hostile_names_are_shown_tamely() {
    let dir = folder(&[]);
    for name in ["a\nb.kpol", "\u{1b}[2Jred.kpol", "-rf.kpol", " .kpol", "'\"$(id).kpol", "ü語.kpol", "a,b:c%0A.kpol"]
    {
        fs::write(dir.path().join(name), "default deny\nallow { opnat }\n").unwrap();
        for style in ["human", "json", "github", "gitlab", "sarif", "concise"] {
            let answer = kpolc(dir.path(), &["check", "--format", style, "--", name]);
            if answer.status == 2 && answer.err.contains("invalid value") {
                continue;
            }
            assert_eq!(answer.status, 1, "{name:?} {style}: {}", answer.err);
            let said = answer.out + &answer.err;
            assert!(said.contains("E030") && !said.contains('\u{1b}'), "{name:?} {style}: {said:?}");
        }
    }
    // Not even UTF-8.
    let odd = std::ffi::OsStr::from_bytes(b"\xff\xfe.kpol");
    fs::write(dir.path().join(odd), GOOD).unwrap();
    let child = command(dir.path(), &["check", "--"]).arg(odd).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    assert_eq!(wait(child.unwrap(), "a name that is no text").status.code(), Some(0));
    let built = kpolc(dir.path(), &["build", "."]);
    assert_eq!(built.status, 1);
    assert!(!names(dir.path()).iter().any(|name| name.contains("tmp")), "{:?}", names(dir.path()));
}

#[test]
fn project_files_of_all_sorts() {
    for (toml, status, word) in [
        ("", 0, ""),
        ("[", 2, "E061"),
        ("x = 1\n", 2, "E060"),
        ("include = 3\n", 2, "E061"),
        ("include = [[]]\n", 2, "E061"),
        ("[target]\nkernel = \"six\"\n", 2, "E061"),
        ("[lints]\nall = \"deny\"\n", 0, ""),
        ("[lints]\nE030 = \"allow\"\n", 2, "E06"),
        ("\0", 2, "E0"),
    ] {
        let dir = folder(&[("kpol.toml", toml.as_bytes()), ("a.kpol", GOOD.as_bytes())]);
        let answer = kpolc(dir.path(), &["check", "a.kpol"]);
        gives(toml, (answer.status, answer.err), status, word);
    }
    let deep = format!("include = {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    let dir = folder(&[("kpol.toml", deep.as_bytes()), ("a.kpol", GOOD.as_bytes())]);
    assert_eq!(kpolc(dir.path(), &["check", "a.kpol"]).status, 2);
    let dir = folder(&[("a.kpol", GOOD.as_bytes())]);
    fs::create_dir(dir.path().join("kpol.toml")).unwrap();
    assert_ne!(kpolc(dir.path(), &["check", "a.kpol"]).status, 101);
}

#[test]
fn targets_that_take_nothing() {
    let dir = folder(&[("a.kpol", GOOD.as_bytes()), ("out/a.json", b"old")]);
    let out = dir.path().join("out");
    // A folder stands where the file should go.
    fs::create_dir(dir.path().join("a.json")).unwrap();
    let answer = kpolc(dir.path(), &["build", "a.kpol"]);
    gives("a folder in the way", (answer.status, answer.err), 2, "E070");
    let full = kpolc(dir.path(), &["build", "a.kpol", "-o", "/proc/"]);
    assert_eq!(full.status, 2, "{}", full.err);
    let output = command(dir.path(), &["build", "a.kpol", "-o", "-"])
        .stdout(fs::OpenOptions::new().write(true).open("/dev/full").unwrap())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "a full disk: {}", String::from_utf8_lossy(&output.stderr));
    if is_root() {
        // Root writes into read-only folders; tests/interrupted.rs has a file system that is read-only.
    } else {
        fs::set_permissions(&out, fs::Permissions::from_mode(0o555)).unwrap();
        let answer = kpolc(dir.path(), &["build", "a.kpol", "-o", "out"]);
        fs::set_permissions(&out, fs::Permissions::from_mode(0o755)).unwrap();
        gives("a read-only folder", (answer.status, answer.err), 2, "E070");
        assert_eq!(fs::read(out.join("a.json")).unwrap(), b"old", "what was there is there");
    }
    // A limit on the size of files is a disk that fills up in the middle of one.
    let mut limited = command(dir.path(), &["build", "a.kpol", "-o", "out"]);
    // SAFETY: only calls that are safe between fork and exec.
    unsafe {
        limited.pre_exec(|| {
            let limit = libc::rlimit { rlim_cur: 64, rlim_max: 64 };
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit);
            Ok(())
        });
    }
    let output = limited.output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read(out.join("a.json")).unwrap(), b"old", "what was there is there, whole");
    assert_eq!(names(&out), ["a.json"], "and no litter");
}
