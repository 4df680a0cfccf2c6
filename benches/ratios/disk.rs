//! What the disk costs: synced RocksDB writes, and the number and sizes of those that a rotation makes.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use keyward::repo::batch::{Batch, Operation};
use keyward::repo::error::RepoError;
use keyward::repo::folder::FolderOptions;
use keyward::repo::rocks::RocksDbRepo;
use keyward::repo::space::Space;
use keyward::repo::state_repo::{StateRepo, Visitor};
use keyward::{KeysManagement, SecretKeyDefinition};
use rocksdb::{DB, WriteOptions};

use crate::Outcome;
use crate::manager::{self, MASTER_KEY};
use crate::measure::{Bench, a_second};

/// The key of a floor's record, as long as a step's.
const KEY_BYTES: usize = 32;
const STEPS: u32 = 64;

static STEP_BYTES: OnceLock<usize> = OnceLock::new();

/// How many bytes, keys and values, the batch of one step has, in a small rotation on RocksDB.
pub fn step_bytes(bench: &mut Bench) -> Outcome<usize> {
    if let Some(known) = STEP_BYTES.get() {
        return Ok(*known);
    }
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let repo = Counted {
        repo: RocksDbRepo::open(&FolderOptions::new(bench.folder("counted")))?,
        sizes: Arc::clone(&sizes),
    };
    let mut sizes = bench.asker().block_on(rotate(repo, &sizes))?;
    let batches = sizes.len() as f64 / f64::from(STEPS);
    sizes.sort_unstable();
    let bytes = sizes.get(sizes.len() / 2).copied().unwrap_or_default();
    bench.note(format!(
        "a rotation of {STEPS} steps wrote {batches:.2} batches a step; the middle one has {bytes} \
         bytes, which is the size of the floor's writes"
    ));
    Ok(*STEP_BYTES.get_or_init(|| bytes))
}

async fn rotate(repo: Counted, sizes: &Mutex<Vec<usize>>) -> Outcome<Vec<usize>> {
    let keys = KeysManagement::builder()
        .state_repo(repo)
        .master_key(|| MASTER_KEY)
        .start()
        .await?;
    keys.define_key(SecretKeyDefinition::round_trip("counted", || "a value"))
        .await?;
    let workers = manager::workers(&keys, STEPS).await?;
    manager::register(&workers, "counted", 1, |_| async {}).await?;
    lock(sizes).clear();
    manager::change(&keys, "counted", "value".to_owned(), STEPS).await?;
    let written = lock(sizes).clone();
    keys.shutdown().await?;
    Ok(written)
}

fn lock(sizes: &Mutex<Vec<usize>>) -> MutexGuard<'_, Vec<usize>> {
    sizes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// RocksDB that notes the size of each batch.
struct Counted {
    repo: RocksDbRepo,
    sizes: Arc<Mutex<Vec<usize>>>,
}

impl StateRepo for Counted {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, RepoError> {
        self.repo.get(space, key)
    }

    fn scan(&self, space: Space, prefix: &[u8], visit: Visitor<'_>) -> Result<(), RepoError> {
        self.repo.scan(space, prefix, visit)
    }

    fn apply(&self, batch: &Batch) -> Result<(), RepoError> {
        let bytes = batch.operations().iter().map(|operation| match operation {
            Operation::Put { key, value, .. } => key.len() + value.len(),
            Operation::Delete { key, .. } => key.len(),
            _ => 0,
        });
        lock(&self.sizes).push(bytes.sum());
        self.repo.apply(batch)
    }

    fn reopen(&self) -> Result<(), RepoError> {
        self.repo.reopen()
    }

    fn close(&self) -> Result<(), RepoError> {
        self.repo.close()
    }
}

/// RocksDB as it comes, every write synced.
pub struct Disk {
    db: DB,
    value: Vec<u8>,
}

impl Disk {
    /// A database whose writes have so many bytes, keys and values.
    pub fn open(folder: &Path, bytes: usize) -> Outcome<Self> {
        Ok(Self {
            db: DB::open_default(folder)?,
            value: vec![7; bytes.saturating_sub(KEY_BYTES)],
        })
    }

    /// How long so many writes take from one thread.
    pub fn writes(&self, count: u32) -> Outcome<Duration> {
        let start = Instant::now();
        self.write(0, count)?;
        Ok(start.elapsed())
    }

    /// Writes a second of so many threads, each with so many: RocksDB's own group commit.
    pub fn writes_of_threads(&self, threads: u32, each: u32) -> Outcome<f64> {
        let start = Instant::now();
        std::thread::scope(|scope| {
            let write = |thread| scope.spawn(move || self.write(thread, each));
            let all: Vec<_> = (0..threads).map(write).collect();
            all.into_iter()
                .try_for_each(|thread| thread.join().map_err(|_| "a thread panicked")?)
        })?;
        Ok(a_second(threads * each, start))
    }

    fn write(&self, thread: u32, count: u32) -> Outcome<()> {
        let mut synced = WriteOptions::default();
        synced.set_sync(true);
        let mut key = [0; KEY_BYTES];
        for no in 0..count {
            let number = (u64::from(thread) << 32) | u64::from(no);
            key[..8].copy_from_slice(&number.to_be_bytes());
            self.db.put_opt(key, &self.value, &synced)?;
        }
        Ok(())
    }
}
