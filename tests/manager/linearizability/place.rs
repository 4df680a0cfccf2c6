//! Where the lives of a workload keep their records.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use keyward::repo::batch::Batch;
use keyward::repo::error::RepoError;
use keyward::repo::space::Space;
use keyward::repo::state_repo::Visitor;
use keyward::{KeysManagement, MemoryRepo, StateRepo};

use crate::linearizability::workload::Random;
use crate::support::builder;

/// Where records are.
pub enum Place {
    /// In memory.
    Memory(MemoryRepo),
    /// In memory, each read and write taking its time.
    Slow(MemoryRepo, u64),
    /// In a RocksDB database.
    Folder(PathBuf),
}

impl Place {
    /// A new life there.
    pub async fn start(&self) -> KeysManagement {
        let builder = match self {
            Self::Memory(repo) => builder().state_repo(repo.clone()),
            Self::Slow(repo, seed) => builder().state_repo(Slow {
                repo: repo.clone(),
                random: Mutex::new(Random::new(*seed)),
            }),
            Self::Folder(folder) => builder().data_folder(folder),
        };
        builder.start().await.expect("a manager on a good repo")
    }
}

/// A repo that takes its time: what happens between a read or write and its end is seen more often.
struct Slow {
    repo: MemoryRepo,
    random: Mutex<Random>,
}

impl Slow {
    fn takes_its_time(&self) {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let time = match random.chance(30) {
            true => random.below(1_000),
            false => 0,
        };
        drop(random);
        if time > 0 {
            std::thread::sleep(Duration::from_micros(time));
        }
    }
}

impl StateRepo for Slow {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, RepoError> {
        self.takes_its_time();
        self.repo.get(space, key)
    }

    fn scan(&self, space: Space, prefix: &[u8], visit: Visitor<'_>) -> Result<(), RepoError> {
        self.repo.scan(space, prefix, visit)
    }

    fn apply(&self, batch: &Batch) -> Result<(), RepoError> {
        self.takes_its_time();
        let applied = self.repo.apply(batch);
        self.takes_its_time();
        applied
    }

    fn reopen(&self) -> Result<(), RepoError> {
        self.repo.reopen()
    }

    fn close(&self) -> Result<(), RepoError> {
        self.repo.close()
    }
}
