//! What is handed out: static binaries, a package for Debian and a container. They are made as `docs/packages.md` says, installed,
//! used as somebody would, and removed again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use kpol_tests::containers;
use kpol_tests::skip::{Skip, need_root, or_skip, program};
use kpol_tests::tools::{crates, quick_release, workspace};

const POLICY: &str = "default deny(EPERM)\ninclude <base/runtime>\n";

fn run(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", said(&output));
    output
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// `packaging/build`, and where it puts things.
fn build(what: &[&str], search: &Path) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(search.to_owned()).chain(std::env::split_paths(&path));
    let mut command = Command::new(workspace().join("packaging/build"));
    run(quick_release(command.args(what).env("PATH", std::env::join_paths(path).unwrap())));
    workspace().join("target/packages")
}

/// Files below a folder, by their paths from there.
fn files(root: &Path) -> BTreeSet<String> {
    fn walk(folder: &Path, all: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, all) } else { all.push(path) }
        }
    }
    let mut all = Vec::new();
    walk(root, &mut all);
    all.iter().map(|path| path.strip_prefix(root).unwrap().display().to_string()).collect()
}

/// A root of its own, in which dpkg has nothing installed.
struct Root(tempfile::TempDir);

impl Root {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("var/lib/dpkg/status"), "").unwrap();
        Self(root)
    }

    fn dpkg(&self, arguments: &[&str]) -> Output {
        run(Command::new("dpkg")
            .arg(format!("--root={}", self.0.path().display()))
            .arg("--log=/dev/null")
            .args(arguments))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// One after the other: both build, into one folder.
#[test]
fn packages_are_made_installed_used_and_removed() {
    let tools =
        crates("cargo-deb").and_then(|deb| program("dpkg").map(|_| deb)).and_then(|deb| need_root().map(|()| deb));
    let folder = match or_skip(tools) {
        Some(cargo_deb) => {
            let folder = build(&["--deb"], cargo_deb.parent().unwrap());
            debian(&folder);
            folder
        }
        None => build(&["--static"], Path::new("/usr/bin")),
    };
    static_binaries(&folder.join("static"));
    container(&folder.join("static"));
}

fn debian(folder: &Path) {
    let version = env!("CARGO_PKG_VERSION");
    let package = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let package = package.filter(|path| path.extension().is_some_and(|end| end == "deb"));
    let package = package.max_by_key(|path| path.metadata().unwrap().modified().unwrap()).expect("a .deb");
    let control = said(&run(Command::new("dpkg-deb").arg("-f").arg(&package)));
    assert!(control.contains(&format!("Version: {version}-")), "{control}");

    let root = Root::new();
    let before = files(&root.path("var/lib/dpkg"));
    let warned = said(&root.dpkg(&["-i", package.to_str().unwrap()]));
    assert!(!warned.contains("warning"), "{warned}");
    let kpolc = root.path("usr/bin/kpolc");
    assert_eq!(said(&run(Command::new(&kpolc).arg("--version"))).trim(), format!("kpolc {version}"));

    // Manual pages: one for each command that there is, and they read as such.
    let help = said(&run(Command::new(&kpolc).arg("--help")));
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let installed = files(&root.path("usr/share"));
    for command in commands.filter_map(|line| line.split_whitespace().next()).filter(|&name| name != "help") {
        assert!(installed.contains(&format!("man/man1/kpolc-{command}.1.gz")), "no page for {command}: {installed:?}");
    }
    let page = said(&run(Command::new("gzip").arg("-dc").arg(root.path("usr/share/man/man1/kpolc.1.gz"))));
    assert!(page.contains(".TH kpolc 1") && installed.contains("man/man1/kpol-lsp.1.gz"), "{page}");

    completions(&root);
    assert!(installed.contains("doc/kpol/copyright"), "{installed:?}");

    // The library to read is the one inside.
    for file in kpol_compiler::library::files() {
        let shown = fs::read_to_string(root.path("usr/share/kpol/library").join(format!("{}.kpol", file.name)));
        assert_eq!(shown.as_deref().ok(), Some(file.text), "{}", file.name);
    }

    // What the trigger of shared-mime-info does.
    if let Some(update) = or_skip(program("update-mime-database")) {
        run(Command::new(update).arg(root.path("usr/share/mime")));
        let globs = fs::read_to_string(root.path("usr/share/mime/globs2")).unwrap();
        assert!(globs.contains("text/x-kpol:*.kpol"), "{globs}");
        if let Some(gio) = or_skip(program("gio")) {
            let file = root.path("web.kpol");
            fs::write(&file, POLICY).unwrap();
            let mut command = Command::new(gio);
            command.env("XDG_DATA_DIRS", root.path("usr/share")).env("XDG_DATA_HOME", root.path("none"));
            let answer = said(&run(command.args(["info", "-a", "standard::content-type"]).arg(file)));
            assert!(answer.contains("standard::content-type: text/x-kpol\n"), "{answer}");
        }
        for made in fs::read_dir(root.path("usr/share/mime")).unwrap().map(|entry| entry.unwrap().path()) {
            if made.is_file() {
                fs::remove_file(made).unwrap();
            }
        }
        fs::remove_dir_all(root.path("usr/share/mime/text")).unwrap();
    }

    root.dpkg(&["--purge", "kpol"]);
    assert!(!root.path("usr").exists(), "{:?} are left", files(&root.path("usr")));
    let left: Vec<String> = files(&root.path("var/lib/dpkg")).difference(&before).cloned().collect();
    assert!(left.iter().all(|name| !name.contains("kpol")), "{left:?}");
}

/// What TAB does in the shells that are there.
fn completions(root: &Root) {
    let share = |name: &str| root.path("usr/share").join(name);
    let script = "source \"$1\"; COMP_WORDS=(kpolc bu); COMP_CWORD=1; _kpolc kpolc bu kpolc; echo \"${COMPREPLY[@]}\"";
    let mut bash = Command::new("bash");
    let answer = said(&run(bash.args(["-c", script, "bash"]).arg(share("bash-completion/completions/kpolc"))));
    assert_eq!(answer.trim(), "build");

    if let Some(zsh) = or_skip(program("zsh")) {
        // A shell that waits for ever is no answer.
        let mut command = Command::new("timeout");
        command.args(["-k", "5", "120"]).arg(zsh).arg("-f").arg(workspace().join("tests/packages/complete.zsh"));
        command.arg(share("zsh/vendor-completions")).args([
            "kpolc b",
            "kpolc build --optimize=ti",
            "kpolc build --opti",
        ]);
        let answer = said(&run(&mut command));
        let lines: Vec<&str> = answer.lines().map(str::trim).collect();
        assert_eq!(lines, ["kpolc build", "kpolc build --optimize=time", "kpolc build --optimize="]);
    }
    if let Some(fish) = or_skip(program("fish")) {
        let script = "set fish_complete_path $argv[1]; for line in $argv[2..]; complete -C $line; end";
        let mut command = Command::new(fish);
        command.args(["--no-config", "-c", script]).arg(share("fish/vendor_completions.d"));
        let home = tempfile::tempdir().unwrap();
        // Completions are for commands that are there.
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(root.path("usr/bin")).chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(path).unwrap());
        command.env("HOME", home.path()).env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME");
        let answer = said(&run(command.args(["kpolc b", "kpolc build --optimize ti"])));
        let words: Vec<&str> = answer.lines().filter_map(|line| line.split('\t').next()).collect();
        assert_eq!(words, ["build", "time"], "{answer}");
    }
}

