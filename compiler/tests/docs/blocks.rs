//! The pages of the documentation, and the blocks in them.
//!
//! Words behind the backquotes say what a block is. The first is its language; one with a point in it is the name under which
//! the page's consoles find it as a file; one with a slash is a file of this repository that the block is a copy of.

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the workspace: both crates that read the pages lie below it.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The pages, as paths from the workspace. Those of the codes have a test of their own.
pub fn pages() -> Vec<PathBuf> {
    let root = workspace();
    let mut pages = Vec::new();
    for folder in ["", "docs", "docs/editors", "tests", "packaging"] {
        let Ok(entries) = fs::read_dir(root.join(folder)) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path.strip_prefix(&root).unwrap().to_owned());
            }
        }
    }
    pages.sort();
    assert!(pages.contains(&PathBuf::from("README.md")) && pages.contains(&PathBuf::from("docs/language.md")));
    pages
}

pub struct Block {
    /// `docs/cli.md:40`
    pub place: String,
    /// `kpol`, `sh`, …; empty where nothing is said.
    pub language: String,
    /// The other words.
    pub marks: Vec<String>,
    pub text: String,
}

pub fn blocks_of(page: &Path) -> Vec<Block> {
    let mut blocks = Vec::new();
    let text = fs::read_to_string(workspace().join(page)).unwrap();
    let mut open: Option<Block> = None;
    for (index, line) in text.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(kind)) => {
                let mut words = kind.split(',').map(str::to_owned);
                let place = format!("{}:{}", page.display(), index + 1);
                let language = words.next().unwrap_or_default();
                open = Some(Block { place, language, marks: words.collect(), text: String::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{}: a block is not closed", page.display());
    blocks
}

pub fn blocks() -> Vec<Block> {
    pages().iter().flat_map(|page| blocks_of(page)).collect()
}
