//! Editors: installed as their page in `docs/editors` says, and driven as a user would drive them.
//!
//! ```text
//! Desk::new("neovim")            a home of its own, after the commands of docs/editors/neovim.md
//! desk.see(&nvim, &[script])     web.kpol is open, the script does what a user does  →  what was seen, as JSON
//! Screen::open(&desk, &helix, …) the same at a terminal: keys in, a picture out  →  what is there is read off
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::binaries::binary;
use crate::skip::{Skip, cache_dir, program};

/// A profile with one mistake, `lisen`, and one line out of style.
pub const WEB: &str = "default deny(EPERM)\ninclude \"lib.kpol\"\n\n\
    allow { @default, @worker, socket(family == AF_UNIX), lisen }\nlog   { ptrace(request == TRACED) }\n";
/// What it includes.
pub const LIB: &str =
    "/// What a worker needs.\ngroup @worker { accept4, epoll_wait }\nconst TRACED = PTRACE_TRACEME\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// An editor that `tests/editors/fetch.sh` unpacked.
pub fn editor(name: &str) -> Result<PathBuf, Skip> {
    let path = cache_dir().join("editors/bin").join(name);
    let why = || Skip(format!("no {} (tests/setup.sh fetches it)", path.display()));
    path.canonicalize().map_err(|_| why())
}

/// The script of that name in `tests/editors`.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("editors").join(name)
}

/// A user's home with one editor in it that knows kpol, and a project.
#[derive(Debug)]
pub struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    /// Runs the first `sh` block of `docs/editors/NAME.md`, as a user would who has read no further.
    ///
    /// # Panics
    /// When that fails.
    pub fn new(name: &str) -> Result<Self, Skip> {
        program("cc")?;
        let desk = Self { folder: tempfile::tempdir().unwrap() };
        for (file, text) in [("web.kpol", WEB), ("lib.kpol", LIB), ("kpol.toml", "")] {
            fs::create_dir_all(desk.project()).unwrap();
            fs::write(desk.project().join(file), text).unwrap();
        }
        let page = fs::read_to_string(root().join("docs/editors").join(name).with_extension("md")).unwrap();
        let (_, rest) = page.split_once("\n```sh\n").expect("a page says how to install");
        let (commands, _) = rest.split_once("\n```").unwrap();
        // And once more, as for the next release.
        for _ in 0..2 {
            let output = desk.command("sh").args(["-euc", commands]).current_dir(root()).output().unwrap();
            assert!(output.status.success(), "{name}: {}", said(&output));
        }
        Ok(desk)
    }

    /// The user's home.
    pub fn home(&self) -> &Path {
        self.folder.path()
    }

    /// The folder with `web.kpol`.
    pub fn project(&self) -> PathBuf {
        self.home().join("project")
    }

    /// A program of this user, in the project. It ends after some minutes, whatever it does.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let server = binary("kpol-lsp");
        binary("kpolc");
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("timeout");
        command.args(["-k", "5", "240"]).arg(program).current_dir(self.project()).stdin(Stdio::null());
        command.env("PATH", format!("{}:{path}", server.parent().unwrap().display()));
        for name in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "LD_LIBRARY_PATH"] {
            command.env_remove(name);
        }
        command.env("HOME", self.home()).env("TERM", "xterm-256color").env("LC_ALL", "C.UTF-8");
        command
    }

    /// Lets an editor run a script, which writes what it saw to the file in `KPOL_SEEN`.
    ///
    /// # Panics
    /// When it wrote nothing, or that something did not happen.
    pub fn see(&self, editor: &Path, arguments: &[&str]) -> Value {
        let file = self.home().join("seen.json");
        let output = self.command(editor).args(arguments).env("KPOL_SEEN", &file).output().unwrap();
        let seen = fs::read_to_string(&file).unwrap_or_else(|_| panic!("{}", said(&output)));
        let seen: Value = serde_json::from_str(&seen).unwrap();
        assert!(seen["trouble"].is_null(), "{}\n{seen:#}", seen["trouble"].as_str().unwrap_or_default());
        seen
    }
}

/// An editor at a terminal of 110 columns and 40 lines.
#[derive(Debug)]
pub struct Screen<'a> {
    desk: &'a Desk,
    tmux: PathBuf,
}

impl<'a> Screen<'a> {
    /// Starts an editor in the project.
    ///
    /// # Panics
    /// When tmux can't.
    pub fn open(desk: &'a Desk, editor: &Path, arguments: &[&str]) -> Result<Self, Skip> {
        let screen = Self { desk, tmux: program("tmux")? };
        let editor = editor.to_str().unwrap();
        let start = ["-f", "/dev/null", "new-session", "-d", "-x", "110", "-y", "40", editor];
        screen.tmux(&[&start[..], arguments].concat());
        Ok(screen)
    }

    /// A server of its own, which ends with the editor.
    fn tmux(&self, arguments: &[&str]) -> String {
        let socket = self.desk.home().join("tmux");
        let mut command = self.desk.command(&self.tmux);
        // Colours as they are written, not the nearest of 256.
        command.env("COLORTERM", "truecolor").env_remove("TMUX");
        let output = command.arg("-S").arg(socket).args(arguments).output().unwrap();
        assert!(output.status.success(), "tmux {arguments:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Types keys as tmux names them: `Escape`, `C-x`, or a text.
    pub fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// What is on the screen.
    pub fn text(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// The same with colours, as a terminal takes them.
    pub fn colours(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e"])
    }

    /// Waits for something on the screen.
    ///
    /// # Panics
    /// When it does not come.
    pub fn wait(&self, what: &str) {
        self.until(what, |text| text.contains(what));
    }

    /// Waits for words on the screen, however far they stand from each other.
    ///
    /// # Panics
    /// When they do not come.
    pub fn wait_for_words(&self, what: &str) {
        self.until(what, |text| text.split_whitespace().collect::<Vec<_>>().join(" ").contains(what));
    }

    fn until(&self, what: &str, holds: impl Fn(&str) -> bool) {
        let mut text = String::new();
        for _ in 0..2_000 {
            text = self.text();
            if holds(&text) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("waited in vain for `{what}`:\n{text}");
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        let socket = self.desk.home().join("tmux");
        // Where it has ended by itself there is nothing to end.
        let _ = Command::new(&self.tmux).arg("-S").arg(socket).arg("kill-server").output();
    }
}

fn said(output: &Output) -> String {
    format!("{}\n{}{}", output.status, String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
