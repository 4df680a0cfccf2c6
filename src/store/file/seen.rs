//! Waiting until key files have not changed for a while.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::store::file::key_file::{KeyFile, Stamp};
use crate::store::file::links::FileTime;

/// What a store has seen of files whose times lie in the future, by a clock that was set back or that
/// is another machine's. The clock does not tell how long ago they changed, but the store knows since
/// when it has seen them as they are.
#[derive(Debug, Default)]
pub(super) struct Seen {
    last: Mutex<Option<(Vec<Stamp>, Instant)>>,
}

/// What a store has seen is no part of what it is.
impl PartialEq for Seen {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Seen {}

impl Seen {
    /// Waits until the last change of these files is that long ago, and says whether it had to.
    pub(super) fn wait_for_quiet(
        &self,
        files: &[KeyFile],
        last: Option<FileTime>,
        quiet: Duration,
    ) -> bool {
        let Some(last) = last else { return false };
        let ago = ago(last).unwrap_or_else(|| self.unchanged(files));
        let left = quiet.saturating_sub(ago);
        thread::sleep(left);
        !left.is_zero()
    }

    /// For how long the files are known to be as they are. Every stamp counts and not only the newest,
    /// because a file that changes now may get an older time than one whose time lies in the future.
    fn unchanged(&self, files: &[KeyFile]) -> Duration {
        let stamps: Vec<_> = files.iter().map(KeyFile::stamp).collect();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((seen, since)) if *seen == stamps => since.elapsed(),
            Some(_) | None => {
                *last = Some((stamps, Instant::now()));
                Duration::ZERO
            }
        }
    }
}

/// How long ago a moment was; `None` if it lies in the future.
fn ago(moment: FileTime) -> Option<Duration> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default().as_nanos().cast_signed();
    let ago = u64::try_from(now.saturating_sub(moment)).ok()?;
    Some(Duration::from_nanos(ago))
}
