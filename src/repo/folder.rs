//! The data folder: created private, refused where others can get into it or where it holds
//! something else.

use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{self, Path, PathBuf};

use crate::repo::error::RepoError;
use crate::repo::failure::io_failure;
use crate::repo::lock::LOCK_FILE;
use crate::repo::marker::{MARKER_FILE, NEXT_MARKER_FILE};

/// Which data folder, and what is allowed of it.
#[derive(Debug, Clone)]
pub struct FolderOptions {
    path: PathBuf,
    allow_shared_folder: bool,
}

impl FolderOptions {
    /// A data folder, which is created with mode 0700 where it is missing (its parents too). There
    /// is no default one. A relative path counts from the folder in which this process is now.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self {
            path: path::absolute(&path).unwrap_or(path),
            allow_shared_folder: false,
        }
    }

    /// Takes a folder that is open to others than its owner, or belongs to another user. Default:
    /// refused, because the folder is what protects the files in it.
    #[must_use]
    pub fn allow_shared_folder(mut self, allow: bool) -> Self {
        self.allow_shared_folder = allow;
        self
    }

    /// The data folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Creates the folder if it is missing, checks its owner, and answers its path without links.
pub(super) fn prepare(options: &FolderOptions) -> Result<PathBuf, RepoError> {
    let path = &options.path;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .and_then(|()| fs::canonicalize(path))
        .map_err(|cause| match cause.kind() {
            ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
                RepoError::NotAFolder { path: path.clone() }
            }
            _ => io_failure("creating the data folder", path, cause),
        })
        .and_then(|folder| {
            check_owner(&folder, options.allow_shared_folder)?;
            Ok(folder)
        })
}

/// The path without links of a folder that is only read, which must be there.
pub(super) fn find(options: &FolderOptions) -> Result<PathBuf, RepoError> {
    let path = &options.path;
    let folder = fs::canonicalize(path)
        .map_err(|cause| io_failure("looking at the data folder", path, cause))?;
    if !folder.is_dir() {
        return Err(RepoError::NotAFolder { path: path.clone() });
    }
    check_owner(&folder, options.allow_shared_folder)?;
    Ok(folder)
}

fn check_owner(folder: &Path, allow_shared: bool) -> Result<(), RepoError> {
    let found = fs::metadata(folder)
        .map_err(|cause| io_failure("looking at the data folder", folder, cause))?;
    let user = rustix::process::geteuid().as_raw();
    if allow_shared {
        return Ok(());
    }
    if found.uid() != user {
        return Err(RepoError::ForeignOwner {
            folder: folder.to_owned(),
            owner: found.uid(),
            user,
        });
    }
    if found.mode() & 0o077 != 0 {
        return Err(RepoError::LooseFolder {
            folder: folder.to_owned(),
            mode: found.mode() & 0o7777,
        });
    }
    Ok(())
}

/// Refuses a folder that holds other things, before anything is written into it. A folder with a
/// lock file or a marker is keyward's; whether it is whole is found out under the lock.
pub(super) fn refuse_foreign(folder: &Path) -> Result<(), RepoError> {
    let Some(entry) = first_foreign(folder)? else {
        return Ok(());
    };
    // Looked for after the listing: another keyward may just be creating its files.
    if [LOCK_FILE, MARKER_FILE]
        .iter()
        .any(|name| folder.join(name).exists())
    {
        return Ok(());
    }
    Err(RepoError::ForeignContent {
        folder: folder.to_owned(),
        entry,
    })
}

/// Something in the folder that is not one of keyward's own files. `lost+found` is there wherever
/// the folder is a mounted disk.
pub(super) fn first_foreign(folder: &Path) -> Result<Option<String>, RepoError> {
    let failed = |cause| io_failure("listing the data folder", folder, cause);
    let own = [LOCK_FILE, MARKER_FILE, NEXT_MARKER_FILE, "lost+found"];
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if !own.iter().any(|own| name == *own) {
            return Ok(Some(name.to_string_lossy().escape_debug().to_string()));
        }
    }
    Ok(None)
}
