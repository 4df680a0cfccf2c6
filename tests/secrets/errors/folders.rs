//! What goes wrong with a data folder that is in use: moved, forked, and copied.

use std::fs;
use std::io;
use std::time::Duration;

use keyward::guard::fault::Fault;
use keyward::guard::forked::Forked;
use keyward::repo::batch::Batch;
use keyward::repo::error::RepoError;
use keyward::repo::folder::FolderOptions;
use keyward::repo::rocks::RocksDbRepo;
use keyward::repo::space::Space;
use keyward::{BackupError, KeyError, MemoryRepo, RotationError, StartError, StateRepo};

use crate::canary::PRINTED;
use crate::errors::Seen;
use crate::support;

pub(super) async fn all(seen: &mut Seen) {
    repos(seen);
    backups(seen).await;
    let why = "it says that a process is a child and holds nothing; `folder.rs` has children";
    seen.constructed("Forked", Forked, why);
    seen.constructed("Forked", RepoError::Forked(Forked), why);
    seen.constructed("Forked", StartError::Forked(Forked), why);
    seen.constructed("Forked", BackupError::Forked(Forked), why);
    seen.constructed("Forked", KeyError::Forked, why);
    seen.constructed("Forked", RotationError::Forked, why);
}

fn repos(seen: &mut Seen) {
    let base = tempfile::tempdir().expect("a folder");
    let data = base.path().join("data");
    let repo = RocksDbRepo::open(&FolderOptions::new(&data)).expect("an empty folder");
    seen.refused("BackupTarget", repo.backup(&data));
    seen.refused("NoBackup", MemoryRepo::new().backup(&data));
    fs::rename(&data, base.path().join("moved")).expect("it is mine");
    let batch = Batch::new().put(Space::States, PRINTED, PRINTED);
    seen.refused("FolderLost", repo.apply(&batch));
}

async fn backups(seen: &mut Seen) {
    let base = tempfile::tempdir().expect("a folder");
    let manager = support::in_memory().await;
    let backup = || manager.backup(base.path().join("backup"));
    seen.refused("Repo", backup().await);
    manager.shutdown().await.expect("it shuts down");
    seen.refused("ShutDown", backup().await);
    let why = "it depends on the moment, and holds nothing";
    seen.constructed("Busy", BackupError::Busy, why);
    seen.constructed("MustNotBlock", BackupError::MustNotBlock, why);
    let limit = Duration::from_secs(1);
    seen.constructed("TimedOut", BackupError::TimedOut { limit }, why);
    let why = "the system gives every thread that a test asks for; it holds what the system says";
    let error = BackupError::Thread(io::Error::from(io::ErrorKind::WouldBlock));
    seen.constructed("Thread", error, why);
    let why =
        "what a repo says in a panic is scrubbed where it is caught, which is seen at the start";
    let error = BackupError::Plugin(Fault::TimedOut { limit });
    seen.constructed("Plugin", error, why);
}
