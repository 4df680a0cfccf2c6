//! RocksDB is not used any more once the program ends.
//!
//! `exit` runs the destructors of RocksDB's global objects while other threads go on; a thread that is
//! inside RocksDB then, or enters it later, uses destroyed objects, and the process aborts.
//! So every use of RocksDB is counted here, and a handler that `exit` runs before those destructors
//! waits for the uses under way and lets no further one begin. What was not closed by then is left
//! as a crash leaves it: nothing is lost.

use std::cell::Cell;
use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::Duration;

use crate::guard::fork;
use crate::repo::error::RepoError;

/// How long the end of the program waits for a use that is under way, for a write to a slow disk for
/// example. One that hangs for longer is left behind.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How long a use that begins after the end of the program has begun is kept waiting before it is
/// refused: longer than most programs take to end, so that no caller sees an error for the sole reason
/// that the program ends. A destructor that waits for keyward goes on after that time.
const LONGEST_END: Duration = Duration::from_secs(10);

static USES: Mutex<Uses> = Mutex::new(Uses {
    ended: false,
    under_way: 0,
});
static FEWER: Condvar = Condvar::new();

thread_local! {
    /// How many of the uses under way are those of this thread, which may be the one that ends the
    /// program: foreign code that is called inside a use may call `exit`.
    static OF_THIS_THREAD: Cell<usize> = const { Cell::new(0) };
    /// Whether it is this thread that ends the program.
    static ENDS_HERE: Cell<bool> = const { Cell::new(false) };
}

struct Uses {
    ended: bool,
    under_way: usize,
}

fn uses() -> MutexGuard<'static, Uses> {
    USES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A use of RocksDB, until it is dropped.
pub(super) struct Use(());

impl Use {
    /// Begins a use.
    ///
    /// # Errors
    /// [`RepoError::Unavailable`] when the program ends, [`RepoError::Forked`] in a child of `fork()`.
    pub(super) fn begin() -> Result<Self, RepoError> {
        fork::refuse_child()?;
        let mut uses = uses();
        if uses.ended {
            drop(uses);
            if !ENDS_HERE.get() {
                thread::sleep(LONGEST_END);
            }
            let reason = "the program ends".to_owned();
            return Err(RepoError::Unavailable { reason });
        }
        uses.under_way += 1;
        OF_THIS_THREAD.set(OF_THIS_THREAD.get() + 1);
        Ok(Self(()))
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        OF_THIS_THREAD.set(OF_THIS_THREAD.get().saturating_sub(1));
        let mut uses = uses();
        uses.under_way -= 1;
        if uses.ended {
            FEWER.notify_all();
        }
    }
}

/// Has the end of the program wait here, at the first call for a moment: before it comes to the
/// destructors that were registered with the C library before this call.
#[expect(
    unsafe_code,
    reason = "std has no way to run something at the end of the program"
)]
pub(super) fn wait_here(moment: &Once) {
    moment.call_once(|| {
        // SAFETY: `at_exit` takes nothing, does not unwind, and is there as long as the process.
        // Where there is no memory for it, the program ends as it would without a handler.
        let _refused = unsafe { libc::atexit(at_exit) };
    });
}

extern "C" fn at_exit() {
    // In a child of `fork()` the lock may be held by a thread that the child has not got.
    if fork::is_child() {
        return;
    }
    ENDS_HERE.set(true);
    let own = OF_THIS_THREAD.get();
    let mut uses = uses();
    uses.ended = true;
    let waited = FEWER.wait_timeout_while(uses, LONGEST_WAIT, |uses| uses.under_way > own);
    drop(waited);
}
