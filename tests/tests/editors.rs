//! The language server and the files of `editors/` in the editors that they are for, installed as their pages say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::Path;

use kpol_compiler::library;
use kpol_tests::editors::{Desk, LIB, Screen, WEB, editor, script};
use kpol_tests::skip::{Skip, or_skip, program};
use serde_json::{Value, json};

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// What every client shows of `web.kpol`, and what it makes of it.
fn expect(seen: &Value) {
    assert_eq!(seen["diagnostics"].as_array().unwrap().len(), 1, "{seen:#}");
    assert!(text(&seen["diagnostics"][0]["message"]).contains("no syscall `lisen` on any architecture"), "{seen:#}");
    assert!(text(&seen["hover"]).contains("socket(int family, int type, int protocol)"), "{seen:#}");
    assert!(seen["completion"].as_array().unwrap().contains(&json!("family")), "{seen:#}");
    let fixed = WEB.replace("lisen", "listen");
    assert_eq!(text(&seen["fixed"]).trim_end(), fixed.trim_end());
    let renamed = fixed.replace("@worker", "@helper");
    assert_eq!(text(&seen["renamed"]).trim_end(), renamed.trim_end());
    assert_eq!(text(&seen["formatted"]).trim_end(), renamed.replace("log   {", "log {").trim_end());
    assert_eq!(text(&seen["definition"]), LIB.lines().nth(1).unwrap().replace("@worker", "@helper"));
    assert_eq!(seen["indent"], json!(["allow {", "    read", "}"]));
}

fn neovim(name: &str) {
    let Some((nvim, desk)) = or_skip(editor(name).and_then(|nvim| Ok((nvim, Desk::new("neovim")?)))) else { return };
    let script = format!("luafile {}", script("neovim.lua").display());
    let seen = desk.see(&nvim, &["--headless", "-n", "-i", "NONE", "web.kpol", "-c", &script]);
    expect(&seen);
    assert_eq!(seen["filetype"], "kpol");
    assert_eq!(seen["root"], "project");
    assert_eq!(seen["diagnostics"][0]["code"], "E030");
    assert_eq!(seen["treesitter"], true);
    assert_eq!(seen["captures"], json!(["constant"]));
    assert_eq!(seen["semantic"], "@lsp.type.enumMember.kpol");
    assert_eq!(seen["written"], "default deny(EPERM)");
    assert_eq!(seen["uses"], json!(["lib.kpol:2", "web.kpol:4"]));
    assert_eq!(seen["outline"][1], "[File] lib.kpol");
    assert_eq!(seen["omnifunc"], "v:lua.vim.lsp.omnifunc");
    assert!(text(&seen["health"]).contains("kpol (id: 1)"), "{seen:#}");

    // Without the server colours are there, and it is said what is missing; once, however many files are opened.
    let said = desk.home().join("said");
    let write = format!("call writefile(split(execute('messages'), '\\n'), '{}')", said.display());
    let arguments = ["--headless", "-n", "-i", "NONE", "web.kpol", "-c", "edit lib.kpol", "-c", &write, "-c", "qall!"];
    assert!(desk.command(&nvim).args(arguments).env("PATH", "/usr/bin:/bin").output().unwrap().status.success());
    let said = fs::read_to_string(said).unwrap();
    assert_eq!(said.matches("no `kpol-lsp` on the PATH").count(), 1, "{said}");
    assert!(!said.contains("Error"), "{said}");
}

#[test]
fn neovim_knows_kpol() {
    neovim("nvim");
}

#[test]
fn an_older_neovim_knows_kpol() {
    neovim("nvim-0.10");
}

fn emacs(with_tree_sitter: bool) -> Option<Value> {
    let (emacs, desk) = or_skip(editor("emacs").and_then(|emacs| Ok((emacs, Desk::new("emacs")?))))?;
    if !with_tree_sitter {
        fs::remove_dir_all(desk.home().join(".emacs.d/tree-sitter")).unwrap();
    }
    let init = desk.home().join(".emacs.d/init.el");
    let script = script("emacs.el");
    let seen = desk.see(&emacs, &["--batch", "-l", init.to_str().unwrap(), "-l", script.to_str().unwrap()]);
    expect(&seen);
    assert_eq!(seen["root"], "project");
    assert_eq!(seen["diagnostics"][0]["text"], "lisen");
    assert_eq!(seen["outline"], json!(["@helper", "TRACED"]));
    assert_eq!(seen["compiled"], "web.kpol:4:lisen");
    assert_eq!(seen["uses"], json!(["lib.kpol:2", "web.kpol:4"]));
    assert_eq!(seen["written"], "default deny(EPERM)");
    assert_eq!(
        seen["faces"],
        json!([
            "font-lock-keyword-face",
            "font-lock-builtin-face",
            "font-lock-constant-face",
            "font-lock-string-face",
            "font-lock-type-face",
            "font-lock-function-name-face",
            // Arguments are plain at the usual level of decoration.
            "nil",
            "font-lock-constant-face"
        ])
    );
    Some(seen)
}

