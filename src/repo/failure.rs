//! What an error of RocksDB, or of the operating system, means.

use std::io::{self, ErrorKind};
use std::path::Path;

use rustix::io::Errno;

use crate::repo::error::RepoError;

/// What an error of RocksDB means. It has no kinds for most of this, but its texts quote the operating
/// system. They name the file too, where RocksDB knows it; what keyward names is the folder, which is
/// what is restored.
pub(super) fn failure(action: &str, folder: &Path, error: rocksdb::Error) -> RepoError {
    let text = error.to_string();
    // RocksDB suspects the manifest when a table cannot be opened; the manifest was checked before.
    let text = text
        .split("  The file ")
        .next()
        .unwrap_or_default()
        .to_owned();
    let says = |texts: &[&str]| texts.iter().any(|part| text.contains(part));
    if says(&[
        "No space left on device",
        "Disk quota exceeded",
        "File too large",
    ]) {
        return RepoError::Full {
            path: folder.to_owned(),
            cause: Box::new(error),
        };
    }
    if says(&["Permission denied", "Read-only file system"]) {
        return RepoError::NotWritable {
            path: folder.to_owned(),
            cause: Box::new(error),
        };
    }
    if says(&["Too many open files"]) {
        return RepoError::NoDescriptor {
            path: folder.to_owned(),
            cause: Box::new(error),
        };
    }
    let missing = says(&["No such file or directory", "Column family not found"]);
    if missing || error.kind() == rocksdb::ErrorKind::Corruption {
        return RepoError::Damaged {
            file: folder.to_owned(),
            what: text,
        };
    }
    RepoError::Failed {
        action: format!("{action} in {}", folder.display()),
        cause: Box::new(error),
    }
}

/// The error for what the operating system refused.
pub(super) fn io_failure(action: &str, path: &Path, cause: io::Error) -> RepoError {
    let path = path.to_owned();
    match cause.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => RepoError::NotWritable {
            path,
            cause: Box::new(cause),
        },
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            RepoError::Full {
                path,
                cause: Box::new(cause),
            }
        }
        _ if is_descriptors(&cause) => RepoError::NoDescriptor {
            path,
            cause: Box::new(cause),
        },
        _ => RepoError::Failed {
            action: format!("{action} at {}", path.display()),
            cause: Box::new(cause),
        },
    }
}

fn is_descriptors(cause: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE]
        .map(|errno| Some(errno.raw_os_error()))
        .contains(&cause.raw_os_error())
}
