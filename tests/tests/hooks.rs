//! The hooks of `.pre-commit-hooks.yaml` under the programs that people run them with: a commit that is in order is let through,
//! and one that is not is refused, in words that say why.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kpol_tests::binaries::binary;
use kpol_tests::skip::{Skip, or_skip, program};
use kpol_tests::tools::{self, python, workspace};
use tempfile::TempDir;

const GOOD: &str = "default deny(EPERM)\n\ninclude <base/runtime>\n\nallow { read, write }\n";
/// The same, as somebody in a hurry writes it.
const UGLY: &str = "default deny(EPERM)\n\ninclude <base/runtime>\n\nallow { read,write }\n";
const WRONG: &str = "default deny(EPERM)\n\ninclude <base/runtime>\n\nallow { raed, write }\n";

/// A command that reads no configuration of the machine's, and asks nobody.
fn command(program: impl AsRef<std::ffi::OsStr>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null());
    command.envs([
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_SYSTEM", "/dev/null"),
        ("GIT_TERMINAL_PROMPT", "0"),
    ]);
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "kpol").env(format!("GIT_{who}_EMAIL"), "kpol@example.org");
    }
    // Git sets these for its hooks, and this test may be run by one.
    for name in ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"] {
        command.env_remove(name);
    }
    command
}

/// Whether it ended well, and all that it said.
fn run(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let (fine, said) = run(command("git", folder).args(arguments));
    assert!(fine, "git {arguments:?}: {said}");
    said.trim().to_owned()
}

fn cargo_home() -> PathBuf {
    let default = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cargo");
    std::env::var_os("CARGO_HOME").map_or_else(default, PathBuf::from)
}

/// This project as a repository of one commit, as it stands here.
fn project() -> Result<TempDir, Skip> {
    let folder = tempfile::tempdir().unwrap();
    let list = command("git", &workspace()).args(["ls-files", "-z", "-co", "--exclude-standard"]).output().unwrap();
    if !list.status.success() {
        return Err(Skip("the project is no checkout of git here".into()));
    }
    for name in String::from_utf8(list.stdout).unwrap().split_terminator('\0') {
        let (from, to) = (workspace().join(name), folder.path().join(name));
        // What is deleted here, and not yet in a commit, is listed all the same.
        if from.is_file() {
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(from, to).unwrap();
        }
    }
    git(folder.path(), &["init", "-q"]);
    git(folder.path(), &["add", "-A"]);
    git(folder.path(), &["commit", "-q", "-m", "all"]);
    Ok(folder)
}

/// A user's repository with hooks in it.
struct User {
    folder: TempDir,
    /// Where the hooks keep what they fetch and build.
    home: TempDir,
    tool: PathBuf,
}

impl User {
    fn new(tool: PathBuf, hooks: &Path, kind: &str) -> Self {
        let user = Self { folder: tempfile::tempdir().unwrap(), home: tempfile::tempdir().unwrap(), tool };
        // prek has a Cargo home of its own. Crates that are here need not be fetched again.
        let cargo = user.home.path().join("cache/cargo");
        fs::create_dir_all(&cargo).unwrap();
        std::os::unix::fs::symlink(cargo_home().join("registry"), cargo.join("registry")).unwrap();
        let revision = git(hooks, &["rev-parse", "HEAD"]);
        let mut config = format!("repos:\n  - repo: {}\n    rev: {revision}\n    hooks:\n", hooks.display());
        for id in ["kpol-check", "kpol-fmt", "kpol-build-check"] {
            config.push_str(&format!("      - id: {id}{kind}\n"));
        }
        user.write(".pre-commit-config.yaml", &config);
        git(user.folder.path(), &["init", "-q"]);
        let (fine, said) = run(user.hooked(&user.tool).arg("install"));
        assert!(fine, "{said}");
        user
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    /// Hooks of `language: rust` are built without what only makes them fast, into a folder that stays.
    fn hooked(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = command(program, self.folder.path());
        command.env("PRE_COMMIT_HOME", self.home.path()).env("PREK_HOME", self.home.path());
        let built = binary("kpolc");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let search = std::iter::once(built.parent().unwrap().to_owned()).chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(search).unwrap());
        tools::like_packages(tools::quick_release(&mut command));
        // pre-commit does not heed `Cargo.lock`: without the network Cargo can but take what this project was built with.
        command.env("CARGO_NET_OFFLINE", "true");
        command
    }

    fn commit(&self) -> (bool, String) {
        git(self.folder.path(), &["add", "-A"]);
        run(self.hooked("git").args(["commit", "-m", "change"]))
    }

    fn build(&self) {
        let (fine, said) = run(command(binary("kpolc"), self.folder.path()).args(["build", "."]));
        assert!(fine, "{said}");
    }
}

/// A day with the hooks.
fn a_day(tool: &str, kind: &str) {
    let Some(path) = or_skip(program("git").and_then(|_| python(tool))) else { return };
    let Some(project) = or_skip(project()) else { return };
    let user = User::new(path, project.path(), kind);

    user.write("my web.kpol", GOOD);
    user.write("of a team/base lines.kpol", "group @ours { read }\n");
    user.build();
    let (fine, said) = user.commit();
    assert!(fine, "{tool}{kind}: all is in order, but\n{said}");

    user.write("my web.kpol", UGLY);
    let (fine, said) = user.commit();
    assert!(!fine && said.contains("the one style"), "{tool}{kind}\n{said}");
    assert_eq!(user.read("my web.kpol"), GOOD, "what a hook can mend it does mend");

    user.write("of a team/base lines.kpol", "group @ours { raed }\n");
    let (fine, said) = user.commit();
    assert!(!fine && said.contains("E030") && said.contains("of a team/base lines.kpol:1:15"), "{tool}{kind}\n{said}");
    user.write("of a team/base lines.kpol", "group @ours { read }\n");

    user.write("my web.kpol", WRONG);
    let (fine, said) = user.commit();
    assert!(!fine && said.contains("did you mean `read`"), "{tool}{kind}\n{said}");

    user.write("my web.kpol", &GOOD.replace("read, write", "read, shutdown, write"));
    let (fine, said) = user.commit();
    assert!(!fine && said.contains("my web.json"), "{tool}{kind}: the JSON is stale, but\n{said}");
    user.build();
    let (fine, said) = user.commit();
    assert!(fine, "{tool}{kind}\n{said}");

    // Who edits the product by hand hears of it too, though no policy changed.
    user.write("my web.json", &user.read("my web.json").replace("SCMP_ACT_ERRNO", "SCMP_ACT_LOG"));
    let (fine, said) = user.commit();
    assert!(!fine && said.contains("SCMP_ACT_LOG"), "{tool}{kind}\n{said}");
}

#[test]
fn pre_commit_with_kpolc_on_the_path() {
    a_day("pre-commit", "-system");
}

#[test]
fn prek_with_kpolc_on_the_path() {
    a_day("prek", "-system");
}

#[test]
fn both_build_the_hooks_from_source() {
    // One after the other: they share what is built.
    a_day("pre-commit", "");
    a_day("prek", "");
}
