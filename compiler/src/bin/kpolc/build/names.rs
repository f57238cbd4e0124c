//! Which file a product becomes.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use kpol_compiler::driver::Format;

use super::{Goal, Made, complaint, extension, file_name};
use crate::ui::Trouble;

/// What `-o` means for so many products of these formats.
pub(super) fn goal(output: Option<&Path>, formats: &[Format], products: usize) -> Result<Goal, Trouble> {
    let Some(output) = output else {
        return Ok(Goal::Beside);
    };
    if output == Path::new("-") {
        return if products > 1 {
            Err(Trouble::new(format!("{products} products do not fit into one stream: `-o -` takes one")))
        } else {
            Ok(Goal::Stdout)
        };
    }
    let named = output.extension().and_then(|end| Format::ALL.into_iter().find(|&format| end == extension(format)));
    let slash = output.as_os_str().as_encoded_bytes().ends_with(b"/");
    if slash || output.is_dir() {
        Ok(Goal::Folder(output.to_owned()))
    } else if let [format] = *formats
        && let Some(named) = named.filter(|&named| named != format)
    {
        let (named, made) = (extension(named), extension(format));
        Err(Trouble::new(format!(
            "`{}` is named as {named}, and {made} would be written: add `--emit {}`, or take another name",
            output.display(),
            if named == "h" { "c" } else { named }
        )))
    } else if products <= 1 {
        Ok(Goal::File(output.to_owned()))
    } else if named.is_some() {
        Err(Trouble::new(format!(
            "{products} products need a folder: `-o DIR/`, and `{}` is one file",
            output.display()
        )))
    } else if output.exists() {
        Err(Trouble::new(format!("`{}` is one file, and there are {products} products", output.display())))
    } else {
        Ok(Goal::Folder(output.to_owned()))
    }
}

/// The file of a product. One that complains has a name of its own, so that it never takes the place of the one that refuses.
pub(super) fn product(goal: &Goal, policy: &Path, format: Format, complain: bool) -> PathBuf {
    let name = file_name(policy, format, if complain { complaint::SUFFIX } else { "" });
    match goal {
        Goal::Beside => policy.with_file_name(name),
        Goal::Stdout => PathBuf::from("-"),
        Goal::File(path) => path.clone(),
        Goal::Folder(folder) => folder.join(name),
    }
}

/// No two products may have one name.
pub(super) fn distinct(made: &[Made]) -> Result<(), Trouble> {
    let mut seen = BTreeMap::new();
    for one in made {
        if seen.insert(&one.output.path, ()).is_some() {
            let name = one.output.path.display();
            return Err(Trouble::new(format!("two policies would become `{name}`; nothing written")));
        }
    }
    Ok(())
}

/// Raw bytes are no words.
pub(super) fn refuse_terminal(format: Format) -> Result<(), Trouble> {
    if format == Format::Bpf && io::stdout().is_terminal() {
        return Err(Trouble::new("BPF is binary, and stdout a terminal: redirect it, or name a file with `-o`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use super::*;

    const JSON: &[Format] = &[Format::Json];

    #[test]
    fn the_output_is_a_file_a_folder_or_a_stream() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x");
        std::fs::write(&file, "").unwrap();
        assert_eq!(goal(None, JSON, 9).unwrap(), Goal::Beside);
        assert_eq!(goal(Some(Path::new("-")), JSON, 1).unwrap(), Goal::Stdout);
        assert!(goal(Some(Path::new("-")), JSON, 2).is_err());
        assert_eq!(goal(Some(&file), JSON, 1).unwrap(), Goal::File(file.clone()));
        assert!(goal(Some(&file), JSON, 2).is_err());
        assert_eq!(goal(Some(dir.path()), JSON, 1).unwrap(), Goal::Folder(dir.path().to_owned()));
        let new = dir.path().join("new");
        assert_eq!(goal(Some(&new), JSON, 1).unwrap(), Goal::File(new.clone()));
        assert_eq!(goal(Some(&new), JSON, 2).unwrap(), Goal::Folder(new.clone()));
        assert_eq!(goal(Some(&new.join("")), JSON, 1).unwrap(), Goal::Folder(new.join("")));
        let policy = Path::new("p/web.v2.kpol");
        assert_eq!(product(&Goal::Beside, policy, Format::Json, false), Path::new("p/web.v2.json"));
        assert_eq!(product(&Goal::Beside, policy, Format::Json, true), Path::new("p/web.v2-complain.json"));
        assert_eq!(product(&Goal::Folder("out".into()), policy, Format::Bpf, false), Path::new("out/web.v2.bpf"));
    }
}
