//! The folder that `--install` writes into.
//!
//! ```text
//! --install             /etc/seccomp: made with mode 0755 where it is missing, since every node has it somewhere
//! --install=DIR         DIR must be there: a slip of the hand would make a folder that no runtime looks into
//! ```
//!
//! INVARIANT: a folder that was made here is gone again if nothing came into it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::ui::Trouble;

/// Where nodes keep profiles.
pub(super) const DEFAULT: &str = "/etc/seccomp";

/// A folder to install into; dropped without [`Folder::keep`] it is removed, if it was made for this.
pub(super) struct Folder {
    made: Option<PathBuf>,
}

impl Folder {
    /// Looks for the folder, and makes the default one.
    pub(super) fn open(folder: &Path) -> Result<Self, Trouble> {
        let name = folder.display();
        let name = name.to_string();
        let name = name.trim_end_matches('/');
        match fs::metadata(folder) {
            Ok(metadata) if metadata.is_dir() => Ok(Self { made: None }),
            Err(error) if error.kind() == io::ErrorKind::NotFound && folder == Path::new(DEFAULT) => {
                let wrong = |error| Trouble::new(format!("cannot create folder `{name}`: {error}"));
                fs::create_dir(folder).map_err(wrong)?;
                let made = Self { made: Some(folder.to_owned()) };
                // Whatever the umask is: profiles are no secret, and runtimes of users read them too.
                fs::set_permissions(folder, Permissions::from_mode(0o755)).map_err(wrong)?;
                Ok(made)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Trouble::new(format!(
                "there is no folder `{name}` to install into; nothing written. If it is the right one: `mkdir -p {name}`"
            ))),
            Ok(_) => Err(Trouble::new(format!("`{name}` is not a folder; nothing written"))),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                Err(Trouble::new(format!("`{name}` is not a folder; nothing written")))
            }
            Err(error) => Err(Trouble::new(format!("cannot install into `{name}`: {error}"))),
        }
    }

    /// Something is in it now.
    pub(super) fn keep(mut self) {
        self.made = None;
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(folder) = &self.made {
            // Fails where it is not empty, and then it shall stay.
            let _ = fs::remove_dir(folder);
        }
    }
}
