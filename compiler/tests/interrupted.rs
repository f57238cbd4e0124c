//! What is on the disk when the world fails in the middle of a build: a signal at each step, a step that fails, an
//! include that vanishes while it is read, a disk that is full or read-only.
//!
//! strace puts the fault in at the N-th call of a kind, for every N until the build comes through: nothing here hangs on
//! time or on luck.
//!
//! ```text
//! strace -e inject=renameat2:signal=SIGTERM:when=2 kpolc build …      the signal comes while the second name changes
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const KPOLC: &str = env!("CARGO_BIN_EXE_kpolc");
const POLICY: &str = "default deny\nallow { @default, @mine }\n";

/// Three policies that share an include; two of the products exist, in an old state.
struct Scene {
    dir: tempfile::TempDir,
    new: Vec<Vec<u8>>,
}

const NAMES: [&str; 3] = ["a.json", "b.json", "c.json"];

#[derive(Debug, PartialEq, Eq)]
enum State {
    Old,
    New,
}

impl Scene {
    fn set() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("lib.kpol"), "group @mine { uname }\n").unwrap();
        for name in ["a", "b", "c"] {
            let text = format!("include \"lib.kpol\"\n{POLICY}allow {{ mkdir }}\n");
            fs::write(dir.path().join(name).with_extension("kpol"), text).unwrap();
        }
        let scene = Self { dir, new: Vec::new() };
        fs::create_dir(scene.out()).unwrap();
        let built = scene.build(&[]);
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let new = NAMES.map(|name| fs::read(scene.out().join(name)).unwrap()).to_vec();
        Self { new, ..scene }
    }

    fn out(&self) -> std::path::PathBuf {
        self.dir.path().join("out")
    }

    fn reset(&self) {
        fs::remove_dir_all(self.out()).unwrap();
        fs::create_dir(self.out()).unwrap();
        fs::write(self.out().join("a.json"), "old").unwrap();
        fs::write(self.out().join("b.json"), "old").unwrap();
    }

    /// The build, under strace with these arguments if there are any.
    fn build(&self, strace: &[&str]) -> Output {
        let mut command = if strace.is_empty() { Command::new(KPOLC) } else { Command::new("strace") };
        if !strace.is_empty() {
            command.args(["-qq", "-o", "/dev/null"]).args(strace).arg(KPOLC);
        }
        command.current_dir(self.dir.path()).args(["build", "a.kpol", "b.kpol", "c.kpol", "-o", "out/"]);
        command.output().unwrap()
    }

    /// Everything that is in the folder of products.
    fn listing(&self) -> Vec<(String, Vec<u8>)> {
        let mut all: Vec<_> = fs::read_dir(self.out())
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
            })
            .collect();
        all.sort();
        all
    }

    /// All files are old, or all are new; nothing else lies there.
    fn state(&self, what: &str) -> State {
        let found = self.listing();
        let new: Vec<_> = NAMES.iter().map(|name| (*name).to_owned()).zip(self.new.iter().cloned()).collect();
        let old = [("a.json".to_owned(), b"old".to_vec()), ("b.json".to_owned(), b"old".to_vec())];
        if found == new {
            State::New
        } else if found == old {
            State::Old
        } else {
            let names: Vec<_> = found.iter().map(|(name, text)| (name, text.len())).collect();
            panic!("{what}: neither all old nor all new: {names:?}");
        }
    }

    /// Builds with `fault` at the first call of that kind, at the second, and so on, until there are no more.
    fn at_each(&self, call: &str, fault: &str, mut check: impl FnMut(&Output, &str)) -> usize {
        for nth in 1..100 {
            self.reset();
            let inject = format!("inject={call}:{fault}:when={nth}");
            let output = self.build(&["-e", &format!("trace={call}"), "-e", &inject]);
            if output.status.success() {
                assert_eq!(self.state(&inject), State::New);
                return nth - 1;
            }
            assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{inject}");
            check(&output, &inject);
        }
        panic!("{call} is made a hundred times");
    }
}

/// Whether there is a strace that can put faults in.
fn can_inject() -> bool {
    let tried =
        Command::new("strace").args(["-qq", "-o", "/dev/null", "-e", "inject=fsync:error=EIO", "true"]).output();
    let can = tried.as_ref().is_ok_and(|output| output.status.success());
    if !can {
        assert!(std::env::var_os("KPOL_NO_SKIP").is_none(), "can't run here: no strace");
        eprintln!("SKIPPED: {}: no strace that can inject", std::thread::current().name().unwrap_or("test"));
    }
    can
}

/// The calls of a commit in their order.
const STEPS: [&str; 5] = ["write", "fsync", "renameat2", "rename", "unlink"];

