//! Where everything lies in the demo's folder.

use std::path::{Path, PathBuf};

/// The demo's folder.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout of this folder.
    pub fn of(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the key files.
    pub fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// The file of the master key.
    pub fn master_key(&self) -> PathBuf {
        self.keys().join("master.key")
    }

    /// The file of the key before the change.
    pub fn old_key(&self) -> PathBuf {
        self.keys().join("old.key")
    }

    /// The file of the key after the change.
    pub fn new_key(&self) -> PathBuf {
        self.keys().join("new.key")
    }

    /// The file of the key in use, which the store of the shared key reads.
    pub fn current_key(&self) -> PathBuf {
        self.keys().join("current.key")
    }

    /// The server's data folder.
    pub fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// The copy of the data folder as the killed server left it.
    pub fn data_as_found(&self) -> PathBuf {
        self.root.join("data-as-found")
    }

    /// The folder of a worker's documents.
    pub fn documents(&self, worker: &str) -> PathBuf {
        self.root.join("documents").join(worker)
    }

    /// The file that every call of a callback adds a line to.
    pub fn calls(&self) -> PathBuf {
        self.root.join("calls.log")
    }
}

/// The names of so many workers, in the order in which they join.
pub fn worker_names(workers: u32) -> Vec<String> {
    (1..=workers).map(|no| format!("worker-{no}")).collect()
}