#[test]
fn emacs_knows_kpol_by_tree_sitter() {
    let Some(seen) = emacs(true) else { return };
    assert_eq!(seen["mode"], "kpol-ts-mode");
}

#[test]
fn emacs_knows_kpol_without_tree_sitter() {
    let Some(seen) = emacs(false) else { return };
    assert_eq!(seen["mode"], "kpol-mode");
}

#[test]
fn vim_knows_kpol() {
    let ale = Path::new("/usr/share/vim-ale");
    let ale =
        if ale.is_dir() { Ok(ale) } else { Err(Skip("no vim-ale installed (tests/setup.sh does that)".to_owned())) };
    let Some((vim, ale, desk)) = or_skip(program("vim").and_then(|vim| Ok((vim, ale?, Desk::new("vim")?)))) else {
        return;
    };
    let ale = format!("set nocompatible runtimepath^={} | filetype plugin indent on | syntax on", ale.display());
    let script = script("vim.vim");
    let seen = desk
        .see(&vim, &["--not-a-term", "-n", "-i", "NONE", "--cmd", &ale, "-S", script.to_str().unwrap(), "web.kpol"]);
    assert_eq!(seen["filetype"], "kpol");
    assert_eq!(
        seen["groups"],
        json!(["Statement", "PreProc", "Constant", "PreProc", "Constant", "Identifier", "Identifier", "Special"])
    );
    let lines = |text: &str| json!(text.lines().collect::<Vec<_>>());
    let fixed = WEB.replace("lisen", "listen");
    assert_eq!(seen["fixed"], lines(&fixed));
    assert_eq!((&seen["renamed"], &seen["back"]), (&lines(&fixed.replace("@worker", "@helper")), &json!("web.kpol")));
    assert_eq!(seen["formatted"][4], "log { ptrace(request == TRACED) }", "{seen:#}");
    assert_eq!((&seen["written"], &seen["included"]), (&json!("default deny(EPERM)"), &json!("lib.kpol")));
    assert!(text(&seen["uses"]).ends_with("web.kpol:4:19"), "{seen:#}");
    assert!(text(&seen["refused"]).contains("error[E001]: expected an action"), "{seen:#}");
    assert_eq!(seen["quickfix"][0]["lnum"], 4);
    assert_eq!((&seen["quickfix"][0]["col"], &seen["quickfix"][0]["type"]), (&json!(55), &json!("e")));
    assert_eq!(seen["diagnostics"][0]["col"], 55);
    assert!(text(&seen["hover"]).contains("socket(int family, int type, int protocol)"), "{seen:#}");
    assert!(seen["completion"].as_array().unwrap().contains(&json!("family")), "{seen:#}");
    assert_eq!(text(&seen["definition"]), LIB.lines().nth(1).unwrap().replace("@worker", "@helper"));
    assert_eq!(seen["indent"], json!(["allow {", "    read,", "    write(", "        fd == 1,", "    ),", "}"]));
}