/// A root that has nothing but the binary: no loader, no C library.
fn static_binaries(folder: &Path) {
    let Some(chroot) = or_skip(program("chroot").and_then(|path| need_root().map(|()| path))) else { return };
    let root = tempfile::tempdir().unwrap();
    for name in ["kpolc", "kpol-lsp"] {
        fs::copy(folder.join(name), root.path().join(name)).unwrap();
    }
    fs::write(root.path().join("web.kpol"), POLICY).unwrap();
    run(Command::new(&chroot).arg(root.path()).args(["/kpolc", "build", "web.kpol", "--emit", "json,bpf"]));
    assert!(root.path().join("web.json").is_file() && root.path().join("web.bpf").is_file());
    // It ends with its editor. There is none here, and it says by 1 that nobody has said good-bye.
    let server = Command::new(&chroot).arg(root.path()).arg("/kpol-lsp").stdin(Stdio::null()).output().unwrap();
    assert_eq!(server.status.code(), Some(1), "{}", said(&server));
}

fn container(folder: &Path) {
    let tools =
        program("podman").and_then(|path| program("crun").map(|_| path)).and_then(|path| need_root().map(|()| path));
    let Some(podman) = or_skip(tools) else { return };
    let state = tempfile::tempdir().unwrap();
    let surroundings = || containers::surroundings(state.path());
    let podman = |arguments: &[&str]| -> Result<String, Skip> {
        let mut command = surroundings()?;
        command.arg(&podman).args(["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--runtime", "crun"]);
        for (option, folder) in [("--root", "root"), ("--runroot", "runroot"), ("--tmpdir", "tmp")] {
            command.arg(option).arg(state.path().join(folder));
        }
        Ok(said(&run(command.args(arguments).current_dir(folder))))
    };
    let recipe = workspace().join("packaging/Containerfile");
    let built = podman(&["build", "-q", "-t", "kpolc", "-f", recipe.to_str().unwrap(), "."]);
    let Some(_) = or_skip(built) else { return };
    // An image is a tar of tars: what is in the one layer is all there is.
    let image = state.path().join("image");
    podman(&["save", "-q", "--format", "oci-dir", "-o", image.to_str().unwrap(), "kpolc"]).unwrap();
    let layers = fs::read_dir(image.join("blobs/sha256")).unwrap().map(|entry| entry.unwrap().path());
    let listed = layers.filter_map(|blob| {
        let output = Command::new("tar").arg("-tf").arg(blob).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    });
    let files: Vec<String> = listed.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    let files: Vec<&String> = files.iter().filter(|name| !name.ends_with('/')).collect();
    assert_eq!(files, ["usr/bin/kpolc"], "nothing else is in it");
    // As on the page, but without what a small machine would refuse.
    let user = tempfile::tempdir().unwrap();
    fs::write(user.path().join("web.kpol"), POLICY).unwrap();
    let volume = format!("{}:/work", user.path().display());
    let small = ["--cgroups=disabled", "--network=none", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1000:1000"];
    let line = [&["run", "--rm", "-v", &volume], &small[..], &["localhost/kpolc", "check", "."]].concat();
    let answer = podman(&line).unwrap();
    assert!(answer.contains("no findings"), "{answer}");
}
