//! A disk that stands still at one write, as one does when its process is killed: that write was made or was not,
//! and nothing comes after it.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use keyward::repo::batch::Batch;
use keyward::repo::error::RepoError;
use keyward::repo::state_repo::Visitor;
use keyward::{MemoryRepo, Space, StateRepo};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The write was not made.
    Before,
    /// It was.
    After,
}

/// A disk in memory, which a later life finds as it was at the cut.
#[derive(Clone)]
pub struct CutDisk {
    content: MemoryRepo,
    /// How many writes are made until the cut; none for no cut.
    left: Arc<Mutex<Option<(u32, When)>>>,
    is_cut: Arc<Mutex<bool>>,
}

impl CutDisk {
    pub fn on(content: &MemoryRepo, cut: Option<(u32, When)>) -> Self {
        Self {
            content: content.clone(),
            left: Arc::new(Mutex::new(cut)),
            is_cut: Arc::default(),
        }
    }

    pub fn is_cut(&self) -> bool {
        *self.is_cut.lock().unwrap()
    }

    fn works(&self) -> Result<(), RepoError> {
        match self.is_cut() {
            false => Ok(()),
            true => Err(cut()),
        }
    }
}

fn cut() -> RepoError {
    RepoError::Failed {
        action: "using a disk after the process was killed".to_owned(),
        cause: "it was killed".into(),
    }
}

impl StateRepo for CutDisk {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, RepoError> {
        self.works()?;
        self.content.get(space, key)
    }

    fn scan(&self, space: Space, prefix: &[u8], visit: Visitor<'_>) -> Result<(), RepoError> {
        self.works()?;
        self.content.scan(space, prefix, visit)
    }

    fn apply(&self, batch: &Batch) -> Result<(), RepoError> {
        self.works()?;
        let mut left = self.left.lock().unwrap();
        match left.as_mut() {
            Some((0, when)) => {
                if *when == When::After {
                    self.content.apply(batch)?;
                }
                *self.is_cut.lock().unwrap() = true;
                Err(cut())
            }
            Some((left, _)) => {
                *left -= 1;
                self.content.apply(batch)
            }
            None => self.content.apply(batch),
        }
    }

    fn reopen(&self) -> Result<(), RepoError> {
        self.works()
    }

    fn close(&self) -> Result<(), RepoError> {
        Ok(())
    }
}

/// How many records there are in a space.
pub fn count(content: &MemoryRepo, space: Space) -> usize {
    let mut records = 0;
    let visit = &mut |_: &[u8], _: &[u8]| {
        records += 1;
        ControlFlow::Continue(())
    };
    content.scan(space, b"", visit).unwrap();
    records
}
