//! A repo that fails, is slow, half-writes or panics on command, around any other repo.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use keyward::StateRepo;
use keyward::repo::batch::{Batch, Operation};
use keyward::repo::error::RepoError;
use keyward::repo::space::Space;
use keyward::repo::state_repo::Visitor;
use tokio::sync::watch;

use super::{Gate, within};

/// What becomes of a write.
#[derive(Clone)]
pub enum Fault {
    /// It is not made, and fails.
    Fails,
    /// It is made, and fails all the same.
    FailsMade,
    /// It is not made, because the disk is full.
    Full,
    /// It panics before it is made.
    Panics,
    /// It panics when it is made.
    PanicsMade,
    /// It waits at a gate, and is made then.
    Waits(Gate),
}

impl Fault {
    /// Every fault after which it is not known whether the write was made, and whether it was.
    pub fn unknown() -> [(Self, bool); 5] {
        [
            (Self::Fails, false),
            (Self::FailsMade, true),
            (Self::Full, false),
            (Self::Panics, false),
            (Self::PanicsMade, true),
        ]
    }
}

#[derive(Default)]
struct Orders {
    /// What becomes of a write that has something for this space, after so many others.
    write: Option<(Space, u32, Fault)>,
    /// Reads of this space fail.
    unreadable: Option<Space>,
    /// So many scans of this space fail.
    failing_scans: Option<(Space, u32)>,
    /// So many attempts to reopen fail.
    failing_reopenings: u32,
    /// Why nothing is answered until it is reopened.
    down: Option<String>,
    /// Whether that is the disk.
    full: bool,
}

/// The repo. A clone is a handle on the same one, by which a test gives its orders.
///
/// As RocksDB does, it answers nothing after a write that failed until it has been reopened.
#[derive(Clone)]
pub struct FaultyRepo {
    repo: Arc<dyn StateRepo>,
    orders: Arc<Mutex<Orders>>,
    reopenings: watch::Sender<u32>,
}

impl FaultyRepo {
    /// One that does all that this repo does, until it is told otherwise.
    pub fn on(repo: impl StateRepo) -> Self {
        Self {
            repo: Arc::new(repo),
            orders: Arc::default(),
            reopenings: watch::Sender::new(0),
        }
    }

    /// Another handle on what this repo is on, with no orders: for a manager beside the first.
    pub fn another(&self) -> Self {
        Self {
            repo: Arc::clone(&self.repo),
            orders: Arc::default(),
            reopenings: watch::Sender::new(0),
        }
    }

    /// How many attempts to reopen it were made.
    pub fn reopenings(&self) -> u32 {
        *self.reopenings.borrow()
    }

    /// What becomes of the next write that has something for this space.
    pub fn next_write(&self, space: Space, fault: Fault) {
        self.later_write(space, 0, fault);
    }

    /// What becomes of a write that has something for this space, after so many others.
    pub fn later_write(&self, space: Space, after: u32, fault: Fault) {
        self.orders().write = Some((space, after, fault));
    }

    /// Whether the last such order was carried out.
    pub fn is_done(&self) -> bool {
        self.orders().write.is_none()
    }

    /// Reads of this space fail from now on, or of none.
    pub fn cannot_read(&self, space: Option<Space>) {
        self.orders().unreadable = space;
    }

    /// The next scans of this space fail, so many of them.
    pub fn scans_fail(&self, space: Space, times: u32) {
        self.orders().failing_scans = Some((space, times));
    }

    /// Whether the last such order was carried out.
    pub fn scans_have_failed(&self) -> bool {
        self.orders().failing_scans.is_none()
    }

    /// From now on so many attempts to reopen it fail, then one succeeds.
    pub fn reopening_fails(&self, times: u32) {
        self.orders().failing_reopenings = times;
    }

