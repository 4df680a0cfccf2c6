//! The check of backups.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use crate::repo::batch::Batch;
use crate::repo::conformance::RepoPlace;
use crate::repo::conformance::seen::{FoundRecords, Violation, all, must_be, must_fail};
use crate::repo::error::RepoError;
use crate::repo::space::Space;
use crate::repo::state_repo::StateRepo;

/// So many batches are written before the backup, and at least while it is made.
const BATCHES: u32 = 50;

pub(super) fn during_writes(place: &dyn RepoPlace) -> Result<(), Violation> {
    let Some((folder, copy)) = place.backup() else {
        return Ok(());
    };
    let repo = place.open()?;
    write(&*repo, 0..BATCHES)?;
    let (written, over) = (AtomicU32::new(BATCHES), AtomicBool::new(false));
    let made = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut number = BATCHES;
            while number < 2 * BATCHES || !over.load(Ordering::SeqCst) {
                write(&*repo, number..number + 1)?;
                number += 1;
                written.store(number, Ordering::SeqCst);
            }
            Ok::<_, RepoError>(())
        });
        while written.load(Ordering::SeqCst) == BATCHES && !writer.is_finished() {
            thread::yield_now();
        }
        let before = written.load(Ordering::SeqCst);
        let made = repo.backup(&folder);
        over.store(true, Ordering::SeqCst);
        match writer.join() {
            Ok(wrote) => wrote.and(made).map(|()| before),
            Err(_) => Err(RepoError::Closed),
        }
    });
    let before = made?;
    let target_code = "backup_target";
    must_fail(
        "a second one to the same folder",
        target_code,
        repo.backup(&folder),
    )?;
    let original = copy_of(&*repo)?;
    repo.close()?;
    must_fail("a backup after close", "repo_closed", repo.backup(&folder))?;
    let backup = copy.open()?;
    let found = copy_of(&*backup)?;
    let in_order = found
        .iter()
        .zip(&original)
        .all(|(copied, original)| copied == original);
    must_be("each record as it was written", in_order, true)?;
    must_be("each batch whole", found.len() % 2, 0)?;
    let is_enough = u32::try_from(found.len() / 2).is_ok_and(|found| found >= before);
    must_be("what was written before the call is there", is_enough, true)?;
    write(&*backup, BATCHES..BATCHES + 1)?;
    Ok(backup.close()?)
}

/// Each batch writes the same into two spaces.
fn write(repo: &dyn StateRepo, numbers: std::ops::Range<u32>) -> Result<(), RepoError> {
    for number in numbers {
        let (key, value) = (number.to_be_bytes(), vec![number.to_be_bytes()[3]; 4096]);
        let batch =
            Batch::new()
                .put(Space::States, key, value.clone())
                .put(Space::History, key, value);
        repo.apply(&batch)?;
    }
    Ok(())
}

/// All records, those of one batch beside each other.
fn copy_of(repo: &dyn StateRepo) -> Result<FoundRecords, Violation> {
    let (states, history) = (
        all(repo, Space::States, b"")?,
        all(repo, Space::History, b"")?,
    );
    must_be(
        "as many in one space as in the other",
        states.len(),
        history.len(),
    )?;
    let both = states.into_iter().zip(history);
    Ok(both.flat_map(|(state, history)| [state, history]).collect())
}
