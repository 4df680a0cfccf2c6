//! What survives a process: a repo in memory whose writes, reads and reopenings fail on command.

use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keyward::crypto::error::CryptoError;
use keyward::repo::batch::Batch;
use keyward::repo::error::RepoError;
use keyward::repo::space::Space;
use keyward::repo::state_repo::{StateRepo, Visitor};
use keyward::{CryptoTool, MemoryRepo};
use zeroize::Zeroizing;

/// What becomes of the next write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fate {
    /// It is made.
    #[default]
    Fine,
    /// It is refused, and nothing is made.
    Refused,
    /// It fails and is unknown: it was not made.
    Lost,
    /// It fails and is unknown: it was made, and is found after a reopening or restart.
    Kept,
    /// The repo panics in it, before or after it was made.
    PanicsBefore,
    PanicsAfter,
}

/// How the disk behaves.
#[derive(Debug, Default)]
pub struct Manners {
    /// Of the next write.
    pub fate: Fate,
    /// Whether a write was made since this was last reset.
    pub made: bool,
    /// Whether it refuses everything until it is reopened.
    pub refuses: bool,
    /// Whether reading fails.
    pub unreadable: bool,
    /// Whether reopening fails.
    pub shut: bool,
}

/// A repo of one process on what survives it.
pub struct Disk {
    memory: MemoryRepo,
    manners: Arc<Mutex<Manners>>,
}

impl Disk {
    pub fn new() -> Self {
        Self {
            memory: MemoryRepo::new(),
            manners: Arc::default(),
        }
    }

    /// The same content for another life.
    pub fn another(&self) -> Self {
        Self {
            memory: self.memory.clone(),
            manners: Arc::clone(&self.manners),
        }
    }

    pub fn manners(&self) -> MutexGuard<'_, Manners> {
        self.manners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reads(&self) -> Result<(), RepoError> {
        let manners = self.manners();
        if manners.refuses {
            return Err(refused());
        }
        if manners.unreadable {
            return Err(failed("reading"));
        }
        Ok(())
    }
}

fn refused() -> RepoError {
    RepoError::Unavailable {
        reason: "the simulated disk refuses".to_owned(),
    }
}

fn failed(action: &str) -> RepoError {
    RepoError::Failed {
        action: action.to_owned(),
        cause: "the simulated disk fails".into(),
    }
}

impl StateRepo for Disk {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, RepoError> {
        self.reads()?;
        self.memory.get(space, key)
    }

    fn scan(&self, space: Space, prefix: &[u8], visit: Visitor<'_>) -> Result<(), RepoError> {
        self.reads()?;
        self.memory.scan(space, prefix, visit)
    }

    fn apply(&self, batch: &Batch) -> Result<(), RepoError> {
        let mut manners = self.manners();
        if manners.refuses {
            return Err(refused());
        }
        match std::mem::take(&mut manners.fate) {
            Fate::Refused => return Err(refused()),
            Fate::Lost => {
                manners.refuses = true;
                return Err(failed("writing"));
            }
            Fate::Kept => {
                self.memory.apply(batch)?;
                manners.made = true;
                manners.refuses = true;
                return Err(failed("writing"));
            }
            Fate::PanicsBefore => resume_unwind(Box::new("the simulated disk panics")),
            Fate::PanicsAfter => {
                self.memory.apply(batch)?;
                manners.made = true;
                resume_unwind(Box::new("the simulated disk panics"));
            }
            Fate::Fine => {}
        }
        self.memory.apply(batch)?;
        manners.made = true;
        Ok(())
    }

    fn reopen(&self) -> Result<(), RepoError> {
        let mut manners = self.manners();
        if manners.shut {
            return Err(refused());
        }
        manners.refuses = false;
        self.memory.reopen()
    }

    fn close(&self) -> Result<(), RepoError> {
        self.memory.close()
    }
}

/// A crypto tool that costs nothing: it hides nothing, but a record opens in its own place only.
#[derive(Default)]
pub struct Seal {
    sealed: Mutex<u64>,
}

impl CryptoTool for Seal {
    fn seal(&self, plain: &[u8], associated: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut sealed = self.sealed.lock().unwrap_or_else(PoisonError::into_inner);
        *sealed += 1;
        let mut bytes = sealed.to_le_bytes().to_vec();
        bytes.extend(digest(associated).to_le_bytes());
        bytes.extend(plain);
        Ok(bytes)
    }

    fn open(&self, sealed: &[u8], associated: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        match sealed.get(8..16) {
            Some(place) if place == digest(associated).to_le_bytes() => {
                Ok(Zeroizing::new(sealed[16..].to_vec()))
            }
            Some(_) | None => Err(CryptoError::DoesNotOpen),
        }
    }
}

fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
