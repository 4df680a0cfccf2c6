//! RocksDB's files: which manifest is the current one and whether it is as long as it was, and
//! logs by their number.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::repo::error::RepoError;
use crate::repo::failure::io_failure;
use crate::repo::log_check;
use crate::repo::marker::Reached;

const CURRENT: &str = "CURRENT";
const MANIFEST: &str = "MANIFEST-";

/// Checks the current manifest: that it is not an older one, nor shorter than it was, nor damaged.
///
/// A manifest that lost its last records still opens, without the tables that they name.
pub(super) fn check_manifest(folder: &Path, reached: Reached) -> Result<(), RepoError> {
    let (number, manifest) = current_manifest(folder)?;
    if number < reached.manifest {
        let what = format!(
            "it names an older manifest than number {}",
            reached.manifest
        );
        return Err(damaged(&folder.join(CURRENT), what));
    }
    let bytes = fs::metadata(&manifest)
        .map_err(|cause| io_failure("reading the manifest", &manifest, cause))?
        .len();
    let wanted = reached.manifest_bytes;
    if number == reached.manifest && bytes < wanted {
        let what = format!("it has {bytes} bytes and had at least {wanted}");
        return Err(damaged(&manifest, what));
    }
    log_check::check(&manifest)
}

/// Makes the current manifest durable, and says how long it is.
pub(super) fn sync_manifest(folder: &Path, history: u64) -> Result<Reached, RepoError> {
    let (manifest, path) = current_manifest(folder)?;
    let manifest_bytes = File::open(&path)
        .and_then(|file| {
            let bytes = file.metadata()?.len();
            file.sync_all()?;
            Ok(bytes)
        })
        .map_err(|cause| io_failure("syncing the manifest", &path, cause))?;
    Ok(Reached {
        history,
        manifest,
        manifest_bytes,
    })
}

/// A manifest as it was when the marker was written.
#[derive(Debug)]
pub(super) struct Manifest {
    file: File,
    bytes: u64,
}

impl Manifest {
    /// The one that the marker tells of.
    pub(super) fn of(folder: &Path, reached: Reached) -> Option<Self> {
        let path = folder.join(format!("{MANIFEST}{:06}", reached.manifest));
        let file = File::open(path).ok()?;
        let bytes = reached.manifest_bytes;
        Some(Self { file, bytes })
    }

    /// Whether it is as it was, and RocksDB has not put another one in its place.
    pub(super) fn is_as_it_was(&self) -> bool {
        let found = self.file.metadata();
        found.is_ok_and(|found| found.len() == self.bytes && found.nlink() > 0)
    }
}

/// The manifest that `CURRENT` names, and its number. RocksDB would take a folder without `CURRENT`
/// for an empty one.
fn current_manifest(folder: &Path) -> Result<(u64, PathBuf), RepoError> {
    let current = folder.join(CURRENT);
    let named = match fs::read_to_string(&current) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(damaged(&current, "it is missing"));
        }
        Err(error) if error.kind() == ErrorKind::InvalidData => String::new(),
        Err(cause) => return Err(io_failure("reading a file of RocksDB", &current, cause)),
    };
    let number = named
        .strip_suffix('\n')
        .filter(|name| is_manifest(name))
        .and_then(|name| name.strip_prefix(MANIFEST)?.parse().ok());
    let Some(number) = number else {
        return Err(damaged(&current, "it names no manifest"));
    };
    let manifest = folder.join(named.trim_end());
    if manifest.is_file() {
        return Ok((number, manifest));
    }
    if has_manifest(folder)? {
        return Err(damaged(&current, "it names a manifest that is not there"));
    }
    Err(damaged(&manifest, "it is missing"))
}

fn has_manifest(folder: &Path) -> Result<bool, RepoError> {
    let failed = |cause| io_failure("listing the data folder", folder, cause);
    for entry in fs::read_dir(folder).map_err(failed)? {
        if entry
            .map_err(failed)?
            .file_name()
            .to_str()
            .is_some_and(is_manifest)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The logs (kind `log`), in the order of their numbers.
pub(super) fn numbered(folder: &Path, kind: &str) -> Result<Vec<PathBuf>, RepoError> {
    let failed = |cause| io_failure("listing the data folder", folder, cause);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_kind = path.extension().is_some_and(|extension| extension == kind);
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        if is_kind && stem.is_some_and(is_number) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_manifest(name: &str) -> bool {
    name.strip_prefix(MANIFEST).is_some_and(is_number)
}

fn damaged(file: &Path, what: impl Into<String>) -> RepoError {
    RepoError::Damaged {
        file: file.to_owned(),
        what: what.into(),
    }
}
