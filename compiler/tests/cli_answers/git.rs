//! Policies in git: what a branch changes, and what `git diff` shows.

use super::*;

/// A repository, and a shell in it with kpolc on its path; `None` without git.
struct Repository {
    dir: tempfile::TempDir,
}

impl Repository {
    fn new(files: &[(&str, &str)]) -> Option<Self> {
        if Command::new("git").arg("--version").output().is_err() {
            eprintln!("SKIPPED: no git");
            return None;
        }
        let repository = Self { dir: tempfile::tempdir().unwrap() };
        for (name, text) in files {
            repository.write(name, text);
        }
        let attributes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../integrations/gitattributes");
        fs::copy(attributes, repository.dir.path().join(".gitattributes")).unwrap();
        repository.sh("git init -q . && git config user.name T && git config user.email t@example.org");
        repository.sh(&documented_git_setup());
        repository.sh("git add . && git commit -qm first && git tag first");
        Some(repository)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn sh(&self, script: &str) -> String {
        let path = Path::new(env!("CARGO_BIN_EXE_kpolc")).parent().unwrap();
        let path = format!("{}:{}", path.display(), std::env::var("PATH").unwrap());
        let output = Command::new("sh")
            .args(["-ec", script])
            .current_dir(&self.dir)
            .env("PATH", path)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_PAGER", "cat")
            .output()
            .unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn kpolc(&self, arguments: &[&str]) -> Answer {
        kpolc(self.dir.path(), arguments)
    }
}

const WEB: &str = "include \"../lib/base.kpol\"\ndefault deny\nallow { read }\n";

#[test]
fn a_policy_is_compared_with_its_own_past_includes_and_all() {
    let Some(repository) = Repository::new(&[("conf/web.kpol", WEB), ("lib/base.kpol", "allow { write }\n")]) else {
        return;
    };
    let same = repository.kpolc(&["diff", "--git", "HEAD", "conf/web.kpol"]);
    assert_eq!((same.status, same.err.as_str()), (0, ""), "{}", same.out);
    // The policy stays, and what it includes changes: the past has the include of the past.
    repository.write("lib/base.kpol", "allow { write, mount }\n");
    let answer = repository.kpolc(&["diff", "--git", "first", "conf/web.kpol"]);
    assert!(
        answer.out.starts_with("from first:conf/web.kpol to conf/web.kpol\n\nmore permissive: 1 call"),
        "{}{}",
        answer.out,
        answer.err
    );
    assert!(answer.out.contains("    mount\n") && answer.status == 1, "{}", answer.out);
    // As a hook runs it.
    let hooked = repository.sh("GIT_DIR=.git kpolc diff --git first conf/web.kpol --fail-on never");
    assert_eq!(hooked, answer.out);
    // From another folder, and with an include that is no more.
    fs::remove_file(repository.dir.path().join("lib/base.kpol")).unwrap();
    repository.write("conf/web.kpol", "default deny\nallow { read }\n");
    let answer =
        kpolc(&repository.dir.path().join("conf"), &["diff", "--git", "HEAD", "web.kpol", "--fail-on", "widen"]);
    assert!(
        answer.out.contains("stricter: 1 call\n  allow → deny(EPERM)\n    write\n"),
        "{}{}",
        answer.out,
        answer.err
    );
    assert_eq!(answer.status, 0);
}

#[test]
fn what_git_does_not_have_is_said() {
    let Some(repository) = Repository::new(&[("web.kpol", "default deny\nallow { read }\n")]) else { return };
    repository.write("new.kpol", "default deny\n");
    repository.sh("ln -s web.kpol link.kpol; git add link.kpol; git commit -qm link");
    for (revision, path, word) in [
        ("nowhere", "web.kpol", "git knows no revision `nowhere`"),
        ("--output=x", "web.kpol", "git knows no revision `--output=x`"),
        ("HEAD:web.kpol", "web.kpol", "git knows no revision"),
        ("", "web.kpol", "git knows no revision"),
        ("HEAD", "new.kpol", "the revision has no such file"),
        ("HEAD", "link.kpol", "symbolic link"),
        ("HEAD", "gone/x.kpol", "the revision has no such file"),
        ("HEAD", ":(glob)*.kpol", "the revision has no such file"),
    ] {
        let answer = repository.kpolc(&["diff", &format!("--git={revision}"), path]);
        assert_eq!((answer.status, answer.out.as_str()), (2, ""), "{revision} {path}: {}", answer.err);
        assert!(answer.err.contains(word), "{revision} {path}: {}", answer.err);
    }
    let two = repository.kpolc(&["diff", "--git", "HEAD", "web.kpol", "new.kpol"]);
    assert_eq!(two.status, 2, "one file has a past");
    let outside = folder(&[("web.kpol", b"default deny\n")]);
    let answer = kpolc(outside.path(), &["diff", "--git", "HEAD", "web.kpol"]);
    assert!(answer.status == 2 && answer.err.contains("in no working tree of git"), "{}", answer.err);
    let without = Command::new(env!("CARGO_BIN_EXE_kpolc"))
        .args(["diff", "--git", "HEAD", "web.kpol"])
        .current_dir(&repository.dir)
        .env("PATH", "/nowhere")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&without.stderr).into_owned();
    assert!(without.status.code() == Some(2) && said.contains("cannot run git"), "{said}");
}

#[test]
fn git_diff_shows_text_where_a_file_means_nothing_by_itself() {
    let files = [("conf/web.kpol", WEB), ("lib/base.kpol", "allow { write }\n"), ("old.kpol", "default deny\n")];
    let Some(repository) = Repository::new(&files) else { return };
    repository.write("lib/base.kpol", "allow { write, mount }\n");
    repository.write("-new.kpol", "default kill\n");
    repository.sh("rm old.kpol; git add -A");
    let shown = repository.sh("git diff --cached");
    for lines in [
        "--- a/lib/base.kpol\n+++ b/lib/base.kpol\n@@ -1 +1 @@\n-allow { write }\n+allow { write, mount }\n",
        "--- /dev/null\n+++ b/-new.kpol\n@@ -0,0 +1 @@\n+default kill\n",
        "--- a/old.kpol\n+++ /dev/null\n@@ -1 +0,0 @@\n-default deny\n",
    ] {
        assert!(shown.contains(lines), "{lines}\n{shown}");
    }
    repository.sh("git commit -qm second");
    repository.write("conf/web.kpol", &WEB.replace("read", "read, close"));
    let shown = repository.sh("git diff");
    assert!(shown.contains("from a/conf/web.kpol to b/conf/web.kpol\n\nmore permissive: 1 call"), "{shown}");
    // From a folder git names paths from the root.
    assert_eq!(repository.sh("cd conf && git diff"), shown);
    repository.write("conf/web.kpol", "default deny allow { opnat }\n");
    let shown = repository.sh("git diff 2>&1");
    assert!(shown.contains("no syscall `opnat`") && shown.contains("+default deny allow { opnat }\n"), "{shown}");
}