    /// Waits until so many attempts to reopen it were made.
    pub async fn reopened(&self, wanted: u32) {
        let mut reopenings = self.reopenings.subscribe();
        let came = within(reopenings.wait_for(|tried| *tried >= wanted)).await;
        drop(came.expect("the repo is there"));
    }

    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().expect("no panic under the lock")
    }

    fn read(&self, space: Space) -> Result<(), RepoError> {
        let orders = self.orders();
        if let Some(reason) = orders.down.clone() {
            return Err(RepoError::Unavailable { reason });
        }
        if orders.unreadable == Some(space) {
            return Err(failed("reading"));
        }
        Ok(())
    }

    fn scan_fails(&self, space: Space) -> bool {
        let failing = &mut self.orders().failing_scans;
        match failing.take() {
            Some((of, left)) if of == space => {
                *failing = left.checked_sub(2).map(|more| (of, more + 1));
                left > 0
            }
            other => {
                *failing = other;
                false
            }
        }
    }

    /// What was ordered for this batch.
    fn ordered(&self, batch: &Batch) -> Result<Option<Fault>, RepoError> {
        let mut orders = self.orders();
        if let Some(reason) = orders.down.clone() {
            return Err(RepoError::Unavailable { reason });
        }
        let Some((space, after, fault)) = orders.write.take() else {
            return Ok(None);
        };
        let meant = touches(batch, space);
        if meant && after == 0 {
            return Ok(Some(fault));
        }
        orders.write = Some((space, after - u32::from(meant), fault));
        Ok(None)
    }

    fn fail(&self, error: RepoError) -> RepoError {
        let mut orders = self.orders();
        orders.down = Some(format!("a write failed ({error})"));
        orders.full = matches!(error, RepoError::Full { .. });
        error
    }
}

fn touches(batch: &Batch, wanted: Space) -> bool {
    batch.operations().iter().any(|operation| match operation {
        Operation::Put { space, .. } | Operation::Delete { space, .. } => *space == wanted,
        _ => false,
    })
}

fn failed(what: &str) -> RepoError {
    RepoError::Failed {
        action: format!("{what} a faulty repo"),
        cause: "it was told to fail".into(),
    }
}

fn full() -> RepoError {
    RepoError::Full {
        path: PathBuf::from("/data/000004.log"),
        cause: Box::new(std::io::Error::from(std::io::ErrorKind::StorageFull)),
    }
}

impl StateRepo for FaultyRepo {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, RepoError> {
        self.read(space)?;
        self.repo.get(space, key)
    }

    fn scan(&self, space: Space, prefix: &[u8], visit: Visitor<'_>) -> Result<(), RepoError> {
        self.read(space)?;
        if self.scan_fails(space) {
            return Err(failed("reading"));
        }
        self.repo.scan(space, prefix, visit)
    }

    fn apply(&self, batch: &Batch) -> Result<(), RepoError> {
        match self.ordered(batch)? {
            None => self.repo.apply(batch),
            Some(Fault::Fails) => Err(self.fail(failed("writing"))),
            Some(Fault::Full) => Err(self.fail(full())),
            Some(Fault::FailsMade) => {
                self.repo.apply(batch)?;
                Err(self.fail(failed("writing")))
            }
            Some(Fault::Panics) => panic!("a faulty repo panics"),
            Some(Fault::PanicsMade) => {
                self.repo.apply(batch)?;
                panic!("a faulty repo panics");
            }
            Some(Fault::Waits(gate)) => {
                gate.pass_blocking();
                self.repo.apply(batch)
            }
        }
    }

    fn reopen(&self) -> Result<(), RepoError> {
        let (fails, is_full) = {
            let mut orders = self.orders();
            let left = orders.failing_reopenings.checked_sub(1);
            orders.failing_reopenings = left.unwrap_or_default();
            (left.is_some(), orders.full)
        };
        let reopened = match (fails, is_full) {
            (true, true) => Err(full()),
            (true, false) => Err(failed("reopening")),
            (false, _) => self.repo.reopen(),
        };
        // One that answers nothing any more says why itself.
        if reopened
            .as_ref()
            .map_or_else(RepoError::is_for_good, |()| true)
        {
            self.orders().down = None;
        }
        self.reopenings.send_modify(|tried| *tried += 1);
        reopened
    }

    fn close(&self) -> Result<(), RepoError> {
        self.repo.close()
    }
}