/// Helix has no language of its own to script it by: keys and screen it is.
#[test]
fn helix_knows_kpol() {
    let Some((helix, desk)) = or_skip(editor("hx").and_then(|helix| Ok((helix, Desk::new("helix")?)))) else { return };
    let health = desk.command(&helix).args(["--health", "kpol"]).output().unwrap();
    let health = String::from_utf8(health.stdout).unwrap();
    let works = |what: &str| health.lines().any(|line| line.contains(what) && line.contains('\u{2713}'));
    for what in ["kpol-lsp", "parser", "Highlight", "Textobject", "Indent"] {
        assert!(works(what), "{what}: {health}");
    }
    let Some(screen) = or_skip(Screen::open(&desk, &helix, &["web.kpol"])) else { return };
    let saved = || fs::read_to_string(desk.project().join("web.kpol")).unwrap();

    // A finding is marked in the gutter, and told where the cursor is.
    screen.wait("\u{25cf}   4");
    let colours = screen.colours();
    let colour = |word: &str| {
        let line = colours.lines().find(|line| line.contains("socket")).unwrap();
        line[..line.find(word).unwrap()].rsplit_once("\u{1b}[").unwrap().1.to_owned()
    };
    assert_ne!(colour("allow"), colour("socket"), "{colours}");
    assert_ne!(colour("socket"), colour("family"), "{colours}");
    assert_ne!(colour("family"), colour("AF_UNIX"), "{colours}");
    screen.keys(&["]", "d"]);
    screen.wait("no syscall `lisen` on any architecture");

    screen.keys(&["Space", "d"]);
    screen.wait_for_words("ERROR E030");
    screen.keys(&["C-c", "Space", "a"]);
    screen.wait("replace it by `listen`");
    screen.keys(&["Enter"]);
    screen.wait("listen }");

    screen.keys(&["g", "g", "/", "socket", "Enter", "Space", "k"]);
    screen.wait("socket(int family, int type, int protocol)");
    screen.keys(&["Escape"]);

    screen.keys(&["/", "worker", "Enter", "Space", "r"]);
    screen.wait("rename-to:");
    screen.keys(&["C-u", "@helper", "Enter"]);
    screen.wait("@helper, socket");

    // Written, and in style; the definition is in another file.
    screen.keys(&[":", "write-all", "Enter"]);
    screen.wait("log {");
    screen.wait("written");
    let wanted = WEB.replace("lisen", "listen").replace("@worker", "@helper").replace("log   {", "log {");
    assert_eq!(saved(), wanted);
    screen.keys(&["Space", "s"]);
    screen.wait_for_words("file lib.kpol");
    screen.keys(&["C-c", "g", "r"]);
    screen.wait_for_words("lib.kpol:2");
    screen.keys(&["C-c", "/", "request", "Enter", "m", "i", "f", "c", "{ fork }", "Escape"]);
    screen.wait("log { fork }");
    screen.keys(&["u", "/", "request", "Enter", "m", "a", "f", "c", "allow { wait4 }", "Escape"]);
    screen.wait("5  allow { wait4 }");
    screen.keys(&["u", "/", "@helper", "Enter"]);
    screen.wait("5  log {");
    screen.keys(&["g", "d"]);
    screen.wait("group @helper { accept4, epoll_wait }");
    screen.keys(&["/", "accept4", "Enter", "m", "i", "t", "c", "{ read }", "Escape"]);
    screen.wait("group @helper { read }");
    screen.keys(&["u", "/", "accept4", "Enter", "m", "a", "t", "c", "group @none { read }", "Escape"]);
    screen.wait("group @none { read }");
    screen.keys(&["u"]);
    screen.wait("group @helper { accept4, epoll_wait }");

    // Typed in a condition, parameters are offered.
    screen.keys(&[":", "buffer-previous", "Enter"]);
    screen.wait("log {");
    screen.keys(&["g", "g", "/", "family", "Enter", "c", "fam"]);
    screen.wait("socket(fam == AF_UNIX)");
    screen.keys(&["C-x"]);
    screen.wait_for_words("family field");
    screen.keys(&["Escape", "u", "g", "e", "o", "allow {", "Enter", "read", "Escape"]);
    screen.wait("    read");
    screen.keys(&[":", "quit!", "Enter"]);
}

#[test]
fn the_server_holds_the_text_that_the_editor_holds() {
    let Some((nvim, desk)) = or_skip(editor("nvim").and_then(|nvim| Ok((nvim, Desk::new("neovim")?)))) else { return };
    let script = format!("luafile {}", script("edits.lua").display());
    // Without the files of `editors/neovim`, which start a server of their own.
    let seen = desk.see(&nvim, &["--clean", "--headless", "-n", "-i", "NONE", "web.kpol", "-c", &script]);
    assert_eq!(seen["rounds"], 75);
}

/// What `kpolc fmt` leaves as it is an editor leaves as it is too: every line of the library and of the examples.
#[test]
fn editors_indent_as_the_formatter_does() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut texts: Vec<(String, String)> = library::files()
        .iter()
        .map(|file| (format!("{}.kpol", file.name.replace('/', "-")), file.text.to_owned()))
        .collect();
    for entry in fs::read_dir(root.join("examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "kpol") {
            texts.push((path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap()));
        }
    }
    let indented = |desk: &Desk, editor: &Path, arguments: &[&str]| {
        for (name, text) in &texts {
            // Flat, so that nothing is right by accident. What stands in a block comment is text.
            let lines = text.lines().map(str::trim_start).collect::<Vec<_>>();
            fs::write(desk.project().join(name), lines.join("\n") + "\n").unwrap();
        }
        assert!(desk.command(editor).args(arguments).output().unwrap().status.success());
        for (name, text) in &texts {
            let left = fs::read_to_string(desk.project().join(name)).unwrap();
            assert!(&left == text, "{}: {name} is\n{left}\nand not\n{text}", editor.display());
        }
    };
    if let Some((vim, desk)) = or_skip(program("vim").and_then(|vim| Ok((vim, Desk::new("vim")?)))) {
        let all = ["set nocompatible hidden", "filetype plugin indent on", "packloadall"].join(" | ");
        let keys = "silent argdo normal! gg=G";
        indented(
            &desk,
            &vim,
            &["-es", "-u", "NONE", "-i", "NONE", "--cmd", &all, "-c", "args *.kpol", "-c", keys, "-c", "wqall!"],
        );
    }
    for with_tree_sitter in [true, false] {
        let Some((emacs, desk)) = or_skip(editor("emacs").and_then(|emacs| Ok((emacs, Desk::new("emacs")?)))) else {
            return;
        };
        if !with_tree_sitter {
            fs::remove_dir_all(desk.home().join(".emacs.d/tree-sitter")).unwrap();
        }
        let init = desk.home().join(".emacs.d/init.el");
        let all = "(dolist (file (directory-files \".\" t \"kpol$\")) (find-file file)
                     (indent-region (point-min) (point-max)) (setq make-backup-files nil) (save-buffer))";
        indented(&desk, &emacs, &["--batch", "-l", init.to_str().unwrap(), "--eval", all]);
    }
}