#[test]
fn a_signal_at_any_step_leaves_all_old_or_all_new_and_no_litter() {
    if !can_inject() {
        return;
    }
    let scene = Scene::set();
    let (mut old, mut new) = (0, 0);
    for (signal, steps) in [("SIGTERM", &STEPS[..]), ("SIGINT", &["fsync", "renameat2"]), ("SIGHUP", &["fsync"])] {
        for call in steps {
            scene.at_each(call, &format!("signal={signal}"), |_, inject| match scene.state(inject) {
                State::Old => old += 1,
                State::New => new += 1,
            });
        }
    }
    assert!(old > 5 && new > 3, "the signals came before and after the first name changed: {old}, {new}");
}

#[test]
fn not_even_sigkill_leaves_half_a_file() {
    if !can_inject() {
        return;
    }
    let scene = Scene::set();
    for call in ["write", "fsync", "renameat2", "unlink"] {
        scene.at_each(call, "signal=SIGKILL", |_, inject| {
            for (name, text) in scene.listing().iter().filter(|(name, _)| NAMES.contains(&name.as_str())) {
                let new = &scene.new[NAMES.iter().position(|known| known == name).unwrap()];
                assert!(text == b"old" || text == new, "{inject}: {name} is neither old nor new");
            }
        });
    }
}

#[test]
fn a_step_that_fails_is_told_and_undone() {
    if !can_inject() {
        return;
    }
    let scene = Scene::set();
    for (call, fault) in [("fsync", "error=EIO"), ("write", "error=ENOSPC"), ("renameat2", "error=EIO")] {
        let faults = scene.at_each(call, fault, |output, inject| {
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{inject}: {said}");
            assert!(said.contains("E070"), "{inject}: {said}");
            // Only the names themselves are synced after they have changed, and then it says so.
            let state = scene.state(inject);
            assert!(state == State::Old || said.contains("perhaps not for good"), "{inject}: {said}");
        });
        assert!(faults >= 2, "{call}");
    }
}

#[test]
fn an_include_that_vanishes_or_breaks_while_it_is_read_is_told() {
    if !can_inject() {
        return;
    }
    let scene = Scene::set();
    let lib = fs::canonicalize(scene.dir.path().join("lib.kpol")).unwrap();
    let mut seen = 0;
    for (call, error) in [("openat", "ENOENT"), ("openat", "EACCES"), ("read", "EIO")] {
        for nth in 1..20 {
            scene.reset();
            let inject = format!("inject={call}:error={error}:when={nth}");
            let paths = ["-P", "lib.kpol", "-P", lib.to_str().unwrap()];
            let output = scene.build(&[&["-f", "-e", &format!("trace={call}"), "-e", &inject][..], &paths].concat());
            if output.status.success() {
                break;
            }
            seen += 1;
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains("lib.kpol") && !said.contains("panicked"), "{inject}: {said}");
            assert!(said.contains("E010") || said.contains("E012"), "{inject}: {said}");
            assert_eq!(scene.state(&inject), State::Old, "nothing is written");
        }
    }
    assert!(seen >= 3, "{seen} faults met the include");
}

/// A shell command where `/mnt` is a small file system of its own, with an old product in it; `$0` is kpolc.
fn on_a_small_disk(folder: &Path, script: &str) -> Option<Output> {
    let script = format!(
        "mount -t tmpfs -o size=64k none /mnt && mkdir /mnt/out && printf old > /mnt/out/a.json && echo mounted >&2 && {script}"
    );
    let output = Command::new("unshare").args(["--mount", "sh", "-c", &script, KPOLC]).current_dir(folder).output();
    let output = output.ok().filter(|output| output.stderr.starts_with(b"mounted\n"));
    if output.is_none() {
        eprintln!("SKIPPED: {}: cannot mount here", std::thread::current().name().unwrap_or("test"));
    }
    output
}

#[test]
fn a_full_or_read_only_disk_leaves_what_was_there() {
    let scene = Scene::set();
    for (prepare, word) in [
        ("{ cat /dev/zero > /mnt/fill 2>/dev/null; true; }", "No space left"),
        ("mount -o remount,ro /mnt", "Read-only file system"),
    ] {
        for verb in ["build a.kpol b.kpol -o /mnt/out/", "build a.kpol b.kpol --install=/mnt/out"] {
            let script =
                format!("{prepare} && {{ \"$0\" {verb}; status=$?; cat /mnt/out/*; ls -A /mnt/out; exit $status; }}");
            let Some(output) = on_a_small_disk(scene.dir.path(), &script) else { return };
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{verb}: {said}");
            assert!(said.contains("E070") && said.contains(word), "{verb}: {said}");
            assert_eq!(String::from_utf8_lossy(&output.stdout), "olda.json\n", "{verb}");
        }
    }
}
