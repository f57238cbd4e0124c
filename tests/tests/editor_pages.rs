//! `docs/editors` says only what is tried: each command and key on a page stands in what drives that editor.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs;

use kpol_tests::tools::workspace;

/// The page; how it names what a user does; how the test does the same.
const DRIVEN: [(&str, &str, &str); 41] = [
    ("vim", "gf", "normal! gf"),
    ("vim", ":KpolFormat", "KpolFormat"),
    ("vim", "autocmd BufWritePre *.kpol KpolFormat", "autocmd BufWritePre *.kpol KpolFormat"),
    ("vim", ":compiler kpolc", "compiler kpolc"),
    ("vim", ":make", "make!"),
    ("vim", ":ALEHover", "ALEHover"),
    ("vim", ":ALEGoToDefinition", "ALEGoToDefinition"),
    ("vim", ":ALEFindReferences", "ALEFindReferences"),
    ("vim", ":ALERename", ":ALERename"),
    ("vim", ":ALECodeAction", "ALECodeAction"),
    ("vim", "set omnifunc=ale#completion#OmniFunc", "omnifunc=ale#completion#OmniFunc"),
    ("vim", "CTRL-X CTRL-O", r"\<C-x>\<C-o>"),
    ("neovim", "K", r#"press("K""#),
    ("neovim", "grn", r#"press("grn""#),
    ("neovim", "grr", r#"press("grr""#),
    ("neovim", "gra", r#"press("gra""#),
    ("neovim", "gO", r#"press("gO""#),
    ("neovim", "gq", r#"press("gggqG""#),
    ("neovim", "CTRL-]", r#"press("<C-]>""#),
    ("neovim", "CTRL-X CTRL-O", "vim.bo.omnifunc"),
    ("neovim", "vim.lsp.buf.rename()", "vim.lsp.buf.rename"),
    ("neovim", "vim.lsp.inlay_hint.enable()", "vim.lsp.inlay_hint.enable()"),
    ("neovim", "vim.lsp.codelens.enable()", "vim.lsp.codelens.enable()"),
    ("neovim", "vim.lsp.codelens.refresh()", "vim.lsp.codelens.refresh()"),
    (
        "neovim",
        "set foldmethod=expr foldexpr=v:lua.vim.treesitter.foldexpr()",
        "set foldmethod=expr foldexpr=v:lua.vim.treesitter.foldexpr()",
    ),
    ("neovim", ":checkhealth vim.lsp", "checkhealth vim.lsp"),
    ("emacs", "imenu", "imenu-create-index-function"),
    ("emacs", "which-function-mode", "imenu-create-index-function"),
    ("emacs", "M-x eldoc", "eglot-hover-eldoc-function"),
    ("emacs", "M-x eglot-rename", "eglot-rename"),
    ("emacs", "M-x eglot-code-actions", "eglot-code-actions"),
    ("emacs", "M-.", "xref-find-definitions"),
    ("emacs", "M-?", "xref-backend-references"),
    ("emacs", "C-M-i", "eglot-completion-at-point"),
    ("emacs", "M-x eglot-format-buffer", "eglot-format-buffer"),
    ("emacs", "M-x compile", "(compile "),
    ("emacs", "kpolc check --format concise web.kpol", "kpolc check --format concise web.kpol"),
    ("emacs", "M-g n", "(next-error)"),
    ("helix", "hx --health kpol", r#""--health", "kpol""#),
    ("helix", "g d", r#""g", "d""#),
    ("helix", "g r", r#""g", "r""#),
];

/// Programs, files and settings that a page speaks of.
const NAMES: [&str; 13] = [
    "kpolc",
    "kpol-lsp",
    "kpolc fmt",
    "cc",
    "kpol-mode",
    "init.lua",
    "init.el",
    ".dir-locals.el",
    "languages.toml",
    "coc-settings.json",
    "syntax/kpol.vim",
    "ale_linters/kpol/kpol_lsp.vim",
    // Instead of writing the file, which is what is tried.
    "set hidden",
];

/// What stands between single backquotes outside of blocks, each on one line.
fn codes(page: &str) -> Vec<String> {
    let prose: String = page.split("\n```").step_by(2).collect();
    prose.split('`').skip(1).step_by(2).map(|code| code.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// `space k` as the screen gets it; `mif` key by key.
fn helix(code: &str) -> Option<String> {
    if let Some(key) = code.strip_prefix("space ") {
        return Some(format!(r#""Space", "{key}""#));
    }
    let keys: Vec<char> = code.chars().collect();
    let object = code.len() == 3 && code.starts_with('m');
    object.then(|| keys.iter().map(|key| format!("\"{key}\"")).collect::<Vec<_>>().join(", "))
}

#[test]
fn what_a_page_says_is_tried() {
    let read = |path: &str| fs::read_to_string(workspace().join(path)).unwrap();
    let tests = read("tests/tests/editors.rs");
    let mut wrong = String::new();
    for (page, script) in
        [("vim", "vim.vim"), ("neovim", "neovim.lua"), ("emacs", "emacs.el"), ("helix", "../tests/editors.rs")]
    {
        let script = read(&format!("tests/editors/{script}"));
        let codes = codes(&read(&format!("docs/editors/{page}.md")));
        assert!(codes.len() > 8, "{page}: {codes:?}");
        for code in codes.iter().filter(|code| !NAMES.contains(&code.as_str())) {
            let driven = DRIVEN.iter().find(|(of, claim, _)| *of == page && claim == code);
            let driven = driven.map(|(.., driven)| (*driven).to_owned()).or_else(|| helix(code));
            if !driven.as_ref().is_some_and(|driven| script.contains(driven) || tests.contains(driven)) {
                wrong.push_str(&format!("docs/editors/{page}.md: `{code}`\n"));
            }
        }
        for (of, claim, _) in DRIVEN.iter().filter(|(of, ..)| *of == page) {
            if !codes.iter().any(|code| code == claim) {
                wrong.push_str(&format!("{of}: `{claim}` is on the page no more\n"));
            }
        }
    }
    assert!(wrong.is_empty(), "not tried by what drives the editor:\n{wrong}");
}
