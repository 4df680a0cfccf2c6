//! Every repo passes the suite; and RocksDB's, in real folders: whose folder, damage, crashes.

mod backup;
mod crash;
mod damage;
mod folder;
mod moved;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use keyward::repo::conformance::{RepoPlace, check_all};
use keyward::repo::error::RepoError;
use keyward::repo::folder::FolderOptions;
use keyward::repo::memory::MemoryRepo;
use keyward::repo::rocks::RocksDbRepo;
use keyward::repo::state_repo::StateRepo;
use tempfile::TempDir;

/// A temporary folder of mode 0700: others than its owner are refused.
fn new_folder() -> TempDir {
    tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o700))
        .tempdir()
        .unwrap()
}

/// One in memory, where the system has such a file system: for thousands of openings, which wait
/// for the disk elsewhere.
fn new_folder_in_memory() -> TempDir {
    tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in("/dev/shm")
        .unwrap_or_else(|_| new_folder())
}

#[test]
fn the_memory_repo_conforms() {
    check_all(&|| {
        let content = MemoryRepo::new();
        Box::new(move || Ok(Box::new(content.clone()) as Box<dyn StateRepo>)) as Box<dyn RepoPlace>
    })
    .unwrap();
}

/// RocksDB in a folder, and backups beside it.
struct RocksDbPlace {
    base: Arc<TempDir>,
    name: &'static str,
}

impl RepoPlace for RocksDbPlace {
    fn open(&self) -> Result<Box<dyn StateRepo>, RepoError> {
        let folder = self.base.path().join(self.name);
        let repo = RocksDbRepo::open(&FolderOptions::new(folder))?;
        Ok(Box::new(repo) as Box<dyn StateRepo>)
    }

    fn backup(&self) -> Option<(PathBuf, Box<dyn RepoPlace>)> {
        let (base, name) = (Arc::clone(&self.base), "backup");
        let folder = base.path().join(name);
        Some((folder, Box::new(Self { base, name })))
    }
}

#[test]
fn the_rocksdb_repo_conforms() {
    check_all(&|| {
        let (base, name) = (Arc::new(new_folder()), "data");
        Box::new(RocksDbPlace { base, name })
    })
    .unwrap();
}
