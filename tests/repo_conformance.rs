//! Every repo passes the suite; and RocksDB's, in real folders: whose folder, damage, crashes.

#[path = "repo/crash.rs"]
mod crash;
#[path = "repo/damage.rs"]
mod damage;
#[path = "repo/folder.rs"]
mod folder;
#[path = "repo/moved.rs"]
mod moved;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use keyward::repo::conformance::{RepoPlace, check_all};
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

#[test]
fn the_rocksdb_repo_conforms() {
    check_all(&|| {
        let folder = new_folder();
        Box::new(move || {
            let repo = RocksDbRepo::open(&FolderOptions::new(folder.path()))?;
            Ok(Box::new(repo) as Box<dyn StateRepo>)
        }) as Box<dyn RepoPlace>
    })
    .unwrap();
}
